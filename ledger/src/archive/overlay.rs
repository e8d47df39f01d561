//! A disk on which the segments of archives lie in place, for reading: whoever reads a ledger through it
//! finds the bodies that were moved out, and nothing else is different.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Access, Disk, DiskFile, DiskLock};
use crate::error::{IoContext, LedgerError};
use crate::segment::{SegmentHeader, parse_segment_name, read_segment_header, segment_name};
use crate::segments::LOG_DIR;

use super::fault::ArchiveFault;
use super::manifest::Manifest;
use super::stub::{Stub, parse_stub_name, stub_name};

/// A disk with archives of one ledger laid over it.
#[derive(Debug)]
pub struct WithArchives<'a> {
    disk: &'a dyn Disk,
    log: PathBuf,
    /// File names of segments that are archived, and where they are.
    brought: BTreeMap<String, PathBuf>,
}

impl<'a> WithArchives<'a> {
    /// Lays archives over the ledger in `dir`. Of each segment that is archived there, the first
    /// archive that has it gives it.
    ///
    /// # Errors
    /// [`LedgerError::Archive`] for a folder that is no archive, or an archive of another ledger; what
    /// the system reports.
    pub fn open(disk: &'a dyn Disk, dir: &Path, archives: &[PathBuf]) -> Result<Self, LedgerError> {
        let log = dir.join(LOG_DIR);
        let mut overlay = WithArchives { disk, log, brought: BTreeMap::new() };
        if archives.is_empty() {
            return Ok(overlay);
        }
        let stubs = overlay.stubs()?;
        for archive in archives {
            let manifests = Manifest::all(disk, archive)?;
            for stub in &stubs {
                let first_seq = stub.head.segment.first_seq;
                let own = manifests.iter().find(|(seq, _)| *seq == first_seq);
                own.map_or(Ok(()), |(_, manifest)| overlay.bring(stub, archive, manifest.clone()?))?;
            }
        }
        Ok(overlay)
    }

    /// The stubs in the log that can be read; of others, verification tells.
    fn stubs(&self) -> Result<Vec<Stub>, LedgerError> {
        let names = match self.disk.list(&self.log) {
            Ok(names) => names,
            // That there is no ledger is for whoever opens it to say.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).during("list", &self.log),
        };
        let mut stubs = Vec::new();
        for seq in names.iter().filter_map(|name| parse_stub_name(name)) {
            let path = self.log.join(stub_name(seq));
            let stub = self.disk.open(&path, Access::Read).and_then(Stub::read).during("read", &path)?;
            stubs.extend(stub.ok().filter(|stub| stub.head.segment.first_seq == seq));
        }
        Ok(stubs)
    }

    fn bring(&mut self, stub: &Stub, archive: &Path, manifest: Manifest) -> Result<(), LedgerError> {
        let SegmentHeader { ledger_id, first_seq, .. } = stub.head.segment;
        manifest.of_ledger(ledger_id).map_err(LedgerError::from)?;
        let name = segment_name(first_seq);
        let path = archive.join(&name);
        if self.brought.contains_key(&name) || !self.disk.exists(&path) {
            return Ok(());
        }
        let file = self.disk.open(&path, Access::Read).during("open", &path)?;
        if let Ok(header) = read_segment_header(&*file).during("read", &path)?
            && header != stub.head.segment
        {
            return Err(ArchiveFault::Occupied(name).into());
        }
        self.brought.insert(name, path);
        Ok(())
    }

    /// Where a path leads that names a segment which is only in an archive.
    fn elsewhere(&self, path: &Path) -> Option<&PathBuf> {
        let name = path.file_name()?.to_str()?;
        let is_segment = path.parent() == Some(&*self.log) && parse_segment_name(name).is_some();
        let found = self.brought.get(name).filter(|_| is_segment)?;
        (!self.disk.exists(path)).then_some(found)
    }
}

impl Disk for WithArchives<'_> {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let path =
            if access == Access::Read { self.elsewhere(path).map_or(path, |found| found) } else { path };
        self.disk.open(path, access)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = self.disk.list(path)?;
        if path == self.log {
            names.extend(self.brought.keys().cloned());
            names.sort_unstable();
            names.dedup();
        }
        Ok(names)
    }

    fn exists(&self, path: &Path) -> bool {
        self.disk.exists(path) || self.elsewhere(path).is_some()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.disk.lock(path)
    }
}
