//! `proofline report show`: the totals of a report, and what failed in it.

use std::ops::ControlFlow;
use std::path::PathBuf;

use proofline::replay::report::{Head, ReportFile, ReportLine};
use proofline::replay::{Summary, TraceReplay};

use super::error::CliError;
use super::exit::Exit;
use super::output::{Out, OutputArgs, show_damage};
use super::phrase::{counted, wrap_words};
use super::replay_report::sentence;
use super::safe::{safe, safe_cut};

/// Shows the totals of a report and its failures
///
/// In JSON: the first line, the lines of failed traces and the last line, as the
/// report has them. Every line of the report is checked on the way.
///
/// Examples:
///   proofline report show report.jsonl
///   proofline report show report.jsonl --failures 5
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ShowReportArgs {
    /// The report, in JSON Lines
    file: PathBuf,
    /// The most failures that text shows
    #[arg(long, value_name = "N", default_value_t = 20)]
    failures: u64,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Reads the report from end to end.
pub(crate) fn run(args: &ShowReportArgs, out: &mut Out) -> Result<Exit, CliError> {
    let report = ReportFile::open(&args.file)?;
    if out.is_json() {
        return show_lines(&report, out);
    }
    let summary = report.end().summary();
    show_head(report.head(), out)?;
    show_totals(summary, out)?;
    show_failures(&report, summary, args.failures, out)?;
    let damage: Vec<_> = summary.damage.iter().collect();
    show_damage(out, "damage of the log", &damage, summary.damage_count)?;
    out.space()?;
    let text = sentence(summary);
    let is_well = summary.failed == 0 && summary.damage_count == 0;
    let painted = if is_well { out.paint().good(&text) } else { out.paint().bad(&text) };
    out.line(painted)?;
    Ok(Exit::Ok)
}

fn show_lines(report: &ReportFile, out: &mut Out) -> Result<Exit, CliError> {
    out.line(report.head().to_line()?)?;
    let mut told = Ok(());
    report.visit(&mut |line, bytes| {
        let is_shown = match &line {
            ReportLine::Verdict(replay) => !replay.is_pass(),
            ReportLine::End(_) => true,
            _ => false,
        };
        if is_shown {
            told = out.bytes(bytes).and_then(|()| out.bytes(b"\n"));
        }
        Ok(if told.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    told.map(|()| Exit::Ok)
}

fn show_head(head: &Head, out: &mut Out) -> Result<(), CliError> {
    let shard = head.shard.map(|shard| format!(", shard {shard}")).unwrap_or_default();
    out.heading(&format!(
        "{} replay of {}{shard}",
        head.replay_type,
        counted(head.entries, "entry", "entries")
    ))?;
    let root = head.root.map_or_else(|| "none".to_owned(), |root| root.to_base64());
    let engine = head.policy_engine.as_deref().unwrap_or("none");
    let facts = [
        ("ledger", head.ledger_id.to_string()),
        ("origin", head.origin.clone().unwrap_or_else(|| "not readable".to_owned())),
        ("root", root),
        ("clock", head.generated_at.to_string()),
        ("versions", format!("proofline {}, policy engine {engine}", head.proofline)),
    ];
    facts.iter().try_for_each(|(name, fact)| out.line(format_args!("  {name:<9} {}", safe_cut(fact, 200))))
}

fn show_totals(summary: &Summary, out: &mut Out) -> Result<(), CliError> {
    out.heading("totals")?;
    out.line(format_args!("  {:<44} {:>12}", "passed", summary.passed))?;
    out.line(format_args!("  {:<44} {:>12}", "failed", summary.failed))?;
    for (class, count) in &summary.failures {
        out.line(format_args!("    {:<42} {count:>12}", class.as_str()))?;
    }
    if summary.unlisted_traces > 0 {
        out.line(format_args!("  {:<44} {:>12}", "refused attempts alone", summary.unlisted_traces))?;
    }
    for (code, count) in &summary.findings {
        out.line(format_args!("  {:<44} {count:>12}", format!("finding {code}")))?;
    }
    out.line(format_args!("  {:<44} {:>12}", "records verified", summary.verified))
}

fn show_failures(report: &ReportFile, summary: &Summary, most: u64, out: &mut Out) -> Result<(), CliError> {
    let (mut shown, mut told) = (0, Ok(()));
    report.visit(&mut |line, _| {
        if let ReportLine::Verdict(replay) = &line
            && !replay.is_pass()
            && shown < most
        {
            told = show_failure(replay, shown == 0, out);
            shown += 1;
        }
        Ok(if told.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    told?;
    let more = summary.failed.saturating_sub(shown);
    if more > 0 {
        out.line(format_args!("  and {more} more"))?;
    }
    Ok(())
}

fn show_failure(replay: &TraceReplay, is_first: bool, out: &mut Out) -> Result<(), CliError> {
    let Some(failure) = replay.failure() else { return Ok(()) };
    if is_first {
        out.heading("what failed and why")?;
    }
    if let Some(baseline) = replay.baseline() {
        out.line(format_args!("  baseline {baseline}"))?;
    }
    out.line(format_args!("  trace {}", replay.trace_id()))?;
    let class = out.paint().bad(failure.class.as_str());
    out.line(format_args!("    {class}  {}", safe(failure.check.as_str())))?;
    for line in wrap_words(&safe_cut(&failure.message, 600), out.columns().saturating_sub(4)) {
        out.line(format_args!("    {line}"))?;
    }
    for (name, side) in [("expected", &failure.expected), ("found", &failure.found)] {
        if let Some(text) = side {
            out.line(format_args!("    {name:<9} {}", safe_cut(text, 200)))?;
        }
    }
    Ok(())
}
