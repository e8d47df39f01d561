//! Payloads of records that nobody reads any more: erased, or sealed under a subject's key that was erased.

use proofline::canon::{Limits, Sha256Digest};
use proofline::ledger::{Blobs, Entry, EntryKind, Erasures, Seq, Snapshot};
use proofline::trace::{Envelope, ErasureTarget, read_envelope};
use serde::Serialize;

use super::error::CliError;

/// A payload that is gone, as JSON shows it under `payloads_gone`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct GonePayload {
    /// Where the record names it: `request` or `response`.
    pub(crate) member: &'static str,
    sha256: String,
    state: &'static str,
    by_seq: u64,
}

impl GonePayload {
    /// What became of it, to stand behind the member that names it.
    pub(crate) fn says(&self) -> String {
        match self.state {
            "closed" => format!("closed: its subject's key was erased by entry {}", self.by_seq),
            _ => format!("erased by entry {}", self.by_seq),
        }
    }
}

/// What a ledger erased.
pub(crate) struct Gone {
    erasures: Erasures,
    /// Where sealed payloads name their key; none where no key was erased.
    blobs: Option<Blobs>,
}

impl Gone {
    /// Reads the system entries. One that is damaged tells nothing here.
    pub(crate) fn of(snapshot: &Snapshot) -> Result<Self, CliError> {
        let erasures = snapshot.readable_erasures()?;
        let has_keys = keys(&erasures) > 0;
        let blobs = has_keys.then(|| Blobs::open(snapshot.dir())).transpose()?;
        Ok(Self { erasures, blobs })
    }

    /// Those that a record names.
    pub(crate) fn named_by(&self, envelope: &Envelope) -> Result<Vec<GonePayload>, CliError> {
        let mut gone = Vec::new();
        for (member, blob) in ["request", "response"].into_iter().zip(envelope.blobs()) {
            let erased = self.erasures.of_blob(&blob.sha256).map(|seq| ("erased", seq));
            let found = match erased {
                Some(found) => Some(found),
                None => self.closed(&blob.sha256)?.map(|seq| ("closed", seq)),
            };
            gone.extend(found.map(|(state, seq)| GonePayload {
                member,
                sha256: blob.sha256.to_string(),
                state,
                by_seq: seq.get(),
            }));
        }
        Ok(gone)
    }

    /// Those that an entry names, if it is evidence.
    pub(crate) fn named_in(&self, entry: &Entry) -> Result<Vec<GonePayload>, CliError> {
        if !matches!(entry.header.status.kind(), EntryKind::Accepted | EntryKind::Rejected) {
            return Ok(Vec::new());
        }
        match read_envelope(&entry.body, &Limits::CONTENT) {
            Ok(sealed) => self.named_by(sealed.envelope()),
            Err(_) => Ok(Vec::new()),
        }
    }

    fn closed(&self, name: &Sha256Digest) -> Result<Option<Seq>, CliError> {
        let Some(blobs) = &self.blobs else { return Ok(None) };
        let header = blobs.sealed_header(name)?;
        Ok(header.and_then(|header| self.erasures.of_subject(&header.key_id())))
    }

    /// How much is gone.
    pub(crate) fn totals(&self) -> Result<GoneTotals, CliError> {
        let closed = self.blobs.as_ref().map(|blobs| blobs.closed(&self.erasures)).transpose()?;
        Ok(GoneTotals {
            payloads_erased: self.erasures.blobs().count() as u64,
            payloads_closed: closed.map_or(0, |closed| closed.len() as u64),
            subjects_erased: keys(&self.erasures),
            holds_in_force: self.erasures.in_force().count() as u64,
        })
    }
}

/// How much of a ledger is gone, and how many holds keep the rest.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct GoneTotals {
    pub(crate) payloads_erased: u64,
    pub(crate) payloads_closed: u64,
    pub(crate) subjects_erased: u64,
    pub(crate) holds_in_force: u64,
}

/// How many subjects' keys are erased.
fn keys(erasures: &Erasures) -> u64 {
    let is_key = |target: &ErasureTarget| matches!(target, ErasureTarget::Subject(_));
    erasures.erased().filter(|erasure| is_key(&erasure.record.target)).count() as u64
}
