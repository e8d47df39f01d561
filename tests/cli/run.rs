//! Runs the program and holds what came out; makes ledgers that are the same every time.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program, as if started from a plain shell with eighty columns.
pub(crate) fn program() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_proofline")))
}

pub(crate) fn clean(mut command: Command) -> Command {
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.env("COLUMNS", "80");
    command
}

pub(crate) fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code().expect("not killed"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Runs with these arguments.
pub(crate) fn proofline<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Ran {
    ran(program().args(arguments))
}

/// Runs with these arguments and this standard input.
pub(crate) fn fed<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>, input: impl Into<Vec<u8>>) -> Ran {
    ran(program().args(arguments).write_stdin(input))
}

impl Ran {
    /// Asserts the exit code, telling what was said.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts exit code 0 and that nothing was complained about.
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        let ran = self.exits(0);
        assert_eq!(ran.stderr, "");
        ran
    }

    /// The standard output as one JSON document a line.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        json_lines(&self.stdout)
    }

    /// The code, place and hint of the one JSON error on the standard error.
    #[track_caller]
    pub(crate) fn error(&self) -> (String, Option<String>, Option<String>) {
        let lines = json_lines(&self.stderr);
        assert_eq!(lines.len(), 1, "{}", self.stderr);
        let error = &lines[0]["error"];
        let text = |name: &str| error[name].as_str().map(str::to_owned);
        assert!(!text("message").unwrap().is_empty());
        (text("code").unwrap(), text("place"), text("hint"))
    }
}

#[track_caller]
pub(crate) fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The names of the members of an object, in the order in which they stand in a line.
pub(crate) fn member_names(line: &str) -> Vec<String> {
    let proofline::canon::RawMembers::Object(members) =
        proofline::canon::members(line.as_bytes(), &proofline::canon::Limits::CONTENT).unwrap()
    else {
        panic!("no object: {line}")
    };
    members.into_iter().map(|member| member.name).collect()
}

/// A file that ships in `vectors/`.
pub(crate) fn vectors(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name)
}

pub(crate) const AGENT_WORK: &str = "evidence/agent-work.jsonl";
pub(crate) const PAYLOADS: &str = "evidence/payloads.jsonl";
pub(crate) const CLOCK: &str = "2026-01-31T00:00:00.000Z";

/// A ledger in a folder that goes away.
pub(crate) struct Ledger {
    _folder: TempDir,
    pub(crate) dir: PathBuf,
}

impl Ledger {
    /// An empty one, the same every time.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("ledger");
        let id = "00112233445566778899aabbccddeeff";
        let fixed = ["--ledger-id", id, "--origin", "ledger.example/test", "--clock", CLOCK];
        ran(program().arg("init").arg(&dir).args(fixed)).well();
        Self { _folder: folder, dir }
    }

    /// One that a file of `vectors/` was committed to.
    pub(crate) fn of(name: &str) -> Self {
        let ledger = Self::empty();
        ledger.commit(&vectors(name), &[]);
        ledger
    }

    pub(crate) fn commit(&self, file: &Path, more: &[&str]) -> Ran {
        ran(program().arg("commit").arg(&self.dir).arg(file).args(["--clock", CLOCK]).args(more))
    }

    /// Runs a verb on it.
    pub(crate) fn run(&self, verb: &str, more: &[&str]) -> Ran {
        ran(program().arg(verb).arg(&self.dir).args(more))
    }

    /// The one segment file of a small ledger.
    pub(crate) fn segment(&self) -> PathBuf {
        self.dir.join("log/00000000000000000000.seg")
    }

    /// Changes the bytes of a file in place.
    pub(crate) fn edit(&self, file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(file).unwrap();
        change(&mut bytes);
        std::fs::write(file, bytes).unwrap();
    }
}

/// Where a text begins in bytes.
#[track_caller]
pub(crate) fn find(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).expect("it is there")
}
