//! PROOF: what a ledger claims, and how anyone checks it without one.
//!
//! Nothing here opens a ledger or imports storage: a holder of a proof file and a public key links
//! this crate alone.

mod checkpoint;
mod cosignature;
pub mod files;
pub mod header;
mod ids;
mod key;
mod note;
mod policy;
mod signer;
pub mod tree;

pub use checkpoint::{Checkpoint, CheckpointTextError};
pub use cosignature::{MAX_COSIGNATURE_TIME_S, ed25519_cosignature_message, ml_dsa_44_cosignature_message};
pub use ids::{LeafHash, NodeHash, Seq};
pub use key::{KeyError, KeyId, KeyName, KeyRole, MAX_NAME_BYTES, SIGNER_KEY_PREFIX, VerifierKey};
pub use note::{MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES, Note, NoteError, NoteSignature};
pub use policy::{
    CheckpointError, Cosigned, MAX_POLICY_BYTES, Policy, PolicyError, PolicyFault, PolicyKey,
    VerifiedCheckpoint,
};
pub use signer::{SEED_BYTES, SecretKey, SignError, Signer, sign_checked};
