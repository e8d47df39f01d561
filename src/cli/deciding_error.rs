//! Why a policy was not asked, or its answer not recorded: code, sentence, place, what to do, and exit code.

use proofline::DecideError;
use proofline::ledger::EntryFault;
use proofline::policy::{PolicyError, ValidationError};

use super::error::{CliError, exit_of_ledger, place_of};
use super::exit::Exit;

/// Why a policy was not asked, or its answer not recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecidingError {
    /// The file is no policy.
    #[error("{source}")]
    Policy {
        /// The file.
        name: String,
        /// Why.
        source: PolicyError,
    },
    /// The policy does not pass under the schema.
    #[error("{source}")]
    Validation {
        /// The file of the fault: the policy or the schema.
        name: String,
        /// Why.
        source: ValidationError,
    },
    /// There is no decision.
    #[error(transparent)]
    Decide(#[from] DecideError),
}

impl DecidingError {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Policy { source, .. } => source.code(),
            Self::Validation { source, .. } => source.code(),
            Self::Decide(error) => error.code(),
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Policy { .. } | Self::Validation { .. } => Exit::BadInput,
            Self::Decide(DecideError::Ledger(error)) => exit_of_ledger(error),
            Self::Decide(DecideError::Entry(EntryFault::Damaged(_))) => Exit::DamagedLedger,
            Self::Decide(DecideError::Entry(EntryFault::Archived(_))) => Exit::BadInput,
            Self::Decide(error) if error.is_erased_policy() => Exit::BadInput,
            Self::Decide(DecideError::Entry(_) | DecideError::Store(_)) => Exit::SystemRefused,
            Self::Decide(DecideError::Answer(_)) => Exit::Internal,
            Self::Decide(_) => Exit::BadInput,
        }
    }

    /// Where it happened.
    pub(crate) fn place(&self) -> Option<String> {
        match self {
            Self::Policy { name, source } => Some(placed(name, source.line())),
            Self::Validation { name, source } => Some(placed(name, source.line())),
            Self::Decide(DecideError::Entry(EntryFault::Damaged(damage))) => Some(place_of(damage)),
            Self::Decide(_) => None,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Policy { source, .. } => Some(source.hint()),
            Self::Validation { source, .. } => Some(source.hint()),
            Self::Decide(error) => error.hint(),
        }
    }
}

fn placed(name: &str, line: Option<usize>) -> String {
    line.map_or_else(|| name.to_owned(), |line| format!("{name}, line {line}"))
}

impl From<DecidingError> for CliError {
    fn from(error: DecidingError) -> Self {
        Self::Deciding(Box::new(error))
    }
}
