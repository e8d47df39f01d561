//! What stays of a segment that was archived: `NNNNNNNNNNNNNNNNNNNN.arc` in place of its `.seg`. It has
//! all entry headers, byte for byte, the bodies of the genesis entry and of system entries, and of each
//! accepted record what the gate asks about it. All other bodies are away.
//!
//! For `n` entries; integers are little-endian:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `PROOFARC` |
//! | 8 | 4 | format version, 0 |
//! | 12 | 4 | n |
//! | 16 | 8 | bytes of this file |
//! | 24 | 8 | bytes of the segment file |
//! | 32 | 32 | SHA-256 of the segment file |
//! | 64 | 32 | leaf hash of the last entry |
//! | 96 | 8 | archived at, Unix milliseconds |
//! | 104 | 2 | p, at most 1,024 |
//! | 106 | 2 | reserved, zero |
//! | 108 | 80 | the segment's header |
//! | 188 | p | where the segment went: UTF-8, as whoever archived it wrote it |
//! | 188 + p | 4 | CRC-32C of the bytes before |
//! | 192 + p | … | n records |
//! | | 8 n | offset of each frame in the segment file (4), of each record in this file (4) |
//! | | 32 | BLAKE3 of all bytes before |
//!
//! A record is the front of a frame up to and with its header checksum, unchanged, and behind it
//!
//! | bytes | field |
//! |---|---|
//! | 1 | what is kept: 0 nothing, 1 the body, 2 an auth_context, 3 a policy_decision that allows, 4 one that does not, 5 a call |
//! | | of 1 the body, of 3 and 4 the 32 bytes of the auth_context that the decision rests on |
//! | 4 | CRC-32C of the two before |

use std::io;
use std::sync::Arc;

use proofline_canon::Blake3Digest;
use proofline_proof::header::{EntryHeader, EntryKind};
use proofline_proof::{LeafHash, Seq};
use proofline_trace::EnvelopeHash;
use thiserror::Error;

use crate::disk::DiskFile;
use crate::durable::read_full_at;
use crate::frame::{FrameFault, FrameLengths, HEAD_BYTES, LENGTHS_BYTES, MAX_BODY_BYTES, decode_head};
use crate::gate::{Facts, Standing};
use crate::index::has_right_checksum;
use crate::segment::{FrameCursor, SEGMENT_HEADER_BYTES, SegmentFault, SegmentHeader};
use crate::snapshot::envelope_of;

const MAGIC: &[u8; 8] = b"PROOFARC";
const VERSION: u32 = 1;
const SEGMENT_AT: usize = 108;
const FRONT_BYTES: usize = SEGMENT_AT + SEGMENT_HEADER_BYTES;
const CRC_BYTES: usize = 4;
const PLACE_ENTRY_BYTES: u64 = 8;
const DIGEST_BYTES: u64 = 32;

/// The longest text that says where a segment went, in bytes.
pub const MAX_PLACE_BYTES: usize = 1024;

const NAME_END: &str = ".arc";

/// The file name of what stays of an archived segment.
#[must_use]
pub fn stub_name(first_seq: Seq) -> String {
    format!("{:020}{NAME_END}", first_seq.get())
}

/// The first entry of the archived segment with this file name, if it is one's.
#[must_use]
pub fn parse_stub_name(name: &str) -> Option<Seq> {
    let digits = name.strip_suffix(NAME_END)?;
    let well_formed = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| digits.parse().ok().map(Seq::new)).flatten()
}

/// Why bytes are not what stays of an archived segment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StubFault {
    /// The file ends too early, or goes on too long.
    #[error("the file is {found} bytes long and says that it has {expected}")]
    Length {
        /// What it says.
        expected: u64,
        /// Its length.
        found: u64,
    },
    /// Another kind of file.
    #[error("the file does not begin as what stays of an archived segment does")]
    Magic,
    /// A later format.
    #[error("the file is of format version {0}; this program reads up to version 1")]
    NewerFormat(u32),
    /// A changed byte.
    #[error("the checksum of its front is {expected:08x} but its bytes give {found:08x}")]
    Checksum {
        /// The stored checksum.
        expected: u32,
        /// The checksum of the bytes there.
        found: u32,
    },
    /// Fields that contradict each other.
    #[error("the fields of its front contradict each other")]
    Form,
    /// The segment's header in it is none.
    #[error("{0}")]
    Segment(SegmentFault),
}

impl StubFault {
    /// The stable code of this fault.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            StubFault::NewerFormat(_) | StubFault::Segment(SegmentFault::NewerFormat(_)) => {
                "archive.newer_format"
            }
            StubFault::Length { .. } => "archive.stub_length",
            StubFault::Magic | StubFault::Form | StubFault::Segment(_) => "archive.stub_form",
            StubFault::Checksum { .. } => "archive.stub_checksum",
        }
    }

    /// True for a file that a later program wrote.
    pub(crate) const fn is_newer(&self) -> bool {
        matches!(self, StubFault::NewerFormat(_) | StubFault::Segment(SegmentFault::NewerFormat(_)))
    }
}

/// What the front of a stub says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StubHead {
    pub(crate) segment: SegmentHeader,
    pub(crate) entries: u32,
    pub(crate) segment_bytes: u64,
    pub(crate) segment_sha256: [u8; 32],
    /// Leaf hash of the last entry.
    pub(crate) head: LeafHash,
    pub(crate) archived_at_ms: u64,
    /// Where the segment went, in the words of whoever archived it.
    pub(crate) place: String,
}

impl StubHead {
    fn encode(&self, file_bytes: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(FRONT_BYTES + self.place.len() + CRC_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.entries.to_le_bytes());
        out.extend_from_slice(&file_bytes.to_le_bytes());
        out.extend_from_slice(&self.segment_bytes.to_le_bytes());
        out.extend_from_slice(&self.segment_sha256);
        out.extend_from_slice(self.head.as_bytes());
        out.extend_from_slice(&self.archived_at_ms.to_le_bytes());
        let place_bytes = u16::try_from(self.place.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&place_bytes.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.segment.encode());
        out.extend_from_slice(self.place.as_bytes());
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out
    }

    fn records_at(&self) -> u64 {
        (FRONT_BYTES + self.place.len() + CRC_BYTES) as u64
    }

    /// Reads the front of a file of this length.
    fn decode(bytes: &[u8], file_bytes: u64) -> Result<Self, StubFault> {
        let part = |from: usize, to: usize| bytes.get(from..to).unwrap_or_default();
        let u16_at = |at: usize| u16::from_le_bytes(part(at, at + 2).try_into().unwrap_or_default());
        let u32_at = |at: usize| u32::from_le_bytes(part(at, at + 4).try_into().unwrap_or_default());
        let u64_at = |at: usize| u64::from_le_bytes(part(at, at + 8).try_into().unwrap_or_default());
        if part(0, 8) != MAGIC {
            return Err(StubFault::Magic);
        }
        if u32_at(8) > VERSION {
            return Err(StubFault::NewerFormat(u32_at(8)));
        }
        let place_bytes = usize::from(u16_at(104));
        let crc_at = FRONT_BYTES + place_bytes;
        if bytes.len() < crc_at + CRC_BYTES {
            let expected = (crc_at + CRC_BYTES) as u64;
            return Err(StubFault::Length { expected, found: file_bytes });
        }
        let (expected, found) = (u32_at(crc_at), crc32c::crc32c(part(0, crc_at)));
        if expected != found {
            return Err(StubFault::Checksum { expected, found });
        }
        if u64_at(16) != file_bytes {
            return Err(StubFault::Length { expected: u64_at(16), found: file_bytes });
        }
        let segment = SegmentHeader::decode(part(SEGMENT_AT, FRONT_BYTES)).map_err(StubFault::Segment)?;
        let place = String::from_utf8(part(FRONT_BYTES, crc_at).to_vec()).map_err(|_| StubFault::Form)?;
        let head = StubHead {
            segment,
            entries: u32_at(12),
            segment_bytes: u64_at(24),
            segment_sha256: part(32, 64).try_into().unwrap_or_default(),
            head: LeafHash::from_bytes(part(64, 96).try_into().unwrap_or_default()),
            archived_at_ms: u64_at(96),
            place,
        };
        let behind = PLACE_ENTRY_BYTES * u64::from(head.entries) + DIGEST_BYTES;
        let has_room = head.records_at().saturating_add(behind) <= file_bytes;
        let is_sound = has_room && head.entries > 0 && place_bytes <= MAX_PLACE_BYTES && u16_at(106) == 0;
        if is_sound { Ok(head) } else { Err(StubFault::Form) }
    }
}

/// What is kept of an entry beside its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Nothing,
    Body(Vec<u8>),
    Standing(Standing),
}

impl Kept {
    /// What has to be kept of an entry with this header and body; `None` for an accepted entry whose
    /// body is no envelope, which is not archived.
    pub(crate) fn of(header: &EntryHeader, body: &[u8]) -> Option<Kept> {
        Some(match header.status.kind() {
            EntryKind::Genesis | EntryKind::System => Kept::Body(body.to_vec()),
            EntryKind::Accepted => {
                let envelope = envelope_of(body)?;
                Kept::Standing(Facts::of(&envelope, header.seq).standing)
            }
            _ => Kept::Nothing,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let code = |code: u8, rest: &[u8]| [&[code], rest].concat();
        let mut out = match self {
            Kept::Nothing => code(0, &[]),
            Kept::Body(body) => code(1, body),
            Kept::Standing(Standing::AuthContext) => code(2, &[]),
            Kept::Standing(Standing::PolicyDecision { auth_context, allows: true }) => {
                code(3, auth_context.as_bytes())
            }
            Kept::Standing(Standing::PolicyDecision { auth_context, allows: false }) => {
                code(4, auth_context.as_bytes())
            }
            Kept::Standing(Standing::Call) => code(5, &[]),
        };
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out
    }

    /// Bytes of the encoding that begins with this code, checksum included.
    const fn encoded_bytes(code: u8, body_bytes: usize) -> Option<usize> {
        let rest = match code {
            0 | 2 | 5 => 0,
            1 => body_bytes,
            3 | 4 => 32,
            _ => return None,
        };
        Some(1 + rest + CRC_BYTES)
    }

    fn decode(bytes: &[u8]) -> Result<Kept, FrameFault> {
        let truncated = || FrameFault::Truncated { missing_bytes: CRC_BYTES as u64 };
        let (covered, stored) = bytes.split_last_chunk::<CRC_BYTES>().ok_or_else(truncated)?;
        let (expected, found) = (u32::from_le_bytes(*stored), crc32c::crc32c(covered));
        if expected != found {
            return Err(FrameFault::BodyChecksum { expected, found });
        }
        let (code, rest) = covered.split_first().ok_or_else(truncated)?;
        let decision = |allows| {
            let hash = rest.try_into().map_err(|_| truncated())?;
            let auth_context = EnvelopeHash::from_bytes(hash);
            Ok(Kept::Standing(Standing::PolicyDecision { auth_context, allows }))
        };
        match code {
            1 => Ok(Kept::Body(rest.to_vec())),
            2 => Ok(Kept::Standing(Standing::AuthContext)),
            3 => decision(true),
            4 => decision(false),
            5 => Ok(Kept::Standing(Standing::Call)),
            _ => Ok(Kept::Nothing),
        }
    }
}

/// An entry as a stub has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) lengths: FrameLengths,
    pub(crate) header: EntryHeader,
    pub(crate) header_bytes: Vec<u8>,
    /// What is kept, or the fault of its checksum.
    pub(crate) kept: Result<Kept, FrameFault>,
    /// Bytes of the record.
    pub(crate) size_bytes: usize,
}

impl Record {
    /// Reads the record at the cursor, which stays where it is.
    pub(crate) fn read(cursor: &mut FrameCursor) -> io::Result<Result<Record, FrameFault>> {
        let (lengths, header, header_bytes) = match decode_head(cursor.bytes(HEAD_BYTES)?) {
            Ok((lengths, header, bytes)) => (lengths, header, bytes.to_vec()),
            Err(fault) => return Ok(Err(fault)),
        };
        let kept_at = LENGTHS_BYTES + lengths.header_bytes + CRC_BYTES;
        let truncated = |missing: usize| Ok(Err(FrameFault::Truncated { missing_bytes: missing as u64 }));
        let Some(code) = cursor.bytes(kept_at + 1)?.get(kept_at).copied() else { return truncated(1) };
        let Some(kept_bytes) = Kept::encoded_bytes(code, lengths.body_bytes) else {
            // Without its length nobody can step over it.
            return Ok(Err(FrameFault::Lengths {
                header_bytes: lengths.header_bytes,
                body_bytes: usize::from(code),
            }));
        };
        let size_bytes = kept_at + kept_bytes;
        let bytes = cursor.bytes(size_bytes)?;
        let Some(kept) = bytes.get(kept_at..size_bytes) else {
            return truncated(size_bytes.saturating_sub(bytes.len()));
        };
        let kept = Kept::decode(kept);
        Ok(Ok(Record { lengths, header, header_bytes, kept, size_bytes }))
    }

    /// The body, if it is kept.
    pub(crate) fn body(&self) -> Option<&[u8]> {
        match &self.kept {
            Ok(Kept::Body(body)) => Some(body),
            _ => None,
        }
    }
}

/// What stays of an archived segment, open for reading.
#[derive(Clone, Debug)]
pub(crate) struct Stub {
    pub(crate) head: StubHead,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) file_bytes: u64,
}

impl Stub {
    /// Opens a stub and checks its front. Records have checksums of their own; the digest over all is
    /// for [`Stub::has_right_digest`].
    pub(crate) fn read(file: Arc<dyn DiskFile>) -> io::Result<Result<Stub, StubFault>> {
        let file_bytes = file.len()?;
        let mut front = vec![0; FRONT_BYTES + MAX_PLACE_BYTES + CRC_BYTES];
        let count = read_full_at(&*file, &mut front, 0)?;
        let head = StubHead::decode(front.get(..count).unwrap_or_default(), file_bytes);
        Ok(head.map(|head| Stub { head, file, file_bytes }))
    }

    fn places_at(&self) -> u64 {
        self.file_bytes - DIGEST_BYTES - PLACE_ENTRY_BYTES * u64::from(self.head.entries)
    }

    /// Where an entry's frame lay in the segment file, and where its record lies in this one.
    pub(crate) fn place(&self, ordinal: u32) -> io::Result<Option<(u64, u64)>> {
        if ordinal >= self.head.entries {
            return Ok(None);
        }
        let mut bytes = [0; 8];
        let at = self.places_at() + PLACE_ENTRY_BYTES * u64::from(ordinal);
        if read_full_at(&*self.file, &mut bytes, at)? < bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let [a, b, c, d, e, f, g, h] = bytes;
        let (frame, record) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        Ok(Some((u64::from(frame), u64::from(record))))
    }

    /// A cursor over the records, before the first.
    pub(crate) fn records(&self) -> io::Result<FrameCursor> {
        FrameCursor::new(Arc::clone(&self.file), self.head.records_at(), self.places_at())
    }

    /// The record of an entry.
    pub(crate) fn record(&self, ordinal: u32) -> io::Result<Option<Result<Record, FrameFault>>> {
        let Some((_, at)) = self.place(ordinal)? else { return Ok(None) };
        let end = self.places_at().min(at.saturating_add((HEAD_BYTES + MAX_BODY_BYTES + 8) as u64));
        let mut cursor = FrameCursor::new(Arc::clone(&self.file), at, end)?.with_window(HEAD_BYTES);
        Record::read(&mut cursor).map(Some)
    }

    /// True when all bytes are those that the digest at the end was made over.
    pub(crate) fn has_right_digest(&self) -> io::Result<bool> {
        has_right_checksum(&*self.file, 0..self.file_bytes - DIGEST_BYTES)
    }
}

/// The front of a frame, header checksum included: what a record begins with.
fn front_of(header_bytes: &[u8], body_bytes: usize) -> Vec<u8> {
    let header_length = u16::try_from(header_bytes.len()).unwrap_or(u16::MAX).to_le_bytes();
    let body_length = u32::try_from(body_bytes).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = [&header_length[..], &body_length, header_bytes].concat();
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    out
}

/// Makes a stub from the entries of a segment, in order.
#[derive(Debug, Default)]
pub(crate) struct StubBuilder {
    records: Vec<u8>,
    places: Vec<(u32, u64)>,
}

impl StubBuilder {
    /// Takes in an entry whose frame lies at `frame_at`; false when an accepted record is no envelope.
    pub(crate) fn push(
        &mut self,
        frame_at: u32,
        header: &EntryHeader,
        header_bytes: &[u8],
        body: &[u8],
    ) -> bool {
        let Some(kept) = Kept::of(header, body) else { return false };
        self.places.push((frame_at, self.records.len() as u64));
        self.records.extend_from_slice(&front_of(header_bytes, body.len()));
        self.records.extend_from_slice(&kept.encode());
        true
    }

    pub(crate) fn entries(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    /// The bytes of the file; `None` when they are more than a place can name.
    pub(crate) fn finish(self, head: &StubHead) -> Option<Vec<u8>> {
        let before = head.records_at();
        let records_end = before + self.records.len() as u64;
        let file_bytes = records_end + PLACE_ENTRY_BYTES * self.places.len() as u64 + DIGEST_BYTES;
        u32::try_from(records_end).ok()?;
        let mut out = head.encode(file_bytes);
        out.extend_from_slice(&self.records);
        for (frame_at, record_at) in self.places {
            out.extend_from_slice(&frame_at.to_le_bytes());
            out.extend_from_slice(&u32::try_from(before + record_at).ok()?.to_le_bytes());
        }
        let digest = Blake3Digest::of(&out);
        out.extend_from_slice(digest.as_bytes());
        Some(out)
    }
}
