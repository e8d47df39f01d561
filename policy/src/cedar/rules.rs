//! Rules of one's own, as Cedar statements: loads them, each held to the schema of records, and asks them about a case.
//! A rule only forbids, so a statement that applies is a breach, and so is one that cannot be evaluated.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::LazyLock;

use cedar_policy::{
    ActionConstraint, Authorizer, Context, Effect, Entities, Entity, EntityUid, Policy, PolicySet,
    PrincipalConstraint, Request, ResourceConstraint, RestrictedExpression, Schema, ValidationMode,
    Validator,
};
use proofline_trace::Severity;

use super::mapping::{self, MappingFault};
use super::rule_text;
use super::sight::{Seen, Sight};
use super::{ASKING_BYTES, CedarEngine, LINK_BYTES, fault, on_ample_stack};
use crate::rules::{Breach, CaseFacts, CaseKind, Fact, RULES_SCHEMA, Rule, RulesError};

/// Rules that were read, in the order of their ids, ready to be asked.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    places: BTreeMap<String, usize>,
    /// The rules that are asked of each kind of case.
    sets: BTreeMap<CaseKind, Asked>,
    reads_in_force: bool,
    /// The stack that an evaluation has at least, so that its answer never depends on the thread that asks.
    stack_bytes: usize,
}

/// The rules that are asked of a kind of case, and what they see of one.
#[derive(Debug, Default)]
struct Asked {
    set: PolicySet,
    sight: Sight,
    /// Whether some scope or condition holds the principal, or the resource, against an entity.
    holds_against: bool,
}

impl Asked {
    fn add(&mut self, policy: &Policy) -> Result<(), MappingFault> {
        self.sight.join(&Sight::of(policy));
        self.holds_against |= !self.sight.held_against.is_empty()
            || !matches!(policy.principal_constraint(), PrincipalConstraint::Any)
            || !matches!(policy.resource_constraint(), ResourceConstraint::Any);
        Ok(self.set.add(policy.clone())?)
    }
}

/// Expressions are dropped as deep as they are nested.
impl Drop for RuleSet {
    fn drop(&mut self) {
        let sets = mem::take(&mut self.sets);
        stacker::maybe_grow(self.stack_bytes, self.stack_bytes, || drop(sets));
    }
}

#[expect(clippy::expect_used, reason = "a fixed text; a test reads it")]
static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let (schema, _) = Schema::from_cedarschema_str(RULES_SCHEMA).expect("the schema of records");
    Validator::new(schema)
});

impl CedarEngine {
    /// Reads a file of rules, and holds each to the schema of records: whatever could only ever be an error, or never
    /// apply, is refused here.
    ///
    /// # Errors
    /// [`RulesError`]: the bytes are no such file.
    pub fn load_rules(&self, bytes: &[u8]) -> Result<RuleSet, RulesError> {
        on_ample_stack(|| RuleSet::read(bytes))
    }
}

impl RuleSet {
    fn read(bytes: &[u8]) -> Result<Self, RulesError> {
        let text = super::statements::read(bytes)?;
        if text.statements.is_empty() {
            return Err(RulesError::Empty);
        }
        let mut read = Vec::new();
        for statement in &text.statements {
            let policy = text.set.policy(&cedar_policy::PolicyId::new(&statement.id));
            let policy =
                policy.ok_or_else(|| schema_fault(&statement.id, &"it was read and is not there"))?;
            read.push((rule(policy, statement.id.clone(), statement.line)?, policy.clone()));
        }
        let lines = text.statements.iter().map(|it| (it.id.as_str(), it.line)).collect();
        rule_text::validated(&VALIDATOR.validate(&text.set, ValidationMode::Strict), &text.set, &lines)?;
        read.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
        let mut sets = BTreeMap::<CaseKind, Asked>::new();
        let mut reads_in_force = false;
        for (rule, policy) in &read {
            // As a name or inside one: `context.decision == {..., "in_force": true}` reads it as well.
            reads_in_force |= policy.to_json().is_ok_and(|json| json.to_string().contains("in_force"));
            for kind in &rule.asked_of {
                let added = sets.entry(*kind).or_default().add(policy);
                added.map_err(|error| schema_fault(&rule.id, &error))?;
            }
        }
        let rules: Vec<Rule> = read.into_iter().map(|(rule, _)| rule).collect();
        let places = rules.iter().enumerate().map(|(at, rule)| (rule.id.clone(), at)).collect();
        Ok(Self { rules, places, sets, reads_in_force, stack_bytes: ASKING_BYTES + text.links * LINK_BYTES })
    }

    /// The rules, by id.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// True when some rule asks whether a policy version was in force, which takes a look at the whole log.
    #[must_use]
    pub const fn reads_in_force(&self) -> bool {
        self.reads_in_force
    }

    /// The rules that do not hold for a case, by their place in [`RuleSet::rules`]. Those whose
    /// [`Rule::asked_of`] has not the case's kind are not asked.
    #[must_use]
    pub fn ask(&self, facts: &CaseFacts<'_>) -> Vec<Breach> {
        let Some(asked) = self.sets.get(&facts.kind) else { return Vec::new() };
        stacker::maybe_grow(self.stack_bytes, self.stack_bytes, || {
            let breaches = self.evaluate(&asked.set, facts.kind, seen_request(facts, asked));
            // Its message may tell of what the rules did not see.
            if breaches.iter().all(|breach| breach.error.is_none()) {
                return breaches;
            }
            self.evaluate(&asked.set, facts.kind, request(facts))
        })
    }

    fn evaluate(
        &self,
        set: &PolicySet,
        kind: CaseKind,
        mapped: Result<(Request, Entities), MappingFault>,
    ) -> Vec<Breach> {
        let (request, entities) = match mapped {
            Ok(mapped) => mapped,
            // A fault of the program, and no reason to let anything pass.
            Err(fault) => return self.all_failed(kind, &fault.to_string()),
        };
        let response = Authorizer::new().is_authorized(&request, set, &entities);
        let place = |id: &str| self.places.get(id).copied();
        // No rule permits, so those that decide are the forbids that apply.
        let applied = response.diagnostics().reason().filter_map(|id| place(id.as_ref()));
        let mut breaches: Vec<Breach> = applied.map(|rule| Breach { rule, error: None }).collect();
        let errors = response.diagnostics().errors().map(fault);
        breaches
            .extend(errors.filter_map(|it| Some(Breach { rule: place(&it.id)?, error: Some(it.message) })));
        breaches.sort_by_key(|breach| breach.rule);
        breaches
    }

    fn all_failed(&self, kind: CaseKind, message: &str) -> Vec<Breach> {
        let asked = self.rules.iter().enumerate().filter(|(_, rule)| rule.asked_of.contains(&kind));
        asked.map(|(rule, _)| Breach { rule, error: Some(message.to_owned()) }).collect()
    }
}

fn schema_fault(id: &str, error: &dyn std::fmt::Display) -> RulesError {
    RulesError::Schema { id: id.to_owned(), message: error.to_string(), line: None, others: 0 }
}

fn rule(policy: &Policy, id: String, line: usize) -> Result<Rule, RulesError> {
    let line = Some(line);
    if policy.effect() == Effect::Permit {
        return Err(RulesError::Permit { id, line });
    }
    let (mut severity, mut controls) = (Severity::Medium, Vec::new());
    let mut annotations: Vec<(&str, &str)> = policy.annotations().collect();
    annotations.sort_unstable();
    for (name, value) in annotations {
        match name {
            "id" | "title" | "message" => {}
            "severity" => {
                let unknown = |_| RulesError::Severity { id: id.clone(), severity: value.to_owned(), line };
                severity = value.parse().map_err(unknown)?;
            }
            _ if name == "control" || name.starts_with("control_") => controls.push(value.to_owned()),
            _ if name.starts_with("x_") => {}
            _ => return Err(RulesError::Annotation { id, name: name.to_owned(), line }),
        }
    }
    let text = |name| policy.annotation(name).map(str::to_owned);
    let (title, message) = (text("title"), text("message"));
    let asked_of = asked_of(&policy.action_constraint());
    let json = policy.to_json().map_err(|error| schema_fault(&id, &error))?;
    Ok(Rule { title, controls, severity, message, asked_of, reads: rule_text::reads(&json), id })
}

/// The kinds of case that the scope admits.
fn asked_of(scope: &ActionConstraint) -> BTreeSet<CaseKind> {
    let admits = |uid: &EntityUid, kind: CaseKind| {
        let id: &str = uid.id().as_ref();
        id == kind.as_str() || id == CALL && kind.is_call()
    };
    let is_asked = |kind: &CaseKind| match scope {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => admits(uid, *kind),
        ActionConstraint::In(uids) => uids.iter().any(|uid| admits(uid, *kind)),
    };
    CaseKind::ALL.into_iter().filter(is_asked).collect()
}

/// The group of the actions of calls.
const CALL: &str = "call";

/// Where there is no actor, and no resource: no word of the contract is empty or begins so.
const NOBODY: &str = "|";
const NOTHING: &str = "-";

/// The request that a case is: injective as a question's is, since every member stands in it as it is.
fn request(facts: &CaseFacts<'_>) -> Result<(Request, Entities), MappingFault> {
    let actor = match facts.auth_context {
        Some(auth) => mapping::actor(auth)?,
        None => Entity::new(mapping::uid(&mapping::ACTOR, NOBODY), nobody(), [].into())?,
    };
    let resource = mapping::resource(facts.resource.unwrap_or(NOTHING))?;
    let (who, what) = (actor.uid(), resource.uid());
    let Fact::Record(members) = &facts.context else { return Err("a context is a record".into()) };
    let context = Context::from_pairs(record(members)?)?;
    made(facts.kind, (who, what), context, [actor, resource])
}

/// The same without what the rules do not see.
fn seen_request(facts: &CaseFacts<'_>, asked: &Asked) -> Result<(Request, Entities), MappingFault> {
    let sight = &asked.sight;
    if asked.holds_against || sight.principal.whole || sight.action.whole || sight.resource.whole {
        return request(facts);
    }
    let id = facts.auth_context.map_or_else(
        || NOBODY.to_owned(),
        |auth| mapping::actor_id(auth.actor.actor_kind.as_str(), auth.actor.actor_id.as_str()),
    );
    let who = mapping::uid(&mapping::ACTOR, &id);
    let what = mapping::uid(&mapping::RESOURCE, facts.resource.unwrap_or(NOTHING));
    let Fact::Record(members) = &facts.context else { return Err("a context is a record".into()) };
    let context = Context::from_pairs(seen_record(members, &sight.context)?)?;
    let mut entities = Vec::new();
    if !sight.principal.members.is_empty() {
        let named = |name: &String| Some((name.clone(), facts.get(&format!("principal.{name}"))?));
        let attributes = sight.principal.members.keys().filter_map(named);
        let attributes = attributes.map(|(name, fact)| Ok((name, expression(&fact)?)));
        let attributes = attributes.collect::<Result<_, MappingFault>>()?;
        entities.push(Entity::new(who.clone(), attributes, [].into())?);
    }
    made(facts.kind, (who, what), context, entities)
}

fn made(
    kind: CaseKind,
    (who, what): (EntityUid, EntityUid),
    context: Context,
    entities: impl IntoIterator<Item = Entity>,
) -> Result<(Request, Entities), MappingFault> {
    let groups = kind.is_call().then(|| mapping::uid(&mapping::ACTION, CALL));
    let action = mapping::uid(&mapping::ACTION, kind.as_str());
    let action_entity = Entity::new_no_attrs(action.clone(), groups.into_iter().collect());
    let entities = Entities::from_entities(entities.into_iter().chain([action_entity]), None)?;
    Ok((Request::new(who, action, what, context, None)?, entities))
}

type Members = Vec<(String, RestrictedExpression)>;

fn record(members: &[(&'static str, Fact)]) -> Result<Members, MappingFault> {
    members.iter().map(|(name, value)| Ok(((*name).to_owned(), expression(value)?))).collect()
}

fn seen_record(members: &[(&'static str, Fact)], seen: &Seen) -> Result<Members, MappingFault> {
    if seen.whole {
        return record(members);
    }
    let mut given = Members::new();
    for (name, fact) in members {
        let Some(seen) = seen.members.get(*name) else { continue };
        let value = match fact {
            Fact::Record(inner) => RestrictedExpression::new_record(seen_record(inner, seen)?)?,
            other => expression(other)?,
        };
        given.push(((*name).to_owned(), value));
    }
    Ok(given)
}

fn nobody() -> std::collections::HashMap<String, RestrictedExpression> {
    let empty = || RestrictedExpression::new_string(String::new());
    [
        ("kind".to_owned(), empty()),
        ("id".to_owned(), empty()),
        ("grants".to_owned(), RestrictedExpression::new_set([])),
    ]
    .into()
}

fn expression(fact: &Fact) -> Result<RestrictedExpression, MappingFault> {
    Ok(match fact {
        Fact::Text(text) => RestrictedExpression::new_string(text.clone()),
        // Words of the contract are below 2^53, and counts are no larger than the log.
        Fact::Number(number) => RestrictedExpression::new_long(i64::try_from(*number)?),
        Fact::Truth(truth) => RestrictedExpression::new_bool(*truth),
        Fact::Set(texts) => {
            RestrictedExpression::new_set(texts.iter().cloned().map(RestrictedExpression::new_string))
        }
        Fact::Record(members) => RestrictedExpression::new_record(record(members)?)?,
    })
}

#[cfg(test)]
mod tests;
