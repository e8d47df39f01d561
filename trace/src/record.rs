//! The four record types of the contract as typed structs (section 2). A value of these
//! types is valid by construction; field names are the member names of the contract.

use proofline_canon::Sha256Digest;

use crate::ids::{EnvelopeHash, SpanId, TraceId};
use crate::rejection::named;
use crate::words::{ContentType, Issuer, Millis, Resource, SafeInt, StringSet, Token};

/// Which of the four a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// Who acts, how they proved it, what they may do.
    AuthContext,
    /// What the policy answered to one request.
    PolicyDecision,
    /// One call of a model.
    ModelCall,
    /// One call of a tool.
    ToolCall,
}

named!(RecordType, "a record type", {
    AuthContext => "auth_context",
    PolicyDecision => "policy_decision",
    ModelCall => "model_call",
    ToolCall => "tool_call",
});

impl RecordType {
    /// The rank in a chain: contexts, then decisions, then calls (section 5).
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::AuthContext => 0,
            Self::PolicyDecision => 1,
            Self::ModelCall | Self::ToolCall => 2,
        }
    }

    /// The `layer` of its producer: the plane that may write it.
    #[must_use]
    pub const fn layer(self) -> &'static str {
        match self {
            Self::AuthContext | Self::PolicyDecision => "cpo",
            Self::ModelCall => "flow",
            Self::ToolCall => "adapter",
        }
    }
}

/// Where a record stands in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TraceContext {
    /// The span that began the trace.
    Root {
        /// The trace.
        trace_id: TraceId,
        /// The span.
        span_id: SpanId,
    },
    /// A span below another.
    Child {
        /// The trace.
        trace_id: TraceId,
        /// The span.
        span_id: SpanId,
        /// The span above, of the same trace.
        parent_span_id: SpanId,
    },
}

impl TraceContext {
    /// The trace.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        match self {
            Self::Root { trace_id, .. } | Self::Child { trace_id, .. } => *trace_id,
        }
    }

    /// The span.
    #[must_use]
    pub const fn span_id(&self) -> SpanId {
        match self {
            Self::Root { span_id, .. } | Self::Child { span_id, .. } => *span_id,
        }
    }

    /// The span above; none for a root.
    #[must_use]
    pub const fn parent_span_id(&self) -> Option<SpanId> {
        match self {
            Self::Root { .. } => None,
            Self::Child { parent_span_id, .. } => Some(*parent_span_id),
        }
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Actor {
    /// `user`, `service`, ...
    pub actor_kind: Token,
    /// The actor's name within its kind.
    pub actor_id: Resource,
}

/// How the actor proved who it is; the credential itself is never stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Credential {
    /// `oidc`, `mtls`, ...
    pub credential_kind: Token,
    /// Who issued it.
    pub issuer: Issuer,
    /// SHA-256 of what was presented.
    pub presented_hash_sha256: Sha256Digest,
    /// When it was verified.
    pub verified_at_ms: Millis,
    /// When it ends.
    pub expires_at_ms: Millis,
}

/// Which policy was asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyRef {
    /// The policy.
    pub policy_id: Token,
    /// Its version.
    pub policy_version: Token,
    /// SHA-256 of its bytes.
    pub policy_sha256: Sha256Digest,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyRequest {
    /// What is to be done.
    pub action: Token,
    /// What it is to be done to.
    pub resource: Resource,
}

/// The policy's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DecisionResult {
    /// It may be done.
    Allow,
    /// It may not.
    Deny,
}

named!(DecisionResult, "a decision", { Allow => "allow", Deny => "deny" });

/// The policy's answer, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decision {
    /// Allow or deny.
    pub result: DecisionResult,
    /// Why.
    pub reason_codes: StringSet,
    /// What the caller must do besides.
    pub obligations: StringSet,
}

/// A payload, named by its content and never inline.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BlobRef {
    /// Its media type.
    pub content_type: ContentType,
    /// SHA-256 of its bytes; no artifact key.
    pub sha256: Sha256Digest,
    /// Its length in bytes.
    pub size_bytes: SafeInt,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// `ok`, `error`, `timeout`, ...
    pub status: Token,
}

/// Which model was called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelRef {
    /// Who serves it.
    pub provider: Token,
    /// Its name there.
    pub model: Token,
}

/// Which tool was called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ToolRef {
    /// The adapter that ran it.
    pub adapter_id: Token,
    /// Its name there.
    pub tool_name: Token,
}

/// What a model call cost; that the total is the sum is not promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: SafeInt,
    /// Tokens written.
    pub output_tokens: SafeInt,
    /// Tokens in all, as reported.
    pub total_tokens: SafeInt,
}

/// `auth_context`: an authenticated actor and its grants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AuthContext {
    /// When it was established.
    pub ts_ms: Millis,
    /// Where it stands in its trace.
    pub trace: TraceContext,
    /// The producer's component; its layer is `cpo`.
    pub component: Token,
    /// Who acts.
    pub actor: Actor,
    /// How they proved it.
    pub credential: Credential,
    /// What they may do.
    pub grants: StringSet,
}

/// `policy_decision`: one question to one policy, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyDecision {
    /// When it was decided.
    pub ts_ms: Millis,
    /// Where it stands in its trace.
    pub trace: TraceContext,
    /// The producer's component; its layer is `cpo`.
    pub component: Token,
    /// The context it was decided for.
    pub auth_context_envelope_sha256: EnvelopeHash,
    /// The policy asked.
    pub policy: PolicyRef,
    /// The question.
    pub request: PolicyRequest,
    /// The answer.
    pub decision: Decision,
}

/// `model_call`: one call of a model, under a decision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelCall {
    /// When it began.
    pub started_at_ms: Millis,
    /// When it ended; that this is later is not promised.
    pub ended_at_ms: Millis,
    /// Where it stands in its trace.
    pub trace: TraceContext,
    /// The producer's component; its layer is `flow`.
    pub component: Token,
    /// On whose behalf.
    pub auth_context_envelope_sha256: EnvelopeHash,
    /// By which decision.
    pub policy_decision_envelope_sha256: EnvelopeHash,
    /// The model.
    pub model: ModelRef,
    /// What was sent.
    pub request: BlobRef,
    /// What came back.
    pub response: BlobRef,
    /// How it ended.
    pub outcome: Outcome,
    /// What it cost, where known.
    pub usage: Option<Usage>,
}

/// `tool_call`: one call of a tool, under a decision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ToolCall {
    /// When it began.
    pub started_at_ms: Millis,
    /// When it ended; that this is later is not promised.
    pub ended_at_ms: Millis,
    /// Where it stands in its trace.
    pub trace: TraceContext,
    /// The producer's component; its layer is `adapter`.
    pub component: Token,
    /// On whose behalf.
    pub auth_context_envelope_sha256: EnvelopeHash,
    /// By which decision.
    pub policy_decision_envelope_sha256: EnvelopeHash,
    /// The tool.
    pub tool: ToolRef,
    /// What was sent.
    pub request: BlobRef,
    /// What came back.
    pub response: BlobRef,
    /// How it ended.
    pub outcome: Outcome,
}

/// One evidence record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Envelope {
    /// `auth_context`
    AuthContext(AuthContext),
    /// `policy_decision`
    PolicyDecision(PolicyDecision),
    /// `model_call`
    ModelCall(ModelCall),
    /// `tool_call`
    ToolCall(ToolCall),
}

impl Envelope {
    /// Which of the four it is.
    #[must_use]
    pub const fn record_type(&self) -> RecordType {
        match self {
            Self::AuthContext(_) => RecordType::AuthContext,
            Self::PolicyDecision(_) => RecordType::PolicyDecision,
            Self::ModelCall(_) => RecordType::ModelCall,
            Self::ToolCall(_) => RecordType::ToolCall,
        }
    }

    /// Where it stands in its trace.
    #[must_use]
    pub const fn trace(&self) -> &TraceContext {
        match self {
            Self::AuthContext(record) => &record.trace,
            Self::PolicyDecision(record) => &record.trace,
            Self::ModelCall(record) => &record.trace,
            Self::ToolCall(record) => &record.trace,
        }
    }

    /// Its trace (INV-INT-003: every record has one).
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.trace().trace_id()
    }

    /// `ts_ms`, or `started_at_ms` of a call: the time a chain sorts by.
    #[must_use]
    pub const fn time_ms(&self) -> Millis {
        match self {
            Self::AuthContext(record) => record.ts_ms,
            Self::PolicyDecision(record) => record.ts_ms,
            Self::ModelCall(record) => record.started_at_ms,
            Self::ToolCall(record) => record.started_at_ms,
        }
    }

    /// `ended_at_ms` of a call.
    #[must_use]
    pub const fn ended_at_ms(&self) -> Option<Millis> {
        match self {
            Self::AuthContext(_) | Self::PolicyDecision(_) => None,
            Self::ModelCall(record) => Some(record.ended_at_ms),
            Self::ToolCall(record) => Some(record.ended_at_ms),
        }
    }

    /// The producer's component.
    #[must_use]
    pub const fn component(&self) -> &Token {
        match self {
            Self::AuthContext(record) => &record.component,
            Self::PolicyDecision(record) => &record.component,
            Self::ModelCall(record) => &record.component,
            Self::ToolCall(record) => &record.component,
        }
    }

    /// The context it refers to; none for a context itself.
    #[must_use]
    pub const fn auth_context_hash(&self) -> Option<EnvelopeHash> {
        match self {
            Self::AuthContext(_) => None,
            Self::PolicyDecision(record) => Some(record.auth_context_envelope_sha256),
            Self::ModelCall(record) => Some(record.auth_context_envelope_sha256),
            Self::ToolCall(record) => Some(record.auth_context_envelope_sha256),
        }
    }

    /// The decision it refers to; calls only.
    #[must_use]
    pub const fn policy_decision_hash(&self) -> Option<EnvelopeHash> {
        match self {
            Self::AuthContext(_) | Self::PolicyDecision(_) => None,
            Self::ModelCall(record) => Some(record.policy_decision_envelope_sha256),
            Self::ToolCall(record) => Some(record.policy_decision_envelope_sha256),
        }
    }

    /// How a call ended.
    #[must_use]
    pub const fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::AuthContext(_) | Self::PolicyDecision(_) => None,
            Self::ModelCall(record) => Some(&record.outcome),
            Self::ToolCall(record) => Some(&record.outcome),
        }
    }

    /// The payloads it names: request, then response; none for contexts and decisions.
    pub fn blobs(&self) -> impl Iterator<Item = &BlobRef> {
        let pair = match self {
            Self::AuthContext(_) | Self::PolicyDecision(_) => None,
            Self::ModelCall(record) => Some([&record.request, &record.response]),
            Self::ToolCall(record) => Some([&record.request, &record.response]),
        };
        pair.into_iter().flatten()
    }
}

macro_rules! into_envelope {
    ($($record:ident),+) => {
        $(impl From<$record> for Envelope {
            fn from(record: $record) -> Self {
                Self::$record(record)
            }
        })+
    };
}

into_envelope!(AuthContext, PolicyDecision, ModelCall, ToolCall);
