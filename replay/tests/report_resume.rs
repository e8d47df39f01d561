//! A run into a file that is cut off anywhere goes on to the same bytes: what a kill leaves is taken at every point
//! where something was just made durable, also with a torn end, and gone on with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::commit;
use common::evidence::chain;
use common::forged_index::forged_hashes;
use common::reports::{At, Nobody, Sample, damaged, many, on, resume, shipped, write};
use proofline_ledger::{Ledger, Options, Snapshot};
use proofline_replay::report::{Batch, Part, Progress, ReportError, Shard};
use proofline_replay::{Means, Mode, Plan, ReplayError, ReplaySink, TraceReplay, replay_part};

fn beside(out: &Path, end: &str) -> PathBuf {
    PathBuf::from(format!("{}{end}", out.display()))
}

/// What a kill would leave: the report in the making and its checkpoint.
#[derive(PartialEq)]
struct Image {
    partial: Vec<u8>,
    checkpoint: Option<Vec<u8>>,
}

impl Image {
    fn take(out: &Path) -> Self {
        Self {
            partial: fs::read(beside(out, ".partial")).unwrap(),
            checkpoint: fs::read(beside(out, ".checkpoint")).ok(),
        }
    }

    fn put(&self, out: &Path) {
        fs::write(beside(out, ".partial"), &self.partial).unwrap();
        if let Some(checkpoint) = &self.checkpoint {
            fs::write(beside(out, ".checkpoint"), checkpoint).unwrap();
        }
    }

    /// How many bytes of the report its checkpoint vouches for.
    fn kept(&self) -> Option<usize> {
        let text = String::from_utf8(self.checkpoint.clone()?).unwrap();
        let rest = text.split_once(r#""bytes":"#).unwrap().1;
        Some(rest.split_once(',').unwrap().0.parse().unwrap())
    }
}

/// The report of a run, and what a kill would have left at each event.
fn watched(snapshot: &Snapshot, plan: &Plan, every: usize) -> (Vec<u8>, Vec<Image>) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.jsonl");
    let batch = Batch::begin(&out).unwrap().with_checkpoint_traces(NonZeroUsize::new(every).unwrap());
    let mut images: Vec<Image> = Vec::new();
    let mut watch = At(|_: &_| {
        let image = Image::take(&out);
        if images.last() != Some(&image) {
            images.push(image);
        }
        ControlFlow::Continue(())
    });
    batch.run(snapshot, &Means::default(), plan, &mut watch).unwrap();
    assert!(!beside(&out, ".partial").exists() && !beside(&out, ".checkpoint").exists());
    (fs::read(&out).unwrap(), images)
}

#[test]
fn a_run_that_is_killed_anywhere_goes_on_to_the_same_bytes() {
    for (sample, every) in [(shipped(), 1), (damaged(), 4), (many(300, Options::default()), 37)] {
        let snapshot = sample.snapshot();
        for shard in [None, Some(Shard::new(2, 3).unwrap())] {
            let plan = Plan { shard, ..on(2) };
            let (expected, images) = watched(&snapshot, &plan, every);
            let checkpoints: std::collections::BTreeSet<_> = images.iter().map(Image::kept).collect();
            assert!(checkpoints.len() > 2, "{}: {checkpoints:?}", sample.what);
            for image in &images {
                for torn in ["", "{\"record\":{\"gener", "\n\0\u{1}garbage"] {
                    assert_resumes(image, torn, &snapshot, &plan, &expected);
                }
            }
        }
    }
}

fn assert_resumes(image: &Image, torn: &str, snapshot: &Snapshot, plan: &Plan, expected: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.jsonl");
    image.put(&out);
    let mut partial = image.partial.clone();
    partial.extend_from_slice(torn.as_bytes());
    fs::write(beside(&out, ".partial"), partial).unwrap();
    resume(snapshot, plan, &out, 5).unwrap();
    assert!(fs::read(&out).unwrap() == expected, "other bytes after a resumption");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something is left behind");
}

#[test]
fn a_stop_comes_to_a_checkpoint_and_goes_on_to_the_same_bytes() {
    let sample = many(100, Options::default());
    let snapshot = sample.snapshot();
    let (expected, _) = watched(&snapshot, &on(1), 10);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.jsonl");
    let mut runs = 0;
    loop {
        let batch = Batch::resume(&out).unwrap().with_checkpoint_traces(NonZeroUsize::new(10).unwrap());
        let mut events = 0;
        // Each run gets two batches further.
        let mut watch = At(|_: &_| {
            events += 1;
            if events > 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match batch.run(&snapshot, &Means::default(), &on(1), &mut watch) {
            Ok(_) => break,
            Err(error) => assert!(matches!(error, ReportError::Replay(ReplayError::Stopped)), "{error}"),
        }
        assert!(beside(&out, ".checkpoint").exists() && !out.exists());
        runs += 1;
        assert!(runs < 20, "it does not get on");
    }
    assert!(runs >= 3, "{runs}");
    assert!(fs::read(&out).unwrap() == expected);
}

#[test]
fn a_ledger_that_grew_is_read_as_it_was() {
    let sample = many(120, Options { segment_bytes: 1 << 14, ..Options::default() });
    let before = sample.snapshot();
    let (expected, images) = watched(&before, &on(2), 16);
    let ledger = Ledger::open(&sample.dir, Options { segment_bytes: 1 << 14, ..Options::default() }).unwrap();
    for trace in 100..200 {
        commit(&ledger, &chain(1000 + trace, 1)); // new traces
        commit(&ledger, &chain(trace - 99, 3)[2..]); // and more of the old ones
    }
    drop(ledger);
    let after = sample.snapshot();
    assert!(after.entries() > before.entries() + 300);
    for image in images.iter().filter(|image| image.checkpoint.is_some()) {
        assert_resumes(image, "", &after, &on(1), &expected);
    }
}

/// A prefix of a ledger is the ledger that it once was.
#[test]
fn a_prefix_gives_the_report_of_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let (_dir, ledger) = common::fresh(Options { segment_bytes: 4096, ..Options::default() });
    let mut expected = Vec::new();
    for trace in 1..=12_u32 {
        commit(&ledger, &chain(trace % 5 + 1, trace));
        let out = folder.path().join(format!("{trace}.jsonl"));
        let snapshot = ledger.snapshot().unwrap();
        write(&snapshot, &on(1), &out);
        expected.push((snapshot.entries(), snapshot.head(), fs::read(out).unwrap()));
    }
    let latest = ledger.snapshot().unwrap();
    for (entries, head, bytes) in expected {
        let out = folder.path().join(format!("again-{entries}.jsonl"));
        let prefix = latest.at(entries).unwrap();
        assert_eq!((prefix.entries(), prefix.head()), (entries, head));
        write(&prefix, &on(1), &out);
        assert!(fs::read(out).unwrap() == bytes, "{entries} entries");
    }
    assert!(latest.at(0).is_err() && latest.at(latest.entries() + 1).is_err());
}

#[track_caller]
fn code(result: Result<impl std::fmt::Debug, ReportError>) -> &'static str {
    result.unwrap_err().code()
}

#[test]
fn what_a_run_cannot_go_on_with_is_refused_and_left_alone() {
    let sample = many(60, Options::default());
    let snapshot = sample.snapshot();
    let (expected, images) = watched(&snapshot, &on(1), 8);
    let image = images.iter().rfind(|image| image.checkpoint.is_some()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.jsonl");
    image.put(&out);

    assert_eq!(code(Batch::begin(&out)), "report.unfinished");
    let other = |plan: Plan| code(resume(&snapshot, &plan, &out, 8));
    assert_eq!(other(Plan { mode: Mode::Invariant, ..on(1) }), "report.other_run");
    assert_eq!(other(Plan { include_rejected: true, ..on(1) }), "report.other_run");
    assert_eq!(other(Plan { shard: Some("1/2".parse().unwrap()), ..on(1) }), "report.other_run");
    assert_eq!(code(resume(&snapshot.at(50).unwrap(), &on(1), &out, 8)), "report.shorter_ledger");
    let elsewhere = many(61, Options::default());
    assert_eq!(code(resume(&shipped().snapshot(), &on(1), &out, 8)), "report.other_run");
    // The same to that size: the very ledger that it was.
    assert!(elsewhere.snapshot().entries() > snapshot.entries());

    // A checkpoint that is not what was written.
    let checkpoint = image.checkpoint.clone().unwrap();
    for change in [
        |bytes: &mut Vec<u8>| bytes.truncate(20),
        |bytes: &mut Vec<u8>| bytes.clear(),
        |bytes: &mut Vec<u8>| bytes.insert(1, b' '),
        |bytes: &mut Vec<u8>| {
            bytes.pop();
        },
    ] {
        let mut changed = checkpoint.clone();
        change(&mut changed);
        fs::write(beside(&out, ".checkpoint"), changed).unwrap();
        assert_eq!(code(Batch::resume(&out)), "report.checkpoint");
    }
    fs::write(beside(&out, ".checkpoint"), &checkpoint).unwrap();

    // A report that is not the one that the checkpoint was made of.
    for at in [400, image.kept().unwrap() - 2] {
        let mut partial = image.partial.clone();
        partial[at] ^= 1;
        fs::write(beside(&out, ".partial"), partial).unwrap();
        assert_eq!(code(resume(&snapshot, &on(1), &out, 8)), "report.checkpoint");
    }
    fs::write(beside(&out, ".partial"), &image.partial[..image.kept().unwrap() - 1]).unwrap();
    assert_eq!(code(resume(&snapshot, &on(1), &out, 8)), "report.checkpoint");

    // All of that left it as it was: it goes on.
    image.put(&out);
    resume(&snapshot, &on(1), &out, 8).unwrap();
    assert!(fs::read(&out).unwrap() == expected);

    // Done is done, for the same run alone.
    assert_eq!(code(Batch::begin(&out)), "report.exists");
    assert!(Batch::resume(&out).unwrap().is_resumed());
    resume(&snapshot, &on(1), &out, 8).unwrap();
    assert_eq!(
        code(resume(&snapshot, &Plan { mode: Mode::Invariant, ..on(1) }, &out, 8)),
        "report.other_run"
    );
    assert!(fs::read(&out).unwrap() == expected);
}

#[test]
fn two_runs_do_not_write_one_report() {
    let sample = many(60, Options::default());
    let snapshot = sample.snapshot();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.jsonl");
    let mut codes = Vec::new();
    let batch = Batch::begin(&out).unwrap().with_checkpoint_traces(NonZeroUsize::new(8).unwrap());
    let mut watch = At(|_: &_| {
        if beside(&out, ".checkpoint").exists() {
            codes.push(code(resume(&snapshot, &on(1), &out, 8)));
        }
        ControlFlow::Continue(())
    });
    batch.run(&snapshot, &Means::default(), &on(1), &mut watch).unwrap();
    assert!(codes.len() > 3 && codes.iter().all(|code| *code == "report.in_use"), "{codes:?}");
}

/// A run that fails before there is anything to go on with leaves nothing.
#[test]
fn what_cannot_be_gone_on_with_does_not_stay() {
    let sample = many(20, Options::default());
    let snapshot = sample.snapshot();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.jsonl");
    let traces = snapshot.traces_after(None, 10).unwrap();
    let chosen = Plan { traces: traces.into_iter().collect(), ..on(1) };
    let stopped = Batch::begin(&out).unwrap().run(
        &snapshot,
        &Means::default(),
        &chosen,
        &mut At(|_: &_| ControlFlow::Break(())),
    );
    assert_eq!(code(stopped), "replay.stopped");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    Batch::begin(&out).unwrap().run(&snapshot, &Means::default(), &chosen, &mut Nobody).unwrap();
    let text = fs::read_to_string(&out).unwrap();
    assert_eq!((text.lines().count(), text.contains(r#""selection":"chosen""#)), (12, true));
}

/// Keeps every place where a run can go on.
struct Places(Vec<Progress>);

impl ReplaySink for Places {
    fn verdict(&mut self, _: TraceReplay) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn progress(&mut self, progress: &dyn Fn() -> Progress) -> ControlFlow<()> {
        self.0.push(progress());
        ControlFlow::Continue(())
    }
}

/// Also in the middle of the log, which is checked in windows of some thousand entries.
#[test]
fn a_part_is_the_same_from_wherever_it_goes_on() {
    let sample = many(6000, Options { segment_bytes: 1 << 20, ..Options::default() });
    // The first segment but that of the genesis entry, which a long group leaves alone.
    let file = sample.dir.join("log/00000000000000000001.seg");
    let mut bytes = fs::read(&file).unwrap();
    for at in (1000..bytes.len()).step_by(40_001) {
        bytes[at] ^= 0x08;
    }
    fs::write(file, bytes).unwrap();
    let snapshot = sample.snapshot();
    let run = |from: Option<Progress>| -> (Part, Vec<Progress>) {
        let (mut places, plan) =
            (Places(Vec::new()), Plan { batch_traces: NonZeroUsize::new(3000), ..on(2) });
        let part = replay_part(&snapshot, &Means::default(), &plan, from, &mut places).unwrap();
        (part, places.0)
    };
    let (expected, places) = run(None);
    assert!(expected.summary().damage_count > 5);
    assert!(places.iter().filter(|place| place.traces() == 0).count() > 1, "two windows of the log at least");
    for place in places {
        assert_eq!(run(Some(place)).0, expected);
    }
    assert_other_damage(&sample);
}

/// Indexes are held against pieces of the log that are longer than the way between two checkpoints: what an index hides
/// of entries that were checked before a stop is found after it.
#[test]
fn what_an_index_hides_is_found_from_wherever_a_run_goes_on() {
    let sample = many(6000, Options { segment_bytes: 1 << 20, ..Options::default() });
    // That of the genesis entry alone.
    let index = sample.dir.join("log/00000000000000000000.idx");
    let forged = forged_hashes(&fs::read(&index).unwrap(), |entries| entries[0][..8].fill(0xff));
    fs::write(index, forged).unwrap();
    let snapshot = sample.snapshot();
    assert_eq!(snapshot.derived_damage(), []);
    let run = |from: Option<Progress>| -> (Part, Vec<Progress>) {
        let mut places = Places(Vec::new());
        let part = replay_part(&snapshot, &Means::default(), &on(2), from, &mut places).unwrap();
        (part, places.0)
    };
    let (expected, places) = run(None);
    let codes =
        |part: Part| -> Vec<&str> { part.conclude().damage.into_iter().map(|damage| damage.code).collect() };
    assert_eq!(codes(expected.clone()), ["index.incomplete"]);
    assert!(places.iter().filter(|place| place.traces() == 0).count() > 1, "two windows of the log at least");
    for place in places {
        assert_eq!(run(Some(place)).0, expected);
    }
}

/// What opening comes upon was counted once, so it must be the same.
fn assert_other_damage(sample: &Sample) {
    let snapshot = sample.snapshot();
    let (mut places, plan) = (Places(Vec::new()), on(1));
    replay_part(&snapshot, &Means::default(), &plan, None, &mut places).unwrap();
    let mut log: Vec<PathBuf> =
        fs::read_dir(sample.dir.join("log")).unwrap().map(|file| file.unwrap().path()).collect();
    log.retain(|file| file.extension().is_some_and(|end| end == "seg"));
    log.sort();
    let last = log.last().unwrap();
    let mut bytes = fs::read(last).unwrap();
    let at = bytes.len() - 200;
    bytes[at] ^= 1;
    fs::write(last, bytes).unwrap();
    let error =
        replay_part(&sample.snapshot(), &Means::default(), &plan, places.0.pop(), &mut Nobody).unwrap_err();
    assert_eq!(error.code(), "replay.other_damage");
}
