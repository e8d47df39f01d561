//! The branches of a drawn tree, and the words beside them in lines.

use super::output::Paint;
use super::record_facts::{Phrase, Tone};
use super::safe::safe;

/// What a tree is drawn with; all branches of a set are equally wide.
pub(crate) struct Glyphs {
    branch: &'static str,
    last: &'static str,
    pipe: &'static str,
    blank: &'static str,
    /// What was left out.
    pub(crate) deeper: &'static str,
    /// From one value to another.
    pub(crate) arrow: &'static str,
    /// Behind a text that goes on.
    pub(crate) more: &'static str,
}

const UNICODE: Glyphs =
    Glyphs {
        branch: "├─ ", last: "└─ ", pipe: "│  ", blank: "   ", deeper: "⋯ ", arrow: "→", more: "…"
    };
const ASCII: Glyphs =
    Glyphs { branch: "|- ", last: "`- ", pipe: "|  ", blank: "   ", deeper: "... ", arrow: "->", more: ".." };

/// The width of a level.
pub(crate) const LEVEL_CHARS: usize = 3;
/// The least that is left for words.
pub(crate) const WORDS_CHARS: usize = 40;
/// Continued lines stand in by this much.
pub(crate) const CONTINUED: &str = "    ";
/// However narrow it is, so many levels are drawn.
const LEAST_LEVELS: usize = 4;

impl Glyphs {
    pub(crate) const fn of(ascii: bool) -> &'static Self {
        if ascii { &ASCII } else { &UNICODE }
    }

    /// The branches before a span's line, `levels` of them at most. `lasts` says of the span and all above it, from
    /// the top, whether each is the last on its level.
    pub(crate) fn front(&self, lasts: &[bool], levels: usize) -> String {
        self.drawn(lasts, levels, true)
    }

    /// The branches before the lines below it.
    pub(crate) fn front_below(&self, lasts: &[bool], levels: usize, has_children: bool) -> String {
        let mut front = self.drawn(lasts, levels, false);
        if has_children {
            front.push_str(self.pipe);
        }
        front
    }

    fn drawn(&self, lasts: &[bool], levels: usize, is_first: bool) -> String {
        let Self { branch, last, pipe, blank, deeper, .. } = self;
        let drawn = lasts.get(1..).unwrap_or_default();
        let hidden = drawn.len().saturating_sub(levels.max(LEAST_LEVELS));
        let mut front = if hidden > 0 { format!("{}{deeper}", lasts.len() - 1) } else { String::new() };
        if !is_first {
            front = " ".repeat(front.chars().count());
        }
        let shown = drawn.get(hidden..).unwrap_or_default();
        for (index, is_last) in shown.iter().enumerate() {
            let is_own = is_first && index + 1 == shown.len();
            front.push_str(match (is_own, *is_last) {
                (true, true) => last,
                (true, false) => branch,
                (false, true) => blank,
                (false, false) => pipe,
            });
        }
        front
    }
}

/// How many characters a line of phrases takes.
pub(crate) fn chars(line: &[Phrase]) -> usize {
    let words: usize = line.iter().map(|(text, _)| text.chars().count()).sum();
    words + line.len().saturating_sub(1)
}

/// Phrases in lines: each on the line of the one before if it fits there, cut into pieces if it fits on none.
pub(crate) fn wrap(phrases: &[Phrase], first_chars: usize, more_chars: usize) -> Vec<Vec<Phrase>> {
    let mut lines: Vec<Vec<Phrase>> = vec![Vec::new()];
    for (text, tone) in phrases {
        let mut rest = safe(text).into_owned();
        while !rest.is_empty() {
            let room = if lines.len() == 1 { first_chars } else { more_chars };
            let Some(line) = lines.last_mut() else { return lines };
            let taken = chars(line) + usize::from(!line.is_empty());
            let length = rest.chars().count();
            if taken + length <= room {
                line.push((std::mem::take(&mut rest), *tone));
            } else if line.is_empty() {
                let cut = rest.char_indices().nth(room.max(1)).map_or(rest.len(), |(at, _)| at);
                let more = rest.split_off(cut);
                line.push((std::mem::replace(&mut rest, more), *tone));
                lines.push(Vec::new());
            } else {
                lines.push(Vec::new());
            }
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// A line of phrases in its colours.
pub(crate) fn painted(paint: Paint, line: &[Phrase], is_struck: bool) -> String {
    if is_struck {
        let texts: Vec<&str> = line.iter().map(|(text, _)| text.as_str()).collect();
        return paint.struck(&texts.join(" "));
    }
    let texts = line.iter().map(|(text, tone)| match tone {
        Tone::Plain => text.clone(),
        Tone::Strong => paint.strong(text),
        Tone::Good => paint.good(text),
        Tone::Bad => paint.bad(text),
        Tone::Odd => paint.odd(text),
        Tone::Faint => paint.faint(text),
    });
    texts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(phrases: &[&str], first: usize, more: usize) -> Vec<String> {
        let phrases: Vec<Phrase> = phrases.iter().map(|text| ((*text).to_owned(), Tone::Plain)).collect();
        let text = |line: Vec<Phrase>| line.into_iter().map(|(text, _)| text).collect::<Vec<_>>().join(" ");
        wrap(&phrases, first, more).into_iter().map(text).collect()
    }

    #[test]
    fn phrases_stay_whole_where_a_line_can_hold_them() {
        assert_eq!(lines(&["allow", "mail.send", "lists/all"], 15, 12), ["allow mail.send", "lists/all"]);
        assert_eq!(lines(&["allow", "abcdefghijkl"], 8, 5), ["allow", "abcde", "fghij", "kl"]);
        assert_eq!(lines(&[], 8, 5), Vec::<String>::new());
    }
}
