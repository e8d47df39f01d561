//! Why a report could not be written, read or merged: what is wrong, in which file, on which line.

use std::io;
use std::path::PathBuf;

use proofline_canon::WriteError;
use proofline_ledger::EntryFault;
use proofline_trace::{TraceId, Violation};
use thiserror::Error;

use super::shard::Shard;
use crate::error::ReplayError;
use crate::form::FormError;

/// Why there is no report, or none that can be believed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A line of a report is not what it has to be.
    #[error("{fault}")]
    Line {
        /// The report.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        fault: Box<LineFault>,
    },
    /// The system refused a call.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The receiver of a report does not take it.
    #[error("cannot write the report: {0}")]
    Output(io::Error),
    /// A number that JSON cannot carry.
    #[error("the report cannot be written down: {0}")]
    Value(WriteError),
    /// There is a file of that name already.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// A run into that file was cut off, and nobody said that this one goes on with it.
    #[error("an earlier run into this file did not come to its end: {} is there", .0.display())]
    Unfinished(PathBuf),
    /// Another run writes there now.
    #[error("another run writes {}", .0.display())]
    InUse(PathBuf),
    /// What a run left behind is not what its checkpoint says.
    #[error("{} does not go with {}: {what}", checkpoint.display(), partial.display())]
    Checkpoint {
        /// What there is of the report.
        partial: PathBuf,
        /// What says how far it is.
        checkpoint: PathBuf,
        /// What does not fit.
        what: &'static str,
    },
    /// The run that is to go on was another one.
    #[error("the run that was cut off was another one: its `{member}` differs")]
    OtherRun {
        /// What there is of its report.
        file: PathBuf,
        /// The member of its first line.
        member: &'static str,
    },
    /// The ledger has fewer entries than the run that is to go on had before it.
    #[error("the run that was cut off read {wanted} entries, and the ledger has {entries}")]
    ShorterLedger {
        /// What there is of its report.
        file: PathBuf,
        /// As many as it read.
        wanted: u64,
        /// As many as there are.
        entries: u64,
    },
    /// A report that is to be shown beside a ledger, and was not made of it.
    #[error("the report was made of another ledger: its `{member}` is not that of this one")]
    NotOfLedger {
        /// The report.
        file: PathBuf,
        /// The member of its first line.
        member: &'static str,
    },
    /// A merge of nothing.
    #[error("there is no report to merge")]
    Nothing,
    /// The ledger could not be read.
    #[error("cannot read the ledger for the head of a report: {0}")]
    Ledger(EntryFault),
    /// The replay did not come to its end.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// What is wrong with a line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LineFault {
    /// The first line is no head.
    #[error("this is no report: the first line does not say so")]
    NotAReport,
    /// A later version.
    #[error("the report is of version {0}; this program reads version 1")]
    Version(u64),
    /// A line of another form.
    #[error("no line of a report: {0}")]
    Form(#[from] FormError),
    /// A line that says what it says in other bytes than a report does.
    #[error("the line is not spelled as a report spells it")]
    Spelling,
    /// A verdict or its explanation is not of its schema.
    #[error("no verdict: {} (at \"{}\")", .0.message, .0.pointer)]
    Record(Box<Violation>),
    /// The parts of a verdict do not belong together.
    #[error("the parts of the verdict do not belong together: {0}")]
    Unbacked(&'static str),
    /// The report ends in front of its last line.
    #[error("the report is cut off here")]
    Cut,
    /// Something stands behind the last line.
    #[error("something stands behind the last line of the report")]
    Surplus,
    /// Longer than any line.
    #[error("the line is longer than {0} bytes")]
    TooLong(u64),
    /// A line out of order, or for the second time.
    #[error("the line is not behind the one before it in the order of traces")]
    Order,
    /// A trace that the shard does not cover.
    #[error("trace {trace} is none of shard {shard}")]
    Foreign {
        /// The trace.
        trace: TraceId,
        /// The shard of the report.
        shard: Shard,
    },
    /// The last line counts something else than the lines hold.
    #[error("the last line counts other traces than the report has")]
    Counts,
    /// Reports of two ledgers.
    #[error("the report is of another ledger than {}: its `{member}` differs", other.display())]
    OtherLedger {
        /// The report it is compared with.
        other: PathBuf,
        /// The member of the first line.
        member: &'static str,
    },
    /// Reports of one ledger at two times.
    #[error("the report is of another state of the ledger than {}: its `{member}` differs", other.display())]
    OtherSize {
        /// The report it is compared with.
        other: PathBuf,
        /// The member of the first line.
        member: &'static str,
    },
    /// Reports that answer two questions.
    #[error("the report answers another question than {}: its `{member}` differs", other.display())]
    OtherPlan {
        /// The report it is compared with.
        other: PathBuf,
        /// The member of the first line.
        member: &'static str,
    },
    /// Two reports say two things of one trace, or of the whole.
    #[error("the line says something else than line {other_line} of {}", other.display())]
    Unequal {
        /// The report it is compared with.
        other: PathBuf,
        /// Its line.
        other_line: u64,
    },
    /// A trace that only one of two reports has, though both should.
    #[error("trace {trace}, which {} has on line {other_line}, is missing in front of this line", other.display())]
    MissingTrace {
        /// The trace.
        trace: TraceId,
        /// The report that has it.
        other: PathBuf,
        /// Its line.
        other_line: u64,
    },
    /// Shards that nobody gave.
    #[error("the reports do not make a whole: of {of} shards these are missing: {missing}")]
    MissingShards {
        /// How many there are.
        of: u64,
        /// Those that are missing.
        missing: String,
    },
}

impl LineFault {
    /// The stable code of this fault.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAReport => "report.not_a_report",
            Self::Version(_) => "report.version",
            Self::Form(fault) => fault.code(),
            Self::Spelling => "report.spelling",
            Self::Record(_) => "report.record",
            Self::Unbacked(_) => "report.unbacked",
            Self::Cut => "report.cut",
            Self::Surplus => "report.surplus",
            Self::TooLong(_) => "report.too_long",
            Self::Order => "report.order",
            Self::Foreign { .. } => "report.foreign_trace",
            Self::Counts => "report.counts",
            Self::OtherLedger { .. } => "report.other_ledger",
            Self::OtherSize { .. } => "report.other_size",
            Self::OtherPlan { .. } => "report.other_plan",
            Self::Unequal { .. } => "report.unequal",
            Self::MissingTrace { .. } => "report.missing_trace",
            Self::MissingShards { .. } => "report.missing_shards",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotAReport => "give a file that `proofline replay --out` wrote, in JSON Lines",
            Self::Version(_) => "use a newer program",
            Self::Cut => "finish the run with `proofline replay --resume`, or copy the file again",
            Self::OtherLedger { .. } | Self::OtherSize { .. } | Self::OtherPlan { .. } => {
                "give reports of one ledger at one size, made with the same options and versions"
            }
            Self::MissingShards { .. } => "give the reports of all shards",
            Self::Unequal { .. } | Self::MissingTrace { .. } => {
                "replay both shards again: one of these reports, or its ledger, was changed"
            }
            _ => "take the file as the run wrote it; a report that was edited is none",
        }
    }
}

impl ReportError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Line { fault, .. } => fault.code(),
            Self::Io { .. } => "report.io",
            Self::Output(_) => "report.output",
            Self::Value(_) => "report.value",
            Self::Exists(_) => "report.exists",
            Self::Unfinished(_) => "report.unfinished",
            Self::InUse(_) => "report.in_use",
            Self::Checkpoint { .. } => "report.checkpoint",
            Self::OtherRun { .. } => "report.other_run",
            Self::ShorterLedger { .. } => "report.shorter_ledger",
            Self::NotOfLedger { .. } => "report.not_of_ledger",
            Self::Nothing => "report.nothing",
            Self::Ledger(_) => "report.ledger",
            Self::Replay(error) => error.code(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Line { fault, .. } => fault.hint(),
            Self::Io { .. } | Self::Output(_) => {
                "free space there, or name a place where this user can write"
            }
            Self::Value(_) => "please report this, with what led to it",
            Self::Exists(_) => "name a new file, or take this one away",
            Self::Unfinished(_) => "go on with it by `--resume`, or take it away",
            Self::InUse(_) => "wait for it, or name another file",
            Self::Checkpoint { .. } => "take both files away and run again",
            Self::OtherRun { .. } => "resume with the options of that run, or take its files away",
            Self::ShorterLedger { .. } => "resume over the ledger that the run read, or take its files away",
            Self::NotOfLedger { .. } => "name the ledger that was replayed, or replay this one",
            Self::Nothing => "name the files of all shards",
            Self::Ledger(_) => "run `proofline verify` to see what is damaged",
            Self::Replay(error) => error.hint(),
        }
    }

    /// Where it happened: the file and, in a report, the line.
    #[must_use]
    pub fn place(&self) -> Option<(&PathBuf, Option<u64>)> {
        match self {
            Self::Line { file, line, .. } => Some((file, Some(*line))),
            Self::Io { path, .. } | Self::Exists(path) | Self::Unfinished(path) | Self::InUse(path) => {
                Some((path, None))
            }
            Self::Checkpoint { checkpoint: file, .. }
            | Self::OtherRun { file, .. }
            | Self::NotOfLedger { file, .. }
            | Self::ShorterLedger { file, .. } => Some((file, None)),
            Self::Output(_) | Self::Value(_) | Self::Nothing | Self::Ledger(_) | Self::Replay(_) => None,
        }
    }
}
