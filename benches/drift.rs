//! How fast pairs of runs are compared for drift, on one thread and on all of them: pairs a second. The floor `replay`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

mod common;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use criterion::{BenchmarkId, Criterion, Throughput};
use proofline::ledger::{Options, Snapshot};
use proofline::replay::{
    DriftPlan, DriftSink, DriftSummary, Means, Pair, PairDrift, Pairs, VariancePolicy, drift,
};
use proofline_vectors::{Deviation, after_model_change, generate};

/// Takes pairs and keeps none.
struct Dropped;

impl DriftSink for Dropped {
    fn pair(&mut self, _: PairDrift) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn main() {
    let mut criterion = common::criterion();
    let count = common::amount(500, 4);
    drifting(&mut criterion, count);
    criterion.final_summary();
}

/// So many runs, and the same again with other answers by the models, or with two steps the other way round.
fn two_runs(count: usize, deviation: Deviation) -> (common::TempLedger, Pairs) {
    let plan = common::plan(count as u64);
    let again = after_model_change(&plan, |_| deviation);
    let ledger = common::TempLedger::new();
    let writer = ledger.open(Options::default());
    common::commit_lines(&writer, &generate(&plan).lines);
    common::commit_lines(&writer, &again.evidence.lines);
    let pairs = again.pairs.iter();
    let pairs = pairs.map(|pair| Pair { baseline: pair.baseline, candidate: pair.candidate }).collect();
    (ledger, pairs)
}

fn drifting(criterion: &mut Criterion, count: usize) {
    let mut group = common::slow_group(criterion, "drift");
    let all = std::thread::available_parallelism().unwrap();
    let kinds = [("answers", Deviation::Answers), ("order", Deviation::OtherOrder)];
    for (name, deviation) in kinds {
        let (ledger, pairs) = two_runs(count, deviation);
        let snapshot = ledger.snapshot();
        group.throughput(Throughput::Elements(pairs.len() as u64));
        for threads in BTreeSet::from([NonZeroUsize::MIN, all]) {
            let plan = DriftPlan {
                pairs: pairs.clone(),
                variance: VariancePolicy::NOTHING,
                threads: Some(threads),
                ..DriftPlan::default()
            };
            // Every pair is to be compared, and most of them part.
            let summary = run(&snapshot, &plan);
            assert_eq!((summary.pairs, summary.not_compared), (pairs.len() as u64, 0));
            assert!(summary.parts > 0);
            let id = BenchmarkId::new(name, threads);
            group.bench_function(id, |bencher| bencher.iter(|| run(&snapshot, &plan)));
        }
    }
    group.finish();
}

fn run(snapshot: &Snapshot, plan: &DriftPlan) -> DriftSummary {
    drift(snapshot, &Means::default(), plan, &mut Dropped).unwrap()
}
