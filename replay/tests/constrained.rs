//! Constrained replay: its laws over any two runs, what the diagnostics say, one baseline against
//! many, any number of threads, recording.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::num::NonZeroUsize;

use common::work::{Call, Expected, Step, expected, records};
use common::{NOW_MS, commit, committed, fresh, one, output, run};
use proofline_ledger::{Options, Snapshot};
use proofline_replay::{
    Event, Means, Mode, Pair, Pairs, Plan, ReplayError, Selection, TraceReplay, VariancePolicy, record,
    replay,
};
use proofline_trace::{FailureClass, TraceId};
use proptest::prelude::*;

fn trace(number: u32) -> TraceId {
    format!("{number:032x}").parse().unwrap()
}

fn pair(baseline: u32, candidate: u32) -> Pair {
    Pair { baseline: trace(baseline), candidate: trace(candidate) }
}

fn verdict(snapshot: &Snapshot, pair: Pair, variance: VariancePolicy) -> TraceReplay {
    one(run(snapshot, &Plan::constrained(Pairs::from_iter([pair]), variance)).0)
}

/// Two runs in one ledger, as traces 1 and 2, all of whose records the gate accepts.
fn two_runs(before: &[Step], after: &[Step]) -> (tempfile::TempDir, Snapshot) {
    let lines = [records(1, before), records(2, after)].concat();
    let (dir, ledger) = committed(&lines);
    assert_eq!(ledger.entries(), lines.len() as u64 + 1);
    (dir, ledger.snapshot().unwrap())
}

fn class(replay: &TraceReplay) -> Option<FailureClass> {
    replay.result.verdict.failure_class()
}

fn calls() -> impl Strategy<Value = Call> {
    (any::<bool>(), 0_u32..3, 0_u32..3, 0_u32..2, 0_u64..3).prop_map(
        |(is_model, request, response, status, usage)| Call { is_model, request, response, status, usage },
    )
}

fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (0_u32..3, proptest::collection::vec(calls(), 0..4));
    proptest::collection::vec(step.prop_map(|(resource, calls)| Step { resource, calls }), 0..most)
}

/// A policy that allows these members of model calls, then of tool calls.
fn policy(bits: u32) -> VariancePolicy {
    let list = |bits: u32| {
        let named = ["response", "outcome", "usage"].into_iter().enumerate();
        let named = named.filter(|(at, _)| bits >> at & 1 == 1);
        named.map(|(_, name)| format!("\"{name}\"")).collect::<Vec<_>>().join(",")
    };
    let file = format!(
        r#"{{"allow_variance":{{"model_call":[{}],"tool_call":[{}]}}}}"#,
        list(bits & 7),
        list(bits >> 3)
    );
    VariancePolicy::parse(file.as_bytes()).unwrap()
}

fn allows(bits: u32, (is_model, member): (bool, &str)) -> bool {
    let at = ["response", "outcome", "usage"].iter().position(|name| *name == member).unwrap();
    bits >> (at + if is_model { 0 } else { 3 }) & 1 == 1
}

/// One change to a plan that has a call.
fn changed(steps: &[Step], at: usize, how: u8) -> Vec<Step> {
    let mut changed = steps.to_vec();
    let with_calls = changed.iter_mut().filter(|step| !step.calls.is_empty());
    let mut with_calls: Vec<&mut Step> = with_calls.collect();
    let count = with_calls.len();
    let step = &mut with_calls[at % count];
    let place = at / count % step.calls.len();
    match how {
        0 => drop(step.calls.remove(place)),
        1 => step.calls.insert(place, step.calls[place]),
        2 => step.calls[place].request += 10,
        3 => step.calls.push(Call { request: 77, ..step.calls[place] }),
        4 => step.calls[place].is_model = !step.calls[place].is_model,
        5 => step.resource += 10,
        6 => step.calls[place].response += 10,
        7 => step.calls[place].status += 10,
        _ => {
            step.calls[place] =
                Call { is_model: true, usage: step.calls[place].usage + 10, ..step.calls[place] }
        }
    }
    changed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any two runs under any policy: class and differences as the plans alone have them; swapping
    /// the two changes no class; allowing more fails nothing that passed.
    #[test]
    fn verdicts_are_what_the_contract_says(
        before in steps(3), other in proptest::option::weighted(0.3, steps(3)),
        answers in proptest::collection::vec((0_u32..3, 0_u32..2, 0_u64..2), 12), bits in 0_u32..64, more in 0_u32..64,
    ) {
        // Other work, or the same with other answers.
        let mut again = before.clone();
        for (call, answer) in again.iter_mut().flat_map(|step| &mut step.calls).zip(answers) {
            (call.response, call.status, call.usage) = answer;
        }
        let after = other.unwrap_or(again);
        let (_dir, snapshot) = two_runs(&before, &after);
        let replay = verdict(&snapshot, pair(1, 2), policy(bits));
        match expected(&before, &after) {
            Expected::OtherPath => prop_assert_eq!(class(&replay), Some(FailureClass::PolicyPathMismatch)),
            Expected::Varies(varies) => {
                let fine = varies.iter().all(|it| allows(bits, *it));
                prop_assert_eq!(class(&replay), (!fine).then_some(FailureClass::VarianceViolation));
                let found: Vec<_> = replay.differences().iter().map(|it| {
                    (it.record_type.as_str() == "model_call", it.kind.as_str(), it.allowed)
                }).collect();
                let wanted: Vec<_> = varies.iter().map(|it| (it.0, it.1, allows(bits, *it))).collect();
                prop_assert_eq!(found, wanted);
            }
        }
        let swapped = verdict(&snapshot, pair(2, 1), policy(bits));
        prop_assert_eq!(class(&swapped), class(&replay));
        prop_assert_eq!(swapped.differences().len(), replay.differences().len());
        let allowed = verdict(&snapshot, pair(1, 2), policy(bits | more));
        prop_assert!(!replay.is_pass() || allowed.is_pass());
        for number in [1, 2] {
            let itself = verdict(&snapshot, pair(number, number), VariancePolicy::NOTHING);
            prop_assert!(itself.is_pass() && itself.differences().is_empty());
        }
    }

    /// Members that have nothing to do with one another may come in any order.
    #[test]
    fn order_does_not_matter(plan in steps(4), seed in any::<u64>()) {
        // Calls of one identity answer alike, or it would matter which is the k-th.
        let mut plan = plan;
        for call in plan.iter_mut().flat_map(|step| &mut step.calls) {
            (call.response, call.status, call.usage) = (call.request, 0, 5);
        }
        let mut random = common::random::Random::seeded(seed);
        let mut shuffled = plan.clone();
        for at in (1..shuffled.len()).rev() {
            shuffled.swap(at, random.below(at + 1));
        }
        for step in &mut shuffled {
            for at in (1..step.calls.len()).rev() {
                step.calls.swap(at, random.below(at + 1));
            }
        }
        let (_dir, snapshot) = two_runs(&plan, &shuffled);
        let replay = verdict(&snapshot, pair(1, 2), VariancePolicy::NOTHING);
        prop_assert!(replay.is_pass() && replay.differences().is_empty(), "{:?}", replay.failure());
    }

    /// One call added, dropped, repeated or changed gives the class that the contract names.
    #[test]
    fn one_change_is_one_class(plan in steps(4), at in 0_usize..100, how in 0_u8..9) {
        prop_assume!(plan.iter().any(|step| !step.calls.is_empty()));
        let after = changed(&plan, at, how);
        // Usage is changed of a model's call, which the plan must have there.
        prop_assume!(how < 8 || expected(&plan, &after) != Expected::OtherPath);
        let (_dir, snapshot) = two_runs(&plan, &after);
        let replay = verdict(&snapshot, pair(1, 2), VariancePolicy::NOTHING);
        let (class_named, differences) = match how {
            0..=5 => (FailureClass::PolicyPathMismatch, replay.differences().len()),
            _ => (FailureClass::VarianceViolation, 1),
        };
        prop_assert_eq!(class(&replay), Some(class_named));
        prop_assert_eq!(replay.differences().len(), differences);
        prop_assert!(differences > 0);
        prop_assert!(replay.findings().is_empty());
    }
}

fn plain() -> Vec<Step> {
    let model = Call { is_model: true, request: 1, response: 1, status: 1, usage: 40 };
    let tool = Call { is_model: false, usage: 0, ..model };
    vec![Step { resource: 7, calls: vec![model, tool] }, Step { resource: 8, calls: vec![tool] }]
}

#[test]
fn a_failure_shows_both_sides_in_readable_form() {
    let mut after = plain();
    (after[0].calls[0].response, after[0].calls[1].response, after[0].calls[1].status) = (2, 3, 4);
    let (_dir, snapshot) = two_runs(&plain(), &after);
    let replay = verdict(&snapshot, pair(1, 2), VariancePolicy::MODEL_OUTPUT);
    let kinds: Vec<_> = replay.differences().iter().map(|it| (it.kind.as_str(), it.allowed)).collect();
    assert_eq!(kinds, [("response", true), ("response", false), ("outcome", false)]);
    let failure = replay.failure().unwrap();
    assert_eq!((failure.check.as_str(), failure.seq.unwrap().get()), ("variance", 10));
    assert_eq!(failure.pointer.as_ref().unwrap().to_string(), "/response");
    assert_eq!(
        failure.message,
        "The response of a tool_call differs, which the variance policy does not allow."
    );
    let blob = |text: &str| {
        let name = proofline_canon::Sha256Digest::of(text.as_bytes());
        format!(r#"{{"content_type":"text/plain","sha256":"{name}","size_bytes":{}}}"#, text.len())
    };
    assert_eq!(failure.expected.as_deref(), Some(blob("response 1").as_str()));
    assert_eq!(failure.found.as_deref(), Some(blob("response 3").as_str()));
    assert_eq!(replay.differences()[2].candidate.value.as_deref(), Some(r#"{"status":"state-4"}"#));

    let mut after = plain();
    after.push(after[1].clone());
    let (_dir, snapshot) = two_runs(&plain(), &after);
    let replay = verdict(&snapshot, pair(1, 2), policy(63));
    let failure = replay.failure().unwrap();
    assert_eq!(failure.check.as_str(), "policy_signatures");
    assert_eq!(failure.message, "The baseline has 1 decision of one policy signature, the candidate 2.");
    let signature = format!(
        r#"{{"action":"tickets:read","obligations":[],"policy_id":"tickets","policy_sha256":"{:064x}","policy_version":"v3","reason_codes":["granted"],"resource":"tickets/8","result":"allow"}}"#,
        9
    );
    assert_eq!(failure.expected.as_ref(), Some(&signature));
    assert_eq!(failure.found, Some(format!("2 times {signature}")));
    let request = blob("request 1");
    let identity = format!(
        r#"{{"policy_signature":{signature},"record_type":"tool_call","request":{request},"tool":{{"adapter_id":"tickets","tool_name":"read"}}}}"#
    );
    let [_, call] = replay.differences() else { panic!("{:?}", replay.differences()) };
    assert_eq!((call.kind.as_str(), call.baseline.value.as_ref()), ("evidence_identity", Some(&identity)));
    assert_eq!((call.baseline.records.len(), call.candidate.records.len()), (1, 2));
}

#[test]
fn coverage_is_of_both_sides() {
    let (_dir, snapshot) = two_runs(&plain(), &plain());
    let coverage = verdict(&snapshot, pair(1, 2), VariancePolicy::NOTHING).diagnostics.coverage;
    assert_eq!(
        (coverage.records.get(), coverage.verified.get(), coverage.gate_rechecked.get()),
        (12, 12, 12)
    );
    // One request and one response, which all six calls name.
    assert_eq!((coverage.blobs_absent.get(), coverage.policy_re_decided.get()), (2, 0));
}

#[test]
fn traces_may_rest_on_shared_or_missing_context_alone() {
    // The decision of trace 2 rests on trace 1's context: the gate keeps it as an attempt, no chain.
    let shared = records(1, &plain());
    let borrowed = shared[1].replace(&format!("{:032x}", 1), &format!("{:032x}", 2));
    let (_dir, ledger) = committed(&[shared, vec![borrowed]].concat());
    let replay = verdict(&ledger.snapshot().unwrap(), pair(1, 2), VariancePolicy::NOTHING);
    assert_eq!(class(&replay), Some(FailureClass::ChainNotFound));
    assert!(replay.result.input_envelope_hashes.is_empty());
    assert_eq!(replay.diagnostics.coverage, proofline_trace::Coverage::default());
    assert!(replay.failure().unwrap().message.starts_with("The candidate is not found."));
}

/// 700 runs, every seventh with another answer: more than a chunk of pairs.
fn many() -> (tempfile::TempDir, Snapshot) {
    let (dir, ledger) = fresh(Options::default());
    for number in 1..=700 {
        let mut steps = plain();
        steps[0].calls[0].response = u32::from(number % 7 == 0);
        steps[0].calls[0].usage = 1;
        commit(&ledger, &records(number, &steps));
    }
    (dir, ledger.snapshot().unwrap())
}

#[test]
fn one_baseline_against_many_on_any_number_of_threads() {
    let (_dir, snapshot) = many();
    let plan = |threads, mode_bits| Plan {
        threads: NonZeroUsize::new(threads),
        ..Plan::constrained(Pairs::against(trace(1), (2..=700).map(trace)), policy(mode_bits))
    };
    let (verdicts, summary) = run(&snapshot, &plan(2, 0));
    assert_eq!((summary.traces, summary.failed), (699, 100));
    assert_eq!(summary.failures[&FailureClass::VarianceViolation], 100);
    let candidates: Vec<TraceId> = verdicts.iter().map(TraceReplay::trace_id).collect();
    assert_eq!(candidates, (2..=700).map(trace).collect::<Vec<_>>());
    assert!(verdicts.iter().all(|replay| replay.baseline() == Some(trace(1))));
    let lines = output(&snapshot, &plan(1, 0));
    assert_eq!(output(&snapshot, &plan(2, 0)), lines);
    assert_eq!(output(&snapshot, &plan(8, 0)), lines);
    assert_eq!(run(&snapshot, &plan(8, 1)).1.passed, 699);
    // Each alone says what all together say.
    for at in [0, 5, 698] {
        assert_eq!(verdict(&snapshot, pair(1, at + 2), VariancePolicy::NOTHING), verdicts[at as usize]);
    }
}

/// Counts the events, and stops at one.
struct Watcher(Vec<Event>, usize);

impl proofline_replay::ReplaySink for Watcher {
    fn verdict(&mut self, _: TraceReplay) -> std::ops::ControlFlow<()> {
        std::ops::ControlFlow::Continue(())
    }

    fn event(&mut self, event: &Event) -> std::ops::ControlFlow<()> {
        self.0.push(event.clone());
        if self.0.len() == self.1 {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        }
    }
}

#[test]
fn a_baseline_is_read_once_and_a_run_can_be_stopped() {
    let (_dir, snapshot) = many();
    let plan = Plan::constrained(Pairs::against(trace(1), (2..=700).map(trace)), VariancePolicy::NOTHING);
    let mut watcher = Watcher(Vec::new(), 0);
    replay(&snapshot, &Means::default(), &plan, &mut watcher).unwrap();
    // Six records a run: 257 of them for the first 256 pairs, 256 for the next.
    let progress = |traces, runs: u64| Event::TracesReplayed { traces, total: Some(699), entries: 6 * runs };
    assert_eq!(watcher.0, [progress(256, 257), progress(512, 513), progress(699, 700)]);
    let mut watcher = Watcher(Vec::new(), 2);
    let error = replay(&snapshot, &Means::default(), &plan, &mut watcher).unwrap_err();
    assert!(matches!(error, ReplayError::Stopped));
    assert_eq!(watcher.0.len(), 2);
}

#[test]
fn a_question_is_asked_of_what_it_can_be_asked_of() {
    let (_dir, snapshot) = two_runs(&plain(), &plain());
    let pairs = Selection::Pairs(Pairs::from_iter([pair(1, 2)]));
    let constrained = Mode::Constrained(VariancePolicy::NOTHING);
    for (mode, traces) in [
        (constrained.clone(), Selection::All),
        (constrained, Selection::from_iter([trace(1)])),
        (Mode::Forensic, pairs.clone()),
        (Mode::Invariant, pairs),
    ] {
        let plan = Plan { mode, traces, ..Plan::default() };
        let error = replay(&snapshot, &Means::default(), &plan, &mut Vec::new()).unwrap_err();
        assert_eq!(error.code(), "replay.plan", "{error}");
    }
}

#[test]
fn verdicts_of_all_modes_are_recorded_once() {
    let mut after = plain();
    after[0].calls[0].response = 2;
    let lines = [records(1, &plain()), records(2, &after)].concat();
    let (_dir, ledger) = committed(&lines);
    let pairs = Pairs::from_iter([pair(1, 2), pair(1, 9), pair(2, 2)]);
    let plans = [
        Plan::default(),
        Plan { mode: Mode::Invariant, ..Plan::default() },
        Plan::constrained(pairs.clone(), VariancePolicy::NOTHING),
        Plan::constrained(pairs, VariancePolicy::MODEL_OUTPUT),
    ];
    let mut appended = 0;
    for round in 0..2 {
        for plan in &plans {
            let (verdicts, _) = run(&ledger.snapshot().unwrap(), plan);
            for replay in &verdicts {
                let recorded = record(&ledger, replay, NOW_MS).unwrap();
                appended +=
                    u64::from(!recorded.result.duplicate) + u64::from(!recorded.diagnostics.duplicate);
                assert!(round == 0 || recorded.result.duplicate && recorded.diagnostics.duplicate);
                let entry = ledger.snapshot().unwrap().entry(recorded.diagnostics.seq).unwrap().unwrap();
                let kind = proofline_ledger::ArtifactKind::read(&entry.body).unwrap();
                assert_eq!(
                    kind,
                    proofline_ledger::ArtifactKind::ReplayDiagnostics(replay.diagnostics.clone())
                );
            }
        }
    }
    // Two traces twice, three pairs; under the other policy one pair has another verdict, and the
    // diagnostics of all three name another policy.
    assert_eq!(appended, 2 * (2 + 2 + 3) + 1 + 3);
}
