//! `export otlp` as somebody with an observability stack meets it: spans of records, verdicts, what was stopped, what
//! is gone. What is expected is read from the evidence, and not from what wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use insta::assert_snapshot;
use proofline::otel::opentelemetry_proto::tonic::trace::v1::TracesData;
use proofline::otel::write::json_line;
use serde_json::{Value, json};

use crate::run::{
    AGENT_WORK, CLOCK, Ledger, PAYLOADS, Ran, find, json_lines, member_names, program, ran, vectors,
};

fn export(ledger: &Ledger, more: &[&str]) -> Ran {
    ran(program().args(["export", "otlp"]).arg(&ledger.dir).args(more))
}

/// The messages of an export to the standard output.
fn messages(ledger: &Ledger, more: &[&str], exit: i32) -> Vec<Value> {
    export(ledger, more).exits(exit).json()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Every span, in order.
fn spans(messages: &[Value]) -> Vec<Value> {
    let resources = messages.iter().flat_map(|it| list(it, "resourceSpans"));
    let scopes = resources.flat_map(|it| list(it, "scopeSpans"));
    scopes.flat_map(|it| list(it, "spans")).cloned().collect()
}

/// Attributes as plain values.
fn attributes(of: &Value) -> BTreeMap<String, Value> {
    let plain = |value: &Value| {
        let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
        match kind.as_str() {
            "arrayValue" => {
                let item = |it: &Value| it.as_object().unwrap().values().next().unwrap().clone();
                list(value, "values").iter().map(item).collect()
            }
            _ => value.clone(),
        }
    };
    list(of, "attributes")
        .iter()
        .map(|it| (it["key"].as_str().unwrap().to_owned(), plain(&it["value"])))
        .collect()
}

fn events<'a>(span: &'a Value, name: &str) -> Vec<&'a Value> {
    list(span, "events").iter().filter(|it| it["name"] == name).collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn agent_work() -> Ledger {
    let ledger = Ledger::empty();
    ledger.commit(&vectors(AGENT_WORK), &["--blobs", vectors(PAYLOADS).to_str().unwrap()]).exits(1);
    ledger
}

/// The records of the evidence that ships, as its lines have them.
fn evidence() -> Vec<Value> {
    let lines = json_lines(&fs::read_to_string(vectors(AGENT_WORK)).unwrap());
    lines.into_iter().map(|line| line.get("envelope").cloned().unwrap_or(line)).collect()
}

#[test]
fn records_become_spans_that_say_what_they_say() {
    let ledger = agent_work();
    let messages = messages(&ledger, &[], 0);
    let spans = spans(&messages);
    let mut records: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
    for record in evidence() {
        let key =
            (text(&record["trace"], "trace_id").to_owned(), text(&record["trace"], "span_id").to_owned());
        if key.0.len() == 32 && key.1.len() == 16 {
            records.entry(key).or_default().push(record);
        }
    }
    let mut met = BTreeSet::new();
    for span in &spans {
        let key = (text(span, "traceId").to_owned(), text(span, "spanId").to_owned());
        let of_span = records.get(&key).expect("a span is of a record");
        let (of, own) = (attributes(span), |name: &str| of_span.iter().any(|it| it["record_type"] == name));
        assert_eq!(of["proofline.span.from"], "records");
        let start: u64 = text(span, "startTimeUnixNano").parse().unwrap();
        let call = of_span.iter().find(|it| it.get("outcome").is_some());
        match call {
            Some(call) => {
                let nanos = |name: &str| call[name].as_u64().unwrap() * 1_000_000;
                assert_eq!(start, nanos("started_at_ms"));
                assert_eq!(text(span, "endTimeUnixNano"), nanos("ended_at_ms").to_string());
                let is_ok = call["outcome"]["status"] == "ok";
                assert_eq!(span["status"]["code"].is_null(), is_ok, "{call}");
                assert_eq!(of.get("error.type").is_none_or(Value::is_null), is_ok, "{call}");
            }
            // A record that is a moment has no end.
            None => assert!(span.get("endTimeUnixNano").is_none() && start > 0),
        }
        if let Some(call) = call.filter(|_| own("model_call")) {
            assert_eq!(of["gen_ai.request.model"], call["model"]["model"]);
            assert_eq!(of["gen_ai.provider.name"], call["model"]["provider"]);
            assert!(!of.contains_key("gen_ai.operation.name"), "no record says which");
            let usage = of.get("gen_ai.usage.input_tokens").and_then(Value::as_str).map(str::to_owned);
            assert_eq!(usage, call["usage"]["input_tokens"].as_u64().map(|it| it.to_string()));
        }
        if let Some(call) = call.filter(|_| own("tool_call")) {
            assert_eq!(of["gen_ai.tool.name"], call["tool"]["tool_name"]);
            assert_eq!(text(span, "name"), format!("execute_tool {}", text(&call["tool"], "tool_name")));
        }
        let parent = of_span.iter().find_map(|it| it["trace"]["parent_span_id"].as_str());
        assert_eq!(span["parentSpanId"].as_str(), parent);
        assert!(met.insert(key), "a span once");
    }
    // Verdicts are those of `replay`.
    let replayed = ledger.run("replay", &["--format", "json"]).exits(0).json();
    let (_, verdicts) = replayed.split_last().unwrap();
    let roots: BTreeMap<String, BTreeMap<String, Value>> = spans
        .iter()
        .filter(|it| attributes(it).contains_key("proofline.verdict"))
        .map(|it| (text(it, "traceId").to_owned(), attributes(it)))
        .collect();
    let mut findings = 0;
    for verdict in verdicts {
        let root = &roots[text(&verdict["record"], "target_trace_id")];
        assert_eq!(root["proofline.verdict"], verdict["record"]["result"]);
        assert_eq!(root["proofline.replay.forensic.artifact_sha256"], verdict["artifact_sha256"]);
        assert_eq!(root["proofline.replay.forensic.generated_at"], verdict["record"]["generated_at"]);
        for finding in list(verdict, "findings") {
            findings += 1;
            let is_told = |it: &Value| attributes(it)["proofline.finding.message"] == finding["message"];
            assert!(spans.iter().flat_map(|it| events(it, "proofline.finding")).any(is_told));
        }
    }
    assert!(findings > 0 && verdicts.len() == roots.len());
    // Refused attempts show where they stand.
    let refused: usize = spans.iter().map(|it| events(it, "proofline.refused").len()).sum();
    let stat = ledger.run("stat", &["--format", "json"]).json().remove(0);
    assert_eq!(json!(refused), stat["kinds"]["rejected"]);
}

#[test]
fn both_forms_and_any_number_of_threads_say_the_same() {
    let ledger = agent_work();
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let (one, four, protobuf) = (file("one"), file("four"), file("protobuf"));
    export(&ledger, &["--out", &one, "--threads", "1"]).well();
    let account = export(&ledger, &["--out", &four, "--threads", "4", "--format", "json"]).well();
    export(&ledger, &["--out", &protobuf, "--to", "protobuf"]).well();
    let json = fs::read_to_string(&one).unwrap();
    assert!(json == fs::read_to_string(&four).unwrap());
    assert!(json == export(&ledger, &[]).exits(0).stdout);
    let bytes = fs::read(&protobuf).unwrap();
    let (mut rest, mut lines) = (bytes.as_slice(), String::new());
    while !rest.is_empty() {
        // A varint, and a message behind it.
        let end = rest.iter().position(|byte| *byte < 0x80).unwrap();
        let length = rest[..=end].iter().rev().fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
        let message = &rest[end + 1..end + 1 + length];
        let traces: TracesData = prost::Message::decode(message).unwrap();
        lines.push_str(&json_line(&traces));
        rest = &rest[end + 1 + length..];
    }
    assert!(lines == json);
    assert_eq!(
        member_names(account.stdout.trim_end()).join(" "),
        "event file form ledger_id entries file_bytes file_sha256 traces empty_traces spans original restated \
         partial rows from_records missing_attributes missing_payloads erased_payloads damaged_payloads records denied \
         refused passed failed without_verdict findings damaged_entries archived_entries"
    );
    let account = account.json().remove(0);
    assert_eq!(account["file_sha256"], proofline::canon::Sha256Digest::of(json.as_bytes()).to_string());
    assert_eq!(account["spans"], spans(&json_lines(&json)).len());
    // Only what was asked for; its account stands beside it.
    let some = export(&ledger, &["--trace", "e85a", "--trace", "05c7", "--format", "json"]).exits(0);
    assert_eq!(some.json().len(), 2);
    assert_eq!(json_lines(&some.stderr)[0]["traces"], 2);
    assert!(json.contains(some.stdout.lines().next().unwrap()));
    // Nothing half-written, and no trace that is not there.
    let missing = home.path().join("no/folder");
    export(&ledger, &["--out", missing.to_str().unwrap()]).exits(6);
    export(&ledger, &["--trace", &"1".repeat(32)]).exits(4);
    export(&ledger, &["--verdicts", "none", "--mode", "invariant"]).exits(2);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 3);
}

/// Spans that were made of records are no telemetry to the ledger of the records; another ledger takes them as what
/// they say.
#[test]
fn an_export_of_records_comes_back_as_known() {
    let ledger = agent_work();
    let file = ledger.dir.with_file_name("spans.jsonl");
    let file = file.to_str().unwrap();
    export(&ledger, &["--out", file]).well();
    let import = |ledger: &Ledger| {
        let imported =
            ran(program().args(["import", "otlp"]).arg(&ledger.dir).args([file, "--format", "json"]));
        imported.exits(0).json().remove(0)
    };
    let back = import(&ledger);
    assert_eq!((&back["new_spans"], &back["totals"]["spans"]), (&json!(0), &json!(0)));
    let spans = spans(&json_lines(&fs::read_to_string(file).unwrap())).len();
    assert_eq!(back["warnings"], json!([{"what": "own-records", "count": spans}]));
    let other = import(&Ledger::empty());
    assert_eq!((&other["totals"]["spans"], &other["totals"]["refused"]), (&json!(spans), &json!(0)));
}

#[test]
fn a_failed_verdict_shows() {
    let ledger = agent_work();
    ledger.edit(&ledger.segment(), |bytes| {
        let at = find(bytes, "agents/refund-desk-1") + "agents/refund-desk-1".len() - 1;
        bytes[at] ^= 1;
    });
    let trace = "e85a3ac8a3927a792548162be1ac0875";
    let all = spans(&messages(&ledger, &["--trace", trace], 3));
    let roots: Vec<_> = all.iter().filter(|it| attributes(it).contains_key("proofline.verdict")).collect();
    assert!(!roots.is_empty());
    for root in &roots {
        let of = attributes(root);
        assert_eq!(
            (&of["proofline.verdict"], &of["proofline.trace.damaged_entries"]),
            (&json!("fail"), &json!("1"))
        );
        assert!(of.contains_key("proofline.replay.forensic.failure_class"));
    }
    let failures: Vec<_> = all.iter().flat_map(|it| events(it, "proofline.failure")).collect();
    let replayed = ledger.run("replay", &["--trace", trace, "--format", "json"]).exits(3).json();
    let failure = &replayed[0]["diagnostics"]["failures"][0];
    assert_eq!(failures.len(), 1);
    for (key, member) in [("class", "class"), ("check", "check"), ("message", "message")] {
        assert_eq!(
            attributes(failures[0])[&format!("proofline.failure.{key}")],
            failure[member],
            "{failure}"
        );
    }
    // A status is what its record says, whatever the verdict.
    let told = messages(&ledger, &["--trace", trace, "--verdicts", "none"], 3);
    let status = |all: &[Value]| all.iter().map(|it| it["status"].clone()).collect::<Vec<_>>();
    assert_eq!(status(&spans(&told)), status(&all));
    assert_eq!(attributes(&spans(&told)[0])["proofline.verdict"], "none");
}

#[test]
fn a_recorded_verdict_says_how_old_it_is() {
    let ledger = Ledger::empty();
    let lines: Vec<String> =
        fs::read_to_string(vectors(AGENT_WORK)).unwrap().lines().map(str::to_owned).collect();
    let commit = |lines: &[String]| {
        let file = ledger.dir.with_file_name("some.jsonl");
        fs::write(&file, lines.join("\n")).unwrap();
        ledger.commit(&file, &[]);
    };
    commit(&lines[..1]);
    let root = |exit: i32| {
        let all = spans(&messages(&ledger, &["--verdicts", "recorded"], exit));
        all.iter().map(attributes).find(|it| it.contains_key("proofline.verdict")).unwrap()
    };
    assert_eq!(root(0)["proofline.verdict"], "none");
    ledger.run("replay", &["--record", "--clock", CLOCK]).exits(0);
    let fresh = root(0);
    assert_eq!(
        (&fresh["proofline.verdict"], &fresh["proofline.verdict.source"]),
        (&json!("pass"), &json!("recorded"))
    );
    assert_eq!(fresh["proofline.replay.forensic.later_records"], "0");
    assert_eq!(fresh["proofline.replay.forensic.generated_at"], CLOCK);
    let recorded = ledger.run("verdicts", &["--format", "json"]).exits(0).json().remove(0);
    assert_eq!(fresh["proofline.replay.forensic.artifact_sha256"], recorded["artifact_sha256"]);
    assert_eq!(fresh["proofline.replay.forensic.recorded_seq"], recorded["seq"].to_string());
    // The trace goes on, and the verdict says nothing of what came after it.
    let first: Value = serde_json::from_str(&lines[0]).unwrap();
    let trace = |it: &Value| it.get("envelope").unwrap_or(it)["trace"]["trace_id"].clone();
    let more: Vec<String> = lines[1..]
        .iter()
        .filter(|it| serde_json::from_str::<Value>(it).is_ok_and(|it| trace(&it) == trace(&first)))
        .take(2)
        .cloned()
        .collect();
    commit(&more);
    assert_eq!(root(0)["proofline.replay.forensic.later_records"], "2");
}

/// Erases a payload under a decision that allows it, in a trace of its own.
fn erase(ledger: &Ledger, name: &str) {
    let commit = |record: Value| {
        let file = ledger.dir.with_file_name("record.json");
        fs::write(&file, record.to_string()).unwrap();
        let committed = ledger.commit(&file, &["--format", "json"]).exits(0).json().remove(0);
        committed["envelope_hash"].as_str().unwrap().to_owned()
    };
    let trace = json!({"trace_id": "5a".repeat(16), "span_id": "1".repeat(16), "span_kind": "root"});
    let context = commit(json!({
        "spec_version": "1.0.0", "canon_version": "1", "record_type": "auth_context", "ts_ms": 1000, "trace": trace,
        "producer": {"layer": "cpo", "component": "gateway"},
        "actor": {"actor_kind": "user", "actor_id": "staff/dpo"},
        "credential": {"credential_kind": "oidc", "issuer": "https://id.example",
            "presented_hash_sha256": "7".repeat(64), "verified_at_ms": 900, "expires_at_ms": 9000},
        "grants": {"erase": true},
    }));
    let authority = commit(json!({
        "spec_version": "1.0.0", "canon_version": "1", "record_type": "policy_decision", "ts_ms": 1100, "trace": trace,
        "producer": {"layer": "cpo", "component": "kernel"}, "auth_context_envelope_sha256": context,
        "policy": {"policy_id": "privacy", "policy_version": "v1", "policy_sha256": "9".repeat(64)},
        "request": {"action": "erase", "resource": format!("blob/{name}")},
        "decision": {"result": "allow", "reason_codes": {"asked": true}, "obligations": {}},
    }));
    let asked = ["--blob", name, "--reason", "request 81", "--authority", &authority, "--clock", CLOCK];
    ledger.run("erase", &asked).exits(0);
}

#[test]
fn what_was_erased_is_counted() {
    let ledger = Ledger::empty();
    let file = vectors("otel/desk.otlp.jsonl");
    ran(program().args(["import", "otlp"]).arg(&ledger.dir).arg(file).args(["--clock", CLOCK])).exits(0);
    let before = spans(&messages(&ledger, &[], 0));
    let call = before
        .iter()
        .flat_map(|it| events(it, "proofline.call"))
        .map(attributes)
        .find(|it| it["proofline.record.type"] == "tool_call")
        .unwrap();
    let (request, seq) =
        (call["proofline.call.request_sha256"].as_str().unwrap(), &call["proofline.record.seq"]);
    erase(&ledger, request);
    let after = export(&ledger, &["--format", "json"]).exits(0);
    let account = json_lines(&after.stderr).remove(0);
    assert_eq!((&account["missing_payloads"], &account["erased_payloads"]), (&json!(1), &json!(1)));
    assert_eq!(account["failed"], 0);
    let erased: Vec<_> = spans(&after.json())
        .iter()
        .map(attributes)
        .filter(|it| it.contains_key("proofline.span.missing"))
        .collect();
    assert!(!erased.is_empty() && erased.len() as u64 == account["partial"].as_u64().unwrap());
    assert!(erased.iter().any(|it| it["proofline.record.seq"].as_array().unwrap().contains(seq)));
    for it in &erased {
        assert_eq!(it["proofline.span.content"], "partial");
        assert!(!it.contains_key("gen_ai.tool.call.arguments"));
    }
}

/// What nobody erased was lost, or never kept: the ledger cannot tell which.
#[test]
fn what_was_lost_is_told_from_what_was_erased() {
    let ledger = Ledger::empty();
    let file = vectors("otel/desk.otlp.jsonl");
    ran(program().args(["import", "otlp"]).arg(&ledger.dir).arg(file).args(["--clock", CLOCK])).exits(0);
    let spans = spans(&messages(&ledger, &[], 0));
    let calls: Vec<_> = spans.iter().flat_map(|it| events(it, "proofline.call")).map(attributes).collect();
    let name = |of: &str| {
        let call = calls.iter().find(|it| it["proofline.record.type"] == of).unwrap();
        call["proofline.call.request_sha256"].as_str().unwrap().to_owned()
    };
    let (erased, lost) = (name("tool_call"), name("model_call"));
    erase(&ledger, &erased);
    fs::remove_file(ledger.dir.join("blobs").join(&lost[..2]).join(&lost[2..])).unwrap();
    let out = ledger.dir.with_file_name("spans.jsonl");
    let shown = export(&ledger, &["--out", out.to_str().unwrap()]).exits(0).stdout;
    assert!(shown.contains("        1  payloads that were erased\n"), "{shown}");
    assert!(shown.contains("        1  payloads that were lost or never kept\n"), "{shown}");
}

/// Spans as text: what each says, and when.
fn drawn(messages: &[Value]) -> String {
    let mut lines = Vec::new();
    let about = |of: &Value, indent: &str, lines: &mut Vec<String>| {
        for it in list(of, "attributes") {
            lines.push(format!("{indent}{} = {}", text(it, "key"), attributes(of)[text(it, "key")]));
        }
    };
    for span in spans(messages) {
        let [name, id, parent] = ["name", "spanId", "parentSpanId"].map(|it| text(&span, it));
        let [start, end] = ["startTimeUnixNano", "endTimeUnixNano"].map(|it| text(&span, it));
        lines.push(format!("{name}\n  {id} below {parent:?}, {start} to {end:?}, status {}", span["status"]));
        about(&span, "  ", &mut lines);
        for event in list(&span, "events") {
            lines.push(format!("  * {} at {}", text(event, "name"), text(event, "timeUnixNano")));
            about(event, "      ", &mut lines);
        }
    }
    lines.join("\n")
}

#[test]
fn pictures() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    let messages = messages(&ledger, &["--trace", "a3d5", "--mode", "all"], 0);
    assert_snapshot!("export_otlp_spans", drawn(&messages));
    let ledger = agent_work();
    let file: PathBuf = ledger.dir.with_file_name("spans.jsonl");
    let shown = export(&ledger, &["--out", file.to_str().unwrap()]).well().stdout;
    let shown = shown.replace(file.to_str().unwrap(), "spans.jsonl");
    assert_snapshot!("export_otlp", shown);
}
