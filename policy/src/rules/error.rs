//! Why bytes are no file of rules: what, in which line, and what to do about it.

use thiserror::Error;

use crate::engine::PolicyError;

/// Why bytes are no file of rules. The place is in the bytes given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The bytes are no text of statements under ids.
    #[error(transparent)]
    Statements(#[from] PolicyError),
    /// There is no rule, so nothing would be asked.
    #[error("the file holds no rule, so nothing would be checked")]
    Empty,
    /// A statement that permits.
    #[error("the rule {id:?} is a permit; a rule says what must not be, and only forbids")]
    Permit {
        /// The rule.
        id: String,
        /// Its line, from 1, where it is known.
        line: Option<usize>,
    },
    /// An annotation that says nothing here: probably a slip of the pen.
    #[error("the rule {id:?} has an annotation @{name}, which rules do not have")]
    Annotation {
        /// The rule.
        id: String,
        /// The annotation.
        name: String,
        /// Its line, from 1, where it is known.
        line: Option<usize>,
    },
    /// A severity that is none.
    #[error("the rule {id:?} has the severity {severity:?}")]
    Severity {
        /// The rule.
        id: String,
        /// What stands there.
        severity: String,
        /// Its line, from 1, where it is known.
        line: Option<usize>,
    },
    /// The rule does not fit the schema: it names what no record has, or compares what cannot be compared.
    #[error("the rule {id:?} does not fit the schema of records: {message}{}", and_others(*.others))]
    Schema {
        /// The rule.
        id: String,
        /// What the engine says. Not stable between its versions.
        message: String,
        /// The line, from 1, where it is known.
        line: Option<usize>,
        /// How many faults there are besides.
        others: usize,
    },
    /// The rule fits the schema and cannot be meant so: it never applies, or its texts mislead the eye.
    #[error("the rule {id:?} cannot be meant so: {message}{}", and_others(*.others))]
    Warning {
        /// The rule.
        id: String,
        /// What the engine says. Not stable between its versions.
        message: String,
        /// The line, from 1, where it is known.
        line: Option<usize>,
        /// How many warnings there are besides.
        others: usize,
    },
}

fn and_others(count: usize) -> String {
    if count == 0 { String::new() } else { format!(" (and {count} more like this)") }
}

impl RulesError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Statements(error) => error.code(),
            Self::Empty => "rules.empty",
            Self::Permit { .. } => "rules.permit",
            Self::Annotation { .. } => "rules.annotation",
            Self::Severity { .. } => "rules.severity",
            Self::Schema { .. } => "rules.schema",
            Self::Warning { .. } => "rules.warning",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Statements(PolicyError::Syntax { .. }) => {
                "mend the statement; docs/rules.md shows what a rule is"
            }
            Self::Statements(error) => error.hint(),
            Self::Empty => "write a rule: @id(\"...\") forbid(principal, action, resource) when { ... };",
            Self::Permit { .. } => "turn it round: forbid what it does not permit",
            Self::Annotation { .. } => {
                "rules have @id, @title, @control, @severity and @message; begin one of your own with x_"
            }
            Self::Severity { .. } => "write info, low, medium or high",
            Self::Schema { .. } => {
                "docs/rules.md lists what each kind of record has; ask for a member that may be absent with `has`"
            }
            Self::Warning { .. } => {
                "mend the rule: as it stands it would check nothing, or not what it seems to"
            }
        }
    }

    /// The line in the file, from 1, where it is known.
    #[must_use]
    pub const fn line(&self) -> Option<usize> {
        match self {
            Self::Statements(error) => error.line(),
            Self::Permit { line, .. }
            | Self::Annotation { line, .. }
            | Self::Severity { line, .. }
            | Self::Schema { line, .. }
            | Self::Warning { line, .. } => *line,
            Self::Empty => None,
        }
    }
}
