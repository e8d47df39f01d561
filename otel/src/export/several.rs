//! Several traces at once: each on a thread of its own, in the order asked for, and no more of them in memory than a
//! number of bytes.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry_proto::tonic::trace::v1::TracesData;
use proofline_trace::TraceId;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{ExportError, ExportTally, ExportVerdicts, ExportedTrace, Exporter};

/// A trace in the form that it goes out in.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenTrace {
    /// Its message; without spans there is none.
    pub message: Option<Vec<u8>>,
    /// What it holds.
    pub tally: ExportTally,
}

/// How much is worked at together. Neither changes what comes out.
#[derive(Debug, Clone, Copy)]
pub struct Together {
    /// So many threads; else one a processor.
    pub threads: Option<NonZeroUsize>,
    /// No trace is begun while written ones that nobody has taken yet are this many bytes or more.
    pub most_bytes: NonZeroUsize,
}

/// What is made of a trace once it is exported, and how many bytes that holds; on any thread.
type Make<'a, T> = &'a (dyn Fn(ExportedTrace) -> (T, usize) + Sync);

impl Exporter<'_> {
    /// Several, in the order asked for, by as many threads as are named, else one a processor.
    ///
    /// # Errors
    /// [`ExportError`] of the first that has one.
    pub fn traces(
        &self,
        asked: &[(TraceId, ExportVerdicts)],
        threads: Option<NonZeroUsize>,
    ) -> Result<Vec<ExportedTrace>, ExportError> {
        let mut all = Vec::with_capacity(asked.len());
        let together = Together { threads, most_bytes: NonZeroUsize::MAX };
        self.in_order(asked, together, &|trace| (trace, 0), &mut |trace| {
            all.push(trace);
            Ok::<(), ExportError>(())
        })?;
        Ok(all)
    }

    /// Several traces, by `write` in the form that they go out in, handed to `take` in the order asked for. Besides
    /// what waits to be taken, a thread holds the trace that it works at.
    ///
    /// # Errors
    /// [`ExportError`] of the first that has one, and what `take` gives.
    pub fn each<E: From<ExportError>>(
        &self,
        asked: &[(TraceId, ExportVerdicts)],
        together: Together,
        write: &(dyn Fn(&TracesData) -> Vec<u8> + Sync),
        take: &mut dyn FnMut(WrittenTrace) -> Result<(), E>,
    ) -> Result<(), E> {
        let make = |ExportedTrace { message, tally }| {
            let message = message.map(|it| write(&it));
            let bytes = message.as_ref().map_or(0, Vec::len);
            (WrittenTrace { message, tally }, bytes)
        };
        self.in_order(asked, together, &make, take)
    }

    fn in_order<T: Send, E: From<ExportError>>(
        &self,
        asked: &[(TraceId, ExportVerdicts)],
        together: Together,
        make: Make<'_, T>,
        take: &mut dyn FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        let pool =
            ThreadPoolBuilder::new().num_threads(together.threads.map_or(0, NonZeroUsize::get)).build();
        let pool = pool.map_err(|error| ExportError::Threads(error.to_string()))?;
        let mut rest = asked;
        while !rest.is_empty() {
            let made = self.first_of(rest, together.most_bytes, make, &pool);
            rest = rest.get(made.len().max(1)..).unwrap_or_default();
            for one in made {
                take(one?)?;
            }
        }
        Ok(())
    }

    /// The first of these, one at least, until what they hold is so many bytes.
    fn first_of<T: Send>(
        &self,
        asked: &[(TraceId, ExportVerdicts)],
        most_bytes: NonZeroUsize,
        make: Make<'_, T>,
        pool: &ThreadPool,
    ) -> Vec<Result<T, ExportError>> {
        let (next, held_bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            let mut made = Vec::new();
            while held_bytes.load(Ordering::Relaxed) < most_bytes.get() {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some((trace, verdicts)) = asked.get(at) else { break };
                let one = self.trace(*trace, verdicts).map(|exported| {
                    let (one, bytes) = make(exported);
                    held_bytes.fetch_add(bytes, Ordering::Relaxed);
                    one
                });
                made.push((at, one));
            }
            made
        };
        // Whatever was begun is ended, so that these are the first ones, and none is left out between them.
        let mut made: Vec<_> = pool.broadcast(|_| work()).into_iter().flatten().collect();
        made.sort_by_key(|(at, _)| *at);
        made.into_iter().map(|(_, one)| one).collect()
    }
}
