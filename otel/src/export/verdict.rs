//! What a replay says of a trace, and how spans show it.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use proofline_canon::Sha256Digest;
use proofline_ledger::Seq;
use proofline_trace::{
    EnvelopeHash, Failure, FailureClass, Finding, ReplayDiagnostics, ReplayResult, ReplayType,
};

use super::attributes::{number, numbers, text, texts};
use super::gather::Gathered;

/// A verdict on a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportVerdict {
    /// The result.
    pub result: ReplayResult,
    /// Its artifact key.
    pub artifact_sha256: Sha256Digest,
    /// What explains it, where that is at hand.
    pub diagnostics: Option<ReplayDiagnostics>,
    /// Of a verdict that was recorded earlier.
    pub recorded: Option<RecordedVerdict>,
}

/// Where a recorded verdict stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedVerdict {
    /// Its entry.
    pub seq: Seq,
    /// When that was recorded, in Unix milliseconds.
    pub recorded_at_ms: u64,
    /// Records of the trace that came after it, which it says nothing of.
    pub later_records: u64,
}

/// Which verdicts an export shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportVerdicts {
    /// None.
    None,
    /// The newest of each question that the ledger keeps.
    Recorded,
    /// These, which a replay has just given.
    Now(Vec<ExportVerdict>),
}

/// The newest recorded verdict of each question.
pub(crate) fn recorded(gathered: &Gathered) -> Vec<ExportVerdict> {
    let mut newest = BTreeMap::new();
    for it in &gathered.results {
        newest.insert(it.result.replay_type().as_str(), it);
    }
    let explains = |sha256: Sha256Digest| {
        gathered.diagnostics.iter().rev().find(|it| it.result_sha256 == sha256).cloned()
    };
    let verdict = |it: &super::gather::RecordedResult| {
        let later = gathered.records.iter().map(|record| record.seq);
        let later =
            later.chain(gathered.unread.iter().map(|attempt| attempt.seq)).filter(|seq| *seq > it.seq);
        ExportVerdict {
            result: it.result.clone(),
            artifact_sha256: it.sha256,
            diagnostics: explains(it.sha256),
            recorded: Some(RecordedVerdict {
                seq: it.seq,
                recorded_at_ms: it.recorded_at_ms,
                later_records: later.count() as u64,
            }),
        }
    };
    newest.into_values().map(verdict).collect()
}

impl ExportVerdict {
    /// Whether the replay only says that the trace has no accepted record to judge.
    pub(crate) fn is_of_nothing(&self) -> bool {
        self.result.verdict.failure_class() == Some(FailureClass::ChainNotFound)
            && self.result.replay_type() != ReplayType::Constrained
    }

    /// As attributes of a root span.
    pub(crate) fn attributes(&self) -> Vec<KeyValue> {
        let question = self.result.replay_type().as_str();
        let key = |name: &str| format!("proofline.replay.{question}.{name}");
        let mut out = vec![
            text(&key("result"), if self.result.verdict.is_pass() { "pass" } else { "fail" }),
            text(&key("artifact_sha256"), self.artifact_sha256),
            text(&key("generated_at"), self.result.generated_at),
        ];
        if let Some(class) = self.result.verdict.failure_class() {
            out.push(text(&key("failure_class"), class));
        }
        if let Some(baseline) = self.result.reference_trace_id() {
            out.push(text(&key("baseline_trace_id"), baseline));
        }
        if let Some(recorded) = &self.recorded {
            out.push(number(&key("recorded_seq"), recorded.seq.get()));
            out.push(number(&key("recorded_at_ms"), recorded.recorded_at_ms));
            out.push(number(&key("later_records"), recorded.later_records));
        }
        out
    }

    pub(crate) fn failures(&self) -> &[Failure] {
        self.diagnostics.as_ref().map(|it| it.failures.as_slice()).unwrap_or_default()
    }

    pub(crate) fn findings(&self) -> &[Finding] {
        self.diagnostics.as_ref().map(|it| it.findings.as_slice()).unwrap_or_default()
    }
}

/// Something that a replay says of records, as an event.
pub(crate) struct Remark {
    pub(crate) name: &'static str,
    pub(crate) records: Vec<EnvelopeHash>,
    pub(crate) seqs: Vec<u64>,
    pub(crate) attributes: Vec<KeyValue>,
}

impl Remark {
    pub(crate) fn of_failure(question: ReplayType, failure: &Failure) -> Self {
        let mut attributes = vec![
            text("proofline.replay.type", question),
            text("proofline.failure.class", failure.class),
            text("proofline.failure.check", &failure.check),
            text("proofline.failure.message", &failure.message),
        ];
        let told = [
            ("proofline.failure.error_kind", failure.error_kind.as_ref().map(ToString::to_string)),
            ("proofline.failure.pointer", failure.pointer.as_ref().map(ToString::to_string)),
            ("proofline.failure.expected", failure.expected.clone()),
            ("proofline.failure.found", failure.found.clone()),
        ];
        attributes.extend(told.into_iter().filter_map(|(key, value)| Some(text(key, value?))));
        Self::with_places(
            "proofline.failure",
            failure.envelope_hash.into_iter().collect(),
            failure.seq.into_iter().map(|seq| seq.get()).collect(),
            attributes,
        )
    }

    pub(crate) fn of_finding(question: ReplayType, finding: &Finding) -> Self {
        let attributes = vec![
            text("proofline.replay.type", question),
            text("proofline.finding.code", finding.code),
            text("proofline.finding.severity", finding.severity),
            text("proofline.finding.message", &finding.message),
        ];
        let seqs = finding.seqs.iter().map(|seq| seq.get()).collect();
        Self::with_places("proofline.finding", finding.records.clone(), seqs, attributes)
    }

    fn with_places(
        name: &'static str,
        records: Vec<EnvelopeHash>,
        seqs: Vec<u64>,
        mut attributes: Vec<KeyValue>,
    ) -> Self {
        if !records.is_empty() {
            attributes.push(texts("proofline.record.sha256", &records));
        }
        if !seqs.is_empty() {
            attributes.push(numbers("proofline.record.seq", seqs.iter().copied()));
        }
        Self { name, records, seqs, attributes }
    }
}
