//! The document of the spans that one import met together in a trace: all that records have no place for, so that
//! nothing of a span is lost. Content that payloads give back stands here by digest.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use proofline_canon::{Object, Value, WriteError};
use proofline_trace::{Capture, TraceId};

use crate::content::Surroundings;
use crate::genai::{is_content, is_message_event, is_older_content, is_plain};
use crate::payload::digest_of;
use crate::restore::{Pieces, shaped};
use crate::shape::Places;

/// What the document is, to those who meet it as a payload.
pub const SPANS_CONTENT_TYPE: &str = "application/vnd.proofline.otel-spans+json";

pub(crate) const FORM: &str = "proofline.otel.spans";
pub(crate) const VERSION: &str = "1";

/// The document while it is made.
#[derive(Debug, Default)]
pub(crate) struct SpansDocument<'a> {
    /// Where the surroundings of the span before stand: those of the next are mostly the same.
    last: Option<(Surroundings<'a>, u64, u64)>,
    resources: Vec<Value>,
    scopes: Vec<Value>,
    spans: Vec<Value>,
}

impl<'a> SpansDocument<'a> {
    /// Adds a span, of which `value` is the form that it is known by. What its
    /// payloads give back is told by digest.
    pub(crate) fn add(
        &mut self,
        span: &Span,
        value: Value,
        within: Surroundings<'a>,
        payloads: Pieces<'_>,
        capture: Capture,
    ) -> Result<(), WriteError> {
        let in_pieces = capture == Capture::Full && says_in_pieces(span);
        let places = in_pieces.then(|| Places::of(payloads));
        let keep = Keep { capture, payloads, places: places.as_ref() };
        let mut whole = match value {
            Value::Object(members) => members,
            _ => Object::new(),
        };
        keep.attributes(&mut whole, &span.attributes, false)?;
        if let Some(Value::Array(events)) = whole.get_mut("events") {
            for (event, source) in events.iter_mut().zip(&span.events) {
                if let Value::Object(event) = event {
                    let is_message = is_message_event(&source.name);
                    keep.attributes(event, &source.attributes, is_message)?;
                }
            }
        }
        if let Some(Value::Array(links)) = whole.get_mut("links") {
            for (link, source) in links.iter_mut().zip(&span.links) {
                if let Value::Object(link) = link {
                    Keep { payloads: Pieces::default(), places: None, ..keep }.attributes(
                        link,
                        &source.attributes,
                        false,
                    )?;
                }
            }
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
        let (resource, scope) = self.place(within, keep)?;
        whole.insert("resource", resource);
        whole.insert("scope", scope);
        self.spans.push(Value::Object(whole));
        Ok(())
    }

    /// Where a resource and a scope stand in the document.
    fn place(&mut self, within: Surroundings<'a>, keep: Keep<'_>) -> Result<(u64, u64), WriteError> {
        if let Some((_, resource, scope)) = self.last.filter(|(last, ..)| last.are(&within)) {
            return Ok((resource, scope));
        }
        let resource = keep.surroundings(within.resource_value(), &within.resource.attributes)?;
        let scope = keep.surroundings(within.scope_value(), &within.scope.attributes)?;
        let (resource, scope) = (place(&mut self.resources, resource), place(&mut self.scopes, scope));
        self.last = Some((within, resource, scope));
        Ok((resource, scope))
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

/// Whether messages of a span are events, or attributes that are parts of them.
fn says_in_pieces(span: &Span) -> bool {
    span.events.iter().any(|event| is_message_event(&event.name))
        || span.attributes.iter().any(|attribute| is_older_content(&attribute.key))
}

/// What of the attributes stays.
#[derive(Clone, Copy)]
struct Keep<'a> {
    capture: Capture,
    payloads: Pieces<'a>,
    /// What the payloads have, where the span says it in pieces.
    places: Option<&'a Places<'a>>,
}

impl Keep<'_> {
    /// Tells some of the attributes that an object has by digest. Those of a message are what was said.
    fn attributes(
        self,
        object: &mut Object,
        attributes: &[KeyValue],
        is_message: bool,
    ) -> Result<(), WriteError> {
        let Some(Value::Array(kept)) = object.get_mut("attributes") else { return Ok(()) };
        for (kept, source) in kept.iter_mut().zip(attributes) {
            let is_said = is_message && self.places.is_some();
            if (is_said || self.may_stand_in(&source.key))
                && let Value::Object(kept) = kept
                && let Some(value) = kept.get_mut("value")
                && let Some(stand_in) = self.stand_in(source, value, is_message)?
            {
                *value = stand_in;
            }
        }
        Ok(())
    }

    /// A resource or a scope, which is not of one call: no payload gives back what it has.
    fn surroundings(self, value: Value, attributes: &[KeyValue]) -> Result<Value, WriteError> {
        let Value::Object(mut members) = value else { return Ok(value) };
        let keep = Keep { payloads: Pieces::default(), places: None, ..self };
        keep.attributes(&mut members, attributes, false)?;
        Ok(Value::Object(members))
    }

    /// The digest that stands for the value of an attribute, written as `value`; none where that stays.
    fn stand_in(
        self,
        attribute: &KeyValue,
        value: &Value,
        is_message: bool,
    ) -> Result<Option<Value>, WriteError> {
        match (self.capture, self.places) {
            (Capture::Full, Some(places)) if is_message || is_older_content(&attribute.key) => {
                match shaped(places, attribute.value.as_ref())? {
                    None => self.payloads.stand_in(&attribute.key, attribute.value.as_ref()),
                    stand_in => Ok(stand_in),
                }
            }
            (Capture::Full, _) => self.payloads.stand_in(&attribute.key, attribute.value.as_ref()),
            (Capture::Structural | Capture::Digest, _) => digest_of(value).map(Some),
        }
    }

    fn may_stand_in(self, key: &str) -> bool {
        match self.capture {
            Capture::Full => is_content(key),
            Capture::Structural | Capture::Digest => !is_plain(key),
        }
    }
}
