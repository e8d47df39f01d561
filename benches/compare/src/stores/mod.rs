//! Other stores holding the same records: body by number, number by hash, number by trace, and the head, in one durable
//! transaction for each group.

mod fjall;
mod redb;
mod sled;
mod sqlite;

use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) use self::fjall::Fjall;
pub(crate) use self::redb::Redb;
pub(crate) use self::sled::Sled;
pub(crate) use self::sqlite::{Gated, Sqlite};

use crate::data::Record;
use crate::failure::Failure;

/// A store that takes groups.
pub(crate) trait Store: Sized {
    /// A new one in an empty folder.
    fn create(dir: &Path) -> Result<Self, Failure>;

    /// Makes these records durable, the first of them as number `first`; returns when they are.
    fn commit(&mut self, first: u64, group: &[Record]) -> Result<(), Failure>;
}

/// A new store, and all records in groups of so many; making the store is not counted.
pub(crate) fn fill<S: Store>(dir: &Path, records: &[Record], group: usize) -> Result<Duration, Failure> {
    std::fs::create_dir_all(dir).map_err(Failure::io("make", dir))?;
    let mut store = S::create(dir)?;
    let begun = Instant::now();
    let mut first = 1;
    for group in records.chunks(group) {
        store.commit(first, group)?;
        first += group.len() as u64;
    }
    Ok(begun.elapsed())
}

/// The key of the index of traces: the trace, then the number.
fn trace_key(record: &Record, number: u64) -> [u8; 24] {
    let mut key = [0; 24];
    let (trace, place) = key.split_at_mut(16);
    trace.copy_from_slice(record.trace.as_bytes());
    place.copy_from_slice(&number.to_be_bytes());
    key
}
