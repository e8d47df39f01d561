//! Index entries: by them the log says which traces it holds, so that a bundle can show that it
//! leaves none of a trace's entries out. One is appended before each checkpoint and, once a log key is
//! listed, when a segment was sealed; `docs/bundle.md` has the rule of their ranges.
//!
//! What is new is read from the log itself; what an index entry covers already comes from the indexes beside
//! the segments, and is used when it has the root that this index entry states. `verify` makes all from the log.

use std::collections::BTreeMap;

use proofline_canon::Sha256Digest;
use proofline_proof::header::{EntryHeader, EntryKind};
use proofline_proof::{LeafHash, Seq, TraceLeaf, TraceTree};
use proofline_trace::{SafeInt, TraceId, TraceIndexRecord};

use crate::error::Damage;
use crate::segments::{EntryFault, Segments};
use crate::snapshot::Snapshot;
use crate::system::SystemKind;
use crate::trace_walk::TraceWalk;

/// A range up to so many entries is read header by header; a longer one goes by the indexes.
const READ_THROUGH_ENTRIES: u64 = 2048;

/// An index entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Where it stands: it covers the entries from its record's `from` up to here.
    pub seq: Seq,
    /// What it says.
    pub record: TraceIndexRecord,
}

impl IndexEntry {
    /// The seq of the first entry that it covers.
    #[must_use]
    pub const fn from(&self) -> Seq {
        Seq::new(self.record.from.get())
    }
}

/// Where a new range begins that ends at `end`, over ranges that lie side by side and the last of which
/// ends at the last item: it takes in the ranges before it while they are at most twice as long.
pub(crate) fn first_of_range(cover: &[(Seq, Seq)], end: Seq) -> Seq {
    let mut from = cover.first().map_or(Seq::GENESIS, |(seq, _)| *seq);
    for (seq, first) in cover {
        let (before, own) = (seq.get().saturating_sub(first.get()), end.get().saturating_sub(from.get()));
        if before > own.saturating_mul(2) {
            break;
        }
        from = *first;
    }
    from
}

impl Segments {
    /// The index entry at `seq`, if there is one.
    fn index_entry(&self, seq: Seq) -> Result<Option<IndexEntry>, EntryFault> {
        let entry = self.read(seq)?.filter(|entry| entry.header.status.kind() == EntryKind::System);
        Ok(entry.and_then(|entry| match SystemKind::read(&entry.body) {
            Ok(SystemKind::TraceIndex(record)) => Some(IndexEntry { seq, record }),
            _ => None,
        }))
    }

    /// The last index entry below `end`.
    pub(crate) fn last_index_entry(&self, end: Seq) -> Result<Option<IndexEntry>, EntryFault> {
        for seq in self.system_entries()?.into_iter().rev().filter(|seq| *seq < end) {
            if let Some(found) = self.index_entry(seq)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The cover of an index entry: itself, and those that it rests on, the newest first.
    fn cover(&self, entry: IndexEntry) -> Result<Vec<IndexEntry>, EntryFault> {
        let mut cover = vec![entry];
        while let Some(last) = cover.last() {
            let (seq, from) = (last.seq, last.from());
            if from == Seq::GENESIS {
                break;
            }
            let before = self.index_entry(from)?.filter(|before| before.seq < seq);
            cover.push(before.ok_or_else(|| self.no_index_entry(from))?);
        }
        Ok(cover)
    }

    fn no_index_entry(&self, seq: Seq) -> EntryFault {
        self.form_fault(seq, &"an index entry rests on this entry, which is none")
    }

    /// What an index entry at `end` would say.
    pub(crate) fn index_record(&self, end: Seq) -> Result<TraceIndexRecord, EntryFault> {
        let cover = self.cover_before(end)?;
        let ranges: Vec<(Seq, Seq)> = cover.iter().map(|entry| (entry.seq, entry.from())).collect();
        self.record_over(&cover, first_of_range(&ranges, end), end)
    }

    fn cover_before(&self, end: Seq) -> Result<Vec<IndexEntry>, EntryFault> {
        let last = self.last_index_entry(end)?;
        last.map(|last| self.cover(last)).transpose().map(Option::unwrap_or_default)
    }

    /// That an index entry says what the log gives. The index entries before it are believed: they were
    /// signed, or held to the log before.
    pub(crate) fn check_index_entry(&self, entry: &IndexEntry) -> Result<(), EntryFault> {
        let cover = self.cover_before(entry.seq)?;
        let from = entry.from();
        if from != Seq::GENESIS && !cover.iter().any(|before| before.seq == from) {
            let message = format!("it begins at entry {from}, on which nothing before it rests");
            return Err(self.fault("trace_index.from", entry.seq, message));
        }
        let expected = self.record_over(&cover, from, entry.seq)?;
        if expected == entry.record {
            return Ok(());
        }
        let code = if expected.keys == entry.record.keys { "trace_index.root" } else { "trace_index.keys" };
        let message = "it does not say what the entries before it give".to_owned();
        Err(self.fault(code, entry.seq, message))
    }

    /// What an index entry at `end` says of the entries from `from`, where a range of the cover begins or
    /// ends. What no index entry covers yet is read from the log, header by header; what one does comes
    /// from the indexes beside the segments, and must have the root that it states.
    fn record_over(&self, cover: &[IndexEntry], from: Seq, end: Seq) -> Result<TraceIndexRecord, EntryFault> {
        let (covered_to, counted) =
            cover.first().map_or((Seq::GENESIS, 0), |last| (last.seq, last.record.keys.get()));
        for entry in cover.iter().take_while(|entry| entry.seq > from) {
            self.check_range(entry)?;
        }
        let (own, keys) = self.own_part(covered_to, end)?;
        let mut own = own.into_values().peekable();
        let mut tree = TraceTree::default();
        self.trace_leaves(from, covered_to.max(from), &mut |leaf| {
            while let Some(new) = own.next_if(|new| new.trace_id < leaf.trace_id) {
                tree.push(&new);
            }
            tree.push(&own.next_if(|new| new.trace_id == leaf.trace_id).unwrap_or(leaf));
        })?;
        own.for_each(|new| tree.push(&new));
        let tree = tree.finish();
        Ok(TraceIndexRecord {
            from: SafeInt::saturating(from.get()),
            keys: SafeInt::saturating(counted.saturating_add(keys)),
            root: Sha256Digest::from_bytes(*tree.root().as_bytes()),
            traces: SafeInt::saturating(tree.size()),
        })
    }

    /// The leaves of the range of an index entry are those that it commits to.
    fn check_range(&self, entry: &IndexEntry) -> Result<(), EntryFault> {
        let mut tree = TraceTree::default();
        self.trace_leaves(entry.from(), entry.seq, &mut |leaf| tree.push(&leaf))?;
        let tree = tree.finish();
        let is_same = tree.size() == entry.record.traces.get()
            && tree.root().as_bytes() == entry.record.root.as_bytes();
        if is_same {
            return Ok(());
        }
        let message = "the indexes beside the segments do not give what it states; reindex, then verify";
        Err(self.fault("trace_index.root", entry.seq, message.to_owned()))
    }

    /// The traces of the entries from `from` up to `end`, and how many key entries there are, read from the
    /// entries themselves.
    fn own_part(&self, from: Seq, end: Seq) -> Result<(BTreeMap<TraceId, TraceLeaf>, u64), EntryFault> {
        let (mut leaves, mut keys) = (BTreeMap::new(), 0);
        for seq in (from.get()..end.get()).map(Seq::new) {
            let (header, bytes) = self.header_at(seq)?;
            if let Some(link) = header.trace {
                leaves.insert(link.trace_id, leaf_of(link.trace_id, link.count, &bytes));
            }
            if header.status.kind() == EntryKind::System {
                let kind = self.read(seq)?.map(|entry| SystemKind::read(&entry.body));
                keys += u64::from(matches!(kind, Some(Ok(SystemKind::Key(_)))));
            }
        }
        Ok((leaves, keys))
    }

    fn fault(&self, code: &'static str, seq: Seq, message: String) -> EntryFault {
        let (file, offset) = self.place(seq).unwrap_or_default();
        EntryFault::Damaged(Damage { code, file, offset, seq: Some(seq), message })
    }

    /// Every leaf of the tree of traces over the entries from `from` up to, not including, `end`, ascending.
    pub(crate) fn trace_leaves(
        &self,
        from: Seq,
        end: Seq,
        visit: &mut dyn FnMut(TraceLeaf),
    ) -> Result<(), EntryFault> {
        if end.get().saturating_sub(from.get()) <= READ_THROUGH_ENTRIES {
            return self.leaves_by_headers(from, end, visit);
        }
        self.leaves_by_indexes(from, end, visit)
    }

    fn leaves_by_headers(
        &self,
        from: Seq,
        end: Seq,
        visit: &mut dyn FnMut(TraceLeaf),
    ) -> Result<(), EntryFault> {
        let (leaves, _) = self.own_part(from, end)?;
        leaves.into_values().for_each(visit);
        Ok(())
    }

    fn leaves_by_indexes(
        &self,
        from: Seq,
        end: Seq,
        visit: &mut dyn FnMut(TraceLeaf),
    ) -> Result<(), EntryFault> {
        let within = self.list.iter().filter(|segment| {
            let first = segment.header.first_seq;
            first < end && first.get().saturating_add(segment.entries) > from.get()
        });
        let mut walk = TraceWalk::over(within, None)?;
        let mut entries = Vec::new();
        while let Some(trace_id) = walk.next(&mut entries)? {
            let in_range = entries.iter().filter(|seq| (from..end).contains(*seq));
            let Some(last) = in_range.max().copied() else { continue };
            let (header, bytes) = self.header_at(last)?;
            let link = header.trace.filter(|link| link.trace_id == trace_id);
            let link = link.ok_or_else(|| {
                self.form_fault(
                    last,
                    &format!("an index lists it under trace {trace_id}, of which it is not"),
                )
            })?;
            visit(leaf_of(trace_id, link.count, &bytes));
        }
        Ok(())
    }

    fn header_at(&self, seq: Seq) -> Result<(EntryHeader, Vec<u8>), EntryFault> {
        let bytes = self.read_header(seq)?;
        let bytes = bytes.ok_or_else(|| self.form_fault(seq, &"an index entry needs this entry"))?;
        let header = EntryHeader::decode(&bytes).map_err(|error| self.form_fault(seq, &error))?;
        Ok((header, bytes))
    }
}

fn leaf_of(trace_id: TraceId, count: u64, header: &[u8]) -> TraceLeaf {
    TraceLeaf { trace_id, count, last_leaf: LeafHash::of_header(header) }
}

impl Snapshot {
    /// The cover of the index entry at `seq`: itself and those that it rests on, the newest first, down to
    /// one that begins at the genesis entry. `None` when there is no index entry there.
    ///
    /// # Errors
    /// [`EntryFault`].
    pub fn index_cover(&self, seq: Seq) -> Result<Option<Vec<IndexEntry>>, EntryFault> {
        let entry = self.segments().index_entry(seq)?;
        entry.map(|entry| self.segments().cover(entry)).transpose()
    }

    /// Every leaf of the tree of traces that an index entry commits to, ascending by trace id. They come
    /// from the ledger as it is, and are what the entry says when their root is its root.
    ///
    /// # Errors
    /// [`EntryFault`].
    pub fn trace_leaves(
        &self,
        entry: &IndexEntry,
        visit: &mut dyn FnMut(TraceLeaf),
    ) -> Result<(), EntryFault> {
        self.segments().trace_leaves(entry.from(), entry.seq, visit)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use proofline_canon::{Limits, Value, parse};

    use super::*;

    /// The reference's choice of ranges, for steps of many kinds.
    #[test]
    fn ranges_begin_where_the_reference_has_them_begin() {
        let text = include_bytes!("../../vectors/trace_index/ranges.json");
        let document = parse(text, &Limits::CONTENT).unwrap();
        let cases = document.get("cases").and_then(Value::as_array).unwrap();
        assert!(cases.len() >= 20);
        let numbers = |value: &Value| -> Vec<u64> {
            let items = value.as_array().unwrap().iter();
            items.map(|it| it.as_number().unwrap().literal().parse().unwrap()).collect()
        };
        for case in cases {
            let mut cover: Vec<(Seq, Seq)> = Vec::new();
            let mut found = Vec::new();
            for seq in numbers(case.get("seqs").unwrap()).into_iter().map(Seq::new) {
                let from = first_of_range(&cover, seq);
                cover.retain(|(before, _)| *before <= from && *before != Seq::GENESIS);
                cover.insert(0, (seq, from));
                found.push(from.get());
            }
            let expected = case.get("expected").unwrap();
            assert_eq!(found, numbers(expected.get("from").unwrap()), "{case:?}");
            let cover: Vec<u64> = cover.iter().map(|(seq, _)| seq.get()).collect();
            assert_eq!(cover, numbers(expected.get("cover").unwrap()), "{case:?}");
        }
    }
}
