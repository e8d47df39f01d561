//! A split view: two histories that go on from one, both signed with the true key, each shown to
//! another half of the world.

use std::path::{Path, PathBuf};

use proofline::ledger::{Ledger, Snapshot};
use proofline::proof::tree::{TreeFault, verify_consistency};
use proofline::proof::{Policy, Signer};

use crate::attack::Attack;
use crate::house::{House, OPTIONS, commit, cosigned, root, traces, witness};

/// One of the halves, and its checkpoint.
fn half(house: &House, name: &str, seed: u64) -> (PathBuf, Vec<u8>) {
    let dir = house.copy(name);
    let ledger = Ledger::open(&dir, OPTIONS).unwrap();
    let (signed, behind) = (traces(seed, 1).concat(), traces(seed + 100, 2).concat());
    signed.iter().for_each(|item| commit(&ledger, item));
    let kept = ledger.checkpoint(&[&root()]).unwrap();
    behind.iter().for_each(|item| commit(&ledger, item));
    (dir, kept.note)
}

/// Seen from each half; the witnesses were shown the first one.
pub(crate) fn attacks(house: &House) -> Vec<Attack> {
    let (one, note_of_one) = half(house, "half one", 71);
    let (two, note_of_two) = half(house, "half two", 72);
    let witnessed = cosigned(&note_of_one, &root(), &[&witness(1), &witness(2)]);
    let witnessed = Some(house.file("one.cosigned", &witnessed));
    vec![
        Attack {
            kept: house.file("of two", &note_of_two),
            witnessed: witnessed.clone(),
            ..Attack::new(house, "fork the ledger: the half that was witnessed", one)
        },
        Attack {
            kept: house.file("of one", &note_of_one),
            witnessed,
            ..Attack::new(house, "fork the ledger: the other half", two)
        },
    ]
}

/// The root that the witnesses have is that of the first half alone, whatever is proven from the other.
#[test]
fn no_consistency_proof_leads_from_one_half_to_the_other() {
    let house = House::new();
    let (one, note_of_one) = half(&house, "half one", 71);
    let (two, _) = half(&house, "half two", 72);
    let policy = Policy::of_keys(vec![root().verifier().clone()]).unwrap();
    let seen = policy.verify(&note_of_one).unwrap();
    let (old, old_root) = (seen.checkpoint().size(), *seen.checkpoint().root());
    let consistent = |dir: &Path| {
        let snapshot = Snapshot::open(dir).unwrap();
        let (new, tree) = (snapshot.entries(), snapshot.tree());
        let path = tree.consistency_proof(old, new).unwrap();
        verify_consistency(old, &old_root, new, &tree.root(new).unwrap(), &path)
    };
    assert_eq!(consistent(&one), Ok(()));
    assert!(matches!(consistent(&two), Err(TreeFault::OldRoot { .. } | TreeFault::Root { .. })));
}
