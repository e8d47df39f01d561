//! One trace at work: a context, then steps of a decision and the calls under it, with what goes wrong on the way.

use std::collections::VecDeque;

use proofline_canon::{Limits, Profile, Sha256Digest, canonicalize};
use proofline_trace::{
    Actor, AuthContext, BlobRef, ContentType, Credential, Decision, DecisionResult, Envelope, EnvelopeHash,
    Issuer, Millis, ModelCall, ModelRef, Outcome, PolicyDecision, PolicyRef, PolicyRequest, Resource,
    SafeInt, SealedEnvelope, SpanId, StringSet, Token, ToolCall, ToolRef, TraceContext, TraceId, Usage,
};

use crate::line::Form;
use crate::plan::EvidencePlan;
use crate::random::SplitMix64;
use crate::world;

/// One hand-in: a record, the hash declared for it, and how its line is spelled.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The record.
    pub sealed: SealedEnvelope,
    /// What is declared for it; the record's hash unless its fate is [`Fate::WrongHash`].
    pub declared_hash: String,
    /// How its line is spelled.
    pub form: Form,
    /// What the gate answers when everything before it was handed in.
    pub fate: Fate,
    /// When it is handed in, in Unix milliseconds; never below that of the submission before.
    pub at_ms: u64,
    /// The payloads that it names and that no submission of its step named before.
    pub payloads: Vec<Payload>,
}

/// What the gate answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// `ACCEPT`, a new entry.
    Accepted,
    /// `ACCEPT` again, nothing appended.
    Repeated,
    /// `HASH_MISMATCH`.
    WrongHash,
    /// `MISSING_PREREQ`: the decision comes later.
    TooEarly,
    /// `UNAUTHORIZED_EXECUTION`: the decision says deny.
    Denied,
}

/// The bytes behind a blob reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// A canonical JSON document.
    pub bytes: Vec<u8>,
    /// Whether the evidence comes with it.
    pub at_hand: bool,
}

/// An actor of the trace with an accepted context.
struct Seat {
    context: EnvelopeHash,
    span: SpanId,
}

/// What a call is to be: everything but when, where and under which decision.
enum Work {
    Model { model: &'static world::Model, task: &'static (&'static str, &'static str) },
    Tool(&'static world::Tool),
}

/// One trace, advanced step by step.
pub(crate) struct Session {
    random: SplitMix64,
    plan: EvidencePlan,
    trace_id: TraceId,
    root: SpanId,
    now_ms: u64,
    steps_left: u64,
    model_next: bool,
    seats: Vec<Seat>,
    ready: VecDeque<Submission>,
}

impl Session {
    /// The `index`-th trace of a plan, beginning at `start_ms`.
    pub(crate) fn begin(plan: &EvidencePlan, index: u64, start_ms: u64) -> Self {
        let mut random = SplitMix64::part(plan.seed, index);
        let trace_id = trace_id(&mut random);
        let root = span_id(&mut random);
        let steps_left = random.between(plan.steps.0, plan.steps.1);
        let mut session = Self {
            random,
            plan: plan.clone(),
            trace_id,
            root,
            now_ms: start_ms,
            steps_left,
            model_next: true,
            seats: Vec::new(),
            ready: VecDeque::new(),
        };
        session.join();
        session
    }

    /// When the next submission is handed in; `None` at the end of the trace.
    pub(crate) fn next_at_ms(&mut self) -> Option<u64> {
        while self.ready.is_empty() && self.steps_left > 0 {
            self.steps_left -= 1;
            self.step();
        }
        self.ready.front().map(|submission| submission.at_ms)
    }

    /// The next submission.
    pub(crate) fn take(&mut self) -> Option<Submission> {
        self.next_at_ms()?;
        self.ready.pop_front()
    }

    /// An actor gets a context of its own: the first one the root span, the others spans below it.
    fn join(&mut self) {
        let person = self.random.pick(&world::PEOPLE);
        self.wait(2, 40);
        let (span, trace) = if self.seats.is_empty() {
            (self.root, TraceContext::Root { trace_id: self.trace_id, span_id: self.root })
        } else {
            self.child(self.root)
        };
        let verified_at_ms = self.now_ms.saturating_sub(self.random.below(60_000));
        let record = AuthContext {
            ts_ms: millis(self.now_ms),
            trace,
            component: token(person.component),
            actor: Actor { actor_kind: token(person.kind), actor_id: resource(person.id) },
            credential: Credential {
                credential_kind: token(person.credential),
                issuer: issuer(person.issuer),
                presented_hash_sha256: Sha256Digest::from_bytes(self.random.bytes()),
                verified_at_ms: millis(verified_at_ms),
                expires_at_ms: millis(verified_at_ms + person.valid_ms),
            },
            grants: set(person.grants),
        };
        let sealed = Envelope::from(record).seal();
        self.seats.push(Seat { context: sealed.hash(), span });
        self.hand_in(sealed, Fate::Accepted, Vec::new());
    }

    /// A decision, and the calls under it.
    fn step(&mut self) {
        if self.seats.len() == 1 && self.random.chance(self.plan.joined_per_mille) {
            self.join();
        }
        let work = self.choose_work();
        let number = self.random.between(10_000, 99_999);
        let denied = self.random.chance(self.plan.denied_per_mille);
        let seat = usize::try_from(self.random.below(self.seats.len() as u64)).unwrap_or(0);
        self.wait(30, 4_000);
        let Some((decision, decision_span)) = self.decide(seat, &work, number, denied) else { return };
        if denied {
            self.denied_attempt(seat, decision, decision_span, &work, number);
        } else {
            self.allowed_calls(seat, decision, decision_span, &work, number);
        }
    }

    /// Models and tools take turns, mostly.
    fn choose_work(&mut self) -> Work {
        let model = self.model_next;
        self.model_next = if self.random.chance(150) { model } else { !model };
        if model {
            Work::Model { model: self.random.pick(&world::MODELS), task: self.random.pick(&world::TASKS) }
        } else {
            Work::Tool(self.random.pick(&world::TOOLS))
        }
    }

    /// The policy's answer, not yet handed in, and its span.
    fn decide(
        &mut self,
        seat: usize,
        work: &Work,
        number: u64,
        denied: bool,
    ) -> Option<(SealedEnvelope, SpanId)> {
        let &Seat { context, span: parent } = self.seats.get(seat)?;
        let (span, trace) = self.child(parent);
        let (action, resource_text, policy_id, policy_version) = match work {
            Work::Model { model, .. } => {
                ("model.invoke", format!("models/{}/{}", model.provider, model.name), "model-access", "14")
            }
            Work::Tool(tool) => (tool.action, filled(tool.resource, number), "agent-tools", "2026.03.1"),
        };
        let reasons = if denied { &world::DENY_REASONS } else { &world::ALLOW_REASONS };
        // One reason, or two.
        let reason_codes = set(&[*self.random.pick(reasons), *self.random.pick(reasons)]);
        let record = PolicyDecision {
            ts_ms: millis(self.now_ms),
            trace,
            component: token("policy-engine"),
            auth_context_envelope_sha256: context,
            policy: PolicyRef {
                policy_id: token(policy_id),
                policy_version: token(policy_version),
                // Policies change seldom: one hash a version.
                policy_sha256: Sha256Digest::of(policy_id.as_bytes()),
            },
            request: PolicyRequest { action: token(action), resource: resource(&resource_text) },
            decision: Decision {
                result: if denied { DecisionResult::Deny } else { DecisionResult::Allow },
                reason_codes,
                obligations: if denied {
                    StringSet::new()
                } else {
                    set(&[*self.random.pick(&world::OBLIGATIONS)])
                },
            },
        };
        Some((Envelope::from(record).seal(), span))
    }

    fn denied_attempt(
        &mut self,
        seat: usize,
        decision: SealedEnvelope,
        span: SpanId,
        work: &Work,
        number: u64,
    ) {
        let decision_hash = decision.hash();
        self.hand_in(decision, Fate::Accepted, Vec::new());
        if self.random.chance(667)
            && let Some((call, payloads)) = self.call(seat, decision_hash, span, work, number, "ok")
        {
            self.hand_in(call, Fate::Denied, payloads);
        }
    }

    fn allowed_calls(
        &mut self,
        seat: usize,
        decision: SealedEnvelope,
        span: SpanId,
        work: &Work,
        number: u64,
    ) {
        let decision_hash = decision.hash();
        let refused = self.random.chance(self.plan.refused_per_mille);
        let too_early = refused && self.random.chance(500);
        if !too_early {
            self.hand_in(decision.clone(), Fate::Accepted, Vec::new());
        }
        if self.random.chance(self.plan.retried_per_mille) {
            let failure = *self.random.pick(&world::FAILURES);
            if !too_early
                && let Some((call, payloads)) = self.call(seat, decision_hash, span, work, number, failure)
            {
                self.hand_in(call, Fate::Accepted, payloads);
                self.wait(1_000, 8_000);
            }
        }
        let Some((call, payloads)) = self.call(seat, decision_hash, span, work, number, "ok") else { return };
        if too_early {
            self.hand_in(call.clone(), Fate::TooEarly, Vec::new());
            self.hand_in(decision, Fate::Accepted, Vec::new());
        } else if refused {
            self.hand_in(call.clone(), Fate::WrongHash, Vec::new());
        }
        self.hand_in(call.clone(), Fate::Accepted, payloads);
        if self.random.chance(self.plan.repeated_per_mille) {
            self.hand_in(call, Fate::Repeated, Vec::new());
        }
    }

    /// A call that begins now; time moves on to its end.
    fn call(
        &mut self,
        seat: usize,
        decision: EnvelopeHash,
        decision_span: SpanId,
        work: &Work,
        number: u64,
        status: &str,
    ) -> Option<(SealedEnvelope, Vec<Payload>)> {
        let context = self.seats.get(seat)?.context;
        let (_, trace) = self.child(decision_span);
        self.wait(5, 120);
        let started_at_ms = millis(self.now_ms);
        let (request, response) = self.documents(work, number, status);
        let outcome = Outcome { status: token(status) };
        let (input_tokens, output_tokens) = (self.random.between(180, 9_000), self.random.between(12, 700));
        let (request_blob, response_blob) = (blob(&request), blob(&response));
        let envelope = match work {
            Work::Model { model, .. } => {
                self.now_ms += 200 + output_tokens * model.token_ms;
                let hidden = if self.random.chance(self.plan.odd_usage_per_mille) { 256 } else { 0 };
                Envelope::from(ModelCall {
                    started_at_ms,
                    ended_at_ms: millis(self.now_ms),
                    trace,
                    component: token("orchestrator"),
                    auth_context_envelope_sha256: context,
                    policy_decision_envelope_sha256: decision,
                    model: ModelRef { provider: token(model.provider), model: token(model.name) },
                    request: request_blob,
                    response: response_blob,
                    outcome,
                    usage: (status == "ok").then_some(Usage {
                        input_tokens: SafeInt::saturating(input_tokens),
                        output_tokens: SafeInt::saturating(output_tokens),
                        total_tokens: SafeInt::saturating(input_tokens + output_tokens + hidden),
                    }),
                })
            }
            Work::Tool(tool) => {
                self.wait(tool.usual_ms / 2, tool.usual_ms * 3);
                Envelope::from(ToolCall {
                    started_at_ms,
                    ended_at_ms: millis(self.now_ms),
                    trace,
                    component: token("tool-runner"),
                    auth_context_envelope_sha256: context,
                    policy_decision_envelope_sha256: decision,
                    tool: ToolRef { adapter_id: token(tool.adapter), tool_name: token(tool.name) },
                    request: request_blob,
                    response: response_blob,
                    outcome,
                })
            }
        };
        let payloads = if self.plan.documents { vec![request, response] } else { Vec::new() };
        Some((envelope.seal(), payloads))
    }

    /// Request and response as canonical JSON documents, or random bytes in their place.
    fn documents(&mut self, work: &Work, number: u64, status: &str) -> (Payload, Payload) {
        if !self.plan.documents {
            let mut stand_in = || Payload { bytes: self.random.bytes::<32>().to_vec(), at_hand: false };
            return (stand_in(), stand_in());
        }
        let failed = status != "ok";
        let (request, response) = match work {
            Work::Model { model, task: (question, answer) } => {
                let request = format!(
                    r#"{{"model":"{}","messages":[{{"role":"system","content":"You help the staff of Harbor Goods."}},{{"role":"user","content":"{}"}}],"temperature":0.20,"max_tokens":700}}"#,
                    model.name,
                    filled(question, number)
                );
                let response = format!(
                    r#"{{"id":"cmpl-{number}","choices":[{{"finish_reason":"stop","message":{{"role":"assistant","content":"{}"}}}}]}}"#,
                    answer.replace('\n', "\\n")
                );
                (request, response)
            }
            Work::Tool(tool) => {
                let request =
                    format!(r#"{{"tool":"{}","arguments":{}}}"#, tool.name, filled(tool.arguments, number));
                (request, format!(r#"{{"tool":"{}","result":{}}}"#, tool.name, filled(tool.result, number)))
            }
        };
        let response =
            if failed { format!(r#"{{"error":{{"code":"{status}","retry":true}}}}"#) } else { response };
        (self.payload(&request), self.payload(&response))
    }

    fn payload(&mut self, text: &str) -> Payload {
        let at_hand = !self.random.chance(self.plan.absent_payloads_per_mille);
        Payload { bytes: canonical_content(text), at_hand }
    }

    fn hand_in(&mut self, sealed: SealedEnvelope, fate: Fate, payloads: Vec<Payload>) {
        let declared_hash = if fate == Fate::WrongHash {
            wrong_hash(&mut self.random, &sealed)
        } else {
            sealed.hash().to_string()
        };
        let form = Form::draw(&mut self.random, fate == Fate::WrongHash);
        self.now_ms += 1;
        self.ready.push_back(Submission { sealed, declared_hash, form, fate, at_ms: self.now_ms, payloads });
    }

    fn child(&mut self, parent_span_id: SpanId) -> (SpanId, TraceContext) {
        let span_id = span_id(&mut self.random);
        (span_id, TraceContext::Child { trace_id: self.trace_id, span_id, parent_span_id })
    }

    fn wait(&mut self, low_ms: u64, high_ms: u64) {
        self.now_ms += self.random.between(low_ms, high_ms);
    }
}

/// The ways in which people get a hash wrong: capitals, a prefix, or the hash of the bytes with a newline.
pub(crate) fn wrong_hash(random: &mut SplitMix64, sealed: &SealedEnvelope) -> String {
    let right = sealed.hash().to_string();
    match random.below(3) {
        0 => right.to_uppercase(),
        1 => format!("sha256:{right}"),
        _ => Sha256Digest::of(&[sealed.canonical(), b"\n"].concat()).to_string(),
    }
}

pub(crate) fn blob(payload: &Payload) -> BlobRef {
    BlobRef {
        content_type: content_type("application/json"),
        sha256: Sha256Digest::of(&payload.bytes),
        size_bytes: SafeInt::saturating(payload.bytes.len() as u64),
    }
}

fn filled(text: &str, number: u64) -> String {
    text.replace("{n}", &number.to_string())
}

pub(crate) fn millis(number: u64) -> Millis {
    Millis::saturating(number)
}

const CONSTANTS: &str = "the texts of world.rs and of this file are valid, and a test draws them all";

#[expect(clippy::expect_used, reason = "constants; a test draws them all")]
pub(crate) fn token(text: &str) -> Token {
    Token::new(text).expect(CONSTANTS)
}

#[expect(clippy::expect_used, reason = "constants; a test draws them all")]
pub(crate) fn resource(text: &str) -> Resource {
    Resource::new(text).expect(CONSTANTS)
}

#[expect(clippy::expect_used, reason = "constants; a test draws them all")]
fn issuer(text: &str) -> Issuer {
    Issuer::new(text).expect(CONSTANTS)
}

#[expect(clippy::expect_used, reason = "constants; a test draws them all")]
fn content_type(text: &str) -> ContentType {
    ContentType::new(text).expect(CONSTANTS)
}

#[expect(clippy::expect_used, reason = "constants; a test draws them all")]
pub(crate) fn set(texts: &[&str]) -> StringSet {
    StringSet::of(texts).expect(CONSTANTS)
}

#[expect(clippy::expect_used, reason = "constants; a test draws them all")]
pub(crate) fn canonical_content(text: &str) -> Vec<u8> {
    canonicalize(text.as_bytes(), Profile::Content, &Limits::CONTENT).expect(CONSTANTS)
}

pub(crate) fn trace_id(random: &mut SplitMix64) -> TraceId {
    loop {
        if let Ok(id) = TraceId::from_bytes(random.bytes()) {
            return id;
        }
    }
}

pub(crate) fn span_id(random: &mut SplitMix64) -> SpanId {
    loop {
        if let Ok(id) = SpanId::from_bytes(random.bytes()) {
            return id;
        }
    }
}
