//! What is wrong with the text of a filter: what, where, and what to do.

use std::ops::Range;

use thiserror::Error;

use crate::field::{Field, FieldType, nearest_of};
use crate::parse::{MAX_DEPTH, MAX_FILTER_BYTES, MAX_TERMS};

/// A text that is no filter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{fault}")]
pub struct FilterError {
    /// What is wrong.
    pub fault: FilterFault,
    /// Where, in bytes; empty at the end of the text.
    pub at: Range<usize>,
    text: String,
}

/// What is wrong with a filter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FilterFault {
    /// More than [`MAX_FILTER_BYTES`].
    #[error("the filter is {0} bytes long; at most {MAX_FILTER_BYTES} are allowed")]
    TooLong(usize),
    /// Brackets and `not` more than [`MAX_DEPTH`] deep.
    #[error("more than {MAX_DEPTH} brackets and `not` are open at once")]
    TooDeep,
    /// More than [`MAX_TERMS`] comparisons.
    #[error("there are more than {MAX_TERMS} comparisons and values")]
    TooManyTerms,
    /// A character that nothing begins with.
    #[error("{0:?} cannot stand here")]
    Character(char),
    /// A text in quotes that is no JSON string.
    #[error("this is no JSON string")]
    Text,
    /// Something else is expected.
    #[error("{} where {expected} is expected", found_text(found))]
    Expected {
        /// What stands there; empty at the end.
        found: String,
        /// What could.
        expected: &'static str,
    },
    /// A name that stands for nothing.
    #[error("there is no field {}{}", if name.is_empty() { "without a name" } else { name }, meant(nearest))]
    UnknownField {
        /// The name.
        name: String,
        /// One that there is.
        nearest: Option<String>,
    },
    /// A comparison that makes no sense for the field.
    #[error("{field} is {}; `{how}` says nothing of it", type_text(field.field_type()))]
    Comparison {
        /// The field.
        field: Field,
        /// The comparison.
        how: &'static str,
    },
    /// A value that the field never has.
    #[error("{field} is {}, never {value}{}", type_text(field.field_type()), meant_value(field, value))]
    Value {
        /// The field.
        field: Field,
        /// The value, as it was written.
        value: String,
    },
    /// `trace.any` within itself.
    #[error("a trace has no traces: one any(...) cannot stand in another")]
    Nested,
}

fn found_text(found: &str) -> String {
    if found.is_empty() { "the filter ends".to_owned() } else { format!("`{found}`") }
}

fn meant(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; is {name} meant?")).unwrap_or_default()
}

fn meant_value(field: &Field, value: &str) -> String {
    let FieldType::Named(names) = field.field_type() else { return String::new() };
    let nearest = nearest_of(value.trim_matches('"'), names.iter().copied());
    nearest.map(|name| format!("; is {name} meant?")).unwrap_or_default()
}

/// What values a field has, in words.
fn type_text(field_type: FieldType) -> String {
    match field_type {
        FieldType::Text => "a text".to_owned(),
        FieldType::Named(names) => format!("one of {}", names.join(", ")),
        FieldType::Hex(bytes) => format!("{} lower-case hex digits", bytes * 2),
        FieldType::Integer => "an integer".to_owned(),
        FieldType::Time => "a time, in RFC 3339 or Unix milliseconds".to_owned(),
        FieldType::Flag => "true or absent".to_owned(),
        FieldType::Set => "a set of tokens".to_owned(),
        FieldType::Any => "anything".to_owned(),
    }
}

impl FilterError {
    pub(crate) fn new(fault: FilterFault, at: Range<usize>, text: &str) -> Self {
        // One that is too long is not kept.
        let text = if matches!(fault, FilterFault::TooLong(_)) { String::new() } else { text.to_owned() };
        Self { fault, at, text }
    }

    /// A stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match &self.fault {
            FilterFault::TooLong(_) => "query.too_long",
            FilterFault::TooDeep => "query.too_deep",
            FilterFault::TooManyTerms => "query.too_many_terms",
            FilterFault::Character(_) => "query.character",
            FilterFault::Text => "query.text",
            FilterFault::Expected { .. } => "query.syntax",
            FilterFault::UnknownField { .. } => "query.unknown_field",
            FilterFault::Comparison { .. } => "query.comparison",
            FilterFault::Value { .. } => "query.value",
            FilterFault::Nested => "query.nested",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match &self.fault {
            FilterFault::TooLong(_) | FilterFault::TooDeep | FilterFault::TooManyTerms => {
                "ask in several questions"
            }
            FilterFault::Character(_) => "put a text in quotes, as in \"two words\"",
            FilterFault::Text => {
                "end it with a quote, and write a quote or backslash in it behind a backslash"
            }
            FilterFault::Expected { .. } => {
                "write it like: record_type = tool_call and (seq < 100 or not outcome.status = ok)"
            }
            FilterFault::UnknownField { .. } => "`proofline query --list-fields` lists the names",
            FilterFault::Comparison { .. } => {
                "texts know `~`, numbers and times `<`, sets `~` and `exists` alone"
            }
            FilterFault::Value { .. } => "write a value that the field can have",
            FilterFault::Nested => "take the inner one out and join both with `and`",
        }
    }

    /// In which character it begins, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        let before = self.text.get(..self.at.start).unwrap_or(&self.text);
        before.chars().rev().take_while(|c| *c != '\n').count() + 1
    }

    /// The line of the filter that it is in, and below it a line that points to the place. A character that is no
    /// plain one is drawn as `?`, and of a long line the part around the place.
    #[must_use]
    pub fn drawn(&self) -> [String; 2] {
        let before = self.text.get(..self.at.start).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let column = self.column() - 1;
        let skipped = column.saturating_sub(CHARS_BEFORE);
        let shown = line.chars().skip(skipped).take(CHARS_SHOWN).map(plain).collect();
        let marked = self.text.get(self.at.clone()).unwrap_or_default();
        let marks = marked.lines().next().unwrap_or_default().chars().count();
        let marks = marks.clamp(1, CHARS_SHOWN - CHARS_BEFORE);
        [shown, format!("{}{}", " ".repeat(column - skipped), "^".repeat(marks))]
    }
}

/// Of the line, at most so much is drawn, and before the place at most so much.
const CHARS_SHOWN: usize = 76;
const CHARS_BEFORE: usize = 40;

fn plain(c: char) -> char {
    if proofline_trace::is_treacherous(c) { '?' } else { c }
}
