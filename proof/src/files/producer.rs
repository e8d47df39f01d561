//! A producer's signature over an envelope, beside the ledger: DSSE over the envelope's hash, which
//! says that this producer stands for these bytes, whether a ledger took them or not.

use std::num::NonZeroUsize;

use proofline_trace::EnvelopeHash;
use thiserror::Error;

use crate::files::dsse::{DsseEnvelope, DsseError};
use crate::key::{KeyRole, VerifierKey};
use crate::signer::Signer;

/// The payload: the 64 lower-hex digits of the envelope's SHA-256, and nothing else.
pub const ENVELOPE_HASH_TYPE: &str = "application/vnd.proofline.envelope-sha256";

/// Why a producer's signature is not accepted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProducerError {
    /// The envelope of the signature.
    #[error(transparent)]
    Dsse(#[from] DsseError),
    /// What was signed is no hash, or that of another envelope.
    #[error("the producer signed another envelope than {0}")]
    OtherEnvelope(EnvelopeHash),
}

impl ProducerError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            ProducerError::Dsse(error) => error.code(),
            ProducerError::OtherEnvelope(_) => "dsse.other_envelope",
        }
    }
}

/// Signs an envelope's hash with a producer's key.
///
/// # Errors
/// [`DsseError::Sign`].
pub fn sign_envelope(hash: &EnvelopeHash, signer: &dyn Signer) -> Result<DsseEnvelope, DsseError> {
    let payload = hash.to_string().into_bytes();
    DsseEnvelope::sign(ENVELOPE_HASH_TYPE, payload, KeyRole::Producer, signer)
}

/// Checks that a producer's key signed the envelope with this hash.
///
/// # Errors
/// [`ProducerError`].
pub fn verify_envelope(
    signature: &DsseEnvelope,
    key: &VerifierKey,
    hash: &EnvelopeHash,
) -> Result<(), ProducerError> {
    let keys = std::slice::from_ref(key);
    let verified = signature.verify(ENVELOPE_HASH_TYPE, KeyRole::Producer, keys, NonZeroUsize::MIN)?;
    let is_same = verified.payload == hash.to_string().as_bytes();
    if is_same { Ok(()) } else { Err(ProducerError::OtherEnvelope(*hash)) }
}
