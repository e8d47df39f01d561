//! The sled side of the catalogue: six trees of immutable keys and one record of state. Nothing
//! here knows what a ledger is.
//!
//! sled may panic over damaged files. Every call runs on a thread of its own, whose name says
//! what its panic message means to whoever reads standard error: the hook that prints it belongs
//! to the whole process and is left alone.

use std::any::Any;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::thread;
use std::time::Duration;

use proofline_proof::Seq;

/// Every tree of keys. A key ends in eight bytes, the seq of the entry it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tree {
    Traces,
    Artifacts,
    Actors,
    Tools,
    Models,
    Actions,
}

impl Tree {
    pub(super) const ALL: [Tree; 6] =
        [Tree::Traces, Tree::Artifacts, Tree::Actors, Tree::Tools, Tree::Models, Tree::Actions];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Tree::Traces => "traces",
            Tree::Artifacts => "artifacts",
            Tree::Actors => "actors",
            Tree::Tools => "tools",
            Tree::Models => "models",
            Tree::Actions => "actions",
        }
    }
}

/// A key and its value, for one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) tree: Tree,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// The seq at the end of a key.
pub(super) fn seq_of(key: &[u8]) -> Option<Seq> {
    key.last_chunk().map(|bytes| Seq::new(u64::from_be_bytes(*bytes)))
}

/// How many keys there are, and the exclusive or of their BLAKE3 hashes: the same in any order,
/// and another when a key or value is lost, changed or slipped in by accident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) keys: u64,
    pub(super) xor: [u8; 32],
}

impl Sum {
    pub(super) fn add(&mut self, tree: Tree, key: &[u8], value: &[u8]) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[tree as u8]);
        hasher.update(&(key.len() as u64).to_le_bytes());
        hasher.update(key);
        hasher.update(value);
        for (sum, byte) in self.xor.iter_mut().zip(hasher.finalize().as_bytes()) {
            *sum ^= byte;
        }
        self.keys += 1;
    }
}

/// Why sled did not do what it was asked.
#[derive(Debug)]
pub(super) enum StoreFault {
    /// Somebody has the files open.
    Busy,
    /// The system refused, for a reason that has nothing to do with the files' contents.
    Refused(io::Error),
    /// sled's own threads died earlier; no database can be used in this process any more.
    Unusable(String),
    /// Anything else, a panic included: taken for damage.
    Damaged(String),
}

/// `ENFILE` and `EMFILE`: too many open files, for which there is no [`io::ErrorKind`].
const TOO_MANY_FILES: [i32; 2] = [23, 24];

impl From<sled::Error> for StoreFault {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) if is_circumstance(&error) => StoreFault::Refused(error),
            sled::Error::Io(error) if error.to_string().starts_with("could not acquire lock") => {
                StoreFault::Busy
            }
            sled::Error::ReportableBug(message) if message.starts_with("IO thread") => {
                StoreFault::Unusable(message)
            }
            error => StoreFault::Damaged(error.to_string()),
        }
    }
}

fn is_circumstance(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let kinds = [
        Kind::PermissionDenied,
        Kind::ReadOnlyFilesystem,
        Kind::StorageFull,
        Kind::QuotaExceeded,
        Kind::OutOfMemory,
    ];
    kinds.contains(&error.kind()) || error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code))
}

const THREAD_NAME: &str = "proofline catalogue (a panic here is caught; the catalogue is rebuilt)";

/// Runs a call of sled so that its panic ends here.
fn guarded<T: Send>(call: impl FnOnce() -> Result<T, StoreFault> + Send) -> Result<T, StoreFault> {
    thread::scope(|scope| {
        let spawned = thread::Builder::new().name(THREAD_NAME.to_owned()).spawn_scoped(scope, call);
        match spawned.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(payload)) => Err(StoreFault::Damaged(format!("sled panicked: {}", message_of(&*payload)))),
            Err(error) => Err(StoreFault::Refused(error)),
        }
    })
}

fn message_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

/// sled's page cache. It takes several times this much memory, and some 40 bytes per key beside it.
const CACHE_BYTES: u64 = 8 << 20;

const META_TREE: &str = "meta";
const STATE_KEY: &str = "state";

/// How long a handle that this process has just dropped may take to let go of its files.
const LAGGING: Duration = Duration::from_secs(2);
const LAGGING_STEP: Duration = Duration::from_millis(5);

/// An open sled database.
#[derive(Debug)]
pub(super) struct Store {
    /// Always there until drop takes it.
    opened: Option<Opened>,
}

#[derive(Debug)]
struct Opened {
    meta: sled::Tree,
    traces: sled::Tree,
    artifacts: sled::Tree,
    actors: sled::Tree,
    tools: sled::Tree,
    models: sled::Tree,
    actions: sled::Tree,
    db: sled::Db,
}

impl Opened {
    fn open(path: &Path) -> Result<Self, StoreFault> {
        // No flusher thread: a flush comes at the end of following, and nothing else changes the files.
        let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let db = config.open()?;
        let tree = |which: Tree| db.open_tree(which.name());
        Ok(Opened {
            meta: db.open_tree(META_TREE)?,
            traces: tree(Tree::Traces)?,
            artifacts: tree(Tree::Artifacts)?,
            actors: tree(Tree::Actors)?,
            tools: tree(Tree::Tools)?,
            models: tree(Tree::Models)?,
            actions: tree(Tree::Actions)?,
            db,
        })
    }

    fn tree(&self, tree: Tree) -> &sled::Tree {
        match tree {
            Tree::Traces => &self.traces,
            Tree::Artifacts => &self.artifacts,
            Tree::Actors => &self.actors,
            Tree::Tools => &self.tools,
            Tree::Models => &self.models,
            Tree::Actions => &self.actions,
        }
    }
}

/// A key and its value as sled hands them out.
pub(super) type Pair = (sled::IVec, sled::IVec);

/// Is shown keys and their values.
pub(super) type OnKey<'a> = dyn FnMut(Tree, &[u8], &[u8]) + 'a;

impl Store {
    /// Opens or makes the database in the folder `path`. The caller holds the catalogue's lock,
    /// so that files still locked are those of a handle on its way out.
    pub(super) fn open(path: &Path) -> Result<Self, StoreFault> {
        guarded(|| {
            let mut waited = Duration::ZERO;
            loop {
                match Opened::open(path) {
                    Err(StoreFault::Busy) if waited < LAGGING => thread::sleep(LAGGING_STEP),
                    result => return result.map(|opened| Store { opened: Some(opened) }),
                }
                waited += LAGGING_STEP;
            }
        })
    }

    fn run<T: Send>(
        &self,
        call: impl FnOnce(&Opened) -> Result<T, sled::Error> + Send,
    ) -> Result<T, StoreFault> {
        let Some(opened) = &self.opened else {
            return Err(StoreFault::Unusable("it was closed".to_owned()));
        };
        guarded(|| call(opened).map_err(StoreFault::from))
    }

    pub(super) fn state(&self) -> Result<Option<sled::IVec>, StoreFault> {
        self.run(|opened| opened.meta.get(STATE_KEY))
    }

    /// Puts keys, then the state that counts them in. A kill in between leaves keys that the
    /// state does not know of; they are put again when the log is followed from there.
    pub(super) fn apply(&self, puts: &[Put], state: &[u8]) -> Result<(), StoreFault> {
        self.run(|opened| {
            for put in puts {
                opened.tree(put.tree).insert(&put.key, put.value.as_slice())?;
            }
            opened.meta.insert(STATE_KEY, state)?;
            Ok(())
        })
    }

    pub(super) fn flush(&self) -> Result<(), StoreFault> {
        self.run(|opened| opened.db.flush().map(|_| ()))
    }

    /// The values that these keys have, whatever value is to be put.
    pub(super) fn values(&self, puts: &[Put]) -> Result<Vec<Option<sled::IVec>>, StoreFault> {
        self.run(|opened| puts.iter().map(|put| opened.tree(put.tree).get(&put.key)).collect())
    }

    /// The first keys from `from` on and before `to` (no bound if empty), at most `limit`.
    pub(super) fn page(
        &self,
        tree: Tree,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, StoreFault> {
        self.run(|opened| opened.tree(tree).range::<&[u8], _>((from, to)).take(limit).collect())
    }

    /// The last key in the range.
    pub(super) fn last(&self, tree: Tree, from: &[u8], to: &[u8]) -> Result<Option<Pair>, StoreFault> {
        self.run(|opened| opened.tree(tree).range(from..to).next_back().transpose())
    }

    /// Shows every key of every tree, in pages.
    pub(super) fn walk(&self, on_each: &mut OnKey<'_>) -> Result<(), StoreFault> {
        const PAGE: usize = 4096;
        for tree in Tree::ALL {
            let mut after: Option<sled::IVec> = None;
            loop {
                let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                let page = self.page(tree, from, Bound::Unbounded, PAGE)?;
                page.iter().for_each(|(key, value)| on_each(tree, key, value));
                match page.into_iter().last() {
                    Some((key, _)) => after = Some(key),
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// The sum of all keys of entries before `entries`; later ones are leftovers of a kill.
    pub(super) fn sum(&self, entries: u64) -> Result<Sum, StoreFault> {
        let mut sum = Sum::default();
        self.walk(&mut |tree, key, value| {
            // A key too short for a seq was not put here: it spoils the sum, as it should.
            if seq_of(key).is_none_or(|seq| seq.get() < entries) {
                sum.add(tree, key, value);
            }
        })?;
        Ok(sum)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(opened) = self.opened.take() {
            // What sled cannot write on its way out, it will miss when it is next opened.
            let _ = guarded(|| {
                drop(opened);
                Ok(())
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_damage_and_everything_unknown_is() {
        let fault = |kind: io::ErrorKind| StoreFault::from(sled::Error::Io(kind.into()));
        assert!(matches!(fault(io::ErrorKind::StorageFull), StoreFault::Refused(_)));
        assert!(matches!(fault(io::ErrorKind::PermissionDenied), StoreFault::Refused(_)));
        assert!(matches!(fault(io::ErrorKind::UnexpectedEof), StoreFault::Damaged(_)));
        let too_many = sled::Error::Io(io::Error::from_raw_os_error(24));
        assert!(matches!(StoreFault::from(too_many), StoreFault::Refused(_)));
        assert!(matches!(StoreFault::from(sled::Error::Unsupported(String::new())), StoreFault::Damaged(_)));
    }

    #[test]
    fn a_panic_is_a_fault_with_its_message() {
        let caught = guarded(|| -> Result<(), StoreFault> { panic!("tried to read page {}", 7) });
        let Err(StoreFault::Damaged(message)) = caught else { panic!("{caught:?}") };
        assert_eq!(message, "sled panicked: tried to read page 7");
    }

    #[test]
    fn the_lock_of_sled_is_told_from_damage() {
        let dir = tempfile::tempdir().unwrap();
        let held = sled::open(dir.path()).unwrap();
        assert!(matches!(Opened::open(dir.path()), Err(StoreFault::Busy)));
        drop(held);
        let store = Store::open(dir.path()).unwrap();
        drop(store);
        // A handle that is dropped lets go at once, or soon enough.
        drop(Store::open(dir.path()).unwrap());
    }

    #[test]
    fn a_sum_knows_no_order_but_tells_trees_keys_and_values_apart() {
        let sum = |keys: &[(Tree, &[u8], &[u8])]| {
            let mut sum = Sum::default();
            keys.iter().for_each(|(tree, key, value)| sum.add(*tree, key, value));
            sum
        };
        let (a, b) = ((Tree::Traces, &b"a"[..], &b"1"[..]), (Tree::Tools, &b"b"[..], &b"2"[..]));
        assert_eq!(sum(&[a, b]), sum(&[b, a]));
        assert_ne!(sum(&[a, b]), sum(&[a]));
        assert_ne!(sum(&[a]), sum(&[(Tree::Tools, a.1, a.2)]));
        assert_ne!(sum(&[a]), sum(&[(a.0, b"", b"a1")]));
        assert_ne!(sum(&[a, a]), Sum::default());
    }
}
