//! What evidence to make: how much, how interleaved, and how much goes wrong in it.

/// The knobs of a [`Generator`](crate::Generator). The same plan gives the same bytes on every machine.
///
/// Rates are per mille of the steps (a decision and the calls under it) of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidencePlan {
    /// Which evidence of all that the other knobs allow.
    pub seed: u64,
    /// How many traces.
    pub traces: u64,
    /// How many traces are at work at the same time: the width of the interleaving, and the memory needed.
    pub open_traces: usize,
    /// Fewest and most steps of a trace.
    pub steps: (u64, u64),
    /// When the first trace begins, in Unix milliseconds.
    pub start_ms: u64,
    /// Policy says no; two of three agents then try the call all the same, which the gate refuses.
    pub denied_per_mille: u32,
    /// A call fails, and the same decision is used for another try.
    pub retried_per_mille: u32,
    /// An attempt comes with a wrong hash or before its decision, and then again as it should.
    pub refused_per_mille: u32,
    /// A record is sent a second time.
    pub repeated_per_mille: u32,
    /// A second actor joins the trace with a context of its own.
    pub joined_per_mille: u32,
    /// A payload is named by its hash but not at hand.
    pub absent_payloads_per_mille: u32,
    /// Legal but suspicious: the total of a usage is not the sum of its parts.
    pub odd_usage_per_mille: u32,
    /// Whether payload documents are made. Without them the blob hashes are random and no payload is at hand.
    pub documents: bool,
}

impl EvidencePlan {
    /// Some minutes of a Monday morning in a company that lets agents work: the file that ships.
    pub const AGENT_WORK: Self = Self {
        seed: 0x0A6E_0717,
        traces: 36,
        open_traces: 7,
        steps: (3, 7),
        start_ms: 1_772_438_400_000, // 2026-03-02T08:00:00Z
        denied_per_mille: 110,
        retried_per_mille: 90,
        refused_per_mille: 50,
        repeated_per_mille: 25,
        joined_per_mille: 80,
        absent_payloads_per_mille: 20,
        odd_usage_per_mille: 15,
        documents: true,
    };

    /// Records that the gate accepts one and all, without payload documents: for benches and big ledgers.
    #[must_use]
    pub const fn clean(seed: u64, traces: u64) -> Self {
        Self {
            seed,
            traces,
            open_traces: 32,
            denied_per_mille: 0,
            refused_per_mille: 0,
            repeated_per_mille: 0,
            absent_payloads_per_mille: 0,
            odd_usage_per_mille: 0,
            documents: false,
            ..Self::AGENT_WORK
        }
    }

    /// The same plan with another seed.
    #[must_use]
    pub const fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same plan with so many traces; `u64::MAX` never ends.
    #[must_use]
    pub const fn with_traces(self, traces: u64) -> Self {
        Self { traces, ..self }
    }
}

impl Default for EvidencePlan {
    fn default() -> Self {
        Self::AGENT_WORK
    }
}
