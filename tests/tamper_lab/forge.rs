//! What an attacker does to the files themselves: cuts, and entries that no gate let in, with every
//! checksum, link and trace link made right again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proofline::canon::Blake3Digest;
use proofline::ledger::frame::encode_frame;
use proofline::ledger::segment::SegmentHeader;
use proofline::ledger::{EntryHeader, EntryStatus, LeafHash, Ledger, Seq, Snapshot};
use proofline::proof::header::TraceLink;
use proofline::trace::{EnvelopeHash, TraceId};

use crate::house::{OPTIONS, forget_checkpoints};
use crate::indexes::{SoFar, is_index};

/// The files of the log with this ending, in order.
pub(crate) fn log_files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(dir.join("log")).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|it| it == ending)).collect();
    files.sort();
    files
}

/// Cuts the log behind its first entries, at the boundary of a frame, and nothing else.
pub(crate) fn cut(dir: &Path, entries: u64) {
    let (file, offset) = Snapshot::open(dir).unwrap().place(Seq::new(entries)).unwrap();
    let last = dir.join(file);
    for later in log_files(dir, "seg").iter().filter(|file| **file > last) {
        fs::remove_file(later).unwrap();
    }
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..usize::try_from(offset.unwrap()).unwrap()]).unwrap();
}

/// Takes the published size and the indexes away and lets the library make them again.
pub(crate) fn make_derived_again(dir: &Path) {
    log_files(dir, "idx").iter().for_each(|file| fs::remove_file(file).unwrap());
    fs::remove_file(dir.join("published")).unwrap();
    drop(Ledger::open(dir, OPTIONS).unwrap());
}

/// An entry as a forger writes it down: seq and links come when it is chained.
#[derive(Clone, Debug)]
pub(crate) struct Forged {
    pub(crate) status: EntryStatus,
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) body: Vec<u8>,
    pub(crate) recorded_at_ms: u64,
}

/// Every entry of a ledger.
pub(crate) fn entries(dir: &Path) -> Vec<Forged> {
    let snapshot = Snapshot::open(dir).unwrap();
    let entry = |seq| snapshot.entry(Seq::new(seq)).unwrap().unwrap();
    let forged = |seq| {
        let (header, body) = (entry(seq).header, entry(seq).body);
        Forged {
            status: header.status,
            trace_id: header.trace.map(|link| link.trace_id),
            body,
            recorded_at_ms: header.recorded_at_ms,
        }
    };
    (0..snapshot.entries()).map(forged).collect()
}

/// Writes these entries as the log of `dir`: one segment, every hash and link as it has to be, the index
/// entries and the published size too. The checkpoints, which nobody can make again without a key, go.
pub(crate) fn chain_again(dir: &Path, entries: &[Forged]) {
    chain(dir, entries, &mut |_, so_far| Some(so_far.statement().body()));
}

/// [`chain_again`] with index entries that say what is wanted at their seq; `None` leaves one as it is.
pub(crate) fn chain(dir: &Path, entries: &[Forged], index: &mut dyn FnMut(usize, &SoFar) -> Option<Vec<u8>>) {
    let ledger_id = Snapshot::open(dir).unwrap().ledger_id();
    let header = SegmentHeader { format: 1, ledger_id, first_seq: Seq::GENESIS, previous_leaf: None };
    let mut bytes = header.encode().to_vec();
    let mut previous_leaf: Option<LeafHash> = None;
    let mut traces: BTreeMap<TraceId, (Seq, u64)> = BTreeMap::new();
    let mut so_far = SoFar::default();
    for (at, entry) in entries.iter().enumerate() {
        let said = Some(entry).filter(|entry| is_index(entry)).and_then(|_| index(at, &so_far));
        let body = said.as_ref().unwrap_or(&entry.body);
        let seq = Seq::new(at as u64);
        let trace = entry.trace_id.map(|trace_id| {
            let before = traces.get(&trace_id).copied();
            let count = before.map_or(1, |(_, count)| count + 1);
            traces.insert(trace_id, (seq, count));
            TraceLink { trace_id, previous: before.map(|(seq, _)| seq), count }
        });
        let header = EntryHeader {
            format: 1,
            seq,
            previous_leaf,
            trace,
            envelope_hash: EnvelopeHash::of(body),
            status: entry.status.clone(),
            recorded_at_ms: entry.recorded_at_ms,
        };
        let leaf = encode_frame(&header, body, &mut bytes).unwrap();
        so_far.take(entry, header.trace.map(|link| (link.trace_id, link.count)), leaf);
        previous_leaf = Some(leaf);
    }
    forget_checkpoints(dir);
    log_files(dir, "idx")
        .iter()
        .chain(&log_files(dir, "seg"))
        .for_each(|file| fs::remove_file(file).unwrap());
    fs::write(dir.join("log/00000000000000000000.seg"), bytes).unwrap();
    fs::remove_file(dir.join("published")).unwrap();
    drop(Ledger::open(dir, OPTIONS).unwrap());
}

/// Puts another leaf hash into the tree beside the first segment, with a right checksum over it.
/// docs/format.md: behind the index stand 32 bytes for each entry, then the BLAKE3 of them.
pub(crate) fn forge_leaf_in_index(dir: &Path, ordinal: usize) {
    let path = log_files(dir, "idx").remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let count = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    let (from, to) = (bytes.len() - 32 - 32 * count, bytes.len() - 32);
    assert!(
        count > ordinal && count < 256 && Blake3Digest::of(&bytes[from..to]).as_bytes()[..] == bytes[to..]
    );
    bytes[from + 32 * ordinal] ^= 1;
    let sum = Blake3Digest::of(&bytes[from..to]);
    bytes[to..].copy_from_slice(sum.as_bytes());
    fs::write(path, bytes).unwrap();
}
