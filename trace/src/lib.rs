//! Words: what an evidence record says.
//!
//! `canon` below knows bytes and values; this crate knows the four record types of the contract, reads a value as
//! one of them or names the first fault, and gives each its canonical bytes and its hash. Typed values are valid
//! by construction: whoever holds an [`Envelope`] never validates it again, whoever holds a [`SealedEnvelope`]
//! never hashes it again, and a [`Certificate`] cannot be had without both. What the crate does not know is order:
//! whether a record is accepted, and where it stands in a log, is for the floors above.
//!
//! - records: [`Envelope`] and its parts, from [`read_envelope`], [`validate`] or typed by hand;
//! - refusals: [`Classification`], [`ErrorKind`], [`Rejection`], in the words of the contract;
//! - traces: [`ChainKey`] for order, [`SpanTree`] and [`EvidenceGraph`] for shape, [`TraceParent`] for travel;
//! - artifacts: [`ReplayResult`], [`ReplayDiagnostics`], [`GenesisRecord`];
//! - [`schemas`]: the same rules as JSON Schema 2020-12, for others.
//!
//! ```
//! use proofline_canon::Limits;
//! use proofline_trace::{Envelope, certify, read_envelope};
//!
//! let line = br#"{
//!     "spec_version": "1.0.0", "canon_version": "1", "record_type": "auth_context", "ts_ms": 1769817600000,
//!     "trace": {
//!         "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "span_kind": "root"
//!     },
//!     "producer": {"layer": "cpo", "component": "gateway"},
//!     "actor": {"actor_kind": "user", "actor_id": "staff/ines"},
//!     "credential": {
//!         "credential_kind": "oidc", "issuer": "https://id.example",
//!         "presented_hash_sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
//!         "verified_at_ms": 1769817600000, "expires_at_ms": 1769821200000
//!     },
//!     "grants": {"tickets:read": true}
//! }"#;
//!
//! let sealed = read_envelope(line, &Limits::ENVELOPE)?;
//! let Envelope::AuthContext(context) = sealed.envelope() else { unreachable!() };
//! assert_eq!(context.actor.actor_id.as_str(), "staff/ines");
//!
//! // Canonical bytes certify under their hash, and under no other.
//! let certificate = certify(sealed.canonical(), &sealed.hash())?;
//! assert_eq!(certificate.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
//!
//! // A fault is named by kind and place, and in a sentence.
//! let shouting = String::from_utf8_lossy(line).replace("gateway", "GATEWAY");
//! let refusal = read_envelope(shouting.as_bytes(), &Limits::ENVELOPE).unwrap_err();
//! assert_eq!(refusal.kind.to_string(), "schema_violation.pattern");
//! assert_eq!(refusal.pointer.to_string(), "/producer/component");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod artifact;
mod canonical;
mod certify;
mod chain;
mod evidence_graph;
mod ids;
mod naming;
mod phrase;
mod record;
mod rejection;
pub mod schemas;
mod seal;
mod span_tree;
mod text;
mod traceparent;
mod validate;
mod visible;
mod walk;
mod words;
mod write;

pub use artifact::{
    AllowedVariance, BacktestRecord, BacktestTotals, Became, BoundCalls, CallRecords, Capture, Counted,
    Coverage, Difference, DifferenceKind, DifferenceSide, Endorsement, EngineVersion, ErasureRecord,
    ErasureTarget, Failure, FailureClass, Finding, FindingCode, GenesisRecord, HoldRecord, HoldTarget,
    ImportAccount, ImportTotals, ImportedSpan, KeyChange, KeyEvent, KeyRecord, Mapping, MayVary, NotAFailure,
    OtelImport, ProducerSignature, ReleaseRecord, ReplayDiagnostics, ReplayMode, ReplayResult, ReplayType,
    Severity, SpanStatus, TargetKind, Timestamp, TimestampError, ToolVersion, TraceIndexRecord, TreeHead,
    VarianceBound, Verdict, VerdictSeal, VerdictSignature,
};
pub use certify::{Certificate, Uncertified, certify, certify_within};
pub use chain::{ChainKey, sort_chain};
pub use evidence_graph::{EvidenceFault, EvidenceFaultKind, EvidenceGraph, EvidenceNode, Reference};
pub use ids::{EnvelopeHash, LedgerId, SpanId, SubjectKeyId, TraceId};
pub use record::{
    Actor, AuthContext, BlobRef, Credential, Decision, DecisionResult, Envelope, ModelCall, ModelRef,
    Outcome, PolicyDecision, PolicyRef, PolicyRequest, RecordType, ToolCall, ToolRef, TraceContext, Usage,
};
pub use rejection::{Classification, ErrorKind, Rejection, SchemaFault, UnknownName, Violation};
pub use seal::{
    SealedEnvelope, Unhashed, malformed, read_canonical, read_envelope, read_unhashed, seal_each, seal_value,
    try_canonical,
};
pub use span_tree::{DrawnSpan, SpanAnomaly, SpanNode, SpanPlace, SpanRecord, SpanTree, SpanWalk};
pub use traceparent::{TraceFlags, TraceParent, TraceParentError};
pub use validate::validate;
pub use visible::is_treacherous;
pub use words::{
    ContentType, Issuer, KeyReference, KeyText, MAX_SAFE_INT, Matter, Millis, Origin, Reason, Resource,
    SafeInt, SignatureText, SpanName, StringSet, Token, UnixNano, VersionText, WordError, WordFault,
};

/// `spec_version` of every record: the contract this crate speaks.
pub const SPEC_VERSION: &str = "1.0.0";

/// `canon_version` of every record: the canonical form it is hashed in.
pub const CANON_VERSION: &str = "1";
