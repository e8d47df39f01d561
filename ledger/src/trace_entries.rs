//! A writer's own look at a trace: what it has kept of it, without a snapshot.

use proofline_proof::header::EntryHeader;
use proofline_trace::TraceId;

use crate::error::LedgerError;
use crate::ledger::{Ledger, lock};
use crate::log::Log;
use crate::segments::{Entry, read_error};

impl Ledger {
    /// The entries of a trace that this writer knows, in order: those that `wanted` takes by their headers. What
    /// another
    /// process appended since the last commit is not among them.
    ///
    /// # Errors
    /// [`LedgerError`] when the log cannot be read.
    pub fn trace_entries(
        &self,
        trace: TraceId,
        wanted: impl Fn(&EntryHeader) -> bool,
    ) -> Result<Vec<Entry>, LedgerError> {
        lock(self.log()).trace_entries(trace, wanted)
    }
}

impl Log {
    fn trace_entries(
        &self,
        trace: TraceId,
        wanted: impl Fn(&EntryHeader) -> bool,
    ) -> Result<Vec<Entry>, LedgerError> {
        let failed = |fault| read_error(self.dir(), fault);
        let segments = self.segments();
        let seqs = segments.of_trace(trace).map_err(|error| failed(error.into()))?;
        let mut entries = Vec::new();
        for seq in seqs {
            let Some(header) = segments.header(seq).map_err(failed)? else { continue };
            if wanted(&header) {
                entries.extend(segments.read(seq).map_err(failed)?);
            }
        }
        Ok(entries)
    }
}
