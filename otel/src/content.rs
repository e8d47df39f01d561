//! The canonical form of a span: all that OTLP says of it, its resource and its scope, as canonical JSON. JSON and
//! protobuf of the same span have the same form, and its SHA-256 is what the span is known by.

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use proofline_canon::{Object, Profile, Sha256Digest, Sha256Hasher, Value, WriteError};

use crate::form::{self, Members};
use crate::value::double;

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
        Known::of(|members| {
            form::resource(members, self.resource);
            members.some_text("schemaUrl", self.resource_schema_url);
        })
    }

    /// The scope, the same.
    pub(crate) fn scope_value(&self) -> Value {
        Known::of(|members| {
            form::scope(members, self.scope);
            members.some_text("schemaUrl", self.scope_schema_url);
        })
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
    Known::of(|members| form::span(members, span))
}

/// The value of an attribute, such as `{"stringValue":"x"}`; the empty value is `{}`.
pub(crate) fn in_otlp(value: Option<&AnyValue>) -> Value {
    Known::of(|members| {
        if let Some(value) = value {
            form::any_value(members, value);
        }
    })
}

/// The members of an object that a span is known by.
#[derive(Default)]
struct Known(Vec<(&'static str, Value)>);

impl Known {
    fn of(fill: impl FnOnce(&mut Self)) -> Value {
        let mut members = Self::default();
        fill(&mut members);
        Value::object(members.0)
    }
}

impl Members for Known {
    const IS_KNOWN_BY: bool = true;

    fn text(&mut self, name: &'static str, text: &str) {
        self.0.push((name, Value::from(text)));
    }

    fn flag(&mut self, name: &'static str, flag: bool) {
        self.0.push((name, Value::from(flag)));
    }

    fn integer(&mut self, name: &'static str, integer: i64) {
        self.0.push((name, Value::from(integer)));
    }

    fn double(&mut self, name: &'static str, number: f64) {
        self.0.push((name, double(number)));
    }

    fn object(&mut self, name: &'static str, fill: impl FnOnce(&mut Self)) {
        self.0.push((name, Self::of(fill)));
    }

    fn list<T>(&mut self, name: &'static str, items: &[T], each: impl Fn(&mut Self, &T)) {
        let items = items.iter().map(|item| Self::of(|members| each(members, item)));
        self.0.push((name, Value::array(items)));
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
