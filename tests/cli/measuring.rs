//! `bench` as a person meets it who wants to know what a machine can do: what it made is evidence that any verb reads,
//! the counts are true, and what was not to be kept is gone, also after a signal. No figure is judged: it is the
//! machine's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use proofline::ledger::{Seq, Snapshot};
use serde_json::Value;

use crate::run::{program, ran};

/// Runs over few records, into this folder.
fn kept(dir: &Path, records: &str, seed: &str) -> Value {
    let mut command = program();
    command.arg("bench").args(["--records", records, "--seed", seed, "--threads", "2", "--format", "json"]);
    ran(command.arg("--dir").arg(dir)).well().json().remove(0)
}

fn verb(verb: &str, dir: &Path) -> Vec<Value> {
    ran(program().arg(verb).arg(dir).args(["--format", "json"])).well().json()
}

fn names(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect()
}

fn file_bytes(dir: &Path) -> u64 {
    let size =
        |path: &PathBuf| if path.is_dir() { file_bytes(path) } else { fs::metadata(path).unwrap().len() };
    names(dir).iter().map(size).sum()
}

/// Counted by other verbs, which read the ledger that was kept.
#[test]
fn what_is_measured_is_a_ledger_of_so_many_records() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("new");
    let report = kept(&dir, "2500", "7");
    assert_eq!(report["disk_bytes"], file_bytes(&dir));
    let stat = verb("stat", &dir).remove(0);
    assert_eq!((&report["records"], &stat["entries"]), (&Value::from(2500), &Value::from(2501)));
    assert_eq!(report["traces"], stat["traces"]);
    let types = stat["record_types"].as_object().unwrap();
    assert!(types.len() == 4 && types.values().all(|count| count.as_u64().unwrap() > 100), "{types:?}");
    assert_eq!(verb("verify", &dir).remove(0)["verdict"], "sound");
    let replayed = verb("replay", &dir).pop().unwrap();
    assert_eq!((&replayed["summary"]["verified"], &replayed["summary"]["failed"]), (&2500.into(), &0.into()));

    let bodies = bodies(&dir);
    assert_eq!(bodies.len(), 2500);
    assert_eq!(report["canonical_bytes"], bodies.iter().map(|body| body.len() as u64).sum::<u64>());
}

/// The records of a ledger; the genesis entry is none.
fn bodies(dir: &Path) -> Vec<Vec<u8>> {
    let snapshot = Snapshot::open(dir).unwrap();
    (1..snapshot.entries()).map(|seq| snapshot.entry(Seq::new(seq)).unwrap().unwrap().body).collect()
}

#[test]
fn a_seed_gives_the_same_records_again() {
    let home = tempfile::tempdir().unwrap();
    let made = |name: &str, seed| {
        let dir = home.path().join(name);
        kept(&dir, "300", seed);
        bodies(&dir)
    };
    let first = made("a", "7");
    assert_eq!(first, made("b", "7"));
    assert_ne!(first, made("c", "8"));
}

#[test]
fn a_bench_goes_into_a_folder_of_its_own_or_a_temporary_one() {
    let home = tempfile::tempdir().unwrap();
    let (empty, taken) = (home.path().join("empty"), home.path().join("taken"));
    fs::create_dir(&empty).unwrap();
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("mine.txt"), "mine").unwrap();
    assert_eq!(kept(&empty, "10", "1")["kept_in"], empty.to_str().unwrap());
    let refused = ran(program().arg("bench").args(["--format", "json", "--dir"]).arg(&taken)).exits(4);
    assert_eq!(refused.error().0, "ledger.not_empty");
    assert_eq!(names(&taken), [taken.join("mine.txt")]);

    let temporary = tempfile::tempdir().unwrap();
    let report = ran(program().arg("bench").args(["--records", "10"]).env("TMPDIR", temporary.path())).well();
    assert!(report.stdout.starts_with("10 records in 10 traces, "), "{}", report.stdout);
    assert_eq!(names(temporary.path()), Vec::<PathBuf>::new());
}

/// What is imported is counted from what the file is said to be, and by other verbs.
#[test]
fn an_import_is_measured_on_a_ledger_that_other_verbs_read() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("new");
    let measured = |spans: &str, more: &[&str]| {
        let mut command = program();
        command.args(["bench", "otlp", "--format", "json", "--spans", spans]).args(more);
        ran(&mut command).well().json().remove(0)
    };
    let named = dir.to_str().unwrap();
    let report =
        measured("301", &["--trace-spans", "100", "--contents", "60", "--text-bytes", "9", "--dir", named]);
    assert_eq!((&report["spans"], &report["traces"]), (&301.into(), &4.into()));
    // 201 calls, each with its decision, and the context of each trace.
    assert_eq!(report["records"], 2 * 201 + 4);
    // Sixty contents are of twenty chats and twenty tools' calls, each with two payloads; further there are a document
    // of the spans of each trace, and the policy.
    assert_eq!(report["payloads"], 2 * 40 + 4 + 1);
    let stat = verb("stat", &dir).remove(0);
    assert_eq!((&report["entries"], &report["traces"]), (&stat["entries"], &stat["traces"]));
    assert_eq!(report["disk_bytes"], file_bytes(&dir));
    assert_eq!(verb("verify", &dir).remove(0)["verdict"], "sound");
    assert_eq!(report["peak_memory_bytes"].is_u64(), cfg!(target_os = "linux"));

    // Contents come again only where that is asked for.
    let report = measured("90", &["--capture", "digest", "--threads", "1"]);
    assert_eq!((&report["contents"], &report["capture"]), (&Value::Null, &"digest".into()));
    assert_eq!(report["payloads"], 2 * 60 + 3 + 1);
    let temporary = tempfile::tempdir().unwrap();
    let text = ran(program().args(["bench", "otlp", "--spans", "30"]).env("TMPDIR", temporary.path())).well();
    assert!(text.stdout.starts_with("30 spans in 1 trace, "), "{}", text.stdout);
    assert_eq!(names(temporary.path()), Vec::<PathBuf>::new());
    for wrong in ["0", "99999999999"] {
        ran(program().args(["bench", "otlp", "--spans", wrong])).exits(2);
    }
}

/// The program listens before it makes a folder, so the signal comes at a time when it listens; with so many records
/// it cannot be at its end.
#[test]
fn a_signal_leaves_nothing_behind() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let home = tempfile::tempdir().unwrap();
        let (temporary, new, empty) =
            (home.path().join("temporary"), home.path().join("new"), home.path().join("empty"));
        fs::create_dir(&temporary).unwrap();
        fs::create_dir(&empty).unwrap();
        let records: &[&str] = &["bench", "--records", "1000000000"];
        let spans: &[&str] = &["bench", "otlp", "--spans", "1000000000"];
        for (dir, what) in [
            (None, records),
            (Some(&new), records),
            (Some(&empty), records),
            (None, spans),
            (Some(&new), spans),
        ] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_proofline"));
            command.args(what).env("TMPDIR", &temporary);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            if let Some(dir) = dir {
                command.arg("--dir").arg(dir);
            }
            let mut child = command.spawn().unwrap();
            let made = dir.unwrap_or(&temporary);
            while !made.is_dir() || names(made).is_empty() {
                assert_eq!(child.try_wait().unwrap(), None);
                std::thread::sleep(Duration::from_millis(5));
            }
            let sent = Command::new("kill").arg(signal).arg(child.id().to_string()).status().unwrap();
            assert!(sent.success());
            let ended = child.wait_with_output().unwrap();
            assert_eq!(ended.status.code(), Some(code));
            assert_eq!((ended.stdout.as_slice(), ended.stderr.as_slice()), (&b""[..], &b""[..]));
        }
        assert!(!new.exists());
        assert_eq!((names(&temporary), names(&empty)), (Vec::new(), Vec::new()));
    }
}
