//! What can go wrong with a ledger, with stable codes and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use proofline_canon::Sha256Digest;
use proofline_proof::KeyListError;
use proofline_trace::{EnvelopeHash, TraceId};
use thiserror::Error;

use crate::archive::ArchiveFault;
use crate::segments::ArchivedEntry;
use proofline_proof::Seq;

use crate::erasure::ErasureRefusal;

/// One place where stored bytes are not what they have to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// Stable code, such as `frame.body_checksum`.
    pub code: &'static str,
    /// The file, relative to the ledger's folder.
    pub file: String,
    /// Byte offset in the file, where there is one.
    pub offset: Option<u64>,
    /// The entry concerned, where it can be told.
    pub seq: Option<Seq>,
    /// What was expected and found, in a sentence.
    pub message: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        if let Some(seq) = self.seq {
            write!(f, ", entry {seq}")?;
        }
        write!(f, ": {} [{}]", self.message, self.code)
    }
}

/// Why an operation on a ledger did not happen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The folder holds no ledger.
    #[error("{} is not a ledger: it has no log/00000000000000000000.seg", .0.display())]
    NotALedger(PathBuf),
    /// `init` on a folder that is not empty.
    #[error("{} exists and is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// A later version of the format.
    #[error("the ledger {} is of a newer format than this program reads: {detail}", dir.display())]
    NewerFormat {
        /// The ledger's folder.
        dir: PathBuf,
        /// Which file says so.
        detail: String,
    },
    /// Stored bytes are not what they have to be.
    #[error("the ledger is damaged: {0}")]
    Damaged(Damage),
    /// What has to be read is in an archive.
    #[error("{0}")]
    Archived(ArchivedEntry),
    /// An archive is not what it has to be, or not of this ledger.
    #[error(transparent)]
    Archive(#[from] ArchiveFault),
    /// An earlier write or sync failed; what the disk holds is not known to this writer.
    #[error("this writer stopped after a failed write: {0}")]
    Poisoned(String),
    /// The system refused a call.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as in "cannot sync".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// No entry with this sequence number.
    #[error("there is no entry {seq}; the ledger has {entries} entries, 0 to {}", entries.saturating_sub(1))]
    NoSuchEntry {
        /// The entry asked for.
        seq: Seq,
        /// How many there are.
        entries: u64,
    },
    /// A limit that exceeds what the format holds.
    #[error("{option} is {found}; it must lie between {least} and {most}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// The value given.
        found: u64,
        /// The least value allowed.
        least: u64,
        /// The greatest value allowed.
        most: u64,
    },
}

/// Why the gate refuses an artifact or a system entry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ArtifactRefusal {
    /// Not strict JSON, or not canonical, or of no known kind, or against its schema.
    #[error("{0}")]
    Form(String),
    /// It names an entry that this ledger does not hold before it.
    #[error("it refers to {0}, which this ledger does not hold")]
    MissingReference(EnvelopeHash),
    /// It names another trace than the entry that it refers to.
    #[error("it names trace {named}, and {reference} is of another")]
    OtherTrace {
        /// The trace that it names.
        named: TraceId,
        /// What it refers to.
        reference: EnvelopeHash,
    },
    /// It is signed with a key that is no current producer key of this ledger.
    #[error("{0} is no current producer key of this ledger")]
    UnknownProducer(String),
    /// Its signature does not verify.
    #[error("the signature of {0} does not verify")]
    Signature(String),
    /// It is about another log than this one, or about more of it than there is.
    #[error("it is about a log of {size} entries with the root {root}, which this ledger is not")]
    OtherLog {
        /// The size that it names.
        size: u64,
        /// The root that it names.
        root: Sha256Digest,
    },
    /// A sealed verdict, or a signature over one, that does not fit what it names.
    #[error("the seal does not fit: {0}")]
    Seal(&'static str),
    /// It is of a kind that the log writes by itself.
    #[error("index entries are written by the log alone")]
    Reserved,
    /// The rule of the ledger's keys refuses it.
    #[error(transparent)]
    Keys(#[from] KeyListError),
    /// The rule of erasures and holds refuses it.
    #[error(transparent)]
    Erasure(#[from] ErasureRefusal),
}

impl ArtifactRefusal {
    /// The stable code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            ArtifactRefusal::Form(_) => "ledger.artifact_form",
            ArtifactRefusal::MissingReference(_) => "ledger.artifact_reference",
            ArtifactRefusal::OtherTrace { .. } => "ledger.artifact_trace",
            ArtifactRefusal::UnknownProducer(_) => "ledger.unknown_producer",
            ArtifactRefusal::Signature(_) => "ledger.producer_signature",
            ArtifactRefusal::OtherLog { .. } => "ledger.artifact_log",
            ArtifactRefusal::Seal(_) => "ledger.seal",
            ArtifactRefusal::Reserved => "ledger.reserved",
            ArtifactRefusal::Keys(error) => error.code(),
            ArtifactRefusal::Erasure(refusal) => refusal.code(),
        }
    }
}

impl LedgerError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            LedgerError::NotALedger(_) => "ledger.not_a_ledger",
            LedgerError::NotEmpty(_) => "ledger.not_empty",
            LedgerError::NewerFormat { .. } => "ledger.newer_format",
            LedgerError::Damaged(_) => "ledger.damaged",
            LedgerError::Archived(_) => "ledger.archived",
            LedgerError::Archive(fault) => fault.code(),
            LedgerError::Poisoned(_) => "ledger.poisoned",
            LedgerError::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "ledger.storage_full",
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => "ledger.read_only",
                _ => "ledger.io",
            },
            LedgerError::NoSuchEntry { .. } => "ledger.no_such_entry",
            LedgerError::Option { .. } => "ledger.option",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            LedgerError::NotALedger(_) => {
                "make one with `proofline init`, or name the folder that `init` made"
            }
            LedgerError::NotEmpty(_) => "name a new or empty folder",
            LedgerError::NewerFormat { .. } => "use the version of Proofline that wrote it, or a later one",
            LedgerError::Damaged(_) => {
                "run `proofline verify` to see all damage, then restore a copy or use `proofline salvage`"
            }
            LedgerError::Archived(_) => ARCHIVED_HINT,
            LedgerError::Archive(fault) => fault.hint(),
            LedgerError::Poisoned(_) => {
                "open the ledger again; nothing acknowledged is lost, and what was not may have to be sent again"
            }
            LedgerError::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "free space, then open the ledger again and send again what was not acknowledged"
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "give this user the right to read and write the ledger's folder"
                }
                _ => "look at the system's log for the device, then open the ledger again",
            },
            LedgerError::NoSuchEntry { .. } => "`proofline stat` tells how many entries there are",
            LedgerError::Option { .. } => "choose a value in that range",
        }
    }
}

/// What to do about an entry whose body is archived.
pub(crate) const ARCHIVED_HINT: &str = "bring the segment back with `proofline archive restore`, or name the archive with `--archive` where a verb takes it";

/// Names the call and the path of a failed system call.
pub(crate) trait IoContext<T> {
    fn during(self, action: &'static str, path: &Path) -> Result<T, LedgerError>;

    /// [`IoContext::during`] with a path that is made only where something failed.
    fn during_at(self, action: &'static str, path: impl FnOnce() -> PathBuf) -> Result<T, LedgerError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn during(self, action: &'static str, path: &Path) -> Result<T, LedgerError> {
        self.map_err(|source| LedgerError::Io { action, path: path.to_owned(), source })
    }

    fn during_at(self, action: &'static str, path: impl FnOnce() -> PathBuf) -> Result<T, LedgerError> {
        self.map_err(|source| LedgerError::Io { action, path: path(), source })
    }
}
