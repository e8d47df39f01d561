//! `proofline retention --apply`: erases the payloads that are due, each under the decision that the plan found.

use std::collections::BTreeMap;
use std::path::Path;

use proofline::canon::Sha256Digest;
use proofline::ledger::{BlobPlan, BlobState, LedgerError, RetentionPlan};
use proofline::trace::{EnvelopeHash, ErasureRecord, ErasureTarget, Reason};
use serde::Serialize;

use super::clock::Clock;
use super::erasing;
use super::error::CliError;
use super::output::Format;

/// The longest reason of an erasure, in characters.
const MAX_REASON_CHARS: usize = 1000;

/// What became of a payload that was due.
pub(crate) enum Became {
    /// It is erased by this entry.
    Erased(u64),
    /// The gate said no: a hold came in between, or what it has to read is archived.
    Refused(RefusalLine),
}

/// Why a payload that was due stays.
#[derive(Clone, Serialize)]
pub(crate) struct RefusalLine {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// What became of the payloads that were due.
#[derive(Default)]
pub(crate) struct Outcomes(BTreeMap<Sha256Digest, Became>);

impl Outcomes {
    pub(crate) fn of(&self, sha256: &Sha256Digest) -> Option<&Became> {
        self.0.get(sha256)
    }

    /// How many payloads were erased, and how many were refused.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let erased = self.0.values().filter(|became| matches!(became, Became::Erased(_))).count() as u64;
        (erased, self.0.len() as u64 - erased)
    }
}

/// Brings an erasure of each payload that is due to the gate. One that is refused does not keep back the others.
pub(crate) fn erase_due(
    dir: &Path,
    plan: &RetentionPlan,
    format: Format,
    clock: Clock,
) -> Result<Outcomes, CliError> {
    let is_due = |blob: &&BlobPlan| matches!(blob.state, BlobState::Due(_));
    let mut outcomes = Outcomes::default();
    if !plan.blobs.iter().any(|blob| is_due(&blob)) {
        return Ok(outcomes);
    }
    let ledger = erasing::open(dir, format)?;
    for blob in plan.blobs.iter().filter(is_due) {
        let BlobState::Due(authority) = blob.state else { continue };
        let record = record_of(blob, authority)?;
        let became = match erasing::record(&ledger, &record.canonical(), clock) {
            Ok(recorded) => Became::Erased(recorded.seq),
            Err(error @ (CliError::Erasure(_) | CliError::Ledger(LedgerError::Archived(_)))) => {
                Became::Refused(RefusalLine { code: error.code(), message: error.to_string() })
            }
            Err(error) => return Err(error),
        };
        outcomes.0.insert(blob.sha256, became);
    }
    Ok(outcomes)
}

fn record_of(blob: &BlobPlan, authority: EnvelopeHash) -> Result<ErasureRecord, CliError> {
    let reason = reason_of(&blob.rules)?;
    Ok(ErasureRecord { target: ErasureTarget::Blob(blob.sha256), reason, authority })
}

/// The rules by which a payload was due, as long as there is room for them.
fn reason_of(rules: &[String]) -> Result<Reason, CliError> {
    let noun = if rules.len() == 1 { "rule" } else { "rules" };
    let text: String =
        format!("retention {noun}: {}", rules.join(", ")).chars().take(MAX_REASON_CHARS).collect();
    text.parse().map_err(|fault| CliError::Internal(format!("the ids of the rules make no reason: {fault}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_the_rules_as_long_as_there_is_room() {
        let reason = |rules: &[&str]| {
            let rules: Vec<String> = rules.iter().map(|rule| (*rule).to_owned()).collect();
            reason_of(&rules).unwrap().to_string()
        };
        assert_eq!(reason(&["tickets"]), "retention rule: tickets");
        assert_eq!(reason(&["a", "b"]), "retention rules: a, b");
        let long = "ü".repeat(3000);
        assert_eq!(reason(&[&long]), format!("retention rule: {}", "ü".repeat(1000 - 16)));
    }
}
