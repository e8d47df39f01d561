//! `proofline bench`: makes records, and says how fast this machine commits, replays and verifies them.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use proofline::canon::Sha256Digest;
use proofline::ledger::{
    Action, Genesis, Ledger, LedgerError, Options, Outcome, Snapshot, Submission, VerifyPlan, VerifyReport,
    verify_with,
};
use proofline::policy::CedarEngine;
use proofline::replay::{
    Event, Means, Mode, Plan, ReplayError, ReplaySink, RunVerdict, Summary, TraceReplay, replay,
};
use proofline::trace::{LedgerId, Origin, SealedEnvelope};
use tempfile::TempDir;

use super::bench_evidence::Evidence;
use super::bench_machine::Machine;
use super::bench_otlp::{self, BenchOtlpArgs};
use super::bench_report::{Rate, ReplayRate, Report, rounded};
use super::clock::Clock;
use super::error::CliError;
use super::exit::Exit;
use super::output::{Format, Out, OutputArgs};
use super::progress::Progress;
use super::safe::safe_path;
use super::signals::Stop;

/// Measures this machine: how fast it commits, replays and verifies
///
/// Makes records of agents at work from a seed, commits them to a new ledger in
/// groups of 1,000, opens it again, replays it, on one thread and on --threads, and
/// verifies it. Beside that stands how fast the same bytes are hashed once, which
/// is the least that any check of them costs. What was just written is in the
/// page cache: the disk's speed shows in commits alone.
///
/// The ledger lies in a temporary folder that goes away, or in the new or empty
/// one that --dir names, which is kept. A temporary folder may be memory, where
/// being durable is free; the result says so. A million records take about 1 GB.
/// A run that a signal stops leaves nothing behind.
///
/// Examples:
///   proofline bench
///   proofline bench --records 100000 --dir /var/lib/evidence/bench
///   proofline bench --threads 1 --format json
///   proofline bench otlp --spans 1000000
#[derive(clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    other: Option<BenchOther>,
    /// How many records to make
    #[arg(long, value_name = "N", default_value = "1000000", value_parser = clap::value_parser!(u64).range(1..))]
    records: u64,
    /// Which records of all that could be made
    #[arg(long, value_name = "N", default_value = "1")]
    seed: u64,
    /// A new or empty folder for the ledger, which is kept [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The most threads that replay [default: one a processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    output: OutputArgs,
}

/// What else can be measured.
#[derive(clap::Subcommand)]
enum BenchOther {
    Otlp(BenchOtlpArgs),
}

impl BenchArgs {
    pub(crate) const fn format(&self) -> Format {
        match &self.other {
            Some(BenchOther::Otlp(args)) => args.output.format,
            None => self.output.format,
        }
    }
}

/// Records that are committed in one call.
const GROUP_RECORDS: usize = 1_000;
/// How often the ledger is opened.
const OPENINGS: usize = 5;
/// Canonical bytes that are hashed again and again, to know how fast that is.
const SAMPLE_BYTES: usize = 32 << 20;
/// How often they are hashed between two stages.
const HASHINGS: usize = 3;

/// Measures and reports.
pub(crate) fn run(args: &BenchArgs, out: &mut Out) -> Result<Exit, CliError> {
    if let Some(BenchOther::Otlp(args)) = &args.other {
        return bench_otlp::run(args, out);
    }
    in_home(args.dir.as_deref(), |home, stop| measure(args, home, stop), |report| report.show(out))
}

/// Measures in a folder of which nothing is left unless it was named and the measurement came to its end.
pub(super) fn in_home<R>(
    dir: Option<&Path>,
    measure: impl FnOnce(&Home, &Stop) -> Result<R, Ended>,
    show: impl FnOnce(&R) -> Result<(), CliError>,
) -> Result<Exit, CliError> {
    let stop = Stop::listen()?;
    let mut home = Home::make(dir)?;
    match measure(&home, &stop) {
        Ok(report) => {
            home.is_kept = true;
            show(&report)?;
            Ok(Exit::Ok)
        }
        Err(Ended::Asked(exit)) => Ok(exit),
        Err(Ended::Failed(error)) => Err(error),
    }
}

/// Why a measurement has no result.
pub(super) enum Ended {
    /// A signal came.
    Asked(Exit),
    Failed(CliError),
}

impl<E: Into<CliError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn measure(args: &BenchArgs, home: &Home, stop: &Stop) -> Result<Report, Ended> {
    let machine = Machine::of(&home.dir);
    let most = args.threads.map_or(machine.cores, |threads| threads.get() as u64);
    let mut hashing = Hashing::default();
    let committed = commit(args, home, stop, &mut hashing)?;
    hashing.measure();
    let of = |seconds| Rate::of(args.records, committed.canonical_bytes, seconds);
    let open_ms = opened_ms(&home.dir)?;
    let snapshot = Snapshot::open(&home.dir)?;
    let mut replays = Vec::new();
    for mode in [Mode::Forensic, Mode::Invariant] {
        for threads in [1, most].into_iter().take(if most > 1 { 2 } else { 1 }) {
            let replay_type = mode.replay_type();
            let (summary, taken) = replayed(&snapshot, mode.clone(), threads, stop)?;
            check(&summary, args.records)?;
            replays.push(ReplayRate { replay_type: replay_type.as_str(), threads, rate: of(taken) });
            hashing.measure();
        }
    }
    let verify = of(verified(&home.dir, args.records, stop)?);
    hashing.measure();
    Ok(Report {
        program: env!("CARGO_PKG_VERSION"),
        machine,
        seed: args.seed,
        records: args.records,
        traces: committed.traces,
        canonical_bytes: committed.canonical_bytes,
        sha256: hashing.rate(args.records, committed.canonical_bytes),
        group_records: GROUP_RECORDS as u64,
        commit: of(committed.taken),
        replays,
        verify,
        open_ms,
        disk_bytes: home.disk_bytes()?,
        page_cache: "warm",
        kept_in: args.dir.as_deref().map(safe_path),
    })
}

/// What the commits came to.
struct Committed {
    traces: u64,
    canonical_bytes: u64,
    taken: Duration,
}

/// Records are made between commits; only these are timed.
fn commit(args: &BenchArgs, home: &Home, stop: &Stop, hashing: &mut Hashing) -> Result<Committed, Ended> {
    let ledger = Ledger::open(&home.dir, Options::default())?;
    let mut evidence = Evidence::new(args.seed);
    let mut committed = Committed { traces: 0, canonical_bytes: 0, taken: Duration::ZERO };
    let progress = Progress::paced();
    let mut done = 0;
    while done < args.records {
        heed(stop)?;
        let size = (args.records - done).min(GROUP_RECORDS as u64);
        let group = make(&mut evidence, size)?;
        hashing.keep(&group);
        committed.canonical_bytes += group.iter().map(|record| record.canonical().len() as u64).sum::<u64>();
        committed.taken += commit_group(&ledger, &group)?;
        done += size;
        progress.set_of("records committed", done, args.records);
    }
    committed.traces = evidence.traces;
    Ok(committed)
}

fn make(evidence: &mut Evidence, size: u64) -> Result<Vec<SealedEnvelope>, CliError> {
    let made = (0..size).map(|_| evidence.next_record()).collect::<Result<_, _>>();
    made.map_err(|error| CliError::Internal(format!("the records to measure with are none: {error}")))
}

fn commit_group(ledger: &Ledger, group: &[SealedEnvelope]) -> Result<Duration, CliError> {
    let bare = group.iter().map(|record| Action::Evidence(Submission::bare(record.canonical())));
    let actions: Vec<Action<'_>> = bare.collect();
    let now_ms = Clock::System.now_ms();
    let begun = Instant::now();
    let outcomes = ledger.commit_actions(&actions, now_ms)?;
    let taken = begun.elapsed();
    let is_new = |outcome: &Outcome| matches!(outcome, Outcome::Accepted { duplicate: false, .. });
    // What is refused is quicker, and would make a better figure than is true.
    match outcomes.iter().find(|outcome| !is_new(outcome)) {
        None => Ok(taken),
        Some(outcome) => {
            Err(CliError::Internal(format!("a record to measure with was not new: {outcome:?}")))
        }
    }
}

/// The median time that opening for appending takes, in milliseconds.
fn opened_ms(dir: &Path) -> Result<f64, CliError> {
    let mut taken = Vec::new();
    for _ in 0..OPENINGS {
        let begun = Instant::now();
        let ledger = Ledger::open(dir, Options::default())?;
        taken.push(begun.elapsed());
        drop(ledger);
    }
    Ok(rounded(median(&mut taken).as_secs_f64() * 1e3, 1e3))
}

/// Replays everything, and says how long it took.
pub(super) fn replayed(
    snapshot: &Snapshot,
    mode: Mode,
    threads: u64,
    stop: &Stop,
) -> Result<(Summary, Duration), Ended> {
    let threads = usize::try_from(threads).ok().and_then(NonZeroUsize::new);
    let plan = Plan { mode, threads, ..Plan::default() };
    let means = Means { policies: Some(&CedarEngine), ..Means::default() };
    let mut sink = Dropped { stop, progress: Progress::paced() };
    let begun = Instant::now();
    let summary = match replay(snapshot, &means, &plan, &mut sink) {
        Err(ReplayError::Stopped) => return Err(stop.asked().map_or_else(stopped_unasked, Ended::Asked)),
        other => other?,
    };
    Ok((summary, begun.elapsed()))
}

fn stopped_unasked() -> Ended {
    Ended::Failed(ReplayError::Stopped.into())
}

/// A replay that left something out would be quick.
fn check(summary: &Summary, records: u64) -> Result<(), CliError> {
    if (summary.verdict(), summary.verified) == (RunVerdict::AllWell, records) {
        return Ok(());
    }
    Err(did_not_verify(summary))
}

/// That a replay of what was made here did not find it well.
pub(super) fn did_not_verify(summary: &Summary) -> CliError {
    let failed = counted_failures(summary);
    CliError::Internal(format!("a replay of the records to measure with did not verify each: {failed}"))
}

fn counted_failures(summary: &Summary) -> String {
    let Summary { verified, failed, damage_count, .. } = summary;
    format!("{verified} verified, {failed} traces failed, {damage_count} places of damage")
}

/// Takes verdicts and keeps none.
struct Dropped<'a> {
    stop: &'a Stop,
    progress: Progress,
}

impl Dropped<'_> {
    fn go_on(&self) -> ControlFlow<()> {
        if self.stop.asked().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl ReplaySink for Dropped<'_> {
    fn verdict(&mut self, _: TraceReplay) -> ControlFlow<()> {
        self.go_on()
    }

    fn event(&mut self, event: &Event) -> ControlFlow<()> {
        if let Event::EntriesChecked { checked, total } = event {
            self.progress.set_of("entries replayed", *checked, *total);
        }
        self.go_on()
    }
}

/// How often a signal is looked for while another thread works.
const LOOK: Duration = Duration::from_millis(50);

/// A verification cannot be told to stop; it only reads, so whoever does not want its answer leaves it alone.
pub(super) fn verified(dir: &Path, records: u64, stop: &Stop) -> Result<Duration, Ended> {
    let (sender, answer) = mpsc::channel();
    let dir = dir.to_owned();
    thread::spawn(move || {
        let progress = Progress::bytes();
        let begun = Instant::now();
        let report = verify_with(&dir, &VerifyPlan::default(), &mut |step| {
            progress.set(step.done_bytes, step.total_bytes);
        });
        let taken = begun.elapsed();
        drop(progress);
        // Nobody waits any more once a signal came.
        let _ = sender.send((report, taken));
    });
    loop {
        match answer.recv_timeout(LOOK) {
            Ok((report, taken)) => {
                check_verified(&report?, records)?;
                return Ok(taken);
            }
            Err(RecvTimeoutError::Timeout) => heed(stop)?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Ended::Failed(CliError::Internal(
                    "the verification ended without an answer".to_owned(),
                )));
            }
        }
    }
}

fn check_verified(report: &VerifyReport, records: u64) -> Result<(), CliError> {
    // The genesis entry is one more.
    if report.is_sound() && report.entries == records + 1 {
        return Ok(());
    }
    let (entries, damage) = (report.entries, report.damage.len());
    Err(CliError::Internal(format!(
        "the ledger to measure with did not verify: {entries} entries, {damage} places of damage"
    )))
}

pub(super) fn heed(stop: &Stop) -> Result<(), Ended> {
    stop.asked().map_or(Ok(()), |exit| Err(Ended::Asked(exit)))
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// How fast this machine hashes, measured between all stages: neighbours come and go.
#[derive(Default)]
struct Hashing {
    sample: Vec<u8>,
    taken: Vec<Duration>,
}

impl Hashing {
    fn keep(&mut self, group: &[SealedEnvelope]) {
        let missing = SAMPLE_BYTES.saturating_sub(self.sample.len());
        let bytes = group.iter().flat_map(|record| record.canonical());
        self.sample.extend(bytes.take(missing));
    }

    fn measure(&mut self) {
        for _ in 0..HASHINGS {
            let begun = Instant::now();
            std::hint::black_box(Sha256Digest::of(std::hint::black_box(&self.sample)));
            self.taken.push(begun.elapsed());
        }
    }

    /// All the canonical bytes hashed once, at the median pace.
    fn rate(mut self, records: u64, canonical_bytes: u64) -> Rate {
        let of_sample = median(&mut self.taken).as_secs_f64();
        let samples = canonical_bytes as f64 / (self.sample.len().max(1)) as f64;
        Rate::of(records, canonical_bytes, Duration::from_secs_f64(of_sample * samples))
    }
}

/// Where the ledger lies. Unless it is to be kept, nothing is left of it.
pub(super) struct Home {
    pub(super) dir: PathBuf,
    temporary: Option<TempDir>,
    /// Whether the folder was there, empty.
    was_there: bool,
    is_kept: bool,
}

impl Home {
    fn make(wanted: Option<&Path>) -> Result<Self, CliError> {
        let home = match wanted {
            Some(dir) => {
                Self { dir: dir.to_owned(), temporary: None, was_there: is_there(dir)?, is_kept: false }
            }
            None => Self::temporary()?,
        };
        let origin = Origin::new("proofline.local/bench")
            .map_err(|error| CliError::Internal(format!("the origin of a bench is none: {error}")))?;
        let created_at_ms = Clock::System.now_ms();
        let genesis = Genesis { ledger_id: LedgerId::from_bytes([0xbe; 16]), origin, created_at_ms };
        Ledger::init(&home.dir, &genesis)?;
        Ok(home)
    }

    fn temporary() -> Result<Self, CliError> {
        let failed = |source| CliError::Unwritable { name: "a temporary folder".to_owned(), source };
        let folder = tempfile::Builder::new().prefix("proofline-bench-").tempdir().map_err(failed)?;
        Ok(Self {
            dir: folder.path().join("ledger"),
            temporary: Some(folder),
            was_there: false,
            is_kept: false,
        })
    }

    /// The bytes of every file.
    pub(super) fn disk_bytes(&self) -> Result<u64, CliError> {
        let unreadable = |source| CliError::Unreadable { name: safe_path(&self.dir), source };
        size_of(&self.dir).map_err(unreadable)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.is_kept || self.temporary.is_some() {
            return; // a temporary folder goes away by itself
        }
        // Nobody can be told when this fails, and the run ends with another error or a signal.
        let _ = if self.was_there { clear(&self.dir) } else { fs::remove_dir_all(&self.dir) };
    }
}

/// Whether the folder is there. One that is not empty is somebody's, and nothing of it may go away.
fn is_there(dir: &Path) -> Result<bool, CliError> {
    match fs::read_dir(dir) {
        Ok(mut files) => match files.next() {
            None => Ok(true),
            Some(_) => Err(LedgerError::NotEmpty(dir.to_owned()).into()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(CliError::Unreadable { name: safe_path(dir), source }),
    }
}

fn clear(dir: &Path) -> io::Result<()> {
    for file in fs::read_dir(dir)? {
        let file = file?;
        if file.file_type()?.is_dir() {
            fs::remove_dir_all(file.path())?;
        } else {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

fn size_of(dir: &Path) -> io::Result<u64> {
    let mut size = 0;
    for file in fs::read_dir(dir)? {
        let (file, metadata) = file.and_then(|file| file.metadata().map(|metadata| (file, metadata)))?;
        size += if metadata.is_dir() { size_of(&file.path())? } else { metadata.len() };
    }
    Ok(size)
}
