//! What rules are asked about: one record, and where it stands in the chain of its trace. Whoever makes a case has
//! looked everything up; nothing of it is optional that an accepted record must have.

use proofline_trace::{
    AuthContext, Classification, Envelope, EnvelopeHash, ErrorKind, ModelCall, PolicyDecision, ToolCall,
};

use super::CaseKind;

/// A record and its chain.
#[derive(Debug, Clone, Copy)]
pub struct RuleCase<'a> {
    /// Its entry in the log.
    pub seq: u64,
    /// Its envelope hash.
    pub envelope_sha256: EnvelopeHash,
    /// How many spans are above its own in the span tree of the accepted records.
    pub depth: u64,
    /// The accepted record before it in the chain.
    pub previous: Option<Earlier<'a>>,
    /// The record, with what it rests on.
    pub about: About<'a>,
}

/// An accepted record, and its entry in the log.
#[derive(Debug, Clone, Copy)]
pub struct Earlier<'a> {
    /// Its entry.
    pub seq: u64,
    /// The record.
    pub envelope: &'a Envelope,
}

/// A record with what it rests on.
#[derive(Debug, Clone, Copy)]
pub enum About<'a> {
    /// A context.
    AuthContext(&'a AuthContext),
    /// A decision, and the context that it names.
    Decision {
        /// The decision.
        decision: DecisionCase<'a>,
        /// The context.
        auth_context: &'a AuthContext,
        /// How many accepted calls name it.
        calls: u64,
    },
    /// A call, with the decision and the context that it names.
    Call {
        /// The call.
        call: Call<'a>,
        /// The decision.
        decision: DecisionCase<'a>,
        /// The context.
        auth_context: &'a AuthContext,
        /// True when no newer version of the decision's policy was used before the call's entry.
        in_force: bool,
        /// How many accepted calls name the same decision.
        calls: u64,
        /// Which of them this is in chain order, from 1.
        index: u64,
    },
    /// An attempt that the gate refused and kept.
    Refused(RefusedAttempt<'a>),
}

/// A decision in the log.
#[derive(Debug, Clone, Copy)]
pub struct DecisionCase<'a> {
    /// Its entry.
    pub seq: u64,
    /// The decision.
    pub record: &'a PolicyDecision,
    /// True when no newer version of its policy was used before this entry.
    pub in_force: bool,
}

/// A call of either kind.
#[derive(Debug, Clone, Copy)]
pub enum Call<'a> {
    /// Of a model.
    Model(&'a ModelCall),
    /// Of a tool.
    Tool(&'a ToolCall),
}

/// An attempt that the gate refused and kept. What it names counts only where an earlier entry of its trace is it.
#[derive(Debug, Clone, Copy)]
pub struct RefusedAttempt<'a> {
    /// The attempt.
    pub envelope: &'a Envelope,
    /// How the gate classified it.
    pub classification: Classification,
    /// The gate's reason.
    pub error_kind: &'a ErrorKind,
    /// The context that it names; of a context itself, what it says of itself.
    pub auth_context: Option<&'a AuthContext>,
    /// The decision that it names; of a decision itself, what it says of itself, which was never in force.
    pub decision: Option<DecisionCase<'a>>,
}

impl About<'_> {
    /// What it is asked as.
    #[must_use]
    pub const fn kind(&self) -> CaseKind {
        match self {
            Self::AuthContext(_) => CaseKind::AuthContext,
            Self::Decision { .. } => CaseKind::PolicyDecision,
            Self::Call { call: Call::Model(_), .. } => CaseKind::ModelCall,
            Self::Call { call: Call::Tool(_), .. } => CaseKind::ToolCall,
            Self::Refused(_) => CaseKind::Refused,
        }
    }
}
