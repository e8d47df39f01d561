//! `proofline release`: ends a legal hold, with a decision that allows it.

use std::path::PathBuf;

use proofline::ledger::{ErasureRefusal, Snapshot};
use proofline::trace::{EnvelopeHash, Reason, ReleaseRecord};
use serde::Serialize;

use super::clock::Clock;
use super::erasing::{self, as_before};
use super::error::CliError;
use super::exit::Exit;
use super::input::ledger_folder;
use super::output::{Out, OutputArgs};
use super::show::Wanted;

/// Ends a legal hold
///
/// It takes an accepted policy_decision that allows the action `release` on the
/// resource `hold/HOLD`, where HOLD is the hold's id as `proofline holds` shows it.
///
/// Example:
///   proofline release ledger HOLD --reason "2026-17 is closed" --authority HASH
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ReleaseArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// The hold: its id, 64 lower-case hex digits, or the number of its entry
    #[arg(value_name = "HOLD", value_parser = Wanted::parse)]
    hold: Wanted,
    /// Why, for whoever reads the log later; name no person here
    #[arg(long, value_name = "TEXT", value_parser = erasing::reason)]
    reason: Reason,
    /// The envelope hash of the decision that allows it
    #[arg(long, value_name = "ENVELOPE_HASH")]
    authority: EnvelopeHash,
    /// The time of the entry
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A release as JSON shows it.
#[derive(Serialize)]
struct ReleaseLine {
    event: &'static str,
    hold: EnvelopeHash,
    seq: u64,
    envelope_hash: EnvelopeHash,
    duplicate: bool,
}

/// Ends the hold.
pub(crate) fn run(args: &ReleaseArgs, out: &mut Out) -> Result<Exit, CliError> {
    let hold = find(args)?;
    let record = ReleaseRecord { hold, reason: args.reason.clone(), authority: args.authority };
    let ledger = erasing::open(&args.dir, args.output.format)?;
    let recorded = erasing::record(&ledger, &record.canonical(), args.clock)?;
    let (seq, duplicate) = (recorded.seq, recorded.duplicate);
    if out.is_json() {
        let envelope_hash = recorded.envelope_hash;
        out.json(&ReleaseLine { event: "released", hold, seq, envelope_hash, duplicate })?;
        return Ok(Exit::Ok);
    }
    out.line(format_args!("released the hold {hold} by entry {seq}{}", as_before(duplicate)))?;
    Ok(Exit::Ok)
}

fn find(args: &ReleaseArgs) -> Result<EnvelopeHash, CliError> {
    let seq = match args.hold {
        Wanted::Hash(hash) => return Ok(hash),
        Wanted::Seq(seq) => seq,
    };
    let snapshot = Snapshot::open(ledger_folder(&args.dir)?)?;
    let erasures = snapshot.erasures()?;
    let hold = erasures.holds().iter().find(|hold| hold.seq == seq);
    hold.map(|hold| hold.id).ok_or(CliError::Erasure(ErasureRefusal::NoHoldAt(seq)))
}
