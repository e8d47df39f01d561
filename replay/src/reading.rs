//! Reads entries one by one and keeps of each what its neighbours must agree with.

use proofline_ledger::{Damage, Entry, EntryFault, EntryHeader, LeafHash, Seq, Snapshot};

use crate::error::ReplayError;

/// What the chain of the log says of an entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkFacts {
    pub(crate) seq: Seq,
    pub(crate) previous_leaf: Option<LeafHash>,
    pub(crate) leaf: LeafHash,
    pub(crate) recorded_at_ms: u64,
}

impl LinkFacts {
    pub(crate) fn of(entry: &Entry) -> Self {
        Self::of_header(&entry.header)
    }

    fn of_header(header: &EntryHeader) -> Self {
        Self {
            seq: header.seq,
            previous_leaf: header.previous_leaf,
            leaf: header.leaf_hash(),
            recorded_at_ms: header.recorded_at_ms,
        }
    }

    /// What does not hold between this entry and the next one, as a report of damage has it.
    pub(crate) fn fault_of_next(&self, next: &Self) -> Option<LinkFault> {
        if next.previous_leaf != Some(self.leaf) {
            return Some(LinkFault::Leaf { expected: self.leaf, found: next.previous_leaf });
        }
        let (earliest_ms, found_ms) = (self.recorded_at_ms, next.recorded_at_ms);
        (found_ms < earliest_ms).then_some(LinkFault::Clock { earliest_ms, found_ms })
    }
}

/// What does not hold between two neighbours; the later one is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkFault {
    Leaf { expected: LeafHash, found: Option<LeafHash> },
    Clock { earliest_ms: u64, found_ms: u64 },
}

impl LinkFault {
    /// The damage of the log, under the codes that the ledger uses.
    pub(crate) fn damage(&self, snapshot: &Snapshot, seq: Seq) -> Damage {
        match self {
            Self::Leaf { expected, found } => {
                let found = found.map_or_else(|| "none".to_owned(), |leaf| leaf.to_string());
                let message = format!("the link to the entry before is {found}; its leaf hash is {expected}");
                damage_at(snapshot, seq, "log.link", message)
            }
            Self::Clock { earliest_ms, found_ms } => {
                let message =
                    format!("recorded at {found_ms} ms, before the entry before it ({earliest_ms} ms)");
                damage_at(snapshot, seq, "log.clock", message)
            }
        }
    }
}

/// The entry, or why it cannot be read.
pub(crate) fn read_entry(snapshot: &Snapshot, seq: Seq) -> Result<Result<Entry, Damage>, ReplayError> {
    match snapshot.entry(seq) {
        Ok(Some(entry)) => Ok(Ok(entry)),
        Ok(None) => {
            let message = "no readable frame holds this entry".to_owned();
            Ok(Err(damage_at(snapshot, seq, UNREADABLE, message)))
        }
        Err(EntryFault::Damaged(damage)) => Ok(Err(damage)),
        Err(EntryFault::Archived(entry)) => Err(ReplayError::Archived(entry)),
        Err(EntryFault::Io(source)) => Err(ReplayError::Entry { seq, source }),
        Err(other) => Err(ReplayError::Lookup(other)),
    }
}

/// What the chain says of an entry, for which an archived one needs no body.
pub(crate) fn read_facts(snapshot: &Snapshot, seq: Seq) -> Result<Result<LinkFacts, Damage>, ReplayError> {
    match read_entry(snapshot, seq) {
        Err(ReplayError::Archived(entry)) => {
            let header = snapshot.header(seq).map_err(ReplayError::Lookup)?;
            Ok(Ok(LinkFacts::of_header(&header.ok_or(ReplayError::Archived(entry))?)))
        }
        read => Ok(read?.map(|entry| LinkFacts::of_header(&entry.header))),
    }
}

/// The code of an entry whose place in the log is not known.
pub(crate) const UNREADABLE: &str = "log.unreadable";

/// Damage of an entry, with its file and offset where they are known.
pub(crate) fn damage_at(snapshot: &Snapshot, seq: Seq, code: &'static str, message: String) -> Damage {
    let (file, offset) = snapshot.place(seq).unwrap_or_else(|| ("log".to_owned(), None));
    Damage { code, file, offset, seq: Some(seq), message }
}
