//! What a ledger knows of a trace's spans from imports before: the entries that make an import idempotent.

use std::collections::{BTreeSet, HashMap, HashSet};

use proofline_canon::{Limits, Sha256Digest};
use proofline_ledger::{ArtifactKind, EntryKind, EntryStatus, Ledger, LedgerError};
use proofline_trace::{
    AuthContext, Became, Envelope, EnvelopeHash, ErrorKind, Mapping, OtelImport, SpanId, TraceId,
    read_canonical,
};

use super::map::Mapped;

/// What is known of one span under one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownSpan {
    content: Sha256Digest,
    pub(crate) became: Became,
    /// The place in the list of mappings.
    mapping: u32,
    /// The place in the list of contexts; of none, beyond its end.
    context: u32,
}

/// What is known of a trace.
#[derive(Debug, Default)]
pub(crate) struct KnownTrace {
    /// By what rules imports mapped.
    mappings: Vec<Mapping>,
    /// What is known of each span first: mostly all, and a trace may have millions.
    spans: HashMap<SpanId, KnownSpan>,
    /// What else is known: of spans that came with several contents, or under several policies.
    more: HashMap<SpanId, Vec<KnownSpan>>,
    /// The first span without a parent that was sent.
    pub(crate) root: Option<SpanId>,
    /// The contexts that imports made, in the order of the log.
    pub(crate) contexts: Vec<(EnvelopeHash, AuthContext)>,
    places: HashMap<EnvelopeHash, u32>,
    /// Calls that the gate refused because of the policy, whether an import names them or was killed before.
    denied: HashSet<EnvelopeHash>,
}

impl KnownTrace {
    /// What the ledger says.
    pub(crate) fn read(ledger: &Ledger, trace: TraceId) -> Result<Self, LedgerError> {
        let mut known = Self::default();
        let wanted = |kind: EntryKind| matches!(kind, EntryKind::Artifact | EntryKind::Rejected);
        let mut imports = Vec::new();
        for entry in ledger.trace_entries(trace, |header| wanted(header.status.kind()))? {
            if let EntryStatus::Rejected { error_kind, .. } = entry.header.status {
                if error_kind == ErrorKind::PolicyDenied {
                    known.denied.insert(entry.header.envelope_hash);
                }
                continue;
            }
            if let Ok(ArtifactKind::OtelImport(import)) = ArtifactKind::read(&entry.body) {
                imports.push(import);
            }
        }
        let calls = imports.iter().flat_map(|import| &import.spans).filter_map(|span| span.call);
        let contexts: BTreeSet<EnvelopeHash> = calls.map(|call| call.auth_context_sha256).collect();
        if !contexts.is_empty() {
            let is_context = |hash: &EnvelopeHash| contexts.contains(hash);
            let entries = ledger.trace_entries(trace, |header| {
                header.status.kind() == EntryKind::Accepted && is_context(&header.envelope_hash)
            })?;
            for entry in entries {
                let limits = Limits::ENVELOPE.with_max_bytes(entry.body.len().max(1));
                if let Some(Envelope::AuthContext(context)) = read_canonical(&entry.body, &limits) {
                    known.add_context(entry.header.envelope_hash, context);
                }
            }
        }
        imports.iter().for_each(|import| known.add_rows(import));
        Ok(known)
    }

    fn add_context(&mut self, hash: EnvelopeHash, record: AuthContext) {
        let place = u32::try_from(self.contexts.len()).unwrap_or(u32::MAX);
        self.places.entry(hash).or_insert(place);
        self.contexts.push((hash, record));
    }

    /// Remembers what an import says of its spans.
    fn add_rows(&mut self, import: &OtelImport) {
        let mapping = self.place_of(&import.mapping);
        for span in &import.spans {
            let is_root = span.parent_span_id.is_none() && span.became != Became::Refused;
            if self.root.is_none() && is_root {
                self.root = Some(span.span_id);
            }
            let context = span.call.and_then(|call| self.places.get(&call.auth_context_sha256));
            let context = context.copied().unwrap_or(u32::MAX);
            let known = KnownSpan { content: span.content_sha256, became: span.became, mapping, context };
            let first = *self.spans.entry(span.span_id).or_insert(known);
            if first != known {
                let more = self.more.entry(span.span_id).or_default();
                if !more.contains(&known) {
                    more.push(known);
                }
            }
        }
    }

    fn place_of(&mut self, mapping: &Mapping) -> u32 {
        let known = self.mappings.iter().position(|known| known == mapping);
        let place = known.unwrap_or_else(|| {
            self.mappings.push(mapping.clone());
            self.mappings.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    fn mapping_of(&self, known: KnownSpan) -> Option<&Mapping> {
        usize::try_from(known.mapping).ok().and_then(|place| self.mappings.get(place))
    }

    fn all(&self, span: SpanId) -> impl Iterator<Item = &KnownSpan> {
        let more = self.more.get(&span).into_iter().flatten();
        self.spans.get(&span).into_iter().chain(more)
    }

    /// What became of this very span under a policy.
    pub(crate) fn of(&self, span: SpanId, content: Sha256Digest, policy: Sha256Digest) -> Option<KnownSpan> {
        let is_under = |known: KnownSpan| self.mapping_of(known).is_some_and(|it| it.policy_sha256 == policy);
        self.all(span).find(|known| known.content == content && is_under(**known)).copied()
    }

    /// Whether a span of this id and other content was taken in, under whatever policy.
    pub(crate) fn has_other(&self, span: SpanId, content: Sha256Digest) -> bool {
        self.all(span).any(|known| known.content != content && known.became != Became::Refused)
    }

    /// Whether what is known was made as `mapping` would make it, and on behalf of the one whose contexts are `own`.
    pub(crate) fn is_made_so(
        &self,
        known: KnownSpan,
        mapping: &Mapping,
        own: impl FnOnce(&AuthContext) -> bool,
    ) -> bool {
        let context = usize::try_from(known.context).ok().and_then(|place| self.contexts.get(place));
        self.mapping_of(known) == Some(mapping) && context.is_none_or(|(_, record)| own(record))
    }

    /// What the ledger knows of the trace once this is committed; attempts that are there are told, so that they
    /// are not made again: the same record may be what two policies deny.
    pub(crate) fn learn(&mut self, mapped: &mut Mapped) {
        for call in &mut mapped.calls {
            call.is_there = call.is_denied && !self.denied.insert(call.hash);
        }
        for context in &mapped.contexts {
            if let Envelope::AuthContext(record) = context.envelope() {
                self.add_context(context.hash(), record.clone());
            }
        }
        mapped.import.take().iter().for_each(|import| self.add_rows(import));
    }

    fn size(&self) -> usize {
        self.spans.len() + self.more.len() + self.contexts.len() + self.denied.len()
    }
}

/// What is known of the traces that came last.
#[derive(Debug, Default)]
pub(crate) struct Known {
    traces: HashMap<TraceId, (KnownTrace, u64)>,
    size: usize,
    clock: u64,
    /// What was put since is not committed yet.
    batch: u64,
}

impl Known {
    /// Spans in memory beyond which the traces that came longest ago are forgotten. The ledger knows them.
    const MOST_SPANS: usize = 1 << 18;

    /// Takes out what is known of a trace; what is not in memory is read.
    pub(crate) fn take(&mut self, ledger: &Ledger, trace: TraceId) -> Result<KnownTrace, LedgerError> {
        match self.traces.remove(&trace) {
            Some((known, _)) => {
                self.size = self.size.saturating_sub(known.size());
                Ok(known)
            }
            None => KnownTrace::read(ledger, trace),
        }
    }

    /// What is put from now on is not committed yet, and what was put before is.
    pub(crate) fn begin_batch(&mut self) {
        self.batch = self.clock;
    }

    /// Puts it back.
    pub(crate) fn put(&mut self, trace: TraceId, known: KnownTrace) {
        self.clock += 1;
        self.size += known.size();
        self.traces.insert(trace, (known, self.clock));
        if self.size > Self::MOST_SPANS && self.traces.len() > 1 {
            self.forget();
        }
    }

    /// Forgets the older half, of what is committed.
    fn forget(&mut self) {
        let mut clocks: Vec<u64> = self.traces.values().map(|(_, clock)| *clock).collect();
        clocks.sort_unstable();
        let Some(middle) = clocks.get(clocks.len() / 2).copied() else { return };
        let batch = self.batch;
        self.traces.retain(|_, (_, clock)| *clock >= middle || *clock > batch);
        self.size = self.traces.values().map(|(known, _)| known.size()).sum();
    }
}
