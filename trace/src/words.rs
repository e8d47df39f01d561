//! The scalars of the contract: words with a length and a pattern, and exact integers.
//! Each is parsed once, at the edge; whoever holds one never checks it again.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use crate::phrase;
use crate::rejection::SchemaFault;
use crate::text::Text;

/// The largest integer of an envelope: 2^53 - 1, the last that a double holds exactly.
pub const MAX_SAFE_INT: u64 = proofline_canon::MAX_SAFE_INTEGER.unsigned_abs();

/// Why a text or a number is not the word it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word} {}", self.predicate())]
pub struct WordError {
    word: &'static str,
    fault: WordFault,
}

/// What is wrong with a word; lengths count code points.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WordFault {
    /// Longer than allowed.
    TooLong {
        /// Characters found.
        length: usize,
        /// Characters allowed.
        limit: usize,
    },
    /// Shorter than allowed.
    TooShort {
        /// Characters found.
        length: usize,
        /// Characters needed.
        limit: usize,
    },
    /// The characters do not match the pattern.
    Pattern {
        /// An escaped excerpt of what was found.
        found: String,
        /// The pattern in words.
        shape: &'static str,
    },
    /// An integer above its limit.
    TooLarge {
        /// The number found.
        found: u64,
        /// The largest allowed.
        limit: u64,
    },
}

impl WordError {
    pub(crate) const fn new(word: &'static str, fault: WordFault) -> Self {
        Self { word, fault }
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(&self) -> &WordFault {
        &self.fault
    }

    /// A stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self.fault {
            WordFault::TooLong { .. } => "trace.word_too_long",
            WordFault::TooShort { .. } => "trace.word_too_short",
            WordFault::Pattern { .. } => "trace.word_pattern",
            WordFault::TooLarge { .. } => "trace.word_too_large",
        }
    }

    /// The contract's name of the fault.
    pub(crate) const fn schema_fault(&self) -> SchemaFault {
        match self.fault {
            WordFault::TooLong { .. } => SchemaFault::MaxLength,
            WordFault::TooShort { .. } => SchemaFault::MinLength,
            WordFault::Pattern { .. } => SchemaFault::Pattern,
            WordFault::TooLarge { .. } => SchemaFault::Maximum,
        }
    }

    /// The sentence without its subject.
    pub(crate) fn predicate(&self) -> String {
        match &self.fault {
            WordFault::TooLong { length, limit } => {
                format!("is {length} characters long; at most {limit} are allowed")
            }
            WordFault::TooShort { length, limit } => {
                format!("is {length} characters long; at least {limit} must be there")
            }
            WordFault::Pattern { found, shape } => format!("is {found}; expected {shape}"),
            WordFault::TooLarge { found, limit } => format!("is {found}; at most {limit} is allowed"),
        }
    }
}

/// The rule of a text word, checked in the contract's order: longest, shortest, pattern.
struct Rule {
    word: &'static str,
    min_chars: usize,
    max_chars: usize,
    matches: fn(&str) -> bool,
    shape: &'static str,
}

impl Rule {
    fn check(&self, text: &str) -> Result<(), WordError> {
        let fault = |fault| Err(WordError::new(self.word, fault));
        let length = text.chars().count();
        if length > self.max_chars {
            return fault(WordFault::TooLong { length, limit: self.max_chars });
        }
        if length < self.min_chars {
            return fault(WordFault::TooShort { length, limit: self.min_chars });
        }
        if !(self.matches)(text) {
            return fault(WordFault::Pattern { found: phrase::quoted(text), shape: self.shape });
        }
        Ok(())
    }
}

macro_rules! text_word {
    ($(#[$doc:meta])* $name:ident, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Text);

        impl $name {
            const RULE: Rule = $rule;

            /// Checks and keeps a text.
            ///
            /// # Errors
            /// The first of: too long, too short, not of the pattern.
            pub fn new(text: &str) -> Result<Self, WordError> {
                Self::RULE.check(text)?;
                Ok(Self(Text::new(text)))
            }

            /// Keeps a text of which whoever calls has seen that the rule holds.
            #[allow(dead_code, reason = "not every word stands in an envelope")]
            pub(crate) fn seen(text: &str) -> Self {
                debug_assert_eq!(Self::RULE.check(text), Ok(()));
                Self(Text::new(text))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// Its bytes.
            #[allow(dead_code, reason = "not every word stands in an envelope")]
            pub(crate) fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        crate::words::text_form!($name);

        impl FromStr for $name {
            type Err = WordError;
            fn from_str(text: &str) -> Result<Self, WordError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }
    };
}

/// Serde through the text form, for embedders' own files; evidence never comes this way.
macro_rules! text_form {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use text_form;

text_word!(
    /// `[a-z0-9][a-z0-9_\-:.]{0,127}`: kinds, names, statuses, reason codes.
    Token,
    Rule {
        word: "a token",
        min_chars: 1,
        max_chars: 128,
        matches: |text| begins_plain(text) && text.bytes().all(is_token_byte),
        shape: "a token: lower-case letters, digits and _ - : . with a letter or digit first",
    }
);

text_word!(
    /// A span's name as its emitter gave it, or the first 256 characters of a longer one.
    SpanName,
    Rule { word: "a span's name", min_chars: 0, max_chars: 256, matches: |_| true, shape: "any text" }
);

text_word!(
    /// A moment in nanoseconds since 1970, in decimal digits as OTLP/JSON writes it: more than a number of JSON holds.
    UnixNano,
    Rule {
        word: "a time in nanoseconds",
        min_chars: 1,
        max_chars: 20,
        matches: |text| text.parse::<u64>().is_ok_and(|nanos| nanos.to_string() == text),
        shape: "nanoseconds since 1970 in decimal digits",
    }
);

impl SpanName {
    /// Characters that are kept.
    const MOST_CHARS: usize = 256;

    /// A name, or the first 256 characters of a longer one.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let end = name.char_indices().nth(Self::MOST_CHARS).map_or(name.len(), |(end, _)| end);
        Self::seen(name.get(..end).unwrap_or_default())
    }
}

impl UnixNano {
    /// The moment so many nanoseconds after 1970 began.
    #[must_use]
    pub fn from_nanos(nanos: u64) -> Self {
        Self::seen(&nanos.to_string())
    }

    /// Nanoseconds.
    #[must_use]
    pub fn nanos(&self) -> u64 {
        self.as_str().parse().unwrap_or_default()
    }
}

text_word!(
    /// `[a-z0-9][a-z0-9_\-:./]{0,255}`: what an action is done to, and who does it.
    Resource,
    Rule {
        word: "a resource",
        min_chars: 1,
        max_chars: 256,
        matches: |text| begins_plain(text) && text.bytes().all(is_resource_byte),
        shape: "a resource: lower-case letters, digits and _ - : . / with a letter or digit first",
    }
);

text_word!(
    /// A media type, `type/subtype`, 3 to 128 characters, without parameters.
    ContentType,
    Rule {
        word: "a content type",
        min_chars: 3,
        max_chars: 128,
        matches: |text| {
            text.split_once('/').is_some_and(|(kind, subtype)| is_media_name(kind) && is_media_name(subtype))
        },
        shape: "a content type such as text/plain: two names joined by one slash, \
                of letters, digits and ! # $ & ^ _ . + - only",
    }
);

text_word!(
    /// Who issued a credential: 1 to 256 characters of any kind.
    Issuer,
    Rule { word: "an issuer", min_chars: 1, max_chars: 256, matches: |_| true, shape: "any text" }
);

text_word!(
    /// Why something is erased, held or released: 1 to 1,000 characters of any kind.
    Reason,
    Rule { word: "a reason", min_chars: 1, max_chars: 1_000, matches: |_| true, shape: "any text" }
);

text_word!(
    /// The name of a legal matter: 1 to 256 characters of any kind.
    Matter,
    Rule { word: "a matter", min_chars: 1, max_chars: 256, matches: |_| true, shape: "any text" }
);

text_word!(
    /// The name or version of a program: 1 to 256 characters of any kind.
    VersionText,
    Rule { word: "a version", min_chars: 1, max_chars: 256, matches: |_| true, shape: "any text" }
);

text_word!(
    /// A log's origin (C2SP checkpoint): 1 to 255 printable ASCII characters, no space, no `+`.
    ///
    /// Narrower than C2SP, which only recommends that: an origin is compared as bytes, so two that look
    /// alike must not exist.
    Origin,
    Rule {
        word: "an origin",
        min_chars: 1,
        max_chars: 255,
        matches: |text| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+'),
        shape: "a log origin: printable ASCII without spaces and without +",
    }
);

text_word!(
    /// A public key as C2SP signed-note writes it, `name+hex8+base64`: the form, not whether the key is good.
    KeyText,
    Rule {
        word: "a public key",
        min_chars: 1,
        max_chars: 2304,
        matches: |text| {
            text.split_once('+').and_then(|(name, rest)| Some((name, rest.split_once('+')?))).is_some_and(
                |(name, (id, key))| is_key_name(name) && is_key_id(id) && is_base64(key),
            )
        },
        shape: "a public key, name+xxxxxxxx+base64, whose name is printable ASCII without spaces",
    }
);

text_word!(
    /// A key by its name and id, `name+hex8`.
    KeyReference,
    Rule {
        word: "a key's name and id",
        min_chars: 1,
        max_chars: 264,
        matches: |text| text.split_once('+').is_some_and(|(name, id)| is_key_name(name) && is_key_id(id)),
        shape: "a key's name and id, name+xxxxxxxx",
    }
);

text_word!(
    /// The bytes of a signature in base64 (RFC 4648 §4, padded).
    SignatureText,
    Rule {
        word: "a signature",
        min_chars: 4,
        max_chars: 4096,
        matches: is_base64,
        shape: "a signature in base64, padded",
    }
);

fn is_key_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+')
}

fn is_key_id(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Base64 by its form: whole groups, padding at the end alone. Spare bits are looked at by who decodes.
fn is_base64(text: &str) -> bool {
    let body = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    !text.is_empty() && text.len().is_multiple_of(4) && body.bytes().all(is_sign)
}

fn begins_plain(text: &str) -> bool {
    text.bytes().next().is_some_and(is_plain_byte)
}

/// What a Token or a Resource begins with.
pub(crate) const fn is_plain_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

pub(crate) const fn is_token_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b':' | b'.')
}

pub(crate) const fn is_resource_byte(byte: u8) -> bool {
    is_token_byte(byte) || byte == b'/'
}

fn is_media_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_media_byte)
}

pub(crate) const fn is_media_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#' | b'$' | b'&' | b'^' | b'_' | b'.' | b'+' | b'-')
}

macro_rules! safe_integer {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);
            /// 2^53 - 1.
            pub const MAX: Self = Self(MAX_SAFE_INT);

            /// Checks and keeps a number.
            ///
            /// # Errors
            /// The number is above 2^53 - 1.
            pub const fn new(number: u64) -> Result<Self, WordError> {
                if number > MAX_SAFE_INT {
                    let fault = WordFault::TooLarge { found: number, limit: MAX_SAFE_INT };
                    return Err(WordError::new($word, fault));
                }
                Ok(Self(number))
            }

            /// The number, or 2^53 - 1 where it is larger.
            #[must_use]
            pub const fn saturating(number: u64) -> Self {
                if number > MAX_SAFE_INT { Self::MAX } else { Self(number) }
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl TryFrom<u64> for $name {
            type Error = WordError;
            fn try_from(number: u64) -> Result<Self, WordError> {
                Self::new(number)
            }
        }

        impl From<u32> for $name {
            fn from(number: u32) -> Self {
                Self(number.into())
            }
        }

        impl From<$name> for u64 {
            fn from(number: $name) -> Self {
                number.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u64(self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = <u64 as serde::Deserialize>::deserialize(deserializer)?;
                Self::new(number).map_err(serde::de::Error::custom)
            }
        }
    };
}

safe_integer!(
    /// A count, size or position: 0 to 2^53 - 1.
    SafeInt,
    "an integer"
);

safe_integer!(
    /// A time in Unix milliseconds: 0 to 2^53 - 1.
    Millis,
    "a time in milliseconds"
);

/// A set of tokens; in JSON an object whose every value is `true`.
///
/// Tokens are ASCII, so the order of the set is the order of canonical bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StringSet {
    /// Ascending, and each once.
    tokens: Vec<Token>,
}

impl StringSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { tokens: Vec::new() }
    }

    /// A set of the given texts; one given twice is there once.
    ///
    /// # Errors
    /// The first text that is not a token.
    pub fn of(texts: &[&str]) -> Result<Self, WordError> {
        texts.iter().map(|text| Token::new(text)).collect()
    }

    /// A set of tokens of which whoever calls has seen that each is greater than the one before.
    pub(crate) fn ascending(tokens: Vec<Token>) -> Self {
        debug_assert!(tokens.is_sorted_by(|one, next| one < next));
        Self { tokens }
    }

    /// Adds a token; false when it was there.
    pub fn insert(&mut self, token: Token) -> bool {
        match self.tokens.binary_search(&token) {
            Ok(_) => false,
            Err(at) => {
                self.tokens.insert(at, token);
                true
            }
        }
    }

    /// Whether the set has this text.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        self.tokens.binary_search_by(|token| token.as_bytes().cmp(text.as_bytes())).is_ok()
    }

    /// How many tokens there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The tokens in canonical order.
    pub fn iter(&self) -> std::slice::Iter<'_, Token> {
        self.tokens.iter()
    }
}

impl FromIterator<Token> for StringSet {
    fn from_iter<I: IntoIterator<Item = Token>>(tokens: I) -> Self {
        let mut set = Self::new();
        set.extend(tokens);
        set
    }
}

impl Extend<Token> for StringSet {
    fn extend<I: IntoIterator<Item = Token>>(&mut self, tokens: I) {
        self.tokens.extend(tokens);
        self.tokens.sort();
        self.tokens.dedup();
    }
}

impl<'a> IntoIterator for &'a StringSet {
    type Item = &'a Token;
    type IntoIter = std::slice::Iter<'a, Token>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault<T: fmt::Debug>(outcome: Result<T, WordError>) -> SchemaFault {
        outcome.unwrap_err().schema_fault()
    }

    #[test]
    fn tokens_begin_with_a_letter_or_digit() {
        for good in ["a", "0", "a_-:.", "9.9", &"z".repeat(128)] {
            assert_eq!(Token::new(good).unwrap().as_str(), good);
        }
        for bad in ["A", "_a", "-", ":x", ".x", "a b", "a/b", "a\n", "é", "ａ"] {
            assert_eq!(fault(Token::new(bad)), SchemaFault::Pattern, "{bad:?}");
        }
    }

    #[test]
    fn length_comes_before_pattern_and_counts_code_points() {
        assert_eq!(fault(Token::new("")), SchemaFault::MinLength);
        assert_eq!(fault(Token::new(&"Z".repeat(129))), SchemaFault::MaxLength);
        assert_eq!(fault(Token::new(&"é".repeat(128))), SchemaFault::Pattern);
        assert_eq!(Issuer::new(&"é".repeat(256)).unwrap().as_str().len(), 512);
        assert_eq!(Issuer::new(&"😀".repeat(256)).unwrap().as_str().chars().count(), 256);
        assert_eq!(fault(Issuer::new(&"😀".repeat(257))), SchemaFault::MaxLength);
        assert_eq!(fault(Issuer::new("")), SchemaFault::MinLength);
    }

    #[test]
    fn resources_may_hold_slashes_but_not_begin_with_one() {
        assert_eq!(Resource::new("db:orders/42").unwrap().as_str(), "db:orders/42");
        assert_eq!(Resource::new(&"a".repeat(256)).unwrap().as_str().len(), 256);
        assert_eq!(fault(Resource::new("/orders")), SchemaFault::Pattern);
        assert_eq!(fault(Resource::new(&"a".repeat(257))), SchemaFault::MaxLength);
    }

    #[test]
    fn content_types_have_one_slash_and_two_names() {
        for good in ["a/b", "application/vnd.api+json", "!#$&^_.+-/x"] {
            assert_eq!(ContentType::new(good).unwrap().as_str(), good);
        }
        for bad in ["abc", "a/b/c", "/ab", "ab/", "a/b;q=1", "a b/c", "a/b\n", "a/é"] {
            assert_eq!(fault(ContentType::new(bad)), SchemaFault::Pattern, "{bad:?}");
        }
        assert_eq!(fault(ContentType::new("a/")), SchemaFault::MinLength);
        assert_eq!(fault(ContentType::new(&"a/".repeat(65))), SchemaFault::MaxLength);
    }

    #[test]
    fn origins_have_no_space_and_no_plus() {
        assert_eq!(Origin::new("log.example/2026").unwrap().as_str(), "log.example/2026");
        for bad in ["a b", "a+b", "a\u{a0}b", "a\n", "é"] {
            assert_eq!(fault(Origin::new(bad)), SchemaFault::Pattern, "{bad:?}");
        }
        assert_eq!(fault(Origin::new(&"o".repeat(256))), SchemaFault::MaxLength);
    }

    #[test]
    fn integers_end_at_two_to_the_53_minus_one() {
        assert_eq!(SafeInt::new((1 << 53) - 1).unwrap(), SafeInt::MAX);
        assert_eq!(fault(SafeInt::new(1 << 53)), SchemaFault::Maximum);
        assert_eq!(Millis::saturating(u64::MAX).get(), 9_007_199_254_740_991);
    }

    #[test]
    fn sets_keep_canonical_order() {
        let set = StringSet::of(&["b", "a.z", "a-z", "b"]).unwrap();
        let texts: Vec<&str> = set.iter().map(Token::as_str).collect();
        assert_eq!(texts, ["a-z", "a.z", "b"]);
        assert!(set.contains("b") && !set.contains("c"));
    }

    #[test]
    fn sets_take_a_token_once_wherever_it_belongs() {
        let mut set = StringSet::new();
        for (text, is_new) in [("m", true), ("z", true), ("a", true), ("m", false), ("a", false), ("b", true)]
        {
            assert_eq!(set.insert(Token::new(text).unwrap()), is_new, "{text}");
        }
        set.extend(StringSet::of(&["c", "z", "0"]).unwrap().iter().cloned());
        assert_eq!(set, StringSet::of(&["0", "a", "b", "c", "m", "z"]).unwrap());
        assert_eq!((set.len(), set.is_empty()), (6, false));
    }

    #[test]
    fn errors_are_sentences() {
        assert_eq!(
            Issuer::new(&"x".repeat(300)).unwrap_err().to_string(),
            "an issuer is 300 characters long; at most 256 are allowed"
        );
        assert_eq!(
            Token::new("Foo\u{1b}").unwrap_err().to_string(),
            "a token is \"Foo\\u{1b}\"; expected a token: lower-case letters, digits and _ - : . \
             with a letter or digit first"
        );
    }
}
