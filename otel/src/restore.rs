//! Content that a payload holds, for the attributes that it came in: which of them can be written again from the
//! payloads of their call, so that the document of the spans keeps no more than a digest.

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use proofline_canon::{Object, Sha256Digest, Value, WriteError};

use crate::allowance::Budget;
use crate::content::in_otlp;
use crate::payload::digest_of;
use crate::shape::{Places, text_of};
use crate::spelling::Spelling;

/// The payloads of a call, as far as they are at hand.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pieces<'a> {
    pub(crate) request: Option<&'a Object>,
    pub(crate) response: Option<&'a Object>,
}

/// What an attribute was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Restored {
    /// This, by its digest.
    Same(String),
    /// What it said, in another spelling.
    Restated(String),
}

impl Restored {
    pub(crate) const fn text(&self) -> &String {
        match self {
            Self::Same(text) | Self::Restated(text) => text,
        }
    }
}

impl Pieces<'_> {
    /// What stands for the value of an attribute in the document of the spans: its digest, with its spelling, where
    /// the payloads give it back; none where it has to be kept.
    pub(crate) fn stand_in(&self, key: &str, value: Option<&AnyValue>) -> Result<Option<Value>, WriteError> {
        let Some(Any::StringValue(text)) = value.and_then(|value| value.value.as_ref()) else {
            return Ok(None);
        };
        for meant in self.meant(key) {
            let spelling = match &meant {
                Value::String(own) if own == text => None,
                Value::Array(_) | Value::Object(_) => match Spelling::of(text, &meant) {
                    None => continue,
                    spelling => spelling,
                },
                _ => continue,
            };
            let Value::Object(mut digest) = digest_of(&in_otlp(value))? else { return Ok(None) };
            if let Some(spelling) = spelling {
                digest.insert("spelling", spelling.to_value());
            }
            return Ok(Some(Value::Object(digest)));
        }
        Ok(None)
    }

    /// The text that such a stand-in stands for; none where it is not at hand, or more than is allowed.
    pub(crate) fn restore(&self, key: &str, stand_in: &Value, budget: &Budget) -> Option<Restored> {
        if budget.is_spent() {
            return None;
        }
        self.restored(key, stand_in, budget).filter(|it| budget.take(it.text().len()))
    }

    fn restored(&self, key: &str, stand_in: &Value, budget: &Budget) -> Option<Restored> {
        let wanted: Sha256Digest = stand_in.get("sha256")?.as_str()?.parse().ok()?;
        let spelling = stand_in.get("spelling").and_then(Spelling::from_value);
        if let Some(shape) = stand_in.get(SHAPE) {
            let text = text_of(shape, spelling.as_ref(), *self, budget)?;
            return Some(if is_of(&text, &wanted) { Restored::Same(text) } else { Restored::Restated(text) });
        }
        let mut all = self.meant(key).into_iter().map(|meant| match (meant, &spelling) {
            (Value::String(text), _) => text,
            (meant, Some(spelling)) => spelling.write(&meant),
            (meant, None) => Spelling::PLAIN.write(&meant),
        });
        let first = all.next()?;
        let is_same = |text: &String| is_of(text, &wanted);
        if is_same(&first) {
            return Some(Restored::Same(first));
        }
        Some(all.find(is_same).map_or(Restored::Restated(first), Restored::Same))
    }

    /// What the payloads may have of an attribute, the likeliest first.
    fn meant(&self, key: &str) -> Vec<Value> {
        let of = |document: Option<&Object>, name: &str| document.and_then(|it| it.get(name)).cloned();
        let one = |value: Option<Value>| value.into_iter().collect::<Vec<_>>();
        match key {
            "gen_ai.system_instructions" => {
                let first = self.request.and_then(|it| it.get("messages")?.as_array()?.first());
                one(first.filter(|it| is_of_system(it)).and_then(|it| it.get("parts")).cloned())
            }
            "gen_ai.input.messages" => {
                let Some(Value::Array(messages)) = of(self.request, "messages") else { return Vec::new() };
                let behind = messages.split_first().filter(|(first, _)| is_of_system(first));
                let behind = behind.map(|(_, rest)| Value::Array(rest.to_vec()));
                behind.into_iter().chain([Value::Array(messages)]).flat_map(finished).collect()
            }
            "gen_ai.output.messages" => {
                of(self.response, "messages").into_iter().flat_map(finished).collect()
            }
            "gen_ai.tool.definitions" => one(of(self.request, "tools")),
            "gen_ai.tool.call.arguments" => one(of(self.request, "arguments")),
            "gen_ai.tool.call.result" => one(of(self.response, "result")),
            _ => Vec::new(),
        }
    }
}

/// What stands for a text of which the payloads of a call have parts; none where they have none of it.
pub(crate) fn shaped(places: &Places<'_>, value: Option<&AnyValue>) -> Result<Option<Value>, WriteError> {
    let Some(Any::StringValue(text)) = value.and_then(|value| value.value.as_ref()) else { return Ok(None) };
    let Some((shape, spelling)) = places.shape(text) else { return Ok(None) };
    let Value::Object(mut stand_in) = digest_of(&in_otlp(value))? else { return Ok(None) };
    stand_in.insert(SHAPE, shape);
    if let Some(spelling) = spelling {
        stand_in.insert("spelling", spelling.to_value());
    }
    Ok(Some(Value::Object(stand_in)))
}

/// The member of a stand-in that says how a text is made of parts of the payloads.
const SHAPE: &str = "shape";

/// Whether a text, as the value of an attribute, has this digest.
fn is_of(text: &str, wanted: &Sha256Digest) -> bool {
    let value = Value::object([("stringValue", text)]);
    value.to_canonical(proofline_canon::Profile::Content).is_ok_and(|it| Sha256Digest::of(&it) == *wanted)
}

fn is_of_system(message: &Value) -> bool {
    message.get("role").and_then(Value::as_str) == Some("system")
}

/// Messages as payloads have them, and as emitters write the reason of finishing.
fn finished(messages: Value) -> Vec<Value> {
    const NAME: &str = "finish_reason";
    let is_call = |it: &Value| it.get(NAME).and_then(Value::as_str) == Some("tool_call");
    let Value::Array(items) = &messages else { return vec![messages] };
    if !items.iter().any(is_call) {
        return vec![messages];
    }
    let plural = items.iter().cloned().map(|it| match it {
        Value::Object(mut members) if members.get(NAME).and_then(Value::as_str) == Some("tool_call") => {
            members.insert(NAME, "tool_calls");
            Value::Object(members)
        }
        other => other,
    });
    let plural = Value::array(plural);
    vec![messages, plural]
}
