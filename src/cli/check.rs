//! `proofline check`: holds every record, with its chain, against rules of one's own.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use proofline::ledger::{Seq, Snapshot};
use proofline::policy::{CedarEngine, RuleSet, STARTER_RULES};
use proofline::replay::{
    ReplayError, RulesEvent, RulesPlan, RulesSink, RulesSummary, Violation, check_rules,
};
use proofline::trace::TraceId;

use super::archives::ArchivesArgs;
use super::check_bundle::{self, CheckError};
use super::check_report::{self, Report};
use super::error::CliError;
use super::exit::Exit;
use super::input::Source;
use super::output::{self, Out, OutputArgs};
use super::progress::Progress;
use super::trace::TraceBegin;

/// Holds every record against rules of your own
///
/// A rule is a Cedar statement over a record and its chain that says what must not
/// be; docs/rules.md shows what rules see. Without --rules these are the starter
/// set, which maps each of its rules to controls that compliance teams cite. A rule
/// that does not fit the records (a slip in a name, say) is refused before
/// anything is asked, and one that cannot be evaluated counts as a violation.
///
/// Exits with 3 when a record cannot be asked about, else with 1 when there is a
/// violation. --bundle writes the violations' traces as one file that anyone can
/// verify; it rests on a checkpoint, so run `proofline checkpoint` first.
///
/// Examples:
///   proofline check ledger
///   proofline check ledger --rules house.cedar --include-rejected
///   proofline check ledger --rules house.cedar --bundle violations.bundle
///   proofline check --list --rules house.cedar
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CheckArgs {
    /// The ledger's folder
    #[arg(required_unless_present = "list")]
    dir: Option<PathBuf>,
    /// The rules: a file, `-` for the standard input, or the set that ships with the program
    #[arg(long, value_name = "FILE|builtin:starter", default_value = STARTER)]
    rules: PathBuf,
    /// Lists the rules, and checks nothing
    #[arg(long, conflicts_with_all = ["dir", "bundle", "traces", "include_rejected"])]
    list: bool,
    /// A trace: its id, or as many first digits as no other has; may be given several times
    #[arg(long = "trace", value_name = "ID", value_delimiter = ',', value_parser = TraceBegin::parse)]
    traces: Vec<TraceBegin>,
    /// Ask about attempts that the gate refused and kept, too
    #[arg(long)]
    include_rejected: bool,
    /// Writes what shows the violations as one file, if there are any
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// How many threads work; the output is the same for any number [default: one a processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    archives: ArchivesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What names the set that is built in.
const STARTER: &str = "builtin:starter";

/// The longest file of rules, in bytes.
const MAX_RULES_BYTES: usize = 16 << 20;

/// Checks and reports.
pub(crate) fn run(args: &CheckArgs, out: &mut Out) -> Result<Exit, CliError> {
    let rules = rules(&args.rules)?;
    let Some(dir) = args.dir.as_deref().filter(|_| !args.list) else {
        check_report::list(out, rules.rules())?;
        return Ok(Exit::Ok);
    };
    let snapshot = args.archives.snapshot(dir)?;
    let plan = RulesPlan {
        traces: chosen(args, &snapshot)?,
        include_rejected: args.include_rejected,
        threads: args.threads,
    };
    let mut sink = Sink {
        report: Report::new(out, rules.rules()),
        progress: Some(Progress::up_to(snapshot.entries(), "entries")),
        entries: snapshot.entries(),
        shown_by: args.bundle.is_some().then(ShownBy::default),
        failed: None,
    };
    let summary = match check_rules(&snapshot, &rules, &plan, &mut sink) {
        Ok(summary) => summary,
        Err(ReplayError::Stopped) => return Err(sink.failed.unwrap_or(ReplayError::Stopped.into())),
        Err(error) => return Err(error.into()),
    };
    let Sink { report, progress, shown_by, .. } = sink;
    drop(progress);
    let bundle = match (&args.bundle, shown_by) {
        (Some(path), Some(shown_by)) if summary.violations > 0 => {
            Some(check_bundle::write(dir, path, shown_by, &args.archives.archives))
        }
        _ => None,
    };
    // What was found is told also where it cannot be shown.
    report.finish(&summary, bundle.as_ref().and_then(|written| written.as_ref().ok()))?;
    bundle.transpose()?;
    Ok(exit(&summary))
}

fn exit(summary: &RulesSummary) -> Exit {
    Exit::first([
        Exit::when(summary.damage_count > 0, Exit::DamagedLedger),
        Exit::when(summary.violations > 0, Exit::Failed),
    ])
}

fn rules(path: &Path) -> Result<RuleSet, CliError> {
    if path == Path::new(STARTER) {
        return read(STARTER.to_owned(), STARTER_RULES.as_bytes());
    }
    let source = Source::of(Some(path));
    read(source.name(), &source.read_all(MAX_RULES_BYTES)?)
}

fn read(name: String, bytes: &[u8]) -> Result<RuleSet, CliError> {
    CedarEngine.load_rules(bytes).map_err(|source| CheckError::Rules { name, source }.into())
}

/// The traces that were named, each of which must be there.
fn chosen(args: &CheckArgs, snapshot: &Snapshot) -> Result<Option<BTreeSet<TraceId>>, CliError> {
    if args.traces.is_empty() {
        return Ok(None);
    }
    args.traces.iter().map(|begin| begin.find_there(snapshot)).collect::<Result<_, _>>().map(Some)
}

/// What a bundle has to hold so that it shows every violation.
#[derive(Default)]
pub(crate) struct ShownBy {
    pub(crate) traces: BTreeSet<TraceId>,
    /// The last of the entries.
    pub(crate) last: Option<Seq>,
}

impl ShownBy {
    fn take(&mut self, violation: &Violation) {
        let beside = violation.beside.iter().map(|(_, record)| record);
        for record in beside.chain([&violation.record]) {
            self.traces.insert(record.trace_id);
            self.last = self.last.max(Some(record.seq));
        }
    }
}

/// Takes violations to the report.
struct Sink<'a> {
    report: Report<'a>,
    progress: Option<Progress>,
    entries: u64,
    shown_by: Option<ShownBy>,
    failed: Option<CliError>,
}

impl RulesSink for Sink<'_> {
    fn violation(&mut self, violation: Violation) -> ControlFlow<()> {
        if let Some(shown_by) = &mut self.shown_by {
            shown_by.take(&violation);
        }
        match self.report.violation(violation) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn event(&mut self, event: &RulesEvent) -> ControlFlow<()> {
        // Lines of JSON scroll past on the same terminal.
        if self.report.is_json() && output::is_terminal() {
            self.progress = None;
        }
        let Some(progress) = &self.progress else { return ControlFlow::Continue(()) };
        match *event {
            RulesEvent::EntriesRead { read, total } => {
                progress.set_of("entries looked through for policy versions", read, total);
            }
            RulesEvent::TracesChecked { traces, total: Some(total), .. } => {
                progress.set_of("traces checked", traces, total);
            }
            RulesEvent::TracesChecked { entries, .. } => {
                progress.set_of("entries checked", entries, self.entries);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
