//! In what two records of one step can differ, and what a record says in each respect.

use std::fmt;

use proofline_canon::{Profile, Sha256Digest, Value};
use proofline_trace::{Envelope, StringSet};

use super::run::RunRecord;

macro_rules! aspects {
    ($($(#[$doc:meta])* $variant:ident => $text:literal),+ $(,)?) => {
        /// A respect in which two records, or the spans that they stand on, can differ.
        ///
        /// Ids, hashes and times are none: two runs never share them. What a record rests on is
        /// compared by whether the two prerequisites were paired.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Aspect {
            $($(#[$doc])* $variant),+
        }

        impl Aspect {
            /// All of them, in the order in which they are listed.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }
    };
}

aspects! {
    /// The record is there on one side only. The value is its type.
    Record => "record",
    /// The type of the record, as a text.
    RecordType => "record_type",
    /// How the gate refused the attempt: `{"classification","error_kind"}`; none where it was accepted.
    Refusal => "refusal",
    /// What is above a span at the top: `root` for nothing, `absent` for a span without records,
    /// `circle` for a span that it is above itself.
    Parent => "parent",
    /// Who acts: `{"actor_kind","actor_id"}`.
    Actor => "actor",
    /// How they proved it: `{"credential_kind","issuer"}`.
    Credential => "credential",
    /// What they may do, as a sorted list of texts.
    Grants => "grants",
    /// The policy asked: `{"policy_id","policy_version","policy_sha256"}`.
    Policy => "policy",
    /// What is to be done, as a text.
    Action => "action",
    /// What it is to be done to, as a text.
    Resource => "resource",
    /// `allow` or `deny`.
    Result => "result",
    /// Why, as a sorted list of texts.
    ReasonCodes => "reason_codes",
    /// What the caller must do besides, as a sorted list of texts.
    Obligations => "obligations",
    /// The model: `{"provider","model"}`.
    Model => "model",
    /// The tool: `{"adapter_id","tool_name"}`.
    Tool => "tool",
    /// What was sent: `{"content_type","sha256","size_bytes"}`.
    Request => "request",
    /// What came back, in the same form.
    Response => "response",
    /// How the call ended: `{"status"}`.
    Outcome => "outcome",
    /// What it cost: `{"input_tokens","output_tokens","total_tokens"}`; none where unknown.
    Usage => "usage",
    /// How long it took, in milliseconds; none where it ended before it began.
    Duration => "duration_ms",
    /// The producer's component, as a text.
    Component => "component",
    /// The context that it rests on, by its hash: differs where the two were not paired.
    AuthContext => "auth_context",
    /// The decision that it rests on, likewise.
    PolicyDecision => "policy_decision",
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a record says by itself, in the order of the aspects.
pub(super) fn said(record: &RunRecord<'_>) -> Vec<(Aspect, Value)> {
    let envelope = record.envelope;
    let mut said = vec![(Aspect::RecordType, Value::from(envelope.record_type().as_str()))];
    said.extend(record.refusal.as_ref().map(|(classification, error_kind)| {
        let members = [
            ("classification", Value::from(classification.as_str())),
            ("error_kind", Value::from(error_kind.to_string())),
        ];
        (Aspect::Refusal, Value::object(members))
    }));
    let value = envelope.to_value();
    let member = |aspect, name: &str| value.get(name).map(|value| (aspect, value.clone()));
    match envelope {
        Envelope::AuthContext(record) => {
            let credential = [
                ("credential_kind", record.credential.credential_kind.as_str()),
                ("issuer", record.credential.issuer.as_str()),
            ];
            said.extend(member(Aspect::Actor, "actor"));
            said.push((Aspect::Credential, Value::object(credential)));
            said.push((Aspect::Grants, set(&record.grants)));
        }
        Envelope::PolicyDecision(record) => {
            let (request, decision) = (&record.request, &record.decision);
            said.extend(member(Aspect::Policy, "policy"));
            said.push((Aspect::Action, Value::from(request.action.as_str())));
            said.push((Aspect::Resource, Value::from(request.resource.as_str())));
            said.push((Aspect::Result, Value::from(decision.result.as_str())));
            said.push((Aspect::ReasonCodes, set(&decision.reason_codes)));
            said.push((Aspect::Obligations, set(&decision.obligations)));
        }
        Envelope::ModelCall(_) | Envelope::ToolCall(_) => {
            said.extend(member(Aspect::Model, "model"));
            said.extend(member(Aspect::Tool, "tool"));
            said.extend(member(Aspect::Request, "request"));
            said.extend(member(Aspect::Response, "response"));
            said.extend(member(Aspect::Outcome, "outcome"));
            said.extend(member(Aspect::Usage, "usage"));
            said.extend(duration_ms(envelope).map(|ms| (Aspect::Duration, Value::from(ms))));
        }
    }
    said.push((Aspect::Component, Value::from(envelope.component().as_str())));
    said
}

fn duration_ms(envelope: &Envelope) -> Option<u64> {
    envelope.ended_at_ms()?.get().checked_sub(envelope.time_ms().get())
}

fn set(set: &StringSet) -> Value {
    // The tokens of a set are sorted.
    Value::array(set.iter().map(|token| Value::from(token.as_str())))
}

/// Digests of a record, which steer what is paired and are no proof of anything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digests {
    /// Of all that it says but how long it took.
    pub(super) content: Sha256Digest,
    /// The same without what came back: response, outcome, usage.
    pub(super) asked: Sha256Digest,
}

/// What came back of a call, and nobody asked for.
const fn came_back(aspect: Aspect) -> bool {
    matches!(aspect, Aspect::Response | Aspect::Outcome | Aspect::Usage)
}

pub(super) fn digests(record: &RunRecord<'_>) -> Digests {
    let said = said(record).into_iter().filter(|(aspect, _)| *aspect != Aspect::Duration);
    let (back, asked): (Vec<_>, Vec<_>) = said.partition(|(aspect, _)| came_back(*aspect));
    let asked = digest(asked);
    // Most records are no calls.
    let content = if back.is_empty() { asked } else { both(asked, digest(back)) };
    Digests { content, asked }
}

fn digest(said: Vec<(Aspect, Value)>) -> Sha256Digest {
    let value = Value::object(said.into_iter().map(|(aspect, value)| (aspect.as_str(), value)));
    Sha256Digest::of(&value.to_canonical(Profile::Envelope).unwrap_or_default())
}

fn both(one: Sha256Digest, other: Sha256Digest) -> Sha256Digest {
    Sha256Digest::of(&[*one.as_bytes(), *other.as_bytes()].concat())
}
