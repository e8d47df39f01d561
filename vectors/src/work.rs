//! What one trace did, taken apart so that it can be done again: contexts, decisions, the calls under each.

use proofline_trace::{
    AuthContext, BlobRef, DecisionResult, Envelope, EnvelopeHash, ModelCall, PolicyDecision, SafeInt, SpanId,
    TraceContext,
};

use crate::random::SplitMix64;
use crate::session::{Fate, Payload, Submission, blob, canonical_content};
use crate::world;

/// A record of the run before, and the hash by which that run referred to it.
#[derive(Clone)]
pub(crate) struct Known<T> {
    pub(crate) record: T,
    pub(crate) hash: EnvelopeHash,
}

/// A decision and the calls under it, in order, tried or done.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) decision: Known<PolicyDecision>,
    pub(crate) calls: Vec<Call>,
}

#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) envelope: Envelope,
    /// Request and response; none where a plan makes no documents.
    pub(crate) documents: Option<[Payload; 2]>,
}

pub(crate) enum Item {
    Context(Box<Known<AuthContext>>),
    Step(Box<Step>),
}

/// The items of one trace, from its submissions in order: what was accepted, and the denied attempts.
pub(crate) fn items(before: &[Submission]) -> Vec<Item> {
    let mut items = Vec::new();
    let done = before.iter().filter(|one| matches!(one.fate, Fate::Accepted | Fate::Denied));
    for one in done {
        let hash = one.sealed.hash();
        match one.sealed.envelope().clone() {
            Envelope::AuthContext(record) => {
                items.push(Item::Context(Box::new(Known { record, hash })));
            }
            Envelope::PolicyDecision(record) => {
                let decision = Known { record, hash };
                items.push(Item::Step(Box::new(Step { decision, calls: Vec::new() })));
            }
            call @ (Envelope::ModelCall(_) | Envelope::ToolCall(_)) => {
                let documents = <[Payload; 2]>::try_from(one.payloads.clone()).ok();
                if let Some(step) = step_of(&mut items, call.policy_decision_hash()) {
                    step.calls.push(Call { envelope: call, documents });
                }
            }
        }
    }
    items
}

fn step_of(items: &mut [Item], decision: Option<EnvelopeHash>) -> Option<&mut Step> {
    items.iter_mut().rev().find_map(|item| match item {
        Item::Step(step) if Some(step.decision.hash) == decision => Some(&mut **step),
        Item::Step(_) | Item::Context(_) => None,
    })
}

/// The span above, if there is one.
pub(crate) const fn parent(trace: &TraceContext) -> Option<SpanId> {
    match trace {
        TraceContext::Root { .. } => None,
        TraceContext::Child { parent_span_id, .. } => Some(*parent_span_id),
    }
}

impl Step {
    /// Whether policy let its calls through.
    pub(crate) fn is_allowed(&self) -> bool {
        self.decision.record.decision.result == DecisionResult::Allow
    }
}

/// Request or response.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    Request,
    Response,
}

impl Call {
    pub(crate) fn is_ok(&self) -> bool {
        self.envelope.outcome().is_some_and(|outcome| outcome.status.as_str() == "ok")
    }

    pub(crate) const fn is_model(&self) -> bool {
        matches!(self.envelope, Envelope::ModelCall(_))
    }

    pub(crate) fn model(&mut self) -> Option<&mut ModelCall> {
        match &mut self.envelope {
            Envelope::ModelCall(record) => Some(record),
            Envelope::AuthContext(_) | Envelope::PolicyDecision(_) | Envelope::ToolCall(_) => None,
        }
    }

    /// Changes a document and with it the reference; without documents the reference alone.
    pub(crate) fn rewrite(&mut self, random: &mut SplitMix64, side: Side, edit: impl Fn(&str) -> String) {
        let payload = match self.documents.as_mut() {
            Some([request, response]) => {
                let payload = if matches!(side, Side::Request) { request } else { response };
                let text = edit(&String::from_utf8_lossy(&payload.bytes));
                *payload = Payload { bytes: canonical_content(&text), at_hand: payload.at_hand };
                payload.clone()
            }
            None => Payload { bytes: random.bytes::<32>().to_vec(), at_hand: false },
        };
        if let Some(reference) = self.reference(side) {
            *reference = blob(&payload);
        }
    }

    /// Another number of tokens written; what the total was wrong by stays.
    pub(crate) fn count_otherwise(&mut self, random: &mut SplitMix64) {
        if let Some(usage) = self.model().and_then(|record| record.usage.as_mut()) {
            let written = random.between(12, 700);
            let unwritten = usage.total_tokens.get().saturating_sub(usage.output_tokens.get());
            usage.output_tokens = SafeInt::saturating(written);
            usage.total_tokens = SafeInt::saturating(unwritten + written);
        }
    }

    fn reference(&mut self, side: Side) -> Option<&mut BlobRef> {
        let (request, response) = match &mut self.envelope {
            Envelope::ModelCall(record) => (&mut record.request, &mut record.response),
            Envelope::ToolCall(record) => (&mut record.request, &mut record.response),
            Envelope::AuthContext(_) | Envelope::PolicyDecision(_) => return None,
        };
        Some(if matches!(side, Side::Request) { request } else { response })
    }

    /// Another answer of the model to the same question.
    pub(crate) fn answer_otherwise(&mut self, random: &mut SplitMix64) {
        self.rewrite(random, Side::Response, |text| {
            let pairs = world::TASKS.iter().zip(world::NEW_ANSWERS);
            let mut known = pairs.map(|((_, old), new)| (in_json(old), in_json(new)));
            known.find(|(old, _)| text.contains(old)).map_or_else(
                || text.replacen("\"id\":", "\"fingerprint\":\"fp_2026_03\",\"id\":", 1),
                |(old, new)| text.replacen(&old, &new, 1),
            )
        });
    }
}

fn in_json(text: &str) -> String {
    text.replace('\n', "\\n")
}
