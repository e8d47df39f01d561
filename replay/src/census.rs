//! Whether the indexes give every entry of the log, under its trace and under its hash. They are
//! derived files: one that leaves entries out must not make a run over everything smaller.
//!
//! Nothing here is a checksum: whoever forges an index can make any sum come out right that adds up terms one by one.
//! Of the entries that a trace gave each was read and names that trace, and none counts twice, so their number is
//! enough; what is listed under hashes is held against the log, entry by entry.

use std::ops::Range;

use proofline_ledger::{Damage, EntryFault, EntryHeader, EntryKind, ListedHash, Seq, Snapshot};

/// Entries that are held against the indexes at a time, from the beginning of a stretch on: some segments of usual
/// length, two megabytes.
pub(crate) const PIECE_ENTRIES: u64 = 1 << 18;

/// The kind of an entry that cannot be read, and of one that is not there: no index has such a kind.
const UNREADABLE: u8 = u8::MAX;

/// Entries of the log one after the other, as the indexes must have them.
#[derive(Debug, Default)]
pub(crate) struct Logged {
    first: u64,
    prefixes: Vec<[u8; 8]>,
    kinds: Vec<u8>,
}

impl Logged {
    /// None yet, from this entry on.
    pub(crate) fn from(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    /// These entries, by their headers alone: what a run that is taken up again looked at before.
    pub(crate) fn read(snapshot: &Snapshot, entries: Range<u64>) -> Result<Self, EntryFault> {
        let mut logged = Self::from(entries.start);
        for seq in entries.map(Seq::new) {
            match snapshot.header(seq) {
                Ok(Some(header)) => logged.push(&header),
                Ok(None) | Err(EntryFault::Damaged(_)) => logged.push_unreadable(),
                Err(fault) => return Err(fault),
            }
        }
        Ok(logged)
    }

    pub(crate) fn push(&mut self, header: &EntryHeader) {
        let ListedHash { prefix, kind_code, .. } = ListedHash::of(header);
        self.prefixes.push(prefix);
        self.kinds.push(kind_code);
    }

    pub(crate) fn push_unreadable(&mut self) {
        self.prefixes.push([0; 8]);
        self.kinds.push(UNREADABLE);
    }

    /// Takes in those right behind.
    pub(crate) fn append(&mut self, mut next: Self) {
        self.prefixes.append(&mut next.prefixes);
        self.kinds.append(&mut next.kinds);
    }

    pub(crate) const fn count(&self) -> u64 {
        self.kinds.len() as u64
    }

    fn entries(&self) -> Range<u64> {
        self.first..self.first + self.count()
    }

    fn place_of(&self, seq: Seq) -> Option<usize> {
        let place = usize::try_from(seq.get().checked_sub(self.first)?).ok()?;
        (place < self.kinds.len()).then_some(place)
    }

    /// The kind of the entry, unless nobody knows it.
    fn kind_at(&self, place: usize) -> Option<u8> {
        self.kinds.get(place).copied().filter(|kind| *kind != UNREADABLE)
    }
}

/// Whether the indexes list what the log has, of a stretch of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Each entry under its hash, with its kind, once; and nothing else.
    pub(crate) hashes: bool,
    /// In the order in which they are searched.
    pub(crate) in_order: bool,
    /// Each system entry as one, and no other.
    pub(crate) system: bool,
}

impl Default for Listed {
    /// Of no entries.
    fn default() -> Self {
        Self { hashes: true, in_order: true, system: true }
    }
}

impl Listed {
    /// What the indexes list of these entries, held against them. Of one that cannot be read nothing is asked.
    pub(crate) fn of(snapshot: &Snapshot, logged: &Logged) -> Result<Self, EntryFault> {
        let (mut met, mut is_right) = (vec![false; logged.kinds.len()], true);
        let in_order = snapshot.visit_listed_hashes_of(logged.entries(), &mut |listed| {
            let Some(place) = logged.place_of(listed.seq) else { return };
            let is_new = met.get_mut(place).is_some_and(|met| !std::mem::replace(met, true));
            let is_as_logged = logged.kind_at(place).is_none_or(|kind| {
                (logged.prefixes.get(place), kind) == (Some(&listed.prefix), listed.kind_code)
            });
            is_right &= is_new && is_as_logged;
        })?;
        let hides = |(place, met): (usize, &bool)| !met && logged.kind_at(place).is_some();
        let hashes = is_right && !met.iter().enumerate().any(hides);
        Ok(Self { hashes, in_order, system: lists_system(snapshot, logged)? })
    }

    pub(crate) const fn add(&mut self, other: Self) {
        self.hashes &= other.hashes;
        self.in_order &= other.in_order;
        self.system &= other.system;
    }
}

/// Whether the system entries that the indexes name, ascending, are those of the log.
fn lists_system(snapshot: &Snapshot, logged: &Logged) -> Result<bool, EntryFault> {
    let listed = snapshot.system_entries_of(logged.entries())?;
    let mut listed = listed.into_iter().filter_map(|seq| logged.place_of(seq)).peekable();
    for (place, kind) in logged.kinds.iter().enumerate() {
        let is_listed = listed.next_if_eq(&place).is_some();
        if *kind != UNREADABLE && is_listed != (*kind == EntryKind::System.code()) {
            return Ok(false);
        }
    }
    // What is left stands there twice, or out of order.
    Ok(listed.next().is_none())
}

/// The entries of a log, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LogCensus {
    /// Those that name a trace.
    pub(crate) traces: u64,
    /// Entries that cannot be read, so that nobody knows what the indexes have to say of them.
    pub(crate) unreadable: u64,
}

impl LogCensus {
    pub(crate) fn count(&mut self, header: &EntryHeader) {
        self.traces += u64::from(header.trace.is_some());
    }

    pub(crate) const fn count_unreadable(&mut self) {
        self.unreadable += 1;
    }

    pub(crate) const fn add(&mut self, other: Self) {
        self.traces = self.traces.saturating_add(other.traces);
        self.unreadable = self.unreadable.saturating_add(other.unreadable);
    }

    /// What is wrong when the traces of this log gave so many entries.
    pub(crate) fn fault_of_traces(self, given: u64) -> Option<Damage> {
        (self.traces != given).then(|| {
            incomplete(format!(
                "{} entries name a trace, and the indexes give {given} of them; a sealed index is not its segment's",
                self.traces
            ))
        })
    }

    /// What is wrong when the indexes list other hashes than the entries have. Where an entry cannot
    /// be read there is no saying; that is damage by itself.
    pub(crate) fn fault_of_hashes(self, listed: Listed) -> Option<Damage> {
        if self.unreadable > 0 {
            return None;
        }
        let message = if !listed.system {
            "the indexes list other system entries than there are; a sealed index is not its segment's"
        } else if !listed.hashes {
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
