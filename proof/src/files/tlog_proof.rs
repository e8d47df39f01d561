//! C2SP tlog-proof: an inclusion proof and the checkpoint to which it leads, as one text.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <base64>            the entry header; left out when there is none
//! index <decimal>
//! <base64 hash>             from the leaf's sibling up; none for a tree of one leaf
//!                           the first empty line
//! <checkpoint>              a signed note, byte for byte, to the end
//! ```
//!
//! `extra` carries the entry header, so that the proof can be checked without asking for it. Nothing
//! covers the line itself: what authenticates a header is that its leaf hash leads to the root. An
//! `extra` line without data is refused, so that a proof has one text.

use proofline_canon::{base64, unbase64};

use crate::files::text::{Lines, TextProofError, put_hashes};
use crate::ids::NodeHash;

/// The file's first line.
pub const TLOG_PROOF_HEAD: &str = "c2sp.org/tlog-proof@v1";

/// The most hashes that an inclusion proof has: one for each bit of a size.
const MAX_HASHES: usize = 64;

/// A proof, read and not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// The entry's index.
    pub index: u64,
    /// From the leaf's sibling to the root's child.
    pub path: Vec<NodeHash>,
    /// What helps to rebuild the entry: ours is the entry header. Authenticated by nothing.
    pub extra: Option<Vec<u8>>,
    /// The signed note, byte for byte.
    pub checkpoint: Vec<u8>,
}

impl TlogProof {
    /// Reads a proof by the grammar. The checkpoint is taken as it stands; verifying reads it.
    ///
    /// # Errors
    /// [`TextProofError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TextProofError> {
        let mut lines = Lines::new(bytes)?;
        if lines.next()? != TLOG_PROOF_HEAD {
            return Err(TextProofError::FirstLine(TLOG_PROOF_HEAD));
        }
        let mut line = lines.next()?;
        let mut extra = None;
        if let Some(data) = line.strip_prefix("extra ") {
            let data = unbase64(data).filter(|data| !data.is_empty());
            extra = Some(data.ok_or(TextProofError::Extra)?);
            line = lines.next()?;
        }
        let index = line.strip_prefix("index ").and_then(super::tiles::decimal);
        let index = index.ok_or(TextProofError::Number("index"))?;
        let path = lines.hashes(MAX_HASHES)?;
        Ok(TlogProof { index, path, extra, checkpoint: lines.checkpoint()?.to_vec() })
    }

    /// The proof's text. `extra` without data is left out, as the format asks.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = format!("{TLOG_PROOF_HEAD}\n");
        if let Some(extra) = self.extra.as_ref().filter(|extra| !extra.is_empty()) {
            out.push_str(&format!("extra {}\n", base64(extra)));
        }
        out.push_str(&format!("index {}\n", self.index));
        put_hashes(&mut out, &self.path);
        let mut out = out.into_bytes();
        out.extend_from_slice(&self.checkpoint);
        out
    }
}
