//! The recorded runs in every framing. The data stays outside the repository; its folder comes in
//! `PROOFLINE_CORPORA`. Counts are those of its README.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test fails by panicking and skips loudly"
)]

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use proofline_otel::read::{Found, Reading};

mod support;

use support::{delimited, flat, gzip, items, merged};

fn corpus(name: &str) -> Option<Vec<u8>> {
    let Some(corpora) = std::env::var_os("PROOFLINE_CORPORA").map(PathBuf::from) else {
        eprintln!("SKIPPED: set PROOFLINE_CORPORA to the folder of recorded runs to read them");
        return None;
    };
    Some(fs::read(corpora.join("agent-runs").join(name)).unwrap())
}

fn account(reading: &Reading) -> (Found, u64, u64, u64) {
    (reading.framing, reading.messages, reading.spans, reading.refused)
}

#[test]
fn json_and_protobuf_hold_the_same_spans() {
    let (Some(json), Some(pb)) = (corpus("airline.otlp.jsonl"), corpus("airline.otlp.pb")) else { return };
    let (json_reading, from_json) = items(&json);
    let (pb_reading, from_pb) = items(&pb);
    assert_eq!(account(&json_reading), (Found::Json, 150, 150 + 2102 + 1018, 0));
    assert_eq!(account(&pb_reading), (Found::Varint, 150, 150 + 2102 + 1018, 0));
    assert_eq!((json_reading.warnings, pb_reading.warnings), (vec![], vec![]));
    let (from_json, from_pb) = (flat(&from_json), flat(&from_pb));
    assert!(from_json == from_pb, "the same values");
    let of =
        |operation: &str| from_json.iter().filter(|(_, _, span)| span.name.starts_with(operation)).count();
    assert_eq!((of("invoke_agent "), of("chat "), of("execute_tool ")), (150, 2102, 1018));
}

#[test]
fn every_framing_gives_the_same_spans() {
    let Some(pb) = corpus("airline.otlp.pb") else { return };
    let messages = delimited(&pb);
    let (_, expected) = items(&pb);
    let expected = flat(&expected);
    let u32be: Vec<u8> = messages
        .iter()
        .flat_map(|message| [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat())
        .collect();
    let single = messages.concat();
    for (bytes, framing, messages) in [(u32be, Found::U32be, 150), (single, Found::Single, 1)] {
        for bytes in [gzip(&bytes), gzip(&gzip(&bytes)), bytes] {
            let (reading, given) = items(&bytes);
            assert_eq!(account(&reading), (framing, messages, 3270, 0));
            assert!(flat(&given) == expected, "{framing:?}");
        }
    }
}

#[test]
fn one_pretty_document_gives_the_same_spans() {
    let Some(json) = corpus("airline.otlp.jsonl") else { return };
    let (_, expected) = items(&json);
    let mut document = serde_json::json!({ "resourceSpans": [] });
    for line in json.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: serde_json::Value = serde_json::from_slice(line).unwrap();
        let spans = document["resourceSpans"].as_array_mut().unwrap();
        spans.extend(line["resourceSpans"].as_array().unwrap().iter().cloned());
    }
    for text in [serde_json::to_vec(&document).unwrap(), serde_json::to_vec_pretty(&document).unwrap()] {
        let (reading, given) = items(&text);
        assert_eq!(account(&reading), (Found::Json, 1, 3270, 0));
        assert!(flat(&given) == flat(&expected));
    }
}

#[test]
fn the_older_style_is_read() {
    let Some(json) = corpus("airline-older-style.otlp.jsonl") else { return };
    let (reading, given) = items(&json);
    let lines: Vec<serde_json::Value> = Cursor::new(&json)
        .get_ref()
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let spans = lines.iter().flat_map(|line| {
        let groups = line["resourceSpans"].as_array().unwrap().iter();
        groups.flat_map(|group| group["scopeSpans"].as_array().unwrap().iter())
    });
    let counted: usize = spans.map(|scope| scope["spans"].as_array().unwrap().len()).sum();
    assert_eq!(account(&reading), (Found::Json, 20, counted as u64, 0));
    assert!(flat(&given) == flat(&merged(&given)), "batches keep the order");
}
