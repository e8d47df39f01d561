//! What a back-test says: of each decision that would be another, and of all of them, counted.

use std::collections::BTreeMap;
use std::fmt;

use proofline_canon::{Sha256Digest, Value};
use proofline_ledger::{Ledger, Seq, Snapshot};
use proofline_policy::PolicyEngine;
use proofline_trace::{
    Actor, BacktestRecord, BacktestTotals, Decision, DecisionResult, EnvelopeHash, LedgerId, PolicyRef,
    PolicyRequest, RecordType, SafeInt, StringSet, Timestamp, Token, TraceId,
};

use super::error::BacktestRecordError;
use super::trace::{Asked, Row};
use super::{BacktestPlan, name_of};
use crate::plan::Selection;

/// Names of one kind that a table keeps; what comes later is counted together.
const NAMES_KEPT: usize = 1 << 16;

/// How a decision would be another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DecisionChange {
    /// Not at all.
    Same,
    /// Allowed, and would be denied.
    AllowToDeny,
    /// Denied, and would be allowed.
    DenyToAllow,
    /// The same result with other reason codes or obligations.
    OtherReasons,
}

impl DecisionChange {
    /// Its name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::AllowToDeny => "allow_to_deny",
            Self::DenyToAllow => "deny_to_allow",
            Self::OtherReasons => "other_reasons",
        }
    }

    pub(super) fn of(recorded: &Decision, other: &Decision) -> Self {
        match (recorded.result, other.result) {
            _ if recorded == other => Self::Same,
            (DecisionResult::Allow, DecisionResult::Deny) => Self::AllowToDeny,
            (DecisionResult::Deny, DecisionResult::Allow) => Self::DenyToAllow,
            (DecisionResult::Allow, DecisionResult::Allow) | (DecisionResult::Deny, DecisionResult::Deny) => {
                Self::OtherReasons
            }
        }
    }
}

impl fmt::Display for DecisionChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An accepted call that would not have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostCall {
    /// The call.
    pub envelope_hash: EnvelopeHash,
    /// Its entry.
    pub seq: Seq,
    /// Of a model or of a tool.
    pub record_type: RecordType,
    /// `provider/model` or `adapter_id/tool_name`.
    pub name: String,
}

/// A decision that would be another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedDecision {
    /// Its trace.
    pub trace_id: TraceId,
    /// The decision.
    pub envelope_hash: EnvelopeHash,
    /// Its entry.
    pub seq: Seq,
    /// How; never [`DecisionChange::Same`].
    pub change: DecisionChange,
    /// Who asked.
    pub actor: Actor,
    /// What for.
    pub request: PolicyRequest,
    /// The policy that decided.
    pub policy: PolicyRef,
    /// What was decided.
    pub recorded: Decision,
    /// What the other policy decides.
    pub other: Decision,
    /// The statements of the other policy that could not be evaluated, by id.
    pub failed_statements: Vec<String>,
    /// The accepted calls under it that would not have happened, in chain order.
    pub calls: Vec<LostCall>,
}

impl ChangedDecision {
    /// The decision as a line of JSON: `{"changed":{...}}`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let actor = [
            ("actor_kind", Value::from(self.actor.actor_kind.as_str())),
            ("actor_id", Value::from(self.actor.actor_id.as_str())),
        ];
        let policy = [
            ("policy_id", Value::from(self.policy.policy_id.as_str())),
            ("policy_version", Value::from(self.policy.policy_version.as_str())),
            ("policy_sha256", Value::from(self.policy.policy_sha256.to_string())),
        ];
        let failed = self.failed_statements.iter().map(|id| Value::from(id.as_str()));
        let changed = Value::object([
            ("trace_id", Value::from(self.trace_id.to_string())),
            ("envelope_hash", Value::from(self.envelope_hash.to_string())),
            ("seq", Value::from(self.seq.get())),
            ("change", Value::from(self.change.as_str())),
            ("actor", Value::object(actor)),
            ("action", Value::from(self.request.action.as_str())),
            ("resource", Value::from(self.request.resource.as_str())),
            ("policy", Value::object(policy)),
            ("recorded", decision(&self.recorded)),
            ("other", decision(&self.other)),
            ("failed_statements", Value::array(failed)),
            ("calls", Value::array(self.calls.iter().map(LostCall::to_value))),
        ]);
        Value::object([("changed", changed)])
    }
}

impl LostCall {
    fn to_value(&self) -> Value {
        Value::object([
            ("envelope_hash", Value::from(self.envelope_hash.to_string())),
            ("seq", Value::from(self.seq.get())),
            ("record_type", Value::from(self.record_type.as_str())),
            ("name", Value::from(self.name.as_str())),
        ])
    }
}

/// As it stands in a record.
fn decision(decision: &Decision) -> Value {
    let set = |set: &StringSet| Value::object(set.iter().map(|token| (token.as_str(), true)));
    Value::object([
        ("result", Value::from(decision.result.as_str())),
        ("reason_codes", set(&decision.reason_codes)),
        ("obligations", set(&decision.obligations)),
    ])
}

/// What a back-test counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BacktestCounts {
    /// Traces whose decisions were asked.
    pub traces: u64,
    /// Traces that were not asked about, for their records do not hold or are not there.
    pub traces_skipped: u64,
    /// Accepted decisions that were asked: the sum of the next four.
    pub decisions: u64,
    /// Those that would be the same.
    pub same: u64,
    /// Allowed ones that would be denied.
    pub allow_to_deny: u64,
    /// Denied ones that would be allowed.
    pub deny_to_allow: u64,
    /// Those of the same result with other reason codes or obligations.
    pub other_reasons: u64,
    /// Those, among all four, of which the other policy could not evaluate some statement, which denies.
    pub policy_errors: u64,
    /// Accepted calls that would not have happened.
    pub calls_lost: u64,
    /// Calls that the gate refused and kept, which are not asked about.
    pub refused_calls: u64,
}

/// Decisions by how they would change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChangeCount {
    /// The same.
    pub same: u64,
    /// Allowed, and would be denied.
    pub allow_to_deny: u64,
    /// Denied, and would be allowed.
    pub deny_to_allow: u64,
    /// The same result for other reasons, or with other obligations.
    pub other_reasons: u64,
}

impl ChangeCount {
    /// How many would be another.
    #[must_use]
    pub const fn changed(&self) -> u64 {
        self.allow_to_deny + self.deny_to_allow + self.other_reasons
    }

    fn add(&mut self, change: DecisionChange) {
        *match change {
            DecisionChange::Same => &mut self.same,
            DecisionChange::AllowToDeny => &mut self.allow_to_deny,
            DecisionChange::DenyToAllow => &mut self.deny_to_allow,
            DecisionChange::OtherReasons => &mut self.other_reasons,
        } += 1;
    }

    fn members(&self) -> [(&'static str, Value); 4] {
        [
            ("same", Value::from(self.same)),
            ("allow_to_deny", Value::from(self.allow_to_deny)),
            ("deny_to_allow", Value::from(self.deny_to_allow)),
            ("other_reasons", Value::from(self.other_reasons)),
        ]
    }
}

/// Decisions by a name, in the order of the names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BacktestTable {
    /// The first 65,536 names that were met.
    pub rows: BTreeMap<String, ChangeCount>,
    /// Decisions under all further names.
    pub others: ChangeCount,
}

impl BacktestTable {
    fn add(&mut self, name: &str, change: DecisionChange) {
        let is_full = self.rows.len() >= NAMES_KEPT;
        match self.rows.get_mut(name) {
            Some(row) => row.add(change),
            None if is_full => self.others.add(change),
            None => self.rows.entry(name.to_owned()).or_default().add(change),
        }
    }

    fn to_value(&self) -> Value {
        let row = |(name, row): (&String, &ChangeCount)| {
            let name = [("name", Value::from(name.as_str()))];
            Value::object(name.into_iter().chain(row.members()))
        };
        Value::object([
            ("rows", Value::array(self.rows.iter().map(row))),
            ("others", Value::object(self.others.members())),
        ])
    }
}

/// What a back-test came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backtest {
    /// The ledger that was read.
    pub ledger_id: LedgerId,
    /// How many entries it had.
    pub log_size: u64,
    /// The traces that were asked for, ascending; none for all.
    pub chosen: Option<Vec<TraceId>>,
    /// The other policy.
    pub policy_sha256: Sha256Digest,
    /// What asked it.
    pub engine: String,
    /// Its version.
    pub engine_version: String,
    /// The clock of the plan.
    pub generated_at: Timestamp,
    /// All of it, counted.
    pub counts: BacktestCounts,
    /// By actor: kind, blank, id.
    pub actors: BacktestTable,
    /// By action.
    pub actions: BacktestTable,
    /// By resource.
    pub resources: BacktestTable,
    /// Places of damage that opening the ledger came upon.
    pub damage_count: u64,
}

impl Backtest {
    pub(super) fn new(snapshot: &Snapshot, engine: &dyn PolicyEngine, plan: &BacktestPlan) -> Self {
        Self {
            ledger_id: snapshot.ledger_id(),
            log_size: snapshot.entries(),
            chosen: match &plan.traces {
                Selection::Chosen(traces) => Some(traces.iter().copied().collect()),
                Selection::All | Selection::Pairs(_) => None,
            },
            policy_sha256: name_of(plan),
            engine: engine.name().to_owned(),
            engine_version: engine.version(),
            generated_at: plan.generated_at,
            counts: BacktestCounts::default(),
            actors: BacktestTable::default(),
            actions: BacktestTable::default(),
            resources: BacktestTable::default(),
            damage_count: snapshot.damage().len() as u64,
        }
    }

    pub(super) fn add(&mut self, asked: &Asked) {
        let counts = &mut self.counts;
        counts.traces_skipped += u64::from(asked.failure.is_some());
        counts.traces += u64::from(asked.failure.is_none() && asked.is_found);
        counts.refused_calls += asked.refused_calls;
        counts.calls_lost += asked.changed.iter().map(|changed| changed.calls.len() as u64).sum::<u64>();
        asked.rows.iter().for_each(|row| self.count(row));
    }

    fn count(&mut self, row: &Row) {
        let counts = &mut self.counts;
        counts.decisions += 1;
        counts.policy_errors += u64::from(row.is_error);
        *match row.change {
            DecisionChange::Same => &mut counts.same,
            DecisionChange::AllowToDeny => &mut counts.allow_to_deny,
            DecisionChange::DenyToAllow => &mut counts.deny_to_allow,
            DecisionChange::OtherReasons => &mut counts.other_reasons,
        } += 1;
        self.actors.add(&row.actor, row.change);
        self.actions.add(&row.action, row.change);
        self.resources.add(&row.resource, row.change);
    }

    /// Whether anything would be another.
    #[must_use]
    pub const fn changes(&self) -> bool {
        self.counts.same != self.counts.decisions
    }

    /// The report as JSON: `{"backtest":{...}}`, told from a decision by that member.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let chosen = self.chosen.as_ref();
        let chosen = chosen.map(|ids| Value::array(ids.iter().map(|id| Value::from(id.to_string()))));
        let engine = [
            ("name", Value::from(self.engine.as_str())),
            ("version", Value::from(self.engine_version.as_str())),
        ];
        let report = Value::object([
            ("ledger_id", Value::from(self.ledger_id.to_string())),
            ("log_size", Value::from(self.log_size)),
            ("trace_ids", chosen.unwrap_or(Value::Null)),
            ("policy_sha256", Value::from(self.policy_sha256.to_string())),
            ("engine", Value::object(engine)),
            ("generated_at", Value::from(self.generated_at.to_string())),
            ("counts", self.totals().to_value()),
            ("actors", self.actors.to_value()),
            ("actions", self.actions.to_value()),
            ("resources", self.resources.to_value()),
            ("damage_count", Value::from(self.damage_count)),
        ]);
        Value::object([("backtest", report)])
    }

    fn totals(&self) -> BacktestTotals {
        let (counts, int) = (&self.counts, SafeInt::saturating);
        BacktestTotals {
            traces: int(counts.traces),
            traces_skipped: int(counts.traces_skipped),
            decisions: int(counts.decisions),
            same: int(counts.same),
            allow_to_deny: int(counts.allow_to_deny),
            deny_to_allow: int(counts.deny_to_allow),
            other_reasons: int(counts.other_reasons),
            policy_errors: int(counts.policy_errors),
            calls_lost: int(counts.calls_lost),
            refused_calls: int(counts.refused_calls),
        }
    }

    /// The artifact that keeps it, bound to the log that was read.
    pub(super) fn record(&self, ledger: &Ledger) -> Result<BacktestRecord, BacktestRecordError> {
        let root = ledger.snapshot()?.tree().root(self.log_size)?;
        Ok(BacktestRecord {
            policy_sha256: self.policy_sha256,
            engine: Token::of_name(&self.engine),
            engine_version: Token::of_name(&self.engine_version),
            log_size: SafeInt::saturating(self.log_size),
            root: Sha256Digest::from_bytes(*root.as_bytes()),
            trace_ids: self.chosen.clone(),
            counts: self.totals(),
            generated_at: self.generated_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_full_counts_further_names_together() {
        let mut table = BacktestTable::default();
        for number in 0..NAMES_KEPT + 3 {
            table.add(&format!("name-{number}"), DecisionChange::AllowToDeny);
        }
        table.add("name-7", DecisionChange::Same);
        assert_eq!((table.rows.len(), table.others.allow_to_deny), (NAMES_KEPT, 3));
        assert_eq!((table.rows["name-7"].same, table.rows["name-7"].changed()), (1, 1));
    }
}
