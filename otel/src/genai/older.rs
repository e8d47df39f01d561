//! Messages as events, conventions of 1.36 and before, in the form of messages of today: a body as JSON text in
//! `gen_ai.event.content`, else members as attributes of the event.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use proofline_canon::{Object, Value};

use super::messages::{message, name_finish, text_part};
use crate::value::{attribute, content, plain, structured, text};

const ROLES: [(&str, &str); 4] = [
    ("gen_ai.system.message", "system"),
    ("gen_ai.user.message", "user"),
    ("gen_ai.assistant.message", "assistant"),
    ("gen_ai.tool.message", "tool"),
];
const CHOICE: &str = "gen_ai.choice";
const PROMPT: &str = "gen_ai.content.prompt";
const COMPLETION: &str = "gen_ai.content.completion";

/// Whether an event of this name is a message.
pub(super) fn is_message(name: &str) -> bool {
    ROLES.iter().any(|(known, _)| *known == name) || [CHOICE, PROMPT, COMPLETION].contains(&name)
}

/// Whether a span has any of these events.
pub(super) fn has_messages(span: &Span) -> bool {
    span.events.iter().any(|event| is_message(&event.name))
}

/// Input and output.
pub(super) fn exchange(span: &Span) -> (Option<Value>, Option<Value>) {
    let (mut input, mut output) = (Vec::new(), Vec::new());
    for event in &span.events {
        let role = ROLES.iter().find(|(name, _)| *name == event.name).map(|(_, role)| *role);
        match (role, event.name.as_str()) {
            (Some(role), _) => input.push(said(role, body(event))),
            (None, CHOICE) => output.push(choice(body(event))),
            (None, PROMPT) => input.extend(oldest(event, "gen_ai.prompt", "user")),
            (None, COMPLETION) => output.extend(oldest(event, "gen_ai.completion", "assistant")),
            _ => {}
        }
    }
    let some = |messages: Vec<Value>| (!messages.is_empty()).then_some(Value::Array(messages));
    (some(input), some(output))
}

/// What a tool gave, where its own span has the message that says so.
pub(super) fn tool_result(span: &Span) -> Option<Value> {
    let event = span.events.iter().find(|event| event.name == "gen_ai.tool.message")?;
    body(event).remove("content")
}

/// The body of an event: what its emitter put it in.
fn body(event: &Event) -> Object {
    if let Some(whole) = attribute(&event.attributes, "gen_ai.event.content") {
        return match content(whole) {
            Value::Object(members) => members,
            other => [("content", other)].into_iter().collect(),
        };
    }
    let own = event.attributes.iter().filter(|member| member.key != "gen_ai.system");
    own.filter_map(|member| Some((member.key.as_str(), plain(member.value.as_ref()?.value.as_ref()?))))
        .collect()
}

/// A message of the input.
fn said(role: &str, mut body: Object) -> Value {
    let role = match body.remove("role") {
        Some(Value::String(own)) => own,
        _ => role.to_owned(),
    };
    let mut parts = Vec::new();
    let content = body.remove("content");
    if role == "tool" {
        if let Some(response) = content {
            parts.push(response_part(body.remove("id"), response));
        }
    } else {
        parts.extend(content.and_then(content_part));
    }
    parts.extend(calls(body.remove("tool_calls")));
    with_rest(message(&role, parts), body)
}

/// A message of the output. In 1.28 and 1.29 its calls stand inside the message.
fn choice(mut body: Object) -> Value {
    let mut own = match body.remove("message") {
        Some(Value::Object(members)) => members,
        Some(other) => [("content", other)].into_iter().collect(),
        None => Object::new(),
    };
    let role = match own.remove("role") {
        Some(Value::String(role)) => role,
        _ => "assistant".to_owned(),
    };
    let mut parts: Vec<Value> = own.remove("content").and_then(content_part).into_iter().collect();
    parts.extend(calls(own.remove("tool_calls")));
    parts.extend(calls(body.remove("tool_calls")));
    // The place of a choice is its place in the list.
    body.remove("index");
    name_finish(&mut body);
    let message = with_rest(message(&role, parts), own);
    with_rest(message, body)
}

fn content_part(content: Value) -> Option<Value> {
    match content {
        Value::String(text) => Some(text_part(&text)),
        Value::Null => None,
        // Parts of a provider's own form.
        other => Some(Value::object([("type", Value::from("content")), ("content", other)])),
    }
}

fn response_part(id: Option<Value>, response: Value) -> Value {
    let id = id.map(|id| ("id", id));
    let rest = [("type", Value::from("tool_call_response")), ("response", response)];
    Value::object(id.into_iter().chain(rest))
}

fn calls(value: Option<Value>) -> Vec<Value> {
    let Some(Value::Array(calls)) = value else { return value.into_iter().collect() };
    calls.into_iter().map(call).collect()
}

/// `{id, type, function: {name, arguments}}` as the part that it is today.
fn call(value: Value) -> Value {
    let Value::Object(mut members) = value else { return value };
    let function = match members.remove("function") {
        Some(Value::Object(function)) => function,
        Some(other) => {
            members.insert("function", other);
            return Value::Object(members);
        }
        None => return Value::Object(members),
    };
    for (name, value) in function.iter() {
        let value = match value {
            Value::String(text) if name == "arguments" => structured(text),
            other => other.clone(),
        };
        members.insert(name, value);
    }
    members.insert("type", "tool_call");
    Value::Object(members)
}

/// What nobody expected stays, beside the rest.
fn with_rest(message: Value, rest: Object) -> Value {
    let Value::Object(mut members) = message else { return message };
    for (name, value) in rest.iter().filter(|(_, value)| !value.is_null()) {
        if !members.contains(name) {
            members.insert(name, value.clone());
        }
    }
    Value::Object(members)
}

/// Prompts and completions of 1.26 and 1.27: a text that is advised, not bound, to be JSON of messages.
fn oldest(event: &Event, key: &str, role: &str) -> Vec<Value> {
    let Some(said_text) = text(&event.attributes, key) else { return Vec::new() };
    match structured(said_text) {
        Value::Array(items) => items.into_iter().map(|item| oldest_message(item, role)).collect(),
        Value::Object(members) => vec![oldest_message(Value::Object(members), role)],
        _ => vec![message(role, vec![text_part(said_text)])],
    }
}

fn oldest_message(item: Value, role: &str) -> Value {
    match item {
        Value::Object(members) => said(role, members),
        Value::String(text) => message(role, vec![text_part(&text)]),
        other => other,
    }
}
