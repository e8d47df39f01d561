//! `verify` with what somebody brings: its three answers as people see them, and files that cannot be used.

use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use proofline::ledger::{Action, Ledger, Options, Outcome, Submission};
use proofline::proof::{KeyName, KeyRole, Policy, SecretKey, Signer};
use proofline_vectors::{EvidencePlan, Generator};

use crate::run::{Ran, program, ran};

const ORIGIN: &str = "ledger.example/test";
const NOW_MS: u64 = 1_769_817_600_000;

fn secret(name: &str, role: KeyRole, seed: u8) -> SecretKey {
    SecretKey::from_seed(KeyName::new(name).unwrap(), role, &[seed; 32].into()).unwrap()
}

fn log_key(seed: u8) -> SecretKey {
    secret(ORIGIN, KeyRole::Log, seed)
}

fn witness(number: u8) -> SecretKey {
    secret(&format!("witness.example/w{number}"), KeyRole::Witness, 100 + number)
}

/// A folder in which commands are run, so that files have short names; it holds `ledger`.
struct Room {
    folder: tempfile::TempDir,
}

impl Room {
    /// A ledger with a key, a checkpoint that it covers, and some evidence behind.
    fn new() -> Self {
        let room = Room { folder: tempfile::tempdir().unwrap() };
        let id = "00112233445566778899aabbccddeeff";
        let clock = "2026-01-31T00:00:00.000Z";
        room.run(&["init", "ledger", "--ledger-id", id, "--origin", ORIGIN, "--clock", clock]).well();
        let ledger = room.open();
        let list = ledger.snapshot().unwrap().key_list().unwrap();
        let record = list.addition(&log_key(1), None).unwrap().canonical();
        ledger.commit_action(&Action::System(&record), NOW_MS).unwrap();
        room.commit(&ledger, 0..2);
        fs::write(room.path("kept"), ledger.checkpoint(&[&log_key(1)]).unwrap().note).unwrap();
        room.commit(&ledger, 2..4);
        room
    }

    fn open(&self) -> Ledger {
        Ledger::open(self.path("ledger"), Options::default()).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn commit(&self, ledger: &Ledger, lines: std::ops::Range<usize>) {
        let records = Generator::new(&EvidencePlan::clean(7, 2));
        for record in records.skip(lines.start).take(lines.len()) {
            let action = Action::Evidence(Submission::bare(record.sealed.canonical()));
            let outcome = ledger.commit_action(&action, NOW_MS + 1000).unwrap();
            assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
        }
    }

    fn run_at(&self, columns: &str, arguments: &[&str]) -> Ran {
        ran(program().current_dir(self.folder.path()).args(arguments).env("COLUMNS", columns))
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_at("80", arguments)
    }

    /// What `verify` prints at both widths, with the exit code on top.
    fn verify(&self, more: &[&str]) -> String {
        let arguments = [&["verify", "ledger"], more].concat();
        let [narrow, wide] = ["80", "200"].map(|columns| {
            let shown = self.run_at(columns, &arguments);
            assert_eq!(shown.stderr, "");
            let width: usize = columns.parse().unwrap();
            for line in shown.stdout.lines() {
                assert!(line.chars().count() <= width, "{line}");
            }
            shown
        });
        assert_eq!(narrow.code, wide.code);
        format!("exit {}\n{}\n{}\n{}", narrow.code, narrow.stdout, "=".repeat(80), wide.stdout)
    }

    /// Verdict, the three answers and the exit code, from JSON.
    fn answers(&self, more: &[&str]) -> (String, [String; 3], i32) {
        let ran = self.run(&[&["verify", "ledger", "--format", "json"], more].concat());
        let report = ran.json().remove(0);
        let answer = |name: &str| report[name]["answer"].as_str().unwrap().to_owned();
        let answers = ["integrity", "completeness", "authenticity"].map(answer);
        (report["verdict"].as_str().unwrap().to_owned(), answers, ran.code)
    }

    /// Code and place of the error that ends a run with 4.
    fn refused(&self, more: &[&str]) -> (String, Option<String>) {
        let ran = self.run(&[&["verify", "ledger", "--format", "json"], more].concat()).exits(4);
        assert_eq!(ran.stdout, "");
        let (code, place, _) = ran.error();
        (code, place)
    }
}

fn said(verdict: &str, answers: [&str; 3], exit: i32) -> (String, [String; 3], i32) {
    (verdict.to_owned(), answers.map(str::to_owned), exit)
}

fn root() -> String {
    log_key(1).verifier().to_string()
}

#[test]
fn the_three_answers_to_who_brings_what() {
    let room = Room::new();
    assert_snapshot!("verify_own_word", room.verify(&[]));
    assert_eq!(room.answers(&[]), said("sound", ["sound", "complete", "own_word"], 0));
    let rooted = ["--key", &root(), "--checkpoint", "kept"];
    assert_snapshot!("verify_authentic", room.verify(&rooted));
    assert_eq!(room.answers(&rooted), said("sound", ["sound", "complete", "authentic"], 0));
    // The key in a file says the same.
    fs::write(room.path("root.pub"), format!("{}\n", root())).unwrap();
    assert_eq!(room.answers(&["--key", "root.pub"]).2, 0);

    let stranger = log_key(9).verifier().to_string();
    assert_snapshot!("verify_unauthentic", room.verify(&["--key", &stranger]));
    assert_eq!(
        room.answers(&["--key", &stranger]),
        said("unauthentic", ["sound", "complete", "unauthentic"], 9)
    );

    fs::remove_dir_all(room.path("ledger/checkpoints")).unwrap();
    assert_snapshot!("verify_unsigned", room.verify(&[]));
    assert_eq!(room.answers(&[]), said("sound", ["sound", "complete", "unsigned"], 0));
    assert_snapshot!("verify_none_signed", room.verify(&["--key", &root()]));
    assert_eq!(
        room.answers(&["--key", &root()]),
        said("unauthentic", ["sound", "complete", "unauthentic"], 9)
    );
}

#[test]
fn a_cut_and_a_fork_are_told_with_the_checkpoint_that_tells_them() {
    let room = Room::new();
    copy(&room.path("ledger"), &room.path("short"));
    let ledger = room.open();
    room.commit(&ledger, 4..6);
    fs::write(room.path("later"), ledger.checkpoint(&[&log_key(1)]).unwrap().note).unwrap();
    drop(ledger);
    fs::rename(room.path("ledger"), room.path("whole")).unwrap();
    fs::rename(room.path("short"), room.path("ledger")).unwrap();
    let plan = ["--checkpoint", "later", "--key", &root()];
    assert_snapshot!("verify_cut", room.verify(&plan));
    assert_eq!(room.answers(&plan), said("incomplete", ["sound", "incomplete", "authentic"], 8));

    let ledger = room.open();
    room.commit(&ledger, 5..6);
    room.commit(&ledger, 4..5);
    // As many as were signed, of which the last was the index entry.
    room.commit(&ledger, 6..7);
    drop(ledger);
    assert_snapshot!("verify_forked", room.verify(&plan));
    assert_eq!(room.answers(&plan), said("incomplete", ["sound", "incomplete", "authentic"], 8));
}

#[test]
fn witnesses_are_named_and_missed() {
    let room = Room::new();
    let lines: String =
        (1..4).map(|number| format!("witness w{number} {}\n", witness(number).verifier())).collect();
    let policy = format!("log {}\n{lines}group two 2 w1 w2 w3\nquorum two\n", root());
    fs::write(room.path("policy"), policy).unwrap();
    let cosign = |name: &str, witnesses: &[u8]| {
        let log = Policy::of_keys(vec![log_key(1).verifier().clone()]).unwrap();
        let note = witnesses.iter().fold(fs::read(room.path("kept")).unwrap(), |note, number| {
            log.verify(&note).unwrap().cosign(&witness(*number), NOW_MS / 1000).unwrap().to_bytes()
        });
        fs::write(room.path(name), note).unwrap();
    };
    cosign("two", &[1, 3]);
    cosign("one", &[2]);
    let two = ["--policy", "policy", "--checkpoint", "two"];
    assert_snapshot!("verify_witnessed", room.verify(&two));
    assert_eq!(room.answers(&two), said("sound", ["sound", "complete", "authentic"], 0));
    let one = ["--policy", "policy", "--checkpoint", "one"];
    assert_snapshot!("verify_few_witnesses", room.verify(&one));
    let refused = said("unauthentic", ["sound", "complete", "unauthentic"], 9);
    assert_eq!(room.answers(&one), refused);
    assert_eq!(room.answers(&["--policy", "policy"]), refused);
}

#[test]
fn keys_policies_and_checkpoints_that_cannot_be_used_are_bad_input() {
    let room = Room::new();
    let place = |text: &str| Some(text.to_owned());
    for file in ["--policy", "--checkpoint"] {
        assert_eq!(room.refused(&[file, "absent"]), ("input.unreadable".to_owned(), place("absent")));
        assert_eq!(room.refused(&[file, "ledger"]), ("input.unreadable".to_owned(), place("ledger")));
    }
    assert_eq!(room.refused(&["--key", "absent"]).0, "input.unreadable");
    let changed = root().replacen('+', "+0", 1);
    assert!(room.refused(&["--key", &changed]).0.starts_with("key."));
    let secret = log_key(1).to_secret_text();
    let (code, _) = room.refused(&["--key", &secret]);
    assert_eq!(code, "key.kind");
    for (content, code) in [("", "key.form"), ("\n", "key.form"), ("no key\n", "key.form")] {
        fs::write(room.path("bad.pub"), content).unwrap();
        assert_eq!(room.refused(&["--key", "bad.pub"]), (code.to_owned(), place("bad.pub")), "{content:?}");
    }
    for (content, code) in [
        ("", "policy.no_quorum"),
        ("quorum none", "policy.unfinished"),
        ("wintess w\n", "policy.keyword"),
        ("quorum w9\n", "policy.undefined"),
    ] {
        fs::write(room.path("bad.policy"), content).unwrap();
        assert_eq!(room.refused(&["--policy", "bad.policy"]), (code.to_owned(), place("bad.policy")));
    }
    fs::write(room.path("long"), vec![b'a'; 2 << 20]).unwrap();
    assert_eq!(room.refused(&["--checkpoint", "long"]).0, "input.too_long");
    assert_eq!(room.refused(&["--policy", "long"]).0, "input.too_long");
    // A file that can be read and is no checkpoint is an answer, and no bad input.
    fs::write(room.path("junk"), "junk\n").unwrap();
    assert_eq!(
        room.answers(&["--checkpoint", "junk"]),
        said("unauthentic", ["sound", "complete", "unauthentic"], 9)
    );
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() { copy(&from, &to) } else { fs::copy(&from, &to).map(|_| ()).unwrap() }
    }
}
