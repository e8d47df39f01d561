//! What the tests of replay share: golden files, ledgers forged without a gate, honest ledgers,
//! and evidence by hand.
#![allow(dead_code, unreachable_pub, reason = "each test file takes what it needs")]

pub mod decided;
pub mod evidence;
pub mod forge;
pub mod forged_index;
pub mod random;
pub mod reports;
pub mod shipped;
pub mod strict_html;
pub mod work;

use std::path::{Path, PathBuf};

use proofline_canon::{Limits, Value, parse, unhex};
use proofline_ledger::{Action, Genesis, Ledger, Options, Outcome, Snapshot};
use proofline_replay::{Means, Plan, Summary, TraceReplay, replay};
use proofline_trace::LedgerId;

/// 2026-01-31T00:00:00Z.
pub const NOW_MS: u64 = 1_769_817_600_000;

pub fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors")
}

/// A golden file.
pub fn golden(name: &str) -> Value {
    let bytes = std::fs::read(vectors().join(name)).unwrap();
    parse(&bytes, &Limits::CONTENT).unwrap()
}

/// Shorthand for looking into golden files, where everything is where it belongs.
pub trait Look {
    fn at(&self, name: &str) -> &Value;
    fn text(&self, name: &str) -> &str;
    fn number(&self, name: &str) -> u64;
    fn items(&self, name: &str) -> &[Value];
    fn flag(&self, name: &str) -> bool;
    /// Bytes given as text, or as hex under `{name}_hex`.
    fn bytes(&self, name: &str) -> Vec<u8>;
}

impl Look for Value {
    fn at(&self, name: &str) -> &Value {
        self.get(name).unwrap_or_else(|| panic!("no member {name}"))
    }

    fn text(&self, name: &str) -> &str {
        self.at(name).as_str().unwrap_or_else(|| panic!("{name} is no text"))
    }

    fn number(&self, name: &str) -> u64 {
        self.at(name).as_number().unwrap().literal().parse().unwrap()
    }

    fn items(&self, name: &str) -> &[Value] {
        self.at(name).as_array().unwrap()
    }

    fn flag(&self, name: &str) -> bool {
        self.at(name).as_bool().unwrap()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        if let Some(text) = self.get(name) {
            return text.as_str().unwrap().as_bytes().to_vec();
        }
        let hex = self.text(&format!("{name}_hex"));
        let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| unhex::<1>(pair).unwrap()[0]).collect()
    }
}

pub fn genesis() -> Genesis {
    Genesis {
        ledger_id: LedgerId::from_bytes([7; 16]),
        origin: "ledger.example/test".parse().unwrap(),
        created_at_ms: NOW_MS,
    }
}

/// A new ledger and the folder that goes away with it.
pub fn fresh(options: Options) -> (tempfile::TempDir, Ledger) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    Ledger::init(&path, &genesis()).unwrap();
    let ledger = Ledger::open(&path, options).unwrap();
    (dir, ledger)
}

/// A ledger into which these bare envelopes were committed, whatever the gate said of them.
pub fn committed(lines: &[String]) -> (tempfile::TempDir, Ledger) {
    let (dir, ledger) = fresh(Options::default());
    commit(&ledger, lines);
    (dir, ledger)
}

pub fn commit(ledger: &Ledger, lines: &[String]) -> Vec<Outcome> {
    let actions: Vec<Action<'_>> = lines.iter().map(|line| evidence::bare(line)).collect();
    ledger.commit_actions(&actions, NOW_MS).unwrap()
}

/// Replays without payloads and keeps all verdicts.
pub fn run(snapshot: &Snapshot, plan: &Plan) -> (Vec<TraceReplay>, Summary) {
    let mut verdicts = Vec::new();
    let summary = replay(snapshot, &Means::default(), plan, &mut verdicts).unwrap();
    (verdicts, summary)
}

/// The whole output as a program would print it.
pub fn output(snapshot: &Snapshot, plan: &Plan) -> Vec<Vec<u8>> {
    let (verdicts, summary) = run(snapshot, plan);
    let values = verdicts.iter().map(TraceReplay::to_value).chain([summary.to_value()]);
    values.map(|value| value.to_canonical(proofline_canon::Profile::Envelope).unwrap()).collect()
}

/// The one verdict of a run over one trace.
pub fn one(verdicts: Vec<TraceReplay>) -> TraceReplay {
    assert_eq!(verdicts.len(), 1);
    verdicts.into_iter().next().unwrap()
}
