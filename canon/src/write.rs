//! Canonical bytes (RFC 8785), in three profiles that differ in the numbers they admit.

use crate::already::is_canonical;
use crate::decimal::{Decimal, es_text};
use crate::digest::put_hex;
use crate::error::{CanonError, WriteError, WriteErrorKind};
use crate::limits::Limits;
use crate::number::{Integer, Number};
use crate::parse::parse;
use crate::path::Path;
use crate::plain::plain_len;
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
    if is_canonical(bytes, profile, limits) {
        return Ok(bytes.to_vec());
    }
    canonicalize_any(bytes, profile, limits)
}

/// The way by a [`Value`], which takes all bytes and names the first fault.
fn canonicalize_any(bytes: &[u8], profile: Profile, limits: &Limits) -> Result<Vec<u8>, CanonError> {
    Ok(parse(bytes, limits)?.to_canonical(profile)?)
}

/// Whether these bytes are already canonical.
///
/// # Errors
/// As [`canonicalize`], or [`CanonError::NotCanonical`] with the first byte that is not as it should be.
pub fn check_canonical(bytes: &[u8], profile: Profile, limits: &Limits) -> Result<(), CanonError> {
    if is_canonical(bytes, profile, limits) {
        return Ok(());
    }
    let canonical = canonicalize_any(bytes, profile, limits)?;
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
        put_number(&mut self.out, number, self.profile)
    }

    fn string(&mut self, text: &str) {
        put_string(&mut self.out, text);
    }
}

/// Writes a number as the profile wants it.
pub(crate) fn put_number(out: &mut Vec<u8>, number: &Number, profile: Profile) -> Result<(), WriteErrorKind> {
    match number.as_integer() {
        // Plain digits within the range of exact doubles are their own canonical text.
        Integer::Exact(_) => out.extend_from_slice(number.literal().as_bytes()),
        Integer::NotAnInteger if profile == Profile::Envelope => {
            return Err(WriteErrorKind::NotAnInteger);
        }
        _ if profile == Profile::Envelope => return Err(WriteErrorKind::IntegerOutOfRange),
        _ => put_double(out, number, profile)?,
    }
    Ok(())
}

fn put_double(out: &mut Vec<u8>, number: &Number, profile: Profile) -> Result<(), WriteErrorKind> {
    let literal = number.literal();
    let nearest = number.nearest_double();
    if !nearest.is_finite() {
        return Err(WriteErrorKind::NumberOverflow);
    }
    let text = es_text(nearest);
    let whole = number.is_integer_literal();
    if (whole || profile == Profile::ContentExact) && Decimal::of(literal) != Decimal::of(&text) {
        let kind =
            if whole { WriteErrorKind::IntegerChangesValue } else { WriteErrorKind::NumberChangesValue };
        return Err(kind);
    }
    if profile == Profile::ContentExact && nearest == 0.0 && nearest.is_sign_negative() {
        return Err(WriteErrorKind::NumberChangesValue);
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// RFC 8785 §3.2.2.2: only what must be escaped is, in its shortest form, lower case.
pub(crate) fn put_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, from) = rest.split_at_checked(plain_len(rest)).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        let Some((byte, after)) = from.split_first() else { break };
        put_escape(out, *byte);
        rest = after;
    }
    out.push(b'"');
}

fn put_escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x09 => out.extend_from_slice(b"\\t"),
        0x0A => out.extend_from_slice(b"\\n"),
        0x0C => out.extend_from_slice(b"\\f"),
        0x0D => out.extend_from_slice(b"\\r"),
        other => {
            out.extend_from_slice(b"\\u00");
            put_hex(out, &[other]);
        }
    }
}
