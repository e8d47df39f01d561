//! Readings of bytes in memory, flattened so that they can be compared, and framings made by hand.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "each test program uses a part of it; tests fail by panicking"
)]

use std::convert::Infallible;
use std::io::{Cursor, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use proofline_otel::read::{Item, ReadError, ReadOptions, Reading, Refused, Stop, read};

/// Reads bytes that can be read.
pub fn items(bytes: &[u8]) -> (Reading, Vec<Item>) {
    items_with(bytes, &ReadOptions::default()).unwrap()
}

pub fn items_with(bytes: &[u8], options: &ReadOptions) -> Result<(Reading, Vec<Item>), ReadError> {
    let mut items = Vec::new();
    let read = read(&mut Cursor::new(bytes), options, &mut |item| {
        items.push(item);
        Ok::<(), Infallible>(())
    });
    match read {
        Ok(reading) => {
            let given = flat(&items).len() as u64;
            let refused = refusals(&items).len() as u64;
            assert_eq!(
                (reading.spans, reading.refused),
                (given, refused),
                "the account counts what was given"
            );
            Ok((reading, items))
        }
        Err(Stop::Read(error)) => {
            assert!(items.is_empty(), "nothing is given of what is not read: {error}");
            Err(error)
        }
        Err(Stop::Sink(never)) => match never {},
    }
}

/// The code of bytes that cannot be read.
pub fn code(bytes: &[u8]) -> &'static str {
    code_with(bytes, &ReadOptions::default())
}

pub fn code_with(bytes: &[u8], options: &ReadOptions) -> &'static str {
    items_with(bytes, options).err().map_or("read", |error| error.code())
}

/// What the spans belong to, and the spans, whatever batches they came in.
pub fn flat(items: &[Item]) -> Vec<(Arc<Resource>, Arc<InstrumentationScope>, Span)> {
    let each = |item: &Item| match item {
        Item::Batch(batch) => {
            assert!(!batch.spans.is_empty(), "no batch is empty");
            let owned = |span: &Span| (Arc::clone(&batch.resource), Arc::clone(&batch.scope), span.clone());
            batch.spans.iter().map(|read| owned(&read.span)).collect()
        }
        Item::Refused(_) => Vec::new(),
    };
    items.iter().flat_map(each).collect()
}

/// The spans alone.
pub fn spans(items: &[Item]) -> Vec<Span> {
    flat(items).into_iter().map(|(_, _, span)| span).collect()
}

pub fn refusals(items: &[Item]) -> Vec<&Refused> {
    fn refused(item: &Item) -> Option<&Refused> {
        match item {
            Item::Refused(refused) => Some(refused),
            Item::Batch(_) => None,
        }
    }
    items.iter().filter_map(refused).collect()
}

/// One batch a span.
pub fn merged(items: &[Item]) -> Vec<Item> {
    let mut all = Vec::new();
    for item in items {
        match item {
            Item::Batch(batch) => all.extend(batch.spans.iter().map(|span| {
                let mut one = batch.clone();
                one.spans = vec![span.clone()];
                Item::Batch(one)
            })),
            Item::Refused(refused) => all.push(Item::Refused(refused.clone())),
        }
    }
    all
}

/// The messages of a varint-framed file, by prost's own reader.
pub fn delimited(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let length = prost::decode_length_delimiter(bytes).unwrap();
        let head = prost::length_delimiter_len(length);
        messages.push(bytes[head..head + length].to_vec());
        bytes = &bytes[head + length..];
    }
    messages
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
