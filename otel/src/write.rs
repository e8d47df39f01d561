//! OTLP written: JSON lines of one spelling, and protobuf behind varint lengths. Fields stand in the
//! order of their numbers, defaults are left out, and the same value is the same bytes everywhere.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use proofline_canon::{base64, hex, plain_len};
use prost::Message;

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
    let mut out = String::new();
    object(&mut out, |members| members.list("resourceSpans", &traces.resource_spans, resource_spans));
    out.push('\n');
    out
}

/// One protobuf message behind its length as a varint.
#[must_use]
pub fn protobuf_frame(traces: &TracesData) -> Vec<u8> {
    traces.encode_length_delimited_to_vec()
}

/// An object that is being written.
struct Members<'o> {
    out: &'o mut String,
    first: bool,
}

fn object(out: &mut String, write: impl FnOnce(&mut Members<'_>)) {
    out.push('{');
    write(&mut Members { out, first: true });
    out.push('}');
}

impl Members<'_> {
    /// The name of a member; its value is written next. Names have nothing to escape.
    fn name(&mut self, name: &str) -> &mut String {
        self.out.push_str(if self.first { "\"" } else { ",\"" });
        self.first = false;
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    fn quoted(&mut self, name: &str, plain: &str) {
        let out = self.name(name);
        out.push('"');
        out.push_str(plain);
        out.push('"');
    }

    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            text(self.name(name), value);
        }
    }

    fn id(&mut self, name: &str, id: &[u8]) {
        if !id.is_empty() {
            self.quoted(name, &hex(id));
        }
    }

    fn nanos(&mut self, name: &str, value: u64) {
        if value != 0 {
            self.quoted(name, &value.to_string());
        }
    }

    fn number<N: Default + PartialEq + ToString>(&mut self, name: &str, value: N) {
        if value != N::default() {
            self.name(name).push_str(&value.to_string());
        }
    }

    fn list<T>(&mut self, name: &str, items: &[T], each: fn(&mut Members<'_>, &T)) {
        if !items.is_empty() {
            array(self.name(name), items, |out, item| object(out, |members| each(members, item)));
        }
    }

    fn optional<T>(&mut self, name: &str, value: Option<&T>, each: fn(&mut Members<'_>, &T)) {
        if let Some(value) = value {
            object(self.name(name), |members| each(members, value));
        }
    }

    fn texts(&mut self, name: &str, items: &[String]) {
        if !items.is_empty() {
            array(self.name(name), items, |out, item| text(out, item));
        }
    }
}

fn array<T>(out: &mut String, items: &[T], each: impl Fn(&mut String, &T)) {
    out.push('[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        each(out, item);
    }
    out.push(']');
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

fn resource_spans(members: &mut Members<'_>, value: &ResourceSpans) {
    members.optional("resource", value.resource.as_ref(), resource);
    members.list("scopeSpans", &value.scope_spans, scope_spans);
    members.text("schemaUrl", &value.schema_url);
}

fn resource(members: &mut Members<'_>, value: &Resource) {
    members.list("attributes", &value.attributes, key_value);
    members.number("droppedAttributesCount", value.dropped_attributes_count);
    members.list("entityRefs", &value.entity_refs, entity_ref);
}

fn entity_ref(members: &mut Members<'_>, value: &EntityRef) {
    members.text("schemaUrl", &value.schema_url);
    members.text("type", &value.r#type);
    members.texts("idKeys", &value.id_keys);
    members.texts("descriptionKeys", &value.description_keys);
}

fn scope_spans(members: &mut Members<'_>, value: &ScopeSpans) {
    members.optional("scope", value.scope.as_ref(), scope);
    members.list("spans", &value.spans, span);
    members.text("schemaUrl", &value.schema_url);
}

fn scope(members: &mut Members<'_>, value: &InstrumentationScope) {
    members.text("name", &value.name);
    members.text("version", &value.version);
    members.list("attributes", &value.attributes, key_value);
    members.number("droppedAttributesCount", value.dropped_attributes_count);
}

fn span(members: &mut Members<'_>, value: &Span) {
    members.id("traceId", &value.trace_id);
    members.id("spanId", &value.span_id);
    members.text("traceState", &value.trace_state);
    members.id("parentSpanId", &value.parent_span_id);
    members.text("name", &value.name);
    members.number("kind", value.kind);
    members.nanos("startTimeUnixNano", value.start_time_unix_nano);
    members.nanos("endTimeUnixNano", value.end_time_unix_nano);
    members.list("attributes", &value.attributes, key_value);
    members.number("droppedAttributesCount", value.dropped_attributes_count);
    members.list("events", &value.events, event);
    members.number("droppedEventsCount", value.dropped_events_count);
    members.list("links", &value.links, link);
    members.number("droppedLinksCount", value.dropped_links_count);
    members.optional("status", value.status.as_ref(), status);
    members.number("flags", value.flags);
}

fn event(members: &mut Members<'_>, value: &Event) {
    members.nanos("timeUnixNano", value.time_unix_nano);
    members.text("name", &value.name);
    members.list("attributes", &value.attributes, key_value);
    members.number("droppedAttributesCount", value.dropped_attributes_count);
}

fn link(members: &mut Members<'_>, value: &Link) {
    members.id("traceId", &value.trace_id);
    members.id("spanId", &value.span_id);
    members.text("traceState", &value.trace_state);
    members.list("attributes", &value.attributes, key_value);
    members.number("droppedAttributesCount", value.dropped_attributes_count);
    members.number("flags", value.flags);
}

fn status(members: &mut Members<'_>, value: &Status) {
    members.text("message", &value.message);
    members.number("code", value.code);
}

fn key_value(members: &mut Members<'_>, value: &KeyValue) {
    members.text("key", &value.key);
    members.optional("value", value.value.as_ref(), any_value);
}

/// The kind of a value is written whatever the value is: an empty text is not the empty value.
fn any_value(members: &mut Members<'_>, value: &AnyValue) {
    match &value.value {
        None | Some(Any::StringValueStrindex(_)) => {}
        Some(Any::StringValue(value)) => text(members.name("stringValue"), value),
        Some(Any::BoolValue(value)) => {
            members.name("boolValue").push_str(if *value { "true" } else { "false" })
        }
        Some(Any::IntValue(value)) => members.quoted("intValue", &value.to_string()),
        Some(Any::DoubleValue(value)) => double(members.name("doubleValue"), *value),
        Some(Any::ArrayValue(array)) => object(members.name("arrayValue"), |members| {
            members.list("values", &array.values, any_value);
        }),
        Some(Any::KvlistValue(KeyValueList { values })) => object(members.name("kvlistValue"), |members| {
            members.list("values", values, key_value);
        }),
        Some(Any::BytesValue(bytes)) => members.quoted("bytesValue", &base64(bytes)),
    }
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
