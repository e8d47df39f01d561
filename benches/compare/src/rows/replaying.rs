//! Replays as a user starts them, beside programs that hash the same bytes and do nothing else.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::charts::Curve;
use crate::failure::Failure;
use crate::files;
use crate::measure::{Figure, Side, in_turns};
use crate::run::{Run, spawned};
use crate::table::{Line, Target};

pub(crate) fn measure(run: &mut Run) -> Result<Vec<Line>, Failure> {
    let records = run.options.records;
    let (dir, grown) = run.ledger(records)?;
    let canonical = run.canonical(records);
    let bytes_before = files::bytes(&dir)?;
    let replay = |mode: &str, threads: usize| {
        run.settle(&dir)?;
        spawned(&mut run.proofline(&["replay", "--mode", mode, "--threads", &threads.to_string()], &dir))
    };
    let hashed = |program: &[&str]| {
        run.settle_file(&canonical)?;
        let mut command = Command::new(program.first().copied().unwrap_or_default());
        spawned(command.args(program.iter().skip(1)).arg(&canonical).stdout(Stdio::null()))
    };
    let most = thread::available_parallelism().map_or(1, |cores| cores.get());
    let threads: Vec<usize> = [4, 8, 16, 32, 64].into_iter().filter(|threads| *threads <= most).collect();
    let (mut one, mut two) = (|| replay("forensic", 1), || replay("forensic", 2));
    let (mut sum, mut openssl) = (|| hashed(&["sha256sum"]), || hashed(&["openssl", "dgst", "-sha256"]));
    let mut invariant = || replay("invariant", 1);
    let mut more: Vec<_> = threads.iter().map(|threads| || replay("forensic", *threads)).collect();
    let mut sides: Vec<Side<'_>> = vec![&mut one, &mut two, &mut sum, &mut openssl, &mut invariant];
    sides.extend(more.iter_mut().map(|side| side as Side<'_>));
    let times = in_turns(run.options.rounds, &mut sides)?;
    // What a replay stored would help the next one.
    if files::bytes(&dir)? != bytes_before {
        return Err(Failure::Wrong("a replay changed the ledger".to_owned()));
    }
    let rate = |times: &[Duration]| Figure::rate(grown.canonical_bytes as f64 / 1e6, times, "MB/s");
    let figures: Vec<Figure> = times.iter().map(|times| rate(times)).collect();
    let [one, two, sum, openssl, invariant, ..] = figures[..] else {
        return Err(Failure::Wrong("a side is missing".to_owned()));
    };
    run.curves.push(Curve {
        name: "replay-threads",
        title: "Forensic replay by threads".to_owned(),
        across: "threads",
        up: "MB of canonical bytes a second",
        is_log: false,
        series: vec![
            ("proofline replay".to_owned(), by_threads(&threads, &figures)),
            ("openssl dgst -sha256, one thread".to_owned(), flat(openssl.median, most)),
            ("sha256sum, one thread".to_owned(), flat(sum.median, most)),
        ],
    });
    Ok(lines(one, two, sum, openssl, invariant))
}

fn by_threads(threads: &[usize], figures: &[Figure]) -> Vec<(f64, f64)> {
    let all = [1, 2].iter().chain(threads);
    let of = figures.iter().take(2).chain(figures.iter().skip(5));
    all.zip(of).map(|(threads, figure)| (*threads as f64, figure.median)).collect()
}

fn flat(value: f64, most: usize) -> Vec<(f64, f64)> {
    vec![(1.0, value), (most.max(2) as f64, value)]
}

fn lines(one: Figure, two: Figure, sum: Figure, openssl: Figure, invariant: Figure) -> Vec<Line> {
    let line = |what: &str, ours: Figure, yardstick: &str, theirs: Figure, target, note: &str| Line {
        what: what.to_owned(),
        ours,
        yardstick: yardstick.to_owned(),
        theirs: Some(theirs),
        ratio: ours.median / theirs.median,
        target,
        note: note.to_owned(),
    };
    let one_thread = "forensic replay, 1 thread";
    vec![
        line(one_thread, one, "`sha256sum`", sum, Target::must(1.0), ""),
        line(one_thread, one, "`openssl dgst -sha256`", openssl, Target::reach(1.0), ""),
        line("forensic replay, 2 threads", two, "1 thread", one, Target::at_least(1.8, 1.95), ""),
        line(
            "invariant replay, 1 thread, no policy at hand",
            invariant,
            "forensic replay",
            one,
            Target::at_least(1.0, 1.5),
            "",
        ),
    ]
}
