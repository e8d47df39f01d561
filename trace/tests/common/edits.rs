//! Every single edit of a document, at the limits of every rule.

use serde_json::{Value as Json, json};

use super::DIGEST;

/// Values at every limit of every rule, valid for some member and invalid for most.
pub(crate) fn limit_values() -> Vec<Json> {
    let texts = [
        "",
        "a",
        "Z",
        "é",
        "\u{0}",
        "a\n",
        "a b",
        "/",
        "a/b",
        "/a",
        "a/b/c",
        "text/plain",
        "+/+",
        "a+b",
        "-a",
        "a-b",
        "root",
        "child",
        "leaf",
        "allow",
        "deny",
        "cpo",
        "flow",
        "adapter",
        "1",
        "1.0.0",
        "true",
        "auth_context",
        "policy_decision",
        "model_call",
        "tool_call",
        "forensic",
        "constrained",
        "invariant",
        "pass",
        "fail",
        "REPLAY_CHAIN_NOT_FOUND",
        "ACCEPT",
        "SCHEMA_REJECT",
        "SECOND_ROOT",
        "high",
        "genesis",
        "replay_diagnostics",
        "2026-01-31T00:00:00.000Z",
        "2026-01-31T00:00:00Z",
        "0000-01-31T00:00:00.000Z",
        "2026-13-31T00:00:00.000Z",
        "2026-01-31T24:00:00.000Z",
        "2026-01-31T00:00:60.000Z",
        "2026-01-31t00:00:00.000z",
        "9999-12-31T23:59:59.999Z",
        "/a~0~1",
        "/a~2",
        "a~",
        "/~",
        "//",
        "schema_violation.required.ts_ms",
        "schema_violation.required.",
        "schema_violation.minLength",
        "schema_violation.minlength",
        "hash_mismatch.envelope_hash",
        "unauthorized.policy_denied",
    ];
    let mut values: Vec<Json> = texts.iter().map(|text| json!(text)).collect();
    for length in [2, 3, 16, 32, 64, 127, 128, 129, 255, 256, 257] {
        values.extend(["0", "1", "f", "F", "é", "😀"].map(|unit| json!(unit.repeat(length))));
        values.push(json!(format!("a/{}", "b".repeat(length))));
        values.push(json!(format!("{}1", "0".repeat(length - 1))));
    }
    values.extend([
        json!(DIGEST),
        json!(null),
        json!(true),
        json!(false),
        json!([]),
        json!({}),
        json!([DIGEST]),
    ]);
    values.extend([json!(-1), json!(0), json!(1), json!(1.5), json!(-0.5), json!(i64::MIN), json!(u64::MAX)]);
    values.extend([
        json!(9_007_199_254_740_991_u64),
        json!(9_007_199_254_740_992_u64),
        json!(-9_007_199_254_740_992_i64),
    ]);
    values.extend([
        json!({"a": true}),
        json!({"a": false}),
        json!({"a": 1}),
        json!({"A": true}),
        json!({"": true}),
    ]);
    values.extend([
        json!({"a": true, "x".repeat(129): true}),
        json!([1]),
        json!([-1]),
        json!(["x"]),
        json!([{}]),
    ]);
    values.extend([
        json!(["usage"]),
        json!(["outcome", "usage"]),
        json!(["usage", "outcome"]),
        json!(["response", "response"]),
        json!(["response", "outcome", "usage"]),
        json!(["response", 1]),
        json!({"model_call": ["response"], "tool_call": ["outcome"]}),
        json!({"model_call": []}),
    ]);
    values
}

/// The pointer of every value inside a document, the document itself included.
pub(crate) fn places(value: &Json) -> Vec<String> {
    let below: Vec<(String, &Json)> = match value {
        Json::Object(members) => {
            members.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Json::Array(items) => {
            items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    let nested = below
        .into_iter()
        .flat_map(|(step, value)| places(value).into_iter().map(move |rest| format!("/{step}{rest}")));
    std::iter::once(String::new()).chain(nested).collect()
}

pub(crate) fn replaced(value: &Json, place: &str, by: &Json) -> Json {
    let mut changed = value.clone();
    *changed.pointer_mut(place).unwrap() = by.clone();
    changed
}

/// The document with one member of an object dropped, added or renamed; nothing where the place is none.
pub(crate) fn reshaped(value: &Json, place: &str) -> Vec<Json> {
    let Some(members) = value.pointer(place).and_then(Json::as_object) else { return Vec::new() };
    let edit = |change: &dyn Fn(&mut serde_json::Map<String, Json>)| {
        let mut changed = value.clone();
        change(changed.pointer_mut(place).unwrap().as_object_mut().unwrap());
        changed
    };
    let names = members.keys().map(String::as_str);
    let dropped = names.clone().map(|name| edit(&|members| drop(members.remove(name))));
    let renamed = names.map(|name| {
        edit(&|members| {
            let value = members.remove(name).unwrap();
            members.insert(format!("{name}_"), value);
        })
    });
    let added = [
        "usage",
        "parent_span_id",
        "reference_trace_id",
        "failure_class",
        "variance",
        "model_call",
        "differences",
        "",
        "x",
    ];
    let added =
        added.into_iter().map(|name| edit(&|members| drop(members.insert(name.to_owned(), json!(true)))));
    dropped.chain(renamed).chain(added).collect()
}

/// Every single edit of a document: each place with each value, each object reshaped in each way.
pub(crate) fn single_edits(document: &Json) -> Vec<Json> {
    let (values, places) = (limit_values(), places(document));
    let retyped =
        places.iter().flat_map(|place| values.iter().map(move |value| replaced(document, place, value)));
    retyped.chain(places.iter().flat_map(|place| reshaped(document, place))).collect()
}
