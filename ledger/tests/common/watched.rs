//! A disk that tells somebody of each call before it makes it: to hold the call up, or to let
//! another process do something first.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use proofline_ledger::disk::{Access, Disk, DiskFile, DiskLock};

use super::sim_disk::{Call, SimDisk};

type Before = Arc<dyn Fn(Call) + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Watched {
    inner: SimDisk,
    before: Before,
}

impl Watched {
    pub(crate) fn new(inner: &SimDisk, before: impl Fn(Call) + Send + Sync + 'static) -> Self {
        Watched { inner: inner.clone(), before: Arc::new(before) }
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

struct WatchedFile {
    inner: Arc<dyn DiskFile>,
    before: Before,
}

impl fmt::Debug for WatchedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchedFile")
    }
}

impl DiskFile for WatchedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (self.before)(Call::Read);
        self.inner.read_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        (self.before)(Call::Write);
        self.inner.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        (self.before)(Call::Sync);
        self.inner.sync()
    }

    fn len(&self) -> io::Result<u64> {
        (self.before)(Call::Len);
        self.inner.len()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        (self.before)(Call::Truncate);
        self.inner.truncate(length)
    }

    fn try_lock(&self) -> io::Result<bool> {
        (self.before)(Call::Lock);
        self.inner.try_lock()
    }

    fn has_name(&self, path: &Path) -> io::Result<bool> {
        (self.before)(Call::Open);
        self.inner.has_name(path)
    }
}

impl Disk for Watched {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        (self.before)(Call::Open);
        let inner = self.inner.open(path, access)?;
        Ok(Arc::new(WatchedFile { inner, before: Arc::clone(&self.before) }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        (self.before)(Call::CreateDir);
        self.inner.create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        (self.before)(Call::Rename);
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        (self.before)(Call::Remove);
        self.inner.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        (self.before)(Call::SyncDir);
        self.inner.sync_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        (self.before)(Call::List);
        self.inner.list(path)
    }

    fn exists(&self, path: &Path) -> bool {
        self.inner.exists(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        (self.before)(Call::Lock);
        self.inner.lock(path)
    }
}

/// Holds callers up until they are let through, one by one or all.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    arrived: usize,
    let_through: usize,
}

impl Gate {
    pub(crate) fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.arrived += 1;
        let number = state.arrived;
        self.changed.notify_all();
        while state.let_through < number {
            state = self.changed.wait(state).unwrap();
        }
    }

    /// Waits until so many callers have come to the gate, those that are through included.
    pub(crate) fn wait_for(&self, arrived: usize) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut state = self.state.lock().unwrap();
        while state.arrived < arrived {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} callers came to the gate, not {arrived}", state.arrived);
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Lets the first so many callers through.
    pub(crate) fn let_through(&self, count: usize) {
        self.state.lock().unwrap().let_through = count;
        self.changed.notify_all();
    }

    pub(crate) fn arrived(&self) -> usize {
        self.state.lock().unwrap().arrived
    }
}
