//! A subject's key, and what is derived from it: the id that commits to it, and a key each for encryption and nonces.

use std::fmt;

use hkdf::Hkdf;
use proofline_canon::Sha256Digest;
use proofline_trace::SubjectKeyId;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::header::NONCE_BYTES;

/// The length of a subject's key in bytes.
pub const SUBJECT_KEY_BYTES: usize = 32;

/// What HKDF is told about the use of each key, so that none is good for another's.
const KEY_ID_INFO: &[u8] = b"proofline/sealed/v1 key id";
const ENCRYPTION_INFO: &[u8] = b"proofline/sealed/v1 encryption";
const NONCE_INFO: &[u8] = b"proofline/sealed/v1 nonce";

/// A subject's secret key in memory, which is wiped when it is dropped.
pub struct SubjectKey {
    id: SubjectKeyId,
    master: Zeroizing<[u8; SUBJECT_KEY_BYTES]>,
}

impl SubjectKey {
    /// The key with these bytes. They must come from a source of randomness that nobody can guess.
    #[must_use]
    pub fn from_bytes(master: &Zeroizing<[u8; SUBJECT_KEY_BYTES]>) -> Self {
        let id = SubjectKeyId::from_bytes(*derived(&Hkdf::new(None, &**master), KEY_ID_INFO));
        SubjectKey { id, master: master.clone() }
    }

    /// Its public name, HKDF-SHA-256 of the key. It commits to the key, for nobody finds two keys with one id without a
    /// collision of SHA-256; it says nothing of the key, or of the subject's name.
    #[must_use]
    pub const fn id(&self) -> SubjectKeyId {
        self.id
    }

    /// The bytes to keep it by. A secret.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; SUBJECT_KEY_BYTES]> {
        self.master.clone()
    }

    fn subkey(&self, info: &[u8]) -> Zeroizing<[u8; 32]> {
        derived(&Hkdf::new(None, &*self.master), info)
    }

    /// The key of XChaCha20-Poly1305.
    pub(super) fn encryption_key(&self) -> Zeroizing<[u8; 32]> {
        self.subkey(ENCRYPTION_INFO)
    }

    /// The nonce of content with this hash: HKDF-Expand under a key that does nothing else.
    pub(super) fn nonce(&self, content: &Sha256Digest) -> [u8; NONCE_BYTES] {
        let key = self.subkey(NONCE_INFO);
        #[expect(clippy::expect_used, reason = "refused for less than 32 bytes alone, and these are 32")]
        let key = Hkdf::<Sha256>::from_prk(&*key).expect("32 bytes are a key");
        *derived(&key, content.as_bytes())
    }
}

/// Shows the public name alone.
impl fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectKey({})", self.id)
    }
}

fn derived<const N: usize>(key: &Hkdf<Sha256>, info: &[u8]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 32, "one block of HKDF gives no more") };
    let mut bytes = Zeroizing::new([0; N]);
    #[expect(
        clippy::expect_used,
        reason = "refused for more than 255 blocks alone, and this is one at most"
    )]
    key.expand(info, &mut *bytes).expect("one block is not too long");
    bytes
}
