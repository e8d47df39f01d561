//! The compact frontier: all that appending to a tree, and knowing its root, needs. One hash for
//! each set bit of the size.

use crate::ids::{LeafHash, NodeHash};
use crate::tree::build::{TileHashes, join, perfect_nodes};
use crate::tree::rows::{TILE, fold};

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
        let mut nodes = Vec::with_capacity(size.count_ones() as usize);
        perfect_nodes(tiles, 0, size, &mut nodes)?;
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
        self.push_node(0, leaf.into());
    }

    /// Takes in the next entries, many nodes at once.
    pub fn extend(&mut self, leaves: &[LeafHash]) {
        let mut rest = leaves;
        let mut row = Vec::with_capacity(rest.len().min(TILE));
        while let Some(longest) = rest.len().checked_ilog2() {
            // A perfect node has its place where a whole number of them goes before.
            let level = longest.min(self.size.trailing_zeros()).min(TILE.ilog2());
            let Some((next, others)) = rest.split_at_checked(1 << level) else { break };
            row.clear();
            row.extend(next.iter().copied().map(NodeHash::from));
            self.push_node(level, fold(&row).unwrap_or_else(NodeHash::empty_root));
            rest = others;
        }
    }

    /// Takes in the next entries, and hands on every perfect node that this makes, row by row: the height, and the
    /// nodes there, the leaves themselves at 0. Each row is made in one go, so that many nodes take less time together.
    pub fn extend_by_rows(&mut self, leaves: &[LeafHash], mut made: impl FnMut(u32, &[[u8; 32]])) {
        let (first, end) = (self.size, self.size.saturating_add(leaves.len() as u64));
        let mut before = std::mem::take(&mut self.nodes);
        // The first place is for the node that stands to the left of the row, if that has its partner there.
        let mut row: Vec<[u8; 32]> = Vec::with_capacity(leaves.len() + 1);
        row.push([0; 32]);
        row.extend(leaves.iter().map(|leaf| *leaf.as_bytes()));
        for height in 0..u64::BITS - end.leading_zeros() {
            let own = row.get(1..).unwrap_or_default();
            if !own.is_empty() {
                made(height, own);
            }
            let left = if first >> height & 1 == 1 { before.pop() } else { None };
            if end >> height & 1 == 1 {
                self.nodes.extend(own.last().copied().map(NodeHash::from_bytes).or(left));
            }
            row = row_above(row, left);
        }
        self.nodes.reverse();
        self.size = end;
    }

    /// Takes in a perfect node over the next `2^level` entries; the size must be a multiple of that.
    fn push_node(&mut self, level: u32, node: NodeHash) {
        let mut hash = node;
        for _ in 0..(self.size >> level).trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                hash = NodeHash::over(&left, &hash);
            }
        }
        self.nodes.push(hash);
        self.size += 1 << level;
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> NodeHash {
        join(self.nodes.iter().copied())
    }
}

/// The row of nodes over this one, from its second place on, and over the node to the left of it.
fn row_above(mut row: Vec<[u8; 32]>, left: Option<NodeHash>) -> Vec<[u8; 32]> {
    if let (Some(left), Some(place)) = (left, row.first_mut()) {
        *place = *left.as_bytes();
    }
    let below = row.get(usize::from(left.is_none())..).unwrap_or_default();
    let (pairs, _) = below.as_chunks::<2>();
    let mut above = vec![[0; 32]; pairs.len() + 1];
    NodeHash::over_pairs(pairs, above.get_mut(1..).unwrap_or_default());
    above
}
