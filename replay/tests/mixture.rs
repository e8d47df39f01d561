//! Ten thousand traces, a known number of each kind of trouble planted in random mixtures: each is
//! found, and nothing else is reported.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use common::evidence::{
    Place, auth_context, chain, decision, decision_at, hash_of, model_call, tool_call, tool_call_at,
};
use common::forge::{self, Forged};
use common::random::Random;
use common::work::{Call, Step, records};
use common::{one, run};
use proofline_canon::{ContentStore, MemoryStore, Sha256Digest};
use proofline_replay::{
    Means, Mode, Pair, Pairs, Plan, RunVerdict, Selection, TraceReplay, VariancePolicy, replay,
};
use proofline_trace::TraceId;

/// What a trace must come to: the class of its failure, or its findings and how often each.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Expected {
    class: Option<&'static str>,
    findings: BTreeMap<&'static str, u64>,
}

/// Records of one trace in the making, to be given places in the log.
struct Trace {
    number: u32,
    context: String,
    decision: String,
    entries: Vec<Forged>,
    expected: Expected,
}

const FAILURES: [&str; 6] = [
    "SCHEMA_REJECT",
    "HASH_MISMATCH",
    "MISSING_PREREQ",
    "TRACE_VIOLATION",
    "UNAUTHORIZED_EXECUTION",
    "SPLICED",
];
const FINDINGS: [&str; 10] = [
    "DECISION_OUTSIDE_CREDENTIAL_VALIDITY",
    "END_BEFORE_START",
    "PARENT_SPAN_MISSING",
    "SECOND_ROOT",
    "SPAN_CYCLE",
    "LATE_PARENT",
    "CONFLICTING_PARENT",
    "USAGE_TOTAL_MISMATCH",
    "BLOB_NOT_AT_HAND",
    "REJECTION_NOT_REPRODUCED",
];

impl Trace {
    fn honest(number: u32) -> Self {
        let lines = chain(number, 2);
        let entries = lines.iter().map(|line| Forged::accepted(0, line)).collect();
        let [context, decision] = [&lines[0], &lines[1]].map(|line| hash_of(line));
        Self { number, context, decision, entries, expected: Expected::default() }
    }

    fn call(&self, span: u32, parent: Option<u32>, times: (u64, u64)) -> Forged {
        let place = Place { trace: self.number, span, parent };
        Forged::accepted(0, &tool_call_at(place, &self.context, &self.decision, times))
    }

    fn fail(&mut self, class: &'static str) {
        let number = self.number;
        let place = Place { trace: number, span: 300, parent: Some(1) };
        let entry = match class {
            "SCHEMA_REJECT" => {
                let mut entry = self.call(300, Some(2), (1300, 1310));
                entry.body.truncate(entry.body.len() - 1);
                entry.body.extend(br#","x":1}"#);
                Forged { key: proofline_trace::EnvelopeHash::of(&entry.body), ..entry }
            }
            "HASH_MISMATCH" => {
                let entry = self.call(300, Some(2), (1300, 1310));
                Forged { key: proofline_trace::EnvelopeHash::of(b"another"), ..entry }
            }
            "MISSING_PREREQ" => {
                Forged::accepted(0, &tool_call_at(place, &self.context, &"5".repeat(64), (1300, 1310)))
            }
            "TRACE_VIOLATION" => {
                let other = auth_context(number + 1_000_000, "staff/ines");
                Forged { trace_id: self.entries[0].trace_id, ..Forged::accepted(0, &other) }
            }
            "SPLICED" => {
                let other = auth_context(number, "staff/omar");
                self.entries.push(Forged::accepted(0, &other));
                Forged::accepted(0, &tool_call(number, &hash_of(&other), &self.decision, 40))
            }
            _ => {
                let deny = decision(number, &self.context, "deny");
                self.entries.push(Forged::accepted(0, &deny));
                Forged::accepted(0, &tool_call_at(place, &self.context, &hash_of(&deny), (1300, 1310)))
            }
        };
        self.entries.push(entry);
        self.expected.class = Some(if class == "SPLICED" { "UNAUTHORIZED_EXECUTION" } else { class });
    }

    fn plant(&mut self, code: &'static str) {
        let number = self.number;
        let times = (1300, 1310);
        let planted = match code {
            "DECISION_OUTSIDE_CREDENTIAL_VALIDITY" => {
                let place = Place { trace: number, span: 210, parent: Some(1) };
                vec![Forged::accepted(0, &decision_at(place, &self.context, 9001, "allow"))]
            }
            "END_BEFORE_START" => vec![self.call(220, Some(2), (1300, 1299))],
            "PARENT_SPAN_MISSING" => {
                vec![self.call(230, Some(7777), times), self.call(231, Some(7777), times)]
            }
            "SECOND_ROOT" => vec![self.call(240, None, times)],
            "SPAN_CYCLE" => vec![self.call(250, Some(251), times), self.call(251, Some(250), times)],
            "LATE_PARENT" => vec![self.call(260, Some(261), times), self.call(261, Some(2), times)],
            "CONFLICTING_PARENT" => vec![self.call(270, Some(1), times), self.call(270, Some(2), times)],
            "USAGE_TOTAL_MISMATCH" => {
                vec![Forged::accepted(0, &model_call(number, &self.context, &self.decision, (1, 1, 3)))]
            }
            "BLOB_NOT_AT_HAND" => vec![self.call(ABSENT_SPAN, Some(2), times)],
            _ => {
                let place = Place { trace: number, span: 290, parent: Some(2) };
                let line = tool_call_at(place, &self.context, &self.decision, times);
                vec![Forged::rejected(0, &line, "missing_prereq.policy_decision")]
            }
        };
        self.entries.extend(planted);
        *self.expected.findings.entry(code).or_default() += 1;
    }
}

/// The span whose calls' request is not at hand.
const ABSENT_SPAN: u32 = 280;

fn payloads() -> MemoryStore {
    let store = MemoryStore::new();
    let put = |text: String| store.put(&Sha256Digest::of(text.as_bytes()), text.as_bytes()).unwrap();
    for span in 0..310 {
        if span != ABSENT_SPAN {
            put(format!("request {span}"));
        }
        put(format!("response {span}"));
    }
    store
}

/// Entries of many traces in one log, each trace's own in order.
fn log(random: &mut Random, traces: Vec<Vec<Forged>>) -> (tempfile::TempDir, proofline_ledger::Snapshot) {
    let entries = (1..).zip(random.interleaved(traces)).map(|(seq, entry)| Forged { seq, ..entry });
    let dir = tempfile::tempdir().unwrap();
    let snapshot = forge::ledger(dir.path(), &entries.collect::<Vec<_>>());
    (dir, snapshot)
}

fn id(number: u32) -> TraceId {
    format!("{number:032x}").parse().unwrap()
}

fn found(replay: &TraceReplay) -> Expected {
    let mut findings = BTreeMap::new();
    replay.findings().iter().for_each(|finding| *findings.entry(finding.code.as_str()).or_default() += 1);
    Expected { class: replay.result.verdict.failure_class().map(|class| class.as_str()), findings }
}

#[test]
fn ten_thousand_traces_with_trouble_of_every_kind() {
    let mut random = Random::seeded(0x0070_726f_6f66);
    let mut planned: BTreeMap<&str, u64> = BTreeMap::new();
    let mut traces: Vec<Trace> = (1..=10_000).map(Trace::honest).collect();
    for trace in &mut traces {
        if random.chance(20) {
            let class = FAILURES[random.below(FAILURES.len())];
            // Its rejected attempts are decided again all the same; other findings need a passing chain.
            if class != "SCHEMA_REJECT" && random.chance(10) {
                trace.plant("REJECTION_NOT_REPRODUCED");
            }
            trace.fail(class);
        } else {
            FINDINGS.iter().filter(|_| random.chance(8)).for_each(|code| trace.plant(code));
        }
        planned.extend(trace.expected.class.map(|class| (class, planned.get(class).unwrap_or(&0) + 1)));
        for (code, count) in &trace.expected.findings {
            *planned.entry(code).or_default() += count;
        }
    }
    assert_eq!(planned.len(), 15, "{planned:?}");
    assert!(planned.values().all(|count| *count >= 300), "{planned:?}");
    let expected: Vec<Expected> = traces.iter().map(|trace| trace.expected.clone()).collect();
    let (_dir, snapshot) = log(&mut random, traces.into_iter().map(|trace| trace.entries).collect());
    let store = payloads();
    for mode in [Mode::Invariant, Mode::Forensic] {
        let plan = Plan { mode, threads: NonZeroUsize::new(2), ..Plan::default() };
        let mut verdicts = Vec::new();
        let summary = replay(&snapshot, &Means::payloads(&store), &plan, &mut verdicts).unwrap();
        assert_eq!(verdicts.len(), 10_000);
        let failed = verdicts.iter().filter(|replay| !replay.is_pass()).count();
        assert_eq!(summary.failed, failed as u64);
        for (number, (replay, expected)) in (1..).zip(verdicts.iter().zip(&expected)) {
            assert_eq!(replay.trace_id(), id(number));
            assert_eq!(&found(replay), expected, "trace {number}: {:?}", replay.failure());
        }
        let mut counted: BTreeMap<&str, u64> =
            summary.failures.iter().map(|(class, count)| (class.as_str(), *count)).collect();
        counted.extend(summary.findings.iter().map(|(code, count)| (code.as_str(), *count)));
        assert_eq!(counted, planned);
        // Bodies under a wrong key are damage of the log too, and nothing else is.
        let codes: BTreeSet<&str> = summary.damage.iter().map(|damage| damage.code).collect();
        assert_eq!(codes, BTreeSet::from(["body.hash"]));
        assert_eq!(summary.damage_count, planned["HASH_MISMATCH"]);
        assert_eq!(summary.verdict(), RunVerdict::Damaged);
    }
    // A few of them alone, on one thread.
    for number in [1, 77, 9_999] {
        let traces = Selection::from_iter([id(number)]);
        let plan = Plan { mode: Mode::Invariant, traces, threads: NonZeroUsize::new(1), ..Plan::default() };
        let mut verdicts = Vec::new();
        replay(&snapshot, &Means::payloads(&store), &plan, &mut verdicts).unwrap();
        assert_eq!(found(&one(verdicts)), expected[number as usize - 1]);
    }
}

/// What becomes of a run of the usual work the second time.
fn again(random: &mut Random, number: u32, work: &[Step]) -> (&'static str, Vec<String>) {
    let mut steps = work.to_vec();
    let what = [
        "pass",
        "pass",
        "answer",
        "outcome",
        "usage",
        "dropped",
        "added",
        "twice",
        "request",
        "decision",
        "gone",
        "MISSING_PREREQ",
    ][random.below(12)];
    let calls = &mut steps[0].calls;
    match what {
        "answer" => calls[0].response += 1,
        "outcome" => calls[1].status += 1,
        "usage" => calls[0].usage += 1,
        "dropped" => drop(calls.pop()),
        "added" => calls.push(Call { request: 99, ..calls[0] }),
        "twice" => calls.push(calls[1]),
        "request" => calls[1].request += 50,
        "decision" => steps[1].resource += 1,
        "pass" => steps.reverse(),
        _ => {}
    }
    let mut lines = records(number, &steps);
    match what {
        "gone" => lines.clear(),
        "MISSING_PREREQ" => drop(lines.remove(0)),
        _ => {}
    }
    (what, lines)
}

#[test]
fn five_thousand_pairs_with_drift_of_every_kind() {
    let mut random = Random::seeded(0x6472_6966_7400);
    let model = Call { is_model: true, request: 1, response: 1, status: 1, usage: 40 };
    let tool = Call { is_model: false, usage: 0, ..model };
    let work = [Step { resource: 7, calls: vec![model, tool] }, Step { resource: 8, calls: vec![tool] }];
    let mut expected = Vec::new();
    let mut traces = Vec::new();
    for number in 1..=5000 {
        let (what, lines) = again(&mut random, 10_000 + number, &work);
        expected.push(what);
        let forged = |lines: Vec<String>| lines.iter().map(|line| Forged::accepted(0, line)).collect();
        traces.extend([forged(records(number, &work)), forged(lines)]);
    }
    let (_dir, snapshot) = log(&mut random, traces);
    let pairs: Pairs =
        (1..=5000).map(|number| Pair { baseline: id(number), candidate: id(10_000 + number) }).collect();
    for (policy, is_model_output) in [(VariancePolicy::NOTHING, false), (VariancePolicy::MODEL_OUTPUT, true)]
    {
        let plan = Plan { threads: NonZeroUsize::new(2), ..Plan::constrained(pairs.clone(), policy) };
        let (verdicts, summary) = run(&snapshot, &plan);
        assert_eq!(verdicts.len(), 5000);
        let mut planned: BTreeMap<&str, u64> = BTreeMap::new();
        for (replay, what) in verdicts.iter().zip(&expected) {
            let (class, differences) = match *what {
                "pass" => (None, 0),
                "answer" | "usage" if is_model_output => (None, 1),
                "answer" | "usage" | "outcome" => (Some("REPLAY_VARIANCE_VIOLATION"), 1),
                "gone" => (Some("REPLAY_CHAIN_NOT_FOUND"), 0),
                "MISSING_PREREQ" => (Some("MISSING_PREREQ"), 0),
                // A changed request or decision is one identity less and one more; a decision's calls go with it.
                "request" => (Some("REPLAY_POLICY_PATH_MISMATCH"), 2),
                "decision" => (Some("REPLAY_POLICY_PATH_MISMATCH"), 4),
                _ => (Some("REPLAY_POLICY_PATH_MISMATCH"), 1),
            };
            assert_eq!(found(replay), Expected { class, ..Expected::default() }, "{what}");
            assert_eq!(replay.differences().len(), differences, "{what}");
            planned.extend(class.map(|class| (class, planned.get(class).unwrap_or(&0) + 1)));
        }
        assert!(planned.len() == 4 && planned.values().all(|count| *count >= 300), "{planned:?}");
        let counted: BTreeMap<&str, u64> =
            summary.failures.iter().map(|(class, count)| (class.as_str(), *count)).collect();
        assert_eq!(counted, planned);
        assert_eq!(summary.verdict(), RunVerdict::SomeFailed);
    }
}
