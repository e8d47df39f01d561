//! Many traces at once, interleaved by time: as a stream in bounded memory, or as one file's worth.

use std::collections::BTreeSet;

use proofline_canon::Sha256Digest;

use crate::plan::EvidencePlan;
use crate::random::SplitMix64;
use crate::session::{Session, Submission};

/// Streams the submissions of a plan in the order of their times.
///
/// Memory grows with [`EvidencePlan::open_traces`], not with the number of traces or records.
pub struct Generator {
    plan: EvidencePlan,
    random: SplitMix64,
    begun: u64,
    start_ms: u64,
    open: Vec<Session>,
}

impl Generator {
    /// A stream of this plan, from its beginning.
    #[must_use]
    pub fn new(plan: &EvidencePlan) -> Self {
        Self {
            plan: plan.clone(),
            random: SplitMix64::new(plan.seed),
            begun: 0,
            start_ms: plan.start_ms,
            open: Vec::new(),
        }
    }

    /// Begins traces until as many are open as the plan wants.
    fn fill(&mut self) {
        while self.begun < self.plan.traces && self.open.len() < self.plan.open_traces.max(1) {
            self.open.push(Session::begin(&self.plan, self.begun, self.start_ms));
            self.begun += 1;
            self.start_ms += self.random.between(500, 9_000);
        }
    }
}

impl Iterator for Generator {
    type Item = Submission;

    fn next(&mut self) -> Option<Submission> {
        loop {
            self.fill();
            let times = self.open.iter_mut().map(Session::next_at_ms).enumerate();
            // A finished trace sorts first (None) and makes room; equal times go to the older trace.
            let (place, time) = times.min_by_key(|(place, time)| (*time, *place))?;
            if let (Some(at_ms), Some(session)) = (time, self.open.get_mut(place)) {
                // A new trace begins when there is room for it, not before.
                self.start_ms = self.start_ms.max(at_ms);
                return session.take();
            }
            self.open.remove(place);
        }
    }
}

/// What an evidence file and its payload file hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Lines without their newline, in order.
    pub lines: Vec<Vec<u8>>,
    /// Payloads at hand, each once, in the order of their first mention; none contains a newline.
    pub payloads: Vec<Vec<u8>>,
}

/// All evidence of a plan at once.
#[must_use]
pub fn generate(plan: &EvidencePlan) -> Evidence {
    let mut evidence = Evidence { lines: Vec::new(), payloads: Vec::new() };
    let mut known = BTreeSet::new();
    for submission in Generator::new(plan) {
        evidence.lines.push(submission.line());
        for payload in submission.payloads {
            if payload.at_hand && known.insert(Sha256Digest::of(&payload.bytes)) {
                evidence.payloads.push(payload.bytes);
            }
        }
    }
    evidence
}
