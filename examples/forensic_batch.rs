//! A forensic batch: replay everything in a ledger and print one line a failing trace, as a
//! nightly job would. Exits with 1 when a verdict failed or the log is damaged.
//!
//! ```sh
//! cargo run --example forensic_batch             # over the evidence that ships with the project
//! cargo run --example forensic_batch -- FOLDER   # over a ledger of your own
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use std::error::Error;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use proofline::canon::Limits;
use proofline::ledger::{Action, EvidenceLine, Genesis, Ledger, Options, Snapshot};
use proofline::replay::{Event, Plan, ReplaySink, RunVerdict, TraceReplay, replay};
use proofline::trace::LedgerId;

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
        None => shipped_evidence(&temporary.path().join("ledger"))?,
    };
    let snapshot = Snapshot::open(&dir)?;
    let mut reporter = Reporter::default();
    let summary = replay(&snapshot, None, &Plan::default(), &mut reporter)?;
    println!("{} of {} traces pass; the end of the log is {}", reporter.passed, summary.traces, summary.end);
    for damage in &summary.damage {
        println!("damage: {damage}");
    }
    Ok(if summary.verdict() == RunVerdict::AllWell { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A ledger of the evidence that ships with the project; what the gate refuses is kept or not, as
/// the contract says.
fn shipped_evidence(dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let text =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/evidence/agent-work.jsonl"))?;
    let ledger_id = LedgerId::from_bytes([0; 16]);
    Ledger::init(dir, &Genesis { ledger_id, origin: "example.org/batch".parse()?, created_at_ms: 0 })?;
    let ledger = Ledger::open(dir, Options::default())?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let lines =
        lines.map(|line| EvidenceLine::read(line, &Limits::ENVELOPE)).collect::<Result<Vec<_>, _>>()?;
    let actions: Vec<_> = lines.iter().map(|line| Action::Evidence(line.submission())).collect();
    ledger.commit_actions(&actions, 0)?;
    Ok(dir.to_owned())
}
