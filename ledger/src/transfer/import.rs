//! Makes a ledger of a stream, believing nothing in it: the gate decides every entry again and must come
//! to the same bytes, every checkpoint must have the tree's root under the ledger's own keys, every
//! payload its name. The folder becomes a ledger when all of it is durable, or not at all.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use proofline_canon::Sha256Digest;
use proofline_proof::header::EntryStatus;
use proofline_proof::{KeyList, LeafHash, MAX_NOTE_BYTES, Seq};
use proofline_trace::{EnvelopeHash, LedgerId, Origin};

use crate::action::Options;
use crate::blobs::{Blobs, Eraser};
use crate::checkpoints::{CHECKPOINTS_DIR, KeptCheckpoint, checkpoint_path, frontier_of};
use crate::disk::{Disk, OsDisk};
use crate::durable;
use crate::error::IoContext;
use crate::frame::{FrameLengths, LENGTHS_BYTES};
use crate::ledger::{Genesis, Ledger};
use crate::log::{Belief, Given, Log};
use crate::snapshot::Snapshot;
use crate::verify::read_genesis;

use super::error::TransferError;
use super::stream::{Counts, Head, Part, StreamReader, Tag};
use super::unfinished::Unfinished;
use super::{TransferStage, TransferWatch, tell};

/// What was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportReport {
    /// The ledger's id.
    pub ledger_id: LedgerId,
    /// The ledger's origin.
    pub origin: Origin,
    /// Entries.
    pub entries: u64,
    /// Leaf hash of the last one.
    pub head: LeafHash,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Whether the stream was to carry payloads.
    pub carries_blobs: bool,
    /// Payloads.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// The hash at the end of the stream, of all before it.
    pub sha256: Sha256Digest,
}

/// Makes a ledger in the new or empty folder `dir` of what an export wrote.
///
/// # Errors
/// [`TransferError`]; then there is no ledger, and nothing of one.
pub fn import(
    source: &mut dyn Read,
    dir: impl AsRef<Path>,
    options: &Options,
    watch: &mut TransferWatch<'_>,
) -> Result<ImportReport, TransferError> {
    import_on(Arc::new(OsDisk), source, dir.as_ref(), options, watch)
}

/// [`import`] onto another [`Disk`].
///
/// # Errors
/// As [`import`].
pub fn import_on(
    disk: Arc<dyn Disk>,
    source: &mut dyn Read,
    dir: &Path,
    options: &Options,
    watch: &mut TransferWatch<'_>,
) -> Result<ImportReport, TransferError> {
    options.check()?;
    let mut stream = StreamReader::new(source);
    let head = stream.head()?;
    let folder = Unfinished::begin(&*disk, dir)?;
    let work_dir = folder.work_dir();
    let work = Work { disk: &disk, dir, work_dir: &work_dir, options, stream, head, watch };
    let made = work.run().and_then(|report| Ok(folder.publish().map(|()| report)?));
    if made.is_err() {
        folder.abandon();
    }
    made
}

struct Work<'a, 's, 'w> {
    disk: &'a Arc<dyn Disk>,
    dir: &'a Path,
    work_dir: &'a Path,
    options: &'a Options,
    stream: StreamReader<'s>,
    head: Head,
    watch: &'a mut TransferWatch<'w>,
}

impl Work<'_, '_, '_> {
    fn run(mut self) -> Result<ImportReport, TransferError> {
        self.entries()?;
        let (counts, sha256) = self.rest()?;
        let Head { ledger_id, origin, leaf: head, carries_blobs, entries } = self.head;
        let Counts { checkpoints, blobs, blob_bytes, .. } = counts;
        Ok(ImportReport {
            ledger_id,
            origin,
            entries,
            head,
            checkpoints,
            carries_blobs,
            blobs,
            blob_bytes,
            sha256,
        })
    }

    /// All entries, in groups of which each is durable before the next.
    fn entries(&mut self) -> Result<(), TransferError> {
        let mut log = self.genesis()?;
        let mut group = Vec::new();
        let (mut group_bytes, mut group_at) = (0, self.stream.position);
        for seq in 1..self.head.entries {
            let given = match self.given(Seq::new(seq)) {
                Ok(given) => given,
                Err(error) => {
                    // What is wrong with an entry before it is told first.
                    self.take(&mut log, &group, group_at)?;
                    return Err(error);
                }
            };
            group_bytes += given.frame.len();
            group.push(given);
            if group.len() >= self.options.group_records || group_bytes >= self.options.group_bytes {
                self.take(&mut log, &group, group_at)?;
                group.clear();
                (group_bytes, group_at) = (0, self.stream.position);
            }
            tell(self.watch, TransferStage::Entries, seq + 1, Some(self.head.entries))?;
        }
        self.take(&mut log, &group, group_at)?;
        if log.head() != self.head.leaf {
            let what = format!("its entries end in {}, its head says {}", log.head(), self.head.leaf);
            return self.stream.form(what);
        }
        Ok(())
    }

    /// Lets the gate decide a group that begins at a place in the stream.
    fn take(&self, log: &mut Log, group: &[Given], begin: u64) -> Result<(), TransferError> {
        log.take_given(group, Belief::Gate, false, self.options).map_err(|error| {
            let error = TransferError::of_given(error, Some(begin));
            let TransferError::Entry { code, seq, message, .. } = error else { return error };
            let before = group.iter().take_while(|given| given.header.seq != seq);
            let at = before.fold(begin, |at, given| at + 1 + given.frame.len() as u64);
            TransferError::Entry { code, seq, at: Some(at), message }
        })
    }

    /// The next entry as it stands in the stream.
    fn given(&mut self, seq: Seq) -> Result<Given, TransferError> {
        let at = self.stream.position;
        if self.stream.tag()? != Tag::Entry {
            return Err(TransferError::Form { at, what: format!("entry {seq} is expected here") });
        }
        let refused = |fault: crate::frame::FrameFault| {
            let (code, message) = (fault.code(), fault.to_string());
            TransferError::Entry { code, seq, at: Some(at), message }
        };
        let lengths: [u8; LENGTHS_BYTES] = self.stream.array()?;
        let frame_bytes = FrameLengths::read(&lengths).map_err(refused)?.frame_bytes();
        let mut frame = lengths.to_vec();
        frame.extend(self.stream.bytes(frame_bytes - LENGTHS_BYTES)?);
        Given::read(frame).map_err(refused)
    }

    /// A ledger of the first entry, which has to be that of any ledger of this id and origin.
    fn genesis(&mut self) -> Result<Log, TransferError> {
        if self.head.entries == 0 {
            return self.stream.form("a ledger has at least its genesis entry");
        }
        let at = self.stream.position;
        let given = self.given(Seq::GENESIS)?;
        let refused = |code, message: &str| {
            let (seq, at, message) = (given.header.seq, Some(at), message.to_owned());
            Err(TransferError::Entry { code, seq, at, message })
        };
        if given.header.seq != Seq::GENESIS {
            return refused("log.sequence", "entry 0 is expected here");
        }
        if EnvelopeHash::of(&given.body) != given.header.envelope_hash {
            return refused("body.hash", "its body does not have the hash that its header says");
        }
        let record = read_genesis(&given.body).filter(|_| given.header.status == EntryStatus::Genesis);
        let Some(record) = record else { return refused("body.form", "it is no genesis entry") };
        if (record.ledger_id, &record.origin) != (self.head.ledger_id, &self.head.origin) {
            return refused("log.other_ledger", "it is of another ledger than the stream's head says");
        }
        let created_at_ms = given.header.recorded_at_ms;
        let genesis = Genesis { ledger_id: record.ledger_id, origin: record.origin, created_at_ms };
        Ledger::init_of_format(&**self.disk, self.work_dir, &genesis, given.header.format)?;
        let log = Log::open(Arc::clone(self.disk), self.work_dir)?;
        if log.head() != given.leaf {
            return refused("body.form", "it is not the first entry of a ledger of this id and origin");
        }
        Ok(log)
    }

    /// Checkpoints, payloads, and the end.
    fn rest(&mut self) -> Result<(Counts, Sha256Digest), TransferError> {
        let snapshot = Snapshot::open_on(&**self.disk, self.work_dir)?;
        let keys = snapshot.key_list().map_err(|fault| TransferError::of_fault(self.work_dir, fault))?;
        let erasures = snapshot.erasures()?;
        let blobs = Blobs::within(Arc::clone(self.disk), self.dir);
        let mut counts = Counts { entries: self.head.entries, ..Counts::default() };
        let (mut last_size, mut last_name) = (0, None);
        loop {
            let at = self.stream.position;
            let disorder = |what: &str| Err(TransferError::Form { at, what: what.to_owned() });
            match self.stream.tag()? {
                Tag::Entry => return disorder("its head says that there is no such entry"),
                Tag::Checkpoint if last_name.is_some() => {
                    return disorder("a checkpoint stands behind payloads");
                }
                Tag::Checkpoint => {
                    let size = self.stream.number()?;
                    if size <= last_size {
                        return disorder("checkpoints are not in ascending order of their sizes");
                    }
                    self.checkpoint(&snapshot, &keys, size)?;
                    last_size = size;
                    counts.checkpoints += 1;
                }
                Tag::Blob if !self.head.carries_blobs => {
                    return disorder("its head says that there are no payloads");
                }
                Tag::Blob => {
                    let name = Sha256Digest::from_bytes(self.stream.array()?);
                    if last_name.is_some_and(|last| name <= last) {
                        return disorder("payloads are not in ascending order of their names");
                    }
                    if let Some(seq) = erasures.of_blob(&name) {
                        return Err(TransferError::ErasedPayload { name, seq });
                    }
                    counts.blob_bytes += self.blob(&blobs, &name)?;
                    last_name = Some(name);
                    counts.blobs += 1;
                    tell(self.watch, TransferStage::Payloads, counts.blobs, None)?;
                }
                Tag::End => {
                    let sha256 = self.stream.end(&counts)?;
                    Eraser::within(&**self.disk, self.dir).redo(erasures.blobs())?;
                    return Ok((counts, sha256));
                }
            }
        }
    }

    fn checkpoint(&mut self, snapshot: &Snapshot, keys: &KeyList, size: u64) -> Result<(), TransferError> {
        let at = self.stream.position;
        let length = usize::try_from(self.stream.small_number()?).unwrap_or(usize::MAX);
        if length > MAX_NOTE_BYTES {
            return Err(TransferError::Form { at, what: format!("no note is {length} bytes long") });
        }
        let note = self.stream.bytes(length)?;
        let path = checkpoint_path(self.dir, size);
        let kept = KeptCheckpoint { size, file: String::new(), note };
        frontier_of(snapshot, keys, &kept)
            .map_err(|source| TransferError::Checkpoint { size, source: Box::new(source) })?;
        let (disk, folder) = (&**self.disk, self.dir.join(CHECKPOINTS_DIR));
        durable::create_dirs(disk, &folder).during("create", &folder)?;
        durable::write_file(disk, &path, |file| file.write_all_at(&kept.note, 0)).during("write", &path)?;
        Ok(())
    }

    fn blob(&mut self, blobs: &Blobs, name: &Sha256Digest) -> Result<u64, TransferError> {
        let length = self.stream.number()?;
        let mut part = Part { stream: &mut self.stream, left: length, failed: None };
        let stored = blobs.put_named(&mut part, name);
        if let Some(error) = part.failed {
            return Err(error);
        }
        let stored = stored?;
        if stored.name == *name {
            Ok(length)
        } else {
            Err(TransferError::OtherPayload { name: *name, found: stored.name })
        }
    }
}
