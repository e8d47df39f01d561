//! The target that reads a filter of `query`.

use proofline_query::{Filter, MAX_DEPTH, MAX_FILTER_BYTES};

/// A text that is a filter prints as one that is the same filter, unless that is longer or deeper than a filter
/// may be; one that is none has a place inside the text, and can be drawn on two lines.
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<Filter>() {
        Ok(filter) => {
            let printed = filter.to_string();
            let opens = printed.matches('(').count() + printed.matches("not ").count();
            if printed.len() <= MAX_FILTER_BYTES && opens < MAX_DEPTH {
                assert_eq!(printed.parse::<Filter>().as_ref(), Ok(&filter), "{printed}");
            }
        }
        Err(error) => {
            assert!(text.get(error.at.clone()).is_some(), "{:?} is no place of the text", error.at);
            assert!(error.code().starts_with("query."));
            let [line, marks] = error.drawn();
            assert!(!line.contains('\n') && marks.trim_start().chars().all(|mark| mark == '^'));
        }
    }
}
