//! The promise that guards all others: whatever is done to the stored bytes of a small ledger, a
//! forensic run over everything is not all well, or the ledger cannot be opened. Feared above all:
//! a change that one layer skips because it trusts another to look.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use common::evidence::{bare, chain, declared};
use common::forged_index::{forged_hashes, forged_index, forged_system};
use common::{NOW_MS, fresh, genesis, run};
use proofline_ledger::frame::FrameLengths;
use proofline_ledger::segment::SEGMENT_HEADER_BYTES;
use proofline_ledger::{Action, Ledger, Options, Snapshot};
use proofline_proof::{KeyName, KeyRole, SecretKey, Signer};
use proofline_replay::{Mode, Plan, RunVerdict, Summary, record_all};
use zeroize::Zeroizing;

const MODES: [Mode; 2] = [Mode::Forensic, Mode::Invariant];

fn plan() -> Plan {
    Plan { threads: NonZeroUsize::new(1), ..Plan::default() }
}

/// A small ledger with every kind of entry there is, in one segment or in several.
fn small(segment_bytes: u64) -> (tempfile::TempDir, PathBuf) {
    let (dir, ledger) = fresh(Options { segment_bytes, ..Options::default() });
    let chains = [chain(1, 1), chain(2, 1)];
    for line in chains.concat() {
        ledger.commit_action(&bare(&line), NOW_MS).unwrap();
    }
    let wrong = "0".repeat(64);
    ledger.commit_action(&declared("tool_call", &wrong, &chains[0][2]), NOW_MS).unwrap();
    let (verdicts, _) = run(&ledger.snapshot().unwrap(), &plan());
    record_all(&ledger, &verdicts[..1], NOW_MS).unwrap();
    let path = dir.path().join("ledger");
    assert_eq!(look(&path).unwrap().verdict(), RunVerdict::AllWell);
    (dir, path)
}

/// What a run over everything comes to; `None` when the ledger cannot be opened.
fn look(path: &Path) -> Option<Summary> {
    let snapshot = Snapshot::open(path).ok()?;
    Some(run(&snapshot, &plan()).1)
}

fn segments(path: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(path.join("log")).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|end| end == "seg")).collect();
    files.sort();
    files
}

fn assert_noticed(path: &Path, what: impl std::fmt::Display) {
    if let Some(summary) = look(path) {
        assert_eq!(summary.verdict(), RunVerdict::Damaged, "{what}");
        assert!(!summary.damage.is_empty(), "{what}");
    }
}

#[test]
fn every_byte_of_the_log_counts() {
    for segment_bytes in [64 << 20, 4096] {
        let (_dir, path) = small(segment_bytes);
        let files = segments(&path);
        assert_eq!(files.len() > 1, segment_bytes == 4096);
        for file in files {
            let whole = std::fs::read(&file).unwrap();
            for at in 0..whole.len() {
                // All values of change on the one long segment, one in turn on the short ones.
                let masks = [0x01, 0x80, 0xff];
                let masks = if segment_bytes == 4096 { &masks[at % 3..=at % 3] } else { &masks[..] };
                for mask in masks {
                    let mut bytes = whole.clone();
                    bytes[at] ^= mask;
                    std::fs::write(&file, bytes).unwrap();
                    assert_noticed(&path, format!("{} byte {at} ^ {mask}", file.display()));
                }
            }
            std::fs::write(&file, whole).unwrap();
        }
        assert_eq!(look(&path).unwrap().verdict(), RunVerdict::AllWell);
    }
}

#[test]
fn every_length_of_the_log_counts() {
    for segment_bytes in [64 << 20, 4096] {
        let (_dir, path) = small(segment_bytes);
        for file in segments(&path) {
            let whole = std::fs::read(&file).unwrap();
            for length in 0..whole.len() {
                std::fs::write(&file, &whole[..length]).unwrap();
                assert_noticed(&path, format!("{} cut at {length}", file.display()));
            }
            std::fs::write(&file, whole).unwrap();
        }
    }
}

/// The front of a segment, then its frames.
fn frames(bytes: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (front, mut rest) = bytes.split_at(SEGMENT_HEADER_BYTES);
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let (frame, behind) = rest.split_at(FrameLengths::read(rest).unwrap().frame_bytes());
        frames.push(frame.to_vec());
        rest = behind;
    }
    (front.to_vec(), frames)
}

#[test]
fn every_frame_has_its_place() {
    for segment_bytes in [64 << 20, 4096] {
        let (_dir, path) = small(segment_bytes);
        let files = segments(&path);
        for file in &files {
            let whole = std::fs::read(file).unwrap();
            let (front, frames) = frames(&whole);
            let write = |frames: &[Vec<u8>], what: String| {
                std::fs::write(file, [front.clone(), frames.concat()].concat()).unwrap();
                assert_noticed(&path, what);
            };
            // Behind the published size lies what a writer may be at work on: no entry yet.
            let published = if Some(file) == files.last() { frames.len() - 1 } else { frames.len() };
            for at in 0..frames.len() {
                let mut removed = frames.clone();
                removed.remove(at);
                write(&removed, format!("frame {at} removed"));
                if at < published {
                    let mut repeated = frames.clone();
                    repeated.insert(at, frames[at].clone());
                    write(&repeated, format!("frame {at} repeated"));
                }
                for other in at + 1..frames.len() {
                    let mut swapped = frames.clone();
                    swapped.swap(at, other);
                    write(&swapped, format!("frames {at} and {other} swapped"));
                    let mut inserted = frames.clone();
                    inserted.insert(at, frames[other].clone());
                    write(&inserted, format!("frame {other} inserted at {at}"));
                }
            }
            std::fs::write(file, whole).unwrap();
        }
    }
}

#[test]
fn bytes_behind_the_published_size_are_no_entries() {
    let (_dir, path) = small(64 << 20);
    let expected = run(&Snapshot::open(&path).unwrap(), &plan());
    let file = segments(&path).remove(0);
    let whole = std::fs::read(&file).unwrap();
    let (_, frames) = frames(&whole);
    for tail in [&frames[0][..], &frames[frames.len() - 1], &[0; 7]] {
        std::fs::write(&file, [&whole, tail].concat()).unwrap();
        assert_eq!(run(&Snapshot::open(&path).unwrap(), &plan()), expected);
    }
}

#[test]
fn a_cut_between_frames_past_every_mark_is_called_not_anchored() {
    let (_dir, path) = small(64 << 20);
    let file = segments(&path).remove(0);
    let whole = std::fs::read(&file).unwrap();
    let (front, frames) = frames(&whole);
    std::fs::remove_file(path.join("published")).unwrap();
    for kept in 1..=frames.len() {
        std::fs::write(&file, [front.clone(), frames[..kept].concat()].concat()).unwrap();
        let summary = look(&path).unwrap();
        assert_eq!((summary.end.as_str(), summary.entries), ("not_anchored", kept as u64));
        assert_eq!(summary.damage, []);
    }
}

/// Derived files decide nothing: without them, or with wrong ones, the verdicts are the same.
#[test]
fn derived_files_change_no_verdict() {
    let (_dir, path) = small(4096);
    let verdicts = || run(&Snapshot::open(&path).unwrap(), &plan());
    let (expected, summary) = verdicts();
    assert_eq!(summary.derived_damage, []);
    let files = std::fs::read_dir(path.join("log")).unwrap().map(|file| file.unwrap().path());
    let mut derived: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|end| end == "idx")).collect();
    assert!(!derived.is_empty());
    derived.push(path.join("published"));
    for file in derived {
        let whole = std::fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            std::fs::write(&file, bytes).unwrap();
            let (found, summary) = verdicts();
            assert_eq!(found, expected, "{} byte {at}", file.display());
            assert_eq!(summary.derived_damage.len(), 1, "{} byte {at}", file.display());
            assert_eq!(summary.verdict(), RunVerdict::AllWell);
        }
        std::fs::remove_file(&file).unwrap();
        let (found, summary) = verdicts();
        assert_eq!((found, summary.derived_damage.len()), (expected.clone(), 1));
        std::fs::write(&file, whole).unwrap();
    }
}

/// The writer that opens the folder again finds what replay found well.
#[test]
fn an_untouched_ledger_stays_as_it_is() {
    let (_dir, path) = small(4096);
    let ledger = Ledger::open(&path, Options::default()).unwrap();
    assert!(ledger.recovery().is_clean());
}

/// Prerequisites and duplicates are found by hash, through the same files.
#[test]
fn an_index_that_hides_a_hash_is_damage() {
    type Forgery = fn(&mut Vec<[u8; 16]>);
    let (_dir, path) = small(4096);
    let index = path.join("log/00000000000000000000.idx");
    let whole = std::fs::read(&index).unwrap();
    let forgeries: [(&str, Forgery, bool); 6] = [
        ("as it was", |_| {}, false),
        ("one hash is another", |entries| entries.last_mut().unwrap()[..8].fill(0xff), true),
        ("one stands there twice, another not at all", |entries| entries[1] = entries[0], true),
        ("an accepted record is called an artifact", |entries| entries[2][12] ^= 2, true),
        ("it is found at another entry", |entries| entries[0][8] ^= 1, true),
        ("all are listed where no search finds them", |entries| entries.reverse(), true),
    ];
    for (what, forge, is_damage) in forgeries {
        std::fs::write(&index, forged_hashes(&whole, forge)).unwrap();
        let snapshot = Snapshot::open(&path).unwrap();
        assert_eq!(snapshot.derived_damage(), [], "the forgery is not noticed on opening");
        for mode in MODES {
            let (_, summary) = run(&snapshot, &Plan { mode, ..plan() });
            let codes: Vec<&str> = summary.damage.iter().map(|damage| damage.code).collect();
            assert_eq!(codes, if is_damage { vec!["index.incomplete"] } else { vec![] }, "{what}");
        }
    }
}

/// The list of keys, erasures and holds are found through the same files: as many as there are is not enough.
#[test]
fn an_index_that_names_other_system_entries_is_damage() {
    type Forgery = fn(&mut [[u8; 4]]);
    let (dir, ledger) = fresh(Options { segment_bytes: 8192, ..Options::default() });
    let secret = |name: &str, role| {
        SecretKey::from_seed(KeyName::new(name).unwrap(), role, &Zeroizing::new([1; 32])).unwrap()
    };
    let log = secret(genesis().origin.as_str(), KeyRole::Log);
    let producer = secret("gateway.example", KeyRole::Producer);
    for (key, by) in [(&log, None), (&producer, Some(&log as &dyn Signer))] {
        let record = ledger.snapshot().unwrap().key_list().unwrap().addition(key, by).unwrap();
        ledger.commit_action(&Action::System(&record.canonical()), NOW_MS).unwrap();
    }
    (1..=4).flat_map(|number| chain(number, 1)).for_each(|line| {
        ledger.commit_action(&bare(&line), NOW_MS).unwrap();
    });
    drop(ledger);
    let path = dir.path().join("ledger");
    let index = path.join("log/00000000000000000000.idx");
    let whole = std::fs::read(&index).unwrap();
    let forgeries: [(&str, Forgery, bool); 4] = [
        ("as it was", |ordinals| assert_eq!(ordinals, [1_u32, 2].map(u32::to_le_bytes)), false),
        ("one stands there twice, another not at all", |ordinals| ordinals[1] = ordinals[0], true),
        ("a record in its place", |ordinals| ordinals[1] = 3_u32.to_le_bytes(), true),
        ("an entry that is not there", |ordinals| ordinals[1] = 9999_u32.to_le_bytes(), true),
    ];
    for (what, forge, is_damage) in forgeries {
        std::fs::write(&index, forged_system(&whole, forge)).unwrap();
        let snapshot = Snapshot::open(&path).unwrap();
        assert_eq!(snapshot.derived_damage(), [], "the forgery is not noticed on opening");
        for mode in MODES {
            let (_, summary) = run(&snapshot, &Plan { mode, ..plan() });
            let codes: Vec<&str> = summary.damage.iter().map(|damage| damage.code).collect();
            assert_eq!(codes.contains(&"index.incomplete"), is_damage, "{what}: {codes:?}");
        }
    }
}

/// An index is derived, and one that hides entries hides them from the trace, not from the run.
#[test]
fn an_index_that_leaves_entries_out_is_damage() {
    let (_dir, path) = small(4096);
    let index = path.join("log/00000000000000000000.idx");
    let whole = std::fs::read(&index).unwrap();
    for (cut, listed) in [(0, true), (1, false), (2, false)] {
        std::fs::write(&index, forged_index(&whole, cut)).unwrap();
        let snapshot = Snapshot::open(&path).unwrap();
        assert_eq!(snapshot.derived_damage(), [], "the forgery is not noticed on opening");
        for mode in MODES {
            let (_, summary) = run(&snapshot, &Plan { mode, ..plan() });
            let codes: Vec<&str> = summary.damage.iter().map(|damage| damage.code).collect();
            assert_eq!(codes, if listed { vec![] } else { vec!["index.incomplete"] }, "{cut}");
            assert_eq!(summary.verdict() == RunVerdict::Damaged, !listed);
        }
    }
}
