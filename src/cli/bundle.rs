//! `proofline bundle`: everything that a ledger holds about some traces in one file, and what its holder does with it.

use std::fs::File;
use std::path::Path;

use proofline::proof::bundle::{Bundle, BundleError};

use super::bundle_create::{self, CreateArgs};
use super::bundle_error::BundleTrouble;
use super::bundle_extract::{self, ExtractArgs};
use super::bundle_show::{self, ShowBundleArgs};
use super::bundle_verify::{self, VerifyBundleArgs};
use super::bundle_withhold::{self, WithholdArgs};
use super::error::CliError;
use super::exit::Exit;
use super::output::{Format, Out};
use super::safe::safe_path;

/// Makes, checks, shows, unpacks and thins evidence bundles
///
/// A bundle is one file with all that a ledger holds about some traces up to a
/// checkpoint, and what shows that nothing is left out. Whoever has it and the
/// log's public key needs no ledger and no network.
///
/// Examples:
///   proofline bundle create ledger --trace da95 case.bundle
///   proofline bundle verify case.bundle --key desk.vkey
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct BundleArgs {
    #[command(subcommand)]
    step: Step,
}

#[derive(clap::Subcommand)]
enum Step {
    Create(CreateArgs),
    Verify(VerifyBundleArgs),
    Show(ShowBundleArgs),
    Extract(ExtractArgs),
    Withhold(WithholdArgs),
}

impl BundleArgs {
    pub(crate) const fn format(&self) -> Format {
        match &self.step {
            Step::Create(args) => args.output.format,
            Step::Verify(args) => args.output.format,
            Step::Show(args) => args.output.format,
            Step::Extract(args) => args.output.format,
            Step::Withhold(args) => args.output.format,
        }
    }
}

/// Takes the step that was asked for.
pub(crate) fn run(args: &BundleArgs, out: &mut Out) -> Result<Exit, CliError> {
    match &args.step {
        Step::Create(args) => bundle_create::run(args, out),
        Step::Verify(args) => bundle_verify::run(args, out),
        Step::Show(args) => bundle_show::run(args, out),
        Step::Extract(args) => bundle_extract::run(args, out),
        Step::Withhold(args) => bundle_withhold::run(args, out),
    }
}

/// Opens the file of a bundle; it must be one that can be read anywhere.
pub(crate) fn open_file(path: &Path) -> Result<File, CliError> {
    let unreadable = |source| CliError::Unreadable { name: safe_path(path), source };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(unreadable(std::io::ErrorKind::IsADirectory.into()));
    }
    Ok(file)
}

/// Opens a bundle.
pub(crate) fn open(path: &Path) -> Result<Bundle<File>, CliError> {
    Bundle::open(open_file(path)?).map_err(|error| refused(path, error))
}

/// Why a bundle is not read or written to its end.
pub(crate) fn refused(path: &Path, error: BundleError) -> CliError {
    let name = safe_path(path);
    match error {
        BundleError::Io(source) => CliError::Unreadable { name, source },
        error => BundleTrouble::File { name, source: error }.into(),
    }
}
