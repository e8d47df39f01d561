//! What a replay says of one trace, and how a ledger keeps it: the hashed result, and beside it
//! the diagnostics, which name the result they explain.

use proofline_canon::{Sha256Digest, Value};
use proofline_ledger::{Action, Damage, Ledger, Outcome, Seq};
use proofline_trace::{Difference, EnvelopeHash, Failure, Finding, ReplayDiagnostics, ReplayResult, TraceId};

use crate::error::RecordError;

/// The replay of one trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceReplay {
    /// The hashed result.
    pub result: ReplayResult,
    /// The result's artifact key.
    pub artifact_sha256: Sha256Digest,
    /// What explains it: coverage, the failure, the findings.
    pub diagnostics: ReplayDiagnostics,
    /// Damage of the log that it came upon, which the summary reports. Not part of the output
    /// line: the failure says what it did to this trace.
    pub damage: Vec<Damage>,
}

impl TraceReplay {
    /// The trace; of a constrained replay the candidate.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.result.target_trace_id
    }

    /// Whether every check passed.
    #[must_use]
    pub const fn is_pass(&self) -> bool {
        self.result.verdict.is_pass()
    }

    /// What ended the run, if it failed.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.diagnostics.failures.first()
    }

    /// What is suspicious but legal.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.diagnostics.findings
    }

    /// The baseline of a constrained replay.
    #[must_use]
    pub const fn baseline(&self) -> Option<TraceId> {
        self.result.reference_trace_id()
    }

    /// How the two runs of a constrained replay differ, allowed or not; of other replays none.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.diagnostics.differences
    }

    /// The output line of the contract:
    /// `{"record":{...},"artifact_sha256":"...","diagnostics":{...},"findings":[...]}`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let findings = self.findings().iter().map(Finding::to_value);
        Value::object([
            ("record", self.result.to_value()),
            ("artifact_sha256", Value::from(self.artifact_sha256.to_string())),
            ("diagnostics", self.diagnostics.to_value()),
            ("findings", Value::array(findings)),
        ])
    }

    /// The two artifacts in the order in which a ledger takes them: the canonical bytes of the
    /// result, then those of the diagnostics, which refer to it.
    #[must_use]
    pub fn artifacts(&self) -> [Vec<u8>; 2] {
        [self.result.canonical(), self.diagnostics.canonical()]
    }
}

/// Where an artifact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its artifact key.
    pub hash: EnvelopeHash,
    /// Its entry.
    pub seq: Seq,
    /// True when it was there before; then nothing was appended.
    pub duplicate: bool,
}

/// Where a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The result.
    pub result: Place,
    /// The diagnostics.
    pub diagnostics: Place,
}

/// Appends a verdict to the ledger that was replayed. The same replay again has the same two
/// artifacts and appends nothing.
///
/// `now_ms` is the caller's clock, in Unix milliseconds.
///
/// # Errors
/// [`RecordError`]; nothing of the verdict, or its result alone, is then in the ledger, and
/// recording again completes it.
pub fn record(ledger: &Ledger, replay: &TraceReplay, now_ms: u64) -> Result<Recorded, RecordError> {
    let recorded = record_all(ledger, std::slice::from_ref(replay), now_ms)?;
    let trace_id = replay.trace_id();
    recorded.into_iter().next().ok_or(RecordError::Unanswered { trace_id })
}

/// [`record`] for many verdicts, which share syncs.
///
/// # Errors
/// As [`record`]; verdicts before the one that failed are then in the ledger.
pub fn record_all(
    ledger: &Ledger,
    replays: &[TraceReplay],
    now_ms: u64,
) -> Result<Vec<Recorded>, RecordError> {
    let bodies: Vec<Vec<u8>> = replays.iter().flat_map(TraceReplay::artifacts).collect();
    let actions: Vec<Action<'_>> = bodies.iter().map(|body| Action::Artifact(body)).collect();
    let mut outcomes = ledger.commit_actions(&actions, now_ms)?.into_iter();
    let one = |replay: &TraceReplay| {
        let trace_id = replay.trace_id();
        let mut place = || place(trace_id, outcomes.next());
        Ok(Recorded { result: place()?, diagnostics: place()? })
    };
    replays.iter().map(one).collect()
}

pub(crate) fn place(trace_id: TraceId, outcome: Option<Outcome>) -> Result<Place, RecordError> {
    match outcome {
        Some(Outcome::Accepted { envelope_hash: hash, seq, duplicate }) => Ok(Place { hash, seq, duplicate }),
        Some(Outcome::ArtifactRefused(refusal)) => Err(RecordError::Refused { trace_id, refusal }),
        Some(Outcome::Refused { .. }) | None => Err(RecordError::Unanswered { trace_id }),
    }
}
