//! What `commit_action` promises: order, idempotence, prerequisites inside a group, rotation,
//! and a ledger that reads the same after it was closed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::{NOW_MS, auth_context, bare, chain, decision, declared, genesis, hash_of, tool_call};
use proofline_ledger::{Action, Ledger, Options, Outcome, Seq, Snapshot};

fn fresh(options: Options) -> (tempfile::TempDir, Ledger) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    Ledger::init(&path, &genesis()).unwrap();
    let ledger = Ledger::open(&path, options).unwrap();
    assert!(ledger.recovery().is_clean());
    (dir, ledger)
}

fn commit(ledger: &Ledger, action: Action<'_>) -> Outcome {
    ledger.commit_action(&action, NOW_MS).unwrap()
}

fn kind(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted { duplicate, .. } => format!("ACCEPT {duplicate}"),
        Outcome::Refused { rejection, .. } => rejection.kind.to_string(),
        other => panic!("{other:?}"),
    }
}

fn seq(outcome: &Outcome) -> Option<u64> {
    match outcome {
        Outcome::Accepted { seq, .. } => Some(seq.get()),
        Outcome::Refused { seq, .. } => seq.map(Seq::get),
        _ => None,
    }
}

#[test]
fn records_are_accepted_in_order_and_again_at_their_first_place() {
    let (_dir, ledger) = fresh(Options::default());
    let lines = chain(1, 3);
    let places: Vec<_> = lines.iter().map(|line| seq(&commit(&ledger, bare(line)))).collect();
    assert_eq!(places, [Some(1), Some(2), Some(3), Some(4), Some(5)]);
    for (line, place) in lines.iter().zip(places) {
        let again = commit(&ledger, bare(line));
        assert_eq!((kind(&again).as_str(), seq(&again)), ("ACCEPT true", place));
    }
    assert_eq!(ledger.entries(), 6);
}

#[test]
fn duplicates_and_prerequisites_inside_one_group() {
    let (_dir, ledger) = fresh(Options::default());
    let lines = chain(1, 2);
    let mut group: Vec<Action<'_>> = lines.iter().map(|line| bare(line)).collect();
    group.extend(lines.iter().map(|line| bare(line)));
    let outcomes = ledger.commit_actions(&group, NOW_MS).unwrap();
    let seqs: Vec<_> = outcomes.iter().map(seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 1, 2, 3, 4].map(Some));
    assert_eq!(outcomes.iter().filter(|outcome| kind(outcome) == "ACCEPT true").count(), 4);
    assert_eq!(ledger.entries(), 5);

    // The other way round nothing but the context has what it needs.
    let lines = chain(2, 1);
    let reversed: Vec<Action<'_>> = lines.iter().rev().map(|line| bare(line)).collect();
    let kinds: Vec<_> = ledger.commit_actions(&reversed, NOW_MS).unwrap().iter().map(kind).collect();
    assert_eq!(kinds, ["missing_prereq.auth_context", "missing_prereq.auth_context", "ACCEPT false"]);
}

#[test]
fn every_refusal_after_the_schema_is_kept_as_its_own_entry() {
    let (_dir, ledger) = fresh(Options::default());
    let (one, other) = (auth_context(1, "staff/ines"), auth_context(1, "staff/omar"));
    let foreign = auth_context(2, "staff/ines");
    for line in [&one, &other, &foreign] {
        assert_eq!(kind(&commit(&ledger, bare(line))), "ACCEPT false");
    }
    let (one, other, foreign) = (hash_of(&one), hash_of(&other), hash_of(&foreign));
    let (allow, deny) = (decision(1, &one, "allow"), decision(1, &one, "deny"));
    for line in [&allow, &deny] {
        assert_eq!(kind(&commit(&ledger, bare(line))), "ACCEPT false");
    }
    let (allow, deny) = (hash_of(&allow), hash_of(&deny));
    let stale = format!("{:064x}", 5);
    let cases = [
        (decision(1, &foreign, "allow"), "trace_violation.trace_id_mismatch"),
        (decision(1, &allow, "allow"), "missing_prereq.auth_context"),
        (tool_call(1, &one, &one, 0), "missing_prereq.policy_decision"),
        (tool_call(1, &one, &stale, 0), "missing_prereq.policy_decision"),
        (tool_call(1, &stale, &allow, 0), "missing_prereq.auth_context"),
        (tool_call(1, &other, &allow, 0), "unauthorized.authority_mismatch"),
        (tool_call(1, &one, &deny, 0), "unauthorized.policy_denied"),
        (tool_call(2, &foreign, &allow, 0), "trace_violation.trace_id_mismatch"),
    ];
    let mut place = ledger.entries();
    for (line, expected) in &cases {
        for _ in 0..2 {
            let outcome = commit(&ledger, bare(line));
            assert_eq!((kind(&outcome).as_str(), seq(&outcome)), (*expected, Some(place)));
            place += 1;
        }
    }
    // A case-changed hash is not the hash.
    let call = tool_call(1, &one, &allow, 1);
    let shouted = hash_of(&call).to_uppercase();
    let outcome = commit(&ledger, declared("tool_call", &shouted, &call));
    assert_eq!((kind(&outcome).as_str(), seq(&outcome)), ("hash_mismatch.envelope_hash", Some(place)));
    let upper = tool_call(1, &one.to_uppercase(), &allow, 1);
    let outcome = commit(&ledger, bare(&upper));
    assert_eq!((kind(&outcome).as_str(), seq(&outcome)), ("schema_violation.pattern", None));
}

#[test]
fn a_ledger_of_many_segments_reads_the_same_after_reopening() {
    let options = Options { segment_bytes: 4096, ..Options::default() };
    let (dir, ledger) = fresh(options);
    let chains: Vec<Vec<String>> = (1..=10).map(|trace| chain(trace, 10)).collect();
    for at in 0..12 {
        for lines in &chains {
            assert_eq!(kind(&commit(&ledger, bare(&lines[at]))), "ACCEPT false");
        }
    }
    drop(ledger);
    let path = dir.path().join("ledger");
    let reopened = Ledger::open(&path, options).unwrap();
    assert!(reopened.recovery().is_clean(), "{:?}", reopened.recovery());
    assert_eq!(reopened.entries(), 121);
    for lines in &chains {
        for line in lines {
            assert_eq!(kind(&commit(&reopened, bare(line))), "ACCEPT true");
        }
    }
    let snapshot = Snapshot::open(&path).unwrap();
    assert_eq!((snapshot.entries(), snapshot.damage(), snapshot.derived_damage()), (121, &[][..], &[][..]));
    let traces = snapshot.traces_after(None, 100).unwrap();
    assert_eq!(traces.len(), 10);
    for (trace, lines) in traces.into_iter().zip(&chains) {
        let seqs = snapshot.of_trace(trace).unwrap();
        assert_eq!(seqs.len(), 12);
        for (seq, line) in seqs.into_iter().zip(lines) {
            let entry = snapshot.entry(seq).unwrap().unwrap();
            assert_eq!(entry.header.envelope_hash.to_string(), hash_of(line));
        }
    }
}

#[test]
fn two_writers_on_one_ledger_see_each_others_records() {
    let options = Options { segment_bytes: 4096, ..Options::default() };
    let (dir, one) = fresh(options);
    let two = Ledger::open(dir.path().join("ledger"), options).unwrap();
    for trace in 1..20 {
        let lines = chain(trace, 3);
        for (at, line) in lines.iter().enumerate() {
            let (writer, other) = if at % 2 == 0 { (&one, &two) } else { (&two, &one) };
            assert_eq!(kind(&commit(writer, bare(line))), "ACCEPT false");
            assert_eq!(kind(&commit(other, bare(line))), "ACCEPT true");
        }
    }
    assert_eq!(one.entries(), 96);
}
