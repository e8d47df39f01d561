//! The part of deterministic CBOR (RFC 8949 §4.2.1) that entry headers use: unsigned
//! integers, byte strings, text strings, arrays of definite length and null, each in its
//! one shortest form. The decoder refuses every other spelling.

use thiserror::Error;

const UINT: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const NULL: u8 = 0xf6;

/// Why bytes are not the deterministic CBOR that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum CborFault {
    #[error("the item runs past the end of the header")]
    Truncated,
    #[error("an item of another type stands where {0} is expected")]
    WrongType(&'static str),
    #[error("an integer or a length is not in its shortest form")]
    NotShortest,
    #[error("a text string is not UTF-8")]
    NotUtf8,
    #[error("{0} is expected to be {1} bytes long")]
    WrongLength(&'static str, usize),
}

pub(crate) fn put_uint(out: &mut Vec<u8>, value: u64) {
    put_head(out, UINT, value);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_head(out, BYTES, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_head(out, TEXT, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn put_array(out: &mut Vec<u8>, items: u64) {
    put_head(out, ARRAY, items);
}

pub(crate) fn put_null(out: &mut Vec<u8>) {
    out.push(NULL);
}

#[expect(clippy::cast_possible_truncation, reason = "each arm has checked the range it narrows to")]
fn put_head(out: &mut Vec<u8>, major: u8, value: u64) {
    let top = major << 5;
    match value {
        0..24 => out.push(top | value as u8),
        24..0x100 => out.extend_from_slice(&[top | 24, value as u8]),
        0x100..0x1_0000 => {
            out.push(top | 25);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(top | 26);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => {
            out.push(top | 27);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// Reads items one after the other from the front of a header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Decoder { rest: bytes }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], CborFault> {
        let (front, rest) = self.rest.split_at_checked(count).ok_or(CborFault::Truncated)?;
        self.rest = rest;
        Ok(front)
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], CborFault> {
        let (front, rest) = self.rest.split_first_chunk::<N>().ok_or(CborFault::Truncated)?;
        self.rest = rest;
        Ok(*front)
    }

    /// The major type of the next item, or `None` before null.
    fn peek_major(&self) -> Result<Option<u8>, CborFault> {
        match self.rest.first() {
            None => Err(CborFault::Truncated),
            Some(&NULL) => Ok(None),
            Some(first) => Ok(Some(first >> 5)),
        }
    }

    fn head(&mut self, major: u8, what: &'static str) -> Result<u64, CborFault> {
        if self.peek_major()? != Some(major) {
            return Err(CborFault::WrongType(what));
        }
        let [first] = self.take_array::<1>()?;
        let (value, least) = match first & 0x1f {
            small @ 0..24 => (u64::from(small), 0),
            24 => (u64::from(u8::from_be_bytes(self.take_array()?)), 24),
            25 => (u64::from(u16::from_be_bytes(self.take_array()?)), 0x100),
            26 => (u64::from(u32::from_be_bytes(self.take_array()?)), 0x1_0000),
            27 => (u64::from_be_bytes(self.take_array()?), 0x1_0000_0000),
            _ => return Err(CborFault::WrongType(what)),
        };
        if value < least { Err(CborFault::NotShortest) } else { Ok(value) }
    }

    pub(crate) fn uint(&mut self, what: &'static str) -> Result<u64, CborFault> {
        self.head(UINT, what)
    }

    pub(crate) fn array(&mut self, what: &'static str) -> Result<u64, CborFault> {
        self.head(ARRAY, what)
    }

    pub(crate) fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], CborFault> {
        let length = self.head(BYTES, what)?;
        self.take(usize::try_from(length).map_err(|_| CborFault::Truncated)?)
    }

    pub(crate) fn exact_bytes<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], CborFault> {
        <[u8; N]>::try_from(self.bytes(what)?).map_err(|_| CborFault::WrongLength(what, N))
    }

    pub(crate) fn text(&mut self, what: &'static str) -> Result<&'a str, CborFault> {
        let length = self.head(TEXT, what)?;
        let bytes = self.take(usize::try_from(length).map_err(|_| CborFault::Truncated)?)?;
        std::str::from_utf8(bytes).map_err(|_| CborFault::NotUtf8)
    }

    /// Takes a null if one comes next.
    pub(crate) fn null(&mut self) -> Result<bool, CborFault> {
        if self.peek_major()?.is_some() {
            return Ok(false);
        }
        self.take(1)?;
        Ok(true)
    }

    pub(crate) fn next_is_array(&self) -> Result<bool, CborFault> {
        Ok(self.peek_major()? == Some(ARRAY))
    }

    /// `None` for null, else what `read` makes of the next item.
    pub(crate) fn nullable<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, CborFault>,
    ) -> Result<Option<T>, CborFault> {
        if self.null()? { Ok(None) } else { read(self).map(Some) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8949 Appendix A, the unsigned integers.
    const APPENDIX_A: [(u64, &[u8]); 9] = [
        (0, &[0x00]),
        (23, &[0x17]),
        (24, &[0x18, 0x18]),
        (100, &[0x18, 0x64]),
        (1000, &[0x19, 0x03, 0xe8]),
        (1_000_000, &[0x1a, 0x00, 0x0f, 0x42, 0x40]),
        (1_000_000_000_000, &[0x1b, 0x00, 0x00, 0x00, 0xe8, 0xd4, 0xa5, 0x10, 0x00]),
        (u64::MAX, &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        (10, &[0x0a]),
    ];

    #[test]
    fn integers_are_written_and_read_as_in_rfc_8949() {
        for (value, bytes) in APPENDIX_A {
            let mut out = Vec::new();
            put_uint(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(Decoder::new(bytes).uint("n"), Ok(value));
        }
    }

    #[test]
    fn longer_spellings_of_an_integer_are_refused() {
        for bytes in [
            &[0x18, 0x17][..],
            &[0x19, 0x00, 0xff],
            &[0x1a, 0x00, 0x00, 0xff, 0xff],
            &[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(Decoder::new(bytes).uint("n"), Err(CborFault::NotShortest), "{bytes:02x?}");
        }
    }

    #[test]
    fn other_types_and_short_input_are_refused() {
        assert_eq!(Decoder::new(&[0x20]).uint("n"), Err(CborFault::WrongType("n")));
        assert_eq!(Decoder::new(&[0x5f, 0xff]).bytes("b"), Err(CborFault::WrongType("b")));
        assert_eq!(Decoder::new(&[0x42, 0x01]).bytes("b"), Err(CborFault::Truncated));
        assert_eq!(Decoder::new(&[0x61, 0xff]).text("t"), Err(CborFault::NotUtf8));
        assert_eq!(Decoder::new(&[]).uint("n"), Err(CborFault::Truncated));
        assert_eq!(Decoder::new(&[0x41, 0x01]).exact_bytes::<2>("b"), Err(CborFault::WrongLength("b", 2)));
    }
}
