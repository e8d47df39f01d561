//! Which traces have an entry that fits. What is kept of a trace is its id, so that many take little memory.

use std::collections::BTreeSet;

use proofline_ledger::{Damage, EntryFault, Snapshot};
use proofline_trace::TraceId;

use crate::field::{EntryField, Field};
use crate::filter::Filter;
use crate::plan::Plan;
use crate::run::{Cost, Event, QueryError, Question, Undecided, answer};

/// Traces, by what is known of their entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TracesFound {
    /// Those with an entry that fits.
    pub fitting: BTreeSet<TraceId>,
    /// Those of which nobody can say: no entry is known to fit, and some cannot be read.
    pub undecided: BTreeSet<TraceId>,
}

/// Finds the traces that have an entry that fits. A limit of the question is none here. Entries that are damaged fit
/// nothing, and go to `take`.
///
/// # Errors
/// As [`answer`].
pub fn traces_with<E: From<QueryError>>(
    snapshot: &Snapshot,
    question: &Question,
    take: &mut dyn FnMut(Damage) -> Result<(), E>,
) -> Result<(TracesFound, Plan, Cost), E> {
    // Where an entry is of no trace, nothing else of it matters.
    let of_trace = Filter::Exists(Field::Entry(EntryField::TraceId));
    let filter = of_trace.and(question.filter.clone());
    let question = Question { filter, limit: None, ..question.clone() };
    let mut found = TracesFound::default();
    let mut last = None;
    let (plan, cost) = answer::<Option<TraceId>, E>(
        snapshot,
        &question,
        &|hit| Ok(hit.header().trace.map(|link| link.trace_id)),
        &mut |event| match event {
            Event::Answer(trace) => {
                // Entries of a trace mostly stand together.
                if last != trace {
                    found.fitting.extend(trace);
                    last = trace;
                }
                Ok(())
            }
            Event::Undecided(why) => {
                found.undecided.extend(trace_of(snapshot, &why).map_err(QueryError::from)?);
                Ok(())
            }
            Event::Damaged(damage) => take(damage),
        },
    )?;
    let TracesFound { fitting, undecided } = &mut found;
    undecided.retain(|trace| !fitting.contains(trace));
    Ok((found, plan, cost))
}

/// The trace of an entry that was not decided: its header says so.
fn trace_of(snapshot: &Snapshot, why: &Undecided) -> Result<Option<TraceId>, EntryFault> {
    let seq = match why {
        Undecided::Archived(archived) => archived.seq,
        Undecided::Unreadable(seq) | Undecided::Chain(seq) => *seq,
    };
    Ok(snapshot.header(seq)?.and_then(|header| header.trace).map(|link| link.trace_id))
}
