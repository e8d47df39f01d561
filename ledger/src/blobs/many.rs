//! Many payloads at once: as each put by itself, with their syncs shared. A device that syncs one file after the other
//! waits for each; side by side they wait together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proofline_canon::{Sha256Digest, StoreError};

use crate::disk::{Access, DiskFile};
use crate::durable;

use super::{BlobContext, BlobError, Blobs, Temporary, holds};

/// Files that are open at once, well below what a process may have.
const CHUNK: usize = 128;
/// Bytes that are written before they are synced.
const CHUNK_BYTES: usize = 64 << 20;

/// Files on their way.
#[derive(Default)]
struct Chunk {
    written: Vec<(Temporary, Sha256Digest)>,
    /// Those that were there with these bytes; whoever put them may not have come to the syncs.
    settled: Vec<Arc<dyn DiskFile>>,
    folders: BTreeSet<PathBuf>,
}

impl Blobs {
    /// Keeps payloads; all are durable when this returns. It is [`proofline_canon::ContentStore::put`] for each, and
    /// quicker where there are many.
    ///
    /// # Errors
    /// As a put; then some of them may be kept, each whole or not at all.
    pub fn put_each(&self, payloads: &[(Sha256Digest, &[u8])]) -> Result<(), StoreError> {
        let mut once: BTreeMap<Sha256Digest, &[u8]> = BTreeMap::new();
        for (name, bytes) in payloads {
            StoreError::check_offered(name, bytes)?;
            once.insert(*name, bytes);
        }
        let mut chunk: Vec<(Sha256Digest, &[u8])> = Vec::new();
        let mut chunk_bytes = 0;
        for (name, bytes) in once {
            chunk.push((name, bytes));
            chunk_bytes += bytes.len();
            if chunk.len() == CHUNK || chunk_bytes >= CHUNK_BYTES {
                self.put_chunk(&std::mem::take(&mut chunk))?;
                chunk_bytes = 0;
            }
        }
        Ok(self.put_chunk(&chunk)?)
    }

    fn put_chunk(&self, payloads: &[(Sha256Digest, &[u8])]) -> Result<(), BlobError> {
        if payloads.is_empty() {
            return Ok(());
        }
        let mut chunk = Chunk::default();
        let result = self.write_chunk(payloads, &mut chunk).and_then(|()| self.finish_chunk(&mut chunk));
        // Nothing is left of these but where something failed: then they are not written to again.
        chunk.written.into_iter().for_each(|(temporary, _)| self.abandon(temporary, false));
        result
    }

    fn write_chunk(&self, payloads: &[(Sha256Digest, &[u8])], chunk: &mut Chunk) -> Result<(), BlobError> {
        for (name, bytes) in payloads {
            if bytes.len() as u64 > self.max_bytes {
                return Err(BlobError::TooLarge { limit_bytes: self.max_bytes });
            }
            self.eraser().refuse(name)?;
            chunk.folders.insert(self.folder(name));
            if let Some(file) = self.kept(name, bytes) {
                chunk.settled.push(file);
                continue;
            }
            let temporary = self.start()?;
            let written = temporary.file.write_all_at(bytes, 0).during("write", &temporary.path);
            chunk.written.push((temporary, *name));
            written?;
        }
        self.ready_folders(payloads)
    }

    /// The file of a payload that is kept with these very bytes.
    fn kept(&self, name: &Sha256Digest, bytes: &[u8]) -> Option<Arc<dyn DiskFile>> {
        if self.distrusts.load(Ordering::Acquire) {
            return None;
        }
        let file = self.disk.open(&self.path(name), Access::Read).ok()?;
        holds(&*file, bytes).then_some(file)
    }

    fn finish_chunk(&self, chunk: &mut Chunk) -> Result<(), BlobError> {
        let files = chunk.written.iter().map(|(temporary, _)| &temporary.file).chain(&chunk.settled);
        let files: Vec<Arc<dyn DiskFile>> = files.map(Arc::clone).collect();
        self.noting(self.disk.sync_files(&files)).during("sync", &self.dir)?;
        if !chunk.written.is_empty() {
            let _lock = self.eraser().lock()?;
            for (_, name) in &chunk.written {
                self.eraser().refuse(name)?;
            }
            while let Some((temporary, name)) = chunk.written.pop() {
                let path = self.path(&name);
                if let Err(error) = self.disk.rename(&temporary.path, &path).during("rename", &path) {
                    chunk.written.push((temporary, name));
                    return Err(error);
                }
            }
        }
        let folders: Vec<PathBuf> = std::mem::take(&mut chunk.folders).into_iter().collect();
        self.noting(self.disk.sync_dirs(&folders)).during("sync", &self.dir)
    }

    /// [`Blobs::ready_folder`] for many: the new ones share the syncs of the folders above them.
    fn ready_folders(&self, payloads: &[(Sha256Digest, &[u8])]) -> Result<(), BlobError> {
        let flag =
            |name: &Sha256Digest| name.as_bytes().first().and_then(|byte| self.ready.get(usize::from(*byte)));
        let is_ready = |name: &Sha256Digest| flag(name).is_some_and(|ready| ready.load(Ordering::Acquire));
        let missing: Vec<Sha256Digest> =
            payloads.iter().map(|(name, _)| *name).filter(|name| !is_ready(name)).collect();
        let Some(first) = missing.first().map(|name| self.folder(name)) else { return Ok(()) };
        self.noting(durable::create_dirs(&*self.disk, &self.dir)).during("create", &self.dir)?;
        for name in &missing {
            let folder = self.folder(name);
            self.disk.create_dir(&folder).during("create", &folder)?;
        }
        // The folder of each is synced into that of all.
        self.noting(durable::create_dirs(&*self.disk, &first)).during("create", &first)?;
        missing.iter().filter_map(flag).for_each(|ready| ready.store(true, Ordering::Release));
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use proofline_canon::ContentStore;
    use proofline_trace::{LedgerId, Origin};

    use super::*;
    use crate::{Genesis, Ledger};

    fn blobs(dir: &std::path::Path) -> Blobs {
        let origin = Origin::new("ledger.example/many").unwrap();
        let genesis = Genesis { ledger_id: LedgerId::from_bytes([9; 16]), origin, created_at_ms: 1 };
        Ledger::init(dir, &genesis).unwrap();
        Blobs::open(dir).unwrap()
    }

    #[test]
    fn many_are_kept_as_each_is() {
        let home = tempfile::tempdir().unwrap();
        let blobs = blobs(home.path());
        let texts: Vec<Vec<u8>> = (0..700_u32).map(|number| number.to_be_bytes().repeat(9)).collect();
        let named: Vec<(Sha256Digest, &[u8])> =
            texts.iter().map(|text| (Sha256Digest::of(text), text.as_slice())).collect();
        blobs.put(&named[3].0, named[3].1).unwrap();
        // One twice, one that was there, and one that is damaged on the disk.
        let mut offered = named.clone();
        offered.push(named[5]);
        std::fs::write(blobs.path(&named[3].0), b"damaged").unwrap();
        blobs.put_each(&offered).unwrap();
        for (name, bytes) in &named {
            assert_eq!(blobs.get(name).unwrap().as_deref(), Some(*bytes));
        }
        assert_eq!(blobs.names().count(), named.len());
        // Nothing unfinished is left behind.
        let left = std::fs::read_dir(home.path().join("blobs")).unwrap();
        let left =
            left.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|it| it == "tmp"));
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn one_that_is_not_what_it_says_keeps_all_out() {
        let home = tempfile::tempdir().unwrap();
        let blobs = blobs(home.path());
        let sound = (Sha256Digest::of(b"a"), b"a".as_slice());
        let wrong = (Sha256Digest::of(b"b"), b"c".as_slice());
        assert_eq!(blobs.put_each(&[sound, wrong]).unwrap_err().code(), "canon.store_name_mismatch");
        assert_eq!(blobs.get(&sound.0).unwrap(), None);
        assert!(blobs.put_each(&[]).is_ok());
    }
}
