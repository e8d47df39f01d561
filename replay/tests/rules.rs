//! Rules of one's own over records and their chains: the issue's four, what `in force` means, what refused attempts
//! show, and that nothing is passed over in silence.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::num::NonZeroUsize;

use common::evidence::{Place, auth_context_at, bare, call, decision_at, declared, hash_of, tool_call_at};
use common::forge::{self, Forged};
use common::{NOW_MS, committed, fresh};
use proofline_ledger::{Ledger, Options, Snapshot};
use proofline_policy::{CedarEngine, Fact, RuleSet, STARTER_RULES};
use proofline_replay::{
    Part, ReplayError, RulesEvent, RulesPlan, RulesSink, RulesSummary, Violation, check_rules,
};

fn rules(text: &str) -> RuleSet {
    CedarEngine.load_rules(text.as_bytes()).unwrap()
}

fn checked(snapshot: &Snapshot, rules: &RuleSet, plan: &RulesPlan) -> (Vec<Violation>, RulesSummary) {
    let mut violations = Vec::new();
    let summary = check_rules(snapshot, rules, plan, &mut violations).unwrap();
    (violations, summary)
}

/// The rule and the entry of each violation.
fn found(snapshot: &Snapshot, rules: &RuleSet) -> Vec<(String, u64)> {
    let (violations, summary) = checked(snapshot, rules, &RulesPlan::default());
    assert_eq!(summary.damage, []);
    let name = |it: &Violation| (rules.rules()[it.rule].id.clone(), it.record.seq.get());
    violations.iter().map(name).collect()
}

const fn at(trace: u32, span: u32, parent: u32) -> Place {
    Place { trace, span, parent: if parent == 0 { None } else { Some(parent) } }
}

/// A context and a decision of one trace, and their hashes.
struct Begun {
    lines: Vec<String>,
    context: String,
    decision: String,
}

/// A credential from 900 to 9000, and an allow at 1100; `change` has a hand on both lines.
fn begun(trace: u32, change: impl Fn(String) -> String) -> Begun {
    let auth = change(auth_context_at(at(trace, 1, 0), "staff/ines", 900, 9000));
    let context = hash_of(&auth);
    let decided = change(decision_at(at(trace, 2, 1), &context, 1100, "allow"));
    let decision = hash_of(&decided);
    Begun { lines: vec![auth, decided], context, decision }
}

impl Begun {
    fn tool(&self, trace: u32, span: u32, start_ms: u64, name: &str) -> String {
        let line = tool_call_at(at(trace, span, 2), &self.context, &self.decision, (start_ms, start_ms + 5));
        line.replace(r#""tool_name":"read""#, &format!(r#""tool_name":"{name}""#))
    }

    fn model(&self, trace: u32, span: u32) -> String {
        let hashes = (self.context.as_str(), self.decision.as_str());
        call(at(trace, span, 2), hashes, 1200, ("ask", "answer"), "ok", Some(3))
    }
}

/// Another version of the policy, with other bytes.
fn version(number: u32) -> impl Fn(String) -> String {
    move |line| {
        let line = line.replace(r#""policy_version":"v3""#, &format!(r#""policy_version":"v{number}""#));
        line.replace(&format!("{:064x}", 9), &format!("{:064x}", 900 + number))
    }
}

fn same(line: String) -> String {
    line
}

const WRITES: &str = r#"
    @id("writes-in-force")
    forbid(principal, action == Action::"tool_call", resource)
    when { context.tool.tool_name == "write" }
    unless { context.decision.result == "allow" && context.decision.in_force_at_call };"#;

#[test]
fn every_write_follows_an_allow_of_the_policy_version_in_force() {
    let (old, new, late, other) = (
        begun(1, version(1)),
        begun(2, version(2)),
        begun(3, version(1)),
        begun(4, |line| version(1)(line).replace(r#""policy_id":"tickets""#, r#""policy_id":"mail""#)),
    );
    let mut lines = old.lines.clone();
    lines.push(old.tool(1, 10, 1200, "write")); // 3: version 1 is the only one
    lines.extend(new.lines.clone()); // 4, 5: from here on it is version 2
    lines.push(old.tool(1, 11, 1300, "write")); // 6: decided in time, called too late
    lines.push(old.tool(1, 12, 1300, "read")); // 7: no write
    lines.extend(late.lines.clone()); // 8, 9
    lines.push(late.tool(3, 10, 1200, "write")); // 10: decided too late
    lines.extend(other.lines.clone()); // 11, 12
    lines.push(other.tool(4, 10, 1200, "write")); // 13: another policy's version 1
    lines.push(new.tool(2, 10, 1200, "write")); // 14
    let (_folder, ledger) = committed(&lines);
    let snapshot = ledger.snapshot().unwrap();
    let set = rules(WRITES);
    assert_eq!(
        found(&snapshot, &set),
        [("writes-in-force".to_owned(), 6), ("writes-in-force".to_owned(), 10)]
    );

    let (violations, summary) = checked(&snapshot, &set, &RulesPlan::default());
    let tally = summary.rules[0];
    assert_eq!((tally.asked, tally.held, tally.violated, tally.errors), (6, 4, 2, 0));
    assert_eq!((summary.traces, summary.records, summary.violating_traces), (4, 14, 2));
    // What shows it: the context, the decision, and the first use of the newer version in another trace.
    let beside: Vec<_> =
        violations[0].beside.iter().map(|(part, record)| (*part, record.seq.get())).collect();
    assert_eq!(beside, [(Part::AuthContext, 1), (Part::Decision, 2), (Part::NewerPolicy, 5)]);
    assert_ne!(violations[0].beside[2].1.trace_id, violations[0].record.trace_id);
    assert_eq!(
        violations[0].facts,
        [
            ("context.decision.in_force_at_call".to_owned(), Some(Fact::Truth(false))),
            ("context.decision.result".to_owned(), Some(Fact::Text("allow".to_owned()))),
            ("context.tool.tool_name".to_owned(), Some(Fact::Text("write".to_owned()))),
        ]
    );
    // At the decision it was in force; only the late one was not.
    let decisions = rules(
        r#"@id("stale") forbid(principal, action == Action::"policy_decision", resource)
           when { !context.decision.in_force };"#,
    );
    assert_eq!(found(&snapshot, &decisions), [("stale".to_owned(), 9)]);
    // Asked of one trace, the rest of the log still says what is in force.
    let plan = RulesPlan { traces: Some([violations[1].record.trace_id].into()), ..RulesPlan::default() };
    let (alone, summary) = checked(&snapshot, &set, &plan);
    assert_eq!((alone, summary.traces), (violations[1..].to_vec(), 1));
}

#[test]
fn the_same_version_name_over_other_bytes_is_a_newer_version() {
    let swap = |line: String| line.replace(&format!("{:064x}", 9), &format!("{:064x}", 77));
    let (first, swapped, again) = (begun(1, same), begun(2, swap), begun(3, same));
    let lines = [first.lines.clone(), swapped.lines.clone(), again.lines].concat();
    let (_folder, ledger) = committed(&lines);
    let set = rules(
        r#"@id("stale") forbid(principal, action == Action::"policy_decision", resource)
           when { !context.decision.in_force };"#,
    );
    assert_eq!(found(&ledger.snapshot().unwrap(), &set), [("stale".to_owned(), 6)]);
}

#[test]
fn no_call_after_its_credential_expired() {
    let run = begun(1, same);
    let mut lines = run.lines.clone();
    lines.extend([8999, 9000, 9001].map(|start| run.tool(1, u32::try_from(start).unwrap(), start, "read")));
    let (_folder, ledger) = committed(&lines);
    let set = rules(
        r#"@id("expired") forbid(principal, action in Action::"call", resource)
           when { context.started_at_ms > context.auth_context.credential.expires_at_ms };"#,
    );
    let snapshot = ledger.snapshot().unwrap();
    assert_eq!(found(&snapshot, &set), [("expired".to_owned(), 5)]);
    let (violations, _) = checked(&snapshot, &set, &RulesPlan::default());
    let facts: Vec<_> = violations[0].facts.iter().map(|(_, fact)| fact.clone().unwrap()).collect();
    assert_eq!(facts, [Fact::Number(9000), Fact::Number(9001)]);
    assert_eq!(violations[0].actor, Some(("user".to_owned(), "staff/ines".to_owned())));
    assert_eq!(violations[0].resource.as_deref(), Some("tickets/42"));
}

#[test]
fn no_more_than_n_calls_per_decision() {
    let run = begun(1, same);
    let second = decision_at(at(1, 3, 1), &run.context, 1150, "allow");
    let mut lines = run.lines.clone();
    // Committed in another order than they began: the chain counts by time.
    for start in [1500, 1200, 1400, 1300] {
        lines.push(run.tool(1, start, u64::from(start), "read"));
    }
    lines.push(second.clone());
    let other = Begun { decision: hash_of(&second), context: run.context.clone(), lines: Vec::new() };
    lines.extend([1210, 1220].map(|start| other.tool(1, start, u64::from(start), "read")));
    let (_folder, ledger) = committed(&lines);
    let set = rules(
        r#"@id("three") forbid(principal, action in Action::"call", resource) when { context.call_index > 3 };"#,
    );
    assert_eq!(found(&ledger.snapshot().unwrap(), &set), [("three".to_owned(), 3)]);
    let many = rules(
        r#"@id("many") forbid(principal, action == Action::"policy_decision", resource)
           when { context.calls_of_decision > 3 };"#,
    );
    assert_eq!(found(&ledger.snapshot().unwrap(), &many), [("many".to_owned(), 2)]);
}

#[test]
fn a_model_only_for_a_class_of_data() {
    let public = |line: String| line.replace("tickets/42", "data/public/42");
    let near = |line: String| line.replace("tickets/42", "data/publicity");
    let (in_class, outside, beside) = (begun(1, public), begun(2, same), begun(3, near));
    let mut lines = in_class.lines.clone();
    lines.push(in_class.model(1, 10)); // 3
    lines.extend(outside.lines.clone());
    lines.push(outside.model(2, 10)); // 6
    lines.push(outside.tool(2, 11, 1300, "read"));
    lines.push(outside.model(2, 12).replace("heron", "stork")); // another model
    lines.extend(beside.lines.clone());
    lines.push(beside.model(3, 10)); // 11: a name that begins alike lies beside the class
    let (_folder, ledger) = committed(&lines);
    let set = rules(
        r#"@id("heron-is-for-public-data") forbid(principal, action == Action::"model_call", resource)
           when { context.model.model == "heron" } unless { resource in Resource::"data/public" };"#,
    );
    let name = || "heron-is-for-public-data".to_owned();
    assert_eq!(found(&ledger.snapshot().unwrap(), &set), [(name(), 6), (name(), 11)]);
}

#[test]
fn the_chain_is_there_to_be_asked() {
    let run = begun(1, same);
    let mut lines = run.lines.clone();
    lines.push(run.tool(1, 10, 1200, "fetch")); // 3
    lines.push(run.tool(1, 11, 1300, "send")); // 4: right behind a fetch
    lines.push(run.tool(1, 12, 1400, "send")); // 5
    let (_folder, ledger) = committed(&lines);
    let snapshot = ledger.snapshot().unwrap();
    let text = r#"
        @id("send-after-fetch") forbid(principal, action == Action::"tool_call", resource)
        when { context.tool.tool_name == "send" && context has previous && context.previous has tool &&
               context.previous.tool.tool_name == "fetch" && context.previous.seq == 3 };
        @id("first") forbid(principal, action, resource) unless { context has previous };
        @id("deep") forbid(principal, action, resource) when { context.depth > 1 && context.seq > 4 };
        @id("who") forbid(principal in Grant::"tickets:read", action == Action::"auth_context",
                          resource == Resource::"-") when { principal.id == "staff/ines" };
        @id("in-group") forbid(principal is Actor in ActorKind::"user", action in Action::"call",
                               resource in Resource::"tickets") when { context.call_index == 1 };"#;
    let expected = [("first", 1), ("who", 1), ("in-group", 3), ("send-after-fetch", 4), ("deep", 5)];
    let expected: Vec<(String, u64)> = expected.map(|(id, seq)| (id.to_owned(), seq)).into();
    assert_eq!(found(&snapshot, &rules(text)), expected);
}

#[test]
fn a_rule_that_cannot_be_evaluated_is_a_violation_of_its_own_kind() {
    let run = begun(1, same);
    let (_folder, ledger) = committed(&[run.lines.clone(), vec![run.tool(1, 10, 1200, "read")]].concat());
    // 2^63 / 1200 is above 7 * 10^15: the product is out of range for the call alone.
    let set = rules(
        r#"@id("overflow") forbid(principal, action, resource)
           when { context.ts_ms * 8000000000000000 < 0 };
           @id("sound") forbid(principal, action, resource) when { context.depth > 9 };"#,
    );
    let (violations, summary) = checked(&ledger.snapshot().unwrap(), &set, &RulesPlan::default());
    assert_eq!((violations.len(), violations[0].record.seq.get()), (1, 3));
    assert!(violations[0].error.as_deref().unwrap().contains("overflow"), "{violations:?}");
    let [overflow, sound] = summary.rules[..] else { panic!("two rules") };
    assert_eq!((overflow.asked, overflow.held, overflow.violated, overflow.errors), (3, 2, 0, 1));
    assert_eq!((sound.asked, sound.held), (3, 3));
    assert!(!summary.holds());
}

#[test]
fn refused_attempts_are_asked_on_request() {
    let run = begun(1, same);
    let denied = decision_at(at(1, 3, 1), &run.context, 1150, "deny");
    let spliced = Begun { decision: hash_of(&denied), context: run.context.clone(), lines: Vec::new() };
    let orphan = Begun { decision: "a".repeat(64), context: "b".repeat(64), lines: Vec::new() };
    let (folder, ledger) = committed(&[run.lines.clone(), vec![denied]].concat());
    let call = run.tool(1, 10, 1200, "read");
    let actions = [
        bare(&spliced.tool(1, 11, 1300, "read")), // 4: under a deny
        bare(&orphan.tool(1, 12, 1300, "read")),  // 5: under nothing
        declared("tool_call", "no hash", &call),  // 6: not what its hash says
    ]
    .map(|action| ledger.commit_action(&action, NOW_MS).unwrap());
    assert_eq!(actions.len(), 3);
    let set = rules(STARTER_RULES);
    let snapshot = ledger.snapshot().unwrap();
    assert_eq!(found(&snapshot, &set), []);
    let plan = RulesPlan { include_rejected: true, ..RulesPlan::default() };
    let (violations, summary) = checked(&snapshot, &set, &plan);
    let names: Vec<_> =
        violations.iter().map(|it| (set.rules()[it.rule].id.as_str(), it.record.seq.get())).collect();
    assert_eq!(names, [("altered-evidence", 6), ("unauthorized-attempt", 4)]);
    assert!(violations.iter().all(|it| it.is_refused));
    assert_eq!((summary.records, summary.attempts), (3, 3));

    // What an attempt names counts where the trace has it before; else there is nobody.
    let nobody = rules(
        r#"@id("nobody") forbid(principal == Actor::"|", action == Action::"refused", resource == Resource::"-")
           when { principal.kind == "" && principal.grants == context.decision.reason_codes }
           unless { context has auth_context || context has decision };"#
            .replace(" && principal.grants == context.decision.reason_codes", "")
            .as_str(),
    );
    let (violations, _) = checked(&snapshot, &nobody, &plan);
    let seqs: Vec<u64> = violations.iter().map(|it| it.record.seq.get()).collect();
    assert_eq!((seqs, violations[0].actor.clone(), violations[0].beside.len()), (vec![5], None, 0));
    drop(folder);
}

#[test]
fn records_that_cannot_be_asked_are_told_and_never_hold() {
    let dir = tempfile::tempdir().unwrap();
    let run = begun(1, same);
    // A call whose decision is not in the trace, and a decision under another hash: no gate takes either.
    let orphan = Begun { decision: "a".repeat(64), context: run.context.clone(), lines: Vec::new() };
    let swapped = Forged {
        key: proofline_trace::EnvelopeHash::from_bytes([8; 32]),
        ..Forged::accepted(2, &run.lines[1])
    };
    let entries =
        [Forged::accepted(1, &run.lines[0]), swapped, Forged::accepted(3, &orphan.tool(1, 10, 1200, "read"))];
    let snapshot = forge::ledger(dir.path(), &entries);
    let set = rules(r#"@id("never") forbid(principal, action, resource) when { context.depth > 9 };"#);
    let (violations, summary) = checked(&snapshot, &set, &RulesPlan::default());
    assert_eq!((violations.len(), summary.records), (0, 1));
    let places: Vec<_> = summary.damage.iter().map(|it| (it.code, it.seq.unwrap().get())).collect();
    assert_eq!(places, [("check.record", 2), ("check.record", 3)]);
    assert_eq!(summary.rules[0].held, 1);
    assert!(!summary.holds());
    // A rule that asks what was in force has the whole log looked through; nothing is counted twice, and a decision
    // that cannot be read is told of although another trace is asked about.
    let decides = rules(
        r#"@id("stale") forbid(principal, action == Action::"policy_decision", resource)
           when { !context.decision.in_force };"#,
    );
    let (_, twice) = checked(&snapshot, &decides, &RulesPlan::default());
    assert_eq!((&twice.damage, twice.damage_count), (&summary.damage, 2));
    let other = "f".repeat(32).parse().unwrap();
    let plan = RulesPlan { traces: Some([other].into()), ..RulesPlan::default() };
    let (_, elsewhere) = checked(&snapshot, &decides, &plan);
    assert_eq!((&elsewhere.damage[..], elsewhere.absent), (&summary.damage[..1], 1));
}

#[test]
fn a_sink_may_stop_the_run() {
    struct Stops(usize);
    impl RulesSink for Stops {
        fn violation(&mut self, _: Violation) -> std::ops::ControlFlow<()> {
            self.0 += 1;
            std::ops::ControlFlow::Break(())
        }
        fn event(&mut self, _: &RulesEvent) -> std::ops::ControlFlow<()> {
            panic!("nothing follows the first violation")
        }
    }
    let run = begun(1, same);
    let (_folder, ledger) = committed(&run.lines);
    let set = rules(r#"@id("all") forbid(principal, action, resource);"#);
    let mut sink = Stops(0);
    let ended = check_rules(&ledger.snapshot().unwrap(), &set, &RulesPlan::default(), &mut sink);
    assert!(matches!(ended, Err(ReplayError::Stopped)));
    assert_eq!(sink.0, 1);
}

/// Clean work, and for each starter rule one trace that breaks it and nothing else.
fn starter_evidence(ledger: &Ledger, planted: bool) -> Vec<(&'static str, u64)> {
    let mut expected = Vec::new();
    let put = |line: &str| match ledger.commit_action(&bare(line), NOW_MS).unwrap() {
        proofline_ledger::Outcome::Accepted { seq, .. } => seq.get(),
        proofline_ledger::Outcome::Refused { seq: Some(seq), .. } => seq.get(),
        other => panic!("{other:?}"),
    };
    let begin = |trace: u32, change: &dyn Fn(String) -> String| {
        let run = begun(trace, change);
        let seqs: Vec<u64> = run.lines.iter().map(|line| put(line)).collect();
        (run, seqs)
    };
    let (run, _) = begin(1, &same);
    for span in 10..110 {
        put(&run.tool(1, span, 1200, "read"));
    }
    if !planted {
        return expected;
    }
    // Trace by trace, as the ids ascend.
    expected.push(("many-calls-of-a-decision", put(&run.tool(1, 110, 1201, "read"))));

    let (late, _) = begin(2, &same);
    expected.push(("call-after-credential-expired", put(&late.tool(2, 10, 9001, "read"))));

    let (_, seqs) = begin(3, &|line| line.replace(r#""ts_ms":1100"#, r#""ts_ms":9001"#));
    expected.push(("decision-outside-credential", seqs[1]));

    let (early, _) = begin(4, &same);
    expected.push(("call-before-decision", put(&early.tool(4, 10, 1099, "read"))));

    let (_, seqs) = begin(5, &|line| line.replace(r#""expires_at_ms":9000"#, r#""expires_at_ms":86400901"#));
    expected.push(("long-lived-credential", seqs[0]));

    let (_, seqs) = begin(6, &|line| line.replace(r#"{"granted":true}"#, "{}"));
    expected.push(("decision-without-reason", seqs[1]));

    let (guest, _) = begin(7, &|line| line.replace(r#""actor_kind":"user""#, r#""actor_kind":"guest""#));
    expected.push(("nameless-actor", put(&guest.model(7, 10))));

    let review = |line: String| line.replace(r#""obligations":{}"#, r#""obligations":{"human-review":true}"#);
    let (hasty, _) = begin(8, &review);
    expected.push(("review-not-first", put(&hasty.model(8, 10))));
    let (patient, _) = begin(9, &review);
    put(&patient
        .tool(9, 10, 1150, "approve")
        .replace(r#""adapter_id":"tickets""#, r#""adapter_id":"human-review""#));
    put(&patient.model(9, 11));

    let (odd, _) = begin(10, &same);
    let backwards = odd.tool(10, 10, 1200, "read").replace(r#""ended_at_ms":1205"#, r#""ended_at_ms":1199"#);
    expected.push(("end-before-start", put(&backwards)));

    let (denied, _) = begin(11, &|line| line.replace(r#""result":"allow""#, r#""result":"deny""#));
    expected.push(("unauthorized-attempt", put(&denied.tool(11, 10, 1200, "read"))));

    let (honest, _) = begin(12, &same);
    let line = honest.tool(12, 10, 1200, "read");
    let outcome = ledger.commit_action(&declared("tool_call", &"c".repeat(64), &line), NOW_MS).unwrap();
    let proofline_ledger::Outcome::Refused { seq: Some(seq), .. } = outcome else { panic!("{outcome:?}") };
    expected.push(("altered-evidence", seq.get()));

    let (stale, seqs) = begin(13, &|line| line.replace(r#""policy_id":"tickets""#, r#""policy_id":"mail""#));
    let newer = |line: String| version(4)(line.replace(r#""policy_id":"tickets""#, r#""policy_id":"mail""#));
    begin(14, &newer);
    expected.push(("call-under-stale-policy", put(&stale.tool(13, 10, 1200, "read"))));
    assert_eq!(seqs.len(), 2);
    let (_, seqs) = begin(15, &|line| line.replace(r#""policy_id":"tickets""#, r#""policy_id":"mail""#));
    expected.push(("decision-under-stale-policy", seqs[1]));
    expected
}

#[test]
fn each_starter_rule_fires_on_planted_evidence_and_on_nothing_else() {
    let set = rules(STARTER_RULES);
    let plan = RulesPlan { include_rejected: true, ..RulesPlan::default() };
    for planted in [false, true] {
        let (_folder, ledger) = fresh(Options::default());
        let expected = starter_evidence(&ledger, planted);
        let (violations, summary) = checked(&ledger.snapshot().unwrap(), &set, &plan);
        let names: Vec<(&str, u64)> =
            violations.iter().map(|it| (set.rules()[it.rule].id.as_str(), it.record.seq.get())).collect();
        assert_eq!(names, expected);
        if planted {
            // Every rule of the set is in the list: none is there for show.
            assert!(summary.rules.iter().all(|tally| tally.violated == 1), "{:?}", summary.rules);
        } else {
            assert!(summary.holds());
        }
    }
}

#[test]
fn threads_change_nothing() {
    let (_folder, ledger) = fresh(Options::default());
    starter_evidence(&ledger, true);
    let snapshot = ledger.snapshot().unwrap();
    let set = rules(STARTER_RULES);
    let with = |threads| {
        let plan = RulesPlan { include_rejected: true, threads: NonZeroUsize::new(threads), traces: None };
        checked(&snapshot, &set, &plan)
    };
    let one = with(1);
    assert_eq!(one.0.len(), set.rules().len());
    for threads in [2, 3, 8] {
        assert_eq!(with(threads), one);
    }
}
