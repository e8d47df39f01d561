//! A forensic batch: replay everything in a ledger and print one line a failing trace, as a
//! nightly job would. Exits with 1 when a verdict failed or the log is damaged.
//!
//! ```sh
//! cargo run --example forensic_batch             # over the evidence that ships with the project
//! cargo run --example forensic_batch -- FOLDER   # over a ledger of your own
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

mod shipped;

use std::error::Error;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use proofline::ledger::Snapshot;
use proofline::replay::{Event, Means, Plan, ReplaySink, RunVerdict, TraceReplay, replay};

/// Counts what comes and tells of what failed; a job of your own would write to its own log.
#[derive(Default)]
struct Reporter {
    passed: u64,
}

impl ReplaySink for Reporter {
    fn verdict(&mut self, replay: TraceReplay) -> ControlFlow<()> {
        match replay.failure() {
            None => self.passed += 1,
            Some(failure) => println!("FAIL {}: {} ({})", replay.trace_id(), failure.message, failure.check),
        }
        for finding in replay.findings() {
            println!("note {}: {} {}", replay.trace_id(), finding.severity, finding.message);
        }
        ControlFlow::Continue(())
    }

    fn event(&mut self, event: &Event) -> ControlFlow<()> {
        if let Event::TracesReplayed { traces, .. } = event {
            eprintln!("{traces} traces so far");
        }
        ControlFlow::Continue(())
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let dir = match std::env::args_os().nth(1) {
        Some(dir) => PathBuf::from(dir),
        None => shipped::ledger(&temporary.path().join("ledger"), &["agent-work.jsonl"])?,
    };
    let snapshot = Snapshot::open(&dir)?;
    let mut reporter = Reporter::default();
    let summary = replay(&snapshot, &Means::default(), &Plan::default(), &mut reporter)?;
    println!("{} of {} traces pass; the end of the log is {}", reporter.passed, summary.traces, summary.end);
    for damage in &summary.damage {
        println!("damage: {damage}");
    }
    Ok(if summary.verdict() == RunVerdict::AllWell { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
