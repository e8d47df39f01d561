//! OTLP's JSON form of a span and of what it stands in: which members there are, what they are called, and in which
//! order they are said. Where they go is for a [`Members`]: the text that an export writes, or the value that a span is
//! known by.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use proofline_canon::{base64, hex};

/// The members of an object that is being made.
pub(crate) trait Members {
    /// Whether empty keys, attributes without a value and empty lists of values are said, and a status that says
    /// nothing is not: so it is in what spans are known by, where it stays for ever. OTLP leaves both open.
    const IS_KNOWN_BY: bool;

    fn text(&mut self, name: &'static str, text: &str);
    fn flag(&mut self, name: &'static str, flag: bool);
    fn integer(&mut self, name: &'static str, integer: i64);
    fn double(&mut self, name: &'static str, double: f64);
    fn object(&mut self, name: &'static str, fill: impl FnOnce(&mut Self));
    fn list<T>(&mut self, name: &'static str, items: &[T], each: impl Fn(&mut Self, &T));

    /// A text, if it says something.
    fn some_text(&mut self, name: &'static str, text: &str) {
        if !text.is_empty() {
            self.text(name, text);
        }
    }

    /// An id in hex digits, likewise.
    fn some_id(&mut self, name: &'static str, id: &[u8]) {
        if !id.is_empty() {
            self.text(name, &hex(id));
        }
    }

    /// In decimal digits, as OTLP has integers of 64 bits.
    fn some_nanos(&mut self, name: &'static str, nanos: u64) {
        if nanos != 0 {
            self.text(name, &nanos.to_string());
        }
    }

    fn some_number(&mut self, name: &'static str, number: impl Into<i64>) {
        let number = number.into();
        if number != 0 {
            self.integer(name, number);
        }
    }

    fn some_list<T>(&mut self, name: &'static str, items: &[T], each: impl Fn(&mut Self, &T)) {
        if !items.is_empty() {
            self.list(name, items, each);
        }
    }
}

pub(crate) fn resource<M: Members>(members: &mut M, value: &Resource) {
    members.some_list("attributes", &value.attributes, attribute);
    members.some_number("droppedAttributesCount", value.dropped_attributes_count);
}

pub(crate) fn scope<M: Members>(members: &mut M, value: &InstrumentationScope) {
    members.some_text("name", &value.name);
    members.some_text("version", &value.version);
    members.some_list("attributes", &value.attributes, attribute);
    members.some_number("droppedAttributesCount", value.dropped_attributes_count);
}

pub(crate) fn span<M: Members>(members: &mut M, value: &Span) {
    members.some_id("traceId", &value.trace_id);
    members.some_id("spanId", &value.span_id);
    members.some_text("traceState", &value.trace_state);
    members.some_id("parentSpanId", &value.parent_span_id);
    members.some_text("name", &value.name);
    members.some_number("kind", value.kind);
    members.some_nanos("startTimeUnixNano", value.start_time_unix_nano);
    members.some_nanos("endTimeUnixNano", value.end_time_unix_nano);
    members.some_list("attributes", &value.attributes, attribute);
    members.some_number("droppedAttributesCount", value.dropped_attributes_count);
    members.some_list("events", &value.events, event);
    members.some_number("droppedEventsCount", value.dropped_events_count);
    members.some_list("links", &value.links, link);
    members.some_number("droppedLinksCount", value.dropped_links_count);
    if let Some(value) = value.status.as_ref().filter(|it| !M::IS_KNOWN_BY || **it != Status::default()) {
        members.object("status", |members| status(members, value));
    }
    members.some_number("flags", value.flags);
}

fn event<M: Members>(members: &mut M, value: &Event) {
    members.some_nanos("timeUnixNano", value.time_unix_nano);
    members.some_text("name", &value.name);
    members.some_list("attributes", &value.attributes, attribute);
    members.some_number("droppedAttributesCount", value.dropped_attributes_count);
}

fn link<M: Members>(members: &mut M, value: &Link) {
    members.some_id("traceId", &value.trace_id);
    members.some_id("spanId", &value.span_id);
    members.some_text("traceState", &value.trace_state);
    members.some_list("attributes", &value.attributes, attribute);
    members.some_number("droppedAttributesCount", value.dropped_attributes_count);
    members.some_number("flags", value.flags);
}

fn status<M: Members>(members: &mut M, value: &Status) {
    members.some_text("message", &value.message);
    members.some_number("code", value.code);
}

fn attribute<M: Members>(members: &mut M, attribute: &KeyValue) {
    if M::IS_KNOWN_BY || !attribute.key.is_empty() {
        members.text("key", &attribute.key);
    }
    match &attribute.value {
        Some(value) => members.object("value", |members| any_value(members, value)),
        None if M::IS_KNOWN_BY => members.object("value", |_| {}),
        None => {}
    }
}

/// The kind of a value is said whatever the value is: an empty text is not the empty value.
pub(crate) fn any_value<M: Members>(members: &mut M, value: &AnyValue) {
    match &value.value {
        // A reference is into a dictionary that traces do not have.
        None | Some(Any::StringValueStrindex(_)) => {}
        Some(Any::StringValue(value)) => members.text("stringValue", value),
        Some(Any::BoolValue(value)) => members.flag("boolValue", *value),
        Some(Any::IntValue(value)) => members.text("intValue", &value.to_string()),
        Some(Any::DoubleValue(value)) => members.double("doubleValue", *value),
        Some(Any::ArrayValue(array)) => members.object("arrayValue", |members| {
            values(members, &array.values, any_value);
        }),
        Some(Any::KvlistValue(list)) => members.object("kvlistValue", |members| {
            values(members, &list.values, attribute);
        }),
        Some(Any::BytesValue(value)) => members.text("bytesValue", &base64(value)),
    }
}

fn values<M: Members, T>(members: &mut M, items: &[T], each: impl Fn(&mut M, &T)) {
    if M::IS_KNOWN_BY || !items.is_empty() {
        members.list("values", items, each);
    }
}
