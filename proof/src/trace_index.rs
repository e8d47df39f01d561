//! The leaves of the tree that an index entry commits to: one for each trace that a stretch of the
//! log holds entries of, ascending by trace id.

use proofline_trace::TraceId;

use crate::ids::LeafHash;
use crate::tree::Frontier;

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

/// So many leaves are hashed together.
const TOGETHER: usize = 256;

/// The tree over such leaves, which come one by one and ascend: they are hashed many at once.
#[derive(Clone, Debug, Default)]
pub struct TraceTree {
    tree: Frontier,
    waiting: Vec<[u8; TraceLeaf::BYTES]>,
}

impl TraceTree {
    /// Takes in the next leaf.
    pub fn push(&mut self, leaf: &TraceLeaf) {
        self.waiting.push(leaf.encode());
        if self.waiting.len() >= TOGETHER {
            self.take_in();
        }
    }

    fn take_in(&mut self) {
        let leaves: Vec<&[u8]> = self.waiting.iter().map(<[u8; TraceLeaf::BYTES]>::as_slice).collect();
        self.tree.extend(&LeafHash::of_each(&leaves));
        self.waiting.clear();
    }

    /// The frontier over all leaves.
    #[must_use]
    pub fn finish(mut self) -> Frontier {
        self.take_in();
        self.tree
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn taken_in_together_leaves_have_the_tree_of_one_after_the_other() {
        let leaf = |at: u16| {
            let mut id = [7; 16];
            id[..2].copy_from_slice(&at.to_be_bytes());
            let last_leaf = LeafHash::of(&at.to_le_bytes());
            TraceLeaf { trace_id: TraceId::from_bytes(id).unwrap(), count: u64::from(at) * 3 + 1, last_leaf }
        };
        for count in [0, 1, 2, 3, 200, 255, 256, 257, 511, 512, 513, 1000, 1025] {
            let (mut together, mut one_by_one) = (TraceTree::default(), Frontier::empty());
            for at in 0..count {
                together.push(&leaf(at));
                one_by_one.push(leaf(at).hash());
            }
            assert_eq!(together.finish(), one_by_one, "{count}");
        }
    }
}
