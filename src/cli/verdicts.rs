//! `proofline verdicts`: which verdicts a ledger keeps.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proofline::ledger::{ArtifactKind, Entry, EntryFault, EntryStatus, Seq, Snapshot};
use proofline::trace::{EnvelopeHash, TraceId};
use serde::Serialize;

use super::archives::{ArchivesArgs, Away};
use super::clock::moment;
use super::entry_view::warn_of_damage;
use super::error::CliError;
use super::exit::Exit;
use super::output::{self, Format, Out, OutputArgs};
use super::phrase::counted;
use super::safe::{cut, safe};
use super::table::{Cell, Column, plain, row, titles};
use super::trace::TraceBegin;
use super::verdicts_verify::{self, VerifyVerdictsArgs};

/// Lists the verdicts that `replay --record` appended, the newest last
///
/// Each with its entry, when it was recorded, the question and the answer; below
/// it the trace and the artifact's hash. Of constrained replay the trace is the
/// candidate, and the baseline that it was measured against stands below. So does
/// each seal on it: over how many entries, and who signed.
///
/// Examples:
///   proofline verdicts ledger
///   proofline verdicts ledger --trace 4bf9
///   proofline verdicts verify ledger
#[derive(clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct VerdictsArgs {
    #[command(subcommand)]
    step: Option<Step>,
    /// The ledger's folder
    #[arg(required = true)]
    dir: Option<PathBuf>,
    /// Those on this trace alone; its first digits are enough when no other trace has them
    #[arg(long, value_name = "ID", value_parser = TraceBegin::parse)]
    trace: Option<TraceBegin>,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(clap::Subcommand)]
enum Step {
    Verify(VerifyVerdictsArgs),
}

impl VerdictsArgs {
    pub(crate) const fn format(&self) -> Format {
        match &self.step {
            None => self.output.format,
            Some(Step::Verify(args)) => args.output.format,
        }
    }
}

/// A seal on a verdict, as JSON shows it.
#[derive(Serialize)]
struct SealLine {
    seq: u64,
    seal_sha256: EnvelopeHash,
    size: u64,
    signed_by: Vec<String>,
}

/// The seals on verdicts, by the hash of the result.
#[derive(Default)]
struct Seals(BTreeMap<EnvelopeHash, Vec<SealLine>>);

impl Seals {
    /// Those among these entries. What cannot be read is told when verdicts are listed.
    fn among(snapshot: &Snapshot, seqs: impl Iterator<Item = Seq>) -> Result<Self, CliError> {
        let (mut seals, mut signers) = (Self::default(), BTreeMap::<EnvelopeHash, Vec<String>>::new());
        for seq in seqs {
            let is_artifact = match snapshot.header(seq) {
                Ok(header) => header.is_some_and(|header| matches!(header.status, EntryStatus::Artifact)),
                Err(EntryFault::Io(error)) => return Err(EntryFault::Io(error).into()),
                Err(_) => false,
            };
            let Some(Ok(Some(entry))) = is_artifact.then(|| snapshot.entry(seq)) else { continue };
            match ArtifactKind::read(&entry.body) {
                Ok(ArtifactKind::VerdictSeal(seal)) => {
                    let result = EnvelopeHash::from_bytes(*seal.result_sha256.as_bytes());
                    let (seal_sha256, size) = (entry.header.envelope_hash, seal.log.size.get());
                    let line = SealLine { seq: seq.get(), seal_sha256, size, signed_by: Vec::new() };
                    seals.0.entry(result).or_default().push(line);
                }
                Ok(ArtifactKind::VerdictSignature(signature)) => {
                    signers.entry(signature.seal_sha256).or_default().push(signature.key.to_string());
                }
                _ => {}
            }
        }
        for seal in seals.0.values_mut().flatten() {
            seal.signed_by = signers.remove(&seal.seal_sha256).unwrap_or_default();
        }
        Ok(seals)
    }
}

/// One verdict as JSON shows it.
#[derive(Serialize)]
struct RecordedLine {
    seq: u64,
    replay_type: &'static str,
    trace_id: TraceId,
    reference_trace_id: Option<TraceId>,
    result: &'static str,
    failure_class: Option<&'static str>,
    artifact_sha256: String,
    generated_at: String,
    recorded_at_ms: u64,
    seals: Vec<SealLine>,
}

impl RecordedLine {
    /// None of an entry that is no verdict.
    fn of(entry: &Entry, seals: &mut Seals) -> Option<Self> {
        if !matches!(entry.header.status, EntryStatus::Artifact) {
            return None;
        }
        // A body that is no artifact is damage, which `verify` tells.
        let Ok(ArtifactKind::ReplayResult(result)) = ArtifactKind::read(&entry.body) else { return None };
        Some(Self {
            seq: entry.header.seq.get(),
            replay_type: result.replay_type().as_str(),
            trace_id: result.target_trace_id,
            reference_trace_id: result.reference_trace_id(),
            result: if result.verdict.is_pass() { "pass" } else { "fail" },
            failure_class: result.verdict.failure_class().map(|class| class.as_str()),
            artifact_sha256: entry.header.envelope_hash.to_string(),
            generated_at: result.generated_at.to_string(),
            recorded_at_ms: entry.header.recorded_at_ms,
            seals: seals.0.remove(&entry.header.envelope_hash).unwrap_or_default(),
        })
    }
}

const COLUMNS: [Column; 4] = [
    Column::number("entry", 8),
    Column::text("recorded", 23),
    Column::text("question", 11),
    Column::text("answer", 27),
];

/// What stands below a verdict's first line begins under its second column.
const BELOW: &str = "          ";

/// Lists the verdicts, or verifies them.
pub(crate) fn run(args: &VerdictsArgs, out: &mut Out) -> Result<Exit, CliError> {
    match (&args.step, &args.dir) {
        (Some(Step::Verify(args)), _) => verdicts_verify::run(args, out),
        (None, Some(dir)) => list(args, &args.archives.snapshot(dir)?, out),
        (None, None) => Err(CliError::Usage("name the ledger's folder")),
    }
}

fn list(args: &VerdictsArgs, snapshot: &Snapshot, out: &mut Out) -> Result<Exit, CliError> {
    let of_trace = match &args.trace {
        None => None,
        Some(begin) => {
            let trace_id = begin.find(snapshot)?;
            let seqs = snapshot.of_trace(trace_id)?;
            if seqs.is_empty() {
                return Err(CliError::NoSuchTrace(trace_id.to_string()));
            }
            Some(seqs)
        }
    };
    let seqs = || -> Box<dyn Iterator<Item = Seq>> {
        match &of_trace {
            None => Box::new((0..snapshot.entries()).map(Seq::new)),
            Some(seqs) => Box::new(seqs.iter().copied()),
        }
    };
    let mut seals = Seals::among(snapshot, seqs())?;
    let (mut exit, mut count, mut away) = (Exit::Ok, 0, Away::default());
    for seq in seqs() {
        match snapshot.entry(seq) {
            Ok(entry) => {
                let Some(line) = entry.as_ref().and_then(|entry| RecordedLine::of(entry, &mut seals)) else {
                    continue;
                };
                show(out, &line, count == 0)?;
                count += 1;
            }
            Err(EntryFault::Archived(archived)) => {
                away.take(snapshot, seq, archived)?;
            }
            Err(EntryFault::Io(error)) => return Err(EntryFault::Io(error).into()),
            Err(fault) => {
                let error = CliError::from(fault);
                exit = error.exit();
                output::report(&error, args.output.format);
            }
        }
    }
    if !out.is_json() {
        out.line(counted(count, "verdict", "verdicts"))?;
    }
    away.tell(args.output.format);
    Ok(Exit::first([exit, warn_of_damage(args.output.format, snapshot)]))
}

fn show(out: &mut Out, line: &RecordedLine, is_first: bool) -> Result<(), CliError> {
    if out.is_json() {
        return out.json(line);
    }
    let paint = out.paint();
    if is_first {
        out.line(paint.faint(&titles(&COLUMNS)))?;
        out.line(paint.faint(&format!("{BELOW}{:<32}  artifact", "trace")))?;
    }
    let at = line.recorded_at_ms;
    let recorded = moment(at).map_or_else(|| at.to_string(), |at| at.to_string());
    let (good, bad) = (|text: &str| paint.good(text), |text: &str| paint.bad(text));
    let answer: Cell<'_> = match line.failure_class {
        None => (line.result.to_owned(), &good),
        Some(class) => (class.to_owned(), &bad),
    };
    let cells: [Cell<'_>; 4] = [
        (line.seq.to_string(), &plain),
        (recorded.replace('T', " ").replace('Z', ""), &plain),
        (line.replay_type.to_owned(), &plain),
        answer,
    ];
    out.line(row(&COLUMNS, &cells))?;
    let below = format!("{BELOW}{}  {}", line.trace_id, line.artifact_sha256);
    out.line(paint.faint(&cut(below, out.columns())))?;
    let against = line.reference_trace_id.map(|trace| format!("{BELOW}against {trace}"));
    against.map_or(Ok(()), |against| out.line(paint.faint(&against)))?;
    for seal in &line.seals {
        let signed = match seal.signed_by.as_slice() {
            [] => "not signed".to_owned(),
            keys => format!("signed by {}", safe(&keys.join(", "))),
        };
        let said = format!("{BELOW}sealed over {} entries, {signed}", seal.size);
        out.line(paint.faint(&cut(said, out.columns())))?;
    }
    Ok(())
}
