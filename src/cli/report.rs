//! `proofline report`: what one does with the reports that `proofline replay --out` writes.

use std::path::PathBuf;

use proofline::canon::ContentStore;
use proofline::replay::RunVerdict;
use proofline::replay::report::{ReportFile, merge};
use serde::Serialize;

use super::archives::ArchivesArgs;
use super::blobs;
use super::error::CliError;
use super::exit::Exit;
use super::output::{Format, Out, OutputArgs};
use super::phrase::counted;
use super::replay_batch::{Beside, ReportForm, convert, write_report};
use super::replay_report::sentence;
use super::report_show::{self, ShowReportArgs};
use super::safe::safe_path;

/// Merges, converts and shows reports of replays
///
/// Examples:
///   proofline report merge part-*.jsonl --out report.jsonl
///   proofline report convert report.jsonl --to junit --out report.xml
///   proofline report show report.jsonl
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ReportArgs {
    #[command(subcommand)]
    step: Step,
}

#[derive(clap::Subcommand)]
enum Step {
    Merge(MergeArgs),
    Convert(ConvertArgs),
    Show(ShowReportArgs),
}

/// Makes the report of the whole of the reports of all shards
///
/// The order of the files changes nothing, and a shard that is given twice must
/// be the same twice. What is made is, byte for byte, the report that one run
/// without shards writes. Every line is checked.
///
/// Exits with 3 when the log is damaged, else 1 when a verdict failed, as
/// `replay` does; with 4 when the reports do not go together.
///
/// Examples:
///   proofline report merge part-1.jsonl part-2.jsonl --out report.jsonl
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
struct MergeArgs {
    /// The reports, in JSON Lines
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The report to be written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

/// Writes a report in another form
///
/// Examples:
///   proofline report convert report.jsonl --to json --out report.json
///   proofline report convert report.jsonl --to junit --out report.xml
///   proofline report convert report.jsonl --to html --ledger ledger --out report.html
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
struct ConvertArgs {
    /// The report, in JSON Lines
    file: PathBuf,
    /// The form
    #[arg(long, value_enum, value_name = "FORM")]
    to: ReportForm,
    /// The file to be written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// For html: the ledger that was replayed, whose records the page shows
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl ReportArgs {
    pub(crate) const fn format(&self) -> Format {
        match &self.step {
            Step::Merge(args) => args.output.format,
            Step::Convert(args) => args.output.format,
            Step::Show(args) => args.output.format,
        }
    }
}

/// Takes the step that was asked for.
pub(crate) fn run(args: &ReportArgs, out: &mut Out) -> Result<Exit, CliError> {
    match &args.step {
        Step::Merge(args) => merge_reports(args, out),
        Step::Convert(args) => convert_report(args, out),
        Step::Show(args) => report_show::run(args, out),
    }
}

#[derive(Serialize)]
struct MergedLine {
    file: String,
    is_new: bool,
    reports: u64,
    verdict: &'static str,
    traces: u64,
    passed: u64,
    failed: u64,
    damage_count: u64,
}

fn merge_reports(args: &MergeArgs, out: &mut Out) -> Result<Exit, CliError> {
    let (merged, is_new) = write_report(&args.out, |writer| Ok(merge(&args.files, writer)?))?;
    let (summary, file) = (&merged.summary, safe_path(&args.out));
    let verdict = summary.verdict();
    if out.is_json() {
        out.json(&MergedLine {
            file,
            is_new,
            reports: merged.reports,
            verdict: verdict.as_str(),
            traces: summary.traces,
            passed: summary.passed,
            failed: summary.failed,
            damage_count: summary.damage_count,
        })?;
    } else {
        let text = sentence(summary);
        let painted =
            if verdict == RunVerdict::AllWell { out.paint().good(&text) } else { out.paint().bad(&text) };
        out.line(painted)?;
        let reports = counted(merged.reports, "report", "reports");
        out.line(format_args!("report: {file}, merged from {reports}"))?;
    }
    Ok(match verdict {
        RunVerdict::AllWell => Exit::Ok,
        RunVerdict::SomeFailed => Exit::Failed,
        RunVerdict::Damaged => Exit::DamagedLedger,
    })
}

#[derive(Serialize)]
struct ConvertedLine {
    file: String,
    is_new: bool,
}

fn convert_report(args: &ConvertArgs, out: &mut Out) -> Result<Exit, CliError> {
    if args.ledger.is_some() && args.to != ReportForm::Html {
        return Err(CliError::Usage("--ledger is for --to html; the other forms show no records"));
    }
    let report = ReportFile::open(&args.file)?;
    let ledger = args
        .ledger
        .as_deref()
        .map(|dir| Ok::<_, CliError>((args.archives.snapshot(dir)?, blobs::of_ledger(dir)?)));
    let ledger = ledger.transpose()?;
    let beside = ledger.as_ref().map(|(snapshot, payloads)| Beside {
        snapshot,
        payloads: payloads.as_ref().map(|blobs| blobs as &(dyn ContentStore + Sync)),
    });
    let is_new = convert(&report, args.to, &args.out, beside)?;
    let file = safe_path(&args.out);
    if out.is_json() {
        out.json(&ConvertedLine { file, is_new })?;
    } else {
        out.line(format_args!("report: {file}"))?;
    }
    Ok(Exit::Ok)
}
