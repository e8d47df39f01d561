//! `proofline migrate`: brings a ledger of an earlier version up to date.

use std::path::PathBuf;

use proofline::ledger::{CURRENT_FORMAT, MigrateReport, StepFound, migrate, plan_migration};
use serde::Serialize;

use super::commit::tell_recovery;
use super::error::CliError;
use super::exit::Exit;
use super::input::ledger_folder;
use super::output::{Out, OutputArgs};
use super::phrase::counted;
use super::safe::safe;

/// Brings a ledger that an earlier version wrote up to date
///
/// Says which files are of an earlier form, and makes them anew in today's. The
/// log itself is not rewritten. Done again it finds nothing; cut off, it is simply
/// done again. A ledger of a newer format is refused.
///
/// Examples:
///   proofline migrate ledger --dry-run
///   proofline migrate ledger
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct MigrateArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// Says what would be done, and changes nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Serialize)]
struct MigrateLine {
    format: u32,
    current_format: u32,
    applied: bool,
    steps: Vec<StepLine>,
}

#[derive(Serialize)]
struct StepLine {
    id: &'static str,
    from_format: u32,
    to_format: u32,
    finds: &'static str,
    does: &'static str,
    files: Vec<String>,
}

impl From<&StepFound> for StepLine {
    fn from(found: &StepFound) -> Self {
        let step = found.step;
        Self {
            id: step.id,
            from_format: step.from_format,
            to_format: step.to_format,
            finds: step.finds,
            does: step.does,
            files: found.files.clone(),
        }
    }
}

/// Looks, or migrates.
pub(crate) fn run(args: &MigrateArgs, out: &mut Out) -> Result<Exit, CliError> {
    let dir = ledger_folder(&args.dir)?;
    let report = if args.dry_run { plan_migration(dir)? } else { migrate(dir)? };
    tell_recovery(args.output.format, &report.recovery);
    if out.is_json() {
        let steps = report.found.iter().map(StepLine::from).collect();
        let MigrateReport { format, is_applied: applied, .. } = report;
        out.json(&MigrateLine { format, current_format: CURRENT_FORMAT, applied, steps })?;
        return Ok(Exit::Ok);
    }
    out.line(format_args!("format {}, and this program writes {CURRENT_FORMAT}", report.format))?;
    if report.found.is_empty() {
        out.line(out.paint().good("The ledger is up to date: there is nothing to migrate."))?;
        return Ok(Exit::Ok);
    }
    let would = if report.is_applied { "" } else { "would be: " };
    for found in &report.found {
        let files = counted(found.files.len() as u64, "file", "files");
        out.line(format_args!("{}  {files}: {}", found.step.id, found.step.finds))?;
        for file in &found.files {
            out.line(format_args!("  {}", safe(file)))?;
        }
        out.line(format_args!("  {would}{}", found.step.does))?;
    }
    let done = if report.is_applied { "The ledger is up to date now." } else { "Nothing was changed." };
    out.line(out.paint().good(done)).map(|()| Exit::Ok)
}
