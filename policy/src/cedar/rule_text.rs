//! What the text of a rule gives beside its meaning: the members that it reads, and the lines of its faults.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{PolicyId, PolicySet, ValidationResult};
use miette::Diagnostic;
use serde_json::Value;

use super::statements::short;
use crate::rules::RulesError;

/// The members that an expression reads, in Cedar's JSON of it: as far down as names are chained.
pub(super) fn reads(json: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(json, &mut found);
    found
}

fn collect(json: &Value, found: &mut BTreeSet<String>) {
    if let Some(path) = path(json) {
        // Who and what are told of every case.
        if path.contains('.') {
            found.insert(path);
        }
        return;
    }
    match json {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => members.values().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// `context.tool.tool_name`, if the expression is a variable with names chained to it.
fn path(json: &Value) -> Option<String> {
    let members = json.as_object().filter(|members| members.len() == 1)?;
    if let Some(variable) = members.get("Var") {
        return variable.as_str().map(str::to_owned);
    }
    let chained = members.get(".").or_else(|| members.get("has"))?;
    let left = path(chained.get("left")?)?;
    // An extended `has a.b` gives a list.
    let names = match chained.get("attr")? {
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("."),
        _ => return None,
    };
    Some(format!("{left}.{names}"))
}

/// What is wrong with a rule, in the order of the text.
type Faults = BTreeSet<(Option<usize>, String, String)>;

/// Nothing, if the validator has nothing to say.
pub(super) fn validated(
    result: &ValidationResult,
    set: &PolicySet,
    lines: &BTreeMap<&str, usize>,
) -> Result<(), RulesError> {
    let fault = |id: &PolicyId, it: &dyn Diagnostic| {
        let name: &str = id.as_ref();
        (line(id, it, set, lines), name.to_owned(), said(it, name))
    };
    // One fault is told once for each kind of record that it concerns.
    let others = |faults: &Faults| {
        faults.iter().map(|(line, id, _)| (line, id)).collect::<BTreeSet<_>>().len().saturating_sub(1)
    };
    let errors: Faults = result.validation_errors().map(|it| fault(it.policy_id(), it)).collect();
    if let Some((line, id, message)) = errors.first().cloned() {
        return Err(RulesError::Schema { id, message, line, others: others(&errors) });
    }
    let warnings: Faults = result.validation_warnings().map(|it| fault(it.policy_id(), it)).collect();
    if let Some((line, id, message)) = warnings.first().cloned() {
        return Err(RulesError::Warning { id, message, line, others: others(&warnings) });
    }
    Ok(())
}

/// What the validator says, without the name of the rule, and with its advice.
fn said(it: &dyn Diagnostic, id: &str) -> String {
    let text = it.to_string();
    let plain = text.strip_prefix(&format!("for policy `{id}`, ")).unwrap_or(&text).to_owned();
    match it.help() {
        Some(help) => short(&format!("{plain}; {help}")),
        None => short(&plain),
    }
}

/// The line of what it points at: the statement's own, and the breaks before that place.
fn line(id: &PolicyId, it: &dyn Diagnostic, set: &PolicySet, lines: &BTreeMap<&str, usize>) -> Option<usize> {
    let name: &str = id.as_ref();
    let first = *lines.get(name)?;
    let pointed = it.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    let text = set.policy(id).and_then(cedar_policy::Policy::to_cedar).unwrap_or_default();
    let span = pointed.and_then(|end| text.get(begin(&text).min(end)..end)).unwrap_or_default();
    Some(first + span.bytes().filter(|byte| *byte == b'\n').count())
}

/// Where a statement begins behind white space and comments.
fn begin(text: &str) -> usize {
    let mut rest = text.trim_start();
    while let Some(comment) = rest.strip_prefix("//") {
        rest = comment.split_once('\n').map_or("", |(_, behind)| behind).trim_start();
    }
    text.len() - rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chained_names_are_read_as_one() {
        let text = r#"forbid(principal in Grant::"x", action, resource) when {
            principal.kind == "agent" && context has usage && context.usage.total_tokens > 9 &&
            !["a"].contains(context.decision.policy.policy_id) && resource == Resource::"y" };"#;
        let policy: cedar_policy::Policy = text.parse().unwrap();
        let found: Vec<String> = reads(&policy.to_json().unwrap()).into_iter().collect();
        let expected = [
            "context.decision.policy.policy_id",
            "context.usage",
            "context.usage.total_tokens",
            "principal.kind",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_statement_begins_behind_comments() {
        for (text, at) in [("forbid", 0), ("  // a\n\n //b\n forbid", 14), ("// only", 7), ("", 0)] {
            assert_eq!(begin(text), at, "{text}");
        }
    }
}
