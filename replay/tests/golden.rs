//! The golden verdicts of `vectors/`, computed by an independent Python reference, against
//! replays of ledgers that are forged from the same entries.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::BTreeSet;

use common::forge::{self, Forged};
use common::{Look, golden, one, run};
use proofline_canon::{ContentStore, Limits, MemoryStore, Profile, Sha256Digest, Value, parse};
use proofline_replay::{Means, Mode, Pair, Pairs, Plan, Selection, TraceReplay, VariancePolicy, replay};
use proofline_trace::{Difference, DifferenceSide, Failure, FailureClass, Finding, FindingCode, TraceId};

fn forged(case: &Value) -> (tempfile::TempDir, proofline_ledger::Snapshot) {
    let entries: Vec<Forged> = case.items("entries").iter().map(Forged::of).collect();
    let dir = tempfile::tempdir().unwrap();
    let snapshot = forge::ledger(dir.path(), &entries);
    (dir, snapshot)
}

fn plan(case: &Value) -> Plan {
    let trace_id: TraceId = case.text("trace_id").parse().unwrap();
    Plan {
        traces: Selection::from_iter([trace_id]),
        include_rejected: case.flag("include_rejected"),
        generated_at: case.text("clock").parse().unwrap(),
        ..Plan::default()
    }
}

/// The reference calls the hash check `hash`; in a forensic replay it knows one check of the gate.
fn check_name<'a>(mode: &Mode, check: &'a str) -> &'a str {
    match (mode, check) {
        (_, "envelope_hash") => "hash",
        (Mode::Forensic, "prerequisite" | "trace_continuity" | "authorization") => "gate",
        (_, "prerequisite") => "prerequisites",
        (_, other) => other,
    }
}

fn assert_failure(mode: &Mode, name: &str, failure: &Failure, expected: &Value) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    assert_eq!(check_name(mode, failure.check.as_str()), expected.text("check"), "{name}");
    assert_eq!(failure.class.as_str(), expected.text("classification"), "{name}");
    assert_eq!(failure.error_kind.as_ref().unwrap().to_string(), text(expected.at("error_kind")), "{name}");
    assert_eq!(failure.pointer.as_ref().unwrap().to_string(), text(expected.at("pointer")), "{name}");
    assert_eq!(failure.seq.unwrap().get(), expected.number("seq"), "{name}");
    assert_eq!(failure.envelope_hash.unwrap().to_string(), text(expected.at("envelope_hash")), "{name}");
}

fn assert_record(name: &str, replay: &TraceReplay, expected: &Value) {
    assert_eq!(&replay.result.to_value(), expected.at("record"), "{name}");
    assert_eq!(replay.artifact_sha256.to_string(), expected.text("artifact_sha256"), "{name}");
}

fn assert_verdict(mode: &Mode, name: &str, replay: &TraceReplay, expected: &Value) {
    assert_record(name, replay, expected);
    let failure = replay.failure();
    match expected.at("failure") {
        Value::Null => {
            // The reference gives no failure where there is no chain.
            let shown = failure.map(|failure| failure.class.as_str());
            assert!(matches!(shown, None | Some("REPLAY_CHAIN_NOT_FOUND")), "{name}: {shown:?}");
        }
        expected => assert_failure(mode, name, failure.unwrap(), expected),
    }
}

fn single(mode: Mode, file: &str) {
    let golden = golden(file);
    let cases = golden.items("cases");
    assert!(cases.len() >= 10);
    for case in cases {
        let name = case.text("name");
        let (_dir, snapshot) = forged(case);
        let (verdicts, _) = run(&snapshot, &Plan { mode: mode.clone(), ..plan(case) });
        let replay = one(verdicts);
        assert_verdict(&mode, name, &replay, case.at("expected"));
        assert_eq!(replay.diagnostics.coverage.policy_re_decided.get(), 0);
        if let Some(coverage) = case.at("expected").get("coverage") {
            let found = replay.diagnostics.coverage;
            assert_eq!(found.verified.get(), coverage.number("verified"), "{name}");
            assert_eq!(found.re_executed.get(), coverage.number("re_executed"), "{name}");
            assert_eq!(found.absent.get(), coverage.number("absent"), "{name}");
        }
    }
}

#[test]
fn honest_ledgers() {
    single(Mode::Forensic, "forensic/honest.json");
}

#[test]
fn stored_bytes_that_are_not_right() {
    single(Mode::Forensic, "forensic/bytes.json");
}

#[test]
fn records_that_the_gate_refuses() {
    single(Mode::Forensic, "forensic/gate.json");
}

#[test]
fn rejections_that_the_gate_would_not_repeat() {
    let golden = golden("forensic/not_reproduced.json");
    for case in golden.items("cases") {
        let (_dir, snapshot) = forged(case);
        // With and without listing them: rejected attempts are always decided again.
        for include_rejected in [false, true] {
            let traces = case.items("entries").iter().map(|entry| entry.text("trace_id").parse().unwrap());
            let traces: Selection = traces.collect();
            let (verdicts, _) = run(&snapshot, &Plan { traces, include_rejected, ..Plan::default() });
            let found = verdicts.iter().flat_map(TraceReplay::findings);
            let mut found: Vec<_> = found
                .map(|finding| (finding.seqs[0].get(), finding.code.as_str(), finding.severity.as_str()))
                .collect();
            found.sort_unstable();
            let expected = case.at("expected").items("findings").iter();
            let expected: Vec<_> = expected
                .map(|finding| (finding.number("seq"), finding.text("code"), finding.text("severity")))
                .collect();
            assert_eq!(found, expected, "{}", case.text("name"));
        }
    }
}

#[test]
fn chain_order() {
    let golden = golden("chain/ledgers.json");
    for case in golden.items("cases") {
        let (_dir, snapshot) = forged(case);
        for (trace_id, expected) in case.at("expected").as_object().unwrap().iter() {
            for (list, include_rejected) in [("accepted", false), ("with_rejected", true)] {
                let traces = Selection::from_iter([trace_id.parse().unwrap()]);
                let (verdicts, _) = run(&snapshot, &Plan { traces, include_rejected, ..Plan::default() });
                let seqs: Vec<u64> = expected
                    .items(list)
                    .iter()
                    .map(|seq| seq.as_number().unwrap().literal().parse().unwrap())
                    .collect();
                let keys: Vec<String> = seqs
                    .into_iter()
                    .map(|seq| snapshot.entry(proofline_ledger::Seq::new(seq)).unwrap().unwrap())
                    .map(|entry| entry.header.envelope_hash.to_string())
                    .collect();
                let hashes = one(verdicts).result.input_envelope_hashes;
                let found: Vec<String> = hashes.iter().map(ToString::to_string).collect();
                assert_eq!(found, keys, "{} {trace_id} {list}", case.text("name"));
            }
        }
    }
}

#[test]
fn traces_that_pass_invariant_replay() {
    single(Mode::Invariant, "invariant/positive.json");
}

#[test]
fn traces_that_fail_invariant_replay() {
    single(Mode::Invariant, "invariant/negative.json");
}

/// Code, severity, the entry that it is about, and all entries and records in ledger order.
fn shown(finding: &Finding) -> (String, String, u64, Vec<u64>, Vec<String>) {
    let mut concerned: Vec<(u64, String)> = finding
        .seqs
        .iter()
        .map(|seq| seq.get())
        .zip(finding.records.iter().map(ToString::to_string))
        .collect();
    concerned.sort();
    let (seqs, records) = concerned.into_iter().unzip();
    (finding.code.to_string(), finding.severity.to_string(), finding.seqs[0].get(), seqs, records)
}

fn findings(file: &str) {
    for case in golden(file).items("cases") {
        let name = case.text("name");
        let (_dir, snapshot) = forged(case);
        let store = MemoryStore::new();
        let payloads = case.at("payloads").as_array();
        for text in payloads.into_iter().flatten() {
            let bytes = text.as_str().unwrap().as_bytes();
            store.put(&Sha256Digest::of(bytes), bytes).unwrap();
        }
        let store = payloads.map(|_| &store as &(dyn ContentStore + Sync));
        for mode in [Mode::Forensic, Mode::Invariant] {
            let plan = Plan {
                mode: mode.clone(),
                traces: Selection::from_iter([case.text("trace_id").parse().unwrap()]),
                generated_at: case.text("clock").parse().unwrap(),
                ..Plan::default()
            };
            let mut verdicts = Vec::new();
            replay(&snapshot, &Means { payloads: store, ..Means::default() }, &plan, &mut verdicts).unwrap();
            let replay = one(verdicts);
            assert!(replay.is_pass(), "{name}");
            if mode == Mode::Invariant {
                assert_record(name, &replay, case.at("expected"));
            }
            let found: Vec<_> = replay.findings().iter().map(shown).collect();
            let texts = |value: &Value, member: &str| {
                value.items(member).iter().map(|item| item.as_str().unwrap().to_owned()).collect()
            };
            let expected: Vec<_> = case
                .at("expected")
                .items("findings")
                .iter()
                .map(|it| {
                    let own = |member: &str| it.text(member).to_owned();
                    (
                        own("code"),
                        own("severity"),
                        it.number("seq"),
                        numbers(it.at("seqs")),
                        texts(it, "records"),
                    )
                })
                .collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}

fn numbers(list: &Value) -> Vec<u64> {
    let number = |value: &Value| value.as_number().unwrap().literal().parse().unwrap();
    list.as_array().unwrap().iter().map(number).collect()
}

#[test]
fn findings_of_facts() {
    findings("findings/facts.json");
}

#[test]
fn findings_of_spans() {
    findings("findings/spans.json");
}

#[test]
fn findings_of_payloads() {
    findings("findings/blobs.json");
}

#[test]
fn findings_of_all_kinds_at_once() {
    findings("findings/mixed.json");
}

fn variance(case: &Value) -> VariancePolicy {
    match case.at("variance") {
        Value::Null => VariancePolicy::NOTHING,
        Value::String(name) => VariancePolicy::preset(name).unwrap(),
        policy => VariancePolicy::parse(&policy.to_canonical(Profile::Envelope).unwrap()).unwrap(),
    }
}

/// The policy of a case as diagnostics have to name it: types and words in the contract's order,
/// types of which nothing may vary left out.
fn named_variance(case: &Value) -> String {
    let policy = case.at("variance");
    if policy.as_str() == Some("model-output") {
        return r#"{"allow_variance":{"model_call":["response","usage"]}}"#.to_owned();
    }
    // Those cases state the one form.
    if policy.get("bounds").is_some() {
        return String::from_utf8(policy.to_canonical(Profile::Envelope).unwrap()).unwrap();
    }
    let words = |name: &str| {
        let list = policy.get("allow_variance")?.get(name)?.as_array()?;
        let has = |word: &&&str| list.iter().any(|item| item.as_str() == Some(**word));
        let words: Vec<_> =
            ["response", "outcome", "usage"].iter().filter(has).map(|word| format!("{word:?}")).collect();
        (!words.is_empty()).then(|| format!("{name:?}:[{}]", words.join(",")))
    };
    let types: Vec<String> = ["model_call", "tool_call"].into_iter().filter_map(words).collect();
    format!(r#"{{"allow_variance":{{{}}}}}"#, types.join(","))
}

fn side(side: &DifferenceSide) -> (Vec<u64>, Value) {
    let value = side.value.as_ref().map(|text| parse(text.as_bytes(), &Limits::ENVELOPE).unwrap());
    (side.seqs.iter().map(|seq| seq.get()).collect(), value.unwrap_or(Value::Null))
}

/// A difference as the reference has it: of a path one value and who holds it, of a pair both values.
fn assert_difference(name: &str, found: &Difference, expected: &Value) {
    assert_eq!(found.kind.as_str(), expected.text("kind"), "{name}");
    for (found, member) in [(&found.baseline, "baseline"), (&found.candidate, "candidate")] {
        assert_eq!(found.records.len(), found.seqs.len());
        let (seqs, value) = side(found);
        match expected.at(member) {
            holders @ Value::Array(_) => {
                assert_eq!(seqs, numbers(holders), "{name}");
                assert_eq!(
                    &value,
                    if seqs.is_empty() { &Value::Null } else { expected.at("value") },
                    "{name}"
                );
            }
            one => {
                assert_eq!(seqs, [one.number("seq")], "{name}");
                assert_eq!(&value, one.at("value"), "{name}");
            }
        }
    }
    if let Some(record_type) = expected.get("record_type") {
        assert_eq!(found.record_type.as_str(), record_type.as_str().unwrap(), "{name}");
    }
}

fn constrained(file: &str) {
    let golden = golden(file);
    for case in golden.items("cases") {
        let (name, expected) = (case.text("name"), case.at("expected"));
        let (_dir, snapshot) = forged(case);
        let [baseline, candidate] = ["baseline", "candidate"].map(|side| case.text(side).parse().unwrap());
        let plan = Plan {
            generated_at: case.text("clock").parse().unwrap(),
            // Constrained replay never lists them.
            include_rejected: true,
            ..Plan::constrained(Pairs::from_iter([Pair { baseline, candidate }]), variance(case))
        };
        let replay = one(run(&snapshot, &plan).0);
        assert_record(name, &replay, expected);
        assert_eq!((replay.baseline(), replay.trace_id()), (Some(baseline), candidate));
        match expected.at("failure") {
            Value::Null => {}
            expected => {
                let failure = replay.failure().unwrap();
                assert_failure(&Mode::Invariant, name, failure, expected);
                let side = format!("The {} fails", expected.text("side"));
                assert!(failure.message.starts_with(&side), "{name}: {}", failure.message);
            }
        }
        let diagnostics = replay.diagnostics.to_value();
        let named = diagnostics.at("variance").to_canonical(Profile::Envelope).unwrap();
        assert_eq!(String::from_utf8(named).unwrap(), named_variance(case), "{name}");
        let (allowed, refused): (Vec<_>, Vec<_>) = replay.differences().iter().partition(|it| it.allowed);
        let first = expected.at("first");
        let not_allowed: Vec<&Value> =
            (!first.is_null()).then_some(first).into_iter().chain(expected.items("others")).collect();
        assert_eq!(allowed.len(), expected.items("allowed").len(), "{name}");
        assert_eq!(refused.len(), not_allowed.len(), "{name}: {refused:?}");
        allowed
            .into_iter()
            .zip(expected.items("allowed"))
            .for_each(|(it, expected)| assert_difference(name, it, expected));
        refused.into_iter().zip(not_allowed).for_each(|(it, expected)| assert_difference(name, it, expected));
    }
}

#[test]
fn pairs_that_follow_the_same_path() {
    constrained("constrained/pass.json");
}

#[test]
fn pairs_of_which_one_is_not_found() {
    constrained("constrained/not_found.json");
}

#[test]
fn pairs_of_which_one_fails_invariant_replay() {
    constrained("constrained/invariant.json");
}

#[test]
fn pairs_that_follow_other_paths() {
    constrained("constrained/path.json");
}

#[test]
fn pairs_that_vary_where_they_must_not() {
    constrained("constrained/variance.json");
}

/// Every class that a replay can give, and every finding, has a golden case: planted by the reference,
/// found by the tests above, with nothing else.
#[test]
fn each_class_and_each_finding_is_planted_somewhere() {
    fn collect<'a>(value: &'a Value, name: &str, into: &mut BTreeSet<&'a str>) {
        for (member, value) in value.as_object().into_iter().flat_map(|object| object.iter()) {
            into.extend(value.as_str().filter(|_| member == name));
            collect(value, name, into);
        }
        value.as_array().into_iter().flatten().for_each(|item| collect(item, name, into));
    }
    let planted = |files: &[&str], name: &str| -> BTreeSet<String> {
        let files: Vec<Value> = files.iter().map(|file| golden(file)).collect();
        let mut found = BTreeSet::new();
        for case in files.iter().flat_map(|file| file.items("cases")) {
            collect(case.at("expected"), name, &mut found);
        }
        found.into_iter().map(str::to_owned).collect()
    };
    let classes = |not_of_this_mode: &[FailureClass]| -> BTreeSet<String> {
        // A replay takes the type from the record, so that a forbidden one is a fault of its schema; and
        // nothing is decided again by policy or executed again yet.
        let never =
            [FailureClass::RecordTypeForbidden, FailureClass::DecisionMismatch, FailureClass::OutputMismatch];
        let all = FailureClass::ALL.iter().filter(|class| !never.contains(class));
        all.filter(|class| !not_of_this_mode.contains(class)).map(ToString::to_string).collect()
    };
    let of_pairs = [FailureClass::PolicyPathMismatch, FailureClass::VarianceViolation];
    let forensic = ["forensic/honest.json", "forensic/bytes.json", "forensic/gate.json"];
    assert_eq!(planted(&forensic, "failure_class"), classes(&of_pairs));
    assert_eq!(planted(&["invariant/negative.json"], "failure_class"), classes(&of_pairs));
    let constrained = [
        "constrained/not_found.json",
        "constrained/invariant.json",
        "constrained/path.json",
        "constrained/variance.json",
    ];
    assert_eq!(planted(&constrained, "failure_class"), classes(&[]));

    let findings =
        ["findings/facts.json", "findings/spans.json", "findings/blobs.json", "forensic/not_reproduced.json"];
    // The reference writes logs without erasures and decides nothing again; other tests plant those.
    const ELSEWHERE: [FindingCode; 3] =
        [FindingCode::BlobErased, FindingCode::PolicyNotAtHand, FindingCode::PolicyNotUsable];
    let all = FindingCode::ALL.iter().filter(|code| !ELSEWHERE.contains(code));
    let all: BTreeSet<String> = all.map(ToString::to_string).collect();
    assert_eq!(planted(&findings, "code"), all);
}
