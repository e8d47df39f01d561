//! Compare runs before and after a model change, and fail a build on drift: the candidate must
//! follow the same policy path as its baseline, and differ only in what models answer.
//!
//! ```sh
//! cargo run --example drift_gate                     # the evidence that ships with the project
//! cargo run --example drift_gate -- FOLDER PAIRS     # a ledger and a file of pairs: exits with 1 on drift
//! ```
#![allow(clippy::print_stdout, reason = "an example prints")]

mod shipped;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use proofline::ledger::Snapshot;
use proofline::replay::{Pairs, Plan, TraceReplay, VariancePolicy, replay};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let is_build = arguments.len() == 2;
    let (dir, pairs) = match <[PathBuf; 2]>::try_from(arguments) {
        Ok([dir, pairs]) => (dir, pairs),
        Err(_) => {
            let files = ["agent-work.jsonl", "agent-work-after-model-change.jsonl"];
            let dir = shipped::ledger(&temporary.path().join("ledger"), &files)?;
            (dir, shipped::evidence("pairs.jsonl"))
        }
    };
    let pairs = Pairs::parse(&std::fs::read(pairs)?)?;
    let plan = Plan::constrained(pairs, VariancePolicy::MODEL_OUTPUT);
    let mut verdicts: Vec<TraceReplay> = Vec::new();
    let summary = replay(&Snapshot::open(&dir)?, None, &plan, &mut verdicts)?;
    for verdict in &verdicts {
        if let Some(failure) = verdict.failure() {
            println!("{}: {}", verdict.trace_id(), failure.message);
        }
    }
    println!("{} of {} runs went as before, {} drifted", summary.passed, summary.traces, summary.failed);
    Ok(if is_build && summary.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
