//! Checks a proof file against keys or a policy that somebody was given: no ledger is opened, and none could be.
//! A test holds this file to that.

use proofline::proof::files::cose::ReceiptProof;
use proofline::proof::files::{
    Backing, Given, OldTree, ProofFile, ProofFileError, Trust, VerifiedConsistency, VerifiedInclusion,
};

/// A proof that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verified {
    /// That an entry is in a log.
    Inclusion(VerifiedInclusion),
    /// That a log only grew.
    Consistency(VerifiedConsistency),
}

impl Verified {
    /// Who says so, and what follows from it.
    pub(crate) const fn backing(&self) -> &Backing {
        match self {
            Self::Inclusion(inclusion) => &inclusion.backing,
            Self::Consistency(consistency) => &consistency.backing,
        }
    }
}

/// Verifies a proof: of consistency where an older tree is given, else of inclusion.
pub(crate) fn check(
    bytes: &[u8],
    trust: &Trust<'_>,
    given: &Given<'_>,
    old: Option<&OldTree>,
) -> Result<Verified, ProofFileError> {
    let file = ProofFile::parse(bytes)?;
    match old {
        None => file.verify_inclusion(trust, given).map(Verified::Inclusion),
        Some(old) => file.verify_consistency(trust, old).map(Verified::Consistency),
    }
}

/// Whether a file says of itself, before its signatures are verified, that it is a proof of consistency. A statement
/// says so only in what was signed.
pub(crate) const fn is_consistency(file: &ProofFile) -> Option<bool> {
    match file {
        ProofFile::TlogProof(_) => Some(false),
        ProofFile::Consistency(_) => Some(true),
        ProofFile::Receipt(receipt) => Some(matches!(receipt.proof(), ReceiptProof::Consistency { .. })),
        ProofFile::Envelope(_) => None,
    }
}
