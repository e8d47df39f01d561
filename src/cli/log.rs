//! `proofline log`: what came into a ledger, the newest first, or as it comes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use proofline::ledger::{EntryFault, MARK_FILE, Seq, Snapshot};
use proofline::trace::{Classification, Envelope, EnvelopeHash, RecordType, Timestamp, TraceId};

use super::archives::{ArchivesArgs, Away};
use super::entry_view::warn_of_damage;
use super::error::CliError;
use super::exit::Exit;
use super::log_view::{LogLine, LogView, envelope_of};
use super::output::{self, Out, OutputArgs};
use super::record_facts::RecordFacts;
use super::trace::TraceBegin;

/// How long `--follow` waits before it looks again.
const POLL: Duration = Duration::from_millis(200);

/// Lists entries, the newest first
///
/// All filters that are given must fit. A record fits an actor, action or
/// resource when the context or decision that it rests on does. Times are those
/// at which entries were recorded. With --follow, entries are printed as they
/// are published, the oldest first, until the output is closed.
///
/// Examples:
///   proofline log ledger --limit 20
///   proofline log ledger --actor staff/ines --type tool_call --outcome error
///   proofline log ledger --classification UNAUTHORIZED_EXECUTION --since 2026-01-31T00:00:00Z
///   proofline log ledger --follow --format json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct LogArgs {
    /// The ledger's folder
    dir: PathBuf,
    #[command(flatten)]
    filter: Filter,
    /// Print this many at most
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Print entries that are published from now on
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Which entries are wanted.
#[derive(clap::Args)]
struct Filter {
    /// Records of this actor
    #[arg(long, value_name = "ACTOR_ID")]
    actor: Option<String>,
    /// Decisions on this action, and calls that rest on them
    #[arg(long)]
    action: Option<String>,
    /// Decisions on this resource, and calls that rest on them
    #[arg(long)]
    resource: Option<String>,
    /// Calls of this model
    #[arg(long, value_name = "[PROVIDER/]MODEL")]
    model: Option<String>,
    /// Calls of this tool
    #[arg(long, value_name = "[ADAPTER/]TOOL")]
    tool: Option<String>,
    /// The status of calls, or the result of decisions
    #[arg(long)]
    outcome: Option<String>,
    /// The gate's answer, such as ACCEPT
    #[arg(long)]
    classification: Option<Classification>,
    /// Recorded then or later
    #[arg(long, value_name = "RFC3339", value_parser = Timestamp::parse_rfc3339)]
    since: Option<Timestamp>,
    /// Recorded before then
    #[arg(long, value_name = "RFC3339", value_parser = Timestamp::parse_rfc3339)]
    until: Option<Timestamp>,
    /// Records of this type
    #[arg(long = "type", value_name = "RECORD_TYPE")]
    record_type: Option<RecordType>,
    /// Entries of this trace; its first digits are enough when no other trace has them
    #[arg(long, value_name = "ID", value_parser = TraceBegin::parse)]
    trace: Option<TraceBegin>,
}

impl Filter {
    fn fits(&self, snapshot: &Snapshot, line: &LogLine, record: Option<&Envelope>) -> Result<bool, CliError> {
        let at = i64::try_from(line.recorded_at_ms).unwrap_or(i64::MAX);
        let known = self.classification.is_none_or(|wanted| line.classification == Some(wanted))
            && self.record_type.is_none_or(|wanted| line.record_type == Some(wanted))
            && self.since.is_none_or(|since| at >= since.unix_ms())
            && self.until.is_none_or(|until| at < until.unix_ms());
        if !known || !self.fits_call(line.says.as_ref()) {
            return Ok(false);
        }
        Ok(self.fits_actor(snapshot, record)? && self.fits_decision(snapshot, record)?)
    }

    fn fits_call(&self, says: Option<&RecordFacts>) -> bool {
        let named = |wanted: &str, owner: &str, name: &str| {
            wanted == name || wanted.strip_prefix(owner).and_then(|rest| rest.strip_prefix('/')) == Some(name)
        };
        let model = |wanted: &String| match says {
            Some(RecordFacts::Model { provider, model, .. }) => named(wanted, provider, model),
            _ => false,
        };
        let tool = |wanted: &String| match says {
            Some(RecordFacts::Tool { adapter_id, tool_name, .. }) => named(wanted, adapter_id, tool_name),
            _ => false,
        };
        let outcome = |wanted: &String| match says {
            Some(RecordFacts::Model { status, .. } | RecordFacts::Tool { status, .. }) => wanted == status,
            Some(RecordFacts::Decision { result, .. }) => wanted == result,
            _ => false,
        };
        self.model.as_ref().is_none_or(model)
            && self.tool.as_ref().is_none_or(tool)
            && self.outcome.as_ref().is_none_or(outcome)
    }

    fn fits_actor(&self, snapshot: &Snapshot, record: Option<&Envelope>) -> Result<bool, CliError> {
        let (Some(wanted), Some(record)) = (&self.actor, record) else { return Ok(self.actor.is_none()) };
        let named = match record.auth_context_hash() {
            Some(hash) => accepted(snapshot, &hash)?,
            None => Some(record.clone()),
        };
        Ok(matches!(named, Some(Envelope::AuthContext(context)) if context.actor.actor_id.as_str() == wanted))
    }

    fn fits_decision(&self, snapshot: &Snapshot, record: Option<&Envelope>) -> Result<bool, CliError> {
        if self.action.is_none() && self.resource.is_none() {
            return Ok(true);
        }
        let Some(record) = record else { return Ok(false) };
        let named = match record.policy_decision_hash() {
            Some(hash) => accepted(snapshot, &hash)?,
            None => Some(record.clone()),
        };
        let Some(Envelope::PolicyDecision(decision)) = named else { return Ok(false) };
        let (action, resource) = (decision.request.action.as_str(), decision.request.resource.as_str());
        Ok(self.action.as_ref().is_none_or(|wanted| wanted == action)
            && self.resource.as_ref().is_none_or(|wanted| wanted == resource))
    }
}

/// The accepted record of this hash. One that cannot be read fits nothing, and is told at its own entry.
fn accepted(snapshot: &Snapshot, hash: &EnvelopeHash) -> Result<Option<Envelope>, CliError> {
    let Some(seq) = snapshot.accepted(hash)? else { return Ok(None) };
    match snapshot.entry(seq) {
        Ok(entry) => Ok(entry.as_ref().and_then(envelope_of)),
        Err(EntryFault::Damaged(_) | EntryFault::Archived(_)) => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

/// Lists entries.
pub(crate) fn run(args: &LogArgs, out: &mut Out) -> Result<Exit, CliError> {
    let snapshot = args.archives.snapshot(&args.dir)?;
    let trace = args.filter.trace.as_ref().map(|begin| begin.find(&snapshot)).transpose()?;
    let view = LogView::new(out.columns());
    let mut listing = Listing { args, trace, left: args.limit, exit: Exit::Ok, view, away: Away::default() };
    if args.follow {
        return listing.follow(&snapshot, out);
    }
    let seqs: Box<dyn Iterator<Item = Seq>> = match trace {
        None => Box::new((0..snapshot.entries()).rev().map(Seq::new)),
        Some(trace) => {
            let seqs = snapshot.of_trace(trace)?;
            if seqs.is_empty() {
                return Err(CliError::NoSuchTrace(trace.to_string()));
            }
            Box::new(seqs.into_iter().rev())
        }
    };
    listing.print(&snapshot, seqs, out)?;
    listing.away.tell(args.output.format);
    Ok(Exit::first([listing.exit, warn_of_damage(args.output.format, &snapshot)]))
}

struct Listing<'a> {
    args: &'a LogArgs,
    trace: Option<TraceId>,
    left: Option<u64>,
    exit: Exit,
    view: LogView,
    away: Away,
}

impl Listing<'_> {
    fn print(
        &mut self,
        snapshot: &Snapshot,
        seqs: impl Iterator<Item = Seq>,
        out: &mut Out,
    ) -> Result<(), CliError> {
        for seq in seqs {
            if self.left == Some(0) {
                break;
            }
            let entry = match snapshot.entry(seq) {
                Ok(Some(entry)) => entry,
                Ok(None) => continue,
                Err(EntryFault::Archived(archived)) => match self.away.take(snapshot, seq, archived)? {
                    Some(entry) => entry,
                    None => continue,
                },
                Err(EntryFault::Io(error)) => return Err(EntryFault::Io(error).into()),
                Err(fault) => {
                    let error = CliError::from(fault);
                    self.exit = error.exit();
                    output::report(&error, self.args.output.format);
                    continue;
                }
            };
            let record = envelope_of(&entry);
            let line = LogLine::of(&entry, record.as_ref());
            let is_of_trace = self.trace.is_none_or(|trace| line.trace_id == Some(trace));
            if is_of_trace && self.args.filter.fits(snapshot, &line, record.as_ref())? {
                self.view.show(out, &line)?;
                self.left = self.left.map(|left| left - 1);
            }
        }
        Ok(())
    }

    fn follow(&mut self, first: &Snapshot, out: &mut Out) -> Result<Exit, CliError> {
        let (mut next, mut mark) = (first.entries(), None);
        while self.left != Some(0) {
            let now = published(&self.args.dir);
            if now != mark || now.is_none() {
                let snapshot = self.args.archives.snapshot(&self.args.dir)?;
                self.print(&snapshot, (next..snapshot.entries()).map(Seq::new), out)?;
                next = next.max(snapshot.entries());
                mark = now;
                out.flush()?;
            }
            if self.left != Some(0) {
                std::thread::sleep(POLL);
            }
        }
        Ok(self.exit)
    }
}

/// What changes when entries are published.
fn published(dir: &Path) -> Option<Vec<u8>> {
    std::fs::read(dir.join(MARK_FILE)).ok()
}
