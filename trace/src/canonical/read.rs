//! Canonical bytes to a typed envelope. Each function takes the pieces of one object in the order of RFC 8785
//! §3.2.3, names and all; a piece ends with what opens the next word.

use proofline_canon::Limits;

use super::cursor::Cursor;
use crate::ids::EnvelopeHash;
use crate::record::{
    Actor, AuthContext, BlobRef, Credential, Decision, DecisionResult, Envelope, ModelCall, ModelRef,
    Outcome, PolicyDecision, PolicyRef, PolicyRequest, ToolCall, ToolRef, TraceContext, Usage,
};
use crate::words::{Millis, Token};

/// The record, its decision, the decision's sets.
const DEEPEST: usize = 3;

/// The envelope in bytes that are its canonical ones; `None` where that is not so, or not plain to see.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Option<Envelope> {
    if bytes.len() > limits.max_bytes() || limits.max_depth() < DEEPEST {
        return None;
    }
    let mut at = Cursor::new(std::str::from_utf8(bytes).ok()?);
    let envelope = if at.is(r#"{"actor":{"actor_id":""#) {
        Envelope::AuthContext(auth_context(&mut at)?)
    } else {
        refers_to_context(&mut at)?
    };
    at.is_at_end().then_some(envelope)
}

fn auth_context(at: &mut Cursor<'_>) -> Option<AuthContext> {
    let actor_id = at.resource()?;
    at.piece(r#"","actor_kind":""#)?;
    let actor = Actor { actor_kind: at.token()?, actor_id };
    at.piece(r#""},"canon_version":"1","credential":"#)?;
    let credential = credential(at)?;
    at.piece(r#","grants":"#)?;
    let grants = at.set()?;
    let component = producer(at, r#"","layer":"cpo"},"record_type":"auth_context""#)?;
    at.piece(r#","spec_version":"1.0.0","trace":"#)?;
    let trace = trace_context(at)?;
    at.piece(r#","ts_ms":"#)?;
    let ts_ms = at.millis()?;
    at.piece("}")?;
    Some(AuthContext { ts_ms, trace, component, actor, credential, grants })
}

/// A decision or a call: both begin with the context that they refer to.
fn refers_to_context(at: &mut Cursor<'_>) -> Option<Envelope> {
    at.piece(r#"{"auth_context_envelope_sha256":""#)?;
    let context = at.envelope_hash()?;
    if at.is(r#"","canon_version":"1","decision":"#) {
        return policy_decision(at, context).map(Envelope::PolicyDecision);
    }
    at.piece(r#"","canon_version":"1","ended_at_ms":"#)?;
    let ended_at_ms = at.millis()?;
    if at.is(r#","model":{"model":""#) {
        return model_call(at, context, ended_at_ms).map(Envelope::ModelCall);
    }
    tool_call(at, context, ended_at_ms).map(Envelope::ToolCall)
}

fn policy_decision(at: &mut Cursor<'_>, context: EnvelopeHash) -> Option<PolicyDecision> {
    let decision = decision(at)?;
    at.piece(r#","policy":"#)?;
    let policy = policy_ref(at)?;
    let component = producer(at, r#"","layer":"cpo"},"record_type":"policy_decision","request":"#)?;
    let request = policy_request(at)?;
    at.piece(r#","spec_version":"1.0.0","trace":"#)?;
    let trace = trace_context(at)?;
    at.piece(r#","ts_ms":"#)?;
    let ts_ms = at.millis()?;
    at.piece("}")?;
    let auth_context_envelope_sha256 = context;
    Some(PolicyDecision { ts_ms, trace, component, auth_context_envelope_sha256, policy, request, decision })
}

fn model_call(at: &mut Cursor<'_>, context: EnvelopeHash, ended_at_ms: Millis) -> Option<ModelCall> {
    let model = at.token()?;
    at.piece(r#"","provider":""#)?;
    let model = ModelRef { provider: at.token()?, model };
    at.piece("\"}")?;
    let (outcome, decision) = outcome_and_decision(at)?;
    let component = producer(at, r#"","layer":"flow"},"record_type":"model_call""#)?;
    let [request, response] = blob_refs(at)?;
    let started_at_ms = at.millis()?;
    at.piece(r#","trace":"#)?;
    let trace = trace_context(at)?;
    let usage = if at.is(r#","usage":{"input_tokens":"#) { Some(usage(at)?) } else { None };
    at.piece("}")?;
    Some(ModelCall {
        started_at_ms,
        ended_at_ms,
        trace,
        component,
        auth_context_envelope_sha256: context,
        policy_decision_envelope_sha256: decision,
        model,
        request,
        response,
        outcome,
        usage,
    })
}

fn tool_call(at: &mut Cursor<'_>, context: EnvelopeHash, ended_at_ms: Millis) -> Option<ToolCall> {
    let (outcome, decision) = outcome_and_decision(at)?;
    let component = producer(at, r#"","layer":"adapter"},"record_type":"tool_call""#)?;
    let [request, response] = blob_refs(at)?;
    let started_at_ms = at.millis()?;
    at.piece(r#","tool":{"adapter_id":""#)?;
    let adapter_id = at.token()?;
    at.piece(r#"","tool_name":""#)?;
    let tool = ToolRef { adapter_id, tool_name: at.token()? };
    at.piece(r#""},"trace":"#)?;
    let trace = trace_context(at)?;
    at.piece("}")?;
    Some(ToolCall {
        started_at_ms,
        ended_at_ms,
        trace,
        component,
        auth_context_envelope_sha256: context,
        policy_decision_envelope_sha256: decision,
        tool,
        request,
        response,
        outcome,
    })
}

/// The component; behind it `behind`, with the layer and the record type, which go together.
#[inline]
fn producer(at: &mut Cursor<'_>, behind: &str) -> Option<Token> {
    at.piece(r#","producer":{"component":""#)?;
    let component = at.token()?;
    at.piece(behind)?;
    Some(component)
}

fn trace_context(at: &mut Cursor<'_>) -> Option<TraceContext> {
    if at.is(r#"{"parent_span_id":""#) {
        let parent_span_id = at.span_id()?;
        at.piece(r#"","span_id":""#)?;
        let span_id = at.span_id()?;
        at.piece(r#"","span_kind":"child","trace_id":""#)?;
        let trace_id = at.trace_id()?;
        at.piece("\"}")?;
        return Some(TraceContext::Child { trace_id, span_id, parent_span_id });
    }
    at.piece(r#"{"span_id":""#)?;
    let span_id = at.span_id()?;
    at.piece(r#"","span_kind":"root","trace_id":""#)?;
    let trace_id = at.trace_id()?;
    at.piece("\"}")?;
    Some(TraceContext::Root { trace_id, span_id })
}

fn credential(at: &mut Cursor<'_>) -> Option<Credential> {
    at.piece(r#"{"credential_kind":""#)?;
    let credential_kind = at.token()?;
    at.piece(r#"","expires_at_ms":"#)?;
    let expires_at_ms = at.millis()?;
    at.piece(r#","issuer":""#)?;
    let issuer = at.issuer()?;
    at.piece(r#"","presented_hash_sha256":""#)?;
    let presented_hash_sha256 = at.digest()?;
    at.piece(r#"","verified_at_ms":"#)?;
    let verified_at_ms = at.millis()?;
    at.piece("}")?;
    Some(Credential { credential_kind, issuer, presented_hash_sha256, verified_at_ms, expires_at_ms })
}

fn decision(at: &mut Cursor<'_>) -> Option<Decision> {
    at.piece(r#"{"obligations":"#)?;
    let obligations = at.set()?;
    at.piece(r#","reason_codes":"#)?;
    let reason_codes = at.set()?;
    let result = if at.is(r#","result":"allow"}"#) {
        DecisionResult::Allow
    } else {
        at.piece(r#","result":"deny"}"#)?;
        DecisionResult::Deny
    };
    Some(Decision { result, reason_codes, obligations })
}

fn policy_ref(at: &mut Cursor<'_>) -> Option<PolicyRef> {
    at.piece(r#"{"policy_id":""#)?;
    let policy_id = at.token()?;
    at.piece(r#"","policy_sha256":""#)?;
    let policy_sha256 = at.digest()?;
    at.piece(r#"","policy_version":""#)?;
    let policy_version = at.token()?;
    at.piece("\"}")?;
    Some(PolicyRef { policy_id, policy_version, policy_sha256 })
}

fn policy_request(at: &mut Cursor<'_>) -> Option<PolicyRequest> {
    at.piece(r#"{"action":""#)?;
    let action = at.token()?;
    at.piece(r#"","resource":""#)?;
    let resource = at.resource()?;
    at.piece("\"}")?;
    Some(PolicyRequest { action, resource })
}

/// How a call ended, and the decision that it refers to.
fn outcome_and_decision(at: &mut Cursor<'_>) -> Option<(Outcome, EnvelopeHash)> {
    at.piece(r#","outcome":{"status":""#)?;
    let outcome = Outcome { status: at.token()? };
    at.piece(r#""},"policy_decision_envelope_sha256":""#)?;
    let decision = at.envelope_hash()?;
    at.piece("\"")?;
    Some((outcome, decision))
}

/// The payloads of a call; behind them its start.
fn blob_refs(at: &mut Cursor<'_>) -> Option<[BlobRef; 2]> {
    at.piece(r#","request":"#)?;
    let request = blob_ref(at)?;
    at.piece(r#","response":"#)?;
    let response = blob_ref(at)?;
    at.piece(r#","spec_version":"1.0.0","started_at_ms":"#)?;
    Some([request, response])
}

fn blob_ref(at: &mut Cursor<'_>) -> Option<BlobRef> {
    at.piece(r#"{"content_type":""#)?;
    let content_type = at.content_type()?;
    at.piece(r#"","sha256":""#)?;
    let sha256 = at.digest()?;
    at.piece(r#"","size_bytes":"#)?;
    let size_bytes = at.safe_int()?;
    at.piece("}")?;
    Some(BlobRef { content_type, sha256, size_bytes })
}

/// From its first number on.
fn usage(at: &mut Cursor<'_>) -> Option<Usage> {
    let input_tokens = at.safe_int()?;
    at.piece(r#","output_tokens":"#)?;
    let output_tokens = at.safe_int()?;
    at.piece(r#","total_tokens":"#)?;
    let total_tokens = at.safe_int()?;
    at.piece("}")?;
    Some(Usage { input_tokens, output_tokens, total_tokens })
}
