//! `proofline bench otlp`: makes telemetry, and says how fast this machine imports it and proves what came of it.

use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{convert, fs};

use proofline::ledger::{BLOBS_DIR, Blobs, Ledger, Options, Snapshot};
use proofline::otel::generate::{Telemetry, TelemetryPlan};
use proofline::otel::read::{Item, ReadOptions, read};
use proofline::otel::{ImportOrder, Imported, import_file};
use proofline::replay::{Mode, RunVerdict};

use super::bench::{Ended, Home, did_not_verify, heed, in_home, replayed, verified};
use super::bench_machine::{Machine, peak_memory_bytes};
use super::bench_otlp_report::{Report, SpanRate};
use super::clock::Clock;
use super::error::CliError;
use super::exit::Exit;
use super::import_otlp::Level;
use super::output::{Out, OutputArgs};
use super::progress::Progress;
use super::safe::safe_path;
use super::signals::Stop;

/// Measures how fast this machine imports telemetry
///
/// Makes spans of agents at work, a third of them chats, a third calls of tools,
/// and imports them into a new ledger as `import otlp` does, from a file that is
/// made where it is read. Then replays and verifies what came of them. The memory
/// that is told is the most that the process had until the import was done: it
/// does not grow with spans in many traces.
///
/// Unless contents come again, each call has two payloads of its own, which are
/// files: a million spans are 1.4 million files, some 8 GB of disk.
///
/// Examples:
///   proofline bench otlp
///   proofline bench otlp --spans 10000000 --contents 500 --capture structural
///   proofline bench otlp --text-bytes 4000 --threads 1 --format json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct BenchOtlpArgs {
    /// How many spans to make
    #[arg(long, value_name = "N", default_value = "100000", value_parser = clap::value_parser!(u64).range(1..=MOST))]
    spans: u64,
    /// Spans of a trace
    #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=MOST))]
    trace_spans: u64,
    /// Different contents of calls, which come again then [default: each is another]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST))]
    contents: Option<u64>,
    /// Bytes that each text has beyond some words
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    text_bytes: u32,
    /// How much of what was said is kept
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    capture: Level,
    /// A new or empty folder for the ledger, which is kept [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Threads that import and replay [default: one a processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Numbers of spans have ten digits.
const MOST: u64 = 9_999_999_999;

/// Measures and reports.
pub(crate) fn run(args: &BenchOtlpArgs, out: &mut Out) -> Result<Exit, CliError> {
    in_home(args.dir.as_deref(), |home, stop| measure(args, home, stop), |report| report.show(out))
}

fn measure(args: &BenchOtlpArgs, home: &Home, stop: &Stop) -> Result<Report, Ended> {
    let machine = Machine::of(&home.dir);
    let threads = args.threads.map_or(machine.cores, |threads| threads.get() as u64);
    let plan = TelemetryPlan {
        spans: args.spans,
        trace_spans: args.trace_spans,
        contents: args.contents.unwrap_or(MOST),
        text_bytes: usize::try_from(args.text_bytes).unwrap_or(usize::MAX),
    };
    let telemetry_bytes = Telemetry::new(plan).size_bytes();
    let of_spans = |taken| SpanRate::of(args.spans, telemetry_bytes, taken);
    let made = of_spans(made(plan, stop)?);
    let read = of_spans(read_through(plan, stop)?);
    let (imported, taken) = import(args, plan, home, threads, stop)?;
    let import = of_spans(taken);
    let peak_memory_bytes = peak_memory_bytes();

    let snapshot = Snapshot::open(&home.dir)?;
    let (summary, taken) = replayed(&snapshot, Mode::Forensic, threads, stop)?;
    // A decision and a call of each span but every third, and a context of each trace with one.
    let calls = args.spans - args.spans / 3;
    if summary.verdict() != RunVerdict::AllWell || summary.verified <= 2 * calls {
        return Err(did_not_verify(&summary).into());
    }
    let replay = of_spans(taken);
    let verify = of_spans(verified(&home.dir, snapshot.entries() - 1, stop)?);
    Ok(Report {
        program: env!("CARGO_PKG_VERSION"),
        machine,
        spans: args.spans,
        traces: args.spans.div_ceil(args.trace_spans),
        contents: args.contents,
        text_bytes: args.text_bytes,
        capture: imported.account.mapping.capture.as_str(),
        telemetry_bytes,
        records: summary.verified,
        entries: snapshot.entries(),
        payloads: payloads(home)?,
        payload_bytes: imported.account.totals.payload_bytes.get(),
        threads,
        made,
        read,
        import,
        replay,
        verify,
        peak_memory_bytes,
        disk_bytes: home.disk_bytes()?,
        page_cache: "warm",
        kept_in: args.dir.as_deref().map(safe_path),
    })
}

/// How long it takes to make the file, which is part of every reading of it.
fn made(plan: TelemetryPlan, stop: &Stop) -> Result<Duration, Ended> {
    let mut telemetry = Heeding { telemetry: Telemetry::new(plan), stop };
    let begun = Instant::now();
    let copied = io::copy(&mut telemetry, &mut io::sink());
    heed(stop)?;
    copied.map_err(|error| unread(&error))?;
    Ok(begun.elapsed())
}

fn unread(error: &dyn std::error::Error) -> Ended {
    Ended::Failed(CliError::Internal(format!("the telemetry to measure with cannot be read: {error}")))
}

/// How long it takes to read the spans, on one thread, and do nothing with them.
fn read_through(plan: TelemetryPlan, stop: &Stop) -> Result<Duration, Ended> {
    let mut telemetry = Heeding { telemetry: Telemetry::new(plan), stop };
    let mut spans = 0;
    let begun = Instant::now();
    let reading = read(&mut telemetry, &ReadOptions::default(), &mut |item| {
        if let Item::Batch(batch) = item {
            spans += batch.spans.len() as u64;
        }
        Ok::<(), convert::Infallible>(())
    });
    let taken = begun.elapsed();
    heed(stop)?;
    match reading {
        Ok(_) if spans == plan.spans => Ok(taken),
        Ok(_) => Err(Ended::Failed(CliError::Internal(format!("{spans} spans were read")))),
        Err(error) => Err(unread(&error)),
    }
}

fn import(
    args: &BenchOtlpArgs,
    plan: TelemetryPlan,
    home: &Home,
    threads: u64,
    stop: &Stop,
) -> Result<(Imported, Duration), Ended> {
    let order = ImportOrder::recording().map_err(|error| CliError::Internal(error.to_string()))?;
    let order = ImportOrder { capture: args.capture.into(), ..order };
    let threads = usize::try_from(threads).ok().and_then(NonZeroUsize::new);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.map_or(0, NonZeroUsize::get)).build();
    let pool = pool.map_err(|error| CliError::Internal(format!("no threads can be started: {error}")))?;
    let ledger = Ledger::open(&home.dir, Options::default())?.with_threads(threads);
    let blobs = Blobs::open(&home.dir)?;
    let mut telemetry = Heeding { telemetry: Telemetry::new(plan), stop };
    let progress = Progress::paced();
    let mut watch = |spans: u64| progress.set_of("spans imported", spans, args.spans);
    let options = ReadOptions::default();
    let mut clock = || Clock::System.now_ms();
    let begun = Instant::now();
    let imported = pool
        .install(|| import_file(&ledger, &blobs, &order, &mut telemetry, &options, &mut clock, &mut watch));
    let taken = begun.elapsed();
    heed(stop)?;
    let imported = imported.map_err(|error| {
        CliError::Internal(format!("the telemetry to measure with cannot be imported: {error}"))
    })?;
    check(&imported, args.spans)?;
    Ok((imported, taken))
}

/// An import that left something out would be quick.
fn check(imported: &Imported, spans: u64) -> Result<(), CliError> {
    let totals = &imported.account.totals;
    let left_out = totals.refused.get() + totals.unreadable.get();
    if (imported.new_spans, left_out) == (spans, 0) {
        return Ok(());
    }
    let new = imported.new_spans;
    Err(CliError::Internal(format!(
        "of {spans} spans to measure with, {new} were new and {left_out} left out"
    )))
}

fn payloads(home: &Home) -> Result<u64, CliError> {
    let unreadable = |source| CliError::Unreadable { name: safe_path(&home.dir), source };
    let mut payloads = 0;
    for folder in fs::read_dir(home.dir.join(BLOBS_DIR)).map_err(unreadable)? {
        let folder = folder.map_err(unreadable)?;
        if folder.file_type().map_err(unreadable)?.is_dir() {
            payloads += fs::read_dir(folder.path()).map_err(unreadable)?.count() as u64;
        }
    }
    Ok(payloads)
}

/// Telemetry that cannot be read any further once a signal came.
struct Heeding<'a> {
    telemetry: Telemetry,
    stop: &'a Stop,
}

impl Read for Heeding<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stop.asked() {
            Some(_) => Err(io::Error::other("a signal to stop came")),
            None => self.telemetry.read(buffer),
        }
    }
}

impl Seek for Heeding<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.telemetry.seek(position)
    }
}
