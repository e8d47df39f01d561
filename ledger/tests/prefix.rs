//! A snapshot cut at a size is what a reader saw who opened the ledger then: entries, look-ups, lists, keys, root.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::keys::{add, commit, fresh, log_key, root_of};
use proofline_ledger::{ListedHash, Seq, Snapshot};
use proofline_trace::TraceId;

/// All that a snapshot shows.
fn shown(snapshot: &Snapshot) -> Vec<String> {
    let mut shown = vec![format!("{} {:?} {}", snapshot.entries(), snapshot.head(), snapshot.end())];
    for seq in 0..snapshot.entries() + 2 {
        let entry = snapshot.entry(Seq::new(seq)).unwrap();
        if let Some(entry) = &entry {
            let hash = entry.header.envelope_hash;
            shown.push(format!(
                "{:?} {:?}",
                snapshot.with_hash(&hash).unwrap(),
                snapshot.accepted(&hash).unwrap()
            ));
        }
        shown.push(format!("{entry:?}"));
    }
    let (mut traces, mut after) = (Vec::<TraceId>::new(), None);
    loop {
        let page = snapshot.traces_after(after, 3).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(*last);
        traces.extend(page);
    }
    shown.extend(traces.iter().map(|trace| format!("{trace} {:?}", snapshot.of_trace(*trace).unwrap())));
    shown.push(format!("{:?}", snapshot.system_entries().unwrap()));
    shown.push(format!("{:?}", snapshot.key_list().unwrap().all().len()));
    let mut listed: Vec<(u64, u8)> = Vec::new();
    snapshot.visit_listed_hashes(&mut |it: ListedHash| listed.push((it.seq.get(), it.kind_code))).unwrap();
    listed.sort_unstable();
    shown.push(format!("{listed:?}"));
    shown.push(snapshot.tree().root(snapshot.entries()).unwrap().to_base64());
    shown
}

#[test]
fn every_cut_shows_what_was_there_then() {
    let (_dir, ledger) = fresh();
    let mut then = vec![ledger.snapshot().unwrap()];
    add(&ledger, &log_key(1), None);
    then.push(ledger.snapshot().unwrap());
    for number in (1..40).rev() {
        commit(&ledger, number..number + 1);
        then.push(ledger.snapshot().unwrap());
    }
    let expected: Vec<Vec<String>> = then.iter().map(shown).collect();
    // Segments of 8 KiB: most cuts fall into the middle of one that is sealed by now.
    let now = Snapshot::open(ledger.dir()).unwrap();
    assert!(std::fs::read_dir(ledger.dir().join("log")).unwrap().count() > 10);
    for (snapshot, expected) in then.iter().zip(&expected) {
        let cut = now.at(snapshot.entries()).unwrap();
        assert_eq!(&shown(&cut), expected);
        // A cut of a cut is a cut.
        let wider = now.at((snapshot.entries() + 1).min(now.entries())).unwrap();
        assert_eq!(&shown(&wider.at(snapshot.entries()).unwrap()), expected);
    }
    // The whole is left as it was.
    assert_eq!(&shown(&now), expected.last().unwrap());
    let roots = [5, 33, 100].map(|size| now.at(size).unwrap().tree().root(size).unwrap().to_base64());
    assert_eq!(roots, [5, 33, 100].map(|size| root_of(ledger.dir(), size)));
}

#[test]
fn there_is_no_cut_past_the_end_or_at_nothing() {
    let (_dir, ledger) = fresh();
    commit(&ledger, 1..2);
    let snapshot = ledger.snapshot().unwrap();
    for size in [0, snapshot.entries() + 1, u64::MAX] {
        assert_eq!(snapshot.at(size).unwrap_err().code(), "tree.past_end");
    }
    let cut = snapshot.at(2).unwrap();
    assert_eq!(cut.at(3).unwrap_err().code(), "tree.past_end");
    assert_eq!(cut.tree().root(3).unwrap_err().code(), "tree.past_end");
}
