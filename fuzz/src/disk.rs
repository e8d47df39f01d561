//! A disk in memory: no failures, no threads, only files that a fuzz target can lay out and look at.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proofline_ledger::disk::{Access, Disk, DiskFile, DiskLock};

/// Files by path; folders spring up with those that are laid out.
#[derive(Debug, Default)]
pub struct MemoryDisk {
    files: Mutex<BTreeMap<PathBuf, Arc<MemoryFile>>>,
    folders: Mutex<BTreeSet<PathBuf>>,
}

#[derive(Debug, Default)]
struct MemoryFile(Mutex<Vec<u8>>);

#[derive(Debug)]
struct NoLock;

impl DiskLock for NoLock {}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryDisk {
    /// Lays out a file and the folders above it.
    pub fn put(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        let path = path.as_ref();
        hold(&self.folders).extend(path.ancestors().skip(1).map(Path::to_owned));
        hold(&self.files).insert(path.to_owned(), Arc::new(MemoryFile(Mutex::new(bytes.to_vec()))));
    }

    fn need_folder_of(&self, path: &Path) -> io::Result<()> {
        let is_there = path.parent().is_none_or(|folder| hold(&self.folders).contains(folder));
        if is_there { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Every file under a folder, with its bytes.
    pub fn files(&self, folder: impl AsRef<Path>) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = hold(&self.files);
        let inside = files.iter().filter(|(path, _)| path.starts_with(folder.as_ref()));
        inside.map(|(path, file)| (path.clone(), hold(&file.0).clone())).collect()
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = hold(&self.0);
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let mut held = hold(&self.0);
        let end = offset.checked_add(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        if held.len() < end {
            held.resize(end, 0);
        }
        held[offset..end].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(hold(&self.0).len() as u64)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        hold(&self.0).resize(length, 0);
        Ok(())
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let found = hold(&self.files).get(path).cloned();
        match (found, access) {
            (Some(_), Access::CreateNew) => Err(io::ErrorKind::AlreadyExists.into()),
            (Some(file), _) => Ok(file),
            (None, Access::CreateNew) => {
                self.need_folder_of(path)?;
                let file = Arc::new(MemoryFile::default());
                hold(&self.files).insert(path.to_owned(), Arc::clone(&file));
                Ok(file)
            }
            (None, _) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        hold(&self.folders).insert(path.to_owned());
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.need_folder_of(to)?;
        let mut files = hold(&self.files);
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let is_full = self.list(path).is_ok_and(|names| !names.is_empty());
        if is_full {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let was_file = hold(&self.files).remove(path).is_some();
        let was_there = was_file || hold(&self.folders).remove(path);
        if was_there { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        if !hold(&self.folders).contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let files = hold(&self.files);
        let folders = hold(&self.folders);
        let inside = files.keys().chain(folders.iter()).filter(|entry| entry.parent() == Some(path));
        let names = inside.filter_map(|entry| entry.file_name()?.to_str());
        Ok(names.map(str::to_owned).collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn exists(&self, path: &Path) -> bool {
        hold(&self.files).contains_key(path) || hold(&self.folders).contains(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        hold(&self.files).entry(path.to_owned()).or_default();
        Ok(Box::new(NoLock))
    }
}
