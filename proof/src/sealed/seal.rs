//! Sealing in bounded memory. The nonce depends on all of the content, so there are two passes: [`Content::measure`],
//! and a [`Sealer`] that reads the same content again and gives sealed bytes, or an error in place of a last chunk.

use std::io::{self, Read};

use zeroize::Zeroizing;

use super::chunk::{CHUNK_BYTES, Chunks, HASH_BYTES, TAG_BYTES};
use super::error::SealError;
use super::header::{HEADER_BYTES, SealedHeader};
use super::key::SubjectKey;
use super::{Content, Meter, fill};

/// The length of the sealed payload of content of this length.
///
/// # Errors
/// [`SealError::TooLong`].
pub fn sealed_size_bytes(content_bytes: u64) -> Result<u64, SealError> {
    let message = message_bytes(content_bytes)?;
    Ok(HEADER_BYTES as u64 + message + message.div_ceil(CHUNK_BYTES as u64) * TAG_BYTES as u64)
}

/// The hash and the content, if their chunks can be counted.
fn message_bytes(content_bytes: u64) -> Result<u64, SealError> {
    let most = (u64::from(u32::MAX) + 1) * CHUNK_BYTES as u64;
    content_bytes.checked_add(HASH_BYTES as u64).filter(|message| *message <= most).ok_or(SealError::TooLong)
}

/// Sealed bytes, read as they are made. An error is final: what was read before it is no sealed payload, and is to be
/// thrown away, for its nonce may have been derived for other content.
pub struct Sealer<R> {
    source: R,
    content: Content,
    chunks: Chunks,
    meter: Meter,
    /// Message bytes that are not in a chunk yet.
    left_bytes: u64,
    number: u32,
    /// The sealed bytes that wait to be read, and how many of them were. Content lies here before it is encrypted.
    sealed: Zeroizing<Vec<u8>>,
    given: usize,
}

impl<R: Read> Sealer<R> {
    /// Seals what `source` gives, from its start, which must be what was measured.
    ///
    /// # Errors
    /// [`SealError::TooLong`].
    pub fn new(key: &SubjectKey, content: &Content, source: R) -> Result<Self, SealError> {
        let header = SealedHeader::new(key.id(), key.nonce(&content.sha256));
        let chunks = Chunks::new(key, &header);
        let sealed = Zeroizing::new(chunks.header().to_vec());
        let left_bytes = message_bytes(content.size_bytes)?;
        let meter = Meter::default();
        Ok(Sealer { source, content: *content, chunks, meter, left_bytes, number: 0, sealed, given: 0 })
    }

    /// Makes the next chunk; nothing behind the last.
    fn advance(&mut self) -> io::Result<()> {
        self.sealed.clear();
        self.given = 0;
        if self.left_bytes == 0 {
            return Ok(());
        }
        let size = usize::try_from(self.left_bytes).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        self.left_bytes -= size as u64;
        let is_last = self.left_bytes == 0;
        if let Err(error) = self.read_message(size).and_then(|()| self.seal_chunk(is_last)) {
            self.sealed = Zeroizing::default();
            self.left_bytes = 0;
            return Err(error);
        }
        Ok(())
    }

    /// Reads a chunk's message; the hash is the start of the first.
    fn read_message(&mut self, size: usize) -> io::Result<()> {
        self.sealed.reserve_exact(size + TAG_BYTES);
        self.sealed.resize(size, 0);
        let hash_bytes = if self.number == 0 { HASH_BYTES } else { 0 };
        let (hash, content) = self.sealed.split_at_mut_checked(hash_bytes).ok_or(SealError::Changed)?;
        for (to, from) in hash.iter_mut().zip(self.content.sha256.as_bytes()) {
            *to = *from;
        }
        if fill(&mut self.source, content)? < content.len() {
            return Err(SealError::Changed.into());
        }
        self.meter.update(content);
        Ok(())
    }

    /// Encrypts what was read. The last chunk is made only if all of the content is what was measured.
    fn seal_chunk(&mut self, is_last: bool) -> io::Result<()> {
        if is_last {
            let has_more = fill(&mut self.source, &mut [0])? > 0;
            let found = std::mem::take(&mut self.meter).finish();
            if has_more || found != self.content {
                return Err(SealError::Changed.into());
            }
        }
        self.chunks.seal(self.number, is_last, &mut self.sealed).ok_or(SealError::TooLong)?;
        self.number = self.number.wrapping_add(1); // wraps behind the last one there can be
        Ok(())
    }
}

impl<R: Read> Read for Sealer<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.sealed.len() {
            self.advance()?;
        }
        let waiting = self.sealed.get(self.given..).unwrap_or_default();
        let count = waiting.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(waiting) {
            *to = *from;
        }
        self.given += count;
        Ok(count)
    }
}

/// Shows nothing of the content.
impl<R> std::fmt::Debug for Sealer<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("left_bytes", &self.left_bytes).finish_non_exhaustive()
    }
}

/// Seals bytes that are in memory.
#[must_use]
pub fn seal_bytes(key: &SubjectKey, content: &[u8]) -> Vec<u8> {
    let mut meter = Meter::default();
    meter.update(content);
    let measured = meter.finish();
    let mut sealed = Vec::new();
    #[expect(
        clippy::expect_used,
        reason = "a slice neither changes nor fails, and memory ends before 256 TiB"
    )]
    Sealer::new(key, &measured, content)
        .map_err(io::Error::from)
        .and_then(|mut sealer| sealer.read_to_end(&mut sealed))
        .expect("bytes in memory can be sealed");
    sealed
}
