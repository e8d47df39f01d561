//! `proofline salvage`: copies all that verifies out of a damaged ledger.

use std::path::PathBuf;

use proofline::ledger::{Damage, SalvageReport, salvage};
use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::input::ledger_folder;
use super::output::{DamageLine, Out, OutputArgs, show_damage};
use super::phrase::counted;
use super::safe::safe_path;

/// Copies all that verifies out of a damaged ledger, with a report of the gaps
///
/// OUT gets entries.jsonl (every readable entry with its header), evidence.jsonl
/// (lines that `commit` takes), blobs and gaps.json. The damaged ledger is only
/// read. Exits with 3 when anything had to be left behind.
///
/// Example:
///   proofline salvage damaged saved
///   proofline init new
///   proofline commit new saved/evidence.jsonl
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SalvageArgs {
    /// The damaged ledger's folder
    dir: PathBuf,
    /// A new or empty folder for what is saved
    out: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Serialize)]
struct SalvageLine {
    entries: u64,
    evidence: u64,
    unlinked: u64,
    archived: u64,
    blobs: u64,
    gaps: Vec<DamageLine>,
}

/// Copies and reports.
pub(crate) fn run(args: &SalvageArgs, out: &mut Out) -> Result<Exit, CliError> {
    let SalvageReport { entries, evidence, unlinked, archived, blobs, gaps, .. } =
        salvage(ledger_folder(&args.dir)?, &args.out)?;
    let exit = Exit::when(!gaps.is_empty(), Exit::DamagedLedger);
    if out.is_json() {
        let gaps = gaps.iter().map(DamageLine::from).collect();
        out.json(&SalvageLine { entries, evidence, unlinked, archived, blobs, gaps })?;
        return Ok(exit);
    }
    out.line(format_args!("saved {} into {}", counted(entries, "entry", "entries"), safe_path(&args.out)))?;
    out.line(format_args!("  evidence  {evidence}, as lines for `proofline commit`"))?;
    out.line(format_args!("  unlinked  {unlinked} without a link to the entry before"))?;
    if archived > 0 {
        out.line(format_args!("  archived  {archived} without their bodies"))?;
    }
    out.line(format_args!("  payloads  {blobs}"))?;
    let list: Vec<&Damage> = gaps.iter().collect();
    show_damage(out, "left behind", &list, list.len() as u64)?;
    Ok(exit)
}
