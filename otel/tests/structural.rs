//! Where less is asked for than all, nothing that anybody said is kept, wherever in a span it was said and whatever the
//! attribute was called: the list of what is plain is one of names, and not of prefixes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod made;

use std::path::Path;

use made::{id, import, init, span, text, trace};
use proofline_ledger::{Blobs, Snapshot};
use proofline_otel::write::json_line;
use proofline_otel::{ExportVerdicts, Exporter, ImportOrder};
use proofline_trace::Capture;
use serde_json::{Value, json};

const SECRET: &str = "the patient is ill";

/// Attributes that emitters use and no convention has, below each prefix that conventions use, and some that they have
/// for texts.
const SAYING: [&str; 18] = [
    "gen_ai.request.messages",
    "gen_ai.request.stop_sequences",
    "gen_ai.openai.request.prompt",
    "openai.request.input",
    "gen_ai.response.text",
    "gen_ai.whatever",
    "gen_ai.conversation.id",
    "gen_ai.agent.description",
    "gen_ai.tool.description",
    "gen_ai.prompt.name",
    "mcp.method.arguments",
    "mcp.protocol.body",
    "server.answer",
    "service.note",
    "telemetry.note",
    "network.body",
    "own.name",
    "proofline.note",
];

fn said() -> Vec<Value> {
    let deep = json!({"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": SECRET}}]}});
    let deep = ["gen_ai.request.deep", "gen_ai.deep"].map(|key| json!({"key": key, "value": deep}));
    SAYING.iter().map(|key| text(key, SECRET)).chain(deep).collect()
}

/// A model's call and a tool's, which say it everywhere that a span can.
fn message() -> String {
    let places = |mut made: Value| {
        made["events"] = json!([{"timeUnixNano": "5", "name": "mine", "attributes": said()}]);
        made["links"] = json!([{"traceId": trace(9), "spanId": id(9), "attributes": said()}]);
        made["status"] = json!({"code": 2, "message": SECRET});
        made
    };
    let chat = [
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.request.model", "m-1"),
        text("gen_ai.system", "p"),
    ];
    let measures = [json!({"key": "gen_ai.request.temperature", "value": {"doubleValue": 0.25}})];
    let tool = [text("gen_ai.operation.name", "execute_tool"), text("gen_ai.tool.name", "look_up")];
    let spans = [
        places(span(0, 0, "chat", &[&chat[..], &measures, &said()].concat())),
        places(span(0, 1, "tool", &[&tool[..], &said()].concat())),
    ];
    let scope = json!({"name": "s", "attributes": said()});
    let of_resource = [&[text("service.name", "desk")], &said()[..]].concat();
    json!({"resourceSpans": [{
        "resource": {"attributes": of_resource},
        "scopeSpans": [{"scope": scope, "spans": spans}],
    }]})
    .to_string()
}

/// All that a folder holds.
fn bytes_of(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&bytes_of(&path));
        } else {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap()));
        }
    }
    text
}

#[test]
fn nothing_that_was_said_is_kept_below_full() {
    for (capture, is_kept, is_named) in
        [(Capture::Full, true, true), (Capture::Structural, false, true), (Capture::Digest, false, false)]
    {
        let home = tempfile::tempdir().unwrap();
        init(home.path());
        let order = ImportOrder { capture, ..ImportOrder::recording().unwrap() };
        let imported = import(home.path(), &order, &message());
        assert_eq!(imported.account.totals.refused.get() + imported.account.totals.unreadable.get(), 0);
        let kept = bytes_of(home.path());
        assert_eq!(kept.contains(SECRET), is_kept, "{capture}");
        // What names and measures is there, in the document and among the parameters of the request.
        for named in [
            r#"{"key":"gen_ai.request.temperature","value":{"doubleValue":0.25}}"#,
            r#"{"key":"service.name","value":{"stringValue":"desk"}}"#,
            r#""gen_ai.request.temperature":0.25"#,
        ] {
            assert_eq!(kept.contains(named), is_named, "{capture}: {named}");
        }
    }
}

/// What is told by digest is left out and named, that of links too.
#[test]
fn what_is_told_by_digest_goes_out_by_name_alone() {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let order = ImportOrder { capture: Capture::Structural, ..ImportOrder::recording().unwrap() };
    import(home.path(), &order, &message());
    let (snapshot, blobs) = (Snapshot::open(home.path()).unwrap(), Blobs::open(home.path()).unwrap());
    let exporter = Exporter::new(&snapshot, Some(&blobs));
    let exported = exporter.trace(trace(0).parse().unwrap(), &ExportVerdicts::None).unwrap();
    // In each of span, event, link, resource and scope; and the message of the status.
    let of_each = (said().len() * 5 + 1) as u64;
    assert_eq!((exported.tally.partial, exported.tally.missing_attributes), (2, 2 * of_each));
    let line = json_line(&exported.message.unwrap());
    assert!(!line.contains(SECRET) && !line.contains("sha256\":{") && line.contains("gen_ai.request.model"));
}
