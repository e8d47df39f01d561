//! `proofline export otlp`: the traces of a ledger as OTLP, with verdicts as attributes and events.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use proofline::canon::{ContentStore, Sha256Digest, Sha256Hasher};
use proofline::ledger::{Blobs, Seq, Snapshot};
use proofline::otel::opentelemetry_proto::tonic::trace::v1::TracesData;
use proofline::otel::write::{json_line, protobuf_frame};
use proofline::otel::{ExportTally, ExportVerdict, ExportVerdicts, Exporter, Together};
use proofline::policy::CedarEngine;
use proofline::replay::{Means, Mode, Plan, Selection, TraceReplay, replay};
use proofline::trace::TraceId;
use serde::Serialize;

use super::archives::ArchivesArgs;
use super::blobs;
use super::clock::Clock;
use super::entry_view::warn_of_damage;
use super::error::CliError;
use super::exit::Exit;
use super::export_choice::{Choice, ChoiceArgs};
use super::key_file::write_whole_with;
use super::output::{self, Format, Out, OutputArgs};
use super::phrase::counted;
use super::progress::Progress;
use super::replay::closed;
use super::safe::{safe, safe_json, safe_path};
use super::table::{Cell, Column, plain, row, titles};

/// Writes traces as OTLP, with what the ledger proves of them beside the spans
///
/// Spans that telemetry came with go out as they came; other records become spans
/// that say what the records say. Verdicts, findings, decisions and refused
/// attempts are attributes and events whose names begin with `proofline.`, and
/// the status of a span is left as it is. One message a trace. The same ledger
/// gives the same bytes. See docs/otel-export.md.
///
/// A filter is one of `query`: traces with an entry that fits are written, whole.
///
/// Verdicts are those of a forensic replay that is run now, or of --mode; with
/// --verdicts recorded the newest that the ledger keeps, each with how many
/// records came after it.
///
/// Exits as `replay` does: with 3 when the log is damaged, else with 1 when a
/// verdict failed, else with 4 when nobody can say of a trace whether it fits.
/// What is not at hand any more is counted, and fails nothing.
///
/// Examples:
///   proofline export otlp ledger --out spans.otlp.jsonl
///   proofline export otlp ledger --trace 4bf9 --verdicts recorded --out -
///   proofline export otlp ledger 'decision.result = deny' --out denied.jsonl
///   proofline export otlp ledger --mode invariant --to protobuf --out spans.pb
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ExportOtlpArgs {
    /// The ledger's folder
    dir: PathBuf,
    #[command(flatten)]
    choice: ChoiceArgs,
    /// The file to write, in the place of one that may be there; `-` for the standard output, and the
    /// account then goes to the standard error
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// The form
    #[arg(long = "to", value_enum, default_value_t, value_name = "FORM")]
    form: Form,
    /// Which verdicts are shown
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    verdicts: Which,
    /// The question of the replay that is run now
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    mode: Question,
    /// The time that verdicts of now bear
    #[arg(long, value_name = "RFC3339|now", default_value = "1970-01-01T00:00:00.000Z", value_parser = Clock::parse)]
    clock: Clock,
    /// How many threads work; the output is the same for any number [default: one a processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// How messages follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// JSON, a message a line
    #[default]
    Json,
    /// Protobuf, each message behind its length as a varint
    Protobuf,
}

/// Which verdicts are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// Those of a replay that is run now
    #[default]
    Now,
    /// The newest of each question that the ledger keeps
    Recorded,
    /// None
    None,
}

/// What a replay is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Question {
    /// Are these the exact bytes, and did the gate have to accept them?
    #[default]
    Forensic,
    /// Does what the records mean still pass the gate, and do their policies decide the same again?
    Invariant,
    /// Both
    All,
}

impl Question {
    const fn modes(self) -> &'static [Mode] {
        match self {
            Self::Forensic => &[Mode::Forensic],
            Self::Invariant => &[Mode::Invariant],
            Self::All => &[Mode::Forensic, Mode::Invariant],
        }
    }
}

/// Traces that are replayed together.
const TRACES_TOGETHER: usize = 64;
/// Bytes of written traces that may wait for those before them.
const WAITING_BYTES: NonZeroUsize = NonZeroUsize::MIN.saturating_add((32 << 20) - 1);

/// The account, as JSON shows it.
#[derive(Serialize)]
struct AccountLine {
    event: &'static str,
    file: String,
    form: &'static str,
    ledger_id: String,
    entries: u64,
    file_bytes: u64,
    file_sha256: String,
    traces: u64,
    empty_traces: u64,
    spans: u64,
    original: u64,
    restated: u64,
    partial: u64,
    rows: u64,
    from_records: u64,
    missing_attributes: u64,
    missing_payloads: u64,
    erased_payloads: u64,
    damaged_payloads: u64,
    records: u64,
    denied: u64,
    refused: u64,
    passed: u64,
    failed: u64,
    without_verdict: u64,
    findings: u64,
    damaged_entries: u64,
    archived_entries: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undecided_traces: Option<u64>,
}

/// Exports, and accounts for it.
pub(crate) fn run(args: &ExportOtlpArgs, out: &mut Out) -> Result<Exit, CliError> {
    if args.verdicts != Which::Now && args.mode != Question::default() {
        return Err(CliError::Usage("--mode is of a replay that is run now: leave it out, or --verdicts"));
    }
    let is_stream = args.out == Path::new("-");
    if is_stream && args.form == Form::Protobuf && output::is_terminal() {
        return Err(CliError::Usage("protobuf is binary, and this is a terminal: name a file with --out"));
    }
    let filter = args.choice.filter()?;
    let snapshot = args.archives.snapshot(&args.dir)?;
    let payloads = blobs::of_ledger(&args.dir)?;
    let choice = args.choice.choose(filter, &snapshot, args.threads, args.output.format)?;
    let job = Job { args, snapshot: &snapshot, payloads: payloads.as_ref(), choice };
    let written = if is_stream {
        job.write(&mut BufWriter::new(io::stdout().lock()), CliError::Output)?
    } else {
        let unwritable = |source| CliError::Unwritable { name: safe_path(&args.out), source };
        write_whole_with(&args.out, |file| job.write(&mut BufWriter::new(file), unwritable))?
    };
    job.tell(&written, if is_stream { None } else { Some(out) })?;
    job.choice.tell(args.output.format);
    let damaged = warn_of_damage(args.output.format, &snapshot);
    let is_damaged = written.tally.damaged_entries > 0;
    let (choosing_damaged, undecided) = job.choice.exits();
    let damaged = Exit::first([damaged, choosing_damaged, Exit::when(is_damaged, Exit::DamagedLedger)]);
    Ok(Exit::first([damaged, Exit::when(written.tally.failed > 0, Exit::Failed), undecided]))
}

/// What was written.
struct Written {
    tally: ExportTally,
    bytes: u64,
    sha256: String,
}

struct Job<'a> {
    args: &'a ExportOtlpArgs,
    snapshot: &'a Snapshot,
    payloads: Option<&'a Blobs>,
    choice: Choice,
}

impl Job<'_> {
    fn store(&self) -> Option<&(dyn ContentStore + Sync)> {
        self.payloads.map(|blobs| blobs as &(dyn ContentStore + Sync))
    }

    fn write(
        &self,
        out: &mut dyn Write,
        unwritable: impl Fn(io::Error) -> CliError,
    ) -> Result<Written, CliError> {
        let (mut tally, mut bytes, mut hasher) = (ExportTally::default(), 0, Sha256Hasher::new());
        let closed = closed(self.snapshot, self.payloads)?;
        let erasures = self.snapshot.readable_erasures()?;
        let exporter = Exporter::new(self.snapshot, self.store()).knowing(&erasures);
        let progress = Progress::beside_results("traces");
        let mut after = None;
        loop {
            let traces = self.choice.after(self.snapshot, after, TRACES_TOGETHER)?;
            let Some(last) = traces.last().copied() else { break };
            let asked = self.asked(&traces, &closed)?;
            let together = Together { threads: self.args.threads, most_bytes: WAITING_BYTES };
            let write = |message: &TracesData| self.bytes_of(message);
            exporter.each::<CliError>(&asked, together, &write, &mut |trace| {
                tally.add(&trace.tally);
                if let Some(message) = trace.message {
                    out.write_all(&message).map_err(&unwritable)?;
                    hasher.update(&message);
                    bytes += message.len() as u64;
                }
                Ok(())
            })?;
            progress.advance(traces.len() as u64);
            after = Some(last);
        }
        out.flush().map_err(&unwritable)?;
        Ok(Written { tally, bytes, sha256: hasher.finalize().to_string() })
    }

    fn is_seen(&self) -> bool {
        self.args.out == Path::new("-") && output::is_terminal()
    }

    fn bytes_of(&self, message: &TracesData) -> Vec<u8> {
        match self.args.form {
            // A terminal is spared what it would obey; escaped, it is the same JSON.
            Form::Json if self.is_seen() => safe_json(json_line(message)).into_bytes(),
            Form::Json => json_line(message).into_bytes(),
            Form::Protobuf => protobuf_frame(message),
        }
    }

    /// Each trace with the verdicts that it is to show.
    fn asked(
        &self,
        traces: &[TraceId],
        closed: &BTreeMap<Sha256Digest, Seq>,
    ) -> Result<Vec<(TraceId, ExportVerdicts)>, CliError> {
        let mut by_trace: BTreeMap<TraceId, Vec<ExportVerdict>> = BTreeMap::new();
        let modes = if self.args.verdicts == Which::Now { self.args.mode.modes() } else { &[] };
        for mode in modes {
            let means = Means { payloads: self.store(), policies: Some(&CedarEngine), tools: None };
            let plan = Plan {
                mode: mode.clone(),
                traces: traces.iter().copied().collect::<Selection>(),
                generated_at: self.args.clock.now(),
                threads: self.args.threads,
                closed: closed.clone(),
                ..Plan::default()
            };
            let mut replays: Vec<TraceReplay> = Vec::new();
            replay(self.snapshot, &means, &plan, &mut replays)?;
            for it in replays {
                by_trace.entry(it.trace_id()).or_default().push(ExportVerdict {
                    result: it.result,
                    artifact_sha256: it.artifact_sha256,
                    diagnostics: Some(it.diagnostics),
                    recorded: None,
                });
            }
        }
        let mut of = |trace: &TraceId| match self.args.verdicts {
            Which::None => ExportVerdicts::None,
            Which::Recorded => ExportVerdicts::Recorded,
            Which::Now => ExportVerdicts::Now(by_trace.remove(trace).unwrap_or_default()),
        };
        Ok(traces.iter().map(|trace| (*trace, of(trace))).collect())
    }

    fn tell(&self, written: &Written, out: Option<&mut Out>) -> Result<(), CliError> {
        let is_json = self.args.output.format == Format::Json;
        match (out, is_json) {
            (Some(out), true) => out.json(&self.line(written)),
            (Some(out), false) => self.show(written, out),
            (None, true) => output::aside(&self.line(written)),
            (None, false) => {
                let none_fits = self.choice.filter.is_some() && written.tally.traces == 0;
                let none_fits = if none_fits { "no trace has an entry that fits: " } else { "" };
                let said = format!("{none_fits}{}", sentence(&written.tally));
                output::note(Format::Text, "otel.exported", &said);
                Ok(())
            }
        }
    }

    fn line(&self, written: &Written) -> AccountLine {
        let tally = &written.tally;
        AccountLine {
            event: "exported",
            file: safe_path(&self.args.out),
            form: match self.args.form {
                Form::Json => "json",
                Form::Protobuf => "protobuf",
            },
            ledger_id: self.snapshot.ledger_id().to_string(),
            entries: self.snapshot.entries(),
            file_bytes: written.bytes,
            file_sha256: written.sha256.clone(),
            traces: tally.traces,
            empty_traces: tally.empty_traces,
            spans: tally.spans,
            original: tally.original,
            restated: tally.restated,
            partial: tally.partial,
            rows: tally.rows,
            from_records: tally.from_records,
            missing_attributes: tally.missing_attributes,
            missing_payloads: tally.missing_payloads,
            erased_payloads: tally.erased_payloads,
            damaged_payloads: tally.damaged_payloads,
            records: tally.records,
            denied: tally.denied,
            refused: tally.refused,
            passed: tally.passed,
            failed: tally.failed,
            without_verdict: tally.without_verdict,
            findings: tally.findings,
            damaged_entries: tally.damaged_entries,
            archived_entries: tally.archived_entries,
            filter: self.choice.filter.as_ref().map(ToString::to_string),
            undecided_traces: self.choice.undecided(),
        }
    }

    fn show(&self, written: &Written, out: &mut Out) -> Result<(), CliError> {
        let tally = &written.tally;
        let spans = counted(tally.spans, "span", "spans");
        out.line(format_args!("{spans} of {}", counted(tally.traces, "trace", "traces")))?;
        if let Some(filter) = &self.choice.filter {
            let which =
                if tally.traces == 0 { "no trace has an entry that fits" } else { "with an entry that fits" };
            out.line(format_args!("{which}: {}", safe(&filter.to_string())))?;
        }
        let paint = out.paint();
        let bad: &dyn Fn(&str) -> String = &|text| paint.bad(text);
        let lost = tally.missing_payloads.saturating_sub(tally.erased_payloads);
        let groups: [(&str, &[Line]); 3] = [
            (
                "spans",
                &[
                    (tally.original, "of telemetry, as they came", false),
                    (tally.restated, "of telemetry, some of it in another spelling", false),
                    (tally.partial, "of telemetry, without some content that is not at hand", true),
                    (tally.rows, "of telemetry, of which only the import's row is at hand", true),
                    (tally.from_records, "made of records that no telemetry came with", false),
                ],
            ),
            (
                "what they show",
                &[
                    (tally.records, "records", false),
                    (tally.denied, "decisions that deny", false),
                    (tally.refused, "refused attempts", false),
                    (tally.passed, "traces that pass", false),
                    (tally.failed, "traces that fail", true),
                    (tally.without_verdict, "traces without a verdict", false),
                    (tally.findings, "findings", false),
                ],
            ),
            (
                "what is not at hand",
                &[
                    (tally.erased_payloads, "payloads that were erased", true),
                    (lost, "payloads that were lost or never kept", true),
                    (tally.damaged_payloads, "payloads that are damaged", true),
                    (tally.missing_attributes, "attributes for want of them", true),
                    (tally.damaged_entries, "entries that are damaged", true),
                    (tally.archived_entries, "entries in archives", true),
                    (tally.empty_traces, "traces that gave no span", true),
                ],
            ),
        ];
        for (title, rows) in groups {
            if rows.iter().all(|(count, ..)| *count == 0) {
                continue;
            }
            out.heading(title)?;
            out.line(titles(&COUNTS))?;
            for (count, what, is_bad) in rows.iter().filter(|(count, ..)| *count > 0) {
                let look: &dyn Fn(&str) -> String = if *is_bad { bad } else { &plain };
                let cells: [Cell<'_>; 2] = [(count.to_string(), look), ((*what).to_owned(), &plain)];
                out.line(row(&COUNTS, &cells))?;
            }
        }
        out.space()?;
        let bytes = counted(written.bytes, "byte", "bytes");
        out.line(format_args!("sha256 {}", written.sha256))?;
        out.line(paint.good(&format!("Wrote {}, {bytes}.", safe_path(&self.args.out))))
    }
}

const COUNTS: [Column; 2] = [Column::number("count", 9), Column::text("what", 64)];

/// A count, of what, and whether it is bad.
type Line = (u64, &'static str, bool);

/// The account in a line.
fn sentence(tally: &ExportTally) -> String {
    let telemetry = tally.original + tally.restated + tally.partial + tally.rows;
    format!(
        "{} of {}: {telemetry} of telemetry ({} as they came), {} of records; {} passed, {} failed, {} without a verdict",
        counted(tally.spans, "span", "spans"),
        counted(tally.traces, "trace", "traces"),
        tally.original,
        tally.from_records,
        tally.passed,
        tally.failed,
        tally.without_verdict,
    )
}
