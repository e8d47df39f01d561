//! The Cedar request that a question is: total, since every word fits its place, and injective, since every member
//! of the question stands in it as it is. `docs/policy.md` draws it.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression, Schema,
};
use proofline_trace::{AuthContext, Credential, MAX_SAFE_INT, TraceContext};

use crate::question::Question;

/// Why a question has no request: a fault of the program, for every legal question has one.
pub(super) type MappingFault = Box<dyn std::error::Error + Send + Sync>;

#[expect(clippy::expect_used, reason = "fixed names; a test makes each")]
fn type_name(name: &str) -> EntityTypeName {
    name.parse().expect("an entity type")
}

pub(super) static ACTOR: LazyLock<EntityTypeName> = LazyLock::new(|| type_name("Actor"));
pub(super) static ACTOR_KIND: LazyLock<EntityTypeName> = LazyLock::new(|| type_name("ActorKind"));
pub(super) static GRANT: LazyLock<EntityTypeName> = LazyLock::new(|| type_name("Grant"));
pub(super) static ACTION: LazyLock<EntityTypeName> = LazyLock::new(|| type_name("Action"));
pub(super) static RESOURCE: LazyLock<EntityTypeName> = LazyLock::new(|| type_name("Resource"));

/// The request, and the entities that it is about.
pub(super) fn request(question: &Question<'_>) -> Result<(Request, Entities), MappingFault> {
    let actor = actor(question.auth_context)?;
    let action = action(question.request.action.as_str());
    let resource = resource(question.request.resource.as_str())?;
    let (principal, done, asked_of) = (actor.uid(), action.uid(), resource.uid());
    let entities = Entities::from_entities([actor, action, resource], None)?;
    Ok((Request::new(principal, done, asked_of, context(question)?, None)?, entities))
}

/// The actor of a context, below its kind and its grants.
pub(super) fn actor(auth: &AuthContext) -> Result<Entity, MappingFault> {
    let (kind, id) = (auth.actor.actor_kind.as_str(), auth.actor.actor_id.as_str());
    let grants = auth.grants.iter().map(|grant| uid(&GRANT, grant.as_str()));
    let above = grants.chain([uid(&ACTOR_KIND, kind)]).collect();
    let attributes = HashMap::from([
        ("kind".to_owned(), string(kind)),
        ("id".to_owned(), string(id)),
        ("grants".to_owned(), granted(auth)),
    ]);
    Ok(Entity::new(uid(&ACTOR, &actor_id(kind, id)), attributes, above)?)
}

/// `|` is in neither word, so no two actors share an id.
pub(super) fn actor_id(kind: &str, id: &str) -> String {
    [kind, "|", id].concat()
}

/// An action, below what stands before each colon.
pub(super) fn action(name: &str) -> Entity {
    Entity::new_no_attrs(uid(&ACTION, name), prefixes(&ACTION, name, ':'))
}

/// Whether a schema lets an action take the principal, the resource and the context of a request.
pub(super) fn conforms(mapped: &Request, action: &EntityUid, schema: &Schema) -> Result<(), MappingFault> {
    let (Some(principal), Some(resource)) = (mapped.principal(), mapped.resource()) else { return Ok(()) };
    let context = mapped.context().cloned().unwrap_or_else(Context::empty);
    Request::new(principal.clone(), action.clone(), resource.clone(), context, Some(schema))?;
    Ok(())
}

/// A resource, below what stands before each slash, with its numbers as tags.
pub(super) fn resource(name: &str) -> Result<Entity, MappingFault> {
    let mut tags = HashMap::new();
    for (word, number) in name.split('/').filter_map(number) {
        tags.entry(word.to_owned()).or_insert_with(|| RestrictedExpression::new_long(number));
    }
    Ok(Entity::new_with_tags(uid(&RESOURCE, name), [], prefixes(&RESOURCE, name, '/'), tags)?)
}

/// What a part of a resource such as `amount:150` says: an integer in its one decimal form.
fn number(part: &str) -> Option<(&str, i64)> {
    let (word, digits) = part.rsplit_once(':')?;
    let number: i64 = digits.parse().ok()?;
    let is_plain = number.to_string() == digits && number.unsigned_abs() <= MAX_SAFE_INT;
    (is_plain && !word.is_empty()).then_some((word, number))
}

pub(super) fn uid(of: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(id))
}

/// What a name lies below: itself, cut off before each mark.
fn prefixes(of: &EntityTypeName, name: &str, mark: char) -> HashSet<EntityUid> {
    cut_off(name, mark).map(|above| uid(of, above)).collect()
}

/// A name, cut off before each mark.
pub(super) fn cut_off(name: &str, mark: char) -> impl Iterator<Item = &str> {
    name.match_indices(mark).filter_map(|(at, _)| name.get(..at))
}

fn context(question: &Question<'_>) -> Result<Context, MappingFault> {
    let auth = question.auth_context;
    let actor = record([
        ("actor_kind", string(auth.actor.actor_kind.as_str())),
        ("actor_id", string(auth.actor.actor_id.as_str())),
    ])?;
    let auth_context = record([
        ("ts_ms", millis(auth.ts_ms.get())),
        ("trace", trace(&auth.trace)?),
        ("component", string(auth.component.as_str())),
        ("actor", actor),
        ("credential", credential(&auth.credential)?),
        ("grants", granted(auth)),
    ])?;
    let members = [
        ("ts_ms", millis(question.ts_ms.get())),
        ("trace", trace(question.trace)?),
        ("component", string(question.component.as_str())),
        ("auth_context", auth_context),
    ];
    Ok(Context::from_pairs(members.map(|(name, value)| (name.to_owned(), value)))?)
}

fn credential(it: &Credential) -> Result<RestrictedExpression, MappingFault> {
    record([
        ("credential_kind", string(it.credential_kind.as_str())),
        ("issuer", string(it.issuer.as_str())),
        ("presented_hash_sha256", string(&it.presented_hash_sha256.to_string())),
        ("verified_at_ms", millis(it.verified_at_ms.get())),
        ("expires_at_ms", millis(it.expires_at_ms.get())),
    ])
}

/// The parent is there for a child alone, and the kind tells them apart.
fn trace(it: &TraceContext) -> Result<RestrictedExpression, MappingFault> {
    let parent = it.parent_span_id();
    let kind = if parent.is_some() { "child" } else { "root" };
    let always = [
        ("trace_id", string(&it.trace_id().to_string())),
        ("span_id", string(&it.span_id().to_string())),
        ("span_kind", string(kind)),
    ];
    record(always.into_iter().chain(parent.map(|parent| ("parent_span_id", string(&parent.to_string())))))
}

fn granted(auth: &AuthContext) -> RestrictedExpression {
    RestrictedExpression::new_set(auth.grants.iter().map(|grant| string(grant.as_str())))
}

fn record(
    members: impl IntoIterator<Item = (&'static str, RestrictedExpression)>,
) -> Result<RestrictedExpression, MappingFault> {
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
    Ok(RestrictedExpression::new_record(members)?)
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

/// Below 2^53, which a Long holds.
fn millis(ms: u64) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(ms).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
