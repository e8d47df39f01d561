//! That a producer's signature in the log stands beside what it signs: the envelope is an entry of
//! evidence before it, of the trace that is named. The gate asks this of each; a log that no gate wrote
//! may hold a good signature over an envelope of another ledger.

use proofline_proof::Seq;
use proofline_proof::header::{EntryHeader, EntryKind};
use proofline_trace::ProducerSignature;

use crate::artifact::ArtifactKind;
use crate::error::{ArtifactRefusal, Damage};
use crate::segments::EntryFault;
use crate::snapshot::Snapshot;

/// A signature that stands beside nothing.
pub(super) struct Stray {
    /// The key that signed, as `name+hex8`.
    pub(super) key: String,
    pub(super) damage: Damage,
}

/// Those of the signatures at these places that the gate would not have let in, the log being sound.
pub(super) fn strays(snapshot: &Snapshot, signed: &[Seq]) -> Result<Vec<Stray>, EntryFault> {
    let mut strays = Vec::new();
    for seq in signed {
        // Behind the published size there may be more than a snapshot shows.
        let Some(entry) = snapshot.entry(*seq)? else { continue };
        let Ok(ArtifactKind::ProducerSignature(signature)) = ArtifactKind::read(&entry.body) else {
            continue;
        };
        if let Some(refusal) = refusal(snapshot, &signature, *seq)? {
            let (file, offset) = snapshot.place(*seq).unwrap_or_default();
            let (code, message) = (refusal.code(), refusal.to_string());
            let damage = Damage { code, file, offset, seq: Some(*seq), message };
            strays.push(Stray { key: signature.key.to_string(), damage });
        }
    }
    Ok(strays)
}

fn refusal(
    snapshot: &Snapshot,
    signature: &ProducerSignature,
    seq: Seq,
) -> Result<Option<ArtifactRefusal>, EntryFault> {
    let (named, reference) = (signature.target_trace_id, signature.envelope_sha256);
    let is_evidence =
        |header: &EntryHeader| matches!(header.status.kind(), EntryKind::Accepted | EntryKind::Rejected);
    let mut is_there = false;
    for found in snapshot.with_hash(&reference)?.into_iter().filter(|found| *found < seq) {
        let Some(header) = snapshot.header(found)?.filter(|header| is_evidence(header)) else { continue };
        if header.trace.is_some_and(|link| link.trace_id == named) {
            return Ok(None);
        }
        is_there = true;
    }
    Ok(Some(if is_there {
        ArtifactRefusal::OtherTrace { named, reference }
    } else {
        ArtifactRefusal::MissingReference(reference)
    }))
}
