//! What an export counts.

use std::collections::BTreeSet;

use proofline_canon::Sha256Digest;

/// How many of what came out. Counts add up in any order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExportTally {
    /// Traces.
    pub traces: u64,
    /// Traces that gave no span: nothing of them can be read, or they have artifacts alone.
    pub empty_traces: u64,
    /// Spans.
    pub spans: u64,
    /// Spans as they came, by their digests.
    pub original: u64,
    /// Spans that say what they said, some of it in another spelling or under another name.
    pub restated: u64,
    /// Spans of which some content is nowhere at hand.
    pub partial: u64,
    /// Spans of which the import's row is all that is at hand.
    pub rows: u64,
    /// Spans made of records that no telemetry came with.
    pub from_records: u64,
    /// Attributes that were left out for want of their content.
    pub missing_attributes: u64,
    /// Payloads and documents that are not at hand: erased, lost, or never kept.
    pub missing_payloads: u64,
    /// Those among them of which the ledger has an erasure.
    pub erased_payloads: u64,
    /// The same, damaged.
    pub damaged_payloads: u64,
    /// Records shown on spans.
    pub records: u64,
    /// Refused attempts among them.
    pub refused: u64,
    /// Decisions that deny among them.
    pub denied: u64,
    /// Traces whose verdicts pass, all that are shown.
    pub passed: u64,
    /// Traces with a verdict that fails.
    pub failed: u64,
    /// Traces without one.
    pub without_verdict: u64,
    /// Findings shown.
    pub findings: u64,
    /// Entries that are damaged.
    pub damaged_entries: u64,
    /// Entries whose bodies are in an archive.
    pub archived_entries: u64,
}

impl ExportTally {
    /// Adds what another part counted.
    pub fn add(&mut self, other: &Self) {
        let Self {
            traces,
            empty_traces,
            spans,
            original,
            restated,
            partial,
            rows,
            from_records,
            missing_attributes,
            missing_payloads,
            erased_payloads,
            damaged_payloads,
            records,
            refused,
            denied,
            passed,
            failed,
            without_verdict,
            findings,
            damaged_entries,
            archived_entries,
        } = other;
        self.traces += traces;
        self.empty_traces += empty_traces;
        self.spans += spans;
        self.original += original;
        self.restated += restated;
        self.partial += partial;
        self.rows += rows;
        self.from_records += from_records;
        self.missing_attributes += missing_attributes;
        self.missing_payloads += missing_payloads;
        self.erased_payloads += erased_payloads;
        self.damaged_payloads += damaged_payloads;
        self.records += records;
        self.refused += refused;
        self.denied += denied;
        self.passed += passed;
        self.failed += failed;
        self.without_verdict += without_verdict;
        self.findings += findings;
        self.damaged_entries += damaged_entries;
        self.archived_entries += archived_entries;
    }
}

/// What was looked for among the payloads.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) missing: BTreeSet<Sha256Digest>,
    pub(super) damaged: BTreeSet<Sha256Digest>,
}
