//! The index of a segment in memory: of the open one, and of a sealed one without a sound file.

use std::collections::BTreeSet;
use std::ops::{Bound, Range};

use proofline_canon::Blake3Digest;
use proofline_proof::header::{EntryHeader, EntryKind};
use proofline_proof::{LeafHash, Seq};
use proofline_trace::{EnvelopeHash, LedgerId, TraceId};

use super::{HEAD_BYTES, HashPrefix, MAGIC, Span, VERSION, prefix_of};

/// Where an entry's frame begins, and its leaf hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    offset: u32,
    leaf: LeafHash,
}

/// The index of a segment in memory. Entries that could not be read have no span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    places: Vec<Option<Place>>,
    hashes: BTreeSet<(HashPrefix, u32, u8)>,
    traces: BTreeSet<(TraceId, u32)>,
    system: BTreeSet<u32>,
    /// Bytes of the segment file up to the end of the last frame.
    end: u64,
}

impl Table {
    pub(crate) fn new(segment_header_bytes: u64) -> Self {
        Table { end: segment_header_bytes, ..Table::default() }
    }

    pub(crate) fn count(&self) -> u64 {
        self.places.len() as u64
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Takes in the frame at `offset`, which is entry `ordinal`; ordinals between the last one
    /// and this one were not readable. Taking in a frame again changes nothing.
    pub(crate) fn insert(
        &mut self,
        ordinal: u32,
        offset: u32,
        frame_bytes: usize,
        header: &EntryHeader,
        leaf: LeafHash,
    ) {
        if self.places.len() <= ordinal as usize {
            self.places.resize(ordinal as usize + 1, None);
        }
        if let Some(place) = self.places.get_mut(ordinal as usize) {
            *place = Some(Place { offset, leaf });
        }
        self.end = u64::from(offset) + frame_bytes as u64;
        self.hashes.insert((prefix_of(&header.envelope_hash), ordinal, header.status.kind().code()));
        if let Some(link) = &header.trace {
            self.traces.insert((link.trace_id, ordinal));
        }
        if header.status.kind() == EntryKind::System {
            self.system.insert(ordinal);
        }
    }

    /// The leaf hash of an entry that was read.
    pub(crate) fn leaf(&self, ordinal: u32) -> Option<LeafHash> {
        self.places.get(ordinal as usize).copied().flatten().map(|place| place.leaf)
    }

    /// The leaf hashes of the first `count` entries; `None` when one of them could not be read.
    pub(crate) fn leaves(&self, count: u64) -> Option<Vec<LeafHash>> {
        let count = usize::try_from(count).ok()?;
        self.places.get(..count)?.iter().map(|place| place.map(|place| place.leaf)).collect()
    }

    pub(super) fn system_entries(&self) -> Vec<u32> {
        self.system.iter().copied().collect()
    }

    /// Traces after `after`, each once, at most `limit`, in order.
    pub(super) fn traces_after(&self, after: Option<TraceId>, limit: usize) -> Vec<TraceId> {
        let start = after.map_or(Bound::Unbounded, |trace| Bound::Excluded((trace, u32::MAX)));
        let mut found: Vec<TraceId> = Vec::new();
        for (trace, _) in self.traces.range((start, Bound::Unbounded)) {
            if found.last() != Some(trace) {
                if found.len() == limit {
                    break;
                }
                found.push(*trace);
            }
        }
        found
    }

    pub(super) fn pair_count(&self) -> u64 {
        self.traces.len() as u64
    }

    /// Which of the pairs of trace and ordinal is the first behind those of `after`.
    pub(super) fn pair_rank(&self, after: Option<TraceId>) -> u64 {
        after.map_or(0, |after| self.traces.range(..=(after, u32::MAX)).count() as u64)
    }

    pub(super) fn pairs_at(&self, rank: u64, limit: usize) -> Vec<(TraceId, u32)> {
        let passed = usize::try_from(rank).unwrap_or(usize::MAX);
        self.traces.iter().skip(passed).take(limit).copied().collect()
    }

    pub(super) fn span(&self, ordinal: u32) -> Option<Span> {
        let offset = u64::from((*self.places.get(ordinal as usize)?)?.offset);
        let after = self.places.iter().skip(ordinal as usize + 1).find_map(|next| *next);
        let end = after.map_or(self.end, |next| u64::from(next.offset));
        Some(Span { offset, bytes: end.saturating_sub(offset) })
    }

    pub(super) fn spans(&self, ordinals: Range<u32>) -> Vec<Option<Span>> {
        ordinals.map(|ordinal| self.span(ordinal)).collect()
    }

    pub(super) fn with_hash(&self, hash: &EnvelopeHash) -> Vec<(u32, u8)> {
        let prefix = prefix_of(hash);
        self.hashes
            .range((prefix, 0, 0)..=(prefix, u32::MAX, u8::MAX))
            .map(|(_, at, kind)| (*at, *kind))
            .collect()
    }

    pub(super) fn visit_hashes(&self, visit: &mut dyn FnMut(HashPrefix, u32, u8)) {
        self.hashes.iter().for_each(|(prefix, ordinal, kind)| visit(*prefix, *ordinal, *kind));
    }

    pub(super) fn of_trace(&self, trace: TraceId) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.traces.range((trace, 0)..=(trace, u32::MAX)).map(|(_, ordinal)| *ordinal)
    }

    /// The bytes of the index file up to its first checksum; `None` when some entry of the segment
    /// could not be read. Behind them the file has the bytes of a [`super::SegmentTree`].
    pub(crate) fn encode(&self, ledger_id: LedgerId, first_seq: Seq, head: LeafHash) -> Option<Vec<u8>> {
        let count = u32::try_from(self.places.len()).ok()?;
        let traced = u32::try_from(self.traces.len()).ok()?;
        let system = u32::try_from(self.system.len()).ok()?;
        let mut out = Vec::with_capacity(HEAD_BYTES + self.places.len() * 40 + 32);
        out.extend_from_slice(MAGIC);
        for field in [VERSION, count, traced, system] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(ledger_id.as_bytes());
        out.extend_from_slice(&first_seq.get().to_le_bytes());
        out.extend_from_slice(&self.end.to_le_bytes());
        out.extend_from_slice(head.as_bytes());
        for place in &self.places {
            out.extend_from_slice(&(*place)?.offset.to_le_bytes());
        }
        for (prefix, ordinal, kind) in &self.hashes {
            out.extend_from_slice(prefix);
            out.extend_from_slice(&ordinal.to_le_bytes());
            out.extend_from_slice(&[*kind, 0, 0, 0]);
        }
        for (trace, ordinal) in &self.traces {
            out.extend_from_slice(trace.as_bytes());
            out.extend_from_slice(&ordinal.to_le_bytes());
        }
        for ordinal in &self.system {
            out.extend_from_slice(&ordinal.to_le_bytes());
        }
        let digest = Blake3Digest::of(&out);
        out.extend_from_slice(digest.as_bytes());
        Some(out)
    }
}
