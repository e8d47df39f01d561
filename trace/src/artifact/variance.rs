//! What a variance policy lets differ (section 5), by record type. The diagnostics of a constrained
//! replay name it: which differences they call allowed rests on it.

use proofline_canon::Value;

use super::difference::DifferenceKind;
use super::variance_bound::{VarianceBound, usage_is_within};
use crate::record::{Envelope, RecordType};
use crate::rejection::{SchemaFault, Violation};
use crate::walk::Node;

/// What may differ in calls of one type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct MayVary {
    /// Its response.
    pub response: bool,
    /// Its outcome.
    pub outcome: bool,
    /// Its usage.
    pub usage: bool,
}

/// What may differ between two runs of the same work; by default nothing.
///
/// As JSON `{"allow_variance":{"model_call":["response","usage"]}}`. It has one form: a type of which
/// nothing may differ is left out, and the words stand in the order of the contract. Bounds, where there are
/// any, stand beside it as `bounds`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct AllowedVariance {
    /// In calls of models.
    pub model_call: MayVary,
    /// In calls of tools.
    pub tool_call: MayVary,
    /// Of single models and tools, in place of what is said of their type: in the order of the calls that they
    /// are of, each once.
    pub bounds: Vec<VarianceBound>,
}

const MEMBER: &str = "allow_variance";
const BOUNDS: &str = "bounds";

impl MayVary {
    const fn named(self) -> [(&'static str, bool); 3] {
        [("response", self.response), ("outcome", self.outcome), ("usage", self.usage)]
    }

    /// Whether this may differ.
    #[must_use]
    pub const fn may(self, kind: DifferenceKind) -> bool {
        match kind {
            DifferenceKind::Response => self.response,
            DifferenceKind::Outcome => self.outcome,
            DifferenceKind::Usage => self.usage,
            DifferenceKind::PolicySignature | DifferenceKind::EvidenceIdentity => false,
        }
    }

    /// The words.
    pub(super) fn list(self) -> Value {
        Value::array(self.named().into_iter().filter(|(_, may)| *may).map(|(name, _)| Value::from(name)))
    }

    /// The words, unless there are none.
    fn to_value(self) -> Option<Value> {
        (self != Self::default()).then(|| self.list())
    }

    /// A list that may be empty, of the first so many words.
    pub(super) fn read_list(node: Node<'_>, words: usize) -> Result<Self, Violation> {
        let may = Self::said(node.value);
        match may.list() == *node.value && (words == 3 || !may.usage) {
            true => Ok(may),
            false => Err(node.fail(
                SchemaFault::Enum,
                "is not a list of \"response\", \"outcome\" and, without a percentage, \"usage\", each at most once \
                 and in this order",
            )),
        }
    }

    fn said(value: &Value) -> Self {
        let says = |word: &str| {
            value.as_array().is_some_and(|items| items.iter().any(|item| item.as_str() == Some(word)))
        };
        Self { response: says("response"), outcome: says("outcome"), usage: says("usage") }
    }

    /// `enum` for whatever is not the one form of some choice.
    fn read(node: Node<'_>) -> Result<Self, Violation> {
        let may = Self::said(node.value);
        match may.to_value().is_some_and(|form| form == *node.value) {
            true => Ok(may),
            false => Err(node.fail(
                SchemaFault::Enum,
                "is not one or more of \"response\", \"outcome\", \"usage\", each once and in this order",
            )),
        }
    }
}

impl AllowedVariance {
    /// Whether calls of this type may differ in this, bounds aside. Policy signatures and evidence identities
    /// never may.
    #[must_use]
    pub const fn allows(&self, record_type: RecordType, kind: DifferenceKind) -> bool {
        let may = match record_type {
            RecordType::ModelCall => self.model_call,
            RecordType::ToolCall => self.tool_call,
            RecordType::AuthContext | RecordType::PolicyDecision => return false,
        };
        may.may(kind)
    }

    /// Whether two calls, the baseline's and the candidate's, may differ in this: the bound that names most of the
    /// baseline's says so, else what is said of the type.
    #[must_use]
    pub fn permits(&self, baseline: &Envelope, candidate: &Envelope, kind: DifferenceKind) -> bool {
        let bounds = self.bounds.iter().filter(|bound| bound.calls.includes(baseline));
        match bounds.max_by_key(|bound| bound.calls.specificity()) {
            None => self.allows(baseline.record_type(), kind),
            Some(bound) => match (kind, bound.usage_percent) {
                (DifferenceKind::Usage, Some(percent)) => usage_is_within(baseline, candidate, percent),
                _ => bound.allow.may(kind),
            },
        }
    }

    /// The one form as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let types = [(RecordType::ModelCall, self.model_call), (RecordType::ToolCall, self.tool_call)];
        let types = types.into_iter().filter_map(|(name, may)| Some((name.as_str(), may.to_value()?)));
        let bounds = Value::array(self.bounds.iter().map(VarianceBound::to_value));
        let bounds = (!self.bounds.is_empty()).then_some((BOUNDS, bounds));
        Value::object([(MEMBER, Value::object(types))].into_iter().chain(bounds))
    }

    pub(super) fn read(node: Node<'_>) -> Result<Self, Violation> {
        let members = node.members(&[MEMBER], &[BOUNDS])?;
        let types = members.get(MEMBER, |node| {
            let types = node.members(&[], &["model_call", "tool_call"])?;
            Ok(Self {
                model_call: types.optional("model_call", MayVary::read)?.unwrap_or_default(),
                tool_call: types.optional("tool_call", MayVary::read)?.unwrap_or_default(),
                bounds: Vec::new(),
            })
        })?;
        Ok(Self { bounds: members.optional(BOUNDS, bounds)?.unwrap_or_default(), ..types })
    }
}

/// One or more, each behind the one before it: the schema cannot say that, and there is but one form.
fn bounds(node: Node<'_>) -> Result<Vec<VarianceBound>, Violation> {
    let bounds = node.items(VarianceBound::read)?;
    if bounds.is_empty() {
        return Err(node.fail(SchemaFault::MinLength, "is empty; without bounds it is left out"));
    }
    match bounds.is_sorted_by(|one, other| one.calls < other.calls) {
        true => Ok(bounds),
        false => Err(node.fail(SchemaFault::Enum, "is not in order, or names the same calls twice")),
    }
}
