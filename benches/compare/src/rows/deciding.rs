//! What asking a policy again adds to a replay, for each decision, beside the policy engine alone on the same request,
//! which was made for it beforehand.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression,
};
use proofline::canon::{ContentStore, Limits, MemoryStore, Sha256Digest};
use proofline::ledger::Snapshot;
use proofline::policy::CedarEngine;
use proofline::replay::{Means, Mode, Plan, ReplaySink, RunVerdict, TraceReplay, replay};
use proofline::trace::{AuthContext, Envelope, PolicyDecision, read_envelope};

use crate::data;
use crate::failure::Failure;
use crate::measure::{Figure, in_turns};
use crate::run::Run;
use crate::table::{Line, Target};

/// Decisions of a trace: a context and so many.
const PER_TRACE: usize = 20;
/// Statements of the policy; the first is the one that permits.
const STATEMENTS: usize = 10;

/// Whether the policy reads the time, so that no two requests are alike to it.
#[derive(Clone, Copy, PartialEq)]
enum Reads {
    TheTime,
    NoTime,
}

pub(crate) fn measure(run: &mut Run) -> Result<Vec<Line>, Failure> {
    Ok(vec![of(run, Reads::TheTime)?, of(run, Reads::NoTime)?])
}

fn of(run: &mut Run, reads: Reads) -> Result<Line, Failure> {
    // A context and its decisions: a fifth of the records, no more than a replay takes some seconds for.
    let traces = usize::try_from(run.sample_size()).unwrap_or(0) / PER_TRACE / 2;
    let (traces, text) = (traces.clamp(1, 2_500), policy(reads));
    let (store, name) = (MemoryStore::new(), Sha256Digest::of(text.as_bytes()));
    store.put(&name, text.as_bytes()).map_err(Failure::of("store"))?;
    let dir = run.fresh();
    let ledger = data::new_ledger(&dir)?;
    for trace in 0..traces {
        data::commit(&ledger, records(trace, &name.to_string())?.iter().map(Vec::as_slice))?;
    }
    drop(ledger);
    let snapshot = Snapshot::open(&dir).map_err(Failure::of("proofline"))?;
    let decisions = (traces * PER_TRACE) as u64;
    let with = Means { policies: Some(&CedarEngine), ..Means::payloads(&store) };
    let mut asked = || replayed(&snapshot, &with, decisions);
    let mut not_asked = || replayed(&snapshot, &Means::payloads(&store), 0);
    let bare = Bare::of(&text, &name.to_string())?;
    let mut engine = || bare.ask(decisions);
    let times = in_turns(run.options.rounds, &mut [&mut asked, &mut not_asked, &mut engine])?;
    let each = |side: usize| Figure::each(decisions as f64, &times[side], 1e6, "µs/decision");
    // Of the same round, so that what drifts is taken off too.
    let added: Vec<f64> = times[0]
        .iter()
        .zip(&times[1])
        .map(|(with, without)| (with.as_secs_f64() - without.as_secs_f64()) * 1e6 / decisions as f64)
        .collect();
    let (ours, theirs) = (Figure::of(added, "µs/decision"), each(2));
    let what = match reads {
        Reads::TheTime => "policy re-decided; it reads the time, so no two requests are alike",
        Reads::NoTime => "policy re-decided; it reads no time, so requests are alike within a trace",
    };
    Ok(Line {
        what: what.to_owned(),
        ours,
        yardstick: "bare `cedar-policy` authorization, request made beforehand".to_owned(),
        theirs: Some(theirs),
        ratio: ours.median / theirs.median,
        target: Target::at_most(1.3, 1.0),
        note: format!(
            "{decisions} decisions, {STATEMENTS} statements, one thread; what an invariant replay with the policy \
             takes more than one without ({:.2} µs for each decision and its record)",
            each(1).median
        ),
    })
}

/// Takes verdicts and keeps none.
struct Dropped;

impl ReplaySink for Dropped {
    fn verdict(&mut self, _: TraceReplay) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn replayed(snapshot: &Snapshot, means: &Means<'_>, re_decided: u64) -> Result<Duration, Failure> {
    let plan = Plan { mode: Mode::Invariant, threads: Some(NonZeroUsize::MIN), ..Plan::default() };
    let begun = Instant::now();
    let summary = replay(snapshot, means, &plan, &mut Dropped).map_err(Failure::of("proofline"))?;
    let taken = begun.elapsed();
    if (summary.verdict(), summary.policy_re_decided) == (RunVerdict::AllWell, re_decided) {
        return Ok(taken);
    }
    Err(Failure::Wrong(format!("{} of {re_decided} decisions were decided again", summary.policy_re_decided)))
}

fn policy(reads: Reads) -> String {
    let condition = match reads {
        Reads::TheTime => "context.ts_ms <= context.auth_context.credential.expires_at_ms",
        Reads::NoTime => r#"context.auth_context.credential.credential_kind == "oidc""#,
    };
    let mut text = format!(
        r#"@id("readers-read") @obligation("log-prompt")
        permit(principal in Grant::"tickets:read", action in Action::"tickets", resource in Resource::"desk")
        when {{ {condition} }};"#
    );
    for number in 1..STATEMENTS {
        let effect = if number % 2 == 0 { "permit" } else { "forbid" };
        let _ = write!(
            text,
            r#"@id("other-{number}") {effect}(principal in ActorKind::"robot", action, resource in Resource::"desk/{number}");"#
        );
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
        // Within the hour that the credential holds, and no two alike, over all traces.
        1_769_817_600_001 + trace * PER_TRACE + number,
        trace + 1,
        number + 1
    )
}

fn envelope(text: &str) -> Result<(Envelope, String), Failure> {
    let read = read_envelope(text.as_bytes(), &Limits::ENVELOPE).map_err(Failure::of("proofline"))?;
    let hash = read.hash().to_string();
    Ok((read.into_parts().0, hash))
}

fn records(trace: usize, policy: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let context = context(trace);
    let (_, hash) = envelope(&context)?;
    let decisions = (0..PER_TRACE).map(|number| decision(trace, number, &hash, policy));
    Ok(std::iter::once(context.clone()).chain(decisions).map(String::into_bytes).collect())
}

/// The engine alone, with one of those requests.
struct Bare {
    policies: PolicySet,
    request: Request,
    entities: Entities,
}

impl Bare {
    fn of(text: &str, name: &str) -> Result<Self, Failure> {
        let (auth, hash) = envelope(&context(0))?;
        let (decided, _) = envelope(&decision(0, 0, &hash, name))?;
        let (Envelope::AuthContext(auth), Envelope::PolicyDecision(decided)) = (auth, decided) else {
            return Err(Failure::Wrong("the records are of other types".to_owned()));
        };
        let policies = text.parse().map_err(Failure::of("cedar-policy"))?;
        let (request, entities) = request(&auth, &decided)?;
        Ok(Self { policies, request, entities })
    }

    fn ask(&self, times: u64) -> Result<Duration, Failure> {
        let authorizer = Authorizer::new();
        let begun = Instant::now();
        let mut allowed = 0;
        for _ in 0..times {
            let answer = authorizer.is_authorized(black_box(&self.request), &self.policies, &self.entities);
            allowed += u64::from(black_box(answer).decision() == cedar_policy::Decision::Allow);
        }
        let taken = begun.elapsed();
        if allowed == times { Ok(taken) } else { Err(Failure::Wrong("the bare engine denies".to_owned())) }
    }
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn long(number: u64) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(number).unwrap_or(i64::MAX))
}

fn record(members: Vec<(&str, RestrictedExpression)>) -> Result<RestrictedExpression, Failure> {
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
    RestrictedExpression::new_record(members).map_err(Failure::of("cedar-policy"))
}

/// The request that docs/policy.md draws, by hand.
fn request(auth: &AuthContext, decided: &PolicyDecision) -> Result<(Request, Entities), Failure> {
    let uid = |text: &str| text.parse::<EntityUid>().map_err(Failure::of("cedar-policy"));
    let grants = || RestrictedExpression::new_set([text("tickets:read")]);
    let span = |span: &str, kind: &str| {
        record(vec![
            ("trace_id", text(&decided.trace.trace_id().to_string())),
            ("span_id", text(span)),
            ("span_kind", text(kind)),
        ])
    };
    let principal = uid(r#"Actor::"user|staff/ines""#)?;
    let (action, resource) = (uid(r#"Action::"tickets:read""#)?, uid(r#"Resource::"desk/7/notes""#)?);
    let attributes = HashMap::from([
        ("kind".to_owned(), text("user")),
        ("id".to_owned(), text("staff/ines")),
        ("grants".to_owned(), grants()),
    ]);
    let above = HashSet::from([uid(r#"ActorKind::"user""#)?, uid(r#"Grant::"tickets:read""#)?]);
    let of_resource = HashSet::from([uid(r#"Resource::"desk""#)?, uid(r#"Resource::"desk/7""#)?]);
    let of_action = HashSet::from([uid(r#"Action::"tickets""#)?]);
    let actor = Entity::new(principal.clone(), attributes, above).map_err(Failure::of("cedar-policy"))?;
    let entities = Entities::from_entities(
        [
            actor,
            Entity::new_no_attrs(action.clone(), of_action),
            Entity::new_no_attrs(resource.clone(), of_resource),
        ],
        None,
    );
    let credential = record(vec![
        ("credential_kind", text("oidc")),
        ("issuer", text("https://id.example")),
        ("presented_hash_sha256", text(&auth.credential.presented_hash_sha256.to_string())),
        ("verified_at_ms", long(auth.credential.verified_at_ms.get())),
        ("expires_at_ms", long(auth.credential.expires_at_ms.get())),
    ])?;
    let actor = record(vec![("actor_kind", text("user")), ("actor_id", text("staff/ines"))])?;
    let of_context = record(vec![
        ("ts_ms", long(auth.ts_ms.get())),
        ("trace", span("00000000000000c1", "root")?),
        ("component", text("gateway")),
        ("actor", actor),
        ("credential", credential),
        ("grants", grants()),
    ])?;
    let context = Context::from_pairs([
        ("ts_ms".to_owned(), long(decided.ts_ms.get())),
        ("trace".to_owned(), span("0000000000000001", "child")?),
        ("component".to_owned(), text("kernel")),
        ("auth_context".to_owned(), of_context),
    ])
    .map_err(Failure::of("cedar-policy"))?;
    let request = Request::new(principal, action, resource, context, None);
    Ok((request.map_err(Failure::of("cedar-policy"))?, entities.map_err(Failure::of("cedar-policy"))?))
}
