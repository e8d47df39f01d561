//! The index file of a sealed segment, open for reading.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use proofline_proof::{LeafHash, NodeHash, Seq};
use proofline_trace::{EnvelopeHash, LedgerId, TraceId};

use super::tree::TreeShape;
use super::{
    CHUNK_BYTES, DIGEST_BYTES, HASH_ENTRY_BYTES, HEAD_BYTES, HashPrefix, MAGIC, OFFSET_BYTES,
    SYSTEM_ENTRY_BYTES, Span, TRACE_ENTRY_BYTES, VERSION, prefix_of,
};
use crate::disk::{Access, Disk, DiskFile};
use crate::durable::read_full_at;

/// Pairs of trace and ordinal that are read at once.
const PAIRS_AT_ONCE: usize = 512;

/// What a sealed index says of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealedHead {
    pub(crate) ledger_id: LedgerId,
    pub(crate) first_seq: Seq,
    pub(crate) count: u32,
    traced: u32,
    system: u32,
    pub(crate) segment_bytes: u64,
    pub(crate) head: LeafHash,
}

impl SealedHead {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let fields = bytes.first_chunk::<HEAD_BYTES>()?;
        let part = |from: usize, to: usize| fields.get(from..to).unwrap_or_default();
        let u32_at = |at: usize| u32::from_le_bytes(part(at, at + 4).try_into().unwrap_or_default());
        let u64_at = |at: usize| u64::from_le_bytes(part(at, at + 8).try_into().unwrap_or_default());
        let known = part(0, 8) == MAGIC && u32_at(8) == VERSION;
        known.then(|| SealedHead {
            ledger_id: LedgerId::from_bytes(part(24, 40).try_into().unwrap_or_default()),
            first_seq: Seq::new(u64_at(40)),
            count: u32_at(12),
            traced: u32_at(16),
            system: u32_at(20),
            segment_bytes: u64_at(48),
            head: LeafHash::from_bytes(part(56, 88).try_into().unwrap_or_default()),
        })
    }

    fn hashes_at(&self) -> u64 {
        HEAD_BYTES as u64 + OFFSET_BYTES * u64::from(self.count)
    }

    fn traces_at(&self) -> u64 {
        self.hashes_at() + HASH_ENTRY_BYTES as u64 * u64::from(self.count)
    }

    fn system_at(&self) -> u64 {
        self.traces_at() + TRACE_ENTRY_BYTES as u64 * u64::from(self.traced)
    }

    fn digest_at(&self) -> u64 {
        self.system_at() + SYSTEM_ENTRY_BYTES * u64::from(self.system)
    }

    /// Where the segment's part of the tree begins.
    fn tree_at(&self) -> u64 {
        self.digest_at() + DIGEST_BYTES
    }

    fn tree_shape(&self) -> TreeShape {
        TreeShape { first: self.first_seq.get(), count: u64::from(self.count) }
    }
}

/// A sealed segment's index file, whose checksums were right when it was opened.
#[derive(Clone, Debug)]
pub(crate) struct SealedIndex {
    file: Arc<dyn DiskFile>,
    pub(crate) head: SealedHead,
}

impl SealedIndex {
    /// Opens and checks an index file: `None` when it is missing, damaged or of another segment.
    pub(crate) fn open(
        disk: &dyn Disk,
        path: &Path,
        ledger_id: LedgerId,
        first_seq: Seq,
    ) -> io::Result<Option<Self>> {
        let file = match disk.open(path, Access::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut front = [0; HEAD_BYTES];
        let count = read_full_at(&*file, &mut front, 0)?;
        let Some(head) = SealedHead::decode(front.get(..count).unwrap_or_default()) else { return Ok(None) };
        let fits = head.ledger_id == ledger_id
            && head.first_seq == first_seq
            && file.len()? == head.tree_at() + head.tree_shape().bytes();
        let tree = head.tree_at()..head.tree_at() + head.tree_shape().hash_bytes();
        let is_sound =
            fits && has_right_checksum(&*file, 0..head.digest_at())? && has_right_checksum(&*file, tree)?;
        Ok(is_sound.then_some(SealedIndex { file, head }))
    }

    fn read<const N: usize>(&self, offset: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        let count = read_full_at(&*self.file, &mut bytes, offset)?;
        if count == N { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn offset_of(&self, ordinal: u32) -> io::Result<u64> {
        let at = HEAD_BYTES as u64 + OFFSET_BYTES * u64::from(ordinal);
        Ok(u64::from(u32::from_le_bytes(self.read(at)?)))
    }

    pub(super) fn span(&self, ordinal: u32) -> io::Result<Option<Span>> {
        if ordinal >= self.head.count {
            return Ok(None);
        }
        let offset = self.offset_of(ordinal)?;
        let is_last = ordinal + 1 == self.head.count;
        let end = if is_last { self.head.segment_bytes } else { self.offset_of(ordinal + 1)? };
        Ok(Some(Span { offset, bytes: end.saturating_sub(offset) }))
    }

    pub(super) fn spans(&self, ordinals: Range<u32>) -> io::Result<Vec<Option<Span>>> {
        let (start, end) = (ordinals.start.min(self.head.count), ordinals.end.min(self.head.count));
        let is_to_end = end == self.head.count;
        let read = end.saturating_sub(start) + u32::from(!is_to_end && end > start);
        let mut bytes = vec![0; read as usize * OFFSET_BYTES as usize];
        self.fill(&mut bytes, HEAD_BYTES as u64 + OFFSET_BYTES * u64::from(start))?;
        let offsets = bytes.as_chunks::<4>().0.iter().map(|offset| u64::from(u32::from_le_bytes(*offset)));
        let ends = offsets.clone().skip(1).chain(is_to_end.then_some(self.head.segment_bytes));
        let spans = offsets.zip(ends).map(|(offset, end)| Span { offset, bytes: end.saturating_sub(offset) });
        let mut spans: Vec<Option<Span>> = spans.map(Some).collect();
        spans.resize(ordinals.len(), None);
        Ok(spans)
    }

    /// Fills a buffer from this place on.
    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let count = read_full_at(&*self.file, buffer, offset)?;
        if count == buffer.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    fn hash_entry(&self, index: u64) -> io::Result<(HashPrefix, u32, u8)> {
        Ok(hash_entry_of(self.read(self.head.hashes_at() + index * HASH_ENTRY_BYTES as u64)?))
    }

    pub(super) fn with_hash(&self, hash: &EnvelopeHash) -> io::Result<Vec<(u32, u8)>> {
        let prefix = prefix_of(hash);
        let count = u64::from(self.head.count);
        let at = |index: u64| Ok(self.hash_entry(index)?.0);
        let mut index = lower_bound(count, &prefix, u64::from_be_bytes(prefix), at)?;
        let mut found = Vec::new();
        while index < count {
            let (other, ordinal, kind) = self.hash_entry(index)?;
            if other != prefix {
                break;
            }
            found.push((ordinal, kind));
            index += 1;
        }
        Ok(found)
    }

    /// Everything it lists under a hash, in its order; whether that order is the right one.
    pub(super) fn visit_hashes(&self, visit: &mut dyn FnMut(HashPrefix, u32, u8)) -> io::Result<bool> {
        let (mut at, end) = (self.head.hashes_at(), self.head.traces_at());
        let (mut before, mut ascends) = (None, true);
        let mut chunk = vec![0; HASH_ENTRY_BYTES * 1024];
        while at < end {
            let whole = usize::try_from(end - at).unwrap_or(usize::MAX).min(chunk.len());
            let filled = read_full_at(&*self.file, chunk.get_mut(..whole).unwrap_or_default(), at)?;
            if filled < whole {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            for entry in chunk.get(..filled).unwrap_or_default().chunks_exact(HASH_ENTRY_BYTES) {
                let entry = hash_entry_of(entry.first_chunk().copied().unwrap_or_default());
                ascends &= before.is_none_or(|before| before < entry);
                before = Some(entry);
                visit(entry.0, entry.1, entry.2);
            }
            at += filled as u64;
        }
        Ok(ascends)
    }

    /// The `index`-th of the pairs of trace and ordinal, in their order.
    fn trace_entry(&self, index: u64) -> io::Result<([u8; 16], u32)> {
        let bytes =
            self.read::<TRACE_ENTRY_BYTES>(self.head.traces_at() + index * TRACE_ENTRY_BYTES as u64)?;
        Ok(trace_entry_of(&bytes))
    }

    pub(super) fn of_trace(&self, trace: TraceId) -> io::Result<Vec<u32>> {
        let wanted = trace.as_bytes();
        let guide = u64::from_be_bytes(wanted.first_chunk().copied().unwrap_or_default());
        let count = u64::from(self.head.traced);
        let mut index = lower_bound(count, wanted, guide, |index| Ok(self.trace_entry(index)?.0))?;
        let mut found = Vec::new();
        while index < count {
            let (other, ordinal) = self.trace_entry(index)?;
            if other != *wanted {
                break;
            }
            found.push(ordinal);
            index += 1;
        }
        Ok(found)
    }

    /// Traces after `after`, each once, at most `limit`, in order.
    pub(super) fn traces_after(&self, after: Option<TraceId>, limit: usize) -> io::Result<Vec<TraceId>> {
        let mut found: Vec<TraceId> = Vec::new();
        self.pairs(after.map(|trace| (trace, u32::MAX)), &mut |trace, _| {
            if found.last() != Some(&trace) {
                found.push(trace);
            }
            found.len() <= limit
        })?;
        found.truncate(limit);
        Ok(found)
    }

    /// How many pairs of trace and ordinal there are.
    pub(super) fn pair_count(&self) -> u64 {
        u64::from(self.head.traced)
    }

    /// Which of the pairs is the first behind those of `after`.
    pub(super) fn pair_rank(&self, after: Option<TraceId>) -> io::Result<u64> {
        let Some(after) = after else { return Ok(0) };
        let guide = u64::from_be_bytes(after.as_bytes().first_chunk().copied().unwrap_or_default());
        let is_behind = |index| Ok(self.trace_entry(index)?.0 > *after.as_bytes());
        lower_bound(self.pair_count(), &true, guide, is_behind)
    }

    /// The pairs from this one on, at most `limit`, as they are listed.
    pub(super) fn pairs_at(&self, rank: u64, limit: usize) -> io::Result<Vec<(TraceId, u32)>> {
        let left = usize::try_from(self.pair_count().saturating_sub(rank)).unwrap_or(usize::MAX);
        let mut bytes = vec![0; left.min(limit) * TRACE_ENTRY_BYTES];
        self.fill(&mut bytes, self.head.traces_at() + rank * TRACE_ENTRY_BYTES as u64)?;
        let entries = bytes.chunks_exact(TRACE_ENTRY_BYTES).map(trace_entry_of);
        Ok(entries.filter_map(|(trace, at)| Some((TraceId::from_bytes(trace).ok()?, at))).collect())
    }

    /// Shows the pairs of trace and ordinal behind `after`, in their order, until `visit` has enough.
    fn pairs(
        &self,
        after: Option<(TraceId, u32)>,
        visit: &mut dyn FnMut(TraceId, u32) -> bool,
    ) -> io::Result<()> {
        let count = u64::from(self.head.traced);
        let mut index = match after {
            None => 0,
            Some((trace, ordinal)) => {
                let guide = u64::from_be_bytes(trace.as_bytes().first_chunk().copied().unwrap_or_default());
                let behind = |(id, at): ([u8; 16], u32)| (id, at) <= (*trace.as_bytes(), ordinal);
                lower_bound(count, &true, guide, |index| Ok(!behind(self.trace_entry(index)?)))?
            }
        };
        let mut chunk = vec![0; TRACE_ENTRY_BYTES * PAIRS_AT_ONCE];
        while index < count {
            let offset = self.head.traces_at() + index * TRACE_ENTRY_BYTES as u64;
            let whole =
                usize::try_from(count - index).unwrap_or(usize::MAX).min(PAIRS_AT_ONCE) * TRACE_ENTRY_BYTES;
            let filled = read_full_at(&*self.file, chunk.get_mut(..whole).unwrap_or_default(), offset)?;
            for entry in chunk.get(..filled).unwrap_or_default().chunks_exact(TRACE_ENTRY_BYTES) {
                let (trace, ordinal) = trace_entry_of(entry);
                let is_enough = TraceId::from_bytes(trace).is_ok_and(|trace| !visit(trace, ordinal));
                if is_enough {
                    return Ok(());
                }
                index += 1;
            }
            if filled < whole {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Ordinals of system entries, ascending.
    pub(super) fn system_entries(&self) -> io::Result<Vec<u32>> {
        let at = |index: u32| self.head.system_at() + SYSTEM_ENTRY_BYTES * u64::from(index);
        (0..self.head.system).map(|index| Ok(u32::from_le_bytes(self.read(at(index))?))).collect()
    }

    /// Appends the hashes of these indexes at a tile level; false unless all of them fill up in this
    /// segment.
    pub(crate) fn tree_hashes(
        &self,
        level: u32,
        range: Range<u64>,
        out: &mut Vec<NodeHash>,
    ) -> io::Result<bool> {
        let Some(place) = self.head.tree_shape().place(level, &range) else { return Ok(false) };
        let length = usize::try_from((range.end - range.start) * DIGEST_BYTES).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        if read_full_at(&*self.file, &mut bytes, self.head.tree_at() + place)? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.extend(bytes.as_chunks::<32>().0.iter().map(|hash| NodeHash::from_bytes(*hash)));
        Ok(true)
    }
}

fn trace_entry_of(bytes: &[u8]) -> ([u8; 16], u32) {
    let trace = bytes.first_chunk().copied().unwrap_or_default();
    let ordinal = bytes.last_chunk().copied().unwrap_or_default();
    (trace, u32::from_le_bytes(ordinal))
}

/// What an index file is that may be of another version than today's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OldIndex {
    /// Whole, and written before indexes held the tree and the system entries.
    WithoutTree,
    /// Of a later version.
    Newer(u32),
    /// Today's, or damaged.
    Other,
}

/// Tells an index of an earlier or a later form from today's.
pub(crate) fn old_index(file: &dyn DiskFile) -> io::Result<OldIndex> {
    let mut front = [0; HEAD_BYTES];
    let count = read_full_at(file, &mut front, 0)?;
    let front = front.get(..count).unwrap_or_default();
    let version = front.get(8..12).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    if front.starts_with(MAGIC)
        && let Some(version) = version.filter(|version| *version > VERSION)
    {
        return Ok(OldIndex::Newer(version));
    }
    let Some(head) = SealedHead::decode(front) else { return Ok(OldIndex::Other) };
    let ends_early = head.system == 0 && file.len()? == head.digest_at() + DIGEST_BYTES;
    let is_old = ends_early && has_right_checksum(file, 0..head.digest_at())?;
    Ok(if is_old { OldIndex::WithoutTree } else { OldIndex::Other })
}

const fn hash_entry_of(bytes: [u8; HASH_ENTRY_BYTES]) -> (HashPrefix, u32, u8) {
    let [a, b, c, d, e, f, g, h, o0, o1, o2, o3, kind, _, _, _] = bytes;
    ([a, b, c, d, e, f, g, h], u32::from_le_bytes([o0, o1, o2, o3]), kind)
}

/// True when these bytes have the digest that stands behind them.
pub(crate) fn has_right_checksum(file: &dyn DiskFile, covered: Range<u64>) -> io::Result<bool> {
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = covered.start;
    while at < covered.end {
        let wanted = usize::try_from(covered.end - at).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        let count = read_full_at(file, chunk.get_mut(..wanted).unwrap_or_default(), at)?;
        hasher.update(chunk.get(..count).unwrap_or_default());
        if count < wanted {
            return Ok(false);
        }
        at += count as u64;
    }
    let mut stored = [0; 32];
    read_full_at(file, &mut stored, covered.end)?;
    Ok(*hasher.finalize().as_bytes() == stored)
}

/// The first of `count` sorted places whose key is not below `wanted`. Keys are close to
/// uniform, so the first probes go where `guide`, the key's first 64 bits, points.
pub(super) fn lower_bound<K: Ord>(
    count: u64,
    wanted: &K,
    guide: u64,
    key_at: impl Fn(u64) -> io::Result<K>,
) -> io::Result<u64> {
    let (mut low, mut high) = (0, count);
    let guess = u64::try_from((u128::from(guide) * u128::from(count)) >> 64).unwrap_or(0);
    let mut reach = 8;
    while high - low > reach * 2 {
        let (left, right) = (guess.saturating_sub(reach).max(low), guess.saturating_add(reach).min(high - 1));
        if left > low && key_at(left)? < *wanted {
            low = left + 1;
        } else if left > low {
            high = left;
        }
        if right >= low && right < high {
            if key_at(right)? < *wanted {
                low = right + 1;
            } else {
                high = right;
            }
        }
        reach *= 8;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if key_at(middle)? < *wanted {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
