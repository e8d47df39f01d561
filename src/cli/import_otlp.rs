//! `proofline import otlp`: brings recorded telemetry under proof.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use proofline::NamedPolicy;
use proofline::ledger::{Blobs, Ledger};
use proofline::otel::read::{Framing, ReadOptions};
use proofline::otel::{
    AskedOf, Identity, ImportFileError, ImportOrder, ImportRules, Imported, actor_from, import_file,
};
use proofline::policy::CedarEngine;
use proofline::trace::{Capture, Counted, Resource, Token};
use serde::Serialize;

use super::clock::Clock;
use super::decide::id_of;
use super::deciding_error::DecidingError;
use super::erasing;
use super::error::CliError;
use super::exit::Exit;
use super::input::Source;
use super::otel_error::OtelTrouble;
use super::output::{self, Format, Out, OutputArgs};
use super::phrase::counted;
use super::policy_file::PolicyFile;
use super::progress::Progress;
use super::safe::safe;
use super::table::{Cell, Column, plain, row, titles};

/// Brings recorded telemetry under proof: OTLP traces with the GenAI conventions
///
/// Each call of a model or a tool becomes a record with the decision of a policy
/// before it; what was sent and what came back become payloads; every span is
/// accounted for. A span that is known is skipped, so a file twice, files that
/// overlap, and an import that was cut off and repeated change nothing more.
/// See docs/otel.md.
///
/// With --policy, calls that the policy denies are refused by the gate and kept:
/// that is what it would have stopped. They do not change the exit code. Counts
/// are of the file; `new` says how many denied calls the ledger did not have.
///
/// Exits with 4 when a file is in no framing of OTLP or empty, with 1 when some
/// span was refused or could not be read, known ones included, when the end of a
/// file is cut off, or when a file has no span at all, else with 0.
///
/// Examples:
///   proofline import otlp ledger spans.otlp.jsonl
///   proofline import otlp ledger spans.otlp.jsonl.gz --policy desk.cedar
///   collector | proofline import otlp ledger - --capture structural
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ImportOtlpArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// Files of OTLP, JSON or protobuf, perhaps in gzip; `-` for the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A policy, in Cedar, that each call is put to [default: one that allows all, for the reason `recorded`]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// What decisions call the policy [default: the file's name]
    #[arg(long, value_name = "TOKEN", requires = "policy")]
    policy_id: Option<Token>,
    /// Its version [default: sha256: and 16 digits of its hash]
    #[arg(long, value_name = "TOKEN", requires = "policy")]
    policy_version: Option<Token>,
    /// Refuse a policy that does not pass under this schema
    #[arg(long, value_name = "FILE", requires = "policy")]
    schema: Option<PathBuf>,
    /// Rules: whom calls are made for, what the policy is asked, decisions that others recorded
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// Whom calls are made for, where rules say nothing else
    #[arg(long, value_name = "KIND|ID", value_parser = actor_from)]
    actor: Option<(Token, Resource)>,
    /// How much of what was said is kept
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    capture: Level,
    /// How messages follow each other in the files
    #[arg(long, value_enum, default_value_t, value_name = "FRAMING")]
    framing: FramingArg,
    /// The time of the entries
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Level {
    /// All of it
    #[default]
    Full,
    /// Roles, types, names and sizes, with a digest for each piece of content
    Structural,
    /// A digest and a size for each payload
    Digest,
}

impl From<Level> for Capture {
    fn from(level: Level) -> Self {
        match level {
            Level::Full => Self::Full,
            Level::Structural => Self::Structural,
            Level::Digest => Self::Digest,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum FramingArg {
    /// Found out: the one that takes in the whole file
    #[default]
    Auto,
    /// JSON documents, lines or not
    Json,
    /// One protobuf message
    Single,
    /// Protobuf messages behind varint lengths
    Varint,
    /// Protobuf messages behind lengths of four bytes, the most significant first
    U32be,
}

impl From<FramingArg> for Framing {
    fn from(framing: FramingArg) -> Self {
        match framing {
            FramingArg::Auto => Self::Auto,
            FramingArg::Json => Self::Json,
            FramingArg::Single => Self::Single,
            FramingArg::Varint => Self::Varint,
            FramingArg::U32be => Self::U32be,
        }
    }
}

/// The account of one file.
#[derive(Serialize)]
struct AccountLine {
    event: &'static str,
    file: String,
    account_sha256: String,
    source_sha256: String,
    source_bytes: u64,
    framing: String,
    capture: &'static str,
    policy_sha256: String,
    rules_sha256: Option<String>,
    new_spans: u64,
    appended: u64,
    erased_payloads: u64,
    known_otherwise: u64,
    denied_by_others: u64,
    totals: TotalsLine,
    refusals: Vec<CountLine>,
    absent: Vec<CountLine>,
    warnings: Vec<CountLine>,
    denial_reasons: Vec<CountLine>,
    asked: Vec<AskedLine>,
}

#[derive(Serialize)]
struct TotalsLine {
    messages: u64,
    spans: u64,
    model_calls: u64,
    tool_calls: u64,
    shapes: u64,
    refused: u64,
    unreadable: u64,
    allowed: u64,
    denied: u64,
    payload_bytes: u64,
}

#[derive(Serialize)]
struct CountLine {
    what: String,
    count: u64,
}

impl CountLine {
    fn each(counted: &[Counted]) -> Vec<Self> {
        counted.iter().map(|it| Self { what: it.what.to_string(), count: it.count.get() }).collect()
    }
}

#[derive(Serialize)]
struct AskedLine {
    action: String,
    resource: String,
    allowed: u64,
    denied: u64,
    new_denied: u64,
}

/// Imports, and accounts for each file.
pub(crate) fn run(args: &ImportOtlpArgs, out: &mut Out) -> Result<Exit, CliError> {
    let order = order(args)?;
    let ledger = erasing::open(&args.dir, args.output.format)?;
    let blobs = Blobs::open(&args.dir)?;
    let mut exit = Exit::Ok;
    for path in &args.files {
        let source = Source::of(Some(path));
        let imported = match one(args, &order, &ledger, &blobs, &source) {
            Ok(imported) => imported,
            // Collectors leave such files beside others, which are taken in.
            Err(error) if error.code() == EMPTY => {
                output::report(&error, args.output.format);
                exit = Exit::first([error.exit(), exit]);
                continue;
            }
            Err(error) => return Err(error),
        };
        if out.is_json() {
            out.json(&line(&source, &imported))?;
        } else {
            show(out, &source, &imported)?;
        }
        out.flush()?;
        let totals = &imported.account.totals;
        let refused = totals.refused.get() + totals.unreadable.get() > 0;
        let lost = tell_lost(&source, &imported, args.output.format);
        exit = Exit::first([exit, Exit::when(refused || lost, Exit::Failed)]);
    }
    Ok(exit)
}

/// The code of a file with nothing in it.
const EMPTY: &str = "otlp.empty";

/// How often something was odd about a file.
fn warned(imported: &Imported, what: &str) -> u64 {
    let found = imported.account.warnings.iter().find(|it| it.what.as_str() == what);
    found.map_or(0, |it| it.count.get())
}

/// Tells what a file has that was not taken in, beside the account; whether it is more than members without a meaning.
fn tell_lost(source: &Source, imported: &Imported, format: Format) -> bool {
    let name = source.name();
    let is_cut = warned(imported, "truncated") > 0;
    if is_cut {
        let message = format!("{name} ends inside a message: nothing of that message was taken in");
        output::note(format, "otlp.truncated", &message);
    }
    let is_without = imported.account.totals.spans.get() == 0 && warned(imported, "own-records") == 0;
    if is_without && !is_cut {
        let message = format!("{name} has no span: is it telemetry of traces, in the form of OTLP?");
        output::note(format, "otlp.no_spans", &message);
    }
    let ignored = warned(imported, "snake_case_key");
    if ignored > 0 {
        let members = counted(ignored, "member", "members");
        let message = format!(
            "ignored {members} of {name} with a name in snake_case, as OTLP/JSON has camelCase; a span whose \
             parent_span_id was ignored is a root"
        );
        output::note(format, "otlp.snake_case_key", &message);
    }
    is_cut || is_without
}

fn order(args: &ImportOtlpArgs) -> Result<ImportOrder, CliError> {
    let mut order = match &args.policy {
        None => ImportOrder::recording().map_err(|error| CliError::Internal(error.to_string()))?,
        Some(path) => {
            let file = PolicyFile::read(path)?;
            file.must_pass(args.schema.as_deref())?;
            let id = args.policy_id.clone().unwrap_or_else(|| id_of(path));
            let policy = NamedPolicy::load(&CedarEngine, id, args.policy_version.clone(), &file.bytes)
                .map_err(|source| DecidingError::Policy { name: file.name.clone(), source })?;
            ImportOrder::under(policy)
        }
    };
    order.capture = args.capture.into();
    if let Some((actor_kind, actor_id)) = args.actor.clone() {
        order.identity = Identity { actor_kind, actor_id, ..order.identity };
    }
    if let Some(path) = &args.map {
        let source = Source::of(Some(path));
        let bytes = source.read_all(ImportRules::MAX_BYTES + 1)?;
        let rules = ImportRules::read(&bytes);
        order.rules = Some(rules.map_err(|error| OtelTrouble::Rules { name: source.name(), source: error })?);
    }
    Ok(order)
}

fn one(
    args: &ImportOtlpArgs,
    order: &ImportOrder,
    ledger: &Ledger,
    blobs: &Blobs,
    source: &Source,
) -> Result<Imported, CliError> {
    let mut file = seekable(source)?;
    let mut options = ReadOptions::default();
    options.framing = args.framing.into();
    let progress = Progress::counter("spans");
    let mut told = 0;
    let mut watch = |spans: u64| {
        progress.advance(spans.saturating_sub(told));
        told = spans;
    };
    let imported =
        import_file(ledger, blobs, order, &mut file, &options, &mut || args.clock.now_ms(), &mut watch);
    let failed = |error: ImportFileError| OtelTrouble::File { name: source.name(), source: Box::new(error) };
    Ok(imported.map_err(failed)?)
}

/// The file itself, or what the standard input gives in a file that goes with the process.
fn seekable(source: &Source) -> Result<File, CliError> {
    if let Source::File(path) = source {
        drop(source.open()?);
        let file = File::open(path).map_err(|error| source.unreadable(error))?;
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if is_file {
            return Ok(file);
        }
    }
    let mut spooled = tempfile::tempfile()
        .map_err(|error| CliError::Unwritable { name: "a temporary file".to_owned(), source: error })?;
    io::copy(&mut source.open()?, &mut spooled).map_err(|error| source.unreadable(error))?;
    Ok(spooled)
}

fn line(source: &Source, imported: &Imported) -> AccountLine {
    let account = &imported.account;
    let totals = &account.totals;
    let asked = |it: &AskedOf| AskedLine {
        action: it.action.clone(),
        resource: it.resource.clone(),
        allowed: it.allowed,
        denied: it.denied,
        new_denied: it.new_denied,
    };
    AccountLine {
        event: "imported",
        file: source.name(),
        account_sha256: imported.account_sha256.to_string(),
        source_sha256: account.source_sha256.to_string(),
        source_bytes: account.source_bytes.get(),
        framing: account.framing.to_string(),
        capture: account.mapping.capture.as_str(),
        policy_sha256: account.mapping.policy_sha256.to_string(),
        rules_sha256: account.mapping.rules_sha256.map(|digest| digest.to_string()),
        new_spans: imported.new_spans,
        appended: imported.appended,
        erased_payloads: imported.erased_payloads,
        known_otherwise: imported.known_otherwise,
        denied_by_others: imported.denied_by_others,
        totals: TotalsLine {
            messages: totals.messages.get(),
            spans: totals.spans.get(),
            model_calls: totals.model_calls.get(),
            tool_calls: totals.tool_calls.get(),
            shapes: totals.shapes.get(),
            refused: totals.refused.get(),
            unreadable: totals.unreadable.get(),
            allowed: totals.allowed.get(),
            denied: totals.denied.get(),
            payload_bytes: totals.payload_bytes.get(),
        },
        refusals: CountLine::each(&account.refusals),
        absent: CountLine::each(&account.absent),
        warnings: CountLine::each(&account.warnings),
        denial_reasons: CountLine::each(&imported.reasons),
        asked: imported.asked.iter().map(asked).collect(),
    }
}

/// Columns of a count and its name.
const COUNTS: [Column; 2] = [Column::number("count", 9), Column::text("what", 64)];

fn show(out: &mut Out, source: &Source, imported: &Imported) -> Result<(), CliError> {
    let (account, totals) = (&imported.account, &imported.account.totals);
    out.heading(&source.name())?;
    out.line(format_args!(
        "{} in {}, framing {}",
        counted(totals.spans.get(), "span", "spans"),
        counted(totals.messages.get(), "message", "messages"),
        account.framing
    ))?;
    out.space()?;
    out.line(titles(&COUNTS))?;
    let paint = out.paint();
    let bad: &dyn Fn(&str) -> String = &|text| paint.bad(text);
    let rows = [
        (totals.model_calls.get(), "calls of models", false),
        (totals.tool_calls.get(), "calls of tools", false),
        (totals.shapes.get(), "kept as shape of the tree", false),
        (totals.refused.get(), "refused, and kept in the document of their trace", true),
        (totals.unreadable.get(), "not readable, or of no trace", true),
    ];
    for (count, what, is_bad) in rows {
        let look = if is_bad && count > 0 { bad } else { &plain };
        let cells: [Cell<'_>; 2] = [(count.to_string(), look), (what.to_owned(), &plain)];
        out.line(row(&COUNTS, &cells))?;
    }
    show_counts(out, "why not", &account.refusals)?;
    show_counts(out, "what calls did not say", &account.absent)?;
    show_counts(out, "what was odd about the file", &account.warnings)?;
    show_asked(out, imported)?;
    out.space()?;
    out.line(format_args!(
        "{} bytes of payloads, capture {}",
        totals.payload_bytes, account.mapping.capture
    ))?;
    if imported.erased_payloads > 0 {
        let payloads = counted(imported.erased_payloads, "payload", "payloads");
        out.line(format_args!("{payloads} stayed out: erased here, and named by the records"))?;
    }
    if imported.known_otherwise > 0 {
        let spans = counted(imported.known_otherwise, "span is", "spans are");
        out.line(format_args!("{spans} known from an import by other rules, capture or identity:"))?;
        out.line("their records stand as they were made")?;
    }
    if imported.appended == 0 {
        return out.line("nothing new: every span was known");
    }
    let entries = counted(imported.appended, "entry", "entries");
    let spans = counted(imported.new_spans, "new span", "new spans");
    out.line(format_args!("{entries} appended for {spans}; the account is {}", imported.account_sha256))
}

fn show_counts(out: &mut Out, title: &str, counts: &[Counted]) -> Result<(), CliError> {
    if counts.is_empty() {
        return Ok(());
    }
    out.heading(title)?;
    for it in counts {
        out.line(row(&COUNTS, &[(it.count.to_string(), &plain), (it.what.to_string(), &plain)]))?;
    }
    Ok(())
}

fn show_asked(out: &mut Out, imported: &Imported) -> Result<(), CliError> {
    const ASKED: [Column; 5] = [
        Column::number("allowed", 9),
        Column::number("denied", 9),
        Column::number("new", 9),
        Column::text("action", 24),
        Column::text("resource", 48),
    ];
    let denied = imported.account.totals.denied.get();
    let heading = match imported.denied_by_others {
        _ if denied == 0 => return Ok(()),
        0 => "what the policy would have stopped",
        others if others == denied => "what others denied, by what the spans say",
        _ => "what the policy would have stopped, or others denied",
    };
    let paint = out.paint();
    out.heading(heading)?;
    out.line(titles(&ASKED))?;
    for it in imported.asked.iter().filter(|it| it.denied > 0) {
        let bad: &dyn Fn(&str) -> String = &|text| paint.bad(text);
        let cells: [Cell<'_>; 5] = [
            (it.allowed.to_string(), &plain),
            (it.denied.to_string(), bad),
            (it.new_denied.to_string(), &plain),
            (safe(&it.action).into_owned(), &plain),
            (safe(&it.resource).into_owned(), &plain),
        ];
        out.line(row(&ASKED, &cells))?;
    }
    show_counts(out, "for these reasons", &imported.reasons)
}
