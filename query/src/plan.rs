//! Which entries have to be looked at. Whatever an index lists is asked the whole filter all the same: a plan makes an
//! answer quick, and never another one.

use std::ops::Range;

use proofline_ledger::{EntryFault, Seq, Snapshot};
use proofline_trace::{EnvelopeHash, TraceId};

use crate::field::{EntryField, Field};
use crate::filter::{Comparison, Filter, Literal};

/// How entries are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// By envelope hash, in the index of hashes.
    HashIndex,
    /// By trace, in the index of traces.
    TraceIndex,
    /// One after the other.
    Scan,
}

impl Way {
    /// The way's name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HashIndex => "hash_index",
            Self::TraceIndex => "trace_index",
            Self::Scan => "scan",
        }
    }
}

/// How a filter will be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// How entries are found.
    pub way: Way,
    /// The entries that can fit by their numbers, and by when they were recorded, which ascends with them.
    pub range: Range<u64>,
    /// Whether a bound on `recorded_at_ms` narrowed the range.
    pub by_recorded_at: bool,
    /// Whether records that others name are read too.
    pub reads_chains: bool,
    pub(crate) candidates: Candidates,
}

impl Plan {
    /// How many entries will be looked at, if nothing ends it early.
    #[must_use]
    pub fn candidates(&self) -> u64 {
        match &self.candidates {
            Candidates::Range(range) => range.end.saturating_sub(range.start),
            Candidates::List(list) => list.len() as u64,
        }
    }
}

/// The entries to look at, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Candidates {
    Range(Range<u64>),
    List(Vec<Seq>),
}

impl Candidates {
    /// Part of them, by places.
    pub(crate) fn part(&self, places: Range<u64>) -> Vec<Seq> {
        match self {
            Self::Range(range) => {
                let at = |place: u64| range.start.saturating_add(place).min(range.end);
                (at(places.start)..at(places.end)).map(Seq::new).collect()
            }
            Self::List(list) => {
                let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(list.len());
                list.get(at(places.start)..at(places.end)).unwrap_or_default().to_vec()
            }
        }
    }
}

/// Chooses how to answer; with `scan_only` as if there were no index, which is the slow twin of every other plan.
pub(crate) fn plan(snapshot: &Snapshot, filter: &Filter, scan_only: bool) -> Result<Plan, EntryFault> {
    let mut reads_chains = false;
    filter.visit(&mut |part| reads_chains |= part.field().is_some_and(Field::is_of_chain));
    let scan = |range: Range<u64>, by_recorded_at| Plan {
        way: Way::Scan,
        candidates: Candidates::Range(range.clone()),
        range,
        by_recorded_at,
        reads_chains,
    };
    if scan_only {
        return Ok(scan(0..snapshot.entries(), false));
    }
    let conjuncts = filter.conjuncts();
    let hash = Field::Entry(EntryField::Hash);
    let trace = Field::Entry(EntryField::TraceId);
    let of_range = |seqs: Vec<Seq>, way| {
        let range = seq_range(&conjuncts, snapshot.entries());
        let list = within(seqs, &range);
        Plan { way, candidates: Candidates::List(list), range, by_recorded_at: false, reads_chains }
    };
    if let Some(values) = equal_to(&conjuncts, &hash) {
        let hashes = values.iter().filter_map(|text| text.parse::<EnvelopeHash>().ok());
        let seqs = hashes.map(|hash| snapshot.with_hash(&hash)).collect::<Result<Vec<_>, _>>()?;
        return Ok(of_range(seqs.concat(), Way::HashIndex));
    }
    if let Some(values) = equal_to(&conjuncts, &trace) {
        let traces = values.iter().filter_map(|text| text.parse::<TraceId>().ok());
        let seqs = traces.map(|trace| snapshot.of_trace(trace)).collect::<Result<Vec<_>, _>>()?;
        return Ok(of_range(seqs.concat(), Way::TraceIndex));
    }
    let range = seq_range(&conjuncts, snapshot.entries());
    let narrowed = recorded_range(snapshot, &conjuncts, range.clone())?;
    let by_recorded_at = narrowed.is_some();
    Ok(scan(narrowed.unwrap_or(range), by_recorded_at))
}

/// These entries in order, each once, as far as they lie in the range.
fn within(mut seqs: Vec<Seq>, range: &Range<u64>) -> Vec<Seq> {
    seqs.sort_unstable();
    seqs.dedup();
    seqs.retain(|seq| range.contains(&seq.get()));
    seqs
}

/// The texts one of which a field has to be: the fewest, where several conjuncts say so.
fn equal_to<'a>(conjuncts: &[&'a Filter], field: &Field) -> Option<Vec<&'a str>> {
    let text = |literal: &'a Literal| match literal {
        Literal::Text(text) => Some(&**text),
        _ => None,
    };
    let values = |filter: &'a Filter| match filter {
        Filter::Compare { field: own, how: Comparison::Equal, value } if own == field => {
            Some(text(value).into_iter().collect::<Vec<_>>())
        }
        Filter::In { field: own, values } if own == field => Some(values.iter().filter_map(text).collect()),
        _ => None,
    };
    conjuncts.iter().filter_map(|filter| values(filter)).min_by_key(Vec::len)
}

/// The least and the greatest integer that a field can be, by the conjuncts; the first greater than the second where
/// none.
fn bounds(conjuncts: &[&Filter], field: &Field) -> Option<(i128, i128)> {
    let (mut least, mut most, mut is_bound) = (i128::MIN, i128::MAX, false);
    for conjunct in conjuncts {
        let (from, to) = match conjunct {
            Filter::Compare { field: own, how, value: Literal::Integer(value) } if own == field => {
                let value = i128::from(*value);
                match how {
                    Comparison::Equal => (value, value),
                    Comparison::Less => (i128::MIN, value - 1),
                    Comparison::AtMost => (i128::MIN, value),
                    Comparison::Greater => (value + 1, i128::MAX),
                    Comparison::AtLeast => (value, i128::MAX),
                    Comparison::Different | Comparison::Contains => continue,
                }
            }
            Filter::In { field: own, values } if own == field => {
                let integers = values.iter().filter_map(|value| match value {
                    Literal::Integer(value) => Some(i128::from(*value)),
                    _ => None,
                });
                let (low, high) = (integers.clone().min(), integers.max());
                (low.unwrap_or(1), high.unwrap_or(0))
            }
            _ => continue,
        };
        (least, most, is_bound) = (least.max(from), most.min(to), true);
    }
    is_bound.then_some((least, most))
}

fn seq_range(conjuncts: &[&Filter], entries: u64) -> Range<u64> {
    let Some((least, most)) = bounds(conjuncts, &Field::Entry(EntryField::Seq)) else { return 0..entries };
    let clamp = |number: i128| u64::try_from(number.max(0)).unwrap_or(u64::MAX).min(entries);
    let (start, end) = (clamp(least), clamp(most.saturating_add(1)));
    start..end.max(start)
}

/// The part of a range that was recorded in the time asked for: times of recording ascend with the log, which `verify`
/// checks. `None` where nothing is asked of them, and where a header on the way cannot be read.
fn recorded_range(
    snapshot: &Snapshot,
    conjuncts: &[&Filter],
    range: Range<u64>,
) -> Result<Option<Range<u64>>, EntryFault> {
    let Some((least, most)) = bounds(conjuncts, &Field::Entry(EntryField::RecordedAt)) else {
        return Ok(None);
    };
    let Some(start) = first_at(snapshot, &range, |at_ms| at_ms >= least)? else { return Ok(None) };
    let Some(end) = first_at(snapshot, &range, |at_ms| at_ms > most)? else { return Ok(None) };
    Ok(Some(start..end.max(start)))
}

/// The first entry of a range that was recorded at such a time, if from there on all were; else the range's end.
fn first_at(
    snapshot: &Snapshot,
    range: &Range<u64>,
    is_past: impl Fn(i128) -> bool,
) -> Result<Option<u64>, EntryFault> {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        match snapshot.header(Seq::new(middle)) {
            Ok(Some(header)) if is_past(header.recorded_at_ms.into()) => high = middle,
            Ok(Some(_)) => low = middle + 1,
            Err(EntryFault::Io(error)) => return Err(EntryFault::Io(error)),
            Ok(None) | Err(_) => return Ok(None),
        }
    }
    Ok(Some(low))
}
