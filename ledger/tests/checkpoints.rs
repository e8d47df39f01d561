//! Keys, checkpoints and producers' signatures of a ledger: what the gate lets in, what is signed,
//! and what is refused to be signed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;

use common::keys::{add, commit, copy, fresh, log_key, retire, root_of, secret, signature, system};
use common::{NOW_MS, chain, genesis, hash_of};
use proofline_ledger::{
    Action, ArtifactRefusal, CheckpointRule, CheckpointingError, Ledger, LedgerError, Options, Outcome,
    Snapshot, checkpoint_path, policy_at, verify,
};
use proofline_proof::{Checkpoint, KeyListError, KeyRole, NodeHash, Note, Policy, SecretKey, Signer};
use proofline_trace::{EnvelopeHash, ProducerSignature};

#[test]
fn a_checkpoint_states_origin_size_and_root_and_verifies_under_the_listed_key() {
    let (_dir, ledger) = fresh();
    let key = log_key(1);
    assert!(
        matches!(add(&ledger, &key, None), Outcome::Accepted { seq, duplicate: false, .. } if seq.get() == 1)
    );
    for round in 0..6_u32 {
        commit(&ledger, round * 3 + 1..round * 3 + 4);
        let kept = ledger.checkpoint(&[&key]).unwrap();
        let size = ledger.entries();
        let text = format!("{}\n{size}\n{}\n", genesis().origin, root_of(ledger.dir(), size));
        assert_eq!(Note::parse(&kept.note).unwrap().text(), text);
        assert_eq!(fs::read(checkpoint_path(ledger.dir(), size)).unwrap(), kept.note);
        let keys = ledger.snapshot().unwrap().key_list().unwrap();
        let verified = policy_at(&keys, size).unwrap().verify(&kept.note).unwrap();
        assert_eq!(verified.log_keys(), [key.verifier().clone()]);
        // Nothing new: the same bytes, and no other file.
        assert_eq!(ledger.checkpoint(&[&key]).unwrap(), kept);
        assert_eq!(ledger.checkpoints().unwrap().len(), round as usize + 1);
    }
    let latest = ledger.snapshot().unwrap().latest_checkpoint().unwrap().unwrap();
    assert_eq!(latest.stated().unwrap().size(), ledger.entries());
    assert!(verify(ledger.dir(), &mut |_| ()).unwrap().is_sound());
}

#[test]
fn two_keys_sign_one_checkpoint_at_once_or_one_after_the_other() {
    let (_dir, ledger) = fresh();
    let (one, two) = (log_key(1), log_key(2));
    add(&ledger, &one, None);
    add(&ledger, &two, Some(&one));
    let first = ledger.checkpoint(&[&one]).unwrap();
    assert_eq!(Note::parse(&first.note).unwrap().signatures().len(), 1);
    let both = ledger.checkpoint(&[&two]).unwrap();
    assert_eq!(Note::parse(&both.note).unwrap().signatures().len(), 2);
    assert_eq!(ledger.checkpoint(&[&one, &two]).unwrap(), both);
}

#[test]
fn an_old_checkpoint_verifies_under_the_key_that_was_current_and_no_retired_key_signs() {
    let (_dir, ledger) = fresh();
    let (old, new) = (log_key(1), log_key(2));
    assert!(matches!(ledger.checkpoint(&[&old]), Err(CheckpointingError::NotCurrent { .. })));
    assert!(matches!(ledger.checkpoint(&[]), Err(CheckpointingError::NoSigner)));
    add(&ledger, &old, None);
    commit(&ledger, 1..4);
    let first = ledger.checkpoint(&[&old]).unwrap();
    add(&ledger, &new, Some(&old));
    retire(&ledger, old.verifier(), &new);
    commit(&ledger, 4..6);
    assert!(matches!(ledger.checkpoint(&[&old]), Err(CheckpointingError::NotCurrent { .. })));
    let second = ledger.checkpoint(&[&new]).unwrap();
    let keys = ledger.snapshot().unwrap().key_list().unwrap();
    assert!(policy_at(&keys, first.size).unwrap().verify(&first.note).is_ok());
    assert!(policy_at(&keys, second.size).unwrap().verify(&second.note).is_ok());
    assert!(policy_at(&keys, second.size).unwrap().verify(&first.note).is_err(), "retired by then");
    let other = secret("other.example", KeyRole::Log, 1);
    assert!(matches!(ledger.checkpoint(&[&other]), Err(CheckpointingError::NotCurrent { .. })));
}

#[test]
fn the_gate_of_keys_and_its_idempotence() {
    let (_dir, ledger) = fresh();
    let (one, two) = (log_key(1), log_key(2));
    let list = ledger.snapshot().unwrap().key_list().unwrap();
    let record = list.addition(&one, None).unwrap();
    system(&ledger, &record);
    assert!(
        matches!(system(&ledger, &record), Outcome::Accepted { duplicate: true, seq, .. } if seq.get() == 1)
    );
    let refused = |outcome| match outcome {
        Outcome::ArtifactRefused(refusal) => refusal,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        refused(add(&ledger, &one, Some(&one))),
        ArtifactRefusal::Keys(KeyListError::Listed(_))
    ));
    assert!(matches!(
        refused(add(&ledger, &two, Some(&two))),
        ArtifactRefusal::Keys(KeyListError::Endorser(_))
    ));
    for bad in [&b"{}"[..], b"", b"[1]", br#"{"system_type":"genesis"}"#] {
        let outcome = ledger.commit_action(&Action::System(bad), NOW_MS).unwrap();
        assert!(matches!(refused(outcome), ArtifactRefusal::Form(_)));
    }
    let spaced = [b" ", &record.canonical()[..]].concat();
    let outcome = ledger.commit_action(&Action::System(&spaced), NOW_MS).unwrap();
    assert!(matches!(refused(outcome), ArtifactRefusal::Form(_)));
    // Both in one group: the second rests on the first.
    let list = ledger.snapshot().unwrap().key_list().unwrap();
    let (third, fourth) = (log_key(3), log_key(4));
    let bodies = [
        list.addition(&third, Some(&one)).unwrap().canonical(),
        list.addition(&fourth, Some(&third)).unwrap().canonical(),
    ];
    let actions: Vec<_> = bodies.iter().map(|body| Action::System(body)).collect();
    for outcome in ledger.commit_actions(&actions, NOW_MS).unwrap() {
        assert!(matches!(outcome, Outcome::Accepted { .. }));
    }
    assert_eq!(ledger.entries(), 4);
    let reopened = Ledger::open(ledger.dir(), Options::default()).unwrap();
    assert_eq!(reopened.snapshot().unwrap().key_list().unwrap().all().len(), 3);
}

#[test]
fn producers_stand_for_their_envelopes_and_for_no_others() {
    let (_dir, ledger) = fresh();
    let (log, producer, stranger) = (
        log_key(1),
        secret("gateway.example", KeyRole::Producer, 5),
        secret("x.example", KeyRole::Producer, 6),
    );
    add(&ledger, &log, None);
    add(&ledger, &producer, Some(&log));
    commit(&ledger, 1..3);
    let hash: EnvelopeHash = hash_of(&chain(1, 3)[2]).parse().unwrap();
    let other: EnvelopeHash = hash_of(&chain(2, 3)[2]).parse().unwrap();
    let trace_of = |hash: &EnvelopeHash| {
        let snapshot = ledger.snapshot().unwrap();
        let seq = snapshot.accepted(hash).unwrap().unwrap();
        snapshot.entry(seq).unwrap().unwrap().header.trace.unwrap().trace_id
    };
    let send = |record: &ProducerSignature| {
        ledger.commit_action(&Action::Artifact(&record.canonical()), NOW_MS).unwrap()
    };
    let good = signature(&hash, trace_of(&hash), &producer);
    assert!(matches!(send(&good), Outcome::Accepted { duplicate: false, .. }));
    assert!(matches!(send(&good), Outcome::Accepted { duplicate: true, .. }));
    let refused = |record: ProducerSignature| match send(&record) {
        Outcome::ArtifactRefused(refusal) => refusal.code(),
        other => panic!("{other:?}"),
    };
    let trace = trace_of(&hash);
    assert_eq!(refused(signature(&hash, trace, &stranger)), "ledger.unknown_producer");
    assert_eq!(refused(signature(&hash, trace_of(&other), &producer)), "ledger.artifact_trace");
    let nowhere = EnvelopeHash::from_bytes([9; 32]);
    assert_eq!(refused(signature(&nowhere, trace, &producer)), "ledger.artifact_reference");
    // The signature over another envelope.
    let spliced =
        ProducerSignature { signature: signature(&other, trace, &producer).signature, ..good.clone() };
    assert_eq!(refused(spliced), "ledger.producer_signature");
    retire(&ledger, producer.verifier(), &log);
    assert_eq!(refused(signature(&other, trace_of(&other), &producer)), "ledger.unknown_producer");
    assert!(verify(ledger.dir(), &mut |_| ()).unwrap().is_sound());
}

#[test]
fn a_log_shorter_than_a_kept_checkpoint_is_not_opened_and_not_signed() {
    let (_dir, ledger) = fresh();
    let key = log_key(1);
    add(&ledger, &key, None);
    commit(&ledger, 1..4);
    let path = ledger.dir().to_owned();
    let short = _dir.path().join("short");
    copy(&path, &short);
    commit(&ledger, 4..6);
    let kept = ledger.checkpoint(&[&key]).unwrap();
    // The older folder, with the checkpoint that somebody kept.
    fs::create_dir_all(short.join("checkpoints")).unwrap();
    fs::write(checkpoint_path(&short, kept.size), &kept.note).unwrap();
    let Err(LedgerError::Damaged(damage)) = Ledger::open(&short, Options::default()) else {
        panic!("opened")
    };
    assert_eq!(
        (damage.code, damage.file.as_str()),
        ("log.truncated", format!("checkpoints/{:020}.checkpoint", kept.size).as_str())
    );
    let snapshot = Snapshot::open(&short).unwrap();
    assert_eq!(snapshot.damage().iter().map(|damage| damage.code).collect::<Vec<_>>(), ["log.truncated"]);
}

#[test]
fn a_fork_of_the_kept_checkpoint_is_not_signed() {
    let (_dir, ledger) = fresh();
    let key = log_key(1);
    add(&ledger, &key, None);
    commit(&ledger, 1..4);
    let path = ledger.dir().to_owned();
    let fork = _dir.path().join("fork");
    copy(&path, &fork);
    commit(&ledger, 4..6);
    let kept = ledger.checkpoint(&[&key]).unwrap();
    let forked = Ledger::open(&fork, Options::default()).unwrap();
    commit(&forked, 14..17);
    assert!(forked.entries() > kept.size);
    fs::create_dir_all(fork.join("checkpoints")).unwrap();
    fs::write(checkpoint_path(&fork, kept.size), &kept.note).unwrap();
    assert!(matches!(
        forked.checkpoint(&[&key]),
        Err(CheckpointingError::Fork { size }) if size == kept.size
    ));
}

#[test]
fn a_kept_checkpoint_that_was_changed_stops_the_next_one() {
    let (_dir, ledger) = fresh();
    let key = log_key(1);
    add(&ledger, &key, None);
    commit(&ledger, 1..3);
    let kept = ledger.checkpoint(&[&key]).unwrap();
    commit(&ledger, 3..4);
    let text = String::from_utf8(kept.note.clone()).unwrap();
    let changed = text.replacen("ledger", "Ledger", 1);
    assert_ne!(changed, text);
    fs::write(checkpoint_path(ledger.dir(), kept.size), changed).unwrap();
    assert!(matches!(ledger.checkpoint(&[&key]), Err(CheckpointingError::Kept { .. })));
    fs::write(checkpoint_path(ledger.dir(), kept.size), text).unwrap();
    assert!(ledger.checkpoint(&[&key]).is_ok());
}

#[test]
fn the_rule_says_when_one_is_due() {
    let (_dir, ledger) = fresh();
    let key = log_key(1);
    add(&ledger, &key, None);
    let due = |rule: CheckpointRule, now_ms: u64| {
        ledger.checkpoint_if_due(&rule, &[&key], now_ms).unwrap().map(|kept| kept.size)
    };
    let (entries, time) = (
        CheckpointRule { every_entries: Some(5), every_ms: None },
        CheckpointRule { every_entries: None, every_ms: Some(1000) },
    );
    assert_eq!(due(entries, NOW_MS), None);
    assert_eq!(due(time, NOW_MS), None);
    assert_eq!(due(time, NOW_MS + 1000), Some(3));
    commit(&ledger, 1..2);
    assert_eq!(due(time, NOW_MS + 999), None);
    assert_eq!(due(CheckpointRule::default(), u64::MAX), None);
    assert_eq!(due(entries, NOW_MS), Some(9));
    assert_eq!(due(time, u64::MAX), None, "nothing new");
    commit(&ledger, 2..3);
    assert_eq!(due(time, NOW_MS + 1000), Some(15));
}

#[test]
fn lines_that_were_made_elsewhere_join_the_kept_checkpoint() {
    let (_dir, ledger) = fresh();
    let key = log_key(1);
    add(&ledger, &key, None);
    let kept = ledger.checkpoint(&[&key]).unwrap();
    let note = Note::parse(&kept.note).unwrap();
    let keys = ledger.snapshot().unwrap().key_list().unwrap();
    let verified = policy_at(&keys, kept.size).unwrap().verify(&kept.note).unwrap();
    let (one, two) =
        (secret("w.example/1", KeyRole::Witness, 7), secret("w.example/2", KeyRole::WitnessMlDsa44, 8));
    // Each witness had the note of the log alone.
    ledger.add_to_checkpoint(&verified.cosign(&one, 1_700_000_000).unwrap()).unwrap();
    let joined = ledger.add_to_checkpoint(&verified.cosign(&two, 1_700_000_001).unwrap()).unwrap();
    assert_eq!(fs::read(checkpoint_path(ledger.dir(), kept.size)).unwrap(), joined.note);
    let policy = Policy::of_keys([&key, &one, &two].map(|key: &SecretKey| key.verifier().clone()).to_vec());
    let times = policy.unwrap().verify(&joined.note).unwrap();
    let times: Vec<u64> = times.witnesses().iter().map(|cosigned| cosigned.timestamp_s).collect();
    assert_eq!(times, [1_700_000_000, 1_700_000_001]);
    // The log signs again: what others said of the same text stays.
    assert_eq!(ledger.checkpoint(&[&key]).unwrap(), joined);

    let refused = |note: &Note| ledger.add_to_checkpoint(note).unwrap_err();
    let text = note.text().to_owned();
    let line = note.signatures()[0].clone();
    let forged = proofline_proof::NoteSignature::new(line.name(), line.id(), vec![1; 64]).unwrap();
    let forged = Note::unsigned(&text).unwrap().with_signature(forged).unwrap();
    assert_eq!(refused(&forged).code(), "checkpoint.signature");
    let other_root = Checkpoint::new(genesis().origin.as_str(), kept.size, NodeHash::from_bytes([9; 32]));
    let other_root = other_root.unwrap().sign(&[&key]).unwrap();
    assert_eq!(refused(&other_root).code(), "checkpoint.other_text");
    let other_size = Checkpoint::new(genesis().origin.as_str(), 1, NodeHash::from_bytes([9; 32]));
    assert_eq!(refused(&other_size.unwrap().sign(&[&key]).unwrap()).code(), "checkpoint.not_kept");
    assert_eq!(refused(&Note::sign("no checkpoint\n", &[&key]).unwrap()).code(), "checkpoint.lines");
    assert_eq!(fs::read(checkpoint_path(ledger.dir(), kept.size)).unwrap(), joined.note);
}

/// One policy for both: the ledger's own word, and that of somebody who knows the root.
#[test]
fn policies_of_roots_follow_rotation() {
    let (_dir, ledger) = fresh();
    let (root, next) = (log_key(1), log_key(2));
    add(&ledger, &root, None);
    add(&ledger, &next, Some(&root));
    retire(&ledger, root.verifier(), &next);
    let kept = ledger.checkpoint(&[&next]).unwrap();
    let keys = ledger.snapshot().unwrap().key_list().unwrap();
    let trusted = keys.resting_on(&[root.verifier().clone()]);
    assert!(policy_at(&trusted, kept.size).unwrap().verify(&kept.note).is_ok());
    assert!(Policy::of_keys(vec![root.verifier().clone()]).unwrap().verify(&kept.note).is_err());
}

/// At any size, with and without a checkpoint to begin at; not over one that was changed.
#[test]
fn the_root_of_the_log_is_read_from_its_entries() {
    let (_dir, ledger) = fresh();
    let key = log_key(1);
    add(&ledger, &key, None);
    commit(&ledger, 1..4);
    let kept = ledger.checkpoint(&[&key]).unwrap();
    commit(&ledger, 4..6);
    let snapshot = ledger.snapshot().unwrap();
    let root = |size: u64| snapshot.logged_root(size).map(|root| root.to_base64());
    for size in 0..=ledger.entries() {
        assert_eq!(root(size).unwrap(), root_of(ledger.dir(), size), "{size}");
    }
    assert_eq!(root(ledger.entries() + 1).unwrap_err().code(), "tree.past_end");
    let path = checkpoint_path(ledger.dir(), kept.size);
    let text = String::from_utf8(kept.note).unwrap();
    fs::write(&path, text.replacen("ledger", "Ledger", 1)).unwrap();
    assert!(root(kept.size - 1).is_ok());
    for size in [kept.size, ledger.entries()] {
        assert_eq!(root(size).unwrap_err().code(), "checkpoint.kept");
    }
}
