//! `proofline verdicts`: which verdicts a ledger keeps.

use std::path::PathBuf;

use proofline::ledger::{ArtifactKind, Entry, EntryFault, EntryStatus, Seq};
use proofline::trace::TraceId;
use serde::Serialize;

use super::archives::{ArchivesArgs, Away};
use super::clock::moment;
use super::entry_view::warn_of_damage;
use super::error::CliError;
use super::exit::Exit;
use super::output::{self, Out, OutputArgs};
use super::phrase::counted;
use super::safe::cut;
use super::table::{Cell, Column, plain, row, titles};
use super::trace::TraceBegin;

/// Lists the verdicts that `replay --record` appended, the newest last
///
/// Each with its entry, when it was recorded, the question and the answer; below
/// it the trace and the artifact's hash. Of constrained replay the trace is the
/// candidate, and the baseline that it was measured against stands below.
///
/// Examples:
///   proofline verdicts ledger
///   proofline verdicts ledger --trace 4bf9
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct VerdictsArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// Those on this trace alone; its first digits are enough when no other trace has them
    #[arg(long, value_name = "ID", value_parser = TraceBegin::parse)]
    trace: Option<TraceBegin>,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
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
}

impl RecordedLine {
    /// None of an entry that is no verdict.
    fn of(entry: &Entry) -> Option<Self> {
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

/// Lists the verdicts.
pub(crate) fn run(args: &VerdictsArgs, out: &mut Out) -> Result<Exit, CliError> {
    let snapshot = args.archives.snapshot(&args.dir)?;
    let seqs: Box<dyn Iterator<Item = Seq>> = match &args.trace {
        None => Box::new((0..snapshot.entries()).map(Seq::new)),
        Some(begin) => {
            let trace_id = begin.find(&snapshot)?;
            let seqs = snapshot.of_trace(trace_id)?;
            if seqs.is_empty() {
                return Err(CliError::NoSuchTrace(trace_id.to_string()));
            }
            Box::new(seqs.into_iter())
        }
    };
    let (mut exit, mut count, mut away) = (Exit::Ok, 0, Away::default());
    for seq in seqs {
        match snapshot.entry(seq) {
            Ok(entry) => {
                let Some(line) = entry.as_ref().and_then(RecordedLine::of) else { continue };
                show(out, &line, count == 0)?;
                count += 1;
            }
            Err(EntryFault::Archived(archived)) => {
                away.take(&snapshot, seq, archived)?;
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
    Ok(Exit::first([exit, warn_of_damage(args.output.format, &snapshot)]))
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
    against.map_or(Ok(()), |against| out.line(paint.faint(&against)))
}
