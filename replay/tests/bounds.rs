//! Variance policies with bounds: what the file says, what it may not say, how far a usage may move, and what a
//! constrained replay makes of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::evidence::{Place, auth_context, call, decision, hash_of};
use common::{committed, one, run};
use proofline_canon::{Limits, Profile};
use proofline_replay::{Pair, Pairs, Plan, TraceReplay, VariancePolicy};
use proofline_trace::{DifferenceKind, Envelope, read_envelope};
use proptest::prelude::*;

fn policy(file: &str) -> VariancePolicy {
    VariancePolicy::parse(file.as_bytes()).unwrap_or_else(|fault| panic!("{fault}: {file}"))
}

fn written(file: &str) -> String {
    String::from_utf8(policy(file).to_value().to_canonical(Profile::Envelope).unwrap()).unwrap()
}

/// A call with these names: of a model, with this usage, or of a tool.
fn named(is_model: bool, first: &str, second: &str, usage: [u64; 3]) -> Envelope {
    let place = Place { trace: 1, span: 5, parent: None };
    let hash = "5".repeat(64);
    let line = call(place, (&hash, &hash), 1000, ("q", "a"), "ok", is_model.then_some(0));
    let line = line
        .replace(
            r#""provider":"lab","model":"heron""#,
            &format!(r#""provider":"{first}","model":"{second}""#),
        )
        .replace(
            r#""adapter_id":"tickets","tool_name":"read""#,
            &format!(r#""adapter_id":"{first}","tool_name":"{second}""#),
        )
        .replace(
            r#""input_tokens":7,"output_tokens":0,"total_tokens":7"#,
            &format!(
                r#""input_tokens":{},"output_tokens":{},"total_tokens":{}"#,
                usage[0], usage[1], usage[2]
            ),
        );
    read_envelope(line.as_bytes(), &Limits::ENVELOPE).unwrap().into_parts().0
}

fn may(policy: &VariancePolicy, one: &Envelope, other: &Envelope) -> [bool; 3] {
    [DifferenceKind::Response, DifferenceKind::Outcome, DifferenceKind::Usage]
        .map(|kind| policy.permits(one, other, kind))
}

#[test]
fn the_bound_that_names_most_counts_in_place_of_the_type() {
    let policy = policy(
        r#"{"allow_variance":{"model_call":["response","outcome"],"tool_call":["outcome"]},"bounds":[
            {"record_type":"model_call","model":"m","allow":["usage"]},
            {"record_type":"model_call","provider":"p","usage_percent":10},
            {"record_type":"model_call","provider":"p","model":"m","allow":[]},
            {"record_type":"tool_call","adapter_id":"a","tool_name":"t","allow":["response"]}]}"#,
    );
    let table = [
        (true, "x", "x", [true, true, false]),
        (true, "x", "m", [false, false, true]),
        // 100 is within 10 % of 95 and not of 90; what the type allows stays.
        (true, "p", "x", [true, true, true]),
        (true, "p", "m", [false, false, false]),
        (false, "a", "t", [true, false, false]),
        (false, "a", "x", [false, true, false]),
        (false, "p", "m", [false, true, false]),
    ];
    for (is_model, first, second, wanted) in table {
        let call = |usage| named(is_model, first, second, usage);
        assert_eq!(may(&policy, &call([95; 3]), &call([100; 3])), wanted, "{first}/{second}");
    }
    let call = |usage| named(true, "p", "x", usage);
    assert_eq!(may(&policy, &call([90; 3]), &call([100; 3])), [true, true, false]);
    // Each of the three numbers for itself.
    for at in 0..3 {
        let mut moved = [100; 3];
        moved[at] = 111;
        assert!(!policy.permits(&call([100; 3]), &call(moved), DifferenceKind::Usage));
        moved[at] = 110;
        assert!(policy.permits(&call([100; 3]), &call(moved), DifferenceKind::Usage));
    }
    assert!(!policy.permits(&call([1; 3]), &call([1; 3]), DifferenceKind::EvidenceIdentity));
}

proptest! {
    /// By the two ends of what is allowed, each rounded inwards.
    #[test]
    fn usage_within_a_percentage_is_exact(
        before in prop_oneof![0_u64..300, 9_007_199_254_740_000_u64..=9_007_199_254_740_991],
        step in -40_i64..40, percent in prop_oneof![0_u64..130, Just(9_007_199_254_740_991_u64)],
    ) {
        let after = before.saturating_add_signed(step).min(9_007_199_254_740_991);
        let file = format!(
            r#"{{"allow_variance":{{}},"bounds":[{{"record_type":"model_call","usage_percent":{percent}}}]}}"#
        );
        let (base, part) = (i128::from(before), i128::from(percent));
        let lowest = (base * (100 - part) + 99).div_euclid(100);
        let highest = (base * (100 + part)).div_euclid(100);
        let wanted = (lowest..=highest).contains(&i128::from(after));
        let call = |number| named(true, "p", "m", [number, 0, number]);
        prop_assert_eq!(policy(&file).permits(&call(before), &call(after), DifferenceKind::Usage), wanted);
    }
}

#[test]
fn from_zero_only_zero_is_within_and_nothing_is_within_an_absent_usage() {
    let policy = policy(
        r#"{"allow_variance":{},"bounds":[{"record_type":"model_call","usage_percent":9007199254740991}]}"#,
    );
    let call = |number| named(true, "p", "m", [number; 3]);
    assert!(policy.permits(&call(0), &call(0), DifferenceKind::Usage));
    assert!(!policy.permits(&call(0), &call(1), DifferenceKind::Usage));
    assert!(policy.permits(&call(1), &call(0), DifferenceKind::Usage));
    let mut silent = call(1);
    if let Envelope::ModelCall(call) = &mut silent {
        call.usage = None;
    }
    assert!(!policy.permits(&call(1), &silent, DifferenceKind::Usage));
    assert!(!policy.permits(&silent, &call(1), DifferenceKind::Usage));
}

#[test]
fn a_policy_is_written_in_one_form() {
    let one = r#"{"allow_variance":{"model_call":["response","usage"]},"bounds":[
        {"tool_name":"t","record_type":"tool_call","allow":["usage","response"]},
        {"usage_percent":20,"record_type":"model_call"}]}"#;
    let other = r#"{"bounds":[{"record_type":"model_call","allow":["response"],"usage_percent":20},
        {"record_type":"tool_call","allow":["response","usage"],"tool_name":"t"}],
        "allow_variance":{"model_call":["usage","response"],"tool_call":[]}}"#;
    let wanted = concat!(
        r#"{"allow_variance":{"model_call":["response","usage"]},"bounds":["#,
        r#"{"allow":["response"],"record_type":"model_call","usage_percent":20},"#,
        r#"{"allow":["response","usage"],"record_type":"tool_call","tool_name":"t"}]}"#
    );
    assert_eq!(written(one), wanted);
    assert_eq!(written(other), wanted);
    assert_eq!(written(wanted), wanted);
    // Without bounds the form is as it was.
    assert_eq!(written(r#"{"allow_variance":{},"bounds":[]}"#), r#"{"allow_variance":{}}"#);
}

#[test]
fn a_bound_that_is_not_understood_is_refused_at_its_place() {
    let model = r#"{"record_type":"model_call","provider":"p","allow":[]}"#;
    for (bounds, code, pointer) in [
        ("{}", "form.type", "/bounds"),
        ("[1]", "form.type", "/bounds/0"),
        ("[{}]", "form.missing", "/bounds/0"),
        (r#"[{"record_type":"model_call"}]"#, "form.missing", "/bounds/0"),
        (r#"[{"record_type":"policy_decision","allow":[]}]"#, "form.word", "/bounds/0/record_type"),
        (r#"[{"record_type":1,"allow":[]}]"#, "form.type", "/bounds/0/record_type"),
        (r#"[{"record_type":"tool_call","usage_percent":3}]"#, "form.unknown", "/bounds/0/usage_percent"),
        (r#"[{"record_type":"tool_call","model":"m","allow":[]}]"#, "form.unknown", "/bounds/0/model"),
        (
            r#"[{"record_type":"model_call","tool_name":"t","allow":[]}]"#,
            "form.unknown",
            "/bounds/0/tool_name",
        ),
        (r#"[{"record_type":"model_call","model":"M","allow":[]}]"#, "form.type", "/bounds/0/model"),
        (r#"[{"record_type":"model_call","allow":["usages"]}]"#, "form.word", "/bounds/0/allow/0"),
        (
            r#"[{"record_type":"model_call","allow":["usage"],"usage_percent":5}]"#,
            "form.repeated",
            "/bounds/0/usage_percent",
        ),
        (r#"[{"record_type":"model_call","usage_percent":-1}]"#, "form.type", "/bounds/0/usage_percent"),
        (r#"[{"record_type":"model_call","usage_percent":1.5}]"#, "form.type", "/bounds/0/usage_percent"),
        (
            r#"[{"record_type":"model_call","usage_percent":9007199254740992}]"#,
            "form.type",
            "/bounds/0/usage_percent",
        ),
        (&format!("[{model},{model}]"), "form.repeated", "/bounds/1"),
        (
            &format!(r#"[{{"record_type":"model_call","model":"m","allow":[]}},{model}]"#),
            "form.ambiguous",
            "/bounds/1",
        ),
    ] {
        let file = format!(r#"{{"allow_variance":{{}},"bounds":{bounds}}}"#);
        let fault = VariancePolicy::parse(file.as_bytes()).unwrap_err();
        let place = fault.pointer().map(ToString::to_string).unwrap_or_default();
        assert_eq!((fault.code(), place.as_str()), (code, pointer), "{file}");
    }
    // A bound that names both says which counts; models and tools do not get in each other's way.
    policy(&format!(
        r#"{{"allow_variance":{{}},"bounds":[{model},{{"record_type":"model_call","model":"m","allow":[]}},
            {{"record_type":"model_call","model":"m","provider":"p","allow":[]}}]}}"#
    ));
    policy(&format!(
        r#"{{"allow_variance":{{}},"bounds":[{model},{{"record_type":"tool_call","tool_name":"m","allow":[]}}]}}"#
    ));
}

/// A run of one model call with this many output tokens.
fn work(trace: u32, output: u64) -> Vec<String> {
    let context = auth_context(trace, "staff/ines");
    let decision = decision(trace, &hash_of(&context), "allow");
    let place = Place { trace, span: 9, parent: Some(2) };
    let names = (hash_of(&context), hash_of(&decision));
    let call = call(place, (&names.0, &names.1), 1200, ("q", "a"), "ok", Some(output));
    vec![context, decision, call]
}

#[test]
fn a_constrained_replay_keeps_to_bounds_and_names_them() {
    let (_dir, ledger) = committed(&[work(1, 100), work(2, 120), work(3, 121)].concat());
    let snapshot = ledger.snapshot().unwrap();
    let trace = |number: u32| format!("{number:032x}").parse().unwrap();
    let verdict = |baseline, candidate, file: &str| -> TraceReplay {
        let pair = Pair { baseline: trace(baseline), candidate: trace(candidate) };
        one(run(&snapshot, &Plan::constrained(Pairs::from_iter([pair]), policy(file))).0)
    };
    let within = r#"{"allow_variance":{},"bounds":[{"record_type":"model_call","usage_percent":20}]}"#;
    let passed = verdict(1, 2, within);
    assert!(passed.is_pass() && passed.differences()[0].allowed);
    let named = passed.diagnostics.to_value().get("variance").unwrap().clone();
    assert_eq!(named, policy(within).to_value());
    let read = proofline_trace::ReplayDiagnostics::from_value(&passed.diagnostics.to_value()).unwrap();
    assert_eq!(read, passed.diagnostics);
    let failed = verdict(1, 3, within);
    assert_eq!(failed.failure().unwrap().check.as_str(), "variance");
    // Of the baseline's value: 24 is within 20 % of 120, and 20 + 7 in total of 127 too; from 121, 21 is.
    assert!(verdict(2, 1, within).is_pass() && verdict(3, 1, within).is_pass());
    // Another model's bound says nothing here, and the type does.
    let elsewhere = r#"{"allow_variance":{"model_call":["usage"]},"bounds":[
        {"record_type":"model_call","model":"egret","usage_percent":0}]}"#;
    assert!(verdict(1, 3, elsewhere).is_pass());
    let here = elsewhere.replace("egret", "heron");
    assert!(!verdict(1, 2, &here).is_pass());
}
