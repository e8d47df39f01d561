//! The golden files of `vectors/proofs`, computed by an independent Python program: our readers give
//! the same answers, and our writers the same bytes.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use proofline_canon::{Integer, Limits, Number, Value, parse};
use proofline_proof::files::cose::{Receipt, ReceiptProof};
use proofline_proof::files::dsse::DsseEnvelope;
use proofline_proof::files::producer::{sign_envelope, verify_envelope};
use proofline_proof::files::statement::{STATEMENT_PAYLOAD_TYPE, Statement};
use proofline_proof::files::{
    Backing, Dialect, Fact, Given, OldTree, ProofFile, ProofFileError, Trust, VerifiedConsistency,
    VerifiedInclusion,
};
use proofline_proof::{KeyRole, Policy, SecretKey, Signer, VerifierKey};

use crate::common::{bytes, node};

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/proofs").join(file);
    let document = parse(&std::fs::read(path).unwrap(), &Limits::CONTENT).unwrap();
    let cases = document.get("cases").unwrap().as_array().unwrap().to_vec();
    assert!(cases.len() >= 8, "{file} has only {} cases", cases.len());
    cases
}

fn text<'v>(case: &'v Value, name: &str) -> Option<&'v str> {
    let value = case.get(name).unwrap_or_else(|| panic!("{case:?} has no {name}"));
    if value.is_null() { None } else { Some(value.as_str().unwrap()) }
}

fn number(case: &Value, name: &str) -> u64 {
    match case.get(name).and_then(Value::as_number).map(Number::as_integer) {
        Some(Integer::Exact(number)) => u64::try_from(number).unwrap(),
        other => panic!("{name} is {other:?}"),
    }
}

fn proof_bytes(case: &Value) -> Vec<u8> {
    let as_text = case.get("proof").and_then(Value::as_str);
    as_text.map_or_else(|| bytes(text(case, "proof_hex").unwrap()), |text| text.as_bytes().to_vec())
}

fn secrets() -> BTreeMap<String, SecretKey> {
    cases("keys.json")
        .iter()
        .map(|case| {
            let secret: SecretKey = text(case, "secret").unwrap().parse().unwrap();
            let expected = case.get("expected").unwrap();
            assert_eq!(secret.verifier().to_string(), text(expected, "key").unwrap());
            assert_eq!(secret.verifier().short_name(), text(expected, "short").unwrap());
            (secret.verifier().short_name(), secret)
        })
        .collect()
}

enum Held {
    Inclusion(VerifiedInclusion),
    Consistency(VerifiedConsistency),
}

fn verify(case: &Value) -> Result<Held, ProofFileError> {
    let policy = Policy::parse(text(case, "policy").unwrap().as_bytes()).unwrap();
    let keys = case.get("keys").unwrap().as_array().unwrap();
    let keys: Vec<VerifierKey> = keys.iter().map(|key| key.as_str().unwrap().parse().unwrap()).collect();
    let threshold = NonZeroUsize::new(usize::try_from(number(case, "threshold")).unwrap()).unwrap();
    let trust = Trust { policy: Some(&policy), keys: &keys, threshold };
    let file = ProofFile::parse(&proof_bytes(case))?;
    if let Some(old) = case.get("old") {
        let origin = text(old, "origin").map(str::to_owned);
        let old = OldTree { origin, size: number(old, "size"), root: node(text(old, "root").unwrap()) };
        return file.verify_consistency(&trust, &old).map(Held::Consistency);
    }
    let entry = text(case, "entry_hex").map(bytes);
    let envelope = text(case, "envelope").map(str::as_bytes);
    file.verify_inclusion(&trust, &Given { entry: entry.as_deref(), envelope }).map(Held::Inclusion)
}

fn names(expected: &Value, name: &str) -> Vec<String> {
    let items = expected.get(name).unwrap().as_array().unwrap();
    items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

fn check_backing(backing: &Backing, expected: &Value, name: &str) {
    let facts = |facts: &[Fact]| facts.iter().map(|fact| fact.as_str().to_owned()).collect::<Vec<_>>();
    assert_eq!(backing.dialect.as_str(), text(expected, "dialect").unwrap(), "{name}");
    assert_eq!(backing.origin.as_deref(), text(expected, "origin"), "{name}");
    assert_eq!(backing.signers, names(expected, "signers"), "{name}");
    assert_eq!(backing.witnesses, names(expected, "witnesses"), "{name}");
    assert_eq!(facts(&backing.bound), names(expected, "bound"), "{name}");
    assert_eq!(facts(&backing.unbound), names(expected, "unbound"), "{name}");
    let time = expected.get("signed_at_s").unwrap();
    assert_eq!(backing.signed_at_s.is_none(), time.is_null(), "{name}");
    if let Some(time_s) = backing.signed_at_s {
        assert_eq!(u64::try_from(time_s).unwrap(), number(expected, "signed_at_s"), "{name}");
    }
}

fn check(case: &Value) {
    let name = text(case, "name").unwrap();
    let expected = case.get("expected").unwrap();
    if let Some(code) = expected.get("refused") {
        let refused = verify(case).map(|_| ()).expect_err(name);
        assert_eq!(refused.code(), code.as_str().unwrap(), "{name}: {refused}");
        assert!(!text(case, "why").unwrap().is_empty());
        return;
    }
    match verify(case).unwrap_or_else(|error| panic!("{name}: {error}")) {
        Held::Inclusion(held) => {
            check_backing(&held.backing, expected, name);
            assert_eq!(held.index, number(expected, "index"), "{name}");
            assert_eq!(held.size, number(expected, "size"), "{name}");
            assert_eq!(held.root, node(text(expected, "root").unwrap()), "{name}");
            assert_eq!(held.leaf.to_string(), text(expected, "leaf_hash").unwrap(), "{name}");
            let header = held.header.map(|header| header.encode());
            assert_eq!(header, text(expected, "header_hex").map(bytes), "{name}");
            assert_eq!(Some(held.envelope_matches), expected.get("envelope_matches").unwrap().as_bool());
        }
        Held::Consistency(held) => {
            check_backing(&held.backing, expected, name);
            assert_eq!(held.new_size, number(expected, "new_size"), "{name}");
            assert_eq!(held.new_root, node(text(expected, "new_root").unwrap()), "{name}");
        }
    }
}

fn check_all(file: &str) {
    let cases = cases(file);
    let is_negative = file.contains("negative");
    assert!(!is_negative || cases.len() >= 10);
    for case in &cases {
        assert_eq!(case.get("expected").unwrap().get("refused").is_some(), is_negative);
        check(case);
    }
}

#[test]
fn tlog_proofs_hold() {
    check_all("tlog.json");
}

#[test]
fn tampered_tlog_proofs_are_refused() {
    check_all("tlog.negative.json");
}

#[test]
fn receipts_hold() {
    check_all("cose.json");
}

#[test]
fn tampered_receipts_are_refused() {
    check_all("cose.negative.json");
}

#[test]
fn statements_hold() {
    check_all("dsse.json");
}

#[test]
fn tampered_statements_are_refused() {
    check_all("dsse.negative.json");
}

/// What the reference issued as a ledger would, we issue as the same bytes.
#[test]
fn what_is_issued_is_the_same_byte_for_byte() {
    let secrets = secrets();
    let mut issued = BTreeMap::new();
    for case in ["tlog.json", "cose.json", "dsse.json"].iter().flat_map(|file| cases(file)) {
        let name = text(&case, "name").unwrap();
        let Some(how) = case.get("issued").and_then(Value::as_str) else { continue };
        *issued.entry(how.to_owned()).or_insert(0) += 1;
        let bytes = proof_bytes(&case);
        let expected = case.get("expected").unwrap();
        let signer = |at: usize| &secrets[&names(expected, "signers")[at]];
        let written = match ProofFile::parse(&bytes).unwrap() {
            ProofFile::TlogProof(proof) => proof.write(),
            ProofFile::Consistency(proof) => proof.write().unwrap(),
            ProofFile::Receipt(receipt) => {
                let root = match receipt.proof() {
                    ReceiptProof::Inclusion { .. } => text(expected, "root"),
                    ReceiptProof::Consistency { .. } => text(expected, "new_root"),
                };
                let header = receipt.entry_header().map(<[u8]>::to_vec);
                let (time_s, origin) = (receipt.claims().issued_at_s, text(expected, "origin").unwrap());
                let proof = receipt.proof().clone();
                let root = node(root.unwrap());
                Receipt::issue(proof, &root, origin, time_s, header, signer(0)).unwrap().write()
            }
            ProofFile::Envelope(envelope) => {
                let keys = [signer(0).verifier().clone()];
                let payload = envelope
                    .verify(STATEMENT_PAYLOAD_TYPE, KeyRole::Dsse, &keys, NonZeroUsize::MIN)
                    .unwrap()
                    .payload;
                let payload = Statement::read(payload).unwrap().write().unwrap();
                let signed = DsseEnvelope::sign(STATEMENT_PAYLOAD_TYPE, payload, KeyRole::Dsse, signer(0));
                signed.unwrap().write().unwrap()
            }
        };
        assert_eq!(written, bytes, "{name}");
    }
    let counted: Vec<(&str, i32)> = issued.iter().map(|(how, count)| (how.as_str(), *count)).collect();
    assert_eq!(
        counted,
        [("grown", 4), ("newer", 4), ("receipt", 5), ("request", 5), ("statement", 5), ("text", 6)]
    );
}

#[test]
fn producers_signatures_are_those_of_the_reference() {
    let secrets = secrets();
    let mut accepted = 0;
    for case in cases("producer.json") {
        let name = text(&case, "name").unwrap();
        let key: VerifierKey = text(&case, "key").unwrap().parse().unwrap();
        let hash = text(&case, "envelope_hash").unwrap().parse().unwrap();
        let signature = DsseEnvelope::parse(&proof_bytes(&case)).unwrap();
        let answer = verify_envelope(&signature, &key, &hash);
        match text(case.get("expected").unwrap(), "refused") {
            Some(code) => assert_eq!(answer.unwrap_err().code(), code, "{name}"),
            None => {
                answer.unwrap_or_else(|error| panic!("{name}: {error}"));
                accepted += 1;
            }
        }
        if name == "signed" {
            let again = sign_envelope(&hash, &secrets[&key.short_name()]).unwrap();
            assert_eq!(again.write().unwrap(), proof_bytes(&case));
        }
    }
    assert_eq!(accepted, 2);
}

#[test]
fn dialects_are_named_as_in_the_vectors() {
    assert_eq!(Dialect::ALL.map(Dialect::as_str), ["tlog", "cose", "dsse"]);
}
