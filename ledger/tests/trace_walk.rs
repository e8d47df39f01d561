//! `Snapshot::traces_from` lists what `traces_after` and `of_trace` say, in their order: over random
//! ledgers of many small segments, from any trace on, cut anywhere, without indexes.
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
use proofline_ledger::{Ledger, Options, Seq, Snapshot};
use proofline_trace::TraceId;

type Listed = Vec<(TraceId, Vec<Seq>)>;

/// The slow way: a search for each trace.
fn searched(snapshot: &Snapshot, after: Option<TraceId>) -> Listed {
    let (mut listed, mut after) = (Vec::new(), after);
    loop {
        let page = snapshot.traces_after(after, 7).unwrap();
        let Some(last) = page.last() else { return listed };
        after = Some(*last);
        listed.extend(page.into_iter().map(|trace| (trace, snapshot.of_trace(trace).unwrap())));
    }
}

fn walked(snapshot: &Snapshot, after: Option<TraceId>) -> Listed {
    snapshot.traces_from(after).map(Result::unwrap).collect()
}

/// A ledger into which the records of many traces came mixed with each other.
fn mixed(random: &mut Random, dir: &std::path::Path) {
    let path = dir.join("ledger");
    Ledger::init(&path, &genesis()).unwrap();
    let segment_bytes = 4096 << random.below(4);
    let options = Options { segment_bytes, group_records: 1 + random.below(9), ..Options::default() };
    let ledger = Ledger::open(&path, options).unwrap();
    let count = 1 + u32::try_from(random.below(40)).unwrap();
    let mut waiting: Vec<Vec<String>> = (1..=count)
        .map(|number| {
            let of_trace = number.wrapping_mul(0x9e37_79b1);
            chain(of_trace, u32::try_from(random.below(6)).unwrap()).into_iter().rev().collect()
        })
        .collect();
    let mut lines = Vec::new();
    while !waiting.is_empty() {
        let at = random.below(waiting.len());
        lines.extend(waiting[at].pop());
        waiting.retain(|lines| !lines.is_empty());
    }
    let actions: Vec<_> = lines.iter().map(|line| bare(line)).collect();
    ledger.commit_actions(&actions, NOW_MS).unwrap();
}

#[test]
fn a_walk_lists_what_a_search_for_each_trace_finds() {
    let mut random = Random::new(7);
    let (mut traces, mut cuts) = (0, 0);
    for _ in 0..if full_effort() { 300 } else { 12 } {
        let dir = tempfile::tempdir().unwrap();
        mixed(&mut random, dir.path());
        let path = dir.path().join("ledger");
        let whole = Snapshot::open(&path).unwrap();
        let all = searched(&whole, None);
        traces += all.len();
        let entries: u64 = all.iter().map(|(_, seqs)| seqs.len() as u64).sum();
        assert_eq!(entries, whole.entries() - 1, "all but the genesis entry are of a trace");
        for (trace, _) in &all {
            assert_eq!(walked(&whole, Some(*trace)), searched(&whole, Some(*trace)));
        }
        for _ in 0..10 {
            let cut = whole.at(1 + random.next() % whole.entries()).unwrap();
            cuts += usize::from(walked(&cut, None).len() < all.len());
            assert_eq!(walked(&cut, None), searched(&cut, None), "cut at {}", cut.entries());
            let from = TraceId::from_bytes(*random.pick(&all).0.as_bytes()).unwrap();
            assert_eq!(walked(&cut, Some(from)), searched(&cut, Some(from)));
        }
        // Where an index is missing, its segment's list is in memory.
        for name in fs::read_dir(path.join("log")).unwrap().map(|entry| entry.unwrap().path()) {
            if name.extension().is_some_and(|it| it == "idx") && random.once_in(2) {
                fs::remove_file(name).unwrap();
            }
        }
        assert_eq!(walked(&Snapshot::open(&path).unwrap(), None), all);
    }
    assert!(traces > 100 && cuts > 20, "{traces} traces, {cuts} cuts that hide some");
}
