//! Exports that come back: what an export added is taken off again, so that a span is known by what it was before.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::trace::v1::Span;
use proofline_canon::Sha256Digest;
use proofline_ledger::{EntryKind, Ledger, LedgerError};
use proofline_trace::{SpanId, TraceId};

use super::gather::Gathered;
use super::names;
use super::record_span::record_span;
use crate::content::{Surroundings, span_value};
use crate::value::text;

/// Put before the names of what telemetry itself named so.
pub(super) const SAID_BEFORE: &str = "said.";
/// What the span was known by before the export added to it.
pub(super) const SPAN_SHA256: &str = "proofline.span.sha256";
/// `telemetry`, or `records`.
pub(super) const SPAN_FROM: &str = "proofline.span.from";

/// A span without what an export added.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unmarked {
    pub(crate) span: Span,
    /// Whether the export made it of records.
    pub(crate) says_records: bool,
}

/// Takes off what an export added; none of a span that is no whole span of an export. Only where the rest has the
/// digest that the export names is anything taken off: telemetry that merely uses these names keeps them, and so does
/// a span with anything more than an export gave it.
pub(crate) fn without_marks(span: &Span, within: &Surroundings<'_>) -> Option<Unmarked> {
    let wanted: Sha256Digest = text(&span.attributes, SPAN_SHA256)?.parse().ok()?;
    let says_records = text(&span.attributes, SPAN_FROM) == Some("records");
    let bare = names::without(span)?;
    let is_whole = within.sha256_of(span_value(&bare)).is_ok_and(|sha256| sha256 == wanted);
    is_whole.then_some(Unmarked { span: bare, says_records })
}

/// The spans that an export of this ledger makes of records of a trace. They are no telemetry to this ledger.
pub(crate) fn own_spans(
    ledger: &Ledger,
    trace: TraceId,
) -> Result<BTreeSet<(SpanId, Sha256Digest)>, LedgerError> {
    let is_told = |kind: EntryKind| !matches!(kind, EntryKind::Genesis | EntryKind::System);
    let mut gathered = Gathered::default();
    for entry in ledger.trace_entries(trace, |header| is_told(header.status.kind()))? {
        gathered.take(&entry, trace);
    }
    let own = gathered.own().into_iter();
    Ok(own.filter_map(|(span_id, group)| Some((span_id, record_span(&group)?.content_sha256()?))).collect())
}
