//! SHA-256 of bytes that arrive in parts.

use std::fmt;

use crate::block::{BLOCK_BYTES, Block, Message, START};
use crate::single::Single;

/// SHA-256 of bytes that arrive in parts.
///
/// ```
/// let mut hasher = proofline_lanes::Sha256::new();
/// hasher.update(b"a");
/// hasher.update(b"bc");
/// assert_eq!(hasher.finalize(), proofline_lanes::sha256(b"abc"));
/// ```
#[derive(Clone)]
pub struct Sha256 {
    single: Single,
    state: [u32; 8],
    /// The bytes behind the last whole block.
    kept: Block,
    kept_bytes: usize,
    /// Bytes compressed, a whole number of blocks.
    hashed_bytes: u64,
}

impl Sha256 {
    /// A hasher that has read nothing.
    #[must_use]
    pub fn new() -> Self {
        Sha256 {
            single: Single::best(),
            state: START,
            kept: [0; BLOCK_BYTES],
            kept_bytes: 0,
            hashed_bytes: 0,
        }
    }

    /// Reads on.
    pub fn update(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        if self.kept_bytes > 0 {
            let space = self.kept.get_mut(self.kept_bytes..).unwrap_or_default();
            let taken = space.len().min(bytes.len());
            let (front, rest) = bytes.split_at_checked(taken).unwrap_or((bytes, &[]));
            space.iter_mut().zip(front).for_each(|(place, byte)| *place = *byte);
            self.kept_bytes += taken;
            if self.kept_bytes < BLOCK_BYTES {
                return;
            }
            let block = self.kept;
            self.compress(&[block]);
            bytes = rest;
        }
        let (blocks, rest) = bytes.as_chunks();
        self.compress(blocks);
        self.keep(rest);
    }

    fn compress(&mut self, blocks: &[Block]) {
        if !blocks.is_empty() {
            self.single.compress(&mut self.state, blocks);
            self.hashed_bytes = self.hashed_bytes.wrapping_add((blocks.len() * BLOCK_BYTES) as u64);
        }
    }

    /// Takes less than a block; nothing else is kept.
    fn keep(&mut self, rest: &[u8]) {
        if let Some(space) = self.kept.get_mut(..rest.len()) {
            space.copy_from_slice(rest);
        }
        self.kept_bytes = rest.len();
    }

    /// The digest of all that was read.
    #[must_use]
    pub fn finalize(self) -> [u8; 32] {
        let kept = self.kept.get(..self.kept_bytes).unwrap_or_default();
        self.single.finish(self.state, Message::rest(self.hashed_bytes, kept))
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha256 {
    /// Not what was read: a state says much about it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sha256").finish_non_exhaustive()
    }
}
