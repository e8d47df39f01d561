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
const CHUNK: usize = if cfg!(target_os = "linux") { 512 } else { 128 };
/// Bytes that are written before they are synced.
const CHUNK_BYTES: usize = 64 << 20;

/// Files on their way.
#[derive(Default)]
struct Chunk {
    /// The first was opened before any was written, so that its sync hears of all.
    written: Vec<(Temporary, Sha256Digest)>,
    /// Those that were there with these bytes; whoever put them may not have come to the syncs.
    settled: Vec<Arc<dyn DiskFile>>,
    /// Those that are not taken in again.
    erased: Vec<Sha256Digest>,
}

impl Blobs {
    /// Keeps payloads; all are durable when this returns. It is [`proofline_canon::ContentStore::put`] for each, and
    /// quicker where there are many. Those that are erased are left out, and returned.
    ///
    /// # Errors
    /// As a put; then some of them may be kept, each whole or not at all.
    pub fn put_each(&self, payloads: &[(Sha256Digest, &[u8])]) -> Result<Vec<Sha256Digest>, StoreError> {
        let mut once: BTreeMap<Sha256Digest, &[u8]> = BTreeMap::new();
        for (name, bytes) in payloads {
            StoreError::check_offered(name, bytes)?;
            once.insert(*name, bytes);
        }
        let (mut chunk, mut chunk_bytes): (Vec<(Sha256Digest, &[u8])>, usize) = (Vec::new(), 0);
        let (mut folders, mut erased) = (BTreeSet::new(), Vec::new());
        for (name, bytes) in once {
            folders.insert(self.folder(&name));
            chunk.push((name, bytes));
            chunk_bytes += bytes.len();
            if chunk.len() == CHUNK || chunk_bytes >= CHUNK_BYTES {
                erased.extend(self.put_chunk(&std::mem::take(&mut chunk))?);
                chunk_bytes = 0;
            }
        }
        erased.extend(self.put_chunk(&chunk)?);
        // The names of all at once: no record names one before this returns.
        let folders: Vec<PathBuf> = folders.into_iter().collect();
        self.noting(self.disk.sync_dirs(&folders)).during("sync", &self.dir)?;
        Ok(erased)
    }

    fn put_chunk(&self, payloads: &[(Sha256Digest, &[u8])]) -> Result<Vec<Sha256Digest>, BlobError> {
        if payloads.is_empty() {
            return Ok(Vec::new());
        }
        let mut chunk = Chunk::default();
        let result = self.write_chunk(payloads, &mut chunk).and_then(|()| self.finish_chunk(&mut chunk));
        // Nothing is left of these but where something failed: then they are not written to again.
        chunk.written.into_iter().for_each(|(temporary, _)| self.abandon(temporary, false));
        result.map(|()| chunk.erased)
    }

    fn write_chunk(&self, payloads: &[(Sha256Digest, &[u8])], chunk: &mut Chunk) -> Result<(), BlobError> {
        for (name, bytes) in payloads {
            if bytes.len() as u64 > self.max_bytes {
                return Err(BlobError::TooLarge { limit_bytes: self.max_bytes });
            }
            if self.is_erased(name)? {
                chunk.erased.push(*name);
                continue;
            }
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

    fn is_erased(&self, name: &Sha256Digest) -> Result<bool, BlobError> {
        match self.eraser().refuse(name) {
            Ok(()) => Ok(false),
            Err(BlobError::Erased { .. }) => Ok(true),
            Err(error) => Err(error),
        }
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
        let written = chunk.written.iter().map(|(temporary, _)| Arc::clone(&temporary.file));
        let written: Vec<Arc<dyn DiskFile>> = written.collect();
        self.noting(self.disk.sync_written(&written)).during("sync", &self.dir)?;
        self.noting(self.disk.sync_files(&chunk.settled)).during("sync", &self.dir)?;
        if chunk.written.is_empty() {
            return Ok(());
        }
        let _lock = self.eraser().lock()?;
        while let Some((temporary, name)) = chunk.written.pop() {
            match self.is_erased(&name) {
                Ok(false) => {}
                Ok(true) => {
                    chunk.erased.push(name);
                    self.empty(temporary);
                    continue;
                }
                Err(error) => {
                    chunk.written.push((temporary, name));
                    return Err(error);
                }
            }
            let path = self.path(&name);
            if let Err(error) = self.disk.rename(&temporary.path, &path).during("rename", &path) {
                chunk.written.push((temporary, name));
                return Err(error);
            }
        }
        Ok(())
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
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]
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
        assert_eq!(blobs.put_each(&offered).unwrap(), []);
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

    /// Of many, those that are erased stay out, and the others are kept.
    #[test]
    fn those_that_are_erased_are_left_out_and_told() {
        let home = tempfile::tempdir().unwrap();
        let blobs = blobs(home.path());
        let texts: Vec<Vec<u8>> = (0..600_u32).map(|number| number.to_be_bytes().to_vec()).collect();
        let named: Vec<(Sha256Digest, &[u8])> =
            texts.iter().map(|text| (Sha256Digest::of(text), text.as_slice())).collect();
        blobs.put(&named[7].0, named[7].1).unwrap();
        let mut gone = vec![named[7].0, named[599].0];
        let erased: Vec<_> = gone.iter().map(|name| (*name, proofline_proof::Seq::new(3))).collect();
        blobs.eraser().erase(&erased).unwrap();
        let mut told = blobs.put_each(&named).unwrap();
        told.sort_unstable();
        gone.sort_unstable();
        assert_eq!(told, gone);
        for (name, bytes) in &named {
            let expected = (!gone.contains(name)).then_some(*bytes);
            assert_eq!(blobs.get(name).unwrap().as_deref(), expected);
        }
        blobs.check(&mut |damage| panic!("{damage:?}")).unwrap();
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
