//! Canonical bytes of the two records that a replay writes for every trace, without a value between: members in the
//! order of RFC 8785 §3.2.3. The slow twins are their `to_value`.

use proofline_canon::Emitter;

use super::diagnostics::{Coverage, Failure, ReplayDiagnostics};
use super::finding::Finding;
use super::replay_result::{ReplayResult, ReplayType};
use crate::ids::EnvelopeHash;
use crate::seal::canonical_bytes;
use crate::words::SafeInt;

/// A hash with its quotes and a comma.
const HASH_BYTES: usize = 67;
/// What the rest of a record takes at most, explanations aside.
const ROOM_BYTES: usize = 512;

/// The canonical bytes of a result.
pub(super) fn replay_result(result: &ReplayResult) -> Vec<u8> {
    let hashes = &result.input_envelope_hashes;
    let mut out = Emitter::with_capacity(hashes.len().saturating_mul(HASH_BYTES).saturating_add(ROOM_BYTES));
    out.piece("{");
    if let Some(class) = result.verdict.failure_class() {
        out.piece(r#""failure_class":""#).piece(class.as_str()).piece("\",");
    }
    out.piece(r#""generated_at":""#).piece(&result.generated_at.to_string());
    out.piece(r#"","input_envelope_hashes":["#);
    put_hashes(&mut out, hashes);
    if let Some(reference) = result.reference_trace_id() {
        out.piece(r#"],"reference_trace_id":""#).hex(reference.as_bytes());
        out.piece(r#"","replay_type":""#);
    } else {
        out.piece(r#"],"replay_type":""#);
    }
    out.piece(result.replay_type().as_str());
    let answer = if result.verdict.is_pass() { "pass" } else { "fail" };
    out.piece(r#"","result":""#).piece(answer);
    out.piece(r#"","target_trace_id":""#).hex(result.target_trace_id.as_bytes());
    out.piece("\"}");
    out.finish()
}

/// The canonical bytes of a diagnostics record. Those of a comparison hold differences and go by their value.
pub(super) fn diagnostics(record: &ReplayDiagnostics) -> Vec<u8> {
    if record.replay_type == ReplayType::Constrained {
        return canonical_bytes(&record.to_value());
    }
    let mut out = Emitter::with_capacity(2 * ROOM_BYTES);
    out.piece(r#"{"artifact_type":"replay_diagnostics","coverage":{"#);
    put_coverage(&mut out, &record.coverage);
    out.piece(r#"},"failures":["#);
    put_list(&mut out, &record.failures, put_failure);
    out.piece(r#"],"findings":["#);
    put_list(&mut out, &record.findings, put_finding);
    out.piece(r#"],"replay_type":""#).piece(record.replay_type.as_str());
    out.piece(r#"","result_sha256":""#).hex(record.result_sha256.as_bytes());
    out.piece(r#"","target_trace_id":""#).hex(record.target_trace_id.as_bytes());
    out.piece(r#"","version":"1"}"#);
    out.finish()
}

fn put_list<T>(out: &mut Emitter, items: &[T], put: fn(&mut Emitter, &T)) {
    for (index, item) in items.iter().enumerate() {
        out.piece(if index > 0 { "," } else { "" });
        put(out, item);
    }
}

fn put_hashes(out: &mut Emitter, hashes: &[EnvelopeHash]) {
    put_list(out, hashes, |out, hash| {
        out.piece("\"").hex(hash.as_bytes()).piece("\"");
    });
}

fn put_coverage(out: &mut Emitter, coverage: &Coverage) {
    let counts = [
        (r#""absent":"#, coverage.absent),
        (r#","blobs_absent":"#, coverage.blobs_absent),
        (r#","gate_rechecked":"#, coverage.gate_rechecked),
        (r#","policy_absent":"#, coverage.policy_absent),
        (r#","policy_re_decided":"#, coverage.policy_re_decided),
        (r#","policy_unusable":"#, coverage.policy_unusable),
        (r#","re_executed":"#, coverage.re_executed),
        (r#","records":"#, coverage.records),
        (r#","rejected_listed":"#, coverage.rejected_listed),
        (r#","verified":"#, coverage.verified),
    ];
    for (piece, count) in counts {
        out.piece(piece).integer(count.get());
    }
}

fn put_failure(out: &mut Emitter, failure: &Failure) {
    out.piece(r#"{"check":""#).piece(failure.check.as_str());
    out.piece(r#"","class":""#).piece(failure.class.as_str());
    out.piece(r#"","envelope_hash":"#);
    match failure.envelope_hash {
        Some(hash) => out.piece("\"").hex(hash.as_bytes()).piece("\""),
        None => out.piece("null"),
    };
    let kind = failure.error_kind.as_ref().map(ToString::to_string);
    put_text(out, r#","error_kind":"#, kind.as_deref());
    put_text(out, r#","expected":"#, failure.expected.as_deref());
    put_text(out, r#","found":"#, failure.found.as_deref());
    put_text(out, r#","message":"#, Some(&failure.message));
    put_text(out, r#","pointer":"#, failure.pointer.as_ref().map(|pointer| pointer.as_str()));
    put_text(out, r#","record_type":"#, failure.record_type.map(|record_type| record_type.as_str()));
    out.piece(r#","seq":"#);
    match failure.seq {
        Some(seq) => out.integer(seq.get()).piece("}"),
        None => out.piece("null}"),
    };
}

fn put_text(out: &mut Emitter, piece: &str, text: Option<&str>) {
    out.piece(piece);
    match text {
        Some(text) => out.string(text),
        None => out.piece("null"),
    };
}

fn put_finding(out: &mut Emitter, finding: &Finding) {
    out.piece(r#"{"code":""#).piece(finding.code.as_str());
    put_text(out, r#"","message":"#, Some(&finding.message));
    out.piece(r#","records":["#);
    put_hashes(out, &finding.records);
    out.piece(r#"],"seqs":["#);
    put_list(out, &finding.seqs, |out, seq: &SafeInt| {
        out.integer(seq.get());
    });
    out.piece(r#"],"severity":""#).piece(finding.severity.as_str()).piece("\"}");
}
