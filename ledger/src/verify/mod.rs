//! Checks everything a ledger holds against everything else it holds, and repairs nothing: every
//! frame, header, link and body of the log, then each derived file against the log, and the log
//! against each checkpoint that the ledger keeps or that somebody brings.
//!
//! It gives separate answers: integrity (what is there is as it was written), completeness (nothing is
//! missing, cut or replaced by another history), authenticity (who signed), erasure (what was to go
//! is gone, and was allowed to go).

mod anchors;
mod archived;
mod body;
mod erasure;
mod producers;
mod traces;

use std::path::Path;

use proofline_trace::LedgerId;

use crate::archive::{ArchivedSegment, StubBuilder, WithArchives};
use crate::artifact::ArtifactKind;
use crate::catalogue::{CATALOGUE_DIR, Catalogue, CatalogueError};
use crate::checkpoints;
use crate::disk::{Access, Disk, OsDisk};
use crate::durable::read_full_at;
use crate::error::{Damage, IoContext, LedgerError};
use crate::index::{SealedIndex, SegmentTree, Table, index_name};
use crate::load::segment_seqs;
use crate::log::LOCK_FILE;
use crate::mark::{MARK_FILE, Mark, MarkReading, read_mark};
use crate::scan::{ChainState, Found, Step};
use crate::segment::{SEGMENT_HEADER_BYTES, segment_name};
use crate::segments::LOG_DIR;
use crate::snapshot::{LogEnd, Snapshot};
use crate::system::SystemKind;
use proofline_proof::header::EntryStatus;
use proofline_proof::tree::Frontier;
use proofline_proof::{LeafHash, Seq};
use traces::Traces;

use anchors::Watch;
pub use anchors::{
    Anchors, BroughtCheckpoint, CheckpointCheck, Disbelief, History, ProducerSignatures, VerifyPlan,
};
use archived::Opened;
use body::origin_of;
pub(crate) use body::{BodyCheck, check_bodies, check_body, read_genesis};
pub use erasure::ErasureCheck;
use erasure::Told;

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Bytes of the log read so far.
    pub done_bytes: u64,
    /// Bytes of the log.
    pub total_bytes: u64,
}

/// What a verification found.
#[derive(Clone, Debug)]
pub struct VerifyReport {
    /// The ledger's id.
    pub ledger_id: LedgerId,
    /// The origin in the genesis entry, if that is readable.
    pub origin: Option<String>,
    /// Readable entries.
    pub entries: u64,
    /// Entries up to the last readable one, those that cannot be read included.
    pub log_entries: u64,
    /// Segment files.
    pub segments: u64,
    /// Bytes of the segment files.
    pub log_bytes: u64,
    /// Leaf hash of the last readable entry.
    pub head: Option<LeafHash>,
    /// What the end of the log rests on.
    pub end: LogEnd,
    /// Whole entries behind the published size: opening for writing takes them in.
    pub unpublished_entries: u64,
    /// What is wrong with the log, in its order.
    pub damage: Vec<Damage>,
    /// What is wrong with files that can be made again from the log.
    pub derived: Vec<Damage>,
    /// Signatures and keys that are not what they have to be: of checkpoints and of producers.
    pub unauthentic: Vec<Damage>,
    /// What anchors the log: checkpoints, keys, producers' signatures.
    pub anchors: Anchors,
    /// What is erased and held.
    pub erasure: ErasureCheck,
    /// Segments that are archived, in order.
    pub archived: Vec<ArchivedSegment>,
}

impl VerifyReport {
    /// True when neither the log nor a derived file has damage, every signature is good, and what
    /// was erased is gone.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let lists = [&self.damage, &self.derived, &self.unauthentic, &self.erasure.troubles];
        lists.iter().all(|list| list.is_empty())
    }

    /// Integrity: what is there and is not as it was written.
    pub fn integrity(&self) -> impl Iterator<Item = &Damage> {
        self.damage.iter().filter(|damage| !is_incomplete(damage))
    }

    /// Completeness: gaps, cuts, and histories other than the one that a mark or a checkpoint states.
    pub fn completeness(&self) -> impl Iterator<Item = &Damage> {
        self.damage.iter().filter(|damage| is_incomplete(damage))
    }

    /// The entries that a checkpoint anchors, and behind them those that none does.
    #[must_use]
    pub fn unanchored(&self) -> std::ops::Range<u64> {
        let anchored = self.anchors.anchored_entries();
        anchored..self.log_entries.max(anchored)
    }
}

/// Verifies the ledger in `dir`, reading all of it, in memory that depends on the number of
/// traces and on the size of one segment, not on the number of entries.
///
/// # Errors
/// When there is no ledger, it is of a newer format, or the system refuses a call. Damage is no
/// error but what the report is for.
pub fn verify(
    dir: impl AsRef<Path>,
    progress: &mut dyn FnMut(VerifyProgress),
) -> Result<VerifyReport, LedgerError> {
    verify_with(dir, &VerifyPlan::default(), progress)
}

/// [`verify`], and the log also against checkpoints, keys and witnesses that the caller brings.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(
    dir: impl AsRef<Path>,
    plan: &VerifyPlan,
    progress: &mut dyn FnMut(VerifyProgress),
) -> Result<VerifyReport, LedgerError> {
    let dir = dir.as_ref();
    let mut report = verify_on(&OsDisk, dir, plan, progress)?;
    if report.damage.is_empty() && dir.join(CATALOGUE_DIR).is_dir() {
        check_catalogue(&Snapshot::open_with_archives(dir, &plan.archives)?, &mut report.derived);
    }
    Ok(report)
}

/// Compares the catalogue with the log. One that is open elsewhere, or that cannot be opened in
/// a folder that is only readable, or that lists what is archived, is left unchecked: nothing rests on it.
fn check_catalogue(snapshot: &Snapshot, derived: &mut Vec<Damage>) {
    match Catalogue::verify(snapshot, &mut |damage| derived.push(damage)) {
        Ok(_) | Err(CatalogueError::Busy(_)) => {}
        Err(error) if ["catalogue.read_only", "ledger.archived"].contains(&error.code()) => {}
        Err(error) => derived.push(Damage {
            code: "catalogue.unreadable",
            file: CATALOGUE_DIR.to_owned(),
            offset: None,
            seq: None,
            message: error.to_string(),
        }),
    }
}

/// True for damage by which entries are missing, or are those of another history.
fn is_incomplete(damage: &Damage) -> bool {
    const CODES: [&str; 8] = [
        "log.missing_segment",
        "log.truncated",
        "log.head",
        "checkpoint.truncated",
        "checkpoint.forked",
        "trace_index.from",
        "trace_index.keys",
        "trace_index.root",
    ];
    CODES.contains(&damage.code)
}

/// [`verify_with`] on another [`Disk`], where there is no catalogue.
///
/// # Errors
/// As [`verify`].
pub fn verify_on(
    disk: &dyn Disk,
    dir: &Path,
    plan: &VerifyPlan,
    progress: &mut dyn FnMut(VerifyProgress),
) -> Result<VerifyReport, LedgerError> {
    let bare = disk;
    let disk = &WithArchives::open(disk, dir, &plan.archives)?;
    // Before the log's length is read: what was signed before lies within it.
    let kept = checkpoints::all(disk, dir)?;
    let reading = read_mark(disk, dir).during("read", &dir.join(MARK_FILE))?;
    let first_look =
        Verifier::new(disk, bare, dir, reading, Watch::new(plan, &kept))?.run(false, progress)?;
    if first_look.unpublished_entries == 0 && !first_look.has_bad_tail {
        return Ok(first_look.report);
    }
    // Bytes behind the mark are a live writer's work or a dead one's. Under the lock they can
    // only be a dead one's; a folder that cannot be locked has no live writer of this user.
    let lock = disk.lock(&dir.join(LOCK_FILE));
    let reading = read_mark(disk, dir).during("read", &dir.join(MARK_FILE))?;
    let second_look = Verifier::new(disk, bare, dir, reading, Watch::new(plan, &kept))?;
    let second_look = second_look.run(lock.is_ok(), progress)?;
    drop(lock);
    Ok(second_look.report)
}

struct Look {
    report: VerifyReport,
    unpublished_entries: u64,
    has_bad_tail: bool,
}

struct Verifier<'a> {
    disk: &'a dyn Disk,
    /// The disk without the archives.
    bare: &'a dyn Disk,
    dir: &'a Path,
    mark: Option<Mark>,
    seqs: Vec<Seq>,
    report: VerifyReport,
    done_bytes: u64,
    /// Bytes of all segments, archived ones included.
    total_bytes: u64,
    chain: ChainState,
    /// False behind unreadable entries, when links across them cannot be judged.
    unbroken: bool,
    traces: Traces,
    /// The tree of the entries so far; none once one of them could not be read.
    tree: Option<Frontier>,
    has_bad_tail: bool,
    /// Where the mark's entries end in the segment that it names, and the leaf hash of the last.
    mark_end: Option<(u64, Option<LeafHash>)>,
    watch: Watch<'a>,
    told: Told,
}

impl<'a> Verifier<'a> {
    fn new(
        disk: &'a dyn Disk,
        bare: &'a dyn Disk,
        dir: &'a Path,
        reading: MarkReading,
        watch: Watch<'a>,
    ) -> Result<Self, LedgerError> {
        let seqs = segment_seqs(disk, dir)?;
        let report = VerifyReport {
            ledger_id: LedgerId::from_bytes([0; 16]),
            origin: None,
            entries: 0,
            log_entries: 0,
            segments: seqs.len() as u64,
            log_bytes: 0,
            head: None,
            end: LogEnd::Published,
            unpublished_entries: 0,
            damage: Vec::new(),
            derived: Vec::new(),
            unauthentic: Vec::new(),
            anchors: Anchors::default(),
            erasure: ErasureCheck::default(),
            archived: Vec::new(),
        };
        let mut verifier = Verifier {
            disk,
            bare,
            dir,
            mark: reading.mark.filter(|_| !reading.damaged),
            seqs,
            report,
            done_bytes: 0,
            total_bytes: 0,
            chain: ChainState::EMPTY,
            unbroken: true,
            traces: Traces::default(),
            tree: Some(Frontier::empty()),
            has_bad_tail: false,
            mark_end: None,
            watch,
            told: Told::default(),
        };
        if reading.damaged {
            verifier.report.end = LogEnd::NotAnchored;
            verifier.derived(
                "mark.damaged",
                MARK_FILE.to_owned(),
                "the published size is missing or damaged",
            );
        }
        Ok(verifier)
    }

    fn derived(&mut self, code: &'static str, file: String, message: &str) {
        let message = message.to_owned();
        self.report.derived.push(Damage { code, file, offset: None, seq: None, message });
    }

    /// Looks at everything; `has_lock` says that the caller holds the ledger's lock.
    fn run(mut self, has_lock: bool, progress: &mut dyn FnMut(VerifyProgress)) -> Result<Look, LedgerError> {
        let opened = self.open_all()?;
        for (at, segment) in opened.iter().enumerate() {
            self.segment(segment, opened.get(at + 1), progress)?;
        }
        self.check_mark();
        self.report.head = self.chain.head;
        self.report.log_entries = self.chain.next.get();
        let (disk, dir) = (self.disk, self.dir);
        let is_sound = self.report.damage.is_empty();
        self.report.erasure = self.told.check(is_sound, || Snapshot::open_on(disk, dir))?;
        let lock = self.report.erasure.wait_for_erasing(disk, dir, has_lock);
        self.report.erasure.look(disk, dir, is_sound, &mut self.report.derived)?;
        drop(lock);
        if is_sound {
            self.watch.check_envelopes(|| Snapshot::open_on(disk, dir))?;
        }
        let (anchors, damage, unauthentic) = self.watch.finish(self.report.log_entries);
        self.report.anchors = anchors;
        self.report.damage.extend(damage);
        self.report.unauthentic = unauthentic;
        let unpublished_entries = self.report.unpublished_entries;
        Ok(Look { report: self.report, unpublished_entries, has_bad_tail: self.has_bad_tail })
    }

    fn damage(
        &mut self,
        code: &'static str,
        file: &str,
        offset: Option<u64>,
        seq: Option<Seq>,
        message: String,
    ) {
        self.report.damage.push(Damage { code, file: file.to_owned(), offset, seq, message });
    }

    fn segment(
        &mut self,
        segment: &Opened,
        next: Option<&Opened>,
        progress: &mut dyn FnMut(VerifyProgress),
    ) -> Result<(), LedgerError> {
        let path = self.dir.join(&segment.name);
        self.check_place(segment);
        let start = SEGMENT_HEADER_BYTES as u64;
        let Some(scan) = segment.scan(self.chain).during("read", &path)? else { return Ok(()) };
        let mut scan = scan.checking_bodies(self.report.ledger_id);
        let mut table = Table::new(start);
        let mut again = StubBuilder::default();
        let damage_before = self.report.damage.len();
        self.note_mark(segment, start);
        loop {
            if let Some(next) = next.filter(|next| scan.chain().next >= next.seq) {
                self.superseded(segment, next, scan.position());
                break;
            }
            let offset = scan.position();
            match scan.step().during("read", &path)? {
                Step::End => break,
                Step::Gap(damage) => {
                    self.has_bad_tail |= next.is_none() && self.is_behind_mark(segment, offset);
                    self.unbroken = false;
                    self.report.damage.push(damage);
                }
                Step::Entry(mut found) => {
                    let check = found.body.take();
                    let (header_bytes, body) = scan.current_bytes().during("read", &path)?;
                    segment.build_again(&mut again, &found, header_bytes, body);
                    self.entry(segment, &found, body, check);
                    if let Some(ordinal) = found.header.seq.get().checked_sub(segment.seq.get())
                        && let (Ok(ordinal), Ok(offset)) =
                            (u32::try_from(ordinal), u32::try_from(found.offset))
                        && found.header.seq.get().saturating_sub(self.chain.next.get()) <= found.offset
                    {
                        table.insert(ordinal, offset, found.frame_bytes, &found.header, found.leaf);
                    }
                    if self.is_behind_mark(segment, offset) {
                        self.report.unpublished_entries += 1;
                    }
                    self.chain = scan.chain();
                    self.note_mark(segment, scan.position());
                }
            }
            progress(VerifyProgress {
                done_bytes: self.done_bytes + scan.position(),
                total_bytes: self.total_bytes,
            });
        }
        self.chain = scan.chain();
        self.done_bytes += segment.length;
        let sound = self.report.damage.len() == damage_before;
        if sound {
            self.check_stub(segment, next, &table, again)?;
        }
        let sound = self.report.damage.len() == damage_before;
        let tree = self.grow_tree(segment, &table);
        self.check_index(segment, next, &table, tree.as_ref(), sound)
    }

    /// Takes the entries of a segment into the tree; none once an entry before could not be read.
    fn grow_tree(&mut self, segment: &Opened, table: &Table) -> Option<SegmentTree> {
        let mut before = self.tree.take().filter(|before| before.size() == segment.seq.get())?;
        let leaves = table.leaves(table.count())?;
        let tree = SegmentTree::build(&leaves, &mut before);
        self.tree = Some(before);
        Some(tree)
    }

    fn note_mark(&mut self, segment: &Opened, position: u64) {
        let ends = |mark: Mark| segment.seq == mark.segment && self.chain.next.get() == mark.entries;
        if self.mark.is_some_and(ends) {
            self.mark_end = Some((position, self.chain.head));
        }
    }

    fn is_behind_mark(&self, segment: &Opened, offset: u64) -> bool {
        self.mark.is_some_and(|mark| {
            segment.seq.get() >= mark.entries || segment.seq == mark.segment && offset >= mark.segment_bytes
        })
    }

    /// Bytes behind the frame with which the next segment begins.
    fn superseded(&mut self, segment: &Opened, next: &Opened, end: u64) {
        if end < segment.length {
            let message =
                format!("{} bytes follow the last entry before {}", segment.length - end, next.name);
            self.damage("log.surplus", &segment.name, Some(end), None, message);
        }
    }

    /// A segment begins where the one before ended, and belongs to the same ledger.
    fn check_place(&mut self, segment: &Opened) {
        let ChainState { next, head, .. } = self.chain;
        if segment.seq > next {
            let message = format!("entries {next} to {} are missing", segment.seq.get() - 1);
            let name = format!("{LOG_DIR}/{}", segment_name(next));
            self.damage("log.missing_segment", &name, None, Some(next), message);
            self.unbroken = false;
        }
        let Some(header) = segment.header else {
            self.unbroken = false;
            return self.go_to(segment.seq, None);
        };
        if header.first_seq != segment.seq {
            let message =
                format!("the file's name says entry {}, its header {}", segment.seq, header.first_seq);
            self.damage("log.segment_name", &segment.name, Some(32), Some(segment.seq), message);
        }
        if header.ledger_id != self.report.ledger_id {
            let message = format!(
                "the segment is of ledger {}, the first of {}",
                header.ledger_id, self.report.ledger_id
            );
            self.damage("log.other_ledger", &segment.name, Some(16), Some(segment.seq), message);
        }
        if segment.seq == next && header.previous_leaf != head && self.unbroken {
            let message = "the segment does not link to the last entry of the one before".to_owned();
            self.damage("log.link", &segment.name, Some(40), Some(segment.seq), message);
        }
        if segment.seq != next || !self.unbroken {
            self.go_to(segment.seq, header.previous_leaf);
        }
    }

    fn go_to(&mut self, next: Seq, head: Option<LeafHash>) {
        let head = head.or(if self.chain.next == next { self.chain.head } else { None });
        self.chain = ChainState { next, head, ..self.chain };
    }

    /// Takes in an entry; `check` is what [`check_body`] says, if that is known.
    fn entry(&mut self, segment: &Opened, found: &Found, body: Option<&[u8]>, check: Option<BodyCheck>) {
        let header = &found.header;
        self.watch.header(header.seq, found.leaf);
        if let Some(damage) = &found.damage {
            self.unbroken &= damage.code != "log.sequence";
            self.report.damage.push(damage.clone());
        } else {
            self.report.entries += 1;
            let Some(body) = body else { return self.check_trace(segment, found) };
            self.report.origin = self.report.origin.take().or_else(|| origin_of(header, body));
            let check = check.unwrap_or_else(|| check_body(header, body, self.report.ledger_id));
            if let Err((code, message)) = check {
                self.damage(code, &segment.name, Some(found.offset), Some(header.seq), message);
            } else {
                self.watch_body(segment, found, body);
            }
        }
        self.check_trace(segment, found);
    }

    /// Takes in what a sound body says of keys and signatures.
    fn watch_body(&mut self, segment: &Opened, found: &Found, body: &[u8]) {
        let header = &found.header;
        match header.status {
            EntryStatus::Genesis => read_genesis(body).into_iter().for_each(|it| self.watch.genesis(it)),
            EntryStatus::System => {
                let applied = SystemKind::read(body).and_then(|kind| {
                    let fault =
                        self.watch.system(header.seq, &kind).map(|()| self.watch_traces(header.seq, &kind));
                    self.told.take(header.seq, header.envelope_hash, kind);
                    fault
                });
                let fault = applied.unwrap_or_else(|refusal| Some(("body.form", refusal.to_string())));
                if let Some((code, message)) = fault {
                    self.damage(code, &segment.name, Some(found.offset), Some(header.seq), message);
                }
            }
            EntryStatus::Artifact => {
                let kind = ArtifactKind::read(body);
                kind.iter().for_each(|it| self.watch.artifact(header.seq, it, &segment.name, found.offset));
            }
            EntryStatus::Accepted | EntryStatus::Rejected { .. } => {}
        }
    }

    /// What is wrong with what a system entry says of the traces before it.
    fn watch_traces(&mut self, seq: Seq, kind: &SystemKind) -> Option<(&'static str, String)> {
        match kind {
            SystemKind::Key(_) => self.traces.key(),
            SystemKind::Erasure(_) | SystemKind::Hold(_) | SystemKind::Release(_) => {}
            SystemKind::TraceIndex(record) => {
                // Behind damage nobody can tell whether the entries before it are all there.
                let is_whole = self.report.damage.is_empty();
                return self.traces.index(seq, record).filter(|_| is_whole);
            }
        }
        None
    }

    fn check_trace(&mut self, segment: &Opened, found: &Found) {
        let fault = self.traces.entry(&found.header, found.leaf).filter(|_| self.unbroken);
        if let Some(message) = fault {
            self.damage("log.trace_link", &segment.name, Some(found.offset), Some(found.header.seq), message);
        }
    }

    /// The index beside a sealed segment must be the one that the segment gives.
    fn check_index(
        &mut self,
        segment: &Opened,
        next: Option<&Opened>,
        table: &Table,
        tree: Option<&SegmentTree>,
        sound: bool,
    ) -> Result<(), LedgerError> {
        let name = format!("{LOG_DIR}/{}", index_name(segment.seq));
        let path = self.dir.join(&name);
        let exists = self.disk.exists(&path);
        let (Some(header), true) = (segment.header, sound && next.is_some()) else {
            let next_name = format!("{LOG_DIR}/{}", segment_name(self.chain.next));
            // A writer may have sealed it since the folder was listed; then the next one is there.
            if exists && next.is_none() && !self.disk.exists(&self.dir.join(&next_name)) {
                let (missing, next) = (next_name, self.chain.next);
                let message = format!("{} is sealed, so a segment followed it", segment.name);
                self.damage("log.missing_segment", &missing, None, Some(next), message);
            }
            return Ok(());
        };
        if !exists {
            self.derived("index.missing", name, "the index of a sealed segment is missing");
            return Ok(());
        }
        let stored = read_all(self.disk, &path)?;
        let sealed =
            SealedIndex::open(self.disk, &path, header.ledger_id, segment.seq).during("read", &path)?;
        if let Some(index) = sealed
            && (Some(index.head.head), index.head.segment_bytes) != (self.chain.head, table.end())
        {
            let message = format!(
                "its index, which is whole, was sealed over a segment of {} bytes ending in leaf hash {}",
                index.head.segment_bytes, index.head.head
            );
            self.damage("log.head", &segment.name, Some(table.end()), None, message);
            return Ok(());
        }
        let head = self.chain.head.unwrap_or(LeafHash::from_bytes([0; 32]));
        let own = table.encode(header.ledger_id, segment.seq, head).unwrap_or_default();
        let is_own = match (stored.strip_prefix(&own[..]), tree) {
            (Some(stored), Some(tree)) => *stored == tree.encode(),
            // Behind damage nobody can say what the tree was.
            (stored, None) => stored.is_some(),
            (None, Some(_)) => false,
        };
        if !is_own {
            self.derived("index.damaged", name, "the index is not the one that its segment gives");
        }
        Ok(())
    }

    fn check_mark(&mut self) {
        let Some(mark) = self.mark else { return };
        let name = format!("{LOG_DIR}/{}", segment_name(mark.segment));
        if mark.ledger_id != self.report.ledger_id {
            self.report.end = LogEnd::NotAnchored;
            return self.derived("mark.other_ledger", MARK_FILE.to_owned(), "it is of another ledger");
        }
        let readable = self.chain.next.get();
        if readable < mark.entries {
            // Bytes that were there and damaged are reported where they are; these are not there.
            let message =
                format!("the log ends at entry {readable}; {} entries were made durable", mark.entries);
            self.damage("log.truncated", &name, None, Some(self.chain.next), message);
            return;
        }
        // Compared wherever the log goes on to: what follows the mark vouches for nothing before it.
        let (end, head) = self.mark_end.unzip();
        if self.unbroken && end.is_some() && head.flatten() != Some(mark.head) {
            let message = format!(
                "the first {} entries were published as ending in leaf hash {}, and end in another",
                mark.entries, mark.head
            );
            self.damage("log.head", &name, Some(mark.segment_bytes), None, message);
        } else if self.unbroken && end != Some(mark.segment_bytes) {
            let message = format!(
                "the published size ends at byte {} of this segment, its {} entries do not",
                mark.segment_bytes, mark.entries
            );
            self.damage("log.head", &name, Some(mark.segment_bytes), None, message);
        }
    }
}

fn read_all(disk: &dyn Disk, path: &Path) -> Result<Vec<u8>, LedgerError> {
    let file = disk.open(path, Access::Read).during("open", path)?;
    let length = file.len().during("read", path)?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(MAX_INDEX_BYTES)];
    let count = read_full_at(&*file, &mut bytes, 0).during("read", path)?;
    bytes.truncate(count);
    Ok(bytes)
}

/// More than an index of the longest segment takes: 1 GiB of frames of over 150 bytes, 80 bytes for each.
const MAX_INDEX_BYTES: usize = 640 << 20;
