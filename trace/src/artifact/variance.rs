//! What a variance policy lets differ (section 5), by record type. The diagnostics of a constrained
//! replay name it: which differences they call allowed rests on it.

use proofline_canon::Value;

use super::difference::DifferenceKind;
use crate::record::RecordType;
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
/// nothing may differ is left out, and the words stand in the order of the contract.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct AllowedVariance {
    /// In calls of models.
    pub model_call: MayVary,
    /// In calls of tools.
    pub tool_call: MayVary,
}

const MEMBER: &str = "allow_variance";

impl MayVary {
    const fn named(self) -> [(&'static str, bool); 3] {
        [("response", self.response), ("outcome", self.outcome), ("usage", self.usage)]
    }

    /// The words, unless there are none.
    fn to_value(self) -> Option<Value> {
        let words = self.named().into_iter().filter(|(_, may)| *may).map(|(name, _)| Value::from(name));
        let words: Vec<Value> = words.collect();
        (!words.is_empty()).then(|| Value::array(words))
    }

    /// `enum` for whatever is not the one form of some choice.
    fn read(node: Node<'_>) -> Result<Self, Violation> {
        let says = |word: &str| {
            node.value.as_array().is_some_and(|items| items.iter().any(|item| item.as_str() == Some(word)))
        };
        let may = Self { response: says("response"), outcome: says("outcome"), usage: says("usage") };
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
    /// Whether calls of this type may differ in this. Policy signatures and evidence identities
    /// never may.
    #[must_use]
    pub const fn allows(&self, record_type: RecordType, kind: DifferenceKind) -> bool {
        let may = match record_type {
            RecordType::ModelCall => self.model_call,
            RecordType::ToolCall => self.tool_call,
            RecordType::AuthContext | RecordType::PolicyDecision => return false,
        };
        match kind {
            DifferenceKind::Response => may.response,
            DifferenceKind::Outcome => may.outcome,
            DifferenceKind::Usage => may.usage,
            DifferenceKind::PolicySignature | DifferenceKind::EvidenceIdentity => false,
        }
    }

    /// The one form as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let types = [(RecordType::ModelCall, self.model_call), (RecordType::ToolCall, self.tool_call)];
        let types = types.into_iter().filter_map(|(name, may)| Some((name.as_str(), may.to_value()?)));
        Value::object([(MEMBER, Value::object(types))])
    }

    pub(super) fn read(node: Node<'_>) -> Result<Self, Violation> {
        node.members(&[MEMBER], &[])?.get(MEMBER, |node| {
            let types = node.members(&[], &["model_call", "tool_call"])?;
            Ok(Self {
                model_call: types.optional("model_call", MayVary::read)?.unwrap_or_default(),
                tool_call: types.optional("tool_call", MayVary::read)?.unwrap_or_default(),
            })
        })
    }
}
