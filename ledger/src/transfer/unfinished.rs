//! The folder of an import that is under way. It is no ledger until all of it is durable: the log lies in
//! `importing/`, and the segment with the genesis entry moves to its place last. `importing` is also
//! how a later attempt knows that what else lies there is left of an interrupted one, and may go.

use std::io;
use std::path::{Path, PathBuf};

use crate::blobs::BLOBS_DIR;
use crate::checkpoints::CHECKPOINTS_DIR;
use crate::disk::{Disk, DiskLock};
use crate::durable;
use crate::error::{IoContext, LedgerError};
use crate::ledger::is_ledger;
use crate::log::LOCK_FILE;
use crate::mark::{MARK_FILE, MarkFile};
use crate::segment::segment_name;
use crate::segments::LOG_DIR;
use proofline_proof::Seq;

const WORK_DIR: &str = "importing";

/// A folder that is to become a ledger.
#[derive(Debug)]
pub(super) struct Unfinished<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    /// Whether the folder was made for this.
    is_new: bool,
    _lock: Box<dyn DiskLock>,
}

impl<'a> Unfinished<'a> {
    /// Takes a folder that is missing, empty, or what an interrupted import left.
    pub(super) fn begin(disk: &'a dyn Disk, dir: &'a Path) -> Result<Self, LedgerError> {
        let is_new = !disk.exists(dir);
        durable::create_dirs(disk, dir).during("create", dir)?;
        check_free(disk, dir)?;
        let lock_path = dir.join(LOCK_FILE);
        let lock = disk.lock(&lock_path).during("lock", &lock_path)?;
        let folder = Unfinished { disk, dir, is_new, _lock: lock };
        if check_free(disk, dir)? {
            folder.clear().during("clear", dir)?;
        }
        let work = folder.work_dir();
        if let Err(error) = durable::create_dirs(disk, &work).during("create", &work) {
            folder.abandon();
            return Err(error);
        }
        Ok(folder)
    }

    /// Where the log is made.
    pub(super) fn work_dir(&self) -> PathBuf {
        self.dir.join(WORK_DIR)
    }

    /// Makes the folder a ledger: all that was made is durable, and moves to where it belongs.
    pub(super) fn publish(&self) -> Result<(), LedgerError> {
        let (disk, work) = (self.disk, self.work_dir());
        let (from, to) = (work.join(LOG_DIR), self.dir.join(LOG_DIR));
        MarkFile::open(disk, &work).and_then(|file| file.sync()).during("sync", &work.join(MARK_FILE))?;
        durable::create_dirs(disk, &to).during("create", &to)?;
        let genesis = segment_name(Seq::GENESIS);
        let names = disk.list(&from).during("list", &from)?;
        for name in names.iter().filter(|name| **name != genesis) {
            disk.rename(&from.join(name), &to.join(name)).during("rename", &from.join(name))?;
        }
        let mark = work.join(MARK_FILE);
        disk.rename(&mark, &self.dir.join(MARK_FILE)).during("rename", &mark)?;
        disk.sync_dir(&to).during("sync", &to)?;
        disk.sync_dir(self.dir).during("sync", self.dir)?;
        disk.rename(&from.join(&genesis), &to.join(&genesis)).during("rename", &from.join(&genesis))?;
        disk.sync_dir(&to).during("sync", &to)?;
        // From here on it is a ledger; an empty folder that stays is no reason to say otherwise.
        remove_tree(disk, &work).and_then(|()| disk.sync_dir(self.dir)).ok();
        Ok(())
    }

    /// Takes away all that was made. Where the system refuses that too, `importing` stays and tells the
    /// next attempt.
    pub(super) fn abandon(self) {
        let cleared = self.clear();
        if cleared.is_ok() && self.is_new {
            let lock = self.disk.remove(&self.dir.join(LOCK_FILE));
            lock.and_then(|()| self.disk.remove(self.dir)).ok();
        }
    }

    /// In this order: first it is no ledger any more, last it is no unfinished import.
    fn clear(&self) -> io::Result<()> {
        let (disk, log) = (self.disk, self.dir.join(LOG_DIR));
        let genesis = log.join(segment_name(Seq::GENESIS));
        if disk.exists(&genesis) {
            disk.remove(&genesis)?;
            disk.sync_dir(&log)?;
        }
        for name in [LOG_DIR, BLOBS_DIR, CHECKPOINTS_DIR, MARK_FILE] {
            remove_tree(disk, &self.dir.join(name))?;
        }
        disk.sync_dir(self.dir)?;
        remove_tree(disk, &self.work_dir())?;
        disk.sync_dir(self.dir)
    }
}

/// Whether the folder is left of an interrupted import; else it has to hold nothing but a lock.
fn check_free(disk: &dyn Disk, dir: &Path) -> Result<bool, LedgerError> {
    let names = disk.list(dir).during("list", dir)?;
    let is_left = names.iter().any(|name| name == WORK_DIR);
    let is_empty = names.iter().all(|name| name == LOCK_FILE);
    if (is_left || is_empty) && !is_ledger(disk, dir) {
        Ok(is_left)
    } else {
        Err(LedgerError::NotEmpty(dir.to_owned()))
    }
}

/// Takes away a file, or a folder and all in it; one that is not there is fine.
fn remove_tree(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            for name in disk.list(path)? {
                remove_tree(disk, &path.join(name))?;
            }
            disk.remove(path)
        }
        removed => removed,
    }
}
