//! The gate: what `commit_action` checks, in the contract's order (section 4), as a pure
//! function of a submission and a lookup of accepted records. Commit and replay call the same
//! function, which makes a replay a proof and not a second opinion.

use proofline_canon::{Limits, Pointer, Value, parse, unhex};
use proofline_trace::{
    DecisionResult, Envelope, EnvelopeHash, ErrorKind, RecordType, Rejection, SchemaFault, SealedEnvelope,
    TraceId, Unhashed, malformed, seal_each, try_canonical, validate,
};

use proofline_proof::Seq;

/// The record type that a submission declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclaredType<'a> {
    /// Declared beside the envelope.
    Named(&'a str),
    /// Not declared, or not as a string: check 0 refuses it.
    Absent,
    /// A bare envelope: its own `record_type` counts as declared.
    Own,
}

/// The envelope hash that a submission declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclaredDigest<'a> {
    /// Declared beside the envelope, in whatever spelling.
    Text(&'a str),
    /// Not declared, or not as a string: unequal to every hash.
    Absent,
    /// A bare envelope: the computed hash counts as declared.
    Computed,
}

impl DeclaredDigest<'_> {
    fn matches(&self, computed: &EnvelopeHash) -> bool {
        match self {
            // A hash has one spelling, and that is the only one that is read.
            DeclaredDigest::Text(text) => unhex(text).as_ref() == Some(computed.as_bytes()),
            DeclaredDigest::Absent => false,
            DeclaredDigest::Computed => true,
        }
    }
}

/// What somebody asks to have stored: the three arguments of `commit_action`.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// The declared record type.
    pub record_type: DeclaredType<'a>,
    /// The declared envelope hash.
    pub declared_hash: DeclaredDigest<'a>,
    /// The envelope's bytes as they came: JSON in any layout.
    pub envelope: &'a [u8],
}

impl<'a> Submission<'a> {
    /// A bare envelope, which declares its own type and hash.
    #[must_use]
    pub const fn bare(envelope: &'a [u8]) -> Self {
        Submission { record_type: DeclaredType::Own, declared_hash: DeclaredDigest::Computed, envelope }
    }
}

/// Checks 0 to 3 of one submission: all that needs no other record.
#[derive(Clone, Debug)]
pub enum Examined {
    /// Passed so far.
    Sound(SealedEnvelope),
    /// A whole envelope under a wrong hash (check 3): kept as a rejected attempt.
    Mismatched(SealedEnvelope, Rejection),
    /// Not an envelope of a known type; nothing is kept.
    Refused(Rejection),
}

/// Runs the checks before any lookup: strict JSON, 0 (record type), 1 (schema), 1b (type as
/// declared), 2 (canonical bytes), 3 (declared hash).
#[must_use]
pub fn examine(submission: &Submission<'_>, limits: &Limits) -> Examined {
    match read(submission, limits) {
        Err(rejection) => Examined::Refused(rejection),
        Ok(read) => compare(read.seal(), &submission.declared_hash),
    }
}

/// [`examine`] of each submission, in order. Their hashes are computed many at once, which takes less time than one
/// after the other; nothing is held back for that, so a caller decides how much it examines at a stretch.
#[must_use]
pub fn examine_each(submissions: &[Submission<'_>], limits: &Limits) -> Vec<Examined> {
    let (mut sound, mut refused) = (Vec::with_capacity(submissions.len()), Vec::new());
    for (place, submission) in submissions.iter().enumerate() {
        match read(submission, limits) {
            Ok(read) => sound.push(read),
            Err(rejection) => refused.push((place, rejection)),
        }
    }
    let (mut sealed, mut refused) = (seal_each(sound).into_iter(), refused.into_iter().peekable());
    let examined = submissions.iter().enumerate().filter_map(|(place, submission)| {
        if let Some((_, rejection)) = refused.next_if(|(refused, _)| *refused == place) {
            return Some(Examined::Refused(rejection));
        }
        // INVARIANT: who was not refused was read, and is sealed in the same order.
        sealed.next().map(|sealed| compare(sealed, &submission.declared_hash))
    });
    examined.collect()
}

/// Check 3.
fn compare(sealed: SealedEnvelope, declared: &DeclaredDigest<'_>) -> Examined {
    if declared.matches(&sealed.hash()) {
        return Examined::Sound(sealed);
    }
    let rejection = hash_mismatch(&sealed.hash(), declared);
    Examined::Mismatched(sealed, rejection)
}

/// Checks 0 to 2.
fn read<'a>(submission: &Submission<'a>, limits: &Limits) -> Result<Unhashed<'a>, Rejection> {
    // Canonical bytes of an envelope pass check 1, so that what is declared of them is all that is left to check.
    let (declared, read) = match try_canonical(submission.envelope, limits) {
        Some(read) => {
            let own = Some(read.envelope().record_type().as_str());
            (check_record_type(submission.record_type, own)?, read)
        }
        None => {
            let value = parse(submission.envelope, limits).map_err(|error| malformed(&error))?;
            let own = value.get("record_type").and_then(Value::as_str);
            let declared = check_record_type(submission.record_type, own)?;
            (declared, validate(&value)?.unhashed())
        }
    };
    let own = read.envelope().record_type();
    match declared {
        Some(declared) if declared != own => Err(Rejection::new(
            ErrorKind::SchemaViolation(SchemaFault::RecordTypeMismatch),
            Pointer::root().child("record_type"),
            format!("The envelope is a {own}, but {declared} was declared; declare what it is."),
        )),
        _ => Ok(read),
    }
}

/// Check 0. A bare envelope without a usable `record_type` declares nothing; check 1 answers it.
fn check_record_type(declared: DeclaredType<'_>, own: Option<&str>) -> Result<Option<RecordType>, Rejection> {
    let name = match declared {
        DeclaredType::Named(name) => name,
        DeclaredType::Absent => return Err(forbidden("No record type was declared".to_owned())),
        DeclaredType::Own => match own {
            Some(name) => name,
            None => return Ok(None),
        },
    };
    name.parse().map(Some).map_err(|_| {
        let shown: String = name.chars().take(40).flat_map(char::escape_debug).collect();
        forbidden(format!("The record type \"{shown}\" is unknown"))
    })
}

fn forbidden(what: String) -> Rejection {
    let message = format!("{what}; it is one of auth_context, policy_decision, model_call and tool_call.");
    // What was declared stands beside the envelope, so no place inside it is at fault.
    Rejection::new(ErrorKind::RecordTypeForbidden, Pointer::root(), message)
}

fn hash_mismatch(computed: &EnvelopeHash, declared: &DeclaredDigest<'_>) -> Rejection {
    let message = match declared {
        DeclaredDigest::Text(text) => {
            let shown: String = text.chars().take(72).flat_map(char::escape_debug).collect();
            format!("The declared hash \"{shown}\" is not {computed}, the SHA-256 of the canonical bytes.")
        }
        _ => format!("No hash was declared; the SHA-256 of the canonical bytes is {computed}."),
    };
    Rejection::new(ErrorKind::HashMismatch, Pointer::root(), message)
}

/// What the gate needs to know of an accepted record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Where it is.
    pub seq: Seq,
    /// Its trace.
    pub trace_id: TraceId,
    /// What it is, and what it allows.
    pub standing: Standing,
}

/// What an accepted record can be a prerequisite for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// An auth_context: for decisions and calls.
    AuthContext,
    /// A policy_decision: for calls.
    PolicyDecision {
        /// The auth_context it rests on.
        auth_context: EnvelopeHash,
        /// True for `allow`.
        allows: bool,
    },
    /// A call: for nothing.
    Call,
}

impl Facts {
    /// The facts of an envelope that was accepted at `seq`.
    #[must_use]
    pub const fn of(envelope: &Envelope, seq: Seq) -> Self {
        let standing = match envelope {
            Envelope::AuthContext(_) => Standing::AuthContext,
            Envelope::PolicyDecision(record) => Standing::PolicyDecision {
                auth_context: record.auth_context_envelope_sha256,
                allows: matches!(record.decision.result, DecisionResult::Allow),
            },
            Envelope::ModelCall(_) | Envelope::ToolCall(_) => Standing::Call,
        };
        Facts { seq, trace_id: envelope.trace_id(), standing }
    }
}

/// Finds accepted records by envelope hash.
pub trait AcceptedRecords {
    /// Why a lookup can fail: storage that does not answer. [`std::convert::Infallible`] in memory.
    type Error;

    /// The facts of the record accepted under this hash, if there is one.
    ///
    /// # Errors
    /// When the question cannot be answered.
    fn facts(&self, hash: &EnvelopeHash) -> Result<Option<Facts>, Self::Error>;
}

/// Checks 4 to 6: prerequisites, one trace, authority. `None` means accepted.
///
/// A prerequisite counts only below `at`, the sequence number that the record has or would get.
///
/// # Errors
/// Those of the lookup; the record is then neither accepted nor refused.
pub fn relate<L: AcceptedRecords>(
    envelope: &Envelope,
    at: Seq,
    accepted: &L,
) -> Result<Option<Rejection>, L::Error> {
    let earlier = |hash: &EnvelopeHash| Ok(accepted.facts(hash)?.filter(|facts| facts.seq < at));
    let Some(context_hash) = envelope.auth_context_hash() else { return Ok(None) };
    let context = earlier(&context_hash)?.filter(|facts| facts.standing == Standing::AuthContext);
    let Some(context) = context else {
        return Ok(Some(missing(
            ErrorKind::MissingAuthContext,
            CONTEXT_MEMBER,
            "auth_context",
            &context_hash,
        )));
    };
    let Some(decision_hash) = envelope.policy_decision_hash() else {
        return Ok(trace_mismatch(envelope, &[("auth_context", context)]));
    };
    let found = earlier(&decision_hash)?.and_then(|facts| match facts.standing {
        Standing::PolicyDecision { auth_context, allows } => Some((facts, auth_context, allows)),
        _ => None,
    });
    let Some((decision, decided_context, allows)) = found else {
        let kind = ErrorKind::MissingPolicyDecision;
        return Ok(Some(missing(kind, DECISION_MEMBER, "policy_decision", &decision_hash)));
    };
    let mismatch = trace_mismatch(envelope, &[("auth_context", context), ("policy_decision", decision)]);
    Ok(mismatch.or_else(|| {
        if decided_context != context_hash {
            Some(authority_mismatch(&context_hash, &decided_context))
        } else if !allows {
            Some(policy_denied(&decision_hash))
        } else {
            None
        }
    }))
}

const CONTEXT_MEMBER: &str = "auth_context_envelope_sha256";
const DECISION_MEMBER: &str = "policy_decision_envelope_sha256";

fn missing(kind: ErrorKind, member: &str, what: &str, hash: &EnvelopeHash) -> Rejection {
    let message = format!("No {what} with the hash {hash} was accepted before this record; commit it first.");
    Rejection::new(kind, Pointer::root().child(member), message)
}

fn trace_mismatch(envelope: &Envelope, prerequisites: &[(&str, Facts)]) -> Option<Rejection> {
    let own = envelope.trace_id();
    let (what, facts) = prerequisites.iter().find(|(_, facts)| facts.trace_id != own)?;
    let other = facts.trace_id;
    let message =
        format!("The record is of trace {own}, but its {what} is of trace {other}; both must be one.");
    let pointer = Pointer::root().child("trace").child("trace_id");
    Some(Rejection::new(ErrorKind::TraceIdMismatch, pointer, message))
}

fn authority_mismatch(named: &EnvelopeHash, decided: &EnvelopeHash) -> Rejection {
    let message =
        format!("The call names the auth_context {named}, but its decision was made for {decided}.");
    Rejection::new(ErrorKind::AuthorityMismatch, Pointer::root().child(CONTEXT_MEMBER), message)
}

fn policy_denied(decision: &EnvelopeHash) -> Rejection {
    let message = format!("The decision {decision} says deny; a call needs one that says allow.");
    Rejection::new(ErrorKind::PolicyDenied, Pointer::root().child(DECISION_MEMBER), message)
}
