//! A trace as a page tells it, read from the ledger: its records on their spans, what the ledger keeps beside
//! them, and which entries nobody can read. Memory is bounded by the number of records that a page draws.

use proofline_canon::Limits;
use proofline_ledger::frame::MAX_BODY_BYTES;
use proofline_ledger::{ArtifactKind, Entry, EntryFault, EntryStatus, Seq, Snapshot};
use proofline_trace::{
    Classification, Envelope, EnvelopeHash, ErrorKind, SpanRecord, SpanTree, TraceId, read_envelope,
};

use super::error::HtmlError;
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
    pub(super) tree: SpanTree,
    /// Entries behind the last one that was read.
    pub(super) left_out: usize,
}

impl Story {
    pub(super) fn read(snapshot: &Snapshot, trace_id: TraceId) -> Result<Self, HtmlError> {
        let seqs = snapshot.of_trace(trace_id)?;
        let (mut records, mut beside, mut unread) = (Vec::new(), Vec::new(), Vec::new());
        for seq in seqs.iter().take(ENTRIES_DRAWN) {
            match read(snapshot, *seq)? {
                Ok(entry) => match take(&entry) {
                    Taken::Record(told) => records.push(*told),
                    Taken::Artifact(says) => {
                        beside.push(Beside { seq: seq.get(), key: entry.header.envelope_hash, says });
                    }
                    Taken::Nothing => {}
                    Taken::Fault(why) => unread.push(Unread { seq: seq.get(), why }),
                },
                Err(fault) => unread.push(fault),
            }
        }
        let tree = SpanTree::build(records.iter().map(|told: &Told| told.span));
        let left_out = seqs.len().saturating_sub(ENTRIES_DRAWN);
        Ok(Self { trace_id, records, beside, unread, tree, left_out })
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

    pub(super) fn start_ms(&self) -> u64 {
        self.records.iter().map(|told| told.span.start_ms.get()).min().unwrap_or_default()
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

enum Taken {
    Record(Box<Told>),
    Artifact(String),
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
        Ok(_) => Taken::Nothing,
        Err(refusal) => Taken::Fault(refusal.to_string()),
    }
}
