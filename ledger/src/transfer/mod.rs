//! Moves whole ledgers: out into one stream and back in, every entry decided again; and into a copy
//! that grows with a live ledger.

mod backup;
mod error;
mod export;
mod import;
mod stream;
mod unfinished;
mod walk;

use std::ops::ControlFlow;

pub use backup::{BackupReport, backup, backup_on};
pub use error::TransferError;
pub use export::{ExportOrder, ExportReport, export, export_on};
pub use import::{ImportReport, import, import_on};

/// What a transfer is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferStage {
    /// Entries of the log.
    Entries,
    /// Payloads.
    Payloads,
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferProgress {
    /// What is counted.
    pub stage: TransferStage,
    /// How many are done.
    pub done: u64,
    /// How many there are, where that is known before.
    pub total: Option<u64>,
}

/// Hears how far a transfer is, and may stop it: [`ControlFlow::Break`] ends it with
/// [`TransferError::Cancelled`].
pub type TransferWatch<'a> = dyn FnMut(TransferProgress) -> ControlFlow<()> + 'a;

/// Tells the watch, and heeds it.
fn tell(
    watch: &mut TransferWatch<'_>,
    stage: TransferStage,
    done: u64,
    total: Option<u64>,
) -> Result<(), TransferError> {
    match watch(TransferProgress { stage, done, total }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(TransferError::Cancelled),
    }
}
