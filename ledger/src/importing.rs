//! Turns of imports. What a ledger knows of spans is spread over its log, and an import goes by it: it commits in
//! turns, of which one import of a ledger has one at a time, and sees then whether what it read still holds.

use std::fmt;

use proofline_proof::Seq;
use proofline_proof::header::EntryKind;

use crate::disk::DiskLock;
use crate::error::{IoContext, LedgerError};
use crate::ledger::{Ledger, lock};

/// The file whose lock an import holds for a turn. The system gives it back however a process ends.
const IMPORT_LOCK: &str = "import.lock";

/// Entries that are looked at for what others did; where there are more, they did something.
const MOST_LOOKED_AT: u64 = 1 << 16;

/// A turn of an import, until it is dropped.
#[must_use = "the turn is over when this is dropped"]
pub struct ImportTurn<'a> {
    ledger: &'a Ledger,
    _lock: Box<dyn DiskLock>,
}

impl fmt::Debug for ImportTurn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportTurn")
    }
}

impl Ledger {
    /// Waits until no other import has a turn, and knows from then on what others appended before. A thread that
    /// has a turn waits for itself.
    ///
    /// # Errors
    /// What the system reports, or what catching up with others does.
    pub fn import_turn(&self) -> Result<ImportTurn<'_>, LedgerError> {
        let path = self.dir().join(IMPORT_LOCK);
        let turn = self.disk().lock(&path).during("lock", &path)?;
        lock(self.log()).follow_others()?;
        Ok(ImportTurn { ledger: self, _lock: turn })
    }
}

impl ImportTurn<'_> {
    /// Whether an import may have appended something behind so many entries, which this writer has seen: only refused
    /// attempts and artifacts tell an import anything.
    #[must_use]
    pub fn may_have_imports_behind(&self, entries: u64) -> bool {
        let log = lock(self.ledger.log());
        let tells = |seq| match log.segments().header(Seq::new(seq)) {
            Ok(Some(header)) => matches!(header.status.kind(), EntryKind::Rejected | EntryKind::Artifact),
            // Whoever has to read it hears what is wrong with it.
            Ok(None) | Err(_) => true,
        };
        log.entries().saturating_sub(entries) > MOST_LOOKED_AT || (entries..log.entries()).any(tells)
    }
}
