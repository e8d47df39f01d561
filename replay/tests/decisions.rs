//! Decisions asked again, against the independent reference: real policies, every kind of mismatch, what is not at
//! hand, what cannot be asked, and the same bytes whatever the number of threads.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use common::decided::{evidence, payloads};
use common::forge::Forged;
use common::{Look, golden, one, vectors};
use proofline_canon::{ContentStore, MemoryStore, Profile, Sha256Digest, StoreError, Value};
use proofline_ledger::{Seq, Snapshot};
use proofline_policy::CedarEngine;
use proofline_replay::{
    Means, Mode, Pair, Pairs, Plan, RunVerdict, Selection, Summary, TraceReplay, VariancePolicy, replay,
};
use proofline_trace::{Failure, FailureClass, FindingCode, TraceId};

fn with(store: &MemoryStore) -> Means<'_> {
    Means { payloads: Some(store), policies: Some(&CedarEngine), ..Means::default() }
}

fn invariant() -> Plan {
    Plan { mode: Mode::Invariant, ..Plan::default() }
}

fn asked(snapshot: &Snapshot, means: &Means<'_>, plan: &Plan) -> (Vec<TraceReplay>, Summary) {
    let mut verdicts = Vec::new();
    let summary = replay(snapshot, means, plan, &mut verdicts).unwrap();
    (verdicts, summary)
}

fn counts(replay: &TraceReplay) -> [u64; 3] {
    let it = &replay.diagnostics.coverage;
    [it.policy_re_decided.get(), it.policy_absent.get(), it.policy_unusable.get()]
}

fn counts_of(expected: &Value) -> [u64; 3] {
    ["re_decided", "absent", "unusable"].map(|name| expected.number(name))
}

/// Code, policy and entries of each finding about a policy.
fn findings(replay: &TraceReplay) -> Vec<(String, String, Vec<u64>)> {
    let codes = [FindingCode::PolicyNotAtHand, FindingCode::PolicyNotUsable];
    let about = replay.findings().iter().filter(|finding| codes.contains(&finding.code));
    let mut found: Vec<_> = about
        .map(|finding| {
            let name = finding.message.split(' ').nth(2).unwrap().to_owned();
            (finding.code.to_string(), name, finding.seqs.iter().map(|seq| seq.get()).collect())
        })
        .collect();
    found.sort();
    found
}

fn findings_of(expected: &Value) -> Vec<(String, String, Vec<u64>)> {
    let number = |seq: &Value| seq.as_number().unwrap().literal().parse().unwrap();
    let seqs = |row: &Value| row.items("seqs").iter().map(number).collect();
    let rows = expected.items("findings").iter();
    let mut rows: Vec<_> = rows
        .map(|row| (row.text("code").to_owned(), row.text("policy_sha256").to_owned(), seqs(row)))
        .collect();
    rows.sort();
    rows
}

#[test]
fn the_evidence_that_ships_is_decided_again() {
    let (expected, store) = (golden("redecisions/expected.json"), payloads());
    let (_dir, ledger) = evidence();
    let (verdicts, summary) = asked(&ledger.snapshot().unwrap(), &with(&store), &invariant());
    let totals = [summary.policy_re_decided, summary.policy_absent, summary.policy_unusable];
    assert_eq!((summary.verdict(), totals), (RunVerdict::AllWell, counts_of(expected.at("totals"))));
    assert_eq!(totals, [60, 11, 13]);
    assert_eq!(verdicts.len(), expected.items("traces").len());
    for (replay, row) in verdicts.iter().zip(expected.items("traces")) {
        assert_eq!(&replay.result.to_value(), row.at("record"));
        assert_eq!(replay.artifact_sha256.to_string(), row.text("artifact_sha256"));
        assert_eq!(counts(replay), counts_of(row.at("decisions")));
        assert_eq!(findings(replay), findings_of(row));
    }
    assert!(verdicts.iter().any(|replay| findings(replay).len() == 2));
}

#[test]
fn every_golden_case() {
    let store = payloads();
    for case in golden("redecisions/cases.json").items("cases") {
        let (dir, name) = (tempfile::tempdir().unwrap(), case.text("name"));
        let entries: Vec<Forged> = case.items("entries").iter().map(Forged::of).collect();
        let snapshot = common::forge::ledger(dir.path(), &entries);
        let trace: TraceId = case.text("trace_id").parse().unwrap();
        let plan = Plan {
            traces: Selection::from_iter([trace]),
            require_policies: case.flag("require_policies"),
            ..invariant()
        };
        let replay = one(asked(&snapshot, &with(&store), &plan).0);
        let expected = case.at("expected");
        assert_eq!(&replay.result.to_value(), expected.at("record"), "{name}");
        assert_eq!(replay.artifact_sha256.to_string(), expected.text("artifact_sha256"), "{name}");
        assert_eq!(counts(&replay), counts_of(expected.at("decisions")), "{name}");
        assert_eq!(findings(&replay), findings_of(expected), "{name}");
        match replay.failure() {
            Some(failure) => assert_failure(failure, expected.at("failure"), name),
            None => assert!(expected.at("failure").is_null(), "{name}"),
        }
    }
}

fn assert_failure(failure: &Failure, expected: &Value, name: &str) {
    let pointer = failure.pointer.as_ref().unwrap().to_string();
    assert_eq!(failure.class.as_str(), expected.text("classification"), "{name}");
    assert_eq!(pointer, expected.text("pointer"), "{name}");
    assert_eq!(failure.seq.unwrap().get(), expected.number("seq"), "{name}");
    assert_eq!(failure.envelope_hash.unwrap().to_string(), expected.text("envelope_hash"), "{name}");
    if ["decision", "policy"].contains(&expected.text("check")) {
        assert_eq!(failure.check.as_str(), expected.text("check"), "{name}");
    }
    for (side, found) in [("expected", &failure.expected), ("found", &failure.found)] {
        if let Some(text) = expected.get(side) {
            assert_eq!(found.as_deref(), text.as_str(), "{name}");
        }
    }
}

/// A failure as an auditor reads it.
#[test]
fn a_mismatch_says_who_was_to_do_what_and_both_answers() {
    let store = payloads();
    let message = |wanted: &str| {
        let cases = golden("redecisions/cases.json");
        let case = cases.items("cases").iter().find(|case| case.text("name") == wanted).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let entries: Vec<Forged> = case.items("entries").iter().map(Forged::of).collect();
        let snapshot = common::forge::ledger(dir.path(), &entries);
        let plan = Plan { require_policies: case.flag("require_policies"), ..invariant() };
        one(asked(&snapshot, &with(&store), &plan).0).failure().unwrap().message.clone()
    };
    let version = proofline_policy::PolicyEngine::version(&CedarEngine);
    assert_eq!(
        message("a denial recorded as an allow"),
        format!(
            "Policy desk version 1, asked again by cedar-policy {version}: tickets:read on deskwork/1 by user \
             staff/ines is denied; the record says allowed."
        )
    );
    assert!(message("a policy that fails, recorded as if it had not").ends_with(
        "is denied; the record says allowed. The policy could not evaluate \"trial-budget\", which denies."
    ));
    assert!(
        message("policies required, one not usable")
            .ends_with("is no policy that can be asked (cedar.no_id).")
    );
}

#[test]
fn without_an_engine_or_a_store_nothing_is_found_and_the_coverage_says_so() {
    let store = payloads();
    let (_dir, ledger) = evidence();
    let snapshot = ledger.snapshot().unwrap();
    let totals = |means: &Means<'_>| {
        let (verdicts, summary) = asked(&snapshot, means, &invariant());
        assert!(verdicts.iter().all(|replay| findings(replay).is_empty()));
        assert_eq!(summary.verdict(), RunVerdict::AllWell);
        [summary.policy_re_decided, summary.policy_absent, summary.policy_unusable]
    };
    assert_eq!(
        totals(&Means { payloads: None, policies: Some(&CedarEngine), ..Means::default() }),
        [0, 84, 0]
    );
    assert_eq!(totals(&Means::payloads(&store)), [0, 0, 0]);
    // Nor does forensic replay ask, whatever is at hand.
    let (_, summary) = asked(&snapshot, &with(&store), &Plan::default());
    assert_eq!([summary.policy_re_decided, summary.policy_absent], [0, 0]);
    let required = Plan { require_policies: true, ..invariant() };
    let (verdicts, summary) = asked(&snapshot, &Means::payloads(&store), &required);
    assert_eq!((summary.passed, summary.failed), (0, 12));
    let failure = verdicts[0].failure().unwrap();
    assert_eq!((failure.class, failure.check.as_str()), (FailureClass::MissingPrereq, "policy"));
    let (_, summary) = asked(&snapshot, &with(&store), &Plan { require_policies: true, ..Plan::default() });
    assert_eq!(summary.verdict(), RunVerdict::AllWell);
}

/// A store that gives other bytes than were asked for, or says itself that they are damaged.
#[derive(Debug)]
struct Lying {
    inner: MemoryStore,
    says_so: bool,
}

impl ContentStore for Lying {
    fn put(&self, name: &Sha256Digest, bytes: &[u8]) -> Result<(), StoreError> {
        self.inner.put(name, bytes)
    }

    fn get(&self, name: &Sha256Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = b"@id(\"all\") permit(principal, action, resource);".to_vec();
        if self.says_so {
            return Err(StoreError::Damaged { name: *name, actual: Sha256Digest::of(&bytes) });
        }
        Ok(self.inner.get(name)?.map(|_| bytes))
    }

    fn has(&self, name: &Sha256Digest) -> Result<bool, StoreError> {
        self.inner.has(name)
    }
}

#[test]
fn bytes_that_are_not_those_of_the_name_are_no_policy() {
    let (_dir, ledger) = evidence();
    let snapshot = ledger.snapshot().unwrap();
    for says_so in [false, true] {
        let store = Lying { inner: payloads(), says_so };
        let means = Means { payloads: Some(&store), policies: Some(&CedarEngine), ..Means::default() };
        let (verdicts, summary) = asked(&snapshot, &means, &invariant());
        let totals = [summary.policy_re_decided, summary.policy_absent, summary.policy_unusable];
        assert_eq!((summary.verdict(), totals), (RunVerdict::AllWell, [0, 84, 0]));
        let damaged = verdicts.iter().flat_map(TraceReplay::findings);
        let damaged = damaged.filter(|it| it.message.contains("the bytes kept under its name are others"));
        assert!(damaged.count() > 12);
    }
}

/// A policy that somebody closed is not asked, though its bytes are there.
#[test]
fn a_policy_that_is_closed_for_good_is_not_asked() {
    let (store, (_dir, ledger)) = (payloads(), evidence());
    let desk = Sha256Digest::of(&std::fs::read(vectors().join("redecisions/payloads/desk.cedar")).unwrap());
    let plan = Plan { closed: BTreeMap::from([(desk, Seq::new(5))]), ..invariant() };
    let snapshot = ledger.snapshot().unwrap();
    let (verdicts, summary) = asked(&snapshot, &with(&store), &plan);
    let (_, before) = asked(&snapshot, &with(&store), &invariant());
    assert!(summary.policy_re_decided < before.policy_re_decided);
    let moved = before.policy_re_decided - summary.policy_re_decided;
    assert_eq!(summary.policy_absent, before.policy_absent + moved);
    let says = format!("The policy {desk} is closed for good: its subject's key was erased by entry 5; ");
    assert!(verdicts.iter().flat_map(TraceReplay::findings).any(|it| it.message.starts_with(&says)));
}

#[test]
fn each_side_of_a_pair_is_decided_again() {
    let store = payloads();
    let cases = golden("redecisions/cases.json");
    let entries_of = |wanted: &str| -> Vec<Forged> {
        let case = cases.items("cases").iter().find(|case| case.text("name") == wanted).unwrap();
        case.items("entries").iter().map(Forged::of).collect()
    };
    let wrong = entries_of("an obligation missing");
    let good = entries_of("not required, one not at hand");
    let dir = tempfile::tempdir().unwrap();
    // Both cases are of one trace: the wrong decision is compared with itself, and then the good ones.
    for (entries, class, counted) in
        [(&wrong, Some(FailureClass::DecisionMismatch), [0, 0, 0]), (&good, None, [2, 2, 2])]
    {
        let folder = dir.path().join(class.map_or("good", |_| "wrong"));
        let snapshot = common::forge::ledger(&folder, entries);
        let trace = entries[0].trace_id;
        let pairs: Pairs = [Pair { baseline: trace, candidate: trace }].into_iter().collect();
        let plan = Plan::constrained(pairs, VariancePolicy::NOTHING);
        let replay = one(asked(&snapshot, &with(&store), &plan).0);
        assert_eq!(replay.result.verdict.failure_class(), class);
        assert_eq!(counts(&replay), counted);
        if let Some(failure) = replay.failure() {
            assert!(
                failure.message.starts_with("The baseline fails invariant replay. Policy desk version 1, ")
            );
        }
    }
}

#[test]
fn one_thread_says_what_two_and_five_say() {
    let (store, (_dir, ledger)) = (payloads(), evidence());
    let snapshot = ledger.snapshot().unwrap();
    let output = |threads: usize| {
        let plan = Plan { threads: NonZeroUsize::new(threads), ..invariant() };
        let (verdicts, summary) = asked(&snapshot, &with(&store), &plan);
        let values = verdicts.iter().map(TraceReplay::to_value).chain([summary.to_value()]);
        values.map(|value| value.to_canonical(Profile::Envelope).unwrap()).collect::<Vec<_>>()
    };
    let alone = output(1);
    assert_eq!(alone.len(), 13);
    assert_eq!(alone, output(2));
    assert_eq!(alone, output(5));
}
