//! Which framing an input has: the one that consumes it to its last byte. Nothing is given out
//! before that is known, and nothing is guessed.

use std::io::{Read, Seek};

use super::error::{Broken, Cause, FrameFault, JsonFault, ReadError};
use super::item::Found;
use super::json::{Documents, Fault, Survey};
use super::options::{Framing, ReadOptions};
use super::spool::is_zstd;
use super::window::Window;
use super::wire::{Broke, byte, u32be_length, varint_length};

/// What the first reading found out.
pub(crate) struct Detected {
    pub(crate) framing: Found,
    /// Where the first message begins, behind a byte order mark.
    pub(crate) start: u64,
    /// Whole JSON documents, and the cut one.
    pub(crate) documents: Documents,
    /// What stands behind the spans that need it.
    pub(crate) survey: Survey,
}

const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Finds the framing, or holds the input to the one that is named.
pub(crate) fn detect<R: Read + Seek>(
    window: &mut Window<'_, R>,
    options: &ReadOptions,
) -> Result<Detected, ReadError> {
    match options.framing {
        Framing::Auto => auto(window, options),
        named => match attempt(window, options, named)? {
            Ok(detected) => Ok(detected),
            Err(broken) => Err(ReadError::Framing(broken)),
        },
    }
}

fn auto<R: Read + Seek>(window: &mut Window<'_, R>, options: &ReadOptions) -> Result<Detected, ReadError> {
    let mut readings = Vec::new();
    match attempt(window, options, Framing::Json)? {
        Ok(detected) => return Ok(detected),
        Err(broken) => readings.push(broken),
    }
    let mut held = Vec::new();
    for framing in [Framing::Single, Framing::Varint, Framing::U32be] {
        match attempt(window, options, framing)? {
            Ok(detected) => held.push((framing, detected)),
            Err(broken) => readings.push(broken),
        }
    }
    // With messages below 128 bytes its zeros are empty varint frames: this is asked in any case.
    if is_grpc(window, options)? {
        return Err(ReadError::Grpc);
    }
    if let [(first, _), (second, _), ..] = held.as_slice() {
        return Err(ReadError::Ambiguous(*first, *second));
    }
    match held.pop() {
        Some((_, detected)) => Ok(detected),
        None => Err(none_holds(readings)),
    }
}

fn is_grpc<R: Read + Seek>(window: &mut Window<'_, R>, options: &ReadOptions) -> Result<bool, ReadError> {
    window.go(0);
    match frames(window, options, &mut grpc_length) {
        Ok(_) => Ok(true),
        Err(Fault::Text(..)) => Ok(false),
        Err(Fault::Read(error)) => Err(error),
    }
}

/// The error of an input that is in no framing.
fn none_holds(readings: Vec<Broken>) -> ReadError {
    if readings.iter().any(|broken| broken.cause == Cause::Frame(FrameFault::Zstd)) {
        return ReadError::Zstd;
    }
    let furthest = readings.iter().map(|broken| broken.offset).max();
    let best = readings.iter().copied().find(|broken| Some(broken.offset) == furthest);
    let nothing = Broken { framing: Framing::Auto, offset: 0, cause: Cause::Json(JsonFault::UnexpectedEnd) };
    ReadError::NoFraming { best: best.unwrap_or(nothing), readings }
}

/// Reads the input in one framing.
fn attempt<R: Read + Seek>(
    window: &mut Window<'_, R>,
    options: &ReadOptions,
    framing: Framing,
) -> Result<Result<Detected, Broken>, ReadError> {
    window.go(0);
    let end = window.end();
    let read = match framing {
        Framing::Auto | Framing::Json => json(window, options),
        Framing::Single => single(window, end).map_err(fault).map(|()| nothing(options, Found::Single)),
        Framing::Varint => frames(window, options, &mut varint_length)
            .map(|survey| Detected { survey, ..nothing(options, Found::Varint) }),
        Framing::U32be => frames(window, options, &mut u32be_length)
            .map(|survey| Detected { survey, ..nothing(options, Found::U32be) }),
    };
    window.set_end(end);
    match read {
        Ok(detected) if end == 0 => Ok(Ok(Detected { framing: Found::Empty, ..detected })),
        Ok(detected) => Ok(Ok(detected)),
        Err(Fault::Text(cause, offset)) => Ok(Err(Broken { framing, offset, cause })),
        Err(Fault::Read(error)) => Err(error),
    }
}

fn nothing(options: &ReadOptions, framing: Found) -> Detected {
    let survey = Survey::new(options.temporary.as_deref());
    Detected { framing, start: 0, documents: Documents { count: 0, cut_at: None }, survey }
}

fn fault(broke: Broke) -> Fault {
    match broke {
        Broke::At(fault, offset) => Fault::Text(Cause::Frame(fault), offset),
        Broke::Read(error) => Fault::Read(error),
    }
}

fn json<R: Read + Seek>(window: &mut Window<'_, R>, options: &ReadOptions) -> Result<Detected, Fault> {
    let mut detected = nothing(options, Found::Json);
    window.peek()?;
    if window.rest().starts_with(&BOM) {
        window.advance(BOM.len());
        detected.start = BOM.len() as u64;
    }
    detected.documents = detected.survey.documents(window)?;
    if let Documents { count: 0, cut_at } = detected.documents {
        if cut_at.is_some() {
            return Err(Fault::Text(Cause::Json(JsonFault::UnexpectedEnd), window.end()));
        }
        detected.framing = Found::Empty;
    }
    Ok(detected)
}

/// One message up to `end`: its tags, and those one level down.
fn single<R: Read + Seek>(window: &mut Window<'_, R>, end: u64) -> Result<(), Broke> {
    while window.offset() < end {
        tag(window, &[0x0A], "0x0a")?;
        let length = varint_length(window, end)?;
        let inner_end = window.offset() + length;
        while window.offset() < inner_end {
            tag(window, &[0x0A, 0x12, 0x1A], "0x0a, 0x12 or 0x1a")?;
            let length = varint_length(window, inner_end)?;
            window.go(window.offset() + length);
        }
    }
    Ok(())
}

fn tag<R: Read + Seek>(window: &mut Window<'_, R>, tags: &[u8], expected: &'static str) -> Result<(), Broke> {
    let at = window.offset();
    let found = byte(window)?;
    if tags.contains(&found) { Ok(()) } else { Err(Broke::At(FrameFault::Tag { found, expected }, at)) }
}

type Length<'l, R> = &'l mut dyn FnMut(&mut Window<'_, R>, u64) -> Result<u64, Broke>;

/// Frames up to the end, each behind its length.
fn frames<R: Read + Seek>(
    window: &mut Window<'_, R>,
    options: &ReadOptions,
    length: Length<'_, R>,
) -> Result<Survey, Fault> {
    let mut survey = Survey::new(options.temporary.as_deref());
    let end = window.end();
    while window.offset() < end {
        let length = length(window, end).map_err(fault)?;
        let frame_end = window.offset() + length;
        if length > 0 {
            frame(window, &mut survey, frame_end)?;
        }
    }
    Ok(survey)
}

/// What is in a frame: a protobuf message, or JSON.
fn frame<R: Read + Seek>(
    window: &mut Window<'_, R>,
    survey: &mut Survey,
    frame_end: u64,
) -> Result<(), Fault> {
    let start = window.offset();
    match window.peek()? {
        Some(b'{') => {}
        Some(0x28) if starts_zstd(window)? => return Err(Fault::Text(FrameFault::Zstd.into(), start)),
        _ => return single(window, frame_end).map_err(fault),
    }
    let end = window.set_end(frame_end);
    let read = survey.documents(window);
    window.set_end(end);
    match read? {
        Documents { cut_at: Some(_), .. } => Err(Fault::Text(FrameFault::Json.into(), start)),
        Documents { cut_at: None, .. } => Ok(()),
    }
}

fn starts_zstd<R: Read + Seek>(window: &mut Window<'_, R>) -> Result<bool, ReadError> {
    while window.rest().len() < 4 {
        window.mark();
        let more = window.fill();
        window.marked();
        if !more? {
            return Ok(false);
        }
    }
    Ok(is_zstd(window.rest()))
}

/// gRPC's five bytes: whether the message is compressed, and its length.
fn grpc_length<R: Read + Seek>(window: &mut Window<'_, R>, end: u64) -> Result<u64, Broke> {
    tag(window, &[0, 1], "0x00 or 0x01")?;
    u32be_length(window, end)
}
