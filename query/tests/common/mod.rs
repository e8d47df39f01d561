//! Ledgers to ask: agents' work with refused attempts, and artifacts, in many small segments.
#![allow(dead_code, reason = "each test file takes what it needs")]

pub(crate) mod naive;

use std::path::Path;

use proofline_ledger::{Action, Genesis, Ledger, Options, Outcome};
use proofline_query::{Cost, Event, Filter, Plan, QueryError, Question, answer};
use proofline_trace::LedgerId;
use proofline_vectors::{EvidencePlan, Generator};
use tempfile::TempDir;

/// A fixed time: 2026-01-31T00:00:00Z.
pub(crate) const NOW_MS: u64 = 1_769_817_600_000;

/// How many entries are recorded at one time.
const GROUP: usize = 7;

pub(crate) fn is_full() -> bool {
    match std::env::var("PROOFLINE_EFFORT").as_deref() {
        Ok("full") => true,
        Err(_) | Ok("ci") => false,
        Ok(other) => panic!("PROOFLINE_EFFORT is ci or full, not {other}"),
    }
}

/// A verdict on a trace of which there is nothing, as the contract has it.
fn verdict(trace: &str) -> String {
    format!(
        r#"{{"failure_class":"REPLAY_CHAIN_NOT_FOUND","generated_at":"2026-01-31T00:00:00.000Z","input_envelope_hashes":[],"replay_type":"forensic","result":"fail","target_trace_id":"{trace}"}}"#
    )
}

/// Makes a ledger of so many traces.
pub(crate) fn ledger(seed: u64, traces: u64, segment_bytes: u64) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fill(home.path(), seed, traces, segment_bytes);
    home
}

fn fill(dir: &Path, seed: u64, traces: u64, segment_bytes: u64) {
    let genesis = Genesis {
        ledger_id: LedgerId::from_bytes([7; 16]),
        origin: "ledger.example/test".parse().unwrap(),
        created_at_ms: NOW_MS,
    };
    Ledger::init(dir, &genesis).unwrap();
    let ledger = Ledger::open(dir, Options { segment_bytes, ..Options::default() }).unwrap();
    let plan = EvidencePlan { refused_per_mille: 200, denied_per_mille: 200, ..EvidencePlan::default() };
    let lines: Vec<Vec<u8>> = Generator::new(&plan.with_seed(seed).with_traces(traces))
        .map(|submission| submission.line())
        .collect();
    for (at, group) in lines.chunks(GROUP).enumerate() {
        let actions: Vec<Action<'_>> = group.iter().map(|line| Action::Line(line)).collect();
        ledger.commit_actions(&actions, NOW_MS + 1000 * at as u64).unwrap();
    }
    let at_ms = NOW_MS + 10_000_000;
    for trace in ["f".repeat(32), "ab".repeat(16)] {
        let body = verdict(&trace);
        let outcome = ledger.commit_action(&Action::Artifact(body.as_bytes()), at_ms).unwrap();
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    }
}

/// What came of a question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) seqs: Vec<u64>,
    pub(crate) undecided: usize,
    pub(crate) damaged: usize,
    pub(crate) cost: Cost,
}

pub(crate) fn ask(snapshot: &proofline_ledger::Snapshot, question: &Question) -> (Answered, Plan) {
    let mut answered = Answered { seqs: Vec::new(), undecided: 0, damaged: 0, cost: Cost::default() };
    let view = |hit: &mut proofline_query::Hit<'_, '_>| Ok(hit.header().seq.get());
    let (plan, cost) = answer::<_, QueryError>(snapshot, question, &view, &mut |event| {
        match event {
            Event::Answer(seq) => answered.seqs.push(seq),
            Event::Undecided(_) => answered.undecided += 1,
            Event::Damaged(_) => answered.damaged += 1,
        }
        Ok(())
    })
    .unwrap();
    answered.cost = cost;
    (answered, plan)
}

pub(crate) fn filter(text: &str) -> Filter {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}
