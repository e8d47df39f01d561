//! What a run came to: verdicts, findings and damage, counted; the last line of the output.

use std::collections::{BTreeMap, BTreeSet};

use proofline_canon::Value;
use proofline_ledger::{Damage, LogEnd, Seq, Snapshot, damage_value};
use proofline_trace::{FailureClass, Finding, FindingCode, LedgerId, ReplayType, Severity, Timestamp};

use crate::plan::{Plan, Selection};
use crate::reading::UNREADABLE;
use crate::sink::Unlisted;
use crate::verdict::TraceReplay;

/// Damage beyond this is counted and not kept.
pub(crate) const DAMAGE_KEPT: usize = 1000;

/// The answer of a whole run, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunVerdict {
    /// Every trace passed and no damage was met.
    AllWell,
    /// Some trace failed.
    SomeFailed,
    /// The log is damaged, whatever the verdicts.
    Damaged,
}

impl RunVerdict {
    /// Its name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllWell => "all_well",
            Self::SomeFailed => "some_failed",
            Self::Damaged => "damaged",
        }
    }
}

impl std::fmt::Display for RunVerdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a run came to. The maps have no zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The question.
    pub replay_type: ReplayType,
    /// The clock of the plan.
    pub generated_at: Timestamp,
    /// The ledger that was read.
    pub ledger_id: LedgerId,
    /// How many entries it had, the genesis entry included.
    pub entries: u64,
    /// What the end of the log rests on.
    pub end: LogEnd,
    /// True for a run over everything, which checked every entry; else damage is what opening the
    /// ledger and reading the chosen traces came upon.
    pub entries_checked: bool,
    /// Traces, or pairs of them, with a verdict.
    pub traces: u64,
    /// Those that passed.
    pub passed: u64,
    /// Those that failed.
    pub failed: u64,
    /// Failed traces by class.
    pub failures: BTreeMap<FailureClass, u64>,
    /// Records in the chains of those traces, both sides of a pair.
    pub records: u64,
    /// Records whose bytes, schema and hash were verified.
    pub verified: u64,
    /// Records that the gate decided again.
    pub gate_rechecked: u64,
    /// Tool calls that were run again and gave the recorded response.
    pub re_executed: u64,
    /// Decisions that their policy decided again likewise.
    pub policy_re_decided: u64,
    /// Decisions whose policy is not at hand.
    pub policy_absent: u64,
    /// Decisions whose policy is at hand, and no engine can read it.
    pub policy_unusable: u64,
    /// Producers' signatures that were verified again, in a run over everything.
    pub producer_signatures: u64,
    /// Traces of rejected attempts alone that were not listed and got no verdict.
    pub unlisted_traces: u64,
    /// Their attempts.
    pub unlisted_attempts: u64,
    /// Findings by code, those of unlisted traces included.
    pub findings: BTreeMap<FindingCode, u64>,
    /// The same by severity.
    pub severities: BTreeMap<Severity, u64>,
    /// Damage of the log, the first thousand places.
    pub damage: Vec<Damage>,
    /// All places of damage.
    pub damage_count: u64,
    /// Damage of derived files, which changes no verdict.
    pub derived_damage: Vec<Damage>,
}

impl Summary {
    /// What the run as a whole says. Findings do not change it; see [`Summary::worst_finding`].
    #[must_use]
    pub const fn verdict(&self) -> RunVerdict {
        if self.damage_count > 0 {
            RunVerdict::Damaged
        } else if self.failed > 0 {
            RunVerdict::SomeFailed
        } else {
            RunVerdict::AllWell
        }
    }

    /// The highest severity found, for callers who let findings fail a run.
    #[must_use]
    pub fn worst_finding(&self) -> Option<Severity> {
        self.severities.keys().next_back().copied()
    }

    /// The summary as JSON: `{"summary":{...}}`, told from a verdict by that member.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let damage = |list: &[Damage]| Value::array(list.iter().map(damage_value));
        let summary = Value::object([
            ("replay_type", Value::from(self.replay_type.as_str())),
            ("generated_at", Value::from(self.generated_at.to_string())),
            ("verdict", Value::from(self.verdict().as_str())),
            ("ledger_id", Value::from(self.ledger_id.to_string())),
            ("entries", Value::from(self.entries)),
            ("entries_checked", Value::from(self.entries_checked)),
            ("end", Value::from(self.end.as_str())),
            ("traces", Value::from(self.traces)),
            ("passed", Value::from(self.passed)),
            ("failed", Value::from(self.failed)),
            ("failures", counts(&self.failures, |class| class.as_str())),
            ("records", Value::from(self.records)),
            ("verified", Value::from(self.verified)),
            ("gate_rechecked", Value::from(self.gate_rechecked)),
            ("re_executed", Value::from(self.re_executed)),
            ("policy_re_decided", Value::from(self.policy_re_decided)),
            ("policy_absent", Value::from(self.policy_absent)),
            ("policy_unusable", Value::from(self.policy_unusable)),
            ("producer_signatures", Value::from(self.producer_signatures)),
            ("unlisted_traces", Value::from(self.unlisted_traces)),
            ("unlisted_attempts", Value::from(self.unlisted_attempts)),
            ("findings", counts(&self.findings, |code| code.as_str())),
            ("severities", counts(&self.severities, |severity| severity.as_str())),
            ("damage", damage(&self.damage)),
            ("damage_count", Value::from(self.damage_count)),
            ("derived_damage", damage(&self.derived_damage)),
        ]);
        Value::object([("summary", summary)])
    }
}

impl Summary {
    /// A summary that counts nothing yet.
    pub(crate) fn empty(
        replay_type: ReplayType,
        generated_at: Timestamp,
        ledger_id: LedgerId,
        entries: u64,
        end: LogEnd,
    ) -> Self {
        Self {
            replay_type,
            generated_at,
            ledger_id,
            entries,
            end,
            entries_checked: false,
            traces: 0,
            passed: 0,
            failed: 0,
            failures: BTreeMap::new(),
            records: 0,
            verified: 0,
            gate_rechecked: 0,
            re_executed: 0,
            policy_re_decided: 0,
            policy_absent: 0,
            policy_unusable: 0,
            producer_signatures: 0,
            unlisted_traces: 0,
            unlisted_attempts: 0,
            findings: BTreeMap::new(),
            severities: BTreeMap::new(),
            damage: Vec::new(),
            damage_count: 0,
            derived_damage: Vec::new(),
        }
    }

    /// Adds a verdict; what it says of damage aside.
    pub(crate) fn count(&mut self, replay: &TraceReplay) {
        let coverage = &replay.diagnostics.coverage;
        let add = |sum: &mut u64, count: u64| *sum = sum.saturating_add(count);
        add(&mut self.traces, 1);
        match replay.result.verdict.failure_class() {
            None => add(&mut self.passed, 1),
            Some(class) => {
                add(&mut self.failed, 1);
                add(self.failures.entry(class).or_default(), 1);
            }
        }
        add(&mut self.records, coverage.records.get());
        add(&mut self.verified, coverage.verified.get());
        add(&mut self.gate_rechecked, coverage.gate_rechecked.get());
        add(&mut self.re_executed, coverage.re_executed.get());
        add(&mut self.policy_re_decided, coverage.policy_re_decided.get());
        add(&mut self.policy_absent, coverage.policy_absent.get());
        add(&mut self.policy_unusable, coverage.policy_unusable.get());
        self.count_findings(replay.findings());
    }

    /// Adds a trace without a verdict.
    pub(crate) fn count_unlisted(&mut self, unlisted: &Unlisted) {
        self.unlisted_traces = self.unlisted_traces.saturating_add(1);
        self.unlisted_attempts = self.unlisted_attempts.saturating_add(unlisted.attempts);
        self.count_findings(&unlisted.findings);
    }

    fn count_findings(&mut self, findings: &[Finding]) {
        for finding in findings {
            *self.findings.entry(finding.code).or_default() += 1;
            *self.severities.entry(finding.severity).or_default() += 1;
        }
    }

    pub(crate) fn keep(&mut self, damage: Damage) {
        self.damage_count = self.damage_count.saturating_add(1);
        if self.damage.len() < DAMAGE_KEPT {
            self.damage.push(damage);
        }
    }
}

fn counts<K: Copy>(map: &BTreeMap<K, u64>, name: impl Fn(K) -> &'static str) -> Value {
    Value::object(map.iter().map(|(key, count)| (name(*key), Value::from(*count))))
}

/// A summary in the making.
#[derive(Debug)]
pub(crate) struct Tally {
    summary: Summary,
    /// Entries with damage, by code: one entry is met by its trace, by its neighbours and by the
    /// opening of the ledger.
    known: BTreeSet<(Seq, &'static str)>,
    /// Places of damage, the first ones, that every shard of a run comes upon.
    shared_damage: u64,
}

impl Tally {
    pub(crate) fn new(snapshot: &Snapshot, plan: &Plan) -> Self {
        let summary = Summary {
            entries_checked: matches!(plan.traces, Selection::All),
            derived_damage: snapshot.derived_damage().to_vec(),
            ..Summary::empty(
                plan.mode.replay_type(),
                plan.generated_at,
                snapshot.ledger_id(),
                snapshot.entries(),
                snapshot.end(),
            )
        };
        let mut tally = Self { summary, known: BTreeSet::new(), shared_damage: 0 };
        for damage in snapshot.damage() {
            tally.known.extend(damage.seq.map(|seq| (seq, damage.code)));
            tally.shared(damage.clone());
        }
        tally
    }

    /// The tally that a run over everything had when it was cut off. The same opening was come upon before.
    pub(crate) fn go_on(self, summary: Summary, shared_damage: u64) -> Self {
        Self { summary, shared_damage, ..self }
    }

    /// Damage that the list of keys shows: every shard reads it.
    pub(crate) fn key_damage(&mut self, damage: Damage) {
        if !self.is_known(&damage) {
            self.shared(damage);
        }
    }

    fn shared(&mut self, damage: Damage) {
        self.shared_damage += 1;
        self.summary.keep(damage);
    }

    /// Damage that the check of every entry found: each place once, so only what opening came
    /// upon is told from it, and memory does not grow with the damage.
    pub(crate) fn entry_damage(&mut self, damage: Damage) {
        if !self.is_known(&damage) {
            self.summary.keep(damage);
        }
    }

    /// Damage that a trace came upon, maybe not as the first one.
    fn trace_damage(&mut self, damage: &Damage) {
        if self.is_known(damage) {
            return;
        }
        self.known.extend(damage.seq.map(|seq| (seq, damage.code)));
        self.summary.keep(damage.clone());
    }

    fn is_known(&self, damage: &Damage) -> bool {
        let Some(seq) = damage.seq else { return false };
        let told = || self.known.range((seq, "")..).next().is_some_and(|(at, _)| *at == seq);
        // That an entry is not there says less than what was found in its place.
        self.known.contains(&(seq, damage.code)) || damage.code == UNREADABLE && told()
    }

    pub(crate) fn verdict(&mut self, replay: &TraceReplay) {
        self.summary.count(replay);
        // Where every entry was checked, traces come upon nothing new.
        if !self.summary.entries_checked {
            replay.damage.iter().for_each(|damage| self.trace_damage(damage));
        }
    }

    pub(crate) fn signatures(&mut self, verified: u64) {
        self.summary.producer_signatures += verified;
    }

    pub(crate) fn unlisted(&mut self, unlisted: &Unlisted) {
        self.summary.count_unlisted(unlisted);
    }

    pub(crate) const fn summary(&self) -> &Summary {
        &self.summary
    }

    pub(crate) const fn shared_damage(&self) -> u64 {
        self.shared_damage
    }

    /// How many traces have a verdict so far.
    pub(crate) fn traces(&self) -> u64 {
        self.summary.traces
    }

    pub(crate) fn finish(self) -> Summary {
        self.summary
    }
}
