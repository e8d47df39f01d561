//! PROOF: what a ledger claims, and how anyone checks it without one.
//!
//! Nothing here opens a ledger or imports storage: a holder of a proof file and a public key links
//! this crate alone.
//!
//! - [`header`]: what an entry says of itself; [`tree`]: the Merkle tree over entries, and its proofs.
//! - [`VerifierKey`], [`SecretKey`], [`Signer`]: keys in the text form of C2SP signed-note.
//! - [`Checkpoint`]: a log's size and root, signed as a [`Note`], cosigned by witnesses, timestamped.
//! - [`bundle`]: everything about some traces in one file, and what shows that nothing is left out.
//! - [`Policy`]: whom to believe; [`Policy::verify`] is the only way to a [`VerifiedCheckpoint`].
//! - [`sealed`]: payloads that close for good when a key is destroyed.
//!
//! ```
//! use proofline_proof::{Checkpoint, KeyName, KeyRole, NodeHash, Policy, SecretKey, Signer};
//! use zeroize::Zeroizing;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A log's key: its name is the log's origin. Draw the 32 bytes from a good source.
//! let seed = Zeroizing::new([7; 32]);
//! let log_key = SecretKey::from_seed(KeyName::new("log.example/desk")?, KeyRole::Log, &seed)?;
//!
//! // The log states its size and root, and signs that.
//! let root = NodeHash::from_base64("tnSPbtepnefahP2X4aO6xvq4mZ9KQ2lcq5Uoot5DEUc=").ok_or("no hash")?;
//! let note = Checkpoint::new("log.example/desk", 5, root)?.sign(&[&log_key])?.to_bytes();
//!
//! // A reader has the public key from the log itself, and writes down whom it believes.
//! let policy = Policy::parse(format!("log {}\nquorum none\n", log_key.verifier()).as_bytes())?;
//! let verified = policy.verify(&note)?;
//! assert_eq!(verified.checkpoint().size(), 5);
//!
//! // A witness that saw the log grow to this head says so, and when.
//! let name = KeyName::new("witness.example/w1")?;
//! let witness = SecretKey::from_seed(name, KeyRole::Witness, &Zeroizing::new([8; 32]))?;
//! let note = verified.cosign(&witness, 1_700_000_000)?.to_bytes();
//!
//! // A stricter reader asks for the witness too.
//! let rules = format!("log {}\nwitness w1 {}\nquorum w1\n", log_key.verifier(), witness.verifier());
//! let verified = Policy::parse(rules.as_bytes())?.verify(&note)?;
//! assert_eq!(verified.witnesses()[0].timestamp_s, 1_700_000_000);
//!
//! // One changed byte, and nothing of it is believed.
//! let changed = String::from_utf8(note)?.replace("\n5\n", "\n6\n");
//! assert_eq!(policy.verify(changed.as_bytes()).unwrap_err().code(), "checkpoint.signature");
//! # Ok(())
//! # }
//! ```

pub mod bundle;
mod checkpoint;
mod cosignature;
pub mod files;
pub mod header;
mod ids;
mod key;
mod key_list;
mod note;
mod policy;
pub mod sealed;
mod signer;
mod timestamp;
mod trace_index;
pub mod tree;

pub use checkpoint::{Checkpoint, CheckpointTextError};
pub use cosignature::{MAX_COSIGNATURE_TIME_S, ed25519_cosignature_message, ml_dsa_44_cosignature_message};
pub use ids::{LeafHash, NodeHash, Seq};
pub use key::{KeyError, KeyId, KeyName, KeyRole, MAX_NAME_BYTES, SIGNER_KEY_PREFIX, VerifierKey};
pub use key_list::{KeyList, KeyListError, ListedKey, key_statement};
pub use note::{MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES, Note, NoteError, NoteSignature};
pub use policy::{
    CheckpointError, Cosigned, MAX_POLICY_BYTES, Policy, PolicyError, PolicyFault, PolicyKey,
    VerifiedCheckpoint,
};
pub use signer::{SEED_BYTES, SecretKey, SignError, Signer, sign_checked};
pub use timestamp::{NoteTimestamp, TimestampToken, TsaError};
pub use trace_index::{TraceLeaf, TraceTree};
