//! What explains a replay result: which record, which check, expected and found, how much
//! was done, and the findings. It has a hash of its own and names the result it explains.

use proofline_canon::{Pointer, Sha256Digest, Value};

use super::difference::Difference;
use super::finding::Finding;
use super::replay_result::{FailureClass, ReplayType};
use super::variance::AllowedVariance;
use crate::ids::{EnvelopeHash, TraceId};
use crate::record::RecordType;
use crate::rejection::{ErrorKind, SchemaFault, Violation};
use crate::walk::{Node, Path, digest, safe_int, word};
use crate::words::{SafeInt, Token};
use crate::write::{integer, text};

/// How many records of a trace were treated how; a pass never means more than this.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Coverage {
    /// Records of the chain.
    pub records: SafeInt,
    /// Whose bytes, schema and hash were verified.
    pub verified: SafeInt,
    /// Which the gate decided again.
    pub gate_rechecked: SafeInt,
    /// Decisions that their policy decided again.
    pub policy_re_decided: SafeInt,
    /// Decisions whose policy is not at hand.
    pub policy_absent: SafeInt,
    /// Decisions whose policy is at hand, and no engine can read it.
    pub policy_unusable: SafeInt,
    /// Which were executed again.
    pub re_executed: SafeInt,
    /// Rejected attempts that were listed.
    pub rejected_listed: SafeInt,
    /// Payloads that were named and not at hand.
    pub blobs_absent: SafeInt,
    /// Records that were named and not there.
    pub absent: SafeInt,
}

/// One check that did not hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Failure {
    /// The check, by name.
    pub check: Token,
    /// Its class.
    pub class: FailureClass,
    /// The contract's kind, where there is one.
    pub error_kind: Option<ErrorKind>,
    /// The record concerned.
    pub envelope_hash: Option<EnvelopeHash>,
    /// Its entry in the ledger.
    pub seq: Option<SafeInt>,
    /// Its type, where it could be read.
    pub record_type: Option<RecordType>,
    /// The place in the record.
    pub pointer: Option<Pointer>,
    /// What should be there.
    pub expected: Option<String>,
    /// What is there.
    pub found: Option<String>,
    /// A sentence for people.
    pub message: String,
}

/// The explanation of one replay result.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplayDiagnostics {
    /// The artifact key of the result it explains.
    pub result_sha256: Sha256Digest,
    /// The question, by name.
    pub replay_type: ReplayType,
    /// The trace.
    pub target_trace_id: TraceId,
    /// What was done.
    pub coverage: Coverage,
    /// What did not hold.
    pub failures: Vec<Failure>,
    /// What is suspicious but legal.
    pub findings: Vec<Finding>,
    /// What the variance policy of a constrained replay let differ, whatever was found. Other replays
    /// compare nothing, and their records have neither this member nor the next.
    pub variance: AllowedVariance,
    /// How the two runs of a constrained replay differ, allowed or not.
    pub differences: Vec<Difference>,
}

super::identity!(ReplayDiagnostics, super::emit::diagnostics);

const ARTIFACT_TYPE: &str = "replay_diagnostics";
const VERSION: &str = "1";

impl ReplayDiagnostics {
    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let always = [
            ("artifact_type", text(ARTIFACT_TYPE)),
            ("version", text(VERSION)),
            ("result_sha256", text(self.result_sha256)),
            ("replay_type", text(self.replay_type)),
            ("target_trace_id", text(self.target_trace_id)),
            ("coverage", self.coverage.to_value()),
            ("failures", Value::array(self.failures.iter().map(Failure::to_value))),
            ("findings", Value::array(self.findings.iter().map(Finding::to_value))),
        ];
        let compared = matches!(self.replay_type, ReplayType::Constrained).then(|| {
            let differences = Value::array(self.differences.iter().map(Difference::to_value));
            [("variance", self.variance.to_value()), ("differences", differences)]
        });
        Value::object(always.into_iter().chain(compared.into_iter().flatten()))
    }

    /// Reads a record; `replay_type` chooses whether there must be a variance and differences.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the diagnostics record");
        let node = Node { value, path: &path };
        let named = node.object()?.get("replay_type").and_then(Value::as_str);
        let compares = named == Some(ReplayType::Constrained.as_str());
        let mut required = vec![
            "artifact_type",
            "version",
            "result_sha256",
            "replay_type",
            "target_trace_id",
            "coverage",
            "failures",
            "findings",
        ];
        required.extend(compares.then_some(["variance", "differences"]).into_iter().flatten());
        let members = node.members(&required, &[])?;
        members.get("artifact_type", |node| node.text_const(ARTIFACT_TYPE))?;
        members.get("version", |node| node.text_const(VERSION))?;
        Ok(Self {
            result_sha256: members.get("result_sha256", digest)?,
            replay_type: members.get("replay_type", |node| node.name(ReplayType::ALL))?,
            target_trace_id: members.get("target_trace_id", word)?,
            coverage: members.get("coverage", Coverage::read)?,
            failures: members.get("failures", |node| node.items(Failure::read))?,
            findings: members.get("findings", |node| node.items(Finding::read))?,
            variance: match compares {
                true => members.get("variance", AllowedVariance::read)?,
                false => AllowedVariance::default(),
            },
            differences: match compares {
                true => members.get("differences", |node| node.items(Difference::read))?,
                false => Vec::new(),
            },
        })
    }
}

impl Coverage {
    fn to_value(self) -> Value {
        Value::object([
            ("records", integer(self.records)),
            ("verified", integer(self.verified)),
            ("gate_rechecked", integer(self.gate_rechecked)),
            ("policy_re_decided", integer(self.policy_re_decided)),
            ("policy_absent", integer(self.policy_absent)),
            ("policy_unusable", integer(self.policy_unusable)),
            ("re_executed", integer(self.re_executed)),
            ("rejected_listed", integer(self.rejected_listed)),
            ("blobs_absent", integer(self.blobs_absent)),
            ("absent", integer(self.absent)),
        ])
    }

    fn read(node: Node<'_>) -> Result<Self, Violation> {
        let required = [
            "records",
            "verified",
            "gate_rechecked",
            "policy_re_decided",
            "policy_absent",
            "policy_unusable",
            "re_executed",
            "rejected_listed",
            "blobs_absent",
            "absent",
        ];
        let members = node.members(&required, &[])?;
        let count = |name| members.get(name, safe_int);
        Ok(Self {
            records: count("records")?,
            verified: count("verified")?,
            gate_rechecked: count("gate_rechecked")?,
            policy_re_decided: count("policy_re_decided")?,
            policy_absent: count("policy_absent")?,
            policy_unusable: count("policy_unusable")?,
            re_executed: count("re_executed")?,
            rejected_listed: count("rejected_listed")?,
            blobs_absent: count("blobs_absent")?,
            absent: count("absent")?,
        })
    }
}

impl Failure {
    /// A failure that names its check and class, and nothing more yet.
    #[must_use]
    pub fn new(check: Token, class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            check,
            class,
            error_kind: None,
            envelope_hash: None,
            seq: None,
            record_type: None,
            pointer: None,
            expected: None,
            found: None,
            message: message.into(),
        }
    }

    fn to_value(&self) -> Value {
        Value::object([
            ("check", text(&self.check)),
            ("class", text(self.class)),
            ("error_kind", or_null(self.error_kind.as_ref())),
            ("envelope_hash", or_null(self.envelope_hash)),
            ("seq", self.seq.map_or(Value::Null, integer)),
            ("record_type", or_null(self.record_type)),
            ("pointer", or_null(self.pointer.as_ref())),
            ("expected", or_null(self.expected.as_ref())),
            ("found", or_null(self.found.as_ref())),
            ("message", text(&self.message)),
        ])
    }

    fn read(node: Node<'_>) -> Result<Self, Violation> {
        let required = [
            "check",
            "class",
            "error_kind",
            "envelope_hash",
            "seq",
            "record_type",
            "pointer",
            "expected",
            "found",
            "message",
        ];
        let members = node.members(&required, &[])?;
        let owned = |node: Node<'_>| node.text().map(str::to_owned);
        Ok(Self {
            check: members.get("check", word)?,
            class: members.get("class", |node| node.name(FailureClass::ALL))?,
            error_kind: members.get("error_kind", |node| node.nullable(error_kind))?,
            envelope_hash: members.get("envelope_hash", |node| node.nullable(word))?,
            seq: members.get("seq", |node| node.nullable(safe_int))?,
            record_type: members
                .get("record_type", |node| node.nullable(|record_type| record_type.name(RecordType::ALL)))?,
            pointer: members.get("pointer", |node| node.nullable(pointer))?,
            expected: members.get("expected", |node| node.nullable(owned))?,
            found: members.get("found", |node| node.nullable(owned))?,
            message: members.get("message", owned)?,
        })
    }
}

fn or_null(shown: Option<impl ToString>) -> Value {
    shown.map_or(Value::Null, text)
}

fn error_kind(node: Node<'_>) -> Result<ErrorKind, Violation> {
    let unknown = |_| node.fail(SchemaFault::Pattern, "is not an error kind of the contract");
    node.text()?.parse().map_err(unknown)
}

fn pointer(node: Node<'_>) -> Result<Pointer, Violation> {
    let malformed = || node.fail(SchemaFault::Pattern, "is not a JSON Pointer (RFC 6901)");
    Pointer::parse(node.text()?).ok_or_else(malformed)
}
