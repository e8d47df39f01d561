//! Protobuf's wire format (encoding guide, "Message Structure"), as far as it takes to tell fields
//! apart: in bytes that are in memory, and at the head of what is not.

use std::io::{Read, Seek};

use super::error::{FrameFault, ReadError};
use super::window::Window;

/// What stands behind a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body<'a> {
    Varint(u64),
    Fixed64,
    Bytes(&'a [u8]),
    Fixed32,
}

/// One field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub(crate) number: u64,
    pub(crate) body: Body<'a>,
    /// Where the tag stands.
    pub(crate) at: usize,
    /// Where the bytes behind the length stand.
    pub(crate) start: usize,
}

/// Where bytes stop being fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BreaksAt(pub(crate) usize);

/// The fields of a message, in their order. Groups, which OTLP has none of, end them.
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    pub(crate) const fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn varint(&mut self) -> Option<u64> {
        let (value, length) = varint(self.bytes.get(self.at..)?)?;
        self.at += length;
        Some(value)
    }

    fn fixed<T>(&mut self, length: usize, body: T) -> Option<T> {
        let behind = self.at.checked_add(length).filter(|behind| *behind <= self.bytes.len())?;
        self.at = behind;
        Some(body)
    }

    fn field(&mut self) -> Option<Field<'a>> {
        let at = self.at;
        let tag = self.varint()?;
        let number = tag >> 3;
        let mut start = self.at;
        let body = match tag & 7 {
            0 => Body::Varint(self.varint()?),
            1 => self.fixed(8, Body::Fixed64)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                start = self.at;
                let bytes = self.bytes.get(start..start.checked_add(length)?)?;
                self.fixed(length, Body::Bytes(bytes))?
            }
            5 => self.fixed(4, Body::Fixed32)?,
            _ => return None,
        };
        (number > 0).then_some(Field { number, body, at, start })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, BreaksAt>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        if at >= self.bytes.len() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.at = self.bytes.len();
        }
        Some(field.ok_or(BreaksAt(at)))
    }
}

/// A varint of at most 64 bits, and how long it is.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        let bits = u64::from(byte & 0x7F);
        if at == 9 && bits > 1 {
            return None;
        }
        value |= bits << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

/// A fault of framing, or of reading.
#[derive(Debug)]
pub(crate) enum Broke {
    At(FrameFault, u64),
    Read(ReadError),
}

impl From<ReadError> for Broke {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// The next byte, which has to be there.
pub(crate) fn byte<R: Read + Seek>(window: &mut Window<'_, R>) -> Result<u8, Broke> {
    match window.peek()? {
        Some(byte) => {
            window.advance(1);
            Ok(byte)
        }
        None => Err(Broke::At(FrameFault::End, window.offset())),
    }
}

/// A length as a varint, that what holds it, up to `end`, has room for.
pub(crate) fn varint_length<R: Read + Seek>(window: &mut Window<'_, R>, end: u64) -> Result<u64, Broke> {
    let start = window.offset();
    let mut bytes = [0; 10];
    for place in &mut bytes {
        if window.offset() >= end {
            return Err(Broke::At(FrameFault::End, start));
        }
        *place = byte(window)?;
        if *place & 0x80 == 0 {
            break;
        }
    }
    let Some((length, _)) = varint(&bytes) else { return Err(Broke::At(FrameFault::Varint, start)) };
    within(window, length, end, start)
}

/// A length in four bytes, most significant first.
pub(crate) fn u32be_length<R: Read + Seek>(window: &mut Window<'_, R>, end: u64) -> Result<u64, Broke> {
    let start = window.offset();
    let mut length = 0;
    for _ in 0..4 {
        if window.offset() >= end {
            return Err(Broke::At(FrameFault::End, start));
        }
        length = length << 8 | u64::from(byte(window)?);
    }
    within(window, length, end, start)
}

fn within<R: Read + Seek>(window: &Window<'_, R>, length: u64, end: u64, start: u64) -> Result<u64, Broke> {
    let left = end.saturating_sub(window.offset());
    if length > left { Err(Broke::At(FrameFault::Length { length, left }, start)) } else { Ok(length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_have_at_most_64_bits() {
        assert_eq!(varint(&[0x96, 0x01]), Some((150, 2)));
        assert_eq!(varint(&[0xff; 9]), None);
        let most = [&[0xff; 9][..], &[0x01]].concat();
        assert_eq!(varint(&most), Some((u64::MAX, 10)));
        let over = [&[0xff; 9][..], &[0x02]].concat();
        assert_eq!(varint(&over), None);
    }

    #[test]
    fn fields_are_told_apart_up_to_where_they_break() {
        let bytes = [0x08, 0x01, 0x12, 0x02, 0xaa, 0xbb, 0x1d, 1, 2, 3, 4, 0x22, 0x05, 0x00];
        let found: Vec<_> = Fields::of(&bytes).collect();
        assert_eq!(
            found,
            [
                Ok(Field { number: 1, body: Body::Varint(1), at: 0, start: 1 }),
                Ok(Field { number: 2, body: Body::Bytes(&[0xaa, 0xbb]), at: 2, start: 4 }),
                Ok(Field { number: 3, body: Body::Fixed32, at: 6, start: 7 }),
                Err(BreaksAt(11)),
            ]
        );
        assert_eq!(Fields::of(&[0x00]).next(), Some(Err(BreaksAt(0))), "field 0");
        assert_eq!(Fields::of(&[0x0b]).next(), Some(Err(BreaksAt(0))), "a group");
        let huge = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Fields::of(&huge).next(), Some(Err(BreaksAt(0))), "a length near the end of 64 bits");
    }
}
