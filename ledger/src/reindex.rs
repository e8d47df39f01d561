//! Makes everything derived again from the log, in one call: the index of each sealed segment,
//! the published size, the marks of erased payloads, and the catalogue.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::blobs::Eraser;
use crate::catalogue::{Catalogue, CatalogueError};
use crate::disk::{Disk, OsDisk};
use crate::durable;
use crate::error::{IoContext, LedgerError};
use crate::index::index_name;
use crate::load::segment_seqs;
use crate::log::{LOCK_FILE, failed_erasure, redo_erasures};
use crate::mark::{MARK_FILE, MarkFile};
use crate::recovery::{Recovery, settle};
use crate::segments::LOG_DIR;
use crate::snapshot::Snapshot;
use proofline_proof::Seq;

/// What was made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReindexReport {
    /// Index files written.
    pub indexes: u64,
    /// Entries of the ledger.
    pub entries: u64,
    /// Entries of the catalogue; none when it is open elsewhere and was left to whoever has it, or when
    /// entries are archived that it lists.
    pub catalogue_entries: Option<u64>,
    /// Segments that are archived, and were not brought.
    pub archived_segments: u64,
    /// What had to be mended on the way, as at every opening.
    pub recovery: Recovery,
}

/// Why a ledger could not be indexed again.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReindexError {
    /// The log, or a file of ours.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The catalogue.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
}

impl ReindexError {
    /// The stable code of this error: that of its cause.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            ReindexError::Ledger(error) => error.code(),
            ReindexError::Catalogue(error) => error.code(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            ReindexError::Ledger(error) => error.hint(),
            ReindexError::Catalogue(error) => error.hint(),
        }
    }
}

/// Makes the indexes, the published size and the catalogue of the ledger in `dir` again.
///
/// # Errors
/// As [`Ledger::open`](crate::Ledger::open): a damaged log is refused, because what is derived
/// from it would hide the damage.
pub fn reindex(dir: impl AsRef<Path>) -> Result<ReindexReport, ReindexError> {
    reindex_with(dir, &[])
}

/// [`reindex`], the catalogue with the entries of these archives.
///
/// # Errors
/// As [`reindex`], and for a folder that is no archive of this ledger.
pub fn reindex_with(dir: impl AsRef<Path>, archives: &[PathBuf]) -> Result<ReindexReport, ReindexError> {
    let dir = dir.as_ref();
    let report = reindex_on(&OsDisk, dir)?;
    let snapshot = Snapshot::open_with_archives(dir, archives)?;
    let archived_segments = snapshot.archived().len() as u64;
    if archived_segments > 0 {
        return Ok(ReindexReport { archived_segments, ..report });
    }
    let catalogue_entries = match Catalogue::rebuild(&snapshot, &mut |_| {}) {
        Ok(catalogue) => Some(catalogue.entries()),
        Err(CatalogueError::Busy(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(ReindexReport { catalogue_entries, ..report })
}

/// [`reindex`] on another [`Disk`], where there is no catalogue.
///
/// # Errors
/// As [`reindex`].
pub fn reindex_on(disk: &dyn Disk, dir: &Path) -> Result<ReindexReport, LedgerError> {
    let seqs = segment_seqs(disk, dir)?;
    let lock_path = dir.join(LOCK_FILE);
    let _lock = disk.lock(&lock_path).during("lock", &lock_path)?;
    // The last segment is open and has no index.
    for seq in seqs.iter().rev().skip(1) {
        retire(disk, dir, *seq)?;
    }
    let mut settled = settle(disk, dir, &HashMap::new())?;
    let erasures = redo_erasures(disk, &settled.segments, &mut settled.recovery)?;
    let strays = Eraser::within(disk, dir).unmark_strays(|name| erasures.of_blob(name).is_some());
    strays.map_err(|error| failed_erasure(dir, error))?;
    let path = dir.join(MARK_FILE);
    MarkFile::create(disk, dir, &settled.mark).during("write", &path)?;
    Ok(ReindexReport {
        indexes: settled.recovery.rebuilt_indexes,
        entries: settled.mark.entries,
        catalogue_entries: None,
        archived_segments: 0,
        recovery: Recovery { rebuilt_indexes: 0, ..settled.recovery },
    })
}

/// Empties an index file, so that settling makes it again; a reader that meets the empty file
/// reads the segment instead.
fn retire(disk: &dyn Disk, dir: &Path, seq: Seq) -> Result<(), LedgerError> {
    let path = dir.join(LOG_DIR).join(index_name(seq));
    if !disk.exists(&path) {
        return Ok(());
    }
    durable::write_file(disk, &path, |_| Ok(())).map(|_| ()).during("write", &path)
}
