//! The cases of one trace: each record with what it rests on and where it stands, and what the rules answer to it.

use std::collections::BTreeMap;

use proofline_ledger::{Damage, Seq, Snapshot};
use proofline_policy::{
    About, Breach, Call, CaseFacts, DecisionCase, Earlier, RefusedAttempt, Rule, RuleCase,
};
use proofline_trace::{
    AuthContext, Envelope, EnvelopeHash, Failure, SpanId, SpanRecord, SpanTree, TraceContext, TraceId,
};
use thiserror::Error;

use super::{Asking, Part, RecordAt, Violation};
use crate::chain::{ByteRule, Record, Standing, TraceLog};
use crate::error::ReplayError;
use crate::reading::damage_at;

/// What the rules answer to one trace.
#[derive(Debug)]
pub(super) struct TraceAnswers {
    pub(super) violations: Vec<Violation>,
    /// How often each rule was asked.
    pub(super) asked: Vec<u64>,
    pub(super) records: u64,
    pub(super) attempts: u64,
    pub(super) damage: Vec<Damage>,
}

/// Asks every rule of every record of the trace whose entries are at `seqs`.
pub(super) fn ask(asking: &Asking<'_>, trace_id: TraceId, seqs: &[Seq]) -> Result<TraceAnswers, ReplayError> {
    let log = TraceLog::read(asking.snapshot, trace_id, seqs, ByteRule::Stored)?;
    let listed = log.chain(asking.include_rejected);
    let chain = Chain::of(asking, trace_id, &listed);
    let mut answers = TraceAnswers {
        violations: Vec::new(),
        asked: vec![0; asking.rules.rules().len()],
        records: 0,
        attempts: 0,
        damage: log.unreadable.iter().map(|(_, damage)| damage.clone()).collect(),
    };
    let mut previous = None;
    for record in listed {
        match chain.case(record, previous) {
            Ok(asked) => {
                let count = if asked.is_refused() { &mut answers.attempts } else { &mut answers.records };
                *count += 1;
                chain.answer(&asked, &mut answers);
            }
            Err(unasked) => answers.damage.push(unasked.damage(asking.snapshot, record.seq)),
        }
        if record.is_accepted() && record.fault.is_none() {
            previous = earlier(record);
        }
    }
    Ok(answers)
}

/// Why no rule can be asked about a record. No gate accepts one like this.
#[derive(Debug, Error)]
enum Unasked {
    #[error("no rule can be asked: {0}")]
    Bytes(String),
    #[error("no rule can be asked: the body is no record")]
    Body,
    #[error("no rule can be asked: the trace has no auth_context before it that it names")]
    Context,
    #[error("no rule can be asked: the trace has no policy_decision before it that it names")]
    Decision,
}

impl Unasked {
    fn damage(&self, snapshot: &Snapshot, seq: Seq) -> Damage {
        damage_at(snapshot, seq, "check.record", self.to_string())
    }
}

/// A record whose bytes do not hold.
pub(super) fn unsound(snapshot: &Snapshot, seq: Seq, fault: &Failure) -> Damage {
    Unasked::Bytes(fault.message.clone()).damage(snapshot, seq)
}

fn earlier(record: &Record) -> Option<Earlier<'_>> {
    record.envelope.as_ref().map(|envelope| Earlier { seq: record.seq.get(), envelope })
}

/// A case, and the records that stand in it.
struct Asked<'a> {
    case: RuleCase<'a>,
    envelope: &'a Envelope,
    seq: Seq,
    /// The decision's policy is older than the one first used there.
    newer: Option<RecordAt>,
}

impl Asked<'_> {
    const fn is_refused(&self) -> bool {
        matches!(self.case.about, About::Refused(_))
    }
}

/// The accepted records of a trace.
struct Chain<'a> {
    asking: &'a Asking<'a>,
    trace_id: TraceId,
    records: BTreeMap<EnvelopeHash, (Seq, &'a Envelope)>,
    depths: BTreeMap<SpanId, u64>,
    /// How many calls name a decision, and which of them each call is.
    calls: BTreeMap<EnvelopeHash, u64>,
    places: BTreeMap<EnvelopeHash, u64>,
}

impl<'a> Chain<'a> {
    fn of(asking: &'a Asking<'a>, trace_id: TraceId, listed: &[&'a Record]) -> Self {
        let sound = |record: &&&Record| record.is_accepted() && record.fault.is_none();
        let accepted = listed.iter().filter(sound);
        let mut chain = Self {
            asking,
            trace_id,
            records: BTreeMap::new(),
            depths: BTreeMap::new(),
            calls: BTreeMap::new(),
            places: BTreeMap::new(),
        };
        for record in accepted {
            let Some(envelope) = &record.envelope else { continue };
            chain.records.insert(record.key, (record.seq, envelope));
            if let Some(decision) = envelope.policy_decision_hash() {
                let calls = chain.calls.entry(decision).or_default();
                *calls += 1;
                chain.places.insert(record.key, *calls);
            }
        }
        chain.depths = depths(&chain.records);
        chain
    }

    /// The case that a record is, or why it is none.
    fn case(&self, record: &'a Record, previous: Option<Earlier<'a>>) -> Result<Asked<'a>, Unasked> {
        if let Some(fault) = &record.fault {
            return Err(Unasked::Bytes(fault.message.clone()));
        }
        let envelope = record.envelope.as_ref().ok_or(Unasked::Body)?;
        let (about, newer) = match &record.standing {
            Standing::Accepted => self.accepted(record, envelope)?,
            Standing::Rejected(refusal) => {
                let (auth_context, decision) = self.named_by_attempt(record.seq, envelope);
                let (classification, error_kind) = (refusal.classification, &refusal.error_kind);
                let attempt = RefusedAttempt { envelope, classification, error_kind, auth_context, decision };
                (About::Refused(attempt), None)
            }
        };
        let (seq, depth) = (record.seq.get(), self.depth(envelope.trace()));
        let case = RuleCase { seq, envelope_sha256: record.key, depth, previous, about };
        Ok(Asked { case, envelope, seq: record.seq, newer })
    }

    fn accepted(
        &self,
        record: &'a Record,
        envelope: &'a Envelope,
    ) -> Result<(About<'a>, Option<RecordAt>), Unasked> {
        if let Envelope::AuthContext(context) = envelope {
            return Ok((About::AuthContext(context), None));
        }
        let auth_context = envelope.auth_context_hash().and_then(|hash| self.auth_context(hash, record.seq));
        let auth_context = auth_context.ok_or(Unasked::Context)?;
        let versions = self.asking.versions;
        let in_call = match envelope {
            Envelope::AuthContext(_) => return Err(Unasked::Context),
            Envelope::PolicyDecision(decided) => {
                let newer = versions.newer(&decided.policy, record.seq);
                let decision =
                    DecisionCase { seq: record.seq.get(), record: decided, in_force: newer.is_none() };
                let calls = self.calls.get(&record.key).copied().unwrap_or(0);
                return Ok((About::Decision { decision, auth_context, calls }, newer));
            }
            Envelope::ModelCall(call) => Call::Model(call),
            Envelope::ToolCall(call) => Call::Tool(call),
        };
        let named = envelope.policy_decision_hash().ok_or(Unasked::Decision)?;
        let decision = self.decision(named, record.seq).ok_or(Unasked::Decision)?;
        let newer = versions.newer(&decision.record.policy, record.seq);
        let about = About::Call {
            call: in_call,
            decision,
            auth_context,
            in_force: newer.is_none(),
            calls: self.calls.get(&named).copied().unwrap_or(0),
            index: self.places.get(&record.key).copied().unwrap_or(0),
        };
        Ok((about, newer))
    }

    /// What an attempt rests on, as far as the trace has it before. Of a context or decision that was refused itself
    /// it is what it says of itself.
    fn named_by_attempt(
        &self,
        seq: Seq,
        envelope: &'a Envelope,
    ) -> (Option<&'a AuthContext>, Option<DecisionCase<'a>>) {
        let named = envelope.auth_context_hash().and_then(|hash| self.auth_context(hash, seq));
        match envelope {
            Envelope::AuthContext(own) => (Some(own), None),
            Envelope::PolicyDecision(own) => {
                (named, Some(DecisionCase { seq: seq.get(), record: own, in_force: false }))
            }
            Envelope::ModelCall(_) | Envelope::ToolCall(_) => {
                (named, envelope.policy_decision_hash().and_then(|hash| self.decision(hash, seq)))
            }
        }
    }

    /// The record under a hash, if it lies before an entry.
    fn before(&self, hash: EnvelopeHash, seq: Seq) -> Option<(Seq, &'a Envelope)> {
        self.records.get(&hash).copied().filter(|(own, _)| *own < seq)
    }

    fn auth_context(&self, hash: EnvelopeHash, seq: Seq) -> Option<&'a AuthContext> {
        match self.before(hash, seq)? {
            (_, Envelope::AuthContext(context)) => Some(context),
            _ => None,
        }
    }

    fn decision(&self, hash: EnvelopeHash, before: Seq) -> Option<DecisionCase<'a>> {
        let (seq, Envelope::PolicyDecision(record)) = self.before(hash, before)? else { return None };
        let in_force = self.asking.versions.newer(&record.policy, seq).is_none();
        Some(DecisionCase { seq: seq.get(), record, in_force })
    }

    /// Of a span on which no accepted record stands, as an attempt's may be: one more than its parent's.
    fn depth(&self, trace: &TraceContext) -> u64 {
        let parent = || self.depths.get(&trace.parent_span_id()?).map(|depth| depth + 1);
        self.depths.get(&trace.span_id()).copied().or_else(parent).unwrap_or(0)
    }

    fn answer(&self, asked: &Asked<'a>, answers: &mut TraceAnswers) {
        let kind = asked.case.about.kind();
        let mut is_asked = false;
        for (count, rule) in answers.asked.iter_mut().zip(self.asking.rules.rules()) {
            let asks = rule.asked_of.contains(&kind);
            *count += u64::from(asks);
            is_asked |= asks;
        }
        if !is_asked {
            return;
        }
        let facts = CaseFacts::of(&asked.case);
        for breach in self.asking.rules.ask(&facts) {
            answers.violations.extend(self.violation(asked, &facts, breach));
        }
    }

    fn violation(&self, asked: &Asked<'_>, facts: &CaseFacts<'_>, breach: Breach) -> Option<Violation> {
        let rule = self.asking.rules.rules().get(breach.rule)?;
        let actor = facts.auth_context.map(|auth| &auth.actor);
        Some(Violation {
            rule: breach.rule,
            error: breach.error,
            record: self.at(asked.case.envelope_sha256, asked.seq, asked.envelope),
            is_refused: asked.is_refused(),
            beside: self.beside(asked, rule),
            facts: rule.reads.iter().map(|path| (path.clone(), facts.get(path))).collect(),
            actor: actor.map(|actor| (actor.actor_kind.to_string(), actor.actor_id.to_string())),
            resource: facts.resource.map(str::to_owned),
        })
    }

    fn at(&self, envelope_sha256: EnvelopeHash, seq: Seq, envelope: &Envelope) -> RecordAt {
        RecordAt { trace_id: self.trace_id, seq, envelope_sha256, record_type: envelope.record_type() }
    }

    fn beside(&self, asked: &Asked<'_>, rule: &Rule) -> Vec<(Part, RecordAt)> {
        let named = [
            (Part::AuthContext, asked.envelope.auth_context_hash()),
            (Part::Decision, asked.envelope.policy_decision_hash()),
        ];
        let found = named.into_iter().filter_map(|(part, hash)| {
            let (seq, envelope) = self.before(hash?, asked.seq)?;
            Some((part, self.at(hash?, seq, envelope)))
        });
        let looks = rule.reads.iter().any(|path| path.contains("in_force"));
        found.chain(asked.newer.filter(|_| looks).map(|newer| (Part::NewerPolicy, newer))).collect()
    }
}

/// How deep each span lies, in the tree that the accepted records make in ledger order.
fn depths(records: &BTreeMap<EnvelopeHash, (Seq, &Envelope)>) -> BTreeMap<SpanId, u64> {
    let mut spans: Vec<SpanRecord> = records
        .iter()
        .map(|(hash, (seq, envelope))| SpanRecord {
            span_id: envelope.trace().span_id(),
            parent_span_id: envelope.trace().parent_span_id(),
            record_type: envelope.record_type(),
            start_ms: envelope.time_ms(),
            end_ms: envelope.ended_at_ms(),
            hash: *hash,
            position: seq.get(),
        })
        .collect();
    spans.sort_by_key(|span| span.position);
    SpanTree::build(spans).walk().map(|drawn| (drawn.span.span_id(), drawn.depth as u64)).collect()
}
