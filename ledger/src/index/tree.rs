//! A segment's part of the Merkle tree: the leaf hashes of its entries, and the nodes over sixteen entries and
//! more that fill up with them, among them the roots of tiles (C2SP tlog-tiles). With those of the segments
//! before, any root and any proof is made from a few of them.

use std::ops::Range;

use proofline_canon::Blake3Digest;
use proofline_proof::tree::Frontier;
use proofline_proof::{LeafHash, NodeHash};

use super::DIGEST_BYTES;

/// The lowest height above the leaves whose nodes are kept: those below are made from sixteen leaves.
const LOWEST_NODES: u32 = 4;

/// The row of a height; none for the heights that are not kept.
const fn row_of(height: u32) -> Option<usize> {
    match height {
        0 => Some(0),
        1..LOWEST_NODES => None,
        _ => Some((height - LOWEST_NODES) as usize + 1),
    }
}

/// Which nodes a segment's part holds: those at a height `h` are over the `2^h` entries before an index,
/// counted from the ledger's first entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TreeShape {
    /// Seq of the segment's first entry.
    pub(crate) first: u64,
    /// How many entries it has.
    pub(crate) count: u64,
}

/// Nodes of one height that lie side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    /// Their indexes in the ledger's tree.
    indexes: Range<u64>,
    /// Where they begin, in bytes from the first leaf.
    at: u64,
}

impl TreeShape {
    /// The indexes of the nodes at a height that fill up in this segment.
    fn indexes(self, height: u32) -> Range<u64> {
        let end = self.first.saturating_add(self.count);
        let over = |entries: u64| entries.checked_shr(height).unwrap_or(0);
        over(self.first)..over(end)
    }

    /// The heights that are kept and at which any node fills up.
    fn heights(self) -> impl Iterator<Item = Range<u64>> {
        let heights = std::iter::once(0).chain(LOWEST_NODES..u64::BITS);
        heights.map(move |height| self.indexes(height)).take_while(|indexes| !indexes.is_empty())
    }

    /// Where what lies.
    pub(crate) fn rows(self) -> TreeRows {
        let mut at = 0;
        let rows = self.heights().map(|indexes| {
            let row = Row { at, indexes };
            at += (row.indexes.end - row.indexes.start) * DIGEST_BYTES;
            row
        });
        TreeRows(rows.collect())
    }

    /// Bytes of all hashes.
    pub(crate) fn hash_bytes(self) -> u64 {
        self.heights().map(|indexes| (indexes.end - indexes.start) * DIGEST_BYTES).sum()
    }

    /// Bytes of the part in a file, its checksum included.
    pub(crate) fn bytes(self) -> u64 {
        self.hash_bytes() + DIGEST_BYTES
    }

    /// The same of a part as it was before other nodes than the roots of tiles were kept.
    pub(super) fn bytes_of_tiles(self) -> u64 {
        let levels = (0..u64::BITS).step_by(8).map(|height| self.indexes(height));
        let hashes = levels.map(|indexes| (indexes.end - indexes.start) * DIGEST_BYTES);
        hashes.sum::<u64>() + DIGEST_BYTES
    }
}

/// Where the nodes of a segment lie, by height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeRows(Vec<Row>);

impl TreeRows {
    /// Where the nodes of these indexes at a height begin, in bytes from the first leaf; `None` unless all are there.
    pub(crate) fn place(&self, height: u32, range: &Range<u64>) -> Option<u64> {
        let row = self.0.get(row_of(height)?)?;
        let is_inside =
            row.indexes.start <= range.start && range.start <= range.end && range.end <= row.indexes.end;
        is_inside.then(|| row.at + (range.start - row.indexes.start) * DIGEST_BYTES)
    }
}

/// A segment's part of the tree in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentTree {
    rows: TreeRows,
    /// All nodes, as they lie in a file.
    nodes: Vec<[u8; 32]>,
}

impl SegmentTree {
    /// Goes on with these leaves from the tree of the entries before, which `frontier` then covers too.
    pub(crate) fn build(leaves: &[LeafHash], frontier: &mut Frontier) -> Self {
        let shape = TreeShape { first: frontier.size(), count: leaves.len() as u64 };
        let mut nodes = Vec::with_capacity(usize::try_from(shape.hash_bytes() / DIGEST_BYTES).unwrap_or(0));
        frontier.extend_by_rows(leaves, |height, row| {
            if row_of(height).is_some() {
                nodes.extend_from_slice(row);
            }
        });
        SegmentTree { rows: shape.rows(), nodes }
    }

    /// Whether nodes of this height are kept.
    pub(crate) const fn keeps(height: u32) -> bool {
        row_of(height).is_some()
    }

    /// How many entries it was made of.
    pub(crate) fn entries(&self) -> u64 {
        self.rows.0.first().map_or(0, |leaves| leaves.indexes.end - leaves.indexes.start)
    }

    /// Appends the nodes of these indexes at a height; false unless all are there.
    pub(crate) fn nodes(&self, height: u32, range: &Range<u64>, out: &mut Vec<NodeHash>) -> bool {
        let found = (|| {
            let place = usize::try_from(self.rows.place(height, range)? / DIGEST_BYTES).ok()?;
            let count = usize::try_from(range.end - range.start).ok()?;
            self.nodes.get(place..place.checked_add(count)?)
        })();
        out.extend(found.unwrap_or_default().iter().map(|hash| NodeHash::from_bytes(*hash)));
        found.is_some()
    }

    /// The bytes in the index file, checksum included.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = self.nodes.as_flattened().to_vec();
        let digest = Blake3Digest::of(&out);
        out.extend_from_slice(digest.as_bytes());
        out
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
mod tests {
    use proofline_proof::tree::TileBuilder;

    use super::*;

    fn leaf(at: u64) -> LeafHash {
        LeafHash::of_header(&at.to_le_bytes())
    }

    /// Every perfect node of the tree of so many entries, made pair by pair.
    fn every_node(entries: u64) -> Vec<Vec<NodeHash>> {
        let mut rows = vec![(0..entries).map(|at| leaf(at).into()).collect::<Vec<NodeHash>>()];
        while rows.last().unwrap().len() > 1 {
            let pairs = rows.last().unwrap().chunks_exact(2);
            rows.push(pairs.map(|pair| NodeHash::over(&pair[0], &pair[1])).collect());
        }
        rows
    }

    #[test]
    fn parts_hold_each_node_once_where_it_fills_up() {
        for lengths in
            [vec![1, 2, 13, 1, 15, 17, 300, 4000], vec![4349], vec![256, 256, 1, 255, 3581], vec![7; 40]]
        {
            let (mut frontier, mut builder) = (Frontier::empty(), TileBuilder::empty());
            let every = every_node(lengths.iter().sum());
            for length in lengths {
                let first = frontier.size();
                let leaves: Vec<LeafHash> = (first..first + length).map(leaf).collect();
                let part = SegmentTree::build(&leaves, &mut frontier);
                assert_eq!((part.entries(), frontier.size()), (length, first + length));
                let shape = TreeShape { first, count: length };
                assert_eq!(part.encode().len() as u64, shape.bytes());
                for height in 0..70 {
                    let end = |entries: u64| entries.checked_shr(height).unwrap_or(0);
                    let own = end(first)..end(first + length);
                    let mut found = Vec::new();
                    let is_kept = (height == 0 || height >= 4) && !own.is_empty();
                    assert_eq!(part.nodes(height, &own, &mut found), is_kept, "{height}");
                    let expected = every.get(height as usize).filter(|_| is_kept);
                    let [start, stop] = [own.start, own.end].map(|at| usize::try_from(at).unwrap());
                    assert_eq!(found, expected.map_or(&[][..], |row| &row[start..stop]));
                    for beyond in [start.wrapping_sub(1) as u64..own.end, own.start..own.end + 1] {
                        assert!(!part.nodes(height, &beyond, &mut Vec::new()), "{height}, {beyond:?}");
                    }
                }
                // The roots of tiles are those that come tile by tile.
                let mut roots = Vec::new();
                leaves.iter().for_each(|leaf| builder.push(*leaf, |level, hash| roots.push((level, hash))));
                for (level, hash) in roots {
                    let index = (0..=first + length).find(|at| {
                        let mut found = Vec::new();
                        part.nodes(8 * level, &(*at..at + 1), &mut found) && found == [hash]
                    });
                    assert!(index.is_some(), "level {level}");
                }
                assert!(shape.bytes_of_tiles() <= shape.bytes());
            }
        }
    }
}
