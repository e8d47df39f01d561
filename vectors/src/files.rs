//! The evidence files that ship, as paths and bytes.

use std::collections::BTreeMap;

use crate::deviation::Deviation;
use crate::evidence::generate;
use crate::plan::EvidencePlan;
use crate::rerun::after_model_change;
use crate::trouble::trouble;

/// Every evidence file: its path below `vectors/evidence/`, with forward slashes, and its bytes.
#[must_use]
pub fn files() -> BTreeMap<String, Vec<u8>> {
    let evidence = generate(&EvidencePlan::AGENT_WORK);
    let again = after_model_change(&EvidencePlan::AGENT_WORK, Deviation::shipped);
    let pairs: Vec<Vec<u8>> = again.pairs.iter().map(|pair| pair.line().into_bytes()).collect();
    let spoiled = trouble().into_iter().map(|(name, bytes)| (format!("trouble/{name}"), bytes));
    let whole = [
        ("agent-work.jsonl", &evidence.lines),
        ("payloads.jsonl", &evidence.payloads),
        ("agent-work-after-model-change.jsonl", &again.evidence.lines),
        ("payloads-after-model-change.jsonl", &again.evidence.payloads),
        ("pairs.jsonl", &pairs),
    ];
    let whole = whole.map(|(name, lines)| (name.to_owned(), joined(lines)));
    whole.into_iter().chain(spoiled).collect()
}

fn joined(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| line.iter().copied().chain(*b"\n")).collect()
}
