//! Deterministic tools, run again by forensic replay: what agrees, what does not, what gives no answer, and
//! that no other replay and no trace that failed before runs anything.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::evidence::{Place, auth_context, call, decision, hash_of};
use common::{committed, one};
use proofline_canon::{ContentStore, MemoryStore, Sha256Digest};
use proofline_ledger::Snapshot;
use proofline_proof::sealed::{SubjectKey, seal_bytes};
use proofline_replay::{
    Calculator, Means, Mode, OutputDifference, Pair, Pairs, Plan, Summary, Tool, ToolFault, Tools,
    TraceReplay, VariancePolicy, replay,
};

/// Answers in capitals, and counts how often it was asked.
#[derive(Debug, Clone, Default)]
struct Capitals(Arc<AtomicU64>);

impl Tool for Capitals {
    fn version(&self) -> String {
        "capitals/1".to_owned()
    }

    fn run(&self, request: &[u8]) -> Result<Vec<u8>, ToolFault> {
        self.0.fetch_add(1, Ordering::Relaxed);
        match request {
            b"panic" => panic!("out of capitals"),
            b"fault" => Err(ToolFault::Failed("no capitals today".to_owned())),
            request => Ok(request.to_ascii_uppercase()),
        }
    }
}

/// A trace of tool calls of `tickets/read` with these payloads, one after the other, from entry 3 on.
fn trace(trace: u32, payloads: &[(&str, &str)]) -> Vec<String> {
    let context = auth_context(trace, "staff/ines");
    let allow = decision(trace, &hash_of(&context), "allow");
    let (context_hash, decision_hash) = (hash_of(&context), hash_of(&allow));
    let calls = (0..).zip(payloads).map(|(number, payloads)| {
        let place = Place { trace, span: 10 + number, parent: Some(2) };
        let start_ms = 1200 + 10 * u64::from(number);
        call(place, (&context_hash, &decision_hash), start_ms, *payloads, "ok", None)
    });
    [context, allow].into_iter().chain(calls).collect()
}

fn keep(store: &MemoryStore, bytes: &[u8]) {
    store.put(&Sha256Digest::of(bytes), bytes).unwrap();
}

fn store(payloads: &[(&str, &str)]) -> MemoryStore {
    let store = MemoryStore::new();
    payloads
        .iter()
        .flat_map(|(request, response)| [request, response])
        .for_each(|it| keep(&store, it.as_bytes()));
    store
}

fn tools(name: &str, tool: impl Tool + 'static) -> Tools {
    let mut tools = Tools::default();
    tools.register(name.parse().unwrap(), tool).unwrap();
    tools
}

fn ran(snapshot: &Snapshot, store: &MemoryStore, tools: &Tools, plan: &Plan) -> (Vec<TraceReplay>, Summary) {
    let means = Means { tools: Some(tools), ..Means::payloads(store) };
    let mut verdicts = Vec::new();
    let summary = replay(snapshot, &means, plan, &mut verdicts).unwrap();
    (verdicts, summary)
}

/// The verdict over one trace of these calls, with capitals as the tool.
fn verdict(payloads: &[(&str, &str)]) -> TraceReplay {
    let (_dir, ledger) = committed(&trace(1, payloads));
    let tools = tools("read", Capitals::default());
    let (verdicts, summary) = ran(&ledger.snapshot().unwrap(), &store(payloads), &tools, &Plan::default());
    let replay = one(verdicts);
    assert_eq!(summary.re_executed, replay.diagnostics.coverage.re_executed.get());
    replay
}

#[test]
fn calls_that_give_their_responses_again_are_counted() {
    let replay = verdict(&[("a", "A"), ("bc", "BC"), ("", "")]);
    assert!(replay.is_pass() && replay.findings().is_empty());
    assert_eq!(replay.diagnostics.coverage.re_executed.get(), 3);
}

#[test]
fn the_first_call_that_answers_otherwise_ends_the_trace() {
    let replay = verdict(&[("a", "A"), ("bc", "Bc"), ("d", "x")]);
    let failure = replay.failure().unwrap();
    assert_eq!((failure.check.as_str(), failure.class.as_str()), ("output", "REPLAY_OUTPUT_MISMATCH"));
    assert_eq!(replay.result.verdict.failure_class().unwrap().as_str(), "REPLAY_OUTPUT_MISMATCH");
    assert_eq!((failure.seq.unwrap().get(), failure.record_type.unwrap().as_str()), (4, "tool_call"));
    assert_eq!(failure.pointer.as_ref().unwrap().as_str(), "/response");
    // By sha256sum.
    let (answer, recorded) = (
        "768921a22b8e190c2cfafeb0688f0d58a5f76ee4c7fb369758a208c7ba5e9acb",
        "52a56685b7c6a79d3e84be5c8384792348d5d7213aa9cca73999cc0e335763e9",
    );
    assert_eq!(failure.expected, Some(format!("2 bytes of sha256 {answer}: BC")));
    assert_eq!(failure.found, Some(format!("2 bytes of sha256 {recorded}")));
    assert!(failure.message.contains("tickets/read"));
    assert_eq!(replay.diagnostics.coverage.re_executed.get(), 1);
    assert!(replay.findings().is_empty());
}

#[test]
fn a_handler_without_an_answer_fails_the_trace() {
    for (request, code, words) in [
        ("panic", "tool.panicked", "it panicked: out of capitals"),
        ("fault", "tool.failed", "no capitals today"),
    ] {
        let replay = verdict(&[(request, "whatever")]);
        let failure = replay.failure().unwrap();
        assert_eq!(failure.class.as_str(), "REPLAY_OUTPUT_MISMATCH");
        assert_eq!(failure.expected.as_deref(), Some(format!("no answer ({code})").as_str()));
        assert!(failure.message.contains(words), "{}", failure.message);
    }
}

#[test]
fn a_request_that_is_not_at_hand_or_sealed_is_not_run() {
    let counted = Capitals::default();
    let sealed = seal_bytes(&SubjectKey::from_bytes(&zeroize::Zeroizing::new([3; 32])), b"private");
    let mut lines = trace(1, &[("a", "A"), ("gone", "x"), ("sealed", "y")]);
    let (name, size) = (Sha256Digest::of(b"sealed").to_string(), r#""size_bytes":6"#);
    let sealed_size = format!(r#""size_bytes":{}"#, sealed.len());
    lines[4] =
        lines[4].replace(&name, &Sha256Digest::of(&sealed).to_string()).replacen(size, &sealed_size, 1);
    let (_dir, ledger) = committed(&lines);
    assert_eq!(ledger.entries(), 6);
    let store = store(&[("a", "A")]);
    [&sealed[..], b"x", b"y"].into_iter().for_each(|bytes| keep(&store, bytes));
    let tools = tools("tickets/read", counted.clone());
    let (verdicts, summary) = ran(&ledger.snapshot().unwrap(), &store, &tools, &Plan::default());
    let verdict = one(verdicts);
    assert!(verdict.is_pass(), "{:?}", verdict.failure());
    assert_eq!((summary.re_executed, counted.0.load(Ordering::Relaxed)), (1, 1));
    let codes: Vec<&str> = verdict.findings().iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["BLOB_NOT_AT_HAND"]);

    // Without a store no request is at hand at all.
    let means = Means { tools: Some(&tools), ..Means::default() };
    let mut verdicts = Vec::new();
    let summary = self::replay(&ledger.snapshot().unwrap(), &means, &Plan::default(), &mut verdicts).unwrap();
    assert_eq!((summary.passed, summary.re_executed), (1, 0));
}

#[test]
fn the_handler_that_names_the_adapter_wins() {
    let payloads = [("a", "A")];
    let (_dir, ledger) = committed(&trace(1, &payloads));
    let (exact, any) = (Capitals::default(), Capitals::default());
    let asked = |tool: &Capitals| tool.0.load(Ordering::Relaxed);
    let mut tools = tools("read", any.clone());
    let run = |tools: &Tools| {
        ran(&ledger.snapshot().unwrap(), &store(&payloads), tools, &Plan::default()).1.re_executed
    };
    assert_eq!((run(&tools), asked(&any)), (1, 1));
    tools.register("tickets/read".parse().unwrap(), exact.clone()).unwrap();
    assert_eq!((run(&tools), asked(&exact), asked(&any)), (1, 1, 1));
    let refused = tools.register("tickets/read".parse().unwrap(), Calculator).unwrap_err();
    assert_eq!(refused.code(), "tools.twice");
    // Another adapter's, or another tool's, is asked nothing.
    let other = Capitals::default();
    let mut none = Tools::default();
    none.register("desk/read".parse().unwrap(), other.clone()).unwrap();
    none.register("write".parse().unwrap(), other.clone()).unwrap();
    assert_eq!((run(&none), asked(&other)), (0, 0));
    for bad in ["", "/", "a/", "/b", "a/b/c", "A", "a b"] {
        assert!(bad.parse::<proofline_replay::ToolName>().is_err(), "{bad}");
    }
}

#[test]
fn nothing_runs_where_nothing_is_executed() {
    let payloads = [("a", "wrong")];
    let (_dir, ledger) = committed(&[trace(1, &payloads), trace(2, &payloads)].concat());
    let counted = Capitals::default();
    let tools = tools("read", counted.clone());
    let ids: Vec<_> = (1..=2).map(|id| format!("{id:032x}").parse().unwrap()).collect();
    let pairs = Pairs::from_iter([Pair { baseline: ids[0], candidate: ids[1] }]);
    let plans = [
        Plan { mode: Mode::Invariant, ..Plan::default() },
        Plan::constrained(pairs, VariancePolicy::NOTHING),
    ];
    for plan in plans {
        let (verdicts, summary) = ran(&ledger.snapshot().unwrap(), &store(&payloads), &tools, &plan);
        assert!(!verdicts.is_empty() && verdicts.iter().all(TraceReplay::is_pass));
        assert_eq!(summary.re_executed, 0);
    }
    assert_eq!(counted.0.load(Ordering::Relaxed), 0);
    // And it would have failed.
    let (verdicts, _) = ran(&ledger.snapshot().unwrap(), &store(&payloads), &tools, &Plan::default());
    assert!(verdicts.iter().all(|verdict| !verdict.is_pass()));
    assert_eq!(counted.0.load(Ordering::Relaxed), 2);
}

#[test]
fn a_trace_that_failed_before_runs_nothing() {
    let mut lines = trace(1, &[("a", "wrong")]);
    // The decision is missing: a forged ledger, as no gate lets this in.
    lines.remove(1);
    let dir = tempfile::tempdir().unwrap();
    let entries: Vec<_> =
        (1..).zip(&lines).map(|(seq, line)| common::forge::Forged::accepted(seq, line)).collect();
    let snapshot = common::forge::ledger(dir.path(), &entries);
    let counted = Capitals::default();
    let (verdicts, _) =
        ran(&snapshot, &store(&[("a", "wrong")]), &tools("read", counted.clone()), &Plan::default());
    assert_eq!(one(verdicts).failure().unwrap().check.as_str(), "prerequisite");
    assert_eq!(counted.0.load(Ordering::Relaxed), 0);
}

#[test]
fn both_sides_of_a_difference_are_had_by_running_once_more() {
    let payloads = [("two\nlines", "TWO\nLINE")];
    let (_dir, ledger) = committed(&trace(1, &payloads));
    let (snapshot, store) = (ledger.snapshot().unwrap(), store(&payloads));
    let tools = tools("read", Capitals::default());
    let (verdicts, _) = ran(&snapshot, &store, &tools, &Plan::default());
    let replay = one(verdicts);
    let means = Means { tools: Some(&tools), ..Means::payloads(&store) };
    let failure = replay.failure().unwrap();
    let difference = OutputDifference::find(&snapshot, &means, failure).unwrap().unwrap();
    assert_eq!(difference.texts(), Some(("TWO\nLINE", "TWO\nLINES")));
    assert!(difference.is_steady);

    // A tool whose answers are never the same is caught by that.
    let counting = Counting::default();
    let unsteady = self::tools("read", counting);
    let (verdicts, _) = ran(&snapshot, &store, &unsteady, &Plan::default());
    let means = Means { tools: Some(&unsteady), ..means };
    let replay = one(verdicts);
    let difference = OutputDifference::find(&snapshot, &means, replay.failure().unwrap()).unwrap().unwrap();
    assert!(!difference.is_steady);
}

/// Answers with how often it was asked.
#[derive(Debug, Default)]
struct Counting(AtomicU64);

impl Tool for Counting {
    fn version(&self) -> String {
        "counting".to_owned()
    }

    fn run(&self, _request: &[u8]) -> Result<Vec<u8>, ToolFault> {
        Ok(self.0.fetch_add(1, Ordering::Relaxed).to_string().into_bytes())
    }
}

#[test]
fn the_output_is_the_same_for_any_number_of_threads() {
    let traces: Vec<String> = (1..=40)
        .flat_map(|id| trace(id, &[("a", "A"), ("b", if id % 3 == 0 { "wrong" } else { "B" })]))
        .collect();
    let (_dir, ledger) = committed(&traces);
    let payloads = store(&[("a", "A"), ("b", "B"), ("b", "wrong")]);
    let tools = tools("read", Capitals::default());
    let run = |threads| {
        let plan = Plan { threads: std::num::NonZeroUsize::new(threads), ..Plan::default() };
        ran(&ledger.snapshot().unwrap(), &payloads, &tools, &plan)
    };
    let (one, many) = (run(1), run(7));
    assert_eq!(one, many);
    // Of 40 traces 13 fail at their second call; the others answer twice.
    assert_eq!((one.1.failed, one.1.re_executed), (13, 27 * 2 + 13));
}
