//! Codes of damage as they were written down. In this program they are constants; a report may come from another
//! version, which knows others, so those that are read are kept for good, and there are only so many.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// More than all versions together have.
const MOST_CODES: usize = 4096;
const MOST_BYTES: usize = 64;

static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The code of that text; none where it is no code, or one too many.
pub(super) fn code(text: &str) -> Option<&'static str> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(code) = known.get(text) {
        return Some(code);
    }
    if !is_code(text) || known.len() >= MOST_CODES {
        return None;
    }
    let code: &'static str = Box::leak(text.to_owned().into_boxed_str());
    known.insert(code);
    Some(code)
}

fn is_code(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    text.len() <= MOST_BYTES && text.contains('.') && text.split('.').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn codes_are_codes() {
        for text in ["log.link", "body.hash", "index.incomplete", "log.x_2"] {
            assert_eq!(code(text), Some(text));
            assert_eq!(code(text), Some(text));
        }
        for text in ["", ".", "log", "log.", ".link", "Log.link", "log.li nk", "log.é"] {
            assert_eq!(code(text), None, "{text}");
        }
        assert_eq!(code(&format!("log.{}", "x".repeat(61))), None);
    }
}
