//! DECISION: what a policy says of a request, asked once at the gate and again by every replay.
//!
//! A policy is evidence: bytes that a decision names by their SHA-256. A [`PolicyEngine`] loads them, and the
//! [`Policy`] answers a [`Question`], which is all that a decision was made from: the authenticated context, the
//! action, the resource, the place in the trace, the time. [`Answer::decision`] turns the engine's own answer into
//! the contract's, and fails closed: an error in any policy denies with the reason `policy-error`.
//!
//! Nothing here reads a clock, a file, the network or the environment, so the same question of the same bytes has
//! one answer for ever.
//!
//! ```
//! use proofline_canon::Limits;
//! use proofline_policy::{CedarEngine, PolicyEngine, Question};
//! use proofline_trace::{DecisionResult, Envelope, PolicyRequest, read_envelope};
//!
//! let policy = CedarEngine.load(br#"
//!     @id("readers-read") @obligation("log-prompt")
//!     permit(principal in Grant::"tickets:read", action in Action::"tickets", resource in Resource::"desk");
//!     @id("credential-ended")
//!     forbid(principal, action, resource) when { context.ts_ms > context.auth_context.credential.expires_at_ms };
//! "#)?;
//!
//! let record = br#"{"spec_version":"1.0.0","canon_version":"1","record_type":"auth_context",
//!     "ts_ms":1769817600000,"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",
//!     "span_id":"00f067aa0ba902b7","span_kind":"root"},"producer":{"layer":"cpo","component":"gateway"},
//!     "actor":{"actor_kind":"user","actor_id":"staff/ines"},"credential":{"credential_kind":"oidc",
//!     "issuer":"https://id.example","presented_hash_sha256":
//!     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","verified_at_ms":1769817600000,
//!     "expires_at_ms":1769821200000},"grants":{"tickets:read":true}}"#;
//! let Envelope::AuthContext(auth_context) = read_envelope(record, &Limits::ENVELOPE)?.into_parts().0 else {
//!     return Err("no auth_context".into());
//! };
//! let request = PolicyRequest { action: "tickets:read".parse()?, resource: "desk/7".parse()? };
//! let component = "gateway".parse()?;
//! let asked_at = |ts_ms: u64| Question {
//!     auth_context: &auth_context,
//!     request: &request,
//!     trace: &auth_context.trace,
//!     component: &component,
//!     ts_ms: ts_ms.try_into().unwrap_or_default(),
//! };
//!
//! let decision = policy.ask(&asked_at(1769817600001)).decision();
//! assert_eq!(decision.result, DecisionResult::Allow);
//! assert!(decision.reason_codes.contains("readers-read") && decision.obligations.contains("log-prompt"));
//! let decision = policy.ask(&asked_at(1769821200001)).decision();
//! assert_eq!(decision.result, DecisionResult::Deny);
//! assert!(decision.reason_codes.contains("credential-ended") && decision.obligations.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod cedar;
mod engine;
mod memory;
mod named;
mod question;
mod rules;

pub use answer::{Answer, Determining, EvaluationFault, POLICY_ERROR};
pub use cedar::{
    CEDAR_SCHEMA, CedarEngine, PlainCedarEngine, RuleSet, Statement, ValidationError, ValidationFault,
};
pub use engine::{Policy, PolicyEngine, PolicyError};
pub use memory::{Memory, Reply};
pub use named::NamedPolicy;
pub use question::Question;
pub use rules::{
    About, Breach, Call, CaseFacts, CaseKind, DecisionCase, Earlier, Fact, RULES_SCHEMA, RefusedAttempt,
    Rule, RuleCase, RulesError, STARTER_RULES,
};
