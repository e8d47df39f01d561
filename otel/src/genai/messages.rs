//! Messages as attributes, conventions of 1.37 and later, in the one form that payloads have: roles and parts as the
//! convention names them, arguments as structures where they are, `response` for what a tool gave.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use proofline_canon::{Object, Value};

use crate::value::{attribute, content, structured};

/// The instructions, as a message.
pub(super) fn instructions(attributes: &[KeyValue]) -> Option<Value> {
    let instructions = attribute(attributes, "gen_ai.system_instructions").map(content)?;
    Some(message("system", parts(instructions)))
}

/// The input.
pub(super) fn input(attributes: &[KeyValue]) -> Option<Value> {
    let messages = attribute(attributes, "gen_ai.input.messages").map(content)?;
    Some(Value::Array(list(messages).into_iter().map(normal).collect()))
}

/// Instructions before the input; not twice, where an event of the input is the same message.
pub(super) fn behind(instructions: Option<Value>, input: Option<Value>) -> Option<Value> {
    let Some(instructions) = instructions else { return input };
    let rest = input.map(list).unwrap_or_default();
    let is_there = rest.first() == Some(&instructions);
    Some(Value::Array((!is_there).then_some(instructions).into_iter().chain(rest).collect()))
}

/// The output: one message a choice.
pub(super) fn output(attributes: &[KeyValue]) -> Option<Value> {
    let messages = attribute(attributes, "gen_ai.output.messages").map(content)?;
    Some(Value::Array(list(messages).into_iter().map(normal).collect()))
}

/// A message of a role and parts.
pub(super) fn message(role: &str, parts: Vec<Value>) -> Value {
    Value::object([("role", Value::from(role)), ("parts", Value::Array(parts))])
}

/// A part that is a text.
pub(super) fn text_part(text: &str) -> Value {
    Value::object([("type", "text"), ("content", text)])
}

/// What stands where messages or parts should, whatever it is, as a list.
fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        other => vec![other],
    }
}

fn parts(value: Value) -> Vec<Value> {
    list(value).into_iter().map(part).collect()
}

fn normal(message: Value) -> Value {
    match message {
        Value::Object(mut members) => {
            if let Some(own) = members.remove("parts") {
                members.insert("parts", Value::Array(parts(own)));
            }
            name_finish(&mut members);
            Value::Object(members)
        }
        // No message: kept as what it is.
        other => other,
    }
}

/// `finish_reason` is singular in messages, and emitters put the provider's plural there.
pub(super) fn name_finish(members: &mut Object) {
    if members.get("finish_reason").and_then(Value::as_str) == Some("tool_calls") {
        members.insert("finish_reason", "tool_call");
    }
}

fn part(value: Value) -> Value {
    let Value::Object(mut members) = value else {
        // A bare text where a part should be is a text.
        return match value {
            Value::String(text) => text_part(&text),
            other => other,
        };
    };
    match members.get("type").and_then(Value::as_str) {
        Some("tool_call") => {
            if let Some(Value::String(text)) = members.get("arguments") {
                let arguments = structured(text);
                members.insert("arguments", arguments);
            }
        }
        // A published example of the convention writes `result`.
        Some("tool_call_response") if !members.contains("response") => {
            if let Some(result) = members.remove("result") {
                members.insert("response", result);
            }
        }
        _ => {}
    }
    Value::Object(members)
}
