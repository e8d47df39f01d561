//! Runs over pairs in batches of bounded size, each batch on threads of its own, and hands the results on by
//! position, so that no output depends on how many threads there are.

use std::collections::{BTreeMap, BTreeSet};

use proofline_canon::ContentStore;
use proofline_ledger::{Seq, Snapshot};
use proofline_trace::{BlobRef, Envelope, TraceId};
use rayon::ThreadPool;
use rayon::prelude::*;

use super::divergence::{Comparison, Divergence, compare};
use super::side::{Prepared, Side};
use super::summary::Tally;
use super::text::{PayloadDiff, diff_payloads};
use super::{DriftPlan, DriftSink, DriftSummary, DriftVerdict, PairDrift};
use crate::alignment::ChangeCounts;
use crate::engine::pool;
use crate::error::ReplayError;
use crate::means::Means;
use crate::pairs::Pair;
use crate::walk::{ENTRIES_PER_BATCH, look_up, stop};

/// Pairs that are looked up at once.
const PAIRS_PER_CHUNK: usize = 256;

/// Compares pairs of runs of a fixed prefix of a ledger: the spans of both are put side by side as
/// [`align`](crate::align) does, and the places at which they part are put in the order in which the baseline
/// happened.
///
/// Only accepted records count, contexts are no steps, and the durations of calls are not compared. `means` is where
/// payloads are looked for, if the plan asks for them. Results go to `sink`, a pair that cannot be compared too.
///
/// # Errors
/// [`ReplayError`]: the system refused a call, or the sink asked to stop.
pub fn drift(
    snapshot: &Snapshot,
    means: &Means<'_>,
    plan: &DriftPlan,
    sink: &mut dyn DriftSink,
) -> Result<DriftSummary, ReplayError> {
    let (pool, mut tally) = (pool(plan.threads)?, Tally::new(snapshot));
    let pairs: Vec<Pair> = plan.pairs.iter().collect();
    let mut sides: BTreeMap<TraceId, Side> = BTreeMap::new();
    let payloads = means.payloads.filter(|_| plan.payloads);
    let mut done = 0;
    for chunk in pairs.chunks(PAIRS_PER_CHUNK) {
        let traces: Vec<TraceId> = traces_of(chunk).into_iter().collect();
        let seqs = look_up(&pool, snapshot, &traces)?.into_iter().collect();
        let mut rest = chunk;
        while !rest.is_empty() {
            let (batch, behind) = rest.split_at(batch_of(rest, &seqs));
            rest = behind;
            prepare(&pool, snapshot, batch, &seqs, &mut sides)?;
            for drift in compared(&pool, batch, &sides, plan, payloads)? {
                tally.add(&drift);
                done += 1;
                stop(sink.pair(drift))?;
            }
            stop(sink.progress(done, pairs.len() as u64))?;
        }
    }
    Ok(tally.finish())
}

fn traces_of(pairs: &[Pair]) -> BTreeSet<TraceId> {
    pairs.iter().flat_map(|pair| [pair.baseline, pair.candidate]).collect()
}

/// How many of these pairs make a batch; one at least.
fn batch_of(pairs: &[Pair], seqs: &BTreeMap<TraceId, Vec<Seq>>) -> usize {
    let (mut known, mut entries) = (BTreeSet::new(), 0);
    let fits = |pair: &&Pair| {
        for trace in [pair.baseline, pair.candidate] {
            if known.insert(trace) {
                entries += seqs.get(&trace).map_or(0, Vec::len);
            }
        }
        entries <= ENTRIES_PER_BATCH
    };
    pairs.iter().take_while(fits).count().max(1)
}

/// Reads the traces of a batch, each once; those that the batch before left are there.
fn prepare(
    pool: &ThreadPool,
    snapshot: &Snapshot,
    batch: &[Pair],
    seqs: &BTreeMap<TraceId, Vec<Seq>>,
    sides: &mut BTreeMap<TraceId, Side>,
) -> Result<(), ReplayError> {
    let wanted = traces_of(batch);
    sides.retain(|trace, _| wanted.contains(trace));
    let missing: Vec<TraceId> = wanted.into_iter().filter(|trace| !sides.contains_key(trace)).collect();
    let read = |trace: &TraceId| {
        let seqs = seqs.get(trace).map_or(&[][..], |seqs| seqs);
        Ok((*trace, Side::read(snapshot, *trace, seqs)?))
    };
    let found: Result<Vec<_>, ReplayError> =
        pool.install(|| missing.par_iter().with_max_len(1).map(read).collect());
    sides.extend(found?);
    Ok(())
}

fn compared(
    pool: &ThreadPool,
    batch: &[Pair],
    sides: &BTreeMap<TraceId, Side>,
    plan: &DriftPlan,
    payloads: Option<&(dyn ContentStore + Sync)>,
) -> Result<Vec<PairDrift>, ReplayError> {
    let usable: Vec<(&TraceId, &Side)> = sides.iter().filter(|(_, side)| side.failure.is_none()).collect();
    pool.install(|| {
        let ready: Vec<(TraceId, Prepared<'_>)> =
            usable.par_iter().with_max_len(1).map(|(trace, side)| (**trace, Prepared::of(side))).collect();
        let ready: BTreeMap<TraceId, Prepared<'_>> = ready.into_iter().collect();
        let of_pair = |pair: &Pair| match (ready.get(&pair.baseline), ready.get(&pair.candidate)) {
            (Some(one), Some(other)) => compared_pair(*pair, one, other, plan, payloads),
            _ => Ok(not_compared(*pair, sides)),
        };
        batch.par_iter().with_max_len(1).map(of_pair).collect()
    })
}

fn not_compared(pair: Pair, sides: &BTreeMap<TraceId, Side>) -> PairDrift {
    let (baseline, candidate) = (sides.get(&pair.baseline), sides.get(&pair.candidate));
    let why = |role: &str, side: Option<&Side>| {
        let failure = side?.failure.as_deref()?;
        Some(format!("The {role} cannot be compared. {failure}"))
    };
    let both = [baseline, candidate].into_iter().flatten();
    PairDrift {
        pair,
        verdict: DriftVerdict::NotCompared,
        spans: ChangeCounts::default(),
        allowed: BTreeMap::new(),
        causes: BTreeMap::new(),
        first: None,
        failure: why("baseline", baseline).or_else(|| why("candidate", candidate)),
        damage: both.flat_map(|side| side.damage.iter().cloned()).collect(),
        subjects: BTreeSet::new(),
    }
}

fn compared_pair(
    pair: Pair,
    baseline: &Prepared<'_>,
    candidate: &Prepared<'_>,
    plan: &DriftPlan,
    payloads: Option<&(dyn ContentStore + Sync)>,
) -> Result<PairDrift, ReplayError> {
    let Comparison { alignment, causes, allowed, mut first, subjects } =
        compare(baseline, candidate, &plan.variance);
    if let (Some(first), Some(store)) = (&mut first, payloads) {
        first.payloads = diffs(store, first, baseline, candidate)?;
    }
    let verdict = match (&first, allowed.is_empty()) {
        (Some(_), _) => DriftVerdict::Parts,
        (None, true) => DriftVerdict::Same,
        (None, false) => DriftVerdict::Within,
    };
    let damage = baseline.side.damage.iter().chain(&candidate.side.damage).cloned().collect();
    let spans = alignment.counts();
    Ok(PairDrift { pair, verdict, spans, allowed, causes, first, failure: None, damage, subjects })
}

/// Request and response of the two records, where they are not the same.
fn diffs(
    store: &(dyn ContentStore + Sync),
    first: &Divergence,
    baseline: &Prepared<'_>,
    candidate: &Prepared<'_>,
) -> Result<Vec<PayloadDiff>, ReplayError> {
    let (Some(one), Some(other)) = (first.baseline, first.candidate) else { return Ok(Vec::new()) };
    let one = baseline.record(one.seq).map(|record| blobs(record.envelope)).unwrap_or_default();
    let other = candidate.record(other.seq).map(|record| blobs(record.envelope)).unwrap_or_default();
    let members = ["request", "response"].into_iter().zip(one.into_iter().zip(other));
    let differing = members.filter(|(_, (one, other))| one.sha256 != other.sha256);
    differing.map(|(member, (one, other))| diff_payloads(store, member, one, other)).collect()
}

fn blobs(envelope: &Envelope) -> Vec<&BlobRef> {
    envelope.blobs().collect()
}
