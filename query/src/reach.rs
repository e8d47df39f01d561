//! What lies beyond an entry: the records that it rests on, and the rest of its trace. What was looked up is
//! remembered, up to a bound; no answer depends on what was.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use proofline_ledger::{EntryBuffer, EntryFault, EntryKind, EntryStatus, Seq, Snapshot};
use proofline_trace::{Envelope, EnvelopeHash, TraceId};

use crate::decide::{Depth, decide};
use crate::field::TraceField;
use crate::filter::Filter;
use crate::subject::{Subject, read_record};

/// How many records and how many traces a thread remembers: twice this many at most.
const REMEMBERED: usize = 4_096;
/// How long the bodies of the records are that a thread remembers, in bytes: twice this at most, and one more.
const REMEMBERED_BYTES: usize = 8 << 20;

/// Answers of late, and those before them; the oldest are dropped together.
struct Memory<K, V> {
    young: HashMap<K, (V, usize)>,
    young_bytes: usize,
    old: HashMap<K, (V, usize)>,
}

impl<K: Eq + Hash + Clone, V: Clone> Memory<K, V> {
    fn new() -> Self {
        Self { young: HashMap::new(), young_bytes: 0, old: HashMap::new() }
    }

    fn get(&mut self, key: &K) -> Option<V> {
        if let Some((value, _)) = self.young.get(key) {
            return Some(value.clone());
        }
        let (value, bytes) = self.old.get(key)?.clone();
        self.put(key.clone(), value.clone(), bytes);
        Some(value)
    }

    fn put(&mut self, key: K, value: V, bytes: usize) {
        if self.young.len() >= REMEMBERED || self.young_bytes >= REMEMBERED_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        let before = self.young.insert(key, (value, bytes));
        self.young_bytes = self.young_bytes.saturating_add(bytes) - before.map_or(0, |(_, bytes)| bytes);
    }
}

/// A record that another one names.
#[derive(Clone, Debug)]
pub(crate) enum Named {
    /// The accepted record of that hash.
    Record(Arc<Envelope>),
    /// None was accepted.
    Nothing,
    /// One was, and cannot be read: it is archived or damaged.
    Unknown,
}

/// What is known of a trace.
#[derive(Clone, Default)]
struct TraceFacts {
    counts: Option<Counts>,
    /// Of each `trace.any` of the filter, once asked.
    any: Vec<Option<Option<bool>>>,
}

/// Entries of a trace, by kind. `None` where a header cannot be read.
type Counts = Option<[u64; 4]>;

/// The way to other entries, of one thread.
pub(crate) struct Reach<'a> {
    snapshot: &'a Snapshot,
    records: Memory<EnvelopeHash, Named>,
    traces: Memory<TraceId, TraceFacts>,
    /// The filters in `trace.any`.
    quantified: &'a [&'a Filter],
    /// Whether anybody asks for records that others name.
    keeps_records: bool,
}

impl<'a> Reach<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot, quantified: &'a [&'a Filter], keeps_records: bool) -> Self {
        Self { snapshot, records: Memory::new(), traces: Memory::new(), quantified, keeps_records }
    }

    /// Remembers a record that was read on the way, if others may name it.
    pub(crate) fn met(&mut self, subject: &Subject<'_>) {
        let is_accepted = matches!(subject.header.status, EntryStatus::Accepted);
        if !self.keeps_records || !is_accepted {
            return;
        }
        if let (Some(record), Some(body)) = (subject.record(), subject.body)
            && record.policy_decision_hash().is_none()
            && EnvelopeHash::of(body) == subject.header.envelope_hash
        {
            self.records.put(subject.header.envelope_hash, Named::Record(Arc::clone(record)), body.len());
        }
    }

    /// The accepted record of this hash.
    pub(crate) fn record(&mut self, hash: &EnvelopeHash) -> Result<Named, EntryFault> {
        if let Some(named) = self.records.get(hash) {
            return Ok(named);
        }
        let (named, bytes) = self.look_up(hash)?;
        self.records.put(*hash, named.clone(), bytes);
        Ok(named)
    }

    /// The record, and how long its body is.
    fn look_up(&self, hash: &EnvelopeHash) -> Result<(Named, usize), EntryFault> {
        let Some(seq) = self.snapshot.accepted(hash)? else { return Ok((Named::Nothing, 0)) };
        match self.snapshot.entry(seq) {
            // What its hash does not name is no record that anybody named: which of two such bodies was met first
            // would show.
            Ok(Some(entry)) => {
                let record = read_record(&entry.body).filter(|_| EnvelopeHash::of(&entry.body) == *hash);
                let named = record.map_or(Named::Unknown, |record| Named::Record(Arc::new(record)));
                Ok((named, entry.body.len()))
            }
            Ok(None) => Ok((Named::Nothing, 0)),
            Err(EntryFault::Io(error)) => Err(EntryFault::Io(error)),
            Err(_) => Ok((Named::Unknown, 0)),
        }
    }

    /// How many entries of a trace there are; `None` where that is not known.
    pub(crate) fn count(&mut self, trace: TraceId, field: TraceField) -> Result<Option<u64>, EntryFault> {
        let mut facts = self.traces.get(&trace).unwrap_or_default();
        let counts = match facts.counts {
            Some(counts) => counts,
            None => {
                let counts = self.count_all(trace)?;
                facts.counts = Some(counts);
                self.traces.put(trace, facts, 0);
                counts
            }
        };
        Ok(counts.map(|[entries, records, rejected, artifacts]| match field {
            TraceField::Entries => entries,
            TraceField::Records => records,
            TraceField::Rejected => rejected,
            TraceField::Artifacts => artifacts,
        }))
    }

    fn count_all(&self, trace: TraceId) -> Result<Counts, EntryFault> {
        let mut counts = [0; 4];
        for seq in self.snapshot.of_trace(trace)? {
            let header = match self.snapshot.header(seq) {
                Ok(Some(header)) => header,
                Ok(None) => continue,
                Err(EntryFault::Io(error)) => return Err(EntryFault::Io(error)),
                Err(_) => return Ok(None),
            };
            // What an index says of a trace counts where the header says it too.
            if header.trace.is_none_or(|link| link.trace_id != trace) {
                continue;
            }
            let [entries, records, rejected, artifacts] = &mut counts;
            *entries += 1;
            match header.status.kind() {
                EntryKind::Accepted => *records += 1,
                EntryKind::Rejected => *rejected += 1,
                EntryKind::Artifact => *artifacts += 1,
                _ => {}
            }
        }
        Ok(Some(counts))
    }

    /// Whether an entry of the trace fits. `within` is the filter in a `trace.any` of the whole filter.
    pub(crate) fn any_of(&mut self, trace: TraceId, within: &Filter) -> Result<Option<bool>, EntryFault> {
        let at = self.quantified.iter().position(|filter| std::ptr::eq(*filter, within));
        let facts = self.traces.get(&trace).unwrap_or_default();
        if let Some(known) = at.and_then(|at| facts.any.get(at).copied().flatten()) {
            return Ok(known);
        }
        let found = self.search(trace, within)?;
        if let Some(at) = at {
            // Asking may have counted the trace.
            let mut facts = self.traces.get(&trace).unwrap_or_default();
            facts.any.resize(self.quantified.len().max(at + 1), None);
            if let Some(slot) = facts.any.get_mut(at) {
                *slot = Some(found);
            }
            self.traces.put(trace, facts, 0);
        }
        Ok(found)
    }

    fn search(&mut self, trace: TraceId, within: &Filter) -> Result<Option<bool>, EntryFault> {
        let seqs = self.snapshot.of_trace(trace)?;
        let mut buffer = EntryBuffer::default();
        let (mut rest, mut answer) = (seqs.as_slice(), Some(false));
        while !rest.is_empty() {
            let count = self.snapshot.read_entries(rest, &mut buffer).max(1);
            let (group, behind) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            for (seq, view) in group.iter().zip(buffer.entries(group)) {
                let fits = match view {
                    Some(view) => {
                        self.fits(&Subject::new(&view.header, view.header_bytes, view.body), trace, within)?
                    }
                    None => self.fits_alone(*seq, trace, within)?,
                };
                match fits {
                    Some(true) => return Ok(Some(true)),
                    Some(false) => {}
                    None => answer = None,
                }
            }
            rest = behind;
        }
        Ok(answer)
    }

    fn fits_alone(&mut self, seq: Seq, trace: TraceId, within: &Filter) -> Result<Option<bool>, EntryFault> {
        match self.snapshot.entry(seq) {
            Ok(Some(entry)) => {
                self.fits(&Subject::new(&entry.header, &entry.header_bytes, &entry.body), trace, within)
            }
            Ok(None) => Ok(Some(false)),
            Err(EntryFault::Archived(_)) => match self.snapshot.header(seq) {
                Ok(Some(header)) => self.fits(&Subject::without_body(&header, &[]), trace, within),
                Ok(None) => Ok(Some(false)),
                Err(EntryFault::Io(error)) => Err(EntryFault::Io(error)),
                Err(_) => Ok(None),
            },
            Err(EntryFault::Io(error)) => Err(EntryFault::Io(error)),
            Err(_) => Ok(None),
        }
    }

    fn fits(
        &mut self,
        subject: &Subject<'_>,
        trace: TraceId,
        within: &Filter,
    ) -> Result<Option<bool>, EntryFault> {
        if subject.header.trace.is_none_or(|link| link.trace_id != trace) {
            return Ok(Some(false));
        }
        decide(within, subject, self, Depth::All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_by_number_and_by_bytes() {
        let mut memory: Memory<u64, u64> = Memory::new();
        for key in 0..20_000 {
            memory.put(key, key, 1);
            // What is asked for again and again stays.
            assert_eq!(memory.get(&0), Some(0));
            assert!(memory.young.len() + memory.old.len() <= 2 * REMEMBERED + 1);
        }
        assert_eq!((memory.get(&19_999), memory.get(&1)), (Some(19_999), None));
        for key in 0..1_000 {
            memory.put(key, key, REMEMBERED_BYTES / 3);
            let bytes: usize = memory.young.values().chain(memory.old.values()).map(|(_, bytes)| bytes).sum();
            assert!(bytes <= 3 * REMEMBERED_BYTES);
        }
    }
}
