//! Keys and policies that a command line names: a public key as its text or in a file, a policy of
//! witnesses in a file. Nothing here reads a secret key.

use std::path::Path;

use proofline::proof::{KeyError, MAX_POLICY_BYTES, Policy, PolicyError, VerifierKey};

use super::error::CliError;
use super::input::Source;

/// The longest file of public keys, in bytes: an ML-DSA-44 key takes some 2 KiB.
const MAX_KEY_FILE_BYTES: usize = 64 << 10;

/// Public keys, each given as its text or as a file with one key a line.
pub(crate) fn verifier_keys(given: &[String]) -> Result<Vec<VerifierKey>, CliError> {
    let mut keys = Vec::new();
    for text in given {
        // A text has two `+` and, in base64, maybe a slash: whether it is a file is asked last.
        match text.parse::<VerifierKey>() {
            Ok(key) => keys.push(key),
            Err(error) if Path::new(text).is_file() => keys.extend(keys_of_file(text, error)?),
            Err(source) => return Err(CliError::Key { name: "--key".to_owned(), source }),
        }
    }
    Ok(keys)
}

fn keys_of_file(path: &str, not_a_key: KeyError) -> Result<Vec<VerifierKey>, CliError> {
    let source = Source::of(Some(Path::new(path)));
    let bytes = source.read_all(MAX_KEY_FILE_BYTES)?;
    let wrong = |source_error| CliError::Key { name: source.name(), source: source_error };
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong(KeyError::Form))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let keys = lines.map(|line| line.parse().map_err(wrong)).collect::<Result<Vec<_>, CliError>>()?;
    if keys.is_empty() { Err(wrong(not_a_key)) } else { Ok(keys) }
}

/// A policy file (C2SP tlog-policy).
pub(crate) fn policy_file(path: &Path) -> Result<Policy, CliError> {
    let source = Source::of(Some(path));
    let bytes = source.read_all(MAX_POLICY_BYTES)?;
    let wrong = |error: PolicyError| CliError::Policy { name: source.name(), source: error };
    Policy::parse(&bytes).map_err(wrong)
}
