//! The fields of a typed record. The other way to them, by the path in the JSON, is what the tests hold this to.

use proofline_trace::{
    BlobRef, CANON_VERSION, Envelope, SPEC_VERSION, StringSet, Token, TraceContext, Usage,
};

use crate::cell::Cell;
use crate::field::{RecordField as F, SetField};

/// What a record says there; none where it has no such member.
pub(crate) fn value(record: &Envelope, field: F) -> Option<Cell<'_>> {
    match field {
        F::RecordType => Some(Cell::Text(record.record_type().as_str())),
        F::SpecVersion => Some(Cell::Text(SPEC_VERSION)),
        F::CanonVersion => Some(Cell::Text(CANON_VERSION)),
        F::Layer => Some(Cell::Text(record.record_type().layer())),
        F::Component => text(record.component()),
        F::Time => integer(record.time_ms().get()),
        F::TsMs => record.ended_at_ms().is_none().then(|| integer(record.time_ms().get()))?,
        F::StartedAt => record.ended_at_ms().and_then(|_| integer(record.time_ms().get())),
        F::EndedAt => record.ended_at_ms().and_then(|end| integer(end.get())),
        F::Duration => duration_ms(record).map(|ms| Cell::Integer(ms.into())),
        F::TraceId | F::SpanId | F::SpanKind | F::ParentSpanId => of_span(record.trace(), field),
        F::ContextHash | F::DecisionHash => named(record, field),
        F::Status => record.outcome().and_then(|outcome| text(&outcome.status)),
        _ => match record {
            Envelope::AuthContext(_) => of_context(record, field),
            Envelope::PolicyDecision(_) => of_decision(record, field),
            Envelope::ModelCall(_) | Envelope::ToolCall(_) => of_call(record, field),
        },
    }
}

/// How long a call took; below zero where it ended before it began.
pub(crate) fn duration_ms(record: &Envelope) -> Option<i64> {
    let end = i64::try_from(record.ended_at_ms()?.get()).ok()?;
    Some(end.saturating_sub(i64::try_from(record.time_ms().get()).ok()?))
}

/// The set of a record; none where it has no such member.
pub(crate) const fn set(record: &Envelope, field: SetField) -> Option<&StringSet> {
    match (record, field) {
        (Envelope::AuthContext(record), SetField::Grants) => Some(&record.grants),
        (Envelope::PolicyDecision(record), SetField::ReasonCodes) => Some(&record.decision.reason_codes),
        (Envelope::PolicyDecision(record), SetField::Obligations) => Some(&record.decision.obligations),
        _ => None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every arm gives an option")]
fn text(word: &Token) -> Option<Cell<'_>> {
    Some(Cell::Text(word.as_str()))
}

#[expect(clippy::unnecessary_wraps, reason = "every arm gives an option")]
fn integer(number: u64) -> Option<Cell<'static>> {
    Some(Cell::Integer(number.into()))
}

fn of_span(trace: &TraceContext, field: F) -> Option<Cell<'_>> {
    let (TraceContext::Root { trace_id, span_id } | TraceContext::Child { trace_id, span_id, .. }) = trace;
    match (field, trace) {
        (F::TraceId, _) => Some(Cell::Hex(trace_id.as_bytes())),
        (F::SpanId, _) => Some(Cell::Hex(span_id.as_bytes())),
        (F::SpanKind, TraceContext::Root { .. }) => Some(Cell::Text("root")),
        (F::SpanKind, TraceContext::Child { .. }) => Some(Cell::Text("child")),
        (F::ParentSpanId, TraceContext::Child { parent_span_id, .. }) => {
            Some(Cell::Hex(parent_span_id.as_bytes()))
        }
        _ => None,
    }
}

fn named(record: &Envelope, field: F) -> Option<Cell<'_>> {
    let (context, decision) = match record {
        Envelope::AuthContext(_) => return None,
        Envelope::PolicyDecision(record) => (&record.auth_context_envelope_sha256, None),
        Envelope::ModelCall(record) => {
            (&record.auth_context_envelope_sha256, Some(&record.policy_decision_envelope_sha256))
        }
        Envelope::ToolCall(record) => {
            (&record.auth_context_envelope_sha256, Some(&record.policy_decision_envelope_sha256))
        }
    };
    let hash = if field == F::ContextHash { Some(context) } else { decision };
    hash.map(|hash| Cell::Hex(hash.as_bytes()))
}

fn of_context(record: &Envelope, field: F) -> Option<Cell<'_>> {
    let Envelope::AuthContext(record) = record else { return None };
    match field {
        F::ActorKind => text(&record.actor.actor_kind),
        F::ActorId => Some(Cell::Text(record.actor.actor_id.as_str())),
        F::CredentialKind => text(&record.credential.credential_kind),
        F::Issuer => Some(Cell::Text(record.credential.issuer.as_str())),
        F::PresentedHash => Some(Cell::Hex(record.credential.presented_hash_sha256.as_bytes())),
        F::VerifiedAt => integer(record.credential.verified_at_ms.get()),
        F::ExpiresAt => integer(record.credential.expires_at_ms.get()),
        F::Grants => Some(Cell::Set(&record.grants)),
        _ => None,
    }
}

fn of_decision(record: &Envelope, field: F) -> Option<Cell<'_>> {
    let Envelope::PolicyDecision(record) = record else { return None };
    match field {
        F::PolicyId => text(&record.policy.policy_id),
        F::PolicyVersion => text(&record.policy.policy_version),
        F::PolicySha256 => Some(Cell::Hex(record.policy.policy_sha256.as_bytes())),
        F::Action => text(&record.request.action),
        F::Resource => Some(Cell::Text(record.request.resource.as_str())),
        F::Result => Some(Cell::Text(record.decision.result.as_str())),
        F::ReasonCodes => Some(Cell::Set(&record.decision.reason_codes)),
        F::Obligations => Some(Cell::Set(&record.decision.obligations)),
        _ => None,
    }
}

fn of_call(record: &Envelope, field: F) -> Option<Cell<'_>> {
    let (request, response) = payloads(record)?;
    match (field, record) {
        (F::RequestContentType, _) => Some(Cell::Text(request.content_type.as_str())),
        (F::RequestSha256, _) => Some(Cell::Hex(request.sha256.as_bytes())),
        (F::RequestSize, _) => integer(request.size_bytes.get()),
        (F::ResponseContentType, _) => Some(Cell::Text(response.content_type.as_str())),
        (F::ResponseSha256, _) => Some(Cell::Hex(response.sha256.as_bytes())),
        (F::ResponseSize, _) => integer(response.size_bytes.get()),
        (F::Provider, Envelope::ModelCall(record)) => text(&record.model.provider),
        (F::Model, Envelope::ModelCall(record)) => text(&record.model.model),
        (F::AdapterId, Envelope::ToolCall(record)) => text(&record.tool.adapter_id),
        (F::ToolName, Envelope::ToolCall(record)) => text(&record.tool.tool_name),
        (_, Envelope::ModelCall(record)) => record.usage.as_ref().and_then(|usage| of_usage(usage, field)),
        _ => None,
    }
}

const fn payloads(record: &Envelope) -> Option<(&BlobRef, &BlobRef)> {
    match record {
        Envelope::ModelCall(record) => Some((&record.request, &record.response)),
        Envelope::ToolCall(record) => Some((&record.request, &record.response)),
        _ => None,
    }
}

fn of_usage(usage: &Usage, field: F) -> Option<Cell<'static>> {
    match field {
        F::InputTokens => integer(usage.input_tokens.get()),
        F::OutputTokens => integer(usage.output_tokens.get()),
        F::TotalTokens => integer(usage.total_tokens.get()),
        _ => None,
    }
}
