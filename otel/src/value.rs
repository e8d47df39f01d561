//! Values of OTLP as plain content, which is what an instrumentation meant.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use proofline_canon::{Limits, Number, Profile, Value, base64, parse};

/// A text that is to be read as JSON may have this many levels; the documents around it have some of their own.
const TEXT_LIMITS: Limits = Limits::CONTENT.with_max_bytes(usize::MAX).with_max_depth(64);

/// A double, or the name of what JSON has no number for.
pub(crate) fn double(number: f64) -> Value {
    if number.is_nan() {
        return Value::from("NaN");
    }
    if number.is_infinite() {
        return Value::from(if number > 0.0 { "Infinity" } else { "-Infinity" });
    }
    // The shortest digits that are this double, in a form that JSON has.
    let literal = format!("{number:?}");
    Number::from_literal(&literal).map_or(Value::from(literal), Value::Number)
}

/// The attribute of this key; of several the first.
pub(crate) fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Any> {
    attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.as_ref()
}

/// The same, where it is a text that says something.
pub(crate) fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match attribute(attributes, key)? {
        Any::StringValue(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// The same, where it is an integer, or a text or double that is one.
pub(crate) fn integer(attributes: &[KeyValue], key: &str) -> Option<i64> {
    match attribute(attributes, key)? {
        Any::IntValue(number) => Some(*number),
        Any::StringValue(text) => text.parse().ok(),
        Any::DoubleValue(number) => format!("{number}").parse().ok(),
        _ => None,
    }
}

/// What an instrumentation meant by a value: structures as structures, and a text that is one JSON array or object,
/// of which nothing would be lost, as what it says.
pub(crate) fn content(value: &Any) -> Value {
    match value {
        Any::StringValue(text) => structured(text),
        other => plain(other),
    }
}

/// A value without OTLP's marks of type. Integers that JSON would round, and bytes, become texts.
pub(crate) fn plain(value: &Any) -> Value {
    match value {
        Any::StringValue(text) => Value::from(text.as_str()),
        Any::BoolValue(flag) => Value::from(*flag),
        Any::IntValue(number) if number.unsigned_abs() <= proofline_trace::MAX_SAFE_INT => {
            Value::Number(Number::from_i64(*number))
        }
        Any::IntValue(number) => Value::from(number.to_string()),
        Any::DoubleValue(number) => double(*number),
        Any::BytesValue(bytes) => Value::from(base64(bytes)),
        Any::ArrayValue(array) => Value::array(array.values.iter().map(optional)),
        Any::KvlistValue(list) => {
            Value::object(list.values.iter().map(|member| (member.key.as_str(), member_value(member))))
        }
        Any::StringValueStrindex(_) => Value::Null,
    }
}

fn optional(value: &AnyValue) -> Value {
    value.value.as_ref().map_or(Value::Null, plain)
}

fn member_value(member: &KeyValue) -> Value {
    member.value.as_ref().map_or(Value::Null, optional)
}

/// A text as the JSON array or object that it is, if all of it can be written again; else the text.
pub(crate) fn structured(text: &str) -> Value {
    let is_structure = text.trim_start().starts_with(['{', '[']);
    let read = || {
        let value = parse(text.as_bytes(), &TEXT_LIMITS).ok()?;
        value.to_canonical(Profile::ContentExact).ok()?;
        Some(value)
    };
    is_structure.then(read).flatten().unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_structure_only_where_nothing_is_lost() {
        let whole = |text: &str| structured(text).to_canonical(Profile::Content).unwrap();
        assert_eq!(whole(r#" {"b": 1.0, "a": []}"#), br#"{"a":[],"b":1}"#);
        for kept in [
            "plain",
            "7",
            "\"x\"",
            "{'single': 1}",
            "{\"a\":1,\"a\":2}",
            "{\"n\":12345678901234567890}",
            "{\"n\":-0}",
            "{} x",
        ] {
            assert_eq!(structured(kept), Value::from(kept), "{kept}");
        }
    }

    #[test]
    fn doubles_keep_their_value() {
        for number in [0.0, -1.5, 1e300, 5e-324, 0.1, 1e21, 123_456_789.125] {
            let Value::Number(written) = double(number) else { panic!("{number}") };
            assert_eq!(written.nearest_double().to_bits(), number.to_bits());
        }
        assert_eq!(double(f64::NAN), Value::from("NaN"));
        assert_eq!(double(f64::NEG_INFINITY), Value::from("-Infinity"));
    }
}
