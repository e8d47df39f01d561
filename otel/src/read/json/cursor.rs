//! A place in JSON text that is wholly in memory, and the plain values that can stand there. `None`
//! means: not plain, look again slowly.

use proofline_canon::plain_len;

use super::hex::unhex_any_case;

pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    /// Arrays and objects that may yet be opened.
    depth_left: usize,
}

/// Members of an object whose names are compared pair by pair; an object with more is not plain.
const MOST_MEMBERS: usize = 16;

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a [u8], max_depth: usize) -> Self {
        Self { text, at: 0, depth_left: max_depth }
    }

    /// How many bytes were read.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    /// Behind an item: true for another one.
    fn goes_on(&mut self, bracket: u8) -> Option<bool> {
        self.space();
        let found = self.peek()?;
        self.at += 1;
        match found {
            b',' => {
                self.space();
                Some(true)
            }
            _ if found == bracket => Some(false),
            _ => None,
        }
    }

    fn open(&mut self, bracket: u8) -> Option<()> {
        self.depth_left = self.depth_left.checked_sub(1)?;
        self.eat(bracket)?;
        self.space();
        Some(())
    }

    /// An object with distinct plain keys; `each` reads the value behind a key.
    pub(super) fn object(&mut self, mut each: impl FnMut(&mut Self, &'a [u8]) -> Option<()>) -> Option<()> {
        self.open(b'{')?;
        let mut seen: [&[u8]; MOST_MEMBERS] = [&[]; MOST_MEMBERS];
        let mut count = 0;
        let mut more = self.eat(b'}').is_none();
        while more {
            let key = self.key()?;
            if seen.iter().take(count).any(|before| *before == key) {
                return None;
            }
            *seen.get_mut(count)? = key;
            count += 1;
            each(self, key)?;
            more = self.goes_on(b'}')?;
        }
        self.depth_left += 1;
        Some(())
    }

    /// A key without escapes, with its colon.
    fn key(&mut self) -> Option<&'a [u8]> {
        self.eat(b'"')?;
        let key = self.plain()?;
        self.space();
        self.eat(b':')?;
        self.space();
        Some(key)
    }

    /// Up to the closing quote, without escapes; steps over the quote.
    fn plain(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        let (run, behind) = rest.split_at_checked(plain_len(rest))?;
        self.at += run.len();
        (behind.first() == Some(&b'"')).then(|| {
            self.at += 1;
            run
        })
    }

    pub(super) fn list<T>(&mut self, each: fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.open(b'[')?;
        let mut items = Vec::new();
        let mut more = self.eat(b']').is_none();
        while more {
            items.push(each(self)?);
            more = self.goes_on(b']')?;
        }
        self.depth_left += 1;
        Some(items)
    }

    pub(super) fn id(&mut self) -> Option<Vec<u8>> {
        self.eat(b'"')?;
        unhex_any_case(self.plain()?)
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        let (flag, length) = match self.rest() {
            [b't', b'r', b'u', b'e', ..] => (true, 4),
            [b'f', b'a', b'l', b's', b'e', ..] => (false, 5),
            _ => return None,
        };
        self.at += length;
        Some(flag)
    }

    /// Digits, perhaps with a sign, perhaps in quotes. What stands behind them is judged by
    /// [`Cursor::goes_on`]: a point or an exponent is not plain.
    fn digits(&mut self) -> Option<&'a str> {
        let quoted = self.eat(b'"').is_some();
        let rest = self.rest();
        let sign = usize::from(rest.first() == Some(&b'-'));
        let count = rest.iter().skip(sign).take_while(|byte| byte.is_ascii_digit()).count();
        let digits = rest.get(..sign + count)?;
        let zero_first = rest.get(sign) == Some(&b'0') && count > 1;
        if count == 0 || zero_first {
            return None;
        }
        self.at += digits.len();
        if quoted {
            self.eat(b'"')?;
        }
        std::str::from_utf8(digits).ok()
    }

    pub(super) fn unsigned(&mut self) -> Option<u64> {
        self.digits()?.parse().ok()
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        self.digits()?.parse().ok()
    }

    pub(super) fn small(&mut self) -> Option<u32> {
        self.digits()?.parse().ok()
    }

    /// A bare number: RFC 8259 §6.
    pub(super) fn double(&mut self) -> Option<f64> {
        let rest = self.rest();
        let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let literal = rest.get(..rest.iter().take_while(is_part).count())?;
        if !is_number(literal) {
            return None;
        }
        self.at += literal.len();
        let double: f64 = std::str::from_utf8(literal).ok()?.parse().ok()?;
        double.is_finite().then_some(double)
    }

    /// A string that is UTF-8.
    pub(super) fn text(&mut self) -> Option<String> {
        self.eat(b'"')?;
        let rest = self.rest();
        let (run, behind) = rest.split_at_checked(plain_len(rest))?;
        self.at += run.len();
        if behind.first() == Some(&b'"') {
            self.at += 1;
            return std::str::from_utf8(run).ok().map(str::to_owned);
        }
        self.escaped(run)
    }

    /// The rest of a string with escapes, behind its first run.
    fn escaped(&mut self, run: &[u8]) -> Option<String> {
        let mut bytes = Vec::with_capacity(run.len().next_power_of_two().max(64));
        bytes.extend_from_slice(run);
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return String::from_utf8(bytes).ok();
                }
                b'\\' => self.escape(&mut bytes)?,
                _ => return None,
            }
            let rest = self.rest();
            let (run, _) = rest.split_at_checked(plain_len(rest))?;
            bytes.extend_from_slice(run);
            self.at += run.len();
        }
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Option<()> {
        let character = match self.text.get(self.at + 1)? {
            b'"' => b'"',
            b'\\' => b'\\',
            b'/' => b'/',
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(bytes),
            _ => return None,
        };
        bytes.push(character);
        self.at += 2;
        Some(())
    }

    /// `\u` and four digits, or two of them that are one character.
    fn unicode(&mut self, bytes: &mut Vec<u8>) -> Option<()> {
        let high = self.unit()?;
        let scalar = if (0xD800..0xDC00).contains(&high) {
            let low = self.unit()?;
            let low = (0xDC00..0xE000).contains(&low).then_some(low)?;
            0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
        } else {
            high
        };
        let character = char::from_u32(scalar)?;
        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Some(())
    }

    fn unit(&mut self) -> Option<u32> {
        let [b'\\', b'u', digits @ ..] = self.text.get(self.at..self.at + 6)? else { return None };
        let digit = |unit, byte: &u8| Some(unit << 4 | char::from(*byte).to_digit(16)?);
        let unit = digits.iter().try_fold(0, digit)?;
        self.at += 6;
        Some(unit)
    }
}

/// Whether a literal has the grammar of RFC 8259 §6.
fn is_number(literal: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = literal.strip_prefix(b"-").unwrap_or(literal);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.first() == Some(&b'0')) {
        return false;
    }
    rest = rest.get(whole..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = fraction.get(count..).unwrap_or_default();
    }
    let exponent = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E"));
    let Some(exponent) = exponent else { return rest.is_empty() };
    let exponent = exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
    !exponent.is_empty() && digits(exponent) == exponent.len()
}
