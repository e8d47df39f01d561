//! The kernel's gate evaluation: a policy is asked about an accepted context and a request, and what follows from its
//! answer goes through the gate as a `policy_decision`, with the policy's bytes kept before it.

use proofline_canon::{ContentStore, Limits, Sha256Digest, StoreError};
use proofline_ledger::{
    Action, BlobError, Blobs, EntryFault, Ledger, LedgerError, Outcome, Seq, Snapshot, Submission,
};
use proofline_policy::{Answer, NamedPolicy, Question};
use proofline_trace::{
    AuthContext, Envelope, EnvelopeHash, Millis, PolicyDecision, PolicyRequest, Rejection, SealedEnvelope,
    SpanId, Token, TraceContext, read_envelope,
};
use thiserror::Error;

/// What is to be decided, for whom, and where in the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionOrder {
    /// The accepted `auth_context`, by its envelope hash.
    pub auth_context: EnvelopeHash,
    /// What is to be done, and to what.
    pub request: PolicyRequest,
    /// Who decides: `producer.component` of the decision.
    pub component: Token,
    /// The span above; none for that of the context.
    pub parent: Option<SpanId>,
    /// The decision's own span; none for one drawn from all that the decision is made of, by SHA-256
    /// (`docs/policy.md`), so that the same decision of the same millisecond is the same record.
    pub span: Option<SpanId>,
}

/// A decision before the gate has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighed {
    /// What the engine answered.
    pub answer: Answer,
    /// What follows from it.
    pub decision: PolicyDecision,
}

/// A decision in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// What the engine answered, and what follows from it.
    pub weighed: Weighed,
    /// The record's envelope hash, by which calls name it.
    pub envelope_hash: EnvelopeHash,
    /// Its entry.
    pub seq: Seq,
    /// True when this very decision was there before; then nothing was appended.
    pub duplicate: bool,
}

/// Why there is no decision. Whoever asked may do nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DecideError {
    /// The ledger would not.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The context's entry cannot be read.
    #[error(transparent)]
    Entry(#[from] EntryFault),
    /// No accepted record has that hash.
    #[error("no accepted record has the hash {0}, so nobody is authenticated")]
    NoContext(EnvelopeHash),
    /// The record of that hash is another.
    #[error("the record {hash} is a {record_type}, and no auth_context")]
    NotAContext {
        /// The record.
        hash: EnvelopeHash,
        /// What it is.
        record_type: &'static str,
    },
    /// The policy's bytes could not be kept, so no decision may name them.
    #[error("the policy's bytes cannot be kept: {0}")]
    Store(#[from] StoreError),
    /// The gate refuses the decision.
    #[error("the gate refuses the decision: {}: {}", .0.kind, .0.message)]
    Refused(Box<Rejection>),
    /// What the gate must not answer to a decision.
    #[error("the gate answered a decision as an artifact: {0}")]
    Answer(String),
}

impl DecideError {
    /// True when the policy's bytes were erased for good: no decision rests on them any more.
    #[must_use]
    pub fn is_erased_policy(&self) -> bool {
        matches!(self, Self::Store(error) if is_erased(error))
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ledger(error) => error.code(),
            Self::Entry(EntryFault::Damaged(damage)) => damage.code,
            Self::Entry(EntryFault::Archived(_)) => "entry.archived",
            Self::Entry(_) => "ledger.io",
            Self::NoContext(_) => "decide.no_context",
            Self::NotAContext { .. } => "decide.not_a_context",
            Self::Store(error) => blob_error(error).map_or_else(|| error.code(), BlobError::code),
            Self::Refused(_) => "decide.refused",
            Self::Answer(_) => "decide.answer",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Ledger(error) => Some(error.hint()),
            Self::Entry(EntryFault::Archived(_)) => {
                Some("bring the segment back with `proofline archive restore`")
            }
            Self::Entry(_) | Self::Answer(_) => None,
            Self::NoContext(_) => {
                Some("commit the auth_context first, and give the envelope hash of its answer")
            }
            Self::NotAContext { .. } => Some("give the envelope hash of an auth_context"),
            Self::Store(_) => {
                Some("look at what the system reports; a policy that was erased decides nothing more")
            }
            Self::Refused(_) => Some("the contract's kind says which check did not hold"),
        }
    }
}

/// What the store of payloads says behind the error of any store.
fn blob_error(error: &StoreError) -> Option<&BlobError> {
    let StoreError::Io(error) = error else { return None };
    error.get_ref()?.downcast_ref()
}

fn is_erased(error: &StoreError) -> bool {
    matches!(blob_error(error), Some(BlobError::Erased { .. }))
}

/// Asks a policy, and commits nothing: what [`decide`] would bring to the gate at this time.
///
/// # Errors
/// [`DecideError`]: the context is not there, or cannot be read.
pub fn weigh(
    snapshot: &Snapshot,
    policy: &NamedPolicy,
    order: &DecisionOrder,
    ts_ms: Millis,
) -> Result<Weighed, DecideError> {
    let auth_context = accepted_context(snapshot, &order.auth_context)?;
    let trace = TraceContext::Child {
        trace_id: auth_context.trace.trace_id(),
        span_id: order.span.unwrap_or_else(|| drawn_span(policy, order, &auth_context, ts_ms)),
        parent_span_id: parent(order, &auth_context),
    };
    let answer = policy.ask(&Question {
        auth_context: &auth_context,
        request: &order.request,
        trace: &trace,
        component: &order.component,
        ts_ms,
    });
    let decision = PolicyDecision {
        ts_ms,
        trace,
        component: order.component.clone(),
        auth_context_envelope_sha256: order.auth_context,
        policy: policy.reference().clone(),
        request: order.request.clone(),
        decision: answer.decision(),
    };
    Ok(Weighed { answer, decision })
}

/// Decides, and records the decision: the policy's bytes are kept durably, then the `policy_decision` goes through the
/// gate. It fails closed: where the policy errs the decision is a denial for the reason `policy-error`, and where
/// there is an error there is no decision.
///
/// `blobs` are those of the ledger. The decision's time is `ts_ms`, also that of the entry.
///
/// # Errors
/// [`DecideError`].
///
/// ```
/// use proofline::ledger::{Action, Blobs, Genesis, Ledger, Options, Outcome, Submission};
/// use proofline::policy::CedarEngine;
/// use proofline::trace::{DecisionResult, LedgerId, Millis, Origin, PolicyRequest};
/// use proofline::{DecisionOrder, NamedPolicy, decide};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let home = tempfile::tempdir()?;
/// # let (folder, now_ms) = (home.path().join("ledger"), 1_769_817_600_000);
/// # let genesis = Genesis {
/// #     ledger_id: LedgerId::from_bytes([7; 16]),
/// #     origin: Origin::new("ledger.example/desk")?,
/// #     created_at_ms: now_ms,
/// # };
/// # Ledger::init(&folder, &genesis)?;
/// # let record = br#"{"spec_version":"1.0.0","canon_version":"1","record_type":"auth_context",
/// #   "ts_ms":1769817600000,"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",
/// #   "span_id":"00f067aa0ba902b7","span_kind":"root"},"producer":{"layer":"cpo","component":"gateway"},
/// #   "actor":{"actor_kind":"user","actor_id":"staff/ines"},"credential":{"credential_kind":"oidc",
/// #   "issuer":"https://id.example","presented_hash_sha256":
/// #   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","verified_at_ms":1769817600000,
/// #   "expires_at_ms":1769821200000},"grants":{"tickets:read":true}}"#;
/// let ledger = Ledger::open(&folder, Options::default())?;
/// let blobs = Blobs::open(&folder)?;
/// let outcome = ledger.commit_action(&Action::Evidence(Submission::bare(record)), now_ms)?;
/// let Outcome::Accepted { envelope_hash, .. } = outcome else { return Err("refused".into()) };
///
/// let policy = br#"@id("readers-read") permit(principal in Grant::"tickets:read", action, resource);"#;
/// let policy = NamedPolicy::load(&CedarEngine, "desk".parse()?, None, policy)?;
/// let order = DecisionOrder {
///     auth_context: envelope_hash,
///     request: PolicyRequest { action: "tickets:read".parse()?, resource: "desk/7".parse()? },
///     component: "kernel".parse()?,
///     parent: None,
///     span: None,
/// };
/// let decided = decide(&ledger, &blobs, &policy, &order, Millis::new(now_ms + 40)?)?;
/// let decision = &decided.weighed.decision.decision;
/// assert_eq!(decision.result, DecisionResult::Allow);
/// assert!(decision.reason_codes.contains("readers-read"));
/// # Ok(())
/// # }
/// ```
pub fn decide(
    ledger: &Ledger,
    blobs: &Blobs,
    policy: &NamedPolicy,
    order: &DecisionOrder,
    ts_ms: Millis,
) -> Result<Decided, DecideError> {
    let weighed = weigh(&ledger.snapshot()?, policy, order, ts_ms)?;
    blobs.put(&policy.reference().policy_sha256, policy.bytes())?;
    let sealed = Envelope::from(weighed.decision.clone()).seal();
    match commit(ledger, &sealed, ts_ms)? {
        Outcome::Accepted { envelope_hash, seq, duplicate } => {
            Ok(Decided { weighed, envelope_hash, seq, duplicate })
        }
        Outcome::Refused { rejection, .. } => Err(DecideError::Refused(Box::new(rejection))),
        Outcome::ArtifactRefused(refusal) => Err(DecideError::Answer(refusal.to_string())),
    }
}

fn commit(ledger: &Ledger, sealed: &SealedEnvelope, ts_ms: Millis) -> Result<Outcome, LedgerError> {
    ledger.commit_action(&Action::Evidence(Submission::bare(sealed.canonical())), ts_ms.get())
}

fn accepted_context(snapshot: &Snapshot, hash: &EnvelopeHash) -> Result<AuthContext, DecideError> {
    let seq = snapshot.accepted(hash)?.ok_or(DecideError::NoContext(*hash))?;
    let entry = snapshot.entry(seq)?.ok_or(DecideError::NoContext(*hash))?;
    let read = read_envelope(&entry.body, &Limits::ENVELOPE);
    let sealed = read.map_err(|rejection| DecideError::Refused(Box::new(rejection)))?;
    // What decides is what was authenticated, and no other bytes that lie in its place.
    if sealed.hash() != *hash {
        return Err(DecideError::NoContext(*hash));
    }
    match sealed.into_parts().0 {
        Envelope::AuthContext(record) => Ok(record),
        other => Err(DecideError::NotAContext { hash: *hash, record_type: other.record_type().as_str() }),
    }
}

fn parent(order: &DecisionOrder, auth_context: &AuthContext) -> SpanId {
    order.parent.unwrap_or_else(|| auth_context.trace.span_id())
}

/// The first eight bytes, of the digest of all that the decision is made of, that are neither all zero nor the parent.
fn drawn_span(
    policy: &NamedPolicy,
    order: &DecisionOrder,
    auth_context: &AuthContext,
    ts_ms: Millis,
) -> SpanId {
    let above = parent(order, auth_context);
    let named = policy.reference();
    // No word has a newline in it.
    let mut text = format!(
        "proofline decide\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{above}\n{}\n",
        order.auth_context,
        named.policy_id.as_str(),
        named.policy_version.as_str(),
        named.policy_sha256,
        order.request.action.as_str(),
        order.request.resource.as_str(),
        order.component.as_str(),
        ts_ms.get(),
    );
    loop {
        let digits = Sha256Digest::of(text.as_bytes()).to_string();
        let span = digits.get(..16).and_then(|digits| digits.parse::<SpanId>().ok());
        match span {
            Some(span) if span != above => return span,
            _ => text.push('\n'),
        }
    }
}
