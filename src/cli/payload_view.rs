//! Two payloads line by line, for people: what only one has, with its marks, and why there may be no lines.

use proofline::replay::{LineChange, PayloadDiff, PayloadState};

use super::output::Paint;
use super::safe::safe_cut;

/// The lines, each at most so wide, the first of them naming the payload.
pub(crate) fn payload_lines(paint: Paint, diff: &PayloadDiff, columns: usize) -> Vec<String> {
    let says = match diff.state {
        PayloadState::Compared if diff.lines.is_empty() && diff.is_cut => {
            "no difference in what was compared"
        }
        PayloadState::Compared if diff.lines.is_empty() => "the same text",
        PayloadState::Compared => "",
        PayloadState::NotAtHand => "one of the two is not at hand, or neither",
        PayloadState::NotText => "one of the two is no text, or neither",
        PayloadState::TooLong => "one of the two is too long to be compared",
    };
    let title =
        if says.is_empty() { format!("{}:", diff.member) } else { format!("{}: {says}", diff.member) };
    let mut lines = vec![paint.faint(&title)];
    for (change, text) in &diff.lines {
        let (mark, text) = match change {
            LineChange::Same => (' ', safe_cut(text, columns.saturating_sub(2))),
            LineChange::Removed => ('-', safe_cut(text, columns.saturating_sub(2))),
            LineChange::Added => ('+', safe_cut(text, columns.saturating_sub(2))),
            LineChange::Skipped => {
                ('@', format!("{text} equal {}", if text == "1" { "line" } else { "lines" }))
            }
        };
        let line = format!("{mark} {text}");
        let line = line.trim_end();
        lines.push(match change {
            LineChange::Same => line.to_owned(),
            LineChange::Removed => paint.bad(line),
            LineChange::Added => paint.good(line),
            LineChange::Skipped => paint.faint(line),
        });
    }
    if diff.is_cut {
        lines.push(paint.faint("cut: there is more than is compared and shown"));
    }
    lines
}
