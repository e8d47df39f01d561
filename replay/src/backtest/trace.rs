//! One trace asked of another policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use proofline_canon::Sha256Digest;
use proofline_ledger::{Seq, Snapshot};
use proofline_policy::{Memory, Policy, Question, Reply};
use proofline_trace::{Coverage, Envelope, EnvelopeHash, Failure, TraceId};
use rayon::prelude::*;

use super::report::{ChangedDecision, DecisionChange, LostCall};
use crate::chain::{ByteRule, TraceLog, Verified};
use crate::error::ReplayError;
use crate::gate_again::ChainRecords;
use crate::redecide::Decided;
use crate::single::{self, Run};

/// Decisions of one trace that a thread asks at a stretch.
const DECISIONS_PER_TASK: usize = 16;

/// What became of a trace.
pub(super) struct Asked {
    pub(super) trace_id: TraceId,
    /// Whether there is a chain.
    pub(super) is_found: bool,
    pub(super) failure: Option<Failure>,
    pub(super) refused_calls: u64,
    /// Of each decision what the tables count.
    pub(super) rows: Vec<Row>,
    pub(super) changed: Vec<ChangedDecision>,
}

/// One decision, as the tables count it.
pub(super) struct Row {
    pub(super) actor: String,
    pub(super) action: String,
    pub(super) resource: String,
    pub(super) change: DecisionChange,
    pub(super) is_error: bool,
}

/// The other policy, and what it replied so far.
pub(super) struct Other<'a> {
    pub(super) name: Sha256Digest,
    pub(super) policy: &'a dyn Policy,
    pub(super) memory: Memory,
}

impl Other<'_> {
    fn reply(&self, question: &Question<'_>) -> Arc<Reply> {
        self.memory.reply(&self.name, self.policy, question)
    }
}

pub(super) fn ask(
    snapshot: &Snapshot,
    other: &Other<'_>,
    trace_id: TraceId,
    seqs: &[Seq],
    is_chosen: bool,
) -> Result<Asked, ReplayError> {
    let log = TraceLog::read(snapshot, trace_id, seqs, ByteRule::Meant)?;
    let chain = log.chain(false);
    let verified = Verified::of_chain(&chain);
    let records = ChainRecords::of(&verified);
    let failure = Run::new(Coverage::default())
        .invariants(trace_id, &chain, &log, &verified, &records)
        .or_else(|| (is_chosen && chain.is_empty()).then(|| single::not_found(trace_id, &log)));
    let refused = log.records().filter(|record| !record.is_accepted());
    let refused_calls = refused.filter(|record| record.envelope.as_ref().is_some_and(is_call)).count() as u64;
    let mut asked = Asked {
        trace_id,
        is_found: !chain.is_empty(),
        failure,
        refused_calls,
        rows: Vec::new(),
        changed: Vec::new(),
    };
    if asked.failure.is_some() {
        return Ok(asked);
    }
    let calls = calls(&verified);
    let decisions = Decided::of_chain(&verified);
    let answers: Vec<(Row, Option<ChangedDecision>)> = decisions
        .par_iter()
        .with_min_len(DECISIONS_PER_TASK)
        .map(|decided| answer(trace_id, decided, other, &calls))
        .collect();
    for (row, changed) in answers {
        asked.rows.push(row);
        asked.changed.extend(changed);
    }
    Ok(asked)
}

const fn is_call(envelope: &Envelope) -> bool {
    matches!(envelope, Envelope::ModelCall(_) | Envelope::ToolCall(_))
}

/// The accepted calls under each decision, in chain order.
fn calls(chain: &[Verified<'_>]) -> BTreeMap<EnvelopeHash, Vec<LostCall>> {
    let mut calls: BTreeMap<EnvelopeHash, Vec<LostCall>> = BTreeMap::new();
    for record in chain {
        let (under, name) = match record.envelope {
            Envelope::ModelCall(call) => (
                call.policy_decision_envelope_sha256,
                format!("{}/{}", call.model.provider, call.model.model),
            ),
            Envelope::ToolCall(call) => {
                let name = format!("{}/{}", call.tool.adapter_id, call.tool.tool_name);
                (call.policy_decision_envelope_sha256, name)
            }
            Envelope::AuthContext(_) | Envelope::PolicyDecision(_) => continue,
        };
        calls.entry(under).or_default().push(LostCall {
            envelope_hash: record.hash,
            seq: record.seq,
            record_type: record.envelope.record_type(),
            name,
        });
    }
    calls
}

fn answer(
    trace_id: TraceId,
    decided: &Decided<'_>,
    other: &Other<'_>,
    calls: &BTreeMap<EnvelopeHash, Vec<LostCall>>,
) -> (Row, Option<ChangedDecision>) {
    let reply = other.reply(&decided.question());
    let (recorded, errors) = (&decided.decision.decision, &reply.answer.errors);
    let change = DecisionChange::of(recorded, &reply.decision);
    let actor = &decided.auth_context.actor;
    let request = &decided.decision.request;
    let row = Row {
        // Neither word holds a blank in front of the other.
        actor: format!("{} {}", actor.actor_kind, actor.actor_id),
        action: request.action.to_string(),
        resource: request.resource.to_string(),
        change,
        is_error: !errors.is_empty(),
    };
    let is_lost = change == DecisionChange::AllowToDeny;
    let under = calls.get(&decided.record.hash).filter(|_| is_lost).cloned().unwrap_or_default();
    let changed = (change != DecisionChange::Same).then(|| ChangedDecision {
        trace_id,
        envelope_hash: decided.record.hash,
        seq: decided.record.seq,
        change,
        actor: actor.clone(),
        request: request.clone(),
        policy: decided.decision.policy.clone(),
        recorded: recorded.clone(),
        other: reply.decision.clone(),
        failed_statements: errors.iter().map(|fault| fault.id.clone()).collect(),
        calls: under,
    });
    (row, changed)
}
