//! Attacks on the files beside the log: kept checkpoints, indexes.

use std::fs;
use std::path::Path;

use proofline::ledger::{Seq, Snapshot, checkpoint_path};
use proofline::proof::tree::verify_inclusion;
use proofline::proof::{Policy, Signer};

use crate::attack::Attack;
use crate::forge::forge_leaf_in_index;
use crate::house::{House, forget_checkpoints, keep, root, sign_at, thief};

pub(crate) fn attacks(house: &House) -> Vec<Attack> {
    let attack = |name, dir| Attack::new(house, name, dir);
    let mut all = Vec::new();
    let second = |dir: &Path| checkpoint_path(dir, house.second.size);

    let dir = house.copy("deleted");
    fs::remove_file(second(&dir)).unwrap();
    all.push(attack("delete the last checkpoint", dir));

    let dir = house.copy("all deleted");
    forget_checkpoints(&dir);
    all.push(attack("delete every checkpoint", dir));

    let dir = house.copy("emptied");
    fs::write(second(&dir), b"").unwrap();
    all.push(attack("empty a checkpoint", dir));

    let dir = house.copy("renamed");
    fs::rename(second(&dir), checkpoint_path(&dir, house.second.size + 1)).unwrap();
    all.push(attack("rename a checkpoint to another size", dir));

    let dir = house.copy("renamed beyond");
    fs::rename(second(&dir), checkpoint_path(&dir, 1_000_000)).unwrap();
    all.push(attack("rename a checkpoint to a size beyond the log", dir));

    let dir = house.copy("replaced");
    keep(&dir, house.second.size, &sign_at(&dir, house.second.size, &[&thief()]));
    all.push(attack("replace a checkpoint by a stranger's", dir));

    let dir = house.copy("index");
    forge_leaf_in_index(&dir, 3);
    all.push(attack("forge a leaf hash in an index, with a right checksum", dir));

    let dir = house.copy("index alone");
    forget_checkpoints(&dir);
    forge_leaf_in_index(&dir, 3);
    all.push(attack("forge a leaf hash in an index and delete every checkpoint", dir));
    all
}

/// What is proven with the forged index leads to no root that anybody signed.
#[test]
fn a_forged_index_gives_no_proof_that_verifies() {
    let house = House::new();
    let dir = house.copy("index");
    let policy = Policy::of_keys(vec![root().verifier().clone()]).unwrap();
    let signed = policy.verify(&house.second.note).unwrap();
    let (size, signed_root) = (signed.checkpoint().size(), *signed.checkpoint().root());
    let proven = |dir: &Path, seq: u64| {
        let snapshot = Snapshot::open(dir).unwrap();
        let leaf = snapshot.entry(Seq::new(seq)).unwrap().unwrap().leaf_hash();
        let path = snapshot.tree().inclusion_proof(Seq::new(seq), size).unwrap();
        verify_inclusion(seq, size, leaf, &path, &signed_root).is_ok()
    };
    assert!((0..size).all(|seq| proven(&dir, seq)));
    forge_leaf_in_index(&dir, 3);
    // The entry itself is read from the log: with its own leaf the rest of the path is what it was. Those from the
    // 16th on rest on the node over the first sixteen, which another index has and nobody forged.
    let good: Vec<u64> = (0..size).filter(|seq| proven(&dir, *seq)).collect();
    assert_eq!(good, std::iter::once(3).chain(16..size).collect::<Vec<u64>>());
}
