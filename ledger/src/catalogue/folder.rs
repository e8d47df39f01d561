//! The catalogue's place in a ledger's folder: its lock, what kills left behind, and the swap of
//! a new catalogue for an old one.
//!
//! `catalogue.lock` is held as long as a catalogue is open. A new one is made in
//! `catalogue.new-<n>`; then the old one becomes `catalogue.old-<n>`, the new one `catalogue`,
//! and the old one is removed. Whatever a kill leaves of this is swept away at the next opening.
//! sled writes through the operating system, so this does not go through `Disk` either.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::error::CatalogueError;
use crate::disk::OsDisk;
use crate::durable;

/// The catalogue's folder in a ledger's folder.
pub const CATALOGUE_DIR: &str = "catalogue";

const LOCK_FILE: &str = "catalogue.lock";

/// A program that this process just started holds every lock of ours between its fork and its
/// exec, so a lock that was given back a moment ago may still look taken.
const LOCK_ATTEMPTS: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

const NEW: &str = "catalogue.new-";
const OLD: &str = "catalogue.old-";

/// The locked place of a catalogue.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    /// Released by the system when the file is closed, however the process ends.
    _lock: File,
}

impl Folder {
    /// Takes the lock, or says within a second that somebody has it.
    pub(super) fn lock(dir: &Path) -> Result<Self, CatalogueError> {
        let path = dir.join(LOCK_FILE);
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = options.map_err(io_error("open", &path))?;
        for _ in 0..LOCK_ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(Folder { dir: dir.to_owned(), _lock: file }),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(source)) => return Err(io_error("lock", &path)(source)),
            }
        }
        Err(CatalogueError::Busy(dir.join(CATALOGUE_DIR)))
    }

    /// Where the catalogue is.
    pub(super) fn path(&self) -> PathBuf {
        self.dir.join(CATALOGUE_DIR)
    }

    /// Removes what earlier kills left. What cannot be removed is in nobody's way.
    pub(super) fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_left = |name: &str| name.starts_with(NEW) || name.starts_with(OLD);
            if name.to_str().is_some_and(is_left) {
                let _ = remove(&entry.path());
            }
        }
    }

    /// A name for a new catalogue that nothing has.
    pub(super) fn new_path(&self) -> PathBuf {
        self.free(NEW)
    }

    fn free(&self, prefix: &str) -> PathBuf {
        let mut number = 1_u64;
        loop {
            let path = self.dir.join(format!("{prefix}{number}"));
            if path.symlink_metadata().is_err() {
                return path;
            }
            number += 1;
        }
    }

    /// Puts the closed catalogue at `new` in the place of the closed one that is there.
    pub(super) fn swap(&self, new: &Path) -> Result<(), CatalogueError> {
        let path = self.path();
        let old = self.free(OLD);
        match fs::rename(&path, &old) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result.map_err(io_error("rename", &path))?,
        }
        fs::rename(new, &path).map_err(io_error("rename", new))?;
        durable::sync_parent(&OsDisk, &path).map_err(io_error("sync", &self.dir))?;
        let _ = remove(&old);
        Ok(())
    }
}

/// Removes a folder with all it holds, or a file that has a folder's name.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CatalogueError {
    let path = path.to_owned();
    move |source| CatalogueError::Io { action, path, source }
}
