//! Folders of files as a whole: how large, in the page cache or not.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Failure::io("list", folder))? {
        let path = entry.map_err(Failure::io("list", folder))?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The bytes of every file below a folder.
pub(crate) fn bytes(folder: &Path) -> Result<u64, Failure> {
    let size = |path: PathBuf| fs::metadata(&path).map(|data| data.len()).map_err(Failure::io("read", &path));
    files(folder)?.into_iter().map(size).sum()
}

/// Reads every file once.
pub(crate) fn warm(folder: &Path) -> Result<(), Failure> {
    files(folder)?.iter().try_for_each(|path| warm_file(path))
}

/// Reads a file once.
pub(crate) fn warm_file(path: &Path) -> Result<(), Failure> {
    read(path).map_err(Failure::io("read", path))
}

fn read(path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    while file.read(&mut buffer)? > 0 {}
    Ok(())
}

/// Asks the system to forget a file's pages; what was not written back stays.
pub(crate) fn forget(path: &Path) -> Result<(), Failure> {
    let forgotten = File::open(path).and_then(|file| {
        file.sync_all()?;
        Ok(rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?)
    });
    forgotten.map_err(Failure::io("drop from the page cache", path))
}
