//! Commits of one record, by one caller and by many, each durable when it returns.

use std::fs::File;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use proofline::ledger::{Action, Ledger, Submission};

use crate::data::{self, NOW_MS, Record, is_new};
use crate::failure::Failure;
use crate::measure::{Figure, in_turns};
use crate::run::Run;
use crate::table::{Line, Target};

/// Records that one caller commits in a round; a sync each.
const ALONE: usize = 500;
/// Callers at a time.
const THREADS: usize = 16;
/// Records of each caller in a round.
const EACH: usize = 100;

pub(crate) fn measure(run: &mut Run) -> Result<Vec<Line>, Failure> {
    Ok(vec![alone(run)?, together(run)?])
}

fn alone(run: &mut Run) -> Result<Line, Failure> {
    let (dir, path, rounds) = (run.fresh(), run.fresh(), run.options.rounds);
    let records = data::records((ALONE * rounds) as u64);
    let ledger = data::new_ledger(&dir)?;
    let mut file = File::create_new(&path).map_err(Failure::io("make", &path))?;
    let (mut ours, mut theirs) = (records.chunks(ALONE), records.chunks(ALONE));
    let mut commits = || {
        let begun = Instant::now();
        ours.next().unwrap_or_default().iter().try_for_each(|record| commit_one(&ledger, record))?;
        Ok(begun.elapsed())
    };
    let mut appends = || {
        let begun = Instant::now();
        for record in theirs.next().unwrap_or_default() {
            let written = file.write_all(&record.bytes).and_then(|()| file.sync_data());
            written.map_err(Failure::io("write", &path))?;
        }
        Ok(begun.elapsed())
    };
    let times = in_turns(rounds, &mut [&mut commits, &mut appends])?;
    let [ours, theirs] = [0, 1].map(|side| Figure::each(ALONE as f64, &times[side], 1e6, "µs/commit"));
    Ok(Line {
        what: "one writer, one record a commit".to_owned(),
        ours,
        yardstick: "append and `fdatasync` of the same bytes".to_owned(),
        theirs: Some(theirs),
        ratio: ours.median / theirs.median,
        target: Target::at_most(1.5, 1.15),
        note: String::new(),
    })
}

fn commit_one(ledger: &Ledger, record: &Record) -> Result<(), Failure> {
    let action = Action::Evidence(Submission::bare(&record.bytes));
    let outcome = ledger.commit_action(&action, NOW_MS).map_err(Failure::of("proofline"))?;
    if is_new(&outcome) { Ok(()) } else { Err(Failure::Wrong(format!("a record was not new: {outcome:?}"))) }
}

/// Each caller has traces of its own, so that a prerequisite is in when it is asked for.
fn together(run: &mut Run) -> Result<Line, Failure> {
    let (dir_of_threads, dir_of_groups, rounds) = (run.fresh(), run.fresh(), run.options.rounds);
    let (by_threads, in_groups) = (data::new_ledger(&dir_of_threads)?, data::new_ledger(&dir_of_groups)?);
    let hands = hands(EACH * rounds);
    let all: Vec<Record> =
        (0..EACH * rounds).flat_map(|at| hands.iter().map(move |hand| hand[at].clone())).collect();
    let (mut round, mut groups) = (0, all.chunks(THREADS * EACH));
    let mut threads = || {
        let taken = at_once(&by_threads, &hands, round);
        round += 1;
        taken
    };
    let mut single = || {
        let records = groups.next().unwrap_or_default().chunks(THREADS);
        records
            .map(|group| data::commit(&in_groups, group.iter().map(|record| record.bytes.as_slice())))
            .sum()
    };
    let times = in_turns(rounds, &mut [&mut threads, &mut single])?;
    let records = (THREADS * EACH) as f64;
    let [ours, theirs] = [0, 1].map(|side| Figure::rate(records, &times[side], "records/s"));
    Ok(Line {
        what: format!("{THREADS} threads, one record a commit each"),
        ours,
        yardstick: format!("groups of {THREADS} from one thread"),
        theirs: Some(theirs),
        ratio: ours.median / theirs.median,
        target: Target::at_least(0.6, 0.9),
        note: String::new(),
    })
}

/// So many records for each caller, whole traces from their beginning.
fn hands(each: usize) -> Vec<Vec<Record>> {
    let mut hands = vec![Vec::new(); THREADS];
    for sealed in data::evidence(0x516) {
        let record = Record::of(&sealed);
        let hand = usize::from(record.trace.as_bytes()[15]) % THREADS;
        if hands[hand].len() < each {
            hands[hand].push(record);
        }
        if hands.iter().all(|hand| hand.len() == each) {
            break;
        }
    }
    hands
}

fn at_once(ledger: &Ledger, hands: &[Vec<Record>], round: usize) -> Result<Duration, Failure> {
    let begun = Instant::now();
    let ended: Vec<Result<(), Failure>> = thread::scope(|scope| {
        let commit = |hand: &'_ [Record]| hand.iter().try_for_each(|record| commit_one(ledger, record));
        let callers: Vec<_> = hands
            .iter()
            .map(|hand| &hand[round * EACH..(round + 1) * EACH])
            .map(|hand| scope.spawn(move || commit(hand)))
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let taken = begun.elapsed();
    ended.into_iter().collect::<Result<(), Failure>>()?;
    Ok(taken)
}
