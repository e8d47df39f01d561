//! ORDER: the gate, the append-only log, its indexes and its catalogue.
//!
//! A [`Ledger`] is a folder. [`Ledger::commit_action`] is the only way in: the gate decides, and
//! the answer comes back when all it rests on is durable. A [`Snapshot`] is a fixed prefix to
//! read, in this process or another, while others append.

mod action;
mod archive;
mod artifact;
mod blobs;
mod bundle;
mod cache;
mod catalogue;
mod checkpoints;
pub mod disk;
mod durable;
mod erasure;
mod error;
mod examining;
pub mod frame;
pub mod gate;
mod importing;
mod index;
mod ledger;
mod line;
mod load;
mod log;
mod mark;
mod migrate;
mod publish;
mod reading;
mod recovery;
mod reindex;
mod retention;
mod salvage;
mod scan;
mod sealed_blobs;
pub mod segment;
mod segments;
mod snapshot;
mod subject_keys;
mod system;
mod trace_entries;
mod trace_index;
mod trace_walk;
mod transfer;
mod tree;
mod turns;
mod verify;

pub use action::{Action, Options, Outcome};
pub use archive::{
    ArchiveCheck, ArchiveFault, ArchiveOrder, ArchiveProgress, ArchiveReport, ArchivedSegment,
    CheckedSegment, MAX_PLACE_BYTES, MovedSegment, RestoreReport, StubFault, WithArchives, archive,
    archive_on, parse_stub_name, restore, restore_on, stub_name, verify_archive, verify_archive_on,
};
pub use artifact::{ArtifactKind, check_producer, check_verdict_signature};
pub use blobs::{BLOBS_DIR, BlobError, BlobTotals, Blobs, StoredBlob};
pub use bundle::{BundleOrder, BundlingError, PayloadChoice, create_bundle, create_bundle_on};
pub use catalogue::{
    ArtifactHit, CATALOGUE_DIR, Catalogue, CatalogueError, Counters, FollowProgress, Replaced, TraceSpan,
};
pub use checkpoints::{
    CHECKPOINTS_DIR, CheckpointRule, CheckpointingError, KeptCheckpoint, checkpoint_path, policy_at,
};
pub use erasure::{Erasure, ErasureRefusal, Erasures, Hold, References, Referring};
pub use error::{ArtifactRefusal, Damage, LedgerError};
pub use gate::{DeclaredDigest, DeclaredType, Submission};
pub use importing::ImportTurn;
pub use ledger::{Genesis, Ledger, is_ledger};
pub use line::{EvidenceLine, WRAPPER_BYTES, commit_line_front};
pub use mark::{MARK_FILE, Mark, MarkReading, decode_marks};
pub use migrate::{
    CURRENT_FORMAT, MigrateReport, MigrationStep, STEPS, StepFound, migrate, migrate_on, plan_migration,
    plan_migration_on,
};
pub use proofline_proof::header::{self, EntryHeader, EntryKind, EntryStatus};
pub use proofline_proof::{LeafHash, Seq};
pub use publish::{
    CHECKPOINT_FILE, PublishError, PublishOrder, PublishProgress, PublishReport, PublishSource, publish,
    publish_on, publish_source_on,
};
pub use reading::{EntryBuffer, EntryView};
pub use recovery::{Recovery, TORN_DIR, TornTail};
pub use reindex::{ReindexError, ReindexReport, reindex, reindex_on, reindex_with};
pub use retention::{
    ArchiveRule, BlobPlan, BlobState, EraseRule, Holds, LedgerHolds, RetentionFault, RetentionPlan,
    RetentionRules, SegmentPlan, SegmentState, plan_retention,
};
pub use salvage::{SalvageError, SalvageReport, damage_value, salvage, salvage_on};
pub use segments::{ArchivedEntry, Entry, EntryFault, ListedHash};
pub use snapshot::{INDEX_CACHE_BYTES, LogEnd, Snapshot};
pub use subject_keys::{Subject, SubjectKeys, SubjectKeysError, SubjectName};
pub use system::SystemKind;
pub use trace_index::IndexEntry;
pub use trace_walk::TracesFrom;
pub use transfer::{
    BackupReport, ExportOrder, ExportReport, ImportReport, TransferError, TransferProgress, TransferStage,
    TransferWatch, backup, backup_on, export, export_on, import, import_on,
};
pub use tree::{LogTree, TreeError};
pub use verify::{
    Anchors, BroughtCheckpoint, CheckpointCheck, Disbelief, ErasureCheck, History, ProducerSignatures,
    VerifyPlan, VerifyProgress, VerifyReport, verify, verify_on, verify_with,
};
