//! `proofline html`: one HTML file about a trace, a run over many, or two traces side by side.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use proofline::canon::ContentStore;
use proofline::ledger::{Blobs, Snapshot};
use proofline::policy::{CedarEngine, PolicyEngine};
use proofline::replay::html::{HtmlError, HtmlReport, HtmlVersions, HtmlWritten, TreeLimits};
use proofline::replay::{
    Event, Means, Mode, Plan, ReplaySink, RunVerdict, Selection, Summary, TraceReplay, replay,
};
use proofline::trace::TraceId;
use serde::Serialize;

use super::archives::ArchivesArgs;
use super::blobs;
use super::clock::Clock;
use super::counting::Counting;
use super::entry_view::warn_of_damage;
use super::error::CliError;
use super::exit::Exit;
use super::key_file::write_whole_with;
use super::output::{Out, OutputArgs};
use super::phrase::counted;
use super::progress::Progress;
use super::replay::closed;
use super::replay_mode::QuestionArgs;
use super::safe::safe_path;
use super::trace::TraceBegin;

/// Writes a replay as one HTML file that opens offline, prints, and needs no script
///
/// With one --trace, the page of that trace: forensic and invariant replay, and
/// all of its records. With --all, or several --trace, or pairs, the report of
/// a run: totals, what was not done, failures first, then findings, then
/// passes. With --drift, two traces side by side. Each statement says whether
/// it was verified, is inferred, or cannot be replayed.
///
/// Exits as `replay` does: with 3 when the log is damaged, else with 1 when a
/// verdict failed; with --drift also with 1 when the two differ.
///
/// Examples:
///   proofline html ledger --trace da950e42aef0bfe2197fd9b6b3c4838c --out trace.html
///   proofline html ledger --all --mode invariant --out report.html
///   proofline html ledger --drift da95 31d9 --out drift.html
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct HtmlArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// Every trace, and every entry of the log
    #[arg(long, conflicts_with_all = ["trace", "drift"])]
    all: bool,
    /// Two traces side by side, each by its first digits
    #[arg(long, num_args = 2, value_names = ["A", "B"], value_parser = TraceBegin::parse)]
    #[arg(conflicts_with_all = ["trace", "mode", "baseline", "pairs", "variance"])]
    drift: Vec<TraceBegin>,
    #[command(flatten)]
    question: QuestionArgs,
    /// The file to write, in the place of one that may be there; `-` for the standard output, which then
    /// gets no report
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// The time that the verdicts bear
    #[arg(long, value_name = "RFC3339|now", default_value = "1970-01-01T00:00:00.000Z", value_parser = Clock::parse)]
    clock: Clock,
    /// How many passes are drawn as trees
    #[arg(long, value_name = "N", default_value_t = TreeLimits::default().passes)]
    trees: u64,
    /// How many threads replay; the page is the same for any number [default: one a processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Serialize)]
struct HtmlLine {
    page: &'static str,
    file: String,
    bytes: u64,
    traces: u64,
    failed: u64,
    trees: u64,
}

/// What a page is of.
enum Subject {
    Run(Plan),
    Trace(TraceId),
    Drift(TraceId, TraceId),
}

impl Subject {
    const fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Trace(_) => "trace",
            Self::Drift(..) => "drift",
        }
    }
}

/// Replays and writes the page.
pub(crate) fn run(args: &HtmlArgs, out: &mut Out) -> Result<Exit, CliError> {
    args.question.check_usage()?;
    let snapshot = args.archives.snapshot(&args.dir)?;
    let subject = args.subject(&snapshot)?;
    let payloads = blobs::of_ledger(&args.dir)?;
    let book = Book { snapshot: &snapshot, payloads: payloads.as_ref(), versions: versions() };
    let made = book.make(args, &subject)?;
    if args.out == Path::new("-") {
        let mut stream = Counting { out: BufWriter::new(io::stdout().lock()), bytes: 0 };
        let written = book.write(&made, args.limits(), &mut stream, CliError::Output)?;
        stream.out.flush().map_err(CliError::Output)?;
        return Ok(exit(&made, written, warn_of_damage(args.output.format, &snapshot)));
    }
    let unwritable = |source| CliError::Unwritable { name: safe_path(&args.out), source };
    let (written, bytes) = write_whole_with(&args.out, |file| {
        let mut stream = Counting { out: BufWriter::new(file), bytes: 0 };
        let written = book.write(&made, args.limits(), &mut stream, unwritable)?;
        stream.out.flush().map_err(unwritable)?;
        Ok((written, stream.bytes))
    })?;
    show(out, args, &subject, written, bytes)?;
    Ok(exit(&made, written, warn_of_damage(args.output.format, &snapshot)))
}

fn show(
    out: &mut Out,
    args: &HtmlArgs,
    subject: &Subject,
    written: HtmlWritten,
    bytes: u64,
) -> Result<(), CliError> {
    let HtmlWritten { traces, failed, trees, .. } = written;
    let file = safe_path(&args.out);
    if out.is_json() {
        return out.json(&HtmlLine { page: subject.name(), file, bytes, traces, failed, trees });
    }
    let traces = counted(traces, "trace or pair", "traces or pairs");
    out.line(format_args!("{traces}, {failed} failed, {trees} drawn as trees"))?;
    out.line(out.paint().good(&format!("Wrote {file}, {}.", counted(bytes, "byte", "bytes"))))
}

impl HtmlArgs {
    fn limits(&self) -> TreeLimits {
        TreeLimits { passes: self.trees, ..TreeLimits::default() }
    }

    fn plan(&self, mode: Mode, traces: Selection) -> Plan {
        let (generated_at, threads) = (self.clock.now(), self.threads);
        Plan { mode, traces, generated_at, threads, ..Plan::default() }
    }

    fn subject(&self, snapshot: &Snapshot) -> Result<Subject, CliError> {
        if let [a, b] = self.drift.as_slice() {
            return Ok(Subject::Drift(a.find_there(snapshot)?, b.find_there(snapshot)?));
        }
        let questions = self.question.questions()?;
        match questions.as_slice() {
            // Both questions that can be asked of one trace are answered, whether or not both were named.
            [(Mode::Forensic, Selection::Chosen(chosen))]
            | [(Mode::Forensic, Selection::Chosen(chosen)), (Mode::Invariant, _)]
                if chosen.len() == 1 =>
            {
                chosen.first().copied().map(Subject::Trace).ok_or(NO_SUBJECT)
            }
            [(_, Selection::All)] if !self.all => Err(NO_SUBJECT),
            [(mode, traces)] => Ok(Subject::Run(self.plan(mode.clone(), traces.clone()))),
            [] => Err(NO_SUBJECT),
            _ => Err(CliError::Usage("a report answers one question: name one with --mode")),
        }
    }
}

const NO_SUBJECT: CliError = CliError::Usage("say of what: --all, --trace, --drift, or pairs of traces");

/// What the head of a page cites.
fn versions() -> HtmlVersions {
    let engine = CedarEngine;
    HtmlVersions {
        proofline: env!("CARGO_PKG_VERSION").to_owned(),
        policy_engine: Some(format!("{} {}", engine.name(), engine.version())),
    }
}

/// What was replayed for a page.
enum Made {
    Run(Box<Summary>, Vec<TraceReplay>),
    Trace(TraceId, Vec<TraceReplay>, RunVerdict),
    Drift(TraceId, TraceId, Vec<TraceReplay>, RunVerdict),
}

fn exit(made: &Made, written: HtmlWritten, damaged: Exit) -> Exit {
    let verdict = match made {
        Made::Run(summary, _) => summary.verdict(),
        Made::Trace(_, _, verdict) | Made::Drift(_, _, _, verdict) => *verdict,
    };
    let replayed = match verdict {
        RunVerdict::Damaged => Exit::DamagedLedger,
        RunVerdict::SomeFailed => Exit::Failed,
        RunVerdict::AllWell => Exit::when(written.differs, Exit::Failed),
    };
    Exit::first([damaged, replayed])
}

struct Book<'a> {
    snapshot: &'a Snapshot,
    payloads: Option<&'a Blobs>,
    versions: HtmlVersions,
}

impl Book<'_> {
    fn store(&self) -> Option<&(dyn ContentStore + Sync)> {
        self.payloads.map(|blobs| blobs as &(dyn ContentStore + Sync))
    }

    fn make(&self, args: &HtmlArgs, subject: &Subject) -> Result<Made, CliError> {
        let of = |mode, traces: &[TraceId]| self.replay(&args.plan(mode, traces.iter().copied().collect()));
        match subject {
            Subject::Run(plan) => {
                let (summary, verdicts) = self.replay(plan)?;
                Ok(Made::Run(Box::new(summary), verdicts))
            }
            Subject::Trace(trace) => {
                let (forensic, mut verdicts) = of(Mode::Forensic, &[*trace])?;
                let (invariant, more) = of(Mode::Invariant, &[*trace])?;
                verdicts.extend(more);
                Ok(Made::Trace(*trace, verdicts, forensic.verdict().max(invariant.verdict())))
            }
            Subject::Drift(a, b) => {
                let (summary, verdicts) = of(Mode::Invariant, &[*a, *b])?;
                Ok(Made::Drift(*a, *b, verdicts, summary.verdict()))
            }
        }
    }

    fn replay(&self, plan: &Plan) -> Result<(Summary, Vec<TraceReplay>), CliError> {
        let closed: BTreeMap<_, _> = closed(self.snapshot, self.payloads)?;
        let plan = Plan { closed, ..plan.clone() };
        let means = Means { payloads: self.store(), policies: Some(&CedarEngine), tools: None };
        let mut sink =
            Kept { verdicts: Vec::new(), progress: Progress::up_to(self.snapshot.entries(), "entries") };
        let summary = replay(self.snapshot, &means, &plan, &mut sink)?;
        Ok((summary, sink.verdicts))
    }

    fn write(
        &self,
        made: &Made,
        limits: TreeLimits,
        out: &mut dyn Write,
        unwritable: impl FnOnce(io::Error) -> CliError,
    ) -> Result<HtmlWritten, CliError> {
        let report = HtmlReport { snapshot: self.snapshot, payloads: self.store(), versions: &self.versions };
        let written = match made {
            Made::Run(summary, verdicts) => report.run(summary, verdicts, &limits, out),
            Made::Trace(trace, verdicts, _) => report.trace(*trace, verdicts, out),
            Made::Drift(a, b, verdicts, _) => report.drift(*a, *b, verdicts, out),
        };
        written.map_err(|error| match error {
            HtmlError::Write(source) => unwritable(source),
            other => other.into(),
        })
    }
}

/// Keeps all verdicts: a page goes over them several times.
struct Kept {
    verdicts: Vec<TraceReplay>,
    progress: Progress,
}

impl ReplaySink for Kept {
    fn verdict(&mut self, replay: TraceReplay) -> ControlFlow<()> {
        self.verdicts.push(replay);
        ControlFlow::Continue(())
    }

    fn event(&mut self, event: &Event) -> ControlFlow<()> {
        match event {
            Event::EntriesChecked { checked, total } => self.progress.set_of("entries", *checked, *total),
            Event::TracesReplayed { entries, .. } => {
                self.progress.set_of("entries replayed", *entries, *entries);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
