//! Two questions, one at a root and one below: between them they have every member that a question can have.

use proofline_canon::Sha256Digest;
use proofline_trace::{
    Actor, AuthContext, Credential, Issuer, Millis, PolicyRequest, Resource, SpanId, Token, TraceContext,
    TraceId,
};

use crate::question::Question;

/// What a question borrows.
pub(crate) struct Sample {
    auth_context: AuthContext,
    request: PolicyRequest,
    trace: TraceContext,
}

impl Sample {
    pub(crate) const fn question(&self) -> Question<'_> {
        Question {
            auth_context: &self.auth_context,
            request: &self.request,
            trace: &self.trace,
            component: &self.auth_context.component,
            ts_ms: self.auth_context.ts_ms,
        }
    }
}

#[expect(clippy::expect_used, reason = "fixed words; a test makes both samples")]
pub(crate) fn samples() -> [Sample; 2] {
    let word = || Token::new("a").expect("a token");
    let name = || Resource::new("a").expect("a resource");
    let trace_id = TraceId::from_bytes([1; 16]).expect("a trace id");
    let span_id = SpanId::from_bytes([1; 8]).expect("a span id");
    let parent_span_id = SpanId::from_bytes([2; 8]).expect("a span id");
    let at = Millis::new(1).expect("a time");
    let traces =
        [TraceContext::Root { trace_id, span_id }, TraceContext::Child { trace_id, span_id, parent_span_id }];
    traces.map(|trace| Sample {
        auth_context: AuthContext {
            ts_ms: at,
            trace,
            component: word(),
            actor: Actor { actor_kind: word(), actor_id: name() },
            credential: Credential {
                credential_kind: word(),
                issuer: Issuer::new("a").expect("an issuer"),
                presented_hash_sha256: Sha256Digest::from_bytes([0; 32]),
                verified_at_ms: at,
                expires_at_ms: at,
            },
            grants: [word()].into_iter().collect(),
        },
        request: PolicyRequest { action: word(), resource: name() },
        trace,
    })
}
