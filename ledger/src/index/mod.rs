//! Where entries lie: by ordinal, by envelope hash, by trace. The open segment has its index in
//! memory; a sealed segment has a sorted, immutable file beside it, which is derived and can be
//! made again from the log at any time. Behind it in the same file lies the segment's part of the
//! Merkle tree, with a checksum of its own.
//!
//! The file `NNNNNNNNNNNNNNNNNNNN.idx`, for `n` entries of which `t` have a trace and `s` are system
//! entries; integers are little-endian, ordinals count from the segment's first entry:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `PROOFIDX` |
//! | 8 | 4 | format version, 0 |
//! | 12 | 4 | n |
//! | 16 | 4 | t |
//! | 20 | 4 | s |
//! | 24 | 16 | ledger id |
//! | 40 | 8 | first seq |
//! | 48 | 8 | bytes of the segment file |
//! | 56 | 32 | leaf hash of the last entry |
//! | 88 | 4 n | offset of each frame in the segment file |
//! | 88 + 4 n | 16 n | first 8 bytes of the envelope hash, ordinal (4), entry kind (1), zero (3); sorted |
//! | 88 + 20 n | 20 t | trace id (16), ordinal (4); sorted |
//! | 88 + 20 n + 20 t | 4 s | ordinal of each system entry; ascending |
//! | 88 + 20 n + 20 t + 4 s | 32 | BLAKE3 of the bytes before |
//! | then | 32 n | leaf hash of each entry |
//! | | 32 each | roots of the 256-wide tiles that fill up in this segment: level 1, 2, ... |
//! | | 32 | BLAKE3 of the hashes |

mod sealed;
mod table;
mod tree;

use std::io;
use std::path::Path;
use std::sync::Arc;

use proofline_proof::Seq;
use proofline_trace::{EnvelopeHash, TraceId};

use crate::disk::Disk;
use crate::durable;

pub(crate) use sealed::{OldIndex, SealedIndex, has_right_checksum, old_index};
pub(crate) use table::Table;
pub(crate) use tree::SegmentTree;

const MAGIC: &[u8; 8] = b"PROOFIDX";
const VERSION: u32 = 0;
const HEAD_BYTES: usize = 88;
const OFFSET_BYTES: u64 = 4;
const HASH_ENTRY_BYTES: usize = 16;
const TRACE_ENTRY_BYTES: usize = 20;
const SYSTEM_ENTRY_BYTES: u64 = 4;
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

/// Writes a sealed segment's index, whole and durable.
pub(crate) fn write_index(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    durable::write_file(disk, path, |file| file.write_all_at(bytes, 0)).map(|_| ())
}

/// The index of one segment, wherever it lies.
#[derive(Clone, Debug)]
pub(crate) enum SegmentIndex {
    Memory(Arc<Table>),
    Sealed(SealedIndex),
}

impl SegmentIndex {
    /// How many entries it lists.
    pub(crate) fn count(&self) -> u64 {
        match self {
            SegmentIndex::Memory(table) => table.count(),
            SegmentIndex::Sealed(index) => u64::from(index.head.count),
        }
    }

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

    /// Everything listed under a hash; whether it ascends, without which a search misses some.
    pub(crate) fn visit_hashes(&self, visit: &mut dyn FnMut(HashPrefix, u32, u8)) -> io::Result<bool> {
        match self {
            SegmentIndex::Memory(table) => {
                table.visit_hashes(visit);
                Ok(true)
            }
            SegmentIndex::Sealed(index) => index.visit_hashes(visit),
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
            SegmentIndex::Memory(table) => Ok(table.traces_after(after, limit)),
            SegmentIndex::Sealed(index) => index.traces_after(after, limit),
        }
    }

    /// Pairs of trace and ordinal behind `after`, ascending, at most `limit`.
    pub(crate) fn pairs_after(
        &self,
        after: Option<(TraceId, u32)>,
        limit: usize,
    ) -> io::Result<Vec<(TraceId, u32)>> {
        match self {
            SegmentIndex::Memory(table) => Ok(table.pairs_after(after, limit)),
            SegmentIndex::Sealed(index) => index.pairs_after(after, limit),
        }
    }

    /// Ordinals of system entries, ascending.
    pub(crate) fn system_entries(&self) -> io::Result<Vec<u32>> {
        match self {
            SegmentIndex::Memory(table) => Ok(table.system_entries()),
            SegmentIndex::Sealed(index) => index.system_entries(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proofline_canon::Blake3Digest;
    use proofline_proof::header::{EntryHeader, EntryStatus, TraceLink};
    use proofline_proof::tree::TileBuilder;
    use proofline_proof::{LeafHash, NodeHash};
    use proofline_trace::LedgerId;

    use super::sealed::lower_bound;
    use super::*;
    use crate::disk::OsDisk;

    fn header(number: u64, hash: [u8; 32], trace: Option<[u8; 16]>) -> EntryHeader {
        let link =
            |bytes| TraceLink { trace_id: TraceId::from_bytes(bytes).unwrap(), previous: None, count: 1 };
        EntryHeader {
            format: 1,
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

    fn leaf_of(number: u64) -> LeafHash {
        LeafHash::of_header(&number.to_le_bytes())
    }

    /// The tree of the nine entries before the segment.
    fn before() -> TileBuilder {
        let mut builder = TileBuilder::empty();
        (0..9).for_each(|number| builder.push(leaf_of(number), |_, _| ()));
        builder
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
            let seq = 9 + u64::from(ordinal);
            let mut header = header(seq, hash, trace);
            if ordinal % 1000 == 17 {
                header.status = EntryStatus::System;
            }
            table.insert(ordinal, offset, 100, &header, leaf_of(seq));
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let (id, head) = (LedgerId::from_bytes([3; 16]), LeafHash::from_bytes([4; 32]));
        let mut bytes = table.encode(id, Seq::new(9), head).unwrap();
        bytes.extend(SegmentTree::build(&table.leaves(5000).unwrap(), &mut before()).encode());
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
                let kind = |at: u32| if at % 1000 == 17 { 4_u8 } else { 1 };
                let expected: Vec<_> =
                    (0..).zip(&entries).filter(same_front).map(|(at, _)| (at, kind(at))).collect();
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
    fn system_entries_are_listed() {
        let (_dir, indexes) = both();
        for index in &indexes {
            assert_eq!(index.system_entries().unwrap(), [17, 1017, 2017, 3017, 4017]);
        }
    }

    #[test]
    fn the_tree_part_holds_the_leaves_and_the_tiles_that_fill_up() {
        let (_dir, [_, sealed]) = both();
        let SegmentIndex::Sealed(sealed) = sealed else { panic!("not sealed") };
        let read = |level, range| {
            let mut out = Vec::new();
            sealed.tree_hashes(level, range, &mut out).unwrap().then_some(out)
        };
        let leaves: Vec<NodeHash> = (9..5009).map(|number| leaf_of(number).into()).collect();
        assert_eq!(read(0, 9..5009), Some(leaves.clone()));
        assert_eq!(read(0, 300..301), Some(vec![leaves[291]]));
        // Tiles end at entries 256, 512, .., 4864; the first began before the segment.
        let all: Vec<NodeHash> = (0..5009).map(|number| leaf_of(number).into()).collect();
        let root = |tile: &[NodeHash]| {
            let mut row = tile.to_vec();
            while row.len() > 1 {
                row = row.chunks(2).map(|pair| NodeHash::over(&pair[0], &pair[1])).collect();
            }
            row[0]
        };
        let roots: Vec<NodeHash> = all.chunks_exact(256).map(root).collect();
        assert_eq!(roots.len(), 19);
        assert_eq!(read(1, 0..19), Some(roots));
        for (level, range) in [(0, 8..9), (0, 5008..5010), (1, 0..20), (1, 19..20), (2, 0..1), (9, 0..1)] {
            assert_eq!(read(level, range.clone()), None, "level {level}, {range:?}");
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
