//! The power goes off, and every call to the disk fails once, while keys are added and retired and
//! checkpoints are signed between commits. A checkpoint that somebody was given is there afterwards,
//! none covers more than what is durable, and no reader and no opening takes the log for a cut one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::HashSet;
use std::io;

use common::busy::{self, Group, Receipt, groups, receipt};
use common::keys::log_key;
use common::random::full_effort;
use common::recovered::{Claims, check_image, dir, images, open, prepared};
use common::sim_disk::{Call, Effect, Fault, Image, SimDisk};
use common::{NOW_MS, genesis, raw};
use proofline_ledger::disk::Disk;
use proofline_ledger::{Action, KeptCheckpoint, Ledger, Outcome, Snapshot, VerifyPlan, policy_at, verify_on};
use proofline_proof::{KeyList, Note, Signer};
use proofline_trace::EnvelopeHash;

/// One thing after the other.
enum Step {
    Commit(Group),
    System(Vec<u8>),
    /// Signs with the keys of these seeds.
    Checkpoint(&'static [u8]),
}

fn steps() -> Vec<Step> {
    let list = KeyList::new(genesis().ledger_id, genesis().origin);
    let (one, two) = (log_key(1), log_key(2));
    let mut evidence = groups(11, 14).into_iter().map(Step::Commit);
    let mut steps = vec![
        Step::System(list.addition(&one, None).unwrap().canonical()),
        Step::Checkpoint(&[1]),
        Step::System(list.addition(&two, Some(&one)).unwrap().canonical()),
    ];
    for signers in [&[1][..], &[1, 2], &[2], &[1]] {
        steps.extend(evidence.by_ref().take(2));
        steps.push(Step::Checkpoint(signers));
    }
    // Nothing new, another signer: the same file gets a second signature.
    steps.push(Step::Checkpoint(&[2]));
    steps.push(Step::System(list.retirement(one.verifier(), &two).unwrap().canonical()));
    steps.extend(evidence.by_ref().take(3));
    steps.push(Step::Checkpoint(&[2]));
    steps.extend(evidence);
    steps
}

fn sent(steps: &[Step]) -> HashSet<String> {
    let of_step = |step: &Step| match step {
        Step::Commit(group) => busy::hashes(std::slice::from_ref(group)),
        Step::System(body) => HashSet::from([EnvelopeHash::of(body).to_string()]),
        Step::Checkpoint(_) => HashSet::new(),
    };
    steps.iter().flat_map(of_step).collect()
}

/// What was acknowledged.
#[derive(Default)]
struct Done {
    receipts: Vec<Receipt>,
    kept: Vec<KeptCheckpoint>,
    is_all: bool,
}

fn sign(ledger: &Ledger, seeds: &[u8]) -> Result<KeptCheckpoint, proofline_ledger::CheckpointingError> {
    let keys: Vec<_> = seeds.iter().map(|seed| log_key(*seed)).collect();
    ledger.checkpoint(&keys.iter().map(|key| key as &dyn Signer).collect::<Vec<_>>())
}

fn run(ledger: &Ledger, steps: &[Step]) -> Done {
    let mut done = Done::default();
    for step in steps {
        match step {
            Step::Commit(group) => {
                let actions: Vec<Action<'_>> = group.sent.iter().map(busy::Sent::action).collect();
                let Ok(outcomes) = ledger.commit_actions(&actions, group.recorded_at_ms) else { return done };
                let received = group.sent.iter().zip(&outcomes).filter_map(|(sent, it)| receipt(sent, it));
                done.receipts.extend(received);
            }
            Step::System(body) => match ledger.commit_action(&Action::System(body), NOW_MS) {
                Ok(Outcome::Accepted { envelope_hash, seq, .. }) => {
                    done.receipts.push(Receipt { seq: seq.get(), hash: envelope_hash.to_string() });
                }
                Ok(other) => panic!("{other:?}"),
                Err(_) => return done,
            },
            Step::Checkpoint(seeds) => match sign(ledger, seeds) {
                Ok(kept) => done.kept.push(kept),
                Err(_) => return done,
            },
        }
    }
    done.is_all = true;
    done
}

/// Every checkpoint on a disk, by file name.
fn checkpoint_files(disk: &SimDisk) -> Vec<(u64, Vec<u8>)> {
    let folder = dir().join("checkpoints");
    let names = disk.list(&folder).unwrap_or_default();
    let names =
        names.into_iter().filter_map(|name| Some((name.strip_suffix(".checkpoint")?.parse().ok()?, name)));
    names.map(|(size, name): (u64, String)| (size, raw::read_file(disk, &folder.join(name)))).collect()
}

/// What must hold before anybody mended anything.
fn check_checkpoints(disk: &SimDisk, kept: &[KeptCheckpoint]) {
    let files = checkpoint_files(disk);
    for kept in kept {
        let (_, found) =
            files.iter().find(|(size, _)| *size == kept.size).expect("an acknowledged checkpoint");
        let (found, given) = (Note::parse(found).unwrap(), Note::parse(&kept.note).unwrap());
        assert_eq!(found.text(), given.text());
        assert!(given.signatures().iter().all(|line| found.signatures().contains(line)));
    }
    let (entries, _) = raw::read_log(disk, dir());
    let snapshot = Snapshot::open_on(disk, dir()).unwrap();
    let cut = snapshot.damage().iter().find(|damage| damage.file.starts_with("checkpoints/"));
    assert_eq!(cut, None, "a reader takes the log for a cut one");
    for (size, note) in &files {
        assert!(*size <= entries.len() as u64, "a checkpoint of {size} entries, {} are there", entries.len());
        let keys = snapshot.key_list().unwrap();
        let verified = policy_at(&keys, *size).unwrap().verify(note).unwrap();
        assert_eq!(verified.checkpoint().size(), *size);
    }
}

fn check(disk: &SimDisk, done: &Done, sent: &HashSet<String>) {
    check_checkpoints(disk, &done.kept);
    let report = verify_on(disk, dir(), &VerifyPlan::default(), &mut |_| ()).unwrap();
    assert!(report.completeness().next().is_none() && report.unauthentic.is_empty(), "{report:?}");
    check_image(disk, &Claims { receipts: &done.receipts, sent }, 0);
    check_checkpoints(disk, &done.kept);
    let ledger = open(disk).unwrap();
    let keys = ledger.snapshot().unwrap().key_list().unwrap();
    let current = |seed: &u8| keys.find(&log_key(*seed).verifier().short_name(), ledger.entries()).is_some();
    let signers: Vec<u8> = [1, 2].into_iter().filter(current).collect();
    if !signers.is_empty() {
        assert_eq!(sign(&ledger, &signers).unwrap().size, ledger.entries());
    }
    let report = verify_on(disk, dir(), &VerifyPlan::default(), &mut |_| ()).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.unanchored().is_empty(), !signers.is_empty());
}

#[test]
fn a_cut_at_any_change_loses_no_checkpoint_and_leaves_none_too_large() {
    let (prepared, steps) = (prepared(), steps());
    let (sent, seeds) = (sent(&steps), if full_effort() { 24 } else { 2 });
    for cut in (0..).step_by(if full_effort() { 1 } else { 2 }) {
        let disk = prepared.copy();
        let ledger = open(&disk).unwrap();
        disk.cut_power_at(cut);
        let done = run(&ledger, &steps);
        for image in images(seeds) {
            let image = if let Image::Seed(seed) = image { Image::Seed(seed + cut * 1000) } else { image };
            check(&disk.after_power_cut(image), &done, &sent);
        }
        // The process alone was killed; then the power goes off behind what the next one signed.
        let killed = disk.after_kill();
        check(&killed, &done, &sent);
        let again = Done { kept: sizes_signed(&killed), ..done };
        check_checkpoints(&killed.after_power_cut(Image::SyncedOnly), &again.kept);
        check_checkpoints(&killed.after_power_cut(Image::Seed(cut)), &again.kept);
        if again.is_all {
            println!("{cut} changes, {} checkpoints", done_sizes(&again).len());
            assert!(cut > 100, "the run makes {cut} changes");
            assert_eq!(done_sizes(&again).len(), 6);
            break;
        }
    }
}

/// Every checkpoint that stands on a disk, as if all of them had been acknowledged: they were.
fn sizes_signed(disk: &SimDisk) -> Vec<KeptCheckpoint> {
    let ledger = open(disk).unwrap();
    ledger.checkpoints().unwrap()
}

fn done_sizes(done: &Done) -> HashSet<u64> {
    done.kept.iter().map(|kept| kept.size).collect()
}

#[test]
fn every_call_of_a_checkpoint_fails_once_and_the_next_one_is_signed() {
    let steps = steps();
    let sent = sent(&steps);
    let (before, last) = steps.split_at(steps.len() - 5);
    let prepared = prepared();
    let done = run(&open(&prepared).unwrap(), before);
    assert!(done.is_all && !last.is_empty());
    let mut cells = 0;
    for call in Call::ALL {
        for nth in 0.. {
            let mut was_reached = true;
            for effect in [Effect::Nothing, Effect::Part, Effect::Done] {
                if effect != Effect::Nothing && !call.changes() {
                    continue;
                }
                let disk = prepared.copy();
                let ledger = open(&disk).unwrap();
                disk.fail(Some(Fault { call, nth, error: io::ErrorKind::Other, effect }));
                let outcome = sign(&ledger, &[2]);
                was_reached = disk.has_failed();
                if !was_reached {
                    outcome.unwrap();
                    break;
                }
                cells += 1;
                let error = outcome.expect_err("a fault went unnoticed");
                assert_eq!(error.code(), "ledger.io", "{call:?} {nth} {effect:?}: {error}");
                disk.fail(None);
                check(&disk.after_power_cut(Image::SyncedOnly), &done, &sent);
                // Only a writer that failed to append its index entry has to open the log again.
                let again = match sign(&ledger, &[2]) {
                    Err(error) if error.code() == "ledger.poisoned" => open(&disk).unwrap(),
                    _ => ledger,
                };
                let kept = sign(&again, &[2]).unwrap();
                assert_eq!(kept.size, again.entries());
                if call == Call::Sync {
                    // What a sync that failed left behind is durable for nobody who asks again.
                    continue;
                }
                let kept = [&done.kept[..], &[kept]].concat();
                let all = Done { receipts: done.receipts.clone(), kept, is_all: true };
                check(&disk.after_power_cut(Image::Seed(nth)), &all, &sent);
            }
            if !was_reached {
                break;
            }
        }
    }
    println!("{cells} cells");
    assert!(cells > 40, "{cells} cells");
}
