//! What proofs cost: built from a ledger's tree, verified, and the checkpoints that they lead to. Each beside the
//! bare hashes that it needs, so that what is added to them shows. The floors `proof` and `ledger`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

mod common;

use std::hint::black_box;

use common::TempLedger;
use criterion::{BenchmarkId, Criterion, Throughput};
use proofline::ledger::{Options, Seq, Snapshot};
use proofline::proof::tree::{Frontier, Prover, inclusion_nodes, verify_consistency, verify_inclusion};
use proofline::proof::{
    Checkpoint, KeyName, KeyRole, LeafHash, NodeHash, Policy, SecretKey, Signer, VerifierKey,
};
use proofline_vectors::{SplitMix64, Submission};
use zeroize::Zeroizing;

const LOG: &str = "bench.example";

fn main() {
    let mut criterion = common::criterion();
    let ledger = grown(common::amount(120_000, 600));
    let snapshot = ledger.snapshot();
    inclusion(&mut criterion, &snapshot);
    consistency(&mut criterion, &snapshot);
    appending(&mut criterion, &snapshot);
    checkpoints(&mut criterion, &snapshot);
    criterion.final_summary();
}

/// A ledger of so many entries or a few more, most of them in sealed segments.
fn grown(entries: usize) -> TempLedger {
    let segment_bytes = common::amount(16 << 20, 128 << 10) as u64;
    let ledger = TempLedger::new();
    let writer = ledger.open(Options { segment_bytes, ..Options::default() });
    let mut evidence = common::evidence();
    while writer.entries() < entries as u64 {
        let group: Vec<Submission> = evidence.by_ref().take(500).collect();
        common::assert_accepted(&writer.commit_actions(&common::actions(&group), common::NOW_MS).unwrap());
    }
    ledger
}

/// Pairs of an entry and the whole tree, or of a smaller tree and the whole.
fn places(snapshot: &Snapshot) -> Vec<u64> {
    let size = snapshot.entries();
    let mut random = SplitMix64::new(size);
    (0..common::amount(200, 10)).map(|_| 1 + random.below(size - 1)).collect()
}

/// So many node hashes one after the other, as each needs the one before.
fn hashes(count: usize) -> NodeHash {
    let start = NodeHash::empty_root();
    (0..count).fold(start, |below, _| NodeHash::over(black_box(&start), &below))
}

/// How many node hashes an inclusion proof takes where leaves and every eighth level above them are stored: each node
/// of the path is made of perfect ones, and each of those of stored hashes.
fn hashes_from_tiles(index: u64, size: u64) -> usize {
    let (mut start, mut length, mut count) = (0, size, 0);
    while length > 1 {
        let left = 1 << (length - 1).ilog2();
        let is_left = index - start < left;
        let other = if is_left { length - left } else { left };
        // A perfect node for each bit of the length, joined.
        let perfect = (0..u64::BITS).filter(|level| other >> level & 1 == 1);
        count += perfect.map(|level| 1 << (level % 8)).sum::<usize>() - 1;
        (start, length) = if is_left { (start, left) } else { (start + left, length - left) };
    }
    count
}

/// The path of an entry to the root of the whole tree: as many hashes as the tree is high.
fn inclusion(criterion: &mut Criterion, snapshot: &Snapshot) {
    let (tree, size) = (snapshot.tree(), snapshot.entries());
    let root = tree.root(size).unwrap();
    let places = places(snapshot);
    let proofs: Vec<(u64, LeafHash, Vec<NodeHash>)> = places
        .iter()
        .map(|seq| {
            let seq = Seq::new(*seq);
            (seq.get(), tree.leaf(seq).unwrap(), tree.inclusion_proof(seq, size).unwrap())
        })
        .collect();

    let mut group = common::group(criterion, "inclusion");
    group.throughput(Throughput::Elements(places.len() as u64));
    common::each(&mut group, "build", &places, |seq| tree.inclusion_proof(Seq::new(*seq), size).unwrap());
    group.bench_function("build_kept", |bencher| {
        let mut prover = Prover::new(&tree);
        let mut build = |seq| drop(black_box(prover.inclusion_proof(black_box(seq), size).unwrap().unwrap()));
        bencher.iter(|| places.iter().for_each(|seq| build(*seq)));
    });
    common::each(&mut group, "verify", &proofs, |(index, leaf, path)| {
        verify_inclusion(*index, size, *leaf, path, &root).unwrap();
    });
    common::each(&mut group, "hashes", &places, |seq| hashes(inclusion_nodes(*seq, size).unwrap()));
    let from_tiles: Vec<usize> = places.iter().map(|seq| hashes_from_tiles(*seq, size)).collect();
    common::each(&mut group, "hashes_from_tiles", &from_tiles, |count| hashes(*count));
    group.finish();
}

/// From a smaller tree to the whole one.
fn consistency(criterion: &mut Criterion, snapshot: &Snapshot) {
    let (tree, size) = (snapshot.tree(), snapshot.entries());
    let root = tree.root(size).unwrap();
    let places = places(snapshot);
    let proofs: Vec<(u64, NodeHash, Vec<NodeHash>)> = places
        .iter()
        .map(|old| (*old, tree.root(*old).unwrap(), tree.consistency_proof(*old, size).unwrap()))
        .collect();

    let mut group = common::group(criterion, "consistency");
    group.throughput(Throughput::Elements(places.len() as u64));
    common::each(&mut group, "build", &places, |old| tree.consistency_proof(*old, size).unwrap());
    common::each(&mut group, "verify", &proofs, |(old, old_root, path)| {
        verify_consistency(*old, old_root, size, &root, path).unwrap();
    });
    common::each(&mut group, "hashes", &proofs, |(.., path)| hashes(path.len()));
    group.finish();
}

/// The root of a whole tree, and the frontier that a writer keeps, leaf by leaf.
fn appending(criterion: &mut Criterion, snapshot: &Snapshot) {
    let (tree, size) = (snapshot.tree(), snapshot.entries());
    let leaves: Vec<LeafHash> = (0..1024).map(leaf).collect();
    let mut group = common::group(criterion, "tree");
    group.bench_function("root", |bencher| bencher.iter(|| tree.root(black_box(size)).unwrap()));
    group.throughput(Throughput::Elements(leaves.len() as u64));
    group.bench_function("append/1024", |bencher| {
        bencher.iter(|| {
            let mut frontier = Frontier::empty();
            leaves.iter().for_each(|leaf| frontier.push(*black_box(leaf)));
            frontier
        });
    });
    // A tree of 1,024 leaves has 1,023 nodes above them.
    group.bench_function(BenchmarkId::new("hashes", 1023), |bencher| bencher.iter(|| hashes(1023)));
    group.finish();
}

fn leaf(at: u64) -> LeafHash {
    LeafHash::of_header(&at.to_be_bytes())
}

/// Ed25519 decides what a checkpoint costs: one signature to make, one for each key to verify.
fn checkpoints(criterion: &mut Criterion, snapshot: &Snapshot) {
    let key = |name: &str, role, seed| {
        SecretKey::from_seed(KeyName::new(name).unwrap(), role, &Zeroizing::new([seed; 32])).unwrap()
    };
    let log = key(LOG, KeyRole::Log, 1);
    let witness = key("witness.example/w", KeyRole::Witness, 2);
    let size = snapshot.entries();
    let checkpoint = Checkpoint::new(LOG, size, snapshot.tree().root(size).unwrap()).unwrap();
    let signed = checkpoint.sign(&[&log]).unwrap().to_bytes();
    let policy = |keys: Vec<VerifierKey>| Policy::of_keys(keys).unwrap();
    let own = policy(vec![log.verifier().clone()]);
    let both = policy(vec![log.verifier().clone(), witness.verifier().clone()]);
    let cosigned = own.verify(&signed).unwrap().cosign(&witness, 1_772_438_400).unwrap().to_bytes();
    let message = checkpoint.to_text().into_bytes();
    let signature = log.sign(&message).unwrap();

    let mut group = common::group(criterion, "checkpoint");
    group.bench_function("sign", |bencher| {
        bencher.iter(|| black_box(&checkpoint).sign(&[&log]).unwrap().to_bytes());
    });
    group.bench_function("verify", |bencher| bencher.iter(|| own.verify(black_box(&signed)).unwrap()));
    group.bench_function("verify_cosigned", |bencher| {
        bencher.iter(|| {
            let verified = both.verify(black_box(&cosigned)).unwrap();
            assert_eq!(verified.witnesses().len(), 1);
        });
    });
    group.bench_function("ed25519_sign", |bencher| bencher.iter(|| log.sign(black_box(&message)).unwrap()));
    group.bench_function("ed25519_verify", |bencher| {
        bencher.iter(|| assert!(log.verifier().verify(black_box(&message), &signature)));
    });
    group.finish();
}
