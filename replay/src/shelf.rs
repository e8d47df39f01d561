//! The policies that decide again: each loaded once a run, from bytes that its name proves, and shared between the
//! threads. What a look-up says rests on the store alone, so no answer depends on who came first.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proofline_canon::{Sha256Digest, StoreError};
use proofline_ledger::{Erasures, Seq};
use proofline_policy::{Memory, Policy, Question, Reply};

use crate::means::Means;

/// The texts of the policies that are held at once come to this many bytes, or to one policy that is longer.
const HELD_BYTES: usize = 32 << 20;
/// What the replies to questions of a run take that are remembered.
pub(crate) const REMEMBERED_BYTES: usize = 8 << 20;
/// What a policy counts beside its text.
const BYTES_EACH: usize = 1 << 10;

/// What was found under the name of a policy.
#[derive(Debug, Clone)]
pub(crate) enum Held {
    /// One that can be asked.
    Policy(Arc<dyn Policy>),
    /// No bytes.
    Absent(Absence),
    /// Bytes that no engine can ask, and the code of the error. Messages of engines are not stable.
    Unusable(&'static str),
}

/// Why there are no bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    NoStore,
    NotThere,
    /// There are some, and they are not those of the name.
    Damaged,
    /// By this entry.
    Erased(Seq),
    /// Sealed, and the key was erased by this entry.
    Closed(Seq),
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStore => f.write_str("is not at hand: there is no store of payloads"),
            Self::NotThere => f.write_str("is not at hand"),
            Self::Damaged => f.write_str("is not at hand: the bytes kept under its name are others"),
            Self::Erased(by) => write!(f, "was erased by entry {by}"),
            Self::Closed(by) => write!(f, "is closed for good: its subject's key was erased by entry {by}"),
        }
    }
}

/// The policies of a run.
pub(crate) struct Shelf<'a> {
    means: Means<'a>,
    erasures: &'a Erasures,
    closed: &'a BTreeMap<Sha256Digest, Seq>,
    kept: Mutex<Kept>,
    memory: Memory,
}

/// One policy; who needs it while it is loaded waits for it.
type Slot = Arc<Mutex<Option<Held>>>;

#[derive(Default)]
struct Kept {
    slots: BTreeMap<Sha256Digest, Slot>,
    /// Those that are loaded, the first one first, with what they count.
    loaded: VecDeque<(Sha256Digest, usize)>,
    bytes: usize,
}

impl Kept {
    /// Counts one in; those that are there longest go until the rest fits. Whoever asks one of those just now keeps it.
    fn count(&mut self, name: Sha256Digest, bytes: usize) {
        self.loaded.push_back((name, bytes));
        self.bytes += bytes;
        while self.bytes > HELD_BYTES && self.loaded.len() > 1 {
            let Some((gone, bytes)) = self.loaded.pop_front() else { break };
            self.slots.remove(&gone);
            self.bytes -= bytes;
        }
    }
}

impl<'a> Shelf<'a> {
    pub(crate) fn new(
        means: Means<'a>,
        erasures: &'a Erasures,
        closed: &'a BTreeMap<Sha256Digest, Seq>,
    ) -> Self {
        Self { means, erasures, closed, kept: Mutex::default(), memory: Memory::new(REMEMBERED_BYTES) }
    }

    /// What the policy found under this name replies.
    pub(crate) fn reply(
        &self,
        name: &Sha256Digest,
        policy: &dyn Policy,
        question: &Question<'_>,
    ) -> Arc<Reply> {
        self.memory.reply(name, policy, question)
    }

    /// Whether there is a store to look in.
    pub(crate) const fn looks(&self) -> bool {
        self.means.payloads.is_some()
    }

    /// What there is under this name.
    pub(crate) fn find(&self, name: Sha256Digest) -> Result<Held, StoreError> {
        let slot = Arc::clone(locked(&self.kept).slots.entry(name).or_default());
        let mut held = locked(&slot);
        if let Some(held) = &*held {
            return Ok(held.clone());
        }
        let (found, bytes) = self.load(name)?;
        *held = Some(found.clone());
        drop(held);
        locked(&self.kept).count(name, bytes.saturating_add(BYTES_EACH));
        Ok(found)
    }

    fn load(&self, name: Sha256Digest) -> Result<(Held, usize), StoreError> {
        let absent = |why| Ok((Held::Absent(why), 0));
        if let Some(by) = self.erasures.of_blob(&name) {
            return absent(Absence::Erased(by));
        }
        if let Some(by) = self.closed.get(&name) {
            return absent(Absence::Closed(*by));
        }
        let (Some(store), Some(engine)) = (self.means.payloads, self.means.policies) else {
            return absent(Absence::NoStore);
        };
        let bytes = match store.get(&name) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return absent(Absence::NotThere),
            Err(StoreError::Damaged { .. }) => return absent(Absence::Damaged),
            Err(error) => return Err(error),
        };
        // A store of somebody else's making need not have looked.
        if StoreError::check_kept(&name, &bytes).is_err() {
            return absent(Absence::Damaged);
        }
        let held = match engine.load(&bytes) {
            Ok(policy) => Held::Policy(policy),
            Err(error) => Held::Unusable(error.code()),
        };
        Ok((held, bytes.len()))
    }
}

/// A panic elsewhere leaves a slot empty or full, never half so.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_goes_in_the_order_in_which_it_came() {
        let mut kept = Kept::default();
        let name = |byte: u8| Sha256Digest::of(&[byte]);
        for byte in 0..4 {
            kept.slots.insert(name(byte), Slot::default());
            kept.count(name(byte), HELD_BYTES / 3);
        }
        assert_eq!(kept.slots.keys().copied().collect::<Vec<_>>().len(), 3);
        assert!(!kept.slots.contains_key(&name(0)) && kept.slots.contains_key(&name(3)));
        kept.slots.insert(name(9), Slot::default());
        kept.count(name(9), 2 * HELD_BYTES);
        assert_eq!(kept.slots.keys().copied().collect::<Vec<_>>(), [name(9)]);
        assert_eq!(kept.bytes, 2 * HELD_BYTES);
    }
}
