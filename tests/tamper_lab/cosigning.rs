//! Attacks with cosignatures: the folder is as it was, and the attacker hands over a checkpoint that
//! looks witnessed.

use std::path::PathBuf;

use crate::attack::Attack;
use crate::house::{House, cosigned, root, secret, witness};
use proofline::proof::KeyRole;

pub(crate) fn attacks(house: &House) -> Vec<Attack> {
    let note = |name: &str, witnesses: &[&proofline::proof::SecretKey]| -> PathBuf {
        house.file(name, &cosigned(&house.second.note, &root(), witnesses))
    };
    // The witness of the policy by name, and a key of its that the policy does not list.
    let second_key = secret("witness.example/w1", KeyRole::Witness, 201);
    let cases = [
        ("cosign by the wrong witness", note("wrong", &[&witness(8), &witness(9)])),
        ("cosign by one witness where two are asked for", note("few", &[&witness(1)])),
        ("cosign by two keys of one witness", note("twice", &[&witness(1), &second_key])),
        ("cosign twice with one key", note("repeated", &[&witness(1), &witness(1)])),
        ("copy a cosignature from an older checkpoint", moved(house)),
    ];
    cases
        .into_iter()
        .map(|(name, handed)| Attack {
            handed: vec![handed],
            witnessed: None,
            ..Attack::new(house, name, house.copy(name))
        })
        .collect()
}

/// The later checkpoint with the cosignature lines of the earlier one.
fn moved(house: &House) -> PathBuf {
    let old = String::from_utf8(house.cosigned(&house.first)).unwrap();
    let lines: Vec<&str> = old.lines().filter(|line| line.contains(" witness.example/")).collect();
    assert_eq!(lines.len(), 2);
    let new = String::from_utf8(house.second.note.clone()).unwrap();
    house.file("moved", format!("{new}{}\n", lines.join("\n")).as_bytes())
}
