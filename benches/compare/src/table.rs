//! Lines of the table, as Markdown and as JSON.

use std::fmt::Write;

use serde::Serialize;

use crate::failure::Failure;
use crate::machine::Machine;
use crate::measure::{Figure, shown};

/// Which way a ratio is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sense {
    /// The number must be at least the target.
    AtLeast,
    /// The number must be at most the target.
    AtMost,
}

/// What a number has to be.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) sense: Sense,
    pub(crate) must: Option<f64>,
    pub(crate) reach: Option<f64>,
}

impl Target {
    pub(crate) const fn at_least(must: f64, reach: f64) -> Option<Self> {
        Some(Self { sense: Sense::AtLeast, must: Some(must), reach: Some(reach) })
    }

    pub(crate) const fn at_most(must: f64, reach: f64) -> Option<Self> {
        Some(Self { sense: Sense::AtMost, must: Some(must), reach: Some(reach) })
    }

    /// What must be, where what is to be reached for has another yardstick.
    pub(crate) const fn must(must: f64) -> Option<Self> {
        Some(Self { sense: Sense::AtLeast, must: Some(must), reach: None })
    }

    /// The reverse.
    pub(crate) const fn reach(reach: f64) -> Option<Self> {
        Some(Self { sense: Sense::AtLeast, must: None, reach: Some(reach) })
    }

    fn is_met(self, wanted: Option<f64>, found: f64) -> bool {
        wanted.is_some_and(
            |wanted| if self.sense == Sense::AtLeast { found >= wanted } else { found <= wanted },
        )
    }

    /// In a word or two.
    fn verdict(self, found: f64) -> &'static str {
        match () {
            () if self.is_met(self.reach, found) => "reached",
            () if self.is_met(self.must, found) => "met",
            () if self.must.is_none() => "not reached",
            () => "missed",
        }
    }
}

/// One comparison.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    /// What was done.
    pub(crate) what: String,
    /// How it came out.
    pub(crate) ours: Figure,
    /// What it is held against.
    pub(crate) yardstick: String,
    /// How that came out, where it was measured.
    pub(crate) theirs: Option<Figure>,
    /// The number that the target is about.
    pub(crate) ratio: f64,
    /// None for what is only reported.
    pub(crate) target: Option<Target>,
    /// What else to know.
    pub(crate) note: String,
}

/// What became of a row.
#[derive(Debug, Serialize)]
pub(crate) struct Part {
    pub(crate) row: &'static str,
    pub(crate) lines: Vec<Line>,
    /// Why there is no line, or not every one.
    pub(crate) missing: Vec<String>,
}

impl Part {
    /// What was found; `missing` is what could not be measured although the rest could.
    pub(crate) fn of(row: &'static str, found: Result<Vec<Line>, Failure>, missing: Vec<String>) -> Self {
        match found {
            Ok(lines) => Self { row, lines, missing },
            Err(failure) => {
                let missing = missing.into_iter().chain([failure.to_string()]).collect();
                Self { row, lines: Vec::new(), missing }
            }
        }
    }
}

/// All of it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) parts: Vec<Part>,
}

impl Report {
    pub(crate) fn markdown(&self) -> String {
        let mut text = self.machine.markdown();
        text.push_str("\n| row | what | Proofline | yardstick | | ratio | must | reach | |\n");
        text.push_str("|---|---|---|---|---|---|---|---|---|\n");
        let mut notes = String::new();
        for part in &self.parts {
            for line in &part.lines {
                text.push_str(&row(part.row, line, self.machine.has_sha_extensions()));
                if !line.note.is_empty() {
                    let Line { what, yardstick, note, .. } = line;
                    let _ = writeln!(notes, "- `{}`, {what}, beside {yardstick}: {note}", part.row);
                }
            }
            for missing in &part.missing {
                let _ = writeln!(text, "| `{}` | {} | | | | | | | |", part.row, cell(missing));
            }
        }
        if notes.is_empty() { text } else { format!("{text}\n{notes}") }
    }
}

/// Targets are for processors without SHA extensions; on others a verdict stands in brackets.
fn row(name: &str, line: &Line, in_brackets: bool) -> String {
    let theirs = line.theirs.as_ref().map(figure).unwrap_or_default();
    let number = |wanted: Option<f64>| wanted.map(shown).unwrap_or_default();
    let (must, reach) = line.target.map_or((None, None), |target| (target.must, target.reach));
    let (must, reach) = (number(must), number(reach));
    let verdict = match line.target.map(|target| target.verdict(line.ratio)) {
        Some(verdict) if in_brackets => format!("({verdict})"),
        Some(verdict) => verdict.to_owned(),
        None => "reported".to_owned(),
    };
    format!(
        "| `{name}` | {} | {} | {} | {theirs} | **{}** | {must} | {reach} | {verdict} |\n",
        cell(&line.what),
        figure(&line.ours),
        cell(&line.yardstick),
        shown(line.ratio)
    )
}

/// The median, and between what the rounds lay.
fn figure(figure: &Figure) -> String {
    let Figure { median, least, most, rounds, unit } = figure;
    let range = if *rounds > 1 { format!(" ({}–{})", shown(*least), shown(*most)) } else { String::new() };
    format!("{} {unit}{range}", shown(*median))
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_missed_met_or_reached() {
        let rate = Target::at_least(1.0, 2.0).unwrap();
        assert_eq!([0.99, 1.0, 2.0].map(|found| rate.verdict(found)), ["missed", "met", "reached"]);
        let cost = Target::at_most(1.5, 1.1).unwrap();
        assert_eq!([1.51, 1.5, 1.1].map(|found| cost.verdict(found)), ["missed", "met", "reached"]);
        assert_eq!(rate.verdict(f64::NAN), "missed");
        let far = Target::reach(2.0).unwrap();
        assert_eq!([1.0, 2.0].map(|found| far.verdict(found)), ["not reached", "reached"]);
    }

    #[test]
    fn a_line_is_a_row_of_nine_cells() {
        let line = Line {
            what: "a|b".to_owned(),
            ours: Figure::of(vec![1.0, 3.0, 2.0], "MB/s"),
            yardstick: "x".to_owned(),
            theirs: None,
            ratio: 2.0,
            target: Target::at_least(1.0, 4.0),
            note: String::new(),
        };
        let text = row("r", &line, false);
        assert_eq!(text, "| `r` | a\\|b | 2.00 MB/s (1.00–3.00) | x |  | **2.00** | 1.00 | 4.00 | met |\n");
        assert!(row("r", &line, true).ends_with(" | (met) |\n"));
    }
}
