//! Signed checkpoints (C2SP tlog-checkpoint) of a ledger: made, and kept under `checkpoints/`, one
//! note for each size. They are no derived files: without the key nobody makes them again.
//!
//! What a checkpoint is made of is read from the log: the tree of the last kept checkpoint must give
//! its signed root, and every entry since is linked to the one before it and hashed anew. So no
//! index, however it was forged, gets into a signature, and no two checkpoints of a ledger are
//! signed between which there is no consistency proof.

use std::io;
use std::path::{Path, PathBuf};

use proofline_proof::tree::Frontier;
use proofline_proof::{
    Checkpoint, CheckpointError, CheckpointTextError, KeyList, KeyRole, NodeHash, Note, Policy, Seq,
    SignError, Signer, VerifierKey,
};
use thiserror::Error;

use crate::disk::{Access, Disk};
use crate::durable::{self, read_full_at};
use crate::error::{Damage, IoContext, LedgerError};
use crate::ledger::Ledger;
use crate::mark::{MARK_FILE, MarkFile};
use crate::segments::EntryFault;
use crate::snapshot::Snapshot;
use crate::tree::TreeError;

/// The folder of kept checkpoints in a ledger's folder.
pub const CHECKPOINTS_DIR: &str = "checkpoints";

const LOCK_FILE: &str = "lock";
const SUFFIX: &str = ".checkpoint";

/// Why no checkpoint was signed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CheckpointingError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Entries that the checkpoint covers.
    #[error(transparent)]
    Entry(#[from] EntryFault),
    /// The tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Nobody signs.
    #[error("no key was given to sign with")]
    NoSigner,
    /// A key that the ledger does not list as a current log key.
    #[error("{key} is no current log key of this ledger")]
    NotCurrent {
        /// The key, as `name+hex8`.
        key: String,
    },
    /// The signer.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A kept checkpoint that does not verify under the keys that were current.
    #[error("the kept checkpoint of {size} entries does not verify: {source}")]
    Kept {
        /// Its size.
        size: u64,
        /// Why.
        source: Box<CheckpointError>,
    },
    /// A note that is no checkpoint.
    #[error("the note to be kept is no checkpoint: {0}")]
    NoCheckpoint(#[from] CheckpointTextError),
    /// A note for which there is no kept checkpoint.
    #[error("the ledger keeps no checkpoint of {size} entries to add this note's lines to")]
    NotKept {
        /// The note's size.
        size: u64,
    },
    /// A note of another text than the checkpoint that is kept.
    #[error("the ledger keeps a checkpoint of {size} entries with another text than this note's")]
    OtherText {
        /// The size of both.
        size: u64,
    },
    /// With the lines of the note, the kept checkpoint would not verify any more.
    #[error("with these lines the checkpoint of {size} entries would not verify: {source}")]
    Lines {
        /// Its size.
        size: u64,
        /// Why.
        source: Box<CheckpointError>,
    },
    /// The log is not the one that a kept checkpoint signed.
    #[error("the log is not the one that the kept checkpoint of {size} entries signed: it has forked")]
    Fork {
        /// Its size.
        size: u64,
    },
}

impl CheckpointingError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            CheckpointingError::Ledger(error) => error.code(),
            CheckpointingError::Entry(EntryFault::Damaged(_)) => "ledger.damaged",
            CheckpointingError::Entry(EntryFault::Io(_)) => "ledger.io",
            CheckpointingError::Tree(error) => error.code(),
            CheckpointingError::NoSigner => "checkpoint.no_signer",
            CheckpointingError::NotCurrent { .. } => "checkpoint.not_current",
            CheckpointingError::Sign(error) => error.code(),
            CheckpointingError::Kept { .. } => "checkpoint.kept",
            CheckpointingError::NoCheckpoint(error) => error.code(),
            CheckpointingError::NotKept { .. } => "checkpoint.not_kept",
            CheckpointingError::OtherText { .. } => "checkpoint.other_text",
            CheckpointingError::Lines { source, .. } => source.code(),
            CheckpointingError::Fork { .. } => "checkpoint.fork",
        }
    }
}

/// A checkpoint under `checkpoints/`, as it stands there: nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCheckpoint {
    /// The size in the file's name.
    pub size: u64,
    /// The file, relative to the ledger's folder.
    pub file: String,
    /// The bytes of the note.
    pub note: Vec<u8>,
}

impl KeptCheckpoint {
    /// What it states, if it is a checkpoint of the size that its name says.
    #[must_use]
    pub fn stated(&self) -> Option<Checkpoint> {
        let note = Note::parse(&self.note).ok()?;
        Checkpoint::parse_text(note.text()).ok().filter(|checkpoint| checkpoint.size() == self.size)
    }
}

/// When the next checkpoint is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckpointRule {
    /// After so many entries since the last one.
    pub every_entries: Option<u64>,
    /// When an entry that no checkpoint covers was recorded so many milliseconds ago.
    pub every_ms: Option<u64>,
}

fn file_name(size: u64) -> String {
    format!("{CHECKPOINTS_DIR}/{size:020}{SUFFIX}")
}

/// The sizes of the checkpoints that a ledger keeps, ascending.
pub(crate) fn sizes(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<u64>> {
    let names = match disk.list(&dir.join(CHECKPOINTS_DIR)) {
        Ok(names) => names,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let size = |name: &String| {
        let digits = name.strip_suffix(SUFFIX).filter(|digits| digits.len() == 20)?;
        digits.parse().ok()
    };
    let mut sizes: Vec<u64> = names.iter().filter_map(size).collect();
    sizes.sort_unstable();
    Ok(sizes)
}

/// The kept checkpoint of a size.
pub(crate) fn read(disk: &dyn Disk, dir: &Path, size: u64) -> io::Result<KeptCheckpoint> {
    let file = file_name(size);
    let open = disk.open(&dir.join(&file), Access::Read)?;
    let mut note = vec![0; proofline_proof::MAX_NOTE_BYTES + 1];
    let count = read_full_at(&*open, &mut note, 0)?;
    note.truncate(count);
    Ok(KeptCheckpoint { size, file, note })
}

/// Every checkpoint that a ledger keeps, by size.
pub(crate) fn all(disk: &dyn Disk, dir: &Path) -> Result<Vec<KeptCheckpoint>, LedgerError> {
    let path = dir.join(CHECKPOINTS_DIR);
    let sizes = sizes(disk, dir).during("list", &path)?;
    sizes.into_iter().map(|size| read(disk, dir, size).during("read", &dir.join(file_name(size)))).collect()
}

/// The size of the largest kept checkpoint, 0 for none. Only names are looked at, so that this costs an
/// opening next to nothing. Whoever reads how long the log is must ask this first: a checkpoint may
/// follow at any time.
pub(crate) fn largest(disk: &dyn Disk, dir: &Path) -> Result<u64, LedgerError> {
    Ok(sizes(disk, dir).during("list", &dir.join(CHECKPOINTS_DIR))?.last().copied().unwrap_or(0))
}

/// That a log of so many entries is shorter than the kept checkpoint of `size`, if it is.
pub(crate) fn cut_below(size: u64, entries: u64) -> Option<Damage> {
    (size > entries).then(|| Damage {
        code: "log.truncated",
        file: file_name(size),
        offset: None,
        seq: Some(Seq::new(entries)),
        message: format!("a checkpoint of {size} entries is kept, and the log has {entries}"),
    })
}

/// The policy that believes the log keys which are current for the first `size` entries.
///
/// # Errors
/// [`proofline_proof::PolicyError`], which a list that the gate let in does not give.
pub fn policy_at(keys: &KeyList, size: u64) -> Result<Policy, proofline_proof::PolicyError> {
    Policy::of_keys(keys.current(KeyRole::Log, size).map(|listed| listed.key.clone()).collect())
}

impl Ledger {
    /// Signs a checkpoint of all that is durable now, and keeps it. The log ends with an index entry then,
    /// which is appended unless it stands there. A checkpoint of the same size gets
    /// the signatures that it lacks; with nothing to add, the kept one is returned as it is.
    ///
    /// # Errors
    /// [`CheckpointingError`]; nothing was signed then, or nothing kept.
    pub fn checkpoint(&self, signers: &[&dyn Signer]) -> Result<KeptCheckpoint, CheckpointingError> {
        self.checkpointing(|work| {
            check_signers(signers, &work.snapshot.key_list()?, work.snapshot.entries())?;
            let size = self.end_with_index()?;
            let snapshot = self.snapshot()?;
            Checkpointing { snapshot: &snapshot, ..work }.sign(signers, size)
        })
    }

    /// Adds the lines of a note to the kept checkpoint of the same text, as when a witness cosigned it or
    /// an authority stamped it elsewhere. A line of a name and id that is there takes its place, and
    /// the whole must verify under the ledger's own keys; of lines by others nothing is known here, so
    /// verify them first.
    ///
    /// # Errors
    /// [`CheckpointingError`]; the kept checkpoint is then as before.
    pub fn add_to_checkpoint(&self, note: &Note) -> Result<KeptCheckpoint, CheckpointingError> {
        let size = Checkpoint::parse_text(note.text())?.size();
        self.checkpointing(|work| work.add(size, note))
    }

    /// Does this while no other process makes or changes a checkpoint.
    fn checkpointing(
        &self,
        work: impl FnOnce(Checkpointing<'_>) -> Result<KeptCheckpoint, CheckpointingError>,
    ) -> Result<KeptCheckpoint, CheckpointingError> {
        let (disk, dir) = (self.disk(), self.dir());
        let folder = dir.join(CHECKPOINTS_DIR);
        durable::create_dirs(disk, &folder).during("create", &folder)?;
        let lock_path = folder.join(LOCK_FILE);
        let _lock = disk.lock(&lock_path).during("lock", &lock_path)?;
        let snapshot = self.snapshot()?;
        work(Checkpointing { disk, dir, snapshot: &snapshot })
    }

    /// [`Ledger::checkpoint`] when the rule says that one is due at `now_ms`, the caller's clock in
    /// Unix milliseconds.
    ///
    /// # Errors
    /// [`CheckpointingError`].
    pub fn checkpoint_if_due(
        &self,
        rule: &CheckpointRule,
        signers: &[&dyn Signer],
        now_ms: u64,
    ) -> Result<Option<KeptCheckpoint>, CheckpointingError> {
        let snapshot = self.snapshot()?;
        let last = largest(self.disk(), self.dir())?;
        let is_due = last < snapshot.entries() && {
            let new_entries = snapshot.entries() - last;
            let is_long = || -> Result<bool, CheckpointingError> {
                let Some(every_ms) = rule.every_ms else { return Ok(false) };
                let first = snapshot.entry(Seq::new(last))?;
                Ok(first.is_some_and(|entry| now_ms.saturating_sub(entry.header.recorded_at_ms) >= every_ms))
            };
            rule.every_entries.is_some_and(|every| new_entries >= every) || is_long()?
        };
        if is_due { self.checkpoint(signers).map(Some) } else { Ok(None) }
    }

    /// Every checkpoint that the ledger keeps, by size, as they stand there.
    ///
    /// # Errors
    /// [`LedgerError::Io`].
    pub fn checkpoints(&self) -> Result<Vec<KeptCheckpoint>, LedgerError> {
        all(self.disk(), self.dir())
    }
}

impl Snapshot {
    /// The latest checkpoint that the ledger in the folder of this snapshot keeps, as it stands there.
    ///
    /// # Errors
    /// [`LedgerError::Io`].
    pub fn latest_checkpoint(&self) -> Result<Option<KeptCheckpoint>, LedgerError> {
        let disk = crate::disk::OsDisk;
        let path = self.dir().join(CHECKPOINTS_DIR);
        let sizes = sizes(&disk, self.dir()).during("list", &path)?;
        let within = sizes.into_iter().rfind(|size| *size <= self.entries());
        within.map(|size| read(&disk, self.dir(), size).during("read", &path)).transpose()
    }

    /// The root of the tree of the first `size` entries, from the log and no index: the tree of the
    /// latest kept checkpoint up to there, which must verify, and the entries behind it, linked and
    /// hashed anew. For whoever signs a root that no checkpoint states.
    ///
    /// # Errors
    /// [`CheckpointingError`].
    pub fn logged_root(&self, size: u64) -> Result<NodeHash, CheckpointingError> {
        let entries = self.entries();
        if size > entries {
            return Err(TreeError::PastEnd { size, entries }.into());
        }
        let (disk, dir) = (&crate::disk::OsDisk, self.dir());
        let sizes = sizes(disk, dir).during("list", &dir.join(CHECKPOINTS_DIR))?;
        let last = sizes.into_iter().rfind(|kept| *kept <= size).unwrap_or(0);
        let keys = self.key_list()?;
        Ok(Checkpointing { disk, dir, snapshot: self }.frontier_from(&keys, last, size)?.root())
    }
}

struct Checkpointing<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    snapshot: &'a Snapshot,
}

impl Checkpointing<'_> {
    fn sign(&self, signers: &[&dyn Signer], size: u64) -> Result<KeptCheckpoint, CheckpointingError> {
        let snapshot = self.snapshot;
        if let Some(damage) = snapshot.damage().first() {
            return Err(LedgerError::Damaged(damage.clone()).into());
        }
        let keys = snapshot.key_list()?;
        check_signers(signers, &keys, size)?;
        let frontier = self.frontier(&keys, size)?;
        let root = frontier.root();
        if snapshot.tree().root(size)? != root {
            let message = "the tree beside the segments is not that of the log's entries".to_owned();
            let file = crate::segments::LOG_DIR.to_owned();
            let damage = Damage { code: "index.damaged", file, offset: None, seq: None, message };
            return Err(LedgerError::Damaged(damage).into());
        }
        let origin = keys.origin().as_str();
        let checkpoint = Checkpoint::new(origin, size, root).map_err(|error| {
            let damage = Damage {
                code: "body.form",
                file: crate::segments::LOG_DIR.to_owned(),
                offset: None,
                seq: Some(Seq::GENESIS),
                message: error.to_string(),
            };
            LedgerError::Damaged(damage)
        })?;
        let note = checkpoint.sign(signers)?;
        self.keep(size, note)
    }

    /// The frontier of the first `size` entries, from the last checkpoint and the log behind it.
    fn frontier(&self, keys: &KeyList, size: u64) -> Result<Frontier, CheckpointingError> {
        let last = largest(self.disk, self.dir)?;
        if let Some(damage) = cut_below(last, size) {
            return Err(LedgerError::Damaged(damage).into());
        }
        self.frontier_from(keys, last, size)
    }

    fn frontier_from(&self, keys: &KeyList, last: u64, size: u64) -> Result<Frontier, CheckpointingError> {
        let mut frontier = if last == 0 { Frontier::empty() } else { self.signed_frontier(keys, last)? };
        let mut before = match frontier.size().checked_sub(1) {
            Some(last) => Some(self.snapshot.tree().leaf(Seq::new(last))?),
            None => None,
        };
        for seq in (frontier.size()..size).map(Seq::new) {
            let entry = self.snapshot.entry(seq)?;
            let linked = entry.filter(|entry| entry.header.previous_leaf == before);
            let entry = linked.ok_or_else(|| self.broken_link(seq))?;
            let leaf = entry.leaf_hash();
            frontier.push(leaf);
            before = Some(leaf);
        }
        Ok(frontier)
    }

    fn broken_link(&self, seq: Seq) -> CheckpointingError {
        let (file, offset) = self.snapshot.place(seq).unwrap_or_default();
        let message = "the entry does not carry the leaf hash of the one before".to_owned();
        LedgerError::Damaged(Damage { code: "log.link", file, offset, seq: Some(seq), message }).into()
    }

    /// The frontier at a kept checkpoint, which must verify and have the tree's root.
    fn signed_frontier(&self, keys: &KeyList, size: u64) -> Result<Frontier, CheckpointingError> {
        let kept = read(self.disk, self.dir, size).during("read", &self.dir.join(CHECKPOINTS_DIR))?;
        let refused = |source: CheckpointError| CheckpointingError::Kept { size, source: Box::new(source) };
        let policy = policy_at(keys, size).map_err(|_| CheckpointingError::Fork { size })?;
        let verified = policy.verify(&kept.note).map_err(refused)?;
        let frontier = self.snapshot.tree().frontier(size)?;
        let signed = verified.checkpoint();
        let is_same = signed.size() == size && *signed.root() == frontier.root();
        if is_same { Ok(frontier) } else { Err(CheckpointingError::Fork { size }) }
    }

    /// Adds lines to the checkpoint that is kept of this size.
    fn add(&self, size: u64, note: &Note) -> Result<KeptCheckpoint, CheckpointingError> {
        let earlier = self.kept(size)?.ok_or(CheckpointingError::NotKept { size })?;
        let same_text = Note::parse(&earlier.note).ok().filter(|earlier| earlier.text() == note.text());
        let joined = join(same_text.ok_or(CheckpointingError::OtherText { size })?, note)?;
        let keys = self.snapshot.key_list()?;
        let policy = policy_at(&keys, size).map_err(|_| CheckpointingError::Fork { size })?;
        let refused = |source: CheckpointError| CheckpointingError::Lines { size, source: Box::new(source) };
        policy.verify(&joined.to_bytes()).map_err(refused)?;
        self.write(size, &joined, Some(&earlier))
    }

    /// Keeps a note; signatures that an earlier one has stay.
    fn keep(&self, size: u64, note: Note) -> Result<KeptCheckpoint, CheckpointingError> {
        let earlier = self.kept(size)?;
        let same_text = |kept: &KeptCheckpoint| {
            Note::parse(&kept.note).ok().filter(|earlier| earlier.text() == note.text())
        };
        let joined = match earlier.as_ref().and_then(same_text) {
            None => note,
            Some(earlier) => join(earlier, &note)?,
        };
        self.write(size, &joined, earlier.as_ref())
    }

    fn kept(&self, size: u64) -> Result<Option<KeptCheckpoint>, CheckpointingError> {
        let path = checkpoint_path(self.dir, size);
        let kept = self.disk.exists(&path).then(|| read(self.disk, self.dir, size)).transpose();
        Ok(kept.during("read", &path)?)
    }

    /// Writes the note, whole and durable, unless it stands there.
    fn write(
        &self,
        size: u64,
        note: &Note,
        earlier: Option<&KeptCheckpoint>,
    ) -> Result<KeptCheckpoint, CheckpointingError> {
        let path = checkpoint_path(self.dir, size);
        let bytes = note.to_bytes();
        if earlier.is_none_or(|earlier| earlier.note != bytes) {
            // The mark is written without a sync: after a power cut an older one would stand beside the
            // checkpoint, and readers would take the log for a cut one.
            let mark = self.dir.join(MARK_FILE);
            MarkFile::open(self.disk, self.dir).and_then(|file| file.sync()).during("sync", &mark)?;
            durable::write_file(self.disk, &path, |file| file.write_all_at(&bytes, 0))
                .during("write", &path)?;
        } else {
            // Whoever renamed it into place may have been stopped before that was durable.
            durable::sync_parent(self.disk, &path).during("sync", &path)?;
        }
        Ok(KeptCheckpoint { size, file: file_name(size), note: bytes })
    }
}

/// The note with the lines of another that it lacks behind its own.
fn join(note: Note, other: &Note) -> Result<Note, SignError> {
    let lacking: Vec<_> =
        other.signatures().iter().filter(|line| !note.signatures().contains(line)).collect();
    Ok(lacking.into_iter().cloned().try_fold(note, Note::with_signature)?)
}

fn check_signers(signers: &[&dyn Signer], keys: &KeyList, size: u64) -> Result<(), CheckpointingError> {
    if signers.is_empty() {
        return Err(CheckpointingError::NoSigner);
    }
    let is_current = |key: &VerifierKey| {
        keys.find(&key.short_name(), size)
            .is_some_and(|listed| listed.key == *key && key.role() == KeyRole::Log)
    };
    match signers.iter().map(|signer| signer.verifier()).find(|key| !is_current(key)) {
        Some(key) => Err(CheckpointingError::NotCurrent { key: key.short_name() }),
        None => Ok(()),
    }
}

/// The path of a kept checkpoint.
#[must_use]
pub fn checkpoint_path(dir: &Path, size: u64) -> PathBuf {
    dir.join(file_name(size))
}
