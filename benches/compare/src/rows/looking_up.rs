//! A record found by its hash, page cache warm, in a ledger and in redb with the same records.

use std::time::Instant;

use proofline::ledger::Snapshot;
use proofline::trace::EnvelopeHash;
use proofline_vectors::SplitMix64;

use crate::data::{self, Record};
use crate::failure::Failure;
use crate::measure::{Figure, in_turns};
use crate::run::Run;
use crate::stores::{Redb, Store};
use crate::table::{Line, Target};

/// Look-ups in a round, all over the ledger.
const ASKED: u64 = 20_000;
/// Records that redb gets in one transaction, untimed.
const GROUP: usize = 10_000;

pub(crate) fn measure(run: &mut Run) -> Result<Vec<Line>, Failure> {
    let records = run.options.records;
    let (dir, _) = run.ledger(records)?;
    let snapshot = Snapshot::open(&dir).map_err(Failure::of("proofline"))?;
    let (redb, hashes) = same_in_redb(run, records)?;
    let mut random = SplitMix64::new(records);
    let asked: Vec<[u8; 32]> =
        (0..ASKED).map(|_| hashes[usize::try_from(random.below(records)).unwrap_or(0)]).collect();
    let mut lines = Vec::new();
    for with_body in [false, true] {
        let mut ours = || timed(|| in_ledger(&snapshot, &asked, with_body));
        let mut theirs = || timed(|| redb.look_up(&asked, with_body));
        // Once for the page cache.
        ours()?;
        theirs()?;
        let times = in_turns(run.options.rounds, &mut [&mut ours, &mut theirs])?;
        let [ours, theirs] = [0, 1].map(|side| Figure::each(ASKED as f64, &times[side], 1e6, "µs"));
        lines.push(Line {
            what: format!("look-up by hash, {}", if with_body { "the whole record" } else { "its number" }),
            ours,
            yardstick: "redb".to_owned(),
            theirs: Some(theirs),
            ratio: theirs.median / ours.median,
            target: Target::at_least(1.0, 2.0),
            note: format!("{records} records; how many times as fast as redb"),
        });
    }
    Ok(lines)
}

fn timed(work: impl FnOnce() -> Result<u64, Failure>) -> Result<std::time::Duration, Failure> {
    let begun = Instant::now();
    let found = work()?;
    let taken = begun.elapsed();
    if found == ASKED { Ok(taken) } else { Err(Failure::Wrong(format!("{found} of {ASKED} were found"))) }
}

fn in_ledger(snapshot: &Snapshot, hashes: &[[u8; 32]], with_body: bool) -> Result<u64, Failure> {
    let mut found = 0;
    for hash in hashes {
        let hash = EnvelopeHash::from_bytes(*hash);
        if with_body {
            let entry = snapshot.accepted_entry(&hash).map_err(Failure::of("proofline"))?;
            found += entry.map_or(0, |(_, entry)| u64::from(!std::hint::black_box(entry.body).is_empty()));
        } else {
            let seq = snapshot.accepted(&hash).map_err(Failure::of("proofline"))?;
            found += seq.map_or(0, |seq| u64::from(seq.get() > 0));
        }
    }
    Ok(found)
}

/// The records of the ledger in redb, and all their hashes.
fn same_in_redb(run: &mut Run, records: u64) -> Result<(Redb, Vec<[u8; 32]>), Failure> {
    let dir = run.fresh();
    std::fs::create_dir_all(&dir).map_err(Failure::io("make", &dir))?;
    let mut redb = Redb::create(&dir)?;
    let mut hashes = Vec::new();
    let mut evidence = data::same_evidence().take(usize::try_from(records).unwrap_or(usize::MAX));
    loop {
        let group: Vec<Record> = evidence.by_ref().take(GROUP).map(|sealed| Record::of(&sealed)).collect();
        if group.is_empty() {
            return Ok((redb, hashes));
        }
        redb.commit(hashes.len() as u64 + 1, &group)?;
        hashes.extend(group.iter().map(|record| *record.hash.as_bytes()));
    }
}
