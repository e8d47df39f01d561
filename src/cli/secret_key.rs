//! A secret key from a file that only its owner may read.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use proofline::proof::{KeyError, SecretKey};
use zeroize::Zeroizing;

use super::error::CliError;
use super::proof_error::ProofError;
use super::safe::safe_path;

/// The longest file of a secret key, in bytes.
const MAX_SECRET_FILE_BYTES: usize = 4 << 10;

/// Reads the key. It is wiped from memory when it is dropped, and so is the text.
pub(crate) fn read_secret(path: &Path) -> Result<SecretKey, CliError> {
    let unreadable = |source: io::Error| CliError::Unreadable { name: safe_path(path), source };
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode();
    if mode & 0o077 != 0 {
        return Err(ProofError::OpenKeyFile { path: PathBuf::from(path), mode: mode & 0o777 }.into());
    }
    // Room for all that is read: a buffer that grew would leave parts of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * MAX_SECRET_FILE_BYTES));
    file.take(MAX_SECRET_FILE_BYTES as u64).read_to_end(&mut bytes).map_err(unreadable)?;
    let wrong = |source| CliError::Key { name: safe_path(path), source };
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong(KeyError::Form))?;
    text.trim_end_matches(['\n', '\r']).parse().map_err(wrong)
}
