//! One call that telemetry shows twice is one call; two calls are never taken for one, or the policy would not hear of
//! the second.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod made;

use made::{by_rules, entries, id, import, init, message, span, text, under};
use proofline_ledger::EntryKind;
use proofline_otel::ImportOrder;
use serde_json::{Value, json};

const BOUND: &str = r#"
    @id("calls") permit(principal, action, resource);
    @id("bound") forbid(principal, action, resource) when
        { resource.hasTag("amount") && resource.getTag("amount") > 100 };
"#;
const NO_REFUNDS: &str = r#"
    @id("calls") permit(principal, action, resource);
    @id("no") forbid(principal, action, resource in Resource::"tool/refund");
"#;
const EXECUTED: (&str, &str) = ("gen_ai.operation.name", "execute_tool");
const BY_MCP: (&str, &str) = ("mcp.method.name", "tools/call");
const REFUND: (&str, &str) = ("gen_ai.tool.name", "refund");

fn arguments(said: &str) -> (&str, &str) {
    ("gen_ai.tool.call.arguments", said)
}

fn result(said: &str) -> (&str, &str) {
    ("gen_ai.tool.call.result", said)
}

fn tool(number: u64, above: u64, said: &[(&str, &str)]) -> Value {
    let attributes: Vec<Value> = said.iter().map(|(key, value)| text(key, value)).collect();
    let mut span = span(0, number, "a tool", &attributes);
    if above != number {
        span["parentSpanId"] = json!(id(above));
    }
    span
}

fn amounts() -> Value {
    json!({"version": "1", "requests": [{"numbers": {"amount": "/amount"}}]})
}

/// Calls, shapes and denied calls, in whatever order the spans come, and however often.
fn counts(order: &ImportOrder, spans: &[Value]) -> (u64, u64, u64) {
    let one = |spans: &[Value]| {
        let home = tempfile::tempdir().unwrap();
        init(home.path());
        let imported = import(home.path(), order, &message(spans));
        assert_eq!(import(home.path(), order, &message(spans)).appended, 0, "again, nothing changes");
        let kept = entries(home.path());
        let mut calls: Vec<String> = kept
            .into_iter()
            .filter(|it| it.kind != EntryKind::Artifact)
            .filter(|it| it.body.contains("\"tool_call\""))
            .map(|it| it.body)
            .collect();
        calls.sort();
        let totals = &imported.account.totals;
        (totals.tool_calls.get(), totals.shapes.get(), totals.denied.get(), calls)
    };
    let (tool_calls, shapes, denied, calls) = one(spans);
    assert_eq!(calls.len() as u64, tool_calls);
    let backwards: Vec<Value> = spans.iter().rev().cloned().collect();
    assert_eq!(one(&backwards), (tool_calls, shapes, denied, calls.clone()));
    let twice = one(&[spans, spans].concat());
    assert_eq!((twice.0, twice.1, twice.2, twice.3), (2 * tool_calls, 2 * shapes, 2 * denied, calls));
    (tool_calls, shapes, denied)
}

#[test]
fn a_call_that_was_refused_hides_none() {
    let mut outer = tool(0, 0, &[EXECUTED, REFUND]);
    let inner = tool(1, 0, &[BY_MCP, REFUND]);
    assert_eq!(counts(&under(NO_REFUNDS), &[outer.clone(), inner.clone()]), (1, 1, 1));
    outer["endTimeUnixNano"] = json!("0");
    assert_eq!(counts(&under(NO_REFUNDS), &[outer, inner]), (1, 0, 1));
}

#[test]
fn other_arguments_or_results_are_another_call() {
    let order = by_rules(under(BOUND), &amounts());
    let outer = tool(0, 0, &[EXECUTED, REFUND, arguments(r#"{"amount":5}"#), result(r#"{"ok":1}"#)]);
    let below = |said: &[(&str, &str)]| tool(1, 0, &[&[BY_MCP, REFUND], said].concat());
    for (said, expected) in [
        (vec![], (1, 1, 0)),
        (vec![arguments(r#"{ "amount": 5.0 }"#)], (1, 1, 0)),
        (vec![result(r#"{"ok": 1}"#)], (1, 1, 0)),
        (vec![arguments(r#"{"amount":5000}"#)], (2, 0, 1)),
        (vec![arguments(r#"{"amount":5}"#), result(r#"{"ok":2}"#)], (2, 0, 0)),
    ] {
        assert_eq!(counts(&order, &[outer.clone(), below(&said)]), expected, "{said:?}");
    }
    let mut structured = below(&[]);
    structured["attributes"].as_array_mut().unwrap().push(json!({"key": "gen_ai.tool.call.result",
        "value": {"kvlistValue": {"values": [{"key": "ok", "value": {"intValue": "1"}}]}}}));
    assert_eq!(counts(&order, &[outer.clone(), structured]), (1, 1, 0));
    // The one below says nothing else, and the one below that does.
    let spans = [outer, below(&[]), tool(2, 1, &[BY_MCP, REFUND, arguments(r#"{"amount":5000}"#)])];
    assert_eq!(counts(&order, &spans), (2, 1, 1));
}

#[test]
fn several_calls_below_one_are_calls() {
    let order = by_rules(under(BOUND), &amounts());
    let outer = tool(0, 0, &[EXECUTED, REFUND, arguments(r#"{"amount":5}"#)]);
    let below = |number, amount: &str| {
        tool(number, 0, &[BY_MCP, REFUND, arguments(&format!("{{\"amount\":{amount}}}"))])
    };
    assert_eq!(counts(&order, &[outer.clone(), below(1, "5000"), below(2, "6000")]), (3, 0, 2));
    assert_eq!(counts(&order, &[outer.clone(), below(1, "5"), below(2, "6000")]), (2, 1, 1));
    assert_eq!(counts(&order, &[outer, below(1, "5"), below(2, "5")]), (3, 0, 0));
}

#[test]
fn what_has_no_name_is_not_the_same() {
    let spans = [tool(0, 0, &[EXECUTED]), tool(1, 0, &[BY_MCP])];
    assert_eq!(counts(&under(NO_REFUNDS), &spans), (2, 0, 0));
}

#[test]
fn what_a_policy_would_be_asked_otherwise_is_asked() {
    let outer = tool(0, 0, &[EXECUTED, REFUND]);
    let inner = tool(1, 0, &[BY_MCP, REFUND, arguments(r#"{"amount":5000}"#), ("guard.verdict", "block")]);
    let spans = [outer, inner];
    assert_eq!(counts(&under(BOUND), &spans), (1, 1, 0));
    // A number that the outer span does not have.
    assert_eq!(counts(&by_rules(under(BOUND), &amounts()), &spans), (2, 0, 1));
    // A rule for MCP alone.
    let of_mcp =
        json!({"version": "1", "requests": [{"when": {"adapter": "mcp"}, "resource": "tool/refund/mcp"}]});
    assert_eq!(counts(&by_rules(under(NO_REFUNDS), &of_mcp), &spans), (2, 0, 2));
    // A decision that the outer span does not have.
    let decided = json!({"version": "1", "decision": {
        "result": {"from": ["span:guard.verdict"]}, "allow": ["pass"], "deny": ["block"]}});
    assert_eq!(counts(&by_rules(under(BOUND), &decided), &spans), (2, 0, 1));
}

#[test]
fn a_circle_of_spans_hides_no_call() {
    let spans = [
        tool(1, 2, &[BY_MCP, REFUND]),
        tool(2, 1, &[BY_MCP, REFUND]),
        tool(3, 2, &[BY_MCP, REFUND]),
        tool(4, 4, &[BY_MCP, REFUND]),
    ];
    let mut above_itself = spans.to_vec();
    above_itself[3]["parentSpanId"] = json!(id(4));
    for spans in [spans.to_vec(), above_itself] {
        assert_eq!(counts(&under(NO_REFUNDS), &spans), (4, 0, 4));
    }
}

/// Very many spans below each other: no stack ends, and each is the same call.
#[test]
fn a_long_chain_is_one_call() {
    let spans: Vec<Value> =
        (0..2000).map(|number| tool(number, number.saturating_sub(1), &[BY_MCP, REFUND])).collect();
    assert_eq!(counts(&under(NO_REFUNDS), &spans), (1, 1999, 1));
}
