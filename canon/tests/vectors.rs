//! The golden vectors of the house (`vectors/canon`, `vectors/numbers`), whose expected
//! values a Python program computed on its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::path::Path;

use proofline_canon::{
    CanonError, Cid, Limits, Profile, Sha256Digest, canonicalize, check_canonical, parse, unhex,
};
use serde_json::Value as Json;

fn cases(file: &str) -> Vec<Json> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(file);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let json: Json = serde_json::from_slice(&text).unwrap();
    let cases = json["cases"].as_array().unwrap().clone();
    assert!(!cases.is_empty(), "{file}");
    cases
}

fn bytes(case: &Json, name: &str) -> Vec<u8> {
    if let Some(text) = case[name].as_str() {
        return text.as_bytes().to_vec();
    }
    let text = case[format!("{name}_hex")].as_str().unwrap();
    text.as_bytes().chunks(2).map(|pair| unhex::<1>(std::str::from_utf8(pair).unwrap()).unwrap()[0]).collect()
}

fn profile(name: &str) -> Profile {
    match name {
        "envelope" => Profile::Envelope,
        "content" => Profile::Content,
        "content_exact" => Profile::ContentExact,
        other => panic!("{other}"),
    }
}

fn limits(case: &Json) -> Limits {
    let number = |name: &str| case[name].as_u64().map(|value| usize::try_from(value).unwrap());
    let mut limits = Limits::ENVELOPE;
    if let Some(max_bytes) = number("max_bytes") {
        limits = limits.with_max_bytes(max_bytes);
    }
    if let Some(max_depth) = number("max_depth") {
        limits = limits.with_max_depth(max_depth);
    }
    limits
}

#[test]
fn canonical_bytes() {
    for case in cases("canon/positive.json") {
        let (input, limits) = (bytes(&case, "input"), limits(&case));
        let profile = profile(case["profile"].as_str().unwrap());
        let canonical = canonicalize(&input, profile, &limits).unwrap();
        let expected = &case["expected"];
        assert_eq!(canonical, bytes(expected, "canonical"), "{case}");
        assert_eq!(Sha256Digest::of(&canonical).to_string(), expected["sha256"].as_str().unwrap(), "{case}");
        assert_eq!(Cid::of(&canonical).to_string(), expected["cid"].as_str().unwrap(), "{case}");
        let judged = check_canonical(&input, profile, &limits);
        assert_eq!(judged.is_ok(), expected["is_canonical"].as_bool().unwrap(), "{case}");
    }
}

#[test]
fn faults() {
    for case in cases("canon/negative.json") {
        let error = parse(&bytes(&case, "input"), &limits(&case)).unwrap_err();
        let fault = &case["expected"]["fault"];
        let kind = error.code().strip_prefix("canon.").unwrap();
        let others = fault["or"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let mut allowed = others.chain(fault["kind"].as_str());
        assert!(allowed.any(|name| name == kind), "{error} for {case}");
        if let Some(offset) = fault["offset"].as_u64() {
            assert_eq!(error.offset as u64, offset, "{case}");
        }
    }
}

fn same(judged: Result<Vec<u8>, CanonError>, expected: &Json, case: &Json) {
    match expected["error"].as_str() {
        Some(code) => assert_eq!(judged.unwrap_err().code(), code, "{case}"),
        None => assert_eq!(judged.unwrap(), expected["canonical"].as_str().unwrap().as_bytes(), "{case}"),
    }
}

#[test]
fn number_literals() {
    for file in ["numbers/literals.json", "numbers/doubles.json"] {
        for case in cases(file) {
            for (name, expected) in case["expected"].as_object().unwrap() {
                let judged = canonicalize(&bytes(&case, "input"), profile(name), &Limits::CONTENT);
                same(judged, expected, &case);
            }
        }
    }
}

#[test]
fn places_of_refused_numbers() {
    for case in cases("numbers/pointers.json") {
        let profile = profile(case["profile"].as_str().unwrap());
        let Err(CanonError::Write(error)) = canonicalize(&bytes(&case, "input"), profile, &Limits::CONTENT)
        else {
            panic!("{case}")
        };
        assert_eq!(error.code(), case["expected"]["error"].as_str().unwrap(), "{case}");
        assert_eq!(error.pointer.as_str(), case["expected"]["pointer"].as_str().unwrap(), "{case}");
    }
}
