//! What a ledger knows of a trace's spans from imports before: the entries that make an import idempotent.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proofline_canon::{Limits, Sha256Digest};
use proofline_ledger::{ArtifactKind, EntryKind, Ledger, LedgerError};
use proofline_trace::{
    AuthContext, Became, Envelope, EnvelopeHash, OtelImport, SpanId, TraceId, read_canonical,
};

use super::map::Mapped;

/// What is known of one span under one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KnownSpan {
    content: Sha256Digest,
    pub(crate) became: Became,
    /// The policy's place in the list of them.
    policy: u32,
}

/// What is known of a trace.
#[derive(Debug, Default)]
pub(crate) struct KnownTrace {
    policies: Vec<Sha256Digest>,
    /// What is known of each span first: mostly all, and a trace may have millions.
    spans: HashMap<SpanId, KnownSpan>,
    /// What else is known: of spans that came with several contents, or under several policies.
    more: HashMap<SpanId, Vec<KnownSpan>>,
    /// The first span without a parent that was sent.
    pub(crate) root: Option<SpanId>,
    /// The contexts that imports made, in the order of the log.
    pub(crate) contexts: Vec<(EnvelopeHash, AuthContext)>,
    /// Refused attempts that no import names: those that an import left that was killed.
    unclaimed: BTreeMap<EnvelopeHash, u64>,
}

impl KnownTrace {
    /// What the ledger says.
    pub(crate) fn read(ledger: &Ledger, trace: TraceId) -> Result<Self, LedgerError> {
        let mut known = Self::default();
        let wanted = |kind: EntryKind| matches!(kind, EntryKind::Artifact | EntryKind::Rejected);
        let mut named = Vec::new();
        for entry in ledger.trace_entries(trace, |header| wanted(header.status.kind()))? {
            if entry.header.status.kind() == EntryKind::Rejected {
                *known.unclaimed.entry(entry.header.envelope_hash).or_default() += 1;
                continue;
            }
            if let Ok(ArtifactKind::OtelImport(import)) = ArtifactKind::read(&entry.body) {
                known.add_rows(&import);
                named.extend(import.spans.iter().filter_map(|span| span.call));
            }
        }
        for call in &named {
            if let Some(count) = known.unclaimed.get_mut(&call.record_sha256) {
                *count = count.saturating_sub(1);
            }
        }
        known.unclaimed.retain(|_, count| *count > 0);
        if !named.is_empty() {
            let contexts: BTreeSet<EnvelopeHash> =
                named.iter().map(|call| call.auth_context_sha256).collect();
            let is_context = |hash: &EnvelopeHash| contexts.contains(hash);
            let entries = ledger.trace_entries(trace, |header| {
                header.status.kind() == EntryKind::Accepted && is_context(&header.envelope_hash)
            })?;
            for entry in entries {
                let limits = Limits::ENVELOPE.with_max_bytes(entry.body.len().max(1));
                if let Some(Envelope::AuthContext(context)) = read_canonical(&entry.body, &limits) {
                    known.contexts.push((entry.header.envelope_hash, context));
                }
            }
        }
        Ok(known)
    }

    /// Remembers what an import says of its spans.
    fn add_rows(&mut self, import: &OtelImport) {
        let policy = self.place_of(import.mapping.policy_sha256);
        for span in &import.spans {
            let is_root = span.parent_span_id.is_none() && span.became != Became::Refused;
            if self.root.is_none() && is_root {
                self.root = Some(span.span_id);
            }
            let known = KnownSpan { content: span.content_sha256, became: span.became, policy };
            let first = *self.spans.entry(span.span_id).or_insert(known);
            if first != known {
                let more = self.more.entry(span.span_id).or_default();
                if !more.contains(&known) {
                    more.push(known);
                }
            }
        }
    }

    fn place_of(&mut self, policy: Sha256Digest) -> u32 {
        let known = self.policies.iter().position(|known| *known == policy);
        let place = known.unwrap_or_else(|| {
            self.policies.push(policy);
            self.policies.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// What is known of a span under a policy.
    fn all(&self, span: SpanId, policy: Sha256Digest) -> impl Iterator<Item = &KnownSpan> {
        let more = self.more.get(&span).into_iter().flatten();
        let is_under = move |known: &&KnownSpan| {
            let place = usize::try_from(known.policy).ok();
            place.and_then(|place| self.policies.get(place)) == Some(&policy)
        };
        self.spans.get(&span).into_iter().chain(more).filter(is_under)
    }

    /// What became of this very span.
    pub(crate) fn of(&self, span: SpanId, content: Sha256Digest, policy: Sha256Digest) -> Option<KnownSpan> {
        self.all(span, policy).find(|known| known.content == content).copied()
    }

    /// Whether another span of this id was taken in.
    pub(crate) fn has_other(&self, span: SpanId, policy: Sha256Digest) -> bool {
        self.all(span, policy).any(|known| known.became != Became::Refused)
    }

    /// Takes one refused attempt that nobody named; whether there was one.
    fn claim(&mut self, hash: EnvelopeHash) -> bool {
        match self.unclaimed.get_mut(&hash) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        }
    }

    /// What the ledger knows of the trace once this is committed; attempts that an import before left are told, so that
    /// they are not made again.
    pub(crate) fn learn(&mut self, mapped: &mut Mapped) {
        for call in &mut mapped.calls {
            call.is_there = call.is_denied && self.claim(call.hash);
        }
        mapped.import.take().iter().for_each(|import| self.add_rows(import));
        for context in &mapped.contexts {
            if let Envelope::AuthContext(record) = context.envelope() {
                self.contexts.push((context.hash(), record.clone()));
            }
        }
    }

    fn size(&self) -> usize {
        self.spans.len() + self.more.len() + self.contexts.len()
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
