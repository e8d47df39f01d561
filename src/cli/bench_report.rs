//! What a bench found, for people and for programs.

use std::time::Duration;

use serde::Serialize;

use super::bench_machine::Machine;
use super::error::CliError;
use super::output::Out;
use super::phrase::{counted, wrap_words};
use super::safe::safe;
use super::table::{Column, plain, row, titles};

/// How fast all the records went through something.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Rate {
    seconds: f64,
    records_per_second: f64,
    /// Millions of canonical bytes.
    mb_per_second: f64,
}

impl Rate {
    pub(super) fn of(records: u64, canonical_bytes: u64, taken: Duration) -> Self {
        // A clock may be too coarse for a few records.
        let seconds = taken.max(Duration::from_nanos(1)).as_secs_f64();
        Self {
            seconds: rounded(seconds, 1e6),
            records_per_second: (records as f64 / seconds).round(),
            mb_per_second: rounded(canonical_bytes as f64 / seconds / 1e6, 1e1),
        }
    }
}

/// A number in so many parts of one.
pub(super) fn rounded(number: f64, parts: f64) -> f64 {
    (number * parts).round() / parts
}

/// One replay over everything.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct ReplayRate {
    pub(super) replay_type: &'static str,
    pub(super) threads: u64,
    #[serde(flatten)]
    pub(super) rate: Rate,
}

/// All of it, in the order in which JSON has it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) program: &'static str,
    pub(super) machine: Machine,
    pub(super) seed: u64,
    pub(super) records: u64,
    pub(super) traces: u64,
    pub(super) canonical_bytes: u64,
    pub(super) sha256: Rate,
    pub(super) group_records: u64,
    pub(super) commit: Rate,
    pub(super) replays: Vec<ReplayRate>,
    pub(super) verify: Rate,
    pub(super) open_ms: f64,
    pub(super) disk_bytes: u64,
    pub(super) page_cache: &'static str,
    pub(super) kept_in: Option<String>,
}

const COLUMNS: [Column; 5] = [
    Column::text("stage", 32),
    Column::number("seconds", 9),
    Column::number("records/s", 11),
    Column::number("MB/s", 8),
    Column::number("SHA-256", 8),
];

impl Report {
    pub(super) fn show(&self, out: &mut Out) -> Result<(), CliError> {
        if out.is_json() {
            return out.json(self);
        }
        let (records, traces) =
            (counted(self.records, "record", "records"), counted(self.traces, "trace", "traces"));
        let mb = self.canonical_bytes as f64 / 1e6;
        out.line(format_args!("{records} in {traces}, {mb:.1} MB of canonical bytes, seed {}", self.seed))?;
        out.line(safe(&self.machine.sentence()))?;
        out.space()?;
        let titles = out.paint().faint(&titles(&COLUMNS));
        out.line(titles)?;
        let group = format!("commit, {} a call", self.group_records);
        self.row(out, "hash the bytes once", self.sha256)?;
        self.row(out, &group, self.commit)?;
        for replay in &self.replays {
            let threads = counted(replay.threads, "thread", "threads");
            self.row(out, &format!("{} replay, {threads}", replay.replay_type), replay.rate)?;
        }
        self.row(out, "verify, 1 thread", self.verify)?;
        out.space()?;
        let ratio = self.disk_bytes as f64 / self.canonical_bytes.max(1) as f64;
        out.line(format_args!("open    {:.1} ms", self.open_ms))?;
        out.line(format_args!(
            "disk    {:.1} MB, {ratio:.3} for each canonical byte, every file counted",
            self.disk_bytes as f64 / 1e6
        ))?;
        self.say(out)
    }

    fn row(&self, out: &mut Out, stage: &str, rate: Rate) -> Result<(), CliError> {
        let times = rate.mb_per_second / self.sha256.mb_per_second.max(0.1);
        let cells = [
            (stage.to_owned(), &plain as &dyn Fn(&str) -> String),
            (format!("{:.3}", rate.seconds), &plain),
            (format!("{:.0}", rate.records_per_second), &plain),
            (format!("{:.1}", rate.mb_per_second), &plain),
            (format!("{times:.2}"), &plain),
        ];
        out.line(row(&COLUMNS, &cells))
    }

    /// What the figures are and what they are not.
    fn say(&self, out: &mut Out) -> Result<(), CliError> {
        let about = "The last column is the share of the speed at which one thread hashes the same bytes once. Each \
             stage ran once, one after the other, in this process; hashing and opening are medians. Making the \
             records is not counted. Commits are durable when they return: gate, log, index and sync. Replays \
             read, hash and judge every record; the policies of these records are not at hand, so no decision \
             is made again. What was just written was in the page cache.";
        say(out, about, "commits", &self.machine, self.kept_in.as_deref())
    }
}

/// What figures are and are not, what is slower where the ledger does not lie in memory, and where it is kept.
pub(super) fn say(
    out: &mut Out,
    about: &str,
    slower: &str,
    machine: &Machine,
    kept_in: Option<&str>,
) -> Result<(), CliError> {
    let mut told = vec![about.to_owned()];
    if machine.is_in_memory() {
        told.push(format!(
            "The ledger lay in memory, where a sync costs nothing: {slower} on a disk are slower. Name a folder on \
             the disk with --dir."
        ));
    }
    told.extend(kept_in.map(|dir| format!("The ledger is kept in {dir}.")));
    for text in told {
        out.space()?;
        for line in wrap_words(&text, out.columns()) {
            out.line(line)?;
        }
    }
    Ok(())
}
