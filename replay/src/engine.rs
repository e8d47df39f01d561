//! The engine: takes traces in byte order, in batches of bounded size, replays each batch on its
//! own threads and hands the verdicts on by position, so that no output depends on how many
//! threads there are or which was first.

use std::ops::ControlFlow;

use proofline_canon::ContentStore;
use proofline_ledger::{EntryFault, Seq, Snapshot};
use proofline_trace::TraceId;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::census::Census;
use crate::error::ReplayError;
use crate::forensic::{self, Inputs, Outcome};
use crate::integrity;
use crate::plan::{Mode, Plan, Selection};
use crate::sink::{Event, ReplaySink};
use crate::summary::{Summary, Tally};

/// Traces that are looked up at once.
const TRACES_PER_CHUNK: usize = 256;
/// A batch ends with the trace that brings it to this many entries. Memory holds one batch: so
/// many records, or one trace that is longer.
const ENTRIES_PER_BATCH: usize = 1 << 16;

/// Replays what the plan asks for over a fixed prefix of a ledger.
///
/// `payloads` is where payload bytes are looked for, if anywhere: without a store no payload is at
/// hand, which the coverage says and no finding does. Verdicts and events go to `sink`. Nothing is
/// read but the ledger and the store, and nothing is written.
///
/// # Errors
/// [`ReplayError`]: the system refused a call, or the sink asked to stop. A failing verdict and a
/// damaged log are no errors; [`Summary::verdict`] tells of them.
pub fn replay(
    snapshot: &Snapshot,
    payloads: Option<&(dyn ContentStore + Sync)>,
    plan: &Plan,
    sink: &mut dyn ReplaySink,
) -> Result<Summary, ReplayError> {
    let inputs = Inputs { snapshot, payloads, plan };
    let (pool, tally) = (pool(plan)?, Tally::new(snapshot, plan));
    let mut run = Run { pool, inputs, sink, tally, entries: 0, census: Census::default() };
    match &plan.traces {
        Selection::All => run.everything()?,
        Selection::Chosen(traces) => {
            let traces: Vec<TraceId> = traces.iter().copied().collect();
            for chunk in traces.chunks(TRACES_PER_CHUNK) {
                run.chunk(chunk, Some(traces.len() as u64))?;
            }
        }
    }
    Ok(run.tally.finish())
}

/// Threads of this run alone. Their number never comes from the environment.
fn pool(plan: &Plan) -> Result<ThreadPool, ReplayError> {
    let asked = plan.threads.or_else(|| std::thread::available_parallelism().ok());
    let threads = asked.map_or(1, std::num::NonZeroUsize::get);
    let name = |index| format!("replay-{index}");
    Ok(ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build()?)
}

struct Run<'a> {
    pool: ThreadPool,
    inputs: Inputs<'a>,
    sink: &'a mut dyn ReplaySink,
    tally: Tally,
    entries: u64,
    /// What the traces gave so far.
    census: Census,
}

impl Run<'_> {
    fn everything(&mut self) -> Result<(), ReplayError> {
        let (snapshot, tally) = (self.inputs.snapshot, &mut self.tally);
        let log =
            integrity::check(&self.pool, snapshot, &mut *self.sink, |damage| tally.entry_damage(damage))?;
        let mut last = None;
        loop {
            let traces = snapshot.traces_after(last, TRACES_PER_CHUNK).map_err(ReplayError::Lookup)?;
            let Some(end) = traces.last() else { break };
            last = Some(*end);
            self.chunk(&traces, None)?;
        }
        if let Some(damage) = log.fault_of_traces(self.census) {
            self.tally.entry_damage(damage);
        }
        Ok(())
    }

    fn chunk(&mut self, traces: &[TraceId], total: Option<u64>) -> Result<(), ReplayError> {
        let snapshot = self.inputs.snapshot;
        let look_up = |trace: &TraceId| Ok((*trace, snapshot.of_trace(*trace)?));
        let found: Result<Vec<_>, EntryFault> =
            self.pool.install(|| traces.par_iter().map(look_up).collect());
        let mut rest = found.map_err(ReplayError::Lookup)?.into_iter().peekable();
        while rest.peek().is_some() {
            let mut entries = 0;
            let batch: Vec<(TraceId, Vec<Seq>)> = std::iter::from_fn(|| {
                let (trace, seqs) = rest.next_if(|_| entries < ENTRIES_PER_BATCH)?;
                entries += seqs.len();
                Some((trace, seqs))
            })
            .collect();
            self.batch(&batch)?;
            self.entries += entries as u64;
            let (traces, entries) = (self.tally.traces(), self.entries);
            self.tell(&Event::TracesReplayed { traces, total, entries })?;
        }
        Ok(())
    }

    fn batch(&mut self, batch: &[(TraceId, Vec<Seq>)]) -> Result<(), ReplayError> {
        let inputs = &self.inputs;
        let replay = |(trace, seqs): &(TraceId, Vec<Seq>)| match inputs.plan.mode {
            Mode::Forensic => forensic::replay(inputs, *trace, seqs),
        };
        let outcomes: Result<Vec<(Outcome, Census)>, ReplayError> =
            self.pool.install(|| batch.par_iter().with_max_len(1).map(replay).collect());
        for (outcome, census) in outcomes? {
            self.census.add(census);
            match outcome {
                Outcome::Verdict(replay) => {
                    self.tally.verdict(&replay);
                    stop(self.sink.verdict(*replay))?;
                }
                Outcome::Unlisted(unlisted) => {
                    self.tally.unlisted(&unlisted);
                    self.tell(&Event::Unlisted(unlisted))?;
                }
                Outcome::Nothing => {}
            }
        }
        Ok(())
    }

    fn tell(&mut self, event: &Event) -> Result<(), ReplayError> {
        stop(self.sink.event(event))
    }
}

fn stop(answer: ControlFlow<()>) -> Result<(), ReplayError> {
    match answer {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ReplayError::Stopped),
    }
}
