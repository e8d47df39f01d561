//! Who takes what a replay produces: verdicts in order, and events for whoever watches.

use std::ops::ControlFlow;

use proofline_trace::{Finding, TraceId};

use crate::report::Progress;
use crate::verdict::TraceReplay;

/// Takes verdicts as they come, so that a run over everything needs no memory for all of them.
///
/// Breaking from either function stops the replay, which then returns
/// [`ReplayError::Stopped`](crate::ReplayError::Stopped). A flag that another thread sets is
/// best looked at in [`ReplaySink::event`]: it is called after each batch of work, which is some
/// ten thousand entries or one trace that has more.
pub trait ReplaySink {
    /// The next verdict: traces come in byte order of their ids, whatever order was asked for, and
    /// pairs of them by baseline, then by candidate.
    fn verdict(&mut self, replay: TraceReplay) -> ControlFlow<()>;

    /// Something to tell of on the way.
    fn event(&mut self, event: &Event) -> ControlFlow<()> {
        let _ = event;
        ControlFlow::Continue(())
    }

    /// A place where a run over everything can go on later, after all that this sink was given before; `progress`
    /// makes what [`replay_part`](crate::replay_part) then needs.
    fn progress(&mut self, progress: &dyn Fn() -> Progress) -> ControlFlow<()> {
        let _ = progress;
        ControlFlow::Continue(())
    }
}

/// Keeps every verdict.
impl ReplaySink for Vec<TraceReplay> {
    fn verdict(&mut self, replay: TraceReplay) -> ControlFlow<()> {
        self.push(replay);
        ControlFlow::Continue(())
    }
}

/// How far a replay is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Entries whose frame and place in the chain were checked, in a run over everything.
    EntriesChecked {
        /// So far.
        checked: u64,
        /// In the ledger.
        total: u64,
    },
    /// Traces, or pairs of them, that were replayed; sent after their verdicts.
    TracesReplayed {
        /// Traces so far.
        traces: u64,
        /// Traces in all, when they were chosen.
        total: Option<u64>,
        /// Entries of those traces so far; a baseline of many candidates is read once.
        entries: u64,
    },
    /// A trace without a verdict; see [`Selection::All`](crate::Selection::All).
    Unlisted(Unlisted),
}

/// A trace of rejected attempts alone, in a run over everything that does not list them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlisted {
    /// The trace.
    pub trace_id: TraceId,
    /// How many attempts it has.
    pub attempts: u64,
    /// What deciding them again found.
    pub findings: Vec<Finding>,
}
