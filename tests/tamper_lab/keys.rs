//! Attacks with keys: retired, stolen, never listed, listed by the thief; and with the signatures of
//! producers.

use proofline::ledger::{EntryStatus, Ledger, Snapshot};

use crate::attack::Attack;
use crate::forge::{Forged, chain_again, entries};
use crate::history::with_a_lie;
use crate::house::{
    House, Item, NOW_MS, OPTIONS, add_key, keep, log_key, member, producer, retire_key, root, secret,
    sign_at, signature, thief, traces,
};

pub(crate) fn attacks(house: &House) -> Vec<Attack> {
    let attack = |name, dir| Attack::new(house, name, dir);
    let mut all = Vec::new();

    let dir = house.copy("retired");
    let ledger = Ledger::open(&dir, OPTIONS).unwrap();
    let next = log_key(2);
    add_key(&ledger, &next, Some(&root()));
    retire_key(&ledger, &root(), &next);
    let size = ledger.entries();
    drop(ledger);
    keep(&dir, size, &sign_at(&dir, size, &[&root()]));
    all.push(Attack { signer: next, ..attack("sign with a retired key", dir) });

    let dir = house.copy("unlisted");
    let size = Snapshot::open(&dir).unwrap().entries();
    keep(&dir, size, &sign_at(&dir, size, &[&thief()]));
    all.push(attack("sign with a key that was never listed", dir));

    let dir = house.copy("added");
    let ledger = Ledger::open(&dir, OPTIONS).unwrap();
    add_key(&ledger, &thief(), None);
    ledger.checkpoint(&[&thief()]).unwrap();
    drop(ledger);
    all.push(attack("list a key of the thief's and sign with it", dir));

    let (dir, ledger) = house.rewritten("added and lied", &with_a_lie(house));
    add_key(&ledger, &thief(), None);
    ledger.checkpoint(&[&thief()]).unwrap();
    drop(ledger);
    all.push(attack("rewrite history and sign it with a key of the thief's", dir));

    let dir = house.copy("ousted");
    let ledger = Ledger::open(&dir, OPTIONS).unwrap();
    add_key(&ledger, &thief(), None);
    retire_key(&ledger, &root(), &thief());
    ledger.checkpoint(&[&thief()]).unwrap();
    drop(ledger);
    all.push(attack("retire the right key by a key of the thief's", dir));

    all.extend(producers(house));
    all
}

/// Artifacts that the gate would not let in, written into the log all the same.
fn producers(house: &House) -> Vec<Attack> {
    let attack = |name, dir| Attack::new(house, name, dir);
    let evidence: Vec<&Item> = house.items.iter().filter(|item| matches!(item, Item::Evidence(_))).collect();
    let elsewhere = traces(8, 1).concat().remove(0);
    let stranger = secret("gateway.elsewhere.example", proofline::proof::KeyRole::Producer, 55);
    let cases = [
        ("give a producer's signature to another envelope", signature(evidence[4], evidence[0], &producer())),
        ("bring the signature of another ledger's producer", signature(evidence[4], evidence[4], &stranger)),
        (
            "bring a producer's signature over an envelope of another ledger",
            signature(&elsewhere, &elsewhere, &producer()),
        ),
        ("give a producer's signature to another trace", to_another_trace(evidence[4], &elsewhere)),
    ];
    let mut all = Vec::new();
    for (name, item) in cases {
        let dir = house.copy(name);
        let mut forged = entries(&dir);
        forged.push(Forged {
            status: EntryStatus::Artifact,
            trace_id: Some(member(item.text(), "\"target_trace_id\":\"").parse().unwrap()),
            body: item.text().as_bytes().to_vec(),
            recorded_at_ms: NOW_MS + 1000 * forged.len() as u64,
        });
        chain_again(&dir, &forged);
        // The history that was signed is as it was: the checkpoints stay.
        keep(&dir, house.first.size, &house.first.note);
        keep(&dir, house.second.size, &house.second.note);
        all.push(attack(name, dir));
    }
    all
}

/// The signature over an envelope that is here, said to be of a trace that is not.
fn to_another_trace(here: &Item, elsewhere: &Item) -> Item {
    let trace = |item: &Item| member(item.text(), "\"trace_id\":\"").to_owned();
    let signed = signature(here, here, &producer());
    let text = signed.text().replace(&trace(here), &trace(elsewhere));
    assert_ne!(text, signed.text());
    Item::Artifact(text.into_bytes())
}
