//! Durability in one place. A file that must be whole or absent is made like this, in order:
//! write under a temporary name, `fdatasync` the file, `rename` it, `fsync` its folder. A new
//! folder is synced into its parent, and that into its own, up to the root. What this cannot
//! promise: a device that acknowledges a flush it did not do.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile};

/// Ends the name of a file that is not whole yet.
pub(crate) const UNFINISHED: &str = ".tmp";

/// The temporary name of a file.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    PathBuf::from(name)
}

/// Opens the file under its temporary name, emptied if an interrupted attempt left one.
pub(crate) fn start_file(disk: &dyn Disk, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
    match disk.open(path, Access::CreateNew) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let file = disk.open(path, Access::Write)?;
            file.truncate(0)?;
            Ok(file)
        }
        result => result,
    }
}

/// Makes or replaces a file, whole and durable when this returns; returns it open.
pub(crate) fn write_file(
    disk: &dyn Disk,
    path: &Path,
    write: impl FnOnce(&dyn DiskFile) -> io::Result<()>,
) -> io::Result<Arc<dyn DiskFile>> {
    let temporary = unfinished(path);
    let file = start_file(disk, &temporary)?;
    write(&*file)?;
    file.sync()?;
    disk.rename(&temporary, path)?;
    sync_parent(disk, path)?;
    Ok(file)
}

/// Makes or replaces a file whose bytes are durable when this returns, and whose name is once the
/// caller has synced its folder. What lies under the temporary name goes: it may have a second name
/// by now, so it is not written to.
pub(crate) fn place_file(disk: &dyn Disk, temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    if disk.exists(temporary) {
        disk.remove(temporary)?;
    }
    let file = disk.open(temporary, Access::CreateNew)?;
    file.write_all_at(bytes, 0)?;
    file.sync()?;
    disk.rename(temporary, path)
}

/// Syncs the folder that holds `path`.
pub(crate) fn sync_parent(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    disk.sync_dir(path.parent().unwrap_or(Path::new("")))
}

/// Makes a folder and those above it that are missing, and makes the names of all of them
/// durable: an earlier attempt may have made a folder and been cut off before its sync.
pub(crate) fn create_dirs(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    for folder in path.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
        if disk.exists(folder) {
            break;
        }
        missing.push(folder);
    }
    for folder in missing.iter().rev() {
        disk.create_dir(folder)?;
    }
    for folder in path.ancestors().skip(1) {
        match disk.sync_dir(folder) {
            // A folder above that this user may not even open was not made by this user.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => break,
            result => result?,
        }
    }
    Ok(())
}

/// Reads up to `buffer.len()` bytes, fewer only at the end of the file.
pub(crate) fn read_full_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(filled as u64))? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
