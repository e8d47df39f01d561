//! Where two runs part: every place at which they do, the first of them, and the class of its cause.

use std::collections::{BTreeMap, BTreeSet};

use proofline_canon::Value;
use proofline_trace::{DifferenceKind, Envelope, EnvelopeHash, RecordType, SpanId};

use super::side::Prepared;
use super::text::PayloadDiff;
use crate::alignment::{
    AlignedRecord, AlignedSpan, Alignment, Aspect, AspectDifference, Change, Durations, RunRecord, align,
};
use crate::variance::VariancePolicy;

macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident => $text:literal),+ $(,)?) => {
        /// Why two runs part. Where two records differ in several ways, the first of these that applies is
        /// the cause.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Cause {
            $($(#[$doc])* $variant),+
        }

        impl Cause {
            /// All of them, in the order in which they are looked for.
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

causes! {
    /// The policy signature of a decision differs, or a call rests on another decision.
    Policy => "policy",
    /// Another model or tool was called.
    Identity => "identity",
    /// The same model or tool got another request.
    Input => "input",
    /// The call ended otherwise.
    Outcome => "outcome",
    /// Another response came back.
    Response => "response",
    /// The call cost otherwise.
    Usage => "usage",
    /// The step is in both runs, in another order or below another span.
    Order => "order",
    /// The step is only in the baseline.
    Missing => "missing",
    /// The step is only in the candidate.
    Extra => "extra",
}

/// What a step is about: the type of its record, and the model, the tool or the action by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// The type.
    pub record_type: RecordType,
    /// `provider/model`, `adapter_id/tool_name`, or the action of a decision.
    pub name: String,
}

impl Subject {
    /// None for a context, which is no step.
    fn of(envelope: &Envelope) -> Option<Self> {
        let name = match envelope {
            Envelope::AuthContext(_) => return None,
            Envelope::PolicyDecision(decision) => decision.request.action.to_string(),
            Envelope::ModelCall(call) => format!("{}/{}", call.model.provider, call.model.model),
            Envelope::ToolCall(call) => format!("{}/{}", call.tool.adapter_id, call.tool.tool_name),
        };
        Some(Self { record_type: envelope.record_type(), name })
    }

    pub(super) fn to_value(&self) -> Value {
        Value::object([
            ("record_type", Value::from(self.record_type.as_str())),
            ("name", Value::from(self.name.as_str())),
        ])
    }
}

/// A record by all its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordPlace {
    /// The span it stands on.
    pub span_id: SpanId,
    /// Its artifact key.
    pub envelope_hash: EnvelopeHash,
    /// Its entry.
    pub seq: u64,
}

impl RecordPlace {
    fn of(record: &RunRecord<'_>) -> Self {
        let span = &record.span;
        Self { span_id: span.span_id, envelope_hash: span.hash, seq: span.position }
    }

    fn to_value(self) -> Value {
        Value::object([
            ("span_id", Value::from(self.span_id.to_string())),
            ("envelope_hash", Value::from(self.envelope_hash.to_string())),
            ("seq", Value::from(self.seq)),
        ])
    }
}

/// The first place at which two runs part, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Divergence {
    /// Why.
    pub cause: Cause,
    /// What the step is about: as the baseline has it, where it has it.
    pub subject: Subject,
    /// Which record of the baseline it is, from 1 in the order in which they happened; of an extra step, which it
    /// would be.
    pub place: u64,
    /// How many records the baseline has.
    pub of: u64,
    /// The baseline's record; none for an extra one.
    pub baseline: Option<RecordPlace>,
    /// The candidate's record; none for a missing one.
    pub candidate: Option<RecordPlace>,
    /// All in which the two differ.
    pub differences: Vec<AspectDifference>,
    /// How their payloads differ, where that was asked for.
    pub payloads: Vec<PayloadDiff>,
}

impl Divergence {
    pub(super) fn to_value(&self) -> Value {
        let place = |place: Option<RecordPlace>| place.map_or(Value::Null, RecordPlace::to_value);
        let difference = |it: &AspectDifference| {
            let side = |value: &Option<Value>| value.clone().unwrap_or(Value::Null);
            Value::object([
                ("kind", Value::from(it.aspect.as_str())),
                ("baseline", side(&it.a)),
                ("candidate", side(&it.b)),
            ])
        };
        Value::object([
            ("cause", Value::from(self.cause.as_str())),
            ("subject", self.subject.to_value()),
            ("place", Value::from(self.place)),
            ("of", Value::from(self.of)),
            ("baseline", place(self.baseline)),
            ("candidate", place(self.candidate)),
            ("differences", Value::array(self.differences.iter().map(difference))),
            ("payloads", Value::array(self.payloads.iter().map(PayloadDiff::to_value))),
        ])
    }
}

/// What two runs come to beside each other.
pub(super) struct Comparison {
    pub(super) alignment: Alignment,
    pub(super) causes: BTreeMap<Cause, u64>,
    pub(super) allowed: BTreeMap<DifferenceKind, u64>,
    pub(super) first: Option<Divergence>,
    pub(super) subjects: BTreeSet<Subject>,
}

/// Where a place is in the order of the baseline: how many of its records are before it; of several places there, a
/// missing step comes before what the candidate has instead, and that before the next record of both, which is
/// reached later; then the order of the candidate.
type At = (usize, u8, usize);

const MISSING: u8 = 0;
const CANDIDATES: u8 = 1;
const OF_BOTH: u8 = 2;

struct Event<'r> {
    at: At,
    cause: Cause,
    a: Option<u64>,
    b: Option<u64>,
    differences: &'r [AspectDifference],
}

pub(super) fn compare(
    baseline: &Prepared<'_>,
    candidate: &Prepared<'_>,
    variance: &VariancePolicy,
) -> Comparison {
    let alignment = align(&baseline.run, &candidate.run, Durations::Listed);
    let judge = Judge { baseline, candidate, variance, before: before(baseline, candidate, &alignment) };
    let (mut causes, mut allowed, mut first) = (BTreeMap::new(), BTreeMap::new(), None::<Event<'_>>);
    for span in alignment.spans() {
        for event in span.records.iter().filter_map(|record| judge.event(span, record, &mut allowed)) {
            *causes.entry(event.cause).or_default() += 1;
            if first.as_ref().is_none_or(|first| (event.at, event.cause) < (first.at, first.cause)) {
                first = Some(event);
            }
        }
    }
    let first = first.and_then(|event| judge.told(&event));
    let subjects = baseline.records().chain(candidate.records());
    let subjects = subjects.filter_map(|record| Subject::of(record.envelope)).collect();
    Comparison { alignment, causes, allowed, first, subjects }
}

/// For each record of the candidate, how many of the baseline are before it: up to the counterpart of the one
/// that happened last before it and did not move.
fn before(baseline: &Prepared<'_>, candidate: &Prepared<'_>, alignment: &Alignment) -> BTreeMap<u64, usize> {
    let records = alignment.spans().iter().flat_map(|span| &span.records);
    let paired: BTreeMap<u64, u64> = records.filter_map(|record| Some((record.b?, record.a?))).collect();
    let mut count = 0;
    let mut before = BTreeMap::new();
    for seq in &candidate.order {
        before.insert(*seq, count);
        if let Some(place) = paired.get(seq).and_then(|one| baseline.places.get(one)) {
            count = place + 1;
        }
    }
    before
}

struct Judge<'a> {
    baseline: &'a Prepared<'a>,
    candidate: &'a Prepared<'a>,
    variance: &'a VariancePolicy,
    before: BTreeMap<u64, usize>,
}

impl Judge<'_> {
    /// What a record of the alignment says, if it is a place at which the two part.
    fn event<'r>(
        &self,
        span: &AlignedSpan,
        record: &'r AlignedRecord,
        allowed: &mut BTreeMap<DifferenceKind, u64>,
    ) -> Option<Event<'r>> {
        let (a, b) = match span.change {
            // Told where the candidate has it.
            Change::MovedA if record.elsewhere.is_some() => return None,
            Change::MovedB => (record.elsewhere, record.b),
            _ => (record.a, record.b),
        };
        let (of_a, of_b) =
            (a.and_then(|seq| self.baseline.record(seq)), b.and_then(|seq| self.candidate.record(seq)));
        let is_moved = record.elsewhere.is_some();
        let cause = match (of_a, of_b) {
            (Some(one), Some(other)) => {
                let cause = self.cause(one, other, &record.differences, allowed);
                if is_moved && is_step(one) { Cause::Order } else { cause? }
            }
            (Some(one), None) if is_step(one) => Cause::Missing,
            (None, Some(other)) if is_step(other) => Cause::Extra,
            _ => return None,
        };
        let own_rank = if b.is_none() { MISSING } else { OF_BOTH };
        let own = a.and_then(|seq| Some((*self.baseline.places.get(&seq)?, own_rank, 0)));
        let there =
            b.and_then(|seq| Some((*self.before.get(&seq)?, CANDIDATES, *self.candidate.places.get(&seq)?)));
        // What moved parts the runs where the first of them has it.
        let there = there.filter(|_| a.is_none() || is_moved);
        let at = own.into_iter().chain(there).min()?;
        Some(Event { at, cause, a, b, differences: &record.differences })
    }

    /// The first cause that the variance policy does not allow; what it allows is counted.
    fn cause(
        &self,
        a: &RunRecord<'_>,
        b: &RunRecord<'_>,
        differences: &[AspectDifference],
        allowed: &mut BTreeMap<DifferenceKind, u64>,
    ) -> Option<Cause> {
        let mut found = None::<Cause>;
        for difference in differences {
            let Some(cause) = cause_of(difference.aspect) else { continue };
            if !is_step(a) && cause != Cause::Order {
                continue;
            }
            if let Some(kind) =
                kind_of(cause).filter(|kind| self.variance.permits(a.envelope, b.envelope, *kind))
            {
                *allowed.entry(kind).or_default() += 1;
                continue;
            }
            found = Some(found.map_or(cause, |found| found.min(cause)));
        }
        found
    }

    fn told(&self, event: &Event<'_>) -> Option<Divergence> {
        let a = event.a.and_then(|seq| self.baseline.record(seq));
        let b = event.b.and_then(|seq| self.candidate.record(seq));
        let envelope = a.or(b)?.envelope;
        let named = || Subject { record_type: envelope.record_type(), name: "context".to_owned() };
        Some(Divergence {
            cause: event.cause,
            subject: Subject::of(envelope).unwrap_or_else(named),
            place: event.at.0 as u64 + 1,
            of: self.baseline.order.len() as u64,
            baseline: a.map(RecordPlace::of),
            candidate: b.map(RecordPlace::of),
            differences: event.differences.to_vec(),
            payloads: Vec::new(),
        })
    }
}

/// Contexts are no part of the path, as in a constrained replay.
const fn is_step(record: &RunRecord<'_>) -> bool {
    !matches!(record.envelope, Envelope::AuthContext(_))
}

const fn cause_of(aspect: Aspect) -> Option<Cause> {
    Some(match aspect {
        Aspect::Policy
        | Aspect::Action
        | Aspect::Resource
        | Aspect::Result
        | Aspect::ReasonCodes
        | Aspect::Obligations
        | Aspect::PolicyDecision => Cause::Policy,
        Aspect::RecordType | Aspect::Model | Aspect::Tool => Cause::Identity,
        Aspect::Request => Cause::Input,
        Aspect::Outcome => Cause::Outcome,
        Aspect::Response => Cause::Response,
        Aspect::Usage => Cause::Usage,
        Aspect::Parent => Cause::Order,
        _ => return None,
    })
}

const fn kind_of(cause: Cause) -> Option<DifferenceKind> {
    match cause {
        Cause::Outcome => Some(DifferenceKind::Outcome),
        Cause::Response => Some(DifferenceKind::Response),
        Cause::Usage => Some(DifferenceKind::Usage),
        _ => None,
    }
}
