//! Why no bundle was made.

use std::io;

use proofline_canon::Sha256Digest;
use proofline_proof::Seq;
use proofline_proof::bundle::BodyError;
use proofline_trace::TraceId;
use thiserror::Error;

use crate::blobs::BlobError;
use crate::error::{ARCHIVED_HINT, LedgerError};
use crate::segments::EntryFault;
use crate::tree::TreeError;

/// Why no bundle was made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BundlingError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An entry.
    #[error(transparent)]
    Entry(#[from] EntryFault),
    /// The tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Payloads.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The bundle cannot be written, or a payload not be read while it is.
    #[error("the bundle cannot be written: {0}")]
    Write(#[from] io::Error),
    /// Nothing is asked for.
    #[error("a bundle is about one trace at least, and none was named")]
    NoTraces,
    /// No checkpoint to rest on.
    #[error("the ledger keeps no checkpoint for a bundle to rest on")]
    NoCheckpoint,
    /// The checkpoint asked for is not kept.
    #[error("the ledger keeps no checkpoint of {size} entries")]
    NotKept {
        /// Its size.
        size: u64,
    },
    /// A checkpoint from before there were index entries.
    #[error(
        "the checkpoint of {size} entries covers no index entry at its end, so it shows no trace to be whole"
    )]
    NoIndex {
        /// Its size.
        size: u64,
    },
    /// A checkpoint that is not of this log.
    #[error("the kept checkpoint of {size} entries states another log than the ledger holds")]
    Checkpoint {
        /// Its size.
        size: u64,
    },
    /// An index entry that the ledger does not bear out.
    #[error("index entry {seq} states other traces than the ledger holds")]
    Index {
        /// The index entry.
        seq: Seq,
    },
    /// A trace of which the indexes name another number of entries.
    #[error("the log lists {listed} entries of trace {trace}, and the ledger's indexes name {found}")]
    Trace {
        /// The trace.
        trace: TraceId,
        /// In the log.
        listed: u64,
        /// In the indexes.
        found: u64,
    },
    /// An entry that must be there.
    #[error("entry {0} is not there")]
    NoEntry(Seq),
    /// A body that the gate would not have let in.
    #[error("the body of entry {seq} is not what its kind asks for: {source}")]
    Body {
        /// The entry.
        seq: Seq,
        /// Why.
        source: BodyError,
    },
    /// A payload was asked for that no record names.
    #[error("no record of these traces names the payload {0}")]
    UnknownPayload(Sha256Digest),
    /// A payload went away meanwhile.
    #[error("the payload {0} was there a moment ago and is not any more")]
    PayloadGone(Sha256Digest),
    /// A payload that is not what its name says.
    #[error("the payload {0} has other bytes than its name says")]
    PayloadDamaged(Sha256Digest),
}

impl BundlingError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            BundlingError::Ledger(error) => error.code(),
            BundlingError::Entry(EntryFault::Damaged(damage)) => damage.code,
            BundlingError::Entry(EntryFault::Io(_)) => "ledger.io",
            BundlingError::Entry(EntryFault::Archived(_)) => "entry.archived",
            BundlingError::Tree(error) => error.code(),
            BundlingError::Blob(error) => error.code(),
            BundlingError::Write(_) => "bundle.io",
            BundlingError::NoTraces => "bundle.no_traces",
            BundlingError::NoCheckpoint => "bundle.no_checkpoint",
            BundlingError::NotKept { .. } => "bundle.not_kept",
            BundlingError::NoIndex { .. } => "bundle.no_index",
            BundlingError::Checkpoint { .. }
            | BundlingError::Index { .. }
            | BundlingError::Trace { .. }
            | BundlingError::NoEntry(_)
            | BundlingError::Body { .. } => "bundle.log",
            BundlingError::UnknownPayload(_) => "bundle.unknown_payload",
            BundlingError::PayloadGone(_) => "bundle.payload_gone",
            BundlingError::PayloadDamaged(_) => "blob.damaged",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            BundlingError::Ledger(error) => error.hint(),
            BundlingError::Blob(error) => error.hint(),
            BundlingError::Entry(EntryFault::Archived(_)) => ARCHIVED_HINT,
            BundlingError::Write(_) => "free space, or name a place where this user can write",
            BundlingError::NoTraces => "name one with --trace; `proofline traces` lists what there is",
            BundlingError::NoCheckpoint | BundlingError::NoIndex { .. } => {
                "run `proofline checkpoint`, which signs one with an index entry before it, then ask again"
            }
            BundlingError::NotKept { .. } => "leave --at out, or name the size of a file in checkpoints/",
            BundlingError::UnknownPayload(_) => "`proofline trace` and `proofline show` name the payloads",
            BundlingError::PayloadGone(_) => "ask again: it was erased, or moved away, meanwhile",
            BundlingError::PayloadDamaged(_) => "put the payload again, or leave it out with --blobs",
            _ => {
                "run `proofline verify` to see all damage, and `proofline reindex` if the log itself is sound"
            }
        }
    }
}
