//! Answers that were given before, so that equal questions are decided once. An answer rests on the policy and on its
//! view of the question and never on what is remembered: only the time that it takes does.

use std::collections::HashMap;
use std::fmt;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use proofline_canon::Sha256Digest;
use proofline_trace::Decision;

use crate::answer::Answer;
use crate::engine::Policy;
use crate::question::Question;

/// What a policy answered, and the contract's decision that follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What the engine answered.
    pub answer: Answer,
    /// [`Answer::decision`] of it.
    pub decision: Decision,
}

impl Reply {
    fn to(policy: &dyn Policy, question: &Question<'_>) -> Self {
        let answer = policy.ask(question);
        Self { decision: answer.decision(), answer }
    }

    /// About what it takes in memory: its texts stand in the answer and in the decision.
    fn size_bytes(&self) -> usize {
        let text = |text: &String| 2 * text.len() + TEXT_BYTES;
        let determining = self.answer.determining.iter();
        determining.flat_map(|it| std::iter::once(&it.id).chain(&it.obligations)).map(text).sum()
    }
}

/// What a text takes beside its bytes, as two strings, one of them in a set.
const TEXT_BYTES: usize = 96;

/// What an entry takes beside its view and its reply's texts.
const ENTRY_BYTES: usize = 320;

/// Parts of a memory, each behind a lock of its own.
const SHARDS: usize = 16;

/// Replies by the policy's name and its view of the question. Bounded, and shared between threads.
///
/// ```
/// use proofline_canon::Sha256Digest;
/// use proofline_policy::{CedarEngine, Memory, PolicyEngine, Question};
/// # use proofline_trace::{Envelope, PolicyRequest, read_envelope};
/// # let record = br#"{"spec_version":"1.0.0","canon_version":"1","record_type":"auth_context",
/// #     "ts_ms":1769817600000,"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",
/// #     "span_id":"00f067aa0ba902b7","span_kind":"root"},"producer":{"layer":"cpo","component":"gateway"},
/// #     "actor":{"actor_kind":"user","actor_id":"staff/ines"},"credential":{"credential_kind":"oidc",
/// #     "issuer":"https://id.example","presented_hash_sha256":
/// #     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","verified_at_ms":1769817600000,
/// #     "expires_at_ms":1769821200000},"grants":{"tickets:read":true}}"#;
/// # let limits = proofline_canon::Limits::ENVELOPE;
/// # let Envelope::AuthContext(auth_context) = read_envelope(record, &limits)?.into_parts().0 else { return Ok(()) };
///
/// let text = br#"@id("readers-read") permit(principal in Grant::"tickets:read", action, resource);"#;
/// let (policy, name, memory) = (CedarEngine.load(text)?, Sha256Digest::of(text), Memory::new(1 << 20));
/// let request = PolicyRequest { action: "tickets:read".parse()?, resource: "desk/7".parse()? };
/// let (trace, component) = (auth_context.trace, auth_context.component.clone());
/// let at = |ts_ms: u64| Question {
///     auth_context: &auth_context,
///     request: &request,
///     trace: &trace,
///     component: &component,
///     ts_ms: ts_ms.try_into().unwrap_or_default(),
/// };
/// // No statement asks for the time, so one question is asked, and the other remembered.
/// let (first, second) = (at(1769817600001), at(1769817600002));
/// assert_eq!(memory.reply(&name, &*policy, &first), memory.reply(&name, &*policy, &second));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Memory {
    shards: [Mutex<Shard>; SHARDS],
    /// Of the younger half of a shard.
    half_bytes: usize,
}

/// What was asked for lately, and before that.
#[derive(Default)]
struct Shard {
    young: HashMap<Box<[u8]>, Arc<Reply>>,
    old: HashMap<Box<[u8]>, Arc<Reply>>,
    young_bytes: usize,
}

impl Memory {
    /// One that takes about so many bytes at most.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), half_bytes: max_bytes / SHARDS / 2 }
    }

    /// What a policy replies to a question. `name` is the SHA-256 of the bytes that it was loaded from, and one memory
    /// serves policies of one engine. A reply with errors is not remembered.
    pub fn reply(&self, name: &Sha256Digest, policy: &dyn Policy, question: &Question<'_>) -> Arc<Reply> {
        let mut view = Vec::with_capacity(256);
        view.extend_from_slice(name.as_bytes());
        if !policy.write_view(question, &mut view) {
            return Arc::new(Reply::to(policy, question));
        }
        if let Some(reply) = self.shard(&view, |shard| shard.find(&view, self.half_bytes)).flatten() {
            return reply;
        }
        let reply = Arc::new(Reply::to(policy, question));
        // What an engine says of an error is its own, and may tell of more than the view.
        if reply.answer.errors.is_empty() {
            self.shard(&view, |shard| shard.keep(&view, &reply, self.half_bytes));
        }
        reply
    }

    fn shard<R>(&self, view: &[u8], work: impl FnOnce(&mut Shard) -> R) -> Option<R> {
        let sum = view.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        let shard = self.shards.get(usize::from(sum) % SHARDS)?;
        Some(work(&mut shard.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Views that are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        let len = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap();
            shard.young.len() + shard.old.len()
        };
        self.shards.iter().map(len).sum()
    }
}

impl Shard {
    fn find(&mut self, view: &[u8], half_bytes: usize) -> Option<Arc<Reply>> {
        if let Some(reply) = self.young.get(view) {
            return Some(Arc::clone(reply));
        }
        let (view, reply) = self.old.remove_entry(view)?;
        self.keep_boxed(view, Arc::clone(&reply), half_bytes);
        Some(reply)
    }

    fn keep(&mut self, view: &[u8], reply: &Arc<Reply>, half_bytes: usize) {
        self.keep_boxed(view.into(), Arc::clone(reply), half_bytes);
    }

    /// What is old goes when the young fill their half.
    fn keep_boxed(&mut self, view: Box<[u8]>, reply: Arc<Reply>, half_bytes: usize) {
        let bytes = view.len() + reply.size_bytes() + ENTRY_BYTES;
        if bytes > half_bytes {
            return;
        }
        if self.young_bytes + bytes > half_bytes {
            self.old = mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(view, reply).is_none() {
            self.young_bytes += bytes;
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("half_bytes", &self.half_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
