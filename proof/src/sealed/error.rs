//! Why content was not sealed, and why a sealed payload was not opened.

use std::io;

use proofline_trace::SubjectKeyId;
use thiserror::Error;

/// Why content was not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The second pass read other content than the first: a nonce was derived for what is not there any more.
    #[error("the content changed while it was sealed")]
    Changed,
    /// More chunks than their counter can tell apart.
    #[error("the content is longer than the 256 TiB that one sealed payload holds")]
    TooLong,
}

impl SealError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            SealError::Changed => "sealed.changed",
            SealError::TooLong => "sealed.too_long",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            SealError::Changed => "seal a copy that nobody writes to; nothing of it was kept",
            SealError::TooLong => "cut it into parts",
        }
    }
}

impl From<SealError> for io::Error {
    fn from(error: SealError) -> Self {
        io::Error::other(error)
    }
}

/// Why a sealed payload was not opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It does not begin as a sealed payload does.
    #[error("it is no sealed payload: it does not begin with a header that says so")]
    NotSealed,
    /// A version that this program does not know.
    #[error("it is a sealed payload of version {0}, which this program does not know")]
    Version(u32),
    /// A reserved byte of the header is set.
    #[error("the header of the sealed payload is not whole: a reserved byte is set")]
    Header,
    /// It is sealed under another key. Nothing was decrypted.
    #[error("it is sealed under the key {sealed_under}, and the key at hand is {at_hand}")]
    WrongKey {
        /// The key that its header commits to.
        sealed_under: SubjectKeyId,
        /// The key that was to open it.
        at_hand: SubjectKeyId,
    },
    /// A chunk does not authenticate: a byte was changed, cut off, added or moved.
    #[error(
        "chunk {chunk} of the sealed payload is not what was sealed, or not the last one as it has to be"
    )]
    Damaged {
        /// Which one, from 0.
        chunk: u32,
    },
    /// All chunks are authentic, and hash or nonce are not those of the content: it was made wrongly, with the key.
    #[error("the sealed payload was made wrongly: its hash and nonce are not those of its content")]
    Content,
    /// The reader failed.
    #[error("the sealed payload cannot be read: {0}")]
    Source(io::Error),
    /// The writer failed.
    #[error("the opened content cannot be written: {0}")]
    Output(io::Error),
}

impl OpenError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            OpenError::NotSealed => "sealed.not_sealed",
            OpenError::Version(_) => "sealed.version",
            OpenError::Header => "sealed.header",
            OpenError::WrongKey { .. } => "sealed.wrong_key",
            OpenError::Damaged { .. } => "sealed.damaged",
            OpenError::Content => "sealed.content",
            OpenError::Source(_) => "sealed.source",
            OpenError::Output(_) => "sealed.output",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            OpenError::NotSealed => "name a payload that was sealed; others can be read as they are",
            OpenError::Version(_) => "use a newer version of this program",
            OpenError::WrongKey { .. } => "open it with the key of its subject, if that key is still kept",
            OpenError::Header | OpenError::Damaged { .. } => "take the payload from another copy",
            OpenError::Content => "trust nothing in it; ask whoever sealed it",
            OpenError::Source(_) => "look at what the system reports, then try again",
            OpenError::Output(_) => "free space where the content goes, or send it elsewhere",
        }
    }
}
