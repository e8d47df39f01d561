//! Targets that read telemetry: OTLP/JSON, OTLP in protobuf, and whatever framing is found.

use std::convert::Infallible;
use std::io::Cursor;

use proofline_otel::read::{Framing, Item, ReadError, ReadOptions, Reading, SpanBatch, Stop, read};
use proofline_otel::write::{json_line, protobuf_frame};

/// Documents of JSON, and nothing else.
pub fn otlp_json(data: &[u8]) {
    accepted(data, Framing::Json);
}

/// Each framing of protobuf.
pub fn otlp_protobuf(data: &[u8]) {
    for framing in [Framing::Single, Framing::Varint, Framing::U32be] {
        accepted(data, framing);
    }
}

/// What is found out is what is read when the framing is named.
pub fn otlp_auto(data: &[u8]) {
    let Some((reading, items)) = accepted(data, Framing::Auto) else { return };
    let framing = match reading.framing.name() {
        "json" => Framing::Json,
        "single" => Framing::Single,
        "varint" => Framing::Varint,
        "u32be" => Framing::U32be,
        _ => return assert!(items.is_empty(), "an empty input has no items"),
    };
    let mut options = options(framing);
    let (again, same) = items_of(data, &options).expect("the framing that was found holds");
    assert_eq!(reading.container, again.container);
    assert_eq!(
        (again.messages, again.spans, again.refused),
        (reading.messages, reading.spans, reading.refused)
    );
    assert_eq!(texts(&same), texts(&items));
    options.batch_spans = 1;
    let (single, _) = items_of(data, &options).expect("batches change nothing");
    assert_eq!((single.spans, single.refused), (reading.spans, reading.refused));
}

fn options(framing: Framing) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.framing = framing;
    (options.message_bytes, options.unpacked_bytes) = (1 << 20, 4 << 20);
    options
}

fn items_of(data: &[u8], options: &ReadOptions) -> Result<(Reading, Vec<Item>), ReadError> {
    let mut items = Vec::new();
    let mut sink = |item| {
        items.push(item);
        Ok::<(), Infallible>(())
    };
    match read(&mut Cursor::new(data), options, &mut sink) {
        Ok(reading) => Ok((reading, items)),
        Err(Stop::Read(error)) => {
            assert!(items.is_empty(), "nothing is given of what is not read");
            assert!(!error.code().is_empty() && !error.to_string().is_empty());
            Err(error)
        }
        Err(Stop::Sink(never)) => match never {},
    }
}

fn batches(items: &[Item]) -> impl Iterator<Item = &SpanBatch> {
    items.iter().filter_map(|item| match item {
        Item::Batch(batch) => Some(batch),
        Item::Refused(_) => None,
    })
}

/// Batches as text, in which a NaN is equal to another.
fn texts(items: &[Item]) -> Vec<String> {
    batches(items).map(|batch| json_line(&batch.into())).collect()
}

/// The counts are right, places lie inside, and what was read is written and read as the same.
fn accepted(data: &[u8], framing: Framing) -> Option<(Reading, Vec<Item>)> {
    let (reading, items) = items_of(data, &options(framing)).ok()?;
    let spans: usize = batches(&items).map(|batch| batch.spans.len()).sum();
    assert_eq!(reading.spans, spans as u64);
    assert_eq!(reading.refused, items.len() as u64 - batches(&items).count() as u64);
    for item in &items {
        if let Item::Refused(refused) = item {
            assert!(refused.place.offset + refused.bytes <= reading.unpacked_bytes);
            assert!(!refused.fault.to_string().is_empty());
        }
    }
    for batch in batches(&items) {
        let line = json_line(&batch.into());
        let (_, again) = items_of(line.as_bytes(), &options(Framing::Json)).expect("a written line is read");
        assert_eq!(texts(&again).concat(), line);
        let frame = protobuf_frame(&batch.into());
        let (_, again) = items_of(&frame, &options(Framing::Varint)).expect("a written frame is read");
        let frames: Vec<u8> = batches(&again).flat_map(|batch| protobuf_frame(&batch.into())).collect();
        assert_eq!(frames, frame);
    }
    Some((reading, items))
}
