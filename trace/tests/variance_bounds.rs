//! Bounds of a variance in diagnostics: what JSON Schema cannot say of them, that they stand in one order and
//! each once.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod common;

use common::DIGEST;
use proofline_canon::{Limits, Value, parse};
use proofline_trace::ReplayDiagnostics;
use serde_json::{Value as Json, json};

fn diagnostics(bounds: &[&Json]) -> Value {
    let names = [
        "records",
        "verified",
        "gate_rechecked",
        "policy_re_decided",
        "policy_absent",
        "policy_unusable",
        "re_executed",
        "rejected_listed",
        "blobs_absent",
        "absent",
    ];
    let coverage: Json = names.iter().map(|name| ((*name).to_owned(), json!(0))).collect();
    let record = json!({
        "artifact_type": "replay_diagnostics", "version": "1", "result_sha256": DIGEST, "replay_type": "constrained",
        "target_trace_id": "f".repeat(32), "coverage": coverage, "failures": [], "findings": [],
        "variance": {"allow_variance": {}, "bounds": bounds}, "differences": []
    });
    parse(record.to_string().as_bytes(), &Limits::CONTENT).unwrap()
}

/// What is read is what was written, or the place of the fault.
fn read(bounds: &[&Json]) -> Result<(), String> {
    let value = diagnostics(bounds);
    let record = ReplayDiagnostics::from_value(&value).map_err(|violation| violation.pointer.to_string())?;
    assert_eq!(record.to_value(), value);
    Ok(())
}

#[test]
fn bounds_stand_in_one_order_and_each_once() {
    let tool = |names: &[(&str, &str)]| {
        let mut bound = json!({"record_type": "tool_call", "allow": ["response"]});
        names.iter().for_each(|(member, name)| bound[*member] = json!(name));
        bound
    };
    let ordered = [
        json!({"record_type": "model_call", "allow": [], "usage_percent": 0}),
        json!({"record_type": "model_call", "allow": ["usage"], "model": "m"}),
        tool(&[]),
        tool(&[("tool_name", "a")]),
        tool(&[("tool_name", "b")]),
        tool(&[("adapter_id", "a")]),
        tool(&[("adapter_id", "a"), ("tool_name", "a")]),
        tool(&[("adapter_id", "b")]),
    ];
    assert_eq!(read(&ordered.iter().collect::<Vec<_>>()), Ok(()));
    for (at, one) in ordered.iter().enumerate() {
        for (other_at, other) in ordered.iter().enumerate() {
            let wanted = if at < other_at { Ok(()) } else { Err("/variance/bounds".to_owned()) };
            assert_eq!(read(&[one, other]), wanted, "{one} {other}");
        }
    }
}
