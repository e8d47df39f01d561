//! The bounds in the file form of a variance policy: what may differ in the calls of one model or tool.
//!
//! ```json
//! {"record_type": "model_call", "provider": "p", "model": "m", "usage_percent": 20}
//! {"record_type": "tool_call", "adapter_id": "a", "allow": ["response"]}
//! ```

use std::collections::BTreeMap;

use proofline_canon::{Integer, Pointer, Value};
use proofline_trace::{AllowedVariance, BoundCalls, MayVary, RecordType, SafeInt, Token, VarianceBound};

use crate::form::{self, FormError};
use crate::variance::{TYPES, read_members};

const OF_MODELS: &str =
    "\"record_type\", \"provider\", \"model\", \"allow\" and \"usage_percent\" for calls of models";
const OF_TOOLS: &str = "\"record_type\", \"adapter_id\", \"tool_name\" and \"allow\" for calls of tools";

/// Reads the list. What a bound leaves open is as `types` has it, so that two files that say the same give the
/// same policy.
pub(crate) fn read(list: &Value, types: &AllowedVariance) -> Result<Vec<VarianceBound>, FormError> {
    let at = Pointer::root().child("bounds");
    let items =
        list.as_array().ok_or_else(|| FormError::Type { pointer: at.clone(), expected: "an array" })?;
    let mut bounds: BTreeMap<BoundCalls, VarianceBound> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        let at = at.index(index);
        let bound = read_bound(item, &at, types)?;
        if bounds.insert(bound.calls.clone(), bound).is_some() {
            return Err(FormError::Repeated { pointer: at });
        }
    }
    // Told by their places, so that a person finds the two.
    for (index, item) in items.iter().enumerate() {
        let at = at.index(index);
        let calls = read_bound(item, &at, types)?.calls;
        if bounds.keys().any(|other| is_ambiguous(&calls, other, &bounds)) {
            return Err(FormError::Ambiguous { pointer: at });
        }
    }
    Ok(bounds.into_values().collect())
}

/// Whether one names only the provider and the other only the model, and nothing says which of them counts for
/// that provider's model.
fn is_ambiguous(
    calls: &BoundCalls,
    other: &BoundCalls,
    bounds: &BTreeMap<BoundCalls, VarianceBound>,
) -> bool {
    let ([Some(first), None], [None, Some(second)]) = (calls.names(), other.names()) else { return false };
    let both = match (calls, other) {
        (BoundCalls::Model { .. }, BoundCalls::Model { .. }) => {
            BoundCalls::Model { provider: Some(first.clone()), model: Some(second.clone()) }
        }
        (BoundCalls::Tool { .. }, BoundCalls::Tool { .. }) => {
            BoundCalls::Tool { adapter_id: Some(first.clone()), tool_name: Some(second.clone()) }
        }
        _ => return false,
    };
    !bounds.contains_key(&both)
}

fn read_bound(value: &Value, at: &Pointer, types: &AllowedVariance) -> Result<VarianceBound, FormError> {
    let object = form::object(value, at)?;
    let record_type = object.get("record_type");
    let record_type =
        record_type.ok_or_else(|| FormError::Missing { pointer: at.clone(), name: "record_type" })?;
    let type_at = at.child("record_type");
    let record_type = match form::text(record_type, &type_at)? {
        "model_call" => RecordType::ModelCall,
        "tool_call" => RecordType::ToolCall,
        _ => return Err(FormError::Word { pointer: type_at, known: TYPES }),
    };
    let is_model = record_type == RecordType::ModelCall;
    let (known, sentence): (&[&str], _) = match is_model {
        true => (&["record_type", "provider", "model", "allow", "usage_percent"], OF_MODELS),
        false => (&["record_type", "adapter_id", "tool_name", "allow"], OF_TOOLS),
    };
    if let Some(unknown) = object.names().find(|name| !known.contains(name)) {
        return Err(FormError::Unknown { pointer: at.child(unknown), known: sentence });
    }
    let name = |member: &str| object.get(member).map(|value| token(value, &at.child(member))).transpose();
    let calls = match is_model {
        true => BoundCalls::Model { provider: name("provider")?, model: name("model")? },
        false => BoundCalls::Tool { adapter_id: name("adapter_id")?, tool_name: name("tool_name")? },
    };
    let usage_percent = object.get("usage_percent");
    let usage_percent = usage_percent.map(|value| whole(value, &at.child("usage_percent"))).transpose()?;
    let of_type = if is_model { types.model_call } else { types.tool_call };
    let allow = match (object.get("allow"), usage_percent) {
        (None, None) => {
            return Err(FormError::Missing { pointer: at.clone(), name: "allow` or `usage_percent" });
        }
        (None, Some(_)) => MayVary { usage: false, ..of_type },
        (Some(list), percent) => {
            let allow = read_members(list, &at.child("allow"))?;
            // The percentage says it, and says it otherwise.
            if allow.usage && percent.is_some() {
                return Err(FormError::Repeated { pointer: at.child("usage_percent") });
            }
            allow
        }
    };
    Ok(VarianceBound { calls, allow, usage_percent })
}

fn token(value: &Value, at: &Pointer) -> Result<Token, FormError> {
    let expected = "a name as records have it: 1 to 128 of a-z, 0-9, `_`, `-`, `:`, `.`";
    let text = form::text(value, at)?;
    Token::new(text).map_err(|_| FormError::Type { pointer: at.clone(), expected })
}

fn whole(value: &Value, at: &Pointer) -> Result<SafeInt, FormError> {
    let number = value.as_number().map(proofline_canon::Number::as_integer);
    let number = match number {
        Some(Integer::Exact(number)) => {
            u64::try_from(number).ok().and_then(|number| SafeInt::new(number).ok())
        }
        _ => None,
    };
    let expected = "a whole number of percent, 0 or more";
    number.ok_or_else(|| FormError::Type { pointer: at.clone(), expected })
}
