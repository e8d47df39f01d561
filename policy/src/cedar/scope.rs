//! Which statements can apply to a question at all, by their scopes alone: a scope compares the principal, the action
//! and the resource with entities that are written out, never fails, and comes before every condition.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use cedar_policy::{
    ActionConstraint, EntityUid, Policy, PolicyId, PolicySet, PrincipalConstraint, ResourceConstraint,
};

use super::mapping;
use super::sight::{Named, Sight};
use crate::question::Question;

/// What an entity of a question can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EntityKind {
    Actor,
    ActorKind,
    Grant,
    Action,
    Resource,
}

impl EntityKind {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Actor, "Actor"),
        (Self::ActorKind, "ActorKind"),
        (Self::Grant, "Grant"),
        (Self::Action, "Action"),
        (Self::Resource, "Resource"),
    ];

    fn named(type_name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name)| *name == type_name).map(|(kind, _)| kind)
    }

    fn uid(self, id: &str) -> EntityUid {
        let of = match self {
            Self::Actor => &mapping::ACTOR,
            Self::ActorKind => &mapping::ACTOR_KIND,
            Self::Grant => &mapping::GRANT,
            Self::Action => &mapping::ACTION,
            Self::Resource => &mapping::RESOURCE,
        };
        mapping::uid(of, id)
    }
}

/// Entities that are written out in a text, and of a kind that a question can have.
#[derive(Debug, Default)]
pub(super) struct Literals {
    /// The place of each id, by kind.
    places: [HashMap<String, u32>; 5],
    all: Vec<(EntityKind, EntityUid)>,
}

/// A literal that a question meets, twice its place; and one more where it is an entity of the question itself and
/// not what one lies below.
pub(super) type Hit = u32;

impl Literals {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The place of a literal; none where no question has one like it.
    pub(super) fn add(&mut self, kind: EntityKind, id: &str) -> Option<u32> {
        let next = u32::try_from(self.all.len()).ok()?;
        let places = self.places.get_mut(kind as usize)?;
        if let Some(place) = places.get(id) {
            return Some(*place);
        }
        places.insert(id.to_owned(), next);
        self.all.push((kind, kind.uid(id)));
        Some(next)
    }

    pub(super) fn add_named(&mut self, named: &Named) {
        if let Some(kind) = named.of.as_deref().and_then(EntityKind::named) {
            self.add(kind, &named.id);
        }
    }

    /// The literals that a question meets, ascending.
    pub(super) fn hits(&self, question: &Question<'_>) -> Vec<Hit> {
        let mut hits = Vec::new();
        if self.is_empty() {
            return hits;
        }
        let auth = question.auth_context;
        let (kind, id) = (auth.actor.actor_kind.as_str(), auth.actor.actor_id.as_str());
        if self.has(EntityKind::Actor) {
            self.hit(EntityKind::Actor, &mapping::actor_id(kind, id), 1, &mut hits);
        }
        self.hit(EntityKind::ActorKind, kind, 0, &mut hits);
        if self.has(EntityKind::Grant) {
            auth.grants.iter().for_each(|grant| self.hit(EntityKind::Grant, grant.as_str(), 0, &mut hits));
        }
        let (action, resource) = (question.request.action.as_str(), question.request.resource.as_str());
        for (kind, name, mark) in [(EntityKind::Action, action, ':'), (EntityKind::Resource, resource, '/')] {
            if self.has(kind) {
                self.hit(kind, name, 1, &mut hits);
                mapping::cut_off(name, mark).for_each(|above| self.hit(kind, above, 0, &mut hits));
            }
        }
        hits.sort_unstable();
        hits
    }

    fn has(&self, kind: EntityKind) -> bool {
        self.places.get(kind as usize).is_some_and(|places| !places.is_empty())
    }

    fn hit(&self, kind: EntityKind, id: &str, exactly: u32, hits: &mut Vec<Hit>) {
        let place = self.places.get(kind as usize).and_then(|places| places.get(id));
        hits.extend(place.map(|place| 2 * place + exactly));
    }

    /// The entities that a question is, or lies below, by their hits.
    pub(super) fn met<'a>(
        &'a self,
        hits: &'a [Hit],
        exactly: bool,
    ) -> impl Iterator<Item = (EntityKind, &'a EntityUid)> + 'a {
        let of = hits.iter().filter(move |hit| (*hit % 2 == 1) == exactly);
        of.filter_map(|hit| self.all.get((hit / 2) as usize)).map(|(kind, uid)| (*kind, uid))
    }
}

/// What a scope asks of one variable.
#[derive(Debug)]
enum Test {
    Any,
    Never,
    /// It is the literal.
    Is(u32),
    /// It is one of the literals, or lies below one.
    Within(Vec<u32>),
}

impl Test {
    fn holds(&self, hits: &[Hit]) -> bool {
        let hit = |hit: Hit| hits.binary_search(&hit).is_ok();
        match self {
            Self::Any => true,
            Self::Never => false,
            Self::Is(place) => hit(2 * place + 1),
            Self::Within(places) => places.iter().any(|place| hit(2 * place) || hit(2 * place + 1)),
        }
    }
}

/// The scope of a statement.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) id: PolicyId,
    tests: [Test; 3],
    /// What the statement's conditions see: looked for when a question first comes to them.
    sight: OnceLock<Sight>,
}

impl Scope {
    /// What the conditions of its own statement see. Deep as they are nested: the caller gives the stack.
    pub(super) fn sight(&self, own: &Policy) -> &Sight {
        self.sight.get_or_init(|| Sight::of(own))
    }
}

/// The scopes of a text.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    pub(super) literals: Literals,
    scopes: Vec<Scope>,
}

impl Scopes {
    pub(super) fn of(set: &PolicySet) -> Self {
        let mut scopes = Self::default();
        for policy in set.policies() {
            let scope = scopes.scope(policy);
            scopes.scopes.push(scope);
        }
        scopes
    }

    fn scope(&mut self, policy: &Policy) -> Scope {
        let principal = match policy.principal_constraint() {
            PrincipalConstraint::Any => Test::Any,
            PrincipalConstraint::Eq(uid) => self.is(&uid, &[EntityKind::Actor]),
            PrincipalConstraint::In(uid) => self.within(&[uid], &PRINCIPAL),
            PrincipalConstraint::Is(of) => is_type(&of, "Actor"),
            PrincipalConstraint::IsIn(of, uid) => match is_type(&of, "Actor") {
                Test::Any => self.within(&[uid], &PRINCIPAL),
                other => other,
            },
        };
        let action = match policy.action_constraint() {
            ActionConstraint::Any => Test::Any,
            ActionConstraint::Eq(uid) => self.is(&uid, &[EntityKind::Action]),
            ActionConstraint::In(uids) => self.within(&uids, &[EntityKind::Action]),
        };
        let resource = match policy.resource_constraint() {
            ResourceConstraint::Any => Test::Any,
            ResourceConstraint::Eq(uid) => self.is(&uid, &[EntityKind::Resource]),
            ResourceConstraint::In(uid) => self.within(&[uid], &[EntityKind::Resource]),
            ResourceConstraint::Is(of) => is_type(&of, "Resource"),
            ResourceConstraint::IsIn(of, uid) => match is_type(&of, "Resource") {
                Test::Any => self.within(&[uid], &[EntityKind::Resource]),
                other => other,
            },
        };
        Scope { id: policy.id().clone(), tests: [principal, action, resource], sight: OnceLock::new() }
    }

    /// A variable meets literals of its own kinds alone: what another variable meets is nothing to it.
    fn place(&mut self, uid: &EntityUid, kinds: &[EntityKind]) -> Option<u32> {
        let kind = EntityKind::named(&uid.type_name().to_string()).filter(|kind| kinds.contains(kind))?;
        self.literals.add(kind, uid.id().unescaped())
    }

    fn is(&mut self, uid: &EntityUid, kinds: &[EntityKind]) -> Test {
        self.place(uid, kinds).map_or(Test::Never, Test::Is)
    }

    fn within(&mut self, uids: &[EntityUid], kinds: &[EntityKind]) -> Test {
        let places: BTreeSet<u32> = uids.iter().filter_map(|uid| self.place(uid, kinds)).collect();
        if places.is_empty() { Test::Never } else { Test::Within(places.into_iter().collect()) }
    }

    /// The statements whose scope admits a question.
    pub(super) fn admitting(&self, hits: &[Hit]) -> impl Iterator<Item = &Scope> {
        let admits = |scope: &&Scope| scope.tests.iter().all(|test| test.holds(hits));
        self.scopes.iter().filter(admits)
    }

    pub(super) fn len(&self) -> usize {
        self.scopes.len()
    }
}

const PRINCIPAL: [EntityKind; 3] = [EntityKind::Actor, EntityKind::ActorKind, EntityKind::Grant];

fn is_type(of: &cedar_policy::EntityTypeName, own: &str) -> Test {
    if of.to_string() == own { Test::Any } else { Test::Never }
}
