//! What a bench of an import found, for people and for programs.

use std::time::Duration;

use serde::Serialize;

use super::bench_machine::Machine;
use super::bench_report::{rounded, say};
use super::error::CliError;
use super::output::Out;
use super::phrase::counted;
use super::safe::safe;
use super::table::{Column, plain, row, titles};

/// How fast all the spans went through something.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct SpanRate {
    seconds: f64,
    spans_per_second: f64,
    /// Millions of bytes of OTLP/JSON.
    mb_per_second: f64,
}

impl SpanRate {
    pub(super) fn of(spans: u64, telemetry_bytes: u64, taken: Duration) -> Self {
        // A clock may be too coarse for a few spans.
        let seconds = taken.max(Duration::from_nanos(1)).as_secs_f64();
        Self {
            seconds: rounded(seconds, 1e6),
            spans_per_second: (spans as f64 / seconds).round(),
            mb_per_second: rounded(telemetry_bytes as f64 / seconds / 1e6, 1e1),
        }
    }
}

/// All of it, in the order in which JSON has it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) program: &'static str,
    pub(super) machine: Machine,
    pub(super) spans: u64,
    pub(super) traces: u64,
    pub(super) contents: Option<u64>,
    pub(super) text_bytes: u32,
    pub(super) capture: &'static str,
    pub(super) telemetry_bytes: u64,
    pub(super) records: u64,
    pub(super) entries: u64,
    pub(super) payloads: u64,
    pub(super) payload_bytes: u64,
    pub(super) threads: u64,
    pub(super) made: SpanRate,
    pub(super) read: SpanRate,
    pub(super) import: SpanRate,
    pub(super) replay: SpanRate,
    pub(super) verify: SpanRate,
    pub(super) peak_memory_bytes: Option<u64>,
    pub(super) disk_bytes: u64,
    pub(super) page_cache: &'static str,
    pub(super) kept_in: Option<String>,
}

const COLUMNS: [Column; 4] = [
    Column::text("stage", 32),
    Column::number("seconds", 9),
    Column::number("spans/s", 11),
    Column::number("MB/s", 8),
];

impl Report {
    pub(super) fn show(&self, out: &mut Out) -> Result<(), CliError> {
        if out.is_json() {
            return out.json(self);
        }
        let (spans, traces) = (counted(self.spans, "span", "spans"), counted(self.traces, "trace", "traces"));
        let mb = self.telemetry_bytes as f64 / 1e6;
        out.line(format_args!("{spans} in {traces}, {mb:.1} MB of OTLP/JSON, capture {}", self.capture))?;
        let (records, payloads) =
            (counted(self.records, "record", "records"), counted(self.payloads, "payload", "payloads"));
        out.line(format_args!("{records} and {payloads} came of them"))?;
        out.line(safe(&self.machine.sentence()))?;
        out.space()?;
        let titles = out.paint().faint(&titles(&COLUMNS));
        out.line(titles)?;
        let threads = counted(self.threads, "thread", "threads");
        stage(out, "make the file", self.made)?;
        stage(out, "read it, 1 thread", self.read)?;
        stage(out, &format!("import, {threads}"), self.import)?;
        stage(out, &format!("forensic replay, {threads}"), self.replay)?;
        stage(out, "verify, 1 thread", self.verify)?;
        out.space()?;
        if let Some(bytes) = self.peak_memory_bytes {
            out.line(format_args!(
                "memory  {:.1} MB at most, until the import was done",
                bytes as f64 / 1e6
            ))?;
        }
        out.line(format_args!(
            "disk    {:.1} MB of bytes, every file counted",
            self.disk_bytes as f64 / 1e6
        ))?;
        let about = "Rates are of spans and of bytes of OTLP/JSON. Each stage ran once, one after the other, in this \
             process. Reading has making in it, and an import reads twice: once for the file's digest. What is \
             imported is durable. Replay and verification read, hash and judge every entry, and what was just \
             written was in the page cache. A payload is a file, and takes whole blocks of the disk.";
        say(out, about, "imports", &self.machine, self.kept_in.as_deref())
    }
}

fn stage(out: &mut Out, stage: &str, rate: SpanRate) -> Result<(), CliError> {
    let cells = [
        (stage.to_owned(), &plain as &dyn Fn(&str) -> String),
        (format!("{:.3}", rate.seconds), &plain),
        (format!("{:.0}", rate.spans_per_second), &plain),
        (format!("{:.1}", rate.mb_per_second), &plain),
    ];
    out.line(row(&COLUMNS, &cells))
}
