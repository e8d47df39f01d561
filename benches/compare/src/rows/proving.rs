//! An inclusion proof built from a ledger's tree and verified, beside as many bare SHA-256 node hashes as its path has.

use std::hint::black_box;
use std::time::Instant;

use proofline::ledger::{Seq, Snapshot};
use proofline::proof::tree::verify_inclusion;
use proofline::proof::{LeafHash, NodeHash};
use proofline_vectors::SplitMix64;
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::measure::{Figure, in_turns};
use crate::run::Run;
use crate::table::{Line, Target};

/// Proofs in a round, all over the ledger.
const PROOFS: u64 = 1_000;

struct Proof {
    seq: Seq,
    leaf: LeafHash,
    path: Vec<NodeHash>,
}

pub(crate) fn measure(run: &mut Run) -> Result<Vec<Line>, Failure> {
    let records = run.options.records;
    let (dir, _) = run.ledger(records)?;
    let snapshot = Snapshot::open(&dir).map_err(Failure::of("proofline"))?;
    let (tree, size) = (snapshot.tree(), snapshot.entries());
    let root = tree.root(size).map_err(Failure::of("proofline"))?;
    let mut random = SplitMix64::new(size);
    let made = |seq: Seq| {
        let leaf = tree.leaf(seq).map_err(Failure::of("proofline"))?;
        let path = tree.inclusion_proof(seq, size).map_err(Failure::of("proofline"))?;
        Ok(Proof { seq, leaf, path })
    };
    let proofs: Vec<Proof> =
        (0..PROOFS).map(|_| made(Seq::new(1 + random.below(size - 1)))).collect::<Result<_, Failure>>()?;
    let hashes: usize = proofs.iter().map(|proof| proof.path.len()).sum();
    let mut build = || {
        let begun = Instant::now();
        for proof in &proofs {
            black_box(tree.inclusion_proof(proof.seq, size).map_err(Failure::of("proofline"))?);
        }
        Ok(begun.elapsed())
    };
    let mut verify = || {
        let begun = Instant::now();
        for Proof { seq, leaf, path } in &proofs {
            verify_inclusion(seq.get(), size, *leaf, path, &root).map_err(Failure::of("proofline"))?;
        }
        Ok(begun.elapsed())
    };
    let mut bare = || {
        let begun = Instant::now();
        for proof in &proofs {
            black_box(chain(proof.path.len()));
        }
        Ok(begun.elapsed())
    };
    let times = in_turns(run.options.rounds, &mut [&mut build, &mut verify, &mut bare])?;
    let [build, verify, bare] =
        [0, 1, 2].map(|side| Figure::each(PROOFS as f64, &times[side], 1e6, "µs/proof"));
    let line = |what: &str, ours: Figure| Line {
        what: what.to_owned(),
        ours,
        yardstick: "the node hashes of its path, bare `sha2`".to_owned(),
        theirs: Some(bare),
        ratio: ours.median / bare.median,
        target: Target::at_most(3.0, 1.5),
        note: format!("{size} entries, {:.1} hashes a path", hashes as f64 / PROOFS as f64),
    };
    Ok(vec![line("inclusion proof built", build), line("inclusion proof verified", verify)])
}

/// So many node hashes (RFC 6962 §2.1), each over the one before.
fn chain(count: usize) -> [u8; 32] {
    let mut below = [0; 32];
    for _ in 0..count {
        let node = Sha256::new().chain_update([1]).chain_update([7; 32]).chain_update(black_box(below));
        below = node.finalize().into();
    }
    below
}
