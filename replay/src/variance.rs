//! The variance policy of a constrained replay (section 5): which differences of paired calls fail
//! nothing. Its file form is one JSON document:
//!
//! ```json
//! {"allow_variance": {"model_call": ["response", "usage"], "tool_call": ["response"]}}
//! ```
//!
//! Beside it may stand `bounds`, of single models and tools.

use proofline_canon::{Pointer, Value};
use proofline_trace::{AllowedVariance, DifferenceKind, Envelope, MayVary, RecordType};

use crate::form::{self, FormError};
use crate::variance_bounds;

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
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct VariancePolicy(AllowedVariance);

impl From<AllowedVariance> for VariancePolicy {
    fn from(allowed: AllowedVariance) -> Self {
        Self(allowed)
    }
}

const MEMBERS: &str = "\"response\", \"outcome\" and \"usage\"";

pub(crate) fn read_members(value: &Value, at: &Pointer) -> Result<MayVary, FormError> {
    let list = || FormError::Type { pointer: at.clone(), expected: "an array" };
    let mut may = MayVary::default();
    for (index, item) in value.as_array().ok_or_else(list)?.iter().enumerate() {
        let at = at.index(index);
        let allowed = match form::text(item, &at)? {
            "response" => &mut may.response,
            "outcome" => &mut may.outcome,
            "usage" => &mut may.usage,
            _ => return Err(FormError::Word { pointer: at, known: MEMBERS }),
        };
        if std::mem::replace(allowed, true) {
            return Err(FormError::Repeated { pointer: at });
        }
    }
    Ok(may)
}

/// What must be there, and what may.
fn parts(document: &Value) -> Result<(&Value, Option<&Value>), FormError> {
    match form::object(document, &Pointer::root())?.get("bounds") {
        None => {
            let [types] = form::members(document, ["allow_variance"], PARTS)?;
            Ok((types, None))
        }
        Some(_) => {
            let [types, bounds] = form::members(document, ["allow_variance", "bounds"], PARTS)?;
            Ok((types, Some(bounds)))
        }
    }
}

const PARTS: &str = "\"allow_variance\" and, where wanted, \"bounds\"";

pub(crate) const TYPES: &str = "\"model_call\" and \"tool_call\"";

impl VariancePolicy {
    /// Nothing may vary.
    pub const NOTHING: Self = {
        let nothing = MayVary { response: false, outcome: false, usage: false };
        Self(AllowedVariance { model_call: nothing, tool_call: nothing, bounds: Vec::new() })
    };

    /// The preset `model-output`: what a model answers and what that costs.
    pub const MODEL_OUTPUT: Self = Self(AllowedVariance {
        model_call: MayVary { response: true, outcome: false, usage: true },
        tool_call: MayVary { response: false, outcome: false, usage: false },
        bounds: Vec::new(),
    });

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
        let (types, bounds) = parts(&document)?;
        let at = Pointer::root().child("allow_variance");
        let mut policy = Self::NOTHING;
        for (name, members) in form::object(types, &at)?.iter() {
            let at = at.child(name);
            match name {
                "model_call" => policy.0.model_call = read_members(members, &at)?,
                "tool_call" => policy.0.tool_call = read_members(members, &at)?,
                _ => return Err(FormError::Unknown { pointer: at, known: TYPES }),
            }
        }
        if let Some(list) = bounds {
            policy.0.bounds = variance_bounds::read(list, &policy.0)?;
        }
        Ok(policy)
    }

    /// What it lets differ, as the diagnostics of a replay name it.
    #[must_use]
    pub const fn allowed(&self) -> &AllowedVariance {
        &self.0
    }

    /// The file form as a value; record types of which nothing may vary are left out.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.0.to_value()
    }

    /// Whether two calls, the baseline's and the candidate's, may differ in this, bounds included.
    #[must_use]
    pub fn permits(&self, baseline: &Envelope, candidate: &Envelope, kind: DifferenceKind) -> bool {
        self.0.permits(baseline, candidate, kind)
    }

    /// Whether calls of this type may differ in this, bounds aside. Policy signatures and evidence identities
    /// never may.
    #[must_use]
    pub const fn allows(&self, record_type: RecordType, kind: DifferenceKind) -> bool {
        self.0.allows(record_type, kind)
    }
}
