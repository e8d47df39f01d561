//! The spellings of OTLP/JSON: what section 2 of the protocol's JSON encoding allows, what people's
//! files have beside it, and what is refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use proofline_otel::read::Item;

mod support;

use support::{items, refusals};

fn document(span: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#)
}

/// The span, and the kinds and names of its warnings.
fn read(span: &str) -> (Span, Vec<(&'static str, String)>) {
    let (reading, given) = items(document(span).as_bytes());
    let [Item::Batch(batch)] = given.as_slice() else { panic!("{span}: {given:?}") };
    let warnings: Vec<_> =
        batch.spans[0].warnings.iter().map(|warning| (warning.kind.name(), warning.name.clone())).collect();
    let told: Vec<_> =
        reading.warnings.iter().map(|warned| (warned.kind.name(), warned.name.clone())).collect();
    let sorted = |mut list: Vec<(&'static str, String)>| {
        list.sort();
        list
    };
    assert_eq!(sorted(told), sorted(warnings.clone()), "the account tells what the span tells");
    (batch.spans[0].span.clone(), warnings)
}

fn value(json: &str) -> (Option<Any>, Vec<(&'static str, String)>) {
    let (span, warnings) = read(&format!(r#"{{"attributes":[{{"key":"k","value":{json}}}]}}"#));
    (span.attributes[0].value.clone().unwrap().value, warnings)
}

fn refused(span: &str) -> &'static str {
    let (_, given) = items(document(span).as_bytes());
    let refused = refusals(&given);
    assert_eq!(refused.len(), 1, "{span}");
    assert_eq!(refused[0].bytes, span.len() as u64);
    refused[0].code()
}

#[test]
fn integers_never_pass_through_a_double() {
    for spelled in ["9007199254740993", "\"9007199254740993\"", "9007199254740993.0", "9.007199254740993e15"]
    {
        assert_eq!(
            value(&format!(r#"{{"intValue":{spelled}}}"#)).0,
            Some(Any::IntValue(9_007_199_254_740_993))
        );
        let (span, _) = read(&format!(r#"{{"startTimeUnixNano":{spelled}}}"#));
        assert_eq!(span.start_time_unix_nano, 9_007_199_254_740_993);
    }
    assert_eq!(value(r#"{"intValue":"-9223372036854775808"}"#).0, Some(Any::IntValue(i64::MIN)));
    assert_eq!(read(r#"{"endTimeUnixNano":"18446744073709551615"}"#).0.end_time_unix_nano, u64::MAX);
    assert_eq!(value(r#"{"intValue":2.0}"#).1, [("integer_as_float", "intValue".to_owned())]);
    for bad in [r#""x""#, r#""""#, "1.5", r#"" 1""#, r#""01""#, "9223372036854775808", r#""1e30""#] {
        let span = format!(r#"{{"attributes":[{{"key":"k","value":{{"intValue":{bad}}}}}]}}"#);
        assert_eq!(refused(&span), "otlp.span_number", "{bad}");
    }
    assert_eq!(refused(r#"{"startTimeUnixNano":"-1"}"#), "otlp.span_number");
    assert_eq!(refused(r#"{"flags":4294967296}"#), "otlp.span_number");
    assert_eq!(refused(r#"{"flags":true}"#), "otlp.span_type");
}

#[test]
fn enums_are_integers_and_names_are_warned_about() {
    assert_eq!((read(r#"{"kind":3}"#).0.kind, read(r#"{"kind":"3"}"#).0.kind), (3, 3));
    let (span, warnings) = read(r#"{"kind":"SPAN_KIND_CLIENT","status":{"code":"STATUS_CODE_ERROR"}}"#);
    assert_eq!((span.kind, span.status.unwrap().code), (3, 2));
    let expected = ["SPAN_KIND_CLIENT", "STATUS_CODE_ERROR"].map(|name| ("enum_name", name.to_owned()));
    assert_eq!(warnings, expected);
    assert_eq!(read(r#"{"kind":99}"#).0.kind, 99, "enums are open");
    assert_eq!(refused(r#"{"kind":"CLIENT"}"#), "otlp.span_name");
}

#[test]
fn ids_are_hex_in_either_case_and_never_base64() {
    let (span, _) = read(r#"{"traceId":"5B8EFFF798038103d269b633813fc60c","spanId":"","parentSpanId":"0A"}"#);
    assert_eq!(span.trace_id[..4], [0x5b, 0x8e, 0xff, 0xf7]);
    assert_eq!((span.span_id.len(), span.parent_span_id), (0, vec![0x0a]), "lengths are judged elsewhere");
    assert_eq!(refused(r#"{"traceId":"W47/95gDgQPSabYzgT/GDA=="}"#), "otlp.span_id");
    assert_eq!(refused(r#"{"spanId":"123"}"#), "otlp.span_id");
}

#[test]
fn values_have_every_kind() {
    assert_eq!(value("{}").0, None);
    assert_eq!(value(r#"{"stringValue":""}"#).0, Some(Any::StringValue(String::new())));
    assert_eq!(value(r#"{"stringValue":null,"boolValue":false}"#).0, Some(Any::BoolValue(false)));
    assert_eq!(value(r#"{"doubleValue":1}"#).0, Some(Any::DoubleValue(1.0)));
    assert_eq!(value(r#"{"doubleValue":"-Infinity"}"#).0, Some(Any::DoubleValue(f64::NEG_INFINITY)));
    assert!(matches!(value(r#"{"doubleValue":"NaN"}"#).0, Some(Any::DoubleValue(nan)) if nan.is_nan()));
    let (double, warnings) = value(r#"{"doubleValue":"0.5"}"#);
    assert_eq!((double, warnings[0].0), (Some(Any::DoubleValue(0.5)), "number_as_text"));
    assert_eq!(value(r#"{"bytesValue":"+/8="}"#), (Some(Any::BytesValue(vec![0xfb, 0xff])), vec![]));
    let (bytes, warnings) = value(r#"{"bytesValue":"-_8"}"#);
    assert_eq!((bytes, warnings[0].0), (Some(Any::BytesValue(vec![0xfb, 0xff])), "loose_base64"));
    let (array, warnings) = value(r#"{"arrayValue":{"values":[null,{"intValue":1}]}}"#);
    let Some(Any::ArrayValue(array)) = array else { panic!("{array:?}") };
    assert_eq!((array.values.len(), array.values[0].value.clone()), (2, None));
    assert_eq!(warnings[0].0, "null_item");
    for (bad, code) in [
        (r#"{"doubleValue":1e999}"#, "otlp.span_number"),
        (r#"{"bytesValue":"*"}"#, "otlp.span_base64"),
        (r#"{"boolValue":"true"}"#, "otlp.span_type"),
        (r#"{"stringValue":1}"#, "otlp.span_type"),
        (r#"{"stringValue":"a","intValue":1}"#, "otlp.span_two_values"),
        (r#"{"arrayValue":[]}"#, "otlp.span_type"),
    ] {
        assert_eq!(refused(&format!(r#"{{"attributes":[{{"key":"k","value":{bad}}}]}}"#)), code, "{bad}");
    }
}

#[test]
fn keys_that_are_not_read_are_warned_about_by_name() {
    let (span, warnings) = read(
        r#"{"start_time_unix_nano":"5","attributes":[{"key":"k","keyStrindex":4}],"newField":[{"a":1}],"x_y":0}"#,
    );
    assert_eq!(span.start_time_unix_nano, 0, "a span can lose its times that way");
    let expected = [
        ("string_index", "keyStrindex"),
        ("unknown_key", "newField"),
        ("snake_case_key", "start_time_unix_nano"),
        ("unknown_key", "x_y"),
    ];
    assert_eq!(warnings, expected.map(|(kind, name)| (kind, name.to_owned())));
    let many: Vec<String> = (0..100).map(|at| format!("\"u{at}\":0")).collect();
    let (reading, given) = items(document(&format!("{{{}}}", many.join(","))).as_bytes());
    let Item::Batch(batch) = &given[0] else { panic!("{given:?}") };
    assert_eq!(batch.spans[0].warnings.len(), 16, "bounded");
    let counted: u64 = reading.warnings.iter().map(|warned| warned.count).sum();
    assert_eq!(counted, 100, "and nothing goes uncounted");
}

#[test]
fn json_that_is_not_strict_is_the_fault_of_its_span() {
    for bad in [
        r#"{"name":"a","name":"b"}"#,
        r#"{"name":"\ud800"}"#,
        r#"{"name":"\x"}"#,
        r#"{"attributes":[{"key":"k","value":{"kvlistValue":{"values":[],"values":[]}}}]}"#,
    ] {
        assert_eq!(refused(bad), "otlp.span_json", "{bad}");
    }
    let text = document("{\"spanId\":\"0101010101010101\",\"name\":\"?\"}").replace('?', "\u{1}");
    assert_eq!(support::code(text.as_bytes()), "otlp.no_framing", "a raw control character");
    let mut bytes =
        document("{\"spanId\":\"0101010101010101\",\"name\":\"?\"},{\"name\":\"ok\"}").into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'?').unwrap();
    bytes[at] = 0xff;
    let (reading, given) = items(&bytes);
    assert_eq!((reading.spans, refusals(&given)[0].code()), (1, "otlp.span_json"), "bytes that are no UTF-8");
    assert_eq!(refusals(&given)[0].span_id, Some([1; 8]));
}

#[test]
fn a_byte_order_mark_and_any_white_space_are_no_fault() {
    let text = format!("\u{feff}\r\n {} \r\n\t{}", document("{}"), document(r#"{ "name" : "b" }"#));
    let (reading, given) = items(text.as_bytes());
    assert_eq!((reading.messages, reading.spans), (2, 2));
    assert_eq!(reading.warnings[0].kind.name(), "byte_order_mark");
    let Item::Batch(batch) = &given[1] else { panic!("{given:?}") };
    assert_eq!((batch.message, batch.offset), (1, text.rfind("{\"resourceSpans").unwrap() as u64));
    assert_eq!(batch.spans[0].offset, text.rfind("{ \"name").unwrap() as u64);
}
