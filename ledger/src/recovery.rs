//! Makes a log ready for appending, under its lock. Nothing is deleted: a torn tail moves to
//! `torn/`, and whole frames past the durable mark are written again, into a segment of their
//! own, and synced, because the pages that show them may never have reached the disk.
//!
//! The steps, each safe to be cut off at and to be done again:
//!
//! 1. copy the bytes past the mark that are no frame to `torn/`, synced;
//! 2. write the whole frames past the mark to a new segment, synced, then renamed into place;
//! 3. cut the old segment at the mark, synced (a segment ends where the next one begins, so
//!    between 2 and 3 the log already reads right);
//! 4. publish.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::archive::{parse_stub_name, stub_name};
use crate::checkpoints;
use crate::disk::{Access, Disk, DiskFile};
use crate::durable::{self, UNFINISHED, read_full_at};
use crate::error::{Damage, IoContext, LedgerError};
use crate::index::{SealedIndex, SegmentIndex, SegmentTree, Table, index_name, write_index};
use crate::load::{Reading, SegmentFile, Until, open_segment, open_segments, read_segment};
use crate::mark::{MARK_FILE, Mark, MarkFile, MarkReading, read_mark};
use crate::scan::{ChainState, Scan, Step};
use crate::segment::{SEGMENT_HEADER_BYTES, SegmentHeader, segment_name};
use crate::segments::{LOG_DIR, Segment, Segments, read_error};
use proofline_proof::Seq;
use proofline_proof::tree::Frontier;
use proofline_trace::LedgerId;

/// The folder of torn tails in a ledger's folder.
pub const TORN_DIR: &str = "torn";

const COPY_BYTES: usize = 1 << 20;

/// A tail that was no whole frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// Where it is kept, relative to the ledger's folder.
    pub kept_as: String,
    /// Its length in bytes.
    pub size_bytes: u64,
}

/// What opening a ledger for writing had to mend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Tails that were moved aside.
    pub torn: Vec<TornTail>,
    /// Whole entries past the durable mark, written again.
    pub recovered_entries: u64,
    /// Index files of sealed segments, made again.
    pub rebuilt_indexes: u64,
    /// Archivings and restorings that were cut off where the segment and what was to stay of it were
    /// both there: the segment stays.
    pub undone_archivings: u64,
    /// True when the published size was missing or damaged and was made again.
    pub mark_rebuilt: bool,
    /// Payloads that an entry erased and whose bytes, or whose place in the folder, were still open.
    pub redone_erasures: u64,
    /// Unfinished payloads of writers that are gone, removed because something was erased here.
    pub removed_unfinished: u64,
}

impl Recovery {
    /// True when there was nothing to mend.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Recovery::default()
    }

    /// Adds what a later recovery mended.
    pub(crate) fn extend(&mut self, later: Recovery) {
        self.torn.extend(later.torn);
        self.recovered_entries += later.recovered_entries;
        self.rebuilt_indexes += later.rebuilt_indexes;
        self.undone_archivings += later.undone_archivings;
        self.mark_rebuilt |= later.mark_rebuilt;
        self.redone_erasures += later.redone_erasures;
        self.removed_unfinished += later.removed_unfinished;
    }
}

/// A log that is ready for appending.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) segments: Segments,
    pub(crate) ledger_id: LedgerId,
    pub(crate) mark: Mark,
    pub(crate) chain: ChainState,
    pub(crate) recovery: Recovery,
}

/// Settles the log in `dir`. The caller holds the lock. Sealed indexes that `known` has already
/// checked are not read again.
pub(crate) fn settle(
    disk: &dyn Disk,
    dir: &Path,
    known: &HashMap<Seq, SealedIndex>,
) -> Result<Settled, LedgerError> {
    let reading = read_mark(disk, dir).during("read", &dir.join(MARK_FILE))?;
    let files = open_segments(disk, dir, Access::Write)?;
    // Whoever renamed a segment into place may have been killed before it synced the folder.
    let log = dir.join(LOG_DIR);
    disk.sync_dir(&log).during("sync", &log)?;
    let mut settling = Settling { disk, dir, known, recovery: Recovery::default() };
    settling.put_unfinished_aside()?;
    settling.settle(files, reading)
}

struct Settling<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    known: &'a HashMap<Seq, SealedIndex>,
    recovery: Recovery,
}

impl Settling<'_> {
    fn settle(mut self, mut files: Vec<SegmentFile>, reading: MarkReading) -> Result<Settled, LedgerError> {
        let ledger_id = files.first().map_or(LedgerId::from_bytes([0; 16]), |first| first.header.ledger_id);
        let mark = reading.mark.filter(|mark| mark.ledger_id == ledger_id);
        check_mark_against_segments(mark.as_ref(), &files)?;
        let mut last = files.pop().ok_or_else(|| LedgerError::NotALedger(self.dir.to_owned()))?;
        let mut segments = Segments::new(self.dir.to_owned(), Vec::with_capacity(files.len() + 1));
        for (at, file) in files.iter().enumerate() {
            let next = files.get(at + 1).unwrap_or(&last);
            let segment = self.inner_segment(file, next, mark.as_ref(), &segments)?;
            segments.list.push(segment);
        }
        if let Some(mark) = mark.filter(|mark| mark.segment != last.header.first_seq) {
            self.check_mark_inside(&segments, &mark)?;
        }
        self.undo_archivings(&segments)?;
        if last.stub.is_some() || last.sealed_index(self.disk).during("read", &last.path)?.is_some() {
            let message = "the last segment is sealed, so a segment that followed it is missing".to_owned();
            return Err(damaged(last.damage("log.missing_segment", None, message)));
        }
        let floor = mark.filter(|mark| mark.segment == last.header.first_seq);
        let durable = self.durable_part(&last, floor.as_ref())?;
        let durable_end = durable.sound_end;
        let (mut table, mut chain) = (durable.table, durable.chain);
        let tail = self.read_tail(&last, durable_end, chain)?;
        let entries = chain.next.get() + tail.as_ref().map_or(0, |tail| tail.entries);
        if let Some(damage) = checkpoints::cut_below(checkpoints::largest(self.disk, self.dir)?, entries) {
            return Err(damaged(damage));
        }
        if let Some(tail) = tail {
            let tail_frames = tail.entries;
            if let Some(reopened) = self.mend_tail(&last, &table, chain, durable_end, &tail)? {
                if reopened.header.first_seq > last.header.first_seq {
                    let sealed = self.sealed(&last, table, chain, ledger_id, &segments)?;
                    segments.list.push(sealed);
                }
                last = reopened;
            }
            let again = read_segment(&last, Until::Offset(u64::MAX)).during("read", &last.path)?;
            if let Some(damage) = again.damage.into_iter().next() {
                return Err(LedgerError::Damaged(damage));
            }
            (table, chain) = (again.table, again.chain);
            self.recovery.recovered_entries += tail_frames;
        }
        let head = chain.head.ok_or_else(|| LedgerError::NotALedger(self.dir.to_owned()))?;
        let mut settled_mark = Mark {
            generation: reading.mark.map_or(1, |mark| mark.generation),
            ledger_id,
            segment: last.header.first_seq,
            segment_bytes: table.end(),
            entries: chain.next.get(),
            head,
        };
        if reading.damaged || mark != Some(settled_mark) {
            settled_mark.generation += 1;
            self.recovery.mark_rebuilt |= reading.damaged;
            self.publish(&settled_mark, reading.damaged)?;
        }
        let entries = table.count();
        let index = SegmentIndex::Memory(Arc::new(table));
        segments.list.push(Segment::new(last.header, last.file, index, entries));
        Ok(Settled { segments, ledger_id, mark: settled_mark, chain, recovery: self.recovery })
    }

    /// Where both are there, archiving or restoring was cut off. The segment, which was found whole, has
    /// all that the other file has.
    fn undo_archivings(&mut self, segments: &Segments) -> Result<(), LedgerError> {
        let log = self.dir.join(LOG_DIR);
        let names = self.disk.list(&log).during("list", &log)?;
        let mut removed = false;
        for seq in names.iter().filter_map(|name| parse_stub_name(name)) {
            let is_there = |segment: &&Segment| segment.header.first_seq == seq && segment.stub.is_none();
            if segments.list.iter().any(|segment| is_there(&segment)) {
                let path = log.join(stub_name(seq));
                self.disk.remove(&path).during("remove", &path)?;
                self.recovery.undone_archivings += 1;
                removed = true;
            }
        }
        if removed { self.disk.sync_dir(&log).during("sync", &log) } else { Ok(()) }
    }

    /// A file that was never finished holds nothing that was acknowledged; it is kept all the same.
    fn put_unfinished_aside(&mut self) -> Result<(), LedgerError> {
        let log = self.dir.join(LOG_DIR);
        let names = self.disk.list(&log).during("list", &log)?;
        for name in names.iter().filter(|name| name.ends_with(UNFINISHED)) {
            let from = log.join(name);
            let kept_as = self.torn_name(name)?;
            let to = self.dir.join(&kept_as);
            let size_bytes =
                self.disk.open(&from, Access::Read).and_then(|file| file.len()).during("read", &from)?;
            self.disk.rename(&from, &to).during("rename", &from)?;
            self.disk.sync_dir(&log).during("sync", &log)?;
            durable::sync_parent(self.disk, &to).during("sync", &to)?;
            self.recovery.torn.push(TornTail { kept_as, size_bytes });
        }
        Ok(())
    }

    /// A name in `torn/` that is not taken, the folder being made on first use.
    fn torn_name(&self, stem: &str) -> Result<String, LedgerError> {
        let folder = self.dir.join(TORN_DIR);
        self.disk.create_dir(&folder).during("create", &folder)?;
        durable::sync_parent(self.disk, &folder).during("sync", &folder)?;
        let taken = |name: &String| self.disk.exists(&self.dir.join(name));
        let numbered = (1_u32..).map(|number| format!("{TORN_DIR}/{stem}.{number}"));
        Ok(numbered.into_iter().find(|name| !taken(name)).unwrap_or_default())
    }

    /// A segment with another one behind it: durable as a whole, because the next one was only
    /// begun after its last sync.
    fn inner_segment(
        &mut self,
        file: &SegmentFile,
        next: &SegmentFile,
        mark: Option<&Mark>,
        before: &Segments,
    ) -> Result<Segment, LedgerError> {
        let entries = next.header.first_seq.get() - file.header.first_seq.get();
        let length = file.segment_bytes().during("read", &file.path)?;
        let known = self.known.get(&file.header.first_seq).cloned();
        let index = match known {
            Some(index) => Some(index),
            None => file.sealed_index(self.disk).during("read", &file.path)?,
        };
        if let Some(index) = index.filter(|index| {
            u64::from(index.head.count) == entries && Some(index.head.head) == next.header.previous_leaf
        }) {
            if length != index.head.segment_bytes {
                let message = format!(
                    "the segment is {length} bytes long, its index says {}",
                    index.head.segment_bytes
                );
                return Err(damaged(file.damage("log.truncated", Some(length), message)));
            }
            let index = SegmentIndex::Sealed(index);
            return Ok(Segment::of(file, index, entries));
        }
        let reading = read_segment(file, Until::Seq(next.header.first_seq)).during("read", &file.path)?;
        let end = whole_end(file, next, &reading)?;
        if file.stub.is_some() && length != end {
            let message = format!("the archived segment had {length} bytes, its entries have {end}");
            return Err(damaged(file.damage("archive.stub_differs", None, message)));
        }
        if length > end {
            self.check_superseded(file, end, mark)?;
            self.keep_torn(file, end, length)?;
            file.file.truncate(end).and_then(|()| file.file.sync()).during("cut", &file.path)?;
        }
        self.recovery.rebuilt_indexes += 1;
        self.sealed(file, reading.table, reading.chain, file.header.ledger_id, before)
    }

    /// A mark that names an earlier segment is only older than the log, never of another one: the
    /// entries that it published must end where, and in what, it says.
    fn check_mark_inside(&self, segments: &Segments, mark: &Mark) -> Result<(), LedgerError> {
        let name = format!("{LOG_DIR}/{}", segment_name(mark.segment));
        let refuse = |message: String| {
            let (file, offset) = (name.clone(), Some(mark.segment_bytes));
            Err(damaged(Damage { code: "log.head", file, offset, seq: None, message }))
        };
        let Some(last) = mark.entries.checked_sub(1).map(Seq::new) else {
            return refuse("the published size names no entry".to_owned());
        };
        let header = segments.header(last).map_err(|fault| read_error(self.dir, fault))?;
        let head = header.map(|header| header.leaf_hash());
        if head != Some(mark.head) {
            let found = head.map_or("nothing".to_owned(), |head| head.to_string());
            return refuse(format!(
                "{} entries were published ending in {}, and end in {found}",
                mark.entries, mark.head
            ));
        }
        match segments.end_of(last).during("read", self.dir)? {
            Some((segment, end)) if (segment, end) == (mark.segment, mark.segment_bytes) => Ok(()),
            _ => refuse(format!("{} entries were published as ending here, and end elsewhere", mark.entries)),
        }
    }

    /// Bytes behind a segment's end are expected only where a recovery was cut off before its cut.
    fn check_superseded(&self, file: &SegmentFile, end: u64, mark: Option<&Mark>) -> Result<(), LedgerError> {
        let below =
            mark.is_some_and(|mark| mark.segment == file.header.first_seq && mark.segment_bytes > end);
        if below {
            let message = "the next segment begins below the published size".to_owned();
            return Err(damaged(file.damage("log.surplus", Some(end), message)));
        }
        Ok(())
    }

    /// Writes a sealed segment's index and opens it.
    fn sealed(
        &self,
        file: &SegmentFile,
        table: Table,
        chain: ChainState,
        ledger_id: LedgerId,
        before: &Segments,
    ) -> Result<Segment, LedgerError> {
        let (entries, first_seq) = (table.count(), file.header.first_seq);
        let tree = Frontier::read(before, first_seq.get()).map_err(|fault| read_error(self.dir, fault))?;
        seal(self.disk, self.dir, &*file.file, &table, tree, chain, ledger_id)?;
        let sealed = file.sealed_index(self.disk).during("read", &file.path)?;
        let index = sealed.map_or_else(|| SegmentIndex::Memory(Arc::new(table)), SegmentIndex::Sealed);
        Ok(Segment::of(file, index, entries))
    }

    /// The part of the last segment that is known to be durable, which must be whole.
    fn durable_part(&self, last: &SegmentFile, mark: Option<&Mark>) -> Result<Reading, LedgerError> {
        let floor = mark.map_or(SEGMENT_HEADER_BYTES as u64, |mark| mark.segment_bytes);
        let length = last.file.len().during("read", &last.path)?;
        if length < floor {
            let message = format!("the segment is {length} bytes long; {floor} were made durable");
            return Err(damaged(last.damage("log.truncated", Some(length), message)));
        }
        let reading = read_segment(last, Until::Offset(floor)).during("read", &last.path)?;
        if let Some(damage) = reading.damage.into_iter().next() {
            return Err(damaged(damage));
        }
        if let Some(mark) = mark
            && (reading.chain.next.get(), reading.chain.head) != (mark.entries, Some(mark.head))
        {
            let found = reading.chain.head.map_or("nothing".to_owned(), |head| head.to_string());
            let message = format!(
                "the published size names {} entries ending in {}, the log has {} there ending in {found}",
                mark.entries, mark.head, reading.chain.next
            );
            return Err(damaged(last.damage("log.head", Some(floor), message)));
        }
        Ok(Reading { damage: Vec::new(), ..reading })
    }

    fn read_tail(
        &self,
        last: &SegmentFile,
        from: u64,
        chain: ChainState,
    ) -> Result<Option<Tail>, LedgerError> {
        let length = last.file.len().during("read", &last.path)?;
        if length == from {
            return Ok(None);
        }
        let first = last.header.first_seq;
        let mut scan =
            Scan::new(Arc::clone(&last.file), first, from, length, chain).during("read", &last.path)?;
        let mut tail = Tail { entries: 0, sound_end: from, end: length };
        while let Step::Entry(found) = scan.step().during("read", &last.path)? {
            if found.damage.is_some() {
                break;
            }
            tail.entries += 1;
            tail.sound_end = scan.position();
        }
        Ok(Some(tail))
    }

    /// Steps 1 to 3; returns the segment that is the last one now, if it is another one.
    fn mend_tail(
        &mut self,
        last: &SegmentFile,
        table: &Table,
        chain: ChainState,
        durable_end: u64,
        tail: &Tail,
    ) -> Result<Option<SegmentFile>, LedgerError> {
        if tail.end > tail.sound_end {
            self.keep_torn(last, tail.sound_end, tail.end)?;
        }
        let cut =
            |end: u64| last.file.truncate(end).and_then(|()| last.file.sync()).during("cut", &last.path);
        if tail.entries == 0 {
            cut(durable_end)?;
            return Ok(None);
        }
        let header = if table.count() == 0 {
            last.header
        } else {
            SegmentHeader { first_seq: chain.next, previous_leaf: chain.head, ..last.header }
        };
        let path = self.dir.join(LOG_DIR).join(segment_name(header.first_seq));
        durable::write_file(self.disk, &path, |file| {
            file.write_all_at(&header.encode(), 0)?;
            copy(&*last.file, durable_end, tail.sound_end, file, SEGMENT_HEADER_BYTES as u64)
        })
        .during("write", &path)?;
        if table.count() > 0 {
            cut(durable_end)?;
        }
        open_segment(self.disk, self.dir, header.first_seq, Access::Write).map(Some)
    }

    fn keep_torn(&mut self, file: &SegmentFile, from: u64, to: u64) -> Result<(), LedgerError> {
        let kept_as = self.torn_name(&format!("{}-{from}", segment_name(file.header.first_seq)))?;
        let path = self.dir.join(&kept_as);
        durable::write_file(self.disk, &path, |torn| copy(&*file.file, from, to, torn, 0))
            .during("write", &path)?;
        self.recovery.torn.push(TornTail { kept_as, size_bytes: to - from });
        Ok(())
    }

    fn publish(&self, mark: &Mark, damaged: bool) -> Result<(), LedgerError> {
        let path = self.dir.join(MARK_FILE);
        if damaged {
            return MarkFile::create(self.disk, self.dir, mark).map(|_| ()).during("write", &path);
        }
        MarkFile::open(self.disk, self.dir).and_then(|file| file.publish(mark)).during("write", &path)
    }
}

/// What lies past the durable mark in the last segment.
struct Tail {
    entries: u64,
    sound_end: u64,
    end: u64,
}

fn damaged(damage: Damage) -> LedgerError {
    LedgerError::Damaged(damage)
}

fn check_mark_against_segments(mark: Option<&Mark>, files: &[SegmentFile]) -> Result<(), LedgerError> {
    let (Some(mark), Some(last)) = (mark, files.last()) else { return Ok(()) };
    let missing = |message: String| {
        LedgerError::Damaged(Damage {
            code: "log.missing_segment",
            file: format!("{LOG_DIR}/{}", segment_name(mark.segment)),
            offset: None,
            seq: Some(mark.segment),
            message,
        })
    };
    if !files.iter().any(|file| file.header.first_seq == mark.segment) {
        return Err(missing("the published size names this segment, which is not there".to_owned()));
    }
    let behind = last.header.first_seq > mark.segment && last.header.first_seq.get() < mark.entries;
    if behind {
        return Err(missing(format!(
            "{} entries were published; a later segment begins below",
            mark.entries
        )));
    }
    Ok(())
}

/// Where a segment's last entry ends: it must be whole and lead to the next segment.
fn whole_end(file: &SegmentFile, next: &SegmentFile, reading: &Reading) -> Result<u64, LedgerError> {
    if let Some(damage) = reading.damage.first() {
        return Err(damaged(damage.clone()));
    }
    let chain = reading.chain;
    if chain.next != next.header.first_seq {
        let message =
            format!("the segment ends with {} entries before entry {}", chain.next, next.header.first_seq);
        return Err(damaged(file.damage("log.truncated", Some(reading.sound_end), message)));
    }
    if chain.head != next.header.previous_leaf {
        let message = "the segment does not link to the last entry of the one before".to_owned();
        return Err(damaged(next.damage("log.link", Some(40), message)));
    }
    Ok(reading.table.end())
}

/// Writes the index of a segment that will not grow any more; `before` is the tree of the entries
/// before it. The index names the segment's
/// length, so the segment is synced first: a cut of its tail may not have reached the disk yet.
pub(crate) fn seal(
    disk: &dyn Disk,
    dir: &Path,
    file: &dyn DiskFile,
    table: &Table,
    mut before: Frontier,
    chain: ChainState,
    ledger_id: LedgerId,
) -> Result<(), LedgerError> {
    let first_seq = Seq::new(before.size());
    let path = dir.join(LOG_DIR).join(index_name(first_seq));
    let encoded = chain.head.and_then(|head| table.encode(ledger_id, first_seq, head));
    let (Some(mut bytes), Some(leaves)) = (encoded, table.leaves(table.count())) else { return Ok(()) };
    bytes.extend(SegmentTree::build(&leaves, &mut before).encode());
    file.sync().during("sync", &dir.join(LOG_DIR).join(segment_name(first_seq)))?;
    write_index(disk, &path, &bytes).during("write", &path)
}

pub(crate) fn copy(from: &dyn DiskFile, start: u64, end: u64, to: &dyn DiskFile, at: u64) -> io::Result<()> {
    let mut chunk = vec![0; COPY_BYTES];
    let mut done = start;
    while done < end {
        let wanted = usize::try_from(end - done).unwrap_or(COPY_BYTES).min(COPY_BYTES);
        let count = read_full_at(from, chunk.get_mut(..wanted).unwrap_or_default(), done)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all_at(chunk.get(..count).unwrap_or_default(), at + (done - start))?;
        done += count as u64;
    }
    Ok(())
}
