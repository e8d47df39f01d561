//! The small words of messages for people: quotes, places, kinds of values.
//! Whatever a record brings is hostile here: it is escaped and cut, so that no message
//! carries a control character, a bidirectional override or a megabyte of text.

use proofline_canon::{Pointer, Value};

/// How much of a hostile string a message shows, in characters.
const SHOWN_CHARS: usize = 48;

/// `text` in double quotes, escaped, at most 48 characters of it.
pub(crate) fn quoted(text: &str) -> String {
    shortened(text, |head| format!("{head:?}"))
}

/// A pointer in back quotes, or `document` for the root: the subject of a sentence.
pub(crate) fn place(pointer: &Pointer, document: &str) -> String {
    let text = pointer.to_string();
    if text.is_empty() {
        return document.to_owned();
    }
    shortened(&text, |head| {
        let escaped = format!("{head:?}");
        format!("`{}`", escaped.trim_matches('"'))
    })
}

fn shortened(text: &str, show: impl Fn(&str) -> String) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        None => show(text),
        Some((cut, _)) => {
            let head = text.get(..cut).unwrap_or_default();
            format!("{}... ({} characters)", show(head), text.chars().count())
        }
    }
}

/// What kind of JSON value this is, with its article.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A scalar as it stands, anything larger by its kind.
pub(crate) fn found(value: &Value) -> String {
    match value {
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => literal(number.literal()),
        Value::String(text) => quoted(text),
        other => kind_of(other).to_owned(),
    }
}

/// A number's literal, cut where it is absurdly long.
pub(crate) fn literal(text: &str) -> String {
    shortened(text, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_escaped_and_cut() {
        assert_eq!(quoted("a\u{1b}[31m\"\n"), r#""a\u{1b}[31m\"\n""#);
        assert_eq!(quoted("\u{202e}cod"), r#""\u{202e}cod""#);
        let long = "x".repeat(300);
        assert_eq!(quoted(&long), format!("\"{}\"... (300 characters)", "x".repeat(48)));
    }

    #[test]
    fn places_are_named_for_people() {
        assert_eq!(place(&Pointer::root(), "the envelope"), "the envelope");
        assert_eq!(place(&Pointer::root().child("trace").child("a\u{7}b"), "-"), r"`/trace/a\u{7}b`");
    }
}
