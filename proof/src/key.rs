//! Public keys in the text form of C2SP signed-note: `name+hex8+base64(type || key)`. The type says
//! what a key may sign, and is part of its id, so a key made for one purpose is no key for another.
//!
//! | role | type bytes | key bytes |
//! |---|---|---|
//! | log | `01` | Ed25519, 32 |
//! | witness | `04` | Ed25519, 32 |
//! | witness, post-quantum | `06` | ML-DSA-44, 1,312 |
//! | COSE receipts | `ff`, `proofline/cose-receipt/ed25519`, `00` | Ed25519, 32 |
//! | statements in DSSE | `ff`, `proofline/dsse-statement/ed25519`, `00` | Ed25519, 32 |
//! | producer | `ff`, `proofline/producer/ed25519`, `00` | Ed25519, 32 |

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, VerifyingKey};
use ml_dsa::MlDsa44;
use proofline_canon::{Sha256Hasher, base64, hex, unbase64, unhex};
use thiserror::Error;

/// The longest key name, in bytes (an ML-DSA-44 cosignature holds no longer one).
pub const MAX_NAME_BYTES: usize = 255;

/// The length of an Ed25519 public key, in bytes.
const ED25519_BYTES: usize = 32;
/// The length of an ML-DSA-44 public key, in bytes.
const ML_DSA_44_BYTES: usize = 1312;

/// What a key may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeyRole {
    /// Checkpoints of a log, as plain notes.
    Log,
    /// Cosignatures of checkpoints.
    Witness,
    /// Cosignatures of checkpoints with ML-DSA-44.
    WitnessMlDsa44,
    /// COSE receipts (RFC 9942).
    Cose,
    /// in-toto statements about entries, in DSSE.
    Dsse,
    /// Envelopes, by whoever produced them.
    Producer,
}

impl KeyRole {
    /// Every role.
    pub const ALL: [KeyRole; 6] = [
        KeyRole::Log,
        KeyRole::Witness,
        KeyRole::WitnessMlDsa44,
        KeyRole::Cose,
        KeyRole::Dsse,
        KeyRole::Producer,
    ];

    /// The role's name on command lines and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyRole::Log => "log",
            KeyRole::Witness => "witness",
            KeyRole::WitnessMlDsa44 => "witness-ml-dsa-44",
            KeyRole::Cose => "cose",
            KeyRole::Dsse => "dsse",
            KeyRole::Producer => "producer",
        }
    }

    /// The bytes that stand in front of the key in its text form.
    #[must_use]
    pub const fn type_bytes(self) -> &'static [u8] {
        match self {
            KeyRole::Log => b"\x01",
            KeyRole::Witness => b"\x04",
            KeyRole::WitnessMlDsa44 => b"\x06",
            KeyRole::Cose => b"\xffproofline/cose-receipt/ed25519\0",
            KeyRole::Dsse => b"\xffproofline/dsse-statement/ed25519\0",
            KeyRole::Producer => b"\xffproofline/producer/ed25519\0",
        }
    }

    /// The length of a public key, in bytes.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            KeyRole::WitnessMlDsa44 => ML_DSA_44_BYTES,
            _ => ED25519_BYTES,
        }
    }

    /// True for the roles that cosign checkpoints.
    #[must_use]
    pub const fn is_witness(self) -> bool {
        matches!(self, KeyRole::Witness | KeyRole::WitnessMlDsa44)
    }

    /// The role whose type bytes these begin with, and the bytes behind them.
    pub(crate) fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        KeyRole::ALL.into_iter().find_map(|role| Some((role, bytes.strip_prefix(role.type_bytes())?)))
    }
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for KeyRole {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        KeyRole::ALL.into_iter().find(|role| role.as_str() == text).ok_or(KeyError::Role)
    }
}

/// Why a text is no key that can be used here. No variant repeats the text: it may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not `name+hex8+base64`.
    #[error("a key is written name+xxxxxxxx+base64, and this is not")]
    Form,
    /// An empty name, one over 255 bytes, or one with white space, a control or `+`.
    #[error("a key's name has 1 to 255 bytes and no space, control character or `+`")]
    Name,
    /// A type that nothing here signs with.
    #[error("the key is of a type that is not supported here")]
    Type,
    /// A role that does not exist.
    #[error("a role is one of log, witness, witness-ml-dsa-44, cose, dsse, producer")]
    Role,
    /// Another length than keys of this type have.
    #[error("the key has another length than keys of its type")]
    Length,
    /// The id does not belong to this name and key.
    #[error("the key's id does not belong to its name and bytes; it may have been copied wrong")]
    Id,
    /// No point of the curve, or one that makes signatures worthless.
    #[error("the key is no usable Ed25519 key")]
    Weak,
    /// A secret key where a public one is wanted, or the other way round.
    #[error("a {0} key is wanted here")]
    Kind(&'static str),
}

impl KeyError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            KeyError::Form => "key.form",
            KeyError::Name => "key.name",
            KeyError::Type => "key.type",
            KeyError::Role => "key.role",
            KeyError::Length => "key.length",
            KeyError::Id => "key.id",
            KeyError::Weak => "key.weak",
            KeyError::Kind(_) => "key.kind",
        }
    }
}

/// A key's name: a URL without a scheme by custom; for the key of a log its origin.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(Box<str>);

impl KeyName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn new(text: &str) -> Result<Self, KeyError> {
        let is_bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if text.is_empty() || text.len() > MAX_NAME_BYTES || text.contains(is_bad) {
            return Err(KeyError::Name);
        }
        Ok(KeyName(text.into()))
    }

    /// The name's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        KeyName::new(text)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyName({:?})", self.0)
    }
}

/// The 32-bit id of a key: a hint where to look, and nothing to trust.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// The first four bytes of SHA-256(name || 0x0A || type || key).
    #[must_use]
    pub fn of(name: &KeyName, role: KeyRole, key: &[u8]) -> Self {
        KeyId::of_parts(name.as_str(), role.type_bytes(), key)
    }

    /// The same for a type that no key has.
    pub(crate) fn of_parts(name: &str, type_bytes: &[u8], key: &[u8]) -> Self {
        let mut hasher = Sha256Hasher::new();
        for part in [name.as_bytes(), b"\n", type_bytes, key] {
            hasher.update(part);
        }
        KeyId(hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default())
    }

    /// An id read back from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        KeyId(bytes)
    }

    /// Its four bytes, big-endian.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// How the text of a secret key begins.
pub const SIGNER_KEY_PREFIX: &str = "PRIVATE+KEY+";

/// A public key with its name and role.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifierKey {
    name: KeyName,
    role: KeyRole,
    id: KeyId,
    key: Box<[u8]>,
}

impl VerifierKey {
    /// Joins a name, a role and the bytes of a public key.
    ///
    /// # Errors
    /// [`KeyError::Length`], [`KeyError::Weak`].
    pub fn new(name: KeyName, role: KeyRole, key: &[u8]) -> Result<Self, KeyError> {
        if key.len() != role.key_bytes() {
            return Err(KeyError::Length);
        }
        if role != KeyRole::WitnessMlDsa44 {
            let point = key.try_into().ok().and_then(|bytes| VerifyingKey::from_bytes(bytes).ok());
            point.filter(|point| !point.is_weak()).ok_or(KeyError::Weak)?;
        }
        Ok(VerifierKey { id: KeyId::of(&name, role, key), name, role, key: key.into() })
    }

    /// The key's name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// What it may sign.
    #[must_use]
    pub const fn role(&self) -> KeyRole {
        self.role
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// The bytes of the public key.
    #[must_use]
    pub fn key_bytes(&self) -> &[u8] {
        &self.key
    }

    /// `name+hex8`, which names a key in signatures and output.
    #[must_use]
    pub fn short_name(&self) -> String {
        format!("{}+{}", self.name, self.id)
    }

    /// The key as PEM (RFC 8410), for programs that know no notes; none for ML-DSA-44.
    #[must_use]
    pub fn to_pem(&self) -> Option<String> {
        /// SubjectPublicKeyInfo of an Ed25519 key, up to the key.
        const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        let der = [&SPKI[..], &self.key].concat();
        let is_ed25519 = self.role != KeyRole::WitnessMlDsa44;
        is_ed25519
            .then(|| format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&der)))
    }

    /// True when this key made the signature over the message. Ed25519 is verified strictly: no weak
    /// key, no small-order or non-canonical part (`verify_strict`).
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        if self.role == KeyRole::WitnessMlDsa44 {
            return self.verify_ml_dsa(message, signature).unwrap_or(false);
        }
        let key = self.key.as_ref().try_into().ok().and_then(|key| VerifyingKey::from_bytes(key).ok());
        let signature = Signature::from_slice(signature).ok();
        matches!((key, signature), (Some(key), Some(signature)) if key.verify_strict(message, &signature).is_ok())
    }

    fn verify_ml_dsa(&self, message: &[u8], signature: &[u8]) -> Option<bool> {
        let encoded = ml_dsa::EncodedVerifyingKey::<MlDsa44>::try_from(self.key.as_ref()).ok()?;
        let key = ml_dsa::VerifyingKey::<MlDsa44>::decode(&encoded);
        let encoded = ml_dsa::EncodedSignature::<MlDsa44>::try_from(signature).ok()?;
        let signature = ml_dsa::Signature::<MlDsa44>::decode(&encoded)?;
        Some(key.verify_with_context(message, &[], &signature))
    }
}

/// The parts of a key's text: name, id, and the decoded bytes behind the second `+`.
pub(crate) fn split_text(text: &str) -> Result<(KeyName, KeyId, Vec<u8>), KeyError> {
    let (name, rest) = text.split_once('+').ok_or(KeyError::Form)?;
    let (id, bytes) = rest.split_once('+').ok_or(KeyError::Form)?;
    let id = unhex::<4>(id).map(KeyId::from_bytes).ok_or(KeyError::Form)?;
    // Last, for the bytes may be a secret that the caller wipes.
    let name = KeyName::new(name)?;
    Ok((name, id, unbase64(bytes).ok_or(KeyError::Form)?))
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.starts_with(SIGNER_KEY_PREFIX) {
            return Err(KeyError::Kind("public"));
        }
        let (name, id, bytes) = split_text(text)?;
        let (role, key) = KeyRole::split(&bytes).ok_or(KeyError::Type)?;
        let key = VerifierKey::new(name, role, key)?;
        if key.id == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.role.type_bytes(), &self.key].concat();
        write!(f, "{}+{}+{}", self.name, self.id, base64(&bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({} {})", self.role, self.short_name())
    }
}
