//! PROOF: what a ledger claims, and how anyone checks it without one.
//!
//! Nothing here opens a ledger or imports storage: a holder of a proof file and a public key links
//! this crate alone.

pub mod files;
pub mod header;
mod ids;
mod key;
mod signer;
pub mod tree;

pub use ids::{LeafHash, NodeHash, Seq};
pub use key::{KeyError, KeyId, KeyName, KeyRole, MAX_NAME_BYTES, SIGNER_KEY_PREFIX, VerifierKey};
pub use signer::{SEED_BYTES, SecretKey, SignError, Signer, sign_checked};
