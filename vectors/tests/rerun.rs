//! The run after a model change does what its deviation says and nothing else: judged by the verdicts that
//! the Python reference gives over the shipped pairs, and by a small comparison of its own over many more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use common::Gate;
use proofline_canon::{Limits, Value, parse};
use proofline_trace::{Envelope, EnvelopeHash, SpanId, TraceId};
use proofline_vectors::{
    Deviation, EvidencePlan, Fate, Generator, Rerun, Submission, after_model_change, rerun,
};

const NOT_FOUND: &str = "REPLAY_CHAIN_NOT_FOUND";
const PATH: &str = "REPLAY_POLICY_PATH_MISMATCH";
const VARIANCE: &str = "REPLAY_VARIANCE_VIOLATION";

/// What constrained replay must say without a variance policy, and with the preset `model-output`.
fn verdicts(deviation: Deviation) -> [&'static str; 2] {
    match deviation {
        Deviation::Same => ["pass", "pass"],
        Deviation::Answers | Deviation::OtherOrder => [VARIANCE, "pass"],
        Deviation::OtherToolResult | Deviation::OtherOutcome => [VARIANCE, VARIANCE],
        Deviation::NeverBegan => [NOT_FOUND, NOT_FOUND],
        Deviation::OneMoreStep
        | Deviation::OneMoreCall
        | Deviation::OneFewerCall
        | Deviation::OtherArgument
        | Deviation::DeniedRequest
        | Deviation::RenamedModel => [PATH, PATH],
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or("pass")
}

#[test]
fn shipped_pairs_have_the_verdicts_of_their_deviations() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("evidence/expected-pairs.json");
    let expected = parse(&std::fs::read(path).unwrap(), &Limits::CONTENT).unwrap();
    let expected = expected.get("pairs").unwrap().as_array().unwrap();
    let made = after_model_change(&EvidencePlan::AGENT_WORK, Deviation::shipped);
    assert_eq!(expected.len(), made.pairs.len());
    for (pair, expected) in made.pairs.iter().zip(expected) {
        assert_eq!(text(expected, "baseline"), pair.baseline.to_string());
        assert_eq!(text(expected, "candidate"), pair.candidate.to_string());
        let given = ["none", "model-output"]
            .map(|variance| text(expected.get(variance).unwrap().get("record").unwrap(), "failure_class"));
        assert_eq!(given, verdicts(pair.deviation), "{pair:?}");
    }
    let found: BTreeSet<Deviation> = made.pairs.iter().map(|pair| pair.deviation).collect();
    assert_eq!(found, BTreeSet::from(Deviation::ALL));
}

/// Each trace of a plan with a run after it, every deviation in turn.
fn reruns(plan: &EvidencePlan) -> Vec<(Deviation, Vec<Submission>, Rerun)> {
    let mut traces: BTreeMap<TraceId, Vec<Submission>> = BTreeMap::new();
    for one in Generator::new(plan) {
        traces.entry(one.sealed.envelope().trace_id()).or_default().push(one);
    }
    let wanted = Deviation::ALL.into_iter().cycle();
    let every = (0_u64..).zip(wanted).zip(traces.into_values());
    every
        .map(|((index, wanted), before)| {
            let again = rerun(plan, index, &before, wanted).unwrap();
            (wanted, before, again)
        })
        .collect()
}

fn plans() -> [EvidencePlan; 2] {
    let noisy = EvidencePlan {
        refused_per_mille: 200,
        repeated_per_mille: 100,
        ..EvidencePlan::AGENT_WORK.with_traces(480)
    };
    [noisy, EvidencePlan::clean(11, 480)]
}

/// The calls of a chain: by identity, in order, what constrained replay compares.
type Calls = BTreeMap<String, Vec<[String; 3]>>;

/// Policy signatures, sorted, and calls; `None` where nothing was accepted.
fn path(submissions: &[Submission]) -> Option<(Vec<String>, Calls)> {
    let accepted = submissions.iter().filter(|one| one.fate == Fate::Accepted);
    let accepted: BTreeMap<EnvelopeHash, &Envelope> =
        accepted.map(|one| (one.sealed.hash(), one.sealed.envelope())).collect();
    let signature = |decision: &Envelope| match decision {
        Envelope::PolicyDecision(record) => {
            Some(format!("{:?} {:?} {:?}", record.policy, record.request, record.decision))
        }
        Envelope::AuthContext(_) | Envelope::ModelCall(_) | Envelope::ToolCall(_) => None,
    };
    let mut signatures: Vec<String> = accepted.values().filter_map(|one| signature(one)).collect();
    signatures.sort();
    let mut in_order: Vec<(&EnvelopeHash, &&Envelope)> = accepted.iter().collect();
    in_order.sort_by_key(|(hash, envelope)| (envelope.time_ms(), **hash));
    let mut calls = Calls::new();
    for envelope in in_order.into_iter().map(|(_, envelope)| *envelope) {
        let Some(decision) = envelope.policy_decision_hash() else { continue };
        let value = envelope.to_value();
        let part = |name: &str| format!("{:?}", value.get(name));
        let reference = (part("record_type"), part("model"), part("tool"), part("request"));
        let identity = format!("{reference:?} {:?}", signature(accepted[&decision]));
        calls.entry(identity).or_default().push(["response", "outcome", "usage"].map(part));
    }
    (!accepted.is_empty()).then_some((signatures, calls))
}

/// The class without a variance policy and with `model-output`, for two chains.
fn compared(before: &[Submission], after: &[Submission]) -> [&'static str; 2] {
    let (Some((signatures, calls)), Some((other_signatures, other_calls))) = (path(before), path(after))
    else {
        return [NOT_FOUND; 2];
    };
    let counts = |calls: &Calls| -> Vec<(String, usize)> {
        calls.iter().map(|(identity, all)| (identity.clone(), all.len())).collect()
    };
    if signatures != other_signatures || counts(&calls) != counts(&other_calls) {
        return [PATH; 2];
    }
    let preset = |identity: &str, [response, outcome, usage]: &[String; 3]| {
        if identity.contains("model_call") {
            [String::new(), outcome.clone(), String::new()]
        } else {
            [response.clone(), outcome.clone(), usage.clone()]
        }
    };
    let masked = |calls: &Calls| -> Vec<[String; 3]> {
        calls.iter().flat_map(|(identity, all)| all.iter().map(|one| preset(identity, one))).collect()
    };
    let class = |equal: bool| if equal { "pass" } else { VARIANCE };
    [class(calls == other_calls), class(masked(&calls) == masked(&other_calls))]
}

#[test]
fn every_deviation_leads_to_its_verdicts() {
    for plan in plans() {
        let mut done = BTreeMap::new();
        for (wanted, before, again) in reruns(&plan) {
            let deviation = again.pair.deviation;
            let given = compared(&before, &again.submissions);
            // Steps change places without other answers where no model answered.
            let odd = deviation == Deviation::OtherOrder && given == ["pass"; 2];
            assert!(odd || given == verdicts(deviation), "{deviation:?}: {given:?}");
            assert!(deviation == wanted || [Deviation::Answers, Deviation::Same].contains(&deviation));
            *done.entry(deviation).or_insert(0) += 1;
        }
        // Most traces give occasion for whatever is wanted: 40 times each.
        assert_eq!(done.len(), Deviation::ALL.len(), "{done:?}");
        assert!(done.values().all(|count| *count >= 25), "{done:?}");
    }
}

#[test]
fn fates_follow_from_the_records_before() {
    for plan in plans() {
        let mut gate = Gate::default();
        for (_, before, again) in reruns(&plan) {
            for one in before.iter().chain(&again.submissions) {
                assert_eq!(
                    one.fate,
                    gate.hand_in(one),
                    "{}",
                    String::from_utf8_lossy(one.sealed.canonical())
                );
            }
            let times: Vec<u64> = again.submissions.iter().map(|one| one.at_ms).collect();
            assert!(times.is_sorted() && times[0] > before[0].at_ms);
        }
    }
}

#[test]
fn nothing_but_the_work_is_shared() {
    let names =
        |submissions: &[Submission]| -> (BTreeSet<TraceId>, BTreeSet<SpanId>, BTreeSet<EnvelopeHash>) {
            let traces = submissions.iter().map(|one| one.sealed.envelope().trace_id()).collect();
            let spans = submissions.iter().map(|one| one.sealed.envelope().trace().span_id()).collect();
            (traces, spans, submissions.iter().map(|one| one.sealed.hash()).collect())
        };
    for (_, before, again) in reruns(&plans()[0]) {
        let (before, after) = (names(&before), names(&again.submissions));
        assert_eq!(after.0, BTreeSet::from([again.pair.candidate]));
        assert_eq!(before.0, BTreeSet::from([again.pair.baseline]));
        assert!(
            before.0.is_disjoint(&after.0)
                && before.1.is_disjoint(&after.1)
                && before.2.is_disjoint(&after.2)
        );
    }
}

#[test]
fn a_run_depends_on_its_own_trace_alone() {
    let few = after_model_change(&EvidencePlan::AGENT_WORK.with_traces(7), Deviation::shipped);
    let many = after_model_change(&EvidencePlan::AGENT_WORK.with_traces(9), Deviation::shipped);
    assert_eq!(few, after_model_change(&EvidencePlan::AGENT_WORK.with_traces(7), Deviation::shipped));
    assert_eq!(few.pairs, many.pairs[..7]);
    assert!(few.evidence.lines.iter().all(|line| many.evidence.lines.contains(line)));
}

#[test]
fn a_pair_is_a_line_of_json() {
    let made = after_model_change(&EvidencePlan::AGENT_WORK.with_traces(1), |_| Deviation::Same);
    let line = parse(made.pairs[0].line().as_bytes(), &Limits::ENVELOPE).unwrap();
    assert_eq!(line.as_object().unwrap().len(), 2);
    assert_eq!(text(&line, "baseline"), made.pairs[0].baseline.to_string());
    assert_eq!(text(&line, "candidate"), made.pairs[0].candidate.to_string());
}
