//! The entry header: twelve facts about an entry as deterministic CBOR. Its leaf hash is the
//! chain link and the Merkle leaf, so a header has exactly one spelling.
//!
//! | item | field | form |
//! |---|---|---|
//! | 0 | format version of the ledger | uint, at most [`FORMAT_VERSION`] |
//! | 1 | seq | uint |
//! | 2 | previous leaf hash | 32 bytes; null at seq 0 only |
//! | 3 | kind | uint, [`EntryKind`] |
//! | 4 | trace id | 16 bytes or null |
//! | 5 | seq of the trace's previous entry | uint; null for a trace's first entry or without a trace |
//! | 6 | entries of the trace so far, this one included | uint; 0 without a trace |
//! | 7 | envelope hash, SHA-256 of the body | 32 bytes |
//! | 8 | classification | uint for evidence, else null |
//! | 9 | error kind | text for a rejected attempt, else null |
//! | 10 | declared hash | see [`DeclaredHash`]; null unless rejected |
//! | 11 | recorded at, Unix milliseconds | uint |

use proofline_canon::Sha256Digest;
use proofline_canon::cbor::{self, CborFault, Decoder};
use proofline_trace::{Classification, EnvelopeHash, ErrorKind, TraceId};
use thiserror::Error;

use crate::ids::{LeafHash, Seq};

/// The version of the ledger format that new ledgers have. A ledger keeps the version that it began with; every
/// version up to this one is read.
pub const FORMAT_VERSION: u32 = 1;

/// The longest header, in bytes.
pub const MAX_HEADER_BYTES: usize = 4096;

/// A declared hash up to this many bytes is kept as it was given.
pub const DECLARED_HASH_KEPT_BYTES: usize = 128;

const FIELDS: u64 = 12;

/// What an entry is. The numbers are part of the format and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EntryKind {
    /// The ledger's first entry: its id, origin and format.
    Genesis,
    /// An envelope that the gate accepted.
    Accepted,
    /// An attempt that the gate refused and the contract keeps.
    Rejected,
    /// What a replay or certification produced.
    Artifact,
    /// What the ledger records of itself.
    System,
}

impl EntryKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [EntryKind; 5] = [
        EntryKind::Genesis,
        EntryKind::Accepted,
        EntryKind::Rejected,
        EntryKind::Artifact,
        EntryKind::System,
    ];

    /// The number that stands in the header.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            EntryKind::Genesis => 0,
            EntryKind::Accepted => 1,
            EntryKind::Rejected => 2,
            EntryKind::Artifact => 3,
            EntryKind::System => 4,
        }
    }

    /// The kind with this number.
    #[must_use]
    pub fn from_code(code: u64) -> Option<Self> {
        EntryKind::ALL.into_iter().find(|kind| u64::from(kind.code()) == code)
    }

    /// The kind's name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            EntryKind::Genesis => "genesis",
            EntryKind::Accepted => "accepted",
            EntryKind::Rejected => "rejected",
            EntryKind::Artifact => "artifact",
            EntryKind::System => "system",
        }
    }
}

impl std::fmt::Display for EntryKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The hash that came with a rejected attempt, as the header keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclaredHash {
    /// None was given, or it was no string.
    Absent,
    /// As given: at most [`DECLARED_HASH_KEPT_BYTES`] bytes.
    Text(String),
    /// Longer than that: how it began, how long it was, and its SHA-256.
    Long {
        /// The first 128 bytes of its UTF-8.
        head: Box<[u8; DECLARED_HASH_KEPT_BYTES]>,
        /// Its length in bytes.
        length: u64,
        /// SHA-256 of its UTF-8.
        sha256: Sha256Digest,
    },
}

impl DeclaredHash {
    /// What the header keeps of a declared hash.
    #[must_use]
    pub fn keep(declared: Option<&str>) -> Self {
        let Some(text) = declared else { return DeclaredHash::Absent };
        match text.as_bytes().split_first_chunk::<DECLARED_HASH_KEPT_BYTES>() {
            Some((head, rest)) if !rest.is_empty() => DeclaredHash::Long {
                head: Box::new(*head),
                length: text.len() as u64,
                sha256: Sha256Digest::of(text.as_bytes()),
            },
            _ => DeclaredHash::Text(text.to_owned()),
        }
    }

    /// True when the hash that was declared is this text.
    #[must_use]
    pub fn is(&self, declared: Option<&str>) -> bool {
        *self == DeclaredHash::keep(declared)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            DeclaredHash::Absent => cbor::put_null(out),
            DeclaredHash::Text(text) => cbor::put_text(out, text),
            DeclaredHash::Long { head, length, sha256 } => {
                cbor::put_array(out, 3);
                cbor::put_bytes(out, head.as_slice());
                cbor::put_uint(out, *length);
                cbor::put_bytes(out, sha256.as_bytes());
            }
        }
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, HeaderError> {
        const WHAT: &str = "declared hash";
        if decoder.null()? {
            return Ok(DeclaredHash::Absent);
        }
        if !decoder.next_is_array()? {
            let text = decoder.text(WHAT)?;
            let fits = text.len() <= DECLARED_HASH_KEPT_BYTES;
            return if fits {
                Ok(DeclaredHash::Text(text.to_owned()))
            } else {
                Err(HeaderError::DeclaredHash)
            };
        }
        if decoder.array(WHAT)? != 3 {
            return Err(HeaderError::DeclaredHash);
        }
        let head = Box::new(decoder.exact_bytes(WHAT)?);
        let length = decoder.uint(WHAT)?;
        let sha256 = Sha256Digest::from_bytes(decoder.exact_bytes(WHAT)?);
        if length <= DECLARED_HASH_KEPT_BYTES as u64 {
            return Err(HeaderError::DeclaredHash);
        }
        Ok(DeclaredHash::Long { head, length, sha256 })
    }
}

/// What an entry is and, for evidence, what the gate said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryStatus {
    /// [`EntryKind::Genesis`].
    Genesis,
    /// [`EntryKind::Accepted`]; its declared hash equals its envelope hash.
    Accepted,
    /// [`EntryKind::Rejected`].
    Rejected {
        /// The gate's classification, one that the contract keeps.
        classification: Classification,
        /// The gate's error kind.
        error_kind: ErrorKind,
        /// The hash that came with the attempt.
        declared_hash: DeclaredHash,
    },
    /// [`EntryKind::Artifact`].
    Artifact,
    /// [`EntryKind::System`].
    System,
}

impl EntryStatus {
    /// The kind of the entry.
    #[must_use]
    pub const fn kind(&self) -> EntryKind {
        match self {
            EntryStatus::Genesis => EntryKind::Genesis,
            EntryStatus::Accepted => EntryKind::Accepted,
            EntryStatus::Rejected { .. } => EntryKind::Rejected,
            EntryStatus::Artifact => EntryKind::Artifact,
            EntryStatus::System => EntryKind::System,
        }
    }
}

/// An entry's place among the entries of its trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceLink {
    /// The trace.
    pub trace_id: TraceId,
    /// The trace's entry before this one, if there is one.
    pub previous: Option<Seq>,
    /// How many entries the trace has, this one included; 1 for its first.
    pub count: u64,
}

/// An entry header; see the module's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryHeader {
    /// The format version of its ledger. Versions 0 and 1 differ in nothing but this number: 1 is kept for good.
    pub format: u32,
    /// The entry's place in the log.
    pub seq: Seq,
    /// The leaf hash of the entry before; none for the genesis entry.
    pub previous_leaf: Option<LeafHash>,
    /// The entry's place in its trace, where it has one.
    pub trace: Option<TraceLink>,
    /// SHA-256 of the body.
    pub envelope_hash: EnvelopeHash,
    /// What the entry is.
    pub status: EntryStatus,
    /// When it was recorded, in Unix milliseconds; never below the previous entry's.
    pub recorded_at_ms: u64,
}

/// Why bytes are no entry header.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The bytes are not the deterministic CBOR that the field needs.
    #[error("the entry header is not deterministic CBOR: {0}")]
    Encoding(String),
    /// More than [`MAX_HEADER_BYTES`].
    #[error("the entry header is {0} bytes long; at most 4096 are allowed")]
    TooLong(usize),
    /// Not an array of twelve items.
    #[error("the entry header has {0} fields where 12 are expected")]
    FieldCount(u64),
    /// A later format.
    #[error("the entry header is of format version {0}; this program reads up to version 1")]
    NewerFormat(u64),
    /// An unknown entry kind.
    #[error("entry kind {0} is unknown")]
    UnknownKind(u64),
    /// An unknown classification, or one that does not go with the kind.
    #[error("the classification does not go with the entry's kind")]
    Classification,
    /// An unknown error kind, or one where none belongs, or none where one belongs.
    #[error("the error kind does not go with the entry's kind")]
    ErrorKind,
    /// A declared hash where none belongs, or in a form that its length does not allow.
    #[error("the declared hash is not in the form that its length asks for")]
    DeclaredHash,
    /// An all-zero trace id, trace fields that contradict each other or name an entry that is not
    /// before this one, a genesis entry with a trace, or evidence without one.
    #[error("the trace id, the trace's previous entry and its count contradict each other or the entry")]
    TraceLink,
    /// A missing previous leaf hash, or one on the genesis entry; or a genesis entry elsewhere than at seq 0.
    #[error("the previous leaf hash or the kind does not go with the sequence number")]
    PreviousLeaf,
    /// Bytes after the twelfth field.
    #[error("bytes follow the entry header's last field")]
    TrailingBytes,
}

impl From<CborFault> for HeaderError {
    fn from(fault: CborFault) -> Self {
        HeaderError::Encoding(fault.to_string())
    }
}

impl EntryHeader {
    /// The header's one encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        self.encode_into(&mut out);
        out
    }

    /// Appends the header's one encoding.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        cbor::put_array(out, FIELDS);
        cbor::put_uint(out, u64::from(self.format));
        cbor::put_uint(out, self.seq.get());
        match &self.previous_leaf {
            Some(leaf) => cbor::put_bytes(out, leaf.as_bytes()),
            None => cbor::put_null(out),
        }
        cbor::put_uint(out, u64::from(self.status.kind().code()));
        self.encode_trace(out);
        cbor::put_bytes(out, self.envelope_hash.as_bytes());
        self.encode_status(out);
        cbor::put_uint(out, self.recorded_at_ms);
    }

    fn encode_trace(&self, out: &mut Vec<u8>) {
        let Some(link) = &self.trace else {
            cbor::put_null(out);
            cbor::put_null(out);
            return cbor::put_uint(out, 0);
        };
        cbor::put_bytes(out, link.trace_id.as_bytes());
        match link.previous {
            Some(seq) => cbor::put_uint(out, seq.get()),
            None => cbor::put_null(out),
        }
        cbor::put_uint(out, link.count);
    }

    fn encode_status(&self, out: &mut Vec<u8>) {
        match &self.status {
            EntryStatus::Accepted => {
                cbor::put_uint(out, u64::from(Classification::Accept.code()));
                cbor::put_null(out);
                cbor::put_null(out);
            }
            EntryStatus::Rejected { classification, error_kind, declared_hash } => {
                cbor::put_uint(out, u64::from(classification.code()));
                cbor::put_text(out, &error_kind.to_string());
                declared_hash.encode(out);
            }
            EntryStatus::Genesis | EntryStatus::Artifact | EntryStatus::System => {
                for _ in 0..3 {
                    cbor::put_null(out);
                }
            }
        }
    }

    /// The leaf hash of this header.
    #[must_use]
    pub fn leaf_hash(&self) -> LeafHash {
        LeafHash::of_header(&self.encode())
    }

    /// Reads a header back; whatever it accepts encodes to the same bytes again.
    ///
    /// # Errors
    /// [`HeaderError`] for anything but the one encoding of a header of this format.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.len() > MAX_HEADER_BYTES {
            return Err(HeaderError::TooLong(bytes.len()));
        }
        let mut decoder = Decoder::new(bytes);
        let fields = decoder.array("the header")?;
        let version = decoder.uint("format version")?;
        let format = u32::try_from(version).ok().filter(|format| *format <= FORMAT_VERSION);
        let format = format.ok_or(HeaderError::NewerFormat(version))?;
        if fields != FIELDS {
            return Err(HeaderError::FieldCount(fields));
        }
        let seq = Seq::new(decoder.uint("seq")?);
        let previous_leaf =
            decoder.nullable(|d| d.exact_bytes("previous leaf hash"))?.map(LeafHash::from_bytes);
        let kind_code = decoder.uint("kind")?;
        let kind = EntryKind::from_code(kind_code).ok_or(HeaderError::UnknownKind(kind_code))?;
        let trace = decode_trace(&mut decoder)?;
        let envelope_hash = EnvelopeHash::from_bytes(decoder.exact_bytes("envelope hash")?);
        let status = decode_status(&mut decoder, kind)?;
        let recorded_at_ms = decoder.uint("recorded at")?;
        if !decoder.is_at_end() {
            return Err(HeaderError::TrailingBytes);
        }
        let is_first = seq == Seq::GENESIS;
        if is_first != previous_leaf.is_none() || is_first != (kind == EntryKind::Genesis) {
            return Err(HeaderError::PreviousLeaf);
        }
        let may_have_none = !matches!(kind, EntryKind::Accepted | EntryKind::Rejected);
        let fits = match &trace {
            None => may_have_none,
            Some(link) => !is_first && link.previous.is_none_or(|previous| previous < seq),
        };
        if !fits {
            return Err(HeaderError::TraceLink);
        }
        Ok(EntryHeader { format, seq, previous_leaf, trace, envelope_hash, status, recorded_at_ms })
    }
}

fn decode_trace(decoder: &mut Decoder<'_>) -> Result<Option<TraceLink>, HeaderError> {
    let trace_id = decoder.nullable(|d| d.exact_bytes("trace id"))?;
    let previous = decoder.nullable(|d| d.uint("the trace's previous entry"))?.map(Seq::new);
    let count = decoder.uint("the trace's count")?;
    match trace_id {
        None if previous.is_none() && count == 0 => Ok(None),
        None => Err(HeaderError::TraceLink),
        Some(bytes) => {
            let trace_id = TraceId::from_bytes(bytes).map_err(|_| HeaderError::TraceLink)?;
            if count == 0 || (count == 1) != previous.is_none() {
                return Err(HeaderError::TraceLink);
            }
            Ok(Some(TraceLink { trace_id, previous, count }))
        }
    }
}

fn decode_status(decoder: &mut Decoder<'_>, kind: EntryKind) -> Result<EntryStatus, HeaderError> {
    let classification = decoder.nullable(|d| d.uint("classification"))?;
    let error_kind = decoder.nullable(|d| d.text("error kind"))?;
    let declared_hash = DeclaredHash::decode(decoder)?;
    if kind == EntryKind::Rejected {
        let classification = classification
            .and_then(|code| u8::try_from(code).ok())
            .and_then(Classification::from_code)
            .filter(|class| class.is_kept())
            .ok_or(HeaderError::Classification)?;
        let error_kind: ErrorKind =
            error_kind.and_then(|text| text.parse().ok()).ok_or(HeaderError::ErrorKind)?;
        if error_kind.classification() != classification {
            return Err(HeaderError::ErrorKind);
        }
        return Ok(EntryStatus::Rejected { classification, error_kind, declared_hash });
    }
    if error_kind.is_some() {
        return Err(HeaderError::ErrorKind);
    }
    if declared_hash != DeclaredHash::Absent {
        return Err(HeaderError::DeclaredHash);
    }
    let expected = (kind == EntryKind::Accepted).then(|| u64::from(Classification::Accept.code()));
    if classification != expected {
        return Err(HeaderError::Classification);
    }
    Ok(match kind {
        EntryKind::Genesis => EntryStatus::Genesis,
        EntryKind::Accepted | EntryKind::Rejected => EntryStatus::Accepted,
        EntryKind::Artifact => EntryStatus::Artifact,
        EntryKind::System => EntryStatus::System,
    })
}
