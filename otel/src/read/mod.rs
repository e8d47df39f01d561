//! OTLP traces read from files: JSON and protobuf in every framing that is met, gzip around them,
//! ten million spans in bounded memory. The framing is known before the first span is given, a span
//! that cannot be read stops no other, and nothing is lost without a word.

mod batch;
mod detect;
mod error;
mod fault;
mod item;
pub(crate) mod json;
mod late;
mod normal;
mod options;
mod protobuf;
mod spool;
mod tally;
mod window;
mod wire;

use std::io::{Read, Seek};

use batch::Batcher;
use detect::{Detected, detect};
use json::Giver;
use protobuf::Protobuf;
use window::Window;

pub use error::{Broken, Cause, FrameFault, JsonFault, ReadError, ShapeFault, Stop};
pub use fault::SpanFault;
pub use item::{
    Container, Found, Item, Part, Place, ReadSpan, Reading, Refused, Signal, SpanBatch, Truncated,
};
pub use options::{Framing, ReadOptions};
pub use spool::Spool;
pub use tally::{SpanWarning, Tally, Warned, WarningKind};

/// Reads every span of an input, from its first byte, and hands them to `sink` in batches and in
/// the order of the input. Gzip is unpacked to a temporary file first.
///
/// The input is read twice: once to find out how its messages are framed, and whether they are to
/// the last byte; only then is anything handed on. What may be read once only goes to a [`Spool`].
///
/// ```
/// use std::io::Cursor;
/// use proofline_otel::read::{Item, ReadOptions, read};
///
/// let line = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"chat","kind":3}]}]}]}"#;
/// let mut names = Vec::new();
/// let reading = read(&mut Cursor::new(line), &ReadOptions::default(), &mut |item| {
///     if let Item::Batch(batch) = item {
///         names.extend(batch.spans.into_iter().map(|read| read.span.name));
///     }
///     Ok::<(), std::convert::Infallible>(())
/// })?;
/// assert_eq!((reading.framing.name(), reading.spans, names), ("json", 1, vec!["chat".to_owned()]));
/// # Ok::<(), proofline_otel::read::Stop<std::convert::Infallible>>(())
/// ```
///
/// # Errors
/// [`Stop::Read`] if the input is in no framing, holds no traces, or cannot be read: nothing was
/// handed on then, unless the input changed or failed in the meantime. [`Stop::Sink`] as soon as
/// the sink says so.
pub fn read<R: Read + Seek, E>(
    input: &mut R,
    options: &ReadOptions,
    sink: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<Reading, Stop<E>> {
    if spool::is_packed(input)? {
        return Spool::new(input, options, &mut |_| {})?.read(options, sink);
    }
    read_unpacked(input, options, sink)
}

fn read_unpacked<R: Read + Seek, E>(
    input: &mut R,
    options: &ReadOptions,
    sink: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<Reading, Stop<E>> {
    let mut window = Window::new(input, options.message_bytes)?;
    let unpacked_bytes = window.end();
    let Detected { framing, start, documents, survey } = detect(&mut window, options)?;
    let mut batcher = Batcher::new(options, sink);
    let mut giver = Giver::new(survey.into_late()?, options);
    if start > 0 {
        batcher.warn(WarningKind::ByteOrderMark, "", 0);
    }
    window.go(start);
    match framing {
        Found::Empty => {}
        Found::Json => giver.documents(&mut window, &mut batcher, Some(documents.count))?,
        Found::Single | Found::Varint | Found::U32be => {
            Protobuf::new(options).messages(&mut window, &mut batcher, &mut giver, framing)?;
        }
    }
    let messages = batcher.messages();
    let cut =
        |offset| Truncated { place: Place { message: messages, offset }, bytes: unpacked_bytes - offset };
    Ok(Reading {
        container: Container { packed_bytes: unpacked_bytes, ..Container::default() },
        framing,
        messages,
        spans: batcher.spans,
        refused: batcher.refused,
        unpacked_bytes,
        truncated: documents.cut_at.map(cut),
        warnings: batcher.tally.into_warned(),
    })
}
