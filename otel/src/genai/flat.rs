//! Messages flattened into attributes, `gen_ai.prompt.0.role` and the like: never standard, and widespread.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use proofline_canon::{Object, Value};

use super::messages::{message, name_finish, text_part};
use crate::value::plain;

const PROMPT: &str = "gen_ai.prompt.";
const COMPLETION: &str = "gen_ai.completion.";

/// Whether any attribute is of this form.
pub(super) fn has_messages(attributes: &[KeyValue]) -> bool {
    attributes
        .iter()
        .any(|attribute| [PROMPT, COMPLETION].iter().any(|form| place(&attribute.key, form).is_some()))
}

/// Input and output.
pub(super) fn exchange(attributes: &[KeyValue]) -> (Option<Value>, Option<Value>) {
    (gathered(attributes, PROMPT, "user"), gathered(attributes, COMPLETION, "assistant"))
}

/// The number of a message, and what of it the attribute is.
fn place<'a>(key: &'a str, form: &str) -> Option<(u32, &'a str)> {
    let (number, member) = key.strip_prefix(form)?.split_once('.')?;
    Some((number.parse().ok()?, member))
}

fn gathered(attributes: &[KeyValue], form: &str, role: &str) -> Option<Value> {
    let mut found: BTreeMap<u32, Vec<(&str, Value)>> = BTreeMap::new();
    for attribute in attributes {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
        if let (Some((number, member)), Some(value)) = (place(&attribute.key, form), value) {
            found.entry(number).or_default().push((member, plain(value)));
        }
    }
    let messages = found.into_values().map(|members| one(members.into_iter().collect(), role));
    let messages: Vec<Value> = messages.collect();
    (!messages.is_empty()).then_some(Value::Array(messages))
}

fn one(mut members: Object, role: &str) -> Value {
    let role = match members.remove("role") {
        Some(Value::String(own)) => own,
        _ => role.to_owned(),
    };
    let parts = match members.remove("content") {
        Some(Value::String(text)) => vec![text_part(&text)],
        Some(other) => vec![other],
        None => Vec::new(),
    };
    name_finish(&mut members);
    let Value::Object(mut whole) = message(&role, parts) else { return Value::Null };
    for (name, value) in members.iter() {
        if !whole.contains(name) {
            whole.insert(name, value.clone());
        }
    }
    Value::Object(whole)
}
