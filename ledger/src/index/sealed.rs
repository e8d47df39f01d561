//! The index file of a sealed segment, open for reading. Its filters and signposts are in memory; a
//! look-up reads the one stretch of the file that they point to, if any.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use proofline_proof::{NodeHash, Seq};
use proofline_trace::{EnvelopeHash, LedgerId, TraceId};

use super::filter::Filter;
use super::layout::{Hit, SealedHead, filter_key, trace_entry_of};
use super::pages::{PagedFile, Pages};
use super::tree::TreeRows;
use super::{
    CHUNK_BYTES, HASH_ENTRY_BYTES, HEAD_BYTES, HashPrefix, ORDINAL_BYTES, STEP_ENTRIES, Span,
    TRACE_ENTRY_BYTES, TracePage, prefix_of,
};
use crate::disk::{Access, Disk, DiskFile};
use crate::durable::read_full_at;

/// Entries of the hash part that a walk over all of them reads at once.
const ENTRIES_AT_ONCE: usize = 4096;

/// So many entries before and behind the place where a hash is expected are read first.
const NEAR_ENTRIES: usize = 9;

type HashEntry = [u8; HASH_ENTRY_BYTES];

/// So many nodes need no memory of their own on their way.
const FEW_NODES: usize = 16;

/// What a sealed index keeps in memory.
#[derive(Debug)]
struct Front {
    hash_filter: Filter,
    trace_filter: Filter,
    /// The first eight bytes of every 64th hash, as numbers.
    hash_posts: Vec<u64>,
    /// Every 64th trace.
    trace_posts: Vec<[u8; 16]>,
    tree: TreeRows,
}

impl Front {
    /// Out of the front of a file, head included.
    fn decode(head: &SealedHead, bytes: &[u8]) -> Self {
        let part = |range: Range<u64>| {
            let [start, end] = [range.start, range.end].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
            bytes.get(start..end).unwrap_or_default()
        };
        let resident = head.resident();
        let posts = part(resident.hash_posts).as_chunks::<8>().0.iter();
        Front {
            hash_filter: Filter::decode(part(resident.hash_filter)),
            trace_filter: Filter::decode(part(resident.trace_filter)),
            hash_posts: posts.map(|post| u64::from_be_bytes(*post)).collect(),
            trace_posts: part(resident.trace_posts).as_chunks::<16>().0.to_vec(),
            tree: head.tree_shape().rows(),
        }
    }
}

/// A sealed segment's index file, whose checksums were right when it was opened.
#[derive(Clone, Debug)]
pub(crate) struct SealedIndex {
    file: PagedFile,
    pub(crate) head: SealedHead,
    front: Arc<Front>,
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
        let mut front = vec![0; HEAD_BYTES];
        let count = read_full_at(&*file, &mut front, 0)?;
        let Some(head) = SealedHead::decode(front.get(..count).unwrap_or_default()) else { return Ok(None) };
        let fits =
            head.ledger_id == ledger_id && head.first_seq == first_seq && file.len()? == head.file_bytes();
        if !fits {
            return Ok(None);
        }
        front.resize(usize::try_from(head.offsets_at()).unwrap_or(usize::MAX), 0);
        let rest = front.get_mut(HEAD_BYTES..).unwrap_or_default();
        if read_full_at(&*file, rest, HEAD_BYTES as u64)? < rest.len() {
            return Ok(None);
        }
        let tree = head.tree_at()..head.tree_at() + head.tree_shape().hash_bytes();
        let is_sound =
            has_digest_behind(&*file, &front, head.digest_at())? && has_right_checksum(&*file, tree)?;
        let front = is_sound.then(|| Arc::new(Front::decode(&head, &front)));
        Ok(front.map(|front| SealedIndex { file: PagedFile::new(file), head, front }))
    }

    /// The same, with this memory for pages of its file.
    pub(crate) fn in_pages(&self, pages: Option<&Arc<Pages>>) -> Self {
        SealedIndex { file: self.file.in_pages(pages), ..self.clone() }
    }

    /// Fills a buffer from this place on.
    fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.fill(buffer, offset)
    }

    /// Numbers that lie side by side.
    fn numbers(&self, at: u64, range: Range<u32>) -> io::Result<Vec<u32>> {
        let mut bytes = vec![0; range.len() * size_of::<u32>()];
        self.fill(&mut bytes, at + ORDINAL_BYTES * u64::from(range.start))?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|number| u32::from_le_bytes(*number)).collect())
    }

    pub(super) fn span(&self, ordinal: u32) -> io::Result<Option<Span>> {
        if ordinal >= self.head.count {
            return Ok(None);
        }
        let mut bytes = [0; 8];
        let is_last = ordinal + 1 == self.head.count;
        let wanted = bytes.get_mut(..if is_last { 4 } else { 8 }).unwrap_or_default();
        self.fill(wanted, self.head.offsets_at() + ORDINAL_BYTES * u64::from(ordinal))?;
        let [o0, o1, o2, o3, e0, e1, e2, e3] = bytes;
        let offset = u64::from(u32::from_le_bytes([o0, o1, o2, o3]));
        let next = u64::from(u32::from_le_bytes([e0, e1, e2, e3]));
        let end = if is_last { self.head.segment_bytes } else { next };
        Ok(Some(Span { offset, bytes: end.saturating_sub(offset) }))
    }

    pub(super) fn spans(&self, ordinals: Range<u32>) -> io::Result<Vec<Option<Span>>> {
        let count = self.head.count;
        let (start, end) = (ordinals.start.min(count), ordinals.end.min(count));
        let behind = if start < end { end.saturating_add(1).min(count) } else { end };
        let offsets = self.numbers(self.head.offsets_at(), start..behind.max(start))?;
        let offsets = offsets.into_iter().map(u64::from);
        let ends = offsets.clone().skip(1).chain((end == count).then_some(self.head.segment_bytes));
        let spans = offsets.zip(ends).map(|(offset, end)| Span { offset, bytes: end.saturating_sub(offset) });
        let mut spans: Vec<Option<Span>> = spans.map(Some).collect();
        spans.resize(ordinals.len(), None);
        Ok(spans)
    }

    /// Entries listed under hashes that begin as this one does.
    pub(super) fn with_hash(&self, hash: &EnvelopeHash) -> io::Result<Vec<Hit>> {
        let prefix = prefix_of(hash);
        let wanted = u64::from_be_bytes(prefix);
        if !self.front.hash_filter.may_hold(wanted) {
            return Ok(Vec::new());
        }
        let posts = &self.front.hash_posts;
        // Those between two signposts are not below the first nor above the second.
        let first = posts.partition_point(|post| *post < wanted).saturating_sub(1);
        let behind = posts.partition_point(|post| *post <= wanted);
        let mut found = Vec::new();
        for step in first..behind {
            self.collect_in_step(step, prefix, &mut found)?;
        }
        Ok(found)
    }

    /// Adds those between this signpost and the next that begin with a prefix.
    fn collect_in_step(&self, step: usize, prefix: HashPrefix, found: &mut Vec<Hit>) -> io::Result<()> {
        let first = step * STEP_ENTRIES;
        let entries = (self.head.count as usize).saturating_sub(first).min(STEP_ENTRIES);
        let mut bytes = [0; STEP_ENTRIES * HASH_ENTRY_BYTES];
        let near = self.near(step, entries, u64::from_be_bytes(prefix));
        let is_whole = near.len() == entries;
        let part = self.hash_entries(first, near.clone(), &mut bytes)?;
        let edges = |part: &[HashEntry]| Some((*part.first()?.first_chunk()?, *part.last()?.first_chunk()?));
        // All of them are here if there is another before and behind, or nothing else.
        let is_within = |(start, end): (HashPrefix, HashPrefix)| {
            (near.start == 0 || start < prefix) && (near.end == entries || prefix < end)
        };
        let part = if is_whole || edges(part).is_some_and(is_within) {
            part
        } else {
            self.hash_entries(first, 0..entries, &mut bytes)?
        };
        found.extend(
            part.iter().filter(|entry| entry.starts_with(&prefix)).map(|entry| Hit::decode(*entry).1),
        );
        Ok(())
    }

    /// Hash entries of a step, read into a buffer.
    fn hash_entries<'a>(
        &self,
        first: usize,
        part: Range<usize>,
        buffer: &'a mut [u8],
    ) -> io::Result<&'a [HashEntry]> {
        let wanted = buffer.get_mut(..part.len() * HASH_ENTRY_BYTES).unwrap_or_default();
        self.fill(wanted, self.head.hashes_at() + ((first + part.start) * HASH_ENTRY_BYTES) as u64)?;
        Ok(wanted.as_chunks::<HASH_ENTRY_BYTES>().0)
    }

    /// Which entries of a step are likely those of a hash: hashes are spread evenly between two signposts.
    fn near(&self, step: usize, entries: usize, wanted: u64) -> Range<usize> {
        let posts = &self.front.hash_posts;
        let start = posts.get(step).copied().unwrap_or(0);
        let width = posts.get(step + 1).copied().unwrap_or(u64::MAX).saturating_sub(start);
        // Seven bits are left out, so that the product of a place and a number of up to 64 fits.
        let part = (wanted.saturating_sub(start) >> 7).saturating_mul(entries as u64) / ((width >> 7) + 1);
        let middle = usize::try_from(part).unwrap_or(entries).min(entries);
        middle.saturating_sub(NEAR_ENTRIES)..(middle + NEAR_ENTRIES).min(entries)
    }

    /// Everything it lists under a hash, in its order; whether that order is the right one, and whether the
    /// filter and the signposts lead there.
    pub(super) fn visit_hashes(&self, visit: &mut dyn FnMut(HashPrefix, u32, u8)) -> io::Result<bool> {
        let (mut at, end) = (self.head.hashes_at(), self.head.traces_at());
        let (mut before, mut ascends, mut number) = (None, true, 0);
        let mut chunk = vec![0; HASH_ENTRY_BYTES * ENTRIES_AT_ONCE];
        while at < end {
            let whole = usize::try_from(end - at).unwrap_or(usize::MAX).min(chunk.len());
            let part = chunk.get_mut(..whole).unwrap_or_default();
            self.fill(part, at)?;
            for entry in part.as_chunks::<HASH_ENTRY_BYTES>().0 {
                let (prefix, Hit { ordinal, kind, .. }) = Hit::decode(*entry);
                let entry = (prefix, ordinal, kind);
                let key = u64::from_be_bytes(prefix);
                let post =
                    (number % STEP_ENTRIES == 0).then(|| self.front.hash_posts.get(number / STEP_ENTRIES));
                ascends &= before.is_none_or(|before| before < entry)
                    && self.front.hash_filter.may_hold(key)
                    && post.is_none_or(|post| post == Some(&key));
                number += 1;
                before = Some(entry);
                visit(prefix, ordinal, kind);
            }
            at += whole as u64;
        }
        Ok(ascends)
    }

    /// The traces of the directory from this one on, each with the first of its ordinals; one more than
    /// asked for, if there is one, tells where the last of them ends.
    fn directory(&self, rank: u32, limit: usize) -> io::Result<Vec<([u8; 16], u32)>> {
        let left = self.head.traces.saturating_sub(rank) as usize;
        let mut bytes = vec![0; left.min(limit.saturating_add(1)) * TRACE_ENTRY_BYTES];
        self.fill(&mut bytes, self.head.traces_at() + u64::from(rank) * TRACE_ENTRY_BYTES as u64)?;
        Ok(bytes.as_chunks::<TRACE_ENTRY_BYTES>().0.iter().map(trace_entry_of).collect())
    }

    /// The first trace of the directory that is behind `bound`: above it, or not below it.
    fn rank_of(&self, is_before: impl Fn(&[u8; 16]) -> bool) -> io::Result<u32> {
        let step = self.front.trace_posts.partition_point(&is_before).saturating_sub(1);
        let start = u32::try_from(step * STEP_ENTRIES).unwrap_or(u32::MAX);
        let listed = self.directory(start, STEP_ENTRIES - 1)?;
        let before = listed.partition_point(|(trace, _)| is_before(trace));
        Ok(start.saturating_add(u32::try_from(before).unwrap_or(u32::MAX)))
    }

    pub(super) fn of_trace(&self, trace: TraceId) -> io::Result<Vec<u32>> {
        let wanted = trace.as_bytes();
        if !self.front.trace_filter.may_hold(filter_key(wanted)) {
            return Ok(Vec::new());
        }
        let step = self.front.trace_posts.partition_point(|post| post <= wanted).saturating_sub(1);
        let listed = self.directory(u32::try_from(step * STEP_ENTRIES).unwrap_or(u32::MAX), STEP_ENTRIES)?;
        let Ok(at) = listed.binary_search_by(|(other, _)| other.cmp(wanted)) else { return Ok(Vec::new()) };
        let start_of = |at: usize| listed.get(at).map_or(self.head.traced, |(_, start)| *start);
        self.numbers(self.head.ordinals_at(), self.own(start_of(at), start_of(at + 1)))
    }

    /// The ordinals between these two, as far as there are any.
    fn own(&self, start: u32, end: u32) -> Range<u32> {
        let end = end.min(self.head.traced);
        start.min(end)..end
    }

    pub(super) fn trace_count(&self) -> u32 {
        self.head.traces
    }

    pub(super) fn trace_rank(&self, after: Option<TraceId>) -> io::Result<u32> {
        after.map_or(Ok(0), |after| self.rank_of(|trace| trace <= after.as_bytes()))
    }

    pub(super) fn trace_page(&self, rank: u32, limit: usize) -> io::Result<TracePage> {
        let listed = self.directory(rank, limit)?;
        let start_of = |at: usize| listed.get(at).map_or(self.head.traced, |(_, start)| *start);
        let taken = listed.len().min(limit);
        let whole = self.own(start_of(0), start_of(taken));
        let ordinals = self.numbers(self.head.ordinals_at(), whole.clone())?;
        let mut page = TracePage { traces: Vec::with_capacity(taken), ordinals };
        for (at, (trace, start)) in listed.iter().enumerate().take(taken) {
            let own = self.own(*start, start_of(at + 1));
            let [start, end] = [own.start, own.end].map(|at| at.clamp(whole.start, whole.end) - whole.start);
            if let Ok(trace) = TraceId::from_bytes(*trace) {
                page.traces.push((trace, start as usize..end as usize));
            }
        }
        Ok(page)
    }

    /// Traces after `after`, each once, at most `limit`, in order.
    pub(super) fn traces_after(&self, after: Option<TraceId>, limit: usize) -> io::Result<Vec<TraceId>> {
        let listed = self.directory(self.trace_rank(after)?, limit)?;
        Ok(listed.iter().take(limit).filter_map(|(trace, _)| TraceId::from_bytes(*trace).ok()).collect())
    }

    /// Ordinals of system entries, ascending.
    pub(super) fn system_entries(&self) -> io::Result<Vec<u32>> {
        self.numbers(self.head.system_at(), 0..self.head.system)
    }

    /// Appends the nodes of the tree of these indexes at a height; false unless all of them are kept and fill up in
    /// this segment.
    pub(crate) fn nodes(&self, height: u32, range: Range<u64>, out: &mut Vec<NodeHash>) -> io::Result<bool> {
        let Some(place) = self.front.tree.place(height, &range) else { return Ok(false) };
        let at = self.head.tree_at() + place;
        let count = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let mut few = [[0; 32]; FEW_NODES];
        let mut many = Vec::new();
        let nodes = match few.get_mut(..count) {
            Some(few) => few,
            None => {
                many.resize(count, [0; 32]);
                &mut many[..]
            }
        };
        self.fill(nodes.as_flattened_mut(), at)?;
        out.extend(nodes.iter().map(|hash| NodeHash::from_bytes(*hash)));
        Ok(true)
    }
}

/// True when these bytes have the digest that stands behind them.
pub(crate) fn has_right_checksum(file: &dyn DiskFile, covered: Range<u64>) -> io::Result<bool> {
    has_digest(file, blake3::Hasher::new(), covered)
}

/// True when the bytes of a file up to `end`, the first of which are at hand, have the digest there.
fn has_digest_behind(file: &dyn DiskFile, front: &[u8], end: u64) -> io::Result<bool> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(front);
    has_digest(file, hasher, front.len() as u64..end)
}

fn has_digest(file: &dyn DiskFile, mut hasher: blake3::Hasher, rest: Range<u64>) -> io::Result<bool> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = rest.start;
    while at < rest.end {
        let wanted = usize::try_from(rest.end - at).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        let count = read_full_at(file, chunk.get_mut(..wanted).unwrap_or_default(), at)?;
        hasher.update(chunk.get(..count).unwrap_or_default());
        if count < wanted {
            return Ok(false);
        }
        at += count as u64;
    }
    let mut stored = [0; 32];
    read_full_at(file, &mut stored, rest.end)?;
    Ok(*hasher.finalize().as_bytes() == stored)
}
