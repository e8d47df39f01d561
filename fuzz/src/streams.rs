//! The target that reads an exported ledger.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use proofline_canon::Sha256Digest;
use proofline_ledger::disk::Disk;
use proofline_ledger::{ExportOrder, Options, VerifyPlan, export_on, import_on, is_ledger, verify_on};

use super::disk::MemoryDisk;
use super::image::{mend_frames, put_checksum};

const FIXED_HEAD_BYTES: usize = 74;
const HASH_BYTES: usize = 32;

/// A stream that is refused leaves nothing; one that is taken is a sound ledger, and the very bytes that
/// its export gives. The same of the stream with its checksums and its hash made right.
pub fn stream(data: &[u8]) {
    judge(data);
    let mut mended = data.to_vec();
    mend(&mut mended);
    judge(&mended);
}

fn judge(data: &[u8]) {
    let disk = Arc::new(MemoryDisk::default());
    let dir = Path::new("made/ledger");
    disk.put("made/beside", b"mine");
    let as_disk = || Arc::clone(&disk) as Arc<dyn Disk>;
    let go_on = &mut |_| ControlFlow::Continue(());
    let mut source = data;
    let imported = import_on(as_disk(), &mut source, dir, &Options::default(), go_on);
    let Ok(report) = imported else {
        assert!(!is_ledger(&*disk, dir));
        assert_eq!(disk.files("made").len(), 1, "something is left of a stream that was refused");
        return;
    };
    let verified = verify_on(&*disk, dir, &VerifyPlan::default(), &mut |_| {}).expect("a ledger");
    assert!(verified.is_sound(), "{verified:?}");
    let mut again = Vec::new();
    let order = ExportOrder { with_blobs: report.carries_blobs, at: None };
    export_on(as_disk(), dir, &order, &mut again, go_on).expect("what was imported can be exported");
    assert!(again == data, "a stream that is taken is the one that its ledger gives");
}

fn mend(bytes: &mut [u8]) {
    let origin = bytes.get(72..FIXED_HEAD_BYTES).and_then(|length| length.try_into().ok());
    let head_end = FIXED_HEAD_BYTES + usize::from(origin.map_or(0, u16::from_le_bytes));
    put_checksum(bytes, 0, head_end);
    let mut at = head_end + 4;
    while bytes.get(at) == Some(&1) {
        // The first frame alone: the next one has a tag in front of it.
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let Ok(lengths) = proofline_ledger::frame::FrameLengths::read(rest) else { break };
        let end = at + 1 + lengths.frame_bytes();
        if let Some(frame) = bytes.get_mut(at + 1..end) {
            mend_frames(frame);
        }
        at = end;
    }
    if let Some(end) = bytes.len().checked_sub(HASH_BYTES) {
        let hash = Sha256Digest::of(bytes.get(..end).unwrap_or_default());
        bytes.get_mut(end..).unwrap_or_default().copy_from_slice(hash.as_bytes());
    }
}
