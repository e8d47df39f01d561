//! What can be wrong with a text, with its place and what to do about it. Codes are stable:
//! a caller may match on them, and none is ever given another meaning.

use std::fmt;

use crate::pointer::Pointer;

/// Why a text is not one strict JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// More bytes than the limits allow; nothing was parsed. The offset is the first byte too many.
    TooLarge {
        /// The limit, in bytes.
        max_bytes: usize,
    },
    /// The text begins with a byte order mark, which RFC 8259 §8.1 forbids to send.
    Bom,
    /// The bytes are not UTF-8 from here on.
    InvalidUtf8,
    /// The text ends inside a value. The offset is the length of the text.
    UnexpectedEnd,
    /// A character that cannot stand here.
    UnexpectedByte {
        /// The character.
        found: char,
        /// What could stand here.
        expected: &'static str,
    },
    /// A word that begins like `true`, `false` or `null` and is none of them. The offset is its start.
    BadLiteral,
    /// A number outside the grammar of RFC 8259 §6. The offset is the first character that does not fit.
    BadNumber,
    /// An escape that RFC 8259 §7 does not have. The offset is its backslash.
    BadEscape,
    /// Half of a surrogate pair, as an escape. The offset is its backslash.
    LoneSurrogate,
    /// A raw character below U+0020 inside a string.
    ControlCharacter,
    /// A name for the second time in one object, compared after unescaping. The offset is the
    /// opening quote of the second one.
    DuplicateMember {
        /// The name, unescaped.
        name: String,
    },
    /// An array or object deeper than the limits allow. The offset is its bracket.
    TooDeep {
        /// The limit, in open arrays and objects.
        max_depth: usize,
    },
    /// Something other than white space after the value.
    TrailingData,
}

impl ParseErrorKind {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "canon.too_large",
            Self::Bom => "canon.bom",
            Self::InvalidUtf8 => "canon.invalid_utf8",
            Self::UnexpectedEnd => "canon.unexpected_end",
            Self::UnexpectedByte { .. } => "canon.unexpected_byte",
            Self::BadLiteral => "canon.bad_literal",
            Self::BadNumber => "canon.bad_number",
            Self::BadEscape => "canon.bad_escape",
            Self::LoneSurrogate => "canon.lone_surrogate",
            Self::ControlCharacter => "canon.control_character",
            Self::DuplicateMember { .. } => "canon.duplicate_member",
            Self::TooDeep { .. } => "canon.too_deep",
            Self::TrailingData => "canon.trailing_data",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "send less, or raise the size limit",
            Self::Bom => "save the text as UTF-8 without a byte order mark",
            Self::InvalidUtf8 => "encode the text as UTF-8",
            Self::UnexpectedEnd => "check whether the text was cut off",
            Self::UnexpectedByte { .. } => "correct the text there",
            Self::BadLiteral => "only true, false and null are words of JSON",
            Self::BadNumber => "write digits without leading zeros, and at least one after `.` and `e`",
            Self::BadEscape => "use one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t or \\u and four hex digits",
            Self::LoneSurrogate => "write the whole surrogate pair, or the character itself",
            Self::ControlCharacter => "escape it as \\u and four hex digits",
            Self::DuplicateMember { .. } => "keep one of the two",
            Self::TooDeep { .. } => "nest less, or raise the depth limit",
            Self::TrailingData => "give one value at a time",
        }
    }
}

impl fmt::Display for ParseErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { max_bytes } => write!(f, "more than the {max_bytes} bytes allowed"),
            Self::Bom => f.write_str("byte order mark"),
            Self::InvalidUtf8 => f.write_str("invalid UTF-8"),
            Self::UnexpectedEnd => f.write_str("unexpected end"),
            Self::UnexpectedByte { found, expected } => {
                write!(f, "unexpected {found:?} instead of {expected}")
            }
            Self::BadLiteral => f.write_str("unknown word"),
            Self::BadNumber => f.write_str("malformed number"),
            Self::BadEscape => f.write_str("unknown escape"),
            Self::LoneSurrogate => f.write_str("half of a surrogate pair"),
            Self::ControlCharacter => f.write_str("raw control character in a string"),
            Self::DuplicateMember { name } => write!(f, "repeated member name {}", Shown(name)),
            Self::TooDeep { max_depth } => write!(f, "nesting deeper than the {max_depth} levels allowed"),
            Self::TrailingData => f.write_str("trailing data"),
        }
    }
}

/// Text from outside in quotes, escaped, and cut to a length a log can bear.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_CHARS: usize = 48;
        match self.0.char_indices().nth(SHOWN_CHARS) {
            None => write!(f, "{:?}", self.0),
            Some((cut, _)) => {
                write!(f, "{:?}... ({} bytes)", self.0.get(..cut).unwrap_or_default(), self.0.len())
            }
        }
    }
}

/// The first fault of a text, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}: {}", .kind.hint())]
#[non_exhaustive]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Where, in bytes from the start of the text.
    pub offset: usize,
}

impl ParseError {
    pub(crate) const fn new(kind: ParseErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// The stable code, such as `canon.duplicate_member`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        self.kind.hint()
    }
}

/// Why a value has no canonical bytes in a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteErrorKind {
    /// Envelope profile: a fraction, an exponent, or `-0`.
    NotAnInteger,
    /// Envelope profile: an integer beyond 2^53 - 1 in magnitude.
    IntegerOutOfRange,
    /// No double is that large.
    NumberOverflow,
    /// The integer literal is not the value of any canonical number text.
    IntegerChangesValue,
    /// Exact content: the nearest double's text has another value, or drops the sign of zero.
    NumberChangesValue,
    /// Deeper than [`Limits::DEEPEST`](crate::Limits::DEEPEST).
    TooDeep,
}

impl WriteErrorKind {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAnInteger => "canon.not_an_integer",
            Self::IntegerOutOfRange => "canon.integer_out_of_range",
            Self::NumberOverflow => "canon.number_overflow",
            Self::IntegerChangesValue => "canon.integer_changes_value",
            Self::NumberChangesValue => "canon.number_changes_value",
            Self::TooDeep => "canon.too_deep",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotAnInteger => "write plain digits, without fraction, exponent or negative zero",
            Self::IntegerOutOfRange => "stay within -9007199254740991 and 9007199254740991",
            Self::NumberOverflow | Self::IntegerChangesValue => "give the number as a string",
            Self::NumberChangesValue => "write at most 17 significant digits, or give the number as a string",
            Self::TooDeep => "nest at most 512 levels",
        }
    }

    const fn sentence(&self) -> &'static str {
        match self {
            Self::NotAnInteger => "not an integer",
            Self::IntegerOutOfRange => "integer out of range",
            Self::NumberOverflow => "number too large for a double",
            Self::IntegerChangesValue => "integer that would change its value",
            Self::NumberChangesValue => "number that would change its value",
            Self::TooDeep => "nesting too deep",
        }
    }
}

/// The first value, in canonical order, that has no canonical bytes in a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} at {pointer:?}: {}", .kind.sentence(), .kind.hint())]
#[non_exhaustive]
pub struct WriteError {
    /// What is wrong.
    pub kind: WriteErrorKind,
    /// Where in the value.
    pub pointer: Pointer,
}

impl WriteError {
    pub(crate) const fn new(kind: WriteErrorKind, pointer: Pointer) -> Self {
        Self { kind, pointer }
    }

    /// The stable code, such as `canon.not_an_integer`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        self.kind.hint()
    }
}

/// Why bytes could not be made canonical, or are not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CanonError {
    /// Not one strict JSON value.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// A value that the profile refuses.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A JSON value, but not in its canonical bytes.
    #[error("not canonical from byte {offset} on: canonicalize the text before it is hashed or compared")]
    NotCanonical {
        /// The first byte that differs from the canonical bytes, or the end of the shorter one.
        offset: usize,
    },
}

impl CanonError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Parse(error) => error.code(),
            Self::Write(error) => error.code(),
            Self::NotCanonical { .. } => "canon.not_canonical",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Parse(error) => error.hint(),
            Self::Write(error) => error.hint(),
            Self::NotCanonical { .. } => "canonicalize the text before it is hashed or compared",
        }
    }
}
