//! What several tests of the evidence ask: what a gate must answer to submissions, one after another.

use std::collections::BTreeMap;

use proofline_trace::{DecisionResult, Envelope, EnvelopeHash};
use proofline_vectors::{Fate, Submission};

/// As much of a gate as the generated records need.
#[derive(Default)]
pub(crate) struct Gate {
    accepted: BTreeMap<EnvelopeHash, Envelope>,
}

impl Gate {
    /// The fate that follows from the submissions before.
    pub(crate) fn hand_in(&mut self, one: &Submission) -> Fate {
        let (hash, envelope) = (one.sealed.hash(), one.sealed.envelope());
        let known = |hash: Option<EnvelopeHash>| hash.is_none_or(|hash| self.accepted.contains_key(&hash));
        let decision = envelope.policy_decision_hash().and_then(|hash| self.accepted.get(&hash));
        let denied = match decision {
            Some(Envelope::PolicyDecision(record)) => record.decision.result == DecisionResult::Deny,
            _ => false,
        };
        if one.declared_hash != hash.to_string() {
            Fate::WrongHash
        } else if !known(envelope.auth_context_hash()) || !known(envelope.policy_decision_hash()) {
            Fate::TooEarly
        } else if denied {
            Fate::Denied
        } else {
            match self.accepted.insert(hash, envelope.clone()) {
                Some(_) => Fate::Repeated,
                None => Fate::Accepted,
            }
        }
    }
}
