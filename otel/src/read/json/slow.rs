//! OTLP/JSON from the values of canon: every spelling that is met, every warning, every fault. The
//! quick reading of plain spans ([`super::fast`]) is held to it.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use proofline_canon::{Limits, Number, Object, Value, members, parse, unbase64};

use super::hex::unhex_any_case;
use super::number;
use crate::read::fault::SpanFault;
use crate::read::tally::{Notes, WarningKind};

type Read<T> = Result<T, SpanFault>;

pub(crate) fn span(text: &[u8], limits: &Limits) -> Read<(Span, Notes)> {
    let value = parse(text, limits).map_err(SpanFault::Json)?;
    let mut notes = Notes::default();
    let span = read_span(&value, &mut notes)?;
    Ok((span, notes))
}

/// The ids of a span that cannot be read, where they can be told.
pub(crate) fn ids(text: &[u8], limits: &Limits) -> (Option<[u8; 16]>, Option<[u8; 8]>) {
    let Ok(members) = members(text, limits) else { return (None, None) };
    let bytes = |name| {
        let value = parse(text.get(members.get(name)?)?, limits).ok()?;
        unhex_any_case(value.as_str()?.as_bytes())
    };
    (bytes("traceId").and_then(|id| id.try_into().ok()), bytes("spanId").and_then(|id| id.try_into().ok()))
}

fn read_span(value: &Value, notes: &mut Notes) -> Read<Span> {
    let mut span = Span::default();
    for (key, value) in object(value, "span")? {
        match key {
            "traceId" => span.trace_id = id(value, "traceId")?,
            "spanId" => span.span_id = id(value, "spanId")?,
            "traceState" => span.trace_state = text(value, "traceState")?,
            "parentSpanId" => span.parent_span_id = id(value, "parentSpanId")?,
            "flags" => span.flags = integer(value, "flags", notes)?,
            "name" => span.name = text(value, "name")?,
            "kind" => span.kind = kind(value, notes)?,
            "startTimeUnixNano" => span.start_time_unix_nano = integer(value, "startTimeUnixNano", notes)?,
            "endTimeUnixNano" => span.end_time_unix_nano = integer(value, "endTimeUnixNano", notes)?,
            "attributes" => span.attributes = attributes(value, notes)?,
            "droppedAttributesCount" => {
                span.dropped_attributes_count = integer(value, "droppedAttributesCount", notes)?;
            }
            "events" => span.events = list(value, "events", notes, event)?,
            "droppedEventsCount" => span.dropped_events_count = integer(value, "droppedEventsCount", notes)?,
            "links" => span.links = list(value, "links", notes, link)?,
            "droppedLinksCount" => span.dropped_links_count = integer(value, "droppedLinksCount", notes)?,
            "status" => span.status = Some(status(value, notes)?),
            _ => unknown(key, notes),
        }
    }
    Ok(span)
}

fn event(value: &Value, notes: &mut Notes) -> Read<Event> {
    let mut event = Event::default();
    for (key, value) in object(value, "event")? {
        match key {
            "timeUnixNano" => event.time_unix_nano = integer(value, "timeUnixNano", notes)?,
            "name" => event.name = text(value, "name")?,
            "attributes" => event.attributes = attributes(value, notes)?,
            "droppedAttributesCount" => {
                event.dropped_attributes_count = integer(value, "droppedAttributesCount", notes)?;
            }
            _ => unknown(key, notes),
        }
    }
    Ok(event)
}

fn link(value: &Value, notes: &mut Notes) -> Read<Link> {
    let mut link = Link::default();
    for (key, value) in object(value, "link")? {
        match key {
            "traceId" => link.trace_id = id(value, "traceId")?,
            "spanId" => link.span_id = id(value, "spanId")?,
            "traceState" => link.trace_state = text(value, "traceState")?,
            "attributes" => link.attributes = attributes(value, notes)?,
            "droppedAttributesCount" => {
                link.dropped_attributes_count = integer(value, "droppedAttributesCount", notes)?;
            }
            "flags" => link.flags = integer(value, "flags", notes)?,
            _ => unknown(key, notes),
        }
    }
    Ok(link)
}

fn status(value: &Value, notes: &mut Notes) -> Read<Status> {
    let mut status = Status::default();
    for (key, value) in object(value, "status")? {
        match key {
            "message" => status.message = text(value, "message")?,
            "code" => status.code = status_code(value, notes)?,
            _ => unknown(key, notes),
        }
    }
    Ok(status)
}

pub(crate) fn resource(value: &Value, notes: &mut Notes) -> Read<Resource> {
    let mut resource = Resource::default();
    for (key, value) in object(value, "resource")? {
        match key {
            "attributes" => resource.attributes = attributes(value, notes)?,
            "droppedAttributesCount" => {
                resource.dropped_attributes_count = integer(value, "droppedAttributesCount", notes)?;
            }
            "entityRefs" => resource.entity_refs = list(value, "entityRefs", notes, entity_ref)?,
            _ => unknown(key, notes),
        }
    }
    Ok(resource)
}

fn entity_ref(value: &Value, notes: &mut Notes) -> Read<EntityRef> {
    let mut entity = EntityRef::default();
    let texts = |value: &Value, name| {
        let items = value.as_array().ok_or(SpanFault::Type { field: name, expected: "an array" })?;
        items.iter().map(|item| text(item, name)).collect::<Read<Vec<String>>>()
    };
    for (key, value) in object(value, "entityRef")? {
        match key {
            "schemaUrl" => entity.schema_url = text(value, "schemaUrl")?,
            "type" => entity.r#type = text(value, "type")?,
            "idKeys" => entity.id_keys = texts(value, "idKeys")?,
            "descriptionKeys" => entity.description_keys = texts(value, "descriptionKeys")?,
            _ => unknown(key, notes),
        }
    }
    Ok(entity)
}

pub(crate) fn scope(value: &Value, notes: &mut Notes) -> Read<InstrumentationScope> {
    let mut scope = InstrumentationScope::default();
    for (key, value) in object(value, "scope")? {
        match key {
            "name" => scope.name = text(value, "name")?,
            "version" => scope.version = text(value, "version")?,
            "attributes" => scope.attributes = attributes(value, notes)?,
            "droppedAttributesCount" => {
                scope.dropped_attributes_count = integer(value, "droppedAttributesCount", notes)?;
            }
            _ => unknown(key, notes),
        }
    }
    Ok(scope)
}

pub(crate) fn schema_url(value: &Value, _: &mut Notes) -> Read<String> {
    text(value, "schemaUrl")
}

fn attributes(value: &Value, notes: &mut Notes) -> Read<Vec<KeyValue>> {
    list(value, "attributes", notes, key_value)
}

fn key_value(value: &Value, notes: &mut Notes) -> Read<KeyValue> {
    let mut attribute = KeyValue::default();
    for (key, value) in object(value, "attribute")? {
        match key {
            "key" => attribute.key = text(value, "key")?,
            "value" => attribute.value = Some(any_value(value, notes)?),
            "keyStrindex" => notes.add(WarningKind::StringIndex, key),
            _ => unknown(key, notes),
        }
    }
    Ok(attribute)
}

fn any_value(value: &Value, notes: &mut Notes) -> Read<AnyValue> {
    let mut found: Option<(&'static str, Any)> = None;
    for (key, value) in object(value, "value")? {
        let one = match key {
            "stringValue" => ("stringValue", Any::StringValue(text(value, "stringValue")?)),
            "boolValue" => ("boolValue", Any::BoolValue(flag(value)?)),
            "intValue" => ("intValue", Any::IntValue(integer(value, "intValue", notes)?)),
            "doubleValue" => ("doubleValue", Any::DoubleValue(double(value, notes)?)),
            "arrayValue" => ("arrayValue", Any::ArrayValue(array_value(value, notes)?)),
            "kvlistValue" => ("kvlistValue", Any::KvlistValue(kvlist_value(value, notes)?)),
            "bytesValue" => ("bytesValue", Any::BytesValue(bytes(value, notes)?)),
            "stringValueStrindex" => {
                notes.add(WarningKind::StringIndex, key);
                continue;
            }
            _ => {
                unknown(key, notes);
                continue;
            }
        };
        if let Some((before, _)) = found {
            return Err(SpanFault::TwoValues(before, one.0));
        }
        found = Some(one);
    }
    Ok(AnyValue { value: found.map(|(_, value)| value) })
}

fn array_value(value: &Value, notes: &mut Notes) -> Read<ArrayValue> {
    let mut array = ArrayValue::default();
    for (key, value) in object(value, "arrayValue")? {
        match key {
            "values" => {
                array.values = list(value, "values", notes, |value, notes| {
                    if value.is_null() {
                        notes.add(WarningKind::NullItem, "arrayValue");
                        return Ok(AnyValue::default());
                    }
                    any_value(value, notes)
                })?;
            }
            _ => unknown(key, notes),
        }
    }
    Ok(array)
}

fn kvlist_value(value: &Value, notes: &mut Notes) -> Read<KeyValueList> {
    let mut list = KeyValueList::default();
    for (key, value) in object(value, "kvlistValue")? {
        match key {
            "values" => list.values = attributes(value, notes)?,
            _ => unknown(key, notes),
        }
    }
    Ok(list)
}

/// The members that are not `null`, in canonical order.
fn object<'v>(value: &'v Value, field: &'static str) -> Read<impl Iterator<Item = (&'v str, &'v Value)>> {
    let object: &Object = value.as_object().ok_or(SpanFault::Type { field, expected: "an object" })?;
    Ok(object.iter().filter(|(_, value)| !value.is_null()))
}

fn list<T>(
    value: &Value,
    field: &'static str,
    notes: &mut Notes,
    each: impl Fn(&Value, &mut Notes) -> Read<T>,
) -> Read<Vec<T>> {
    let items = value.as_array().ok_or(SpanFault::Type { field, expected: "an array" })?;
    items.iter().map(|item| each(item, notes)).collect()
}

fn text(value: &Value, field: &'static str) -> Read<String> {
    let text = value.as_str().ok_or(SpanFault::Type { field, expected: "a string" })?;
    Ok(text.to_owned())
}

fn id(value: &Value, field: &'static str) -> Read<Vec<u8>> {
    let text = value.as_str().ok_or(SpanFault::Type { field, expected: "a string of hex digits" })?;
    unhex_any_case(text.as_bytes()).ok_or(SpanFault::Id { field })
}

fn flag(value: &Value) -> Read<bool> {
    value.as_bool().ok_or(SpanFault::Type { field: "boolValue", expected: "true or false" })
}

/// A number, bare or in quotes.
fn number(value: &Value, field: &'static str) -> Read<Number> {
    match value {
        Value::Number(number) => Ok(number.clone()),
        Value::String(text) => Number::from_literal(text)
            .ok_or_else(|| SpanFault::Number { field, literal: SpanFault::shown(text) }),
        _ => Err(SpanFault::Type { field, expected: "a number" }),
    }
}

fn integer<T: TryFrom<i128>>(value: &Value, field: &'static str, notes: &mut Notes) -> Read<T> {
    let number = number(value, field)?;
    let bad = || SpanFault::Number { field, literal: SpanFault::shown(number.literal()) };
    let (integer, spelled_as_float) = number::integer(&number).ok_or_else(bad)?;
    if spelled_as_float {
        notes.add(WarningKind::IntegerAsFloat, field);
    }
    T::try_from(integer).map_err(|_| bad())
}

fn double(value: &Value, notes: &mut Notes) -> Read<f64> {
    match value.as_str() {
        Some("NaN") => return Ok(f64::NAN),
        Some("Infinity") => return Ok(f64::INFINITY),
        Some("-Infinity") => return Ok(f64::NEG_INFINITY),
        Some(_) => notes.add(WarningKind::NumberAsText, "doubleValue"),
        None => {}
    }
    let number = number(value, "doubleValue")?;
    let double = number.nearest_double();
    if double.is_finite() {
        return Ok(double);
    }
    Err(SpanFault::Number { field: "doubleValue", literal: SpanFault::shown(number.literal()) })
}

fn kind(value: &Value, notes: &mut Notes) -> Read<i32> {
    named(value, "kind", notes, |name| SpanKind::from_str_name(name).map(i32::from))
}

fn status_code(value: &Value, notes: &mut Notes) -> Read<i32> {
    named(value, "code", notes, |name| StatusCode::from_str_name(name).map(i32::from))
}

/// An enum by its number or, with a warning, its name.
fn named(
    value: &Value,
    field: &'static str,
    notes: &mut Notes,
    of_name: impl Fn(&str) -> Option<i32>,
) -> Read<i32> {
    match value.as_str().filter(|text| text.starts_with(|first: char| first.is_ascii_alphabetic())) {
        Some(name) => {
            notes.add(WarningKind::EnumName, name);
            of_name(name).ok_or_else(|| SpanFault::Name { field, name: SpanFault::shown(name) })
        }
        None => integer(value, field, notes),
    }
}

/// Base64; that of URLs, and without padding, with a warning.
fn bytes(value: &Value, notes: &mut Notes) -> Read<Vec<u8>> {
    let text =
        value.as_str().ok_or(SpanFault::Type { field: "bytesValue", expected: "a string of base64" })?;
    if let Some(bytes) = unbase64(text) {
        return Ok(bytes);
    }
    notes.add(WarningKind::LooseBase64, "bytesValue");
    let mut standard = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    standard.extend(std::iter::repeat_n('=', standard.len().next_multiple_of(4) - standard.len()));
    unbase64(&standard).ok_or(SpanFault::Base64)
}

fn unknown(key: &str, notes: &mut Notes) {
    notes.add(unknown_kind(key), key);
}

/// The fields that have a snake_case spelling.
const COMPOUND: [&str; 29] = [
    "resourceSpans",
    "scopeSpans",
    "schemaUrl",
    "traceId",
    "spanId",
    "traceState",
    "parentSpanId",
    "startTimeUnixNano",
    "endTimeUnixNano",
    "timeUnixNano",
    "droppedAttributesCount",
    "droppedEventsCount",
    "droppedLinksCount",
    "stringValue",
    "boolValue",
    "intValue",
    "doubleValue",
    "arrayValue",
    "kvlistValue",
    "bytesValue",
    "keyStrindex",
    "stringValueStrindex",
    "entityRefs",
    "idKeys",
    "descriptionKeys",
    "resourceLogs",
    "resourceMetrics",
    "resourceProfiles",
    "partialSuccess",
];

/// How a key that is not read is to be called.
pub(crate) fn unknown_kind(key: &str) -> WarningKind {
    let camel: String = key
        .split('_')
        .enumerate()
        .flat_map(|(at, word)| {
            word.chars().enumerate().map(move |(place, letter)| match (at, place) {
                (1.., 0) => letter.to_ascii_uppercase(),
                _ => letter,
            })
        })
        .collect();
    if key.contains('_') && COMPOUND.contains(&camel.as_str()) {
        WarningKind::SnakeCaseKey
    } else {
        WarningKind::UnknownKey
    }
}
