//! Payloads that are erased: a mark beside where one would lie, `blobs/ab/<62 hex>.erased`, keeps its
//! bytes out. The mark is derived from the log and made again when a ledger is opened for writing.
//!
//! The calls of an erasure, in order, under the lock `blobs/lock`: make and sync the mark, with its
//! folder; remove the bytes; sync the folder; unlock; remove unfinished files that nobody writes; sync
//! `blobs`. A put holds the same lock from its look at the mark until its rename, so that bytes that
//! were on their way when they were erased are refused, or there in time to be removed.

use std::io;
use std::path::{Path, PathBuf};

use proofline_canon::Sha256Digest;
use proofline_proof::Seq;

use crate::disk::{Access, Disk, DiskLock};
use crate::durable::{self, UNFINISHED, read_full_at};

use super::{BLOBS_DIR, BlobContext, BlobError, FOLDER_DIGITS, folder_of, is_hex, list, path_of};

/// Ends the name of the mark of an erased payload.
const ERASED: &str = ".erased";

/// The file in the folder of payloads whose lock keeps erasures and puts apart.
pub(super) const LOCK_NAME: &str = "lock";

/// More than the digits of any entry's number.
const MARK_BYTES: usize = 32;

/// True for the name of a mark, in the folder of the digest's first digits.
pub(super) fn is_mark(folder: &str, name: &str) -> bool {
    let digits = name.strip_suffix(ERASED);
    digits.is_some_and(|digits| format!("{folder}{digits}").parse::<Sha256Digest>().is_ok())
}

/// What an erasure, or doing one again, had to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Payloads that were not marked, or whose bytes were there.
    pub(crate) erased: u64,
    /// Unfinished files of writers that are gone.
    pub(crate) unfinished: u64,
}

/// The folder of payloads, for who erases there or looks whether that was done.
#[derive(Debug)]
pub(crate) struct Eraser<'a> {
    disk: &'a dyn Disk,
    /// The folder of payloads.
    dir: PathBuf,
}

impl<'a> Eraser<'a> {
    /// In the folder of a ledger.
    pub(crate) fn within(disk: &'a dyn Disk, ledger: &Path) -> Self {
        Self::of(disk, &ledger.join(BLOBS_DIR))
    }

    pub(super) fn of(disk: &'a dyn Disk, dir: &Path) -> Self {
        Eraser { disk, dir: dir.to_owned() }
    }

    fn mark_path(&self, name: &Sha256Digest) -> PathBuf {
        let mut path = path_of(&self.dir, name).into_os_string();
        path.push(ERASED);
        PathBuf::from(path)
    }

    /// A payload's file, relative to the ledger's folder.
    pub(crate) fn place(name: &Sha256Digest) -> String {
        path_of(Path::new(BLOBS_DIR), name).display().to_string()
    }

    /// True when something lies under the name of a payload.
    pub(crate) fn has_bytes(&self, name: &Sha256Digest) -> bool {
        self.disk.exists(&path_of(&self.dir, name))
    }

    /// True when the mark of an erased payload is there.
    pub(crate) fn is_marked(&self, name: &Sha256Digest) -> bool {
        self.disk.exists(&self.mark_path(name))
    }

    /// Every payload that bears the mark of an erased one, ascending.
    pub(crate) fn marked(&self) -> Result<Vec<Sha256Digest>, BlobError> {
        let mut marked = Vec::new();
        for folder in list(self.disk, &self.dir)?.into_iter().filter(|name| is_hex(name, FOLDER_DIGITS)) {
            let path = self.dir.join(&folder);
            // A file in a folder's place is for who checks the payloads.
            let names = match self.disk.list(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => continue,
                names => names.during("list", &path)?,
            };
            for name in names {
                let digits = name.strip_suffix(ERASED).map(|digits| format!("{folder}{digits}"));
                marked.extend(digits.and_then(|digits| digits.parse::<Sha256Digest>().ok()));
            }
        }
        Ok(marked)
    }

    pub(super) fn lock(&self) -> Result<Box<dyn DiskLock>, BlobError> {
        let path = self.dir.join(LOCK_NAME);
        self.disk.lock(&path).during("lock", &path)
    }

    /// Refuses the bytes of an erased payload.
    pub(super) fn refuse(&self, name: &Sha256Digest) -> Result<(), BlobError> {
        let path = self.mark_path(name);
        if !self.disk.exists(&path) {
            return Ok(());
        }
        let file = self.disk.open(&path, Access::Read).during("open", &path)?;
        let mut text = [0; MARK_BYTES];
        let count = read_full_at(&*file, &mut text, 0).during("read", &path)?;
        let text = text.get(..count).and_then(|text| std::str::from_utf8(text).ok());
        let by = text.and_then(|text| text.strip_suffix('\n')?.parse().ok()).map(Seq::new);
        Err(BlobError::Erased { name: *name, by })
    }

    /// Erases payloads that entries of the log say are erased, and keeps them out from now on.
    /// Durable when this returns, whoever did it. The caller holds the ledger's lock.
    pub(crate) fn erase(&self, erased: &[(Sha256Digest, Seq)]) -> Result<(), BlobError> {
        for (name, seq) in erased {
            self.erase_one(name, *seq)?;
        }
        if !erased.is_empty() {
            self.remove_unfinished()?;
        }
        Ok(())
    }

    /// [`Eraser::erase`] of those where it does not look done. Where it does, whoever did it may have
    /// been cut off before the sync: bytes that come back by that are for the next opening.
    pub(crate) fn redo(
        &self,
        erased: impl IntoIterator<Item = (Sha256Digest, Seq)>,
    ) -> Result<Swept, BlobError> {
        let (mut swept, mut any) = (Swept::default(), false);
        for (name, seq) in erased {
            any = true;
            if self.has_bytes(&name) || !self.is_marked(&name) {
                self.erase_one(&name, seq)?;
                swept.erased += 1;
            }
        }
        if any && self.disk.exists(&self.dir) {
            swept.unfinished = self.remove_unfinished()?;
        }
        Ok(swept)
    }

    fn erase_one(&self, name: &Sha256Digest, seq: Seq) -> Result<(), BlobError> {
        let folder = folder_of(&self.dir, name);
        durable::create_dirs(self.disk, &folder).during("create", &folder)?;
        let _lock = self.lock()?;
        let (mark, path) = (self.mark_path(name), path_of(&self.dir, name));
        if !self.disk.exists(&mark) {
            let text = format!("{seq}\n");
            let written = durable::write_file(self.disk, &mark, |file| file.write_all_at(text.as_bytes(), 0));
            written.during("write", &mark)?;
        }
        if self.disk.exists(&path) {
            self.disk.remove(&path).during("remove", &path)?;
        }
        self.disk.sync_dir(&folder).during("sync", &folder)
    }

    /// Takes away the marks of payloads that no entry erased. Returns how many there were.
    pub(crate) fn unmark_strays(&self, is_erased: impl Fn(&Sha256Digest) -> bool) -> Result<u64, BlobError> {
        let mut strays = 0;
        for name in self.marked()?.into_iter().filter(|name| !is_erased(name)) {
            let (path, folder) = (self.mark_path(&name), folder_of(&self.dir, &name));
            self.disk.remove(&path).during("remove", &path)?;
            self.disk.sync_dir(&folder).during("sync", &folder)?;
            strays += 1;
        }
        Ok(strays)
    }

    /// Takes away what writers that are gone left unfinished: it may be what was to be erased, or
    /// a part of it, and nothing refers to it.
    fn remove_unfinished(&self) -> Result<u64, BlobError> {
        let mut removed = 0;
        for name in list(self.disk, &self.dir)?.iter().filter(|name| name.ends_with(UNFINISHED)) {
            let path = self.dir.join(name);
            removed += u64::from(remove_if_left(self.disk, &path).during("remove", &path)?);
        }
        if removed > 0 {
            self.disk.sync_dir(&self.dir).during("sync", &self.dir)?;
        }
        Ok(removed)
    }
}

/// Removes a file that holds something and that nobody has locked. A writer locks its file before
/// the first byte.
fn remove_if_left(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    let file = match disk.open(path, Access::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    if file.is_empty()? || !file.try_lock()? {
        return Ok(false);
    }
    disk.remove(path)?;
    Ok(true)
}
