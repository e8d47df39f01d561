//! Whether bytes are canonical already, seen in one walk that keeps nothing.
//!
//! The walk says yes where it is sure. Everything else is for the parser, which names what is wrong; so there is no
//! error here, and a rare spelling (an escape in a member name) may be left to it.

use std::cmp::Ordering;

use crate::limits::Limits;
use crate::number::{self, Number};
use crate::parse::admit;
use crate::plain::plain_len;
use crate::value::canonical_order;
use crate::write::{Profile, put_number};

/// True only for bytes that the profile writes for the value that they are, within the limits.
pub(crate) fn is_canonical(bytes: &[u8], profile: Profile, limits: &Limits) -> bool {
    if admit(bytes, limits).is_err() {
        return false;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut walk = Walk { text, at: 0, profile, max_depth: limits.max_depth() };
    walk.value(0).is_some() && walk.at == text.len()
}

struct Walk<'a> {
    text: &'a str,
    at: usize,
    profile: Profile,
    max_depth: usize,
}

impl<'a> Walk<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over a byte, if it stands here.
    fn is(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn piece(&mut self, piece: &str) -> Option<()> {
        self.at += self.rest().starts_with(piece.as_bytes()).then_some(piece.len())?;
        Some(())
    }

    /// A value inside `depth` arrays and objects.
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' | b'[' if depth >= self.max_depth => None,
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.piece("true"),
            b'f' => self.piece("false"),
            b'n' => self.piece("null"),
            _ => None,
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.is(b']') {
            return Some(());
        }
        loop {
            self.value(depth)?;
            if !self.is(b',') {
                return self.is(b']').then_some(());
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.is(b'}') {
            return Some(());
        }
        let mut before: Option<&str> = None;
        loop {
            let name = self.name()?;
            if before.is_some_and(|before| canonical_order(before, name) != Ordering::Less) {
                return None;
            }
            before = Some(name);
            self.value(depth)?;
            if !self.is(b',') {
                return self.is(b'}').then_some(());
            }
        }
    }

    /// A member name without escapes, and its colon.
    fn name(&mut self) -> Option<&'a str> {
        let start = self.is(b'"').then_some(self.at)?;
        self.at += plain_len(self.rest());
        let name = self.text.get(start..self.at)?;
        self.piece("\":")?;
        Some(name)
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            self.at += plain_len(self.rest());
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    /// An escape that RFC 8785 §3.2.2.2 writes.
    fn escape(&mut self) -> Option<()> {
        self.at += match self.rest() {
            [_, b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r', ..] => 2,
            [_, b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..] => 6,
            [_, b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => 6,
            _ => return None,
        };
        Some(())
    }

    /// A number that the profile writes as it stands.
    fn number(&mut self) -> Option<()> {
        if let Some(end) = self.sure_digits() {
            self.at = end;
            return Some(());
        }
        let end = number::scan(self.text.as_bytes(), self.at).ok()?;
        let literal = self.text.get(self.at..end)?;
        let mut written = Vec::new();
        put_number(&mut written, &Number::from_grammatical(literal), self.profile).ok()?;
        self.at = end;
        (written == literal.as_bytes()).then_some(())
    }

    /// Where a run of digits ends that is an exact integer for every profile.
    fn sure_digits(&self) -> Option<usize> {
        let rest = self.rest();
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let is_sure = (1..=SURE_DIGITS).contains(&length)
            && (length == 1 || rest.first() != Some(&b'0'))
            && !matches!(rest.get(length), Some(b'.' | b'e' | b'E'));
        is_sure.then_some(self.at + length)
    }
}

/// So many digits are below 2^53 whatever they are.
const SURE_DIGITS: usize = 15;
