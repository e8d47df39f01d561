//! Evidence by hand: contexts, decisions and calls as JSON text, each knob with a usual value.

use proofline_canon::{Limits, Profile, Sha256Digest, canonicalize};
use proofline_ledger::{Action, DeclaredDigest, DeclaredType, Submission};

/// A trace and the span a record stands on.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub trace: u32,
    pub span: u32,
    pub parent: Option<u32>,
}

impl Place {
    fn json(self) -> String {
        let Self { trace, span, parent } = self;
        let head = format!(r#""trace_id":"{trace:032x}","span_id":"{span:016x}""#);
        match parent {
            None => format!(r#"{{{head},"span_kind":"root"}}"#),
            Some(parent) => format!(r#"{{{head},"span_kind":"child","parent_span_id":"{parent:016x}"}}"#),
        }
    }
}

pub fn auth_context_at(place: Place, actor: &str, verified_at_ms: u64, expires_at_ms: u64) -> String {
    format!(
        r#"{{"spec_version":"1.0.0","canon_version":"1","record_type":"auth_context","ts_ms":1000,"trace":{},"producer":{{"layer":"cpo","component":"gateway"}},"actor":{{"actor_kind":"user","actor_id":"{actor}"}},"credential":{{"credential_kind":"oidc","issuer":"https://id.example","presented_hash_sha256":"{:064x}","verified_at_ms":{verified_at_ms},"expires_at_ms":{expires_at_ms}}},"grants":{{"tickets:read":true}}}}"#,
        place.json(),
        7
    )
}

pub fn auth_context(trace: u32, actor: &str) -> String {
    auth_context_at(Place { trace, span: 1, parent: None }, actor, 900, 9000)
}

pub fn decision_at(place: Place, context: &str, ts_ms: u64, result: &str) -> String {
    format!(
        r#"{{"spec_version":"1.0.0","canon_version":"1","record_type":"policy_decision","ts_ms":{ts_ms},"trace":{},"producer":{{"layer":"cpo","component":"kernel"}},"auth_context_envelope_sha256":"{context}","policy":{{"policy_id":"tickets","policy_version":"v3","policy_sha256":"{:064x}"}},"request":{{"action":"tickets:read","resource":"tickets/42"}},"decision":{{"result":"{result}","reason_codes":{{"granted":true}},"obligations":{{}}}}}}"#,
        place.json(),
        9
    )
}

pub fn decision(trace: u32, context: &str, result: &str) -> String {
    decision_at(Place { trace, span: 2, parent: Some(1) }, context, 1100, result)
}

fn call_head(
    place: Place,
    record_type: &str,
    layer: &str,
    context: &str,
    decision: &str,
    times: (u64, u64),
) -> String {
    format!(
        r#""spec_version":"1.0.0","canon_version":"1","record_type":"{record_type}","started_at_ms":{},"ended_at_ms":{},"trace":{},"producer":{{"layer":"{layer}","component":"tickets"}},"auth_context_envelope_sha256":"{context}","policy_decision_envelope_sha256":"{decision}","outcome":{{"status":"ok"}}"#,
        times.0,
        times.1,
        place.json()
    )
}

fn payloads(request: &str, response: &str) -> String {
    let blob = |bytes: &str| {
        let name = Sha256Digest::of(bytes.as_bytes());
        format!(r#"{{"content_type":"text/plain","sha256":"{name}","size_bytes":{}}}"#, bytes.len())
    };
    format!(r#""request":{},"response":{}"#, blob(request), blob(response))
}

/// A tool call whose payloads are the texts `request N` and `response N`, N its span.
pub fn tool_call_at(place: Place, context: &str, decision: &str, times: (u64, u64)) -> String {
    let head = call_head(place, "tool_call", "adapter", context, decision, times);
    let payloads = payloads(&format!("request {}", place.span), &format!("response {}", place.span));
    format!(r#"{{{head},"tool":{{"adapter_id":"tickets","tool_name":"read"}},{payloads}}}"#)
}

pub fn tool_call(trace: u32, context: &str, decision: &str, number: u32) -> String {
    let start_ms = 1200 + u64::from(number);
    let place = Place { trace, span: 10 + number, parent: Some(2) };
    tool_call_at(place, context, decision, (start_ms, start_ms + 10))
}

/// A call of either kind, all that a comparison looks at given: payload texts, how it ended, and
/// what it cost, if it is a model's.
pub fn call(
    place: Place,
    (context, decision): (&str, &str),
    start_ms: u64,
    (request, response): (&str, &str),
    status: &str,
    usage: Option<u64>,
) -> String {
    let times = (start_ms, start_ms + 5);
    let payloads = payloads(request, response);
    let line = match usage {
        None => {
            let head = call_head(place, "tool_call", "adapter", context, decision, times);
            format!(r#"{{{head},"tool":{{"adapter_id":"tickets","tool_name":"read"}},{payloads}}}"#)
        }
        Some(output) => {
            let head = call_head(place, "model_call", "flow", context, decision, times);
            let usage =
                format!(r#"{{"input_tokens":7,"output_tokens":{output},"total_tokens":{}}}"#, output + 7);
            format!(r#"{{{head},"model":{{"provider":"lab","model":"heron"}},{payloads},"usage":{usage}}}"#)
        }
    };
    line.replace(r#""status":"ok""#, &format!(r#""status":"{status}""#))
}

/// A model call with this usage: input, output, total.
pub fn model_call(trace: u32, context: &str, decision: &str, usage: (u64, u64, u64)) -> String {
    let place = Place { trace, span: 9, parent: Some(2) };
    let head = call_head(place, "model_call", "flow", context, decision, (1150, 1190));
    let payloads = payloads("request 9", "response 9");
    let (input, output, total) = usage;
    format!(
        r#"{{{head},"model":{{"provider":"lab","model":"heron"}},{payloads},"usage":{{"input_tokens":{input},"output_tokens":{output},"total_tokens":{total}}}}}"#
    )
}

/// SHA-256 of the canonical bytes, by canon alone.
pub fn hash_of(envelope: &str) -> String {
    let canonical = canonicalize(envelope.as_bytes(), Profile::Envelope, &Limits::ENVELOPE).unwrap();
    Sha256Digest::of(&canonical).to_string()
}

/// A context, an allowing decision and `calls` tool calls of one trace.
pub fn chain(trace: u32, calls: u32) -> Vec<String> {
    let context = auth_context(trace, "staff/ines");
    let context_hash = hash_of(&context);
    let decision = decision(trace, &context_hash, "allow");
    let decision_hash = hash_of(&decision);
    let mut lines = vec![context, decision];
    lines.extend((0..calls).map(|number| tool_call(trace, &context_hash, &decision_hash, number)));
    lines
}

pub fn bare(envelope: &str) -> Action<'_> {
    Action::Evidence(Submission::bare(envelope.as_bytes()))
}

/// A submission that declares this hash.
pub fn declared<'a>(record_type: &'a str, hash: &'a str, envelope: &'a str) -> Action<'a> {
    Action::Evidence(Submission {
        record_type: DeclaredType::Named(record_type),
        declared_hash: DeclaredDigest::Text(hash),
        envelope: envelope.as_bytes(),
    })
}
