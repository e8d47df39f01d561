//! A trace as the log holds it: its entries, the evidence in them with the outcome of the byte
//! checks, and the order of the chain.

use std::iter::repeat_n;

use proofline_canon::{Limits, Pointer};
use proofline_ledger::frame::MAX_BODY_BYTES;
use proofline_ledger::header::{DeclaredHash, TraceLink};
use proofline_ledger::{Damage, Entry, EntryHeader, EntryStatus, Seq, Snapshot};
use proofline_trace::{
    ChainKey, Classification, Envelope, EnvelopeHash, ErrorKind, Failure, FailureClass, TraceId,
    read_unhashed, try_canonical,
};
use rayon::prelude::*;

use crate::check::{Check, Subject};
use crate::error::ReplayError;
use crate::reading::{HashedEntry, LinkFacts, Pace, Reader, read_entry};
use crate::walk::TraceEntries;

/// Entries that a thread reads at a stretch.
const ENTRIES_PER_TASK: usize = 512;

/// What the gate said of a piece of evidence.
#[derive(Debug)]
pub(crate) enum Standing {
    Accepted,
    Rejected(Refusal),
}

/// What the header keeps of a refusal.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) classification: Classification,
    pub(crate) error_kind: ErrorKind,
    pub(crate) declared_hash: DeclaredHash,
}

/// A piece of evidence. The stored bytes are checked when they are read and not kept.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) seq: Seq,
    /// The envelope hash that the header states.
    pub(crate) key: EnvelopeHash,
    pub(crate) standing: Standing,
    /// The record, where its bytes are one that passes the schema.
    pub(crate) envelope: Option<Envelope>,
    /// The first byte check that does not hold.
    pub(crate) fault: Option<Box<Failure>>,
}

/// Which bytes of a record are the right ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteRule {
    /// The canonical ones, as the gate stored them.
    Stored,
    /// Any spelling of the record: the hash is over its canonical bytes (section 3), and whether
    /// the stored ones are those is forensic replay's question.
    Meant,
}

impl Record {
    /// The evidence in an entry, if it is any.
    pub(crate) fn of(entry: Entry, rule: ByteRule) -> Option<Self> {
        Self::of_parts(entry.header, &entry.body, None, rule)
    }

    /// The same; the hash of the body is given where it is known.
    fn of_parts(
        header: EntryHeader,
        body: &[u8],
        body_hash: Option<EnvelopeHash>,
        rule: ByteRule,
    ) -> Option<Self> {
        let standing = match header.status {
            EntryStatus::Accepted => Standing::Accepted,
            EntryStatus::Rejected { classification, error_kind, declared_hash } => {
                Standing::Rejected(Refusal { classification, error_kind, declared_hash })
            }
            EntryStatus::Genesis | EntryStatus::Artifact | EntryStatus::System => return None,
        };
        let (seq, key) = (header.seq, header.envelope_hash);
        let (envelope, fault) = check_bytes(seq, key, body, body_hash, rule);
        Some(Self { seq, key, standing, envelope, fault: fault.map(Box::new) })
    }

    pub(crate) const fn is_accepted(&self) -> bool {
        matches!(self.standing, Standing::Accepted)
    }

    pub(crate) const fn subject(&self) -> Subject<'_> {
        Subject { seq: self.seq, hash: Some(self.key), envelope: self.envelope.as_ref() }
    }

    /// The place in the chain.
    ///
    /// A body that is no envelope has no rank and no time: such records stand behind all others,
    /// by key, accepted before rejected, then in ledger order. Two accepted entries of one key,
    /// which no gate makes, stand in ledger order.
    fn chain_key(&self) -> (bool, Option<ChainKey>, EnvelopeHash, bool, Seq) {
        let key = self.envelope.as_ref().map(|envelope| {
            let accepted = ChainKey::new(envelope.record_type(), envelope.time_ms(), self.key);
            if self.is_accepted() { accepted } else { accepted.rejected_at(self.seq.get()) }
        });
        (key.is_none(), key, self.key, !self.is_accepted(), self.seq)
    }
}

/// Schema, canonical form where the rule asks for it, hash, in this order. The limits are those of
/// the format: an embedder may have admitted envelopes longer than the default.
fn check_bytes(
    seq: Seq,
    key: EnvelopeHash,
    body: &[u8],
    body_hash: Option<EnvelopeHash>,
    rule: ByteRule,
) -> (Option<Envelope>, Option<Failure>) {
    let limits = Limits::ENVELOPE.with_max_bytes(MAX_BODY_BYTES);
    // Bytes that are the canonical ones of a record and have its key satisfy either rule. All else is looked at below.
    if body_hash == Some(key)
        && let Some(read) = try_canonical(body, &limits)
    {
        return (Some(read.into_envelope()), None);
    }
    let read = match read_unhashed(body, &limits) {
        Ok(read) => read,
        Err(rejection) => {
            let subject = Subject { seq, hash: Some(key), envelope: None };
            let failure = Failure {
                expected: Some("an envelope that passes its schema".to_owned()),
                found: Some(rejection.kind.to_string()),
                ..subject.refused(&rejection)
            };
            return (None, Some(failure));
        }
    };
    let (envelope, canonical) = (read.envelope(), read.canonical());
    let computed = EnvelopeHash::of(canonical);
    let subject = Subject { seq, hash: Some(key), envelope: Some(envelope) };
    let mismatch = |check, message: String| Failure {
        error_kind: Some(ErrorKind::HashMismatch),
        pointer: Some(Pointer::root()),
        ..subject.fails(check, FailureClass::HashMismatch, message)
    };
    let fault = if rule == ByteRule::Stored && !read.is_as_read() {
        let offset = canonical.iter().zip(body).take_while(|(expected, found)| expected == found).count();
        let message =
            format!("The stored bytes leave the canonical form (RFC 8785) of their record at byte {offset}.");
        Some(Failure {
            expected: Some(format!("the {} canonical bytes", canonical.len())),
            found: Some(format!("{} bytes that differ from byte {offset} on", body.len())),
            ..mismatch(Check::CanonicalBytes, message)
        })
    } else if computed != key {
        let message = "The record is that of another key than the one it is stored under.";
        Some(Failure {
            expected: Some(key.to_string()),
            found: Some(computed.to_string()),
            ..mismatch(Check::EnvelopeHash, message.to_owned())
        })
    } else {
        None
    };
    (Some(read.into_envelope()), fault)
}

/// One readable entry of a trace.
#[derive(Debug)]
pub(crate) struct TraceEntry {
    pub(crate) facts: LinkFacts,
    pub(crate) hash: EnvelopeHash,
    pub(crate) link: TraceLink,
    /// What it says, unless it is an artifact.
    pub(crate) record: Option<Record>,
}

impl TraceEntry {
    /// `None` when the header names another trace: an index is a hint, the header is the truth.
    fn of(
        trace_id: TraceId,
        header: EntryHeader,
        facts: LinkFacts,
        (body, body_hash): (&[u8], Option<EnvelopeHash>),
        rule: ByteRule,
    ) -> Option<Self> {
        let link = header.trace.filter(|link| link.trace_id == trace_id)?;
        let hash = header.envelope_hash;
        Some(Self { facts, hash, link, record: Record::of_parts(header, body, body_hash, rule) })
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        let plain = Subject { seq: self.facts.seq, hash: Some(self.hash), envelope: None };
        self.record.as_ref().map_or(plain, Record::subject)
    }
}

/// What was read where an index names an entry of a trace: nothing, if it is none of it.
type Found = (Seq, Result<Option<TraceEntry>, Damage>);

/// Reads and byte-checks entries that an index names for these traces, and gives them to `take` in this order.
fn read_all(
    reader: &Reader<'_>,
    named: &[(TraceId, Seq)],
    rule: ByteRule,
    mut take: impl FnMut(Found),
) -> Result<(), ReplayError> {
    if named.len() <= 2 * ENTRIES_PER_TASK {
        return read_some(reader, named, rule, take);
    }
    let tasks = named.par_chunks(ENTRIES_PER_TASK).map(|some| {
        let mut found = Vec::with_capacity(some.len());
        read_some(reader, some, rule, |one| found.push(one))?;
        Ok(found)
    });
    tasks.collect::<Result<Vec<_>, ReplayError>>()?.into_iter().flatten().for_each(&mut take);
    Ok(())
}

fn read_some(
    reader: &Reader<'_>,
    named: &[(TraceId, Seq)],
    rule: ByteRule,
    mut take: impl FnMut(Found),
) -> Result<(), ReplayError> {
    let seqs: Vec<Seq> = named.iter().map(|(_, seq)| *seq).collect();
    let mut traces = named.iter().map(|(trace, _)| *trace);
    let is_evidence =
        |header: &EntryHeader| matches!(header.status, EntryStatus::Accepted | EntryStatus::Rejected { .. });
    reader.read(&seqs, is_evidence, |seq, entry| {
        let Some(trace_id) = traces.next() else { return Ok(()) };
        let entry = match entry {
            Some(HashedEntry { header, leaf, body, body_hash }) => {
                let facts = LinkFacts::with_leaf(&header, leaf);
                Ok(TraceEntry::of(trace_id, header, facts, (body, body_hash), rule))
            }
            None => read_entry(reader.snapshot, seq)?.map(|entry| {
                let facts = LinkFacts::of(&entry);
                TraceEntry::of(trace_id, entry.header, facts, (&entry.body, None), rule)
            }),
        };
        take((seq, entry));
        Ok::<(), ReplayError>(())
    })
}

/// All entries of a trace, in ledger order.
#[derive(Debug)]
pub(crate) struct TraceLog {
    pub(crate) entries: Vec<TraceEntry>,
    /// Entries that an index names for the trace and that cannot be read.
    pub(crate) unreadable: Vec<(Seq, Damage)>,
}

impl TraceLog {
    /// Reads and byte-checks the entries at `seqs`, which are ascending.
    pub(crate) fn read(
        snapshot: &Snapshot,
        trace_id: TraceId,
        seqs: &[Seq],
        rule: ByteRule,
    ) -> Result<Self, ReplayError> {
        let reader = Reader::new(snapshot, Pace::Bulk);
        let named: Vec<(TraceId, Seq)> = seqs.iter().map(|seq| (trace_id, *seq)).collect();
        let mut log = Self::with_capacity(seqs.len());
        read_all(&reader, &named, rule, |found| log.take(found))?;
        Ok(log)
    }

    /// The same for several traces together.
    pub(crate) fn read_each(
        reader: &Reader<'_>,
        traces: &[TraceEntries],
        rule: ByteRule,
    ) -> Result<Vec<Self>, ReplayError> {
        let named = |(trace, seqs): &TraceEntries| {
            let trace = *trace;
            seqs.iter().map(move |seq| (trace, *seq)).collect::<Vec<_>>()
        };
        let named: Vec<(TraceId, Seq)> = traces.iter().flat_map(named).collect();
        // Each entry goes straight into the log of its trace: it is long, and moving it costs time.
        let mut logs: Vec<Self> = traces.iter().map(|(_, seqs)| Self::with_capacity(seqs.len())).collect();
        let mut place = traces.iter().enumerate().flat_map(|(at, (_, seqs))| repeat_n(at, seqs.len()));
        read_all(reader, &named, rule, |found| {
            if let Some(log) = place.next().and_then(|at| logs.get_mut(at)) {
                log.take(found);
            }
        })?;
        Ok(logs)
    }

    fn with_capacity(entries: usize) -> Self {
        Self { entries: Vec::with_capacity(entries), unreadable: Vec::new() }
    }

    fn take(&mut self, (seq, entry): Found) {
        match entry {
            Ok(entry) => self.entries.extend(entry),
            Err(damage) => self.unreadable.push((seq, damage)),
        }
    }

    /// How many entries the trace gave: those that name it, each once. An index that names one twice, or out of
    /// order, gives fewer.
    pub(crate) fn given(&self) -> u64 {
        let mut before = None;
        let is_new = |entry: &&TraceEntry| before.replace(entry.facts.seq) < Some(entry.facts.seq);
        self.entries.iter().filter(is_new).count() as u64
    }

    /// The evidence of the trace, in ledger order.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.entries.iter().filter_map(|entry| entry.record.as_ref())
    }

    /// The chain: accepted records and, on request, rejected attempts.
    pub(crate) fn chain(&self, include_rejected: bool) -> Vec<&Record> {
        let mut chain: Vec<&Record> =
            self.records().filter(|record| include_rejected || record.is_accepted()).collect();
        chain.sort_by_cached_key(|record| record.chain_key());
        chain
    }

    /// The entry's facts, if it is one of the trace.
    pub(crate) fn facts(&self, seq: Seq) -> Option<&LinkFacts> {
        let at = self.entries.binary_search_by_key(&seq, |entry| entry.facts.seq).ok()?;
        self.entries.get(at).map(|entry| &entry.facts)
    }
}

/// An accepted record of a chain whose bytes were verified.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verified<'a> {
    pub(crate) seq: Seq,
    pub(crate) hash: EnvelopeHash,
    pub(crate) envelope: &'a Envelope,
}

impl<'a> Verified<'a> {
    /// The accepted records of a chain, in its order.
    pub(crate) fn of_chain(chain: &[&'a Record]) -> Vec<Self> {
        Self::of_records(chain.iter().copied())
    }

    /// The accepted records among some, in their order.
    pub(crate) fn of_records(records: impl Iterator<Item = &'a Record>) -> Vec<Self> {
        let accepted = records.filter(|record| record.is_accepted() && record.fault.is_none());
        let verified = accepted.filter_map(|record| {
            let envelope = record.envelope.as_ref()?;
            Some(Self { seq: record.seq, hash: record.key, envelope })
        });
        verified.collect()
    }
}
