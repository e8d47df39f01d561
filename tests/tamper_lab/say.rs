//! What everybody says of a folder: the program's `verify` with what an auditor may have, opening for
//! writing, signing, and a replay of everything.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use proofline::ledger::{Ledger, Snapshot};
use proofline::proof::SecretKey;
use proofline::replay::{Means, Plan, TraceReplay, replay};
use serde_json::Value;

use crate::house::{OPTIONS, copy};

fn run(dir: &Path, more: &[String]) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proofline"));
    let output = command.arg("verify").arg(dir).args(["--format", "json"]).args(more).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let report = serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{error}: {said}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), report)
}

fn codes(list: &Value) -> Vec<String> {
    let mut codes: Vec<String> = Vec::new();
    for code in list.as_array().unwrap().iter().map(|trouble| trouble["code"].as_str().unwrap()) {
        if !codes.iter().any(|known| known == code) {
            codes.push(code.to_owned());
        }
    }
    codes
}

/// What `verify` says, in a few words: each code once and the exit code, or what authenticity rests on.
pub(crate) fn verify(dir: &Path, more: &[String]) -> String {
    let (exit, report) = run(dir, more);
    let answer = |name: &str| report[name]["answer"].as_str().unwrap();
    let troubles = |name: &str| codes(&report[name]["troubles"]);
    // One question each, and the exit code is that of the first that is answered badly.
    let derived = codes(&report["derived"]);
    let kinds = [
        ("integrity", "damaged", 3, troubles("integrity")),
        ("completeness", "incomplete", 8, troubles("completeness")),
        ("authenticity", "unauthentic", 9, troubles("authenticity")),
        ("erasure", "not_erased", 10, troubles("erasure")),
    ];
    for (name, bad, _, troubles) in &kinds {
        assert_eq!(answer(name) == *bad, !troubles.is_empty(), "{name}: {report}");
    }
    let first = kinds.iter().find(|(_, _, _, troubles)| !troubles.is_empty()).map(|(_, _, exit, _)| *exit);
    let expected = first.unwrap_or(if derived.is_empty() { 0 } else { 5 });
    assert_eq!(exit, expected, "{report}");
    let all: Vec<String> =
        kinds.into_iter().flat_map(|(_, _, _, troubles)| troubles).chain(derived).collect();
    match all.as_slice() {
        [] => format!("passes, {}", answer("authenticity").replace('_', " ")),
        codes => {
            format!("{} {exit}", codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(" "))
        }
    }
}

/// Opens a copy of the folder for writing.
pub(crate) fn open(dir: &Path) -> String {
    on_copy(dir, |dir| match Ledger::open(dir, OPTIONS) {
        Ok(_) => "opens".to_owned(),
        Err(proofline::ledger::LedgerError::Damaged(damage)) => format!("`{}`", damage.code),
        Err(error) => panic!("{error}"),
    })
}

/// Asks for a checkpoint of a copy of the folder.
pub(crate) fn sign(dir: &Path, key: &SecretKey) -> String {
    on_copy(dir, |dir| match Ledger::open(dir, OPTIONS) {
        Ok(ledger) => match ledger.checkpoint(&[key]) {
            Ok(_) => "signs".to_owned(),
            Err(error) => format!("`{}`", error.code()),
        },
        Err(_) => "cannot be opened".to_owned(),
    })
}

/// Replays everything.
pub(crate) fn replay_all(dir: &Path) -> String {
    let Ok(snapshot) = Snapshot::open(dir) else { return "cannot be opened".to_owned() };
    let mut verdicts: Vec<TraceReplay> = Vec::new();
    let summary = replay(&snapshot, &Means::default(), &Plan::default(), &mut verdicts).unwrap();
    summary.verdict().to_string().replace('_', " ")
}

fn on_copy(dir: &Path, look: impl FnOnce(&Path) -> String) -> String {
    let home = tempfile::tempdir().unwrap();
    let to: PathBuf = home.path().join("copy");
    copy(dir, &to);
    look(&to)
}
