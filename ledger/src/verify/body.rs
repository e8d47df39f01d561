//! What the body of an entry must be: the right hash, canonical, of the schema of its kind, of the trace that
//! its header names.

use proofline_proof::header::{EntryHeader, EntryKind, EntryStatus};
use proofline_trace::{EnvelopeHash, GenesisRecord, LedgerId, certify_within, try_canonical};

use crate::artifact::ArtifactKind;
use crate::frame::MAX_BODY_BYTES;
use crate::system::SystemKind;

pub(super) fn origin_of(header: &EntryHeader, body: &[u8]) -> Option<String> {
    (header.status.kind() == EntryKind::Genesis)
        .then(|| read_genesis(body))
        .flatten()
        .map(|record| record.origin.to_string())
}

/// The genesis record in the genesis entry's body.
pub(crate) fn read_genesis(body: &[u8]) -> Option<GenesisRecord> {
    let limits = proofline_canon::Limits::ENVELOPE;
    let value = proofline_canon::parse(body, &limits).ok()?;
    GenesisRecord::from_value(&value).ok()
}

/// A body is what its header says: the right hash, canonical, of the schema of its kind, of the
/// header's trace.
pub(crate) fn check_body(
    header: &EntryHeader,
    body: &[u8],
    ledger_id: LedgerId,
) -> Result<(), (&'static str, String)> {
    let found = EnvelopeHash::of(body);
    if found != header.envelope_hash {
        let message = format!("the body hashes to {found}, its header says {}", header.envelope_hash);
        return Err(("body.hash", message));
    }
    let trace_id = header.trace.as_ref().map(|link| link.trace_id);
    match header.status {
        EntryStatus::Accepted | EntryStatus::Rejected { .. } => {
            // An embedder may have admitted envelopes longer than the default; the format's limit holds.
            let limits = proofline_canon::Limits::ENVELOPE.with_max_bytes(MAX_BODY_BYTES);
            // INVARIANT: the body hashes to the header's key, so canonical bytes are certified under it.
            let own = match try_canonical(body, &limits) {
                Some(read) => read.envelope().trace_id(),
                None => certify_within(body, &header.envelope_hash, &limits)
                    .map_err(|error| ("body.form", error.to_string()))?
                    .trace_id(),
            };
            if Some(own) != trace_id {
                let message = format!("the envelope is of trace {own}, its header is not");
                return Err(("body.trace", message));
            }
            Ok(())
        }
        EntryStatus::Artifact => {
            let limits = proofline_canon::Limits::ENVELOPE.with_max_bytes(MAX_BODY_BYTES);
            proofline_canon::check_canonical(body, proofline_canon::Profile::Envelope, &limits)
                .map_err(|error| ("body.form", error.to_string()))?;
            ArtifactKind::read(body).map(|_| ()).map_err(|refusal| ("body.form", refusal.to_string()))
        }
        EntryStatus::Genesis => match read_genesis(body) {
            Some(record) if record.ledger_id == ledger_id => Ok(()),
            Some(record) => {
                let message = format!(
                    "the genesis entry is of ledger {}, the segment of {ledger_id}",
                    record.ledger_id
                );
                Err(("log.other_ledger", message))
            }
            None => Err(("body.form", "the genesis entry is no genesis record".to_owned())),
        },
        EntryStatus::System => match SystemKind::read(body) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(("body.form", refusal.to_string())),
        },
    }
}
