//! Rules: what a record and its chain must never be, asked of each record by statements that only forbid.
//! [`RuleCase`] is what is asked about, [`CaseFacts`] what the rules see of it, [`Breach`] what they answer.

mod case;
mod error;
mod facts;

pub use case::{About, Call, DecisionCase, Earlier, RefusedAttempt, RuleCase};
pub use error::RulesError;
pub use facts::{CaseFacts, Fact};

use std::collections::BTreeSet;

use proofline_trace::Severity;

/// The rules that ship with the project; `docs/rules.md` maps them to controls.
pub const STARTER_RULES: &str = include_str!("../../rules/starter.cedar");

/// The schema that every rules file must fit, in Cedar's own language.
pub const RULES_SCHEMA: &str = include_str!("../../schema/rules.cedarschema");

/// What a rule can be asked of: the `action` of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaseKind {
    /// An accepted `auth_context`.
    AuthContext,
    /// An accepted `policy_decision`.
    PolicyDecision,
    /// An accepted `model_call`.
    ModelCall,
    /// An accepted `tool_call`.
    ToolCall,
    /// A refused attempt of any type.
    Refused,
}

impl CaseKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::AuthContext, Self::PolicyDecision, Self::ModelCall, Self::ToolCall, Self::Refused];

    /// The id of its action.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthContext => "auth_context",
            Self::PolicyDecision => "policy_decision",
            Self::ModelCall => "model_call",
            Self::ToolCall => "tool_call",
            Self::Refused => "refused",
        }
    }

    /// True for the kinds in the group `Action::"call"`.
    #[must_use]
    pub const fn is_call(self) -> bool {
        matches!(self, Self::ModelCall | Self::ToolCall)
    }
}

/// What a rules file says of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `@id`.
    pub id: String,
    /// `@title`: what must hold, in a sentence.
    pub title: Option<String>,
    /// `@control` and `@control_<anything>`: the controls that it serves, in the order of their names.
    pub controls: Vec<String>,
    /// `@severity`; medium where the rule says nothing.
    pub severity: Severity,
    /// `@message`: what a violation means, and what to do.
    pub message: Option<String>,
    /// What it is asked of: the kinds that its `action` scope admits.
    pub asked_of: BTreeSet<CaseKind>,
    /// The members that it reads, as in `context.tool.tool_name`.
    pub reads: BTreeSet<String>,
}

/// A rule that does not hold for a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which rule, by its place in the list.
    pub rule: usize,
    /// None where the statement applies; else why it could not be evaluated, which counts as a breach of its own
    /// kind. The words are the engine's, and not stable between its versions.
    pub error: Option<String>,
}
