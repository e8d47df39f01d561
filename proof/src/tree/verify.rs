//! Checks inclusion and consistency proofs by the steps of RFC 9162 §2.1.3.2 and §2.1.4.2. How many
//! nodes a proof has follows from the sizes, so a wrong number is refused before anything is hashed.

use thiserror::Error;

use crate::ids::{LeafHash, NodeHash};

/// Why a proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TreeFault {
    /// No entry of a tree of this size has this index; size 0 has no entry at all.
    #[error("entry {index} is not in a tree of {size} entries")]
    IndexPastSize {
        /// The index asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// Consistency is defined from a size that is not 0 to one that is not smaller.
    #[error("there is no consistency proof from a tree of {old} entries to one of {new}")]
    Sizes {
        /// The older size.
        old: u64,
        /// The newer size.
        new: u64,
    },
    /// More or fewer nodes than the sizes ask for.
    #[error("the proof has {found} hashes where its sizes ask for {expected}")]
    NodeCount {
        /// How many there must be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The leaves of a multiproof do not ascend.
    #[error("leaf {index} of the proof does not stand behind the one before it")]
    Order {
        /// The index that is out of place.
        index: u64,
    },
    /// A multiproof that ends too early.
    #[error("the proof has fewer hashes than its leaves ask for")]
    TooFewHashes,
    /// A multiproof that goes on.
    #[error("the proof has more hashes than its leaves ask for")]
    TooManyHashes,
    /// The proof leads to another root.
    #[error("the proof leads to the root {found}, not to {expected}")]
    Root {
        /// The root that was claimed.
        expected: NodeHash,
        /// The root that the proof gives.
        found: NodeHash,
    },
    /// The proof does not start from the older root.
    #[error("the proof gives the older tree the root {found}, not {expected}")]
    OldRoot {
        /// The older root that was claimed.
        expected: NodeHash,
        /// The one that the proof gives.
        found: NodeHash,
    },
}

impl TreeFault {
    /// The stable code of this fault.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            TreeFault::IndexPastSize { .. } => "proof.index",
            TreeFault::Sizes { .. } => "proof.sizes",
            TreeFault::NodeCount { .. } | TreeFault::TooFewHashes | TreeFault::TooManyHashes => {
                "proof.node_count"
            }
            TreeFault::Order { .. } => "proof.order",
            TreeFault::Root { .. } => "proof.root",
            TreeFault::OldRoot { .. } => "proof.old_root",
        }
    }
}

/// How many bits a number has, 0 for 0.
pub(super) const fn bit_length(number: u64) -> u32 {
    u64::BITS - number.leading_zeros()
}

/// One bits of `number` from bit `from` on.
const fn ones_from(number: u64, from: u32) -> u32 {
    match number.checked_shr(from) {
        Some(rest) => rest.count_ones(),
        None => 0,
    }
}

/// How many nodes the inclusion proof of entry `index` in a tree of `size` entries has.
///
/// # Errors
/// [`TreeFault::IndexPastSize`].
pub const fn inclusion_nodes(index: u64, size: u64) -> Result<usize, TreeFault> {
    if index >= size {
        return Err(TreeFault::IndexPastSize { index, size });
    }
    let inner = bit_length(index ^ (size - 1));
    Ok((inner + ones_from(index, inner)) as usize)
}

/// How many nodes the consistency proof from a tree of `old` entries to one of `new` has.
///
/// # Errors
/// [`TreeFault::Sizes`].
pub const fn consistency_nodes(old: u64, new: u64) -> Result<usize, TreeFault> {
    if old == 0 || old > new {
        return Err(TreeFault::Sizes { old, new });
    }
    if old == new {
        return Ok(0);
    }
    let first = if old.is_power_of_two() { 0 } else { 1 };
    let inner = bit_length((old - 1) ^ (new - 1));
    Ok((first + inner - old.trailing_zeros() + ones_from(old - 1, inner)) as usize)
}

const fn demand(expected: usize, found: usize) -> Result<(), TreeFault> {
    if expected == found { Ok(()) } else { Err(TreeFault::NodeCount { expected, found }) }
}

/// A walk from a place at the bottom of a tree to its root, one node of the proof a step.
struct Climb {
    /// The place's index at the level reached.
    place: u64,
    /// The last index at that level.
    last: u64,
}

impl Climb {
    /// True when the next node of the proof stands on the left. Goes up one level, or over the
    /// levels where the right edge has no sibling.
    fn is_left(&mut self) -> bool {
        let left = self.place & 1 == 1 || self.place == self.last;
        if left {
            while self.place & 1 == 0 && self.place != 0 {
                self.up();
            }
        }
        self.up();
        left
    }

    const fn up(&mut self) {
        self.place >>= 1;
        self.last >>= 1;
    }
}

/// The root to which an inclusion proof leads. Compare it with a root that somebody signed.
///
/// # Errors
/// [`TreeFault`]: an index at or past the size, a surplus or missing node.
pub fn inclusion_root(
    index: u64,
    size: u64,
    leaf: LeafHash,
    path: &[NodeHash],
) -> Result<NodeHash, TreeFault> {
    demand(inclusion_nodes(index, size)?, path.len())?;
    let mut climb = Climb { place: index, last: size - 1 };
    Ok(path.iter().fold(NodeHash::from(leaf), |below, node| {
        if climb.is_left() { NodeHash::over(node, &below) } else { NodeHash::over(&below, node) }
    }))
}

/// Checks that the entry with this leaf hash is entry `index` of the tree of `size` entries with
/// this root.
///
/// # Errors
/// [`TreeFault`].
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: LeafHash,
    path: &[NodeHash],
    root: &NodeHash,
) -> Result<(), TreeFault> {
    let found = inclusion_root(index, size, leaf, path)?;
    if found == *root { Ok(()) } else { Err(TreeFault::Root { expected: *root, found }) }
}

/// The newer root to which a consistency proof leads from the older one, which it must give too.
///
/// # Errors
/// [`TreeFault`]: sizes between which there is no proof, a surplus or missing node (equal sizes
/// have none), another older root.
pub fn consistency_root(
    old_size: u64,
    old_root: &NodeHash,
    new_size: u64,
    path: &[NodeHash],
) -> Result<NodeHash, TreeFault> {
    demand(consistency_nodes(old_size, new_size)?, path.len())?;
    if old_size == new_size {
        return Ok(*old_root);
    }
    // Where the older tree is one perfect node, the proof begins above it.
    let (start, rest) = match path.split_first() {
        Some((first, rest)) if !old_size.is_power_of_two() => (first, rest),
        _ => (old_root, path),
    };
    let steps = (old_size - 1).trailing_ones();
    let mut climb = Climb { place: (old_size - 1) >> steps, last: (new_size - 1) >> steps };
    let (mut old, mut new) = (*start, *start);
    for node in rest {
        if climb.is_left() {
            old = NodeHash::over(node, &old);
            new = NodeHash::over(node, &new);
        } else {
            new = NodeHash::over(&new, node);
        }
    }
    if old == *old_root { Ok(new) } else { Err(TreeFault::OldRoot { expected: *old_root, found: old }) }
}

/// Checks that the tree of `new_size` entries with `new_root` begins with that of `old_size`
/// entries with `old_root`.
///
/// # Errors
/// [`TreeFault`].
pub fn verify_consistency(
    old_size: u64,
    old_root: &NodeHash,
    new_size: u64,
    new_root: &NodeHash,
    path: &[NodeHash],
) -> Result<(), TreeFault> {
    let found = consistency_root(old_size, old_root, new_size, path)?;
    if found == *new_root { Ok(()) } else { Err(TreeFault::Root { expected: *new_root, found }) }
}
