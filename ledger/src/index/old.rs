//! Index files of earlier versions and of later ones: told apart, never read further. What an earlier one
//! holds is made again from its segment.
//!
//! Version 0 had the head up to byte 88, then for `n` entries, `t` of them with a trace and `s` system
//! entries 20 n, 20 t and 4 s bytes, a digest of the bytes before, and the tree. Its first form had
//! neither tree nor system entries. The first form of version 1 had of the tree the leaves and the roots of tiles
//! alone, as version 0 had.

use std::io;

use super::layout::SealedHead;
use super::sealed::has_right_checksum;
use super::tree::TreeShape;
use super::{DIGEST_BYTES, HEAD_BYTES, INDEX_VERSION, MAGIC};
use crate::disk::DiskFile;
use crate::durable::read_full_at;

const V0_HEAD_BYTES: usize = 88;

/// What an index file is that may be of another version than today's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OldIndex {
    /// Whole, and written before indexes held the tree and the system entries.
    WithoutTree,
    /// Whole, and written before indexes held filters.
    WithoutFilters,
    /// Whole, and written before indexes held nodes of the tree between the leaves and the roots of tiles.
    WithoutNodes,
    /// Of a later version.
    Newer(u32),
    /// Today's, or damaged.
    Other,
}

/// Tells an index of an earlier or a later form from today's.
pub(crate) fn old_index(file: &dyn DiskFile) -> io::Result<OldIndex> {
    let mut front = [0; V0_HEAD_BYTES];
    let count = read_full_at(file, &mut front, 0)?;
    let u32_at = |at: usize| {
        let field = front.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        field.map_or(0, u32::from_le_bytes)
    };
    if !front.starts_with(MAGIC) || count < 12 {
        return Ok(OldIndex::Other);
    }
    match u32_at(8) {
        version if version > INDEX_VERSION => return Ok(OldIndex::Newer(version)),
        INDEX_VERSION => return old_form(file),
        0 if count == V0_HEAD_BYTES => {}
        _ => return Ok(OldIndex::Other),
    }
    let [entries, traced, system] = [12, 16, 20].map(|at| u64::from(u32_at(at)));
    let first = front.get(40..48).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
    let digest_at = V0_HEAD_BYTES as u64 + 20 * entries + 20 * traced + 4 * system;
    let tree_at = digest_at + DIGEST_BYTES;
    let tree = TreeShape { first, count: entries };
    let length = file.len()?;
    let form = if length == tree_at && system == 0 {
        OldIndex::WithoutTree
    } else if length == tree_at + tree.bytes_of_tiles() {
        OldIndex::WithoutFilters
    } else {
        return Ok(OldIndex::Other);
    };
    let has_tree = form == OldIndex::WithoutFilters;
    let is_whole =
        has_right_checksum(file, 0..digest_at)? && (!has_tree || has_right_rest(file, tree_at, length)?);
    Ok(if is_whole { form } else { OldIndex::Other })
}

/// Tells the first form of version 1 from today's. Where a segment has no node that only today's form keeps, they are
/// the same.
fn old_form(file: &dyn DiskFile) -> io::Result<OldIndex> {
    let mut front = [0; HEAD_BYTES];
    let count = read_full_at(file, &mut front, 0)?;
    let head = SealedHead::decode(front.get(..count).unwrap_or_default());
    let Some(head) = head else { return Ok(OldIndex::Other) };
    let (length, tree_at) = (file.len()?, head.tree_at());
    let is_old = length == tree_at + head.tree_shape().bytes_of_tiles() && length != head.file_bytes();
    let is_whole =
        is_old && has_right_checksum(file, 0..head.digest_at())? && has_right_rest(file, tree_at, length)?;
    Ok(if is_whole { OldIndex::WithoutNodes } else { OldIndex::Other })
}

/// True when what is left of a file from here on, up to its last 32 bytes, has the digest that they are.
fn has_right_rest(file: &dyn DiskFile, from: u64, length: u64) -> io::Result<bool> {
    has_right_checksum(file, from..length.saturating_sub(DIGEST_BYTES))
}
