//! The four sample records of these tests, and small edits on them.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod edits;

use serde_json::{Value as Json, json};

/// A digest that nothing hashes to.
pub(crate) const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

pub(crate) fn auth_context() -> Json {
    json!({
        "spec_version": "1.0.0",
        "canon_version": "1",
        "record_type": "auth_context",
        "ts_ms": 1_769_817_600_000_u64,
        "trace": {"trace_id": TRACE, "span_id": "00f067aa0ba902b7", "span_kind": "root"},
        "producer": {"layer": "cpo", "component": "gateway"},
        "actor": {"actor_kind": "user", "actor_id": "staff/ines"},
        "credential": {
            "credential_kind": "oidc",
            "issuer": "https://id.example/é",
            "presented_hash_sha256": DIGEST,
            "verified_at_ms": 1_769_817_599_000_u64,
            "expires_at_ms": 1_769_821_200_000_u64
        },
        "grants": {"tickets:read": true, "tickets:write": true}
    })
}

pub(crate) fn policy_decision() -> Json {
    json!({
        "spec_version": "1.0.0",
        "canon_version": "1",
        "record_type": "policy_decision",
        "ts_ms": 1_769_817_600_010_u64,
        "trace": {
            "trace_id": TRACE,
            "span_id": "b7ad6b7169203331",
            "span_kind": "child",
            "parent_span_id": "00f067aa0ba902b7"
        },
        "producer": {"layer": "cpo", "component": "kernel"},
        "auth_context_envelope_sha256": DIGEST,
        "policy": {"policy_id": "support", "policy_version": "2026-01", "policy_sha256": DIGEST},
        "request": {"action": "tool:call", "resource": "tickets/4711"},
        "decision": {"result": "allow", "reason_codes": {"role:agent": true}, "obligations": {}}
    })
}

fn call(record_type: &str, layer: &str) -> Json {
    json!({
        "spec_version": "1.0.0",
        "canon_version": "1",
        "record_type": record_type,
        "started_at_ms": 1_769_817_600_020_u64,
        "ended_at_ms": 1_769_817_601_020_u64,
        "trace": {
            "trace_id": TRACE,
            "span_id": "53995c3f42cd8ad8",
            "span_kind": "child",
            "parent_span_id": "b7ad6b7169203331"
        },
        "producer": {"layer": layer, "component": "runner.1"},
        "auth_context_envelope_sha256": DIGEST,
        "policy_decision_envelope_sha256": DIGEST,
        "request": {"content_type": "application/json", "sha256": DIGEST, "size_bytes": 512},
        "response": {"content_type": "text/plain", "sha256": DIGEST, "size_bytes": 0},
        "outcome": {"status": "ok"}
    })
}

pub(crate) fn model_call() -> Json {
    let mut record = call("model_call", "flow");
    record["model"] = json!({"provider": "acme", "model": "large-3"});
    record["usage"] = json!({"input_tokens": 10, "output_tokens": 5, "total_tokens": 15});
    record
}

pub(crate) fn tool_call() -> Json {
    let mut record = call("tool_call", "adapter");
    record["tool"] = json!({"adapter_id": "crm", "tool_name": "get_ticket"});
    record
}

/// The record with the value at a pointer set, its parent being an object that is there.
pub(crate) fn set(mut record: Json, pointer: &str, value: Json) -> Json {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let name = name.replace("~1", "/").replace("~0", "~");
    record.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name, value);
    record
}

/// The record without the member at a pointer.
pub(crate) fn without(mut record: Json, pointer: &str) -> Json {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    record.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    record
}
