//! The members of a request one by one, so that what a policy sees of a question can be written down, as a key or as a
//! request that holds no more. [`mapping`](super::mapping) draws the same members, all of them.

use cedar_policy::{Context, RestrictedExpression};
use proofline_trace::{StringSet, TraceContext};

use super::mapping::MappingFault;
use super::sight::{Seen, Sight};
use crate::question::Question;

/// A member that holds a value, or one of the three entities as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    At,
    TraceId,
    SpanId,
    SpanKind,
    ParentSpanId,
    Component,
    AuthAt,
    AuthTraceId,
    AuthSpanId,
    AuthSpanKind,
    AuthParentSpanId,
    AuthComponent,
    ActorKind,
    ActorId,
    CredentialKind,
    Issuer,
    PresentedHash,
    VerifiedAt,
    ExpiresAt,
    Grants,
    PrincipalKind,
    PrincipalId,
    PrincipalGrants,
    Principal,
    Action,
    Resource,
}

/// A member with its name, or a record of them.
enum Node {
    One(Member),
    /// A record, by its number among the records.
    Record(u32, &'static [(&'static str, Node)]),
}

use Node::{One, Record};

const CONTEXT: [(&str, Node); 4] = [
    ("ts_ms", One(Member::At)),
    ("trace", Record(0, &TRACE)),
    ("component", One(Member::Component)),
    ("auth_context", Record(1, &AUTH_CONTEXT)),
];
const TRACE: [(&str, Node); 4] = [
    ("trace_id", One(Member::TraceId)),
    ("span_id", One(Member::SpanId)),
    ("span_kind", One(Member::SpanKind)),
    ("parent_span_id", One(Member::ParentSpanId)),
];
const AUTH_CONTEXT: [(&str, Node); 6] = [
    ("ts_ms", One(Member::AuthAt)),
    ("trace", Record(2, &AUTH_TRACE)),
    ("component", One(Member::AuthComponent)),
    ("actor", Record(3, &ACTOR)),
    ("credential", Record(4, &CREDENTIAL)),
    ("grants", One(Member::Grants)),
];
const AUTH_TRACE: [(&str, Node); 4] = [
    ("trace_id", One(Member::AuthTraceId)),
    ("span_id", One(Member::AuthSpanId)),
    ("span_kind", One(Member::AuthSpanKind)),
    ("parent_span_id", One(Member::AuthParentSpanId)),
];
const ACTOR: [(&str, Node); 2] = [("actor_kind", One(Member::ActorKind)), ("actor_id", One(Member::ActorId))];
const CREDENTIAL: [(&str, Node); 5] = [
    ("credential_kind", One(Member::CredentialKind)),
    ("issuer", One(Member::Issuer)),
    ("presented_hash_sha256", One(Member::PresentedHash)),
    ("verified_at_ms", One(Member::VerifiedAt)),
    ("expires_at_ms", One(Member::ExpiresAt)),
];
const PRINCIPAL: [(&str, Node); 3] = [
    ("kind", One(Member::PrincipalKind)),
    ("id", One(Member::PrincipalId)),
    ("grants", One(Member::PrincipalGrants)),
];

/// The members of the context and of the principal, in the order in which a key has them.
const VALUES: [Member; 23] = [
    Member::At,
    Member::TraceId,
    Member::SpanId,
    Member::SpanKind,
    Member::ParentSpanId,
    Member::Component,
    Member::AuthAt,
    Member::AuthTraceId,
    Member::AuthSpanId,
    Member::AuthSpanKind,
    Member::AuthParentSpanId,
    Member::AuthComponent,
    Member::ActorKind,
    Member::ActorId,
    Member::CredentialKind,
    Member::Issuer,
    Member::PresentedHash,
    Member::VerifiedAt,
    Member::ExpiresAt,
    Member::Grants,
    Member::PrincipalKind,
    Member::PrincipalId,
    Member::PrincipalGrants,
];

/// The bits of records stand behind those of members.
const RECORDS: u32 = 32;

const SUBJECTS: u64 = bit(Member::PrincipalKind)
    | bit(Member::PrincipalId)
    | bit(Member::PrincipalGrants)
    | bit(Member::Principal)
    | bit(Member::Action)
    | bit(Member::Resource);

/// A set of members.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Members(u64);

impl Members {
    /// What is seen, as far as a question has it: a name that nothing has is seen in what could have it, for the
    /// engine's errors tell what is there instead.
    pub(super) fn of(sight: &Sight) -> Self {
        let mut members = Self::default();
        members.see_record(&CONTEXT, &sight.context);
        members.see_entity(Member::Principal, &sight.principal);
        members.see_entity(Member::Action, &sight.action);
        members.see_entity(Member::Resource, &sight.resource);
        members
    }

    pub(super) const fn has(self, member: Member) -> bool {
        self.0 & bit(member) != 0
    }

    /// Whether the principal is seen otherwise than by what it is held against.
    pub(super) fn has_of_principal(self) -> bool {
        let of = [Member::PrincipalKind, Member::PrincipalId, Member::PrincipalGrants, Member::Principal];
        of.into_iter().any(|member| self.has(member))
    }

    /// Those of the principal, the action and the resource.
    pub(super) const fn of_subjects(self) -> Self {
        Self(self.0 & SUBJECTS)
    }

    /// Those of the context.
    pub(super) const fn of_context(self) -> Self {
        Self(self.0 & !SUBJECTS)
    }

    const fn add(&mut self, member: Member) {
        self.0 |= bit(member);
    }

    fn see_entity(&mut self, entity: Member, seen: &Seen) {
        let attributes: &[(&str, Node)] = if entity == Member::Principal { &PRINCIPAL } else { &[] };
        // An attribute that it has not is an error that names it.
        let is_amiss = |(name, seen): (&String, &Seen)| seen.any_whole() && find(attributes, name).is_none();
        if seen.whole || seen.members.iter().any(is_amiss) {
            self.add(entity);
            return self.see_all(attributes);
        }
        self.see_members(attributes, seen);
    }

    fn see_record(&mut self, record: &[(&str, Node)], seen: &Seen) {
        let is_amiss = |(name, seen): (&String, &Seen)| seen.any_whole() && find(record, name).is_none();
        if seen.whole || seen.members.iter().any(is_amiss) {
            return self.see_all(record);
        }
        self.see_members(record, seen);
    }

    fn see_members(&mut self, record: &[(&str, Node)], seen: &Seen) {
        for (name, seen) in &seen.members {
            match find(record, name) {
                Some(One(member)) => self.add(*member),
                Some(Record(number, members)) => {
                    self.0 |= 1 << (RECORDS + number);
                    self.see_record(members, seen);
                }
                None => {}
            }
        }
    }

    fn see_all(&mut self, record: &[(&str, Node)]) {
        for (_, node) in record {
            match node {
                One(member) => self.add(*member),
                Record(number, members) => {
                    self.0 |= 1 << (RECORDS + number);
                    self.see_all(members);
                }
            }
        }
    }

    /// Appends the values of the members of the context and of the attributes of the principal that are seen. For the
    /// same members the writing can be read back, so it is the same only where they all are.
    pub(super) fn write(self, question: &Question<'_>, key: &mut Vec<u8>) {
        let auth = question.auth_context;
        for member in VALUES.into_iter().filter(|member| self.has(*member)) {
            match member {
                Member::TraceId => key.extend_from_slice(question.trace.trace_id().as_bytes()),
                Member::SpanId => key.extend_from_slice(question.trace.span_id().as_bytes()),
                Member::AuthTraceId => key.extend_from_slice(auth.trace.trace_id().as_bytes()),
                Member::AuthSpanId => key.extend_from_slice(auth.trace.span_id().as_bytes()),
                Member::PresentedHash => {
                    key.extend_from_slice(auth.credential.presented_hash_sha256.as_bytes());
                }
                _ => value(member, question).write(key),
            }
        }
    }

    /// The context, without what is not seen.
    pub(super) fn context(self, question: &Question<'_>) -> Result<Context, MappingFault> {
        Ok(Context::from_pairs(self.record(&CONTEXT, question)?)?)
    }

    /// The attributes of the principal, without what is not seen.
    pub(super) fn of_principal(
        self,
        question: &Question<'_>,
    ) -> Result<Vec<(String, RestrictedExpression)>, MappingFault> {
        self.record(&PRINCIPAL, question)
    }

    fn record(
        self,
        record: &[(&str, Node)],
        question: &Question<'_>,
    ) -> Result<Vec<(String, RestrictedExpression)>, MappingFault> {
        let mut members = Vec::new();
        for (name, node) in record {
            let value = match node {
                One(member) if self.has(*member) => value(*member, question).expression(),
                Record(number, inner) if self.0 & 1 << (RECORDS + number) != 0 => {
                    Some(RestrictedExpression::new_record(self.record(inner, question)?)?)
                }
                _ => None,
            };
            members.extend(value.map(|value| ((*name).to_owned(), value)));
        }
        Ok(members)
    }
}

impl Seen {
    /// Whether the value itself is taken, here or below, and not only asked for.
    fn any_whole(&self) -> bool {
        self.whole || self.members.values().any(Self::any_whole)
    }
}

const fn bit(member: Member) -> u64 {
    1 << member as u32
}

fn find<'a>(record: &'a [(&str, Node)], name: &str) -> Option<&'a Node> {
    record.iter().find(|(own, _)| *own == name).map(|(_, node)| node)
}

/// The value of a member.
enum Value<'a> {
    Text(&'a str),
    Made(String),
    Number(u64),
    Set(&'a StringSet),
    Absent,
}

fn value<'a>(member: Member, question: &Question<'a>) -> Value<'a> {
    let auth = question.auth_context;
    match member {
        Member::At => Value::Number(question.ts_ms.get()),
        Member::TraceId => Value::Made(question.trace.trace_id().to_string()),
        Member::SpanId => Value::Made(question.trace.span_id().to_string()),
        Member::SpanKind => Value::Text(span_kind(question.trace)),
        Member::ParentSpanId => parent(question.trace),
        Member::Component => Value::Text(question.component.as_str()),
        Member::AuthAt => Value::Number(auth.ts_ms.get()),
        Member::AuthTraceId => Value::Made(auth.trace.trace_id().to_string()),
        Member::AuthSpanId => Value::Made(auth.trace.span_id().to_string()),
        Member::AuthSpanKind => Value::Text(span_kind(&auth.trace)),
        Member::AuthParentSpanId => parent(&auth.trace),
        Member::AuthComponent => Value::Text(auth.component.as_str()),
        Member::ActorKind | Member::PrincipalKind => Value::Text(auth.actor.actor_kind.as_str()),
        Member::ActorId | Member::PrincipalId => Value::Text(auth.actor.actor_id.as_str()),
        Member::CredentialKind => Value::Text(auth.credential.credential_kind.as_str()),
        Member::Issuer => Value::Text(auth.credential.issuer.as_str()),
        Member::PresentedHash => Value::Made(auth.credential.presented_hash_sha256.to_string()),
        Member::VerifiedAt => Value::Number(auth.credential.verified_at_ms.get()),
        Member::ExpiresAt => Value::Number(auth.credential.expires_at_ms.get()),
        Member::Grants | Member::PrincipalGrants => Value::Set(&auth.grants),
        Member::Principal | Member::Action | Member::Resource => Value::Absent,
    }
}

const fn span_kind(trace: &TraceContext) -> &'static str {
    match trace {
        TraceContext::Root { .. } => "root",
        TraceContext::Child { .. } => "child",
    }
}

fn parent(trace: &TraceContext) -> Value<'static> {
    trace.parent_span_id().map_or(Value::Absent, |parent| Value::Made(parent.to_string()))
}

impl Value<'_> {
    fn write(&self, key: &mut Vec<u8>) {
        match self {
            Self::Text(text) => write_text(text, key),
            Self::Made(text) => write_text(text, key),
            Self::Number(number) => key.extend_from_slice(&number.to_be_bytes()),
            Self::Set(texts) => {
                key.extend_from_slice(&texts.len().to_be_bytes());
                texts.iter().for_each(|text| write_text(text.as_str(), key));
            }
            // No text of a question is empty.
            Self::Absent => write_text("", key),
        }
    }

    fn expression(self) -> Option<RestrictedExpression> {
        Some(match self {
            Self::Text(text) => RestrictedExpression::new_string(text.to_owned()),
            Self::Made(text) => RestrictedExpression::new_string(text),
            // Below 2^53, which a Long holds.
            Self::Number(number) => RestrictedExpression::new_long(i64::try_from(number).unwrap_or(i64::MAX)),
            Self::Set(texts) => {
                let texts = texts.iter().map(|text| text.as_str().to_owned());
                RestrictedExpression::new_set(texts.map(RestrictedExpression::new_string))
            }
            Self::Absent => return None,
        })
    }
}

/// A text behind its length.
pub(super) fn write_text(text: &str, key: &mut Vec<u8>) {
    key.extend_from_slice(&text.len().to_be_bytes());
    key.extend_from_slice(text.as_bytes());
}
