//! Notices a repeated member name as soon as it is read, whatever the size of the object.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::value::{Value, canonical_order};

/// A member of an object under construction.
pub(crate) trait Named {
    fn name(&self) -> &str;
}

impl Named for (String, Value) {
    fn name(&self) -> &str {
        &self.0
    }
}

/// What is known of the names of one object so far.
///
/// Names that only ever rise need no search, and canonical bytes come so. Otherwise few names
/// are compared one by one, and many by a table of their hashes, seeded at random, so that
/// nobody can choose names that collide.
#[derive(Default)]
pub(crate) struct Unique {
    out_of_order: bool,
    table: Option<HashTable>,
}

#[derive(Default)]
struct HashTable {
    seed: RandomState,
    /// The place of the first name with that hash.
    places: HashMap<u64, usize>,
    /// How many members are in the table.
    filled: usize,
}

impl Unique {
    /// Up to so many names, comparing them all is cheaper than hashing.
    const FEW: usize = 32;

    /// Whether `name`, about to follow these members, is the name of one of them. To be asked
    /// of each name in turn.
    pub(crate) fn repeats(&mut self, members: &[impl Named], name: &str) -> bool {
        if !self.out_of_order {
            match members.last().map(|last| canonical_order(last.name(), name)) {
                None | Some(Ordering::Less) => return false,
                Some(Ordering::Equal | Ordering::Greater) => self.out_of_order = true,
            }
        }
        if members.len() <= Self::FEW { is_among(members, name) } else { self.look_up(members, name) }
    }

    /// Whether the names came in canonical order.
    pub(crate) const fn in_order(&self) -> bool {
        !self.out_of_order
    }

    fn look_up(&mut self, members: &[impl Named], name: &str) -> bool {
        let table = self.table.get_or_insert_default();
        for (place, member) in members.iter().enumerate().skip(table.filled) {
            table.places.entry(table.seed.hash_one(member.name())).or_insert(place);
        }
        table.filled = members.len();
        match table.places.get(&table.seed.hash_one(name)) {
            None => false,
            // Two names of the same 64 bits are a matter of luck; then all are compared.
            Some(place) => {
                members.get(*place).is_some_and(|member| member.name() == name) || is_among(members, name)
            }
        }
    }
}

fn is_among(members: &[impl Named], name: &str) -> bool {
    members.iter().any(|member| member.name() == name)
}

#[cfg(test)]
mod tests {
    use super::Unique;
    use crate::value::Value;

    /// Feeds the names in turn and says which are reported; a reported one is not kept.
    fn reported(names: &[String]) -> Vec<usize> {
        let (mut unique, mut members) = (Unique::default(), Vec::new());
        let mut found = Vec::new();
        for (place, name) in names.iter().enumerate() {
            if unique.repeats(&members, name) {
                found.push(place);
            } else {
                members.push((name.clone(), Value::Null));
            }
        }
        found
    }

    #[test]
    fn repetitions_are_found_in_order_out_of_order_and_past_the_table() {
        let rising: Vec<String> = (0..100).map(|i| format!("{i:03}")).collect();
        let falling: Vec<String> = rising.iter().rev().cloned().collect();
        for names in [rising, falling] {
            assert_eq!(reported(&names), Vec::<usize>::new());
            for place in [0, 1, 31, 32, 33, 50, 99] {
                let mut again = names.clone();
                again.push(names[place].clone());
                again.push("new".to_owned());
                again.push("new".to_owned());
                assert_eq!(reported(&again), [100, 102], "{place}");
            }
        }
    }
}
