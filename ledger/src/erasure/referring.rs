//! Who refers to a payload: every record that names its digest, found by reading the log.

use proofline_canon::Sha256Digest;
use proofline_proof::Seq;
use proofline_proof::header::EntryKind;
use proofline_trace::{ErasureTarget, RecordType, TraceId};

use crate::error::LedgerError;
use crate::segments::{EntryFault, read_error};
use crate::snapshot::{Snapshot, envelope_of};
use crate::system::SystemKind;

use super::{ErasureRefusal, Hold};

/// A place that refers to a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referring {
    /// The entry.
    pub seq: Seq,
    /// The trace of its record.
    pub trace_id: TraceId,
    /// What the record is.
    pub record_type: RecordType,
    /// The member that refers to the payload: `request` or `response`.
    pub member: &'static str,
    /// False for an attempt that was refused and kept.
    pub is_accepted: bool,
}

/// All that refers to a payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// In order of the entries.
    pub list: Vec<Referring>,
    /// Entries that cannot be read, and may refer to it.
    pub unreadable: u64,
}

impl Snapshot {
    /// Every record, refused attempts included, that refers to a payload. Reads the log from end to
    /// end and tells `progress` how many entries it has read.
    ///
    /// # Errors
    /// [`EntryFault::Io`]; a damaged entry is counted.
    pub fn referring(
        &self,
        sha256: &Sha256Digest,
        progress: &mut dyn FnMut(u64),
    ) -> Result<References, EntryFault> {
        let digits = sha256.to_string();
        let mut found = References::default();
        for seq in (0..self.entries()).map(Seq::new) {
            progress(seq.get());
            let entry = match self.entry(seq) {
                Ok(Some(entry)) => entry,
                Ok(None) => continue,
                Err(EntryFault::Damaged(_)) => {
                    found.unreadable += 1;
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            let kind = entry.header.status.kind();
            // Most bodies do not hold the digits anywhere.
            let is_evidence = matches!(kind, EntryKind::Accepted | EntryKind::Rejected);
            let names = is_evidence && entry.body.windows(digits.len()).any(|part| part == digits.as_bytes());
            let Some(envelope) = names.then(|| envelope_of(&entry.body)).flatten() else { continue };
            let members = ["request", "response"].into_iter().zip(envelope.blobs());
            found.list.extend(members.filter(|(_, blob)| blob.sha256 == *sha256).map(|(member, _)| {
                Referring {
                    seq,
                    trace_id: envelope.trace_id(),
                    record_type: envelope.record_type(),
                    member,
                    is_accepted: kind == EntryKind::Accepted,
                }
            }));
        }
        Ok(found)
    }

    /// What the gate would answer to an erasure, a hold or a release that came next; nothing is
    /// appended. `None` means that it would be let in.
    ///
    /// # Errors
    /// When an entry that the rule looks at cannot be read.
    pub fn would_refuse(&self, kind: &SystemKind) -> Result<Option<ErasureRefusal>, LedgerError> {
        let id = match kind {
            SystemKind::Erasure(record) => record.sha256(),
            SystemKind::Hold(record) => record.sha256(),
            SystemKind::Release(record) => record.sha256(),
            SystemKind::Key(_) | SystemKind::TraceIndex(_) => return Ok(None),
        };
        let next = Seq::new(self.entries());
        let checked = self.erasures()?.check(next, id.into(), kind, self.segments());
        Ok(checked.map_err(|fault| read_error(self.dir(), fault))?.err())
    }

    /// The first hold in force that forbids the erasure of this target, one on a trace whose records
    /// refer to it included.
    ///
    /// # Errors
    /// When an entry that the rule looks at cannot be read.
    pub fn held_by(&self, target: ErasureTarget) -> Result<Option<Hold>, LedgerError> {
        let erasures = self.erasures()?;
        let held = erasures.held_by(Seq::new(self.entries()), target, self.segments());
        Ok(held.map_err(|fault| read_error(self.dir(), fault))?.cloned())
    }
}
