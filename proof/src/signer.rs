//! Who signs: a seam behind which a key file, a KMS or an HSM can stand, and the key file.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::Signer as _;
use ml_dsa::MlDsa44;
use proofline_canon::base64;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::key::{KeyError, KeyName, KeyRole, SIGNER_KEY_PREFIX, VerifierKey, split_text};
use crate::note::NoteError;

/// The length of every secret here: an Ed25519 seed (RFC 8032) or an ML-DSA seed (FIPS 204), in bytes.
pub const SEED_BYTES: usize = 32;

/// Signs with one key. What is signed, and in which form the signature is kept, is the business of
/// notes, receipts and envelopes; a signer only turns a message into the signature of its algorithm.
pub trait Signer: Send + Sync + fmt::Debug {
    /// The public key to which the signatures belong.
    fn verifier(&self) -> &VerifierKey;

    /// Signs a message: 64 bytes with Ed25519, 2,420 with ML-DSA-44 (pure, empty context).
    ///
    /// # Errors
    /// [`SignError`] when the key cannot be used now.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Why there is no signature.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SignError {
    /// Whatever keeps the key does not answer, or refuses.
    #[error("the key {key} cannot sign: {reason}")]
    Unavailable {
        /// The key, as `name+hex8`.
        key: String,
        /// What its keeper said.
        reason: String,
    },
    /// The signer gave a signature that its own public key does not verify.
    #[error("the signature of {key} does not verify under its own public key")]
    Unverified {
        /// The key, as `name+hex8`.
        key: String,
    },
    /// A key of another role than what is to be signed needs.
    #[error("{key} is a {found} key; a {wanted} key is wanted")]
    Role {
        /// The key, as `name+hex8`.
        key: String,
        /// Its role.
        found: KeyRole,
        /// The role wanted.
        wanted: &'static str,
    },
    /// A log's key for a checkpoint of another log.
    #[error("{key} cannot sign for {origin}: the key of a log has its origin as its name")]
    Origin {
        /// The key, as `name+hex8`.
        key: String,
        /// The checkpoint's origin.
        origin: String,
    },
    /// A time past 2^63 - 1, or an origin of more than 255 bytes under ML-DSA-44.
    #[error("{key} can cosign no such checkpoint: its origin is too long, or the time is past 2^63 - 1")]
    Message {
        /// The key, as `name+hex8`.
        key: String,
    },
    /// The text cannot be that of a note, or the note has no room.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl SignError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            SignError::Unavailable { .. } => "sign.unavailable",
            SignError::Unverified { .. } => "sign.unverified",
            SignError::Role { .. } => "sign.role",
            SignError::Origin { .. } => "sign.origin",
            SignError::Message { .. } => "sign.message",
            SignError::Note(error) => error.code(),
        }
    }
}

/// Signs, and checks the signature before anyone sees it: a signature that does not verify, from a
/// broken device or a wrong key, must never be published.
///
/// # Errors
/// [`SignError`].
pub fn sign_checked(signer: &dyn Signer, message: &[u8]) -> Result<Vec<u8>, SignError> {
    let signature = signer.sign(message)?;
    if signer.verifier().verify(message, &signature) {
        return Ok(signature);
    }
    Err(SignError::Unverified { key: signer.verifier().short_name() })
}

enum Secret {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    MlDsa44(Box<ml_dsa::SigningKey<MlDsa44>>),
}

impl Secret {
    /// The seed from which the key is made again.
    fn seed(&self) -> Zeroizing<[u8; SEED_BYTES]> {
        match self {
            Secret::Ed25519(key) => Zeroizing::new(key.to_bytes()),
            Secret::MlDsa44(key) => Zeroizing::new((*key.as_seed()).into()),
        }
    }
}

/// A secret key in memory, which is wiped when it is dropped.
pub struct SecretKey {
    verifier: VerifierKey,
    secret: Secret,
}

impl SecretKey {
    /// The key of a seed. The seed must come from a source of randomness that nobody can guess.
    ///
    /// # Errors
    /// [`KeyError::Weak`], which no random seed gives.
    pub fn from_seed(
        name: KeyName,
        role: KeyRole,
        seed: &Zeroizing<[u8; SEED_BYTES]>,
    ) -> Result<Self, KeyError> {
        let (secret, public) = match role {
            KeyRole::WitnessMlDsa44 => {
                let mut seed = ml_dsa::Seed::from(**seed);
                let key = ml_dsa::SigningKey::<MlDsa44>::from_seed(&seed);
                seed.zeroize();
                let public = key.expanded_key().verifying_key().encode().to_vec();
                (Secret::MlDsa44(Box::new(key)), public)
            }
            _ => {
                let key = ed25519_dalek::SigningKey::from_bytes(seed);
                let public = key.verifying_key().to_bytes().to_vec();
                (Secret::Ed25519(Box::new(key)), public)
            }
        };
        Ok(SecretKey { verifier: VerifierKey::new(name, role, &public)?, secret })
    }

    /// The text that a key file holds: `PRIVATE+KEY+name+hex8+base64(type || seed)`. A secret.
    #[must_use]
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        let seed = self.secret.seed();
        let bytes = Zeroizing::new([self.verifier.role().type_bytes(), &seed[..]].concat());
        let encoded = Zeroizing::new(base64(&bytes));
        Zeroizing::new(format!(
            "{SIGNER_KEY_PREFIX}{}+{}+{}",
            self.verifier.name(),
            self.verifier.id(),
            *encoded
        ))
    }
}

impl FromStr for SecretKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.strip_prefix(SIGNER_KEY_PREFIX).ok_or(KeyError::Kind("secret"))?;
        let (name, id, bytes) = split_text(text)?;
        let bytes = Zeroizing::new(bytes);
        let (role, seed) = KeyRole::split(&bytes).ok_or(KeyError::Type)?;
        let seed = Zeroizing::new(seed.try_into().map_err(|_| KeyError::Length)?);
        let key = SecretKey::from_seed(name, role, &seed)?;
        if key.verifier.id() == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

impl Signer for SecretKey {
    fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.secret {
            Secret::Ed25519(key) => Ok(key.sign(message).to_bytes().to_vec()),
            Secret::MlDsa44(key) => {
                let signed = key.expanded_key().sign_deterministic(message, &[]);
                let unavailable = |error: ml_dsa::Error| SignError::Unavailable {
                    key: self.verifier.short_name(),
                    reason: error.to_string(),
                };
                Ok(signed.map_err(unavailable)?.encode().to_vec())
            }
        }
    }
}

/// Shows the public key alone.
impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.verifier.short_name())
    }
}
