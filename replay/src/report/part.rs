//! What one shard of a run comes to, in a form that adds up: counts, the damage of its stretch of the log, and
//! whether the indexes list what that stretch has.

use proofline_canon::Value;

use super::node::Node;
use super::totals;
use crate::census::{Listed, LogCensus};
use crate::form::FormError;
use crate::summary::{DAMAGE_KEPT, Summary};

/// What one shard of a run over everything comes to. Parts of all shards, added up in order, are the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub(crate) summary: Summary,
    /// Places of damage, the first ones, that every shard comes upon.
    pub(crate) shared_damage: u64,
    /// How many entries the traces gave.
    pub(crate) given: u64,
    /// What the entries of the stretch have.
    pub(crate) log: LogCensus,
    /// What the indexes list of them.
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
        let faults = log.fault_of_traces(given).into_iter().chain(log.fault_of_hashes(listed));
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
        self.given = self.given.saturating_add(next.given);
        self.log.add(next.log);
        self.listed.add(next.listed);
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
    }

    pub(super) fn to_value(&self) -> Value {
        let log =
            [("traces", Value::from(self.log.traces)), ("unreadable", Value::from(self.log.unreadable))];
        let indexes = [
            ("traces", Value::from(self.given)),
            ("hashes", Value::from(self.listed.hashes)),
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
            given: indexes.get("traces")?.count()?,
            log: LogCensus {
                traces: log.get("traces")?.count()?,
                unreadable: log.get("unreadable")?.count()?,
            },
            listed: Listed {
                hashes: indexes.get("hashes")?.flag()?,
                in_order: indexes.get("hashes_in_order")?.flag()?,
                system: indexes.get("system")?.flag()?,
            },
        })
    }
}
