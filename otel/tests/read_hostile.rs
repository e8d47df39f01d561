//! Input that means harm, or is only odd: each has a clear end, and what can be read beside it is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

use std::io::{Cursor, Read};

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData};
use proofline_canon::Sha256Digest;
use proofline_otel::read::{Found, Framing, Item, Part, ReadError, ReadOptions, Spool};
use proofline_otel::write::{json_line, protobuf_frame};
use prost::Message;

mod support;

use support::{code, code_with, gzip, items, items_with, refusals, spans};

/// A document of spans that are given as JSON.
fn document(spans: &[&str]) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(","))
}

fn named(name: &str) -> Span {
    Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: name.to_owned(), ..Span::default() }
}

fn traces(spans: Vec<Span>) -> TracesData {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    TracesData { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }
}

/// A field of wire type 2.
fn field(number: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    prost::encode_length_delimiter(body.len(), &mut bytes).unwrap();
    [bytes, body.to_vec()].concat()
}

/// One message with spans that are given as bytes.
fn message(spans: &[Vec<u8>]) -> Vec<u8> {
    let scope_spans: Vec<u8> = spans.iter().flat_map(|span| field(2, span)).collect();
    field(1, &field(2, &scope_spans))
}

fn options(change: impl FnOnce(&mut ReadOptions)) -> ReadOptions {
    let mut options = ReadOptions::default();
    change(&mut options);
    options
}

fn framing(framing: Framing) -> ReadOptions {
    options(|options| options.framing = framing)
}

#[test]
fn nothing_is_no_message_and_no_error() {
    for (bytes, bytes_left) in [(&b""[..], 0), (b" \n\t\r\n", 5), (b"\xEF\xBB\xBF\n", 4)] {
        let (reading, items) = items(bytes);
        assert_eq!((reading.framing, reading.messages, items.len()), (Found::Empty, 0, 0));
        assert_eq!(reading.unpacked_bytes, bytes_left);
    }
    for named in [Framing::Json, Framing::Single, Framing::Varint, Framing::U32be] {
        assert_eq!(code_with(b"", &framing(named)), "read");
    }
    assert_eq!(items(&gzip(b"")).0.framing, Found::Empty);
}

#[test]
fn other_signals_are_named() {
    assert_eq!(code(br#"{"resourceLogs":[{"scopeLogs":[]}]}"#), "otlp.not_traces");
    assert_eq!(code(br#"{"resourceMetrics":[]}"#), "otlp.not_traces");
    let mixed = format!("{}\n{{\"resourceLogs\":[]}}\n", document(&["{}"]));
    let error = items_with(mixed.as_bytes(), &ReadOptions::default()).unwrap_err();
    assert!(matches!(error, ReadError::NotTraces { place, .. } if place.message == 1), "{error}");
    // A log record begins with its time, a fixed64; a metric is a name and data points.
    let log = [&[0x09_u8, 1, 2, 3, 4, 5, 6, 7, 8][..], &field(2, b"")].concat();
    let metric =
        [field(1, b"requests.total"), field(3, b"1"), field(7, &field(1, &[0x11, 0, 0, 0, 0, 0, 0, 0, 1]))]
            .concat();
    for (body, signal) in [(log, "logs"), (metric, "metrics")] {
        let error = items_with(&message(&[body]), &ReadOptions::default()).unwrap_err();
        assert_eq!(error.code(), "otlp.not_traces");
        assert!(error.to_string().contains(signal), "{error}");
    }
}

#[test]
fn documents_without_spans_are_counted_and_warned_about() {
    let (reading, _) =
        items(b"{}\n{\"partialSuccess\":{}}\n{\"resource_spans\":[]}\n{\"resourceSpans\":null}");
    assert_eq!((reading.messages, reading.spans), (4, 0));
    let warned: Vec<_> = reading
        .warnings
        .iter()
        .map(|warned| (warned.kind.name(), warned.name.as_str(), warned.count))
        .collect();
    assert_eq!(
        warned,
        [("unknown_key", "partialSuccess", 1), ("snake_case_key", "resource_spans", 1), ("no_spans", "", 4)]
    );
}

#[test]
fn files_that_are_no_otlp_are_refused_with_the_place_where_the_best_reading_broke() {
    for bytes in [&b"[]"[..], b"hello", b"{\"resourceSpans\":[}", b"\x1f", b"{]", b"{\"a\":1}{", b"\xff\xff"]
    {
        let code = code(bytes);
        if bytes == b"{\"a\":1}{" {
            assert_eq!(code, "read", "a cut second document");
        } else {
            assert_eq!(code, "otlp.no_framing", "{bytes:?}");
        }
    }
    let text =
        format!("{}\n{}", document(&["{}"]), "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{},x]}]}]}");
    let error = items_with(text.as_bytes(), &ReadOptions::default()).unwrap_err();
    assert_eq!(error.offset(), Some(text.find('x').unwrap() as u64), "{error}");
    for shape in [
        r#"{"resourceSpans":{}}"#,
        r#"{"resourceSpans":[null]}"#,
        r#"{"resourceSpans":[{"scopeSpans":1}]}"#,
        r#"{"resourceSpans":[],"resourceSpans":[]}"#,
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[],"sp\u0061ns":[]}]}]}"#,
    ] {
        assert_eq!(code(shape.as_bytes()), "otlp.no_framing", "{shape}");
        assert_eq!(code_with(shape.as_bytes(), &framing(Framing::Json)), "otlp.framing", "{shape}");
    }
}

#[test]
fn lengths_that_lie_are_refused_before_anything_is_allocated() {
    let huge = [&[0x0a][..], &[0xff; 9], &[0x01]].concat();
    assert_eq!(code(&huge), "otlp.no_framing");
    assert_eq!(code_with(&huge, &framing(Framing::Single)), "otlp.framing");
    let over = [&[0xff; 9][..], &[0x7f]].concat();
    assert_eq!(code_with(&over, &framing(Framing::Varint)), "otlp.framing");
    assert_eq!(code_with(&[0xff, 0xff, 0xff, 0xff, 1], &framing(Framing::U32be)), "otlp.framing");
    assert_eq!(code_with(&[0x00, 0x00], &framing(Framing::U32be)), "otlp.framing");
}

#[test]
fn framings_that_are_not_read_are_named() {
    let bytes = traces(vec![named("a")]).encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    let grpc = [&[0][..], &length, &bytes].concat().repeat(3);
    assert_eq!(code(&grpc), "otlp.grpc_framing");
    let zstd = [0x28, 0xB5, 0x2F, 0xFD, 0, 0, 0, 0];
    assert_eq!(code(&zstd), "otlp.zstd");
    assert_eq!(code(&gzip(&zstd)), "otlp.zstd");
    assert_eq!(code(&[&[0, 0, 0, 8][..], &zstd].concat()), "otlp.zstd");
    assert_eq!(code(&[0, 0, 0, 0]), "otlp.ambiguous_framing");
    assert_eq!(items_with(&[0, 0, 0, 0], &framing(Framing::U32be)).unwrap().0.messages, 1);
    assert_eq!(items_with(&[0, 0, 0, 0], &framing(Framing::Varint)).unwrap().0.messages, 4);
}

#[test]
fn frames_of_json_are_read() {
    let line = json_line(&traces(vec![named("a"), named("b")]));
    let length = u32::try_from(line.len()).unwrap().to_be_bytes();
    let bytes = [&length[..], line.as_bytes()].concat().repeat(2);
    let (reading, given) = items(&bytes);
    assert_eq!((reading.framing, reading.messages, reading.spans), (Found::U32be, 2, 4));
    assert_eq!(spans(&given), [named("a"), named("b"), named("a"), named("b")]);
}

#[test]
fn a_gzip_bomb_ends_early() {
    let mut bomb = Vec::new();
    let zeros = std::io::repeat(b' ').take(1 << 30);
    flate2::read::GzEncoder::new(zeros, flate2::Compression::best()).read_to_end(&mut bomb).unwrap();
    let mut seen = 0;
    let error = Spool::new(&bomb[..], &ReadOptions::default(), &mut |bytes| seen = bytes).unwrap_err();
    assert_eq!(error.code(), "otlp.unpacked_ratio", "{error}");
    assert!(seen <= 65 << 20, "{seen} bytes were unpacked");
    assert_eq!(code(&gzip(&bomb)), "otlp.unpacked_ratio", "in two layers");
    let small = gzip(&[b' '; 5000]);
    assert_eq!(
        code_with(&small, &options(|options| options.unpacked_bytes = 4999)),
        "otlp.unpacked_too_large"
    );
    assert_eq!(code_with(&small, &options(|options| options.unpacked_bytes = 5000)), "read");
    let mut deep = json_line(&traces(vec![named("a")])).into_bytes();
    for layers in 1..6 {
        deep = gzip(&deep);
        assert_eq!(code(&deep), if layers <= 4 { "read" } else { "otlp.layers" });
    }
}

#[test]
fn gzip_members_follow_one_another_and_nothing_else_does() {
    let line = json_line(&traces(vec![named("a")])).into_bytes();
    let (head, tail) = line.split_at(30);
    let members = [gzip(head), gzip(b""), gzip(tail), gzip(&line)].concat();
    let (reading, given) = items(&members);
    assert_eq!(spans(&given), [named("a"), named("a")]);
    assert_eq!((reading.container.gzip_layers, reading.container.gzip_members), (1, 4));
    assert_eq!(reading.container.packed_bytes, members.len() as u64);
    assert_eq!(items(&[&members[..], &[0; 512]].concat()).0.spans, 2, "padding of zeros");
    assert_eq!(code(&[&members[..], b"junk"].concat()), "otlp.gzip");
    let mut damaged = members.clone();
    let last = damaged.len() - 6;
    damaged[last] ^= 1;
    assert_eq!(code(&damaged), "otlp.gzip", "a checksum that is wrong");
}

#[test]
fn a_million_attributes_are_a_million_attributes() {
    let attributes = (0..1_000_000).map(|at| KeyValue { key: format!("k{at}"), ..KeyValue::default() });
    let span = Span { attributes: attributes.collect(), ..named("wide") };
    let made = traces(vec![span.clone(), named("after")]);
    for bytes in [json_line(&made).into_bytes(), protobuf_frame(&made)] {
        let (_, given) = items(&bytes);
        assert!(spans(&given) == [span.clone(), named("after")]);
        let narrow = options(|options| options.message_bytes = 1 << 20);
        let (_, given) = items_with(&bytes, &narrow).unwrap();
        let refused = refusals(&given);
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].code(), "otlp.span_too_large");
        let start = usize::try_from(refused[0].place.offset).unwrap();
        let part = &bytes[start..start + usize::try_from(refused[0].bytes).unwrap()];
        assert_eq!(refused[0].sha256, Sha256Digest::of(part));
        let expected = if refused[0].part == Part::Span { vec![named("after")] } else { vec![] };
        assert_eq!(spans(&given), expected, "what is not too large is read");
    }
}

#[test]
fn depth_is_the_fault_of_one_span() {
    let deep = |levels: usize| format!(r#"{{"name":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    let text = document(&[r#"{"name":"a"}"#, &deep(200), &deep(100_000), r#"{"name":"b"}"#]);
    let (_, given) = items(text.as_bytes());
    let names: Vec<String> = spans(&given).into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["a", "b"]);
    let faults: Vec<String> = refusals(&given).iter().map(|refused| refused.fault.to_string()).collect();
    assert!(faults.iter().all(|fault| fault.contains("128 levels")) && faults.len() == 2, "{faults:?}");
    assert_eq!(code(document(&[&deep(2 << 20)]).as_bytes()), "otlp.no_framing");

    let mut value = AnyValue { value: Some(Any::BoolValue(true)) };
    for _ in 0..200 {
        let pair = KeyValue { key: "k".to_owned(), value: Some(value), ..KeyValue::default() };
        value = AnyValue { value: Some(Any::KvlistValue(KeyValueList { values: vec![pair] })) };
    }
    let pair = KeyValue { key: "deep".to_owned(), value: Some(value), ..KeyValue::default() };
    let span = Span { attributes: vec![pair], ..named("deep") };
    let (_, given) = items(&protobuf_frame(&traces(vec![named("a"), span, named("b")])));
    assert_eq!(spans(&given), [named("a"), named("b")]);
    assert_eq!(refusals(&given)[0].code(), "otlp.span_protobuf");
    assert_eq!(refusals(&given)[0].trace_id, Some([1; 16]));
}

#[test]
fn protobuf_that_cannot_be_decoded_stops_nothing() {
    let ids = [field(1, &[7; 16]), field(2, &[8; 8])].concat();
    let text_that_is_none = [ids.clone(), field(5, b"\xff\xfe")].concat();
    let wrong_wire = [ids.clone(), vec![5 << 3, 1]].concat();
    let too_long = [ids, vec![9 << 3 | 2, 200]].concat();
    let bad = [text_that_is_none, wrong_wire, too_long];
    let good = named("good").encode_to_vec();
    let bytes = message(&[good.clone(), bad[0].clone(), good.clone(), bad[1].clone(), bad[2].clone(), good]);
    let (reading, given) = items(&bytes);
    assert_eq!((reading.framing, reading.spans, reading.refused), (Found::Single, 3, 3));
    for (refused, bad) in refusals(&given).into_iter().zip(&bad) {
        assert_eq!((refused.code(), refused.part), ("otlp.span_protobuf", Part::Span));
        assert_eq!((refused.bytes, refused.sha256), (bad.len() as u64, Sha256Digest::of(bad)));
        assert_eq!((refused.trace_id, refused.span_id), (Some([7; 16]), Some([8; 8])));
        let start = usize::try_from(refused.place.offset).unwrap();
        assert_eq!(&bytes[start..start + bad.len()], &bad[..]);
    }
    let order: Vec<bool> = given.iter().map(|item| matches!(item, Item::Batch(_))).collect();
    assert_eq!(order, [true, false, true, false, false, true], "in the order of the input");

    // A ScopeSpans that breaks after a good span is refused as one: nothing of it is half read.
    let broken = [field(2, &named("lost").encode_to_vec()), vec![0x13]].concat();
    let bytes = field(1, &[field(2, &broken), field(2, &field(2, &named("kept").encode_to_vec()))].concat());
    let (_, given) = items(&bytes);
    assert_eq!(spans(&given), [named("kept")]);
    assert_eq!((refusals(&given)[0].code(), refusals(&given)[0].part), ("otlp.span_wire", Part::ScopeSpans));
}

#[test]
fn protobuf_in_pieces_is_one_and_unknown_fields_are_warned_about() {
    let attribute = |key: &[u8]| field(1, &field(1, key));
    let resource = [field(1, &attribute(b"a")), field(1, &attribute(b"b"))].concat();
    let span = [named("a").encode_to_vec(), field(15, &field(2, b"m")), vec![0xa0, 0x06, 1]].concat();
    let bytes = field(1, &[field(2, &field(2, &span)), resource].concat());
    let (reading, given) = items(&bytes);
    let Item::Batch(batch) = &given[0] else { panic!("{given:?}") };
    let keys: Vec<&str> = batch.resource.attributes.iter().map(|pair| pair.key.as_str()).collect();
    assert_eq!(keys, ["a", "b"], "the resource stands behind the spans, in two pieces");
    let warned: Vec<_> =
        reading.warnings.iter().map(|warned| (warned.kind.name(), warned.name.as_str())).collect();
    assert_eq!(warned, [("unknown_field", "100")]);
    assert_eq!(batch.spans[0].warnings.len(), 1);
}

#[test]
fn spans_of_an_unreadable_resource_are_refused_one_by_one() {
    let text = r#"{"resourceSpans":[
        {"scopeSpans":[{"spans":[{"spanId":"0101010101010101"},{"name":1}]}],"resource":{"attributes":7}},
        {"scopeSpans":[{"spans":[{"name":"good"}]}]}]}"#;
    let (reading, given) = items(text.as_bytes());
    let refused = refusals(&given);
    assert_eq!((refused[0].code(), refused[0].span_id), ("otlp.span_context", Some([1; 8])));
    assert_eq!(refused[1].code(), "otlp.span_type", "its own fault is nearer");
    assert_eq!((reading.spans, reading.refused), (1, 2));
    assert_eq!(reading.warnings[0].kind.name(), "unreadable_context");
    let resource = field(1, &field(1, b"\xff"));
    let bytes = field(1, &[field(1, &resource), field(2, &field(2, &named("a").encode_to_vec()))].concat());
    let (_, given) = items(&bytes);
    assert_eq!(refusals(&given)[0].code(), "otlp.span_context");
    assert_eq!(refusals(&given)[0].trace_id, Some([1; 16]));
}

#[test]
fn what_is_asked_twice_is_answered_twice_the_same() {
    let bytes = gzip(json_line(&traces(vec![named("a")])).repeat(3).as_bytes());
    let mut spool = Spool::new(Cursor::new(&bytes), &ReadOptions::default(), &mut |_| {}).unwrap();
    let mut read = || {
        let mut given = Vec::new();
        let reading = spool.read(&ReadOptions::default(), &mut |item| {
            given.push(item);
            Ok::<(), std::convert::Infallible>(())
        });
        (reading.unwrap(), given)
    };
    assert_eq!(read(), read());
    assert_eq!(read(), items(&bytes), "as without a spool");
}
