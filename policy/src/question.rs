//! What a policy is asked: everything that a decision is made from, and nothing else.

use proofline_trace::{AuthContext, Millis, PolicyDecision, PolicyRequest, Token, TraceContext};

/// One request under one authenticated context.
///
/// What the policy is called is no part of it: another policy is asked the same question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'a> {
    /// Who asks, how they proved it, what they may do.
    pub auth_context: &'a AuthContext,
    /// What is to be done, and to what.
    pub request: &'a PolicyRequest,
    /// Where in the trace.
    pub trace: &'a TraceContext,
    /// The component that asks: `producer.component` of the decision.
    pub component: &'a Token,
    /// When, in Unix milliseconds: `ts_ms` of the decision.
    pub ts_ms: Millis,
}

impl<'a> Question<'a> {
    /// The question that a recorded decision answered. `auth_context` must be the one that it names.
    #[must_use]
    pub const fn of(auth_context: &'a AuthContext, decision: &'a PolicyDecision) -> Self {
        Self {
            auth_context,
            request: &decision.request,
            trace: &decision.trace,
            component: &decision.component,
            ts_ms: decision.ts_ms,
        }
    }
}
