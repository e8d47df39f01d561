//! Transforms of JSON documents that agents use as tools. A request is strict JSON, an answer is canonical
//! (RFC 8785), so that one answer has one spelling.

use std::cmp::Ordering;

use proofline_canon::{Limits, Object, Pointer, Profile, Value, parse};

use super::{Tool, ToolFault};

/// A transform of a JSON document.
///
/// | shipped as | request | response |
/// |---|---|---|
/// | `json-canonical` | any document | it, canonical |
/// | `json-pick` | `{"document":...,"pointer":"/a/0"}` | the value at that place (RFC 6901) |
/// | `json-merge-patch` | `{"document":...,"patch":...}` | the document with that patch (RFC 7396) |
/// | `json-sort` | `{"array":"/items","by":"/price","document":...}` | the document with the array there sorted, its items in order of the value at `by` in each: all numbers or all texts, equal ones as they stood |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonTransform {
    /// The canonical bytes.
    Canonical,
    /// The value at a place.
    Pick,
    /// A merge patch.
    MergePatch,
    /// An array in order.
    Sort,
}

impl Tool for JsonTransform {
    fn version(&self) -> String {
        let name = match self {
            Self::Canonical => "json-canonical/1",
            Self::Pick => "json-pick/1",
            Self::MergePatch => "json-merge-patch/1",
            Self::Sort => "json-sort/1",
        };
        name.to_owned()
    }

    fn run(&self, request: &[u8]) -> Result<Vec<u8>, ToolFault> {
        let request =
            parse(request, &Limits::CONTENT).map_err(|error| ToolFault::Request(error.to_string()))?;
        let answer = match self {
            Self::Canonical => request,
            Self::Pick => {
                let [document, place] = members(&request, ["document", "pointer"])?;
                pointer(place)?.find(document).cloned().ok_or_else(|| no_such(place))?
            }
            Self::MergePatch => {
                let [document, patch] = members(&request, ["document", "patch"])?;
                patched(document.clone(), patch)
            }
            Self::Sort => {
                let [array, by, document] = members(&request, ["array", "by", "document"])?;
                let (at, by) = (pointer(array)?, pointer(by)?);
                let mut document = document.clone();
                let steps: Vec<String> = at.steps().collect();
                let items = at_mut(&mut document, &steps).ok_or_else(|| no_such(array))?;
                sort(items, &by)?;
                document
            }
        };
        let unfit = |error: proofline_canon::WriteError| ToolFault::Failed(error.to_string());
        answer.to_canonical(Profile::Content).map_err(unfit)
    }
}

/// The members of an object that has these and no others.
fn members<'a, const N: usize>(
    request: &'a Value,
    names: [&'static str; N],
) -> Result<[&'a Value; N], ToolFault> {
    let unfit = || ToolFault::Request(format!("it is no object with the members {}", names.join(", ")));
    let object = request.as_object().filter(|object| object.len() == N).ok_or_else(unfit)?;
    let mut found = [request; N];
    for (place, name) in found.iter_mut().zip(names) {
        *place = object.get(name).ok_or_else(unfit)?;
    }
    Ok(found)
}

fn pointer(value: &Value) -> Result<Pointer, ToolFault> {
    let unfit = || ToolFault::Request("a pointer in it is no JSON Pointer (RFC 6901)".to_owned());
    value.as_str().and_then(Pointer::parse).ok_or_else(unfit)
}

fn no_such(pointer: &Value) -> ToolFault {
    ToolFault::Failed(format!("the document has nothing at {:?}", pointer.as_str().unwrap_or_default()))
}

/// RFC 7396 §2. Nesting is that of the request, which was bounded when it was parsed.
fn patched(target: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut target = match target {
        Value::Object(target) => target,
        _ => Object::new(),
    };
    for (name, value) in patch.iter() {
        let before = target.remove(name);
        if !value.is_null() {
            target.insert(name, patched(before.unwrap_or(Value::Null), value));
        }
    }
    Value::Object(target)
}

fn at_mut<'a>(value: &'a mut Value, steps: &[String]) -> Option<&'a mut Value> {
    let Some((step, rest)) = steps.split_first() else { return Some(value) };
    let within = match value {
        Value::Object(object) => object.get_mut(step)?,
        Value::Array(items) => items.get_mut(Pointer::array_index(step)?)?,
        _ => return None,
    };
    at_mut(within, rest)
}

/// What items are sorted by.
enum Key {
    Number(f64),
    Text(String),
}

impl Key {
    fn of(item: &Value, by: &Pointer) -> Result<Self, ToolFault> {
        match by.find(item) {
            Some(Value::Number(number)) => Ok(Self::Number(number.nearest_double())),
            Some(Value::String(text)) => Ok(Self::Text(text.clone())),
            Some(_) => Err(ToolFault::Failed("an item is sorted by neither a number nor a text".to_owned())),
            None => Err(ToolFault::Failed("an item has nothing to be sorted by".to_owned())),
        }
    }

    /// Texts by UTF-16 code units, as RFC 8785 orders names. Those of two kinds have no order.
    fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => one.partial_cmp(other),
            (Self::Text(one), Self::Text(other)) => Some(one.encode_utf16().cmp(other.encode_utf16())),
            _ => None,
        }
    }
}

fn sort(value: &mut Value, by: &Pointer) -> Result<(), ToolFault> {
    let Value::Array(items) = value else {
        return Err(ToolFault::Failed("what is to be sorted is no array".to_owned()));
    };
    let taken = std::mem::take(items).into_iter();
    let keyed: Result<Vec<(Key, Value)>, ToolFault> =
        taken.map(|item| Ok((Key::of(&item, by)?, item))).collect();
    let mut keyed = keyed?;
    if keyed.windows(2).any(|pair| matches!(pair, [one, other] if one.0.order(&other.0).is_none())) {
        return Err(ToolFault::Failed("the items are sorted by numbers and by texts".to_owned()));
    }
    keyed.sort_by(|one, other| one.0.order(&other.0).unwrap_or(Ordering::Equal));
    items.extend(keyed.into_iter().map(|(_, item)| item));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(tool: JsonTransform, request: &str) -> Result<String, &'static str> {
        let answer = tool.run(request.as_bytes()).map_err(|fault| fault.code())?;
        Ok(String::from_utf8(answer).unwrap())
    }

    /// The test cases of RFC 7396, appendix A: original, patch, result.
    #[test]
    fn merge_patches_of_the_standard() {
        for (document, patch, expected) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"a":"foo"}"#, "null", "null"),
            (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            let request = format!(r#"{{"document":{document},"patch":{patch}}}"#);
            assert_eq!(ran(JsonTransform::MergePatch, &request).as_deref(), Ok(expected), "{request}");
        }
    }

    #[test]
    fn canonical_form_and_places() {
        assert_eq!(
            ran(JsonTransform::Canonical, r#" {"b": 1.50, "a": "\u0041"} "#).as_deref(),
            Ok(r#"{"a":"A","b":1.5}"#)
        );
        let pick = |pointer: &str| {
            let request = format!(r#"{{"document":{{"a/b":[1,{{"c":2}}]}},"pointer":"{pointer}"}}"#);
            ran(JsonTransform::Pick, &request)
        };
        assert_eq!(pick("/a~1b/1").as_deref(), Ok(r#"{"c":2}"#));
        assert_eq!(pick("/a~1b/01"), Err("tool.failed"));
        assert_eq!(pick("a"), Err("tool.request"));
    }

    #[test]
    fn sorting_keeps_equal_items_as_they_stood() {
        let sort = |array: &str, by: &str, document: &str| {
            let request = format!(r#"{{"array":"{array}","by":"{by}","document":{document}}}"#);
            ran(JsonTransform::Sort, &request)
        };
        let flights = r#"{"f":[{"n":"b","p":10},{"n":"a","p":9.5},{"n":"c","p":1e1}],"x":[2,1]}"#;
        assert_eq!(
            sort("/f", "/p", flights).as_deref(),
            Ok(r#"{"f":[{"n":"a","p":9.5},{"n":"b","p":10},{"n":"c","p":10}],"x":[2,1]}"#)
        );
        assert_eq!(sort("/x/0", "", r#"{"x":[[3,1,2],0]}"#).as_deref(), Ok(r#"{"x":[[1,2,3],0]}"#));
        // U+1F600 has the units D83D DE00, below U+FB33, and so it stands before it.
        assert_eq!(
            sort("", "", r#"["\ufb33","b","\ud83d\ude00"]"#).as_deref(),
            Ok("[\"b\",\"\u{1f600}\",\"\u{fb33}\"]")
        );
        for (array, by, document) in [
            ("/f", "/q", flights),
            ("/q", "", flights),
            ("/f/0", "", flights),
            ("", "", r#"[1,"a"]"#),
            ("", "", "[true]"),
        ] {
            assert_eq!(sort(array, by, document), Err("tool.failed"), "{array} {by}");
        }
    }

    #[test]
    fn requests_have_one_form() {
        for (tool, request) in [
            (JsonTransform::Canonical, r#"{"a":1,"a":2}"#),
            (JsonTransform::Pick, r#"{"document":1}"#),
            (JsonTransform::Pick, r#"{"document":1,"pointer":"","more":1}"#),
            (JsonTransform::MergePatch, "[]"),
            (JsonTransform::Sort, r#"{"array":1,"by":"","document":[]}"#),
        ] {
            assert_eq!(ran(tool, request), Err("tool.request"), "{request}");
        }
    }
}
