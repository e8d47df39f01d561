//! The Merkle tree over entry headers (RFC 6962 §2.1, RFC 9162 §2.1): its proofs made from stored
//! hashes, and checked with nothing but what the proof and a signed checkpoint say.
//!
//! A proof binds a leaf to a root, and only the turns of its path to index and size: take the size
//! from a checkpoint, which signs it together with the root.

mod build;
mod frontier;
mod multi;
mod prover;
mod rows;
mod tiles;
mod verify;

pub(crate) use build::split;
pub use build::{TileHashes, consistency_proof, inclusion_proof, perfect_node, root};
pub use frontier::Frontier;
pub use multi::{HashTree, multiproof, multiproof_root};
pub use prover::Prover;
pub use tiles::{TILE_HASHES, TileBuilder, TileWidth, tile_root, tile_widths};
pub use verify::{
    TreeFault, consistency_nodes, consistency_root, inclusion_nodes, inclusion_root, verify_consistency,
    verify_inclusion,
};
