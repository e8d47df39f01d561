//! The disk of a ledger that ends with the process: waiting for the device would keep nothing longer.

use std::io;
use std::path::Path;
use std::sync::Arc;

use proofline::ledger::disk::{Access, Disk, DiskFile, DiskLock, OsDisk};

/// The operating system's files, never synced.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ScratchDisk;

#[derive(Debug)]
struct ScratchFile(Arc<dyn DiskFile>);

impl DiskFile for ScratchFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.truncate(length)
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.0.try_lock()
    }
}

impl Disk for ScratchDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(ScratchFile(OsDisk.open(path, access)?)))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        OsDisk.create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
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
}
