//! Whether the traces gave every entry that names one. Traces are found through indexes, which
//! are derived files: one that leaves entries out must not make a run over everything smaller.

use proofline_canon::Blake3Digest;
use proofline_ledger::{Damage, Seq};
use proofline_trace::TraceId;

/// Entries that name a trace: how many, and a checksum over (trace, seq) that no order changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Census {
    entries: u64,
    sum: u128,
}

impl Census {
    pub(crate) fn count(&mut self, trace_id: TraceId, seq: Seq) {
        let mut bytes = [0; 24];
        let (front, back) = bytes.split_at_mut(16);
        front.copy_from_slice(trace_id.as_bytes());
        back.copy_from_slice(&seq.get().to_le_bytes());
        let digest = Blake3Digest::of(&bytes);
        let term = digest.as_bytes().first_chunk().map_or(0, |bytes| u128::from_le_bytes(*bytes));
        self.add(Self { entries: 1, sum: term });
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// What is wrong when the log holds this census and its traces gave another.
    pub(crate) fn fault_of_traces(self, traces: Self) -> Option<Damage> {
        (self != traces).then(|| {
            let message = match traces.entries == self.entries {
                true => "the indexes give other entries for their traces than those that name one".to_owned(),
                false => format!(
                    "{} entries name a trace, and the indexes give {} of them; a sealed index is not its segment's",
                    self.entries, traces.entries
                ),
            };
            Damage { code: "index.incomplete", file: "log".to_owned(), offset: None, seq: None, message }
        })
    }
}
