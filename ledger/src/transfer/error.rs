//! Why a ledger was not exported, imported or backed up, with stable codes and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use proofline_canon::Sha256Digest;
use proofline_proof::Seq;
use proofline_trace::LedgerId;
use thiserror::Error;

use crate::blobs::BlobError;
use crate::checkpoints::CheckpointingError;
use crate::error::{Damage, LedgerError};
use crate::log::{GivenError, Unfit};
use crate::segments::{EntryFault, read_error};

/// Why a ledger was not exported, imported or backed up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The ledger that is read, or the one that is written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The payloads that are read, or those that are written.
    #[error(transparent)]
    Payload(#[from] BlobError),
    /// Whoever watched the progress asked to stop.
    #[error("it was stopped before its end")]
    Cancelled,
    /// An export up to a size that the ledger does not have.
    #[error("the ledger has {entries} entries; an export of {size} is asked for")]
    Size {
        /// The size asked for.
        size: u64,
        /// How many entries there are.
        entries: u64,
    },
    /// A payload whose bytes are not what its name says is not exported.
    #[error("a payload is damaged: {0}")]
    DamagedPayload(Damage),
    /// The stream could not be written.
    #[error("the stream cannot be written: {0}")]
    Sink(io::Error),
    /// The stream could not be read.
    #[error("the stream cannot be read: {0}")]
    Source(io::Error),
    /// Not an exported ledger.
    #[error("it does not begin as an exported ledger does")]
    NoStream,
    /// A later version of the stream.
    #[error("the stream is of version {found}; this program reads up to version 1")]
    NewerStream {
        /// The version found.
        found: u32,
    },
    /// The head is not as it was written.
    #[error("the checksum of the stream's head is {expected:08x} but its bytes give {found:08x}")]
    HeadChecksum {
        /// The stored checksum.
        expected: u32,
        /// The checksum of the bytes there.
        found: u32,
    },
    /// The stream ends before its end.
    #[error("the stream ends at byte {at}, before it is whole")]
    Truncated {
        /// Where what is missing begins.
        at: u64,
    },
    /// Bytes follow the end of the stream.
    #[error("the stream goes on behind its end, at byte {at}")]
    Surplus {
        /// Where the stream ended.
        at: u64,
    },
    /// Something stands where it cannot.
    #[error("the stream is not in its form at byte {at}: {what}")]
    Form {
        /// Where.
        at: u64,
        /// What stands there.
        what: String,
    },
    /// The stream is not as it was written.
    #[error("the stream's bytes hash to {found}, its end says {expected}")]
    StreamHash {
        /// The stored hash.
        expected: Sha256Digest,
        /// The hash of the bytes there.
        found: Sha256Digest,
    },
    /// An entry that does not go where it stands, or that the gate decides otherwise.
    #[error("entry {seq} is refused: {message}")]
    Entry {
        /// The code of what is wrong with it.
        code: &'static str,
        /// Which entry.
        seq: Seq,
        /// Where it stands in the stream; none in a ledger's own log.
        at: Option<u64>,
        /// What is wrong with it.
        message: String,
    },
    /// A checkpoint that does not hold.
    #[error("the checkpoint of {size} entries is refused: {source}")]
    Checkpoint {
        /// Its size.
        size: u64,
        /// Why.
        source: Box<CheckpointingError>,
    },
    /// A payload whose bytes are not those of its name.
    #[error("the payload {name} is refused: its bytes have the digest {found}")]
    OtherPayload {
        /// The name.
        name: Sha256Digest,
        /// What its bytes hash to.
        found: Sha256Digest,
    },
    /// A payload that an entry of the stream erased.
    #[error("the payload {name} is refused: entry {seq} erased it")]
    ErasedPayload {
        /// The name.
        name: Sha256Digest,
        /// The entry that erased it.
        seq: Seq,
    },
    /// The folder of the copy lies in the ledger, or the ledger in it.
    #[error("{} and {} are not two folders beside each other", dir.display(), out.display())]
    IntoItself {
        /// The ledger.
        dir: PathBuf,
        /// The copy.
        out: PathBuf,
    },
    /// The folder of the copy holds another ledger.
    #[error("{} holds a copy of the ledger {found}, and this is {expected}", out.display())]
    OtherLedger {
        /// The copy.
        out: PathBuf,
        /// The ledger to be copied.
        expected: LedgerId,
        /// The ledger that was copied.
        found: LedgerId,
    },
    /// The copy holds another history.
    #[error("{} is not the beginning of this log: its first {size} entries are others", out.display())]
    Fork {
        /// The copy.
        out: PathBuf,
        /// At what size they were compared.
        size: u64,
    },
    /// The copy holds more than the ledger.
    #[error("{} has {copied} entries, and the ledger only the first {entries} of them", out.display())]
    Ahead {
        /// The copy.
        out: PathBuf,
        /// Entries of the copy.
        copied: u64,
        /// Entries of the ledger.
        entries: u64,
    },
    /// The published size is missing, so nobody can say what of the log is durable.
    #[error("the published size of {} is missing or damaged", .0.display())]
    NotAnchored(PathBuf),
    /// The copy keeps another checkpoint of the same size.
    #[error("{} keeps a checkpoint of {size} entries with another text", out.display())]
    OtherCheckpoint {
        /// The copy.
        out: PathBuf,
        /// The size of both.
        size: u64,
    },
}

impl TransferError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            TransferError::Ledger(error) => error.code(),
            TransferError::Payload(error) => error.code(),
            TransferError::Cancelled => "transfer.cancelled",
            TransferError::Size { .. } => "export.size",
            TransferError::DamagedPayload(_) => "export.blob",
            TransferError::Sink(_) => "export.sink",
            TransferError::Source(_) => "stream.source",
            TransferError::NoStream => "stream.magic",
            TransferError::NewerStream { .. } => "stream.newer_format",
            TransferError::HeadChecksum { .. } => "stream.head_checksum",
            TransferError::Truncated { .. } => "stream.truncated",
            TransferError::Surplus { .. } => "stream.surplus",
            TransferError::Form { .. } => "stream.form",
            TransferError::StreamHash { .. } => "stream.hash",
            TransferError::Entry { code, .. } => code,
            TransferError::Checkpoint { source, .. } => source.code(),
            TransferError::OtherPayload { .. } => "import.blob",
            TransferError::ErasedPayload { .. } => "import.erased",
            TransferError::IntoItself { .. } => "backup.into_itself",
            TransferError::OtherLedger { .. } => "backup.other_ledger",
            TransferError::Fork { .. } => "backup.fork",
            TransferError::Ahead { .. } => "backup.ahead",
            TransferError::NotAnchored(_) => "backup.not_anchored",
            TransferError::OtherCheckpoint { .. } => "backup.other_checkpoint",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            TransferError::Ledger(error) => error.hint(),
            TransferError::Payload(error) => error.hint(),
            TransferError::Cancelled => "run it again to finish it",
            TransferError::Size { .. } => "name a size from 1 to the number of entries",
            TransferError::DamagedPayload(_) => {
                "offer the payload again with `proofline commit --blobs`, or export with --blobs none"
            }
            TransferError::Sink(_) => "free space where the stream goes, then export again",
            TransferError::Source(_) => "look at where the stream comes from, then import again",
            TransferError::NoStream => "name a file that `proofline export` wrote",
            TransferError::NewerStream { .. } => "use the version of Proofline that wrote it, or a later one",
            TransferError::Truncated { .. } => "copy or export it again: a part of it is missing",
            TransferError::Surplus { .. } => "give one exported ledger at a time, and nothing behind it",
            TransferError::HeadChecksum { .. }
            | TransferError::Form { .. }
            | TransferError::StreamHash { .. } => "copy or export it again: it was changed on the way",
            TransferError::ErasedPayload { .. } => {
                "export the ledger again: what is erased is in no stream that `proofline export` writes"
            }
            TransferError::Entry { at: Some(_), .. }
            | TransferError::Checkpoint { .. }
            | TransferError::OtherPayload { .. } => {
                "run `proofline verify` on the ledger that it was exported from; nothing was imported"
            }
            TransferError::Entry { .. } => "run `proofline verify` on the ledger to see all damage",
            TransferError::IntoItself { .. } => "name a folder outside of the ledger",
            TransferError::OtherLedger { .. } => "name another folder: a copy is of one ledger",
            TransferError::Fork { .. } | TransferError::OtherCheckpoint { .. } => {
                "keep both, and compare them with `proofline verify`: one of them was rewritten"
            }
            TransferError::Ahead { .. } => "the ledger has lost entries: bring them back from the copy",
            TransferError::NotAnchored(_) => "run `proofline reindex` on the ledger",
        }
    }

    /// The file or folder that the system refused, or that is not what it has to be.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            TransferError::IntoItself { out, .. }
            | TransferError::OtherLedger { out, .. }
            | TransferError::Fork { out, .. }
            | TransferError::Ahead { out, .. }
            | TransferError::OtherCheckpoint { out, .. } => Some(out),
            TransferError::NotAnchored(path) => Some(path),
            TransferError::Payload(BlobError::Io { path, .. }) => Some(path),
            _ => None,
        }
    }

    /// An entry refused at a place in a stream, or in a ledger's own log.
    pub(super) fn of_given(error: GivenError, at: Option<u64>) -> Self {
        match error {
            GivenError::Ledger(error) => error.into(),
            GivenError::Unfit(Unfit { code, seq, message }) => {
                TransferError::Entry { code, seq, at, message }
            }
        }
    }

    pub(super) fn of_fault(dir: &Path, fault: EntryFault) -> Self {
        read_error(dir, fault).into()
    }
}
