//! The compact frontier: all that appending to a tree, and knowing its root, needs. One hash for
//! each set bit of the size.

use crate::ids::{LeafHash, NodeHash};
use crate::tree::build::{TileHashes, join, perfect_node};

/// The perfect subtrees of a tree, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    nodes: Vec<NodeHash>,
}

impl Frontier {
    /// The frontier of a tree without entries.
    #[must_use]
    pub const fn empty() -> Self {
        Frontier { size: 0, nodes: Vec::new() }
    }

    /// The frontier of the first `size` entries, read from stored hashes. It proves nothing by
    /// itself: compare its root with one that somebody signed.
    ///
    /// # Errors
    /// Those of the store.
    pub fn read<T: TileHashes + ?Sized>(tiles: &T, size: u64) -> Result<Self, T::Error> {
        let (mut start, mut nodes) = (0, Vec::new());
        for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
            nodes.push(perfect_node(tiles, level, start >> level)?);
            start += 1 << level;
        }
        Ok(Frontier { size, nodes })
    }

    /// A frontier from its parts; `None` when there is not one hash for each set bit of the size.
    #[must_use]
    pub fn from_parts(size: u64, nodes: Vec<NodeHash>) -> Option<Self> {
        (nodes.len() == size.count_ones() as usize).then_some(Frontier { size, nodes })
    }

    /// How many entries the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the perfect subtrees, the largest first.
    #[must_use]
    pub fn nodes(&self) -> &[NodeHash] {
        &self.nodes
    }

    /// Takes in the next entry.
    pub fn push(&mut self, leaf: LeafHash) {
        let mut hash = NodeHash::from(leaf);
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                hash = NodeHash::over(&left, &hash);
            }
        }
        self.nodes.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> NodeHash {
        join(self.nodes.iter().copied())
    }
}
