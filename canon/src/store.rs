//! A store that names bytes by their digest, and believes neither its caller nor itself.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::digest::Sha256Digest;

/// Bytes under the SHA-256 digest of those bytes.
///
/// ```
/// use proofline_canon::{ContentStore, MemoryStore, Sha256Digest};
///
/// let store = MemoryStore::new();
/// let name = Sha256Digest::of(b"payload");
/// store.put(&name, b"payload")?;
/// assert_eq!(store.get(&name)?.as_deref(), Some(b"payload".as_slice()));
/// assert_eq!(store.put(&name, b"other").unwrap_err().code(), "canon.store_name_mismatch");
/// # Ok::<(), proofline_canon::StoreError>(())
/// ```
pub trait ContentStore {
    /// Keeps these bytes; keeping them again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NameMismatch`] if the name is not their digest, before anything is
    /// written; [`StoreError::Io`].
    fn put(&self, name: &Sha256Digest, bytes: &[u8]) -> Result<(), StoreError>;

    /// The bytes of that name, checked against it, or `None` if there are none.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if what was kept is no longer what the name says; [`StoreError::Io`].
    fn get(&self, name: &Sha256Digest) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether there are bytes of that name, without reading them.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn has(&self, name: &Sha256Digest) -> Result<bool, StoreError>;
}

/// Why a store refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The bytes given are not those of the name given.
    #[error("bytes of digest {actual} offered under the name {name}: hash them again, or mend the name")]
    NameMismatch {
        /// The name they were offered under.
        name: Sha256Digest,
        /// Their digest.
        actual: Sha256Digest,
    },
    /// The bytes kept are not those of the name they are kept under.
    #[error("what is kept under {name} has digest {actual}: restore it from a copy")]
    Damaged {
        /// The name they are kept under.
        name: Sha256Digest,
        /// Their digest now.
        actual: Sha256Digest,
    },
    /// The medium failed.
    #[error("the store could not be read or written: {0}")]
    Io(#[from] io::Error),
}

impl StoreError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NameMismatch { .. } => "canon.store_name_mismatch",
            Self::Damaged { .. } => "canon.store_damaged",
            Self::Io(_) => "canon.store_io",
        }
    }

    /// The check before a write.
    ///
    /// # Errors
    /// [`StoreError::NameMismatch`] unless `name` is the digest of `bytes`.
    pub fn check_offered(name: &Sha256Digest, bytes: &[u8]) -> Result<(), Self> {
        let actual = Sha256Digest::of(bytes);
        if actual == *name { Ok(()) } else { Err(Self::NameMismatch { name: *name, actual }) }
    }

    /// The check after a read.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] unless `name` is the digest of `bytes`.
    pub fn check_kept(name: &Sha256Digest, bytes: &[u8]) -> Result<(), Self> {
        let actual = Sha256Digest::of(bytes);
        if actual == *name { Ok(()) } else { Err(Self::Damaged { name: *name, actual }) }
    }
}

/// A store in memory: for tests, and for what need not outlive the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    kept: Mutex<BTreeMap<Sha256Digest, Vec<u8>>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub const fn new() -> Self {
        Self { kept: Mutex::new(BTreeMap::new()) }
    }

    /// A panic elsewhere cannot leave an entry half written, so a poisoned lock is no harm.
    fn kept(&self) -> MutexGuard<'_, BTreeMap<Sha256Digest, Vec<u8>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ContentStore for MemoryStore {
    fn put(&self, name: &Sha256Digest, bytes: &[u8]) -> Result<(), StoreError> {
        StoreError::check_offered(name, bytes)?;
        self.kept().insert(*name, bytes.to_vec());
        Ok(())
    }

    fn get(&self, name: &Sha256Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.kept().get(name).cloned();
        if let Some(bytes) = &found {
            StoreError::check_kept(name, bytes)?;
        }
        Ok(found)
    }

    fn has(&self, name: &Sha256Digest) -> Result<bool, StoreError> {
        Ok(self.kept().contains_key(name))
    }
}

#[cfg(test)]
mod tests {
    use super::{ContentStore, MemoryStore, StoreError};
    use crate::digest::Sha256Digest;

    #[test]
    fn keeps_and_finds() {
        let store = MemoryStore::new();
        let name = Sha256Digest::of(b"");
        assert!(!store.has(&name).unwrap());
        assert_eq!(store.get(&name).unwrap(), None);
        for _ in 0..2 {
            store.put(&name, b"").unwrap();
            assert!(store.has(&name).unwrap());
            assert_eq!(store.get(&name).unwrap(), Some(Vec::new()));
        }
    }

    #[test]
    fn refuses_another_name_and_keeps_nothing() {
        let store = MemoryStore::new();
        let (right, wrong) = (Sha256Digest::of(b"bytes"), Sha256Digest::of(b"other"));
        let error = store.put(&wrong, b"bytes").unwrap_err();
        assert_eq!(error.code(), "canon.store_name_mismatch");
        assert!(
            matches!(error, StoreError::NameMismatch { name, actual } if (name, actual) == (wrong, right))
        );
        assert!(!store.has(&wrong).unwrap() && !store.has(&right).unwrap());
    }

    #[test]
    fn damage_is_noticed_when_read() {
        let store = MemoryStore::new();
        let name = Sha256Digest::of(b"bytes");
        store.kept().insert(name, b"bytez".to_vec());
        let error = store.get(&name).unwrap_err();
        assert_eq!(error.code(), "canon.store_damaged");
        assert!(error.to_string().contains(&Sha256Digest::of(b"bytez").to_string()), "{error}");
    }

    #[test]
    fn serves_as_an_object_behind_a_reference() {
        let store: &dyn ContentStore = &MemoryStore::new();
        assert!(!store.has(&Sha256Digest::of(b"")).unwrap());
    }
}
