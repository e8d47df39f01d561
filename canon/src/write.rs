//! Canonical bytes (RFC 8785), in three profiles that differ in the numbers they admit.

use crate::decimal::{Decimal, es_text};
use crate::error::{CanonError, WriteError, WriteErrorKind};
use crate::limits::Limits;
use crate::number::{Integer, Number};
use crate::parse::parse;
use crate::path::Path;
use crate::value::{Object, Value};

/// Which numbers a value may carry, and how they are written.
///
/// | literal | `Envelope` | `Content` | `ContentExact` |
/// |---|---|---|---|
/// | `17` | `17` | `17` | `17` |
/// | `1.50` | refused | `1.5` | `1.5` |
/// | `0.10000000000000001` | refused | `0.1` | refused |
/// | `9007199254740993` | refused | refused | refused |
/// | `-0` | refused | `0` | refused |
/// | `1e400` | refused | refused | refused |
///
/// What a profile writes it reads again, and writes as the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Evidence records: integers of at most 2^53 - 1 in magnitude, in plain digits.
    Envelope,
    /// RFC 8785: the nearest double. Refused are overflow and an integer literal (neither
    /// fraction nor exponent) that the written text would not equal.
    Content,
    /// Content of which nothing is lost: every literal that the written text would not equal
    /// is refused, and so is a negative zero.
    ContentExact,
}

/// Parses and writes as canonical bytes.
///
/// # Errors
/// The text is not one strict JSON value, or it has a number that the profile refuses.
pub fn canonicalize(bytes: &[u8], profile: Profile, limits: &Limits) -> Result<Vec<u8>, CanonError> {
    Ok(parse(bytes, limits)?.to_canonical(profile)?)
}

/// Whether these bytes are already canonical.
///
/// # Errors
/// As [`canonicalize`], or [`CanonError::NotCanonical`] with the first byte that is not as it should be.
pub fn check_canonical(bytes: &[u8], profile: Profile, limits: &Limits) -> Result<(), CanonError> {
    let canonical = canonicalize(bytes, profile, limits)?;
    if canonical == bytes {
        return Ok(());
    }
    let offset = canonical.iter().zip(bytes).take_while(|(a, b)| a == b).count();
    Err(CanonError::NotCanonical { offset })
}

impl Value {
    /// The canonical bytes of this value: RFC 8785, UTF-8, no white space.
    ///
    /// # Errors
    /// The first value, in canonical order, that the profile refuses, or nesting deeper than
    /// [`Limits::DEEPEST`].
    pub fn to_canonical(&self, profile: Profile) -> Result<Vec<u8>, WriteError> {
        let mut writer = Writer { out: Vec::new(), profile };
        writer.value(self, &Path::Root, 0)?;
        Ok(writer.out)
    }
}

struct Writer {
    out: Vec<u8>,
    profile: Profile,
}

impl Writer {
    /// Writes a value that stands inside `depth` arrays and objects.
    fn value(&mut self, value: &Value, path: &Path<'_>, depth: usize) -> Result<(), WriteError> {
        match value {
            Value::Null => self.out.extend_from_slice(b"null"),
            Value::Bool(true) => self.out.extend_from_slice(b"true"),
            Value::Bool(false) => self.out.extend_from_slice(b"false"),
            Value::Number(number) => self.number(number).map_err(|kind| path.fail(kind))?,
            Value::String(text) => self.string(text),
            Value::Array(_) | Value::Object(_) if depth >= Limits::DEEPEST => {
                return Err(path.fail(WriteErrorKind::TooDeep));
            }
            Value::Array(items) => self.array(items, path, depth + 1)?,
            Value::Object(object) => self.object(object, path, depth + 1)?,
        }
        Ok(())
    }

    fn array(&mut self, items: &[Value], path: &Path<'_>, depth: usize) -> Result<(), WriteError> {
        self.out.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(item, &Path::Item(path, index), depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, object: &Object, path: &Path<'_>, depth: usize) -> Result<(), WriteError> {
        self.out.push(b'{');
        for (index, (name, value)) in object.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.string(name);
            self.out.push(b':');
            self.value(value, &Path::Member(path, name), depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn number(&mut self, number: &Number) -> Result<(), WriteErrorKind> {
        match number.as_integer() {
            // Plain digits within the range of exact doubles are their own canonical text.
            Integer::Exact(_) => self.out.extend_from_slice(number.literal().as_bytes()),
            Integer::NotAnInteger if self.profile == Profile::Envelope => {
                return Err(WriteErrorKind::NotAnInteger);
            }
            _ if self.profile == Profile::Envelope => return Err(WriteErrorKind::IntegerOutOfRange),
            _ => self.double(number)?,
        }
        Ok(())
    }

    fn double(&mut self, number: &Number) -> Result<(), WriteErrorKind> {
        let literal = number.literal();
        let nearest = number.nearest_double();
        if !nearest.is_finite() {
            return Err(WriteErrorKind::NumberOverflow);
        }
        let text = es_text(nearest);
        let whole = number.is_integer_literal();
        if (whole || self.profile == Profile::ContentExact) && Decimal::of(literal) != Decimal::of(&text) {
            let kind =
                if whole { WriteErrorKind::IntegerChangesValue } else { WriteErrorKind::NumberChangesValue };
            return Err(kind);
        }
        if self.profile == Profile::ContentExact && nearest == 0.0 && nearest.is_sign_negative() {
            return Err(WriteErrorKind::NumberChangesValue);
        }
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// RFC 8785 §3.2.2.2: only what must be escaped is, in its shortest form, lower case.
    fn string(&mut self, text: &str) {
        self.out.push(b'"');
        let mut rest = text.as_bytes();
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1F);
        while let Some(at) = rest.iter().position(special) {
            let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            self.out.extend_from_slice(plain);
            let Some((byte, after)) = from.split_first() else { break };
            self.escape(*byte);
            rest = after;
        }
        self.out.extend_from_slice(rest);
        self.out.push(b'"');
    }

    fn escape(&mut self, byte: u8) {
        match byte {
            b'"' => self.out.extend_from_slice(b"\\\""),
            b'\\' => self.out.extend_from_slice(b"\\\\"),
            0x08 => self.out.extend_from_slice(b"\\b"),
            0x09 => self.out.extend_from_slice(b"\\t"),
            0x0A => self.out.extend_from_slice(b"\\n"),
            0x0C => self.out.extend_from_slice(b"\\f"),
            0x0D => self.out.extend_from_slice(b"\\r"),
            other => {
                let digits = crate::digest::hex(&[other]);
                self.out.extend_from_slice(b"\\u00");
                self.out.extend_from_slice(digits.as_bytes());
            }
        }
    }
}
