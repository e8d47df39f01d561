//! Each finding planted alone in an honest ledger and found alone; what is right at the edge is
//! not found.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::evidence::{
    Place, auth_context, auth_context_at, chain, decision, decision_at, hash_of, model_call, tool_call_at,
};
use common::{NOW_MS, commit, committed, one, run};
use proofline_canon::{ContentStore, MemoryStore, Sha256Digest, StoreError};
use proofline_ledger::{Action, Outcome, Seq};
use proofline_replay::{Means, Plan, ReplayError, TraceReplay, replay};
use proofline_trace::{Finding, Severity};

/// The verdict over the one trace of these lines, all of which the gate accepts.
fn verdict(lines: &[String]) -> TraceReplay {
    let (_dir, ledger) = committed(lines);
    assert_eq!(ledger.entries(), lines.len() as u64 + 1, "the gate refused a line");
    let (verdicts, _) = run(&ledger.snapshot().unwrap(), &Plan::default());
    let replay = one(verdicts);
    assert!(replay.is_pass(), "{:?}", replay.failure());
    replay
}

fn shown(findings: &[Finding]) -> Vec<(&str, &str, Vec<u64>)> {
    let seqs = |finding: &Finding| finding.seqs.iter().map(|seq| seq.get()).collect();
    findings.iter().map(|it| (it.code.as_str(), it.severity.as_str(), seqs(it))).collect()
}

fn expect(lines: &[String], expected: &[(&str, &str, &[u64])]) -> TraceReplay {
    let replay = verdict(lines);
    let expected: Vec<_> =
        expected.iter().map(|(code, severity, seqs)| (*code, *severity, seqs.to_vec())).collect();
    assert_eq!(shown(replay.findings()), expected);
    for finding in replay.findings() {
        assert_eq!(finding.records.len(), finding.seqs.len());
    }
    replay
}

const ROOT: Place = Place { trace: 1, span: 1, parent: None };
const DECIDES: Place = Place { trace: 1, span: 2, parent: Some(1) };

fn child(span: u32, parent: u32) -> Place {
    Place { trace: 1, span, parent: Some(parent) }
}

/// A context and an allowing decision, as usual.
fn head() -> (Vec<String>, String, String) {
    let context = auth_context(1, "staff/ines");
    let decision = decision(1, &hash_of(&context), "allow");
    let (context_hash, decision_hash) = (hash_of(&context), hash_of(&decision));
    (vec![context, decision], context_hash, decision_hash)
}

/// The usual head, then calls on these spans.
fn calls(places: &[Place]) -> Vec<String> {
    let (mut lines, context, decision) = head();
    lines.extend(places.iter().map(|place| tool_call_at(*place, &context, &decision, (1200, 1210))));
    lines
}

#[test]
fn nothing_odd() {
    expect(&chain(1, 3), &[]);
    let (mut lines, context, decision) = head();
    lines.push(model_call(1, &context, &decision, (3, 4, 7)));
    expect(&lines, &[]);
}

#[test]
fn a_decision_outside_its_credential() {
    let outside = "DECISION_OUTSIDE_CREDENTIAL_VALIDITY";
    // Verified at 900, expires at 9000; both belong to the validity.
    for (ts_ms, words) in [
        (899, Some("1 ms before its credential was verified")),
        (900, None),
        (9000, None),
        (9001, Some("1 ms after its credential had expired")),
        (0, Some("900 ms before")),
    ] {
        let context = auth_context(1, "staff/ines");
        let decision = decision_at(DECIDES, &hash_of(&context), ts_ms, "allow");
        let expected: &[(&str, &str, &[u64])] =
            if words.is_some() { &[(outside, "medium", &[2, 1])] } else { &[] };
        let replay = expect(&[context, decision], expected);
        let message = replay.findings().first().map_or("", |finding| &finding.message);
        assert!(message.contains(words.unwrap_or_default()), "{message}");
    }
    // A credential that expired before it was verified is valid at no time.
    let context = auth_context_at(ROOT, "staff/ines", 2000, 1000);
    let decision = decision_at(DECIDES, &hash_of(&context), 1500, "deny");
    expect(&[context, decision], &[(outside, "medium", &[2, 1])]);
}

#[test]
fn an_end_before_the_start() {
    let (mut lines, context, decision) = head();
    for (span, end_ms) in [(10, 1199), (11, 1200)] {
        lines.push(tool_call_at(child(span, 2), &context, &decision, (1200, end_ms)));
    }
    let replay = expect(&lines, &[("END_BEFORE_START", "low", &[3])]);
    assert_eq!(replay.findings()[0].message, "The call ended 1 ms before it began.");
}

#[test]
fn a_total_that_does_not_add_up() {
    let most = (1 << 53) - 1;
    for (usage, odd) in [((3, 4, 8), true), ((3, 4, 6), true), ((0, 0, 0), false), ((most, most, most), true)]
    {
        let (mut lines, context, decision) = head();
        lines.push(model_call(1, &context, &decision, usage));
        let expected: &[(&str, &str, &[u64])] =
            if odd { &[("USAGE_TOTAL_MISMATCH", "low", &[3])] } else { &[] };
        expect(&lines, expected);
    }
}

#[test]
fn a_parent_span_without_a_record() {
    expect(&calls(&[child(10, 77)]), &[("PARENT_SPAN_MISSING", "low", &[3])]);
}

#[test]
fn a_rejected_attempt_on_the_parent_span_is_no_record_of_it() {
    let mut lines = calls(&[child(10, 77)]);
    lines.push(tool_call_at(child(77, 2), &"5".repeat(64), &"5".repeat(64), (1, 2)));
    let (_dir, ledger) = committed(&lines);
    let (verdicts, _) = run(&ledger.snapshot().unwrap(), &Plan::default());
    assert_eq!(shown(one(verdicts).findings()), [("PARENT_SPAN_MISSING", "low", vec![3])]);
}

#[test]
fn two_roots() {
    let second = Place { trace: 1, span: 10, parent: None };
    expect(&calls(&[second]), &[("SECOND_ROOT", "low", &[3, 1])]);
    // Two records on one root span are one root.
    let same = Place { trace: 1, span: 1, parent: None };
    expect(&calls(&[same]), &[]);
}

#[test]
fn spans_in_a_circle() {
    expect(&calls(&[child(10, 11), child(11, 10)]), &[("SPAN_CYCLE", "medium", &[3, 4])]);
    expect(&calls(&[child(10, 10)]), &[("SPAN_CYCLE", "medium", &[3])]);
}

#[test]
fn a_span_recorded_before_its_parent() {
    expect(&calls(&[child(10, 11), child(11, 2)]), &[("LATE_PARENT", "info", &[3, 4])]);
}

#[test]
fn two_parents_of_one_span() {
    let (mut lines, context, decision) = head();
    lines.push(tool_call_at(child(10, 2), &context, &decision, (1200, 1210)));
    lines.push(tool_call_at(child(10, 1), &context, &decision, (1220, 1230)));
    expect(&lines, &[("CONFLICTING_PARENT", "medium", &[4, 3])]);
}

#[test]
fn many_at_once_stand_in_ledger_order_then_by_code() {
    let (mut lines, context, decision) = head();
    lines.push(model_call(1, &context, &decision, (1, 1, 3)));
    lines.push(tool_call_at(child(12, 78), &context, &decision, (1300, 1200)));
    lines.push(tool_call_at(child(11, 77), &context, &decision, (1250, 1200)));
    expect(
        &lines,
        &[
            ("USAGE_TOTAL_MISMATCH", "low", &[3]),
            ("END_BEFORE_START", "low", &[4]),
            ("PARENT_SPAN_MISSING", "low", &[4]),
            ("END_BEFORE_START", "low", &[5]),
            ("PARENT_SPAN_MISSING", "low", &[5]),
        ],
    );
}

#[test]
fn payloads_that_are_not_at_hand() {
    let lines = chain(1, 2);
    let (_dir, ledger) = committed(&lines);
    let snapshot = ledger.snapshot().unwrap();
    let store = MemoryStore::new();
    let put = |text: &str| {
        let name = Sha256Digest::of(text.as_bytes());
        store.put(&name, text.as_bytes()).unwrap();
        name
    };
    // Spans 10 and 11 name "request N" and "response N".
    put("request 10");
    let verdict = || {
        let mut verdicts = Vec::new();
        let summary = replay(&snapshot, &Means::payloads(&store), &Plan::default(), &mut verdicts).unwrap();
        assert_eq!(summary.worst_finding(), summary.severities.keys().next_back().copied());
        one(verdicts)
    };
    let some = verdict();
    assert!(some.is_pass());
    let info = Severity::Info.as_str();
    assert_eq!(shown(some.findings()), [3, 4, 4].map(|seq| ("BLOB_NOT_AT_HAND", info, vec![seq])));
    assert_eq!(some.diagnostics.coverage.blobs_absent.get(), 3);
    let missing = Sha256Digest::of(b"response 10");
    assert_eq!(some.findings()[0].message, format!("The response {missing} is not at hand."));
    assert!(some.findings()[1].message.starts_with("The request"));

    for text in ["response 10", "request 11", "response 11"] {
        put(text);
    }
    let all = verdict();
    assert!(all.findings().is_empty());
    assert_eq!(all.diagnostics.coverage.blobs_absent.get(), 0);
}

/// Two calls in spans 10 and 11 and a third that names the request of the second.
fn calls_with_a_shared_request() -> Vec<String> {
    let (mut lines, context, decision) = head();
    lines.extend([10, 11, 12].map(|span| tool_call_at(child(span, 2), &context, &decision, (1200, 1210))));
    let named = |text: &str| Sha256Digest::of(text.as_bytes()).to_string();
    lines[4] = lines[4].replace(&named("request 12"), &named("request 11"));
    lines
}

/// The verdict on trace 1 with these payloads at hand.
fn with_payloads(ledger: &proofline_ledger::Ledger, texts: &[&str], plan: Plan) -> TraceReplay {
    let store = MemoryStore::new();
    for text in texts {
        store.put(&Sha256Digest::of(text.as_bytes()), text.as_bytes()).unwrap();
    }
    let plan = Plan { traces: [format!("{:032x}", 1).parse().unwrap()].into_iter().collect(), ..plan };
    let mut verdicts = Vec::new();
    replay(&ledger.snapshot().unwrap(), &Means::payloads(&store), &plan, &mut verdicts).unwrap();
    one(verdicts)
}

#[test]
fn payloads_that_were_erased() {
    let (_dir, ledger) = committed(&calls_with_a_shared_request());
    let name = Sha256Digest::of(b"request 11");
    // The decision that allows it is of another trace.
    let context = auth_context(2, "staff/dpo");
    let allow = decision(2, &hash_of(&context), "allow");
    let allow = allow.replace(r#""action":"tickets:read""#, r#""action":"erase""#);
    let allow = allow.replace("tickets/42", &format!("blob/{name}"));
    commit(&ledger, &[context, allow.clone()]);
    let erasure = format!(
        r#"{{"authority":"{}","reason":"art. 17","system_type":"erasure","target":{{"kind":"blob","sha256":"{name}"}},"version":"1"}}"#,
        hash_of(&allow)
    );
    let outcome = ledger.commit_action(&Action::System(erasure.as_bytes()), NOW_MS).unwrap();
    let Outcome::Accepted { seq, .. } = outcome else { panic!("{outcome:?}") };

    let others = ["request 10", "response 10", "response 11", "response 12"];
    let all = with_payloads(&ledger, &others, Plan::default());
    assert!(all.is_pass());
    let info = Severity::Info.as_str();
    // Entries 4 and 5 name it; nobody looks for it, so it is not absent.
    assert_eq!(shown(all.findings()), [("BLOB_ERASED", info, vec![4, 5])]);
    assert_eq!(
        all.findings()[0].message,
        format!("The request {name} was erased by entry {seq}, which 1 more name.")
    );
    assert_eq!(all.diagnostics.coverage.blobs_absent.get(), 0);
    // One that is missing is told beside it, as what it is.
    let some = with_payloads(&ledger, &others[1..], Plan::default());
    assert_eq!(
        shown(some.findings()),
        [("BLOB_NOT_AT_HAND", info, vec![3]), ("BLOB_ERASED", info, vec![4, 5])]
    );
    assert_eq!(some.diagnostics.coverage.blobs_absent.get(), 1);
}

#[test]
fn sealed_payloads_that_are_closed() {
    let (_dir, ledger) = committed(&calls_with_a_shared_request());
    let name = Sha256Digest::of(b"response 10");
    let stranger = Sha256Digest::of(b"of no record");
    let closed = || [(name, Seq::new(9)), (stranger, Seq::new(8))].into_iter().collect();
    let all = ["request 10", "response 10", "request 11", "response 11", "response 12"];
    let told = with_payloads(&ledger, &all, Plan { closed: closed(), ..Plan::default() });
    assert!(told.is_pass());
    assert_eq!(shown(told.findings()), [("BLOB_ERASED", Severity::Info.as_str(), vec![3])]);
    assert_eq!(
        told.findings()[0].message,
        format!("The response {name} is closed for good: its subject's key was erased by entry 9.")
    );
    assert_eq!(told.diagnostics.coverage.blobs_absent.get(), 0);
    assert!(with_payloads(&ledger, &all, Plan::default()).findings().is_empty());
}

/// A store whose disk is gone.
struct Broken;

impl ContentStore for Broken {
    fn put(&self, _: &Sha256Digest, _: &[u8]) -> Result<(), StoreError> {
        Err(StoreError::Io(std::io::ErrorKind::Other.into()))
    }

    fn get(&self, _: &Sha256Digest) -> Result<Option<Vec<u8>>, StoreError> {
        Err(StoreError::Io(std::io::ErrorKind::Other.into()))
    }

    fn has(&self, _: &Sha256Digest) -> Result<bool, StoreError> {
        Err(StoreError::Io(std::io::ErrorKind::Other.into()))
    }
}

#[test]
fn a_store_that_fails_is_no_absence() {
    let (_dir, ledger) = committed(&chain(1, 1));
    let mut verdicts = Vec::new();
    let outcome =
        replay(&ledger.snapshot().unwrap(), &Means::payloads(&Broken), &Plan::default(), &mut verdicts);
    let error = outcome.unwrap_err();
    assert!(matches!(error, ReplayError::Payloads(_)), "{error}");
    assert_eq!((error.code(), verdicts.len()), ("replay.payloads", 0));
}
