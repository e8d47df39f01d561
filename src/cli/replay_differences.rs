//! How two runs differ, for people: the differences of a failed pair one by one, allowed ones of all pairs by kind.

use std::collections::BTreeMap;

use proofline::replay::TraceReplay;
use proofline::trace::{Difference, DifferenceSide, TraceId};

use super::error::CliError;
use super::output::Out;
use super::phrase::counted;
use super::safe::safe_cut;

/// Allowed differences of one kind that text shows.
const ALLOWED_SHOWN: usize = 2;
/// Of what a side says, text shows this much.
const VALUE_CHARS: usize = 2_000;
/// Entries of a side that text names.
const SEQS_SHOWN: usize = 4;

/// Allowed differences of one kind in records of one type.
#[derive(Default)]
struct Group {
    count: u64,
    pairs: u64,
    shown: Vec<(Option<TraceId>, TraceId, Difference)>,
}

/// Allowed differences of all pairs.
#[derive(Default)]
pub(crate) struct Allowed(BTreeMap<(&'static str, &'static str), Group>);

impl Allowed {
    pub(crate) fn add(&mut self, replay: &TraceReplay) {
        let mut met = BTreeMap::new();
        for difference in replay.differences().iter().filter(|difference| difference.allowed) {
            let name = (difference.record_type.as_str(), difference.kind.as_str());
            let group = self.0.entry(name).or_default();
            group.count += 1;
            group.pairs += u64::from(met.insert(name, ()).is_none());
            if group.shown.len() < ALLOWED_SHOWN {
                group.shown.push((replay.baseline(), replay.trace_id(), difference.clone()));
            }
        }
    }

    pub(crate) fn show(&self, out: &mut Out) -> Result<(), CliError> {
        if self.0.is_empty() {
            return Ok(());
        }
        out.heading("allowed differences")?;
        for ((record_type, kind), group) in &self.0 {
            let (title, pairs) = (out.paint().odd(kind), counted(group.pairs, "pair", "pairs"));
            out.line(format_args!("  {title} of {record_type}: {} in {pairs}", group.count))?;
            for (baseline, candidate, difference) in &group.shown {
                let baseline = baseline.map(|baseline| baseline.to_string()).unwrap_or_default();
                out.line(format_args!("    pair {baseline}, {candidate}"))?;
                show_sides(out, difference)?;
            }
            let more = group.count.saturating_sub(group.shown.len() as u64);
            if more > 0 {
                out.line(format_args!("    and {more} more; `--format json` has all"))?;
            }
        }
        Ok(())
    }
}

/// The differences of one pair that failed: the first that is not allowed, then all others.
pub(crate) fn show_of_failed(out: &mut Out, differences: &[Difference]) -> Result<(), CliError> {
    let first = differences.iter().position(|difference| !difference.allowed);
    let others = differences.iter().enumerate().filter(|(at, _)| Some(*at) != first).map(|(_, it)| it);
    let first = first.and_then(|at| differences.get(at));
    for (index, difference) in first.into_iter().chain(others).enumerate() {
        let paint = out.paint();
        let says = match (difference.allowed, index) {
            (false, 0) => paint.bad("first not allowed"),
            (false, _) => paint.bad("not allowed"),
            (true, _) => paint.odd("allowed"),
        };
        out.line(format_args!("    {says}: {} of {}", difference.kind, difference.record_type))?;
        show_sides(out, difference)?;
    }
    Ok(())
}

fn show_sides(out: &mut Out, difference: &Difference) -> Result<(), CliError> {
    show_side(out, "baseline", &difference.baseline)?;
    show_side(out, "candidate", &difference.candidate)
}

fn show_side(out: &mut Out, name: &str, side: &DifferenceSide) -> Result<(), CliError> {
    let seqs = side.seqs.iter().take(SEQS_SHOWN).map(|seq| format!(" #{seq}")).collect::<String>();
    let more = side.seqs.len().saturating_sub(SEQS_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let absent = if side.seqs.is_empty() { " has none" } else { "" };
    out.line(format_args!("      {name}{absent}{seqs}{more}"))?;
    let width = out.columns().saturating_sub(8).max(20);
    // Canonical JSON has few places to break at.
    let value: Vec<char> = safe_cut(side.value.as_deref().unwrap_or_default(), VALUE_CHARS).chars().collect();
    for line in value.chunks(width) {
        out.line(format_args!("        {}", line.iter().collect::<String>()))?;
    }
    Ok(())
}
