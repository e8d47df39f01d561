//! A consistency proof and the newer checkpoint, as one text. C2SP has no file for it, so this is the
//! body of a request that a witness takes (tlog-witness, `add-checkpoint`), and can be sent to one.
//!
//! ```text
//! old <decimal>             the older size
//! <base64 hash>             the proof, at most 63 lines
//!                           the first empty line
//! <checkpoint>              a signed note, byte for byte, to the end
//! ```

use crate::files::text::{Lines, TextProofError, put_hashes};
use crate::ids::NodeHash;

/// The most hashes that a witness takes; they suffice up to a tree of 2^62 entries.
pub const MAX_CONSISTENCY_LINES: usize = 63;

/// A proof, read and not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyFile {
    /// The older size. 0 is a request to a witness that knows nothing yet, and proves nothing.
    pub old: u64,
    /// The proof from there to the checkpoint's size.
    pub path: Vec<NodeHash>,
    /// The newer signed note, byte for byte.
    pub checkpoint: Vec<u8>,
}

impl ConsistencyFile {
    /// Reads a proof. The checkpoint is taken as it stands; verifying reads it.
    ///
    /// # Errors
    /// [`TextProofError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TextProofError> {
        let mut lines = Lines::new(bytes)?;
        let old = lines.next()?.strip_prefix("old ").and_then(super::tiles::decimal);
        let old = old.ok_or(TextProofError::Number("old"))?;
        let path = lines.hashes(MAX_CONSISTENCY_LINES)?;
        Ok(ConsistencyFile { old, path, checkpoint: lines.checkpoint()?.to_vec() })
    }

    /// The proof's text.
    ///
    /// # Errors
    /// [`TextProofError::TooManyHashes`]: the proof is longer than a witness takes.
    pub fn write(&self) -> Result<Vec<u8>, TextProofError> {
        if self.path.len() > MAX_CONSISTENCY_LINES {
            return Err(TextProofError::TooManyHashes(MAX_CONSISTENCY_LINES));
        }
        let mut out = format!("old {}\n", self.old);
        put_hashes(&mut out, &self.path);
        let mut out = out.into_bytes();
        out.extend_from_slice(&self.checkpoint);
        Ok(out)
    }
}
