//! The evidence files that ship, as paths and bytes.

use std::collections::BTreeMap;

use crate::evidence::generate;
use crate::plan::EvidencePlan;
use crate::trouble::trouble;

/// Every evidence file: its path below `vectors/evidence/`, with forward slashes, and its bytes.
#[must_use]
pub fn files() -> BTreeMap<String, Vec<u8>> {
    let evidence = generate(&EvidencePlan::AGENT_WORK);
    let spoiled = trouble().into_iter().map(|(name, bytes)| (format!("trouble/{name}"), bytes));
    let whole = [("agent-work.jsonl", &evidence.lines), ("payloads.jsonl", &evidence.payloads)];
    let whole = whole.map(|(name, lines)| (name.to_owned(), joined(lines)));
    whole.into_iter().chain(spoiled).collect()
}

fn joined(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| line.iter().copied().chain(*b"\n")).collect()
}
