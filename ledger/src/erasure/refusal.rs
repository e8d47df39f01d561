//! Why the gate refuses an erasure, a hold or a release.

use proofline_proof::Seq;
use proofline_trace::{EnvelopeHash, ErasureTarget};
use thiserror::Error;

/// Why the gate refuses an erasure, a hold or a release.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ErasureRefusal {
    /// No policy decision was accepted under the hash that is to allow it.
    #[error("no policy_decision {0} was accepted before it; commit the decision that allows it first")]
    NoAuthority(EnvelopeHash),
    /// The decision says deny.
    #[error("the decision {0} says deny; it takes one that says allow")]
    Denied(EnvelopeHash),
    /// The decision is about another action.
    #[error("the decision {authority} is about the action {found}, not {expected}")]
    OtherAction {
        /// The decision.
        authority: EnvelopeHash,
        /// Its action.
        found: String,
        /// The action that it must allow.
        expected: &'static str,
    },
    /// The decision is about something else.
    #[error("the decision {authority} is about {found}, not {expected}; a decision allows one thing only")]
    OtherResource {
        /// The decision.
        authority: EnvelopeHash,
        /// Its resource.
        found: String,
        /// The resource that it must name.
        expected: String,
    },
    /// A hold in force forbids it.
    #[error("{target} is under the legal hold {hold} of entry {seq}; it stays until that is released")]
    Held {
        /// What was to be erased.
        target: ErasureTarget,
        /// The hold.
        hold: EnvelopeHash,
        /// The hold's entry.
        seq: Seq,
    },
    /// It is erased already.
    #[error("{target} was erased by entry {seq}")]
    Erased {
        /// What was to be erased.
        target: ErasureTarget,
        /// The entry that erased it.
        seq: Seq,
    },
    /// A hold on what is erased.
    #[error("{target} was erased by entry {seq}, so there is nothing to hold")]
    NothingToHold {
        /// What was to be held.
        target: ErasureTarget,
        /// The entry that erased it.
        seq: Seq,
    },
    /// The very hold was placed and released before.
    #[error(
        "this very hold was placed by entry {seq} and released by entry {released}; \
         to hold again, give another reason or matter"
    )]
    HeldBefore {
        /// The hold.
        hold: EnvelopeHash,
        /// Its entry.
        seq: Seq,
        /// The entry that released it.
        released: Seq,
    },
    /// A release of what is no hold of this ledger.
    #[error("{0} is no hold of this ledger")]
    NoSuchHold(EnvelopeHash),
    /// A release of a hold that is over.
    #[error("the hold {hold} was released by entry {seq}")]
    Released {
        /// The hold.
        hold: EnvelopeHash,
        /// The entry that released it.
        seq: Seq,
    },
}

impl ErasureRefusal {
    /// The stable code of this refusal.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            ErasureRefusal::NoAuthority(_) => "erasure.authority",
            ErasureRefusal::Denied(_) => "erasure.denied",
            ErasureRefusal::OtherAction { .. } => "erasure.action",
            ErasureRefusal::OtherResource { .. } => "erasure.resource",
            ErasureRefusal::Held { .. } => "erasure.held",
            ErasureRefusal::Erased { .. } => "erasure.erased",
            ErasureRefusal::NothingToHold { .. } => "hold.erased",
            ErasureRefusal::HeldBefore { .. } => "hold.placed_before",
            ErasureRefusal::NoSuchHold(_) => "hold.unknown",
            ErasureRefusal::Released { .. } => "hold.released",
        }
    }
}
