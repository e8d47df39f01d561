//! Moves sealed segments out of a ledger and brings them back. In the ledger stays what proofs, the
//! chain and the gate need (a stub); the segment itself, byte for byte, goes into an archive: any
//! folder, with a manifest beside each segment so that it can be checked alone.

mod check;
mod fault;
mod manifest;
mod moving;
mod overlay;
mod restore;
mod stub;

use proofline_canon::Sha256Digest;
use proofline_proof::Seq;

pub use check::{ArchiveCheck, CheckedSegment, verify_archive, verify_archive_on};
pub use fault::ArchiveFault;
pub use moving::{ArchiveOrder, ArchiveProgress, ArchiveReport, MovedSegment, archive, archive_on};
pub use overlay::WithArchives;
pub use restore::{RestoreReport, restore, restore_on};
pub(crate) use stub::{Kept, Record, Stub, StubBuilder};
pub use stub::{MAX_PLACE_BYTES, StubFault, parse_stub_name, stub_name};

/// The file whose lock is held while segments are archived or brought back.
pub(crate) const ARCHIVE_LOCK: &str = "archive.lock";

/// A segment that is archived, as its ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedSegment {
    /// Its first entry.
    pub first_seq: Seq,
    /// How many entries it has.
    pub entries: u64,
    /// Bytes of its file in the archive.
    pub segment_bytes: u64,
    /// Bytes of what stays of it in the ledger.
    pub stub_bytes: u64,
    /// SHA-256 of its file in the archive.
    pub sha256: Sha256Digest,
    /// Where it went, in the words of whoever archived it.
    pub place: String,
    /// When, by the clock of whoever archived it, in Unix milliseconds.
    pub archived_at_ms: u64,
    /// True when its bodies were at hand, and checked.
    pub is_checked: bool,
}

impl ArchivedSegment {
    pub(crate) fn of(stub: &Stub) -> Self {
        ArchivedSegment {
            first_seq: stub.head.segment.first_seq,
            entries: u64::from(stub.head.entries),
            segment_bytes: stub.head.segment_bytes,
            stub_bytes: stub.file_bytes,
            sha256: Sha256Digest::from_bytes(stub.head.segment_sha256),
            place: stub.head.place.clone(),
            archived_at_ms: stub.head.archived_at_ms,
            is_checked: false,
        }
    }
}
