//! Evidence to measure with: agents at work, made from a seed. Traces of all four record types, thirty-two of them at
//! a time, each record one that the gate accepts. The same seed gives the same bytes everywhere.

use proofline::canon::Sha256Digest;
use proofline::trace::{
    Actor, AuthContext, BlobRef, Credential, Decision, DecisionResult, Envelope, EnvelopeHash, Millis,
    ModelCall, ModelRef, Outcome, PolicyDecision, PolicyRef, PolicyRequest, SafeInt, SealedEnvelope, SpanId,
    StringSet, ToolCall, ToolRef, TraceContext, TraceId, Usage, WordError,
};

/// How many traces are at work at the same time.
const OPEN_TRACES: usize = 32;
/// When the first of them begins: 2026-03-02T08:00:00Z.
const START_MS: u64 = 1_772_438_400_000;
const HOUR_MS: u64 = 3_600_000;

/// Who acts: kind, id, kind of credential, issuer, grants.
const PEOPLE: [(&str, &str, &str, &str, &[&str]); 4] = [
    (
        "agent",
        "agents/ticket-triage-3",
        "mtls",
        "spiffe://harbor-goods.example/ca/2026",
        &["model.invoke", "order.read", "ticket.read", "ticket.reply"],
    ),
    (
        "agent",
        "agents/code-review-2",
        "mtls",
        "spiffe://harbor-goods.example/ca/2026",
        &["file.read", "file.write:branch", "model.invoke", "repo.propose"],
    ),
    (
        "service",
        "services/nightly-report",
        "workload-jwt",
        "https://tokens.harbor-goods.example",
        &["db.query:reporting", "mail.send:internal", "model.invoke"],
    ),
    (
        "user",
        "people/mara.olsen",
        "oidc",
        "https://login.harbor-goods.example/realms/staff",
        &["db.query:reporting", "model.invoke", "order.read", "ticket.read"],
    ),
];
/// Which model answers: provider and name.
const MODELS: [(&str, &str); 3] =
    [("northwind", "nw-large-2"), ("northwind", "nw-small-2"), ("lakeside", "heron-1.5")];
/// Which tool is called: adapter, name, action, and the kind of thing it is used on.
const TOOLS: [(&str, &str, &str, &str); 5] = [
    ("tickets", "get_ticket", "ticket.read", "tickets"),
    ("orders", "find_order", "order.read", "orders"),
    ("filesystem", "read_file", "file.read", "repos/storefront/src/cart"),
    ("warehouse-sql", "query", "db.query", "db/reporting/returns"),
    ("mail", "send_message", "mail.send", "mail/lists/returns-weekly"),
];
const REASONS: [&str; 4] = ["grant.present", "rule.business-hours", "rule.low-amount", "rule.own-branch"];
const OBLIGATIONS: [&str; 3] = ["audit.full", "redact.pii", "notify.owner"];

/// Records without end, in an order in which the gate accepts them.
#[derive(Debug)]
pub(super) struct Evidence {
    random: SplitMix64,
    now_ms: u64,
    open: Vec<Session>,
    /// How many traces were begun.
    pub(super) traces: u64,
}

/// A trace at work.
#[derive(Debug)]
struct Session {
    trace_id: TraceId,
    root: SpanId,
    context: EnvelopeHash,
    steps_left: u64,
    /// What was decided and not yet done.
    decided: Option<Decided>,
}

#[derive(Debug)]
struct Decided {
    hash: EnvelopeHash,
    span: SpanId,
    work: Work,
}

#[derive(Clone, Copy, Debug)]
enum Work {
    Model((&'static str, &'static str)),
    Tool((&'static str, &'static str, &'static str, &'static str)),
}

impl Evidence {
    /// The evidence of this seed, from its beginning.
    pub(super) const fn new(seed: u64) -> Self {
        Self { random: SplitMix64(seed), now_ms: START_MS, open: Vec::new(), traces: 0 }
    }

    /// The next record.
    pub(super) fn next_record(&mut self) -> Result<SealedEnvelope, WordError> {
        self.now_ms += 1 + self.random.below(200);
        if self.open.len() < OPEN_TRACES {
            return self.begin();
        }
        let place = usize::try_from(self.random.below(OPEN_TRACES as u64)).unwrap_or(0);
        let mut session = self.open.swap_remove(place);
        let record = match session.decided.take() {
            Some(decided) => self.call(&session, &decided)?,
            None => self.decide(&mut session)?,
        };
        // A trace that is at its end makes room for another.
        if session.steps_left > 0 || session.decided.is_some() {
            self.open.push(session);
        }
        Ok(record)
    }

    fn begin(&mut self) -> Result<SealedEnvelope, WordError> {
        let (kind, id, credential_kind, issuer, grants) = *self.random.pick(&PEOPLE);
        let (trace_id, root) = (self.trace_id(), self.span_id());
        let verified_at_ms = self.now_ms - self.random.below(60_000);
        let record = AuthContext {
            ts_ms: Millis::saturating(self.now_ms),
            trace: TraceContext::Root { trace_id, span_id: root },
            component: "gateway".parse()?,
            actor: Actor { actor_kind: kind.parse()?, actor_id: id.parse()? },
            credential: Credential {
                credential_kind: credential_kind.parse()?,
                issuer: issuer.parse()?,
                presented_hash_sha256: self.digest(),
                verified_at_ms: Millis::saturating(verified_at_ms),
                expires_at_ms: Millis::saturating(verified_at_ms + 8 * HOUR_MS),
            },
            grants: StringSet::of(grants)?,
        };
        let sealed = Envelope::from(record).seal();
        let steps_left = 3 + self.random.below(5);
        self.open.push(Session { trace_id, root, context: sealed.hash(), steps_left, decided: None });
        self.traces += 1;
        Ok(sealed)
    }

    /// A decision on what is to be done next; models and tools take turns.
    fn decide(&mut self, session: &mut Session) -> Result<SealedEnvelope, WordError> {
        session.steps_left = session.steps_left.saturating_sub(1);
        let work = match session.steps_left % 2 {
            0 => Work::Model(*self.random.pick(&MODELS)),
            _ => Work::Tool(*self.random.pick(&TOOLS)),
        };
        let (policy_id, action, resource) = match work {
            Work::Model((provider, name)) => {
                ("model-access", "model.invoke", format!("models/{provider}/{name}"))
            }
            Work::Tool((.., action, what)) => {
                ("agent-tools", action, format!("{what}/{}", 10_000 + self.random.below(90_000)))
            }
        };
        let span = self.span_id();
        let reasons = [*self.random.pick(&REASONS), *self.random.pick(&REASONS)];
        let record = PolicyDecision {
            ts_ms: Millis::saturating(self.now_ms),
            trace: child(session, span, session.root),
            component: "policy-engine".parse()?,
            auth_context_envelope_sha256: session.context,
            policy: PolicyRef {
                policy_id: policy_id.parse()?,
                policy_version: "2026.03.1".parse()?,
                policy_sha256: Sha256Digest::of(policy_id.as_bytes()),
            },
            request: PolicyRequest { action: action.parse()?, resource: resource.parse()? },
            decision: Decision {
                result: DecisionResult::Allow,
                reason_codes: StringSet::of(&reasons)?,
                obligations: StringSet::of(&[*self.random.pick(&OBLIGATIONS)])?,
            },
        };
        let sealed = Envelope::from(record).seal();
        session.decided = Some(Decided { hash: sealed.hash(), span, work });
        Ok(sealed)
    }

    fn call(&mut self, session: &Session, decided: &Decided) -> Result<SealedEnvelope, WordError> {
        let span = self.span_id();
        let trace = child(session, span, decided.span);
        let started_at_ms = Millis::saturating(self.now_ms);
        let ended_at_ms = Millis::saturating(self.now_ms + 5 + self.random.below(3_000));
        let (request, response) = (self.payload()?, self.payload()?);
        let outcome = Outcome { status: "ok".parse()? };
        let envelope = match decided.work {
            Work::Model((provider, model)) => {
                let (input, output) = (180 + self.random.below(9_000), 12 + self.random.below(700));
                Envelope::from(ModelCall {
                    started_at_ms,
                    ended_at_ms,
                    trace,
                    component: "orchestrator".parse()?,
                    auth_context_envelope_sha256: session.context,
                    policy_decision_envelope_sha256: decided.hash,
                    model: ModelRef { provider: provider.parse()?, model: model.parse()? },
                    request,
                    response,
                    outcome,
                    usage: Some(Usage {
                        input_tokens: SafeInt::saturating(input),
                        output_tokens: SafeInt::saturating(output),
                        total_tokens: SafeInt::saturating(input + output),
                    }),
                })
            }
            Work::Tool((adapter, tool, ..)) => Envelope::from(ToolCall {
                started_at_ms,
                ended_at_ms,
                trace,
                component: "tool-runner".parse()?,
                auth_context_envelope_sha256: session.context,
                policy_decision_envelope_sha256: decided.hash,
                tool: ToolRef { adapter_id: adapter.parse()?, tool_name: tool.parse()? },
                request,
                response,
                outcome,
            }),
        };
        Ok(envelope.seal())
    }

    /// A payload that is named and not kept.
    fn payload(&mut self) -> Result<BlobRef, WordError> {
        Ok(BlobRef {
            content_type: "application/json".parse()?,
            sha256: self.digest(),
            size_bytes: SafeInt::saturating(80 + self.random.below(4_000)),
        })
    }

    fn digest(&mut self) -> Sha256Digest {
        Sha256Digest::from_bytes(self.random.bytes())
    }

    fn trace_id(&mut self) -> TraceId {
        loop {
            // Of all bytes the contract refuses zeros alone.
            if let Ok(id) = TraceId::from_bytes(self.random.bytes()) {
                return id;
            }
        }
    }

    fn span_id(&mut self) -> SpanId {
        loop {
            if let Ok(id) = SpanId::from_bytes(self.random.bytes()) {
                return id;
            }
        }
    }
}

const fn child(session: &Session, span_id: SpanId, parent_span_id: SpanId) -> TraceContext {
    TraceContext::Child { trace_id: session.trace_id, span_id, parent_span_id }
}

/// `SplitMix64` (Steele, Lea and Flood, 2014). It looks random, and protects nothing.
#[derive(Debug)]
struct SplitMix64(u64);

impl SplitMix64 {
    const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..bound`, or 0 for an empty range.
    const fn below(&mut self, bound: u64) -> u64 {
        match self.draw().checked_rem(bound) {
            Some(number) => number,
            None => 0,
        }
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        for chunk in out.chunks_mut(8) {
            for (byte, drawn) in chunk.iter_mut().zip(self.draw().to_be_bytes()) {
                *byte = drawn;
            }
        }
        out
    }

    #[expect(clippy::indexing_slicing, reason = "the index is below N, and lists of nothing do not compile")]
    fn pick<'a, T, const N: usize>(&mut self, items: &'a [T; N]) -> &'a T {
        const { assert!(N > 0) };
        &items[usize::try_from(self.below(N as u64)).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proofline::canon::Limits;
    use proofline::trace::read_envelope;

    use super::*;

    /// The first numbers of seed 1234567, as the reference implementation prints them
    /// (<https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64>).
    #[test]
    fn the_stream_is_splitmix64() {
        let mut random = SplitMix64(1_234_567);
        let drawn = [random.draw(), random.draw(), random.draw()];
        let known = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(drawn, known);
    }

    #[test]
    fn the_same_seed_gives_the_same_records_of_all_types() {
        let records = |seed| {
            let mut evidence = Evidence::new(seed);
            (0..2_000).map(|_| evidence.next_record().unwrap()).collect::<Vec<_>>()
        };
        let hashes = |seed| records(seed).iter().map(SealedEnvelope::hash).collect::<Vec<_>>();
        assert_eq!(hashes(7), hashes(7));
        assert_ne!(hashes(7), hashes(8));
        let all = records(7);
        let mut types: BTreeMap<String, u32> = BTreeMap::new();
        for record in &all {
            *types.entry(record.envelope().record_type().to_string()).or_default() += 1;
            // What the contract's reader makes of the bytes is the record.
            let read = read_envelope(record.canonical(), &Limits::ENVELOPE).unwrap();
            assert_eq!(read.hash(), record.hash());
        }
        assert_eq!(types.len(), 4);
        assert!(types.values().all(|count| *count > 100), "{types:?}");
        assert_eq!(all.iter().map(SealedEnvelope::hash).collect::<BTreeSet<_>>().len(), all.len());
    }
}
