//! The power goes off, the process dies, or a call fails, at every step of an import: what is then there
//! is the whole ledger or none, and the next import makes it.

use std::io;
use std::sync::Arc;

use proofline_ledger::{Ledger, VerifyPlan, is_ledger, verify_on};

use crate::common::random::full_effort;
use crate::common::raw;
use crate::common::recovered::{dir, images, prepared};
use crate::common::sim_disk::{Call, Effect, Fault, Image, SimDisk};
use crate::house::{ALL, WIDER, commit, export, files_in, import, open, out, put_payload};
use crate::parts::{Parts, blobs};

/// A ledger of several segments with a checkpoint and payloads; its stream.
fn moved() -> (Parts, Vec<u8>) {
    let disk = prepared();
    crate::common::keys::add(&open(&disk), &crate::common::keys::log_key(1), None);
    commit(&disk, 1..5);
    open(&disk).checkpoint(&[&crate::common::keys::log_key(1)]).unwrap();
    for number in 0..3 {
        put_payload(&disk, number);
    }
    (Parts::of(&disk, dir()), export(&disk, dir(), &ALL).unwrap())
}

/// No ledger, or the whole one.
fn check(parts: &Parts, disk: &SimDisk, is_done: bool) {
    if !is_ledger(disk, out()) {
        assert!(!is_done, "the import said yes and there is no ledger");
        return;
    }
    let (entries, surplus) = raw::read_log(disk, out());
    assert_eq!((entries.len() as u64, surplus), (parts.size, 0), "a part of a ledger");
    let found = Parts::of(disk, out());
    assert!(found.frames == parts.frames && found.checkpoints == parts.checkpoints);
    assert_eq!(blobs(disk, out()), parts.blobs);
    let report = verify_on(disk, out(), &VerifyPlan::default(), &mut |_| {}).unwrap();
    assert!(report.is_sound(), "{report:?}");
}

/// The next attempt makes the ledger, if it is not there.
fn finish(parts: &Parts, bytes: &[u8], disk: &SimDisk) {
    match import(disk, bytes) {
        Ok(_) => {
            let left = files_in(disk, out())
                .into_iter()
                .filter(|name| name.contains(".tmp") || name.contains("importing"));
            assert_eq!(left.collect::<Vec<_>>(), Vec::<String>::new());
        }
        Err(error) => {
            assert!(is_ledger(disk, out()) && error.code() == "ledger.not_empty", "{error}");
            // Whoever was killed right behind the last rename gave no answer; a writer makes it durable.
            drop(Ledger::open_on(Arc::new(disk.clone()), out(), WIDER).unwrap());
        }
    }
    check(parts, disk, true);
    check(parts, &disk.after_power_cut(Image::SyncedOnly), true);
}

#[test]
fn a_power_cut_at_any_change_leaves_the_ledger_or_none() {
    let (parts, bytes) = moved();
    let seeds = if full_effort() { 24 } else { 2 };
    for cut in 0.. {
        let disk = SimDisk::new();
        disk.cut_power_at(cut);
        let done = import(&disk, &bytes);
        for image in images(seeds) {
            let found = disk.after_power_cut(image);
            check(&parts, &found, done.is_ok());
            finish(&parts, &bytes, &found);
        }
        if done.is_ok() {
            assert!(cut > 80, "the import makes {cut} changes");
            break;
        }
    }
}

#[test]
fn killed_at_any_change_and_then_cut_off_there_is_the_ledger_or_none() {
    let (parts, bytes) = moved();
    let step = if full_effort() { 1 } else { 11 };
    for nth in 0.. {
        let disk = SimDisk::new();
        let process = disk.in_another_process();
        process.die_at(nth);
        let done = import(&process, &bytes);
        let killed = disk.after_kill();
        check(&parts, &killed, done.is_ok());
        for second in (0..).step_by(step) {
            let again = killed.copy();
            again.cut_power_at(second);
            let is_done = import(&again, &bytes).is_ok();
            for image in images(1) {
                check(&parts, &again.after_power_cut(image), is_done);
            }
            if is_done || !again.is_off() {
                break;
            }
        }
        finish(&parts, &bytes, &killed);
        if done.is_ok() {
            break;
        }
    }
}

#[test]
fn every_call_fails_once_and_is_told_and_nothing_is_left() {
    let (parts, bytes) = moved();
    let errors = [(io::ErrorKind::StorageFull, "storage_full"), (io::ErrorKind::Other, "io")];
    let mut cells = 0;
    for call in Call::ALL {
        for effect in [Effect::Nothing, Effect::Part, Effect::Done] {
            for nth in 0.. {
                let (error, code) = errors[usize::try_from(nth % 2).unwrap()];
                let disk = SimDisk::new();
                disk.fail(Some(Fault { call, nth, error, effect }));
                let done = import(&disk, &bytes);
                if !disk.has_failed() {
                    done.unwrap();
                    break;
                }
                disk.fail(None);
                if let Err(error) = &done {
                    // Trouble with reading the tree has one code.
                    let is_told = error.code().ends_with(code) || error.code() == "ledger.io";
                    assert!(is_told, "{call:?} {nth}: {error}");
                }
                for image in images(1) {
                    check(&parts, &disk.after_power_cut(image), done.is_ok());
                }
                check(&parts, &disk, done.is_ok());
                finish(&parts, &bytes, &disk);
                cells += 1;
            }
        }
    }
    assert!(cells > 500, "{cells} cells");
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let (parts, bytes) = moved();
    for space_bytes in (0..40_000).step_by(if full_effort() { 97 } else { 1499 }) {
        let disk = SimDisk::new();
        disk.limit_space(Some(space_bytes));
        let Err(error) = import(&disk, &bytes) else { return };
        assert!(error.code().ends_with("storage_full"), "{error}");
        assert_eq!(disk.contents().len(), 0, "{space_bytes} bytes: something is left");
        disk.limit_space(None);
        finish(&parts, &bytes, &disk);
    }
}
