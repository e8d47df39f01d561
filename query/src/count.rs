//! How many entries fit, by what fields say of them.

use std::collections::HashMap;

use proofline_ledger::Snapshot;

use crate::cell::Datum;
use crate::field::Field;
use crate::plan::Plan;
use crate::run::{Cost, Event, QueryError, Question, answer};

/// One group: what its entries say, and how many they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// A value of each field.
    pub key: Vec<Datum>,
    /// How many entries have these.
    pub count: u64,
}

/// Counts the entries that fit by fields: the largest group first, groups of a size by their keys. Events that are no
/// answers go to `take`.
///
/// # Errors
/// [`QueryError::TooManyGroups`] for more than `most` groups, which are all in memory; else as [`answer`].
pub fn count_by<E: From<QueryError>>(
    snapshot: &Snapshot,
    question: &Question,
    fields: &[Field],
    most: usize,
    take: &mut dyn FnMut(Event<std::convert::Infallible>) -> Result<(), E>,
) -> Result<(Vec<Group>, Plan, Cost), E> {
    let reads_chains = question.reads_chains || fields.iter().any(Field::is_of_chain);
    let question = Question { reads_chains, ..question.clone() };
    let mut groups: HashMap<Vec<Datum>, u64> = HashMap::new();
    let (plan, cost) = answer::<Vec<Datum>, E>(
        snapshot,
        &question,
        &|hit| fields.iter().map(|field| hit.value(field)).collect(),
        &mut |event| match event {
            Event::Answer(key) => {
                *groups.entry(key).or_default() += 1;
                if groups.len() > most { Err(QueryError::TooManyGroups(most).into()) } else { Ok(()) }
            }
            Event::Undecided(why) => take(Event::Undecided(why)),
            Event::Damaged(damage) => take(Event::Damaged(damage)),
        },
    )?;
    let mut groups: Vec<Group> = groups.into_iter().map(|(key, count)| Group { key, count }).collect();
    groups.sort_unstable_by(|one, other| other.count.cmp(&one.count).then_with(|| one.key.cmp(&other.key)));
    Ok((groups, plan, cost))
}
