//! The golden vectors that concern this floor: records, order of faults, chain order, result
//! records. They were computed by a Python program that shares no code with this crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::path::Path;

use proofline_canon::{Limits, Profile, parse};
use proofline_trace::{
    ChainKey, Millis, ReplayResult, SealedEnvelope, Uncertified, certify, read_envelope, sort_chain,
};
use serde_json::Value as Json;

fn cases(file: &str) -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut document: Json = serde_json::from_str(&text).unwrap();
    let cases = std::mem::take(document["cases"].as_array_mut().unwrap());
    assert!(!cases.is_empty(), "{file}");
    cases
}

fn bytes(case: &Json, name: &str) -> Vec<u8> {
    match case.get(name).and_then(Json::as_str) {
        Some(text) => text.as_bytes().to_vec(),
        None => from_hex(case[&format!("{name}_hex")].as_str().unwrap()),
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn text<'a>(case: &'a Json, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_else(|| panic!("{name} of {case}"))
}

#[test]
fn valid_records_have_the_expected_bytes_and_hashes() {
    for record_type in ["auth_context", "policy_decision", "model_call", "tool_call"] {
        for case in cases(&format!("records/{record_type}.json")) {
            let (name, expected) = (text(&case, "name"), &case["expected"]);
            let input = bytes(&case, "input");
            let sealed = read_envelope(&input, &Limits::ENVELOPE).expect(name);
            assert_eq!(sealed.envelope().record_type().as_str(), text(expected, "record_type"), "{name}");
            assert_eq!(sealed.canonical(), bytes(expected, "canonical"), "{name}");
            assert_eq!(sealed.hash().to_string(), text(expected, "envelope_hash"), "{name}");
            assert_certified(&input, &sealed, expected["certified"].as_bool().unwrap(), name);
        }
    }
}

fn assert_certified(input: &[u8], sealed: &SealedEnvelope, certified: bool, name: &str) {
    match certify(input, &sealed.hash()) {
        Ok(certificate) => assert!(certified && certificate.envelope() == sealed, "{name}"),
        Err(Uncertified::NotCanonical { .. }) => assert!(!certified, "{name}"),
        Err(other) => panic!("{name}: {other}"),
    }
}

#[test]
fn refused_records_have_the_expected_kind_and_place() {
    let files = ["auth_context", "policy_decision", "model_call", "tool_call", "intake"];
    let records = files.iter().map(|file| format!("records/{file}.negative.json"));
    for file in records.chain(["order/first_fault.json".to_owned()]) {
        for case in cases(&file) {
            let (name, expected) = (text(&case, "name"), &case["expected"]);
            let refused = read_envelope(&bytes(&case, "input"), &Limits::ENVELOPE).expect_err(name);
            assert_eq!(refused.classification.as_str(), text(expected, "classification"), "{file}: {name}");
            assert_eq!(refused.kind.to_string(), text(expected, "error_kind"), "{file}: {name}");
            assert_eq!(refused.pointer.as_str(), text(expected, "pointer"), "{file}: {name}");
        }
    }
}

#[test]
fn chains_have_the_expected_order() {
    for case in cases("chain/keys.json") {
        let mut entries: Vec<(u64, ChainKey)> =
            case["input"].as_array().unwrap().iter().map(chain_entry).collect();
        sort_chain(&mut entries, |(_, key)| *key);
        let seqs: Vec<u64> = entries.iter().map(|(seq, _)| *seq).collect();
        let expected: Vec<u64> = serde_json::from_value(case["expected"].clone()).unwrap();
        assert_eq!(seqs, expected, "{}", case["name"]);
    }
}

fn chain_entry(entry: &Json) -> (u64, ChainKey) {
    let seq = entry["seq"].as_u64().unwrap();
    let accepted = ChainKey::new(
        text(entry, "record_type").parse().unwrap(),
        Millis::new(entry["time_ms"].as_u64().unwrap()).unwrap(),
        text(entry, "envelope_hash").parse().unwrap(),
    );
    match text(entry, "kind") {
        "accepted" => (seq, accepted),
        "rejected" => (seq, accepted.rejected_at(seq)),
        other => panic!("{other}"),
    }
}

#[test]
fn result_records_read_back_and_hash_to_their_artifact_keys() {
    for file in ["honest", "bytes", "gate"] {
        for case in cases(&format!("forensic/{file}.json")) {
            let expected = if case["expected"].is_object() { &case["expected"] } else { &case };
            let record = parse(expected["record"].to_string().as_bytes(), &Limits::CONTENT).unwrap();
            let result = ReplayResult::from_value(&record).unwrap();
            assert_eq!(result.canonical(), record.to_canonical(Profile::Envelope).unwrap());
            assert_eq!(result.sha256().to_string(), text(expected, "artifact_sha256"), "{}", case["name"]);
        }
    }
}
