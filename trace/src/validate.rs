//! The schemas of the contract (section 2) as readers: a value becomes a typed envelope or
//! the first violation. `schemas/` says the same to others; a property test holds them equal.

use proofline_canon::Value;

use crate::record::{
    Actor, AuthContext, BlobRef, Credential, Decision, DecisionResult, Envelope, ModelCall, ModelRef,
    Outcome, PolicyDecision, PolicyRef, PolicyRequest, RecordType, ToolCall, ToolRef, TraceContext, Usage,
};
use crate::rejection::{SchemaFault, Violation};
use crate::walk::{Members, Node, Path, digest, millis, safe_int, token_set, word};
use crate::words::{SafeInt, Token};
use crate::{CANON_VERSION, SPEC_VERSION};

/// Reads a value as an envelope.
///
/// # Errors
/// The first violation of the walk of section 4: the type of the record before all; then in each object what is
/// missing, what is unknown, and the members one by one in schema order.
pub fn validate(value: &Value) -> Result<Envelope, Violation> {
    let path = Path::Root("the envelope");
    let node = Node { value, path: &path };
    match own_record_type(node)? {
        RecordType::AuthContext => auth_context(node).map(Envelope::AuthContext),
        RecordType::PolicyDecision => policy_decision(node).map(Envelope::PolicyDecision),
        RecordType::ModelCall => model_call(node).map(Envelope::ModelCall),
        RecordType::ToolCall => tool_call(node).map(Envelope::ToolCall),
    }
}

fn own_record_type(node: Node<'_>) -> Result<RecordType, Violation> {
    let Some(value @ Value::String(text)) = node.object()?.get("record_type") else {
        let fault = SchemaFault::Required("record_type".to_owned());
        return Err(node.fail(fault, "lacks the member `record_type`, a string"));
    };
    let path = Path::Member(node.path, "record_type");
    text.parse().map_err(|_| Node { value, path: &path }.not_one_of(RecordType::ALL))
}

fn auth_context(node: Node<'_>) -> Result<AuthContext, Violation> {
    let members = node.members(
        &[
            "spec_version",
            "canon_version",
            "record_type",
            "ts_ms",
            "trace",
            "producer",
            "actor",
            "credential",
            "grants",
        ],
        &[],
    )?;
    versions(&members)?;
    Ok(AuthContext {
        ts_ms: members.get("ts_ms", millis)?,
        trace: members.get("trace", trace_context)?,
        component: producer(&members, RecordType::AuthContext)?,
        actor: members.get("actor", actor)?,
        credential: members.get("credential", credential)?,
        grants: members.get("grants", token_set)?,
    })
}

fn policy_decision(node: Node<'_>) -> Result<PolicyDecision, Violation> {
    let members = node.members(
        &[
            "spec_version",
            "canon_version",
            "record_type",
            "ts_ms",
            "trace",
            "producer",
            "auth_context_envelope_sha256",
            "policy",
            "request",
            "decision",
        ],
        &[],
    )?;
    versions(&members)?;
    Ok(PolicyDecision {
        ts_ms: members.get("ts_ms", millis)?,
        trace: members.get("trace", trace_context)?,
        component: producer(&members, RecordType::PolicyDecision)?,
        auth_context_envelope_sha256: members.get("auth_context_envelope_sha256", word)?,
        policy: members.get("policy", policy_ref)?,
        request: members.get("request", policy_request)?,
        decision: members.get("decision", decision)?,
    })
}

fn model_call(node: Node<'_>) -> Result<ModelCall, Violation> {
    let members = node.members(
        &[
            "spec_version",
            "canon_version",
            "record_type",
            "started_at_ms",
            "ended_at_ms",
            "trace",
            "producer",
            "auth_context_envelope_sha256",
            "policy_decision_envelope_sha256",
            "model",
            "request",
            "response",
            "outcome",
        ],
        &["usage"],
    )?;
    versions(&members)?;
    Ok(ModelCall {
        started_at_ms: members.get("started_at_ms", millis)?,
        ended_at_ms: members.get("ended_at_ms", millis)?,
        trace: members.get("trace", trace_context)?,
        component: producer(&members, RecordType::ModelCall)?,
        auth_context_envelope_sha256: members.get("auth_context_envelope_sha256", word)?,
        policy_decision_envelope_sha256: members.get("policy_decision_envelope_sha256", word)?,
        model: members.get("model", model_ref)?,
        request: members.get("request", blob_ref)?,
        response: members.get("response", blob_ref)?,
        outcome: members.get("outcome", outcome)?,
        usage: members.optional("usage", usage)?,
    })
}

fn tool_call(node: Node<'_>) -> Result<ToolCall, Violation> {
    let members = node.members(
        &[
            "spec_version",
            "canon_version",
            "record_type",
            "started_at_ms",
            "ended_at_ms",
            "trace",
            "producer",
            "auth_context_envelope_sha256",
            "policy_decision_envelope_sha256",
            "tool",
            "request",
            "response",
            "outcome",
        ],
        &[],
    )?;
    versions(&members)?;
    Ok(ToolCall {
        started_at_ms: members.get("started_at_ms", millis)?,
        ended_at_ms: members.get("ended_at_ms", millis)?,
        trace: members.get("trace", trace_context)?,
        component: producer(&members, RecordType::ToolCall)?,
        auth_context_envelope_sha256: members.get("auth_context_envelope_sha256", word)?,
        policy_decision_envelope_sha256: members.get("policy_decision_envelope_sha256", word)?,
        tool: members.get("tool", tool_ref)?,
        request: members.get("request", blob_ref)?,
        response: members.get("response", blob_ref)?,
        outcome: members.get("outcome", outcome)?,
    })
}

/// The record type between them is known by now.
fn versions(members: &Members<'_>) -> Result<(), Violation> {
    members.get("spec_version", |node| node.text_const(SPEC_VERSION))?;
    members.get("canon_version", |node| node.text_const(CANON_VERSION))
}

fn trace_context(node: Node<'_>) -> Result<TraceContext, Violation> {
    let object = node.object()?;
    if object.get("trace_id").is_none() {
        let predicate = "lacks the member `trace_id`; every record names the trace it belongs to";
        return Err(node.fail(SchemaFault::MissingTraceId, predicate));
    }
    match object.get("span_kind") {
        Some(Value::String(kind)) if kind == "child" => child_context(node),
        _ => root_context(node),
    }
}

fn root_context(node: Node<'_>) -> Result<TraceContext, Violation> {
    let members = node.members(&["trace_id", "span_id", "span_kind"], &[])?;
    let context = TraceContext::Root {
        trace_id: members.get("trace_id", word)?,
        span_id: members.get("span_id", word)?,
    };
    members.get("span_kind", |kind| kind.bare_const("root"))?;
    Ok(context)
}

fn child_context(node: Node<'_>) -> Result<TraceContext, Violation> {
    let members = node.members(&["trace_id", "span_id", "span_kind", "parent_span_id"], &[])?;
    Ok(TraceContext::Child {
        trace_id: members.get("trace_id", word)?,
        span_id: members.get("span_id", word)?,
        parent_span_id: members.get("parent_span_id", word)?,
    })
}

fn producer(members: &Members<'_>, record_type: RecordType) -> Result<Token, Violation> {
    members.get("producer", |node| {
        let members = node.members(&["layer", "component"], &[])?;
        members.get("layer", |layer| layer.bare_const(record_type.layer()))?;
        members.get("component", word)
    })
}

fn actor(node: Node<'_>) -> Result<Actor, Violation> {
    let members = node.members(&["actor_kind", "actor_id"], &[])?;
    Ok(Actor { actor_kind: members.get("actor_kind", word)?, actor_id: members.get("actor_id", word)? })
}

fn credential(node: Node<'_>) -> Result<Credential, Violation> {
    let members = node.members(
        &["credential_kind", "issuer", "presented_hash_sha256", "verified_at_ms", "expires_at_ms"],
        &[],
    )?;
    Ok(Credential {
        credential_kind: members.get("credential_kind", word)?,
        issuer: members.get("issuer", word)?,
        presented_hash_sha256: members.get("presented_hash_sha256", digest)?,
        verified_at_ms: members.get("verified_at_ms", millis)?,
        expires_at_ms: members.get("expires_at_ms", millis)?,
    })
}

fn policy_ref(node: Node<'_>) -> Result<PolicyRef, Violation> {
    let members = node.members(&["policy_id", "policy_version", "policy_sha256"], &[])?;
    Ok(PolicyRef {
        policy_id: members.get("policy_id", word)?,
        policy_version: members.get("policy_version", word)?,
        policy_sha256: members.get("policy_sha256", digest)?,
    })
}

fn policy_request(node: Node<'_>) -> Result<PolicyRequest, Violation> {
    let members = node.members(&["action", "resource"], &[])?;
    Ok(PolicyRequest { action: members.get("action", word)?, resource: members.get("resource", word)? })
}

fn decision(node: Node<'_>) -> Result<Decision, Violation> {
    let members = node.members(&["result", "reason_codes", "obligations"], &[])?;
    Ok(Decision {
        result: members.get("result", |result| result.name(DecisionResult::ALL))?,
        reason_codes: members.get("reason_codes", token_set)?,
        obligations: members.get("obligations", token_set)?,
    })
}

pub(crate) fn blob_ref(node: Node<'_>) -> Result<BlobRef, Violation> {
    let members = node.members(&["content_type", "sha256", "size_bytes"], &[])?;
    Ok(BlobRef {
        content_type: members.get("content_type", word)?,
        sha256: members.get("sha256", digest)?,
        size_bytes: members.get("size_bytes", safe_int)?,
    })
}

fn outcome(node: Node<'_>) -> Result<Outcome, Violation> {
    let members = node.members(&["status"], &[])?;
    Ok(Outcome { status: members.get("status", word)? })
}

fn model_ref(node: Node<'_>) -> Result<ModelRef, Violation> {
    let members = node.members(&["provider", "model"], &[])?;
    Ok(ModelRef { provider: members.get("provider", word)?, model: members.get("model", word)? })
}

fn tool_ref(node: Node<'_>) -> Result<ToolRef, Violation> {
    let members = node.members(&["adapter_id", "tool_name"], &[])?;
    Ok(ToolRef { adapter_id: members.get("adapter_id", word)?, tool_name: members.get("tool_name", word)? })
}

fn usage(node: Node<'_>) -> Result<Usage, Violation> {
    let members = node.members(&["input_tokens", "output_tokens", "total_tokens"], &[])?;
    let count = |name| -> Result<SafeInt, Violation> { members.get(name, safe_int) };
    Ok(Usage {
        input_tokens: count("input_tokens")?,
        output_tokens: count("output_tokens")?,
        total_tokens: count("total_tokens")?,
    })
}
