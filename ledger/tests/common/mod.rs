//! Evidence by hand for the tests of the ledger: one context, a decision, calls.
#![allow(dead_code, reason = "each test file takes what it needs")]

pub(crate) mod busy;
pub(crate) mod erasing;
pub(crate) mod index_model;
pub(crate) mod keys;
pub(crate) mod random;
pub(crate) mod raw;
pub(crate) mod readers;
pub(crate) mod recovered;
pub(crate) mod sim_disk;
pub(crate) mod torn;
pub(crate) mod watched;

use proofline_ledger::{Action, DeclaredDigest, DeclaredType, Genesis, Submission};
use proofline_trace::LedgerId;

/// A fixed time: 2026-01-31T00:00:00Z.
pub(crate) const NOW_MS: u64 = 1_769_817_600_000;

pub(crate) fn genesis() -> Genesis {
    Genesis {
        ledger_id: LedgerId::from_bytes([7; 16]),
        origin: "ledger.example/test".parse().unwrap(),
        created_at_ms: NOW_MS,
    }
}

fn trace(trace: u32, span: u32, parent: Option<u32>) -> String {
    match parent {
        None => format!(r#"{{"trace_id":"{trace:032x}","span_id":"{span:016x}","span_kind":"root"}}"#),
        Some(parent) => format!(
            r#"{{"trace_id":"{trace:032x}","span_id":"{span:016x}","span_kind":"child","parent_span_id":"{parent:016x}"}}"#
        ),
    }
}

pub(crate) fn auth_context(of_trace: u32, actor: &str) -> String {
    format!(
        r#"{{"spec_version":"1.0.0","canon_version":"1","record_type":"auth_context","ts_ms":1000,"trace":{},"producer":{{"layer":"cpo","component":"gateway"}},"actor":{{"actor_kind":"user","actor_id":"{actor}"}},"credential":{{"credential_kind":"oidc","issuer":"https://id.example","presented_hash_sha256":"{:064x}","verified_at_ms":900,"expires_at_ms":9000}},"grants":{{"tickets:read":true}}}}"#,
        trace(of_trace, 1, None),
        7
    )
}

pub(crate) fn decision(of_trace: u32, context: &str, result: &str) -> String {
    decision_about(of_trace, context, result, "tickets:read", "tickets/42")
}

pub(crate) fn decision_about(
    of_trace: u32,
    context: &str,
    result: &str,
    action: &str,
    resource: &str,
) -> String {
    format!(
        r#"{{"spec_version":"1.0.0","canon_version":"1","record_type":"policy_decision","ts_ms":1100,"trace":{},"producer":{{"layer":"cpo","component":"kernel"}},"auth_context_envelope_sha256":"{context}","policy":{{"policy_id":"tickets","policy_version":"v3","policy_sha256":"{:064x}"}},"request":{{"action":"{action}","resource":"{resource}"}},"decision":{{"result":"{result}","reason_codes":{{"granted":true}},"obligations":{{}}}}}}"#,
        trace(of_trace, 2, Some(1)),
        9
    )
}

pub(crate) fn tool_call(of_trace: u32, context: &str, decision: &str, number: u32) -> String {
    format!(
        r#"{{"spec_version":"1.0.0","canon_version":"1","record_type":"tool_call","started_at_ms":{},"ended_at_ms":{},"trace":{},"producer":{{"layer":"adapter","component":"tickets"}},"auth_context_envelope_sha256":"{context}","policy_decision_envelope_sha256":"{decision}","tool":{{"adapter_id":"tickets","tool_name":"read"}},"request":{{"content_type":"application/json","sha256":"{:064x}","size_bytes":10}},"response":{{"content_type":"application/json","sha256":"{:064x}","size_bytes":20}},"outcome":{{"status":"ok"}}}}"#,
        1200 + number,
        1210 + number,
        trace(of_trace, 10 + number, Some(2)),
        number,
        number + 1
    )
}

/// SHA-256 of the canonical bytes of this JSON, by canon and not by the ledger.
pub(crate) fn hash_of(envelope: &str) -> String {
    let canonical = proofline_canon::canonicalize(
        envelope.as_bytes(),
        proofline_canon::Profile::Envelope,
        &proofline_canon::Limits::ENVELOPE,
    )
    .unwrap();
    proofline_canon::Sha256Digest::of(&canonical).to_string()
}

/// A context, an allowing decision and `calls` calls of one trace.
pub(crate) fn chain(of_trace: u32, calls: u32) -> Vec<String> {
    let context = auth_context(of_trace, "staff/ines");
    let context_hash = hash_of(&context);
    let decision = decision(of_trace, &context_hash, "allow");
    let decision_hash = hash_of(&decision);
    let mut lines = vec![context, decision];
    lines.extend((0..calls).map(|number| tool_call(of_trace, &context_hash, &decision_hash, number)));
    lines
}

pub(crate) fn bare(envelope: &str) -> Action<'_> {
    Action::Evidence(Submission::bare(envelope.as_bytes()))
}

pub(crate) fn declared<'a>(record_type: &'a str, hash: &'a str, envelope: &'a str) -> Action<'a> {
    Action::Evidence(Submission {
        record_type: DeclaredType::Named(record_type),
        declared_hash: DeclaredDigest::Text(hash),
        envelope: envelope.as_bytes(),
    })
}
