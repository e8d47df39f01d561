//! Exports: spans go out as they came, come back as what is known, and show what the ledger proves. What is expected
//! is computed from the input by the standard JSON crate, and not by the code under test.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking, and say loudly what they skip"
)]

mod made;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use made::{by_rules, count, entries, id, import, init, message, run, span, text, trace, try_import, under};
use proofline_ledger::{Blobs, EntryKind, Snapshot};
use proofline_otel::opentelemetry_proto::tonic::trace::v1::TracesData;
use proofline_otel::write::{json_line, protobuf_frame};
use proofline_otel::{
    ExportError, ExportTally, ExportVerdicts, ExportedTrace, Exporter, ImportOrder, Together,
};
use proofline_trace::Capture;
use prost::Message;
use serde_json::{Value, json};

fn vectors(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/otel");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn export(dir: &Path) -> (Vec<TracesData>, ExportTally) {
    let (snapshot, blobs) = (Snapshot::open(dir).unwrap(), Blobs::open(dir).unwrap());
    let exporter = Exporter::new(&snapshot, Some(&blobs));
    let traces = snapshot.traces_after(None, usize::MAX).unwrap();
    let asked: Vec<_> = traces.into_iter().map(|trace| (trace, ExportVerdicts::None)).collect();
    let by = |threads: usize| exporter.traces(&asked, threads.try_into().ok()).unwrap();
    let one = by(1);
    let written = |all: &[ExportedTrace]| -> Vec<(Option<String>, ExportTally)> {
        all.iter().map(|it| (it.message.as_ref().map(json_line), it.tally)).collect()
    };
    assert_eq!(written(&one), written(&by(3)));
    let mut tally = ExportTally::default();
    one.iter().for_each(|it| tally.add(&it.tally));
    (one.into_iter().filter_map(|it| it.message).collect(), tally)
}

fn lines(messages: &[TracesData]) -> String {
    messages.iter().map(json_line).collect()
}

/// Without what says nothing: OTLP has no difference between that and a default. Numbers that are texts stay texts.
fn pruned(value: &Value) -> Option<Value> {
    match value {
        Value::Object(members) => {
            let is_value = members.keys().any(|key| key.ends_with("Value"));
            let kept = members.iter().filter_map(|(name, value)| {
                let value = if is_value { Some(value.clone()) } else { pruned(value) };
                Some((name.clone(), value?))
            });
            let kept: serde_json::Map<String, Value> = kept.collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().map(|it| pruned(it).unwrap_or_else(|| json!({}))).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::String(text) if text.is_empty() || text == "0" => None,
        Value::Number(number) if number.as_f64() == Some(0.0) => None,
        Value::Null => None,
        other => Some(other.clone()),
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Every span with its resource and scope, by trace, in order; what begins with `proofline.` is left out on wish.
fn spans(text: &str, bare: bool) -> BTreeMap<String, Vec<Value>> {
    let is_ours = |it: &Value, name: &str| it[name].as_str().unwrap().starts_with("proofline.");
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in text.lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        for of_resource in list(&message, "resourceSpans") {
            for of_scope in list(of_resource, "scopeSpans") {
                for span in list(of_scope, "spans") {
                    let mut span = span.clone();
                    if bare {
                        for (member, name) in [("attributes", "key"), ("events", "name")] {
                            if let Some(items) = span[member].as_array_mut() {
                                items.retain(|it| !is_ours(it, name));
                            }
                        }
                    }
                    let whole = json!({
                        "resource": of_resource["resource"], "resourceUrl": of_resource["schemaUrl"],
                        "scope": of_scope["scope"], "scopeUrl": of_scope["schemaUrl"], "span": span,
                    });
                    let key = span["traceId"].as_str().unwrap().to_owned();
                    found.entry(key).or_default().push(pruned(&whole).unwrap());
                }
            }
        }
    }
    found
}

/// The attributes of a span that are ours, as plain values.
fn ours(span: &Value) -> BTreeMap<String, Value> {
    let plain = |value: &Value| -> Value {
        match value {
            Value::Object(members) if members.contains_key("arrayValue") => {
                let items = members["arrayValue"]["values"].as_array().cloned().unwrap_or_default();
                let item = |it: &Value| it.as_object().unwrap().values().next().unwrap().clone();
                Value::Array(items.iter().map(item).collect())
            }
            Value::Object(members) => members.values().next().unwrap().clone(),
            other => other.clone(),
        }
    };
    list(span, "attributes")
        .iter()
        .filter(|it| it["key"].as_str().unwrap().starts_with("proofline."))
        .map(|it| (it["key"].as_str().unwrap().to_owned(), plain(&it["value"])))
        .collect()
}

fn events<'a>(span: &'a Value, name: &str) -> Vec<&'a Value> {
    list(span, "events").iter().filter(|it| it["name"] == name).collect()
}

/// Imports, exports in both forms, and holds the spans against those that came.
fn goes_out_as_it_came(given: &str, order: &ImportOrder) -> ExportTally {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    import(home.path(), order, given);
    let (messages, tally) = export(home.path());
    let json = lines(&messages);
    let expected = spans(given, false);
    let found = spans(&json, true);
    for (trace, expected) in &expected {
        assert_eq!(&found[trace], expected);
    }
    assert_eq!(found.len(), expected.len());
    let protobuf: Vec<u8> = messages.iter().flat_map(protobuf_frame).collect();
    let mut rest = protobuf.as_slice();
    for message in &messages {
        let decoded = TracesData::decode_length_delimited(&mut rest).unwrap();
        assert_eq!(json_line(&decoded), json_line(message));
    }
    assert!(rest.is_empty());
    // Back into the same ledger: nothing is new, and only the account of another file is appended.
    let kept = entries(home.path());
    for form in [json.as_bytes(), protobuf.as_slice()] {
        let again = try_import(home.path(), order, form).unwrap();
        assert_eq!((again.new_spans, again.appended), (0, 1));
        assert_eq!(again.account.totals.refused.get(), 0);
    }
    assert_eq!(entries(home.path()).len(), kept.len() + 2);
    // Into another ledger: the same records.
    let other = tempfile::tempdir().unwrap();
    init(other.path());
    import(other.path(), order, &json);
    // Where pieces of a trace end depends on what comes before it, so their entries may differ.
    let records = |dir: &Path| {
        let is_record = |kind: EntryKind| matches!(kind, EntryKind::Accepted | EntryKind::Rejected);
        let all = entries(dir).into_iter().filter(|it| is_record(it.kind));
        let mut all: Vec<(u8, String)> = all.map(|it| (it.kind as u8, it.body)).collect();
        all.sort();
        all
    };
    assert!(records(other.path()) == records(home.path()), "an export gives the records that it was made of");
    tally
}

fn governed() -> ImportOrder {
    let rules: Value = serde_json::from_str(&vectors("desk-rules.json")).unwrap();
    by_rules(under(&vectors("desk.cedar")), &rules)
}

#[test]
fn spans_of_telemetry_go_out_as_they_came_and_come_back_as_known() {
    for name in ["desk.otlp.jsonl", "desk-older.otlp.jsonl"] {
        let tally = goes_out_as_it_came(&vectors(name), &governed());
        assert_eq!((tally.original, tally.spans), (24, 24));
        assert!(tally.denied > 0 && tally.refused == tally.denied);
    }
}

fn corpora() -> Option<PathBuf> {
    let folder = std::env::var_os("PROOFLINE_CORPORA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: PROOFLINE_CORPORA names no folder, so the recorded runs were not exported");
    }
    folder.map(|folder| folder.join("agent-runs"))
}

#[test]
fn recorded_runs_go_out_as_they_came() {
    let Some(corpora) = corpora() else { return };
    for (name, spans) in [("airline.otlp.jsonl", 3270), ("airline-older-style.otlp.jsonl", 0)] {
        let given = std::fs::read_to_string(corpora.join(name)).unwrap();
        let tally = goes_out_as_it_came(&given, &ImportOrder::recording().unwrap());
        assert_eq!(tally.original, tally.spans);
        assert!(tally.spans >= spans);
    }
}

/// All that a span can have, in the corners of each.
#[test]
fn odd_spans_go_out_as_they_came() {
    let mut odd = span(
        0,
        1,
        "chat \u{1b}[31m",
        &[
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.system_instructions", "[ {\"type\":\"text\",\"content\":\"spaced oddly\"}]"),
            text(
                "gen_ai.input.messages",
                r#"[{"role":"user","parts":[{"content":"caf\u00e9","type":"text"}]}]"#,
            ),
            text(
                "gen_ai.output.messages",
                r#"[{"role":"assistant","parts":[{"type":"tool_call","arguments":"{\"b\": 1}"}]}]"#,
            ),
            json!({"key": "nothing", "value": {}}),
            json!({"key": "double", "value": {"doubleValue": 0.1}}),
            json!({"key": "nan", "value": {"doubleValue": "NaN"}}),
            json!({"key": "bytes", "value": {"bytesValue": "AAEC"}}),
            json!({"key": "big", "value": {"intValue": "-9223372036854775808"}}),
            json!({"key": "list", "value": {"arrayValue": {"values": [{"stringValue": ""}, {"boolValue": false}]}}}),
            json!({"key": "map", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"intValue": "0"}}]}}}),
        ],
    );
    odd["traceState"] = json!("vendor=1");
    odd["flags"] = json!(257);
    odd["kind"] = json!(3);
    odd["status"] = json!({"code": 2, "message": "went wrong"});
    odd["droppedAttributesCount"] = json!(3);
    odd["droppedEventsCount"] = json!(4);
    odd["droppedLinksCount"] = json!(5);
    odd["events"] = json!([
        {"timeUnixNano": "17", "name": "exception", "droppedAttributesCount": 1, "attributes": [
            text("exception.message", "secret"), text("exception.stacktrace", "at line 1")]},
        {"name": "bare"},
    ]);
    odd["links"] = json!([{"traceId": trace(9), "spanId": id(9), "traceState": "x=1", "flags": 1,
        "attributes": [text("why", "because")]}]);
    let structured = span(
        0,
        2,
        "tool",
        &[
            text("gen_ai.operation.name", "execute_tool"),
            text("gen_ai.tool.name", "t"),
            json!({"key": "gen_ai.tool.call.arguments", "value": {"kvlistValue": {"values": [
            {"key": "a", "value": {"doubleValue": 1.5}}]}}}),
            text("gen_ai.tool.call.result", "{\"n\": 1.0}"),
        ],
    );
    let mut message = json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "odd")], "droppedAttributesCount": 2},
        "schemaUrl": "https://schema.example/1",
        "scopeSpans": [{"scope": {"name": "s", "version": "2", "attributes": [text("a", "b")]},
            "schemaUrl": "https://schema.example/2", "spans": [run(0, &[])[0], odd]},
            {"spans": [structured]}],
    }]});
    let given = message.to_string();
    let tally = goes_out_as_it_came(&given, &ImportOrder::recording().unwrap());
    assert_eq!((tally.original, tally.spans), (3, 3));
    // What telemetry names in our name goes out under another.
    let forged = &mut message["resourceSpans"][0]["scopeSpans"][1]["spans"][0]["attributes"];
    forged.as_array_mut().unwrap().push(text("proofline.verdict", "pass"));
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    import(home.path(), &ImportOrder::recording().unwrap(), &message.to_string());
    let (messages, tally) = export(home.path());
    assert_eq!((tally.original, tally.restated), (2, 1));
    let out = lines(&messages);
    assert!(out.contains("\"said.proofline.verdict\""));
    let spans = spans(&out, false);
    let forged = &spans[&trace(0)][2]["span"];
    assert!(!ours(forged).contains_key("proofline.verdict"));
    assert_eq!(ours(forged)["proofline.span.renamed"], json!(["proofline.verdict"]));
}

/// A span that says that it comes from an export is taken at its word only where the digest bears it out.
#[test]
fn nobody_hides_a_span_by_our_names() {
    let order = ImportOrder::recording().unwrap();
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let claims = [
        text("gen_ai.operation.name", "execute_tool"),
        text("gen_ai.tool.name", "refund"),
        text("proofline.span.from", "records"),
        text("proofline.span.sha256", &"0".repeat(64)),
    ];
    let imported = import(home.path(), &order, &message(&[span(0, 0, "a", &claims)]));
    assert_eq!(imported.account.totals.tool_calls.get(), 1);
    // With the right digest, but of no record of this ledger: telemetry all the same.
    let (messages, _) = export(home.path());
    let honest = lines(&messages).replace("\"telemetry\"", "\"records\"");
    let other = tempfile::tempdir().unwrap();
    init(other.path());
    assert_eq!(import(other.path(), &order, &honest).account.totals.tool_calls.get(), 1);
}

/// Only what an export adds comes off again: who puts more on a span has made another span of it, and nothing is lost.
#[test]
fn what_was_put_on_an_export_stays() {
    let order = ImportOrder::recording().unwrap();
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    import(home.path(), &order, &message(&run(0, &[("look", "{}")])));
    let (messages, _) = export(home.path());
    let honest = lines(&messages);
    let put = |member: &str, what: Value| -> String {
        let mut whole: Value = serde_json::from_str(&honest).unwrap();
        let span = &mut whole["resourceSpans"][0]["scopeSpans"][0]["spans"][2];
        match member {
            "first" => span["attributes"].as_array_mut().unwrap().insert(0, what),
            "in an event" => span["events"][0]["attributes"].as_array_mut().unwrap().push(what),
            "dropped" => span["events"][0]["droppedAttributesCount"] = what,
            member => span[member].as_array_mut().unwrap().push(what),
        }
        whole.to_string()
    };
    let taken = |text: &str| {
        let other = tempfile::tempdir().unwrap();
        init(other.path());
        import(other.path(), &order, text);
        let (messages, tally) = export(other.path());
        (lines(&messages), tally)
    };
    assert_eq!(taken(&honest).1.original, 3);
    for (member, what) in [
        ("attributes", text("proofline.note", "kept?")),
        ("attributes", text("proofline.replay.forensic.note", "kept?")),
        ("attributes", text("proofline.replay.other.result", "kept?")),
        ("attributes", text("proofline.", "kept?")),
        ("first", text("proofline.span.content", "kept?")),
        ("events", json!({"name": "proofline.custom", "attributes": [text("why", "kept?")]})),
        ("events", json!({"name": "proofline.call", "attributes": [text("why", "kept?")]})),
        ("in an event", text("proofline.call.note", "kept?")),
        ("dropped", json!(7)),
    ] {
        let (out, tally) = taken(&put(member, what.clone()));
        assert_eq!((tally.original, tally.restated), (2, 1), "{what}");
        assert!(member == "dropped" || out.contains("kept?"), "{what}");
        assert!(out.contains("\"said.proofline.span.sha256\""), "{what}");
    }
}

/// Whatever has attributes cannot speak in our name.
#[test]
fn nobody_speaks_in_our_name_in_any_place() {
    let forged = || vec![text("proofline.verdict", "pass")];
    let mut made = span(0, 0, "a", &forged());
    made["events"] = json!([{"name": "proofline.call", "attributes": forged()}]);
    made["links"] = json!([{"traceId": trace(9), "spanId": id(9), "attributes": forged()}]);
    let scope = json!({"name": "s", "attributes": forged()});
    let resource = json!({"attributes": forged()});
    let whole =
        json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": [made]}]}]});
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    import(home.path(), &ImportOrder::recording().unwrap(), &whole.to_string());
    let (messages, _) = export(home.path());
    let out = lines(&messages);
    assert_eq!(out.matches("\"said.proofline.verdict\"").count(), 5);
    // The one that is ours.
    assert_eq!(
        out.matches("{\"key\":\"proofline.verdict\",\"value\":{\"stringValue\":\"none\"}}").count(),
        1
    );
    assert_eq!(out.matches("\"key\":\"proofline.verdict\"").count(), 1);
    assert!(out.contains("\"name\":\"said.proofline.call\"") && !out.contains("\"name\":\"proofline.call\""));
}

#[test]
fn denied_calls_show() {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let imported = import(home.path(), &governed(), &vectors("desk.otlp.jsonl"));
    let (messages, tally) = export(home.path());
    let denied = imported.account.totals.denied.get();
    assert_eq!((tally.refused, tally.denied), (denied, denied));
    let text = lines(&messages);
    let mut shown = 0;
    for whole in spans(&text, false).into_values().flatten() {
        let (span, ours) = (&whole["span"], ours(&whole["span"]));
        if ours.get("proofline.decision") == Some(&json!("deny")) {
            shown += 1;
            assert_eq!(ours["proofline.refused"], true);
            assert_eq!(ours["proofline.refused.kind"], json!(["unauthorized.policy_denied"]));
            assert_eq!(
                (events(span, "proofline.refused").len(), events(span, "proofline.decision").len()),
                (1, 1)
            );
        }
    }
    assert_eq!(shown, denied);
    assert_eq!(count(&entries(home.path()), EntryKind::Rejected) as u64, denied);
}

/// Less kept, less out: nothing is made up, and each span says how much of it is there.
#[test]
fn what_was_not_kept_is_accounted_for() {
    for (capture, content) in [(Capture::Structural, "partial"), (Capture::Digest, "absent")] {
        let home = tempfile::tempdir().unwrap();
        init(home.path());
        let order = ImportOrder { capture, ..governed() };
        import(home.path(), &order, &vectors("desk.otlp.jsonl"));
        let (messages, tally) = export(home.path());
        assert_eq!((tally.original + tally.partial + tally.rows, tally.spans), (24, 24), "{capture}");
        assert!(tally.partial + tally.rows >= 19, "some spans have nothing to leave out: {tally:?}");
        let out = lines(&messages);
        assert!(!out.contains("came broken"));
        let expected = spans(&vectors("desk.otlp.jsonl"), false);
        for (trace, found) in spans(&out, false) {
            for (found, came) in found.iter().zip(&expected[&trace]) {
                let said = ours(&found["span"])["proofline.span.content"].clone();
                assert!(said == content || capture == Capture::Structural && said == "original");
                for member in
                    ["spanId", "parentSpanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano"]
                {
                    assert_eq!(found["span"][member], came["span"][member], "{member}");
                }
                assert_eq!(found["span"]["status"]["code"], came["span"]["status"]["code"]);
            }
        }
    }
}

/// Payloads that are gone: their attributes are left out and counted. A document that is gone leaves the rows.
#[test]
fn what_is_gone_is_accounted_for() {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    import(
        home.path(),
        &ImportOrder::recording().unwrap(),
        &message(&run(0, &[("look", r#"{"b":1,"a":2}"#)])),
    );
    let mut payloads = Vec::new();
    for folder in std::fs::read_dir(home.path().join("blobs")).unwrap() {
        let Ok(files) = std::fs::read_dir(folder.unwrap().path()) else { continue };
        payloads.extend(files.map(|it| it.unwrap().path()));
    }
    let holding = |what: &str| {
        let holds = |path: &&PathBuf| String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains(what);
        payloads.iter().find(holds).unwrap().clone()
    };
    let (request, document) = (holding("proofline.otel.tool_request"), holding("proofline.otel.spans"));
    std::fs::remove_file(&request).unwrap();
    let (messages, tally) = export(home.path());
    assert_eq!(
        (tally.original, tally.partial, tally.missing_payloads, tally.missing_attributes),
        (2, 1, 1, 1)
    );
    let tool = spans(&lines(&messages), false)[&trace(0)][2]["span"].clone();
    assert_eq!(ours(&tool)["proofline.span.missing"], json!(["gen_ai.tool.call.arguments"]));
    std::fs::write(&document, b"{}").unwrap();
    let (messages, tally) = export(home.path());
    assert_eq!((tally.rows, tally.damaged_payloads, tally.spans), (3, 1, 3));
    let rows = spans(&lines(&messages), false)[&trace(0)].clone();
    assert_eq!(rows[2]["span"]["name"], "a tool");
    assert_eq!(rows[2]["span"]["parentSpanId"], json!(id(0)));
}

/// However little may wait to be taken, what comes is the same, in the same order; and no trace is begun before what
/// waits was taken, where one thread works.
#[test]
fn traces_come_in_order_whatever_may_wait() {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    import(home.path(), &governed(), &vectors("desk.otlp.jsonl"));
    import(home.path(), &governed(), &vectors("desk-older.otlp.jsonl"));
    let (snapshot, blobs) = (Snapshot::open(home.path()).unwrap(), Blobs::open(home.path()).unwrap());
    let exporter = Exporter::new(&snapshot, Some(&blobs));
    let mut traces = snapshot.traces_after(None, usize::MAX).unwrap();
    // One without a span among them.
    traces.insert(3, trace(77).parse().unwrap());
    let asked: Vec<_> = traces.into_iter().map(|trace| (trace, ExportVerdicts::None)).collect();
    let all = exporter.traces(&asked, None).unwrap();
    let expected: Vec<_> = all.iter().map(|it| (it.message.as_ref().map(protobuf_frame), it.tally)).collect();
    assert_eq!((expected.len(), expected.iter().filter(|it| it.0.is_none()).count()), (9, 1));
    let longest = expected.iter().filter_map(|it| it.0.as_ref()).map(Vec::len).max().unwrap();
    for (threads, most_bytes) in [1, 3]
        .into_iter()
        .flat_map(|threads| [1, 100, longest, 2 * longest, usize::MAX].map(|it| (threads, it)))
    {
        let (waiting, most_waiting) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let write = |message: &TracesData| {
            let bytes = protobuf_frame(message);
            let now = waiting.fetch_add(bytes.len(), Ordering::SeqCst) + bytes.len();
            most_waiting.fetch_max(now, Ordering::SeqCst);
            bytes
        };
        let together =
            Together { threads: NonZeroUsize::new(threads), most_bytes: most_bytes.try_into().unwrap() };
        let mut found = Vec::new();
        exporter
            .each::<ExportError>(&asked, together, &write, &mut |it| {
                waiting.fetch_sub(it.message.as_ref().map_or(0, Vec::len), Ordering::SeqCst);
                found.push((it.message, it.tally));
                Ok(())
            })
            .unwrap();
        assert!(found == expected, "{threads} threads, {most_bytes} bytes");
        // What waits is below the bound when a trace is begun, and each thread may begin one.
        let most = most_bytes.saturating_add(threads * longest);
        assert!(most_waiting.into_inner() < most, "{threads} threads, {most_bytes} bytes");
    }
    // Who takes may stop, and is given nothing more.
    let mut taken = 0;
    let together = Together { threads: None, most_bytes: NonZeroUsize::MAX };
    let stopped = exporter.each(&asked, together, &protobuf_frame, &mut |_| {
        taken += 1;
        if taken == 2 { Err(ExportError::Threads("enough".to_owned())) } else { Ok(()) }
    });
    assert!(stopped.is_err() && taken == 2);
}
