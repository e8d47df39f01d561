//! The document of the spans that one import met together in a trace: all that records have no place for, so that
//! nothing of a span is lost. Content that payloads give back stands here by digest.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use proofline_canon::{Object, Value, WriteError};
use proofline_trace::{Capture, TraceId};

use crate::content::{Surroundings, span_value};
use crate::genai::is_content;
use crate::payload::digest_of;
use crate::restore::Pieces;
use crate::value::in_otlp;

/// What the document is, to those who meet it as a payload.
pub const SPANS_CONTENT_TYPE: &str = "application/vnd.proofline.otel-spans+json";

pub(crate) const FORM: &str = "proofline.otel.spans";
pub(crate) const VERSION: &str = "1";

/// The document while it is made.
#[derive(Debug, Default)]
pub(crate) struct SpansDocument {
    resources: Vec<Value>,
    scopes: Vec<Value>,
    spans: Vec<Value>,
}

impl SpansDocument {
    /// Adds a span. What its payloads give back is told by digest.
    pub(crate) fn add(
        &mut self,
        span: &Span,
        within: &Surroundings<'_>,
        payloads: Pieces<'_>,
        capture: Capture,
    ) -> Result<(), WriteError> {
        let keep = Keep { capture, payloads };
        let mut whole = match span_value(span) {
            Value::Object(members) => members,
            _ => Object::new(),
        };
        replace(&mut whole, "attributes", keep.attributes(&span.attributes)?);
        let events = whole.remove("events");
        if let Some(Value::Array(events)) = events {
            let kept = events.into_iter().zip(&span.events).map(|(event, source)| {
                let Value::Object(mut event) = event else { return Ok(event) };
                replace(&mut event, "attributes", keep.attributes(&source.attributes)?);
                Ok(Value::Object(event))
            });
            whole.insert("events", Value::Array(kept.collect::<Result<_, WriteError>>()?));
        }
        if capture != Capture::Full {
            // A status message is meant to be harmless, and error texts of tools are put there.
            if let Some(message) =
                span.status.as_ref().map(|status| status.message.as_str()).filter(|it| !it.is_empty())
                && let Some(Value::Object(status)) = whole.get_mut("status")
            {
                status.insert("message", digest_of(&Value::from(message))?);
            }
        }
        let resource = place(
            &mut self.resources,
            keep.surroundings(within.resource_value(), &within.resource.attributes)?,
        );
        let scope =
            place(&mut self.scopes, keep.surroundings(within.scope_value(), &within.scope.attributes)?);
        whole.insert("resource", resource);
        whole.insert("scope", scope);
        self.spans.push(Value::Object(whole));
        Ok(())
    }

    /// The whole.
    pub(crate) fn finish(self, trace_id: TraceId, capture: Capture) -> Result<Value, WriteError> {
        let framed = |members: Vec<(&'static str, Value)>| {
            let head = [
                ("type", Value::from(FORM)),
                ("version", Value::from(VERSION)),
                ("capture", Value::from(capture.as_str())),
                ("trace_id", Value::from(trace_id.to_string())),
            ];
            Value::object(head.into_iter().chain(members))
        };
        let members = vec![
            ("resources", Value::Array(self.resources)),
            ("scopes", Value::Array(self.scopes)),
            ("spans", Value::Array(self.spans)),
        ];
        if capture == Capture::Digest {
            let whole = framed(members);
            return Ok(framed(vec![("whole", digest_of(&whole)?)]));
        }
        Ok(framed(members))
    }
}

/// The place of a value in a list where each stands once; the one before is the likeliest.
fn place(list: &mut Vec<Value>, value: Value) -> u64 {
    let found = list.iter().rposition(|known| *known == value);
    let at = found.unwrap_or(list.len());
    if found.is_none() {
        list.push(value);
    }
    at as u64
}

fn replace(members: &mut Object, name: &str, attributes: Option<Value>) {
    if let Some(attributes) = attributes
        && members.contains(name)
    {
        members.insert(name, attributes);
    }
}

/// What of the attributes stays.
#[derive(Clone, Copy)]
struct Keep<'a> {
    capture: Capture,
    payloads: Pieces<'a>,
}

impl Keep<'_> {
    /// The attributes with some told by digest; none where they stay as they are.
    fn attributes(self, attributes: &[KeyValue]) -> Result<Option<Value>, WriteError> {
        if !attributes.iter().any(|it| self.may_stand_in(&it.key)) {
            return Ok(None);
        }
        let (mut kept, mut is_other) = (Vec::with_capacity(attributes.len()), false);
        for it in attributes {
            let stand_in = self.stand_in(it)?;
            is_other |= stand_in.is_some();
            let value = stand_in.unwrap_or_else(|| in_otlp(it.value.as_ref()));
            kept.push(Value::object([("key", Value::from(it.key.as_str())), ("value", value)]));
        }
        Ok(is_other.then_some(Value::Array(kept)))
    }

    fn surroundings(self, value: Value, attributes: &[KeyValue]) -> Result<Value, WriteError> {
        let Value::Object(mut members) = value else { return Ok(value) };
        replace(&mut members, "attributes", self.attributes(attributes)?);
        Ok(Value::Object(members))
    }

    /// The digest that stands for a value; none where it stays.
    fn stand_in(self, attribute: &KeyValue) -> Result<Option<Value>, WriteError> {
        let (key, value) = (attribute.key.as_str(), attribute.value.as_ref());
        match self.capture {
            _ if !self.may_stand_in(key) => Ok(None),
            Capture::Full => self.payloads.stand_in(key, value),
            Capture::Structural | Capture::Digest => digest_of(&in_otlp(value)).map(Some),
        }
    }

    fn may_stand_in(self, key: &str) -> bool {
        match self.capture {
            Capture::Full => is_content(key),
            Capture::Structural | Capture::Digest => !is_plain(key),
        }
    }
}

/// Attributes of the conventions that name and measure, and say nothing of what was said.
fn is_plain(key: &str) -> bool {
    const PREFIXES: [&str; 8] = [
        "gen_ai.",
        "mcp.method.",
        "mcp.protocol.",
        "openai.",
        "server.",
        "service.",
        "telemetry.",
        "network.",
    ];
    const NAMED: [&str; 3] = ["error.type", "exception.type", "deployment.environment.name"];
    const PERSONAL: [&str; 3] =
        ["gen_ai.conversation.id", "gen_ai.agent.description", "gen_ai.tool.description"];
    let is_named = PREFIXES.iter().any(|prefix| key.starts_with(prefix)) || NAMED.contains(&key);
    is_named && !is_content(key) && !PERSONAL.contains(&key)
}
