//! `proofline bundle verify`: checks a bundle, for somebody who has no ledger.

use std::fs::File;
use std::path::{Path, PathBuf};

use proofline::proof::bundle::{Bundle, BundleReport, BundleTrust, verify_bundle};
use proofline::proof::{KeyRole, Policy, VerifierKey};

use super::bundle::open_file;
use super::bundle_report::{ReportLine, exit_of, text};
use super::error::CliError;
use super::exit::Exit;
use super::keys_given;
use super::output::{Out, OutputArgs};
use super::safe::safe_path;

/// Checks a bundle; needs no ledger
///
/// Says apart whether the entries are those of the log (integrity), whether
/// nothing of the traces is missing (completeness), who signed (authenticity) and
/// what was erased. A key given is one that you know to be the log's; it may have
/// vouched for the one that signed. Without a key and a policy nobody is asked who
/// signed.
///
/// Exits with 3 where integrity fails, with 8 where something is missing, with 9
/// where nobody who is believed signed; the first of them counts.
///
/// Examples:
///   proofline bundle verify case.bundle --key desk.vkey
///   proofline bundle verify case.bundle --policy trust.policy
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct VerifyBundleArgs {
    /// The bundle
    file: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Whom a command line believes.
#[derive(clap::Args)]
pub(crate) struct TrustArgs {
    /// The log's public key, as text or in a file; any number of them
    #[arg(long = "key", value_name = "KEY|FILE")]
    keys: Vec<PathBuf>,
    /// A policy (C2SP tlog-policy): which logs and witnesses to believe
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// The same, read.
pub(crate) struct Trusted {
    keys: Vec<VerifierKey>,
    policy: Option<Policy>,
}

impl TrustArgs {
    pub(crate) fn read(&self) -> Result<Trusted, CliError> {
        let keys = keys_given::public_keys(&self.keys)?;
        if keys.iter().any(|key| key.role() != KeyRole::Log) {
            return Err(CliError::Usage("a bundle is signed with log keys; name witnesses in a policy"));
        }
        let policy = self.policy.as_deref().map(keys_given::policy_file).transpose()?;
        Ok(Trusted { keys, policy })
    }
}

impl Trusted {
    const fn as_trust(&self) -> BundleTrust<'_> {
        BundleTrust { keys: self.keys.as_slice(), policy: self.policy.as_ref() }
    }

    /// Judges a file.
    fn judge_file(&self, path: &Path) -> Result<BundleReport, CliError> {
        let unreadable = |source| CliError::Unreadable { name: safe_path(path), source };
        verify_bundle(open_file(path)?, &self.as_trust()).map_err(unreadable)
    }

    /// Judges a bundle that is open.
    pub(crate) fn judge(&self, path: &Path, bundle: &mut Bundle<File>) -> Result<BundleReport, CliError> {
        let unreadable = |source| CliError::Unreadable { name: safe_path(path), source };
        bundle.verify(&self.as_trust()).map_err(unreadable)
    }
}

/// Judges the bundle and says what it came to.
pub(crate) fn run(args: &VerifyBundleArgs, out: &mut Out) -> Result<Exit, CliError> {
    let report = args.trust.read()?.judge_file(&args.file)?;
    let name = safe_path(&args.file);
    if out.is_json() {
        out.json(&ReportLine::of(name, &report))?;
    } else {
        text(out, &name, &report)?;
    }
    Ok(exit_of(&report))
}
