//! Where entries lie: by ordinal, by envelope hash, by trace. The open segment has its index in
//! memory; a sealed segment has a sorted, immutable file beside it, which is derived and can be
//! made again from the log at any time. Behind it in the same file lies the segment's part of the
//! Merkle tree, with a checksum of its own.
//!
//! The file `NNNNNNNNNNNNNNNNNNNN.idx`, for `n` entries of which `t` have a trace and `s` are system
//! entries, and for `d` traces; integers are little-endian, ordinals count from the segment's first entry:
//!
//! | bytes | field |
//! |---|---|
//! | 8 | magic `PROOFIDX` |
//! | 4 | format version, 1 |
//! | 4 | n |
//! | 4 | t |
//! | 4 | s |
//! | 16 | ledger id |
//! | 8 | first seq |
//! | 8 | bytes of the segment file |
//! | 32 | leaf hash of the last entry |
//! | 4 | d |
//! | 4 | zero |
//! | 32 ⌈64 n / 1365⌉ | filter of the first 8 bytes of the envelope hashes |
//! | 32 ⌈64 d / 1365⌉ | filter of the traces |
//! | 8 ⌈n / 64⌉ | signposts: the first 8 bytes of every 64th of the hashes below, from the first on |
//! | 16 ⌈d / 64⌉ | signposts: every 64th of the traces below, from the first on |
//! | 4 n | offset of each frame in the segment file |
//! | 16 n | 8 bytes of the envelope hash, ordinal + 2^26 · kind of entry (4), frame offset (4); ascending |
//! | 20 d | trace id (16), how many of the ordinals below are of the traces before it (4); by id |
//! | 4 t | ordinals of each trace's entries, trace by trace, ascending |
//! | 4 s | ordinal of each system entry; ascending |
//! | 32 | BLAKE3 of the bytes before |
//! | 32 n | leaf hash of each entry |
//! | 32 each | nodes of the tree that fill up in this segment: those of height 4, then 5, 6, ... |
//! | 32 | BLAKE3 of the hashes |
//!
//! What stands before the offsets is kept in memory, under two bytes an entry: by it a look-up passes over
//! a segment that has not what is wanted, and reads one stretch of the file where it is.

mod cover;
mod filter;
mod layout;
mod old;
mod pages;
mod sealed;
mod table;
mod tree;

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use proofline_proof::Seq;
use proofline_trace::{EnvelopeHash, TraceId};

use crate::disk::Disk;
use crate::durable;

pub(crate) use cover::Cover;
pub(crate) use layout::Hit;
pub(crate) use old::{OldIndex, old_index};
pub(crate) use pages::Pages;
pub(crate) use sealed::{SealedIndex, has_right_checksum};
pub(crate) use table::Table;
pub(crate) use tree::SegmentTree;

const MAGIC: &[u8; 8] = b"PROOFIDX";
/// The version of the index format that this program writes.
pub(crate) const INDEX_VERSION: u32 = 1;
const HEAD_BYTES: usize = 96;
/// Bytes of an ordinal, and of an offset.
const ORDINAL_BYTES: u64 = 4;
const HASH_ENTRY_BYTES: usize = 16;
const TRACE_ENTRY_BYTES: usize = 20;
/// Hashes, or traces, from one signpost to the next.
const STEP: u64 = 64;
const STEP_ENTRIES: usize = 64;
const _: () = assert!(STEP_ENTRIES as u64 == STEP);
const DIGEST_BYTES: u64 = 32;
const CHUNK_BYTES: usize = 1 << 18;

/// The first eight bytes of an envelope hash: enough to find it, never enough to trust it.
type HashPrefix = [u8; 8];

fn prefix_of(hash: &EnvelopeHash) -> HashPrefix {
    hash.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// The file name of a segment's index.
#[must_use]
pub(crate) fn index_name(first_seq: Seq) -> String {
    format!("{:020}.idx", first_seq.get())
}

/// A frame's place in its segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

/// Some traces, in order, and the ordinals of their entries.
#[derive(Debug, Default)]
pub(crate) struct TracePage {
    /// Each trace, and which of the ordinals are of its entries.
    pub(crate) traces: Vec<(TraceId, Range<usize>)>,
    pub(crate) ordinals: Vec<u32>,
}

/// Writes a sealed segment's index, whole and durable.
pub(crate) fn write_index(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    durable::write_file(disk, path, |file| file.write_all_at(bytes, 0)).map(|_| ())
}

/// The index of one segment, wherever it lies.
#[derive(Clone, Debug)]
pub(crate) enum SegmentIndex {
    Memory(Arc<Table>),
    Sealed(SealedIndex),
}

impl SegmentIndex {
    /// How many entries it lists.
    pub(crate) fn count(&self) -> u64 {
        match self {
            SegmentIndex::Memory(table) => table.count(),
            SegmentIndex::Sealed(index) => u64::from(index.head.count),
        }
    }

    pub(crate) fn span(&self, ordinal: u32) -> io::Result<Option<Span>> {
        match self {
            SegmentIndex::Memory(table) => Ok(table.span(ordinal)),
            SegmentIndex::Sealed(index) => index.span(ordinal),
        }
    }

    /// Where these entries lie, one after the other, as [`SegmentIndex::span`] says of each.
    pub(crate) fn spans(&self, ordinals: Range<u32>) -> io::Result<Vec<Option<Span>>> {
        match self {
            SegmentIndex::Memory(table) => Ok(table.spans(ordinals)),
            SegmentIndex::Sealed(index) => index.spans(ordinals),
        }
    }

    /// Entries whose envelope hash begins as `hash` does, ascending.
    pub(crate) fn with_hash(&self, hash: &EnvelopeHash) -> io::Result<Vec<Hit>> {
        match self {
            SegmentIndex::Memory(table) => Ok(table.with_hash(hash)),
            SegmentIndex::Sealed(index) => index.with_hash(hash),
        }
    }

    /// Everything listed under a hash; whether it ascends, without which a search misses some.
    pub(crate) fn visit_hashes(&self, visit: &mut dyn FnMut(HashPrefix, u32, u8)) -> io::Result<bool> {
        match self {
            SegmentIndex::Memory(table) => {
                table.visit_hashes(visit);
                Ok(true)
            }
            SegmentIndex::Sealed(index) => index.visit_hashes(visit),
        }
    }

    /// Ordinals of a trace's entries, ascending.
    pub(crate) fn of_trace(&self, trace: TraceId) -> io::Result<Vec<u32>> {
        match self {
            SegmentIndex::Memory(table) => Ok(table.of_trace(trace).collect()),
            SegmentIndex::Sealed(index) => index.of_trace(trace),
        }
    }

    /// Traces after `after`, each once, at most `limit`, in order.
    pub(crate) fn traces_after(&self, after: Option<TraceId>, limit: usize) -> io::Result<Vec<TraceId>> {
        match self {
            SegmentIndex::Memory(table) => Ok(table.traces_after(after, limit)),
            SegmentIndex::Sealed(index) => index.traces_after(after, limit),
        }
    }

    /// How many traces it lists.
    pub(crate) fn trace_count(&self) -> u32 {
        match self {
            SegmentIndex::Memory(table) => table.trace_count(),
            SegmentIndex::Sealed(index) => index.trace_count(),
        }
    }

    /// Which of the traces, counted from 0, is the first behind `after`.
    pub(crate) fn trace_rank(&self, after: Option<TraceId>) -> io::Result<u32> {
        match self {
            SegmentIndex::Memory(table) => Ok(table.trace_rank(after)),
            SegmentIndex::Sealed(index) => index.trace_rank(after),
        }
    }

    /// Traces from this one on, at most `limit`, in order, with their entries.
    pub(crate) fn trace_page(&self, rank: u32, limit: usize) -> io::Result<TracePage> {
        match self {
            SegmentIndex::Memory(table) => Ok(table.trace_page(rank, limit)),
            SegmentIndex::Sealed(index) => index.trace_page(rank, limit),
        }
    }

    /// Ordinals of system entries, ascending.
    pub(crate) fn system_entries(&self) -> io::Result<Vec<u32>> {
        match self {
            SegmentIndex::Memory(table) => Ok(table.system_entries()),
            SegmentIndex::Sealed(index) => index.system_entries(),
        }
    }
}

#[cfg(test)]
mod tests;
