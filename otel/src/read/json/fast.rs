//! The quick reading of plain spans: known keys once each, no spelling that is to be warned about,
//! straight into the types of OTLP. Where it is not sure it says nothing, and [`super::slow`]
//! decides; what it does say is what the slow reading says.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::cursor::Cursor;

/// The span that begins at the first byte, and how long its text is; `None` if it is not plain or
/// does not end here.
pub(crate) fn span(text: &[u8], max_depth: usize) -> Option<(Span, usize)> {
    let mut cursor = Cursor::new(text, max_depth);
    let span = read_span(&mut cursor)?;
    Some((span, cursor.at()))
}

fn read_span(cursor: &mut Cursor<'_>) -> Option<Span> {
    let mut span = Span::default();
    cursor.object(|cursor, key| {
        match key {
            b"traceId" => span.trace_id = cursor.id()?,
            b"spanId" => span.span_id = cursor.id()?,
            b"traceState" => span.trace_state = cursor.text()?,
            b"parentSpanId" => span.parent_span_id = cursor.id()?,
            b"flags" => span.flags = cursor.small()?,
            b"name" => span.name = cursor.text()?,
            b"kind" => span.kind = i32::try_from(cursor.small()?).ok()?,
            b"startTimeUnixNano" => span.start_time_unix_nano = cursor.unsigned()?,
            b"endTimeUnixNano" => span.end_time_unix_nano = cursor.unsigned()?,
            b"attributes" => span.attributes = cursor.list(key_value)?,
            b"droppedAttributesCount" => span.dropped_attributes_count = cursor.small()?,
            b"events" => span.events = cursor.list(event)?,
            b"droppedEventsCount" => span.dropped_events_count = cursor.small()?,
            b"links" => span.links = cursor.list(link)?,
            b"droppedLinksCount" => span.dropped_links_count = cursor.small()?,
            b"status" => span.status = Some(status(cursor)?),
            _ => return None,
        }
        Some(())
    })?;
    Some(span)
}

fn event(cursor: &mut Cursor<'_>) -> Option<Event> {
    let mut event = Event::default();
    cursor.object(|cursor, key| {
        match key {
            b"timeUnixNano" => event.time_unix_nano = cursor.unsigned()?,
            b"name" => event.name = cursor.text()?,
            b"attributes" => event.attributes = cursor.list(key_value)?,
            b"droppedAttributesCount" => event.dropped_attributes_count = cursor.small()?,
            _ => return None,
        }
        Some(())
    })?;
    Some(event)
}

fn link(cursor: &mut Cursor<'_>) -> Option<Link> {
    let mut link = Link::default();
    cursor.object(|cursor, key| {
        match key {
            b"traceId" => link.trace_id = cursor.id()?,
            b"spanId" => link.span_id = cursor.id()?,
            b"traceState" => link.trace_state = cursor.text()?,
            b"attributes" => link.attributes = cursor.list(key_value)?,
            b"droppedAttributesCount" => link.dropped_attributes_count = cursor.small()?,
            b"flags" => link.flags = cursor.small()?,
            _ => return None,
        }
        Some(())
    })?;
    Some(link)
}

fn status(cursor: &mut Cursor<'_>) -> Option<Status> {
    let mut status = Status::default();
    cursor.object(|cursor, key| {
        match key {
            b"message" => status.message = cursor.text()?,
            b"code" => status.code = i32::try_from(cursor.small()?).ok()?,
            _ => return None,
        }
        Some(())
    })?;
    Some(status)
}

fn key_value(cursor: &mut Cursor<'_>) -> Option<KeyValue> {
    let mut attribute = KeyValue::default();
    cursor.object(|cursor, key| {
        match key {
            b"key" => attribute.key = cursor.text()?,
            b"value" => attribute.value = Some(any_value(cursor)?),
            _ => return None,
        }
        Some(())
    })?;
    Some(attribute)
}

fn any_value(cursor: &mut Cursor<'_>) -> Option<AnyValue> {
    let mut value = None;
    cursor.object(|cursor, key| {
        let one = match key {
            b"stringValue" => Any::StringValue(cursor.text()?),
            b"boolValue" => Any::BoolValue(cursor.flag()?),
            b"intValue" => Any::IntValue(cursor.signed()?),
            b"doubleValue" => Any::DoubleValue(cursor.double()?),
            b"arrayValue" => Any::ArrayValue(ArrayValue { values: values(cursor, any_value)? }),
            b"kvlistValue" => Any::KvlistValue(KeyValueList { values: values(cursor, key_value)? }),
            _ => return None,
        };
        value.replace(one).is_none().then_some(())
    })?;
    Some(AnyValue { value })
}

/// `{"values":[..]}`, or `{}`.
fn values<T>(cursor: &mut Cursor<'_>, each: fn(&mut Cursor<'_>) -> Option<T>) -> Option<Vec<T>> {
    let mut values = Vec::new();
    cursor.object(|cursor, key| {
        if key != b"values" {
            return None;
        }
        values = cursor.list(each)?;
        Some(())
    })?;
    Some(values)
}
