//! JSON Pointer (RFC 6901): the name of a place inside a document, for errors.

use std::fmt;

use crate::value::Value;

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

    /// Reads the text form (RFC 6901 §3): empty, or steps that each begin with a slash; `~` only as `~0` or `~1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::root());
        }
        let steps = text.strip_prefix('/')?.split('/');
        steps.map(unescaped).try_fold(Self::root(), |above, step| Some(above.child(&step?)))
    }

    /// The names and places on the way from the whole document, unescaped.
    pub fn steps(&self) -> impl Iterator<Item = String> {
        self.0.split('/').skip(1).map(|step| unescaped(step).unwrap_or_default())
    }

    /// The value at this place in a document (RFC 6901 §4); none where there is none.
    #[must_use]
    pub fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        self.steps().try_fold(document, |value, step| match value {
            Value::Array(items) => items.get(Self::array_index(&step)?),
            _ => value.get(&step),
        })
    }

    /// A step as a place in an array: digits without a leading zero.
    #[must_use]
    pub fn array_index(step: &str) -> Option<usize> {
        let is_plain =
            step.bytes().all(|byte| byte.is_ascii_digit()) && (step == "0" || !step.starts_with('0'));
        if is_plain { step.parse().ok() } else { None }
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

/// A step between slashes as the name that it stands for.
fn unescaped(step: &str) -> Option<String> {
    let mut pieces = step.split('~');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (escaped, rest) = match piece.strip_prefix('0') {
            Some(rest) => ('~', rest),
            None => ('/', piece.strip_prefix('1')?),
        };
        plain.push(escaped);
        plain.push_str(rest);
    }
    Some(plain)
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
    use crate::{Limits, parse};

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

    #[test]
    fn pointers_read_back_as_they_were_written() {
        for text in ["", "/", "/trace/span_id", "/a~1b/~0", "//0/é"] {
            assert_eq!(Pointer::parse(text).unwrap().to_string(), text);
        }
        for bad in ["trace", "/a~", "/a~2", "~0"] {
            assert_eq!(Pointer::parse(bad), None, "{bad}");
        }
    }

    /// The document and the answers of RFC 6901 §5, and places that it does not have.
    #[test]
    fn rfc_6901_places_are_found() {
        let text =
            br#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
        let document = parse(text, &Limits::CONTENT).unwrap();
        let found = |pointer: &str| {
            let value = Pointer::parse(pointer).unwrap().find(&document).cloned();
            value
                .map(|value| String::from_utf8(value.to_canonical(crate::Profile::Content).unwrap()).unwrap())
        };
        for (pointer, value) in [
            ("/foo", r#"["bar","baz"]"#),
            ("/foo/0", r#""bar""#),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ] {
            assert_eq!(found(pointer).as_deref(), Some(value), "{pointer}");
        }
        assert_eq!(Pointer::root().find(&document), Some(&document));
        for absent in ["/bar", "/foo/2", "/foo/00", "/foo/-", "/foo/+1", "/foo/0/x", "/foo/"] {
            assert_eq!(found(absent), None, "{absent}");
        }
    }
}
