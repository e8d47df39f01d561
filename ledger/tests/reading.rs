//! `Snapshot::read_entries` gives what `Snapshot::entry` gives of each entry, or nothing: over random ledgers of many
//! segments, in any order, cut anywhere, damaged at random.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;

use common::random::{Random, full_effort};
use common::{NOW_MS, bare, chain, genesis};
use proofline_ledger::{EntryBuffer, Ledger, Options, Seq, Snapshot};

/// Entries in stretches, backwards, twice, and some behind the end.
fn wanted(snapshot: &Snapshot, random: &mut Random) -> Vec<Seq> {
    let mut seqs = Vec::new();
    for _ in 0..1 + random.below(20) {
        let from = random.next() % (snapshot.entries() + 2);
        let stretch = from..from + random.next() % 40;
        if random.once_in(4) {
            seqs.extend(stretch.rev().map(Seq::new));
        } else {
            seqs.extend(stretch.map(Seq::new));
        }
    }
    seqs
}

/// How many were read at once, and how many were left to be read by themselves.
fn compare(snapshot: &Snapshot, seqs: &[Seq], buffer: &mut EntryBuffer) -> (usize, usize) {
    let (mut rest, mut read, mut left) = (seqs, 0, 0);
    while !rest.is_empty() {
        let count = snapshot.read_entries(rest, buffer);
        assert!(count > 0 && count <= rest.len());
        let (now, behind) = rest.split_at(count);
        let views = buffer.entries(now);
        assert_eq!(views.len(), count);
        for (seq, view) in now.iter().zip(views) {
            let Some(view) = view else {
                left += 1;
                continue;
            };
            let entry = snapshot.entry(*seq).unwrap().unwrap();
            assert_eq!(
                (&view.header, view.header_bytes, view.body),
                (&entry.header, &entry.header_bytes[..], &entry.body[..])
            );
            read += 1;
        }
        rest = behind;
    }
    (read, left)
}

#[test]
fn entries_read_at_once_are_those_that_are_read_by_themselves() {
    let mut random = Random::new(11);
    let (mut buffer, mut damaged) = (EntryBuffer::default(), 0);
    for _ in 0..if full_effort() { 500 } else { 12 } {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        Ledger::init(&path, &genesis()).unwrap();
        let options = Options { segment_bytes: 4096 << (2 * random.below(4)), ..Options::default() };
        let ledger = Ledger::open(&path, options).unwrap();
        let lines: Vec<String> = (1..=40).flat_map(|trace| chain(trace, 4)).collect();
        let actions: Vec<_> = lines.iter().map(|line| bare(line)).collect();
        ledger.commit_actions(&actions, NOW_MS).unwrap();
        drop(ledger);
        let whole = Snapshot::open(&path).unwrap();
        for _ in 0..10 {
            let seqs = wanted(&whole, &mut random);
            let there = seqs.iter().filter(|seq| seq.get() < whole.entries()).count();
            // Where nothing is wrong, nothing is left.
            assert_eq!(compare(&whole, &seqs, &mut buffer), (there, seqs.len() - there));
            let cut = whole.at(1 + random.next() % whole.entries()).unwrap();
            compare(&cut, &seqs, &mut buffer);
        }
        for file in fs::read_dir(path.join("log")).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|it| it == "seg") {
                let mut bytes = fs::read(&file).unwrap();
                let at = 80 + random.below(bytes.len() - 80);
                bytes[at] ^= 1 << random.below(8);
                fs::write(file, bytes).unwrap();
            }
        }
        // The open snapshot reads the changed files; another one opens them changed.
        for snapshot in [Some(whole), Snapshot::open(&path).ok()].into_iter().flatten() {
            let all: Vec<Seq> = (0..snapshot.entries()).map(Seq::new).collect();
            damaged += compare(&snapshot, &all, &mut buffer).1;
        }
    }
    assert!(damaged > 10, "{damaged}");
}
