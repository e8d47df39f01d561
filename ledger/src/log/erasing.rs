//! A group's erasures, holds and releases: the rule of [`crate::erasure`] over what the log holds
//! and over the group itself.

use proofline_canon::Sha256Digest;
use proofline_proof::Seq;
use proofline_proof::header::EntryKind;
use proofline_trace::{EnvelopeHash, PolicyDecision, TraceId};

use crate::erasure::{ErasureRefusal, Evidence, decision_of, entry_refers};
use crate::error::LedgerError;
use crate::frame::{Frame, decode_frame};
use crate::segments::{EntryFault, read_error};
use crate::system::SystemKind;

use super::batch::Batch;

impl Batch<'_> {
    /// Why an erasure, a hold or a release at `seq` is refused; what is not is noted.
    pub(super) fn refusal_of_erasure(
        &mut self,
        seq: Seq,
        id: EnvelopeHash,
        kind: &SystemKind,
    ) -> Result<Option<ErasureRefusal>, LedgerError> {
        let failed = |batch: &Self, fault| read_error(&batch.log.dir, fault);
        let mut erasures = match self.erasures.take() {
            Some(erasures) => erasures,
            None => self.log.segments.erasures().map_err(|fault| failed(self, fault))?,
        };
        let checked = erasures.check(seq, id, kind, &*self).map_err(|fault| failed(self, fault))?;
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
