//! A text of Cedar statements, each under its `@id`, with what it obliges to. Statements are parsed one by one, so
//! that a fault is told with its line and no text makes a parser hoard what is wrong with it.

use std::collections::BTreeMap;

use cedar_policy::{Effect, ParseErrors, Policy, PolicyId, PolicySet, Template};
use miette::Diagnostic;
use proofline_trace::{DecisionResult, Token};

use super::caps::{Piece, pieces};
use crate::answer::POLICY_ERROR;
use crate::engine::PolicyError;

/// The text that is read at most.
pub(super) const MAX_BYTES: usize = 16 << 20;

/// Of what Cedar says, this many characters are kept.
const MAX_MESSAGE_CHARS: usize = 500;

/// A statement of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statement {
    /// Its `@id`.
    pub id: String,
    /// What it decides where it applies.
    pub effect: DecisionResult,
    /// What it obliges the caller to, by name, in the order of the annotations' keys.
    pub obligations: Vec<String>,
    /// The line where it begins, from 1.
    pub line: usize,
}

/// A text as it was read.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) set: PolicySet,
    /// In the order of the text.
    pub(super) statements: Vec<Statement>,
    /// No path through an expression of it has more links.
    pub(super) links: usize,
}

/// Reads a text, or says the first fault.
pub(super) fn read(bytes: &[u8]) -> Result<Text, PolicyError> {
    let mut faults = Vec::new();
    let text = read_up_to(bytes, 1, &mut faults);
    faults.pop().map_or(Ok(text), Err)
}

/// Reads a text, up to so many faults.
pub(super) fn read_up_to(bytes: &[u8], max_faults: usize, faults: &mut Vec<PolicyError>) -> Text {
    let mut reading = Reading::default();
    let text = match as_text(bytes) {
        Ok(text) => text,
        Err(fault) => {
            faults.push(fault);
            return Text::default();
        }
    };
    for (at, piece) in pieces(text).enumerate() {
        if faults.len() >= max_faults {
            break;
        }
        if let Err(fault) = piece.and_then(|piece| reading.take(at + 1, &piece)) {
            faults.push(fault);
        }
    }
    reading.text
}

fn as_text(bytes: &[u8]) -> Result<&str, PolicyError> {
    if bytes.len() > MAX_BYTES {
        return Err(PolicyError::TooLong { bytes: bytes.len(), limit: MAX_BYTES });
    }
    std::str::from_utf8(bytes).map_err(|error| PolicyError::Encoding { offset: error.valid_up_to() })
}

#[derive(Default)]
struct Reading {
    text: Text,
    /// The line of each id.
    lines: BTreeMap<String, usize>,
}

impl Reading {
    fn take(&mut self, number: usize, piece: &Piece<'_>) -> Result<(), PolicyError> {
        let line = piece.line;
        let policy = Policy::parse(None, piece.text).map_err(|errors| unread(piece, &errors))?;
        let id = policy.annotation("id").ok_or(PolicyError::NoId { statement: number, line })?.to_owned();
        if id == POLICY_ERROR {
            return Err(PolicyError::ReservedId { id: Token::of_name(&id), line });
        }
        if let Some(first) = self.lines.insert(id.clone(), line) {
            return Err(PolicyError::DuplicateId { id, line, first });
        }
        let statement = statement(&policy, id, line);
        let named = policy.new_id(PolicyId::new(&statement.id));
        self.text.set.add(named).map_err(|error| syntax(&error, line))?;
        self.text.links = self.text.links.max(piece.links);
        self.text.statements.push(statement);
        Ok(())
    }
}

fn statement(policy: &Policy, id: String, line: usize) -> Statement {
    let obliges = |key: &str| key == "obligation" || key.starts_with("obligation_");
    let obligations = policy.annotations().filter(|(key, _)| obliges(key));
    let effect = match policy.effect() {
        Effect::Permit => DecisionResult::Allow,
        Effect::Forbid => DecisionResult::Deny,
    };
    Statement { id, effect, obligations: obligations.map(|(_, value)| value.to_owned()).collect(), line }
}

/// Why a statement is none: a template is told as one.
fn unread(piece: &Piece<'_>, errors: &ParseErrors) -> PolicyError {
    if let Ok(template) = Template::parse(None, piece.text) {
        let id = template.annotation("id").unwrap_or_default().to_owned();
        return PolicyError::Template { id, line: piece.line };
    }
    match errors.iter().next() {
        Some(first) => syntax(first, line_of(first, piece)),
        None => syntax(errors, piece.line),
    }
}

/// The line of what an error points at.
fn line_of(error: &dyn Diagnostic, piece: &Piece<'_>) -> usize {
    let pointed = error.labels().and_then(|mut labels| labels.next());
    let before = pointed.and_then(|label| piece.text.as_bytes().get(..label.offset()));
    let breaks = before.map(|before| before.iter().filter(|byte| **byte == b'\n').count());
    breaks.map_or(piece.line, |breaks| piece.line.max(piece.text_line + breaks))
}

fn syntax(message: &dyn std::fmt::Display, line: usize) -> PolicyError {
    PolicyError::Syntax { message: short(message), line: Some(line) }
}

/// What Cedar says, on one line and cut.
pub(super) fn short(message: &dyn std::fmt::Display) -> String {
    message.to_string().chars().take(MAX_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Statements, and what hides or breaks the ends of statements.
    const FRAGMENTS: [&str; 16] = [
        "@id(\"a\") permit(principal, action, resource);",
        "@id(\"b;\") forbid(principal, action, resource) when { \"; // \\\" ;\" == context.component };",
        "\n@id(\"c\")\n@obligation(\"log\")\npermit(principal, action, resource)\nunless { {a: \";\"} == {} };\n",
        "@id(\"d\") permit(principal in A::\"}\", action in [Action::\"(\"], resource) when { [1, (2)] == 3 };",
        "// ; \" (\n",
        "// permit(principal, action, resource);\r",
        "\r\n",
        "\u{2028}",
        ";",
        "\"",
        "//",
        "(",
        "}",
        "\\",
        "@id(\"e\") permit(principal, action, resource) /",
        "\u{e9}",
    ];

    /// Cedar's own reading of the whole text, where it has one.
    fn whole(text: &str) -> Option<Vec<(String, Effect)>> {
        let set: PolicySet = text.parse().ok()?;
        let told =
            |policy: &Policy| (policy.annotation("id").unwrap_or_default().to_owned(), policy.effect());
        Some(set.policies().map(told).collect())
    }

    proptest! {
        /// Piece by piece a text reads as Cedar reads it whole: no end of a statement is seen where Cedar sees none.
        #[test]
        fn pieces_are_the_statements_of_the_whole(
            picked in proptest::collection::vec(prop_oneof![6 => 0..8_usize, 1 => 0..16_usize], 0..8),
        ) {
            let text: String = picked.iter().map(|at| FRAGMENTS[*at]).collect();
            let effect = |it: &Statement| match it.effect {
                DecisionResult::Allow => Effect::Permit,
                DecisionResult::Deny => Effect::Forbid,
            };
            match (read(text.as_bytes()), whole(&text)) {
                (Ok(read), Some(whole)) => {
                    let read: Vec<_> = read.statements.iter().map(|it| (it.id.clone(), effect(it))).collect();
                    prop_assert_eq!(read, whole);
                }
                (Err(PolicyError::DuplicateId { .. }), Some(whole)) => {
                    let ids: std::collections::BTreeSet<_> = whole.iter().map(|(id, _)| id).collect();
                    prop_assert!(ids.len() < whole.len());
                }
                // A faulty statement behind one that has an id twice.
                (Err(PolicyError::DuplicateId { .. } | PolicyError::Syntax { .. }), None) => {}
                (read, whole) => prop_assert!(false, "{:?} and {:?} of {:?}", read.err(), whole, text),
            }
        }
    }
}
