//! `proofline diff`: two traces of a ledger side by side.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proofline::canon::{Profile, Value};
use proofline::ledger::Blobs;
use proofline::replay::{
    AlignedRecord, AlignedSpan, Alignment, AspectDifference, Change, Durations, PayloadDiff, PayloadState,
    Run, RunRecord, align, diff_payloads,
};
use proofline::trace::SpanId;
use serde::Serialize;
use serde_json::value::RawValue;

use super::archives::ArchivesArgs;
use super::diff_view;
use super::drift::payloads;
use super::entry_view::warn_of_damage;
use super::error::CliError;
use super::exit::Exit;
use super::output::{Out, OutputArgs};
use super::trace::{TraceBegin, TraceRecord, TraceView, read_trace};
use super::tree_view::RecordLine;

/// Shows where two traces differ, span by span
///
/// Spans that are the same step stand together: `~` marks those that differ,
/// `-` what only A has, `+` what only B has. A step that moved stands where A
/// has it, with `<`, and where B has it, with `>`. Ids, hashes and times differ
/// between any two runs and are not compared; durations are shown and not
/// counted. With 160 columns and more the two stand side by side.
///
/// The exit code is 0 when nothing differs and 1 when something does.
///
/// Examples:
///   proofline diff ledger da95 31d9
///   proofline diff ledger da95 31d9 --all --durations
///   proofline diff ledger da95 31d9 --payloads
///   proofline diff ledger da95 31d9 --format json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct DiffArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// A trace: 32 lower-case hex digits, or as many of the first ones as no other trace has
    #[arg(value_name = "A", value_parser = TraceBegin::parse)]
    a: TraceBegin,
    /// The other trace, named likewise
    #[arg(value_name = "B", value_parser = TraceBegin::parse)]
    b: TraceBegin,
    /// Count a call that took another time as different
    #[arg(long)]
    durations: bool,
    /// Show how requests and responses differ, line by line, where both are at hand and text
    #[arg(long)]
    payloads: bool,
    /// Draw also long runs of spans that do not differ
    #[arg(long)]
    all: bool,
    /// Draw with ASCII characters only
    #[arg(long)]
    ascii: bool,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Two traces and how they differ.
pub(crate) struct DiffView<'a> {
    pub(crate) a: &'a TraceView,
    pub(crate) b: &'a TraceView,
    pub(crate) alignment: &'a Alignment,
    pub(crate) durations: Durations,
    /// Where payloads are looked for, if they are compared.
    payloads: Option<Payloads<'a>>,
}

/// Payloads, and the records of both sides that name them.
struct Payloads<'a> {
    store: Option<&'a Blobs>,
    a: BTreeMap<u64, &'a TraceRecord>,
    b: BTreeMap<u64, &'a TraceRecord>,
}

impl DiffView<'_> {
    /// How the payloads of two records differ, where that was asked for: told with the second of a span that moved.
    pub(crate) fn payloads(&self, record: &AlignedRecord) -> Result<Vec<PayloadDiff>, CliError> {
        let Some(Payloads { store, a, b }) = &self.payloads else { return Ok(Vec::new()) };
        let one = record.a.or(record.elsewhere).and_then(|seq| a.get(&seq));
        let other = record.b.and_then(|seq| b.get(&seq));
        let (Some(one), Some(other)) = (one, other) else { return Ok(Vec::new()) };
        let blobs = one.envelope.blobs().zip(other.envelope.blobs());
        let differing = ["request", "response"].into_iter().zip(blobs);
        let differing = differing.filter(|(_, (one, other))| one.sha256 != other.sha256);
        let diff = |(member, (one, other))| match store {
            Some(store) => Ok(diff_payloads(*store, member, one, other)?),
            None => {
                Ok(PayloadDiff { member, state: PayloadState::NotAtHand, lines: Vec::new(), is_cut: false })
            }
        };
        differing.map(diff).collect()
    }
}

/// Compares the traces.
pub(crate) fn run(args: &DiffArgs, out: &mut Out) -> Result<Exit, CliError> {
    let snapshot = args.archives.snapshot(&args.dir)?;
    let (a, of_a) = read_trace(&snapshot, &args.a, args.output)?;
    let (b, of_b) = read_trace(&snapshot, &args.b, args.output)?;
    let durations = if args.durations { Durations::Counted } else { Durations::Listed };
    let alignment = align(&as_run(&a), &as_run(&b), durations);
    let store = if args.payloads { payloads(&snapshot)? } else { None };
    let payloads = args.payloads.then(|| Payloads { store: store.as_ref(), a: by_seq(&a), b: by_seq(&b) });
    let view = DiffView { a: &a, b: &b, alignment: &alignment, durations, payloads };
    if out.is_json() {
        print_json(out, &view)?;
    } else {
        diff_view::draw(out, &view, args.ascii, args.all)?;
    }
    let damaged = warn_of_damage(args.output.format, &snapshot);
    Ok(Exit::first([of_a, of_b, damaged, Exit::when(alignment.differs(), Exit::Failed)]))
}

fn as_run(view: &TraceView) -> Run<'_> {
    Run::of(view.records.iter().map(|record| RunRecord {
        span: record.span,
        envelope: &record.envelope,
        refusal: record.refusal.clone(),
    }))
}

/// The records of a trace by their entries.
pub(crate) fn by_seq(view: &TraceView) -> BTreeMap<u64, &TraceRecord> {
    view.records.iter().map(|record| (record.span.position, record)).collect()
}

#[derive(Serialize)]
struct PairLine<'a> {
    change: &'static str,
    depth: usize,
    a: Option<SpanLine<'a>>,
    b: Option<SpanLine<'a>>,
    differences: Vec<DifferenceLine>,
    /// Of a span that moved, the one of the other side.
    elsewhere: Option<String>,
    payloads: Vec<Box<RawValue>>,
}

#[derive(Serialize)]
struct SpanLine<'a> {
    span_id: String,
    parent_span_id: Option<String>,
    records: Vec<RecordLine<'a>>,
}

#[derive(Serialize)]
struct DifferenceLine {
    kind: &'static str,
    a: Option<SideLine>,
    b: Option<SideLine>,
}

/// What the record of an entry says; null where it says nothing of the kind.
#[derive(Serialize)]
struct SideLine {
    seq: u64,
    value: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    summary: Summary<'a>,
}

#[derive(Serialize)]
struct Summary<'a> {
    a: TraceLine,
    b: TraceLine,
    differ: bool,
    same: usize,
    changed: usize,
    only_a: usize,
    only_b: usize,
    moved: usize,
    differences: BTreeMap<&'a str, usize>,
}

#[derive(Serialize)]
struct TraceLine {
    trace_id: String,
    spans: usize,
    accepted: usize,
    rejected: usize,
}

impl TraceLine {
    fn of(view: &TraceView) -> Self {
        let rejected = view.records.iter().filter(|record| record.refusal.is_some()).count();
        let (spans, accepted) = (view.spans(), view.records.len() - rejected);
        Self { trace_id: view.trace_id.to_string(), spans, accepted, rejected }
    }
}

/// One line for each pair of spans, then a summary.
fn print_json(out: &mut Out, view: &DiffView<'_>) -> Result<(), CliError> {
    let (of_a, of_b) = (by_seq(view.a), by_seq(view.b));
    for span in view.alignment.spans() {
        out.json(&PairLine {
            change: span.change.as_str(),
            depth: span.depth,
            a: span.a.and_then(|id| span_line(view.a, id, &of_a)),
            b: span.b.and_then(|id| span_line(view.b, id, &of_b)),
            differences: difference_lines(span),
            elsewhere: span.elsewhere.map(|id| id.to_string()),
            payloads: payload_values(view, span)?,
        })?;
    }
    let counts = view.alignment.counts();
    let differences = view.alignment.aspects().into_iter().map(|(aspect, count)| (aspect.as_str(), count));
    out.json(&SummaryLine {
        summary: Summary {
            a: TraceLine::of(view.a),
            b: TraceLine::of(view.b),
            differ: view.alignment.differs(),
            same: counts.same,
            changed: counts.changed,
            only_a: counts.only_a,
            only_b: counts.only_b,
            moved: counts.moved,
            differences: differences.collect(),
        },
    })
}

fn span_line<'a>(
    view: &TraceView,
    span_id: SpanId,
    records: &BTreeMap<u64, &'a TraceRecord>,
) -> Option<SpanLine<'a>> {
    let span = view.tree.span(span_id)?;
    let own = span.records().iter().filter_map(|record| records.get(&record.position));
    Some(SpanLine {
        span_id: span_id.to_string(),
        parent_span_id: span.parent_span_id().map(|id| id.to_string()),
        records: own.map(|record| RecordLine::of(record)).collect(),
    })
}

fn payload_values(view: &DiffView<'_>, span: &AlignedSpan) -> Result<Vec<Box<RawValue>>, CliError> {
    let mut values = Vec::new();
    for record in span.records.iter().filter(|record| record.b.is_some()) {
        values.extend(view.payloads(record)?.iter().filter_map(|diff| raw(&diff.to_value())));
    }
    Ok(values)
}

/// The differences of a span that moved stand where B has it.
fn difference_lines(span: &AlignedSpan) -> Vec<DifferenceLine> {
    if span.change == Change::MovedA {
        return Vec::new();
    }
    let of_record = span.records.iter().flat_map(|record| {
        let seq_a = record.a.or(record.elsewhere);
        record.differences.iter().map(move |AspectDifference { aspect, a, b }| DifferenceLine {
            kind: aspect.as_str(),
            a: side_line(seq_a, a.as_ref()),
            b: side_line(record.b, b.as_ref()),
        })
    });
    of_record.collect()
}

fn side_line(seq: Option<u64>, value: Option<&Value>) -> Option<SideLine> {
    Some(SideLine { seq: seq?, value: value.and_then(raw) })
}

fn raw(value: &Value) -> Option<Box<RawValue>> {
    let json = String::from_utf8(value.to_canonical(Profile::Envelope).ok()?).ok()?;
    RawValue::from_string(json).ok()
}
