//! A ledger that changes while it is replayed. The links of the log are looked at once, before the traces are read:
//! what a trace shows must be what was looked at, or a header put in between would pass.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;

use common::NOW_MS;
use common::evidence::chain;
use common::forge::{self, Forged};
use proofline_ledger::Seq;
use proofline_ledger::segment::segment_name;
use proofline_replay::{
    Event, Means, Mode, Plan, ReplayError, ReplaySink, RunVerdict, Summary, TraceReplay, replay,
};

/// Puts other bytes in a segment's place once every entry was checked, and before the first trace is read.
struct Meddler {
    segment: PathBuf,
    bytes: Vec<u8>,
}

impl ReplaySink for Meddler {
    fn verdict(&mut self, _: TraceReplay) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn event(&mut self, event: &Event) -> ControlFlow<()> {
        if let Event::EntriesChecked { checked, total } = event
            && checked == total
        {
            std::fs::write(&self.segment, &self.bytes).unwrap();
        }
        ControlFlow::Continue(())
    }
}

/// Replays a log that shows the traces entry 6 with a clock `by_ms` later than it showed the check of the log.
fn replayed(mode: Mode, threads: usize, by_ms: u64) -> Result<Summary, ReplayError> {
    let lines = (1..=3).flat_map(|trace| chain(trace, 2));
    let entries: Vec<Forged> = (1..).zip(lines).map(|(seq, line)| Forged::accepted(seq, &line)).collect();
    let folder = tempfile::tempdir().unwrap();
    let [shown, later] = ["shown", "later"].map(|name| folder.path().join(name));
    forge::bent(&later, &entries, |header| {
        header.recorded_at_ms = NOW_MS + if header.seq == Seq::new(6) { by_ms } else { 0 };
    });
    let snapshot = forge::ledger(&shown, &entries);
    let path = |dir: PathBuf| dir.join("log").join(segment_name(Seq::GENESIS));
    let mut meddler = Meddler { bytes: std::fs::read(path(later)).unwrap(), segment: path(shown) };
    let plan = Plan { mode, threads: NonZeroUsize::new(threads), ..Plan::default() };
    replay(&snapshot, &Means::default(), &plan, &mut meddler)
}

#[test]
fn a_header_that_changes_between_the_passes_ends_the_run() {
    for threads in [1, 2] {
        for mode in [Mode::Forensic, Mode::Invariant] {
            let same = replayed(mode.clone(), threads, 0).unwrap();
            assert_eq!((same.verdict(), same.traces), (RunVerdict::AllWell, 3));
            let changed = replayed(mode, threads, 1).unwrap_err();
            assert!(matches!(changed, ReplayError::Changed), "{changed}");
            assert_eq!(changed.code(), "replay.changed");
        }
    }
}
