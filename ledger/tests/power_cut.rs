//! The power goes off at every write, sync and rename of a busy run, and again while the ledger
//! mends itself. Whatever of the unsynced bytes and names the machine then finds: what was
//! acknowledged is there, what was not is there whole or not at all, and writing goes on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::HashSet;

use common::busy::{self, Group, Receipt, assert_durable, groups, receipt};
use common::random::full_effort;
use common::recovered::{Claims, check_image, dir, go_on, images, open, prepared, recover, with_new_chain};
use common::sim_disk::{Image, SimDisk};
use common::{NOW_MS, bare, chain, genesis, hash_of, raw};
use proofline_ledger::disk::{Access, Disk};
use proofline_ledger::{Ledger, Outcome, is_ledger};

/// The busy run, the power going off instead of its `cut`-th change.
fn cut_run(prepared: &SimDisk, groups: &[Group], cut: u64) -> (SimDisk, busy::Progress) {
    let disk = prepared.copy();
    let writers = [open(&disk).unwrap(), open(&disk).unwrap()];
    disk.cut_power_at(cut);
    let progress = busy::run(&disk, dir(), &[&writers[0], &writers[1]], groups);
    if disk.is_off() {
        for writer in &writers {
            let actions = [groups[0].sent[0].action()];
            assert!(writer.commit_actions(&actions, NOW_MS).is_err(), "an answer without power");
        }
    }
    (disk, progress)
}

#[test]
fn a_cut_at_any_change_of_a_busy_run_loses_nothing_acknowledged() {
    let seeds = if full_effort() { 24 } else { 5 };
    let mut images_seen = 0;
    for run_seed in 0..if full_effort() { 6 } else { 1 } {
        let prepared = prepared();
        let groups = groups(run_seed, 26);
        let sent = busy::hashes(&groups);
        let mut cut = 0;
        loop {
            let (disk, progress) = cut_run(&prepared, &groups, cut);
            let claims = Claims { receipts: &progress.receipts, sent: &sent };
            for image in images(seeds) {
                let image = match image {
                    Image::Seed(seed) => Image::Seed(seed + cut * 1000),
                    other => other,
                };
                check_image(&disk.after_power_cut(image), &claims, 0);
                images_seen += 1;
            }
            // The process alone was killed: the unsynced part is still at risk, and a later cut
            // may not take what was acknowledged on top of it.
            let killed = disk.after_kill();
            let (ledger, _) = recover(&killed, &claims);
            let receipts = go_on(&killed, &ledger, &claims, 0);
            let sent = with_new_chain(&sent, 0);
            let claims = Claims { receipts: &receipts, sent: &sent };
            check_image(&killed.after_power_cut(Image::Seed(cut)), &claims, 1);
            if progress.answered == groups.len() {
                break;
            }
            cut += 1;
        }
        println!("run {run_seed}: {cut} changes, {} images so far", images_seen);
        assert!(cut > 150, "the run is not busy: {cut} changes");
        let segments = raw::segment_names(&cut_run(&prepared, &groups, cut).0, dir()).len();
        assert!(segments > 8, "the run hardly rotates: {segments} segments");
    }
}

#[test]
fn a_second_cut_at_any_change_of_the_recovery_changes_nothing() {
    let prepared = prepared();
    let groups = groups(77, 22);
    let sent = busy::hashes(&groups);
    let (step, seeds) = if full_effort() { (1, 6) } else { (5, 2) };
    let (mut cut, mut cuts_seen, mut longest) = (0, 0, 0);
    loop {
        let (disk, progress) = cut_run(&prepared, &groups, cut);
        let claims = Claims { receipts: &progress.receipts, sent: &sent };
        for first in [Image::Seed(cut), Image::Everything] {
            let first = disk.after_power_cut(first);
            for second_cut in 0.. {
                let recovering = first.copy();
                recovering.cut_power_at(second_cut);
                let opened = open(&recovering);
                for image in images(seeds) {
                    check_image(&recovering.after_power_cut(image), &claims, 0);
                    cuts_seen += 1;
                }
                // The same, but only the process died.
                check_image(&recovering.after_kill(), &claims, 0);
                if opened.is_ok() {
                    longest = longest.max(second_cut);
                    break;
                }
            }
        }
        if progress.answered == groups.len() {
            break;
        }
        cut += step;
    }
    println!("{cuts_seen} images of cut recoveries; the longest recovery makes {longest} changes");
    assert!(longest > 10, "no recovery had much to do");
}

#[test]
fn init_cut_at_any_change_is_a_ledger_or_can_be_done_again() {
    let nobody = HashSet::new();
    for cut in 0.. {
        let disk = SimDisk::new();
        disk.cut_power_at(cut);
        let made = Ledger::init_on(&disk, dir(), &genesis());
        for image in images(40) {
            let found = disk.after_power_cut(image);
            assert!(made.is_err() || is_ledger(&found, dir()), "init said yes and there is no ledger");
            if !is_ledger(&found, dir()) {
                assert_eq!(open(&found).unwrap_err().code(), "ledger.not_a_ledger");
                Ledger::init_on(&found, dir(), &genesis()).unwrap();
            }
            check_image(&found, &Claims { receipts: &[], sent: &nobody }, 0);
            let again = Ledger::init_on(&found, dir(), &genesis()).unwrap_err();
            assert_eq!(again.code(), "ledger.not_empty");
        }
        // Only the process was killed: what the next one builds on is not all durable yet.
        let killed = disk.after_kill();
        if !is_ledger(&killed, dir()) {
            Ledger::init_on(&killed, dir(), &genesis()).unwrap();
        }
        let ledger = open(&killed).unwrap();
        let receipts = go_on(&killed, &ledger, &Claims { receipts: &[], sent: &nobody }, 0);
        let sent = with_new_chain(&nobody, 0);
        for image in images(40) {
            let claims = Claims { receipts: &receipts, sent: &sent };
            check_image(&killed.after_power_cut(image), &claims, 1);
        }
        if made.is_ok() {
            assert!(cut > 8, "init makes {cut} changes");
            break;
        }
    }
}

/// One of two processes dies in the middle of a commit; the other one finds out at its next
/// commit, mends what is there, and the power goes off meanwhile.
#[test]
fn a_writer_that_mends_what_another_left_may_be_cut_off_as_well() {
    let prepared = prepared();
    let groups = groups(5, 14);
    let sent = busy::hashes(&groups);
    let step = if full_effort() { 1 } else { 3 };
    for changes in (0_u64..).step_by(step) {
        let mut died = false;
        for second_cut in (0_u64..).step_by(step) {
            let disk = prepared.copy();
            let survivor = open(&disk).unwrap();
            let process = disk.in_another_process();
            let mortal = open(&process).unwrap();
            process.die_at(changes);
            let progress = busy::run(&disk, dir(), &[&mortal], &groups);
            died = progress.error.is_some();
            if !died {
                break;
            }
            let next = &groups[progress.answered];
            disk.cut_power_at(second_cut);
            let more = survivor.commit_actions(&[next.sent[0].action()], NOW_MS);
            let mut receipts = progress.receipts.clone();
            if let Ok(outcomes) = &more {
                receipts.extend(receipt_of_either(next, &outcomes[0]));
            }
            let claims = Claims { receipts: &receipts, sent: &sent };
            let seed = changes * 1000 + second_cut;
            for image in [Image::SyncedOnly, Image::Seed(seed), Image::Everything] {
                check_image(&disk.after_power_cut(image), &claims, 0);
            }
            if more.is_ok() {
                break;
            }
        }
        if !died {
            assert!(changes > 60, "the run is short: {changes} changes");
            break;
        }
    }
}

/// The group may be in the log already, unacknowledged: then its first record is a duplicate.
fn receipt_of_either(group: &Group, outcome: &Outcome) -> Option<Receipt> {
    match outcome {
        Outcome::Accepted { seq, .. } => Some(Receipt { seq: seq.get(), hash: group.sent[0].hash.clone() }),
        other => receipt(&group.sent[0], other),
    }
}

#[test]
fn the_laboratory_sees_a_missing_sync() {
    let disk = prepared();
    let ledger = open(&disk).unwrap();
    let outcome = ledger.commit_action(&bare(&chain(1, 0)[0]), NOW_MS).unwrap();
    let Outcome::Accepted { seq, .. } = outcome else { panic!("{outcome:?}") };
    let receipt = Receipt { seq: seq.get(), hash: hash_of(&chain(1, 0)[0]) };
    assert_durable(&disk, dir(), std::slice::from_ref(&receipt));
    let path = dir().join("log").join("00000000000000000000.seg");
    let file = disk.open(&path, Access::Write).unwrap();
    file.write_all_at(&[0; 10], file.len().unwrap() - 10).unwrap();
    assert_durable(&disk, dir(), std::slice::from_ref(&receipt));
    file.sync().unwrap();
    let caught = std::panic::catch_unwind(|| assert_durable(&disk, dir(), &[receipt]));
    assert!(caught.is_err());
}
