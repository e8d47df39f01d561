//! What the two text forms of a proof share: lines up to the first empty one, hashes in base64, and
//! a checkpoint that is handed on untouched.

use thiserror::Error;

use crate::files::MAX_PROOF_BYTES;
use crate::ids::NodeHash;

/// Why bytes are no proof in text form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TextProofError {
    /// Longer than any proof is.
    #[error("a proof has at most 1 MiB, this file has {0} bytes")]
    TooLong(usize),
    /// The first line is another, as of another version, or with CR LF or a byte order mark.
    #[error("the first line is not \"{0}\"")]
    FirstLine(&'static str),
    /// An `extra` line without data, or whose data is no padded base64.
    #[error("the extra line is not \"extra \" and some padded base64")]
    Extra,
    /// No line with that number where it belongs, or a number in another form than its only one.
    #[error("the line \"{0} N\" is missing or is not a plain decimal number of 64 bits")]
    Number(&'static str),
    /// A line that is no hash.
    #[error("line {0} is not the base64 of 32 bytes")]
    Hash(usize),
    /// More hashes than any proof has.
    #[error("a proof of this kind has at most {0} hashes")]
    TooManyHashes(usize),
    /// No empty line with a checkpoint behind it.
    #[error("no empty line and checkpoint follow the proof's hashes; the file was cut")]
    NoCheckpoint,
}

impl TextProofError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            TextProofError::TooLong(_) => "tlog_proof.too_long",
            TextProofError::FirstLine(_) => "tlog_proof.first_line",
            TextProofError::Extra => "tlog_proof.extra",
            TextProofError::Number(_) => "tlog_proof.number",
            TextProofError::Hash(_) => "tlog_proof.hash",
            TextProofError::TooManyHashes(_) => "tlog_proof.too_many_hashes",
            TextProofError::NoCheckpoint => "tlog_proof.no_checkpoint",
        }
    }
}

/// The lines of a proof's head, and what stands behind its first empty line.
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    read: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, TextProofError> {
        let fits = bytes.len() <= MAX_PROOF_BYTES;
        fits.then_some(Lines { rest: bytes, read: 0 }).ok_or(TextProofError::TooLong(bytes.len()))
    }

    /// The next line, without its newline; for one that is not UTF-8, a text that nobody expects.
    pub(super) fn next(&mut self) -> Result<&'a str, TextProofError> {
        let end = self.rest.iter().position(|byte| *byte == b'\n').ok_or(TextProofError::NoCheckpoint)?;
        let (line, rest) = self.rest.split_at_checked(end).ok_or(TextProofError::NoCheckpoint)?;
        self.rest = rest.get(1..).unwrap_or_default();
        self.read += 1;
        Ok(std::str::from_utf8(line).unwrap_or("\0"))
    }

    /// The hashes up to the first empty line.
    pub(super) fn hashes(&mut self, most: usize) -> Result<Vec<NodeHash>, TextProofError> {
        let mut hashes = Vec::new();
        loop {
            let line = self.next()?;
            if line.is_empty() {
                return Ok(hashes);
            }
            if hashes.len() == most {
                return Err(TextProofError::TooManyHashes(most));
            }
            hashes.push(NodeHash::from_base64(line).ok_or(TextProofError::Hash(self.read))?);
        }
    }

    /// Everything behind the empty line.
    pub(super) fn checkpoint(self) -> Result<&'a [u8], TextProofError> {
        let is_whole = self.rest.ends_with(b"\n");
        is_whole.then_some(self.rest).ok_or(TextProofError::NoCheckpoint)
    }
}

/// Writes hashes and the empty line behind them.
pub(super) fn put_hashes(out: &mut String, hashes: &[NodeHash]) {
    for hash in hashes {
        out.push_str(&hash.to_base64());
        out.push('\n');
    }
    out.push('\n');
}
