//! The seam between a decision and what makes it.

use std::fmt;
use std::sync::Arc;

use proofline_trace::Token;
use thiserror::Error;

use crate::answer::Answer;
use crate::question::Question;

/// Reads policies of one language.
pub trait PolicyEngine: Send + Sync + fmt::Debug {
    /// Its name, as reports and sealed verdicts cite it.
    fn name(&self) -> &'static str;

    /// Its version: another version may read the same bytes otherwise.
    fn version(&self) -> String;

    /// Reads a policy. Loading is dear and asking is cheap: load once and share.
    ///
    /// # Errors
    /// [`PolicyError`]: these bytes are no policy that this engine can ask.
    fn load(&self, bytes: &[u8]) -> Result<Arc<dyn Policy>, PolicyError>;
}

/// A loaded policy.
pub trait Policy: Send + Sync + fmt::Debug {
    /// What the engine answers, its errors included. Never fails and never blocks: an error is part of the answer.
    fn ask(&self, question: &Question<'_>) -> Answer;

    /// Appends all of the question that the answer depends on, so that questions with the same view have the same
    /// answer. False where that is not known; `view` then holds nothing of use.
    fn write_view(&self, question: &Question<'_>, view: &mut Vec<u8>) -> bool {
        let _ = (question, view);
        false
    }
}

/// Why bytes are no policy. The place is in the bytes given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The bytes are no UTF-8.
    #[error("the policy is no UTF-8: byte {offset} is at fault")]
    Encoding {
        /// The first byte that is none.
        offset: usize,
    },
    /// The text is no policy of the language.
    #[error("the policy cannot be read{}: {message}", on_line(*.line))]
    Syntax {
        /// What the engine says. Not stable between its versions.
        message: String,
        /// The line, from 1, where it is known.
        line: Option<usize>,
    },
    /// A template, which decides nothing until somebody links it.
    #[error("the policy holds the template {id:?}, on line {line}, which decides nothing until it is linked")]
    Template {
        /// The template's `@id`; empty where it has none.
        id: String,
        /// The line where it begins, from 1.
        line: usize,
    },
    /// A statement without `@id`.
    #[error("statement {statement} of the policy, on line {line}, has no @id")]
    NoId {
        /// Which one, from 1.
        statement: usize,
        /// The line where it begins, from 1.
        line: usize,
    },
    /// Two statements with one `@id`.
    #[error("two statements of the policy, on lines {first} and {line}, have the id {id:?}")]
    DuplicateId {
        /// The id.
        id: String,
        /// The line where the second one begins, from 1.
        line: usize,
        /// The line where the first one begins.
        first: usize,
    },
    /// An `@id` that says what only the gate may say.
    #[error("the id {id}, on line {line}, is reserved: it is the reason of a decision whose policy failed")]
    ReservedId {
        /// The id.
        id: Token,
        /// The line where the statement begins, from 1.
        line: usize,
    },
    /// Longer than is read.
    #[error("the policy has {bytes} bytes; at most {limit} are read")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Nested, or chained, deeper than is evaluated on any stack.
    #[error("the policy is too deep on line {line}: {what}; at most {limit} are read")]
    TooDeep {
        /// The line, from 1.
        line: usize,
        /// What is too deep.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl PolicyError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Encoding { .. } => "cedar.encoding",
            Self::Syntax { .. } => "cedar.syntax",
            Self::Template { .. } => "cedar.template",
            Self::NoId { .. } => "cedar.no_id",
            Self::DuplicateId { .. } => "cedar.duplicate_id",
            Self::ReservedId { .. } => "cedar.reserved_id",
            Self::TooLong { .. } => "cedar.too_long",
            Self::TooDeep { .. } => "cedar.too_deep",
        }
    }

    /// The line of the fault, from 1, where it has one.
    #[must_use]
    pub const fn line(&self) -> Option<usize> {
        match self {
            Self::Encoding { .. } | Self::TooLong { .. } => None,
            Self::Syntax { line, .. } => *line,
            Self::Template { line, .. }
            | Self::NoId { line, .. }
            | Self::DuplicateId { line, .. }
            | Self::ReservedId { line, .. }
            | Self::TooDeep { line, .. } => Some(*line),
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Encoding { .. } => "save the policy as UTF-8",
            Self::Syntax { .. } => "mend the statement; docs/policy.md shows what a policy sees",
            Self::Template { .. } => {
                "write a policy in its place, with the principal and the resource filled in"
            }
            Self::NoId { .. } => {
                "give each statement an @id(\"...\"): it is the reason code of what it decides"
            }
            Self::DuplicateId { .. } => "give each statement an @id of its own",
            Self::ReservedId { .. } => "choose another @id",
            Self::TooLong { .. } => "split the policy",
            Self::TooDeep { .. } => "take the statement apart: several statements of one effect say the same",
        }
    }
}

/// ` on line 7`, where the line is known.
fn on_line(line: Option<usize>) -> String {
    line.map(|line| format!(" on line {line}")).unwrap_or_default()
}
