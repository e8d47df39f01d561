//! A signature over a sealed verdict: DSSE over the seal's hash, with a type of its own, so that it is never
//! taken for one over an envelope.

use proofline_trace::EnvelopeHash;

use crate::files::dsse::{DsseEnvelope, DsseError};
use crate::key::KeyRole;
use crate::signer::Signer;

/// The payload: the 64 lower-case hex digits of the seal's SHA-256, and nothing else.
pub const VERDICT_SEAL_TYPE: &str = "application/vnd.proofline.verdict-seal-sha256";

/// Signs a seal's hash with a producer's key.
///
/// # Errors
/// [`DsseError::Sign`].
pub fn sign_seal(hash: &EnvelopeHash, signer: &dyn Signer) -> Result<DsseEnvelope, DsseError> {
    DsseEnvelope::sign(VERDICT_SEAL_TYPE, hash.to_string().into_bytes(), KeyRole::Producer, signer)
}
