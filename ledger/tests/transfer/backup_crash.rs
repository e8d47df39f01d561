//! The power goes off, the process dies, or a call fails, at every step of a backup, while others go on
//! writing: the copy is a whole prefix, not shorter than it was, and the next backup finishes it.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use proofline_ledger::{TransferError, VerifyPlan, backup_on, is_ledger, verify_on};

use crate::common::keys::{add, log_key};
use crate::common::random::full_effort;
use crate::common::raw::read_log;
use crate::common::recovered::{dir, images, prepared};
use crate::common::sim_disk::{Call, Effect, Fault, Image, SimDisk};
use crate::house::{back_up, commit, files_in, open, out, put_payload};
use crate::parts::{Parts, blobs};

/// A ledger without a copy, and one with a copy that lacks what came since.
fn starts() -> Vec<(SimDisk, usize)> {
    let disk = prepared();
    add(&open(&disk), &log_key(1), None);
    commit(&disk, 1..4);
    put_payload(&disk, 1);
    open(&disk).checkpoint(&[&log_key(1)]).unwrap();
    let fresh = disk.after_power_cut(Image::Everything);
    back_up(&disk).unwrap();
    let copied = Parts::of(&disk, out()).frames.len();
    commit(&disk, 4..8);
    put_payload(&disk, 2);
    open(&disk).checkpoint(&[&log_key(1)]).unwrap();
    vec![(fresh, 0), (disk.after_power_cut(Image::Everything), copied)]
}

/// A whole prefix of the truth that has all that was copied before, payloads and checkpoints too.
fn check(truth: &Parts, disk: &SimDisk, least: usize) {
    if !is_ledger(disk, out()) {
        assert_eq!(least, 0, "the copy is gone");
        return;
    }
    // Only the part that is published counts; a writer that opens it mends the rest.
    let report = verify_on(disk, out(), &VerifyPlan::default(), &mut |_| {}).unwrap();
    let entries = usize::try_from(report.entries).unwrap();
    assert!(entries >= least, "{entries} of {least} entries");
    let frames = read_log(disk, out()).0;
    let own = read_log(disk, dir()).0;
    assert!(frames.iter().zip(&own).all(|(copy, entry)| copy.leaf == entry.leaf && copy.body == entry.body));
    assert!(entries <= own.len());
    if least == truth.frames.len() {
        assert!(report.damage.is_empty() && report.unauthentic.is_empty(), "{report:?}");
        assert_eq!(Parts::of(disk, out()).checkpoints, truth.checkpoints);
        assert_eq!(blobs(disk, out()), truth.blobs);
    }
}

fn finish(truth: &Parts, disk: &SimDisk) {
    back_up(disk).unwrap();
    let left =
        files_in(disk, out()).into_iter().filter(|name| name.contains(".tmp") && !name.contains("torn"));
    assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
    check(truth, disk, truth.frames.len());
    check(truth, &disk.after_power_cut(Image::SyncedOnly), truth.frames.len());
    let report = verify_on(disk, out(), &VerifyPlan::default(), &mut |_| {}).unwrap();
    assert!(report.is_sound(), "{report:?}");
}

/// The backup, in the hands of this process.
fn attempt(disk: &SimDisk) -> Result<(), TransferError> {
    back_up(disk).map(drop)
}

fn least(truth: &Parts, before: usize, is_done: bool) -> usize {
    if is_done { truth.frames.len() } else { before }
}

#[test]
fn a_power_cut_at_any_change_leaves_a_whole_prefix() {
    let seeds = if full_effort() { 16 } else { 1 };
    for (start, before) in starts() {
        let truth = Parts::of(&start, dir());
        for cut in 0.. {
            let disk = start.copy();
            disk.cut_power_at(cut);
            let done = attempt(&disk);
            for image in images(seeds) {
                let found = disk.after_power_cut(image);
                check(&truth, &found, least(&truth, before, done.is_ok()));
                finish(&truth, &found);
            }
            if done.is_ok() {
                assert!(cut > 30, "the backup makes {cut} changes");
                break;
            }
        }
    }
}

#[test]
fn killed_at_any_change_and_then_cut_off_it_is_a_whole_prefix() {
    let step = if full_effort() { 1 } else { 13 };
    for (start, before) in starts() {
        let truth = Parts::of(&start, dir());
        for nth in 0.. {
            let disk = start.copy();
            let process = disk.in_another_process();
            process.die_at(nth);
            let done = attempt(&process);
            let killed = disk.after_kill();
            check(&truth, &killed, least(&truth, before, done.is_ok()));
            for second in (0..).step_by(step) {
                let again = killed.copy();
                again.cut_power_at(second);
                let is_done = attempt(&again).is_ok();
                for image in images(1) {
                    check(&truth, &again.after_power_cut(image), least(&truth, before, is_done));
                }
                if is_done {
                    break;
                }
            }
            finish(&truth, &killed);
            if done.is_ok() {
                break;
            }
        }
    }
}

#[test]
fn every_call_fails_once_and_is_told_and_done_again() {
    let errors = [(io::ErrorKind::StorageFull, "storage_full"), (io::ErrorKind::Other, "io")];
    let mut cells = 0;
    for (start, before) in starts() {
        let truth = Parts::of(&start, dir());
        for call in Call::ALL {
            for effect in [Effect::Nothing, Effect::Part, Effect::Done] {
                for nth in 0.. {
                    let (error, code) = errors[usize::try_from(nth % 2).unwrap()];
                    let disk = start.copy();
                    disk.fail(Some(Fault { call, nth, error, effect }));
                    let done = attempt(&disk);
                    if !disk.has_failed() {
                        done.unwrap();
                        break;
                    }
                    disk.fail(None);
                    if let Err(error) = &done {
                        // A look that fails is taken for nothing there; trouble with reading has one code.
                        let others = ["ledger.io", "blob.source", "ledger.not_empty", "ledger.not_a_ledger"];
                        let is_told = error.code().ends_with(code) || others.contains(&error.code());
                        assert!(is_told, "{call:?} {nth}: {error}");
                    }
                    for image in images(1) {
                        let found = disk.after_power_cut(image);
                        check(&truth, &found, least(&truth, before, done.is_ok()));
                    }
                    finish(&truth, &disk);
                    cells += 1;
                }
            }
        }
    }
    assert!(cells > 300, "{cells} cells");
}

/// Writers go on during the backup, and then the power goes off.
#[test]
fn a_power_cut_of_a_backup_beside_writers_leaves_a_whole_prefix() {
    let step = if full_effort() { 1 } else { 9 };
    let (start, before) = starts().pop().unwrap();
    for cut in (0..).step_by(step) {
        let disk = start.copy();
        disk.cut_power_at(cut);
        let mut trace = 50;
        let mut watch = |_| {
            if trace < 53 && !disk.is_off() {
                let ledger = proofline_ledger::Ledger::open_on(
                    Arc::new(disk.clone()),
                    dir(),
                    crate::common::recovered::OPTIONS,
                );
                let line = crate::common::chain(trace, 0).remove(0);
                // The power may go off here as well.
                drop(ledger.map(|it| it.commit_action(&crate::common::bare(&line), crate::common::NOW_MS)));
                trace += 1;
            }
            ControlFlow::Continue(())
        };
        let done = backup_on(Arc::new(disk.clone()), dir(), out(), &mut watch);
        for image in images(1) {
            let found = disk.after_power_cut(image);
            drop(open(&found));
            let truth = Parts::of(&found, dir());
            let least = if done.is_ok() { Parts::of(&start, dir()).frames.len() } else { before };
            check(&Parts { size: 0, frames: Vec::new(), ..truth.clone() }, &found, least);
            finish(&truth, &found);
        }
        if done.is_ok() {
            break;
        }
    }
}
