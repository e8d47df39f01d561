//! Numbers as they were written. A literal is kept byte for byte, so that what a number
//! says is decided once, by the profile that writes it, and never by a rounding on the way.

use std::fmt;

/// The largest magnitude that every JSON reader agrees on: 2^53 - 1 (RFC 7493 §2.2).
pub const MAX_SAFE_INTEGER: i64 = 9_007_199_254_740_991;

/// Literals up to here need no allocation: every i64, u64 and most doubles.
const INLINE_LEN: usize = 22;

/// A JSON number: its literal, exactly. `1`, `1.0` and `1e0` are three different numbers
/// here, and equal only to themselves.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Number(Repr);

/// Bytes past the length of an inline literal are zero, so that equal literals are equal.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE_LEN] },
    Heap(Box<str>),
}

/// What a literal is as an integer of the envelope profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Integer {
    /// An optional minus and digits, at most 2^53 - 1 in magnitude, and not `-0`.
    Exact(i64),
    /// Digits alone, above 2^53 - 1.
    TooLarge,
    /// Minus and digits, below -(2^53 - 1).
    TooSmall,
    /// A fraction, an exponent, or `-0`.
    NotAnInteger,
}

impl Number {
    /// A literal that the grammar of RFC 8259 §6 is known to accept.
    pub(crate) fn from_grammatical(literal: &str) -> Self {
        let mut bytes = [0; INLINE_LEN];
        match (bytes.get_mut(..literal.len()), u8::try_from(literal.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(literal.as_bytes());
                Self(Repr::Inline { len, bytes })
            }
            _ => Self(Repr::Heap(literal.into())),
        }
    }

    /// A number of this literal, or `None` if RFC 8259 §6 does not allow it.
    #[must_use]
    pub fn from_literal(literal: &str) -> Option<Self> {
        let end = scan(literal.as_bytes(), 0).ok()?;
        (end == literal.len()).then(|| Self::from_grammatical(literal))
    }

    /// The number with these digits.
    #[must_use]
    pub fn from_u64(value: u64) -> Self {
        Self::from_grammatical(&value.to_string())
    }

    /// The number with these digits.
    #[must_use]
    pub fn from_i64(value: i64) -> Self {
        Self::from_grammatical(&value.to_string())
    }

    /// The literal, as it was written.
    #[must_use]
    pub fn literal(&self) -> &str {
        match &self.0 {
            Repr::Inline { len, bytes } => {
                let text = bytes.get(..usize::from(*len)).unwrap_or_default();
                std::str::from_utf8(text).unwrap_or_default()
            }
            Repr::Heap(text) => text,
        }
    }

    /// What the literal is as an integer; nothing is ever rounded.
    #[must_use]
    pub fn as_integer(&self) -> Integer {
        let literal = self.literal();
        if !self.is_integer_literal() || literal == "-0" {
            return Integer::NotAnInteger;
        }
        match literal.parse::<i64>() {
            Ok(value) if value.unsigned_abs() <= MAX_SAFE_INTEGER.unsigned_abs() => Integer::Exact(value),
            _ if literal.starts_with('-') => Integer::TooSmall,
            _ => Integer::TooLarge,
        }
    }

    /// The nearest double (ties to even), infinite beyond its range.
    #[must_use]
    pub fn nearest_double(&self) -> f64 {
        crate::decimal::nearest_double(self.literal())
    }

    /// Neither a fraction nor an exponent.
    pub(crate) fn is_integer_literal(&self) -> bool {
        !self.literal().bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.literal())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.literal())
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::from_u64(value)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::from_i64(value)
    }
}

/// Where a scan of a number literal failed: the offset of the byte that does not fit, which
/// may be the end of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadAt(pub(crate) usize);

/// Walks a number literal (RFC 8259 §6) from `start` and returns where it ends.
pub(crate) fn scan(text: &[u8], start: usize) -> Result<usize, BadAt> {
    let mut at = start;
    if text.get(at) == Some(&b'-') {
        at += 1;
    }
    if text.get(at) == Some(&b'0') {
        at += 1;
        if text.get(at).is_some_and(u8::is_ascii_digit) {
            return Err(BadAt(at));
        }
    } else {
        at = digits(text, at)?;
    }
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(text.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = digits(text, at)?;
    }
    Ok(at)
}

/// One digit or more.
fn digits(text: &[u8], start: usize) -> Result<usize, BadAt> {
    let rest = text.get(start..).unwrap_or_default();
    match rest.iter().take_while(|byte| byte.is_ascii_digit()).count() {
        0 => Err(BadAt(start)),
        count => Ok(start + count),
    }
}

#[cfg(test)]
mod tests {
    use super::{INLINE_LEN, Integer, Number};

    fn integer(literal: &str) -> Integer {
        Number::from_literal(literal).unwrap().as_integer()
    }

    #[test]
    fn integers_are_exact_or_named() {
        for (literal, value) in [
            ("0", 0),
            ("-1", -1),
            ("1500", 1500),
            ("9007199254740991", 9_007_199_254_740_991),
            ("-9007199254740991", -9_007_199_254_740_991),
        ] {
            assert_eq!(integer(literal), Integer::Exact(value));
        }
        let digits = "1".repeat(1000);
        for literal in ["9007199254740992", "9223372036854775807", "9223372036854775808", &digits] {
            assert_eq!(integer(literal), Integer::TooLarge, "{literal}");
            assert_eq!(integer(&format!("-{literal}")), Integer::TooSmall, "-{literal}");
        }
        for literal in ["-0", "0.0", "1.0", "1e0", "1E5", "-0e1", "0.5", "9007199254740992.0"] {
            assert_eq!(integer(literal), Integer::NotAnInteger, "{literal}");
        }
    }

    #[test]
    fn literals_are_kept_whatever_their_length() {
        for length in [1, INLINE_LEN - 1, INLINE_LEN, INLINE_LEN + 1, 300] {
            let literal = "7".repeat(length);
            let number = Number::from_literal(&literal).unwrap();
            assert_eq!((number.literal(), number.to_string()), (literal.as_str(), literal.clone()));
            assert_eq!(number, Number::from_literal(&literal).unwrap());
            assert_ne!(number, Number::from_literal(&format!("{literal}0")).unwrap());
        }
        assert_ne!(Number::from_literal("1"), Number::from_literal("1.0"));
        assert_eq!(Number::from_u64(u64::MAX).literal(), "18446744073709551615");
        assert_eq!(Number::from_i64(i64::MIN).literal(), "-9223372036854775808");
    }

    #[test]
    fn only_literals_of_the_grammar() {
        for good in ["0", "-0", "10", "1.0", "0.00", "1e5", "1E+5", "1e-05", "-1.5e10"] {
            assert!(Number::from_literal(good).is_some(), "{good}");
        }
        for bad in [
            "", "-", "+1", "01", "-01", ".5", "5.", "1e", "1e+", "1 ", " 1", "0x1", "1_0", "NaN", "inf",
            "1e5.5",
        ] {
            assert_eq!(Number::from_literal(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_number_takes_three_words() {
        assert_eq!(size_of::<Number>(), 24);
    }
}
