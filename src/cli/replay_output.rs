//! What a tool answers and what is recorded, line by line, below a failure of that kind.

use proofline::ledger::Snapshot;
use proofline::replay::{Means, OutputDifference};
use proofline::trace::Failure;
use similar::{ChangeTag, TextDiff};

use super::error::CliError;
use super::output::Out;
use super::safe::safe_cut;

/// Lines that are shown; a difference is longer than that where it says little.
const LINES_SHOWN: usize = 40;
/// Equal lines around those that differ.
const CONTEXT_LINES: usize = 2;
/// Lines of a side that are compared. A bound in lines and not in time: what is shown never rests on a clock.
const LINES_COMPARED: usize = 2_000;

/// What a tool call is run once more with.
pub(crate) struct Again<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) means: Means<'a>,
}

/// Shows both sides of a failed tool call, if it is one and both are text.
pub(crate) fn show(out: &mut Out, again: &Again<'_>, failure: &Failure) -> Result<(), CliError> {
    let Some(difference) = OutputDifference::find(again.snapshot, &again.means, failure)? else {
        return Ok(());
    };
    if !difference.is_steady {
        return out.line("    run once more it gave another answer: the tool is not deterministic");
    }
    let Some((recorded, answer)) = difference.texts() else { return Ok(()) };
    out.line("    recorded (-) and answered (+)")?;
    let mut left = LINES_SHOWN;
    for line in lines(recorded, answer) {
        let Some(fewer) = left.checked_sub(1) else {
            return out.line("      and more; the payloads have it all");
        };
        left = fewer;
        let (paint, width) = (out.paint(), out.columns().saturating_sub(6));
        let shown = safe_cut(&line, width);
        let shown = match line.as_bytes().first() {
            Some(b'-') => paint.bad(&shown),
            Some(b'+') => paint.good(&shown),
            _ => shown,
        };
        out.line(format_args!("      {shown}"))?;
    }
    Ok(())
}

/// The lines that differ, those around them, and where they stand; each behind its sign.
fn lines(recorded: &str, answer: &str) -> Vec<String> {
    let (before, after) = (head(recorded), head(answer));
    let diff = TextDiff::from_lines(before, after);
    let mut shown = diff.unified_diff();
    shown.context_radius(CONTEXT_LINES);
    let mut lines = Vec::new();
    for hunk in shown.iter_hunks() {
        lines.push(hunk.header().to_string());
        for change in hunk.iter_changes() {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign}{}", change.value().trim_end_matches('\n')));
            if change.missing_newline() {
                lines.push("\\ no newline at its end".to_owned());
            }
        }
    }
    if before.len() < recorded.len() || after.len() < answer.len() {
        lines.push(format!("\\ only the first {LINES_COMPARED} lines were compared"));
    }
    lines
}

/// As much of a text as is compared.
fn head(text: &str) -> &str {
    let end = text.match_indices('\n').nth(LINES_COMPARED - 1).map(|(at, _)| at + 1);
    text.get(..end.unwrap_or(text.len())).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `diff -U2` has them.
    #[test]
    fn lines_differ_as_diff_shows_them() {
        let (recorded, answer) = ("a\nb\nc\nd\ne\n", "a\nb\nc\nD\ne");
        assert_eq!(
            lines(recorded, answer),
            ["@@ -2,4 +2,4 @@", " b", " c", "-d", "-e", "+D", "+e", "\\ no newline at its end"]
        );
        assert_eq!(lines("5.0", "6.0").len(), 5);
        assert!(lines("same", "same").is_empty());
    }

    #[test]
    fn what_is_not_compared_is_said() {
        let long = "x\n".repeat(LINES_COMPARED);
        assert!(lines(&long, &long).is_empty());
        let cut = "\\ only the first 2000 lines were compared";
        assert_eq!(lines(&format!("{long}a"), &format!("{long}b")), [cut]);
    }
}
