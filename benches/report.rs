//! How fast verdicts become a page: every trace drawn as a tree, and a row of the table each. The floor `replay`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

mod common;

use criterion::Throughput;
use proofline::ledger::{Options, Snapshot};
use proofline::replay::html::{HtmlReport, HtmlVersions, HtmlWritten, TreeLimits};
use proofline::replay::{Means, Plan, Summary, TraceReplay, replay};
use proofline_vectors::generate;

fn main() {
    let mut criterion = common::criterion();
    let traces = common::amount(500, 4);
    let ledger = common::TempLedger::new();
    let writer = ledger.open(Options::default());
    common::commit_lines(&writer, &generate(&common::plan(traces as u64)).lines);
    let snapshot = ledger.snapshot();
    let mut verdicts = Vec::new();
    let summary = replay(&snapshot, &Means::default(), &Plan::default(), &mut verdicts).unwrap();
    let mut group = common::slow_group(&mut criterion, "report");
    group.throughput(Throughput::Elements(traces as u64));
    let kinds = [
        ("trees", TreeLimits { passes: u64::MAX, records: u64::MAX }),
        ("rows", TreeLimits { passes: 0, records: 0 }),
    ];
    for (name, limits) in kinds {
        let (written, _) = page(&snapshot, &summary, &verdicts, limits);
        assert_eq!(written.traces, traces as u64);
        group.bench_function(name, |bencher| bencher.iter(|| page(&snapshot, &summary, &verdicts, limits)));
    }
    group.finish();
    criterion.final_summary();
}

fn page(
    snapshot: &Snapshot,
    summary: &Summary,
    verdicts: &Vec<TraceReplay>,
    limits: TreeLimits,
) -> (HtmlWritten, Vec<u8>) {
    let (versions, mut out) = (HtmlVersions::default(), Vec::new());
    let report = HtmlReport { snapshot, payloads: None, versions: &versions };
    (report.run(summary, verdicts, &limits, &mut out).unwrap(), out)
}
