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

#[cfg(test)]
mod tests {
    use super::Cid;
    use crate::digest::{NameError, Sha256Digest};

    /// CIDs that other programs made, with the digest that Python's `base64` finds in them.
    const KNOWN: [(&str, &str); 5] = [
        (
            "bafkreid6mf2etk47plqok6uvtk6wrsxtohon6bgj6vxvbjsvgg65lqajtu",
            "7e617449ab9f7ae0e57a959abd68caf371dcdf04c9f56f50a65531bdd5c0099d",
        ),
        (
            "bafkreifg3qecqij2nwml45irlaylr7evysro57ovobp6bmt4k7vx64xfwa",
            "a6dc0828213a6d98be75115830b8fc95c4a2eefdd5705fe0b27c57eb7f72e5b0",
        ),
        (
            "bafkreielkmi6i2f7efgjqup2nipzduhqdpcpqnosre2gmvkgsrzya7b4bi",
            "8b5311e468bf214c9851fa6a1f91d0f01bc4f835d289346655469473807c3c0a",
        ),
        (
            "bafkreid7ijbpm2uroayqu3kj4r2wbpabnnywxy5nc4e3xe4faz425da3eq",
            "7f4242f66a9170310a6d49e47560bc016b716be3ad1709bb93850679ae8c1b24",
        ),
        (
            // SHA-256 of nothing.
            "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
    ];

    #[test]
    fn known_answers() {
        for (text, digest) in KNOWN {
            let cid: Cid = text.parse().unwrap();
            assert_eq!(cid.digest().to_string(), digest);
            assert_eq!(Cid::from(digest.parse::<Sha256Digest>().unwrap()).to_string(), text);
            assert_eq!((text.len(), format!("{cid:?}").as_str()), (59, text));
        }
        assert_eq!(Cid::of(b"").to_string(), KNOWN[4].0);
    }

    #[test]
    fn text_form_is_strict() {
        let good = KNOWN[0].0;
        // The last character carries 3 bits of the digest and 2 that must be zero.
        let left_over_bits = format!("{}v", good.strip_suffix('u').unwrap());
        let bad = [
            String::new(),
            "b".to_owned(),
            good.to_uppercase(),
            good.replacen('b', "B", 1),
            format!("{good}a"),
            format!("{good}="),
            format!(" {good}"),
            good.replace('m', "1"),
            good.strip_suffix('u').unwrap().to_owned(),
            left_over_bits,
            // dag-pb instead of raw.
            "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi".to_owned(),
            "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG".to_owned(),
        ];
        for text in bad {
            assert_eq!(text.parse::<Cid>(), Err(NameError::Cid), "{text:?}");
        }
    }

    #[test]
    fn binary_form() {
        let cid: Cid = KNOWN[0].0.parse().unwrap();
        let bytes = cid.to_bytes();
        assert_eq!(bytes[..4], [0x01, 0x55, 0x12, 0x20]);
        assert_eq!(&bytes[4..], cid.digest().as_bytes());
        assert_eq!(Cid::from_bytes(&bytes), Ok(cid));
        let mut dag_pb = bytes;
        dag_pb[1] = 0x70;
        for bad in [&bytes[..35], &[], &bytes[4..], &dag_pb, &[bytes.as_slice(), &[0]].concat()] {
            assert_eq!(Cid::from_bytes(bad), Err(NameError::CidBytes));
        }
    }

    #[test]
    fn serde_uses_the_text_form() {
        let cid: Cid = KNOWN[0].0.parse().unwrap();
        let text = serde_json::to_string(&cid).unwrap();
        assert_eq!(text, format!("\"{}\"", KNOWN[0].0));
        assert_eq!(serde_json::from_str::<Cid>(&text).unwrap(), cid);
        assert!(serde_json::from_str::<Cid>("\"bafk\"").is_err());
    }
}
