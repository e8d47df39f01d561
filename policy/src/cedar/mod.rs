//! Cedar behind the seam: loads a text of statements, each under its `@id`, and asks them.

mod mapping;
mod statements;

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::{AuthorizationError, Authorizer, PolicySet};
use proofline_trace::DecisionResult;

use crate::answer::{Answer, Determining, EvaluationFault};
use crate::engine::{Policy, PolicyEngine, PolicyError};
use crate::question::Question;

/// The `cedar-policy` crate.
#[derive(Debug, Clone, Copy, Default)]
pub struct CedarEngine;

/// The stack that an evaluation has at least, so that its answer never depends on the thread that asks.
const STACK_BYTES: usize = 16 << 20;

impl PolicyEngine for CedarEngine {
    fn name(&self) -> &'static str {
        "cedar-policy"
    }

    fn version(&self) -> String {
        cedar_policy::get_sdk_version().to_string()
    }

    fn load(&self, bytes: &[u8]) -> Result<Arc<dyn Policy>, PolicyError> {
        let (set, obligations) =
            stacker::maybe_grow(STACK_BYTES, 2 * STACK_BYTES, || statements::read(bytes))?;
        Ok(Arc::new(CedarPolicy { set, obligations }))
    }
}

/// A loaded text.
#[derive(Debug)]
struct CedarPolicy {
    set: PolicySet,
    /// Of each statement that has some.
    obligations: BTreeMap<String, Vec<String>>,
}

impl Policy for CedarPolicy {
    fn ask(&self, question: &Question<'_>) -> Answer {
        stacker::maybe_grow(STACK_BYTES, 2 * STACK_BYTES, || self.evaluate(question))
    }
}

impl CedarPolicy {
    fn evaluate(&self, question: &Question<'_>) -> Answer {
        let (request, entities) = match mapping::request(question) {
            Ok(mapped) => mapped,
            Err(fault) => {
                let errors = vec![EvaluationFault { id: String::new(), message: fault.to_string() }];
                return Answer { result: DecisionResult::Deny, determining: Vec::new(), errors };
            }
        };
        let response = Authorizer::new().is_authorized(&request, &self.set, &entities);
        let diagnostics = response.diagnostics();
        let mut determining: Vec<Determining> =
            diagnostics.reason().map(|id| self.determining(id.as_ref())).collect();
        determining.sort();
        let mut errors: Vec<EvaluationFault> = diagnostics.errors().map(fault).collect();
        errors.sort();
        let result = match response.decision() {
            cedar_policy::Decision::Allow => DecisionResult::Allow,
            cedar_policy::Decision::Deny => DecisionResult::Deny,
        };
        Answer { result, determining, errors }
    }

    fn determining(&self, id: &str) -> Determining {
        Determining { id: id.to_owned(), obligations: self.obligations.get(id).cloned().unwrap_or_default() }
    }
}

fn fault(error: &AuthorizationError) -> EvaluationFault {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => EvaluationFault {
            id: AsRef::<str>::as_ref(error.policy_id()).to_owned(),
            message: error.inner().to_string(),
        },
    }
}
