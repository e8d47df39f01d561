//! Sealed payloads among the others: which of them a subject's key opens, and which legal hold forbids to destroy it.

use proofline_canon::Sha256Digest;
use proofline_proof::Seq;
use proofline_trace::{ErasureTarget, HoldTarget, SubjectKeyId};

use crate::blobs::{BlobError, Blobs};
use crate::erasure::{Erasures, Evidence, Hold};
use crate::error::LedgerError;
use crate::segments::read_error;
use crate::snapshot::Snapshot;

impl Blobs {
    /// The payloads that are sealed under a key, ascending: those that the key's destruction closes for good.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn sealed_under(&self, key_id: &SubjectKeyId) -> Result<Vec<Sha256Digest>, BlobError> {
        let mut found = Vec::new();
        for name in self.names() {
            let name = name?;
            if self.sealed_header(&name)?.is_some_and(|header| header.key_id() == *key_id) {
                found.push(name);
            }
        }
        Ok(found)
    }

    /// The payloads that are there and closed for good, ascending: their key's erasure is recorded, by this entry.
    /// What a report calls erased, as those whose bytes are gone.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn closed(&self, erasures: &Erasures) -> Result<Vec<(Sha256Digest, Seq)>, BlobError> {
        let has_subjects =
            erasures.erased().any(|erasure| matches!(erasure.record.target, ErasureTarget::Subject(_)));
        if !has_subjects {
            return Ok(Vec::new());
        }
        let mut closed = Vec::new();
        for name in self.names() {
            let name = name?;
            let header = self.sealed_header(&name)?;
            let by = header.and_then(|header| erasures.of_subject(&header.key_id()));
            closed.extend(by.map(|seq| (name, seq)));
        }
        Ok(closed)
    }
}

impl Snapshot {
    /// The first hold in force that forbids to destroy a subject's key: on the key itself, on one of these payloads,
    /// or on a trace whose records refer to one. The gate sees the log alone, so it knows holds of the first kind only.
    ///
    /// # Errors
    /// [`LedgerError`] when an entry cannot be read.
    pub fn hold_on_subject(
        &self,
        key_id: &SubjectKeyId,
        payloads: &[Sha256Digest],
    ) -> Result<Option<Hold>, LedgerError> {
        let end = Seq::new(self.entries());
        for hold in self.erasures()?.in_force() {
            let holds = match hold.record.target {
                HoldTarget::One(ErasureTarget::Subject(held)) => held == *key_id,
                HoldTarget::One(ErasureTarget::Blob(held)) => payloads.contains(&held),
                HoldTarget::Trace(trace_id) => {
                    let refers = |payload| self.segments().refers(trace_id, payload, end);
                    let found: Result<Vec<bool>, _> = payloads.iter().map(refers).collect();
                    found.map_err(|fault| read_error(self.dir(), fault))?.contains(&true)
                }
            };
            if holds {
                return Ok(Some(hold.clone()));
            }
        }
        Ok(None)
    }
}
