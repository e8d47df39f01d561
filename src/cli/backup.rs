//! `proofline backup`: copies a live ledger into a folder, and later what is new.

use std::fs;
use std::path::{Path, PathBuf};

use proofline::ledger::{BackupReport, Damage, TransferError, backup};
use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::export::{heard, show_facts};
use super::input::ledger_folder;
use super::output::{DamageLine, Out, OutputArgs, show_damage};
use super::phrase::counted;
use super::progress::Progress;
use super::safe::safe_path;

/// Copies a live ledger into a folder that is a ledger too; again: what is new
///
/// Others may commit meanwhile. OUT gets the entries that were durable when it
/// began, their checkpoints and payloads, and is a whole ledger at any moment:
/// `verify OUT` works on it, and copying it back restores it. Payloads that were
/// erased since go. A folder that is no beginning of this log is refused. Exits
/// with 3 when a payload was damaged and not copied.
///
/// Examples:
///   proofline backup ledger /mnt/copies/ledger
///   proofline export /mnt/copies/ledger - | proofline import restored -
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct BackupArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// A new or empty folder, or an earlier copy of this ledger
    out: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Serialize)]
struct BackupLine {
    ledger_id: String,
    entries: u64,
    previous_entries: Option<u64>,
    head: String,
    log_bytes: u64,
    checkpoints: u64,
    blobs: u64,
    blob_bytes: u64,
    blobs_present: u64,
    blobs_erased: u64,
    damaged: Vec<DamageLine>,
}

/// Copies and reports.
pub(crate) fn run(args: &BackupArgs, out: &mut Out) -> Result<Exit, CliError> {
    let dir = ledger_folder(&args.dir)?;
    check_apart(dir, &args.out)?;
    let progress = Progress::counter("entries");
    let report = backup(dir, &args.out, &mut |step| heard(&progress, step))?;
    drop(progress);
    if out.is_json() {
        out.json(&line(&report))?;
    } else {
        show(args, out, &report)?;
    }
    Ok(Exit::when(!report.damaged.is_empty(), Exit::DamagedLedger))
}

/// Links may make one folder lie in the other although their names do not say so.
fn check_apart(dir: &Path, out: &Path) -> Result<(), CliError> {
    let there = |path: &&Path| fs::canonicalize(path).is_ok();
    let above = out.ancestors().filter(|path| !path.as_os_str().is_empty()).find(there);
    // Of a relative name nothing may be there but the folder that it starts from.
    let (above, rest) = match above {
        Some(above) => (above, out.strip_prefix(above).unwrap_or(Path::new(""))),
        None => (Path::new("."), out),
    };
    let (Ok(own), Ok(above_real)) = (fs::canonicalize(dir), fs::canonicalize(above)) else { return Ok(()) };
    let copy = above_real.join(rest);
    if own.starts_with(&copy) || copy.starts_with(&own) {
        return Err(TransferError::IntoItself { dir: dir.to_owned(), out: out.to_owned() }.into());
    }
    Ok(())
}

fn line(report: &BackupReport) -> BackupLine {
    BackupLine {
        ledger_id: report.ledger_id.to_string(),
        entries: report.entries,
        previous_entries: report.previous_entries,
        head: report.head.to_string(),
        log_bytes: report.log_bytes,
        checkpoints: report.checkpoints,
        blobs: report.blobs,
        blob_bytes: report.blob_bytes,
        blobs_present: report.blobs_present,
        blobs_erased: report.blobs_erased,
        damaged: report.damaged.iter().map(DamageLine::from).collect(),
    }
}

fn show(args: &BackupArgs, out: &mut Out, report: &BackupReport) -> Result<(), CliError> {
    let before = report.previous_entries.map_or("nothing".to_owned(), |entries| {
        if entries == report.entries {
            "the same entries".to_owned()
        } else {
            counted(entries, "entry", "entries")
        }
    });
    let mut facts = vec![
        ("ledger", report.ledger_id.to_string()),
        ("entries", report.entries.to_string()),
        ("head", report.head.to_string()),
        ("before", before),
        ("copied", format!("{} of entries", counted(report.log_bytes, "byte", "bytes"))),
        ("checkpoints", format!("{} copied", report.checkpoints)),
        (
            "payloads",
            format!(
                "{} copied ({}), {} there already",
                report.blobs,
                counted(report.blob_bytes, "byte", "bytes"),
                report.blobs_present
            ),
        ),
    ];
    if report.blobs_erased > 0 {
        facts.push(("erased", counted(report.blobs_erased, "payload", "payloads")));
    }
    show_facts(out, &facts)?;
    let list: Vec<&Damage> = report.damaged.iter().collect();
    show_damage(out, "not copied", &list, list.len() as u64)?;
    let told = format!(
        "{} holds this ledger's first {}.",
        safe_path(&args.out),
        counted(report.entries, "entry", "entries")
    );
    out.line(if list.is_empty() { out.paint().good(&told) } else { told })
}
