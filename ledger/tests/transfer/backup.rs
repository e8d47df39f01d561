//! A copy that grows with its ledger: a prefix of the truth at any time, never of another ledger, and
//! nothing is copied twice.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use proofline_ledger::disk::Disk;
use proofline_ledger::{
    Genesis, Ledger, TransferProgress, TransferStage, VerifyPlan, backup_on, checkpoint_path, verify_on,
};
use proofline_trace::LedgerId;

use crate::common::keys::log_key;
use crate::common::raw::{self, read_log};
use crate::common::recovered::{OPTIONS, dir, prepared};
use crate::common::sim_disk::{Call, SimDisk};
use crate::common::{NOW_MS, bare, chain, genesis};
use crate::house::{back_up, commit, files_in, furnished, open, out, payload, put_payload};
use crate::parts::{Parts, blobs};

/// Every file of the ledger in the copy, but for locks and what is derived or left of a crash.
fn assert_copied(disk: &SimDisk) {
    let files = disk.contents();
    let is_copied = |path: &&std::path::PathBuf| {
        let name = path.strip_prefix(dir()).ok().and_then(Path::to_str);
        let kinds = ["log/", "blobs/", "checkpoints/"];
        name.is_some_and(|name| kinds.iter().any(|kind| name.starts_with(kind)) && !name.ends_with("lock"))
    };
    let mut compared = 0;
    for path in files.keys().filter(is_copied) {
        let copy = out().join(path.strip_prefix(dir()).unwrap());
        assert!(files.get(&copy) == files.get(path), "{} is not in the copy", path.display());
        compared += 1;
    }
    assert!(compared > 3, "{compared} files");
    let report = verify_on(disk, out(), &VerifyPlan::default(), &mut |_| {}).unwrap();
    assert!(report.is_sound(), "{report:?}");
}

#[test]
fn a_copy_is_the_ledger_file_by_file_and_grows_with_it() {
    let disk = furnished();
    let first = back_up(&disk).unwrap();
    assert_copied(&disk);
    let Parts { size, blobs: held, .. } = Parts::of(&disk, dir());
    let count = held.len() as u64;
    assert!(count >= 4);
    assert_eq!((first.entries, first.previous_entries), (size, None));
    assert_eq!((first.checkpoints, first.blobs, first.blobs_present), (2, count, 0));
    assert_eq!(first.blob_bytes, held.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>());

    let idle = back_up(&disk).unwrap();
    assert_eq!((idle.entries, idle.previous_entries), (size, Some(size)));
    assert_eq!((idle.log_bytes, idle.checkpoints, idle.blobs, idle.blobs_present), (0, 0, 0, count));

    commit(&disk, 600..607);
    put_payload(&disk, 9);
    open(&disk).checkpoint(&[&log_key(1)]).unwrap();
    let later = back_up(&disk).unwrap();
    assert_copied(&disk);
    let parts = Parts::of(&disk, dir());
    let new_bytes: usize = parts.frames[usize::try_from(size).unwrap()..].iter().map(Vec::len).sum();
    assert_eq!((later.entries, later.previous_entries), (parts.size, Some(size)));
    assert_eq!((later.log_bytes, later.checkpoints, later.blobs), (new_bytes as u64, 1, 1));
}

/// What is there is not written again: the calls of a backup with nothing to do.
#[test]
fn nothing_is_written_twice() {
    let disk = furnished();
    back_up(&disk).unwrap();
    disk.fail(None);
    back_up(&disk).unwrap();
    assert_eq!((disk.count(Call::Create), disk.count(Call::Rename), disk.count(Call::Write)), (0, 0, 0));
}

#[test]
fn a_copy_taken_beside_writers_is_a_prefix_that_holds_all_acknowledged_before() {
    let disk = furnished();
    let before = Parts::of(&disk, dir()).size;
    let mut trace = 800;
    let mut watch = |step: TransferProgress| {
        if step.stage == TransferStage::Payloads || step.done.is_multiple_of(9) {
            put_payload(&disk, usize::try_from(trace % 50).unwrap() + 10);
            commit(&disk, trace..trace + 1);
            open(&disk).checkpoint(&[&log_key(1)]).unwrap();
            trace += 1;
        }
        ControlFlow::Continue(())
    };
    let report = backup_on(Arc::new(disk.clone()), dir(), out(), &mut watch).unwrap();
    assert!(trace > 805, "nobody wrote meanwhile");
    assert_eq!(report.entries, before);
    let (truth, copy) = (Parts::of(&disk, dir()), Parts::of(&disk, out()));
    assert!(copy.frames[..] == truth.frames[..copy.frames.len()] && copy.size < truth.size);
    assert!(copy.checkpoints.iter().all(|(size, _)| *size <= copy.size));
    let report = verify_on(&disk, out(), &VerifyPlan::default(), &mut |_| {}).unwrap();
    assert!(report.is_sound(), "{report:?}");
    back_up(&disk).unwrap();
    assert_copied(&disk);
}

#[test]
fn a_copy_is_a_ledger_that_goes_on() {
    let disk = furnished();
    let entries = back_up(&disk).unwrap().entries;
    let copy = Ledger::open_on(Arc::new(disk.clone()), out(), OPTIONS).unwrap();
    assert!(copy.recovery().is_clean(), "{:?}", copy.recovery());
    let line = chain(900, 0).remove(0);
    copy.commit_action(&bare(&line), NOW_MS).unwrap();
    raw::check_chain(&read_log(&disk, out()).0);
    // From then on it has a history of its own.
    let error = back_up(&disk).unwrap_err();
    assert_eq!(error.code(), "backup.ahead");
    commit(&disk, 901..903);
    let error = back_up(&disk).unwrap_err();
    assert_eq!((error.code(), error.path()), ("backup.fork", Some(out())));
    assert_eq!(read_log(&disk, out()).0.len() as u64, entries + 1);
}

#[test]
fn another_ledger_a_fork_and_a_cut_are_refused() {
    let disk = furnished();
    back_up(&disk).unwrap();
    let copied = disk.contents();
    // The ledger lost what the copy has.
    let elder = prepared();
    let other = Ledger::open_on(Arc::new(elder.clone()), dir(), OPTIONS).unwrap();
    for file in files_in(&disk, out()) {
        let path = Path::new(&file);
        let folders = path.ancestors().collect::<Vec<_>>().into_iter().rev();
        for folder in folders.filter(|folder| *folder != path && !elder.exists(folder)) {
            elder.create_dir(folder).unwrap();
        }
        elder.meddle(path, Some(copied[path].clone()));
    }
    let before = elder.contents();
    let ahead = back_up(&elder).unwrap_err();
    assert_eq!((ahead.code(), ahead.path()), ("backup.ahead", Some(out())));
    other.commit_action(&bare(&chain(77, 0)[0]), NOW_MS).unwrap();
    assert_eq!(back_up(&elder).unwrap_err().code(), "backup.fork");
    let unchanged = |disk: &SimDisk| {
        before.iter().filter(|(path, _)| path.starts_with(out())).all(|(path, bytes)| {
            let is_lock = path.to_string_lossy().ends_with("lock");
            is_lock || disk.contents().get(path) == Some(bytes)
        })
    };
    assert!(unchanged(&elder));
    // Another ledger altogether.
    let stranger = SimDisk::new();
    let id = Genesis { ledger_id: LedgerId::from_bytes([9; 16]), ..genesis() };
    Ledger::init_on(&stranger, out(), &id).unwrap();
    Ledger::init_on(&stranger, dir(), &genesis()).unwrap();
    assert_eq!(back_up(&stranger).unwrap_err().code(), "backup.other_ledger");
}

#[test]
fn a_folder_that_is_taken_or_inside_is_refused() {
    let disk = furnished();
    let go_on = &mut |_| ControlFlow::Continue(());
    for place in [dir(), &dir().join("copy"), dir().parent().unwrap()] {
        let error = backup_on(Arc::new(disk.clone()), dir(), place, go_on).unwrap_err();
        assert_eq!(error.code(), "backup.into_itself");
    }
    disk.create_dir(out().parent().unwrap()).unwrap();
    disk.create_dir(out()).unwrap();
    disk.meddle(&out().join("notes.txt"), Some(b"mine".to_vec()));
    let before = disk.contents();
    assert_eq!(back_up(&disk).unwrap_err().code(), "ledger.not_empty");
    assert_eq!(disk.contents(), before);
}

#[test]
fn what_is_damaged_is_not_copied_over_what_is_sound() {
    let disk = furnished();
    back_up(&disk).unwrap();
    commit(&disk, 600..603);
    let name = put_payload(&disk, 8).to_string();
    let path = |root: &Path| root.join("blobs").join(&name[..2]).join(&name[2..]);
    disk.meddle(&path(dir()), Some(b"other".to_vec()));
    let report = back_up(&disk).unwrap();
    let damaged: Vec<_> = report.damaged.iter().map(|damage| damage.code).collect();
    assert_eq!((damaged, disk.exists(&path(out()))), (vec!["blob.damaged"], false));
    assert!(files_in(&disk, out()).iter().all(|file| !file.ends_with(".tmp")));
    disk.meddle(&path(dir()), Some(payload(8)));
    assert_eq!(back_up(&disk).unwrap().blobs, 1);
    // A damaged entry of the ledger.
    commit(&disk, 610..612);
    let last = raw::segment_names(&disk, dir()).pop().unwrap();
    let segment = dir().join("log").join(last);
    let mut bytes = disk.contents()[&segment].clone();
    let middle = bytes.len() - 400;
    bytes[middle] ^= 1;
    disk.meddle(&segment, Some(bytes));
    let before = Parts::of(&disk, out());
    assert_eq!(back_up(&disk).unwrap_err().code(), "ledger.damaged");
    assert!(Parts::of(&disk, out()).frames == before.frames);
    // Without the published size nobody knows what is durable.
    let disk = furnished();
    disk.meddle(&dir().join("published"), None);
    assert_eq!(back_up(&disk).unwrap_err().code(), "backup.not_anchored");
}

/// A checkpoint gets cosignatures later; another text of the same size is another history.
#[test]
fn a_checkpoint_is_copied_again_with_its_new_lines_only() {
    let disk = furnished();
    back_up(&disk).unwrap();
    let size = Parts::of(&disk, dir()).checkpoints[0].0;
    let path = checkpoint_path(dir(), size);
    let note = String::from_utf8(disk.contents()[&path].clone()).unwrap();
    let cosigned = format!("{note}\u{2014} witness.example AAAAAAAAAAAA\n");
    disk.meddle(&path, Some(cosigned.clone().into_bytes()));
    assert_eq!(back_up(&disk).unwrap().checkpoints, 1);
    assert_eq!(disk.contents()[&checkpoint_path(out(), size)], cosigned.into_bytes());
    let other = note.replacen('\n', "\n1", 1);
    disk.meddle(&checkpoint_path(out(), size), Some(other.into_bytes()));
    assert_eq!(back_up(&disk).unwrap_err().code(), "backup.other_checkpoint");
}

#[test]
fn whoever_watches_can_stop_a_backup() {
    let disk = furnished();
    let held = blobs(&disk, dir()).len();
    let mut steps = 0;
    let go_on = &mut |_| {
        steps += 1;
        ControlFlow::Continue(())
    };
    backup_on(Arc::new(disk.copy()), dir(), out(), go_on).unwrap();
    for stop_at in (0..steps).step_by(5) {
        let disk = disk.copy();
        let mut seen = 0;
        let mut watch = |_| {
            seen += 1;
            if seen > stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let stopped = backup_on(Arc::new(disk.clone()), dir(), out(), &mut watch).unwrap_err();
        assert_eq!(stopped.code(), "transfer.cancelled");
        let (truth, copy) = (Parts::of(&disk, dir()), Parts::of(&disk, out()));
        assert!(copy.frames[..] == truth.frames[..copy.frames.len()]);
        back_up(&disk).unwrap();
        assert_copied(&disk);
    }
    assert_eq!(blobs(&disk, dir()).len(), held);
}
