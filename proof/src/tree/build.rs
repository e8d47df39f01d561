//! Makes roots and proofs for any size from stored hashes: those of the leaves, and those of every
//! eighth level above them, which is how tiles keep a tree (C2SP tlog-tiles).

use std::ops::Range;

use crate::ids::NodeHash;
use crate::tree::rows::{Pyramid, fold};
use crate::tree::tiles::TILE_HASHES;
use crate::tree::verify::{TreeFault, bit_length, consistency_nodes, inclusion_nodes};

/// The levels of a tree that one tile spans.
const TILE_LEVELS: u32 = 8;

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

/// Appends the largest perfect nodes over `length` leaves from `start` on, where a perfect tree of so many leaves or more
/// could start; the largest first.
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

/// Appends the siblings of the nodes between the one over leaf `index` at height `from` and the root of the tree of the
/// first `size`, from the bottom up. That node must be a perfect one.
fn siblings<T: TileHashes + ?Sized>(
    tiles: &T,
    index: u64,
    from: u32,
    size: u64,
    path: &mut Vec<NodeHash>,
) -> Result<(), T::Error> {
    // Below the height at which the way from the tree's last leaf joins, each node has a sibling, and the topmost of these
    // may be no perfect one. From there on only what stands on the left is one.
    let joins = bit_length(index ^ (size - 1));
    let edge = joins.checked_sub(1).filter(|edge| *edge >= from);
    let (inner, outer) = (low_bits(joins.saturating_sub(1)), index & !low_bits(joins));
    let mut perfect = (inner | outer) & !low_bits(from);
    let (below_edge, mut row, mut pyramid) = (low_bits(joins), Vec::new(), Pyramid::empty());
    let mut push_perfect = |heights: u64, path: &mut Vec<NodeHash>| {
        (0..u64::BITS / TILE_LEVELS).try_for_each(|tile_level| {
            let wanted = heights >> (tile_level * TILE_LEVELS) & (TILE_HASHES - 1);
            TilePart { tile_level, wanted, index, size }.push(tiles, &mut row, &mut pyramid, path)
        })
    };
    push_perfect(perfect & below_edge, path)?;
    perfect &= !below_edge;
    if let Some(edge) = edge {
        let start = ((index >> edge) ^ 1) << edge;
        path.push(range_root(tiles, start, (size - start).min(1 << edge))?);
    }
    push_perfect(perfect, path)
}

/// The siblings on one way up that one tile gives.
struct TilePart {
    tile_level: u32,
    /// A bit for each height above the tile's hashes at which one is wanted. All of them are perfect nodes.
    wanted: u64,
    index: u64,
    size: u64,
}

impl TilePart {
    fn push<T: TileHashes + ?Sized>(
        &self,
        tiles: &T,
        row: &mut Vec<NodeHash>,
        pyramid: &mut Pyramid,
        path: &mut Vec<NodeHash>,
    ) -> Result<(), T::Error> {
        let Some(highest) = self.wanted.checked_ilog2() else { return Ok(()) };
        let below = self.tile_level * TILE_LEVELS;
        let (place, end) = (self.index >> below, self.size >> below);
        // As much of the tile as the highest sibling and the way itself stand on.
        let start = place & !low_bits(highest + 1);
        row.clear();
        tiles.tile_hashes(self.tile_level, start..end.min(start + (2 << highest)), row)?;
        pyramid.stand_on(row);
        for height in (0..TILE_LEVELS).filter(|height| self.wanted >> height & 1 == 1) {
            let sibling = ((place - start) >> height) ^ 1;
            let node = usize::try_from(sibling).ok().and_then(|sibling| pyramid.node(height, sibling));
            path.push(node.unwrap_or_else(NodeHash::empty_root));
        }
        Ok(())
    }
}

/// So many one bits.
const fn low_bits(count: u32) -> u64 {
    match u64::MAX.checked_shl(count) {
        Some(high) => !high,
        None => u64::MAX,
    }
}

/// The inclusion proof of entry `index` in the tree of the first `size` entries, from the leaf's
/// sibling up.
///
/// # Errors
/// [`TreeFault::IndexPastSize`] as the inner error; those of the store.
pub fn inclusion_proof<T: TileHashes + ?Sized>(
    tiles: &T,
    index: u64,
    size: u64,
) -> Result<Result<Vec<NodeHash>, TreeFault>, T::Error> {
    let count = match inclusion_nodes(index, size) {
        Ok(count) => count,
        Err(fault) => return Ok(Err(fault)),
    };
    let mut path = Vec::with_capacity(count);
    siblings(tiles, index, 0, size, &mut path)?;
    Ok(Ok(path))
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
    let count = match consistency_nodes(old, new) {
        Ok(count) => count,
        Err(fault) => return Ok(Err(fault)),
    };
    let mut path = Vec::with_capacity(count);
    if old == new {
        return Ok(Ok(path));
    }
    // The last of the older tree's perfect subtrees: the way from there to the newer root passes all others.
    let level = old.trailing_zeros();
    // The older tree as a whole is known to whoever checks; a part of it is not.
    if !old.is_power_of_two() {
        path.push(perfect_node(tiles, level, (old - 1) >> level)?);
    }
    siblings(tiles, old - 1, level, new, &mut path)?;
    Ok(Ok(path))
}
