//! What an embedder holds: a ledger open for appending. `commit_action` is the only way in.
//!
//! Records are parsed, validated and hashed by the thread that brings them, with the help of others where it brings
//! many; whoever comes first then takes all that wait through the log as one group, with one sync.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proofline_trace::{EnvelopeHash, GenesisRecord, Origin, Rejection};

use crate::action::{Action, Options, Outcome};
use crate::artifact::SealedArtifact;
use crate::disk::{Access, Disk, OsDisk};
use crate::durable;
use crate::error::{IoContext, LedgerError};
use crate::examining;
use crate::frame::{MAX_BODY_BYTES, encode_frame};
use crate::gate::{DeclaredDigest, Examined, Submission, examine_each};
use crate::line::EvidenceLine;
use crate::log::{Examinee, LOCK_FILE, Log, Pending, frame_bound};
use crate::mark::{MARK_FILE, Mark, MarkFile};
use crate::recovery::Recovery;
use crate::segment::{SegmentHeader, segment_name};
use crate::segments::LOG_DIR;
use crate::snapshot::Snapshot;
use crate::system::SealedSystem;
use crate::turns::{Group, GroupLimits, Turns};
use proofline_proof::Seq;
use proofline_proof::header::{DeclaredHash, EntryHeader, EntryStatus, FORMAT_VERSION};
use proofline_trace::LedgerId;

/// Who a new ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// Drawn at random by the caller.
    pub ledger_id: LedgerId,
    /// The name that checkpoints will carry (C2SP tlog-checkpoint).
    pub origin: Origin,
    /// The caller's clock, Unix milliseconds.
    pub created_at_ms: u64,
}

/// A ledger open for appending, shared by any number of threads.
pub struct Ledger {
    dir: PathBuf,
    options: Options,
    disk: Arc<dyn Disk>,
    threads: Option<NonZeroUsize>,
    log: Mutex<Log>,
    turns: Turns<Pending, Outcome>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("dir", &self.dir)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked elsewhere has not left these half-changed: they are only moved in and out of.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    /// Makes a ledger in `dir`, which must be missing or empty, and opens nothing.
    ///
    /// # Errors
    /// [`LedgerError::NotEmpty`], or what the system reports.
    pub fn init(dir: impl AsRef<Path>, genesis: &Genesis) -> Result<(), LedgerError> {
        Self::init_on(&OsDisk, dir.as_ref(), genesis)
    }

    /// [`Ledger::init`] on another [`Disk`].
    ///
    /// # Errors
    /// As [`Ledger::init`].
    pub fn init_on(disk: &dyn Disk, dir: &Path, genesis: &Genesis) -> Result<(), LedgerError> {
        Self::init_of_format(disk, dir, genesis, FORMAT_VERSION)
    }

    /// [`Ledger::init_on`] for a copy of a ledger of this format version.
    pub(crate) fn init_of_format(
        disk: &dyn Disk,
        dir: &Path,
        genesis: &Genesis,
        format: u32,
    ) -> Result<(), LedgerError> {
        durable::create_dirs(disk, dir).during("create", dir)?;
        if !disk.list(dir).during("list", dir)?.iter().all(|name| is_unfinished_init(name)) {
            return Err(LedgerError::NotEmpty(dir.to_owned()));
        }
        Self::init_within(disk, dir, genesis, format)
    }

    /// [`Ledger::init_of_format`] in a folder that is there, whatever else the caller keeps in it.
    pub(crate) fn init_within(
        disk: &dyn Disk,
        dir: &Path,
        genesis: &Genesis,
        format: u32,
    ) -> Result<(), LedgerError> {
        let lock_path = dir.join(LOCK_FILE);
        let _lock = disk.lock(&lock_path).during("lock", &lock_path)?;
        let log_dir = dir.join(LOG_DIR);
        durable::create_dirs(disk, &log_dir).during("create", &log_dir)?;
        let path = log_dir.join(segment_name(Seq::GENESIS));
        if disk.exists(&path) {
            return Err(LedgerError::NotEmpty(dir.to_owned()));
        }
        let (bytes, mark) = genesis_segment(genesis, format)?;
        // The segment comes last: with it, and only with it, the folder is a ledger.
        let mark_path = dir.join(MARK_FILE);
        MarkFile::create(disk, dir, &mark).during("write", &mark_path)?;
        durable::write_file(disk, &path, |file| file.write_all_at(&bytes, 0)).during("write", &path)?;
        Ok(())
    }

    /// Opens the ledger in `dir` for appending, mending what a crash left; see [`Ledger::recovery`].
    ///
    /// # Errors
    /// When there is no ledger, it is damaged below what was durable, or of a newer format.
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<Self, LedgerError> {
        Self::open_on(Arc::new(OsDisk), dir.as_ref(), options)
    }

    /// [`Ledger::open`] on another [`Disk`].
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path, options: Options) -> Result<Self, LedgerError> {
        options.check()?;
        let log = Log::open(Arc::clone(&disk), dir)?;
        Ok(Ledger {
            dir: dir.to_owned(),
            options,
            disk,
            threads: None,
            log: Mutex::new(log),
            turns: Turns::new(),
        })
    }

    /// How many threads a call with many actions may use, its own included; none, as at first, for as many as the
    /// machine has. What is committed and answered does not depend on it.
    #[must_use]
    pub fn with_threads(mut self, threads: Option<NonZeroUsize>) -> Self {
        self.threads = threads;
        lock(&self.log).set_syncs_beside(threads.is_none_or(|threads| threads.get() > 1));
        self
    }

    /// The one write path (INV-INT-001): decides one action and, when it is to be kept, returns
    /// once it is durable. `recorded_at_ms` is the caller's clock, in Unix milliseconds; an entry
    /// is never recorded before the one in front of it.
    ///
    /// # Errors
    /// When the decision could not be made or kept. A refusal by the gate is no error but an [`Outcome`].
    pub fn commit_action(&self, action: &Action<'_>, recorded_at_ms: u64) -> Result<Outcome, LedgerError> {
        let outcomes = self.commit_actions(std::slice::from_ref(action), recorded_at_ms)?;
        let missing = || LedgerError::Poisoned("a group came back without its answer".to_owned());
        outcomes.into_iter().next().ok_or_else(missing)
    }

    /// [`Ledger::commit_action`] for many, in order: a later one may rest on an earlier one. They
    /// share syncs, up to the group limits of [`Options`].
    ///
    /// # Errors
    /// As [`Ledger::commit_action`]; actions before the failing group are then kept.
    pub fn commit_actions(
        &self,
        actions: &[Action<'_>],
        recorded_at_ms: u64,
    ) -> Result<Vec<Outcome>, LedgerError> {
        let mut groups = Groups { ledger: self, outcomes: Vec::new(), group: Vec::new(), size_bytes: 0 };
        groups.outcomes.reserve_exact(actions.len());
        let work = |actions: &[Action<'_>]| self.examine(actions, recorded_at_ms);
        examining::in_order(actions, self.threads, Action::size_bytes, work, |examined| {
            examined.into_iter().try_for_each(|(pending, size_bytes)| groups.push(pending, size_bytes))
        })?;
        groups.submit()?;
        Ok(groups.outcomes)
    }

    /// Examines actions, all evidence among them at a stretch.
    fn examine(&self, actions: &[Action<'_>], recorded_at_ms: u64) -> Vec<(Pending, usize)> {
        let limits = &self.options.limits;
        let lines = actions.iter().filter_map(|action| match action {
            Action::Line(line) => Some(EvidenceLine::read(line, limits)),
            _ => None,
        });
        let lines: Vec<Result<EvidenceLine<'_>, Rejection>> = lines.collect();
        let mut each_line = lines.iter();
        let submissions = actions.iter().filter_map(|action| match action {
            Action::Evidence(submission) => Some(*submission),
            Action::Line(_) => each_line.next()?.as_ref().ok().map(EvidenceLine::submission),
            Action::Artifact(_) | Action::System(_) => None,
        });
        let submissions: Vec<Submission<'_>> = submissions.collect();
        let examined = examine_each(&submissions, limits);
        let mut evidence = submissions.iter().zip(examined).map(evidence);
        let mut lines = lines.iter();
        let answers = actions.iter().filter_map(|action| {
            let (what, body_bytes) = match action {
                Action::Evidence(_) => evidence.next()?,
                Action::Line(_) => match lines.next()? {
                    Ok(_) => evidence.next()?,
                    Err(rejection) => refused(rejection.clone()),
                },
                Action::Artifact(bytes) => {
                    (Examinee::Artifact(SealedArtifact::read(bytes).map(Box::new)), bytes.len())
                }
                Action::System(bytes) => {
                    (Examinee::System(SealedSystem::read(bytes).map(Box::new)), bytes.len())
                }
            };
            Some((Pending { what, recorded_at_ms }, frame_bound(body_bytes)))
        });
        answers.collect()
    }

    /// Waits until this group, alone or with others, went through the log.
    fn submit(&self, group: Vec<Pending>, size_bytes: usize) -> Result<Vec<Outcome>, LedgerError> {
        let limits = GroupLimits { items: self.options.group_records, bytes: self.options.group_bytes };
        let work = |group: &mut Group<'_, Pending, Outcome>| lock(&self.log).commit(group, &self.options);
        self.turns.submit(group, size_bytes, limits, work).map_err(share)
    }

    /// Ends the log with an index entry, over every trace that it holds, unless it does already. Returns
    /// how many entries there are then: the size of a checkpoint that shows completeness.
    pub(crate) fn end_with_index(&self) -> Result<u64, LedgerError> {
        lock(&self.log).end_with_index(&self.options)
    }

    /// What opening, and catching up with processes that died since, had to mend.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        lock(&self.log).recovery.clone()
    }

    /// The ledger's id.
    #[must_use]
    pub fn ledger_id(&self) -> LedgerId {
        lock(&self.log).ledger_id()
    }

    /// Entries made durable so far, as far as this writer has seen.
    #[must_use]
    pub fn entries(&self) -> u64 {
        lock(&self.log).entries()
    }

    /// The ledger's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(crate) fn log(&self) -> &Mutex<Log> {
        &self.log
    }

    /// A view of what is durable now.
    ///
    /// # Errors
    /// As [`Snapshot::open`].
    pub fn snapshot(&self) -> Result<Snapshot, LedgerError> {
        Snapshot::open_on(&*self.disk, &self.dir)
    }
}

/// The actions of one call as groups, each of which shares a sync.
struct Groups<'a> {
    ledger: &'a Ledger,
    outcomes: Vec<Outcome>,
    group: Vec<Pending>,
    size_bytes: usize,
}

impl Groups<'_> {
    /// Adds one, after the group before it is kept if it does not fit there.
    fn push(&mut self, pending: Pending, size_bytes: usize) -> Result<(), LedgerError> {
        let options = &self.ledger.options;
        let is_full = self.group.len() >= options.group_records
            || self.size_bytes.saturating_add(size_bytes) > options.group_bytes;
        if is_full {
            self.submit()?;
        }
        self.group.push(pending);
        self.size_bytes += size_bytes;
        Ok(())
    }

    fn submit(&mut self) -> Result<(), LedgerError> {
        if self.group.is_empty() {
            return Ok(());
        }
        let (group, size_bytes) = (std::mem::take(&mut self.group), std::mem::take(&mut self.size_bytes));
        self.outcomes.extend(self.ledger.submit(group, size_bytes)?);
        Ok(())
    }
}

/// Evidence as the log takes it, and the bytes of its body.
fn evidence((submission, examined): (&Submission<'_>, Examined)) -> (Examinee, usize) {
    let (declared, body_bytes) = match &examined {
        Examined::Refused(_) => (None, 0),
        Examined::Sound(sealed) => (None, sealed.canonical().len()),
        Examined::Mismatched(sealed, _) => {
            let text = match submission.declared_hash {
                DeclaredDigest::Text(text) => Some(text),
                DeclaredDigest::Absent | DeclaredDigest::Computed => None,
            };
            (Some(DeclaredHash::keep(text)), sealed.canonical().len())
        }
    };
    (Examinee::Evidence { examined: Box::new(examined), declared }, body_bytes)
}

fn refused(rejection: Rejection) -> (Examinee, usize) {
    (Examinee::Evidence { examined: Box::new(Examined::Refused(rejection)), declared: None }, 0)
}

/// The error of a group, for each of those who were in it.
fn share(error: Arc<LedgerError>) -> LedgerError {
    Arc::try_unwrap(error).unwrap_or_else(|error| match &*error {
        LedgerError::Io { action, path, source } => LedgerError::Io {
            action,
            path: path.clone(),
            source: std::io::Error::new(source.kind(), source.to_string()),
        },
        LedgerError::Damaged(damage) => LedgerError::Damaged(damage.clone()),
        other => LedgerError::Poisoned(other.to_string()),
    })
}

/// Names that an interrupted `init` leaves in a folder that is no ledger yet.
pub(crate) fn is_unfinished_init(name: &str) -> bool {
    let mark_file = format!("{MARK_FILE}{}", durable::UNFINISHED);
    [LOCK_FILE, LOG_DIR, MARK_FILE, &mark_file].contains(&name)
}

/// The first segment of a ledger, and the mark that goes with it.
fn genesis_segment(genesis: &Genesis, format: u32) -> Result<(Vec<u8>, Mark), LedgerError> {
    let record = GenesisRecord {
        format_version: u64::from(format),
        ledger_id: genesis.ledger_id,
        origin: genesis.origin.clone(),
    };
    let body = record.canonical();
    let header = EntryHeader {
        format,
        seq: Seq::GENESIS,
        previous_leaf: None,
        trace: None,
        envelope_hash: EnvelopeHash::of(&body),
        status: EntryStatus::Genesis,
        recorded_at_ms: genesis.created_at_ms,
    };
    let segment =
        SegmentHeader { format, ledger_id: genesis.ledger_id, first_seq: Seq::GENESIS, previous_leaf: None };
    let mut bytes = segment.encode().to_vec();
    let head = encode_frame(&header, &body, &mut bytes).map_err(|_| LedgerError::Option {
        option: "origin",
        found: body.len() as u64,
        least: 1,
        most: MAX_BODY_BYTES as u64,
    })?;
    let mark = Mark {
        generation: 1,
        ledger_id: genesis.ledger_id,
        segment: Seq::GENESIS,
        segment_bytes: bytes.len() as u64,
        entries: 1,
        head,
    };
    Ok((bytes, mark))
}

/// True when `dir` holds a ledger, or what is left of one.
pub fn is_ledger(disk: &dyn Disk, dir: &Path) -> bool {
    crate::load::segment_seqs(disk, dir).is_ok()
        && [segment_name(Seq::GENESIS), crate::archive::stub_name(Seq::GENESIS)]
            .iter()
            .any(|name| disk.open(&dir.join(LOG_DIR).join(name), Access::Read).is_ok())
}
