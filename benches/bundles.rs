//! What evidence bundles cost: made from a ledger, and judged, with one trace and with many. The floors `proof` and
//! `ledger`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

mod common;

use std::hint::black_box;
use std::io::Cursor;

use common::TempLedger;
use criterion::{BenchmarkId, Throughput};
use proofline::ledger::{Action, BundleOrder, Ledger, Options, create_bundle};
use proofline::proof::bundle::{BundleTrust, verify_bundle};
use proofline::proof::{KeyName, KeyRole, SecretKey, Signer};
use proofline_vectors::Submission;
use zeroize::Zeroizing;

fn main() {
    let mut criterion = common::criterion();
    let (ledger, key) = grown(common::amount(60_000, 600));
    let mut group = criterion.benchmark_group("bundle");
    for (traces, few) in [(1, 1), (100, 2), (2_000, 3)] {
        bundles(&mut group, &ledger, &key, common::amount(traces, few));
    }
    group.finish();
    criterion.final_summary();
}

/// A ledger of so many entries or a few more, with a signed checkpoint at its end.
fn grown(entries: usize) -> (TempLedger, SecretKey) {
    let ledger = TempLedger::new();
    let segment_bytes = common::amount(16 << 20, 128 << 10) as u64;
    let writer = ledger.open(Options { segment_bytes, ..Options::default() });
    let origin = writer.snapshot().unwrap().genesis().unwrap().origin;
    let name = KeyName::new(origin.as_str()).unwrap();
    let key = SecretKey::from_seed(name, KeyRole::Log, &Zeroizing::new([7; 32])).unwrap();
    list(&writer, &key);
    let mut evidence = common::evidence();
    while writer.entries() < entries as u64 {
        let group: Vec<Submission> = evidence.by_ref().take(500).collect();
        common::assert_accepted(&writer.commit_actions(&common::actions(&group), common::NOW_MS).unwrap());
    }
    writer.checkpoint(&[&key]).unwrap();
    (ledger, key)
}

fn list(writer: &Ledger, key: &SecretKey) {
    let added = writer.snapshot().unwrap().key_list().unwrap().addition(key, None).unwrap();
    writer.commit_action(&Action::System(&added.canonical()), common::NOW_MS).unwrap();
}

fn bundles(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    ledger: &TempLedger,
    key: &SecretKey,
    traces: usize,
) {
    let snapshot = ledger.snapshot();
    let traces = snapshot.traces_after(None, traces).unwrap();
    let order = BundleOrder { traces: traces.into_iter().collect(), ..BundleOrder::default() };
    let make = || {
        let mut bytes = Cursor::new(Vec::new());
        create_bundle(snapshot.dir(), &order, &mut bytes).unwrap();
        bytes.into_inner()
    };
    let bytes = make();
    let keys = [key.verifier().clone()];
    let judge = || verify_bundle(Cursor::new(&bytes), &BundleTrust { keys: &keys, policy: None }).unwrap();
    assert!(judge().holds());
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function(BenchmarkId::new("create", order.traces.len()), |bencher| {
        bencher.iter(|| black_box(make()));
    });
    group.bench_function(BenchmarkId::new("verify", order.traces.len()), |bencher| {
        bencher.iter(|| black_box(judge()));
    });
}
