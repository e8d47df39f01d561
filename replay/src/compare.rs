//! What two runs of the same work did alike. Pure functions of verified records, which pass
//! invariant replay.

use std::collections::{BTreeMap, VecDeque};

use proofline_canon::{Pointer, Profile, Sha256Digest, Value};
use proofline_trace::{
    Difference, DifferenceKind, DifferenceSide, Envelope, EnvelopeHash, Failure, FailureClass,
    PolicyDecision, SafeInt,
};

use crate::chain::Verified;
use crate::check::Check;
use crate::variance::VariancePolicy;

/// By what the records of a chain are compared: the SHA-256 of a decision's policy signature and of
/// a call's evidence identity. Contexts are no part of the path.
#[derive(Debug, Default)]
pub(crate) struct PathKeys {
    keys: Vec<Option<Sha256Digest>>,
    /// Where in the chain each decision is, which the identities of calls need.
    decisions: BTreeMap<EnvelopeHash, usize>,
}

impl PathKeys {
    pub(crate) fn of(records: &[Verified<'_>]) -> Self {
        let mut keys = Vec::with_capacity(records.len());
        let mut decisions = BTreeMap::new();
        // Decisions stand before calls in every chain.
        for (at, record) in records.iter().enumerate() {
            if matches!(record.envelope, Envelope::PolicyDecision(_)) {
                decisions.entry(record.hash).or_insert(at);
            }
            let said = said(record.envelope, records, &decisions);
            keys.push(said.map(|said| Sha256Digest::of(said.as_bytes())));
        }
        Self { keys, decisions }
    }
}

/// A chain and what its records are compared by.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    pub(crate) records: &'a [Verified<'a>],
    pub(crate) keys: &'a PathKeys,
}

impl<'a> Path<'a> {
    /// The decisions, or the calls, each under its key.
    fn members(self, decisions: bool) -> impl Iterator<Item = (Sha256Digest, &'a Verified<'a>)> {
        let keyed = self.keys.keys.iter().zip(self.records);
        let keyed = keyed.filter_map(|(key, record)| Some(((*key)?, record)));
        keyed.filter(move |(_, record)| matches!(record.envelope, Envelope::PolicyDecision(_)) == decisions)
    }

    fn said(self, record: &Verified<'_>) -> Option<String> {
        said(record.envelope, self.records, &self.keys.decisions)
    }
}

/// The policy signature of a decision, the evidence identity of a call, as canonical JSON text.
fn said(
    envelope: &Envelope,
    records: &[Verified<'_>],
    decisions: &BTreeMap<EnvelopeHash, usize>,
) -> Option<String> {
    let under = |hash: &EnvelopeHash| match records.get(*decisions.get(hash)?)?.envelope {
        Envelope::PolicyDecision(decision) => Some(signature(decision)),
        _ => None,
    };
    let value = envelope.to_value();
    let member = |name: &str| value.get(name).cloned().unwrap_or(Value::Null);
    let identity = |tool: &'static str, decision: &EnvelopeHash| {
        let members =
            [("record_type", member("record_type")), (tool, member(tool)), ("request", member("request"))];
        Some(Value::object(members.into_iter().chain([("policy_signature", under(decision)?)])))
    };
    let said = match envelope {
        Envelope::AuthContext(_) => None,
        Envelope::PolicyDecision(decision) => Some(signature(decision)),
        Envelope::ModelCall(call) => identity("model", &call.policy_decision_envelope_sha256),
        Envelope::ToolCall(call) => identity("tool", &call.policy_decision_envelope_sha256),
    };
    text(&said?)
}

fn signature(record: &PolicyDecision) -> Value {
    let (policy, request, decision) = (&record.policy, &record.request, &record.decision);
    // The tokens of a set are sorted.
    let set =
        |set: &proofline_trace::StringSet| Value::array(set.iter().map(|token| Value::from(token.as_str())));
    Value::object([
        ("policy_id", Value::from(policy.policy_id.as_str())),
        ("policy_version", Value::from(policy.policy_version.as_str())),
        ("policy_sha256", Value::from(policy.policy_sha256.to_string())),
        ("action", Value::from(request.action.as_str())),
        ("resource", Value::from(request.resource.as_str())),
        ("result", Value::from(decision.result.as_str())),
        ("reason_codes", set(&decision.reason_codes)),
        ("obligations", set(&decision.obligations)),
    ])
}

fn text(value: &Value) -> Option<String> {
    String::from_utf8(value.to_canonical(Profile::Envelope).ok()?).ok()
}

/// Policy signatures, then evidence identities, that the two do not hold equally often: those of
/// the baseline in chain order, then those that only the candidate has.
pub(crate) fn path_differences(baseline: Path<'_>, candidate: Path<'_>) -> Vec<Difference> {
    let mut found = unequal(DifferenceKind::PolicySignature, baseline, candidate);
    found.extend(unequal(DifferenceKind::EvidenceIdentity, baseline, candidate));
    found
}

fn unequal(kind: DifferenceKind, baseline: Path<'_>, candidate: Path<'_>) -> Vec<Difference> {
    let decisions = kind == DifferenceKind::PolicySignature;
    let mut places: BTreeMap<Sha256Digest, usize> = BTreeMap::new();
    let mut holders: Vec<[Vec<&Verified<'_>>; 2]> = Vec::new();
    for (path, is_candidate) in [(baseline, false), (candidate, true)] {
        for (key, record) in path.members(decisions) {
            let place = *places.entry(key).or_insert(holders.len());
            if place == holders.len() {
                holders.push([Vec::new(), Vec::new()]);
            }
            if let Some([before, after]) = holders.get_mut(place) {
                if is_candidate { after.push(record) } else { before.push(record) }
            }
        }
    }
    let unequal = holders.into_iter().filter(|[before, after]| before.len() != after.len());
    let difference = unequal.filter_map(|[before, after]| {
        Some(Difference {
            kind,
            record_type: before.first().or_else(|| after.first())?.envelope.record_type(),
            allowed: false,
            baseline: side(&before, before.first().and_then(|record| baseline.said(record))),
            candidate: side(&after, after.first().and_then(|record| candidate.said(record))),
        })
    });
    difference.collect()
}

fn side(records: &[&Verified<'_>], value: Option<String>) -> DifferenceSide {
    DifferenceSide {
        records: records.iter().map(|record| record.hash).collect(),
        seqs: records.iter().map(|record| SafeInt::saturating(record.seq.get())).collect(),
        value,
    }
}

/// How paired calls differ, in the chain order of the baseline, each in response, outcome, usage.
pub(crate) fn variances(baseline: Path<'_>, candidate: Path<'_>, policy: &VariancePolicy) -> Vec<Difference> {
    let mut others: BTreeMap<Sha256Digest, VecDeque<&Verified<'_>>> = BTreeMap::new();
    for (key, record) in candidate.members(false) {
        others.entry(key).or_default().push_back(record);
    }
    let mut found = Vec::new();
    for (key, before) in baseline.members(false) {
        let Some(after) = others.get_mut(&key).and_then(VecDeque::pop_front) else { continue };
        found.extend(variances_of_pair(before, after, policy));
    }
    found
}

fn variances_of_pair(
    before: &Verified<'_>,
    after: &Verified<'_>,
    policy: &VariancePolicy,
) -> Vec<Difference> {
    let (one, other) = (before.envelope, after.envelope);
    let record_type = one.record_type();
    let differing = [
        (DifferenceKind::Response, one.blobs().nth(1) != other.blobs().nth(1)),
        (DifferenceKind::Outcome, one.outcome() != other.outcome()),
        (DifferenceKind::Usage, usage(one) != usage(other)),
    ];
    let difference = |kind: DifferenceKind| Difference {
        kind,
        record_type,
        allowed: policy.permits(one, other, kind),
        baseline: side(&[before], member(one, kind)),
        candidate: side(&[after], member(other, kind)),
    };
    differing.into_iter().filter(|(_, differs)| *differs).map(|(kind, _)| difference(kind)).collect()
}

const fn usage(envelope: &Envelope) -> Option<&proofline_trace::Usage> {
    match envelope {
        Envelope::ModelCall(call) => call.usage.as_ref(),
        _ => None,
    }
}

fn member(envelope: &Envelope, kind: DifferenceKind) -> Option<String> {
    text(envelope.to_value().get(kind.as_str())?)
}

/// The failure that a difference is, at the candidate's record where it has one.
pub(crate) fn failure(difference: &Difference, class: FailureClass) -> Failure {
    let Difference { kind, record_type, baseline, candidate, .. } = difference;
    let (check, message) = match kind {
        DifferenceKind::PolicySignature => {
            (Check::PolicySignatures, unequal_sentence("decision", "policy signature", difference))
        }
        DifferenceKind::EvidenceIdentity => {
            (Check::EvidenceIdentities, unequal_sentence("call", "evidence identity", difference))
        }
        DifferenceKind::Response | DifferenceKind::Outcome | DifferenceKind::Usage => {
            let message =
                format!("The {kind} of a {record_type} differs, which the variance policy does not allow.");
            (Check::Variance, message)
        }
    };
    let place = if candidate.records.is_empty() { baseline } else { candidate };
    let pointer = (check == Check::Variance).then(|| Pointer::root().child(kind.as_str()));
    Failure {
        envelope_hash: place.records.first().copied(),
        seq: place.seqs.first().copied(),
        record_type: Some(*record_type),
        pointer,
        expected: Some(shown(baseline)),
        found: Some(shown(candidate)),
        ..Failure::new(check.token(), class, message)
    }
}

fn unequal_sentence(what: &str, of: &str, difference: &Difference) -> String {
    let (before, after) = (difference.baseline.records.len(), difference.candidate.records.len());
    let counted = match before {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    format!("The baseline has {counted} of one {of}, the candidate {after}.")
}

fn shown(side: &DifferenceSide) -> String {
    match (&side.value, side.records.len()) {
        (Some(value), 0 | 1) => value.clone(),
        (Some(value), count) => format!("{count} times {value}"),
        (None, _) => "none".to_owned(),
    }
}
