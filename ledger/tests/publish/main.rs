//! A published ledger, as a stranger reads it who has the checkpoint's key and nothing else of ours:
//! at any size, while it grows, and after every crash.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod crash;
mod logs;
mod reader;
mod refusals;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::sim_disk::SimDisk;
use common::{NOW_MS, bare, chain, genesis};
use logs::{MadeUp, ORIGIN, key, out, policy_of, read, signed};
use proofline_ledger::{
    Ledger, Options, PublishOrder, PublishProgress, Seq, Snapshot, checkpoint_path, publish,
};
use reader::{Hash, Reader, mth};

/// The resources beside the checkpoint, relative to the folder.
fn resources(disk: &SimDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = disk.contents().into_iter();
    let inside = files.filter_map(|(path, bytes)| Some((path.strip_prefix(out()).ok()?.to_owned(), bytes)));
    inside.filter(|(path, _)| path.starts_with("tile")).collect()
}

#[test]
fn a_stranger_reads_every_size_back() {
    let log = MadeUp::new(70_000);
    for size in [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 70_000] {
        let disk = SimDisk::new();
        let report = log.publish(&disk, size).unwrap();
        assert_eq!((report.size, report.previous_size, report.is_new_checkpoint), (size, None, true));
        let (found, entries) = read(&disk, &key(ORIGIN, 1)).unwrap();
        assert_eq!(found, size);
        assert!(entries[..] == log.headers[..usize::try_from(size).unwrap()]);
        let files = resources(&disk);
        assert_eq!(files.len() as u64, report.tiles_written + report.bundles_written);
        assert_eq!(files.values().map(Vec::len).sum::<usize>() as u64, report.bytes_written);
    }
}

/// The table of tlog-tiles: full tiles and the width of the partial one, by level.
#[test]
fn the_tiles_of_a_size_are_those_of_the_specification() {
    let log = MadeUp::new(70_000);
    let table: [(u64, &[(u64, u64)]); 5] = [
        (1, &[(0, 1)]),
        (256, &[(1, 0), (0, 1)]),
        (65_536, &[(256, 0), (1, 0), (0, 1)]),
        (65_537, &[(256, 1), (1, 0), (0, 1)]),
        (70_000, &[(273, 112), (1, 17), (0, 1)]),
    ];
    for (size, levels) in table {
        let disk = SimDisk::new();
        log.publish(&disk, size).unwrap();
        let mut expected = Vec::new();
        for (level, (full, partial)) in levels.iter().enumerate() {
            let kinds = if level == 0 { vec!["0", "entries"] } else { vec![["", "1", "2"][level]] };
            for kind in kinds {
                expected.extend((0..*full).map(|n| reader::path(kind, n, 256)));
                expected.extend((*partial > 0).then(|| reader::path(kind, *full, *partial)));
            }
        }
        expected.sort();
        let mut found: Vec<String> =
            resources(&disk).keys().map(|path| path.to_str().unwrap().to_owned()).collect();
        found.sort();
        assert_eq!(found, expected, "size {size}");
    }
}

#[test]
fn a_growing_log_is_published_step_by_step_and_nothing_written_twice() {
    let log = MadeUp::new(66_500);
    let steps: Vec<u64> = (1..=30)
        .chain((31..700).step_by(13))
        .chain([767, 768, 769, 65_535, 65_536, 65_537, 66_500])
        .collect();
    let disk = SimDisk::new();
    let (mut before, mut last) = (BTreeMap::<PathBuf, Vec<u8>>::new(), None);
    for size in steps {
        let report = log.publish(&disk, size).unwrap();
        assert_eq!(report.previous_size, last);
        let files = resources(&disk);
        for (path, bytes) in &before {
            assert!(files.get(path) == Some(bytes), "{} changed at size {size}", path.display());
        }
        let new_files = (files.len() - before.len()) as u64;
        assert_eq!(new_files, report.tiles_written + report.bundles_written, "size {size}");
        let (found, entries) = read(&disk, &key(ORIGIN, 1)).unwrap();
        assert_eq!((found, entries.len() as u64), (size, size));
        (before, last) = (files, Some(size));
    }
    // In whatever steps it grew: with the partials gone, the files are those of one step.
    let checkpoint = log.checkpoint(66_500);
    let pruned = log.publish_as(&disk, &checkpoint, true, true).unwrap();
    assert!(pruned.pruned_partials > 100 && !pruned.is_new_checkpoint);
    assert_eq!((pruned.tiles_written, pruned.bundles_written), (0, 0));
    let at_once = SimDisk::new();
    log.publish(&at_once, 66_500).unwrap();
    let kept: BTreeMap<_, _> = resources(&disk);
    for (path, bytes) in resources(&at_once) {
        assert!(kept.get(&path) == Some(&bytes), "{}", path.display());
    }
    let partials = |path: &&PathBuf| path.to_str().unwrap().contains(".p/");
    for path in kept.keys().filter(partials) {
        let full = path.to_str().unwrap().split(".p/").next().unwrap();
        assert!(!kept.contains_key(Path::new(full)), "{} stands beside its full tile", path.display());
    }
    assert_eq!(read(&disk, &key(ORIGIN, 1)).unwrap().0, 66_500);
}

#[test]
fn proofs_come_out_of_tiles_alone() {
    let log = MadeUp::new(66_000);
    for size in [1_u64, 2, 255, 256, 257, 512, 1000, 65_536, 66_000] {
        let disk = SimDisk::new();
        log.publish(&disk, size).unwrap();
        let files = disk.contents();
        let fetch = |path: &str| files.get(&out().join(path)).cloned();
        let reader = Reader::open(&fetch).unwrap();
        let step = usize::try_from((size / 40).max(1)).unwrap();
        for index in (0..size).step_by(step).chain([size - 1]) {
            let entry = &log.headers[usize::try_from(index).unwrap()];
            assert!(reader.proves_inclusion(index, entry), "entry {index} of {size}");
            assert!(!reader.proves_inclusion(index, b"another"), "entry {index} of {size}");
        }
        for old in (1..=size).step_by(step).chain([size]) {
            assert!(reader.proves_consistency(old, &log.root(old)), "{old} to {size}");
            assert!(!reader.proves_consistency(old, &[7; 32]), "{old} to {size}");
        }
    }
}

#[test]
fn what_is_missing_below_the_checkpoint_is_made_again() {
    let log = MadeUp::new(1000);
    let disk = SimDisk::new();
    log.publish(&disk, 700).unwrap();
    let whole = resources(&disk);
    for path in ["tile/0/001", "tile/entries/000"] {
        disk.meddle(&out().join(path), None);
    }
    let report = log.publish(&disk, 700).unwrap();
    assert_eq!((report.tiles_written, report.bundles_written, report.is_new_checkpoint), (1, 1, false));
    assert!(resources(&disk) == whole);
}

/// A larger publication was begun and never finished: its full tiles stand for no partial yet.
#[test]
fn no_partial_of_the_published_size_is_pruned() {
    let log = MadeUp::new(600);
    let (disk, larger) = (SimDisk::new(), SimDisk::new());
    log.publish(&larger, 600).unwrap();
    log.publish(&disk, 200).unwrap();
    for path in ["tile/0/000", "tile/entries/000"] {
        disk.meddle(&out().join(path), Some(larger.contents()[&out().join(path)].clone()));
    }
    let report = log.publish_as(&disk, &log.checkpoint(201), false, true).unwrap();
    assert_eq!(report.pruned_partials, 0);
    assert_eq!(read(&disk, &key(ORIGIN, 1)).unwrap().0, 201);
    // Full at last: the partials of 200 and 201, each with a bundle.
    let report = log.publish_as(&disk, &log.checkpoint(256), false, true).unwrap();
    assert_eq!(report.pruned_partials, 4);
    assert_eq!(read(&disk, &key(ORIGIN, 1)).unwrap().0, 256);
}

#[test]
fn progress_ends_where_the_checkpoint_does() {
    let log = MadeUp::new(1000);
    let disk = SimDisk::new();
    log.publish(&disk, 600).unwrap();
    let checkpoint = log.checkpoint(1000);
    let policy = policy_of(&key(ORIGIN, 1));
    let order =
        PublishOrder { checkpoint: &checkpoint, policy: &policy, check: false, prune_partials: false };
    let header = |seq: Seq| Ok(log.headers.get(usize::try_from(seq.get()).unwrap()).cloned());
    let source =
        proofline_ledger::PublishSource { origin: ORIGIN, entries: 1000, hashes: &log, header: &header };
    let mut told = Vec::new();
    proofline_ledger::publish_source_on(&disk, &source, &order, out(), &mut |step| told.push(step)).unwrap();
    told.sort_by_key(|step: &PublishProgress| step.done_entries);
    let done: Vec<u64> = told.iter().map(|step| step.done_entries).collect();
    assert_eq!(done, [256, 512, 768, 1000]);
    assert!(told.iter().all(|step| step.total_entries == 1000));
}

/// A ledger in segments of a few entries, with a key of its own.
fn real(segment_bytes: u64, traces: u32) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    Ledger::init(&path, &genesis()).unwrap();
    let options = Options { segment_bytes, group_records: 40, ..Options::default() };
    let ledger = Ledger::open(&path, options).unwrap();
    let lines: Vec<String> = (1..=traces).flat_map(|number| chain(number, 6)).collect();
    let actions: Vec<_> = lines.iter().map(|line| bare(line)).collect();
    ledger.commit_actions(&actions, NOW_MS).unwrap();
    (dir, path)
}

#[test]
fn the_headers_of_a_ledger_are_published_and_no_body() {
    let (dir, path) = real(16 << 10, 80);
    let snapshot = Snapshot::open(&path).unwrap();
    let size = snapshot.entries();
    assert_eq!(size, 641);
    let headers: Vec<Vec<u8>> =
        (0..size).map(|seq| snapshot.entry(Seq::new(seq)).unwrap().unwrap().header_bytes).collect();
    let leaves: Vec<Hash> = headers.iter().map(|header| reader::leaf_hash(header)).collect();
    let key = key(genesis().origin.as_str(), 3);
    let policy = policy_of(&key);
    let public = dir.path().join("srv/public");
    for size in [1, 200, 256, 300, 641_usize] {
        let checkpoint = signed(&key, size as u64, mth(&leaves[..size]));
        let order = PublishOrder {
            checkpoint: &checkpoint,
            policy: &policy,
            check: true,
            prune_partials: size > 500,
        };
        let report = publish(&snapshot, &order, &public, &mut |_| {}).unwrap();
        assert_eq!(report.size, size as u64);
        let fetch = |path: &str| fs::read(public.join(path)).ok();
        let reader = Reader::open(&fetch).unwrap();
        assert!(reader.read_all()[..] == headers[..size]);
        assert!(reader.proves_inclusion(size as u64 / 2, &headers[size / 2]));
    }
    // What one publication pruned: 200 and 256.p/44 entries are full tiles now.
    assert!(!public.join("tile/0/000.p").exists() && !public.join("tile/entries/001.p").exists());
    let actor = b"staff/ines";
    for n in 0..2 {
        let bundle = fs::read(public.join(reader::path("entries", n, 256))).unwrap();
        assert!(!bundle.windows(actor.len()).any(|window| window == actor), "a body is public");
    }
}

#[test]
fn a_kept_checkpoint_of_the_ledger_is_published_as_it_is() {
    let (dir, path) = real(64 << 20, 40);
    let ledger = Ledger::open(&path, Options::default()).unwrap();
    let key = key(genesis().origin.as_str(), 5);
    let record = ledger.snapshot().unwrap().key_list().unwrap().addition(&key, None).unwrap();
    ledger.commit_action(&proofline_ledger::Action::System(&record.canonical()), NOW_MS).unwrap();
    let kept = ledger.checkpoint(&[&key]).unwrap();
    drop(ledger);
    let policy = policy_of(&key);
    let checkpoint = policy.verify(&kept.note).unwrap();
    let order =
        PublishOrder { checkpoint: &checkpoint, policy: &policy, check: false, prune_partials: false };
    let public = dir.path().join("public");
    publish(&Snapshot::open(&path).unwrap(), &order, &public, &mut |_| {}).unwrap();
    assert_eq!(
        fs::read(public.join("checkpoint")).unwrap(),
        fs::read(checkpoint_path(&path, kept.size)).unwrap()
    );
    let fetch = |path: &str| fs::read(public.join(path)).ok();
    assert_eq!(Reader::open(&fetch).unwrap().read_all().len() as u64, kept.size);
}
