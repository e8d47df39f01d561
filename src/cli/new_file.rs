//! Files and folders that are whole or absent: they are made under a name that nobody looks for and get their own when
//! they are done. What is there already is never written over.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::{Builder, TempDir};

use super::bundle_error::BundleTrouble;
use super::error::CliError;
use super::safe::safe_path;

const PREFIX: &str = ".proofline-";

/// Makes a file. False when one with these very bytes is there already; any other stays, and is an error.
pub(crate) fn write_new<T>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<T, CliError>,
) -> Result<(T, bool), CliError> {
    let unwritable = |source| CliError::Unwritable { name: safe_path(path), source };
    let permissions = Permissions::from_mode(0o666);
    let mut builder = Builder::new();
    let builder = builder.prefix(PREFIX).permissions(permissions);
    let mut file = builder.tempfile_in(folder_of(path)).map_err(unwritable)?;
    let made = write(file.as_file_mut())?;
    file.as_file().sync_all().map_err(unwritable)?;
    match file.persist_noclobber(path) {
        Ok(_) => {
            File::open(folder_of(path)).and_then(|folder| folder.sync_all()).map_err(unwritable)?;
            Ok((made, true))
        }
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
            if same(path, refused.file.path()).map_err(unwritable)? {
                return Ok((made, false));
            }
            Err(BundleTrouble::Exists { name: safe_path(path) }.into())
        }
        Err(refused) => Err(unwritable(refused.error)),
    }
}

/// Makes a folder with what `fill` puts there; one that is there must be empty.
pub(crate) fn fill_new<T>(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let unwritable = |source| CliError::Unwritable { name: safe_path(path), source };
    let not_empty = || CliError::from(BundleTrouble::NotEmpty { name: safe_path(path) });
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unwritable(error)),
        Ok(found) => {
            let is_empty = found.is_dir() && fs::read_dir(path).map_err(unwritable)?.next().is_none();
            if !is_empty {
                return Err(not_empty());
            }
        }
    }
    let folder: TempDir = Builder::new()
        .prefix(PREFIX)
        .permissions(Permissions::from_mode(0o777))
        .tempdir_in(folder_of(path))
        .map_err(unwritable)?;
    let made = fill(folder.path())?;
    // In the place of an empty folder, and of nothing else.
    fs::rename(folder.path(), path).map_err(unwritable)?;
    let _gone = folder.keep();
    File::open(folder_of(path)).and_then(|folder| folder.sync_all()).map_err(unwritable)?;
    Ok(made)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// True when both files have the same bytes.
fn same(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (File::open(one)?, File::open(other)?);
    if !one.metadata()?.is_file() || one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (BufReader::new(one), BufReader::new(other));
    let (mut left, mut right) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let count = one.read(&mut left)?;
        let (Some(left), Some(right)) = (left.get(..count), right.get_mut(..count)) else { return Ok(false) };
        if left.is_empty() {
            return Ok(true);
        }
        other.read_exact(right)?;
        if left != right {
            return Ok(false);
        }
    }
}
