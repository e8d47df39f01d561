//! Writes a whole ledger out as one stream, from a snapshot: writers go on meanwhile. The same entries,
//! checkpoints and payloads give the same bytes.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use proofline_canon::{Sha256Digest, Sha256Hasher};
use proofline_proof::header::EntryKind;
use proofline_proof::{LeafHash, Seq};
use proofline_trace::{LedgerId, Origin};

use crate::blobs::{Blobs, OpenBlob};
use crate::checkpoints;
use crate::disk::{Disk, OsDisk};
use crate::durable::read_full_at;
use crate::error::LedgerError;
use crate::snapshot::{Snapshot, envelope_of};

use super::error::TransferError;
use super::stream::{BUFFER_BYTES, Counts, Head, StreamWriter, Tag};
use super::walk::walk;
use super::{TransferStage, TransferWatch, tell};

/// What of a ledger is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportOrder {
    /// Whether the payloads go along.
    pub with_blobs: bool,
    /// Only so many entries from the front; checkpoints of larger sizes, and payloads that only later
    /// entries name, then stay behind.
    pub at: Option<u64>,
}

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportReport {
    /// The ledger's id.
    pub ledger_id: LedgerId,
    /// The ledger's origin.
    pub origin: Origin,
    /// Entries.
    pub entries: u64,
    /// Leaf hash of the last one.
    pub head: LeafHash,
    /// Kept checkpoints.
    pub checkpoints: u64,
    /// Payloads.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Bytes of the stream.
    pub stream_bytes: u64,
    /// The hash at the end of the stream, of all before it.
    pub sha256: Sha256Digest,
}

/// Writes the ledger in `dir` to `out`.
///
/// # Errors
/// [`TransferError`]; what `out` was given then is no whole stream, and an import says so.
pub fn export(
    dir: impl AsRef<Path>,
    order: &ExportOrder,
    out: &mut dyn Write,
    watch: &mut TransferWatch<'_>,
) -> Result<ExportReport, TransferError> {
    export_on(Arc::new(OsDisk), dir.as_ref(), order, out, watch)
}

/// [`export`] from another [`Disk`].
///
/// # Errors
/// As [`export`].
pub fn export_on(
    disk: Arc<dyn Disk>,
    dir: &Path,
    order: &ExportOrder,
    out: &mut dyn Write,
    watch: &mut TransferWatch<'_>,
) -> Result<ExportReport, TransferError> {
    let snapshot = Snapshot::open_on(&*disk, dir)?;
    if let Some(damage) = snapshot.damage().first() {
        return Err(LedgerError::Damaged(damage.clone()).into());
    }
    let head = head_of(&snapshot, order)?;
    let blobs = Blobs::within(Arc::clone(&disk), dir);
    // Listed behind the snapshot: whatever its entries name was kept before them.
    let mut names: BTreeSet<Sha256Digest> = BTreeSet::new();
    if order.with_blobs {
        for name in blobs.names() {
            names.insert(name?);
        }
        // Also those that entries behind the size erased: what is erased goes nowhere.
        let erasures = snapshot.erasures()?;
        names.retain(|name| erasures.of_blob(name).is_none());
        keep_back(&snapshot, head.entries, &mut names)?;
    }
    let writer = StreamWriter::begin(out, &head)?;
    let mut work = Work { snapshot: &snapshot, writer, counts: Counts::default(), watch };
    work.entries(head.entries)?;
    work.checkpoints(&*disk, dir, head.entries)?;
    work.blobs(&blobs, &names)?;
    let Counts { entries, checkpoints, blobs, blob_bytes } = work.counts;
    let (sha256, stream_bytes) = work.writer.end(&work.counts)?;
    let Head { ledger_id, origin, leaf: head, .. } = head;
    Ok(ExportReport {
        ledger_id,
        origin,
        entries,
        head,
        checkpoints,
        blobs,
        blob_bytes,
        stream_bytes,
        sha256,
    })
}

fn head_of(snapshot: &Snapshot, order: &ExportOrder) -> Result<Head, TransferError> {
    let failed = |fault| TransferError::of_fault(snapshot.dir(), fault);
    let entries = snapshot.entries();
    let size = order.at.unwrap_or(entries);
    let last = size.checked_sub(1).filter(|_| size <= entries);
    let last = last.ok_or(TransferError::Size { size, entries })?;
    let header = snapshot.header_bytes(Seq::new(last)).map_err(failed)?.unwrap_or_default();
    Ok(Head {
        ledger_id: snapshot.ledger_id(),
        origin: snapshot.genesis().map_err(failed)?.origin,
        entries: size,
        leaf: LeafHash::of_header(&header),
        carries_blobs: order.with_blobs,
    })
}

/// Takes away the payloads that entries from `size` on name, and none before them.
fn keep_back(
    snapshot: &Snapshot,
    size: u64,
    names: &mut BTreeSet<Sha256Digest>,
) -> Result<(), TransferError> {
    if size == snapshot.entries() || names.is_empty() {
        return Ok(());
    }
    let later = named(snapshot, size..snapshot.entries(), names)?;
    let earlier = if later.is_empty() { BTreeSet::new() } else { named(snapshot, 0..size, &later)? };
    names.retain(|name| !later.contains(name) || earlier.contains(name));
    Ok(())
}

/// Those of the payloads that entries of a range name.
fn named(
    snapshot: &Snapshot,
    range: std::ops::Range<u64>,
    among: &BTreeSet<Sha256Digest>,
) -> Result<BTreeSet<Sha256Digest>, TransferError> {
    let mut found = BTreeSet::new();
    walk(snapshot, range, &mut |walked| {
        let kind = walked.found.header.status.kind();
        let envelope = if matches!(kind, EntryKind::Accepted | EntryKind::Rejected) {
            envelope_of(walked.body)
        } else {
            None
        };
        let blobs = envelope.iter().flat_map(|envelope| envelope.blobs());
        found.extend(blobs.map(|blob| blob.sha256).filter(|name| among.contains(name)));
        Ok(())
    })?;
    Ok(found)
}

struct Work<'a, 'w> {
    snapshot: &'a Snapshot,
    writer: StreamWriter<'a>,
    counts: Counts,
    watch: &'a mut TransferWatch<'w>,
}

impl Work<'_, '_> {
    fn entries(&mut self, size: u64) -> Result<(), TransferError> {
        let Work { snapshot, writer, counts, watch } = self;
        walk(snapshot, 0..size, &mut |walked| {
            writer.tag(Tag::Entry)?;
            writer.put(walked.frame)?;
            counts.entries += 1;
            tell(*watch, TransferStage::Entries, counts.entries, Some(size))
        })
    }

    fn checkpoints(&mut self, disk: &dyn Disk, dir: &Path, size: u64) -> Result<(), TransferError> {
        for kept in checkpoints::all(disk, dir)?.into_iter().filter(|kept| kept.size <= size) {
            self.writer.tag(Tag::Checkpoint)?;
            self.writer.put(&kept.size.to_le_bytes())?;
            self.writer.put(&u32::try_from(kept.note.len()).unwrap_or(u32::MAX).to_le_bytes())?;
            self.writer.put(&kept.note)?;
            self.counts.checkpoints += 1;
        }
        Ok(())
    }

    fn blobs(&mut self, blobs: &Blobs, names: &BTreeSet<Sha256Digest>) -> Result<(), TransferError> {
        for name in names {
            tell(self.watch, TransferStage::Payloads, self.counts.blobs, Some(names.len() as u64))?;
            self.blob(blobs, name)?;
        }
        Ok(())
    }

    fn blob(&mut self, blobs: &Blobs, name: &Sha256Digest) -> Result<(), TransferError> {
        let Some(OpenBlob { file, path }) = blobs.open_named(name)? else { return Ok(()) };
        let failed = |source| LedgerError::Io { action: "read", path: path.clone(), source };
        let length = file.len().map_err(failed)?;
        self.writer.tag(Tag::Blob)?;
        self.writer.put(name.as_bytes())?;
        self.writer.put(&length.to_le_bytes())?;
        let mut window = vec![0; BUFFER_BYTES];
        let mut hasher = Sha256Hasher::new();
        let mut at = 0;
        while at < length {
            let count = read_full_at(&*file, &mut window, at).map_err(failed)?;
            let most = usize::try_from(length - at).unwrap_or(usize::MAX).min(count);
            let part = window.get(..most).unwrap_or_default();
            if part.is_empty() {
                break;
            }
            hasher.update(part);
            self.writer.put(part)?;
            at += part.len() as u64;
            tell(self.watch, TransferStage::Payloads, self.counts.blobs, None)?;
        }
        let found = hasher.finalize();
        if found != *name || at != length {
            return Err(TransferError::DamagedPayload(blobs.damage(name, at, &found)));
        }
        self.counts.blobs += 1;
        self.counts.blob_bytes += length;
        Ok(())
    }
}
