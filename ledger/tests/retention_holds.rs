//! Retention over the holds and erasures that a ledger has recorded: each kind of hold keeps its payloads, a
//! release lets them go, and an authority that the gate cannot read is none.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::path::{Path, PathBuf};

use common::erasing::erasure;
use common::{NOW_MS, auth_context, bare, chain, decision_about, genesis, hash_of, tool_call};
use proofline_canon::{ContentStore, Sha256Digest};
use proofline_ledger::{
    Action, ArchiveOrder, BlobState, Blobs, Ledger, LedgerHolds, Options, Outcome, RetentionPlan,
    RetentionRules, Seq, Snapshot, archive, plan_retention,
};
use proofline_proof::sealed::{SubjectKey, seal_bytes};
use proofline_trace::EnvelopeHash;

struct Office {
    _folder: tempfile::TempDir,
    dir: PathBuf,
    ledger: Ledger,
}

impl Office {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("ledger");
        Ledger::init(&dir, &genesis()).unwrap();
        let ledger = Ledger::open(&dir, Options { segment_bytes: 4096, ..Options::default() }).unwrap();
        Office { _folder: folder, dir, ledger }
    }

    /// A trace with one call that names these two payloads.
    fn call(&self, trace: u32, request: &Sha256Digest, response: &Sha256Digest) {
        let chain = chain(trace, 0);
        for line in &chain {
            self.accept(line);
        }
        self.accept(&call_of(trace, &hash_of(&chain[1]), request, response));
    }

    fn accept(&self, line: &str) {
        let outcome = self.ledger.commit_action(&bare(line), NOW_MS).unwrap();
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}: {line}");
    }

    /// An accepted decision in this trace, which has a context already.
    fn decide(&self, trace: u32, result: &str, action: &str, resource: &str) -> String {
        let context = hash_of(&auth_context(trace, "staff/ines"));
        let decision = decision_about(trace, &context, result, action, resource);
        self.accept(&decision);
        hash_of(&decision)
    }

    /// The place and the hash of a system entry that is let in.
    fn system(&self, body: &str) -> (Seq, EnvelopeHash) {
        match self.ledger.commit_action(&Action::System(body.as_bytes()), NOW_MS).unwrap() {
            Outcome::Accepted { envelope_hash, seq, .. } => (seq, envelope_hash),
            other => panic!("{other:?}: {body}"),
        }
    }

    fn hold(&self, target: &str) -> (Seq, EnvelopeHash) {
        self.system(&format!(r#"{{"reason":"a suit","system_type":"hold","target":{target},"version":"1"}}"#))
    }

    fn plan(&self) -> RetentionPlan {
        plan_of(&self.dir, &Snapshot::open(&self.dir).unwrap(), &[])
    }

    fn state(&self, payload: &Sha256Digest) -> BlobState {
        let plan = self.plan();
        let found = plan.blobs.into_iter().find(|blob| blob.sha256 == *payload);
        found.expect("the rule speaks of every payload").state
    }
}

fn plan_of(dir: &Path, snapshot: &Snapshot, archived: &[Seq]) -> RetentionPlan {
    let rules = br#"{"retention_version":"1","erase":[{"id":"all","min_age_ms":1}]}"#;
    let rules = RetentionRules::parse(rules).unwrap();
    let holds = LedgerHolds::of(snapshot, &Blobs::open(dir).unwrap()).unwrap();
    plan_retention(snapshot, archived, &rules, &holds, NOW_MS + 1).unwrap()
}

fn call_of(trace: u32, decision: &str, request: &Sha256Digest, response: &Sha256Digest) -> String {
    let call = tool_call(trace, &hash_of(&auth_context(trace, "staff/ines")), decision, 0);
    let named = |number: u32| format!(r#""sha256":"{number:064x}""#);
    let by = |payload: &Sha256Digest| format!(r#""sha256":"{payload}""#);
    call.replace(&named(0), &by(request)).replace(&named(1), &by(response))
}

fn subject_key(byte: u8) -> SubjectKey {
    SubjectKey::from_bytes(&zeroize::Zeroizing::new([byte; 32]))
}

fn named(text: &str) -> Sha256Digest {
    Sha256Digest::of(text.as_bytes())
}

fn held(seq: Seq, target: &str) -> BlobState {
    BlobState::Held(format!("the legal hold of entry {seq} on {target}"))
}

#[test]
fn a_hold_keeps_what_it_is_on_and_what_refers_or_is_sealed() {
    let office = Office::new();
    let (key, other_key) = (subject_key(3), subject_key(4));
    let blobs = Blobs::open(&office.dir).unwrap();
    let seal = |key: &SubjectKey| {
        let bytes = seal_bytes(key, b"born 1980-02-29");
        let name = Sha256Digest::of(&bytes);
        blobs.put(&name, &bytes).unwrap();
        name
    };
    let (sealed, sealed_too) = (seal(&key), seal(&other_key));
    office.call(1, &named("1a"), &named("1b"));
    office.call(2, &named("2a"), &named("2b"));
    office.call(3, &sealed, &sealed_too);
    office.call(4, &named("4a"), &named("4b"));
    // A refused attempt of the second trace refers to a payload of the fourth.
    let attempt = call_of(2, &"0".repeat(64), &named("4a"), &named("4a"));
    let refused = office.ledger.commit_action(&bare(&attempt), NOW_MS).unwrap();
    assert!(matches!(refused, Outcome::Refused { seq: Some(_), .. }), "{refused:?}");
    let all = ["1a", "1b", "2a", "2b", "4a", "4b"].map(named);
    for payload in all.iter().chain([&sealed, &sealed_too]) {
        assert_eq!(office.state(payload), BlobState::NeedsAuthority);
    }

    let of_blob = |name: &Sha256Digest| format!(r#"{{"kind":"blob","sha256":"{name}"}}"#);
    let (on_blob, _) = office.hold(&of_blob(&named("1a")));
    let trace = format!("{:032x}", 2);
    let (on_trace, hold) = office.hold(&format!(r#"{{"kind":"trace","trace_id":"{trace}"}}"#));
    let (on_key, _) = office.hold(&format!(r#"{{"key_id":"{}","kind":"subject"}}"#, key.id()));
    let by_blob = held(on_blob, &format!("blob/{}", named("1a")));
    let by_trace = held(on_trace, &format!("trace/{trace}"));
    let by_key = held(on_key, &format!("subject/{}", key.id()));
    let free = || BlobState::NeedsAuthority;
    let states = |by_trace: BlobState| {
        [
            (named("1a"), by_blob.clone()),
            (named("1b"), free()),
            (named("2a"), by_trace.clone()),
            (named("2b"), by_trace.clone()),
            (named("4a"), by_trace),
            (named("4b"), free()),
            (sealed, by_key.clone()),
            (sealed_too, free()),
        ]
    };
    for (payload, state) in states(by_trace) {
        assert_eq!(office.state(&payload), state);
    }
    // A hold is over once it is released, and only that one.
    let authority = office.decide(1, "allow", "release", &format!("hold/{hold}"));
    office.system(&format!(
        r#"{{"authority":"{authority}","hold":"{hold}","reason":"settled","system_type":"release","version":"1"}}"#
    ));
    for (payload, state) in states(free()) {
        assert_eq!(office.state(&payload), state);
    }
}

#[test]
fn what_is_erased_is_told_as_erased() {
    let office = Office::new();
    office.call(1, &named("1a"), &named("1b"));
    let authority = office.decide(1, "allow", "erase", &format!("blob/{}", named("1a")));
    assert_eq!(office.state(&named("1a")), BlobState::Due(authority.parse().unwrap()));
    office.system(&erasure(&named("1a"), "art. 17", &authority));
    assert_eq!(office.state(&named("1a")), BlobState::Erased);
    assert_eq!(office.state(&named("1b")), BlobState::NeedsAuthority);
}

#[test]
fn a_decision_that_is_archived_is_no_authority() {
    let office = Office::new();
    office.call(1, &named("1a"), &named("1b"));
    let early = office.decide(1, "allow", "erase", &format!("blob/{}", named("1a")));
    for trace in 2..12 {
        office.call(trace, &named("x"), &named("y"));
    }
    assert_eq!(office.state(&named("1a")), BlobState::Due(early.parse().unwrap()));
    let out = office.dir.with_file_name("archive");
    let Office { _folder, dir, ledger } = office;
    drop(ledger);
    let order = ArchiveOrder { before: Seq::new(20), out: &out, place: "", now_ms: 0 };
    assert!(!archive(&dir, &order, &mut |_| {}).unwrap().moved.is_empty());
    let archived: Vec<Seq> =
        Snapshot::open(&dir).unwrap().archived().iter().map(|one| one.first_seq).collect();
    let state = || {
        let brought = Snapshot::open_with_archives(&dir, std::slice::from_ref(&out)).unwrap();
        let plan = plan_of(&dir, &brought, &archived);
        plan.blobs.into_iter().find(|blob| blob.sha256 == named("1a")).unwrap().state
    };
    assert_eq!(state(), BlobState::NeedsAuthority);
    // The gate agrees: it does not let in what rests on the archived one, and takes a new one.
    let ledger = Ledger::open(&dir, Options::default()).unwrap();
    let body = erasure(&named("1a"), "art. 17", &early);
    let refused = ledger.commit_action(&Action::System(body.as_bytes()), NOW_MS).unwrap_err();
    assert_eq!(refused.code(), "ledger.archived");
    let context = auth_context(99, "staff/ines");
    let late = decision_about(99, &hash_of(&context), "allow", "erase", &format!("blob/{}", named("1a")));
    for line in [&context, &late] {
        ledger.commit_action(&bare(line), NOW_MS).unwrap();
    }
    assert_eq!(state(), BlobState::Due(hash_of(&late).parse().unwrap()));
    let body = erasure(&named("1a"), "art. 17", &hash_of(&late));
    let outcome = ledger.commit_action(&Action::System(body.as_bytes()), NOW_MS).unwrap();
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
}
