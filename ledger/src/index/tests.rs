//! Both forms of an index against plain searches, and index files that somebody changed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeMap;

use proofline_canon::Blake3Digest;
use proofline_proof::header::{EntryHeader, EntryStatus, TraceLink};
use proofline_proof::tree::Frontier;
use proofline_proof::{LeafHash, NodeHash};
use proofline_trace::LedgerId;

use super::*;
use crate::disk::OsDisk;

/// Offset, envelope hash and trace of an entry.
type Listing = (u32, [u8; 32], Option<[u8; 16]>);

fn ordinals(index: &SegmentIndex, hash: &[u8; 32]) -> Vec<u32> {
    let found = index.with_hash(&EnvelopeHash::from_bytes(*hash)).unwrap();
    found.iter().map(|hit| hit.ordinal).collect()
}

fn header(number: u64, hash: [u8; 32], trace: Option<[u8; 16]>) -> EntryHeader {
    let link = |bytes| TraceLink { trace_id: TraceId::from_bytes(bytes).unwrap(), previous: None, count: 1 };
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
fn before() -> Frontier {
    let mut frontier = Frontier::empty();
    (0..9).for_each(|number| frontier.push(leaf_of(number)));
    frontier
}

/// 5,000 entries with offsets 80, 180, ..; every third hash repeats the one before, traces of
/// seven entries, every tenth entry without one; some hashes share their first eight bytes.
fn entries() -> Vec<Listing> {
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
    both_of(&entries())
}

fn both_of(entries: &[Listing]) -> (tempfile::TempDir, [SegmentIndex; 2]) {
    let count = u32::try_from(entries.len()).unwrap();
    let mut table = Table::new(80);
    for (ordinal, (offset, hash, trace)) in (0..).zip(entries.iter().copied()) {
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
    bytes.extend(SegmentTree::build(&table.leaves(count.into()).unwrap(), &mut before()).encode());
    write_index(&OsDisk, &path, &bytes).unwrap();
    let sealed = SealedIndex::open(&OsDisk, &path, id, Seq::new(9)).unwrap().unwrap();
    assert_eq!(
        (sealed.head.count, sealed.head.segment_bytes, sealed.head.head),
        (count, 80 + 100 * u64::from(count), head)
    );
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
                let found = index.with_hash(&EnvelopeHash::from_bytes(*hash)).unwrap();
                let places: Vec<_> = found.iter().map(|hit| u64::from(hit.offset)).collect();
                let lie = |(at, _): &(u32, u8)| index.span(*at).unwrap().unwrap().offset;
                assert_eq!(places, expected.iter().map(lie).collect::<Vec<_>>());
                let found: Vec<_> = found.iter().map(|hit| (hit.ordinal, hit.kind)).collect();
                assert_eq!(found, expected);
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
        for range in [0..0, 0..5000, 17..18, 4990..5000, 4990..5007, 5000..5003, 7000..7001] {
            let expected: Vec<_> = range.clone().map(|at| index.span(at).unwrap()).collect();
            assert_eq!(index.spans(range.clone()).unwrap(), expected, "{range:?}");
        }
        for absent in 0..200 {
            assert_eq!(index.with_hash(&EnvelopeHash::from_bytes(bytes_of(7_000_000 + absent))).unwrap(), []);
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
    let read = |level: u32, range| {
        let mut out = Vec::new();
        sealed.nodes(8 * level, range, &mut out).unwrap().then_some(out)
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
    for count in [1_u64, 2, 17, 63, 64, 65, 128, 129, 1000] {
        let entries: Vec<Listing> = (0..count)
            .map(|at| {
                let (mut hash, mut trace) = ([0; 32], [0; 16]);
                hash[..8].copy_from_slice(&(at * 2 + 1).to_be_bytes()); // all at the very low end
                trace[8..].copy_from_slice(&(at / 3 * 2 + 1).to_be_bytes());
                (80 + 100 * u32::try_from(at).unwrap(), hash, Some(trace))
            })
            .collect();
        let (_dir, indexes) = both_of(&entries);
        for index in &indexes {
            for wanted in 0..=2 * count + 2 {
                let (mut hash, mut trace) = ([0; 32], [0; 16]);
                hash[..8].copy_from_slice(&wanted.to_be_bytes());
                trace[8..].copy_from_slice(&(wanted + 1).to_be_bytes());
                let found: Vec<u32> = ordinals(index, &hash);
                let expected: Vec<u32> =
                    (0..).zip(&entries).filter(|(_, it)| it.1 == hash).map(|(at, _)| at).collect();
                assert_eq!(found, expected, "{count} {wanted}");
                let expected: Vec<u32> =
                    (0..).zip(&entries).filter(|(_, it)| it.2 == Some(trace)).map(|(at, _)| at).collect();
                let wanted = TraceId::from_bytes(trace).unwrap();
                assert_eq!(index.of_trace(wanted).unwrap(), expected);
                let behind: Vec<[u8; 16]> =
                    entries.iter().filter_map(|it| it.2).filter(|it| *it > trace).collect();
                let next = index.traces_after(Some(wanted), 1).unwrap();
                assert_eq!(next.first().map(|it| *it.as_bytes()), behind.first().copied());
            }
        }
    }
}

#[test]
fn all_traces_are_read_in_pages_with_their_entries() {
    let (_dir, indexes) = both();
    let entries = entries();
    let mut expected: BTreeMap<[u8; 16], Vec<u32>> = BTreeMap::new();
    for (ordinal, (_, _, trace)) in (0..).zip(&entries) {
        trace.iter().for_each(|trace| expected.entry(*trace).or_default().push(ordinal));
    }
    for index in &indexes {
        assert_eq!(index.trace_count() as usize, expected.len());
        let (mut rank, mut listed) = (0, Vec::new());
        while rank < index.trace_count() {
            let page = index.trace_page(rank, 91).unwrap();
            rank += 91;
            for (trace, own) in page.traces {
                listed.push((*trace.as_bytes(), page.ordinals[own].to_vec()));
            }
        }
        assert_eq!(listed, expected.clone().into_iter().collect::<Vec<_>>());
        for (before, trace) in expected.keys().enumerate() {
            let trace = TraceId::from_bytes(*trace).unwrap();
            assert_eq!(index.trace_rank(Some(trace)).unwrap() as usize, before + 1);
        }
    }
}

/// A forged file, right checksums and all: nothing panics or reads without end, and what no search
/// would find is called out of order.
#[test]
fn a_forged_index_is_out_of_order() {
    let (dir, [_, sealed]) = both();
    let path = dir.path().join("index");
    let SegmentIndex::Sealed(sealed) = sealed else { panic!("not sealed") };
    let whole = std::fs::read(&path).unwrap();
    let head = sealed.head;
    let digest_at = usize::try_from(head.digest_at()).unwrap();
    let at = |place: u64| usize::try_from(place).unwrap();
    let resident = head.resident();
    // Where, and whether the hashes are still found if ones and if zeros stand there.
    let places = [
        (at(resident.hash_filter.start), true, false),
        (at(resident.hash_posts.start), false, false),
        (at(resident.trace_filter.start), true, true),
        (at(resident.trace_posts.start), true, true),
        (at(head.hashes_at()), false, false),
        (at(head.traces_at()), true, true),
        (at(head.traces_at()) + 16, true, true),
        (at(head.traces_at()) + 36, true, true),
        (at(head.ordinals_at()), true, true),
    ];
    for (place, with_ones, with_zeros) in places {
        for (value, ascends) in [(0xff, with_ones), (0x00, with_zeros)] {
            let mut bytes = whole.clone();
            bytes[place..place + 4].fill(value);
            let digest = Blake3Digest::of(&bytes[..digest_at]);
            bytes[digest_at..digest_at + 32].copy_from_slice(digest.as_bytes());
            std::fs::write(&path, &bytes).unwrap();
            let id = LedgerId::from_bytes([3; 16]);
            let index = SealedIndex::open(&OsDisk, &path, id, Seq::new(9)).unwrap().unwrap();
            let index = SegmentIndex::Sealed(index);
            let found = index.visit_hashes(&mut |_, _, _| ()).unwrap();
            assert_eq!(found, ascends, "place {place} made {value}");
            let _ = index.traces_after(None, usize::MAX).unwrap();
            let mut rank = 0;
            while rank < index.trace_count() {
                let page = index.trace_page(rank, 100).unwrap();
                assert!(page.traces.iter().all(|(_, own)| own.end <= page.ordinals.len()));
                rank += 100;
            }
            for (_, hash, trace) in entries().iter().step_by(100) {
                let _ = ordinals(&index, hash);
                trace.map(|trace| index.of_trace(TraceId::from_bytes(trace).unwrap()).unwrap());
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
    assert!(SealedIndex::open(&OsDisk, &path, LedgerId::from_bytes([9; 16]), Seq::new(9)).unwrap().is_none());
}
