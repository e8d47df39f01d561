//! What one shard of a run comes to, in a form that adds up: counts, the damage of its stretch of the log, and sums
//! over entries by which the whole can be held against its indexes.

use proofline_canon::{Value, hex};

use super::node::Node;
use super::totals;
use crate::census::{Census, Listed, LogCensus};
use crate::form::FormError;
use crate::summary::{DAMAGE_KEPT, Summary};

/// What one shard of a run over everything comes to. Parts of all shards, added up in order, are the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub(crate) summary: Summary,
    /// Places of damage, the first ones, that every shard comes upon.
    pub(crate) shared_damage: u64,
    /// What the traces gave.
    pub(crate) given: Census,
    /// What the entries of the stretch have.
    pub(crate) log: LogCensus,
    pub(crate) listed: Listed,
}

impl Part {
    /// What the shard comes to by itself: its traces, damage of its stretch of the log and of what every shard reads.
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The same.
    #[must_use]
    pub fn into_summary(self) -> Summary {
        self.summary
    }

    /// The summary of a whole run, of which this is the one part or the sum of all.
    #[must_use]
    pub fn conclude(self) -> Summary {
        let Self { mut summary, given, log, listed, .. } = self;
        let faults = log.fault_of_traces(given).into_iter().chain(log.fault_of_hashes(&listed));
        faults.for_each(|damage| summary.keep(damage));
        summary
    }

    /// Adds the part of the next shard. False, and nothing added, where both say two things of what every shard reads.
    pub(crate) fn add(&mut self, next: Self) -> bool {
        if !self.agrees(&next) {
            return false;
        }
        let shared = usize::try_from(self.shared_damage).unwrap_or(usize::MAX);
        let mut other = next.summary;
        let own = other.damage.split_off(shared.min(other.damage.len()));
        other.damage_count = other.damage_count.saturating_sub(self.shared_damage);
        let free = DAMAGE_KEPT.saturating_sub(self.summary.damage.len());
        self.summary.damage.extend(own.into_iter().take(free));
        totals::add(&mut self.summary, other);
        self.given.add(next.given);
        self.log.add(next.log);
        self.listed.hashes.add(next.listed.hashes);
        true
    }

    fn agrees(&self, next: &Self) -> bool {
        let shared = |part: &Self| {
            let count = usize::try_from(part.shared_damage).unwrap_or(usize::MAX);
            part.summary.damage.iter().take(count).cloned().collect::<Vec<_>>()
        };
        self.shared_damage == next.shared_damage
            && shared(self) == shared(next)
            && self.summary.derived_damage == next.summary.derived_damage
            && (self.listed.in_order, self.listed.system) == (next.listed.in_order, next.listed.system)
    }

    pub(super) fn to_value(&self) -> Value {
        let log = [
            ("traces", census_value(self.log.traces)),
            ("hashes", census_value(self.log.hashes)),
            ("system", Value::from(self.log.system)),
            ("unreadable", Value::from(self.log.unreadable)),
        ];
        let indexes = [
            ("traces", census_value(self.given)),
            ("hashes", census_value(self.listed.hashes)),
            ("hashes_in_order", Value::from(self.listed.in_order)),
            ("system", Value::from(self.listed.system)),
        ];
        Value::object([
            ("summary", totals::inner_value(&self.summary)),
            ("shared_damage", Value::from(self.shared_damage)),
            ("log", Value::object(log)),
            ("indexes", Value::object(indexes)),
        ])
    }

    pub(super) fn read(node: &Node<'_>) -> Result<Self, FormError> {
        let (log, indexes) = (node.get("log")?, node.get("indexes")?);
        Ok(Self {
            summary: totals::read(&node.get("summary")?)?,
            shared_damage: node.get("shared_damage")?.count()?,
            given: census(&indexes.get("traces")?)?,
            log: LogCensus {
                traces: census(&log.get("traces")?)?,
                hashes: census(&log.get("hashes")?)?,
                system: log.get("system")?.count()?,
                unreadable: log.get("unreadable")?.count()?,
            },
            listed: Listed {
                hashes: census(&indexes.get("hashes")?)?,
                in_order: indexes.get("hashes_in_order")?.flag()?,
                system: indexes.get("system")?.count()?,
            },
        })
    }
}

fn census_value(census: Census) -> Value {
    Value::object([
        ("entries", Value::from(census.entries)),
        ("sum", Value::from(hex(&census.sum.to_be_bytes()))),
    ])
}

fn census(node: &Node<'_>) -> Result<Census, FormError> {
    Ok(Census { entries: node.get("entries")?.count()?, sum: u128::from_be_bytes(node.get("sum")?.hex()?) })
}
