//! Index entries: by them the log says which traces it holds, so that a bundle can show that it
//! leaves none of a trace's entries out. One is appended before each checkpoint and, once a log key is
//! listed, when a segment was sealed; `docs/bundle.md` has the rule of their ranges.
//!
//! The leaves come from the indexes beside the segments and the headers of each trace's last entry.
//! `verify` makes them from the log alone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use proofline_canon::Sha256Digest;
use proofline_proof::header::{EntryHeader, EntryKind};
use proofline_proof::tree::Frontier;
use proofline_proof::{LeafHash, Seq, TraceLeaf};
use proofline_trace::{SafeInt, TraceId, TraceIndexRecord};

use crate::segments::{EntryFault, Segment, Segments};
use crate::snapshot::Snapshot;
use crate::system::SystemKind;

/// A range up to so many entries is read header by header; a longer one goes by the indexes.
const READ_THROUGH_ENTRIES: u64 = 2048;

/// Pairs of trace and ordinal that a cursor over a segment's index holds.
const CURSOR_PAIRS: usize = 512;

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
        let last = self.last_index_entry(end)?;
        let (counted_to, counted) = match &last {
            Some(last) => (last.seq, last.record.keys.get()),
            None => (Seq::GENESIS, 0),
        };
        let cover = last.map(|last| self.cover(last)).transpose()?.unwrap_or_default();
        let ranges: Vec<(Seq, Seq)> = cover.iter().map(|entry| (entry.seq, entry.from())).collect();
        let from = first_of_range(&ranges, end);
        let keys = counted + self.key_entries(counted_to, end)?;
        let mut tree = Frontier::empty();
        self.trace_leaves(from, end, &mut |leaf| tree.push(leaf.hash()))?;
        Ok(TraceIndexRecord {
            from: SafeInt::saturating(from.get()),
            keys: SafeInt::saturating(keys),
            root: Sha256Digest::from_bytes(*tree.root().as_bytes()),
            traces: SafeInt::saturating(tree.size()),
        })
    }

    fn key_entries(&self, from: Seq, end: Seq) -> Result<u64, EntryFault> {
        let mut count = 0;
        for seq in self.system_entries()?.into_iter().filter(|seq| (from..end).contains(seq)) {
            let kind = self.read(seq)?.map(|entry| SystemKind::read(&entry.body));
            count += u64::from(matches!(kind, Some(Ok(SystemKind::Key(_)))));
        }
        Ok(count)
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
        let mut leaves = BTreeMap::new();
        for seq in (from.get()..end.get()).map(Seq::new) {
            let (header, bytes) = self.header_at(seq)?;
            if let Some(link) = header.trace {
                leaves.insert(link.trace_id, leaf_of(link.trace_id, link.count, &bytes));
            }
        }
        leaves.into_values().for_each(visit);
        Ok(())
    }

    fn leaves_by_indexes(
        &self,
        from: Seq,
        end: Seq,
        visit: &mut dyn FnMut(TraceLeaf),
    ) -> Result<(), EntryFault> {
        let mut merge = Merge::over(&self.list, from, end)?;
        while let Some((trace_id, last)) = merge.next()? {
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

/// One segment's pairs of trace and entry, in order, a few of them in memory at a time.
struct Cursor<'a> {
    segment: &'a Segment,
    pairs: VecDeque<(TraceId, u32)>,
    last: Option<(TraceId, u32)>,
    is_at_end: bool,
}

impl Cursor<'_> {
    fn peek(&mut self) -> Result<Option<TraceId>, EntryFault> {
        if self.pairs.is_empty() && !self.is_at_end {
            let page = self.segment.index.pairs_after(self.last, CURSOR_PAIRS)?;
            self.is_at_end = page.len() < CURSOR_PAIRS;
            self.last = page.last().copied().or(self.last);
            self.pairs = page.into();
        }
        Ok(self.pairs.front().map(|(trace, _)| *trace))
    }

    /// Takes every entry of a trace; the last of those from `from` up to `end`.
    fn take(&mut self, trace: TraceId, from: Seq, end: Seq) -> Result<Option<Seq>, EntryFault> {
        let mut last = None;
        while self.peek()? == Some(trace) {
            let Some((_, ordinal)) = self.pairs.pop_front() else { break };
            let seq = self.segment.seq_of(ordinal);
            if self.segment.shows(ordinal) && (from..end).contains(&seq) {
                last = last.max(Some(seq));
            }
        }
        Ok(last)
    }
}

/// The traces of several segments as one ascending list.
struct Merge<'a> {
    from: Seq,
    end: Seq,
    cursors: Vec<Cursor<'a>>,
    heap: BinaryHeap<Reverse<(TraceId, usize)>>,
}

impl<'a> Merge<'a> {
    fn over(list: &'a [Segment], from: Seq, end: Seq) -> Result<Self, EntryFault> {
        let within = list.iter().filter(|segment| {
            let first = segment.header.first_seq;
            first < end && first.get().saturating_add(segment.entries) > from.get()
        });
        let cursor = |segment| Cursor { segment, pairs: VecDeque::new(), last: None, is_at_end: false };
        let mut merge = Merge { from, end, cursors: within.map(cursor).collect(), heap: BinaryHeap::new() };
        for at in 0..merge.cursors.len() {
            merge.wait(at)?;
        }
        Ok(merge)
    }

    fn wait(&mut self, at: usize) -> Result<(), EntryFault> {
        let next = self.cursors.get_mut(at).map(Cursor::peek).transpose()?.flatten();
        self.heap.extend(next.map(|trace| Reverse((trace, at))));
        Ok(())
    }

    /// The next trace that has an entry in the range, and the last of them.
    fn next(&mut self) -> Result<Option<(TraceId, Seq)>, EntryFault> {
        while let Some(Reverse((trace, _))) = self.heap.peek().copied() {
            let mut last = None;
            while let Some(Reverse((other, at))) = self.heap.peek().copied()
                && other == trace
            {
                self.heap.pop();
                if let Some(cursor) = self.cursors.get_mut(at) {
                    last = last.max(cursor.take(trace, self.from, self.end)?);
                }
                self.wait(at)?;
            }
            if let Some(last) = last {
                return Ok(Some((trace, last)));
            }
        }
        Ok(None)
    }
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
