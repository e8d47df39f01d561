//! What an engine answers, and the contract's decision that follows from it.

use proofline_trace::{Decision, DecisionResult, StringSet, Token};

/// The reason code of a decision whose policy failed.
pub const POLICY_ERROR: &str = "policy-error";

/// What an engine answers by itself; sorted, so that the same question has the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What the engine decides, its errors left aside.
    pub result: DecisionResult,
    /// The statements that decide, by id. None where nothing applied, which denies.
    pub determining: Vec<Determining>,
    /// The statements that could not be evaluated, by id.
    pub errors: Vec<EvaluationFault>,
}

/// A statement that decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Determining {
    /// Its `@id`.
    pub id: String,
    /// What it obliges the caller to, by name.
    pub obligations: Vec<String>,
}

/// A statement that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvaluationFault {
    /// Its `@id`.
    pub id: String,
    /// What the engine says. Not stable between its versions, and no part of any evidence.
    pub message: String,
}

impl Answer {
    /// The contract's decision. Fails closed: an error of any statement denies, for the reason
    /// [`POLICY_ERROR`] and no other, whatever the engine alone would have said.
    ///
    /// Names become Tokens by [`Token::of_name`].
    #[must_use]
    pub fn decision(&self) -> Decision {
        if !self.errors.is_empty() {
            return Decision {
                result: DecisionResult::Deny,
                reason_codes: [Token::of_name(POLICY_ERROR)].into_iter().collect(),
                obligations: StringSet::new(),
            };
        }
        let names = |of: fn(&Determining) -> Vec<&str>| {
            self.determining.iter().flat_map(of).map(Token::of_name).collect()
        };
        Decision {
            result: self.result,
            reason_codes: names(|statement| vec![&statement.id]),
            obligations: names(|statement| statement.obligations.iter().map(String::as_str).collect()),
        }
    }
}
