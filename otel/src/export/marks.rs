//! What Proofline adds to spans: attributes and events whose names begin with `proofline.`. What telemetry itself named
//! so goes out under another name, so that nobody but an export speaks in the ledger's name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use proofline_canon::Sha256Digest;
use proofline_trace::{
    AuthContext, DecisionResult, Envelope, EnvelopeHash, ImportedSpan, LedgerId, PolicyDecision, SpanId,
    TraceContext,
};

use super::account::ExportTally;
use super::attributes::{flag, number, numbers, text, texts};
use super::gather::{Gathered, Held};
use super::names::PREFIX;
use super::own::{SAID_BEFORE, SPAN_FROM, SPAN_SHA256};
use super::record_span::nanos;
use super::verdict::{ExportVerdict, Remark};
use crate::kept::{KeptSpan, PlacedSpan};

/// Where a span of an export comes from.
#[derive(Debug, Clone)]
pub(super) enum From {
    /// Telemetry; `is_original` where it has the digest that it had.
    Telemetry { kept: KeptSpan, is_original: bool },
    /// The row of an import alone.
    Row(PlacedSpan),
    /// Records that no telemetry came with.
    Records(PlacedSpan),
}

impl From {
    pub(super) fn kept(kept: KeptSpan, row: &ImportedSpan) -> Self {
        let is_original = kept.placed.content_sha256() == Some(row.content_sha256);
        Self::Telemetry { kept, is_original }
    }

    /// How much is lost, least first.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Telemetry { is_original: true, .. } | Self::Records(_) => 0,
            Self::Telemetry { kept, .. } if kept.missing.is_empty() => 1,
            Self::Telemetry { .. } => 2,
            Self::Row(_) => 3,
        }
    }
}

/// A span on its way out.
#[derive(Debug, Clone)]
pub(super) struct Marked {
    pub(super) span_id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) from: From,
    /// What imports say of it, one a policy.
    pub(super) rows: Vec<ImportedSpan>,
    attributes: Vec<KeyValue>,
    events: Vec<Event>,
}

impl Marked {
    pub(super) fn new(
        span_id: SpanId,
        parent: Option<SpanId>,
        from: From,
        row: Option<ImportedSpan>,
    ) -> Self {
        let rows = row.into_iter().collect();
        Self { span_id, parent, from, rows, attributes: Vec::new(), events: Vec::new() }
    }

    /// The span with all that was added, behind what it came with.
    pub(super) fn into_placed(self) -> PlacedSpan {
        let mut placed = match self.from {
            From::Telemetry { kept, .. } => kept.placed,
            From::Row(placed) | From::Records(placed) => placed,
        };
        placed.span.attributes.extend(self.attributes);
        placed.span.events.extend(self.events);
        placed
    }

    const fn placed_mut(&mut self) -> &mut PlacedSpan {
        match &mut self.from {
            From::Telemetry { kept, .. } => &mut kept.placed,
            From::Row(placed) | From::Records(placed) => placed,
        }
    }

    /// When it began; what is told of it without a time of its own stands there.
    fn start_unix_nano(&self) -> u64 {
        match &self.from {
            From::Telemetry { kept, .. } => kept.placed.span.start_time_unix_nano,
            From::Row(placed) | From::Records(placed) => placed.span.start_time_unix_nano,
        }
    }

    fn event(&mut self, name: &str, time_unix_nano: u64, attributes: Vec<KeyValue>) {
        self.events.push(Event { time_unix_nano, name: name.to_owned(), attributes, ..Event::default() });
    }

    /// How it came about.
    fn mark_origin(&mut self, around: &mut Renamed, tally: &mut ExportTally) {
        let renamed = rename(self.placed_mut(), around);
        let (from, content) = match &self.from {
            From::Records(placed) => {
                tally.from_records += 1;
                (("records", placed.content_sha256()), None)
            }
            From::Row(_) => {
                tally.rows += 1;
                (("telemetry", self.rows.first().map(|row| row.content_sha256)), Some("absent"))
            }
            From::Telemetry { kept, is_original } => {
                let content = match (is_original, kept.missing.is_empty()) {
                    (true, _) if renamed.is_empty() => {
                        tally.original += 1;
                        "original"
                    }
                    (_, true) => {
                        tally.restated += 1;
                        "restated"
                    }
                    (_, false) => {
                        tally.partial += 1;
                        "partial"
                    }
                };
                (("telemetry", self.rows.first().map(|row| row.content_sha256)), Some(content))
            }
        };
        let ((from, sha256), mut added) = (from, Vec::new());
        added.push(text(SPAN_FROM, from));
        added.extend(sha256.map(|sha256: Sha256Digest| text(SPAN_SHA256, sha256)));
        added.extend(content.map(|content| text("proofline.span.content", content)));
        if let From::Telemetry { kept, .. } = &self.from {
            tally.missing_attributes += kept.missing.len() as u64;
            let lists = [
                ("proofline.span.missing", &kept.missing),
                ("proofline.span.restated", &kept.restated),
                ("proofline.span.renamed", &renamed),
            ];
            added.extend(
                lists.into_iter().filter(|(_, keys)| !keys.is_empty()).map(|(key, it)| texts(key, it)),
            );
        }
        if let Some(row) = self.rows.first() {
            added.push(text("proofline.import.became", row.became));
            added.extend(row.reason.as_ref().map(|reason| text("proofline.import.reason", reason)));
        }
        self.attributes.extend(added);
    }
}

/// Surroundings that were given other names, beside those that they were made of: spans share them, before and behind.
#[derive(Default)]
struct Renamed {
    resource: Option<(Arc<Resource>, Arc<Resource>)>,
    scope: Option<(Arc<InstrumentationScope>, Arc<InstrumentationScope>)>,
}

/// The same value under other names; the one of the span before, where it is made of the same.
fn shared<T: Clone>(
    last: &mut Option<(Arc<T>, Arc<T>)>,
    value: &Arc<T>,
    attributes: impl Fn(&mut T) -> &mut Vec<KeyValue>,
) -> Arc<T> {
    if let Some((_, renamed)) = last.as_ref().filter(|(before, _)| Arc::ptr_eq(before, value)) {
        return Arc::clone(renamed);
    }
    let mut renamed = T::clone(value);
    for attribute in attributes(&mut renamed) {
        if attribute.key.starts_with(PREFIX) {
            attribute.key.insert_str(0, SAID_BEFORE);
        }
    }
    let renamed = Arc::new(renamed);
    *last = Some((Arc::clone(value), Arc::clone(&renamed)));
    renamed
}

/// Gives what telemetry named in Proofline's name another one; the names that it had.
fn rename(placed: &mut PlacedSpan, around: &mut Renamed) -> Vec<String> {
    let mut renamed = Vec::new();
    let ours = |attributes: &[KeyValue]| -> Vec<String> {
        let keys = attributes.iter().map(|it| &it.key);
        keys.filter(|key| key.starts_with(PREFIX)).cloned().collect()
    };
    let of_resource = ours(&placed.resource.attributes);
    if !of_resource.is_empty() {
        placed.resource = shared(&mut around.resource, &placed.resource, |it| &mut it.attributes);
        renamed.extend(of_resource);
    }
    let of_scope = ours(&placed.scope.attributes);
    if !of_scope.is_empty() {
        placed.scope = shared(&mut around.scope, &placed.scope, |it| &mut it.attributes);
        renamed.extend(of_scope);
    }
    let mut name = |name: &mut String| {
        if name.starts_with(PREFIX) {
            renamed.push(name.clone());
            name.insert_str(0, SAID_BEFORE);
        }
    };
    placed.span.attributes.iter_mut().for_each(|it| name(&mut it.key));
    for event in &mut placed.span.events {
        name(&mut event.name);
        event.attributes.iter_mut().for_each(|it| name(&mut it.key));
    }
    for link in &mut placed.span.links {
        link.attributes.iter_mut().for_each(|it| name(&mut it.key));
    }
    renamed
}

/// What there is to say of a trace.
pub(super) struct About<'a> {
    pub(super) ledger_id: LedgerId,
    pub(super) entries: u64,
    pub(super) gathered: &'a Gathered,
    pub(super) verdicts: &'a [ExportVerdict],
}

impl About<'_> {
    pub(super) fn mark(&self, spans: &mut [Marked], tally: &mut ExportTally) {
        let is_judged = |it: &&ExportVerdict| !(it.is_of_nothing() && self.gathered.is_without_accepted());
        let verdicts: Vec<&ExportVerdict> = self.verdicts.iter().filter(is_judged).collect();
        let has_failed = verdicts.iter().any(|it| !it.result.verdict.is_pass());
        match (verdicts.is_empty(), has_failed) {
            (true, _) => tally.without_verdict += 1,
            (false, true) => tally.failed += 1,
            (false, false) => tally.passed += 1,
        }
        tally.spans = spans.len() as u64;
        tally.findings = verdicts.iter().map(|it| it.findings().len() as u64).sum();
        if spans.is_empty() {
            tally.empty_traces += 1;
            return;
        }
        let mut around = Renamed::default();
        spans.iter_mut().for_each(|it| it.mark_origin(&mut around, tally));
        let places = Places::of(spans, self.gathered);
        self.mark_records(spans, &places, tally);
        self.mark_roots(spans, &places, (&verdicts, has_failed));
        for verdict in verdicts {
            let question = verdict.result.replay_type();
            let failures = verdict.failures().iter().map(|it| Remark::of_failure(question, it));
            let findings = verdict.findings().iter().map(|it| Remark::of_finding(question, it));
            for remark in failures.chain(findings) {
                places.remark(spans, &remark);
            }
        }
    }

    fn mark_roots(
        &self,
        spans: &mut [Marked],
        places: &Places,
        (verdicts, has_failed): (&[&ExportVerdict], bool),
    ) {
        let word = match (verdicts.is_empty(), has_failed) {
            (true, _) => "none",
            (false, true) => "fail",
            (false, false) => "pass",
        };
        let mut about = vec![
            text("proofline.ledger.id", self.ledger_id),
            number("proofline.ledger.entries", self.entries),
            text("proofline.verdict", word),
        ];
        if let Some(first) = verdicts.first() {
            let source = if first.recorded.is_some() { "recorded" } else { "now" };
            about.push(text("proofline.verdict.source", source));
        }
        about.extend(verdicts.iter().flat_map(|it| it.attributes()));
        let counts = [
            ("proofline.trace.damaged_entries", self.gathered.damaged),
            ("proofline.trace.archived_entries", self.gathered.archived),
            ("proofline.trace.findings", verdicts.iter().map(|it| it.findings().len() as u64).sum()),
            ("proofline.trace.refused", self.refused()),
        ];
        about.extend(
            counts.into_iter().filter(|(_, count)| *count > 0).map(|(key, count)| number(key, count)),
        );
        for root in &places.roots {
            if let Some(root) = spans.get_mut(*root) {
                root.attributes.extend(about.iter().cloned());
            }
        }
        // An attempt that is no record stands nowhere else.
        let Some(root) = places.roots.first().and_then(|at| spans.get_mut(*at)) else { return };
        let start = root.start_unix_nano();
        for attempt in &self.gathered.unread {
            let about = vec![
                text("proofline.record.sha256", attempt.hash),
                number("proofline.record.seq", attempt.seq.get()),
                text("proofline.refused.kind", &attempt.kind),
                text("proofline.refused.classification", attempt.kind.classification()),
            ];
            root.event("proofline.refused", start, about);
        }
    }

    fn refused(&self) -> u64 {
        let refused = self.gathered.records.iter().filter(|it| it.refusal.is_some());
        (refused.count() + self.gathered.unread.len()) as u64
    }

    /// Each record on the spans that it stands on.
    fn mark_records(&self, spans: &mut [Marked], places: &Places, tally: &mut ExportTally) {
        let mut on: Vec<Vec<&Held>> = spans.iter().map(|_| Vec::new()).collect();
        for record in &self.gathered.records {
            let is_deny = matches!(&record.envelope, Envelope::PolicyDecision(it)
                if it.decision.result == DecisionResult::Deny);
            tally.records += 1;
            tally.denied += u64::from(is_deny);
            for place in places.of_record(record) {
                if let Some(records) = on.get_mut(place) {
                    records.push(record);
                }
            }
        }
        tally.refused += self.refused();
        for (span, records) in spans.iter_mut().zip(on) {
            mark_span(span, &records);
        }
    }
}

/// The records of one span: together as attributes, and each as an event where there is more to say.
fn mark_span(span: &mut Marked, records: &[&Held]) {
    if records.is_empty() {
        return;
    }
    let mut added = vec![
        texts("proofline.record.type", records.iter().map(|it| it.envelope.record_type())),
        texts("proofline.record.sha256", records.iter().map(|it| it.hash)),
        numbers("proofline.record.seq", records.iter().map(|it| it.seq.get())),
    ];
    let decisions: Vec<&PolicyDecision> = records.iter().filter_map(|it| decision_of(it)).collect();
    if !decisions.is_empty() {
        let is_denied = decisions.iter().any(|it| it.decision.result == DecisionResult::Deny);
        let reasons: BTreeSet<_> = decisions.iter().flat_map(|it| it.decision.reason_codes.iter()).collect();
        let policies: BTreeSet<_> = decisions.iter().map(|it| it.policy.policy_id.as_str()).collect();
        added.push(text("proofline.decision", if is_denied { "deny" } else { "allow" }));
        added.push(texts("proofline.decision.reason_codes", reasons));
        added.push(texts("proofline.decision.policy_id", policies));
    }
    let refused: BTreeSet<String> =
        records.iter().filter_map(|it| it.refusal.as_ref()).map(ToString::to_string).collect();
    if !refused.is_empty() {
        added.push(flag("proofline.refused", true));
        added.push(texts("proofline.refused.kind", refused));
    }
    span.attributes.extend(added);
    for record in records {
        let place = [
            text("proofline.record.type", record.envelope.record_type()),
            text("proofline.record.sha256", record.hash),
            number("proofline.record.seq", record.seq.get()),
        ];
        let (name, at, about) = match &record.envelope {
            Envelope::AuthContext(context) => ("proofline.auth_context", context.ts_ms, of_context(context)),
            Envelope::PolicyDecision(it) => ("proofline.decision", it.ts_ms, of_decision(it)),
            Envelope::ModelCall(call) => ("proofline.call", call.started_at_ms, Vec::new()),
            Envelope::ToolCall(call) => {
                let adapter = text("proofline.call.adapter_id", &call.tool.adapter_id);
                ("proofline.call", call.started_at_ms, vec![adapter])
            }
        };
        let rests_on = record.rests_on().into_iter().flat_map(|(context, decision, outcome)| {
            [
                text("proofline.call.auth_context_sha256", context),
                text("proofline.call.decision_sha256", decision),
                text("proofline.call.outcome", outcome),
            ]
        });
        let payloads = record.payloads().into_iter().flat_map(|(request, response)| {
            [
                text("proofline.call.request_sha256", request.sha256),
                text("proofline.call.response_sha256", response.sha256),
            ]
        });
        let about = place.into_iter().chain(about).chain(rests_on).chain(payloads);
        match &record.refusal {
            None => span.event(name, nanos(at), about.collect()),
            Some(kind) => {
                let why = [
                    text("proofline.refused.kind", kind),
                    text("proofline.refused.classification", kind.classification()),
                ];
                span.event("proofline.refused", nanos(at), about.chain(why).collect());
            }
        }
    }
}

fn decision_of<'a>(record: &&'a Held) -> Option<&'a PolicyDecision> {
    match &record.envelope {
        Envelope::PolicyDecision(decision) if record.refusal.is_none() => Some(decision),
        _ => None,
    }
}

fn of_context(context: &AuthContext) -> Vec<KeyValue> {
    vec![
        text("proofline.actor.kind", &context.actor.actor_kind),
        text("proofline.actor.id", &context.actor.actor_id),
        text("proofline.credential.kind", &context.credential.credential_kind),
        text("proofline.credential.issuer", &context.credential.issuer),
        texts("proofline.grants", context.grants.iter()),
    ]
}

fn of_decision(it: &PolicyDecision) -> Vec<KeyValue> {
    vec![
        text("proofline.decision.result", it.decision.result),
        texts("proofline.decision.reason_codes", it.decision.reason_codes.iter()),
        texts("proofline.decision.obligations", it.decision.obligations.iter()),
        text("proofline.decision.action", &it.request.action),
        text("proofline.decision.resource", &it.request.resource),
        text("proofline.decision.policy_id", &it.policy.policy_id),
        text("proofline.decision.policy_version", &it.policy.policy_version),
        text("proofline.decision.policy_sha256", it.policy.policy_sha256),
    ]
}

/// Which span is concerned.
struct Places {
    roots: Vec<usize>,
    /// Spans that imports made a record of.
    by_record: BTreeMap<EnvelopeHash, Vec<usize>>,
    by_span: BTreeMap<SpanId, usize>,
    by_seq: BTreeMap<u64, Vec<usize>>,
}

impl Places {
    fn of(spans: &[Marked], gathered: &Gathered) -> Self {
        let ids: BTreeSet<SpanId> = spans.iter().map(|it| it.span_id).collect();
        let is_root = |it: &Marked| it.parent.is_none_or(|parent| !ids.contains(&parent));
        let mut roots: Vec<usize> =
            spans.iter().enumerate().filter(|(_, it)| is_root(it)).map(|(at, _)| at).collect();
        if roots.is_empty() {
            // A circle has no root: the first span stands for one.
            roots.push(0);
        }
        let (mut by_record, mut by_span) = (BTreeMap::<EnvelopeHash, Vec<usize>>::new(), BTreeMap::new());
        for (at, it) in spans.iter().enumerate() {
            // Of spans that share an id the first has it.
            by_span.entry(it.span_id).or_insert(at);
            for call in it.rows.iter().filter_map(|row| row.call) {
                by_record.entry(call.decision_sha256).or_default().push(at);
                by_record.entry(call.record_sha256).or_default().push(at);
            }
        }
        let mut places = Self { roots, by_record, by_span, by_seq: BTreeMap::new() };
        for record in &gathered.records {
            let on = places.of_record(record);
            places.by_seq.insert(record.seq.get(), on.clone());
            places.by_record.entry(record.hash).or_insert(on);
        }
        places
    }

    /// A record that stands on no span that went out is shown at the first root.
    fn of_record(&self, record: &Held) -> Vec<usize> {
        if let Some(places) = self.by_record.get(&record.hash) {
            return places.clone();
        }
        let own: &TraceContext = record.envelope.trace();
        let place = self.by_span.get(&own.span_id()).or_else(|| self.roots.first()).copied();
        place.into_iter().collect()
    }

    /// At every span that is concerned; else at the first root.
    fn remark(&self, spans: &mut [Marked], remark: &Remark) {
        let by_record = remark.records.iter().filter_map(|it| self.by_record.get(it));
        let by_seq = remark.seqs.iter().filter_map(|it| self.by_seq.get(it));
        let mut on: BTreeSet<usize> = by_record.chain(by_seq).flatten().copied().collect();
        if on.is_empty() {
            on.extend(self.roots.first());
        }
        for at in on {
            if let Some(span) = spans.get_mut(at) {
                let start = span.start_unix_nano();
                span.event(remark.name, start, remark.attributes.clone());
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::Span;

    use super::*;

    /// However many spans stand in a resource that speaks in our name, it is there once, before and behind.
    #[test]
    fn spans_share_what_they_stand_in() {
        let named = |word: &str| {
            Arc::new(Resource { attributes: vec![text("proofline.verdict", word)], ..Resource::default() })
        };
        let (one, other) = (named("pass"), named("fail"));
        let mut around = Renamed::default();
        let made = [&one, &one, &other, &one].map(|resource| {
            let mut placed =
                PlacedSpan { resource: Arc::clone(resource), ..PlacedSpan::alone(Span::default()) };
            assert_eq!(rename(&mut placed, &mut around), ["proofline.verdict"]);
            placed.resource
        });
        assert!(Arc::ptr_eq(&made[0], &made[1]) && !Arc::ptr_eq(&made[1], &made[2]));
        assert!(made.iter().all(|it| it.attributes[0].key == "said.proofline.verdict"));
        assert_eq!((&made[0], &made[2].attributes[0].value), (&made[3], &other.attributes[0].value));
        assert_eq!(one.attributes[0].key, "proofline.verdict");
    }
}
