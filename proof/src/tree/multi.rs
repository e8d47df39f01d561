//! Multiproofs: one list of hashes that leads from any set of leaves to the root, so that a thousand
//! entries of one log do not carry the same nodes a thousand times.
//!
//! ```text
//! root(lo, hi):
//!   if no chosen leaf in [lo, hi):    the next hash of the list
//!   if hi - lo = 1:                   the leaf's hash
//!   k = largest power of two below hi - lo
//!   SHA-256(01 || root(lo, lo + k) || root(lo + k, hi))
//! ```
//!
//! There is one list for a size and a set: a hash more or fewer is refused.

use std::convert::Infallible;
use std::iter::Peekable;
use std::ops::Range;

use crate::ids::{LeafHash, NodeHash};
use crate::tree::build::{TileHashes, range_root, split};
use crate::tree::tiles::TileBuilder;
use crate::tree::verify::TreeFault;

/// The multiproof of the leaves with these indexes, ascending, in the tree of the first `size`.
///
/// # Errors
/// [`TreeFault::IndexPastSize`] and [`TreeFault::Order`] as the inner error; those of the store.
pub fn multiproof<T: TileHashes + ?Sized>(
    tiles: &T,
    chosen: &[u64],
    size: u64,
) -> Result<Result<Vec<NodeHash>, TreeFault>, T::Error> {
    if let Some(fault) = fault_of(chosen, size) {
        return Ok(Err(fault));
    }
    let mut hashes = Vec::new();
    if size > 0 {
        collect(tiles, chosen, 0..size, &mut hashes)?;
    }
    Ok(Ok(hashes))
}

fn fault_of(chosen: &[u64], size: u64) -> Option<TreeFault> {
    let unordered = chosen.iter().zip(chosen.iter().skip(1)).find(|(one, next)| one >= next);
    let past = chosen.iter().find(|index| **index >= size);
    match (unordered, past) {
        (Some((_, index)), _) => Some(TreeFault::Order { index: *index }),
        (None, Some(index)) => Some(TreeFault::IndexPastSize { index: *index, size }),
        (None, None) => None,
    }
}

fn collect<T: TileHashes + ?Sized>(
    tiles: &T,
    chosen: &[u64],
    range: Range<u64>,
    hashes: &mut Vec<NodeHash>,
) -> Result<(), T::Error> {
    let length = range.end - range.start;
    if chosen.is_empty() {
        hashes.push(range_root(tiles, range.start, length)?);
    } else if length > 1 {
        let middle = range.start + split(length);
        let (left, right) = chosen.split_at(chosen.partition_point(|index| *index < middle));
        collect(tiles, left, range.start..middle, hashes)?;
        collect(tiles, right, middle..range.end, hashes)?;
    }
    Ok(())
}

/// The root that a multiproof gives a tree of `size` leaves: `chosen` are the known leaves with their
/// indexes, ascending. Both are taken as they come, so that neither has to lie in memory.
///
/// # Errors
/// [`TreeFault`] made into `E`; an error that either of them gives.
pub fn multiproof_root<E: From<TreeFault>>(
    size: u64,
    chosen: impl IntoIterator<Item = Result<(u64, LeafHash), E>>,
    hashes: impl IntoIterator<Item = Result<NodeHash, E>>,
) -> Result<NodeHash, E> {
    let mut walk =
        Walk { size, last: None, chosen: chosen.into_iter().peekable(), hashes: hashes.into_iter() };
    let root = if size == 0 { NodeHash::empty_root() } else { walk.root(0..size)? };
    walk.finish()?;
    Ok(root)
}

struct Walk<C: Iterator, H> {
    size: u64,
    last: Option<u64>,
    chosen: Peekable<C>,
    hashes: H,
}

impl<E, C, H> Walk<C, H>
where
    E: From<TreeFault>,
    C: Iterator<Item = Result<(u64, LeafHash), E>>,
    H: Iterator<Item = Result<NodeHash, E>>,
{
    fn root(&mut self, range: Range<u64>) -> Result<NodeHash, E> {
        if !self.has_chosen(range.end)? {
            return self.hashes.next().unwrap_or_else(|| Err(TreeFault::TooFewHashes.into()));
        }
        let length = range.end - range.start;
        if length == 1 {
            return self.leaf();
        }
        let middle = range.start + split(length);
        let left = self.root(range.start..middle)?;
        let right = self.root(middle..range.end)?;
        Ok(NodeHash::over(&left, &right))
    }

    /// True when the next chosen leaf lies below `end`. All below its range have been taken.
    fn has_chosen(&mut self, end: u64) -> Result<bool, E> {
        match self.chosen.next_if(Result::is_err) {
            Some(failed) => failed.map(|_| false),
            None => {
                let index = self.chosen.peek().and_then(|next| next.as_ref().ok()).map(|(index, _)| *index);
                if let Some(index) = index
                    && self.last.is_some_and(|last| index <= last)
                {
                    return Err(TreeFault::Order { index }.into());
                }
                Ok(index.is_some_and(|index| index < end))
            }
        }
    }

    fn leaf(&mut self) -> Result<NodeHash, E> {
        let (index, leaf) = self.chosen.next().unwrap_or_else(|| Err(TreeFault::TooFewHashes.into()))?;
        self.last = Some(index);
        Ok(leaf.into())
    }

    fn finish(mut self) -> Result<(), E> {
        if let Some(next) = self.chosen.next() {
            let (index, _) = next?;
            let is_unordered = self.last.is_some_and(|last| index <= last);
            let past = TreeFault::IndexPastSize { index, size: self.size };
            return Err(if is_unordered { TreeFault::Order { index } } else { past }.into());
        }
        match self.hashes.next() {
            None => Ok(()),
            Some(surplus) => surplus.and_then(|_| Err(TreeFault::TooManyHashes.into())),
        }
    }
}

/// A tree whose leaves lie in memory: 32 bytes each, and every eighth level above them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HashTree {
    levels: Vec<Vec<NodeHash>>,
}

impl HashTree {
    /// The tree over these leaves.
    #[must_use]
    pub fn of(leaves: impl IntoIterator<Item = LeafHash>) -> Self {
        let mut levels: Vec<Vec<NodeHash>> = Vec::new();
        let mut builder = TileBuilder::empty();
        for leaf in leaves {
            builder.push(leaf, |level, hash| {
                let level = level as usize;
                if levels.len() <= level {
                    levels.resize_with(level + 1, Vec::new);
                }
                if let Some(level) = levels.get_mut(level) {
                    level.push(hash);
                }
            });
        }
        HashTree { levels }
    }

    /// How many leaves it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Its root.
    #[must_use]
    pub fn root(&self) -> NodeHash {
        let Ok(root) = super::build::root(self, self.size());
        root
    }

    /// The multiproof of the leaves with these indexes, ascending.
    ///
    /// # Errors
    /// [`TreeFault::IndexPastSize`], [`TreeFault::Order`].
    pub fn multiproof(&self, chosen: &[u64]) -> Result<Vec<NodeHash>, TreeFault> {
        let Ok(proof) = multiproof(self, chosen, self.size());
        proof
    }
}

impl TileHashes for HashTree {
    type Error = Infallible;

    fn tile_hashes(&self, level: u32, range: Range<u64>, out: &mut Vec<NodeHash>) -> Result<(), Infallible> {
        let kept = self.levels.get(level as usize).map_or(&[][..], Vec::as_slice);
        for index in range {
            let at = usize::try_from(index).ok().and_then(|at| kept.get(at));
            // What is not kept lies past the end: nobody asks for it.
            out.push(at.copied().unwrap_or_else(NodeHash::empty_root));
        }
        Ok(())
    }
}
