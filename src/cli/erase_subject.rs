//! Erasing a subject: first the entry that says so, through the gate, then the key. Cut off in between, doing it again
//! finishes it.

use std::path::PathBuf;

use proofline::canon::Sha256Digest;
use proofline::ledger::{
    Action, ArtifactRefusal, Blobs, ErasureRefusal, Ledger, Options, Outcome, Seq, SubjectName,
};
use proofline::trace::{EnvelopeHash, ErasureRecord, ErasureTarget, Reason, SubjectKeyId};
use serde::Serialize;

use super::clock::Clock;
use super::commit::tell_recovery;
use super::error::CliError;
use super::exit::Exit;
use super::input::ledger_folder;
use super::output::{Out, OutputArgs};
use super::phrase::counted;
use super::sealing_error::SealingError;
use super::subject::open_keys;

/// Erases a subject: records it, then destroys the key
///
/// The authority is an accepted decision of the ledger that allows `erase` on
/// `subject/KEY_ID`; the gate checks it. A legal hold on the key, on a payload
/// sealed under it or on a trace that refers to one refuses. Every payload sealed
/// under the key is closed for good then, in this ledger, in its copies and
/// elsewhere. docs/sealed.md says what this cannot reach: copies of the key,
/// blocks that a file system or an SSD keeps, and whatever was opened.
///
/// Example:
///   proofline subject erase keys "Ines Moreau" --ledger ledger \
///     --reason "GDPR art. 17" --authority HASH
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct EraseSubjectArgs {
    /// The folder of subject keys
    keys: PathBuf,
    /// What you call the subject
    name: String,
    /// The ledger that records it
    #[arg(long, value_name = "DIR")]
    ledger: PathBuf,
    /// Why; it stays in the ledger, so name nobody
    #[arg(long, value_name = "TEXT")]
    reason: Reason,
    /// The decision that allows it
    #[arg(long, value_name = "ENVELOPE_HASH")]
    authority: EnvelopeHash,
    /// The time of the entry
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// An erased subject as JSON shows it.
#[derive(Serialize)]
struct ErasedLine {
    key_id: SubjectKeyId,
    seq: u64,
    recorded_before: bool,
    payloads: Vec<Sha256Digest>,
}

/// Erases.
pub(crate) fn erase(args: &EraseSubjectArgs, out: &mut Out) -> Result<Exit, CliError> {
    let name = SubjectName::new(&args.name)?;
    // Held to the end: nobody seals under the key meanwhile.
    let keys = open_keys(&args.keys)?;
    let key_id = keys.find(&name)?.id();
    let dir = ledger_folder(&args.ledger)?;
    let ledger = Ledger::open(dir, Options::default())?;
    tell_recovery(args.output.format, &ledger.recovery());
    let payloads = Blobs::open(dir)?.sealed_under(&key_id)?;
    let before = ledger.snapshot()?.erasures()?.of_subject(&key_id);
    let seq = match before {
        Some(seq) => seq,
        None => record(args, &ledger, key_id, &payloads)?,
    };
    keys.destroy(&key_id)?;
    if out.is_json() {
        out.json(&ErasedLine { key_id, seq: seq.get(), recorded_before: before.is_some(), payloads })?;
        return Ok(Exit::Ok);
    }
    let recorded = if before.is_some() { ", which was there before" } else { "" };
    out.line(format_args!("erased the key {key_id} by entry {seq}{recorded}"))?;
    out.line(format_args!("  {} closed for good", counted(payloads.len() as u64, "payload", "payloads")))?;
    payloads.iter().try_for_each(|payload| out.line(format_args!("  {payload}")))?;
    Ok(Exit::Ok)
}

fn record(
    args: &EraseSubjectArgs,
    ledger: &Ledger,
    key_id: SubjectKeyId,
    payloads: &[Sha256Digest],
) -> Result<Seq, CliError> {
    let target = ErasureTarget::Subject(key_id);
    if let Some(hold) = ledger.snapshot()?.hold_on_subject(&key_id, payloads)? {
        let held = ErasureRefusal::Held { target, hold: hold.id, seq: hold.seq };
        return Err(SealingError::Refused(ArtifactRefusal::Erasure(held)).into());
    }
    let record = ErasureRecord { target, reason: args.reason.clone(), authority: args.authority };
    match ledger.commit_action(&Action::System(&record.canonical()), args.clock.now_ms())? {
        Outcome::Accepted { seq, .. } => Ok(seq),
        Outcome::ArtifactRefused(refusal) => Err(SealingError::Refused(refusal).into()),
        Outcome::Refused { rejection, .. } => {
            let message = format!("an erasure was answered as evidence: {}", rejection.message);
            Err(CliError::Internal(message))
        }
    }
}
