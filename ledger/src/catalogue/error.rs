//! Why the catalogue could not be used, and why one was thrown away and made again.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use proofline_trace::LedgerId;
use thiserror::Error;

use super::store::StoreFault;
use crate::error::{Damage, LedgerError};
use crate::segments::EntryFault;
use crate::snapshot::Snapshot;

/// Why an operation on the catalogue did not happen. The log, and everything that rests on it,
/// is not concerned: a caller may go on without its catalogue.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// Another process, or another handle in this one, has the catalogue open.
    #[error("the catalogue {} is open elsewhere", .0.display())]
    Busy(PathBuf),
    /// sled can do no more in this process; the files may be fine.
    #[error("the catalogue's database stopped working in this process: {0}")]
    Unusable(String),
    /// sled cannot read what it wrote. The next [`follow`](super::Catalogue::follow) makes the
    /// catalogue again.
    #[error("the catalogue cannot be read: {0}")]
    Unreadable(String),
    /// The catalogue gave an answer that the log does not bear out. The next
    /// [`follow`](super::Catalogue::follow) makes the catalogue again.
    #[error("the catalogue gave a wrong answer: {0}")]
    WrongHit(Damage),
    /// A snapshot of another ledger than the one the catalogue was opened for.
    #[error("the catalogue is of ledger {catalogue}, the snapshot of ledger {snapshot}")]
    OtherLedger {
        /// The ledger whose catalogue is open.
        catalogue: LedgerId,
        /// The ledger offered.
        snapshot: LedgerId,
    },
    /// An entry of the log cannot be read; the catalogue stops before it.
    #[error("the log is damaged: {0}")]
    Log(Damage),
    /// The ledger could not be looked at again.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The system refused a call.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as in "cannot lock".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl CatalogueError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            CatalogueError::Busy(_) => "catalogue.busy",
            CatalogueError::Unusable(_) => "catalogue.unusable",
            CatalogueError::Unreadable(_) => "catalogue.unreadable",
            CatalogueError::WrongHit(_) => "catalogue.wrong_hit",
            CatalogueError::OtherLedger { .. } => "catalogue.other_ledger",
            CatalogueError::Log(_) => "catalogue.log_damaged",
            CatalogueError::Ledger(error) => error.code(),
            CatalogueError::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "catalogue.storage_full",
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => "catalogue.read_only",
                _ => "catalogue.io",
            },
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.code() {
            "catalogue.busy" => {
                "go on without it, or close it where it is open; it catches up when next followed"
            }
            "catalogue.unusable" => "go on without it; a new process can open it",
            "catalogue.unreadable" | "catalogue.wrong_hit" => {
                "rebuild it: it holds nothing that is not in the log"
            }
            "catalogue.other_ledger" => "open the catalogue of that ledger",
            "catalogue.log_damaged" => "run `proofline verify` to see all damage of the log",
            "catalogue.storage_full" => "free space, then open the catalogue again; it catches up",
            "catalogue.read_only" => {
                "go on without it, or give this user the right to write the ledger's folder"
            }
            _ => "go on without it, and look at the system's log for the device",
        }
    }

    /// A fault of sled, met at `path`.
    pub(super) fn of_store(fault: StoreFault, path: &Path) -> Self {
        match fault {
            StoreFault::Busy => CatalogueError::Busy(path.to_owned()),
            StoreFault::Refused(source) => {
                CatalogueError::Io { action: "use the database in", path: path.to_owned(), source }
            }
            StoreFault::Unusable(message) => CatalogueError::Unusable(message),
            StoreFault::Damaged(message) => CatalogueError::Unreadable(message),
        }
    }

    /// A fault met while an entry was read.
    pub(super) fn of_entry(fault: EntryFault, snapshot: &Snapshot) -> Self {
        match fault {
            EntryFault::Damaged(damage) => CatalogueError::Log(damage),
            EntryFault::Archived(entry) => CatalogueError::Ledger(LedgerError::Archived(entry)),
            EntryFault::Io(source) => {
                CatalogueError::Io { action: "read", path: snapshot.dir().to_owned(), source }
            }
        }
    }
}

/// Why a catalogue was thrown away and begun anew.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replaced {
    /// Somebody called [`rebuild`](super::Catalogue::rebuild).
    Asked,
    /// sled could not open or read it, or panicked over it; or it is of another version.
    Unreadable(String),
    /// What it holds is not what was put into it: something was lost, changed or slipped in.
    Changed,
    /// It is that of another ledger.
    OtherLedger,
    /// It followed another log: the entry it followed last is not the one at that place.
    OtherLog,
    /// It followed more entries than the log has now.
    Ahead,
    /// It gave an answer that the log does not bear out.
    WrongHit(Damage),
}

impl Replaced {
    /// The stable code: that of the [`Damage`] which
    /// [`Catalogue::verify`](super::Catalogue::verify) reports for it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Replaced::Asked => "catalogue.asked",
            Replaced::Unreadable(_) => "catalogue.unreadable",
            Replaced::Changed => "catalogue.changed",
            Replaced::OtherLedger => "catalogue.other_ledger",
            Replaced::OtherLog => "catalogue.other_log",
            Replaced::Ahead => "catalogue.ahead",
            Replaced::WrongHit(_) => "catalogue.wrong_hit",
        }
    }
}

impl fmt::Display for Replaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Replaced::Asked => f.write_str("a rebuild was asked for"),
            Replaced::Unreadable(message) => write!(f, "it cannot be read: {message}"),
            Replaced::Changed => f.write_str("its keys are not the ones that were put into it"),
            Replaced::OtherLedger => f.write_str("it is that of another ledger"),
            Replaced::OtherLog => f.write_str("the entry it followed last is not in the log at that place"),
            Replaced::Ahead => f.write_str("it followed more entries than the log has"),
            Replaced::WrongHit(damage) => write!(f, "it gave a wrong answer: {}", damage.message),
        }
    }
}
