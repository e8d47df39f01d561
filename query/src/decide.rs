//! Whether an entry fits a filter. There are three answers: it does, it does not, and what would say so is not at hand.
//! Absence is no third answer: a comparison with what is absent is false, and only `exists` asks about it.

use proofline_ledger::EntryFault;

use crate::cell::{Cell, Found};
use crate::filter::{Comparison, Filter};
use crate::reach::Reach;
use crate::subject::Subject;

/// How far an answer may look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// At the header alone: what costs nothing comes first.
    Header,
    /// At the body, and at other entries.
    All,
}

/// Whether the entry fits; `None` where that is not known.
pub(crate) fn decide(
    filter: &Filter,
    subject: &Subject<'_>,
    reach: &mut Reach<'_>,
    depth: Depth,
) -> Result<Option<bool>, EntryFault> {
    match filter {
        Filter::All => Ok(Some(true)),
        Filter::Not(within) => Ok(decide(within, subject, reach, depth)?.map(|fits| !fits)),
        Filter::And(one, other) => {
            let first = decide(one, subject, reach, depth)?;
            if first == Some(false) {
                return Ok(first);
            }
            let second = decide(other, subject, reach, depth)?;
            Ok(if second == Some(false) { second } else { first.and(second) })
        }
        Filter::Or(one, other) => {
            let first = decide(one, subject, reach, depth)?;
            if first == Some(true) {
                return Ok(first);
            }
            let second = decide(other, subject, reach, depth)?;
            Ok(if second == Some(true) { second } else { first.and(second) })
        }
        Filter::AnyOfTrace(within) => match (subject.header.trace, depth) {
            (None, _) => Ok(Some(false)),
            (Some(_), Depth::Header) => Ok(None),
            (Some(link), Depth::All) => reach.any_of(link.trace_id, within),
        },
        Filter::Exists(field) => subject.read(field, reach, depth, |found| match found {
            Found::Unknown => None,
            Found::Absent => Some(false),
            Found::Cell(_) => Some(true),
        }),
        Filter::Compare { field, how, value } => {
            subject.read(field, reach, depth, |found| holds(found, |cell| cell.compares(*how, value)))
        }
        Filter::In { field, values } => {
            let is_one = |cell: Cell<'_>| values.iter().any(|value| cell.compares(Comparison::Equal, value));
            subject.read(field, reach, depth, |found| holds(found, is_one))
        }
    }
}

fn holds(found: Found<'_>, test: impl FnOnce(Cell<'_>) -> bool) -> Option<bool> {
    match found {
        Found::Unknown => None,
        Found::Absent => Some(false),
        Found::Cell(cell) => Some(test(cell)),
    }
}
