//! Pipes: long lines in little memory, answers while the input is still open, readers that go away, full disks.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use crate::run::{AGENT_WORK, Ledger, json_lines, vectors};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proofline"));
    command.env("COLUMNS", "80").env("NO_COLOR", "1");
    command
}

/// Far more than the program is given to live in.
const LONG_LINE_BYTES: usize = 700 << 20;
/// Address space, in KiB: the program, two threads and their stacks, what glibc sets aside for each.
const ADDRESS_SPACE_KIB: usize = 400 << 10;

#[test]
fn a_line_of_any_length_takes_little_memory() {
    let ledger = Ledger::empty();
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -v {ADDRESS_SPACE_KIB}; exec \"$0\" \"$@\""))
        .arg(env!("CARGO_BIN_EXE_proofline"))
        .arg("commit")
        .arg(&ledger.dir)
        .args(["--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let good = std::fs::read(vectors("evidence/trouble/denied-call.jsonl")).unwrap();
    let feeder = std::thread::spawn(move || {
        let chunk = vec![b'['; 1 << 20];
        for _ in 0..LONG_LINE_BYTES / chunk.len() {
            stdin.write_all(&chunk).unwrap();
        }
        stdin.write_all(b"\n").unwrap();
        stdin.write_all(&good).unwrap();
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let lines = json_lines(std::str::from_utf8(&output.stdout).unwrap());
    assert_eq!(lines.len(), 7);
    assert_eq!(lines[0]["error_kind"], "schema_violation.malformed_json");
    let message = lines[0]["message"].as_str().unwrap();
    assert!(message.contains(&format!("{LONG_LINE_BYTES} bytes long, over the size limit")), "{message}");
    assert_eq!((&lines[1]["line"], &lines[1]["classification"]), (&2.into(), &"ACCEPT".into()));
}

#[test]
fn answers_come_while_the_input_is_still_open() {
    let ledger = Ledger::empty();
    let mut child = program()
        .arg("commit")
        .arg(&ledger.dir)
        .args(["--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let evidence = std::fs::read_to_string(vectors("evidence/trouble/denied-call.jsonl")).unwrap();
    for (number, line) in evidence.lines().enumerate() {
        writeln!(stdin, "{line}").unwrap();
        let answer: serde_json::Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["line"], number + 1);
        // What was answered can be read from another process.
        let shown = ledger.run("show", &[&answer["seq"].to_string(), "--format", "json"]).well();
        assert_eq!(shown.json()[0]["envelope_hash"], answer["envelope_hash"]);
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let ledger = Ledger::of(AGENT_WORK);
    for verb in ["traces", "replay"] {
        let mut child = program()
            .arg(verb)
            .arg(&ledger.dir)
            .args(["--format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((said.as_str(), child.wait().unwrap().code()), ("", Some(6)), "{verb}");
    }
}

#[test]
fn an_output_that_is_full_is_told() {
    let ledger = Ledger::of(AGENT_WORK);
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output =
        program().arg("traces").arg(&ledger.dir).args(["--format", "json"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(6));
    let error = json_lines(std::str::from_utf8(&output.stderr).unwrap()).remove(0);
    assert_eq!(error["error"]["code"], "output.unwritable");
}

#[test]
fn an_input_that_fails_midway_is_told_after_what_was_read() {
    // A process's own memory cannot be read from its start.
    let ledger = Ledger::empty();
    let committed = ledger.commit(std::path::Path::new("/proc/self/mem"), &["--format", "json"]).exits(4);
    assert_eq!(committed.error().0, "input.unreadable");
}
