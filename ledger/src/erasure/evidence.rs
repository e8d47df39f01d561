//! What the rule of erasures asks of the evidence: a decision by its hash, and whether a trace
//! refers to a payload.

use proofline_canon::Sha256Digest;
use proofline_proof::Seq;
use proofline_proof::header::{EntryHeader, EntryKind};
use proofline_trace::{Envelope, EnvelopeHash, PolicyDecision, TraceId};

use crate::segments::{EntryFault, Segments};
use crate::snapshot::envelope_of;

/// Answers from the evidence below a place in the log.
pub(crate) trait Evidence {
    /// The policy decision that was accepted under this hash below `before`.
    fn decision(&self, hash: &EnvelopeHash, before: Seq) -> Result<Option<PolicyDecision>, EntryFault>;

    /// True when a record of this trace below `before`, refused ones included, refers to the payload.
    fn refers(&self, trace: TraceId, sha256: &Sha256Digest, before: Seq) -> Result<bool, EntryFault>;
}

/// The decision in a body that was accepted.
pub(crate) fn decision_of(body: &[u8]) -> Option<PolicyDecision> {
    match envelope_of(body)? {
        Envelope::PolicyDecision(decision) => Some(decision),
        _ => None,
    }
}

/// True when an entry is evidence of this trace and refers to the payload.
pub(crate) fn entry_refers(header: &EntryHeader, body: &[u8], trace: TraceId, sha256: &Sha256Digest) -> bool {
    let is_evidence = matches!(header.status.kind(), EntryKind::Accepted | EntryKind::Rejected);
    is_evidence
        && header.trace.is_some_and(|link| link.trace_id == trace)
        && envelope_of(body).is_some_and(|envelope| envelope.blobs().any(|blob| blob.sha256 == *sha256))
}

impl Evidence for Segments {
    fn decision(&self, hash: &EnvelopeHash, before: Seq) -> Result<Option<PolicyDecision>, EntryFault> {
        let found = self.first_with_hash(hash, EntryKind::Accepted)?.filter(|seq| *seq < before);
        let Some(seq) = found else { return Ok(None) };
        Ok(self.read(seq)?.and_then(|entry| decision_of(&entry.body)))
    }

    fn refers(&self, trace: TraceId, sha256: &Sha256Digest, before: Seq) -> Result<bool, EntryFault> {
        for seq in self.of_trace(trace)?.into_iter().take_while(|seq| *seq < before) {
            let entry = self.read(seq)?;
            if entry.is_some_and(|entry| entry_refers(&entry.header, &entry.body, trace, sha256)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
