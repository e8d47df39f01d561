//! Telemetry made by hand, and ledgers to import it into.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::io::Cursor;
use std::path::Path;

use proofline_ledger::{Blobs, EntryKind, Genesis, Ledger, Options, Seq, Snapshot};
use proofline_otel::read::ReadOptions;
use proofline_otel::{ImportFileError, ImportOrder, ImportRules, Imported, import_file};
use proofline_policy::{CedarEngine, NamedPolicy};
use proofline_trace::{LedgerId, Origin, Token};
use serde_json::{Value, json};

/// The clock of every import.
pub const NOW_MS: u64 = 1_790_000_000_000;
/// When the first span begins.
pub const START_NANOS: u64 = 1_727_740_800_000_000_000;

/// The trace of this number.
pub fn trace(number: u64) -> String {
    format!("{:032x}", number + 1)
}

/// A span id.
pub fn id(number: u64) -> String {
    format!("{:016x}", number + 1)
}

/// An attribute that is a text.
pub fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// A span of a second, the `number`th of its trace, below span 0 unless it is that.
pub fn span(trace_number: u64, number: u64, name: &str, attributes: &[Value]) -> Value {
    let start = START_NANOS + number * 1_000_000_000;
    let mut span = json!({
        "traceId": trace(trace_number), "spanId": id(number), "name": name, "kind": 1,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 900_000_000).to_string(),
        "attributes": attributes,
    });
    if number > 0 {
        span["parentSpanId"] = json!(id(0));
    }
    span
}

/// A run of an agent: the agent's span, a chat, and the tools of these names with their arguments.
pub fn run(trace_number: u64, tools: &[(&str, &str)]) -> Vec<Value> {
    let agent = span(trace_number, 0, "invoke_agent desk", &[text("gen_ai.operation.name", "invoke_agent")]);
    let chat = [
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o"),
        text(
            "gen_ai.input.messages",
            &format!(r#"[{{"role":"user","parts":[{{"type":"text","content":"run {trace_number}"}}]}}]"#),
        ),
        text("gen_ai.output.messages", r#"[{"role":"assistant","parts":[],"finish_reason":"tool_call"}]"#),
    ];
    let mut spans = vec![agent, span(trace_number, 1, "chat gpt-4o", &chat)];
    for (number, (tool, arguments)) in (2..).zip(tools) {
        spans.push(span(
            trace_number,
            number,
            "a tool",
            &[
                text("gen_ai.operation.name", "execute_tool"),
                text("gen_ai.tool.name", tool),
                text("gen_ai.tool.type", "function"),
                text("gen_ai.tool.call.arguments", arguments),
                text("gen_ai.tool.call.result", "done"),
            ],
        ));
    }
    spans
}

/// One OTLP message with these spans.
pub fn message(spans: &[Value]) -> String {
    json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "desk"), text("deployment.environment.name", "test")]},
        "scopeSpans": [{"scope": {"name": "made"}, "spans": spans}]
    }]})
    .to_string()
}

/// Several messages, one a line.
pub fn lines(messages: &[Vec<Value>]) -> String {
    messages.iter().map(|spans| message(spans) + "\n").collect()
}

/// A new ledger.
pub fn init(dir: &Path) {
    let origin = Origin::new("ledger.example/otel").unwrap();
    let genesis = Genesis { ledger_id: LedgerId::from_bytes([7; 16]), origin, created_at_ms: NOW_MS };
    Ledger::init(dir, &genesis).unwrap();
}

/// An order under a policy.
pub fn under(policy: &str) -> ImportOrder {
    let policy = NamedPolicy::load(&CedarEngine, Token::of_name("desk"), None, policy.as_bytes()).unwrap();
    ImportOrder::under(policy)
}

/// An order with rules.
pub fn by_rules(mut order: ImportOrder, rules: &Value) -> ImportOrder {
    order.rules = Some(ImportRules::read(rules.to_string().as_bytes()).unwrap());
    order
}

/// Imports a text into the ledger of a folder.
pub fn import(dir: &Path, order: &ImportOrder, text: &str) -> Imported {
    try_import(dir, order, text.as_bytes()).unwrap()
}

/// The same, of bytes that may be no telemetry.
pub fn try_import(dir: &Path, order: &ImportOrder, bytes: &[u8]) -> Result<Imported, ImportFileError> {
    let (ledger, blobs) = (Ledger::open(dir, Options::default()).unwrap(), Blobs::open(dir).unwrap());
    let options = ReadOptions::default();
    import_file(&ledger, &blobs, order, &mut Cursor::new(bytes), &options, &mut || NOW_MS, &mut |_| {})
}

/// An entry as tests compare it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub kind: EntryKind,
    pub header: Vec<u8>,
    pub body: String,
}

/// Every entry of a ledger.
pub fn entries(dir: &Path) -> Vec<Kept> {
    let snapshot = Snapshot::open(dir).unwrap();
    let kept = |seq| {
        let entry = snapshot.entry(Seq::new(seq)).unwrap().unwrap();
        let body = String::from_utf8(entry.body).unwrap();
        Kept { kind: entry.header.status.kind(), header: entry.header_bytes, body }
    };
    (0..snapshot.entries()).map(kept).collect()
}

/// How many entries are of this kind.
pub fn count(entries: &[Kept], kind: EntryKind) -> usize {
    entries.iter().filter(|entry| entry.kind == kind).count()
}
