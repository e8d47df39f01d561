//! The engine: takes traces in byte order, in batches of bounded size, replays each batch on its
//! own threads and hands the verdicts on by position, so that no output depends on how many
//! threads there are or which was first.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::ops::Range;

use proofline_canon::Sha256Digest;
use proofline_ledger::{Seq, Snapshot};
use proofline_proof::KeyList;
use proofline_trace::TraceId;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::census::{Census, Listed, LogCensus};
use crate::constrained::{self, Side};
use crate::error::ReplayError;
use crate::integrity;
use crate::means::Means;
use crate::pairs::{Pair, Pairs};
use crate::plan::{Mode, Plan, Selection};
use crate::report::{Part, Place, Progress, opening_of};
use crate::shelf::Shelf;
use crate::signatures;
use crate::single::{self, Inputs, Outcome};
use crate::sink::{Event, ReplaySink};
use crate::summary::{Summary, Tally};
use crate::variance::VariancePolicy;
use crate::verdict::TraceReplay;
use crate::walk::{ENTRIES_PER_BATCH, TRACES_PER_CHUNK, batches, look_up, stop};

/// The stack of each thread: what a policy's evaluation may need, so that none needs a stack of its own. Only what
/// is used is memory.
const STACK_BYTES: usize = 64 << 20;

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
    if matches!((&plan.mode, &plan.traces), (Mode::Forensic | Mode::Invariant, Selection::All)) {
        let part = replay_part(snapshot, means, plan, None, sink)?;
        return Ok(if plan.shard.is_some() { part.into_summary() } else { part.conclude() });
    }
    let erasures = snapshot.readable_erasures().map_err(ReplayError::Lookup)?;
    let shelf = Shelf::new(*means, &erasures, &plan.closed);
    let inputs = Inputs { snapshot, means: *means, plan, erasures: &erasures, shelf: &shelf };
    let mut run = Run::new(inputs, sink)?;
    let unfit = |wanted| Err(ReplayError::Plan { replay_type: plan.mode.replay_type(), wanted });
    match (&plan.mode, &plan.traces) {
        _ if plan.shard.is_some() => return unfit("everything, where it is cut into shards"),
        (Mode::Constrained(variance), Selection::Pairs(pairs)) => run.pairs(pairs, variance)?,
        (Mode::Constrained(_), _) | (_, Selection::All) => return unfit("pairs of traces"),
        (_, Selection::Pairs(_)) => return unfit("traces, one by one"),
        (_, Selection::Chosen(traces)) => {
            let traces: Vec<TraceId> = traces.iter().copied().collect();
            for chunk in traces.chunks(run.traces_per_chunk()) {
                run.chunk(chunk, Some(traces.len() as u64))?;
            }
        }
    }
    Ok(run.tally.finish())
}

/// Replays everything, or the shard of it that the plan names, and gives what parts are added up from. With `from`
/// it goes on where an earlier run, of the same plan over the same entries, told its sink that it can.
///
/// # Errors
/// As [`replay`]; [`ReplayError::Plan`] where the plan is not of everything, one by one.
pub fn replay_part(
    snapshot: &Snapshot,
    means: &Means<'_>,
    plan: &Plan,
    from: Option<Progress>,
    sink: &mut dyn ReplaySink,
) -> Result<Part, ReplayError> {
    if !matches!((&plan.mode, &plan.traces), (Mode::Forensic | Mode::Invariant, Selection::All)) {
        let wanted = "everything, one by one, where it is cut into parts";
        return Err(ReplayError::Plan { replay_type: plan.mode.replay_type(), wanted });
    }
    let erasures = snapshot.readable_erasures().map_err(ReplayError::Lookup)?;
    let shelf = Shelf::new(*means, &erasures, &plan.closed);
    let inputs = Inputs { snapshot, means: *means, plan, erasures: &erasures, shelf: &shelf };
    Run::new(inputs, sink)?.everything(from)
}

fn part(tally: &Tally, given: Census, log: LogCensus, listed: Listed) -> Part {
    Part { summary: tally.summary().clone(), shared_damage: tally.shared_damage(), given, log, listed }
}

/// Threads of this run alone. Their number never comes from the environment.
pub(crate) fn pool(threads: Option<NonZeroUsize>) -> Result<ThreadPool, ReplayError> {
    let asked = threads.or_else(|| std::thread::available_parallelism().ok());
    let threads = asked.map_or(1, NonZeroUsize::get);
    let name = |index| format!("replay-{index}");
    Ok(ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK_BYTES).thread_name(name).build()?)
}

struct Run<'a> {
    pool: ThreadPool,
    inputs: Inputs<'a>,
    sink: &'a mut dyn ReplaySink,
    tally: Tally,
    entries: u64,
    /// What the traces gave so far.
    census: Census,
    /// What the entries of the log gave, of a run over everything.
    log: LogCensus,
    place: Place,
    opening: Sha256Digest,
}

impl<'a> Run<'a> {
    fn new(inputs: Inputs<'a>, sink: &'a mut dyn ReplaySink) -> Result<Self, ReplayError> {
        Ok(Self {
            pool: pool(inputs.plan.threads)?,
            tally: Tally::new(inputs.snapshot, inputs.plan),
            inputs,
            sink,
            entries: 0,
            census: Census::default(),
            log: LogCensus::default(),
            place: Place::default(),
            opening: opening_of(inputs.snapshot),
        })
    }

    fn traces_per_chunk(&self) -> usize {
        self.inputs.plan.batch_traces.map_or(TRACES_PER_CHUNK, NonZeroUsize::get)
    }

    fn everything(mut self, from: Option<Progress>) -> Result<Part, ReplayError> {
        let snapshot = self.inputs.snapshot;
        let stretch =
            self.inputs.plan.shard.map_or(0..snapshot.entries(), |shard| shard.range(snapshot.entries()));
        let begins = from.is_none();
        if let Some(from) = from {
            self = self.go_on(from)?;
        }
        let tally = &mut self.tally;
        let keys = signatures::keys(snapshot, |damage| {
            if begins {
                tally.key_damage(damage)
            }
        })?;
        self.integrity(keys.as_ref(), &stretch)?;
        while let Some(traces) = self.next_traces()? {
            self.chunk(&traces, None)?;
        }
        let listed = Listed::read(snapshot, &stretch).map_err(ReplayError::Lookup)?;
        Ok(part(&self.tally, self.census, self.log, listed))
    }

    fn go_on(self, from: Progress) -> Result<Self, ReplayError> {
        if from.opening != self.opening {
            return Err(ReplayError::OtherDamage);
        }
        let Part { summary, shared_damage, given, log, .. } = from.part;
        let tally = self.tally.go_on(summary, shared_damage);
        Ok(Self { tally, census: given, log, place: from.place, entries: from.entries, ..self })
    }

    /// Tells the sink that the run can go on from here.
    fn tell_progress(&mut self) -> Result<(), ReplayError> {
        if !matches!(self.inputs.plan.traces, Selection::All) {
            return Ok(());
        }
        let Self { tally, census, log, place, entries, opening, sink, .. } = self;
        let progress = || Progress {
            // What the indexes list is counted at the end.
            part: part(tally, *census, *log, Listed::default()),
            place: *place,
            entries: *entries,
            opening: *opening,
        };
        stop(sink.progress(&progress))
    }

    fn integrity(&mut self, keys: Option<&KeyList>, stretch: &Range<u64>) -> Result<(), ReplayError> {
        let total = stretch.end - stretch.start;
        while self.place.checked < total {
            let start = stretch.start + self.place.checked;
            let end = integrity::window_end(start, stretch.end);
            let looked = integrity::check(&self.pool, self.inputs.snapshot, keys, start..end)?;
            looked.damage.into_iter().for_each(|damage| self.tally.entry_damage(damage));
            self.log.add(looked.census);
            self.tally.signatures(looked.signatures);
            self.place.checked = end - stretch.start;
            self.tell(&Event::EntriesChecked { checked: self.place.checked, total })?;
            self.tell_progress()?;
        }
        Ok(())
    }

    /// The next traces of this run; none at the end.
    fn next_traces(&self) -> Result<Option<Vec<TraceId>>, ReplayError> {
        let (shard, wanted) = (self.inputs.plan.shard, self.traces_per_chunk());
        let (mut found, mut last) = (Vec::new(), self.place.after);
        while found.len() < wanted {
            let traces =
                self.inputs.snapshot.traces_after(last, TRACES_PER_CHUNK).map_err(ReplayError::Lookup)?;
            let Some(end) = traces.last() else { break };
            last = Some(*end);
            let own = traces.into_iter().filter(|trace| shard.is_none_or(|shard| shard.covers(*trace)));
            found.extend(own.take(wanted - found.len()));
        }
        Ok(Some(found).filter(|found| !found.is_empty()))
    }

    fn chunk(&mut self, traces: &[TraceId], total: Option<u64>) -> Result<(), ReplayError> {
        for batch in batches(look_up(&self.pool, self.inputs.snapshot, traces)?) {
            self.batch(&batch)?;
            self.entries += batch.iter().map(|(_, seqs)| seqs.len() as u64).sum::<u64>();
            let (traces, entries) = (self.tally.traces(), self.entries);
            self.tell(&Event::TracesReplayed { traces, total, entries })?;
            self.place.after = batch.last().map(|(trace, _)| *trace);
            self.tell_progress()?;
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

    fn pairs(&mut self, pairs: &Pairs, variance: &VariancePolicy) -> Result<(), ReplayError> {
        let pairs: Vec<Pair> = pairs.iter().collect();
        let mut sides = Sides::new();
        for chunk in pairs.chunks(TRACES_PER_CHUNK) {
            let traces: BTreeSet<TraceId> =
                chunk.iter().flat_map(|pair| [pair.baseline, pair.candidate]).collect();
            let traces: Vec<TraceId> = traces.into_iter().collect();
            let seqs: BTreeMap<TraceId, Vec<Seq>> =
                look_up(&self.pool, self.inputs.snapshot, &traces)?.into_iter().collect();
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
        variance: &VariancePolicy,
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
