//! How fast a ledger is replayed: every mode, on one thread and on all of them. The floor `replay`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

mod common;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use criterion::{BenchmarkId, Criterion};
use proofline::ledger::{Options, Snapshot};
use proofline::policy::{CedarEngine, RuleSet, STARTER_RULES};
use proofline::replay::{
    Means, Mode, Pair, Pairs, Plan, ReplaySink, RulesPlan, RulesSink, RulesSummary, RunVerdict, Summary,
    TraceReplay, VariancePolicy, Violation, check_rules, replay,
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
    rules(&mut criterion, &ledger.snapshot());
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

/// Rules of one's own: one that looks at a record alone, and the starter set, which also looks the log through for
/// the versions of policies.
fn rules(criterion: &mut Criterion, snapshot: &Snapshot) {
    const ONE: &str = r#"@id("late") forbid(principal, action in Action::"call", resource)
        when { context.started_at_ms > context.auth_context.credential.expires_at_ms };"#;
    let mut group = common::slow_group(criterion, "rules");
    let all = std::thread::available_parallelism().unwrap();
    group.throughput(common::throughput_of(snapshot));
    for (name, text) in [("one", ONE), ("starter", STARTER_RULES)] {
        let set = CedarEngine.load_rules(text.as_bytes()).unwrap();
        for threads in BTreeSet::from([NonZeroUsize::MIN, all]) {
            let plan = RulesPlan { threads: Some(threads), ..RulesPlan::default() };
            // Every record of the ledger is asked about; the genesis entry is none.
            let summary = check(snapshot, &set, &plan);
            assert_eq!((summary.records, summary.damage_count), (snapshot.entries() - 1, 0));
            let id = BenchmarkId::new(name, threads);
            group.bench_function(id, |bencher| bencher.iter(|| check(snapshot, &set, &plan)));
        }
    }
    group.finish();
}

fn check(snapshot: &Snapshot, rules: &RuleSet, plan: &RulesPlan) -> RulesSummary {
    check_rules(snapshot, rules, plan, &mut Dropped).unwrap()
}

impl RulesSink for Dropped {
    fn violation(&mut self, _: Violation) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
