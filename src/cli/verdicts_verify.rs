//! `proofline verdicts verify`: replays sealed verdicts, and says whether they come out as they were sealed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use proofline::canon::{ContentStore, Sha256Digest};
use proofline::ledger::Snapshot;
use proofline::policy::CedarEngine;
use proofline::replay::{Explanation, Means, SealCheck, SealedVerdict, VersionChange, check_seal};
use proofline::trace::{EnvelopeHash, TraceId};
use serde::Serialize;

use super::archives::ArchivesArgs;
use super::blobs;
use super::entry_view::warn_of_damage;
use super::error::CliError;
use super::exit::Exit;
use super::output::{Out, OutputArgs};
use super::phrase::counted;
use super::replay::closed;
use super::replay_tools::ToolArgs;
use super::safe::{safe, safe_cut};
use super::trace::TraceBegin;

/// Traces that are looked up at once.
const TRACES_AT_ONCE: usize = 256;

/// Replays sealed verdicts, and says whether they come out as they were sealed
///
/// Each over the very entries that it was given over, whose root must be the
/// sealed one, with the same question and clock. The result must be the same byte
/// for byte, and so must the diagnostics; where payloads were erased since, these
/// cannot be, which is said and fails nothing. Signatures are verified. Versions
/// that are others today are said. Calls of tools run again where they ran then:
/// give each tool with --tool.
///
/// Exits with 3 when the log is damaged, else 1 when a verdict does not hold.
///
/// Examples:
///   proofline verdicts verify ledger
///   proofline verdicts verify ledger --trace 4bf9
///   proofline verdicts verify ledger --tool calculate=builtin:calculator
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct VerifyVerdictsArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// The verdicts, by the hash of the result or of the seal [default: all that are sealed]
    #[arg(value_name = "ARTIFACT_HASH")]
    hashes: Vec<EnvelopeHash>,
    /// Those on this trace; its first digits are enough when no other trace has them
    #[arg(long, value_name = "ID", value_parser = TraceBegin::parse, conflicts_with = "hashes")]
    trace: Option<TraceBegin>,
    #[command(flatten)]
    tools: ToolArgs,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// One sealed verdict as JSON shows it.
#[derive(Serialize)]
struct CheckedLine {
    seq: u64,
    seal_sha256: EnvelopeHash,
    artifact_sha256: String,
    trace_id: TraceId,
    replay_type: &'static str,
    size: u64,
    holds: bool,
    same_history: bool,
    same_result: bool,
    diagnostics: &'static str,
    differing: Vec<&'static str>,
    erased_since: u64,
    signed_by: Vec<SignerLine>,
    versions: Vec<VersionLine>,
    policies_absent: Vec<String>,
}

#[derive(Serialize)]
struct SignerLine {
    key: String,
    seq: u64,
    verified: bool,
}

#[derive(Serialize)]
struct VersionLine {
    what: String,
    sealed: String,
    now: Option<String>,
}

#[derive(Serialize)]
struct SummaryLine {
    summary: Totals,
}

#[derive(Default, Serialize)]
struct Totals {
    verdicts: u64,
    hold: u64,
    fail: u64,
}

impl CheckedLine {
    fn of(sealed: &SealedVerdict, check: &SealCheck) -> Self {
        let (diagnostics, erased_since) = match check.explanation {
            Explanation::Same => ("same", 0),
            Explanation::Erased { payloads } => ("erased", payloads),
            Explanation::Differs => ("differ", 0),
        };
        let signers = check.signers.iter();
        let signers = signers.map(|signer| SignerLine {
            key: signer.key.clone(),
            seq: signer.seq.get(),
            verified: signer.is_good,
        });
        let version = |change: &VersionChange| VersionLine {
            what: change.what.clone(),
            sealed: change.sealed.clone(),
            now: change.now.clone(),
        };
        Self {
            seq: sealed.seq.get(),
            seal_sha256: sealed.seal_sha256,
            artifact_sha256: sealed.seal.result_sha256.to_string(),
            trace_id: sealed.seal.target_trace_id,
            replay_type: sealed.result.replay_type().as_str(),
            size: sealed.seal.log.size.get(),
            holds: check.holds(),
            same_history: check.is_same_history,
            same_result: check.is_same_result,
            diagnostics: if check.replay.is_some() { diagnostics } else { "not_replayed" },
            differing: check.differing.clone(),
            erased_since,
            signed_by: signers.collect(),
            versions: check.versions.iter().map(version).collect(),
            policies_absent: check.policies_absent.iter().map(Sha256Digest::to_string).collect(),
        }
    }

    /// What there is to say for people, a sentence each.
    fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        if !self.same_history {
            said.push("the log is not the one that was read: its first entries have another root".to_owned());
        } else if !self.same_result {
            said.push("the result is another one".to_owned());
        }
        match self.diagnostics {
            "differ" => said.push(format!("the diagnostics differ in {}", self.differing.join(", "))),
            "erased" => {
                let payloads = counted(self.erased_since, "payload", "payloads");
                said.push(format!("{payloads} erased since, so the diagnostics cannot be the same"));
            }
            _ => {}
        }
        for signer in &self.signed_by {
            let verb = if signer.verified { "signed by" } else { "NOT validly signed by" };
            said.push(format!("{verb} {}", safe(&signer.key)));
        }
        for change in &self.versions {
            let now = change.now.as_deref().unwrap_or("not at hand");
            said.push(format!("{} was {}, today {}", safe(&change.what), safe(&change.sealed), safe(now)));
        }
        said.extend(self.policies_absent.iter().map(|policy| format!("the policy {policy} is not at hand")));
        said
    }
}

/// Replays sealed verdicts.
pub(crate) fn run(args: &VerifyVerdictsArgs, out: &mut Out) -> Result<Exit, CliError> {
    let tools = args.tools.registry(args.output.format)?;
    let snapshot = args.archives.snapshot(&args.dir)?;
    let blobs = blobs::of_ledger(&args.dir)?;
    let closed = closed(&snapshot, blobs.as_ref())?;
    let payloads = blobs.as_ref().map(|blobs| blobs as &(dyn ContentStore + Sync));
    let means = Means { payloads, policies: Some(&CedarEngine), tools: Some(&tools) };
    let (mut totals, mut damaged) = (Totals::default(), false);
    let mut unmet: BTreeSet<EnvelopeHash> = args.hashes.iter().copied().collect();
    each_trace(args, &snapshot, &mut |trace| {
        for sealed in SealedVerdict::of_trace(&snapshot, trace)? {
            let result = EnvelopeHash::from_bytes(*sealed.seal.result_sha256.as_bytes());
            let names = [sealed.seal_sha256, result];
            if !args.hashes.is_empty() && !names.iter().any(|name| args.hashes.contains(name)) {
                continue;
            }
            unmet.retain(|wanted| !names.contains(wanted));
            let check = check_seal(&snapshot, &means, &closed, env!("CARGO_PKG_VERSION"), &sealed)?;
            damaged |= check.replay.as_ref().is_some_and(|replay| !replay.damage.is_empty());
            let line = CheckedLine::of(&sealed, &check);
            totals.verdicts += 1;
            *(if line.holds { &mut totals.hold } else { &mut totals.fail }) += 1;
            show(out, &line)?;
        }
        Ok(())
    })?;
    if let Some(hash) = unmet.first() {
        return Err(CliError::NoSuchHash(hash.to_string()));
    }
    let failed = Exit::when(totals.fail > 0, Exit::Failed);
    finish(out, totals)?;
    let damage = Exit::when(damaged, Exit::DamagedLedger);
    Ok(Exit::first([damage, warn_of_damage(args.output.format, &snapshot), failed]))
}

/// The traces that are asked about.
fn each_trace(
    args: &VerifyVerdictsArgs,
    snapshot: &Snapshot,
    take: &mut dyn FnMut(TraceId) -> Result<(), CliError>,
) -> Result<(), CliError> {
    if let Some(begin) = &args.trace {
        return take(begin.find(snapshot)?);
    }
    if !args.hashes.is_empty() {
        let mut traces = BTreeSet::new();
        for hash in &args.hashes {
            for seq in snapshot.with_hash(hash)? {
                traces
                    .extend(snapshot.header(seq)?.and_then(|header| header.trace).map(|link| link.trace_id));
            }
        }
        return traces.into_iter().try_for_each(take);
    }
    let mut after = None;
    loop {
        let traces = snapshot.traces_after(after, TRACES_AT_ONCE)?;
        let Some(last) = traces.last() else { return Ok(()) };
        after = Some(*last);
        traces.into_iter().try_for_each(&mut *take)?;
    }
}

fn show(out: &mut Out, line: &CheckedLine) -> Result<(), CliError> {
    if out.is_json() {
        return out.json(line);
    }
    let (paint, width) = (out.paint(), out.columns());
    let answer = if line.holds { paint.good("holds") } else { paint.bad("DOES NOT HOLD") };
    out.line(format_args!("{}  {} replay  {answer}", line.trace_id, line.replay_type))?;
    let place = format!("  seal {} in entry {}, over {} entries", line.seal_sha256, line.seq, line.size);
    out.line(paint.faint(&safe_cut(&place, width)))?;
    line.sentences().iter().try_for_each(|said| out.line(format_args!("  {said}")))
}

fn finish(out: &mut Out, totals: Totals) -> Result<(), CliError> {
    if out.is_json() {
        return out.json(&SummaryLine { summary: totals });
    }
    let verdicts = counted(totals.verdicts, "sealed verdict", "sealed verdicts");
    let paint = out.paint();
    match totals.fail {
        0 if totals.verdicts == 0 => out.line("no sealed verdicts"),
        0 => out.line(paint.good(&format!("{verdicts}: all hold"))),
        fail => out.line(paint.bad(&format!("{verdicts}: {fail} not as sealed"))),
    }
}
