//! What people see, as pictures: help, and each view at 80 and 200 columns. A changed picture is looked at.

use insta::assert_snapshot;

use crate::run::{Ledger, program, proofline, ran, vectors};

const VERBS: [&str; 47] = [
    "init",
    "commit",
    "decide",
    "policy",
    "replay",
    "check",
    "report",
    "verify",
    "prove",
    "verify-proof",
    "show",
    "traces",
    "trace",
    "diff",
    "drift",
    "verdicts",
    "html",
    "log",
    "query",
    "records",
    "stat",
    "keygen",
    "keys",
    "checkpoint",
    "attest",
    "reindex",
    "salvage",
    "archive",
    "migrate",
    "retention",
    "erase",
    "hold",
    "release",
    "holds",
    "subject",
    "seal",
    "unseal",
    "bundle",
    "publish",
    "export",
    "import",
    "backup",
    "bench",
    "canon",
    "hash",
    "completions",
    "man",
];

/// Verbs below verbs.
const STEPS: [(&str, &str); 23] = [
    ("policy", "check"),
    ("report", "merge"),
    ("report", "convert"),
    ("report", "show"),
    ("archive", "restore"),
    ("archive", "verify"),
    ("keys", "add"),
    ("keys", "retire"),
    ("checkpoint", "verify"),
    ("checkpoint", "cosign"),
    ("checkpoint", "timestamp"),
    ("subject", "add"),
    ("subject", "list"),
    ("subject", "erase"),
    ("bundle", "create"),
    ("bundle", "verify"),
    ("bundle", "show"),
    ("bundle", "extract"),
    ("bundle", "withhold"),
    ("verdicts", "verify"),
    ("import", "otlp"),
    ("export", "otlp"),
    ("bench", "otlp"),
];

#[test]
fn help() {
    assert_snapshot!("help", proofline(["--help"]).well().stdout);
    for verb in VERBS {
        assert_snapshot!(format!("help_{verb}"), proofline([verb, "--help"]).well().stdout);
    }
    for (verb, step) in STEPS {
        assert_snapshot!(format!("help_{verb}_{step}"), proofline([verb, step, "--help"]).well().stdout);
    }
}

#[test]
fn short_help_fits_a_line_each() {
    for line in proofline(["-h"]).well().stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

/// A view at both widths, one below the other.
fn both(ledger: &Ledger, verb: &str, more: &[&str]) -> String {
    let view = |columns: &str| {
        let mut command = program();
        command.arg(verb).arg(&ledger.dir).args(more).env("COLUMNS", columns);
        let shown = ran(&mut command).stdout;
        let width: usize = columns.parse().unwrap();
        for line in shown.lines() {
            assert!(line.chars().count() <= width, "{line}");
        }
        shown
    };
    format!("{}\n{}\n{}", view("80"), "=".repeat(80), view("200"))
}

#[test]
fn views() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    assert_snapshot!("trace", both(&ledger, "trace", &["a3d5"]));
    assert_snapshot!("traces", both(&ledger, "traces", &[]));
    assert_snapshot!("stat", both(&ledger, "stat", &[]));
    assert_snapshot!("verify", both(&ledger, "verify", &[]));
    assert_snapshot!("replay", both(&ledger, "replay", &["--include-rejected"]));
    assert_snapshot!("show", ledger.run("show", &["3"]).well().stdout);
}

/// Appends verdicts of all kinds as `replay --record` does, at a time that is always the same.
fn record(ledger: &Ledger) {
    use proofline::replay::{Means, Mode, Pairs, Plan, TraceReplay, VariancePolicy, record_all, replay};
    let writer = proofline::ledger::Ledger::open(&ledger.dir, proofline::ledger::Options::default()).unwrap();
    let snapshot = writer.snapshot().unwrap();
    let verdicts = |plan: &Plan| {
        let mut verdicts: Vec<TraceReplay> = Vec::new();
        replay(&snapshot, &Means::default(), plan, &mut verdicts).unwrap();
        verdicts
    };
    let forensic = verdicts(&Plan::default());
    let trace = forensic[0].trace_id();
    let pairs = Pairs::against(trace, [trace, "f".repeat(32).parse().unwrap()]);
    let plans = [
        Plan { mode: Mode::Invariant, ..Plan::default() },
        Plan::constrained(pairs, VariancePolicy::MODEL_OUTPUT),
    ];
    let others = plans.iter().flat_map(verdicts);
    let all: Vec<TraceReplay> = forensic.iter().cloned().chain(others).collect();
    assert_eq!(all.len(), 4);
    record_all(&writer, &all, 1_769_990_400_000).unwrap();
}

#[test]
fn what_came_in_and_what_was_found() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    record(&ledger);
    assert_snapshot!("log", both(&ledger, "log", &[]));
    assert_snapshot!("verdicts", both(&ledger, "verdicts", &[]));
}

#[test]
fn rules() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    assert_snapshot!("check", both(&ledger, "check", &["--include-rejected"]));
}

#[test]
fn refused_lines() {
    let file = vectors("evidence/trouble/wrong-types.jsonl");
    assert_snapshot!("commit", Ledger::empty().commit(&file, &[]).exits(4).stdout);
    let file = vectors("evidence/trouble/other-trace.jsonl");
    assert_snapshot!("replay_file", ran(program().arg("replay").arg(file)).exits(0).stdout);
}

#[test]
fn damage() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    ledger.edit(&ledger.segment(), |bytes| {
        let at = bytes.len() - 900;
        bytes[at] ^= 1;
    });
    assert_snapshot!("verify_damaged", both(&ledger, "verify", &[]));
    assert_snapshot!("replay_damaged", both(&ledger, "replay", &[]));
}
