//! A trace as a page tells it, read from the ledger: its records on their spans, what the ledger keeps beside
//! them, and which entries nobody can read. Memory is bounded by the number of records that a page draws, and 32 bytes
//! for each span of an import that it does not draw.

use std::collections::{BTreeMap, BTreeSet};

use proofline_canon::{Limits, Sha256Digest, Sha256Hasher};
use proofline_ledger::frame::MAX_BODY_BYTES;
use proofline_ledger::{ArtifactKind, Entry, EntryFault, EntryKind, EntryStatus, Seq, Snapshot};
use proofline_trace::{
    Became, Classification, Envelope, EnvelopeHash, ErrorKind, ImportedSpan, Millis, OtelImport, SpanId,
    SpanPlace, SpanRecord, SpanTree, TraceId, read_envelope,
};

use super::error::HtmlError;
use super::words::Shown;
use crate::alignment::{Run, RunRecord};

/// Entries of one trace that are read for a page. A trace may have a million; nobody scrolls through them.
pub(super) const ENTRIES_DRAWN: usize = 2_000;

/// A record of a trace.
pub(super) struct Told {
    pub(super) seq: u64,
    /// The key that the entry's header states.
    pub(super) key: EnvelopeHash,
    pub(super) span: SpanRecord,
    pub(super) envelope: Envelope,
    pub(super) refusal: Option<(Classification, ErrorKind)>,
}

/// A span that an import kept and that became no record.
pub(super) struct Plain {
    /// The entry that names it, and its key.
    pub(super) seq: u64,
    pub(super) key: EnvelopeHash,
    pub(super) span: ImportedSpan,
}

impl Plain {
    /// When it began, or ended where it does not say that; none where it says neither.
    pub(super) fn at_ms(&self) -> Option<u64> {
        [&self.span.start_unix_nano, &self.span.end_unix_nano]
            .into_iter()
            .map(|time| time.nanos())
            .find(|nanos| *nanos > 0)
            .map(|nanos| nanos / NANOS_PER_MS)
    }

    /// Whether it is that span, told by another import.
    fn is_again(&self, other: &Self) -> bool {
        let (one, other) = (&self.span, &other.span);
        (one.content_sha256, one.became, &one.reason) == (other.content_sha256, other.became, &other.reason)
    }

    /// The same for two of which nothing else is kept: those that are the same have the same mark.
    fn mark(&self) -> Sha256Digest {
        let mut hasher = Sha256Hasher::new();
        hasher.update(self.span.span_id.as_bytes());
        hasher.update(self.span.content_sha256.as_bytes());
        hasher.update(self.span.became.as_str().as_bytes());
        hasher.update(self.span.reason.as_ref().map_or("", |reason| reason.as_str()).as_bytes());
        hasher.finalize()
    }
}

const NANOS_PER_MS: u64 = 1_000_000;

/// Those of a trace.
#[derive(Default)]
pub(super) struct Plains {
    by_id: BTreeMap<SpanId, Vec<Plain>>,
    shapes: Vec<SpanPlace>,
    refused: Vec<SpanPlace>,
    /// The marks of those that are not drawn.
    left_out: BTreeSet<Sha256Digest>,
}

impl Plains {
    fn add(&mut self, seq: u64, key: EnvelopeHash, import: OtelImport) {
        for span in import.spans.into_iter().filter(|span| span.became != Became::Call) {
            let (span_id, parent_span_id, became) = (span.span_id, span.parent_span_id, span.became);
            let plain = Plain { seq, key, span };
            let there = self.by_id.entry(span_id).or_default();
            if there.iter().any(|known| plain.is_again(known)) {
                continue;
            }
            if self.shapes.len() + self.refused.len() >= ENTRIES_DRAWN {
                self.left_out.insert(plain.mark());
                continue;
            }
            let start_ms = Millis::saturating(plain.at_ms().unwrap_or_default());
            let places = if became == Became::Refused { &mut self.refused } else { &mut self.shapes };
            places.push(SpanPlace { span_id, parent_span_id, start_ms });
            there.push(plain);
        }
    }

    /// Where they stand: a shape of the tree before what was refused, which may have the id of another.
    fn places(&self) -> impl Iterator<Item = SpanPlace> {
        self.shapes.iter().chain(&self.refused).copied()
    }

    pub(super) fn on(&self, span_id: SpanId) -> &[Plain] {
        self.by_id.get(&span_id).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) const fn len(&self) -> usize {
        self.shapes.len() + self.refused.len()
    }

    /// Those beyond the first two thousand.
    pub(super) fn left_out(&self) -> usize {
        self.left_out.len()
    }
}

/// An artifact about a trace.
pub(super) struct Beside {
    pub(super) seq: u64,
    pub(super) key: EnvelopeHash,
    pub(super) says: String,
}

/// An entry that cannot be shown.
pub(super) struct Unread {
    pub(super) seq: u64,
    pub(super) why: String,
}

/// A trace with all that a page shows of it.
pub(super) struct Story {
    pub(super) trace_id: TraceId,
    pub(super) records: Vec<Told>,
    pub(super) beside: Vec<Beside>,
    pub(super) unread: Vec<Unread>,
    pub(super) plains: Plains,
    pub(super) tree: SpanTree,
    /// Entries behind the last one that is drawn, without those that name spans of imports.
    pub(super) left_out: usize,
}

impl Story {
    pub(super) fn read(snapshot: &Snapshot, trace_id: TraceId) -> Result<Self, HtmlError> {
        let seqs = snapshot.of_trace(trace_id)?;
        let (mut records, mut beside, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        let mut plains = Plains::default();
        for seq in seqs.iter().take(ENTRIES_DRAWN) {
            match read(snapshot, *seq)? {
                Ok(entry) => match take(&entry) {
                    Taken::Record(told) => records.push(*told),
                    Taken::Artifact(says) => {
                        beside.push(Beside { seq: seq.get(), key: entry.header.envelope_hash, says });
                    }
                    Taken::Import(import) => plains.add(seq.get(), entry.header.envelope_hash, *import),
                    Taken::Nothing => {}
                    Taken::Fault(why) => unread.push(Unread { seq: seq.get(), why }),
                },
                Err(fault) => unread.push(fault),
            }
        }
        // What spans became stands behind their records, so behind all that is drawn in a long trace.
        let behind = seqs.get(ENTRIES_DRAWN..).unwrap_or_default();
        let mut left_out = behind.len();
        for seq in behind {
            if let Some((key, import)) = import_at(snapshot, *seq)? {
                plains.add(seq.get(), key, *import);
                left_out -= 1;
            }
        }
        let tree = SpanTree::build_beside(records.iter().map(|told: &Told| told.span), plains.places());
        Ok(Self { trace_id, records, beside, unread, plains, tree, left_out })
    }

    /// A record by its entry.
    pub(super) fn record(&self, seq: u64) -> Option<&Told> {
        let at = self.records.binary_search_by_key(&seq, |told| told.seq).ok()?;
        self.records.get(at)
    }

    /// The trace as one side of a comparison.
    pub(super) fn run(&self) -> Run<'_> {
        Run::of(self.records.iter().map(|told| RunRecord {
            span: told.span,
            envelope: &told.envelope,
            refusal: told.refusal.clone(),
        }))
    }

    /// How much of it is drawn.
    pub(super) fn shown(&self) -> Shown {
        let spans = self.tree.spans().filter(|span| !span.records().is_empty()).count();
        Shown(self.records.len() as u64, spans as u64, self.plains.len() as u64)
    }

    /// When the first of what is drawn began.
    pub(super) fn start_ms(&self) -> u64 {
        let records = self.records.iter().map(|told| told.span.start_ms.get());
        let plains = self.plains.by_id.values().flatten().filter_map(Plain::at_ms);
        records.chain(plains).min().unwrap_or_default()
    }

    pub(super) fn end_ms(&self) -> u64 {
        let ends = self.records.iter().map(|told| told.span.end_ms.unwrap_or(told.span.start_ms).get());
        ends.max().unwrap_or_default().max(self.start_ms())
    }
}

/// An entry, or why it cannot be shown. Only the system itself is an error.
fn read(snapshot: &Snapshot, seq: Seq) -> Result<Result<Entry, Unread>, HtmlError> {
    let unread = |why| Ok(Err(Unread { seq: seq.get(), why }));
    match snapshot.entry(seq) {
        Ok(Some(entry)) => Ok(Ok(entry)),
        Ok(None) => unread("no readable frame holds it".to_owned()),
        Err(EntryFault::Damaged(damage)) => unread(damage.to_string()),
        Err(EntryFault::Archived(entry)) => unread(entry.to_string()),
        Err(fault) => Err(fault.into()),
    }
}

/// The entry of an import, if this is one that can be read: of others the header alone is looked at.
fn import_at(snapshot: &Snapshot, seq: Seq) -> Result<Option<(EnvelopeHash, Box<OtelImport>)>, HtmlError> {
    let is_artifact = match snapshot.header(seq) {
        Ok(header) => header.is_some_and(|header| header.status.kind() == EntryKind::Artifact),
        Err(EntryFault::Damaged(_) | EntryFault::Archived(_)) => false,
        Err(fault) => return Err(fault.into()),
    };
    if !is_artifact {
        return Ok(None);
    }
    let Ok(entry) = read(snapshot, seq)? else { return Ok(None) };
    match take(&entry) {
        Taken::Import(import) => Ok(Some((entry.header.envelope_hash, import))),
        _ => Ok(None),
    }
}

enum Taken {
    Record(Box<Told>),
    Artifact(String),
    Import(Box<OtelImport>),
    Nothing,
    Fault(String),
}

fn take(entry: &Entry) -> Taken {
    let refusal = match &entry.header.status {
        EntryStatus::Accepted => None,
        EntryStatus::Rejected { classification, error_kind, .. } => {
            Some((*classification, error_kind.clone()))
        }
        EntryStatus::Artifact => return artifact(entry),
        EntryStatus::Genesis | EntryStatus::System => return Taken::Nothing,
    };
    // The limits of the format, as replay has them.
    let sealed = match read_envelope(&entry.body, &Limits::ENVELOPE.with_max_bytes(MAX_BODY_BYTES)) {
        Ok(sealed) => sealed,
        Err(rejection) => return Taken::Fault(format!("{}: {}", rejection.kind, rejection.message)),
    };
    let (seq, key) = (entry.header.seq.get(), entry.header.envelope_hash);
    let span = SpanRecord::of(&sealed, seq);
    let (envelope, _, _) = sealed.into_parts();
    Taken::Record(Box::new(Told { seq, key, span, envelope, refusal }))
}

fn artifact(entry: &Entry) -> Taken {
    match ArtifactKind::read(&entry.body) {
        Ok(ArtifactKind::ReplayResult(result)) => {
            let outcome = result.verdict.failure_class().map_or("pass", |class| class.as_str());
            let (question, at) = (result.replay_type(), result.generated_at);
            Taken::Artifact(format!("verdict of a {question} replay: {outcome}, generated at {at}"))
        }
        Ok(ArtifactKind::ProducerSignature(signature)) => {
            Taken::Artifact(format!("signature of {} over {}", signature.key, signature.envelope_sha256))
        }
        Ok(ArtifactKind::OtelImport(import)) => Taken::Import(import),
        Ok(_) => Taken::Nothing,
        Err(refusal) => Taken::Fault(refusal.to_string()),
    }
}
