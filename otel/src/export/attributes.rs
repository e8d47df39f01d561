//! Attributes as OTLP has them.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};

fn of(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

pub(crate) fn text(key: &str, value: impl ToString) -> KeyValue {
    of(key, Any::StringValue(value.to_string()))
}

pub(crate) fn flag(key: &str, value: bool) -> KeyValue {
    of(key, Any::BoolValue(value))
}

/// Counts and places are far below 2^63.
pub(crate) fn number(key: &str, value: u64) -> KeyValue {
    of(key, Any::IntValue(i64::try_from(value).unwrap_or(i64::MAX)))
}

pub(crate) fn texts<T: ToString>(key: &str, values: impl IntoIterator<Item = T>) -> KeyValue {
    list(key, values.into_iter().map(|value| Any::StringValue(value.to_string())))
}

pub(crate) fn numbers(key: &str, values: impl IntoIterator<Item = u64>) -> KeyValue {
    list(key, values.into_iter().map(|value| Any::IntValue(i64::try_from(value).unwrap_or(i64::MAX))))
}

fn list(key: &str, values: impl Iterator<Item = Any>) -> KeyValue {
    let values = values.map(|value| AnyValue { value: Some(value) }).collect();
    of(key, Any::ArrayValue(ArrayValue { values }))
}
