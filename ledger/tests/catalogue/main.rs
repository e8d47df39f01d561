//! What the catalogue promises: it says what the log says, or says that it cannot; whatever
//! befalls its files, following brings the right answers back and no panic reaches the caller.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod damage;
mod kill;
mod work;

use std::fs;

use proofline_ledger::{CATALOGUE_DIR, Catalogue, CatalogueError, Replaced, Seq, Snapshot};
use work::{Work, ask, copy, counted, follow, leftovers, recovers, verified, worked};

#[test]
fn the_catalogue_says_what_a_naive_count_over_the_input_says() {
    let (_dir, path, known) = worked(40);
    let snapshot = Snapshot::open(&path).unwrap();
    let mut catalogue = Catalogue::open(&snapshot).unwrap();
    assert_eq!((catalogue.entries(), catalogue.replaced()), (0, None));
    assert_eq!(ask(&catalogue, &snapshot, 40).names.values().flatten().count(), 0);

    let mut steps = Vec::new();
    let added = catalogue.follow(&snapshot, &mut |step| steps.push(step)).unwrap();
    assert_eq!(added, known.len() as u64);
    assert!(steps.len() > 2 && steps.is_sorted_by(|a, b| a.followed < b.followed), "{steps:?}");
    assert!(steps.iter().all(|step| step.entries == added) && steps.last().unwrap().followed == added);

    let expected = counted(&known, 40);
    let found = ask(&catalogue, &snapshot, 40);
    assert_eq!(found, expected);
    assert!(expected.counts.len() > 15 && expected.artifacts.values().flatten().count() > 10, "{expected:?}");
    let header_bytes: usize = (0..snapshot.entries())
        .map(|seq| snapshot.entry(Seq::new(seq)).unwrap().unwrap().header_bytes.len())
        .sum();
    assert_eq!(catalogue.counters().header_bytes, header_bytes as u64);
    assert_eq!(catalogue.check(&snapshot, &mut |damage| panic!("{damage}")).unwrap(), added);

    drop(catalogue);
    let mut again = Catalogue::open(&snapshot).unwrap();
    assert_eq!((again.entries(), again.replaced()), (added, None));
    assert_eq!(follow(&mut again, &snapshot), 0);
    assert_eq!(ask(&again, &snapshot, 40), expected);
}

#[test]
fn following_step_by_step_and_rebuilding_give_the_same_answers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let mut work = Work::begin(&path, 7);
    let mut kept_open = None;
    for trace in 1..=30 {
        work.traces([trace]);
        let snapshot = work.ledger.snapshot().unwrap();
        // Now in a catalogue that stays open, now in one that is opened for the occasion.
        let mut catalogue = kept_open.take().unwrap_or_else(|| Catalogue::open(&snapshot).unwrap());
        assert!(follow(&mut catalogue, &snapshot) > 0);
        assert_eq!(ask(&catalogue, &snapshot, 30), counted(&work.known, 30), "after trace {trace}");
        if trace % 5 < 3 {
            kept_open = Some(catalogue);
        }
    }
    drop(kept_open);
    let snapshot = work.ledger.snapshot().unwrap();
    let rebuilt = Catalogue::rebuild(&snapshot, &mut |_| ()).unwrap();
    assert_eq!(rebuilt.replaced(), Some(&Replaced::Asked));
    assert_eq!(ask(&rebuilt, &snapshot, 30), counted(&work.known, 30));
    assert_eq!(leftovers(&path), Vec::<String>::new());
}

#[test]
fn an_older_snapshot_is_answered_over_itself() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let mut work = Work::begin(&path, 7);
    work.traces(1..=6);
    let (older, known_then) = (work.ledger.snapshot().unwrap(), work.known.clone());
    work.traces(7..=12);
    let newer = work.ledger.snapshot().unwrap();
    let mut catalogue = Catalogue::open(&newer).unwrap();
    follow(&mut catalogue, &newer);
    assert_eq!(follow(&mut catalogue, &older), 0);
    assert_eq!(catalogue.replaced(), None, "an older snapshot is no reason to rebuild");
    let (then, now) = (counted(&known_then, 12), ask(&catalogue, &older, 12));
    assert_eq!((now.names, now.traces, now.artifacts), (then.names, then.traces, then.artifacts));
    assert_eq!(catalogue.check(&older, &mut |damage| panic!("{damage}")).unwrap(), newer.entries());
}

#[test]
fn a_catalogue_of_another_ledger_or_another_log_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let mut work = Work::begin(&path, 7);
    work.traces(1..=6);
    let backup = dir.path().join("backup");
    copy(&path, &backup);
    let known_then = work.known.clone();
    work.traces(7..=12);
    let snapshot = work.ledger.snapshot().unwrap();
    follow(&mut Catalogue::open(&snapshot).unwrap(), &snapshot);

    // The log restored from the backup, the catalogue left in place: it has followed too far.
    copy(&path.join(CATALOGUE_DIR), &backup.join(CATALOGUE_DIR));
    assert_eq!(verified(&backup), ["catalogue.ahead"]);
    let ahead = dir.path().join("ahead");
    copy(&backup, &ahead);
    let opened = Catalogue::open(&Snapshot::open(&ahead).unwrap()).unwrap();
    assert_eq!((opened.replaced(), opened.entries()), (Some(&Replaced::Ahead), 0));
    drop(opened);
    recovers(&ahead, &known_then, 6, "ahead");

    // And written on until it is longer than before.
    let mut other = Work::reopen(&backup, known_then);
    other.traces(13..=30);
    assert!(other.known.len() > work.known.len());
    assert_eq!(verified(&backup), ["catalogue.other_log"]);
    let opened = Catalogue::open(&Snapshot::open(&backup).unwrap()).unwrap();
    assert_eq!(opened.replaced(), Some(&Replaced::OtherLog));
    drop(opened);
    recovers(&backup, &other.known, 30, "another log");

    // Another ledger's.
    let third = dir.path().join("third");
    let mut work = Work::begin(&third, 8);
    work.traces(1..=12);
    copy(&path.join(CATALOGUE_DIR), &third.join(CATALOGUE_DIR));
    assert_eq!(verified(&third), ["catalogue.other_ledger"]);
    let snapshot_of_third = work.ledger.snapshot().unwrap();
    let mut opened = Catalogue::open(&snapshot_of_third).unwrap();
    assert_eq!(opened.replaced(), Some(&Replaced::OtherLedger));
    let refused = opened.follow(&snapshot, &mut |_| ()).unwrap_err();
    assert_eq!(refused.code(), "catalogue.other_ledger");
    let refused = opened.entries_by_actor(&snapshot, "staff/ines", None, 9).unwrap_err();
    assert_eq!(refused.code(), "catalogue.other_ledger");
    drop(opened);
    recovers(&third, &work.known, 12, "another ledger");
}

#[test]
fn a_log_replaced_under_an_open_catalogue_is_noticed_when_it_is_followed() {
    let (dir, path, _) = worked(6);
    let snapshot = Snapshot::open(&path).unwrap();
    let mut catalogue = Catalogue::open(&snapshot).unwrap();
    follow(&mut catalogue, &snapshot);
    // The same ledger id, and another history.
    let other = dir.path().join("other");
    let mut work = Work::begin(&other, 7);
    work.traces(50..=60);
    let snapshot = work.ledger.snapshot().unwrap();
    assert_eq!(follow(&mut catalogue, &snapshot), snapshot.entries());
    assert_eq!(catalogue.replaced(), Some(&Replaced::OtherLog));
    assert_eq!(ask(&catalogue, &snapshot, 60), counted(&work.known, 60));
}

#[test]
fn following_stops_before_an_entry_that_cannot_be_read() {
    let (_dir, path, known) = worked(12);
    let snapshot = Snapshot::open(&path).unwrap();
    let damaged = Seq::new(known.len() as u64 - 5);
    let (file, offset) = snapshot.place(damaged).unwrap();
    let file = path.join(file);
    let mut bytes = fs::read(&file).unwrap();
    bytes[usize::try_from(offset.unwrap()).unwrap() + 300] ^= 1; // past the header
    fs::write(&file, bytes).unwrap();

    let mut catalogue = Catalogue::open(&snapshot).unwrap();
    for _ in 0..2 {
        let error = catalogue.follow(&snapshot, &mut |_| ()).unwrap_err();
        assert_eq!(error.code(), "catalogue.log_damaged");
        let CatalogueError::Log(damage) = error else { panic!("{error}") };
        assert_eq!((damage.code, damage.seq), ("frame.body_checksum", Some(damaged)));
        assert_eq!(catalogue.entries(), damaged.get());
    }
    let sound = &known[..usize::try_from(damaged.get()).unwrap()];
    assert_eq!(ask(&catalogue, &snapshot, 12), counted(sound, 12));
    drop(catalogue);
    // A rebuild cannot do better, and leaves what was there.
    let error = Catalogue::rebuild(&snapshot, &mut |_| ()).unwrap_err();
    assert_eq!((error.code(), leftovers(&path)), ("catalogue.log_damaged", Vec::new()));
    assert_eq!(Catalogue::open(&snapshot).unwrap().entries(), damaged.get());
}

#[test]
fn a_second_handle_is_told_that_the_catalogue_is_open() {
    let (_dir, path, _) = worked(3);
    let snapshot = Snapshot::open(&path).unwrap();
    let first = Catalogue::open(&snapshot).unwrap();
    let busy = |result: Result<(), CatalogueError>| {
        let error = result.unwrap_err();
        assert!(error.hint().contains("without"), "{}", error.hint());
        error.code()
    };
    assert_eq!(busy(Catalogue::open(&snapshot).map(drop)), "catalogue.busy");
    assert_eq!(busy(Catalogue::rebuild(&snapshot, &mut |_| ()).map(drop)), "catalogue.busy");
    assert_eq!(busy(Catalogue::verify(&snapshot, &mut |_| ()).map(drop)), "catalogue.busy");
    drop(first);
    follow(&mut Catalogue::open(&snapshot).unwrap(), &snapshot);
}

#[test]
fn a_folder_where_no_lock_can_be_made_is_an_error_and_no_panic() {
    let (_dir, path, _) = worked(3);
    fs::create_dir(path.join("catalogue.lock")).unwrap();
    let error = Catalogue::open(&Snapshot::open(&path).unwrap()).unwrap_err();
    assert_eq!(error.code(), "catalogue.io", "{error}");
    assert!(error.to_string().contains("catalogue.lock"), "{error}");
    assert!(!path.join(CATALOGUE_DIR).exists());
}
