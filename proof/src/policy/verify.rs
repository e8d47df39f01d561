//! From the bytes of a note to a checkpoint that a policy believes, in the order of C2SP
//! tlog-checkpoint: signatures first, then what the text says, then the quorum.

use std::collections::BTreeSet;

use thiserror::Error;

use super::{Party, Policy, PolicyKey};
use crate::checkpoint::{Checkpoint, CheckpointTextError};
use crate::cosignature;
use crate::key::{KeyRole, VerifierKey};
use crate::note::{Note, NoteError, NoteSignature};
use crate::timestamp::{NoteTimestamp, TsaError};

/// Why a policy does not believe a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// No signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A line of a known key that this key did not make. Nothing else in the note counts.
    #[error("a signature of {key} does not verify; the note was changed, or is a forgery")]
    Signature {
        /// The key, as `name+hex8`.
        key: String,
    },
    /// Signed by a log that the policy knows, and of another origin.
    #[error("the checkpoint says it is of {origin}, and {key} is the key of another log")]
    OtherLog {
        /// The checkpoint's first line.
        origin: String,
        /// The key that signed, as `name+hex8`.
        key: String,
    },
    /// No known key of a log signed.
    #[error("no known key of the log {origin} signed the checkpoint")]
    NoLog {
        /// The checkpoint's first line.
        origin: String,
    },
    /// A text that is no checkpoint, though signed.
    #[error(transparent)]
    Text(#[from] CheckpointTextError),
    /// Extension lines under ML-DSA-44 alone, which does not sign them.
    #[error("the checkpoint has extension lines that no signature of its log covers")]
    Extensions,
    /// A timestamp that is none, or is of another text.
    #[error("the timestamp of {authority}: {error}")]
    Timestamp {
        /// The authority's name in the note.
        authority: String,
        /// What is wrong with it.
        error: TsaError,
    },
    /// Too few witnesses.
    #[error("the checkpoint's {cosigned} known witnesses make no quorum")]
    Quorum {
        /// How many witnesses of the policy cosigned it.
        cosigned: usize,
    },
}

impl CheckpointError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            CheckpointError::Note(error) => error.code(),
            CheckpointError::Signature { .. } => "checkpoint.signature",
            CheckpointError::OtherLog { .. } => "checkpoint.other_log",
            CheckpointError::NoLog { .. } => "checkpoint.no_log",
            CheckpointError::Text(error) => error.code(),
            CheckpointError::Extensions => "checkpoint.extensions",
            CheckpointError::Timestamp { error, .. } => error.code(),
            CheckpointError::Quorum { .. } => "checkpoint.quorum",
        }
    }
}

/// A witness that cosigned, and the time it states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The witness, as the policy names it.
    pub witness: PolicyKey,
    /// Unix seconds; 0 from an ML-DSA-44 key that claims no largest head.
    pub timestamp_s: u64,
}

/// A checkpoint that a policy believes; there is no other way to one. The holders of these keys
/// signed this text: not that it is the latest, nor that the lines of others are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
    log_keys: Vec<VerifierKey>,
    witnesses: Vec<Cosigned>,
    timestamps: Vec<NoteTimestamp>,
    unknown_lines: usize,
}

impl VerifiedCheckpoint {
    /// What the log states.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note, with lines of unknown keys.
    #[must_use]
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// The keys of this log that signed, in the order of their lines.
    #[must_use]
    pub fn log_keys(&self) -> &[VerifierKey] {
        &self.log_keys
    }

    /// The witnesses of the policy that cosigned, in the order of their lines.
    #[must_use]
    pub fn witnesses(&self) -> &[Cosigned] {
        &self.witnesses
    }

    /// The timestamps of this text, in the order of their lines. What they say is read and of this text;
    /// that an authority signed it is **not** verified.
    #[must_use]
    pub fn timestamps(&self) -> &[NoteTimestamp] {
        &self.timestamps
    }

    /// How many lines are of keys that the policy does not know; nothing is known of them.
    #[must_use]
    pub const fn unknown_lines(&self) -> usize {
        self.unknown_lines
    }
}

/// What the lines of a note come to, each verified.
#[derive(Default)]
struct Lines {
    logs: Vec<VerifierKey>,
    witnesses: Vec<(usize, u64)>,
    /// Places of the lines that no known key has.
    unknown: Vec<usize>,
}

impl Policy {
    /// Reads a note as a checkpoint and says whether to believe it: every line of a known key
    /// verifies, a key of the log that the text names is among them, the text is a checkpoint, and
    /// each timestamp is of that text, and the quorum holds. Lines of unknown keys are counted and ignored.
    ///
    /// # Errors
    /// [`CheckpointError`], by the first of these that fails.
    pub fn verify(&self, note: &[u8]) -> Result<VerifiedCheckpoint, CheckpointError> {
        let note = Note::parse(note)?;
        let parsed = Checkpoint::parse_text(note.text());
        let lines = self.verify_lines(&note, parsed.as_ref().ok())?;
        let log_keys = keys_of_origin(note.text(), lines.logs)?;
        let checkpoint = parsed?;
        let covers_text = log_keys.iter().any(|key| key.role() == KeyRole::Log);
        if !covers_text && !checkpoint.extensions().is_empty() {
            return Err(CheckpointError::Extensions);
        }
        let timestamps = timestamps(&note, &lines.unknown)?;
        let witnesses = self.cosigned(&lines.witnesses)?;
        let unknown_lines = lines.unknown.len() - timestamps.len();
        Ok(VerifiedCheckpoint { checkpoint, note, log_keys, witnesses, timestamps, unknown_lines })
    }

    fn verify_lines(&self, note: &Note, checkpoint: Option<&Checkpoint>) -> Result<Lines, CheckpointError> {
        let mut lines = Lines::default();
        let mut seen = BTreeSet::new();
        for (at, line) in note.signatures().iter().enumerate() {
            let place = (line.name().to_owned(), line.id());
            let Some(party) = self.parties.get(&place).copied() else {
                lines.unknown.push(at);
                continue;
            };
            if seen.insert(place) {
                self.verify_line(&mut lines, party, line, note.text(), checkpoint)?;
            }
        }
        Ok(lines)
    }

    fn verify_line(
        &self,
        lines: &mut Lines,
        party: Party,
        line: &NoteSignature,
        text: &str,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<(), CheckpointError> {
        let failed = || CheckpointError::Signature { key: format!("{}+{}", line.name(), line.id()) };
        let (list, place) = match party {
            Party::Log(place) => (&self.logs, place),
            Party::Witness(place) => (&self.witnesses, place),
        };
        let key = list.get(place).map(PolicyKey::key).ok_or_else(failed)?;
        let time_s = match key.role() {
            KeyRole::Log => key.verify(text.as_bytes(), line.bytes()).then_some(0),
            _ => cosignature::verify(key, text, checkpoint, line.bytes()),
        };
        let time_s = time_s.ok_or_else(failed)?;
        match party {
            Party::Log(_) => lines.logs.push(key.clone()),
            Party::Witness(place) => lines.witnesses.push((place, time_s)),
        }
        Ok(())
    }

    /// The witnesses that cosigned, if they make a quorum.
    fn cosigned(&self, lines: &[(usize, u64)]) -> Result<Vec<Cosigned>, CheckpointError> {
        let mut flags = vec![false; self.witnesses.len()];
        let mut cosigned = Vec::with_capacity(lines.len());
        for (place, timestamp_s) in lines {
            if let (Some(witness), Some(flag)) = (self.witnesses.get(*place), flags.get_mut(*place)) {
                *flag = true;
                cosigned.push(Cosigned { witness: witness.clone(), timestamp_s: *timestamp_s });
            }
        }
        if self.holds(&flags) {
            Ok(cosigned)
        } else {
            Err(CheckpointError::Quorum { cosigned: cosigned.len() })
        }
    }
}

/// The timestamps among these lines of a note.
fn timestamps(note: &Note, lines: &[usize]) -> Result<Vec<NoteTimestamp>, CheckpointError> {
    let lines = lines.iter().filter_map(|at| note.signatures().get(*at));
    let read = |line: &NoteSignature| {
        NoteTimestamp::of_line(line, note.text())
            .map_err(|error| CheckpointError::Timestamp { authority: line.name().to_owned(), error })
            .transpose()
    };
    lines.filter_map(read).collect()
}

/// Of the logs' keys that signed, those of the origin that the text names. Origins are compared as
/// they are, before anything else of the text is read.
fn keys_of_origin(text: &str, signed: Vec<VerifierKey>) -> Result<Vec<VerifierKey>, CheckpointError> {
    let origin = text.split('\n').next().unwrap_or_default();
    let (own, others): (Vec<_>, Vec<_>) = signed.into_iter().partition(|key| key.name().as_str() == origin);
    if !own.is_empty() {
        return Ok(own);
    }
    let origin = origin.to_owned();
    Err(match others.first() {
        Some(key) => CheckpointError::OtherLog { origin, key: key.short_name() },
        None => CheckpointError::NoLog { origin },
    })
}
