//! A laboratory of rules: three thousand traces by a fixed seed, their lines interleaved, with violations planted. Each
//! has to be found and nothing else, on one thread and on many. What is expected comes from the plan of each line and
//! from one walk over them in the order of the log, not from the code that is tried.
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

use common::evidence::{Place, auth_context_at, call, decision_at, hash_of};
use common::random::Random;
use common::{commit, fresh};
use proofline_ledger::{Options, Outcome};
use proofline_policy::CedarEngine;
use proofline_replay::{RulesPlan, Violation, check_rules};

const TRACES: u32 = 3_000;
/// Traces whose lines are mixed.
const GROUP: u32 = 12;
const MOST_CALLS: usize = 5;

const RULES: &str = r#"
    @id("stale-write") forbid(principal, action == Action::"tool_call", resource)
    when { context.outcome.status == "written" && !context.decision.in_force_at_call };
    @id("stale-decision") forbid(principal, action == Action::"policy_decision", resource)
    when { !context.decision.in_force };
    @id("expired") forbid(principal, action in Action::"call", resource)
    when { context.started_at_ms > context.auth_context.credential.expires_at_ms };
    @id("surplus") forbid(principal, action in Action::"call", resource) when { context.call_index > 5 };
    @id("data-class") forbid(principal, action == Action::"model_call", resource)
    unless { resource in Resource::"data/public" };
    @id("overflow") forbid(principal, action in Action::"call", resource)
    when { context.request.size_bytes * 1000000000000000 < 0 };
    @id("denied") forbid(principal, action == Action::"refused", resource)
    when { context.error_kind == "unauthorized.policy_denied" && context has decision &&
           context.decision.result == "deny" };
"#;

/// One line, and what is planned for it.
struct Line {
    text: String,
    hash: String,
    /// The policy and its version, of a decision and of the calls under it.
    policy: Option<(usize, u32)>,
    is_decision: bool,
    is_write: bool,
    planted: Vec<&'static str>,
}

impl Line {
    fn new(text: String) -> Self {
        let hash = hash_of(&text);
        Self { text, hash, policy: None, is_decision: false, is_write: false, planted: Vec::new() }
    }
}

struct House {
    random: Random,
    /// The version that each policy is at.
    versions: [u32; 3],
}

impl House {
    /// A trace: a context, a decision and calls under it, with now and then something wrong.
    fn trace(&mut self, trace: u32) -> Vec<Line> {
        let random = &mut self.random;
        let policy = random.below(self.versions.len());
        if random.chance(4) {
            self.versions[policy] += 1;
        }
        let behind = u32::from(random.chance(5));
        let version = self.versions[policy].saturating_sub(behind).max(1);
        let place = |span: u32, parent: Option<u32>| Place { trace, span, parent };
        let context = Line::new(auth_context_at(place(1, None), "staff/ines", 900, 9000));
        let (is_public, is_allow) = (random.chance(50), !random.chance(3));
        let decided =
            decision_at(place(2, Some(1)), &context.hash, 1100, if is_allow { "allow" } else { "deny" });
        let decided = decided
            .replace(r#""policy_id":"tickets""#, &format!(r#""policy_id":"desk-{policy}""#))
            .replace(r#""policy_version":"v3""#, &format!(r#""policy_version":"v{version}""#))
            .replace("tickets/42", if is_public { "data/public/7" } else { "data/private/7" });
        let mut decision = Line::new(decided);
        (decision.policy, decision.is_decision) = (Some((policy, version)), true);
        let count =
            if random.chance(3) { MOST_CALLS + 1 + random.below(3) } else { 1 + random.below(MOST_CALLS) };
        let mut calls = Vec::new();
        for index in 0..count {
            let span = 10 + u32::try_from(index).unwrap();
            let mut planted = Vec::new();
            // A model for private data is always wrong, and therefore rare.
            let is_model = random.chance(if is_public { 40 } else { 2 });
            let is_late = random.chance(2);
            let start_ms = if is_late { 9001 } else { 1200 } + u64::from(span);
            let is_write = !is_model && random.chance(50);
            let status = if is_write { "written" } else { "ok" };
            let usage = is_model.then_some(3);
            let hashes = (context.hash.as_str(), decision.hash.as_str());
            let request = format!("request {trace} {span}");
            let mut text = call(place(span, Some(2)), hashes, start_ms, (&request, "answer"), status, usage);
            if random.chance(1) {
                let size = format!(r#""size_bytes":{}"#, request.len());
                text = text.replacen(&size, r#""size_bytes":9224"#, 1);
                planted.push("overflow");
            }
            if is_model && !is_public {
                planted.push("data-class");
            }
            if is_late {
                planted.push("expired");
            }
            if !is_allow {
                planted = vec!["denied"];
            }
            let call =
                Line { policy: is_allow.then_some((policy, version)), is_write, planted, ..Line::new(text) };
            calls.push((start_ms, call));
        }
        // The chain goes by the time of the start, and no two begin at once.
        let mut by_start: Vec<u64> = calls.iter().map(|(start, _)| *start).collect();
        by_start.sort_unstable();
        for start in by_start.into_iter().skip(MOST_CALLS).filter(|_| is_allow) {
            let call = calls.iter_mut().find(|(own, _)| *own == start);
            call.unwrap().1.planted.push("surplus");
        }
        let mut lines = vec![context, decision];
        lines.extend(calls.into_iter().map(|(_, call)| call));
        lines
    }
}

/// What is planted, and what the order of the log makes stale.
fn expected(lines: &[Line]) -> BTreeSet<(String, String)> {
    let mut expected = BTreeSet::new();
    // Of each policy the versions, in the order of their first appearance.
    let mut appeared: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for line in lines {
        let mut broken = line.planted.clone();
        if let Some((policy, version)) = line.policy {
            let versions = appeared.entry(policy).or_default();
            if line.is_decision && !versions.contains(&version) {
                versions.push(version);
            }
            let is_stale = versions.last() != Some(&version);
            if is_stale && line.is_decision {
                broken.push("stale-decision");
            }
            if is_stale && line.is_write {
                broken.push("stale-write");
            }
        }
        expected.extend(broken.into_iter().map(|rule| (rule.to_owned(), line.hash.clone())));
    }
    expected
}

#[test]
fn all_that_is_planted_is_found_and_nothing_else() {
    let mut house = House { random: Random::seeded(20_260_131), versions: [1; 3] };
    let mut lines = Vec::new();
    for group in 0..TRACES / GROUP {
        let traces: Vec<Vec<Line>> = (0..GROUP).map(|at| house.trace(1 + group * GROUP + at)).collect();
        lines.extend(house.random.interleaved(traces));
    }
    let (_folder, ledger) = fresh(Options::default());
    for part in lines.chunks(4_096) {
        let texts: Vec<String> = part.iter().map(|line| line.text.clone()).collect();
        for (line, outcome) in part.iter().zip(commit(&ledger, &texts)) {
            let is_refused = matches!(outcome, Outcome::Refused { seq: Some(_), .. });
            assert_eq!(is_refused, line.planted.contains(&"denied"), "{outcome:?}");
        }
    }
    let expected = expected(&lines);
    let rules = CedarEngine.load_rules(RULES.as_bytes()).unwrap();
    // Each kind is there, and often.
    for rule in rules.rules() {
        let count = expected.iter().filter(|(id, _)| *id == rule.id).count();
        assert!(count >= 20, "{}: {count}", rule.id);
    }
    let snapshot = ledger.snapshot().unwrap();
    let run = |threads| {
        let plan = RulesPlan { include_rejected: true, threads: NonZeroUsize::new(threads), traces: None };
        let mut violations: Vec<Violation> = Vec::new();
        let summary = check_rules(&snapshot, &rules, &plan, &mut violations).unwrap();
        (violations, summary)
    };
    let (violations, summary) = run(1);
    let name = |it: &Violation| (rules.rules()[it.rule].id.clone(), it.record.envelope_sha256.to_string());
    let found: BTreeSet<(String, String)> = violations.iter().map(name).collect();
    assert_eq!(found.difference(&expected).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
    assert_eq!(expected.difference(&found).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
    assert_eq!((violations.len(), summary.violations), (expected.len(), expected.len() as u64));
    assert!(violations.iter().all(|it| it.error.is_some() == (rules.rules()[it.rule].id == "overflow")));
    assert_eq!((summary.traces, summary.records + summary.attempts), (u64::from(TRACES), lines.len() as u64));
    assert_eq!(run(7), (violations, summary));
}
