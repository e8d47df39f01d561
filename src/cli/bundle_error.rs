//! Why a bundle was not made, or is not believed: code, sentence, place, hint and exit code.

use proofline::ledger::{BlobError, BundlingError, EntryFault};
use proofline::proof::bundle::{BundleError, BundleFault, Question};

use super::error::{CliError, exit_of_ledger, place_of};
use super::exit::Exit;

/// What went wrong with a bundle.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BundleTrouble {
    /// No bundle was made.
    #[error(transparent)]
    Making(#[from] BundlingError),
    /// A file that is no bundle, or one that does not hold.
    #[error("{source}")]
    File {
        /// The file.
        name: String,
        /// What is wrong.
        source: BundleError,
    },
    /// Another file is there.
    #[error("{name} exists and holds something else; a bundle is not written over it")]
    Exists {
        /// The file.
        name: String,
    },
    /// The folder to unpack into has something in it.
    #[error("{name} is not a new or empty folder; a bundle is unpacked into no other")]
    NotEmpty {
        /// The folder.
        name: String,
    },
    /// A line that is no trace.
    #[error("line {line} is no trace id: 32 lower-case hex digits, not all zero")]
    TraceLine {
        /// The file.
        name: String,
        /// The line, from 1.
        line: usize,
    },
}

impl From<BundleTrouble> for CliError {
    fn from(trouble: BundleTrouble) -> Self {
        Self::Bundle(Box::new(trouble))
    }
}

/// The exit code that a fault asks for.
pub(crate) const fn exit_of_fault(fault: &BundleFault) -> Exit {
    match fault {
        BundleFault::NotABundle | BundleFault::Newer(_) => Exit::BadInput,
        _ => match fault.step().question() {
            Question::Integrity => Exit::DamagedLedger,
            Question::Completeness => Exit::Incomplete,
            Question::Authenticity => Exit::Unauthentic,
        },
    }
}

fn exit_of_making(error: &BundlingError) -> Exit {
    match error {
        BundlingError::Ledger(error) => exit_of_ledger(error),
        BundlingError::Entry(EntryFault::Damaged(_))
        | BundlingError::Checkpoint { .. }
        | BundlingError::Index { .. }
        | BundlingError::Trace { .. }
        | BundlingError::NoEntry(_)
        | BundlingError::Body { .. }
        | BundlingError::PayloadDamaged(_) => Exit::DamagedLedger,
        BundlingError::NoTraces => Exit::Usage,
        BundlingError::NoCheckpoint
        | BundlingError::NotKept { .. }
        | BundlingError::NoIndex { .. }
        | BundlingError::UnknownPayload(_)
        | BundlingError::PayloadGone(_)
        | BundlingError::Blob(BlobError::TooLarge { .. }) => Exit::BadInput,
        _ => Exit::SystemRefused,
    }
}

impl BundleTrouble {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Making(error) => error.code(),
            Self::File { source, .. } => source.code(),
            Self::Exists { .. } => "bundle.exists",
            Self::NotEmpty { .. } => "bundle.not_empty",
            Self::TraceLine { .. } => "bundle.trace_line",
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Making(error) => exit_of_making(error),
            Self::File { source: BundleError::Fault(fault), .. } => exit_of_fault(fault),
            Self::File { source: BundleError::Io(_), .. } => Exit::SystemRefused,
            _ => Exit::BadInput,
        }
    }

    /// Where it happened.
    pub(crate) fn place(&self) -> Option<String> {
        match self {
            Self::Making(BundlingError::Entry(EntryFault::Damaged(damage))) => Some(place_of(damage)),
            Self::Making(_) => None,
            Self::File { name, .. }
            | Self::Exists { name }
            | Self::NotEmpty { name }
            | Self::TraceLine { name, .. } => Some(name.clone()),
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Making(error) => Some(error.hint()),
            Self::File { source: BundleError::Fault(fault), .. } => Some(fault.hint()),
            Self::File { .. } => Some("`proofline bundle show` lists what there is"),
            Self::Exists { .. } => Some("name a file that is not there yet"),
            Self::NotEmpty { .. } => Some("name a folder that is not there yet"),
            Self::TraceLine { .. } => Some("give one whole trace id a line; `proofline traces` lists them"),
        }
    }
}
