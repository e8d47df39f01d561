//! The part of deterministic CBOR (RFC 8949 §4.2.1) that the house uses: integers, byte strings,
//! text strings, arrays and maps of definite length, tags and null, each in its one shortest
//! form. The decoder refuses every other spelling.
//!
//! ```
//! use proofline_canon::cbor::{self, Decoder};
//!
//! let mut bytes = Vec::new();
//! cbor::put_array(&mut bytes, 2);
//! cbor::put_uint(&mut bytes, 1000);
//! cbor::put_null(&mut bytes);
//! assert_eq!(bytes, [0x82, 0x19, 0x03, 0xe8, 0xf6]);
//!
//! let mut decoder = Decoder::new(&bytes);
//! assert_eq!(decoder.array("a pair")?, 2);
//! assert_eq!(decoder.uint("a number")?, 1000);
//! assert!(decoder.null()? && decoder.is_at_end());
//! # Ok::<(), cbor::CborFault>(())
//! ```

use thiserror::Error;

const UINT: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const NULL: u8 = 0xf6;

/// How deep a value that is only stepped over may be nested.
const MAX_SKIPPED_DEPTH: u32 = 16;

/// Why bytes are not the deterministic CBOR that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CborFault {
    /// An item is longer than what is left.
    #[error("an item runs past the end")]
    Truncated,
    /// Another major type, or another value, than the named one.
    #[error("an item of another type stands where {0} is expected")]
    WrongType(&'static str),
    /// A longer spelling than the shortest, or an indefinite length.
    #[error("an integer or a length is not in its shortest form")]
    NotShortest,
    /// A text string whose bytes are not UTF-8.
    #[error("a text string is not UTF-8")]
    NotUtf8,
    /// A byte string of another length than the named thing has.
    #[error("{0} is expected to be {1} bytes long")]
    WrongLength(&'static str, usize),
    /// Nested deeper than anything that is stepped over.
    #[error("a value is nested deeper than 16 levels")]
    TooDeep,
}

/// Writes an unsigned integer.
pub fn put_uint(out: &mut Vec<u8>, value: u64) {
    put_head(out, UINT, value);
}

/// Writes an integer of either sign.
pub fn put_int(out: &mut Vec<u8>, value: i64) {
    let major = if value < 0 { NEGATIVE } else { UINT };
    // RFC 8949 §3.1: a negative integer n is written as -1 - n, whose magnitude is !n.
    put_head(out, major, (if value < 0 { !value } else { value }).unsigned_abs());
}

/// Writes a byte string.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_head(out, BYTES, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes a text string.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_head(out, TEXT, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Begins an array of so many items.
pub fn put_array(out: &mut Vec<u8>, items: u64) {
    put_head(out, ARRAY, items);
}

/// Begins a map of so many pairs; the caller writes the keys in the order of their encodings.
pub fn put_map(out: &mut Vec<u8>, pairs: u64) {
    put_head(out, MAP, pairs);
}

/// Writes a tag; its value follows.
pub fn put_tag(out: &mut Vec<u8>, tag: u64) {
    put_head(out, TAG, tag);
}

/// Writes null.
pub fn put_null(out: &mut Vec<u8>) {
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

/// Reads items one after the other from the front of some bytes. `what` names, for the fault,
/// what is expected.
///
/// Each reading function fails with a [`CborFault`] when something else comes next.
#[derive(Clone, Copy, Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// A decoder at the front of these bytes.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Decoder { rest: bytes }
    }

    /// True when nothing is left.
    #[must_use]
    pub const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
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
        self.argument(what)
    }

    /// The argument of the next item, whatever its major type.
    fn argument(&mut self, what: &'static str) -> Result<u64, CborFault> {
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

    /// An unsigned integer.
    ///
    /// # Errors
    /// [`CborFault`].
    pub fn uint(&mut self, what: &'static str) -> Result<u64, CborFault> {
        self.head(UINT, what)
    }

    /// The head of an array: how many items follow.
    ///
    /// # Errors
    /// [`CborFault`].
    pub fn array(&mut self, what: &'static str) -> Result<u64, CborFault> {
        self.head(ARRAY, what)
    }

    /// A byte string.
    ///
    /// # Errors
    /// [`CborFault`].
    pub fn bytes(&mut self, what: &'static str) -> Result<&'a [u8], CborFault> {
        let length = self.head(BYTES, what)?;
        self.take(usize::try_from(length).map_err(|_| CborFault::Truncated)?)
    }

    /// A byte string of `N` bytes.
    ///
    /// # Errors
    /// [`CborFault`].
    pub fn exact_bytes<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], CborFault> {
        <[u8; N]>::try_from(self.bytes(what)?).map_err(|_| CborFault::WrongLength(what, N))
    }

    /// A text string.
    ///
    /// # Errors
    /// [`CborFault`].
    pub fn text(&mut self, what: &'static str) -> Result<&'a str, CborFault> {
        let length = self.head(TEXT, what)?;
        let bytes = self.take(usize::try_from(length).map_err(|_| CborFault::Truncated)?)?;
        std::str::from_utf8(bytes).map_err(|_| CborFault::NotUtf8)
    }

    /// An integer of either sign.
    ///
    /// # Errors
    /// [`CborFault`]; one beyond the range of `i64` is a fault of type.
    pub fn int(&mut self, what: &'static str) -> Result<i64, CborFault> {
        let is_negative = self.peek_major()? == Some(NEGATIVE);
        let magnitude = self.head(if is_negative { NEGATIVE } else { UINT }, what)?;
        let value = i64::try_from(magnitude).map_err(|_| CborFault::WrongType(what))?;
        Ok(if is_negative { !value } else { value })
    }

    /// The head of a map: how many pairs follow.
    ///
    /// # Errors
    /// [`CborFault`].
    pub fn map(&mut self, what: &'static str) -> Result<u64, CborFault> {
        self.head(MAP, what)
    }

    /// A tag; its value follows.
    ///
    /// # Errors
    /// [`CborFault`].
    pub fn tag(&mut self, what: &'static str) -> Result<u64, CborFault> {
        self.head(TAG, what)
    }

    /// Steps over one value, whatever it is, and returns its bytes.
    ///
    /// # Errors
    /// [`CborFault`], also for floats and for simple values but null, false and true.
    pub fn skip(&mut self, what: &'static str) -> Result<&'a [u8], CborFault> {
        let before = self.rest;
        self.skip_within(what, MAX_SKIPPED_DEPTH)?;
        Ok(before.get(..before.len() - self.rest.len()).unwrap_or_default())
    }

    fn skip_within(&mut self, what: &'static str, depth: u32) -> Result<(), CborFault> {
        const FALSE: u8 = 0xf4;
        const TRUE: u8 = 0xf5;
        let Some(depth) = depth.checked_sub(1) else { return Err(CborFault::TooDeep) };
        let major = match self.rest.first() {
            None => return Err(CborFault::Truncated),
            Some(&(FALSE | TRUE | NULL)) => return self.take(1).map(|_| ()),
            Some(first) => first >> 5,
        };
        let argument = self.argument(what)?;
        let items = match major {
            UINT | NEGATIVE => 0,
            BYTES | TEXT => {
                let bytes = self.take(usize::try_from(argument).map_err(|_| CborFault::Truncated)?)?;
                return match major {
                    TEXT if std::str::from_utf8(bytes).is_err() => Err(CborFault::NotUtf8),
                    _ => Ok(()),
                };
            }
            ARRAY => argument,
            MAP => argument.saturating_mul(2),
            TAG => 1,
            _ => return Err(CborFault::WrongType(what)),
        };
        // Each item takes a byte at least: a count beyond that ends in a fault, not in a long loop.
        (0..items).try_for_each(|_| self.skip_within(what, depth))
    }

    /// Takes a null if one comes next.
    ///
    /// # Errors
    /// [`CborFault::Truncated`] at the end.
    pub fn null(&mut self) -> Result<bool, CborFault> {
        if self.peek_major()?.is_some() {
            return Ok(false);
        }
        self.take(1)?;
        Ok(true)
    }

    /// True when an array comes next.
    ///
    /// # Errors
    /// [`CborFault::Truncated`] at the end.
    pub fn next_is_array(&self) -> Result<bool, CborFault> {
        Ok(self.peek_major()? == Some(ARRAY))
    }

    /// True when a text string comes next.
    ///
    /// # Errors
    /// [`CborFault::Truncated`] at the end.
    pub fn next_is_text(&self) -> Result<bool, CborFault> {
        Ok(self.peek_major()? == Some(TEXT))
    }

    /// `None` for null, else what `read` makes of the next item.
    ///
    /// # Errors
    /// Those of `read`, and [`CborFault::Truncated`] at the end.
    pub fn nullable<T>(
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

    /// RFC 8949 Appendix A, negative integers.
    const APPENDIX_A_NEGATIVE: [(i64, &[u8]); 5] = [
        (-1, &[0x20]),
        (-10, &[0x29]),
        (-100, &[0x38, 0x63]),
        (-1000, &[0x39, 0x03, 0xe7]),
        (i64::MIN, &[0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ];

    #[test]
    fn negative_integers_are_written_and_read_as_in_rfc_8949() {
        for (value, bytes) in APPENDIX_A_NEGATIVE {
            let mut out = Vec::new();
            put_int(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(Decoder::new(bytes).int("n"), Ok(value));
        }
        assert_eq!(Decoder::new(&[0x18, 0x64]).int("n"), Ok(100));
        let beyond = [0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Decoder::new(&beyond).int("n"), Err(CborFault::WrongType("n")));
    }

    #[test]
    fn maps_and_tags_are_written_and_read() {
        let mut out = Vec::new();
        put_tag(&mut out, 18);
        put_map(&mut out, 1);
        put_int(&mut out, 395);
        put_int(&mut out, 1);
        assert_eq!(out, [0xd2, 0xa1, 0x19, 0x01, 0x8b, 0x01]);
        let mut decoder = Decoder::new(&out);
        assert_eq!((decoder.tag("t"), decoder.map("m")), (Ok(18), Ok(1)));
        assert_eq!((decoder.int("k"), decoder.int("v")), (Ok(395), Ok(1)));
        assert!(decoder.is_at_end());
    }

    #[test]
    fn any_value_of_the_profile_is_stepped_over_and_no_other() {
        // {1: [h'00', "a", null, true], -2: 18(0)}, then one more byte.
        let bytes = [0xa2, 0x01, 0x84, 0x41, 0x00, 0x61, b'a', 0xf6, 0xf5, 0x21, 0xd2, 0x00, 0x07];
        let mut decoder = Decoder::new(&bytes);
        assert_eq!(decoder.skip("v"), Ok(&bytes[..12]));
        assert_eq!(decoder.rest(), [0x07]);
        assert_eq!(Decoder::new(&[0x81]).skip("v"), Err(CborFault::Truncated));
        assert_eq!(Decoder::new(&[0x9f, 0xff]).skip("v"), Err(CborFault::WrongType("v")));
        assert_eq!(Decoder::new(&[0xf9, 0x3c, 0x00]).skip("v"), Err(CborFault::WrongType("v")));
        assert_eq!(Decoder::new(&[0x81; 64]).skip("v"), Err(CborFault::TooDeep));
        assert_eq!(Decoder::new(&[0xbb; 9]).skip("v"), Err(CborFault::Truncated));
        assert_eq!(Decoder::new(&[0x61, 0xff]).skip("v"), Err(CborFault::NotUtf8));
    }
}
