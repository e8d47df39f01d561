//! How fast decisions are decided again, and asked of another policy, beside the engine alone on the same request.
//! The floors `policy` and `replay`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

mod common;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression,
};
use criterion::{BenchmarkId, Criterion, Throughput};
use proofline::canon::{ContentStore, Limits, MemoryStore, Sha256Digest};
use proofline::ledger::{Options, Snapshot};
use proofline::policy::{CedarEngine, Memory, PlainCedarEngine, Policy, PolicyEngine, Question};
use proofline::replay::{
    BacktestPlan, BacktestSink, ChangedDecision, Means, Mode, Plan, ReplaySink, RunVerdict, Summary,
    TraceReplay, backtest, replay,
};
use proofline::trace::{AuthContext, Envelope, PolicyDecision, read_envelope};

/// Decisions of a trace: a context and so many.
const PER_TRACE: usize = 20;
/// Statements of the policy: the first is the one that permits, the others are about other things.
const STATEMENTS: usize = 10;
/// Questions that a thread asks at a stretch, each of another time.
const ASKED: usize = 1000;
/// What a memory of replies may take.
const REMEMBERED_BYTES: usize = 8 << 20;

/// Takes what it is told and keeps nothing, as a job that prints it would.
struct Dropped;

impl ReplaySink for Dropped {
    fn verdict(&mut self, _: TraceReplay) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl BacktestSink for Dropped {
    fn changed(&mut self, _: ChangedDecision) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn main() {
    let mut criterion = common::criterion();
    let traces = common::amount(500, 2);
    let text = policy(true);
    load(&mut criterion, &text);
    side_by_side(&mut criterion, "decision_by_time", &text);
    side_by_side(&mut criterion, "decision", &policy(false));
    many(&mut criterion, &text, traces);
    criterion.final_summary();
}

/// One that reads the time, so that no two questions of a trace are equal to it, or one that does not.
fn policy(reads_time: bool) -> String {
    let when = match reads_time {
        true => "when { context.ts_ms <= context.auth_context.credential.expires_at_ms }",
        false => r#"when { context.auth_context.credential.credential_kind == "oidc" }"#,
    };
    let mut text = format!(
        r#"@id("readers-read") @obligation("log-prompt")
        permit(principal in Grant::"tickets:read", action in Action::"tickets", resource in Resource::"desk")
        {when};"#,
    );
    for number in 1..STATEMENTS {
        let effect = if number % 2 == 0 { "permit" } else { "forbid" };
        write!(
            text,
            r#"@id("other-{number}") {effect}(principal in ActorKind::"robot", action, resource in Resource::"desk/{number}");"#
        )
        .unwrap();
    }
    text
}

fn context(trace: usize) -> String {
    format!(
        r#"{{"spec_version":"1.0.0","canon_version":"1","record_type":"auth_context","ts_ms":1769817600000,"trace":{{"trace_id":"{:032x}","span_id":"00000000000000c1","span_kind":"root"}},"producer":{{"layer":"cpo","component":"gateway"}},"actor":{{"actor_kind":"user","actor_id":"staff/ines"}},"credential":{{"credential_kind":"oidc","issuer":"https://id.example","presented_hash_sha256":"{:064x}","verified_at_ms":1769817600000,"expires_at_ms":1769821200000}},"grants":{{"tickets:read":true}}}}"#,
        trace + 1,
        7
    )
}

fn decision(trace: usize, number: usize, context: &str, policy: &str) -> String {
    format!(
        r#"{{"spec_version":"1.0.0","canon_version":"1","record_type":"policy_decision","ts_ms":{},"trace":{{"trace_id":"{:032x}","span_id":"{:016x}","span_kind":"child","parent_span_id":"00000000000000c1"}},"producer":{{"layer":"cpo","component":"kernel"}},"auth_context_envelope_sha256":"{context}","policy":{{"policy_id":"desk","policy_version":"1","policy_sha256":"{policy}"}},"request":{{"action":"tickets:read","resource":"desk/7/notes"}},"decision":{{"result":"allow","reason_codes":{{"readers-read":true}},"obligations":{{"log-prompt":true}}}}}}"#,
        1_769_817_600_001 + number,
        trace + 1,
        number + 1
    )
}

fn hash_of(text: &str) -> String {
    read_envelope(text.as_bytes(), &Limits::ENVELOPE).unwrap().hash().to_string()
}

fn records(trace: usize, policy: &str) -> Vec<Vec<u8>> {
    let context = context(trace);
    let hash = hash_of(&context);
    let decisions = (0..PER_TRACE).map(|number| decision(trace, number, &hash, policy));
    std::iter::once(context.clone()).chain(decisions).map(String::into_bytes).collect()
}

fn envelope(text: &str) -> Envelope {
    read_envelope(text.as_bytes(), &Limits::ENVELOPE).unwrap().into_parts().0
}

fn load(criterion: &mut Criterion, text: &str) {
    let mut group = common::group(criterion, "policy");
    group.bench_function("load", |bencher| bencher.iter(|| black_box(CedarEngine.load(text.as_bytes()))));
    group.finish();
}

/// The same questions five ways: of the engine alone, with request and entities made beforehand (`engine`) or each
/// time (`bare`); of a policy behind the seam, whole (`plain`), by slices (`ask`), and with a memory that is empty
/// when a stretch begins (`remembered`). Ours turn the answer into the contract's decision as well.
fn side_by_side(criterion: &mut Criterion, name: &str, text: &str) {
    let context_text = context(0);
    let hash = hash_of(&context_text);
    let Envelope::AuthContext(auth) = envelope(&context_text) else { return };
    let decision = |number| match envelope(&decision(0, number, &hash, &"0".repeat(64))) {
        Envelope::PolicyDecision(decision) => Some(decision),
        _ => None,
    };
    let decisions: Vec<PolicyDecision> = (0..ASKED).filter_map(decision).collect();
    let set = text.parse::<PolicySet>().unwrap();
    let prepared: Vec<(Request, Entities)> = decisions.iter().map(|it| bare(&auth, it)).collect();
    let authorizer = Authorizer::new();
    let load = |engine: &dyn PolicyEngine| engine.load(text.as_bytes()).unwrap();
    let (plain, sliced) = (load(&PlainCedarEngine), load(&CedarEngine));
    let policy_name = Sha256Digest::of(text.as_bytes());
    for (decided, (request, entities)) in decisions.iter().zip(&prepared) {
        let answer = authorizer.is_authorized(request, &set, entities);
        assert_eq!(answer.decision(), cedar_policy::Decision::Allow);
        let question = Question::of(&auth, decided);
        assert_eq!(plain.ask(&question), sliced.ask(&question));
        assert_eq!(sliced.ask(&question).decision(), decided.decision);
    }
    let engine = || {
        for (request, entities) in &prepared {
            black_box(authorizer.is_authorized(request, &set, entities));
        }
    };
    let embedded = || {
        for decided in &decisions {
            let (request, entities) = bare(&auth, decided);
            black_box(authorizer.is_authorized(&request, &set, &entities));
        }
    };
    let ask = |policy: &Arc<dyn Policy>| {
        for decided in &decisions {
            black_box(policy.ask(&Question::of(&auth, decided)).decision());
        }
    };
    let remembered = || {
        let memory = Memory::new(REMEMBERED_BYTES);
        for decided in &decisions {
            black_box(memory.reply(&policy_name, &*sliced, &Question::of(&auth, decided)));
        }
    };
    let ways: [(&str, &(dyn Fn() + Sync)); 5] = [
        ("engine", &engine),
        ("bare", &embedded),
        ("plain", &|| ask(&plain)),
        ("ask", &|| ask(&sliced)),
        ("remembered", &remembered),
    ];
    let mut group = common::slow_group(criterion, name);
    let all = std::thread::available_parallelism().unwrap();
    for threads in BTreeSet::from([NonZeroUsize::MIN, all]) {
        group.throughput(Throughput::Elements((threads.get() * ASKED) as u64));
        for (way, work) in ways {
            let id = BenchmarkId::new(way, threads);
            group.bench_function(id, |bencher| bencher.iter(|| on_threads(threads, work)));
        }
    }
    group.finish();
}

fn on_threads(threads: NonZeroUsize, work: &(dyn Fn() + Sync)) {
    std::thread::scope(|scope| {
        (1..threads.get()).for_each(|_| drop(scope.spawn(work)));
        work();
    });
}

/// The request that docs/policy.md draws, by hand.
fn bare(auth: &AuthContext, decided: &PolicyDecision) -> (Request, Entities) {
    let uid = |text: &str| text.parse::<EntityUid>().unwrap();
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let long = |number: u64| RestrictedExpression::new_long(number.try_into().unwrap());
    let record = |members: Vec<(&str, RestrictedExpression)>| {
        let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
        RestrictedExpression::new_record(members).unwrap()
    };
    let grants = || RestrictedExpression::new_set([text("tickets:read")]);
    let span = |span: &str, kind: &str| {
        record(vec![
            ("trace_id", text(&decided.trace.trace_id().to_string())),
            ("span_id", text(span)),
            ("span_kind", text(kind)),
        ])
    };
    let principal = uid(r#"Actor::"user|staff/ines""#);
    let (action, resource) = (uid(r#"Action::"tickets:read""#), uid(r#"Resource::"desk/7/notes""#));
    let attributes = HashMap::from([
        ("kind".to_owned(), text("user")),
        ("id".to_owned(), text("staff/ines")),
        ("grants".to_owned(), grants()),
    ]);
    let above = HashSet::from([uid(r#"ActorKind::"user""#), uid(r#"Grant::"tickets:read""#)]);
    let of_resource = HashSet::from([uid(r#"Resource::"desk""#), uid(r#"Resource::"desk/7""#)]);
    let entities = Entities::from_entities(
        [
            Entity::new(principal.clone(), attributes, above).unwrap(),
            Entity::new_no_attrs(action.clone(), HashSet::from([uid(r#"Action::"tickets""#)])),
            Entity::new_no_attrs(resource.clone(), of_resource),
        ],
        None,
    )
    .unwrap();
    let credential = record(vec![
        ("credential_kind", text("oidc")),
        ("issuer", text("https://id.example")),
        ("presented_hash_sha256", text(&auth.credential.presented_hash_sha256.to_string())),
        ("verified_at_ms", long(auth.credential.verified_at_ms.get())),
        ("expires_at_ms", long(auth.credential.expires_at_ms.get())),
    ]);
    let actor = record(vec![("actor_kind", text("user")), ("actor_id", text("staff/ines"))]);
    let of_context = record(vec![
        ("ts_ms", long(auth.ts_ms.get())),
        ("trace", span("00000000000000c1", "root")),
        ("component", text("gateway")),
        ("actor", actor),
        ("credential", credential),
        ("grants", grants()),
    ]);
    let context = Context::from_pairs([
        ("ts_ms".to_owned(), long(decided.ts_ms.get())),
        ("trace".to_owned(), span("0000000000000001", "child")),
        ("component".to_owned(), text("kernel")),
        ("auth_context".to_owned(), of_context),
    ]);
    (Request::new(principal, action, resource, context.unwrap(), None).unwrap(), entities)
}

fn many(criterion: &mut Criterion, text: &str, traces: usize) {
    let (store, name) = (MemoryStore::new(), Sha256Digest::of(text.as_bytes()));
    store.put(&name, text.as_bytes()).unwrap();
    let ledger = common::TempLedger::new();
    let writer = ledger.open(Options::default());
    let lines: Vec<Vec<u8>> = (0..traces).flat_map(|trace| records(trace, &name.to_string())).collect();
    lines.chunks(4096).for_each(|lines| common::commit_lines(&writer, lines));
    let snapshot = ledger.snapshot();
    let decisions = (traces * PER_TRACE) as u64;
    let mut group = common::slow_group(criterion, "decisions");
    group.throughput(Throughput::Elements(decisions));
    let all = std::thread::available_parallelism().unwrap();
    for threads in BTreeSet::from([NonZeroUsize::MIN, all]) {
        let plan = Plan { mode: Mode::Invariant, threads: Some(threads), ..Plan::default() };
        let with = Means { policies: Some(&CedarEngine), ..Means::payloads(&store) };
        let without = Means::payloads(&store);
        for (id, means, re_decided) in [("re_decided", with, decisions), ("not_asked", without, 0)] {
            let summary = run(&snapshot, &means, &plan);
            let found = (summary.verdict(), summary.policy_re_decided);
            assert_eq!(found, (RunVerdict::AllWell, re_decided));
            let id = BenchmarkId::new(id, threads);
            group.bench_function(id, |bencher| bencher.iter(|| run(&snapshot, &means, &plan)));
        }
        let plan = BacktestPlan {
            policy: text.as_bytes().to_vec(),
            threads: Some(threads),
            ..BacktestPlan::default()
        };
        let ask = || backtest(&snapshot, &with, &plan, &mut Dropped).unwrap();
        assert_eq!((ask().counts.same, ask().changes()), (decisions, false));
        group.bench_function(BenchmarkId::new("backtest", threads), |bencher| bencher.iter(ask));
    }
    group.finish();
}

fn run(snapshot: &Snapshot, means: &Means<'_>, plan: &Plan) -> Summary {
    replay(snapshot, means, plan, &mut Dropped).unwrap()
}
