//! What grows with a ledger: the memory of a replay, and the cost of each record, committed and replayed.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::charts::Curve;
use crate::data::Grown;
use crate::failure::Failure;
use crate::measure::{Figure, Side, in_turns};
use crate::run::{Run, spawned};
use crate::table::{Line, Target};

/// How often a process is asked for its memory.
const LOOK: Duration = Duration::from_millis(5);
const MB: u64 = 1 << 20;
/// Limits of the control groups that a replay has to complete in.
const LIMITS_MB: [u64; 2] = [256, 128];
/// Points of the curve of commits.
const WINDOWS: usize = 40;

pub(crate) fn measure(run: &mut Run) -> Result<Vec<Line>, Failure> {
    let (small, large) = ((run.options.records / 10).max(1), run.big());
    let (dir, grown) = run.ledger(large)?;
    let mut lines = vec![memory(run, &dir, large)?, committed(&grown, small), appended(&grown, small)];
    run.curves.push(commit_curve(&grown));
    let mut sizes = vec![(small / 10).max(1), small, run.options.records, large];
    sizes.dedup();
    let figures = replayed(run, &sizes)?;
    lines.push(against_small(&sizes, &figures, small));
    Ok(lines)
}

fn memory(run: &Run, dir: &Path, records: u64) -> Result<Line, Failure> {
    let mut peaks = Vec::new();
    for _ in 0..run.options.rounds {
        peaks.push(peak_anonymous_bytes(&mut run.proofline(&["replay"], dir))? as f64 / MB as f64);
    }
    let ours = Figure::of(peaks, "MB");
    let within = LIMITS_MB.map(|limit_mb| match within(&run.proofline(&["replay"], dir), limit_mb) {
        Ok(true) => format!("completes in a control group of {limit_mb} MB"),
        Ok(false) => format!("does NOT complete in a control group of {limit_mb} MB"),
        Err(failure) => format!("control group of {limit_mb} MB: {failure}"),
    });
    Ok(Line {
        what: format!("peak anonymous memory, forensic replay of {records} records, all threads"),
        ours,
        yardstick: "MB".to_owned(),
        theirs: None,
        ratio: ours.median,
        target: Target::at_most(256.0, 128.0),
        note: format!("the highest RssAnon, looked at every {} ms; {}", LOOK.as_millis(), within.join(", ")),
    })
}

/// Lets a program run and looks at its memory that is no file's.
fn peak_anonymous_bytes(command: &mut Command) -> Result<u64, Failure> {
    let name = PathBuf::from(command.get_program());
    let mut child = command.spawn().map_err(Failure::io("run", &name))?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = None;
    let ended = loop {
        peak = peak.max(fs::read_to_string(&status).ok().as_deref().and_then(anonymous_bytes));
        if let Some(ended) = child.try_wait().map_err(Failure::io("wait for", &name))? {
            break ended;
        }
        thread::sleep(LOOK);
    };
    if !ended.success() {
        return Err(Failure::Wrong(format!("a replay ended with {ended}")));
    }
    peak.ok_or_else(|| Failure::Unmeasured("the system does not tell RssAnon".to_owned()))
}

/// From proc(5): `RssAnon:     1234 kB`.
fn anonymous_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// A control group with a limit, of either version; it goes away.
struct Group {
    folder: PathBuf,
    /// The file that tells the most that it held.
    peak: &'static str,
}

/// The file by which the folder is known as one of control groups, that of the limit, that of the peak.
type Kind = (&'static str, &'static str, &'static str, &'static str);

const KINDS: [Kind; 2] = [
    ("/sys/fs/cgroup", "cgroup.controllers", "memory.max", "memory.peak"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
];

impl Group {
    fn make(limit_mb: u64) -> Result<Self, Failure> {
        let name = format!("proofline-compare-{}", std::process::id());
        // Where version 1 is mounted, the folder of version 2 is an ordinary one, in which anything can be made.
        for (root, known_by, limit, peak) in
            KINDS.into_iter().filter(|kind| Path::new(kind.0).join(kind.1).is_file())
        {
            let folder = Path::new(root).join(&name);
            if fs::create_dir(&folder).is_err() {
                continue;
            }
            let group = Self { folder, peak };
            if group.set(limit, limit_mb * MB).is_ok() {
                return Ok(group);
            }
            eprintln!("  {root}, known by {known_by}, limits no memory");
        }
        Err(Failure::Unmeasured("no control group with a memory limit can be made here".to_owned()))
    }

    /// Writes to a file that has to be there.
    fn set(&self, name: &str, value: u64) -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).open(self.folder.join(name))?;
        file.write_all(value.to_string().as_bytes())
    }

    fn peak_bytes(&self) -> Option<u64> {
        fs::read_to_string(self.folder.join(self.peak)).ok()?.trim().parse().ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Whether a program comes to a good end within so much memory, the page cache that it fills included.
fn within(command: &Command, limit_mb: u64) -> Result<bool, Failure> {
    let group = Group::make(limit_mb)?;
    let mut limited = Command::new("sh");
    limited.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(group.folder.join("cgroup.procs"));
    limited.arg(command.get_program()).args(command.get_args()).stdout(std::process::Stdio::null());
    let ended = limited.status().map_err(Failure::io("run in", &group.folder))?;
    // A program that never was in the group would fit into any.
    match group.peak_bytes() {
        Some(1..) => Ok(ended.success()),
        _ => Err(Failure::Unmeasured("the control group does not tell what it held".to_owned())),
    }
}

/// Time of each record over some calls.
fn nanoseconds(calls: &[(u64, Duration)]) -> f64 {
    let records: u64 = calls.iter().map(|(records, _)| records).sum();
    let time: Duration = calls.iter().map(|(_, time)| time).sum();
    time.as_secs_f64() * 1e9 / records.max(1) as f64
}

/// The last records of the making, beside the first so many.
fn committed(grown: &Grown, small: u64) -> Line {
    let (of_first, first, last) = ends(&grown.calls, small);
    Line {
        what: format!("commit, each of the last {of_first} of {} records", grown.records),
        ours: Figure::one(last, "ns"),
        yardstick: format!("each of the first {of_first}"),
        theirs: Some(Figure::one(first, "ns")),
        ratio: last / first,
        target: Target::at_most(1.2, 1.05),
        note: "groups of 1,000 into one ledger, once, in turn with the bare loop below: a disk that drifts shows in both"
            .to_owned(),
    }
}

/// The same of a bare loop, which no ledger makes dearer.
fn appended(grown: &Grown, small: u64) -> Line {
    let (of_first, first, last) = ends(&grown.appends, small);
    Line {
        what: format!("bare append and `fdatasync` of the same bytes, last {of_first} of {}", grown.records),
        ours: Figure::one(last, "ns"),
        yardstick: format!("each of the first {of_first}"),
        theirs: Some(Figure::one(first, "ns")),
        ratio: last / first,
        target: None,
        note: "what the disk does by itself, in turn with the commits above".to_owned(),
    }
}

/// How many records the first calls have, and the time of each in the first and in the last calls.
fn ends(calls: &[(u64, Duration)], small: u64) -> (u64, f64, f64) {
    let count = usize::try_from(small).unwrap_or(0).div_ceil(crate::data::GROUP).clamp(1, calls.len());
    let (first, last) = (&calls[..count], &calls[calls.len() - count..]);
    (first.iter().map(|(records, _)| records).sum(), nanoseconds(first), nanoseconds(last))
}

/// The time of each record in ledgers of these sizes, and a curve of it.
fn replayed(run: &mut Run, sizes: &[u64]) -> Result<Vec<Figure>, Failure> {
    let dirs: Vec<PathBuf> =
        sizes.iter().map(|size| run.ledger(*size).map(|(dir, _)| dir)).collect::<Result<_, Failure>>()?;
    let replay = |dir: &PathBuf| {
        run.settle(dir)?;
        spawned(&mut run.proofline(&["replay", "--threads", "1"], dir))
    };
    let mut replays: Vec<_> = dirs.iter().map(|dir| || replay(dir)).collect();
    let mut sides: Vec<Side<'_>> = replays.iter_mut().map(|side| side as Side<'_>).collect();
    let times = in_turns(run.options.rounds, &mut sides)?;
    let each = |(size, times): (&u64, &Vec<Duration>)| Figure::each(*size as f64, times, 1e9, "ns");
    let figures: Vec<Figure> = sizes.iter().zip(&times).map(each).collect();
    let points = sizes.iter().zip(&figures).map(|(size, figure)| (*size as f64, figure.median));
    run.curves.push(Curve {
        name: "replay-size",
        title: "Forensic replay by size of the ledger, one thread".to_owned(),
        across: "records",
        up: "ns a record",
        is_log: true,
        series: vec![("proofline replay".to_owned(), points.collect())],
    });
    Ok(figures)
}

fn against_small(sizes: &[u64], figures: &[Figure], small: u64) -> Line {
    let place = sizes.iter().position(|size| *size == small).unwrap_or(0);
    let (first, last) = (figures[place], figures[figures.len() - 1]);
    Line {
        what: format!("forensic replay, each of {} records", sizes[sizes.len() - 1]),
        ours: last,
        yardstick: format!("each of {small}"),
        theirs: Some(first),
        ratio: last.median / first.median,
        target: Target::at_most(1.2, 1.05),
        note: "one thread, from process start".to_owned(),
    }
}

fn commit_curve(grown: &Grown) -> Curve {
    Curve {
        name: "commit-size",
        title: "Commit in groups of 1,000, by size of the ledger".to_owned(),
        across: "records in the ledger",
        up: "ns a record",
        is_log: false,
        series: vec![
            ("proofline commit".to_owned(), windows(&grown.calls)),
            ("bare append and fdatasync".to_owned(), windows(&grown.appends)),
        ],
    }
}

fn windows(calls: &[(u64, Duration)]) -> Vec<(f64, f64)> {
    let (mut points, mut records) = (Vec::new(), 0);
    for window in calls.chunks(calls.len().div_ceil(WINDOWS).max(1)) {
        records += window.iter().map(|(records, _)| records).sum::<u64>();
        points.push((records as f64, nanoseconds(window)));
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_no_file_is_read_from_the_status() {
        assert_eq!(anonymous_bytes("VmHWM:\t 9 kB\nRssAnon:\t    1234 kB\n"), Some(1234 * 1024));
        assert_eq!(anonymous_bytes("VmHWM:\t 9 kB\n"), None);
    }
}
