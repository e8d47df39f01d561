//! What a verifier brings and what it gets: trust, an entry or an older tree from outside, and an
//! answer of one shape for every dialect, which says what a signature bound and what none did.

use std::num::NonZeroUsize;

use proofline_canon::{Limits, Profile, Sha256Digest, canonicalize};

use crate::Checkpoint;
use crate::Policy;
use crate::files::error::ProofFileError;
use crate::header::EntryHeader;
use crate::ids::{LeafHash, NodeHash};
use crate::key::VerifierKey;

/// The three forms of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// A text with a checkpoint: C2SP tlog-proof, or the request to a witness.
    Tlog,
    /// A COSE receipt.
    Cose,
    /// An in-toto statement in a DSSE envelope.
    Dsse,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Dialect; 3] = [Dialect::Tlog, Dialect::Cose, Dialect::Dsse];

    /// Its name on command lines and in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Dialect::Tlog => "tlog",
            Dialect::Cose => "cose",
            Dialect::Dsse => "dsse",
        }
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whom a verifier believes. Each dialect uses its own part: what a log's key signed is no receipt.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// For checkpoints: keys of logs, witnesses and their quorum.
    pub policy: Option<&'a Policy>,
    /// For receipts the keys of role cose, for statements those of role dsse.
    pub keys: &'a [VerifierKey],
    /// How many distinct keys must have signed; a receipt, which has one signature, needs 1 here.
    pub threshold: NonZeroUsize,
}

impl<'a> Trust<'a> {
    /// Checkpoints that this policy believes.
    #[must_use]
    pub const fn policy(policy: &'a Policy) -> Self {
        Trust { policy: Some(policy), keys: &[], threshold: NonZeroUsize::MIN }
    }

    /// Receipts and statements that any one of these keys signed.
    #[must_use]
    pub const fn keys(keys: &'a [VerifierKey]) -> Self {
        Trust { policy: None, keys, threshold: NonZeroUsize::MIN }
    }
}

/// What comes with an inclusion proof from outside of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// The entry's bytes: of this ledger its header, of other logs whatever they hash as a leaf.
    /// What travels with a text or a receipt is then not read.
    pub entry: Option<&'a [u8]>,
    /// The envelope that the entry is said to be about.
    pub envelope: Option<&'a [u8]>,
}

/// The older tree that a consistency proof has to begin with, as the verifier knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldTree {
    /// Its log, where that is known.
    pub origin: Option<String>,
    /// How many entries it has.
    pub size: u64,
    /// Its root.
    pub root: NodeHash,
}

impl OldTree {
    /// The tree of this size with this root, of whatever log.
    #[must_use]
    pub const fn new(size: u64, root: NodeHash) -> Self {
        OldTree { origin: None, size, root }
    }

    /// The tree of an older checkpoint that the policy believes.
    ///
    /// # Errors
    /// [`ProofFileError::Checkpoint`].
    pub fn of_checkpoint(note: &[u8], policy: &Policy) -> Result<Self, ProofFileError> {
        let verified = policy.verify(note)?;
        Ok(OldTree::from(verified.checkpoint()))
    }
}

impl From<&Checkpoint> for OldTree {
    fn from(checkpoint: &Checkpoint) -> Self {
        OldTree {
            origin: Some(checkpoint.origin().to_owned()),
            size: checkpoint.size(),
            root: *checkpoint.root(),
        }
    }
}

/// A thing that a proof states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fact {
    /// Of which log it is.
    Origin,
    /// How many entries the tree has, the newer one of two.
    Size,
    /// The tree's root, the newer one of two.
    Root,
    /// The entry's index.
    Index,
    /// The entry, by its leaf hash, and so the header and the envelope hash in it.
    Entry,
}

impl Fact {
    /// The fact's name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Fact::Origin => "origin",
            Fact::Size => "size",
            Fact::Root => "root",
            Fact::Index => "index",
            Fact::Entry => "entry",
        }
    }
}

/// Who signed, and what follows from their signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backing {
    /// The form of the proof.
    pub dialect: Dialect,
    /// The log, where a signature names it.
    pub origin: Option<String>,
    /// The keys that signed, as `name+hex8`.
    pub signers: Vec<String>,
    /// The witnesses of the policy that cosigned, as it names their keys.
    pub witnesses: Vec<String>,
    /// When it was signed, in Unix seconds, where a signature covers that: the signer's word.
    pub signed_at_s: Option<i64>,
    /// What a change would have made the proof fail.
    pub bound: Vec<Fact>,
    /// What the proof states and no signature covers: others may have written it.
    pub unbound: Vec<Fact>,
}

/// An inclusion proof that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedInclusion {
    /// Who says so.
    pub backing: Backing,
    /// The entry's index.
    pub index: u64,
    /// The tree's size.
    pub size: u64,
    /// The tree's root.
    pub root: NodeHash,
    /// The entry's leaf hash.
    pub leaf: LeafHash,
    /// The entry header; none when the entry given is of another kind of log.
    pub header: Option<EntryHeader>,
    /// True when an envelope was given and is the one whose hash the header holds.
    pub envelope_matches: bool,
}

/// A consistency proof that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedConsistency {
    /// Who says so.
    pub backing: Backing,
    /// The older tree, as it was given.
    pub old: OldTree,
    /// The newer size.
    pub new_size: u64,
    /// The newer root.
    pub new_root: NodeHash,
}

/// An entry whose leaf hash a proof has to begin with.
pub(super) struct Entry {
    pub(super) leaf: LeafHash,
    pub(super) header: Option<EntryHeader>,
}

impl Entry {
    /// The entry that was given, else the one that travelled, which has to be one of ours.
    pub(super) fn choose(given: Option<&[u8]>, travelled: Option<&[u8]>) -> Result<Self, ProofFileError> {
        if let Some(bytes) = given {
            return Ok(Entry { leaf: LeafHash::of_header(bytes), header: EntryHeader::decode(bytes).ok() });
        }
        let bytes = travelled.ok_or(ProofFileError::NoEntry)?;
        Ok(Entry { leaf: LeafHash::of_header(bytes), header: Some(EntryHeader::decode(bytes)?) })
    }

    /// Checks the header's number, and the envelope if there is one. True when there is.
    pub(super) fn check(&self, index: u64, envelope: Option<&[u8]>) -> Result<bool, ProofFileError> {
        if let Some(found) = self.header.as_ref().map(|header| header.seq.get()).filter(|seq| *seq != index) {
            return Err(ProofFileError::Seq { claimed: index, found });
        }
        let Some(envelope) = envelope else { return Ok(false) };
        let header = self.header.as_ref().ok_or(ProofFileError::NoHeader)?;
        let expected = header.envelope_hash.digest();
        let found = Sha256Digest::of(envelope);
        if found == expected {
            return Ok(true);
        }
        let canonical = canonicalize(envelope, Profile::Envelope, &Limits::ENVELOPE);
        match canonical {
            Ok(bytes) if Sha256Digest::of(&bytes) == expected => Err(ProofFileError::EnvelopeSpelling),
            _ => Err(ProofFileError::Envelope { expected, found }),
        }
    }
}
