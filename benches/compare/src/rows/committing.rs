//! Groups of new records, durable, validated and indexed, beside other stores over the same records.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::data::{self, GROUP, Record};
use crate::failure::Failure;
use crate::files;
use crate::measure::{Figure, Side, in_turns};
use crate::run::Run;
use crate::stores::{Fjall, Gated, Redb, Sled, Sqlite, Store, fill};
use crate::table::{Line, Target};

/// Sizes of a transaction that are tried before SQLite is measured at its best.
const SIZES: [usize; 3] = [100, 1_000, 10_000];

pub(crate) fn measure(run: &mut Run) -> Result<Vec<Line>, Failure> {
    let sample = run.sample();
    let lines = measured(run, &sample);
    run.keep_sample(sample);
    lines
}

/// Fills a new store in a folder of its own, which goes away; gives the time and the bytes that lay there.
fn round<S: Store>(dir: &Path, sample: &[Record], group: usize) -> Result<(Duration, u64), Failure> {
    let taken = fill::<S>(dir, sample, group)?;
    let size = files::bytes(dir)?;
    fs::remove_dir_all(dir).map_err(Failure::io("remove", dir))?;
    Ok((taken, size))
}

fn ours(dir: &Path, sample: &[Record]) -> Result<Duration, Failure> {
    let ledger = data::new_ledger(dir)?;
    let group = |group: &[Record]| data::commit(&ledger, group.iter().map(|record| record.bytes.as_slice()));
    let taken = sample.chunks(GROUP).map(group).sum::<Result<Duration, Failure>>()?;
    drop(ledger);
    fs::remove_dir_all(dir).map_err(Failure::io("remove", dir))?;
    Ok(taken)
}

/// The size at which the store takes the sample quickest.
fn best_size<S: Store>(dir: &Path, sample: &[Record]) -> Result<usize, Failure> {
    let mut tried = Vec::new();
    for size in SIZES {
        tried.push((round::<S>(dir, sample, size)?.0, size));
    }
    Ok(tried.into_iter().min().map_or(GROUP, |(_, size)| size))
}

fn measured(run: &mut Run, sample: &[Record]) -> Result<Vec<Line>, Failure> {
    let dir = run.fresh();
    let (gated_size, bare_size) = (best_size::<Gated>(&dir, sample)?, best_size::<Sqlite>(&dir, sample)?);
    let mut sizes = [0; 5];
    let [of_sqlite, of_redb, of_fjall, of_sled, of_gated] = &mut sizes;
    let mut proofline = || ours(&dir, sample);
    let mut gated = side(&dir, sample, gated_size, round::<Gated>, of_gated);
    let mut sqlite = side(&dir, sample, bare_size, round::<Sqlite>, of_sqlite);
    let mut redb = side(&dir, sample, GROUP, round::<Redb>, of_redb);
    let mut fjall = side(&dir, sample, GROUP, round::<Fjall>, of_fjall);
    let mut sled = side(&dir, sample, GROUP, round::<Sled>, of_sled);
    let sides: &mut [Side<'_>] =
        &mut [&mut proofline, &mut gated, &mut sqlite, &mut redb, &mut fjall, &mut sled];
    let times = in_turns(run.options.rounds, sides)?;
    drop((gated, sqlite, redb, fjall, sled));
    let figures: Vec<Figure> =
        times.iter().map(|times| Figure::rate(sample.len() as f64, times, "records/s")).collect();
    let [proofline, gated, sqlite, redb, fjall, sled] = figures[..] else {
        return Err(Failure::Wrong("a side is missing".to_owned()));
    };
    let bytes = sample.iter().map(|record| record.bytes.len()).sum::<usize>() as f64;
    let line = |yardstick: String, theirs: Figure, target, size: u64| Line {
        what: format!("commit of groups of {GROUP}"),
        ours: proofline,
        yardstick,
        theirs: Some(theirs),
        ratio: proofline.median / theirs.median,
        target,
        note: format!(
            "{} records into a new store each round; the yardstick's files: {:.2} bytes for each canonical byte",
            sample.len(),
            size as f64 / bytes
        ),
    };
    let bare = "(no gate, hashes given)";
    Ok(vec![
        line(
            format!("SQLite behind the same gate, {gated_size} a transaction"),
            gated,
            Target::at_least(2.0, 4.0),
            sizes[4],
        ),
        line(format!("SQLite {bare}, {bare_size} a transaction"), sqlite, None, sizes[0]),
        line(format!("sled {bare}"), sled, Target::at_least(5.0, 10.0), sizes[3]),
        line(format!("redb {bare}"), redb, None, sizes[1]),
        line(format!("fjall {bare}"), fjall, None, sizes[2]),
    ])
}

/// One round of a store, with its time and the bytes of its files.
type Round = fn(&Path, &[Record], usize) -> Result<(Duration, u64), Failure>;

/// A side that notes how large its files were.
fn side<'a>(
    dir: &'a Path,
    sample: &'a [Record],
    group: usize,
    round: Round,
    size: &'a mut u64,
) -> impl FnMut() -> Result<Duration, Failure> + 'a {
    move || {
        let (taken, bytes) = round(dir, sample, group)?;
        *size = bytes;
        Ok(taken)
    }
}
