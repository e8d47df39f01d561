//! `proofline export`: writes a whole ledger as one stream.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use proofline::ledger::{ExportOrder, ExportReport, TransferError, TransferProgress, TransferStage, export};
use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::export_otlp::{self, ExportOtlpArgs};
use super::input::ledger_folder;
use super::key_file::write_whole_with;
use super::output::{self, Format, Out, OutputArgs};
use super::phrase::counted;
use super::progress::Progress;
use super::safe::{safe, safe_path};

/// Writes a whole ledger as one stream, which `import` makes a ledger of again
///
/// Entries, kept checkpoints and payloads, each with what is needed to check it.
/// The same ledger gives the same bytes. Others may commit meanwhile: what is
/// written is what was durable when it began. What is erased is never in it.
///
/// `export otlp` writes traces for an observability stack instead. A folder of the
/// name otlp is written ./otlp.
///
/// Examples:
///   proofline export ledger ledger.stream
///   proofline export ledger - | ssh other proofline import ledger -
///   proofline export otlp ledger --out spans.otlp.jsonl
#[derive(clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ExportArgs {
    #[command(subcommand)]
    other: Option<ExportOther>,
    /// The ledger's folder
    #[arg(required = true)]
    dir: Option<PathBuf>,
    /// The file to write, `-` for the standard output, which then gets no report
    #[arg(default_value = "-")]
    out: PathBuf,
    /// Whether the payloads go along
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    blobs: Which,
    /// Only the first SIZE entries, and what belongs to them
    #[arg(long, value_name = "SIZE")]
    at: Option<u64>,
    #[command(flatten)]
    output: OutputArgs,
}

/// What else can be written.
#[derive(clap::Subcommand)]
enum ExportOther {
    Otlp(ExportOtlpArgs),
}

impl ExportArgs {
    pub(crate) const fn format(&self) -> Format {
        match &self.other {
            Some(ExportOther::Otlp(args)) => args.output.format,
            None => self.output.format,
        }
    }
}

/// Which payloads go along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Those that the ledger keeps
    #[default]
    All,
    /// None
    None,
}

#[derive(Serialize)]
struct ExportLine {
    ledger_id: String,
    origin: String,
    entries: u64,
    head: String,
    checkpoints: u64,
    blobs: u64,
    blob_bytes: u64,
    stream_bytes: u64,
    sha256: String,
    file: String,
}

/// Exports and reports.
pub(crate) fn run(args: &ExportArgs, out: &mut Out) -> Result<Exit, CliError> {
    if let Some(ExportOther::Otlp(args)) = &args.other {
        return export_otlp::run(args, out);
    }
    let Some(dir) = &args.dir else {
        return Err(CliError::Usage("name the ledger's folder, or what to export"));
    };
    let dir = ledger_folder(dir)?;
    let order = ExportOrder { with_blobs: args.blobs == Which::All, at: args.at };
    if args.out == Path::new("-") {
        if output::is_terminal() {
            return Err(CliError::Usage("a stream is binary, and this is a terminal: name a file"));
        }
        to_writer(dir, &order, &mut io::stdout().lock(), CliError::Output)?;
        return Ok(Exit::Ok);
    }
    let report = write_whole_with(&args.out, |file| {
        to_writer(dir, &order, file, |source| CliError::Unwritable { name: safe_path(&args.out), source })
    })?;
    if out.is_json() {
        out.json(&line(&report, &args.out))?;
    } else {
        show(out, &report, &args.out)?;
    }
    Ok(Exit::Ok)
}

fn to_writer(
    dir: &Path,
    order: &ExportOrder,
    to: &mut dyn Write,
    unwritable: impl FnOnce(io::Error) -> CliError,
) -> Result<ExportReport, CliError> {
    let progress = Progress::counter("entries");
    export(dir, order, to, &mut |step| heard(&progress, step)).map_err(|error| match error {
        TransferError::Sink(source) => unwritable(source),
        other => other.into(),
    })
}

/// Shows how far a transfer is.
pub(crate) fn heard(progress: &Progress, step: TransferProgress) -> ControlFlow<()> {
    let what = match step.stage {
        TransferStage::Payloads => "payloads",
        _ => "entries",
    };
    progress.set_of(what, step.done, step.total.unwrap_or(step.done));
    ControlFlow::Continue(())
}

fn line(report: &ExportReport, file: &Path) -> ExportLine {
    ExportLine {
        ledger_id: report.ledger_id.to_string(),
        origin: report.origin.to_string(),
        entries: report.entries,
        head: report.head.to_string(),
        checkpoints: report.checkpoints,
        blobs: report.blobs,
        blob_bytes: report.blob_bytes,
        stream_bytes: report.stream_bytes,
        sha256: report.sha256.to_string(),
        file: safe_path(file),
    }
}

fn show(out: &mut Out, report: &ExportReport, file: &Path) -> Result<(), CliError> {
    let facts = [
        ("ledger", format!("{} of {}", report.ledger_id, report.origin)),
        ("entries", report.entries.to_string()),
        ("head", report.head.to_string()),
        ("checkpoints", report.checkpoints.to_string()),
        ("payloads", payloads(report.blobs, report.blob_bytes)),
        ("sha256", report.sha256.to_string()),
    ];
    show_facts(out, &facts)?;
    let bytes = counted(report.stream_bytes, "byte", "bytes");
    out.line(out.paint().good(&format!("Exported into {}, {bytes}.", safe_path(file))))
}

pub(crate) fn payloads(count: u64, bytes: u64) -> String {
    format!("{count}, of {}", counted(bytes, "byte", "bytes"))
}

pub(crate) fn show_facts(out: &mut Out, facts: &[(&str, String)]) -> Result<(), CliError> {
    for (name, fact) in facts {
        out.line(format_args!("{name:<12} {}", safe(fact)))?;
    }
    out.space()
}
