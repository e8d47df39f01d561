//! The words of the contract at the front of a text, each checked while it is taken off. Every step may say that it
//! is not sure, and then nothing more is asked.

use proofline_canon::{Sha256Digest, unhex};

use crate::ids::{EnvelopeHash, SpanId, TraceId};
use crate::words::{
    ContentType, Issuer, MAX_SAFE_INT, Millis, Resource, SafeInt, StringSet, Token, is_media_byte,
    is_plain_byte, is_resource_byte, is_token_byte,
};

/// What is left of a text.
pub(super) struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    pub(super) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes off a piece that has to stand here.
    #[inline]
    pub(super) fn piece(&mut self, piece: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(piece)?;
        Some(())
    }

    /// Takes off a piece if it stands here.
    #[inline]
    pub(super) fn is(&mut self, piece: &str) -> bool {
        self.piece(piece).is_some()
    }

    fn take(&mut self, length: usize) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    /// As many bytes as are of one class.
    #[inline]
    fn run(&mut self, class: u8) -> Option<&'a str> {
        self.take(self.rest.bytes().take_while(|byte| classes(*byte) & class != 0).count())
    }

    fn token_text(&mut self) -> Option<&'a str> {
        let text = self.run(TOKEN)?;
        (text.bytes().next().is_some_and(is_plain_byte) && text.len() <= 128).then_some(text)
    }

    pub(super) fn token(&mut self) -> Option<Token> {
        self.token_text().map(Token::seen)
    }

    pub(super) fn resource(&mut self) -> Option<Resource> {
        let text = self.run(RESOURCE)?;
        let fits = text.bytes().next().is_some_and(is_plain_byte) && text.len() <= 256;
        fits.then(|| Resource::seen(text))
    }

    pub(super) fn content_type(&mut self) -> Option<ContentType> {
        let whole = self.rest;
        let (kind, slash, subtype) = (self.run(MEDIA)?, self.take(1)?, self.run(MEDIA)?);
        let length = kind.len() + slash.len() + subtype.len();
        let fits = slash == "/" && !kind.is_empty() && !subtype.is_empty() && length <= 128;
        fits.then_some(()).and(whole.get(..length)).map(ContentType::seen)
    }

    /// Characters of any kind, of which none is escaped.
    pub(super) fn issuer(&mut self) -> Option<Issuer> {
        let text = self.run(UNESCAPED)?;
        let length = if text.is_ascii() { text.len() } else { text.chars().count() };
        (1..=256).contains(&length).then(|| Issuer::seen(text))
    }

    /// Digits without a leading zero, at most 2^53 - 1.
    fn integer(&mut self) -> Option<u64> {
        let digits = self.run(DIGIT)?;
        let has_a_form = digits == "0" || !digits.is_empty() && !digits.starts_with('0');
        // Sixteen digits are below 2^64.
        if !has_a_form || digits.len() > 16 {
            return None;
        }
        let number = digits.bytes().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
        (number <= MAX_SAFE_INT).then_some(number)
    }

    pub(super) fn millis(&mut self) -> Option<Millis> {
        self.integer().map(Millis::saturating)
    }

    pub(super) fn safe_int(&mut self) -> Option<SafeInt> {
        self.integer().map(SafeInt::saturating)
    }

    fn hex<const N: usize>(&mut self) -> Option<[u8; N]> {
        unhex(self.take(2 * N)?)
    }

    pub(super) fn digest(&mut self) -> Option<Sha256Digest> {
        self.hex().map(Sha256Digest::from_bytes)
    }

    pub(super) fn envelope_hash(&mut self) -> Option<EnvelopeHash> {
        self.hex().map(EnvelopeHash::from_bytes)
    }

    pub(super) fn trace_id(&mut self) -> Option<TraceId> {
        self.hex().and_then(TraceId::checked)
    }

    pub(super) fn span_id(&mut self) -> Option<SpanId> {
        self.hex().and_then(SpanId::checked)
    }

    /// A set with its braces; names ascend, so none is there twice.
    pub(super) fn set(&mut self) -> Option<StringSet> {
        self.piece("{")?;
        let mut tokens = Vec::new();
        let mut before = "";
        if self.is("}") {
            return Some(StringSet::new());
        }
        loop {
            self.piece("\"")?;
            let name = self.token_text()?;
            if name <= before {
                return None;
            }
            before = name;
            tokens.push(Token::seen(name));
            self.piece("\":true")?;
            if !self.is(",") {
                self.piece("}")?;
                return Some(StringSet::ascending(tokens));
            }
        }
    }
}

const TOKEN: u8 = 1;
const RESOURCE: u8 = 1 << 1;
const MEDIA: u8 = 1 << 2;
const DIGIT: u8 = 1 << 3;
/// In strings, RFC 8785 §3.2.2.2 writes it as it is; bytes of longer characters are of this class too.
const UNESCAPED: u8 = 1 << 4;

/// The classes of every byte, by the rules of the words themselves.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut left: &mut [u8] = &mut classes;
    let mut byte = 0;
    while let Some((class, rest)) = left.split_first_mut() {
        *class = classes_of(byte);
        byte = byte.wrapping_add(1);
        left = rest;
    }
    classes
};

const fn classes_of(byte: u8) -> u8 {
    const fn class_if(is: bool, class: u8) -> u8 {
        if is { class } else { 0 }
    }
    class_if(is_token_byte(byte), TOKEN)
        | class_if(is_resource_byte(byte), RESOURCE)
        | class_if(is_media_byte(byte), MEDIA)
        | class_if(byte.is_ascii_digit(), DIGIT)
        | class_if(!matches!(byte, b'"' | b'\\' | 0..=0x1F), UNESCAPED)
}

fn classes(byte: u8) -> u8 {
    CLASSES.get(usize::from(byte)).copied().unwrap_or_default()
}
