//! Tiles (C2SP tlog-tiles §3): 256 hashes side by side, at every eighth level of the tree. A tile
//! that is full never changes; its root is one hash of the tile above.

use crate::ids::{LeafHash, NodeHash};
use crate::tree::rows::fold;

/// The hashes of a full tile.
pub const TILE_HASHES: u64 = 256;

/// The root over a full tile, which is its hash in the tile above; `None` unless there are 256 hashes.
#[must_use]
pub fn tile_root(hashes: &[NodeHash]) -> Option<NodeHash> {
    (hashes.len() as u64 == TILE_HASHES).then(|| fold(hashes))?
}

/// How much of one tile level a tree fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileWidth {
    /// The tile level; 0 are the leaves.
    pub level: u32,
    /// Full tiles.
    pub full: u64,
    /// Hashes of the tile behind them, 0 to 255.
    pub partial: u64,
}

/// What the tree of `size` entries fills, level by level, up to the first level with nothing.
pub fn tile_widths(size: u64) -> impl Iterator<Item = TileWidth> {
    let hashes = std::iter::successors(Some(size), |hashes| Some(hashes / TILE_HASHES));
    (0..).zip(hashes.take_while(|hashes| *hashes > 0)).map(|(level, hashes)| TileWidth {
        level,
        full: hashes / TILE_HASHES,
        partial: hashes % TILE_HASHES,
    })
}

/// The unfinished tile of each level, from which the hashes of full ones follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TileBuilder {
    size: u64,
    levels: Vec<Vec<NodeHash>>,
}

impl TileBuilder {
    /// A tree without entries.
    #[must_use]
    pub const fn empty() -> Self {
        TileBuilder { size: 0, levels: Vec::new() }
    }

    /// A tree of `size` entries whose unfinished tiles hold these hashes, the leaves first; `None`
    /// when they are not as many as the size asks for.
    #[must_use]
    pub fn from_parts(size: u64, levels: Vec<Vec<NodeHash>>) -> Option<Self> {
        let widths: Vec<u64> = tile_widths(size).map(|width| width.partial).collect();
        let found: Vec<u64> = levels.iter().map(|level| level.len() as u64).collect();
        (widths == found).then_some(TileBuilder { size, levels })
    }

    /// How many entries the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Takes in the next entry, and hands on every hash that this makes final: `(level, hash)`,
    /// the leaf itself at level 0, then the root of each tile that it fills.
    pub fn push(&mut self, leaf: LeafHash, mut made: impl FnMut(u32, NodeHash)) {
        let (mut level, mut hash) = (0_usize, NodeHash::from(leaf));
        loop {
            made(u32::try_from(level).unwrap_or(u32::MAX), hash);
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(tile) = self.levels.get_mut(level) else { break };
            tile.push(hash);
            if (tile.len() as u64) < TILE_HASHES {
                break;
            }
            let Some(above) = fold(tile) else { break };
            tile.clear();
            hash = above;
            level += 1;
        }
        self.size += 1;
    }
}
