//! Spans of records that no telemetry came with. They say what the records say, in the words of the conventions, and
//! nothing else: no operation that a record does not name, and no end that it does not know.

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use proofline_trace::{
    Envelope, ImportedSpan, Millis, ModelCall, Outcome, SpanStatus, ToolCall, TraceContext, TraceId,
};

use super::attributes::{number, text};
use super::gather::Held;
use crate::import::UNSAID;
use crate::kept::PlacedSpan;
use crate::payload::{STATUS_ERROR, STATUS_OK};

/// The scope of these spans.
const SCOPE: &str = "proofline.records";
const NANOS_PER_MS: u64 = 1_000_000;
const KIND_INTERNAL: i32 = 1;
const KIND_CLIENT: i32 = 3;

/// The span that records of one span id are, which are all of them: its call, an accepted one if there is one, else
/// its decision, else its context.
pub(crate) fn record_span(group: &[&Held]) -> Option<PlacedSpan> {
    let is_call = |it: &&&Held| it.payloads().is_some();
    let calls = || group.iter().filter(is_call);
    let call = calls().find(|it| it.refusal.is_none()).or_else(|| calls().next());
    let is_decision = |it: &&&Held| matches!(it.envelope, Envelope::PolicyDecision(_));
    let record = call.or_else(|| group.iter().find(is_decision)).or_else(|| group.first())?;
    let mut span = base(record.envelope.trace());
    let component = match &record.envelope {
        Envelope::ModelCall(call) => model_call(&mut span, call),
        Envelope::ToolCall(call) => tool_call(&mut span, call),
        Envelope::PolicyDecision(decision) => {
            span.name = format!("policy_decision {}", decision.request.action);
            span.start_time_unix_nano = nanos(decision.ts_ms);
            &decision.component
        }
        Envelope::AuthContext(context) => {
            "auth_context".clone_into(&mut span.name);
            span.start_time_unix_nano = nanos(context.ts_ms);
            &context.component
        }
    };
    let resource = Resource { attributes: vec![text("service.name", component)], ..Resource::default() };
    let scope = InstrumentationScope { name: SCOPE.to_owned(), ..InstrumentationScope::default() };
    Some(PlacedSpan { resource: Arc::new(resource), scope: Arc::new(scope), ..PlacedSpan::alone(span) })
}

/// The span that an import's row tells of, where no more was kept or is at hand; `call` is the record that it became.
pub(crate) fn row_span(trace: TraceId, row: &ImportedSpan, call: Option<&Held>) -> PlacedSpan {
    let context = match row.parent_span_id {
        Some(parent_span_id) => TraceContext::Child { trace_id: trace, span_id: row.span_id, parent_span_id },
        None => TraceContext::Root { trace_id: trace, span_id: row.span_id },
    };
    let mut span = base(&context);
    if let Some(call) = call {
        match &call.envelope {
            Envelope::ModelCall(call) => {
                model_call(&mut span, call);
            }
            Envelope::ToolCall(call) => {
                tool_call(&mut span, call);
            }
            Envelope::AuthContext(_) | Envelope::PolicyDecision(_) => {}
        }
    }
    span.name = row.name.as_str().to_owned();
    span.kind = i32::try_from(row.kind.get()).unwrap_or_default();
    span.start_time_unix_nano = row.start_unix_nano.nanos();
    span.end_time_unix_nano = row.end_unix_nano.nanos();
    span.status = match row.status {
        SpanStatus::Unset => None,
        SpanStatus::Ok => Some(Status { code: STATUS_OK, ..Status::default() }),
        SpanStatus::Error => Some(Status { code: STATUS_ERROR, ..Status::default() }),
    };
    if let Some(operation) = &row.operation {
        span.attributes.retain(|it| it.key != OPERATION);
        span.attributes.insert(0, text(OPERATION, operation));
    }
    PlacedSpan::alone(span)
}

const OPERATION: &str = "gen_ai.operation.name";

fn base(context: &TraceContext) -> Span {
    let parent = context.parent_span_id();
    Span {
        trace_id: context.trace_id().as_bytes().to_vec(),
        span_id: context.span_id().as_bytes().to_vec(),
        parent_span_id: parent.map(|it| it.as_bytes().to_vec()).unwrap_or_default(),
        kind: KIND_INTERNAL,
        ..Span::default()
    }
}

fn model_call<'a>(span: &mut Span, call: &'a ModelCall) -> &'a proofline_trace::Token {
    span.name = format!("model_call {}", call.model.model);
    span.kind = KIND_CLIENT;
    times(span, call.started_at_ms, call.ended_at_ms);
    said(span, "gen_ai.provider.name", call.model.provider.as_str());
    said(span, "gen_ai.request.model", call.model.model.as_str());
    if let Some(usage) = &call.usage {
        span.attributes.push(number("gen_ai.usage.input_tokens", usage.input_tokens.get()));
        span.attributes.push(number("gen_ai.usage.output_tokens", usage.output_tokens.get()));
    }
    ended(span, &call.outcome);
    &call.component
}

fn tool_call<'a>(span: &mut Span, call: &'a ToolCall) -> &'a proofline_trace::Token {
    span.name = format!("execute_tool {}", call.tool.tool_name);
    times(span, call.started_at_ms, call.ended_at_ms);
    span.attributes.push(text(OPERATION, "execute_tool"));
    said(span, "gen_ai.tool.name", call.tool.tool_name.as_str());
    ended(span, &call.outcome);
    &call.component
}

fn said(span: &mut Span, key: &str, word: &str) {
    if word != UNSAID {
        span.attributes.push(text(key, word));
    }
}

fn times(span: &mut Span, start: Millis, end: Millis) {
    span.start_time_unix_nano = nanos(start);
    span.end_time_unix_nano = nanos(end);
}

/// A time as OTLP has it; 0, which is none, where it lies beyond what OTLP can say.
pub(crate) fn nanos(at: Millis) -> u64 {
    at.get().checked_mul(NANOS_PER_MS).unwrap_or_default()
}

/// `ok` is what conventions leave unsaid; everything else is a failure, by its name.
fn ended(span: &mut Span, outcome: &Outcome) {
    let status = outcome.status.as_str();
    if status == "ok" {
        return;
    }
    span.status = Some(Status { code: STATUS_ERROR, ..Status::default() });
    let kind = status.strip_prefix("error:").unwrap_or(status);
    if kind != "error" {
        let kind: KeyValue = text("error.type", kind);
        span.attributes.push(kind);
    }
}
