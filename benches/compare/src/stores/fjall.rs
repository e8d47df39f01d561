//! fjall: three keyspaces and the head, one batch a group, then `fdatasync` of the journal.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{Store, trace_key};
use crate::data::Record;
use crate::failure::Failure;

const NAME: &str = "fjall";

/// A folder of journals and trees.
pub(crate) struct Fjall {
    database: Database,
    bodies: Keyspace,
    by_hash: Keyspace,
    by_trace: Keyspace,
    heads: Keyspace,
}

impl Store for Fjall {
    fn create(dir: &Path) -> Result<Self, Failure> {
        let database = Database::builder(dir).open().map_err(Failure::of(NAME))?;
        let keyspace =
            |name: &str| database.keyspace(name, KeyspaceCreateOptions::default).map_err(Failure::of(NAME));
        let [bodies, by_hash] = [keyspace("bodies")?, keyspace("by_hash")?];
        let [by_trace, heads] = [keyspace("by_trace")?, keyspace("heads")?];
        Ok(Self { database, bodies, by_hash, by_trace, heads })
    }

    fn commit(&mut self, first: u64, group: &[Record]) -> Result<(), Failure> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (number, record) in (first..).zip(group) {
            let place = number.to_be_bytes();
            batch.insert(&self.bodies, place, record.bytes.as_slice());
            batch.insert(&self.by_hash, *record.hash.as_bytes(), place);
            batch.insert(&self.by_trace, trace_key(record, number), []);
        }
        let entries = first + group.len() as u64;
        batch.insert(&self.heads, "entries", entries.to_be_bytes());
        batch.commit().map_err(Failure::of(NAME))
    }
}
