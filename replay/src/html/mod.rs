//! One HTML file that an auditor opens from disk: what was replayed, what failed and why, and of every statement
//! what it rests on. docs/html.md says what each word on a page means.
//!
//! A page fetches nothing, needs no script to be read, and has the same bytes for the same verdicts. Verdicts are
//! gone over as often as it takes, failures first; trees are read from the ledger one by one, so memory is that of
//! one trace.

mod bars;
mod differences;
mod drift;
mod error;
mod failure;
mod frame;
mod markup;
mod one;
mod payloads;
mod plain;
mod run;
mod standing;
mod story;
mod timeline;
mod tree;
mod words;

use std::io::Write;

use proofline_canon::ContentStore;
use proofline_ledger::Snapshot;
use proofline_trace::TraceId;

use crate::report::Verdicts;
use crate::summary::Summary;
use crate::verdict::TraceReplay;

pub use error::HtmlError;

/// Whose words stand in the head of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HtmlVersions {
    /// The version of the program that replayed.
    pub proofline: String,
    /// Name and version of the policy engine, where one was given.
    pub policy_engine: Option<String>,
}

/// How much of a run is drawn as trees. What is left out is said, with the command that draws it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeLimits {
    /// Traces that passed without a finding, the first ones.
    pub passes: u64,
    /// Records of all trees of a page together; those of failures come first, then those of findings.
    pub records: u64,
}

impl Default for TreeLimits {
    fn default() -> Self {
        Self { passes: 100, records: 20_000 }
    }
}

/// What a page came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HtmlWritten {
    /// Traces, or pairs of them, that stand on it.
    pub traces: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that are drawn as trees.
    pub trees: u64,
    /// Whether two traces that stand side by side differ in anything that counts.
    pub differs: bool,
}

/// What every page is made of.
#[derive(Clone, Copy)]
pub struct HtmlReport<'a> {
    /// The ledger, as far as it was replayed.
    pub snapshot: &'a Snapshot,
    /// Where payloads are looked for; without a store none is at hand.
    pub payloads: Option<&'a (dyn ContentStore + Sync)>,
    /// What the head cites.
    pub versions: &'a HtmlVersions,
}

impl HtmlReport<'_> {
    /// The report of a run.
    ///
    /// # Errors
    /// [`HtmlError`]; what was written by then is no whole page.
    pub fn run(
        &self,
        summary: &Summary,
        verdicts: &dyn Verdicts,
        limits: &TreeLimits,
        out: &mut dyn Write,
    ) -> Result<HtmlWritten, HtmlError> {
        run::write(self, summary, verdicts, limits, out)
    }

    /// The page of one trace, with the verdicts of each question that was asked of it.
    ///
    /// # Errors
    /// [`HtmlError`]; what was written by then is no whole page.
    pub fn trace(
        &self,
        trace_id: TraceId,
        replays: &[TraceReplay],
        out: &mut dyn Write,
    ) -> Result<HtmlWritten, HtmlError> {
        one::write(self, trace_id, replays, out)
    }

    /// Two traces side by side. `replays` are verdicts on either, which say what its statements rest on.
    ///
    /// # Errors
    /// [`HtmlError`]; what was written by then is no whole page.
    pub fn drift(
        &self,
        a: TraceId,
        b: TraceId,
        replays: &[TraceReplay],
        out: &mut dyn Write,
    ) -> Result<HtmlWritten, HtmlError> {
        drift::write(self, a, b, replays, out)
    }
}
