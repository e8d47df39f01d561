//! Proofs and roots over a store that keeps nodes as well: they are those that its hashes give, whichever of the nodes
//! it keeps. A million with `PROOFLINE_EFFORT=full`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests fail by panicking"
)]

use std::cell::Cell;
use std::convert::Infallible;
use std::ops::Range;

use proofline_proof::tree::{
    Frontier, HashTree, Prover, TileHashes, consistency_proof, inclusion_proof, multiproof, root,
};
use proofline_proof::{LeafHash, NodeHash};

const LEAVES: u64 = 70_000;

/// Every perfect node, by height and index, made pair by pair.
fn every_node() -> Vec<Vec<NodeHash>> {
    let leaf = |at: u64| NodeHash::from(LeafHash::of(&at.to_be_bytes()));
    let mut rows = vec![(0..LEAVES).map(leaf).collect::<Vec<_>>()];
    while rows.last().unwrap().len() > 1 {
        let below = rows.last().unwrap().chunks_exact(2);
        rows.push(below.map(|pair| NodeHash::over(&pair[0], &pair[1])).collect());
    }
    rows
}

/// The tile hashes of a tree, and of the other nodes those that `keeps` says.
struct Keeping<K> {
    rows: Vec<Vec<NodeHash>>,
    keeps: K,
    asked: Cell<u64>,
    /// Hashes that were read beside the nodes.
    read: Cell<u64>,
}

impl<K: Fn(u32, u64) -> bool> TileHashes for Keeping<K> {
    type Error = Infallible;

    fn tile_hashes(&self, level: u32, range: Range<u64>, out: &mut Vec<NodeHash>) -> Result<(), Infallible> {
        self.read.set(self.read.get() + range.end - range.start);
        out.extend(&self.rows[8 * level as usize][range.start as usize..range.end as usize]);
        Ok(())
    }

    fn node(&self, height: u32, index: u64) -> Result<Option<NodeHash>, Infallible> {
        self.asked.set(self.asked.get() + 1);
        let node = self.rows.get(height as usize).and_then(|row| row.get(index as usize));
        assert!(node.is_some(), "the node {index} at height {height} is not there for good");
        Ok(node.copied().filter(|_| (self.keeps)(height, index)))
    }
}

fn cases() -> u64 {
    let is_full = std::env::var("PROOFLINE_EFFORT").is_ok_and(|effort| effort == "full");
    if is_full { 500_000 } else { 1_500 }
}

/// splitmix64.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

fn check<K: Fn(u32, u64) -> bool>(keeps: K) {
    let keeping = Keeping { rows: every_node(), keeps, asked: Cell::new(0), read: Cell::new(0) };
    let plain = HashTree::of((0..LEAVES).map(|at| LeafHash::of(&at.to_be_bytes())));
    let mut prover = Prover::new(&keeping);
    for case in 0..cases() {
        let size = match mix(5 * case) % 3 {
            0 => LEAVES,
            1 => (1 << (mix(5 * case + 1) % 17)) + mix(5 * case + 2) % 3,
            _ => 1 + mix(5 * case + 3) % LEAVES,
        };
        let index = mix(5 * case + 4) % size;
        let expected = inclusion_proof(&plain, index, size).unwrap().unwrap();
        assert_eq!(inclusion_proof(&keeping, index, size).unwrap().unwrap(), expected, "{index} of {size}");
        assert_eq!(
            prover.inclusion_proof(index, size).unwrap().unwrap(),
            expected,
            "{index} of {size}, kept"
        );
        let expected = consistency_proof(&plain, index + 1, size).unwrap().unwrap();
        assert_eq!(consistency_proof(&keeping, index + 1, size).unwrap().unwrap(), expected);
        assert_eq!(prover.consistency_proof(index + 1, size).unwrap().unwrap(), expected);
        assert_eq!(root(&keeping, size), root(&plain, size));
        if case % 50 == 0 {
            assert_eq!(Frontier::read(&keeping, size), Frontier::read(&plain, size));
            let mut chosen: Vec<u64> = (0..case % 7).map(|at| mix(case + at) % size).collect();
            chosen.sort_unstable();
            chosen.dedup();
            assert_eq!(multiproof(&keeping, &chosen, size), multiproof(&plain, &chosen, size));
        }
    }
    assert!(keeping.asked.get() > cases());
}

#[test]
fn nodes_from_some_height_on() {
    check(|height, _| height >= 4);
}

#[test]
fn nodes_here_and_there() {
    check(|height, index| !mix(u64::from(height) << 40 | index).is_multiple_of(3));
}

#[test]
fn no_nodes() {
    check(|_, _| false);
}

/// What makes a lone proof quick: with nodes from height 4 on no more than sixteen hashes are read for the way itself.
#[test]
fn few_hashes_are_read_where_nodes_are_kept() {
    let keeps = |height: u32, _: u64| height >= 4;
    let keeping = Keeping { rows: every_node(), keeps, asked: Cell::new(0), read: Cell::new(0) };
    for index in (0..65_536).step_by(97) {
        keeping.read.set(0);
        assert!(inclusion_proof(&keeping, index, 65_536).unwrap().is_ok());
        assert!(keeping.read.get() <= 16, "{} hashes were read", keeping.read.get());
    }
}
