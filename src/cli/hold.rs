//! `proofline hold`: forbids an erasure until the hold is released.

use std::path::PathBuf;

use proofline::canon::Sha256Digest;
use proofline::trace::{
    EnvelopeHash, ErasureTarget, HoldRecord, HoldTarget, Matter, Reason, SubjectKeyId, TraceId,
};
use serde::Serialize;

use super::clock::Clock;
use super::erasing::{self, as_before};
use super::error::CliError;
use super::exit::Exit;
use super::output::{Out, OutputArgs};

/// Puts a payload, or all payloads of a trace, under legal hold
///
/// What is held cannot be erased until the hold is released. A hold on a trace
/// holds every payload that a record of the trace refers to, refused attempts and
/// records to come included; one on a subject's key forbids to destroy the key. A
/// hold needs no decision: it destroys nothing.
///
/// Examples:
///   proofline hold ledger --blob SHA256 --reason "suit of May" --matter 2026-17
///   proofline hold ledger --trace TRACE_ID --reason "inquiry" --matter 2026-17
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct HoldArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// The payload: the SHA-256 of its bytes
    #[arg(long, value_name = "SHA256", group = "what")]
    blob: Option<Sha256Digest>,
    /// The trace whose payloads are held
    #[arg(long, value_name = "ID", group = "what")]
    trace: Option<TraceId>,
    /// The subject's sealing key that is held, by its id
    #[arg(long, value_name = "KEY_ID", group = "what")]
    subject: Option<SubjectKeyId>,
    /// Why, for whoever reads the log later; name no person here
    #[arg(long, value_name = "TEXT", value_parser = erasing::reason)]
    reason: Reason,
    /// The name of the legal matter
    #[arg(long, value_name = "NAME")]
    matter: Option<Matter>,
    /// The time of the entry
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A hold as JSON shows it when it is placed.
#[derive(Serialize)]
struct HoldLine {
    event: &'static str,
    hold: EnvelopeHash,
    target: String,
    seq: u64,
    duplicate: bool,
}

/// Places the hold.
pub(crate) fn run(args: &HoldArgs, out: &mut Out) -> Result<Exit, CliError> {
    let one = args.blob.map(ErasureTarget::Blob).or_else(|| args.subject.map(ErasureTarget::Subject));
    let target = one.map(HoldTarget::One).or_else(|| args.trace.map(HoldTarget::Trace));
    let target = target.ok_or(CliError::Usage("name what is to be held"))?;
    let record = HoldRecord { target, reason: args.reason.clone(), matter: args.matter.clone() };
    let ledger = erasing::open(&args.dir, args.output.format)?;
    let recorded = erasing::record(&ledger, &record.canonical(), args.clock)?;
    let (seq, hold, duplicate) = (recorded.seq, recorded.envelope_hash, recorded.duplicate);
    if out.is_json() {
        out.json(&HoldLine { event: "held", hold, target: target.to_string(), seq, duplicate })?;
        return Ok(Exit::Ok);
    }
    out.line(format_args!("held {target} by entry {seq}{}", as_before(duplicate)))?;
    out.line(format_args!("  hold {hold}"))?;
    Ok(Exit::Ok)
}
