//! The full comparison of a catalogue with the log, for `verify`: every key that the log's
//! entries put must be there, and no other. Repairs nothing.

use super::counters::State;
use super::error::{CatalogueError, Replaced};
use super::folder::Folder;
use super::note::{self, Note};
use super::store::{Put, Store, StoreFault, Tree, seq_of};
use super::{BATCH_PUTS, CATALOGUE_DIR, Catalogue, Trouble, against_log, damage, load_store};
use crate::error::Damage;
use crate::segments::Entry;
use crate::snapshot::Snapshot;
use proofline_proof::Seq;

impl Catalogue {
    /// Compares the catalogue on disk with the log and reports what differs, without replacing a
    /// catalogue that cannot be read. Returns how many entries were compared, which may be fewer
    /// than the log has; `None` if there is no catalogue.
    ///
    /// What keeps [`Catalogue::open`] from using a catalogue is reported under
    /// [`Replaced::code`]; besides there are `catalogue.missing`, `catalogue.value`,
    /// `catalogue.surplus` and `catalogue.counters`.
    ///
    /// sled has no way to open files without writing: it may write a snapshot of its own, and cut
    /// off an end that it takes for torn.
    ///
    /// # Errors
    /// [`CatalogueError::Busy`] when it is open elsewhere; [`CatalogueError::Log`] at an entry that
    /// cannot be read; what the system refuses.
    pub fn verify(
        snapshot: &Snapshot,
        on_each: &mut dyn FnMut(Damage),
    ) -> Result<Option<u64>, CatalogueError> {
        if snapshot.dir().join(CATALOGUE_DIR).symlink_metadata().is_err() {
            return Ok(None);
        }
        let folder = Folder::lock(snapshot.dir())?;
        match load_store(&folder, snapshot) {
            Ok((store, state)) => compare(&store, &state, &folder, snapshot, on_each).map(Some),
            Err(Trouble::Fail(error)) => Err(error),
            Err(Trouble::Replace(reason)) => {
                on_each(of_reason(&reason));
                Ok(Some(0))
            }
        }
    }

    /// [`Catalogue::verify`] of a catalogue that is open.
    ///
    /// # Errors
    /// As [`Catalogue::verify`].
    pub fn check(&self, snapshot: &Snapshot, on_each: &mut dyn FnMut(Damage)) -> Result<u64, CatalogueError> {
        self.same_ledger(snapshot)?;
        compare(self.opened()?, &self.state, &self.folder, snapshot, on_each)
    }
}

fn of_reason(reason: &Replaced) -> Damage {
    damage(reason.code(), None, reason.to_string())
}

fn compare(
    store: &Store,
    state: &State,
    folder: &Folder,
    snapshot: &Snapshot,
    on_each: &mut dyn FnMut(Damage),
) -> Result<u64, CatalogueError> {
    if let Some(reason) = against_log(state, snapshot)? {
        on_each(of_reason(&reason));
        return Ok(0);
    }
    let later;
    let mut snapshot = snapshot;
    if snapshot.entries() < state.entries {
        later = Snapshot::open(snapshot.dir())?;
        snapshot = &later;
    }
    let compared = Comparison { store, folder, snapshot }.run(state, on_each);
    match compared {
        // sled noticed for itself.
        Err(CatalogueError::Unreadable(message)) => on_each(of_reason(&Replaced::Unreadable(message))),
        result => result?,
    }
    Ok(state.entries)
}

struct Comparison<'a> {
    store: &'a Store,
    folder: &'a Folder,
    snapshot: &'a Snapshot,
}

impl Comparison<'_> {
    fn run(&self, state: &State, on_each: &mut dyn FnMut(Damage)) -> Result<(), CatalogueError> {
        let mut expected = State::new(state.ledger_id);
        let mut held = 0;
        let mut puts = Vec::with_capacity(BATCH_PUTS);
        for seq in (0..state.entries).map(Seq::new) {
            let (entry, note) = self.read(seq)?;
            expected.counters.count(&entry, note.record_type);
            note.puts.iter().for_each(|put| expected.sum.add(put.tree, &put.key, &put.value));
            puts.extend(note.puts);
            if puts.len() >= BATCH_PUTS {
                held += self.held(&puts, on_each)?;
                puts.clear();
            }
        }
        held += self.held(&puts, on_each)?;
        if expected.counters != state.counters {
            let message = "its counters are not those of the entries it followed".to_owned();
            on_each(damage("catalogue.counters", None, message));
        }
        let actual = self.asked(self.store.sum(state.entries))?;
        if actual.keys != held {
            self.surplus(state.entries, on_each)?;
        }
        if (actual, expected.sum) != (state.sum, state.sum) {
            on_each(of_reason(&Replaced::Changed));
        }
        Ok(())
    }

    /// How many of these keys are there, whatever their value.
    fn held(&self, puts: &[Put], on_each: &mut dyn FnMut(Damage)) -> Result<u64, CatalogueError> {
        let mut held = 0;
        for (put, found) in puts.iter().zip(self.asked(self.store.values(puts))?) {
            let (tree, seq) = (put.tree.name(), seq_of(&put.key));
            held += u64::from(found.is_some());
            match found {
                None => {
                    let message = format!("its tree `{tree}` does not list the entry");
                    on_each(damage("catalogue.missing", seq, message));
                }
                Some(value) if *value != *put.value => {
                    let message = format!("its tree `{tree}` has another value for the entry than the log");
                    on_each(damage("catalogue.value", seq, message));
                }
                Some(_) => {}
            }
        }
        Ok(held)
    }

    /// Reports the keys that no entry puts.
    fn surplus(&self, entries: u64, on_each: &mut dyn FnMut(Damage)) -> Result<(), CatalogueError> {
        let mut failed = None;
        let walked = self.store.walk(&mut |tree, key, _| {
            if failed.is_some() {
                return;
            }
            match self.is_put(tree, key, entries) {
                Ok(true) => {}
                Ok(false) => {
                    let seq = seq_of(key);
                    let message = format!("its tree `{}` has a key that no entry puts there", tree.name());
                    on_each(damage("catalogue.surplus", seq, message));
                }
                Err(error) => failed = Some(error),
            }
        });
        self.asked(walked)?;
        failed.map_or(Ok(()), Err)
    }

    fn is_put(&self, tree: Tree, key: &[u8], entries: u64) -> Result<bool, CatalogueError> {
        match seq_of(key) {
            None => Ok(false),
            // Left by a kill while following; put again when it goes on.
            Some(seq) if seq.get() >= entries => Ok(true),
            Some(seq) => {
                let (_, note) = self.read(seq)?;
                Ok(note.puts.iter().any(|put| put.tree == tree && put.key == key))
            }
        }
    }

    fn read(&self, seq: Seq) -> Result<(Entry, Note), CatalogueError> {
        note::read(self.snapshot, seq).map_err(|fault| CatalogueError::of_entry(fault, self.snapshot))
    }

    fn asked<T>(&self, answer: Result<T, StoreFault>) -> Result<T, CatalogueError> {
        answer.map_err(|fault| CatalogueError::of_store(fault, &self.folder.path()))
    }
}
