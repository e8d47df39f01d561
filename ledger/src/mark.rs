//! The published mark: how much of the log is durable. The writer updates it after each sync;
//! readers stop there, and recovery never calls anything before it torn.
//!
//! The file `published` is 1,024 bytes: two slots, at 0 and 512, written in turn so that a torn
//! write leaves the other one. A slot:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `PROOFPUB` |
//! | 8 | 8 | generation, u64 little-endian; the slot is generation mod 2 |
//! | 16 | 16 | ledger id |
//! | 32 | 8 | first seq of the open segment, u64 little-endian |
//! | 40 | 8 | durable bytes of that segment, its header included, u64 little-endian |
//! | 48 | 8 | durable entries of the ledger, u64 little-endian |
//! | 56 | 32 | leaf hash of the last durable entry |
//! | 88 | 4 | CRC-32C of the bytes before, u32 little-endian |
//! | 92 | 420 | zero |

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile};
use crate::durable::{self, read_full_at};
use proofline_proof::{LeafHash, Seq};
use proofline_trace::LedgerId;

/// The file's name in the ledger's folder.
pub const MARK_FILE: &str = "published";

const MAGIC: &[u8; 8] = b"PROOFPUB";
const SLOT_BYTES: usize = 512;
const FIELDS_BYTES: usize = 88;
const FILE_BYTES: usize = 2 * SLOT_BYTES;

/// Far more publications than any writer makes; a greater number is no generation.
const GENERATIONS: u64 = 1 << 62;

/// A slot can be caught half-written by a reader in another process; that passes at once.
const READ_ATTEMPTS: usize = 50;

/// How much of the log is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// One more with each publication.
    pub generation: u64,
    /// The ledger.
    pub ledger_id: LedgerId,
    /// First seq of the segment that is open.
    pub segment: Seq,
    /// Durable bytes of that segment, its header included.
    pub segment_bytes: u64,
    /// Durable entries of the whole ledger: the seq of the next one.
    pub entries: u64,
    /// Leaf hash of the last durable entry.
    pub head: LeafHash,
}

/// What the file said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkReading {
    /// The later of the slots that are whole.
    pub mark: Option<Mark>,
    /// True when the file, or a slot that should be whole, is missing or damaged, so that a
    /// later mark may have been lost.
    pub damaged: bool,
}

fn encode_slot(mark: &Mark) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    let fields: [&[u8]; 7] = [
        MAGIC,
        &mark.generation.to_le_bytes(),
        mark.ledger_id.as_bytes(),
        &mark.segment.get().to_le_bytes(),
        &mark.segment_bytes.to_le_bytes(),
        &mark.entries.to_le_bytes(),
        mark.head.as_bytes(),
    ];
    slot.iter_mut().zip(fields.into_iter().flatten()).for_each(|(to, from)| *to = *from);
    let (fields, rest) = slot.split_at_mut(FIELDS_BYTES);
    let crc = crc32c::crc32c(fields).to_le_bytes();
    rest.iter_mut().zip(crc).for_each(|(to, from)| *to = from);
    slot
}

fn decode_slot(slot: &[u8; SLOT_BYTES], index: u64) -> Option<Mark> {
    let part = |from: usize, to: usize| slot.get(from..to).unwrap_or_default();
    let u64_at = |at: usize| u64::from_le_bytes(part(at, at + 8).try_into().unwrap_or_default());
    let crc = crc32c::crc32c(part(0, FIELDS_BYTES)).to_le_bytes();
    let whole = part(0, 8) == MAGIC
        && part(FIELDS_BYTES, FIELDS_BYTES + 4) == crc
        && part(FIELDS_BYTES + 4, SLOT_BYTES) == [0; SLOT_BYTES - FIELDS_BYTES - 4]
        && u64_at(8) % 2 == index
        && u64_at(8) < GENERATIONS;
    whole.then(|| Mark {
        generation: u64_at(8),
        ledger_id: LedgerId::from_bytes(part(16, 32).try_into().unwrap_or_default()),
        segment: Seq::new(u64_at(32)),
        segment_bytes: u64_at(40),
        entries: u64_at(48),
        head: LeafHash::from_bytes(part(56, 88).try_into().unwrap_or_default()),
    })
}

/// Reads both slots of a whole file.
#[must_use]
pub fn decode_marks(bytes: &[u8]) -> MarkReading {
    let (Some((first, rest)), true) = (bytes.split_first_chunk::<SLOT_BYTES>(), bytes.len() == FILE_BYTES)
    else {
        return MarkReading { mark: None, damaged: true };
    };
    let second = rest.first_chunk::<SLOT_BYTES>();
    let first = decode_slot(first, 0);
    let second = second.and_then(|slot| decode_slot(slot, 1));
    match (first, second) {
        (Some(a), Some(b)) => {
            let (later, earlier) = if a.generation > b.generation { (a, b) } else { (b, a) };
            MarkReading { mark: Some(later), damaged: earlier.generation + 1 != later.generation }
        }
        (one, other) => MarkReading { mark: one.or(other), damaged: true },
    }
}

/// The file that holds the mark, open for publishing.
#[derive(Debug)]
pub(crate) struct MarkFile {
    file: Arc<dyn DiskFile>,
}

impl MarkFile {
    /// Makes the file, or replaces it whole, with both slots naming this mark.
    pub(crate) fn create(disk: &dyn Disk, dir: &Path, mark: &Mark) -> io::Result<Self> {
        let earlier = Mark { generation: mark.generation.saturating_sub(1), ..*mark };
        let slots = if mark.generation.is_multiple_of(2) { [mark, &earlier] } else { [&earlier, mark] }
            .map(encode_slot);
        let file = durable::write_file(disk, &dir.join(MARK_FILE), |file| {
            file.write_all_at(slots.as_flattened(), 0)
        })?;
        Ok(MarkFile { file })
    }

    /// Opens the file for publishing.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path) -> io::Result<Self> {
        Ok(MarkFile { file: disk.open(&dir.join(MARK_FILE), Access::Write)? })
    }

    /// True when this is the file that has the mark's name now. A recovery may have put another in its place.
    pub(crate) fn is_in_place(&self, dir: &Path) -> io::Result<bool> {
        self.file.has_name(&dir.join(MARK_FILE))
    }

    /// What the file says now; a slot caught in the middle of a write is read again.
    pub(crate) fn read(&self) -> io::Result<MarkReading> {
        read_marks(&*self.file)
    }

    /// Names a later mark, in the slot of its generation.
    pub(crate) fn publish(&self, mark: &Mark) -> io::Result<()> {
        let offset = (mark.generation % 2) * SLOT_BYTES as u64;
        self.file.write_all_at(&encode_slot(mark), offset)
    }

    /// Makes what was published durable, for whoever makes a claim that rests on it.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

/// Reads a file that has room in the buffer. One call that gives what a whole one has is enough; a second one
/// would only hear again that there is no more.
fn read_whole(file: &dyn DiskFile, buffer: &mut [u8; FILE_BYTES + 1]) -> io::Result<usize> {
    match file.read_at(buffer, 0)? {
        FILE_BYTES => Ok(FILE_BYTES),
        _ => read_full_at(file, buffer, 0),
    }
}

fn read_marks(file: &dyn DiskFile) -> io::Result<MarkReading> {
    let mut bytes = [0; FILE_BYTES + 1];
    let mut reading = MarkReading { mark: None, damaged: true };
    for _ in 0..READ_ATTEMPTS {
        let count = read_whole(file, &mut bytes)?;
        reading = decode_marks(bytes.get(..count).unwrap_or_default());
        if !reading.damaged {
            break;
        }
        std::thread::yield_now();
    }
    Ok(reading)
}

/// Reads a ledger's mark; a missing file is a damaged one.
pub(crate) fn read_mark(disk: &dyn Disk, dir: &Path) -> io::Result<MarkReading> {
    match disk.open(&dir.join(MARK_FILE), Access::Read) {
        Ok(file) => read_marks(&*file),
        // A plain file in the ledger's place has no mark either; what it lacks more is told later.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(MarkReading { mark: None, damaged: true })
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(generation: u64) -> Mark {
        Mark {
            generation,
            ledger_id: LedgerId::from_bytes([7; 16]),
            segment: Seq::new(5),
            segment_bytes: 1234,
            entries: 9,
            head: LeafHash::from_bytes([9; 32]),
        }
    }

    fn file(even: &Mark, odd: &Mark) -> Vec<u8> {
        [encode_slot(even), encode_slot(odd)].concat()
    }

    #[test]
    fn the_later_slot_counts() {
        assert_eq!(
            decode_marks(&file(&mark(4), &mark(3))),
            MarkReading { mark: Some(mark(4)), damaged: false }
        );
        assert_eq!(
            decode_marks(&file(&mark(4), &mark(5))),
            MarkReading { mark: Some(mark(5)), damaged: false }
        );
    }

    #[test]
    fn any_changed_byte_is_noticed_and_the_other_slot_remains() {
        let whole = file(&mark(4), &mark(5));
        for at in 0..whole.len() {
            for flip in [1, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                let reading = decode_marks(&bytes);
                assert!(reading.damaged, "byte {at} ^ {flip}");
                assert_eq!(reading.mark, Some(mark(if at < SLOT_BYTES { 5 } else { 4 })));
            }
        }
    }

    #[test]
    fn a_file_of_another_length_says_nothing() {
        let whole = file(&mark(4), &mark(5));
        for length in [0, 1, 512, 1023] {
            assert_eq!(decode_marks(&whole[..length]), MarkReading { mark: None, damaged: true });
        }
        let longer = [whole, vec![0]].concat();
        assert_eq!(decode_marks(&longer), MarkReading { mark: None, damaged: true });
    }

    #[test]
    fn slots_that_do_not_follow_each_other_are_damage() {
        assert!(decode_marks(&file(&mark(4), &mark(9))).damaged);
    }
}
