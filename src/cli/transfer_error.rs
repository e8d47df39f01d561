//! Why a ledger was not exported, imported or backed up: place and exit code.

use proofline::ledger::{CheckpointingError, LedgerError, TransferError};

use super::error::CliError;
use super::exit::Exit;

impl From<TransferError> for CliError {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::Ledger(error) => error.into(),
            TransferError::Payload(error) => error.into(),
            other => Self::Transfer { name: None, source: Box::new(other) },
        }
    }
}

/// An error of an import, which names where the stream came from.
pub(crate) fn of_import(error: TransferError, name: String) -> CliError {
    match CliError::from(error) {
        CliError::Transfer { source, .. } => CliError::Transfer { name: Some(name), source },
        other => other,
    }
}

pub(crate) fn exit_of(error: &TransferError) -> Exit {
    match error {
        TransferError::Fork { .. } | TransferError::Ahead { .. } | TransferError::OtherCheckpoint { .. } => {
            Exit::Incomplete
        }
        TransferError::Checkpoint { source, .. } => exit_of_checkpoint(source),
        TransferError::DamagedPayload(_) | TransferError::Entry { at: None, .. } => Exit::DamagedLedger,
        TransferError::NotAnchored(_) => Exit::DerivedDamaged,
        TransferError::Sink(_) | TransferError::Cancelled => Exit::SystemRefused,
        _ => Exit::BadInput,
    }
}

fn exit_of_checkpoint(error: &CheckpointingError) -> Exit {
    match error {
        CheckpointingError::Ledger(LedgerError::Io { .. }) => Exit::SystemRefused,
        CheckpointingError::Fork { .. } | CheckpointingError::Tree(_) => Exit::Incomplete,
        _ => Exit::Unauthentic,
    }
}

/// The place in the stream, or the folder.
pub(crate) fn place_of(error: &TransferError, name: Option<&str>) -> Option<String> {
    let at = match error {
        TransferError::Truncated { at } | TransferError::Surplus { at } | TransferError::Form { at, .. } => {
            Some(*at)
        }
        TransferError::Entry { at, .. } => *at,
        _ => None,
    };
    let path = || error.path().map(|path| path.to_string_lossy().into_owned());
    match (name, at) {
        (Some(name), Some(at)) => Some(format!("{name}, byte {at}")),
        (Some(name), None) => Some(path().unwrap_or_else(|| name.to_owned())),
        (None, _) => path(),
    }
}
