//! Names of things, as newtypes over bytes: traces, spans, envelopes, ledgers.
//! Their one text form is lower-case hex of fixed length; nothing else parses.

use std::fmt;
use std::str::FromStr;

use proofline_canon::{Sha256Digest, hex, unhex};

use crate::phrase;
use crate::words::{WordError, WordFault, text_form};

macro_rules! hex_text {
    ($name:ident, $length:literal, $word:literal, $shape:literal) => {
        impl $name {
            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        text_form!($name);

        impl FromStr for $name {
            type Err = WordError;
            fn from_str(text: &str) -> Result<Self, WordError> {
                unhex::<$length>(text).and_then(|bytes| Self::checked(bytes)).ok_or_else(|| {
                    WordError::new($word, WordFault::Pattern { found: phrase::quoted(text), shape: $shape })
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }
    };
}

macro_rules! w3c_id {
    ($(#[$doc:meta])* $name:ident, $length:literal, $word:literal, $shape:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $length]);

        impl $name {
            /// An id of these bytes.
            ///
            /// # Errors
            /// All bytes are zero, which W3C Trace Context §3.2.2 calls invalid.
            pub fn from_bytes(bytes: [u8; $length]) -> Result<Self, WordError> {
                Self::checked(bytes).ok_or_else(|| {
                    let found = phrase::quoted(&hex(&bytes));
                    WordError::new($word, WordFault::Pattern { found, shape: $shape })
                })
            }

            pub(crate) fn checked(bytes: [u8; $length]) -> Option<Self> {
                (bytes != [0; $length]).then_some(Self(bytes))
            }
        }

        hex_text!($name, $length, $word, $shape);
    };
}

w3c_id!(
    /// A trace: 16 bytes, 32 lower-case hex digits, not all zero.
    TraceId,
    16,
    "a trace id",
    "a trace id: 32 lower-case hex digits, not all zero"
);

w3c_id!(
    /// A span of a trace: 8 bytes, 16 lower-case hex digits, not all zero.
    SpanId,
    8,
    "a span id",
    "a span id: 16 lower-case hex digits, not all zero"
);

/// A ledger: 16 random bytes, 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedgerId([u8; 16]);

impl LedgerId {
    /// An id of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    const fn checked(bytes: [u8; 16]) -> Option<Self> {
        Some(Self(bytes))
    }
}

hex_text!(LedgerId, 16, "a ledger id", "a ledger id: 32 lower-case hex digits");

/// A subject's sealing key, by its id: 32 bytes, 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectKeyId([u8; 32]);

impl SubjectKeyId {
    /// An id of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    const fn checked(bytes: [u8; 32]) -> Option<Self> {
        Some(Self(bytes))
    }
}

hex_text!(SubjectKeyId, 32, "a subject's key id", "a subject's key id: 64 lower-case hex digits");

/// The artifact key of an envelope: SHA-256 of its canonical bytes.
///
/// The name alone proves nothing; [`read_envelope`](crate::read_envelope) computes it,
/// [`certify`](crate::certify) compares it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvelopeHash(Sha256Digest);

impl EnvelopeHash {
    /// The key of these canonical bytes.
    #[must_use]
    pub fn of(canonical_bytes: &[u8]) -> Self {
        Self(Sha256Digest::of(canonical_bytes))
    }

    /// The key of each of these canonical bytes, in order: many at once take less time than one after the other.
    #[must_use]
    pub fn of_each(canonical_bytes: &[&[u8]]) -> Vec<Self> {
        Sha256Digest::of_each(canonical_bytes).into_iter().map(Self).collect()
    }

    /// A key read from somewhere as raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Sha256Digest::from_bytes(bytes))
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The digest it is.
    #[must_use]
    pub const fn digest(&self) -> Sha256Digest {
        self.0
    }
}

impl From<Sha256Digest> for EnvelopeHash {
    fn from(digest: Sha256Digest) -> Self {
        Self(digest)
    }
}

impl From<EnvelopeHash> for Sha256Digest {
    fn from(hash: EnvelopeHash) -> Self {
        hash.0
    }
}

text_form!(EnvelopeHash);

impl FromStr for EnvelopeHash {
    type Err = WordError;
    fn from_str(text: &str) -> Result<Self, WordError> {
        parse_digest(text).map(Self)
    }
}

/// `[0-9a-f]{64}`; a wrong length is a wrong pattern, for the contract gives it no length rule.
pub(crate) fn parse_digest(text: &str) -> Result<Sha256Digest, WordError> {
    unhex::<32>(text).map(Sha256Digest::from_bytes).ok_or_else(|| {
        let shape = "a SHA-256 digest: 64 lower-case hex digits";
        WordError::new("a digest", WordFault::Pattern { found: phrase::quoted(text), shape })
    })
}

impl fmt::Display for EnvelopeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for EnvelopeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lower_case_hex_of_the_right_length_is_an_id() {
        let text = "0af7651916cd43dd8448eb211c80319c";
        let id: TraceId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(id.as_bytes()[..3], [0x0a, 0xf7, 0x65]);
        for bad in ["", "0af7", "0AF7651916CD43DD8448EB211C80319C", "0af7651916cd43dd8448eb211c80319g"] {
            assert_eq!(bad.parse::<TraceId>().unwrap_err().code(), "trace.word_pattern", "{bad}");
        }
    }

    #[test]
    fn zero_names_no_trace_and_no_span_but_may_name_a_ledger() {
        assert_eq!("0".repeat(32).parse::<TraceId>().unwrap_err().code(), "trace.word_pattern");
        assert_eq!(SpanId::from_bytes([0; 8]).unwrap_err().code(), "trace.word_pattern");
        assert_eq!("0".repeat(32).parse::<LedgerId>().unwrap(), LedgerId::from_bytes([0; 16]));
    }

    #[test]
    fn hashes_sort_as_bytes_and_read_back() {
        let low = EnvelopeHash::from_bytes([0x0f; 32]);
        let high = EnvelopeHash::from_bytes([0xf0; 32]);
        assert!(low < high);
        assert_eq!(low.to_string(), "0f".repeat(32));
        assert_eq!("0f".repeat(32).parse::<EnvelopeHash>().unwrap(), low);
        assert_eq!("0F".repeat(32).parse::<EnvelopeHash>().unwrap_err().code(), "trace.word_pattern");
    }

    #[test]
    fn serde_goes_through_the_text_form() {
        let id: SpanId = "00f067aa0ba902b7".parse().unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"00f067aa0ba902b7\"");
        assert_eq!(serde_json::from_str::<SpanId>("\"00f067aa0ba902b7\"").unwrap(), id);
        let refused = serde_json::from_str::<SpanId>("\"0000000000000000\"").unwrap_err();
        assert!(refused.to_string().contains("not all zero"), "{refused}");
    }
}
