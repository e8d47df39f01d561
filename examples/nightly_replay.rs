//! A nightly job: replay everything into a report that survives a kill, make JUnit XML and JSON of it for the build
//! server, and fail the build when a verdict failed, the log is damaged, or something needs an explanation.
//!
//! ```sh
//! cargo run --example nightly_replay                      # over the evidence that ships with the project
//! cargo run --example nightly_replay -- LEDGER FOLDER     # over a ledger of your own, reports into FOLDER
//! ```
#![allow(clippy::print_stdout, reason = "an example prints")]

mod shipped;

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use proofline::ledger::Snapshot;
use proofline::policy::CedarEngine;
use proofline::replay::report::{Batch, ReportFile, Verdicts, write_json, write_junit};
use proofline::replay::{Event, Means, Plan, ReplaySink, RunVerdict, Summary, TraceReplay};
use proofline::trace::Severity;

/// Findings from here on fail the build; what is usual in healthy systems does not.
const FAILS_FROM: Severity = Severity::Medium;

/// Watches the run. A job that may be stopped would break here when its flag is set: the run then comes to a
/// checkpoint, and the next night goes on from there.
struct Watch;

impl ReplaySink for Watch {
    fn verdict(&mut self, _: TraceReplay) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn event(&mut self, event: &Event) -> ControlFlow<()> {
        if let Event::TracesReplayed { traces, .. } = event {
            println!("{traces} traces so far");
        }
        ControlFlow::Continue(())
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let ledger = match arguments.next() {
        Some(ledger) => ledger,
        None => shipped::ledger(&temporary.path().join("ledger"), &["agent-work.jsonl"])?,
    };
    let folder = arguments.next().unwrap_or_else(|| temporary.path().to_owned());

    let lines = folder.join("replay.jsonl");
    let summary = night(&ledger, &lines)?;
    let report = ReportFile::open(&lines)?;
    write_junit(&report, &mut BufWriter::new(File::create(folder.join("replay.xml"))?))?;
    write_json(&report, &mut BufWriter::new(File::create(folder.join("replay.json"))?))?;
    tell(&report, &summary)?;

    let must_fail = summary.verdict() != RunVerdict::AllWell
        || summary.worst_finding().is_some_and(|worst| worst >= FAILS_FROM);
    println!("{}", if must_fail { "the build fails" } else { "the build passes" });
    Ok(if must_fail { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Goes on where the last night was cut off, or begins.
fn night(ledger: &Path, lines: &Path) -> Result<Summary, Box<dyn Error>> {
    let batch = Batch::resume(lines)?;
    let snapshot = batch.prefix(&Snapshot::open(ledger)?)?;
    let means = Means { policies: Some(&CedarEngine), ..Means::default() };
    let end = batch.run(&snapshot, &means, &Plan::default(), &mut Watch)?;
    Ok(end.summary().clone())
}

/// What somebody is to look at in the morning.
fn tell(report: &ReportFile, summary: &Summary) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} of {} traces pass; {} entries", summary.passed, summary.traces, report.head().entries)?;
    report.each(&mut |replay| {
        if let Some(failure) = replay.failure() {
            println!("FAIL {}: {} ({})", replay.trace_id(), failure.message, failure.check);
        }
        for finding in replay.findings().iter().filter(|finding| finding.severity >= FAILS_FROM) {
            println!("{} {}: {}", finding.code, replay.trace_id(), finding.message);
        }
        ControlFlow::Continue(())
    })?;
    summary.damage.iter().try_for_each(|damage| writeln!(out, "damage: {damage}"))?;
    Ok(())
}
