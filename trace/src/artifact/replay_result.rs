//! The hashed result of a replay (section 5): the question, the records read, the answer.
//! Nothing that explains it is in here; that travels in the diagnostics.

use proofline_canon::Value;

use super::timestamp::Timestamp;
use crate::ids::{EnvelopeHash, TraceId};
use crate::rejection::{Classification, Violation, named};
use crate::walk::{Members, Node, Path, word};
use crate::write::text;

/// The question of a replay, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplayType {
    /// Are these the exact bytes, and did the gate have to accept them?
    Forensic,
    /// Does another run of the same work follow the same policy path?
    Constrained,
    /// Would the same policy give the same answer?
    Invariant,
}

named!(ReplayType, "a replay type", {
    Forensic => "forensic",
    Constrained => "constrained",
    Invariant => "invariant",
});

/// The question of a replay, with the baseline where it compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplayMode {
    /// One trace, by its bytes.
    Forensic,
    /// One trace, by its policy.
    Invariant,
    /// One trace against another.
    Constrained {
        /// The baseline; the target is the candidate.
        reference_trace_id: TraceId,
    },
}

impl ReplayMode {
    /// Its name.
    #[must_use]
    pub const fn replay_type(&self) -> ReplayType {
        match self {
            Self::Forensic => ReplayType::Forensic,
            Self::Invariant => ReplayType::Invariant,
            Self::Constrained { .. } => ReplayType::Constrained,
        }
    }
}

/// Why a replay failed: a class of section 4, or one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureClass {
    /// `RECORD_TYPE_FORBIDDEN`
    RecordTypeForbidden,
    /// `SCHEMA_REJECT`
    SchemaReject,
    /// `HASH_MISMATCH`
    HashMismatch,
    /// `MISSING_PREREQ`
    MissingPrereq,
    /// `TRACE_VIOLATION`
    TraceViolation,
    /// `UNAUTHORIZED_EXECUTION`
    UnauthorizedExecution,
    /// No record of the trace was found.
    ChainNotFound,
    /// Policy signatures or evidence identities differ.
    PolicyPathMismatch,
    /// A difference that the variance policy does not allow.
    VarianceViolation,
    /// The policy decides otherwise.
    DecisionMismatch,
    /// A deterministic tool answers otherwise.
    OutputMismatch,
}

named!(FailureClass, "a failure class", {
    RecordTypeForbidden => "RECORD_TYPE_FORBIDDEN",
    SchemaReject => "SCHEMA_REJECT",
    HashMismatch => "HASH_MISMATCH",
    MissingPrereq => "MISSING_PREREQ",
    TraceViolation => "TRACE_VIOLATION",
    UnauthorizedExecution => "UNAUTHORIZED_EXECUTION",
    ChainNotFound => "REPLAY_CHAIN_NOT_FOUND",
    PolicyPathMismatch => "REPLAY_POLICY_PATH_MISMATCH",
    VarianceViolation => "REPLAY_VARIANCE_VIOLATION",
    DecisionMismatch => "REPLAY_DECISION_MISMATCH",
    OutputMismatch => "REPLAY_OUTPUT_MISMATCH",
});

/// `ACCEPT` is no reason to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ACCEPT is not a failure class")]
pub struct NotAFailure;

impl TryFrom<Classification> for FailureClass {
    type Error = NotAFailure;

    fn try_from(classification: Classification) -> Result<Self, NotAFailure> {
        match classification {
            Classification::Accept => Err(NotAFailure),
            Classification::RecordTypeForbidden => Ok(Self::RecordTypeForbidden),
            Classification::SchemaReject => Ok(Self::SchemaReject),
            Classification::HashMismatch => Ok(Self::HashMismatch),
            Classification::MissingPrereq => Ok(Self::MissingPrereq),
            Classification::TraceViolation => Ok(Self::TraceViolation),
            Classification::UnauthorizedExecution => Ok(Self::UnauthorizedExecution),
        }
    }
}

/// The answer of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Every check passed.
    Pass,
    /// The first check that did not.
    Fail(FailureClass),
}

impl Verdict {
    /// Whether every check passed.
    #[must_use]
    pub const fn is_pass(self) -> bool {
        matches!(self, Self::Pass)
    }

    /// The class of the failure.
    #[must_use]
    pub const fn failure_class(self) -> Option<FailureClass> {
        match self {
            Self::Pass => None,
            Self::Fail(class) => Some(class),
        }
    }
}

/// The hashed result of one replay of one trace.
///
/// ```
/// use proofline_trace::{FailureClass, ReplayMode, ReplayResult, Timestamp, Verdict};
///
/// // The fixed point of the contract: nothing is found in an empty ledger.
/// let result = ReplayResult {
///     mode: ReplayMode::Forensic,
///     target_trace_id: "ffffffffffffffffffffffffffffffff".parse()?,
///     input_envelope_hashes: Vec::new(),
///     verdict: Verdict::Fail(FailureClass::ChainNotFound),
///     generated_at: "2026-01-31T00:00:00.000Z".parse()?,
/// };
/// let artifact = "0dfb09ff5058e37a328a66f48a402c518f717d592f7bdc279ed5d33392f9c83e";
/// assert_eq!(result.sha256().to_string(), artifact);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplayResult {
    /// The question: `replay_type`, and `reference_trace_id` of a constrained replay.
    pub mode: ReplayMode,
    /// The trace; of a constrained replay the candidate.
    pub target_trace_id: TraceId,
    /// The records read, in chain order; of a constrained replay the baseline's, then the candidate's.
    pub input_envelope_hashes: Vec<EnvelopeHash>,
    /// The answer: `result`, and `failure_class` of a failure.
    pub verdict: Verdict,
    /// The injected clock.
    pub generated_at: Timestamp,
}

super::identity!(ReplayResult, super::emit::replay_result);

impl ReplayResult {
    /// The question, by name.
    #[must_use]
    pub const fn replay_type(&self) -> ReplayType {
        self.mode.replay_type()
    }

    /// The baseline of a constrained replay.
    #[must_use]
    pub const fn reference_trace_id(&self) -> Option<TraceId> {
        match self.mode {
            ReplayMode::Constrained { reference_trace_id } => Some(reference_trace_id),
            ReplayMode::Forensic | ReplayMode::Invariant => None,
        }
    }

    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let result = if self.verdict.is_pass() { "pass" } else { "fail" };
        let always = [
            ("replay_type", text(self.replay_type())),
            ("target_trace_id", text(self.target_trace_id)),
            ("input_envelope_hashes", Value::array(self.input_envelope_hashes.iter().map(text))),
            ("result", text(result)),
            ("generated_at", text(self.generated_at)),
        ];
        let reference = self.reference_trace_id().map(|id| ("reference_trace_id", text(id)));
        let class = self.verdict.failure_class().map(|class| ("failure_class", text(class)));
        Value::object(always.into_iter().chain(reference).chain(class))
    }

    /// Reads a record; `replay_type` and `result` choose which members there must be.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the replay result");
        let node = Node { value, path: &path };
        let chosen = |name, variant| {
            node.object()
                .map(|object| matches!(object.get(name), Some(Value::String(text)) if text == variant))
        };
        let mut required = vec!["replay_type", "target_trace_id"];
        required.extend(chosen("replay_type", "constrained")?.then_some("reference_trace_id"));
        required.extend(["input_envelope_hashes", "result"]);
        required.extend(chosen("result", "fail")?.then_some("failure_class"));
        required.push("generated_at");
        Self::read(&node.members(&required, &[])?)
    }

    fn read(members: &Members<'_>) -> Result<Self, Violation> {
        let replay_type = members.get("replay_type", |node| node.name(ReplayType::ALL))?;
        let target_trace_id = members.get("target_trace_id", word)?;
        let mode = match replay_type {
            ReplayType::Forensic => ReplayMode::Forensic,
            ReplayType::Invariant => ReplayMode::Invariant,
            ReplayType::Constrained => {
                ReplayMode::Constrained { reference_trace_id: members.get("reference_trace_id", word)? }
            }
        };
        Ok(Self {
            mode,
            target_trace_id,
            input_envelope_hashes: members.get("input_envelope_hashes", |node| node.items(word))?,
            verdict: verdict(members)?,
            generated_at: members.get("generated_at", word)?,
        })
    }
}

fn verdict(members: &Members<'_>) -> Result<Verdict, Violation> {
    let passed = members.get("result", |node| match node.text()? {
        "pass" => Ok(true),
        "fail" => Ok(false),
        _ => Err(node.not_one_of(&["pass", "fail"])),
    })?;
    if passed {
        return Ok(Verdict::Pass);
    }
    members.get("failure_class", |node| node.name(FailureClass::ALL)).map(Verdict::Fail)
}
