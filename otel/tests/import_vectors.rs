//! The golden files of imports: what each span becomes, what its payloads are, and what the policy denies, computed
//! elsewhere from docs/otel.md.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod made;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use made::{by_rules, entries, import, init, try_import, under};
use proofline_ledger::{ArtifactKind, EntryKind};
use proofline_otel::opentelemetry_proto::tonic::trace::v1::TracesData;
use proofline_otel::read::{Item, ReadOptions, read as read_spans};
use proofline_otel::write::protobuf_frame;
use proofline_otel::{ImportOrder, Imported};
use proofline_trace::{Became, Capture, ImportedSpan};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/otel")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

fn expected(name: &str) -> Value {
    serde_json::from_str::<Value>(&read("expected.json")).unwrap()[name].clone()
}

fn order() -> ImportOrder {
    let rules: Value = serde_json::from_str(&read("desk-rules.json")).unwrap();
    by_rules(under(&read("desk.cedar")), &rules)
}

/// The bodies of calls, by their envelope hashes.
fn calls(dir: &Path) -> BTreeMap<String, (EntryKind, Value)> {
    let evidence = entries(dir)
        .into_iter()
        .filter(|it| it.kind == EntryKind::Accepted || it.kind == EntryKind::Rejected);
    let named = evidence.map(|it| {
        let hash = proofline_canon::Sha256Digest::of(it.body.as_bytes()).to_string();
        (hash, (it.kind, serde_json::from_str(&it.body).unwrap()))
    });
    named.collect()
}

/// What became of each span, by its trace and id.
fn rows(dir: &Path) -> BTreeMap<(String, String), ImportedSpan> {
    let mut rows = BTreeMap::new();
    for entry in entries(dir).iter().filter(|it| it.kind == EntryKind::Artifact) {
        if let Ok(ArtifactKind::OtelImport(import)) = ArtifactKind::read(entry.body.as_bytes()) {
            for span in import.spans {
                rows.insert((import.target_trace_id.to_string(), span.span_id.to_string()), span);
            }
        }
    }
    rows
}

fn check(name: &str, imported: &Imported, dir: &Path) {
    let expected = expected(name);
    let totals = &imported.account.totals;
    let counts = [totals.spans, totals.model_calls, totals.tool_calls, totals.shapes, totals.denied]
        .map(|it| it.get());
    let named =
        ["spans", "model_call", "tool_call", "shape", "denied"].map(|it| expected[it].as_u64().unwrap());
    assert_eq!(counts, named);
    let (calls, rows) = (calls(dir), rows(dir));
    let each = expected["each"].as_array().unwrap();
    assert_eq!(rows.len(), each.len());
    for one in each {
        let key = |name: &str| one[name].as_str().unwrap().to_owned();
        let row = &rows[&(key("trace_id"), key("span_id"))];
        assert_eq!(row.content_sha256.to_string(), key("content_sha256"), "{one}");
        if key("became") == "shape" {
            assert_eq!(row.became, Became::Shape);
            continue;
        }
        let (kind, call) = &calls[&row.call.unwrap().record_sha256.to_string()];
        assert_eq!(call["record_type"], one["became"]);
        assert_eq!(call["trace"]["span_id"], one["span_id"]);
        assert_eq!(call["request"]["sha256"], one["request_sha256"], "{one}");
        assert_eq!(call["response"]["sha256"], one["response_sha256"], "{one}");
        assert_eq!(*kind == EntryKind::Rejected, one["denied"] == true, "{one}");
        assert_eq!(call.get("usage").is_some(), one["usage"] == true);
    }
}

#[test]
fn golden_spans_become_what_they_should() {
    for name in ["desk", "desk-older"] {
        let home = tempfile::tempdir().unwrap();
        init(home.path());
        let imported = import(home.path(), &order(), &read(&format!("{name}.otlp.jsonl")));
        check(name, &imported, home.path());
        let reasons: Vec<&str> = imported.reasons.iter().map(|it| it.what.as_str()).collect();
        assert_eq!(reasons, ["no-cancelling", "refund-limit"]);
    }
}

/// Every kind of value, and what says nothing in each way of saying it, from JSON and from protobuf.
#[test]
fn spans_are_known_by_what_they_say() {
    let text = read("forms.otlp.jsonl");
    let mut protobuf = Vec::new();
    read_spans(&mut Cursor::new(&text), &ReadOptions::default(), &mut |item| {
        let Item::Batch(batch) = item else { panic!("{item:?}") };
        protobuf.extend(protobuf_frame(&TracesData::from(&batch)));
        Ok::<(), Infallible>(())
    })
    .unwrap();
    let expected = expected("forms");
    let each = expected["each"].as_array().unwrap();
    for bytes in [text.as_bytes(), &protobuf] {
        let home = tempfile::tempdir().unwrap();
        init(home.path());
        let imported = try_import(home.path(), &ImportOrder::recording().unwrap(), bytes).unwrap();
        assert_eq!(imported.account.totals.spans.get(), each.len() as u64);
        let rows = rows(home.path());
        for one in each {
            let key = |name: &str| one[name].as_str().unwrap().to_owned();
            let row = &rows[&(key("trace_id"), key("span_id"))];
            assert_eq!(row.content_sha256.to_string(), key("content_sha256"), "{one}");
        }
    }
}

#[test]
fn a_policy_sees_no_amount_without_rules() {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let imported = import(home.path(), &under(&read("desk.cedar")), &read("desk.otlp.jsonl"));
    // It denies what it cannot see: three refunds, and the cancelling.
    assert_eq!(imported.account.totals.denied.get(), 4);
}

#[test]
fn less_is_kept_where_less_is_asked_for() {
    let size = |capture: Capture| {
        let home = tempfile::tempdir().unwrap();
        init(home.path());
        let order = ImportOrder { capture, ..order() };
        let imported = import(home.path(), &order, &read("desk.otlp.jsonl"));
        let folder = home.path().join("blobs");
        let mut text = String::new();
        for entry in walk(&folder) {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(entry).unwrap()));
        }
        (imported.account.totals.payload_bytes.get(), text)
    };
    let (full, structural, digest) = (size(Capture::Full), size(Capture::Structural), size(Capture::Digest));
    for said in ["came broken", "on its way", "Never promise", "a-17"] {
        assert!(full.1.contains(said), "{said}");
        assert!(!structural.1.contains(said), "{said}");
        assert!(!digest.1.contains(said), "{said}");
    }
    for named in ["tool_call_response", "look_up", "gpt-4o-2024-08-06", "\"role\":\"assistant\""] {
        assert_eq!(full.1.contains(named), structural.1.contains(named), "{named}");
    }
    assert!(!digest.1.contains("assistant"));
    assert!(digest.0 < structural.0);
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}
