//! The variance policy of a constrained replay (section 5): which differences of paired calls fail
//! nothing. Its file form is one JSON document:
//!
//! ```json
//! {"allow_variance": {"model_call": ["response", "usage"], "tool_call": ["response"]}}
//! ```

use proofline_canon::{Pointer, Value};
use proofline_trace::{DifferenceKind, RecordType};

use crate::form::{self, FormError};

/// Which differences are allowed, by record type. Nothing may vary by default.
///
/// ```
/// use proofline_replay::VariancePolicy;
/// use proofline_trace::{DifferenceKind, RecordType};
///
/// let file = br#"{"allow_variance": {"model_call": ["response", "usage"]}}"#;
/// let policy = VariancePolicy::parse(file)?;
/// assert!(policy.allows(RecordType::ModelCall, DifferenceKind::Response));
/// assert!(!policy.allows(RecordType::ToolCall, DifferenceKind::Response));
/// assert_eq!(VariancePolicy::preset("model-output"), Some(policy));
/// # Ok::<(), proofline_replay::FormError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct VariancePolicy {
    model_call: Members,
    tool_call: Members,
}

/// What may vary in calls of one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Members {
    response: bool,
    outcome: bool,
    usage: bool,
}

impl Members {
    const NAMES: &str = "\"response\", \"outcome\" and \"usage\"";

    fn member(&mut self, name: &str) -> Option<&mut bool> {
        match name {
            "response" => Some(&mut self.response),
            "outcome" => Some(&mut self.outcome),
            "usage" => Some(&mut self.usage),
            _ => None,
        }
    }

    fn read(value: &Value, at: &Pointer) -> Result<Self, FormError> {
        let list = || FormError::Type { pointer: at.clone(), expected: "an array" };
        let mut members = Self::default();
        for (index, item) in value.as_array().ok_or_else(list)?.iter().enumerate() {
            let at = at.index(index);
            let Some(allowed) = members.member(form::text(item, &at)?) else {
                return Err(FormError::Word { pointer: at, known: Self::NAMES });
            };
            if std::mem::replace(allowed, true) {
                return Err(FormError::Repeated { pointer: at });
            }
        }
        Ok(members)
    }

    fn to_value(self) -> Option<Value> {
        let named = [("response", self.response), ("outcome", self.outcome), ("usage", self.usage)];
        let allowed: Vec<Value> =
            named.into_iter().filter(|(_, allowed)| *allowed).map(|(name, _)| Value::from(name)).collect();
        (!allowed.is_empty()).then(|| Value::array(allowed))
    }
}

const TYPES: &str = "\"model_call\" and \"tool_call\"";

impl VariancePolicy {
    /// Nothing may vary.
    pub const NOTHING: Self = {
        let nothing = Members { response: false, outcome: false, usage: false };
        Self { model_call: nothing, tool_call: nothing }
    };

    /// The preset `model-output`: what a model answers and what that costs.
    pub const MODEL_OUTPUT: Self =
        Self { model_call: Members { response: true, outcome: false, usage: true }, ..Self::NOTHING };

    /// The presets by name.
    pub const PRESETS: [(&str, Self); 1] = [("model-output", Self::MODEL_OUTPUT)];

    /// The preset of this name.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        Self::PRESETS.into_iter().find(|(preset, _)| *preset == name).map(|(_, policy)| policy)
    }

    /// Reads the file form. Contexts and decisions have nothing that may vary, so that naming
    /// one is a mistake, as is any other name.
    ///
    /// # Errors
    /// [`FormError`] with the place of the first fault.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        let document = form::document(bytes)?;
        let [types] = form::members(&document, ["allow_variance"], "\"allow_variance\"")?;
        let at = Pointer::root().child("allow_variance");
        let mut policy = Self::NOTHING;
        for (name, members) in form::object(types, &at)?.iter() {
            let at = at.child(name);
            match name {
                "model_call" => policy.model_call = Members::read(members, &at)?,
                "tool_call" => policy.tool_call = Members::read(members, &at)?,
                _ => return Err(FormError::Unknown { pointer: at, known: TYPES }),
            }
        }
        Ok(policy)
    }

    /// The file form as a value; record types of which nothing may vary are left out.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let types = [("model_call", self.model_call), ("tool_call", self.tool_call)];
        let types = types.into_iter().filter_map(|(name, members)| Some((name, members.to_value()?)));
        Value::object([("allow_variance", Value::object(types))])
    }

    /// Whether calls of this type may differ in this. Policy signatures and evidence identities
    /// never may.
    #[must_use]
    pub const fn allows(&self, record_type: RecordType, kind: DifferenceKind) -> bool {
        let members = match record_type {
            RecordType::ModelCall => self.model_call,
            RecordType::ToolCall => self.tool_call,
            RecordType::AuthContext | RecordType::PolicyDecision => return false,
        };
        match kind {
            DifferenceKind::Response => members.response,
            DifferenceKind::Outcome => members.outcome,
            DifferenceKind::Usage => members.usage,
            DifferenceKind::PolicySignature | DifferenceKind::EvidenceIdentity => false,
        }
    }
}
