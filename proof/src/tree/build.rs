//! Makes roots and proofs for any size from stored hashes: those of the leaves, and those of every
//! eighth level above them, which is how tiles keep a tree (C2SP tlog-tiles).

use std::ops::Range;

use crate::ids::NodeHash;
use crate::tree::prover::Prover;
use crate::tree::rows::{Rows, fold};
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

    /// The perfect node over the leaves `index * 2^height .. (index + 1) * 2^height`, where it is kept as well.
    /// `None` says nothing: whoever asked makes it from the hashes of a tile.
    ///
    /// # Errors
    /// When it is kept and cannot be read.
    fn node(&self, height: u32, index: u64) -> Result<Option<NodeHash>, Self::Error> {
        let _ = (height, index);
        Ok(None)
    }

    /// The root over the `length` leaves from `start` on, which are the last of a tree, where it is kept as well.
    /// `None` says nothing.
    ///
    /// # Errors
    /// When it is kept and cannot be read.
    fn edge(&self, start: u64, length: u64) -> Result<Option<NodeHash>, Self::Error> {
        let _ = (start, length);
        Ok(None)
    }
}

/// Nodes inside one tile level, by height above its hashes, and a bit for each that is still to be made.
pub(super) struct Nodes {
    pub(super) found: [Option<NodeHash>; TILE_LEVELS as usize],
    pub(super) missing: u64,
}

impl Nodes {
    /// Those that are kept, of a node at each height that has a bit in `wanted`; `index` says which that is.
    pub(super) fn kept<T: TileHashes + ?Sized>(
        tiles: &T,
        tile_level: u32,
        wanted: u64,
        index: impl Fn(u32) -> u64,
    ) -> Result<Self, T::Error> {
        let mut nodes = Nodes { found: [None; TILE_LEVELS as usize], missing: wanted };
        for (height, place) in (0..).zip(&mut nodes.found).filter(|(height, _)| wanted >> height & 1 == 1) {
            *place = tiles.node(tile_level * TILE_LEVELS + height, index(height))?;
            nodes.missing &= !(u64::from(place.is_some()) << height);
        }
        Ok(nodes)
    }

    /// Fills in those that are missing.
    pub(super) fn fill(&mut self, node: impl Fn(u32) -> Option<NodeHash>) {
        for (height, place) in
            (0..).zip(&mut self.found).filter(|(height, _)| self.missing >> height & 1 == 1)
        {
            *place = Some(node(height).unwrap_or_else(NodeHash::empty_root));
        }
        self.missing = 0;
    }
}

/// The node over the leaves `index * 2^level .. (index + 1) * 2^level`, all of which must exist.
///
/// # Errors
/// Those of the store.
pub fn perfect_node<T: TileHashes + ?Sized>(tiles: &T, level: u32, index: u64) -> Result<NodeHash, T::Error> {
    if let Some(node) = tiles.node(level, index)? {
        return Ok(node);
    }
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
    let (mut at, mut row) = (start, Vec::new());
    for tile_level in (0..=length.checked_ilog2().unwrap_or(0) / TILE_LEVELS).rev() {
        let below = tile_level * TILE_LEVELS;
        let (first, count) = (at >> below, length >> below & (TILE_HASHES - 1));
        // The larger ones go before: those of the bits above.
        let passed = |height: u32| count & !low_bits(height + 1);
        let mut own = Nodes::kept(tiles, tile_level, count, |height| (first + passed(height)) >> height)?;
        if let Some(highest) = own.missing.checked_ilog2() {
            let skipped = passed(highest);
            row.clear();
            tiles.tile_hashes(tile_level, first + skipped..first + count, &mut row)?;
            let pyramid = Rows::over(&row);
            let place = |height: u32| usize::try_from((passed(height) - skipped) >> height).ok();
            own.fill(|height| pyramid.node(height, place(height)?));
        }
        nodes.extend(own.found.iter().rev().flatten());
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
    let mut nodes = Vec::with_capacity(length.count_ones() as usize);
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
