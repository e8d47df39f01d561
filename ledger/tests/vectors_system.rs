//! The golden key records and producers' signatures of `vectors/system/`, computed by an independent
//! Python program with an Ed25519 of its own: the gate gives the same answers, and the list the same keys.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::path::Path;

use common::NOW_MS;
use proofline_canon::{Limits, Profile, Value, parse, unhex};
use proofline_ledger::{Action, Genesis, Ledger, Options, Outcome, Snapshot, Submission, verify};
use proofline_proof::{KeyRole, Signer};
use proofline_trace::LedgerId;

fn cases(file: &str, least: usize) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/system").join(file);
    let value = parse(&std::fs::read(&path).unwrap(), &Limits::CONTENT).unwrap();
    let cases = value.get("cases").unwrap().as_array().unwrap().to_vec();
    assert!(cases.len() >= least, "{file} has {} cases only", cases.len());
    cases
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text {name}"))
}

fn number(value: &Value, name: &str) -> Option<u64> {
    value.get(name).map(|it| it.as_number().unwrap().literal().parse().unwrap())
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).unwrap_or_else(|| panic!("no list {name}"))
}

fn outcome(outcome: &Outcome) -> (Option<u64>, Option<u64>, Option<&str>) {
    match outcome {
        Outcome::Accepted { seq, duplicate: false, .. } => (Some(seq.get()), None, None),
        Outcome::Accepted { seq, duplicate: true, .. } => (None, Some(seq.get()), None),
        Outcome::ArtifactRefused(refusal) => (None, None, Some(refusal.code())),
        // A refused attempt is an entry as well.
        Outcome::Refused { seq: Some(seq), .. } => (Some(seq.get()), None, None),
        other => panic!("{other:?}"),
    }
}

fn run(case: &Value) {
    let name = text(case, "name");
    let dir = tempfile::tempdir().unwrap();
    let ledger_id = LedgerId::from_bytes(unhex(text(case, "ledger_id")).unwrap());
    let origin = text(case, "origin").parse().unwrap();
    Ledger::init(dir.path(), &Genesis { ledger_id, origin, created_at_ms: NOW_MS }).unwrap();
    let ledger = Ledger::open(dir.path(), Options::default()).unwrap();
    let (actions, expected) = (items(case, "actions"), items(case, "outcomes"));
    assert_eq!(actions.len(), expected.len());
    for (at, (action, expected)) in actions.iter().zip(expected).enumerate() {
        let bytes = |kind: &str| action.get(kind).map(|it| it.to_canonical(Profile::Envelope).unwrap());
        let (system, artifact, evidence) = (bytes("system"), bytes("artifact"), bytes("evidence"));
        let action = match (&system, &artifact, &evidence) {
            (Some(bytes), None, None) => Action::System(bytes),
            (None, Some(bytes), None) => Action::Artifact(bytes),
            (None, None, Some(bytes)) => Action::Evidence(Submission::bare(bytes)),
            _ => panic!("{name}: action {at} is of no kind"),
        };
        let found = ledger.commit_action(&action, NOW_MS).unwrap();
        let code = expected.get("code").and_then(Value::as_str);
        let expected = (number(expected, "seq"), number(expected, "duplicate"), code);
        assert_eq!(outcome(&found), expected, "{name}: action {at}");
    }
    let keys = Snapshot::open(dir.path()).unwrap().key_list().unwrap();
    for row in items(case, "current") {
        let (size, role) = (number(row, "size").unwrap(), text(row, "role").parse::<KeyRole>().unwrap());
        let found: Vec<String> = keys.current(role, size).map(|listed| listed.key.short_name()).collect();
        let expected: Vec<&str> = items(row, "keys").iter().map(|key| key.as_str().unwrap()).collect();
        assert_eq!(found, expected, "{name}: {role} at {size}");
    }
    assert!(verify(dir.path(), &mut |_| ()).unwrap().is_sound(), "{name}");
}

#[test]
fn key_records_are_let_in_as_the_reference_says() {
    cases("keys.json", 20).iter().for_each(run);
}

#[test]
fn reports_of_back_tests_are_let_in_as_the_reference_says() {
    cases("backtests.json", 10).iter().for_each(run);
}

#[test]
fn producers_signatures_are_let_in_as_the_reference_says() {
    cases("producer_signatures.json", 7).iter().for_each(run);
}

#[test]
fn sealed_verdicts_are_let_in_as_the_reference_says() {
    cases("verdicts.json", 26).iter().for_each(run);
}

#[test]
fn erasures_and_holds_are_let_in_as_the_reference_says() {
    cases("erasures.json", 16).iter().for_each(run);
}

#[test]
fn what_an_import_leaves_is_let_in_as_the_reference_says() {
    cases("imports.json", 50).iter().for_each(run);
}

/// What we make ourselves is what the reference makes, byte for byte.
#[test]
fn our_own_records_are_those_of_the_reference() {
    let case = cases("keys.json", 20).remove(0);
    let secret = |seed: u8| {
        let name = proofline_proof::KeyName::new(text(&case, "origin")).unwrap();
        let seed = zeroize::Zeroizing::new([seed; 32]);
        proofline_proof::SecretKey::from_seed(name, KeyRole::Log, &seed).unwrap()
    };
    let (first, second) = (secret(1), secret(2));
    let ledger_id = LedgerId::from_bytes(unhex(text(&case, "ledger_id")).unwrap());
    let list = proofline_proof::KeyList::new(ledger_id, text(&case, "origin").parse().unwrap());
    let made = [
        list.addition(&first, None).unwrap(),
        list.addition(&second, Some(&first)).unwrap(),
        list.retirement(first.verifier(), &second).unwrap(),
    ];
    for (record, action) in made.iter().zip(items(&case, "actions")) {
        assert_eq!(record.to_value(), *action.get("system").unwrap());
    }
}
