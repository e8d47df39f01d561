//! One question to ask, and records of JSON text.

use proofline_canon::{Limits, Value, parse};
use proofline_policy::{Answer, CedarEngine, PolicyEngine, Question};
use proofline_trace::{AuthContext, Envelope, PolicyRequest, seal_value};

const CONTEXT: &str = r#"{"spec_version":"1.0.0","canon_version":"1","record_type":"auth_context",
    "ts_ms":1769817600000,"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",
    "span_id":"00f067aa0ba902b7","span_kind":"root"},"producer":{"layer":"cpo","component":"gateway"},
    "actor":{"actor_kind":"user","actor_id":"staff/ines"},"credential":{"credential_kind":"oidc",
    "issuer":"https://id.example","presented_hash_sha256":
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","verified_at_ms":1769817600000,
    "expires_at_ms":1769821200000},"grants":{"tickets:read":true}}"#;

/// A record as its type.
pub(crate) fn auth_context(value: &Value) -> AuthContext {
    match seal_value(value).unwrap().into_parts().0 {
        Envelope::AuthContext(record) => record,
        other => panic!("{:?}", other.record_type()),
    }
}

/// Asks whether `staff/ines`, who may read tickets, may read desk 7.
pub(crate) fn ask(text: &str) -> Answer {
    let policy = CedarEngine.load(text.as_bytes()).unwrap();
    let auth_context = auth_context(&parse(CONTEXT.as_bytes(), &Limits::ENVELOPE).unwrap());
    let request =
        PolicyRequest { action: "tickets:read".parse().unwrap(), resource: "desk/7".parse().unwrap() };
    policy.ask(&Question {
        auth_context: &auth_context,
        request: &request,
        trace: &auth_context.trace,
        component: &"gateway".parse().unwrap(),
        ts_ms: auth_context.ts_ms,
    })
}
