//! The canonical form of a span: all that OTLP says of it, its resource and its scope, as canonical JSON. JSON and
//! protobuf of the same span have the same form, and its SHA-256 is what the span is known by.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use proofline_canon::{Object, Profile, Sha256Digest, Sha256Hasher, Value, WriteError, hex};

use crate::value::attributes_in_otlp;

/// What a span stands in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) resource: &'a Resource,
    pub(crate) resource_schema_url: &'a str,
    pub(crate) scope: &'a InstrumentationScope,
    pub(crate) scope_schema_url: &'a str,
}

impl Surroundings<'_> {
    /// The resource, as the documents of spans have it.
    pub(crate) fn resource_value(&self) -> Value {
        let mut out = Members::default();
        out.put("attributes", attributes_in_otlp(&self.resource.attributes));
        out.count("droppedAttributesCount", self.resource.dropped_attributes_count);
        out.text("schemaUrl", self.resource_schema_url);
        out.done()
    }

    /// The scope, the same.
    pub(crate) fn scope_value(&self) -> Value {
        let mut out = Members::default();
        out.text("name", &self.scope.name);
        out.text("version", &self.scope.version);
        out.put("attributes", attributes_in_otlp(&self.scope.attributes));
        out.count("droppedAttributesCount", self.scope.dropped_attributes_count);
        out.text("schemaUrl", self.scope_schema_url);
        out.done()
    }

    /// Whether these are the very same, as the spans of one batch have them. Equal ones may be said to be others.
    pub(crate) fn are(&self, others: &Self) -> bool {
        std::ptr::eq(self.resource, others.resource)
            && std::ptr::eq(self.scope, others.scope)
            && self.resource_schema_url == others.resource_schema_url
            && self.scope_schema_url == others.scope_schema_url
    }

    /// What the canonical form of every span in these surroundings begins with.
    pub(crate) fn beginning(&self) -> Result<Beginning, WriteError> {
        let whole = Value::object([("resource", self.resource_value()), ("scope", self.scope_value())]);
        let mut bytes = whole.to_canonical(Profile::Content)?;
        bytes.pop();
        bytes.push(b',');
        Ok(Beginning(bytes))
    }

    /// SHA-256 of the canonical form of one span in these surroundings.
    pub(crate) fn sha256_of(&self, span: Value) -> Result<Sha256Digest, WriteError> {
        Ok(self.beginning()?.sha256_with(span)?.0)
    }
}

/// `{"resource":…,"scope":…,`
#[derive(Debug)]
pub(crate) struct Beginning(Vec<u8>);

impl Beginning {
    /// SHA-256 of the canonical form of a span that begins so. The span is given back.
    pub(crate) fn sha256_with(&self, span: Value) -> Result<(Sha256Digest, Value), WriteError> {
        let mut rest = Object::new();
        rest.insert("span", span);
        let rest = Value::Object(rest);
        let bytes = rest.to_canonical(Profile::Content)?;
        let mut hasher = Sha256Hasher::new();
        hasher.update(&self.0);
        hasher.update(bytes.get(1..).unwrap_or_default());
        let Value::Object(mut rest) = rest else { return Ok((hasher.finalize(), rest)) };
        Ok((hasher.finalize(), rest.remove("span").unwrap_or(Value::Null)))
    }
}

/// A span in OTLP's JSON form; what says nothing is left out.
pub(crate) fn span_value(span: &Span) -> Value {
    let mut out = Members::default();
    out.text("traceId", &hex(&span.trace_id));
    out.text("spanId", &hex(&span.span_id));
    out.text("traceState", &span.trace_state);
    out.text("parentSpanId", &hex(&span.parent_span_id));
    out.count("flags", span.flags);
    out.text("name", &span.name);
    if span.kind != 0 {
        out.put("kind", Value::from(i64::from(span.kind)));
    }
    out.nanos("startTimeUnixNano", span.start_time_unix_nano);
    out.nanos("endTimeUnixNano", span.end_time_unix_nano);
    out.put("attributes", attributes_in_otlp(&span.attributes));
    out.count("droppedAttributesCount", span.dropped_attributes_count);
    out.put("events", Value::array(span.events.iter().map(event_value)));
    out.count("droppedEventsCount", span.dropped_events_count);
    out.put("links", Value::array(span.links.iter().map(link_value)));
    out.count("droppedLinksCount", span.dropped_links_count);
    out.put("status", status_value(span.status.as_ref()));
    out.done()
}

fn event_value(event: &Event) -> Value {
    let mut out = Members::default();
    out.nanos("timeUnixNano", event.time_unix_nano);
    out.text("name", &event.name);
    out.put("attributes", attributes_in_otlp(&event.attributes));
    out.count("droppedAttributesCount", event.dropped_attributes_count);
    out.done()
}

fn link_value(link: &Link) -> Value {
    let mut out = Members::default();
    out.text("traceId", &hex(&link.trace_id));
    out.text("spanId", &hex(&link.span_id));
    out.text("traceState", &link.trace_state);
    out.put("attributes", attributes_in_otlp(&link.attributes));
    out.count("droppedAttributesCount", link.dropped_attributes_count);
    out.count("flags", link.flags);
    out.done()
}

fn status_value(status: Option<&Status>) -> Value {
    let mut out = Members::default();
    if let Some(status) = status {
        out.text("message", &status.message);
        if status.code != 0 {
            out.put("code", Value::from(i64::from(status.code)));
        }
    }
    out.done()
}

/// Members of an object, without those that say nothing: OTLP has no difference between a default and nothing.
#[derive(Default)]
struct Members(Object);

impl Members {
    fn put(&mut self, name: &str, value: Value) {
        let is_empty = match &value {
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        if !is_empty {
            self.0.insert(name, value);
        }
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.put(name, Value::from(text));
        }
    }

    fn count(&mut self, name: &str, count: u32) {
        if count != 0 {
            self.put(name, Value::from(u64::from(count)));
        }
    }

    /// In decimal digits, as OTLP has integers of 64 bits.
    fn nanos(&mut self, name: &str, nanos: u64) {
        if nanos != 0 {
            self.put(name, Value::from(nanos.to_string()));
        }
    }

    fn done(self) -> Value {
        Value::Object(self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]
mod tests {
    use std::io::Cursor;

    use opentelemetry_proto::tonic::trace::v1::TracesData;
    use proofline_canon::{Limits, parse};

    use super::*;
    use crate::read::{Item, ReadOptions, read};
    use crate::write::json_line;

    /// The parts of the form that a span is known by are those of the whole.
    #[test]
    fn a_span_is_known_by_its_whole_form() {
        let file = include_str!("../../vectors/otel/desk.otlp.jsonl");
        let mut spans = 0;
        read(&mut Cursor::new(file), &ReadOptions::default(), &mut |item| {
            let Item::Batch(batch) = item else { return Ok(()) };
            let within = Surroundings {
                resource: &batch.resource,
                resource_schema_url: &batch.resource_schema_url,
                scope: &batch.scope,
                scope_schema_url: &batch.scope_schema_url,
            };
            for read in &batch.spans {
                let span = span_value(&read.span);
                let whole = Value::object([
                    ("resource", within.resource_value()),
                    ("scope", within.scope_value()),
                    ("span", span.clone()),
                ]);
                let whole = Sha256Digest::of(&whole.to_canonical(Profile::Content).unwrap());
                assert_eq!(within.beginning().unwrap().sha256_with(span.clone()).unwrap(), (whole, span));
                spans += 1;
            }
            Ok::<(), std::convert::Infallible>(())
        })
        .unwrap();
        assert_eq!(spans, 24);
    }

    /// One level is around a span, as it is where the whole is written.
    #[test]
    fn a_span_that_is_too_deep_in_its_whole_form_is_too_deep() {
        let beginning = Beginning(b"{".to_vec());
        let nested = |levels: usize| (0..levels).fold(Value::Null, |inner, _| Value::array([inner]));
        let deepest = Limits::DEEPEST - 1;
        assert!(beginning.sha256_with(nested(deepest)).is_ok());
        assert!(beginning.sha256_with(nested(deepest + 1)).is_err());
    }

    /// What a span is known by and what an export writes are one form: neither may move without the other.
    #[test]
    fn a_span_is_known_by_the_form_that_it_is_written_in() {
        let files = [
            include_str!("../../vectors/otel/desk.otlp.jsonl"),
            include_str!("../../vectors/otel/desk-older.otlp.jsonl"),
        ];
        let mut spans = 0;
        for file in files {
            read(&mut Cursor::new(file), &ReadOptions::default(), &mut |item| {
                let Item::Batch(batch) = item else { return Ok(()) };
                let line = json_line(&TracesData::from(&batch));
                let written = parse(line.as_bytes(), &Limits::CONTENT).unwrap();
                let first =
                    |value: &Value, name: &str| value.get(name).unwrap().as_array().unwrap()[0].clone();
                let scope_spans = first(&first(&written, "resourceSpans"), "scopeSpans");
                let written = scope_spans.get("spans").unwrap().as_array().unwrap();
                for (written, read) in written.iter().zip(&batch.spans) {
                    let Value::Object(mut written) = written.clone() else { panic!("a span is an object") };
                    // A status that says nothing is written as it came; to be known by, it is none.
                    if written.get("status").is_some_and(|status| *status == Value::Object(Object::new())) {
                        written.remove("status");
                    }
                    let canonical = |value: &Value| value.to_canonical(Profile::Content).unwrap();
                    assert_eq!(canonical(&Value::Object(written)), canonical(&span_value(&read.span)));
                    spans += 1;
                }
                Ok::<(), std::convert::Infallible>(())
            })
            .unwrap();
        }
        assert_eq!(spans, 48);
    }
}
