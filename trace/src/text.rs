//! What a word of a record is kept as: most are a few letters long, and such take no allocation.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Texts up to here lie in the value itself, which then takes as much room as a `String`.
const INLINE_LEN: usize = 22;

/// A text that does not change.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Text(Repr);

/// A text that fits lies inside, and bytes past its length are zero, so that equal texts are equal.
#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE_LEN] },
    Heap(Box<str>),
}

impl Text {
    /// Keeps a text.
    pub(crate) fn new(text: &str) -> Self {
        let mut bytes = [0; INLINE_LEN];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(text.as_bytes());
                Self(Repr::Inline { len, bytes })
            }
            _ => Self(Repr::Heap(text.into())),
        }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Inline { .. } => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Repr::Heap(text) => text,
        }
    }

    /// Its bytes, which need no second look at whether they are UTF-8.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Heap(text) => text.as_bytes(),
        }
    }
}

/// As of `str`, which compares bytes.
impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As of `str`, for which words are borrowed.
impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use proptest::prelude::*;

    use super::{INLINE_LEN, Text};

    #[test]
    fn a_text_takes_three_words() {
        assert_eq!(size_of::<Text>(), 24);
    }

    #[test]
    fn texts_are_kept_whatever_their_length() {
        for length in [0, 1, INLINE_LEN - 1, INLINE_LEN, INLINE_LEN + 1, 300] {
            let text = "t".repeat(length);
            assert_eq!(Text::new(&text).as_str(), text);
            assert_ne!(Text::new(&text), Text::new(&format!("{text}\0")));
        }
    }

    proptest! {
        /// Equality, order and hash are those of `str`, on both sides of the border.
        #[test]
        fn a_text_behaves_as_str(one in "\\PC{0,14}|[a\\x00é]{0,30}", other in "\\PC{0,14}|[a\\x00é]{0,30}") {
            let (kept, beside) = (Text::new(&one), Text::new(&other));
            prop_assert_eq!(kept.as_str(), &one);
            prop_assert_eq!(kept == beside, one == other);
            prop_assert_eq!(kept.cmp(&beside), one.cmp(&other));
            let seed = RandomState::new();
            prop_assert_eq!(seed.hash_one(&kept), seed.hash_one(one.as_str()));
        }
    }
}
