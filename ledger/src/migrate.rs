//! Brings a ledger that an earlier version wrote up to the form that this one writes. The steps stand
//! in [`STEPS`], oldest first; each says how its old form is recognised and what takes its place. A
//! ledger of a newer format is refused.
//!
//! What there is so far:
//!
//! | form | how it is recognised | what is done |
//! |---|---|---|
//! | index without a tree | the index ends behind its first digest, and counts no system entries | made again from its segment |
//! | index without filters | the index, tree and all, is of index version 0 | made again from its segment |
//! | index without nodes | the index, of index version 1, has of the tree the leaves and the roots of tiles alone | made again from its segment |
//!
//! Segments, the published size and checkpoints have had one form from the first; format versions 0 and 1 differ in the
//! number alone, and a ledger keeps the one that it began with.

use std::collections::HashMap;
use std::path::Path;

use proofline_proof::Seq;

use crate::disk::{Access, Disk, OsDisk};
use crate::error::{IoContext, LedgerError};
use crate::index::{INDEX_VERSION, OldIndex, index_name, old_index};
use crate::load::open_segments;
use crate::log::LOCK_FILE;
use crate::recovery::{Recovery, settle};
use crate::segments::LOG_DIR;

/// The format version that this program writes.
pub const CURRENT_FORMAT: u32 = proofline_proof::header::FORMAT_VERSION;

/// One step from an earlier form to a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationStep {
    /// A stable name.
    pub id: &'static str,
    /// The format version that it begins with.
    pub from_format: u32,
    /// The format version that it leads to.
    pub to_format: u32,
    /// What it finds, in a phrase.
    pub finds: &'static str,
    /// What it does about it, in a phrase.
    pub does: &'static str,
}

/// Every step there is, oldest first.
pub const STEPS: [MigrationStep; 3] = [INDEX_TREE, INDEX_FILTERS, INDEX_NODES];

const INDEX_TREE: MigrationStep = MigrationStep {
    id: "index_tree",
    from_format: 0,
    to_format: 0,
    finds: "indexes of sealed segments without the Merkle tree and the list of system entries",
    does: "makes them again from their segments",
};

const INDEX_FILTERS: MigrationStep = MigrationStep {
    id: "index_filters",
    from_format: 0,
    to_format: 0,
    finds: "indexes of sealed segments without filters, of index version 0",
    does: "makes them again from their segments",
};

const INDEX_NODES: MigrationStep = MigrationStep {
    id: "index_nodes",
    from_format: 0,
    to_format: 0,
    finds: "indexes of sealed segments without the nodes of the tree between leaves and tiles",
    does: "makes them again from their segments",
};

/// What a step finds in a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFound {
    /// The step.
    pub step: MigrationStep,
    /// The files of the old form, relative to the ledger's folder.
    pub files: Vec<String>,
}

/// What a migration found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrateReport {
    /// The format version of the ledger's segments.
    pub format: u32,
    /// The steps that have something to do, in order; empty when the ledger is up to date.
    pub found: Vec<StepFound>,
    /// True when the steps were taken.
    pub is_applied: bool,
    /// What opening the ledger had to mend besides.
    pub recovery: Recovery,
}

/// Finds what in the ledger in `dir` is of an earlier form, changing nothing.
///
/// # Errors
/// When there is no ledger, its log is damaged, or it is of a newer format.
pub fn plan_migration(dir: impl AsRef<Path>) -> Result<MigrateReport, LedgerError> {
    plan_migration_on(&OsDisk, dir.as_ref())
}

/// [`plan_migration`] on another [`Disk`].
///
/// # Errors
/// As [`plan_migration`].
pub fn plan_migration_on(disk: &dyn Disk, dir: &Path) -> Result<MigrateReport, LedgerError> {
    let files = open_segments(disk, dir, Access::Read)?;
    let mut found = STEPS.map(|step| StepFound { step, files: Vec::new() });
    // The last segment is open and has no index.
    for file in files.iter().rev().skip(1).rev() {
        let Some(step) = step_of(disk, dir, file.header.first_seq)? else { continue };
        let name = format!("{LOG_DIR}/{}", index_name(file.header.first_seq));
        found.iter_mut().filter(|found| found.step == step).for_each(|found| found.files.push(name.clone()));
    }
    let found = found.into_iter().filter(|found| !found.files.is_empty()).collect();
    let format = files.last().map_or(CURRENT_FORMAT, |file| file.header.format);
    Ok(MigrateReport { format, found, is_applied: false, recovery: Recovery::default() })
}

/// The step for the index of a segment, if it is of an earlier form.
fn step_of(disk: &dyn Disk, dir: &Path, first_seq: Seq) -> Result<Option<MigrationStep>, LedgerError> {
    let path = dir.join(LOG_DIR).join(index_name(first_seq));
    if !disk.exists(&path) {
        return Ok(None);
    }
    let file = disk.open(&path, Access::Read).during("open", &path)?;
    match old_index(&*file).during("read", &path)? {
        OldIndex::WithoutTree => Ok(Some(INDEX_TREE)),
        OldIndex::WithoutFilters => Ok(Some(INDEX_FILTERS)),
        OldIndex::WithoutNodes => Ok(Some(INDEX_NODES)),
        OldIndex::Other => Ok(None),
        OldIndex::Newer(version) => {
            let name = format!("{LOG_DIR}/{}", index_name(first_seq));
            let detail =
                format!("{name} is of format version {version}; this program reads version {INDEX_VERSION}");
            Err(LedgerError::NewerFormat { dir: dir.to_owned(), detail })
        }
    }
}

/// Brings the ledger in `dir` up to date. Done again it finds nothing; cut off, it is done again.
///
/// # Errors
/// As [`Ledger::open`](crate::Ledger::open): a damaged log is refused, and so is a newer format.
pub fn migrate(dir: impl AsRef<Path>) -> Result<MigrateReport, LedgerError> {
    migrate_on(&OsDisk, dir.as_ref())
}

/// [`migrate`] on another [`Disk`].
///
/// # Errors
/// As [`migrate`].
pub fn migrate_on(disk: &dyn Disk, dir: &Path) -> Result<MigrateReport, LedgerError> {
    crate::load::segment_seqs(disk, dir)?; // no lock file appears where there is no ledger
    let lock_path = dir.join(LOCK_FILE);
    let _lock = disk.lock(&lock_path).during("lock", &lock_path)?;
    let plan = plan_migration_on(disk, dir)?;
    // Settling makes every index again that is not of today's form, each whole and by rename.
    let settled = settle(disk, dir, &HashMap::new())?;
    let mended = settled.recovery;
    let made: u64 = plan.found.iter().map(|found| found.files.len() as u64).sum();
    let recovery = Recovery { rebuilt_indexes: mended.rebuilt_indexes.saturating_sub(made), ..mended };
    Ok(MigrateReport { is_applied: true, recovery, ..plan })
}
