//! Certification (INV-INT-002): bytes are certified as an envelope under its key, or not at
//! all. There is no function that certifies content, and no way to make a certificate by hand.

use proofline_canon::Limits;

use crate::ids::{EnvelopeHash, TraceId};
use crate::record::RecordType;
use crate::rejection::Rejection;
use crate::seal::{SealedEnvelope, read_envelope};

/// Proof that some bytes were found valid, canonical and complete under one key.
///
/// Its fields are private and [`certify`] is its only source:
///
/// ```compile_fail,E0451
/// # fn forge(sealed: proofline_trace::SealedEnvelope) -> proofline_trace::Certificate {
/// proofline_trace::Certificate { sealed }
/// # }
/// ```
///
/// Content alone, parsed or not, is not enough; a key must be given, and it is the key of an envelope:
///
/// ```compile_fail,E0308
/// # fn certify_content(content: &proofline_canon::Value, key: &proofline_trace::EnvelopeHash) {
/// let _ = proofline_trace::certify(content, key);
/// # }
/// ```
///
/// ```compile_fail,E0061
/// # fn certify_content(content: &[u8]) {
/// let _ = proofline_trace::certify(content);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    sealed: SealedEnvelope,
}

impl Certificate {
    /// The certified envelope.
    #[must_use]
    pub const fn envelope(&self) -> &SealedEnvelope {
        &self.sealed
    }

    /// The key it was certified under.
    #[must_use]
    pub const fn hash(&self) -> EnvelopeHash {
        self.sealed.hash()
    }

    /// The trace it belongs to.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.sealed.envelope().trace_id()
    }

    /// The type it was certified as.
    #[must_use]
    pub const fn record_type(&self) -> RecordType {
        self.sealed.envelope().record_type()
    }
}

/// Why bytes were not certified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Uncertified {
    /// Not a valid envelope; a record without its trace is one of these (INV-INT-003).
    #[error("not a valid envelope: {0}")]
    Invalid(#[from] Rejection),
    /// A valid envelope, but not in its canonical bytes.
    #[error("a valid envelope, but its bytes leave the canonical form at byte {offset}")]
    NotCanonical {
        /// The first byte that differs from the canonical form.
        offset: usize,
    },
    /// Canonical bytes of another envelope.
    #[error("the bytes hash to {computed}, not to {key}")]
    HashMismatch {
        /// The key asked for.
        key: EnvelopeHash,
        /// The key of these bytes.
        computed: EnvelopeHash,
    },
}

impl Uncertified {
    /// A stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "certify.invalid",
            Self::NotCanonical { .. } => "certify.not_canonical",
            Self::HashMismatch { .. } => "certify.hash_mismatch",
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Invalid(_) => {
                "only an envelope can be certified; content is named by one, in a blob reference"
            }
            Self::NotCanonical { .. } => "write the envelope in its canonical form (RFC 8785) and ask again",
            Self::HashMismatch { .. } => {
                "look for the bytes of this key elsewhere; these are another record's"
            }
        }
    }
}

/// Answers whether these bytes are a valid, canonical and complete envelope under this key.
///
/// # Errors
/// The first of: not a valid envelope, not canonical, another key.
pub fn certify(bytes: &[u8], key: &EnvelopeHash) -> Result<Certificate, Uncertified> {
    let sealed = read_envelope(bytes, &Limits::ENVELOPE)?;
    if let Some(offset) = first_difference(bytes, sealed.canonical()) {
        return Err(Uncertified::NotCanonical { offset });
    }
    if sealed.hash() != *key {
        return Err(Uncertified::HashMismatch { key: *key, computed: sealed.hash() });
    }
    Ok(Certificate { sealed })
}

/// The first index at which the two differ, the end of the shorter one included.
fn first_difference(left: &[u8], right: &[u8]) -> Option<usize> {
    if left == right {
        return None;
    }
    let shared = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    Some(shared)
}
