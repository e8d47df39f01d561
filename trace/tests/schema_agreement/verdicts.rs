//! Sealed verdicts and signatures over them.

use proofline_trace::{VerdictSeal, VerdictSignature};
use serde_json::{Value as Json, json};

use super::{DIGEST, NEARLY_KEYS, agree, canon, replaced, single_edits};

fn seal() -> Json {
    json!({
        "artifact_type": "verdict_seal", "version": "1", "target_trace_id": "0af7651916cd43dd8448eb211c80319c",
        "result_sha256": DIGEST, "diagnostics_sha256": DIGEST, "ledger_id": "0".repeat(32),
        "log": {"size": 7, "root": DIGEST}, "checkpoint": {"size": 5, "root": DIGEST}, "proofline": "0.1.0",
        "engine": {"name": "cedar", "version": "4.14.1"}, "policies": [DIGEST],
        "tools": [{"adapter_id": "desk", "tool_name": "sum", "version": "calculator/1"}]
    })
}

fn signature() -> Json {
    json!({
        "artifact_type": "verdict_signature", "version": "1", "target_trace_id": "0af7651916cd43dd8448eb211c80319c",
        "seal_sha256": DIGEST, "key": "auditor.example/desk+01234567", "signature": "AAAA"
    })
}

#[test]
fn sealed_verdicts_agree_too() {
    let sealed = |value: &Json| agree("verdict_seal", value, VerdictSeal::from_value(&canon(value)));
    let bare = [
        ("/checkpoint", json!(null)),
        ("/engine", json!(null)),
        ("/policies", json!([])),
        ("/tools", json!([])),
    ];
    let bare = bare.iter().fold(seal(), |sample, (place, value)| replaced(&sample, place, value));
    for sample in [seal(), bare] {
        single_edits(&sample).iter().chain([&sample]).for_each(|edited| sealed(edited).unwrap());
        assert_eq!(VerdictSeal::from_value(&canon(&sample)).unwrap().to_value(), canon(&sample));
    }
    for length in [0, 1, 256, 257] {
        let long = json!("\u{e9}".repeat(length));
        for place in ["/proofline", "/engine/name", "/engine/version", "/tools/0/version"] {
            sealed(&replaced(&seal(), place, &long)).unwrap();
        }
    }
}

#[test]
fn signatures_over_sealed_verdicts_agree_too() {
    let signed =
        |value: &Json| agree("verdict_signature", value, VerdictSignature::from_value(&canon(value)));
    let sample = signature();
    single_edits(&sample).iter().chain([&sample]).for_each(|edited| signed(edited).unwrap());
    assert_eq!(VerdictSignature::from_value(&canon(&sample)).unwrap().to_value(), canon(&sample));
    for text in NEARLY_KEYS {
        signed(&replaced(&sample, "/key", &json!(text))).unwrap();
        signed(&replaced(&sample, "/signature", &json!(text))).unwrap();
    }
}
