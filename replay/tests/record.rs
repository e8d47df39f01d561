//! Verdicts as artifacts: recorded once, found again, changed by nothing but what was replayed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::ops::ControlFlow;

use common::evidence::{chain, declared};
use common::{NOW_MS, committed, fresh, output, run};
use proofline_ledger::{Action, ArtifactKind, EntryKind, Ledger, Options, Seq};
use proofline_replay::{
    Means, Mode, Pairs, Plan, RecordError, ReplayError, ReplaySink, Selection, TraceReplay, VariancePolicy,
    record, record_all, replay,
};

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

/// Appends verdicts in groups as the command line does, and is gone after so many of them: what it
/// had not appended yet is lost, as when the process is killed.
struct Recorder<'a> {
    ledger: &'a Ledger,
    waiting: Vec<TraceReplay>,
    left: usize,
}

const GROUP: usize = 3;

impl Recorder<'_> {
    fn append(&mut self) {
        let verdicts = std::mem::take(&mut self.waiting);
        record_all(self.ledger, &verdicts, NOW_MS).unwrap();
    }
}

impl ReplaySink for Recorder<'_> {
    fn verdict(&mut self, replay: TraceReplay) -> ControlFlow<()> {
        let Some(left) = self.left.checked_sub(1) else { return ControlFlow::Break(()) };
        self.left = left;
        self.waiting.push(replay);
        if self.waiting.len() == GROUP {
            self.append();
        }
        ControlFlow::Continue(())
    }
}

fn artifacts(ledger: &Ledger) -> Vec<Vec<u8>> {
    let snapshot = ledger.snapshot().unwrap();
    let entries = (0..snapshot.entries()).map(|seq| snapshot.entry(Seq::new(seq)).unwrap().unwrap());
    entries
        .filter(|entry| entry.header.status.kind() == EntryKind::Artifact)
        .map(|entry| entry.body)
        .collect()
}

const TRACES: u32 = 10;

fn ten_traces() -> (tempfile::TempDir, Ledger) {
    committed(&(1..=TRACES).flat_map(|trace| chain(trace, 1)).collect::<Vec<_>>())
}

fn questions() -> Vec<Plan> {
    let id = |number: u32| format!("{number:032x}").parse().unwrap();
    let pairs = Pairs::against(id(1), (1..=TRACES).map(id));
    vec![
        Plan::default(),
        Plan { mode: Mode::Invariant, ..Plan::default() },
        Plan::constrained(pairs, VariancePolicy::MODEL_OUTPUT),
    ]
}

#[test]
fn a_replay_interrupted_anywhere_and_run_again_records_what_one_run_records() {
    for plan in questions() {
        let (_dir, whole) = ten_traces();
        let (verdicts, _) = run(&whole.snapshot().unwrap(), &plan);
        assert_eq!(verdicts.len(), TRACES as usize);
        record_all(&whole, &verdicts, NOW_MS).unwrap();
        let expected = artifacts(&whole);
        assert_eq!(expected.len(), 2 * TRACES as usize);
        for stop in 0..TRACES as usize {
            let (_dir, ledger) = ten_traces();
            let evidence = ledger.entries();
            let mut sink = Recorder { ledger: &ledger, waiting: Vec::new(), left: stop };
            let stopped =
                replay(&ledger.snapshot().unwrap(), &Means::default(), &plan, &mut sink).unwrap_err();
            assert!(matches!(stopped, ReplayError::Stopped));
            let kept = stop - stop % GROUP;
            assert_eq!(artifacts(&ledger), expected[..2 * kept]);
            for appends in [TRACES as usize - kept, 0] {
                let before = ledger.entries();
                let mut sink = Recorder { ledger: &ledger, waiting: Vec::new(), left: TRACES as usize };
                replay(&ledger.snapshot().unwrap(), &Means::default(), &plan, &mut sink).unwrap();
                sink.append();
                assert_eq!(ledger.entries() - before, 2 * appends as u64);
                assert_eq!(artifacts(&ledger), expected, "stopped after {stop}");
            }
            assert_eq!(ledger.entries(), evidence + 2 * u64::from(TRACES));
        }
    }
}

/// A kill between two appends of one group leaves a result without its diagnostics.
#[test]
fn a_result_without_its_diagnostics_is_completed() {
    for plan in questions() {
        let (_dir, ledger) = ten_traces();
        let (verdicts, _) = run(&ledger.snapshot().unwrap(), &plan);
        let [result, diagnostics] = verdicts[0].artifacts();
        ledger.commit_action(&Action::Artifact(&result), NOW_MS).unwrap();
        let (again, _) = run(&ledger.snapshot().unwrap(), &plan);
        let places = record(&ledger, &again[0], NOW_MS).unwrap();
        assert!(places.result.duplicate && !places.diagnostics.duplicate);
        assert_eq!(artifacts(&ledger), [result, diagnostics]);
    }
}
