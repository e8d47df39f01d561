//! The numbers and names that proofs deal in: sequence numbers, leaf hashes, hashes of nodes.

use std::fmt;

use proofline_canon::Sha256Digest;

/// What stands before the bytes of a leaf and of a node, so that neither passes for the other (RFC 6962 §2.1).
const LEAF_PREFIX: u8 = 0;
const NODE_PREFIX: u8 = 1;

/// An entry's place in the log: 0 is the genesis entry, and every later entry is one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

impl Seq {
    /// The genesis entry's place.
    pub const GENESIS: Seq = Seq(0);

    /// The place with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Seq(number)
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The place right after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Seq(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The RFC 6962 leaf hash of an entry header, SHA-256(0x00 || header): the chain link that
/// the next header carries, and the leaf of the Merkle tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafHash(Sha256Digest);

impl LeafHash {
    /// The leaf hash of a header's bytes (RFC 6962 §2.1).
    #[must_use]
    pub fn of_header(header: &[u8]) -> Self {
        Self::of(header)
    }

    /// The leaf hash of any leaf's bytes (RFC 6962 §2.1).
    #[must_use]
    pub fn of(leaf: &[u8]) -> Self {
        LeafHash(Sha256Digest::of_after(&[LEAF_PREFIX], leaf))
    }

    /// The leaf hash of each of these headers, in order.
    #[must_use]
    pub fn of_headers(headers: &[&[u8]]) -> Vec<Self> {
        Self::of_each(headers)
    }

    /// The leaf hash of the bytes of each of these leaves, in order.
    #[must_use]
    pub fn of_each(leaves: &[&[u8]]) -> Vec<Self> {
        Sha256Digest::of_each_after(&[LEAF_PREFIX], leaves).into_iter().map(LeafHash).collect()
    }

    /// A leaf hash read back from 32 stored bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        LeafHash(Sha256Digest::from_bytes(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Display for LeafHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for LeafHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeafHash({})", self.0)
    }
}

/// The hash of a node of the Merkle tree: of a leaf, of an interior node, of a root.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeHash(Sha256Digest);

impl NodeHash {
    /// The root of the tree of no leaves: SHA-256 of nothing (RFC 6962 §2.1).
    #[must_use]
    pub fn empty_root() -> Self {
        NodeHash(Sha256Digest::of(&[]))
    }

    /// The interior node over two others, SHA-256(0x01 || left || right).
    #[must_use]
    pub fn over(left: &NodeHash, right: &NodeHash) -> Self {
        NodeHash(Sha256Digest::of_pair(NODE_PREFIX, left.as_bytes(), right.as_bytes()))
    }

    /// The interior node over each pair, many at once.
    pub(crate) fn over_pairs(pairs: &[[[u8; 32]; 2]], nodes: &mut [[u8; 32]]) {
        Sha256Digest::of_pairs_into(NODE_PREFIX, pairs, nodes);
    }

    /// A hash read back from 32 stored bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        NodeHash(Sha256Digest::from_bytes(bytes))
    }

    /// The hash in these bytes, if there are 32 of them.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(NodeHash::from_bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The text form that checkpoints and proofs have: base64 with padding, 44 characters.
    #[must_use]
    pub fn to_base64(&self) -> String {
        proofline_canon::base64(self.as_bytes())
    }

    /// Reads that text form.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        NodeHash::from_slice(&proofline_canon::unbase64(text)?)
    }
}

impl From<LeafHash> for NodeHash {
    fn from(leaf: LeafHash) -> Self {
        NodeHash(leaf.0)
    }
}

impl fmt::Display for NodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for NodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeHash({})", self.0)
    }
}
