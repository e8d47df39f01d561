//! The golden sealed payloads of `vectors/`, computed by an independent Python program with a cipher of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::path::Path;

use proofline_canon::{Sha256Digest, hex, unhex};
use proofline_proof::sealed::{SealedHeader, SubjectKey, open_bytes, seal_bytes, sealed_size_bytes};
use proofline_trace::SubjectKeyId;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// The cases of a golden file; their number is checked against the least it may have.
fn cases(file: &str, least: usize) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/sealed").join(file);
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = document["cases"].as_array().unwrap().clone();
    assert!(cases.len() >= least, "{file} has {} cases only", cases.len());
    cases
}

fn bytes(case: &Value, name: &str) -> Option<Vec<u8>> {
    let digits = case[name].as_str()?;
    Some((0..digits.len()).step_by(2).map(|at| unhex::<1>(&digits[at..at + 2]).unwrap()[0]).collect())
}

fn key(case: &Value) -> SubjectKey {
    let key = unhex(case["key_hex"].as_str().unwrap()).unwrap();
    SubjectKey::from_bytes(&Zeroizing::new(key))
}

/// The content as it stands, or so many bytes of the pattern.
fn content(case: &Value) -> Vec<u8> {
    let pattern = || {
        let size = case["content_bytes"].as_u64().expect("content, or its length");
        (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect()
    };
    bytes(case, "content_hex").unwrap_or_else(pattern)
}

#[test]
fn content_is_sealed_and_opened() {
    for case in cases("positive.json", 11) {
        let (key, content, expected) = (key(&case), content(&case), &case["expected"]);
        let sealed = seal_bytes(&key, &content);
        assert_eq!(expected["sha256"], Sha256Digest::of(&sealed).to_string(), "{}", case["name"]);
        if let Some(wanted) = bytes(expected, "sealed_hex") {
            assert_eq!(hex(&sealed), hex(&wanted), "{}", case["name"]);
        }
        let size = expected["sealed_bytes"].as_u64().unwrap_or(sealed.len() as u64);
        assert_eq!((sealed.len() as u64, sealed_size_bytes(content.len() as u64)), (size, Ok(size)));
        let key_id: SubjectKeyId = expected["key_id"].as_str().unwrap().parse().unwrap();
        assert_eq!((key.id(), SealedHeader::parse(&sealed).unwrap().key_id()), (key_id, key_id));
        assert_eq!(expected["nonce_hex"], hex(&sealed[44..63]));
        assert_eq!(*open_bytes(&key, &sealed).unwrap(), content, "{}", case["name"]);
    }
}

#[test]
fn what_was_not_sealed_so_is_not_opened() {
    for case in cases("negative.json", 40) {
        let sealed = bytes(&case, "sealed_hex").unwrap_or_else(|| {
            let whole = seal_bytes(&key(&case), &content(&case));
            let pieces = case["pieces"].as_array().unwrap().iter();
            let place = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
            pieces.flat_map(|piece| &whole[place(&piece[0])..place(&piece[1])]).copied().collect()
        });
        let error = open_bytes(&key(&case), &sealed).expect_err(case["name"].as_str().unwrap());
        assert_eq!(json!({"error": error.code()}), case["expected"], "{}: {}", case["name"], case["why"]);
    }
}
