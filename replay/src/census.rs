//! Whether the indexes give every entry of the log, under its trace and under its hash. They are
//! derived files: one that leaves entries out must not make a run over everything smaller.

use std::ops::Range;

use proofline_canon::Blake3Digest;
use proofline_ledger::{Damage, EntryFault, EntryHeader, EntryKind, ListedHash, Seq, Snapshot};
use proofline_trace::TraceId;

/// Entries that are named in some way: how many, and a checksum that no order changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) entries: u64,
    pub(crate) sum: u128,
}

impl Census {
    /// An entry that names a trace.
    pub(crate) fn count(&mut self, trace_id: TraceId, seq: Seq) {
        let mut bytes = [0; 24];
        let (front, back) = bytes.split_at_mut(16);
        front.copy_from_slice(trace_id.as_bytes());
        back.copy_from_slice(&seq.get().to_le_bytes());
        self.take(&bytes);
    }

    fn count_hash(&mut self, listed: ListedHash) {
        let mut bytes = [0; 17];
        let (front, back) = bytes.split_at_mut(8);
        front.copy_from_slice(&listed.prefix);
        let (seq, kind) = back.split_at_mut(8);
        seq.copy_from_slice(&listed.seq.get().to_le_bytes());
        kind.fill(listed.kind_code);
        self.take(&bytes);
    }

    fn take(&mut self, bytes: &[u8]) {
        let digest = Blake3Digest::of(bytes);
        let term = digest.as_bytes().first_chunk().map_or(0, |bytes| u128::from_le_bytes(*bytes));
        self.add(Self { entries: 1, sum: term });
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.entries = self.entries.saturating_add(other.entries);
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// The entries of a log, as its indexes must have them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LogCensus {
    pub(crate) traces: Census,
    pub(crate) hashes: Census,
    /// System entries.
    pub(crate) system: u64,
    /// Entries that cannot be read, so that nobody knows what the indexes have to say of them.
    pub(crate) unreadable: u64,
}

/// What the indexes list under hashes, of a stretch of the log, and what they say of the whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Of the stretch.
    pub(crate) hashes: Census,
    /// Whether each index has its hashes in order.
    pub(crate) in_order: bool,
    /// System entries of the whole log.
    pub(crate) system: u64,
}

impl Listed {
    /// Reads it for the entries of a stretch; what an index lists behind the last one counts to the last stretch.
    pub(crate) fn read(snapshot: &Snapshot, stretch: &Range<u64>) -> Result<Self, EntryFault> {
        let is_last = stretch.end >= snapshot.entries();
        let is_own = |seq: u64| seq >= stretch.start && (is_last || seq < stretch.end);
        let mut hashes = Census::default();
        let in_order = snapshot.visit_listed_hashes(&mut |hash| {
            if is_own(hash.seq.get()) {
                hashes.count_hash(hash);
            }
        })?;
        Ok(Self { hashes, in_order, system: snapshot.system_entries()?.len() as u64 })
    }
}

impl LogCensus {
    pub(crate) fn count(&mut self, header: &EntryHeader) {
        self.hashes.count_hash(ListedHash::of(header));
        self.system += u64::from(header.status.kind() == EntryKind::System);
        header.trace.iter().for_each(|link| self.traces.count(link.trace_id, header.seq));
    }

    pub(crate) fn count_unreadable(&mut self) {
        self.unreadable += 1;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.traces.add(other.traces);
        self.hashes.add(other.hashes);
        self.system = self.system.saturating_add(other.system);
        self.unreadable = self.unreadable.saturating_add(other.unreadable);
    }

    /// What is wrong when the traces of this log gave another census.
    pub(crate) fn fault_of_traces(self, traces: Census) -> Option<Damage> {
        (self.traces != traces).then(|| {
            incomplete(match traces.entries == self.traces.entries {
                true => "the indexes give other entries for their traces than those that name one".to_owned(),
                false => format!(
                    "{} entries name a trace, and the indexes give {} of them; a sealed index is not its segment's",
                    self.traces.entries, traces.entries
                ),
            })
        })
    }

    /// What is wrong when the indexes list other hashes than the entries have. Where an entry cannot
    /// be read there is no saying; that is damage by itself.
    pub(crate) fn fault_of_hashes(self, listed: &Listed) -> Option<Damage> {
        if self.unreadable > 0 {
            return None;
        }
        let message = if self.system != listed.system {
            "the indexes list other system entries than there are; a sealed index is not its segment's"
        } else if self.hashes != listed.hashes {
            "the indexes list other envelope hashes than those of the entries; a sealed index is not its segment's"
        } else if !listed.in_order {
            "an index lists envelope hashes in an order in which some are not found; it is not its segment's"
        } else {
            return None;
        };
        Some(incomplete(message.to_owned()))
    }
}

fn incomplete(message: String) -> Damage {
    Damage { code: "index.incomplete", file: "log".to_owned(), offset: None, seq: None, message }
}
