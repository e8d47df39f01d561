//! A snapshot cut at any size shows what a snapshot of that time showed: entries, head, root, traces, system entries,
//! whatever segments were sealed since.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::{NOW_MS, bare, chain, genesis};
use proofline_ledger::{Ledger, ListedHash, Options, Seq, Snapshot};
use proofline_proof::{LeafHash, NodeHash};
use proofline_trace::TraceId;

/// All that a snapshot shows.
#[derive(Debug, PartialEq)]
struct Shown {
    entries: u64,
    head: Option<LeafHash>,
    root: NodeHash,
    leaves: Vec<LeafHash>,
    traces: Vec<(TraceId, Vec<Seq>)>,
    hashes: Vec<(u64, u8)>,
    system: Vec<Seq>,
}

impl Shown {
    fn of(snapshot: &Snapshot) -> Self {
        let mut traces = Vec::new();
        for trace in snapshot.traces_after(None, usize::MAX).unwrap() {
            traces.push((trace, snapshot.of_trace(trace).unwrap()));
        }
        // A trace that began later has no entries here.
        traces.retain(|(_, seqs)| !seqs.is_empty());
        let mut hashes = Vec::new();
        let mut visit = |listed: ListedHash| hashes.push((listed.seq.get(), listed.kind_code));
        assert!(snapshot.visit_listed_hashes(&mut visit).unwrap());
        hashes.sort_unstable();
        let leaf = |seq| snapshot.entry(Seq::new(seq)).unwrap().unwrap().leaf_hash();
        Self {
            entries: snapshot.entries(),
            head: snapshot.head(),
            root: snapshot.tree().root(snapshot.entries()).unwrap(),
            leaves: (0..snapshot.entries()).map(leaf).collect(),
            traces,
            hashes,
            system: snapshot.system_entries().unwrap(),
        }
    }
}

#[test]
fn a_cut_snapshot_is_the_snapshot_of_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    Ledger::init(&path, &genesis()).unwrap();
    let options = Options { segment_bytes: 8 << 10, ..Options::default() };
    let ledger = Ledger::open(&path, options).unwrap();
    let mut shown = vec![Shown::of(&ledger.snapshot().unwrap())];
    for number in 1..=40 {
        for lines in chain(number, 3).chunks(2) {
            let actions: Vec<_> = lines.iter().map(|line| bare(line)).collect();
            ledger.commit_actions(&actions, NOW_MS).unwrap();
            shown.push(Shown::of(&ledger.snapshot().unwrap()));
        }
    }
    let latest = Snapshot::open(&path).unwrap();
    assert!(latest.entries() > 150);
    for expected in &shown {
        let cut = latest.at(expected.entries).unwrap();
        assert_eq!(Shown::of(&cut), *expected);
        assert!(cut.entry(Seq::new(expected.entries)).unwrap().is_none());
        assert!(cut.at(expected.entries + 1).is_err(), "no cut gives back what it took away");
    }
    // A cut of a cut, and the whole after it, for they share what was read.
    let half = latest.at(shown[20].entries).unwrap().at(shown[10].entries).unwrap();
    assert_eq!(Shown::of(&half), shown[10]);
    assert_eq!(Shown::of(&latest), shown[shown.len() - 1]);
    assert!(latest.at(0).is_err());
}
