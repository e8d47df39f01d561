//! Entries that another ledger's log has, taken into this one byte for byte: none is decided anew
//! with a clock of its own. Either the gate decides each again and must come to the same entry, or,
//! where a log that the gate wrote is only copied, the chain alone is followed.

use proofline_canon::Limits;
use proofline_proof::header::{DeclaredHash, EntryHeader, EntryKind, EntryStatus};
use proofline_proof::{LeafHash, Seq};
use proofline_trace::{EnvelopeHash, TraceIndexRecord};
use thiserror::Error;

use crate::action::{Options, Outcome};
use crate::artifact::SealedArtifact;
use crate::error::LedgerError;
use crate::frame::{FrameFault, MAX_BODY_BYTES, decode_frame};
use crate::gate::{DeclaredDigest, DeclaredType, Examined, Submission, examine};
use crate::scan::ChainState;
use crate::segment::SEGMENT_HEADER_BYTES;
use crate::segments::{EntryFault, read_error};
use crate::system::{SealedSystem, SystemKind};
use crate::trace_index::IndexEntry;

use super::batch::Batch;
use super::{Examinee, Log, Pending};

/// An entry as it lies in another log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) header: EntryHeader,
    pub(crate) leaf: LeafHash,
    pub(crate) body: Vec<u8>,
    /// All of it: lengths, header, body, checksums.
    pub(crate) frame: Vec<u8>,
}

impl Given {
    /// The entry in this frame, which is one and nothing more.
    pub(crate) fn read(bytes: Vec<u8>) -> Result<Self, FrameFault> {
        let frame = decode_frame(&bytes)?;
        let (leaf, body) = (frame.leaf_hash(), frame.body.to_vec());
        Ok(Given { header: frame.header, leaf, body, frame: bytes })
    }

    /// What an index entry says; of no other entry.
    fn index_record(&self) -> Option<TraceIndexRecord> {
        match (self.header.status.kind(), SystemKind::read(&self.body)) {
            (EntryKind::System, Ok(SystemKind::TraceIndex(record))) => Some(record),
            _ => None,
        }
    }
}

/// How far an entry is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belief {
    /// Not at all: the gate decides it again.
    Gate,
    /// As one that a gate let in: its place in the chain and its hash are checked.
    Chain,
}

/// An entry that does not fit here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("entry {seq}: {message}")]
pub(crate) struct Unfit {
    pub(crate) code: &'static str,
    pub(crate) seq: Seq,
    pub(crate) message: String,
}

/// Why entries were not taken in; none of the group was.
#[derive(Debug, Error)]
pub(crate) enum GivenError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

impl Log {
    /// The leaf hash of the last durable entry.
    pub(crate) fn head(&self) -> LeafHash {
        self.mark.head
    }

    /// The leaf hash of an entry, if there is one.
    pub(crate) fn leaf(&self, seq: Seq) -> Result<Option<LeafHash>, LedgerError> {
        let entry = self.segments.read(seq).map_err(|fault| super::read_error(&self.dir, fault))?;
        Ok(entry.map(|entry| entry.leaf_hash()))
    }

    /// Appends a group as it is given, behind a new segment header if `begins_segment`; returns when
    /// all of it is durable.
    pub(crate) fn take_given(
        &mut self,
        group: &[Given],
        belief: Belief,
        begins_segment: bool,
        options: &Options,
    ) -> Result<(), GivenError> {
        // An index entry is held to the entries before it, which must be in the log by then.
        let cut = match belief {
            Belief::Gate => group.iter().skip(1).position(|given| given.index_record().is_some()),
            Belief::Chain => None,
        };
        if let Some((before, behind)) = cut.and_then(|at| group.split_at_checked(at + 1)) {
            self.take_given(before, belief, begins_segment, options)?;
            return self.take_given(behind, belief, false, options);
        }
        self.at_work(|log| log.take_group(group, belief, begins_segment, options))
    }

    fn take_group(
        &mut self,
        group: &[Given],
        belief: Belief,
        begins_segment: bool,
        options: &Options,
    ) -> Result<(), GivenError> {
        let _held = self.lock.take()?;
        self.catch_up()?;
        let mut batch = Batch::new(self);
        for given in group {
            check_place(&batch.plan.chain, given)?;
            match (belief, given.index_record()) {
                (Belief::Gate, None) => decide(&mut batch, given)?,
                (Belief::Gate, Some(record)) => {
                    let seq = given.header.seq;
                    let checked = batch.segments().check_index_entry(&IndexEntry { seq, record });
                    checked.map_err(|fault| unfit_index(seq, &batch, fault))?;
                    batch.take(given);
                }
                (Belief::Chain, _) => batch.take(given),
            }
        }
        let mut plan = batch.plan;
        // Payloads come behind the log: whoever brings them in asks it what is erased.
        plan.erased.clear();
        let begins = begins_segment
            && !plan.entries.is_empty()
            && self.mark.segment_bytes > SEGMENT_HEADER_BYTES as u64;
        if begins && let Err(error) = self.begin_segment() {
            self.poisoned = Some(error.to_string());
            return Err(error.into());
        }
        Ok(self.write(plan, options)?)
    }
}

fn unfit_index(seq: Seq, batch: &Batch<'_>, fault: EntryFault) -> GivenError {
    match fault {
        EntryFault::Damaged(damage) => Unfit { code: damage.code, seq, message: damage.message }.into(),
        fault => read_error(batch.dir(), fault).into(),
    }
}

/// The entry goes on where the chain stands, and its body is what its header says.
fn check_place(chain: &ChainState, given: &Given) -> Result<(), Unfit> {
    let header = &given.header;
    let unfit = |code, message| Err(Unfit { code, seq: header.seq, message });
    if header.seq != chain.next {
        return unfit("log.sequence", format!("entry {} is expected here", chain.next));
    }
    if header.previous_leaf != chain.head {
        return unfit("log.link", "it does not carry the leaf hash of the entry before".to_owned());
    }
    if header.recorded_at_ms < chain.recorded_at_ms {
        return unfit("log.clock", "it was recorded before the entry in front of it".to_owned());
    }
    let found = EnvelopeHash::of(&given.body);
    if found != header.envelope_hash {
        let message = format!("its body hashes to {found}, its header says {}", header.envelope_hash);
        return unfit("body.hash", message);
    }
    Ok(())
}

/// Lets the gate decide the entry again: what it would append has to be the entry.
fn decide(batch: &mut Batch<'_>, given: &Given) -> Result<(), GivenError> {
    let seq = given.header.seq;
    let unfit = |code, message| Unfit { code, seq, message };
    let pending = Pending { what: examined(given)?, recorded_at_ms: given.header.recorded_at_ms };
    let before = batch.plan.entries.len();
    let outcome = batch.decide(&pending)?;
    let decided = batch.plan.entries.get(before);
    let Some(decided) = decided else {
        return Err(match outcome {
            Outcome::Accepted { seq: first, .. } => {
                unfit("import.verdict", format!("the gate knows it already, as entry {first}"))
            }
            Outcome::Refused { rejection, .. } => unfit("body.form", rejection.message),
            Outcome::ArtifactRefused(refusal) => unfit(refusal.code(), refusal.to_string()),
        }
        .into());
    };
    let (own, header) = (&decided.header, &given.header);
    let trace_of = |header: &EntryHeader| header.trace.as_ref().map(|link| link.trace_id);
    if trace_of(own) != trace_of(header) {
        return Err(
            unfit("body.trace", "its body is of another trace than its header says".to_owned()).into()
        );
    }
    if own.trace != header.trace {
        let message = "its place in its trace is not the one that its header says".to_owned();
        return Err(unfit("log.trace_link", message).into());
    }
    if own.status != header.status {
        return Err(unfit("import.verdict", other_verdict(&own.status, &header.status)).into());
    }
    let start = usize::try_from(decided.offset).unwrap_or(usize::MAX);
    if batch.plan.bytes.get(start..) == Some(&given.frame[..]) {
        return Ok(());
    }
    Err(unfit("body.form", "its bytes are not the ones that its content has".to_owned()).into())
}

fn other_verdict(own: &EntryStatus, header: &EntryStatus) -> String {
    format!("the gate says {} of it, its header says {}", verdict(own), verdict(header))
}

fn verdict(status: &EntryStatus) -> String {
    match status {
        EntryStatus::Rejected { error_kind, .. } => format!("{error_kind}"),
        other => other.kind().to_string(),
    }
}

/// What the gate is to decide over: the entry as whoever sent it once brought it.
fn examined(given: &Given) -> Result<Examinee, Unfit> {
    let unfit = |code, message| Unfit { code, seq: given.header.seq, message };
    match &given.header.status {
        EntryStatus::Genesis => Err(unfit("body.form", "only the first entry is a genesis entry".to_owned())),
        EntryStatus::Accepted => evidence(given, DeclaredHash::Absent, true),
        EntryStatus::Rejected { declared_hash, .. } => {
            let is_right = matches!(declared_hash, DeclaredHash::Text(text)
                if *text == given.header.envelope_hash.to_string());
            evidence(given, declared_hash.clone(), is_right)
        }
        EntryStatus::Artifact => Ok(Examinee::Artifact(SealedArtifact::read(&given.body).map(Box::new))),
        EntryStatus::System => Ok(Examinee::System(SealedSystem::read(&given.body).map(Box::new))),
    }
}

fn evidence(given: &Given, declared: DeclaredHash, is_right: bool) -> Result<Examinee, Unfit> {
    // An embedder may have admitted envelopes longer than the default; the format's limit holds.
    let limits = Limits::ENVELOPE.with_max_bytes(MAX_BODY_BYTES);
    let declared_hash = if is_right { DeclaredDigest::Computed } else { DeclaredDigest::Absent };
    let submission = Submission { record_type: DeclaredType::Own, declared_hash, envelope: &given.body };
    match examine(&submission, &limits) {
        Examined::Refused(rejection) => {
            Err(Unfit { code: "body.form", seq: given.header.seq, message: rejection.message })
        }
        examined => Ok(Examinee::Evidence { examined: Box::new(examined), declared: Some(declared) }),
    }
}
