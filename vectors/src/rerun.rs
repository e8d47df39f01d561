//! The same work done again after a model change, for constrained replay: new trace ids, span ids and times,
//! the same actors, requests and policies, other answers; and, where told so, another path.

use std::collections::{BTreeMap, BTreeSet};

use proofline_canon::Sha256Digest;
use proofline_trace::{
    AuthContext, Envelope, EnvelopeHash, Millis, SealedEnvelope, SpanId, TraceContext, TraceId,
};

use crate::deviation::Deviation;
use crate::evidence::{Evidence, Generator, generate};
use crate::line::Form;
use crate::plan::EvidencePlan;
use crate::random::SplitMix64;
use crate::session::{Fate, Payload, Submission, millis, span_id, trace_id, wrong_hash};
use crate::work::{Call, Item, Step, items, parent};

/// How much later the work is done again: a week.
const LATER_MS: u64 = 7 * 24 * 3_600_000;
/// Keeps the numbers of a run apart from those of the run before.
const SALT: u64 = 0x0AF7_E12C_4A96_E000;

/// A run and the run that it repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The trace before the change.
    pub baseline: TraceId,
    /// The trace after it.
    pub candidate: TraceId,
    /// What the candidate does otherwise.
    pub deviation: Deviation,
}

impl Pair {
    /// The pair as a line of a pairs file, without its newline: `{"baseline":"…","candidate":"…"}`.
    #[must_use]
    pub fn line(&self) -> String {
        format!(r#"{{"baseline":"{}","candidate":"{}"}}"#, self.baseline, self.candidate)
    }
}

/// One trace done again.
#[derive(Debug, Clone)]
pub struct Rerun {
    /// Which it repeats, and how.
    pub pair: Pair,
    /// Its submissions in order.
    pub submissions: Vec<Submission>,
}

/// What the second evidence file, its payload file and the file of pairs hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AfterModelChange {
    /// The lines, and the payloads that the evidence before has not.
    pub evidence: Evidence,
    /// One for each trace, in the order in which those of the evidence before began.
    pub pairs: Vec<Pair>,
}

/// The work of a whole plan done again; `wanted` says for each trace, by its number, what to do otherwise.
#[must_use]
pub fn after_model_change(plan: &EvidencePlan, wanted: impl Fn(u64) -> Deviation) -> AfterModelChange {
    let mut known: BTreeSet<_> =
        generate(plan).payloads.iter().map(|bytes| Sha256Digest::of(bytes)).collect();
    let (mut pairs, mut submissions) = (Vec::new(), Vec::new());
    for (index, before) in (0_u64..).zip(by_trace(plan)) {
        let Some(again) = rerun(plan, index, &before, wanted(index)) else { continue };
        pairs.push(again.pair);
        submissions.extend(again.submissions);
    }
    submissions.sort_by_key(|submission: &Submission| submission.at_ms);
    let mut evidence = Evidence { lines: Vec::new(), payloads: Vec::new() };
    for submission in submissions {
        evidence.lines.push(submission.line());
        for payload in submission.payloads {
            if payload.at_hand && known.insert(Sha256Digest::of(&payload.bytes)) {
                evidence.payloads.push(payload.bytes);
            }
        }
    }
    AfterModelChange { evidence, pairs }
}

/// The submissions of a plan, trace by trace in the order of their beginnings.
fn by_trace(plan: &EvidencePlan) -> Vec<Vec<Submission>> {
    let mut places = BTreeMap::new();
    let mut traces: Vec<Vec<Submission>> = Vec::new();
    for submission in Generator::new(plan) {
        let place = *places.entry(submission.sealed.envelope().trace_id()).or_insert(traces.len());
        match traces.get_mut(place) {
            Some(trace) => trace.push(submission),
            None => traces.push(vec![submission]),
        }
    }
    traces
}

/// The `index`-th trace of a plan done again, from all its submissions in order; `None` where there are none.
///
/// The same arguments give the same run, whatever other traces there are.
#[must_use]
pub fn rerun(plan: &EvidencePlan, index: u64, before: &[Submission], wanted: Deviation) -> Option<Rerun> {
    let baseline = before.first()?.sealed.envelope().trace_id();
    let mut random = SplitMix64::part(plan.seed ^ SALT, index);
    let candidate = trace_id(&mut random);
    let mut work = items(before);
    let deviation = wanted.apply(&mut work, &mut random);
    let mut run = Run::new(plan, random, candidate, before.first()?.at_ms);
    for item in &work {
        match item {
            Item::Context(context) => {
                let seal = run.context(&context.record);
                if deviation == Deviation::NeverBegan {
                    run.hand_in(seal, Fate::WrongHash, Vec::new());
                    break;
                }
                run.hashes.insert(context.hash, seal.hash());
                run.hand_in(seal, Fate::Accepted, Vec::new());
            }
            Item::Step(step) => run.step(step)?,
        }
    }
    let pair = Pair { baseline, candidate, deviation };
    Some(Rerun { pair, submissions: run.submissions })
}

/// A trace on its way: what it has said so far, and how the run before referred to it.
struct Run<'a> {
    plan: &'a EvidencePlan,
    random: SplitMix64,
    trace_id: TraceId,
    spans: BTreeMap<SpanId, SpanId>,
    hashes: BTreeMap<EnvelopeHash, EnvelopeHash>,
    /// The time here, and the time in the run before.
    now_ms: u64,
    before_ms: u64,
    submissions: Vec<Submission>,
}

impl<'a> Run<'a> {
    const fn new(plan: &'a EvidencePlan, random: SplitMix64, trace_id: TraceId, before_ms: u64) -> Self {
        Self {
            plan,
            random,
            trace_id,
            spans: BTreeMap::new(),
            hashes: BTreeMap::new(),
            now_ms: before_ms + LATER_MS,
            before_ms,
            submissions: Vec::new(),
        }
    }

    /// Time goes on as it did in the run before, with a little delay.
    fn elapse(&mut self, before_ms: Millis) -> Millis {
        let passed = before_ms.get().saturating_sub(self.before_ms);
        self.now_ms += passed + self.random.between(1, 40);
        self.before_ms = before_ms.get();
        millis(self.now_ms)
    }

    /// The same place in the tree, in spans of this run.
    fn place(&mut self, before: &TraceContext) -> TraceContext {
        let (trace_id, span_id) = (self.trace_id, span_id(&mut self.random));
        self.spans.insert(before.span_id(), span_id);
        match parent(before).and_then(|span| self.spans.get(&span)) {
            Some(parent_span_id) => {
                TraceContext::Child { trace_id, span_id, parent_span_id: *parent_span_id }
            }
            None => TraceContext::Root { trace_id, span_id },
        }
    }

    /// The same actor with a fresh credential of the same age and length.
    fn context(&mut self, before: &AuthContext) -> SealedEnvelope {
        let mut record = before.clone();
        record.ts_ms = self.elapse(before.ts_ms);
        record.trace = self.place(&before.trace);
        let (verified, expires) =
            (before.credential.verified_at_ms.get(), before.credential.expires_at_ms.get());
        let verified_at_ms = self.now_ms.saturating_sub(before.ts_ms.get().saturating_sub(verified));
        record.credential.verified_at_ms = millis(verified_at_ms);
        record.credential.expires_at_ms = millis(verified_at_ms + expires.saturating_sub(verified));
        record.credential.presented_hash_sha256 = Sha256Digest::from_bytes(self.random.bytes());
        Envelope::from(record).seal()
    }

    /// A decision and its calls; `None` where its context is not known.
    fn step(&mut self, step: &Step) -> Option<()> {
        let before = &step.decision.record;
        let mut record = before.clone();
        record.auth_context_envelope_sha256 = *self.hashes.get(&before.auth_context_envelope_sha256)?;
        record.ts_ms = self.elapse(before.ts_ms);
        record.trace = self.place(&before.trace);
        let sealed = Envelope::from(record).seal();
        self.hashes.insert(step.decision.hash, sealed.hash());
        self.hand_in(sealed, Fate::Accepted, Vec::new());
        for call in &step.calls {
            let sealed = self.call(call)?;
            let payloads = call.documents.clone().map_or_else(Vec::new, Vec::from);
            if step.is_allowed() {
                self.accepted(&sealed, payloads);
            } else {
                self.hand_in(sealed, Fate::Denied, payloads);
            }
        }
        Some(())
    }

    fn call(&mut self, call: &Call) -> Option<SealedEnvelope> {
        let mut envelope = call.envelope.clone();
        let (trace, started_at_ms, ended_at_ms, context, decision) = match &mut envelope {
            Envelope::ModelCall(record) => (
                &mut record.trace,
                &mut record.started_at_ms,
                &mut record.ended_at_ms,
                &mut record.auth_context_envelope_sha256,
                &mut record.policy_decision_envelope_sha256,
            ),
            Envelope::ToolCall(record) => (
                &mut record.trace,
                &mut record.started_at_ms,
                &mut record.ended_at_ms,
                &mut record.auth_context_envelope_sha256,
                &mut record.policy_decision_envelope_sha256,
            ),
            Envelope::AuthContext(_) | Envelope::PolicyDecision(_) => return None,
        };
        let took_ms = ended_at_ms.get().saturating_sub(started_at_ms.get());
        *context = *self.hashes.get(context)?;
        *decision = *self.hashes.get(decision)?;
        *trace = self.place(trace);
        *started_at_ms = self.elapse(*started_at_ms);
        self.before_ms = ended_at_ms.get();
        self.now_ms += self.random.between(took_ms * 9 / 10, took_ms * 11 / 10);
        *ended_at_ms = millis(self.now_ms);
        Some(envelope.seal())
    }

    /// A call that goes through, with what the plan lets go wrong on the way.
    fn accepted(&mut self, sealed: &SealedEnvelope, payloads: Vec<Payload>) {
        if self.random.chance(self.plan.refused_per_mille) {
            self.hand_in(sealed.clone(), Fate::WrongHash, Vec::new());
        }
        self.hand_in(sealed.clone(), Fate::Accepted, payloads);
        if self.random.chance(self.plan.repeated_per_mille) {
            self.hand_in(sealed.clone(), Fate::Repeated, Vec::new());
        }
    }

    fn hand_in(&mut self, sealed: SealedEnvelope, fate: Fate, payloads: Vec<Payload>) {
        let is_wrong = fate == Fate::WrongHash;
        let declared_hash =
            if is_wrong { wrong_hash(&mut self.random, &sealed) } else { sealed.hash().to_string() };
        let form = Form::draw(&mut self.random, is_wrong);
        self.now_ms += 1;
        self.submissions.push(Submission { sealed, declared_hash, form, fate, at_ms: self.now_ms, payloads });
    }
}
