//! The power goes off, the process dies, or a call fails, at every step of a publication: what a
//! reader then finds is the old publication or the new one, whole, and publishing again finishes it.

use std::io;

use proofline_ledger::PublishError;

use crate::common::random::full_effort;
use crate::common::recovered::images;
use crate::common::sim_disk::{Call, Effect, Fault, SimDisk};
use crate::logs::{MadeUp, ORIGIN, key, out, read};

const OLD: u64 = 300;
const NEW: u64 = 780;

/// A step from nothing, one from a publication, and one in which a larger checkpoint was prepared.
fn starts(log: &MadeUp) -> [(SimDisk, Option<u64>); 2] {
    let old = SimDisk::new();
    log.publish(&old, OLD).unwrap();
    let durable = old.after_power_cut(crate::common::sim_disk::Image::SyncedOnly);
    [(SimDisk::new(), None), (durable, Some(OLD))]
}

/// What must hold: one of the two publications, whole; and the next attempt finishes the new one.
fn check(log: &MadeUp, disk: &SimDisk, old: Option<u64>, is_done: bool) {
    let found = read(disk, &key(ORIGIN, 1));
    let size = found.as_ref().map(|(size, _)| *size);
    assert!(size == Some(NEW) || size == old && !is_done, "{size:?}");
    if let Some((size, entries)) = found {
        assert!(entries[..] == log.headers[..usize::try_from(size).unwrap()]);
    }
}

fn finish(log: &MadeUp, disk: &SimDisk) {
    let checkpoint = log.checkpoint(NEW);
    log.publish_as(disk, &checkpoint, true, true).unwrap();
    check(log, disk, None, true);
    let left = disk.contents().into_keys().filter(|path| path.to_string_lossy().ends_with(".tmp")).count();
    assert_eq!(left, 0, "a temporary file is left");
    let last = disk.after_power_cut(crate::common::sim_disk::Image::SyncedOnly);
    check(log, &last, None, true);
}

fn attempt(log: &MadeUp, disk: &SimDisk) -> Result<(), PublishError> {
    log.publish_as(disk, &log.checkpoint(NEW), false, true).map(drop)
}

#[test]
fn a_power_cut_at_any_change_leaves_the_old_publication_or_the_new_one() {
    let log = MadeUp::new(1000);
    let seeds = if full_effort() { 24 } else { 3 };
    for (start, old) in starts(&log) {
        let mut cuts = 0;
        for cut in 0.. {
            let disk = start.copy();
            disk.cut_power_at(cut);
            let done = attempt(&log, &disk);
            for image in images(seeds) {
                let found = disk.after_power_cut(image);
                check(&log, &found, old, done.is_ok());
                finish(&log, &found);
            }
            if done.is_ok() {
                break;
            }
            cuts += 1;
        }
        assert!(cuts > 40, "the publication makes {cuts} changes");
    }
}

#[test]
fn killed_at_any_change_and_then_cut_off_it_is_whole_too() {
    let log = MadeUp::new(1000);
    for (start, old) in starts(&log) {
        for nth in 0.. {
            let disk = start.copy();
            let process = disk.in_another_process();
            process.die_at(nth);
            let done = attempt(&log, &process);
            let killed = disk.after_kill();
            check(&log, &killed, old, done.is_ok());
            // The next attempt builds on what was not synced, and is cut off as well.
            for second in (0..).step_by(if full_effort() { 1 } else { 7 }) {
                let again = killed.copy();
                again.cut_power_at(second);
                let is_done = attempt(&log, &again).is_ok();
                for image in images(1) {
                    check(&log, &again.after_power_cut(image), old, is_done);
                }
                if is_done {
                    break;
                }
            }
            finish(&log, &killed);
            if done.is_ok() {
                break;
            }
        }
    }
}

#[test]
fn every_call_fails_once_and_is_told_and_done_again() {
    let log = MadeUp::new(1000);
    let errors = [(io::ErrorKind::StorageFull, "publish.storage_full"), (io::ErrorKind::Other, "publish.io")];
    let mut cells = 0;
    for (start, old) in starts(&log) {
        for call in Call::ALL {
            for effect in [Effect::Nothing, Effect::Part, Effect::Done] {
                for nth in 0.. {
                    let (error, code) = errors[usize::try_from(nth % 2).unwrap()];
                    let disk = start.copy();
                    disk.fail(Some(Fault { call, nth, error, effect }));
                    let done = attempt(&log, &disk);
                    if !disk.has_failed() {
                        done.unwrap();
                        break;
                    }
                    disk.fail(None);
                    // Looking whether the folder is a ledger may fail: then it is taken for none.
                    let is_looking = nth == 0 && call == Call::List && done.is_ok();
                    assert!(is_looking || done.as_ref().unwrap_err().code() == code, "{call:?} {nth}");
                    for image in images(1) {
                        check(&log, &disk.after_power_cut(image), old, done.is_ok());
                    }
                    check(&log, &disk, old, done.is_ok());
                    finish(&log, &disk);
                    cells += 1;
                }
            }
        }
    }
    assert!(cells > 200, "{cells} cells");
}

/// A name that a power cut brought back may be a second one of a published file.
#[test]
fn a_temporary_name_that_came_back_is_taken_away_and_not_written_to() {
    let log = MadeUp::new(1000);
    let disk = SimDisk::new();
    log.publish(&disk, OLD).unwrap();
    disk.meddle(&out().join(".publish.tmp"), Some(b"half a tile".to_vec()));
    let removals = disk.count(Call::Remove);
    log.publish(&disk, NEW).unwrap();
    assert_eq!(disk.count(Call::Remove), removals + 1);
    check(&log, &disk, None, true);
}
