//! JSON Pointer (RFC 6901): the name of a place inside a document, for errors.

use std::fmt;

/// A place in a document, in the text form of RFC 6901: empty for the whole document,
/// else `/` before each step, with `~` written `~0` and `/` written `~1`.
///
/// ```
/// use proofline_canon::Pointer;
///
/// let place = Pointer::root().child("a/b").index(2);
/// assert_eq!(place.to_string(), "/a~1b/2");
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer(String);

impl Pointer {
    /// The whole document.
    #[must_use]
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// The member of this object with that name (unescaped).
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let mut text = String::with_capacity(self.0.len() + name.len() + 1);
        text.push_str(&self.0);
        text.push('/');
        for character in name.chars() {
            match character {
                '~' => text.push_str("~0"),
                '/' => text.push_str("~1"),
                other => text.push(other),
            }
        }
        Self(text)
    }

    /// The item of this array at that place, counted from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the whole document.
    #[must_use]
    pub const fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Pointer;

    /// The examples of RFC 6901 §5, built from the names they stand for.
    #[test]
    fn rfc_6901_examples() {
        let cases = [
            ("", "/"),
            ("a/b", "/a~1b"),
            ("c%d", "/c%d"),
            ("e^f", "/e^f"),
            ("g|h", "/g|h"),
            ("i\\j", "/i\\j"),
            ("k\"l", "/k\"l"),
            (" ", "/ "),
            ("m~n", "/m~0n"),
        ];
        for (name, text) in cases {
            assert_eq!(Pointer::root().child(name).as_str(), text);
        }
        assert_eq!(Pointer::root().child("foo").index(0).as_str(), "/foo/0");
        assert!(Pointer::root().is_root() && !Pointer::root().child("").is_root());
    }

    #[test]
    fn tilde_one_is_not_taken_for_a_slash() {
        assert_eq!(Pointer::root().child("~1").as_str(), "/~01");
    }
}
