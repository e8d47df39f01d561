//! Replay of one trace by itself (section 5), stage after stage; the first failure ends the run.
//!
//! Forensic: are these the exact bytes, and did the gate have to accept them?
//! Invariant: would the same policy give the same answer, with no execution?
//!
//! 1. Bytes, in chain order: schema, canonical form (forensic alone), hash against the key; then
//!    entries that cannot be read at all.
//! 2. The gate again, per accepted record in chain order, over the accepted records of the chain.
//! 3. Invariant: the decisions again, in chain order, by the policies that are at hand.
//! 4. Forensic: links, in ledger order, of each entry to its neighbours in the log and within
//!    the trace.
//! 4. Forensic alone: each call of a tool for which there is a handler is run again, in chain order.
//!
//! Findings over the chain rest on proven records, so a failed run has none. Rejected attempts
//! are decided again whatever the outcome.

use proofline_canon::Sha256Digest;
use proofline_ledger::{Damage, Erasures, Snapshot};
use proofline_trace::{
    AllowedVariance, Coverage, Failure, FailureClass, Finding, ReplayDiagnostics, ReplayMode, ReplayResult,
    SafeInt, TraceId, Verdict,
};

use crate::chain::{ByteRule, Record, TraceLog, Verified};
use crate::check::{self, Check};
use crate::error::ReplayError;
use crate::findings::{self, AbsentPayloads};
use crate::gate_again::{self, ChainRecords};
use crate::links::{self, BrokenLink, LinkLook};
use crate::means::Means;
use crate::plan::{Mode, Plan, Selection};
use crate::reading::{Pace, Reader};
use crate::redecide::redecide;
use crate::shapes;
use crate::shelf::Shelf;
use crate::sink::Unlisted;
use crate::tools::again;
use crate::verdict::TraceReplay;
use crate::walk::TraceEntries;

/// What a replay reads.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) means: Means<'a>,
    pub(crate) plan: &'a Plan,
    /// What the ledger erased.
    pub(crate) erasures: &'a Erasures,
    /// The policies that decide again.
    pub(crate) shelf: &'a Shelf<'a>,
}

/// What became of one trace.
#[derive(Debug)]
pub(crate) enum Outcome {
    Verdict(Box<TraceReplay>),
    /// Nobody asked for it by name, and it has no chain.
    Unlisted(Unlisted),
    /// Nor any evidence: artifacts about a trace that is not there.
    Nothing,
}

/// What some traces came to.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    /// Of each, in their order.
    pub(crate) outcomes: Vec<Outcome>,
    /// The entries that name them.
    pub(crate) given: u64,
    pub(crate) links: LinkLook,
}

/// Replays these traces, each of which has its entries ascending.
pub(crate) fn replay_each(
    inputs: &Inputs<'_>,
    reader: &Reader<'_>,
    look: Option<&LinkLook>,
    traces: &[TraceEntries],
) -> Result<Replayed, ReplayError> {
    let logs = TraceLog::read_each(reader, traces, byte_rule(&inputs.plan.mode))?;
    let mut replayed = Replayed::default();
    let mut concluded = Vec::with_capacity(traces.len());
    for ((trace_id, _), log) in traces.iter().zip(&logs) {
        concluded.push(conclude(inputs, look, *trace_id, log)?);
        replayed.given += log.given();
        log.entries.iter().for_each(|entry| replayed.links.count(&entry.facts));
    }
    replayed.outcomes = outcomes(concluded, reader.pace);
    Ok(replayed)
}

/// What became of one trace, before its result is hashed: many are hashed at once.
enum Concluded {
    Verdict(Box<Unhashed>),
    Other(Outcome),
}

/// A verdict without the hash of its result, which its diagnostics name.
struct Unhashed {
    result: ReplayResult,
    coverage: Coverage,
    failure: Option<Failure>,
    findings: Vec<Finding>,
    damage: Vec<Damage>,
}

impl Unhashed {
    fn with_hash(self, artifact_sha256: Sha256Digest) -> TraceReplay {
        let diagnostics = ReplayDiagnostics {
            result_sha256: artifact_sha256,
            replay_type: self.result.replay_type(),
            target_trace_id: self.result.target_trace_id,
            coverage: self.coverage,
            failures: self.failure.into_iter().collect(),
            findings: self.findings,
            variance: AllowedVariance::default(),
            differences: Vec::new(),
        };
        TraceReplay { result: self.result, artifact_sha256, diagnostics, damage: self.damage }
    }
}

fn outcomes(concluded: Vec<Concluded>, pace: Pace) -> Vec<Outcome> {
    let results = concluded.iter().filter_map(|one| match one {
        Concluded::Verdict(unhashed) if pace == Pace::Bulk => Some(unhashed.result.canonical()),
        _ => None,
    });
    let results: Vec<Vec<u8>> = results.collect();
    let results: Vec<&[u8]> = results.iter().map(Vec::as_slice).collect();
    let mut hashes = Sha256Digest::of_each(&results).into_iter();
    let outcome = |one| match one {
        Concluded::Verdict(unhashed) => {
            let hash = hashes.next().unwrap_or_else(|| unhashed.result.sha256());
            Outcome::Verdict(Box::new(unhashed.with_hash(hash)))
        }
        Concluded::Other(outcome) => outcome,
    };
    concluded.into_iter().map(outcome).collect()
}

/// Forensic replay asks for the exact bytes; the others for what they say.
const fn byte_rule(mode: &Mode) -> ByteRule {
    match mode {
        Mode::Forensic => ByteRule::Stored,
        Mode::Invariant | Mode::Constrained(_) => ByteRule::Meant,
    }
}

fn conclude(
    inputs: &Inputs<'_>,
    look: Option<&LinkLook>,
    trace_id: TraceId,
    log: &TraceLog,
) -> Result<Concluded, ReplayError> {
    let chain = log.chain(inputs.plan.include_rejected);
    let verified = Verified::of_chain(&chain);
    let records = ChainRecords::of(&verified);
    let payloads =
        AbsentPayloads::of(&verified, inputs.means.payloads, inputs.erasures, &inputs.plan.closed)?;

    let mut run = Run::new(coverage(&chain, &payloads));
    let failure = match run.invariants(trace_id, &chain, log, &verified, &records) {
        None if matches!(inputs.plan.mode, Mode::Forensic) => {
            run.links(inputs.snapshot, look, trace_id, log)?
        }
        None => run.policies(inputs, &verified)?,
        failure => failure,
    };
    let rejections = gate_again::not_reproduced(inputs.snapshot, log)?;
    let failure = match failure {
        None if chain.is_empty() => {
            if matches!(inputs.plan.traces, Selection::All) {
                return Ok(Concluded::Other(without_chain(trace_id, log, rejections)));
            }
            Some(not_found(trace_id, log))
        }
        None if matches!(inputs.plan.mode, Mode::Forensic) => {
            again::check(&inputs.means, &verified, &mut run.coverage)?
        }
        other => other,
    };
    let mut findings = match failure {
        None => findings::of_chain(&verified, &payloads, || shapes::of_trace(inputs.snapshot, trace_id))?,
        Some(_) => Vec::new(),
    };
    findings.extend(std::mem::take(&mut run.findings).into_iter().filter(|_| failure.is_none()));
    findings.extend(rejections);
    findings::sort(&mut findings);
    Ok(Concluded::Verdict(Box::new(run.conclude(inputs.plan, trace_id, &chain, failure, findings))))
}

pub(crate) fn count(number: usize) -> SafeInt {
    SafeInt::saturating(number as u64)
}

pub(crate) fn coverage(chain: &[&Record], payloads: &AbsentPayloads) -> Coverage {
    Coverage {
        records: count(chain.len()),
        rejected_listed: count(chain.iter().filter(|record| !record.is_accepted()).count()),
        blobs_absent: count(payloads.count()),
        ..Coverage::default()
    }
}

/// How far the run over one trace came.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) coverage: Coverage,
    pub(crate) damage: Vec<Damage>,
    /// Policies that did not decide again.
    findings: Vec<Finding>,
}

impl Run {
    pub(crate) const fn new(coverage: Coverage) -> Self {
        Self { coverage, damage: Vec::new(), findings: Vec::new() }
    }

    /// The checks that every mode makes.
    pub(crate) fn invariants(
        &mut self,
        trace_id: TraceId,
        chain: &[&Record],
        log: &TraceLog,
        verified: &[Verified<'_>],
        records: &ChainRecords,
    ) -> Option<Failure> {
        self.coverage.absent = count(gate_again::absent(verified, records));
        self.bytes(chain, log).or_else(|| self.gate(trace_id, verified, records))
    }

    /// The decisions again, of a chain whose other checks hold.
    pub(crate) fn policies(
        &mut self,
        inputs: &Inputs<'_>,
        verified: &[Verified<'_>],
    ) -> Result<Option<Failure>, ReplayError> {
        let (engine, is_required) = (inputs.means.policies, inputs.plan.require_policies);
        let again = redecide(verified, engine, inputs.shelf, is_required)?;
        self.coverage.policy_re_decided = count(again.re_decided);
        self.coverage.policy_absent = count(again.absent);
        self.coverage.policy_unusable = count(again.unusable);
        self.findings = again.findings;
        Ok(again.failure)
    }

    fn bytes(&mut self, chain: &[&Record], log: &TraceLog) -> Option<Failure> {
        let sound = chain.iter().take_while(|record| record.fault.is_none()).count();
        self.coverage.verified = count(sound);
        self.damage.extend(log.unreadable.iter().map(|(_, damage)| damage.clone()));
        let fault = chain.get(sound).and_then(|record| record.fault.as_deref().cloned());
        fault.or_else(|| log.unreadable.first().map(|(seq, damage)| check::unreadable(*seq, damage)))
    }

    fn gate(
        &mut self,
        trace_id: TraceId,
        verified: &[Verified<'_>],
        records: &ChainRecords,
    ) -> Option<Failure> {
        let refused = |record| gate_again::refusal(trace_id, record, records);
        let found = verified.iter().enumerate().find_map(|(at, record)| Some((at, refused(record)?)));
        let (accepted, failure) = found.map_or((verified.len(), None), |(at, failure)| (at, Some(failure)));
        self.coverage.gate_rechecked = count(accepted);
        failure
    }

    fn links(
        &mut self,
        snapshot: &Snapshot,
        look: Option<&LinkLook>,
        trace_id: TraceId,
        log: &TraceLog,
    ) -> Result<Option<Failure>, ReplayError> {
        let Some(BrokenLink { failure, damage }) = links::check(snapshot, look, trace_id, log)? else {
            return Ok(None);
        };
        self.damage.extend(damage);
        Ok(Some(failure))
    }

    fn conclude(
        self,
        plan: &Plan,
        trace_id: TraceId,
        chain: &[&Record],
        failure: Option<Failure>,
        findings: Vec<Finding>,
    ) -> Unhashed {
        let result = ReplayResult {
            mode: match plan.mode {
                Mode::Forensic => ReplayMode::Forensic,
                _ => ReplayMode::Invariant,
            },
            target_trace_id: trace_id,
            input_envelope_hashes: chain.iter().map(|record| record.key).collect(),
            verdict: failure.as_ref().map_or(Verdict::Pass, |failure| Verdict::Fail(failure.class)),
            generated_at: plan.generated_at,
        };
        Unhashed { result, coverage: self.coverage, failure, findings, damage: self.damage }
    }
}

fn without_chain(trace_id: TraceId, log: &TraceLog, findings: Vec<Finding>) -> Outcome {
    match log.records().count() {
        0 => Outcome::Nothing,
        attempts => Outcome::Unlisted(Unlisted { trace_id, attempts: attempts as u64, findings }),
    }
}

pub(crate) fn not_found(trace_id: TraceId, log: &TraceLog) -> Failure {
    let attempts = log.records().count();
    let found = match attempts {
        0 => "no evidence".to_owned(),
        attempts => format!("rejected attempts alone: {attempts}"),
    };
    let message = match attempts {
        0 => format!("The ledger holds no record of trace {trace_id}."),
        _ => format!(
            "The ledger holds no accepted record of trace {trace_id}; its rejected attempts were not asked for."
        ),
    };
    Failure {
        expected: Some("an accepted record".to_owned()),
        found: Some(found),
        ..Failure::new(Check::Chain.token(), FailureClass::ChainNotFound, message)
    }
}
