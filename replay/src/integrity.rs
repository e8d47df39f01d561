//! The integrity of every entry, in a run over everything: its frame, its body's hash, its link to
//! the entry before, its clock. Damage in entries of no trace, or of nobody knows which, is found
//! here, and the entries are counted as the indexes must have them.
//!
//! Work is cut by log range; each range reads one entry in front of it for the first link.

use std::ops::Range;

use proofline_ledger::{Damage, Entry, Seq, Snapshot};
use proofline_proof::KeyList;
use proofline_trace::EnvelopeHash;
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::census::LogCensus;
use crate::error::ReplayError;
use crate::reading::{LinkFacts, damage_at, read_entry, read_facts};
use crate::signatures::Batch;

/// Entries of one range: the work of one thread at a time.
const RANGE_ENTRIES: u64 = 512;
/// Ranges between two events; what they found is held until then.
const RANGES_PER_WINDOW: u64 = 32;

/// What a check of a stretch of the log came to.
#[derive(Default)]
pub(crate) struct Checked {
    /// What is wrong, in log order.
    pub(crate) damage: Vec<Damage>,
    pub(crate) census: LogCensus,
    /// Producers' signatures that verify.
    pub(crate) signatures: u64,
}

/// The end of the window that begins here: what is checked between two looks at whoever asked.
pub(crate) fn window_end(start: u64, end: u64) -> u64 {
    end.min(start.saturating_add(RANGE_ENTRIES * RANGES_PER_WINDOW))
}

/// Checks the entries of a window. What it gives does not depend on where windows begin.
pub(crate) fn check(
    pool: &ThreadPool,
    snapshot: &Snapshot,
    keys: Option<&KeyList>,
    window: Range<u64>,
) -> Result<Checked, ReplayError> {
    let check = |range| check_range(snapshot, keys, range);
    let looks: Result<Vec<Checked>, ReplayError> =
        pool.install(|| ranges(window).into_par_iter().map(check).collect());
    let mut sum = Checked::default();
    for look in looks? {
        sum.damage.extend(look.damage);
        sum.census.add(look.census);
        sum.signatures += look.signatures;
    }
    Ok(sum)
}

fn ranges(window: Range<u64>) -> Vec<Range<u64>> {
    let mut ranges = Vec::new();
    let mut start = window.start;
    while start < window.end {
        let end = window.end.min(start + RANGE_ENTRIES);
        ranges.push(start..end);
        start = end;
    }
    ranges
}

fn check_range(
    snapshot: &Snapshot,
    keys: Option<&KeyList>,
    range: Range<u64>,
) -> Result<Checked, ReplayError> {
    let (mut look, mut batch) = (Checked::default(), Batch::default());
    let mut found: Vec<(Seq, Damage)> = Vec::new();
    let mut before = match range.start.checked_sub(1) {
        // The range before reports what is wrong with its own last entry.
        Some(last) => read_facts(snapshot, Seq::new(last))?.ok(),
        None => None,
    };
    for seq in range.map(Seq::new) {
        // Behind an entry that cannot be read there is no link to judge; it was reported itself.
        before = match read_entry(snapshot, seq)? {
            Ok(entry) => {
                let facts = LinkFacts::of(&entry);
                let fault = before.and_then(|before| before.fault_of_next(&facts));
                found.extend(fault.map(|fault| (seq, fault.damage(snapshot, seq))));
                found.extend(body_fault(snapshot, &entry).map(|fault| (seq, fault)));
                look.census.count(&entry.header);
                batch.gather(&entry);
                Some(facts)
            }
            Err(damage) => {
                found.push((seq, damage));
                look.census.count_unreadable();
                None
            }
        };
    }
    if let Some(keys) = keys {
        look.signatures = batch.verify(snapshot, keys, |seq, damage| found.push((seq, damage)));
    }
    // In log order, wherever the range was cut.
    found.sort_by_key(|(seq, _)| *seq);
    look.damage = found.into_iter().map(|(_, damage)| damage).collect();
    Ok(look)
}

fn body_fault(snapshot: &Snapshot, entry: &Entry) -> Option<Damage> {
    let (stated, found) = (entry.header.envelope_hash, EnvelopeHash::of(&entry.body));
    (found != stated).then(|| {
        let message = format!("the body hashes to {found}, its header says {stated}");
        damage_at(snapshot, entry.header.seq, "body.hash", message)
    })
}
