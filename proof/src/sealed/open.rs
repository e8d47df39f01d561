//! Opening in bounded memory: the key is compared before anything is decrypted, each chunk is authenticated before a
//! byte of it is given out, and only the end tells that it was all.

use std::io::{Read, Write};

use proofline_canon::Sha256Digest;
use zeroize::Zeroizing;

use super::chunk::{CHUNK_BYTES, Chunks, HASH_BYTES, TAG_BYTES};
use super::error::OpenError;
use super::header::{HEADER_BYTES, SealedHeader};
use super::key::SubjectKey;
use super::{Content, Meter, fill};

const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// Opens a sealed payload. What `content` is given is authentic, but may be a part alone: it is the content only once
/// this returned `Ok`, and is to be thrown away otherwise. Write to a file that gets its name at the end.
///
/// # Errors
/// [`OpenError`].
pub fn open(key: &SubjectKey, sealed: &mut dyn Read, content: &mut dyn Write) -> Result<Content, OpenError> {
    let header = read_header(key, sealed)?;
    let chunks = Chunks::new(key, &header);
    let mut reader = ChunkReader::new(sealed);
    let mut meter = Meter::default();
    let mut said = None;
    for number in 0.. {
        let is_last = reader.advance()?;
        let damaged = OpenError::Damaged { chunk: number };
        let message = chunks.open(number, is_last, reader.chunk()).filter(|message| !message.is_empty());
        let mut message = message.ok_or(damaged)?;
        if said.is_none() {
            let (hash, rest) = message.split_first_chunk::<HASH_BYTES>().ok_or(OpenError::Content)?;
            message = rest;
            said = Some(checked(key, &header, Sha256Digest::from_bytes(*hash))?);
        }
        meter.update(message);
        content.write_all(message).map_err(OpenError::Output)?;
        if is_last {
            let found = meter.finish();
            return if Some(found.sha256) == said { Ok(found) } else { Err(OpenError::Content) };
        }
        if number == u32::MAX {
            return Err(OpenError::Damaged { chunk: number });
        }
    }
    Err(OpenError::Damaged { chunk: u32::MAX })
}

/// Opens a sealed payload that is in memory: all of its content, or nothing.
///
/// # Errors
/// [`OpenError`].
pub fn open_bytes(key: &SubjectKey, mut sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    // Never grows, so no part of the content is left behind where a smaller buffer was.
    let mut content = Zeroizing::new(Vec::with_capacity(sealed.len()));
    open(key, &mut sealed, &mut *content)?;
    Ok(content)
}

fn read_header(key: &SubjectKey, sealed: &mut dyn Read) -> Result<SealedHeader, OpenError> {
    let mut bytes = [0; HEADER_BYTES];
    let count = fill(sealed, &mut bytes).map_err(OpenError::Source)?;
    let header = SealedHeader::parse(bytes.get(..count).unwrap_or_default())?;
    if header.key_id() == key.id() {
        return Ok(header);
    }
    Err(OpenError::WrongKey { sealed_under: header.key_id(), at_hand: key.id() })
}

/// The hash, if the nonce is the one that is derived from it: one content has one sealed form under a key.
fn checked(key: &SubjectKey, header: &SealedHeader, hash: Sha256Digest) -> Result<Sha256Digest, OpenError> {
    if key.nonce(&hash) == *header.nonce() { Ok(hash) } else { Err(OpenError::Content) }
}

/// Cuts a stream into chunks, and reads one byte ahead: only the end of the stream tells which chunk is the last.
struct ChunkReader<'a> {
    source: &'a mut dyn Read,
    buffer: Zeroizing<Vec<u8>>,
    size: usize,
    ahead: Option<u8>,
}

impl<'a> ChunkReader<'a> {
    fn new(source: &'a mut dyn Read) -> Self {
        ChunkReader { source, buffer: Zeroizing::new(vec![0; SEALED_CHUNK_BYTES]), size: 0, ahead: None }
    }

    /// Reads the next chunk and says whether it is the last.
    fn advance(&mut self) -> Result<bool, OpenError> {
        let known = usize::from(self.ahead.is_some());
        if let (Some(first), Some(byte)) = (self.buffer.first_mut(), self.ahead.take()) {
            *first = byte;
        }
        let rest = self.buffer.get_mut(known..).unwrap_or_default();
        self.size = known + fill(self.source, rest).map_err(OpenError::Source)?;
        if self.size < SEALED_CHUNK_BYTES {
            return Ok(true);
        }
        let mut next = [0];
        if fill(self.source, &mut next).map_err(OpenError::Source)? > 0 {
            self.ahead = Some(next[0]);
        }
        Ok(self.ahead.is_none())
    }

    fn chunk(&mut self) -> &mut [u8] {
        self.buffer.get_mut(..self.size).unwrap_or_default()
    }
}
