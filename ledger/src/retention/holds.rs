//! The holds and erasures of a ledger, as a plan asks for them.

use std::collections::BTreeMap;

use proofline_canon::Sha256Digest;
use proofline_trace::{ErasureTarget, HoldTarget, TraceId};

use super::plan::Holds;
use crate::blobs::{BLOBS_DIR, BlobError, Blobs};
use crate::erasure::{Erasures, Hold};
use crate::error::LedgerError;
use crate::snapshot::Snapshot;

/// The holds and erasures of a ledger. A payload is held by a hold on itself, on a trace whose records
/// refer to it, and on the key of the subject that it is sealed under.
///
/// The gate sees the log alone, so the last kind keeps a payload from a plan and not from an erasure.
#[derive(Clone, Debug)]
pub struct LedgerHolds {
    erasures: Erasures,
    /// Payloads that are sealed under a held key, and that hold.
    under_held_keys: BTreeMap<Sha256Digest, Hold>,
}

impl LedgerHolds {
    /// Reads the system entries and, where a subject's key is held, the headers of all payloads.
    ///
    /// # Errors
    /// When a system entry or a payload's header cannot be read.
    pub fn of(snapshot: &Snapshot, blobs: &Blobs) -> Result<Self, LedgerError> {
        let erasures = snapshot.erasures()?;
        let under_held_keys = under_held_keys(&erasures, blobs).map_err(|error| match error {
            BlobError::Io { action, path, source } => LedgerError::Io { action, path, source },
            other => LedgerError::Io {
                action: "read",
                path: snapshot.dir().join(BLOBS_DIR),
                source: std::io::Error::other(other),
            },
        })?;
        Ok(Self { erasures, under_held_keys })
    }

    fn hold(&self, sha256: &Sha256Digest, traces: &[TraceId]) -> Option<&Hold> {
        let itself = self.erasures.holding(&HoldTarget::One(ErasureTarget::Blob(*sha256)));
        let of_a_trace = || traces.iter().find_map(|trace| self.erasures.holding(&HoldTarget::Trace(*trace)));
        itself.or_else(of_a_trace).or_else(|| self.under_held_keys.get(sha256))
    }
}

impl Holds for LedgerHolds {
    fn holds(&self, sha256: &Sha256Digest, traces: &[TraceId]) -> Option<String> {
        let hold = self.hold(sha256, traces)?;
        Some(format!("the legal hold of entry {} on {}", hold.seq, hold.record.target))
    }

    fn is_erased(&self, sha256: &Sha256Digest) -> bool {
        self.erasures.of_blob(sha256).is_some()
    }
}

fn under_held_keys(erasures: &Erasures, blobs: &Blobs) -> Result<BTreeMap<Sha256Digest, Hold>, BlobError> {
    let is_key = |hold: &Hold| matches!(hold.record.target, HoldTarget::One(ErasureTarget::Subject(_)));
    let mut found = BTreeMap::new();
    if !erasures.in_force().any(is_key) {
        return Ok(found);
    }
    for name in blobs.names() {
        let name = name?;
        let Some(header) = blobs.sealed_header(&name)? else { continue };
        let key = HoldTarget::One(ErasureTarget::Subject(header.key_id()));
        found.extend(erasures.holding(&key).map(|hold| (name, hold.clone())));
    }
    Ok(found)
}
