//! `proofline trace`: one trace as a tree of spans.

use std::path::PathBuf;

use proofline::canon::Limits;
use proofline::ledger::{
    ArtifactKind, ArtifactRefusal, Damage, Entry, EntryFault, EntryStatus, Seq, Snapshot,
};
use proofline::trace::{
    Classification, Envelope, EnvelopeHash, ErrorKind, Rejection, SpanAnomaly, SpanRecord, SpanTree, TraceId,
    read_envelope,
};
use serde::Serialize;

use super::archives::{ArchivesArgs, Away};
use super::entry_view::warn_of_damage;
use super::error::CliError;
use super::exit::Exit;
use super::gone::{Gone, GonePayload};
use super::imported::PlainSpans;
use super::output::{self, Out, OutputArgs};
use super::record_facts::RecordFacts;
use super::tree_view;

/// Draws a trace: spans with decisions, calls, outcomes and refused attempts
///
/// Each line has the time since the trace began and the entry, as `show` takes
/// it. Refused attempts are struck out and say why; what is odd about a span
/// stands below it. A span of imported telemetry that became no record, such as
/// invoke_agent, stands where it was and says so.
///
/// Examples:
///   proofline trace ledger da950e42aef0bfe2197fd9b6b3c4838c
///   proofline trace ledger da95
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct TraceArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// The trace: 32 lower-case hex digits, or as many of the first ones as no other trace has
    #[arg(value_name = "ID", value_parser = TraceBegin::parse)]
    id: TraceBegin,
    /// Draw with ASCII characters only
    #[arg(long)]
    ascii: bool,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// The first digits of a trace id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceBegin(String);

/// A text that no trace id begins with.
#[derive(Debug, thiserror::Error)]
#[error("a trace id has up to 32 lower-case hex digits and is not all zero")]
pub(crate) struct NoTraceId;

impl TraceBegin {
    pub(crate) fn parse(text: &str) -> Result<Self, NoTraceId> {
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let fits = (1..=32).contains(&text.len()) && text != "0".repeat(32);
        if is_hex && fits { Ok(Self(text.to_owned())) } else { Err(NoTraceId) }
    }

    /// The one trace that begins so.
    pub(crate) fn find(&self, snapshot: &Snapshot) -> Result<TraceId, CliError> {
        if let Ok(whole) = self.0.parse() {
            return Ok(whole);
        }
        let page = snapshot.traces_after(self.just_before(), 2)?;
        let begins = |id: &&TraceId| id.to_string().starts_with(&self.0);
        let mut found = page.iter().filter(begins);
        match (found.next(), found.next()) {
            (None, _) => Err(CliError::NoSuchTrace(format!("that begins with {}", self.0))),
            (Some(only), None) => Ok(*only),
            (Some(first), Some(second)) => {
                Err(CliError::AmbiguousTrace { begin: self.0.clone(), first: *first, second: *second })
            }
        }
    }

    /// The same, which must have an entry: a whole id may be of no trace.
    pub(crate) fn find_there(&self, snapshot: &Snapshot) -> Result<TraceId, CliError> {
        let trace = self.find(snapshot)?;
        let is_there = !snapshot.of_trace(trace)?.is_empty();
        if is_there { Ok(trace) } else { Err(CliError::NoSuchTrace(trace.to_string())) }
    }

    /// [`TraceBegin::find`] among these, which ascend.
    pub(crate) fn find_among(&self, traces: &[TraceId]) -> Result<TraceId, CliError> {
        let mut found = traces.iter().filter(|id| id.to_string().starts_with(&self.0));
        match (found.next(), found.next()) {
            (None, _) => Err(CliError::NoSuchTrace(format!("that begins with {}", self.0))),
            (Some(only), None) => Ok(*only),
            (Some(first), Some(second)) => {
                Err(CliError::AmbiguousTrace { begin: self.0.clone(), first: *first, second: *second })
            }
        }
    }

    /// The id before the least one that begins so; none before the very first.
    fn just_before(&self) -> Option<TraceId> {
        let least = u128::from_str_radix(&format!("{:0<32}", self.0), 16).ok()?;
        TraceId::from_bytes(least.checked_sub(1)?.to_be_bytes()).ok()
    }
}

/// One record of a trace, accepted or refused.
pub(crate) struct TraceRecord {
    pub(crate) span: SpanRecord,
    pub(crate) envelope: Envelope,
    pub(crate) facts: RecordFacts,
    /// Payloads that it names and nobody reads any more, as far as that is known.
    pub(crate) gone: Vec<GonePayload>,
    /// Class and kind of a refused attempt.
    pub(crate) refusal: Option<(Classification, ErrorKind)>,
}

/// A verdict on the trace that its ledger keeps.
#[derive(Serialize)]
pub(crate) struct VerdictLine {
    pub(crate) seq: u64,
    pub(crate) artifact_sha256: String,
    pub(crate) replay_type: &'static str,
    pub(crate) result: &'static str,
    pub(crate) failure_class: Option<&'static str>,
    pub(crate) generated_at: String,
}

/// A producer's signature over a record of the trace.
#[derive(Serialize)]
pub(crate) struct SignatureLine {
    pub(crate) seq: u64,
    pub(crate) envelope_hash: EnvelopeHash,
    pub(crate) key: String,
}

/// A trace with all that is known of it.
pub(crate) struct TraceView {
    pub(crate) trace_id: TraceId,
    pub(crate) records: Vec<TraceRecord>,
    pub(crate) tree: SpanTree,
    /// What is odd about the accepted records; refused attempts prove nothing about their producer's tree.
    pub(crate) anomalies: Vec<SpanAnomaly>,
    pub(crate) verdicts: Vec<VerdictLine>,
    pub(crate) signatures: Vec<SignatureLine>,
    /// Spans of imports that became no record.
    pub(crate) imported: PlainSpans,
}

impl TraceView {
    /// How many spans have records.
    pub(crate) fn spans(&self) -> usize {
        self.tree.spans().filter(|span| !span.records().is_empty()).count()
    }
}

/// Draws the trace.
pub(crate) fn run(args: &TraceArgs, out: &mut Out) -> Result<Exit, CliError> {
    let snapshot = args.archives.snapshot(&args.dir)?;
    let (view, exit) = read_trace(&snapshot, &args.id, args.output)?;
    if out.is_json() {
        tree_view::print_json(out, &view)?;
    } else {
        tree_view::draw(out, &view, args.ascii)?;
    }
    Ok(Exit::first([exit, warn_of_damage(args.output.format, &snapshot)]))
}

/// The one trace that begins so, and [`Exit::DamagedLedger`] where some of it cannot be read.
pub(crate) fn read_trace(
    snapshot: &Snapshot,
    begin: &TraceBegin,
    output: OutputArgs,
) -> Result<(TraceView, Exit), CliError> {
    let trace_id = begin.find(snapshot)?;
    let seqs = snapshot.of_trace(trace_id)?;
    if seqs.is_empty() {
        warn_of_damage(output.format, snapshot);
        return Err(CliError::NoSuchTrace(trace_id.to_string()));
    }
    read(snapshot, trace_id, &seqs, output)
}

fn read(
    snapshot: &Snapshot,
    trace_id: TraceId,
    seqs: &[Seq],
    output: OutputArgs,
) -> Result<(TraceView, Exit), CliError> {
    let (mut records, mut artifacts, mut exit) = (Vec::<TraceRecord>::new(), Artifacts::default(), Exit::Ok);
    let mut away = Away::default();
    for seq in seqs {
        let damaged = match snapshot.entry(*seq) {
            Ok(None) => continue,
            Ok(Some(entry)) => take(&entry, &mut records, &mut artifacts).err().map(|fault| Damage {
                code: "log.body",
                file: snapshot.place(*seq).map(|(file, _)| file).unwrap_or_default(),
                offset: snapshot.place(*seq).and_then(|(_, offset)| offset),
                seq: Some(*seq),
                message: fault.to_string(),
            }),
            Err(EntryFault::Archived(archived)) => {
                away.take(snapshot, *seq, archived)?;
                continue;
            }
            Err(EntryFault::Damaged(damage)) => Some(damage),
            Err(fault) => return Err(fault.into()),
        };
        if let Some(damage) = damaged {
            exit = Exit::DamagedLedger;
            output::report(&EntryFault::Damaged(damage).into(), output.format);
        }
    }
    let gone = Gone::of(snapshot)?;
    for record in &mut records {
        record.gone = gone.named_by(&record.envelope)?;
    }
    // What is drawn then is not the whole trace.
    away.tell(output.format);
    let exit = Exit::first([exit, Exit::when(away.count() > 0, Exit::BadInput)]);
    Ok((assembled(trace_id, records, artifacts), exit))
}

/// A trace of entries that are at hand and were checked.
pub(crate) fn view_of(trace_id: TraceId, entries: &[Entry]) -> Result<TraceView, CliError> {
    let (mut records, mut artifacts) = (Vec::new(), Artifacts::default());
    for entry in entries {
        let taken = take(entry, &mut records, &mut artifacts);
        taken.map_err(|fault| CliError::Internal(format!("entry {}: {fault}", entry.header.seq)))?;
    }
    Ok(assembled(trace_id, records, artifacts))
}

fn assembled(trace_id: TraceId, records: Vec<TraceRecord>, artifacts: Artifacts) -> TraceView {
    let Artifacts { verdicts, signatures, imported } = artifacts;
    let tree = SpanTree::build_beside(records.iter().map(|record| record.span), imported.places());
    let accepted = records.iter().filter(|record| record.refusal.is_none()).map(|record| record.span);
    let anomalies = SpanTree::build_beside(accepted, imported.places()).anomalies().to_vec();
    TraceView { trace_id, records, tree, anomalies, verdicts, signatures, imported }
}

/// What the ledger keeps about a trace beside its records.
#[derive(Default)]
struct Artifacts {
    verdicts: Vec<VerdictLine>,
    signatures: Vec<SignatureLine>,
    imported: PlainSpans,
}

impl Artifacts {
    fn take(&mut self, seq: u64, entry: &Entry, artifact: &ArtifactKind) {
        if let ArtifactKind::ProducerSignature(signature) = artifact {
            let (envelope_hash, key) = (signature.envelope_sha256, signature.key.to_string());
            self.signatures.push(SignatureLine { seq, envelope_hash, key });
        }
        if let ArtifactKind::OtelImport(import) = artifact {
            self.imported.add(seq, import);
        }
        self.verdicts.extend(verdict(seq, entry, artifact));
    }
}

/// A body that is not what its header says.
#[derive(Debug, thiserror::Error)]
enum BodyFault {
    #[error(transparent)]
    Envelope(#[from] Rejection),
    #[error(transparent)]
    Artifact(#[from] ArtifactRefusal),
}

/// Takes an entry in.
fn take(entry: &Entry, records: &mut Vec<TraceRecord>, artifacts: &mut Artifacts) -> Result<(), BodyFault> {
    let seq = entry.header.seq.get();
    let refusal = match &entry.header.status {
        EntryStatus::Accepted => None,
        EntryStatus::Rejected { classification, error_kind, .. } => {
            Some((*classification, error_kind.clone()))
        }
        EntryStatus::Artifact => {
            let artifact = ArtifactKind::read(&entry.body)?;
            artifacts.take(seq, entry, &artifact);
            return Ok(());
        }
        _ => return Ok(()),
    };
    let sealed = read_envelope(&entry.body, &Limits::CONTENT)?;
    let span = SpanRecord::of(&sealed, seq);
    let (envelope, _, _) = sealed.into_parts();
    let (facts, gone) = (RecordFacts::of(&envelope), Vec::new());
    records.push(TraceRecord { span, facts, gone, envelope, refusal });
    Ok(())
}

fn verdict(seq: u64, entry: &Entry, artifact: &ArtifactKind) -> Option<VerdictLine> {
    let ArtifactKind::ReplayResult(result) = artifact else { return None };
    Some(VerdictLine {
        seq,
        artifact_sha256: entry.header.envelope_hash.to_string(),
        replay_type: result.replay_type().as_str(),
        result: if result.verdict.is_pass() { "pass" } else { "fail" },
        failure_class: result.verdict.failure_class().map(|class| class.as_str()),
        generated_at: result.generated_at.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_for_a_beginning_starts_right_before_it() {
        let before = |text: &str| {
            TraceBegin::parse(text).unwrap().just_before().map(|id| id.to_string()).unwrap_or_default()
        };
        assert_eq!(before("da"), format!("d9{}", "f".repeat(30)));
        assert_eq!(before("0001"), format!("0000{}", "f".repeat(28)));
        assert_eq!(before("00"), "");
        for bad in ["", "DA", "0x1", &"1".repeat(33), &"0".repeat(32)] {
            assert!(TraceBegin::parse(bad).is_err(), "{bad}");
        }
    }
}
