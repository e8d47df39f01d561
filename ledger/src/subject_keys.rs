//! The keys of subjects, in a folder apart from any ledger and its copies: a file for each, and when a key is destroyed
//! nothing is left of it that this program can reach. `docs/sealed.md` draws the file.
//!
//! | to | in order |
//! |---|---|
//! | add | write `<id>.tmp`, sync, rename to `<id>.key`, sync the folder |
//! | destroy | rename `<id>.key` to `<id>.gone`, sync the folder, write zeros, sync, remove, sync the folder |
//!
//! Opening finishes both kinds that a crash left: a key whose file was never finished was handed to nobody.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proofline_canon::{hex, unhex};
use proofline_proof::sealed::SubjectKey;
use proofline_trace::SubjectKeyId;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::disk::{Access, Disk, DiskFile, DiskLock, OsDisk};
use crate::durable::{UNFINISHED, create_dirs, read_full_at, sync_parent};

const KEY: &str = ".key";
const GONE: &str = ".gone";
const LOCK_FILE: &str = "lock";
const HEADING: &str = "proofline subject key v1";

/// The longest name of a subject.
const MAX_NAME_BYTES: usize = 256;

/// More than a file with the longest name has.
const MAX_FILE_BYTES: usize = 1024;

/// Bytes of zeros that are written over a key at once.
const ZEROS: [u8; MAX_FILE_BYTES] = [0; MAX_FILE_BYTES];

/// Why a subject's key was not kept, found or destroyed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SubjectKeysError {
    /// Not a name.
    #[error("a subject's name is 1 to 256 bytes without control characters, and has no space at its ends")]
    Name,
    /// The name is taken.
    #[error("there is a subject of that name, with the key {0}")]
    Exists(SubjectKeyId),
    /// The folder is not there.
    #[error("there is no folder of subject keys at {}", .0.display())]
    NoFolder(PathBuf),
    /// Nobody has that name.
    #[error("no subject has that name")]
    NoSuchName,
    /// Others can read the folder or a key.
    #[error("others can read or change {}, which holds the keys of subjects", .0.display())]
    Permissions(PathBuf),
    /// A file of a key is not what it has to be.
    #[error("{} is no key of a subject, or not the one that its name says", .0.display())]
    Damaged(PathBuf),
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

impl SubjectKeysError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            SubjectKeysError::Name => "subject.name",
            SubjectKeysError::Exists(_) => "subject.exists",
            SubjectKeysError::NoFolder(_) => "subject.no_folder",
            SubjectKeysError::NoSuchName => "subject.unknown",
            SubjectKeysError::Permissions(_) => "subject.permissions",
            SubjectKeysError::Damaged(_) => "subject.damaged",
            SubjectKeysError::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "subject.storage_full",
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => "subject.read_only",
                _ => "subject.io",
            },
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.code() {
            "subject.name" => "give the name that you know the subject by; it goes into no ledger",
            "subject.exists" => "use that key, or choose another name",
            "subject.no_folder" => "`proofline subject add` makes it",
            "subject.unknown" => "`proofline subject list` lists the names",
            "subject.permissions" => "chmod 700 the folder and 600 its files, and consider who had access",
            "subject.damaged" => "restore the file; what is sealed under its key cannot be opened without",
            "subject.storage_full" => "free space, then do it again",
            "subject.read_only" => "give this user the right to read and write the folder",
            _ => "look at the system's log for the device, then do it again",
        }
    }

    /// Where it happened.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            SubjectKeysError::NoFolder(path)
            | SubjectKeysError::Permissions(path)
            | SubjectKeysError::Damaged(path)
            | SubjectKeysError::Io { path, .. } => Some(path),
            _ => None,
        }
    }
}

trait KeysContext<T> {
    fn during(self, action: &'static str, path: &Path) -> Result<T, SubjectKeysError>;
}

impl<T> KeysContext<T> for io::Result<T> {
    fn during(self, action: &'static str, path: &Path) -> Result<T, SubjectKeysError> {
        self.map_err(|source| SubjectKeysError::Io { action, path: path.to_owned(), source })
    }
}

/// What an operator calls a subject. It stands beside the key and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubjectName(String);

impl SubjectName {
    /// A name.
    ///
    /// # Errors
    /// [`SubjectKeysError::Name`].
    pub fn new(name: &str) -> Result<Self, SubjectKeysError> {
        let is_name = !name.is_empty()
            && name.len() <= MAX_NAME_BYTES
            && name.trim() == name
            && !name.contains(char::is_control);
        if is_name { Ok(SubjectName(name.to_owned())) } else { Err(SubjectKeysError::Name) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A subject that has a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Its name.
    pub name: SubjectName,
    /// The public name of its key.
    pub key_id: SubjectKeyId,
}

/// A folder of subject keys, locked against other processes until dropped: whoever seals under a key and whoever
/// destroys it do not do so at once.
#[derive(Debug)]
pub struct SubjectKeys {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    _lock: Box<dyn DiskLock>,
}

impl SubjectKeys {
    /// The keys in a folder, which is made when it is missing.
    ///
    /// # Errors
    /// [`SubjectKeysError`].
    pub fn create(dir: impl AsRef<Path>) -> Result<Self, SubjectKeysError> {
        Self::create_on(Arc::new(OsDisk), dir.as_ref())
    }

    /// The keys in a folder.
    ///
    /// # Errors
    /// [`SubjectKeysError`].
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, SubjectKeysError> {
        Self::open_on(Arc::new(OsDisk), dir.as_ref())
    }

    /// [`SubjectKeys::create`] on another [`Disk`].
    ///
    /// # Errors
    /// As [`SubjectKeys::create`].
    pub fn create_on(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, SubjectKeysError> {
        let made = || -> io::Result<()> {
            if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                create_dirs(&*disk, parent)?;
            }
            disk.create_private_dir(dir)?;
            sync_parent(&*disk, dir)
        };
        made().during("create", dir)?;
        Self::open_on(disk, dir)
    }

    /// [`SubjectKeys::open`] on another [`Disk`].
    ///
    /// # Errors
    /// As [`SubjectKeys::open`].
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, SubjectKeysError> {
        if !disk.exists(dir) {
            return Err(SubjectKeysError::NoFolder(dir.to_owned()));
        }
        only_private(&*disk, dir)?;
        let path = dir.join(LOCK_FILE);
        let lock = disk.lock(&path).during("lock", &path)?;
        let keys = SubjectKeys { disk, dir: dir.to_owned(), _lock: lock };
        keys.finish_interrupted()?;
        Ok(keys)
    }

    /// Keeps a new subject's key; durable when this returns. The key must be drawn at random.
    ///
    /// # Errors
    /// [`SubjectKeysError::Exists`] and others of [`SubjectKeysError`].
    pub fn add(&self, name: &SubjectName, key: &SubjectKey) -> Result<(), SubjectKeysError> {
        if let Some(taken) = self.list()?.into_iter().find(|subject| subject.name == *name) {
            return Err(SubjectKeysError::Exists(taken.key_id));
        }
        let path = self.path(&key.id(), KEY);
        let temporary = self.path(&key.id(), UNFINISHED);
        let text = text_of(name, key);
        let write = || -> io::Result<()> {
            let file = self.disk.create_private(&temporary)?;
            file.write_all_at(text.as_bytes(), 0)?;
            file.sync()?;
            self.disk.rename(&temporary, &path)?;
            self.disk.sync_dir(&self.dir)
        };
        write().during("write", &path).inspect_err(|_| {
            // Nobody has the key yet. What cannot be wiped now is when the folder is opened again.
            let _ = self.wipe(&temporary).and_then(|()| self.destroy(&key.id()));
        })
    }

    /// Every subject, in the order of names.
    ///
    /// # Errors
    /// [`SubjectKeysError`].
    pub fn list(&self) -> Result<Vec<Subject>, SubjectKeysError> {
        let mut subjects = Vec::new();
        for name in self.names()?.iter().filter_map(|name| name.strip_suffix(KEY)) {
            let path = self.dir.join(format!("{name}{KEY}"));
            let key_id = name.parse().map_err(|_| SubjectKeysError::Damaged(path))?;
            subjects.extend(self.read(&key_id)?.map(|(name, _)| Subject { name, key_id }));
        }
        subjects.sort_unstable();
        Ok(subjects)
    }

    /// The key of the subject of this name.
    ///
    /// # Errors
    /// [`SubjectKeysError::NoSuchName`] and others of [`SubjectKeysError`].
    pub fn find(&self, name: &SubjectName) -> Result<SubjectKey, SubjectKeysError> {
        let found = self.list()?.into_iter().find(|subject| subject.name == *name);
        let key = found.map(|subject| self.key(&subject.key_id)).transpose()?.flatten();
        key.ok_or(SubjectKeysError::NoSuchName)
    }

    /// The key of this id, if it is kept.
    ///
    /// # Errors
    /// [`SubjectKeysError`].
    pub fn key(&self, key_id: &SubjectKeyId) -> Result<Option<SubjectKey>, SubjectKeysError> {
        Ok(self.read(key_id)?.map(|(_, key)| key))
    }

    /// Destroys the key of this id; false when it was not kept. What was sealed under it stays closed for good.
    ///
    /// # Errors
    /// [`SubjectKeysError::Io`]; do it again, or open the folder again, which finishes it.
    pub fn destroy(&self, key_id: &SubjectKeyId) -> Result<bool, SubjectKeysError> {
        let (path, gone) = (self.path(key_id, KEY), self.path(key_id, GONE));
        let was_kept = self.disk.exists(&path);
        if was_kept {
            self.disk.rename(&path, &gone).during("rename", &path)?;
            self.disk.sync_dir(&self.dir).during("sync", &self.dir)?;
        }
        self.wipe(&gone)?;
        Ok(was_kept)
    }

    /// Writes zeros over a file that may be there, and takes it away.
    fn wipe(&self, path: &Path) -> Result<(), SubjectKeysError> {
        if !self.disk.exists(path) {
            return Ok(());
        }
        let wipe = || -> io::Result<()> {
            let file = self.disk.open(path, Access::Write)?;
            let length = file.len()?;
            for offset in (0..length).step_by(ZEROS.len()) {
                let size = usize::try_from(length - offset).unwrap_or(usize::MAX).min(ZEROS.len());
                file.write_all_at(ZEROS.get(..size).unwrap_or_default(), offset)?;
            }
            file.sync()?;
            self.disk.remove(path)?;
            self.disk.sync_dir(&self.dir)
        };
        wipe().during("destroy", path)
    }

    /// A cut within a rename may leave one file under both names, so both go: the key was on its way out, or was handed
    /// to nobody yet.
    fn finish_interrupted(&self) -> Result<(), SubjectKeysError> {
        for left in self.names()? {
            if let Some(id) = left.strip_suffix(GONE).or_else(|| left.strip_suffix(UNFINISHED)) {
                self.wipe(&self.dir.join(format!("{id}{KEY}")))?;
                self.wipe(&self.dir.join(&left))?;
            }
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>, SubjectKeysError> {
        self.disk.list(&self.dir).during("list", &self.dir)
    }

    fn path(&self, key_id: &SubjectKeyId, ending: &str) -> PathBuf {
        self.dir.join(format!("{key_id}{ending}"))
    }

    fn read(&self, key_id: &SubjectKeyId) -> Result<Option<(SubjectName, SubjectKey)>, SubjectKeysError> {
        let path = self.path(key_id, KEY);
        let file = match self.disk.open(&path, Access::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.during("open", &path)?,
        };
        only_private(&*self.disk, &path)?;
        let text = read_text(&*file).during("read", &path)?;
        let read = text.as_ref().and_then(|text| parsed(text)).filter(|(_, key)| key.id() == *key_id);
        read.map(Some).ok_or(SubjectKeysError::Damaged(path))
    }
}

fn only_private(disk: &dyn Disk, path: &Path) -> Result<(), SubjectKeysError> {
    match disk.is_private(path).during("read", path)? {
        true => Ok(()),
        false => Err(SubjectKeysError::Permissions(path.to_owned())),
    }
}

/// The text in a file, if it is one and not too long. The buffer never grows, so no copy of a secret is left behind.
fn read_text(file: &dyn DiskFile) -> io::Result<Option<Zeroizing<String>>> {
    let mut bytes = Zeroizing::new(vec![0; MAX_FILE_BYTES]);
    let count = read_full_at(file, &mut bytes, 0)?;
    let text = bytes.get(..count).filter(|_| count < MAX_FILE_BYTES);
    let text = text.and_then(|text| std::str::from_utf8(text).ok());
    Ok(text.map(|text| Zeroizing::new(text.to_owned())))
}

fn text_of(name: &SubjectName, key: &SubjectKey) -> Zeroizing<String> {
    let secret = Zeroizing::new(hex(&*key.to_bytes()));
    Zeroizing::new(format!("{HEADING}\nid {}\nkey {}\nname {}\n", key.id(), *secret, name.as_str()))
}

fn parsed(text: &str) -> Option<(SubjectName, SubjectKey)> {
    let rest = text.strip_prefix(HEADING)?.strip_prefix("\nid ")?;
    let (id, rest) = rest.split_once("\nkey ")?;
    let (key, name) = rest.split_once("\nname ")?;
    let key = SubjectKey::from_bytes(&Zeroizing::new(unhex(key)?));
    let is_whole = id.parse() == Ok(key.id());
    let name = SubjectName::new(name.strip_suffix('\n')?).ok()?;
    is_whole.then_some((name, key))
}
