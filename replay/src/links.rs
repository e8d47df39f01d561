//! The links of a trace's entries: with the entries of the log right before and after each, and
//! from one entry of the trace to the next.

use std::collections::{BTreeMap, BTreeSet};

use proofline_ledger::{Damage, Seq, Snapshot};
use proofline_trace::{Failure, FailureClass, TraceId};
use rayon::prelude::*;

use crate::chain::{TraceEntry, TraceLog};
use crate::check::{Check, Subject};
use crate::error::ReplayError;
use crate::reading::{LinkFacts, LinkFault, read_facts};

/// Neighbours that a thread reads at a stretch.
const ENTRIES_PER_TASK: usize = 32;

/// Entries with something wrong that a run keeps in mind; with more it looks at every link again.
const SUSPECTS_KEPT: usize = 1 << 16;

/// What a check of entries one after the other leaves for those who would look at their links again.
#[derive(Debug, Default)]
pub(crate) struct LinkLook {
    /// Entries that cannot be read, or that do not go with the one before.
    suspects: BTreeSet<Seq>,
    is_full: bool,
    /// Leaf hashes of the entries that name a trace, added up: who reads them again can tell that
    /// they are the same.
    leaves: u128,
}

impl LinkLook {
    pub(crate) fn suspect(&mut self, seq: Seq) {
        self.is_full |= self.suspects.len() >= SUSPECTS_KEPT;
        if !self.is_full {
            self.suspects.insert(seq);
        }
    }

    pub(crate) fn count(&mut self, facts: &LinkFacts) {
        let term = facts.leaf.as_bytes().first_chunk().map_or(0, |bytes| u128::from_le_bytes(*bytes));
        self.leaves = self.leaves.wrapping_add(term);
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.is_full |= other.is_full;
        other.suspects.into_iter().for_each(|seq| self.suspect(seq));
        self.leaves = self.leaves.wrapping_add(other.leaves);
    }

    /// Whether both counted the same entries.
    pub(crate) const fn counted_as(&self, other: &Self) -> bool {
        self.leaves == other.leaves
    }

    /// Whether every link from and to the entries of a trace was seen to hold, where every entry of the
    /// log was looked at.
    fn vouches_for(&self, log: &TraceLog) -> bool {
        let is_near = |entry: &TraceEntry| {
            let seq = entry.facts.seq;
            let before = Seq::new(seq.get().saturating_sub(1));
            self.suspects.range(before..=seq.next()).next().is_some()
        };
        !self.is_full && (self.suspects.is_empty() || !log.entries.iter().any(is_near))
    }
}

/// A link that does not hold, and the damage of the log that this is.
#[derive(Debug)]
pub(crate) struct BrokenLink {
    pub(crate) failure: Failure,
    pub(crate) damage: Option<Damage>,
}

/// The first link that does not hold, in ledger order; per entry: to the one before, to the one
/// after, within the trace. What was looked at in this run already is not read again.
pub(crate) fn check(
    snapshot: &Snapshot,
    look: Option<&LinkLook>,
    trace_id: TraceId,
    log: &TraceLog,
) -> Result<Option<BrokenLink>, ReplayError> {
    let is_vouched = look.is_some_and(|look| look.vouches_for(log));
    let neighbours = if is_vouched { Neighbours::new() } else { neighbours(snapshot, log)? };
    let links = Links { snapshot, trace_id, log, is_vouched, neighbours };
    let mut accepted = BTreeMap::new();
    let mut previous = None;
    for (count, entry) in (1..).zip(&log.entries) {
        let broken = links
            .before(entry)
            .or_else(|| links.after(entry))
            .or_else(|| links.within_trace(entry, previous, count));
        if broken.is_some() {
            return Ok(broken);
        }
        if let Some(record) = entry.record.as_ref().filter(|record| record.is_accepted())
            && let Some(first) = accepted.insert(record.key, record.seq)
        {
            return Ok(Some(repeated(&record.subject(), first)));
        }
        previous = Some(entry.facts.seq);
    }
    Ok(None)
}

type Neighbours = BTreeMap<Seq, Result<LinkFacts, Damage>>;

/// The entries right before and after those of the trace that are not themselves of it.
fn neighbours(snapshot: &Snapshot, log: &TraceLog) -> Result<Neighbours, ReplayError> {
    let own = |seq: &Seq| log.facts(*seq).is_some();
    let around = |entry: &TraceEntry| {
        let seq = entry.facts.seq;
        let before = seq.get().checked_sub(1).map(Seq::new);
        let after = Some(seq.next()).filter(|next| next.get() < snapshot.entries());
        before.into_iter().chain(after)
    };
    let wanted: BTreeSet<Seq> = log.entries.iter().flat_map(around).filter(|seq| !own(seq)).collect();
    let wanted: Vec<Seq> = wanted.into_iter().collect();
    let read = |seq: &Seq| Ok((*seq, read_facts(snapshot, *seq)?));
    wanted.par_iter().with_min_len(ENTRIES_PER_TASK).map(read).collect()
}

struct Links<'a> {
    snapshot: &'a Snapshot,
    trace_id: TraceId,
    log: &'a TraceLog,
    /// True when the links to the neighbours are known to hold.
    is_vouched: bool,
    neighbours: Neighbours,
}

impl Links<'_> {
    /// The facts of an entry of the trace or next to one.
    fn facts(&self, seq: Seq) -> Result<&LinkFacts, Option<&Damage>> {
        match (self.log.facts(seq), self.neighbours.get(&seq)) {
            (Some(facts), _) | (None, Some(Ok(facts))) => Ok(facts),
            (None, Some(Err(damage))) => Err(Some(damage)),
            (None, None) => Err(None),
        }
    }

    fn before(&self, entry: &TraceEntry) -> Option<BrokenLink> {
        let seq = entry.facts.seq;
        let before = Seq::new(seq.get().checked_sub(1)?);
        if self.is_vouched {
            return None;
        }
        match self.facts(before) {
            Ok(facts) => facts.fault_of_next(&entry.facts).map(|fault| self.broken(entry, seq, &fault)),
            Err(damage) => Some(unshown(entry, before, damage)),
        }
    }

    fn after(&self, entry: &TraceEntry) -> Option<BrokenLink> {
        let after = entry.facts.seq.next();
        if after.get() >= self.snapshot.entries() {
            return self.end(entry);
        }
        if self.is_vouched {
            return None;
        }
        match self.facts(after) {
            Ok(facts) => entry.facts.fault_of_next(facts).map(|fault| self.broken(entry, after, &fault)),
            Err(damage) => Some(unshown(entry, after, damage)),
        }
    }

    /// The last entry of the prefix is the one that the published size names.
    fn end(&self, entry: &TraceEntry) -> Option<BrokenLink> {
        let head = self.snapshot.head().filter(|head| *head != entry.facts.leaf)?;
        let message =
            format!("Entry {} is the last one, and the published size names another.", entry.facts.seq);
        let failure = Failure {
            expected: Some(head.to_string()),
            found: Some(entry.facts.leaf.to_string()),
            ..entry.subject().fails(Check::EntryLink, FailureClass::HashMismatch, message)
        };
        Some(BrokenLink { failure, damage: None })
    }

    fn broken(&self, entry: &TraceEntry, later: Seq, fault: &LinkFault) -> BrokenLink {
        let subject = entry.subject();
        let fails = |check, message| subject.fails(check, FailureClass::HashMismatch, message);
        let failure = match fault {
            LinkFault::Leaf { expected, found } => Failure {
                expected: Some(expected.to_string()),
                found: Some(found.map_or_else(|| "none".to_owned(), |leaf| leaf.to_string())),
                ..fails(Check::EntryLink, format!("Entry {later} does not link to the entry before it."))
            },
            LinkFault::Clock { earliest_ms, found_ms } => Failure {
                expected: Some(format!("{earliest_ms} ms or later")),
                found: Some(format!("{found_ms} ms")),
                ..fails(Check::EntryClock, format!("Entry {later} was recorded before the entry before it."))
            },
        };
        BrokenLink { failure, damage: Some(fault.damage(self.snapshot, later)) }
    }

    /// The entry's own account of the trace, and whose trace its record is of.
    fn within_trace(&self, entry: &TraceEntry, previous: Option<Seq>, count: u64) -> Option<BrokenLink> {
        let subject = entry.subject();
        let fails = |message: String, expected: String, found: String| BrokenLink {
            failure: Failure {
                expected: Some(expected),
                found: Some(found),
                ..subject.fails(Check::TraceLink, FailureClass::HashMismatch, message)
            },
            damage: None,
        };
        if (entry.link.previous, entry.link.count) != (previous, count) {
            let message = format!("Entry {} gives another place in its trace than it has.", entry.facts.seq);
            let found = place_in_trace(entry.link.previous, entry.link.count);
            return Some(fails(message, place_in_trace(previous, count), found));
        }
        let said = subject.envelope.map(proofline_trace::Envelope::trace_id)?;
        (said != self.trace_id).then(|| {
            let message =
                format!("Entry {} holds a record of another trace than its header names.", entry.facts.seq);
            fails(message, self.trace_id.to_string(), said.to_string())
        })
    }
}

fn place_in_trace(previous: Option<Seq>, count: u64) -> String {
    match previous {
        Some(previous) => format!("number {count}, after entry {previous}"),
        None => format!("number {count}, after none"),
    }
}

/// A link to a neighbour that cannot be read holds for nobody.
fn unshown(entry: &TraceEntry, neighbour: Seq, damage: Option<&Damage>) -> BrokenLink {
    let seq = entry.facts.seq;
    let why = damage.map_or_else(|| "it is not there".to_owned(), ToString::to_string);
    let message =
        format!("The link between entries {seq} and {neighbour} cannot be shown; entry {neighbour}: {why}.");
    let failure = Failure {
        expected: Some("a readable entry".to_owned()),
        found: damage.map(|damage| damage.code.to_owned()),
        ..entry.subject().fails(Check::EntryLink, FailureClass::HashMismatch, message)
    };
    BrokenLink { failure, damage: damage.cloned() }
}

/// The gate answers a record it accepted before with the first entry, and appends nothing.
fn repeated(subject: &Subject<'_>, first: Seq) -> BrokenLink {
    let message = format!("The record was accepted before, as entry {first}; no gate appends it again.");
    let failure = Failure {
        expected: Some(format!("entry {first} alone")),
        found: Some(format!("entry {} too", subject.seq)),
        ..subject.fails(Check::AcceptedOnce, FailureClass::HashMismatch, message)
    };
    BrokenLink { failure, damage: None }
}
