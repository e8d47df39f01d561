//! The list of keys: who may add and retire what, and what a list is worth to somebody who knows
//! one key from elsewhere.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use proofline_proof::{
    KeyList, KeyListError, KeyName, KeyRole, SecretKey, Seq, Signer as _, VerifierKey, key_statement,
};
use proofline_trace::{KeyChange, KeyEvent, KeyRecord, LedgerId, Origin, SignatureText};
use zeroize::Zeroizing;

const ORIGIN: &str = "ledger.example/agents";

fn secret(name: &str, role: KeyRole, seed: u8) -> SecretKey {
    SecretKey::from_seed(KeyName::new(name).unwrap(), role, &Zeroizing::new([seed; 32])).unwrap()
}

fn log_key(seed: u8) -> SecretKey {
    secret(ORIGIN, KeyRole::Log, seed)
}

fn empty() -> KeyList {
    KeyList::new(LedgerId::from_bytes([7; 16]), Origin::new(ORIGIN).unwrap())
}

fn seq(number: u64) -> Seq {
    Seq::new(number)
}

fn names(list: &KeyList, role: KeyRole, size: u64) -> Vec<String> {
    list.current(role, size).map(|listed| listed.key.short_name()).collect()
}

/// A list with a first key at entry 1, a second one that the first vouched for at 5, the first retired
/// by the second at 9.
fn rotated() -> (KeyList, SecretKey, SecretKey) {
    let (first, second) = (log_key(1), log_key(2));
    let mut list = empty();
    list.apply(seq(1), &list.addition(&first, None).unwrap()).unwrap();
    list.apply(seq(5), &list.addition(&second, Some(&first)).unwrap()).unwrap();
    list.apply(seq(9), &list.retirement(first.verifier(), &second).unwrap()).unwrap();
    (list, first, second)
}

#[test]
fn a_key_is_current_from_behind_its_entry_to_that_which_retires_it() {
    let (list, first, second) = rotated();
    let (one, two) = (&first.verifier().short_name(), &second.verifier().short_name());
    assert_eq!(names(&list, KeyRole::Log, 1), [""; 0]);
    assert_eq!(names(&list, KeyRole::Log, 2), [one.as_str()]);
    assert_eq!(names(&list, KeyRole::Log, 5), [one.as_str()]);
    assert_eq!(names(&list, KeyRole::Log, 6), [one.as_str(), two.as_str()]);
    assert_eq!(names(&list, KeyRole::Log, 9), [one.as_str(), two.as_str()]);
    assert_eq!(names(&list, KeyRole::Log, 10), [two.as_str()]);
    assert_eq!(names(&list, KeyRole::Log, u64::MAX), [two.as_str()]);
    assert!(list.find(one, 9).is_some() && list.find(one, 10).is_none());
    assert_eq!(list.all()[0].endorsed_by, None);
    assert_eq!(list.all()[1].endorsed_by.as_ref(), Some(one));
    assert_eq!(list.all()[0].retired, Some((seq(9), two.clone())));
}

#[test]
fn what_the_rule_refuses() {
    let (list, first, second) = rotated();
    let refused = |record: &KeyRecord| list.clone().apply(seq(20), record).unwrap_err();
    let add = |key: &SecretKey, by: Option<&SecretKey>| {
        list.addition(key, by.map(|by| by as &dyn proofline_proof::Signer)).unwrap()
    };
    let (name, third) = (first.verifier().short_name(), log_key(3));
    assert_eq!(refused(&add(&first, Some(&second))), KeyListError::Listed(name.clone()));
    assert_eq!(refused(&add(&third, Some(&first))), KeyListError::Endorser(name.clone()));
    let stranger = log_key(9);
    assert!(matches!(refused(&add(&third, Some(&stranger))), KeyListError::Endorser(_)));
    let other = secret("other.example/log", KeyRole::Log, 4);
    assert!(matches!(refused(&add(&other, Some(&second))), KeyListError::Name { .. }));
    let witness = secret(ORIGIN, KeyRole::Witness, 4);
    assert_eq!(refused(&add(&witness, Some(&second))), KeyListError::Role(KeyRole::Witness));
    for role in [KeyRole::Cose, KeyRole::Dsse, KeyRole::Producer] {
        let key = secret("gateway.example", role, 5);
        assert_eq!(refused(&add(&key, None)), KeyListError::Unendorsed(role));
        list.clone().apply(seq(20), &add(&key, Some(&second))).unwrap();
    }
    let retire = |key: &VerifierKey, by: &SecretKey| list.retirement(key, by).unwrap();
    assert_eq!(refused(&retire(first.verifier(), &second)), KeyListError::NotCurrent(name.clone()));
    assert_eq!(refused(&retire(second.verifier(), &first)), KeyListError::Endorser(name));
    assert!(matches!(refused(&retire(third.verifier(), &second)), KeyListError::NotCurrent(_)));
    list.clone().apply(seq(20), &retire(second.verifier(), &second)).unwrap();
    let not_a_log_key = secret("gateway.example", KeyRole::Producer, 5);
    assert!(list.addition(&third, Some(&not_a_log_key)).is_err());
}

/// Each signature is over this event of this key in this ledger, and over nothing else.
#[test]
fn signatures_of_another_event_key_or_ledger_are_refused() {
    let (list, _, second) = rotated();
    let (third, fourth) = (log_key(3), log_key(4));
    let record = list.addition(&third, Some(&second)).unwrap();
    list.clone().apply(seq(20), &record).unwrap();
    let elsewhere = KeyList::new(LedgerId::from_bytes([8; 16]), Origin::new(ORIGIN).unwrap());
    let there = elsewhere.addition(&third, Some(&second)).unwrap();
    let name = third.verifier().short_name();
    assert!(matches!(list.clone().apply(seq(20), &there), Err(KeyListError::Endorsement(_))));
    let bare = elsewhere.addition(&third, None).unwrap();
    assert_eq!(list.clone().apply(seq(20), &bare), Err(KeyListError::Possession(name.clone())));
    // Another key under the endorsement of this one.
    let other = list.addition(&fourth, None).unwrap();
    let KeyChange::Added { endorsement, .. } = record.change.clone() else { unreachable!() };
    let KeyChange::Added { signature, .. } = other.change else { unreachable!() };
    let spliced = KeyRecord { key: other.key, change: KeyChange::Added { signature, endorsement } };
    assert!(matches!(list.clone().apply(seq(20), &spliced), Err(KeyListError::Endorsement(_))));
    // An addition's endorsement as that of a retirement.
    let KeyChange::Added { endorsement: Some(by), .. } = record.change.clone() else { unreachable!() };
    let retired = KeyRecord { key: record.key.clone(), change: KeyChange::Retired(by) };
    assert!(matches!(list.clone().apply(seq(20), &retired), Err(KeyListError::Endorsement(_))));
    // A broken signature.
    let broken = KeyChange::Added { signature: SignatureText::new("AAAA").unwrap(), endorsement: None };
    let broken = KeyRecord { key: record.key.clone(), change: broken };
    assert_eq!(list.clone().apply(seq(20), &broken), Err(KeyListError::Possession(name)));
}

#[test]
fn the_statement_is_five_lines() {
    let statement =
        key_statement(LedgerId::from_bytes([7; 16]), &Origin::new(ORIGIN).unwrap(), KeyEvent::Added, "a+b+c");
    let expected = "proofline/key/v1\nledger 07070707070707070707070707070707\n\
                    origin ledger.example/agents\nadded\nkey a+b+c\n";
    assert_eq!(String::from_utf8(statement).unwrap(), expected);
}

/// Whoever writes to the folder can add a key of their own and retire the right one with it. To
/// somebody who knows the right one, neither happened.
#[test]
fn a_key_that_nobody_trusted_vouched_for_changes_nothing_for_who_knows_the_root() {
    let (mut list, first, second) = rotated();
    let thief = log_key(66);
    list.apply(seq(20), &list.addition(&thief, None).unwrap()).unwrap();
    list.apply(seq(21), &list.retirement(second.verifier(), &thief).unwrap()).unwrap();
    let friend = log_key(67);
    list.apply(seq(22), &list.addition(&friend, Some(&thief)).unwrap()).unwrap();
    assert_eq!(list.current(KeyRole::Log, 30).count(), 2, "by the ledger's own word the thief's keys are");
    let trusted = list.resting_on(&[first.verifier().clone()]);
    assert_eq!(names(&trusted, KeyRole::Log, 30), [second.verifier().short_name()]);
    assert_eq!(names(&trusted, KeyRole::Log, 8).len(), 2);
    let by_thief = list.resting_on(&[thief.verifier().clone()]);
    assert_eq!(names(&by_thief, KeyRole::Log, 30).len(), 2);
    assert!(list.resting_on(&[]).all().is_empty());
    let whole = rotated().0;
    assert_eq!(whole.resting_on(&[first.verifier().clone()]), whole);
}
