//! A bounded memory of pages of index files, shared by threads: a look-up that finds its page here asks the system
//! for nothing. A page has its place in one of many small sets, each with a lock of its own, so that threads hardly
//! ever meet; within a set a clock says which page makes room for the next.
//!
//! What is in a page is what the file had when it was read. No answer rests on it alone: whatever an index says is
//! held against the log.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::DiskFile;
use crate::durable::read_full_at;

const PAGE_BYTES: usize = 4096;
/// Pages of a set.
const WAYS: usize = 16;
const SET_BYTES: usize = WAYS * PAGE_BYTES;
/// Where a set is full, one of so many pages that are read is taken in: pages that are asked for again and again get
/// in, and the others cost little more than without any memory.
const ADMITTED_OF: u8 = 4;

/// The number of a file in the memory, and the number of the page in the file.
type Key = (u32, u32);

/// Some pages, side by side.
struct Set {
    /// What is there.
    keys: [Option<Key>; WAYS],
    /// How many bytes of each: fewer than a page where a file ends.
    lengths: [u16; WAYS],
    /// A bit for each that was asked for since the clock passed.
    asked: u16,
    hand: usize,
    refused: u8,
    /// All pages, once there is one.
    bytes: Vec<u8>,
}

const _: () = assert!(WAYS == u16::BITS as usize && PAGE_BYTES <= u16::MAX as usize);

impl Default for Set {
    fn default() -> Self {
        Set { keys: [None; WAYS], lengths: [0; WAYS], asked: 0, hand: 0, refused: 0, bytes: Vec::new() }
    }
}

impl Set {
    fn way_of(&self, key: Key) -> Option<usize> {
        self.keys.iter().position(|held| *held == Some(key))
    }

    /// Copies a part of a page that is there.
    fn copy(&mut self, key: Key, within: usize, out: &mut [u8]) -> bool {
        let Some(way) = self.way_of(key) else { return false };
        let length = self.lengths.get(way).map_or(0, |length| usize::from(*length));
        let start = way * PAGE_BYTES + within;
        let part = self.bytes.get(start..start + out.len());
        let Some(part) = part.filter(|part| within + part.len() <= length) else { return false };
        out.copy_from_slice(part);
        self.asked |= 1 << way;
        true
    }

    /// Takes in a page, if its turn has come.
    fn put(&mut self, key: Key, page: &[u8]) {
        if self.way_of(key).is_some() {
            return; // another thread was quicker
        }
        let Some(way) = self.free_way() else { return };
        if self.bytes.is_empty() {
            self.bytes = vec![0; SET_BYTES];
        }
        let place = self.bytes.get_mut(way * PAGE_BYTES..).and_then(|from| from.get_mut(..page.len()));
        let (Some(place), Ok(length)) = (place, u16::try_from(page.len())) else { return };
        place.copy_from_slice(page);
        if let (Some(held), Some(held_bytes)) = (self.keys.get_mut(way), self.lengths.get_mut(way)) {
            (*held, *held_bytes) = (Some(key), length);
        }
    }

    /// Where the next page goes.
    fn free_way(&mut self) -> Option<usize> {
        if let Some(free) = self.keys.iter().position(Option::is_none) {
            return Some(free);
        }
        self.refused = (self.refused + 1) % ADMITTED_OF;
        if self.refused != 0 {
            return None;
        }
        while self.asked >> self.hand & 1 == 1 {
            self.asked &= !(1 << self.hand);
            self.hand = (self.hand + 1) % WAYS;
        }
        let way = self.hand;
        self.hand = (self.hand + 1) % WAYS;
        Some(way)
    }
}

/// The pages of some files, within a number of bytes.
pub(crate) struct Pages {
    sets: Vec<Mutex<Set>>,
    files: AtomicU32,
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("sets", &self.sets.len()).finish_non_exhaustive()
    }
}

impl Pages {
    /// For at most so many bytes of pages; `None` where that is less than one set takes.
    pub(crate) fn within(bytes: usize) -> Option<Arc<Self>> {
        let sets = bytes / SET_BYTES;
        let pages =
            || Pages { sets: (0..sets).map(|_| Mutex::default()).collect(), files: AtomicU32::new(0) };
        (sets > 0).then(|| Arc::new(pages()))
    }

    /// Room for all pages of files of so many bytes, and some more: pages are spread over sets by chance.
    pub(crate) const fn enough_for(file_bytes: u64) -> u64 {
        file_bytes.saturating_add(file_bytes / 2).saturating_add(SET_BYTES as u64)
    }

    fn set(&self, (file, page): Key) -> Option<&Mutex<Set>> {
        let mixed = (u64::from(file) << 32 | u64::from(page)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let place = ((mixed >> 32) * self.sets.len() as u64) >> 32;
        self.sets.get(usize::try_from(place).unwrap_or(usize::MAX))
    }

    /// Copies a part of one page, which is read when it is not there.
    fn copy(&self, file: &dyn DiskFile, key: Key, within: usize, out: &mut [u8]) -> io::Result<()> {
        let start = u64::from(key.1) * PAGE_BYTES as u64;
        let Some(set) = self.set(key) else { return fill_from(file, out, start + within as u64) };
        if set.lock().unwrap_or_else(PoisonError::into_inner).copy(key, within, out) {
            return Ok(());
        }
        let mut page = [0; PAGE_BYTES];
        let count = read_full_at(file, &mut page, start)?;
        let page = page.get(..count).unwrap_or_default();
        let part = page.get(within..within + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(part);
        set.lock().unwrap_or_else(PoisonError::into_inner).put(key, page);
        Ok(())
    }
}

/// A file whose small reads go by the memory.
#[derive(Clone, Debug)]
pub(super) struct PagedFile {
    file: Arc<dyn DiskFile>,
    pages: Option<(Arc<Pages>, u32)>,
}

impl PagedFile {
    /// Without a memory.
    pub(super) const fn new(file: Arc<dyn DiskFile>) -> Self {
        PagedFile { file, pages: None }
    }

    /// The same file with this memory.
    pub(super) fn in_pages(&self, pages: Option<&Arc<Pages>>) -> Self {
        let numbered = |pages: &Arc<Pages>| (Arc::clone(pages), pages.files.fetch_add(1, Ordering::Relaxed));
        PagedFile { file: Arc::clone(&self.file), pages: pages.map(numbered) }
    }

    /// Fills a buffer from this place on; bytes that are not there are an error.
    pub(super) fn fill(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let place =
            u32::try_from(offset / PAGE_BYTES as u64).ok().and_then(|page| page.checked_add(1).map(|_| page));
        let (Some((pages, number)), Some(page), 1..=PAGE_BYTES) = (&self.pages, place, buffer.len()) else {
            return fill_from(&*self.file, buffer, offset);
        };
        let within = usize::try_from(offset % PAGE_BYTES as u64).unwrap_or(0);
        let here = buffer.len().min(PAGE_BYTES - within);
        let (first, rest) = buffer.split_at_mut_checked(here).unwrap_or_default();
        pages.copy(&*self.file, (*number, page), within, first)?;
        if rest.is_empty() { Ok(()) } else { pages.copy(&*self.file, (*number, page + 1), 0, rest) }
    }
}

fn fill_from(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let count = read_full_at(file, buffer, offset)?;
    if count == buffer.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
mod tests {
    use std::path::Path;
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::disk::{Access, Disk, OsDisk};

    /// A file that counts how often it is read.
    #[derive(Debug)]
    struct Counted(Vec<u8>, AtomicU64);

    impl DiskFile for Counted {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            self.1.fetch_add(1, Ordering::Relaxed);
            let rest =
                usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        }

        fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn sync(&self) -> io::Result<()> {
            Ok(())
        }

        fn len(&self) -> io::Result<u64> {
            Ok(self.0.len() as u64)
        }

        fn truncate(&self, _: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn try_lock(&self) -> io::Result<bool> {
            Ok(false)
        }
    }

    fn mix(number: u64) -> u64 {
        let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(number: u64, end: usize) -> usize {
        usize::try_from(mix(number) % end as u64).unwrap()
    }

    /// Three files of lengths that are no whole pages, the bytes of each told apart.
    fn files() -> Vec<Arc<Counted>> {
        let bytes =
            |file: u64, length: u64| (0..length).map(|at| mix(file << 40 | at).to_le_bytes()[0]).collect();
        let lengths = [(1, 300_001), (2, 70_000), (3, 4095)];
        lengths.map(|(file, length)| Arc::new(Counted(bytes(file, length), AtomicU64::new(0)))).to_vec()
    }

    /// What is read through any memory, by any number of threads, is what the file has.
    #[test]
    fn reads_are_those_of_the_file() {
        for bytes in [0, SET_BYTES - 1, SET_BYTES, 3 * SET_BYTES, 1 << 22] {
            let pages = Pages::within(bytes);
            assert_eq!(pages.is_some(), bytes >= SET_BYTES);
            let files = files();
            let paged: Vec<PagedFile> =
                files.iter().map(|file| PagedFile::new(file.clone()).in_pages(pages.as_ref())).collect();
            std::thread::scope(|scope| {
                for thread in 0..3 {
                    let (files, paged) = (&files, &paged);
                    scope.spawn(move || {
                        for case in (0..9000).map(|case| case * 3 + thread) {
                            let which = below(4 * case, files.len());
                            let whole = &files[which].0;
                            let offset = below(4 * case + 1, whole.len() + 9);
                            let longest = if case % 5 == 0 { 9000 } else { 300 };
                            let mut out = vec![0; below(4 * case + 2, longest)];
                            let filled = paged[which].fill(&mut out, offset as u64);
                            match whole.get(offset..).and_then(|rest| rest.get(..out.len())) {
                                Some(expected) => assert!(filled.is_ok() && out == expected, "{case}"),
                                None if out.is_empty() => assert!(filled.is_ok()),
                                None => assert!(filled.is_err(), "{case}"),
                            }
                        }
                    });
                }
            });
        }
    }

    #[test]
    fn what_fits_is_read_once_and_what_does_not_is_bounded() {
        let pages = Pages::within(1 << 22);
        let file = files().swap_remove(0);
        let paged = PagedFile::new(file.clone()).in_pages(pages.as_ref());
        let reads = || file.1.load(Ordering::Relaxed);
        let walk = |paged: &PagedFile| {
            let mut out = [0; 32];
            (0..9000).for_each(|at| paged.fill(&mut out, 32 * at).unwrap());
        };
        walk(&paged);
        // A page each, and the next to know where the file ends: a read that comes short is tried once more.
        let once = reads();
        assert!(once <= 75, "{once} reads of 71 pages");
        walk(&paged);
        assert_eq!(reads(), once);
        let few = Pages::within(SET_BYTES);
        let paged = PagedFile::new(file.clone()).in_pages(few.as_ref());
        walk(&paged);
        let sets = &few.as_ref().unwrap().sets;
        let held: usize = sets.iter().map(|set| set.lock().unwrap().bytes.len()).sum();
        assert_eq!((sets.len(), held), (1, SET_BYTES));
    }

    /// Pages that are asked for all the time stay, whatever else passes.
    #[test]
    fn pages_in_use_stay() {
        let file = files().swap_remove(0);
        let few = Pages::within(SET_BYTES);
        let paged = PagedFile::new(file.clone()).in_pages(few.as_ref());
        let mut out = [0; 8];
        let hot =
            |paged: &PagedFile, out: &mut [u8]| (0..4).for_each(|page| paged.fill(out, page * 4096).unwrap());
        hot(&paged, &mut out);
        for other in 4..73 {
            paged.fill(&mut out, other * 4096).unwrap();
            hot(&paged, &mut out);
        }
        let before = file.1.load(Ordering::Relaxed);
        hot(&paged, &mut out);
        assert_eq!(file.1.load(Ordering::Relaxed), before);
    }

    /// A file that lost its end answers as it does without a memory: what is not there is an error.
    #[test]
    fn a_file_that_was_cut_is_an_error_beyond_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path: &Path = &dir.path().join("file");
        std::fs::write(path, vec![7; 10_000]).unwrap();
        let file = OsDisk.open(path, Access::Write).unwrap();
        file.truncate(9000).unwrap();
        let paged = PagedFile::new(file).in_pages(Pages::within(1 << 20).as_ref());
        let mut out = [0; 100];
        assert!(paged.fill(&mut out, 8950).is_err());
        assert!(paged.fill(&mut out, 8900).is_ok() && out == [7; 100]);
        assert!(paged.fill(&mut out, 8901).is_err());
    }
}
