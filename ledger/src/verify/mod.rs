//! Checks everything a ledger holds against everything else it holds, and repairs nothing: every
//! frame, header, link and body of the log, then each derived file against the log, and the log
//! against each checkpoint that the ledger keeps or that somebody brings.
//!
//! It gives separate answers: integrity (what is there is as it was written), completeness (nothing is
//! missing, cut or replaced by another history), authenticity (who signed).

mod anchors;
mod producers;
mod traces;

use std::path::Path;
use std::sync::Arc;

use proofline_trace::{EnvelopeHash, GenesisRecord, LedgerId, certify_within};

use crate::artifact::ArtifactKind;
use crate::catalogue::{CATALOGUE_DIR, Catalogue, CatalogueError};
use crate::checkpoints;
use crate::disk::{Access, Disk, DiskFile, OsDisk};
use crate::durable::read_full_at;
use crate::error::{Damage, IoContext, LedgerError};
use crate::frame::MAX_BODY_BYTES;
use crate::index::{SealedIndex, SegmentTree, Table, index_name};
use crate::load::segment_seqs;
use crate::log::LOCK_FILE;
use crate::mark::{MARK_FILE, Mark, MarkReading, read_mark};
use crate::scan::{ChainState, Found, Scan, Step};
use crate::segment::{SEGMENT_HEADER_BYTES, SegmentFault, SegmentHeader, read_segment_header, segment_name};
use crate::segments::LOG_DIR;
use crate::snapshot::{LogEnd, Snapshot};
use crate::system::SystemKind;
use proofline_proof::header::{EntryHeader, EntryKind, EntryStatus};
use proofline_proof::tree::TileBuilder;
use proofline_proof::{LeafHash, Seq};
use traces::Traces;

use anchors::Watch;
pub use anchors::{
    Anchors, BroughtCheckpoint, CheckpointCheck, Disbelief, History, ProducerSignatures, VerifyPlan,
};

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
}

impl VerifyReport {
    /// True when neither the log nor a derived file has damage, and every signature is good.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty() && self.derived.is_empty() && self.unauthentic.is_empty()
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
        check_catalogue(&Snapshot::open(dir)?, &mut report.derived);
    }
    Ok(report)
}

/// Compares the catalogue with the log. One that is open elsewhere, or that cannot be opened in
/// a folder that is only readable, is left unchecked: nothing rests on it.
fn check_catalogue(snapshot: &Snapshot, derived: &mut Vec<Damage>) {
    match Catalogue::verify(snapshot, &mut |damage| derived.push(damage)) {
        Ok(_) | Err(CatalogueError::Busy(_)) => {}
        Err(error) if error.code() == "catalogue.read_only" => {}
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
    // Before the log's length is read: what was signed before lies within it.
    let kept = checkpoints::all(disk, dir)?;
    let reading = read_mark(disk, dir).during("read", &dir.join(MARK_FILE))?;
    let first_look = Verifier::new(disk, dir, reading, Watch::new(plan, &kept))?.run(progress)?;
    if first_look.unpublished_entries == 0 && !first_look.has_bad_tail {
        return Ok(first_look.report);
    }
    // Bytes behind the mark are a live writer's work or a dead one's. Under the lock they can
    // only be a dead one's; a folder that cannot be locked has no live writer of this user.
    let lock = disk.lock(&dir.join(LOCK_FILE));
    let reading = read_mark(disk, dir).during("read", &dir.join(MARK_FILE))?;
    let second_look = Verifier::new(disk, dir, reading, Watch::new(plan, &kept))?.run(progress)?;
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
    dir: &'a Path,
    mark: Option<Mark>,
    seqs: Vec<Seq>,
    report: VerifyReport,
    done_bytes: u64,
    chain: ChainState,
    /// False behind unreadable entries, when links across them cannot be judged.
    unbroken: bool,
    traces: Traces,
    /// The tree of the entries so far; none once one of them could not be read.
    tree: Option<TileBuilder>,
    has_bad_tail: bool,
    /// Where the mark's entries end in the segment that it names, and the leaf hash of the last.
    mark_end: Option<(u64, Option<LeafHash>)>,
    watch: Watch<'a>,
}

/// A segment as far as it can be opened.
struct Opened {
    seq: Seq,
    name: String,
    file: Arc<dyn DiskFile>,
    length: u64,
    header: Option<SegmentHeader>,
}

impl<'a> Verifier<'a> {
    fn new(
        disk: &'a dyn Disk,
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
        };
        let mut verifier = Verifier {
            disk,
            dir,
            mark: reading.mark.filter(|_| !reading.damaged),
            seqs,
            report,
            done_bytes: 0,
            chain: ChainState::EMPTY,
            unbroken: true,
            traces: Traces::default(),
            tree: Some(TileBuilder::empty()),
            has_bad_tail: false,
            mark_end: None,
            watch,
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

    fn run(mut self, progress: &mut dyn FnMut(VerifyProgress)) -> Result<Look, LedgerError> {
        let opened = self.open_all()?;
        for (at, segment) in opened.iter().enumerate() {
            self.segment(segment, opened.get(at + 1), progress)?;
        }
        self.check_mark();
        self.report.head = self.chain.head;
        self.report.log_entries = self.chain.next.get();
        if self.report.damage.is_empty() {
            let (disk, dir) = (self.disk, self.dir);
            self.watch.check_envelopes(|| Snapshot::open_on(disk, dir))?;
        }
        let (anchors, damage, unauthentic) = self.watch.finish(self.report.log_entries);
        self.report.anchors = anchors;
        self.report.damage.extend(damage);
        self.report.unauthentic = unauthentic;
        let unpublished_entries = self.report.unpublished_entries;
        Ok(Look { report: self.report, unpublished_entries, has_bad_tail: self.has_bad_tail })
    }

    fn open_all(&mut self) -> Result<Vec<Opened>, LedgerError> {
        let mut opened = Vec::new();
        for seq in std::mem::take(&mut self.seqs) {
            let name = format!("{LOG_DIR}/{}", segment_name(seq));
            let path = self.dir.join(&name);
            let file = self.disk.open(&path, Access::Read).during("open", &path)?;
            let length = file.len().during("read", &path)?;
            let header = match read_segment_header(&*file).during("read", &path)? {
                Ok(header) => Some(header),
                Err(fault @ SegmentFault::NewerFormat(_)) => {
                    let detail = format!("{name}: {fault}");
                    return Err(LedgerError::NewerFormat { dir: self.dir.to_owned(), detail });
                }
                Err(fault) => {
                    self.damage(fault.code(), &name, Some(0), Some(seq), fault.to_string());
                    None
                }
            };
            self.report.log_bytes += length;
            opened.push(Opened { seq, name, file, length, header });
        }
        let ids = || opened.iter().filter_map(|segment| segment.header).map(|header| header.ledger_id);
        self.report.ledger_id = ids().next().unwrap_or(self.report.ledger_id);
        Ok(opened)
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
        let mut scan = Scan::new(Arc::clone(&segment.file), segment.seq, start, segment.length, self.chain)
            .during("read", &path)?;
        let mut table = Table::new(start);
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
                Step::Entry(found) => {
                    let (_, body) = scan.current_bytes().during("read", &path)?;
                    self.entry(segment, &found, body);
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
                total_bytes: self.report.log_bytes,
            });
        }
        self.chain = scan.chain();
        self.done_bytes += segment.length;
        let sound = self.report.damage.len() == damage_before;
        let tree = self.grow_tree(segment, &table);
        self.check_index(segment, next, &table, tree.as_ref(), sound)
    }

    /// Takes the entries of a segment into the tree; none once an entry before could not be read.
    fn grow_tree(&mut self, segment: &Opened, table: &Table) -> Option<SegmentTree> {
        let mut builder = self.tree.take().filter(|builder| builder.size() == segment.seq.get())?;
        let leaves = table.leaves(table.count())?;
        let tree = SegmentTree::build(&leaves, &mut builder);
        self.tree = Some(builder);
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

    fn entry(&mut self, segment: &Opened, found: &Found, body: &[u8]) {
        let header = &found.header;
        self.watch.header(header.seq, found.leaf);
        if let Some(damage) = &found.damage {
            self.unbroken &= damage.code != "log.sequence";
            self.report.damage.push(damage.clone());
        } else {
            self.report.entries += 1;
            self.report.origin = self.report.origin.take().or_else(|| origin_of(header, body));
            if let Err((code, message)) = check_body(header, body, self.report.ledger_id) {
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
                    self.watch.system(header.seq, &kind)?;
                    Ok(self.watch_traces(header.seq, &kind))
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
            SystemKind::TraceIndex(record) => {
                // Behind damage nobody can tell whether the entries before it are all there.
                let is_whole = self.report.damage.is_empty();
                return self.traces.index(seq, record).filter(|_| is_whole);
            }
            SystemKind::Erasure(_) | SystemKind::Hold(_) | SystemKind::Release(_) => {}
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

fn origin_of(header: &EntryHeader, body: &[u8]) -> Option<String> {
    (header.status.kind() == EntryKind::Genesis)
        .then(|| read_genesis(body))
        .flatten()
        .map(|record| record.origin.to_string())
}

/// The genesis record in the genesis entry's body.
pub(crate) fn read_genesis(body: &[u8]) -> Option<GenesisRecord> {
    let limits = proofline_canon::Limits::ENVELOPE;
    let value = proofline_canon::parse(body, &limits).ok()?;
    GenesisRecord::from_value(&value).ok()
}

/// A body is what its header says: the right hash, canonical, of the schema of its kind, of the
/// header's trace.
pub(crate) fn check_body(
    header: &EntryHeader,
    body: &[u8],
    ledger_id: LedgerId,
) -> Result<(), (&'static str, String)> {
    let found = EnvelopeHash::of(body);
    if found != header.envelope_hash {
        let message = format!("the body hashes to {found}, its header says {}", header.envelope_hash);
        return Err(("body.hash", message));
    }
    let trace_id = header.trace.as_ref().map(|link| link.trace_id);
    match header.status {
        EntryStatus::Accepted | EntryStatus::Rejected { .. } => {
            // An embedder may have admitted envelopes longer than the default; the format's limit holds.
            let limits = proofline_canon::Limits::ENVELOPE.with_max_bytes(MAX_BODY_BYTES);
            let certificate = certify_within(body, &header.envelope_hash, &limits)
                .map_err(|error| ("body.form", error.to_string()))?;
            if Some(certificate.trace_id()) != trace_id {
                let message =
                    format!("the envelope is of trace {}, its header is not", certificate.trace_id());
                return Err(("body.trace", message));
            }
            Ok(())
        }
        EntryStatus::Artifact => {
            let limits = proofline_canon::Limits::ENVELOPE.with_max_bytes(MAX_BODY_BYTES);
            proofline_canon::check_canonical(body, proofline_canon::Profile::Envelope, &limits)
                .map_err(|error| ("body.form", error.to_string()))?;
            ArtifactKind::read(body).map(|_| ()).map_err(|refusal| ("body.form", refusal.to_string()))
        }
        EntryStatus::Genesis => match read_genesis(body) {
            Some(record) if record.ledger_id == ledger_id => Ok(()),
            Some(record) => {
                let message = format!(
                    "the genesis entry is of ledger {}, the segment of {ledger_id}",
                    record.ledger_id
                );
                Err(("log.other_ledger", message))
            }
            None => Err(("body.form", "the genesis entry is no genesis record".to_owned())),
        },
        EntryStatus::System => match SystemKind::read(body) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(("body.form", refusal.to_string())),
        },
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
