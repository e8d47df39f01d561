//! The integrity of every entry, in a run over everything: its frame, its body's hash, its link to
//! the entry before, its clock. Damage in entries of no trace, or of nobody knows which, is found
//! here, and the entries are counted as the indexes must have them.
//!
//! Work is cut by log range; each range reads one entry in front of it for the first link.

use std::ops::{ControlFlow, Range};

use proofline_ledger::{Damage, Entry, Seq, Snapshot};
use proofline_proof::KeyList;
use proofline_trace::EnvelopeHash;
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::census::LogCensus;
use crate::error::ReplayError;
use crate::reading::{LinkFacts, damage_at, read_entry, read_facts};
use crate::signatures::{self, Batch};
use crate::sink::{Event, ReplaySink};

/// Entries of one range: the work of one thread at a time.
const RANGE_ENTRIES: u64 = 512;
/// Ranges between two events; what they found is held until then.
const RANGES_PER_WINDOW: u64 = 32;

/// What a check of every entry came to.
#[derive(Default)]
pub(crate) struct Checked {
    pub(crate) census: LogCensus,
    /// Producers' signatures that verify.
    pub(crate) signatures: u64,
}

/// Checks every entry and hands on what is wrong with them, in log order.
pub(crate) fn check(
    pool: &ThreadPool,
    snapshot: &Snapshot,
    sink: &mut dyn ReplaySink,
    mut found: impl FnMut(Damage),
) -> Result<Checked, ReplayError> {
    let total = snapshot.entries();
    let mut checked = 0;
    let mut sum = Checked::default();
    let keys = signatures::keys(snapshot, &mut found)?;
    while checked < total {
        let end = total.min(checked + RANGE_ENTRIES * RANGES_PER_WINDOW);
        let check = |range| check_range(snapshot, keys.as_ref(), range);
        let looks: Result<Vec<Look>, ReplayError> =
            pool.install(|| ranges(checked..end).into_par_iter().map(check).collect());
        for look in looks? {
            look.damage.into_iter().for_each(&mut found);
            sum.census.add(look.checked.census);
            sum.signatures += look.checked.signatures;
        }
        checked = end;
        if let ControlFlow::Break(()) = sink.event(&Event::EntriesChecked { checked, total }) {
            return Err(ReplayError::Stopped);
        }
    }
    Ok(sum)
}

/// What one range of the log shows.
#[derive(Default)]
struct Look {
    damage: Vec<Damage>,
    checked: Checked,
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

fn check_range(snapshot: &Snapshot, keys: Option<&KeyList>, range: Range<u64>) -> Result<Look, ReplayError> {
    let (mut look, mut batch) = (Look::default(), Batch::default());
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
                look.damage.extend(fault.map(|fault| fault.damage(snapshot, seq)));
                look.damage.extend(body_fault(snapshot, &entry));
                look.checked.census.count(&entry.header);
                batch.gather(&entry);
                Some(facts)
            }
            Err(found) => {
                look.damage.push(found);
                look.checked.census.count_unreadable();
                None
            }
        };
    }
    if let Some(keys) = keys {
        look.checked.signatures = batch.verify(snapshot, keys, |damage| look.damage.push(damage));
    }
    Ok(look)
}

fn body_fault(snapshot: &Snapshot, entry: &Entry) -> Option<Damage> {
    let (stated, found) = (entry.header.envelope_hash, EnvelopeHash::of(&entry.body));
    (found != stated).then(|| {
        let message = format!("the body hashes to {found}, its header says {stated}");
        damage_at(snapshot, entry.header.seq, "body.hash", message)
    })
}
