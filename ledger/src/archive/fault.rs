//! What can be wrong with an archive, with stable codes and what to do about it.

use std::path::PathBuf;

use thiserror::Error;

use crate::error::Damage;

/// Why a folder could not serve as an archive of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ArchiveFault {
    /// No segment with a manifest lies there.
    #[error("{} is no archive: it holds no segment with a manifest", .0.display())]
    NotAnArchive(PathBuf),
    /// The folder holds a ledger.
    #[error("{} is a ledger; an archive is a folder of its own", .0.display())]
    IntoLedger(PathBuf),
    /// A segment of another ledger.
    #[error("{file} is of ledger {found}, not of {expected}")]
    OtherLedger {
        /// The file in the archive.
        file: String,
        /// The ledger at hand.
        expected: String,
        /// The ledger that the file is of.
        found: String,
    },
    /// A manifest that is none.
    #[error("{file} is no manifest of a segment: {message}")]
    Manifest {
        /// The file in the archive.
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// A manifest of a later format.
    #[error("{file} is of format version {found}; this program reads version 1")]
    NewerFormat {
        /// The file in the archive.
        file: String,
        /// Its version.
        found: u64,
    },
    /// A segment without its file or its manifest.
    #[error("{0} is missing in the archive")]
    Missing(String),
    /// Bytes of a segment are not those that its manifest, its ledger or its own hashes say.
    #[error("the archive is damaged: {0}")]
    Damaged(Damage),
    /// The archive has a segment of this number already, with other bytes.
    #[error("{0} is in the archive already, with other bytes")]
    Occupied(String),
}

impl ArchiveFault {
    /// The stable code of this fault.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            ArchiveFault::NotAnArchive(_) => "archive.not_an_archive",
            ArchiveFault::IntoLedger(_) => "archive.into_ledger",
            ArchiveFault::OtherLedger { .. } => "archive.other_ledger",
            ArchiveFault::Manifest { .. } => "archive.manifest",
            ArchiveFault::NewerFormat { .. } => "archive.newer_format",
            ArchiveFault::Missing(_) => "archive.missing",
            ArchiveFault::Damaged(_) => "archive.damaged",
            ArchiveFault::Occupied(_) => "archive.occupied",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            ArchiveFault::NotAnArchive(_) => "name the folder that `proofline archive` wrote into",
            ArchiveFault::IntoLedger(_) => "name a new or empty folder, or the archive of this ledger",
            ArchiveFault::OtherLedger { .. } => "name the archive of this ledger; each ledger has its own",
            ArchiveFault::Manifest { .. } | ArchiveFault::Missing(_) | ArchiveFault::Damaged(_) => {
                "take these files from another copy of the archive; `proofline archive verify` lists all that is wrong"
            }
            ArchiveFault::NewerFormat { .. } => "use the version of Proofline that wrote it, or a later one",
            ArchiveFault::Occupied(_) => {
                "look at the archive with `proofline archive verify`, or archive into another folder"
            }
        }
    }
}
