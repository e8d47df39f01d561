//! Makes roots and proofs for any size from stored hashes: those of the leaves, and those of every
//! eighth level above them, which is how tiles keep a tree (C2SP tlog-tiles).

use std::ops::Range;

use crate::ids::NodeHash;
use crate::tree::prover::Prover;
use crate::tree::rows::{Pyramid, fold};
use crate::tree::tiles::TILE_HASHES;
use crate::tree::verify::TreeFault;

/// The levels of a tree that one tile spans.
pub(super) const TILE_LEVELS: u32 = 8;

/// Where the hashes of a tree are kept.
pub trait TileHashes {
    /// Why a hash cannot be read.
    type Error;

    /// Appends to `out` the hashes of these indexes at tile level `level`: hash `i` is that of the
    /// perfect node over the leaves `i * 256^level .. (i + 1) * 256^level`. Level 0 are the leaves.
    ///
    /// # Errors
    /// When they cannot be read.
    fn tile_hashes(&self, level: u32, range: Range<u64>, out: &mut Vec<NodeHash>) -> Result<(), Self::Error>;
}

/// The node over the leaves `index * 2^level .. (index + 1) * 2^level`, all of which must exist.
///
/// # Errors
/// Those of the store.
pub fn perfect_node<T: TileHashes + ?Sized>(tiles: &T, level: u32, index: u64) -> Result<NodeHash, T::Error> {
    let (tile_level, inner) = (level / TILE_LEVELS, level % TILE_LEVELS);
    let first = index << inner;
    let mut hashes = Vec::with_capacity(1 << inner);
    tiles.tile_hashes(tile_level, first..first + (1 << inner), &mut hashes)?;
    Ok(fold(&hashes).unwrap_or_else(NodeHash::empty_root))
}

/// Appends the largest perfect nodes over `length` leaves from `start` on, where a perfect tree of so many leaves or
/// more could start; the largest first.
pub(super) fn perfect_nodes<T: TileHashes + ?Sized>(
    tiles: &T,
    start: u64,
    length: u64,
    nodes: &mut Vec<NodeHash>,
) -> Result<(), T::Error> {
    if length.is_power_of_two() {
        let level = length.ilog2();
        nodes.push(perfect_node(tiles, level, start >> level)?);
        return Ok(());
    }
    let (mut at, mut row, mut pyramid) = (start, Vec::new(), Pyramid::empty());
    for tile_level in (0..=length.checked_ilog2().unwrap_or(0) / TILE_LEVELS).rev() {
        let below = tile_level * TILE_LEVELS;
        let count = length >> below & (TILE_HASHES - 1);
        if count == 0 {
            continue;
        }
        row.clear();
        tiles.tile_hashes(tile_level, at >> below..(at >> below) + count, &mut row)?;
        pyramid.stand_on(&row);
        let mut passed = 0;
        for height in (0..TILE_LEVELS).rev().filter(|height| count >> height & 1 == 1) {
            nodes.push(pyramid.node(height, passed >> height).unwrap_or_else(NodeHash::empty_root));
            passed += 1 << height;
        }
        at += count << below;
    }
    Ok(())
}

/// The root over `length` leaves from `start` on, where a perfect tree of so many leaves or more
/// could start.
pub(super) fn range_root<T: TileHashes + ?Sized>(
    tiles: &T,
    start: u64,
    length: u64,
) -> Result<NodeHash, T::Error> {
    let mut nodes = Vec::new();
    perfect_nodes(tiles, start, length, &mut nodes)?;
    Ok(join(nodes))
}

/// The root over perfect subtrees that stand side by side, the largest first.
pub(crate) fn join(nodes: impl IntoIterator<Item = NodeHash, IntoIter: DoubleEndedIterator>) -> NodeHash {
    let joined = nodes.into_iter().rev().reduce(|right, left| NodeHash::over(&left, &right));
    joined.unwrap_or_else(NodeHash::empty_root)
}

/// The root of the tree of the first `size` entries.
///
/// # Errors
/// Those of the store.
pub fn root<T: TileHashes + ?Sized>(tiles: &T, size: u64) -> Result<NodeHash, T::Error> {
    range_root(tiles, 0, size)
}

/// The greatest power of two below a number that is over 1.
pub(crate) const fn split(length: u64) -> u64 {
    1 << (length - 1).ilog2()
}

/// So many one bits.
pub(super) const fn low_bits(count: u32) -> u64 {
    match u64::MAX.checked_shl(count) {
        Some(high) => !high,
        None => u64::MAX,
    }
}

/// The inclusion proof of entry `index` in the tree of the first `size` entries, from the leaf's
/// sibling up. For many of them a [`Prover`] is quicker.
///
/// # Errors
/// [`TreeFault::IndexPastSize`] as the inner error; those of the store.
pub fn inclusion_proof<T: TileHashes + ?Sized>(
    tiles: &T,
    index: u64,
    size: u64,
) -> Result<Result<Vec<NodeHash>, TreeFault>, T::Error> {
    Prover::once(tiles).inclusion_proof(index, size)
}

/// The consistency proof from the tree of the first `old` entries to that of the first `new`.
///
/// # Errors
/// [`TreeFault::Sizes`] as the inner error; those of the store.
pub fn consistency_proof<T: TileHashes + ?Sized>(
    tiles: &T,
    old: u64,
    new: u64,
) -> Result<Result<Vec<NodeHash>, TreeFault>, T::Error> {
    Prover::once(tiles).consistency_proof(old, new)
}
