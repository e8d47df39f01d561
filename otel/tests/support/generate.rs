//! Any traces, as proptest draws them.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z._]{0,8}", any::<String>(), "[\\\\\"\u{0}-\u{1f}\u{1F600}]{0,6}"]
}

/// Never a NaN: it is not equal to itself.
fn double() -> impl Strategy<Value = f64> {
    any::<u64>().prop_map(f64::from_bits).prop_filter("a NaN", |double| !double.is_nan())
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        text().prop_map(|text| Some(Any::StringValue(text))),
        any::<bool>().prop_map(|flag| Some(Any::BoolValue(flag))),
        any::<i64>().prop_map(|int| Some(Any::IntValue(int))),
        double().prop_map(|double| Some(Any::DoubleValue(double))),
        vec(any::<u8>(), 0..9).prop_map(|bytes| Some(Any::BytesValue(bytes))),
    ];
    let leaf = leaf.prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 16, 4, |inner| {
        let array = vec(inner.clone(), 0..4).prop_map(|values| Any::ArrayValue(ArrayValue { values }));
        let pair = (text(), option::of(inner));
        let pair = pair.prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() });
        let list = vec(pair, 0..4).prop_map(|values| Any::KvlistValue(KeyValueList { values }));
        prop_oneof![array, list].prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let pair = (text(), option::of(any_value()));
    vec(pair.prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() }), 0..4)
}

fn id() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 16), vec(any::<u8>(), 8), vec(any::<u8>(), 0..3)]
}

fn event() -> impl Strategy<Value = Event> {
    (any::<u64>(), text(), attributes(), any::<u32>()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    (id(), id(), text(), attributes(), any::<u32>(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    )
}

fn status() -> impl Strategy<Value = Status> {
    (text(), prop_oneof![0..3_i32, any::<i32>()]).prop_map(|(message, code)| Status { message, code })
}

pub(super) fn span() -> impl Strategy<Value = Span> {
    let names = (id(), id(), text(), id(), text());
    let numbers = (any::<u32>(), prop_oneof![0..6_i32, any::<i32>()], any::<u64>(), any::<u64>());
    let dropped = (any::<u32>(), any::<u32>(), 0..2_u32);
    let lists = (attributes(), vec(event(), 0..3), vec(link(), 0..3), option::of(status()));
    (names, numbers, dropped, lists).prop_map(|(names, numbers, dropped, lists)| Span {
        trace_id: names.0,
        span_id: names.1,
        trace_state: names.2,
        parent_span_id: names.3,
        name: names.4,
        flags: numbers.0,
        kind: numbers.1,
        start_time_unix_nano: numbers.2,
        end_time_unix_nano: numbers.3,
        dropped_attributes_count: dropped.0,
        dropped_events_count: dropped.1,
        dropped_links_count: dropped.2,
        attributes: lists.0,
        events: lists.1,
        links: lists.2,
        status: lists.3,
    })
}

fn entity() -> impl Strategy<Value = EntityRef> {
    (text(), text(), vec(text(), 0..3), vec(text(), 0..3)).prop_map(
        |(schema_url, r#type, id_keys, description_keys)| EntityRef {
            schema_url,
            r#type,
            id_keys,
            description_keys,
        },
    )
}

fn resource() -> impl Strategy<Value = Resource> {
    (attributes(), any::<u32>(), vec(entity(), 0..2)).prop_map(
        |(attributes, dropped_attributes_count, entity_refs)| Resource {
            attributes,
            dropped_attributes_count,
            entity_refs,
        },
    )
}

fn scope() -> impl Strategy<Value = InstrumentationScope> {
    (text(), text(), attributes(), any::<u32>()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    )
}

/// Traces with at least one span.
pub(super) fn traces() -> impl Strategy<Value = TracesData> {
    let scoped = (option::of(scope()), vec(span(), 1..4), text());
    let scoped = scoped.prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    let owned = (option::of(resource()), vec(scoped, 1..3), text());
    let owned = owned.prop_map(|(resource, scope_spans, schema_url)| ResourceSpans {
        resource,
        scope_spans,
        schema_url,
    });
    vec(owned, 1..3).prop_map(|resource_spans| TracesData { resource_spans })
}
