//! A group's erasures, holds and releases: the rule of [`crate::erasure`] over what the log holds and
//! over the group itself. The bytes of what is erased go once the group is durable.

use std::io;
use std::path::Path;

use proofline_canon::Sha256Digest;
use proofline_proof::Seq;
use proofline_proof::header::EntryKind;
use proofline_trace::{EnvelopeHash, ErasureTarget, PolicyDecision, TraceId};

use crate::blobs::{BLOBS_DIR, BlobError, Eraser};
use crate::disk::Disk;
use crate::erasure::{ErasureRefusal, Erasures, Evidence, decision_of, entry_refers};
use crate::error::LedgerError;
use crate::frame::{Frame, decode_frame};
use crate::recovery::Recovery;
use crate::segments::{EntryFault, Segments, read_error};
use crate::system::SystemKind;

use super::Log;
use super::batch::{Batch, Plan};

impl Plan {
    /// Notes that the bytes have to go once the group is durable.
    pub(super) fn owe(&mut self, seq: Seq, kind: &SystemKind) {
        if let SystemKind::Erasure(record) = kind
            && let ErasureTarget::Blob(sha256) = record.target
        {
            self.erased.push((sha256, seq));
        }
    }
}

impl Log {
    /// Erases the bytes of payloads that the log says are erased, durably.
    pub(super) fn erase(&mut self, erased: &[(Sha256Digest, Seq)]) -> Result<(), LedgerError> {
        Eraser::within(&*self.disk, &self.dir).erase(erased).map_err(|error| failed(&self.dir, error))
    }

    /// Does again the erasures that a process did not live to finish.
    pub(super) fn redo_erasures(&mut self) -> Result<(), LedgerError> {
        redo_erasures(&*self.disk, &self.segments, &mut self.recovery)?;
        self.owes_erasures = false;
        Ok(())
    }
}

/// Does again the erasures in a log that a process did not live to finish. The caller holds the
/// ledger's lock. An entry that cannot be read tells nothing here; whoever verifies is told of it.
pub(crate) fn redo_erasures(
    disk: &dyn Disk,
    segments: &Segments,
    recovery: &mut Recovery,
) -> Result<Erasures, LedgerError> {
    let dir = &segments.dir;
    let erasures = segments.readable_erasures().map_err(|error| read_error(dir, error.into()))?;
    let swept = Eraser::within(disk, dir).redo(erasures.blobs()).map_err(|error| failed(dir, error))?;
    recovery.redone_erasures += swept.erased;
    recovery.removed_unfinished += swept.unfinished;
    Ok(erasures)
}

/// What an erasure met, as an error of the ledger.
pub(crate) fn failed(dir: &Path, error: BlobError) -> LedgerError {
    match error {
        BlobError::Io { action, path, source } => LedgerError::Io { action, path, source },
        other => {
            LedgerError::Io { action: "erase in", path: dir.join(BLOBS_DIR), source: io::Error::other(other) }
        }
    }
}

impl Batch<'_> {
    /// Why an erasure, a hold or a release at `seq` is refused; what is not is noted.
    pub(super) fn refusal_of_erasure(
        &mut self,
        seq: Seq,
        id: EnvelopeHash,
        kind: &SystemKind,
    ) -> Result<Option<ErasureRefusal>, LedgerError> {
        let unread = |batch: &Self, fault| read_error(&batch.log.dir, fault);
        let mut erasures = match self.erasures.take() {
            Some(erasures) => erasures,
            None => self.log.segments.erasures().map_err(|fault| unread(self, fault))?,
        };
        let checked = erasures.check(seq, id, kind, &*self).map_err(|fault| unread(self, fault))?;
        if checked.is_ok() {
            erasures.note(seq, id, kind);
        }
        self.erasures = Some(erasures);
        Ok(checked.err())
    }

    /// The group's own entries that are of this kind, as they will lie in the log.
    fn planned(&self, kinds: &'static [EntryKind]) -> impl Iterator<Item = Frame<'_>> {
        let entries = self.plan.entries.iter();
        let of_kind = entries.filter(|entry| kinds.contains(&entry.header.status.kind()));
        of_kind.filter_map(|entry| {
            let start = usize::try_from(entry.offset).ok()?;
            decode_frame(self.plan.bytes.get(start..)?).ok()
        })
    }
}

impl Evidence for Batch<'_> {
    fn decision(&self, hash: &EnvelopeHash, before: Seq) -> Result<Option<PolicyDecision>, EntryFault> {
        let own = self.planned(&[EntryKind::Accepted]).find(|frame| frame.header.envelope_hash == *hash);
        match own {
            Some(frame) => Ok(decision_of(frame.body)),
            None => self.log.segments.decision(hash, before),
        }
    }

    fn refers(&self, trace: TraceId, sha256: &Sha256Digest, before: Seq) -> Result<bool, EntryFault> {
        let mut own = self.planned(&[EntryKind::Accepted, EntryKind::Rejected]);
        Ok(own.any(|frame| entry_refers(&frame.header, frame.body, trace, sha256))
            || self.log.segments.refers(trace, sha256, before)?)
    }
}
