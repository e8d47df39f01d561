//! What conventions of 1.36 and before say in events and in pieces is kept once, in the payloads: the document of the
//! spans has no content of its own, gives every span back as it came, and nothing of a payload that is gone.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod made;

use std::path::{Path, PathBuf};

use made::{import, init, message, span, text};
use proofline_ledger::{Blobs, Snapshot};
use proofline_otel::write::json_line;
use proofline_otel::{ExportTally, ExportVerdicts, Exporter, ImportOrder};
use serde_json::{Value, json};

/// What was said, all of which payloads have.
const SAID: [&str; 7] =
    ["be kind", "my order a-17", "look_it_up", "on its way", "all is well", "call-1", "number"];

fn event(name: &str, attributes: &[Value]) -> Value {
    json!({"timeUnixNano": "1727740801000000000", "name": name, "attributes": attributes})
}

fn with_events(number: u64, attributes: &[Value], events: &[Value]) -> Value {
    let head = [text("gen_ai.operation.name", "chat"), text("gen_ai.system", "openai")];
    let mut made = span(0, number, "chat", &[&head, attributes].concat());
    made["events"] = json!(events);
    made
}

/// The same exchange, by each habit.
fn spans() -> Vec<Value> {
    let content = |body: &Value| text("gen_ai.event.content", &body.to_string());
    let call = r#"[{"id": "call-1", "type": "function", "function": {"name": "look_it_up", "arguments": "{\"number\": \"a-17\"}"}}]"#;
    let spaced = |body: &str| text("gen_ai.event.content", body);
    let agent = span(0, 0, "invoke_agent", &[text("gen_ai.operation.name", "invoke_agent")]);
    let mut tool = span(
        0,
        7,
        "execute_tool",
        &[text("gen_ai.operation.name", "execute_tool"), text("gen_ai.tool.name", "look")],
    );
    tool["events"] = json!([event(
        "gen_ai.tool.message",
        &[content(&json!({"content": "on its way", "id": "of-a-tool"}))]
    )]);
    vec![
        agent,
        with_events(
            1,
            &[],
            &[
                event("gen_ai.system.message", &[content(&json!({"content": "be kind", "role": "system"}))]),
                event(
                    "gen_ai.user.message",
                    &[text("gen_ai.system", "openai"), content(&json!({"content": "my order a-17"}))],
                ),
                event("gen_ai.assistant.message", &[spaced(&format!(r#"{{"tool_calls": {call}}}"#))]),
                event("gen_ai.tool.message", &[content(&json!({"content": "on its way", "id": "call-1"}))]),
                event(
                    "gen_ai.choice",
                    &[content(
                        &json!({"finish_reason": "stop", "index": 0, "message": {"content": "all is well"}}),
                    )],
                ),
            ],
        ),
        // A call in the message, as of 1.28, and one beside it.
        with_events(
            2,
            &[],
            &[
                event("gen_ai.user.message", &[content(&json!({"content": "my order a-17"}))]),
                event(
                    "gen_ai.choice",
                    &[spaced(&format!(
                        r#"{{"index": 0, "finish_reason": "tool_calls", "message": {{"tool_calls": {call}}}}}"#
                    ))],
                ),
            ],
        ),
        with_events(
            3,
            &[],
            &[
                event("gen_ai.user.message", &[content(&json!({"content": "my order a-17"}))]),
                event(
                    "gen_ai.choice",
                    &[spaced(&format!(
                        r#"{{"index": 0, "finish_reason": "tool_calls", "tool_calls": {call}}}"#
                    ))],
                ),
            ],
        ),
        // Members as attributes of the event.
        with_events(
            4,
            &[],
            &[
                event("gen_ai.user.message", &[text("content", "my order a-17"), text("role", "user")]),
                event(
                    "gen_ai.choice",
                    &[text("content", "all is well"), json!({"key": "index", "value": {"intValue": "0"}})],
                ),
            ],
        ),
        // 1.26.
        with_events(
            5,
            &[],
            &[
                event(
                    "gen_ai.content.prompt",
                    &[text("gen_ai.prompt", r#"[{"role": "user", "content": "my order a-17"}]"#)],
                ),
                event("gen_ai.content.completion", &[text("gen_ai.completion", "all is well")]),
            ],
        ),
        // Flattened.
        with_events(
            6,
            &[
                text("gen_ai.prompt.0.role", "user"),
                text("gen_ai.prompt.0.content", "my order a-17"),
                text("gen_ai.completion.0.content", "all is well"),
            ],
            &[],
        ),
        tool,
    ]
}

/// Payloads by what they are.
fn payloads(dir: &Path, what: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(dir.join("blobs")).unwrap() {
        let Ok(files) = std::fs::read_dir(folder.unwrap().path()) else { continue };
        let all = files.map(|it| it.unwrap().path());
        found.extend(all.filter(|it| std::fs::read_to_string(it).unwrap().contains(what)));
    }
    found
}

fn export(dir: &Path) -> (String, ExportTally) {
    let (snapshot, blobs) = (Snapshot::open(dir).unwrap(), Blobs::open(dir).unwrap());
    let exporter = Exporter::new(&snapshot, Some(&blobs));
    let trace = snapshot.traces_after(None, 1).unwrap()[0];
    let exported = exporter.trace(trace, &ExportVerdicts::None).unwrap();
    (json_line(&exported.message.unwrap()), exported.tally)
}

/// Content of spans, without what an export adds.
fn bare(exported: &str) -> Vec<Value> {
    let mut message: Value = serde_json::from_str(exported).unwrap();
    let spans = message["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array_mut().unwrap();
    let is_ours = |it: &Value, name: &str| it[name].as_str().unwrap().starts_with("proofline.");
    for span in spans.iter_mut() {
        span["attributes"].as_array_mut().unwrap().retain(|it| !is_ours(it, "key"));
        let events = span["events"].as_array().cloned().unwrap_or_default();
        span["events"] = events.into_iter().filter(|it| !is_ours(it, "name")).collect();
    }
    spans.clone()
}

#[test]
fn content_of_older_habits_is_kept_once_and_comes_back() {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let came = spans();
    let imported = import(home.path(), &ImportOrder::recording().unwrap(), &message(&came));
    let totals = &imported.account.totals;
    assert_eq!((totals.model_calls.get(), totals.tool_calls.get(), totals.refused.get()), (6, 1, 0));
    let documents = payloads(home.path(), "proofline.otel.spans");
    assert_eq!(documents.len(), 1);
    let document = std::fs::read_to_string(&documents[0]).unwrap();
    // The name of a member of the arguments is part of how they were spelt.
    for said in SAID.iter().filter(|it| **it != "number") {
        assert!(!document.contains(said), "{said} in {document}");
    }
    let everything: String = payloads(home.path(), "proofline.otel.")
        .iter()
        .filter(|it| **it != documents[0])
        .map(|it| std::fs::read_to_string(it).unwrap())
        .collect();
    assert!(SAID.iter().all(|said| everything.contains(said)));
    let (exported, tally) = export(home.path());
    assert_eq!((tally.original, tally.spans, tally.missing_payloads), (8, 8, 0));
    let expected = came.into_iter().map(|mut it| {
        it["events"] = it.get("events").cloned().unwrap_or_else(|| json!([]));
        it
    });
    assert_eq!(bare(&exported), expected.collect::<Vec<_>>());
}

/// Whose payloads are gone, of those nothing is left, and the attributes that are missed are named.
#[test]
fn what_is_gone_from_payloads_is_gone() {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    import(home.path(), &ImportOrder::recording().unwrap(), &message(&spans()));
    for request in payloads(home.path(), "proofline.otel.model_request") {
        std::fs::remove_file(request).unwrap();
    }
    let (exported, tally) = export(home.path());
    assert_eq!((tally.partial, tally.original), (6, 2));
    for said in ["be kind", "my order a-17"] {
        assert!(!exported.contains(said), "{said}");
    }
    // What responses have is there.
    assert!(exported.contains("all is well") && exported.contains("look_it_up"));
    let missing = |exported: &str| exported.matches("proofline.span.missing").count();
    assert_eq!(missing(&exported), 6);
    for response in payloads(home.path(), "proofline.otel.model_response") {
        std::fs::remove_file(response).unwrap();
    }
    let (exported, _) = export(home.path());
    assert!(!exported.contains("all is well") && !exported.contains("look_it_up"), "{exported}");
}

/// Spans of today have documents as before: no shape is in them.
#[test]
fn spans_of_today_have_no_shapes() {
    let desk = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/otel/desk.otlp.jsonl"),
    );
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    import(home.path(), &ImportOrder::recording().unwrap(), &desk.unwrap());
    let documents = payloads(home.path(), "proofline.otel.spans");
    assert_eq!(documents.len(), 4);
    assert!(documents.iter().all(|it| !std::fs::read_to_string(it).unwrap().contains("\"shape\"")));
}
