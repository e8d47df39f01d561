//! Why keys, notes and signatures were refused: code, sentence, place, what to do, and exit code.

use proofline::ledger::{ArtifactRefusal, CheckpointingError, EntryFault, TreeError};
use proofline::proof::files::dsse::DsseError;
use proofline::proof::{
    CheckpointError, CheckpointTextError, KeyError, KeyListError, NoteError, PolicyError, SignError, TsaError,
};

use super::error::{CliError, exit_of_ledger, place_of};
use super::exit::Exit;

/// What was refused of keys, notes and signatures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SigningError {
    /// What was given as a key is none, or not of the kind wanted.
    #[error("{source}")]
    Key {
        /// The file, or the argument. Never the key.
        name: String,
        /// What is wrong with it.
        source: KeyError,
    },
    /// Others than its owner can read or change a secret key.
    #[error("others can read or change this secret key: its file has the mode {mode:03o}")]
    Permissions {
        /// The file.
        name: String,
        /// The mode's last nine bits.
        mode: u32,
    },
    /// A file of that name is there; keys are never written over.
    #[error("{name} exists, and a key is never written over")]
    Exists {
        /// The file.
        name: String,
    },
    /// There is no PEM of an ML-DSA-44 key.
    #[error("there is no PEM form of a {0} key")]
    NoPem(proofline::proof::KeyRole),
    /// There is no signature.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// No checkpoint was signed or kept.
    #[error(transparent)]
    Checkpointing(#[from] CheckpointingError),
    /// A file that is no signed note.
    #[error("{source}")]
    Note {
        /// The file.
        name: String,
        /// What is wrong with it.
        source: NoteError,
    },
    /// A note that is not believed.
    #[error("{source}")]
    Checkpoint {
        /// The file.
        name: String,
        /// Why.
        source: Box<CheckpointError>,
    },
    /// A policy file, or keys that make none.
    #[error("{source}")]
    Policy {
        /// The file, or `the keys given`.
        name: String,
        /// What is wrong with it.
        source: PolicyError,
    },
    /// A timestamp that is none, or is of another text.
    #[error("{source}")]
    Timestamp {
        /// The file.
        name: String,
        /// What is wrong with it.
        source: TsaError,
    },
    /// A file of DSSE that is none.
    #[error("{source}")]
    Dsse {
        /// The file.
        name: String,
        /// What is wrong with it.
        source: DsseError,
    },
    /// A checkpoint of another log than the ledger it was to be compared with.
    #[error("the checkpoint is of the log {found}, the ledger's origin is {origin}")]
    OtherLedger {
        /// In the note.
        found: String,
        /// In the ledger.
        origin: String,
    },
    /// A checkpoint of more entries than there are.
    #[error("the checkpoint covers {size} entries and the ledger has {entries}: some are missing")]
    PastEnd {
        /// Of the checkpoint.
        size: u64,
        /// Of the ledger.
        entries: u64,
    },
    /// A checkpoint of another history.
    #[error("the ledger's first {size} entries are not those that the checkpoint signed: the log has forked")]
    Fork {
        /// Of the checkpoint.
        size: u64,
    },
    /// The tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The gate of artifacts and system entries says no; nothing was kept.
    #[error("{source}")]
    Refused {
        /// What was refused.
        name: String,
        /// Why.
        source: ArtifactRefusal,
    },
}

impl SigningError {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Key { source, .. } => source.code(),
            Self::Permissions { .. } => "key.permissions",
            Self::Exists { .. } => "key.exists",
            Self::NoPem(_) => "key.no_pem",
            Self::Sign(error) => error.code(),
            Self::Checkpointing(error) => error.code(),
            Self::Note { source, .. } => source.code(),
            Self::Checkpoint { source, .. } => source.code(),
            Self::Policy { source, .. } => source.code(),
            Self::Timestamp { source, .. } => source.code(),
            Self::Dsse { source, .. } => source.code(),
            Self::OtherLedger { .. } => "checkpoint.other_ledger",
            Self::PastEnd { .. } => "checkpoint.past_end",
            Self::Fork { .. } => "checkpoint.fork",
            Self::Tree(error) => error.code(),
            Self::Refused { source, .. } => source.code(),
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Checkpoint { source, .. } => exit_of_checkpoint(source),
            Self::Timestamp { source: TsaError::Imprint, .. } => Exit::Unauthentic,
            Self::PastEnd { .. } | Self::Fork { .. } => Exit::Incomplete,
            Self::Tree(error) => exit_of_tree(error),
            Self::Sign(error) => exit_of_sign(error),
            Self::Checkpointing(error) => exit_of_checkpointing(error),
            Self::Refused { source, .. } => exit_of_refusal(source),
            Self::NoPem(_) => Exit::Usage,
            Self::Key { .. }
            | Self::Permissions { .. }
            | Self::Exists { .. }
            | Self::Note { .. }
            | Self::Policy { .. }
            | Self::Timestamp { .. }
            | Self::Dsse { .. }
            | Self::OtherLedger { .. } => Exit::BadInput,
        }
    }

    /// Where it happened.
    pub(crate) fn place(&self) -> Option<String> {
        match self {
            Self::Key { name, .. }
            | Self::Permissions { name, .. }
            | Self::Exists { name }
            | Self::Note { name, .. }
            | Self::Checkpoint { name, .. }
            | Self::Policy { name, .. }
            | Self::Timestamp { name, .. }
            | Self::Dsse { name, .. }
            | Self::Refused { name, .. } => Some(name.clone()),
            Self::Checkpointing(CheckpointingError::Entry(EntryFault::Damaged(damage)))
            | Self::Tree(TreeError::Entry(EntryFault::Damaged(damage))) => Some(place_of(damage)),
            _ => None,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Key { source, .. } => Some(hint_of_key(*source)),
            Self::Permissions { .. } => {
                Some("run `chmod 600` on it; if somebody else may have read it, retire the key")
            }
            Self::Exists { .. } => Some("choose another name, or move the old key away"),
            Self::NoPem(_) => Some("leave --pem out"),
            Self::Sign(error) => hint_of_sign(error),
            Self::Checkpointing(error) => hint_of_checkpointing(error),
            Self::Note { .. } => Some("copy the whole note again, as bytes"),
            Self::Checkpoint { source, .. } => Some(hint_of_checkpoint(source)),
            Self::Policy { .. } => Some(
                "a policy is lines of log KEY, witness NAME KEY, group NAME K MEMBER..., and one of quorum NAME",
            ),
            Self::Timestamp { source, .. } => Some(hint_of_timestamp(source)),
            Self::Dsse { .. } => Some("give what `proofline attest --offline` printed"),
            Self::OtherLedger { .. } => Some("name the ledger of that origin"),
            Self::PastEnd { .. } | Self::Fork { .. } => {
                Some("keep the checkpoint, it is the evidence; compare with a copy of the ledger")
            }
            Self::Tree(_) => Some("run `proofline verify`, then `proofline reindex`"),
            Self::Refused { source, .. } => hint_of_refusal(source),
        }
    }
}

impl From<CheckpointingError> for CliError {
    fn from(error: CheckpointingError) -> Self {
        match error {
            CheckpointingError::Ledger(error) => error.into(),
            CheckpointingError::Entry(fault) => fault.into(),
            other => SigningError::from(other).into(),
        }
    }
}

impl From<SignError> for CliError {
    fn from(error: SignError) -> Self {
        SigningError::from(error).into()
    }
}

/// What is no note or no checkpoint is bad input; what is one and was not signed as it says is not authentic.
const fn exit_of_checkpoint(error: &CheckpointError) -> Exit {
    match error {
        CheckpointError::Note(_) | CheckpointError::Text(_) => Exit::BadInput,
        _ => Exit::Unauthentic,
    }
}

const fn exit_of_sign(error: &SignError) -> Exit {
    match error {
        SignError::Unavailable { .. } => Exit::SystemRefused,
        SignError::Unverified { .. } => Exit::Unauthentic,
        _ => Exit::BadInput,
    }
}

const fn exit_of_tree(error: &TreeError) -> Exit {
    match error {
        TreeError::Entry(EntryFault::Damaged(_)) => Exit::DamagedLedger,
        TreeError::Entry(EntryFault::Archived(_)) => Exit::BadInput,
        TreeError::Entry(_) => Exit::SystemRefused,
        _ => Exit::BadInput,
    }
}

fn exit_of_checkpointing(error: &CheckpointingError) -> Exit {
    match error {
        CheckpointingError::Ledger(error) => exit_of_ledger(error),
        CheckpointingError::Entry(EntryFault::Damaged(_)) => Exit::DamagedLedger,
        CheckpointingError::Entry(EntryFault::Archived(_)) => Exit::BadInput,
        CheckpointingError::Entry(_) => Exit::SystemRefused,
        CheckpointingError::Tree(error) => exit_of_tree(error),
        CheckpointingError::Sign(error) => exit_of_sign(error),
        CheckpointingError::Kept { .. } | CheckpointingError::Lines { .. } => Exit::Unauthentic,
        CheckpointingError::Fork { .. } | CheckpointingError::OtherText { .. } => Exit::Incomplete,
        _ => Exit::BadInput,
    }
}

const fn exit_of_refusal(refusal: &ArtifactRefusal) -> Exit {
    match refusal {
        ArtifactRefusal::Signature(_)
        | ArtifactRefusal::Keys(KeyListError::Possession(_) | KeyListError::Endorsement(_)) => {
            Exit::Unauthentic
        }
        _ => Exit::BadInput,
    }
}

fn hint_of_key(error: KeyError) -> &'static str {
    match error {
        KeyError::Name => "choose a name like a URL without its scheme, such as log.example/desk",
        KeyError::Role => "use one of those",
        KeyError::Kind("public") => "name the file that ends in .pub; a secret key goes nowhere else",
        KeyError::Kind(_) => "name the file that `proofline keygen` wrote, without .pub",
        KeyError::Type | KeyError::Weak => "use a key that `proofline keygen` made",
        _ => "copy the whole key again; a character may be wrong or missing",
    }
}

const fn hint_of_sign(error: &SignError) -> Option<&'static str> {
    match error {
        SignError::Role { .. } => Some("name a key of that role: `proofline keygen --role`"),
        SignError::Origin { .. } => Some("sign with the key whose name is the origin"),
        SignError::Message { .. } => Some("cosign with an Ed25519 key, and check the clock"),
        _ => None,
    }
}

const fn hint_of_checkpointing(error: &CheckpointingError) -> Option<&'static str> {
    match error {
        CheckpointingError::NoSigner => Some("name a key with --key"),
        CheckpointingError::NotCurrent { .. } => {
            Some("`proofline keys` lists those that are; `proofline keys add` adds one")
        }
        CheckpointingError::Sign(error) => hint_of_sign(error),
        CheckpointingError::Kept { .. } => {
            Some("run `proofline verify`, and put back the file that was signed")
        }
        CheckpointingError::Fork { .. } | CheckpointingError::OtherText { .. } => {
            Some("sign nothing; compare with a copy of the ledger")
        }
        CheckpointingError::NotKept { .. } => Some("take a note from the ledger's checkpoints/"),
        CheckpointingError::Lines { .. } => Some("trust nothing in this note; ask where it comes from"),
        CheckpointingError::Tree(_) => Some("run `proofline verify`, then `proofline reindex`"),
        _ => None,
    }
}

const fn hint_of_checkpoint(error: &CheckpointError) -> &'static str {
    match error {
        CheckpointError::Note(_) => "copy the whole note again, as bytes",
        CheckpointError::Signature { .. } => "trust nothing in the note; ask where it comes from",
        CheckpointError::OtherLog { .. } => "ask for the checkpoint of the log you want",
        CheckpointError::NoLog { .. } => "give the log's key, if you have it from the log itself",
        CheckpointError::Quorum { .. } => "collect more cosignatures",
        CheckpointError::Timestamp { error, .. } => hint_of_timestamp(error),
        CheckpointError::Extensions => "ask for an Ed25519 signature of the log as well",
        _ => "ask who signed it what it is",
    }
}

const fn hint_of_timestamp(error: &TsaError) -> &'static str {
    match error {
        TsaError::Imprint => "ask for a timestamp of this checkpoint's text, with SHA-256",
        TsaError::Hash => "ask for one with SHA-256",
        TsaError::Refused(_) => "see why: `openssl ts -reply -text -in FILE`",
        _ => "name the file that the authority sent",
    }
}

fn hint_of_refusal(refusal: &ArtifactRefusal) -> Option<&'static str> {
    match refusal {
        ArtifactRefusal::UnknownProducer(_) => Some("add the key first: `proofline keys add`"),
        ArtifactRefusal::Signature(_) => Some("sign the envelope's hash again"),
        ArtifactRefusal::Keys(error) => Some(hint_of_list(error)),
        _ => None,
    }
}

fn hint_of_list(error: &KeyListError) -> &'static str {
    match error {
        KeyListError::Key(error) => hint_of_key(*error),
        KeyListError::Role(_) => "put it into a policy file: witness NAME KEY",
        KeyListError::Name { .. } => "make one with `proofline keygen` and the origin as its name",
        KeyListError::Listed(_) => "make a new key; a retired one never comes back",
        KeyListError::NotCurrent(_) => "`proofline keys` lists those that are",
        KeyListError::Unendorsed(_) => "name a current log key with --by",
        KeyListError::Endorser(_) => "name another with --by; `proofline keys` lists them",
        _ => "make the record again, for this ledger",
    }
}

/// A text that is no checkpoint, as the refusal of the note in this file.
pub(crate) fn no_checkpoint(name: String, error: CheckpointTextError) -> CliError {
    SigningError::Checkpoint { name, source: Box::new(CheckpointError::Text(error)) }.into()
}
