//! Bounds of a variance policy: what may differ in the calls of one model or tool, and how far the
//! usage of a model may move. A bound stands in place of what the policy says of the whole type.

use proofline_canon::Value;

use super::variance::MayVary;
use crate::record::{Envelope, RecordType, Usage};
use crate::rejection::{SchemaFault, Violation};
use crate::walk::{Node, safe_int, word};
use crate::words::{SafeInt, Token};
use crate::write::{integer, text};

/// The calls that a bound is of. A name that is none stands for any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BoundCalls {
    /// Calls of models.
    Model {
        /// The provider.
        provider: Option<Token>,
        /// The model.
        model: Option<Token>,
    },
    /// Calls of tools.
    Tool {
        /// The adapter.
        adapter_id: Option<Token>,
        /// The tool.
        tool_name: Option<Token>,
    },
}

/// What may differ in these calls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VarianceBound {
    /// The calls.
    pub calls: BoundCalls,
    /// What may differ in them. Its `usage` is false where there is a percentage.
    pub allow: MayVary,
    /// Each of the three numbers of a usage may move by this part of what the baseline has, in percent.
    pub usage_percent: Option<SafeInt>,
}

const WORDS: [&str; 3] = ["response", "outcome", "usage"];

impl BoundCalls {
    /// The type of the calls.
    #[must_use]
    pub const fn record_type(&self) -> RecordType {
        match self {
            Self::Model { .. } => RecordType::ModelCall,
            Self::Tool { .. } => RecordType::ToolCall,
        }
    }

    /// Both names, the provider's or adapter's first.
    #[must_use]
    pub const fn names(&self) -> [Option<&Token>; 2] {
        match self {
            Self::Model { provider, model } => [provider.as_ref(), model.as_ref()],
            Self::Tool { adapter_id, tool_name } => [adapter_id.as_ref(), tool_name.as_ref()],
        }
    }

    const fn members(&self) -> [&'static str; 2] {
        match self {
            Self::Model { .. } => ["provider", "model"],
            Self::Tool { .. } => ["adapter_id", "tool_name"],
        }
    }

    /// Whether a call is one of these.
    #[must_use]
    pub fn includes(&self, call: &Envelope) -> bool {
        let own = match (self, call) {
            (Self::Model { .. }, Envelope::ModelCall(call)) => [&call.model.provider, &call.model.model],
            (Self::Tool { .. }, Envelope::ToolCall(call)) => [&call.tool.adapter_id, &call.tool.tool_name],
            _ => return false,
        };
        self.names().into_iter().zip(own).all(|(name, own)| name.is_none_or(|name| name == own))
    }

    /// How much it names: the model or tool counts more than who provides it.
    pub(super) const fn specificity(&self) -> u8 {
        let [first, second] = self.names();
        first.is_some() as u8 + 2 * second.is_some() as u8
    }
}

impl VarianceBound {
    pub(super) fn to_value(&self) -> Value {
        let names = self.calls.members().into_iter().zip(self.calls.names());
        let names = names.filter_map(|(member, name)| Some((member, text(name?))));
        let head = [("record_type", text(self.calls.record_type())), ("allow", self.allow.list())];
        let percent = self.usage_percent.map(|percent| ("usage_percent", integer(percent)));
        Value::object(head.into_iter().chain(names).chain(percent))
    }

    pub(super) fn read(node: Node<'_>) -> Result<Self, Violation> {
        let named = node.object()?.get("record_type").and_then(Value::as_str);
        let is_tool = named == Some(RecordType::ToolCall.as_str());
        let optional: &[&'static str] =
            if is_tool { &["adapter_id", "tool_name"] } else { &["provider", "model", "usage_percent"] };
        let members = node.members(&["record_type", "allow"], optional)?;
        members.get("record_type", |node| match node.value.as_str() {
            Some("model_call" | "tool_call") => Ok(()),
            _ => Err(node.fail(SchemaFault::Enum, "is neither \"model_call\" nor \"tool_call\"")),
        })?;
        let calls = if is_tool {
            BoundCalls::Tool {
                adapter_id: members.optional("adapter_id", word)?,
                tool_name: members.optional("tool_name", word)?,
            }
        } else {
            BoundCalls::Model {
                provider: members.optional("provider", word)?,
                model: members.optional("model", word)?,
            }
        };
        let usage_percent = if is_tool { None } else { members.optional("usage_percent", safe_int)? };
        let words = if usage_percent.is_some() { 2 } else { WORDS.len() };
        let allow = members.get("allow", |node| MayVary::read_list(node, words))?;
        Ok(Self { calls, allow, usage_percent })
    }
}

/// Whether each of the three numbers moved by at most this part of the baseline's, in percent. From zero, only
/// zero is within any; a usage that one side does not state is within none.
pub(super) fn usage_is_within(baseline: &Envelope, candidate: &Envelope, percent: SafeInt) -> bool {
    match (usage(baseline), usage(candidate)) {
        (None, None) => true,
        (Some(before), Some(after)) => {
            numbers(before).into_iter().zip(numbers(after)).all(|(before, after)| {
                // Below 2^53 each: no product overflows.
                u128::from(before.abs_diff(after)) * 100 <= u128::from(percent.get()) * u128::from(before)
            })
        }
        _ => false,
    }
}

const fn usage(envelope: &Envelope) -> Option<&Usage> {
    match envelope {
        Envelope::ModelCall(call) => call.usage.as_ref(),
        _ => None,
    }
}

const fn numbers(usage: &Usage) -> [u64; 3] {
    [usage.input_tokens.get(), usage.output_tokens.get(), usage.total_tokens.get()]
}
