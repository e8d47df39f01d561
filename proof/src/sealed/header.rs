//! The header of a sealed payload: readable without a key, and authenticated with every chunk.

use proofline_trace::SubjectKeyId;

use super::error::OpenError;

/// The length of the header in bytes.
pub const HEADER_BYTES: usize = 64;

/// The length of the derived nonce in bytes: the counter and the last-chunk flag take five of XChaCha20's twenty-four.
pub(super) const NONCE_BYTES: usize = 19;

const MAGIC: &[u8; 8] = b"PROOFSLD";
const VERSION: u32 = 1;
const RESERVED: [u8; 1] = [0];

const _: () = assert!(MAGIC.len() + 4 + 32 + NONCE_BYTES + RESERVED.len() == HEADER_BYTES);

/// What a sealed payload says of itself without a key. It is believed only once the payload was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedHeader {
    key_id: SubjectKeyId,
    nonce: [u8; NONCE_BYTES],
}

impl SealedHeader {
    pub(super) const fn new(key_id: SubjectKeyId, nonce: [u8; NONCE_BYTES]) -> Self {
        SealedHeader { key_id, nonce }
    }

    /// Reads the header at the start of a payload; what follows it is not looked at.
    ///
    /// # Errors
    /// [`OpenError::NotSealed`], [`OpenError::Version`], [`OpenError::Header`].
    pub fn parse(payload: &[u8]) -> Result<Self, OpenError> {
        let rest = payload.strip_prefix(MAGIC).ok_or(OpenError::NotSealed)?;
        let (version, rest) = rest.split_first_chunk().ok_or(OpenError::NotSealed)?;
        match u32::from_le_bytes(*version) {
            VERSION => {}
            other => return Err(OpenError::Version(other)),
        }
        let (key_id, rest) = rest.split_first_chunk().ok_or(OpenError::NotSealed)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or(OpenError::NotSealed)?;
        match rest.split_first_chunk() {
            Some((&RESERVED, _)) => Ok(SealedHeader::new(SubjectKeyId::from_bytes(*key_id), *nonce)),
            Some(_) => Err(OpenError::Header),
            None => Err(OpenError::NotSealed),
        }
    }

    /// The key that it is sealed under.
    #[must_use]
    pub const fn key_id(&self) -> SubjectKeyId {
        self.key_id
    }

    pub(super) const fn nonce(&self) -> &[u8; NONCE_BYTES] {
        &self.nonce
    }

    /// The header's one encoding.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let fields: [&[u8]; 5] =
            [MAGIC, &VERSION.to_le_bytes(), self.key_id.as_bytes(), &self.nonce, &RESERVED];
        let mut bytes = [0; HEADER_BYTES];
        for (to, from) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }
}
