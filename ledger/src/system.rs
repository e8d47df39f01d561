//! The gate's rules for system entries (section 7 of the contract): what a ledger records of itself.
//!
//! | entry | told by | rule |
//! |---|---|---|
//! | genesis | `system_type` `genesis` | the first entry, made by `init` alone |
//! | trace index | `system_type` `trace_index` | made by the log alone |
//! | key | `system_type` `key` | [`KeyList::apply`]: possession, a current log key that vouches, no key twice |
//! | erasure, hold, release | `system_type` of that name | [`crate::erasure`] |

use proofline_canon::Value;
use proofline_proof::header::EntryKind;
use proofline_proof::{KeyList, Seq};
use proofline_trace::{
    EnvelopeHash, ErasureRecord, GenesisRecord, HoldRecord, KeyRecord, ReleaseRecord, TraceIndexRecord,
    Violation,
};

use crate::artifact::{canonical, parsed};
use crate::error::{ArtifactRefusal, Damage};
use crate::segments::{EntryFault, Segments};
use crate::snapshot::Snapshot;
use crate::verify::read_genesis;

/// What a system entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SystemKind {
    /// A key is added to the ledger's list, or retired.
    Key(KeyRecord),
    /// A payload, or a subject's key, is erased for good.
    Erasure(ErasureRecord),
    /// Something must not be erased.
    Hold(HoldRecord),
    /// A hold is over.
    Release(ReleaseRecord),
    /// The log says which traces it holds.
    TraceIndex(TraceIndexRecord),
}

impl SystemKind {
    /// Reads the body of a system entry.
    ///
    /// # Errors
    /// [`ArtifactRefusal::Form`] for a body of no known kind, or against its schema.
    pub fn read(body: &[u8]) -> Result<Self, ArtifactRefusal> {
        Self::of(&parsed(body)?)
    }

    fn of(value: &Value) -> Result<Self, ArtifactRefusal> {
        let refused = |violation: Violation| ArtifactRefusal::Form(violation.to_string());
        match value.get("system_type").and_then(Value::as_str) {
            Some("key") => KeyRecord::from_value(value).map(SystemKind::Key).map_err(refused),
            Some(ErasureRecord::SYSTEM_TYPE) => {
                ErasureRecord::from_value(value).map(SystemKind::Erasure).map_err(refused)
            }
            Some(HoldRecord::SYSTEM_TYPE) => {
                HoldRecord::from_value(value).map(SystemKind::Hold).map_err(refused)
            }
            Some(ReleaseRecord::SYSTEM_TYPE) => {
                ReleaseRecord::from_value(value).map(SystemKind::Release).map_err(refused)
            }
            Some(TraceIndexRecord::SYSTEM_TYPE) => {
                TraceIndexRecord::from_value(value).map(SystemKind::TraceIndex).map_err(refused)
            }
            _ => Err(ArtifactRefusal::Form("it is of no known kind".to_owned())),
        }
    }
}

/// A system entry that is canonical and of a known kind.
#[derive(Clone, Debug)]
pub(crate) struct SealedSystem {
    pub(crate) hash: EnvelopeHash,
    pub(crate) canonical: Vec<u8>,
    pub(crate) kind: SystemKind,
}

impl SealedSystem {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, ArtifactRefusal> {
        let (value, canonical) = canonical(bytes)?;
        Ok(SealedSystem { hash: EnvelopeHash::of(&canonical), kind: SystemKind::of(&value)?, canonical })
    }
}

impl Segments {
    /// The ledger's genesis record.
    pub(crate) fn genesis(&self) -> Result<GenesisRecord, EntryFault> {
        let entry = self.read(Seq::GENESIS)?;
        let record = entry.as_ref().and_then(|entry| read_genesis(&entry.body));
        record.ok_or_else(|| self.form_fault(Seq::GENESIS, &"the genesis entry is no genesis record"))
    }

    /// The list of keys that the system entries give.
    pub(crate) fn key_list(&self) -> Result<KeyList, EntryFault> {
        let genesis = self.genesis()?;
        let mut list = KeyList::new(genesis.ledger_id, genesis.origin);
        for (seq, _, kind) in self.system_kinds()? {
            if let SystemKind::Key(record) = kind {
                list.apply(seq, &record).map_err(|refusal| self.form_fault(seq, &refusal))?;
            }
        }
        Ok(list)
    }

    /// Every system entry, the genesis entry aside, ascending: its place, hash and content.
    pub(crate) fn system_kinds(&self) -> Result<Vec<(Seq, EnvelopeHash, SystemKind)>, EntryFault> {
        let mut kinds = Vec::new();
        for seq in self.system_entries()? {
            let Some(entry) = self.read(seq)? else { continue };
            if entry.header.status.kind() != EntryKind::System {
                let what = "an index names it as a system entry, and it is none";
                return Err(self.form_fault(seq, &what));
            }
            let kind = SystemKind::read(&entry.body).map_err(|refusal| self.form_fault(seq, &refusal))?;
            kinds.push((seq, entry.header.envelope_hash, kind));
        }
        Ok(kinds)
    }

    pub(crate) fn form_fault(&self, seq: Seq, what: &dyn std::fmt::Display) -> EntryFault {
        let message = what.to_string();
        let (file, offset) = self.place(seq).unwrap_or_default();
        EntryFault::Damaged(Damage { code: "body.form", file, offset, seq: Some(seq), message })
    }
}

impl Snapshot {
    /// The keys that the ledger lists, with when each was current and who vouched for it.
    ///
    /// # Errors
    /// [`EntryFault`] when a system entry cannot be read, or the gate would not have let it in.
    pub fn key_list(&self) -> Result<KeyList, EntryFault> {
        self.segments().key_list()
    }

    /// The ledger's first entry: who it is.
    ///
    /// # Errors
    /// [`EntryFault`].
    pub fn genesis(&self) -> Result<GenesisRecord, EntryFault> {
        self.segments().genesis()
    }
}
