//! Readers that look on while others write: each snapshot is a whole, sound prefix that goes on
//! from the last one.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use proofline_ledger::{EntryFault, EntryHeader, LeafHash, LogEnd, Seq, Snapshot};

/// Opens snapshots until told to stop: each is a whole, sound prefix that goes on from the last.
pub(crate) fn look_on(dir: &Path, stop: &AtomicBool) -> u64 {
    let mut looks = 0;
    let mut last: Option<(Seq, LeafHash)> = None;
    while !stop.load(Relaxed) {
        let snapshot = Snapshot::open(dir).unwrap();
        assert_eq!((snapshot.damage(), snapshot.derived_damage()), (&[][..], &[][..]));
        assert_eq!(snapshot.end(), LogEnd::Published);
        let entries = snapshot.entries();
        let leaf_at = |seq: Seq| read(&snapshot, seq).map(|(_, leaf)| leaf);
        let newest = Seq::new(entries - 1);
        assert_eq!(leaf_at(newest), snapshot.head());
        assert_eq!(snapshot.entry(newest.next()).unwrap(), None);
        if let Some((seq, leaf)) = last {
            assert!(newest >= seq, "the prefix grew shorter: {newest} after {seq}");
            assert_eq!(leaf_at(seq), Some(leaf), "the past changed");
        }
        let mut link = snapshot.head();
        for at in (entries.saturating_sub(40)..entries).rev() {
            let (header, leaf) = read(&snapshot, Seq::new(at)).unwrap();
            assert_eq!(Some(leaf), link);
            link = header.previous_leaf;
        }
        last = newest_of(&snapshot);
        looks += 1;
    }
    looks
}

/// The header of an entry and its leaf hash; of an archived one the body is elsewhere.
fn read(snapshot: &Snapshot, seq: Seq) -> Option<(EntryHeader, LeafHash)> {
    match snapshot.entry(seq) {
        Ok(entry) => entry.map(|entry| (entry.header.clone(), entry.leaf_hash())),
        Err(EntryFault::Archived(_)) => {
            let bytes = snapshot.header_bytes(seq).unwrap()?;
            Some((snapshot.header(seq).unwrap()?, LeafHash::of_header(&bytes)))
        }
        Err(fault) => panic!("{fault}"),
    }
}

fn newest_of(snapshot: &Snapshot) -> Option<(Seq, LeafHash)> {
    Some((Seq::new(snapshot.entries() - 1), snapshot.head()?))
}

/// Stops the readers, also when a test fails before it gets to.
pub(crate) struct StopOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}
