//! Where entries lie: by ordinal, by envelope hash, by trace. The open segment has its index in
//! memory; a sealed segment has a sorted, immutable file beside it, which is derived and can be
//! made again from the log at any time.
//!
//! The file `NNNNNNNNNNNNNNNNNNNN.idx`, for `n` entries of which `t` have a trace; integers are
//! little-endian, ordinals count from the segment's first entry:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `PROOFIDX` |
//! | 8 | 4 | format version, 0 |
//! | 12 | 4 | n |
//! | 16 | 4 | t |
//! | 20 | 4 | reserved, zero |
//! | 24 | 16 | ledger id |
//! | 40 | 8 | first seq |
//! | 48 | 8 | bytes of the segment file |
//! | 56 | 32 | leaf hash of the last entry |
//! | 88 | 4 n | offset of each frame in the segment file |
//! | 88 + 4 n | 16 n | first 8 bytes of the envelope hash, ordinal (4), entry kind (1), zero (3); sorted |
//! | 88 + 20 n | 20 t | trace id (16), ordinal (4); sorted |
//! | 88 + 20 n + 20 t | 32 | BLAKE3 of the bytes before |

use std::collections::BTreeSet;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use proofline_canon::Blake3Digest;
use proofline_trace::{EnvelopeHash, TraceId};

use crate::disk::{Access, Disk, DiskFile};
use crate::durable::{self, read_full_at};
use proofline_proof::header::EntryHeader;
use proofline_proof::{LeafHash, Seq};
use proofline_trace::LedgerId;

const MAGIC: &[u8; 8] = b"PROOFIDX";
const VERSION: u32 = 0;
const HEAD_BYTES: usize = 88;
const OFFSET_BYTES: u64 = 4;
const HASH_ENTRY_BYTES: usize = 16;
const TRACE_ENTRY_BYTES: usize = 20;
const DIGEST_BYTES: u64 = 32;
const CHUNK_BYTES: usize = 1 << 18;

/// The first eight bytes of an envelope hash: enough to find it, never enough to trust it.
type HashPrefix = [u8; 8];

fn prefix_of(hash: &EnvelopeHash) -> HashPrefix {
    hash.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// The file name of a segment's index.
#[must_use]
pub(crate) fn index_name(first_seq: Seq) -> String {
    format!("{:020}.idx", first_seq.get())
}

/// A frame's place in its segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

/// The index of a segment in memory. Entries that could not be read have no span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    offsets: Vec<Option<u32>>,
    hashes: BTreeSet<(HashPrefix, u32, u8)>,
    traces: BTreeSet<(TraceId, u32)>,
    /// Bytes of the segment file up to the end of the last frame.
    end: u64,
}

impl Table {
    pub(crate) fn new(segment_header_bytes: u64) -> Self {
        Table { end: segment_header_bytes, ..Table::default() }
    }

    pub(crate) fn count(&self) -> u64 {
        self.offsets.len() as u64
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Takes in the frame at `offset`, which is entry `ordinal`; ordinals between the last one
    /// and this one were not readable. Taking in a frame again changes nothing.
    pub(crate) fn insert(&mut self, ordinal: u32, offset: u32, frame_bytes: usize, header: &EntryHeader) {
        if self.offsets.len() <= ordinal as usize {
            self.offsets.resize(ordinal as usize + 1, None);
        }
        if let Some(place) = self.offsets.get_mut(ordinal as usize) {
            *place = Some(offset);
        }
        self.end = u64::from(offset) + frame_bytes as u64;
        self.hashes.insert((prefix_of(&header.envelope_hash), ordinal, header.status.kind().code()));
        if let Some(link) = &header.trace {
            self.traces.insert((link.trace_id, ordinal));
        }
    }

    fn span(&self, ordinal: u32) -> Option<Span> {
        let offset = u64::from((*self.offsets.get(ordinal as usize)?)?);
        let after = self.offsets.iter().skip(ordinal as usize + 1).find_map(|next| *next);
        let end = after.map_or(self.end, u64::from);
        Some(Span { offset, bytes: end.saturating_sub(offset) })
    }

    fn with_hash(&self, hash: &EnvelopeHash) -> Vec<(u32, u8)> {
        let prefix = prefix_of(hash);
        self.hashes
            .range((prefix, 0, 0)..=(prefix, u32::MAX, u8::MAX))
            .map(|(_, at, kind)| (*at, *kind))
            .collect()
    }

    fn of_trace(&self, trace: TraceId) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.traces.range((trace, 0)..=(trace, u32::MAX)).map(|(_, ordinal)| *ordinal)
    }

    /// The bytes of the index file; `None` when some entry of the segment could not be read.
    pub(crate) fn encode(&self, ledger_id: LedgerId, first_seq: Seq, head: LeafHash) -> Option<Vec<u8>> {
        let count = u32::try_from(self.offsets.len()).ok()?;
        let traced = u32::try_from(self.traces.len()).ok()?;
        let mut out = Vec::with_capacity(HEAD_BYTES + self.offsets.len() * 40 + 32);
        out.extend_from_slice(MAGIC);
        for field in [VERSION, count, traced, 0] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(ledger_id.as_bytes());
        out.extend_from_slice(&first_seq.get().to_le_bytes());
        out.extend_from_slice(&self.end.to_le_bytes());
        out.extend_from_slice(head.as_bytes());
        for offset in &self.offsets {
            out.extend_from_slice(&(*offset)?.to_le_bytes());
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
        let digest = Blake3Digest::of(&out);
        out.extend_from_slice(digest.as_bytes());
        Some(out)
    }
}

/// Writes a sealed segment's index, whole and durable.
pub(crate) fn write_index(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    durable::write_file(disk, path, |file| file.write_all_at(bytes, 0)).map(|_| ())
}

/// What a sealed index says of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealedHead {
    pub(crate) ledger_id: LedgerId,
    pub(crate) first_seq: Seq,
    pub(crate) count: u32,
    traced: u32,
    pub(crate) segment_bytes: u64,
    pub(crate) head: LeafHash,
}

impl SealedHead {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let fields = bytes.first_chunk::<HEAD_BYTES>()?;
        let part = |from: usize, to: usize| fields.get(from..to).unwrap_or_default();
        let u32_at = |at: usize| u32::from_le_bytes(part(at, at + 4).try_into().unwrap_or_default());
        let u64_at = |at: usize| u64::from_le_bytes(part(at, at + 8).try_into().unwrap_or_default());
        let known = part(0, 8) == MAGIC && u32_at(8) == VERSION && u32_at(20) == 0;
        known.then(|| SealedHead {
            ledger_id: LedgerId::from_bytes(part(24, 40).try_into().unwrap_or_default()),
            first_seq: Seq::new(u64_at(40)),
            count: u32_at(12),
            traced: u32_at(16),
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

    fn digest_at(&self) -> u64 {
        self.traces_at() + TRACE_ENTRY_BYTES as u64 * u64::from(self.traced)
    }
}

/// A sealed segment's index file, whose checksum was right when it was opened.
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
            && file.len()? == head.digest_at() + DIGEST_BYTES;
        if !fits || !has_right_checksum(&*file, head.digest_at())? {
            return Ok(None);
        }
        Ok(Some(SealedIndex { file, head }))
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

    fn span(&self, ordinal: u32) -> io::Result<Option<Span>> {
        if ordinal >= self.head.count {
            return Ok(None);
        }
        let offset = self.offset_of(ordinal)?;
        let is_last = ordinal + 1 == self.head.count;
        let end = if is_last { self.head.segment_bytes } else { self.offset_of(ordinal + 1)? };
        Ok(Some(Span { offset, bytes: end.saturating_sub(offset) }))
    }

    fn hash_entry(&self, index: u64) -> io::Result<(HashPrefix, u32, u8)> {
        let [a, b, c, d, e, f, g, h, o0, o1, o2, o3, kind, _, _, _] =
            self.read::<HASH_ENTRY_BYTES>(self.head.hashes_at() + index * HASH_ENTRY_BYTES as u64)?;
        Ok(([a, b, c, d, e, f, g, h], u32::from_le_bytes([o0, o1, o2, o3]), kind))
    }

    fn with_hash(&self, hash: &EnvelopeHash) -> io::Result<Vec<(u32, u8)>> {
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

    /// The `index`-th of the pairs of trace and ordinal, in their order.
    fn trace_entry(&self, index: u64) -> io::Result<([u8; 16], u32)> {
        let bytes =
            self.read::<TRACE_ENTRY_BYTES>(self.head.traces_at() + index * TRACE_ENTRY_BYTES as u64)?;
        let trace = bytes.first_chunk().copied().unwrap_or_default();
        let ordinal = bytes.last_chunk().copied().unwrap_or_default();
        Ok((trace, u32::from_le_bytes(ordinal)))
    }

    fn of_trace(&self, trace: TraceId) -> io::Result<Vec<u32>> {
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
    fn traces_after(&self, after: Option<TraceId>, limit: usize) -> io::Result<Vec<TraceId>> {
        let count = u64::from(self.head.traced);
        let mut index = match after {
            None => 0,
            Some(trace) => {
                let guide = u64::from_be_bytes(trace.as_bytes().first_chunk().copied().unwrap_or_default());
                let past = (*trace.as_bytes(), u32::MAX);
                lower_bound(count, &past, guide, |index| self.trace_entry(index))?
            }
        };
        let mut found: Vec<TraceId> = Vec::new();
        let mut chunk = vec![0; TRACE_ENTRY_BYTES * 1024];
        while index < count && found.len() < limit {
            let offset = self.head.traces_at() + index * TRACE_ENTRY_BYTES as u64;
            let whole = usize::try_from(count - index).unwrap_or(usize::MAX).min(1024) * TRACE_ENTRY_BYTES;
            let filled = read_full_at(&*self.file, chunk.get_mut(..whole).unwrap_or_default(), offset)?;
            for entry in chunk.get(..filled).unwrap_or_default().chunks_exact(TRACE_ENTRY_BYTES) {
                let trace = entry.first_chunk().and_then(|bytes| TraceId::from_bytes(*bytes).ok());
                if trace.is_some() && trace != found.last().copied() && found.len() < limit {
                    found.extend(trace);
                }
                index += 1;
            }
            if filled < whole {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(found)
    }
}

fn has_right_checksum(file: &dyn DiskFile, covered: u64) -> io::Result<bool> {
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut at = 0;
    while at < covered {
        let wanted = usize::try_from(covered - at).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        let count = read_full_at(file, chunk.get_mut(..wanted).unwrap_or_default(), at)?;
        hasher.update(chunk.get(..count).unwrap_or_default());
        if count < wanted {
            return Ok(false);
        }
        at += count as u64;
    }
    let mut stored = [0; 32];
    read_full_at(file, &mut stored, covered)?;
    Ok(*hasher.finalize().as_bytes() == stored)
}

/// The first of `count` sorted places whose key is not below `wanted`. Keys are close to
/// uniform, so the first probes go where `guide`, the key's first 64 bits, points.
fn lower_bound<K: Ord>(
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

/// The index of one segment, wherever it lies.
#[derive(Clone, Debug)]
pub(crate) enum SegmentIndex {
    Memory(Arc<Table>),
    Sealed(SealedIndex),
}

impl SegmentIndex {
    pub(crate) fn span(&self, ordinal: u32) -> io::Result<Option<Span>> {
        match self {
            SegmentIndex::Memory(table) => Ok(table.span(ordinal)),
            SegmentIndex::Sealed(index) => index.span(ordinal),
        }
    }

    /// Ordinals and kind codes of entries whose envelope hash begins as `hash` does.
    pub(crate) fn with_hash(&self, hash: &EnvelopeHash) -> io::Result<Vec<(u32, u8)>> {
        match self {
            SegmentIndex::Memory(table) => Ok(table.with_hash(hash)),
            SegmentIndex::Sealed(index) => index.with_hash(hash),
        }
    }

    /// Ordinals of a trace's entries, ascending.
    pub(crate) fn of_trace(&self, trace: TraceId) -> io::Result<Vec<u32>> {
        match self {
            SegmentIndex::Memory(table) => Ok(table.of_trace(trace).collect()),
            SegmentIndex::Sealed(index) => index.of_trace(trace),
        }
    }

    /// Traces after `after`, each once, at most `limit`, in order.
    pub(crate) fn traces_after(&self, after: Option<TraceId>, limit: usize) -> io::Result<Vec<TraceId>> {
        match self {
            SegmentIndex::Memory(table) => {
                let start = after.map_or(Bound::Unbounded, |trace| Bound::Excluded((trace, u32::MAX)));
                let mut found: Vec<TraceId> = Vec::new();
                for (trace, _) in table.traces.range((start, Bound::Unbounded)) {
                    if found.last() != Some(trace) {
                        if found.len() == limit {
                            break;
                        }
                        found.push(*trace);
                    }
                }
                Ok(found)
            }
            SegmentIndex::Sealed(index) => index.traces_after(after, limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::OsDisk;
    use proofline_proof::header::EntryStatus;
    use proofline_proof::header::TraceLink;

    fn header(number: u64, hash: [u8; 32], trace: Option<[u8; 16]>) -> EntryHeader {
        let link =
            |bytes| TraceLink { trace_id: TraceId::from_bytes(bytes).unwrap(), previous: None, count: 1 };
        EntryHeader {
            seq: Seq::new(number),
            previous_leaf: Some(LeafHash::from_bytes([1; 32])),
            trace: trace.map(link),
            envelope_hash: EnvelopeHash::from_bytes(hash),
            status: EntryStatus::Accepted,
            recorded_at_ms: 0,
        }
    }

    /// A plain generator of well-spread bytes: the digests of a counter.
    fn bytes_of(number: u64) -> [u8; 32] {
        *Blake3Digest::of(&number.to_le_bytes()).as_bytes()
    }

    /// 5,000 entries with offsets 80, 180, ..; every third hash repeats the one before, traces of
    /// seven entries, every tenth entry without one; some hashes share their first eight bytes.
    fn entries() -> Vec<(u32, [u8; 32], Option<[u8; 16]>)> {
        (0..5000_u64)
            .map(|number| {
                let mut hash = bytes_of(if number % 3 == 2 { number - 1 } else { number });
                if number % 100 == 0 {
                    hash[..8].copy_from_slice(&[0xab; 8]);
                }
                let trace: [u8; 16] = bytes_of(1_000_000 + number / 7)[..16].try_into().unwrap();
                (80 + 100 * u32::try_from(number).unwrap(), hash, (number % 10 != 0).then_some(trace))
            })
            .collect()
    }

    fn both() -> (tempfile::TempDir, [SegmentIndex; 2]) {
        let mut table = Table::new(80);
        for (ordinal, (offset, hash, trace)) in (0..).zip(entries()) {
            table.insert(ordinal, offset, 100, &header(u64::from(ordinal), hash, trace));
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let (id, head) = (LedgerId::from_bytes([3; 16]), LeafHash::from_bytes([4; 32]));
        let bytes = table.encode(id, Seq::new(9), head).unwrap();
        write_index(&OsDisk, &path, &bytes).unwrap();
        let sealed = SealedIndex::open(&OsDisk, &path, id, Seq::new(9)).unwrap().unwrap();
        assert_eq!((sealed.head.count, sealed.head.segment_bytes, sealed.head.head), (5000, 500_080, head));
        (dir, [SegmentIndex::Memory(Arc::new(table)), SegmentIndex::Sealed(sealed)])
    }

    #[test]
    fn both_forms_answer_as_a_plain_search_does() {
        let (_dir, indexes) = both();
        let entries = entries();
        for index in &indexes {
            for (ordinal, (offset, hash, trace)) in (0..).zip(&entries) {
                let span = index.span(ordinal).unwrap().unwrap();
                assert_eq!((span.offset, span.bytes), (u64::from(*offset), 100));
                let same_front = |(_, (_, other, _)): &(u32, &(u32, [u8; 32], _))| other[..8] == hash[..8];
                let expected: Vec<_> =
                    (0..).zip(&entries).filter(same_front).map(|(at, _)| (at, 1_u8)).collect();
                if ordinal % 50 == 0 {
                    assert_eq!(index.with_hash(&EnvelopeHash::from_bytes(*hash)).unwrap(), expected);
                }
                if let (Some(trace), 1) = (trace, ordinal % 50) {
                    let expected: Vec<u32> = (0..)
                        .zip(&entries)
                        .filter(|(_, entry)| entry.2 == Some(*trace))
                        .map(|(at, _)| at)
                        .collect();
                    assert_eq!(index.of_trace(TraceId::from_bytes(*trace).unwrap()).unwrap(), expected);
                }
            }
            assert_eq!(index.span(5000).unwrap(), None);
            for absent in 0..200 {
                assert_eq!(
                    index.with_hash(&EnvelopeHash::from_bytes(bytes_of(7_000_000 + absent))).unwrap(),
                    []
                );
            }
        }
    }

    #[test]
    fn traces_are_listed_once_each_in_pages() {
        let (_dir, indexes) = both();
        let mut expected: Vec<_> = entries().into_iter().filter_map(|(_, _, trace)| trace).collect();
        expected.sort_unstable();
        expected.dedup();
        for index in &indexes {
            let mut listed = Vec::new();
            let mut after = None;
            loop {
                let page = index.traces_after(after, 37).unwrap();
                listed.extend(page.iter().map(|trace| *trace.as_bytes()));
                after = page.last().copied();
                if page.is_empty() {
                    break;
                }
            }
            assert_eq!(listed, expected);
        }
    }

    #[test]
    fn keys_that_are_far_from_uniform_are_found() {
        for count in [0_u64, 1, 2, 17, 1000] {
            let keys: Vec<u64> = (0..count).map(|at| at * 2 + 1).collect(); // all at the very low end
            for wanted in 0..=2 * count + 2 {
                let expected = keys.partition_point(|key| *key < wanted) as u64;
                for guide in [0, wanted, u64::MAX, u64::MAX / 2] {
                    let at = |index: u64| Ok(keys[usize::try_from(index).unwrap()]);
                    assert_eq!(
                        lower_bound(count, &wanted, guide, at).unwrap(),
                        expected,
                        "{count} {wanted} {guide}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_changed_byte_or_length_makes_the_file_unusable() {
        let (dir, _indexes) = both();
        let path = dir.path().join("index");
        let whole = std::fs::read(&path).unwrap();
        let id = LedgerId::from_bytes([3; 16]);
        let places = (0..HEAD_BYTES).chain((HEAD_BYTES..whole.len()).step_by(997)).chain([whole.len() - 1]);
        for at in places {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            std::fs::write(&path, &bytes).unwrap();
            assert!(SealedIndex::open(&OsDisk, &path, id, Seq::new(9)).unwrap().is_none(), "byte {at}");
        }
        for length in [0, 87, 88, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(SealedIndex::open(&OsDisk, &path, id, Seq::new(9)).unwrap().is_none(), "length {length}");
        }
        std::fs::write(&path, &whole).unwrap();
        assert!(SealedIndex::open(&OsDisk, &path, id, Seq::new(8)).unwrap().is_none());
        assert!(
            SealedIndex::open(&OsDisk, &path, LedgerId::from_bytes([9; 16]), Seq::new(9)).unwrap().is_none()
        );
    }
}
