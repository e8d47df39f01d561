//! What a ledger has of one trace: its records, what imports say of its spans, and the verdicts that were recorded.

use std::collections::{BTreeMap, BTreeSet};

use proofline_canon::{Limits, Sha256Digest};
use proofline_ledger::{ArtifactKind, Entry, EntryFault, EntryStatus, Seq, Snapshot};
use proofline_trace::{
    BlobRef, Envelope, EnvelopeHash, ErrorKind, OtelImport, ReplayDiagnostics, ReplayResult, SpanId, Token,
    TraceId, read_canonical,
};

/// A record of the trace, accepted or refused.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) seq: Seq,
    pub(crate) hash: EnvelopeHash,
    /// Of a refused attempt.
    pub(crate) refusal: Option<ErrorKind>,
    pub(crate) envelope: Envelope,
}

impl Held {
    /// Request and response of a call.
    pub(crate) const fn payloads(&self) -> Option<(&BlobRef, &BlobRef)> {
        match &self.envelope {
            Envelope::ModelCall(call) => Some((&call.request, &call.response)),
            Envelope::ToolCall(call) => Some((&call.request, &call.response)),
            Envelope::AuthContext(_) | Envelope::PolicyDecision(_) => None,
        }
    }
}

impl Held {
    /// The context and the decision of a call, and how it ended.
    pub(crate) const fn rests_on(&self) -> Option<(EnvelopeHash, EnvelopeHash, &Token)> {
        match &self.envelope {
            Envelope::ModelCall(call) => Some((
                call.auth_context_envelope_sha256,
                call.policy_decision_envelope_sha256,
                &call.outcome.status,
            )),
            Envelope::ToolCall(call) => Some((
                call.auth_context_envelope_sha256,
                call.policy_decision_envelope_sha256,
                &call.outcome.status,
            )),
            Envelope::AuthContext(_) | Envelope::PolicyDecision(_) => None,
        }
    }
}

/// A refused attempt that is no record.
#[derive(Debug, Clone)]
pub(crate) struct Unread {
    pub(crate) seq: Seq,
    pub(crate) hash: EnvelopeHash,
    pub(crate) kind: ErrorKind,
}

/// A verdict that the ledger keeps.
#[derive(Debug, Clone)]
pub(crate) struct RecordedResult {
    pub(crate) seq: Seq,
    pub(crate) recorded_at_ms: u64,
    pub(crate) sha256: Sha256Digest,
    pub(crate) result: ReplayResult,
}

/// All of it, in the order of the log.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) records: Vec<Held>,
    pub(crate) unread: Vec<Unread>,
    pub(crate) imports: Vec<OtelImport>,
    pub(crate) results: Vec<RecordedResult>,
    pub(crate) diagnostics: Vec<ReplayDiagnostics>,
    /// Entries that are damaged.
    pub(crate) damaged: u64,
    /// Entries whose bodies are in an archive.
    pub(crate) archived: u64,
}

impl Gathered {
    /// Reads a trace.
    ///
    /// # Errors
    /// What the system refuses; what is damaged or archived is counted.
    pub(crate) fn read(snapshot: &Snapshot, trace: TraceId) -> Result<Self, EntryFault> {
        let mut gathered = Self::default();
        for seq in snapshot.of_trace(trace)? {
            match snapshot.entry(seq) {
                Ok(Some(entry)) => gathered.take(&entry, trace),
                Ok(None) => {}
                Err(EntryFault::Damaged(_)) => gathered.damaged += 1,
                Err(EntryFault::Archived(_)) => gathered.archived += 1,
                Err(fault) => return Err(fault),
            }
        }
        Ok(gathered)
    }

    /// Takes an entry. A body that is not what its entry says is damage, and nothing is told of it.
    pub(crate) fn take(&mut self, entry: &Entry, trace: TraceId) {
        let (seq, hash) = (entry.header.seq, entry.header.envelope_hash);
        if EnvelopeHash::of(&entry.body) != hash {
            self.damaged += 1;
            return;
        }
        let limits = Limits::ENVELOPE.with_max_bytes(entry.body.len().max(1));
        let envelope = || read_canonical(&entry.body, &limits).filter(|it| it.trace().trace_id() == trace);
        match &entry.header.status {
            EntryStatus::Accepted => match envelope() {
                Some(envelope) => self.records.push(Held { seq, hash, refusal: None, envelope }),
                None => self.damaged += 1,
            },
            EntryStatus::Rejected { error_kind, .. } => match envelope() {
                Some(envelope) => {
                    self.records.push(Held { seq, hash, refusal: Some(error_kind.clone()), envelope });
                }
                None => self.unread.push(Unread { seq, hash, kind: error_kind.clone() }),
            },
            EntryStatus::Artifact => self.take_artifact(entry, trace),
            EntryStatus::Genesis | EntryStatus::System => {}
        }
    }

    fn take_artifact(&mut self, entry: &Entry, trace: TraceId) {
        match ArtifactKind::read(&entry.body) {
            Ok(ArtifactKind::OtelImport(import)) if import.target_trace_id == trace => {
                self.imports.push(*import);
            }
            Ok(ArtifactKind::ReplayResult(result)) => self.results.push(RecordedResult {
                seq: entry.header.seq,
                recorded_at_ms: entry.header.recorded_at_ms,
                sha256: Sha256Digest::of(&entry.body),
                result,
            }),
            Ok(ArtifactKind::ReplayDiagnostics(diagnostics)) => self.diagnostics.push(diagnostics),
            Ok(_) => {}
            Err(_) => self.damaged += 1,
        }
    }

    /// Whether nothing of the trace was accepted, as far as all of it can be read.
    pub(crate) fn is_without_accepted(&self) -> bool {
        self.damaged == 0 && self.archived == 0 && self.records.iter().all(|it| it.refusal.is_some())
    }

    /// The records that imports made.
    pub(crate) fn named(&self) -> BTreeSet<EnvelopeHash> {
        self.imports.iter().flat_map(OtelImport::references).collect()
    }

    /// The other records by their spans, those of a span together, spans in the order of their first records.
    pub(crate) fn own(&self) -> Vec<(SpanId, Vec<&Held>)> {
        let named = self.named();
        let mut groups: Vec<(SpanId, Vec<&Held>)> = Vec::new();
        let mut places = BTreeMap::new();
        for record in self.records.iter().filter(|it| !named.contains(&it.hash)) {
            let span_id = record.envelope.trace().span_id();
            let place = *places.entry(span_id).or_insert(groups.len());
            match groups.get_mut(place) {
                Some((_, group)) => group.push(record),
                None => groups.push((span_id, vec![record])),
            }
        }
        groups
    }
}
