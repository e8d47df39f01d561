//! The integrity of every entry, in a run over everything: its frame, its body's hash, its link to
//! the entry before, its clock. Damage in entries of no trace, or of nobody knows which, is found
//! here, and the entries are counted as the indexes must have them.
//!
//! Work is cut by log range; each range reads one entry in front of it for the first link.

use std::ops::Range;

use proofline_ledger::{Damage, EntryHeader, Seq};
use proofline_proof::KeyList;
use proofline_trace::EnvelopeHash;
use rayon::prelude::*;

use crate::census::{LogCensus, Logged};
use crate::error::ReplayError;
use crate::links::LinkLook;
use crate::reading::{HashedEntry, LinkFacts, Reader, damage_at, read_entry, read_facts};
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
    /// All entries, as the indexes must have them.
    pub(crate) logged: Logged,
    /// Producers' signatures that verify.
    pub(crate) signatures: u64,
    pub(crate) links: LinkLook,
}

/// The end of the window that begins here: what is checked between two looks at whoever asked.
pub(crate) fn window_end(start: u64, end: u64) -> u64 {
    end.min(start.saturating_add(RANGE_ENTRIES * RANGES_PER_WINDOW))
}

/// Checks the entries of a window, on the threads of the pool that this is called on. What it gives does not depend
/// on where windows begin.
pub(crate) fn check(
    reader: &Reader<'_>,
    keys: Option<&KeyList>,
    window: Range<u64>,
) -> Result<Checked, ReplayError> {
    let check = |range| check_range(reader, keys, range);
    let looks: Result<Vec<Checked>, ReplayError> = ranges(window).into_par_iter().map(check).collect();
    let mut sum = Checked::default();
    for look in looks? {
        sum.damage.extend(look.damage);
        sum.census.add(look.census);
        sum.logged.append(look.logged);
        sum.signatures += look.signatures;
        sum.links.add(look.links);
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
    reader: &Reader<'_>,
    keys: Option<&KeyList>,
    range: Range<u64>,
) -> Result<Checked, ReplayError> {
    let snapshot = reader.snapshot;
    let before = match range.start.checked_sub(1) {
        // The range before reports what is wrong with its own last entry.
        Some(last) => read_facts(snapshot, Seq::new(last))?.ok(),
        None => None,
    };
    let mut check =
        RangeCheck { reader, before, batch: Batch::default(), look: Checked::default(), found: Vec::new() };
    let seqs: Vec<Seq> = range.map(Seq::new).collect();
    reader.read(&seqs, |_| true, |seq, entry| check.entry(seq, entry))?;
    let RangeCheck { batch, mut look, mut found, .. } = check;
    if let Some(keys) = keys {
        look.signatures = batch.verify(snapshot, keys, |seq, damage| found.push((seq, damage)));
    }
    // In log order, wherever the range was cut.
    found.sort_by_key(|(seq, _)| *seq);
    look.damage = found.into_iter().map(|(_, damage)| damage).collect();
    Ok(look)
}

struct RangeCheck<'a> {
    reader: &'a Reader<'a>,
    before: Option<LinkFacts>,
    batch: Batch,
    look: Checked,
    found: Vec<(Seq, Damage)>,
}

impl RangeCheck<'_> {
    fn entry(&mut self, seq: Seq, entry: Option<HashedEntry<'_>>) -> Result<(), ReplayError> {
        if let Some(HashedEntry { header, leaf, body, body_hash: Some(body_hash) }) = entry {
            self.readable(&header, LinkFacts::with_leaf(&header, leaf), body, body_hash);
            return Ok(());
        }
        match read_entry(self.reader.snapshot, seq)? {
            Ok(entry) => {
                let body_hash = EnvelopeHash::of(&entry.body);
                self.readable(&entry.header, LinkFacts::of(&entry), &entry.body, body_hash);
            }
            // Behind an entry that cannot be read there is no link to judge; it was reported itself.
            Err(damage) => {
                self.found.push((seq, damage));
                self.look.census.count_unreadable();
                self.look.logged.push_unreadable();
                self.look.links.suspect(seq);
                self.before = None;
            }
        }
        Ok(())
    }

    fn readable(&mut self, header: &EntryHeader, facts: LinkFacts, body: &[u8], body_hash: EnvelopeHash) {
        let (snapshot, seq) = (self.reader.snapshot, header.seq);
        if let Some(fault) = self.before.and_then(|before| before.fault_of_next(&facts)) {
            self.found.push((seq, fault.damage(snapshot, seq)));
            self.look.links.suspect(seq);
        }
        let stated = header.envelope_hash;
        if body_hash != stated {
            let message = format!("the body hashes to {body_hash}, its header says {stated}");
            self.found.push((seq, damage_at(snapshot, seq, "body.hash", message)));
        }
        self.look.census.count(header);
        self.look.logged.push(header);
        if header.trace.is_some() {
            self.look.links.count(&facts);
        }
        self.batch.gather(header, body);
        self.before = Some(facts);
    }
}
