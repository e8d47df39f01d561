//! Cedar behind the seam: loads a text of statements, each under its `@id`, and asks them.

mod caps;
mod lexer;
mod mapping;
mod rule_text;
mod rules;
mod samples;
mod schema;
mod scope;
mod shape;
mod sight;
mod slices;
mod statements;

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use cedar_policy::{AuthorizationError, Authorizer, PolicySet, Response};
use proofline_trace::DecisionResult;

pub use rules::RuleSet;
#[cfg(test)]
pub(crate) use samples::samples;
pub use schema::{CEDAR_SCHEMA, ValidationError, ValidationFault};
pub use statements::Statement;

use crate::answer::{Answer, Determining, EvaluationFault};
use crate::engine::{Policy, PolicyEngine, PolicyError};
use crate::question::Question;
use slices::Slices;

/// The `cedar-policy` crate.
#[derive(Debug, Clone, Copy, Default)]
pub struct CedarEngine;

/// The same, each question asked whole of every statement. Slow: it is what [`CedarEngine`] is held against.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainCedarEngine;

/// The stack on which texts are read, whatever thread asks. The caps on texts need a fraction of it.
const STACK_BYTES: usize = 16 << 20;

/// The same for a validation, which goes through expressions with more in hand.
const VALIDATION_BYTES: usize = 64 << 20;

/// What an evaluation needs besides its expressions: what Cedar keeps free, and the mapping.
const ASKING_BYTES: usize = 512 << 10;

/// What an evaluation needs for each link of the longest path, twice over and more: 60 KiB where Cedar is built
/// without optimisation, else 7. Where a build of Cedar needs more still, it answers with an error, which denies.
const LINK_BYTES: usize = if cfg!(debug_assertions) { 128 << 10 } else { 16 << 10 };

impl PolicyEngine for CedarEngine {
    fn name(&self) -> &'static str {
        "cedar-policy"
    }

    fn version(&self) -> String {
        cedar_policy::get_sdk_version().to_string()
    }

    fn load(&self, bytes: &[u8]) -> Result<Arc<dyn Policy>, PolicyError> {
        let mut policy = CedarPolicy::read(bytes)?;
        policy.slices = Some(Slices::of(&policy.set));
        Ok(Arc::new(policy))
    }
}

impl PolicyEngine for PlainCedarEngine {
    fn name(&self) -> &'static str {
        CedarEngine.name()
    }

    fn version(&self) -> String {
        CedarEngine.version()
    }

    fn load(&self, bytes: &[u8]) -> Result<Arc<dyn Policy>, PolicyError> {
        Ok(Arc::new(CedarPolicy::read(bytes)?))
    }
}

/// The most faults that are listed of one text.
const MAX_FAULTS: usize = 100;

impl CedarEngine {
    /// Lists the statements of a policy in the order of its text, so that people can see what was read.
    ///
    /// # Errors
    /// The faults of the text, the first hundred, in its order: [`PolicyEngine::load`] tells the first one.
    pub fn statements(&self, bytes: &[u8]) -> Result<Vec<Statement>, Vec<PolicyError>> {
        on_ample_stack(|| {
            let mut faults = Vec::new();
            let text = statements::read_up_to(bytes, MAX_FAULTS, &mut faults);
            if faults.is_empty() { Ok(text.statements) } else { Err(faults) }
        })
    }

    /// Reads a policy and holds it against a schema: [`CEDAR_SCHEMA`], and behind it `schema`, which declares the
    /// actions. Strict, and warnings refuse as well. Gives the statements, in the order of the text.
    ///
    /// What passes can still err when it is asked, by what depends on values: an overflow, an argument that no
    /// extension function takes, an attribute of an entity that is written out instead of the principal.
    ///
    /// # Errors
    /// [`ValidationError`]: the policy or the schema cannot be read, or the faults of the statements.
    pub fn validate(&self, policy: &[u8], schema: &[u8]) -> Result<Vec<Statement>, ValidationError> {
        stacker::maybe_grow(VALIDATION_BYTES, VALIDATION_BYTES, || schema::validate(policy, schema))
    }
}

fn on_ample_stack<R>(work: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(STACK_BYTES, 2 * STACK_BYTES, work)
}

/// A loaded text.
#[derive(Debug)]
struct CedarPolicy {
    set: PolicySet,
    /// None to ask each question whole.
    slices: Option<Slices>,
    /// Of each statement that has some.
    obligations: BTreeMap<String, Vec<String>>,
    /// The stack that an evaluation has at least, so that its answer never depends on the thread that asks.
    stack_bytes: usize,
}

/// Expressions are dropped as deep as they are nested.
impl Drop for CedarPolicy {
    fn drop(&mut self) {
        let held = (mem::take(&mut self.set), mem::take(&mut self.slices));
        stacker::maybe_grow(self.stack_bytes, self.stack_bytes, || drop(held));
    }
}

impl Policy for CedarPolicy {
    fn ask(&self, question: &Question<'_>) -> Answer {
        stacker::maybe_grow(self.stack_bytes, self.stack_bytes, || self.evaluate(question))
    }

    fn write_view(&self, question: &Question<'_>, view: &mut Vec<u8>) -> bool {
        let Some(slices) = &self.slices else { return false };
        slices.write_view(&self.set, question, view).is_ok()
    }
}

impl CedarPolicy {
    fn read(bytes: &[u8]) -> Result<Self, PolicyError> {
        let text = on_ample_stack(|| statements::read(bytes))?;
        let obligations = text.statements.into_iter().map(|it| (it.id, it.obligations));
        let obligations = obligations.filter(|(_, obliged)| !obliged.is_empty()).collect();
        let stack_bytes = ASKING_BYTES + text.links * LINK_BYTES;
        Ok(Self { set: text.set, slices: None, obligations, stack_bytes })
    }

    /// By its slice where there is one and nothing fails; else whole, so that a message is what it always was.
    fn evaluate(&self, question: &Question<'_>) -> Answer {
        match self.slices.as_ref().map(|slices| slices.ask(&self.set, question)) {
            Some(Ok((_, Some(response)))) => self.answer(&response),
            Some(Ok((slice, None))) => self.ask_whole(slice.set(), question),
            Some(Err(_)) | None => self.ask_whole(&self.set, question),
        }
    }

    fn ask_whole(&self, set: &PolicySet, question: &Question<'_>) -> Answer {
        let (request, entities) = match mapping::request(question) {
            Ok(mapped) => mapped,
            Err(fault) => {
                let errors = vec![EvaluationFault { id: String::new(), message: fault.to_string() }];
                return Answer { result: DecisionResult::Deny, determining: Vec::new(), errors };
            }
        };
        self.answer(&Authorizer::new().is_authorized(&request, set, &entities))
    }

    fn answer(&self, response: &Response) -> Answer {
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
            message: statements::short(error.inner()),
        },
    }
}
