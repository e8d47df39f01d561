//! Walk a ledger and print its traces as trees: who acted, what policy said, which calls followed.
//!
//! ```sh
//! cargo run --example walk             # over the evidence that ships with the project
//! cargo run --example walk -- FOLDER   # over a ledger of your own
//! ```
#![allow(clippy::print_stdout, reason = "an example prints")]

mod shipped;

use std::error::Error;
use std::path::PathBuf;

use proofline::canon::Limits;
use proofline::ledger::{Entry, EntryStatus, Seq, Snapshot};
use proofline::trace::{DrawnSpan, Envelope, SealedEnvelope, SpanRecord, SpanTree, TraceId, read_envelope};

/// How many traces one look at the index brings.
const PAGE: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let dir = match std::env::args_os().nth(1) {
        Some(dir) => PathBuf::from(dir),
        None => shipped::ledger(&temporary.path().join("ledger"), &["agent-work.jsonl"])?,
    };
    let snapshot = Snapshot::open(&dir)?;
    let mut after = None;
    loop {
        let traces = snapshot.traces_after(after, PAGE)?;
        let Some(last) = traces.last().copied() else { break };
        for trace in traces {
            print_trace(&snapshot, trace)?;
        }
        after = Some(last);
    }
    Ok(())
}

fn print_trace(snapshot: &Snapshot, trace: TraceId) -> Result<(), Box<dyn Error>> {
    println!("trace {trace}");
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    for seq in snapshot.of_trace(trace)? {
        let Some(entry) = snapshot.entry(seq)? else { continue };
        match &entry.header.status {
            EntryStatus::Accepted => accepted.push((seq, read(&entry)?)),
            EntryStatus::Rejected { error_kind, .. } => refused.push(format!("entry {seq}: {error_kind}")),
            _ => {}
        }
    }
    let tree = SpanTree::build(accepted.iter().map(|(seq, sealed)| SpanRecord::of(sealed, seq.get())));
    for drawn in tree.walk() {
        print_span(&drawn, &accepted);
    }
    for anomaly in tree.anomalies() {
        println!("  ! {anomaly}");
    }
    for attempt in refused {
        println!("  x refused, {attempt}");
    }
    Ok(())
}

fn print_span(drawn: &DrawnSpan<'_>, accepted: &[(Seq, SealedEnvelope)]) {
    let indent = "  ".repeat(drawn.depth + 1);
    for record in drawn.span.records() {
        let place = accepted.binary_search_by_key(&record.position, |(seq, _)| seq.get());
        if let Some((seq, sealed)) = place.ok().and_then(|at| accepted.get(at)) {
            println!("{indent}{} (entry {seq})", describe(sealed.envelope()));
        }
    }
}

fn describe(envelope: &Envelope) -> String {
    match envelope {
        Envelope::AuthContext(record) => format!("{} {}", record.actor.actor_kind, record.actor.actor_id),
        Envelope::PolicyDecision(record) => {
            format!("{} {} on {}", record.decision.result, record.request.action, record.request.resource)
        }
        Envelope::ModelCall(record) => {
            format!("model {}/{}: {}", record.model.provider, record.model.model, record.outcome.status)
        }
        Envelope::ToolCall(record) => {
            format!("tool {}/{}: {}", record.tool.adapter_id, record.tool.tool_name, record.outcome.status)
        }
    }
}

fn read(entry: &Entry) -> Result<SealedEnvelope, Box<dyn Error>> {
    Ok(read_envelope(&entry.body, &Limits::ENVELOPE)?)
}
