//! What a span says in the words of the GenAI conventions, new and old: which operation it is, and what was sent and
//! what came back. Nothing is made up: what a span does not say is absent here too.

mod flat;
mod messages;
mod older;
mod parameters;
mod plain;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use proofline_canon::Value;

use crate::value::{attribute, content, text};

pub(crate) use parameters::parameters;
pub(crate) use plain::is_plain;

/// What a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An inference, or vectors for an input.
    Model,
    /// One run of a tool.
    Tool,
    /// Anything else: a place in the tree.
    Other,
}

/// Operations that are calls of a model.
const MODEL_OPERATIONS: [&str; 4] = ["chat", "text_completion", "generate_content", "embeddings"];
const TOOL_OPERATION: &str = "execute_tool";
const TOOL_METHOD: &str = "tools/call";

/// The operation that a span says it is: that of GenAI, else the method of MCP.
pub(crate) fn operation(span: &Span) -> Option<&str> {
    text(&span.attributes, "gen_ai.operation.name").or_else(|| text(&span.attributes, "mcp.method.name"))
}

/// Classifies by attributes, never by a span's name.
pub(crate) fn kind(span: &Span) -> Kind {
    let attributes = &span.attributes;
    let method = text(attributes, "mcp.method.name");
    match text(attributes, "gen_ai.operation.name") {
        Some(operation) if MODEL_OPERATIONS.contains(&operation) => Kind::Model,
        Some(TOOL_OPERATION) => Kind::Tool,
        Some(_) if method != Some(TOOL_METHOD) => Kind::Other,
        _ if method == Some(TOOL_METHOD) => Kind::Tool,
        _ if method.is_some() => Kind::Other,
        // Conventions of 1.36 and before asked no operation of a tool's span.
        _ if text(attributes, "gen_ai.tool.name").is_some() => Kind::Tool,
        _ if older::has_messages(span) || flat::has_messages(attributes) => Kind::Model,
        _ => Kind::Other,
    }
}

/// Whether the span is one of MCP.
pub(crate) fn is_mcp(span: &Span) -> bool {
    text(&span.attributes, "mcp.method.name").is_some()
}

/// The provider, under its name of today.
pub(crate) fn provider(span: &Span) -> Option<&str> {
    let named = text(&span.attributes, "gen_ai.provider.name");
    named.or_else(|| text(&span.attributes, "gen_ai.system").map(renamed))
}

/// Values of `gen_ai.system` that are called otherwise today.
fn renamed(system: &str) -> &str {
    match system {
        "az.ai.inference" => "azure.ai.inference",
        "az.ai.openai" => "azure.ai.openai",
        "vertex_ai" => "gcp.vertex_ai",
        "gemini" => "gcp.gemini",
        "xai" => "x_ai",
        other => other,
    }
}

/// The model that answered, else the one that was asked for.
pub(crate) fn model(span: &Span) -> Option<&str> {
    response_model(span).or_else(|| request_model(span))
}

pub(crate) fn request_model(span: &Span) -> Option<&str> {
    text(&span.attributes, "gen_ai.request.model")
}

pub(crate) fn response_model(span: &Span) -> Option<&str> {
    text(&span.attributes, "gen_ai.response.model")
}

/// What a model was sent and what it answered. Each is there only where the span says it.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    /// Messages in the order sent; instructions that the span has apart stand before them as a `system` message.
    pub(crate) input: Option<Value>,
    /// Tools that the model could ask for.
    pub(crate) tools: Option<Value>,
    /// One message a choice.
    pub(crate) output: Option<Value>,
}

/// The event of today that has messages and tools as a span may have them.
const DETAILS: &str = "gen_ai.client.inference.operation.details";

/// What a model's span holds of its messages. Instructions, input and output are each looked for by themselves: as
/// attributes, else as events, else as attributes of older habits; emitters mix them.
pub(crate) fn exchange(span: &Span) -> Exchange {
    let details = span.events.iter().find(|event| event.name == DETAILS);
    let places = [Some(&span.attributes), details.map(|event| &event.attributes)];
    let first = |of: fn(&[KeyValue]) -> Option<Value>| places.iter().flatten().find_map(|it| of(it));
    let instructions = first(messages::instructions);
    let (mut input, mut output) = (first(messages::input), first(messages::output));
    if input.is_none() || output.is_none() {
        let older = older::exchange(span);
        (input, output) = (input.or(older.0), output.or(older.1));
    }
    if input.is_none() || output.is_none() {
        let flat = flat::exchange(&span.attributes);
        (input, output) = (input.or(flat.0), output.or(flat.1));
    }
    let tools = first(|attributes| attribute(attributes, "gen_ai.tool.definitions").map(content));
    Exchange { input: messages::behind(instructions, input), tools, output }
}

/// What a tool was given and what it gave.
#[derive(Debug, Default)]
pub(crate) struct ToolExchange {
    pub(crate) arguments: Option<Value>,
    pub(crate) result: Option<Value>,
}

/// The same of a tool's span. Arguments are a structure where they are one; a result is what the tool gave, a text
/// mostly, and stays so.
pub(crate) fn tool_exchange(span: &Span) -> ToolExchange {
    let attributes = &span.attributes;
    ToolExchange {
        arguments: attribute(attributes, "gen_ai.tool.call.arguments").map(content),
        result: attribute(attributes, "gen_ai.tool.call.result")
            .map(result)
            .or_else(|| older::tool_result(span)),
    }
}

fn result(value: &Any) -> Value {
    match value {
        Any::StringValue(text) => Value::from(text.as_str()),
        other => crate::value::plain(other),
    }
}

/// Attributes that hold what somebody said, asked or got.
pub(crate) fn is_content(key: &str) -> bool {
    const NAMED: [&str; 12] = [
        "gen_ai.system_instructions",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.tool.definitions",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "gen_ai.retrieval.query.text",
        "gen_ai.retrieval.documents",
        "gen_ai.event.content",
        "gen_ai.evaluation.explanation",
        "exception.message",
        "exception.stacktrace",
    ];
    NAMED.contains(&key) || is_older_content(key)
}

/// Attributes that hold messages, or parts of them, by older habits.
pub(crate) fn is_older_content(key: &str) -> bool {
    ["gen_ai.prompt", "gen_ai.completion"]
        .iter()
        .any(|name| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// Whether an event is a message: its attributes are what was said.
pub(crate) fn is_message_event(name: &str) -> bool {
    older::is_message(name)
}
