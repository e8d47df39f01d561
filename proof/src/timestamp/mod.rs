//! Timestamps of an authority (RFC 3161) over the text of a checkpoint. A token travels in the note as
//! one more signature line of private type `ff`, which other readers ignore:
//!
//! ```text
//! — NAME BASE64(id || token, DER)
//! id = SHA-256(NAME || 0A || ff || "proofline/rfc3161-timestamp" || 00), 4 bytes
//! ```
//!
//! What is read here is what the token says. **The authority's own signature is not verified**: that
//! takes its certificate and a judgement about it, and `openssl ts -verify` does it.

mod der;

use proofline_canon::{Sha256Digest, hex};
use proofline_trace::Timestamp;
use thiserror::Error;

use self::der::{BOOLEAN, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, SET, context};
use crate::key::{KeyId, KeyName};
use crate::note::{Note, NoteError, NoteSignature};

/// What stands in front of a token's key in the hash that gives its line an id.
const TYPE_BYTES: &[u8] = b"\xffproofline/rfc3161-timestamp\0";

/// id-signedData, 1.2.840.113549.1.7.2 (RFC 5652 §5.1).
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// id-ct-TSTInfo, 1.2.840.113549.1.9.16.1.4 (RFC 3161 §2.4.2).
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
/// id-sha256, 2.16.840.1.101.3.4.2.1.
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// NULL, the parameters that some write behind a hash's identifier.
const NULL: u8 = 0x05;
/// The largest serial number, in bytes (RFC 3161 §2.4.2: 160 bits), and one for the sign.
const MAX_SERIAL_BYTES: usize = 21;

/// Why bytes are no timestamp of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TsaError {
    /// Not the DER of a TimeStampToken or a TimeStampResp.
    #[error("the timestamp is no DER of an RFC 3161 token or response")]
    Form,
    /// A response without a token.
    #[error("the authority refused: its response has status {0}")]
    Refused(u8),
    /// Another hash than SHA-256.
    #[error("the timestamp is of a hash other than SHA-256")]
    Hash,
    /// A time that is none.
    #[error("the timestamp's time is no date and time in UTC")]
    Time,
    /// A timestamp of something else.
    #[error("the timestamp is of another text")]
    Imprint,
    /// The note has no room for it.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl TsaError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            TsaError::Form => "tsa.form",
            TsaError::Refused(_) => "tsa.refused",
            TsaError::Hash => "tsa.hash",
            TsaError::Time => "tsa.time",
            TsaError::Imprint => "tsa.imprint",
            TsaError::Note(error) => error.code(),
        }
    }
}

/// What a timestamp token says. Nobody has verified that an authority says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampToken {
    imprint: Sha256Digest,
    time: Timestamp,
    serial: String,
    policy: String,
    der: Vec<u8>,
}

impl TimestampToken {
    /// Reads a TimeStampToken, or takes the one out of a TimeStampResp.
    ///
    /// # Errors
    /// [`TsaError`], but none of [`TsaError::Imprint`] and [`TsaError::Note`].
    pub fn parse(der: &[u8]) -> Result<Self, TsaError> {
        let token = token_of(der)?;
        let info = tst_info_of(token).ok_or(TsaError::Form)?;
        let (hash, imprint, serial, policy, time) = read_tst_info(info).ok_or(TsaError::Form)?;
        if hash != SHA256 {
            return Err(TsaError::Hash);
        }
        let imprint = imprint.try_into().map_err(|_| TsaError::Form)?;
        Ok(TimestampToken {
            imprint: Sha256Digest::from_bytes(imprint),
            time: read_time(time).ok_or(TsaError::Time)?,
            serial: hex(serial),
            policy: der::dotted(policy).ok_or(TsaError::Form)?,
            der: token.to_vec(),
        })
    }

    /// Checks that the token is of this text.
    ///
    /// # Errors
    /// [`TsaError::Imprint`].
    pub fn check(&self, text: &str) -> Result<(), TsaError> {
        let is_of_text = self.imprint == Sha256Digest::of(text.as_bytes());
        if is_of_text { Ok(()) } else { Err(TsaError::Imprint) }
    }

    /// The hash of what was stamped.
    #[must_use]
    pub const fn imprint(&self) -> &Sha256Digest {
        &self.imprint
    }

    /// When the authority says to have seen it, cut to milliseconds.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        self.time
    }

    /// The token's serial number, as hex digits.
    #[must_use]
    pub fn serial_hex(&self) -> &str {
        &self.serial
    }

    /// The authority's policy, as dotted numbers.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The token itself, for programs that verify it.
    #[must_use]
    pub fn to_der(&self) -> &[u8] {
        &self.der
    }
}

/// A token in a note, and the name of its authority there: a name that whoever attached it chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteTimestamp {
    /// The authority's name in the note.
    pub authority: String,
    /// The token, which is of the note's text.
    pub token: TimestampToken,
}

impl NoteTimestamp {
    /// The timestamp in this line; nothing when the line is of another kind.
    ///
    /// # Errors
    /// [`TsaError`]: a line that says to be a timestamp and is none of this text.
    pub fn of_line(line: &NoteSignature, text: &str) -> Result<Option<Self>, TsaError> {
        if line.id() != line_id(line.name()) {
            return Ok(None);
        }
        let token = TimestampToken::parse(line.bytes())?;
        token.check(text)?;
        // A line holds a token, not a response around it.
        if token.to_der() != line.bytes() {
            return Err(TsaError::Form);
        }
        Ok(Some(NoteTimestamp { authority: line.name().to_owned(), token }))
    }
}

/// The id that a timestamp's line has under this name.
fn line_id(name: &str) -> KeyId {
    KeyId::of_parts(name, TYPE_BYTES, &[])
}

impl Note {
    /// The note with a timestamp of its text: an authority's response or token, in DER.
    ///
    /// # Errors
    /// [`TsaError`]: no such thing, a timestamp of something else, a note without room.
    pub fn with_timestamp(self, authority: &KeyName, der: &[u8]) -> Result<Self, TsaError> {
        let token = TimestampToken::parse(der)?;
        token.check(self.text())?;
        let name = authority.as_str();
        let line = NoteSignature::new(name, line_id(name), token.der).ok_or(TsaError::Form)?;
        Ok(self.with_signature(line)?)
    }
}

/// The token in these bytes, whole. A token begins with an identifier, a response with its status.
fn token_of(der: &[u8]) -> Result<&[u8], TsaError> {
    let mut outer = Reader::new(der);
    let mut inner = outer.enter(SEQUENCE).filter(|_| outer.is_at_end()).ok_or(TsaError::Form)?;
    if inner.peek() == Some(OID) {
        return Ok(der);
    }
    let status = inner.enter(SEQUENCE).and_then(|mut info| info.take(INTEGER)).ok_or(TsaError::Form)?;
    match status {
        // granted, and granted with changes (RFC 3161 §2.4.2).
        [0 | 1] => {}
        [status] => return Err(TsaError::Refused(*status)),
        _ => return Err(TsaError::Form),
    }
    let (token, _) = inner.take_whole(SEQUENCE).filter(|_| inner.is_at_end()).ok_or(TsaError::Form)?;
    Ok(token)
}

/// The bytes of the TSTInfo in a token: ContentInfo, SignedData, EncapsulatedContentInfo (RFC 5652).
fn tst_info_of(token: &[u8]) -> Option<&[u8]> {
    let mut content_info = Reader::new(token).enter(SEQUENCE)?;
    let is_signed_data = content_info.take(OID)? == SIGNED_DATA;
    let mut explicit = content_info.enter(context(0))?;
    content_info.end()?;
    let mut signed_data = explicit.enter(SEQUENCE)?;
    explicit.end()?;
    signed_data.take(INTEGER)?;
    signed_data.take(SET)?;
    let mut encapsulated = signed_data.enter(SEQUENCE)?;
    signed_data.skip_optional(context(0))?;
    signed_data.skip_optional(context(1))?;
    // One signature, the authority's (RFC 3161 §2.4.2).
    let mut signers = signed_data.enter(SET)?;
    signers.take(SEQUENCE)?;
    signers.end()?;
    signed_data.end()?;
    let is_tst_info = encapsulated.take(OID)? == TST_INFO;
    let mut explicit = encapsulated.enter(context(0))?;
    encapsulated.end()?;
    let info = explicit.take(OCTET_STRING)?;
    explicit.end()?;
    (is_signed_data && is_tst_info).then_some(info)
}

/// Hash algorithm, imprint, serial number, policy and time, each as its bytes.
type TstInfo<'a> = (&'a [u8], &'a [u8], &'a [u8], &'a [u8], &'a [u8]);

fn read_tst_info(info: &[u8]) -> Option<TstInfo<'_>> {
    let mut outer = Reader::new(info);
    let mut info = outer.enter(SEQUENCE)?;
    outer.end()?;
    if info.take(INTEGER)? != [1] {
        return None;
    }
    let policy = info.take(OID)?;
    let (hash, imprint) = read_imprint(info.enter(SEQUENCE)?)?;
    let serial = info.take(INTEGER).filter(|serial| serial.len() <= MAX_SERIAL_BYTES)?;
    let time = info.take(GENERALIZED_TIME)?;
    // accuracy, ordering, nonce, tsa, extensions
    for tag in [SEQUENCE, BOOLEAN, INTEGER, context(0), context(1)] {
        info.skip_optional(tag)?;
    }
    info.end()?;
    der::is_positive(serial).then_some((hash, imprint, serial, policy, time))
}

fn read_imprint(mut imprint: Reader<'_>) -> Option<(&[u8], &[u8])> {
    let mut algorithm = imprint.enter(SEQUENCE)?;
    let hash = algorithm.take(OID)?;
    algorithm.skip_optional(NULL)?;
    algorithm.end()?;
    let hashed = imprint.take(OCTET_STRING)?;
    imprint.end()?;
    Some((hash, hashed))
}

/// `YYYYMMDDhhmmss[.f...]Z` (RFC 3161 §2.4.2), cut to milliseconds.
fn read_time(time: &[u8]) -> Option<Timestamp> {
    let time = std::str::from_utf8(time).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = time.split_once('.').map_or((time, None), |(whole, part)| (whole, Some(part)));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !is_number(whole) || !fraction.is_none_or(is_number) {
        return None;
    }
    let part = |from: usize, to: usize| whole.get(from..to);
    let millis: String = fraction.unwrap_or_default().chars().chain("000".chars()).take(3).collect();
    let text = format!(
        "{}-{}-{}T{}:{}:{}.{millis}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    );
    Timestamp::parse_rfc3339(&text).ok()
}
