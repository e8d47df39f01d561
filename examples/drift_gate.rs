//! Compare runs before and after a model change, and fail a build on drift: the candidate must
//! follow the same policy path as its baseline, and differ only in what models answer.
//!
//! ```sh
//! cargo run --example drift_gate                     # the evidence that ships with the project
//! cargo run --example drift_gate -- FOLDER PAIRS     # a ledger and a file of pairs: exits with 1 on drift or damage
//! ```
#![allow(clippy::print_stdout, reason = "an example prints")]

mod shipped;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use proofline::ledger::Snapshot;
use proofline::replay::{Means, Pairs, Plan, RunVerdict, TraceReplay, VariancePolicy, replay};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let is_build = !arguments.is_empty();
    let (dir, pairs) = match arguments.as_slice() {
        [dir, pairs] => (dir.clone(), pairs.clone()),
        // A gate that was called wrongly must not open.
        [_, ..] => return Err("give a ledger's folder and a file of pairs, or nothing".into()),
        [] => {
            let files = ["agent-work.jsonl", "agent-work-after-model-change.jsonl"];
            let dir = shipped::ledger(&temporary.path().join("ledger"), &files)?;
            (dir, shipped::evidence("pairs.jsonl"))
        }
    };
    let pairs = Pairs::parse(&std::fs::read(pairs)?)?;
    let plan = Plan::constrained(pairs, VariancePolicy::MODEL_OUTPUT);
    let mut verdicts: Vec<TraceReplay> = Vec::new();
    let summary = replay(&Snapshot::open(&dir)?, &Means::default(), &plan, &mut verdicts)?;
    for verdict in &verdicts {
        if let Some(failure) = verdict.failure() {
            println!("{}: {}", verdict.trace_id(), failure.message);
        }
    }
    println!("{} of {} runs went as before, {} drifted", summary.passed, summary.traces, summary.failed);
    for damage in &summary.damage {
        println!("damage: {damage}");
    }
    let went_well = summary.verdict() == RunVerdict::AllWell;
    Ok(if is_build && !went_well { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
