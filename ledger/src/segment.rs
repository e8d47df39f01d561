//! A segment file: an 80-byte header, then frames.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `PROOFSEG` |
//! | 8 | 4 | format version of the ledger, u32 little-endian, at most 1 |
//! | 12 | 4 | reserved, zero |
//! | 16 | 16 | ledger id |
//! | 32 | 8 | seq of the first frame, u64 little-endian |
//! | 40 | 32 | leaf hash of the entry before the first frame; zeros at seq 0 |
//! | 72 | 4 | reserved, zero |
//! | 76 | 4 | CRC-32C of the bytes before, u32 little-endian |
//!
//! Its name is the first seq in twenty digits and `.seg`. A segment ends where the next one
//! begins: bytes behind the frame with the next segment's first seq belong to no entry.

use std::io;
use std::sync::Arc;

use thiserror::Error;

use crate::disk::DiskFile;
use crate::durable::read_full_at;
use crate::frame::{Frame, FrameFault, FrameLengths, LENGTHS_BYTES, decode_frame};
use proofline_proof::header::FORMAT_VERSION;
use proofline_proof::{LeafHash, Seq};
use proofline_trace::LedgerId;

/// Bytes before a segment's first frame.
pub const SEGMENT_HEADER_BYTES: usize = 80;

const MAGIC: &[u8; 8] = b"PROOFSEG";
const CRC_AT: usize = SEGMENT_HEADER_BYTES - 4;
const NAME_DIGITS: usize = 20;
const NAME_END: &str = ".seg";

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The format version of the ledger.
    pub format: u32,
    /// The ledger it belongs to.
    pub ledger_id: LedgerId,
    /// The seq of its first frame.
    pub first_seq: Seq,
    /// The leaf hash of the entry before its first frame; none at seq 0.
    pub previous_leaf: Option<LeafHash>,
}

/// Why bytes are no segment header.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SegmentFault {
    /// Fewer than 80 bytes.
    #[error("the segment file is {0} bytes long, shorter than its header")]
    Truncated(usize),
    /// Another kind of file.
    #[error("the file does not begin as a segment does")]
    Magic,
    /// A later format.
    #[error("the segment is of format version {0}; this program reads up to version 1")]
    NewerFormat(u32),
    /// A changed byte.
    #[error("the segment header's checksum is {expected:08x} but its bytes give {found:08x}")]
    Checksum {
        /// The stored checksum.
        expected: u32,
        /// The checksum of the bytes there.
        found: u32,
    },
    /// Reserved bytes that are not zero, or a first segment with a previous leaf hash.
    #[error("the segment header's fields contradict each other")]
    Form,
}

impl SegmentFault {
    /// The stable code of this fault.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            SegmentFault::Truncated(_) => "segment.truncated",
            SegmentFault::Magic => "segment.magic",
            SegmentFault::NewerFormat(_) => "segment.newer_format",
            SegmentFault::Checksum { .. } => "segment.checksum",
            SegmentFault::Form => "segment.form",
        }
    }
}

impl SegmentHeader {
    /// The 80 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let zeros = [0; 32];
        let leaf = self.previous_leaf.as_ref().map_or(&zeros, LeafHash::as_bytes);
        let version = self.format.to_le_bytes();
        let first_seq = self.first_seq.get().to_le_bytes();
        let fields =
            [MAGIC, &version[..], &[0; 4], self.ledger_id.as_bytes(), &first_seq, leaf, &[0; 4]].concat();
        let crc = crc32c::crc32c(&fields).to_le_bytes();
        let mut out = [0; SEGMENT_HEADER_BYTES];
        for (to, from) in out.iter_mut().zip(fields.iter().chain(&crc)) {
            *to = *from;
        }
        out
    }

    /// Reads the header at the front of a segment file.
    ///
    /// # Errors
    /// [`SegmentFault`]: the first thing that is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, SegmentFault> {
        let fields =
            bytes.first_chunk::<SEGMENT_HEADER_BYTES>().ok_or(SegmentFault::Truncated(bytes.len()))?;
        let part = |from: usize, to: usize| fields.get(from..to).unwrap_or_default();
        let u32_at = |at: usize| u32::from_le_bytes(part(at, at + 4).try_into().unwrap_or_default());
        if part(0, 8) != MAGIC {
            return Err(SegmentFault::Magic);
        }
        let (expected, found) = (u32_at(CRC_AT), crc32c::crc32c(part(0, CRC_AT)));
        if expected != found {
            return Err(SegmentFault::Checksum { expected, found });
        }
        if u32_at(8) > FORMAT_VERSION {
            return Err(SegmentFault::NewerFormat(u32_at(8)));
        }
        let ledger_id = LedgerId::from_bytes(part(16, 32).try_into().unwrap_or_default());
        let first_seq = Seq::new(u64::from_le_bytes(part(32, 40).try_into().unwrap_or_default()));
        let leaf: [u8; 32] = part(40, 72).try_into().unwrap_or_default();
        let is_first = first_seq == Seq::GENESIS;
        if u32_at(12) != 0 || u32_at(72) != 0 || is_first && leaf != [0; 32] {
            return Err(SegmentFault::Form);
        }
        let previous_leaf = (!is_first).then(|| LeafHash::from_bytes(leaf));
        Ok(SegmentHeader { format: u32_at(8), ledger_id, first_seq, previous_leaf })
    }
}

/// The file name of the segment that begins with this entry.
#[must_use]
pub fn segment_name(first_seq: Seq) -> String {
    format!("{:0NAME_DIGITS$}{NAME_END}", first_seq.get())
}

/// The first entry of the segment with this file name, if it is a segment's.
#[must_use]
pub fn parse_segment_name(name: &str) -> Option<Seq> {
    let digits = name.strip_suffix(NAME_END)?;
    let well_formed = digits.len() == NAME_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| digits.parse().ok().map(Seq::new)).flatten()
}

/// Reads a segment header from its file.
pub(crate) fn read_segment_header(file: &dyn DiskFile) -> io::Result<Result<SegmentHeader, SegmentFault>> {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    let count = read_full_at(file, &mut bytes, 0)?;
    Ok(SegmentHeader::decode(bytes.get(..count).unwrap_or_default()))
}

/// Reads a file from front to back through a window that grows to the largest frame and no more.
#[derive(Debug)]
pub(crate) struct FrameCursor {
    file: Arc<dyn DiskFile>,
    window: Vec<u8>,
    window_at: u64,
    position: u64,
    end: u64,
    window_bytes: usize,
}

const WINDOW_BYTES: usize = 1 << 20;

impl FrameCursor {
    /// A cursor over `file` from `position` up to `end` or the end of the file, whichever comes first.
    pub(crate) fn new(file: Arc<dyn DiskFile>, position: u64, end: u64) -> io::Result<Self> {
        let end = end.min(file.len()?);
        Ok(FrameCursor {
            file,
            window: Vec::new(),
            window_at: position,
            position,
            end,
            window_bytes: WINDOW_BYTES,
        })
    }

    /// Reads this much at a time, where no more is asked for.
    pub(crate) fn with_window(self, window_bytes: usize) -> Self {
        FrameCursor { window_bytes, ..self }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.position >= self.end
    }

    /// Goes on at another place.
    pub(crate) fn seek(&mut self, position: u64) {
        self.position = position;
    }

    /// Steps over a frame of this many bytes.
    pub(crate) fn advance(&mut self, frame_bytes: usize) {
        self.position = self.position.saturating_add(frame_bytes as u64);
    }

    /// At least `wanted` bytes from the position on, fewer only at the end.
    pub(crate) fn bytes(&mut self, wanted: usize) -> io::Result<&[u8]> {
        let left = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let wanted = wanted.min(left);
        let start = self.position.checked_sub(self.window_at).and_then(|start| usize::try_from(start).ok());
        let held = start.is_some_and(|start| self.window.len().saturating_sub(start) >= wanted);
        if !held {
            let size = wanted.max(self.window_bytes).min(left);
            self.window.resize(size, 0);
            let count = read_full_at(&*self.file, &mut self.window, self.position)?;
            self.window.truncate(count);
            self.window_at = self.position;
        }
        let start = usize::try_from(self.position - self.window_at).unwrap_or(usize::MAX);
        Ok(self.window.get(start..).unwrap_or_default())
    }

    /// The frame at the position, which stays where it is.
    pub(crate) fn frame(&mut self) -> io::Result<Result<Frame<'_>, FrameFault>> {
        let lengths = match FrameLengths::read(self.bytes(LENGTHS_BYTES)?) {
            Ok(lengths) => lengths,
            Err(fault) => return Ok(Err(fault)),
        };
        Ok(decode_frame(self.bytes(lengths.frame_bytes())?))
    }
}
