//! A group on its way into the log: the gate decides each record over what was accepted before and
//! over the group itself, and what it lets in is encoded, ready to be written at once.

use std::collections::HashMap;
use std::path::Path;

use proofline_canon::Sha256Digest;
use proofline_proof::header::{DeclaredHash, EntryHeader, EntryKind, EntryStatus, TraceLink};
use proofline_proof::tree::Frontier;
use proofline_proof::{KeyList, LeafHash, Seq};
use proofline_trace::{
    Envelope, EnvelopeHash, LedgerId, OtelImport, ProducerSignature, Rejection, SealedEnvelope, TraceId,
    TraceIndexRecord,
};

use crate::action::Outcome;
use crate::artifact::{ArtifactKind, SealedArtifact, check_producer};
use crate::erasure::Erasures;
use crate::error::{ArtifactRefusal, LedgerError};
use crate::frame::{MAX_BODY_BYTES, encode_frame};
use crate::gate::{AcceptedRecords, Examined, Facts, relate};
use crate::scan::ChainState;
use crate::segments::{EntryFault, Segments, read_error};
use crate::system::{SealedSystem, SystemKind};

use super::given::Given;
use super::{Buffers, Examinee, Log, Pending};

/// An entry of a group, encoded.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) header: EntryHeader,
    pub(super) leaf: LeafHash,
    pub(super) offset: u64,
    pub(super) frame_bytes: usize,
}

/// What a group appends.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) bytes: Vec<u8>,
    pub(super) entries: Vec<Planned>,
    pub(super) chain: ChainState,
    pub(super) facts: HashMap<EnvelopeHash, Facts>,
    pub(super) trace_ends: HashMap<TraceId, (Seq, u64)>,
    /// Payloads whose erasure the group asks for, those erased before included.
    pub(super) erased: Vec<(Sha256Digest, Seq)>,
    artifacts: HashMap<EnvelopeHash, Seq>,
    system: HashMap<EnvelopeHash, Seq>,
}

/// Decides a group in sequence order, over the accepted records and the group itself.
pub(super) struct Batch<'a> {
    pub(super) log: &'a mut Log,
    pub(super) plan: Plan,
    /// The list of keys, the group's own included, once something asked for it.
    keys: Option<KeyList>,
    /// What is erased and held, likewise.
    pub(super) erasures: Option<Erasures>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(log: &'a mut Log) -> Self {
        let chain = ChainState {
            next: Seq::new(log.mark.entries),
            head: Some(log.mark.head),
            recorded_at_ms: log.recorded_at_ms,
        };
        let Buffers { bytes, entries, facts, trace_ends } = std::mem::take(&mut log.spare);
        let plan = Plan {
            bytes,
            entries,
            chain,
            facts,
            trace_ends,
            erased: Vec::new(),
            artifacts: HashMap::new(),
            system: HashMap::new(),
        };
        Batch { log, plan, keys: None, erasures: None }
    }

    /// The log that the group is to go behind.
    pub(super) fn segments(&self) -> &Segments {
        &self.log.segments
    }

    pub(super) fn dir(&self) -> &Path {
        &self.log.dir
    }

    pub(super) fn ledger_id(&self) -> LedgerId {
        self.log.ledger_id
    }

    pub(super) fn decide(&mut self, pending: &Pending) -> Result<Outcome, LedgerError> {
        let recorded_at_ms = pending.recorded_at_ms;
        match &pending.what {
            Examinee::Evidence { examined, declared } => match &**examined {
                Examined::Refused(rejection) => {
                    Ok(Outcome::Refused { rejection: rejection.clone(), envelope_hash: None, seq: None })
                }
                Examined::Mismatched(sealed, rejection) => {
                    self.reject(sealed, rejection.clone(), declared.as_ref(), recorded_at_ms)
                }
                Examined::Sound(sealed) => self.decide_sound(sealed, declared.as_ref(), recorded_at_ms),
            },
            Examinee::Artifact(Err(refusal)) | Examinee::System(Err(refusal)) => {
                Ok(Outcome::ArtifactRefused(refusal.clone()))
            }
            Examinee::System(Ok(entry)) => self.decide_system(entry, recorded_at_ms),
            Examinee::Artifact(Ok(artifact)) => self.decide_artifact(artifact, recorded_at_ms),
        }
    }

    /// Takes an entry as it is, of which the caller knows that it goes on where the plan stands.
    pub(super) fn take(&mut self, given: &Given) {
        let header = given.header.clone();
        if let Some(link) = &header.trace {
            self.plan.trace_ends.insert(link.trace_id, (header.seq, link.count));
        }
        let (offset, frame_bytes) = (self.plan.bytes.len() as u64, given.frame.len());
        self.plan.bytes.extend_from_slice(&given.frame);
        let (next, recorded_at_ms) = (header.seq.next(), header.recorded_at_ms);
        self.plan.chain = ChainState { next, head: Some(given.leaf), recorded_at_ms };
        self.plan.entries.push(Planned { header, leaf: given.leaf, offset, frame_bytes });
    }

    fn decide_sound(
        &mut self,
        sealed: &SealedEnvelope,
        declared: Option<&DeclaredHash>,
        recorded_at_ms: u64,
    ) -> Result<Outcome, LedgerError> {
        let envelope_hash = sealed.hash();
        let read_error = |batch: &Self, fault| read_error(&batch.log.dir, fault);
        if let Some(first) = self.facts(&envelope_hash).map_err(|fault| read_error(self, fault))? {
            return Ok(Outcome::Accepted { envelope_hash, seq: first.seq, duplicate: true });
        }
        let seq = self.plan.chain.next;
        let verdict = relate(sealed.envelope(), seq, self).map_err(|fault| read_error(self, fault))?;
        if let Some(rejection) = verdict {
            return self.reject(sealed, rejection, declared, recorded_at_ms);
        }
        self.plan.facts.insert(envelope_hash, Facts::of(sealed.envelope(), seq));
        self.append(
            EntryStatus::Accepted,
            Some(sealed.envelope()),
            envelope_hash,
            sealed.canonical(),
            recorded_at_ms,
        )?;
        Ok(Outcome::Accepted { envelope_hash, seq, duplicate: false })
    }

    fn reject(
        &mut self,
        sealed: &SealedEnvelope,
        rejection: Rejection,
        declared_hash: Option<&DeclaredHash>,
        recorded_at_ms: u64,
    ) -> Result<Outcome, LedgerError> {
        let seq = self.plan.chain.next;
        let right = || DeclaredHash::keep(Some(&sealed.hash().to_string()));
        let status = EntryStatus::Rejected {
            classification: rejection.classification,
            error_kind: rejection.kind.clone(),
            declared_hash: declared_hash.cloned().unwrap_or_else(right),
        };
        let envelope_hash = sealed.hash();
        self.append(status, Some(sealed.envelope()), envelope_hash, sealed.canonical(), recorded_at_ms)?;
        Ok(Outcome::Refused { rejection, envelope_hash: Some(envelope_hash), seq: Some(seq) })
    }

    fn decide_artifact(
        &mut self,
        artifact: &SealedArtifact,
        recorded_at_ms: u64,
    ) -> Result<Outcome, LedgerError> {
        let envelope_hash = artifact.hash();
        if let Some(seq) = self.artifact_seq(&envelope_hash)? {
            return Ok(Outcome::Accepted { envelope_hash, seq, duplicate: true });
        }
        for reference in artifact.references() {
            let held = match artifact.reference_kind() {
                EntryKind::Artifact => self.artifact_seq(&reference)?.is_some(),
                _ => self.holds(&reference)?,
            };
            if !held {
                return Ok(Outcome::ArtifactRefused(ArtifactRefusal::MissingReference(reference)));
            }
        }
        let seq = self.plan.chain.next;
        let refusal = match artifact.kind() {
            ArtifactKind::ProducerSignature(signature) => self.refusal_of_signature(signature, seq)?,
            ArtifactKind::PolicyBacktest(record) => {
                self.refusal_of_log(record.log_size.get(), record.root)?
            }
            ArtifactKind::VerdictSeal(seal) => self.refusal_of_seal(seal, seq)?,
            ArtifactKind::VerdictSignature(signature) => self.refusal_of_verdict_signature(signature, seq)?,
            ArtifactKind::OtelImport(import) => self.refusal_of_import(import)?,
            ArtifactKind::ReplayResult(_)
            | ArtifactKind::ReplayDiagnostics(_)
            | ArtifactKind::ImportAccount(_) => None,
        };
        if let Some(refusal) = refusal {
            return Ok(Outcome::ArtifactRefused(refusal));
        }
        self.plan.artifacts.insert(envelope_hash, seq);
        self.append_entry(
            EntryStatus::Artifact,
            artifact.trace_id(),
            envelope_hash,
            artifact.canonical(),
            recorded_at_ms,
        )?;
        Ok(Outcome::Accepted { envelope_hash, seq, duplicate: false })
    }

    fn refusal_of_signature(
        &mut self,
        signature: &ProducerSignature,
        seq: Seq,
    ) -> Result<Option<ArtifactRefusal>, LedgerError> {
        let (named, reference) = (signature.target_trace_id, signature.envelope_sha256);
        if !self.holds_evidence(&reference, named)? {
            return Ok(Some(ArtifactRefusal::OtherTrace { named, reference }));
        }
        Ok(check_producer(signature, self.keys()?, seq.get()).err())
    }

    /// The rule of imports: their records are evidence of their trace. An envelope's hash tells its trace, so of many
    /// entries with one hash any will do.
    fn refusal_of_import(&self, import: &OtelImport) -> Result<Option<ArtifactRefusal>, LedgerError> {
        let named = import.target_trace_id;
        for reference in import.references() {
            let facts = self.facts(&reference).map_err(|fault| read_error(&self.log.dir, fault))?;
            let fits = match facts {
                Some(facts) => facts.trace_id == named,
                None => self.holds_evidence(&reference, named)?,
            };
            if !fits {
                return Ok(Some(ArtifactRefusal::OtherTrace { named, reference }));
            }
        }
        Ok(None)
    }

    /// The rule of artifacts that are about the log: its first `size` entries have this root.
    fn refusal_of_log(&self, size: u64, root: Sha256Digest) -> Result<Option<ArtifactRefusal>, LedgerError> {
        let refusal = Some(ArtifactRefusal::OtherLog { size, root });
        if size == 0 || size > self.plan.chain.next.get() {
            return Ok(refusal);
        }
        let failed = |fault| read_error(&self.log.dir, fault);
        let stored = size.min(self.log.mark.entries);
        let mut frontier = Frontier::read(&self.log.segments, stored).map_err(failed)?;
        // The others are of this very group.
        let others = self.plan.entries.iter().filter(|entry| entry.header.seq.get() < size);
        others.for_each(|entry| frontier.push(entry.leaf));
        Ok(refusal.filter(|_| frontier.root().as_bytes() != root.as_bytes()))
    }

    /// True when an entry of evidence of this trace has this envelope hash.
    fn holds_evidence(&self, hash: &EnvelopeHash, trace: TraceId) -> Result<bool, LedgerError> {
        let fits = |header: &EntryHeader| {
            let is_evidence = matches!(header.status.kind(), EntryKind::Accepted | EntryKind::Rejected);
            is_evidence
                && header.envelope_hash == *hash
                && header.trace.is_some_and(|link| link.trace_id == trace)
        };
        // What names an entry of its own group mostly follows it.
        if self.plan.entries.iter().rev().any(|entry| fits(&entry.header)) {
            return Ok(true);
        }
        let failed = |fault| read_error(&self.log.dir, fault);
        for seq in self.log.segments.with_hash(hash, None).map_err(failed)? {
            if self.log.segments.header(seq).map_err(failed)?.is_some_and(|header| fits(&header)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn keys(&mut self) -> Result<&mut KeyList, LedgerError> {
        let keys = match self.keys.take() {
            Some(keys) => keys,
            None => self.log.segments.key_list().map_err(|fault| read_error(&self.log.dir, fault))?,
        };
        Ok(self.keys.insert(keys))
    }

    fn decide_system(&mut self, entry: &SealedSystem, recorded_at_ms: u64) -> Result<Outcome, LedgerError> {
        let envelope_hash = entry.hash;
        let known = self.plan.system.get(&envelope_hash).copied();
        let stored = match known {
            Some(seq) => Some(seq),
            None => {
                let found = self.log.segments.first_with_hash(&envelope_hash, EntryKind::System);
                found.map_err(|fault| read_error(&self.log.dir, fault))?
            }
        };
        if let Some(first) = stored {
            // A hold that was released does not come back with the same words.
            let refusal = match &entry.kind {
                SystemKind::Hold(_) => self.refusal_of_erasure(first, envelope_hash, &entry.kind)?,
                _ => None,
            };
            return Ok(match refusal {
                Some(refusal) => Outcome::ArtifactRefused(refusal.into()),
                None => {
                    self.plan.owe(first, &entry.kind);
                    Outcome::Accepted { envelope_hash, seq: first, duplicate: true }
                }
            });
        }
        let seq = self.plan.chain.next;
        let refusal = match &entry.kind {
            SystemKind::Key(record) => self.keys()?.apply(seq, record).err().map(ArtifactRefusal::from),
            SystemKind::TraceIndex(_) => Some(ArtifactRefusal::Reserved),
            kind => self.refusal_of_erasure(seq, envelope_hash, kind)?.map(ArtifactRefusal::from),
        };
        if let Some(refusal) = refusal {
            return Ok(Outcome::ArtifactRefused(refusal));
        }
        self.plan.owe(seq, &entry.kind);
        self.plan.system.insert(envelope_hash, seq);
        self.append_entry(EntryStatus::System, None, envelope_hash, &entry.canonical, recorded_at_ms)?;
        Ok(Outcome::Accepted { envelope_hash, seq, duplicate: false })
    }

    /// Appends an index entry over what stands in the log. It is recorded when the entry before it was:
    /// the log has no clock, and what it says of itself depends on nothing else.
    pub(super) fn append_index(&mut self, record: &TraceIndexRecord) -> Result<(), LedgerError> {
        let body = record.canonical();
        self.append_entry(EntryStatus::System, None, EnvelopeHash::of(&body), &body, 0)
    }

    pub(super) fn artifact_seq(&self, hash: &EnvelopeHash) -> Result<Option<Seq>, LedgerError> {
        if let Some(seq) = self.plan.artifacts.get(hash) {
            return Ok(Some(*seq));
        }
        let found = self.log.segments.first_with_hash(hash, EntryKind::Artifact);
        found.map_err(|fault| read_error(&self.log.dir, fault))
    }

    fn holds(&self, hash: &EnvelopeHash) -> Result<bool, LedgerError> {
        let is_new = self.plan.facts.contains_key(hash)
            || self.plan.entries.iter().rev().any(|entry| entry.header.envelope_hash == *hash);
        if is_new {
            return Ok(true);
        }
        let found =
            self.log.segments.with_hash(hash, None).map_err(|fault| read_error(&self.log.dir, fault))?;
        Ok(!found.is_empty())
    }

    fn append(
        &mut self,
        status: EntryStatus,
        envelope: Option<&Envelope>,
        envelope_hash: EnvelopeHash,
        body: &[u8],
        recorded_at_ms: u64,
    ) -> Result<(), LedgerError> {
        self.append_entry(status, envelope.map(Envelope::trace_id), envelope_hash, body, recorded_at_ms)
    }

    fn append_entry(
        &mut self,
        status: EntryStatus,
        trace_id: Option<TraceId>,
        envelope_hash: EnvelopeHash,
        body: &[u8],
        recorded_at_ms: u64,
    ) -> Result<(), LedgerError> {
        let ChainState { next: seq, head: previous_leaf, recorded_at_ms: earlier } = self.plan.chain;
        let recorded_at_ms = recorded_at_ms.max(earlier);
        let trace = match trace_id {
            Some(trace_id) => Some(self.link(trace_id)?),
            None => None,
        };
        let header = EntryHeader {
            format: self.log.format(),
            seq,
            previous_leaf,
            trace,
            envelope_hash,
            status,
            recorded_at_ms,
        };
        let offset = self.plan.bytes.len();
        let leaf = encode_frame(&header, body, &mut self.plan.bytes).map_err(|_| LedgerError::Option {
            option: "max_envelope_bytes",
            found: body.len() as u64,
            least: 1,
            most: MAX_BODY_BYTES as u64,
        })?;
        if let Some(link) = &header.trace {
            self.plan.trace_ends.insert(link.trace_id, (seq, link.count));
        }
        let frame_bytes = self.plan.bytes.len() - offset;
        self.plan.entries.push(Planned { header, leaf, offset: offset as u64, frame_bytes });
        self.plan.chain = ChainState { next: seq.next(), head: Some(leaf), recorded_at_ms };
        Ok(())
    }

    /// The place of a trace's next entry.
    fn link(&self, trace_id: TraceId) -> Result<TraceLink, LedgerError> {
        let known =
            self.plan.trace_ends.get(&trace_id).copied().or_else(|| self.log.trace_ends.get(&trace_id));
        let end = match known {
            Some(end) => Some(end),
            None => self.log.trace_end(trace_id)?,
        };
        Ok(match end {
            Some((previous, count)) => {
                TraceLink { trace_id, previous: Some(previous), count: count.saturating_add(1) }
            }
            None => TraceLink { trace_id, previous: None, count: 1 },
        })
    }
}

impl AcceptedRecords for Batch<'_> {
    type Error = EntryFault;

    fn facts(&self, hash: &EnvelopeHash) -> Result<Option<Facts>, EntryFault> {
        if let Some(facts) = self.plan.facts.get(hash).copied().or_else(|| self.log.facts.borrow().get(hash))
        {
            return Ok(Some(facts));
        }
        let stored = self.log.stored_facts(hash)?;
        if let Some(facts) = stored {
            self.log.facts.borrow_mut().put(*hash, facts);
        }
        Ok(stored)
    }
}
