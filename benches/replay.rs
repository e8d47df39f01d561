//! How fast a ledger is replayed: every mode, on one thread and on all of them. The floor `replay`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

mod common;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use criterion::{BenchmarkId, Criterion};
use proofline::ledger::{Options, Snapshot};
use proofline::replay::{
    Means, Mode, Pair, Pairs, Plan, ReplaySink, RunVerdict, Summary, TraceReplay, VariancePolicy, replay,
};
use proofline_vectors::{Deviation, after_model_change, generate};

/// Takes verdicts and keeps none, as a job that prints them would.
struct Dropped;

impl ReplaySink for Dropped {
    fn verdict(&mut self, _: TraceReplay) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn main() {
    let mut criterion = common::criterion();
    let traces = common::amount(500, 4);
    let (ledger, pairs) = two_runs(traces as u64);
    modes(&mut criterion, &ledger.snapshot(), &pairs);
    criterion.final_summary();
}

/// So many traces, and the same work done again with other answers by the models.
fn two_runs(traces: u64) -> (common::TempLedger, Pairs) {
    let plan = common::plan(traces);
    let again = after_model_change(&plan, |_| Deviation::Answers);
    let ledger = common::TempLedger::new();
    let writer = ledger.open(Options::default());
    common::commit_lines(&writer, &generate(&plan).lines);
    common::commit_lines(&writer, &again.evidence.lines);
    let pairs = again.pairs.iter();
    let pairs = pairs.map(|pair| Pair { baseline: pair.baseline, candidate: pair.candidate }).collect();
    (ledger, pairs)
}

fn modes(criterion: &mut Criterion, snapshot: &Snapshot, pairs: &Pairs) {
    let mut group = common::slow_group(criterion, "replay");
    let all = std::thread::available_parallelism().unwrap();
    let plans = [
        Plan { mode: Mode::Forensic, ..Plan::default() },
        Plan { mode: Mode::Invariant, ..Plan::default() },
        Plan::constrained(pairs.clone(), VariancePolicy::MODEL_OUTPUT),
    ];
    group.throughput(common::throughput_of(snapshot));
    for plan in plans {
        for threads in BTreeSet::from([NonZeroUsize::MIN, all]) {
            let plan = Plan { threads: Some(threads), ..plan.clone() };
            // Each mode is to read every record of the ledger; the genesis entry is none.
            let summary = run(snapshot, &plan);
            assert_eq!((summary.verdict(), summary.verified), (RunVerdict::AllWell, snapshot.entries() - 1));
            let id = BenchmarkId::new(plan.mode.replay_type().as_str(), threads);
            group.bench_function(id, |bencher| bencher.iter(|| run(snapshot, &plan)));
        }
    }
    group.finish();
}

fn run(snapshot: &Snapshot, plan: &Plan) -> Summary {
    replay(snapshot, &Means::default(), plan, &mut Dropped).unwrap()
}
