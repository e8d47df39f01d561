//! Reads entries, many at once or one by one, and keeps of each what its neighbours must agree with.

use std::sync::{Mutex, PoisonError};

use proofline_canon::Sha256Digest;
use proofline_ledger::{
    Damage, Entry, EntryBuffer, EntryFault, EntryHeader, EntryView, LeafHash, Seq, Snapshot,
};
use proofline_trace::EnvelopeHash;

use crate::error::ReplayError;

/// How a run reads and checks. Both ways give the same; a test compares them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Many entries at once, and no link twice.
    #[default]
    Bulk,
    /// One entry after the other, each by itself.
    OneByOne,
}

/// Reads entries for the threads of a run, in memory that they use again.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) pace: Pace,
    idle: Mutex<Vec<EntryBuffer>>,
}

/// An entry with its hashes.
#[derive(Debug)]
pub(crate) struct HashedEntry<'a> {
    pub(crate) header: EntryHeader,
    pub(crate) leaf: LeafHash,
    pub(crate) body: &'a [u8],
    /// Of the body, where it was asked for.
    pub(crate) body_hash: Option<EnvelopeHash>,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(snapshot: &'a Snapshot, pace: Pace) -> Self {
        Self { snapshot, pace, idle: Mutex::new(Vec::new()) }
    }

    /// Shows these entries in their order, with their hashes; `None` is to be read by itself.
    pub(crate) fn read<E>(
        &self,
        seqs: &[Seq],
        wants_body_hash: impl Fn(&EntryHeader) -> bool,
        mut visit: impl FnMut(Seq, Option<HashedEntry<'_>>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.pace == Pace::OneByOne {
            return seqs.iter().try_for_each(|seq| visit(*seq, None));
        }
        let mut buffer = self.idle().pop().unwrap_or_default();
        let mut rest = seqs;
        while !rest.is_empty() {
            let count = self.snapshot.read_entries(rest, &mut buffer).max(1);
            let (now, behind) = rest.split_at(count.min(rest.len()));
            let mut entries = hashed(buffer.entries(now), &wants_body_hash).into_iter();
            now.iter().try_for_each(|seq| visit(*seq, entries.next().flatten()))?;
            rest = behind;
        }
        self.idle().push(buffer);
        Ok(())
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<EntryBuffer>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hashes headers and bodies together.
fn hashed<'a>(
    views: Vec<Option<EntryView<'a>>>,
    wants_body_hash: &impl Fn(&EntryHeader) -> bool,
) -> Vec<Option<HashedEntry<'a>>> {
    let wanted = |view: &&EntryView<'_>| wants_body_hash(&view.header);
    let headers: Vec<&[u8]> = views.iter().flatten().map(|view| view.header_bytes).collect();
    let bodies: Vec<&[u8]> = views.iter().flatten().filter(wanted).map(|view| view.body).collect();
    let mut leaves = LeafHash::of_headers(&headers).into_iter();
    let mut hashes = Sha256Digest::of_each(&bodies).into_iter();
    let of_view = |view: Option<EntryView<'a>>| {
        let view = view?;
        let body_hash = if wanted(&&view) { hashes.next() } else { None };
        Some(HashedEntry {
            header: view.header,
            leaf: leaves.next()?,
            body: view.body,
            body_hash: body_hash.map(|hash| EnvelopeHash::from_bytes(*hash.as_bytes())),
        })
    };
    views.into_iter().map(of_view).collect()
}

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
        Self::with_leaf(header, header.leaf_hash())
    }

    /// Of a header whose leaf hash is known.
    pub(crate) const fn with_leaf(header: &EntryHeader, leaf: LeafHash) -> Self {
        Self {
            seq: header.seq,
            previous_leaf: header.previous_leaf,
            leaf,
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
