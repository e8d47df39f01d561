//! All names that an export adds to a span. What comes back with these is taken off; any other name is telemetry's own,
//! whatever it begins with.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::Event;

/// How all of them begin.
pub(super) const PREFIX: &str = "proofline.";

const OF_SPANS: [&str; 24] = [
    "proofline.decision",
    "proofline.decision.policy_id",
    "proofline.decision.reason_codes",
    "proofline.import.became",
    "proofline.import.reason",
    "proofline.ledger.entries",
    "proofline.ledger.id",
    "proofline.record.seq",
    "proofline.record.sha256",
    "proofline.record.type",
    "proofline.refused",
    "proofline.refused.kind",
    "proofline.span.content",
    "proofline.span.from",
    "proofline.span.missing",
    "proofline.span.renamed",
    "proofline.span.restated",
    "proofline.span.sha256",
    "proofline.trace.archived_entries",
    "proofline.trace.damaged_entries",
    "proofline.trace.findings",
    "proofline.trace.refused",
    "proofline.verdict",
    "proofline.verdict.source",
];

/// Of a verdict, behind `proofline.replay.` and its question.
const OF_VERDICTS: [&str; 8] = [
    "artifact_sha256",
    "baseline_trace_id",
    "failure_class",
    "generated_at",
    "later_records",
    "recorded_at_ms",
    "recorded_seq",
    "result",
];
const QUESTIONS: [&str; 3] = ["constrained", "forensic", "invariant"];

const EVENTS: [&str; 6] = [
    "proofline.auth_context",
    "proofline.call",
    "proofline.decision",
    "proofline.failure",
    "proofline.finding",
    "proofline.refused",
];

const OF_EVENTS: [&str; 35] = [
    "proofline.actor.id",
    "proofline.actor.kind",
    "proofline.call.adapter_id",
    "proofline.call.auth_context_sha256",
    "proofline.call.decision_sha256",
    "proofline.call.outcome",
    "proofline.call.request_sha256",
    "proofline.call.response_sha256",
    "proofline.credential.issuer",
    "proofline.credential.kind",
    "proofline.decision.action",
    "proofline.decision.obligations",
    "proofline.decision.policy_id",
    "proofline.decision.policy_sha256",
    "proofline.decision.policy_version",
    "proofline.decision.reason_codes",
    "proofline.decision.resource",
    "proofline.decision.result",
    "proofline.failure.check",
    "proofline.failure.class",
    "proofline.failure.error_kind",
    "proofline.failure.expected",
    "proofline.failure.found",
    "proofline.failure.message",
    "proofline.failure.pointer",
    "proofline.finding.code",
    "proofline.finding.message",
    "proofline.finding.severity",
    "proofline.grants",
    "proofline.record.seq",
    "proofline.record.sha256",
    "proofline.record.type",
    "proofline.refused.classification",
    "proofline.refused.kind",
    "proofline.replay.type",
];

fn is_mark(key: &str) -> bool {
    let is_of_verdict = || {
        let (question, member) = key.strip_prefix("proofline.replay.")?.split_once('.')?;
        Some(QUESTIONS.contains(&question) && OF_VERDICTS.contains(&member))
    };
    OF_SPANS.binary_search(&key).is_ok() || is_of_verdict() == Some(true)
}

/// Whether an export may have added this event. One with an attribute of another name says more than exports do.
fn is_added(event: &Event) -> bool {
    let is_ours = |it: &KeyValue| OF_EVENTS.binary_search(&it.key.as_str()).is_ok();
    EVENTS.contains(&event.name.as_str())
        && event.dropped_attributes_count == 0
        && event.attributes.iter().all(is_ours)
}

/// A span without all that an export may have added; none where a mark stands there twice, which no export does.
pub(super) fn without(span: &Span) -> Option<Span> {
    let mut bare = span.clone();
    let mut marks = Vec::new();
    bare.attributes.retain(|it| {
        let is_mark = is_mark(&it.key);
        if is_mark {
            marks.push(it.key.clone());
        }
        !is_mark
    });
    bare.events.retain(|it| !is_added(it));
    let count = marks.len();
    marks.sort_unstable();
    marks.dedup();
    (marks.len() == count).then_some(bare)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
mod tests {
    use std::collections::BTreeSet;

    use proofline_trace::ReplayType;

    use super::*;

    /// The names that exports write, from where they are written.
    fn written() -> BTreeSet<&'static str> {
        let sources = [include_str!("marks.rs"), include_str!("verdict.rs"), include_str!("own.rs")];
        let texts = sources.into_iter().flat_map(|it| it.split('"').skip(1).step_by(2));
        texts.filter(|it| it.starts_with(PREFIX) && *it != PREFIX && !it.contains('{')).collect()
    }

    #[test]
    fn the_lists_have_what_exports_write_and_nothing_else() {
        assert!(OF_SPANS.is_sorted() && OF_EVENTS.is_sorted());
        let listed: BTreeSet<&str> = OF_SPANS.iter().chain(&EVENTS).chain(&OF_EVENTS).copied().collect();
        assert_eq!(written(), listed);
        for question in [ReplayType::Forensic, ReplayType::Invariant, ReplayType::Constrained] {
            assert!(QUESTIONS.contains(&question.as_str()));
        }
        let members: Vec<&str> = include_str!("verdict.rs")
            .split("key(\"")
            .skip(1)
            .map(|it| it.split('"').next().unwrap())
            .collect();
        assert_eq!(members.into_iter().collect::<BTreeSet<_>>(), OF_VERDICTS.into_iter().collect());
    }

    /// What readers are told of, too.
    #[test]
    fn the_page_lists_them() {
        let page = include_str!("../../../docs/otel-export.md");
        for name in OF_SPANS.iter().chain(&EVENTS).chain(&OF_EVENTS) {
            let short = name.rsplit('.').next().unwrap();
            assert!(page.contains(name) || page.contains(&format!("`.{short}`")), "{name}");
        }
    }
}
