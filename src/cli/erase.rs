//! `proofline erase`: erases a payload for good, with a decision that allows it, and says who refers to it.

use std::path::PathBuf;

use proofline::canon::Sha256Digest;
use proofline::ledger::{BLOBS_DIR, ErasureRefusal, References, Referring, Snapshot, SystemKind};
use proofline::trace::{EnvelopeHash, ErasureRecord, ErasureTarget, Reason};
use serde::Serialize;

use super::clock::Clock;
use super::erasing::{self, Recorded, as_before};
use super::error::CliError;
use super::exit::Exit;
use super::input::ledger_folder;
use super::output::{Out, OutputArgs};
use super::phrase::counted;
use super::progress::Progress;

/// Erases a payload for good, and lists the records that refer to it
///
/// First an entry says so, then the bytes go; from then on they are refused. The
/// records that refer to the payload stay, and all proofs with them. It takes an
/// accepted policy_decision that allows the action `erase` on the resource
/// `blob/SHA256`. A legal hold forbids it.
///
/// What it cannot reach: copies, backups, what was given away. See docs/erasure.md.
///
/// Examples:
///   proofline erase ledger --blob SHA256 --dry-run
///   proofline erase ledger --blob SHA256 --reason "art. 17" --authority HASH
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct EraseArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// The payload: the SHA-256 of its bytes, 64 lower-case hex digits
    #[arg(long, value_name = "SHA256")]
    blob: Sha256Digest,
    /// Why, for whoever reads the log later; name no person here
    #[arg(long, value_name = "TEXT", value_parser = erasing::reason, required_unless_present = "dry_run")]
    reason: Option<Reason>,
    /// The envelope hash of the decision that allows it
    #[arg(long, value_name = "ENVELOPE_HASH", required_unless_present = "dry_run")]
    authority: Option<EnvelopeHash>,
    /// Erase nothing: say what would be answered, and who refers to it
    #[arg(long)]
    dry_run: bool,
    /// The time of the entry
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// An erasure as JSON shows it.
#[derive(Serialize)]
struct EraseLine {
    event: &'static str,
    target: String,
    seq: Option<u64>,
    envelope_hash: Option<EnvelopeHash>,
    duplicate: bool,
    was_there: bool,
    refusal: Option<RefusalLine>,
    referring: Vec<ReferringLine>,
    unreadable_entries: u64,
}

#[derive(Serialize)]
struct RefusalLine {
    code: &'static str,
    message: String,
}

#[derive(Serialize)]
struct ReferringLine {
    seq: u64,
    trace_id: String,
    record_type: &'static str,
    member: &'static str,
    accepted: bool,
}

/// Erases, or says what that would come to.
pub(crate) fn run(args: &EraseArgs, out: &mut Out) -> Result<Exit, CliError> {
    let target = ErasureTarget::Blob(args.blob);
    let snapshot = Snapshot::open(ledger_folder(&args.dir)?)?;
    let was_there = blob_file(args).exists();
    let references = references(&snapshot, &args.blob)?;
    let record = args.reason.clone().zip(args.authority);
    let record = record.map(|(reason, authority)| ErasureRecord { target, reason, authority });
    let told = match record {
        Some(record) if !args.dry_run => {
            let ledger = erasing::open(&args.dir, args.output.format)?;
            Told::Erased(erasing::record(&ledger, &record.canonical(), args.clock)?)
        }
        record => Told::Dry(refusal(&snapshot, target, record)?),
    };
    if out.is_json() {
        out.json(&told.line(target, was_there, &references))?;
    } else {
        show(out, &told, target, was_there, &references)?;
    }
    Ok(match told {
        Told::Dry(Some(_)) => Exit::Failed,
        _ => Exit::Ok,
    })
}

enum Told {
    Erased(Recorded),
    Dry(Option<ErasureRefusal>),
}

fn blob_file(args: &EraseArgs) -> PathBuf {
    let digits = args.blob.to_string();
    let (folder, rest) = digits.split_at(2);
    args.dir.join(BLOBS_DIR).join(folder).join(rest)
}

fn references(snapshot: &Snapshot, blob: &Sha256Digest) -> Result<References, CliError> {
    let total = snapshot.entries();
    let progress = Progress::up_to(total, "entries");
    Ok(snapshot.referring(blob, &mut |done| progress.set(done, total))?)
}

/// What would be refused: of a whole record by the rule, else by what is known without a decision.
fn refusal(
    snapshot: &Snapshot,
    target: ErasureTarget,
    record: Option<ErasureRecord>,
) -> Result<Option<ErasureRefusal>, CliError> {
    if let Some(record) = record {
        return Ok(snapshot.would_refuse(&SystemKind::Erasure(record))?);
    }
    if let Some(erasure) = snapshot.erasures()?.of(&target) {
        return Ok(Some(ErasureRefusal::Erased { target, seq: erasure.seq }));
    }
    let held = snapshot.held_by(target)?;
    Ok(held.map(|hold| ErasureRefusal::Held { target, hold: hold.id, seq: hold.seq }))
}

impl Told {
    fn line(&self, target: ErasureTarget, was_there: bool, references: &References) -> EraseLine {
        let (event, recorded, refusal) = match self {
            Told::Erased(recorded) => ("erased", Some(recorded), None),
            Told::Dry(None) => ("would_erase", None, None),
            Told::Dry(Some(refusal)) => ("would_refuse", None, Some(refusal)),
        };
        EraseLine {
            event,
            target: target.to_string(),
            seq: recorded.map(|recorded| recorded.seq),
            envelope_hash: recorded.map(|recorded| recorded.envelope_hash),
            duplicate: recorded.is_some_and(|recorded| recorded.duplicate),
            was_there,
            refusal: refusal.map(|it| RefusalLine { code: it.code(), message: it.to_string() }),
            referring: references.list.iter().map(ReferringLine::of).collect(),
            unreadable_entries: references.unreadable,
        }
    }
}

impl ReferringLine {
    fn of(referring: &Referring) -> Self {
        Self {
            seq: referring.seq.get(),
            trace_id: referring.trace_id.to_string(),
            record_type: referring.record_type.as_str(),
            member: referring.member,
            accepted: referring.is_accepted,
        }
    }
}

fn show(
    out: &mut Out,
    told: &Told,
    target: ErasureTarget,
    was_there: bool,
    references: &References,
) -> Result<(), CliError> {
    let paint = out.paint();
    match told {
        Told::Erased(recorded) => {
            let before = as_before(recorded.duplicate);
            out.line(paint.good(&format!("erased {target} by entry {}{before}", recorded.seq)))?;
        }
        Told::Dry(None) => {
            out.line(format_args!("would erase {target}; nothing was done"))?;
            out.line(format_args!("  the decision must allow `erase` on `{}`", target.resource()))?;
        }
        Told::Dry(Some(refusal)) => out.line(paint.bad(&format!("would be refused: {refusal}")))?,
    }
    if !was_there {
        out.line("  its bytes were not here; they are kept out from the erasure on")?;
    }
    let records = counted(references.list.len() as u64, "record refers", "records refer");
    out.heading(&format!("{records} to it"))?;
    for it in &references.list {
        let refused = if it.is_accepted { "" } else { ", a refused attempt" };
        out.line(format_args!(
            "  entry {:>7}  trace {}  {} of a {}{refused}",
            it.seq, it.trace_id, it.member, it.record_type
        ))?;
    }
    if references.unreadable > 0 {
        let entries = counted(references.unreadable, "entry", "entries");
        out.line(format_args!("  {entries} cannot be read and may refer to it as well"))?;
    }
    Ok(())
}
