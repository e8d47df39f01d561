//! Steps over JSON that is not wanted, or not yet, however long it is, and judges its grammar on
//! the way. What stands inside of strings is not judged here: a bad escape is the fault of one
//! span, while a bracket too few is the fault of the file.

use std::io::{Read, Seek};

use proofline_canon::plain_len;

use crate::read::error::{Cause, JsonFault, ReadError};
use crate::read::window::Window;

/// Open arrays and objects that are counted; one byte each.
pub(crate) const DEEPEST: usize = 1 << 20;

/// A fault of the text, or of reading it.
#[derive(Debug)]
pub(crate) enum Fault {
    /// What is wrong, and where.
    Text(Cause, u64),
    Read(ReadError),
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl Fault {
    pub(super) fn at(cause: impl Into<Cause>, offset: u64) -> Self {
        Self::Text(cause.into(), offset)
    }
}

type Skipped<T> = Result<T, Fault>;

/// Steps over white space; the byte behind it.
pub(super) fn space<R: Read + Seek>(window: &mut Window<'_, R>) -> Skipped<Option<u8>> {
    loop {
        match window.peek()? {
            Some(b' ' | b'\t' | b'\n' | b'\r') => window.advance(1),
            other => return Ok(other),
        }
    }
}

/// The fault of a byte that cannot stand here, or of the end.
pub(super) fn unexpected<R: Read + Seek>(
    window: &Window<'_, R>,
    found: Option<u8>,
    expected: &'static str,
) -> Fault {
    let fault = match found {
        Some(found) => JsonFault::UnexpectedByte { found, expected },
        None => JsonFault::UnexpectedEnd,
    };
    Fault::at(fault, window.offset())
}

/// Steps over one value, and over the white space in front of it.
pub(crate) fn value<R: Read + Seek>(window: &mut Window<'_, R>) -> Skipped<()> {
    let mut open: Vec<u8> = Vec::new();
    loop {
        if begins(window, &mut open)? {
            continue;
        }
        if !ends(window, &mut open)? {
            return Ok(());
        }
    }
}

/// Steps over a scalar, an empty array or object, or up to the first value of another; true in the
/// last case.
fn begins<R: Read + Seek>(window: &mut Window<'_, R>, open: &mut Vec<u8>) -> Skipped<bool> {
    match space(window)? {
        Some(bracket @ (b'{' | b'[')) => opened(window, open, bracket),
        Some(b'"') => string(window).map(|()| false),
        Some(b'-' | b'0'..=b'9') => number(window).map(|()| false),
        Some(b't') => word(window, b"true").map(|()| false),
        Some(b'f') => word(window, b"false").map(|()| false),
        Some(b'n') => word(window, b"null").map(|()| false),
        found => Err(unexpected(window, found, "a value")),
    }
}

fn opened<R: Read + Seek>(window: &mut Window<'_, R>, open: &mut Vec<u8>, bracket: u8) -> Skipped<bool> {
    if open.len() >= DEEPEST {
        return Err(Fault::at(JsonFault::TooDeep(DEEPEST), window.offset()));
    }
    window.advance(1);
    if space(window)? == Some(closing(bracket)) {
        window.advance(1);
        return Ok(false);
    }
    open.push(bracket);
    if bracket == b'{' {
        name(window)?;
    }
    Ok(true)
}

const fn closing(bracket: u8) -> u8 {
    if bracket == b'{' { b'}' } else { b']' }
}

/// Behind a value: steps over the brackets that close; true if another value follows.
fn ends<R: Read + Seek>(window: &mut Window<'_, R>, open: &mut Vec<u8>) -> Skipped<bool> {
    while let Some(bracket) = open.last().copied() {
        match space(window)? {
            Some(b',') => {
                window.advance(1);
                if bracket == b'{' {
                    name(window)?;
                }
                return Ok(true);
            }
            Some(found) if found == closing(bracket) => {
                window.advance(1);
                open.pop();
            }
            found => return Err(unexpected(window, found, "a comma or the closing bracket")),
        }
    }
    Ok(false)
}

/// Steps over a member name and its colon.
fn name<R: Read + Seek>(window: &mut Window<'_, R>) -> Skipped<()> {
    match space(window)? {
        Some(b'"') => string(window)?,
        found => return Err(unexpected(window, found, "a member name in quotes")),
    }
    colon(window)
}

pub(super) fn colon<R: Read + Seek>(window: &mut Window<'_, R>) -> Skipped<()> {
    match space(window)? {
        Some(b':') => {
            window.advance(1);
            Ok(())
        }
        found => Err(unexpected(window, found, "`:`")),
    }
}

/// Steps over a string, from its opening quote to behind its closing one.
pub(super) fn string<R: Read + Seek>(window: &mut Window<'_, R>) -> Skipped<()> {
    window.advance(1);
    loop {
        let (passed, found) = to_special(window.rest());
        window.advance(passed);
        match found {
            Some(b'"') => {
                window.advance(1);
                return Ok(());
            }
            Some(b'\\') => escape(window)?,
            Some(_) => return Err(Fault::at(JsonFault::ControlCharacter, window.offset())),
            None if window.fill()? => {}
            None => return Err(unexpected(window, None, "")),
        }
    }
}

/// How many bytes stand before the next quote or control character, or before a backslash that is
/// the last byte here, and that byte. Pairs of a backslash and a byte are stepped over.
fn to_special(bytes: &[u8]) -> (usize, Option<u8>) {
    let mut at = 0;
    loop {
        at += plain_len(bytes.get(at..).unwrap_or_default());
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'\\'), Some(0x20..)) => at += 2,
            (found, _) => return (at, found.copied()),
        }
    }
}

/// A backslash and the byte behind it, wherever the memory ends. Which escape it is, is not judged.
fn escape<R: Read + Seek>(window: &mut Window<'_, R>) -> Skipped<()> {
    window.advance(1);
    match window.peek()? {
        Some(0x20..) => {
            window.advance(1);
            Ok(())
        }
        Some(_) => Err(Fault::at(JsonFault::ControlCharacter, window.offset())),
        None => Err(unexpected(window, None, "")),
    }
}

pub(super) fn word<R: Read + Seek>(window: &mut Window<'_, R>, word: &[u8]) -> Skipped<()> {
    let start = window.offset();
    for expected in word {
        match window.peek()? {
            Some(found) if found == *expected => window.advance(1),
            Some(_) => return Err(Fault::at(JsonFault::BadWord, start)),
            None => return Err(unexpected(window, None, "")),
        }
    }
    Ok(())
}

/// RFC 8259 §6, byte by byte.
fn number<R: Read + Seek>(window: &mut Window<'_, R>) -> Skipped<()> {
    if window.peek()? == Some(b'-') {
        window.advance(1);
    }
    match window.peek()? {
        Some(b'0') => window.advance(1),
        _ => digits(window)?,
    }
    if window.peek()? == Some(b'.') {
        window.advance(1);
        digits(window)?;
    }
    if matches!(window.peek()?, Some(b'e' | b'E')) {
        window.advance(1);
        if matches!(window.peek()?, Some(b'+' | b'-')) {
            window.advance(1);
        }
        digits(window)?;
    }
    Ok(())
}

/// At least one digit.
fn digits<R: Read + Seek>(window: &mut Window<'_, R>) -> Skipped<()> {
    match window.peek()? {
        Some(b'0'..=b'9') => {}
        Some(_) => return Err(Fault::at(JsonFault::BadNumber, window.offset())),
        None => return Err(unexpected(window, None, "")),
    }
    while let Some(b'0'..=b'9') = window.peek()? {
        window.advance(1);
    }
    Ok(())
}
