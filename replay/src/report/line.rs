//! The lines of a report between the first and the last: a verdict, or a trace that has none.

use proofline_canon::Value;
use proofline_trace::{Finding, ReplayDiagnostics, ReplayResult, TraceId};

use super::error::{LineFault, ReportError};
use super::node::Node;
use super::spelling::{canonical, line, safe_json};
use crate::sink::Unlisted;
use crate::verdict::TraceReplay;

/// The line of the contract, its members in the contract's order and `record` in its canonical bytes, apart from
/// characters that a terminal would obey, which are spelled as escapes.
///
/// # Errors
/// [`ReportError::Value`] for a number that JSON cannot carry.
pub fn verdict_line(replay: &TraceReplay) -> Result<String, ReportError> {
    let findings = Value::array(replay.findings().iter().map(Finding::to_value));
    Ok(safe_json(format!(
        r#"{{"record":{},"artifact_sha256":"{}","diagnostics":{},"findings":{}}}"#,
        canonical(&replay.result.to_value())?,
        replay.artifact_sha256,
        canonical(&replay.diagnostics.to_value())?,
        canonical(&findings)?
    )))
}

/// A trace of rejected attempts alone, which has no verdict.
pub(super) fn unlisted_line(unlisted: &Unlisted) -> Result<String, ReportError> {
    let findings = Value::array(unlisted.findings.iter().map(Finding::to_value));
    let inner = Value::object([
        ("trace_id", Value::from(unlisted.trace_id.to_string())),
        ("attempts", Value::from(unlisted.attempts)),
        ("findings", findings),
    ]);
    line(&Value::object([("unlisted", inner)]))
}

/// Where a line stands: verdicts over pairs by baseline, then candidate; others by trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    baseline: Option<TraceId>,
    pub(super) trace: TraceId,
}

impl Key {
    pub(super) const fn of_verdict(replay: &TraceReplay) -> Self {
        Self { baseline: replay.baseline(), trace: replay.trace_id() }
    }

    pub(super) const fn of_unlisted(unlisted: &Unlisted) -> Self {
        Self { baseline: None, trace: unlisted.trace_id }
    }
}

pub(super) fn read_verdict(value: &Value) -> Result<TraceReplay, LineFault> {
    let node = Node::root(value);
    let violated = |violation| LineFault::Record(Box::new(violation));
    let result = ReplayResult::from_value(node.get("record")?.value()).map_err(violated)?;
    let diagnostics = ReplayDiagnostics::from_value(node.get("diagnostics")?.value()).map_err(violated)?;
    let artifact_sha256 = node.get("artifact_sha256")?.word("a SHA-256")?;
    let belongs = [
        (result.sha256() == artifact_sha256, "`artifact_sha256` is not the hash of `record`"),
        (diagnostics.result_sha256 == artifact_sha256, "`diagnostics` explains another record"),
        (diagnostics.replay_type == result.replay_type(), "`diagnostics` is of another question"),
        (diagnostics.target_trace_id == result.target_trace_id, "`diagnostics` is of another trace"),
        (
            diagnostics.failures.first().map(|failure| failure.class) == result.verdict.failure_class(),
            "`diagnostics` has another failure than `record`",
        ),
    ];
    if let Some((_, what)) = belongs.into_iter().find(|(holds, _)| !holds) {
        return Err(LineFault::Unbacked(what));
    }
    // That `findings` is the diagnostics' own list is seen when the line is spelled again.
    Ok(TraceReplay { result, artifact_sha256, diagnostics, damage: Vec::new() })
}

pub(super) fn read_unlisted(node: &Node<'_>) -> Result<Unlisted, LineFault> {
    Ok(Unlisted {
        trace_id: node.get("trace_id")?.word("a trace id")?,
        attempts: node.get("attempts")?.count()?,
        findings: findings(&node.get("findings")?)?,
    })
}

/// Findings, which have their reader in the record that lists them.
fn findings(node: &Node<'_>) -> Result<Vec<Finding>, LineFault> {
    let read = |item: &Node<'_>| Ok(Finding::from_value(item.value()));
    let findings: Result<Vec<Finding>, _> = node.items(read)?.into_iter().collect();
    findings.map_err(|violation| LineFault::Record(Box::new(violation)))
}
