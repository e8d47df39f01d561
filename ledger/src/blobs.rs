//! Payloads beside the log: each in a file named by the SHA-256 of its bytes,
//! `blobs/ab/<62 more hex digits>`, whole or absent, and durable before the envelope that names it.
//!
//! The calls of a put, in order: make and sync the folders that are missing; create
//! `blobs/<process>-<number>.tmp` and lock it; write; sync; under the lock `blobs/lock` see that the
//! payload is not erased and rename; sync the folder of the name. A crash leaves at most a `.tmp`
//! file, which nothing reads and [`Blobs::check`] names.

mod erased;

mod copying;
mod many;

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use proofline_canon::{ContentStore, Sha256Digest, Sha256Hasher, StoreError};
use proofline_proof::Seq;
use proofline_proof::sealed::{HEADER_BYTES, SealedHeader};
use thiserror::Error;

pub(crate) use copying::OpenBlob;

use crate::disk::{Access, Disk, DiskFile, OsDisk};
use crate::durable::{self, UNFINISHED, read_full_at};
use crate::error::{Damage, LedgerError};

pub(crate) use erased::Eraser;
use erased::{LOCK_NAME, is_mark};

/// The folder of payloads in a ledger's folder.
pub const BLOBS_DIR: &str = "blobs";

/// Payloads up to this many bytes are put and got whole unless [`Blobs::with_max_bytes`] says otherwise.
const DEFAULT_MAX_BYTES: u64 = 256 << 20;

/// Bytes in memory while a payload streams.
const WINDOW_BYTES: usize = 64 << 10;

/// Hex digits of a name that name its folder.
const FOLDER_DIGITS: usize = 2;

/// Why a payload could not be kept or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BlobError {
    /// More bytes than the caller allows.
    #[error("the payload is longer than the limit of {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The payload was erased, and its bytes are not taken in again.
    #[error("the payload {name} was erased{}", by_entry(*by))]
    Erased {
        /// Its name.
        name: Sha256Digest,
        /// The entry that erased it, where it can be told.
        by: Option<Seq>,
    },
    /// The reader that was to give the payload failed.
    #[error("the payload could not be read from its source: {0}")]
    Source(io::Error),
    /// The system refused a call.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as in "cannot sync".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl BlobError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            BlobError::TooLarge { .. } => "blob.too_large",
            BlobError::Erased { .. } => "blob.erased",
            BlobError::Source(_) => "blob.source",
            BlobError::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "blob.storage_full",
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => "blob.read_only",
                _ => "blob.io",
            },
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.code() {
            "blob.too_large" => "raise the limit, or keep this payload elsewhere",
            "blob.erased" => "leave it out; `proofline show` tells of the entry why it was erased",
            "blob.source" => "offer the payload again; nothing of it was kept",
            "blob.storage_full" => "free space, then offer the payload again",
            "blob.read_only" => "give this user the right to read and write the ledger's folder",
            _ => "look at the system's log for the device, then offer the payload again",
        }
    }
}

impl From<BlobError> for StoreError {
    fn from(error: BlobError) -> Self {
        let kind = match &error {
            BlobError::TooLarge { .. } => io::ErrorKind::FileTooLarge,
            BlobError::Erased { .. } => io::ErrorKind::PermissionDenied,
            BlobError::Source(source) | BlobError::Io { source, .. } => source.kind(),
        };
        StoreError::Io(io::Error::new(kind, error))
    }
}

fn by_entry(seq: Option<Seq>) -> String {
    seq.map(|seq| format!(" by entry {seq}")).unwrap_or_default()
}

trait BlobContext<T> {
    fn during(self, action: &'static str, path: &Path) -> Result<T, BlobError>;
}

impl<T> BlobContext<T> for io::Result<T> {
    fn during(self, action: &'static str, path: &Path) -> Result<T, BlobError> {
        self.map_err(|source| BlobError::Io { action, path: path.to_owned(), source })
    }
}

/// A payload that was kept: what an envelope's `BlobRef` says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its name, the SHA-256 of its bytes.
    pub name: Sha256Digest,
    /// Its length.
    pub size_bytes: u64,
}

/// What [`Blobs::check`] looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlobTotals {
    /// Files under a payload's name, the damaged ones included.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The payloads of a ledger. Shared by any number of threads, beside other processes: a name is
/// a digest, so whoever writes one writes the same bytes, and the last rename changes nothing.
#[derive(Debug)]
pub struct Blobs {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    max_bytes: u64,
    /// Folders, by the first byte of the names in them, that this handle made durable.
    ready: [AtomicBool; 256],
    /// True once a sync failed: a later sync that succeeds says nothing of what was written
    /// before, so everything offered from then on is written anew.
    distrusts: AtomicBool,
    /// The folder of payloads was seen here.
    is_there: AtomicBool,
    next_number: AtomicU64,
    /// Emptied temporary files of payloads that were refused while they streamed.
    spare: Mutex<Vec<Temporary>>,
}

/// A file as a stream.
struct FromStart {
    file: Arc<dyn DiskFile>,
    at: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[derive(Debug)]
struct Temporary {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
}

impl Blobs {
    /// The payloads of the ledger in `dir`. Makes nothing: the folder comes with the first put.
    ///
    /// # Errors
    /// [`LedgerError::NotALedger`].
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, LedgerError> {
        Self::open_on(Arc::new(OsDisk), dir.as_ref())
    }

    /// [`Blobs::open`] on another [`Disk`].
    ///
    /// # Errors
    /// As [`Blobs::open`].
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, LedgerError> {
        if !crate::is_ledger(&*disk, dir) {
            return Err(LedgerError::NotALedger(dir.to_owned()));
        }
        Ok(Self::within(disk, dir))
    }

    /// The payloads in a folder that need not be a ledger any more.
    pub(crate) fn within(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Blobs {
            disk,
            dir: dir.join(BLOBS_DIR),
            max_bytes: DEFAULT_MAX_BYTES,
            ready: std::array::from_fn(|_| AtomicBool::new(false)),
            distrusts: AtomicBool::new(false),
            is_there: AtomicBool::new(false),
            next_number: AtomicU64::new(0),
            spare: Mutex::default(),
        }
    }

    /// Copies every payload whose bytes match its name and that is not erased, in bounded memory, and
    /// reports damaged ones as [`Blobs::check`] does. Returns how many were copied.
    pub(crate) fn copy_sound(
        &self,
        to: &Blobs,
        erased: &BTreeSet<Sha256Digest>,
        on_each: &mut dyn FnMut(Damage),
    ) -> Result<u64, BlobError> {
        let mut damaged = BTreeSet::new();
        self.check(&mut |found| {
            damaged.insert(found.file.clone());
            on_each(found);
        })?;
        let mut copied = 0;
        for name in self.names() {
            let name = name?;
            let path = self.path(&name);
            let place = format!("{BLOBS_DIR}/{}", path.strip_prefix(&self.dir).unwrap_or(&path).display());
            if !damaged.contains(&place) && !erased.contains(&name) {
                let file = self.disk.open(&path, Access::Read).during("open", &path)?;
                to.put_reader(&mut FromStart { file, at: 0 }, u64::MAX)?;
                copied += 1;
            }
        }
        Ok(copied)
    }

    /// Refuses to put or get a payload of more than `max_bytes` bytes whole; 256 MiB at first.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Keeps what `reader` gives, under the name found on the way, in bounded memory. Durable
    /// when this returns.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`] once the reader gives more than `limit_bytes`; [`BlobError::Erased`];
    /// [`BlobError::Source`]; [`BlobError::Io`]. Nothing is kept then.
    pub fn put_reader(&self, reader: &mut dyn Read, limit_bytes: u64) -> Result<StoredBlob, BlobError> {
        let temporary = self.start()?;
        match self.drain(reader, limit_bytes, &temporary) {
            Ok(stored) => {
                self.finish(temporary, &stored.name)?;
                Ok(stored)
            }
            Err(error) => {
                self.abandon(temporary, !matches!(error, BlobError::Io { .. }));
                Err(error)
            }
        }
    }

    /// The header of a payload that is sealed; none for another payload, and for one that is not kept. It is
    /// believed as far as the payload's bytes are those of its name.
    ///
    /// # Errors
    /// [`BlobError::Io`].
    pub fn sealed_header(&self, name: &Sha256Digest) -> Result<Option<SealedHeader>, BlobError> {
        let path = self.path(name);
        let file = match self.disk.open(&path, Access::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.during("open", &path)?,
        };
        let mut start = [0; HEADER_BYTES];
        let count = read_full_at(&*file, &mut start, 0).during("read", &path)?;
        Ok(SealedHeader::parse(start.get(..count).unwrap_or_default()).ok())
    }

    /// The length of a payload in bytes, if it is kept.
    pub(crate) fn length(&self, name: &Sha256Digest) -> Result<Option<u64>, BlobError> {
        let path = self.path(name);
        match self.disk.open(&path, Access::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => file.and_then(|file| file.len()).map(Some).during("read", &path),
        }
    }

    /// A payload as a stream, if it is kept. Its bytes may be damaged.
    pub(crate) fn stream(&self, name: &Sha256Digest) -> Result<Option<impl Read + use<>>, BlobError> {
        let path = self.path(name);
        match self.disk.open(&path, Access::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => file.map(|file| Some(FromStart { file, at: 0 })).during("open", &path),
        }
    }

    /// Every name kept, ascending, read from the folders as the iterator goes. Files of other
    /// names are passed over; [`Blobs::check`] reports them.
    pub fn names(&self) -> impl Iterator<Item = Result<Sha256Digest, BlobError>> + '_ {
        let (folders, failed) = match self.list(&self.dir) {
            Ok(names) => (names, None),
            Err(error) => (Vec::new(), Some(Err(error))),
        };
        let in_folders = folders.into_iter().filter(|name| is_hex(name, FOLDER_DIGITS)).flat_map(|folder| {
            let (names, failed) = match self.list(&self.dir.join(&folder)) {
                Ok(names) => (names, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            let digests = names.into_iter().filter_map(move |rest| format!("{folder}{rest}").parse().ok());
            failed.into_iter().chain(digests.map(Ok))
        });
        failed.into_iter().chain(in_folders)
    }

    /// Hashes every payload and reports, in order of path, each file that is not what its name
    /// says (`blob.damaged`), that has no business here (`blob.name`), or that a crash left
    /// (`blob.unfinished`, harmless). Repairs nothing; putting a damaged payload again does.
    ///
    /// # Errors
    /// [`BlobError::Io`] if a folder cannot be listed. A file that cannot be read is reported as
    /// damaged.
    pub fn check(&self, on_each: &mut dyn FnMut(Damage)) -> Result<BlobTotals, BlobError> {
        let mut totals = BlobTotals::default();
        for folder in self.list(&self.dir)? {
            let place = format!("{BLOBS_DIR}/{folder}");
            let path = self.dir.join(&folder);
            if folder == LOCK_NAME {
                continue;
            }
            if !is_hex(&folder, FOLDER_DIGITS) {
                on_each(foreign(place, &folder));
                continue;
            }
            let names = match self.list(&path) {
                Err(BlobError::Io { source, .. }) if source.kind() == io::ErrorKind::NotADirectory => {
                    on_each(foreign(place, &folder));
                    continue;
                }
                names => names?,
            };
            for rest in names {
                let place = format!("{place}/{rest}");
                match format!("{folder}{rest}").parse() {
                    Ok(name) => self.check_one(&name, place, &mut totals, on_each),
                    Err(_) if is_mark(&folder, &rest) => {}
                    Err(_) => on_each(foreign(place, &rest)),
                }
            }
        }
        Ok(totals)
    }

    fn check_one(
        &self,
        name: &Sha256Digest,
        place: String,
        totals: &mut BlobTotals,
        on_each: &mut dyn FnMut(Damage),
    ) {
        let damaged =
            |message| Damage { code: "blob.damaged", file: place, offset: None, seq: None, message };
        totals.blobs += 1;
        let hashed = self.disk.open(&self.path(name), Access::Read).and_then(|file| digest_of(&*file));
        match hashed {
            Ok((actual, size_bytes)) => {
                totals.bytes += size_bytes;
                if actual != *name {
                    on_each(damaged(format!("its {size_bytes} bytes have the digest {actual}")));
                }
            }
            Err(error) => on_each(damaged(format!("it cannot be read: {error}"))),
        }
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, BlobError> {
        list(&*self.disk, path)
    }

    fn folder(&self, name: &Sha256Digest) -> PathBuf {
        folder_of(&self.dir, name)
    }

    fn path(&self, name: &Sha256Digest) -> PathBuf {
        path_of(&self.dir, name)
    }

    fn eraser(&self) -> Eraser<'_> {
        Eraser::of(&*self.disk, &self.dir)
    }

    /// Makes the folder of a name, durable up to the root, once for each handle: a folder that
    /// is there may have been made by somebody who was cut off before its sync.
    fn ready_folder(&self, name: &Sha256Digest) -> Result<PathBuf, BlobError> {
        let folder = self.folder(name);
        let ready = name.as_bytes().first().and_then(|byte| self.ready.get(usize::from(*byte)));
        if !ready.is_some_and(|ready| ready.load(Ordering::Acquire)) {
            self.noting(durable::create_dirs(&*self.disk, &folder)).during("create", &folder)?;
            if let Some(ready) = ready {
                ready.store(true, Ordering::Release);
            }
        }
        Ok(folder)
    }

    /// A new, empty file under a name that nobody else has, in this process or another.
    fn start(&self) -> Result<Temporary, BlobError> {
        if let Some(spare) = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(spare);
        }
        // Looked at once: a look for each file of a large import adds up.
        if !self.is_there.load(Ordering::Acquire) {
            if !self.disk.exists(&self.dir) {
                durable::create_dirs(&*self.disk, &self.dir).during("create", &self.dir)?;
            }
            self.is_there.store(true, Ordering::Release);
        }
        loop {
            let number = self.next_number.fetch_add(1, Ordering::Relaxed);
            let path = self.dir.join(format!("{}-{number}{UNFINISHED}", std::process::id()));
            match self.disk.open(&path, Access::CreateNew) {
                // Left by an earlier process of this number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                file => {
                    let file = file.during("create", &path)?;
                    // An erasure removes what is not empty and not locked.
                    if file.try_lock().during("lock", &path)? {
                        return Ok(Temporary { file, path });
                    }
                }
            }
        }
    }

    fn drain(
        &self,
        reader: &mut dyn Read,
        limit_bytes: u64,
        temporary: &Temporary,
    ) -> Result<StoredBlob, BlobError> {
        let mut window = vec![0; WINDOW_BYTES];
        let mut hasher = Sha256Hasher::new();
        let mut size_bytes = 0_u64;
        loop {
            let count = fill(reader, &mut window).map_err(BlobError::Source)?;
            let part = window.get(..count).unwrap_or_default();
            if part.len() as u64 > limit_bytes.saturating_sub(size_bytes) {
                return Err(BlobError::TooLarge { limit_bytes });
            }
            hasher.update(part);
            temporary.file.write_all_at(part, size_bytes).during("write", &temporary.path)?;
            size_bytes += part.len() as u64;
            if count < WINDOW_BYTES {
                return Ok(StoredBlob { name: hasher.finalize(), size_bytes });
            }
        }
    }

    /// Gives a written file its name, whole and durable, in place of whatever had that name.
    fn finish(&self, temporary: Temporary, name: &Sha256Digest) -> Result<(), BlobError> {
        let path = self.path(name);
        let renamed = self.eraser().refuse(name).and_then(|()| {
            let folder = self.ready_folder(name)?;
            self.noting(temporary.file.sync()).during("sync", &temporary.path)?;
            let _lock = self.eraser().lock()?;
            self.eraser().refuse(name)?;
            self.disk.rename(&temporary.path, &path).during("rename", &path)?;
            Ok(folder)
        });
        match renamed {
            Ok(folder) => self.noting(self.disk.sync_dir(&folder)).during("sync", &folder),
            Err(error) => {
                if matches!(error, BlobError::Erased { .. }) {
                    self.empty(temporary);
                } else {
                    self.abandon(temporary, false);
                }
                Err(error)
            }
        }
    }

    /// Remembers that a sync failed.
    fn noting(&self, synced: io::Result<()>) -> io::Result<()> {
        if synced.is_err() {
            self.distrusts.store(true, Ordering::Release);
        }
        synced
    }

    /// Takes the bytes of an erased payload off the disk.
    fn empty(&self, temporary: Temporary) {
        let emptied = temporary.file.truncate(0).and_then(|()| self.noting(temporary.file.sync()));
        self.abandon(temporary, emptied.is_ok());
    }

    /// Gives back the space of a file that will have no name. After a failed write or sync it is
    /// not written to again: its pages may look clean and not be on the device.
    fn abandon(&self, temporary: Temporary, is_sound: bool) {
        if temporary.file.truncate(0).is_ok() && is_sound {
            self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(temporary);
        }
    }

    /// True when these very bytes are kept already; then makes sure that they stay.
    fn is_settled(&self, name: &Sha256Digest, bytes: &[u8]) -> Result<bool, BlobError> {
        let path = self.path(name);
        if self.distrusts.load(Ordering::Acquire) {
            return Ok(false);
        }
        let Ok(file) = self.disk.open(&path, Access::Read) else { return Ok(false) };
        if !holds(&*file, bytes) {
            return Ok(false);
        }
        // Whoever put them may not have come to the syncs yet.
        self.noting(file.sync()).during("sync", &path)?;
        let folder = self.ready_folder(name)?;
        self.noting(self.disk.sync_dir(&folder)).during("sync", &folder)?;
        Ok(true)
    }

    fn put_bytes(&self, name: &Sha256Digest, bytes: &[u8]) -> Result<(), BlobError> {
        if bytes.len() as u64 > self.max_bytes {
            return Err(BlobError::TooLarge { limit_bytes: self.max_bytes });
        }
        self.eraser().refuse(name)?;
        if self.is_settled(name, bytes)? {
            return Ok(());
        }
        let temporary = self.start()?;
        if let Err(error) = temporary.file.write_all_at(bytes, 0).during("write", &temporary.path) {
            self.abandon(temporary, false);
            return Err(error);
        }
        self.finish(temporary, name)
    }
}

impl ContentStore for Blobs {
    /// Durable when this returns; refused when the payload is erased. Bytes kept already are compared, not written
    /// again; what is kept under the name and differs is replaced, so that putting a payload again mends it.
    fn put(&self, name: &Sha256Digest, bytes: &[u8]) -> Result<(), StoreError> {
        StoreError::check_offered(name, bytes)?;
        Ok(self.put_bytes(name, bytes)?)
    }

    fn get(&self, name: &Sha256Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(name);
        let file = match self.disk.open(&path, Access::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.during("open", &path)?,
        };
        let size_bytes = file.len().during("read", &path)?;
        if size_bytes > self.max_bytes {
            // A file that grew through damage is damaged, not large.
            let (actual, _) = digest_of(&*file).during("read", &path)?;
            if actual != *name {
                return Err(StoreError::Damaged { name: *name, actual });
            }
            return Err(BlobError::TooLarge { limit_bytes: self.max_bytes }.into());
        }
        let length = usize::try_from(size_bytes).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(length)
            .map_err(|_| io::ErrorKind::OutOfMemory.into())
            .during("read", &path)?;
        bytes.resize(length, 0);
        let count = read_full_at(&*file, &mut bytes, 0).during("read", &path)?;
        bytes.truncate(count);
        StoreError::check_kept(name, &bytes)?;
        Ok(Some(bytes))
    }

    /// By name alone: what is kept is compared with the name when it is read.
    fn has(&self, name: &Sha256Digest) -> Result<bool, StoreError> {
        let path = self.path(name);
        match self.disk.open(&path, Access::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            file => Ok(file.map(|_| true).during("open", &path)?),
        }
    }
}

/// The names in a folder; none if there is no such folder.
fn list(disk: &dyn Disk, path: &Path) -> Result<Vec<String>, BlobError> {
    match disk.list(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        names => names.during("list", path),
    }
}

/// The folder that holds a payload, in the folder of payloads.
fn folder_of(dir: &Path, name: &Sha256Digest) -> PathBuf {
    let mut digits = name.to_string();
    digits.truncate(FOLDER_DIGITS);
    dir.join(digits)
}

/// The file of a payload, in the folder of payloads.
fn path_of(dir: &Path, name: &Sha256Digest) -> PathBuf {
    folder_of(dir, name).join(name.to_string().split_off(FOLDER_DIGITS))
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn foreign(place: String, name: &str) -> Damage {
    let (code, message) = if name.ends_with(UNFINISHED) {
        ("blob.unfinished", "a payload that was never finished; nothing refers to it")
    } else {
        ("blob.name", "it is not named by the digest of a payload")
    };
    Damage { code, file: place, offset: None, seq: None, message: message.to_owned() }
}

/// Reads until the buffer is full or the reader has no more.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// True when the file holds these bytes and no others; false also when it cannot be read.
fn holds(file: &dyn DiskFile, bytes: &[u8]) -> bool {
    let mut window = vec![0; WINDOW_BYTES];
    let mut offset = 0;
    for part in bytes.chunks(WINDOW_BYTES) {
        let Some(buffer) = window.get_mut(..part.len()) else { return false };
        if !read_full_at(file, buffer, offset).is_ok_and(|count| count == part.len()) || *buffer != *part {
            return false;
        }
        offset += part.len() as u64;
    }
    file.len().is_ok_and(|length| length == offset)
}

/// The digest of all a file holds, and how much that is.
fn digest_of(file: &dyn DiskFile) -> io::Result<(Sha256Digest, u64)> {
    let mut window = vec![0; WINDOW_BYTES];
    let mut hasher = Sha256Hasher::new();
    let mut size_bytes = 0;
    loop {
        let count = read_full_at(file, &mut window, size_bytes)?;
        hasher.update(window.get(..count).unwrap_or_default());
        size_bytes += count as u64;
        if count < window.len() {
            return Ok((hasher.finalize(), size_bytes));
        }
    }
}
