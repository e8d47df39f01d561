//! `replay --record` as a process that is killed while it records, and run again.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use proofline::ledger::{ArtifactKind, EntryStatus, Seq, Snapshot};
use serde_json::Value;

use crate::run::{CLOCK, Ledger, json_lines, program, ran};

/// So many rows that a pipe nobody reads does not hold them: the program stands still midway.
const TRACES: u64 = 3_000;

fn context(number: u64) -> String {
    let head = r#""spec_version":"1.0.0","canon_version":"1","record_type":"auth_context","ts_ms":1"#;
    let trace =
        format!(r#""trace":{{"trace_id":"{:032x}","span_id":"{:016x}","span_kind":"root"}}"#, number + 1, 1);
    let who = r#""producer":{"layer":"cpo","component":"gateway"},"actor":{"actor_kind":"user","actor_id":"staff/ines"}"#;
    let credential = format!(
        r#""credential":{{"credential_kind":"oidc","issuer":"x","presented_hash_sha256":"{}","verified_at_ms":0,"expires_at_ms":9}}"#,
        "0".repeat(64)
    );
    format!(r#"{{{head},{trace},{who},{credential},"grants":{{}}}}"#)
}

fn many_traces() -> Ledger {
    let ledger = Ledger::empty();
    let lines: Vec<String> = (0..TRACES).map(context).collect();
    let mut command = program();
    command.arg("commit").arg(&ledger.dir).args(["--clock", CLOCK]).write_stdin(lines.join("\n"));
    ran(&mut command).well();
    ledger
}

/// The artifacts of a ledger in log order: hash, and whether it is a verdict.
fn artifacts(ledger: &Ledger) -> Vec<(String, bool)> {
    let snapshot = Snapshot::open(&ledger.dir).unwrap();
    let entries = (0..snapshot.entries()).map(|seq| snapshot.entry(Seq::new(seq)).unwrap().unwrap());
    entries
        .filter(|entry| matches!(entry.header.status, EntryStatus::Artifact))
        .map(|entry| {
            let kind = ArtifactKind::read(&entry.body).unwrap();
            (entry.header.envelope_hash.to_string(), matches!(kind, ArtifactKind::ReplayResult(_)))
        })
        .collect()
}

fn recorded(ledger: &Ledger, mode: &str) -> (u64, u64) {
    let mut command = program();
    command.arg("replay").arg(&ledger.dir).args(["--record", "--mode", mode, "--format", "json"]);
    // What opening had to mend after the kill is told on the standard error.
    let summary =
        json_lines(&ran(&mut command).exits(0).stdout).pop().unwrap()["summary"]["recorded"].clone();
    let count = |name: &str| summary[name].as_u64().unwrap();
    (count("appended"), count("there_before"))
}

/// Starts a replay that records, and kills it once something of it is in the log.
fn kill_midway(ledger: &Ledger, mode: &str) -> usize {
    let before = artifacts(ledger).len();
    let mut command = Command::new(env!("CARGO_BIN_EXE_proofline"));
    command.arg("replay").arg(&ledger.dir).args(["--record", "--mode", mode]).env("COLUMNS", "80");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let patience = Instant::now() + Duration::from_secs(60);
    while artifacts(ledger).len() == before {
        assert!(Instant::now() < patience && child.try_wait().unwrap().is_none(), "it ended, or never began");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it was killed while it worked");
    artifacts(ledger).len() - before
}

#[test]
fn a_process_killed_while_it_records_and_run_again_appends_nothing_twice() {
    let (ledger, whole) = (many_traces(), many_traces());
    for mode in ["forensic", "invariant"] {
        assert_eq!(recorded(&whole, mode), (TRACES, 0));
        let before = artifacts(&ledger).len();
        let kept = kill_midway(&ledger, mode);
        assert!(0 < kept && kept < 2 * usize::try_from(TRACES).unwrap(), "{kept}");
        let now = artifacts(&ledger);
        // Those that readers see, at least: what was written and not yet published is there too.
        let complete = now[before..].windows(2).filter(|pair| pair[0].1 && !pair[1].1).count() as u64;
        let (appended, there_before) = recorded(&ledger, mode);
        assert!(complete <= there_before && there_before < TRACES, "{complete} {there_before}");
        assert_eq!(appended + there_before, TRACES);
        assert_eq!(artifacts(&ledger), artifacts(&whole), "the same, in the same order, each once");
        assert_eq!(recorded(&ledger, mode), (0, TRACES));
        assert_eq!(artifacts(&ledger), artifacts(&whole));
    }
    let listed = |ledger: &Ledger| -> Vec<Value> {
        let lines = ledger.run("verdicts", &["--format", "json"]).well().json();
        lines.into_iter().map(|mut line| line["artifact_sha256"].take()).collect()
    };
    assert_eq!(listed(&ledger), listed(&whole));
    assert_eq!(listed(&ledger).len() as u64, 2 * TRACES);
    ledger.run("verify", &[]).well();
}
