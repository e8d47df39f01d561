//! A fixed prefix of a ledger for reading: in this process or another, while others append.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use proofline_trace::{Envelope, EnvelopeHash, TraceId, Unhashed, read_unhashed};

use crate::archive::{ArchivedSegment, WithArchives};
use crate::checkpoints;
use crate::disk::{Access, Disk, OsDisk};
use crate::error::{Damage, IoContext, LedgerError};
use crate::frame::MAX_BODY_BYTES;
use crate::gate::{AcceptedRecords, Facts};
use crate::index::{SealedIndex, SegmentIndex};
use crate::load::{Reading, SegmentFile, Until, open_segments, read_segment};
use crate::mark::{MARK_FILE, Mark, MarkReading, read_mark};
use crate::segment::segment_name;
use crate::segments::{Entry, EntryFault, ListedHash, Segment, Segments};
use crate::tree::{Edges, TreeError};
use proofline_proof::header::{EntryHeader, EntryKind};
use proofline_proof::{LeafHash, Seq};
use proofline_trace::LedgerId;

/// What the end of a prefix rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LogEnd {
    /// The published size: the log is at least as long as its writer said.
    Published,
    /// The published size is missing or damaged: entries may have been cut off at the end, and
    /// nothing here would show it.
    NotAnchored,
}

impl LogEnd {
    /// The end's name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            LogEnd::Published => "published",
            LogEnd::NotAnchored => "not_anchored",
        }
    }
}

impl fmt::Display for LogEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogEnd::Published => "anchored by the published size",
            LogEnd::NotAnchored => "end not anchored",
        })
    }
}

/// How many bytes of index files a snapshot keeps in memory at most, unless told otherwise: what look-ups in a
/// million entries need.
pub const INDEX_CACHE_BYTES: usize = 32 << 20;

/// A fixed prefix of a ledger. Cheap to clone; safe to share between threads.
#[derive(Clone, Debug)]
pub struct Snapshot {
    segments: Segments,
    ledger_id: LedgerId,
    entries: u64,
    head: Option<LeafHash>,
    end: LogEnd,
    damage: Vec<Damage>,
    derived: Vec<Damage>,
    /// What proofs over the whole prefix share.
    edges: Arc<OnceLock<Edges>>,
}

impl Snapshot {
    /// Opens the ledger in `dir` for reading, up to its published size.
    ///
    /// Damage inside the log does not prevent this; [`Snapshot::damage`] lists what opening
    /// came upon, and reading a damaged entry says so.
    ///
    /// # Errors
    /// When there is no ledger, it is of a newer format, or a segment is missing or has no
    /// readable header.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, LedgerError> {
        Self::open_on(&OsDisk, dir.as_ref())
    }

    /// [`Snapshot::open`] on another [`Disk`].
    ///
    /// # Errors
    /// As [`Snapshot::open`].
    pub fn open_on(disk: &dyn Disk, dir: &Path) -> Result<Self, LedgerError> {
        // In this order: whatever a writer begins after the mark was read lies behind its end, and what
        // was signed before lies within it.
        let checkpointed = checkpoints::largest(disk, dir)?;
        let reading = read_mark(disk, dir).during("read", &dir.join(MARK_FILE))?;
        let files = open_segments(disk, dir, Access::Read)?;
        Opening { disk, dir, checkpointed, reading, derived: Vec::new(), damage: Vec::new() }.finish(files)
    }

    /// [`Snapshot::open`], with the segments of archives as if they were in place.
    ///
    /// # Errors
    /// As [`Snapshot::open`], and [`LedgerError::Archive`] for a folder that is no archive of this ledger.
    pub fn open_with_archives(dir: impl AsRef<Path>, archives: &[PathBuf]) -> Result<Self, LedgerError> {
        let dir = dir.as_ref();
        Self::open_on(&WithArchives::open(&OsDisk, dir, archives)?, dir)
    }

    /// The first `size` entries alone, as who opened the ledger at that size saw them: what was appended
    /// since is not there, in no list and for no look-up. Nothing is read again, so that derived files
    /// and the damage that opening came upon are those of the whole.
    ///
    /// # Errors
    /// [`TreeError::PastEnd`] for more entries than there are, or none; else the system's answer. Of a last entry that
    /// is damaged the leaf is not known.
    pub fn at(&self, size: u64) -> Result<Self, TreeError> {
        if size == self.entries {
            return Ok(self.clone());
        }
        if size == 0 || size > self.entries {
            return Err(TreeError::PastEnd { size, entries: self.entries });
        }
        let list = self.segments.list.iter().filter(|segment| segment.header.first_seq.get() < size);
        let list = list.map(|segment| segment.clone().cut_at(size)).collect();
        let head = match self.tree().leaf(Seq::new(size - 1)) {
            Ok(leaf) => Some(leaf),
            Err(TreeError::Entry(EntryFault::Damaged(_))) => None,
            Err(error) => return Err(error),
        };
        let is_within = |damage: &&Damage| damage.seq.is_none_or(|seq| seq.get() < size);
        Ok(Self {
            segments: Segments::new(self.segments.dir.clone(), list),
            entries: size,
            head,
            damage: self.damage.iter().filter(is_within).cloned().collect(),
            edges: Arc::default(),
            ..self.clone()
        })
    }

    /// The same prefix with a memory of its own for pages of index files, of at most so many bytes, or none for 0. A
    /// snapshot has one of [`INDEX_CACHE_BYTES`] from the start, and shares it with its clones. It fills as entries
    /// are looked up; what is found is the same with any.
    #[must_use]
    pub fn with_index_cache(mut self, bytes: usize) -> Self {
        self.segments.remember_pages(bytes);
        self
    }

    /// What is archived, in order, archives that were brought aside.
    #[must_use]
    pub fn archived(&self) -> Vec<ArchivedSegment> {
        let stubs = self.segments.list.iter().filter_map(|segment| segment.stub.as_deref());
        stubs.map(ArchivedSegment::of).collect()
    }

    /// The ledger's id.
    #[must_use]
    pub const fn ledger_id(&self) -> LedgerId {
        self.ledger_id
    }

    /// How many entries the prefix has, the genesis entry included.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// The leaf hash of the last entry, as far as it is known.
    #[must_use]
    pub const fn head(&self) -> Option<LeafHash> {
        self.head
    }

    /// What the end of the prefix rests on.
    #[must_use]
    pub const fn end(&self) -> LogEnd {
        self.end
    }

    /// Damage of the log that opening came upon; only open segments and those without an index
    /// were read.
    #[must_use]
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// Derived files that are missing or damaged; what they hold was read from the log instead.
    #[must_use]
    pub fn derived_damage(&self) -> &[Damage] {
        &self.derived
    }

    /// The entry at `seq`.
    ///
    /// # Errors
    /// [`EntryFault`] when it cannot be read whole.
    pub fn entry(&self, seq: Seq) -> Result<Option<Entry>, EntryFault> {
        self.segments.read(seq)
    }

    /// The bytes of the header of the entry at `seq`, read from the log. The body is not read, and
    /// may be damaged.
    ///
    /// # Errors
    /// [`EntryFault`] when no whole header lies there.
    pub fn header_bytes(&self, seq: Seq) -> Result<Option<Vec<u8>>, EntryFault> {
        self.segments.read_header(seq)
    }

    /// The header of the entry at `seq`. The body is not read, and may be damaged or archived.
    ///
    /// # Errors
    /// [`EntryFault`] when no whole header lies there.
    pub fn header(&self, seq: Seq) -> Result<Option<EntryHeader>, EntryFault> {
        self.segments.header(seq)
    }

    /// Every entry with this envelope hash, ascending.
    ///
    /// # Errors
    /// [`EntryFault::Io`].
    pub fn with_hash(&self, hash: &EnvelopeHash) -> Result<Vec<Seq>, EntryFault> {
        self.segments.with_hash(hash, None)
    }

    /// The entry accepted under this envelope hash.
    ///
    /// # Errors
    /// [`EntryFault::Io`].
    pub fn accepted(&self, hash: &EnvelopeHash) -> Result<Option<Seq>, EntryFault> {
        self.segments.first_with_hash(hash, EntryKind::Accepted)
    }

    /// The entry accepted under this envelope hash, whole: what [`Snapshot::accepted`] finds and [`Snapshot::entry`]
    /// reads, in one read where all is in order.
    ///
    /// # Errors
    /// [`EntryFault`] when there is one and it cannot be read whole.
    pub fn accepted_entry(&self, hash: &EnvelopeHash) -> Result<Option<(Seq, Entry)>, EntryFault> {
        self.segments.first_entry_with_hash(hash, EntryKind::Accepted)
    }

    /// Visits all that the indexes list under envelope hashes, index by index. True when each of
    /// them is in ascending order, without which look-ups miss what it lists.
    ///
    /// An index is derived, and a checksum only says that nothing changed since it was written:
    /// this is for those who count whether it lists what the log holds.
    ///
    /// # Errors
    /// [`EntryFault::Io`].
    pub fn visit_listed_hashes(&self, visit: &mut dyn FnMut(ListedHash)) -> Result<bool, EntryFault> {
        self.visit_listed_hashes_of(0..u64::MAX, visit)
    }

    /// [`Snapshot::visit_listed_hashes`] of these entries alone; true when the indexes that list them are in order.
    ///
    /// # Errors
    /// [`EntryFault::Io`].
    pub fn visit_listed_hashes_of(
        &self,
        entries: Range<u64>,
        visit: &mut dyn FnMut(ListedHash),
    ) -> Result<bool, EntryFault> {
        Ok(self.segments.visit_hashes(&entries, visit)?)
    }

    /// Every entry of a trace, ascending.
    ///
    /// # Errors
    /// [`EntryFault::Io`].
    pub fn of_trace(&self, trace: TraceId) -> Result<Vec<Seq>, EntryFault> {
        Ok(self.segments.of_trace(trace)?)
    }

    /// Traces after `after` in byte order, each once, at most `limit`.
    ///
    /// # Errors
    /// [`EntryFault::Io`].
    pub fn traces_after(&self, after: Option<TraceId>, limit: usize) -> Result<Vec<TraceId>, EntryFault> {
        Ok(self.segments.traces_after(after, limit)?)
    }

    /// The file, relative to the ledger's folder, and the offset where an entry lies.
    #[must_use]
    pub fn place(&self, seq: Seq) -> Option<(String, Option<u64>)> {
        self.segments.place(seq)
    }

    /// Every system entry, the genesis entry aside, ascending.
    ///
    /// # Errors
    /// [`EntryFault::Io`].
    pub fn system_entries(&self) -> Result<Vec<Seq>, EntryFault> {
        Ok(self.segments.system_entries()?)
    }

    /// The system entries among these, ascending.
    ///
    /// # Errors
    /// [`EntryFault::Io`].
    pub fn system_entries_of(&self, entries: Range<u64>) -> Result<Vec<Seq>, EntryFault> {
        Ok(self.segments.system_entries_of(&entries)?)
    }

    pub(crate) fn edges(&self) -> &OnceLock<Edges> {
        &self.edges
    }

    pub(crate) const fn segments(&self) -> &Segments {
        &self.segments
    }

    /// The ledger's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.segments.dir
    }
}

/// Reads the envelope in an accepted entry's body, which the gate has seen before.
pub(crate) fn envelope_of(body: &[u8]) -> Option<Envelope> {
    let limits = proofline_canon::Limits::ENVELOPE.with_max_bytes(MAX_BODY_BYTES);
    read_unhashed(body, &limits).ok().map(Unhashed::into_envelope)
}

impl AcceptedRecords for Snapshot {
    type Error = EntryFault;

    fn facts(&self, hash: &EnvelopeHash) -> Result<Option<Facts>, EntryFault> {
        self.segments.facts(hash)
    }
}

impl Segments {
    /// The facts of the record that was accepted under this hash, also if it is archived.
    pub(crate) fn facts(&self, hash: &EnvelopeHash) -> Result<Option<Facts>, EntryFault> {
        let (seq, entry) = match self.find(hash, EntryKind::Accepted)? {
            None => return Ok(None),
            Some((seq, Some(entry))) => (seq, Some(entry)),
            Some((seq, None)) => {
                if let Some((header, standing)) = self.kept_standing(seq)? {
                    return Ok(header.trace.map(|link| Facts { seq, trace_id: link.trace_id, standing }));
                }
                (seq, self.read(seq)?)
            }
        };
        Ok(entry.and_then(|entry| envelope_of(&entry.body)).map(|envelope| Facts::of(&envelope, seq)))
    }
}

/// A segment is at most 1 GiB and a frame at least 32 bytes: a wider gap between two segments was
/// never one segment, and nobody is to count through it.
const MOST_SEGMENT_ENTRIES: u64 = 1 << 25;

struct Opening<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    /// The size of the largest kept checkpoint.
    checkpointed: u64,
    reading: MarkReading,
    derived: Vec<Damage>,
    damage: Vec<Damage>,
}

impl Opening<'_> {
    fn finish(mut self, mut files: Vec<SegmentFile>) -> Result<Snapshot, LedgerError> {
        let ledger_id = files.first().map_or(LedgerId::from_bytes([0; 16]), |first| first.header.ledger_id);
        let mark = self.usable_mark(&files, ledger_id)?;
        if let Some(mark) = &mark {
            // Segments behind the published size hold nothing that a reader is shown yet.
            files.retain(|file| {
                let first = file.header.first_seq;
                first <= mark.segment || first.get() < mark.entries
            });
        }
        let mut list = Vec::with_capacity(files.len());
        for (at, file) in files.iter().enumerate() {
            if let Some(next) = files.get(at + 1) {
                list.push(self.inner_segment(file, next)?);
            }
        }
        let last = files.last().ok_or_else(|| LedgerError::NotALedger(self.dir.to_owned()))?;
        let fitting = mark.filter(|mark| mark.segment == last.header.first_seq);
        if let (Some(mark), None) = (mark, fitting) {
            let message = format!(
                "the published size names {} entries that end in the segment of entry {}, and they do not",
                mark.entries, mark.segment
            );
            self.damage.push(last.damage("log.head", None, message));
        }
        let (segment, head, end) = self.last_segment(last, fitting)?;
        let entries = last.header.first_seq.get().saturating_add(segment.entries);
        list.push(segment);
        self.damage.extend(checkpoints::cut_below(self.checkpointed, entries));
        let segments = Segments::new(self.dir.to_owned(), list);
        let (damage, derived) = (self.damage, self.derived);
        let snapshot =
            Snapshot { segments, ledger_id, entries, head, end, damage, derived, edges: Arc::default() };
        Ok(snapshot.with_index_cache(INDEX_CACHE_BYTES))
    }

    /// The mark, if it is whole and goes with the segments that are there.
    fn usable_mark(
        &mut self,
        files: &[SegmentFile],
        ledger_id: LedgerId,
    ) -> Result<Option<Mark>, LedgerError> {
        let derived = |code, message: &str| Damage {
            code,
            file: MARK_FILE.to_owned(),
            offset: None,
            seq: None,
            message: message.to_owned(),
        };
        let Some(mark) = self.reading.mark.filter(|_| !self.reading.damaged) else {
            self.derived.push(derived("mark.damaged", "the published size is missing or damaged"));
            return Ok(None);
        };
        // An archived segment was sealed, so more than that was durable when it went.
        if files.iter().any(|file| file.header.first_seq == mark.segment && file.stub.is_some()) {
            let message = "the published size is older than the archiving of the segment that it names";
            self.derived.push(derived("mark.damaged", message));
            return Ok(None);
        }
        if mark.ledger_id != ledger_id {
            self.derived.push(derived("mark.other_ledger", "the published size is that of another ledger"));
            return Ok(None);
        }
        if !files.iter().any(|file| file.header.first_seq == mark.segment) {
            let message = format!("the segment that begins with entry {} is missing", mark.segment);
            let damage = Damage { seq: Some(mark.segment), ..derived("log.missing_segment", &message) };
            return Err(LedgerError::Damaged(damage));
        }
        Ok(Some(mark))
    }

    /// A segment with another one behind it, which says where it ends.
    fn inner_segment(&mut self, file: &SegmentFile, next: &SegmentFile) -> Result<Segment, LedgerError> {
        let entries = next.header.first_seq.get().saturating_sub(file.header.first_seq.get());
        if entries > MOST_SEGMENT_ENTRIES {
            let message = format!("no segment holds the {entries} entries between the one before and this");
            return Err(LedgerError::Damaged(next.damage("log.missing_segment", Some(32), message)));
        }
        let sealed = file.sealed_index(self.disk).during("read", &file.path)?;
        let length = file.segment_bytes().during("read", &file.path)?;
        if let Some(index) = sealed
            && u64::from(index.head.count) == entries
            && Some(index.head.head) == next.header.previous_leaf
        {
            if length != index.head.segment_bytes {
                self.damage.push(length_damage(file, length, index.head.segment_bytes));
            }
            let index = SegmentIndex::Sealed(index);
            return Ok(Segment::of(file, index, entries));
        }
        let name = crate::index::index_name(file.header.first_seq);
        self.derived.push(Damage {
            code: "index.damaged",
            file: format!("log/{name}"),
            offset: None,
            seq: None,
            message: "the index is missing, damaged or of other entries; the segment was read instead"
                .to_owned(),
        });
        let reading = read_segment(file, Until::Seq(next.header.first_seq)).during("read", &file.path)?;
        let is_short = reading.chain.next < next.header.first_seq;
        let unlinked = reading.damage.is_empty() && reading.chain.head != next.header.previous_leaf;
        let sound_end = reading.sound_end;
        let table = self.take(reading);
        if is_short {
            let message = format!("the segment ends before entry {}", next.header.first_seq.get());
            self.damage.push(file.damage("log.truncated", Some(sound_end), message));
        } else if unlinked {
            let message = "the next segment does not link to this one's last entry".to_owned();
            self.damage.push(next.damage("log.link", Some(40), message));
        }
        Ok(Segment::of(file, table, entries))
    }

    fn take(&mut self, reading: Reading) -> SegmentIndex {
        self.damage.extend(reading.damage);
        SegmentIndex::Memory(Arc::new(reading.table))
    }

    fn last_segment(
        &mut self,
        file: &SegmentFile,
        mark: Option<Mark>,
    ) -> Result<(Segment, Option<LeafHash>, LogEnd), LedgerError> {
        let until = mark.map_or(u64::MAX, |mark| mark.segment_bytes);
        let sealed = file.sealed_index(self.disk).during("read", &file.path)?;
        // A writer may have sealed it since the folder was listed; then the next one is there.
        let followed = |index: &SealedIndex| {
            let next = Seq::new(file.header.first_seq.get().saturating_add(u64::from(index.head.count)));
            self.disk.exists(&file.path.with_file_name(segment_name(next)))
        };
        if file.stub.is_some() || sealed.is_some_and(|index| !followed(&index)) {
            let message = "the last segment is sealed, so a segment that followed it is missing".to_owned();
            self.damage.push(file.damage("log.missing_segment", None, message));
        }
        let length = file.segment_bytes().during("read", &file.path)?;
        let reading = read_segment(file, Until::Offset(until)).during("read", &file.path)?;
        let found = reading.chain;
        let sound = reading.damage.is_empty();
        let found_entries = reading.table.count();
        let index = self.take(reading);
        let first_seq = file.header.first_seq.get();
        let segment = |entries: u64| Segment::of(file, index, entries);
        let Some(mark) = mark else {
            return Ok((segment(found_entries), found.head, LogEnd::NotAnchored));
        };
        if length < mark.segment_bytes {
            self.damage.push(length_damage(file, length, mark.segment_bytes));
        } else if sound && (found.next.get(), found.head) != (mark.entries, Some(mark.head)) {
            let message = format!(
                "the published size names {} entries ending in {}; the log has {} there",
                mark.entries, mark.head, found.next
            );
            self.damage.push(file.damage("log.head", Some(mark.segment_bytes), message));
        }
        // No mark makes a segment hold more entries than it has bytes.
        let entries = mark.entries.saturating_sub(first_seq).min(length);
        Ok((segment(entries), Some(mark.head), LogEnd::Published))
    }
}

fn length_damage(file: &SegmentFile, found: u64, expected: u64) -> Damage {
    let (code, at) = if found < expected { ("log.truncated", found) } else { ("log.surplus", expected) };
    file.damage(code, Some(at), format!("the segment is {found} bytes long; {expected} were made durable"))
}
