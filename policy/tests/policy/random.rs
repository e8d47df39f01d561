//! Random policies and questions, from alphabets so small that they meet: every form of expression that Cedar has,
//! sound or not, and entities written out that are those of a question as often as not.

use proofline_canon::Sha256Digest;
use proofline_policy::Question;
use proofline_trace::{
    Actor, AuthContext, Credential, Issuer, Millis, PolicyRequest, Resource, SpanId, Token, TraceContext,
    TraceId,
};

/// SplitMix64.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

const KINDS: [&str; 3] = ["user", "agent", "t"];
const IDS: [&str; 3] = ["a", "b", "127.0.0.1"];
const GRANTS: [&str; 4] = ["read", "write", "t", "user"];
const ACTIONS: [&str; 5] = ["t", "t:r", "t:r:x", "tr:r", "u:r"];
const RESOURCES: [&str; 9] = ["d", "d/7", "d/7/n", "dd/7", "t", "1.5", "d/n:7", "d/n:-1", "d/n:07"];

/// A question that owns what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    auth_context: AuthContext,
    request: PolicyRequest,
    trace: TraceContext,
    component: Token,
    ts_ms: Millis,
}

impl Asked {
    pub(crate) fn drawn(random: &mut Random) -> Self {
        let token = |text: &str| text.parse::<Token>().unwrap();
        let grants = random.below(4);
        Self {
            auth_context: AuthContext {
                ts_ms: millis(random),
                trace: trace(random),
                component: token(random.of(&IDS[..2])),
                actor: Actor {
                    actor_kind: token(random.of(&KINDS)),
                    actor_id: Resource::new(random.of(&IDS)).unwrap(),
                },
                credential: Credential {
                    credential_kind: token(random.of(&IDS[..2])),
                    issuer: Issuer::new(random.of(&["a", "127.0.0.1", "2024-01-01"])).unwrap(),
                    presented_hash_sha256: Sha256Digest::from_bytes([u8::from(random.chance(50)); 32]),
                    verified_at_ms: millis(random),
                    expires_at_ms: millis(random),
                },
                grants: (0..grants).map(|_| token(random.of(&GRANTS))).collect(),
            },
            request: PolicyRequest {
                action: token(random.of(&ACTIONS)),
                resource: Resource::new(random.of(&RESOURCES)).unwrap(),
            },
            trace: trace(random),
            component: token(random.of(&IDS[..2])),
            ts_ms: millis(random),
        }
    }

    pub(crate) const fn question(&self) -> Question<'_> {
        Question {
            auth_context: &self.auth_context,
            request: &self.request,
            trace: &self.trace,
            component: &self.component,
            ts_ms: self.ts_ms,
        }
    }
}

fn millis(random: &mut Random) -> Millis {
    Millis::new(random.of(&[0, 1, 7, 1000, (1 << 53) - 1])).unwrap()
}

fn trace(random: &mut Random) -> TraceContext {
    let byte = |random: &mut Random| random.of(&[1_u8, 2]);
    let trace_id = TraceId::from_bytes([byte(random); 16]).unwrap();
    let span_id = SpanId::from_bytes([byte(random); 8]).unwrap();
    let parent_span_id = SpanId::from_bytes([byte(random) + 2; 8]).unwrap();
    match random.chance(50) {
        true => TraceContext::Root { trace_id, span_id },
        false => TraceContext::Child { trace_id, span_id, parent_span_id },
    }
}

/// A policy of one to six statements; now and then it is none.
pub(crate) fn policy(random: &mut Random) -> String {
    let statements = 1 + random.below(6);
    (0..statements).map(|number| statement(random, number)).collect()
}

fn statement(random: &mut Random, number: usize) -> String {
    let obligation = if random.chance(30) { "@obligation(\"log it\")" } else { "" };
    let effect = random.of(&["permit", "permit", "forbid"]);
    let principal = scope(random, "principal");
    let resource = scope(random, "resource");
    let action = match random.below(6) {
        0..=2 => "action".to_owned(),
        3 => format!("action == Action::\"{}\"", random.of(&ACTIONS)),
        4 => format!("action in Action::\"{}\"", random.of(&ACTIONS)),
        _ => format!("action in [Action::\"{}\", Action::\"{}\"]", random.of(&ACTIONS), random.of(&ACTIONS)),
    };
    let clauses: String = (0..random.below(3))
        .map(|_| format!(" {} {{ {} }}", random.of(&["when", "when", "unless"]), truth(random, 3)))
        .collect();
    format!("@id(\"s{number}\") {obligation} {effect}({principal}, {action}, {resource}){clauses};\n")
}

fn scope(random: &mut Random, variable: &str) -> String {
    let entity = entity(random);
    let of = random.of(&["Actor", "Resource", "N::Actor"]);
    match random.below(9) {
        0..=3 => variable.to_owned(),
        4 => format!("{variable} == {entity}"),
        5 | 6 => format!("{variable} in {entity}"),
        7 => format!("{variable} is {of}"),
        _ => format!("{variable} is {of} in {entity}"),
    }
}

/// An entity, written out.
fn entity(random: &mut Random) -> String {
    match random.below(8) {
        0 | 1 => format!("Actor::\"{}|{}\"", random.of(&KINDS), random.of(&IDS)),
        2 => format!("ActorKind::\"{}\"", random.of(&KINDS)),
        3 => format!("Grant::\"{}\"", random.of(&GRANTS)),
        4 => format!("Action::\"{}\"", random.of(&ACTIONS)),
        5 | 6 => format!("Resource::\"{}\"", random.of(&RESOURCES)),
        _ => random.of(&["User::\"a\"", "N::Actor::\"user|a\"", "Actor::\"\"", "Resource::\"\""]).to_owned(),
    }
}

const TEXTS: [&str; 16] = [
    "principal.kind",
    "principal.id",
    "context.component",
    "context[\"component\"]",
    "context.trace.span_kind",
    "context.trace.trace_id",
    "context.trace.parent_span_id",
    "context.auth_context.component",
    "context.auth_context.trace.span_id",
    "context.auth_context.trace.parent_span_id",
    "context.auth_context.actor.actor_kind",
    "context.auth_context.actor[\"actor_id\"]",
    "context.auth_context.credential.issuer",
    "context.auth_context.credential.credential_kind",
    "context.auth_context.credential.presented_hash_sha256",
    "context.trace.span_id",
];
const NUMBERS: [&str; 6] = [
    "context.ts_ms",
    "context.auth_context.ts_ms",
    "context.auth_context.credential.verified_at_ms",
    "context.auth_context.credential.expires_at_ms",
    "7",
    "(-1)",
];
const SETS: [&str; 4] =
    ["principal.grants", "context.auth_context.grants", "[\"read\", \"t\"]", "[principal.kind]"];
/// What has members, and some that nothing has.
const RECORDS: [&str; 10] = [
    "context",
    "context.trace",
    "context.auth_context",
    "context.auth_context.trace",
    "context.auth_context.credential",
    "context.auth_context.actor",
    "principal",
    "resource",
    "action",
    "context.ts_ms",
];
const NAMES: [&str; 12] = [
    "trace",
    "ts_ms",
    "parent_span_id",
    "span_kind",
    "auth_context",
    "kind",
    "grants",
    "owner",
    "actor_id",
    "trace.parent_span_id",
    "auth_context.trace.parent_span_id",
    "auth_context.nothing",
];
/// Values that go on whole, fail, or are looked up.
const HARD: [&str; 29] = [
    "resource.hasTag(\"n\") && resource.getTag(\"n\") > 0",
    "resource.getTag(\"n\") == 7",
    "Resource::\"d/n:7\".hasTag(\"n\")",
    "principal == resource",
    "principal in resource",
    "resource in principal",
    "action in [action]",
    "[principal, resource].contains(Actor::\"user|a\")",
    "[principal].contains(principal)",
    "principal.hasTag(\"x\")",
    "principal.getTag(\"x\") == 1",
    "context == context",
    "context.trace == context.auth_context.trace",
    "{a: context.trace}.a.span_kind == \"child\"",
    "{a: context.trace} == {a: {span_kind: \"root\"}}",
    "principal.grants == context.auth_context.grants",
    "resource.owner == \"a\"",
    "principal.nothing == \"a\"",
    "context.nothing == \"a\"",
    "context.trace.nothing == \"a\"",
    "context.ts_ms.nothing == 1",
    "context.ts_ms && true",
    "principal + 1 == 2",
    "context.ts_ms * 9223372036854775807 > 0",
    "ip(context.auth_context.credential.issuer).isIpv4()",
    "decimal(principal.id).lessThan(decimal(\"2.0\"))",
    "datetime(context.auth_context.credential.issuer) < datetime(\"2025-01-01\")",
    "context.trace in Grant::\"read\"",
    "action == context.component",
];

/// An expression that is true or false, or neither.
fn truth(random: &mut Random, depth: usize) -> String {
    let entity_one = entity(random);
    let variable = random.of(&["principal", "action", "resource"]);
    match random.below(if depth == 0 { 9 } else { 16 }) {
        0 => format!("{variable} {} {entity_one}", random.of(&["==", "!=", "in", "in"])),
        1 => format!("{variable} in [{entity_one}, {}]", entity(random)),
        2 => {
            let of = random.of(&["Actor", "Resource", "Action"]);
            let above = if random.chance(50) { format!(" in {entity_one}") } else { String::new() };
            format!("{variable} is {of}{above}")
        }
        3 => {
            let text = random.of(&["user", "agent", "a", "root", "child", "0101010101010101"]);
            format!("{} == \"{text}\"", random.of(&TEXTS))
        }
        4 => format!("{} like \"{}\"", random.of(&TEXTS), random.of(&["a*", "*0*", "user", "*"])),
        5 => {
            let (left, right) = (random.of(&NUMBERS), random.of(&NUMBERS));
            format!(
                "{left} {} 7 {} {right}",
                random.of(&["+", "-", "*"]),
                random.of(&["<", ">=", "==", "!="])
            )
        }
        6 => {
            format!("{}.contains({})", random.of(&SETS), random.of(&["\"read\"", "principal.kind", "\"t\""]))
        }
        7 => format!("{} has {}", random.of(&RECORDS), random.of(&NAMES)),
        8 => random.of(&HARD).to_owned(),
        9 | 10 => format!("({}) && ({})", truth(random, depth - 1), truth(random, depth - 1)),
        11 | 12 => format!("({}) || ({})", truth(random, depth - 1), truth(random, depth - 1)),
        13 => format!("!({})", truth(random, depth - 1)),
        14 => {
            let (if_so, then, or) =
                (truth(random, depth - 1), truth(random, depth - 1), truth(random, depth - 1));
            format!("if {if_so} then {then} else {or}")
        }
        _ => {
            let condition = truth(random, depth - 1);
            let (then, or, behind) = random.of(&[
                ("context", "context.auth_context", "trace.span_kind == \"root\""),
                ("principal", "Actor::\"user|a\"", "kind == \"user\""),
                ("Actor::\"user|b\"", "principal", "grants.contains(\"read\")"),
                ("context.trace", "{span_kind: context.component}", "span_kind == \"a\""),
                ("resource", "Resource::\"d/7\"", "owner == \"a\""),
            ]);
            match random.chance(30) {
                true => format!("(if {condition} then {then} else {or}) in {entity_one}"),
                false => format!("(if {condition} then {then} else {or}).{behind}"),
            }
        }
    }
}
