//! Ledgers with keys: what signs, what is added to the list, and copies of whole folders.

use std::fs;
use std::path::Path;

use super::{NOW_MS, bare, chain, genesis};
use proofline_ledger::{Action, Ledger, Options, Outcome, Seq, Snapshot};
use proofline_proof::files::producer::sign_envelope;
use proofline_proof::tree::Frontier;
use proofline_proof::{KeyName, KeyRole, SecretKey, Signer, VerifierKey};
use proofline_trace::{EnvelopeHash, KeyReference, ProducerSignature, SignatureText, TraceId};
use zeroize::Zeroizing;

pub(crate) fn secret(name: &str, role: KeyRole, seed: u8) -> SecretKey {
    SecretKey::from_seed(KeyName::new(name).unwrap(), role, &Zeroizing::new([seed; 32])).unwrap()
}

pub(crate) fn log_key(seed: u8) -> SecretKey {
    secret(genesis().origin.as_str(), KeyRole::Log, seed)
}

pub(crate) fn fresh() -> (tempfile::TempDir, Ledger) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    Ledger::init(&path, &genesis()).unwrap();
    let options = Options { segment_bytes: 8192, group_records: 5, ..Options::default() };
    let ledger = Ledger::open(&path, options).unwrap();
    (dir, ledger)
}

pub(crate) fn commit(ledger: &Ledger, traces: std::ops::Range<u32>) {
    let lines: Vec<String> = traces.flat_map(|number| chain(number, 3)).collect();
    let actions: Vec<_> = lines.iter().map(|line| bare(line)).collect();
    for outcome in ledger.commit_actions(&actions, NOW_MS).unwrap() {
        assert!(matches!(outcome, Outcome::Accepted { .. }));
    }
}

pub(crate) fn system(ledger: &Ledger, record: &proofline_trace::KeyRecord) -> Outcome {
    ledger.commit_action(&Action::System(&record.canonical()), NOW_MS).unwrap()
}

pub(crate) fn add(ledger: &Ledger, key: &SecretKey, by: Option<&SecretKey>) -> Outcome {
    let list = ledger.snapshot().unwrap().key_list().unwrap();
    system(ledger, &list.addition(key, by.map(|by| by as &dyn Signer)).unwrap())
}

pub(crate) fn retire(ledger: &Ledger, key: &VerifierKey, by: &SecretKey) -> Outcome {
    let list = ledger.snapshot().unwrap().key_list().unwrap();
    system(ledger, &list.retirement(key, by).unwrap())
}

/// The root over the headers of the first entries, read one by one.
pub(crate) fn root_of(path: &Path, size: u64) -> String {
    let snapshot = Snapshot::open(path).unwrap();
    let mut frontier = Frontier::empty();
    for seq in 0..size {
        frontier.push(snapshot.entry(Seq::new(seq)).unwrap().unwrap().leaf_hash());
    }
    frontier.root().to_base64()
}

pub(crate) fn signature(hash: &EnvelopeHash, trace: TraceId, key: &SecretKey) -> ProducerSignature {
    let dsse = sign_envelope(hash, key).unwrap();
    ProducerSignature {
        target_trace_id: trace,
        envelope_sha256: *hash,
        key: KeyReference::new(&key.verifier().short_name()).unwrap(),
        signature: SignatureText::new(&proofline_canon::base64(&dsse.signatures()[0].sig)).unwrap(),
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            fs::copy(entry.path(), target).map(|_| ()).unwrap()
        }
    }
}
