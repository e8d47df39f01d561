//! How a value becomes a line: canonical JSON, with what a terminal would obey or hide spelled as escapes, so that a
//! report can be looked at with any tool.

use std::fmt::Write as _;

use proofline_canon::{Profile, Value};
use proofline_trace::is_treacherous;

use super::error::ReportError;

/// JSON text with treacherous characters as `\u` escapes: another spelling of the same value. In JSON they can
/// only stand inside strings, so no parsing is needed.
#[must_use]
pub fn safe_json(json: String) -> String {
    // Nearly all text is printable ASCII, of which nothing is treacherous.
    let is_plain = json.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if is_plain || !json.contains(is_treacherous) {
        return json;
    }
    let mut shown = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_treacherous(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The canonical text of a value, as it is.
pub(super) fn canonical(value: &Value) -> Result<String, ReportError> {
    let bytes = value.to_canonical(Profile::Envelope).map_err(ReportError::Value)?;
    Ok(String::from_utf8(bytes).unwrap_or_default()) // canonical bytes are UTF-8
}

/// A value as a line without its end.
pub(super) fn line(value: &Value) -> Result<String, ReportError> {
    canonical(value).map(safe_json)
}
