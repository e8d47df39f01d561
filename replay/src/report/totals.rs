//! Summaries read back, added up, and held against the lines that they count. A count that a summary gains is to be
//! named in [`add`] and [`read`]; the compiler asks for both.

use std::collections::BTreeMap;
use std::str::FromStr;

use proofline_canon::Value;
use proofline_ledger::{Damage, LogEnd, Seq};

use super::codes;
use super::node::Node;
use crate::form::FormError;
use crate::summary::Summary;

/// What stands below `summary` in the last line of a run's output.
pub(super) fn inner_value(summary: &Summary) -> Value {
    match summary.to_value() {
        Value::Object(mut line) => line.remove("summary").unwrap_or(Value::Null),
        other => other,
    }
}

/// Adds all that is counted; what both say of the ledger and the question, and the list of damage, stays.
pub(super) fn add(sum: &mut Summary, next: Summary) {
    let Summary {
        replay_type: _,
        generated_at: _,
        ledger_id: _,
        entries: _,
        end: _,
        entries_checked: _,
        traces,
        passed,
        failed,
        failures,
        records,
        verified,
        gate_rechecked,
        re_executed,
        policy_re_decided,
        policy_absent,
        policy_unusable,
        producer_signatures,
        unlisted_traces,
        unlisted_attempts,
        findings,
        severities,
        damage: _,
        damage_count,
        derived_damage: _,
    } = next;
    let plain = [
        (&mut sum.traces, traces),
        (&mut sum.passed, passed),
        (&mut sum.failed, failed),
        (&mut sum.records, records),
        (&mut sum.verified, verified),
        (&mut sum.gate_rechecked, gate_rechecked),
        (&mut sum.re_executed, re_executed),
        (&mut sum.policy_re_decided, policy_re_decided),
        (&mut sum.policy_absent, policy_absent),
        (&mut sum.policy_unusable, policy_unusable),
        (&mut sum.producer_signatures, producer_signatures),
        (&mut sum.unlisted_traces, unlisted_traces),
        (&mut sum.unlisted_attempts, unlisted_attempts),
        (&mut sum.damage_count, damage_count),
    ];
    for (sum, count) in plain {
        *sum = sum.saturating_add(count);
    }
    add_each(&mut sum.failures, failures);
    add_each(&mut sum.findings, findings);
    add_each(&mut sum.severities, severities);
}

fn add_each<K: Ord>(sums: &mut BTreeMap<K, u64>, counts: BTreeMap<K, u64>) {
    for (key, count) in counts {
        let sum = sums.entry(key).or_default();
        *sum = sum.saturating_add(count);
    }
}

/// What lines of traces count, with all that they cannot tell as another summary says it.
pub(super) fn counted(lines: &Summary, said: &Summary) -> Summary {
    Summary {
        producer_signatures: said.producer_signatures,
        entries_checked: said.entries_checked,
        damage: said.damage.clone(),
        damage_count: said.damage_count,
        derived_damage: said.derived_damage.clone(),
        ..lines.clone()
    }
}

/// A summary as [`inner_value`] gives it.
pub(super) fn read(node: &Node<'_>) -> Result<Summary, FormError> {
    let count = |name| node.get(name)?.count();
    Ok(Summary {
        replay_type: node.get("replay_type")?.word("a replay type")?,
        generated_at: node.get("generated_at")?.word("a time")?,
        ledger_id: node.get("ledger_id")?.word("the id of a ledger")?,
        entries: count("entries")?,
        end: end(&node.get("end")?)?,
        entries_checked: node.get("entries_checked")?.flag()?,
        traces: count("traces")?,
        passed: count("passed")?,
        failed: count("failed")?,
        failures: node.get("failures")?.counts()?,
        records: count("records")?,
        verified: count("verified")?,
        gate_rechecked: count("gate_rechecked")?,
        re_executed: count("re_executed")?,
        policy_re_decided: count("policy_re_decided")?,
        policy_absent: count("policy_absent")?,
        policy_unusable: count("policy_unusable")?,
        producer_signatures: count("producer_signatures")?,
        unlisted_traces: count("unlisted_traces")?,
        unlisted_attempts: count("unlisted_attempts")?,
        findings: node.get("findings")?.counts()?,
        severities: node.get("severities")?.counts()?,
        damage: node.get("damage")?.items(damage)?,
        damage_count: count("damage_count")?,
        derived_damage: node.get("derived_damage")?.items(damage)?,
    })
}

/// What the end of a log rests on, by its name in output.
pub(super) fn end(node: &Node<'_>) -> Result<LogEnd, FormError> {
    match node.text()? {
        "published" => Ok(LogEnd::Published),
        "not_anchored" => Ok(LogEnd::NotAnchored),
        _ => Err(node.other("`published` or `not_anchored`")),
    }
}

fn damage(node: &Node<'_>) -> Result<Damage, FormError> {
    let optional = |name| node.get(name)?.some().map(|node| node.count()).transpose();
    Ok(Damage {
        code: node.get("code")?.word::<Code>("a code of damage")?.0,
        file: node.get("file")?.text()?.to_owned(),
        offset: optional("offset")?,
        seq: optional("seq")?.map(Seq::new),
        message: node.get("message")?.text()?.to_owned(),
    })
}

struct Code(&'static str);

impl FromStr for Code {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        codes::code(text).map(Code).ok_or(())
    }
}
