//! Answers back out: the traces of a ledger as OTLP, with what the ledger proves of them as attributes and events, so
//! that a stack that shows spans shows verdicts too.
//!
//! Spans that telemetry came with go out as they came; other records become spans that say what the records say. What
//! Proofline adds has names that begin with `proofline.`, and nothing else has. `docs/otel-export.md` lists them.

mod account;
mod attributes;
mod gather;
mod marks;
mod names;
mod own;
mod record_span;
mod several;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, TracesData};
use proofline_canon::{ContentStore, Limits, Sha256Digest, StoreError, Value, parse};
use proofline_ledger::{EntryFault, Erasures, Snapshot};
use proofline_trace::{Capture, EnvelopeHash, ImportedSpan, OtelImport, SpanId, TraceId};
use thiserror::Error;

use crate::allowance::Allowance;
use crate::kept::{PlacedSpan, kept_spans};
use account::Looked;
use gather::{Gathered, Held};
use marks::{From, Marked};

pub use account::ExportTally;
pub(crate) use own::{own_spans, without_marks};
pub use several::{Together, WrittenTrace};
pub use verdict::{ExportVerdict, ExportVerdicts, RecordedVerdict};

/// Why a trace was not exported. Damage, and content that is not at hand, are no errors: the tally counts them.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The log could not be read.
    #[error("the log cannot be read: {0}")]
    Log(EntryFault),
    /// The payloads could not be read.
    #[error("the payloads cannot be read: {0}")]
    Store(StoreError),
    /// There are no threads to work with.
    #[error("no threads can be started: {0}")]
    Threads(String),
}

impl ExportError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Log(_) => "otel.export_log",
            Self::Store(_) => "otel.export_store",
            Self::Threads(_) => "otel.export_threads",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        "look at what the system reports, and export again: nothing half-written is left"
    }
}

/// A trace as OTLP.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedTrace {
    /// One message; without spans there is none.
    pub message: Option<TracesData>,
    /// What it holds.
    pub tally: ExportTally,
}

/// Exports traces of a fixed prefix of a ledger.
#[derive(Clone, Copy)]
pub struct Exporter<'a> {
    snapshot: &'a Snapshot,
    payloads: Option<&'a (dyn ContentStore + Sync)>,
    erasures: Option<&'a Erasures>,
}

impl<'a> Exporter<'a> {
    /// An exporter of this ledger; `payloads` are its own, where it has some.
    #[must_use]
    pub const fn new(snapshot: &'a Snapshot, payloads: Option<&'a (dyn ContentStore + Sync)>) -> Self {
        Self { snapshot, payloads, erasures: None }
    }

    /// The same, which tells payloads that were erased from those that were lost or never kept.
    #[must_use]
    pub const fn knowing(self, erasures: &'a Erasures) -> Self {
        Self { erasures: Some(erasures), ..self }
    }

    /// One trace. The same ledger and the same verdicts give the same message.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn trace(&self, trace: TraceId, verdicts: &ExportVerdicts) -> Result<ExportedTrace, ExportError> {
        let gathered = Gathered::read(self.snapshot, trace).map_err(ExportError::Log)?;
        let mut work = Work { exporter: *self, trace, gathered: &gathered, looked: Looked::default() };
        let (mut spans, mut tally) = (work.spans()?, ExportTally { traces: 1, ..ExportTally::default() });
        let verdicts = match verdicts {
            ExportVerdicts::None => Vec::new(),
            ExportVerdicts::Recorded => verdict::recorded(&gathered),
            ExportVerdicts::Now(now) => now.clone(),
        };
        let about = marks::About {
            ledger_id: self.snapshot.ledger_id(),
            entries: self.snapshot.entries(),
            gathered: &gathered,
            verdicts: &verdicts,
        };
        about.mark(&mut spans, &mut tally);
        tally.missing_payloads = work.looked.missing.len() as u64;
        let is_erased =
            |name: &&Sha256Digest| self.erasures.is_some_and(|erasures| erasures.of_blob(name).is_some());
        tally.erased_payloads = work.looked.missing.iter().filter(is_erased).count() as u64;
        tally.damaged_payloads = work.looked.damaged.len() as u64;
        tally.damaged_entries = gathered.damaged;
        tally.archived_entries = gathered.archived;
        let message = (!spans.is_empty()).then(|| message(spans));
        Ok(ExportedTrace { message, tally })
    }
}

/// One trace on its way.
struct Work<'a> {
    exporter: Exporter<'a>,
    trace: TraceId,
    gathered: &'a Gathered,
    looked: Looked,
}

impl Work<'_> {
    /// Spans of telemetry in the order in which they came, then those of other records.
    fn spans(&mut self) -> Result<Vec<Marked>, ExportError> {
        let by_hash: BTreeMap<EnvelopeHash, &Held> =
            self.gathered.records.iter().map(|it| (it.hash, it)).collect();
        let mut spans: Vec<Marked> = Vec::new();
        let mut places: BTreeMap<(SpanId, Sha256Digest), usize> = BTreeMap::new();
        for import in &self.gathered.imports {
            for (row, from) in import.spans.iter().zip(self.of_import(import, &by_hash)?) {
                let key = (row.span_id, row.content_sha256);
                let is_better = |known: &Marked| from.rank() < known.from.rank();
                match places.get(&key).and_then(|place| spans.get_mut(*place)) {
                    // The same span, under another policy or by another capture.
                    Some(known) => {
                        known.rows.push(row.clone());
                        if is_better(known) {
                            known.from = from;
                        }
                    }
                    None => {
                        places.insert(key, spans.len());
                        spans.push(Marked::new(row.span_id, row.parent_span_id, from, Some(row.clone())));
                    }
                }
            }
        }
        let telemetry: BTreeSet<SpanId> = spans.iter().map(|it| it.span_id).collect();
        for (span_id, group) in self.gathered.own() {
            if telemetry.contains(&span_id) {
                continue;
            }
            if let (Some(placed), Some(first)) = (record_span::record_span(&group), group.first()) {
                let parent = parent_of(&placed).or_else(|| first.envelope.trace().parent_span_id());
                spans.push(Marked::new(span_id, parent, From::Records(placed), None));
            }
        }
        Ok(spans)
    }

    /// The spans of an import's rows.
    fn of_import(
        &mut self,
        import: &OtelImport,
        by_hash: &BTreeMap<EnvelopeHash, &Held>,
    ) -> Result<Vec<From>, ExportError> {
        let call_of = |row: &ImportedSpan| by_hash.get(&row.call?.record_sha256).copied();
        let kept = match self.payload(&import.document.sha256)? {
            None => None,
            Some(document) => {
                let (trace, mut failed) = (self.trace, None);
                let allowance = Allowance::of_document(document.len());
                let mut payloads = |at: usize| {
                    let call = import.spans.get(at).and_then(call_of).and_then(Held::payloads);
                    let Some((request, response)) = call else { return (None, None) };
                    let mut one = |name: &Sha256Digest| match self.payload(name) {
                        Ok(bytes) => bytes
                            .filter(|bytes| allowance.take_payload(name, bytes.len()))
                            .and_then(|bytes| whole_payload(&bytes)),
                        Err(error) => {
                            failed.get_or_insert(error);
                            None
                        }
                    };
                    (one(&request.sha256), one(&response.sha256))
                };
                let kept = kept_spans(&document, trace, &allowance, &mut payloads);
                if let Some(error) = failed {
                    return Err(error);
                }
                kept.ok()
            }
        };
        let fits = |it: &Vec<crate::kept::KeptSpan>| {
            it.len() == import.spans.len()
                && it
                    .iter()
                    .zip(&import.spans)
                    .all(|(it, row)| it.placed.span.span_id == row.span_id.as_bytes())
        };
        Ok(match kept.filter(fits) {
            Some(kept) => kept.into_iter().zip(&import.spans).map(|(it, row)| From::kept(it, row)).collect(),
            None => {
                let row = |row| From::Row(record_span::row_span(self.trace, row, call_of(row)));
                import.spans.iter().map(row).collect()
            }
        })
    }

    /// A payload, where it is at hand.
    fn payload(&mut self, name: &Sha256Digest) -> Result<Option<Vec<u8>>, ExportError> {
        let found = self.exporter.payloads.map(|store| store.get(name)).transpose();
        match found {
            Ok(Some(Some(bytes))) => return Ok(Some(bytes)),
            Ok(_) => self.looked.missing.insert(*name),
            Err(StoreError::Damaged { .. }) => self.looked.damaged.insert(*name),
            Err(error) => return Err(ExportError::Store(error)),
        };
        Ok(None)
    }
}

/// A payload that has what was said; one that tells of it by digests gives nothing back.
fn whole_payload(bytes: &[u8]) -> Option<Value> {
    let document = parse(bytes, &Limits::CONTENT.with_max_bytes(bytes.len().max(1))).ok()?;
    let is_whole = document.get("capture").and_then(Value::as_str) == Some(Capture::Full.as_str());
    is_whole.then_some(document)
}

fn parent_of(placed: &PlacedSpan) -> Option<SpanId> {
    SpanId::from_bytes(placed.span.parent_span_id.as_slice().try_into().ok()?).ok()
}

/// One message; spans that stand in the same resource and scope one behind the other stand there together.
fn message(spans: Vec<Marked>) -> TracesData {
    let mut traces = TracesData::default();
    for marked in spans {
        let placed = marked.into_placed();
        let resource = (*placed.resource != Resource::default()).then(|| Resource::clone(&placed.resource));
        let scope = (*placed.scope != InstrumentationScope::default())
            .then(|| InstrumentationScope::clone(&placed.scope));
        let is_same = traces
            .resource_spans
            .last()
            .is_some_and(|last| last.resource == resource && *last.schema_url == *placed.resource_schema_url);
        if !is_same {
            let schema_url = placed.resource_schema_url.to_string();
            traces.resource_spans.push(ResourceSpans { resource, scope_spans: Vec::new(), schema_url });
        }
        let Some(last) = traces.resource_spans.last_mut() else { continue };
        let is_same = last
            .scope_spans
            .last()
            .is_some_and(|last| last.scope == scope && *last.schema_url == *placed.scope_schema_url);
        if !is_same {
            let schema_url = placed.scope_schema_url.to_string();
            last.scope_spans.push(ScopeSpans { scope, spans: Vec::new(), schema_url });
        }
        if let Some(last) = last.scope_spans.last_mut() {
            last.spans.push(placed.span);
        }
    }
    traces
}
