//! The tree of a ledger, over many small segments: roots and proofs at any past size are those of a
//! plain reading of all headers, whatever became of the files beside the segments.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{NOW_MS, bare, chain, genesis};
use proofline_ledger::{Ledger, Options, Seq, Snapshot, TreeError, reindex, verify};
use proofline_proof::tree::{Frontier, TreeFault, verify_consistency, verify_inclusion};
use proofline_proof::{LeafHash, NodeHash};
use proptest::prelude::*;

/// 1,361 entries: small segments, so that tiles begin in one and fill up in another.
fn many_segments(segment_bytes: u64) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    Ledger::init(&path, &genesis()).unwrap();
    let options = Options { segment_bytes, group_records: 40, ..Options::default() };
    let ledger = Ledger::open(&path, options).unwrap();
    let lines: Vec<String> = (1..=170).flat_map(|number| chain(number, 6)).collect();
    let actions: Vec<_> = lines.iter().map(|line| bare(line)).collect();
    ledger.commit_actions(&actions, NOW_MS).unwrap();
    assert_eq!(ledger.entries(), 1361);
    (dir, path)
}

/// The leaf hashes as a plain reading of every entry gives them.
fn leaves(snapshot: &Snapshot) -> Vec<LeafHash> {
    (0..snapshot.entries()).map(|seq| snapshot.entry(Seq::new(seq)).unwrap().unwrap().leaf_hash()).collect()
}

/// Roots of all sizes, from the leaves alone; `Frontier` is held to a naive tree in its own crate.
fn roots(leaves: &[LeafHash]) -> Vec<NodeHash> {
    let mut frontier = Frontier::empty();
    let mut roots = vec![frontier.root()];
    for leaf in leaves {
        frontier.push(*leaf);
        roots.push(frontier.root());
    }
    roots
}

fn check(path: &Path) {
    let snapshot = Snapshot::open(path).unwrap();
    let (leaves, tree) = (leaves(&snapshot), snapshot.tree());
    let roots = roots(&leaves);
    for (size, expected) in roots.iter().enumerate() {
        assert_eq!(tree.root(size as u64).unwrap(), *expected, "size {size}");
    }
    for size in (1..=leaves.len()).step_by(97).chain([256, 257, 512, leaves.len()]) {
        for index in (0..size).step_by(61).chain([size - 1]) {
            let (at, of) = (index as u64, size as u64);
            let path = tree.inclusion_proof(Seq::new(at), of).unwrap();
            assert_eq!(verify_inclusion(at, of, leaves[index], &path, &roots[size]), Ok(()));
            assert_eq!(tree.leaf(Seq::new(at)).unwrap(), leaves[index]);
        }
        for old in (1..=size).step_by(73) {
            let (before, after) = (old as u64, size as u64);
            let path = tree.consistency_proof(before, after).unwrap();
            let held = verify_consistency(before, &roots[old], after, &roots[size], &path);
            assert_eq!(held, Ok(()), "{old} to {size}");
        }
        assert_eq!(tree.frontier(size as u64).unwrap().root(), roots[size]);
    }
}

fn indexes(path: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(path.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "idx")).collect();
    found.sort();
    found
}

#[test]
fn every_root_and_proof_is_that_of_the_headers() {
    let (_dir, path) = many_segments(16 << 10);
    assert!(indexes(&path).len() > 30, "many segments");
    check(&path);
    assert!(verify(&path, &mut |_| ()).unwrap().is_sound());
}

#[test]
fn one_open_segment_has_a_tree_too() {
    let (_dir, path) = many_segments(64 << 20);
    assert!(indexes(&path).is_empty());
    check(&path);
}

#[test]
fn missing_and_damaged_indexes_are_read_around_and_made_again() {
    let (_dir, path) = many_segments(40 << 10);
    let files = indexes(&path);
    let whole: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    fs::remove_file(&files[1]).unwrap();
    let mut bytes = whole[3].clone();
    let at = bytes.len() - 40; // in the tree's part, which no lookup reads
    bytes[at] ^= 1;
    fs::write(&files[3], &bytes).unwrap();
    fs::write(&files[4], b"").unwrap();
    check(&path);
    let report = verify(&path, &mut |_| ()).unwrap();
    assert!(report.damage.is_empty());
    let derived: Vec<_> = report.derived.iter().map(|damage| damage.code).collect();
    assert_eq!(derived, ["index.missing", "index.damaged", "index.damaged"]);
    reindex(&path).unwrap();
    let again: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(again == whole, "the same files");
    assert!(verify(&path, &mut |_| ()).unwrap().is_sound());
}

#[test]
fn an_older_index_without_the_tree_is_made_again_at_opening() {
    let (_dir, path) = many_segments(40 << 10);
    let files = indexes(&path);
    let whole = fs::read(&files[2]).unwrap();
    let number = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().unwrap()) as usize;
    let (entries, traced, system) = (number(12), number(16), number(20));
    fs::write(&files[2], &whole[..88 + 20 * entries + 20 * traced + 4 * system + 32]).unwrap();
    drop(Ledger::open(&path, Options::default()).unwrap());
    assert!(fs::read(&files[2]).unwrap() == whole);
    check(&path);
}

/// Forged nodes with right checksums: proofs that rest on one are refused by the root, those that do not hold, and
/// `verify`, which makes every node from the log, tells the file.
#[test]
fn a_proof_that_rests_on_a_forged_node_is_told() {
    let (_dir, path) = many_segments(40 << 10);
    let snapshot = Snapshot::open(&path).unwrap();
    let (leaves, size) = (leaves(&snapshot), snapshot.entries());
    let root = *roots(&leaves).last().unwrap();
    let file = &indexes(&path)[2];
    let whole = fs::read(file).unwrap();
    let count = u64::from(u32::from_le_bytes(whole[12..16].try_into().unwrap()));
    let first = u64::from_le_bytes(whole[40..48].try_into().unwrap());
    let nodes: Vec<(u32, u64)> = (4..64)
        .flat_map(|height| (first >> height..(first + count) >> height).map(move |at| (height, at)))
        .collect();
    let hashes = usize::try_from(count).unwrap() + nodes.len();
    let tree_at = whole.len() - 32 - 32 * hashes;
    assert!(nodes.len() > 2);
    for (number, (height, index)) in nodes.iter().enumerate() {
        let mut bytes = whole.clone();
        bytes[tree_at + 32 * (usize::try_from(count).unwrap() + number)] ^= 1;
        let end = bytes.len() - 32;
        let digest = *blake3::hash(&bytes[tree_at..end]).as_bytes();
        bytes[end..].copy_from_slice(&digest);
        fs::write(file, &bytes).unwrap();
        let snapshot = Snapshot::open(&path).unwrap();
        assert!(snapshot.derived_damage().is_empty(), "the checksums are right");
        // The entries on the other side of the node's parent prove with it.
        let other = (index ^ 1) << height;
        let mut refused = 0;
        for seq in (0..size).step_by(37).chain([other]).filter(|seq| *seq < size) {
            let path = snapshot.tree().inclusion_proof(Seq::new(seq), size).unwrap();
            let at = usize::try_from(seq).unwrap();
            let held = verify_inclusion(seq, size, leaves[at], &path, &root).is_ok();
            if seq >> height == index ^ 1 && other + (1 << height) <= size {
                assert!(!held, "entry {seq} and the node {index} at height {height}");
            }
            refused += usize::from(!held);
        }
        assert!(refused > 0, "the node {index} at height {height} is in no proof");
        let report = verify(&path, &mut |_| ()).unwrap();
        let derived: Vec<_> = report.derived.iter().map(|damage| damage.code).collect();
        assert_eq!((derived, report.damage.is_empty()), (vec!["index.damaged"], true));
    }
}

#[test]
fn what_was_never_there_is_refused() {
    let (_dir, path) = many_segments(40 << 10);
    let snapshot = Snapshot::open(&path).unwrap();
    let tree = snapshot.tree();
    assert!(matches!(tree.root(1362), Err(TreeError::PastEnd { size: 1362, entries: 1361 })));
    assert!(matches!(tree.leaf(Seq::new(1361)), Err(TreeError::PastEnd { .. })));
    assert!(matches!(
        tree.inclusion_proof(Seq::new(9), 9),
        Err(TreeError::Sizes(TreeFault::IndexPastSize { index: 9, size: 9 }))
    ));
    assert!(matches!(
        tree.consistency_proof(0, 9),
        Err(TreeError::Sizes(TreeFault::Sizes { old: 0, new: 9 }))
    ));
    assert!(matches!(tree.consistency_proof(9, 1362), Err(TreeError::PastEnd { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// However the entries fall into segments, the roots are the same.
    #[test]
    fn segments_do_not_matter(segment_kib in 8_u64..80) {
        let (_dir, path) = many_segments(segment_kib << 10);
        let snapshot = Snapshot::open(&path).unwrap();
        let roots = roots(&leaves(&snapshot));
        for size in (0..=1361_usize).step_by(13) {
            prop_assert_eq!(snapshot.tree().root(size as u64).unwrap(), roots[size]);
        }
    }
}
