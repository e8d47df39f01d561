//! Brings archived segments back, in this order: the segment in the archive is checked as a whole and
//! against the ledger; it is copied into the log under a temporary name, synced, read back, renamed, the
//! folder synced; what stayed in its place is removed, the folder synced. Cut off in between, the next
//! opening does the rest. The archive is only read.

use std::path::Path;

use proofline_canon::Sha256Digest;
use proofline_proof::{LeafHash, Seq};
use proofline_trace::LedgerId;

use crate::disk::{Access, Disk, OsDisk};
use crate::durable::{self, unfinished};
use crate::error::{Damage, IoContext, LedgerError};
use crate::load::{open_segment, segment_seqs};
use crate::log::LOCK_FILE;
use crate::recovery::{Recovery, copy, settle};
use crate::segment::segment_name;
use crate::segments::LOG_DIR;

use super::check::{Digests, check_segment};
use super::manifest::Manifest;
use super::moving::{ArchiveProgress, MovedSegment};
use super::stub::{Stub, parse_stub_name, stub_name};
use super::{ARCHIVE_LOCK, ArchiveFault};

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    /// The ledger's id.
    pub ledger_id: LedgerId,
    /// Segments that came back, in order.
    pub restored: Vec<MovedSegment>,
    /// First entries of segments whose place held something else than these segments give: a
    /// stub that was damaged or changed. The segment, which the chain of the log vouches for, took its place.
    pub mended: Vec<Seq>,
    /// Segments that are archived still, because this archive does not have them.
    pub still_archived: u64,
    /// What opening the ledger had to mend.
    pub recovery: Recovery,
}

/// Brings every segment back that the archive `out` has and the ledger in `dir` lacks.
///
/// # Errors
/// When there is no ledger or no archive, a segment is damaged or of another ledger, or the system
/// refuses a call. Segments before it are back then, and running it again goes on.
pub fn restore(
    dir: impl AsRef<Path>,
    out: impl AsRef<Path>,
    progress: &mut dyn FnMut(ArchiveProgress),
) -> Result<RestoreReport, LedgerError> {
    restore_on(&OsDisk, dir.as_ref(), out.as_ref(), progress)
}

/// [`restore`] on another [`Disk`].
///
/// # Errors
/// As [`restore`].
pub fn restore_on(
    disk: &dyn Disk,
    dir: &Path,
    out: &Path,
    progress: &mut dyn FnMut(ArchiveProgress),
) -> Result<RestoreReport, LedgerError> {
    segment_seqs(disk, dir)?; // no lock file appears where there is no ledger
    let archive_lock = dir.join(ARCHIVE_LOCK);
    let _archiving = disk.lock(&archive_lock).during("lock", &archive_lock)?;
    let lock_path = dir.join(LOCK_FILE);
    let _lock = disk.lock(&lock_path).during("lock", &lock_path)?;
    let mut restoring = Restoring { disk, dir, out, restored: Vec::new(), mended: Vec::new() };
    let (wanted, missing) = restoring.wanted()?;
    let (mut done_bytes, total_bytes) = (0, wanted.iter().map(|manifest| manifest.segment_bytes).sum());
    for manifest in &wanted {
        progress(ArchiveProgress { done_bytes, total_bytes });
        restoring.bring_back(manifest, &wanted)?;
        done_bytes += manifest.segment_bytes;
    }
    progress(ArchiveProgress { done_bytes, total_bytes });
    let settled = settle(disk, dir, &std::collections::HashMap::new())?;
    Ok(RestoreReport {
        ledger_id: settled.ledger_id,
        restored: restoring.restored,
        mended: restoring.mended,
        still_archived: missing,
        recovery: settled.recovery,
    })
}

struct Restoring<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    out: &'a Path,
    restored: Vec<MovedSegment>,
    mended: Vec<Seq>,
}

impl Restoring<'_> {
    /// The manifests of what can come back, and how many archived segments the archive does not have.
    fn wanted(&self) -> Result<(Vec<Manifest>, u64), LedgerError> {
        let ledger_id = self.ledger_id()?;
        for (_, manifest) in Manifest::all(self.disk, self.out)? {
            let manifest = manifest.map_err(LedgerError::from)?;
            if let Some(ledger_id) = ledger_id {
                manifest.of_ledger(ledger_id).map_err(LedgerError::from)?;
            }
        }
        let log = self.dir.join(LOG_DIR);
        let names = self.disk.list(&log).during("list", &log)?;
        let (mut wanted, mut missing) = (Vec::new(), 0);
        for seq in names.iter().filter_map(|name| parse_stub_name(name)) {
            if self.disk.exists(&log.join(segment_name(seq))) {
                continue;
            }
            match Manifest::read(self.disk, self.out, seq)? {
                Some(manifest) => wanted.push(manifest),
                None => missing += 1,
            }
        }
        Ok((wanted, missing))
    }

    /// The ledger's id, as its first readable segment has it.
    fn ledger_id(&self) -> Result<Option<LedgerId>, LedgerError> {
        let ids = segment_seqs(self.disk, self.dir)?.into_iter().map(|seq| {
            match open_segment(self.disk, self.dir, seq, Access::Read) {
                Ok(file) => Ok(Some(file.header.ledger_id)),
                Err(LedgerError::Damaged(_)) => Ok(None),
                Err(error) => Err(error),
            }
        });
        ids.filter_map(Result::transpose).next().transpose()
    }

    fn bring_back(&mut self, manifest: &Manifest, wanted: &[Manifest]) -> Result<(), LedgerError> {
        let whole = check_segment(self.disk, self.out, manifest)?;
        let (stub_bytes, is_same) = self.compare(manifest, whole.stub)?;
        self.check_next(manifest, wanted)?;
        let log = self.dir.join(LOG_DIR);
        let path = log.join(segment_name(manifest.first_seq));
        let temporary = unfinished(&path);
        let file = durable::start_file(self.disk, &temporary).during("create", &temporary)?;
        copy(&*whole.file, 0, manifest.segment_bytes, &*file, 0).during("write", &temporary)?;
        file.sync().during("sync", &temporary)?;
        let written = Digests::of(&*file).during("read", &temporary)?;
        if (written.bytes, written.sha256) != (manifest.segment_bytes, manifest.sha256) {
            return Err(self.fault(manifest, "archive.digest", "what was written is not what is there"));
        }
        self.disk.rename(&temporary, &path).during("rename", &temporary)?;
        self.disk.sync_dir(&log).during("sync", &log)?;
        let stub = log.join(stub_name(manifest.first_seq));
        self.disk.remove(&stub).during("remove", &stub)?;
        self.disk.sync_dir(&log).during("sync", &log)?;
        if !is_same {
            self.mended.push(manifest.first_seq);
        }
        self.restored.push(MovedSegment {
            first_seq: manifest.first_seq,
            entries: manifest.entries,
            segment_bytes: manifest.segment_bytes,
            stub_bytes,
            sha256: Sha256Digest::from_bytes(manifest.sha256),
        });
        Ok(())
    }

    fn fault(&self, manifest: &Manifest, code: &'static str, message: &str) -> LedgerError {
        let (file, seq) = (manifest.file(), Some(manifest.first_seq));
        let message = message.to_owned();
        ArchiveFault::Damaged(Damage { code, file, offset: None, seq, message }).into()
    }

    /// The length of what stands in the segment's place, and whether it is what the segment gives. One
    /// that can be read must be of this very segment.
    fn compare(
        &self,
        manifest: &Manifest,
        again: super::stub::StubBuilder,
    ) -> Result<(u64, bool), LedgerError> {
        let path = self.dir.join(LOG_DIR).join(stub_name(manifest.first_seq));
        let file = self.disk.open(&path, Access::Read).during("open", &path)?;
        let length = file.len().during("read", &path)?;
        let Ok(stub) = Stub::read(std::sync::Arc::clone(&file)).during("read", &path)? else {
            return Ok((length, false));
        };
        let head = &stub.head;
        let stated = (head.segment.first_seq, head.segment_sha256, head.head, head.segment.previous_leaf);
        if stated != (manifest.first_seq, manifest.sha256, manifest.head, manifest.previous_leaf) {
            let message = "the ledger archived another segment of this number";
            return Err(self.fault(manifest, "archive.other_entry", message));
        }
        let expected = again.finish(head).unwrap_or_default();
        let mut found = vec![0; expected.len()];
        let count = durable::read_full_at(&*file, &mut found, 0).during("read", &path)?;
        Ok((length, count == expected.len() && length == expected.len() as u64 && found == expected))
    }

    /// The next segment carries the leaf hash of the last entry of this one.
    fn check_next(&self, manifest: &Manifest, wanted: &[Manifest]) -> Result<(), LedgerError> {
        let next = Seq::new(manifest.first_seq.get().saturating_add(manifest.entries));
        let carried: Option<LeafHash> = match open_segment(self.disk, self.dir, next, Access::Read) {
            Ok(file) => file.header.previous_leaf,
            Err(LedgerError::Damaged(damage)) => {
                let other = wanted.iter().find(|other| other.first_seq == next);
                other.ok_or(LedgerError::Damaged(damage))?.previous_leaf
            }
            Err(error) => return Err(error),
        };
        if carried == Some(manifest.head) {
            return Ok(());
        }
        let message = "the next segment of the ledger does not link to this one's last entry";
        Err(self.fault(manifest, "log.link", message))
    }
}
