//! What a call says, in the words of records.

use opentelemetry_proto::tonic::trace::v1::Span;
use proofline_canon::Value;
use proofline_trace::{
    Envelope, EnvelopeHash, MAX_SAFE_INT, Millis, ModelCall, ModelRef, Outcome, Resource, SafeInt, Token,
    ToolCall, ToolRef, TraceContext, Usage,
};

use super::tally::Tally;
use crate::genai::{self, Kind};
use crate::payload::{self, Document, Payload, STATUS_ERROR};
use crate::value::{integer, text};

/// What a name is that a span does not say.
pub(crate) const UNSAID: &str = "unsaid";

/// What a call says, in the words of records.
pub(super) struct Said {
    kind: Kind,
    operation: String,
    pub(super) action: String,
    /// Provider and model, or adapter and tool.
    names: [Token; 2],
    request: Document,
    response: Document,
    usage: Option<Usage>,
}

/// Where a call stands, and what it rests on.
pub(super) struct Place<'a> {
    pub(super) started_at_ms: Millis,
    pub(super) ended_at_ms: Millis,
    pub(super) trace: TraceContext,
    pub(super) component: &'a Token,
    pub(super) auth_context: EnvelopeHash,
    pub(super) decision: EnvelopeHash,
    pub(super) request: &'a Payload,
    pub(super) response: &'a Payload,
    pub(super) outcome: Outcome,
}

impl Said {
    pub(super) fn of(span: &Span, kind: Kind, tally: &mut Tally) -> Self {
        let operation = text(&span.attributes, "gen_ai.operation.name");
        let said = match kind {
            Kind::Tool => Self::tool(span, tally),
            Kind::Model | Kind::Other => Self::model(span, operation.unwrap_or(UNSAID), tally),
        };
        for (document, what) in [(&said.request, "request"), (&said.response, "response")] {
            for name in document.absent() {
                tally.absent(&format!("{what}.{name}"));
            }
        }
        said
    }

    fn model(span: &Span, operation: &str, tally: &mut Tally) -> Self {
        let mut exchange = genai::exchange(span);
        let usage = usage(span);
        if usage.is_none() {
            tally.absent("usage");
        }
        Self {
            kind: Kind::Model,
            operation: operation.to_owned(),
            action: format!("model:{operation}"),
            names: [
                named(genai::provider(span), "provider", tally),
                named(genai::model(span), "model", tally),
            ],
            request: payload::model_request(span, &mut exchange),
            response: payload::model_response(span, &mut exchange),
            usage,
        }
    }

    fn tool(span: &Span, tally: &mut Tally) -> Self {
        let mut exchange = genai::tool_exchange(span);
        let attributes = &span.attributes;
        let adapter = if genai::is_mcp(span) { Some("mcp") } else { text(attributes, "gen_ai.tool.type") };
        Self {
            kind: Kind::Tool,
            operation: "execute_tool".to_owned(),
            action: "tool:execute".to_owned(),
            names: [
                named(adapter, "adapter", tally),
                named(text(attributes, "gen_ai.tool.name"), "tool", tally),
            ],
            request: payload::tool_request(span, &mut exchange),
            response: payload::tool_response(span, &mut exchange),
            usage: None,
        }
    }

    /// The arguments of a tool.
    pub(super) fn arguments(&self) -> Option<&Value> {
        self.request.member("arguments")
    }

    /// What a tool gave.
    pub(super) fn result(&self) -> Option<&Value> {
        self.response.member("result")
    }

    /// Takes out the documents of what was sent and what came back.
    pub(super) fn documents(&mut self) -> [Document; 2] {
        [std::mem::take(&mut self.request), std::mem::take(&mut self.response)]
    }

    /// What conditions of rules ask of.
    pub(super) fn facts(&self) -> [(&'static str, Token); 3] {
        let [first, second] = &self.names;
        let names = match self.kind {
            Kind::Tool => ["adapter", "tool"],
            Kind::Model | Kind::Other => ["provider", "model"],
        };
        let [one, two] = names;
        [("operation", Token::of_name(&self.operation)), (one, first.clone()), (two, second.clone())]
    }

    /// `tool/<tool>`, `model/<provider>/<model>`; one that is too long by its digest.
    pub(super) fn resource(&self) -> String {
        let [first, second] = &self.names;
        let whole = match self.kind {
            Kind::Tool => format!("tool/{second}"),
            Kind::Model | Kind::Other => format!("model/{first}/{second}"),
        };
        if Resource::new(&whole).is_ok() {
            return whole;
        }
        format!("model/{}", Token::of_name(&whole))
    }

    pub(super) fn record(self, at: Place<'_>) -> Envelope {
        let (request, response) = (at.request.reference.clone(), at.response.reference.clone());
        let component = at.component.clone();
        let [first, second] = self.names;
        match self.kind {
            Kind::Tool => Envelope::ToolCall(ToolCall {
                started_at_ms: at.started_at_ms,
                ended_at_ms: at.ended_at_ms,
                trace: at.trace,
                component,
                auth_context_envelope_sha256: at.auth_context,
                policy_decision_envelope_sha256: at.decision,
                tool: ToolRef { adapter_id: first, tool_name: second },
                request,
                response,
                outcome: at.outcome,
            }),
            Kind::Model | Kind::Other => Envelope::ModelCall(ModelCall {
                started_at_ms: at.started_at_ms,
                ended_at_ms: at.ended_at_ms,
                trace: at.trace,
                component,
                auth_context_envelope_sha256: at.auth_context,
                policy_decision_envelope_sha256: at.decision,
                model: ModelRef { provider: first, model: second },
                request,
                response,
                outcome: at.outcome,
                usage: self.usage,
            }),
        }
    }
}

fn named(name: Option<&str>, what: &str, tally: &mut Tally) -> Token {
    if name.is_none() {
        tally.absent(what);
    }
    Token::of_name(name.unwrap_or(UNSAID))
}

/// Both counts, or nothing: the contract has no half of a usage. The total is their sum, which no span says.
fn usage(span: &Span) -> Option<Usage> {
    let count = |names: [&str; 2]| {
        let found = names.into_iter().find_map(|name| integer(&span.attributes, name))?;
        let found = u64::try_from(found).ok()?;
        (found <= MAX_SAFE_INT).then_some(found)
    };
    let input = count(["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"])?;
    let output = count(["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"])?;
    let total = input.checked_add(output).filter(|total| *total <= MAX_SAFE_INT)?;
    Some(Usage {
        input_tokens: SafeInt::saturating(input),
        output_tokens: SafeInt::saturating(output),
        total_tokens: SafeInt::saturating(total),
    })
}

/// Success is mostly not said: conventions set a status for failures alone.
pub(super) fn outcome(span: &Span) -> Outcome {
    let failed = span.status.as_ref().is_some_and(|status| status.code == STATUS_ERROR);
    let status = match text(&span.attributes, "error.type") {
        Some(kind) => format!("error:{kind}"),
        None if failed => "error".to_owned(),
        None => "ok".to_owned(),
    };
    Outcome { status: Token::of_name(&status) }
}
