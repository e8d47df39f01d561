//! Why a proof file is not accepted, whatever its dialect.

use proofline_canon::Sha256Digest;
use thiserror::Error;

use crate::CheckpointError;
use crate::files::TextProofError;
use crate::files::cose::CoseError;
use crate::files::dsse::DsseError;
use crate::files::statement::StatementError;
use crate::files::verified::Dialect;
use crate::header::HeaderError;
use crate::tree::TreeFault;

/// Why a proof file is not accepted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProofFileError {
    /// None of the forms that are read here.
    #[error("this is no tlog-proof, no request to a witness, no COSE receipt and no JSON of DSSE")]
    Dialect,
    /// An inclusion proof where a consistency proof is wanted, or the other way round.
    #[error("this file is no proof of {0}")]
    Kind(&'static str),
    /// Nothing to trust was given for this dialect.
    #[error("nothing was given to check a {0} proof with: {hint}", hint = trust_hint(.0))]
    NoTrust(Dialect),
    /// A receipt where several signers are needed.
    #[error("{0} keys must have signed, and a receipt has one signature")]
    Threshold(usize),
    /// A proof in text form.
    #[error(transparent)]
    Text(#[from] TextProofError),
    /// A receipt.
    #[error(transparent)]
    Cose(#[from] CoseError),
    /// An envelope.
    #[error(transparent)]
    Dsse(#[from] DsseError),
    /// A statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// A checkpoint that the policy does not believe.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The proof does not hold.
    #[error(transparent)]
    Tree(#[from] TreeFault),
    /// No entry travels with the proof, and none was given.
    #[error("no entry header travels with the proof; give it from outside")]
    NoEntry,
    /// What travels with the proof is no entry header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The entry given is not the one that was signed.
    #[error("the entry given is another than the one in the signed statement")]
    OtherEntry,
    /// The header is of another entry.
    #[error("the header is that of entry {found}, the proof is about entry {claimed}")]
    Seq {
        /// In the proof.
        claimed: u64,
        /// In the header.
        found: u64,
    },
    /// An envelope was given, and the entry is of a log that names none.
    #[error("the entry is no entry header, so it names no envelope")]
    NoHeader,
    /// Another envelope.
    #[error("the header holds the envelope hash {expected}; the bytes given have {found}")]
    Envelope {
        /// In the header.
        expected: Sha256Digest,
        /// Of the bytes given.
        found: Sha256Digest,
    },
    /// The envelope, in another spelling.
    #[error("the bytes given are the envelope in another spelling; its canonical form has the header's hash")]
    EnvelopeSpelling,
    /// The proof begins at another size than the older tree has.
    #[error("the proof begins at {found} entries, the older tree has {expected}")]
    OldSize {
        /// What the verifier knows.
        expected: u64,
        /// In the proof.
        found: u64,
    },
    /// The older and the newer tree are of different logs.
    #[error("the older tree is of the log {old}, the newer of {new}")]
    OtherLog {
        /// What the verifier knows.
        old: String,
        /// What is signed.
        new: String,
    },
}

fn trust_hint(dialect: &Dialect) -> &'static str {
    match dialect {
        Dialect::Tlog => "it needs a policy or the key of a log",
        Dialect::Cose => "it needs a key of role cose",
        Dialect::Dsse => "it needs a key of role dsse",
    }
}

impl ProofFileError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            ProofFileError::Dialect => "proof.dialect",
            ProofFileError::Kind(_) => "proof.kind",
            ProofFileError::NoTrust(_) => "proof.no_trust",
            ProofFileError::Threshold(_) => "proof.threshold",
            ProofFileError::Text(error) => error.code(),
            ProofFileError::Cose(error) => error.code(),
            ProofFileError::Dsse(error) => error.code(),
            ProofFileError::Statement(error) => error.code(),
            ProofFileError::Checkpoint(error) => error.code(),
            ProofFileError::Tree(fault) => fault.code(),
            ProofFileError::NoEntry => "proof.no_entry",
            ProofFileError::Header(_) => "proof.header",
            ProofFileError::OtherEntry => "proof.other_entry",
            ProofFileError::Seq { .. } => "proof.seq",
            ProofFileError::NoHeader => "proof.no_header",
            ProofFileError::Envelope { .. } => "proof.envelope",
            ProofFileError::EnvelopeSpelling => "proof.envelope_spelling",
            ProofFileError::OldSize { .. } => "proof.old_size",
            ProofFileError::OtherLog { .. } => "proof.other_log",
        }
    }
}
