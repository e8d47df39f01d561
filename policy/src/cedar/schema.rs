//! Whether a policy fits a schema: the shipped one, which says what a question maps to, and the actions of one's own.
//! Validation is strict, and a warning refuses as well: a `forbid` that can never apply protects nothing.

use std::collections::BTreeMap;

use cedar_policy::{EntityUid, Schema, SchemaFragment, ValidationMode, Validator};
use miette::Diagnostic;
use thiserror::Error;

use super::lexer::{Token, Tokens};
use super::mapping;
use super::samples::samples;
use super::statements::{self, Statement, Text, short};
use crate::engine::PolicyError;

/// The schema of what a question maps to: types of entities and of the context, and no actions.
pub const CEDAR_SCHEMA: &str = include_str!("../../schema/proofline.cedarschema");

/// The schema that is read at most.
const MAX_BYTES: usize = 1 << 20;

/// Brackets of a schema inside each other.
const MAX_BRACKETS: usize = 64;

/// The most faults that are listed of one policy.
const MAX_FAULTS: usize = 100;

/// Why a policy does not pass under a schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValidationError {
    /// It is no policy at all.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The schema is no UTF-8.
    #[error("the schema is no UTF-8: byte {offset} is at fault")]
    SchemaEncoding {
        /// The first byte that is none.
        offset: usize,
    },
    /// The text is no schema, or contradicts the shipped one, which stands before it.
    #[error("the schema cannot be read: {message}")]
    SchemaSyntax {
        /// What the engine says. Not stable between its versions.
        message: String,
        /// The line, from 1, where it is known.
        line: Option<usize>,
    },
    /// The schema is longer than is read.
    #[error("the schema has {bytes} bytes; at most {limit} are read")]
    SchemaTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The schema is nested deeper than is read on any stack.
    #[error("the schema is too deep on line {line}: at most {limit} brackets inside each other are read")]
    SchemaTooDeep {
        /// The line, from 1.
        line: usize,
        /// The limit.
        limit: usize,
    },
    /// An action of the schema does not take what every question maps to.
    #[error("the action {action} of the schema does not take what a question maps to: {message}")]
    SchemaAction {
        /// The action's id.
        action: String,
        /// What the engine says. Not stable between its versions.
        message: String,
    },
    /// Statements do not fit the schema.
    #[error("the policy does not fit the schema: {}", first(.0))]
    Statements(Vec<ValidationFault>),
}

/// What is wrong with a statement under a schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ValidationFault {
    /// The line where the statement begins, from 1.
    pub line: usize,
    /// Its `@id`.
    pub id: String,
    /// True for what the engine alone would let pass, such as a statement that can never apply.
    pub is_warning: bool,
    /// What the engine says. Not stable between its versions.
    pub message: String,
}

impl ValidationError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Policy(error) => error.code(),
            Self::SchemaEncoding { .. } => "cedar.schema_encoding",
            Self::SchemaSyntax { .. } => "cedar.schema_syntax",
            Self::SchemaTooLong { .. } => "cedar.schema_too_long",
            Self::SchemaTooDeep { .. } => "cedar.schema_too_deep",
            Self::SchemaAction { .. } => "cedar.schema_action",
            Self::Statements(_) => "cedar.not_valid",
        }
    }

    /// The line of the fault, from 1, where it has one: in the schema, or in the policy for the policy's faults.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Policy(error) => error.line(),
            Self::SchemaSyntax { line, .. } => *line,
            Self::SchemaTooDeep { line, .. } => Some(*line),
            Self::Statements(faults) => faults.first().map(|fault| fault.line),
            Self::SchemaEncoding { .. } | Self::SchemaTooLong { .. } | Self::SchemaAction { .. } => None,
        }
    }

    /// True when the schema is at fault and not the policy.
    #[must_use]
    pub const fn is_of_schema(&self) -> bool {
        !matches!(self, Self::Policy(_) | Self::Statements(_))
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Policy(error) => error.hint(),
            Self::SchemaEncoding { .. } => "save the schema as UTF-8",
            Self::SchemaSyntax { .. } => "give your actions alone: the types of a question are known already",
            Self::SchemaTooLong { .. } => "leave out what no policy asks for",
            Self::SchemaTooDeep { .. } => "give inner types names of their own",
            Self::SchemaAction { .. } => {
                "write `appliesTo { principal: Actor, resource: Resource, context: Question }`"
            }
            Self::Statements(_) => "mend the statements, or declare in the schema what they name",
        }
    }
}

fn first(faults: &[ValidationFault]) -> String {
    let first = faults.first();
    let told = first.map(|it| format!("{:?}, on line {}: {}", it.id, it.line, it.message));
    let more = faults.len().saturating_sub(1);
    let more = if more == 0 { String::new() } else { format!("; and {more} more") };
    told.unwrap_or_default() + &more
}

/// Reads a policy and holds it against a schema.
pub(super) fn validate(policy: &[u8], schema: &[u8]) -> Result<Vec<Statement>, ValidationError> {
    let text = statements::read(policy)?;
    let schema = read(schema)?;
    let faults = faults(&text, schema);
    if faults.is_empty() { Ok(text.statements) } else { Err(ValidationError::Statements(faults)) }
}

fn read(bytes: &[u8]) -> Result<Schema, ValidationError> {
    if bytes.len() > MAX_BYTES {
        return Err(ValidationError::SchemaTooLong { bytes: bytes.len(), limit: MAX_BYTES });
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ValidationError::SchemaEncoding { offset: error.valid_up_to() })?;
    check_depth(text)?;
    let shipped = SchemaFragment::from_cedarschema_str(CEDAR_SCHEMA).map(|(fragment, _)| fragment);
    let own = SchemaFragment::from_cedarschema_str(text).map(|(fragment, _)| fragment);
    let shipped = shipped.map_err(|error| syntax(&error, None))?;
    let own = own.map_err(|error| syntax(&error, line_of(&error, text)))?;
    let schema = Schema::from_schema_fragments([shipped, own]).map_err(|error| syntax(&error, None))?;
    check_actions(&schema)?;
    Ok(schema)
}

fn syntax(error: &dyn std::fmt::Display, line: Option<usize>) -> ValidationError {
    ValidationError::SchemaSyntax { message: short(error), line }
}

fn line_of(error: &dyn Diagnostic, text: &str) -> Option<usize> {
    let label = error.labels()?.next()?;
    let before = text.as_bytes().get(..label.offset())?;
    Some(1 + before.iter().filter(|byte| **byte == b'\n').count())
}

/// The parser of schemas has no guard of its own, and `<` nests there as well.
fn check_depth(text: &str) -> Result<(), ValidationError> {
    let mut depth = 0_usize;
    for found in Tokens::of(text) {
        match found.token {
            Token::Open(_) | Token::Angle(b'<') => depth += 1,
            Token::Close(_) | Token::Angle(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_BRACKETS {
            return Err(ValidationError::SchemaTooDeep { line: found.line, limit: MAX_BRACKETS });
        }
    }
    Ok(())
}

/// An action that takes something else than questions map to would have policies validated that fail when asked.
fn check_actions(schema: &Schema) -> Result<(), ValidationError> {
    let mut actions: Vec<&EntityUid> = schema.actions().collect();
    actions.sort();
    for action in actions.into_iter().filter(|action| applies(schema, action)) {
        let refused = |message: String| ValidationError::SchemaAction {
            action: action.id().unescaped().to_owned(),
            message,
        };
        for sample in samples() {
            let mapped = mapping::request(&sample.question()).map_err(|fault| refused(fault.to_string()))?;
            mapping::conforms(&mapped.0, action, schema).map_err(|fault| refused(short(&fault)))?;
        }
    }
    Ok(())
}

/// Whether it is an action of its own and no mere group of others.
fn applies(schema: &Schema, action: &EntityUid) -> bool {
    schema.principals_for_action(action).is_some_and(|mut types| types.next().is_some())
}

fn faults(text: &Text, schema: Schema) -> Vec<ValidationFault> {
    let lines: BTreeMap<&str, usize> = text.statements.iter().map(|it| (it.id.as_str(), it.line)).collect();
    let result = Validator::new(schema).validate(&text.set, ValidationMode::Strict);
    let fault = |id: &str, is_warning, message: String| ValidationFault {
        line: lines.get(id).copied().unwrap_or_default(),
        id: id.to_owned(),
        is_warning,
        message,
    };
    let errors = result.validation_errors().map(|it| fault(it.policy_id().as_ref(), false, short(it)));
    let warnings = result.validation_warnings().map(|it| fault(it.policy_id().as_ref(), true, short(it)));
    let mut faults: Vec<_> = errors.chain(warnings).collect();
    faults.sort();
    faults.dedup();
    faults.truncate(MAX_FAULTS);
    faults
}
