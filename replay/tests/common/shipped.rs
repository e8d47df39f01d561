//! The evidence that ships, in a ledger, and its payloads.

use proofline_canon::{ContentStore, Limits, MemoryStore, Sha256Digest};
use proofline_ledger::{Action, EvidenceLine, Ledger, Options};

use super::{NOW_MS, fresh, vectors};

/// The evidence that ships, committed line by line.
pub fn agent_work(options: Options) -> (tempfile::TempDir, Ledger) {
    let (dir, ledger) = fresh(options);
    bring_in(&ledger, "evidence/agent-work.jsonl");
    (dir, ledger)
}

pub fn bring_in(ledger: &Ledger, file: &str) {
    let text = std::fs::read(vectors().join(file)).unwrap();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    for line in lines {
        if let Ok(line) = EvidenceLine::read(line, &Limits::ENVELOPE) {
            ledger.commit_action(&Action::Evidence(line.submission()), NOW_MS).unwrap();
        }
    }
}

pub fn payloads() -> MemoryStore {
    let store = MemoryStore::new();
    put_payloads(&store, "evidence/payloads.jsonl");
    store
}

pub fn put_payloads(store: &MemoryStore, file: &str) {
    let text = std::fs::read(vectors().join(file)).unwrap();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        store.put(&Sha256Digest::of(line), line).unwrap();
    }
}
