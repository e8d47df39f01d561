//! What a policy is asked about, and what others decided: telemetry that tries to be judged as something else.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod made;

use made::{by_rules, entries, import, init, message, span, text, under};
use proofline_ledger::{EntryKind, verify};
use proofline_otel::{ImportOrder, Imported};
use serde_json::{Value, json};

const BOUND: &str = r#"
    @id("calls") permit(principal, action, resource);
    @id("bound") forbid(principal, action, resource) when
        { !resource.hasTag("amount") || resource.getTag("amount") > 100 };
"#;

fn amounts() -> Value {
    json!({"version": "1", "requests": [{"numbers": {"amount": "/amount"}}]})
}

fn tool(number: u64, name: &str, arguments: &str) -> Value {
    let said = [
        text("gen_ai.operation.name", "execute_tool"),
        text("gen_ai.tool.name", name),
        text("gen_ai.tool.call.arguments", arguments),
    ];
    span(0, number, "a tool", &said)
}

fn taken(order: &ImportOrder, spans: &[Value]) -> (tempfile::TempDir, Imported) {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let imported = import(home.path(), order, &message(spans));
    let report = verify(home.path(), &mut |_| {}).unwrap();
    assert!(report.damage.is_empty() && report.derived.is_empty(), "{report:?}");
    assert_eq!(import(home.path(), order, &message(spans)).appended, 0, "again, nothing changes");
    (home, imported)
}

/// Resource and result of each decision, and its reasons.
fn decisions(home: &tempfile::TempDir) -> Vec<(String, String, Vec<String>)> {
    let of = |body: &str| {
        let body: Value = serde_json::from_str(body).unwrap();
        let word = |at: &str| body.pointer(at).unwrap().as_str().unwrap().to_owned();
        let reasons = body["decision"]["reason_codes"].as_object().unwrap().keys().cloned().collect();
        (word("/request/resource"), word("/decision/result"), reasons)
    };
    let kept = entries(home.path());
    let decided = kept.iter().filter(|it| it.kind == EntryKind::Accepted);
    decided.filter(|it| it.body.contains("\"policy_decision\"")).map(|it| of(&it.body)).collect()
}

fn counts(counted: &[proofline_trace::Counted], what: &str) -> u64 {
    counted.iter().find(|it| it.what.as_str() == what).map_or(0, |it| it.count.get())
}

#[test]
fn a_name_that_reads_as_a_number_is_refused() {
    let order = by_rules(under(BOUND), &amounts());
    let chat = |number, key: &str| {
        span(0, number, "chat", &[text("gen_ai.operation.name", "chat"), text(key, "amount:1")])
    };
    let spans = [
        tool(0, "amount:1", r#"{"amount":5000}"#),
        tool(1, "amount:-7", "{}"),
        chat(2, "gen_ai.provider.name"),
        chat(3, "gen_ai.request.model"),
        tool(4, "amounts:1", r#"{"amount":50}"#),
        tool(5, "amount", r#"{"amount":5000}"#),
    ];
    let (home, imported) = taken(&order, &spans);
    assert_eq!(counts(&imported.account.refusals, "word-clash"), 4);
    let decided: Vec<_> =
        decisions(&home).into_iter().map(|(resource, result, _)| (resource, result)).collect();
    let expected = [("tool/amounts:1/amount:50", "allow"), ("tool/amount/amount:5000", "deny")];
    assert_eq!(decided, expected.map(|(resource, result)| (resource.to_owned(), result.to_owned())));

    // A rule may name such a resource itself, and the word of another rule is a number as well.
    let rules = json!({"version": "1", "requests": [
        {"when": {"tool": "fee"}, "resource": "fees/amount:5"},
        {"when": {"tool": "refund"}, "numbers": {"amount": "/amount"}},
    ]});
    let (home, imported) =
        taken(&by_rules(under(BOUND), &rules), &[tool(0, "fee", "{}"), tool(1, "amount:1", "{}")]);
    assert_eq!(counts(&imported.account.refusals, "word-clash"), 1);
    assert_eq!(decisions(&home)[0].0, "fees/amount:5");
}

#[test]
fn a_number_is_seen_whole_or_not_at_all() {
    let order = by_rules(under(BOUND), &amounts());
    let each =
        ["100", "100.0", "1e2", "100.00000000005", "123456789012.1", "1e3", "9007199254740992", "\"50\""];
    let spans: Vec<Value> = (0..)
        .zip(each)
        .map(|(number, amount)| tool(number, "refund", &format!("{{\"amount\":{amount}}}")))
        .collect();
    let (home, imported) = taken(&order, &spans);
    let expected = [
        ("tool/refund/amount:100", "allow"),
        ("tool/refund/amount:100", "allow"),
        ("tool/refund/amount:100", "allow"),
        ("tool/refund", "deny"),
        ("tool/refund", "deny"),
        ("tool/refund/amount:1000", "deny"),
        ("tool/refund", "deny"),
        ("tool/refund", "deny"),
    ];
    let decided: Vec<_> =
        decisions(&home).into_iter().map(|(resource, result, _)| (resource, result)).collect();
    assert_eq!(decided, expected.map(|(resource, result)| (resource.to_owned(), result.to_owned())));
    assert_eq!(counts(&imported.account.absent, "request.number"), 4);
}

#[test]
fn conditions_ask_of_the_names_that_telemetry_has() {
    let word = "x.refund-eu-.ff"; // no word that a name becomes, so it is a name of its own
    let rules = json!({"version": "1", "requests": [
        {"when": {"tool": "Refund (EU)"}, "resource": "by-name"},
        {"when": {"tool": word}, "resource": "by-word"},
        {"when": {"operation": "execute_tool", "tool": "Pay"}, "resource": "paid"},
    ]});
    let spans =
        [tool(0, "Refund (EU)", "{}"), tool(1, word, "{}"), tool(2, "Pay", "{}"), tool(3, "pay", "{}")];
    let (home, _) = taken(&by_rules(ImportOrder::recording().unwrap(), &rules), &spans);
    let resources: Vec<_> = decisions(&home).into_iter().map(|it| it.0).collect();
    assert_eq!(resources, ["by-name", "by-word", "paid", "tool/pay"]);
    // What a record has is understood as well.
    let in_record = proofline_trace::Token::of_name("Refund (EU)").to_string();
    let rules = json!({"version": "1", "requests": [{"when": {"tool": in_record}, "resource": "by-word"}]});
    let (home, _) = taken(&by_rules(ImportOrder::recording().unwrap(), &rules), &spans[..1]);
    assert_eq!(decisions(&home)[0].0, "by-word");
}

#[test]
fn one_verdict_that_denies_is_enough_and_none_is_passed_over() {
    let rules = json!({"version": "1", "decision": {
        "result": {"from": ["span:guard.verdict", "event:guard:verdict", "resource:verdict"]},
        "allow": ["pass"], "deny": ["block", "false"],
        "reasons": {"from": ["span:guard.rule", "event:guard:rule"]}, "policy_id": "guard"
    }});
    let list = |items: Value| json!({"key": "guard.verdict", "value": {"arrayValue": {"values": items}}});
    let said = |said: &str| json!({"stringValue": said});
    let verdict = |value: Value| json!({"key": "guard.verdict", "value": value});
    let event =
        |said: &str| json!({"name": "guard", "attributes": [text("verdict", said), text("rule", said)]});
    let cases: Vec<(Vec<Value>, Vec<Value>, &str, u64)> = vec![
        (vec![list(json!([said("pass"), said("block")]))], vec![], "deny", 0),
        (vec![list(json!([said("pass"), said("pass")]))], vec![], "allow", 0),
        (vec![list(json!([said("pass"), {"arrayValue": {"values": [said("block")]}}]))], vec![], "deny", 0),
        (vec![], vec![event("pass"), event("block")], "deny", 0),
        (vec![verdict(said("pass"))], vec![event("block")], "deny", 0),
        (vec![verdict(said("pass")), verdict(said("block"))], vec![], "deny", 0),
        (vec![verdict(json!({"boolValue": false}))], vec![], "deny", 0),
        // Neither: the policy is asked, and it is told.
        (vec![verdict(said("BLOCK"))], vec![], "policy", 1),
        (vec![verdict(said("pass"))], vec![event("Block")], "policy", 1),
        (vec![verdict(json!({"intValue": "7"}))], vec![], "policy", 1),
        (vec![list(json!([]))], vec![], "policy", 1),
        (vec![verdict(said(""))], vec![], "policy", 1),
        (vec![verdict(said("BLOCK"))], vec![event("block")], "deny", 1),
        // Nobody said anything.
        (vec![], vec![], "policy", 0),
    ];
    for (attributes, events, expected, unclear) in cases {
        let mut call =
            span(0, 0, "chat", &[&[text("gen_ai.operation.name", "chat")], &attributes[..]].concat());
        call["events"] = json!(events);
        let order = by_rules(ImportOrder::recording().unwrap(), &rules);
        let (home, imported) = taken(&order, &[call]);
        let (_, result, reasons) = decisions(&home).remove(0);
        let by = if reasons == ["recorded"] { "policy" } else { result.as_str() };
        assert_eq!(
            (by, counts(&imported.account.absent, "decision")),
            (expected, unclear),
            "{attributes:?} {events:?}"
        );
    }
}

#[test]
fn reasons_that_are_no_texts_are_kept() {
    let rules = json!({"version": "1", "decision": {
        "result": {"from": ["span:guard.verdict"]}, "allow": ["pass"], "deny": ["block"],
        "reasons": {"from": ["span:guard.rule", "event:guard:rule"]}, "policy_id": "guard"
    }});
    let items = json!([{"intValue": "7"}, {"boolValue": true}, {"stringValue": "a"}, {"doubleValue": 1.5},
        {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "v"}}]}}]);
    let attributes = [
        text("gen_ai.operation.name", "chat"),
        text("guard.verdict", "block"),
        json!({"key": "guard.rule", "value": {"arrayValue": {"values": items}}}),
    ];
    let mut call = span(0, 0, "chat", &attributes);
    call["events"] = json!([{"name": "guard", "attributes": [text("rule", "b")]}]);
    let (home, _) = taken(&by_rules(ImportOrder::recording().unwrap(), &rules), &[call]);
    let reasons = decisions(&home).remove(0).2;
    let mut expected = ["1.5", "7", "a", "b", "true", r#"{"k":"v"}"#]
        .map(|it| proofline_trace::Token::of_name(it).to_string());
    expected.sort();
    assert_eq!(reasons, expected);
}
