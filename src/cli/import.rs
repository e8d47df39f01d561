//! `proofline import`: makes a ledger of a stream that `export` wrote.

use std::path::{Path, PathBuf};

use proofline::ledger::{ImportReport, Options, import};
use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::export::{heard, payloads, show_facts};
use super::import_otlp::{self, ImportOtlpArgs};
use super::input::Source;
use super::output::{Format, Out, OutputArgs};
use super::phrase::counted;
use super::progress::Progress;
use super::safe::safe_path;
use super::transfer_error::of_import;

/// Makes a ledger of a stream that `export` wrote, and checks all of it
///
/// The gate decides every entry again and must come to the same one, every
/// checkpoint must have the tree's root and a log key's signature, every payload
/// its hash. DIR is a ledger when all of it is there and durable, or not at all.
///
/// `import otlp` brings recorded telemetry into a ledger instead. A folder of the
/// name otlp is written ./otlp.
///
/// Examples:
///   proofline import ledger ledger.stream
///   ssh other proofline export ledger | proofline import copy -
///   proofline import otlp ledger spans.otlp.jsonl
#[derive(clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    other: Option<ImportOther>,
    /// A new or empty folder
    #[arg(required = true)]
    dir: Option<PathBuf>,
    /// The stream, `-` for the standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

/// What else can be imported.
#[derive(clap::Subcommand)]
enum ImportOther {
    Otlp(ImportOtlpArgs),
}

impl ImportArgs {
    pub(crate) fn format(&self) -> Format {
        match &self.other {
            Some(ImportOther::Otlp(args)) => args.output.format,
            None => self.output.format,
        }
    }
}

#[derive(Serialize)]
struct ImportLine {
    ledger_id: String,
    origin: String,
    entries: u64,
    head: String,
    checkpoints: u64,
    carries_blobs: bool,
    blobs: u64,
    blob_bytes: u64,
    sha256: String,
}

/// Imports and reports.
pub(crate) fn run(args: &ImportArgs, out: &mut Out) -> Result<Exit, CliError> {
    if let Some(ImportOther::Otlp(args)) = &args.other {
        return import_otlp::run(args, out);
    }
    let Some(dir) = &args.dir else {
        return Err(CliError::Usage("name the folder of a new ledger, or what to import"));
    };
    let source = Source::of(Some(&args.file));
    let mut reader = source.open()?;
    let progress = Progress::counter("entries");
    let report = import(&mut reader, dir, &Options::default(), &mut |step| heard(&progress, step));
    let report = report.map_err(|error| of_import(error, source.name()))?;
    drop(progress);
    if out.is_json() {
        out.json(&line(&report))?;
    } else {
        show(dir, out, &report)?;
    }
    Ok(Exit::Ok)
}

fn line(report: &ImportReport) -> ImportLine {
    ImportLine {
        ledger_id: report.ledger_id.to_string(),
        origin: report.origin.to_string(),
        entries: report.entries,
        head: report.head.to_string(),
        checkpoints: report.checkpoints,
        carries_blobs: report.carries_blobs,
        blobs: report.blobs,
        blob_bytes: report.blob_bytes,
        sha256: report.sha256.to_string(),
    }
}

fn show(dir: &Path, out: &mut Out, report: &ImportReport) -> Result<(), CliError> {
    let kept = if report.carries_blobs {
        payloads(report.blobs, report.blob_bytes)
    } else {
        "none in the stream".to_owned()
    };
    let facts = [
        ("ledger", format!("{} of {}", report.ledger_id, report.origin)),
        ("entries", format!("{}, each decided again by the gate", report.entries)),
        ("head", report.head.to_string()),
        ("checkpoints", report.checkpoints.to_string()),
        ("payloads", kept),
        ("sha256", report.sha256.to_string()),
    ];
    show_facts(out, &facts)?;
    let entries = counted(report.entries, "entry", "entries");
    out.line(out.paint().good(&format!("Imported {entries} into {}.", safe_path(dir))))
}
