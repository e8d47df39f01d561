//! A back-test: the same history under another policy. Every accepted decision is asked of it, by the question that
//! it answered, and what it would have said is held against what was recorded.

mod error;
mod report;
mod trace;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use proofline_canon::Sha256Digest;
use proofline_ledger::{Action, Ledger, Outcome, Seq, Snapshot};
use proofline_policy::{Memory, PolicyEngine};
use proofline_trace::{Failure, Timestamp, TraceId};
use rayon::prelude::*;

use crate::engine::pool;
use crate::error::ReplayError;
use crate::means::Means;
use crate::plan::Selection;
use crate::shelf::REMEMBERED_BYTES;
use crate::verdict::Place;
use crate::walk::{TRACES_PER_CHUNK, batches, look_up, stop};

pub use error::{BacktestError, BacktestRecordError};
pub use report::{
    Backtest, BacktestCounts, BacktestTable, ChangeCount, ChangedDecision, DecisionChange, LostCall,
};

/// A back-test to be run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BacktestPlan {
    /// The bytes of the other policy.
    pub policy: Vec<u8>,
    /// The traces; pairs are none.
    pub traces: Selection,
    /// The time that the report bears: the only clock a back-test knows.
    pub generated_at: Timestamp,
    /// How many threads work; none for as many as the machine has. No output depends on it.
    pub threads: Option<NonZeroUsize>,
}

/// What a back-test tells while it runs, trace by trace in the order of their ids. `Break` ends it with
/// [`ReplayError::Stopped`].
pub trait BacktestSink {
    /// A decision that would be another one; those of a trace come in chain order.
    fn changed(&mut self, changed: ChangedDecision) -> ControlFlow<()>;

    /// A trace that is not asked about, because its records do not hold or are not there.
    fn skipped(&mut self, _trace_id: TraceId, _failure: &Failure) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// How many traces and entries are through.
    fn progress(&mut self, _traces: u64, _entries: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Keeps all of them, which takes as much memory as there are.
impl BacktestSink for Vec<ChangedDecision> {
    fn changed(&mut self, changed: ChangedDecision) -> ControlFlow<()> {
        self.push(changed);
        ControlFlow::Continue(())
    }
}

/// Asks the decisions of a fixed prefix of a ledger of another policy. `means` gives the engine; nothing is executed.
///
/// Only accepted decisions of traces whose bytes and gate checks hold are asked (as in an invariant replay): a trace
/// that fails is counted as skipped and told. Calls that the gate refused and kept are counted, and not asked about.
///
/// # Errors
/// [`BacktestError`]: the policy cannot be asked, the system refused a call, or the sink asked to stop.
pub fn backtest(
    snapshot: &Snapshot,
    means: &Means<'_>,
    plan: &BacktestPlan,
    sink: &mut dyn BacktestSink,
) -> Result<Backtest, BacktestError> {
    let engine: &dyn PolicyEngine = means.policies.ok_or(BacktestError::NoEngine)?;
    let pool = pool(plan.threads)?;
    // A policy that is deep needs the stack of these threads.
    let policy = pool.install(|| engine.load(&plan.policy))?;
    let report = Backtest::new(snapshot, engine, plan);
    let memory = Memory::new(REMEMBERED_BYTES);
    let other = trace::Other { name: name_of(plan), policy: &*policy, memory };
    let mut run = Run { snapshot, other, pool, sink, report, entries: 0 };
    match &plan.traces {
        Selection::All => run.everything()?,
        Selection::Chosen(traces) => {
            let traces: Vec<TraceId> = traces.iter().copied().collect();
            traces.chunks(TRACES_PER_CHUNK).try_for_each(|chunk| run.chunk(chunk, true))?;
        }
        Selection::Pairs(_) => return Err(BacktestError::Pairs),
    }
    Ok(run.report)
}

struct Run<'a> {
    snapshot: &'a Snapshot,
    other: trace::Other<'a>,
    pool: rayon::ThreadPool,
    sink: &'a mut dyn BacktestSink,
    report: Backtest,
    entries: u64,
}

impl Run<'_> {
    fn everything(&mut self) -> Result<(), ReplayError> {
        let mut last = None;
        loop {
            let traces = self.snapshot.traces_after(last, TRACES_PER_CHUNK).map_err(ReplayError::Lookup)?;
            let Some(end) = traces.last() else { return Ok(()) };
            last = Some(*end);
            self.chunk(&traces, false)?;
        }
    }

    fn chunk(&mut self, traces: &[TraceId], is_chosen: bool) -> Result<(), ReplayError> {
        for batch in batches(look_up(&self.pool, self.snapshot, traces)?) {
            let (snapshot, other) = (self.snapshot, &self.other);
            let ask =
                |(trace, seqs): &(TraceId, Vec<Seq>)| trace::ask(snapshot, other, *trace, seqs, is_chosen);
            let asked: Result<Vec<trace::Asked>, ReplayError> =
                self.pool.install(|| batch.par_iter().with_max_len(1).map(ask).collect());
            asked?.into_iter().try_for_each(|asked| self.take(asked))?;
            self.entries += batch.iter().map(|(_, seqs)| seqs.len() as u64).sum::<u64>();
            let counts = &self.report.counts;
            stop(self.sink.progress(counts.traces + counts.traces_skipped, self.entries))?;
        }
        Ok(())
    }

    fn take(&mut self, asked: trace::Asked) -> Result<(), ReplayError> {
        self.report.add(&asked);
        if let Some(failure) = &asked.failure {
            stop(self.sink.skipped(asked.trace_id, failure))?;
        }
        asked.changed.into_iter().try_for_each(|changed| stop(self.sink.changed(changed)))
    }
}

/// Appends the report of a back-test to the ledger that it was about, as an artifact of no trace. The same report
/// again appends nothing. The policy belongs among the ledger's payloads, which is the caller's to do first.
///
/// # Errors
/// [`BacktestRecordError`]; nothing is then appended.
pub fn record_backtest(
    ledger: &Ledger,
    report: &Backtest,
    now_ms: u64,
) -> Result<Place, BacktestRecordError> {
    let record = report.record(ledger)?;
    let body = record.canonical();
    match ledger.commit_action(&Action::Artifact(&body), now_ms)? {
        Outcome::Accepted { envelope_hash: hash, seq, duplicate } => Ok(Place { hash, seq, duplicate }),
        Outcome::ArtifactRefused(refusal) => Err(BacktestRecordError::Refused(refusal)),
        Outcome::Refused { .. } => Err(BacktestRecordError::Unanswered),
    }
}

fn name_of(plan: &BacktestPlan) -> Sha256Digest {
    Sha256Digest::of(&plan.policy)
}
