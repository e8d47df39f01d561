//! Spans of imports without a record on the page of a trace that has more of everything than a page draws: an import
//! names them behind the records of its calls, and where those were two thousand, none of them was drawn.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::BTreeSet;
use std::ops::Range;

use common::evidence::{self, Place};
use common::strict_html::{self, Page};
use common::{NOW_MS, committed, run};
use proofline_canon::Sha256Digest;
use proofline_ledger::{Action, Outcome, Snapshot};
use proofline_replay::html::{HtmlReport, HtmlVersions};
use proofline_replay::{Mode, Plan};
use proofline_trace::{
    Became, BlobRef, Capture, ContentType, ImportedSpan, Mapping, OtelImport, SafeInt, SpanId, SpanName,
    SpanStatus, Token, TraceId, UnixNano,
};
use tempfile::TempDir;

/// What a page draws of a trace: entries, and spans without a record.
const DRAWN: usize = 2_000;
const RECORDS: u32 = 2_105;
const TRACE: u32 = 1;

fn trace_id() -> TraceId {
    format!("{TRACE:032x}").parse().unwrap()
}

fn span_id(number: u64) -> SpanId {
    SpanId::from_bytes((number + 100_000).to_be_bytes()).unwrap()
}

fn shape(number: u64) -> ImportedSpan {
    let nanos = |ms: u64| UnixNano::from_nanos(ms * 1_000_000);
    ImportedSpan {
        span_id: span_id(number),
        parent_span_id: None,
        content_sha256: Sha256Digest::of(&number.to_be_bytes()),
        name: SpanName::of(&format!("shape-{number:05}")),
        kind: SafeInt::saturating(1),
        start_unix_nano: nanos(1_000 + number),
        end_unix_nano: nanos(1_001 + number),
        status: SpanStatus::Unset,
        operation: None,
        became: Became::Shape,
        reason: Some(Token::of_name("no-call")),
        call: None,
    }
}

fn import(policy: &str, shapes: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mapping = Mapping {
        mapper: Token::of_name("made"),
        mapper_version: Token::of_name("1"),
        rules_sha256: None,
        policy_sha256: Sha256Digest::of(policy.as_bytes()),
        capture: Capture::Digest,
    };
    let document = BlobRef {
        content_type: ContentType::new("application/json").unwrap(),
        sha256: Sha256Digest::of(policy.as_bytes()),
        size_bytes: SafeInt::saturating(1),
    };
    let spans = shapes.into_iter().map(shape).collect();
    OtelImport { target_trace_id: trace_id(), mapping, document, spans }.canonical()
}

/// A context, a decision and many calls of one trace; then these imports.
fn ledger(imports: &[Vec<u8>]) -> (TempDir, Snapshot) {
    let context = evidence::auth_context(TRACE, "staff/ines");
    let of = evidence::hash_of(&context);
    let decision = evidence::decision(TRACE, &of, "allow");
    let by = evidence::hash_of(&decision);
    let call = |number: u32| {
        let place = Place { trace: TRACE, span: 10 + number, parent: Some(2) };
        evidence::tool_call_at(place, &of, &by, (1_200, 1_210))
    };
    let mut lines = vec![context.clone(), decision.clone()];
    lines.extend((2..RECORDS).map(call));
    let (home, ledger) = committed(&lines);
    for bytes in imports {
        let outcome = ledger.commit_action(&Action::Artifact(bytes), NOW_MS).unwrap();
        assert!(matches!(outcome, Outcome::Accepted { duplicate: false, .. }), "{outcome:?}");
    }
    let snapshot = ledger.snapshot().unwrap();
    (home, snapshot)
}

fn page(snapshot: &Snapshot) -> Page {
    let traces = [trace_id()].into_iter().collect();
    let verdicts = run(snapshot, &Plan { mode: Mode::Forensic, traces, ..Plan::default() }).0;
    let versions = HtmlVersions { proofline: "0.0.0".to_owned(), policy_engine: None };
    let mut out = Vec::new();
    HtmlReport { snapshot, payloads: None, versions: &versions }
        .trace(trace_id(), &verdicts, &mut out)
        .unwrap();
    strict_html::read(&out)
}

/// The numbers of the shapes that a page shows.
fn drawn(page: &Page) -> BTreeSet<u64> {
    let numbers = page.text.split("shape-").skip(1).map(|rest| rest[..5].parse().unwrap());
    numbers.collect()
}

fn set(range: Range<u64>) -> BTreeSet<u64> {
    range.collect()
}

#[test]
fn the_first_shapes_are_drawn_wherever_their_import_stands() {
    let (_home, snapshot) = ledger(&[import("one", 0..700), import("two", 500..1_500)]);
    let page = page(&snapshot);
    assert_eq!(drawn(&page), set(0..1_500));
    assert!(!page.text.contains("without a record of this trace are not drawn"));
    // Of the trace's entries those are left out of which nothing is drawn.
    let left_out = RECORDS as usize - DRAWN;
    assert!(page.text.contains(&format!("{left_out} more entries of this trace are not drawn")));
}

/// Imports under several policies name the same spans: each is drawn once, and each that is not is counted once.
#[test]
fn those_that_are_left_out_are_counted_once_each() {
    let imports = [
        import("one", 0..1_500),
        import("two", 1_000..2_300),
        import("three", (0..200).chain(2_200..2_345)),
        import("four", 2_100..2_345),
    ];
    let (_home, snapshot) = ledger(&imports);
    let page = page(&snapshot);
    assert_eq!(drawn(&page), set(0..2_000));
    assert!(page.text.contains("345 more spans without a record of this trace are not drawn."));
}
