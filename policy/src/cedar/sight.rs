//! What the conditions of a statement can see of a request: an attribute that no expression reaches cannot change what
//! it evaluates to. Whatever is no plain chain of names counts as reaching everything below it.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Policy;
use cedar_policy::pst::{BinaryOp, Clause, EntityUID, Expr, Literal, Var};

/// How much of a value is looked at. A member with nothing in it is only asked for: whether it is there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// All of it, itself and what is below.
    pub(super) whole: bool,
    /// By name, where it is a record or an entity.
    pub(super) members: BTreeMap<String, Seen>,
}

impl Seen {
    fn at<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> &mut Self {
        names.into_iter().fold(self, |seen, name| seen.members.entry(name.to_owned()).or_default())
    }

    fn join(&mut self, other: &Self) {
        self.whole |= other.whole;
        for (name, seen) in &other.members {
            self.members.entry(name.clone()).or_default().join(seen);
        }
    }
}

/// An entity that is written out, by its type and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    /// None for a type in a namespace, which nothing in a question has.
    pub(super) of: Option<String>,
    pub(super) id: String,
}

impl Named {
    fn of(uid: &EntityUID) -> Self {
        let name = &uid.ty.0;
        let of = name.namespace.is_empty().then(|| name.id.as_str().to_owned());
        Self { of, id: uid.eid.as_str().to_owned() }
    }
}

/// What is seen of a request.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Sight {
    pub(super) principal: Seen,
    pub(super) action: Seen,
    pub(super) resource: Seen,
    pub(super) context: Seen,
    /// The entities that the principal, the action or the resource is held against, by `==` or `in`: of a variable
    /// that is only held against some, no more is seen than what it equals and what it lies below.
    pub(super) held_against: BTreeSet<Named>,
}

/// A variable with names behind it.
type Path<'a> = (&'a Var, Vec<&'a str>);

impl Sight {
    /// All there is.
    pub(super) fn everything() -> Self {
        let whole = || Seen { whole: true, members: BTreeMap::new() };
        Self {
            principal: whole(),
            action: whole(),
            resource: whole(),
            context: whole(),
            held_against: BTreeSet::new(),
        }
    }

    /// What the conditions of a statement see. Deep as they are nested: the caller gives the stack.
    pub(super) fn of(policy: &Policy) -> Self {
        let mut sight = Self::default();
        if !policy.has_non_scope_constraint() {
            return sight;
        }
        let Ok(tree) = policy.to_pst() else { return Self::everything() };
        for clause in tree.body().clauses() {
            let (Clause::When(expr) | Clause::Unless(expr)) = clause;
            sight.value(expr);
        }
        sight
    }

    /// Adds what another statement sees.
    pub(super) fn join(&mut self, other: &Self) {
        self.principal.join(&other.principal);
        self.action.join(&other.action);
        self.resource.join(&other.resource);
        self.context.join(&other.context);
        self.held_against.extend(other.held_against.iter().cloned());
    }

    /// The value of an expression goes on to somewhere.
    fn value(&mut self, expr: &Expr) {
        if let Some((variable, names)) = path(expr) {
            self.seen(variable).at(names).whole = true;
            return;
        }
        match expr {
            // Entities that are written out can be looked up, and may be those of the request.
            Expr::Literal(Literal::EntityUID(_)) => self.entities(),
            Expr::Literal(Literal::Bool(_) | Literal::Long(_) | Literal::String(_)) => {}
            Expr::UnaryOp { expr, .. } | Expr::GetAttr { expr, .. } | Expr::Like { expr, .. } => {
                self.value(expr);
            }
            Expr::BinaryOp { op: BinaryOp::Eq | BinaryOp::NotEq, left, right } => self.equal(left, right),
            Expr::BinaryOp { op: BinaryOp::In, left, right } => self.within(left, right),
            Expr::BinaryOp { left, right, .. } => {
                self.value(left);
                self.value(right);
            }
            Expr::HasAttr { expr, attrs } => match path(expr) {
                Some((variable, names)) => {
                    self.seen(variable).at(names.into_iter().chain(attrs.iter().map(|name| name.as_str())));
                }
                None => self.value(expr),
            },
            // The type of a variable is always the same.
            Expr::Is { expr, in_expr, .. } => match (entity_variable(expr), in_expr) {
                (Some(_), None) => {}
                (_, Some(above)) => self.within(expr, above),
                (None, None) => self.value(expr),
            },
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                [cond, then_expr, else_expr].into_iter().for_each(|expr| self.value(expr));
            }
            Expr::Set(elements) => elements.iter().for_each(|expr| self.value(expr)),
            Expr::Record(members) => members.values().for_each(|expr| self.value(expr)),
            // What this reading does not know, a later engine's or one of partial evaluation, may see anything.
            _ => self.join(&Self::everything()),
        }
    }

    fn equal(&mut self, left: &Expr, right: &Expr) {
        let named = match (entity_variable(left), literal(right), literal(left), entity_variable(right)) {
            (Some(_), Some(named), _, _) | (_, _, Some(named), Some(_)) => named,
            _ => {
                self.value(left);
                return self.value(right);
            }
        };
        self.held_against.insert(named);
    }

    fn within(&mut self, left: &Expr, right: &Expr) {
        match (entity_variable(left), literals(right)) {
            (Some(_), Some(named)) => self.held_against.extend(named),
            _ => {
                self.value(left);
                self.value(right);
            }
        }
    }

    fn entities(&mut self) {
        for seen in [&mut self.principal, &mut self.action, &mut self.resource] {
            seen.whole = true;
        }
    }

    const fn seen(&mut self, variable: &Var) -> &mut Seen {
        match variable {
            Var::Principal => &mut self.principal,
            Var::Action => &mut self.action,
            Var::Resource => &mut self.resource,
            Var::Context => &mut self.context,
        }
    }
}

fn path(expr: &Expr) -> Option<Path<'_>> {
    match expr {
        Expr::Var(variable) => Some((variable, Vec::new())),
        Expr::GetAttr { expr, attr } => {
            let (variable, mut names) = path(expr)?;
            names.push(attr);
            Some((variable, names))
        }
        _ => None,
    }
}

fn entity_variable(expr: &Expr) -> Option<&Var> {
    match expr {
        Expr::Var(variable @ (Var::Principal | Var::Action | Var::Resource)) => Some(variable),
        _ => None,
    }
}

fn literal(expr: &Expr) -> Option<Named> {
    match expr {
        Expr::Literal(Literal::EntityUID(uid)) => Some(Named::of(uid)),
        _ => None,
    }
}

fn literals(expr: &Expr) -> Option<Vec<Named>> {
    match expr {
        Expr::Set(elements) => elements.iter().map(|element| literal(element)).collect(),
        one => Some(vec![literal(one)?]),
    }
}

#[cfg(test)]
mod tests;
