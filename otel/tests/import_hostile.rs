//! Telemetry that nobody should send: a clear account, nothing lost, nothing crashes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod made;

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use made::{count, entries, id, import, init, message, run, span, text, try_import};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData};
use proofline_ledger::{EntryKind, Snapshot, verify};
use proofline_otel::{ImportOrder, Imported};
use prost::Message;
use serde_json::{Value, json};

/// What holds of every ledger after an import, whatever came in.
fn sound(dir: &Path) {
    let report = verify(dir, &mut |_| {}).unwrap();
    assert!(report.damage.is_empty() && report.derived.is_empty(), "{report:?}");
    assert!(Snapshot::open(dir).unwrap().damage().is_empty());
}

fn taken(text: &str) -> (tempfile::TempDir, Imported) {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let order = ImportOrder::recording().unwrap();
    let imported = import(home.path(), &order, text);
    sound(home.path());
    assert_eq!(import(home.path(), &order, text).appended, 0, "again, nothing changes");
    let totals = &imported.account.totals;
    let each = [totals.model_calls, totals.tool_calls, totals.shapes, totals.refused, totals.unreadable];
    assert_eq!(
        totals.spans.get(),
        each.iter().map(|it| it.get()).sum::<u64>(),
        "every span is accounted for"
    );
    (home, imported)
}

#[test]
fn a_span_with_very_many_attributes() {
    let mut attributes: Vec<Value> =
        (0..200_000).map(|number| text(&format!("k{}", number % 150_000), "v")).collect();
    attributes.push(text("gen_ai.operation.name", "chat"));
    let (home, imported) = taken(&message(&[span(0, 0, "chat", &attributes)]));
    assert_eq!(imported.account.totals.model_calls.get(), 1);
    assert!(entries(home.path()).len() == 6);
}

#[test]
fn a_message_of_many_megabytes() {
    let long = "x".repeat(20 << 20);
    let said = format!(r#"[{{"role":"user","parts":[{{"type":"text","content":"{long}"}}]}}]"#);
    let chat = [text("gen_ai.operation.name", "chat"), text("gen_ai.input.messages", &said)];
    let (_home, imported) = taken(&message(&[span(0, 0, "chat", &chat)]));
    assert!(imported.account.totals.payload_bytes.get() > 20 << 20);
}

#[test]
fn ids_of_zeros_and_of_other_lengths() {
    let mut spans = run(0, &[]);
    for (member, value) in [
        ("spanId", "00".repeat(8)),
        ("traceId", "00".repeat(16)),
        ("traceId", "ab".to_owned()),
        ("parentSpanId", "abcd".to_owned()),
    ] {
        let mut odd = span(0, 7, "odd", &[text("gen_ai.operation.name", "chat")]);
        odd[member] = json!(value);
        spans.push(odd);
    }
    // A parent of zeros is none.
    let mut root = span(1, 3, "root", &[text("gen_ai.operation.name", "chat")]);
    root["parentSpanId"] = json!("00".repeat(8));
    spans.push(root);
    let (_home, imported) = taken(&message(&spans));
    let refusals: Vec<(String, u64)> =
        imported.account.refusals.iter().map(|it| (it.what.to_string(), it.count.get())).collect();
    let expected = [("parent-span-id", 1), ("span-id", 1), ("trace-id", 2)];
    assert_eq!(refusals, expected.map(|(what, count)| (what.to_owned(), count)));
    assert_eq!(imported.account.totals.model_calls.get(), 2);
}

#[test]
fn circles_and_spans_above_themselves() {
    let chat = [text("gen_ai.operation.name", "chat")];
    let mut spans = vec![span(0, 1, "a", &chat), span(0, 2, "b", &chat), span(0, 3, "c", &chat)];
    spans[0]["parentSpanId"] = json!(id(2));
    spans[1]["parentSpanId"] = json!(id(1));
    spans[2]["parentSpanId"] = json!(id(3));
    let (home, imported) = taken(&message(&spans));
    assert_eq!(imported.account.totals.model_calls.get(), 3);
    assert_eq!(count(&entries(home.path()), EntryKind::Accepted), 7);
}

#[test]
fn ends_before_starts_and_times_that_are_not_there() {
    let chat = [text("gen_ai.operation.name", "chat")];
    let mut spans = vec![span(0, 1, "a", &chat), span(0, 2, "b", &chat), span(0, 3, "c", &chat)];
    spans[0]["endTimeUnixNano"] = json!("1");
    spans[1]["startTimeUnixNano"] = json!("0");
    spans[2]["endTimeUnixNano"] = json!(u64::MAX.to_string());
    let (home, imported) = taken(&message(&spans));
    assert_eq!((imported.account.totals.model_calls.get(), imported.account.totals.refused.get()), (2, 1));
    // The refused one has its row, with its name and what there is of its times.
    assert!(entries(home.path()).iter().any(|it| it.body.contains(r#""reason":"no-start-time""#)));
}

#[test]
fn names_that_are_no_words() {
    let odd = "\u{1b}[31mRefund \u{202e} (EU)\0";
    let tool = [
        text("gen_ai.operation.name", "execute_tool"),
        text("gen_ai.tool.name", odd),
        text("error.type", odd),
    ];
    let (home, _) = taken(&message(&[span(0, 0, &odd.repeat(50), &tool)]));
    let call = entries(home.path()).into_iter().find(|it| it.body.contains("\"tool_call\"")).unwrap();
    assert!(call.body.contains(r#""tool_name":"x.-31mrefund-eu-."#), "{}", call.body);
    assert!(call.body.contains(r#""status":"x.error:"#));
}

#[test]
fn bytes_that_are_no_utf8_in_protobuf() {
    let good = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "good".to_owned(),
        start_time_unix_nano: 1_727_740_800_000_000_000,
        end_time_unix_nano: 1_727_740_801_000_000_000,
        ..Span::default()
    };
    let bad = Span { name: "BAD?".to_owned(), span_id: vec![3; 8], ..good.clone() };
    let data = TracesData {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans { spans: vec![bad, good], ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    };
    let mut bytes = data.encode_to_vec();
    let at = bytes.windows(4).position(|window| window == b"BAD?").unwrap();
    bytes[at + 3] = 0xff;
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let order = ImportOrder::recording().unwrap();
    let imported = try_import(home.path(), &order, &bytes).unwrap();
    let totals = &imported.account.totals;
    assert_eq!((totals.spans.get(), totals.shapes.get(), totals.unreadable.get()), (2, 1, 1));
    assert!(
        imported.account.refusals[0].what.as_str().starts_with("otlp.span_"),
        "{:?}",
        imported.account.refusals
    );
    sound(home.path());
}

#[test]
fn a_bomb_is_refused_before_anything_is_taken_in() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![b' '; 1 << 20];
    (0..200).for_each(|_| gzip.write_all(&zeros).unwrap());
    let bomb = gzip.finish().unwrap();
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let error = try_import(home.path(), &ImportOrder::recording().unwrap(), &bomb).unwrap_err();
    assert_eq!(error.code(), "otlp.unpacked_ratio", "{error}");
    assert_eq!(entries(home.path()).len(), 1);
}

#[test]
fn older_habits_are_understood() {
    let event = |name: &str, key: &str, body: &str| json!({"name": name, "attributes": [text(key, body)]});
    let chat = |number: u64, more: &[Value], events: Value| {
        let mut attributes = vec![text("gen_ai.operation.name", "chat"), text("gen_ai.system", "xai")];
        attributes.extend_from_slice(more);
        let mut span = span(0, number, "chat", &attributes);
        span["events"] = events;
        span
    };
    let spans = [
        // 1.28 and 1.29: calls inside of the message.
        chat(
            1,
            &[],
            json!([
                event("gen_ai.user.message", "gen_ai.event.content", r#"{"content":"hello"}"#),
                event(
                    "gen_ai.choice",
                    "gen_ai.event.content",
                    r#"{"index":0,"finish_reason":"tool_calls","message":{"tool_calls":[
                {"id":"1","type":"function","function":{"name":"look","arguments":"{\"a\": 1}"}}]}}"#
                )
            ]),
        ),
        // 1.30 and later: beside it.
        chat(
            2,
            &[],
            json!([
                event("gen_ai.user.message", "gen_ai.event.content", r#"{"content":"hello"}"#),
                event(
                    "gen_ai.choice",
                    "gen_ai.event.content",
                    r#"{"index":0,"finish_reason":"tool_calls","message":{},"tool_calls":[
                {"id":"1","type":"function","function":{"name":"look","arguments":"{\"a\": 1}"}}]}"#
                )
            ]),
        ),
        // Today.
        chat(
            3,
            &[
                text(
                    "gen_ai.input.messages",
                    r#"[{"role":"user","parts":[{"type":"text","content":"hello"}]}]"#,
                ),
                text(
                    "gen_ai.output.messages",
                    r#"[{"role":"assistant","finish_reason":"tool_call","parts":[
                {"type":"tool_call","id":"1","name":"look","arguments":{"a":1}}]}]"#,
                ),
            ],
            json!([]),
        ),
        // 1.26: one text each.
        chat(
            4,
            &[],
            json!([event(
                "gen_ai.content.prompt",
                "gen_ai.prompt",
                r#"[{"role":"user","content":"hello"}]"#
            )]),
        ),
        // 1.26, as the standard's own example has it, which is no JSON.
        chat(5, &[], json!([event("gen_ai.content.prompt", "gen_ai.prompt", "hello")])),
        // Flattened.
        chat(6, &[text("gen_ai.prompt.0.role", "user"), text("gen_ai.prompt.0.content", "hello")], json!([])),
    ];
    let (home, imported) = taken(&message(&spans));
    assert_eq!(imported.account.totals.model_calls.get(), 6);
    let payload = |number: u64, member: &str| {
        let kept = entries(home.path()).into_iter().find(|it| {
            it.body.contains("\"model_call\"") && it.body.contains(&format!("\"span_id\":\"{}\"", id(number)))
        });
        let body: Value = serde_json::from_str(&kept.unwrap().body).unwrap();
        assert_eq!(body["model"]["provider"], "x_ai");
        body[member]["sha256"].as_str().unwrap().to_owned()
    };
    for number in 2..=6 {
        assert_eq!(payload(1, "request"), payload(number, "request"), "request {number}");
    }
    for number in 2..=3 {
        assert_eq!(payload(1, "response"), payload(number, "response"), "response {number}");
    }
}

#[test]
fn decisions_of_other_tools_are_taken_as_they_are() {
    let rules = json!({"version": "1", "decision": {
        "result": {"from": ["span:guard.verdict", "event:guard:verdict"]}, "allow": ["pass"], "deny": ["block"],
        "reasons": {"from": ["span:guard.rule"]}, "policy_id": "guard", "policy_version": {"from": ["span:guard.version"]}
    }});
    let chat = |number, more: &[Value]| {
        let mut attributes = vec![text("gen_ai.operation.name", "chat")];
        attributes.extend_from_slice(more);
        span(0, number, "chat", &attributes)
    };
    let mut by_event = chat(3, &[]);
    by_event["events"] = json!([{"name": "guard", "attributes": [text("verdict", "block")]}]);
    let spans = [
        chat(1, &[text("guard.verdict", "pass"), text("guard.version", "7")]),
        chat(2, &[text("guard.verdict", "block"), text("guard.rule", "No Secrets")]),
        by_event,
        chat(4, &[text("guard.verdict", "shrug")]),
    ];
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let order = made::by_rules(ImportOrder::recording().unwrap(), &rules);
    let imported = import(home.path(), &order, &message(&spans));
    assert_eq!((imported.account.totals.allowed.get(), imported.account.totals.denied.get()), (2, 2));
    let kept = entries(home.path());
    let decisions: Vec<Value> = kept
        .iter()
        .filter(|it| it.body.contains("\"policy_decision\""))
        .map(|it| serde_json::from_str(&it.body).unwrap())
        .collect();
    let policies: Vec<&str> =
        decisions.iter().map(|it| it["policy"]["policy_id"].as_str().unwrap()).collect();
    assert_eq!(policies, ["guard", "guard", "guard", "import-recording"]);
    assert_eq!(decisions[0]["policy"]["policy_version"], "7");
    let reason = decisions[1]["decision"]["reason_codes"].as_object().unwrap().keys().next().unwrap();
    assert!(reason.starts_with("x.no-secrets."));
    sound(home.path());
}

#[test]
fn one_call_that_mcp_shows_twice_is_one_call() {
    let tool = |number, more: &[Value]| {
        let mut attributes = vec![text("gen_ai.tool.name", "look")];
        attributes.extend_from_slice(more);
        span(0, number, "look", &attributes)
    };
    let mut client = tool(2, &[text("mcp.method.name", "tools/call")]);
    client["parentSpanId"] = json!(id(1));
    let mut server =
        tool(3, &[text("mcp.method.name", "tools/call"), text("gen_ai.operation.name", "execute_tool")]);
    server["parentSpanId"] = json!(id(9));
    let mut http = span(0, 9, "POST", &[text("http.request.method", "POST")]);
    http["parentSpanId"] = json!(id(2));
    let outer = tool(1, &[text("gen_ai.operation.name", "execute_tool")]);
    let other = tool(4, &[text("mcp.method.name", "tools/call")]);
    let (_home, imported) = taken(&message(&[outer, client, http, server, other]));
    let totals = &imported.account.totals;
    assert_eq!((totals.tool_calls.get(), totals.shapes.get()), (2, 3));
}
