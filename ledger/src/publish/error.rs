//! Why a publication did not happen, with stable codes and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use proofline_proof::files::tiles::{TileError, TilePath};
use proofline_proof::{CheckpointError, NodeHash, Seq};
use thiserror::Error;

use crate::segments::EntryFault;

/// Why a publication did not happen. What was published before is as it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The checkpoint is of another log than the ledger.
    #[error("the checkpoint is of {found}, and the ledger is {expected}")]
    Origin {
        /// The ledger's origin.
        expected: String,
        /// The checkpoint's.
        found: String,
    },
    /// The checkpoint covers entries that the ledger does not have.
    #[error("the checkpoint is of {size} entries, and the ledger has {entries}")]
    Ahead {
        /// The checkpoint's size.
        size: u64,
        /// The ledger's.
        entries: u64,
    },
    /// The ledger's first entries have another root than the checkpoint says.
    #[error("the ledger's first {size} entries have the root {found}, and the checkpoint says {expected}")]
    Root {
        /// The checkpoint's size.
        size: u64,
        /// The checkpoint's root.
        expected: NodeHash,
        /// The root that the ledger's hashes give.
        found: NodeHash,
    },
    /// The hashes that the ledger keeps beside its log do not lead to the root.
    #[error("the hashes of {path}, which lie beside the log, do not lead to the checkpoint's root")]
    Hashes {
        /// The tile.
        path: TilePath,
    },
    /// The header in the log does not have the leaf hash of the tree.
    #[error("the header of entry {seq} in the log is not the one that the checkpoint covers")]
    Header {
        /// The entry.
        seq: Seq,
    },
    /// The folder is a ledger: whoever serves it would give away what the entries say.
    #[error("{} is a ledger, which is not to be served", .0.display())]
    IntoLedger(PathBuf),
    /// The checkpoint in the folder is of another log.
    #[error("the folder holds a publication of {found}, not of {expected}")]
    OtherLog {
        /// The ledger's origin.
        expected: String,
        /// The origin in the folder.
        found: String,
    },
    /// The checkpoint in the folder is not believed.
    #[error("the checkpoint in the folder is not believed: {0}")]
    Unverified(CheckpointError),
    /// A larger tree is published already.
    #[error("the folder holds {published} entries already, and the checkpoint is of {size}")]
    Backwards {
        /// The size published.
        published: u64,
        /// The size to be published.
        size: u64,
    },
    /// The published tree is no beginning of this one.
    #[error("the {published} entries published are not the first of the {size} of this checkpoint")]
    Fork {
        /// The size published.
        published: u64,
        /// The size to be published.
        size: u64,
    },
    /// A published file has other bytes than it must have; it is never written anew.
    #[error("{path} is there and has other bytes than the ledger gives it")]
    Differs {
        /// The file.
        path: TilePath,
    },
    /// What lies in the folder does not give the checkpoint's root.
    #[error("the tiles as they lie in the folder give the root {found}, and the checkpoint says {expected}")]
    ReadBack {
        /// The checkpoint's root.
        expected: NodeHash,
        /// The root read back.
        found: NodeHash,
    },
    /// An entry that fits no bundle.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// The ledger's entries cannot be read.
    #[error(transparent)]
    Entry(#[from] EntryFault),
    /// The system refused a call in the folder.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as in "cannot sync".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl PublishError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            PublishError::Origin { .. } => "publish.origin",
            PublishError::Ahead { .. } => "publish.ahead",
            PublishError::Root { .. } => "publish.root",
            PublishError::Hashes { .. } => "publish.hashes",
            PublishError::Header { .. } => "publish.header",
            PublishError::IntoLedger(_) => "publish.into_ledger",
            PublishError::OtherLog { .. } => "publish.other_log",
            PublishError::Unverified(_) => "publish.unverified",
            PublishError::Backwards { .. } => "publish.backwards",
            PublishError::Fork { .. } => "publish.fork",
            PublishError::Differs { .. } => "publish.differs",
            PublishError::ReadBack { .. } => "publish.read_back",
            PublishError::Tile(error) => error.code(),
            PublishError::Entry(EntryFault::Damaged(damage)) => damage.code,
            PublishError::Entry(EntryFault::Archived(_)) => "entry.archived",
            PublishError::Entry(EntryFault::Io(_)) => "ledger.io",
            PublishError::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "publish.storage_full",
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => "publish.read_only",
                _ => "publish.io",
            },
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            PublishError::Origin { .. } => "give a checkpoint of this ledger",
            PublishError::Ahead { .. } => "publish from the ledger that the checkpoint was made of",
            PublishError::Root { .. } => {
                "run `proofline verify`; if the ledger is sound, the checkpoint is of another history"
            }
            PublishError::Hashes { .. } => "run `proofline reindex`, then publish again",
            PublishError::Header { .. } | PublishError::Entry(EntryFault::Damaged(_)) => {
                "run `proofline verify` to see all damage, then restore a copy"
            }
            PublishError::IntoLedger(_) => {
                "name a folder of its own, which holds nothing but this publication"
            }
            PublishError::OtherLog { .. } => "give each log a folder of its own",
            PublishError::Unverified(_) => "name the key that signed it, or find out who wrote it",
            PublishError::Backwards { .. } => "give a checkpoint that is at least as large",
            PublishError::Fork { .. } => {
                "keep both: they are evidence of two histories; a ledger restored from a copy may be the cause"
            }
            PublishError::Differs { .. } => {
                "compare it with a copy; if it was damaged, take it away, and it is made again"
            }
            PublishError::ReadBack { .. } => "publish with --check, which names the file that differs",
            PublishError::Tile(_) => "please report this",
            PublishError::Entry(EntryFault::Archived(_)) => crate::error::ARCHIVED_HINT,
            PublishError::Entry(EntryFault::Io(_)) => "look at the system's log for the device",
            PublishError::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free space, then publish again",
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                    "give this user the right to write the folder"
                }
                _ => "look at the system's log for the device, then publish again",
            },
        }
    }
}

/// Names the call and the path of a failed system call.
pub(super) trait During<T> {
    fn during(self, action: &'static str, path: &Path) -> Result<T, PublishError>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, action: &'static str, path: &Path) -> Result<T, PublishError> {
        self.map_err(|source| PublishError::Io { action, path: path.to_owned(), source })
    }
}
