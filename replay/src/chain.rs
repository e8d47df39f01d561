//! A trace as the log holds it: its entries, the evidence in them with the outcome of the byte
//! checks, and the order of the chain.

use std::cmp::Ordering;

use proofline_canon::{Limits, Pointer};
use proofline_ledger::frame::MAX_BODY_BYTES;
use proofline_ledger::header::{DeclaredHash, TraceLink};
use proofline_ledger::{Damage, Entry, EntryStatus, Seq, Snapshot};
use proofline_trace::{
    ChainKey, Classification, Envelope, EnvelopeHash, ErrorKind, Failure, FailureClass, TraceId,
    read_unhashed,
};
use rayon::prelude::*;

use crate::census::Census;
use crate::check::{Check, Subject};
use crate::error::ReplayError;
use crate::reading::{LinkFacts, read_entry};

/// Entries of one trace that a thread reads at a stretch.
const ENTRIES_PER_TASK: usize = 32;

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
    pub(crate) fn of(entry: &Entry, rule: ByteRule) -> Option<Self> {
        let standing = match &entry.header.status {
            EntryStatus::Accepted => Standing::Accepted,
            EntryStatus::Rejected { classification, error_kind, declared_hash } => {
                Standing::Rejected(Refusal {
                    classification: *classification,
                    error_kind: error_kind.clone(),
                    declared_hash: declared_hash.clone(),
                })
            }
            EntryStatus::Genesis | EntryStatus::Artifact | EntryStatus::System => return None,
        };
        let (seq, key) = (entry.header.seq, entry.header.envelope_hash);
        let (envelope, fault) = check_bytes(seq, key, &entry.body, rule);
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
    fn chain_order(&self, other: &Self) -> Ordering {
        self.chain_key().cmp(&other.chain_key())
    }

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
    rule: ByteRule,
) -> (Option<Envelope>, Option<Failure>) {
    let limits = Limits::ENVELOPE.with_max_bytes(MAX_BODY_BYTES);
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
    fn of(trace_id: TraceId, entry: &Entry, rule: ByteRule) -> Option<Self> {
        let link = entry.header.trace.filter(|link| link.trace_id == trace_id)?;
        let (facts, hash) = (LinkFacts::of(entry), entry.header.envelope_hash);
        Some(Self { facts, hash, link, record: Record::of(entry, rule) })
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        let plain = Subject { seq: self.facts.seq, hash: Some(self.hash), envelope: None };
        self.record.as_ref().map_or(plain, Record::subject)
    }
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
        let read = |seq: &Seq| {
            let entry = read_entry(snapshot, *seq)?;
            Ok((*seq, entry.map(|entry| TraceEntry::of(trace_id, &entry, rule))))
        };
        let tasks = seqs.par_iter().with_min_len(ENTRIES_PER_TASK);
        let found = tasks.map(read).collect::<Result<Vec<_>, ReplayError>>()?;
        let mut log = Self { entries: Vec::with_capacity(found.len()), unreadable: Vec::new() };
        for (seq, entry) in found {
            match entry {
                Ok(entry) => log.entries.extend(entry),
                Err(damage) => log.unreadable.push((seq, damage)),
            }
        }
        Ok(log)
    }

    /// The entries as a census has them.
    pub(crate) fn census(&self, trace_id: TraceId) -> Census {
        let mut census = Census::default();
        self.entries.iter().for_each(|entry| census.count(trace_id, entry.facts.seq));
        census
    }

    /// The evidence of the trace, in ledger order.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.entries.iter().filter_map(|entry| entry.record.as_ref())
    }

    /// The chain: accepted records and, on request, rejected attempts.
    pub(crate) fn chain(&self, include_rejected: bool) -> Vec<&Record> {
        let mut chain: Vec<&Record> =
            self.records().filter(|record| include_rejected || record.is_accepted()).collect();
        chain.sort_by(|one, other| one.chain_order(other));
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
