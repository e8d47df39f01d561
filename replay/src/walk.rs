//! Traces in batches of bounded size: looked up together, read by the threads of a run, handed on in their order.

use std::ops::ControlFlow;

use proofline_ledger::{EntryFault, Seq, Snapshot};
use proofline_trace::TraceId;
use rayon::ThreadPool;
use rayon::prelude::*;

use crate::error::ReplayError;

/// Traces, or pairs of them, that are looked up at once.
pub(crate) const TRACES_PER_CHUNK: usize = 256;
/// A batch ends with the trace that brings it to this many entries. Memory holds one batch: so
/// many records, or one trace that is longer.
pub(crate) const ENTRIES_PER_BATCH: usize = 1 << 16;

/// A trace and its entries, ascending.
pub(crate) type TraceEntries = (TraceId, Vec<Seq>);

/// The entries of each of these traces, in the same order.
pub(crate) fn look_up(
    pool: &ThreadPool,
    snapshot: &Snapshot,
    traces: &[TraceId],
) -> Result<Vec<TraceEntries>, ReplayError> {
    let look_up = |trace: &TraceId| Ok((*trace, snapshot.of_trace(*trace)?));
    let found: Result<Vec<_>, EntryFault> = pool.install(|| traces.par_iter().map(look_up).collect());
    found.map_err(ReplayError::Lookup)
}

/// The traces in batches, each of one trace at least.
pub(crate) fn batches(traces: Vec<TraceEntries>) -> impl Iterator<Item = Vec<TraceEntries>> {
    let mut rest = traces.into_iter().peekable();
    std::iter::from_fn(move || {
        rest.peek()?;
        let mut entries = 0;
        let batch = std::iter::from_fn(|| {
            let next = rest.next_if(|_| entries < ENTRIES_PER_BATCH)?;
            entries += next.1.len();
            Some(next)
        });
        Some(batch.collect())
    })
}

/// A sink that breaks stops the run.
pub(crate) fn stop(answer: ControlFlow<()>) -> Result<(), ReplayError> {
    match answer {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ReplayError::Stopped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_hold_every_trace_once_and_end_where_they_are_full() {
        let trace = |number: u8, entries: usize| {
            (TraceId::from_bytes([number; 16]).unwrap(), vec![Seq::new(0); entries])
        };
        let traces =
            vec![trace(1, 1), trace(2, ENTRIES_PER_BATCH), trace(3, 2 * ENTRIES_PER_BATCH), trace(4, 0)];
        let sizes = batches(traces.clone()).map(|batch| batch.len());
        assert_eq!(sizes.collect::<Vec<_>>(), [2, 1, 1]);
        assert_eq!(batches(traces.clone()).flatten().collect::<Vec<_>>(), traces);
        assert_eq!(batches(Vec::new()).count(), 0);
    }
}
