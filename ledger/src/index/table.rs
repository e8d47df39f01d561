//! The index of a segment in memory: of the open one, and of a sealed one without a sound file. Taking in
//! an entry is cheap, because every commit does it; what is listed in order is sorted when somebody asks.

use std::collections::BTreeSet;
use std::collections::hash_map::{Entry, HashMap};
use std::ops::Range;
use std::sync::OnceLock;

use proofline_canon::Blake3Digest;
use proofline_proof::header::{EntryHeader, EntryKind};
use proofline_proof::{LeafHash, Seq};
use proofline_trace::{EnvelopeHash, LedgerId, TraceId};

use super::filter::Filter;
use super::layout::{Hit, SealedHead, filter_key};
use super::{HEAD_BYTES, HashPrefix, Span, TracePage, prefix_of};

/// Where an entry's frame begins, and its leaf hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    offset: u32,
    leaf: LeafHash,
}

/// An entry under its hash: its ordinal and its kind.
type Listed = (u32, u8);

/// The index of a segment in memory. Entries that could not be read have no span.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    places: Vec<Option<Place>>,
    /// The entry that came first under each prefix.
    hashes: HashMap<HashPrefix, Listed>,
    /// Those that came later under the same one.
    repeats: BTreeSet<(HashPrefix, u32, u8)>,
    /// Ordinals of each trace, ascending.
    traces: HashMap<TraceId, Vec<u32>>,
    /// The traces in order, once somebody asked.
    order: OnceLock<Vec<TraceId>>,
    traced: usize,
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
        self.list(prefix_of(&header.envelope_hash), (ordinal, header.status.kind().code()));
        if let Some(link) = &header.trace {
            self.list_trace(link.trace_id, ordinal);
        }
        if header.status.kind() == EntryKind::System {
            self.system.insert(ordinal);
        }
    }

    fn list(&mut self, prefix: HashPrefix, listed: Listed) {
        match self.hashes.entry(prefix) {
            Entry::Vacant(place) => drop(place.insert(listed)),
            Entry::Occupied(first) if *first.get() == listed => {}
            Entry::Occupied(_) => drop(self.repeats.insert((prefix, listed.0, listed.1))),
        }
    }

    fn list_trace(&mut self, trace: TraceId, ordinal: u32) {
        let own = match self.traces.entry(trace) {
            Entry::Occupied(own) => own.into_mut(),
            Entry::Vacant(place) => {
                self.order.take();
                place.insert(Vec::new())
            }
        };
        if own.last().is_none_or(|last| *last < ordinal) {
            own.push(ordinal);
        } else if let Err(place) = own.binary_search(&ordinal) {
            own.insert(place, ordinal);
        } else {
            return;
        }
        self.traced += 1;
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

    /// Every trace once, in order.
    fn order(&self) -> &[TraceId] {
        self.order.get_or_init(|| {
            let mut traces: Vec<TraceId> = self.traces.keys().copied().collect();
            traces.sort_unstable();
            traces
        })
    }

    fn rank(&self, after: Option<TraceId>) -> usize {
        after.map_or(0, |after| self.order().partition_point(|trace| *trace <= after))
    }

    /// Traces after `after`, each once, at most `limit`, in order.
    pub(super) fn traces_after(&self, after: Option<TraceId>, limit: usize) -> Vec<TraceId> {
        self.order().iter().skip(self.rank(after)).take(limit).copied().collect()
    }

    pub(super) fn trace_count(&self) -> u32 {
        u32::try_from(self.traces.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn trace_rank(&self, after: Option<TraceId>) -> u32 {
        u32::try_from(self.rank(after)).unwrap_or(u32::MAX)
    }

    pub(super) fn trace_page(&self, rank: u32, limit: usize) -> TracePage {
        let mut page = TracePage::default();
        for trace in self.order().iter().skip(rank as usize).take(limit) {
            let start = page.ordinals.len();
            page.ordinals.extend(self.of_trace(*trace));
            page.traces.push((*trace, start..page.ordinals.len()));
        }
        page
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

    fn hit(&self, (ordinal, kind): Listed) -> Hit {
        let place = self.places.get(ordinal as usize).copied().flatten();
        Hit { ordinal, kind, offset: place.map_or(0, |place| place.offset) }
    }

    /// Entries listed under hashes that begin as this one does.
    pub(super) fn with_hash(&self, hash: &EnvelopeHash) -> Vec<Hit> {
        let prefix = prefix_of(hash);
        let Some(first) = self.hashes.get(&prefix) else { return Vec::new() };
        let repeats = self.repeats.range((prefix, 0, 0)..=(prefix, u32::MAX, u8::MAX));
        let all = std::iter::once(*first).chain(repeats.map(|(_, at, kind)| (*at, *kind)));
        let mut found: Vec<Hit> = all.map(|listed| self.hit(listed)).collect();
        found.sort_unstable();
        found
    }

    /// Everything under a hash, ascending.
    fn listed(&self) -> Vec<(HashPrefix, u32, u8)> {
        let first = self.hashes.iter().map(|(prefix, (at, kind))| (*prefix, *at, *kind));
        let mut listed: Vec<_> = first.chain(self.repeats.iter().copied()).collect();
        listed.sort_unstable();
        listed
    }

    pub(super) fn visit_hashes(&self, visit: &mut dyn FnMut(HashPrefix, u32, u8)) {
        self.listed().into_iter().for_each(|(prefix, ordinal, kind)| visit(prefix, ordinal, kind));
    }

    pub(super) fn of_trace(&self, trace: TraceId) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.traces.get(&trace).into_iter().flatten().copied()
    }

    /// The bytes of the index file up to its first checksum; `None` when some entry of the segment
    /// could not be read. Behind them the file has the bytes of a [`super::SegmentTree`].
    pub(crate) fn encode(&self, ledger_id: LedgerId, first_seq: Seq, head: LeafHash) -> Option<Vec<u8>> {
        let listed = self.listed();
        // More are listed than there are only where two frames claimed one place.
        if listed.len() != self.places.len() {
            return None;
        }
        let head = SealedHead {
            ledger_id,
            first_seq,
            count: u32::try_from(self.places.len()).ok()?,
            traced: u32::try_from(self.traced).ok()?,
            traces: u32::try_from(self.traces.len()).ok()?,
            system: u32::try_from(self.system.len()).ok()?,
            segment_bytes: self.end,
            head,
        };
        let mut out = Vec::with_capacity(usize::try_from(head.file_bytes()).unwrap_or(HEAD_BYTES));
        head.encode(&mut out);
        self.encode_resident(&listed, &mut out);
        for place in &self.places {
            out.extend_from_slice(&(*place)?.offset.to_le_bytes());
        }
        for (prefix, ordinal, kind) in &listed {
            out.extend_from_slice(&self.hit((*ordinal, *kind)).encode(*prefix)?);
        }
        self.encode_traces(&mut out);
        for ordinal in &self.system {
            out.extend_from_slice(&ordinal.to_le_bytes());
        }
        let digest = Blake3Digest::of(&out);
        out.extend_from_slice(digest.as_bytes());
        Some(out)
    }

    /// The filters and the signposts.
    fn encode_resident(&self, listed: &[(HashPrefix, u32, u8)], out: &mut Vec<u8>) {
        let keys = listed.iter().map(|(prefix, _, _)| u64::from_be_bytes(*prefix));
        Filter::of(listed.len() as u64, keys).encode(out);
        let traces = self.order();
        let keys = traces.iter().map(|trace| filter_key(trace.as_bytes()));
        Filter::of(traces.len() as u64, keys).encode(out);
        let posts = listed.iter().step_by(super::STEP_ENTRIES);
        posts.for_each(|(prefix, _, _)| out.extend_from_slice(prefix));
        let posts = traces.iter().step_by(super::STEP_ENTRIES);
        posts.for_each(|trace| out.extend_from_slice(trace.as_bytes()));
    }

    /// The directory of traces, and the ordinals of each.
    fn encode_traces(&self, out: &mut Vec<u8>) {
        let mut start = 0_u32;
        for trace in self.order() {
            out.extend_from_slice(trace.as_bytes());
            out.extend_from_slice(&start.to_le_bytes());
            let own = self.traces.get(trace).map_or(0, Vec::len);
            start = start.saturating_add(u32::try_from(own).unwrap_or(u32::MAX));
        }
        for trace in self.order() {
            self.of_trace(*trace).for_each(|ordinal| out.extend_from_slice(&ordinal.to_le_bytes()));
        }
    }
}
