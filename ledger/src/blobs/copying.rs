//! Payloads on the way into another folder or a stream: by their names, and only what has them.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use proofline_canon::Sha256Digest;

use crate::disk::{Access, DiskFile};
use crate::durable::UNFINISHED;
use crate::error::Damage;

use super::{BLOBS_DIR, BlobContext, BlobError, Blobs, FromStart, StoredBlob};

/// A payload's file, open for reading.
pub(crate) struct OpenBlob {
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) path: PathBuf,
}

impl Blobs {
    /// The file of a payload, if there is one.
    pub(crate) fn open_named(&self, name: &Sha256Digest) -> Result<Option<OpenBlob>, BlobError> {
        let path = self.path(name);
        match self.disk.open(&path, Access::Read) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            file => Ok(Some(OpenBlob { file: file.during("open", &path)?, path })),
        }
    }

    /// How long the file of a payload is, if there is one.
    pub(crate) fn length_of(&self, name: &Sha256Digest) -> Result<Option<u64>, BlobError> {
        let Some(open) = self.open_named(name)? else { return Ok(None) };
        Ok(Some(open.file.len().during("read", &open.path)?))
    }

    /// Keeps what `reader` gives if that is the payload of this name. The answer says what it is; under
    /// any other name nothing is kept.
    pub(crate) fn put_named(
        &self,
        reader: &mut dyn Read,
        name: &Sha256Digest,
    ) -> Result<StoredBlob, BlobError> {
        let temporary = self.start()?;
        match self.drain(reader, u64::MAX, &temporary) {
            Ok(stored) if stored.name == *name => {
                self.finish(temporary, name)?;
                Ok(stored)
            }
            Ok(stored) => {
                self.abandon(temporary, true);
                Ok(stored)
            }
            Err(error) => {
                self.abandon(temporary, !matches!(error, BlobError::Io { .. }));
                Err(error)
            }
        }
    }

    /// [`Blobs::put_named`] of a payload's file in another folder.
    pub(crate) fn put_file(
        &self,
        file: Arc<dyn DiskFile>,
        name: &Sha256Digest,
    ) -> Result<StoredBlob, BlobError> {
        self.put_named(&mut FromStart { file, at: 0 }, name)
    }

    /// Makes the names in the folder of a payload durable: whoever put one may not have come to that.
    pub(crate) fn sync_folder_of(&self, name: &Sha256Digest) -> Result<(), BlobError> {
        let folder = self.ready_folder(name)?;
        self.disk.sync_dir(&folder).during("sync", &folder)
    }

    /// Takes away the payloads of these names, durably, and says how many there were.
    pub(crate) fn remove_all(&self, names: impl Iterator<Item = Sha256Digest>) -> Result<u64, BlobError> {
        let mut removed = 0;
        let mut folders = BTreeSet::new();
        for name in names {
            let (folder, path) = (self.folder(&name), self.path(&name));
            match self.disk.remove(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                done => {
                    done.during("remove", &path)?;
                    removed += 1;
                }
            }
            folders.insert(folder);
        }
        // Also where there was none: an earlier attempt may have been cut off before its sync.
        for folder in folders.iter().filter(|folder| self.disk.exists(folder)) {
            self.disk.sync_dir(folder).during("sync", folder)?;
        }
        Ok(removed)
    }

    /// Takes away what interrupted puts left. Only for a folder into which nobody else puts.
    pub(crate) fn clear_unfinished(&self) -> Result<(), BlobError> {
        self.spare.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
        for name in self.list(&self.dir)?.into_iter().filter(|name| name.ends_with(UNFINISHED)) {
            let path = self.dir.join(name);
            self.disk.remove(&path).during("remove", &path)?;
        }
        Ok(())
    }

    /// That the file of a payload holds other bytes.
    pub(crate) fn damage(&self, name: &Sha256Digest, size_bytes: u64, found: &Sha256Digest) -> Damage {
        let path = self.path(name);
        let file = format!("{BLOBS_DIR}/{}", path.strip_prefix(&self.dir).unwrap_or(&path).display());
        let message = format!("its {size_bytes} bytes have the digest {found}");
        Damage { code: "blob.damaged", file, offset: None, seq: None, message }
    }
}
