//! The engine: takes traces in byte order, in batches of bounded size, replays each batch on its
//! own threads and hands the verdicts on by position, so that no output depends on how many
//! threads there are or which was first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::ops::Range;

use proofline_canon::Sha256Digest;
use proofline_ledger::{Seq, Snapshot, TracesFrom};
use proofline_proof::KeyList;
use proofline_trace::TraceId;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::census::{Listed, LogCensus, Logged, PIECE_ENTRIES};
use crate::constrained::{self, Side};
use crate::error::ReplayError;
use crate::integrity;
use crate::links::LinkLook;
use crate::means::Means;
use crate::pairs::{Pair, Pairs};
use crate::pipeline;
use crate::plan::{Mode, Plan, Selection};
use crate::reading::{Pace, Reader};
use crate::report::{Part, Place, Progress, Shard, opening_of};
use crate::shelf::Shelf;
use crate::signatures;
use crate::single::{self, Inputs, Outcome, Replayed};
use crate::sink::{Event, ReplaySink};
use crate::summary::{Summary, Tally};
use crate::variance::VariancePolicy;
use crate::verdict::TraceReplay;
use crate::walk::{ENTRIES_PER_BATCH, TRACES_PER_CHUNK, TraceEntries, batches, look_up, stop};

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
    replay_at(Pace::Bulk, snapshot, means, plan, sink)
}

/// [`replay`], which reads and checks entries one by one and looks at every link twice. For tests, which hold the
/// other against it.
///
/// # Errors
/// As [`replay`].
#[doc(hidden)]
pub fn replay_one_by_one(
    snapshot: &Snapshot,
    means: &Means<'_>,
    plan: &Plan,
    sink: &mut dyn ReplaySink,
) -> Result<Summary, ReplayError> {
    replay_at(Pace::OneByOne, snapshot, means, plan, sink)
}

fn replay_at(
    pace: Pace,
    snapshot: &Snapshot,
    means: &Means<'_>,
    plan: &Plan,
    sink: &mut dyn ReplaySink,
) -> Result<Summary, ReplayError> {
    if matches!((&plan.mode, &plan.traces), (Mode::Forensic | Mode::Invariant, Selection::All)) {
        let part = part_at(pace, snapshot, means, plan, None, sink)?;
        return Ok(if plan.shard.is_some() { part.into_summary() } else { part.conclude() });
    }
    let erasures = snapshot.readable_erasures().map_err(ReplayError::Lookup)?;
    let shelf = Shelf::new(*means, &erasures, &plan.closed);
    let inputs = Inputs { snapshot, means: *means, plan, erasures: &erasures, shelf: &shelf };
    let (pool, reader) = (pool(plan.threads)?, Reader::new(snapshot, pace));
    let chosen: Vec<TraceId> = match &plan.traces {
        Selection::Chosen(traces) => traces.iter().copied().collect(),
        _ => Vec::new(),
    };
    let mut run = Run::new(inputs, &pool, &reader, sink);
    let unfit = |wanted| Err(ReplayError::Plan { replay_type: plan.mode.replay_type(), wanted });
    match (&plan.mode, &plan.traces) {
        _ if plan.shard.is_some() => return unfit("everything, where it is cut into shards"),
        (Mode::Constrained(variance), Selection::Pairs(pairs)) => run.pairs(pairs, variance)?,
        (Mode::Constrained(_), _) | (_, Selection::All) => return unfit("pairs of traces"),
        (_, Selection::Pairs(_)) => return unfit("traces, one by one"),
        (_, Selection::Chosen(_)) => {
            let listing = Listing::of_chosen(&run, &chosen);
            run.traces(listing, Some(chosen.len() as u64), None)?;
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
    part_at(Pace::Bulk, snapshot, means, plan, from, sink)
}

/// [`replay_part`] in the manner of [`replay_one_by_one`].
///
/// # Errors
/// As [`replay_part`].
#[doc(hidden)]
pub fn replay_part_one_by_one(
    snapshot: &Snapshot,
    means: &Means<'_>,
    plan: &Plan,
    from: Option<Progress>,
    sink: &mut dyn ReplaySink,
) -> Result<Part, ReplayError> {
    part_at(Pace::OneByOne, snapshot, means, plan, from, sink)
}

fn part_at(
    pace: Pace,
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
    let (pool, reader) = (pool(plan.threads)?, Reader::new(snapshot, pace));
    Run::new(inputs, &pool, &reader, sink).everything(from)
}

fn part(tally: &Tally, given: u64, log: LogCensus, listed: Listed) -> Part {
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
    pool: &'a ThreadPool,
    inputs: Inputs<'a>,
    reader: &'a Reader<'a>,
    sink: &'a mut dyn ReplaySink,
    tally: Tally,
    entries: u64,
    /// How many entries the traces gave so far.
    given: u64,
    /// What the entries of the log gave, of a run over everything.
    log: LogCensus,
    /// What the indexes list of them.
    listed: Listed,
    place: Place,
    opening: Sha256Digest,
}

impl<'a> Run<'a> {
    fn new(
        inputs: Inputs<'a>,
        pool: &'a ThreadPool,
        reader: &'a Reader<'a>,
        sink: &'a mut dyn ReplaySink,
    ) -> Self {
        Self {
            pool,
            tally: Tally::new(inputs.snapshot, inputs.plan),
            inputs,
            reader,
            sink,
            entries: 0,
            given: 0,
            log: LogCensus::default(),
            listed: Listed::default(),
            place: Place::default(),
            opening: opening_of(inputs.snapshot),
        }
    }

    fn everything(mut self, from: Option<Progress>) -> Result<Part, ReplayError> {
        let (snapshot, shard) = (self.inputs.snapshot, self.inputs.plan.shard);
        let stretch = shard.map_or(0..snapshot.entries(), |shard| shard.range(snapshot.entries()));
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
        let look = self.integrity(keys.as_ref(), &stretch)?;
        // Links that this run has not looked at itself, all of them, are looked at again.
        let is_of_all = begins && shard.is_none() && self.reader.pace == Pace::Bulk;
        let listing = Listing::of_all(&self);
        self.traces(listing, None, is_of_all.then_some(&look))?;
        Ok(part(&self.tally, self.given, self.log, self.listed))
    }

    fn go_on(self, from: Progress) -> Result<Self, ReplayError> {
        if from.opening != self.opening {
            return Err(ReplayError::OtherDamage);
        }
        let Part { summary, shared_damage, given, log, listed } = from.part;
        let tally = self.tally.go_on(summary, shared_damage);
        Ok(Self { tally, given, log, listed, place: from.place, entries: from.entries, ..self })
    }

    /// Tells the sink that the run can go on from here.
    fn tell_progress(&mut self) -> Result<(), ReplayError> {
        if !matches!(self.inputs.plan.traces, Selection::All) {
            return Ok(());
        }
        let Self { tally, given, log, listed, place, entries, opening, sink, .. } = self;
        let progress = || Progress {
            part: part(tally, *given, *log, *listed),
            place: *place,
            entries: *entries,
            opening: *opening,
        };
        stop(sink.progress(&progress))
    }

    /// Checks every entry of the stretch that was not checked yet.
    fn integrity(&mut self, keys: Option<&KeyList>, stretch: &Range<u64>) -> Result<LinkLook, ReplayError> {
        let (pool, reader) = (self.pool, self.reader);
        let (total, mut start) = (stretch.end - stretch.start, stretch.start + self.place.checked);
        let next = || {
            let window = start..integrity::window_end(start, stretch.end);
            start = window.end;
            Ok(Some(window).filter(|window| !window.is_empty()))
        };
        let work = |window: Range<u64>| Ok((window.end, integrity::check(reader, keys, window)?));
        let (mut look, mut piece) = (LinkLook::default(), self.unlisted(stretch)?);
        pipeline::run(pool, next, work, |(end, looked)| {
            looked.damage.into_iter().for_each(|damage| self.tally.entry_damage(damage));
            self.log.add(looked.census);
            piece.append(looked.logged);
            if piece.count() >= PIECE_ENTRIES || end == stretch.end {
                let piece = std::mem::replace(&mut piece, Logged::from(end));
                self.listed.add(Listed::of(reader.snapshot, &piece).map_err(ReplayError::Lookup)?);
            }
            self.tally.signatures(looked.signatures);
            look.add(looked.links);
            self.place.checked = end - stretch.start;
            self.tell(&Event::EntriesChecked { checked: self.place.checked, total })?;
            self.tell_progress()
        })?;
        Ok(look)
    }

    /// The entries that were checked and not held against the indexes yet.
    fn unlisted(&self, stretch: &Range<u64>) -> Result<Logged, ReplayError> {
        let end = stretch.start + self.place.checked;
        let is_whole = end >= stretch.end;
        let start = if is_whole { end } else { end - self.place.checked % PIECE_ENTRIES };
        Logged::read(self.inputs.snapshot, start..end).map_err(ReplayError::Lookup)
    }

    /// Replays the traces of a listing. With the look that a check of the whole log took at its links, none of
    /// them is looked at twice.
    fn traces(
        &mut self,
        mut listing: Listing<'_>,
        total: Option<u64>,
        look: Option<&LinkLook>,
    ) -> Result<(), ReplayError> {
        let (pool, inputs, reader) = (self.pool, self.inputs, self.reader);
        let work = |batch: Vec<TraceEntries>| {
            let tasks = tasks(&batch).into_par_iter();
            let replayed = tasks.map(|traces| single::replay_each(&inputs, reader, look, traces));
            let replayed = replayed.collect::<Result<Vec<Replayed>, ReplayError>>()?;
            Ok((batch, replayed))
        };
        let mut again = LinkLook::default();
        pipeline::run(
            pool,
            || listing.next(),
            work,
            |(batch, replayed)| {
                for replayed in replayed {
                    self.given += replayed.given;
                    again.add(replayed.links);
                    replayed.outcomes.into_iter().try_for_each(|outcome| self.outcome(outcome))?;
                }
                self.entries += batch.iter().map(|(_, seqs)| seqs.len() as u64).sum::<u64>();
                let (traces, entries) = (self.tally.traces(), self.entries);
                self.tell(&Event::TracesReplayed { traces, total, entries })?;
                self.place.after = batch.last().map(|(trace, _)| *trace);
                self.tell_progress()
            },
        )?;
        // The traces were read after the links: what was read must be what was looked at. Where the indexes give
        // other entries, that is damage and told of.
        let is_same = look.is_none_or(|look| look.counted_as(&again));
        if is_same || self.log.traces != self.given { Ok(()) } else { Err(ReplayError::Changed) }
    }

    fn outcome(&mut self, outcome: Outcome) -> Result<(), ReplayError> {
        match outcome {
            Outcome::Verdict(replay) => {
                self.tally.verdict(&replay);
                stop(self.sink.verdict(*replay))
            }
            Outcome::Unlisted(unlisted) => {
                self.tally.unlisted(&unlisted);
                self.tell(&Event::Unlisted(unlisted))
            }
            Outcome::Nothing => Ok(()),
        }
    }

    fn pairs(&mut self, pairs: &Pairs, variance: &VariancePolicy) -> Result<(), ReplayError> {
        let pairs: Vec<Pair> = pairs.iter().collect();
        let mut sides = Sides::new();
        for chunk in pairs.chunks(TRACES_PER_CHUNK) {
            let traces: BTreeSet<TraceId> =
                chunk.iter().flat_map(|pair| [pair.baseline, pair.candidate]).collect();
            let traces: Vec<TraceId> = traces.into_iter().collect();
            let seqs: BTreeMap<TraceId, Vec<Seq>> =
                look_up(self.pool, self.inputs.snapshot, &traces)?.into_iter().collect();
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

/// A thread takes traces of about so many entries at a time.
const ENTRIES_PER_TASK: usize = 256;

/// The traces of a batch as tasks, each of one trace at least.
fn tasks(batch: &[TraceEntries]) -> Vec<&[TraceEntries]> {
    let mut entries = 0;
    let ends = |(_, seqs): &TraceEntries| {
        entries += seqs.len();
        let is_full = entries >= ENTRIES_PER_TASK;
        entries = if is_full { 0 } else { entries };
        is_full
    };
    batch.split_inclusive(ends).collect()
}

/// The traces that a run replays, in batches.
struct Listing<'a> {
    snapshot: &'a Snapshot,
    pool: &'a ThreadPool,
    shard: Option<Shard>,
    wanted: usize,
    /// The traces that were asked for and not listed yet; without them all are listed behind the last one.
    chosen: Option<&'a [TraceId]>,
    /// One reading of the indexes for all traces; none where each is searched for.
    walk: Option<TracesFrom<'a>>,
    after: Option<TraceId>,
    waiting: VecDeque<Vec<TraceEntries>>,
}

impl<'a> Listing<'a> {
    fn of_all(run: &Run<'a>) -> Self {
        let (snapshot, plan, after) = (run.inputs.snapshot, run.inputs.plan, run.place.after);
        Self {
            snapshot,
            pool: run.pool,
            shard: plan.shard,
            wanted: plan.batch_traces.map_or(TRACES_PER_CHUNK, NonZeroUsize::get),
            chosen: None,
            walk: (run.reader.pace == Pace::Bulk).then(|| snapshot.traces_from(after)),
            after,
            waiting: VecDeque::new(),
        }
    }

    fn of_chosen(run: &Run<'a>, traces: &'a [TraceId]) -> Self {
        Self { chosen: Some(traces), walk: None, ..Self::of_all(run) }
    }

    /// The next batch; none at the end.
    fn next(&mut self) -> Result<Option<Vec<TraceEntries>>, ReplayError> {
        if self.waiting.is_empty() {
            let mut traces = self.walked()?;
            if traces.is_empty() {
                traces = look_up(self.pool, self.snapshot, &self.searched()?)?;
            }
            self.waiting = batches(traces).collect();
        }
        Ok(self.waiting.pop_front())
    }

    /// The next traces of the walk; none at its end, and none where an index is not in order, so that traces
    /// would come in pieces: from there on each is searched for.
    fn walked(&mut self) -> Result<Vec<TraceEntries>, ReplayError> {
        let (mut found, mut entries) = (Vec::new(), 0);
        while let Some(walk) = &mut self.walk
            && found.len() < self.wanted
            && entries < ENTRIES_PER_BATCH
        {
            let next = walk.next().transpose().map_err(ReplayError::Lookup)?;
            let Some((trace, seqs)) = next.filter(|(trace, _)| self.after < Some(*trace)) else {
                self.walk = None;
                break;
            };
            self.after = Some(trace);
            if self.shard.is_none_or(|shard| shard.covers(trace)) {
                entries += seqs.len();
                found.push((trace, seqs));
            }
        }
        Ok(found)
    }

    fn searched(&mut self) -> Result<Vec<TraceId>, ReplayError> {
        if let Some(traces) = self.chosen {
            let (now, behind) = traces.split_at(self.wanted.min(traces.len()));
            self.chosen = Some(behind);
            return Ok(now.to_vec());
        }
        let (shard, wanted) = (self.shard, self.wanted);
        let mut found = Vec::new();
        while found.len() < wanted {
            let traces =
                self.snapshot.traces_after(self.after, TRACES_PER_CHUNK).map_err(ReplayError::Lookup)?;
            if traces.is_empty() {
                break;
            }
            let own = traces.iter().copied().filter(|trace| shard.is_none_or(|shard| shard.covers(*trace)));
            found.extend(own.take(wanted - found.len()));
            // Where the batch is full, those behind its last one are listed again.
            self.after = if found.len() < wanted { traces.last() } else { found.last() }.copied();
        }
        Ok(found)
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
