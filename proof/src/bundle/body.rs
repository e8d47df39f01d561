//! What an entry's body is, by the kind that its header states: each is canonical and of a published schema.

use proofline_canon::{Limits, ParseError, Profile, Sha256Digest, Value, WriteError, parse};
use proofline_trace::{
    BacktestRecord, Envelope, ErasureRecord, ErasureTarget, GenesisRecord, HoldRecord, ImportAccount,
    KeyRecord, OtelImport, ProducerSignature, ReleaseRecord, ReplayDiagnostics, ReplayResult, SealedEnvelope,
    SpanId, TraceId, TraceIndexRecord, VerdictSeal, VerdictSignature, Violation, schemas, seal_value,
};

use thiserror::Error;

use crate::header::EntryKind;

/// The longest body, in bytes; the same as in a ledger.
pub const MAX_BODY_BYTES: usize = 16 << 20;

/// Why bytes are no body of an entry's kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BodyError {
    /// No strict JSON.
    #[error(transparent)]
    Json(#[from] ParseError),
    /// JSON without a canonical form.
    #[error(transparent)]
    NoForm(#[from] WriteError),
    /// Not in the canonical form.
    #[error("its bytes are not canonical")]
    NotCanonical,
    /// Against the schema of its kind.
    #[error(transparent)]
    Schema(#[from] Violation),
    /// Of no kind that is known.
    #[error("it is {0} of no known kind")]
    Unknown(&'static str),
    /// An import that says of a span that it became a call and has no records, or the contrary.
    #[error("of span {0} it says that it is a call, or is none, and the contrary")]
    Contradiction(SpanId),
}

/// A body that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// The ledger's first entry.
    Genesis(GenesisRecord),
    /// Evidence, accepted or refused.
    Record(Box<SealedEnvelope>),
    /// What a replay concluded.
    ReplayResult(Box<ReplayResult>),
    /// Why it concluded so.
    ReplayDiagnostics(Box<ReplayDiagnostics>),
    /// What another policy would have decided.
    PolicyBacktest(BacktestRecord),
    /// That a producer stands for an envelope.
    ProducerSignature(ProducerSignature),
    /// A verdict, with all that it rests on.
    VerdictSeal(Box<VerdictSeal>),
    /// That somebody stands for a sealed verdict.
    VerdictSignature(VerdictSignature),
    /// What the spans of a trace became.
    OtelImport(Box<OtelImport>),
    /// What of a file of telemetry is in the ledger.
    ImportAccount(Box<ImportAccount>),
    /// A key is added to the ledger's list, or retired.
    Key(KeyRecord),
    /// Which traces a stretch of the log holds.
    TraceIndex(TraceIndexRecord),
    /// A payload, or a subject's key, is erased for good.
    Erasure(ErasureRecord),
    /// Something must not be erased.
    Hold(HoldRecord),
    /// A hold is over.
    Release(ReleaseRecord),
}

impl Body {
    /// Reads the body of an entry of this kind.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn read(kind: EntryKind, bytes: &[u8]) -> Result<Self, BodyError> {
        let limits = Limits::ENVELOPE.with_max_bytes(MAX_BODY_BYTES);
        let value = parse(bytes, &limits)?;
        let canonical = value.to_canonical(Profile::Envelope)?;
        if canonical != bytes {
            return Err(BodyError::NotCanonical);
        }
        let read = match kind {
            EntryKind::Genesis => GenesisRecord::from_value(&value).map(Body::Genesis),
            EntryKind::Accepted | EntryKind::Rejected => {
                seal_value(&value).map(|sealed| Body::Record(Box::new(sealed)))
            }
            EntryKind::Artifact => artifact(&value)?,
            EntryKind::System => system(&value)?,
        };
        Ok(read?)
    }

    /// The name of its schema.
    #[must_use]
    pub fn schema(&self) -> &'static str {
        match self {
            Body::Genesis(_) => "genesis",
            Body::Record(sealed) => sealed.envelope().record_type().as_str(),
            Body::ReplayResult(_) => "replay_result",
            Body::ReplayDiagnostics(_) => "replay_diagnostics",
            Body::PolicyBacktest(_) => BacktestRecord::ARTIFACT_TYPE,
            Body::ProducerSignature(_) => "producer_signature",
            Body::VerdictSeal(_) => VerdictSeal::ARTIFACT_TYPE,
            Body::VerdictSignature(_) => VerdictSignature::ARTIFACT_TYPE,
            Body::OtelImport(_) => OtelImport::ARTIFACT_TYPE,
            Body::ImportAccount(_) => ImportAccount::ARTIFACT_TYPE,
            Body::Key(_) => "key",
            Body::TraceIndex(_) => TraceIndexRecord::SYSTEM_TYPE,
            Body::Erasure(_) => ErasureRecord::SYSTEM_TYPE,
            Body::Hold(_) => HoldRecord::SYSTEM_TYPE,
            Body::Release(_) => ReleaseRecord::SYSTEM_TYPE,
        }
    }

    /// The trace that it belongs to.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        match self {
            Body::Record(sealed) => Some(sealed.envelope().trace_id()),
            Body::ReplayResult(result) => Some(result.target_trace_id),
            Body::ReplayDiagnostics(diagnostics) => Some(diagnostics.target_trace_id),
            Body::ProducerSignature(signature) => Some(signature.target_trace_id),
            Body::VerdictSeal(seal) => Some(seal.target_trace_id),
            Body::VerdictSignature(signature) => Some(signature.target_trace_id),
            Body::OtelImport(import) => Some(import.target_trace_id),
            _ => None,
        }
    }

    /// The payloads and the policy that it names.
    #[must_use]
    pub fn payloads(&self) -> Vec<Sha256Digest> {
        if let Body::OtelImport(import) = self {
            return vec![import.document.sha256];
        }
        let Body::Record(sealed) = self else { return Vec::new() };
        let envelope = sealed.envelope();
        let policy = match envelope {
            Envelope::PolicyDecision(decision) => Some(decision.policy.policy_sha256),
            _ => None,
        };
        envelope.blobs().map(|blob| blob.sha256).chain(policy).collect()
    }

    /// The payload that it erases.
    #[must_use]
    pub const fn erased_payload(&self) -> Option<Sha256Digest> {
        match self {
            Body::Erasure(ErasureRecord { target: ErasureTarget::Blob(sha256), .. }) => Some(*sha256),
            _ => None,
        }
    }
}

type Read = Result<Result<Body, Violation>, BodyError>;

fn artifact(value: &Value) -> Read {
    if value.get("replay_type").is_some() && value.get("artifact_type").is_none() {
        return Ok(ReplayResult::from_value(value).map(|result| Body::ReplayResult(Box::new(result))));
    }
    match value.get("artifact_type").and_then(Value::as_str) {
        Some("replay_diagnostics") => Ok(ReplayDiagnostics::from_value(value)
            .map(|diagnostics| Body::ReplayDiagnostics(Box::new(diagnostics)))),
        Some(BacktestRecord::ARTIFACT_TYPE) => {
            Ok(BacktestRecord::from_value(value).map(Body::PolicyBacktest))
        }
        Some(ProducerSignature::ARTIFACT_TYPE) => {
            Ok(ProducerSignature::from_value(value).map(Body::ProducerSignature))
        }
        Some(VerdictSeal::ARTIFACT_TYPE) => {
            Ok(VerdictSeal::from_value(value).map(|seal| Body::VerdictSeal(Box::new(seal))))
        }
        Some(VerdictSignature::ARTIFACT_TYPE) => {
            Ok(VerdictSignature::from_value(value).map(Body::VerdictSignature))
        }
        Some(OtelImport::ARTIFACT_TYPE) => {
            let import = OtelImport::from_value(value);
            if let Ok(Some(span)) = import.as_ref().map(OtelImport::contradiction) {
                return Err(BodyError::Contradiction(span.span_id));
            }
            Ok(import.map(|import| Body::OtelImport(Box::new(import))))
        }
        Some(ImportAccount::ARTIFACT_TYPE) => {
            Ok(ImportAccount::from_value(value).map(|account| Body::ImportAccount(Box::new(account))))
        }
        _ => Err(BodyError::Unknown("an artifact")),
    }
}

fn system(value: &Value) -> Read {
    match value.get("system_type").and_then(Value::as_str) {
        Some("key") => Ok(KeyRecord::from_value(value).map(Body::Key)),
        Some(TraceIndexRecord::SYSTEM_TYPE) => Ok(TraceIndexRecord::from_value(value).map(Body::TraceIndex)),
        Some(ErasureRecord::SYSTEM_TYPE) => Ok(ErasureRecord::from_value(value).map(Body::Erasure)),
        Some(HoldRecord::SYSTEM_TYPE) => Ok(HoldRecord::from_value(value).map(Body::Hold)),
        Some(ReleaseRecord::SYSTEM_TYPE) => Ok(ReleaseRecord::from_value(value).map(Body::Release)),
        _ => Err(BodyError::Unknown("a system entry")),
    }
}

/// SHA-256 of the published schema of this name.
#[must_use]
pub fn schema_sha256(name: &str) -> Option<Sha256Digest> {
    schemas::by_name(name).map(|text| Sha256Digest::of(text.as_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    /// An import of one span that became this and has these records.
    fn import(became: &str, call: &str) -> Vec<u8> {
        let digest = "0d".repeat(32);
        let text = format!(
            r#"{{"artifact_type":"otel_import","version":"1","target_trace_id":"{}","mapping":{{"mapper":"m",
            "mapper_version":"1","rules_sha256":null,"policy_sha256":"{digest}","capture":"full"}},
            "document":{{"content_type":"a/b","sha256":"{digest}","size_bytes":1}},"spans":[{{
            "span_id":"00000000000000a1","parent_span_id":null,"content_sha256":"{digest}","name":"","kind":0,
            "start_unix_nano":"0","end_unix_nano":"0","status":"unset","operation":null,"became":"{became}",
            "reason":null,"call":{call}}}]}}"#,
            "ee".repeat(16)
        );
        parse(text.as_bytes(), &Limits::ENVELOPE).unwrap().to_canonical(Profile::Envelope).unwrap()
    }

    #[test]
    fn a_call_of_an_import_has_records_and_nothing_else_has() {
        let digest = "0d".repeat(32);
        let records = format!(
            r#"{{"auth_context_sha256":"{digest}","decision_sha256":"{digest}","record_sha256":"{digest}"}}"#
        );
        let read = |became, call: &str| Body::read(EntryKind::Artifact, &import(became, call));
        assert!(matches!(read("call", &records), Ok(Body::OtelImport(_))));
        for became in ["shape", "refused"] {
            assert!(matches!(read(became, "null"), Ok(Body::OtelImport(_))));
            assert!(matches!(read(became, &records), Err(BodyError::Contradiction(_))), "{became}");
        }
        assert!(matches!(read("call", "null"), Err(BodyError::Contradiction(_))));
    }
}
