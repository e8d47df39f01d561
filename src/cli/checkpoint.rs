//! `proofline checkpoint`: signs what a ledger holds; its steps verify, cosign and stamp what was signed.

use std::path::PathBuf;

use proofline::ledger::{CheckpointRule, KeptCheckpoint, Ledger, Options};
use proofline::proof::{Note, SecretKey, Signer};
use serde::Serialize;

use super::checkpoint_add::{CosignArgs, TimestampArgs, cosign, timestamp};
use super::checkpoint_verify::{VerifyCheckpointArgs, verify};
use super::clock::Clock;
use super::commit::tell_recovery;
use super::error::CliError;
use super::exit::Exit;
use super::input::ledger_folder;
use super::key_file::{read_secrets, signers, write_whole};
use super::output::{Format, Out, OutputArgs, note};
use super::safe::{safe, safe_path};

/// Signs the size and root of a ledger, keeps that and prints it
///
/// A checkpoint is a C2SP signed note. Whoever has it and the public key can tell
/// later that nothing it covers was changed or cut off. The key has to be a
/// current log key of the ledger: see `proofline keys add`. What is signed is
/// read from the log, and must continue the last checkpoint. The note alone goes
/// to the standard output, what else there is to say to the standard error.
///
/// Examples:
///   proofline checkpoint ledger --key desk.key > desk.checkpoint
///   proofline checkpoint ledger --key desk.key --every-entries 1000
#[derive(clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct CheckpointArgs {
    #[command(subcommand)]
    step: Option<Step>,
    /// The ledger's folder
    #[arg(required = true)]
    dir: Option<PathBuf>,
    /// The file of a secret key to sign with; may be given several times
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    /// Sign only if so many entries came since the last checkpoint
    #[arg(long, value_name = "N")]
    every_entries: Option<u64>,
    /// Sign only if an entry that none covers was recorded so many seconds ago
    #[arg(long, value_name = "T")]
    every_seconds: Option<u64>,
    /// Write the note into this file too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The time by which a checkpoint is due
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(clap::Subcommand)]
enum Step {
    Verify(VerifyCheckpointArgs),
    Cosign(CosignArgs),
    Timestamp(TimestampArgs),
}

impl CheckpointArgs {
    pub(crate) const fn format(&self) -> Format {
        match &self.step {
            None => self.output.format,
            Some(Step::Verify(args)) => args.output.format,
            Some(Step::Cosign(args)) => args.output.format,
            Some(Step::Timestamp(args)) => args.output.format,
        }
    }
}

/// A signed checkpoint as JSON shows it; without one that was due, all but `due` is null.
#[derive(Default, Serialize)]
struct CheckpointLine {
    due: bool,
    size: Option<u64>,
    root: Option<String>,
    origin: Option<String>,
    file: Option<String>,
    signed_by: Option<Vec<String>>,
    note: Option<String>,
}

/// Signs, or takes a step.
pub(crate) fn run(args: &CheckpointArgs, out: &mut Out) -> Result<Exit, CliError> {
    match (&args.step, &args.dir) {
        (Some(Step::Verify(args)), _) => verify(args, out),
        (Some(Step::Cosign(args)), _) => cosign(args, out),
        (Some(Step::Timestamp(args)), _) => timestamp(args, out),
        (None, Some(dir)) => {
            let keys = read_secrets(&args.keys)?;
            let ledger = Ledger::open(ledger_folder(dir)?, Options::default())?;
            tell_recovery(args.output.format, &ledger.recovery());
            sign(args, &ledger, &keys, out)
        }
        (None, None) => Err(CliError::Usage("name the ledger's folder")),
    }
}

/// The rule of `--every-entries` and `--every-seconds`; none without either.
pub(crate) fn rule(entries: Option<u64>, seconds: Option<u64>) -> Option<CheckpointRule> {
    let every_ms = seconds.map(|seconds| seconds.saturating_mul(1000));
    (entries.is_some() || every_ms.is_some()).then_some(CheckpointRule { every_entries: entries, every_ms })
}

fn sign(args: &CheckpointArgs, ledger: &Ledger, keys: &[SecretKey], out: &mut Out) -> Result<Exit, CliError> {
    let signers = signers(keys);
    let kept = match rule(args.every_entries, args.every_seconds) {
        None => Some(ledger.checkpoint(&signers)?),
        Some(rule) => ledger.checkpoint_if_due(&rule, &signers, args.clock.now_ms())?,
    };
    let Some(kept) = kept else {
        if out.is_json() {
            out.json(&CheckpointLine::default())?;
        } else {
            note(args.output.format, "checkpoint.not_due", "no checkpoint is due, and none was signed");
        }
        return Ok(Exit::Ok);
    };
    if let Some(path) = &args.out {
        write_whole(path, &kept.note)?;
    }
    if out.is_json() {
        out.json(&line(&kept, &signers))?;
        return Ok(Exit::Ok);
    }
    out.note(&kept.note)?;
    let names: Vec<String> = signers.iter().map(|signer| signer.verifier().short_name()).collect();
    let also = args.out.as_ref().map(|path| format!(" and {}", safe_path(path))).unwrap_or_default();
    let (size, file) = (kept.size, &kept.file);
    let message = format!("{} signed {size} entries; kept as {file}{also}", names.join(", "));
    note(args.output.format, "checkpoint.signed", &safe(&message));
    Ok(Exit::Ok)
}

fn line(kept: &KeptCheckpoint, signers: &[&dyn Signer]) -> CheckpointLine {
    let stated = kept.stated();
    CheckpointLine {
        due: true,
        size: Some(kept.size),
        root: stated.as_ref().map(|stated| stated.root().to_base64()),
        origin: stated.map(|stated| stated.origin().to_owned()),
        file: Some(kept.file.clone()),
        signed_by: Some(signers.iter().map(|signer| signer.verifier().short_name()).collect()),
        note: Some(note_text(&kept.note)),
    }
}

/// A note as JSON holds it. What is signed or joined here is UTF-8.
pub(crate) fn note_text(note: &[u8]) -> String {
    String::from_utf8_lossy(note).into_owned()
}

/// A note that was added to, kept where that was asked for, and printed.
pub(crate) fn hand_out(
    out: &mut Out,
    note: &Note,
    file: Option<&PathBuf>,
    ledger: Option<&Ledger>,
) -> Result<Option<KeptCheckpoint>, CliError> {
    let kept = ledger.map(|ledger| ledger.add_to_checkpoint(note)).transpose()?;
    if let Some(path) = file {
        write_whole(path, &note.to_bytes())?;
    }
    if !out.is_json() {
        out.note(&note.to_bytes())?;
    }
    Ok(kept)
}
