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

/// Programs that hash a file; the first is what must be reached, the second what is to be reached for.
const HASHERS: [(&str, &[&str]); 2] = [("sha256sum", &[]), ("openssl", &["dgst", "-sha256"])];
/// Beyond two, as many as there are processors.
const MORE_THREADS: [usize; 5] = [4, 8, 16, 32, 64];

pub(crate) fn measure(run: &mut Run) -> Result<Vec<Line>, Failure> {
    let records = run.options.records;
    let (dir, grown) = run.ledger(records)?;
    let canonical = run.canonical(records);
    let bytes_before = files::bytes(&dir)?;
    let hashers: Vec<_> = HASHERS.iter().filter(|(program, _)| is_there(program)).collect();
    let most = thread::available_parallelism().map_or(1, |cores| cores.get());
    let threads: Vec<usize> =
        [1, 2].into_iter().chain(MORE_THREADS.into_iter().filter(|threads| *threads <= most)).collect();

    let replay = |mode: &str, threads: usize| {
        run.settle(&dir)?;
        spawned(&mut run.proofline(&["replay", "--mode", mode, "--threads", &threads.to_string()], &dir))
    };
    let hash = |(program, arguments): &(&str, &[&str])| {
        run.settle_file(&canonical)?;
        spawned(Command::new(program).args(*arguments).arg(&canonical).stdout(Stdio::null()))
    };
    let mut forensic: Vec<_> = threads.iter().map(|threads| || replay("forensic", *threads)).collect();
    let mut invariant = || replay("invariant", 1);
    let mut hashed: Vec<_> = hashers.iter().map(|hasher| || hash(hasher)).collect();
    let mut sides: Vec<Side<'_>> = forensic.iter_mut().map(|side| side as Side<'_>).collect();
    sides.push(&mut invariant);
    sides.extend(hashed.iter_mut().map(|side| side as Side<'_>));
    let times = in_turns(run.options.rounds, &mut sides)?;

    // What a replay stored would help the next one.
    if files::bytes(&dir)? != bytes_before {
        return Err(Failure::Wrong("a replay changed the ledger".to_owned()));
    }
    let rate = |times: &Vec<Duration>| Figure::rate(grown.canonical_bytes as f64 / 1e6, times, "MB/s");
    let figures: Vec<Figure> = times.iter().map(rate).collect();
    let (forensic, rest) = figures.split_at(threads.len());
    let (invariant, hashed) = rest.split_at(1);
    let hashed: Vec<(&str, Figure)> =
        hashers.iter().map(|hasher| hasher.0).zip(hashed.iter().copied()).collect();
    for (program, _) in HASHERS.iter().filter(|(program, _)| !is_there(program)) {
        run.missing.push(format!("forensic replay beside {program}: not measured: no {program} here"));
    }
    run.curves.push(by_threads(&threads, forensic, &hashed));
    Ok(lines(forensic, invariant[0], &hashed))
}

fn is_there(program: &str) -> bool {
    let asked = Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok()
}

fn by_threads(threads: &[usize], forensic: &[Figure], hashed: &[(&str, Figure)]) -> Curve {
    let most = threads.last().map_or(2.0, |most| *most as f64);
    let points = threads.iter().zip(forensic).map(|(threads, figure)| (*threads as f64, figure.median));
    let mut series = vec![("proofline replay".to_owned(), points.collect())];
    for (program, figure) in hashed {
        let flat = vec![(1.0, figure.median), (most, figure.median)];
        series.push((format!("{program}, one thread"), flat));
    }
    Curve {
        name: "replay-threads",
        title: "Forensic replay by threads".to_owned(),
        across: "threads",
        up: "MB of canonical bytes a second",
        is_log: false,
        series,
    }
}

fn lines(forensic: &[Figure], invariant: Figure, hashed: &[(&str, Figure)]) -> Vec<Line> {
    let (one, two) = (forensic[0], forensic[1]);
    let line = |what: &str, ours: Figure, yardstick: &str, theirs: Figure, target| Line {
        what: what.to_owned(),
        ours,
        yardstick: yardstick.to_owned(),
        theirs: Some(theirs),
        ratio: ours.median / theirs.median,
        target,
        note: String::new(),
    };
    let mut lines = Vec::new();
    for (program, figure) in hashed {
        let is_first = *program == HASHERS[0].0;
        let target = if is_first { Target::must(1.0) } else { Target::reach(1.0) };
        lines.push(line("forensic replay, 1 thread", one, &format!("`{program}`"), *figure, target));
    }
    let two_threads = Target::at_least(1.8, 1.95);
    lines.push(line("forensic replay, 2 threads", two, "1 thread", one, two_threads));
    let no_policy = "invariant replay, 1 thread, no policy at hand";
    lines.push(line(no_policy, invariant, "forensic replay", one, Target::at_least(1.0, 1.5)));
    lines
}
