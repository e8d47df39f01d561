//! Proof files: one tree, three dialects. A tlog-proof is a text that other log tools read, a COSE
//! receipt is what protocols exchange, a DSSE statement is what supply-chain tools collect. Pure
//! functions over bytes: reading one opens no ledger, asks no clock and no network.

mod consistency_file;
pub mod cose;
mod cose_labels;
pub mod dsse;
mod error;
pub mod producer;
pub mod statement;
mod text;
pub mod tiles;
mod tlog_proof;
pub mod verdict;
mod verified;
mod verify;

pub use consistency_file::{ConsistencyFile, MAX_CONSISTENCY_LINES};
pub use error::ProofFileError;
pub use text::TextProofError;
pub use tlog_proof::{TLOG_PROOF_HEAD, TlogProof};
pub use verified::{Backing, Dialect, Fact, Given, OldTree, Trust, VerifiedConsistency, VerifiedInclusion};
pub use verify::ProofFile;

/// The longest proof file that is read, in bytes.
pub const MAX_PROOF_BYTES: usize = 1 << 20;
