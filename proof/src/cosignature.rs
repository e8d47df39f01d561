//! Cosignatures of checkpoints (C2SP tlog-cosignature): a witness says when it saw a log's head.
//!
//! | type | message | behind the key id |
//! |---|---|---|
//! | `04` Ed25519 | `cosignature/v1`, `time N`, a line each, then the note's text | u64 seconds, 64 bytes |
//! | `06` ML-DSA-44 | `subtree/v1\n\0`, name, seconds, origin, start, end, root | u64 seconds, 2,420 bytes |
//!
//! The second commits to no extension lines. Integers are big-endian; name and origin follow their
//! length in one byte.

use crate::checkpoint::Checkpoint;
use crate::key::{KeyName, KeyRole, VerifierKey};
use crate::note::{Note, NoteSignature, signature_line};
use crate::policy::VerifiedCheckpoint;
use crate::signer::{SignError, Signer, sign_checked};

/// The latest time of a cosignature, in Unix seconds.
pub const MAX_COSIGNATURE_TIME_S: u64 = (1 << 63) - 1;

/// The message of an Ed25519 cosignature over a checkpoint's text.
#[must_use]
pub fn ed25519_cosignature_message(text: &str, timestamp_s: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {timestamp_s}\n{text}").into_bytes()
}

/// The message of an ML-DSA-44 cosignature; `None` when the origin is longer than 255 bytes.
#[must_use]
pub fn ml_dsa_44_cosignature_message(
    cosigner: &KeyName,
    checkpoint: &Checkpoint,
    timestamp_s: u64,
) -> Option<Vec<u8>> {
    let mut message = b"subtree/v1\n\0".to_vec();
    put_short(&mut message, cosigner.as_str())?;
    message.extend(timestamp_s.to_be_bytes());
    put_short(&mut message, checkpoint.origin())?;
    message.extend(0_u64.to_be_bytes());
    message.extend(checkpoint.size().to_be_bytes());
    message.extend(checkpoint.root().as_bytes());
    Some(message)
}

/// The text behind its length in one byte, which is not 0.
fn put_short(message: &mut Vec<u8>, text: &str) -> Option<()> {
    let length = u8::try_from(text.len()).ok().filter(|length| *length > 0)?;
    message.push(length);
    message.extend(text.as_bytes());
    Some(())
}

/// What a key of this role signs for a checkpoint of this text; `None` when it cosigns none.
fn message(key: &VerifierKey, text: &str, checkpoint: Option<&Checkpoint>, time_s: u64) -> Option<Vec<u8>> {
    match key.role() {
        KeyRole::Witness => Some(ed25519_cosignature_message(text, time_s)),
        KeyRole::WitnessMlDsa44 => ml_dsa_44_cosignature_message(key.name(), checkpoint?, time_s),
        _ => None,
    }
}

/// The time that a cosignature states, in Unix seconds, when this key made it for this text.
pub(crate) fn verify(
    key: &VerifierKey,
    text: &str,
    checkpoint: Option<&Checkpoint>,
    bytes: &[u8],
) -> Option<u64> {
    let (time, signature) = bytes.split_first_chunk::<8>()?;
    let time_s = u64::from_be_bytes(*time);
    if time_s > MAX_COSIGNATURE_TIME_S {
        return None;
    }
    let message = message(key, text, checkpoint, time_s)?;
    key.verify(&message, signature).then_some(time_s)
}

impl VerifiedCheckpoint {
    /// The cosignature of a witness: that of all heads of this log it has seen, this is the largest,
    /// and at which time. Whether that is so, and whether it continues the last, the witness must know.
    ///
    /// # Errors
    /// [`SignError`]: a key that is no witness's, a time past [`MAX_COSIGNATURE_TIME_S`], an origin
    /// too long for ML-DSA-44, a key that does not sign.
    pub fn cosignature(&self, signer: &dyn Signer, timestamp_s: u64) -> Result<NoteSignature, SignError> {
        let key = signer.verifier();
        if !key.role().is_witness() {
            return Err(SignError::Role { key: key.short_name(), found: key.role(), wanted: "witness" });
        }
        let fits = timestamp_s <= MAX_COSIGNATURE_TIME_S;
        let message = message(key, self.note().text(), Some(self.checkpoint()), timestamp_s);
        let message = message.filter(|_| fits);
        let message = message.ok_or_else(|| SignError::Message { key: key.short_name() })?;
        let signature = sign_checked(signer, &message)?;
        signature_line(signer, [timestamp_s.to_be_bytes().as_slice(), &signature].concat())
    }

    /// The note with that cosignature as its last line.
    ///
    /// # Errors
    /// As [`VerifiedCheckpoint::cosignature`]; a note that has no room for one more line.
    pub fn cosign(&self, signer: &dyn Signer, timestamp_s: u64) -> Result<Note, SignError> {
        let signature = self.cosignature(signer, timestamp_s)?;
        Ok(self.note().clone().with_signature(signature)?)
    }
}
