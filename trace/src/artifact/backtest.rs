//! The artifact that keeps what a back-test came to: which policy was asked about which history, by what, and
//! how many decisions would be others.

use proofline_canon::{Sha256Digest, Value};

use super::timestamp::Timestamp;
use crate::ids::TraceId;
use crate::rejection::Violation;
use crate::walk::{Node, Path, digest, safe_int, word};
use crate::words::{SafeInt, Token};
use crate::write::{integer, text};

const ARTIFACT_TYPE: &str = "policy_backtest";
const VERSION: &str = "1";

/// What a back-test came to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BacktestRecord {
    /// The other policy.
    pub policy_sha256: Sha256Digest,
    /// The engine that asked it.
    pub engine: Token,
    /// Its version.
    pub engine_version: Token,
    /// How many entries of the log were read.
    pub log_size: SafeInt,
    /// The root of the tree of those entries.
    pub root: Sha256Digest,
    /// The traces that were asked for; none for all.
    pub trace_ids: Option<Vec<TraceId>>,
    /// How many of what.
    pub counts: BacktestTotals,
    /// The injected clock.
    pub generated_at: Timestamp,
}

/// How many decisions would be others, and what hangs on them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct BacktestTotals {
    /// Traces that were asked about.
    pub traces: SafeInt,
    /// Traces that were not: their records do not hold, or are not there.
    pub traces_skipped: SafeInt,
    /// Accepted decisions, the sum of the next four.
    pub decisions: SafeInt,
    /// Those that would be the same.
    pub same: SafeInt,
    /// Allowed ones that would be denied.
    pub allow_to_deny: SafeInt,
    /// Denied ones that would be allowed.
    pub deny_to_allow: SafeInt,
    /// Those of the same result with other reason codes or obligations.
    pub other_reasons: SafeInt,
    /// Those of which the policy could not evaluate some statement.
    pub policy_errors: SafeInt,
    /// Accepted calls that would not have happened.
    pub calls_lost: SafeInt,
    /// Refused calls, which are not asked about.
    pub refused_calls: SafeInt,
}

super::identity!(BacktestRecord);

impl BacktestRecord {
    /// `artifact_type` of the record.
    pub const ARTIFACT_TYPE: &'static str = ARTIFACT_TYPE;

    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let traces = self.trace_ids.as_ref().map(|ids| Value::array(ids.iter().map(text)));
        let engine = [("name", text(&self.engine)), ("version", text(&self.engine_version))];
        Value::object([
            ("artifact_type", text(ARTIFACT_TYPE)),
            ("version", text(VERSION)),
            ("policy_sha256", text(self.policy_sha256)),
            ("engine", Value::object(engine)),
            ("log_size", integer(self.log_size)),
            ("root", text(self.root)),
            ("trace_ids", traces.unwrap_or(Value::Null)),
            ("counts", self.counts.to_value()),
            ("generated_at", text(self.generated_at)),
        ])
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the back-test");
        let required = [
            "artifact_type",
            "version",
            "policy_sha256",
            "engine",
            "log_size",
            "root",
            "trace_ids",
            "counts",
            "generated_at",
        ];
        let members = Node { value, path: &path }.members(&required, &[])?;
        members.get("artifact_type", |node| node.text_const(ARTIFACT_TYPE))?;
        members.get("version", |node| node.text_const(VERSION))?;
        let (engine, engine_version) = members.get("engine", engine)?;
        Ok(Self {
            policy_sha256: members.get("policy_sha256", digest)?,
            engine,
            engine_version,
            log_size: members.get("log_size", safe_int)?,
            root: members.get("root", digest)?,
            trace_ids: members.get("trace_ids", |node| node.nullable(|node| node.items(word)))?,
            counts: members.get("counts", BacktestTotals::read)?,
            generated_at: members.get("generated_at", word)?,
        })
    }
}

fn engine(node: Node<'_>) -> Result<(Token, Token), Violation> {
    let members = node.members(&["name", "version"], &[])?;
    Ok((members.get("name", word)?, members.get("version", word)?))
}

impl BacktestTotals {
    const NAMES: [&'static str; 10] = [
        "traces",
        "traces_skipped",
        "decisions",
        "same",
        "allow_to_deny",
        "deny_to_allow",
        "other_reasons",
        "policy_errors",
        "calls_lost",
        "refused_calls",
    ];

    /// The counts as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let counts = [
            self.traces,
            self.traces_skipped,
            self.decisions,
            self.same,
            self.allow_to_deny,
            self.deny_to_allow,
            self.other_reasons,
            self.policy_errors,
            self.calls_lost,
            self.refused_calls,
        ];
        Value::object(Self::NAMES.into_iter().zip(counts.map(integer)))
    }

    fn read(node: Node<'_>) -> Result<Self, Violation> {
        let members = node.members(&Self::NAMES, &[])?;
        let count = |name| members.get(name, safe_int);
        Ok(Self {
            traces: count("traces")?,
            traces_skipped: count("traces_skipped")?,
            decisions: count("decisions")?,
            same: count("same")?,
            allow_to_deny: count("allow_to_deny")?,
            deny_to_allow: count("deny_to_allow")?,
            other_reasons: count("other_reasons")?,
            policy_errors: count("policy_errors")?,
            calls_lost: count("calls_lost")?,
            refused_calls: count("refused_calls")?,
        })
    }
}
