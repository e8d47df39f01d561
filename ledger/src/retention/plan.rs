//! Holds a ledger against retention rules.

use std::collections::BTreeMap;

use proofline_canon::Sha256Digest;
use proofline_proof::Seq;
use proofline_proof::header::{EntryHeader, EntryKind, EntryStatus};
use proofline_trace::{BlobRef, Classification, DecisionResult, Envelope, EnvelopeHash, TraceId};

use super::rules::{ArchiveRule, EraseRule, RetentionRules};
use crate::error::LedgerError;
use crate::segments::{EntryFault, read_error};
use crate::snapshot::{Snapshot, envelope_of};

/// What keeps a payload from being erased, and what is erased already. Holds always win.
pub trait Holds {
    /// What holds this payload, in a phrase, referred to by records of these traces; none if nothing does.
    fn holds(&self, sha256: &Sha256Digest, traces: &[TraceId]) -> Option<String>;

    /// True when it is erased.
    fn is_erased(&self, sha256: &Sha256Digest) -> bool;
}

/// Whether a segment may be archived.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentState {
    /// It may.
    Due,
    /// It is archived.
    Archived,
    /// It is the open segment.
    Open,
    /// An entry that no rule speaks of.
    NoRule(Seq),
    /// An entry that is too young; the moment from which on it is not.
    Young(Seq, u64),
    /// It may, but a segment before it may not.
    Behind(Seq),
}

/// A segment under the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentPlan {
    /// Its first entry.
    pub first_seq: Seq,
    /// How many entries it has.
    pub entries: u64,
    /// Bytes of the segment.
    pub segment_bytes: u64,
    /// Whether it may go.
    pub state: SegmentState,
}

/// Whether a payload may be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlobState {
    /// It may, under this accepted decision, whose body lies in the ledger.
    Due(EnvelopeHash),
    /// It may, once a decision allows it.
    NeedsAuthority,
    /// It is erased.
    Erased,
    /// It is held.
    Held(String),
    /// No rule speaks of this record's reference to it.
    NoRule(Seq),
    /// This record, which refers to it, is too young; the moment from which on it is not.
    Young(Seq, u64),
    /// Archived records may refer to it.
    Unknown,
}

/// A payload under the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobPlan {
    /// Its name.
    pub sha256: Sha256Digest,
    /// The entries that refer to it.
    pub references: Vec<Seq>,
    /// The rules that fit, by their ids.
    pub rules: Vec<String>,
    /// Whether it may go.
    pub state: BlobState,
}

impl BlobPlan {
    /// The action and the resource that a decision has to allow.
    #[must_use]
    pub fn request(&self) -> (&'static str, String) {
        (ERASE_ACTION, resource_of(&self.sha256))
    }
}

/// A ledger under the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionPlan {
    /// The caller's clock, Unix milliseconds.
    pub now_ms: u64,
    /// The entry below which segments may be archived; 0 when none may.
    pub archive_before: Seq,
    /// Every segment, in order.
    pub segments: Vec<SegmentPlan>,
    /// Every payload that a record refers to and some rule or hold speaks of, by name.
    pub blobs: Vec<BlobPlan>,
    /// Records whose bodies are archived and were not at hand.
    pub unread_entries: u64,
}

const ERASE_ACTION: &str = "erase";

fn resource_of(sha256: &Sha256Digest) -> String {
    format!("blob/{sha256}")
}

/// Holds a ledger against rules at a moment; changes nothing. `archived` names the first entries of
/// segments that are archived, for a snapshot that was opened with their archives.
///
/// # Errors
/// When an entry cannot be read.
pub fn plan_retention(
    snapshot: &Snapshot,
    archived: &[Seq],
    rules: &RetentionRules,
    holds: &dyn Holds,
    now_ms: u64,
) -> Result<RetentionPlan, LedgerError> {
    let mut planning = Planning {
        snapshot,
        archived,
        rules,
        now_ms,
        decisions: BTreeMap::new(),
        blobs: BTreeMap::new(),
        authorities: BTreeMap::new(),
        unread_entries: 0,
    };
    let segments = planning.segments()?;
    planning.references()?;
    let due = segments.iter().take_while(|it| matches!(it.state, SegmentState::Due | SegmentState::Archived));
    let behind = due.filter(|it| it.state == SegmentState::Due).last();
    let archive_before = behind.map_or(Seq::GENESIS, |it| Seq::new(it.first_seq.get() + it.entries));
    let segments = behind_those_that_stay(segments);
    let unread_entries = planning.unread_entries;
    let blobs = planning.blob_plans(holds);
    Ok(RetentionPlan { now_ms, archive_before, segments, blobs, unread_entries })
}

/// Segments go from the front: one that may, behind one that may not, waits.
fn behind_those_that_stay(mut segments: Vec<SegmentPlan>) -> Vec<SegmentPlan> {
    let mut staying = None;
    for segment in &mut segments {
        match (&segment.state, staying) {
            (SegmentState::Due, Some(first)) => segment.state = SegmentState::Behind(first),
            (SegmentState::Due | SegmentState::Archived, None) => {}
            (_, None) => staying = Some(segment.first_seq),
            _ => {}
        }
    }
    segments
}

/// A reference to a payload: the record, its trace, when it may go, under which rule.
#[derive(Debug)]
struct Reference {
    seq: Seq,
    trace_id: TraceId,
    due: Option<(u64, String)>,
}

struct Planning<'a> {
    snapshot: &'a Snapshot,
    archived: &'a [Seq],
    rules: &'a RetentionRules,
    now_ms: u64,
    /// Action and resource of the decisions that were looked up.
    decisions: BTreeMap<EnvelopeHash, Option<(String, String)>>,
    blobs: BTreeMap<Sha256Digest, Vec<Reference>>,
    /// Accepted decisions that allow an erasure, by the resource.
    authorities: BTreeMap<String, EnvelopeHash>,
    unread_entries: u64,
}

impl Planning<'_> {
    fn failed(&self, fault: EntryFault) -> LedgerError {
        read_error(self.snapshot.dir(), fault)
    }

    fn segments(&self) -> Result<Vec<SegmentPlan>, LedgerError> {
        let list = &self.snapshot.segments().list;
        let mut plans = Vec::with_capacity(list.len());
        for (at, segment) in list.iter().enumerate() {
            let first_seq = segment.header.first_seq;
            let state = if segment.stub.is_some() || self.archived.contains(&first_seq) {
                SegmentState::Archived
            } else if at + 1 == list.len() {
                SegmentState::Open
            } else {
                self.segment_state(first_seq, segment.entries)?
            };
            let bytes = segment.file.len().map_err(EntryFault::Io).map_err(|fault| self.failed(fault))?;
            let segment_bytes = segment.stub.as_ref().map_or(bytes, |stub| stub.head.segment_bytes);
            plans.push(SegmentPlan { first_seq, entries: segment.entries, segment_bytes, state });
        }
        Ok(plans)
    }

    fn segment_state(&self, first_seq: Seq, entries: u64) -> Result<SegmentState, LedgerError> {
        let mut youngest = None;
        for seq in (first_seq.get()..first_seq.get() + entries).map(Seq::new) {
            let header = self.snapshot.header(seq).map_err(|fault| self.failed(fault))?;
            let Some(header) = header else { continue };
            // Their bodies stay in the ledger, so they keep nothing back.
            if matches!(header.status.kind(), EntryKind::Genesis | EntryKind::System) {
                continue;
            }
            let fitting = self.rules.archive.iter().filter(|rule| fits_entry(rule, &header));
            match fitting.map(|rule| header.recorded_at_ms.saturating_add(rule.min_age_ms)).min() {
                None => return Ok(SegmentState::NoRule(seq)),
                Some(due) if due > self.now_ms && youngest.is_none_or(|(_, latest)| due > latest) => {
                    youngest = Some((seq, due));
                }
                Some(_) => {}
            }
        }
        Ok(youngest.map_or(SegmentState::Due, |(seq, due)| SegmentState::Young(seq, due)))
    }

    /// Gathers every reference to a payload, and every decision that allows an erasure.
    fn references(&mut self) -> Result<(), LedgerError> {
        for seq in (0..self.snapshot.entries()).map(Seq::new) {
            let entry = match self.snapshot.entry(seq) {
                Err(EntryFault::Archived(_)) => {
                    let header = self.snapshot.header(seq).map_err(|fault| self.failed(fault))?;
                    let kind = header.map(|header| header.status.kind());
                    self.unread_entries +=
                        u64::from(matches!(kind, Some(EntryKind::Accepted | EntryKind::Rejected)));
                    continue;
                }
                entry => entry.map_err(|fault| self.failed(fault))?,
            };
            let Some(entry) = entry else { continue };
            let kind = entry.header.status.kind();
            if !matches!(kind, EntryKind::Accepted | EntryKind::Rejected) {
                continue;
            }
            let Some(envelope) = envelope_of(&entry.body) else { continue };
            if let (EntryKind::Accepted, Envelope::PolicyDecision(decision)) = (kind, &envelope)
                && decision.decision.result == DecisionResult::Allow
                && decision.request.action.as_str() == ERASE_ACTION
                && !self.is_archived(seq)
            {
                let resource = decision.request.resource.as_str().to_owned();
                self.authorities.entry(resource).or_insert(entry.header.envelope_hash);
            }
            for blob in envelope.blobs() {
                let due = self.due(&envelope, blob, entry.header.recorded_at_ms)?;
                let reference = Reference { seq, trace_id: envelope.trace_id(), due };
                self.blobs.entry(blob.sha256).or_default().push(reference);
            }
        }
        Ok(())
    }

    /// True in a segment that is archived: the gate does not read what lies there, whoever names the archive.
    fn is_archived(&self, seq: Seq) -> bool {
        let segments = &self.snapshot.segments().list;
        let segment = segments.iter().rfind(|segment| segment.header.first_seq <= seq);
        segment.is_some_and(|segment| self.archived.contains(&segment.header.first_seq))
    }

    /// When a reference may go, and under which rule: the earliest that fits.
    fn due(
        &mut self,
        envelope: &Envelope,
        blob: &BlobRef,
        recorded_at_ms: u64,
    ) -> Result<Option<(u64, String)>, LedgerError> {
        let rules = self.rules;
        let mut earliest: Option<(u64, String)> = None;
        for rule in &rules.erase {
            let due = recorded_at_ms.saturating_add(rule.min_age_ms);
            let is_earlier = earliest.as_ref().is_none_or(|(found, _)| due < *found);
            if is_earlier && self.fits_reference(rule, envelope, blob)? {
                earliest = Some((due, rule.id.clone()));
            }
        }
        Ok(earliest)
    }

    fn fits_reference(
        &mut self,
        rule: &EraseRule,
        envelope: &Envelope,
        blob: &BlobRef,
    ) -> Result<bool, LedgerError> {
        if rule.content_type.as_ref().is_some_and(|wanted| wanted != blob.content_type.as_str()) {
            return Ok(false);
        }
        if rule.action_prefix.is_none() && rule.resource_prefix.is_none() {
            return Ok(true);
        }
        let Some(hash) = envelope.policy_decision_hash() else { return Ok(false) };
        let Some((action, resource)) = self.decision(hash)? else { return Ok(false) };
        Ok(rule.action_prefix.as_ref().is_none_or(|prefix| action.starts_with(prefix.as_str()))
            && rule.resource_prefix.as_ref().is_none_or(|prefix| resource.starts_with(prefix.as_str())))
    }

    /// What an accepted decision is about. One that is archived is about nothing that is known here.
    fn decision(&mut self, hash: EnvelopeHash) -> Result<Option<(String, String)>, LedgerError> {
        if let Some(known) = self.decisions.get(&hash) {
            return Ok(known.clone());
        }
        let seq = self.snapshot.accepted(&hash).map_err(|fault| self.failed(fault))?;
        let entry = match seq.map(|seq| self.snapshot.entry(seq)) {
            None | Some(Err(EntryFault::Archived(_))) => None,
            Some(entry) => entry.map_err(|fault| self.failed(fault))?,
        };
        let found = entry.and_then(|entry| envelope_of(&entry.body)).and_then(|envelope| match envelope {
            Envelope::PolicyDecision(decision) => {
                let request = &decision.request;
                Some((request.action.as_str().to_owned(), request.resource.as_str().to_owned()))
            }
            _ => None,
        });
        self.decisions.insert(hash, found.clone());
        Ok(found)
    }

    fn blob_plans(self, holds: &dyn Holds) -> Vec<BlobPlan> {
        let mut plans = Vec::new();
        for (sha256, references) in &self.blobs {
            let traces: Vec<TraceId> = references.iter().map(|it| it.trace_id).collect();
            let mut rules: Vec<String> =
                references.iter().filter_map(|it| it.due.as_ref().map(|(_, id)| id.clone())).collect();
            rules.sort_unstable();
            rules.dedup();
            let held = holds.holds(sha256, &traces);
            if rules.is_empty() && held.is_none() {
                continue;
            }
            let state = match held {
                _ if holds.is_erased(sha256) => BlobState::Erased,
                Some(what) => BlobState::Held(what),
                None => self.blob_state(sha256, references),
            };
            let references = references.iter().map(|it| it.seq).collect();
            plans.push(BlobPlan { sha256: *sha256, references, rules, state });
        }
        plans
    }

    fn blob_state(&self, sha256: &Sha256Digest, references: &[Reference]) -> BlobState {
        if let Some(reference) = references.iter().find(|it| it.due.is_none()) {
            return BlobState::NoRule(reference.seq);
        }
        let young = |it: &&Reference| it.due.as_ref().is_some_and(|(due, _)| *due > self.now_ms);
        let latest = references.iter().filter(young).max_by_key(|it| it.due.as_ref().map(|(due, _)| *due));
        if let Some(reference) = latest {
            let due = reference.due.as_ref().map_or(0, |(due, _)| *due);
            return BlobState::Young(reference.seq, due);
        }
        if self.unread_entries > 0 {
            return BlobState::Unknown;
        }
        match self.authorities.get(&resource_of(sha256)) {
            Some(authority) => BlobState::Due(*authority),
            None => BlobState::NeedsAuthority,
        }
    }
}

fn fits_entry(rule: &ArchiveRule, header: &EntryHeader) -> bool {
    let classification = match &header.status {
        EntryStatus::Accepted => Some(Classification::Accept),
        EntryStatus::Rejected { classification, .. } => Some(*classification),
        _ => None,
    };
    rule.kind.is_none_or(|kind| kind == header.status.kind())
        && rule.classification.is_none_or(|wanted| classification == Some(wanted))
}
