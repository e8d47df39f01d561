//! The frame: how an entry lies in a segment file.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 2 | header length `h`, u16 little-endian, 1 to 4,096 |
//! | 2 | 4 | body length `b`, u32 little-endian, at most 16 MiB |
//! | 6 | h | entry header, deterministic CBOR |
//! | 6 + h | 4 | CRC-32C of the bytes before, u32 little-endian |
//! | 10 + h | b | body, canonical JSON |
//! | 10 + h + b | 4 | CRC-32C of the body, u32 little-endian |
//!
//! The two checksums are separate so that a body can be withheld and its header still checked.

use thiserror::Error;

use proofline_proof::LeafHash;
use proofline_proof::header::{EntryHeader, HeaderError, MAX_HEADER_BYTES};

/// The longest body, in bytes: no limit of an embedder may exceed it.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The bytes of a frame's two lengths.
pub const LENGTHS_BYTES: usize = 6;
const CRC_BYTES: usize = 4;

/// What a frame adds to its header and body, in bytes.
pub const FRAME_OVERHEAD_BYTES: usize = LENGTHS_BYTES + 2 * CRC_BYTES;

/// Enough bytes for any frame's front up to its header checksum.
pub(crate) const HEAD_BYTES: usize = MAX_HEADER_BYTES + FRAME_OVERHEAD_BYTES;

const _: () = assert!(MAX_HEADER_BYTES <= u16::MAX as usize && MAX_BODY_BYTES <= u32::MAX as usize);

/// Why bytes are no frame. Each has a code that reports carry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameFault {
    /// The file ends before the frame does.
    #[error("the frame runs {missing_bytes} bytes past the end")]
    Truncated {
        /// How many bytes are not there.
        missing_bytes: u64,
    },
    /// The header length is 0 or over 4,096, or the body length over 16 MiB.
    #[error("the frame's lengths are impossible (header {header_bytes}, body {body_bytes})")]
    Lengths {
        /// The header length found.
        header_bytes: usize,
        /// The body length found.
        body_bytes: usize,
    },
    /// The lengths or the header do not have the checksum that follows them.
    #[error("the header checksum is {expected:08x} but the bytes give {found:08x}")]
    HeaderChecksum {
        /// The stored checksum.
        expected: u32,
        /// The checksum of the bytes there.
        found: u32,
    },
    /// The checksum is right, and yet the bytes are no header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The body does not have the checksum that follows it.
    #[error("the body checksum is {expected:08x} but the bytes give {found:08x}")]
    BodyChecksum {
        /// The stored checksum.
        expected: u32,
        /// The checksum of the bytes there.
        found: u32,
    },
}

impl FrameFault {
    /// The stable code of this fault.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            FrameFault::Truncated { .. } => "frame.truncated",
            FrameFault::Lengths { .. } => "frame.lengths",
            FrameFault::HeaderChecksum { .. } => "frame.header_checksum",
            FrameFault::Header(HeaderError::NewerFormat(_)) => "frame.newer_format",
            FrameFault::Header(_) => "frame.header_form",
            FrameFault::BodyChecksum { .. } => "frame.body_checksum",
        }
    }
}

/// A frame's two lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLengths {
    /// Bytes of the header.
    pub header_bytes: usize,
    /// Bytes of the body.
    pub body_bytes: usize,
}

impl FrameLengths {
    /// Reads and bounds the lengths at the front of `bytes`.
    ///
    /// # Errors
    /// [`FrameFault::Truncated`] for fewer than six bytes, [`FrameFault::Lengths`] for impossible ones.
    pub fn read(bytes: &[u8]) -> Result<Self, FrameFault> {
        let Some(([h0, h1, b0, b1, b2, b3], _)) = bytes.split_first_chunk::<LENGTHS_BYTES>() else {
            return Err(FrameFault::Truncated { missing_bytes: (LENGTHS_BYTES - bytes.len()) as u64 });
        };
        let header_bytes = usize::from(u16::from_le_bytes([*h0, *h1]));
        let body_bytes = u32::from_le_bytes([*b0, *b1, *b2, *b3]) as usize;
        if header_bytes == 0 || header_bytes > MAX_HEADER_BYTES || body_bytes > MAX_BODY_BYTES {
            return Err(FrameFault::Lengths { header_bytes, body_bytes });
        }
        Ok(FrameLengths { header_bytes, body_bytes })
    }

    /// Bytes of the whole frame.
    #[must_use]
    pub const fn frame_bytes(self) -> usize {
        FRAME_OVERHEAD_BYTES + self.header_bytes + self.body_bytes
    }
}

/// A frame whose two checksums are right and whose header has the one encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The decoded header.
    pub header: EntryHeader,
    /// The header's bytes.
    pub header_bytes: &'a [u8],
    /// The body's bytes.
    pub body: &'a [u8],
}

impl Frame<'_> {
    /// The leaf hash of the frame's header.
    #[must_use]
    pub fn leaf_hash(&self) -> LeafHash {
        LeafHash::of_header(self.header_bytes)
    }

    /// Bytes of the whole frame.
    #[must_use]
    pub const fn frame_bytes(&self) -> usize {
        FRAME_OVERHEAD_BYTES + self.header_bytes.len() + self.body.len()
    }
}

/// Writes a frame to the end of `out`, which stays as it was where that fails.
///
/// # Errors
/// [`FrameFault::Lengths`] when the header or the body is longer than a frame holds.
pub fn encode_frame(header: &EntryHeader, body: &[u8], out: &mut Vec<u8>) -> Result<LeafHash, FrameFault> {
    let start = out.len();
    out.extend_from_slice(&[0; LENGTHS_BYTES]);
    header.encode_into(out);
    let header_bytes = out.len() - start - LENGTHS_BYTES;
    let lengths = (u16::try_from(header_bytes), u32::try_from(body.len()));
    let fits = header_bytes <= MAX_HEADER_BYTES && body.len() <= MAX_BODY_BYTES;
    let ((Ok(header_length), Ok(body_length)), true) = (lengths, fits) else {
        out.truncate(start);
        return Err(FrameFault::Lengths { header_bytes, body_bytes: body.len() });
    };
    let front = out.get_mut(start..).unwrap_or_default();
    let (lengths, encoded) = front.split_at_mut_checked(LENGTHS_BYTES).unwrap_or_default();
    let (of_header, of_body) = lengths.split_at_mut_checked(2).unwrap_or_default();
    of_header.copy_from_slice(&header_length.to_le_bytes());
    of_body.copy_from_slice(&body_length.to_le_bytes());
    let leaf = LeafHash::of_header(encoded);
    let crc = crc32c::crc32c(front);
    out.reserve(2 * CRC_BYTES + body.len());
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(body);
    out.extend_from_slice(&crc32c::crc32c(body).to_le_bytes());
    Ok(leaf)
}

/// Reads the part of a frame up to its header checksum: what can be checked without the body.
///
/// # Errors
/// [`FrameFault`] for all but a faulty body.
pub fn decode_head(bytes: &[u8]) -> Result<(FrameLengths, EntryHeader, &[u8]), FrameFault> {
    let lengths = FrameLengths::read(bytes)?;
    let covered = LENGTHS_BYTES + lengths.header_bytes;
    let truncated =
        || FrameFault::Truncated { missing_bytes: lengths.frame_bytes().saturating_sub(bytes.len()) as u64 };
    let (front, rest) = bytes.split_at_checked(covered).ok_or_else(truncated)?;
    let (stored, _) = rest.split_first_chunk::<CRC_BYTES>().ok_or_else(truncated)?;
    let expected = u32::from_le_bytes(*stored);
    let found = crc32c::crc32c(front);
    if expected != found {
        return Err(FrameFault::HeaderChecksum { expected, found });
    }
    let header_bytes = front.get(LENGTHS_BYTES..).unwrap_or_default();
    Ok((lengths, EntryHeader::decode(header_bytes)?, header_bytes))
}

/// Reads the frame at the front of `bytes`, which may go on behind it.
///
/// # Errors
/// [`FrameFault`]: the first thing that is wrong with the frame.
pub fn decode_frame(bytes: &[u8]) -> Result<Frame<'_>, FrameFault> {
    let (lengths, header, header_bytes) = decode_head(bytes)?;
    let truncated =
        || FrameFault::Truncated { missing_bytes: lengths.frame_bytes().saturating_sub(bytes.len()) as u64 };
    let body_at = LENGTHS_BYTES + lengths.header_bytes + CRC_BYTES;
    let (body, rest) = bytes
        .get(body_at..)
        .and_then(|tail| tail.split_at_checked(lengths.body_bytes))
        .ok_or_else(truncated)?;
    let (stored, _) = rest.split_first_chunk::<CRC_BYTES>().ok_or_else(truncated)?;
    let expected = u32::from_le_bytes(*stored);
    let found = crc32c::crc32c(body);
    if expected != found {
        return Err(FrameFault::BodyChecksum { expected, found });
    }
    Ok(Frame { header, header_bytes, body })
}
