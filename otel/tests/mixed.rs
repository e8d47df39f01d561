//! Emitters mix conventions: a span that says its input one way and its output another has both, in the payloads that a
//! span of one convention alone has, and goes out as it came.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod made;

use made::{entries, import, init, message, span, text, trace};
use proofline_ledger::{Blobs, EntryKind, Snapshot};
use proofline_otel::{ExportVerdicts, Exporter, ImportOrder};
use serde_json::{Value, json};

const DETAILS: &str = "gen_ai.client.inference.operation.details";

fn instructions() -> Value {
    text("gen_ai.system_instructions", r#"[{"type":"text","content":"be kind"}]"#)
}

fn input() -> Value {
    text("gen_ai.input.messages", r#"[{"role":"user","parts":[{"type":"text","content":"refund me"}]}]"#)
}

fn output() -> Value {
    let said = r#"[{"role":"assistant","parts":[{"type":"text","content":"done"}],"finish_reason":"stop"}]"#;
    text("gen_ai.output.messages", said)
}

fn event(name: &str, attributes: &[Value]) -> Value {
    json!({"timeUnixNano": "5", "name": name, "attributes": attributes})
}

fn system_event() -> Value {
    event("gen_ai.system.message", &[text("content", "be kind")])
}

fn user_event() -> Value {
    event("gen_ai.user.message", &[text("gen_ai.event.content", r#"{"content": "refund me"}"#)])
}

fn choice_event() -> Value {
    let body = r#"{"index":0,"finish_reason":"stop","message":{"content":"done"}}"#;
    event("gen_ai.choice", &[text("gen_ai.event.content", body)])
}

fn flat_input() -> Vec<Value> {
    vec![text("gen_ai.prompt.0.role", "user"), text("gen_ai.prompt.0.content", "refund me")]
}

fn flat_output() -> Vec<Value> {
    vec![
        text("gen_ai.completion.0.role", "assistant"),
        text("gen_ai.completion.0.content", "done"),
        text("gen_ai.completion.0.finish_reason", "stop"),
    ]
}

/// Names of what a chat with these was sent and answered; that nothing is told as absent, and all goes out as it came.
fn payloads(attributes: &[Value], events: &[Value]) -> (String, String) {
    let head = [
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.request.model", "m"),
        text("gen_ai.response.model", "m"),
        text("gen_ai.provider.name", "p"),
    ];
    let mut made = span(0, 0, "chat", &[&head, attributes].concat());
    made["events"] = json!(events);
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let imported = import(home.path(), &ImportOrder::recording().unwrap(), &message(&[made]));
    let absent: Vec<String> = imported.account.absent.iter().map(|it| it.what.to_string()).collect();
    assert!(absent.iter().all(|it| it == "usage"), "{absent:?}");
    let (snapshot, blobs) = (Snapshot::open(home.path()).unwrap(), Blobs::open(home.path()).unwrap());
    let exporter = Exporter::new(&snapshot, Some(&blobs));
    let exported = exporter.trace(trace(0).parse().unwrap(), &ExportVerdicts::None).unwrap();
    assert_eq!(exported.tally.original, 1);
    let of_calls = entries(home.path()).into_iter().filter(|it| it.kind == EntryKind::Accepted);
    let bodies: Vec<Value> = of_calls.map(|it| serde_json::from_str(&it.body).unwrap()).collect();
    let call = bodies.iter().find(|it| it["record_type"] == "model_call").unwrap();
    let name = |of: &str| call[of]["sha256"].as_str().unwrap().to_owned();
    (name("request"), name("response"))
}

#[test]
fn input_and_output_are_found_each_by_itself() {
    let same = payloads(&[input(), output()], &[]);
    for (attributes, events) in [
        (vec![], vec![user_event(), choice_event()]),
        (vec![output()], vec![user_event()]),
        (vec![input()], vec![choice_event()]),
        // What is said twice is taken once.
        (vec![input(), output()], vec![user_event(), choice_event()]),
        (vec![], vec![event(DETAILS, &[input(), output()])]),
        (vec![input()], vec![event(DETAILS, &[output()])]),
        (vec![], vec![event(DETAILS, &[output()]), user_event()]),
        ([flat_input(), vec![output()]].concat(), vec![]),
        ([vec![input()], flat_output()].concat(), vec![]),
        (flat_output(), vec![user_event()]),
        (flat_input(), vec![choice_event()]),
        ([flat_input(), flat_output()].concat(), vec![]),
    ] {
        assert_eq!(payloads(&attributes, &events), same, "{attributes:?} {events:?}");
    }
}

#[test]
fn instructions_stand_before_an_input_of_any_kind() {
    let same = payloads(&[instructions(), input(), output()], &[]);
    for (attributes, events) in [
        (vec![instructions(), output()], vec![user_event()]),
        (vec![instructions()], vec![user_event(), choice_event()]),
        (vec![instructions()], vec![system_event(), user_event(), choice_event()]),
        (vec![], vec![system_event(), user_event(), choice_event()]),
        (vec![input(), output()], vec![event(DETAILS, &[instructions()])]),
        ([vec![instructions()], flat_input(), flat_output()].concat(), vec![]),
    ] {
        assert_eq!(payloads(&attributes, &events), same, "{attributes:?} {events:?}");
    }
    let other = [event("gen_ai.system.message", &[text("content", "be quick")]), user_event()];
    // Two that differ are both there.
    assert_ne!(payloads(&[instructions(), output()], &other), same);
}
