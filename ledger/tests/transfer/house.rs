//! A ledger in memory with a bit of everything in it: records of many traces, rejected attempts,
//! artifacts, keys, a producer's signature, checkpoints, payloads.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use proofline_canon::{ContentStore, Sha256Digest};
use proofline_ledger::{
    Action, BackupReport, Blobs, ExportOrder, ImportReport, Ledger, Options, Outcome, TransferError,
    backup_on, export_on, import_on,
};
use proofline_proof::KeyRole;
use proofline_trace::{EnvelopeHash, TraceId};

use crate::common::keys::{add, log_key, secret, signature};
use crate::common::recovered::{OPTIONS, dir, prepared};
use crate::common::sim_disk::{Image, SimDisk};
use crate::common::{NOW_MS, bare, busy, chain, hash_of};

pub(crate) const ALL: ExportOrder = ExportOrder { with_blobs: true, at: None };

pub(crate) fn out() -> &'static Path {
    Path::new("/copies/ledger")
}

/// Opens the ledger under test with short segments.
pub(crate) fn open(disk: &SimDisk) -> Ledger {
    Ledger::open_on(Arc::new(disk.clone()), dir(), OPTIONS).unwrap()
}

pub(crate) fn payload(number: usize) -> Vec<u8> {
    (0..number * 700).map(|at| u8::try_from((at * 7 + number) % 251).unwrap()).collect()
}

pub(crate) fn put_payload(disk: &SimDisk, number: usize) -> Sha256Digest {
    let blobs = Blobs::open_on(Arc::new(disk.clone()), dir()).unwrap();
    let bytes = payload(number);
    let name = Sha256Digest::of(&bytes);
    blobs.put(&name, &bytes).unwrap();
    name
}

pub(crate) fn commit(disk: &SimDisk, traces: std::ops::Range<u32>) {
    let ledger = open(disk);
    for trace in traces {
        for line in chain(trace, 2) {
            assert!(matches!(ledger.commit_action(&bare(&line), NOW_MS).unwrap(), Outcome::Accepted { .. }));
        }
    }
}

/// The ledger that most tests move; all of it is durable.
pub(crate) fn furnished() -> SimDisk {
    let disk = prepared();
    let ledger = open(&disk);
    let log = log_key(1);
    let producer = secret("gateway.example", KeyRole::Producer, 2);
    for outcome in [add(&ledger, &log, None), add(&ledger, &producer, Some(&log))] {
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    }
    let progress = busy::run(&disk, dir(), &[&ledger], &busy::groups(3, 26));
    assert!(progress.error.is_none());
    ledger.checkpoint(&[&log]).unwrap();
    let line = chain(400, 1).remove(0);
    ledger.commit_action(&bare(&line), NOW_MS).unwrap();
    let hash: EnvelopeHash = hash_of(&line).parse().unwrap();
    let trace: TraceId = format!("{:032x}", 400).parse().unwrap();
    let signed = signature(&hash, trace, &producer).canonical();
    let outcome = ledger.commit_action(&Action::Artifact(&signed), NOW_MS).unwrap();
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    ledger.checkpoint(&[&log]).unwrap();
    for line in chain(401, 3) {
        ledger.commit_action(&bare(&line), NOW_MS).unwrap();
    }
    for number in 0..4 {
        put_payload(&disk, number);
    }
    disk.after_power_cut(Image::Everything)
}

pub(crate) fn export(disk: &SimDisk, at: &Path, order: &ExportOrder) -> Result<Vec<u8>, TransferError> {
    let mut bytes = Vec::new();
    export_on(Arc::new(disk.clone()), at, order, &mut bytes, &mut |_| ControlFlow::Continue(()))?;
    Ok(bytes)
}

/// Segments of another length than those of the ledger that is exported.
pub(crate) const WIDER: Options = Options { segment_bytes: 6000, group_records: 5, ..OPTIONS };

pub(crate) fn import(disk: &SimDisk, bytes: &[u8]) -> Result<ImportReport, TransferError> {
    let mut source = bytes;
    import_on(Arc::new(disk.clone()), &mut source, out(), &WIDER, &mut |_| ControlFlow::Continue(()))
}

pub(crate) fn back_up(disk: &SimDisk) -> Result<BackupReport, TransferError> {
    backup_on(Arc::new(disk.clone()), dir(), out(), &mut |_| ControlFlow::Continue(()))
}

/// All files below a folder.
pub(crate) fn files_in(disk: &SimDisk, folder: &Path) -> Vec<String> {
    let names = disk.contents().into_keys();
    names.filter(|path| path.starts_with(folder)).map(|path| path.display().to_string()).collect()
}
