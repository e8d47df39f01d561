//! Verdicts as artifacts: recorded once, found again, changed by nothing but what was replayed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::evidence::{chain, declared};
use common::{NOW_MS, committed, fresh, output, run};
use proofline_ledger::{ArtifactKind, EntryKind, Options};
use proofline_replay::{Plan, RecordError, Selection, record, record_all};

#[test]
fn a_verdict_is_two_artifacts_and_the_same_one_appends_nothing() {
    let (_dir, ledger) = committed(&[chain(1, 2), chain(2, 1)].concat());
    let wrong = "0".repeat(64);
    ledger.commit_action(&declared("tool_call", &wrong, &chain(2, 1)[2]), NOW_MS).unwrap();
    for include_rejected in [false, true] {
        let plan = Plan { include_rejected, ..Plan::default() };
        let before = ledger.entries();
        let (verdicts, _) = run(&ledger.snapshot().unwrap(), &plan);
        let recorded = record_all(&ledger, &verdicts, NOW_MS).unwrap();
        let snapshot = ledger.snapshot().unwrap();
        for (replay, places) in verdicts.iter().zip(&recorded) {
            assert_eq!(places.result.hash.digest(), replay.artifact_sha256);
            assert_eq!(places.diagnostics.hash.digest(), replay.diagnostics.sha256());
            let result = snapshot.entry(places.result.seq).unwrap().unwrap();
            assert_eq!(result.header.status.kind(), EntryKind::Artifact);
            assert_eq!(result.header.trace.unwrap().trace_id, replay.trace_id());
            let kind = ArtifactKind::read(&result.body).unwrap();
            assert_eq!(kind, ArtifactKind::ReplayResult(replay.result.clone()));
            let explained = snapshot.entry(places.diagnostics.seq).unwrap().unwrap();
            let kind = ArtifactKind::read(&explained.body).unwrap();
            assert_eq!(kind, ArtifactKind::ReplayDiagnostics(replay.diagnostics.clone()));
        }
        // Trace 1 has no attempts: listing them changes nothing, and its verdict was there already.
        let appended = ledger.entries() - before;
        assert_eq!(appended, if include_rejected { 2 } else { 4 });

        // Replaying a ledger that holds verdicts gives the same verdicts.
        let (again, _) = run(&snapshot, &plan);
        assert_eq!(again, verdicts);
        let before = ledger.entries();
        let places = record(&ledger, &again[0], NOW_MS + 5).unwrap();
        assert!(places.result.duplicate && places.diagnostics.duplicate);
        assert_eq!(places.result.seq, recorded[0].result.seq);
        assert_eq!(ledger.entries(), before);
    }
}

#[test]
fn another_clock_is_another_verdict() {
    let (_dir, ledger) = committed(&chain(1, 0));
    let (verdicts, _) = run(&ledger.snapshot().unwrap(), &Plan::default());
    record_all(&ledger, &verdicts, NOW_MS).unwrap();
    let plan = Plan { generated_at: "2026-01-31T00:00:00.000Z".parse().unwrap(), ..Plan::default() };
    let (verdicts, _) = run(&ledger.snapshot().unwrap(), &plan);
    assert!(!record(&ledger, &verdicts[0], NOW_MS).unwrap().result.duplicate);
}

#[test]
fn a_chain_that_was_not_found_is_a_verdict_too() {
    let (_dir, ledger) = committed(&chain(1, 0));
    let traces = Selection::from_iter(["ffffffffffffffffffffffffffffffff".parse().unwrap()]);
    let plan = Plan { traces, ..Plan::default() };
    let (verdicts, _) = run(&ledger.snapshot().unwrap(), &plan);
    record(&ledger, &verdicts[0], NOW_MS).unwrap();
    let (again, _) = run(&ledger.snapshot().unwrap(), &plan);
    assert_eq!(again, verdicts);
    assert!(record(&ledger, &again[0], NOW_MS).unwrap().diagnostics.duplicate);
}

#[test]
fn a_verdict_over_another_ledger_is_refused() {
    let (_dir, ledger) = committed(&chain(1, 0));
    let (verdicts, _) = run(&ledger.snapshot().unwrap(), &Plan::default());
    let (_other_dir, other) = fresh(Options::default());
    let error = record(&other, &verdicts[0], NOW_MS).unwrap_err();
    assert!(matches!(error, RecordError::Refused { .. }), "{error}");
    assert_eq!((error.code(), other.entries()), ("replay.record_refused", 1));
}

#[test]
fn recording_changes_no_later_output_but_the_count_of_entries() {
    let (_dir, ledger) = committed(&[chain(1, 3), chain(2, 3)].concat());
    let before = output(&ledger.snapshot().unwrap(), &Plan::default());
    let (verdicts, _) = run(&ledger.snapshot().unwrap(), &Plan::default());
    record_all(&ledger, &verdicts, NOW_MS).unwrap();
    let after = output(&ledger.snapshot().unwrap(), &Plan::default());
    let (lines, summary) = before.split_at(before.len() - 1);
    assert_eq!(lines, &after[..after.len() - 1]);
    let text = |line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
    let expected = text(&summary[0]).replace(r#""entries":11"#, r#""entries":15"#);
    assert_eq!(text(&after[after.len() - 1]), expected);
}
