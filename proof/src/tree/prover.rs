//! Makes proofs: tile by tile up the way from a leaf to the root. Nodes that the store keeps are read; for the others
//! each tile is read once and its nodes are made row by row.
//! Who makes many proofs keeps nodes, and then a proof takes little more than the sixteen leaves around its own.

use std::collections::BTreeMap;
use std::fmt;

use crate::ids::NodeHash;
use crate::tree::build::{Nodes, TILE_LEVELS, TileHashes, low_bits, perfect_node, range_root};
use crate::tree::rows::{Pyramid, Rows, Upper};
use crate::tree::tiles::TILE_HASHES;
use crate::tree::verify::{TreeFault, bit_length, consistency_nodes, inclusion_nodes};

/// Of a tile of leaves the nodes from this height on are kept, 1 KiB; of tiles above, which are few, all.
const KEPT_HEIGHT: u32 = 4;

/// So many tiles of leaves and so many others are kept, 4 MiB of each. Then they are dropped, and kept anew.
const KEPT_LEAF_TILES: usize = 4096;
const KEPT_UPPER_TILES: usize = 256;

/// Right edges kept; a size has up to 63.
const KEPT_EDGES: usize = 4096;

/// Makes proofs from stored hashes, and keeps nodes from one to the next: up to some 8 MiB.
///
/// What it keeps it does not read again. A store that is mended wants a new one.
pub struct Prover<'a, T: ?Sized> {
    tiles: &'a T,
    row: Vec<NodeHash>,
    kept: Option<Kept>,
}

/// Nodes by where they stand. A tree only grows: what stands somewhere once stands there for good.
#[derive(Default)]
struct Kept {
    /// By tile level, tile and how many hashes of it were there; first those of leaves.
    tiles: [BTreeMap<(u32, u64, u64), Upper>; 2],
    /// The roots over what stands from a leaf to the end of a tree: by first leaf and number.
    edges: BTreeMap<(u64, u64), NodeHash>,
}

impl<T: ?Sized> fmt::Debug for Prover<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prover").finish_non_exhaustive()
    }
}

/// One tile on the way up from a leaf, in the tree of the first `size`.
#[derive(Clone, Copy)]
struct Part {
    tile_level: u32,
    /// The way's place among all hashes of this level.
    place: u64,
    /// How many of them there are.
    end: u64,
}

impl<'a, T: TileHashes + ?Sized> Prover<'a, T> {
    /// Over these hashes.
    #[must_use]
    pub fn new(tiles: &'a T) -> Self {
        Prover { kept: Some(Kept::default()), ..Self::once(tiles) }
    }

    /// For one proof: keeps nothing, and reads no more than that takes.
    pub(super) const fn once(tiles: &'a T) -> Self {
        Prover { tiles, row: Vec::new(), kept: None }
    }

    /// See [`inclusion_proof`](super::inclusion_proof).
    ///
    /// # Errors
    /// [`TreeFault::IndexPastSize`] as the inner error; those of the store.
    pub fn inclusion_proof(
        &mut self,
        index: u64,
        size: u64,
    ) -> Result<Result<Vec<NodeHash>, TreeFault>, T::Error> {
        let count = match inclusion_nodes(index, size) {
            Ok(count) => count,
            Err(fault) => return Ok(Err(fault)),
        };
        let mut path = Vec::with_capacity(count);
        self.siblings(index, 0, size, &mut path)?;
        Ok(Ok(path))
    }

    /// See [`consistency_proof`](super::consistency_proof).
    ///
    /// # Errors
    /// [`TreeFault::Sizes`] as the inner error; those of the store.
    pub fn consistency_proof(
        &mut self,
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
            path.push(perfect_node(self.tiles, level, (old - 1) >> level)?);
        }
        self.siblings(old - 1, level, new, &mut path)?;
        Ok(Ok(path))
    }

    /// Appends the siblings of the nodes between the one over leaf `index` at height `from`, a perfect one, and the
    /// root of the tree of the first `size`, from the bottom up.
    fn siblings(
        &mut self,
        index: u64,
        from: u32,
        size: u64,
        path: &mut Vec<NodeHash>,
    ) -> Result<(), T::Error> {
        // At this height the way from the tree's last leaf joins. Below it each node has a sibling, all of them
        // perfect but perhaps the topmost; from there on only those that stand on the left are siblings.
        let joins = bit_length(index ^ (size - 1));
        let inner = low_bits(joins.saturating_sub(1)) & !low_bits(from);
        self.perfect_siblings(index, size, inner, path)?;
        if let Some(edge) = joins.checked_sub(1) {
            let start = ((index >> edge) ^ 1) << edge;
            path.push(self.edge(start, (size - start).min(1 << edge))?);
        }
        self.perfect_siblings(index, size, index & !low_bits(joins.max(from)), path)
    }

    /// A bit of `heights` for each height at which there is one.
    fn perfect_siblings(
        &mut self,
        index: u64,
        size: u64,
        heights: u64,
        path: &mut Vec<NodeHash>,
    ) -> Result<(), T::Error> {
        for tile_level in 0..u64::BITS / TILE_LEVELS {
            let below = tile_level * TILE_LEVELS;
            let (place, end) = (index >> below, size >> below);
            let wanted = heights >> below & (TILE_HASHES - 1);
            if wanted == 0 {
                continue;
            }
            let mut nodes = Nodes::kept(self.tiles, tile_level, wanted, |height| (place >> height) ^ 1)?;
            let part = Part { tile_level, place, end };
            if self.kept.is_some() {
                self.kept_part(part, &mut nodes)?
            } else {
                self.read_part(part, &mut nodes)?
            }
            path.extend(nodes.found.iter().flatten());
        }
        Ok(())
    }

    /// The siblings that are missing, from as many of a tile's hashes as they and the way itself stand on.
    fn read_part(&mut self, part: Part, nodes: &mut Nodes) -> Result<(), T::Error> {
        let Some(highest) = nodes.missing.checked_ilog2() else { return Ok(()) };
        let start = part.place & !low_bits(highest + 1);
        self.read(part.tile_level, start, part.end.min(start + (2 << highest)))?;
        let rows = Rows::over(&self.row);
        part.fill(start, nodes, |height, index| rows.node(height, index));
        Ok(())
    }

    fn read(&mut self, tile_level: u32, start: u64, end: u64) -> Result<(), T::Error> {
        self.row.clear();
        self.tiles.tile_hashes(tile_level, start..end, &mut self.row)
    }

    /// The same from what is kept, which it is from now on.
    fn kept_part(&mut self, part: Part, nodes: &mut Nodes) -> Result<(), T::Error> {
        let (kind, lowest, limit) =
            if part.tile_level == 0 { (0, KEPT_HEIGHT, KEPT_LEAF_TILES) } else { (1, 0, KEPT_UPPER_TILES) };
        let upper = nodes.missing & !low_bits(lowest);
        nodes.missing &= low_bits(lowest);
        self.read_part(part, nodes)?;
        nodes.missing = upper;
        if upper == 0 {
            return Ok(());
        }
        let start = part.place & !low_bits(TILE_LEVELS);
        let end = part.end.min(start + TILE_HASHES);
        let key = (part.tile_level, start, end);
        let kept = |kept: &Option<Kept>| Some(kept.as_ref()?.tiles.get(kind)?.contains_key(&key));
        if kept(&self.kept) != Some(true) {
            self.read(part.tile_level, start, end)?;
            let above = Pyramid::over(&self.row).above(lowest);
            keep(self.kept.as_mut().and_then(|kept| kept.tiles.get_mut(kind)), limit, key, above);
        }
        let rows = self.kept.as_ref().and_then(|kept| kept.tiles.get(kind)?.get(&key));
        part.fill(start, nodes, |height, index| rows?.node(height, index));
        Ok(())
    }

    /// The root over `length` leaves from `start` to the end of a tree.
    fn edge(&mut self, start: u64, length: u64) -> Result<NodeHash, T::Error> {
        if let Some(root) = self.tiles.edge(start, length)? {
            return Ok(root);
        }
        let key = (start, length);
        if let Some(root) = self.kept.as_ref().and_then(|kept| kept.edges.get(&key)) {
            return Ok(*root);
        }
        let root = range_root(self.tiles, start, length)?;
        keep(self.kept.as_mut().map(|kept| &mut kept.edges), KEPT_EDGES, key, root);
        Ok(root)
    }
}

/// Keeps something where there is something to keep it in; drops all that is in it when it is full.
fn keep<K: Ord, V>(kept: Option<&mut BTreeMap<K, V>>, limit: usize, key: K, value: V) {
    if let Some(kept) = kept {
        if kept.len() >= limit {
            kept.clear();
        }
        kept.insert(key, value);
    }
}

impl Part {
    /// The siblings that are missing, from the nodes of a part of the tile that begins at `start`.
    fn fill(self, start: u64, nodes: &mut Nodes, node: impl Fn(u32, usize) -> Option<NodeHash>) {
        let sibling = |height: u32| usize::try_from(((self.place - start) >> height) ^ 1).ok();
        nodes.fill(|height| node(height, sibling(height)?));
    }
}
