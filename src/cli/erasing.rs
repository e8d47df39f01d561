//! What the verbs about erasures and holds share: a record goes through the gate, a refusal is told.

use std::path::Path;

use proofline::ledger::{Action, ArtifactRefusal, Ledger, Options, Outcome};
use proofline::trace::{EnvelopeHash, Reason};

use super::clock::Clock;
use super::commit::tell_recovery;
use super::error::CliError;
use super::input::ledger_folder;
use super::output::Format;

/// A record of the log.
pub(crate) struct Recorded {
    pub(crate) seq: u64,
    pub(crate) envelope_hash: EnvelopeHash,
    /// True when it was there before.
    pub(crate) duplicate: bool,
}

/// Reads `--reason`.
pub(crate) fn reason(text: &str) -> Result<Reason, proofline::trace::WordError> {
    text.parse()
}

/// Opens a ledger for writing, and says what that had to mend.
pub(crate) fn open(dir: &Path, format: Format) -> Result<Ledger, CliError> {
    let ledger = Ledger::open(ledger_folder(dir)?, Options::default())?;
    tell_recovery(format, &ledger.recovery());
    Ok(ledger)
}

/// Brings a record to the gate.
pub(crate) fn record(ledger: &Ledger, canonical: &[u8], clock: Clock) -> Result<Recorded, CliError> {
    match ledger.commit_action(&Action::System(canonical), clock.now_ms())? {
        Outcome::Accepted { envelope_hash, seq, duplicate } => {
            Ok(Recorded { seq: seq.get(), envelope_hash, duplicate })
        }
        Outcome::ArtifactRefused(ArtifactRefusal::Erasure(refusal)) => Err(CliError::Erasure(refusal)),
        Outcome::ArtifactRefused(refusal) => Err(CliError::Internal(refusal.to_string())),
        Outcome::Refused { rejection, .. } => Err(CliError::Internal(format!(
            "a record of the ledger was answered as evidence: {}",
            rejection.message
        ))),
    }
}

/// What text says of a record that was there before.
pub(crate) const fn as_before(duplicate: bool) -> &'static str {
    if duplicate { ", as it was before: nothing was appended" } else { "" }
}
