//! Targets that read stored bytes: entry headers, frames, the published size, and whole ledgers
//! through reading, verification, salvage and recovery.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proofline_ledger::disk::Disk;
use proofline_ledger::frame::{
    FRAME_OVERHEAD_BYTES, MAX_BODY_BYTES, decode_frame, decode_head, encode_frame,
};
use proofline_ledger::header::{EntryHeader, MAX_HEADER_BYTES};
use proofline_ledger::segment::SEGMENT_HEADER_BYTES;
use proofline_ledger::{
    Action, EntryStatus, LeafHash, Ledger, Options, Outcome, Seq, Snapshot, Submission, TORN_DIR, VerifyPlan,
    decode_marks, salvage_on, verify_on,
};

use super::disk::MemoryDisk;
use super::image::{Image, mend_frames};

/// A header that is accepted has exactly these bytes.
pub fn header(data: &[u8]) {
    let Ok(header) = EntryHeader::decode(data) else { return };
    assert!(data.len() <= MAX_HEADER_BYTES);
    assert_eq!(header.encode(), data, "a header has one encoding");
    assert_eq!(header.leaf_hash(), LeafHash::of_header(data));
    assert_eq!(header.seq == Seq::GENESIS, header.status == EntryStatus::Genesis);
}

/// A frame that is accepted is written as the same bytes; so is one whose checksums are made right.
pub fn frame(data: &[u8]) {
    judge_frame(data);
    let mut mended = data.to_vec();
    mend_frames(&mut mended);
    judge_frame(&mended);
}

fn judge_frame(data: &[u8]) {
    if let Ok((_, header, bytes)) = decode_head(data) {
        assert_eq!(header.encode(), bytes);
    }
    let Ok(frame) = decode_frame(data) else { return };
    let length = frame.frame_bytes();
    assert!(length <= FRAME_OVERHEAD_BYTES + MAX_HEADER_BYTES + MAX_BODY_BYTES && length <= data.len());
    let mut again = Vec::new();
    let leaf =
        encode_frame(&frame.header, frame.body, &mut again).expect("a frame that was read can be written");
    assert_eq!(again, data[..length]);
    assert_eq!(leaf, frame.leaf_hash());
}

/// A mark that is not damaged comes from a whole file.
pub fn mark(data: &[u8]) {
    let reading = decode_marks(data);
    assert!(reading.damaged || data.len() == 1024 && reading.mark.is_some());
    assert!(reading.mark.is_none() || data.len() == 1024);
}

/// The bytes as the only segment of a ledger without a published size.
pub fn segment(data: &[u8]) {
    judge(&Image { mark: None, segments: vec![data.to_vec()] });
}

/// The bytes as an [`Image`]: segments and a published size, with checksums made right if asked.
pub fn recovery(data: &[u8]) {
    judge(&Image::read(data));
}

fn dir() -> &'static Path {
    Path::new("ledger")
}

/// Reads, verifies, salvages and opens a ledger. Nothing panics, only opening for writing changes
/// a file, and what it opens goes on as a ledger whose frames and links are sound.
fn judge(image: &Image) {
    let disk = Arc::new(image.lay_out(dir()));
    read(&disk);
    let verified = verify_on(&*disk, dir(), &VerifyPlan::default(), &mut |_| {});
    let salvaged = salvage_on(as_disk(&disk), dir(), Path::new("saved"));
    assert_eq!(kept(&disk), kept(&image.lay_out(dir())), "a reader changed a ledger");
    assert!(verified.is_err() || salvaged.is_ok(), "verified, not salvaged: {salvaged:?}");
    append(&disk, image);
}

fn as_disk(disk: &Arc<MemoryDisk>) -> Arc<dyn Disk> {
    Arc::clone(disk) as Arc<dyn Disk>
}

fn read(disk: &MemoryDisk) {
    let Ok(snapshot) = Snapshot::open_on(disk, dir()) else { return };
    let last = snapshot.entries().saturating_sub(1);
    for seq in (0..32).chain([last, last.saturating_add(1)]).map(Seq::new) {
        let Ok(Some(entry)) = snapshot.entry(seq) else { continue };
        assert_eq!(entry.header.seq, seq);
        if let Ok(seqs) = snapshot.with_hash(&entry.header.envelope_hash) {
            assert!(seqs.contains(&seq), "an entry that can be read is found by its hash");
        }
        if let Some(link) = &entry.header.trace {
            let of_trace = snapshot.of_trace(link.trace_id).expect("memory does not fail");
            assert!(of_trace.contains(&seq), "an entry that can be read is found by its trace");
        }
    }
    assert!(snapshot.entry(Seq::new(snapshot.entries())).is_ok_and(|entry| entry.is_none()));
    let traces = snapshot.traces_after(None, 64).expect("memory does not fail");
    assert!(traces.is_sorted_by(|a, b| a < b), "traces come once, in order");
}

/// The files of the ledger but for its lock, which any opening makes.
fn kept(disk: &MemoryDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = disk.files(dir());
    files.remove(&dir().join("lock"));
    files
}

/// Bytes behind segment headers, and bytes in `torn/`.
fn content_bytes(disk: &MemoryDisk) -> usize {
    let size = |(path, bytes): (PathBuf, Vec<u8>)| match path.extension() {
        Some(end) if end == "seg" => bytes.len().saturating_sub(SEGMENT_HEADER_BYTES),
        _ if path.starts_with(dir().join(TORN_DIR)) => bytes.len(),
        _ => 0,
    };
    disk.files(dir()).into_iter().map(size).sum()
}

fn append(disk: &Arc<MemoryDisk>, image: &Image) {
    let before = content_bytes(disk);
    let Ok(ledger) = Ledger::open_on(as_disk(disk), dir(), Options::default()) else { return };
    assert_eq!(content_bytes(disk), before, "recovery deletes nothing");
    let entries = ledger.entries();
    let action = Action::Evidence(Submission::bare(RECORD.as_bytes()));
    let outcome = ledger.commit_action(&action, 1).expect("a ledger that opens takes a record");
    let Outcome::Accepted { seq, duplicate, .. } = outcome else { panic!("refused: {outcome:?}") };
    assert!(duplicate || seq.get() == entries, "appended at {seq} behind {entries} entries");
    drop(ledger);
    let again =
        Ledger::open_on(as_disk(disk), dir(), Options::default()).expect("a ledger that took a record opens");
    assert!(again.recovery().is_clean(), "opened twice, mended twice: {:?}", again.recovery());
    let report = verify_on(&**disk, dir(), &VerifyPlan::default(), &mut |_| {})
        .expect("a ledger that opens can be verified");
    let unsound = report.damage.iter().find(|damage| !is_forgeable(damage.code));
    assert!(unsound.is_none(), "opened over damage: {unsound:?} in {} segments", image.segments.len());
}

/// Damage that only `verify` looks for: bodies that do not fit their headers, and what headers
/// claim of their traces. It takes right checksums and links to get there.
fn is_forgeable(code: &str) -> bool {
    code.starts_with("body.") || code == "log.trace_link" || code == "log.other_ledger"
}

const RECORD: &str = concat!(
    r#"{"spec_version":"1.0.0","canon_version":"1","record_type":"auth_context","ts_ms":1000,"#,
    r#""trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","span_kind":"root"},"#,
    r#""producer":{"layer":"cpo","component":"gateway"},"#,
    r#""actor":{"actor_kind":"user","actor_id":"fuzz"},"credential":{"credential_kind":"oidc","#,
    r#""issuer":"https://id.example","presented_hash_sha256":"#,
    r#""0000000000000000000000000000000000000000000000000000000000000001","#,
    r#""verified_at_ms":900,"expires_at_ms":9000},"grants":{"fuzz":true}}"#,
);
