//! The log as its writer sees it: catches up with other processes, decides a group of records
//! in sequence order, appends it with one sync, and publishes.
//!
//! The calls of a commit, in order: lock; read the mark; (catch up;) (begin a new segment: write
//! and sync its file, rename it, sync the folder;) write the group's frames; sync; write the
//! mark; (remove the bytes of what the group erases;) unlock. Only then does anyone hear of the group.
//!
//! The files of the lock and of the mark stay open between two groups as long as their names are
//! theirs. While a large group is synced its index entries are made: they are in memory alone, and a
//! writer whose sync failed looks at nothing any more.

mod batch;
mod erasing;
mod given;
mod lock;
mod verdicts;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use proofline_trace::{EnvelopeHash, TraceId, TraceIndexRecord};

use crate::action::{Options, Outcome};
use crate::artifact::SealedArtifact;
use crate::cache::Cache;
use crate::disk::{Access, Disk, DiskFile};
use crate::durable;
use crate::error::{ArtifactRefusal, IoContext, LedgerError};
use crate::frame::FRAME_OVERHEAD_BYTES;
use crate::gate::{Examined, Facts};
use crate::index::{SealedIndex, SegmentIndex, Table};
use crate::load::{file_name, open_segment};
use crate::mark::{MARK_FILE, Mark, MarkFile, MarkReading};
use crate::recovery::{Recovery, Settled, seal, settle};
use crate::scan::{ChainState, Scan, Step};
use crate::segment::{SEGMENT_HEADER_BYTES, SegmentHeader, segment_name};
use crate::segments::{EntryFault, LOG_DIR, Segment, Segments, read_error};
use crate::system::SealedSystem;
use crate::turns::Group;
use proofline_proof::header::{DeclaredHash, EntryKind, FORMAT_VERSION, MAX_HEADER_BYTES};
use proofline_proof::tree::Frontier;
use proofline_proof::{KeyRole, Seq};
use proofline_trace::LedgerId;

use batch::{Batch, Plan, Planned};
pub(crate) use erasing::{failed as failed_erasure, redo_erasures};
pub(crate) use given::{Belief, Given, GivenError, Unfit};
pub(crate) use lock::LOCK_FILE;
use lock::LogLock;

/// How many records' facts, and how many traces' ends, a writer remembers.
const CACHED_ENTRIES: usize = 1 << 16;

/// Groups of at least so many entries are indexed while they are synced; a thread is not worth it for fewer.
const INDEXED_BESIDE_ENTRIES: usize = 256;

/// A buffer that grew beyond this for one group is not kept for the next.
const KEPT_BUFFER_BYTES: usize = 32 << 20;

/// One thing to append, examined, with the clock of whoever brought it.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) what: Examinee,
    pub(crate) recorded_at_ms: u64,
}

#[derive(Debug)]
pub(crate) enum Examinee {
    /// Without a declared hash where that is the text of the right one.
    Evidence {
        examined: Box<Examined>,
        declared: Option<DeclaredHash>,
    },
    Artifact(Result<Box<SealedArtifact>, ArtifactRefusal>),
    System(Result<Box<SealedSystem>, ArtifactRefusal>),
}

/// The log, open for appending.
#[derive(Debug)]
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segments: Segments,
    ledger_id: LedgerId,
    lock: LogLock,
    /// The mark's file, once it was opened; whether it is still in place is asked for each group.
    mark_file: Option<MarkFile>,
    mark: Mark,
    recorded_at_ms: u64,
    facts: RefCell<Cache<EnvelopeHash, Facts>>,
    trace_ends: Cache<TraceId, (Seq, u64)>,
    poisoned: Option<String>,
    /// True while a group is on its way; it stays so when a thread panics there.
    is_at_work: bool,
    /// Whether another thread may sync while this one indexes.
    syncs_beside: bool,
    /// The last group's buffers, emptied.
    spare: Buffers,
    /// The open segment before which all entries are known to be covered by index entries.
    indexed_before: Option<Seq>,
    /// Records decided since the log was opened, each of which asks whether it is there already.
    questions: u64,
    /// True while system entries of others may name payloads whose bytes are still there.
    owes_erasures: bool,
    pub(crate) recovery: Recovery,
}

impl Log {
    /// Opens the log in `dir`, mending what a crash left.
    pub(crate) fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, LedgerError> {
        crate::load::segment_seqs(&*disk, dir)?; // no lock file appears where there is no ledger
        let mut lock = LogLock::of(Arc::clone(&disk), dir);
        let _held = lock.take()?;
        let settled = settle(&*disk, dir, &HashMap::new())?;
        let mut log = Log {
            disk,
            dir: dir.to_owned(),
            segments: Segments::new(dir.to_owned(), Vec::new()),
            ledger_id: settled.ledger_id,
            lock,
            mark_file: None,
            mark: settled.mark,
            recorded_at_ms: 0,
            facts: RefCell::new(Cache::new(CACHED_ENTRIES)),
            trace_ends: Cache::new(CACHED_ENTRIES),
            poisoned: None,
            is_at_work: false,
            syncs_beside: true,
            spare: Buffers::default(),
            indexed_before: None,
            questions: 0,
            owes_erasures: false,
            recovery: Recovery::default(),
        };
        log.take(settled)?;
        log.redo_erasures()?;
        Ok(log)
    }

    fn take(&mut self, settled: Settled) -> Result<(), LedgerError> {
        self.recovery.extend(settled.recovery);
        let is_fresh = settled.segments.list.last().is_some_and(|last| last.entries == 0);
        let mut recorded_at_ms = settled.chain.recorded_at_ms;
        if is_fresh && let Some(last) = settled.mark.entries.checked_sub(1) {
            let header =
                settled.segments.header(Seq::new(last)).map_err(|fault| read_error(&self.dir, fault))?;
            recorded_at_ms = header.map_or(0, |header| header.recorded_at_ms);
        }
        // Nothing fails from here on: a mark taken in without its clock would let the clock go back.
        self.segments = settled.segments;
        self.mark_file = None; // the mark may be in another file now
        self.mark = settled.mark;
        self.recorded_at_ms = recorded_at_ms;
        self.facts.get_mut().clear();
        self.trace_ends.clear();
        self.owes_erasures = true;
        Ok(())
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn segments(&self) -> &Segments {
        &self.segments
    }

    pub(crate) fn ledger_id(&self) -> LedgerId {
        self.ledger_id
    }

    /// Whether a thread beside that of the caller may be used.
    pub(crate) fn set_syncs_beside(&mut self, syncs_beside: bool) {
        self.syncs_beside = syncs_beside;
    }

    /// The format version of the ledger, which it keeps.
    fn format(&self) -> u32 {
        self.segments.list.last().map_or(FORMAT_VERSION, |last| last.header.format)
    }

    /// Entries made durable so far, as far as this writer has seen.
    pub(crate) fn entries(&self) -> u64 {
        self.mark.entries
    }

    /// Decides and appends a group; returns when what was appended is durable.
    ///
    /// A failure before the first write leaves the log as it was. After a failed write or sync
    /// nobody knows what the disk holds, and the writer refuses all further work.
    pub(crate) fn commit(
        &mut self,
        group: &mut Group<'_, Pending, Outcome>,
        options: &Options,
    ) -> Result<Vec<Outcome>, LedgerError> {
        self.at_work(|log| log.decide_and_append(group, options))
    }

    /// Takes in what others appended, as a group does first.
    pub(crate) fn follow_others(&mut self) -> Result<(), LedgerError> {
        self.at_work(|log| {
            let _held = log.lock.take()?;
            log.catch_up()
        })
    }

    /// Work on the log, by one that is not out. A panic in the middle of it, of a disk that an embedder brought, is as
    /// a failed write: nobody knows how far it got.
    fn at_work<T, E: From<LedgerError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.is_at_work {
            self.poisoned = Some("a thread that wrote to it panicked".to_owned());
            self.is_at_work = false;
        }
        if let Some(because) = &self.poisoned {
            return Err(LedgerError::Poisoned(because.clone()).into());
        }
        self.is_at_work = true;
        let result = work(self);
        self.is_at_work = false;
        result
    }

    fn decide_and_append(
        &mut self,
        group: &mut Group<'_, Pending, Outcome>,
        options: &Options,
    ) -> Result<Vec<Outcome>, LedgerError> {
        let _held = self.lock.take()?;
        self.catch_up()?;
        if self.owes_erasures {
            self.redo_erasures()?;
        }
        self.cover()?;
        let due = self.index_due()?;
        let mut batch = Batch::new(self);
        due.iter().try_for_each(|record| batch.append_index(record))?;
        let mut outcomes = Vec::new();
        while let Some(items) = group.next_items() {
            for pending in items {
                outcomes.push(batch.decide(pending)?);
            }
        }
        let plan = batch.plan;
        self.write(plan, options)?;
        self.questions = self.questions.saturating_add(outcomes.len() as u64);
        Ok(outcomes)
    }

    /// Makes the filter over sealed segments once it is worth it. Before anything is written: an index that cannot be
    /// read
    /// ends the group, as it does where it is asked; one that is not what it was when it was opened is asked as before.
    fn cover(&mut self) -> Result<(), LedgerError> {
        match self.segments.cover_after(self.questions) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.questions = 0;
                Ok(())
            }
            covered => covered.map_err(|error| read_error(&self.dir, error.into())),
        }
    }

    /// Ends the log with an index entry, unless it does already; returns how many entries it then has.
    pub(crate) fn end_with_index(&mut self, options: &Options) -> Result<u64, LedgerError> {
        self.at_work(|log| log.append_last_index(options))
    }

    fn append_last_index(&mut self, options: &Options) -> Result<u64, LedgerError> {
        let _held = self.lock.take()?;
        self.catch_up()?;
        let end = Seq::new(self.mark.entries);
        let failed = |fault| read_error(&self.dir, fault);
        let last = self.segments.last_index_entry(end).map_err(failed)?;
        if last.is_none_or(|last| last.seq.next() != end) {
            let record = self.segments.index_record(end).map_err(failed)?;
            let mut batch = Batch::new(self);
            batch.append_index(&record)?;
            let plan = batch.plan;
            self.write(plan, options)?;
        }
        Ok(self.mark.entries)
    }

    /// The index entry that is due because a segment was sealed that none covers to its end. Where no log
    /// key is listed nobody can sign what it says, and none is due.
    fn index_due(&mut self) -> Result<Option<TraceIndexRecord>, LedgerError> {
        let open = self.last()?.header.first_seq;
        if open == Seq::GENESIS || self.indexed_before == Some(open) {
            return Ok(None);
        }
        let end = Seq::new(self.mark.entries);
        let last = self.segments.last_index_entry(end);
        let covered = last.as_ref().is_ok_and(|last| last.as_ref().is_some_and(|it| it.seq.next() >= open));
        let record = match last {
            Ok(_) if covered => Ok(None),
            Ok(_) => self.record_to_sign(end),
            Err(fault) => Err(fault),
        };
        match record {
            Ok(Some(record)) => Ok(Some(record)),
            Ok(None) => {
                self.indexed_before = Some(open);
                Ok(None)
            }
            // Evidence comes in all the same; no checkpoint is signed until the damage is mended.
            Err(EntryFault::Damaged(_)) => {
                self.indexed_before = Some(open);
                Ok(None)
            }
            Err(fault) => Err(read_error(&self.dir, fault)),
        }
    }

    fn record_to_sign(&self, end: Seq) -> Result<Option<TraceIndexRecord>, EntryFault> {
        let can_sign = self.segments.key_list()?.current(KeyRole::Log, end.get()).next().is_some();
        can_sign.then(|| self.segments.index_record(end)).transpose()
    }

    /// Appends what was planned, if anything was, and then takes the bytes of what it erases.
    fn write(&mut self, mut plan: Plan, options: &Options) -> Result<(), LedgerError> {
        let erased = std::mem::take(&mut plan.erased);
        let appended = if plan.entries.is_empty() { Ok(()) } else { self.append(plan, options) };
        if let Err(error) = appended.and_then(|()| self.erase(&erased)) {
            self.poisoned = Some(error.to_string());
            return Err(error);
        }
        Ok(())
    }

    /// Takes in what other processes appended, and mends what one of them left unfinished.
    fn catch_up(&mut self) -> Result<(), LedgerError> {
        let mark = match self.read_mark() {
            Ok(reading) if !reading.damaged => reading.mark,
            Ok(_) => None,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).during("read", &self.dir.join(MARK_FILE)),
        };
        let Some(mark) = mark else { return self.resettle() };
        if mark != self.mark && !self.follow(&mark)? {
            return self.resettle();
        }
        if self.has_tail()? { self.resettle() } else { Ok(()) }
    }

    /// Reads the mark, through the file that is open as long as it is the one in place.
    fn read_mark(&mut self) -> io::Result<MarkReading> {
        let kept = match self.mark_file.take() {
            Some(file) if file.is_in_place(&self.dir)? => Some(file),
            _ => None,
        };
        let file = kept.map_or_else(|| MarkFile::open(&*self.disk, &self.dir), Ok)?;
        let reading = file.read();
        self.mark_file = Some(file);
        reading
    }

    /// Names a later mark. The file is the one in place: it was asked for under the same lock.
    fn publish(&mut self, mark: &Mark) -> io::Result<()> {
        let file = self.mark_file.take();
        let file = file.map_or_else(|| MarkFile::open(&*self.disk, &self.dir), Ok)?;
        file.publish(mark)?;
        self.mark_file = Some(file);
        Ok(())
    }

    /// Reads the frames that another process published; false when that takes a full look.
    fn follow(&mut self, mark: &Mark) -> Result<bool, LedgerError> {
        let last = self.last()?;
        let same_segment =
            mark.segment == last.header.first_seq && mark.segment_bytes > self.mark.segment_bytes;
        if mark.ledger_id != self.ledger_id || !same_segment {
            return Ok(false);
        }
        // The file may have been written anew by a recovery: open it by name again.
        let reopened = open_segment(&*self.disk, &self.dir, mark.segment, Access::Write)?;
        let chain = ChainState {
            next: Seq::new(self.mark.entries),
            head: Some(self.mark.head),
            recorded_at_ms: self.recorded_at_ms,
        };
        let scan = Scan::new(
            Arc::clone(&reopened.file),
            mark.segment,
            self.mark.segment_bytes,
            mark.segment_bytes,
            chain,
        );
        let mut scan = scan.during("read", &reopened.path)?;
        let last = self.segments.list.last_mut().ok_or_else(|| LedgerError::NotALedger(self.dir.clone()))?;
        last.file = reopened.file;
        let first_seq = last.header.first_seq;
        let table = open_table(last)?;
        loop {
            match scan.step().during("read", &reopened.path)? {
                Step::End => break,
                Step::Entry(found) if found.damage.is_none() => {
                    self.owes_erasures |= found.header.status.kind() == EntryKind::System;
                    let (ordinal, offset) = place_in(first_seq, found.header.seq, found.offset)?;
                    table.insert(ordinal, offset, found.frame_bytes, &found.header, found.leaf);
                    if let Some(link) = &found.header.trace {
                        self.trace_ends.put(link.trace_id, (found.header.seq, link.count));
                    }
                }
                Step::Entry(_) | Step::Gap(_) => return Ok(false),
            }
        }
        last.entries = table.count();
        last.forget_tree();
        let chain = scan.chain();
        if (chain.next.get(), chain.head) != (mark.entries, Some(mark.head)) {
            return Ok(false);
        }
        self.recorded_at_ms = chain.recorded_at_ms;
        self.mark = *mark;
        Ok(true)
    }

    /// True when somebody wrote past the mark and did not live to publish it.
    fn has_tail(&self) -> Result<bool, LedgerError> {
        let last = self.last()?;
        let length = last.file.len().during_at("read", || self.dir.join(last.file_name()))?;
        if length != self.mark.segment_bytes {
            return Ok(true);
        }
        let next = Seq::new(self.mark.entries);
        Ok(next != last.header.first_seq
            && self.disk.exists(&self.dir.join(LOG_DIR).join(segment_name(next))))
    }

    fn resettle(&mut self) -> Result<(), LedgerError> {
        let known: HashMap<Seq, SealedIndex> = self
            .segments
            .list
            .iter()
            .filter_map(|segment| match &segment.index {
                SegmentIndex::Sealed(index) => Some((segment.header.first_seq, index.clone())),
                SegmentIndex::Memory(_) => None,
            })
            .collect();
        let settled = settle(&*self.disk, &self.dir, &known)?;
        self.take(settled)
    }

    fn last(&self) -> Result<&Segment, LedgerError> {
        self.segments.list.last().ok_or_else(|| LedgerError::NotALedger(self.dir.clone()))
    }

    fn append(&mut self, mut plan: Plan, options: &Options) -> Result<(), LedgerError> {
        let bytes = std::mem::take(&mut plan.bytes);
        let too_long = self.mark.segment_bytes + bytes.len() as u64 > options.segment_bytes;
        if too_long && self.mark.segment_bytes > SEGMENT_HEADER_BYTES as u64 {
            self.begin_segment()?;
        }
        let start = self.mark.segment_bytes;
        let syncs_beside = self.syncs_beside && plan.entries.len() >= INDEXED_BESIDE_ENTRIES;
        let last = self.segments.list.last_mut().ok_or_else(|| LedgerError::NotALedger(self.dir.clone()))?;
        let (first_seq, is_archived) = (last.header.first_seq, last.stub.is_some());
        let path = || self.dir.join(LOG_DIR).join(file_name(first_seq, is_archived));
        last.file.write_all_at(&bytes, start).during_at("write", path)?;
        let file = Arc::clone(&last.file);
        let mut index = || index_entries(last, start, &plan.entries);
        let (synced, indexed) =
            if syncs_beside { sync_beside(&*file, index) } else { (file.sync(), index()) };
        synced.during_at("sync", path)?;
        indexed?;
        let mark = Mark {
            generation: self.mark.generation + 1,
            ledger_id: self.ledger_id,
            segment: first_seq,
            segment_bytes: start + bytes.len() as u64,
            entries: plan.chain.next.get(),
            head: plan.chain.head.unwrap_or(self.mark.head),
        };
        self.mark = mark;
        self.publish(&mark).during_at("write", || self.dir.join(MARK_FILE))?;
        self.recorded_at_ms = plan.chain.recorded_at_ms;
        let known = self.facts.get_mut();
        plan.facts.drain().for_each(|(hash, facts)| known.put(hash, facts));
        plan.trace_ends.drain().for_each(|(trace, end)| self.trace_ends.put(trace, end));
        self.spare = Buffers { bytes, entries: plan.entries, facts: plan.facts, trace_ends: plan.trace_ends };
        self.spare.empty();
        Ok(())
    }

    /// Seals the open segment's index and begins a new segment, durable before it holds anything.
    fn begin_segment(&mut self) -> Result<(), LedgerError> {
        let header = SegmentHeader {
            first_seq: Seq::new(self.mark.entries),
            previous_leaf: Some(self.mark.head),
            ..self.last()?.header
        };
        let path = self.dir.join(LOG_DIR).join(segment_name(header.first_seq));
        let written = durable::write_file(&*self.disk, &path, |file| file.write_all_at(&header.encode(), 0));
        let file = written.during("write", &path)?;
        let chain = ChainState {
            next: header.first_seq,
            head: Some(self.mark.head),
            recorded_at_ms: self.recorded_at_ms,
        };
        let first_seq = self.last()?.header.first_seq;
        let before = Frontier::read(&self.segments, first_seq.get());
        let before = before.map_err(|fault| read_error(&self.dir, fault))?;
        let last = self.segments.list.last_mut().ok_or_else(|| LedgerError::NotALedger(self.dir.clone()))?;
        let (disk, dir) = (&*self.disk, &self.dir);
        let sealed_file = Arc::clone(&last.file);
        seal(disk, dir, &*sealed_file, open_table(last)?, before, chain, self.ledger_id)?;
        let index_path = dir.join(LOG_DIR).join(crate::index::index_name(first_seq));
        let sealed =
            SealedIndex::open(disk, &index_path, self.ledger_id, first_seq).during("read", &index_path)?;
        let in_memory = last.index.clone();
        if let Some(index) = sealed {
            last.index = SegmentIndex::Sealed(index);
        }
        self.segments.cover_last(&in_memory);
        let index = SegmentIndex::Memory(Arc::new(Table::new(SEGMENT_HEADER_BYTES as u64)));
        self.segments.list.push(Segment::new(header, file, index, 0));
        self.mark.segment = header.first_seq;
        self.mark.segment_bytes = SEGMENT_HEADER_BYTES as u64;
        Ok(())
    }
}

/// What one group after the other fills: they keep their memory.
#[derive(Debug, Default)]
struct Buffers {
    bytes: Vec<u8>,
    entries: Vec<Planned>,
    facts: HashMap<EnvelopeHash, Facts>,
    trace_ends: HashMap<TraceId, (Seq, u64)>,
}

impl Buffers {
    fn empty(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.facts.clear();
        self.trace_ends.clear();
        if self.bytes.capacity() > KEPT_BUFFER_BYTES {
            *self = Buffers::default();
        }
    }
}

/// Takes a group's entries into the index of the open segment.
fn index_entries(segment: &mut Segment, start: u64, entries: &[Planned]) -> Result<(), LedgerError> {
    let first_seq = segment.header.first_seq;
    let table = open_table(segment)?;
    for entry in entries {
        let (ordinal, offset) = place_in(first_seq, entry.header.seq, start + entry.offset)?;
        table.insert(ordinal, offset, entry.frame_bytes, &entry.header, entry.leaf);
    }
    let count = table.count();
    segment.entries = count;
    segment.forget_tree();
    Ok(())
}

/// Does something while another thread waits for the disk.
fn sync_beside<T>(file: &dyn DiskFile, meanwhile: impl FnOnce() -> T) -> (io::Result<()>, T) {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("sync".to_owned());
        let Ok(syncing) = thread.spawn_scoped(scope, || file.sync()) else {
            return (file.sync(), meanwhile());
        };
        let done = meanwhile();
        (syncing.join().unwrap_or_else(|panicked| std::panic::resume_unwind(panicked)), done)
    })
}

/// The index of the open segment, which is in memory; only the writer holds it.
fn open_table(segment: &mut Segment) -> Result<&mut Table, LedgerError> {
    match &mut segment.index {
        SegmentIndex::Memory(table) => Ok(Arc::make_mut(table)),
        SegmentIndex::Sealed(_) => {
            Err(LedgerError::Poisoned("the open segment was taken for a sealed one".to_owned()))
        }
    }
}

/// An entry's ordinal and offset as an index stores them.
fn place_in(first_seq: Seq, seq: Seq, offset: u64) -> Result<(u32, u32), LedgerError> {
    let ordinal = u32::try_from(seq.get().saturating_sub(first_seq.get()));
    let option =
        |found| LedgerError::Option { option: "segment_bytes", found, least: 0, most: u64::from(u32::MAX) };
    match (ordinal, u32::try_from(offset)) {
        (Ok(ordinal), Ok(offset)) => Ok((ordinal, offset)),
        _ => Err(option(offset)),
    }
}

impl Log {
    /// A trace's last entry and its count there.
    fn trace_end(&self, trace_id: TraceId) -> Result<Option<(Seq, u64)>, LedgerError> {
        let failed = |fault| read_error(&self.dir, fault);
        let Some(seq) = self.segments.last_of_trace(trace_id).map_err(EntryFault::Io).map_err(failed)? else {
            return Ok(None);
        };
        let header = self.segments.header(seq).map_err(failed)?;
        Ok(header.and_then(|header| header.trace).map(|link| (seq, link.count)))
    }

    fn stored_facts(&self, hash: &EnvelopeHash) -> Result<Option<Facts>, EntryFault> {
        self.segments.facts(hash)
    }
}

/// An upper bound of what a body of this length takes in the log.
pub(crate) const fn frame_bound(body_bytes: usize) -> usize {
    FRAME_OVERHEAD_BYTES + MAX_HEADER_BYTES + body_bytes
}
