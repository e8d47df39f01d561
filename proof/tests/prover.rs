//! Proofs of a tree of three tile levels against the recursion of RFC 6962 §2.1 (over perfect nodes made one by one
//! with the crate sha2): made once, and by one prover that keeps nodes over every place and size it is asked for. A
//! million with `PROOFLINE_EFFORT=full`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests fail by panicking"
)]

use std::sync::LazyLock;

use proofline_proof::tree::{
    Frontier, HashTree, Prover, TreeFault, consistency_proof, inclusion_proof, root, verify_consistency,
    verify_inclusion,
};
use proofline_proof::{LeafHash, NodeHash};
use sha2::Digest;

const LEAVES: u64 = 70_000;

/// Every perfect node, by height and index.
struct Naive(Vec<Vec<[u8; 32]>>);

impl Naive {
    fn new() -> Self {
        let leaf =
            |at: u64| sha2::Sha256::new().chain_update([0]).chain_update(at.to_be_bytes()).finalize().into();
        let mut rows = vec![(0..LEAVES).map(leaf).collect::<Vec<[u8; 32]>>()];
        while rows.last().unwrap().len() > 1 {
            let below = rows.last().unwrap();
            rows.push(below.chunks_exact(2).map(|pair| over(&pair[0], &pair[1])).collect());
        }
        Naive(rows)
    }

    fn root(&self, from: u64, to: u64) -> [u8; 32] {
        let count = to - from;
        if count.is_power_of_two() && from.is_multiple_of(count) {
            return self.0[count.ilog2() as usize][(from / count) as usize];
        }
        let middle = from + split(count);
        over(&self.root(from, middle), &self.root(middle, to))
    }

    fn path(&self, index: u64, from: u64, to: u64) -> Vec<[u8; 32]> {
        if to - from == 1 {
            return Vec::new();
        }
        let middle = from + split(to - from);
        let (mut path, sibling) = if index < middle {
            (self.path(index, from, middle), self.root(middle, to))
        } else {
            (self.path(index, middle, to), self.root(from, middle))
        };
        path.push(sibling);
        path
    }

    fn proof(&self, old: u64, from: u64, to: u64, is_known: bool) -> Vec<[u8; 32]> {
        if old == to {
            return if is_known { Vec::new() } else { vec![self.root(from, to)] };
        }
        let middle = from + split(to - from);
        let (mut path, sibling) = if old <= middle {
            (self.proof(old, from, middle, is_known), self.root(middle, to))
        } else {
            (self.proof(old, middle, to, false), self.root(from, middle))
        };
        path.push(sibling);
        path
    }
}

fn over(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha2::Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

fn split(count: u64) -> u64 {
    let mut k = 1;
    while k * 2 < count {
        k *= 2;
    }
    k
}

static NAIVE: LazyLock<Naive> = LazyLock::new(Naive::new);
static LEAF_HASHES: LazyLock<Vec<LeafHash>> =
    LazyLock::new(|| NAIVE.0[0].iter().map(|leaf| LeafHash::from_bytes(*leaf)).collect());
static TREE: LazyLock<HashTree> = LazyLock::new(|| HashTree::of(LEAF_HASHES.iter().copied()));

fn nodes(hashes: Vec<[u8; 32]>) -> Vec<NodeHash> {
    hashes.into_iter().map(NodeHash::from_bytes).collect()
}

fn cases() -> u64 {
    let is_full = std::env::var("PROOFLINE_EFFORT").is_ok_and(|effort| effort == "full");
    if is_full { 1_000_000 } else { 3_000 }
}

/// splitmix64.
fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ mixed >> 31) % below
}

/// Any size, the whole tree, one around a power of two, or one around the end of a tile.
fn size(state: &mut u64) -> u64 {
    let around = |place: u64, state: &mut u64| (place + random(state, 5)).saturating_sub(2);
    let size = match random(state, 4) {
        0 => LEAVES,
        1 => around(1 << random(state, 17), state),
        2 => around(random(state, 1 + LEAVES / 256) * 256, state),
        _ => random(state, LEAVES),
    };
    size.clamp(1, LEAVES)
}

fn check_inclusion(prover: &mut Prover<'_, HashTree>, index: u64, size: u64) {
    let expected = nodes(NAIVE.path(index, 0, size));
    assert_eq!(inclusion_proof(&*TREE, index, size).unwrap().unwrap(), expected, "{index} of {size}");
    assert_eq!(prover.inclusion_proof(index, size).unwrap().unwrap(), expected, "{index} of {size}, kept");
    let top = NodeHash::from_bytes(NAIVE.root(0, size));
    let leaf = LEAF_HASHES[index as usize];
    assert_eq!(verify_inclusion(index, size, leaf, &expected, &top), Ok(()));
}

fn check_consistency(prover: &mut Prover<'_, HashTree>, old: u64, new: u64) {
    let expected = nodes(NAIVE.proof(old, 0, new, true));
    assert_eq!(consistency_proof(&*TREE, old, new).unwrap().unwrap(), expected, "{old} to {new}");
    assert_eq!(prover.consistency_proof(old, new).unwrap().unwrap(), expected, "{old} to {new}, kept");
    let [old_root, new_root] = [old, new].map(|size| NodeHash::from_bytes(NAIVE.root(0, size)));
    assert_eq!(root(&*TREE, old), Ok(old_root));
    assert_eq!(verify_consistency(old, &old_root, new, &new_root, &expected), Ok(()));
}

#[test]
fn proofs_are_the_naive_ones() {
    let (mut state, mut prover) = (1, Prover::new(&*TREE));
    for _ in 0..cases() {
        let size = size(&mut state);
        let index = random(&mut state, size);
        check_inclusion(&mut prover, index, size);
        check_consistency(&mut prover, index + 1, size);
    }
}

/// Small trees whole: the first tiles' borders.
#[test]
fn every_proof_of_some_sizes_is_the_naive_one() {
    let mut prover = Prover::new(&*TREE);
    for size in (1..20).chain([255, 256, 257, 511, 513]) {
        for index in 0..size {
            check_inclusion(&mut prover, index, size);
            check_consistency(&mut prover, index + 1, size);
        }
    }
}

#[test]
fn what_is_not_there_has_no_proof() {
    let mut prover = Prover::new(&*TREE);
    assert_eq!(prover.inclusion_proof(5, 5).unwrap(), Err(TreeFault::IndexPastSize { index: 5, size: 5 }));
    assert_eq!(prover.inclusion_proof(0, 0).unwrap(), Err(TreeFault::IndexPastSize { index: 0, size: 0 }));
    assert_eq!(prover.consistency_proof(0, 5).unwrap(), Err(TreeFault::Sizes { old: 0, new: 5 }));
    assert_eq!(prover.consistency_proof(6, 5).unwrap(), Err(TreeFault::Sizes { old: 6, new: 5 }));
}

/// Taken in by parts of any length, a frontier is that of one leaf after the other.
#[test]
fn frontiers_grow_alike_by_leaves_and_by_parts() {
    let mut state = 2;
    for _ in 0..20 {
        let (mut parts, mut rest) = (Frontier::empty(), &LEAF_HASHES[..]);
        while !rest.is_empty() {
            let longest = 1 << (1 + random(&mut state, 13));
            let length = random(&mut state, longest).min(rest.len() as u64) as usize;
            let (part, others) = rest.split_at(length);
            parts.extend(part);
            rest = others;
            let size = parts.size();
            if size > 0 {
                assert_eq!(parts.root(), NodeHash::from_bytes(NAIVE.root(0, size)));
            }
        }
        let mut one_by_one = Frontier::empty();
        LEAF_HASHES.iter().for_each(|leaf| one_by_one.push(*leaf));
        assert_eq!(parts, one_by_one);
    }
}

/// Taken in by rows, a frontier is the same, and every node is handed on once, in its place.
#[test]
fn frontiers_grow_by_rows_that_are_the_naive_ones() {
    let mut state = 3;
    for _ in 0..20 {
        let (mut by_rows, mut rest) = (Frontier::empty(), &LEAF_HASHES[..]);
        let mut rows: Vec<Vec<[u8; 32]>> = vec![Vec::new(); 64];
        while !rest.is_empty() {
            let longest = 1 << (1 + random(&mut state, 15));
            let length = random(&mut state, longest).min(rest.len() as u64) as usize;
            let (part, others) = rest.split_at(length);
            let before = by_rows.size();
            by_rows.extend_by_rows(part, |height, made| {
                assert_eq!(rows[height as usize].len() as u64, before >> height);
                rows[height as usize].extend(made);
            });
            rest = others;
            assert!(
                by_rows.size() == 0 || by_rows.root() == NodeHash::from_bytes(NAIVE.root(0, by_rows.size()))
            );
        }
        let made: Vec<_> = rows.into_iter().take_while(|row| !row.is_empty()).collect();
        assert!(made == NAIVE.0);
        let mut one_by_one = Frontier::empty();
        LEAF_HASHES.iter().for_each(|leaf| one_by_one.push(*leaf));
        assert_eq!(by_rows, one_by_one);
    }
}
