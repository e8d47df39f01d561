//! `proofline checkpoint cosign` and `timestamp`: add a line to a checkpoint that others signed.

use std::path::{Path, PathBuf};

use proofline::ledger::{KeptCheckpoint, Ledger, Options, Snapshot};
use proofline::proof::{KeyName, Note, Signer, TimestampToken};
use serde::Serialize;

use super::checkpoint::{hand_out, note_text};
use super::checkpoint_verify::{NOT_VERIFIED, ReadNote, Trust, compare};
use super::clock::Clock;
use super::commit::tell_recovery;
use super::error::CliError;
use super::exit::Exit;
use super::input::{Source, ledger_folder};
use super::key_file::read_secret;
use super::output::{Format, Out, OutputArgs, note};
use super::safe::safe;
use super::signing_error::SigningError;

/// The longest response of an authority that is read.
const MAX_TOKEN_BYTES: usize = 1 << 20;

/// Cosigns a checkpoint by hand, as a witness
///
/// A cosignature says: of all that I saw of this log, this is the largest, at this
/// time. The checkpoint is verified first, as `verify` does, a quorum aside. That
/// it continues what you cosigned before is for you to know: check it with a
/// consistency proof, or against a ledger. Prints the note with the cosignature.
///
/// Examples:
///   proofline checkpoint cosign note --key witness.key --log-key desk.key.pub
///   proofline checkpoint cosign note --key witness.key --policy policy
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
#[command(group = clap::ArgGroup::new("trust").required(true).multiple(true).args(["policy", "log_keys", "ledger"]))]
pub(crate) struct CosignArgs {
    /// The checkpoint; `-` for the standard input
    file: PathBuf,
    /// The file of the witness's secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Verify with this policy file first
    #[arg(long, value_name = "FILE", conflicts_with = "log_keys")]
    policy: Option<PathBuf>,
    /// Verify with this public key of the log, or its file, first; may be given several times
    #[arg(long = "log-key", value_name = "KEY|FILE")]
    log_keys: Vec<PathBuf>,
    /// A ledger to compare with, which then keeps the cosignature
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// Write the note into this file too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The time of the cosignature
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Attaches an RFC 3161 timestamp to a checkpoint
///
/// The token has to be of the note's text, hashed with SHA-256. What it says is
/// checked; that the authority signed it is not, `openssl ts -verify` does that.
/// Get one like this:
///
///   sed '/^$/,$d' note > text
///   openssl ts -query -data text -sha256 -cert -out text.tsq
///   curl -H 'Content-Type: application/timestamp-query' \
///     --data-binary @text.tsq URL > text.tsr
///
/// Example:
///   proofline checkpoint timestamp note --token text.tsr --authority tsa.example
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct TimestampArgs {
    /// The checkpoint; `-` for the standard input
    file: PathBuf,
    /// What the authority sent: a response, or a token alone
    #[arg(long, value_name = "FILE")]
    token: PathBuf,
    /// The authority's name in the note: no space, control character or `+`
    #[arg(long, value_name = "NAME")]
    authority: String,
    /// The ledger that keeps the checkpoint, and then the timestamp
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// Write the note into this file too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Serialize)]
struct CosignLine {
    key: String,
    timestamp_s: u64,
    file: Option<String>,
    note: String,
}

#[derive(Serialize)]
struct TimestampedLine {
    authority: String,
    time: String,
    serial_hex: String,
    policy: String,
    signature: &'static str,
    file: Option<String>,
    note: String,
}

/// Cosigns.
pub(crate) fn cosign(args: &CosignArgs, out: &mut Out) -> Result<Exit, CliError> {
    let key = read_secret(&args.key)?;
    let read = ReadNote::read(&args.file)?;
    let ledger = open(args.ledger.as_deref(), args.output.format)?;
    let snapshot = ledger.as_ref().map(Ledger::snapshot).transpose()?;
    let verified = {
        let (policy, keys) = (args.policy.as_deref(), &args.log_keys);
        let trust = Trust { policy, keys, ledger: snapshot.as_ref() };
        read.verify(&trust.policy(&read)?.without_quorum())?
    };
    snapshot.as_ref().map_or(Ok(()), |snapshot: &Snapshot| compare(snapshot, verified.checkpoint()))?;
    let timestamp_s = args.clock.now_ms() / 1000;
    let cosigned = verified.cosign(&key, timestamp_s)?;
    let kept = hand_out(out, &cosigned, args.out.as_ref(), ledger.as_ref())?;
    let name = key.verifier().short_name();
    if out.is_json() {
        let note = note_text(&cosigned.to_bytes());
        out.json(&CosignLine { key: name, timestamp_s, file: kept.map(|kept| kept.file), note })?;
        return Ok(Exit::Ok);
    }
    let (origin, size) = (verified.checkpoint().origin(), verified.checkpoint().size());
    let message = format!("{name} cosigned {size} entries of {origin}{}", kept_as(kept.as_ref()));
    note(args.output.format, "checkpoint.cosigned", &safe(&message));
    Ok(Exit::Ok)
}

/// Attaches a timestamp.
pub(crate) fn timestamp(args: &TimestampArgs, out: &mut Out) -> Result<Exit, CliError> {
    let wrong = |source| SigningError::Key { name: "the authority's name".to_owned(), source };
    let authority = KeyName::new(&args.authority).map_err(wrong)?;
    let read = ReadNote::read(&args.file)?;
    let source = Source::of(Some(&args.token));
    let (der, name) = (source.read_all(MAX_TOKEN_BYTES)?, source.name());
    let refused = |source| SigningError::Timestamp { name: name.clone(), source };
    let token = TimestampToken::parse(&der).map_err(refused)?;
    let stamped: Note = read.note.with_timestamp(&authority, &der).map_err(refused)?;
    let ledger = open(args.ledger.as_deref(), args.output.format)?;
    let kept = hand_out(out, &stamped, args.out.as_ref(), ledger.as_ref())?;
    let (authority, time) = (authority.to_string(), token.time().to_string());
    if out.is_json() {
        out.json(&TimestampedLine {
            authority,
            time,
            serial_hex: token.serial_hex().to_owned(),
            policy: token.policy().to_owned(),
            signature: "not_verified",
            file: kept.map(|kept| kept.file),
            note: note_text(&stamped.to_bytes()),
        })?;
        return Ok(Exit::Ok);
    }
    let message = format!("stamped at {time} by {authority}{}; {NOT_VERIFIED}", kept_as(kept.as_ref()));
    note(args.output.format, "checkpoint.stamped", &safe(&message));
    Ok(Exit::Ok)
}

fn open(dir: Option<&Path>, format: Format) -> Result<Option<Ledger>, CliError> {
    let Some(dir) = dir else { return Ok(None) };
    let ledger = Ledger::open(ledger_folder(dir)?, Options::default())?;
    tell_recovery(format, &ledger.recovery());
    Ok(Some(ledger))
}

fn kept_as(kept: Option<&KeptCheckpoint>) -> String {
    kept.map(|kept| format!("; kept in {}", kept.file)).unwrap_or_default()
}
