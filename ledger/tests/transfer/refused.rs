//! Streams that are cut, padded, changed, mixed up: each is refused with its reason, and nothing of it
//! is left.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use proofline_ledger::{Genesis, Ledger, TransferError, export_on, import_on};
use proofline_trace::LedgerId;

use crate::common::random::full_effort;
use crate::common::recovered::{OPTIONS, dir, prepared};
use crate::common::sim_disk::SimDisk;
use crate::common::{NOW_MS, bare, chain};
use crate::house::{ALL, WIDER, commit, export, files_in, furnished, import, out, put_payload};
use crate::parts::Parts;

/// A ledger of few entries and one payload.
fn small() -> Parts {
    let disk = prepared();
    commit(&disk, 1..2);
    put_payload(&disk, 1);
    Parts::of(&disk, dir())
}

/// Refused with this code, and nothing is left; the error.
pub(crate) fn refused(bytes: &[u8], code: &str) -> TransferError {
    let disk = SimDisk::new();
    let error = match import(&disk, bytes) {
        Err(error) => error,
        Ok(report) => panic!("{code} is expected: {report:?}"),
    };
    assert_eq!(error.code(), code, "{error}");
    assert!(!error.hint().is_empty());
    assert_eq!(files_in(&disk, Path::new("/")), Vec::<String>::new(), "{error}");
    error
}

#[test]
fn cut_at_every_byte_it_is_refused() {
    let bytes = small().bytes();
    assert!(import(&SimDisk::new(), &bytes).is_ok());
    for length in 0..bytes.len() {
        let code = if length < 8 { "stream.magic" } else { "stream.truncated" };
        refused(&bytes[..length], code);
    }
}

#[test]
fn padded_and_glued_it_is_refused() {
    let bytes = small().bytes();
    for behind in [&[0][..], b"\n", &bytes] {
        refused(&[&bytes[..], behind].concat(), "stream.surplus");
    }
    refused(&[&[0], &bytes[..]].concat(), "stream.magic");
}

/// One bit of every byte, and every value where effort is full: no change goes unnoticed.
#[test]
fn changed_in_any_byte_it_is_refused() {
    let bytes = small().bytes();
    let changes: Vec<u8> = if full_effort() { (1..=255).collect() } else { vec![1, 0x80] };
    for at in 0..bytes.len() {
        for change in &changes {
            let mut changed = bytes.clone();
            changed[at] ^= change;
            let disk = SimDisk::new();
            let error = import(&disk, &changed).unwrap_err();
            assert!(!error.code().starts_with("ledger."), "byte {at}: {error}");
            assert_eq!(disk.contents().len(), 0, "byte {at}: something is left");
        }
    }
}

#[test]
fn a_head_that_says_something_else_is_refused() {
    let parts = small();
    refused(&Parts { version: 2, ..parts.clone() }.bytes(), "stream.newer_format");
    refused(&Parts { flags: 2, ..parts.clone() }.bytes(), "stream.form");
    refused(&Parts { flags: 0, ..parts.clone() }.bytes(), "stream.form");
    refused(&Parts { ledger_id: [8; 16], ..parts.clone() }.bytes(), "log.other_ledger");
    let origin = "ledger.example/other".to_owned();
    refused(&Parts { origin, ..parts.clone() }.bytes(), "log.other_ledger");
    for origin in ["", "two words", "é"] {
        refused(&Parts { origin: origin.to_owned(), ..parts.clone() }.bytes(), "stream.form");
    }
    refused(&Parts { leaf: [1; 32], ..parts.clone() }.bytes(), "stream.form");
    for size in [0, parts.size - 1, parts.size + 1, u64::MAX] {
        refused(&Parts { size, ..parts.clone() }.bytes(), "stream.form");
    }
    let mut head = parts.bytes();
    head[75] ^= 1;
    refused(&head, "stream.head_checksum");
}

#[test]
fn an_entry_dropped_doubled_or_swapped_is_refused() {
    let parts = small();
    let items = parts.items();
    let entries = parts.frames.len();
    for at in 0..entries {
        let mut dropped = items.clone();
        dropped.remove(at);
        // The last one's place is taken by what follows the entries.
        let code = if at + 1 < entries { "log.sequence" } else { "stream.form" };
        refused(&parts.with_items(&dropped), code);
        let fewer = Parts { size: parts.size - 1, ..parts.clone() };
        let code = if at + 1 < entries { "log.sequence" } else { "stream.form" };
        refused(&fewer.with_items(&dropped), code);
        let mut doubled = items.clone();
        doubled.insert(at, items[at].clone());
        let more = Parts { size: parts.size + 1, ..parts.clone() };
        refused(&more.with_items(&doubled), "log.sequence");
        for other in at + 1..entries {
            let mut swapped = items.clone();
            swapped.swap(at, other);
            refused(&parts.with_items(&swapped), "log.sequence");
        }
    }
}

#[test]
fn an_entry_of_another_ledger_is_refused() {
    let parts = small();
    let disk = SimDisk::new();
    let genesis = Genesis {
        ledger_id: LedgerId::from_bytes([9; 16]),
        origin: "ledger.example/test".parse().unwrap(),
        created_at_ms: NOW_MS,
    };
    Ledger::init_on(&disk, dir(), &genesis).unwrap();
    let ledger = Ledger::open_on(Arc::new(disk.clone()), dir(), OPTIONS).unwrap();
    for line in chain(1, 2) {
        ledger.commit_action(&bare(&line), NOW_MS).unwrap();
    }
    let other = Parts::of(&disk, dir());
    let mut frames = parts.frames.clone();
    frames[2] = other.frames[2].clone();
    refused(&Parts { frames, ..parts.clone() }.bytes(), "log.link");
    refused(&Parts { frames: other.frames, ..parts }.bytes(), "log.other_ledger");
}

#[test]
fn checkpoints_that_do_not_hold_are_refused() {
    let parts = Parts::of(&furnished(), dir());
    let [first, second] = [0, 1].map(|at| parts.checkpoints[at].clone());
    let with =
        |checkpoints: &[(u64, Vec<u8>)]| Parts { checkpoints: checkpoints.to_vec(), ..parts.clone() }.bytes();
    assert!(import(&SimDisk::new(), &with(&[])).is_ok());
    refused(&with(&[second.clone(), first.clone()]), "stream.form");
    refused(&with(&[first.clone(), first.clone()]), "stream.form");
    // Under the name of another size, from the future, of another text, signed by nobody.
    refused(&with(&[(first.0 + 1, first.1.clone())]), "checkpoint.fork");
    refused(&with(&[(parts.size + 1, second.1.clone())]), "tree.past_end");
    let text = String::from_utf8(first.1.clone()).unwrap();
    let other_root = text.replacen('\n', "\n1", 1).into_bytes();
    refused(&with(&[(first.0, other_root)]), "checkpoint.kept");
    refused(&with(&[(first.0, b"no note".to_vec())]), "checkpoint.kept");
    refused(&with(&[(first.0, vec![b'x'; 2 << 20])]), "stream.form");
    let unsigned = text.split("\n\n").next().unwrap().to_owned() + "\n\n";
    refused(&with(&[(first.0, unsigned.into_bytes())]), "checkpoint.kept");
    let mut items = parts.items();
    let at = parts.frames.len();
    let checkpoint = items.remove(at);
    items.push(checkpoint);
    refused(&parts.with_items(&items), "stream.form");
}

#[test]
fn payloads_under_other_names_or_out_of_order_are_refused() {
    let parts = Parts::of(&furnished(), dir());
    let with = |blobs: Vec<([u8; 32], Vec<u8>)>| Parts { blobs, ..parts.clone() }.bytes();
    let mut blobs = parts.blobs.clone();
    blobs.swap(0, 1);
    refused(&with(blobs), "stream.form");
    let mut blobs = parts.blobs.clone();
    blobs.insert(1, blobs[0].clone());
    refused(&with(blobs), "stream.form");
    for at in 0..parts.blobs.len() {
        let mut blobs = parts.blobs.clone();
        blobs[at].1.push(7);
        refused(&with(blobs), "import.blob");
        let mut blobs = parts.blobs.clone();
        blobs[at].0[31] ^= 1;
        refused(&with(blobs), "import.blob");
    }
    // A length beyond all that there is.
    let mut items = parts.items();
    let last = items.len() - 1;
    items[last][33..41].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut bytes = [parts.head(), items.concat()].concat();
    bytes.extend([0; 100]);
    refused(&bytes, "stream.truncated");
}

#[test]
fn an_end_that_counts_otherwise_is_refused() {
    let bytes = small().bytes();
    let end = bytes.len() - 64;
    for at in 0..32 {
        let mut changed = bytes.clone();
        changed[end + at] ^= 1;
        refused(&changed, "stream.form");
    }
    for at in 32..64 {
        let mut changed = bytes.clone();
        changed[end + at] ^= 1;
        refused(&changed, "stream.hash");
    }
    let mut items = small().items();
    items.insert(3, vec![9]);
    refused(&small().with_items(&items), "stream.form");
}

#[test]
fn a_folder_that_is_taken_is_left_alone() {
    let bytes = small().bytes();
    let disk = SimDisk::new();
    import(&disk, &bytes).unwrap();
    let before = disk.contents();
    assert_eq!(import(&disk, &bytes).unwrap_err().code(), "ledger.not_empty");
    assert_eq!(disk.contents(), before);
    let disk = SimDisk::new();
    proofline_ledger::disk::Disk::create_dir(&disk, out().parent().unwrap()).unwrap();
    proofline_ledger::disk::Disk::create_dir(&disk, out()).unwrap();
    disk.meddle(&out().join("notes.txt"), Some(b"mine".to_vec()));
    let before = disk.contents();
    assert_eq!(import(&disk, &bytes).unwrap_err().code(), "ledger.not_empty");
    assert_eq!(disk.contents(), before);
}

/// A source and a sink that fail.
struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the pipe broke"))
    }
}

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_source_or_a_sink_that_fails_is_told() {
    let bytes = small().bytes();
    let go_on = &mut |_| ControlFlow::Continue(());
    for length in [0, 20, 200, bytes.len() - 40, bytes.len()] {
        let disk = SimDisk::new();
        let mut source = (&bytes[..length]).chain(Failing);
        let failed = import_on(Arc::new(disk.clone()), &mut source, out(), &WIDER, go_on).unwrap_err();
        assert_eq!(failed.code(), "stream.source", "{failed}");
        assert_eq!(disk.contents().len(), 0);
    }
    let disk = furnished();
    let failed = export_on(Arc::new(disk.clone()), dir(), &ALL, &mut Failing, go_on).unwrap_err();
    assert_eq!(failed.code(), "export.sink");
}

#[test]
fn a_damaged_ledger_or_payload_is_not_exported() {
    let disk = furnished();
    let files = disk.contents();
    let segment = dir().join("log/00000000000000000000.seg");
    let mut damaged = files[&segment].clone();
    damaged[1000] ^= 1;
    disk.meddle(&segment, Some(damaged));
    assert_eq!(export(&disk, dir(), &ALL).unwrap_err().code(), "ledger.damaged");
    let disk = furnished();
    let blob = files.keys().find(|path| path.starts_with(dir().join("blobs"))).unwrap();
    for bytes in [b"other".to_vec(), Vec::from([0; 9000])] {
        disk.meddle(blob, Some(bytes));
        assert_eq!(export(&disk, dir(), &ALL).unwrap_err().code(), "export.blob");
    }
    let order = proofline_ledger::ExportOrder { with_blobs: false, at: None };
    assert!(import(&SimDisk::new(), &export(&disk, dir(), &order).unwrap()).is_ok());
}
