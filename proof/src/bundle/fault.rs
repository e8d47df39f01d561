//! Why a bundle is not believed: the claim that broke first, with a stable code, a place and the step of
//! `docs/bundle.md` at which it broke.

use std::io;

use proofline_canon::Sha256Digest;
use proofline_trace::TraceId;
use thiserror::Error;

use crate::header::HeaderError;
use crate::ids::Seq;
use crate::key_list::KeyListError;
use crate::note::NoteError;
use crate::policy::{CheckpointError, PolicyError};
use crate::tree::TreeFault;
use crate::{CheckpointTextError, NodeHash};

use super::body::BodyError;

/// The steps of a verification, in order; the first that fails is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum BundleStep {
    /// 1: container and manifest.
    Container,
    /// 2: the checkpoint's form.
    Checkpoint,
    /// 3: the entries' form, order and links.
    Entries,
    /// 4: the entries stand in the signed log.
    Inclusion,
    /// 5: the ledger's first entry.
    Genesis,
    /// 6: the index entries and what they state.
    Cover,
    /// 7: nothing of a trace is missing.
    Completeness,
    /// 8: no key is missing.
    Keys,
    /// 9: nothing else is there.
    NothingElse,
    /// 10: who signed.
    Authenticity,
}

impl BundleStep {
    /// Its number in `docs/bundle.md`.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            BundleStep::Container => 1,
            BundleStep::Checkpoint => 2,
            BundleStep::Entries => 3,
            BundleStep::Inclusion => 4,
            BundleStep::Genesis => 5,
            BundleStep::Cover => 6,
            BundleStep::Completeness => 7,
            BundleStep::Keys => 8,
            BundleStep::NothingElse => 9,
            BundleStep::Authenticity => 10,
        }
    }

    /// The question that it answers.
    #[must_use]
    pub const fn question(self) -> Question {
        match self {
            BundleStep::Completeness | BundleStep::Keys => Question::Completeness,
            BundleStep::Authenticity => Question::Authenticity,
            _ => Question::Integrity,
        }
    }
}

/// What is asked of a bundle, each apart; what is erased is reported beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// Are these the entries and payloads of the log that the checkpoint states?
    Integrity,
    /// Is nothing of the traces and keys missing?
    Completeness,
    /// Did somebody whom the verifier believes sign it?
    Authenticity,
}

impl Question {
    /// Its name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Question::Integrity => "integrity",
            Question::Completeness => "completeness",
            Question::Authenticity => "authenticity",
        }
    }
}

/// What is wrong with a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BundleFault {
    /// The file does not begin as a bundle does.
    #[error("this is no bundle: it does not begin with the header of bundle.json")]
    NotABundle,
    /// A member's header is not the one that its name and length have.
    #[error("at byte {0} stands no member's header in its one spelling")]
    Header(u64),
    /// The file ends too early.
    #[error("the bundle ends at byte {0}, before its end")]
    Truncated(u64),
    /// Zeros are asked for.
    #[error("at byte {0} stands something where zeros fill a block")]
    Padding(u64),
    /// Something behind the end.
    #[error("something follows the bundle's end at byte {0}")]
    Surplus(u64),
    /// Another member was expected.
    #[error("{expected} is expected where {found} stands")]
    Member {
        /// What must stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A member is longer than any that is right.
    #[error("{name} is longer than {limit_bytes} bytes")]
    TooLong {
        /// The member.
        name: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// A bundle of a later format.
    #[error("the bundle is of version {0}; this program reads version 1")]
    Newer(String),
    /// The manifest is not what it has to be.
    #[error("bundle.json {what} (byte {at})")]
    Manifest {
        /// Where, in bytes from its start; 0 for all of it.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// No signed note.
    #[error("the checkpoint is no signed note: {0}")]
    Note(#[from] NoteError),
    /// A signed note, and no checkpoint.
    #[error("the checkpoint is none: {0}")]
    CheckpointText(#[from] CheckpointTextError),
    /// The checkpoint is of another log or size.
    #[error("the checkpoint states the {what} {found}, the bundle {expected}")]
    CheckpointOther {
        /// `origin` or `size`.
        what: &'static str,
        /// In the manifest.
        expected: String,
        /// In the checkpoint.
        found: String,
    },
    /// Lines that are no entry.
    #[error("entry {place} of the member entries is not a line of base64 and a line of its body")]
    EntryLines {
        /// Which one, counted from 1.
        place: u64,
    },
    /// Not a header.
    #[error("entry {place} of the member entries has no header: {source}")]
    EntryHeader {
        /// Which one, counted from 1.
        place: u64,
        /// Why.
        source: HeaderError,
    },
    /// Entries that do not ascend.
    #[error("entry {0} stands behind a later one or itself")]
    EntryOrder(Seq),
    /// An entry that the checkpoint does not cover.
    #[error("entry {seq} is not among the {size} that the checkpoint covers")]
    PastSize {
        /// The entry.
        seq: Seq,
        /// The size.
        size: u64,
    },
    /// A body with another hash.
    #[error("the body of entry {0} is not the one whose hash its header holds")]
    BodyHash(Seq),
    /// A body that is not what its kind asks for.
    #[error("the body of entry {seq} is not what its kind asks for: {source}")]
    BodyForm {
        /// The entry.
        seq: Seq,
        /// Why.
        source: BodyError,
    },
    /// A body of another trace than its header's.
    #[error("the body of entry {0} is of another trace than its header says")]
    OtherTrace(Seq),
    /// Neighbours that are not linked.
    #[error("entry {0} does not carry the leaf hash of the one before it")]
    Link(Seq),
    /// The proof of inclusion is no list of hashes.
    #[error("line {0} of log.proof is no hash")]
    ProofLine(u64),
    /// The proof does not lead to a root.
    #[error("log.proof does not go with the entries: {0}")]
    Proof(TreeFault),
    /// The proof leads to another root.
    #[error("the entries and log.proof lead to the root {found}; {expected} was signed")]
    Root {
        /// In the checkpoint.
        expected: NodeHash,
        /// What the entries give.
        found: NodeHash,
    },
    /// The genesis entry is missing, withheld, or that of another ledger.
    #[error("the genesis entry {0}")]
    Genesis(&'static str),
    /// An index entry of the cover is missing, withheld or none.
    #[error("entry {0} of the cover is no index entry with its body")]
    NoIndexEntry(Seq),
    /// Ranges that do not meet.
    #[error("the range of index entry {seq} begins at {from}; the cover goes on at {expected}")]
    CoverGap {
        /// The index entry.
        seq: Seq,
        /// Its `from`.
        from: u64,
        /// The next of the cover, or 0.
        expected: u64,
    },
    /// What should be leaves and hashes is something else.
    #[error("line {line} of what index entry {seq} says is neither a leaf nor a hash that can stand there")]
    IndexLine {
        /// The index entry.
        seq: Seq,
        /// The line, from 1.
        line: u64,
    },
    /// The leaves and hashes do not go together.
    #[error("the leaves and hashes of index entry {seq} do not go together: {source}")]
    IndexProof {
        /// The index entry.
        seq: Seq,
        /// Why.
        source: TreeFault,
    },
    /// They lead to another root.
    #[error("the leaves shown for index entry {seq} lead to the root {found}; it states {expected}")]
    IndexRoot {
        /// The index entry.
        seq: Seq,
        /// What it states.
        expected: NodeHash,
        /// What the leaves give.
        found: NodeHash,
    },
    /// The leaves that would show something are not there.
    #[error(
        "index entry {seq} shows neither trace {trace} nor the two neighbours that leave no place for it"
    )]
    IndexSilent {
        /// The index entry.
        seq: Seq,
        /// The trace.
        trace: TraceId,
    },
    /// Leaves that show nothing that was asked for.
    #[error("index entry {seq} shows leaves that nothing asks for")]
    IndexSurplus {
        /// The index entry.
        seq: Seq,
    },
    /// Another number of entries than the index states.
    #[error("the log has {listed} entries of trace {trace}, and {found} are here")]
    TraceCount {
        /// The trace.
        trace: TraceId,
        /// What the index states.
        listed: u64,
        /// What is here.
        found: u64,
    },
    /// Entries of a trace that are not linked.
    #[error(
        "entry {seq} of trace {trace} does not follow the one before it in the trace: one is missing or too many"
    )]
    TraceLink {
        /// The trace.
        trace: TraceId,
        /// The entry.
        seq: Seq,
    },
    /// The trace ends elsewhere.
    #[error("the last entry of trace {trace} is not the one that the index states")]
    TraceLast {
        /// The trace.
        trace: TraceId,
    },
    /// The manifest says another number.
    #[error("bundle.json says {stated} entries of trace {trace}; there are {found}")]
    TraceStated {
        /// The trace.
        trace: TraceId,
        /// In the manifest.
        stated: u64,
        /// What is here.
        found: u64,
    },
    /// Another number of key entries than the index states.
    #[error("the log has {listed} key entries, and {found} are here")]
    KeyCount {
        /// What the index states.
        listed: u64,
        /// What is here.
        found: u64,
    },
    /// A key entry that no ledger would have let in.
    #[error("the key entry {seq} breaks the rules of the list: {source}")]
    KeyRule {
        /// The entry.
        seq: Seq,
        /// Why.
        source: KeyListError,
    },
    /// An entry that does not belong there.
    #[error("entry {0} belongs to none of the traces and is none of the other sorts of entries a bundle has")]
    StrayEntry(Seq),
    /// A body that must not be withheld.
    #[error("the body of entry {0} must not be withheld")]
    MustNotWithhold(Seq),
    /// The list of withheld bodies is another.
    #[error("bundle.json and the entries differ about whether the body of entry {0} is withheld")]
    WithheldList(Seq),
    /// A payload that is listed and named by nobody, or named and not listed.
    #[error("the payload {0} is listed or named by a body at hand, and not both")]
    PayloadList(Sha256Digest),
    /// An included payload is missing, or one is there that is not listed as included.
    #[error("the payload {0} is listed as included or is there, and not both")]
    PayloadMember(Sha256Digest),
    /// Bytes with another hash.
    #[error("the bytes of the payload {0} have another hash")]
    PayloadBytes(Sha256Digest),
    /// An erasure entry that is none, or of another payload.
    #[error("entry {seq}, which is to say why the payload {sha256} was erased, does not")]
    ErasedBy {
        /// The payload.
        sha256: Sha256Digest,
        /// The entry.
        seq: Seq,
    },
    /// The list of schemas is not that of the bodies at hand.
    #[error("bundle.json lists other schemas than the published ones of the bodies at hand")]
    Schemas,
    /// Keys that cannot be told apart.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The checkpoint is not believed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl BundleFault {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            BundleFault::NotABundle => "bundle.not_a_bundle",
            BundleFault::Header(_) => "bundle.header",
            BundleFault::Truncated(_) => "bundle.truncated",
            BundleFault::Padding(_) => "bundle.padding",
            BundleFault::Surplus(_) => "bundle.surplus",
            BundleFault::Member { .. } => "bundle.member",
            BundleFault::TooLong { .. } => "bundle.too_long",
            BundleFault::Newer(_) => "bundle.newer",
            BundleFault::Manifest { .. } => "bundle.manifest",
            BundleFault::Note(_) | BundleFault::CheckpointText(_) => "bundle.checkpoint",
            BundleFault::CheckpointOther { .. } => "bundle.checkpoint_other",
            BundleFault::EntryLines { .. } => "bundle.entry_lines",
            BundleFault::EntryHeader { .. } => "bundle.entry_header",
            BundleFault::EntryOrder(_) => "bundle.entry_order",
            BundleFault::PastSize { .. } => "bundle.past_size",
            BundleFault::BodyHash(_) => "bundle.body_hash",
            BundleFault::BodyForm { .. } => "bundle.body_form",
            BundleFault::OtherTrace(_) => "bundle.other_trace",
            BundleFault::Link(_) => "bundle.link",
            BundleFault::ProofLine(_) | BundleFault::Proof(_) => "bundle.proof",
            BundleFault::Root { .. } => "bundle.root",
            BundleFault::Genesis(_) => "bundle.genesis",
            BundleFault::NoIndexEntry(_) | BundleFault::CoverGap { .. } => "bundle.cover",
            BundleFault::IndexLine { .. } | BundleFault::IndexProof { .. } => "bundle.index",
            BundleFault::IndexRoot { .. } => "bundle.index_root",
            BundleFault::IndexSilent { .. } => "bundle.index_silent",
            BundleFault::IndexSurplus { .. } => "bundle.index_surplus",
            BundleFault::TraceCount { .. } => "bundle.trace_count",
            BundleFault::TraceLink { .. } => "bundle.trace_link",
            BundleFault::TraceLast { .. } => "bundle.trace_last",
            BundleFault::TraceStated { .. } => "bundle.trace_stated",
            BundleFault::KeyCount { .. } => "bundle.key_count",
            BundleFault::KeyRule { .. } => "bundle.key_rule",
            BundleFault::StrayEntry(_) => "bundle.stray_entry",
            BundleFault::MustNotWithhold(_) | BundleFault::WithheldList(_) => "bundle.withheld",
            BundleFault::PayloadList(_) => "bundle.payload_list",
            BundleFault::PayloadMember(_) => "bundle.payload_member",
            BundleFault::PayloadBytes(_) => "bundle.payload_bytes",
            BundleFault::ErasedBy { .. } => "bundle.erased_by",
            BundleFault::Schemas => "bundle.schemas",
            BundleFault::Policy(error) => error.code(),
            BundleFault::Checkpoint(error) => error.code(),
        }
    }

    /// The step at which it breaks.
    #[must_use]
    pub const fn step(&self) -> BundleStep {
        match self {
            BundleFault::NotABundle
            | BundleFault::Header(_)
            | BundleFault::Truncated(_)
            | BundleFault::Padding(_)
            | BundleFault::Surplus(_)
            | BundleFault::Member { .. }
            | BundleFault::TooLong { .. }
            | BundleFault::Newer(_)
            | BundleFault::Manifest { .. } => BundleStep::Container,
            BundleFault::Note(_) | BundleFault::CheckpointText(_) | BundleFault::CheckpointOther { .. } => {
                BundleStep::Checkpoint
            }
            BundleFault::EntryLines { .. }
            | BundleFault::EntryHeader { .. }
            | BundleFault::EntryOrder(_)
            | BundleFault::PastSize { .. }
            | BundleFault::BodyHash(_)
            | BundleFault::BodyForm { .. }
            | BundleFault::OtherTrace(_)
            | BundleFault::Link(_) => BundleStep::Entries,
            BundleFault::ProofLine(_) | BundleFault::Proof(_) | BundleFault::Root { .. } => {
                BundleStep::Inclusion
            }
            BundleFault::Genesis(_) => BundleStep::Genesis,
            BundleFault::NoIndexEntry(_)
            | BundleFault::CoverGap { .. }
            | BundleFault::IndexLine { .. }
            | BundleFault::IndexProof { .. }
            | BundleFault::IndexRoot { .. } => BundleStep::Cover,
            BundleFault::IndexSilent { .. }
            | BundleFault::IndexSurplus { .. }
            | BundleFault::TraceCount { .. }
            | BundleFault::TraceLink { .. }
            | BundleFault::TraceLast { .. }
            | BundleFault::TraceStated { .. } => BundleStep::Completeness,
            BundleFault::KeyCount { .. } | BundleFault::KeyRule { .. } => BundleStep::Keys,
            BundleFault::StrayEntry(_)
            | BundleFault::MustNotWithhold(_)
            | BundleFault::WithheldList(_)
            | BundleFault::PayloadList(_)
            | BundleFault::PayloadMember(_)
            | BundleFault::PayloadBytes(_)
            | BundleFault::ErasedBy { .. }
            | BundleFault::Schemas => BundleStep::NothingElse,
            BundleFault::Policy(_) | BundleFault::Checkpoint(_) => BundleStep::Authenticity,
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            BundleFault::NotABundle => "name a file that `proofline bundle create` wrote",
            BundleFault::Newer(_) => "read it with the version of the program that wrote it, or a later one",
            BundleFault::Truncated(_) => "copy the file again, whole",
            BundleFault::Policy(_) | BundleFault::Checkpoint(_) => {
                "get the log's public key from the log itself, and check which one this is"
            }
            _ => match self.step().question() {
                Question::Completeness => {
                    "something was left out: ask for the bundle again, and keep this one"
                }
                _ => "the file was changed or mixed up: ask for the bundle again, and keep this one",
            },
        }
    }
}

/// Why a bundle was not read or written to its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The bundle is not what it has to be.
    #[error(transparent)]
    Fault(#[from] BundleFault),
    /// The file cannot be read or written.
    #[error("the bundle cannot be read or written: {0}")]
    Io(#[from] io::Error),
    /// What is to be withheld is not there.
    #[error("the bundle has no {0} that could be withheld")]
    NotThere(String),
}

impl BundleError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            BundleError::Fault(fault) => fault.code(),
            BundleError::Io(_) => "bundle.io",
            BundleError::NotThere(_) => "bundle.not_there",
        }
    }
}
