//! Which characters of a text from evidence a reader would not see for what they are: a terminal or a page obeys
//! them, hides them, or turns the order of what stands beside them.

/// Whether a character has to be spelled out wherever text of others is shown.
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
