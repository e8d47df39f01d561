//! A disk in memory that knows which bytes and which names were synced. It can fail the n-th
//! call of a kind, cut the power at the n-th change, and build what a machine could find then.
//!
//! What it takes as given, no more: `sync` makes a file's bytes and length durable, `sync_dir`
//! the names in a folder. Everything else may be on the device, not, or in part: each write, each
//! 512-byte sector of a write, each truncation, each name by itself. After a failed `sync` reads
//! still show the bytes, later syncs succeed, and the bytes are not on the device.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use proofline_ledger::disk::{Access, Disk, DiskFile, DiskLock};

use super::random::Random;
use super::torn::{put, tear};

/// Whoever waits longer for a lock waits for itself: the test fails then, and does not hang.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// The calls that can be counted and failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Call {
    Open,
    Create,
    Read,
    Write,
    Sync,
    Len,
    Truncate,
    CreateDir,
    Rename,
    Remove,
    SyncDir,
    List,
    Lock,
}

impl Call {
    pub(crate) const ALL: [Call; 13] = [
        Call::Open,
        Call::Create,
        Call::Read,
        Call::Write,
        Call::Sync,
        Call::Len,
        Call::Truncate,
        Call::CreateDir,
        Call::Rename,
        Call::Remove,
        Call::SyncDir,
        Call::List,
        Call::Lock,
    ];

    /// True for calls that can leave something else on the device than before.
    pub(crate) const fn changes(self) -> bool {
        matches!(
            self,
            Call::Create
                | Call::Write
                | Call::Sync
                | Call::Truncate
                | Call::CreateDir
                | Call::Rename
                | Call::Remove
                | Call::SyncDir
        )
    }
}

/// How much of a failing call happens all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    /// Half of the bytes of a write; for a sync, half of the writes that waited for it.
    Part,
    /// All of it: only the answer is lost.
    Done,
}

/// Fails the n-th call (from 0) of a kind, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) call: Call,
    pub(crate) nth: u64,
    pub(crate) error: io::ErrorKind,
    pub(crate) effect: Effect,
}

/// What a machine finds after the power came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Image {
    /// Only what was synced.
    SyncedOnly,
    /// All that was written, synced or not.
    Everything,
    /// Of what was not synced: some, drawn with this seed.
    Seed(u64),
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8>, lost: bool },
    Truncate(usize),
}

#[derive(Clone, Debug, Default)]
struct Inode {
    /// Shared by the copies and images of a disk until one of them writes.
    live: Arc<Vec<u8>>,
    durable: Arc<Vec<u8>>,
    unsynced: Vec<Change>,
}

impl Inode {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        put(Arc::make_mut(&mut self.live), offset, bytes);
        self.unsynced.push(Change::Write { offset, bytes: bytes.to_vec(), lost: false });
    }

    fn truncate(&mut self, length: usize) {
        Arc::make_mut(&mut self.live).resize(length, 0);
        self.unsynced.push(Change::Truncate(length));
    }

    fn sync(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            let durable = Arc::make_mut(&mut self.durable);
            match change {
                Change::Write { offset, bytes, lost: false } => put(durable, offset, &bytes),
                // The length reaches the device; the bytes do not.
                Change::Write { offset, bytes, lost: true } => {
                    let length = durable.len().max(offset + bytes.len());
                    durable.resize(length, 0);
                }
                Change::Truncate(length) => durable.resize(length, 0),
            }
        }
    }

    /// A sync that failed: the waiting writes count as clean from now on, and only some were done.
    fn fail_sync(&mut self, effect: Effect) {
        match effect {
            Effect::Done => self.sync(),
            Effect::Nothing | Effect::Part => {
                for (at, change) in self.unsynced.iter_mut().enumerate() {
                    if let Change::Write { lost, .. } = change {
                        *lost |= effect == Effect::Nothing || at % 2 == 0;
                    }
                }
            }
        }
    }

    fn found(&self, image: Image, random: &mut Random) -> Arc<Vec<u8>> {
        match image {
            Image::Everything => Arc::clone(&self.live),
            Image::SyncedOnly => Arc::clone(&self.durable),
            Image::Seed(_) if self.unsynced.is_empty() => Arc::clone(&self.durable),
            Image::Seed(_) => {
                let mut content = Vec::clone(&self.durable);
                for change in &self.unsynced {
                    match change {
                        Change::Write { offset, bytes, .. } => {
                            tear(&mut content, *offset, bytes, random);
                        }
                        Change::Truncate(length) if random.once_in(2) => content.resize(*length, 0),
                        Change::Truncate(_) => {}
                    }
                }
                Arc::new(content)
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(usize),
    Folder,
}

#[derive(Clone, Debug, Default)]
struct Folder {
    live: BTreeMap<String, Node>,
    /// What each name changed since the last sync has stood for, the synced answer first.
    unsynced: BTreeMap<String, Vec<Option<Node>>>,
}

impl Folder {
    fn set(&mut self, name: &str, node: Option<Node>) {
        let before = self.live.get(name).copied();
        self.unsynced.entry(name.to_owned()).or_insert_with(|| vec![before]).push(node);
        match node {
            Some(node) => self.live.insert(name.to_owned(), node),
            None => self.live.remove(name),
        };
    }

    fn found(&self, image: Image, random: &mut Random) -> BTreeMap<String, Node> {
        let mut names = self.live.clone();
        for (name, states) in &self.unsynced {
            let state = match image {
                Image::Everything => *states.last().unwrap(),
                Image::SyncedOnly => states[0],
                Image::Seed(_) => *random.pick(states),
            };
            match state {
                Some(node) => names.insert(name.clone(), node),
                None => names.remove(name),
            };
        }
        names
    }
}

#[derive(Clone, Debug, Default)]
struct State {
    files: Vec<Inode>,
    folders: BTreeMap<PathBuf, Folder>,
    counts: BTreeMap<Call, u64>,
    /// Calls so far that could change the device.
    changes: u64,
    fault: Option<Fault>,
    /// The power goes off instead of this change.
    cut_at: Option<u64>,
    is_off: bool,
    /// Bytes by which files may still grow.
    space_bytes: Option<usize>,
    locked: BTreeSet<PathBuf>,
    /// Files that a handle has locked.
    locked_files: BTreeSet<usize>,
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl State {
    fn folder(&mut self, path: &Path) -> io::Result<&mut Folder> {
        self.folders.get_mut(path).ok_or_else(not_found)
    }

    fn node(&self, path: &Path) -> Option<Node> {
        let Some(parent) = path.parent() else { return Some(Node::Folder) };
        self.folders.get(parent)?.live.get(name_of(path)).copied()
    }

    /// What there is room for at the front of a write.
    fn fitting<'a>(&mut self, file: usize, offset: usize, bytes: &'a [u8]) -> &'a [u8] {
        let Some(space_bytes) = self.space_bytes else { return bytes };
        let held = self.files[file].live.len().saturating_sub(offset).min(bytes.len());
        let grown = (bytes.len() - held).min(space_bytes);
        self.space_bytes = Some(space_bytes - grown);
        &bytes[..held + grown]
    }

    /// Counts a call; says whether it is to fail, and how.
    fn enter(&mut self, call: Call) -> io::Result<Option<Fault>> {
        if self.is_off || call.changes() && self.cut_at == Some(self.changes) {
            self.is_off = true;
            return Err(io::Error::other("the power is off"));
        }
        self.changes += u64::from(call.changes());
        let count = self.counts.entry(call).or_default();
        let nth = *count;
        *count += 1;
        Ok(self.fault.filter(|fault| fault.call == call && fault.nth == nth))
    }

    fn image(&self, image: Image) -> State {
        let mut random = Random::new(match image {
            Image::Seed(seed) => seed,
            _ => 0,
        });
        let files = self.files.iter().map(|inode| {
            let content = inode.found(image, &mut random);
            Inode { live: Arc::clone(&content), durable: content, unsynced: Vec::new() }
        });
        let files = files.collect();
        let mut folders = BTreeMap::new();
        let mut reached = vec![PathBuf::from("/")];
        while let Some(path) = reached.pop() {
            let live = self.folders[&path].found(image, &mut random);
            let inside = live.iter().filter(|(_, node)| **node == Node::Folder);
            reached.extend(inside.map(|(name, _)| path.join(name)));
            folders.insert(path, Folder { live, unsynced: BTreeMap::new() });
        }
        State { files, folders, ..State::default() }
    }
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).expect("a path with a name")
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    unlocked: Condvar,
}

/// A process that uses the disk, and how many changes it will live to make.
#[derive(Debug)]
struct Process {
    changes_left: AtomicU64,
    is_dead: AtomicBool,
}

impl Process {
    fn new() -> Arc<Self> {
        Arc::new(Process { changes_left: AtomicU64::new(u64::MAX), is_dead: AtomicBool::new(false) })
    }

    fn enter(&self, call: Call) -> io::Result<()> {
        let left = self.changes_left.load(Relaxed);
        if self.is_dead.load(Relaxed) || call.changes() && left == 0 {
            self.is_dead.store(true, Relaxed);
            return Err(io::Error::other("the process is dead"));
        }
        self.changes_left.store(left - u64::from(call.changes()), Relaxed);
        Ok(())
    }
}

/// The disk as one process sees it; clones are the same disk and the same process.
#[derive(Clone)]
pub(crate) struct SimDisk {
    shared: Arc<Shared>,
    process: Arc<Process>,
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimDisk")
    }
}

impl SimDisk {
    /// An empty disk with nothing but its root folder.
    pub(crate) fn new() -> Self {
        let mut state = State::default();
        state.folders.insert(PathBuf::from("/"), Folder::default());
        Self::of(state)
    }

    fn of(state: State) -> Self {
        let shared = Arc::new(Shared { state: Mutex::new(state), unlocked: Condvar::new() });
        SimDisk { shared, process: Process::new() }
    }

    /// The same disk in the hands of another process.
    pub(crate) fn in_another_process(&self) -> Self {
        SimDisk { shared: Arc::clone(&self.shared), process: Process::new() }
    }

    /// The process dies instead of its `nth` change from now on.
    pub(crate) fn die_at(&self, nth: u64) {
        self.process.changes_left.store(nth, Relaxed);
    }

    fn enter(&self, call: Call) -> io::Result<(MutexGuard<'_, State>, Option<Fault>)> {
        self.process.enter(call)?;
        let mut state = self.state();
        let fault = state.enter(call)?;
        Ok((state, fault))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// The same disk for a test to look at or to break in its own way: nothing is counted there.
    pub(crate) fn copy(&self) -> Self {
        let state = self.state();
        let (files, folders) = (state.files.clone(), state.folders.clone());
        Self::of(State { files, folders, ..State::default() })
    }

    /// What the next process finds when the last one was killed: all that was written, the
    /// unsynced part of it still at risk.
    pub(crate) fn after_kill(&self) -> Self {
        self.copy()
    }

    /// What the machine finds after a power cut; all of it is durable then.
    pub(crate) fn after_power_cut(&self, image: Image) -> Self {
        Self::of(self.state().image(image))
    }

    /// The power goes off instead of the `nth` change from now on.
    pub(crate) fn cut_power_at(&self, nth: u64) {
        let mut state = self.state();
        state.cut_at = Some(state.changes + nth);
    }

    /// Counts from 0 again and fails one call of those that come.
    pub(crate) fn fail(&self, fault: Option<Fault>) {
        let mut state = self.state();
        state.counts.clear();
        state.fault = fault;
    }

    /// True when the fault that was asked for has happened.
    pub(crate) fn has_failed(&self) -> bool {
        let state = self.state();
        state.fault.is_some_and(|fault| state.counts.get(&fault.call).is_some_and(|count| *count > fault.nth))
    }

    /// The device is full once files have grown by this many bytes; `None` frees space again.
    pub(crate) fn limit_space(&self, space_bytes: Option<usize>) {
        self.state().space_bytes = space_bytes;
    }

    pub(crate) fn is_off(&self) -> bool {
        self.state().is_off
    }

    /// Changes so far.
    pub(crate) fn changes(&self) -> u64 {
        self.state().changes
    }

    /// Calls of this kind since the last [`SimDisk::fail`].
    pub(crate) fn count(&self, call: Call) -> u64 {
        self.state().counts.get(&call).copied().unwrap_or_default()
    }

    /// Puts a file there as somebody with another program would, or takes it away; all durable.
    pub(crate) fn meddle(&self, path: &Path, content: Option<Vec<u8>>) {
        let mut state = self.state();
        let file = state.files.len();
        let bytes = Arc::new(content.clone().unwrap_or_default());
        state.files.push(Inode { live: Arc::clone(&bytes), durable: bytes, unsynced: Vec::new() });
        let folder = state.folder(path.parent().unwrap()).unwrap();
        match content {
            Some(_) => folder.live.insert(name_of(path).to_owned(), Node::File(file)),
            None => folder.live.remove(name_of(path)),
        };
    }

    /// Every file by its path, with its content: for comparing disks.
    pub(crate) fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.contents_below(Path::new("/"))
    }

    /// Every file in a folder and the folders in it.
    pub(crate) fn contents_below(&self, top: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.state();
        let mut all = BTreeMap::new();
        for (path, folder) in state.folders.iter().filter(|(path, _)| path.starts_with(top)) {
            all.extend(folder.live.iter().filter_map(|(name, node)| match node {
                Node::File(file) => Some((path.join(name), Vec::clone(&state.files[*file].live))),
                Node::Folder => None,
            }));
        }
        all
    }
}

fn failed<T>(fault: Fault) -> io::Result<T> {
    Err(io::Error::new(fault.error, "a fault of the laboratory"))
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: usize,
    has_lock: AtomicBool,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        if self.has_lock.load(Relaxed) {
            self.disk.state().locked_files.remove(&self.file);
        }
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (state, fault) = self.disk.enter(Call::Read)?;
        if let Some(fault) = fault {
            return failed(fault);
        }
        let content = &state.files[self.file].live;
        let rest = content.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let (mut state, fault) = self.disk.enter(Call::Write)?;
        let offset = usize::try_from(offset).unwrap();
        let written = match fault.map(|fault| fault.effect) {
            None | Some(Effect::Done) => bytes,
            Some(Effect::Part) => &bytes[..bytes.len() / 2],
            Some(Effect::Nothing) => &[],
        };
        let fitting = state.fitting(self.file, offset, written);
        state.files[self.file].write(offset, fitting);
        match fault {
            Some(fault) => failed(fault),
            None if fitting.len() < written.len() => Err(io::ErrorKind::StorageFull.into()),
            None => Ok(()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let (mut state, fault) = self.disk.enter(Call::Sync)?;
        let inode = &mut state.files[self.file];
        match fault {
            None => inode.sync(),
            Some(fault) => inode.fail_sync(fault.effect),
        }
        fault.map_or(Ok(()), failed)
    }

    fn len(&self) -> io::Result<u64> {
        let (state, fault) = self.disk.enter(Call::Len)?;
        match fault {
            Some(fault) => failed(fault),
            None => Ok(state.files[self.file].live.len() as u64),
        }
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let (mut state, fault) = self.disk.enter(Call::Truncate)?;
        if fault.is_none_or(|fault| fault.effect != Effect::Nothing) {
            state.files[self.file].truncate(usize::try_from(length).unwrap());
        }
        fault.map_or(Ok(()), failed)
    }

    fn try_lock(&self) -> io::Result<bool> {
        let (mut state, fault) = self.disk.enter(Call::Lock)?;
        if let Some(fault) = fault {
            return failed(fault);
        }
        if !self.has_lock.load(Relaxed) {
            self.has_lock.store(state.locked_files.insert(self.file), Relaxed);
        }
        Ok(self.has_lock.load(Relaxed))
    }

    fn has_name(&self, path: &Path) -> io::Result<bool> {
        let (state, fault) = self.disk.enter(Call::Open)?; // it follows a name, as opening does
        match fault {
            Some(fault) => failed(fault),
            None => Ok(state.node(path) == Some(Node::File(self.file))),
        }
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        let call = if access == Access::CreateNew { Call::Create } else { Call::Open };
        let fault = state.enter(call)?;
        let happens = fault.is_none_or(|fault| call == Call::Create && fault.effect != Effect::Nothing);
        let node = state.node(path);
        let file = match (access, node) {
            (_, Some(Node::Folder)) => return Err(io::ErrorKind::IsADirectory.into()),
            (Access::CreateNew, Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Access::CreateNew, None) if happens => {
                let file = state.files.len();
                state.files.push(Inode::default());
                state.folder(path.parent().unwrap())?.set(name_of(path), Some(Node::File(file)));
                file
            }
            (_, Some(Node::File(file))) => file,
            (_, None) => fault.map_or_else(|| Err(not_found()), failed)?,
        };
        match fault {
            Some(fault) => failed(fault),
            None => Ok(Arc::new(SimFile { disk: self.clone(), file, has_lock: AtomicBool::new(false) })),
        }
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let (mut state, fault) = self.enter(Call::CreateDir)?;
        if state.node(path).is_none() && fault.is_none_or(|fault| fault.effect != Effect::Nothing) {
            state.folder(path.parent().unwrap())?.set(name_of(path), Some(Node::Folder));
            state.folders.insert(path.to_owned(), Folder::default());
        }
        fault.map_or(Ok(()), failed)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (mut state, fault) = self.enter(Call::Rename)?;
        if fault.is_none_or(|fault| fault.effect != Effect::Nothing) {
            let node = state.node(from).ok_or_else(not_found)?;
            state.folder(to.parent().unwrap())?.set(name_of(to), Some(node));
            state.folder(from.parent().unwrap())?.set(name_of(from), None);
        }
        fault.map_or(Ok(()), failed)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let (mut state, fault) = self.enter(Call::Remove)?;
        if fault.is_none_or(|fault| fault.effect != Effect::Nothing) {
            let node = state.node(path).ok_or_else(not_found)?;
            if node == Node::Folder && !state.folder(path)?.live.is_empty() {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            // What lies in a folder stays known: the name may come back with a power cut.
            state.folder(path.parent().unwrap())?.set(name_of(path), None);
        }
        fault.map_or(Ok(()), failed)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let (mut state, fault) = self.enter(Call::SyncDir)?;
        if fault.is_none_or(|fault| fault.effect == Effect::Done) {
            state.folder(path)?.unsynced.clear();
        }
        fault.map_or(Ok(()), failed)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let (mut state, fault) = self.enter(Call::List)?;
        match fault {
            Some(fault) => failed(fault),
            None => Ok(state.folder(path)?.live.keys().cloned().collect()),
        }
    }

    fn exists(&self, path: &Path) -> bool {
        self.state().node(path).is_some()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let (mut state, fault) = self.enter(Call::Lock)?;
        if let Some(fault) = fault {
            return failed(fault);
        }
        if state.node(path).is_none() {
            let file = state.files.len();
            state.files.push(Inode::default());
            state.folder(path.parent().unwrap())?.set(name_of(path), Some(Node::File(file)));
        }
        let is_locked = |state: &mut State| state.locked.contains(path);
        let waited = self.shared.unlocked.wait_timeout_while(state, LONGEST_WAIT, is_locked);
        let (mut state, waited) = waited.unwrap();
        assert!(!waited.timed_out(), "{} is locked for good", path.display());
        state.locked.insert(path.to_owned());
        Ok(Box::new(SimLock { disk: self.clone(), path: path.to_owned() }))
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state().locked.remove(&self.path);
        self.disk.shared.unlocked.notify_all();
    }
}
