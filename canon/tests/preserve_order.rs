//! The feature story: any crate of a build may switch on serde_json's `preserve_order`, which
//! changes the order of its maps for everyone. No byte of ours may follow it. This file gives
//! the same golden bytes with `--features preserve_order` and without.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use proofline_canon::{Limits, Profile, Value, canonicalize, parse};

const TEXT: &str = r#"{"z":1,"a":{"y":[{"b":1,"a":2}],"x":-0.5},"\ue000":null,"\ud83d\ude00":"\u0007","B":1e21,"10":0,"9":1.0}"#;
const GOLDEN: &str = "{\"10\":0,\"9\":1,\"B\":1e+21,\"a\":{\"x\":-0.5,\"y\":[{\"a\":2,\"b\":1}]},\"z\":1,\"\u{1f600}\":\"\\u0007\",\"\u{e000}\":null}";

#[test]
fn bytes_from_text() {
    let bytes = canonicalize(TEXT.as_bytes(), Profile::Content, &Limits::CONTENT).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), GOLDEN);
}

#[test]
fn bytes_through_serde_json_and_back() {
    let json: serde_json::Value = serde_json::from_str(TEXT).unwrap();
    let value = Value::try_from(&json).unwrap();
    assert_eq!(value.to_canonical(Profile::Content).unwrap(), GOLDEN.as_bytes());

    let value = parse(TEXT.as_bytes(), &Limits::CONTENT).unwrap();
    let back = Value::try_from(&value.to_json().unwrap()).unwrap();
    assert_eq!(back.to_canonical(Profile::Content).unwrap(), GOLDEN.as_bytes());
}

/// Else both runs could be the same one.
#[cfg(feature = "preserve_order")]
#[test]
fn the_feature_reaches_serde_json() {
    let json: serde_json::Value = serde_json::from_str(r#"{"b":1,"a":2}"#).unwrap();
    assert_eq!(serde_json::to_string(&json).unwrap(), r#"{"b":1,"a":2}"#);
}
