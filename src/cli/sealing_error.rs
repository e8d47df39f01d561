//! Why content was not sealed or opened, or a subject's key not kept: code, sentence, place, what to do, and exit code.

use proofline::ledger::{ArtifactRefusal, Seq, SubjectKeysError};
use proofline::proof::sealed::{OpenError, SealError};
use proofline::trace::SubjectKeyId;

use super::error::CliError;
use super::exit::Exit;
use super::safe::safe_path;

/// Why content was not sealed or opened, or a subject's key not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealingError {
    /// The folder of keys.
    #[error(transparent)]
    Keys(#[from] SubjectKeysError),
    /// Whoever copies a ledger must not copy keys.
    #[error("{name} lies in a ledger: copies of that would hold the keys too")]
    InsideLedger {
        /// The folder of keys.
        name: String,
    },
    /// Content was not sealed.
    #[error("{source}")]
    Seal {
        /// The file.
        name: String,
        /// Why.
        source: SealError,
    },
    /// A payload was not opened.
    #[error("{source}")]
    Open {
        /// The file, or its name in the ledger.
        name: String,
        /// Why.
        source: OpenError,
    },
    /// Its key is not there.
    #[error("{name} is sealed under the key {key_id}, which is not in the folder of keys")]
    NoKey {
        /// The payload.
        name: String,
        /// The key.
        key_id: SubjectKeyId,
    },
    /// Its key was erased.
    #[error("the key {key_id} was erased by entry {seq}: nothing is sealed under it or opened any more")]
    Erased {
        /// The key.
        key_id: SubjectKeyId,
        /// The entry.
        seq: Seq,
    },
    /// The ledger does not keep such a payload.
    #[error("the ledger keeps no payload {name}")]
    NoPayload {
        /// What was asked for.
        name: String,
    },
    /// The payload has other bytes than its name says.
    #[error("the payload {name} has the digest {actual}")]
    OtherPayload {
        /// What was asked for.
        name: String,
        /// What is there.
        actual: String,
    },
    /// The gate says no to the erasure; the key is kept.
    #[error("{0}; nothing was erased")]
    Refused(ArtifactRefusal),
}

impl SealingError {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Keys(error) => error.code(),
            Self::InsideLedger { .. } => "subject.inside_ledger",
            Self::Seal { source, .. } => source.code(),
            Self::Open { source, .. } => source.code(),
            Self::NoKey { .. } => "sealed.no_key",
            Self::Erased { .. } => "sealed.erased",
            Self::NoPayload { .. } => "sealed.no_payload",
            Self::OtherPayload { .. } => "blob.damaged",
            Self::Refused(refusal) => refusal.code(),
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Keys(SubjectKeysError::Io { .. })
            | Self::Open { source: OpenError::Output(_) | OpenError::Source(_), .. } => Exit::SystemRefused,
            Self::Open { source: OpenError::NotSealed | OpenError::Version(_), .. } => Exit::BadInput,
            Self::Open { .. } | Self::Refused(_) => Exit::Unauthentic,
            Self::OtherPayload { .. } => Exit::DamagedLedger,
            Self::Keys(_)
            | Self::InsideLedger { .. }
            | Self::Seal { .. }
            | Self::NoKey { .. }
            | Self::Erased { .. }
            | Self::NoPayload { .. } => Exit::BadInput,
        }
    }

    /// Where it happened.
    pub(crate) fn place(&self) -> Option<String> {
        match self {
            Self::Keys(error) => error.path().map(safe_path),
            Self::InsideLedger { name }
            | Self::Seal { name, .. }
            | Self::Open { name, .. }
            | Self::NoKey { name, .. }
            | Self::NoPayload { name }
            | Self::OtherPayload { name, .. } => Some(name.clone()),
            Self::Erased { .. } | Self::Refused(_) => None,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Keys(error) => Some(error.hint()),
            Self::InsideLedger { .. } => {
                Some("name a folder elsewhere, which no copy of the ledger takes along")
            }
            Self::Seal { source, .. } => Some(source.hint()),
            Self::Open { source, .. } => Some(source.hint()),
            Self::NoKey { .. } => {
                Some("name the folder that has it; once it is destroyed nothing opens the payload")
            }
            Self::Erased { .. } => Some("a subject that comes back gets a new key: `proofline subject add`"),
            Self::NoPayload { .. } => Some("give the SHA-256 of the sealed bytes, as the BlobRef has it"),
            Self::OtherPayload { .. } => {
                Some("run `proofline verify`, and take the payload from another copy")
            }
            Self::Refused(_) => {
                Some("it takes an accepted decision that allows `erase` on `subject/KEY_ID`, and no hold")
            }
        }
    }
}

impl From<SealingError> for CliError {
    fn from(error: SealingError) -> Self {
        Self::Sealing(Box::new(error))
    }
}

impl From<SubjectKeysError> for CliError {
    fn from(error: SubjectKeysError) -> Self {
        SealingError::Keys(error).into()
    }
}
