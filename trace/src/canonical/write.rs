//! A typed envelope to its canonical bytes: members in the order of RFC 8785 §3.2.3, as `read` takes them.

use proofline_canon::Emitter;

use crate::ids::EnvelopeHash;
use crate::record::{
    AuthContext, BlobRef, Credential, Decision, Envelope, ModelCall, Outcome, PolicyDecision, PolicyRef,
    PolicyRequest, ToolCall, TraceContext, Usage,
};
use crate::words::{Millis, StringSet, Token};

/// More than most records take.
const ROOM_BYTES: usize = 1024;

/// The canonical bytes of an envelope.
pub(crate) fn write(envelope: &Envelope) -> Vec<u8> {
    let mut out = Writer { out: Emitter::with_capacity(ROOM_BYTES) };
    match envelope {
        Envelope::AuthContext(record) => out.auth_context(record),
        Envelope::PolicyDecision(record) => out.policy_decision(record),
        Envelope::ModelCall(record) => out.model_call(record),
        Envelope::ToolCall(record) => out.tool_call(record),
    }
    out.out.finish()
}

struct Writer {
    out: Emitter,
}

impl Writer {
    /// A piece that ends with an opening quote, the word, and no closing quote: the next piece begins with it.
    fn word(&mut self, piece: &str, word: &[u8]) {
        self.out.piece(piece).raw(word);
    }

    fn hex(&mut self, piece: &str, bytes: &[u8]) {
        self.out.piece(piece).hex(bytes);
    }

    fn integer(&mut self, piece: &str, number: impl Into<u64>) {
        self.out.piece(piece).integer(number.into());
    }

    fn auth_context(&mut self, record: &AuthContext) {
        self.word(r#"{"actor":{"actor_id":""#, record.actor.actor_id.as_bytes());
        self.word(r#"","actor_kind":""#, record.actor.actor_kind.as_bytes());
        self.out.piece(r#""},"canon_version":"1","credential":"#);
        self.credential(&record.credential);
        self.set(r#","grants":{"#, &record.grants);
        self.producer(&record.component, r#"","layer":"cpo"},"record_type":"auth_context""#);
        self.trace(r#","spec_version":"1.0.0","trace":{"#, &record.trace);
        self.last_time(record.ts_ms);
    }

    fn policy_decision(&mut self, record: &PolicyDecision) {
        self.context(record.auth_context_envelope_sha256);
        self.decision(&record.decision);
        self.policy(&record.policy);
        self.producer(&record.component, r#"","layer":"cpo"},"record_type":"policy_decision""#);
        self.request(&record.request);
        self.trace(r#","spec_version":"1.0.0","trace":{"#, &record.trace);
        self.last_time(record.ts_ms);
    }

    fn model_call(&mut self, record: &ModelCall) {
        self.context(record.auth_context_envelope_sha256);
        self.integer(r#""ended_at_ms":"#, record.ended_at_ms);
        self.word(r#","model":{"model":""#, record.model.model.as_bytes());
        self.word(r#"","provider":""#, record.model.provider.as_bytes());
        self.out.piece(r#""}"#);
        self.outcome(&record.outcome);
        self.hex(
            r#","policy_decision_envelope_sha256":""#,
            record.policy_decision_envelope_sha256.as_bytes(),
        );
        self.out.piece("\"");
        self.producer(&record.component, r#"","layer":"flow"},"record_type":"model_call""#);
        self.blob(r#","request":{"content_type":""#, &record.request);
        self.blob(r#","response":{"content_type":""#, &record.response);
        self.integer(r#","spec_version":"1.0.0","started_at_ms":"#, record.started_at_ms);
        self.trace(r#","trace":{"#, &record.trace);
        record.usage.iter().for_each(|usage| self.usage(usage));
        self.out.piece("}");
    }

    fn tool_call(&mut self, record: &ToolCall) {
        self.context(record.auth_context_envelope_sha256);
        self.integer(r#""ended_at_ms":"#, record.ended_at_ms);
        self.outcome(&record.outcome);
        self.hex(
            r#","policy_decision_envelope_sha256":""#,
            record.policy_decision_envelope_sha256.as_bytes(),
        );
        self.out.piece("\"");
        self.producer(&record.component, r#"","layer":"adapter"},"record_type":"tool_call""#);
        self.blob(r#","request":{"content_type":""#, &record.request);
        self.blob(r#","response":{"content_type":""#, &record.response);
        self.integer(r#","spec_version":"1.0.0","started_at_ms":"#, record.started_at_ms);
        self.word(r#","tool":{"adapter_id":""#, record.tool.adapter_id.as_bytes());
        self.word(r#"","tool_name":""#, record.tool.tool_name.as_bytes());
        self.trace(r#""},"trace":{"#, &record.trace);
        self.out.piece("}");
    }

    fn context(&mut self, hash: EnvelopeHash) {
        self.hex(r#"{"auth_context_envelope_sha256":""#, hash.as_bytes());
        self.out.piece(r#"","canon_version":"1","#);
    }

    fn producer(&mut self, component: &Token, behind: &str) {
        self.word(r#","producer":{"component":""#, component.as_bytes());
        self.out.piece(behind);
    }

    fn trace(&mut self, piece: &str, trace: &TraceContext) {
        self.out.piece(piece);
        let kind = match trace.parent_span_id() {
            Some(parent) => {
                self.hex(r#""parent_span_id":""#, parent.as_bytes());
                self.out.piece("\",");
                r#"","span_kind":"child","trace_id":""#
            }
            None => r#"","span_kind":"root","trace_id":""#,
        };
        self.hex(r#""span_id":""#, trace.span_id().as_bytes());
        self.hex(kind, trace.trace_id().as_bytes());
        self.out.piece("\"}");
    }

    fn last_time(&mut self, ts_ms: Millis) {
        self.integer(r#","ts_ms":"#, ts_ms);
        self.out.piece("}");
    }

    fn credential(&mut self, credential: &Credential) {
        self.word(r#"{"credential_kind":""#, credential.credential_kind.as_bytes());
        self.integer(r#"","expires_at_ms":"#, credential.expires_at_ms);
        self.out.piece(r#","issuer":"#).string(credential.issuer.as_str());
        self.hex(r#","presented_hash_sha256":""#, credential.presented_hash_sha256.as_bytes());
        self.integer(r#"","verified_at_ms":"#, credential.verified_at_ms);
        self.out.piece("}");
    }

    fn decision(&mut self, decision: &Decision) {
        self.set(r#""decision":{"obligations":{"#, &decision.obligations);
        self.set(r#","reason_codes":{"#, &decision.reason_codes);
        self.word(r#","result":""#, decision.result.as_str().as_bytes());
        self.out.piece("\"}");
    }

    fn policy(&mut self, policy: &PolicyRef) {
        self.word(r#","policy":{"policy_id":""#, policy.policy_id.as_bytes());
        self.hex(r#"","policy_sha256":""#, policy.policy_sha256.as_bytes());
        self.word(r#"","policy_version":""#, policy.policy_version.as_bytes());
        self.out.piece("\"}");
    }

    fn request(&mut self, request: &PolicyRequest) {
        self.word(r#","request":{"action":""#, request.action.as_bytes());
        self.word(r#"","resource":""#, request.resource.as_bytes());
        self.out.piece("\"}");
    }

    fn outcome(&mut self, outcome: &Outcome) {
        self.word(r#","outcome":{"status":""#, outcome.status.as_bytes());
        self.out.piece("\"}");
    }

    fn blob(&mut self, piece: &str, blob: &BlobRef) {
        self.word(piece, blob.content_type.as_bytes());
        self.hex(r#"","sha256":""#, blob.sha256.as_bytes());
        self.integer(r#"","size_bytes":"#, blob.size_bytes);
        self.out.piece("}");
    }

    fn usage(&mut self, usage: &Usage) {
        self.integer(r#","usage":{"input_tokens":"#, usage.input_tokens);
        self.integer(r#","output_tokens":"#, usage.output_tokens);
        self.integer(r#","total_tokens":"#, usage.total_tokens);
        self.out.piece("}");
    }

    fn set(&mut self, piece: &str, set: &StringSet) {
        self.out.piece(piece);
        for (index, token) in set.iter().enumerate() {
            let piece = if index > 0 { ",\"" } else { "\"" };
            self.word(piece, token.as_bytes());
            self.out.piece("\":true");
        }
        self.out.piece("}");
    }
}
