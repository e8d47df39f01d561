//! Why there is no proof, or why one is not believed: code, sentence, place, hint and exit code.

use proofline::ledger::{CheckpointingError, EntryFault, Seq, TreeError};
use proofline::proof::files::ProofFileError;
use proofline::proof::files::cose::CoseError;
use proofline::proof::files::dsse::DsseError;
use proofline::proof::files::statement::StatementError;
use proofline::proof::{CheckpointError, SignError};

use super::exit::Exit;

/// Why there is no proof, or why one is not believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProofError {
    /// A proof file.
    #[error("{source}")]
    File {
        /// Where it came from.
        name: String,
        /// Why it is not accepted.
        source: ProofFileError,
    },
    /// A proof that was not made, or that did not hold once it was made.
    #[error(transparent)]
    Making(#[from] ProofFileError),
    /// A checkpoint that is not believed.
    #[error("{source}")]
    Checkpoint {
        /// Where it came from.
        name: String,
        /// Why.
        source: CheckpointError,
    },
    /// A secret key that the ledger lists as retired.
    #[error("the ledger lists {key} as retired; nothing is signed with it")]
    RetiredKey {
        /// The key, as `name+hex8`.
        key: String,
    },
    /// The tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// What the log itself gives.
    #[error(transparent)]
    Log(#[from] CheckpointingError),
    /// No checkpoint to prove under.
    #[error("the ledger keeps no checkpoint{}", .size.map(|size| format!(" of {size} entries")).unwrap_or_default())]
    NoCheckpoint {
        /// The size asked for.
        size: Option<u64>,
    },
    /// An entry behind the tree.
    #[error("entry {seq} is not among the first {size} entries, which the proof is to be about")]
    NotCovered {
        /// The entry.
        seq: Seq,
        /// The tree's size.
        size: u64,
    },
    /// A hash of several entries.
    #[error("{} entries have the hash {hash}: {}", .found.len(), .found.join(", "))]
    SeveralEntries {
        /// The hash.
        hash: String,
        /// Each with its kind.
        found: Vec<String>,
    },
    /// A signed root that is not the ledger's.
    #[error(
        "the ledger's first {size} entries are not those that the checkpoint signed: one of the two was changed"
    )]
    Fork {
        /// The checkpoint.
        name: String,
        /// Its size.
        size: u64,
    },
    /// A signed size that the ledger does not reach.
    #[error("the checkpoint covers {size} entries, and the ledger has {entries}: it was cut")]
    Truncated {
        /// The checkpoint.
        name: String,
        /// Its size.
        size: u64,
        /// How many there are.
        entries: u64,
    },
}

impl ProofError {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::File { source, .. } | Self::Making(source) => source.code(),
            Self::Checkpoint { source, .. } => source.code(),
            Self::RetiredKey { .. } => "prove.retired_key",
            Self::Tree(error) => error.code(),
            Self::Log(error) => error.code(),
            Self::NoCheckpoint { .. } => "prove.no_checkpoint",
            Self::NotCovered { .. } => "prove.not_covered",
            Self::SeveralEntries { .. } => "prove.several_entries",
            Self::Fork { .. } => "prove.fork",
            Self::Truncated { .. } => "prove.truncated",
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::File { source, .. } | Self::Making(source) => exit_of_file(source),
            Self::Checkpoint { source, .. } => exit_of_checkpoint(source),
            Self::RetiredKey { .. } => Exit::Unauthentic,
            Self::NoCheckpoint { .. } | Self::NotCovered { .. } | Self::SeveralEntries { .. } => {
                Exit::BadInput
            }
            Self::Tree(error) => exit_of_tree(error),
            Self::Log(CheckpointingError::Tree(error)) => exit_of_tree(error),
            Self::Log(CheckpointingError::Kept { .. }) => Exit::Unauthentic,
            Self::Log(CheckpointingError::Ledger(error)) => super::error::exit_of_ledger(error),
            Self::Log(CheckpointingError::Entry(fault)) => exit_of_entry(fault),
            Self::Log(_) | Self::Fork { .. } | Self::Truncated { .. } => Exit::Incomplete,
        }
    }

    /// Where it happened.
    pub(crate) fn place(&self) -> Option<String> {
        match self {
            Self::File { name, .. }
            | Self::Checkpoint { name, .. }
            | Self::Fork { name, .. }
            | Self::Truncated { name, .. } => Some(name.clone()),
            _ => None,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::File { source, .. } => hint_of_file(source),
            Self::Checkpoint { .. } => {
                Some("ask whoever gave the checkpoint; check that it is of this ledger, and its keys")
            }
            Self::RetiredKey { .. } => {
                Some("sign with a current key; `docs/proofs.md` says which role each form needs")
            }
            Self::NoCheckpoint { .. } => Some(
                "sign one with `proofline checkpoint`, or ask for the form cose or dsse, which signs for itself",
            ),
            Self::NotCovered { .. } => {
                Some("sign a newer checkpoint with `proofline checkpoint`, or give another --at")
            }
            Self::SeveralEntries { .. } => Some("give the number of the entry that is meant"),
            Self::Fork { .. } | Self::Truncated { .. } => {
                Some("keep the checkpoint: it shows that this is another history; run `proofline verify`")
            }
            Self::Making(ProofFileError::Cose(CoseError::EmptyPath)) => Some("ask for tlog-proof or dsse"),
            Self::Making(_) | Self::Tree(_) | Self::Log(_) => None,
        }
    }
}

const fn exit_of_entry(fault: &EntryFault) -> Exit {
    match fault {
        EntryFault::Damaged(_) => Exit::DamagedLedger,
        EntryFault::Archived(_) => Exit::BadInput,
        _ => Exit::SystemRefused,
    }
}

const fn exit_of_tree(error: &TreeError) -> Exit {
    match error {
        TreeError::Entry(fault) => exit_of_entry(fault),
        _ => Exit::BadInput,
    }
}

const fn exit_of_checkpoint(error: &CheckpointError) -> Exit {
    match error {
        CheckpointError::Note(_) | CheckpointError::Text(_) => Exit::BadInput,
        _ => Exit::Unauthentic,
    }
}

const fn exit_of_sign(error: &SignError) -> Exit {
    match error {
        SignError::Unavailable { .. } => Exit::SystemRefused,
        _ => Exit::Unauthentic,
    }
}

/// 4 for what is no proof at all, or not the one asked for; 2 where nothing fit to check with was given; 9 for one
/// that does not hold.
fn exit_of_file(error: &ProofFileError) -> Exit {
    match error {
        ProofFileError::NoTrust(_) | ProofFileError::Threshold(_) => Exit::Usage,
        ProofFileError::Dialect | ProofFileError::Kind(_) | ProofFileError::Text(_) => Exit::BadInput,
        ProofFileError::NoEntry => Exit::BadInput,
        ProofFileError::Checkpoint(error) => exit_of_checkpoint(error),
        ProofFileError::Cose(error) => match error {
            CoseError::Payload | CoseError::TreeSize { .. } | CoseError::Signature | CoseError::Tree(_) => {
                Exit::Unauthentic
            }
            CoseError::Sign(error) => exit_of_sign(error),
            CoseError::TooManyKeys(_) => Exit::Usage,
            _ => Exit::BadInput,
        },
        ProofFileError::Dsse(error) => match error {
            DsseError::Threshold { .. } => Exit::Unauthentic,
            DsseError::Sign(error) => exit_of_sign(error),
            _ => Exit::BadInput,
        },
        ProofFileError::Statement(
            StatementError::Json(_)
            | StatementError::Member(_)
            | StatementError::Type
            | StatementError::PredicateType(_),
        ) => Exit::BadInput,
        _ => Exit::Unauthentic,
    }
}

const fn hint_of_file(error: &ProofFileError) -> Option<&'static str> {
    match error {
        ProofFileError::Dialect => {
            Some("name a file that `proofline prove` wrote, or one of the forms of docs/proofs.md")
        }
        ProofFileError::Kind(_) => Some("give --old for a proof of consistency, and only for one"),
        ProofFileError::NoTrust(_) => Some("give --policy or --key, with a key of that role"),
        ProofFileError::Threshold(_) => Some("leave --threshold out for a receipt"),
        ProofFileError::NoEntry => Some("give the entry header with --entry"),
        ProofFileError::EnvelopeSpelling => {
            Some("canonicalize the envelope with `proofline canon` and ask again")
        }
        _ => Some("trust neither the file nor what came with it before its source explains this"),
    }
}
