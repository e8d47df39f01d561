//! A ledger as one run of bytes, so that a fuzzer can change it: a byte of flags, the file of the
//! published size, then the segments, each of which begins at its magic.
//!
//! | flag | meaning |
//! |---|---|
//! | 1 | the next 1,024 bytes are the published size; otherwise there is none |
//! | 2 | checksums are made right first, so that changes reach the checks behind them |

use std::path::Path;

use proofline_ledger::frame::{FrameLengths, LENGTHS_BYTES};
use proofline_ledger::segment::{SEGMENT_HEADER_BYTES, segment_name};
use proofline_ledger::{MARK_FILE, Seq};

use super::disk::MemoryDisk;

const MAGIC: &[u8] = b"PROOFSEG";
const MARK_BYTES: usize = 1024;
const SLOT_BYTES: usize = 512;
const SLOT_FIELDS_BYTES: usize = 88;
const HAS_MARK: u8 = 1;
const IS_MENDED: u8 = 2;

/// The files of a ledger that a fuzzer changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The published size.
    pub mark: Option<Vec<u8>>,
    /// The segments, lowest first.
    pub segments: Vec<Vec<u8>>,
}

impl Image {
    /// Takes bytes apart; all bytes are some image.
    pub fn read(data: &[u8]) -> Self {
        let (flags, rest) = data.split_first().map_or((0, data), |(flags, rest)| (*flags, rest));
        let mark_bytes = if flags & HAS_MARK == 0 { 0 } else { MARK_BYTES.min(rest.len()) };
        let (mark, log) = rest.split_at(mark_bytes);
        let starts = (1..log.len()).filter(|at| log[*at..].starts_with(MAGIC));
        let cuts: Vec<usize> = [0].into_iter().chain(starts).chain([log.len()]).collect();
        let segments = cuts.windows(2).map(|cut| log[cut[0]..cut[1]].to_vec()).collect();
        let mut image = Self { mark: (mark_bytes > 0).then(|| mark.to_vec()), segments };
        if flags & IS_MENDED != 0 {
            image.mend();
        }
        image
    }

    /// The bytes that [`Image::read`] takes apart into this image, if its checksums are right.
    pub fn write(&self, mended: bool) -> Vec<u8> {
        let flags = if self.mark.is_some() { HAS_MARK } else { 0 } | if mended { IS_MENDED } else { 0 };
        let mut bytes = vec![flags];
        bytes.extend(self.mark.iter().flatten());
        bytes.extend(self.segments.iter().flatten());
        bytes
    }

    /// The image of the ledger that lies in `dir`.
    pub fn of(disk: &MemoryDisk, dir: &Path) -> Self {
        let files = disk.files(dir);
        let segments = files.iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "seg"));
        Self {
            mark: files.get(&dir.join(MARK_FILE)).cloned(),
            segments: segments.map(|(_, bytes)| bytes.clone()).collect(),
        }
    }

    /// Lays the files out. The first segment is called what a ledger's first segment is called,
    /// the others what their headers say.
    pub fn lay_out(&self, dir: &Path) -> MemoryDisk {
        let disk = MemoryDisk::default();
        for (at, segment) in self.segments.iter().enumerate() {
            let named =
                segment.get(32..40).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes);
            let first_seq = if at == 0 { Seq::GENESIS } else { Seq::new(named) };
            disk.put(dir.join("log").join(segment_name(first_seq)), segment);
        }
        if let Some(mark) = &self.mark {
            disk.put(dir.join(MARK_FILE), mark);
        }
        disk
    }

    fn mend(&mut self) {
        self.segments.iter_mut().for_each(|segment| mend_segment(segment));
        for slot in self.mark.iter_mut().flat_map(|mark| mark.chunks_mut(SLOT_BYTES)) {
            put_checksum(slot, 0, SLOT_FIELDS_BYTES);
        }
    }
}

fn mend_segment(segment: &mut [u8]) {
    put_checksum(segment, 0, SEGMENT_HEADER_BYTES - 4);
    mend_frames(segment.get_mut(SEGMENT_HEADER_BYTES..).unwrap_or_default());
}

/// Makes the checksums of frames that follow each other right.
pub(crate) fn mend_frames(frames: &mut [u8]) {
    let mut at = 0;
    while let Some(lengths) = frames.get(at..).and_then(|rest| FrameLengths::read(rest).ok()) {
        let header_end = at + LENGTHS_BYTES + lengths.header_bytes;
        put_checksum(frames, at, header_end);
        put_checksum(frames, header_end + 4, header_end + 4 + lengths.body_bytes);
        at += lengths.frame_bytes();
    }
}

/// Writes the CRC-32C of the bytes from `from` to `end` behind them, if there is room.
pub(crate) fn put_checksum(bytes: &mut [u8], from: usize, end: usize) {
    let Some(crc) = bytes.get(from..end).map(crc32c) else { return };
    if let Some(place) = bytes.get_mut(end..end + 4) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
}

/// CRC-32C (RFC 3720), bit by bit: this package needs no table and no crate for it.
fn crc32c(bytes: &[u8]) -> u32 {
    let update = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 0 { 0 } else { 0x82f6_3b78 })
    };
    !bytes.iter().fold(!0, update)
}
