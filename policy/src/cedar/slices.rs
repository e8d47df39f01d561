//! A policy by slices: the statements whose scopes admit a question, and what they see of it. Questions that meet the
//! same entities of the scopes share a slice, so it is made once and kept while there is room.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cedar_policy::{Authorizer, Entities, Entity, EntityUid, PolicySet, Request, Response};

use super::mapping::{self, MappingFault};
use super::scope::{EntityKind, Hit, Literals, Scopes};
use super::shape::{Member, Members, write_text};
use super::sight::Sight;
use crate::question::Question;

/// Some statements of a policy.
#[derive(Debug)]
pub(super) struct Slice {
    set: PolicySet,
    /// What their conditions see.
    members: Members,
    /// What their conditions hold the principal, the action and the resource against.
    literals: Literals,
    /// All but the context, where these statements tell none of the questions apart that share the slice.
    shared: Option<Arc<Subjects>>,
    /// Where they do, those of the question before, with what was seen of them: one actor often asks again.
    latest: Mutex<Option<(Vec<u8>, Arc<Subjects>)>>,
}

/// Who asks to do what to what.
#[derive(Debug, Clone)]
struct Subjects {
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    entities: Entities,
}

impl Slice {
    fn of(
        whole: &PolicySet,
        scopes: &Scopes,
        hits: &[Hit],
        question: &Question<'_>,
    ) -> Result<Self, MappingFault> {
        let (mut set, mut sight, mut literals) = (PolicySet::new(), Sight::default(), Literals::default());
        for scope in scopes.admitting(hits) {
            let policy = whole.policy(&scope.id).ok_or("a statement that was read is not there")?;
            sight.join(scope.sight(policy));
            set.add(policy.clone())?;
        }
        sight.held_against.iter().for_each(|named| literals.add_named(named));
        let members = Members::of(&sight);
        let mut slice = Self { set, members, literals, shared: None, latest: Mutex::default() };
        let tells_apart = [Member::Action, Member::Resource].into_iter().any(|member| members.has(member))
            || members.has_of_principal()
            || !slice.literals.is_empty();
        if !tells_apart {
            slice.shared = Some(Arc::new(slice.made(scopes, hits, question)?));
        }
        Ok(slice)
    }

    /// Appends what the statements see of a question: where it is the same, so is their answer.
    fn write(&self, question: &Question<'_>, view: &mut Vec<u8>) {
        self.write_subjects(question, view);
        self.members.of_context().write(question, view);
    }

    /// The same of the principal, the action and the resource alone.
    fn write_subjects(&self, question: &Question<'_>, view: &mut Vec<u8>) {
        self.literals.hits(question).iter().for_each(|hit| view.extend_from_slice(&hit.to_be_bytes()));
        // No hit: literals are fewer.
        view.extend_from_slice(&Hit::MAX.to_be_bytes());
        let asked = question.request;
        for (member, text) in
            [(Member::Action, asked.action.as_str()), (Member::Resource, asked.resource.as_str())]
        {
            if self.members.has(member) {
                write_text(text, view);
            }
        }
        self.members.of_subjects().write(question, view);
    }

    /// The principal, the action and the resource, as far as the statements see them.
    fn subjects(
        &self,
        scopes: &Scopes,
        hits: &[Hit],
        question: &Question<'_>,
    ) -> Result<Arc<Subjects>, MappingFault> {
        if let Some(shared) = &self.shared {
            return Ok(Arc::clone(shared));
        }
        let mut seen = Vec::with_capacity(128);
        self.write_subjects(question, &mut seen);
        let latest = || self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, subjects)) = &*latest()
            && *of == seen
        {
            return Ok(Arc::clone(subjects));
        }
        let made = Arc::new(self.made(scopes, hits, question)?);
        *latest() = Some((seen, Arc::clone(&made)));
        Ok(made)
    }

    /// What Cedar says of a request that holds what the statements see and no more. None where a statement fails, for
    /// its message may tell of more.
    fn ask(
        &self,
        scopes: &Scopes,
        hits: &[Hit],
        question: &Question<'_>,
    ) -> Result<Option<Response>, MappingFault> {
        let context = self.members.context(question)?;
        let subjects = self.subjects(scopes, hits, question)?;
        let Subjects { principal, action, resource, entities } = &*subjects;
        let request = Request::new(principal.clone(), action.clone(), resource.clone(), context, None)?;
        let response = Authorizer::new().is_authorized(&request, &self.set, entities);
        let fails = response.diagnostics().errors().next().is_some();
        Ok((!fails).then_some(response))
    }

    /// The entities of a question below those alone that something is held against, unless they are seen as a whole.
    fn made(&self, scopes: &Scopes, hits: &[Hit], question: &Question<'_>) -> Result<Subjects, MappingFault> {
        let own_hits = self.literals.hits(question);
        let met = || scopes.literals.met(hits, false).chain(self.literals.met(&own_hits, false));
        let above = |kinds: &[EntityKind]| -> HashSet<EntityUid> {
            met().filter(|(kind, _)| kinds.contains(kind)).map(|(_, uid)| uid.clone()).collect()
        };
        let principal = if self.members.has(Member::Principal) {
            mapping::actor(question.auth_context)?
        } else {
            let actor = &question.auth_context.actor;
            let id = mapping::actor_id(actor.actor_kind.as_str(), actor.actor_id.as_str());
            let attributes = self.members.of_principal(question)?.into_iter().collect();
            let above = above(&[EntityKind::ActorKind, EntityKind::Grant]);
            Entity::new(mapping::uid(&mapping::ACTOR, &id), attributes, above)?
        };
        let action = if self.members.has(Member::Action) {
            mapping::action(question.request.action.as_str())
        } else {
            let uid = mapping::uid(&mapping::ACTION, question.request.action.as_str());
            Entity::new_no_attrs(uid, above(&[EntityKind::Action]))
        };
        let resource = if self.members.has(Member::Resource) {
            mapping::resource(question.request.resource.as_str())?
        } else {
            let uid = mapping::uid(&mapping::RESOURCE, question.request.resource.as_str());
            Entity::new_no_attrs(uid, above(&[EntityKind::Resource]))
        };
        Ok(Subjects {
            principal: principal.uid(),
            action: action.uid(),
            resource: resource.uid(),
            entities: Entities::from_entities([principal, action, resource], None)?,
        })
    }
}

/// The slices of a policy.
#[derive(Debug)]
pub(super) struct Slices {
    scopes: Scopes,
    kept: RwLock<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    slices: HashMap<Vec<Hit>, Arc<Slice>>,
    /// A slice counts its statements, and one more.
    statements: usize,
}

impl Slices {
    pub(super) fn of(set: &PolicySet) -> Self {
        Self { scopes: Scopes::of(set), kept: RwLock::default() }
    }

    /// All slices together have no more statements than this many.
    fn room(&self) -> usize {
        64 + 4 * self.scopes.len()
    }

    /// Appends all that the answer to a question depends on.
    pub(super) fn write_view(
        &self,
        whole: &PolicySet,
        question: &Question<'_>,
        view: &mut Vec<u8>,
    ) -> Result<(), MappingFault> {
        let hits = self.scopes.literals.hits(question);
        let slice = self.slice(whole, &hits, question)?;
        hits.iter().for_each(|hit| view.extend_from_slice(&hit.to_be_bytes()));
        view.extend_from_slice(&Hit::MAX.to_be_bytes());
        slice.write(question, view);
        Ok(())
    }

    /// What Cedar says of a question, if no statement fails, and the statements that can apply.
    pub(super) fn ask(
        &self,
        whole: &PolicySet,
        question: &Question<'_>,
    ) -> Result<(Arc<Slice>, Option<Response>), MappingFault> {
        let hits = self.scopes.literals.hits(question);
        let slice = self.slice(whole, &hits, question)?;
        let response = slice.ask(&self.scopes, &hits, question)?;
        Ok((slice, response))
    }

    fn slice(
        &self,
        whole: &PolicySet,
        hits: &[Hit],
        question: &Question<'_>,
    ) -> Result<Arc<Slice>, MappingFault> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(slice) = kept.slices.get(hits) {
            return Ok(Arc::clone(slice));
        }
        drop(kept);
        let slice = Arc::new(super::on_ample_stack(|| Slice::of(whole, &self.scopes, hits, question))?);
        let statements = slice.set.num_of_policies() + 1;
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if kept.statements + statements > self.room() {
            *kept = Kept::default();
        }
        if kept.slices.insert(hits.to_vec(), Arc::clone(&slice)).is_none() {
            kept.statements += statements;
        }
        Ok(slice)
    }
}

impl Slice {
    pub(super) const fn set(&self) -> &PolicySet {
        &self.set
    }
}
