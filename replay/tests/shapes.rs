//! Traces of unusual shapes, in every mode: very deep, very wide, many decisions under one context,
//! prerequisites that come too late.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::evidence::{Place, auth_context, auth_context_at, chain, decision_at, hash_of, tool_call_at};
use common::forge::{self, Forged};
use common::random::Random;
use common::work::{Call, Step, records};
use common::{committed, one, run};
use proofline_ledger::Snapshot;
use proofline_replay::{Mode, Pair, Pairs, Plan, RunVerdict, TraceReplay, VariancePolicy};
use proofline_trace::TraceId;

const SINGLE: [Mode; 2] = [Mode::Forensic, Mode::Invariant];

fn id(number: u32) -> TraceId {
    format!("{number:032x}").parse().unwrap()
}

fn against(snapshot: &Snapshot, baseline: u32, candidate: u32) -> TraceReplay {
    let pair = Pair { baseline: id(baseline), candidate: id(candidate) };
    one(run(snapshot, &Plan::constrained(Pairs::from_iter([pair]), VariancePolicy::NOTHING)).0)
}

fn class(replay: &TraceReplay) -> Option<&'static str> {
    replay.result.verdict.failure_class().map(|class| class.as_str())
}

/// A span below a span below a span.
#[test]
fn a_trace_of_thousands_of_spans_in_one_line() {
    const SPANS: u32 = 4_000;
    let line = |trace: u32, span: u32| {
        auth_context_at(Place { trace, span, parent: (span > 1).then(|| span - 1) }, "staff/ines", 900, 9000)
    };
    let lines: Vec<String> =
        [1, 2].into_iter().flat_map(|trace| (1..=SPANS).map(move |span| line(trace, span))).collect();
    let (_dir, ledger) = committed(&lines);
    let snapshot = ledger.snapshot().unwrap();
    for mode in SINGLE {
        let (verdicts, summary) = run(&snapshot, &Plan { mode, ..Plan::default() });
        assert_eq!((summary.passed, summary.records), (2, 2 * u64::from(SPANS)));
        assert!(verdicts.iter().all(|replay| replay.findings().is_empty()));
    }
    assert!(against(&snapshot, 1, 2).is_pass());
}

/// Thousands of spans, hundreds of decisions, and one context that they all rest on.
#[test]
fn a_trace_of_thousands_of_spans_under_one_context() {
    let step = |resource: u32| Step {
        resource,
        calls: (0..20)
            .map(|request| Call { is_model: request % 2 == 0, request, response: 1, status: 1, usage: 1 })
            .collect(),
    };
    let work: Vec<Step> = (0..200).map(step).collect();
    let mut dropped = work.clone();
    dropped[150].calls.remove(7);
    let mut random = Random::seeded(7);
    let runs = [(1, &work), (2, &work), (3, &dropped)].map(|(trace, work)| records(trace, work));
    let (_dir, ledger) = committed(&random.interleaved(runs.into_iter().collect()));
    let snapshot = ledger.snapshot().unwrap();
    for mode in SINGLE {
        let (verdicts, summary) = run(&snapshot, &Plan { mode, ..Plan::default() });
        let records: Vec<u64> =
            verdicts.iter().map(|replay| replay.diagnostics.coverage.records.get()).collect();
        assert_eq!((summary.passed, records), (3, vec![4_201, 4_201, 4_200]));
        assert!(verdicts.iter().all(|replay| replay.findings().is_empty()));
    }
    assert!(against(&snapshot, 1, 2).is_pass());
    let replay = against(&snapshot, 2, 3);
    assert_eq!(class(&replay), Some("REPLAY_POLICY_PATH_MISMATCH"));
    assert_eq!(replay.differences().len(), 1);
}

/// The gate never lets a trace rest on another's context; a log written past the gate may.
#[test]
fn chains_that_share_a_context() {
    let context = auth_context(1, "staff/ines");
    let context_hash = hash_of(&context);
    let work = |trace: u32| {
        let decision = decision_at(Place { trace, span: 2, parent: Some(1) }, &context_hash, 1100, "allow");
        let call = tool_call_at(
            Place { trace, span: 3, parent: Some(2) },
            &context_hash,
            &hash_of(&decision),
            (1200, 1300),
        );
        [decision, call]
    };
    let (own, borrowed) = (work(1), work(2));
    let lines = [&context, &own[0], &borrowed[0], &own[1], &borrowed[1]];

    // Committed, the second trace is refused: nothing of it is accepted, and nothing is odd.
    let (_dir, ledger) = committed(&lines.map(String::clone));
    let snapshot = ledger.snapshot().unwrap();
    for mode in SINGLE {
        let (verdicts, summary) = run(&snapshot, &Plan { mode, ..Plan::default() });
        assert_eq!((summary.verdict(), summary.unlisted_attempts), (RunVerdict::AllWell, 2));
        assert!(summary.findings.is_empty(), "{:?}", summary.findings);
        assert_eq!(one(verdicts).trace_id(), id(1));
    }

    // Forged, it fails and takes no other trace with it.
    let entries: Vec<Forged> = (1..).zip(lines).map(|(seq, line)| Forged::accepted(seq, line)).collect();
    let dir = tempfile::tempdir().unwrap();
    let snapshot = forge::ledger(dir.path(), &entries);
    for mode in SINGLE {
        let (verdicts, summary) = run(&snapshot, &Plan { mode, ..Plan::default() });
        assert_eq!((summary.passed, summary.failed), (1, 1));
        assert_eq!(verdicts.iter().map(class).collect::<Vec<_>>(), [None, Some("MISSING_PREREQ")]);
        let coverage = verdicts[1].diagnostics.coverage;
        assert_eq!((coverage.records.get(), coverage.absent.get()), (2, 1));
    }
    assert!(against(&snapshot, 1, 1).is_pass());
    for (baseline, candidate, side) in [(1, 2, "candidate"), (2, 1, "baseline")] {
        let replay = against(&snapshot, baseline, candidate);
        assert_eq!(class(&replay), Some("MISSING_PREREQ"));
        let message = &replay.failure().unwrap().message;
        assert!(message.starts_with(&format!("The {side} fails")), "{message}");
    }
}

/// Each order of a context, a decision and a call: one alone is the right one.
#[test]
fn prerequisites_that_come_later_in_the_log() {
    let lines = chain(1, 1);
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
        .map(|order| order.map(|at| &lines[at]));
    for (at, order) in orders.into_iter().enumerate() {
        let entries: Vec<Forged> = (1..).zip(order).map(|(seq, line)| Forged::accepted(seq, line)).collect();
        let dir = tempfile::tempdir().unwrap();
        let snapshot = forge::ledger(dir.path(), &entries);
        let expected = (at > 0).then_some("MISSING_PREREQ");
        for mode in SINGLE {
            let (verdicts, summary) = run(&snapshot, &Plan { mode: mode.clone(), ..Plan::default() });
            let replay = one(verdicts);
            assert_eq!(class(&replay), expected, "{mode:?} {at}");
            assert_eq!(summary.failures.len(), usize::from(at > 0));
            assert!(replay.findings().is_empty());
        }
        assert_eq!(class(&against(&snapshot, 1, 1)), expected);
    }
}
