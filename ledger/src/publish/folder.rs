//! The published folder. A tile or bundle gets its name once, whole, and is never written anew; the
//! checkpoint is replaced as a whole, after all that it covers is durable.
//!
//! One file is written at a time, under [`UNFINISHED_FILE`], and renamed to its place; a crash leaves
//! that one name behind, which the next publication takes away.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use proofline_proof::MAX_NOTE_BYTES;
use proofline_proof::files::tiles::{TileKind, TilePath};
use proofline_proof::tree::TILE_HASHES;

use super::error::{During, PublishError};
use crate::disk::{Access, Disk, DiskLock};
use crate::durable;

/// The checkpoint's name in the published folder.
pub const CHECKPOINT_FILE: &str = "checkpoint";

const LOCK_FILE: &str = ".publish.lock";
const UNFINISHED_FILE: &str = ".publish.tmp";

/// The folders of tiles hold folders of a thousand each; eight levels are more than 64 bits need.
const MAX_DEPTH: usize = 8;

/// What a file that is there already has to be held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The published checkpoint covers it: it was compared when that was published.
    ByLength,
    /// Nobody vouches for it.
    ByBytes,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Written,
    Present,
}

/// A folder that is published into, locked until dropped.
pub(super) struct Folder<'a> {
    disk: &'a dyn Disk,
    root: &'a Path,
    /// Folders whose names above are durable, and whose content is to be.
    touched: BTreeSet<PathBuf>,
    _lock: Box<dyn DiskLock>,
}

impl<'a> Folder<'a> {
    pub(super) fn open(disk: &'a dyn Disk, root: &'a Path) -> Result<Self, PublishError> {
        durable::create_dirs(disk, root).during("create", root)?;
        let path = root.join(LOCK_FILE);
        let lock = disk.lock(&path).during("lock", &path)?;
        Ok(Folder { disk, root, touched: BTreeSet::new(), _lock: lock })
    }

    fn place(&self, path: TilePath) -> PathBuf {
        self.root.join(path.to_string())
    }

    /// The bytes of the published checkpoint, if there is one; of a file that is too long for one, its front.
    pub(super) fn checkpoint(&self) -> Result<Option<Vec<u8>>, PublishError> {
        self.read(&self.root.join(CHECKPOINT_FILE), MAX_NOTE_BYTES + 1)
    }

    /// The bytes of a tile or bundle that has to be there, up to one more than expected.
    pub(super) fn tile(&self, path: TilePath, bytes: usize) -> Result<Vec<u8>, PublishError> {
        let place = self.place(path);
        let missing = || Err(io::Error::from(io::ErrorKind::NotFound)).during("read", &place);
        self.read(&place, bytes + 1)?.map_or_else(missing, Ok)
    }

    fn read(&self, path: &Path, most: usize) -> Result<Option<Vec<u8>>, PublishError> {
        if !self.disk.exists(path) {
            return Ok(None);
        }
        let file = self.disk.open(path, Access::Read).during("open", path)?;
        let size = file.len().during("read", path)?.min(most as u64);
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(most)];
        let count = durable::read_full_at(&*file, &mut bytes, 0).during("read", path)?;
        bytes.truncate(count);
        Ok(Some(bytes))
    }

    /// How long a tile or bundle is, if it is there.
    pub(super) fn length(&self, path: TilePath) -> Result<Option<u64>, PublishError> {
        let place = self.place(path);
        if !self.disk.exists(&place) {
            return Ok(None);
        }
        let file = self.disk.open(&place, Access::Read).during("open", &place)?;
        file.len().map(Some).during("read", &place)
    }

    /// Writes a tile or bundle, or finds it there with these bytes.
    pub(super) fn put(&mut self, path: TilePath, bytes: &[u8], known: Known) -> Result<Put, PublishError> {
        let place = self.place(path);
        self.touch(&place)?;
        if !self.disk.exists(&place) {
            let temporary = self.root.join(UNFINISHED_FILE);
            durable::place_file(self.disk, &temporary, &place, bytes).during("write", &place)?;
            return Ok(Put::Written);
        }
        let is_same = match known {
            Known::ByLength => self.length(path)? == Some(bytes.len() as u64),
            Known::ByBytes => self.tile(path, bytes.len())? == bytes,
        };
        if !is_same {
            return Err(PublishError::Differs { path });
        }
        if known == Known::ByBytes {
            // Somebody may have copied it here and not waited for the device.
            let file = self.disk.open(&place, Access::Read).during("open", &place)?;
            file.sync().during("sync", &place)?;
        }
        Ok(Put::Present)
    }

    /// Makes the folder of a file, and remembers to sync it.
    fn touch(&mut self, place: &Path) -> Result<(), PublishError> {
        let folder = place.parent().unwrap_or(self.root);
        if !self.touched.contains(folder) {
            durable::create_dirs(self.disk, folder).during("create", folder)?;
            self.touched.insert(folder.to_owned());
        }
        Ok(())
    }

    /// Makes the names of all that was put durable.
    pub(super) fn sync(&self) -> Result<(), PublishError> {
        let mut folders = self.touched.iter();
        folders.try_for_each(|folder| self.disk.sync_dir(folder).during("sync", folder))
    }

    /// Replaces the checkpoint; true when it was another one.
    pub(super) fn set_checkpoint(&self, before: Option<&[u8]>, bytes: &[u8]) -> Result<bool, PublishError> {
        let place = self.root.join(CHECKPOINT_FILE);
        let is_other = before != Some(bytes);
        if is_other {
            let temporary = self.root.join(UNFINISHED_FILE);
            durable::place_file(self.disk, &temporary, &place, bytes).during("write", &place)?;
        }
        self.disk.sync_dir(self.root).during("sync", self.root)?;
        Ok(is_other)
    }

    /// Takes away the partial tiles and bundles that full ones of the first `size` entries stand for.
    pub(super) fn prune(&self, size: u64) -> Result<u64, PublishError> {
        let top = self.root.join("tile");
        if !self.disk.exists(&top) {
            return Ok(0);
        }
        let mut removed = 0;
        for kind in self.list(&top)? {
            removed += self.prune_under(&format!("tile/{kind}"), size, 0)?;
        }
        Ok(removed)
    }

    fn list(&self, folder: &Path) -> Result<Vec<String>, PublishError> {
        self.disk.list(folder).during("list", folder)
    }

    fn prune_under(&self, above: &str, size: u64, depth: usize) -> Result<u64, PublishError> {
        let folder = self.root.join(above);
        let (mut removed, mut is_changed) = (0, false);
        for name in self.list(&folder)? {
            let path = format!("{above}/{name}");
            if name.ends_with(".p") {
                removed += self.prune_partials(&path, size, &mut is_changed)?;
            } else if name.starts_with('x') && depth < MAX_DEPTH {
                removed += self.prune_under(&path, size, depth + 1)?;
            }
        }
        if is_changed {
            self.disk.sync_dir(&folder).during("sync", &folder)?;
        }
        Ok(removed)
    }

    /// Takes away the partials in `folder`, a path that ends in `.p`, and the folder once it is empty.
    fn prune_partials(&self, folder: &str, size: u64, is_gone: &mut bool) -> Result<u64, PublishError> {
        let mut removed = 0;
        let place = self.root.join(folder);
        for width in self.list(&place)? {
            let path = format!("{folder}/{width}").parse::<TilePath>().ok();
            let full = path.map(|path| TilePath { partial: None, ..path });
            if full.is_some_and(|full| end_of(full) <= size && self.disk.exists(&self.place(full))) {
                let place = place.join(width);
                self.disk.remove(&place).during("remove", &place)?;
                removed += 1;
            }
        }
        if removed > 0 && self.list(&place)?.is_empty() {
            self.disk.remove(&place).during("remove", &place)?;
            *is_gone = true;
        }
        Ok(removed)
    }
}

/// The number of entries from which on a tile is full.
pub(super) fn end_of(path: TilePath) -> u64 {
    let level = match path.kind {
        TileKind::Hashes(level) => u32::from(level),
        TileKind::Entries => 0,
    };
    path.index.saturating_add(1).saturating_mul(TILE_HASHES.saturating_pow(level + 1))
}
