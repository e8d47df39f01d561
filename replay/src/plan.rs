//! What to replay, which question to ask, and what the answer may rest on.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use proofline_canon::Sha256Digest;
use proofline_ledger::Seq;
use proofline_trace::{ReplayType, Timestamp, TraceId};

use crate::pairs::Pairs;
use crate::report::Shard;
use crate::variance::VariancePolicy;

/// The question of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Are these the exact bytes, and did the gate have to accept them?
    #[default]
    Forensic,
    /// Would the same policy give the same answer, with no execution?
    Invariant,
    /// Does another run of the same work follow the same policy path, with differences only where
    /// this policy allows them? Asked of [`Selection::Pairs`].
    Constrained(VariancePolicy),
}

impl Mode {
    /// Its name in results.
    #[must_use]
    pub const fn replay_type(&self) -> ReplayType {
        match self {
            Self::Forensic => ReplayType::Forensic,
            Self::Invariant => ReplayType::Invariant,
            Self::Constrained(_) => ReplayType::Constrained,
        }
    }
}

/// Which traces are replayed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selection {
    /// Everything: each trace that has a chain, and the integrity of every entry of the log.
    ///
    /// A trace of rejected attempts alone that are not listed has no chain. Nobody asked for it
    /// by name, so it gets no verdict; its attempts are decided again all the same, and
    /// [`Event::Unlisted`](crate::Event::Unlisted) and the summary tell of it.
    #[default]
    All,
    /// These traces, each with a verdict: one that is not there fails as `REPLAY_CHAIN_NOT_FOUND`.
    Chosen(BTreeSet<TraceId>),
    /// These pairs of traces, each with a verdict: for a constrained replay, and for no other.
    Pairs(Pairs),
}

impl FromIterator<TraceId> for Selection {
    fn from_iter<I: IntoIterator<Item = TraceId>>(traces: I) -> Self {
        Self::Chosen(traces.into_iter().collect())
    }
}

/// A replay to be run.
///
/// The default is a forensic replay of everything, with the clock at the epoch, rejected attempts
/// not listed, on as many threads as the machine has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The question.
    pub mode: Mode,
    /// The traces.
    pub traces: Selection,
    /// True to list rejected attempts in the chain: their bytes and hashes are then checked, and
    /// a trace of rejected attempts alone is a found chain. Constrained replay never lists them.
    pub include_rejected: bool,
    /// `generated_at` of every result: the only clock a replay knows.
    pub generated_at: Timestamp,
    /// How many threads work; none for as many as the machine has. No output depends on it.
    pub threads: Option<NonZeroUsize>,
    /// Sealed payloads that are closed for good, and the entry that erased their subject's key, as
    /// [`Blobs::closed`](proofline_ledger::Blobs::closed) gives them. The finding `BLOB_ERASED` names them.
    pub closed: BTreeMap<Sha256Digest, Seq>,
    /// True to fail, in an invariant or constrained replay, each trace with a decision that cannot be decided again.
    pub require_policies: bool,
    /// One of several jobs that share a run over everything; none for the whole of it.
    pub shard: Option<Shard>,
    /// How many traces are replayed between two looks at the sink; none for a number that suits. No output depends
    /// on it.
    pub batch_traces: Option<NonZeroUsize>,
}

impl Plan {
    /// A constrained replay of these pairs, else as the default.
    #[must_use]
    pub fn constrained(pairs: Pairs, variance: VariancePolicy) -> Self {
        Self { mode: Mode::Constrained(variance), traces: Selection::Pairs(pairs), ..Self::default() }
    }
}
