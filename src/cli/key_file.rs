//! Key files: read a secret key, as `ssh` does only where nobody else can; read a public one, from its text or its
//! file; write files that are there whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proofline::proof::{KeyError, SIGNER_KEY_PREFIX, SecretKey, Signer, VerifierKey};
use tempfile::{Builder, NamedTempFile};
use zeroize::Zeroizing;

use super::error::CliError;
use super::safe::safe_path;
use super::signing_error::SigningError;

/// The longest key file; an ML-DSA-44 public key under the longest name takes about half of it.
const MAX_KEY_FILE_BYTES: usize = 4096;

/// What a key is called in messages that came as an argument: never by its text.
const ARGUMENT: &str = "the key given";

/// What a key file holds.
pub(crate) enum KeyFile {
    /// A secret key.
    Secret(SecretKey),
    /// A public key.
    Public(VerifierKey),
}

/// Reads the secret key in a file.
pub(crate) fn read_secret(path: &Path) -> Result<SecretKey, CliError> {
    match read_key(path)? {
        KeyFile::Secret(key) => Ok(key),
        KeyFile::Public(_) => Err(wrong(safe_path(path), KeyError::Kind("secret"))),
    }
}

/// Reads the secret keys in these files.
pub(crate) fn read_secrets(paths: &[impl AsRef<Path>]) -> Result<Vec<SecretKey>, CliError> {
    paths.iter().map(|path| read_secret(path.as_ref())).collect()
}

/// The keys as those who sign.
pub(crate) fn signers(keys: &[SecretKey]) -> Vec<&dyn Signer> {
    keys.iter().map(|key| key as &dyn Signer).collect()
}

/// The public key that an argument is, or that the file has which it names.
pub(crate) fn public_key(argument: &Path) -> Result<VerifierKey, CliError> {
    let parsed = match argument.to_str() {
        Some(text) if text.starts_with(SIGNER_KEY_PREFIX) => {
            return Err(wrong(ARGUMENT.to_owned(), KeyError::Kind("public")));
        }
        Some(text) if text.matches('+').count() >= 2 => Some(text.parse()),
        _ => None,
    };
    match parsed {
        Some(Ok(key)) => Ok(key),
        Some(Err(error)) if !argument.exists() => Err(wrong(ARGUMENT.to_owned(), error)),
        _ => match read_key(argument)? {
            KeyFile::Public(key) => Ok(key),
            KeyFile::Secret(_) => Err(wrong(safe_path(argument), KeyError::Kind("public"))),
        },
    }
}

/// Reads a key file of either kind. A secret key that others can read or change is refused before it is used.
pub(crate) fn read_key(path: &Path) -> Result<KeyFile, CliError> {
    let name = safe_path(path);
    let (bytes, mode) = read(path).map_err(|source| CliError::Unreadable { name: name.clone(), source })?;
    let text = std::str::from_utf8(&bytes).ok().filter(|text| text.len() <= MAX_KEY_FILE_BYTES);
    let text = text.map(|text| text.strip_suffix('\n').unwrap_or(text));
    let text = text.ok_or_else(|| wrong(name.clone(), KeyError::Form))?;
    if !text.starts_with(SIGNER_KEY_PREFIX) {
        return text.parse().map(KeyFile::Public).map_err(|error| wrong(name, error));
    }
    if mode & 0o077 != 0 {
        return Err(SigningError::Permissions { name, mode }.into());
    }
    text.parse().map(KeyFile::Secret).map_err(|error| wrong(name, error))
}

/// The bytes of a file, one more than allowed at most, and its mode. The buffer never grows, so no copy of a secret
/// is left behind.
fn read(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, u32)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX_KEY_FILE_BYTES));
    file.take(MAX_KEY_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes, metadata.permissions().mode() & 0o777))
}

fn wrong(name: String, source: KeyError) -> CliError {
    SigningError::Key { name, source }.into()
}

/// Writes a file that must not be there, whole, durable and with this mode.
pub(crate) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CliError> {
    place_new(path, unfinished(path, bytes, mode)?).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => SigningError::Exists { name: safe_path(path) }.into(),
        _ => unwritable(path, error),
    })
}

/// [`write_new`] for what is no key and need not be in memory. When `write` fails, there is no file.
pub(crate) fn write_new_with<T>(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut dyn Write) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let failed = |source| unwritable(path, source);
    if path.symlink_metadata().is_ok() {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    let mut file = start(path, mode).map_err(failed)?;
    let written = write(&mut file)?;
    file.as_file().sync_all().map_err(failed)?;
    place_new(path, file).map_err(failed)?;
    Ok(written)
}

fn place_new(path: &Path, unfinished: NamedTempFile) -> io::Result<()> {
    unfinished.persist_noclobber(path).map_err(|error| error.error)?;
    File::open(folder_of(path))?.sync_all()
}

/// Writes a file whole and durable, in the place of one that may be there; a device or a pipe is written into.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    write_whole_with(path, |file| file.write_all(bytes).map_err(|source| unwritable(path, source)))
}

/// [`write_whole`] of what `write` gives, of any length.
pub(crate) fn write_whole_with<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, CliError>,
) -> Result<T, CliError> {
    if is_no_file(path) {
        // A name put in its place would take `/dev/null` away from everybody.
        let opened = OpenOptions::new().write(true).open(path);
        return write(&mut opened.map_err(|source| unwritable(path, source))?);
    }
    let mut unfinished = unfinished(path, &[], 0o666)?;
    let written = write(unfinished.as_file_mut())?;
    unfinished.as_file().sync_all().map_err(|source| unwritable(path, source))?;
    unfinished.persist(path).map_err(|error| unwritable(path, error.error))?;
    sync_folder(path)?;
    Ok(written)
}

/// Whether something is there that is neither a file nor a folder.
fn is_no_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir())
}

/// The bytes in a file beside `path`, which goes away unless it gets that name.
fn unfinished(path: &Path, bytes: &[u8], mode: u32) -> Result<NamedTempFile, CliError> {
    let write = || -> io::Result<NamedTempFile> {
        let mut file = start(path, mode)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    write().map_err(|source| unwritable(path, source))
}

fn start(path: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let permissions = Permissions::from_mode(mode);
    Builder::new().prefix(".proofline-").permissions(permissions).tempfile_in(folder_of(path))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn sync_folder(path: &Path) -> Result<(), CliError> {
    File::open(folder_of(path))
        .and_then(|folder| folder.sync_all())
        .map_err(|source| unwritable(path, source))
}

fn unwritable(path: &Path, source: io::Error) -> CliError {
    CliError::Unwritable { name: safe_path(path), source }
}
