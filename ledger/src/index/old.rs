//! Index files of earlier versions and of later ones: told apart, never read further. What an earlier one
//! holds is made again from its segment.
//!
//! Version 0 had the head up to byte 88, then for `n` entries, `t` of them with a trace and `s` system
//! entries 20 n, 20 t and 4 s bytes, a digest of the bytes before, and the tree. Its first form had
//! neither tree nor system entries.

use std::io;

use super::sealed::has_right_checksum;
use super::tree::TreeShape;
use super::{DIGEST_BYTES, INDEX_VERSION, MAGIC};
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
    } else if length == tree_at + tree.bytes() {
        OldIndex::WithoutFilters
    } else {
        return Ok(OldIndex::Other);
    };
    let is_whole = has_right_checksum(file, 0..digest_at)?
        && (form == OldIndex::WithoutTree || has_right_checksum(file, tree_at..tree_at + tree.hash_bytes())?);
    Ok(if is_whole { form } else { OldIndex::Other })
}
