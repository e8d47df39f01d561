//! The laboratory of decisions: many thousands under policies with overlapping statements, some of them spoiled in a
//! known way. Who spoils them knows the right answers by plain logic, and never by the engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use common::evidence::hash_of;
use common::random::Random;
use proofline_canon::{ContentStore, MemoryStore, Profile, Sha256Digest};
use proofline_ledger::{Options, Outcome, Snapshot};
use proofline_policy::CedarEngine;
use proofline_replay::{Means, Mode, Plan, ReplaySink, Summary, TraceReplay, replay};
use proofline_trace::TraceId;

const SEED: u64 = 0x1abd_ec1d;
const DECISIONS: usize = 100_000;
const DECISIONS_PER_TRACE: usize = 20;
/// One trace in so many is spoiled, in one decision.
const SPOILED_ONE_IN: usize = 25;
const TRACES_PER_COMMIT: usize = 250;
const STATEMENTS_PER_POLICY: usize = 12;

const KINDS: [&str; 3] = ["user", "agent", "service"];
const GRANTS: [&str; 4] = ["read", "write", "admin", "night"];
const ACTIONS: [&str; 6] =
    ["tickets:read", "tickets:write", "tickets:write:reply", "ticketsold:read", "model:invoke", "model"];
const RESOURCES: [&str; 6] = ["desk", "desk/7", "desk/7/notes", "deskwork/7", "models/a", "models/a/large"];
const OBLIGATIONS: [&str; 3] = ["log-prompt", "notify-owner", "cap-tokens"];

/// One statement, as a text and as a condition.
struct Statement {
    id: String,
    permits: bool,
    kind: Option<&'static str>,
    grant: Option<&'static str>,
    action: Option<&'static str>,
    resource: Option<&'static str>,
    /// Applies from this time on.
    from_ms: Option<u64>,
    obligations: BTreeSet<&'static str>,
}

fn some<T: Copy>(random: &mut Random, percent: u64, from: &[T]) -> Option<T> {
    let one = from[random.below(from.len())];
    random.chance(percent).then_some(one)
}

impl Statement {
    fn drawn(random: &mut Random, number: usize) -> Self {
        let permits = number < STATEMENTS_PER_POLICY * 2 / 3;
        let always = if permits { 45 } else { 80 };
        Self {
            id: format!("{}-{number}", if permits { "may" } else { "never" }),
            permits,
            kind: some(random, 40, &KINDS),
            grant: some(random, always, &GRANTS),
            action: some(random, 60, &["tickets", "tickets:read", "tickets:write", "model"]),
            resource: some(random, always, &["desk", "desk/7", "models", "models/a/large"]),
            from_ms: random.chance(20).then(|| 1000 + 100 * random.below(20) as u64),
            obligations: (0..random.below(3)).map(|_| OBLIGATIONS[random.below(3)]).collect(),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("@id(\"{}\")\n", self.id);
        for (at, obligation) in self.obligations.iter().enumerate() {
            writeln!(text, "@obligation_{at}(\"{obligation}\")").unwrap();
        }
        let action = self.action.map(|it| format!(" in Action::\"{it}\"")).unwrap_or_default();
        let resource = self.resource.map(|it| format!(" in Resource::\"{it}\"")).unwrap_or_default();
        let grant = self.grant.map(|it| format!(" in Grant::\"{it}\"")).unwrap_or_default();
        let effect = if self.permits { "permit" } else { "forbid" };
        write!(text, "{effect}(principal{grant}, action{action}, resource{resource})").unwrap();
        self.kind.iter().for_each(|kind| write!(text, " when {{ principal.kind == \"{kind}\" }}").unwrap());
        self.from_ms.iter().for_each(|ms| write!(text, " when {{ context.ts_ms >= {ms} }}").unwrap());
        text + ";\n"
    }

    fn applies(&self, actor: &Actor, asked: &Asked) -> bool {
        let below = |name: &str, of: &str, mark: char| {
            name.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with(mark))
        };
        self.kind.is_none_or(|kind| actor.kind == kind)
            && self.grant.is_none_or(|grant| actor.grants.contains(grant))
            && self.action.is_none_or(|action| below(asked.action, action, ':'))
            && self.resource.is_none_or(|resource| below(asked.resource, resource, '/'))
            && self.from_ms.is_none_or(|from_ms| asked.ts_ms >= from_ms)
    }
}

struct Actor {
    kind: &'static str,
    id: String,
    grants: BTreeSet<&'static str>,
}

struct Asked {
    action: &'static str,
    resource: &'static str,
    ts_ms: u64,
}

#[derive(Clone, PartialEq, Eq)]
struct Answer {
    allow: bool,
    reasons: BTreeSet<String>,
    obligations: BTreeSet<String>,
}

impl Answer {
    /// As it stands in the record: its canonical bytes.
    fn json(&self) -> String {
        let set = |names: &BTreeSet<String>| {
            let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":true")).collect();
            members.join(",")
        };
        let (reasons, obligations) = (set(&self.reasons), set(&self.obligations));
        let result = if self.allow { "allow" } else { "deny" };
        format!(r#"{{"obligations":{{{obligations}}},"reason_codes":{{{reasons}}},"result":"{result}"}}"#)
    }

    /// The first member in which another one differs.
    fn differs_at(&self, other: &Self) -> Option<&'static str> {
        let members = [
            ("/decision/result", self.allow != other.allow),
            ("/decision/reason_codes", self.reasons != other.reasons),
            ("/decision/obligations", self.obligations != other.obligations),
        ];
        members.into_iter().find(|(_, differs)| *differs).map(|(pointer, _)| pointer)
    }
}

struct Policy {
    id: String,
    statements: Vec<Statement>,
    text: String,
    sha256: String,
}

impl Policy {
    fn drawn(random: &mut Random, number: usize) -> Self {
        let statements: Vec<Statement> =
            (0..STATEMENTS_PER_POLICY).map(|number| Statement::drawn(random, number)).collect();
        let text: String = statements.iter().map(Statement::text).collect();
        let sha256 = Sha256Digest::of(text.as_bytes()).to_string();
        Self { id: format!("house-{number}"), statements, text, sha256 }
    }

    /// A forbid that applies denies; else a permit must apply; else it is denied for no reason.
    fn answer(&self, actor: &Actor, asked: &Asked) -> Answer {
        let applied = |permits: bool| {
            let of = self.statements.iter().filter(move |statement| statement.permits == permits);
            of.filter(|statement| statement.applies(actor, asked)).collect::<Vec<_>>()
        };
        let forbidden = applied(false);
        let deciding = if forbidden.is_empty() { applied(true) } else { forbidden };
        Answer {
            allow: deciding.first().is_some_and(|statement| statement.permits),
            reasons: deciding.iter().map(|statement| statement.id.clone()).collect(),
            obligations: deciding.iter().flat_map(|it| &it.obligations).map(|it| (*it).to_owned()).collect(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Spoiling {
    Result,
    Reasons,
    Obligations,
    /// The policy is another one, under the same id and version.
    Swapped,
    /// The context is another actor's of the same trace.
    Spliced,
}

const SPOILINGS: [Spoiling; 5] =
    [Spoiling::Result, Spoiling::Reasons, Spoiling::Obligations, Spoiling::Swapped, Spoiling::Spliced];

/// What a replay must say of a trace that was spoiled.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Planted {
    hash: String,
    pointer: String,
    expected: String,
    found: String,
    /// Decisions before it in the chain.
    before: u64,
}

/// A decision before it is written down.
struct Draft {
    actor: usize,
    policy: usize,
    named_policy: usize,
    asked: Asked,
    answer: Answer,
}

struct House {
    policies: Vec<Policy>,
    random: Random,
}

impl House {
    fn new() -> Self {
        let mut random = Random::seeded(SEED);
        let policies = (0..4).map(|number| Policy::drawn(&mut random, number)).collect();
        Self { policies, random }
    }

    fn store(&self) -> MemoryStore {
        let store = MemoryStore::new();
        for policy in &self.policies {
            store.put(&Sha256Digest::of(policy.text.as_bytes()), policy.text.as_bytes()).unwrap();
        }
        store
    }

    fn actor(&mut self, trace: usize, number: usize) -> Actor {
        Actor {
            kind: KINDS[self.random.below(KINDS.len())],
            id: format!("staff/{trace}/{number}"),
            grants: (0..self.random.below(4)).map(|_| GRANTS[self.random.below(GRANTS.len())]).collect(),
        }
    }

    fn draft(&mut self, actors: &[Actor], number: usize) -> Draft {
        let random = &mut self.random;
        let (actor, policy) = (random.below(actors.len()), random.below(self.policies.len()));
        let asked = Asked {
            action: ACTIONS[random.below(ACTIONS.len())],
            resource: RESOURCES[random.below(RESOURCES.len())],
            ts_ms: 1100 + 100 * number as u64,
        };
        let answer = self.policies[policy].answer(&actors[actor], &asked);
        Draft { actor, policy, named_policy: policy, asked, answer }
    }

    /// Spoils a draft; what its policy then says of it, if that is another answer.
    fn spoil(&mut self, draft: &mut Draft, how: Spoiling, actors: &[Actor]) -> Option<Answer> {
        let (actor, named) = (draft.actor, draft.named_policy);
        match how {
            Spoiling::Result => draft.answer.allow = !draft.answer.allow,
            Spoiling::Reasons => {
                if !draft.answer.reasons.remove("may-0") {
                    draft.answer.reasons.insert("may-0".to_owned());
                }
            }
            Spoiling::Obligations => {
                if !draft.answer.obligations.remove("cap-tokens") {
                    draft.answer.obligations.insert("cap-tokens".to_owned());
                }
            }
            Spoiling::Swapped => {
                draft.named_policy = (named + 1 + self.random.below(3)) % self.policies.len()
            }
            Spoiling::Spliced => draft.actor = 1 - actor,
        }
        let right = self.policies[draft.named_policy].answer(&actors[draft.actor], &draft.asked);
        if right == draft.answer {
            (draft.actor, draft.named_policy) = (actor, named);
            return None;
        }
        Some(right)
    }

    /// The records of a trace, and what was planted in it. Drawn again while nothing in it can be spoiled so.
    fn trace(&mut self, number: usize, how: Option<Spoiling>) -> (Vec<String>, Option<Planted>) {
        loop {
            let actors = [self.actor(number, 0), self.actor(number, 1)];
            let mut drafts: Vec<Draft> = (0..DECISIONS_PER_TRACE).map(|at| self.draft(&actors, at)).collect();
            let Some(how) = how else { return self.written(number, &actors, &drafts, None) };
            let start = self.random.below(DECISIONS_PER_TRACE);
            let mut places = (0..DECISIONS_PER_TRACE).map(|step| (start + step) % DECISIONS_PER_TRACE);
            let spoiled = places.find_map(|at| Some((at, self.spoil(&mut drafts[at], how, &actors)?)));
            if spoiled.is_some() {
                return self.written(number, &actors, &drafts, spoiled);
            }
        }
    }

    fn written(
        &self,
        number: usize,
        actors: &[Actor],
        drafts: &[Draft],
        spoiled: Option<(usize, Answer)>,
    ) -> (Vec<String>, Option<Planted>) {
        let contexts: Vec<String> =
            actors.iter().enumerate().map(|(at, actor)| context(number, at, actor)).collect();
        let hashes: Vec<String> = contexts.iter().map(|context| hash_of(context)).collect();
        let records: Vec<String> = drafts
            .iter()
            .enumerate()
            .map(|(at, draft)| {
                let (policy, named) = (&self.policies[draft.policy], &self.policies[draft.named_policy]);
                decision((number, at), &hashes[draft.actor], (&policy.id, &named.sha256), draft)
            })
            .collect();
        let planted = spoiled.map(|(at, right)| Planted {
            hash: hash_of(&records[at]),
            pointer: right.differs_at(&drafts[at].answer).unwrap().to_owned(),
            expected: right.json(),
            found: drafts[at].answer.json(),
            before: at as u64,
        });
        (contexts.into_iter().chain(records).collect(), planted)
    }
}

fn trace_id(number: usize) -> String {
    format!("{:032x}", number + 1)
}

fn context(trace: usize, number: usize, actor: &Actor) -> String {
    let grants: Vec<String> = actor.grants.iter().map(|grant| format!("\"{grant}\":true")).collect();
    format!(
        r#"{{"spec_version":"1.0.0","canon_version":"1","record_type":"auth_context","ts_ms":1000,"trace":{{"trace_id":"{}","span_id":"{:016x}","span_kind":"root"}},"producer":{{"layer":"cpo","component":"gateway"}},"actor":{{"actor_kind":"{}","actor_id":"{}"}},"credential":{{"credential_kind":"oidc","issuer":"https://id.example","presented_hash_sha256":"{:064x}","verified_at_ms":900,"expires_at_ms":9000}},"grants":{{{}}}}}"#,
        trace_id(trace),
        number + 1,
        actor.kind,
        actor.id,
        7,
        grants.join(",")
    )
}

fn decision((trace, number): (usize, usize), context: &str, policy: (&str, &str), draft: &Draft) -> String {
    format!(
        r#"{{"spec_version":"1.0.0","canon_version":"1","record_type":"policy_decision","ts_ms":{},"trace":{{"trace_id":"{}","span_id":"{:016x}","span_kind":"child","parent_span_id":"{:016x}"}},"producer":{{"layer":"cpo","component":"kernel"}},"auth_context_envelope_sha256":"{context}","policy":{{"policy_id":"{}","policy_version":"v1","policy_sha256":"{}"}},"request":{{"action":"{}","resource":"{}"}},"decision":{}}}"#,
        draft.asked.ts_ms,
        trace_id(trace),
        number + 10,
        1,
        policy.0,
        policy.1,
        draft.asked.action,
        draft.asked.resource,
        draft.answer.json()
    )
}

/// What the verdicts say, without the memory of all verdicts.
#[derive(Default)]
struct Heard {
    digests: Vec<Sha256Digest>,
    failed: BTreeMap<TraceId, (Planted, u64)>,
    findings: usize,
}

impl ReplaySink for Heard {
    fn verdict(&mut self, replay: TraceReplay) -> ControlFlow<()> {
        let bytes = replay.to_value().to_canonical(Profile::Envelope).unwrap();
        self.digests.push(Sha256Digest::of(&bytes));
        self.findings += replay.findings().iter().filter(|it| it.code.as_str().starts_with("POLICY")).count();
        if let Some(failure) = replay.failure() {
            assert_eq!(failure.check.as_str(), "decision");
            assert_eq!(failure.class.as_str(), "REPLAY_DECISION_MISMATCH");
            let planted = Planted {
                hash: failure.envelope_hash.unwrap().to_string(),
                pointer: failure.pointer.as_ref().unwrap().to_string(),
                expected: failure.expected.clone().unwrap(),
                found: failure.found.clone().unwrap(),
                before: replay.diagnostics.coverage.policy_re_decided.get(),
            };
            self.failed.insert(replay.trace_id(), (planted, failure.seq.unwrap().get()));
        }
        ControlFlow::Continue(())
    }
}

fn hear(snapshot: &Snapshot, store: &MemoryStore, threads: usize) -> (Heard, Summary) {
    let means = Means { policies: Some(&CedarEngine), ..Means::payloads(store) };
    let plan = Plan { mode: Mode::Invariant, threads: NonZeroUsize::new(threads), ..Plan::default() };
    let mut heard = Heard::default();
    let summary = replay(snapshot, &means, &plan, &mut heard).unwrap();
    (heard, summary)
}

fn seqs_of(outcomes: Vec<Outcome>) -> BTreeMap<String, u64> {
    let seqs = outcomes.into_iter().map(|outcome| match outcome {
        Outcome::Accepted { envelope_hash, seq, duplicate: false } => (envelope_hash.to_string(), seq.get()),
        other => panic!("{other:?}"),
    });
    seqs.collect()
}

#[test]
fn every_planted_mismatch_is_found_and_nothing_else() {
    let (mut house, traces) = (House::new(), DECISIONS / DECISIONS_PER_TRACE);
    let (_dir, ledger) = common::fresh(Options::default());
    let mut planted: BTreeMap<TraceId, (Planted, u64)> = BTreeMap::new();
    let mut of_kind: BTreeMap<Spoiling, usize> = BTreeMap::new();
    for first in (0..traces).step_by(TRACES_PER_COMMIT) {
        let (mut lines, mut plants) = (Vec::new(), Vec::new());
        for number in first..traces.min(first + TRACES_PER_COMMIT) {
            let spoiled = number % SPOILED_ONE_IN == 7;
            let how = spoiled.then(|| SPOILINGS[number / SPOILED_ONE_IN % SPOILINGS.len()]);
            let (records, plant) = house.trace(number, how);
            lines.extend(records);
            how.iter().for_each(|how| *of_kind.entry(*how).or_default() += 1);
            plants.extend(plant.map(|plant| (trace_id(number).parse::<TraceId>().unwrap(), plant)));
        }
        let seqs = seqs_of(common::commit(&ledger, &lines));
        planted.extend(plants.into_iter().map(|(trace, plant)| (trace, (plant.clone(), seqs[&plant.hash]))));
    }
    assert_eq!(of_kind.into_values().collect::<Vec<_>>(), [traces / SPOILED_ONE_IN / SPOILINGS.len(); 5]);
    // Each pointer is met by more than the kind that is made for it.
    let pointers: BTreeSet<&str> = planted.values().map(|(plant, _)| plant.pointer.as_str()).collect();
    assert_eq!(pointers.len(), 3);

    let (store, snapshot) = (house.store(), ledger.snapshot().unwrap());
    let (heard, summary) = hear(&snapshot, &store, 1);
    assert_eq!(heard.failed, planted);
    assert_eq!((summary.traces, summary.failed), (traces as u64, planted.len() as u64));
    let sound = (traces - planted.len()) * DECISIONS_PER_TRACE;
    let up_to_failures: u64 = planted.values().map(|(plant, _)| plant.before).sum();
    let re_decided = sound as u64 + up_to_failures;
    let counted = [summary.policy_re_decided, summary.policy_absent, summary.policy_unusable];
    assert_eq!((counted, heard.findings), ([re_decided, 0, 0], 0));
    let (other, again) = hear(&snapshot, &store, 2);
    assert_eq!((other.digests, again), (heard.digests, summary));
}
