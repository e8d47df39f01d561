//! What goes into a commit and what comes out: actions, outcomes, and the limits of both.

use proofline_canon::Limits;
use proofline_trace::{EnvelopeHash, Rejection};

use crate::error::{ArtifactRefusal, LedgerError};
use crate::frame::MAX_BODY_BYTES;
use crate::gate::Submission;
use proofline_proof::Seq;

/// How a ledger is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// A segment that would grow beyond this many bytes is followed by a new one.
    pub segment_bytes: u64,
    /// At most this many records share a sync.
    pub group_records: usize,
    /// At most about this many bytes share a sync; one record may exceed it.
    pub group_bytes: usize,
    /// Limits of an envelope's bytes as they come.
    pub limits: Limits,
}

impl Default for Options {
    /// Segments of 64 MiB, groups of 4,096 records or 8 MiB, envelopes of 1 MiB and depth 64.
    fn default() -> Self {
        Options {
            segment_bytes: 64 << 20,
            group_records: 4096,
            group_bytes: 8 << 20,
            limits: Limits::ENVELOPE,
        }
    }
}

impl Options {
    pub(crate) fn check(&self) -> Result<(), LedgerError> {
        let ranges = [
            ("segment_bytes", self.segment_bytes, 4096, 1 << 30),
            ("group_records", self.group_records as u64, 1, 1 << 20),
            ("group_bytes", self.group_bytes as u64, 1, 1 << 28),
            ("limits.max_bytes", self.limits.max_bytes() as u64, 1, MAX_BODY_BYTES as u64),
        ];
        for (option, found, least, most) in ranges {
            if found < least || found > most {
                return Err(LedgerError::Option { option, found, least, most });
            }
        }
        Ok(())
    }
}

/// What somebody asks to have appended.
#[derive(Clone, Copy, Debug)]
pub enum Action<'a> {
    /// An envelope, through the gate of section 4.
    Evidence(Submission<'a>),
    /// A line of an evidence file, as [`crate::EvidenceLine`] reads it: an envelope, or one in a wrapper.
    /// A wrapper that is none is refused, and not kept.
    Line(&'a [u8]),
    /// An artifact's canonical bytes, through the gate of its kind (section 7).
    Artifact(&'a [u8]),
    /// A system entry's canonical bytes, through the gate of its kind (section 7).
    System(&'a [u8]),
}

impl Action<'_> {
    /// Bytes that it brings.
    pub(crate) const fn size_bytes(&self) -> usize {
        match self {
            Action::Evidence(submission) => submission.envelope.len(),
            Action::Line(bytes) | Action::Artifact(bytes) | Action::System(bytes) => bytes.len(),
        }
    }
}

/// What became of an action; given only when all it rests on is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// In the ledger.
    Accepted {
        /// SHA-256 of the canonical bytes.
        envelope_hash: EnvelopeHash,
        /// Where it is.
        seq: Seq,
        /// True when it was there before; then nothing was appended.
        duplicate: bool,
    },
    /// Refused by the gate.
    Refused {
        /// Why.
        rejection: Rejection,
        /// SHA-256 of the canonical bytes, when there are any.
        envelope_hash: Option<EnvelopeHash>,
        /// Where the attempt is kept, when the contract keeps it.
        seq: Option<Seq>,
    },
    /// An artifact or a system entry that the rule of its kind refuses; nothing is kept.
    ArtifactRefused(ArtifactRefusal),
}
