//! Makes roots and proofs for any size from stored hashes: those of the leaves, and those of every
//! eighth level above them, which is how tiles keep a tree (C2SP tlog-tiles).

use std::ops::Range;

use crate::ids::NodeHash;
use crate::tree::verify::{TreeFault, consistency_nodes, inclusion_nodes};

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

/// The hash over a power of two of hashes that stand side by side.
pub(crate) fn fold(mut hashes: Vec<NodeHash>) -> Option<NodeHash> {
    while hashes.len() > 1 {
        hashes = hashes
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => NodeHash::over(left, right),
                odd => odd.first().copied().unwrap_or_else(NodeHash::empty_root),
            })
            .collect();
    }
    hashes.pop()
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
    Ok(fold(hashes).unwrap_or_else(NodeHash::empty_root))
}

/// The root over `length` leaves from `start` on, where a perfect tree of so many leaves or more
/// could start.
pub(super) fn range_root<T: TileHashes + ?Sized>(
    tiles: &T,
    start: u64,
    length: u64,
) -> Result<NodeHash, T::Error> {
    let (mut start, mut length) = (start, length);
    let mut nodes = Vec::new();
    while length > 0 {
        let level = length.ilog2();
        nodes.push(perfect_node(tiles, level, start >> level)?);
        start += 1 << level;
        length -= 1 << level;
    }
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

/// A way from the root down, which leaves the sibling of each node on it behind.
struct Descent<'a, T: ?Sized> {
    tiles: &'a T,
    /// The leaves under the node reached: so many from here on.
    start: u64,
    length: u64,
    /// The siblings passed, from the root down.
    path: Vec<NodeHash>,
}

impl<'a, T: TileHashes + ?Sized> Descent<'a, T> {
    fn new(tiles: &'a T, size: u64, count: usize) -> Self {
        Descent { tiles, start: 0, length: size, path: Vec::with_capacity(count) }
    }

    fn step(&mut self, is_left: bool) -> Result<(), T::Error> {
        let (left, right) = (split(self.length), self.length - split(self.length));
        if is_left {
            self.path.push(range_root(self.tiles, self.start + left, right)?);
            self.length = left;
        } else {
            self.path.push(range_root(self.tiles, self.start, left)?);
            self.start += left;
            self.length = right;
        }
        Ok(())
    }

    /// The siblings from the bottom up, as proofs list them.
    fn into_path(mut self) -> Vec<NodeHash> {
        self.path.reverse();
        self.path
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
    let mut descent = Descent::new(tiles, size, count);
    while descent.length > 1 {
        descent.step(index - descent.start < split(descent.length))?;
    }
    Ok(Ok(descent.into_path()))
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
    let mut descent = Descent::new(tiles, new, count);
    // Down to where all leaves, or none behind them, are in the older tree.
    while old - descent.start != descent.length {
        descent.step(old - descent.start <= split(descent.length))?;
    }
    // The older tree as a whole is known to whoever checks; a part of it is not.
    if descent.start > 0 {
        descent.path.push(range_root(tiles, descent.start, descent.length)?);
    }
    Ok(Ok(descent.into_path()))
}
