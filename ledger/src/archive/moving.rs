//! Moves sealed segments out of a ledger. For each, in this order, so that a crash between any two steps
//! loses nothing and the next opening finds a whole ledger:
//!
//! 1. every frame, link and body of the segment is checked;
//! 2. the segment is copied into the archive under a temporary name, synced, renamed, the folder synced,
//!    and then its manifest in the same way;
//! 3. the copy is read back and checked against what was read before;
//! 4. what stays is written beside the segment, synced, renamed, the folder synced, and read back;
//! 5. the segment is removed, the folder synced.
//!
//! Between 4 and 5 both are there: readers use the segment, and the next writer to open the ledger takes
//! the other file away. Writers wait during 4 and 5 alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proofline_canon::Sha256Digest;
use proofline_proof::Seq;
use proofline_trace::LedgerId;

use crate::disk::{Access, Disk, DiskFile, OsDisk};
use crate::durable;
use crate::error::{Damage, IoContext, LedgerError};
use crate::ledger::is_ledger;
use crate::log::LOCK_FILE;
use crate::mark::{MARK_FILE, MarkFile};
use crate::recovery::{Recovery, copy, settle};
use crate::segment::segment_name;
use crate::segments::{LOG_DIR, Segment, Segments, read_error};

use super::check::{Digests, Whole, check_segment, read_whole};
use super::manifest::Manifest;
use super::stub::{MAX_PLACE_BYTES, Stub, StubHead, stub_name};
use super::{ARCHIVE_LOCK, ArchiveFault};

/// What is to be archived, and where.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveOrder<'a> {
    /// Segments go whose entries are all below this one. The open segment never goes.
    pub before: Seq,
    /// The folder that takes them; it is made if it is not there.
    pub out: &'a Path,
    /// Where they go, for whoever will look for them: kept in the ledger as it stands.
    pub place: &'a str,
    /// The caller's clock, Unix milliseconds.
    pub now_ms: u64,
}

/// How far an archiving is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveProgress {
    /// Bytes of segments done.
    pub done_bytes: u64,
    /// Bytes of all segments that go.
    pub total_bytes: u64,
}

/// A segment that was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedSegment {
    /// Its first entry.
    pub first_seq: Seq,
    /// How many entries it has.
    pub entries: u64,
    /// Bytes of its file.
    pub segment_bytes: u64,
    /// Bytes of what stays of it in the ledger, when it left; of what it took the place of, when it came back.
    pub stub_bytes: u64,
    /// SHA-256 of its file.
    pub sha256: Sha256Digest,
}

/// What an archiving did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveReport {
    /// The ledger's id.
    pub ledger_id: LedgerId,
    /// Segments that went, in order.
    pub moved: Vec<MovedSegment>,
    /// What opening the ledger had to mend.
    pub recovery: Recovery,
}

/// Moves the sealed segments of the ledger in `dir` whose entries are all below `order.before` out.
///
/// # Errors
/// When there is no ledger, it or a segment that is to go is damaged, the folder is no place for it, or
/// the system refuses a call. Segments that went before are archived then, and running it again goes on.
pub fn archive(
    dir: impl AsRef<Path>,
    order: &ArchiveOrder<'_>,
    progress: &mut dyn FnMut(ArchiveProgress),
) -> Result<ArchiveReport, LedgerError> {
    archive_on(&OsDisk, dir.as_ref(), order, progress)
}

/// [`archive`] on another [`Disk`].
///
/// # Errors
/// As [`archive`].
pub fn archive_on(
    disk: &dyn Disk,
    dir: &Path,
    order: &ArchiveOrder<'_>,
    progress: &mut dyn FnMut(ArchiveProgress),
) -> Result<ArchiveReport, LedgerError> {
    if order.place.len() > MAX_PLACE_BYTES {
        let (found, most) = (order.place.len() as u64, MAX_PLACE_BYTES as u64);
        return Err(LedgerError::Option {
            option: "the text that says where segments go",
            found,
            least: 0,
            most,
        });
    }
    crate::load::segment_seqs(disk, dir)?; // no lock file appears where there is no ledger
    let archive_lock = dir.join(ARCHIVE_LOCK);
    let _archiving = disk.lock(&archive_lock).during("lock", &archive_lock)?;
    let lock_path = dir.join(LOCK_FILE);
    let lock = disk.lock(&lock_path).during("lock", &lock_path)?;
    let settled = settle(disk, dir, &std::collections::HashMap::new())?;
    // A mark that the power took back must not name a segment that has gone.
    let mark_path = dir.join(MARK_FILE);
    MarkFile::open(disk, dir).and_then(|file| file.sync()).during("sync", &mark_path)?;
    drop(lock);
    let origin = settled.segments.genesis().map_err(|fault| read_error(dir, fault))?.origin.to_string();
    let going = going(&settled.segments, order.before);
    let mut moving = Moving { disk, dir, order, ledger_id: settled.ledger_id, origin, moved: Vec::new() };
    if !going.is_empty() {
        moving.prepare()?;
    }
    let sizes: Result<Vec<u64>, LedgerError> =
        going.iter().map(|(segment, _)| moving.length(segment)).collect();
    let sizes = sizes?;
    let (mut done_bytes, total_bytes) = (0, sizes.iter().sum());
    for ((segment, head), size) in going.iter().zip(&sizes) {
        progress(ArchiveProgress { done_bytes, total_bytes });
        moving.move_out(segment, head)?;
        done_bytes += size;
    }
    progress(ArchiveProgress { done_bytes, total_bytes });
    Ok(ArchiveReport { ledger_id: settled.ledger_id, moved: moving.moved, recovery: settled.recovery })
}

/// The segments that go, each with the header of the one behind it.
fn going(segments: &Segments, before: Seq) -> Vec<(&Segment, &Segment)> {
    let pairs = segments.list.iter().zip(segments.list.iter().skip(1));
    pairs.filter(|(segment, next)| segment.stub.is_none() && next.header.first_seq <= before).collect()
}

struct Moving<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    order: &'a ArchiveOrder<'a>,
    ledger_id: LedgerId,
    origin: String,
    moved: Vec<MovedSegment>,
}

impl Moving<'_> {
    fn prepare(&self) -> Result<(), LedgerError> {
        let out = self.order.out;
        if is_ledger(self.disk, out) || self.is_inside_ledger() {
            return Err(ArchiveFault::IntoLedger(out.to_owned()).into());
        }
        durable::create_dirs(self.disk, out).during("create", out)?;
        match Manifest::all(self.disk, out) {
            Ok(found) => found.into_iter().try_for_each(|(_, manifest)| {
                manifest
                    .and_then(|manifest| manifest.of_ledger(self.ledger_id))
                    .map(|_| ())
                    .map_err(Into::into)
            }),
            Err(LedgerError::Archive(ArchiveFault::NotAnArchive(_))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn is_inside_ledger(&self) -> bool {
        self.order.out.starts_with(self.dir)
    }

    fn segment_path(&self, segment: &Segment) -> PathBuf {
        self.dir.join(LOG_DIR).join(segment_name(segment.header.first_seq))
    }

    fn length(&self, segment: &Segment) -> Result<u64, LedgerError> {
        segment.file.len().during("read", &self.segment_path(segment))
    }

    fn move_out(&mut self, segment: &Segment, next: &Segment) -> Result<(), LedgerError> {
        let path = self.segment_path(segment);
        let (manifest, whole) = self.examine(segment, next, &path)?;
        self.copy_out(&manifest, &*segment.file)?;
        let head = StubHead {
            segment: segment.header,
            entries: whole.stub.entries(),
            segment_bytes: manifest.segment_bytes,
            segment_sha256: manifest.sha256,
            head: manifest.head,
            archived_at_ms: self.order.now_ms,
            place: self.order.place.to_owned(),
        };
        let too_long = LedgerError::Option {
            option: "segment_bytes",
            found: manifest.segment_bytes,
            least: 1,
            most: u64::from(u32::MAX),
        };
        let stub = whole.stub.finish(&head).ok_or(too_long)?;
        self.exchange(&stub, &path)?;
        self.moved.push(MovedSegment {
            first_seq: manifest.first_seq,
            entries: manifest.entries,
            segment_bytes: manifest.segment_bytes,
            stub_bytes: stub.len() as u64,
            sha256: Sha256Digest::from_bytes(manifest.sha256),
        });
        Ok(())
    }

    /// Step 1.
    fn examine(
        &self,
        segment: &Segment,
        next: &Segment,
        path: &Path,
    ) -> Result<(Manifest, Whole), LedgerError> {
        let digests = Digests::of(&*segment.file).during("read", path)?;
        let whole = read_whole(path, Arc::clone(&segment.file), segment.header, digests.bytes)?
            .map_err(|damage| self.damaged(damage))?;
        let ends_right = whole.leaves.len() as u64 == segment.entries
            && whole.leaves.last().copied() == next.header.previous_leaf;
        let Some(head) = whole.leaves.last().copied().filter(|_| ends_right) else {
            let message = "the segment does not end where the next one begins".to_owned();
            let file = format!("{LOG_DIR}/{}", segment_name(segment.header.first_seq));
            let seq = Some(next.header.first_seq);
            return Err(LedgerError::Damaged(Damage {
                code: "log.truncated",
                file,
                offset: None,
                seq,
                message,
            }));
        };
        let manifest = Manifest {
            ledger_id: self.ledger_id,
            origin: self.origin.clone(),
            first_seq: segment.header.first_seq,
            entries: segment.entries,
            segment_bytes: digests.bytes,
            sha256: digests.sha256,
            blake3: digests.blake3,
            previous_leaf: segment.header.previous_leaf,
            head,
        };
        Ok((manifest, whole))
    }

    fn damaged(&self, damage: Damage) -> LedgerError {
        let file = if damage.file.contains('/') { damage.file } else { format!("{LOG_DIR}/{}", damage.file) };
        LedgerError::Damaged(Damage { file, ..damage })
    }

    /// Steps 2 and 3. A copy that is there already, of an archiving that was cut off or of one whose
    /// segment came back since, must be the same.
    fn copy_out(&self, manifest: &Manifest, from: &dyn DiskFile) -> Result<(), LedgerError> {
        let out = self.order.out;
        let path = out.join(manifest.file());
        if self.disk.exists(&path) {
            let file = self.disk.open(&path, Access::Read).during("open", &path)?;
            let found = Digests::of(&*file).during("read", &path)?;
            if found != Digests::stated(manifest) {
                return Err(ArchiveFault::Occupied(manifest.file()).into());
            }
        } else {
            let end = manifest.segment_bytes;
            durable::write_file(self.disk, &path, |file| copy(from, 0, end, file, 0))
                .during("write", &path)?;
        }
        manifest.write(self.disk, out)?;
        // Whoever renamed the copy may have been cut off before the folder was synced.
        self.disk.sync_dir(out).during("sync", out)?;
        let written = Manifest::read(self.disk, out, manifest.first_seq)?;
        if written.as_ref() != Some(manifest) {
            return Err(ArchiveFault::Missing(super::manifest::manifest_name(manifest.first_seq)).into());
        }
        check_segment(self.disk, out, manifest).map(|_| ())
    }

    /// Steps 4 and 5, under the log's lock.
    fn exchange(&self, stub: &[u8], segment_path: &Path) -> Result<(), LedgerError> {
        let lock_path = self.dir.join(LOCK_FILE);
        let _lock = self.disk.lock(&lock_path).during("lock", &lock_path)?;
        let log = self.dir.join(LOG_DIR);
        let first_seq = segment_path.file_name().and_then(|name| name.to_str());
        let first_seq = first_seq.and_then(crate::segment::parse_segment_name).unwrap_or(Seq::GENESIS);
        let path = log.join(stub_name(first_seq));
        durable::write_file(self.disk, &path, |file| file.write_all_at(stub, 0)).during("write", &path)?;
        self.read_back(&path, stub)?;
        self.disk.remove(segment_path).during("remove", segment_path)?;
        self.disk.sync_dir(&log).during("sync", &log)
    }

    fn read_back(&self, path: &Path, expected: &[u8]) -> Result<(), LedgerError> {
        let file = self.disk.open(path, Access::Read).during("open", path)?;
        let mut found = vec![0; expected.len()];
        let count = durable::read_full_at(&*file, &mut found, 0).during("read", path)?;
        let same = count == expected.len() && found == expected;
        match Stub::read(file).during("read", path)? {
            Ok(stub) if same && stub.has_right_digest().during("read", path)? => Ok(()),
            _ => Err(LedgerError::Damaged(Damage {
                code: "archive.stub_checksum",
                file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                offset: None,
                seq: None,
                message: "what was written is not what is there".to_owned(),
            })),
        }
    }
}

impl Digests {
    fn stated(manifest: &Manifest) -> Self {
        Digests { bytes: manifest.segment_bytes, sha256: manifest.sha256, blake3: manifest.blake3 }
    }
}
