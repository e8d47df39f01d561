//! `proofline archive`: moves sealed segments out of a ledger, brings them back, checks an archive.

use std::path::{Path, PathBuf};

use proofline::ledger::{
    ArchiveCheck, ArchiveOrder, CheckedSegment, MovedSegment, Seq, Snapshot, archive, restore, verify_archive,
};
use serde::Serialize;

use super::clock::Clock;
use super::commit::tell_recovery;
use super::error::CliError;
use super::exit::Exit;
use super::input::ledger_folder;
use super::output::{Format, Out, OutputArgs};
use super::phrase::counted;
use super::progress::Progress;
use super::safe::{safe, safe_path};

/// Moves old segments out of a ledger; `restore` brings them back, `verify` checks them
///
/// Whole sealed segments go whose entries are all below SEQ. Each is checked, copied
/// into OUT byte for byte with a manifest beside it, read back, and only then
/// removed. In the ledger stay all headers and indexes, and the system entries:
/// proofs, checkpoints, publishing, duplicates and the gate go on as before.
/// What the records say is in OUT alone, so keep OUT as you keep the ledger.
///
/// Examples:
///   proofline archive ledger --before 250000 /mnt/cold/ledger-2025
///   proofline archive verify /mnt/cold/ledger-2025 --ledger ledger
///   proofline archive restore ledger /mnt/cold/ledger-2025
#[derive(clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ArchiveArgs {
    #[command(subcommand)]
    other: Option<Other>,
    /// The ledger's folder
    #[arg(required = true)]
    dir: Option<PathBuf>,
    /// Segments go whose entries are all below this one
    #[arg(long, value_name = "SEQ", required = true)]
    before: Option<u64>,
    /// The folder that takes them; it is made if it is not there
    #[arg(required = true)]
    out: Option<PathBuf>,
    /// Where they go, for whoever will look for them: kept in the ledger
    /// [default: OUT as it was given]
    #[arg(long, value_name = "TEXT")]
    place: Option<String>,
    /// The time that the ledger keeps of it
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(clap::Subcommand)]
enum Other {
    Restore(RestoreArgs),
    Verify(VerifyArgs),
}

/// Brings archived segments back into their ledger
///
/// Every segment that OUT has and the ledger lacks is checked, against its
/// manifest, within itself and against the ledger, copied into place, and read
/// back. OUT is only read. A damaged file that stands in a segment's place in the
/// ledger is mended by this.
///
/// Example:
///   proofline archive restore ledger /mnt/cold/ledger-2025
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RestoreArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// The archive
    out: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

/// Checks an archive by itself, and with --ledger against the ledger it came from
///
/// Every segment: its bytes against its manifest, every frame, link and body in it,
/// and each against its neighbours. With --ledger each entry against the
/// ledger's tree, which its checkpoints anchor (`proofline verify ledger`).
/// Exit code 3 if something is wrong.
///
/// Examples:
///   proofline archive verify /mnt/cold/ledger-2025
///   proofline archive verify /mnt/cold/ledger-2025 --ledger ledger
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct VerifyArgs {
    /// The archive
    out: PathBuf,
    /// The ledger that it came from
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

impl ArchiveArgs {
    pub(crate) const fn format(&self) -> Format {
        match &self.other {
            None => self.output.format,
            Some(Other::Restore(args)) => args.output.format,
            Some(Other::Verify(args)) => args.output.format,
        }
    }
}

/// A segment as JSON shows it.
#[derive(Serialize)]
struct SegmentLine {
    first_seq: u64,
    last_seq: u64,
    entries: u64,
    segment_bytes: u64,
    sha256: String,
}

impl From<&MovedSegment> for SegmentLine {
    fn from(moved: &MovedSegment) -> Self {
        Self {
            first_seq: moved.first_seq.get(),
            last_seq: moved.first_seq.get() + moved.entries - 1,
            entries: moved.entries,
            segment_bytes: moved.segment_bytes,
            sha256: moved.sha256.to_string(),
        }
    }
}

#[derive(Serialize)]
struct MovedLine {
    ledger_id: String,
    segments: Vec<SegmentLine>,
    entries: u64,
    segment_bytes: u64,
    kept_bytes: u64,
    place: String,
}

#[derive(Serialize)]
struct RestoredLine {
    ledger_id: String,
    segments: Vec<SegmentLine>,
    entries: u64,
    segment_bytes: u64,
    mended: Vec<u64>,
    still_archived: u64,
}

#[derive(Serialize)]
struct CheckLine {
    verdict: &'static str,
    ledger_id: Option<String>,
    origin: Option<String>,
    compared: bool,
    entries: u64,
    segments: Vec<CheckedLine>,
    without_manifest: Vec<String>,
}

#[derive(Serialize)]
struct CheckedLine {
    first_seq: u64,
    entries: u64,
    segment_bytes: u64,
    sha256: Option<String>,
    code: Option<&'static str>,
    message: Option<String>,
}

impl From<&CheckedSegment> for CheckedLine {
    fn from(segment: &CheckedSegment) -> Self {
        Self {
            first_seq: segment.first_seq.get(),
            entries: segment.entries,
            segment_bytes: segment.segment_bytes,
            sha256: segment.sha256.map(|sha256| sha256.to_string()),
            code: segment.fault.as_ref().map(proofline::ledger::ArchiveFault::code),
            message: segment.fault.as_ref().map(ToString::to_string),
        }
    }
}

/// Archives, restores or checks.
pub(crate) fn run(args: &ArchiveArgs, out: &mut Out) -> Result<Exit, CliError> {
    match (&args.other, &args.dir, &args.out, args.before) {
        (Some(Other::Restore(args)), ..) => run_restore(args, out),
        (Some(Other::Verify(args)), ..) => run_verify(args, out),
        (None, Some(dir), Some(to), Some(before)) => move_out(args, dir, to, Seq::new(before), out),
        _ => Err(CliError::Usage("name the ledger's folder, --before SEQ and the folder for the archive")),
    }
}

fn move_out(args: &ArchiveArgs, dir: &Path, to: &Path, before: Seq, out: &mut Out) -> Result<Exit, CliError> {
    let place = args.place.clone().unwrap_or_else(|| to.to_string_lossy().into_owned());
    let order = ArchiveOrder { before, out: to, place: &place, now_ms: args.clock.now_ms() };
    let progress = Progress::bytes();
    let report =
        archive(ledger_folder(dir)?, &order, &mut |step| progress.set(step.done_bytes, step.total_bytes))?;
    drop(progress);
    tell_recovery(args.output.format, &report.recovery);
    let sum = |of: fn(&MovedSegment) -> u64| report.moved.iter().map(of).sum::<u64>();
    let (entries, segment_bytes) = (sum(|moved| moved.entries), sum(|moved| moved.segment_bytes));
    let kept_bytes = sum(|moved| moved.stub_bytes);
    if out.is_json() {
        let ledger_id = report.ledger_id.to_string();
        let segments = report.moved.iter().map(SegmentLine::from).collect();
        out.json(&MovedLine { ledger_id, segments, entries, segment_bytes, kept_bytes, place })?;
        return Ok(Exit::Ok);
    }
    if report.moved.is_empty() {
        out.line(format_args!("nothing to archive: no sealed segment ends below entry {before}"))?;
        return Ok(Exit::Ok);
    }
    show_segments(out, &report.moved)?;
    let segments = counted(report.moved.len() as u64, "segment", "segments");
    let entries = counted(entries, "entry", "entries");
    let said = format!("Archived {segments}, {entries}, into {}.", safe_path(to));
    out.line(out.paint().good(&said))?;
    out.line(format_args!(
        "  {segment_bytes} bytes went, {kept_bytes} stay: headers, system entries, facts"
    ))?;
    Ok(Exit::Ok)
}

fn show_segments(out: &mut Out, segments: &[MovedSegment]) -> Result<(), CliError> {
    for moved in segments {
        let line = SegmentLine::from(moved);
        out.line(format_args!(
            "  entries {} to {}  {} bytes  sha256 {}",
            line.first_seq, line.last_seq, line.segment_bytes, line.sha256
        ))?;
    }
    Ok(())
}

fn run_restore(args: &RestoreArgs, out: &mut Out) -> Result<Exit, CliError> {
    let progress = Progress::bytes();
    let report = restore(ledger_folder(&args.dir)?, &args.out, &mut |step| {
        progress.set(step.done_bytes, step.total_bytes)
    })?;
    drop(progress);
    tell_recovery(args.output.format, &report.recovery);
    let sum = |of: fn(&MovedSegment) -> u64| report.restored.iter().map(of).sum::<u64>();
    let (entries, segment_bytes) = (sum(|moved| moved.entries), sum(|moved| moved.segment_bytes));
    if out.is_json() {
        out.json(&RestoredLine {
            ledger_id: report.ledger_id.to_string(),
            segments: report.restored.iter().map(SegmentLine::from).collect(),
            entries,
            segment_bytes,
            mended: report.mended.iter().map(|seq| seq.get()).collect(),
            still_archived: report.still_archived,
        })?;
        return Ok(Exit::Ok);
    }
    show_segments(out, &report.restored)?;
    let segments = counted(report.restored.len() as u64, "segment", "segments");
    out.line(
        out.paint().good(&format!("Brought {segments} back, {}.", counted(entries, "entry", "entries"))),
    )?;
    for seq in &report.mended {
        out.line(format_args!(
            "  what stood in place of the segment of entry {seq} was damaged, and is gone"
        ))?;
    }
    if report.still_archived > 0 {
        let more = counted(report.still_archived, "segment is", "segments are");
        out.line(format_args!("  {more} archived elsewhere"))?;
    }
    Ok(Exit::Ok)
}

fn run_verify(args: &VerifyArgs, out: &mut Out) -> Result<Exit, CliError> {
    let ledger = match &args.ledger {
        Some(dir) => Some(Snapshot::open(ledger_folder(dir)?)?),
        None => None,
    };
    if !args.out.is_dir() {
        let name = safe_path(&args.out);
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(CliError::Unreadable { name, source });
    }
    let check = verify_archive(&args.out, ledger.as_ref())?;
    let exit = Exit::when(!check.is_sound(), Exit::DamagedLedger);
    let verdict = if check.is_sound() { "sound" } else { "damaged" };
    let entries = check.segments.iter().map(|segment| segment.entries).sum();
    if out.is_json() {
        out.json(&CheckLine {
            verdict,
            ledger_id: check.ledger_id.map(|id| id.to_string()),
            origin: check.origin.clone(),
            compared: check.is_compared,
            entries,
            segments: check.segments.iter().map(CheckedLine::from).collect(),
            without_manifest: check.strays.clone(),
        })?;
    } else {
        show_check(out, &check, entries)?;
    }
    Ok(exit)
}

fn show_check(out: &mut Out, check: &ArchiveCheck, entries: u64) -> Result<(), CliError> {
    let unknown = || "unreadable".to_owned();
    let ledger = check.ledger_id.map_or_else(unknown, |id| id.to_string());
    let segments = counted(check.segments.len() as u64, "segment", "segments");
    for (name, fact) in [
        ("ledger", ledger),
        ("origin", check.origin.clone().unwrap_or_else(unknown)),
        ("archive", format!("{segments}, {}", counted(entries, "entry", "entries"))),
    ] {
        out.line(format_args!("{name:<14} {}", safe(&fact)))?;
    }
    for segment in &check.segments {
        let first = segment.first_seq;
        match &segment.fault {
            None => out.line(format_args!("  {first:>10}  {} entries, whole", segment.entries))?,
            Some(fault) => {
                let said = format!("{fault} [{}]", fault.code());
                out.line(format_args!("  {first:>10}  {}", out.paint().bad(&safe(&said))))?;
            }
        }
    }
    for name in &check.strays {
        out.line(format_args!("  {}  has no manifest: copying it was cut off", safe(name)))?;
    }
    out.space()?;
    let sentence = match (check.is_sound(), check.is_compared) {
        (true, true) => "The archive is whole, and of this ledger entry by entry.",
        (true, false) => "The archive is whole in itself; --ledger says whether a ledger agrees.",
        (false, _) => "The archive is not whole.",
    };
    let paint = out.paint();
    out.line(if check.is_sound() { paint.good(sentence) } else { paint.bad(sentence) })
}
