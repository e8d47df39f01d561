//! Producers' signatures, in a run over everything: each that the ledger keeps is verified again under
//! the list of keys. A stretch of the log gathers its own and verifies them together, so that they
//! are spread over the threads like the rest; each is judged by itself and strictly, because what
//! a batch equation says of a crafted signature depends on the batch.

use proofline_ledger::{
    ArtifactKind, Damage, EntryFault, EntryHeader, EntryStatus, Seq, Snapshot, check_producer,
};
use proofline_proof::KeyList;
use proofline_trace::ProducerSignature;

use crate::error::ReplayError;
use crate::reading::damage_at;

/// How the canonical bytes of a producer's signature begin, so that no other artifact is parsed.
const FRONT: &[u8] = br#"{"artifact_type":"producer_signature","#;

/// The keys of a ledger; none where their list cannot be read. `found` takes what is wrong with it,
/// but for entries that cannot be read, which the check of every entry tells of.
pub(crate) fn keys(snapshot: &Snapshot, found: impl FnOnce(Damage)) -> Result<Option<KeyList>, ReplayError> {
    match snapshot.key_list() {
        Ok(keys) => Ok(Some(keys)),
        Err(EntryFault::Damaged(damage)) => {
            if damage.code == FORM {
                found(damage);
            }
            Ok(None)
        }
        Err(EntryFault::Archived(entry)) => Err(ReplayError::Archived(entry)),
        Err(fault) => Err(ReplayError::Lookup(fault)),
    }
}

/// The code of an entry that is readable and holds what the gate would not have let in.
const FORM: &str = "body.form";

/// The signatures that one stretch of the log keeps.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    signatures: Vec<(Seq, ProducerSignature)>,
}

impl Batch {
    pub(crate) fn gather(&mut self, header: &EntryHeader, body: &[u8]) {
        if !matches!(header.status, EntryStatus::Artifact) || !body.starts_with(FRONT) {
            return;
        }
        if let Ok(ArtifactKind::ProducerSignature(signature)) = ArtifactKind::read(body) {
            self.signatures.push((header.seq, signature));
        }
    }

    /// How many verify; `found` takes those that do not.
    pub(crate) fn verify(
        self,
        snapshot: &Snapshot,
        keys: &KeyList,
        mut found: impl FnMut(Seq, Damage),
    ) -> u64 {
        let mut verified = 0;
        for (seq, signature) in self.signatures {
            match check_producer(&signature, keys, seq.get()) {
                Ok(()) => verified += 1,
                Err(refusal) => {
                    found(seq, damage_at(snapshot, seq, refusal.code(), refusal.to_string()));
                }
            }
        }
        verified
    }
}
