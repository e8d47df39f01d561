//! `proofline drift`: where many pairs of runs part, and why.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use proofline::canon::{ContentStore, Limits, Profile, Value};
use proofline::ledger::{BLOBS_DIR, Blobs, Snapshot};
use proofline::replay::{
    DriftByKey, DriftKey, DriftPlan, DriftSink, DriftSummary, Keyed, Means, PairDrift, Pairs, ReplayError,
    drift, pairs_by_key, pairs_of_keys, parse_keys,
};
use proofline::trace::TraceId;

use super::archives::ArchivesArgs;
use super::drift_view::DriftView;
use super::error::CliError;
use super::exit::Exit;
use super::input::Source;
use super::output::{self, Out, OutputArgs};
use super::progress::Progress;
use super::replay_mode::{read_pairs, read_variance};
use super::safe::safe_json;
use super::trace::TraceBegin;

/// Shows where many pairs of runs part, and why
///
/// The runs of a pair are put side by side as `diff` does. Of each pair that
/// parts, the first place is told, in the order in which the baseline happened,
/// with its cause: policy, identity (another model or tool), input (another
/// request), outcome, response, usage, order, missing, extra. Below all pairs
/// stand where they part, how often, and in which models and tools.
///
/// With a key, traces of the same key are runs of the same work, and the first
/// of them in the ledger is the baseline of the others; with --each-with-each
/// every two of them are a pair. Keys: actor; resource, of the first decision;
/// request, of the first call; payload:POINTER, a value in that request, such as
/// payload:/task_id; attribute:resource:NAME and attribute:span:NAME, what the
/// spans of imported telemetry say, the root span first. Then each key is told
/// with what its pairs came to.
///
/// The exit code is 0 when no pair differs in what the variance policy does not
/// allow, and 1 when one does or a run of it cannot be compared.
///
/// Examples:
///   proofline drift ledger --pairs pairs.jsonl --variance model-output
///   proofline drift ledger --key payload:/task_id --payloads
///   proofline drift ledger --key attribute:resource:task.id --each-with-each
///   proofline drift ledger --baseline da95 --candidates-all
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
#[command(group(clap::ArgGroup::new("runs").required(true).args(["pairs", "key", "keys", "baseline"])))]
pub(crate) struct DriftArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// Pairs of traces, one {"baseline","candidate"} a line
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// Compare all traces that have the same key
    #[arg(long, value_name = "KEY", value_parser = parse_key)]
    key: Option<DriftKey>,
    /// Keys of traces, one {"trace","key"} a line
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Compare every two traces that have the same key, instead of the first with each other
    #[arg(long, conflicts_with_all = ["pairs", "baseline"])]
    each_with_each: bool,
    /// The trace that others are measured against; its first digits are enough when no other trace has them
    #[arg(long, value_name = "ID", value_parser = TraceBegin::parse)]
    baseline: Option<TraceBegin>,
    /// A trace that is measured against the baseline, named likewise; may be given again
    #[arg(long, value_name = "ID", requires = "baseline", value_parser = TraceBegin::parse)]
    candidate: Vec<TraceBegin>,
    /// Measure all other traces against the baseline
    #[arg(long, requires = "baseline", conflicts_with = "candidate")]
    candidates_all: bool,
    /// What may differ, from a file, or by the name model-output [default: nothing]
    #[arg(long, value_name = "FILE|model-output")]
    variance: Option<OsString>,
    /// Show how requests and responses differ, line by line, where both are at hand and text
    #[arg(long)]
    payloads: bool,
    /// Show what all pairs came to, and no pair by itself
    #[arg(long, conflicts_with = "payloads")]
    totals: bool,
    /// How many threads work; the output is the same for any number [default: one a processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Draw with ASCII characters only
    #[arg(long)]
    ascii: bool,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A text that is no key.
#[derive(Debug, thiserror::Error)]
#[error(
    "a key is actor, resource, request, payload: with a JSON Pointer such as /task_id behind it, or \
     attribute:resource: or attribute:span: with a name"
)]
struct NoKey;

fn parse_key(text: &str) -> Result<DriftKey, NoKey> {
    DriftKey::parse(text).ok_or(NoKey)
}

/// Compares and reports.
pub(crate) fn run(args: &DriftArgs, out: &mut Out) -> Result<Exit, CliError> {
    if args.baseline.is_some() && args.candidate.is_empty() && !args.candidates_all {
        return Err(CliError::Usage("--baseline needs --candidate or --candidates-all"));
    }
    let files = [args.pairs.as_deref(), args.keys.as_deref(), args.variance.as_deref().map(Path::new)];
    if files.into_iter().flatten().filter(|file| *file == Path::new("-")).count() > 1 {
        return Err(CliError::Usage("`-` is the standard input, which can be read for one thing alone"));
    }
    let variance = read_variance(args.variance.as_deref())?;
    let snapshot = args.archives.snapshot(&args.dir)?;
    let payloads = payloads(&snapshot)?;
    let means = payloads.as_ref().map(|blobs| blobs as &(dyn ContentStore + Sync));
    let means = means.map_or_else(Means::default, Means::payloads);
    let keyed = runs(args, &snapshot, &means)?;
    let plan =
        DriftPlan { pairs: keyed.pairs.clone(), variance, payloads: args.payloads, threads: args.threads };
    let progress = if output::is_terminal() {
        Progress::none() // pairs scroll past on the same terminal
    } else {
        Progress::up_to(plan.pairs.len() as u64, "pairs compared")
    };
    let (view, keys) = (DriftView::new(args.ascii, &plan.variance), DriftByKey::new(&keyed));
    let mut sink = Sink { view, keys, out, progress, totals: args.totals, failed: None };
    let summary = match drift(&snapshot, &means, &plan, &mut sink) {
        Ok(summary) => summary,
        Err(ReplayError::Stopped) => return Err(sink.failed.unwrap_or(ReplayError::Stopped.into())),
        Err(error) => return Err(error.into()),
    };
    let Sink { view, keys, out, .. } = sink;
    let by_key = args.key.is_some() || args.keys.is_some();
    let keyed = by_key.then_some((&keyed, &keys));
    if out.is_json() {
        out.line(summary_json(&summary, keyed)?)?;
    } else {
        view.summary(out, &summary, keyed)?;
    }
    let damaged = Exit::when(summary.damage_count > 0, Exit::DamagedLedger);
    Ok(Exit::first([damaged, Exit::when(!summary.holds(), Exit::Failed)]))
}

/// The payloads of a ledger; none where it keeps none.
pub(crate) fn payloads(snapshot: &Snapshot) -> Result<Option<Blobs>, CliError> {
    let is_there = snapshot.dir().join(BLOBS_DIR).is_dir();
    Ok(is_there.then(|| Blobs::open(snapshot.dir())).transpose()?)
}

/// The pairs that were asked for.
fn runs(args: &DriftArgs, snapshot: &Snapshot, means: &Means<'_>) -> Result<Keyed, CliError> {
    let given = |pairs| Keyed { pairs, ..Keyed::default() };
    if let Some(file) = &args.pairs {
        return Ok(given(read_pairs(file)?));
    }
    if let Some(baseline) = &args.baseline {
        return Ok(given(against(args, snapshot, baseline)?));
    }
    let keyed = match (&args.key, &args.keys) {
        (Some(key), _) => pairs_by_key(snapshot, means, key, args.threads)?,
        (None, Some(file)) => {
            let source = Source::of(Some(file));
            let bytes = source.read_all(Limits::CONTENT.max_bytes())?;
            let keys = parse_keys(&bytes);
            let keys = keys.map_err(|fault| CliError::Keys { name: source.name(), source: fault })?;
            pairs_of_keys(snapshot, &keys)?
        }
        (None, None) => Keyed::default(),
    };
    // A gate that compares nothing must not open.
    if keyed.pairs.is_empty() {
        return Err(CliError::NoRuns { alone: keyed.alone, without: keyed.without });
    }
    if args.each_with_each {
        return keyed.each_with_each().map_err(CliError::TooManyPairs);
    }
    Ok(keyed)
}

fn against(args: &DriftArgs, snapshot: &Snapshot, baseline: &TraceBegin) -> Result<Pairs, CliError> {
    let baseline = baseline.find(snapshot)?;
    if !args.candidates_all {
        let candidates: Result<Vec<TraceId>, CliError> =
            args.candidate.iter().map(|candidate| candidate.find(snapshot)).collect();
        return Ok(Pairs::against(baseline, candidates?));
    }
    let (mut all, mut last) = (Vec::new(), None);
    loop {
        let page = snapshot.traces_after(last, TRACES_PER_PAGE)?;
        let Some(end) = page.last() else { break };
        last = Some(*end);
        all.extend(page.into_iter().filter(|trace| *trace != baseline));
    }
    if all.is_empty() {
        return Err(CliError::NoRuns { alone: 1, without: 0 });
    }
    Ok(Pairs::against(baseline, all))
}

/// Traces that are listed at once.
const TRACES_PER_PAGE: usize = 1024;

struct Sink<'a> {
    view: DriftView,
    keys: DriftByKey,
    totals: bool,
    out: &'a mut Out,
    progress: Progress,
    failed: Option<CliError>,
}

impl DriftSink for Sink<'_> {
    fn pair(&mut self, drift: PairDrift) -> ControlFlow<()> {
        self.keys.add(&drift);
        let told = if self.totals {
            Ok(())
        } else if self.out.is_json() {
            json(&drift.to_value()).and_then(|line| self.out.line(line))
        } else {
            self.view.pair(self.out, &drift)
        };
        match told {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn progress(&mut self, done: u64, total: u64) -> ControlFlow<()> {
        self.progress.set(done, total);
        ControlFlow::Continue(())
    }
}

/// The summary, and of pairs by a key what each key came to and how many traces made no pair.
fn summary_json(summary: &DriftSummary, keyed: Option<(&Keyed, &DriftByKey)>) -> Result<String, CliError> {
    let mut line = summary.to_value();
    if let Value::Object(line) = &mut line
        && let Some(Value::Object(mut summary)) = line.remove("summary")
    {
        let of_keys =
            |of: fn(&Keyed, &DriftByKey) -> Value| keyed.map_or(Value::Null, |(it, keys)| of(it, keys));
        summary.insert("alone", of_keys(|keyed, _| Value::from(keyed.alone)));
        summary.insert("without_key", of_keys(|keyed, _| Value::from(keyed.without)));
        summary.insert("keys", of_keys(|_, keys| keys.to_value()));
        summary.insert("other_keys", of_keys(|_, keys| Value::from(keys.left_out())));
        line.insert("summary", summary);
    }
    json(&line)
}

/// Canonical JSON, which a terminal can bear.
pub(crate) fn json(value: &Value) -> Result<String, CliError> {
    let bytes = value.to_canonical(Profile::Envelope);
    let bytes = bytes.map_err(|error| CliError::Internal(format!("a result is no JSON: {error}")))?;
    let text = String::from_utf8(bytes);
    text.map(safe_json).map_err(|_| CliError::Internal("a result is no text".to_owned()))
}
