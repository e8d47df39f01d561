//! Text from evidence, file names and the system, made fit for a terminal: nothing that it shows can move the
//! cursor, change colours, reverse the order of what stands beside it, or be there without being seen.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

use proofline::proof::SIGNER_KEY_PREFIX;
pub(crate) use proofline::replay::report::safe_json;
pub(crate) use proofline::trace::is_treacherous;

/// What cuts a long text.
const ELLIPSIS: char = '…';

/// The text with every treacherous character spelled out, as in `\u{1b}`.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if !text.contains(is_treacherous) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        push_safe(&mut shown, c);
    }
    Cow::Owned(shown)
}

fn push_safe(shown: &mut String, c: char) {
    match c {
        '\n' => shown.push_str("\\n"),
        '\r' => shown.push_str("\\r"),
        '\t' => shown.push_str("\\t"),
        c if is_treacherous(c) => {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        }
        c => shown.push(c),
    }
}

/// [`safe`], and at most `max_chars` characters long; what is longer ends in an ellipsis.
pub(crate) fn safe_cut(text: &str, max_chars: usize) -> String {
    // A character takes ten at most when spelled out, so no more than this many can be needed.
    let enough = text.char_indices().nth(max_chars.saturating_add(1)).map_or(text.len(), |(at, _)| at);
    cut(safe(text.get(..enough).unwrap_or(text)).into_owned(), max_chars)
}

/// At most `max_chars` characters of a text that is safe already.
pub(crate) fn cut(text: String, max_chars: usize) -> String {
    if text.chars().nth(max_chars).is_none() {
        return text;
    }
    text.chars().take(max_chars.saturating_sub(1)).chain([ELLIPSIS]).collect()
}

/// Bytes that may be no text, with those that are not spelled out as in `\xff`.
pub(crate) fn safe_bytes(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        shown.push_str(&safe(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// What stands where a secret key stood.
const SECRET_SHOWN: &str = "PRIVATE+KEY+(not shown)";

/// The text without the secret keys in it: an argument that was meant for another place may be one, and messages
/// repeat arguments. A key's name has any character but white space, so nothing else ends one.
pub(crate) fn without_secrets(text: &str) -> Cow<'_, str> {
    if !text.contains(SIGNER_KEY_PREFIX) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(SIGNER_KEY_PREFIX);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end =
            part.find(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`')).unwrap_or(part.len());
        shown.push_str(SECRET_SHOWN);
        shown.push_str(part.get(end..).unwrap_or_default());
    }
    Cow::Owned(shown)
}

/// A path as it can be shown.
pub(crate) fn safe_path(path: &Path) -> String {
    safe_os(path.as_os_str())
}

/// An argument or file name as it can be shown.
pub(crate) fn safe_os(text: &OsStr) -> String {
    safe_bytes(text.as_encoded_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_gets_through() {
        let hostile = "\x1b[2J\x1b]0;owned\x07 \u{9b}31m \u{202e}gpj.exe\u{2066} a\u{200b}b \r\nc\u{e0041}";
        let shown =
            r"\u{1b}[2J\u{1b}]0;owned\u{7} \u{9b}31m \u{202e}gpj.exe\u{2066} a\u{200b}b \r\nc\u{e0041}";
        assert_eq!(safe(hostile), shown);
        assert_eq!(safe("Zoë, 東京, plain"), "Zoë, 東京, plain");
    }

    #[test]
    fn long_texts_end_in_an_ellipsis() {
        assert_eq!(safe_cut("abcdef", 6), "abcdef");
        assert_eq!(safe_cut("abcdefg", 6), "abcde…");
        assert_eq!(safe_cut(&"x".repeat(1 << 20), 4), "xxx…");
        assert_eq!(safe_cut("ééééé", 4), "ééé…");
    }

    #[test]
    fn names_that_are_no_text_are_spelled_out() {
        assert_eq!(safe_bytes(b"a\xff\xfe b\n"), "a\\xff\\xfe b\\n");
    }

    #[test]
    fn secret_keys_are_left_out_of_messages() {
        let secret = "PRIVATE+KEY+log.example/x+00112233+AQIDBA==";
        let text = format!("invalid value '{secret}' for '<DIR>'\n{secret} {secret}\n  try: help");
        let shown = without_secrets(&text);
        assert!(!shown.contains("AQIDBA") && !shown.contains("log.example"), "{shown}");
        assert_eq!(shown.matches("PRIVATE+KEY+(not shown)").count(), 3);
        assert!(shown.ends_with("\n  try: help") && shown.contains(" for '<DIR>'"), "{shown}");
        assert_eq!(without_secrets("PRIVATE+KE +"), "PRIVATE+KE +");
    }

    #[test]
    fn json_keeps_its_value() {
        let text = "\u{202e}\u{7f}\u{9b}\u{e0041}é";
        let json = safe_json(serde_json::to_string(text).unwrap());
        assert_eq!(json, r#""\u202e\u007f\u009b\udb40\udc41é""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
