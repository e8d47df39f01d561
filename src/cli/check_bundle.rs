//! The bundle that shows the violations of a check: their traces, and no more. It is read again and verified before
//! it gets its name, so that none goes out that shows less than it says.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use proofline::ledger::{BundleOrder, PayloadChoice, create_bundle};
use proofline::policy::RulesError;
use proofline::proof::bundle::{BundleError, BundleReport, BundleTrust, Manifest, verify_bundle};

use super::bundle_error::BundleTrouble;
use super::check::ShownBy;
use super::error::CliError;
use super::exit::Exit;
use super::new_file::write_new;
use super::safe::safe_path;

/// Why a check did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// The rules are none.
    #[error("{source}")]
    Rules {
        /// The file, or `the standard input`.
        name: String,
        /// What is wrong.
        source: RulesError,
    },
    /// What would show a violation lies behind the checkpoint that the bundle rests on.
    #[error(
        "entry {last} is needed to show the violations, and the newest checkpoint that a bundle can rest on \
         covers {size} entries"
    )]
    BehindCheckpoint {
        /// The entry.
        last: u64,
        /// What the checkpoint covers.
        size: u64,
    },
}

impl From<CheckError> for CliError {
    fn from(error: CheckError) -> Self {
        Self::Check(Box::new(error))
    }
}

impl CheckError {
    /// The stable code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Rules { source, .. } => source.code(),
            Self::BehindCheckpoint { .. } => "check.behind_checkpoint",
        }
    }

    /// The exit code.
    pub(crate) const fn exit(&self) -> Exit {
        Exit::BadInput
    }

    /// Where it happened.
    pub(crate) fn place(&self) -> Option<String> {
        match self {
            Self::Rules { name, source } => {
                let line = source.line().map(|line| format!(", line {line}")).unwrap_or_default();
                Some(format!("{name}{line}"))
            }
            Self::BehindCheckpoint { .. } => None,
        }
    }

    /// What to do about it.
    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::Rules { source, .. } => source.hint(),
            Self::BehindCheckpoint { .. } => "run `proofline checkpoint`, then check again",
        }
    }
}

/// A bundle that was written and verified.
pub(crate) struct Written {
    pub(crate) file: String,
    pub(crate) is_new: bool,
    pub(crate) bundle_bytes: u64,
    pub(crate) traces: usize,
    pub(crate) entries: u64,
    pub(crate) size: u64,
}

/// Writes the bundle, and reads it again.
pub(crate) fn write(
    dir: &Path,
    path: &Path,
    shown_by: ShownBy,
    archives: &[PathBuf],
) -> Result<Written, CliError> {
    let last = shown_by.last.map_or(0, |last| last.get());
    let order = BundleOrder {
        traces: shown_by.traces,
        payloads: PayloadChoice::None,
        at: None,
        archives: archives.to_vec(),
    };
    let ((manifest, bundle_bytes), is_new) = write_new(path, |file| {
        let manifest = fill(dir, &order, path, file)?;
        if last >= manifest.size {
            return Err(CheckError::BehindCheckpoint { last, size: manifest.size }.into());
        }
        let bundle_bytes = verified(path, file)?;
        Ok((manifest, bundle_bytes))
    })?;
    Ok(Written {
        file: safe_path(path),
        is_new,
        bundle_bytes,
        traces: manifest.traces.len(),
        entries: manifest.traces.iter().map(|claim| claim.entries).sum(),
        size: manifest.size,
    })
}

fn fill(dir: &Path, order: &BundleOrder, path: &Path, file: &mut File) -> Result<Manifest, CliError> {
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    let manifest = create_bundle(dir, order, &mut writer).map_err(BundleTrouble::from)?;
    writer.flush().map_err(|source| CliError::Unwritable { name: safe_path(path), source })?;
    Ok(manifest)
}

/// The length of the bundle, if it holds. Who signed is for whoever is given it to ask.
fn verified(path: &Path, file: &mut File) -> Result<u64, CliError> {
    let unreadable = |source| CliError::Unreadable { name: safe_path(path), source };
    file.rewind().map_err(unreadable)?;
    let trust = BundleTrust { keys: &[], policy: None };
    let report: BundleReport = verify_bundle(&mut *file, &trust).map_err(unreadable)?;
    if let Some(fault) = report.faults.into_iter().next() {
        return Err(BundleTrouble::File { name: safe_path(path), source: BundleError::Fault(fault) }.into());
    }
    if !report.is_complete {
        return Err(CliError::Internal("the bundle that was written was not verified to its end".to_owned()));
    }
    Ok(file.metadata().map_err(unreadable)?.len())
}
