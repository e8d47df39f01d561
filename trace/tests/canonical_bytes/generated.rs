//! Valid envelopes of all four types: some at the limits of every rule, and any others.

use proofline_canon::Sha256Digest;
use proofline_trace::{
    Actor, AuthContext, BlobRef, ContentType, Credential, Decision, DecisionResult, Envelope, EnvelopeHash,
    Issuer, MAX_SAFE_INT, Millis, ModelCall, ModelRef, Outcome, PolicyDecision, PolicyRef, PolicyRequest,
    Resource, SafeInt, SpanId, StringSet, Token, ToolCall, ToolRef, TraceContext, TraceId, Usage,
};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Lengths around the borders of what a word may be and of how it is kept.
const LENGTHS: [usize; 8] = [1, 2, 7, 21, 22, 23, 127, 128];

fn word(first: &'static str, rest: &'static str, longest: usize) -> impl Strategy<Value = String> {
    let length = prop_oneof![6 => 1..24_usize, 1 => select(LENGTHS.to_vec()), 1 => Just(longest)];
    (select(letters(first)), length.prop_flat_map(move |length| vec(select(letters(rest)), length - 1)))
        .prop_map(|(first, rest)| std::iter::once(first).chain(rest).collect())
}

fn letters(text: &str) -> Vec<char> {
    text.chars().collect()
}

const PLAIN: &str = "abcdefghijklmnopqrstuvwxyz0123456789";

fn token() -> impl Strategy<Value = Token> {
    word(PLAIN, "abcdefghijklmnopqrstuvwxyz0123456789_-:.", 128).prop_map(|text| Token::new(&text).unwrap())
}

fn resource() -> impl Strategy<Value = Resource> {
    word(PLAIN, "abcdefghijklmnopqrstuvwxyz0123456789_-:./", 256)
        .prop_map(|text| Resource::new(&text).unwrap())
}

fn content_type() -> impl Strategy<Value = ContentType> {
    const MEDIA: &str = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789!#$&^_.+-";
    (word(MEDIA, MEDIA, 63), word(MEDIA, MEDIA, 64))
        .prop_filter_map("128 at most", |(kind, subtype)| ContentType::new(&format!("{kind}/{subtype}")).ok())
}

fn issuer() -> impl Strategy<Value = Issuer> {
    let any_text = vec(any::<char>(), 1..=256).prop_map(String::from_iter);
    let text = prop_oneof![
        4 => "[a-zA-Z0-9:/._ é😀\\x7f\u{e000}-]{1,40}",
        1 => any_text,
        1 => "[\"\\\\\\x00-\\x1f/]{1,6}",
        1 => Just("😀".repeat(256)),
    ];
    text.prop_map(|text| Issuer::new(&text).unwrap())
}

fn number() -> impl Strategy<Value = u64> {
    let edges =
        [0, 1, 9, 10, 99, 100, (1 << 53) - 2, MAX_SAFE_INT, 999_999_999_999_999, 1_000_000_000_000_000];
    prop_oneof![select(edges.to_vec()), 0..=MAX_SAFE_INT, 0..10_000_u64]
}

fn millis() -> impl Strategy<Value = Millis> {
    number().prop_map(|number| Millis::new(number).unwrap())
}

fn safe_int() -> impl Strategy<Value = SafeInt> {
    number().prop_map(|number| SafeInt::new(number).unwrap())
}

fn digest() -> impl Strategy<Value = Sha256Digest> {
    prop_oneof![4 => any::<[u8; 32]>(), 1 => Just([0; 32]), 1 => Just([0xFF; 32])]
        .prop_map(Sha256Digest::from_bytes)
}

fn hash() -> impl Strategy<Value = EnvelopeHash> {
    digest().prop_map(EnvelopeHash::from)
}

fn span_id() -> impl Strategy<Value = SpanId> {
    any::<[u8; 8]>().prop_filter_map("zero names no span", |bytes| SpanId::from_bytes(bytes).ok())
}

fn trace() -> impl Strategy<Value = TraceContext> {
    let trace_id =
        any::<[u8; 16]>().prop_filter_map("zero names no trace", |bytes| TraceId::from_bytes(bytes).ok());
    (trace_id, span_id(), option::of(span_id())).prop_map(|(trace_id, span_id, parent)| match parent {
        Some(parent_span_id) => TraceContext::Child { trace_id, span_id, parent_span_id },
        None => TraceContext::Root { trace_id, span_id },
    })
}

fn set() -> impl Strategy<Value = StringSet> {
    btree_set(token(), 0..6).prop_map(StringSet::from_iter)
}

fn auth_context() -> impl Strategy<Value = Envelope> {
    let credential = (token(), issuer(), digest(), millis(), millis()).prop_map(
        |(credential_kind, issuer, presented_hash_sha256, verified_at_ms, expires_at_ms)| Credential {
            credential_kind,
            issuer,
            presented_hash_sha256,
            verified_at_ms,
            expires_at_ms,
        },
    );
    let actor = (token(), resource()).prop_map(|(actor_kind, actor_id)| Actor { actor_kind, actor_id });
    (millis(), trace(), token(), actor, credential, set()).prop_map(
        |(ts_ms, trace, component, actor, credential, grants)| {
            AuthContext { ts_ms, trace, component, actor, credential, grants }.into()
        },
    )
}

fn policy_decision() -> impl Strategy<Value = Envelope> {
    let policy = (token(), token(), digest()).prop_map(|(policy_id, policy_version, policy_sha256)| {
        PolicyRef { policy_id, policy_version, policy_sha256 }
    });
    let request = (token(), resource()).prop_map(|(action, resource)| PolicyRequest { action, resource });
    let decision = (any::<bool>(), set(), set()).prop_map(|(allows, reason_codes, obligations)| {
        let result = if allows { DecisionResult::Allow } else { DecisionResult::Deny };
        Decision { result, reason_codes, obligations }
    });
    (millis(), trace(), token(), hash(), policy, request, decision).prop_map(
        |(ts_ms, trace, component, auth_context_envelope_sha256, policy, request, decision)| {
            PolicyDecision {
                ts_ms,
                trace,
                component,
                auth_context_envelope_sha256,
                policy,
                request,
                decision,
            }
            .into()
        },
    )
}

fn blob() -> impl Strategy<Value = BlobRef> {
    (content_type(), digest(), safe_int()).prop_map(|(content_type, sha256, size_bytes)| BlobRef {
        content_type,
        sha256,
        size_bytes,
    })
}

fn call() -> impl Strategy<Value = Envelope> {
    let usage =
        (safe_int(), safe_int(), safe_int()).prop_map(|(input_tokens, output_tokens, total_tokens)| Usage {
            input_tokens,
            output_tokens,
            total_tokens,
        });
    let times = (millis(), millis());
    // What the two kinds differ in: a tool, or a model and perhaps its usage.
    let kind = (any::<bool>(), option::of(usage));
    (times, trace(), token(), (hash(), hash()), (token(), token()), (blob(), blob()), token(), kind).prop_map(
        |((started_at_ms, ended_at_ms), trace, component, hashes, names, blobs, status, (is_tool, usage))| {
            let (auth_context_envelope_sha256, policy_decision_envelope_sha256) = hashes;
            let ((request, response), outcome) = (blobs, Outcome { status });
            if is_tool {
                let tool = ToolRef { adapter_id: names.0, tool_name: names.1 };
                return ToolCall {
                    started_at_ms,
                    ended_at_ms,
                    trace,
                    component,
                    auth_context_envelope_sha256,
                    policy_decision_envelope_sha256,
                    tool,
                    request,
                    response,
                    outcome,
                }
                .into();
            }
            let model = ModelRef { provider: names.0, model: names.1 };
            ModelCall {
                started_at_ms,
                ended_at_ms,
                trace,
                component,
                auth_context_envelope_sha256,
                policy_decision_envelope_sha256,
                model,
                request,
                response,
                outcome,
                usage,
            }
            .into()
        },
    )
}

/// A valid envelope.
pub(super) fn envelope() -> impl Strategy<Value = Envelope> {
    prop_oneof![auth_context(), policy_decision(), call()]
}

/// A root context, a decision with sets, a model call with usage, a tool call: small, and every member there.
pub(super) fn samples() -> Vec<Envelope> {
    let token = |text| Token::new(text).unwrap();
    let millis = |number| Millis::new(number).unwrap();
    let int = |number| SafeInt::new(number).unwrap();
    let digest = Sha256Digest::of(b"a sample");
    let hash = EnvelopeHash::from(digest);
    let trace_id = TraceId::from_bytes([0x4b; 16]).unwrap();
    let root = TraceContext::Root { trace_id, span_id: SpanId::from_bytes([0x10; 8]).unwrap() };
    let child = TraceContext::Child {
        trace_id,
        span_id: SpanId::from_bytes([0x20; 8]).unwrap(),
        parent_span_id: SpanId::from_bytes(
            [0; 7].iter().chain(&[1]).copied().collect::<Vec<u8>>().try_into().unwrap(),
        )
        .unwrap(),
    };
    let blob = |content_type, size| BlobRef {
        content_type: ContentType::new(content_type).unwrap(),
        sha256: digest,
        size_bytes: int(size),
    };
    let context = AuthContext {
        ts_ms: millis(MAX_SAFE_INT),
        trace: root,
        component: token("gateway"),
        actor: Actor { actor_kind: token("user"), actor_id: Resource::new("staff/ines").unwrap() },
        credential: Credential {
            credential_kind: token("oidc"),
            issuer: Issuer::new("id.é/x").unwrap(),
            presented_hash_sha256: digest,
            verified_at_ms: millis(0),
            expires_at_ms: millis(10),
        },
        grants: StringSet::of(&["a", "a-b", "a.b"]).unwrap(),
    };
    let decision = PolicyDecision {
        ts_ms: millis(7),
        trace: child,
        component: token("k"),
        auth_context_envelope_sha256: hash,
        policy: PolicyRef { policy_id: token("p.1"), policy_version: token("2"), policy_sha256: digest },
        request: PolicyRequest { action: token("read"), resource: Resource::new("t/1").unwrap() },
        decision: Decision {
            result: DecisionResult::Deny,
            reason_codes: StringSet::of(&["r:1"]).unwrap(),
            obligations: StringSet::new(),
        },
    };
    let model = ModelCall {
        started_at_ms: millis(5),
        ended_at_ms: millis(90),
        trace: child,
        component: token("runner"),
        auth_context_envelope_sha256: hash,
        policy_decision_envelope_sha256: hash,
        model: ModelRef { provider: token("acme"), model: token("large-3") },
        request: blob("text/plain", 1),
        response: blob("!/+", 0),
        outcome: Outcome { status: token("ok") },
        usage: Some(Usage { input_tokens: int(10), output_tokens: int(0), total_tokens: int(100) }),
    };
    let tool = ToolCall {
        started_at_ms: millis(5),
        ended_at_ms: millis(1_000_000),
        trace: child,
        component: token("fs"),
        auth_context_envelope_sha256: hash,
        policy_decision_envelope_sha256: hash,
        tool: ToolRef { adapter_id: token("files"), tool_name: token("read_file") },
        request: blob("a/b", 12),
        response: blob("a/b", 345),
        outcome: Outcome { status: token("error") },
    };
    vec![context.into(), decision.into(), model.into(), tool.into()]
}

/// The samples with one word after the other at a limit of its rule.
pub(super) fn extreme_envelopes() -> Vec<Envelope> {
    let mut all = samples();
    let tokens: Vec<Token> = LENGTHS.iter().map(|length| Token::new(&"0".repeat(*length)).unwrap()).collect();
    let issuers = ["a", "\u{7f}", "é", "\"", "\\", "\n", "/", "\u{2028}", "\u{ffff}"].map(str::to_owned);
    let issuers = issuers.into_iter().chain(["😀".repeat(256), "x".repeat(256), "é".repeat(256)]);
    let issuers: Vec<Issuer> = issuers.map(|text| Issuer::new(&text).unwrap()).collect();
    let many: StringSet = (0..500).map(|number| Token::new(&format!("{number}-_:.")).unwrap()).collect();
    for sample in samples() {
        match sample {
            Envelope::AuthContext(record) => {
                for issuer in &issuers {
                    let mut record = record.clone();
                    record.credential.issuer = issuer.clone();
                    all.push(record.into());
                }
                for length in [1, 22, 23, 255, 256] {
                    let mut record = record.clone();
                    record.actor.actor_id = Resource::new(&format!("a{}", "/".repeat(length - 1))).unwrap();
                    all.push(record.into());
                }
                all.push(AuthContext { grants: many.clone(), ..record.clone() }.into());
                all.push(AuthContext { grants: StringSet::new(), ..record.clone() }.into());
                all.extend(
                    tokens
                        .iter()
                        .map(|token| AuthContext { component: token.clone(), ..record.clone() }.into()),
                );
                let sets = tokens.iter().map(|token| StringSet::from_iter([token.clone()]));
                all.extend(sets.map(|grants| AuthContext { grants, ..record.clone() }.into()));
            }
            Envelope::PolicyDecision(record) => {
                for result in [DecisionResult::Allow, DecisionResult::Deny] {
                    for (reason_codes, obligations) in
                        [(&many, &StringSet::new()), (&StringSet::new(), &many)]
                    {
                        let (reason_codes, obligations) = (reason_codes.clone(), obligations.clone());
                        let decision = Decision { result, reason_codes, obligations };
                        all.push(PolicyDecision { decision, ..record.clone() }.into());
                    }
                }
                for token in &tokens {
                    let mut record = record.clone();
                    record.policy.policy_version = token.clone();
                    record.request.action = token.clone();
                    all.push(record.into());
                }
            }
            Envelope::ModelCall(record) => {
                all.push(ModelCall { usage: None, ..record.clone() }.into());
                for power in 0..16 {
                    for number in [10_u64.pow(power) - 1, 10_u64.pow(power), MAX_SAFE_INT - u64::from(power)]
                    {
                        let number = SafeInt::new(number).unwrap();
                        let usage =
                            Usage { input_tokens: number, output_tokens: number, total_tokens: number };
                        all.push(ModelCall { usage: Some(usage), ..record.clone() }.into());
                    }
                }
            }
            Envelope::ToolCall(record) => {
                for length in [3, 22, 23, 127, 128] {
                    let mut record = record.clone();
                    record.response.content_type =
                        ContentType::new(&format!("{}/b", "Z".repeat(length - 2))).unwrap();
                    all.push(record.into());
                }
                let outcomes = tokens.iter().map(|token| Outcome { status: token.clone() });
                all.extend(outcomes.map(|outcome| ToolCall { outcome, ..record.clone() }.into()));
            }
        }
    }
    all
}
