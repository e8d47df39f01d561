//! What an import counts. Counts add up whatever the order, so any number of threads counts the same.

use std::collections::BTreeMap;

use proofline_trace::{Became, Counted, Decision, DecisionResult, ImportTotals, SafeInt, Token};

use crate::genai::Kind;

/// Counts, while they grow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) messages: u64,
    pub(crate) spans: u64,
    pub(crate) model_calls: u64,
    pub(crate) tool_calls: u64,
    pub(crate) shapes: u64,
    pub(crate) refused: u64,
    pub(crate) unreadable: u64,
    pub(crate) traces: u64,
    pub(crate) allowed: u64,
    pub(crate) denied: u64,
    pub(crate) payload_bytes: u64,
    pub(crate) refusals: BTreeMap<Token, u64>,
    pub(crate) absent: BTreeMap<Token, u64>,
    /// Of those that are denied, what others decided.
    pub(crate) denied_by_others: u64,
    /// Known spans that other rules, another capture or another identity made.
    pub(crate) known_otherwise: u64,
    /// What the policy was asked about, without the numbers.
    pub(crate) asked: BTreeMap<(String, String), Answers>,
    /// The reasons of denials.
    pub(crate) reasons: BTreeMap<Token, u64>,
}

/// How often the answer was which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) allowed: u64,
    pub(crate) denied: u64,
    /// Of those that are denied, calls that were not known.
    pub(crate) new_denied: u64,
}

/// More than this many requests are counted as one.
const MOST_ASKED: usize = 4096;
/// The name of that one.
const OTHERS: &str = "others";

impl Tally {
    pub(crate) fn became(&mut self, became: &Became, kind: Kind, reason: Option<&Token>) {
        match (became, kind) {
            (Became::Call, Kind::Tool) => self.tool_calls += 1,
            (Became::Call, _) => self.model_calls += 1,
            (Became::Shape, _) => self.shapes += 1,
            (Became::Refused, _) => {
                self.refused += 1;
                if let Some(reason) = reason {
                    *self.refusals.entry(reason.clone()).or_default() += 1;
                }
            }
        }
    }

    pub(crate) fn unreadable(&mut self, reason: &str) {
        self.unreadable += 1;
        *self.refusals.entry(Token::of_name(reason)).or_default() += 1;
    }

    pub(crate) fn absent(&mut self, what: &str) {
        *self.absent.entry(Token::of_name(what)).or_default() += 1;
    }

    /// One decision about an action on a resource, numbers aside.
    pub(crate) fn decided(&mut self, decision: &Decision, action: &str, resource: String) {
        let counts = self.asked_of(action.to_owned(), resource);
        match decision.result {
            DecisionResult::Allow => {
                counts.allowed += 1;
                self.allowed += 1;
            }
            DecisionResult::Deny => {
                counts.denied += 1;
                self.denied += 1;
                for reason in decision.reason_codes.iter() {
                    *self.reasons.entry(reason.clone()).or_default() += 1;
                }
            }
        }
    }

    fn asked_of(&mut self, action: String, resource: String) -> &mut Answers {
        let key = (action, resource);
        let is_full = self.asked.len() >= MOST_ASKED && !self.asked.contains_key(&key);
        self.asked.entry(if is_full { (OTHERS.to_owned(), OTHERS.to_owned()) } else { key }).or_default()
    }

    /// What is counted is of calls that were not known.
    pub(crate) fn are_new(&mut self) {
        self.asked.values_mut().for_each(|counts| counts.new_denied = counts.denied);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.spans += other.spans;
        self.model_calls += other.model_calls;
        self.tool_calls += other.tool_calls;
        self.shapes += other.shapes;
        self.refused += other.refused;
        self.unreadable += other.unreadable;
        self.traces += other.traces;
        self.allowed += other.allowed;
        self.denied += other.denied;
        self.payload_bytes += other.payload_bytes;
        self.denied_by_others += other.denied_by_others;
        self.known_otherwise += other.known_otherwise;
        for ((action, resource), more) in &other.asked {
            let counts = self.asked_of(action.clone(), resource.clone());
            counts.allowed += more.allowed;
            counts.denied += more.denied;
            counts.new_denied += more.new_denied;
        }
        let named = [
            (&mut self.refusals, &other.refusals),
            (&mut self.absent, &other.absent),
            (&mut self.reasons, &other.reasons),
        ];
        for (into, from) in named {
            from.iter().for_each(|(what, count)| *into.entry(what.clone()).or_default() += count);
        }
    }

    pub(crate) fn totals(&self) -> ImportTotals {
        ImportTotals {
            messages: SafeInt::saturating(self.messages),
            spans: SafeInt::saturating(self.spans),
            model_calls: SafeInt::saturating(self.model_calls),
            tool_calls: SafeInt::saturating(self.tool_calls),
            shapes: SafeInt::saturating(self.shapes),
            refused: SafeInt::saturating(self.refused),
            unreadable: SafeInt::saturating(self.unreadable),
            traces: SafeInt::saturating(self.traces),
            allowed: SafeInt::saturating(self.allowed),
            denied: SafeInt::saturating(self.denied),
            payload_bytes: SafeInt::saturating(self.payload_bytes),
        }
    }
}

/// Counts as records have them, by name.
pub(crate) fn counted(counts: &BTreeMap<Token, u64>) -> Vec<Counted> {
    counts
        .iter()
        .map(|(what, count)| Counted { what: what.clone(), count: SafeInt::saturating(*count) })
        .collect()
}
