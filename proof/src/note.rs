//! Signed notes (C2SP signed-note): a text and signature lines. What is here only reads and writes
//! the form; [`crate::Policy`] says whether to believe it.
//!
//! ```text
//! text       any UTF-8 that ends in a newline
//! (empty)    the last empty line of the file
//! — NAME BASE64(key id, 4 bytes || signature)      one line for each signature
//! ```

use proofline_canon::{base64, unbase64};
use thiserror::Error;

use crate::key::{KeyId, KeyRole};
use crate::signer::{SignError, Signer, sign_checked};

/// The longest note, in bytes.
pub const MAX_NOTE_BYTES: usize = 1 << 20;

/// The most signature lines that a note may have.
pub const MAX_NOTE_SIGNATURES: usize = 128;

/// How a signature line begins: an em dash and a space.
const LINE_START: &str = "\u{2014} ";

/// Why bytes are no signed note, or a text cannot become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoteError {
    /// More than [`MAX_NOTE_BYTES`].
    #[error("the note is longer than 1 MiB")]
    TooLong,
    /// Not UTF-8.
    #[error("the note is not UTF-8")]
    Utf8,
    /// A character below U+0020 other than the newline.
    #[error("the note holds a control character at byte {0}")]
    Control(usize),
    /// No empty line between text and signatures.
    #[error("no empty line stands between the note's text and its signatures")]
    Split,
    /// A text without its last newline.
    #[error("the note's text does not end in a newline")]
    Text,
    /// No signature line, or the last one has no newline.
    #[error("the note has no signature lines, or the last one does not end in a newline")]
    Block,
    /// A line, counted from 1 behind the empty one, that is no signature line.
    #[error("signature line {0} of the note is not an em dash, a name and base64, one space between each")]
    Line(usize),
    /// More than [`MAX_NOTE_SIGNATURES`].
    #[error("the note has more than 128 signature lines")]
    TooMany,
}

impl NoteError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            NoteError::TooLong => "note.too_long",
            NoteError::Utf8 => "note.utf8",
            NoteError::Control(_) => "note.control",
            NoteError::Split => "note.split",
            NoteError::Text => "note.text",
            NoteError::Block => "note.block",
            NoteError::Line(_) => "note.line",
            NoteError::TooMany => "note.too_many",
        }
    }
}

/// One signature line: who says to have signed, and the bytes. Nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    id: KeyId,
    bytes: Vec<u8>,
}

impl NoteSignature {
    /// A line of these parts; `None` when they make none: an empty name, one with white space, a
    /// control or `+`, or no bytes.
    #[must_use]
    pub fn new(name: &str, id: KeyId, bytes: Vec<u8>) -> Option<Self> {
        let is_bad = |c: char| c.is_whitespace() || c < ' ' || c == '+';
        let fits = !name.is_empty() && !name.contains(is_bad) && !bytes.is_empty();
        fits.then(|| NoteSignature { name: name.to_owned(), id, bytes })
    }

    /// The name of the key.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// What follows the id: the signature, behind a timestamp in some types.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The line without its newline.
    #[must_use]
    pub fn to_line(&self) -> String {
        let blob = [self.id.as_bytes().as_slice(), &self.bytes].concat();
        format!("{LINE_START}{} {}", self.name, base64(&blob))
    }

    /// Reads such a line.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let (name, blob) = line.strip_prefix(LINE_START)?.split_once(' ')?;
        let blob = unbase64(blob)?;
        let (id, bytes) = blob.split_first_chunk::<4>()?;
        NoteSignature::new(name, KeyId::from_bytes(*id), bytes.to_vec())
    }

    fn is_of(&self, other: &NoteSignature) -> bool {
        self.id == other.id && self.name == other.name
    }
}

/// A note in its parts. Whatever [`Note::parse`] reads is written as the same bytes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// Reads a note. A single line that is no signature line refuses all of it.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Utf8)?;
        refuse_controls(note)?;
        // The last empty line: an earlier one, and what looks like signatures there, is text.
        let at = note.rfind("\n\n").ok_or(NoteError::Split)?;
        let (text, block) = note.split_at_checked(at + 1).ok_or(NoteError::Split)?;
        let lines = block.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.ok_or(NoteError::Block)?;
        if lines.split('\n').nth(MAX_NOTE_SIGNATURES).is_some() {
            return Err(NoteError::TooMany);
        }
        let read = |(at, line)| NoteSignature::from_line(line).ok_or(NoteError::Line(at + 1));
        let signatures = lines.split('\n').enumerate().map(read).collect::<Result<_, _>>()?;
        Ok(Note { text: text.to_owned(), signatures })
    }

    /// A text that nobody has signed yet. It is written with no signature line, and no reader takes it so.
    ///
    /// # Errors
    /// [`NoteError`]: a text without its last newline, with control characters, or too long.
    pub fn unsigned(text: &str) -> Result<Self, NoteError> {
        if text.len() >= MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        refuse_controls(text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Text);
        }
        Ok(Note { text: text.to_owned(), signatures: Vec::new() })
    }

    /// The note with one more line, behind those it has. A line of the same name and id goes.
    ///
    /// # Errors
    /// [`NoteError::TooMany`], [`NoteError::TooLong`].
    pub fn with_signature(mut self, signature: NoteSignature) -> Result<Self, NoteError> {
        self.signatures.retain(|line| !line.is_of(&signature));
        self.signatures.push(signature);
        if self.signatures.len() > MAX_NOTE_SIGNATURES {
            return Err(NoteError::TooMany);
        }
        if self.to_bytes().len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        Ok(self)
    }

    /// Signs a text as a plain note with each of these keys, in order. For a checkpoint see
    /// [`crate::Checkpoint::sign`], which checks what it says.
    ///
    /// # Errors
    /// [`SignError`]: a key that is no log's, one that does not sign, a text that no note can have.
    pub fn sign(text: &str, signers: &[&dyn Signer]) -> Result<Self, SignError> {
        let mut note = Note::unsigned(text)?;
        for signer in signers {
            let signature = sign_text(text, *signer)?;
            note = note.with_signature(signature)?;
        }
        Ok(note)
    }

    /// The signed bytes, with their last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in order. Anyone can add and strip them.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// The note as it is sent and kept.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let lines = self.signatures.iter().map(|signature| signature.to_line() + "\n");
        format!("{}\n{}", self.text, lines.collect::<String>()).into_bytes()
    }
}

fn sign_text(text: &str, signer: &dyn Signer) -> Result<NoteSignature, SignError> {
    let key = signer.verifier();
    if key.role() != KeyRole::Log {
        return Err(SignError::Role { key: key.short_name(), found: key.role(), wanted: "log" });
    }
    let signature = sign_checked(signer, text.as_bytes())?;
    signature_line(signer, signature)
}

/// A line of what a key signed. The name of a key is always one that a line can hold, and a signature
/// that verified has bytes.
pub(crate) fn signature_line(signer: &dyn Signer, bytes: Vec<u8>) -> Result<NoteSignature, SignError> {
    let key = signer.verifier();
    NoteSignature::new(key.name().as_str(), key.id(), bytes)
        .ok_or_else(|| SignError::Unverified { key: key.short_name() })
}

fn refuse_controls(text: &str) -> Result<(), NoteError> {
    let control = text.bytes().position(|byte| byte < b' ' && byte != b'\n');
    control.map_or(Ok(()), |at| Err(NoteError::Control(at)))
}
