//! The documents that payloads are: one canonical form for what was sent and one for what came back, at the level of
//! capture that was asked for. `docs/otel.md` draws them.

use opentelemetry_proto::tonic::trace::v1::Span;
use proofline_canon::{Object, Profile, Sha256Digest, Value, WriteError};
use proofline_trace::{BlobRef, Capture, ContentType, SafeInt};

use crate::genai;
use crate::value::text;

/// What the documents are, to those who meet them as payloads.
pub const PAYLOAD_CONTENT_TYPE: &str = "application/vnd.proofline.otel-payload+json";

const VERSION: &str = "1";

/// A payload, and what names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) bytes: Vec<u8>,
    pub(crate) reference: BlobRef,
}

impl Payload {
    pub(crate) fn of(value: &Value, content_type: &ContentType) -> Result<Self, WriteError> {
        let bytes = value.to_canonical(Profile::Content)?;
        let reference = BlobRef {
            content_type: content_type.clone(),
            sha256: Sha256Digest::of(&bytes),
            size_bytes: SafeInt::saturating(bytes.len() as u64),
        };
        Ok(Self { bytes, reference })
    }
}

/// A document while it is made: its members, and what a span of its kind could say and this one did not.
#[derive(Debug, Default)]
pub(crate) struct Document {
    form: &'static str,
    members: Object,
    absent: Vec<&'static str>,
}

impl Document {
    fn new(form: &'static str) -> Self {
        Self { form, members: Object::new(), absent: Vec::new() }
    }

    fn put(mut self, name: &'static str, value: Option<Value>) -> Self {
        match value {
            Some(value) => {
                self.members.insert(name, value);
            }
            None => self.absent.push(name),
        }
        self
    }

    /// A member that is no loss where it is not there.
    fn put_if(mut self, name: &'static str, value: Option<Value>) -> Self {
        if let Some(value) = value {
            self.members.insert(name, value);
        }
        self
    }

    /// What the span did not say.
    pub(crate) fn absent(&self) -> &[&'static str] {
        &self.absent
    }

    /// A member that was put.
    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// The document at a level of capture.
    pub(crate) fn at(mut self, capture: Capture) -> Result<Value, WriteError> {
        let members = std::mem::take(&mut self.members);
        match capture {
            Capture::Full => Ok(self.framed(capture, members)),
            Capture::Structural => {
                let members = members.iter().map(|(name, value)| Ok((name, outlined(name, value)?)));
                let members: Result<Object, WriteError> = members.collect();
                Ok(self.framed(capture, members?))
            }
            Capture::Digest => {
                let whole = self.framed(Capture::Full, members);
                let Value::Object(members) = digest_of(&whole)? else { return Ok(Value::Null) };
                Ok(self.framed(capture, members))
            }
        }
    }

    fn framed(&self, capture: Capture, mut members: Object) -> Value {
        members.insert("type", self.form);
        members.insert("version", VERSION);
        members.insert("capture", capture.as_str());
        members.insert("absent", Value::array(self.absent.iter().copied()));
        Value::Object(members)
    }
}

/// What a model was sent.
pub(crate) fn model_request(span: &Span, exchange: &mut genai::Exchange) -> Document {
    Document::new("proofline.otel.model_request")
        .put("operation", text(&span.attributes, "gen_ai.operation.name").map(Value::from))
        .put("model", genai::request_model(span).map(Value::from))
        .put("messages", exchange.input.take())
        .put_if("parameters", genai::parameters(&span.attributes))
        .put_if("tools", exchange.tools.take())
}

/// What it answered.
pub(crate) fn model_response(span: &Span, exchange: &mut genai::Exchange) -> Document {
    Document::new("proofline.otel.model_response")
        .put("model", genai::response_model(span).map(Value::from))
        .put("messages", exchange.output.take())
        .put_if("error", error(span))
}

/// What a tool was given.
pub(crate) fn tool_request(span: &Span, exchange: &mut genai::ToolExchange) -> Document {
    Document::new("proofline.otel.tool_request")
        .put("tool", text(&span.attributes, "gen_ai.tool.name").map(Value::from))
        .put("arguments", exchange.arguments.take())
}

/// What it gave.
pub(crate) fn tool_response(span: &Span, exchange: &mut genai::ToolExchange) -> Document {
    Document::new("proofline.otel.tool_response")
        .put("result", exchange.result.take())
        .put_if("error", error(span))
}

/// How a span says that it failed.
fn error(span: &Span) -> Option<Value> {
    let kind = text(&span.attributes, "error.type").map(|kind| ("type", kind));
    let failed = span.status.as_ref().filter(|status| status.code == STATUS_ERROR);
    let message = failed.map(|status| status.message.as_str()).filter(|message| !message.is_empty());
    if kind.is_none() && failed.is_none() {
        return None;
    }
    Some(Value::object(kind.into_iter().chain(message.map(|message| ("message", message)))))
}

/// `STATUS_CODE_ERROR`.
pub(crate) const STATUS_ERROR: i32 = 2;
/// `STATUS_CODE_OK`.
pub(crate) const STATUS_OK: i32 = 1;

/// `{"sha256": …, "size_bytes": …}` of a value's canonical bytes.
pub(crate) fn digest_of(value: &Value) -> Result<Value, WriteError> {
    let bytes = value.to_canonical(Profile::Content)?;
    Ok(Value::object([
        ("sha256", Value::from(Sha256Digest::of(&bytes).to_string())),
        ("size_bytes", Value::from(bytes.len() as u64)),
    ]))
}

/// A member without its content: what names and structures it stays, what was said is told by digest.
fn outlined(name: &str, value: &Value) -> Result<Value, WriteError> {
    match (name, value) {
        ("operation" | "model" | "tool", _) => Ok(value.clone()),
        ("parameters", Value::Object(members)) => {
            let one = |(name, value): (&str, &Value)| {
                Ok((name.to_owned(), if genai::is_plain(name) { value.clone() } else { digest_of(value)? }))
            };
            Ok(Value::Object(members.iter().map(one).collect::<Result<Object, WriteError>>()?))
        }
        ("messages" | "tools", Value::Array(items)) => {
            Ok(Value::Array(items.iter().map(outline).collect::<Result<_, _>>()?))
        }
        ("error", Value::Object(_)) => outline(value),
        _ => digest_of(value),
    }
}

/// A message, a part or a tool: words of the convention stay, and everything else is told by digest.
fn outline(value: &Value) -> Result<Value, WriteError> {
    const WORDS: [&str; 8] =
        ["role", "type", "name", "id", "finish_reason", "modality", "mime_type", "file_id"];
    let Value::Object(members) = value else { return digest_of(value) };
    let outlined = members.iter().map(|(name, value)| {
        let value = match value {
            Value::String(_) | Value::Null if WORDS.contains(&name) => value.clone(),
            Value::Array(parts) if name == "parts" => {
                Value::Array(parts.iter().map(outline).collect::<Result<_, _>>()?)
            }
            other => digest_of(other)?,
        };
        Ok((name, value))
    });
    Ok(Value::Object(outlined.collect::<Result<Object, WriteError>>()?))
}
