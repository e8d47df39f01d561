//! `proofline replay --with-policy`: the same history under another policy, told decision by decision, and kept.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use proofline::canon::{ContentStore, Sha256Digest};
use proofline::ledger::{Blobs, Ledger, LedgerError, Options, Snapshot};
use proofline::policy::CedarEngine;
use proofline::replay::{
    Backtest, BacktestError, BacktestPlan, BacktestSink, ChangedDecision, Means, Place, ReplayError,
    Selection, backtest, record_backtest,
};
use proofline::trace::{Failure, Timestamp, TraceId};

use super::backtest_report::{Kept, Report};
use super::clock::Clock;
use super::commit::tell_recovery;
use super::deciding_error::DecidingError;
use super::error::CliError;
use super::exit::Exit;
use super::ingest::Counts;
use super::output::{Format, Out, note};
use super::policy_file::PolicyFile;
use super::progress::Progress;

/// What is asked of policies.
#[derive(clap::Args)]
pub(crate) struct PolicyArgs {
    /// Fail each trace with a decision that its policy cannot decide again
    #[arg(long)]
    pub(crate) require_policies: bool,
    /// Ask another policy instead: what would it have decided? In Cedar; `-` for the standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["require_policies", "fail_on_findings", "include_rejected"])]
    pub(crate) with_policy: Option<PathBuf>,
    /// Refuse that policy if it does not pass under this schema
    #[arg(long, value_name = "FILE", requires = "with_policy")]
    pub(crate) schema: Option<PathBuf>,
}

/// A back-test to be run, with all that steers it read.
pub(crate) struct Backtesting {
    pub(crate) plan: BacktestPlan,
    /// The policy's file, as it is called.
    pub(crate) name: String,
    pub(crate) format: Format,
    pub(crate) is_kept: bool,
}

impl Backtesting {
    /// None where no other policy was named.
    pub(crate) fn read(
        args: &PolicyArgs,
        traces: Selection,
        generated_at: Timestamp,
    ) -> Result<Option<Self>, CliError> {
        let Some(file) = &args.with_policy else { return Ok(None) };
        let file = PolicyFile::read(file)?;
        file.must_pass(args.schema.as_deref())?;
        let plan = BacktestPlan { policy: file.bytes, traces, generated_at, threads: None };
        Ok(Some(Self { plan, name: file.name, format: Format::Text, is_kept: false }))
    }

    fn failed(&self, error: BacktestError) -> CliError {
        match error {
            BacktestError::Replay(error) => error.into(),
            BacktestError::Policy(source) => DecidingError::Policy { name: self.name.clone(), source }.into(),
            other => CliError::Internal(other.to_string()),
        }
    }

    /// Asks and reports, of the ledger in `dir`.
    pub(crate) fn run(
        &self,
        dir: &Path,
        snapshot: &Snapshot,
        ingest: Option<&Counts>,
        out: &mut Out,
    ) -> Result<Exit, CliError> {
        let means = Means { policies: Some(&CedarEngine), ..Means::default() };
        let mut sink = Sink {
            report: Report::new(out),
            progress: Progress::up_to(snapshot.entries(), "entries"),
            entries: snapshot.entries(),
            failed: None,
        };
        let report = match backtest(snapshot, &means, &self.plan, &mut sink) {
            Ok(report) => report,
            Err(BacktestError::Replay(ReplayError::Stopped)) => {
                return Err(sink.failed.unwrap_or(ReplayError::Stopped.into()));
            }
            Err(error) => return Err(self.failed(error)),
        };
        let Sink { report: told, progress, .. } = sink;
        drop(progress);
        let kept = if self.is_kept { self.keep(dir, &report)? } else { None };
        told.finish(&report, &self.name, ingest, kept)?;
        Ok(exit(&report, ingest.is_some_and(|counts| counts.bad > 0)))
    }

    /// Keeps the policy among the payloads, then the report. None for a damaged ledger, which takes nothing more.
    fn keep(&self, dir: &Path, report: &Backtest) -> Result<Option<Kept>, CliError> {
        let ledger = match Ledger::open(dir, Options::default()) {
            Ok(ledger) => ledger,
            Err(error @ LedgerError::Damaged(_)) => {
                let why = format!("the back-test is not recorded, because {error}");
                note(self.format, "replay.not_recorded", &why);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        tell_recovery(self.format, &ledger.recovery());
        let name = Sha256Digest::of(&self.plan.policy);
        Blobs::open(dir)?.put(&name, &self.plan.policy).map_err(ReplayError::Payloads)?;
        let Place { hash, seq, duplicate } = record_backtest(&ledger, report, Clock::System.now_ms())?;
        Ok(Some(Kept { artifact_sha256: hash, seq, there_before: duplicate }))
    }
}

fn exit(report: &Backtest, bad_input: bool) -> Exit {
    Exit::first([
        Exit::when(report.damage_count > 0, Exit::DamagedLedger),
        Exit::when(report.changes() || report.counts.traces_skipped > 0, Exit::Failed),
        Exit::when(bad_input, Exit::BadInput),
    ])
}

struct Sink<'a> {
    report: Report<'a>,
    progress: Progress,
    entries: u64,
    failed: Option<CliError>,
}

impl Sink<'_> {
    fn go_on(&mut self, result: Result<(), CliError>) -> ControlFlow<()> {
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

impl BacktestSink for Sink<'_> {
    fn changed(&mut self, changed: ChangedDecision) -> ControlFlow<()> {
        let result = self.report.changed(changed);
        self.go_on(result)
    }

    fn skipped(&mut self, trace_id: TraceId, failure: &Failure) -> ControlFlow<()> {
        let result = self.report.skipped(trace_id, failure);
        self.go_on(result)
    }

    fn progress(&mut self, _traces: u64, entries: u64) -> ControlFlow<()> {
        self.progress.set_of("entries asked about", entries, self.entries);
        ControlFlow::Continue(())
    }
}
