//! The golden verdicts of `vectors/`, computed by an independent Python reference, against
//! replays of ledgers that are forged from the same entries.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::forge::{self, Forged};
use common::{Look, golden, one, run};
use proofline_canon::Value;
use proofline_replay::{Plan, Selection, TraceReplay};
use proofline_trace::{Failure, TraceId};

fn forged(case: &Value) -> (tempfile::TempDir, proofline_ledger::Snapshot) {
    let entries: Vec<Forged> = case.items("entries").iter().map(Forged::of).collect();
    let dir = tempfile::tempdir().unwrap();
    let snapshot = forge::ledger(dir.path(), &entries);
    (dir, snapshot)
}

fn plan(case: &Value) -> Plan {
    let trace_id: TraceId = case.text("trace_id").parse().unwrap();
    Plan {
        traces: Selection::from_iter([trace_id]),
        include_rejected: case.flag("include_rejected"),
        generated_at: case.text("clock").parse().unwrap(),
        ..Plan::default()
    }
}

/// The reference knows one check of the gate and calls the hash check `hash`.
fn check_name(check: &str) -> &str {
    match check {
        "envelope_hash" => "hash",
        "prerequisite" | "trace_continuity" | "authorization" => "gate",
        other => other,
    }
}

fn assert_failure(name: &str, failure: &Failure, expected: &Value) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    assert_eq!(check_name(failure.check.as_str()), expected.text("check"), "{name}");
    assert_eq!(failure.class.as_str(), expected.text("classification"), "{name}");
    assert_eq!(failure.error_kind.as_ref().unwrap().to_string(), text(expected.at("error_kind")), "{name}");
    assert_eq!(failure.pointer.as_ref().unwrap().to_string(), text(expected.at("pointer")), "{name}");
    assert_eq!(failure.seq.unwrap().get(), expected.number("seq"), "{name}");
    assert_eq!(failure.envelope_hash.unwrap().to_string(), text(expected.at("envelope_hash")), "{name}");
}

fn assert_verdict(name: &str, replay: &TraceReplay, expected: &Value) {
    assert_eq!(&replay.result.to_value(), expected.at("record"), "{name}");
    assert_eq!(replay.artifact_sha256.to_string(), expected.text("artifact_sha256"), "{name}");
    let failure = replay.failure();
    match expected.at("failure") {
        Value::Null => {
            // The reference gives no failure where there is no chain.
            let shown = failure.map(|failure| failure.class.as_str());
            assert!(matches!(shown, None | Some("REPLAY_CHAIN_NOT_FOUND")), "{name}: {shown:?}");
        }
        expected => assert_failure(name, failure.unwrap(), expected),
    }
}

fn forensic(file: &str) {
    let golden = golden(file);
    let cases = golden.items("cases");
    assert!(cases.len() >= 10);
    for case in cases {
        let name = case.text("name");
        let (_dir, snapshot) = forged(case);
        let (verdicts, _) = run(&snapshot, &plan(case));
        assert_verdict(name, &one(verdicts), case.at("expected"));
    }
}

#[test]
fn honest_ledgers() {
    forensic("forensic/honest.json");
}

#[test]
fn stored_bytes_that_are_not_right() {
    forensic("forensic/bytes.json");
}

#[test]
fn records_that_the_gate_refuses() {
    forensic("forensic/gate.json");
}

#[test]
fn rejections_that_the_gate_would_not_repeat() {
    let golden = golden("forensic/not_reproduced.json");
    for case in golden.items("cases") {
        let (_dir, snapshot) = forged(case);
        // With and without listing them: rejected attempts are always decided again.
        for include_rejected in [false, true] {
            let traces = case.items("entries").iter().map(|entry| entry.text("trace_id").parse().unwrap());
            let traces: Selection = traces.collect();
            let (verdicts, _) = run(&snapshot, &Plan { traces, include_rejected, ..Plan::default() });
            let found = verdicts.iter().flat_map(TraceReplay::findings);
            let mut found: Vec<_> = found
                .map(|finding| (finding.seqs[0].get(), finding.code.as_str(), finding.severity.as_str()))
                .collect();
            found.sort_unstable();
            let expected = case.at("expected").items("findings").iter();
            let expected: Vec<_> = expected
                .map(|finding| (finding.number("seq"), finding.text("code"), finding.text("severity")))
                .collect();
            assert_eq!(found, expected, "{}", case.text("name"));
        }
    }
}

#[test]
fn chain_order() {
    let golden = golden("chain/ledgers.json");
    for case in golden.items("cases") {
        let (_dir, snapshot) = forged(case);
        for (trace_id, expected) in case.at("expected").as_object().unwrap().iter() {
            for (list, include_rejected) in [("accepted", false), ("with_rejected", true)] {
                let traces = Selection::from_iter([trace_id.parse().unwrap()]);
                let (verdicts, _) = run(&snapshot, &Plan { traces, include_rejected, ..Plan::default() });
                let seqs: Vec<u64> = expected
                    .items(list)
                    .iter()
                    .map(|seq| seq.as_number().unwrap().literal().parse().unwrap())
                    .collect();
                let keys: Vec<String> = seqs
                    .into_iter()
                    .map(|seq| snapshot.entry(proofline_ledger::Seq::new(seq)).unwrap().unwrap())
                    .map(|entry| entry.header.envelope_hash.to_string())
                    .collect();
                let hashes = one(verdicts).result.input_envelope_hashes;
                let found: Vec<String> = hashes.iter().map(ToString::to_string).collect();
                assert_eq!(found, keys, "{} {trace_id} {list}", case.text("name"));
            }
        }
    }
}
