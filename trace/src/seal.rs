//! A record together with its canonical bytes and its hash, computed once and never apart.

use proofline_canon::{Limits, ParseError, ParseErrorKind, Pointer, Profile, Value, parse};

use crate::ids::EnvelopeHash;
use crate::phrase;
use crate::record::Envelope;
use crate::rejection::{ErrorKind, Rejection, SchemaFault, Violation};
use crate::validate::validate;

/// A valid record, its canonical bytes and their SHA-256.
///
/// Made only by [`Envelope::seal`], [`seal_value`] and [`read_envelope`], so the three always belong together.
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

    fn new(envelope: Envelope, value: &Value) -> Self {
        let canonical = canonical_bytes(value);
        let hash = EnvelopeHash::of(&canonical);
        Self { envelope, canonical, hash }
    }
}

impl Envelope {
    /// Computes canonical bytes and hash.
    #[must_use]
    pub fn seal(self) -> SealedEnvelope {
        let value = self.to_value();
        SealedEnvelope::new(self, &value)
    }
}

/// Validates a value and computes its canonical bytes and hash.
///
/// # Errors
/// The first violation, as of [`validate`].
pub fn seal_value(value: &Value) -> Result<SealedEnvelope, Violation> {
    validate(value).map(|envelope| SealedEnvelope::new(envelope, value))
}

/// Reads bytes as one envelope: strict JSON, schema, canonical bytes, hash.
///
/// The bytes need not be canonical; what is sealed is their canonical form.
///
/// # Errors
/// `SCHEMA_REJECT`: `schema_violation.duplicate_member` or `.malformed_json` where the bytes are no strict JSON
/// value within `limits`, else the first violation of the schema.
pub fn read_envelope(bytes: &[u8], limits: &Limits) -> Result<SealedEnvelope, Rejection> {
    let value = parse(bytes, limits).map_err(|error| malformed(&error))?;
    Ok(seal_value(&value)?)
}

/// The envelope in bytes that are its canonical ones; `None` for all others, whatever is wrong with them.
///
/// [`read_envelope`] tells what that is.
#[must_use]
pub fn read_canonical(bytes: &[u8], limits: &Limits) -> Option<Envelope> {
    let sealed = read_envelope(bytes, limits).ok()?;
    (sealed.canonical() == bytes).then(|| sealed.into_parts().0)
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
