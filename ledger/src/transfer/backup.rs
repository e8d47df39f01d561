//! Copies a live ledger into a folder that is a ledger itself, and what is new into it again later.
//! Writers are not held up: what is copied is a snapshot, the beginning of the log that was durable
//! when the copy began.
//!
//! In this order, so that the copy is whole at any moment, and after any crash:
//!
//! 1. what is there already is the beginning of the log, or nothing is done;
//! 2. payloads, each before the entries that name it;
//! 3. entries, group by group, each durable before the next, as a writer appends them;
//! 4. what an entry erased goes, once that entry is durable;
//! 5. checkpoints, once all that they cover is durable.

use std::path::Path;
use std::sync::Arc;

use proofline_canon::Sha256Digest;
use proofline_proof::header::FORMAT_VERSION;
use proofline_proof::{LeafHash, Note, Seq};
use proofline_trace::LedgerId;

use crate::action::Options;
use crate::blobs::{Blobs, Eraser, OpenBlob};
use crate::checkpoints::{self, CHECKPOINTS_DIR, KeptCheckpoint, checkpoint_path, frontier_of};
use crate::disk::{Disk, OsDisk};
use crate::durable;
use crate::error::{Damage, IoContext, LedgerError};
use crate::ledger::{Genesis, Ledger, is_ledger};
use crate::log::{Belief, Given, Log};
use crate::mark::{MARK_FILE, MarkFile};
use crate::snapshot::{LogEnd, Snapshot};

use super::error::TransferError;
use super::walk::walk;
use super::{TransferStage, TransferWatch, tell};

/// Held while somebody copies into a folder.
const BACKUP_LOCK: &str = ".backup.lock";

/// As many entries, or about as many bytes, share a sync.
const GROUP_RECORDS: usize = 4096;
const GROUP_BYTES: usize = 8 << 20;

/// What a backup came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// The ledger's id.
    pub ledger_id: LedgerId,
    /// Entries of the copy.
    pub entries: u64,
    /// Leaf hash of the last one.
    pub head: LeafHash,
    /// Entries that it had before; none for a new one.
    pub previous_entries: Option<u64>,
    /// Bytes of entries that were copied.
    pub log_bytes: u64,
    /// Checkpoints that were copied.
    pub checkpoints: u64,
    /// Payloads that were copied.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Payloads that were there already.
    pub blobs_present: u64,
    /// Payloads that were taken away because an entry erased them.
    pub blobs_erased: u64,
    /// Payloads of the ledger that are not what their names say, and were not copied.
    pub damaged: Vec<Damage>,
}

/// Copies what is durable of the ledger in `dir` into `out`: a folder that is missing, empty, or an
/// earlier copy of the same ledger.
///
/// # Errors
/// [`TransferError`]; the earlier copy is then whole, with more or less of what is new.
pub fn backup(
    dir: impl AsRef<Path>,
    out: impl AsRef<Path>,
    watch: &mut TransferWatch<'_>,
) -> Result<BackupReport, TransferError> {
    backup_on(Arc::new(OsDisk), dir.as_ref(), out.as_ref(), watch)
}

/// [`backup`] on another [`Disk`].
///
/// # Errors
/// As [`backup`].
pub fn backup_on(
    disk: Arc<dyn Disk>,
    dir: &Path,
    out: &Path,
    watch: &mut TransferWatch<'_>,
) -> Result<BackupReport, TransferError> {
    if dir.starts_with(out) || out.starts_with(dir) {
        return Err(TransferError::IntoItself { dir: dir.to_owned(), out: out.to_owned() });
    }
    let snapshot = sound_snapshot(&*disk, dir)?;
    durable::create_dirs(&*disk, out).during("create", out)?;
    if !is_ledger(&*disk, out) {
        check_free(&*disk, out)?;
    }
    let lock_path = out.join(BACKUP_LOCK);
    let _lock = disk.lock(&lock_path).during("lock", &lock_path)?;
    let is_fresh = !is_ledger(&*disk, out);
    let log = open_copy(&disk, &snapshot, out)?;
    let previous_entries = (!is_fresh).then(|| log.entries());
    let report = BackupReport {
        ledger_id: snapshot.ledger_id(),
        entries: log.entries(),
        head: log.head(),
        previous_entries,
        log_bytes: 0,
        checkpoints: 0,
        blobs: 0,
        blob_bytes: 0,
        blobs_present: 0,
        // Bytes that came back to the copy went when it was opened.
        blobs_erased: log.recovery.redone_erasures,
        damaged: Vec::new(),
    };
    let mut work = Work { disk: &disk, dir, out, snapshot: &snapshot, report, watch };
    work.blobs()?;
    work.entries(log)?;
    work.erase()?;
    work.checkpoints()?;
    Ok(work.report)
}

/// What is durable now, if nothing is wrong with it.
fn sound_snapshot(disk: &dyn Disk, dir: &Path) -> Result<Snapshot, TransferError> {
    let snapshot = Snapshot::open_on(disk, dir)?;
    if let Some(damage) = snapshot.damage().first() {
        return Err(LedgerError::Damaged(damage.clone()).into());
    }
    match snapshot.end() {
        LogEnd::Published => Ok(snapshot),
        LogEnd::NotAnchored => Err(TransferError::NotAnchored(dir.to_owned())),
    }
}

/// A folder that is no ledger must hold nothing but what an interrupted first backup leaves.
fn check_free(disk: &dyn Disk, out: &Path) -> Result<(), TransferError> {
    let names = disk.list(out).during("list", out)?;
    let is_ours = |name: &String| name == BACKUP_LOCK || crate::ledger::is_unfinished_init(name);
    if names.iter().all(is_ours) { Ok(()) } else { Err(LedgerError::NotEmpty(out.to_owned()).into()) }
}

/// The log of the copy, which is the beginning of the ledger's; a new one has the first entry.
fn open_copy(disk: &Arc<dyn Disk>, snapshot: &Snapshot, out: &Path) -> Result<Log, TransferError> {
    let failed = |fault| TransferError::of_fault(snapshot.dir(), fault);
    if !is_ledger(&**disk, out) {
        let record = snapshot.genesis().map_err(failed)?;
        let first = snapshot.entry(Seq::GENESIS).map_err(failed)?;
        let (created_at_ms, format) =
            first.map_or((0, FORMAT_VERSION), |entry| (entry.header.recorded_at_ms, entry.header.format));
        let genesis = Genesis { ledger_id: record.ledger_id, origin: record.origin, created_at_ms };
        Ledger::init_within(&**disk, out, &genesis, format)?;
    }
    let log = Log::open(Arc::clone(disk), out)?;
    let (expected, found) = (snapshot.ledger_id(), log.ledger_id());
    if expected != found {
        return Err(TransferError::OtherLedger { out: out.to_owned(), expected, found });
    }
    let (entries, copied) = (snapshot.entries(), log.entries());
    let size = entries.min(copied);
    let last = Seq::new(size.saturating_sub(1));
    let header = snapshot.header_bytes(last).map_err(failed)?;
    if log.leaf(last)? != header.map(|header| LeafHash::of_header(&header)) {
        return Err(TransferError::Fork { out: out.to_owned(), size });
    }
    if copied > entries {
        return Err(TransferError::Ahead { out: out.to_owned(), copied, entries });
    }
    Ok(log)
}

struct Work<'a, 'w> {
    disk: &'a Arc<dyn Disk>,
    dir: &'a Path,
    out: &'a Path,
    snapshot: &'a Snapshot,
    report: BackupReport,
    watch: &'a mut TransferWatch<'w>,
}

impl Work<'_, '_> {
    /// The payloads that the copy lacks. Listed behind the snapshot: whatever its entries name was kept
    /// before them.
    fn blobs(&mut self) -> Result<(), TransferError> {
        let from = Blobs::within(Arc::clone(self.disk), self.dir);
        let to = Blobs::within(Arc::clone(self.disk), self.out);
        to.clear_unfinished()?;
        let erasures = self.snapshot.erasures()?;
        let mut synced = None;
        for name in from.names() {
            let name = name?;
            if erasures.of_blob(&name).is_some() {
                continue;
            }
            let done = self.report.blobs + self.report.blobs_present;
            tell(self.watch, TransferStage::Payloads, done, None)?;
            self.blob(&from, &to, &name, &mut synced)?;
        }
        Ok(to.clear_unfinished()?)
    }

    fn blob(
        &mut self,
        from: &Blobs,
        to: &Blobs,
        name: &Sha256Digest,
        synced: &mut Option<u8>,
    ) -> Result<(), TransferError> {
        // Names are listed and opened one after the other: one may be gone by now.
        let Some(OpenBlob { file, path }) = from.open_named(name)? else { return Ok(()) };
        let length = file.len().during("read", &path)?;
        if to.length_of(name)? == Some(length) {
            // An interrupted backup may have come to the name and not to its sync.
            let folder = name.as_bytes().first().copied();
            if *synced != folder {
                to.sync_folder_of(name)?;
                *synced = folder;
            }
            self.report.blobs_present += 1;
            return Ok(());
        }
        let stored = to.put_file(file, name)?;
        if stored.name == *name {
            self.report.blobs += 1;
            self.report.blob_bytes += stored.size_bytes;
        } else {
            self.report.damaged.push(from.damage(name, stored.size_bytes, &stored.name));
        }
        Ok(())
    }

    /// The entries that the copy lacks, in segments that begin where the ledger's do.
    fn entries(&mut self, mut log: Log) -> Result<(), TransferError> {
        let (from, to) = (log.entries(), self.snapshot.entries());
        let mut group = Group::default();
        let Work { snapshot, report, watch, .. } = self;
        walk(snapshot, from..to, &mut |walked| {
            if walked.begins_segment {
                group.flush(&mut log)?;
                group.begins_segment = true;
            }
            report.log_bytes += walked.frame.len() as u64;
            group.push(Given {
                header: walked.found.header.clone(),
                leaf: walked.found.leaf,
                body: walked.body.to_vec(),
                frame: walked.frame.to_vec(),
            });
            if group.is_full() {
                group.flush(&mut log)?;
            }
            tell(*watch, TransferStage::Entries, walked.found.header.seq.get() + 1, Some(to))
        })?;
        group.flush(&mut log)?;
        // The mark is written without a sync; after a power cut the copy may not be shorter than was said.
        let mark = self.out.join(MARK_FILE);
        MarkFile::open(&**self.disk, self.out).and_then(|file| file.sync()).during("sync", &mark)?;
        (self.report.entries, self.report.head) = (log.entries(), log.head());
        Ok(())
    }

    /// Takes away what the entries of the copy erased.
    fn erase(&mut self) -> Result<(), TransferError> {
        let erasures = self.snapshot.erasures()?;
        let copied = Blobs::within(Arc::clone(self.disk), self.out);
        self.report.blobs_erased += copied.remove_all(erasures.blobs().map(|(name, _)| name))?;
        Eraser::within(&**self.disk, self.out).redo(erasures.blobs())?;
        Ok(())
    }

    fn checkpoints(&mut self) -> Result<(), TransferError> {
        let disk = &**self.disk;
        let kept = checkpoints::all(disk, self.dir)?;
        let within: Vec<_> = kept.into_iter().filter(|kept| kept.size <= self.report.entries).collect();
        if within.is_empty() {
            return Ok(());
        }
        let failed = |fault| TransferError::of_fault(self.dir, fault);
        let keys = self.snapshot.key_list().map_err(failed)?;
        let folder = self.out.join(CHECKPOINTS_DIR);
        durable::create_dirs(disk, &folder).during("create", &folder)?;
        for kept in within {
            let path = checkpoint_path(self.out, kept.size);
            if self.is_copied(&kept, &path)? {
                continue;
            }
            let size = kept.size;
            frontier_of(self.snapshot, &keys, &kept)
                .map_err(|source| TransferError::Checkpoint { size, source: Box::new(source) })?;
            durable::write_file(disk, &path, |file| file.write_all_at(&kept.note, 0))
                .during("write", &path)?;
            self.report.checkpoints += 1;
        }
        disk.sync_dir(&folder).during("sync", &folder)?;
        Ok(())
    }

    /// Whether the copy has this very note; it may lack signatures of it, and has no other text.
    fn is_copied(&self, kept: &KeptCheckpoint, path: &Path) -> Result<bool, TransferError> {
        if !self.disk.exists(path) {
            return Ok(false);
        }
        let copied = checkpoints::read(&**self.disk, self.out, kept.size).during("read", path)?;
        if copied.note == kept.note {
            return Ok(true);
        }
        let text = |note: &[u8]| Note::parse(note).ok().map(|note| note.text().to_owned());
        match text(&copied.note) {
            // A copy that is no note any more is mended.
            Some(copied) if text(&kept.note).as_ref() != Some(&copied) => {
                Err(TransferError::OtherCheckpoint { out: self.out.to_owned(), size: kept.size })
            }
            _ => Ok(false),
        }
    }
}

/// Entries that share a sync.
#[derive(Default)]
struct Group {
    given: Vec<Given>,
    bytes: usize,
    begins_segment: bool,
}

impl Group {
    fn push(&mut self, given: Given) {
        self.bytes += given.frame.len();
        self.given.push(given);
    }

    fn is_full(&self) -> bool {
        self.given.len() >= GROUP_RECORDS || self.bytes >= GROUP_BYTES
    }

    fn flush(&mut self, log: &mut Log) -> Result<(), TransferError> {
        let group = std::mem::take(self);
        if group.given.is_empty() {
            self.begins_segment = group.begins_segment;
            return Ok(());
        }
        // Segments are as long as those that are copied.
        let options = Options { segment_bytes: u64::MAX, ..Options::default() };
        log.take_given(&group.given, Belief::Chain, group.begins_segment, &options)
            .map_err(|error| TransferError::of_given(error, None))
    }
}
