//! An invariant audit: what in this ledger is legal, and would still make a person look twice?
//! Prints each kind of finding once, with where it was found.
//!
//! ```sh
//! cargo run --example invariant_audit             # over the evidence that ships with the project
//! cargo run --example invariant_audit -- FOLDER   # over a ledger of your own
//! ```
#![allow(clippy::print_stdout, reason = "an example prints")]

mod shipped;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use proofline::ledger::Snapshot;
use proofline::replay::{Means, Mode, Plan, TraceReplay, replay};

fn main() -> Result<(), Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let dir = match std::env::args_os().nth(1) {
        Some(dir) => PathBuf::from(dir),
        None => shipped::ledger(&temporary.path().join("ledger"), &["agent-work.jsonl"])?,
    };
    let plan = Plan { mode: Mode::Invariant, ..Plan::default() };
    let mut verdicts: Vec<TraceReplay> = Vec::new();
    let summary = replay(&Snapshot::open(&dir)?, &Means::default(), &plan, &mut verdicts)?;

    let mut by_kind = BTreeMap::new();
    for verdict in &verdicts {
        for finding in verdict.findings() {
            let kind = (finding.severity, finding.code);
            by_kind.entry(kind).or_insert_with(Vec::new).push((verdict.trace_id(), &finding.message));
        }
    }
    println!(
        "{} of {} traces keep the invariants; the policy was not decided again",
        summary.passed, summary.traces
    );
    for ((severity, code), found) in by_kind.iter().rev() {
        println!("\n{code} ({severity}), {} times", found.len());
        for (trace, message) in found {
            println!("  {trace}  {message}");
        }
    }
    Ok(())
}
