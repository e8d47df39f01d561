//! Constrained replay of a pair of traces (section 5): does another run of the same work follow the
//! same policy path? The first failure ends the run, in this order:
//!
//! 1. Either chain is not found.
//! 2. The baseline fails invariant replay, then the candidate.
//! 3. Policy signatures, or evidence identities, are not equal as multisets; both are listed.
//! 4. Records of equal identity, paired the k-th with the k-th in chain order, differ where the
//!    variance policy does not allow it.

use proofline_ledger::Seq;
use proofline_trace::{
    Coverage, Difference, EnvelopeHash, Failure, FailureClass, ReplayDiagnostics, ReplayMode, ReplayResult,
    SafeInt, TraceId, Verdict,
};

use crate::chain::{ByteRule, TraceLog, Verified};
use crate::compare::{self, Path, PathKeys};
use crate::error::ReplayError;
use crate::findings::AbsentPayloads;
use crate::gate_again::ChainRecords;
use crate::plan::Plan;
use crate::single::{self, Inputs, Run};
use crate::variance::VariancePolicy;
use crate::verdict::TraceReplay;

/// One trace of a pair: its chain, what invariant replay says of it, and its policy path.
#[derive(Debug)]
pub(crate) struct Side {
    trace_id: TraceId,
    log: TraceLog,
    run: Run,
    failure: Option<Failure>,
    payloads: AbsentPayloads,
    keys: PathKeys,
}

impl Side {
    /// Reads a trace and asks invariant replay about it.
    pub(crate) fn read(inputs: &Inputs<'_>, trace_id: TraceId, seqs: &[Seq]) -> Result<Self, ReplayError> {
        let log = TraceLog::read(inputs.snapshot, trace_id, seqs, ByteRule::Meant)?;
        let chain = log.chain(false);
        let verified = Verified::of_chain(&chain);
        let records = ChainRecords::of(&verified);
        let payloads =
            AbsentPayloads::of(&verified, inputs.means.payloads, inputs.erasures, &inputs.plan.closed)?;
        let mut run = Run::new(single::coverage(&chain, &payloads));
        let failure = match run.invariants(trace_id, &chain, &log, &verified, &records) {
            None => run.policies(inputs, &verified)?,
            failure => failure,
        };
        let keys = if failure.is_none() { PathKeys::of(&verified) } else { PathKeys::default() };
        Ok(Self { trace_id, run, failure, payloads, keys, log })
    }

    /// Entries that cannot be read may have been a chain: that is a failure and no absence.
    fn is_found(&self) -> bool {
        self.log.records().any(|record| record.is_accepted()) || self.failure.is_some()
    }

    fn hashes(&self) -> impl Iterator<Item = EnvelopeHash> {
        self.log.chain(false).into_iter().map(|record| record.key)
    }

    /// The failure as one of the pair.
    fn failure_as(&self, role: &str) -> Option<Failure> {
        let failure = self.failure.clone()?;
        let message = format!("The {role} fails invariant replay. {}", failure.message);
        Some(Failure { message, ..failure })
    }

    fn not_found_as(&self, role: &str) -> Option<Failure> {
        let failure = (!self.is_found()).then(|| single::not_found(self.trace_id, &self.log))?;
        let message = format!("The {role} is not found. {}", failure.message);
        Some(Failure { message, ..failure })
    }
}

/// Replays a candidate against its baseline.
pub(crate) fn replay(
    plan: &Plan,
    variance: &VariancePolicy,
    baseline: &Side,
    candidate: &Side,
) -> TraceReplay {
    let missing = baseline.not_found_as("baseline").or_else(|| candidate.not_found_as("candidate"));
    let is_found = missing.is_none();
    let failed =
        missing.or_else(|| baseline.failure_as("baseline")).or_else(|| candidate.failure_as("candidate"));
    let (failure, differences) = match failed {
        Some(failure) => (Some(failure), Vec::new()),
        None => compared(variance, baseline, candidate),
    };
    let hashes = baseline.hashes().chain(candidate.hashes());
    let result = ReplayResult {
        mode: ReplayMode::Constrained { reference_trace_id: baseline.trace_id },
        target_trace_id: candidate.trace_id,
        input_envelope_hashes: if is_found { hashes.collect() } else { Vec::new() },
        verdict: failure.as_ref().map_or(Verdict::Pass, |failure| Verdict::Fail(failure.class)),
        generated_at: plan.generated_at,
    };
    let artifact_sha256 = result.sha256();
    let diagnostics = ReplayDiagnostics {
        result_sha256: artifact_sha256,
        replay_type: result.replay_type(),
        target_trace_id: candidate.trace_id,
        coverage: if is_found { coverage(baseline, candidate) } else { Coverage::default() },
        failures: failure.into_iter().collect(),
        findings: Vec::new(),
        variance: variance.allowed().clone(),
        differences,
    };
    let damage = baseline.run.damage.iter().chain(&candidate.run.damage).cloned().collect();
    TraceReplay { result, artifact_sha256, diagnostics, damage }
}

fn compared(
    variance: &VariancePolicy,
    baseline: &Side,
    candidate: &Side,
) -> (Option<Failure>, Vec<Difference>) {
    let (before, after) = (baseline.log.chain(false), candidate.log.chain(false));
    let (before, after) = (Verified::of_chain(&before), Verified::of_chain(&after));
    let before = Path { records: &before, keys: &baseline.keys };
    let after = Path { records: &after, keys: &candidate.keys };
    let path = compare::path_differences(before, after);
    let (class, differences) = match path.is_empty() {
        true => (FailureClass::VarianceViolation, compare::variances(before, after, variance)),
        false => (FailureClass::PolicyPathMismatch, path),
    };
    let first = differences.iter().find(|difference| !difference.allowed);
    (first.map(|difference| compare::failure(difference, class)), differences)
}

/// What was done to both runs; payloads that both name count once.
fn coverage(baseline: &Side, candidate: &Side) -> Coverage {
    let (one, other) = (&baseline.run.coverage, &candidate.run.coverage);
    let sum = |of: fn(&Coverage) -> SafeInt| SafeInt::saturating(of(one).get() + of(other).get());
    Coverage {
        records: sum(|it| it.records),
        verified: sum(|it| it.verified),
        gate_rechecked: sum(|it| it.gate_rechecked),
        policy_re_decided: sum(|it| it.policy_re_decided),
        policy_absent: sum(|it| it.policy_absent),
        policy_unusable: sum(|it| it.policy_unusable),
        re_executed: sum(|it| it.re_executed),
        rejected_listed: sum(|it| it.rejected_listed),
        blobs_absent: single::count(baseline.payloads.count_with(&candidate.payloads)),
        absent: sum(|it| it.absent),
    }
}
