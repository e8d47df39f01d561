//! A disk whose process is killed: after so many calls that change something, every further one fails and changes
//! nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proofline_ledger::disk::{Access, Disk, DiskFile, DiskLock, OsDisk};

#[derive(Debug)]
struct Left {
    calls: AtomicU64,
    /// How much of the last write gets there.
    eighths: usize,
}

impl Left {
    /// One call more.
    fn call(&self) -> io::Result<()> {
        let left = self.calls.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| io::Error::other("the process is dead"))
    }
}

#[derive(Debug)]
pub struct DyingDisk {
    left: Arc<Left>,
}

impl DyingDisk {
    /// Dies after this many calls; so many eighths of the last one get there, if it is a write.
    pub fn after(calls: u64, eighths: usize) -> Self {
        Self { left: Arc::new(Left { calls: AtomicU64::new(calls), eighths }) }
    }
}

#[derive(Debug)]
struct DyingFile {
    file: Arc<dyn DiskFile>,
    left: Arc<Left>,
}

impl DiskFile for DyingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    /// The last write gets a part of the way.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.left.call()?;
        if self.left.calls.load(Ordering::SeqCst) == 0 {
            let part = bytes.get(..bytes.len() * self.left.eighths / 8).unwrap_or_default();
            self.file.write_all_at(part, offset)?;
            return Err(io::Error::other("the process is dead"));
        }
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.left.call()?;
        self.file.sync()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.left.call()?;
        self.file.truncate(length)
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.file.try_lock()
    }

    fn has_name(&self, path: &Path) -> io::Result<bool> {
        self.file.has_name(path)
    }

    fn lock(&self) -> io::Result<bool> {
        self.file.lock()
    }

    fn unlock(&self) -> io::Result<()> {
        self.file.unlock()
    }
}

impl Disk for DyingDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        if access == Access::CreateNew {
            self.left.call()?;
        }
        let file = OsDisk.open(path, access)?;
        Ok(Arc::new(DyingFile { file, left: Arc::clone(&self.left) }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.left.call()?;
        OsDisk.create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.left.call()?;
        OsDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.left.call()?;
        OsDisk.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.left.call()?;
        OsDisk.sync_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(path)
    }

    fn exists(&self, path: &Path) -> bool {
        OsDisk.exists(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        OsDisk.lock(path)
    }

    fn sync_dirs(&self, paths: &[PathBuf]) -> io::Result<()> {
        paths.iter().try_for_each(|path| self.sync_dir(path))
    }
}
