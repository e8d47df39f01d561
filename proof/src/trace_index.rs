//! The leaves of the tree that an index entry commits to: one for each trace that a stretch of the
//! log holds entries of, ascending by trace id.

use proofline_trace::TraceId;

use crate::ids::LeafHash;

/// What an index entry says of one trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceLeaf {
    /// The trace.
    pub trace_id: TraceId,
    /// How many entries it has, those before the stretch included.
    pub count: u64,
    /// The leaf hash of the last of them.
    pub last_leaf: LeafHash,
}

impl TraceLeaf {
    /// The bytes of such a leaf.
    pub const BYTES: usize = 56;

    /// Trace id, count (big-endian), leaf hash.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (id, rest) = bytes.split_at_mut(16);
        let (count, last) = rest.split_at_mut(8);
        id.copy_from_slice(self.trace_id.as_bytes());
        count.copy_from_slice(&self.count.to_be_bytes());
        last.copy_from_slice(self.last_leaf.as_bytes());
        bytes
    }

    /// Its hash in the tree.
    #[must_use]
    pub fn hash(&self) -> LeafHash {
        LeafHash::of(&self.encode())
    }
}
