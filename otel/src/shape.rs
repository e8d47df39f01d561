//! Content of older conventions, which say in events, and in pieces, what payloads have as messages: a text of an
//! attribute is told by its shape, in which whatever the payloads have stands as the place where they have it.

use std::collections::HashMap;

use proofline_canon::{Object, Pointer, Value};

use crate::allowance::Budget;
use crate::restore::Pieces;
use crate::spelling::Spelling;
use crate::value::structured;

/// The member that names a place in a payload. A text that has members of this name itself is kept whole.
const PLACE: &str = "$payload";
const SPELLING: &str = "spelling";

/// Places of more bytes are none.
const LONGEST_PLACE_BYTES: usize = 256;
/// Places in the shape of a text may be this many bytes and twice the text's: one of many little pieces is kept whole.
const SPARE_BYTES: usize = 1024;

/// Members that name and tell apart. What they say is no content, and stays.
const WORDS: [&str; 3] = ["role", "type", "finish_reason"];

/// What the payloads of a call have, and where.
#[derive(Debug, Default)]
pub(crate) struct Places<'a> {
    texts: HashMap<&'a str, String>,
    /// Structures that may have come as texts.
    structures: HashMap<&'a Value, String>,
}

impl<'a> Places<'a> {
    pub(crate) fn of(pieces: Pieces<'a>) -> Self {
        let mut places = Self::default();
        let documents = [
            ("request", pieces.request, "messages"),
            ("response", pieces.response, "messages"),
            ("response", pieces.response, "result"),
        ];
        for (of, document, member) in documents {
            if let Some(value) = document.and_then(|it| it.get(member)) {
                places.take(&Pointer::root().child(of).child(member), value);
            }
        }
        places
    }

    /// Where something stands several times, the first place is its place.
    fn take(&mut self, place: &Pointer, value: &'a Value) {
        if place.as_str().len() > LONGEST_PLACE_BYTES {
            return;
        }
        match value {
            Value::String(text) => {
                self.texts.entry(text).or_insert_with(|| place.to_string());
            }
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.take(&place.index(at), item);
                }
            }
            Value::Object(members) => {
                for (name, value) in members.iter().filter(|(name, _)| !WORDS.contains(name)) {
                    let place = place.child(name);
                    if name == "arguments" && matches!(value, Value::Array(_) | Value::Object(_)) {
                        self.structures.entry(value).or_insert_with(|| place.to_string());
                    }
                    self.take(&place, value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The shape of a text, and its spelling where it is that of a structure; none where the payloads have nothing of
    /// it, or the text says more than its structure.
    pub(crate) fn shape(&self, text: &str) -> Option<(Value, Option<Spelling>)> {
        if let Some(place) = self.texts.get(text) {
            return Some((Value::object([(PLACE, place.as_str())]), None));
        }
        let meant = structured(text);
        if !matches!(meant, Value::Array(_) | Value::Object(_)) {
            return None;
        }
        let most_bytes = text.len().saturating_mul(2).saturating_add(SPARE_BYTES);
        let mut left_bytes = most_bytes;
        let shape = self.shape_of(&meant, &mut left_bytes)?;
        let has_places = left_bytes < most_bytes;
        let spelling = has_places.then(|| Spelling::of(text, &meant)).flatten()?;
        Some((shape, Some(spelling)))
    }

    /// What stands for a value in a shape. Places take from the bytes that are left; none where these are not enough.
    fn shape_of(&self, value: &Value, left_bytes: &mut usize) -> Option<Value> {
        Some(match value {
            Value::String(text) => match self.place_of(text) {
                Some((place, bytes)) => {
                    *left_bytes = left_bytes.checked_sub(bytes)?;
                    place
                }
                None => value.clone(),
            },
            Value::Array(items) => {
                let items = items.iter().map(|item| self.shape_of(item, left_bytes));
                Value::Array(items.collect::<Option<_>>()?)
            }
            Value::Object(members) if members.contains(PLACE) => return None,
            Value::Object(members) => {
                let members =
                    members.iter().map(|(name, value)| Some((name, self.shape_of(value, left_bytes)?)));
                Value::Object(members.collect::<Option<Object>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    /// Where the payloads have a text, and about how many bytes it takes to say so.
    fn place_of(&self, text: &str) -> Option<(Value, usize)> {
        let bytes = |place: &str| place.len() + PLACE.len();
        if let Some(place) = self.texts.get(text) {
            return Some((Value::object([(PLACE, place.as_str())]), bytes(place)));
        }
        if self.structures.is_empty() {
            return None;
        }
        let meant = structured(text);
        let place = self.structures.get(&meant)?;
        let spelling = Spelling::of(text, &meant)?.to_value();
        // An order of members is no longer than the text in which it was found.
        let said = Value::object([(PLACE, Value::from(place.as_str())), (SPELLING, spelling)]);
        Some((said, bytes(place).saturating_add(text.len())))
    }
}

/// The text of a shape, with what the payloads have in its place; none where they do not have it, or it is more than
/// is allowed.
pub(crate) fn text_of(
    shape: &Value,
    spelling: Option<&Spelling>,
    pieces: Pieces<'_>,
    budget: &Budget,
) -> Option<String> {
    match (filled(shape, pieces, budget)?, spelling) {
        (Value::String(text), None) => Some(text),
        (meant, spelling) => Some(spelling?.write(&meant)),
    }
}

fn filled(shape: &Value, pieces: Pieces<'_>, budget: &Budget) -> Option<Value> {
    Some(match shape {
        Value::Object(members) => match members.get(PLACE) {
            Some(place) => {
                let found = at(place.as_str()?, pieces).filter(|found| budget.take_value(found))?;
                match members.get(SPELLING) {
                    Some(spelling) => Value::String(Spelling::from_value(spelling)?.write(found)),
                    None => found.clone(),
                }
            }
            None => {
                let members =
                    members.iter().map(|(name, value)| Some((name, filled(value, pieces, budget)?)));
                Value::Object(members.collect::<Option<Object>>()?)
            }
        },
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| filled(item, pieces, budget)).collect::<Option<_>>()?)
        }
        other => other.clone(),
    })
}

/// What stands at a place.
fn at<'a>(place: &str, pieces: Pieces<'a>) -> Option<&'a Value> {
    let place = Pointer::parse(place)?;
    let mut steps = place.steps();
    let document = match steps.next()?.as_str() {
        "request" => pieces.request,
        "response" => pieces.response,
        _ => None,
    };
    let first = document?.get(&steps.next()?)?;
    steps.fold(Pointer::root(), |below, step| below.child(&step)).find(first)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
mod tests {
    use proofline_canon::{Limits, Profile, parse};
    use proptest::prelude::*;

    use super::*;

    fn enough() -> Budget {
        Budget::of_bytes(1 << 20)
    }

    /// As a document has it when it is read again.
    fn read_again(value: &Value) -> Value {
        parse(&value.to_canonical(Profile::Content).unwrap(), &Limits::CONTENT).unwrap()
    }

    fn object(text: &str) -> Object {
        let Value::Object(members) = parse(text.as_bytes(), &Limits::CONTENT).unwrap() else {
            panic!("{text} is no object")
        };
        members
    }

    /// A text in its shape, and from that again.
    fn there_and_back(text: &str, request: &Object, response: &Object) -> Option<(String, Option<String>)> {
        let pieces = Pieces { request: Some(request), response: Some(response) };
        let (shape, spelling) = Places::of(pieces).shape(text)?;
        let kept = read_again(&shape);
        let spelling = spelling.map(|it| Spelling::from_value(&read_again(&it.to_value())).unwrap());
        let (request, response) =
            (read_again(&Value::Object(request.clone())), read_again(&Value::Object(response.clone())));
        let pieces = Pieces { request: request.as_object(), response: response.as_object() };
        let shown = String::from_utf8(kept.to_canonical(Profile::Content).unwrap()).unwrap();
        Some((shown, text_of(&kept, spelling.as_ref(), pieces, &enough())))
    }

    #[test]
    fn what_payloads_have_stands_as_its_place() {
        let request = object(
            r#"{"messages":[{"role":"user","parts":[{"type":"text","content":"my secret"}]},
                {"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"look","arguments":{"b/~":"x","n":1}}]}]}"#,
        );
        let response = object(
            r#"{"messages":[{"role":"assistant","parts":[{"type":"text","content":"done"}]}],"result":"r"}"#,
        );
        for (text, shape) in [
            ("my secret", r#"{"$payload":"/request/messages/0/parts/0/content"}"#),
            ("r", r#"{"$payload":"/response/result"}"#),
            (
                r#"{"role": "user", "content": "my secret"}"#,
                r#"{"content":{"$payload":"/request/messages/0/parts/0/content"},"role":"user"}"#,
            ),
            (
                r#"{"tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{\"n\": 1, \"b/~\": \"x\"}"}}]}"#,
                concat!(
                    r#"{"tool_calls":[{"function":{"arguments":{"$payload":"/request/messages/1/parts/0/arguments","#,
                    r#""spelling":{"ascii":true,"orders":[["n","b/~"]],"spaced":true}},"#,
                    r#""name":{"$payload":"/request/messages/1/parts/0/name"}},"#,
                    r#""id":{"$payload":"/request/messages/1/parts/0/id"},"type":"function"}]}"#,
                ),
            ),
            (
                r#"{"index":0,"message":{"content":"done"},"other":null}"#,
                r#"{"index":0,"message":{"content":{"$payload":"/response/messages/0/parts/0/content"}},"other":null}"#,
            ),
            ("x", r#"{"$payload":"/request/messages/1/parts/0/arguments/b~1~0"}"#),
        ] {
            let (shown, again) = there_and_back(text, &request, &response).unwrap();
            assert_eq!((shown.as_str(), again.as_deref()), (shape, Some(text)));
        }
        // Of others the payloads have nothing, or they say more than their structure, or could be taken for a place.
        for text in [
            "user",
            "my",
            r#"{"content":"of mine"}"#,
            r#"{ "content":"my secret"}"#,
            r#"{"content":"my secret","content":"my secret"}"#,
            r#"{"content":"my secret","x":{"$payload":"/request"}}"#,
        ] {
            assert_eq!(there_and_back(text, &request, &response), None, "{text}");
        }
        // Many little pieces, whose places would be far longer than they are, and what is at a place with a long name.
        let many = |count: usize| format!("[{}]", vec![r#""x""#; count].join(","));
        assert!(there_and_back(&many(10), &request, &response).is_some());
        assert_eq!(there_and_back(&many(1000), &request, &response), None);
        let long = object(&format!(r#"{{"messages":[{{"{}":"far"}}]}}"#, "n".repeat(LONGEST_PLACE_BYTES)));
        assert_eq!(there_and_back("far", &long, &response), None);
        // A payload that is gone gives nothing back, and nothing is made of half.
        let shape = read_again(&Value::object([("$payload", "/request/messages/0/parts/0/content")]));
        let without = Pieces { request: None, response: Some(&response) };
        assert_eq!(text_of(&shape, None, without, &enough()), None);
        // What no import wrote gives nothing, or something, and never a fault.
        for place in [
            "",
            "/",
            "/request",
            "/other/messages",
            "request/messages",
            "/request/messages/9",
            "/request/~2",
            "/request/messages/0/parts/00",
        ] {
            let pieces = Pieces { request: Some(&request), response: Some(&response) };
            assert_eq!(
                text_of(&Value::object([("$payload", place)]), None, pieces, &enough()),
                None,
                "{place}"
            );
        }
    }

    /// Structures of few texts, so that payloads and what was said have some in common.
    fn structure() -> impl Strategy<Value = serde_json::Value> {
        let word = prop_oneof!["[ab]{1,2}", Just("{\"a\": 1}".to_owned()), Just("[\"b\"]".to_owned())];
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            (0..3_i32).prop_map(serde_json::Value::from),
            word.prop_map(serde_json::Value::from),
        ];
        let name = prop_oneof![Just("arguments"), Just("content"), Just("role"), Just("a/~"), Just("b")];
        leaf.prop_recursive(4, 16, 3, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(serde_json::Value::from),
                proptest::collection::btree_map(name.clone(), inner, 0..4).prop_map(|members| {
                    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
                    serde_json::Value::Object(members.collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_has_a_shape_comes_back_to_the_byte(
            messages in structure(), result in structure(), said in structure(), is_text: bool,
        ) {
            let document = |name: &str, value: &serde_json::Value| {
                object(&serde_json::json!({ name: value }).to_string())
            };
            let (request, response) = (document("messages", &messages), document("result", &result));
            let text = match &said {
                serde_json::Value::String(own) if is_text => own.clone(),
                other => other.to_string(),
            };
            if let Some((_, again)) = there_and_back(&text, &request, &response) {
                prop_assert_eq!(again, Some(text));
            }
        }
    }
}
