//! Sealed payloads: content encrypted under the key of the person it is about, so that destroying one key erases
//! every copy of it. `docs/sealed.md` draws the bytes and says what is and is not hidden; nothing here stores anything.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `PROOFSLD` |
//! | 8 | 4 | version, 1, little-endian |
//! | 12 | 32 | key id: the commitment to the subject's key |
//! | 44 | 19 | nonce, derived from key and content |
//! | 63 | 1 | reserved, zero |
//! | 64 | ... | chunks: SHA-256 of the content, then the content, 65,536 bytes a chunk, each with a tag of 16 |
//!
//! ```
//! use proofline_proof::sealed::{SealedHeader, SubjectKey, open_bytes, seal_bytes};
//! use zeroize::Zeroizing;
//!
//! // Draw the 32 bytes from a good source, and keep them apart from the ledger and its copies.
//! let key = SubjectKey::from_bytes(&Zeroizing::new([7; 32]));
//! let sealed = seal_bytes(&key, b"born 1980-02-29");
//!
//! // Equal content under one key is equal, byte for byte; whose it is can be told without a key.
//! assert_eq!(seal_bytes(&key, b"born 1980-02-29"), sealed);
//! assert_eq!(SealedHeader::parse(&sealed)?.key_id(), key.id());
//! assert_eq!(open_bytes(&key, &sealed)?.as_slice(), b"born 1980-02-29");
//!
//! // No other key opens it, to anything.
//! let other = SubjectKey::from_bytes(&Zeroizing::new([8; 32]));
//! assert_eq!(open_bytes(&other, &sealed).unwrap_err().code(), "sealed.wrong_key");
//! # Ok::<(), proofline_proof::sealed::OpenError>(())
//! ```

mod chunk;
mod error;
mod header;
mod key;
mod open;
mod seal;

use std::io::{self, Read};

use proofline_canon::{Sha256Digest, Sha256Hasher};
use zeroize::Zeroizing;

pub use error::{OpenError, SealError};
pub use header::{HEADER_BYTES, SealedHeader};
pub use key::{SUBJECT_KEY_BYTES, SubjectKey};
pub use open::{open, open_bytes};
pub use seal::{Sealer, seal_bytes, sealed_size_bytes};

/// Bytes of content in memory while it streams.
const WINDOW_BYTES: usize = 64 << 10;

/// What content is, before it is sealed and after it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The SHA-256 of its bytes. It may be guessed, so it belongs beside no sealed payload.
    pub sha256: Sha256Digest,
    /// Its length in bytes.
    pub size_bytes: u64,
}

impl Content {
    /// Measures all that a reader gives: the first of the two passes of sealing.
    ///
    /// # Errors
    /// What the reader reports.
    pub fn measure(reader: &mut dyn Read) -> io::Result<Self> {
        let mut window = Zeroizing::new(vec![0; WINDOW_BYTES]);
        let mut meter = Meter::default();
        loop {
            let count = fill(reader, &mut window)?;
            meter.update(window.get(..count).unwrap_or_default());
            if count < window.len() {
                return Ok(meter.finish());
            }
        }
    }
}

/// Measures content that passes by.
#[derive(Default)]
struct Meter {
    hasher: Sha256Hasher,
    size_bytes: u64,
}

impl Meter {
    fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.size_bytes = self.size_bytes.saturating_add(bytes.len() as u64);
    }

    fn finish(self) -> Content {
        Content { sha256: self.hasher.finalize(), size_bytes: self.size_bytes }
    }
}

/// Reads until the buffer is full or the reader has no more.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
