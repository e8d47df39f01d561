//! What a ledger has erased and what it holds back from erasure, told from its system entries,
//! and the gate's rule for the entries that change it.
//!
//! | entry | rule |
//! |---|---|
//! | erasure | an accepted decision before it allows `erase` on this target; it is not erased; no hold is on it |
//! | hold | it was not released before; its target is not erased |
//! | release | the hold is in force; an accepted decision before it allows `release` on `hold/HASH` |
//!
//! A decision names one resource, so it allows one erasure or one release.

mod evidence;
mod refusal;

use std::collections::BTreeMap;

use proofline_canon::Sha256Digest;
use proofline_proof::Seq;
use proofline_trace::{
    DecisionResult, EnvelopeHash, ErasureRecord, ErasureTarget, HoldRecord, HoldTarget, ReleaseRecord,
    SubjectKeyId, TraceId,
};

use crate::error::LedgerError;
use crate::segments::{EntryFault, Segments, read_error};
use crate::snapshot::Snapshot;
use crate::system::SystemKind;

pub use refusal::ErasureRefusal;

pub(crate) use evidence::{Evidence, decision_of, entry_refers};

/// An erasure that a ledger has recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Its entry.
    pub seq: Seq,
    /// What the entry says.
    pub record: ErasureRecord,
}

/// A legal hold that a ledger has recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its entry.
    pub seq: Seq,
    /// Its id: the hash of the record.
    pub id: EnvelopeHash,
    /// What the entry says.
    pub record: HoldRecord,
    /// The entry that released it and what that says.
    pub released: Option<(Seq, ReleaseRecord)>,
}

impl Hold {
    /// True until it is released.
    #[must_use]
    pub const fn is_in_force(&self) -> bool {
        self.released.is_none()
    }
}

/// What a ledger has erased, and every hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erasures {
    erased: BTreeMap<ErasureTarget, Erasure>,
    /// In order of their entries.
    holds: Vec<Hold>,
}

impl Erasures {
    /// The entry that erased a payload.
    #[must_use]
    pub fn of_blob(&self, sha256: &Sha256Digest) -> Option<Seq> {
        self.of(&ErasureTarget::Blob(*sha256)).map(|erasure| erasure.seq)
    }

    /// The entry that erased a subject's key.
    #[must_use]
    pub fn of_subject(&self, key_id: &SubjectKeyId) -> Option<Seq> {
        self.of(&ErasureTarget::Subject(*key_id)).map(|erasure| erasure.seq)
    }

    /// The erasure of a target.
    #[must_use]
    pub fn of(&self, target: &ErasureTarget) -> Option<&Erasure> {
        self.erased.get(target)
    }

    /// Every erasure, payloads first, in byte order of what they name.
    pub fn erased(&self) -> impl Iterator<Item = &Erasure> {
        self.erased.values()
    }

    /// Every payload that is erased, in byte order, and by which entry.
    pub fn blobs(&self) -> impl Iterator<Item = (Sha256Digest, Seq)> + '_ {
        self.erased.iter().filter_map(|(target, erasure)| match target {
            ErasureTarget::Blob(sha256) => Some((*sha256, erasure.seq)),
            ErasureTarget::Subject(_) => None,
        })
    }

    /// Every hold, those that were released included, in order of their entries.
    #[must_use]
    pub fn holds(&self) -> &[Hold] {
        &self.holds
    }

    /// The hold of this id.
    #[must_use]
    pub fn hold(&self, id: &EnvelopeHash) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.id == *id)
    }

    /// The holds in force.
    pub fn in_force(&self) -> impl Iterator<Item = &Hold> {
        self.holds.iter().filter(|hold| hold.is_in_force())
    }

    /// The first hold in force on this very target. One on a trace also holds the payloads that
    /// the records of the trace refer to, which takes a look into the log.
    #[must_use]
    pub fn holding(&self, target: &HoldTarget) -> Option<&Hold> {
        self.in_force().find(|hold| hold.record.target == *target)
    }

    /// The traces that are held.
    pub(crate) fn held_traces(&self) -> impl Iterator<Item = (&Hold, TraceId)> {
        self.in_force().filter_map(|hold| match hold.record.target {
            HoldTarget::Trace(trace_id) => Some((hold, trace_id)),
            HoldTarget::One(_) => None,
        })
    }

    /// Takes in a system entry as it stands, without asking whether the gate would let it in.
    pub(crate) fn note(&mut self, seq: Seq, id: EnvelopeHash, kind: &SystemKind) {
        match kind {
            SystemKind::Erasure(record) => {
                self.erased.entry(record.target).or_insert_with(|| Erasure { seq, record: record.clone() });
            }
            SystemKind::Hold(record) if self.hold(&id).is_none() => {
                self.holds.push(Hold { seq, id, record: record.clone(), released: None });
            }
            SystemKind::Release(record) => {
                let held = self.holds.iter_mut().find(|hold| hold.id == record.hold && hold.is_in_force());
                if let Some(hold) = held {
                    hold.released = Some((seq, record.clone()));
                }
            }
            SystemKind::Hold(_) | SystemKind::Key(_) | SystemKind::TraceIndex(_) => {}
        }
    }

    /// The gate's rule: whether an entry with this place and content is let in.
    pub(crate) fn check<E: Evidence>(
        &self,
        seq: Seq,
        id: EnvelopeHash,
        kind: &SystemKind,
        evidence: &E,
    ) -> Result<Result<(), ErasureRefusal>, EntryFault> {
        match kind {
            SystemKind::Erasure(record) => self.check_erasure(seq, record, evidence),
            SystemKind::Hold(record) => Ok(self.check_hold(id, record)),
            SystemKind::Release(record) => self.check_release(seq, record, evidence),
            SystemKind::Key(_) | SystemKind::TraceIndex(_) => Ok(Ok(())),
        }
    }

    fn check_erasure<E: Evidence>(
        &self,
        seq: Seq,
        record: &ErasureRecord,
        evidence: &E,
    ) -> Result<Result<(), ErasureRefusal>, EntryFault> {
        let target = record.target;
        if let Some(earlier) = self.of(&target) {
            return Ok(Err(ErasureRefusal::Erased { target, seq: earlier.seq }));
        }
        let resource = record.target.resource();
        if let Err(refusal) = allowed(seq, record.authority, ErasureRecord::ACTION, resource, evidence)? {
            return Ok(Err(refusal));
        }
        Ok(match self.held_by(seq, target, evidence)? {
            Some(hold) => Err(ErasureRefusal::Held { target, hold: hold.id, seq: hold.seq }),
            None => Ok(()),
        })
    }

    /// The first hold in force that forbids an erasure at `seq`.
    fn held_by<E: Evidence>(
        &self,
        seq: Seq,
        target: ErasureTarget,
        evidence: &E,
    ) -> Result<Option<&Hold>, EntryFault> {
        if let Some(hold) = self.holding(&HoldTarget::One(target)) {
            return Ok(Some(hold));
        }
        let ErasureTarget::Blob(sha256) = target else { return Ok(None) };
        for (hold, trace_id) in self.held_traces() {
            if evidence.refers(trace_id, &sha256, seq)? {
                return Ok(Some(hold));
            }
        }
        Ok(None)
    }

    fn check_hold(&self, id: EnvelopeHash, record: &HoldRecord) -> Result<(), ErasureRefusal> {
        if let Some(hold) = self.hold(&id)
            && let Some((released, _)) = &hold.released
        {
            return Err(ErasureRefusal::HeldBefore { hold: id, seq: hold.seq, released: *released });
        }
        match record.target {
            HoldTarget::One(target) => match self.of(&target) {
                Some(erasure) => Err(ErasureRefusal::NothingToHold { target, seq: erasure.seq }),
                None => Ok(()),
            },
            HoldTarget::Trace(_) => Ok(()),
        }
    }

    fn check_release<E: Evidence>(
        &self,
        seq: Seq,
        record: &ReleaseRecord,
        evidence: &E,
    ) -> Result<Result<(), ErasureRefusal>, EntryFault> {
        let Some(hold) = self.hold(&record.hold) else {
            return Ok(Err(ErasureRefusal::NoSuchHold(record.hold)));
        };
        if let Some((released, _)) = &hold.released {
            return Ok(Err(ErasureRefusal::Released { hold: hold.id, seq: *released }));
        }
        allowed(seq, record.authority, ReleaseRecord::ACTION, record.resource(), evidence)
    }
}

/// The part of the rule about the decision: accepted before `seq`, allow, this action, this resource.
fn allowed<E: Evidence>(
    seq: Seq,
    authority: EnvelopeHash,
    action: &'static str,
    resource: String,
    evidence: &E,
) -> Result<Result<(), ErasureRefusal>, EntryFault> {
    let Some(decision) = evidence.decision(&authority, seq)? else {
        return Ok(Err(ErasureRefusal::NoAuthority(authority)));
    };
    if !matches!(decision.decision.result, DecisionResult::Allow) {
        return Ok(Err(ErasureRefusal::Denied(authority)));
    }
    let request = &decision.request;
    if request.action.as_str() != action {
        let found = request.action.to_string();
        return Ok(Err(ErasureRefusal::OtherAction { authority, found, expected: action }));
    }
    if request.resource.as_str() != resource {
        let found = request.resource.to_string();
        return Ok(Err(ErasureRefusal::OtherResource { authority, found, expected: resource }));
    }
    Ok(Ok(()))
}

impl Segments {
    /// What the system entries say of erasures and holds.
    pub(crate) fn erasures(&self) -> Result<Erasures, EntryFault> {
        let mut erasures = Erasures::default();
        for (seq, id, kind) in self.system_kinds()? {
            erasures.note(seq, id, &kind);
        }
        Ok(erasures)
    }
}

impl Snapshot {
    /// What is erased and what is held, told from the system entries as they stand; `verify` tells
    /// whether the gate would let them in.
    ///
    /// # Errors
    /// As [`LedgerError::Damaged`] when a system entry cannot be read.
    pub fn erasures(&self) -> Result<Erasures, LedgerError> {
        self.segments().erasures().map_err(|fault| read_error(self.dir(), fault))
    }
}
