//! Names of other systems as Tokens: a statement of a policy, an operation of a span.

use proofline_canon::Sha256Digest;

use crate::words::Token;

/// What a name that is no Token begins with.
const ESCAPED: &str = "x.";
/// The readable part: with `x.` before it and `.` and 64 digits behind, it fills a Token.
const READABLE_CHARS: usize = 128 - ESCAPED.len() - 1 - HEX_DIGITS;
const HEX_DIGITS: usize = 64;

impl Token {
    /// The Token of any name: total, always the same, and injective as far as SHA-256 is.
    ///
    /// A name that is a Token is its own, unless it looks like one made here. Any other becomes
    /// `x.<readable part>.<SHA-256 of the name's UTF-8 in hex>`. The readable part is the name in ASCII lower case,
    /// each run of other characters than `a-z 0-9 _ - :` and `.` as one `-`, cut off after 61.
    ///
    /// ```
    /// use proofline_trace::Token;
    ///
    /// assert_eq!(Token::of_name("refund-limit").as_str(), "refund-limit");
    /// let made = Token::of_name("Refund limit (EU)");
    /// let digest = "37db826d6398d6234675eeaeb7e17dc0f8efc21eed066ad864fe0958e4d71490";
    /// assert_eq!(made.as_str(), format!("x.refund-limit-eu-.{digest}"));
    /// assert_ne!(Token::of_name(made.as_str()), made); // it is not taken for the name it stands for
    /// ```
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        match Self::new(name) {
            Ok(token) if !looks_escaped(name) => token,
            _ => escaped(name),
        }
    }
}

fn looks_escaped(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(ESCAPED) else { return false };
    rest.rsplit_once('.').is_some_and(|(_, digest)| digest.parse::<Sha256Digest>().is_ok())
}

#[expect(
    clippy::expect_used,
    reason = "a letter, bytes of the alphabet, 128 at most; a property test makes many"
)]
fn escaped(name: &str) -> Token {
    let text = format!("{ESCAPED}{}.{}", readable(name), Sha256Digest::of(name.as_bytes()));
    Token::new(&text).expect("an escaped name is a token")
}

fn readable(name: &str) -> String {
    let mut readable = String::new();
    let mut in_gap = false;
    for letter in name.chars() {
        let plain = letter.to_ascii_lowercase();
        let fits = plain.is_ascii_lowercase() || plain.is_ascii_digit() || "_-:.".contains(plain);
        if fits || !in_gap {
            readable.push(if fits { plain } else { '-' });
        }
        in_gap = !fits;
        if readable.len() == READABLE_CHARS {
            break;
        }
    }
    readable
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Digests by `printf '%s' NAME | sha256sum`.
    #[test]
    fn names_that_are_no_tokens_are_escaped() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Token::of_name("").as_str(), format!("x..{empty}"));
        let abc = "b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78";
        assert_eq!(Token::of_name("ABC").as_str(), format!("x.abc.{abc}"));
        assert_eq!(Token::of_name(&"é".repeat(200)).as_str().len(), "x.-.".len() + 64);
        assert_eq!(Token::of_name(&"A".repeat(200)).as_str().len(), 128);
        for plain in ["a", "x.y", "x.y.z", "policy-error", "0:_.-"] {
            assert_eq!(Token::of_name(plain).as_str(), plain);
        }
    }

    #[test]
    fn a_token_that_looks_escaped_is_escaped_again() {
        let (once, name) = (Token::of_name("A b"), "A b");
        let twice = Token::of_name(once.as_str());
        assert_ne!(once, twice);
        assert_ne!(twice, Token::of_name(name));
    }

    proptest! {
        #[test]
        fn no_two_names_share_a_token(names in proptest::collection::vec(".{0,40}|[a-z]{1,3}|x\\.[a-z]{0,2}\\.[0-9a-f]{64}", 1..40)) {
            let mut seen = BTreeMap::new();
            for name in names {
                let token = Token::of_name(&name);
                prop_assert_eq!(seen.entry(token).or_insert_with(|| name.clone()), &name);
            }
        }
    }
}
