//! That the mapping is total, injective, and what docs/policy.md draws: over real Cedar values, with words from
//! alphabets so small that questions meet, and with texts that look like Cedar.

use std::collections::BTreeSet;

use cedar_policy::{Schema, SchemaFragment};
use proofline_canon::Sha256Digest;
use proofline_trace::{Actor, Issuer, Millis, PolicyRequest, Resource, SpanId, StringSet, Token, TraceId};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::cedar::schema::CEDAR_SCHEMA;

/// A question that owns what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    auth_context: AuthContext,
    request: PolicyRequest,
    trace: TraceContext,
    component: Token,
    ts_ms: Millis,
}

impl Asked {
    fn question(&self) -> Question<'_> {
        Question {
            auth_context: &self.auth_context,
            request: &self.request,
            trace: &self.trace,
            component: &self.component,
            ts_ms: self.ts_ms,
        }
    }

    /// Every legal question maps.
    fn mapped(&self) -> Mapped {
        let (request, entities) = request(&self.question()).expect("every question maps");
        Mapped {
            principal: request.principal().expect("a principal").clone(),
            action: request.action().expect("an action").clone(),
            resource: request.resource().expect("a resource").clone(),
            context: request.context().expect("a context").to_json_value().expect("plain values"),
            entities,
            request,
        }
    }
}

struct Mapped {
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    context: Value,
    entities: Entities,
    request: Request,
}

impl PartialEq for Mapped {
    fn eq(&self, other: &Self) -> bool {
        let named = |it: &Self| (it.principal.clone(), it.action.clone(), it.resource.clone());
        named(self) == named(other) && self.context == other.context && self.entities.deep_eq(&other.entities)
    }
}

/// The members of a question, one by one: each is given what the other question has there.
const MEMBERS: [fn(&mut Asked, &Asked); 18] = [
    |it, other| it.ts_ms = other.ts_ms,
    |it, other| it.trace = other.trace,
    |it, other| it.component = other.component.clone(),
    |it, other| it.request.action = other.request.action.clone(),
    |it, other| it.request.resource = other.request.resource.clone(),
    |it, other| it.auth_context.ts_ms = other.auth_context.ts_ms,
    |it, other| it.auth_context.trace = other.auth_context.trace,
    |it, other| it.auth_context.component = other.auth_context.component.clone(),
    |it, other| it.auth_context.actor.actor_kind = other.auth_context.actor.actor_kind.clone(),
    |it, other| it.auth_context.actor.actor_id = other.auth_context.actor.actor_id.clone(),
    |it, other| it.auth_context.grants = other.auth_context.grants.clone(),
    |it, other| {
        it.auth_context.credential.credential_kind = other.auth_context.credential.credential_kind.clone()
    },
    |it, other| it.auth_context.credential.issuer = other.auth_context.credential.issuer.clone(),
    |it, other| {
        it.auth_context.credential.presented_hash_sha256 =
            other.auth_context.credential.presented_hash_sha256;
    },
    |it, other| it.auth_context.credential.verified_at_ms = other.auth_context.credential.verified_at_ms,
    |it, other| it.auth_context.credential.expires_at_ms = other.auth_context.credential.expires_at_ms,
    |it, other| it.trace = with_kind_of(&it.trace, &other.trace),
    |it, other| it.auth_context.trace = with_kind_of(&it.auth_context.trace, &other.auth_context.trace),
];

/// The same span, as a root or a child as the other is.
fn with_kind_of(it: &TraceContext, other: &TraceContext) -> TraceContext {
    let (trace_id, span_id) = (it.trace_id(), it.span_id());
    match other.parent_span_id() {
        None => TraceContext::Root { trace_id, span_id },
        Some(parent_span_id) => TraceContext::Child { trace_id, span_id, parent_span_id },
    }
}

fn token() -> impl Strategy<Value = Token> {
    "[a0][a:._\\-0]{0,3}|[a-z0-9][a-z0-9_\\-:.]{0,127}".prop_map(|text| Token::new(&text).expect("a token"))
}

fn resource() -> impl Strategy<Value = Resource> {
    "[a0][a:/.]{0,4}|[a-z0-9][a-z0-9_\\-:./]{0,255}"
        .prop_map(|text| Resource::new(&text).expect("a resource"))
}

/// Texts that would be another thing where somebody pastes them together.
const HOSTILE: [&str; 10] = [
    "\"",
    "Actor::\"root\"",
    "a\" || true || \"",
    "{\"__entity\":{\"type\":\"Actor\",\"id\":\"root\"}}",
    "__entity",
    "__extn",
    "\0",
    "a\nb\r\u{2028}",
    "e\u{301}",
    "\u{e9}",
];

fn issuer() -> impl Strategy<Value = Issuer> {
    let any_text = proptest::collection::vec(any::<char>(), 1..=256).prop_map(String::from_iter);
    let text = prop_oneof![any_text, "[ab]", proptest::sample::select(&HOSTILE[..]).prop_map(str::to_owned)];
    text.prop_map(|text| Issuer::new(&text).expect("an issuer"))
}

fn millis() -> impl Strategy<Value = Millis> {
    let number = prop_oneof![0..3_u64, 0..=9_007_199_254_740_991_u64, Just(9_007_199_254_740_991)];
    number.prop_map(|number| Millis::new(number).expect("a time"))
}

fn trace() -> impl Strategy<Value = TraceContext> {
    (1..3_u8, 1..3_u8, 0..3_u8).prop_map(|(trace, span, parent)| {
        let trace_id = TraceId::from_bytes([trace; 16]).expect("a trace id");
        let [span_id, parent_span_id] =
            [span, parent.max(1)].map(|it| SpanId::from_bytes([it; 8]).expect("a span id"));
        match parent {
            0 => TraceContext::Root { trace_id, span_id },
            _ => TraceContext::Child { trace_id, span_id, parent_span_id },
        }
    })
}

fn credential() -> impl Strategy<Value = Credential> {
    (token(), issuer(), 0..2_u8, millis(), millis()).prop_map(|(kind, issuer, hash, verified, expires)| {
        Credential {
            credential_kind: kind,
            issuer,
            presented_hash_sha256: Sha256Digest::from_bytes([hash; 32]),
            verified_at_ms: verified,
            expires_at_ms: expires,
        }
    })
}

fn auth_context() -> impl Strategy<Value = AuthContext> {
    let actor = (token(), resource()).prop_map(|(actor_kind, actor_id)| Actor { actor_kind, actor_id });
    let grants = proptest::collection::vec(token(), 0..4).prop_map(StringSet::from_iter);
    (millis(), trace(), token(), actor, credential(), grants).prop_map(
        |(ts_ms, trace, component, actor, credential, grants)| AuthContext {
            ts_ms,
            trace,
            component,
            actor,
            credential,
            grants,
        },
    )
}

fn asked() -> impl Strategy<Value = Asked> {
    let request = (token(), resource()).prop_map(|(action, resource)| PolicyRequest { action, resource });
    (auth_context(), request, trace(), token(), millis()).prop_map(
        |(auth_context, request, trace, component, ts_ms)| Asked {
            auth_context,
            request,
            trace,
            component,
            ts_ms,
        },
    )
}

/// The context that docs/policy.md draws, by another way: as JSON.
fn drawn(asked: &Asked) -> Value {
    let trace = |it: &TraceContext| {
        let mut drawn = json!({"trace_id": it.trace_id().to_string(), "span_id": it.span_id().to_string(), "span_kind": "root"});
        if let TraceContext::Child { parent_span_id, .. } = it {
            drawn["span_kind"] = json!("child");
            drawn["parent_span_id"] = json!(parent_span_id.to_string());
        }
        drawn
    };
    let (auth, credential) = (&asked.auth_context, &asked.auth_context.credential);
    json!({
        "ts_ms": asked.ts_ms.get(), "trace": trace(&asked.trace), "component": asked.component.as_str(),
        "auth_context": {
            "ts_ms": auth.ts_ms.get(), "trace": trace(&auth.trace), "component": auth.component.as_str(),
            "actor": {"actor_kind": auth.actor.actor_kind.as_str(), "actor_id": auth.actor.actor_id.as_str()},
            "credential": {
                "credential_kind": credential.credential_kind.as_str(), "issuer": credential.issuer.as_str(),
                "presented_hash_sha256": credential.presented_hash_sha256.to_string(),
                "verified_at_ms": credential.verified_at_ms.get(), "expires_at_ms": credential.expires_at_ms.get(),
            },
            "grants": auth.grants.iter().map(Token::as_str).collect::<Vec<_>>(),
        },
    })
}

/// What stands before each mark, by splitting and joining again.
fn above(of: &str, name: &str, mark: char) -> BTreeSet<(String, String)> {
    let parts: Vec<&str> = name.split(mark).collect();
    let ends = 1..parts.len();
    ends.map(|end| (of.to_owned(), parts[..end].join(&mark.to_string()))).collect()
}

fn told(uid: &EntityUid) -> (String, String) {
    (uid.type_name().to_string(), uid.id().unescaped().to_owned())
}

fn ancestors(mapped: &Mapped, uid: &EntityUid) -> BTreeSet<(String, String)> {
    mapped.entities.ancestors(uid).expect("in the store").map(told).collect()
}

/// Sets have no order in Cedar; its JSON has some.
fn sorted(mut context: Value) -> Value {
    let grants = context["auth_context"]["grants"].as_array_mut().expect("a list");
    grants.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    context
}

proptest! {
    /// Over all legal words, hostile ones among them.
    #[test]
    fn a_question_is_the_request_that_the_page_draws(asked in asked()) {
        let mapped = asked.mapped();
        let (kind, id) = (asked.auth_context.actor.actor_kind.as_str(), asked.auth_context.actor.actor_id.as_str());
        let (action, resource) = (asked.request.action.as_str(), asked.request.resource.as_str());
        prop_assert_eq!(told(&mapped.principal), ("Actor".to_owned(), format!("{kind}|{id}")));
        prop_assert_eq!(told(&mapped.action), ("Action".to_owned(), action.to_owned()));
        prop_assert_eq!(told(&mapped.resource), ("Resource".to_owned(), resource.to_owned()));
        prop_assert_eq!(sorted(mapped.context.clone()), drawn(&asked));
        let grants = asked.auth_context.grants.iter().map(|grant| ("Grant".to_owned(), grant.to_string()));
        let around = grants.chain([("ActorKind".to_owned(), kind.to_owned())]).collect();
        prop_assert_eq!(ancestors(&mapped, &mapped.principal), around);
        prop_assert_eq!(ancestors(&mapped, &mapped.action), above("Action", action, ':'));
        prop_assert_eq!(ancestors(&mapped, &mapped.resource), above("Resource", resource, '/'));
        prop_assert_eq!(mapped.entities.iter().count(), 3);
    }

    #[test]
    fn equal_questions_are_equal_requests(asked in asked()) {
        prop_assert!(asked.mapped() == asked.clone().mapped());
    }

    /// Each member for itself tells two questions apart.
    #[test]
    fn a_question_that_differs_in_one_member_is_another_request(asked in asked(), other in asked()) {
        let mapped = asked.mapped();
        for (at, exchange) in MEMBERS.iter().enumerate() {
            let mut changed = asked.clone();
            exchange(&mut changed, &other);
            prop_assert_eq!(changed.mapped() == mapped, changed == asked, "member {}", at);
        }
        prop_assert_eq!(other.mapped() == mapped, other == asked);
    }

    /// The kind and the id of an actor cannot trade a character.
    #[test]
    fn two_actors_never_share_a_principal(a in (token(), resource()), b in (token(), resource()), asked in asked()) {
        let named = |(kind, id): &(Token, Resource)| {
            let mut asked = asked.clone();
            asked.auth_context.actor = Actor { actor_kind: kind.clone(), actor_id: id.clone() };
            asked.mapped().principal
        };
        prop_assert_eq!(named(&a) == named(&b), a == b);
    }

    #[test]
    fn every_request_conforms_to_the_shipped_schema(asked in asked()) {
        let own = format!(
            "action {:?} appliesTo {{ principal: Actor, resource: Resource, context: Question }};",
            asked.request.action.as_str()
        );
        let fragments = [CEDAR_SCHEMA, &own].map(|text| SchemaFragment::from_cedarschema_str(text).unwrap().0);
        let schema = Schema::from_schema_fragments(fragments).unwrap();
        let mapped = asked.mapped();
        let (principal, action, resource) = (mapped.principal.clone(), mapped.action, mapped.resource.clone());
        let context = mapped.request.context().unwrap().clone();
        let checked = Request::new(principal, action.clone(), resource, context, Some(&schema));
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
        // Actions belong to the schema; what else is in the store is checked against it.
        let others = mapped.entities.iter().filter(|entity| entity.uid() != action).cloned();
        let checked = Entities::from_entities(others, Some(&schema));
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }
}

#[test]
fn hostile_issuers_stay_what_they_are() {
    let sample = &crate::cedar::samples::samples()[0];
    for text in HOSTILE {
        let mut auth_context = sample.question().auth_context.clone();
        auth_context.credential.issuer = Issuer::new(text).unwrap();
        let question = Question { auth_context: &auth_context, ..sample.question() };
        let context = request(&question).unwrap().0.context().unwrap().to_json_value().unwrap();
        assert_eq!(context["auth_context"]["credential"]["issuer"], *text);
    }
}

#[test]
fn numbers_of_a_resource_are_tags() {
    let tag = |resource: &str, word: &str| {
        let entity = super::resource(resource).expect("a resource");
        entity.tag(word).map(|value| value.expect("a value").to_string())
    };
    let cases = [
        ("tool/pay/amount:150", Some("150")),
        ("amount:0/x", Some("0")),
        ("x/amount:-7", Some("-7")),
        ("x/amount:1/amount:2", Some("1")),
        ("x/amount:9007199254740991", Some("9007199254740991")),
        ("x/amount:9007199254740992", None),
        ("x/amount:01", None),
        ("x/amount:-0", None),
        ("x/amount:1.5", None),
        ("x/amount:", None),
        ("x/amount", None),
        ("x/of:amount:3", None),
    ];
    for (resource, expected) in cases {
        assert_eq!(tag(resource, "amount").as_deref(), expected, "{resource}");
    }
    assert_eq!(tag("x/of:amount:3", "of:amount").as_deref(), Some("3"));
    assert_eq!(tag("x/:3", ""), None);
}
