//! Logs to publish: one made up, of any size, and the ways to sign and publish it.

use std::ops::Range;
use std::path::Path;

use proofline_ledger::disk::Disk;
use proofline_ledger::{
    EntryFault, PublishError, PublishOrder, PublishReport, PublishSource, Seq, publish_source_on,
};
use proofline_proof::tree::TileHashes;
use proofline_proof::{
    Checkpoint, KeyName, KeyRole, NodeHash, Policy, SecretKey, Signer, VerifiedCheckpoint,
};
use zeroize::Zeroizing;

use crate::common::sim_disk::SimDisk;
use crate::reader::{Hash, Reader, leaf_hash, mth};

pub(crate) const ORIGIN: &str = "log.example/made-up";

pub(crate) fn out() -> &'static Path {
    Path::new("/srv/public")
}

pub(crate) fn key(origin: &str, seed: u8) -> SecretKey {
    SecretKey::from_seed(KeyName::new(origin).unwrap(), KeyRole::Log, &Zeroizing::new([seed; 32])).unwrap()
}

pub(crate) fn policy_of(key: &SecretKey) -> Policy {
    Policy::of_keys(vec![key.verifier().clone()]).unwrap()
}

/// A signed checkpoint, and what a policy makes of it.
pub(crate) fn signed(key: &SecretKey, size: u64, root: Hash) -> VerifiedCheckpoint {
    let checkpoint = Checkpoint::new(key.verifier().name().as_str(), size, NodeHash::from_bytes(root));
    let note = checkpoint.unwrap().sign(&[key as &dyn Signer]).unwrap().to_bytes();
    policy_of(key).verify(&note).unwrap()
}

/// Headers of nothing, with a tree made by the reader's own code.
#[derive(Clone)]
pub(crate) struct MadeUp {
    pub(crate) headers: Vec<Vec<u8>>,
    pub(crate) levels: Vec<Vec<Hash>>,
}

impl MadeUp {
    pub(crate) fn new(entries: usize) -> Self {
        Self::told_apart("entry", entries)
    }

    /// A log whose entries all say `word`.
    pub(crate) fn told_apart(word: &str, entries: usize) -> Self {
        // Of all lengths, so that no offset fits by chance.
        let header = |at: usize| format!("{word} {at}{}", "-".repeat(at % 97)).into_bytes();
        let headers: Vec<Vec<u8>> = (0..entries).map(header).collect();
        let mut levels = vec![headers.iter().map(|header| leaf_hash(header)).collect::<Vec<Hash>>()];
        while levels.last().unwrap().len() >= 256 {
            let full = levels.last().unwrap().chunks_exact(256).map(mth).collect();
            levels.push(full);
        }
        MadeUp { headers, levels }
    }

    /// Another log after the first `same` entries.
    pub(crate) fn forked(&self, same: usize) -> Self {
        let mut other = Self::told_apart("other", self.headers.len());
        other.headers[..same].clone_from_slice(&self.headers[..same]);
        let headers = other.headers;
        let mut levels = vec![headers.iter().map(|header| leaf_hash(header)).collect::<Vec<Hash>>()];
        while levels.last().unwrap().len() >= 256 {
            let full = levels.last().unwrap().chunks_exact(256).map(mth).collect();
            levels.push(full);
        }
        MadeUp { headers, levels }
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        mth(&self.levels[0][..usize::try_from(size).unwrap()])
    }

    pub(crate) fn checkpoint(&self, size: u64) -> VerifiedCheckpoint {
        signed(&key(ORIGIN, 1), size, self.root(size))
    }

    /// Publishes the checkpoint of this size.
    pub(crate) fn publish(&self, disk: &dyn Disk, size: u64) -> Result<PublishReport, PublishError> {
        self.publish_as(disk, &self.checkpoint(size), false, false)
    }

    pub(crate) fn publish_as(
        &self,
        disk: &dyn Disk,
        checkpoint: &VerifiedCheckpoint,
        check: bool,
        prune_partials: bool,
    ) -> Result<PublishReport, PublishError> {
        let policy = policy_of(&key(ORIGIN, 1));
        let order = PublishOrder { checkpoint, policy: &policy, check, prune_partials };
        let header = |seq: Seq| Ok(self.headers.get(usize::try_from(seq.get()).unwrap()).cloned());
        let source = PublishSource {
            origin: ORIGIN,
            entries: self.headers.len() as u64,
            hashes: self,
            header: &header,
        };
        publish_source_on(disk, &source, &order, out(), &mut |_| {})
    }
}

impl TileHashes for MadeUp {
    type Error = EntryFault;

    fn tile_hashes(&self, level: u32, range: Range<u64>, out: &mut Vec<NodeHash>) -> Result<(), EntryFault> {
        let level = &self.levels[usize::try_from(level).unwrap()];
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        out.extend(level[range].iter().map(|hash| NodeHash::from_bytes(*hash)));
        Ok(())
    }
}

/// Reads the whole publication on a disk: its size and its entries; none when there is none.
pub(crate) fn read(disk: &SimDisk, key: &SecretKey) -> Option<(u64, Vec<Vec<u8>>)> {
    let files = disk.contents();
    let fetch = |path: &str| files.get(&out().join(path)).cloned();
    let reader = Reader::open(&fetch)?;
    let verified = policy_of(key).verify(&fetch("checkpoint").unwrap()).unwrap();
    assert_eq!(verified.checkpoint().size(), reader.size);
    Some((reader.size, reader.read_all()))
}
