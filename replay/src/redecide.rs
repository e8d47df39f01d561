//! Decisions asked again of the policies that they name, by the questions that they answered. What a record
//! claims and its policy does not say is a mismatch; what cannot be asked is counted, and found.

use std::collections::BTreeMap;
use std::sync::Arc;

use proofline_canon::{Pointer, Profile, Sha256Digest, StoreError};
use proofline_policy::{PolicyEngine, Question, Reply};
use proofline_trace::{
    AuthContext, Decision, DecisionResult, Envelope, EnvelopeHash, Failure, FailureClass, Finding,
    FindingCode, PolicyDecision, SafeInt,
};
use rayon::prelude::*;

use crate::chain::Verified;
use crate::check::{Check, Subject};
use crate::shelf::{Absence, Held, Shelf};

/// Decisions of one trace that a thread asks at a stretch.
const DECISIONS_PER_TASK: usize = 16;
/// Decisions of one trace between two looks at whether one of them ended the run.
const DECISIONS_PER_BLOCK: usize = 4096;

/// What became of the decisions of a chain, up to the one that ended the run.
#[derive(Debug, Default)]
pub(crate) struct Redecided {
    pub(crate) re_decided: usize,
    pub(crate) absent: usize,
    pub(crate) unusable: usize,
    pub(crate) failure: Option<Failure>,
    pub(crate) findings: Vec<Finding>,
}

/// A decision and the context that it was made for.
#[derive(Clone, Copy)]
pub(crate) struct Decided<'a> {
    pub(crate) record: Verified<'a>,
    pub(crate) decision: &'a PolicyDecision,
    pub(crate) auth_context: &'a AuthContext,
}

impl<'a> Decided<'a> {
    /// The decisions of a chain whose gate checks hold, in its order: each has its context there.
    pub(crate) fn of_chain(chain: &[Verified<'a>]) -> Vec<Self> {
        let mut contexts: BTreeMap<EnvelopeHash, &AuthContext> = BTreeMap::new();
        for record in chain {
            if let Envelope::AuthContext(context) = record.envelope {
                contexts.entry(record.hash).or_insert(context);
            }
        }
        let decided = chain.iter().filter_map(|record| {
            let Envelope::PolicyDecision(decision) = record.envelope else { return None };
            let auth_context = contexts.get(&decision.auth_context_envelope_sha256)?;
            Some(Self { record: *record, decision, auth_context })
        });
        decided.collect()
    }

    pub(crate) fn question(&self) -> Question<'a> {
        Question::of(self.auth_context, self.decision)
    }

    const fn subject(&self) -> Subject<'a> {
        let record = &self.record;
        Subject { seq: record.seq, hash: Some(record.hash), envelope: Some(record.envelope) }
    }
}

/// What a decision is, asked again.
enum Again {
    Same,
    Other(Arc<Reply>),
    Absent(Absence),
    Unusable(&'static str),
}

/// Asks every decision of a chain again. Without an engine none is, and no policy is looked for.
pub(crate) fn redecide(
    chain: &[Verified<'_>],
    engine: Option<&dyn PolicyEngine>,
    shelf: &Shelf<'_>,
    is_required: bool,
) -> Result<Redecided, StoreError> {
    let decisions = Decided::of_chain(chain);
    let mut out = Redecided::default();
    let Some(engine) = engine else {
        let first = decisions.first().filter(|_| is_required);
        out.failure = first.map(|decided| required(decided, "there is no engine to ask it"));
        return Ok(out);
    };
    let mut gone: BTreeMap<Sha256Digest, (FindingCode, String, Vec<&Decided<'_>>)> = BTreeMap::new();
    for block in decisions.chunks(DECISIONS_PER_BLOCK) {
        let tasks = block.par_iter().with_min_len(DECISIONS_PER_TASK);
        let answers = tasks.map(|decided| again(decided, shelf)).collect::<Result<Vec<_>, _>>()?;
        for (decided, again) in block.iter().zip(answers) {
            let (code, why) = match again {
                Again::Same => {
                    out.re_decided += 1;
                    continue;
                }
                Again::Other(reply) => {
                    out.failure = Some(mismatch(decided, &reply, engine));
                    return Ok(out);
                }
                Again::Absent(why) => (FindingCode::PolicyNotAtHand, why.to_string()),
                Again::Unusable(code) => {
                    (FindingCode::PolicyNotUsable, format!("is no policy that can be asked ({code})"))
                }
            };
            if is_required {
                out.failure = Some(required(decided, &why));
                return Ok(out);
            }
            match code {
                FindingCode::PolicyNotUsable => out.unusable += 1,
                _ => out.absent += 1,
            }
            let name = decided.decision.policy.policy_sha256;
            gone.entry(name).or_insert_with(|| (code, why, Vec::new())).2.push(decided);
        }
    }
    if shelf.looks() {
        out.findings =
            gone.into_iter().map(|(name, (code, why, of))| finding(name, code, &why, of)).collect();
    }
    Ok(out)
}

fn again(decided: &Decided<'_>, shelf: &Shelf<'_>) -> Result<Again, StoreError> {
    let name = decided.decision.policy.policy_sha256;
    let policy = match shelf.find(name)? {
        Held::Policy(policy) => policy,
        Held::Absent(why) => return Ok(Again::Absent(why)),
        Held::Unusable(code) => return Ok(Again::Unusable(code)),
    };
    let reply = shelf.reply(&name, &*policy, &decided.question());
    let is_same = reply.decision == decided.decision.decision;
    Ok(if is_same { Again::Same } else { Again::Other(reply) })
}

/// One for a policy, naming its decisions in ledger order.
fn finding(name: Sha256Digest, code: FindingCode, why: &str, mut of: Vec<&Decided<'_>>) -> Finding {
    of.sort_by_key(|decided| decided.record.seq);
    let decisions = match of.len() {
        1 => "its decision was not decided again".to_owned(),
        count => format!("its {count} decisions were not decided again"),
    };
    Finding::new(code, format!("The policy {name} {why}; {decisions}."))
        .with_records(of.iter().map(|decided| decided.record.hash))
        .with_seqs(of.iter().map(|decided| SafeInt::saturating(decided.record.seq.get())))
}

/// A decision that had to be decided again, and could not be.
fn required(decided: &Decided<'_>, why: &str) -> Failure {
    let policy = &decided.decision.policy;
    let name = policy.policy_sha256;
    let message = format!(
        "The decision cannot be decided again, as was required: policy {} version {} ({name}): {why}.",
        policy.policy_id, policy.policy_version
    );
    Failure {
        pointer: Some(Pointer::root().child("policy").child("policy_sha256")),
        expected: Some("a policy that can be asked".to_owned()),
        found: Some(why.to_owned()),
        ..decided.subject().fails(Check::Policy, FailureClass::MissingPrereq, message)
    }
}

fn mismatch(decided: &Decided<'_>, reply: &Reply, engine: &dyn PolicyEngine) -> Failure {
    let (recorded, again) = (&decided.decision.decision, &reply.decision);
    let (member, differs) = if recorded.result != again.result {
        ("result", format!("is {}; the record says {}", said(again.result), said(recorded.result)))
    } else if recorded.reason_codes != again.reason_codes {
        ("reason_codes", format!("is {} for other reasons than the record gives", said(again.result)))
    } else {
        ("obligations", format!("is {} with other obligations than the record has", said(again.result)))
    };
    let (policy, request, actor) =
        (&decided.decision.policy, &decided.decision.request, &decided.auth_context.actor);
    let failed: Vec<String> = reply.answer.errors.iter().map(|fault| format!("{:?}", fault.id)).collect();
    let failed = match failed.is_empty() {
        true => String::new(),
        false => format!(" The policy could not evaluate {}, which denies.", failed.join(", ")),
    };
    let message = format!(
        "Policy {} version {}, asked again by {} {}: {} on {} by {} {} {differs}.{failed}",
        policy.policy_id,
        policy.policy_version,
        engine.name(),
        engine.version(),
        request.action,
        request.resource,
        actor.actor_kind,
        actor.actor_id,
    );
    Failure {
        pointer: Some(Pointer::root().child("decision").child(member)),
        expected: text(decided.decision, again.clone()),
        found: text(decided.decision, recorded.clone()),
        ..decided.subject().fails(Check::Decision, FailureClass::DecisionMismatch, message)
    }
}

const fn said(result: DecisionResult) -> &'static str {
    match result {
        DecisionResult::Allow => "allowed",
        DecisionResult::Deny => "denied",
    }
}

/// A decision as it stands in the record, or would: canonical JSON.
fn text(record: &PolicyDecision, decision: Decision) -> Option<String> {
    let value = Envelope::PolicyDecision(PolicyDecision { decision, ..record.clone() }).to_value();
    String::from_utf8(value.get("decision")?.to_canonical(Profile::Envelope).ok()?).ok()
}
