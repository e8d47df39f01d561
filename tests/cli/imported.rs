//! Spans of imports that became no record: `trace` and `html` draw them where they stand, whatever they are called.
//! And keys of `drift` from what such spans say.

use std::fs;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::hostile::assert_harmless;
use crate::run::{CLOCK, Ledger, Ran, json_lines, member_names, program, ran};
use crate::strict_html;

const TRACE: u8 = 0x11;
const HOSTILE: &str = "\u{1b}[31m<b>GET\u{202e} /x</b>";

/// A span at so many milliseconds after a moment, for 500 ms.
fn span(trace: u8, id: u8, parent: Option<u8>, name: &str, at_ms: u64) -> Value {
    let time = |ms: u64| (1_727_740_800_000_000_000 + ms * 1_000_000).to_string();
    let parent = parent.map(|parent| format!("{parent:016x}")).unwrap_or_default();
    json!({"traceId": format!("{trace:02x}").repeat(16), "spanId": format!("{id:016x}"), "parentSpanId": parent,
        "name": name, "startTimeUnixNano": time(at_ms), "endTimeUnixNano": time(at_ms + 500), "attributes": []})
}

fn operation(mut span: Value, operation: &str) -> Value {
    attribute(&mut span, "gen_ai.operation.name", json!({"stringValue": operation}));
    span
}

fn attribute(span: &mut Value, key: &str, value: Value) {
    span["attributes"].as_array_mut().unwrap().push(json!({"key": key, "value": value}));
}

/// Two agents deep, a chat, an HTTP request below it that failed, and a chat that never began.
fn spans() -> Vec<Value> {
    let root = operation(span(TRACE, 1, None, "invoke_agent desk", 0), "invoke_agent");
    let inner = operation(span(TRACE, 2, Some(1), "invoke_agent refunds", 40), "invoke_agent");
    let chat = operation(span(TRACE, 3, Some(2), "chat m", 50), "chat");
    let mut http = span(TRACE, 4, Some(3), HOSTILE, 60);
    http["status"] = json!({"code": 2, "message": "reset"});
    let mut refused = operation(span(TRACE, 5, Some(1), "chat n", 0), "chat");
    refused["startTimeUnixNano"] = json!("0");
    let mut late = span(TRACE, 6, Some(1), "", 900);
    late["endTimeUnixNano"] = json!("1727740800000000000");
    vec![root, inner, chat, http, refused, late]
}

fn import(ledger: &Ledger, resources: &[(Value, Vec<Value>)], more: &[&str]) -> Ran {
    let resources: Vec<Value> = resources
        .iter()
        .map(|(resource, spans)| json!({"resource": {"attributes": resource}, "scopeSpans": [{"spans": spans}]}))
        .collect();
    let file = ledger.dir.with_file_name("spans.json");
    fs::write(&file, json!({"resourceSpans": resources}).to_string()).unwrap();
    let (dir, file) = (ledger.dir.to_str().unwrap(), file.to_str().unwrap());
    ran(program().args(["import", "otlp", dir, file, "--clock", CLOCK]).args(more))
}

fn imported() -> (Ledger, String) {
    let ledger = Ledger::empty();
    import(&ledger, &[(json!([]), spans())], &[]).exits(1);
    (ledger, format!("{TRACE:02x}").repeat(16))
}

#[test]
fn a_trace_shows_spans_without_records_where_they_stand() {
    let (ledger, id) = imported();
    let shown = ledger.run("trace", &[&id]).well().stdout;
    assert_harmless(&shown);
    assert_snapshot!("trace_imported", shown);

    let lines = ledger.run("trace", &[&id, "--format", "json"]).well().stdout;
    assert_harmless(&lines);
    let all = json_lines(&lines);
    let (summary, drawn) = all.split_last().unwrap();
    let tree: Vec<(u64, String, usize, usize)> = drawn
        .iter()
        .map(|line| {
            let count = |name: &str| line[name].as_array().map_or(0, Vec::len);
            let span = line["span_id"].as_str().unwrap().trim_start_matches('0').to_owned();
            (line["depth"].as_u64().unwrap(), span, count("records"), count("imported"))
        })
        .collect();
    let row = |depth, span: &str, records, imported| (depth, span.to_owned(), records, imported);
    let wanted = [
        row(0, "1", 1, 1),
        row(1, "2", 0, 1),
        row(2, "3", 2, 0),
        row(3, "4", 0, 1),
        row(1, "5", 0, 1),
        row(1, "6", 0, 1),
    ];
    assert_eq!(tree.len(), wanted.len());
    assert!(wanted.iter().all(|row| tree.contains(row)), "{tree:?}");
    let summary = &summary["summary"];
    assert_eq!((&summary["spans"], &summary["imported"]), (&2.into(), &5.into()));
    assert_eq!(summary["anomalies"], json!([]));
    let http = drawn.iter().find(|line| line["span_id"] == "0000000000000004").unwrap();
    let it = &http["imported"][0];
    assert_eq!(
        (&it["name"], &it["status"], &it["became"]),
        (&HOSTILE.into(), &"error".into(), &"shape".into())
    );
    assert_eq!(
        member_names(lines.lines().find(|line| line.contains("imported")).unwrap()).join(" "),
        "span_id parent_span_id depth records imported"
    );
    let refused = drawn.iter().find(|line| line["span_id"] == "0000000000000005").unwrap();
    assert_eq!(
        (&refused["imported"][0]["became"], &refused["imported"][0]["reason"]),
        (&"refused".into(), &"no-start-time".into())
    );

    // The same spans under another policy are the same spans, and drawn once.
    let policy = ledger.dir.with_file_name("other.cedar");
    fs::write(&policy, "@id(\"any\") permit(principal, action, resource);").unwrap();
    import(&ledger, &[(json!([]), spans())], &["--policy", policy.to_str().unwrap()]);
    let again = ledger.run("trace", &[&id, "--format", "json"]).well().json();
    assert_eq!(again.last().unwrap()["summary"]["imported"], 5);
}

#[test]
fn a_trace_without_imports_has_no_member_of_them() {
    let ledger = Ledger::of(crate::run::AGENT_WORK);
    let id = ledger.run("traces", &["--format", "json"]).json()[0]["trace_id"].as_str().unwrap().to_owned();
    let lines = ledger.run("trace", &[&id, "--format", "json"]).well().stdout;
    assert_eq!(member_names(lines.lines().next().unwrap()).join(" "), "span_id parent_span_id depth records");
    assert!(!lines.contains("imported"), "{lines}");
}

#[test]
fn a_page_shows_spans_without_records_where_they_stand() {
    let (ledger, id) = imported();
    for more in [&["--trace", id.as_str()][..], &["--all"]] {
        let page = ledger.run("html", more).exits(0).stdout;
        assert_harmless(&page);
        let read = strict_html::read(page.as_bytes());
        for wanted in [
            "invoke_agent desk",
            "span, no record",
            "no-start-time",
            "without a start",
            "ended before it began",
            "status error",
            "\\u{1b}[31m<b>GET\\u{202e} /x</b>",
            "and 5 spans without a record",
        ] {
            assert!(read.text.contains(wanted), "{wanted} is not in\n{}", read.text);
        }
    }
}

/// Runs of two tasks: the task stands in the resource, the conversation on the root span alone.
fn trials(capture: &str) -> Ledger {
    let ledger = Ledger::empty();
    let runs = [(0x21, 7, "a"), (0x22, 8, "b"), (0x23, 7, "a"), (0x24, 7, "c"), (0x25, 9, "d")];
    let resources: Vec<(Value, Vec<Value>)> = runs
        .iter()
        .map(|(trace, task, conversation)| {
            let mut root = operation(span(*trace, 1, None, "invoke_agent", 0), "invoke_agent");
            attribute(&mut root, "conversation", json!({"stringValue": conversation}));
            let mut chat = operation(span(*trace, 2, Some(1), "chat", 10), "chat");
            attribute(&mut chat, "conversation", json!({"stringValue": "another"}));
            attribute(&mut chat, "gen_ai.request.model", json!({"stringValue": format!("m{conversation}")}));
            // The call before its root: what the root says counts all the same.
            (json!([{"key": "task.id", "value": {"intValue": task.to_string()}}]), vec![chat, root])
        })
        .collect();
    import(&ledger, &resources, &["--capture", capture]).exits(0);
    ledger
}

#[test]
fn runs_are_known_by_an_attribute() {
    let ledger = trials("full");
    let drift = |key: &str, more: &[&str]| {
        ledger.run("drift", &[&["--key", key, "--format", "json"], more].concat()).json()
    };
    let pairs = |lines: &[Value]| -> Vec<(String, String)> {
        let two = |line: &Value, name: &str| line[name].as_str().unwrap()[..2].to_owned();
        lines[..lines.len() - 1].iter().map(|line| (two(line, "baseline"), two(line, "candidate"))).collect()
    };
    let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    let first = drift("attribute:resource:task.id", &[]);
    assert_eq!(pairs(&first), [pair("21", "23"), pair("21", "24")]);
    let each = drift("attribute:resource:task.id", &["--each-with-each"]);
    assert_eq!(pairs(&each), [pair("21", "23"), pair("21", "24"), pair("23", "24")]);
    let summary = &each[3]["summary"];
    assert_eq!(
        (&summary["alone"], &summary["without_key"], &summary["other_keys"]),
        (&2.into(), &0.into(), &0.into())
    );
    let keys = summary["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    let counts = |name: &str| keys[0][name].as_u64().unwrap();
    assert_eq!((&keys[0]["key"], counts("runs"), counts("pairs")), (&"7".into(), 3, 3));
    // Two runs ask one model, the third another.
    assert_eq!((counts("same"), counts("parts"), counts("not_compared")), (1, 2, 0));
    assert_eq!(keys[0]["first_causes"], summary["first_causes"]);

    let conversations = drift("attribute:span:conversation", &["--totals"]);
    assert_eq!(conversations.len(), 1);
    assert_eq!(conversations[0]["summary"]["keys"][0]["key"], "a");
    assert_eq!(conversations[0]["summary"]["alone"], 3);

    for (key, code) in [("attribute:resource:gone", "drift.no_runs"), ("attribute:other:x", "cli.usage")] {
        let error = ledger.run("drift", &["--key", key, "--format", "json"]);
        assert_eq!(error.error().0, code, "{key}");
    }
    let shown = ledger.run("drift", &["--key", "attribute:resource:task.id", "--each-with-each", "--totals"]);
    assert_snapshot!("drift_by_key", shown.exits(1).stdout);
}

/// A gate that compares nothing must not open: a run without a single record is compared with nobody, and told.
#[test]
fn a_run_that_did_nothing_is_no_run_that_is_the_same() {
    let ledger = Ledger::empty();
    let task = json!([{"key": "task", "value": {"stringValue": "7"}}]);
    let agent = |trace| operation(span(trace, 1, None, "invoke_agent desk", 0), "invoke_agent");
    let tool = |trace| operation(span(trace, 2, Some(1), "execute_tool a", 10), "execute_tool");
    import(&ledger, &[(task.clone(), vec![agent(0x31), tool(0x31)])], &[]).well();
    import(&ledger, &[(task.clone(), vec![agent(0x32), tool(0x32)]), (task, vec![agent(0x33)])], &[]).well();
    let key = ["--key", "attribute:resource:task", "--format", "json"];
    let lines = ledger.run("drift", &key).exits(1).json();
    let verdicts: Vec<&str> =
        lines[..lines.len() - 1].iter().map(|line| line["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["same", "not_compared"]);
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!((&summary["alone"], &summary["without_key"]), (&0.into(), &0.into()));
    // Records say no actor where there is none: such a run has no key, and is counted.
    let by_actor = ledger.run("drift", &["--key", "actor", "--format", "json"]).well().json();
    assert_eq!(by_actor.last().unwrap()["summary"]["without_key"], 1);
}

/// Spans are exported when they end, so those within come first: what is above them is not made up meanwhile.
#[test]
fn a_trace_that_comes_from_its_end_has_the_tree_that_it_has() {
    let ledger = Ledger::empty();
    let agent = operation(span(0x41, 1, None, "invoke_agent desk", 0), "invoke_agent");
    let tool = operation(span(0x41, 2, Some(1), "execute_tool agent", 10), "execute_tool");
    let chat = operation(span(0x41, 3, Some(2), "chat m", 20), "chat");
    for piece in [vec![chat], vec![tool, agent]] {
        import(&ledger, &[(json!([]), piece)], &[]).well();
    }
    let lines = ledger.run("trace", &[&"41".repeat(16), "--format", "json"]).well().json();
    let (summary, drawn) = lines.split_last().unwrap();
    let depths: Vec<(u64, &str)> = drawn
        .iter()
        .map(|line| {
            (line["depth"].as_u64().unwrap(), line["span_id"].as_str().unwrap().trim_start_matches('0'))
        })
        .collect();
    assert_eq!(depths, [(0, "1"), (1, "2"), (2, "3")]);
    // That a record above came later is true, and all that there is to say.
    let codes =
        |text: &Value| text.to_string().matches("_PARENT").count() + text.to_string().matches("ROOT").count();
    let anomalies = summary["summary"]["anomalies"].as_array().unwrap();
    assert!(anomalies.iter().all(|it| it.to_string().contains("LATE_PARENT")), "{anomalies:?}");
    assert_eq!(codes(&json!(anomalies)), anomalies.len());
}

/// What is told by digest is still the same where it is the same; a document that is gone says nothing.
#[test]
fn attributes_that_are_told_by_digest_are_keys_too() {
    let key = ["--key", "attribute:resource:task.id", "--format", "json", "--totals"];
    let lines = trials("structural").run("drift", &key).json();
    let summary = &lines[0]["summary"];
    assert_eq!((&summary["pairs"], &summary["alone"]), (&2.into(), &2.into()));
    assert!(summary["keys"][0]["key"].as_str().unwrap().contains("sha256"), "{summary}");
    let error = trials("digest").run("drift", &key);
    assert_eq!(error.error().0, "drift.no_runs");
}
