//! Typed envelopes as JSON values: the way back from `validate`.

use proofline_canon::Value;

use crate::record::{
    Actor, AuthContext, BlobRef, Credential, Decision, Envelope, ModelCall, ModelRef, Outcome,
    PolicyDecision, PolicyRef, PolicyRequest, RecordType, ToolCall, ToolRef, TraceContext, Usage,
};
use crate::words::{StringSet, Token};
use crate::{CANON_VERSION, SPEC_VERSION};

type Member = (&'static str, Value);

impl Envelope {
    /// The record as a JSON value that [`validate`](crate::validate) reads back as this record.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let own = match self {
            Self::AuthContext(record) => auth_context(record),
            Self::PolicyDecision(record) => policy_decision(record),
            Self::ModelCall(record) => model_call(record),
            Self::ToolCall(record) => tool_call(record),
        };
        let record_type = self.record_type();
        let head = [
            ("spec_version", text(SPEC_VERSION)),
            ("canon_version", text(CANON_VERSION)),
            ("record_type", text(record_type)),
            ("trace", trace_context(self.trace())),
            ("producer", producer(record_type, self.component())),
        ];
        Value::object(head.into_iter().chain(own))
    }
}

pub(crate) fn text(shown: impl ToString) -> Value {
    Value::String(shown.to_string())
}

pub(crate) fn integer(number: impl Into<u64>) -> Value {
    Value::from(number.into())
}

fn auth_context(record: &AuthContext) -> Vec<Member> {
    vec![
        ("ts_ms", integer(record.ts_ms)),
        ("actor", actor(&record.actor)),
        ("credential", credential(&record.credential)),
        ("grants", token_set(&record.grants)),
    ]
}

fn policy_decision(record: &PolicyDecision) -> Vec<Member> {
    vec![
        ("ts_ms", integer(record.ts_ms)),
        ("auth_context_envelope_sha256", text(record.auth_context_envelope_sha256)),
        ("policy", policy_ref(&record.policy)),
        ("request", policy_request(&record.request)),
        ("decision", decision(&record.decision)),
    ]
}

fn model_call(record: &ModelCall) -> Vec<Member> {
    let mut members = vec![
        ("started_at_ms", integer(record.started_at_ms)),
        ("ended_at_ms", integer(record.ended_at_ms)),
        ("auth_context_envelope_sha256", text(record.auth_context_envelope_sha256)),
        ("policy_decision_envelope_sha256", text(record.policy_decision_envelope_sha256)),
        ("model", model_ref(&record.model)),
        ("request", blob_ref(&record.request)),
        ("response", blob_ref(&record.response)),
        ("outcome", outcome(&record.outcome)),
    ];
    members.extend(record.usage.as_ref().map(|known| ("usage", usage(known))));
    members
}

fn tool_call(record: &ToolCall) -> Vec<Member> {
    vec![
        ("started_at_ms", integer(record.started_at_ms)),
        ("ended_at_ms", integer(record.ended_at_ms)),
        ("auth_context_envelope_sha256", text(record.auth_context_envelope_sha256)),
        ("policy_decision_envelope_sha256", text(record.policy_decision_envelope_sha256)),
        ("tool", tool_ref(&record.tool)),
        ("request", blob_ref(&record.request)),
        ("response", blob_ref(&record.response)),
        ("outcome", outcome(&record.outcome)),
    ]
}

fn trace_context(trace: &TraceContext) -> Value {
    let parent = trace.parent_span_id();
    let kind = if parent.is_some() { "child" } else { "root" };
    let members =
        [("trace_id", text(trace.trace_id())), ("span_id", text(trace.span_id())), ("span_kind", text(kind))];
    Value::object(members.into_iter().chain(parent.map(|id| ("parent_span_id", text(id)))))
}

fn producer(record_type: RecordType, component: &Token) -> Value {
    Value::object([("layer", text(record_type.layer())), ("component", text(component))])
}

fn actor(actor: &Actor) -> Value {
    Value::object([("actor_kind", text(&actor.actor_kind)), ("actor_id", text(&actor.actor_id))])
}

fn credential(credential: &Credential) -> Value {
    Value::object([
        ("credential_kind", text(&credential.credential_kind)),
        ("issuer", text(&credential.issuer)),
        ("presented_hash_sha256", text(credential.presented_hash_sha256)),
        ("verified_at_ms", integer(credential.verified_at_ms)),
        ("expires_at_ms", integer(credential.expires_at_ms)),
    ])
}

fn policy_ref(policy: &PolicyRef) -> Value {
    Value::object([
        ("policy_id", text(&policy.policy_id)),
        ("policy_version", text(&policy.policy_version)),
        ("policy_sha256", text(policy.policy_sha256)),
    ])
}

fn policy_request(request: &PolicyRequest) -> Value {
    Value::object([("action", text(&request.action)), ("resource", text(&request.resource))])
}

fn decision(decision: &Decision) -> Value {
    Value::object([
        ("result", text(decision.result)),
        ("reason_codes", token_set(&decision.reason_codes)),
        ("obligations", token_set(&decision.obligations)),
    ])
}

fn token_set(set: &StringSet) -> Value {
    Value::object(set.iter().map(|token| (token.as_str(), true)))
}

pub(crate) fn blob_ref(blob: &BlobRef) -> Value {
    Value::object([
        ("content_type", text(&blob.content_type)),
        ("sha256", text(blob.sha256)),
        ("size_bytes", integer(blob.size_bytes)),
    ])
}

fn outcome(outcome: &Outcome) -> Value {
    Value::object([("status", text(&outcome.status))])
}

fn model_ref(model: &ModelRef) -> Value {
    Value::object([("provider", text(&model.provider)), ("model", text(&model.model))])
}

fn tool_ref(tool: &ToolRef) -> Value {
    Value::object([("adapter_id", text(&tool.adapter_id)), ("tool_name", text(&tool.tool_name))])
}

fn usage(usage: &Usage) -> Value {
    Value::object([
        ("input_tokens", integer(usage.input_tokens)),
        ("output_tokens", integer(usage.output_tokens)),
        ("total_tokens", integer(usage.total_tokens)),
    ])
}
