//! The Merkle tree of a log (RFC 9162 §2.1) at any size up to its end. Its hashes come from the
//! parts beside sealed segments and from the entries of those that have none: the open one, and one
//! whose index is missing or damaged. Nothing here reads the log while the indexes are sound.
//!
//! What a part says is no proof: a root counts once somebody signed it, and whoever signs reads the
//! leaf hashes from the log (see [`Ledger::checkpoint`](crate::Ledger::checkpoint)).

use std::ops::Range;
use std::sync::Arc;

use proofline_proof::tree::{self, Frontier, TileBuilder, TileHashes, TreeFault, tile_widths};
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

/// The tree over a fixed prefix of a ledger.
#[derive(Clone, Copy, Debug)]
pub struct LogTree<'a> {
    segments: &'a Segments,
    entries: u64,
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
        Ok(tree::inclusion_proof(self.segments, seq.get(), size)??)
    }

    /// The consistency proof from the tree of the first `old` entries to that of the first `new`.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<NodeHash>, TreeError> {
        self.within(new)?;
        Ok(tree::consistency_proof(self.segments, old, new)??)
    }
}

impl TileHashes for LogTree<'_> {
    type Error = EntryFault;

    fn tile_hashes(&self, level: u32, range: Range<u64>, out: &mut Vec<NodeHash>) -> Result<(), EntryFault> {
        self.segments.tile_hashes(level, range, out)
    }
}

impl Snapshot {
    /// The Merkle tree of this prefix.
    #[must_use]
    pub fn tree(&self) -> LogTree<'_> {
        LogTree { segments: self.segments(), entries: self.entries() }
    }
}

impl TileHashes for Segments {
    type Error = EntryFault;

    fn tile_hashes(&self, level: u32, range: Range<u64>, out: &mut Vec<NodeHash>) -> Result<(), EntryFault> {
        let width = tree::TILE_HASHES.saturating_pow(level);
        let mut at = range.start;
        while at < range.end {
            // A hash lies with the segment of the entry that fills it.
            let filled_by = Seq::new((at + 1).saturating_mul(width) - 1);
            let (position, segment) =
                self.position_of(filled_by).ok_or_else(|| self.unreadable(filled_by))?;
            let own_end = segment.header.first_seq.get().saturating_add(segment.entries) / width;
            let end = range.end.min(own_end);
            self.hashes_of_segment(position, level, at..end, out)?;
            at = end;
        }
        Ok(())
    }
}

impl Segments {
    /// The unfinished tiles of the tree of the first `size` entries.
    pub(crate) fn tile_builder(&self, size: u64) -> Result<TileBuilder, EntryFault> {
        let parts: Result<Vec<Vec<NodeHash>>, EntryFault> = tile_widths(size)
            .map(|width| {
                let start = width.full * tree::TILE_HASHES;
                let mut hashes = Vec::new();
                self.tile_hashes(width.level, start..start + width.partial, &mut hashes)?;
                Ok(hashes)
            })
            .collect();
        TileBuilder::from_parts(size, parts?).ok_or_else(|| self.unreadable(Seq::new(size)))
    }

    fn hashes_of_segment(
        &self,
        position: usize,
        level: u32,
        range: Range<u64>,
        out: &mut Vec<NodeHash>,
    ) -> Result<(), EntryFault> {
        let unreadable = || self.unreadable(Seq::new(range.start));
        let segment = self.list.get(position).ok_or_else(unreadable)?;
        match &segment.index {
            SegmentIndex::Sealed(index) => {
                let is_read = index.tree_hashes(level, range.clone(), out)?;
                if is_read { Ok(()) } else { Err(unreadable()) }
            }
            SegmentIndex::Memory(table) if level == 0 => {
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
                if tree.hashes(level, &range, out) { Ok(()) } else { Err(unreadable()) }
            }
        }
    }

    /// The part of a segment that has no index file, made once.
    fn tree_in_memory(&self, segment: &Segment, table: &Table) -> Result<Arc<SegmentTree>, EntryFault> {
        if let Some(tree) = segment.tree.get() {
            return Ok(Arc::clone(tree));
        }
        let first = segment.header.first_seq;
        let leaves = table.leaves(segment.entries).ok_or_else(|| self.unreadable(first))?;
        let mut builder = self.tile_builder(first.get())?;
        let made = Arc::new(SegmentTree::build(&leaves, &mut builder));
        Ok(Arc::clone(segment.tree.get_or_init(|| made)))
    }

    fn unreadable(&self, seq: Seq) -> EntryFault {
        let (file, offset) = self.place(seq).unwrap_or_else(|| (crate::segments::LOG_DIR.to_owned(), None));
        let message = "the tree needs an entry that cannot be read".to_owned();
        EntryFault::Damaged(Damage { code: "log.unreadable", file, offset, seq: Some(seq), message })
    }
}
