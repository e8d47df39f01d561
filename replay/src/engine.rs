//! The engine: takes traces in byte order, in batches of bounded size, replays each batch on its
//! own threads and hands the verdicts on by position, so that no output depends on how many
//! threads there are or which was first.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use proofline_ledger::{EntryFault, Seq, Snapshot};
use proofline_trace::TraceId;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::census::Census;
use crate::constrained::{self, Side};
use crate::error::ReplayError;
use crate::integrity;
use crate::means::Means;
use crate::pairs::{Pair, Pairs};
use crate::plan::{Mode, Plan, Selection};
use crate::single::{self, Inputs, Outcome};
use crate::sink::{Event, ReplaySink};
use crate::summary::{Summary, Tally};
use crate::variance::VariancePolicy;
use crate::verdict::TraceReplay;

/// Traces, or pairs of them, that are looked up at once.
pub(crate) const TRACES_PER_CHUNK: usize = 256;
/// A batch ends with the trace that brings it to this many entries. Memory holds one batch: so
/// many records, or one trace that is longer.
pub(crate) const ENTRIES_PER_BATCH: usize = 1 << 16;

/// Replays what the plan asks for over a fixed prefix of a ledger.
///
/// `means` is what it may use besides: without a store no payload is at hand, which the coverage says
/// and no finding does. Verdicts and events go to `sink`. Nothing is read but the ledger and the store,
/// and nothing is written.
///
/// # Errors
/// [`ReplayError`]: the system refused a call, or the sink asked to stop. A failing verdict and a
/// damaged log are no errors; [`Summary::verdict`] tells of them.
pub fn replay(
    snapshot: &Snapshot,
    means: &Means<'_>,
    plan: &Plan,
    sink: &mut dyn ReplaySink,
) -> Result<Summary, ReplayError> {
    let erasures = snapshot.readable_erasures().map_err(ReplayError::Lookup)?;
    let inputs = Inputs { snapshot, means: *means, plan, erasures: &erasures };
    let (pool, tally) = (pool(plan.threads)?, Tally::new(snapshot, plan));
    let mut run = Run { pool, inputs, sink, tally, entries: 0, census: Census::default() };
    let unfit = |wanted| Err(ReplayError::Plan { replay_type: plan.mode.replay_type(), wanted });
    match (plan.mode, &plan.traces) {
        (Mode::Constrained(variance), Selection::Pairs(pairs)) => run.pairs(pairs, variance)?,
        (Mode::Constrained(_), _) => return unfit("pairs of traces"),
        (_, Selection::Pairs(_)) => return unfit("traces, one by one"),
        (_, Selection::All) => run.everything()?,
        (_, Selection::Chosen(traces)) => {
            let traces: Vec<TraceId> = traces.iter().copied().collect();
            for chunk in traces.chunks(TRACES_PER_CHUNK) {
                run.chunk(chunk, Some(traces.len() as u64))?;
            }
        }
    }
    Ok(run.tally.finish())
}

/// Threads of this run alone. Their number never comes from the environment.
pub(crate) fn pool(threads: Option<NonZeroUsize>) -> Result<ThreadPool, ReplayError> {
    let asked = threads.or_else(|| std::thread::available_parallelism().ok());
    let threads = asked.map_or(1, NonZeroUsize::get);
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
        let checked =
            integrity::check(&self.pool, snapshot, &mut *self.sink, |damage| tally.entry_damage(damage))?;
        self.tally.signatures(checked.signatures);
        let log = checked.census;
        let mut last = None;
        loop {
            let traces = snapshot.traces_after(last, TRACES_PER_CHUNK).map_err(ReplayError::Lookup)?;
            let Some(end) = traces.last() else { break };
            last = Some(*end);
            self.chunk(&traces, None)?;
        }
        let hashes = log.fault_of_hashes(snapshot).map_err(ReplayError::Lookup)?;
        let faults = log.fault_of_traces(self.census).into_iter().chain(hashes);
        faults.for_each(|damage| self.tally.entry_damage(damage));
        Ok(())
    }

    fn look_up(&self, traces: &[TraceId]) -> Result<Vec<(TraceId, Vec<Seq>)>, ReplayError> {
        let snapshot = self.inputs.snapshot;
        let look_up = |trace: &TraceId| Ok((*trace, snapshot.of_trace(*trace)?));
        let found: Result<Vec<_>, EntryFault> =
            self.pool.install(|| traces.par_iter().map(look_up).collect());
        found.map_err(ReplayError::Lookup)
    }

    fn chunk(&mut self, traces: &[TraceId], total: Option<u64>) -> Result<(), ReplayError> {
        let mut rest = self.look_up(traces)?.into_iter().peekable();
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
        let replay = |(trace, seqs): &(TraceId, Vec<Seq>)| single::replay(inputs, *trace, seqs);
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

    fn pairs(&mut self, pairs: &Pairs, variance: VariancePolicy) -> Result<(), ReplayError> {
        let pairs: Vec<Pair> = pairs.iter().collect();
        let mut sides = Sides::new();
        for chunk in pairs.chunks(TRACES_PER_CHUNK) {
            let traces: BTreeSet<TraceId> =
                chunk.iter().flat_map(|pair| [pair.baseline, pair.candidate]).collect();
            let traces: Vec<TraceId> = traces.into_iter().collect();
            let seqs: BTreeMap<TraceId, Vec<Seq>> = self.look_up(&traces)?.into_iter().collect();
            let mut rest = chunk;
            while !rest.is_empty() {
                let (batch, behind) = rest.split_at(batch_of_pairs(rest, &seqs, &sides));
                rest = behind;
                self.prepare(batch, &seqs, &mut sides)?;
                self.compare(batch, &sides, variance)?;
                let (traces, entries) = (self.tally.traces(), self.entries);
                self.tell(&Event::TracesReplayed { traces, total: Some(pairs.len() as u64), entries })?;
            }
        }
        Ok(())
    }

    /// Reads the traces of a batch that the batch before did not leave, each once.
    fn prepare(
        &mut self,
        batch: &[Pair],
        seqs: &BTreeMap<TraceId, Vec<Seq>>,
        sides: &mut Sides,
    ) -> Result<(), ReplayError> {
        let wanted: BTreeSet<TraceId> =
            batch.iter().flat_map(|pair| [pair.baseline, pair.candidate]).collect();
        sides.retain(|trace, _| wanted.contains(trace));
        let missing: Vec<TraceId> = wanted.into_iter().filter(|trace| !sides.contains_key(trace)).collect();
        let inputs = &self.inputs;
        let read = |trace: &TraceId| {
            let seqs = seqs.get(trace).map_or(&[][..], |seqs| seqs);
            Ok((*trace, Side::read(inputs, *trace, seqs)?))
        };
        let found: Result<Vec<_>, ReplayError> =
            self.pool.install(|| missing.par_iter().with_max_len(1).map(read).collect());
        sides.extend(found?);
        self.entries +=
            missing.iter().filter_map(|trace| seqs.get(trace)).map(|seqs| seqs.len() as u64).sum::<u64>();
        Ok(())
    }

    fn compare(
        &mut self,
        batch: &[Pair],
        sides: &Sides,
        variance: VariancePolicy,
    ) -> Result<(), ReplayError> {
        let inputs = &self.inputs;
        let compare = |pair: &Pair| {
            let (baseline, candidate) = (sides.get(&pair.baseline)?, sides.get(&pair.candidate)?);
            Some(constrained::replay(inputs.plan, variance, baseline, candidate))
        };
        let verdicts: Vec<TraceReplay> =
            self.pool.install(|| batch.par_iter().with_max_len(1).filter_map(compare).collect());
        for replay in verdicts {
            self.tally.verdict(&replay);
            stop(self.sink.verdict(replay))?;
        }
        Ok(())
    }

    fn tell(&mut self, event: &Event) -> Result<(), ReplayError> {
        stop(self.sink.event(event))
    }
}

/// The traces that a batch of pairs compares. The last batch's are kept where the next one wants
/// them again: a baseline of many candidates is read once.
type Sides = BTreeMap<TraceId, Side>;

/// How many of these pairs make a batch: as many as have about [`ENTRIES_PER_BATCH`] entries that
/// were not read yet, and one at least.
fn batch_of_pairs(pairs: &[Pair], seqs: &BTreeMap<TraceId, Vec<Seq>>, sides: &Sides) -> usize {
    let (mut known, mut entries): (BTreeSet<TraceId>, usize) = (BTreeSet::new(), 0);
    let mut taken = 0;
    for pair in pairs {
        for trace in [pair.baseline, pair.candidate] {
            if known.insert(trace) && !sides.contains_key(&trace) {
                entries += seqs.get(&trace).map_or(0, Vec::len);
            }
        }
        if taken > 0 && entries > ENTRIES_PER_BATCH {
            break;
        }
        taken += 1;
    }
    taken
}

pub(crate) fn stop(answer: ControlFlow<()>) -> Result<(), ReplayError> {
    match answer {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ReplayError::Stopped),
    }
}
