//! What a statement of a page rests on. The words are defined in docs/html.md; each statement has exactly one.

use proofline_trace::{EnvelopeHash, FindingCode};

use super::error::HtmlError;
use super::markup::{Html, put};
use crate::verdict::TraceReplay;

/// What a statement rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// This replay derived it again from bytes; an artifact or entry backs it.
    Verified,
    /// Derived from what records say and nobody proved.
    Inferred,
    /// This replay could not derive it again, or did not come to it.
    NotReplayable,
}

impl Html<'_> {
    /// The badge: a word and a shape, so that no colour is needed to tell them apart.
    pub(super) fn badge(&mut self, standing: Standing) -> Result<(), HtmlError> {
        match standing {
            Standing::Verified => put!(self, "<span class=\"s v\">verified</span> "),
            Standing::Inferred => put!(self, "<span class=\"s i\">inferred</span> "),
            Standing::NotReplayable => put!(self, "<span class=\"s n\">not replayable</span> "),
        }
        Ok(())
    }
}

/// What a finding rests on: on checked bytes, on what producers say of spans, or on something that is not there.
pub(super) const fn of_finding(code: FindingCode) -> Standing {
    match code {
        FindingCode::DecisionOutsideCredentialValidity
        | FindingCode::EndBeforeStart
        | FindingCode::UsageTotalMismatch
        | FindingCode::BlobErased
        | FindingCode::RejectionNotReproduced => Standing::Verified,
        FindingCode::ParentSpanMissing
        | FindingCode::SecondRoot
        | FindingCode::SpanCycle
        | FindingCode::LateParent
        | FindingCode::ConflictingParent => Standing::Inferred,
        FindingCode::BlobNotAtHand | FindingCode::PolicyNotAtHand | FindingCode::PolicyNotUsable => {
            Standing::NotReplayable
        }
    }
}

/// How far a replay came with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proven {
    /// Bytes, schema, hash; and the gate accepts it again.
    Gate,
    /// Bytes, schema, hash; the run ended before or at the gate.
    Bytes,
    /// Nothing: the run ended before it, or at it.
    Nothing,
}

/// The replays that speak of a trace, and what they prove of its records.
pub(super) struct Proof<'a> {
    replays: &'a [TraceReplay],
}

impl<'a> Proof<'a> {
    pub(super) const fn of(replays: &'a [TraceReplay]) -> Self {
        Self { replays }
    }

    /// How far the best of them came with this accepted record.
    pub(super) fn of_record(&self, key: EnvelopeHash) -> Proven {
        let proven = self.replays.iter().map(|replay| proven_by(replay, key));
        proven.fold(Proven::Nothing, |best, next| match (best, next) {
            (Proven::Gate, _) | (_, Proven::Gate) => Proven::Gate,
            (Proven::Bytes, _) | (_, Proven::Bytes) => Proven::Bytes,
            _ => Proven::Nothing,
        })
    }

    /// Whether the gate answered the same about a refused attempt.
    pub(super) fn refuses_again(&self, seq: u64) -> bool {
        let denied = |replay: &TraceReplay| names(replay, seq, &[FindingCode::RejectionNotReproduced]);
        !self.replays.is_empty() && !self.is_compared() && !self.replays.iter().any(denied)
    }

    /// Whether its policy decided this decision again, and the same.
    pub(super) fn is_decided_again(&self, seq: u64) -> bool {
        const NOT_ASKED: [FindingCode; 2] = [FindingCode::PolicyNotAtHand, FindingCode::PolicyNotUsable];
        let decided = |replay: &TraceReplay| {
            let coverage = &replay.diagnostics.coverage;
            replay.is_pass() && coverage.policy_re_decided.get() > 0 && !names(replay, seq, &NOT_ASKED)
        };
        self.replays.iter().any(decided)
    }

    /// Constrained replay decides no attempt again.
    fn is_compared(&self) -> bool {
        self.replays.iter().any(|replay| replay.baseline().is_some())
    }

    /// The failures that name this entry.
    pub(super) fn failed_checks(&self, seq: u64) -> Vec<&'a str> {
        let failures = self.replays.iter().filter_map(TraceReplay::failure);
        let here = failures.filter(|failure| failure.seq.is_some_and(|at| at.get() == seq));
        let mut checks: Vec<&str> = here.map(|failure| failure.check.as_str()).collect();
        checks.dedup();
        checks
    }
}

fn names(replay: &TraceReplay, seq: u64, codes: &[FindingCode]) -> bool {
    let of_codes = replay.findings().iter().filter(|finding| codes.contains(&finding.code));
    of_codes.flat_map(|finding| &finding.seqs).any(|named| named.get() == seq)
}

fn proven_by(replay: &TraceReplay, key: EnvelopeHash) -> Proven {
    let coverage = &replay.diagnostics.coverage;
    let Some(place) = replay.result.input_envelope_hashes.iter().position(|hash| *hash == key) else {
        return Proven::Nothing;
    };
    // Two chains were checked one after the other, so places count only where all of both were.
    let within = |count: u64| match replay.baseline() {
        Some(_) => count == coverage.records.get(),
        None => (place as u64) < count,
    };
    // Attempts that were listed stand in the chain and not before the gate: a place is never too small for its count.
    if replay.is_pass() || within(coverage.gate_rechecked.get()) {
        Proven::Gate
    } else if within(coverage.verified.get()) {
        Proven::Bytes
    } else {
        Proven::Nothing
    }
}
