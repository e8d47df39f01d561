//! The catalogue: the ledger's embedded database, sled, for whoever writes or embeds it. It
//! counts, and it lists entries by actor, tool, model, action and trace.
//!
//! It follows the log and never leads: everything in it can be made again from the log, nothing
//! on the way to an acknowledgement waits for it, and no verdict and no list of traces rests on
//! it. sled is not trusted with more than that (`docs/decisions/0001-sled-holds-the-catalogue.md`):
//! - every call of it is fenced against panics;
//! - opening reads every key and compares their sum with the one kept beside the counters, for
//!   sled can lose keys of a damaged file in silence;
//! - every answer is compared with the entry of the log that it names.
//!
//! A catalogue that fails the first two, or that followed another log, is replaced by an empty
//! one at opening and fills when next followed. One that fails the third is replaced when next
//! followed. Only one handle on one machine has a catalogue open; others get
//! [`CatalogueError::Busy`] and go on without.

mod check;
mod counters;
mod error;
mod folder;
mod note;
mod store;

use std::ops::Bound;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use proofline_trace::{EnvelopeHash, LedgerId, TraceId};

pub use counters::Counters;
pub use error::{CatalogueError, Replaced};
pub use folder::CATALOGUE_DIR;

use crate::error::Damage;
use crate::snapshot::Snapshot;
use counters::State;
use folder::Folder;
use proofline_proof::Seq;
use store::{Pair, Store, StoreFault, Tree, seq_of};

/// How far following is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowProgress {
    /// Entries followed so far.
    pub followed: u64,
    /// Entries of the snapshot that is followed.
    pub entries: u64,
}

/// Where a trace begins and ends, as far as it was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceSpan {
    /// Its first entry.
    pub first: Seq,
    /// Its last entry.
    pub last: Seq,
    /// How many entries it has: accepted, rejected and artifacts.
    pub count: u64,
}

/// An artifact of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArtifactHit {
    /// Its entry.
    pub seq: Seq,
    /// SHA-256 of its canonical bytes.
    pub hash: EnvelopeHash,
}

/// A ledger's catalogue, open and locked.
#[derive(Debug)]
pub struct Catalogue {
    /// `None` only after a swap that failed half-way.
    store: Option<Store>,
    state: State,
    replaced: Option<Replaced>,
    /// Set by an answer that showed the catalogue to be wrong; the next follow replaces it.
    distrusted: Mutex<Option<Replaced>>,
    folder: Folder,
}

/// Keys between two records of state; sled leaks memory when given much more at once.
const BATCH_PUTS: usize = 100;

/// What stands in the way of using the catalogue that is there.
enum Trouble {
    /// It is good for nothing, and a new one helps.
    Replace(Replaced),
    /// A new one would fare no better.
    Fail(CatalogueError),
}

impl From<CatalogueError> for Trouble {
    fn from(error: CatalogueError) -> Self {
        Trouble::Fail(error)
    }
}

impl Catalogue {
    /// Opens the catalogue of the ledger that `snapshot` is of. One that is damaged, or not of
    /// this log, is replaced by an empty one ([`Catalogue::replaced`] says so); a missing one is
    /// made. Follow it before asking it anything.
    ///
    /// Reads every key of the catalogue: on the machine of the first measurements about two
    /// seconds for a million entries.
    ///
    /// # Errors
    /// [`CatalogueError::Busy`] when it is open elsewhere; what the system refuses; a damaged log.
    pub fn open(snapshot: &Snapshot) -> Result<Self, CatalogueError> {
        let folder = Folder::lock(snapshot.dir())?;
        folder.sweep();
        match load(&folder, snapshot) {
            Ok((store, state)) => Ok(Self::new(folder, Some(store), state)),
            Err(Trouble::Fail(error)) => Err(error),
            Err(Trouble::Replace(reason)) => {
                let mut catalogue = Self::new(folder, None, State::new(snapshot.ledger_id()));
                catalogue.replace(reason, |_, _| Ok(()))?;
                Ok(catalogue)
            }
        }
    }

    /// Makes the catalogue of the ledger that `snapshot` is of from the log alone, and swaps it
    /// in when it is complete: until then a kill or an error leaves what was there.
    ///
    /// # Errors
    /// As [`Catalogue::open`].
    pub fn rebuild(
        snapshot: &Snapshot,
        progress: &mut dyn FnMut(FollowProgress),
    ) -> Result<Self, CatalogueError> {
        let folder = Folder::lock(snapshot.dir())?;
        folder.sweep();
        let mut catalogue = Self::new(folder, None, State::new(snapshot.ledger_id()));
        catalogue.replace(Replaced::Asked, |store, state| fill(store, state, snapshot, progress))?;
        Ok(catalogue)
    }

    fn new(folder: Folder, store: Option<Store>, state: State) -> Self {
        Catalogue { store, state, replaced: None, distrusted: Mutex::default(), folder }
    }

    /// Takes in the entries of `snapshot` that are new, and returns how many. A catalogue found
    /// wrong, now or by an earlier answer, is made again whole ([`Catalogue::replaced`]).
    ///
    /// A kill leaves the catalogue at some entry in between, where following goes on.
    ///
    /// # Errors
    /// [`CatalogueError::Log`] at an entry that cannot be read, with those before it taken in;
    /// what the system refuses.
    pub fn follow(
        &mut self,
        snapshot: &Snapshot,
        progress: &mut dyn FnMut(FollowProgress),
    ) -> Result<u64, CatalogueError> {
        self.same_ledger(snapshot)?;
        let distrusted = self.distrusted.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let reason = match distrusted {
            None => against_log(&self.state, snapshot)?,
            reason => reason,
        };
        if let Some(reason) = reason {
            return self.refill(reason, snapshot, progress);
        }
        let before = self.state.entries;
        let filled = match &self.store {
            Some(store) => fill(store, &mut self.state, snapshot, progress),
            None => Err(gone()),
        };
        match filled {
            Err(CatalogueError::Unreadable(message)) => {
                self.refill(Replaced::Unreadable(message), snapshot, progress)
            }
            filled => filled.map(|()| self.state.entries - before),
        }
    }

    /// Replaces the catalogue by one that followed `snapshot`.
    fn refill(
        &mut self,
        reason: Replaced,
        snapshot: &Snapshot,
        progress: &mut dyn FnMut(FollowProgress),
    ) -> Result<u64, CatalogueError> {
        let kept = reason.clone();
        match self.replace(reason, |store, state| fill(store, state, snapshot, progress)) {
            Ok(()) => Ok(self.state.entries),
            Err(error) => {
                *self.distrusted.get_mut().unwrap_or_else(PoisonError::into_inner) = Some(kept);
                Err(error)
            }
        }
    }

    /// Makes a new catalogue in a folder of its own, fills it, and swaps it in.
    fn replace(
        &mut self,
        reason: Replaced,
        fill: impl FnOnce(&Store, &mut State) -> Result<(), CatalogueError>,
    ) -> Result<(), CatalogueError> {
        let path = self.folder.new_path();
        let mut state = State::new(self.state.ledger_id);
        let made = open_store(&path).and_then(|store| fill(&store, &mut state));
        if let Err(error) = made {
            let _ = folder::remove(&path); // else it is swept away at the next opening
            return Err(error);
        }
        self.store = None;
        self.folder.swap(&path)?;
        self.store = Some(open_store(&self.folder.path())?);
        self.state = state;
        self.replaced = Some(reason);
        Ok(())
    }

    /// Why the catalogue was made anew since this handle opened it, if it was.
    #[must_use]
    pub fn replaced(&self) -> Option<&Replaced> {
        self.replaced.as_ref()
    }

    /// The ledger it is of.
    #[must_use]
    pub const fn ledger_id(&self) -> LedgerId {
        self.state.ledger_id
    }

    /// How many entries it has followed; every answer is about these, and those of the snapshot
    /// that it is asked over.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.state.entries
    }

    /// What it counted in the entries followed.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.state.counters
    }

    /// The authenticated contexts of an actor, accepted or rejected, ascending from after
    /// `after`, at most `limit`.
    ///
    /// # Errors
    /// [`CatalogueError::WrongHit`] instead of an answer that `snapshot` does not bear out;
    /// [`CatalogueError::Unreadable`]; [`CatalogueError::Log`].
    pub fn entries_by_actor(
        &self,
        snapshot: &Snapshot,
        actor_id: &str,
        after: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<Seq>, CatalogueError> {
        self.by_name(snapshot, Tree::Actors, actor_id, after, limit)
    }

    /// The calls of a tool, as [`Catalogue::entries_by_actor`].
    ///
    /// # Errors
    /// As [`Catalogue::entries_by_actor`].
    pub fn entries_by_tool(
        &self,
        snapshot: &Snapshot,
        adapter_id: &str,
        tool_name: &str,
        after: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<Seq>, CatalogueError> {
        self.by_name(snapshot, Tree::Tools, &note::joined(adapter_id, tool_name), after, limit)
    }

    /// The calls of a model, as [`Catalogue::entries_by_actor`].
    ///
    /// # Errors
    /// As [`Catalogue::entries_by_actor`].
    pub fn entries_by_model(
        &self,
        snapshot: &Snapshot,
        provider: &str,
        model: &str,
        after: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<Seq>, CatalogueError> {
        self.by_name(snapshot, Tree::Models, &note::joined(provider, model), after, limit)
    }

    /// The policy decisions on requests for an action, as [`Catalogue::entries_by_actor`].
    ///
    /// # Errors
    /// As [`Catalogue::entries_by_actor`].
    pub fn entries_by_action(
        &self,
        snapshot: &Snapshot,
        action: &str,
        after: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<Seq>, CatalogueError> {
        self.by_name(snapshot, Tree::Actions, action, after, limit)
    }

    /// The artifacts that concern a trace, as [`Catalogue::entries_by_actor`].
    /// [`Snapshot::with_hash`] finds an artifact by its hash.
    ///
    /// # Errors
    /// As [`Catalogue::entries_by_actor`].
    pub fn artifacts_of(
        &self,
        snapshot: &Snapshot,
        trace: TraceId,
        after: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<ArtifactHit>, CatalogueError> {
        let (from, to) = (first_after(after), self.bound(snapshot)?);
        let (from, to) = (note::of_trace(trace, from), note::of_trace(trace, to));
        let pairs = self.hits(Tree::Artifacts, &from, &to, limit)?;
        let mut found = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let seq = self.confirmed(snapshot, Tree::Artifacts, &pair)?;
            let hash = <[u8; 32]>::try_from(pair.1.as_ref()).map_err(|_| self.wrong(Tree::Artifacts, seq))?;
            found.push(ArtifactHit { seq, hash: EnvelopeHash::from_bytes(hash) });
        }
        Ok(found)
    }

    /// Where a trace begins and ends; `None` for one without entries.
    ///
    /// # Errors
    /// As [`Catalogue::entries_by_actor`].
    pub fn trace(&self, snapshot: &Snapshot, trace: TraceId) -> Result<Option<TraceSpan>, CatalogueError> {
        let from = note::of_trace(trace, Seq::GENESIS);
        let to = note::of_trace(trace, self.bound(snapshot)?);
        let first = self.hits(Tree::Traces, &from, &to, 1)?.into_iter().next();
        let last = self.asked(self.opened()?.last(Tree::Traces, &from, &to))?;
        let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
        let begins = self.confirmed(snapshot, Tree::Traces, &first)?;
        let ends = self.confirmed(snapshot, Tree::Traces, &last)?;
        let count = <[u8; 8]>::try_from(last.1.as_ref()).map_err(|_| self.wrong(Tree::Traces, ends))?;
        Ok(Some(TraceSpan { first: begins, last: ends, count: u64::from_be_bytes(count) }))
    }

    fn by_name(
        &self,
        snapshot: &Snapshot,
        tree: Tree,
        name: &str,
        after: Option<Seq>,
        limit: usize,
    ) -> Result<Vec<Seq>, CatalogueError> {
        if name.contains('\0') {
            return Ok(Vec::new()); // no name of the contract; its keys would run into another's
        }
        let from = note::of_name(name, first_after(after));
        let to = note::of_name(name, self.bound(snapshot)?);
        let pairs = self.hits(tree, &from, &to, limit)?;
        pairs.iter().map(|pair| self.confirmed(snapshot, tree, pair)).collect()
    }

    fn hits(&self, tree: Tree, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Pair>, CatalogueError> {
        if from >= to {
            return Ok(Vec::new());
        }
        self.asked(self.opened()?.page(tree, Bound::Included(from), Bound::Excluded(to), limit))
    }

    /// The entry that a key names, which would put that very key and value.
    fn confirmed(&self, snapshot: &Snapshot, tree: Tree, (key, value): &Pair) -> Result<Seq, CatalogueError> {
        let seq = seq_of(key).unwrap_or(Seq::GENESIS);
        let (_, note) =
            note::read(snapshot, seq).map_err(|fault| CatalogueError::of_entry(fault, snapshot))?;
        let is_put = |put: &store::Put| put.tree == tree && put.key == **key && put.value == **value;
        if note.puts.iter().any(is_put) { Ok(seq) } else { Err(self.wrong(tree, seq)) }
    }

    fn wrong(&self, tree: Tree, seq: Seq) -> CatalogueError {
        let message =
            format!("its tree `{}` lists entry {seq}, which the log does not bear out", tree.name());
        let damage = damage("catalogue.wrong_hit", Some(seq), message);
        self.distrust(Replaced::WrongHit(damage.clone()));
        CatalogueError::WrongHit(damage)
    }

    fn distrust(&self, reason: Replaced) {
        self.distrusted.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
    }

    fn opened(&self) -> Result<&Store, CatalogueError> {
        self.store.as_ref().ok_or_else(gone)
    }

    /// What sled answered; a fault that speaks of damage is remembered.
    fn asked<T>(&self, answer: Result<T, StoreFault>) -> Result<T, CatalogueError> {
        let result = answer.map_err(|fault| CatalogueError::of_store(fault, &self.folder.path()));
        if let Err(CatalogueError::Unreadable(message)) = &result {
            self.distrust(Replaced::Unreadable(message.clone()));
        }
        result
    }

    /// The end of what can be answered over this snapshot.
    fn bound(&self, snapshot: &Snapshot) -> Result<Seq, CatalogueError> {
        self.same_ledger(snapshot)?;
        Ok(Seq::new(self.state.entries.min(snapshot.entries())))
    }

    fn same_ledger(&self, snapshot: &Snapshot) -> Result<(), CatalogueError> {
        let (catalogue, snapshot) = (self.state.ledger_id, snapshot.ledger_id());
        if catalogue == snapshot { Ok(()) } else { Err(CatalogueError::OtherLedger { catalogue, snapshot }) }
    }
}

/// What is left after a swap that failed half-way.
fn gone() -> CatalogueError {
    CatalogueError::Unreadable("its files are not all in place".to_owned())
}

fn first_after(after: Option<Seq>) -> Seq {
    after.map_or(Seq::GENESIS, Seq::next)
}

fn damage(code: &'static str, seq: Option<Seq>, message: String) -> Damage {
    Damage { code, file: CATALOGUE_DIR.to_owned(), offset: None, seq, message }
}

fn open_store(path: &Path) -> Result<Store, CatalogueError> {
    Store::open(path).map_err(|fault| CatalogueError::of_store(fault, path))
}

/// Opens the catalogue that is there, or an empty one, if it is what was put there and of this log.
fn load(folder: &Folder, snapshot: &Snapshot) -> Result<(Store, State), Trouble> {
    let (store, state) = load_store(folder, snapshot)?;
    let path = folder.path();
    let sum = store.sum(state.entries).map_err(|fault| trouble(fault, &path))?;
    if sum != state.sum {
        return Err(Trouble::Replace(Replaced::Changed));
    }
    match against_log(&state, snapshot)? {
        Some(reason) => Err(Trouble::Replace(reason)),
        None => Ok((store, state)),
    }
}

/// Opens the database and reads its state, without a look at the keys.
fn load_store(folder: &Folder, snapshot: &Snapshot) -> Result<(Store, State), Trouble> {
    let path = folder.path();
    let store = Store::open(&path).map_err(|fault| trouble(fault, &path))?;
    let Some(bytes) = store.state().map_err(|fault| trouble(fault, &path))? else {
        return Ok((store, State::new(snapshot.ledger_id())));
    };
    let unknown = || Replaced::Unreadable("its state is of another version or damaged".to_owned());
    let state = State::decode(&bytes).ok_or_else(|| Trouble::Replace(unknown()))?;
    if state.ledger_id != snapshot.ledger_id() {
        return Err(Trouble::Replace(Replaced::OtherLedger));
    }
    Ok((store, state))
}

fn trouble(fault: StoreFault, path: &Path) -> Trouble {
    match CatalogueError::of_store(fault, path) {
        CatalogueError::Unreadable(message) => Trouble::Replace(Replaced::Unreadable(message)),
        error => Trouble::Fail(error),
    }
}

/// Why a state cannot be one of following this log, if so.
fn against_log(state: &State, snapshot: &Snapshot) -> Result<Option<Replaced>, CatalogueError> {
    let Some(last) = state.entries.checked_sub(1).map(Seq::new) else { return Ok(None) };
    let later;
    let mut snapshot = snapshot;
    if snapshot.entries() < state.entries {
        // An older snapshot than the one followed last, or a log that lost its end.
        later = Snapshot::open(snapshot.dir())?;
        snapshot = &later;
    }
    let header = snapshot.header(last).map_err(|fault| CatalogueError::of_entry(fault, snapshot))?;
    Ok(match header {
        None => Some(Replaced::Ahead),
        Some(header) if Some(header.leaf_hash()) != state.head => Some(Replaced::OtherLog),
        Some(_) => None,
    })
}

/// Follows the log from where the state is to the end of the snapshot.
fn fill(
    store: &Store,
    state: &mut State,
    snapshot: &Snapshot,
    progress: &mut dyn FnMut(FollowProgress),
) -> Result<(), CatalogueError> {
    let entries = snapshot.entries();
    if state.entries >= entries {
        return Ok(());
    }
    let of_store = |fault| CatalogueError::of_store(fault, &snapshot.dir().join(CATALOGUE_DIR));
    let mut fault = None;
    while state.entries < entries && fault.is_none() {
        let mut next = state.clone();
        let mut puts = Vec::with_capacity(BATCH_PUTS);
        let last = entries.min(state.entries + BATCH_PUTS as u64);
        while next.entries < last && puts.len() < BATCH_PUTS {
            match note::read(snapshot, Seq::new(next.entries)) {
                Ok((entry, note)) => {
                    next.entries += 1;
                    next.head = Some(entry.leaf_hash());
                    next.counters.count(&entry, note.record_type);
                    note.puts.iter().for_each(|put| next.sum.add(put.tree, &put.key, &put.value));
                    puts.extend(note.puts);
                }
                Err(found) => {
                    fault = Some(CatalogueError::of_entry(found, snapshot));
                    break;
                }
            }
        }
        store.apply(&puts, &next.encode()).map_err(of_store)?;
        *state = next;
        progress(FollowProgress { followed: state.entries, entries });
    }
    store.flush().map_err(of_store)?;
    fault.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests;
