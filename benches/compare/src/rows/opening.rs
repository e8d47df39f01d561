//! A ledger at rest: how large it is, and how long it takes to open, closed in peace or killed in a commit.

use std::time::Duration;

use proofline_vectors::SplitMix64;

use crate::child::{killed_in_a_commit, opened};
use crate::failure::Failure;
use crate::files;
use crate::measure::{Figure, in_turns};
use crate::run::Run;
use crate::table::{Line, Target};

pub(crate) fn disk(run: &mut Run) -> Result<Vec<Line>, Failure> {
    let records = run.options.records;
    let (dir, grown) = run.ledger(records)?;
    let ratio = files::bytes(&dir)? as f64 / grown.canonical_bytes as f64;
    Ok(vec![Line {
        what: "bytes on disk for each canonical byte, every file".to_owned(),
        ours: Figure::one(ratio, "B"),
        yardstick: "1".to_owned(),
        theirs: None,
        ratio,
        target: Target::at_most(1.30, 1.15),
        note: format!(
            "{records} records, {} canonical bytes; what it came to, not measured in turns",
            grown.canonical_bytes
        ),
    }])
}

pub(crate) fn measure(run: &mut Run) -> Result<Vec<Line>, Failure> {
    let records = run.options.records;
    // A ledger of its own: the kills add to it.
    let (dir, canonical) = (run.fresh(), run.fresh());
    crate::data::grow(&dir, records, &canonical)?;
    files::warm(&dir)?;
    let times =
        in_turns(run.options.rounds, &mut [&mut || opened("open", &dir), &mut || opened("read", &dir)])?;
    let mut random = SplitMix64::new(records);
    let mut after_a_kill = Vec::new();
    for round in 0..run.options.rounds {
        let wait = Duration::from_millis(random.between(20, 120));
        killed_in_a_commit(&dir, 0x0051_4B11 + round as u64, wait)?;
        after_a_kill.push(opened("open", &dir)?);
    }
    let line = |what: &str, times: &[Duration], target, note: &str| {
        let ours = Figure::each(1.0, times, 1e3, "ms");
        Line {
            what: what.to_owned(),
            ours,
            yardstick: "ms".to_owned(),
            theirs: None,
            ratio: ours.median,
            target,
            note: note.to_owned(),
        }
    };
    let note = format!("{records} records, page cache warm, in a process of its own; the number is in ms");
    Ok(vec![
        line("open for appending, clean", &times[0], Target::at_most(100.0, 10.0), &note),
        line("open for reading, clean", &times[1], None, &note),
        line(
            "open for appending after SIGKILL in a commit",
            &after_a_kill,
            Target::at_most(1000.0, 100.0),
            &note,
        ),
    ])
}
