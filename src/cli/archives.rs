//! Archives that a reading verb is given, and the word that bodies are archived where it is not.

use std::path::{Path, PathBuf};

use proofline::ledger::{ArchivedEntry, Entry, EntryFault, Seq, Snapshot};

use super::error::CliError;
use super::input::ledger_folder;
use super::output::{Format, note};
use super::phrase::counted;

/// Where to find the bodies of archived entries.
#[derive(clap::Args)]
pub(crate) struct ArchivesArgs {
    /// An archive of this ledger, whose segments are read as if they were in place; may be given
    /// several times
    #[arg(long = "archive", value_name = "OUT")]
    pub(crate) archives: Vec<PathBuf>,
}

impl ArchivesArgs {
    /// Opens a ledger for reading, with the archives in place.
    pub(crate) fn snapshot(&self, dir: &Path) -> Result<Snapshot, CliError> {
        Ok(Snapshot::open_with_archives(ledger_folder(dir)?, &self.archives)?)
    }
}

/// Entries that a list could show by their headers alone.
#[derive(Debug, Default)]
pub(crate) struct Away {
    count: u64,
    first: Option<ArchivedEntry>,
}

impl Away {
    /// Takes note of an archived entry, and gives it without its body.
    pub(crate) fn take(
        &mut self,
        snapshot: &Snapshot,
        seq: Seq,
        archived: ArchivedEntry,
    ) -> Result<Option<Entry>, EntryFault> {
        self.count += 1;
        self.first.get_or_insert(archived);
        let (header, bytes) = (snapshot.header(seq)?, snapshot.header_bytes(seq)?);
        Ok(header.zip(bytes).map(|(header, header_bytes)| Entry { header, header_bytes, body: Vec::new() }))
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Says once that something was away.
    pub(crate) fn tell(&self, format: Format) {
        let Some(first) = &self.first else { return };
        let entries = counted(self.count, "entry is", "entries are");
        let message = format!(
            "the bodies of {entries} archived, so what they say is not shown; the first: {first}; `--archive` \
             names an archive to read"
        );
        note(format, "entry.archived", &message);
    }
}
