//! Why a replay, or the recording of its verdicts, did not come to an end. A verdict that
//! fails and a ledger that is damaged are no errors: they are what a replay reports.

use std::io;

use proofline_canon::StoreError;
use proofline_ledger::{ArchivedEntry, ArtifactRefusal, EntryFault, LedgerError, Seq};
use proofline_trace::{ReplayType, TraceId};
use rayon::ThreadPoolBuildError;
use thiserror::Error;

/// Why a replay stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The system did not give an entry of the log.
    #[error("cannot read entry {seq}: {source}")]
    Entry {
        /// The entry.
        seq: Seq,
        /// The system's answer.
        source: io::Error,
    },
    /// The system did not give an index of the log.
    #[error("cannot look up entries in the ledger: {0}")]
    Lookup(EntryFault),
    /// What the replay has to read is in an archive: without it there is no verdict of either kind.
    #[error("{0}")]
    Archived(ArchivedEntry),
    /// The store of payloads did not answer.
    #[error("cannot look for a payload: {0}")]
    Payloads(#[from] StoreError),
    /// The system did not give the threads that the plan asks for.
    #[error("cannot start the threads of the replay: {0}")]
    Threads(#[from] ThreadPoolBuildError),
    /// The plan asks a question of what it cannot be asked of.
    #[error("the plan does not fit: {replay_type} replay is of {wanted}")]
    Plan {
        /// The question.
        replay_type: ReplayType,
        /// What it can be asked of.
        wanted: &'static str,
    },
    /// Opening the ledger finds other damage than it did when the run that is to go on began.
    #[error("opening the ledger finds other damage than when the run began")]
    OtherDamage,
    /// Entries were read twice and were not the same.
    #[error("the log changed while it was replayed")]
    Changed,
    /// The sink asked to stop. What it took by then is whole.
    #[error("the replay was stopped before its end")]
    Stopped,
}

impl ReplayError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Entry { .. } => "replay.entry",
            Self::Lookup(_) => "replay.lookup",
            Self::Archived(_) => "replay.archived",
            Self::Payloads(_) => "replay.payloads",
            Self::Threads(_) => "replay.threads",
            Self::Plan { .. } => "replay.plan",
            Self::OtherDamage => "replay.other_damage",
            Self::Changed => "replay.changed",
            Self::Stopped => "replay.stopped",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Entry { .. } | Self::Lookup(_) => {
                "look at the system's log for the device, then replay again; nothing was changed"
            }
            Self::Archived(_) => {
                "name the archive with `--archive`, bring the segment back with `proofline archive restore`, or replay traces that are not archived"
            }
            Self::Payloads(_) => "mend the store of payloads, or replay without it",
            Self::Threads(_) => "ask for fewer threads",
            Self::Plan { .. } => "give pairs of traces to constrained replay, and traces to the others",
            Self::OtherDamage => "run again from the beginning",
            Self::Changed => {
                "find out who writes to the segments, which nobody may once they are published; then replay again"
            }
            Self::Stopped => "replay again; the same inputs give the same verdicts",
        }
    }
}

/// Why a verdict is not in the ledger.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The ledger did not take it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The gate refuses the artifact: it is not a verdict over records of this ledger, or too long.
    #[error("the ledger refuses the verdict over trace {trace_id}: {refusal}")]
    Refused {
        /// The trace of the verdict.
        trace_id: TraceId,
        /// The gate's reason.
        refusal: ArtifactRefusal,
    },
    /// The ledger answered as it never does about an artifact.
    #[error("the ledger gave no answer about the verdict over trace {trace_id}")]
    Unanswered {
        /// The trace of the verdict.
        trace_id: TraceId,
    },
}

impl RecordError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ledger(error) => error.code(),
            Self::Refused { .. } => "replay.record_refused",
            Self::Unanswered { .. } => "replay.record_unanswered",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Ledger(error) => error.hint(),
            Self::Refused { .. } => "record a verdict in the ledger that was replayed",
            Self::Unanswered { .. } => "open the ledger again and record the verdict again",
        }
    }
}
