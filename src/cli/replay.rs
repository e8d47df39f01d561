//! `proofline replay`: reads evidence again and gives each trace a verdict.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proofline::canon::{ContentStore, Sha256Digest};
use proofline::ledger::disk::{Disk, OsDisk};
use proofline::ledger::{
    Blobs, Genesis, Ledger, LedgerError, Options, Seq, Snapshot, WithArchives, is_ledger,
};
use proofline::policy::CedarEngine;
use proofline::proof::SecretKey;
use proofline::replay::{
    BacktestPlan, Event, Means, Mode, Plan, ReplayError, ReplaySink, RunVerdict, Selection, Summary, Tools,
    TraceReplay, record_all, replay,
};
use proofline::trace::{LedgerId, Origin, Timestamp};
use tempfile::TempDir;

use super::archives::ArchivesArgs;
use super::blobs;
use super::clock::Clock;
use super::commit::{answer_columns, hash_chars, show_answer, tell_recovery};
use super::error::CliError;
use super::exit::Exit;
use super::ingest::{Answer, Counts, ingest};
use super::init::{default_origin, random_id};
use super::input::{Lines, Source};
use super::output::{self, Format, Out, OutputArgs, note};
use super::progress::Progress;
use super::replay_backtest::{Backtesting, PolicyArgs};
use super::replay_batch::{BatchArgs, Job};
use super::replay_mode::QuestionArgs;
use super::replay_output::Again;
use super::replay_report::{RecordedCounts, Report, Tail};
use super::replay_seal::{SealArgs, Sealer};
use super::replay_tools::ToolArgs;
use super::scratch_disk::ScratchDisk;
use super::signals::Stop;
use super::table::titles;

/// Replays evidence: proves the bytes, decides again, gives each trace a verdict
///
/// A folder is a ledger. A file is evidence, one record a line, and is first
/// committed to a temporary ledger, or to the one that --ledger names; what the
/// gate said of each refused line is printed. The clock of the verdicts is
/// 1970-01-01T00:00:00.000Z unless --clock says otherwise, so that the same
/// evidence gives the same artifacts.
///
/// Exits with 3 when the log is damaged, else 1 when a verdict failed, else 4
/// when a line is no evidence, else 0. Attempts that the gate refused and kept
/// fail nothing. With --with-policy it exits with 1 when a decision would be
/// another, or a trace could not be asked about.
///
/// Examples:
///   proofline replay evidence.jsonl
///   proofline replay ledger --trace 4bf92f3577b34da6a3ce929d0e0e4736
///   proofline replay ledger --record --clock now --fail-on-findings
///   proofline replay ledger --record --seal --key auditor.key
///   proofline replay ledger --mode all
///   proofline replay ledger --mode constrained --pairs pairs.jsonl
///   proofline replay ledger --with-policy next.cedar
///   proofline replay ledger --all --shard 2/7 --out part-2.jsonl
///   proofline replay ledger --all --out report.jsonl --resume
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ReplayArgs {
    /// A ledger's folder, or an evidence file; `-` for the standard input
    #[arg(value_name = "DIR|FILE")]
    what: PathBuf,
    #[command(flatten)]
    question: QuestionArgs,
    /// List refused attempts in the chains, and check their bytes and hashes
    #[arg(long)]
    include_rejected: bool,
    /// The time that the verdicts bear
    #[arg(long, value_name = "RFC3339|now", default_value = "1970-01-01T00:00:00.000Z", value_parser = Clock::parse)]
    clock: Clock,
    /// How many threads work; the output is the same for any number [default: one a processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Append the verdicts, or the report of a back-test, to the ledger
    #[arg(long)]
    record: bool,
    #[command(flatten)]
    seal: SealArgs,
    /// Exit with 1 when there is any finding
    #[arg(long)]
    fail_on_findings: bool,
    /// Commit the evidence file to this ledger, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// Payloads of the evidence file: a folder of files, or a file with one payload a line
    #[arg(long, value_name = "FILE|DIR")]
    blobs: Option<PathBuf>,
    #[command(flatten)]
    tools: ToolArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    batch: BatchArgs,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Replays and reports.
pub(crate) fn run(args: &ReplayArgs, out: &mut Out) -> Result<Exit, CliError> {
    check_usage(args)?;
    // What steers the run is read first: a slip there must not cost a commit.
    let (plans, backtesting) = (args.plans()?, args.backtesting()?);
    let tools = args.tools.registry(args.output.format)?;
    let key = args.seal.key()?;
    args.batch.check_usage(plans.len(), !is_over_all(&plans), args.record)?;
    let stop = args.batch.out().map(|_| Stop::listen()).transpose()?.unwrap_or_default();
    let job = args.batch.begin()?;
    let subject = Subject::prepare(args, out)?;
    let with_archives = WithArchives::open(&*subject.disk, &subject.dir, &args.archives.archives)?;
    let snapshot = Snapshot::open_on(&with_archives, &subject.dir)?;
    if let (Some(job), [plan]) = (job, &*plans) {
        return batch(args, &subject, &snapshot, (&tools, plan), job, &stop, out);
    }
    let mut ingest = subject.ingest.as_ref();
    if let Some(backtesting) = backtesting {
        return backtesting.run(&subject.dir, &snapshot, ingest, out);
    }
    let (mut verdict, mut found) = (RunVerdict::AllWell, false);
    for plan in &plans {
        if plans.len() > 1 && !out.is_json() {
            out.heading(&format!("{} replay", plan.mode.replay_type()))?;
        }
        // The first summary tells of the ingest, so that sums over all of them count it once.
        let summary = answer(args, &subject, &snapshot, (&tools, key.as_ref()), plan, ingest.take(), out)?;
        verdict = verdict.max(summary.verdict());
        found |= summary.worst_finding().is_some();
    }
    let bad = subject.ingest.as_ref().is_some_and(|counts| counts.bad > 0);
    Ok(exit(verdict, args.fail_on_findings && found, bad))
}

fn is_over_all(plans: &[Plan]) -> bool {
    plans.iter().all(|plan| plan.traces == Selection::All)
}

/// The answer to one question, into a report.
fn batch(
    args: &ReplayArgs,
    subject: &Subject,
    snapshot: &Snapshot,
    (tools, plan): (&Tools, &Plan),
    job: Job,
    stop: &Stop,
    out: &mut Out,
) -> Result<Exit, CliError> {
    let snapshot = &job.batch.prefix(snapshot)?;
    let payloads = blobs::of_ledger(&subject.dir)?;
    // `now` is when the run began.
    let began = (args.clock == Clock::System).then(|| job.batch.generated_at()).flatten();
    let plan = &Plan {
        closed: closed(snapshot, payloads.as_ref())?,
        shard: args.batch.shard(),
        generated_at: began.unwrap_or(plan.generated_at),
        ..plan.clone()
    };
    let summary = match job.run(snapshot, &means(payloads.as_ref(), tools), plan, stop, out)? {
        Ok(summary) => summary,
        Err(stopped) => return Ok(stopped),
    };
    let bad = subject.ingest.as_ref().is_some_and(|counts| counts.bad > 0);
    Ok(exit(summary.verdict(), args.fail_on_findings && summary.worst_finding().is_some(), bad))
}

/// What a replay may use besides the ledger.
fn means<'a>(payloads: Option<&'a Blobs>, tools: &'a Tools) -> Means<'a> {
    let payloads = payloads.map(|blobs| blobs as &(dyn ContentStore + Sync));
    Means { payloads, policies: Some(&CedarEngine), tools: Some(tools) }
}

/// The answer to one question.
fn answer(
    args: &ReplayArgs,
    subject: &Subject,
    snapshot: &Snapshot,
    (tools, key): (&Tools, Option<&SecretKey>),
    plan: &Plan,
    ingest: Option<&Counts>,
    out: &mut Out,
) -> Result<Summary, CliError> {
    let payloads = blobs::of_ledger(&subject.dir)?;
    let closed = closed(snapshot, payloads.as_ref())?;
    let plan = &Plan { closed, ..plan.clone() };
    let means = means(payloads.as_ref(), tools);
    let recorder = match args.record {
        true => Recorder::open(args, &subject.dir, args.seal.sealer(snapshot, means, key)?)?,
        false => None,
    };
    let mut sink = Sink {
        report: Report::new(out, plan.mode.replay_type()),
        recorder,
        progress: Some(Progress::up_to(snapshot.entries(), "entries")),
        replayed: match plan.mode {
            Mode::Constrained(_) => "pairs replayed",
            _ => "traces replayed",
        },
        entries: snapshot.entries(),
        failed: None,
    };
    let summary = match replay(snapshot, &means, plan, &mut sink) {
        Ok(summary) => summary,
        Err(ReplayError::Stopped) => return Err(sink.failed.unwrap_or(ReplayError::Stopped.into())),
        Err(error) => return Err(error.into()),
    };
    let Sink { report, recorder, progress, .. } = sink;
    drop(progress);
    let recorded = recorder.map(Recorder::finish).transpose()?;
    report.finish(&Tail { summary: &summary, ingest, recorded, again: Again { snapshot, means } })?;
    Ok(summary)
}

/// Sealed payloads whose subject's key is erased. Damage of a system entry is for the replay to report.
pub(crate) fn closed(
    snapshot: &Snapshot,
    payloads: Option<&Blobs>,
) -> Result<BTreeMap<Sha256Digest, Seq>, CliError> {
    let erasures = snapshot.readable_erasures()?;
    let closed = payloads.map(|blobs| blobs.closed(&erasures)).transpose()?;
    Ok(closed.unwrap_or_default().into_iter().collect())
}

fn check_usage(args: &ReplayArgs) -> Result<(), CliError> {
    args.question.check_usage()?;
    if args.policy.with_policy.is_some() && !args.question.is_plain() {
        return Err(CliError::Usage(
            "--with-policy is a question of its own, of all traces or of those that --trace names",
        ));
    }
    if args.policy.require_policies && args.question.is_forensic_alone() {
        return Err(CliError::Usage(
            "--require-policies is not for forensic replay, which asks no policy: give --mode invariant",
        ));
    }
    if args.include_rejected && args.question.is_constrained_alone() {
        return Err(CliError::Usage(
            "--include-rejected is not for constrained replay, which lists no attempts",
        ));
    }
    if args.tools.is_given() && !args.question.executes() {
        return Err(CliError::Usage("--tool is for forensic replay; the other modes execute nothing, ever"));
    }
    let policy = args.policy.with_policy.as_deref().into_iter().chain(args.policy.schema.as_deref());
    let inputs = args.question.steering().chain([args.what.as_path()]).chain(policy);
    if inputs.filter(|input| *input == Path::new("-")).count() > 1 {
        return Err(CliError::Usage("`-` is the standard input, which can be read for one thing alone"));
    }
    let is_file = !args.what.is_dir();
    if args.ledger.is_some() && !is_file {
        return Err(CliError::Usage("--ledger says where an evidence file goes, and this is a folder"));
    }
    if args.blobs.is_some() && !is_file {
        return Err(CliError::Usage(
            "--blobs gives the payloads of an evidence file, and this is a folder; its payloads lie in it",
        ));
    }
    if args.record && is_file && args.ledger.is_none() {
        return Err(CliError::Usage("--record needs a ledger that stays: name one with --ledger"));
    }
    Ok(())
}

fn exit(verdict: RunVerdict, found: bool, bad_input: bool) -> Exit {
    Exit::first([
        match verdict {
            RunVerdict::Damaged => Exit::DamagedLedger,
            RunVerdict::SomeFailed => Exit::Failed,
            RunVerdict::AllWell => Exit::when(found, Exit::Failed),
        },
        Exit::when(bad_input, Exit::BadInput),
    ])
}

impl ReplayArgs {
    /// One for each question.
    fn plans(&self) -> Result<Vec<Plan>, CliError> {
        let generated_at = self.clock.now();
        let plan = |(mode, traces)| Plan {
            mode,
            traces,
            include_rejected: self.include_rejected,
            generated_at,
            threads: self.threads,
            require_policies: self.policy.require_policies,
            ..Plan::default()
        };
        Ok(self.question.questions()?.into_iter().map(plan).collect())
    }

    /// The back-test that was asked for in place of a replay.
    fn backtesting(&self) -> Result<Option<Backtesting>, CliError> {
        let read = Backtesting::read(&self.policy, self.question.traces(), self.clock.now())?;
        Ok(read.map(|read| Backtesting {
            plan: BacktestPlan { threads: self.threads, ..read.plan },
            format: self.output.format,
            is_kept: self.record,
            ..read
        }))
    }
}

/// The ledger that is replayed.
struct Subject {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    ingest: Option<Counts>,
    _temporary: Option<TempDir>,
}

impl Subject {
    /// A folder as it is; a file after its lines went through the gate.
    fn prepare(args: &ReplayArgs, out: &mut Out) -> Result<Self, CliError> {
        if args.what.is_dir() {
            return Ok(Self {
                disk: Arc::new(OsDisk),
                dir: args.what.clone(),
                ingest: None,
                _temporary: None,
            });
        }
        let mut lines = Lines::open(&Source::of(Some(&args.what)))?;
        let (mut subject, clock) = match &args.ledger {
            Some(dir) => (Self::kept(dir)?, Clock::System),
            None => (Self::temporary()?, Clock::Fixed(Timestamp::EPOCH)),
        };
        if let Some(from) = &args.blobs {
            blobs::store(Arc::clone(&subject.disk), &subject.dir, from)?;
        }
        let ledger = Ledger::open_on(Arc::clone(&subject.disk), &subject.dir, Options::default())?;
        tell_recovery(args.output.format, &ledger.recovery());
        subject.ingest = Some(bring_in(&ledger, &mut lines, clock, out)?);
        Ok(subject)
    }
}

impl Subject {
    /// A ledger that is always the same for the same evidence, and gone afterwards.
    fn temporary() -> Result<Self, CliError> {
        let failed = |source| CliError::Unwritable { name: "a temporary folder".to_owned(), source };
        let folder = tempfile::Builder::new().prefix("proofline-").tempdir().map_err(failed)?;
        let (dir, disk) = (folder.path().join("ledger"), Arc::new(ScratchDisk));
        let origin = Origin::new("proofline.local/replay")
            .map_err(|error| CliError::Internal(format!("the origin of a replay is none: {error}")))?;
        let genesis = Genesis { ledger_id: LedgerId::from_bytes([0; 16]), origin, created_at_ms: 0 };
        Ledger::init_on(&*disk, &dir, &genesis)?;
        Ok(Self { disk, dir, ingest: None, _temporary: Some(folder) })
    }

    /// A ledger that stays, made if it is not there.
    fn kept(dir: &Path) -> Result<Self, CliError> {
        if !is_ledger(&OsDisk, dir) {
            let genesis = Genesis {
                ledger_id: random_id()?,
                origin: default_origin(dir)?,
                created_at_ms: Clock::System.now_ms(),
            };
            Ledger::init(dir, &genesis)?;
        }
        Ok(Self { disk: Arc::new(OsDisk), dir: dir.to_owned(), ingest: None, _temporary: None })
    }
}

/// Commits the lines and tells of those that were refused: as a section of the text, or beside the JSON.
fn bring_in(ledger: &Ledger, lines: &mut Lines, clock: Clock, out: &mut Out) -> Result<Counts, CliError> {
    let progress = Progress::beside_results("lines committed");
    let (columns, chars) = (answer_columns(), hash_chars(out.columns()));
    let mut is_first = true;
    let mut told = |answer: Option<&Answer>| {
        let Some(answer) = answer.filter(|answer| !answer.is_accepted()) else { return Ok(()) };
        if out.is_json() {
            return output::aside(answer);
        }
        if std::mem::take(&mut is_first) {
            let title = out.paint().strong("refused lines");
            out.line(title)?;
            let titles = out.paint().faint(&titles(&columns));
            out.line(titles)?;
        }
        show_answer(out, &columns, chars, answer)
    };
    let counts = ingest(ledger, lines, clock, &progress, &mut told)?;
    if !out.is_json() {
        out.line(counts.sentence())?;
        out.space()?;
    }
    Ok(counts)
}

/// Takes verdicts to the report, and to the ledger where that was asked for.
struct Sink<'a> {
    report: Report<'a>,
    recorder: Option<Recorder<'a>>,
    progress: Option<Progress>,
    /// What is replayed when it was chosen.
    replayed: &'static str,
    /// How many entries there are.
    entries: u64,
    failed: Option<CliError>,
}

impl Sink<'_> {
    fn tell(&self, what: &'static str, done: u64, total: u64) {
        self.progress.iter().for_each(|progress| progress.set_of(what, done, total));
    }

    fn go_on(&mut self, result: Result<(), CliError>) -> ControlFlow<()> {
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

impl ReplaySink for Sink<'_> {
    fn verdict(&mut self, replay: TraceReplay) -> ControlFlow<()> {
        if output::is_terminal() {
            self.progress = None; // rows scroll past on the same terminal
        }
        let mut result = self.report.verdict(&replay);
        if let (Ok(()), Some(recorder)) = (&result, &mut self.recorder) {
            result = recorder.take(replay);
        }
        self.go_on(result)
    }

    fn event(&mut self, event: &Event) -> ControlFlow<()> {
        let result = match event {
            Event::EntriesChecked { checked, total } => {
                self.tell("entries checked", *checked, *total);
                Ok(())
            }
            Event::TracesReplayed { traces, total, entries } => {
                match total {
                    Some(total) => self.tell(self.replayed, *traces, *total),
                    None => self.tell("entries replayed", *entries, self.entries),
                }
                Ok(())
            }
            Event::Unlisted(unlisted) => self.report.unlisted(unlisted),
            _ => Ok(()),
        };
        self.go_on(result)
    }
}

/// Verdicts that are appended together.
const RECORDED_TOGETHER: usize = 256;

/// Appends verdicts to the ledger that was replayed.
struct Recorder<'a> {
    ledger: Ledger,
    sealer: Option<Sealer<'a>>,
    waiting: Vec<TraceReplay>,
    appended: u64,
    there_before: u64,
}

impl<'a> Recorder<'a> {
    /// None for a damaged ledger, which takes nothing more and is replayed all the same.
    fn open(args: &ReplayArgs, dir: &Path, sealer: Option<Sealer<'a>>) -> Result<Option<Self>, CliError> {
        match Ledger::open(dir, Options::default()) {
            Ok(ledger) => {
                tell_recovery(args.output.format, &ledger.recovery());
                Ok(Some(Self { ledger, sealer, waiting: Vec::new(), appended: 0, there_before: 0 }))
            }
            Err(error @ LedgerError::Damaged(_)) => {
                tell_not_recorded(args.output.format, &error);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn take(&mut self, replay: TraceReplay) -> Result<(), CliError> {
        self.waiting.push(replay);
        if self.waiting.len() >= RECORDED_TOGETHER { self.append() } else { Ok(()) }
    }

    fn append(&mut self) -> Result<(), CliError> {
        let verdicts = std::mem::take(&mut self.waiting);
        let now_ms = Clock::System.now_ms();
        for recorded in record_all(&self.ledger, &verdicts, now_ms)? {
            let was_there = recorded.result.duplicate && recorded.diagnostics.duplicate;
            *(if was_there { &mut self.there_before } else { &mut self.appended }) += 1;
        }
        if let Some(sealer) = &mut self.sealer {
            sealer.take(&self.ledger, &verdicts, now_ms)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<RecordedCounts, CliError> {
        self.append()?;
        let sealed = self.sealer.map(|sealer| sealer.sealed);
        Ok(RecordedCounts { appended: self.appended, there_before: self.there_before, sealed })
    }
}

fn tell_not_recorded(format: Format, error: &LedgerError) {
    note(format, "replay.not_recorded", &format!("no verdict is recorded, because {error}"));
}
