//! Rules of one's own, asked of each record of each trace with its chain. `docs/rules.md` says what rules see.
//!
//! Traces come in byte order, in batches of bounded size, each on the run's own threads, and what they give is taken by
//! position, so that no output depends on how many threads there are. Memory holds one batch, and a line for each
//! version of a policy that the log ever used, where some rule asks which was in force.

mod cases;
mod in_force;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use proofline_ledger::{Damage, Seq, Snapshot};
use proofline_policy::{Fact, RuleSet};
use proofline_trace::{EnvelopeHash, RecordType, TraceId};
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::engine::pool;
use crate::error::ReplayError;
use crate::walk::{TRACES_PER_CHUNK, batches, look_up, stop};
use cases::TraceAnswers;
use in_force::PolicyVersions;

/// What is to be checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulesPlan {
    /// These traces; none for all of them.
    pub traces: Option<BTreeSet<TraceId>>,
    /// True to ask of refused attempts as well.
    pub include_rejected: bool,
    /// How many threads work; none for as many as the machine has. No output depends on it.
    pub threads: Option<NonZeroUsize>,
}

/// A record of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordAt {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its entry.
    pub seq: Seq,
    /// Its envelope hash.
    pub envelope_sha256: EnvelopeHash,
    /// What it is.
    pub record_type: RecordType,
}

/// Why another record stands beside the one that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Part {
    /// It is the context that the record names.
    AuthContext,
    /// It is the decision that the record names.
    Decision,
    /// It is the decision that first used a newer version of the policy, which is why the older was not in force.
    NewerPolicy,
}

impl Part {
    /// Its name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthContext => "auth_context",
            Self::Decision => "policy_decision",
            Self::NewerPolicy => "newer_policy",
        }
    }
}

/// A record for which a rule does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule, by its place in [`RuleSet::rules`].
    pub rule: usize,
    /// None where the rule applies. Else why it could not be evaluated: a violation of its own kind, since nobody
    /// knows whether the rule holds.
    pub error: Option<String>,
    /// The record.
    pub record: RecordAt,
    /// True for an attempt that the gate refused.
    pub is_refused: bool,
    /// The records that it rests on, as far as the rule looks at them.
    pub beside: Vec<(Part, RecordAt)>,
    /// What the rule read, by name: none where it is not there.
    pub facts: Vec<(String, Option<Fact>)>,
    /// Whose record it is, as kind and id; none where nobody was authenticated.
    pub actor: Option<(String, String)>,
    /// To what; none where there is no decision.
    pub resource: Option<String>,
}

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RulesEvent {
    /// Entries that were looked through for policy versions.
    EntriesRead {
        /// So far.
        read: u64,
        /// In the ledger.
        total: u64,
    },
    /// Traces that were checked; sent after their violations.
    TracesChecked {
        /// Traces so far.
        traces: u64,
        /// Traces in all, when they were chosen.
        total: Option<u64>,
        /// Entries of those traces so far.
        entries: u64,
    },
}

/// Takes violations as they come, so that a run over everything needs no memory for all of them. Breaking from either
/// function stops the run, which then returns [`ReplayError::Stopped`].
pub trait RulesSink {
    /// The next violation: by trace in byte order, by the record's place in the chain, by rule.
    fn violation(&mut self, violation: Violation) -> ControlFlow<()>;

    /// Something to tell of on the way.
    fn event(&mut self, event: &RulesEvent) -> ControlFlow<()> {
        let _ = event;
        ControlFlow::Continue(())
    }
}

/// Keeps every violation.
impl RulesSink for Vec<Violation> {
    fn violation(&mut self, violation: Violation) -> ControlFlow<()> {
        self.push(violation);
        ControlFlow::Continue(())
    }
}

/// What became of one rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RuleTally {
    /// How many records it was asked of: those whose kind its `action` admits.
    pub asked: u64,
    /// For how many it holds.
    pub held: u64,
    /// For how many it does not.
    pub violated: u64,
    /// For how many it could not be evaluated.
    pub errors: u64,
}

/// What a check came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulesSummary {
    /// A tally for each rule, in the order of [`RuleSet::rules`].
    pub rules: Vec<RuleTally>,
    /// Traces that were checked.
    pub traces: u64,
    /// Of the traces that were chosen, those without a record to ask about.
    pub absent: u64,
    /// Traces with a violation.
    pub violating_traces: u64,
    /// Accepted records that rules were asked of.
    pub records: u64,
    /// Refused attempts that rules were asked of.
    pub attempts: u64,
    /// Violations of all rules, errors among them.
    pub violations: u64,
    /// Records that no rule could be asked of, and entries that cannot be read: the first thousand. Where there is
    /// one, nobody can say that the rules hold.
    pub damage: Vec<Damage>,
    /// How many there are.
    pub damage_count: u64,
}

/// Places of damage that a summary keeps.
const MAX_DAMAGE: usize = 1000;

impl RulesSummary {
    /// True when every rule holds for every record, and every record could be asked about.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.violations == 0 && self.damage_count == 0
    }

    /// What opening, the look for versions and the reading of a trace come upon is told once.
    fn damage(&mut self, damage: Damage) {
        if self.damage.contains(&damage) {
            return;
        }
        self.damage_count += 1;
        if self.damage.len() < MAX_DAMAGE {
            self.damage.push(damage);
        }
    }

    fn take(&mut self, answers: &TraceAnswers) {
        if answers.records + answers.attempts == 0 {
            return;
        }
        self.traces += 1;
        self.records += answers.records;
        self.attempts += answers.attempts;
        self.violations += answers.violations.len() as u64;
        self.violating_traces += u64::from(!answers.violations.is_empty());
        for (tally, asked) in self.rules.iter_mut().zip(&answers.asked) {
            tally.asked += asked;
            tally.held += asked;
        }
        for violation in &answers.violations {
            let Some(tally) = self.rules.get_mut(violation.rule) else { continue };
            tally.held -= 1;
            *(if violation.error.is_some() { &mut tally.errors } else { &mut tally.violated }) += 1;
        }
    }
}

/// Asks rules of a fixed prefix of a ledger. Violations and events go to `sink`. Nothing is read but the ledger, and
/// nothing is written.
///
/// ```
/// use proofline_ledger::{Action, Genesis, Ledger, Options, Submission};
/// use proofline_policy::CedarEngine;
/// use proofline_replay::{RulesPlan, Violation, check_rules};
///
/// # let dir = tempfile::tempdir()?;
/// # let (ledger_id, created_at_ms) = (proofline_trace::LedgerId::from_bytes([7; 16]), 1769817600000);
/// # Ledger::init(dir.path(), &Genesis { ledger_id, origin: "ledger.example/agents".parse()?, created_at_ms })?;
/// # let ledger = Ledger::open(dir.path(), Options::default())?;
/// # let context = br#"{"spec_version":"1.0.0","canon_version":"1","record_type":"auth_context",
/// #   "ts_ms":1769817600000,"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",
/// #   "span_id":"00f067aa0ba902b7","span_kind":"root"},"producer":{"layer":"cpo","component":"gateway"},
/// #   "actor":{"actor_kind":"user","actor_id":"staff/ines"},"credential":{"credential_kind":"oidc",
/// #   "issuer":"https://id.example","presented_hash_sha256":
/// #   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","verified_at_ms":1769817600000,
/// #   "expires_at_ms":1769821200000},"grants":{"tickets:read":true}}"#;
/// # ledger.commit_action(&Action::Evidence(Submission::bare(context)), 1769817600000)?;
/// // The credential of this ledger's one context is good for an hour.
/// let rules = CedarEngine.load_rules(br#"
///     @id("short-lived") @control("SOC2:CC6.1")
///     forbid(principal, action == Action::"auth_context", resource)
///     when { context.auth_context.credential.expires_at_ms - context.ts_ms > 600000 };
/// "#)?;
/// let mut violations: Vec<Violation> = Vec::new();
/// let summary = check_rules(&ledger.snapshot()?, &rules, &RulesPlan::default(), &mut violations)?;
/// assert_eq!((summary.rules[0].asked, summary.rules[0].violated), (1, 1));
/// assert_eq!((violations[0].record.seq.get(), violations[0].actor.as_ref().unwrap().1.as_str()), (1, "staff/ines"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ReplayError`]: the system refused a call, something is archived, or the sink asked to stop. A violation and a
/// damaged log are no errors.
pub fn check_rules(
    snapshot: &Snapshot,
    rules: &RuleSet,
    plan: &RulesPlan,
    sink: &mut dyn RulesSink,
) -> Result<RulesSummary, ReplayError> {
    let pool = pool(plan.threads)?;
    let tallies = vec![RuleTally::default(); rules.rules().len()];
    let mut summary = RulesSummary { rules: tallies, ..RulesSummary::default() };
    snapshot.damage().iter().cloned().for_each(|damage| summary.damage(damage));
    let versions = match rules.reads_in_force() {
        true => PolicyVersions::of(&pool, snapshot, sink, &mut |damage| summary.damage(damage))?,
        false => PolicyVersions::default(),
    };
    let asking = Asking { snapshot, rules, include_rejected: plan.include_rejected, versions: &versions };
    let mut run = Run { pool, asking, sink, summary, entries: 0 };
    match &plan.traces {
        None => run.everything()?,
        Some(traces) => {
            let traces: Vec<TraceId> = traces.iter().copied().collect();
            for chunk in traces.chunks(TRACES_PER_CHUNK) {
                run.chunk(chunk, Some(traces.len() as u64))?;
            }
            run.summary.absent = (traces.len() as u64).saturating_sub(run.summary.traces);
        }
    }
    Ok(run.summary)
}

/// What answers are made from.
struct Asking<'a> {
    snapshot: &'a Snapshot,
    rules: &'a RuleSet,
    include_rejected: bool,
    versions: &'a PolicyVersions,
}

struct Run<'a> {
    pool: ThreadPool,
    asking: Asking<'a>,
    sink: &'a mut dyn RulesSink,
    summary: RulesSummary,
    entries: u64,
}

impl Run<'_> {
    fn everything(&mut self) -> Result<(), ReplayError> {
        let mut last = None;
        loop {
            let traces = self.asking.snapshot.traces_after(last, TRACES_PER_CHUNK);
            let traces = traces.map_err(ReplayError::Lookup)?;
            let Some(end) = traces.last() else { return Ok(()) };
            last = Some(*end);
            self.chunk(&traces, None)?;
        }
    }

    fn chunk(&mut self, traces: &[TraceId], total: Option<u64>) -> Result<(), ReplayError> {
        for batch in batches(look_up(&self.pool, self.asking.snapshot, traces)?) {
            self.batch(&batch)?;
            self.entries += batch.iter().map(|(_, seqs)| seqs.len() as u64).sum::<u64>();
            let (traces, entries) = (self.summary.traces, self.entries);
            stop(self.sink.event(&RulesEvent::TracesChecked { traces, total, entries }))?;
        }
        Ok(())
    }

    fn batch(&mut self, batch: &[(TraceId, Vec<Seq>)]) -> Result<(), ReplayError> {
        let asking = &self.asking;
        let ask = |(trace, seqs): &(TraceId, Vec<Seq>)| cases::ask(asking, *trace, seqs);
        let answers: Result<Vec<TraceAnswers>, ReplayError> =
            self.pool.install(|| batch.par_iter().with_max_len(1).map(ask).collect());
        for answers in answers? {
            self.summary.take(&answers);
            answers.damage.into_iter().for_each(|damage| self.summary.damage(damage));
            for violation in answers.violations {
                stop(self.sink.violation(violation))?;
            }
        }
        Ok(())
    }
}
