//! Which questions `proofline replay` asks, and of which traces or pairs of them.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use proofline::canon::Limits;
use proofline::replay::{Mode, Pairs, Selection, VariancePolicy};
use proofline::trace::TraceId;

use super::error::CliError;
use super::input::Source;

/// The question, and what it is asked of.
#[derive(clap::Args)]
pub(crate) struct QuestionArgs {
    /// The question
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    mode: ModeName,
    /// Replay this trace; may be given again [default: all]
    #[arg(long, value_name = "ID")]
    trace: Vec<TraceId>,
    /// Constrained: the trace that others are measured against
    #[arg(long, value_name = "ID", requires = "candidate")]
    baseline: Option<TraceId>,
    /// Constrained: a trace that is measured; may be given again
    #[arg(long, value_name = "ID", requires = "baseline")]
    candidate: Vec<TraceId>,
    /// Constrained: pairs of traces, one {"baseline","candidate"} a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["baseline", "candidate"])]
    pairs: Option<PathBuf>,
    /// Constrained: what may differ, from a file, or by the name model-output [default: nothing]
    #[arg(long, value_name = "FILE|model-output")]
    variance: Option<OsString>,
}

/// A mode, by its name here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum ModeName {
    /// Are these the exact bytes, and did the gate have to accept them?
    #[default]
    Forensic,
    /// Does what the records mean still pass the gate, and do their policies decide the same again?
    Invariant,
    /// Does another run of the same work differ only where it may?
    Constrained,
    /// Forensic, then invariant, then constrained where pairs are given
    All,
}

impl QuestionArgs {
    pub(crate) fn is_constrained_alone(&self) -> bool {
        self.mode == ModeName::Constrained
    }

    /// Whether one of the questions runs anything again.
    pub(crate) const fn executes(&self) -> bool {
        matches!(self.mode, ModeName::Forensic | ModeName::All)
    }

    pub(crate) fn is_forensic_alone(&self) -> bool {
        self.mode == ModeName::Forensic
    }

    /// The files that steer the run.
    pub(crate) fn steering(&self) -> impl Iterator<Item = &Path> {
        self.pairs.as_deref().into_iter().chain(self.variance.as_deref().map(Path::new))
    }

    fn has_pairs(&self) -> bool {
        self.pairs.is_some() || self.baseline.is_some()
    }

    /// What clap cannot tell.
    pub(crate) fn check_usage(&self) -> Result<(), CliError> {
        let fault = match (self.mode, self.has_pairs()) {
            (ModeName::Constrained, false) => {
                "--mode constrained needs pairs of traces: --baseline and --candidate, or --pairs"
            }
            (ModeName::Constrained, true) if !self.trace.is_empty() => {
                "--trace is not for constrained replay, which is of pairs of traces"
            }
            (ModeName::Forensic | ModeName::Invariant, true) => {
                "--baseline, --candidate and --pairs are for --mode constrained, or all"
            }
            (_, false) if self.variance.is_some() => {
                "--variance says what may differ between pairs of traces: give --pairs, or --baseline and --candidate"
            }
            _ => return Ok(()),
        };
        Err(CliError::Usage(fault))
    }

    /// Each question with what it is asked of, in the order of the answers.
    pub(crate) fn questions(&self) -> Result<Vec<(Mode, Selection)>, CliError> {
        let modes: &[Mode] = match self.mode {
            ModeName::Forensic => &[Mode::Forensic],
            ModeName::Invariant => &[Mode::Invariant],
            ModeName::All => &[Mode::Forensic, Mode::Invariant],
            ModeName::Constrained => &[],
        };
        let traces = self.traces();
        let mut questions: Vec<_> = modes.iter().map(|mode| (mode.clone(), traces.clone())).collect();
        if self.has_pairs() {
            questions.push((Mode::Constrained(self.variance()?), Selection::Pairs(self.pairs()?)));
        }
        Ok(questions)
    }

    pub(crate) fn traces(&self) -> Selection {
        let chosen: BTreeSet<TraceId> = self.trace.iter().copied().collect();
        if chosen.is_empty() { Selection::All } else { Selection::Chosen(chosen) }
    }

    /// Whether no question but the usual one was asked.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_forensic_alone() && !self.has_pairs()
    }

    fn variance(&self) -> Result<VariancePolicy, CliError> {
        read_variance(self.variance.as_deref())
    }

    fn pairs(&self) -> Result<Pairs, CliError> {
        let Some(file) = &self.pairs else {
            let candidates = self.candidate.iter().copied();
            return Ok(self
                .baseline
                .map(|baseline| Pairs::against(baseline, candidates))
                .unwrap_or_default());
        };
        read_pairs(file)
    }
}

/// What may differ: nothing, what a name stands for, or what a file says.
pub(crate) fn read_variance(given: Option<&OsStr>) -> Result<VariancePolicy, CliError> {
    let Some(given) = given else { return Ok(VariancePolicy::NOTHING) };
    if let Some(policy) = given.to_str().and_then(VariancePolicy::preset) {
        return Ok(policy);
    }
    let source = Source::of(Some(Path::new(given)));
    let bytes = source.read_all(Limits::ENVELOPE.max_bytes())?;
    VariancePolicy::parse(&bytes).map_err(|fault| CliError::Form { name: source.name(), source: fault })
}

/// The pairs of a file, of which there is at least one.
pub(crate) fn read_pairs(file: &Path) -> Result<Pairs, CliError> {
    let source = Source::of(Some(file));
    let bytes = source.read_all(Limits::CONTENT.max_bytes())?;
    let pairs = Pairs::parse(&bytes);
    let pairs = pairs.map_err(|fault| CliError::Pairs { name: source.name(), source: fault })?;
    if pairs.is_empty() { Err(CliError::NoPairs { name: source.name() }) } else { Ok(pairs) }
}
