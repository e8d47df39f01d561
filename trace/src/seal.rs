//! A record together with its canonical bytes and its hash, computed once and never apart.

use std::borrow::Cow;

use proofline_canon::{Limits, ParseError, ParseErrorKind, Pointer, Profile, Value, parse};

use crate::canonical;
use crate::ids::EnvelopeHash;
use crate::phrase;
use crate::record::Envelope;
use crate::rejection::{ErrorKind, Rejection, SchemaFault, Violation};
use crate::validate::validate;

/// A valid record, its canonical bytes and their SHA-256.
///
/// Made only by [`Envelope::seal`], [`seal_value`], [`read_envelope`] and of an [`Unhashed`], so the three always
/// belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEnvelope {
    envelope: Envelope,
    canonical: Vec<u8>,
    hash: EnvelopeHash,
}

impl SealedEnvelope {
    /// The record.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Its canonical bytes (RFC 8785).
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// Its artifact key: SHA-256 of the canonical bytes.
    #[must_use]
    pub const fn hash(&self) -> EnvelopeHash {
        self.hash
    }

    /// Record, canonical bytes and hash, to own.
    #[must_use]
    pub fn into_parts(self) -> (Envelope, Vec<u8>, EnvelopeHash) {
        (self.envelope, self.canonical, self.hash)
    }
}

/// A valid record and its canonical bytes, before anyone hashed them: many can be hashed at once ([`seal_each`]).
///
/// Made only by [`read_unhashed`] and [`Envelope::unhashed`], so the two always belong together; nobody names the hash:
///
/// ```compile_fail,E0451
/// # fn forge(envelope: proofline_trace::Envelope) -> proofline_trace::Unhashed<'static> {
/// proofline_trace::Unhashed { envelope, canonical: b"{}".into() }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unhashed<'a> {
    envelope: Envelope,
    /// Borrowed where the bytes that were read are the canonical ones.
    canonical: Cow<'a, [u8]>,
}

impl Unhashed<'_> {
    /// The record.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Its canonical bytes (RFC 8785).
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// Whether the bytes that it was read from are the canonical ones.
    #[must_use]
    pub const fn is_as_read(&self) -> bool {
        matches!(self.canonical, Cow::Borrowed(_))
    }

    /// Computes the hash.
    #[must_use]
    pub fn seal(self) -> SealedEnvelope {
        let hash = EnvelopeHash::of(&self.canonical);
        self.seal_with(hash)
    }

    /// The record alone.
    #[must_use]
    pub fn into_envelope(self) -> Envelope {
        self.envelope
    }

    fn seal_with(self, hash: EnvelopeHash) -> SealedEnvelope {
        SealedEnvelope { envelope: self.envelope, canonical: self.canonical.into_owned(), hash }
    }
}

/// Computes the hashes of all of these, many at once, in order. Equal to [`Unhashed::seal`] of each.
#[must_use]
pub fn seal_each(records: Vec<Unhashed<'_>>) -> Vec<SealedEnvelope> {
    let canonical: Vec<&[u8]> = records.iter().map(Unhashed::canonical).collect();
    let hashes = EnvelopeHash::of_each(&canonical);
    records.into_iter().zip(hashes).map(|(record, hash)| record.seal_with(hash)).collect()
}

impl Envelope {
    /// Computes canonical bytes and hash.
    #[must_use]
    pub fn seal(self) -> SealedEnvelope {
        self.unhashed().seal()
    }

    /// Computes canonical bytes.
    #[must_use]
    pub fn unhashed(self) -> Unhashed<'static> {
        let canonical = Cow::Owned(canonical::write(&self));
        Unhashed { envelope: self, canonical }
    }
}

/// Validates a value and computes its canonical bytes and hash.
///
/// # Errors
/// The first violation, as of [`validate`].
pub fn seal_value(value: &Value) -> Result<SealedEnvelope, Violation> {
    validate(value).map(Envelope::seal)
}

/// Reads bytes as one envelope: strict JSON, schema, canonical bytes, hash.
///
/// The bytes need not be canonical; what is sealed is their canonical form.
///
/// # Errors
/// `SCHEMA_REJECT`: `schema_violation.duplicate_member` or `.malformed_json` where the bytes are no strict JSON
/// value within `limits`, else the first violation of the schema.
pub fn read_envelope(bytes: &[u8], limits: &Limits) -> Result<SealedEnvelope, Rejection> {
    read_unhashed(bytes, limits).map(Unhashed::seal)
}

/// [`read_envelope`] up to the hash. Canonical bytes are borrowed, and read in one pass.
///
/// # Errors
/// As [`read_envelope`].
pub fn read_unhashed<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Unhashed<'a>, Rejection> {
    try_canonical(bytes, limits).map_or_else(|| read_any(bytes, limits), Ok)
}

/// The one pass of [`read_unhashed`], for those who have another way for all that it does not answer: bytes that are
/// not canonical, and rare spellings that may be (an escape in an issuer).
#[must_use]
pub fn try_canonical<'a>(bytes: &'a [u8], limits: &Limits) -> Option<Unhashed<'a>> {
    let envelope = canonical::read(bytes, limits)?;
    Some(Unhashed { envelope, canonical: Cow::Borrowed(bytes) })
}

/// The way by a [`Value`], which takes all bytes and names the first fault.
fn read_any<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Unhashed<'a>, Rejection> {
    let value = parse(bytes, limits).map_err(|error| malformed(&error))?;
    let envelope = validate(&value)?;
    let canonical = canonical_bytes(&value);
    let canonical = if canonical == bytes { Cow::Borrowed(bytes) } else { Cow::Owned(canonical) };
    Ok(Unhashed { envelope, canonical })
}

/// The envelope in bytes that are its canonical ones; `None` for all others, whatever is wrong with them.
///
/// [`read_envelope`] tells what that is.
#[must_use]
pub fn read_canonical(bytes: &[u8], limits: &Limits) -> Option<Envelope> {
    let read = read_unhashed(bytes, limits).ok()?;
    read.is_as_read().then(|| read.into_envelope())
}

/// The refusal of bytes that are not one strict JSON value; such an attempt is never kept.
///
/// A parser knows an offset and no place in a document, so the pointer is the root and the sentence has the offset.
#[must_use]
pub fn malformed(error: &ParseError) -> Rejection {
    let (fault, message) = match &error.kind {
        ParseErrorKind::DuplicateMember { name } => {
            let message = format!(
                "the member name {} appears a second time in one object, at byte {}",
                phrase::quoted(name),
                error.offset
            );
            (SchemaFault::DuplicateMember, message)
        }
        _ => (SchemaFault::MalformedJson, format!("the bytes are not one strict JSON value: {error}")),
    };
    Rejection::new(ErrorKind::SchemaViolation(fault), Pointer::root(), message)
}

/// Canonical bytes of a document that passed its schema or was written by this crate.
pub(crate) fn canonical_bytes(value: &Value) -> Vec<u8> {
    #[expect(
        clippy::expect_used,
        reason = "writing fails on non-integers only; every schema here forbids them"
    )]
    value.to_canonical(Profile::Envelope).expect("a valid document holds safe integers only")
}
