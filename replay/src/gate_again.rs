//! The gate asked again: of the accepted records of a chain over that chain alone, and of
//! rejected attempts over the whole ledger, in log order.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use proofline_canon::Pointer;
use proofline_ledger::gate::{AcceptedRecords, Facts, relate};
use proofline_ledger::{EntryFault, Snapshot};
use proofline_trace::{
    Classification, EnvelopeHash, ErrorKind, Failure, FailureClass, Finding, FindingCode, Rejection, SafeInt,
    TraceId,
};

use crate::chain::{Record, Refusal, Standing, TraceLog, Verified};
use crate::check::{Check, Subject};
use crate::error::ReplayError;

/// The accepted records of one chain, by key.
#[derive(Debug)]
pub(crate) struct ChainRecords(BTreeMap<EnvelopeHash, Facts>);

impl ChainRecords {
    pub(crate) fn of(chain: &[Verified<'_>]) -> Self {
        let mut records = BTreeMap::new();
        for record in chain {
            let facts = Facts::of(record.envelope, record.seq);
            let first = records.entry(record.hash).or_insert(facts);
            if record.seq < first.seq {
                *first = facts;
            }
        }
        Self(records)
    }

    fn has(&self, hash: &EnvelopeHash) -> bool {
        self.0.contains_key(hash)
    }
}

impl AcceptedRecords for ChainRecords {
    type Error = Infallible;

    fn facts(&self, hash: &EnvelopeHash) -> Result<Option<Facts>, Infallible> {
        Ok(self.0.get(hash).copied())
    }
}

/// Why the gate would not have accepted this record of the chain, if so.
pub(crate) fn refusal(trace_id: TraceId, record: &Verified<'_>, records: &ChainRecords) -> Option<Failure> {
    let subject = Subject { seq: record.seq, hash: Some(record.hash), envelope: Some(record.envelope) };
    let Ok(rejection) = relate(record.envelope, record.seq, records);
    if let Some(rejection) = rejection {
        return Some(subject.refused(&rejection));
    }
    let said = record.envelope.trace_id();
    (said != trace_id).then(|| {
        let message = format!("The record is of trace {said}, but its entry is kept for trace {trace_id}.");
        Failure {
            error_kind: Some(ErrorKind::TraceIdMismatch),
            pointer: Some(Pointer::root().child("trace").child("trace_id")),
            expected: Some(trace_id.to_string()),
            found: Some(said.to_string()),
            ..subject.fails(Check::TraceContinuity, FailureClass::TraceViolation, message)
        }
    })
}

/// How many records the chain names as prerequisites and does not have, each counted once.
pub(crate) fn absent(chain: &[Verified<'_>], records: &ChainRecords) -> usize {
    let named = |record: &Verified<'_>| {
        let context = record.envelope.auth_context_hash();
        context.into_iter().chain(record.envelope.policy_decision_hash())
    };
    let missing: BTreeSet<EnvelopeHash> =
        chain.iter().flat_map(named).filter(|hash| !records.has(hash)).collect();
    missing.len()
}

/// The accepted records of a whole ledger; each is looked up once. Those of the trace itself are
/// at hand and need no index, which is a derived file and might leave some out.
struct LedgerRecords<'a> {
    snapshot: &'a Snapshot,
    known: RefCell<BTreeMap<EnvelopeHash, Option<Facts>>>,
}

impl AcceptedRecords for LedgerRecords<'_> {
    type Error = EntryFault;

    fn facts(&self, hash: &EnvelopeHash) -> Result<Option<Facts>, EntryFault> {
        if let Some(known) = self.known.borrow().get(hash) {
            return Ok(*known);
        }
        let found = self.snapshot.facts(hash)?;
        self.known.borrow_mut().insert(*hash, found);
        Ok(found)
    }
}

/// The answer of the gate, asked again.
enum Answer {
    Refused(Rejection),
    Accepted,
    /// It would never have seen these bytes under this key.
    OtherBytes(String),
    /// A record that the answer rests on cannot be read.
    Unknown(String),
}

/// Rejections that the gate would not repeat, in log order.
pub(crate) fn not_reproduced(snapshot: &Snapshot, log: &TraceLog) -> Result<Vec<Finding>, ReplayError> {
    let mut findings = Vec::new();
    if log.records().all(Record::is_accepted) {
        return Ok(findings);
    }
    let known = Verified::of_records(log.records()).iter().fold(BTreeMap::new(), |mut known, record| {
        known.entry(record.hash).or_insert_with(|| Some(Facts::of(record.envelope, record.seq)));
        known
    });
    let records = LedgerRecords { snapshot, known: RefCell::new(known) };
    for record in log.records() {
        let Standing::Rejected(refused) = &record.standing else { continue };
        let answer = decide_again(record, refused, &records)?;
        findings.extend(finding(record, refused, &answer));
    }
    Ok(findings)
}

fn decide_again(
    record: &Record,
    refused: &Refusal,
    records: &LedgerRecords<'_>,
) -> Result<Answer, ReplayError> {
    let envelope = match (&record.envelope, &record.fault) {
        (Some(envelope), None) => envelope,
        (_, Some(fault)) => return Ok(Answer::OtherBytes(fault.message.clone())),
        (None, None) => return Ok(Answer::OtherBytes("The stored bytes are no envelope.".to_owned())),
    };
    // The bytes were verified: the key is the hash that the gate computes.
    if !refused.declared_hash.is(Some(&record.key.to_string())) {
        let message = "The declared hash is not the SHA-256 of the canonical bytes.".to_owned();
        return Ok(Answer::Refused(Rejection::new(ErrorKind::HashMismatch, Pointer::root(), message)));
    }
    match relate(envelope, record.seq, records) {
        Ok(Some(rejection)) => Ok(Answer::Refused(rejection)),
        Ok(None) => Ok(Answer::Accepted),
        Err(EntryFault::Damaged(damage)) => Ok(Answer::Unknown(damage.to_string())),
        Err(EntryFault::Archived(entry)) => Err(ReplayError::Archived(entry)),
        Err(other) => Err(ReplayError::Lookup(other)),
    }
}

fn finding(record: &Record, refused: &Refusal, answer: &Answer) -> Option<Finding> {
    let recorded = (refused.classification, &refused.error_kind);
    let answered = match answer {
        Answer::Refused(again) if (again.classification, &again.kind) == recorded => return None,
        Answer::Refused(again) => format!("the gate, asked again, answers {}", again.kind),
        Answer::Accepted => format!("the gate, asked again, answers {}", Classification::Accept),
        Answer::OtherBytes(why) => {
            format!("the gate never keeps such bytes under this key: {}", why.trim_end_matches('.'))
        }
        Answer::Unknown(why) => format!("the gate cannot be asked again: {why}"),
    };
    let seq = record.seq;
    let message = format!("Entry {seq} was refused with {}; {answered}.", refused.error_kind);
    let finding = Finding::new(FindingCode::RejectionNotReproduced, message)
        .with_records([record.key])
        .with_seqs([SafeInt::saturating(seq.get())]);
    Some(finding)
}
