//! Attacks on what the log says: cut, rewritten, put in another order, spliced. All of them can be
//! made without a key, and the ledger agrees with itself afterwards.

use std::fs;

use proofline::ledger::{EntryStatus, Ledger, checkpoint_path};

use crate::attack::Attack;
use crate::forge::{chain_again, cut, entries, log_files, make_derived_again};
use crate::house::{
    House, Item, OPTIONS, ORIGIN, commit, forget_checkpoints, genesis, keep, log_key, member, root, sign_at,
    traces, write,
};

/// The history with one early call changed that nothing rests on.
pub(crate) fn with_a_lie(house: &House) -> Vec<Item> {
    let is_call = |item: &&mut Item| item.text().contains("\"record_type\":\"tool_call\"");
    let mut items = house.items.clone();
    let call = items.iter_mut().find(is_call).unwrap();
    let text = call.text().replacen("\"size_bytes\":", "\"size_bytes\":1", 1);
    *call = Item::Evidence(text.into_bytes());
    assert_ne!(items, house.items);
    items
}

/// The call as it was, and as [`with_a_lie`] has it.
pub(crate) fn a_lie(house: &House) -> (Vec<u8>, Vec<u8>) {
    let lies = with_a_lie(house);
    let (truth, lie) = house.items.iter().zip(&lies).find(|(truth, lie)| truth != lie).unwrap();
    (truth.text().as_bytes().to_vec(), lie.text().as_bytes().to_vec())
}

pub(crate) fn attacks(house: &House) -> Vec<Attack> {
    let attack = |name, dir| Attack::new(house, name, dir);
    let mut all = cuts(house);

    let (dir, _) = house.rewritten("lie", &with_a_lie(house));
    all.push(attack("rewrite history and chain it again", dir));

    let (dir, _) = house.rewritten("lie kept", &with_a_lie(house));
    keep(&dir, house.second.size, &house.second.note);
    all.push(attack("rewrite history, keep the checkpoints", dir));

    let (dir, ledger) = house.rewritten("lie signed", &with_a_lie(house));
    ledger.checkpoint(&[&root()]).unwrap();
    all.push(attack("rewrite history and sign it with the stolen key", dir));

    let (dir, _) = house.rewritten("swapped", &swapped(house));
    all.push(attack("swap two traces and chain them again", dir));

    let dir = house.copy("tail");
    cut(&dir, house.second.size);
    make_derived_again(&dir);
    let ledger = Ledger::open(&dir, OPTIONS).unwrap();
    traces(70, 1).concat().iter().for_each(|item| commit(&ledger, item));
    drop(ledger);
    all.push(attack("rewrite what no checkpoint anchors yet", dir));

    all.extend(splices(house));
    all
}

fn cuts(house: &House) -> Vec<Attack> {
    let attack = |name, dir| Attack::new(house, name, dir);
    let entries = house.first.size + 2;
    let dir = house.copy("cut");
    cut(&dir, entries);
    let plain = attack("drop the tail", dir);

    let dir = house.copy("cut derived");
    cut(&dir, entries);
    log_files(&dir, "idx").iter().for_each(|file| fs::remove_file(file).unwrap());
    fs::remove_file(dir.join("published")).unwrap();
    let derived = attack("drop the tail, the published size and the indexes", dir);

    let dir = house.copy("cut all");
    cut(&dir, entries);
    fs::remove_file(checkpoint_path(&dir, house.second.size)).unwrap();
    make_derived_again(&dir);
    let all = attack("drop the tail and all that shows it", dir);

    let dir = house.copy("old");
    cut(&dir, house.first.size);
    fs::remove_file(checkpoint_path(&dir, house.second.size)).unwrap();
    make_derived_again(&dir);
    let old = house.file("first.cosigned", &house.cosigned(&house.first));
    let old = Attack {
        handed: vec![old],
        witnessed: None,
        ..attack("present an old checkpoint as the current one", dir)
    };
    vec![plain, derived, all, old]
}

/// Two whole traces in each other's place.
fn swapped(house: &House) -> Vec<Item> {
    let trace_of = |item: &Item| match item {
        Item::Evidence(_) => Some(member(item.text(), "\"trace_id\":\"").to_owned()),
        _ => None,
    };
    let first = house.items.iter().find_map(trace_of).unwrap();
    let second = house.items.iter().filter_map(trace_of).find(|trace| *trace != first).unwrap();
    let of = |trace: &str| -> Vec<Item> {
        house.items.iter().filter(|item| trace_of(item).as_deref() == Some(trace)).cloned().collect()
    };
    let mut items = Vec::new();
    for item in &house.items {
        let trace = trace_of(item);
        let is_new = !items.contains(item);
        if is_new && (trace.as_ref() == Some(&first) || trace.as_ref() == Some(&second)) {
            items.extend([of(&second), of(&first)].concat());
        } else if is_new {
            items.push(item.clone());
        }
    }
    assert!(items.len() == house.items.len() && items != house.items);
    items
}

fn splices(house: &House) -> Vec<Attack> {
    let attack = |name, dir| Attack::new(house, name, dir);
    let others = traces(8, 6);
    let other_dir = house.home.path().join("other ledger");
    drop(write(&other_dir, &genesis(8, "elsewhere.example"), &others.concat()));

    // The other ledger's frame with the seq that is wanted, as it lies there.
    let dir = house.copy("spliced frame");
    chain_again(&dir, &entries(&dir));
    let path = dir.join("log/00000000000000000000.seg");
    let other = house.home.path().join("other flat");
    crate::house::copy(&other_dir, &other);
    fs::create_dir(other.join("checkpoints")).unwrap();
    chain_again(&other, &entries(&other));
    let place = |dir: &std::path::Path, seq| {
        let snapshot = proofline::ledger::Snapshot::open(dir).unwrap();
        let at = |seq| snapshot.place(proofline::ledger::Seq::new(seq)).unwrap().1.unwrap();
        usize::try_from(at(seq)).unwrap()..usize::try_from(at(seq + 1)).unwrap()
    };
    let (own, theirs) =
        (fs::read(&path).unwrap(), fs::read(other.join("log/00000000000000000000.seg")).unwrap());
    let (out, put_in) = (place(&dir, 6), place(&other, 6));
    let mut bytes = own;
    bytes.splice(out, theirs[put_in].iter().copied());
    fs::write(&path, bytes).unwrap();
    fs::remove_file(dir.join("published")).unwrap();
    keep(&dir, house.first.size, &house.first.note);
    keep(&dir, house.second.size, &house.second.note);
    let frame = attack("splice another ledger's entry in", dir);

    let mut items = house.items.clone();
    items.splice(4..4, others[0].clone());
    let (dir, _) = house.rewritten("spliced", &items);
    let committed = attack("splice another ledger's traces in and chain them again", dir);

    // A key record of another ledger with the same origin, where it is as good as here.
    let elsewhere = house.home.path().join("same origin");
    let theirs = write(&elsewhere, &genesis(9, ORIGIN), &[]);
    let record = crate::house::add_key(&theirs, &log_key(44), None);
    let dir = house.copy("spliced key");
    let mut forged = entries(&dir);
    let mut spliced = forged[1].clone();
    assert_eq!(spliced.status, EntryStatus::System);
    spliced.body = record.text().as_bytes().to_vec();
    spliced.recorded_at_ms = forged[3].recorded_at_ms;
    forged.insert(3, spliced);
    chain_again(&dir, &forged);
    let key = attack("splice another ledger's key in", dir);

    let dir = house.copy("other checkpoint");
    forget_checkpoints(&dir);
    drop(theirs);
    let foreign = sign_at(&elsewhere, 2, &[&log_key(44)]);
    keep(&dir, 2, &foreign);
    let checkpoint = attack("keep another ledger's checkpoint in place of all others", dir);
    vec![frame, committed, key, checkpoint]
}
