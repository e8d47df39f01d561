//! What is written is read: any traces, in every framing, as the same values. What is cut is refused
//! or reported, at every byte, and never read as something else.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{Span, TracesData};
use proofline_otel::read::{Found, Framing, Item, ReadOptions, Reading};
use proofline_otel::write::{json_line, protobuf_frame};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use prost::Message;

#[path = "support/generate.rs"]
mod generate;
mod support;

use support::{gzip, items, items_with, merged, spans};

type Row = (Resource, String, String, String, Span);

/// Each span with what it belongs to, as it was made.
fn made(messages: &[TracesData]) -> Vec<Row> {
    let mut rows = Vec::new();
    for group in messages.iter().flat_map(|message| &message.resource_spans) {
        let resource = group.resource.clone().unwrap_or_default();
        for scoped in &group.scope_spans {
            let scope = format!("{:?}", scoped.scope.clone().unwrap_or_default());
            let urls = (group.schema_url.clone(), scoped.schema_url.clone());
            let row =
                |span: &Span| (resource.clone(), scope.clone(), urls.0.clone(), urls.1.clone(), span.clone());
            rows.extend(scoped.spans.iter().map(row));
        }
    }
    rows
}

fn rows(items: &[Item]) -> Vec<Row> {
    let each = |item: &Item| match item {
        Item::Refused(refused) => panic!("{refused:?}"),
        Item::Batch(batch) => {
            let row = |span: &Span| {
                (
                    Resource::clone(&batch.resource),
                    format!("{:?}", *batch.scope),
                    batch.resource_schema_url.to_string(),
                    batch.scope_schema_url.to_string(),
                    span.clone(),
                )
            };
            batch.spans.iter().map(|read| row(&read.span)).collect::<Vec<_>>()
        }
    };
    items.iter().flat_map(each).collect()
}

/// The messages in a framing.
fn framed(messages: &[TracesData], framing: Found) -> Vec<u8> {
    let each = |message: &TracesData| match framing {
        Found::Json | Found::Empty => json_line(message).into_bytes(),
        Found::Single => message.encode_to_vec(),
        Found::Varint => protobuf_frame(message),
        Found::U32be => {
            let bytes = message.encode_to_vec();
            [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), &bytes[..]].concat()
        }
    };
    messages.iter().flat_map(each).collect()
}

const fn named(framing: Found) -> Framing {
    match framing {
        Found::Json | Found::Empty => Framing::Json,
        Found::Single => Framing::Single,
        Found::Varint => Framing::Varint,
        Found::U32be => Framing::U32be,
    }
}

/// Reads as the framing is found out, which it is unless every message has less than 128 bytes: the
/// zeros in front of each are then empty messages behind varints as well.
fn read_framed(bytes: &[u8], messages: &[TracesData], framing: Found) -> (Reading, Vec<Item>) {
    match items_with(bytes, &ReadOptions::default()) {
        Ok(read) => read,
        Err(error) => {
            let tiny = messages.iter().all(|message| message.encoded_len() < 128);
            assert!(tiny && framing == Found::U32be, "{error}");
            assert_eq!(error.code(), "otlp.ambiguous_framing");
            let mut options = ReadOptions::default();
            options.framing = Framing::U32be;
            items_with(bytes, &options).unwrap()
        }
    }
}

const FRAMINGS: [Found; 4] = [Found::Json, Found::Single, Found::Varint, Found::U32be];

proptest! {
    #![proptest_config(Config { cases: 64, ..Config::default() })]

    #[test]
    fn what_is_written_is_read(messages in proptest::collection::vec(generate::traces(), 1..4)) {
        for framing in FRAMINGS {
            let bytes = framed(&messages, framing);
            for bytes in [gzip(&bytes), bytes] {
                let (reading, given) = read_framed(&bytes, &messages, framing);
                prop_assert_eq!(reading.framing, framing);
                let expected = if framing == Found::Single { 1 } else { messages.len() as u64 };
                prop_assert_eq!(reading.messages, expected);
                prop_assert_eq!(reading.truncated, None);
                prop_assert_eq!(rows(&given), made(&messages));
            }
        }
    }

    /// Whatever the limits of batches are, the same spans come in the same order, and a batch keeps to them.
    #[test]
    fn batches_keep_to_their_limits(
        messages in proptest::collection::vec(generate::traces(), 1..4),
        batch_spans in 1_usize..5,
        batch_bytes in 0_usize..2000,
    ) {
        let mut options = ReadOptions::default();
        (options.batch_spans, options.batch_bytes) = (batch_spans, batch_bytes);
        for framing in FRAMINGS {
            let bytes = framed(&messages, framing);
            let (_, whole) = read_framed(&bytes, &messages, framing);
            options.framing = named(framing);
            let (_, given) = items_with(&bytes, &options).unwrap();
            prop_assert_eq!(merged(&given), merged(&whole));
            for item in &given {
                let Item::Batch(batch) = item else { continue };
                let held: u64 = batch.spans.iter().map(|span| span.bytes).sum();
                prop_assert!(batch.spans.len() <= batch_spans);
                prop_assert!(held <= batch_bytes as u64 || batch.spans.len() == 1);
            }
        }
    }

    /// A member that stands behind the spans is known in time.
    #[test]
    fn the_order_of_members_means_nothing(messages in proptest::collection::vec(generate::traces(), 1..3)) {
        let turned: String = messages.iter().map(|message| turned(&json_line(message)) + "\n").collect();
        let (_, given) = items(turned.as_bytes());
        prop_assert_eq!(rows(&given), made(&messages));
    }
}

/// The same JSON with the members of every object the other way round.
fn turned(text: &str) -> String {
    fn write(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Object(members) => {
                let member = |(name, value)| format!("{}:{}", serde_json::Value::from(name), write(value));
                let members: Vec<String> = members
                    .iter()
                    .rev()
                    .map(|(name, value): (&String, _)| member((name.as_str(), value)))
                    .collect();
                format!("{{{}}}", members.join(" , "))
            }
            serde_json::Value::Array(items) => {
                format!("[{}]", items.iter().map(write).collect::<Vec<_>>().join(","))
            }
            scalar => scalar.to_string(),
        }
    }
    write(&serde_json::from_str(text).unwrap())
}

/// Three messages, always the same.
fn small() -> Vec<TracesData> {
    let mut runner = TestRunner::deterministic();
    let strategy = proptest::collection::vec(generate::traces(), 3..4);
    let drawn = (0..50).map(|_| strategy.new_tree(&mut runner).unwrap().current());
    drawn.min_by_key(|messages: &Vec<TracesData>| framed(messages, Found::Json).len()).unwrap()
}

#[test]
fn what_is_cut_is_refused_or_reported_and_never_read_as_something_else() {
    let messages = small();
    let all: Vec<Span> = made(&messages).into_iter().map(|row| row.4).collect();
    for framing in FRAMINGS {
        let whole = framed(&messages, framing);
        // Where a message, or a group of a single one, ends: what stands before is whole.
        let mut ends = vec![0];
        for message in &messages {
            let mut bytes = *ends.last().unwrap();
            if framing == Found::Single {
                for group in &message.resource_spans {
                    bytes += TracesData { resource_spans: vec![group.clone()] }.encoded_len();
                    ends.push(bytes);
                }
            } else {
                ends.push(bytes + framed(std::slice::from_ref(message), framing).len());
            }
        }
        assert_eq!(*ends.last().unwrap(), whole.len());
        for cut in 0..whole.len() {
            let Ok((reading, given)) = items_with(&whole[..cut], &ReadOptions::default()) else {
                assert!(!ends.contains(&cut), "{framing:?} is whole up to {cut}");
                continue;
            };
            let given = spans(&given);
            if reading.framing == Found::Empty {
                assert!(whole[..cut].trim_ascii().is_empty(), "{framing:?} cut at {cut}");
                continue; // 0x0a is a tag, and a newline
            }
            // A line without its newline is whole.
            let only_newline = framing == Found::Json && cut + 1 == whole.len();
            assert!(all.starts_with(&given), "{framing:?} cut at {cut}");
            assert_eq!(given.len() == all.len(), only_newline, "{framing:?} cut at {cut}");
            if framing == Found::Json {
                let whole_lines = ends.iter().filter(|end| **end > 0 && **end <= cut + 1).count();
                assert_eq!(reading.messages, whole_lines as u64, "cut at {cut}");
                let on_edge = ends.iter().any(|end| *end == cut || *end == cut + 1);
                assert_eq!(reading.truncated.is_none(), on_edge, "cut at {cut}");
            } else {
                // Zeros of a length that was cut are empty messages behind varints.
                let zeros = given.is_empty() && whole[..cut].iter().all(|byte| *byte == 0);
                assert!(zeros || ends.contains(&cut), "{framing:?} cut at {cut} is not whole");
            }
        }
        let packed = gzip(&whole);
        for cut in 1..packed.len() {
            let error = items_with(&packed[..cut], &ReadOptions::default()).unwrap_err();
            let expected = if cut == 1 { "otlp.no_framing" } else { "otlp.gzip" };
            assert_eq!(error.code(), expected, "{framing:?} cut at {cut}");
        }
    }
}
