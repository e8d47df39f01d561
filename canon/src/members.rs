//! The outermost members of a text, by their raw bytes: for wrappers whose payload must be
//! judged by itself, with its own faults, and not as part of the wrapper.

use std::ops::Range;

use crate::error::{ParseError, ParseErrorKind};
use crate::limits::Limits;
use crate::parse::{Parser, admit};
use crate::unique::{Named, Unique};

/// The outermost shape of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawMembers {
    /// An object, with its members in text order.
    Object(Vec<RawMember>),
    /// An array or a scalar.
    NotAnObject,
}

/// One outermost member.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawMember {
    /// The name, unescaped.
    pub name: String,
    /// Where the value stands in the text, in bytes, without the space around it.
    pub value: Range<usize>,
}

impl Named for RawMember {
    fn name(&self) -> &str {
        &self.name
    }
}

impl RawMembers {
    /// Where the value of that name stands.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Range<usize>> {
        match self {
            Self::Object(members) => {
                members.iter().find(|member| member.name == name).map(|member| member.value.clone())
            }
            Self::NotAnObject => None,
        }
    }
}

/// Finds the members of the outermost object without judging their values.
///
/// Judged as strictly as by [`parse`](crate::parse): size, byte order mark, the outermost
/// braces, names (form, UTF-8, uniqueness), colons, commas, and what follows the value.
///
/// Not judged: the inside of a value. An array or object ends with the bracket that closes it,
/// where brackets must pair and those inside strings do not count; a string ends with the next
/// quote that no backslash precedes; anything else is a run of bytes up to white space or one of
/// `,:[]{}"`. So a value may still be deeper than the limits, repeat names, or not be
/// UTF-8. **A range is only a place**: give its bytes to [`parse`](crate::parse) before
/// believing them. The nesting of values costs a byte of memory a level, and no stack.
///
/// ```
/// use proofline_canon::{Limits, members, parse};
///
/// let line = br#"{"declared_hash":"00","envelope":{"a":1,"a":2}}"#;
/// let range = members(line, &Limits::ENVELOPE)?.get("envelope").unwrap();
/// assert_eq!(&line[range.clone()], br#"{"a":1,"a":2}"#);
/// assert_eq!(parse(&line[range], &Limits::ENVELOPE).unwrap_err().code(), "canon.duplicate_member");
/// # Ok::<(), proofline_canon::ParseError>(())
/// ```
///
/// # Errors
/// The first fault, in text order, of what is judged; brackets that do not pair.
pub fn members(bytes: &[u8], limits: &Limits) -> Result<RawMembers, ParseError> {
    admit(bytes, limits)?;
    let mut walk = Walk { bytes, at: 0 };
    walk.skip_space();
    let found = if walk.peek() == Some(b'{') {
        RawMembers::Object(walk.object()?)
    } else {
        walk.value()?;
        RawMembers::NotAnObject
    };
    walk.skip_space();
    match walk.peek() {
        None => Ok(found),
        Some(_) => Err(ParseError::new(ParseErrorKind::TrailingData, walk.at)),
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        let space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.rest().iter().take_while(space).count();
    }

    fn unexpected<T>(&self, expected: &'static str) -> Result<T, ParseError> {
        let window = self.rest().iter().take(4).copied().collect::<Vec<u8>>();
        let Some(chunk) = window.utf8_chunks().next() else {
            return self.ran_out();
        };
        let kind = match chunk.valid().chars().next() {
            Some(found) => ParseErrorKind::UnexpectedByte { found, expected },
            None => ParseErrorKind::InvalidUtf8,
        };
        Err(ParseError::new(kind, self.at))
    }

    fn ran_out<T>(&self) -> Result<T, ParseError> {
        Err(ParseError::new(ParseErrorKind::UnexpectedEnd, self.bytes.len()))
    }

    /// The object whose brace stands here.
    fn object(&mut self) -> Result<Vec<RawMember>, ParseError> {
        let mut members: Vec<RawMember> = Vec::new();
        let mut unique = Unique::default();
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(members);
        }
        loop {
            let quote = self.at;
            let name = self.name()?;
            if unique.repeats(&members, &name) {
                return Err(ParseError::new(ParseErrorKind::DuplicateMember { name }, quote));
            }
            self.colon()?;
            let value = self.value()?;
            members.push(RawMember { name, value });
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(members);
                }
                _ => return self.unexpected("`,` or `}`"),
            }
            self.skip_space();
        }
    }

    /// A name, read by the strict parser within the bytes that can belong to it.
    fn name(&mut self) -> Result<String, ParseError> {
        if self.peek() != Some(b'"') {
            return self.unexpected("a member name in quotes");
        }
        let start = self.at;
        let end = self.string().map_or(self.bytes.len(), |()| self.at);
        let bytes = self.bytes.get(start..end).unwrap_or_default();
        match Parser::new(bytes, 0).string() {
            Ok(name) => Ok(name.into_owned()),
            Err(error) => Err(ParseError::new(error.kind, start + error.offset)),
        }
    }

    fn colon(&mut self) -> Result<(), ParseError> {
        self.skip_space();
        if self.peek() != Some(b':') {
            return self.unexpected("`:`");
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    /// Steps over a value and says where it stood.
    fn value(&mut self) -> Result<Range<usize>, ParseError> {
        let start = self.at;
        match self.peek() {
            Some(b'{' | b'[') => self.brackets()?,
            Some(b'"') => self.string()?,
            _ => self.bare()?,
        }
        Ok(start..self.at)
    }

    /// A run of bytes that is no string and no bracket.
    fn bare(&mut self) -> Result<(), ParseError> {
        let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r') || b",:[]{}\"".contains(byte);
        let rest = self.rest();
        match rest.iter().position(ends).unwrap_or(rest.len()) {
            0 => self.unexpected("a value"),
            length => {
                self.at += length;
                Ok(())
            }
        }
    }

    /// From the opening quote past the closing one.
    fn string(&mut self) -> Result<(), ParseError> {
        self.at += 1;
        while let Some(next) = self.rest().iter().position(|byte| matches!(byte, b'"' | b'\\')) {
            self.at += next;
            if self.peek() == Some(b'"') {
                self.at += 1;
                return Ok(());
            }
            self.at += 2;
        }
        self.ran_out()
    }

    /// From an opening bracket past the one that closes it.
    fn brackets(&mut self) -> Result<(), ParseError> {
        let mut closers = Vec::new();
        let special = |byte: &u8| matches!(byte, b'"' | b'[' | b']' | b'{' | b'}');
        while let Some(next) = self.rest().iter().position(special) {
            self.at += next;
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'[') => closers.push(b']'),
                Some(b'{') => closers.push(b'}'),
                closer if closer == closers.pop() => {}
                Some(b'}') => return self.unexpected("`]`"),
                _ => return self.unexpected("`}`"),
            }
            self.at += 1;
            if closers.is_empty() {
                return Ok(());
            }
        }
        self.ran_out()
    }
}
