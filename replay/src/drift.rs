//! Drift: pairs of runs aligned, the first place at which each pair parts with its cause, and over all
//! pairs where runs part, how often and in which tools.

mod attribute;
mod by_key;
mod divergence;
mod engine;
mod keys;
mod side;
mod summary;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use proofline_canon::Value;
use proofline_ledger::Damage;
use proofline_trace::DifferenceKind;

use crate::alignment::ChangeCounts;
use crate::pairs::{Pair, Pairs};
use crate::variance::VariancePolicy;

pub use attribute::AttributeOf;
pub use by_key::{DriftByKey, KeyDrift};
pub use divergence::{Cause, Divergence, RecordPlace, Subject};
pub use engine::drift;
pub use keys::{DriftKey, Keyed, KeyedRuns, KeysError, MOST_PAIRS, pairs_by_key, pairs_of_keys, parse_keys};
pub use summary::{DriftSummary, SubjectCount};
pub use text::{LineChange, PayloadDiff, PayloadState, diff_payloads};

/// Which runs are compared, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DriftPlan {
    /// The runs.
    pub pairs: Pairs,
    /// What may differ.
    pub variance: VariancePolicy,
    /// True to compare the textual payloads of the first divergence, where they are at hand.
    pub payloads: bool,
    /// How many threads work; none for as many as the machine has. No output depends on it.
    pub threads: Option<NonZeroUsize>,
}

/// What a pair came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DriftVerdict {
    /// Nothing differs that counts.
    Same,
    /// What differs is what the variance policy allows.
    Within,
    /// The runs part.
    Parts,
    /// A run is not there, or does not pass invariant replay.
    NotCompared,
}

impl DriftVerdict {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Within => "within",
            Self::Parts => "parts",
            Self::NotCompared => "not_compared",
        }
    }
}

/// The drift of one pair.
#[derive(Debug, Clone, PartialEq)]
pub struct PairDrift {
    /// The two runs.
    pub pair: Pair,
    /// What it came to.
    pub verdict: DriftVerdict,
    /// How many spans are the same, changed, on one side only, moved; contexts and what is allowed to differ included.
    pub spans: ChangeCounts,
    /// How many differences the variance policy allowed, by kind.
    pub allowed: BTreeMap<DifferenceKind, u64>,
    /// At how many places the two part, by cause.
    pub causes: BTreeMap<Cause, u64>,
    /// The first of these places.
    pub first: Option<Divergence>,
    /// Why it was not compared.
    pub failure: Option<String>,
    /// Damage of the log that it came upon, which the summary reports.
    pub damage: Vec<Damage>,
    /// The steps of either run.
    subjects: BTreeSet<Subject>,
}

impl PairDrift {
    /// The output line.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let spans = Value::object([
            ("same", Value::from(self.spans.same as u64)),
            ("changed", Value::from(self.spans.changed as u64)),
            ("only_baseline", Value::from(self.spans.only_a as u64)),
            ("only_candidate", Value::from(self.spans.only_b as u64)),
            ("moved", Value::from(self.spans.moved as u64)),
        ]);
        let failure = self.failure.as_deref().map_or(Value::Null, Value::from);
        Value::object([
            ("baseline", Value::from(self.pair.baseline.to_string())),
            ("candidate", Value::from(self.pair.candidate.to_string())),
            ("verdict", Value::from(self.verdict.as_str())),
            ("spans", spans),
            ("allowed", counts(&self.allowed, |kind| kind.as_str())),
            ("causes", counts(&self.causes, |cause| cause.as_str())),
            ("first", self.first.as_ref().map_or(Value::Null, Divergence::to_value)),
            ("failure", failure),
        ])
    }
}

fn counts<K: Copy>(map: &BTreeMap<K, u64>, name: impl Fn(K) -> &'static str) -> Value {
    Value::object(map.iter().map(|(key, count)| (name(*key), Value::from(*count))))
}

/// Takes pairs as they come, so that a run over many needs no memory for all of them. Breaking stops the run,
/// which then returns [`ReplayError::Stopped`](crate::ReplayError::Stopped).
pub trait DriftSink {
    /// The next pair: by baseline, then by candidate, whatever order was asked for.
    fn pair(&mut self, drift: PairDrift) -> ControlFlow<()>;

    /// How many pairs of how many were compared, after each batch.
    fn progress(&mut self, done: u64, total: u64) -> ControlFlow<()> {
        let _ = (done, total);
        ControlFlow::Continue(())
    }
}

/// Keeps every pair.
impl DriftSink for Vec<PairDrift> {
    fn pair(&mut self, drift: PairDrift) -> ControlFlow<()> {
        self.push(drift);
        ControlFlow::Continue(())
    }
}
