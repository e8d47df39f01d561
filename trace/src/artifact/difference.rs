//! Differences between two runs of the same work, as a constrained replay lists them (section 5):
//! what the two did not do alike, or did alike with another outcome.

use proofline_canon::Value;

use crate::ids::EnvelopeHash;
use crate::record::RecordType;
use crate::rejection::{SchemaFault, Violation, named};
use crate::walk::{Node, safe_int, word};
use crate::words::SafeInt;
use crate::write::{integer, text};

/// What differs; the texts are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DifferenceKind {
    /// A policy signature that the two runs do not hold equally often.
    PolicySignature,
    /// An evidence identity that the two runs do not hold equally often.
    EvidenceIdentity,
    /// The response of two paired calls.
    Response,
    /// The outcome of two paired calls.
    Outcome,
    /// The usage of two paired calls.
    Usage,
}

named!(DifferenceKind, "a difference", {
    PolicySignature => "policy_signature",
    EvidenceIdentity => "evidence_identity",
    Response => "response",
    Outcome => "outcome",
    Usage => "usage",
});

/// One run's side of a difference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct DifferenceSide {
    /// The records that show it, in chain order; none where the run has no such record.
    pub records: Vec<EnvelopeHash>,
    /// Their entries.
    pub seqs: Vec<SafeInt>,
    /// Canonical JSON text of what they say; none where they say nothing.
    pub value: Option<String>,
}

/// One difference between a baseline and a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Difference {
    /// What differs.
    pub kind: DifferenceKind,
    /// The type of the records that show it.
    pub record_type: RecordType,
    /// Whether the variance policy allows it.
    pub allowed: bool,
    /// What the baseline has.
    pub baseline: DifferenceSide,
    /// What the candidate has.
    pub candidate: DifferenceSide,
}

impl DifferenceSide {
    fn to_value(&self) -> Value {
        Value::object([
            ("records", Value::array(self.records.iter().map(text))),
            ("seqs", Value::array(self.seqs.iter().copied().map(integer))),
            ("value", self.value.as_ref().map_or(Value::Null, text)),
        ])
    }

    fn read(node: Node<'_>) -> Result<Self, Violation> {
        let members = node.members(&["records", "seqs", "value"], &[])?;
        let owned = |node: Node<'_>| node.text().map(str::to_owned);
        Ok(Self {
            records: members.get("records", |records| records.items(word))?,
            seqs: members.get("seqs", |seqs| seqs.items(safe_int))?,
            value: members.get("value", |value| value.nullable(owned))?,
        })
    }
}

impl Difference {
    /// The difference as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("kind", text(self.kind)),
            ("record_type", text(self.record_type)),
            ("allowed", Value::from(self.allowed)),
            ("baseline", self.baseline.to_value()),
            ("candidate", self.candidate.to_value()),
        ])
    }

    pub(super) fn read(node: Node<'_>) -> Result<Self, Violation> {
        let members = node.members(&["kind", "record_type", "allowed", "baseline", "candidate"], &[])?;
        Ok(Self {
            kind: members.get("kind", |kind| kind.name(DifferenceKind::ALL))?,
            record_type: members.get("record_type", |record_type| record_type.name(RecordType::ALL))?,
            allowed: members.get("allowed", flag)?,
            baseline: members.get("baseline", DifferenceSide::read)?,
            candidate: members.get("candidate", DifferenceSide::read)?,
        })
    }
}

fn flag(node: Node<'_>) -> Result<bool, Violation> {
    match node.value {
        Value::Bool(flag) => Ok(*flag),
        _ => Err(node.fail(SchemaFault::Type, "is neither true nor false")),
    }
}
