//! What an import makes of spans that are known: by another policy, other rules, another capture or on behalf of
//! somebody else; and what counts say of them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod made;

use std::path::Path;

use made::{by_rules, count, entries, import, init, lines, message, run, span, text, under};
use proofline_ledger::{EntryKind, verify};
use proofline_otel::{ImportOrder, Imported};
use serde_json::{Value, json};

const NO_REFUNDS: &str = r#"
    @id("calls") permit(principal, action, resource);
    @id("no") forbid(principal, action, resource in Resource::"tool/refund");
"#;

fn recording() -> ImportOrder {
    ImportOrder::recording().unwrap()
}

fn guarded(order: ImportOrder) -> ImportOrder {
    let rules = json!({"version": "1", "decision": {
        "result": {"from": ["span:guard.verdict"]}, "allow": ["pass"], "deny": ["block"]}});
    by_rules(order, &rules)
}

fn tool(number: u64, name: &str, more: &[Value]) -> Value {
    let said = [text("gen_ai.operation.name", "execute_tool"), text("gen_ai.tool.name", name)];
    span(0, number, "a tool", &[&said, more].concat())
}

fn ledger() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    home
}

fn refused(imported: &Imported) -> Vec<(&str, u64)> {
    imported.account.refusals.iter().map(|it| (it.what.as_str(), it.count.get())).collect()
}

fn sound(dir: &Path) {
    let report = verify(dir, &mut |_| {}).unwrap();
    assert!(report.damage.is_empty() && report.derived.is_empty(), "{report:?}");
}

/// Who decided is in the record, and the import's policy is not: the record is the same one under every policy.
#[test]
fn a_call_that_others_denied_is_refused_once() {
    let home = ledger();
    let file = message(&[tool(0, "pay", &[text("guard.verdict", "block")])]);
    for order in [recording(), under(NO_REFUNDS), under("@id(\"all\") permit(principal, action, resource);")]
    {
        let imported = import(home.path(), &guarded(order), &file);
        assert_eq!((imported.new_spans, imported.account.totals.denied.get()), (1, 1));
        assert_eq!(count(&entries(home.path()), EntryKind::Rejected), 1);
    }
    let rows = entries(home.path()).iter().filter(|it| it.body.contains("\"otel_import\"")).count();
    assert_eq!(rows, 3, "each import names it");
    sound(home.path());
}

#[test]
fn an_id_has_one_content_whatever_the_policy() {
    let (one, other) = (tool(0, "look", &[]), tool(0, "refund", &[]));
    let home = ledger();
    import(home.path(), &recording(), &message(std::slice::from_ref(&one)));
    let clash = import(home.path(), &under(NO_REFUNDS), &message(std::slice::from_ref(&other)));
    assert_eq!(refused(&clash), [("span-clash", 1)]);
    // The first content under that policy is a decision more, whichever comes first in the file.
    let both = import(home.path(), &under(NO_REFUNDS), &message(&[other, one]));
    assert_eq!((refused(&both), both.new_spans), (vec![("span-clash", 1)], 1));
    assert_eq!(both.account.totals.allowed.get(), 1);
    sound(home.path());
}

/// The gate takes no record of more than a mebibyte: the span is refused, its content kept, and the import goes on.
#[test]
fn a_record_that_the_gate_would_not_take_is_not_made() {
    let many = |key: &str| {
        let word = |number: u64| json!({"stringValue": format!("word-{number}-of-very-many-that-are-long")});
        let items: Vec<Value> = (0..60_000).map(word).collect();
        json!({"key": key, "value": {"arrayValue": {"values": items}}})
    };
    let rules = json!({"version": "1",
        "identity": {"grants": [{"from": ["span:grants"]}]},
        "decision": {"result": {"from": ["span:guard.verdict"]}, "allow": ["pass"], "deny": ["block"],
            "reasons": {"from": ["span:guard.rule"]}}});
    let spans = [
        tool(1, "reasons", &[text("guard.verdict", "block"), many("guard.rule")]),
        tool(2, "grants", &[many("grants")]),
        tool(3, "after", &[]),
    ];
    let home = ledger();
    let order = by_rules(recording(), &rules);
    let imported = import(home.path(), &order, &message(&spans));
    assert_eq!(refused(&imported), [("record-too-large", 2)]);
    assert_eq!(imported.account.totals.tool_calls.get(), 1);
    assert_eq!(imported.account.totals.denied.get(), 0, "nobody heard of it");
    let kept = entries(home.path());
    assert_eq!((count(&kept, EntryKind::Accepted), count(&kept, EntryKind::Rejected)), (3, 0));
    assert_eq!(import(home.path(), &order, &message(&spans)).appended, 0);
    sound(home.path());
}

#[test]
fn counts_are_of_the_file_and_new_ones_of_the_ledger() {
    let home = ledger();
    let (first, second) = (tool(0, "refund", &[]), tool(1, "refund", &[]));
    let thrice = message(&[first.clone(), first.clone(), first.clone()]);
    let asked = |imported: &Imported| {
        let one = &imported.asked[0];
        (imported.asked.len(), one.allowed, one.denied, one.new_denied)
    };
    let imported = import(home.path(), &under(NO_REFUNDS), &thrice);
    assert_eq!((asked(&imported), imported.new_spans), ((1, 0, 3, 1), 1));
    assert_eq!(count(&entries(home.path()), EntryKind::Rejected), 1);
    assert_eq!(asked(&import(home.path(), &under(NO_REFUNDS), &thrice)), (1, 0, 3, 0));
    let more = import(home.path(), &under(NO_REFUNDS), &message(&[first, second]));
    assert_eq!(asked(&more), (1, 0, 2, 1));
    // Under another policy each is a decision of its own.
    let other = format!("{NO_REFUNDS} // another");
    assert_eq!(asked(&import(home.path(), &under(&other), &thrice)), (1, 0, 3, 1));
}

#[test]
fn denials_of_others_are_told_apart() {
    let home = ledger();
    let blocked = tool(0, "pay", &[text("guard.verdict", "block")]);
    let imported =
        import(home.path(), &guarded(under(NO_REFUNDS)), &message(&[blocked, tool(1, "refund", &[])]));
    assert_eq!((imported.account.totals.denied.get(), imported.denied_by_others), (2, 1));
}

#[test]
fn spans_that_are_known_by_other_rules_are_counted() {
    let home = ledger();
    let file = lines(&[run(0, &[("refund", r#"{"amount":50}"#)]), run(1, &[])]);
    let rules = |word: &str| json!({"version": "1", "requests": [{"numbers": {word: "/amount"}}]});
    let identity = |id: &str| {
        let mut order = under(NO_REFUNDS);
        order.identity.actor_id = proofline_trace::Resource::new(id).unwrap();
        order
    };
    let otherwise = |order: &ImportOrder| {
        let before = entries(home.path()).len() as u64;
        let imported = import(home.path(), order, &file);
        let appended = entries(home.path()).len() as u64 - before;
        assert_eq!(appended, imported.appended);
        (imported.new_spans, imported.known_otherwise)
    };
    assert_eq!(otherwise(&under(NO_REFUNDS)), (5, 0));
    assert_eq!(otherwise(&under(NO_REFUNDS)), (0, 0));
    // All five; for another identity the three calls alone, for no other span has one.
    assert_eq!(otherwise(&by_rules(under(NO_REFUNDS), &rules("amount"))), (0, 5));
    let capture = proofline_trace::Capture::Digest;
    assert_eq!(otherwise(&ImportOrder { capture, ..under(NO_REFUNDS) }), (0, 5));
    assert_eq!(otherwise(&identity("somebody/else")), (0, 3));
    // Another policy is another decision, and known as it is from then on.
    assert_eq!(otherwise(&recording()), (5, 0));
    assert_eq!(otherwise(&recording()), (0, 0));
    assert_eq!(otherwise(&under(NO_REFUNDS)), (0, 0));
}

/// A span that other rules refused is not taken in by these, and is not said to clash with another.
#[test]
fn a_span_that_was_refused_before_says_so() {
    let home = ledger();
    let file = message(&[tool(0, "amount:1", &[])]);
    let rules = json!({"version": "1", "requests": [{"numbers": {"amount": "/amount"}}]});
    let first = import(home.path(), &by_rules(recording(), &rules), &file);
    assert_eq!((refused(&first), first.known_otherwise), (vec![("word-clash", 1)], 0));
    let again = import(home.path(), &recording(), &file);
    assert_eq!((refused(&again), again.known_otherwise), (vec![("refused-before", 1)], 1));
}
