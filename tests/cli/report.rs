//! The batch job as a scheduler meets it: shards, merging, a kill, a signal to stop, other forms, exit codes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::run::{AGENT_WORK, Ledger, member_names, program, proofline, ran, vectors};

/// A folder for reports, and a ledger.
struct Case {
    folder: tempfile::TempDir,
    ledger: Ledger,
}

impl Case {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), ledger: Ledger::of(AGENT_WORK) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn replay(&self, out: &str, more: &[&str]) -> crate::run::Ran {
        let file = self.file(out);
        self.ledger.run("replay", &[&["--out", file.to_str().unwrap()], more].concat())
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    fn report(&self, step: &str, files: &[&str], more: &[&str]) -> crate::run::Ran {
        let files = files.iter().map(|file| self.file(file));
        ran(program().args(["report", step]).args(files).args(more))
    }
}

#[test]
fn the_lines_are_those_that_replay_prints() {
    let case = Case::new();
    case.replay("report.jsonl", &["--all"]).well();
    let printed = case.ledger.run("replay", &["--format", "json"]).well().stdout;
    let report = case.text("report.jsonl");
    let lines: Vec<&str> = report.lines().filter(|line| !line.starts_with(r#"{"unlisted""#)).collect();
    assert_eq!(lines[1..], printed.lines().collect::<Vec<_>>());
    assert_eq!(member_names(lines[0]), ["report"]);
    // A file of evidence too, whose ledger is the same every time.
    let from_file = |name: &str| {
        let out = case.file(name);
        ran(program().arg("replay").arg(vectors(AGENT_WORK)).arg("--out").arg(&out)).exits(0);
        std::fs::read(out).unwrap()
    };
    assert_eq!(from_file("one.jsonl"), from_file("two.jsonl"));
}

#[test]
fn shards_are_merged() {
    let case = Case::new();
    case.replay("whole.jsonl", &[]).well();
    for index in 1..=3 {
        let shard = format!("{index}/3");
        let told = case.replay(&format!("{index}.jsonl"), &["--shard", &shard, "--format", "json"]).well();
        assert_eq!(told.json()[0]["report"]["shard"], shard);
    }
    let out = case.file("merged.jsonl");
    let merge = |files: &[&str], more: &[&str]| {
        case.report("merge", files, &[&["--out", out.to_str().unwrap()], more].concat())
    };
    let (code, place, _) = merge(&["3.jsonl", "1.jsonl"], &["--format", "json"]).exits(4).error();
    assert_eq!(code, "report.missing_shards");
    assert!(place.unwrap().ends_with("3.jsonl, line 1"));
    assert!(!out.exists());
    let merged = merge(&["3.jsonl", "1.jsonl", "2.jsonl", "1.jsonl"], &["--format", "json"]).well();
    assert_eq!(
        member_names(merged.stdout.trim()),
        ["file", "is_new", "reports", "verdict", "traces", "passed", "failed", "damage_count"]
    );
    assert_eq!(case.text("merged.jsonl"), case.text("whole.jsonl"));
    // The same again is no harm; another one is not written over.
    let again = merge(&["whole.jsonl"], &["--format", "json"]).well();
    assert_eq!(again.json()[0]["is_new"], false);
    case.replay("other.jsonl", &["--include-rejected"]).well();
    assert_eq!(merge(&["other.jsonl"], &["--format", "json"]).exits(4).error().0, "report.exists");
}

#[test]
fn a_damaged_ledger_is_told_by_every_report() {
    let case = Case::new();
    case.ledger.edit(&case.ledger.segment(), |bytes| bytes[9000] ^= 1);
    case.replay("whole.jsonl", &[]).exits(3);
    case.replay("1.jsonl", &["--shard", "1/2"]).exits(3);
    case.replay("2.jsonl", &["--shard", "2/2"]).exits(3);
    let out = case.file("merged.jsonl");
    case.report("merge", &["1.jsonl", "2.jsonl"], &["--out", out.to_str().unwrap()]).exits(3);
    assert_eq!(case.text("merged.jsonl"), case.text("whole.jsonl"));
    let shown = case.report("show", &["whole.jsonl"], &[]).well().stdout;
    assert!(shown.contains("what failed and why") && shown.contains("damage of the log"), "{shown}");
    let lines = case.report("show", &["whole.jsonl"], &["--format", "json"]).well();
    let failed = case.text("whole.jsonl").matches(r#""result":"fail""#).count();
    assert_eq!(lines.json().len(), failed + 2);
}

#[test]
fn other_forms_are_made_at_once_or_later() {
    let case = Case::new();
    case.replay("report.jsonl", &[]).well();
    for (name, form) in [("at-once.json", "json"), ("at-once.xml", "junit")] {
        case.replay(name, &[]).well();
        let out = case.file(&format!("later.{form}"));
        case.report("convert", &["report.jsonl"], &["--to", form, "--out", out.to_str().unwrap()]).well();
        assert_eq!(std::fs::read(out).unwrap(), std::fs::read(case.file(name)).unwrap());
        assert!(!case.file(&format!("{name}.lines")).exists());
        let (code, ..) = case.replay(name, &["--format", "json"]).exits(4).error();
        assert_eq!(code, "report.exists");
    }
    case.replay("named", &["--report-format", "junit"]).well();
    assert_eq!(case.text("named"), case.text("at-once.xml"));
}

#[test]
fn what_makes_no_sense_writes_nothing() {
    let case = Case::new();
    let trace = "e85a0000000000000000000000000000";
    for (out, more) in [
        ("a.jsonl", &["--mode", "all"][..]),
        ("a.jsonl", &["--record"]),
        ("a.jsonl", &["--trace", trace, "--shard", "1/2"]),
        ("a.jsonl", &["--trace", trace, "--resume"]),
        ("a.jsonl", &["--trace", trace, "--all"]),
        ("a.jsonl", &["--shard", "0/2"]),
        ("a.jsonl", &["--shard", "3/2"]),
        ("a.json", &["--shard", "1/2"]),
        ("a.jsonl", &["--checkpoint-traces", "0"]),
    ] {
        case.replay(out, more).exits(2);
        assert_eq!(std::fs::read_dir(case.folder.path()).unwrap().count(), 0, "{more:?}");
    }
    proofline(["replay", "ledger", "--shard", "1/2"]).exits(2);
    proofline(["replay", "ledger", "--resume"]).exits(2);
}

/// A run that is started, and not waited for.
fn start(arguments: &[&str], out: &Path) -> Child {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_proofline"));
    command.args(arguments).arg("--out").arg(out);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Killed wherever it happens to be, as often as it takes; what it ends with does not depend on where.
#[test]
fn a_killed_run_is_resumed_to_the_same_bytes() {
    let case = Case::new();
    case.replay("whole.jsonl", &["--threads", "1"]).well();
    for (name, micros) in [("1", 1000), ("2", 4000), ("3", 9000), ("4", 20_000), ("5", 40_000)] {
        let out = case.file(&format!("{name}.jsonl"));
        let arguments = [
            "replay",
            case.ledger.dir.to_str().unwrap(),
            "--resume",
            "--checkpoint-traces",
            "1",
            "--threads",
            "1",
        ];
        for again in 0..6 {
            let mut child = start(&arguments, &out);
            std::thread::sleep(Duration::from_micros(micros * (1 + again)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        case.replay(&format!("{name}.jsonl"), &["--resume"]).well();
        assert_eq!(case.text(&format!("{name}.jsonl")), case.text("whole.jsonl"));
        assert!(!case.file(&format!("{name}.jsonl.partial")).exists());
        assert!(!case.file(&format!("{name}.jsonl.checkpoint")).exists());
    }
}

/// The program listens before it reads its input. That it reads is certain when more than a pipe holds went in, so the
/// signal comes at a time when it listens and has not replayed anything yet.
#[test]
fn a_signal_to_stop_ends_a_run_at_a_checkpoint() {
    let case = Case::new();
    let evidence = std::fs::read(vectors(AGENT_WORK)).unwrap();
    let whole = case.file("whole.jsonl");
    ran(program().arg("replay").arg(vectors(AGENT_WORK)).arg("--out").arg(&whole)).exits(0);
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let name = format!("stopped{signal}.jsonl");
        let out = case.file(&name);
        let mut child = start(&["replay", "-", "--checkpoint-traces", "1"], &out);
        let mut input = child.stdin.take().unwrap();
        input.write_all(&evidence).unwrap();
        // Blank lines are skipped, and a pipe holds 64 KiB.
        input.write_all(&[b'\n'; 256 << 10]).unwrap();
        let sent =
            std::process::Command::new("kill").arg(signal).arg(child.id().to_string()).status().unwrap();
        assert!(sent.success());
        drop(input);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(!out.exists() && case.file(&format!("{name}.checkpoint")).exists());
        let resumed =
            ran(program().arg("replay").arg(vectors(AGENT_WORK)).arg("--out").arg(&out).arg("--resume"));
        resumed.exits(0);
        assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&whole).unwrap());
    }
}
