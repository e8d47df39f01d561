//! The ledger's lock, taken before each group and given back after it. The file stays open in between, as
//! long as its name is still its own: whoever removed it or put another in its place locks another file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile, DiskLock};
use crate::error::{IoContext, LedgerError};

/// The file whose lock a writer holds while it appends a group.
pub(crate) const LOCK_FILE: &str = "lock";

/// A writer's way to the lock of its ledger.
#[derive(Debug)]
pub(super) struct LogLock {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    kept: Option<Arc<dyn DiskFile>>,
    /// False once a file turned out to be none that is locked again and again.
    can_keep: bool,
}

/// Holds the lock until dropped.
pub(super) enum Held {
    /// Through a file that is closed with it.
    Once(#[expect(dead_code, reason = "held for its lock")] Box<dyn DiskLock>),
    /// Through the file that stays open.
    Kept(Arc<dyn DiskFile>),
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Held::Kept(file) = self {
            // It cannot fail on an open file; were it to, the lock ends with the file, as ever.
            let _ = file.unlock();
        }
    }
}

impl LogLock {
    pub(super) fn of(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        LogLock { disk, path: dir.join(LOCK_FILE), kept: None, can_keep: true }
    }

    /// Waits for the lock.
    pub(super) fn take(&mut self) -> Result<Held, LedgerError> {
        if let Some(held) = self.take_kept().during("lock", &self.path)? {
            return Ok(held);
        }
        let held = self.disk.lock(&self.path).during("lock", &self.path)?;
        if self.can_keep {
            // For the next time: the file is there, for it is locked.
            self.kept = Some(self.disk.open(&self.path, Access::Write).during("lock", &self.path)?);
        }
        Ok(Held::Once(held))
    }

    fn take_kept(&mut self) -> std::io::Result<Option<Held>> {
        let Some(file) = self.kept.take() else { return Ok(None) };
        if !file.lock()? {
            self.can_keep = false;
            return Ok(None);
        }
        let held = Held::Kept(Arc::clone(&file));
        // Looked at under the lock: from here on nobody who goes by the name has another one.
        if !file.has_name(&self.path)? {
            return Ok(None);
        }
        self.kept = Some(file);
        Ok(Some(held))
    }
}
