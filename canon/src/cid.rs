//! Content identifiers of the one kind this house makes: CIDv1, codec raw, sha2-256,
//! in text multibase base32 lower case.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::{NameError, Sha256Digest, TextForm};

/// CIDv1, codec raw (0x55), multihash sha2-256 (0x12) of 32 bytes.
const PREFIX: [u8; 4] = [0x01, 0x55, 0x12, 0x20];
const BINARY_LEN: usize = 36;

/// A content identifier: CIDv1, raw, sha2-256. 36 bytes; in text `b` and 58 characters of
/// lower-case base32 without padding (RFC 4648 §6), so always `bafkrei` and 59 long.
///
/// It orders by its bytes; base32 puts digits after letters, so texts sort otherwise.
///
/// ```
/// use proofline_canon::{Cid, Sha256Digest};
///
/// let cid = Cid::from(Sha256Digest::of(b""));
/// assert_eq!(cid.to_string(), "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
/// assert_eq!(cid.to_string().parse(), Ok(cid));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid(Sha256Digest);

impl Cid {
    /// The identifier of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256Digest::of(bytes))
    }

    /// The SHA-256 digest inside.
    #[must_use]
    pub const fn digest(&self) -> Sha256Digest {
        self.0
    }

    /// The binary form.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; BINARY_LEN] {
        let mut bytes = [0; BINARY_LEN];
        let parts = PREFIX.iter().chain(self.0.as_bytes());
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = *from;
        }
        bytes
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// [`NameError::CidBytes`] unless these are exactly 36 bytes of CIDv1, raw, sha2-256.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NameError> {
        bytes
            .strip_prefix(&PREFIX)
            .and_then(|digest| <[u8; 32]>::try_from(digest).ok())
            .map(|digest| Self(Sha256Digest::from_bytes(digest)))
            .ok_or(NameError::CidBytes)
    }
}

impl From<Sha256Digest> for Cid {
    fn from(digest: Sha256Digest) -> Self {
        Self(digest)
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = BASE32_NOPAD.encode(&self.to_bytes());
        text.make_ascii_lowercase();
        text.insert(0, 'b');
        f.pad(&text)
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Cid {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let base32 = text.strip_prefix('b').ok_or(NameError::Cid)?;
        if base32.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(NameError::Cid);
        }
        // The decoder refuses left-over bits that are not zero: one text per identifier.
        let bytes = BASE32_NOPAD.decode(base32.to_ascii_uppercase().as_bytes());
        bytes.ok().and_then(|bytes| Self::from_bytes(&bytes).ok()).ok_or(NameError::Cid)
    }
}

impl Serialize for Cid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextForm::new())
    }
}
