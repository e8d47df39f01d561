//! The work under real policies that ships in `vectors/redecisions`.

use proofline_canon::{ContentStore, Limits, MemoryStore, Sha256Digest};
use proofline_ledger::{Action, EvidenceLine, Ledger, Options};

use super::{NOW_MS, fresh, vectors};

pub fn payloads() -> MemoryStore {
    let store = MemoryStore::new();
    for file in std::fs::read_dir(vectors().join("redecisions/payloads")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        store.put(&Sha256Digest::of(&bytes), &bytes).unwrap();
    }
    store
}

pub fn evidence() -> (tempfile::TempDir, Ledger) {
    let (dir, ledger) = fresh(Options::default());
    let text = std::fs::read(vectors().join("redecisions/evidence.jsonl")).unwrap();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line = EvidenceLine::read(line, &Limits::ENVELOPE).unwrap();
        ledger.commit_action(&Action::Evidence(line.submission()), NOW_MS).unwrap();
    }
    (dir, ledger)
}
