//! The five invariants of the contract (section 1), each by a test that tries to break it through
//! everything the public API offers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proofline::canon::{ContentStore, Sha256Digest};
use proofline::ledger::{
    Action, Blobs, Catalogue, DeclaredDigest, DeclaredType, Genesis, Ledger, Options, Outcome, Snapshot,
    Submission, reindex, salvage, verify,
};
use proofline::trace::{EnvelopeHash, LedgerId, certify};
use proofline_vectors::{EvidencePlan, Generator};

const NOW_MS: u64 = 1_769_817_600_000;

fn fresh() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let genesis = Genesis {
        ledger_id: LedgerId::from_bytes([1; 16]),
        origin: "invariants.example".parse().unwrap(),
        created_at_ms: NOW_MS,
    };
    Ledger::init(&path, &genesis).unwrap();
    (dir, path)
}

fn open(path: &Path) -> Ledger {
    Ledger::open(path, Options { segment_bytes: 16 << 10, ..Options::default() }).unwrap()
}

/// The envelopes of two traces, canonical, in an order in which the gate accepts all of them.
fn envelopes() -> Vec<Vec<u8>> {
    Generator::new(&EvidencePlan::clean(7, 2)).map(|record| record.sealed.canonical().to_vec()).collect()
}

fn commit(ledger: &Ledger, submission: Submission<'_>) -> Outcome {
    ledger.commit_action(&Action::Evidence(submission), NOW_MS).unwrap()
}

fn kind(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted { .. } => "ACCEPT".to_owned(),
        Outcome::Refused { rejection, .. } => rejection.kind.to_string(),
        other => panic!("{other:?}"),
    }
}

fn log_files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = fs::read_dir(path.join("log")).unwrap().map(|entry| entry.unwrap().path());
    names
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect()
}

fn edit(envelope: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(envelope.to_vec()).unwrap();
    let edited = text.replacen(from, to, 1);
    assert_ne!(text, edited, "{from} is not in {text}");
    edited.into_bytes()
}

/// The text between `front` and the next quotation mark.
fn member<'a>(envelope: &'a [u8], front: &str) -> &'a str {
    let text = std::str::from_utf8(envelope).unwrap();
    let (_, rest) = text.split_once(front).unwrap();
    rest.split_once('"').unwrap().0
}

/// INV-INT-001: nothing persists except through `commit_action`. Everything else that takes a
/// ledger's folder leaves the log as it was, byte for byte.
#[test]
fn inv_int_001_only_commit_action_changes_the_log() {
    let (dir, path) = fresh();
    let ledger = open(&path);
    let before = log_files(&path);
    let records = envelopes();
    for record in &records {
        assert_eq!(kind(&commit(&ledger, Submission::bare(record))), "ACCEPT");
    }
    let after = log_files(&path);
    assert_ne!(before, after, "commit_action does change it");

    // A payload that looks like an envelope is content: it is stored, and is no entry.
    let blobs = Blobs::open(&path).unwrap();
    let forged = edit(&records[0], "\"actor_id\":\"", "\"actor_id\":\"forged/");
    blobs.put(&Sha256Digest::of(&forged), &forged).unwrap();
    assert_eq!(Snapshot::open(&path).unwrap().with_hash(&EnvelopeHash::of(&forged)).unwrap(), []);

    let snapshot = ledger.snapshot().unwrap();
    for seq in 0..snapshot.entries() {
        snapshot.entry(proofline::ledger::Seq::new(seq)).unwrap().unwrap();
    }
    verify(&path, &mut |_| {}).unwrap();
    salvage(&path, dir.path().join("out")).unwrap();
    let mut catalogue = Catalogue::open(&snapshot).unwrap();
    catalogue.follow(&snapshot, &mut |_| {}).unwrap();
    drop(catalogue);
    drop(ledger);
    reindex(&path).unwrap();
    drop(open(&path));
    assert_eq!(log_files(&path), after);
}

/// INV-INT-001, the other half: what did not pass the gate is not there under any name.
#[test]
fn inv_int_001_what_the_gate_does_not_keep_leaves_nothing() {
    let (_dir, path) = fresh();
    let ledger = open(&path);
    let records = envelopes();
    let before = log_files(&path);
    let hash = EnvelopeHash::of(&records[0]).to_string();
    let attempts: [(DeclaredType<'_>, Vec<u8>); 4] = [
        (DeclaredType::Named("verdict"), records[0].clone()),
        (DeclaredType::Absent, records[0].clone()),
        (DeclaredType::Named("tool_call"), records[0].clone()),
        (DeclaredType::Own, edit(&records[0], "{", "{\"extra\":1,")),
    ];
    for (record_type, envelope) in attempts {
        let submission =
            Submission { record_type, declared_hash: DeclaredDigest::Text(&hash), envelope: &envelope };
        let outcome = commit(&ledger, submission);
        assert!(matches!(outcome, Outcome::Refused { seq: None, .. }), "{outcome:?}");
    }
    assert_eq!(log_files(&path), before);
}

/// INV-INT-002: certification needs a valid envelope, never content alone. (That the types allow
/// nothing else is shown by the `compile_fail` examples of `Certificate`.)
#[test]
fn inv_int_002_content_alone_is_not_certified() {
    let records = envelopes();
    let key = EnvelopeHash::of(&records[0]);
    assert_eq!(certify(&records[0], &key).unwrap().hash(), key);

    let contents: [&[u8]; 5] =
        [b"", b"{}", b"\"text\"", br#"{"a":1,"b":"hello","c":true}"#, b"\x00\xff not json"];
    for content in contents {
        assert!(certify(content, &EnvelopeHash::of(content)).is_err());
    }
    let spaced = [b" ", &records[0][..]].concat();
    assert!(certify(&spaced, &key).is_err(), "valid, but not canonical");
    assert!(certify(&spaced, &EnvelopeHash::of(&spaced)).is_err());
    assert!(certify(&records[0], &EnvelopeHash::of(&records[1])).is_err(), "another envelope's key");
    let zeros = format!("{:032x}", 0);
    let traceless = edit(&records[0], member(&records[0], "\"trace_id\":\""), &zeros);
    assert!(certify(&traceless, &EnvelopeHash::of(&traceless)).is_err(), "no trace");
}

/// INV-INT-003: every record carries the trace of its chain; a missing or different one is rejected.
#[test]
fn inv_int_003_a_record_without_or_of_another_trace_is_rejected() {
    let (_dir, path) = fresh();
    let ledger = open(&path);
    let records = envelopes();
    let own = member(&records[0], "\"trace_id\":\"").to_owned();
    let missing = edit(&records[0], &format!("\"trace_id\":\"{own}\""), "\"trace_id_\":\"x\"");
    let missing_kind = "schema_violation.trace_context.missing_trace_id";
    assert_eq!(kind(&commit(&ledger, Submission::bare(&missing))), missing_kind);

    for record in &records {
        assert_eq!(kind(&commit(&ledger, Submission::bare(record))), "ACCEPT");
    }
    let other = format!("{:032x}", 0xabcdef);
    let moved = |record: &Vec<u8>| edit(record, member(record, "\"trace_id\":\""), &other);
    let mut followers = 0;
    for record in records.iter().filter(|record| !member(record, "\"record_type\":\"").contains("auth")) {
        let outcome = commit(&ledger, Submission::bare(&moved(record)));
        assert_eq!(kind(&outcome), "trace_violation.trace_id_mismatch");
        followers += 1;
    }
    assert!(followers > 4);
}

/// INV-INT-004: no policy decision without a stored, authenticated context.
#[test]
fn inv_int_004_a_decision_needs_a_stored_context() {
    let (_dir, path) = fresh();
    let ledger = open(&path);
    let records = envelopes();
    let of_type =
        |wanted: &str| records.iter().find(|record| member(record, "\"record_type\":\"") == wanted).unwrap();
    let (context, decision) = (of_type("auth_context"), of_type("policy_decision"));
    let refused = "missing_prereq.auth_context";
    assert_eq!(kind(&commit(&ledger, Submission::bare(decision))), refused);

    // An attempt that was refused is in the ledger, and is no context.
    let wrong = format!("{:064x}", 1);
    let declared = Submission {
        record_type: DeclaredType::Named("auth_context"),
        declared_hash: DeclaredDigest::Text(&wrong),
        envelope: context,
    };
    assert_eq!(kind(&commit(&ledger, declared)), "hash_mismatch.envelope_hash");
    assert_eq!(kind(&commit(&ledger, Submission::bare(decision))), refused);

    // Nor is a payload of that hash, nor a decision in a context's place.
    Blobs::open(&path).unwrap().put(&Sha256Digest::of(context), context).unwrap();
    assert_eq!(kind(&commit(&ledger, Submission::bare(decision))), refused);
    assert_eq!(kind(&commit(&ledger, Submission::bare(context))), "ACCEPT");
    assert_eq!(kind(&commit(&ledger, Submission::bare(decision))), "ACCEPT");
    let own_context = member(decision, "\"auth_context_envelope_sha256\":\"").to_owned();
    let on_itself = edit(decision, &own_context, &EnvelopeHash::of(decision).to_string());
    assert_eq!(kind(&commit(&ledger, Submission::bare(&on_itself))), refused);
}

/// INV-INT-005: nothing is stored as accepted unless the declared hash is the computed one.
#[test]
fn inv_int_005_a_declared_hash_that_is_not_the_computed_one_is_rejected() {
    let (_dir, path) = fresh();
    let ledger = open(&path);
    let context = &envelopes()[0];
    let hash = EnvelopeHash::of(context);
    let text = hash.to_string();
    let pretty = [b"\n ", &context[..], b"\t"].concat();
    let of_raw_bytes = EnvelopeHash::of(&pretty).to_string();
    let long = "a".repeat(1000);
    let wrong = [
        String::new(),
        text.to_uppercase(),
        format!("{text} "),
        format!("0x{text}"),
        format!("sha256:{text}"),
        text[..63].to_owned(),
        text.replacen(&text[..1], if text.starts_with('0') { "1" } else { "0" }, 1),
        of_raw_bytes,
        long,
    ];
    let submit = |declared_hash| Submission {
        record_type: DeclaredType::Named("auth_context"),
        declared_hash,
        envelope: &pretty,
    };
    let declared = wrong.iter().map(|text| DeclaredDigest::Text(text)).chain([DeclaredDigest::Absent]);
    for declared in declared {
        let outcome = commit(&ledger, submit(declared));
        assert_eq!(kind(&outcome), "hash_mismatch.envelope_hash", "{declared:?}");
        assert_eq!(ledger.snapshot().unwrap().accepted(&hash).unwrap(), None);
    }
    assert_eq!(kind(&commit(&ledger, submit(DeclaredDigest::Text(&text)))), "ACCEPT");
    let seq = ledger.snapshot().unwrap().accepted(&hash).unwrap().unwrap();
    let entry = ledger.snapshot().unwrap().entry(seq).unwrap().unwrap();
    assert_eq!((entry.body, entry.header.envelope_hash), (context.clone(), hash));
}
