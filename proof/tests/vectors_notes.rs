//! The golden notes, checkpoints and policies of `vectors/`, computed by an independent Python program
//! with an Ed25519 of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::path::Path;

use proofline_canon::{hex, unhex};
use proofline_proof::{
    CheckpointError, Note, Policy, SecretKey, Signer, VerifiedCheckpoint, VerifierKey,
    ed25519_cosignature_message,
};
use serde_json::{Value, json};

/// The cases of a golden file; their number is checked against the least it may have.
fn cases(file: &str, least: usize) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(file);
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = document["cases"].as_array().unwrap().clone();
    assert!(cases.len() >= least, "{file} has {} cases only", cases.len());
    cases
}

/// Bytes given as text, or as `name_hex`; nothing when the case has neither.
fn given(case: &Value, name: &str) -> Option<Vec<u8>> {
    let from_hex = |digits: &str| {
        (0..digits.len()).step_by(2).map(|at| unhex::<1>(&digits[at..at + 2]).unwrap()[0]).collect()
    };
    let text = case[name].as_str().map(|text| text.as_bytes().to_vec());
    text.or_else(|| case[format!("{name}_hex")].as_str().map(from_hex))
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_else(|| panic!("{case} has no {name}"))
}

#[test]
fn notes_are_read() {
    for case in cases("notes/positive.json", 8) {
        let bytes = given(&case, "input").unwrap();
        let note = Note::parse(&bytes).unwrap_or_else(|error| panic!("{error}: {case}"));
        let line = |line: &proofline_proof::NoteSignature| json!({"name": line.name(), "id": line.id().to_string(), "bytes_hex": hex(line.bytes())});
        let lines: Vec<Value> = note.signatures().iter().map(line).collect();
        assert_eq!(json!({"text": note.text(), "signatures": lines}), case["expected"], "{}", case["name"]);
        assert_eq!(note.to_bytes(), bytes, "{}", case["name"]);
    }
    for case in cases("notes/negative.json", 25) {
        let error = Note::parse(&given(&case, "input").unwrap()).expect_err(text(&case, "name"));
        assert_eq!(json!({"error": error.code()}), case["expected"], "{}: {}", case["name"], case["why"]);
    }
}

#[test]
fn notes_are_signed() {
    for case in cases("notes/sign.json", 4) {
        let secret: SecretKey = text(&case, "secret_key").parse().unwrap();
        let note = Note::sign(text(&case, "text"), &[&secret]).unwrap();
        let note = String::from_utf8(note.to_bytes()).unwrap();
        let found = json!({"verifier_key": secret.verifier().to_string(), "note": note});
        assert_eq!(found, case["expected"], "{}", case["name"]);
    }
}

#[test]
fn keys_are_read() {
    for case in cases("notes/keys.json", 20) {
        let found = match text(&case, "key").parse::<VerifierKey>() {
            Err(error) => json!({"error": error.code()}),
            Ok(key) => {
                assert_eq!(key.to_string(), text(&case, "key"));
                json!({
                    "name": key.name().as_str(), "role": key.role().as_str(),
                    "id": key.id().to_string(), "key_hex": hex(key.key_bytes()),
                })
            }
        };
        assert_eq!(found, case["expected"], "{}: {}", case["name"], case["why"]);
    }
}

fn verify(case: &Value) -> Result<VerifiedCheckpoint, CheckpointError> {
    let policy = Policy::parse(&given(case, "policy").unwrap());
    let policy = policy.unwrap_or_else(|error| panic!("{error}: {case}"));
    policy.verify(&given(case, "input").unwrap())
}

fn check_belief(case: &Value) {
    let verified = verify(case).unwrap_or_else(|error| panic!("{error}: {case}"));
    let checkpoint = verified.checkpoint();
    let log_keys: Vec<String> = verified.log_keys().iter().map(VerifierKey::short_name).collect();
    let witness = |found: &proofline_proof::Cosigned| json!({"key": found.witness.key().short_name(), "timestamp_s": found.timestamp_s});
    let witnesses: Vec<Value> = verified.witnesses().iter().map(witness).collect();
    let found = json!({
        "origin": checkpoint.origin(), "size": checkpoint.size(), "root_hex": checkpoint.root().to_string(),
        "extensions": checkpoint.extensions(), "log_keys": log_keys, "witnesses": witnesses,
        "unknown_lines": verified.unknown_lines(),
    });
    assert_eq!(found, case["expected"], "{}", case["name"]);
}

#[test]
fn checkpoints_are_believed_or_not() {
    for case in cases("checkpoints/positive.json", 12) {
        check_belief(&case);
    }
    for case in cases("checkpoints/negative.json", 20) {
        let error = verify(&case).expect_err(text(&case, "name"));
        assert_eq!(json!({"error": error.code()}), case["expected"], "{}: {}", case["name"], case["why"]);
    }
}

#[test]
fn policies_are_read() {
    for case in cases("policies/positive.json", 10) {
        check_belief(&case);
    }
    for case in cases("policies/negative.json", 35) {
        let code = match given(&case, "input") {
            Some(_) => verify(&case).expect_err(text(&case, "name")).code(),
            None => Policy::parse(&given(&case, "policy").unwrap()).expect_err(text(&case, "name")).code(),
        };
        assert_eq!(json!({"error": code}), case["expected"], "{}: {}", case["name"], case["why"]);
    }
}

#[test]
fn checkpoints_are_cosigned() {
    for case in cases("checkpoints/cosign.json", 4) {
        let secret: SecretKey = text(&case, "secret_key").parse().unwrap();
        let timestamp_s = case["timestamp_s"].as_u64().unwrap();
        let verified = verify(&case).unwrap();
        let message = ed25519_cosignature_message(verified.note().text(), timestamp_s);
        let note = verified.cosign(&secret, timestamp_s).unwrap();
        let note = String::from_utf8(note.to_bytes()).unwrap();
        let found = json!({"message_hex": hex(&message), "note": note});
        assert_eq!(found, case["expected"], "{}", case["name"]);
    }
}
