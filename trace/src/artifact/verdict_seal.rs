//! The artifact that seals a verdict: the result and its explanation by their hashes, the log that was read, and
//! the versions that the answer rests on. Whoever doubts a verdict reads here how to come by it again.

use proofline_canon::{Sha256Digest, Value};

use crate::ids::{EnvelopeHash, LedgerId, TraceId};
use crate::rejection::Violation;
use crate::walk::{Node, Path, digest, safe_int, word};
use crate::words::{KeyReference, SafeInt, SignatureText, Token, VersionText};
use crate::write::{integer, text};

const VERSION: &str = "1";

/// A size of a log's tree, and its root (RFC 6962).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHead {
    /// How many entries.
    pub size: SafeInt,
    /// The root over them.
    pub root: Sha256Digest,
}

/// What decided policies again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineVersion {
    /// Its name.
    pub name: VersionText,
    /// Its version.
    pub version: VersionText,
}

/// What ran the calls of a tool again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolVersion {
    /// The adapter of the calls.
    pub adapter_id: Token,
    /// Their tool.
    pub tool_name: Token,
    /// The version of the handler.
    pub version: VersionText,
}

/// What a verdict is, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerdictSeal {
    /// The trace of the verdict; of a constrained replay the candidate.
    pub target_trace_id: TraceId,
    /// The artifact key of the result.
    pub result_sha256: Sha256Digest,
    /// The artifact key of the diagnostics that explain it.
    pub diagnostics_sha256: Sha256Digest,
    /// The ledger that was read.
    pub ledger_id: LedgerId,
    /// The log that was read: its first entries, and their root.
    pub log: TreeHead,
    /// The newest checkpoint that the ledger kept of these entries.
    pub checkpoint: Option<TreeHead>,
    /// The version of Proofline.
    pub proofline: VersionText,
    /// The policy engine, if one was asked.
    pub engine: Option<EngineVersion>,
    /// The policies that were asked, ascending, each once.
    pub policies: Vec<Sha256Digest>,
    /// The tools that were run, ascending, each once.
    pub tools: Vec<ToolVersion>,
}

super::identity!(VerdictSeal);

impl VerdictSeal {
    /// `artifact_type` of the record.
    pub const ARTIFACT_TYPE: &'static str = "verdict_seal";

    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("artifact_type", text(Self::ARTIFACT_TYPE)),
            ("version", text(VERSION)),
            ("target_trace_id", text(self.target_trace_id)),
            ("result_sha256", text(self.result_sha256)),
            ("diagnostics_sha256", text(self.diagnostics_sha256)),
            ("ledger_id", text(self.ledger_id)),
            ("log", self.log.to_value()),
            ("checkpoint", self.checkpoint.map_or(Value::Null, TreeHead::to_value)),
            ("proofline", text(&self.proofline)),
            ("engine", self.engine.as_ref().map_or(Value::Null, EngineVersion::to_value)),
            ("policies", Value::array(self.policies.iter().map(text))),
            ("tools", Value::array(self.tools.iter().map(ToolVersion::to_value))),
        ])
    }

    /// Reads a record. The order of its lists is for the gate to look at.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the verdict seal");
        let required = [
            "artifact_type",
            "version",
            "target_trace_id",
            "result_sha256",
            "diagnostics_sha256",
            "ledger_id",
            "log",
            "checkpoint",
            "proofline",
            "engine",
            "policies",
            "tools",
        ];
        let members = Node { value, path: &path }.members(&required, &[])?;
        members.get("artifact_type", |node| node.text_const(Self::ARTIFACT_TYPE))?;
        members.get("version", |node| node.text_const(VERSION))?;
        Ok(Self {
            target_trace_id: members.get("target_trace_id", word)?,
            result_sha256: members.get("result_sha256", digest)?,
            diagnostics_sha256: members.get("diagnostics_sha256", digest)?,
            ledger_id: members.get("ledger_id", word)?,
            log: members.get("log", TreeHead::read)?,
            checkpoint: members.get("checkpoint", |node| node.nullable(TreeHead::read))?,
            proofline: members.get("proofline", word)?,
            engine: members.get("engine", |node| node.nullable(EngineVersion::read))?,
            policies: members.get("policies", |node| node.items(digest))?,
            tools: members.get("tools", |node| node.items(ToolVersion::read))?,
        })
    }
}

impl TreeHead {
    fn to_value(self) -> Value {
        Value::object([("size", integer(self.size)), ("root", text(self.root))])
    }

    fn read(node: Node<'_>) -> Result<Self, Violation> {
        let members = node.members(&["size", "root"], &[])?;
        Ok(Self { size: members.get("size", safe_int)?, root: members.get("root", digest)? })
    }
}

impl EngineVersion {
    fn to_value(&self) -> Value {
        Value::object([("name", text(&self.name)), ("version", text(&self.version))])
    }

    fn read(node: Node<'_>) -> Result<Self, Violation> {
        let members = node.members(&["name", "version"], &[])?;
        Ok(Self { name: members.get("name", word)?, version: members.get("version", word)? })
    }
}

impl ToolVersion {
    fn to_value(&self) -> Value {
        Value::object([
            ("adapter_id", text(&self.adapter_id)),
            ("tool_name", text(&self.tool_name)),
            ("version", text(&self.version)),
        ])
    }

    fn read(node: Node<'_>) -> Result<Self, Violation> {
        let members = node.members(&["adapter_id", "tool_name", "version"], &[])?;
        Ok(Self {
            adapter_id: members.get("adapter_id", word)?,
            tool_name: members.get("tool_name", word)?,
            version: members.get("version", word)?,
        })
    }
}

/// A producer's signature over the hash of a seal, as DSSE makes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerdictSignature {
    /// The trace of the verdict.
    pub target_trace_id: TraceId,
    /// The seal.
    pub seal_sha256: EnvelopeHash,
    /// The key of whoever stands for the verdict.
    pub key: KeyReference,
    /// The signature over the DSSE pre-authentication encoding of the seal's hash.
    pub signature: SignatureText,
}

super::identity!(VerdictSignature);

impl VerdictSignature {
    /// `artifact_type` of the record.
    pub const ARTIFACT_TYPE: &'static str = "verdict_signature";

    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("artifact_type", text(Self::ARTIFACT_TYPE)),
            ("version", text(VERSION)),
            ("target_trace_id", text(self.target_trace_id)),
            ("seal_sha256", text(self.seal_sha256)),
            ("key", text(&self.key)),
            ("signature", text(&self.signature)),
        ])
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the verdict signature");
        let required = ["artifact_type", "version", "target_trace_id", "seal_sha256", "key", "signature"];
        let members = Node { value, path: &path }.members(&required, &[])?;
        members.get("artifact_type", |node| node.text_const(Self::ARTIFACT_TYPE))?;
        members.get("version", |node| node.text_const(VERSION))?;
        Ok(Self {
            target_trace_id: members.get("target_trace_id", word)?,
            seal_sha256: members.get("seal_sha256", word)?,
            key: members.get("key", word)?,
            signature: members.get("signature", word)?,
        })
    }
}
