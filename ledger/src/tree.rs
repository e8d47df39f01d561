//! The Merkle tree of a log (RFC 9162 §2.1) at any size up to its end. Its hashes come from the
//! parts beside sealed segments and from the entries of those that have none: the open one, and one
//! whose index is missing or damaged. Nothing here reads the log while the indexes are sound.
//!
//! What a part says is no proof: a root counts once somebody signed it, and whoever signs reads the
//! leaf hashes from the log (see [`Ledger::checkpoint`](crate::Ledger::checkpoint)).

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use proofline_proof::tree::{self, Frontier, TileHashes, TreeFault};
use proofline_proof::{LeafHash, NodeHash, Seq};
use thiserror::Error;

use crate::error::Damage;
use crate::index::{SegmentIndex, SegmentTree, Table};
use crate::segments::{EntryFault, Segment, Segments};
use crate::snapshot::Snapshot;

/// Why there is no root or proof.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The tree was never so large, or has no such entry.
    #[error("the ledger has {entries} entries; a tree of {size} is asked for")]
    PastEnd {
        /// The size asked for.
        size: u64,
        /// How many entries there are.
        entries: u64,
    },
    /// No such proof exists for these sizes.
    #[error(transparent)]
    Sizes(#[from] TreeFault),
    /// Entries that the proof needs cannot be read.
    #[error(transparent)]
    Entry(#[from] EntryFault),
}

impl TreeError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            TreeError::PastEnd { .. } => "tree.past_end",
            TreeError::Sizes(fault) => fault.code(),
            TreeError::Entry(EntryFault::Damaged(_)) => "ledger.damaged",
            TreeError::Entry(EntryFault::Archived(_)) => "entry.archived",
            TreeError::Entry(EntryFault::Io(_)) => "ledger.io",
        }
    }
}

/// The roots over the entries from a place to the end of a tree, by those places: one for each of its perfect subtrees.
pub(crate) type Edges = Vec<(u64, NodeHash)>;

/// The tree over a fixed prefix of a ledger.
///
/// Roots are made from the leaves and the roots of tiles, so that whoever signs one comes upon a leaf that is not
/// right; proofs of inclusion, which are held against a signed root, take the nodes between from the indexes too.
#[derive(Clone, Copy, Debug)]
pub struct LogTree<'a> {
    segments: &'a Segments,
    entries: u64,
    /// Those of the whole prefix, once a proof needed one.
    edges: &'a OnceLock<Edges>,
}

impl LogTree<'_> {
    /// How many entries the tree can have.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    fn within(&self, size: u64) -> Result<(), TreeError> {
        if size <= self.entries { Ok(()) } else { Err(TreeError::PastEnd { size, entries: self.entries }) }
    }

    /// The root of the tree of the first `size` entries.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn root(&self, size: u64) -> Result<NodeHash, TreeError> {
        self.within(size)?;
        Ok(tree::root(self.segments, size)?)
    }

    /// The compact frontier of the first `size` entries.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn frontier(&self, size: u64) -> Result<Frontier, TreeError> {
        self.within(size)?;
        Ok(Frontier::read(self.segments, size)?)
    }

    /// The leaf hash of an entry.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn leaf(&self, seq: Seq) -> Result<LeafHash, TreeError> {
        self.within(seq.get().saturating_add(1))?;
        let mut hashes = Vec::with_capacity(1);
        self.segments.tile_hashes(0, seq.get()..seq.get() + 1, &mut hashes)?;
        let missing = || TreeError::PastEnd { size: seq.get(), entries: self.entries };
        hashes.first().map(|hash| LeafHash::from_bytes(*hash.as_bytes())).ok_or_else(missing)
    }

    /// The inclusion proof of an entry in the tree of the first `size` entries.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn inclusion_proof(&self, seq: Seq, size: u64) -> Result<Vec<NodeHash>, TreeError> {
        self.within(size)?;
        Ok(tree::inclusion_proof(self, seq.get(), size)??)
    }

    /// The consistency proof from the tree of the first `old` entries to that of the first `new`.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<NodeHash>, TreeError> {
        self.within(new)?;
        Ok(tree::consistency_proof(self.segments, old, new)??)
    }

    fn edges(&self) -> Result<&Edges, EntryFault> {
        if let Some(edges) = self.edges.get() {
            return Ok(edges);
        }
        let nodes = Frontier::read(self.segments, self.entries)?;
        let made = edges_of(self.entries, nodes.nodes());
        Ok(self.edges.get_or_init(|| made))
    }
}

/// The roots over each end of a row of perfect subtrees, the largest of which comes first.
fn edges_of(size: u64, nodes: &[NodeHash]) -> Edges {
    let (mut start, mut rest) = (size, size);
    let mut root = None;
    let mut edges = Edges::with_capacity(nodes.len());
    for node in nodes.iter().rev() {
        let root = *root.insert(root.map_or(*node, |right| NodeHash::over(node, &right)));
        start -= 1 << rest.trailing_zeros();
        rest &= rest.saturating_sub(1);
        edges.push((start, root));
    }
    edges
}

impl TileHashes for LogTree<'_> {
    type Error = EntryFault;

    fn tile_hashes(&self, level: u32, range: Range<u64>, out: &mut Vec<NodeHash>) -> Result<(), EntryFault> {
        self.segments.tile_hashes(level, range, out)
    }

    fn node(&self, height: u32, index: u64) -> Result<Option<NodeHash>, EntryFault> {
        self.segments.node(height, index)
    }

    fn edge(&self, start: u64, length: u64) -> Result<Option<NodeHash>, EntryFault> {
        if start.checked_add(length) != Some(self.entries) {
            return Ok(None);
        }
        Ok(self.edges()?.iter().find(|(place, _)| *place == start).map(|(_, root)| *root))
    }
}

impl Snapshot {
    /// The Merkle tree of this prefix.
    #[must_use]
    pub fn tree(&self) -> LogTree<'_> {
        LogTree { segments: self.segments(), entries: self.entries(), edges: self.edges() }
    }
}

impl TileHashes for Segments {
    type Error = EntryFault;

    fn tile_hashes(&self, level: u32, range: Range<u64>, out: &mut Vec<NodeHash>) -> Result<(), EntryFault> {
        let height = level.saturating_mul(tree::TILE_HASHES.ilog2());
        let mut at = range.start;
        while at < range.end {
            let (segment, own_end) =
                self.holding_node(height, at).ok_or_else(|| self.unreadable(Seq::new(at)))?;
            let end = range.end.min(own_end);
            self.nodes_of(segment, height, at..end, out)?;
            at = end;
        }
        Ok(())
    }
}

impl Segments {
    /// Those that a segment keeps beside the hashes of tiles.
    fn node(&self, height: u32, index: u64) -> Result<Option<NodeHash>, EntryFault> {
        if !SegmentTree::keeps(height) {
            return Ok(None);
        }
        let Some((segment, _)) = self.holding_node(height, index) else { return Ok(None) };
        let mut found = Vec::with_capacity(1);
        self.nodes_of(segment, height, index..index.saturating_add(1), &mut found)?;
        Ok(found.first().copied())
    }

    /// The segment with the entry that fills this node, and up to which index those at this height fill up there.
    fn holding_node(&self, height: u32, index: u64) -> Option<(&Segment, u64)> {
        let filled = index.checked_add(1)?.checked_mul(1_u64.checked_shl(height)?)?;
        let (_, segment) = self.position_of(Seq::new(filled - 1))?;
        let end = segment.header.first_seq.get().saturating_add(segment.entries);
        Some((segment, end >> height))
    }

    fn nodes_of(
        &self,
        segment: &Segment,
        height: u32,
        range: Range<u64>,
        out: &mut Vec<NodeHash>,
    ) -> Result<(), EntryFault> {
        let unreadable = || self.unreadable(Seq::new(range.start));
        match &segment.index {
            SegmentIndex::Sealed(index) => {
                let is_read = index.nodes(height, range.clone(), out)?;
                if is_read { Ok(()) } else { Err(unreadable()) }
            }
            SegmentIndex::Memory(table) if height == 0 => {
                let first = segment.header.first_seq.get();
                for seq in range {
                    let ordinal = seq.checked_sub(first).and_then(|at| u32::try_from(at).ok());
                    let leaf = ordinal.and_then(|ordinal| table.leaf(ordinal));
                    out.push(leaf.ok_or_else(|| self.unreadable(Seq::new(seq)))?.into());
                }
                Ok(())
            }
            SegmentIndex::Memory(table) => {
                let tree = self.tree_in_memory(segment, table)?;
                if tree.nodes(height, &range, out) { Ok(()) } else { Err(unreadable()) }
            }
        }
    }

    /// The part of a segment that has no index file, made once.
    fn tree_in_memory(&self, segment: &Segment, table: &Table) -> Result<Arc<SegmentTree>, EntryFault> {
        if let Some(tree) = segment.tree.get().filter(|tree| tree.entries() == segment.entries) {
            return Ok(Arc::clone(tree));
        }
        let first = segment.header.first_seq;
        let leaves = table.leaves(segment.entries).ok_or_else(|| self.unreadable(first))?;
        let mut frontier = Frontier::read(self, first.get())?;
        let made = Arc::new(SegmentTree::build(&leaves, &mut frontier));
        segment.tree.get_or_init(|| Arc::clone(&made));
        Ok(made)
    }

    fn unreadable(&self, seq: Seq) -> EntryFault {
        let (file, offset) = self.place(seq).unwrap_or_else(|| (crate::segments::LOG_DIR.to_owned(), None));
        let message = "the tree needs an entry that cannot be read".to_owned();
        EntryFault::Damaged(Damage { code: "log.unreadable", file, offset, seq: Some(seq), message })
    }
}
