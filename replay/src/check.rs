//! The checks of a replay by name, and the failures they give. Names and classes are part of
//! the output: stable, never reused.

use proofline_ledger::{Damage, Seq};
use proofline_trace::{Envelope, EnvelopeHash, ErrorKind, Failure, FailureClass, Rejection, SafeInt, Token};

/// A check of one trace, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Check {
    /// A record passes the schema of its type.
    Schema,
    /// Its bytes are the canonical ones.
    CanonicalBytes,
    /// Its bytes hash to its key.
    EnvelopeHash,
    /// Every entry of the trace can be read.
    Frame,
    /// Gate check 4.
    Prerequisite,
    /// Gate check 5, and that a record belongs to the trace that its header names.
    TraceContinuity,
    /// Gate checks 6a and 6b.
    Authorization,
    /// A decision that has to be decided again can be.
    Policy,
    /// A policy, asked again, decides as it is recorded.
    Decision,
    /// An entry carries the leaf hash of the one before, and the one after carries its own.
    EntryLink,
    /// No entry is recorded before the one in front of it.
    EntryClock,
    /// An entry names the trace's entry before it and the right count.
    TraceLink,
    /// A record is accepted once.
    AcceptedOnce,
    /// There is a chain.
    Chain,
    /// A deterministic tool gives the response again.
    Output,
    /// Two runs hold the same policy signatures equally often.
    PolicySignatures,
    /// Two runs hold the same evidence identities equally often.
    EvidenceIdentities,
    /// Paired calls differ only where they may.
    Variance,
}

impl Check {
    #[cfg(test)]
    const ALL: [Self; 18] = [
        Self::Schema,
        Self::CanonicalBytes,
        Self::EnvelopeHash,
        Self::Frame,
        Self::Prerequisite,
        Self::TraceContinuity,
        Self::Authorization,
        Self::Policy,
        Self::Decision,
        Self::EntryLink,
        Self::EntryClock,
        Self::TraceLink,
        Self::AcceptedOnce,
        Self::Chain,
        Self::Output,
        Self::PolicySignatures,
        Self::EvidenceIdentities,
        Self::Variance,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::CanonicalBytes => "canonical_bytes",
            Self::EnvelopeHash => "envelope_hash",
            Self::Frame => "frame",
            Self::Prerequisite => "prerequisite",
            Self::TraceContinuity => "trace_continuity",
            Self::Authorization => "authorization",
            Self::Policy => "policy",
            Self::Decision => "decision",
            Self::EntryLink => "entry_link",
            Self::EntryClock => "entry_clock",
            Self::TraceLink => "trace_link",
            Self::AcceptedOnce => "accepted_once",
            Self::Chain => "chain",
            Self::Output => "output",
            Self::PolicySignatures => "policy_signatures",
            Self::EvidenceIdentities => "evidence_identities",
            Self::Variance => "variance",
        }
    }

    #[expect(clippy::expect_used, reason = "every name is a token; a test makes them all")]
    pub(crate) fn token(self) -> Token {
        Token::new(self.as_str()).expect("check names are tokens")
    }

    /// The check that the gate made when it refused with this kind.
    pub(crate) const fn of_gate(kind: &ErrorKind) -> Self {
        match kind {
            ErrorKind::RecordTypeForbidden | ErrorKind::SchemaViolation(_) => Self::Schema,
            ErrorKind::HashMismatch => Self::EnvelopeHash,
            ErrorKind::MissingAuthContext | ErrorKind::MissingPolicyDecision => Self::Prerequisite,
            ErrorKind::TraceIdMismatch => Self::TraceContinuity,
            ErrorKind::AuthorityMismatch | ErrorKind::PolicyDenied => Self::Authorization,
        }
    }
}

/// Where a failure lies: the record and its entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) seq: Seq,
    pub(crate) hash: Option<EnvelopeHash>,
    pub(crate) envelope: Option<&'a Envelope>,
}

impl Subject<'_> {
    /// A failure of this record in a class that has no kind of the contract.
    pub(crate) fn fails(self, check: Check, class: FailureClass, message: impl Into<String>) -> Failure {
        Failure {
            envelope_hash: self.hash,
            seq: Some(SafeInt::saturating(self.seq.get())),
            record_type: self.envelope.map(Envelope::record_type),
            ..Failure::new(check.token(), class, message)
        }
    }

    /// The failure of a record that the gate refuses.
    pub(crate) fn refused(self, rejection: &Rejection) -> Failure {
        let check = Check::of_gate(&rejection.kind);
        // The gate never refuses with ACCEPT, and SCHEMA_REJECT is what an unknown answer would be.
        let class = FailureClass::try_from(rejection.classification).unwrap_or(FailureClass::SchemaReject);
        Failure {
            error_kind: Some(rejection.kind.clone()),
            pointer: Some(rejection.pointer.clone()),
            expected: Some("ACCEPT".to_owned()),
            found: Some(rejection.classification.to_string()),
            ..self.fails(check, class, rejection.message.clone())
        }
    }
}

/// The failure of a trace one of whose entries cannot be read.
pub(crate) fn unreadable(seq: Seq, damage: &Damage) -> Failure {
    let subject = Subject { seq, hash: None, envelope: None };
    let message = format!("Entry {seq} of the trace cannot be read: {damage}.");
    Failure {
        expected: Some("a whole frame".to_owned()),
        found: Some(damage.code.to_owned()),
        ..subject.fails(Check::Frame, FailureClass::HashMismatch, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_token_of_its_own() {
        let names: std::collections::BTreeSet<Token> = Check::ALL.into_iter().map(Check::token).collect();
        assert_eq!(names.len(), Check::ALL.len());
    }
}
