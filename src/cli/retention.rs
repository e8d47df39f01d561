//! `proofline retention`: holds a ledger against rules of what may be archived and erased when.

use std::path::{Path, PathBuf};

use proofline::ledger::{
    ArchiveOrder, BlobPlan, BlobState, Blobs, LedgerHolds, RetentionPlan, RetentionRules, SegmentPlan,
    SegmentState, Snapshot, archive, plan_retention,
};
use serde::Serialize;

use super::clock::{Clock, moment};
use super::commit::tell_recovery;
use super::error::CliError;
use super::exit::Exit;
use super::input::{Source, ledger_folder};
use super::output::{Out, OutputArgs};
use super::phrase::counted;
use super::progress::Progress;
use super::retention_erase::{Became, Outcomes, RefusalLine, erase_due};
use super::safe::{safe, safe_path};

/// Says what retention rules let go: segments to archive, payloads to erase, and why not
///
/// Changes nothing without --apply. With it, payloads that are due are erased for
/// good, each under a decision that allows it, and segments that are due go into
/// the archive that --archive names. A payload without such a decision stays; the
/// list says which one to ask for. Legal holds win over every rule. What archived
/// records refer to is known only with their archive.
///
/// Examples:
///   proofline retention ledger --rules rules.json
///   proofline retention ledger --rules rules.json --apply --archive /mnt/cold
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
    /// Erases and archives what is due
    #[arg(long, requires = "archive")]
    apply: bool,
    /// The moment to judge by, in Unix milliseconds [default: the system's clock]
    #[arg(long, value_name = "MS")]
    now: Option<u64>,
    /// The time of the entries that say what was erased
    #[arg(long, value_name = "RFC3339|now", default_value = "now", value_parser = Clock::parse, hide = true)]
    clock: Clock,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// The longest file of rules, in bytes.
const MAX_RULES_BYTES: usize = 1 << 20;

#[derive(Serialize)]
struct RetentionLine {
    now_ms: u64,
    archive_before: u64,
    segments: Vec<SegmentLine>,
    blobs: Vec<BlobLine>,
    unread_entries: u64,
    applied: bool,
    archived_segments: u64,
    erased_payloads: u64,
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
    erased_by_seq: Option<u64>,
    refusal: Option<RefusalLine>,
}

/// The decision to ask for.
#[derive(Serialize)]
struct RequestLine {
    action: &'static str,
    resource: String,
}

impl BlobLine {
    fn of(plan: &BlobPlan, outcomes: &Outcomes) -> Self {
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
            erased_by_seq: None,
            refusal: None,
        };
        match outcomes.of(&plan.sha256) {
            Some(Became::Erased(seq)) => line.erased_by_seq = Some(*seq),
            Some(Became::Refused(refusal)) => line.refusal = Some(refusal.clone()),
            None => {}
        }
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

/// Plans, erases and archives if asked to, and reports.
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
    let holds = LedgerHolds::of(&snapshot, &Blobs::open(dir)?)?;
    let plan = plan_retention(&snapshot, &archived, &rules, &holds, now_ms)?;
    // First what is erased: the gate reads decisions that may be about to be archived.
    let outcomes =
        if args.apply { erase_due(dir, &plan, args.output.format, args.clock)? } else { Outcomes::default() };
    let moved = archived_by(args, dir, &plan)?;
    let (erased, refused) = outcomes.counts();
    if out.is_json() {
        out.json(&RetentionLine {
            now_ms,
            archive_before: plan.archive_before.get(),
            segments: plan.segments.iter().map(SegmentLine::from).collect(),
            blobs: plan.blobs.iter().map(|blob| BlobLine::of(blob, &outcomes)).collect(),
            unread_entries: plan.unread_entries,
            applied: args.apply,
            archived_segments: moved,
            erased_payloads: erased,
        })?;
    } else {
        show(out, args, &plan, moved, &outcomes)?;
    }
    Ok(Exit::when(refused > 0, Exit::Failed))
}

/// Archives what is due if asked to, and says how many segments went.
fn archived_by(args: &RetentionArgs, dir: &Path, plan: &RetentionPlan) -> Result<u64, CliError> {
    let Some(to) = args.archive.as_ref().filter(|_| args.apply && plan.archive_before.get() > 0) else {
        return Ok(0);
    };
    let place = to.to_string_lossy().into_owned();
    let order = ArchiveOrder { before: plan.archive_before, out: to, place: &place, now_ms: plan.now_ms };
    let progress = Progress::bytes();
    let report = archive(dir, &order, &mut |step| progress.set(step.done_bytes, step.total_bytes))?;
    drop(progress);
    tell_recovery(args.output.format, &report.recovery);
    Ok(report.moved.len() as u64)
}

fn at(ms: u64) -> String {
    moment(ms).map_or_else(|| format!("{ms} ms"), |moment| moment.to_string())
}

fn show(
    out: &mut Out,
    args: &RetentionArgs,
    plan: &RetentionPlan,
    moved: u64,
    outcomes: &Outcomes,
) -> Result<(), CliError> {
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
        out.line(format_args!("  {}", blob.sha256))?;
        out.line(format_args!("    {}", safe(&blob_says(blob, outcomes))))?;
    }
    out.space()?;
    let due = plan.segments.iter().filter(|segment| segment.state == SegmentState::Due).count() as u64;
    let (erased, refused) = outcomes.counts();
    let sentence = match (&args.archive, args.apply) {
        (Some(to), true) => format!(
            "Archived {} into {} and erased {}.",
            counted(moved, "segment", "segments"),
            safe_path(to),
            counted(erased, "payload", "payloads")
        ),
        _ if due > 0 => format!(
            "{} may be archived: `--apply`, or `proofline archive --before {}`. Nothing was changed.",
            counted(due, "segment", "segments"),
            plan.archive_before
        ),
        _ => "No segment may be archived. Nothing was changed.".to_owned(),
    };
    out.line(out.paint().good(&sentence))?;
    if refused > 0 {
        let refused = counted(refused, "payload that was due stays", "payloads that were due stay");
        out.line(out.paint().bad(&format!("{refused}: see above.")))?;
    }
    Ok(())
}

fn blob_says(blob: &BlobPlan, outcomes: &Outcomes) -> String {
    match &blob.state {
        BlobState::Due(authority) => match outcomes.of(&blob.sha256) {
            Some(Became::Erased(seq)) => format!("erased by entry {seq}, under the decision {authority}"),
            Some(Became::Refused(refusal)) => {
                format!("stays: refused [{}]: {}", refusal.code, refusal.message)
            }
            None => format!("due, under the decision {authority}"),
        },
        BlobState::NeedsAuthority => {
            let (action, resource) = blob.request();
            format!("due, needs an authority: a decision that allows `{action}` of `{resource}`")
        }
        BlobState::Erased => "erased".to_owned(),
        BlobState::Held(what) => format!("stays: held by {what}"),
        BlobState::NoRule(seq) => format!("stays: no rule speaks of entry {seq}, which refers to it"),
        BlobState::Young(seq, due) => format!("stays: entry {seq} refers to it until {}", at(*due)),
        _ => "not known: archived records may refer to it; name the archive".to_owned(),
    }
}
