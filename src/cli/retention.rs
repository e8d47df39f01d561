//! `proofline retention`: holds a ledger against rules of what may be archived and erased when.

use std::path::PathBuf;

use proofline::canon::Sha256Digest;
use proofline::ledger::{
    ArchiveOrder, BlobPlan, BlobState, Holds, RetentionPlan, RetentionRules, SegmentPlan, SegmentState,
    Snapshot, archive, plan_retention,
};
use proofline::trace::TraceId;
use serde::Serialize;

use super::clock::{Clock, moment};
use super::commit::tell_recovery;
use super::error::CliError;
use super::exit::Exit;
use super::input::{Source, ledger_folder};
use super::output::{Out, OutputArgs};
use super::phrase::counted;
use super::progress::Progress;
use super::safe::{safe, safe_path};

/// Says what retention rules let go: segments to archive, payloads to erase, and why not
///
/// Changes nothing without --apply, which archives the segments that are due into
/// the archive that --archive names. Payloads are listed: one that is due is erased
/// under a decision that allows it, and without one the list says which decision
/// to ask for. What archived records refer to is known only with their archive.
///
/// Examples:
///   proofline retention ledger --rules rules.json
///   proofline retention ledger --rules rules.json --apply --archive /mnt/cold/ledger
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RetentionArgs {
    /// The ledger's folder
    dir: PathBuf,
    /// The rules, a JSON file; `-` for the standard input
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// The archive: read where it is one already, and with --apply what is due goes there
    #[arg(long, value_name = "OUT")]
    archive: Option<PathBuf>,
    /// Archives what is due
    #[arg(long, requires = "archive")]
    apply: bool,
    /// The moment to judge by, in Unix milliseconds [default: the system's clock]
    #[arg(long, value_name = "MS")]
    now: Option<u64>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// The longest file of rules, in bytes.
const MAX_RULES_BYTES: usize = 1 << 20;

/// A ledger in which nothing can be held or erased.
struct NoHolds;

impl Holds for NoHolds {
    fn holds(&self, _sha256: &Sha256Digest, _traces: &[TraceId]) -> Option<String> {
        None
    }

    fn is_erased(&self, _sha256: &Sha256Digest) -> bool {
        false
    }
}

#[derive(Serialize)]
struct RetentionLine {
    now_ms: u64,
    archive_before: u64,
    segments: Vec<SegmentLine>,
    blobs: Vec<BlobLine>,
    unread_entries: u64,
    applied: bool,
    archived_segments: u64,
}

#[derive(Serialize)]
struct SegmentLine {
    first_seq: u64,
    entries: u64,
    segment_bytes: u64,
    state: &'static str,
    because_of_seq: Option<u64>,
    due_at_ms: Option<u64>,
}

impl From<&SegmentPlan> for SegmentLine {
    fn from(plan: &SegmentPlan) -> Self {
        let (state, because_of_seq, due_at_ms) = match &plan.state {
            SegmentState::Due => ("due", None, None),
            SegmentState::Archived => ("archived", None, None),
            SegmentState::Open => ("open", None, None),
            SegmentState::NoRule(seq) => ("no_rule", Some(seq.get()), None),
            SegmentState::Young(seq, due) => ("young", Some(seq.get()), Some(*due)),
            SegmentState::Behind(seq) => ("behind", Some(seq.get()), None),
            _ => ("unknown", None, None),
        };
        let (first_seq, entries) = (plan.first_seq.get(), plan.entries);
        Self { first_seq, entries, segment_bytes: plan.segment_bytes, state, because_of_seq, due_at_ms }
    }
}

#[derive(Serialize)]
struct BlobLine {
    sha256: String,
    references: Vec<u64>,
    rules: Vec<String>,
    state: &'static str,
    because_of_seq: Option<u64>,
    due_at_ms: Option<u64>,
    held_by: Option<String>,
    authority: Option<String>,
    request: Option<RequestLine>,
}

/// The decision to ask for.
#[derive(Serialize)]
struct RequestLine {
    action: &'static str,
    resource: String,
}

impl From<&BlobPlan> for BlobLine {
    fn from(plan: &BlobPlan) -> Self {
        let mut line = Self {
            sha256: plan.sha256.to_string(),
            references: plan.references.iter().map(|seq| seq.get()).collect(),
            rules: plan.rules.clone(),
            state: "unknown",
            because_of_seq: None,
            due_at_ms: None,
            held_by: None,
            authority: None,
            request: None,
        };
        match &plan.state {
            BlobState::Due(authority) => {
                line.state = "due";
                line.authority = Some(authority.to_string());
            }
            BlobState::NeedsAuthority => {
                line.state = "needs_authority";
                let (action, resource) = plan.request();
                line.request = Some(RequestLine { action, resource });
            }
            BlobState::Erased => line.state = "erased",
            BlobState::Held(what) => {
                line.state = "held";
                line.held_by = Some(what.clone());
            }
            BlobState::NoRule(seq) => {
                line.state = "no_rule";
                line.because_of_seq = Some(seq.get());
            }
            BlobState::Young(seq, due) => {
                line.state = "young";
                (line.because_of_seq, line.due_at_ms) = (Some(seq.get()), Some(*due));
            }
            BlobState::Unknown => line.state = "archived_references",
            _ => {}
        }
        line
    }
}

/// Plans, archives if asked to, and reports.
pub(crate) fn run(args: &RetentionArgs, out: &mut Out) -> Result<Exit, CliError> {
    let source = Source::of(Some(&args.rules));
    let rules = RetentionRules::parse(&source.read_all(MAX_RULES_BYTES)?)
        .map_err(|fault| CliError::Rules { name: source.name(), source: fault })?;
    let now_ms = args.now.unwrap_or_else(|| Clock::System.now_ms());
    let dir = ledger_folder(&args.dir)?;
    let bare = Snapshot::open(dir)?;
    let archived: Vec<_> = bare.archived().iter().map(|segment| segment.first_seq).collect();
    // An archive that nothing went to yet is none to read.
    let archives: Vec<PathBuf> = args.archive.iter().filter(|_| !archived.is_empty()).cloned().collect();
    let snapshot = Snapshot::open_with_archives(dir, &archives)?;
    let plan = plan_retention(&snapshot, &archived, &rules, &NoHolds, now_ms)?;
    let moved = match &args.archive {
        Some(to) if args.apply && plan.archive_before.get() > 0 => {
            let place = to.to_string_lossy().into_owned();
            let order = ArchiveOrder { before: plan.archive_before, out: to, place: &place, now_ms };
            let progress = Progress::bytes();
            let report = archive(dir, &order, &mut |step| progress.set(step.done_bytes, step.total_bytes))?;
            drop(progress);
            tell_recovery(args.output.format, &report.recovery);
            report.moved.len() as u64
        }
        _ => 0,
    };
    if out.is_json() {
        out.json(&RetentionLine {
            now_ms,
            archive_before: plan.archive_before.get(),
            segments: plan.segments.iter().map(SegmentLine::from).collect(),
            blobs: plan.blobs.iter().map(BlobLine::from).collect(),
            unread_entries: plan.unread_entries,
            applied: args.apply,
            archived_segments: moved,
        })?;
        return Ok(Exit::Ok);
    }
    show(out, args, &plan, moved)?;
    Ok(Exit::Ok)
}

fn at(ms: u64) -> String {
    moment(ms).map_or_else(|| format!("{ms} ms"), |moment| moment.to_string())
}

fn show(out: &mut Out, args: &RetentionArgs, plan: &RetentionPlan, moved: u64) -> Result<(), CliError> {
    out.line(format_args!("judged at {}", at(plan.now_ms)))?;
    out.heading("segments")?;
    for segment in &plan.segments {
        let says = match &segment.state {
            SegmentState::Due => "due".to_owned(),
            SegmentState::Archived => "archived".to_owned(),
            SegmentState::Open => "stays: it is the open segment".to_owned(),
            SegmentState::NoRule(seq) => format!("stays: no rule speaks of entry {seq}"),
            SegmentState::Young(seq, due) => format!("stays: entry {seq} is too young until {}", at(*due)),
            SegmentState::Behind(seq) => format!("stays: the segment of entry {seq} before it stays"),
            _ => "unknown".to_owned(),
        };
        let (first, bytes) = (segment.first_seq, segment.segment_bytes);
        out.line(format_args!("  {first:>10}  {:>8} entries  {bytes:>12} bytes  {says}", segment.entries))?;
    }
    if !plan.blobs.is_empty() {
        out.heading("payloads")?;
    }
    for blob in &plan.blobs {
        let says = match &blob.state {
            BlobState::Due(authority) => format!("due, under the decision {authority}"),
            BlobState::NeedsAuthority => {
                let (action, resource) = blob.request();
                format!("due, needs an authority: a decision that allows `{action}` of `{resource}`")
            }
            BlobState::Erased => "erased".to_owned(),
            BlobState::Held(what) => format!("stays: held by {what}"),
            BlobState::NoRule(seq) => format!("stays: no rule speaks of entry {seq}, which refers to it"),
            BlobState::Young(seq, due) => format!("stays: entry {seq} refers to it until {}", at(*due)),
            _ => "not known: archived records may refer to it; name the archive".to_owned(),
        };
        out.line(format_args!("  {}", blob.sha256))?;
        out.line(format_args!("    {}", safe(&says)))?;
    }
    out.space()?;
    let due = plan.segments.iter().filter(|segment| segment.state == SegmentState::Due).count() as u64;
    let sentence = match (&args.archive, args.apply) {
        (Some(to), true) => {
            format!("Archived {} into {}.", counted(moved, "segment", "segments"), safe_path(to))
        }
        _ if due > 0 => format!(
            "{} may be archived: `--apply`, or `proofline archive --before {}`. Nothing was changed.",
            counted(due, "segment", "segments"),
            plan.archive_before
        ),
        _ => "No segment may be archived. Nothing was changed.".to_owned(),
    };
    out.line(out.paint().good(&sentence))
}
