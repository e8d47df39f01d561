//! Many spans, in many traces and in one: all are accounted for, and memory does not grow with them. A few thousand
//! where nothing is said; `PROOFLINE_EFFORT=full` imports a million of each.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests fail by panicking"
)]

mod made;

use std::io::Read;

use made::{NOW_MS, init};
use proofline_ledger::{Blobs, Ledger, Options};
use proofline_otel::generate::{MESSAGE_SPANS, Telemetry, TelemetryPlan};
use proofline_otel::read::ReadOptions;
use proofline_otel::{ImportOrder, Imported, import_file};
use proofline_trace::Capture;

/// Spans of an import.
fn amount() -> u64 {
    match std::env::var("PROOFLINE_EFFORT").as_deref() {
        Ok("full") => 1_000_020,
        Ok("ci") | Err(_) => 9_000,
        Ok(other) => panic!("PROOFLINE_EFFORT is ci or full, not {other}"),
    }
}

/// The most memory that the process ever had, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// Imports, and says by how much the peak of memory grew behind the first quarter.
fn import(plan: TelemetryPlan, capture: Capture) -> (Imported, u64) {
    let home = tempfile::tempdir().unwrap();
    init(home.path());
    let (ledger, blobs) =
        (Ledger::open(home.path(), Options::default()).unwrap(), Blobs::open(home.path()).unwrap());
    let order = ImportOrder { capture, ..ImportOrder::recording().unwrap() };
    let mut input = Telemetry::new(plan);
    let mut first_quarter = None;
    let mut watch = |spans: u64| {
        if spans >= plan.spans / 4 && first_quarter.is_none() {
            first_quarter = peak_bytes();
        }
    };
    let options = ReadOptions::default();
    let imported =
        import_file(&ledger, &blobs, &order, &mut input, &options, &mut || NOW_MS, &mut watch).unwrap();
    let grew = peak_bytes().zip(first_quarter).map_or(0, |(last, first)| last - first);
    (imported, grew)
}

fn check(plan: TelemetryPlan, imported: &Imported) {
    let totals = &imported.account.totals;
    assert_eq!(totals.spans.get(), plan.spans);
    assert_eq!(totals.messages.get(), plan.spans / MESSAGE_SPANS);
    let third = plan.spans / 3;
    assert_eq!([totals.model_calls.get(), totals.tool_calls.get(), totals.shapes.get()], [third; 3]);
    assert_eq!((totals.refused.get(), totals.unreadable.get()), (0, 0));
    assert_eq!(imported.new_spans, plan.spans);
}

/// One test, so that no other has memory of the process meanwhile.
#[test]
fn many_spans_are_imported_in_bounded_memory() {
    let spans = amount();
    let plan = TelemetryPlan { spans, trace_spans: 300, contents: 500, text_bytes: 0 };
    let (imported, grew) = import(plan, Capture::Structural);
    check(plan, &imported);
    // A context a trace; decision and call of two spans in three; the artifacts of 300 spans each, of which a piece may
    // end in the middle; and the account.
    let records = spans / 300 + 2 * (spans / 3 * 2);
    assert!(imported.appended > records + spans / 300);
    assert!(grew < 64 << 20, "memory grew by {grew} bytes for three quarters of {spans} spans");

    let plan = TelemetryPlan { spans, trace_spans: spans, contents: 500, text_bytes: 0 };
    let (imported, grew) = import(plan, Capture::Digest);
    check(plan, &imported);
    // Of one trace every span is known by heart.
    let known = spans * 160 + (64 << 20);
    assert!(grew < known, "memory grew by {grew} bytes for three quarters of {spans} spans of a trace");
}

/// The file is what it says it is, wherever it is read.
#[test]
fn the_telemetry_is_one_file() {
    use std::io::{Seek, SeekFrom};
    // The last message is shorter, and a message has spans of two traces.
    let plan = TelemetryPlan { spans: 95, trace_spans: 40, contents: 7, text_bytes: 20 };
    let mut whole = String::new();
    Telemetry::new(plan).read_to_string(&mut whole).unwrap();
    assert_eq!(whole.len() as u64, Telemetry::new(plan).size_bytes());
    let lines: Vec<serde_json::Value> =
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), Telemetry::new(plan).messages()), (4, 4));
    let spans = |line: &serde_json::Value| {
        line["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
    };
    assert_eq!(lines.iter().map(|line| spans(line).len()).collect::<Vec<_>>(), [30, 30, 30, 5]);
    let ids = |name: &str| -> std::collections::BTreeSet<String> {
        lines.iter().flat_map(spans).map(|span| span[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((ids("traceId").len(), ids("spanId").len()), (3, 95));
    let answers: std::collections::BTreeSet<String> = lines
        .iter()
        .flat_map(spans)
        .filter(|span| span["name"] == "execute_tool look_up")
        .map(|span| span["attributes"][4]["value"]["stringValue"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(answers.len(), 7);
    assert!(answers.iter().all(|answer| answer.len() == r#"{"paid":""}"#.len() + 10 + 20), "{answers:?}");
    for at in [0, 1, 1000, whole.len() - 5, whole.len(), whole.len() + 9] {
        let (mut telemetry, mut rest) = (Telemetry::new(plan), String::new());
        telemetry.seek(SeekFrom::Start(at as u64)).unwrap();
        telemetry.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, whole[at.min(whole.len())..]);
    }
    assert_eq!(Telemetry::new(TelemetryPlan { spans: 0, ..plan }).size_bytes(), 0);
}
