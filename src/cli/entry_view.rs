//! Entries as they are shown: the fields of a header, the body in lines, and what to say where the log is damaged.

use proofline::canon::{Limits, Value, hex, parse};
use proofline::ledger::header::DeclaredHash;
use proofline::ledger::{Entry, EntryStatus, Seq, Snapshot};
use serde::Serialize;
use serde_json::value::RawValue;

use super::clock::moment;
use super::error::{CliError, place_of};
use super::exit::Exit;
use super::gone::GonePayload;
use super::output::{Format, Out, tell};
use super::phrase::counted;
use super::safe::{safe, safe_cut};

/// The longest string of a body that is shown whole.
const SHOWN_CHARS: usize = 2000;

/// An entry as JSON shows it.
#[derive(Serialize)]
pub(crate) struct EntryLine {
    seq: u64,
    kind: &'static str,
    envelope_hash: String,
    leaf_hash: String,
    previous_leaf_hash: Option<String>,
    trace_id: Option<String>,
    trace_previous_seq: Option<u64>,
    trace_count: u64,
    classification: Option<String>,
    error_kind: Option<String>,
    declared_hash: Option<DeclaredLine>,
    recorded_at_ms: u64,
    file: Option<String>,
    offset: Option<u64>,
    body_bytes: usize,
    payloads_gone: Vec<GonePayload>,
    body: Option<Box<RawValue>>,
}

/// A declared hash as JSON shows it: as it was given, or what the header keeps of a long one.
#[derive(Serialize)]
#[serde(untagged)]
enum DeclaredLine {
    Text(String),
    Long { first_bytes_hex: String, length: u64, sha256: String },
}

impl EntryLine {
    /// The fields of an entry and where it lies.
    pub(crate) fn of(
        entry: &Entry,
        place: Option<(String, Option<u64>)>,
        payloads_gone: Vec<GonePayload>,
    ) -> Self {
        let header = &entry.header;
        let (classification, error_kind, declared_hash) = match &header.status {
            EntryStatus::Accepted => (Some("ACCEPT".to_owned()), None, None),
            EntryStatus::Rejected { classification, error_kind, declared_hash } => {
                (Some(classification.to_string()), Some(error_kind.to_string()), declared_line(declared_hash))
            }
            _ => (None, None, None),
        };
        let (file, offset) = place.map_or((None, None), |(file, offset)| (Some(file), offset));
        Self {
            seq: header.seq.get(),
            kind: header.status.kind().as_str(),
            envelope_hash: header.envelope_hash.to_string(),
            leaf_hash: entry.leaf_hash().to_string(),
            previous_leaf_hash: header.previous_leaf.map(|leaf| leaf.to_string()),
            trace_id: header.trace.map(|link| link.trace_id.to_string()),
            trace_previous_seq: header.trace.and_then(|link| link.previous).map(Seq::get),
            trace_count: header.trace.map_or(0, |link| link.count),
            classification,
            error_kind,
            declared_hash,
            recorded_at_ms: header.recorded_at_ms,
            file,
            offset,
            body_bytes: entry.body.len(),
            payloads_gone,
            body: body_json(&entry.body),
        }
    }
}

fn declared_line(declared: &DeclaredHash) -> Option<DeclaredLine> {
    match declared {
        DeclaredHash::Absent => None,
        DeclaredHash::Text(text) => Some(DeclaredLine::Text(text.clone())),
        DeclaredHash::Long { head, length, sha256 } => Some(DeclaredLine::Long {
            first_bytes_hex: hex(head.as_slice()),
            length: *length,
            sha256: sha256.to_string(),
        }),
    }
}

/// A body that is strict JSON, as it lies there.
pub(crate) fn body_json(body: &[u8]) -> Option<Box<RawValue>> {
    body_value(body)?;
    RawValue::from_string(String::from_utf8(body.to_vec()).ok()?).ok()
}

fn body_value(body: &[u8]) -> Option<Value> {
    parse(body, &Limits::CONTENT).ok()
}

/// Prints an entry as text.
pub(crate) fn show_entry(
    out: &mut Out,
    entry: &Entry,
    place: Option<(String, Option<u64>)>,
    payloads_gone: Vec<GonePayload>,
) -> Result<(), CliError> {
    let line = EntryLine::of(entry, place, payloads_gone);
    let title = format!("entry {}, {}", line.seq, line.kind);
    let title = out.paint().strong(&title);
    out.line(title)?;
    let mut facts = vec![("envelope hash", line.envelope_hash), ("leaf hash", line.leaf_hash)];
    facts.extend(line.previous_leaf_hash.map(|leaf| ("previous leaf", leaf)));
    facts.extend(line.trace_id.map(|trace| ("trace", trace)));
    if line.trace_count > 0 {
        let after = line.trace_previous_seq.map(|seq| format!(", after entry {seq}")).unwrap_or_default();
        facts.push(("in its trace", format!("number {}{after}", line.trace_count)));
    }
    facts.extend(line.classification.map(|class| ("answer", class)));
    facts.extend(line.error_kind.map(|kind| ("error kind", kind)));
    if let EntryStatus::Rejected { declared_hash, .. } = &entry.header.status {
        facts.push(("declared hash", declared_text(declared_hash)));
    }
    facts.push(("recorded at", time_text(line.recorded_at_ms)));
    if let Some(file) = line.file {
        let offset = line.offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default();
        facts.push(("lies in", format!("{file}{offset}")));
    }
    facts.extend(line.payloads_gone.iter().map(|gone| (gone.member, gone.says())));
    facts.push(("body", format!("{} bytes", line.body_bytes)));
    for (name, fact) in facts {
        out.line(format_args!("  {name:<14} {}", safe(&fact)))?;
    }
    match body_value(&entry.body) {
        Some(value) => {
            let mut text = String::from("  ");
            pretty(&value, 1, &mut text);
            out.line(text)
        }
        None => out.line("  the body is no JSON; `--format json` and the log have its bytes"),
    }
}

fn declared_text(declared: &DeclaredHash) -> String {
    match declared {
        DeclaredHash::Absent => "none".to_owned(),
        DeclaredHash::Text(text) => format!("\"{text}\""),
        DeclaredHash::Long { head, length, sha256 } => {
            let head = String::from_utf8_lossy(head.as_slice());
            format!("\"{}… ({length} bytes, SHA-256 {sha256})", safe_cut(&head, 40))
        }
    }
}

/// Unix milliseconds for people: the date and time where there is one, and the number.
pub(crate) fn time_text(unix_ms: u64) -> String {
    match moment(unix_ms) {
        Some(moment) => format!("{moment} ({unix_ms})"),
        None => format!("{unix_ms} ms after 1970, beyond year 9999"),
    }
}

/// A value in lines, indented by two spaces a level, safe to print.
fn pretty(value: &Value, level: usize, text: &mut String) {
    match value {
        Value::Object(object) if object.is_empty() => text.push_str("{}"),
        Value::Array(items) if items.is_empty() => text.push_str("[]"),
        Value::Object(object) => {
            let members = object.iter().map(|(name, value)| (Some(name), value));
            block(members, ('{', '}'), level, text);
        }
        Value::Array(items) => block(items.iter().map(|item| (None, item)), ('[', ']'), level, text),
        scalar => text.push_str(&scalar_text(scalar)),
    }
}

fn block<'a>(
    parts: impl ExactSizeIterator<Item = (Option<&'a str>, &'a Value)>,
    (open, close): (char, char),
    level: usize,
    text: &mut String,
) {
    let count = parts.len();
    text.push(open);
    for (index, (name, value)) in parts.enumerate() {
        text.push('\n');
        text.push_str(&"  ".repeat(level + 1));
        if let Some(name) = name {
            text.push_str(&quoted(name));
            text.push_str(": ");
        }
        pretty(value, level + 1, text);
        if index + 1 < count {
            text.push(',');
        }
    }
    text.push('\n');
    text.push_str(&"  ".repeat(level));
    text.push(close);
}

fn scalar_text(value: &Value) -> String {
    match value {
        Value::String(string) => quoted(string),
        Value::Number(number) => safe_cut(number.literal(), SHOWN_CHARS),
        Value::Bool(flag) => flag.to_string(),
        _ => "null".to_owned(),
    }
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", safe_cut(&escaped, SHOWN_CHARS))
}

/// Says once that the log is damaged, where opening it came upon that; what was shown may then be incomplete.
pub(crate) fn warn_of_damage(format: Format, snapshot: &Snapshot) -> Exit {
    let Some(first) = snapshot.damage().first() else { return Exit::Ok };
    let message = format!(
        "the log is damaged in {}, so what is shown may be incomplete: {}",
        counted(snapshot.damage().len() as u64, "place", "places"),
        first.message
    );
    let hint = "run `proofline verify` to see all damage";
    tell(format, "error", first.code, &message, Some(&place_of(first)), Some(hint));
    Exit::DamagedLedger
}
