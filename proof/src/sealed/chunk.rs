//! One chunk of a sealed payload: XChaCha20-Poly1305 as the STREAM construction uses it (Hoang, Reyhanitabar, Rogaway
//! and Vizár 2015), so that no chunk can be changed, left out, moved, added or taken for the last one.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};

use super::header::{HEADER_BYTES, NONCE_BYTES, SealedHeader};
use super::key::SubjectKey;

/// Bytes of the message in every chunk but the last, which has at least one and no more than these.
pub(super) const CHUNK_BYTES: usize = 64 << 10;

/// The length of a chunk's Poly1305 tag.
pub(super) const TAG_BYTES: usize = 16;

/// The hash of the content, which comes before it in the message.
pub(super) const HASH_BYTES: usize = 32;

/// Seals and opens the chunks of one payload, each once.
pub(super) struct Chunks {
    cipher: XChaCha20Poly1305,
    header: [u8; HEADER_BYTES],
    nonce: [u8; NONCE_BYTES],
}

impl Chunks {
    pub(super) fn new(key: &SubjectKey, header: &SealedHeader) -> Self {
        let cipher = XChaCha20Poly1305::new((&*key.encryption_key()).into());
        Chunks { cipher, header: header.to_bytes(), nonce: *header.nonce() }
    }

    pub(super) const fn header(&self) -> &[u8; HEADER_BYTES] {
        &self.header
    }

    /// The derived nonce, the chunk's number (big-endian, so that nonces of one payload ascend), and 1 for the last.
    fn nonce(&self, number: u32, is_last: bool) -> XNonce {
        let mut nonce = XNonce::default();
        let parts = [&self.nonce[..], &number.to_be_bytes(), &[u8::from(is_last)]];
        for (to, from) in nonce.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        nonce
    }

    /// Encrypts a chunk where it lies and puts its tag behind it; `None` past the most a cipher call takes, which is
    /// far beyond a chunk.
    pub(super) fn seal(&self, number: u32, is_last: bool, chunk: &mut Vec<u8>) -> Option<()> {
        let nonce = self.nonce(number, is_last);
        let tag =
            self.cipher.encrypt_inout_detached(&nonce, &self.header, chunk.as_mut_slice().into()).ok()?;
        chunk.extend_from_slice(&tag);
        Some(())
    }

    /// Decrypts a chunk where it lies and gives its message; `None` when it is not authentic.
    pub(super) fn open<'a>(&self, number: u32, is_last: bool, chunk: &'a mut [u8]) -> Option<&'a [u8]> {
        let (message, tag) = chunk.split_at_mut_checked(chunk.len().checked_sub(TAG_BYTES)?)?;
        let tag = Tag::try_from(&*tag).ok()?;
        let nonce = self.nonce(number, is_last);
        self.cipher.decrypt_inout_detached(&nonce, &self.header, (&mut *message).into(), &tag).ok()?;
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proofline_canon::{Sha256Digest, unhex};
    use zeroize::Zeroizing;

    use super::*;
    use crate::sealed::{SUBJECT_KEY_BYTES, open_bytes, seal_bytes};

    fn key(bytes: [u8; SUBJECT_KEY_BYTES]) -> SubjectKey {
        SubjectKey::from_bytes(&Zeroizing::new(bytes))
    }

    /// The golden payload whose one chunk is authentic under the keys 00 01 02 ... and 20 21 22 ...
    fn of_two_keys() -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/sealed/negative.json");
        let document: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let case = document["cases"].as_array().unwrap().iter().find(|case| case["name"] == "of two keys");
        let digits = case.unwrap()["sealed_hex"].as_str().unwrap();
        (0..digits.len()).step_by(2).map(|at| unhex::<1>(&digits[at..at + 2]).unwrap()[0]).collect()
    }

    /// XChaCha20-Poly1305 alone would open such a payload to two contents, one for each key; the key id does not.
    #[test]
    fn the_commitment_refuses_what_two_keys_decrypt() {
        let payload = of_two_keys();
        let header = SealedHeader::parse(&payload).unwrap();
        let one = key(std::array::from_fn(|at| u8::try_from(at).unwrap()));
        let two = key(std::array::from_fn(|at| u8::try_from(at + 32).unwrap()));
        let decrypted = [&one, &two].map(|key| {
            let mut chunk = payload[HEADER_BYTES..].to_vec();
            Chunks::new(key, &header).open(0, true, &mut chunk).expect("authentic under both").to_vec()
        });
        assert_ne!(decrypted[0], decrypted[1]);
        assert_eq!(open_bytes(&two, &payload).unwrap_err().code(), "sealed.wrong_key");
        // Under the key that it commits to, it is not what any content would give.
        assert_eq!(open_bytes(&one, &payload).unwrap_err().code(), "sealed.content");
    }

    /// A last chunk without a message would be a second form of the same content.
    #[test]
    fn content_that_ends_with_a_chunk_has_no_empty_one_behind_it() {
        let (key, content) = (key([1; 32]), vec![7; CHUNK_BYTES - HASH_BYTES]);
        let sealed = seal_bytes(&key, &content);
        let chunks = Chunks::new(&key, &SealedHeader::parse(&sealed).unwrap());
        let mut first = [Sha256Digest::of(&content).as_bytes().as_slice(), &content].concat();
        let mut second = Vec::new();
        chunks.seal(0, false, &mut first).unwrap();
        chunks.seal(1, true, &mut second).unwrap();
        let doubled = [&sealed[..HEADER_BYTES], &first, &second].concat();
        assert_eq!(open_bytes(&key, &doubled).unwrap_err().code(), "sealed.damaged");
        assert_eq!(*open_bytes(&key, &sealed).unwrap(), content);
    }
}
