//! The gate's rules for sealed verdicts and who signed them: what a seal names belongs together, and is of this
//! ledger; a signature is over a seal of this ledger, by a current producer key.

use proofline_proof::Seq;
use proofline_proof::header::EntryStatus;
use proofline_trace::{EnvelopeHash, TraceId, VerdictSeal, VerdictSignature};

use super::batch::Batch;
use crate::artifact::{ArtifactKind, check_verdict_signature};
use crate::error::{ArtifactRefusal, LedgerError};
use crate::frame::decode_frame;
use crate::segments::read_error;

/// Whether items are ascending, each once.
fn ascends<T: Ord>(items: &[T]) -> bool {
    items.windows(2).all(|pair| matches!(pair, [one, next] if one < next))
}

fn hash(digest: &proofline_canon::Sha256Digest) -> EnvelopeHash {
    EnvelopeHash::from_bytes(*digest.as_bytes())
}

impl Batch<'_> {
    /// Why a seal whose result and diagnostics are artifacts of this ledger is refused, if it is.
    pub(super) fn refusal_of_seal(
        &self,
        seal: &VerdictSeal,
        seq: Seq,
    ) -> Result<Option<ArtifactRefusal>, LedgerError> {
        let fault = |what| Ok(Some(ArtifactRefusal::Seal(what)));
        if seal.ledger_id != self.ledger_id() {
            return fault("it names another ledger");
        }
        if seal.log.size.get() == 0 || seal.log.size.get() > seq.get() {
            return fault("it names a log of no entries, or of more than are before it");
        }
        if seal.checkpoint.is_some_and(|checkpoint| checkpoint.size > seal.log.size) {
            return fault("its checkpoint covers more entries than were read");
        }
        if !ascends(&seal.policies) || !ascends(&seal.tools) {
            return fault("its policies or tools are not ascending, each once");
        }
        let (result, diagnostics) = (hash(&seal.result_sha256), hash(&seal.diagnostics_sha256));
        let Some(ArtifactKind::ReplayResult(found)) = self.artifact_body(&result)? else {
            return fault("what it names as the result is none");
        };
        let Some(ArtifactKind::ReplayDiagnostics(explains)) = self.artifact_body(&diagnostics)? else {
            return fault("what it names as the diagnostics is none");
        };
        if explains.result_sha256 != seal.result_sha256 {
            return fault("its diagnostics explain another result");
        }
        let named = seal.target_trace_id;
        Ok(other_trace(named, found.target_trace_id, result))
    }

    /// The same of a signature over an artifact of this ledger.
    pub(super) fn refusal_of_verdict_signature(
        &mut self,
        signature: &VerdictSignature,
        seq: Seq,
    ) -> Result<Option<ArtifactRefusal>, LedgerError> {
        let (named, reference) = (signature.target_trace_id, signature.seal_sha256);
        let Some(ArtifactKind::VerdictSeal(seal)) = self.artifact_body(&reference)? else {
            return Ok(Some(ArtifactRefusal::Seal("what is signed is none")));
        };
        if let Some(refusal) = other_trace(named, seal.target_trace_id, reference) {
            return Ok(Some(refusal));
        }
        Ok(check_verdict_signature(signature, self.keys()?, seq.get()).err())
    }

    /// The artifact of this hash, in the log or in the group itself.
    fn artifact_body(&self, hash: &EnvelopeHash) -> Result<Option<ArtifactKind>, LedgerError> {
        let is_it =
            |status: &EntryStatus, of: &EnvelopeHash| matches!(status, EntryStatus::Artifact) && of == hash;
        let pending = self.plan.entries.iter();
        let mut pending = pending.filter(|entry| is_it(&entry.header.status, &entry.header.envelope_hash));
        if let Some(entry) = pending.next() {
            let start = usize::try_from(entry.offset).unwrap_or(usize::MAX);
            let frame = self.plan.bytes.get(start..).and_then(|bytes| decode_frame(bytes).ok());
            return Ok(frame.and_then(|frame| ArtifactKind::read(frame.body).ok()));
        }
        let Some(seq) = self.artifact_seq(hash)? else { return Ok(None) };
        let entry = self.segments().read(seq).map_err(|fault| read_error(self.dir(), fault))?;
        Ok(entry.and_then(|entry| ArtifactKind::read(&entry.body).ok()))
    }
}

fn other_trace(named: TraceId, found: TraceId, reference: EnvelopeHash) -> Option<ArtifactRefusal> {
    (named != found).then_some(ArtifactRefusal::OtherTrace { named, reference })
}
