//! How a value becomes a line: canonical JSON, with what a terminal would obey or hide spelled as escapes, so that a
//! report can be looked at with any tool.

use std::fmt::Write as _;

use proofline_canon::{Profile, Value};

use super::error::ReportError;

/// Characters that a terminal obeys or hides instead of showing them.
#[must_use]
pub const fn is_treacherous(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}'                             // controls, C1 included
        | '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{feff}'                      // soft hyphen, joiners, byte order mark
        | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'       // zero width and directions
        | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{206f}'                   // line ends, isolates, invisible signs
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' // blank letters
        | '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}'                   // variation selectors
        | '\u{fff0}'..='\u{fffb}'                                             // interlinear annotations
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'               // format controls
        | '\u{e0000}'..='\u{e0fff}') // tags
}

/// JSON text with treacherous characters as `\u` escapes: another spelling of the same value. In JSON they can
/// only stand inside strings, so no parsing is needed.
#[must_use]
pub fn safe_json(json: String) -> String {
    if !json.contains(is_treacherous) {
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
