//! OTLP written: JSON lines of one spelling, and protobuf behind varint lengths. Fields stand in the
//! order of their numbers, defaults are left out, and the same value is the same bytes everywhere.

use opentelemetry_proto::tonic::common::v1::{EntityRef, InstrumentationScope};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, TracesData};
use proofline_canon::plain_len;
use prost::Message;

use crate::form::{self, Members};
use crate::read::SpanBatch;

/// One line of OTLP/JSON, with its newline: ids in lower-case hex, 64-bit integers in quotes,
/// everything that can be left out left out.
///
/// What JSON cannot say is not written: the payload of a NaN, and a value that is an index into the
/// string table of profiles.
///
/// ```
/// use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData};
/// use proofline_otel::write::json_line;
///
/// let span = Span { span_id: vec![0xab; 8], end_time_unix_nano: 7, ..Span::default() };
/// let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
/// let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
/// assert_eq!(
///     json_line(&TracesData { resource_spans }),
///     concat!(
///         r#"{"resourceSpans":[{"scopeSpans":[{"spans":["#,
///         r#"{"spanId":"abababababababab","endTimeUnixNano":"7"}]}]}]}"#,
///         "\n",
///     ),
/// );
/// ```
#[must_use]
pub fn json_line(traces: &TracesData) -> String {
    let mut text = Text { out: String::new(), is_first: true };
    text.braced(|members| members.some_list("resourceSpans", &traces.resource_spans, resource_spans));
    text.out.push('\n');
    text.out
}

/// One protobuf message behind its length as a varint.
#[must_use]
pub fn protobuf_frame(traces: &TracesData) -> Vec<u8> {
    traces.encode_length_delimited_to_vec()
}

/// An object that is being written.
struct Text {
    out: String,
    is_first: bool,
}

impl Text {
    /// The name of a member; its value is written next. Names have nothing to escape.
    fn name(&mut self, name: &str) -> &mut String {
        self.out.push_str(if self.is_first { "\"" } else { ",\"" });
        self.is_first = false;
        self.out.push_str(name);
        self.out.push_str("\":");
        &mut self.out
    }

    /// An object, as an item or behind the name of a member.
    fn braced(&mut self, fill: impl FnOnce(&mut Self)) {
        self.out.push('{');
        self.is_first = true;
        fill(self);
        self.out.push('}');
        self.is_first = false;
    }

    fn bracketed<T>(&mut self, items: &[T], each: impl Fn(&mut Self, &T)) {
        self.out.push('[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            each(self, item);
        }
        self.out.push(']');
    }

    fn some_texts(&mut self, name: &str, items: &[String]) {
        if !items.is_empty() {
            self.name(name);
            self.bracketed(items, |out, item| text(&mut out.out, item));
        }
    }
}

impl Members for Text {
    const IS_KNOWN_BY: bool = false;

    fn text(&mut self, name: &'static str, value: &str) {
        text(self.name(name), value);
    }

    fn flag(&mut self, name: &'static str, flag: bool) {
        self.name(name).push_str(if flag { "true" } else { "false" });
    }

    fn integer(&mut self, name: &'static str, integer: i64) {
        self.name(name).push_str(&integer.to_string());
    }

    fn double(&mut self, name: &'static str, value: f64) {
        double(self.name(name), value);
    }

    fn object(&mut self, name: &'static str, fill: impl FnOnce(&mut Self)) {
        self.name(name);
        self.braced(fill);
    }

    fn list<T>(&mut self, name: &'static str, items: &[T], each: impl Fn(&mut Self, &T)) {
        self.name(name);
        self.bracketed(items, |out, item| out.braced(|members| each(members, item)));
    }
}

/// A string, with the escapes of RFC 8785 §3.2.2.2.
fn text(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some((plain, behind)) = rest.split_at_checked(plain_len(rest.as_bytes())) {
        out.push_str(plain);
        let mut characters = behind.chars();
        match characters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\t') => out.push_str("\\t"),
            Some('\n') => out.push_str("\\n"),
            Some('\u{c}') => out.push_str("\\f"),
            Some('\r') => out.push_str("\\r"),
            Some(control) => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            None => break,
        }
        rest = characters.as_str();
    }
    out.push('"');
}

fn resource_spans(members: &mut Text, value: &ResourceSpans) {
    if let Some(value) = &value.resource {
        members.object("resource", |members| {
            form::resource(members, value);
            members.some_list("entityRefs", &value.entity_refs, entity_ref);
        });
    }
    members.some_list("scopeSpans", &value.scope_spans, scope_spans);
    members.some_text("schemaUrl", &value.schema_url);
}

fn entity_ref(members: &mut Text, value: &EntityRef) {
    members.some_text("schemaUrl", &value.schema_url);
    members.some_text("type", &value.r#type);
    members.some_texts("idKeys", &value.id_keys);
    members.some_texts("descriptionKeys", &value.description_keys);
}

fn scope_spans(members: &mut Text, value: &ScopeSpans) {
    if let Some(value) = &value.scope {
        members.object("scope", |members| form::scope(members, value));
    }
    members.some_list("spans", &value.spans, form::span);
    members.some_text("schemaUrl", &value.schema_url);
}

/// The shortest digits that are this double again; the three that JSON has no number for in quotes.
fn double(out: &mut String, value: f64) {
    match value {
        _ if value.is_nan() => out.push_str("\"NaN\""),
        f64::INFINITY => out.push_str("\"Infinity\""),
        f64::NEG_INFINITY => out.push_str("\"-Infinity\""),
        _ => out.push_str(&format!("{value:?}")),
    }
}

impl From<&SpanBatch> for TracesData {
    /// The message that holds this batch alone; an owner that says nothing is left out.
    fn from(batch: &SpanBatch) -> Self {
        let resource = (*batch.resource != Resource::default()).then(|| Resource::clone(&batch.resource));
        let scope = InstrumentationScope::clone(&batch.scope);
        let scope_spans = ScopeSpans {
            scope: (scope != InstrumentationScope::default()).then_some(scope),
            spans: batch.spans.iter().map(|read| read.span.clone()).collect(),
            schema_url: batch.scope_schema_url.to_string(),
        };
        let schema_url = batch.resource_schema_url.to_string();
        Self { resource_spans: vec![ResourceSpans { resource, scope_spans: vec![scope_spans], schema_url }] }
    }
}
