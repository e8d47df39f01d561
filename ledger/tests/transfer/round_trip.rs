//! Out and in again: the same entries byte for byte, head, checkpoints and payloads.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use proofline_canon::Sha256Digest;
use proofline_ledger::{ExportOrder, Snapshot, TransferStage, VerifyPlan, export_on, import_on, verify_on};

use crate::common::recovered::dir;
use crate::common::sim_disk::SimDisk;
use crate::common::{chain, raw};
use crate::house::{self, ALL, WIDER, export, furnished, import, out, put_payload};
use crate::parts::{Parts, blobs};

/// The same ledger, apart from where its segments begin.
pub(crate) fn assert_same(from: &SimDisk, to: &SimDisk) {
    let (own, surplus) = raw::read_log(from, dir());
    let (copied, left) = raw::read_log(to, out());
    assert_eq!((surplus, left), (0, 0));
    assert!(Parts::of(from, dir()).frames == Parts::of(to, out()).frames);
    assert_eq!(own.last().unwrap().leaf, copied.last().unwrap().leaf);
    assert!(Parts::of(from, dir()).checkpoints == Parts::of(to, out()).checkpoints);
    assert!(blobs(from, dir()) == blobs(to, out()));
}

#[test]
fn the_stream_has_the_bytes_of_its_page() {
    let disk = furnished();
    let parts = Parts::of(&disk, dir());
    assert!(parts.frames.len() > 40 && parts.checkpoints.len() == 2 && parts.blobs.len() >= 4);
    let bytes = export(&disk, dir(), &ALL).unwrap();
    assert!(bytes == parts.bytes(), "the stream is not the one that docs/stream.md draws");
    assert!(bytes == export(&disk, dir(), &ALL).unwrap(), "the same ledger gives other bytes");
}

#[test]
fn out_and_in_again_is_the_same_ledger() {
    let disk = furnished();
    let bytes = export(&disk, dir(), &ALL).unwrap();
    let target = SimDisk::new();
    let report = import(&target, &bytes).unwrap();
    assert_same(&disk, &target);
    let entries = raw::read_log(&disk, dir()).0;
    assert_eq!(
        (report.entries, *report.head.as_bytes()),
        (entries.len() as u64, entries.last().unwrap().leaf)
    );
    assert_eq!((report.checkpoints, report.blobs), (2, blobs(&disk, dir()).len() as u64));
    assert_eq!(report.sha256.as_bytes()[..], bytes[bytes.len() - 32..]);
    let named = raw::segment_names(&target, out());
    assert!(named.len() > 3 && named != raw::segment_names(&disk, dir()), "{named:?}");
    let verified = verify_on(&target, out(), &VerifyPlan::default(), &mut |_| {}).unwrap();
    assert!(verified.is_sound(), "{verified:?}");
    assert!(verified.anchors.checkpoints.iter().all(|check| check.holds()));
    assert_eq!(verified.anchors.producers.verified, 1);
    let again = export(&target, out(), &ALL).unwrap();
    assert!(again == bytes, "the imported ledger gives another stream");
}

#[test]
fn an_imported_ledger_goes_on() {
    let disk = furnished();
    let target = SimDisk::new();
    import(&target, &export(&disk, dir(), &ALL).unwrap()).unwrap();
    let before = Snapshot::open_on(&target, out()).unwrap().entries();
    let ledger = proofline_ledger::Ledger::open_on(Arc::new(target.clone()), out(), WIDER).unwrap();
    assert!(ledger.recovery().is_clean(), "{:?}", ledger.recovery());
    let line = chain(900, 0).remove(0);
    let outcome = ledger.commit_action(&crate::common::bare(&line), crate::common::NOW_MS).unwrap();
    assert!(
        matches!(outcome, proofline_ledger::Outcome::Accepted { seq, duplicate: false, .. } if seq.get() == before)
    );
    raw::check_chain(&raw::read_log(&target, out()).0);
}

/// A ledger of an earlier size: the entries, checkpoints and payloads of that time.
#[test]
fn every_earlier_size_can_be_exported() {
    let disk = furnished();
    let parts = Parts::of(&disk, dir());
    for size in 1..=parts.size {
        let order = ExportOrder { with_blobs: size % 2 == 0, at: Some(size) };
        let bytes = export(&disk, dir(), &order).unwrap();
        let end = usize::try_from(size).unwrap();
        let expected = Parts {
            size,
            flags: u32::from(order.with_blobs),
            leaf: raw::read_log(&disk, dir()).0[end - 1].leaf,
            frames: parts.frames[..end].to_vec(),
            checkpoints: parts.checkpoints.iter().filter(|(at, _)| *at <= size).cloned().collect(),
            blobs: if order.with_blobs { parts.blobs.clone() } else { Vec::new() },
            ..parts.clone()
        };
        assert!(bytes == expected.bytes(), "size {size}");
        if size % 7 == 1 || size == parts.size {
            let target = SimDisk::new();
            assert_eq!(import(&target, &bytes).unwrap().entries, size);
        }
    }
    for size in [0, parts.size + 1, u64::MAX] {
        let order = ExportOrder { with_blobs: true, at: Some(size) };
        assert_eq!(export(&disk, dir(), &order).unwrap_err().code(), "export.size");
    }
}

/// The calls of `chain` name the request `number` and the response `number + 1`, as digests of nothing:
/// so a payload of such a name cannot be made, and the records here name real ones.
#[test]
fn payloads_that_only_later_entries_name_stay_behind() {
    let disk = furnished();
    let size = Parts::of(&disk, dir()).size;
    let [early, late, both, nobody] = [11, 12, 13, 14].map(|number| put_payload(&disk, number));
    let naming = |trace, request: Sha256Digest, response: Sha256Digest| {
        let mut lines = chain(trace, 1);
        let call = lines.pop().unwrap();
        let call = call.replace(&format!("{:064x}", 0), &request.to_string());
        lines.push(call.replace(&format!("{:064x}", 1), &response.to_string()));
        let ledger = house::open(&disk);
        for line in &lines {
            let outcome = ledger.commit_action(&crate::common::bare(line), crate::common::NOW_MS).unwrap();
            assert!(matches!(outcome, proofline_ledger::Outcome::Accepted { .. }), "{outcome:?}");
        }
    };
    naming(700, early, both);
    let between = Parts::of(&disk, dir()).size;
    naming(701, late, both);
    let names = |at| {
        let bytes = export(&disk, dir(), &ExportOrder { with_blobs: true, at }).unwrap();
        let target = SimDisk::new();
        import(&target, &bytes).unwrap();
        let found = blobs(&target, out()).into_iter().map(|(name, _)| Sha256Digest::from_bytes(name));
        found.filter(|name| [early, late, both, nobody].contains(name)).collect::<Vec<_>>()
    };
    let sorted = |mut names: Vec<Sha256Digest>| {
        names.sort();
        names
    };
    assert_eq!(names(None), sorted(vec![early, late, both, nobody]));
    assert_eq!(names(Some(between)), sorted(vec![early, both, nobody]));
    assert_eq!(names(Some(size)), sorted(vec![nobody]));
}

/// A source that gives one byte at a time, as a slow pipe does.
struct Dripping<'a>(&'a [u8]);

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let [first, rest @ ..] = self.0 else { return Ok(0) };
        buffer[0] = *first;
        self.0 = rest;
        Ok(1)
    }
}

#[test]
fn a_source_that_drips_gives_the_same() {
    let disk = furnished();
    let bytes = export(&disk, dir(), &ALL).unwrap();
    let target = SimDisk::new();
    let mut source = Dripping(&bytes);
    let go_on = &mut |_| ControlFlow::Continue(());
    import_on(Arc::new(target.clone()), &mut source, out(), &WIDER, go_on).unwrap();
    assert_same(&disk, &target);
}

#[test]
fn whoever_watches_hears_of_all_and_can_stop_it() {
    let disk = furnished();
    let mut told = Vec::new();
    let mut bytes = Vec::new();
    let watch = &mut |step| {
        told.push(step);
        ControlFlow::Continue(())
    };
    let report = export_on(Arc::new(disk.clone()), dir(), &ALL, &mut bytes, watch).unwrap();
    let entries: Vec<_> = told.iter().filter(|step| step.stage == TransferStage::Entries).collect();
    assert_eq!(entries.len() as u64, report.entries);
    assert!(entries.iter().zip(1..).all(|(step, done)| step.done == done));
    assert!(entries.iter().all(|step| step.total == Some(report.entries)));
    for stop_at in [0, 1, 7, told.len() - 1] {
        let mut seen = 0;
        let mut stop = |_| {
            seen += 1;
            if seen > stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let stopped = export_on(Arc::new(disk.clone()), dir(), &ALL, &mut Vec::new(), &mut stop);
        assert_eq!(stopped.unwrap_err().code(), "transfer.cancelled");
    }
    let mut stop = |step: proofline_ledger::TransferProgress| match step.stage {
        TransferStage::Payloads => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let target = SimDisk::new();
    let stopped = import_on(Arc::new(target.clone()), &mut &bytes[..], out(), &WIDER, &mut stop);
    assert_eq!(stopped.unwrap_err().code(), "transfer.cancelled");
    assert_eq!(target.contents().len(), 0, "something is left");
}

/// What is exported while others commit is the beginning that was durable when it began.
#[test]
fn an_export_beside_writers_is_what_was_there() {
    let disk = furnished();
    let before = Parts::of(&disk, dir());
    let mut bytes = Vec::new();
    let mut trace = 800;
    let mut watch = |step: proofline_ledger::TransferProgress| {
        if step.stage == TransferStage::Entries && step.done.is_multiple_of(9) {
            house::commit(&disk, trace..trace + 1);
            trace += 1;
        }
        ControlFlow::Continue(())
    };
    export_on(Arc::new(disk.clone()), dir(), &ALL, &mut bytes, &mut watch).unwrap();
    assert!(trace > 803, "nobody wrote meanwhile");
    assert!(bytes == before.bytes());
}
