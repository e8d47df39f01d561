//! Canonical bytes of a document whose members are known beforehand, and their order with them: written piece by
//! piece, without a [`Value`](crate::Value). The pieces are the caller's, and so is the promise that they add up.

use crate::digest::put_hex;
use crate::write::put_string;

/// Writes canonical bytes (RFC 8785) of a known shape.
///
/// ```
/// use proofline_canon::Emitter;
///
/// let mut emitter = Emitter::with_capacity(64);
/// emitter.piece(r#"{"count":"#).integer(17).piece(r#","name":"#).string("a \"b\"").piece("}");
/// assert_eq!(emitter.finish(), br#"{"count":17,"name":"a \"b\""}"#);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Emitter {
    out: Vec<u8>,
}

impl Emitter {
    /// Nothing yet, and room for so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    /// Appends text as it is: punctuation, names, and words that need no escape.
    pub fn piece(&mut self, piece: &str) -> &mut Self {
        self.raw(piece.as_bytes())
    }

    /// Appends bytes as they are; they are UTF-8.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// Appends a string: its quotes, and the escapes that it needs.
    pub fn string(&mut self, text: &str) -> &mut Self {
        put_string(&mut self.out, text);
        self
    }

    /// Appends lower-case hex, two digits a byte, without quotes.
    pub fn hex(&mut self, bytes: &[u8]) -> &mut Self {
        put_hex(&mut self.out, bytes);
        self
    }

    /// Appends an integer in plain digits. Above 2^53 - 1 that is not canonical.
    pub fn integer(&mut self, number: u64) -> &mut Self {
        let mut digits = [b'0'; LONGEST_U64];
        let mut rest = number;
        let mut first = LONGEST_U64;
        for (place, digit) in digits.iter_mut().enumerate().rev() {
            *digit = last_digit(rest);
            rest /= 10;
            first = place;
            if rest == 0 {
                break;
            }
        }
        self.raw(digits.get(first..).unwrap_or_default())
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.out
    }
}

const LONGEST_U64: usize = 20;

const fn last_digit(number: u64) -> u8 {
    b'0' + (number % 10) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Emitter;
    use crate::digest::hex;
    use crate::value::Value;
    use crate::write::Profile;

    fn emitted(write: impl FnOnce(&mut Emitter)) -> String {
        let mut emitter = Emitter::default();
        write(&mut emitter);
        String::from_utf8(emitter.finish()).unwrap()
    }

    #[test]
    fn integers_at_every_length() {
        for power in 0..20 {
            for number in [10_u64.pow(power) - 1, 10_u64.pow(power), 10_u64.pow(power) + 1] {
                assert_eq!(
                    emitted(|emitter| {
                        emitter.integer(number);
                    }),
                    number.to_string()
                );
            }
        }
        assert_eq!(
            emitted(|emitter| {
                emitter.integer(u64::MAX);
            }),
            u64::MAX.to_string()
        );
    }

    proptest! {
        #[test]
        fn parts_are_written_as_by_the_slow_writer(text in "(\\PC|[\\x00-\\x7f]){0,40}", number: u64) {
            let slow = Value::from(text.as_str()).to_canonical(Profile::Envelope).unwrap();
            prop_assert_eq!(emitted(|emitter| { emitter.string(&text); }).into_bytes(), slow);
            prop_assert_eq!(emitted(|emitter| { emitter.integer(number); }), number.to_string());
            prop_assert_eq!(emitted(|emitter| { emitter.hex(text.as_bytes()); }), hex(text.as_bytes()));
        }
    }
}
