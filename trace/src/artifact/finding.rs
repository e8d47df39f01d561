//! Findings: suspicious but legal facts (section 6). They do not fail a run unless asked to.

use proofline_canon::Value;

use crate::ids::EnvelopeHash;
use crate::rejection::{Violation, named};
use crate::walk::{Node, Path, safe_int, word};
use crate::words::SafeInt;
use crate::write::{integer, text};

/// What was found; the texts are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingCode {
    /// A decision before its credential was verified, or after it ended.
    DecisionOutsideCredentialValidity,
    /// A call that ended before it began.
    EndBeforeStart,
    /// A parent span that no record of the trace has.
    ParentSpanMissing,
    /// A second root in one trace.
    SecondRoot,
    /// Spans that are their own ancestors.
    SpanCycle,
    /// A span recorded before the span above it.
    LateParent,
    /// One span with two different parents.
    ConflictingParent,
    /// A usage total that is not the sum of its parts.
    UsageTotalMismatch,
    /// A payload that is not at hand.
    BlobNotAtHand,
    /// A payload that an entry of the ledger erased.
    BlobErased,
    /// A policy whose bytes are not at hand, so that its decisions were not decided again.
    PolicyNotAtHand,
    /// A policy whose bytes are at hand and that no engine can read.
    PolicyNotUsable,
    /// A rejection that the gate would not repeat.
    RejectionNotReproduced,
}

named!(FindingCode, "a finding", {
    DecisionOutsideCredentialValidity => "DECISION_OUTSIDE_CREDENTIAL_VALIDITY",
    EndBeforeStart => "END_BEFORE_START",
    ParentSpanMissing => "PARENT_SPAN_MISSING",
    SecondRoot => "SECOND_ROOT",
    SpanCycle => "SPAN_CYCLE",
    LateParent => "LATE_PARENT",
    ConflictingParent => "CONFLICTING_PARENT",
    UsageTotalMismatch => "USAGE_TOTAL_MISMATCH",
    BlobNotAtHand => "BLOB_NOT_AT_HAND",
    BlobErased => "BLOB_ERASED",
    PolicyNotAtHand => "POLICY_NOT_AT_HAND",
    PolicyNotUsable => "POLICY_NOT_USABLE",
    RejectionNotReproduced => "REJECTION_NOT_REPRODUCED",
});

/// How much a finding should worry its reader; ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; usual in healthy systems.
    Info,
    /// Probably a careless producer.
    Low,
    /// Needs an explanation.
    Medium,
    /// The ledger contradicts itself.
    High,
}

named!(Severity, "a severity", { Info => "info", Low => "low", Medium => "medium", High => "high" });

impl FindingCode {
    /// The severity a finding of this code has unless its finder knows better.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::LateParent | Self::BlobNotAtHand | Self::BlobErased | Self::PolicyNotAtHand => {
                Severity::Info
            }
            Self::EndBeforeStart | Self::ParentSpanMissing | Self::SecondRoot | Self::UsageTotalMismatch => {
                Severity::Low
            }
            Self::DecisionOutsideCredentialValidity
            | Self::SpanCycle
            | Self::ConflictingParent
            | Self::PolicyNotUsable => Severity::Medium,
            Self::RejectionNotReproduced => Severity::High,
        }
    }
}

/// One finding, as it stands in a diagnostics record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Finding {
    /// What was found.
    pub code: FindingCode,
    /// How bad it is.
    pub severity: Severity,
    /// The records concerned.
    pub records: Vec<EnvelopeHash>,
    /// The entries concerned, by sequence number, where a ledger was read.
    pub seqs: Vec<SafeInt>,
    /// A sentence for people.
    pub message: String,
}

impl Finding {
    /// A finding of the code's own severity.
    #[must_use]
    pub fn new(code: FindingCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, severity: code.severity(), records: Vec::new(), seqs: Vec::new(), message }
    }

    /// Adds the records concerned.
    #[must_use]
    pub fn with_records(mut self, records: impl IntoIterator<Item = EnvelopeHash>) -> Self {
        self.records.extend(records);
        self
    }

    /// Adds the entries concerned.
    #[must_use]
    pub fn with_seqs(mut self, seqs: impl IntoIterator<Item = SafeInt>) -> Self {
        self.seqs.extend(seqs);
        self
    }

    /// The finding as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("code", text(self.code)),
            ("severity", text(self.severity)),
            ("records", Value::array(self.records.iter().map(text))),
            ("seqs", Value::array(self.seqs.iter().copied().map(integer))),
            ("message", text(&self.message)),
        ])
    }

    /// Reads a finding by itself.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        Self::read(Node { value, path: &Path::Root("the finding") })
    }

    pub(super) fn read(node: Node<'_>) -> Result<Self, Violation> {
        let members = node.members(&["code", "severity", "records", "seqs", "message"], &[])?;
        Ok(Self {
            code: members.get("code", |code| code.name(FindingCode::ALL))?,
            severity: members.get("severity", |severity| severity.name(Severity::ALL))?,
            records: members.get("records", |records| records.items(word))?,
            seqs: members.get("seqs", |seqs| seqs.items(safe_int))?,
            message: members.get("message", |message| message.text().map(str::to_owned))?,
        })
    }
}
