//! Public keys and policies that a command line names. Nothing here reads a secret key.

use std::path::{Path, PathBuf};

use proofline::proof::{MAX_POLICY_BYTES, Policy, PolicyError, VerifierKey};

use super::error::CliError;
use super::input::Source;
use super::key_file::public_key;
use super::signing_error::SigningError;

/// Public keys, each given as its text or as a file that holds it.
pub(crate) fn public_keys(given: &[PathBuf]) -> Result<Vec<VerifierKey>, CliError> {
    given.iter().map(|key| public_key(key)).collect()
}

/// A policy file (C2SP tlog-policy).
pub(crate) fn policy_file(path: &Path) -> Result<Policy, CliError> {
    let source = Source::of(Some(path));
    let parsed = Policy::parse(&source.read_all(MAX_POLICY_BYTES)?);
    parsed.map_err(|error| no_policy(source.name(), error))
}

/// That a file, or the keys given, make no policy.
pub(crate) fn no_policy(name: String, source: PolicyError) -> CliError {
    SigningError::Policy { name, source }.into()
}
