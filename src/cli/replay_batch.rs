//! `proofline replay --out FILE`: a run into a report, whole or one of several shards, that goes on where it was cut
//! off.

use std::ffi::OsString;
use std::fs;
use std::io::{BufWriter, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use proofline::canon::ContentStore;
use proofline::ledger::Snapshot;
use proofline::replay::html::{HtmlError, HtmlReport, HtmlVersions, TreeLimits};
use proofline::replay::report::{
    Batch, End, ReportError, ReportFile, Shard, write_json, write_jsonl, write_junit,
};
use proofline::replay::{Event, Means, Plan, ReplayError, ReplaySink, Summary, TraceReplay};
use serde::Serialize;

use super::bundle_error::BundleTrouble;
use super::error::CliError;
use super::exit::Exit;
use super::new_file::write_new;
use super::output::{self, Format, Out};
use super::pace::Pace;
use super::replay_report::sentence;
use super::safe::safe_path;
use super::signals::Stop;

/// A run into a file.
#[derive(clap::Args)]
pub(crate) struct BatchArgs {
    /// Replay every trace, which is what happens without --trace anyhow
    #[arg(long, conflicts_with_all = ["trace", "baseline", "candidate", "pairs"])]
    all: bool,
    /// Write a report to this file, and only the totals to the standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Do the I-th of N parts; `proofline report merge` makes the whole of all
    #[arg(long, value_name = "I/N", requires = "out")]
    shard: Option<Shard>,
    /// Go on where a run into this file was cut off; begin where there was none
    #[arg(long, requires = "out")]
    resume: bool,
    /// The form of the report [default: by the end of FILE's name: .json, .xml, .html, else jsonl]
    #[arg(long, value_enum, value_name = "FORM", requires = "out")]
    report_format: Option<ReportForm>,
    /// How many traces lie between two checkpoints
    #[arg(long, value_name = "N", requires = "out", default_value_t = Batch::CHECKPOINT_TRACES)]
    checkpoint_traces: NonZeroUsize,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ReportForm {
    /// JSON Lines, a trace a line: the one form that can be merged
    Jsonl,
    /// One JSON document
    Json,
    /// JUnit XML, for build servers
    Junit,
    /// One HTML file, for people: docs/html.md
    Html,
}

impl ReportForm {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Html => "html",
        }
    }

    fn of(path: &Path) -> Self {
        match path.extension().and_then(|end| end.to_str()) {
            Some("json") => Self::Json,
            Some("xml") => Self::Junit,
            Some("html" | "htm") => Self::Html,
            _ => Self::Jsonl,
        }
    }
}

impl BatchArgs {
    /// The file of the report, where one was asked for.
    pub(crate) fn out(&self) -> Option<&Path> {
        self.out.as_deref()
    }

    pub(crate) const fn shard(&self) -> Option<Shard> {
        self.shard
    }

    fn form(&self, out: &Path) -> ReportForm {
        self.report_format.unwrap_or_else(|| ReportForm::of(out))
    }

    /// What clap cannot tell; `has_traces` when some were chosen, `records` when verdicts are to be appended.
    pub(crate) fn check_usage(
        &self,
        questions: usize,
        is_chosen: bool,
        records: bool,
    ) -> Result<(), CliError> {
        let Some(out) = &self.out else { return Ok(()) };
        if questions > 1 {
            return Err(CliError::Usage("--out takes the answer to one question: give one --mode"));
        }
        if is_chosen && self.shard.is_some() {
            return Err(CliError::Usage("--shard cuts a run over all traces, and some were chosen"));
        }
        if is_chosen && self.resume {
            return Err(CliError::Usage("--resume goes on with a run over all traces, and some were chosen"));
        }
        if records {
            return Err(CliError::Usage(
                "--record and --out are two runs: verdicts would be appended to the ledger that is being read",
            ));
        }
        if self.shard.is_some() && self.form(out) != ReportForm::Jsonl {
            return Err(CliError::Usage(
                "a shard is merged from JSON Lines: name another FILE, or --report-format jsonl",
            ));
        }
        Ok(())
    }

    /// Begins, or finds where to go on.
    pub(crate) fn begin(&self) -> Result<Option<Job>, CliError> {
        let Some(out) = self.out.clone() else { return Ok(None) };
        let form = self.form(&out);
        let lines = if form == ReportForm::Jsonl { out.clone() } else { with_end(&out, ".lines") };
        if form != ReportForm::Jsonl && fs::symlink_metadata(&out).is_ok() {
            return Err(ReportError::Exists(out).into());
        }
        let batch = if self.resume { Batch::resume(&lines) } else { Batch::begin(&lines) };
        let batch = batch?.with_checkpoint_traces(self.checkpoint_traces);
        Ok(Some(Job { out, lines, form, shard: self.shard, is_resumed: batch.is_resumed(), batch }))
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}

/// A run that is to begin.
pub(crate) struct Job {
    out: PathBuf,
    /// The report in JSON Lines.
    lines: PathBuf,
    form: ReportForm,
    shard: Option<Shard>,
    is_resumed: bool,
    pub(crate) batch: Batch,
}

#[derive(Serialize)]
struct WrittenLine {
    report: Written,
}

#[derive(Serialize)]
struct Written {
    file: String,
    form: &'static str,
    shard: Option<String>,
    resumed: bool,
    verdict: &'static str,
    traces: u64,
    passed: u64,
    failed: u64,
    damage_count: u64,
}

impl Job {
    /// Runs to the end, or until somebody stops it; then there is an exit code and no summary.
    pub(crate) fn run(
        self,
        snapshot: &Snapshot,
        means: &Means<'_>,
        plan: &Plan,
        stop: &Stop,
        out: &mut Out,
    ) -> Result<Result<Summary, Exit>, CliError> {
        let format = if out.is_json() { Format::Json } else { Format::Text };
        let entries = snapshot.entries() / self.shard.map_or(1, Shard::of);
        let mut watch = Watch { stop, pace: Pace::new(format), entries };
        let ended = self.batch.run(snapshot, means, plan, &mut watch);
        drop(watch);
        let end = match (ended, stop.asked()) {
            (Err(ReportError::Replay(ReplayError::Stopped)), Some(exit)) => {
                tell_stopped(format, &self.lines);
                return Ok(Err(exit));
            }
            (ended, _) => ended?,
        };
        if self.form != ReportForm::Jsonl {
            let beside = Beside { snapshot, payloads: means.payloads };
            convert(&ReportFile::open(&self.lines)?, self.form, &self.out, Some(beside))?;
            fs::remove_file(&self.lines)
                .map_err(|source| CliError::Unwritable { name: safe_path(&self.lines), source })?;
        }
        tell(&self.out, self.form, self.shard, self.is_resumed, &end, out)?;
        Ok(Ok(end.summary().clone()))
    }
}

fn tell(
    file: &Path,
    form: ReportForm,
    shard: Option<Shard>,
    resumed: bool,
    end: &End,
    out: &mut Out,
) -> Result<(), CliError> {
    let (summary, file) = (end.summary(), safe_path(file));
    if out.is_json() {
        let report = Written {
            file,
            form: form.as_str(),
            shard: shard.map(|shard| shard.to_string()),
            resumed,
            verdict: summary.verdict().as_str(),
            traces: summary.traces,
            passed: summary.passed,
            failed: summary.failed,
            damage_count: summary.damage_count,
        };
        return out.json(&WrittenLine { report });
    }
    let text = sentence(summary);
    let is_well = summary.damage_count == 0 && summary.failed == 0;
    let painted = if is_well { out.paint().good(&text) } else { out.paint().bad(&text) };
    out.line(painted)?;
    let part = shard.map(|shard| format!(", shard {shard}")).unwrap_or_default();
    out.line(format_args!("report: {file} ({}{part})", form.as_str()))
}

fn tell_stopped(format: Format, lines: &Path) {
    let message = format!(
        "stopped on request; the same command with --resume goes on{}",
        if with_end(lines, ".checkpoint").exists() {
            " behind the last checkpoint"
        } else {
            ", from the beginning"
        }
    );
    output::note(format, "replay.stopped", &message);
}

/// What a page shows beside verdicts: trees, and payloads where they differ.
#[derive(Clone, Copy)]
pub(crate) struct Beside<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) payloads: Option<&'a (dyn ContentStore + Sync)>,
}

/// Writes a report in another form, whole or not at all. False when these very bytes were there.
pub(crate) fn convert(
    report: &ReportFile,
    form: ReportForm,
    to: &Path,
    beside: Option<Beside<'_>>,
) -> Result<bool, CliError> {
    write_report(to, |writer| match form {
        ReportForm::Jsonl => Ok(write_jsonl(report, writer)?),
        ReportForm::Json => Ok(write_json(report, writer)?),
        ReportForm::Junit => Ok(write_junit(report, writer)?),
        ReportForm::Html => {
            let beside =
                beside.ok_or(CliError::Usage("a page shows records: name the ledger with --ledger"))?;
            page(report, beside, writer)
        }
    })
    .map(|((), is_new)| is_new)
}

/// The page of a report, with the trees of the entries that it is about.
fn page(report: &ReportFile, beside: Beside<'_>, writer: &mut dyn Write) -> Result<(), CliError> {
    let Beside { snapshot, payloads } = beside;
    let (head, snapshot) = (report.head(), &report.prefix(snapshot)?);
    let versions =
        HtmlVersions { proofline: head.proofline.clone(), policy_engine: head.policy_engine.clone() };
    let html = HtmlReport { snapshot, payloads, versions: &versions };
    match html.run(report.end().summary(), report, &TreeLimits::default(), writer) {
        Ok(_) => Ok(()),
        Err(HtmlError::Write(source)) => Err(ReportError::Output(source).into()),
        Err(error) => Err(error.into()),
    }
}

/// Makes the file of a report, whole or not at all. False when these very bytes were there.
pub(crate) fn write_report<T>(
    to: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<T, CliError>,
) -> Result<(T, bool), CliError> {
    let unwritable = |source| CliError::Unwritable { name: safe_path(to), source };
    let written = write_new(to, |file| {
        let mut writer = BufWriter::with_capacity(1 << 16, file);
        let made = write(&mut writer).map_err(|error| match error {
            CliError::Report(error) => match *error {
                ReportError::Output(source) => unwritable(source),
                other => other.into(),
            },
            other => other,
        })?;
        writer.flush().map_err(unwritable)?;
        Ok(made)
    });
    written.map_err(|error| match error {
        CliError::Bundle(trouble) if matches!(*trouble, BundleTrouble::Exists { .. }) => {
            ReportError::Exists(to.to_owned()).into()
        }
        other => other,
    })
}

/// Looks for a signal, and shows how far the run is.
struct Watch<'a> {
    stop: &'a Stop,
    pace: Pace,
    /// Entries that the traces of the run have, about.
    entries: u64,
}

impl ReplaySink for Watch<'_> {
    fn verdict(&mut self, _: TraceReplay) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn event(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::EntriesChecked { checked, total } => self.pace.set("entries checked", *checked, *total),
            Event::TracesReplayed { traces, total: Some(total), .. } => {
                self.pace.set("traces replayed", *traces, *total);
            }
            Event::TracesReplayed { entries, .. } => {
                self.pace.set("entries replayed", *entries, self.entries.max(*entries));
            }
            _ => {}
        }
        if self.stop.asked().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
