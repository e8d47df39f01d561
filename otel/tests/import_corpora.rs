//! The recorded agent runs, imported: every span accounted for, replayable, and the same from every form of the file.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests fail by panicking, and say loudly what they skip"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use proofline_canon::{ContentStore, Limits, Sha256Digest, Value, parse};
use proofline_ledger::{Blobs, EntryKind, Genesis, Ledger, Options, Seq, Snapshot};
use proofline_otel::read::ReadOptions;
use proofline_otel::{ImportOrder, Imported, import_file};
use proofline_trace::{Envelope, LedgerId, Origin, read_canonical};

const NOW_MS: u64 = 1_790_000_000_000;

fn corpora() -> Option<PathBuf> {
    let folder = std::env::var_os("PROOFLINE_CORPORA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: PROOFLINE_CORPORA names no folder, so the recorded runs were not imported");
    }
    folder.map(|folder| folder.join("agent-runs"))
}

fn new_ledger(dir: &Path) -> (Ledger, Blobs) {
    let genesis = Genesis {
        ledger_id: LedgerId::from_bytes([7; 16]),
        origin: Origin::new("ledger.example/otel").unwrap(),
        created_at_ms: NOW_MS,
    };
    Ledger::init(dir, &genesis).unwrap();
    (Ledger::open(dir, Options::default()).unwrap(), Blobs::open(dir).unwrap())
}

fn import(ledger: &Ledger, blobs: &Blobs, order: &ImportOrder, file: &Path) -> Imported {
    let mut input = File::open(file).unwrap();
    let options = ReadOptions::default();
    import_file(ledger, blobs, order, &mut input, &options, &mut || NOW_MS, &mut |_| {}).unwrap()
}

/// Every body of a ledger, in order, with its kind.
fn bodies(dir: &Path) -> Vec<(EntryKind, Vec<u8>)> {
    let snapshot = Snapshot::open(dir).unwrap();
    let entry = |seq| snapshot.entry(Seq::new(seq)).unwrap().unwrap();
    (0..snapshot.entries()).map(entry).map(|entry| (entry.header.status.kind(), entry.body)).collect()
}

#[test]
fn every_span_is_accounted_for_in_each_form() {
    let Some(corpora) = corpora() else { return };
    let order = ImportOrder::recording().unwrap();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ledger, blobs) = new_ledger(one.path());
    let imported = import(&ledger, &blobs, &order, &corpora.join("airline.otlp.jsonl"));
    let totals = imported.account.totals;
    let counts = [totals.spans, totals.model_calls, totals.tool_calls, totals.shapes, totals.refused];
    assert_eq!(counts.map(|count| count.get()), [150 + 2102 + 1018, 2102, 1018, 150, 0]);
    assert_eq!([totals.unreadable, totals.denied].map(|count| count.get()), [0, 0]);
    assert_eq!([totals.allowed, totals.messages].map(|count| count.get()), [2102 + 1018, 150]);
    let mut before = bodies(one.path());

    // Again, nothing changes.
    let again = import(&ledger, &blobs, &order, &corpora.join("airline.otlp.jsonl"));
    assert_eq!((again.appended, again.new_spans, again.account_sha256), (0, 0, imported.account_sha256));

    // Protobuf gives the same contents; its account names another file.
    let (other, other_blobs) = new_ledger(two.path());
    import(&other, &other_blobs, &order, &corpora.join("airline.otlp.pb"));
    let mut after = bodies(two.path());
    let accounts = (before.pop().unwrap(), after.pop().unwrap());
    assert_ne!(accounts.0, accounts.1);
    assert_eq!(before, after);
}

type Hashes = BTreeMap<(u64, String), Vec<(Sha256Digest, Sha256Digest)>>;

/// Request and response of each model call by the conversation's place; times tell runs of the same task apart.
fn model_payloads(dir: &Path) -> Hashes {
    let mut found: Hashes = BTreeMap::new();
    for (kind, body) in bodies(dir) {
        let envelope = (kind == EntryKind::Accepted).then(|| read_canonical(&body, &Limits::ENVELOPE));
        if let Some(Some(Envelope::ModelCall(call))) = envelope {
            let key = (call.started_at_ms.get(), call.model.model.to_string());
            found.entry(key).or_default().push((call.request.sha256, call.response.sha256));
        }
    }
    found
}

fn document(blobs: &Blobs, name: &Sha256Digest) -> Value {
    parse(&blobs.get(name).unwrap().unwrap(), &Limits::CONTENT).unwrap()
}

#[test]
fn older_conventions_give_the_same_payloads_for_the_same_messages() {
    let Some(corpora) = corpora() else { return };
    let order = ImportOrder::recording().unwrap();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (new, new_blobs) = new_ledger(one.path());
    import(&new, &new_blobs, &order, &corpora.join("airline.otlp.jsonl"));
    let (old, old_blobs) = new_ledger(two.path());
    let imported = import(&old, &old_blobs, &order, &corpora.join("airline-older-style.otlp.jsonl"));
    assert_eq!(imported.account.totals.refused.get(), 0);

    let newer: Vec<_> = model_payloads(one.path()).into_values().flatten().collect();
    let messages_of = |blobs: &Blobs, name: &Sha256Digest| document(blobs, name).get("messages").cloned();
    let responses: BTreeMap<Sha256Digest, ()> = newer.iter().map(|(_, response)| (*response, ())).collect();
    let requests: BTreeMap<Sha256Digest, ()> = newer.iter().map(|(request, _)| (*request, ())).collect();
    let (mut calls, mut same_request) = (0, 0);
    for (request, response) in model_payloads(two.path()).into_values().flatten() {
        calls += 1;
        assert!(responses.contains_key(&response), "{:?}", messages_of(&old_blobs, &response));
        same_request += u64::from(requests.contains_key(&request));
    }
    eprintln!("{calls} calls, {same_request} with a request of the same hash");
    assert_eq!(calls, imported.account.totals.model_calls.get());
    assert!(same_request >= 20, "at least the first of each run");
}
