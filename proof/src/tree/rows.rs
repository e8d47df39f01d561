//! Rows of node hashes, each made from the one below it in one go: many nodes take less time together than one after
//! the other.

use crate::ids::NodeHash;

/// The hashes of a full tile.
pub(super) const TILE: usize = 256;

const _: () = assert!(TILE as u64 == super::TILE_HASHES);

/// The perfect nodes over the hashes of a tile, or of a part at its left edge. 16 KiB.
pub(crate) type Pyramid = Stack<{ 2 * TILE }>;

/// The same over a sixteenth of a tile. 1 KiB.
type Low = Stack<{ 2 * LOW }>;

/// The hashes that a low stack stands on.
const LOW: usize = 16;

/// The perfect nodes over hashes that stand side by side, half as many as there is room for nodes.
pub(crate) struct Stack<const NODES: usize> {
    /// The row of height `h` begins at `NODES / 2 >> h`: over the nodes `2 i` and `2 i + 1` stands node `i`.
    nodes: [[u8; 32]; NODES],
    count: usize,
}

impl<const NODES: usize> Stack<NODES> {
    /// Over nothing.
    pub(crate) const fn empty() -> Self {
        Stack { nodes: [[0; 32]; NODES], count: 0 }
    }

    /// Over these hashes, and no more than there is room for.
    pub(crate) fn over(hashes: &[NodeHash]) -> Self {
        let mut stack = Stack::empty();
        stack.stand_on(hashes);
        stack
    }

    /// Leaves what it stood on for these hashes.
    pub(crate) fn stand_on(&mut self, hashes: &[NodeHash]) {
        let room = NODES / 2;
        for (place, hash) in self.nodes.iter_mut().skip(room).zip(hashes) {
            *place = *hash.as_bytes();
        }
        self.count = hashes.len().min(room);
        let (mut width, mut count) = (room, self.count);
        while count > 1 {
            let Some((above, below)) = self.nodes.split_at_mut_checked(width) else { break };
            (width, count) = (width / 2, count / 2);
            let pairs = below.as_chunks().0.get(..count).unwrap_or_default();
            NodeHash::over_pairs(pairs, above.get_mut(width..).unwrap_or_default());
        }
    }

    /// The node over the hashes `index * 2^height .. (index + 1) * 2^height`, if all of them are there.
    pub(crate) fn node(&self, height: u32, index: usize) -> Option<NodeHash> {
        node_of(&self.nodes, NODES / 2, self.count, height, index)
    }

    /// The nodes from this height on, to be kept.
    pub(crate) fn above(&self, height: u32) -> Upper {
        let nodes = self.nodes.get(..NODES >> height).unwrap_or_default();
        Upper { nodes: nodes.to_vec(), room: NODES / 2, count: self.count }
    }
}

/// The perfect nodes over up to 256 hashes, in as much memory as they take.
#[expect(
    clippy::large_enum_variant,
    reason = "it stays on the stack of whoever makes one node of a few hashes"
)]
pub(crate) enum Rows {
    /// Over 16 or fewer.
    Low(Low),
    /// Over more.
    High(Box<Pyramid>),
}

impl Rows {
    pub(crate) fn over(hashes: &[NodeHash]) -> Self {
        if hashes.len() <= LOW {
            Rows::Low(Low::over(hashes))
        } else {
            Rows::High(Box::new(Pyramid::over(hashes)))
        }
    }

    /// As [`Stack::node`].
    pub(crate) fn node(&self, height: u32, index: usize) -> Option<NodeHash> {
        match self {
            Rows::Low(stack) => stack.node(height, index),
            Rows::High(stack) => stack.node(height, index),
        }
    }
}

/// The upper rows of a [`Stack`].
#[derive(Clone, Debug)]
pub(crate) struct Upper {
    nodes: Vec<[u8; 32]>,
    room: usize,
    count: usize,
}

impl Upper {
    /// As [`Stack::node`]; none below the rows that were kept.
    pub(crate) fn node(&self, height: u32, index: usize) -> Option<NodeHash> {
        node_of(&self.nodes, self.room, self.count, height, index)
    }
}

fn node_of(nodes: &[[u8; 32]], room: usize, count: usize, height: u32, index: usize) -> Option<NodeHash> {
    let row = room.checked_shr(height).filter(|_| index < count >> height)?;
    nodes.get(row + index).copied().map(NodeHash::from_bytes)
}

/// The hash over a power of two of hashes that stand side by side.
pub(crate) fn fold(hashes: &[NodeHash]) -> Option<NodeHash> {
    match hashes {
        [] => None,
        [only] => Some(*only),
        [left, right] => Some(NodeHash::over(left, right)),
        _ if hashes.len() <= TILE && hashes.len().is_power_of_two() => {
            Rows::over(hashes).node(hashes.len().ilog2(), 0)
        }
        _ => fold_by_pairs(hashes.to_vec()),
    }
}

/// The same by its definition, for any number: an odd hash goes up as it is.
fn fold_by_pairs(mut hashes: Vec<NodeHash>) -> Option<NodeHash> {
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

#[cfg(test)]
mod tests {
    use super::{Pyramid, Rows, TILE, fold, fold_by_pairs};
    use crate::ids::{LeafHash, NodeHash};

    fn hashes(count: usize) -> Vec<NodeHash> {
        (0..count).map(|number| LeafHash::of(&number.to_be_bytes()).into()).collect()
    }

    #[test]
    fn rows_are_those_made_pair_by_pair() {
        for count in 0..=TILE + 2 {
            let hashes = hashes(count);
            assert_eq!(fold(&hashes), fold_by_pairs(hashes.clone()), "{count}");
        }
    }

    #[test]
    fn a_pyramid_has_each_perfect_node_and_no_other() {
        let all = hashes(TILE);
        let mut pyramid = Pyramid::over(&all);
        // What it stood on before leaves no trace.
        for count in [TILE, 0, 1, 2, 3, 15, 16, 17, 100, 127, 128, 129, 200, 255] {
            pyramid.stand_on(&all[..count]);
            let rows = Rows::over(&all[..count]);
            for height in 0..=9 {
                for index in 0..=TILE >> height {
                    let range = index << height..(index + 1) << height;
                    let below = all[..count].get(range).map(<[NodeHash]>::to_vec);
                    assert_eq!(
                        pyramid.node(height, index),
                        below.and_then(fold_by_pairs),
                        "{count} {height} {index}"
                    );
                    assert_eq!(rows.node(height, index), pyramid.node(height, index));
                }
            }
        }
    }
}
