//! What the verification of a bundle comes to: three answers, what is withheld, erased and absent, and the claim that
//! broke first.

use crate::checkpoint::Checkpoint;
use crate::header::EntryKind;
use crate::policy::VerifiedCheckpoint;

use super::fault::{BundleFault, Question};
use super::manifest::Manifest;

/// How many entries of each kind a bundle has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntryCounts {
    /// All entries.
    pub entries: u64,
    /// Accepted evidence.
    pub accepted: u64,
    /// Refused attempts.
    pub rejected: u64,
    /// Verdicts, diagnostics, producers' signatures.
    pub artifacts: u64,
    /// What the ledger records of itself, the genesis entry included.
    pub system: u64,
    /// Entries without their bodies.
    pub withheld: u64,
}

impl EntryCounts {
    pub(super) fn take(&mut self, kind: EntryKind) {
        self.entries += 1;
        match kind {
            EntryKind::Accepted => self.accepted += 1,
            EntryKind::Rejected => self.rejected += 1,
            EntryKind::Artifact => self.artifacts += 1,
            EntryKind::Genesis | EntryKind::System => self.system += 1,
        }
    }
}

/// An answer to one of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Holds,
    /// No.
    Fails,
    /// It was not asked: no key and no policy was given.
    NotAsked,
    /// An earlier fault leaves no way to tell.
    Unknown,
}

impl Answer {
    /// Its name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Answer::Holds => "holds",
            Answer::Fails => "fails",
            Answer::NotAsked => "not_asked",
            Answer::Unknown => "unknown",
        }
    }
}

/// What the verification of a bundle came to.
#[derive(Clone, Debug, Default)]
pub struct BundleReport {
    /// What the bundle says of itself; none where it cannot be read.
    pub manifest: Option<Manifest>,
    /// What its checkpoint states.
    pub checkpoint: Option<Checkpoint>,
    /// The entries that were read.
    pub counts: EntryCounts,
    /// Bytes of payloads in the bundle.
    pub payload_bytes: u64,
    /// What is wrong, in the order of the steps: the first is the answer.
    pub faults: Vec<BundleFault>,
    /// Who signed, if the verifier believes them.
    pub signed: Option<Box<VerifiedCheckpoint>>,
    /// True when a key or a policy was given.
    pub asked_who_signed: bool,
    /// True when all steps were gone through: an early fault leaves later questions open.
    pub is_complete: bool,
}

impl BundleReport {
    /// True when nothing is wrong.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.faults.is_empty() && self.is_complete
    }

    /// The claim that broke first.
    #[must_use]
    pub fn fault(&self) -> Option<&BundleFault> {
        self.faults.first()
    }

    /// The answer to a question.
    #[must_use]
    pub fn answer(&self, question: Question) -> Answer {
        let fails = self.faults.iter().any(|fault| fault.step().question() == question);
        match question {
            _ if fails => Answer::Fails,
            Question::Authenticity if !self.asked_who_signed => Answer::NotAsked,
            _ if self.is_complete => Answer::Holds,
            _ => Answer::Unknown,
        }
    }
}
