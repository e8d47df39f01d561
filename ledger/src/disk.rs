//! The seam between the ledger and a file system: the few calls that the log makes, so that a
//! test can stand in for the disk, remember which bytes were synced, and fail or lose the rest.
//!
//! What the calls promise is what POSIX promises, no more: bytes that were written are there
//! after a power cut only when `sync` returned afterwards; a name only when `sync_dir` of its
//! folder did. A device that lies about its own cache defeats both.

mod whole;

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// An open file. Positions are bytes from the start; no call moves a shared cursor.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Reads up to `buffer.len()` bytes at `offset`; 0 at or past the end.
    ///
    /// # Errors
    /// What the system reports.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// What the system reports; a part of the bytes may then be written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns once every byte written so far, and the length, are on the device.
    ///
    /// # Errors
    /// What the system reports; the bytes may then be lost although reads still show them.
    fn sync(&self) -> io::Result<()>;

    /// The file's length in bytes.
    ///
    /// # Errors
    /// What the system reports.
    fn len(&self) -> io::Result<u64>;

    /// True for a file of length 0.
    ///
    /// # Errors
    /// What the system reports.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file to `length` bytes.
    ///
    /// # Errors
    /// What the system reports.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Takes the exclusive lock on this file, until it is closed; false when another handle has it.
    ///
    /// # Errors
    /// What the system reports.
    fn try_lock(&self) -> io::Result<bool>;

    /// True when `path` is a name of this very file now: whoever kept it open may go on with it, and need not open
    /// it again. One that cannot tell says no.
    ///
    /// # Errors
    /// What the system reports; a name that nothing has is no error.
    fn has_name(&self, path: &Path) -> io::Result<bool> {
        let _ = path;
        Ok(false)
    }

    /// Waits for the exclusive lock on this file, the one that [`Disk::lock`] takes, and holds it until
    /// [`DiskFile::unlock`]. False where a file cannot be locked that stays open; nothing is locked then.
    ///
    /// # Errors
    /// What the system reports.
    fn lock(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Gives the lock back that [`DiskFile::lock`] took.
    ///
    /// # Errors
    /// What the system reports.
    fn unlock(&self) -> io::Result<()> {
        Ok(())
    }

    /// The file system that the file is on, where one call makes all that was written there as durable as a sync of
    /// each file would. None where that is not known.
    fn file_system(&self) -> Option<u64> {
        None
    }

    /// [`DiskFile::sync`] of this file and of every other on its file system, for one that
    /// [`DiskFile::file_system`] names. It reports what went wrong since this file was opened.
    ///
    /// # Errors
    /// What the system reports of any of them.
    fn sync_file_system(&self) -> io::Result<()> {
        self.sync()
    }
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// An existing file, for reading.
    Read,
    /// An existing file, for reading and writing.
    Write,
    /// A new file, for reading and writing; one that is there already is an error.
    CreateNew,
}

/// Holds a lock until dropped.
pub trait DiskLock: Send + fmt::Debug {}

/// A file system, as far as the ledger needs one.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// What the system reports.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a folder; one that is there already is fine.
    ///
    /// # Errors
    /// What the system reports.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder that its owner alone may look into, as far as the file system knows owners; one that is there
    /// already is fine, and stays as it is.
    ///
    /// # Errors
    /// What the system reports.
    fn create_private_dir(&self, path: &Path) -> io::Result<()> {
        self.create_dir(path)
    }

    /// Opens a new file that its owner alone may read and write, as far as the file system knows owners.
    ///
    /// # Errors
    /// What the system reports; one that is there already is an error.
    fn create_private(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.open(path, Access::CreateNew)
    }

    /// True when nobody but its owner may read, write or look into it; also where the file system knows no owners.
    ///
    /// # Errors
    /// What the system reports.
    fn is_private(&self, path: &Path) -> io::Result<bool> {
        let _ = path;
        Ok(true)
    }

    /// Gives a file another name, replacing what had it.
    ///
    /// # Errors
    /// What the system reports.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Takes away the name of a file, or of a folder with nothing in it.
    ///
    /// # Errors
    /// What the system reports.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Returns once the names in a folder are on the device.
    ///
    /// # Errors
    /// What the system reports.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// [`DiskFile::sync`] of each; side by side where that is quicker.
    ///
    /// # Errors
    /// What the system reports of any of them.
    fn sync_files(&self, files: &[Arc<dyn DiskFile>]) -> io::Result<()> {
        files.iter().try_for_each(|file| file.sync())
    }

    /// [`Disk::sync_files`] of files that the caller wrote, the first of which was opened before anything was written
    /// to any of them: at once where that is quicker.
    ///
    /// # Errors
    /// What the system reports of any of them.
    fn sync_written(&self, files: &[Arc<dyn DiskFile>]) -> io::Result<()> {
        self.sync_files(files)
    }

    /// [`Disk::sync_dir`] of each; side by side or at once where that is quicker.
    ///
    /// # Errors
    /// What the system reports of any of them.
    fn sync_dirs(&self, paths: &[PathBuf]) -> io::Result<()> {
        paths.iter().try_for_each(|path| self.sync_dir(path))
    }

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// What the system reports.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// True when something has this name.
    fn exists(&self, path: &Path) -> bool;

    /// Waits for the exclusive lock on the file of this name, which it makes when there is none.
    ///
    /// # Errors
    /// What the system reports.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;
}

/// The operating system's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsDisk;

/// A file, and its device and number once somebody asked: they stay while it is open.
#[derive(Debug)]
struct OsFile(File, OnceLock<(u64, u64)>);

impl OsFile {
    fn open(options: &OpenOptions, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(OsFile(options.open(path)?, OnceLock::new())))
    }

    fn identity(&self) -> io::Result<(u64, u64)> {
        if let Some(known) = self.1.get() {
            return Ok(*known);
        }
        let own = self.0.metadata()?;
        Ok(*self.1.get_or_init(|| (own.dev(), own.ino())))
    }
}

impl DiskFile for OsFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match self.0.read_at(buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data() // fdatasync: a changed length is flushed with the data
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn has_name(&self, path: &Path) -> io::Result<bool> {
        let named = match fs::metadata(path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(false);
            }
            named => named?,
        };
        Ok(self.identity()? == (named.dev(), named.ino()))
    }

    fn lock(&self) -> io::Result<bool> {
        self.0.lock().map(|()| true)
    }

    fn unlock(&self) -> io::Result<()> {
        self.0.unlock()
    }

    fn file_system(&self) -> Option<u64> {
        whole::file_system(&self.0)
    }

    fn sync_file_system(&self) -> io::Result<()> {
        whole::sync(&self.0)
    }
}

/// How many syncs wait side by side: a file system makes those durable together that are asked for at once.
const SYNCS_AT_ONCE: usize = 32;

/// Does it for each, on as many threads as wait well; the first error, in their order.
fn side_by_side<T: Sync>(items: &[T], sync: impl Fn(&T) -> io::Result<()> + Sync) -> io::Result<()> {
    let threads = SYNCS_AT_ONCE.min(items.len());
    if threads < 2 {
        return items.iter().try_for_each(sync);
    }
    let part = |number: usize| items.iter().skip(number).step_by(threads).try_for_each(&sync);
    std::thread::scope(|scope| {
        let part = &part;
        let others: Vec<_> = (1..threads).map(|number| scope.spawn(move || part(number))).collect();
        let own = part(0);
        let ended = others.into_iter().map(|other| {
            other.join().unwrap_or_else(|_| Err(io::Error::other("a thread that synced ended early")))
        });
        ended.fold(own, |before, ended| before.and(ended))
    })
}

/// Released by the system when the file is closed, however the process ends.
#[derive(Debug)]
struct OsLock(#[expect(dead_code, reason = "held for its lock")] File);

impl DiskLock for OsLock {}

impl Disk for OsDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        match access {
            Access::Read => options.read(true),
            Access::Write => options.read(true).write(true),
            Access::CreateNew => options.read(true).write(true).create_new(true),
        };
        OsFile::open(&options, path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    fn create_private_dir(&self, path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            result => result,
        }
    }

    fn create_private(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        OsFile::open(OpenOptions::new().read(true).write(true).create_new(true).mode(0o600), path)
    }

    fn is_private(&self, path: &Path) -> io::Result<bool> {
        Ok(path.metadata()?.permissions().mode() & 0o077 == 0)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if path.symlink_metadata()?.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        File::open(path)?.sync_all()
    }

    fn sync_files(&self, files: &[Arc<dyn DiskFile>]) -> io::Result<()> {
        side_by_side(files, |file| file.sync())
    }

    fn sync_written(&self, files: &[Arc<dyn DiskFile>]) -> io::Result<()> {
        match files.first() {
            Some(first) if whole::is_worth_it(files.iter().map(|file| file.file_system())) => {
                first.sync_file_system()
            }
            _ => self.sync_files(files),
        }
    }

    fn sync_dirs(&self, paths: &[PathBuf]) -> io::Result<()> {
        match paths.first() {
            Some(first) if whole::is_worth_it(paths.iter().map(|path| whole::file_system_of(path))) => {
                whole::sync(&File::open(first)?)
            }
            _ => side_by_side(paths, |path| self.sync_dir(path)),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = fs::read_dir(path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.lock()?;
        Ok(Box::new(OsLock(file)))
    }
}
