//! `verify`, `reindex` and `salvage` on a small ledger of several segments.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{NOW_MS, bare, chain, genesis, hash_of};
use proofline_canon::{ContentStore, Sha256Digest};
use proofline_ledger::{
    Blobs, CATALOGUE_DIR, Catalogue, Damage, Ledger, LogEnd, MARK_FILE, Options, Snapshot, VerifyReport,
    reindex, salvage, verify,
};

const OPTIONS: fn() -> Options = || Options { segment_bytes: 4096, ..Options::default() };

/// Six traces of five records over several segments, and their lines in log order.
fn ledger() -> (tempfile::TempDir, PathBuf, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    Ledger::init(&path, &genesis()).unwrap();
    let ledger = Ledger::open(&path, OPTIONS()).unwrap();
    let lines: Vec<String> = (1..=6).flat_map(|trace| chain(trace, 3)).collect();
    for line in &lines {
        ledger.commit_action(&bare(line), NOW_MS).unwrap();
    }
    (dir, path, lines)
}

fn check(path: &Path) -> VerifyReport {
    verify(path, &mut |_| {}).unwrap()
}

fn codes(damage: &[Damage]) -> Vec<&str> {
    damage.iter().map(|damage| damage.code).collect()
}

fn segment_files(path: &Path, extension: &str) -> Vec<PathBuf> {
    let names = fs::read_dir(path.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        names.filter(|name| name.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_plain_file_is_no_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, b"mine").unwrap();
    assert_eq!(Snapshot::open(&file).unwrap_err().code(), "ledger.not_a_ledger");
    assert_eq!(verify(&file, &mut |_| {}).unwrap_err().code(), "ledger.not_a_ledger");
    assert_eq!(Ledger::open(&file, OPTIONS()).unwrap_err().code(), "ledger.not_a_ledger");
    assert_eq!(reindex(&file).unwrap_err().code(), "ledger.not_a_ledger");
    assert_eq!(salvage(&file, dir.path().join("out")).unwrap_err().code(), "ledger.not_a_ledger");
}

#[test]
fn a_whole_ledger_is_sound() {
    let (_dir, path, lines) = ledger();
    let report = check(&path);
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.entries, lines.len() as u64 + 1);
    assert_eq!(report.end, LogEnd::Published);
    assert_eq!(report.origin.as_deref(), Some("ledger.example/test"));
    assert!(report.segments > 3);
    assert_eq!(report.segments, segment_files(&path, "seg").len() as u64);
}

#[test]
fn each_derived_file_is_noticed_and_made_again() {
    let (_dir, path, lines) = ledger();
    let indexes = segment_files(&path, "idx");
    assert!(indexes.len() > 2);
    flip(&indexes[0], 100);
    fs::remove_file(&indexes[1]).unwrap();
    flip(&path.join(MARK_FILE), 20);
    let report = check(&path);
    assert_eq!(codes(&report.damage), Vec::<&str>::new());
    assert_eq!(codes(&report.derived), ["mark.damaged", "index.damaged", "index.missing"]);
    assert_eq!(report.end, LogEnd::NotAnchored);
    // What readers find does not change meanwhile.
    let snapshot = Snapshot::open(&path).unwrap();
    assert_eq!(snapshot.entries(), lines.len() as u64 + 1);
    for line in &lines {
        assert!(snapshot.accepted(&hash_of(line).parse().unwrap()).unwrap().is_some());
    }
    let report = reindex(&path).unwrap();
    assert_eq!((report.indexes, report.entries), (indexes.len() as u64, lines.len() as u64 + 1));
    assert!(check(&path).is_sound());
    let ledger = Ledger::open(&path, OPTIONS()).unwrap();
    assert!(ledger.recovery().is_clean());
}

#[test]
fn the_catalogue_is_compared_with_the_log_and_made_again() {
    let (_dir, path, lines) = ledger();
    let snapshot = Snapshot::open(&path).unwrap();
    let mut catalogue = Catalogue::open(&snapshot).unwrap();
    catalogue.follow(&snapshot, &mut |_| {}).unwrap();
    assert!(check(&path).is_sound(), "open elsewhere, and left alone");
    assert_eq!(reindex(&path).unwrap().catalogue_entries, None);
    drop(catalogue);
    assert!(check(&path).is_sound());
    for entry in fs::read_dir(path.join(CATALOGUE_DIR)).unwrap() {
        let file = entry.unwrap().path();
        if file.is_file() {
            fs::write(file, b"").unwrap();
        }
    }
    let report = check(&path);
    assert!(report.damage.is_empty());
    assert!(codes(&report.derived)[0].starts_with("catalogue."), "{:?}", report.derived);
    assert_eq!(reindex(&path).unwrap().catalogue_entries, Some(lines.len() as u64 + 1));
    assert!(check(&path).is_sound());
}

#[test]
fn salvage_copies_the_payloads_that_match_their_names() {
    let (dir, path, _) = ledger();
    let blobs = Blobs::open(&path).unwrap();
    let payloads: [&[u8]; 3] = [b"one", b"two", b""];
    for payload in payloads {
        blobs.put(&Sha256Digest::of(payload), payload).unwrap();
    }
    let damaged = Sha256Digest::of(b"two").to_string();
    fs::write(path.join("blobs").join(&damaged[..2]).join(&damaged[2..]), b"tow").unwrap();
    let out = dir.path().join("out");
    let report = salvage(&path, &out).unwrap();
    assert_eq!((report.blobs, codes(&report.gaps)), (2, vec!["blob.damaged"]));
    let kept = |payload: &[u8]| {
        let name = Sha256Digest::of(payload).to_string();
        fs::read(out.join("blobs").join(&name[..2]).join(&name[2..])).ok()
    };
    assert_eq!(payloads.map(kept), [Some(b"one".to_vec()), None, Some(Vec::new())]);
}

#[test]
fn reindex_refuses_a_damaged_log() {
    let (_dir, path, _) = ledger();
    flip(&segment_files(&path, "seg")[1], 300);
    assert_eq!(reindex(&path).unwrap_err().code(), "ledger.damaged");
}

#[test]
fn salvage_copies_what_verifies_and_names_what_is_missing() {
    let (dir, path, lines) = ledger();
    let segments = segment_files(&path, "seg");
    flip(&segments[0], 1000);
    fs::remove_file(&segments[2]).unwrap();
    let out = dir.path().join("out");
    let report = salvage(&path, &out).unwrap();
    let entries = fs::read_to_string(out.join("entries.jsonl")).unwrap();
    let evidence = fs::read_to_string(out.join("evidence.jsonl")).unwrap();
    assert_eq!(entries.lines().count() as u64, report.entries);
    assert_eq!(evidence.lines().count() as u64, report.evidence);
    let saved = lines.iter().filter(|line| evidence.contains(&hash_of(line))).count();
    let missing = lines.len() - saved;
    assert!(missing > 1 && saved > 10, "{missing} missing, {saved} saved");
    assert!(codes(&report.gaps).contains(&"log.missing_segment"), "{:?}", report.gaps);
    assert!(report.gaps.iter().any(|gap| gap.code.starts_with("frame.")), "{:?}", report.gaps);
    let gaps = fs::read_to_string(out.join("gaps.json")).unwrap();
    assert!(gaps.contains("log.missing_segment"));
    assert_eq!(salvage(&path, &out).unwrap_err().code(), "ledger.not_empty");
    assert!(!check(&path).is_sound());
}

#[test]
fn salvage_names_what_is_missing_at_the_end() {
    let (dir, path, _) = ledger();
    let last = segment_files(&path, "seg").pop().unwrap();
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..80]).unwrap();
    let report = salvage(&path, dir.path().join("cut")).unwrap();
    assert_eq!(codes(&report.gaps), ["log.truncated"]);
    fs::remove_file(&last).unwrap();
    fs::remove_file(path.join(MARK_FILE)).unwrap();
    let report = salvage(&path, dir.path().join("sealed")).unwrap();
    assert_eq!(codes(&report.gaps), ["log.truncated"]);
    assert!(report.gaps[0].message.contains("sealed"), "{}", report.gaps[0]);
}

#[test]
fn a_whole_ledger_is_salvaged_whole() {
    let (dir, path, lines) = ledger();
    let report = salvage(&path, dir.path().join("out")).unwrap();
    assert_eq!(report.gaps, []);
    assert_eq!((report.entries, report.evidence), (lines.len() as u64 + 1, lines.len() as u64));
    assert_eq!(report.unlinked, 0);
}
