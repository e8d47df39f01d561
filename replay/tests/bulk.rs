//! Reading in bulk and looking at no link twice changes nothing: on ledgers that are damaged and forged at random,
//! a run gives what the run that reads entries one by one gives, from the first event to the summary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::fmt::{Debug, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::evidence::{bare, chain, declared};
use common::forge::{self, Forged};
use common::random::Random;
use common::shipped::agent_work;
use common::{NOW_MS, commit, fresh, run};
use proofline_ledger::frame::{FrameLengths, decode_frame, encode_frame};
use proofline_ledger::header::EntryHeader;
use proofline_ledger::segment::SEGMENT_HEADER_BYTES;
use proofline_ledger::{LeafHash, Options, Seq, Snapshot};
use proofline_replay::report::{Progress, Shard};
use proofline_replay::{
    Event, Means, Mode, Plan, ReplayError, ReplaySink, Selection, TraceReplay, record_all, replay,
    replay_one_by_one, replay_part, replay_part_one_by_one,
};
use proofline_trace::EnvelopeHash;

/// Ledgers that are damaged.
#[expect(clippy::disallowed_methods, reason = "the test reads how long to run, and no replay does")]
fn trials() -> u64 {
    if std::env::var("PROOFLINE_EFFORT").as_deref() == Ok("full") { 20_000 } else { 60 }
}

/// All that a run tells, in its order.
#[derive(Default)]
struct Transcript {
    lines: String,
    progress: Vec<Progress>,
}

impl Transcript {
    fn line(&mut self, line: &impl Debug) -> ControlFlow<()> {
        writeln!(self.lines, "{line:?}").unwrap();
        ControlFlow::Continue(())
    }
}

impl ReplaySink for Transcript {
    fn verdict(&mut self, replay: TraceReplay) -> ControlFlow<()> {
        self.line(&replay)
    }

    fn event(&mut self, event: &Event) -> ControlFlow<()> {
        self.line(event)
    }

    fn progress(&mut self, progress: &dyn Fn() -> Progress) -> ControlFlow<()> {
        self.progress.push(progress());
        self.line(&self.progress.last().cloned())
    }
}

fn told<T: Debug>(run: impl FnOnce(&mut Transcript) -> Result<T, ReplayError>) -> Transcript {
    let mut transcript = Transcript::default();
    let end = run(&mut transcript).map_err(|error| (error.code(), error.to_string()));
    let _ = transcript.line(&end);
    transcript
}

fn assert_same(snapshot: &Snapshot, plan: &Plan, random: &mut Random, what: &str) {
    let means = Means::default();
    let fast = told(|sink| replay(snapshot, &means, plan, sink));
    let slow = told(|sink| replay_one_by_one(snapshot, &means, plan, sink));
    assert!(!slow.lines.is_empty());
    assert_eq!(fast.lines, slow.lines, "{what}, {plan:?}");
    if fast.progress.is_empty() || plan.traces != Selection::All {
        return;
    }
    let from = fast.progress[random.below(fast.progress.len())].clone();
    let fast = told(|sink| replay_part(snapshot, &means, plan, Some(from.clone()), sink));
    let slow = told(|sink| replay_part_one_by_one(snapshot, &means, plan, Some(from), sink));
    assert_eq!(fast.lines, slow.lines, "{what}, gone on with, {plan:?}");
}

/// A plan of any kind; some of the traces are chosen, or one that is not there.
fn plan(snapshot: &Snapshot, random: &mut Random) -> Plan {
    let traces = if random.chance(20) {
        let all = snapshot.traces_after(None, 1000).unwrap();
        let chosen = all.into_iter().filter(|_| random.chance(10));
        chosen.chain(["4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap()]).collect()
    } else {
        Selection::All
    };
    let is_all = traces == Selection::All;
    let shard = (is_all && random.chance(20)).then(|| Shard::new(1 + random.below(3) as u64, 3).unwrap());
    Plan {
        mode: if random.chance(30) { Mode::Invariant } else { Mode::Forensic },
        traces,
        include_rejected: random.chance(50),
        threads: NonZeroUsize::new(1 + random.below(2)),
        shard,
        batch_traces: random.chance(50).then(|| NonZeroUsize::new(1 + random.below(20)).unwrap()),
        ..Plan::default()
    }
}

/// Evidence of all kinds, attempts and artifacts, in segments of this size.
fn honest(segment_bytes: u64) -> (tempfile::TempDir, PathBuf) {
    let (folder, ledger) = agent_work(Options { segment_bytes, ..Options::default() });
    for trace in 500..510 {
        commit(&ledger, &chain(trace, 2)[1..]);
    }
    let (verdicts, _) =
        run(&ledger.snapshot().unwrap(), &Plan { threads: NonZeroUsize::new(1), ..Plan::default() });
    record_all(&ledger, &verdicts[..5], NOW_MS).unwrap();
    let path = folder.path().join("ledger");
    (folder, path)
}

fn files(path: &Path, end: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(path.join("log")).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|found| found == end)).collect();
    files.sort();
    files
}

/// The frames of a segment file; none of one that was damaged before.
fn frames(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rest = bytes.get(SEGMENT_HEADER_BYTES..)?;
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (frame, behind) = rest.split_at_checked(FrameLengths::read(rest).ok()?.frame_bytes())?;
        frames.push(frame.to_vec());
        rest = behind;
    }
    Some(frames).filter(|frames| !frames.is_empty())
}

fn forged(frame: &[u8], forge: impl FnOnce(&mut EntryHeader, &mut Vec<u8>)) -> Option<Vec<u8>> {
    let frame = decode_frame(frame).ok()?;
    let (mut header, mut body, mut out) = (frame.header.clone(), frame.body.to_vec(), Vec::new());
    forge(&mut header, &mut body);
    encode_frame(&header, &body, &mut out).ok()?;
    Some(out)
}

/// Says something else in a frame whose checksums are right.
fn lie(frame: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let kind = random.below(9);
    let bytes = [u8::try_from(random.below(256)).unwrap(); 32];
    forged(frame, |header, body| match kind {
        0 if header.previous_leaf.is_some() => header.previous_leaf = Some(LeafHash::from_bytes(bytes)),
        1 => header.recorded_at_ms -= 1,
        2 => header.recorded_at_ms += 1,
        3 => header.envelope_hash = EnvelopeHash::from_bytes(bytes),
        4 => {
            let at = random.below(body.len());
            body[at] ^= 1;
        }
        5 => {
            // Another spelling of the record, and its hash.
            body.insert(1, b' ');
            header.envelope_hash = EnvelopeHash::of(body);
        }
        6 => {
            let at = random.below(body.len());
            body[at] ^= 1;
            header.envelope_hash = EnvelopeHash::of(body);
        }
        7 => {
            if let Some(link) = &mut header.trace {
                link.count += 1;
                link.previous = Some(Seq::new(1)).filter(|first| *first < header.seq).or(link.previous);
            }
        }
        _ => header.trace.iter_mut().for_each(|link| {
            link.trace_id = proofline_trace::TraceId::from_bytes([bytes[0] | 1; 16]).unwrap();
        }),
    })
}

/// Damages the ledger at random, and says how; nothing where too little is left of it.
fn damage(path: &Path, random: &mut Random) -> Option<String> {
    let segments = files(path, "seg");
    let file = &segments[random.below(segments.len())];
    let whole = std::fs::read(file).unwrap();
    let mut frames = frames(&whole)?;
    let at = random.below(frames.len());
    let other = random.below(frames.len());
    let write = |frames: &[Vec<u8>]| {
        std::fs::write(file, [whole[..SEGMENT_HEADER_BYTES].to_vec(), frames.concat()].concat()).unwrap();
    };
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    Some(match random.below(8) {
        0 => {
            let byte = random.below(whole.len());
            let mut bytes = whole.clone();
            bytes[byte] ^= 1 << random.below(8);
            std::fs::write(file, bytes).unwrap();
            format!("{name}: byte {byte} flipped")
        }
        1 => {
            frames.swap(at, other);
            write(&frames);
            format!("{name}: frames {at} and {other} swapped")
        }
        2 => {
            frames[at] = frames[other].clone();
            write(&frames);
            format!("{name}: frame {other} at {at} too")
        }
        3 => {
            let length = SEGMENT_HEADER_BYTES + random.below(whole.len() - SEGMENT_HEADER_BYTES);
            std::fs::write(file, &whole[..length]).unwrap();
            format!("{name}: cut at {length}")
        }
        4 => {
            let indexes = [files(path, "idx"), vec![path.join("published")]].concat();
            let lost = &indexes[random.below(indexes.len())];
            std::fs::remove_file(lost).ok()?;
            format!("{} lost", lost.display())
        }
        _ => {
            frames[at] = lie(&frames[at], random)?;
            write(&frames);
            format!("{name}: frame {at} forged")
        }
    })
}

fn restore(from: &[(PathBuf, Vec<u8>)]) {
    from.iter().for_each(|(file, bytes)| std::fs::write(file, bytes).unwrap());
}

fn contents(path: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = [files(path, "seg"), files(path, "idx"), vec![path.join("published")]].concat();
    files.into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

#[test]
fn a_damaged_ledger_gives_the_same_either_way() {
    for (seed, segment_bytes) in [(1, 1 << 14), (2, 64 << 20), (3, 4096)] {
        let (_folder, path) = honest(segment_bytes);
        let whole = contents(&path);
        let mut random = Random::seeded(seed);
        for trial in 0..trials() / 3 {
            let mut what = String::new();
            // The first one is as it was.
            for _ in 0..trial.min(1) * (1 + random.below(3) as u64) {
                what += &damage(&path, &mut random).unwrap_or_default();
                what += "; ";
            }
            if let Ok(mut snapshot) = Snapshot::open(&path) {
                if random.chance(20) {
                    let size = 1 + random.below(usize::try_from(snapshot.entries()).unwrap()) as u64;
                    snapshot = snapshot.at(size).unwrap();
                }
                for _ in 0..2 {
                    assert_same(&snapshot, &plan(&snapshot, &mut random), &mut random, &what);
                }
            }
            restore(&whole);
        }
    }
}

/// Every link of the log is right, and what the entries say is not.
#[test]
fn a_ledger_forged_without_a_gate_gives_the_same_either_way() {
    let mut random = Random::seeded(7);
    for trial in 0..trials() / 3 {
        let lists = (1..=10).map(|trace| chain(trace, 3)).collect();
        let lines: Vec<String> = random.interleaved(lists);
        let mut entries: Vec<Forged> = Vec::new();
        for line in &lines {
            let seq = 1 + entries.len() as u64;
            let is_refused = random.chance(10);
            let mut entry = match is_refused {
                true => Forged::rejected(seq, line, "unauthorized.policy_denied"),
                false => Forged::accepted(seq, line),
            };
            if random.chance(3) {
                entry.body.insert(1, b' ');
            } else if random.chance(3) {
                entry.key = EnvelopeHash::of(b"another");
            } else if random.chance(3) {
                entry.body.truncate(entry.body.len() / 2);
                entry.key = EnvelopeHash::of(&entry.body);
            }
            entries.push(entry);
            if random.chance(3) {
                let again = Forged { seq: seq + 1, ..entries[entries.len() - 1].clone() };
                entries.push(again);
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let snapshot = forge::bent(folder.path(), &entries, |header| {
            if trial > 0 && header.seq != Seq::GENESIS && random.chance(2) {
                match random.below(4) {
                    0 => header.previous_leaf = Some(LeafHash::from_bytes([1; 32])),
                    1 => header.recorded_at_ms -= 1,
                    2 => header.trace.iter_mut().for_each(|link| {
                        link.count += u64::from(link.count > 1);
                    }),
                    _ => header.envelope_hash = EnvelopeHash::of(b"another"),
                }
            }
        });
        for _ in 0..3 {
            let plan = plan(&snapshot, &mut random);
            assert_same(&snapshot, &plan, &mut random, &format!("forgery {trial}"));
        }
    }
}

/// More entries than are read at a stretch, of one trace, and one that is longer than a stretch.
#[test]
fn long_traces_and_long_records_give_the_same_either_way() {
    let (folder, ledger) = fresh(Options::default());
    let mut lines = chain(1, 2500);
    let wrong = "0".repeat(64);
    lines.extend(chain(2, 3));
    commit(&ledger, &lines);
    ledger.commit_action(&declared("tool_call", &wrong, &lines[2]), NOW_MS).unwrap();
    ledger.commit_action(&bare(&chain(3, 1)[0]), NOW_MS).unwrap();
    let long = format!("{{\"artifact_type\":\"long\",\"text\":\"{}\"}}", "x".repeat(3 << 20));
    let path = folder.path().join("ledger");
    let segment = files(&path, "seg").remove(0);
    drop(ledger);
    let bytes = std::fs::read(&segment).unwrap();
    let mut random = Random::seeded(9);
    for is_long in [false, true] {
        if is_long {
            // In the place of a record in the middle; its links hold no more, nor does the size.
            let mut frames = frames(&bytes).unwrap();
            frames[1200] = forged(&frames[1200], |header, body| {
                *body = long.clone().into_bytes();
                header.envelope_hash = EnvelopeHash::of(body);
            })
            .unwrap();
            let whole = [bytes[..SEGMENT_HEADER_BYTES].to_vec(), frames.concat()].concat();
            std::fs::write(&segment, whole).unwrap();
            std::fs::remove_file(path.join("published")).unwrap();
        }
        let snapshot = Snapshot::open(&path).unwrap();
        for threads in [1, 2] {
            for mode in [Mode::Forensic, Mode::Invariant] {
                let plan = Plan { mode, threads: NonZeroUsize::new(threads), ..Plan::default() };
                assert_same(&snapshot, &plan, &mut random, "long");
            }
        }
    }
}
