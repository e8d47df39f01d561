//! What a field says of an entry: borrowed while it is compared, owned where it is kept.

use std::borrow::Cow;
use std::cmp::Ordering;

use proofline_canon::{Integer, Profile, Value, hex};
use proofline_trace::StringSet;

use crate::filter::{Comparison, Literal};

/// A value, where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'a> {
    Flag(bool),
    Integer(i128),
    Text(&'a str),
    /// Bytes that read as lower-case hex digits.
    Hex(&'a [u8]),
    Set(&'a StringSet),
    /// What a body has there: an object, an array, a number that is no integer within 2^53.
    Json(&'a Value),
}

/// What is known of a field of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    /// What would say it is not at hand.
    Unknown,
    /// There is no such thing.
    Absent,
    Cell(Cell<'a>),
}

impl<'a> From<Option<Cell<'a>>> for Found<'a> {
    fn from(cell: Option<Cell<'a>>) -> Self {
        cell.map_or(Self::Absent, Self::Cell)
    }
}

impl<'a> Cell<'a> {
    /// A value of a body; `null` says that nothing is there.
    pub(crate) fn of_json(value: &'a Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(flag) => Self::Flag(*flag),
            Value::String(text) => Self::Text(text),
            Value::Number(number) => match number.as_integer() {
                Integer::Exact(number) => Self::Integer(number.into()),
                _ => Self::Json(value),
            },
            Value::Array(_) | Value::Object(_) => Self::Json(value),
        })
    }

    /// Whether it compares so with a value; values of two types never do.
    pub(crate) fn compares(self, how: Comparison, literal: &Literal) -> bool {
        if how == Comparison::Contains {
            return self.contains(literal);
        }
        self.order(literal).is_some_and(|order| match how {
            Comparison::Equal => order == Ordering::Equal,
            Comparison::Different => order != Ordering::Equal,
            Comparison::Less => order == Ordering::Less,
            Comparison::AtMost => order != Ordering::Greater,
            Comparison::Greater => order == Ordering::Greater,
            Comparison::AtLeast => order != Ordering::Less,
            Comparison::Contains => false,
        })
    }

    fn order(self, literal: &Literal) -> Option<Ordering> {
        match (self, literal) {
            (Self::Flag(own), Literal::Flag(other)) => Some(own.cmp(other)),
            (Self::Integer(own), Literal::Integer(other)) => Some(own.cmp(&i128::from(*other))),
            (Self::Text(own), Literal::Text(other)) => Some(own.cmp(other)),
            (Self::Hex(own), Literal::Text(other)) => Some(digits(own).cmp(other.bytes())),
            _ => None,
        }
    }

    fn contains(self, literal: &Literal) -> bool {
        match (self, literal) {
            (Self::Text(own), Literal::Text(part)) => own.contains(&**part),
            (Self::Hex(own), Literal::Text(part)) => hex(own).contains(&**part),
            (Self::Set(own), Literal::Text(token)) => own.contains(token),
            _ => false,
        }
    }

    pub(crate) fn to_datum(self) -> Datum {
        match self {
            Self::Flag(flag) => Datum::Flag(flag),
            Self::Integer(number) => Datum::Integer(number),
            Self::Text(text) => Datum::Text(text.to_owned()),
            Self::Hex(bytes) => Datum::Text(hex(bytes)),
            Self::Set(set) => Datum::Set(set.iter().map(ToString::to_string).collect()),
            Self::Json(value) => {
                // A number that has no canonical form is shown as it was written.
                let written = || match value {
                    Value::Number(number) => number.literal().as_bytes().to_vec(),
                    _ => Vec::new(),
                };
                let bytes = value.to_canonical(Profile::ContentExact).unwrap_or_else(|_| written());
                Datum::Json(String::from_utf8_lossy(&bytes).into_owned())
            }
        }
    }
}

const fn digit(half: u8) -> u8 {
    if half < 10 { b'0' + half } else { b'a' + half - 10 }
}

/// The hex digits of bytes.
fn digits(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
}

/// Appends the hex digits of bytes.
pub(crate) fn put_digits(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(2 * bytes.len());
    for byte in bytes {
        out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

/// What a field says of an entry. The order is that of counts: what is not known, then what is absent, then by type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Datum {
    /// What would say it is not at hand: a body that was moved to an archive, a record that cannot be read.
    Unknown,
    /// The entry has no such thing.
    Absent,
    /// A truth value.
    Flag(bool),
    /// An integer; a time is one, in Unix milliseconds.
    Integer(i128),
    /// Text; ids and hashes are lower-case hex digits.
    Text(String),
    /// The tokens of a set, ascending.
    Set(Vec<String>),
    /// Canonical JSON of what lies in a body: an object, an array, a number that is no integer within 2^53.
    Json(String),
}

impl Datum {
    /// The value as text, where there is one.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Unknown | Self::Absent => None,
            Self::Flag(flag) => Some(flag.to_string().into()),
            Self::Integer(number) => Some(number.to_string().into()),
            Self::Text(text) | Self::Json(text) => Some(text.into()),
            Self::Set(tokens) => Some(tokens.join(" ").into()),
        }
    }
}

impl From<Found<'_>> for Datum {
    fn from(found: Found<'_>) -> Self {
        match found {
            Found::Unknown => Self::Unknown,
            Found::Absent => Self::Absent,
            Found::Cell(cell) => cell.to_datum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_hex() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(String::from_utf8_lossy(&digits(&bytes).collect::<Vec<_>>()), hex(&bytes));
        let mut out = Vec::new();
        put_digits(&bytes, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), hex(&bytes));
    }
}
