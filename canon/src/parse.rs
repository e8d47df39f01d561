//! The strict parser (RFC 8259, and stricter): one value, unique names, no lone surrogates.
//!
//! Text is read once, left to right, and the first fault met is the one reported. Bytes that
//! are not UTF-8 are no exception: the parser reads the valid part, and running past its end
//! is the fault `InvalidUtf8` at that place.

use std::borrow::Cow;

use crate::error::{ParseError, ParseErrorKind};
use crate::limits::Limits;
use crate::number::{self, BadAt, Number};
use crate::plain::plain_len;
use crate::unique::Unique;
use crate::value::{Object, Value};

/// Parses exactly one JSON value.
///
/// Refused beside what RFC 8259 refuses: a byte order mark, a member name that repeats (after
/// unescaping), half a surrogate pair, and whatever exceeds the limits.
///
/// ```
/// use proofline_canon::{Limits, parse};
///
/// let error = parse(br#"{"a":1,"\u0061":2}"#, &Limits::ENVELOPE).unwrap_err();
/// assert_eq!((error.code(), error.offset), ("canon.duplicate_member", 7));
/// ```
///
/// # Errors
/// The first fault in text order; size is judged before anything else.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, ParseError> {
    admit(bytes, limits)?;
    let mut parser = Parser::new(bytes, limits.max_depth());
    let value = parser.value(0)?;
    parser.end()?;
    Ok(value)
}

/// The checks before the first character: size, byte order mark.
pub(crate) fn admit(bytes: &[u8], limits: &Limits) -> Result<(), ParseError> {
    let max_bytes = limits.max_bytes();
    if bytes.len() > max_bytes {
        return Err(ParseError::new(ParseErrorKind::TooLarge { max_bytes }, max_bytes));
    }
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(ParseError::new(ParseErrorKind::Bom, 0));
    }
    Ok(())
}

type Parsed<T> = Result<T, ParseError>;

pub(crate) struct Parser<'a> {
    /// The valid part of the input.
    text: &'a str,
    at: usize,
    max_depth: usize,
    /// What it means to run past the end of `text`.
    end: ParseErrorKind,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(bytes: &'a [u8], max_depth: usize) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { text, at: 0, max_depth, end: ParseErrorKind::UnexpectedEnd },
            Err(error) => {
                let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let text = std::str::from_utf8(valid).unwrap_or_default();
                Self { text, at: 0, max_depth, end: ParseErrorKind::InvalidUtf8 }
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn fault<T>(kind: ParseErrorKind, offset: usize) -> Parsed<T> {
        Err(ParseError::new(kind, offset))
    }

    /// `kind` at `offset`, unless the text has no character at `at` to blame.
    fn blame<T>(&self, at: usize, kind: ParseErrorKind, offset: usize) -> Parsed<T> {
        if at < self.text.len() { Self::fault(kind, offset) } else { self.ran_out() }
    }

    fn ran_out<T>(&self) -> Parsed<T> {
        Self::fault(self.end.clone(), self.text.len())
    }

    fn unexpected<T>(&self, expected: &'static str) -> Parsed<T> {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(found) => Self::fault(ParseErrorKind::UnexpectedByte { found, expected }, self.at),
            None => self.ran_out(),
        }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Nothing but white space may follow.
    fn end(&mut self) -> Parsed<()> {
        self.skip_space();
        match (self.peek(), &self.end) {
            (Some(_), _) => Self::fault(ParseErrorKind::TrailingData, self.at),
            (None, ParseErrorKind::UnexpectedEnd) => Ok(()),
            (None, _) => self.ran_out(),
        }
    }

    /// A value, where `depth` arrays and objects are open.
    fn value(&mut self, depth: usize) -> Parsed<Value> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => Ok(Value::String(self.string()?.into_owned())),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => self.unexpected("a value"),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Parsed<Value> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let same = rest.iter().zip(word.as_bytes()).take_while(|(a, b)| a == b).count();
        if same < word.len() {
            return self.blame(self.at + same, ParseErrorKind::BadLiteral, self.at);
        }
        self.at += same;
        Ok(value)
    }

    fn number(&mut self) -> Parsed<Value> {
        let start = self.at;
        match number::scan(self.text.as_bytes(), start) {
            Ok(end) => {
                self.at = end;
                Ok(Value::Number(Number::from_grammatical(self.slice(start, end))))
            }
            Err(BadAt(bad)) => self.blame(bad, ParseErrorKind::BadNumber, bad),
        }
    }

    /// Steps over the opening bracket of the `depth`-th open array or object.
    fn open(&mut self, depth: usize) -> Parsed<()> {
        let max_depth = self.max_depth;
        if depth > max_depth {
            return Self::fault(ParseErrorKind::TooDeep { max_depth }, self.at);
        }
        self.at += 1;
        self.skip_space();
        Ok(())
    }

    /// Whether the closing bracket stands here; if so, steps over it.
    fn closes(&mut self, bracket: u8) -> bool {
        let closes = self.peek() == Some(bracket);
        self.at += usize::from(closes);
        closes
    }

    /// After an item: true for another one, false for the closing bracket.
    fn goes_on(&mut self, bracket: u8, expected: &'static str) -> Parsed<bool> {
        self.skip_space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.skip_space();
                Ok(true)
            }
            Some(byte) if byte == bracket => {
                self.at += 1;
                Ok(false)
            }
            _ => self.unexpected(expected),
        }
    }

    fn array(&mut self, depth: usize) -> Parsed<Value> {
        self.open(depth)?;
        let mut items = Vec::new();
        if self.closes(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if !self.goes_on(b']', "`,` or `]`")? {
                return Ok(Value::Array(items));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Parsed<Value> {
        self.open(depth)?;
        let mut members = Vec::new();
        let mut unique = Unique::default();
        if self.closes(b'}') {
            return Ok(Value::Object(Object::new()));
        }
        loop {
            let name = self.name(&members, &mut unique)?;
            let value = self.value(depth)?;
            members.push((name, value));
            if !self.goes_on(b'}', "`,` or `}`")? {
                return Ok(Value::Object(Object::from_unique(members, unique.in_order())));
            }
        }
    }

    /// A member name, new to this object, and its colon.
    fn name(&mut self, members: &[(String, Value)], unique: &mut Unique) -> Parsed<String> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return self.unexpected("a member name in quotes");
        }
        let name = self.string()?.into_owned();
        if unique.repeats(members, &name) {
            return Self::fault(ParseErrorKind::DuplicateMember { name }, start);
        }
        self.skip_space();
        if self.peek() != Some(b':') {
            return self.unexpected("`:`");
        }
        self.at += 1;
        Ok(name)
    }

    /// A string from its opening quote to its closing quote; borrowed if nothing is escaped.
    pub(crate) fn string(&mut self) -> Parsed<Cow<'a, str>> {
        self.at += 1;
        let mut decoded: Option<String> = None;
        loop {
            let run = self.plain_run();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(match decoded {
                        None => Cow::Borrowed(run),
                        Some(before) => Cow::Owned(before + run),
                    });
                }
                Some(b'\\') => {
                    let text = decoded.get_or_insert_default();
                    text.push_str(run);
                    text.push(self.escape()?);
                }
                Some(_) => return Self::fault(ParseErrorKind::ControlCharacter, self.at),
                None => return self.ran_out(),
            }
        }
    }

    /// Characters up to the next quote, backslash or control character.
    fn plain_run(&mut self) -> &'a str {
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        self.at += plain_len(rest);
        self.slice(start, self.at)
    }

    fn escape(&mut self) -> Parsed<char> {
        let backslash = self.at;
        let character = match self.text.as_bytes().get(backslash + 1) {
            Some(b'u') => return self.unicode_escape(),
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return self.blame(backslash + 1, ParseErrorKind::BadEscape, backslash),
        };
        self.at = backslash + 2;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Parsed<char> {
        let backslash = self.at;
        let unit = self.code_unit(backslash)?;
        self.at = backslash + 6;
        if !(0xD800..=0xDBFF).contains(&unit) {
            let lone = || ParseError::new(ParseErrorKind::LoneSurrogate, backslash);
            return char::from_u32(unit).ok_or_else(lone);
        }
        self.low_surrogate_follows(backslash)?;
        let low = self.code_unit(self.at)?;
        self.at += 6;
        let scalar = 0x10000 + ((unit - 0xD800) << 10) + (low & 0x3FF);
        char::from_u32(scalar).map_or_else(|| Self::fault(ParseErrorKind::LoneSurrogate, backslash), Ok)
    }

    /// After a high surrogate: `\u`, and the first two digits of a low one.
    fn low_surrogate_follows(&self, high_backslash: usize) -> Parsed<()> {
        let allowed: [&[u8]; 4] = [b"\\", b"u", b"dD", b"cdefCDEF"];
        for (step, choices) in allowed.iter().enumerate() {
            let at = self.at + step;
            if !self.text.as_bytes().get(at).is_some_and(|byte| choices.contains(byte)) {
                return self.blame(at, ParseErrorKind::LoneSurrogate, high_backslash);
            }
        }
        Ok(())
    }

    /// The four hex digits of the `\u` at `backslash`.
    fn code_unit(&self, backslash: usize) -> Parsed<u32> {
        let mut unit = 0;
        for at in backslash + 2..backslash + 6 {
            let digit = self.text.as_bytes().get(at).and_then(|byte| char::from(*byte).to_digit(16));
            match digit {
                Some(digit) => unit = unit * 16 + digit,
                None => return self.blame(at, ParseErrorKind::BadEscape, backslash),
            }
        }
        Ok(unit)
    }
}
