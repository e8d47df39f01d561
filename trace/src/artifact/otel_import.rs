//! The artifacts of an import of telemetry: for each trace what its spans became, and for each file the account.

use proofline_canon::{Sha256Digest, Value};

use crate::ids::{EnvelopeHash, SpanId, TraceId};
use crate::record::BlobRef;
use crate::rejection::{Violation, named};
use crate::walk::{Node, Path, digest, safe_int, word};
use crate::words::{SafeInt, SpanName, Token, UnixNano};
use crate::write::{blob_ref, integer, text};

const VERSION: &str = "1";

/// How much of a payload an import keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capture {
    /// All of it.
    Full,
    /// Roles, types, names and sizes, with a digest for each piece of content.
    Structural,
    /// A digest and a size for the whole.
    Digest,
}

named!(Capture, "a level of capture", { Full => "full", Structural => "structural", Digest => "digest" });

/// The status of a span, as OTLP has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpanStatus {
    /// Nothing was said, which stands for success.
    Unset,
    /// Success was said.
    Ok,
    /// Failure.
    Error,
}

named!(SpanStatus, "a span's status", { Unset => "unset", Ok => "ok", Error => "error" });

/// What a span became.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Became {
    /// A model_call or a tool_call, with its decision.
    Call,
    /// A place in the tree of spans, and no record.
    Shape,
    /// Neither: it could not be what it says.
    Refused,
}

named!(Became, "what a span became", { Call => "call", Shape => "shape", Refused => "refused" });

/// What maps spans to records: a program and the version of its rules.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// The program.
    pub mapper: Token,
    /// The version of its rules.
    pub mapper_version: Token,
    /// The file of rules that somebody gave; none for the rules alone that are built in.
    pub rules_sha256: Option<Sha256Digest>,
    /// The policy that the calls were put to.
    pub policy_sha256: Sha256Digest,
    /// How much of the payloads was kept.
    pub capture: Capture,
}

impl Mapping {
    const NAMES: [&'static str; 5] = ["mapper", "mapper_version", "rules_sha256", "policy_sha256", "capture"];

    fn to_value(&self) -> Value {
        Value::object([
            ("mapper", text(&self.mapper)),
            ("mapper_version", text(&self.mapper_version)),
            ("rules_sha256", self.rules_sha256.map_or(Value::Null, text)),
            ("policy_sha256", text(self.policy_sha256)),
            ("capture", text(self.capture)),
        ])
    }

    fn read(node: Node<'_>) -> Result<Self, Violation> {
        let members = node.members(&Self::NAMES, &[])?;
        Ok(Self {
            mapper: members.get("mapper", word)?,
            mapper_version: members.get("mapper_version", word)?,
            rules_sha256: members.get("rules_sha256", |node| node.nullable(digest))?,
            policy_sha256: members.get("policy_sha256", digest)?,
            capture: members.get("capture", |node| node.name(Capture::ALL))?,
        })
    }
}

/// The records that a call became, by their envelope hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallRecords {
    /// On whose behalf.
    pub auth_context_sha256: EnvelopeHash,
    /// By which decision.
    pub decision_sha256: EnvelopeHash,
    /// The call.
    pub record_sha256: EnvelopeHash,
}

impl CallRecords {
    const NAMES: [&'static str; 3] = ["auth_context_sha256", "decision_sha256", "record_sha256"];

    fn hashes(&self) -> [EnvelopeHash; 3] {
        [self.auth_context_sha256, self.decision_sha256, self.record_sha256]
    }

    fn to_value(self) -> Value {
        Value::object(Self::NAMES.into_iter().zip(self.hashes().map(text)))
    }

    fn read(node: Node<'_>) -> Result<Self, Violation> {
        let members = node.members(&Self::NAMES, &[])?;
        Ok(Self {
            auth_context_sha256: members.get("auth_context_sha256", word)?,
            decision_sha256: members.get("decision_sha256", word)?,
            record_sha256: members.get("record_sha256", word)?,
        })
    }
}

/// One span of a trace, and what it became.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImportedSpan {
    /// Its id.
    pub span_id: SpanId,
    /// The span above, as it says; none for a root.
    pub parent_span_id: Option<SpanId>,
    /// SHA-256 of the canonical form of the span with its resource and scope.
    pub content_sha256: Sha256Digest,
    /// Its name, or the beginning of a longer one.
    pub name: SpanName,
    /// `SpanKind`, as OTLP numbers it.
    pub kind: SafeInt,
    /// When it began, in nanoseconds; 0 where nothing was said.
    pub start_unix_nano: UnixNano,
    /// When it ended.
    pub end_unix_nano: UnixNano,
    /// How.
    pub status: SpanStatus,
    /// What it was an operation of, where it says so.
    pub operation: Option<Token>,
    /// What it became.
    pub became: Became,
    /// Why it became no call.
    pub reason: Option<Token>,
    /// The records of a call.
    pub call: Option<CallRecords>,
}

impl ImportedSpan {
    const NAMES: [&'static str; 12] = [
        "span_id",
        "parent_span_id",
        "content_sha256",
        "name",
        "kind",
        "start_unix_nano",
        "end_unix_nano",
        "status",
        "operation",
        "became",
        "reason",
        "call",
    ];

    fn to_value(&self) -> Value {
        let optional = |token: &Option<Token>| token.as_ref().map_or(Value::Null, text);
        Value::object([
            ("span_id", text(self.span_id)),
            ("parent_span_id", self.parent_span_id.map_or(Value::Null, text)),
            ("content_sha256", text(self.content_sha256)),
            ("name", text(&self.name)),
            ("kind", integer(self.kind)),
            ("start_unix_nano", text(&self.start_unix_nano)),
            ("end_unix_nano", text(&self.end_unix_nano)),
            ("status", text(self.status)),
            ("operation", optional(&self.operation)),
            ("became", text(self.became)),
            ("reason", optional(&self.reason)),
            ("call", self.call.map_or(Value::Null, CallRecords::to_value)),
        ])
    }

    fn read(node: Node<'_>) -> Result<Self, Violation> {
        let members = node.members(&Self::NAMES, &[])?;
        Ok(Self {
            span_id: members.get("span_id", word)?,
            parent_span_id: members.get("parent_span_id", |node| node.nullable(word))?,
            content_sha256: members.get("content_sha256", digest)?,
            name: members.get("name", word)?,
            kind: members.get("kind", safe_int)?,
            start_unix_nano: members.get("start_unix_nano", word)?,
            end_unix_nano: members.get("end_unix_nano", word)?,
            status: members.get("status", |node| node.name(SpanStatus::ALL))?,
            operation: members.get("operation", |node| node.nullable(word))?,
            became: members.get("became", |node| node.name(Became::ALL))?,
            reason: members.get("reason", |node| node.nullable(word))?,
            call: members.get("call", |node| node.nullable(CallRecords::read))?,
        })
    }
}

/// What spans of one trace became: those that one import met together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OtelImport {
    /// The trace.
    pub target_trace_id: TraceId,
    /// By what rules.
    pub mapping: Mapping,
    /// The document of the spans, with all that the records have no place for.
    pub document: BlobRef,
    /// The spans, in the order in which they came.
    pub spans: Vec<ImportedSpan>,
}

super::identity!(OtelImport);

impl OtelImport {
    /// `artifact_type` of the record.
    pub const ARTIFACT_TYPE: &'static str = "otel_import";

    /// The records that the spans became, each once, in order.
    #[must_use]
    pub fn references(&self) -> Vec<EnvelopeHash> {
        let mut seen = std::collections::BTreeSet::new();
        let all = self.spans.iter().filter_map(|span| span.call).flat_map(|call| call.hashes());
        all.filter(|hash| seen.insert(*hash)).collect()
    }

    /// The first span that contradicts itself: one that became a call has records, and no other has.
    #[must_use]
    pub fn contradiction(&self) -> Option<&ImportedSpan> {
        self.spans.iter().find(|span| (span.became == Became::Call) != span.call.is_some())
    }

    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("artifact_type", text(Self::ARTIFACT_TYPE)),
            ("version", text(VERSION)),
            ("target_trace_id", text(self.target_trace_id)),
            ("mapping", self.mapping.to_value()),
            ("document", blob_ref(&self.document)),
            ("spans", Value::array(self.spans.iter().map(ImportedSpan::to_value))),
        ])
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the import");
        let required = ["artifact_type", "version", "target_trace_id", "mapping", "document", "spans"];
        let members = Node { value, path: &path }.members(&required, &[])?;
        members.get("artifact_type", |node| node.text_const(Self::ARTIFACT_TYPE))?;
        members.get("version", |node| node.text_const(VERSION))?;
        Ok(Self {
            target_trace_id: members.get("target_trace_id", word)?,
            mapping: members.get("mapping", Mapping::read)?,
            document: members.get("document", crate::validate::blob_ref)?,
            spans: members.get("spans", |node| node.items(ImportedSpan::read))?,
        })
    }
}

/// Something that was counted, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Counted {
    /// What.
    pub what: Token,
    /// How often.
    pub count: SafeInt,
}

impl Counted {
    fn to_value(&self) -> Value {
        Value::object([("what", text(&self.what)), ("count", integer(self.count))])
    }

    fn read(node: Node<'_>) -> Result<Self, Violation> {
        let members = node.members(&["what", "count"], &[])?;
        Ok(Self { what: members.get("what", word)?, count: members.get("count", safe_int)? })
    }
}

/// How many of what a file of telemetry held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ImportTotals {
    /// OTLP messages.
    pub messages: SafeInt,
    /// Spans, the sum of the next five.
    pub spans: SafeInt,
    /// Those that became a model_call.
    pub model_calls: SafeInt,
    /// Those that became a tool_call.
    pub tool_calls: SafeInt,
    /// Those that are a place in the tree.
    pub shapes: SafeInt,
    /// Those that were refused, and are kept in the document of their trace.
    pub refused: SafeInt,
    /// Those that could not be read, or have no trace to be kept in.
    pub unreadable: SafeInt,
    /// Traces, each counted once a batch of spans.
    pub traces: SafeInt,
    /// Calls that the policy allows.
    pub allowed: SafeInt,
    /// Calls that it denies.
    pub denied: SafeInt,
    /// Bytes of the payloads of calls.
    pub payload_bytes: SafeInt,
}

impl ImportTotals {
    const NAMES: [&'static str; 11] = [
        "messages",
        "spans",
        "model_calls",
        "tool_calls",
        "shapes",
        "refused",
        "unreadable",
        "traces",
        "allowed",
        "denied",
        "payload_bytes",
    ];

    /// The counts as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let counts = [
            self.messages,
            self.spans,
            self.model_calls,
            self.tool_calls,
            self.shapes,
            self.refused,
            self.unreadable,
            self.traces,
            self.allowed,
            self.denied,
            self.payload_bytes,
        ];
        Value::object(Self::NAMES.into_iter().zip(counts.map(integer)))
    }

    fn read(node: Node<'_>) -> Result<Self, Violation> {
        let members = node.members(&Self::NAMES, &[])?;
        let count = |name| members.get(name, safe_int);
        Ok(Self {
            messages: count("messages")?,
            spans: count("spans")?,
            model_calls: count("model_calls")?,
            tool_calls: count("tool_calls")?,
            shapes: count("shapes")?,
            refused: count("refused")?,
            unreadable: count("unreadable")?,
            traces: count("traces")?,
            allowed: count("allowed")?,
            denied: count("denied")?,
            payload_bytes: count("payload_bytes")?,
        })
    }
}

/// The account of a file: what of it is in the ledger, and what it did not say. It depends on the file, the rules
/// and the policy, and on nothing that an import did before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImportAccount {
    /// SHA-256 of the file as it came.
    pub source_sha256: Sha256Digest,
    /// Its length.
    pub source_bytes: SafeInt,
    /// How its messages follow each other.
    pub framing: Token,
    /// By what rules.
    pub mapping: Mapping,
    /// How many of what.
    pub totals: ImportTotals,
    /// Why spans were refused or could not be read, by name.
    pub refusals: Vec<Counted>,
    /// What calls did not say, by name.
    pub absent: Vec<Counted>,
    /// What was odd about the file, by name.
    pub warnings: Vec<Counted>,
}

super::identity!(ImportAccount);

impl ImportAccount {
    /// `artifact_type` of the record.
    pub const ARTIFACT_TYPE: &'static str = "import_account";

    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let list = |counted: &[Counted]| Value::array(counted.iter().map(Counted::to_value));
        Value::object([
            ("artifact_type", text(Self::ARTIFACT_TYPE)),
            ("version", text(VERSION)),
            ("source_sha256", text(self.source_sha256)),
            ("source_bytes", integer(self.source_bytes)),
            ("framing", text(&self.framing)),
            ("mapping", self.mapping.to_value()),
            ("totals", self.totals.to_value()),
            ("refusals", list(&self.refusals)),
            ("absent", list(&self.absent)),
            ("warnings", list(&self.warnings)),
        ])
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the account");
        let required = [
            "artifact_type",
            "version",
            "source_sha256",
            "source_bytes",
            "framing",
            "mapping",
            "totals",
            "refusals",
            "absent",
            "warnings",
        ];
        let members = Node { value, path: &path }.members(&required, &[])?;
        members.get("artifact_type", |node| node.text_const(Self::ARTIFACT_TYPE))?;
        members.get("version", |node| node.text_const(VERSION))?;
        Ok(Self {
            source_sha256: members.get("source_sha256", digest)?,
            source_bytes: members.get("source_bytes", safe_int)?,
            framing: members.get("framing", word)?,
            mapping: members.get("mapping", Mapping::read)?,
            totals: members.get("totals", ImportTotals::read)?,
            refusals: members.get("refusals", |node| node.items(Counted::read))?,
            absent: members.get("absent", |node| node.items(Counted::read))?,
            warnings: members.get("warnings", |node| node.items(Counted::read))?,
        })
    }
}
