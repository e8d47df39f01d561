//! The power goes off, and every call to the disk fails once, while segments are archived and brought
//! back between commits. Nothing that was acknowledged is lost: each body is in the ledger or in the
//! archive, whole; no file in the archive is half under its name; the ledger opens, verifies, goes on,
//! and with the archive brought back it is the one that it would have been.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;

use common::busy::{self, Group, Receipt, groups, receipt};
use common::random::full_effort;
use common::recovered::{Claims, check_image, dir, images, open, prepared};
use common::sim_disk::{Call, Effect, Fault, Image, SimDisk};
use common::{NOW_MS, raw};
use proofline_ledger::disk::Disk;
use proofline_ledger::{
    Action, ArchiveOrder, EntryFault, Ledger, LedgerError, Seq, Snapshot, VerifyPlan, archive_on, restore_on,
    verify_archive_on, verify_on,
};

fn out() -> &'static Path {
    Path::new("/data/archive")
}

/// One thing after the other.
enum Step {
    Commit(Group),
    ArchiveBefore(u64),
    Restore,
}

fn steps(seed: u64) -> Vec<Step> {
    let mut evidence = groups(seed, 20).into_iter().map(Step::Commit);
    let mut steps = Vec::new();
    for then in [Step::ArchiveBefore(12), Step::ArchiveBefore(30), Step::Restore, Step::ArchiveBefore(1000)] {
        steps.extend(evidence.by_ref().take(5));
        steps.push(then);
    }
    steps.extend(evidence);
    steps
}

fn sent(steps: &[Step]) -> HashSet<String> {
    let of_step = |step: &Step| match step {
        Step::Commit(group) => busy::hashes(std::slice::from_ref(group)),
        Step::ArchiveBefore(_) | Step::Restore => HashSet::new(),
    };
    steps.iter().flat_map(of_step).collect()
}

fn archive_before(disk: &SimDisk, before: u64) -> Result<usize, LedgerError> {
    let order = ArchiveOrder { before: Seq::new(before), out: out(), place: "a shelf", now_ms: NOW_MS };
    archive_on(disk, dir(), &order, &mut |_| {}).map(|report| report.moved.len())
}

fn bring_back(disk: &SimDisk) -> Result<usize, LedgerError> {
    restore_on(disk, dir(), out(), &mut |_| {}).map(|report| report.restored.len())
}

/// What was acknowledged.
#[derive(Default)]
struct Done {
    receipts: Vec<Receipt>,
    moved: usize,
    restored: usize,
    is_all: bool,
}

fn run(disk: &SimDisk, ledger: &Ledger, steps: &[Step]) -> Done {
    let mut done = Done::default();
    for step in steps {
        match step {
            Step::Commit(group) => {
                let actions: Vec<Action<'_>> = group.sent.iter().map(busy::Sent::action).collect();
                let Ok(outcomes) = ledger.commit_actions(&actions, group.recorded_at_ms) else { return done };
                let received = group.sent.iter().zip(&outcomes).filter_map(|(sent, it)| receipt(sent, it));
                done.receipts.extend(received);
            }
            Step::ArchiveBefore(before) => match archive_before(disk, *before) {
                Ok(moved) => done.moved += moved,
                Err(_) => return done,
            },
            Step::Restore => match bring_back(disk) {
                Ok(restored) => done.restored += restored,
                Err(_) => return done,
            },
        }
    }
    done.is_all = true;
    done
}

/// The segments of the same run without any archiving.
fn truth(prepared: &SimDisk, steps: &[Step]) -> BTreeMap<String, Vec<u8>> {
    let disk = prepared.copy();
    let ledger = open(&disk).unwrap();
    for step in steps {
        if let Step::Commit(group) = step {
            let actions: Vec<Action<'_>> = group.sent.iter().map(busy::Sent::action).collect();
            ledger.commit_actions(&actions, group.recorded_at_ms).unwrap();
        }
    }
    let names = raw::segment_names(&disk, dir());
    names
        .into_iter()
        .map(|name| (name.clone(), raw::read_file(&disk, &dir().join("log").join(name))))
        .collect()
}

fn archived_files(disk: &SimDisk) -> Vec<String> {
    let names = disk.list(out()).unwrap_or_default();
    names.into_iter().filter(|name| name.ends_with(".seg")).collect()
}

fn stubs(disk: &SimDisk) -> usize {
    let names = disk.list(&dir().join("log")).unwrap();
    names.iter().filter(|name| name.ends_with(".arc")).count()
}

/// What must hold before anybody mended anything: files in the archive are whole, and a reader finds
/// every entry, with its body or the word that it is archived.
fn check_unmended(disk: &SimDisk, done: &Done, truth: &BTreeMap<String, Vec<u8>>) {
    for name in archived_files(disk) {
        assert_eq!(raw::read_file(disk, &out().join(&name)), truth[&name], "{name} is half in the archive");
    }
    let names = disk.list(&dir().join("log")).unwrap();
    for name in names.iter().filter_map(|name| name.strip_suffix(".arc")) {
        let segment = format!("{name}.seg");
        let is_there = names.contains(&segment) || archived_files(disk).contains(&segment);
        assert!(is_there, "{segment} is neither in the ledger nor in the archive");
    }
    let snapshot = Snapshot::open_on(disk, dir()).unwrap();
    // The mark may be older than the log: what lies behind it is shown once a writer has opened it.
    for receipt in done.receipts.iter().filter(|receipt| receipt.seq < snapshot.entries()) {
        let seq = Seq::new(receipt.seq);
        let header = snapshot.header(seq).unwrap().expect("an acknowledged entry");
        assert_eq!(header.envelope_hash.to_string(), receipt.hash);
        match snapshot.entry(seq) {
            Ok(Some(entry)) => assert_eq!(entry.header, header),
            Err(EntryFault::Archived(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn check(disk: &SimDisk, done: &Done, sent: &HashSet<String>, truth: &BTreeMap<String, Vec<u8>>) {
    check_unmended(disk, done, truth);
    // As it is: it opens, verifies, and knows what it had.
    let as_it_is = disk.copy();
    drop(open(&as_it_is).unwrap());
    let report = verify_on(&as_it_is, dir(), &VerifyPlan::default(), &mut |_| ()).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.archived.len(), stubs(&as_it_is));
    // With the archive brought: its bodies are those that belong there.
    if stubs(&as_it_is) > 0 {
        let plan = VerifyPlan { archives: vec![out().to_owned()], ..VerifyPlan::default() };
        let brought = verify_on(&as_it_is, dir(), &plan, &mut |_| ()).unwrap();
        assert!(brought.is_sound() && brought.archived.iter().all(|one| one.is_checked), "{brought:?}");
        assert_eq!((brought.entries, brought.head), (report.entries, report.head));
        let snapshot = Snapshot::open_on(&as_it_is, dir()).unwrap();
        // A copy that was cut off before its manifest is told, and is of a segment that did not go.
        let archive = verify_archive_on(&as_it_is, out(), Some(&snapshot)).unwrap();
        assert!(archive.segments.iter().all(|segment| segment.fault.is_none()), "{archive:?}");
        let log = as_it_is.list(&dir().join("log")).unwrap();
        assert!(archive.strays.iter().all(|name| log.contains(name)), "{archive:?}");
    }
    // Archiving goes on where it was cut off, and all of it comes back.
    let moved = archive_before(&as_it_is, u64::MAX).unwrap();
    let back = if stubs(&as_it_is) > 0 { bring_back(&as_it_is).unwrap() } else { 0 };
    assert!(back >= moved, "{back} of {moved}");
    let claims = Claims { receipts: &done.receipts, sent };
    check_image(&as_it_is, &claims, 0);
    // And without opening it first.
    if stubs(disk) > 0 {
        bring_back(disk).unwrap();
    }
    assert_eq!(stubs(disk), 0);
    check_image(disk, &claims, 0);
}

#[test]
fn a_cut_at_any_change_of_an_archiving_or_restoring_loses_nothing() {
    let prepared = prepared();
    for run_seed in 0..if full_effort() { 4 } else { 1 } {
        let steps = steps(run_seed);
        let (sent, truth) = (sent(&steps), truth(&prepared, &steps));
        let seeds = if full_effort() { 16 } else { 1 };
        for cut in (0..).step_by(if full_effort() { 1 } else { 7 }) {
            let disk = prepared.copy();
            let ledger = open(&disk).unwrap();
            disk.cut_power_at(cut);
            let done = run(&disk, &ledger, &steps);
            for image in images(seeds) {
                let image =
                    if let Image::Seed(seed) = image { Image::Seed(seed + cut * 1000) } else { image };
                check(&disk.after_power_cut(image), &done, &sent, &truth);
            }
            // The process alone was killed; the power goes off behind what the next one did.
            let killed = disk.after_kill();
            check_unmended(&killed, &done, &truth);
            drop(open(&killed).unwrap());
            check(&killed.after_power_cut(Image::SyncedOnly), &done, &sent, &truth);
            check(&killed.after_power_cut(Image::Seed(cut)), &done, &sent, &truth);
            if done.is_all {
                println!("{cut} changes, {} segments out, {} back", done.moved, done.restored);
                assert!(cut > 150, "the run makes {cut} changes");
                assert!(done.moved > 8 && done.restored > 3, "{} out, {} back", done.moved, done.restored);
                break;
            }
        }
    }
}

/// The power goes off once more while the ledger mends what the first cut left.
#[test]
fn a_second_cut_while_an_archiving_is_undone_changes_nothing() {
    let (prepared, steps) = (prepared(), steps(3));
    let (sent, truth) = (sent(&steps), truth(&prepared, &steps));
    let mut undone = 0;
    for cut in (0..).step_by(if full_effort() { 1 } else { 13 }) {
        let disk = prepared.copy();
        let ledger = open(&disk).unwrap();
        disk.cut_power_at(cut);
        let done = run(&disk, &ledger, &steps);
        // What was removed and not synced is there again, beside what took its place.
        let first = disk.after_power_cut(Image::SyncedOnly);
        for second in 0.. {
            let opening = first.copy();
            opening.cut_power_at(second);
            let opened = open(&opening);
            check(&opening.after_power_cut(Image::Seed(second)), &done, &sent, &truth);
            if let Ok(ledger) = opened {
                undone += ledger.recovery().undone_archivings;
                break;
            }
        }
        if done.is_all {
            break;
        }
    }
    assert!(undone > 0, "no cut fell between the two files");
}

#[test]
fn every_call_of_an_archiving_and_of_a_restoring_fails_once() {
    let steps = steps(1);
    let (sent, prepared) = (sent(&steps), prepared());
    let truth = truth(&prepared, &steps);
    let at = steps.iter().rposition(|step| matches!(step, Step::ArchiveBefore(_))).unwrap();
    let before = prepared.copy();
    let done = run(&before, &open(&before).unwrap(), &steps[..at]);
    assert!(done.is_all);
    let archived = before.copy();
    assert!(archive_before(&archived, 40).unwrap() > 3);
    let mut cells = 0;
    for (start, is_restore) in [(&before, false), (&archived, true)] {
        for call in Call::ALL {
            for nth in (0..).step_by(if full_effort() { 1 } else { stride(call) }) {
                let mut was_reached = true;
                for effect in [Effect::Nothing, Effect::Part, Effect::Done] {
                    if effect != Effect::Nothing && !call.changes() {
                        continue;
                    }
                    let disk = start.copy();
                    disk.fail(Some(Fault { call, nth, error: io::ErrorKind::Other, effect }));
                    let outcome = if is_restore { bring_back(&disk) } else { archive_before(&disk, 40) };
                    was_reached = disk.has_failed();
                    disk.fail(None);
                    if !was_reached {
                        outcome.unwrap();
                        break;
                    }
                    cells += 1;
                    let error = outcome.expect_err("a fault went unnoticed");
                    assert_eq!(error.code(), "ledger.io", "{call:?} {nth} {effect:?}: {error}");
                    check(&disk.after_power_cut(Image::Seed(nth)), &done, &sent, &truth);
                    check(&disk.after_kill(), &done, &sent, &truth);
                }
                if !was_reached {
                    break;
                }
            }
        }
    }
    println!("{cells} cells");
    assert!(cells > 150, "{cells} cells");
}

/// Reads are many and alike.
fn stride(call: Call) -> usize {
    match call {
        Call::Read | Call::Len => 23,
        call if call.changes() => 3,
        _ => 7,
    }
}
