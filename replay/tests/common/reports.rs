//! Ledgers with all that a report can tell of, and reports over them.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use proofline_ledger::{Options, Snapshot};
use proofline_replay::report::{Batch, End, ReportError, Shard};
use proofline_replay::{Event, Means, Plan, ReplaySink, TraceReplay};

use super::evidence::{chain, hash_of, tool_call};
use super::forge::{self, Forged};
use super::forged_index::forged_hashes;
use super::shipped::agent_work;
use super::{commit, fresh};

/// A ledger, by what is the matter with it.
pub struct Sample {
    pub what: &'static str,
    _folder: tempfile::TempDir,
    pub dir: PathBuf,
}

impl Sample {
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::open(&self.dir).unwrap()
    }
}

/// Ledgers that are well, that fail, that are damaged, with findings and with refused attempts alone.
pub fn samples() -> Vec<Sample> {
    vec![shipped(), failing(), damaged(), hidden()]
}

pub fn shipped() -> Sample {
    let (folder, ledger) = agent_work(Options { segment_bytes: 1 << 14, ..Options::default() });
    // Traces of which only refused attempts are there: the head of the chain is missing.
    for trace in 500..520 {
        commit(&ledger, &chain(trace, 2)[1..]);
    }
    Sample { what: "shipped evidence", dir: folder.path().join("ledger"), _folder: folder }
}

/// Written without a gate: calls that nothing allows, and no damage at all.
pub fn failing() -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let mut entries = Vec::new();
    for trace in 1..=60_u32 {
        let lines = chain(trace, 1);
        let shown = if trace % 3 == 0 { &lines[2..] } else { &lines[..] };
        for line in shown {
            entries.push(Forged::accepted(entries.len() as u64 + 1, line));
        }
    }
    let dir = folder.path().join("ledger");
    drop(forge::ledger(&dir, &entries));
    Sample { what: "calls that nothing allows", _folder: folder, dir }
}

/// Bytes changed in two segments: one that only the check of entries reads, and the one that opening reads.
pub fn damaged() -> Sample {
    let sample = Sample { what: "damage", ..shipped() };
    let mut segments: Vec<PathBuf> =
        std::fs::read_dir(sample.dir.join("log")).unwrap().map(|file| file.unwrap().path()).collect();
    segments.retain(|file| file.extension().is_some_and(|end| end == "seg"));
    segments.sort();
    for file in [&segments[0], &segments[2], segments.last().unwrap()] {
        let mut bytes = std::fs::read(file).unwrap();
        for at in (700..bytes.len()).step_by(1500) {
            bytes[at] ^= 0x20;
        }
        std::fs::write(file, bytes).unwrap();
    }
    sample
}

/// An index that lists another hash than its entry has: seen by counting alone.
pub fn hidden() -> Sample {
    let (folder, ledger) = fresh(Options { segment_bytes: 4096, ..Options::default() });
    for trace in 1..=40 {
        commit(&ledger, &chain(trace, 1));
    }
    drop(ledger);
    let dir = folder.path().join("ledger");
    let index = dir.join("log/00000000000000000000.idx");
    let whole = std::fs::read(&index).unwrap();
    std::fs::write(&index, forged_hashes(&whole, |entries| entries.last_mut().unwrap()[..8].fill(0xff)))
        .unwrap();
    Sample { what: "an index that hides a hash", _folder: folder, dir }
}

/// Many traces with one call each, which is allowed by a decision of its own.
pub fn many(traces: u32, options: Options) -> Sample {
    let (folder, ledger) = fresh(options);
    let lines: Vec<String> = (1..=traces).flat_map(one_call).collect();
    lines.chunks(3000).for_each(|lines| drop(commit(&ledger, lines)));
    Sample { what: "many traces", dir: folder.path().join("ledger"), _folder: folder }
}

fn one_call(trace: u32) -> Vec<String> {
    let mut lines = chain(trace, 0);
    let call = tool_call(trace, &hash_of(&lines[0]), &hash_of(&lines[1]), 1);
    lines.push(call);
    lines
}

pub fn on(threads: usize) -> Plan {
    Plan { threads: NonZeroUsize::new(threads), ..Plan::default() }
}

/// Watches nothing.
pub struct Nobody;

impl ReplaySink for Nobody {
    fn verdict(&mut self, _: TraceReplay) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Runs into a file.
pub fn write(snapshot: &Snapshot, plan: &Plan, out: &Path) -> End {
    Batch::begin(out).unwrap().run(snapshot, &Means::default(), plan, &mut Nobody).unwrap()
}

/// Goes on with a run, with a checkpoint after each so many traces.
pub fn resume(snapshot: &Snapshot, plan: &Plan, out: &Path, every: usize) -> Result<End, ReportError> {
    let batch = Batch::resume(out)?.with_checkpoint_traces(NonZeroUsize::new(every).unwrap());
    let snapshot = batch.prefix(snapshot)?;
    batch.run(&snapshot, &Means::default(), plan, &mut Nobody)
}

/// The files of all shards.
pub fn write_shards(snapshot: &Snapshot, plan: &Plan, of: u64, folder: &Path) -> Vec<PathBuf> {
    let one = |index| {
        let out = folder.join(format!("{index}-of-{of}.jsonl"));
        write(snapshot, &Plan { shard: Some(Shard::new(index, of).unwrap()), ..plan.clone() }, &out);
        out
    };
    (1..=of).map(one).collect()
}

/// Does something at each event, and stops when that says so.
pub struct At<F>(pub F);

impl<F: FnMut(&Event) -> ControlFlow<()>> ReplaySink for At<F> {
    fn verdict(&mut self, _: TraceReplay) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn event(&mut self, event: &Event) -> ControlFlow<()> {
        (self.0)(event)
    }
}
