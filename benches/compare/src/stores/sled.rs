//! sled holding everything: one transaction over four trees a group, then `flush`.

use std::path::Path;

use sled::transaction::{ConflictableTransactionError, TransactionError, TransactionalTree};
use sled::{Db, Transactional, Tree};

use super::{Store, trace_key};
use crate::data::Record;
use crate::failure::Failure;

const NAME: &str = "sled";

/// A folder.
pub(crate) struct Sled {
    database: Db,
    bodies: Tree,
    by_hash: Tree,
    by_trace: Tree,
    heads: Tree,
}

impl Store for Sled {
    fn create(dir: &Path) -> Result<Self, Failure> {
        let database = sled::open(dir).map_err(Failure::of(NAME))?;
        let tree = |name: &str| database.open_tree(name).map_err(Failure::of(NAME));
        let [bodies, by_hash] = [tree("bodies")?, tree("by_hash")?];
        let [by_trace, heads] = [tree("by_trace")?, tree("heads")?];
        Ok(Self { database, bodies, by_hash, by_trace, heads })
    }

    fn commit(&mut self, first: u64, group: &[Record]) -> Result<(), Failure> {
        let trees = (&self.bodies, &self.by_hash, &self.by_trace, &self.heads);
        let written: Result<(), TransactionError<sled::Error>> =
            trees.transaction(|(bodies, by_hash, by_trace, heads)| {
                insert_all(bodies, by_hash, by_trace, first, group)?;
                heads.insert("entries", &(first + group.len() as u64).to_be_bytes())?;
                Ok(())
            });
        written.map_err(Failure::of(NAME))?;
        // Reaches the disk's cache and promises nothing about a power cut: sled is held to less than Proofline is.
        self.database.flush().map(drop).map_err(Failure::of(NAME))
    }
}

fn insert_all(
    bodies: &TransactionalTree,
    by_hash: &TransactionalTree,
    by_trace: &TransactionalTree,
    first: u64,
    group: &[Record],
) -> Result<(), ConflictableTransactionError<sled::Error>> {
    for (number, record) in (first..).zip(group) {
        let place = number.to_be_bytes();
        bodies.insert(&place, record.bytes.as_slice())?;
        by_hash.insert(record.hash.as_bytes(), &place)?;
        by_trace.insert(&trace_key(record, number), &[])?;
    }
    Ok(())
}
