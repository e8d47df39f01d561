//! Checkpoints (C2SP tlog-checkpoint): the text of a note in which a log states its size and root.
//! The parts alone say nothing about who signed them; see [`crate::VerifiedCheckpoint`].

use thiserror::Error;

use crate::ids::NodeHash;
use crate::note::Note;
use crate::signer::{SignError, Signer};

/// Why a text is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CheckpointTextError {
    /// Less than three lines, an empty line, or no newline at the end.
    #[error("a checkpoint has an origin, a size and a root, a line each, and no line of it is empty")]
    Lines,
    /// A size that is no decimal number of 64 bits without sign and leading zero.
    #[error("the checkpoint's size is no decimal number of 64 bits without a leading zero")]
    Size,
    /// A root that is not base64 of 32 bytes.
    #[error("the checkpoint's root is not base64 of 32 bytes")]
    Root,
    /// Size 0 with another root than that of nothing, SHA-256 of no bytes.
    #[error("the checkpoint of an empty log has another root than that of nothing")]
    EmptyRoot,
}

impl CheckpointTextError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            CheckpointTextError::Lines => "checkpoint.lines",
            CheckpointTextError::Size => "checkpoint.size",
            CheckpointTextError::Root => "checkpoint.root",
            CheckpointTextError::EmptyRoot => "checkpoint.empty_root",
        }
    }
}

/// What a checkpoint says: the root of a log's first `size` entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: NodeHash,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// A checkpoint of these parts, without extension lines.
    ///
    /// # Errors
    /// [`CheckpointTextError`]: an empty origin or one of several lines, size 0 with another root
    /// than [`NodeHash::empty_root`].
    pub fn new(origin: &str, size: u64, root: NodeHash) -> Result<Self, CheckpointTextError> {
        Checkpoint::with_extensions(origin, size, root, Vec::new())
    }

    /// A checkpoint with extension lines, which C2SP discourages: nobody can audit them.
    ///
    /// # Errors
    /// As [`Checkpoint::new`]; an extension that is empty or has several lines.
    pub fn with_extensions(
        origin: &str,
        size: u64,
        root: NodeHash,
        extensions: Vec<String>,
    ) -> Result<Self, CheckpointTextError> {
        let is_line = |text: &str| !text.is_empty() && !text.contains('\n');
        if !is_line(origin) || !extensions.iter().all(|line| is_line(line)) {
            return Err(CheckpointTextError::Lines);
        }
        if size == 0 && root != NodeHash::empty_root() {
            return Err(CheckpointTextError::EmptyRoot);
        }
        Ok(Checkpoint { origin: origin.to_owned(), size, root, extensions })
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// [`CheckpointTextError`].
    pub fn parse_text(text: &str) -> Result<Self, CheckpointTextError> {
        let text = text.strip_suffix('\n').ok_or(CheckpointTextError::Lines)?;
        let mut lines = text.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointTextError::Lines);
        let (origin, size, root) = (line()?, line()?, line()?);
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        let size = decimal(size).ok_or(CheckpointTextError::Size)?;
        let root = NodeHash::from_base64(root).ok_or(CheckpointTextError::Root)?;
        Checkpoint::with_extensions(origin, size, root, extensions)
    }

    /// The text of the note, with its last newline.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64());
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Signs it with keys of the log. A log must never sign two checkpoints of which one does not
    /// continue the other; this function cannot know.
    ///
    /// # Errors
    /// [`SignError`]: a key that is no log's or has another name than the origin, one that does not sign.
    pub fn sign(&self, signers: &[&dyn Signer]) -> Result<Note, SignError> {
        for signer in signers {
            let key = signer.verifier();
            if key.name().as_str() != self.origin {
                return Err(SignError::Origin { key: key.short_name(), origin: self.origin.clone() });
            }
        }
        Note::sign(&self.to_text(), signers)
    }

    /// Which log it is of, as exact bytes.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many entries it covers.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree over them.
    #[must_use]
    pub const fn root(&self) -> &NodeHash {
        &self.root
    }

    /// The lines behind the root.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

/// A decimal number of 64 bits, in its one spelling.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
}
