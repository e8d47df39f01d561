//! A segment's part of the Merkle tree: the leaf hashes of its entries, and the roots of the tiles
//! (C2SP tlog-tiles) that fill up with them. With those of the segments before, any root and any
//! proof is made from a few of them.

use std::ops::Range;

use proofline_canon::Blake3Digest;
use proofline_proof::tree::{TILE_HASHES, TileBuilder};
use proofline_proof::{LeafHash, NodeHash};

use super::DIGEST_BYTES;

/// Which hashes a segment's part holds: those at tile level `l` are the roots that the `256^l`
/// entries before an index fill, counted from the ledger's first entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TreeShape {
    /// Seq of the segment's first entry.
    pub(crate) first: u64,
    /// How many entries it has.
    pub(crate) count: u64,
}

impl TreeShape {
    /// The indexes of the hashes at a level.
    fn indexes(self, level: u32) -> Range<u64> {
        let width = TILE_HASHES.checked_pow(level).unwrap_or(u64::MAX);
        self.first / width..self.first.saturating_add(self.count) / width
    }

    /// The levels that can hold any hash.
    fn levels(self) -> impl Iterator<Item = Range<u64>> {
        (0..).map(move |level| self.indexes(level)).take_while(|indexes| indexes.end > 0)
    }

    /// Where the hashes of these indexes begin, in bytes; `None` unless all are there.
    pub(crate) fn place(self, level: u32, range: &Range<u64>) -> Option<u64> {
        let own = self.indexes(level);
        let is_inside = own.start <= range.start && range.start <= range.end && range.end <= own.end;
        let below: u64 = self.levels().take(level as usize).map(|level| level.end - level.start).sum();
        is_inside.then(|| (below + (range.start - own.start)) * DIGEST_BYTES)
    }

    /// Bytes of all hashes.
    pub(crate) fn hash_bytes(self) -> u64 {
        self.levels().map(|level| (level.end - level.start) * DIGEST_BYTES).sum()
    }

    /// Bytes of the part in a file, its checksum included.
    pub(crate) fn bytes(self) -> u64 {
        self.hash_bytes() + DIGEST_BYTES
    }
}

/// A segment's part of the tree in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentTree {
    first: u64,
    /// By level, the leaves first.
    levels: Vec<Vec<NodeHash>>,
}

impl SegmentTree {
    /// Goes on with these leaves from the tree of the entries before, which `builder` then covers too.
    pub(crate) fn build(leaves: &[LeafHash], builder: &mut TileBuilder) -> Self {
        let first = builder.size();
        let mut levels: Vec<Vec<NodeHash>> = Vec::new();
        for leaf in leaves {
            builder.push(*leaf, |level, hash| {
                let level = level as usize;
                if levels.len() <= level {
                    levels.resize(level + 1, Vec::new());
                }
                levels.get_mut(level).into_iter().for_each(|hashes| hashes.push(hash));
            });
        }
        SegmentTree { first, levels }
    }

    /// Appends the hashes of these indexes at a level; false unless all are there.
    pub(crate) fn hashes(&self, level: u32, range: &Range<u64>, out: &mut Vec<NodeHash>) -> bool {
        let count = self.levels.first().map_or(0, Vec::len) as u64;
        let own = TreeShape { first: self.first, count }.indexes(level);
        let place = |index: u64| usize::try_from(index.checked_sub(own.start)?).ok();
        let found = (|| {
            let hashes = self.levels.get(level as usize)?;
            hashes.get(place(range.start)?..place(range.end)?)
        })();
        out.extend_from_slice(found.unwrap_or_default());
        found.is_some()
    }

    /// The bytes in the index file, checksum included.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out: Vec<u8> = self.levels.iter().flatten().flat_map(|hash| *hash.as_bytes()).collect();
        let digest = Blake3Digest::of(&out);
        out.extend_from_slice(digest.as_bytes());
        out
    }
}
