//! What must hold of a ledger that something happened to, on a disk in memory: every claim that
//! was made to a writer, and that writing goes on.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use proofline_ledger::{Ledger, LedgerError, LogEnd, Options, Outcome, Recovery, Seq, Snapshot};

use super::busy::{Receipt, assert_durable, assert_held};
use super::erasing::{check_payloads, put_payloads};
use super::index_model::{check_indexes, is_index};
use super::sim_disk::{Image, SimDisk};
use super::{NOW_MS, bare, chain, genesis, hash_of, raw};

pub(crate) const DIR: &str = "/data/ledger";
/// So small that a few records fill a segment.
pub(crate) const OPTIONS: Options = Options {
    segment_bytes: 4096,
    group_records: 4096,
    group_bytes: 8 << 20,
    limits: proofline_canon::Limits::ENVELOPE,
};

pub(crate) fn dir() -> &'static Path {
    Path::new(DIR)
}

pub(crate) fn open(disk: &SimDisk) -> Result<Ledger, LedgerError> {
    Ledger::open_on(Arc::new(disk.clone()), dir(), OPTIONS)
}

/// A disk with an empty ledger on it, and payloads, all of it durable.
pub(crate) fn prepared() -> SimDisk {
    let disk = SimDisk::new();
    Ledger::init_on(&disk, dir(), &genesis()).unwrap();
    put_payloads(&disk, dir());
    disk.after_power_cut(Image::SyncedOnly)
}

/// What is allowed to be in the log, and what has to be.
pub(crate) struct Claims<'a> {
    pub(crate) receipts: &'a [Receipt],
    pub(crate) sent: &'a HashSet<String>,
}

/// Opens for writing and checks the log against what was claimed.
pub(crate) fn recover(disk: &SimDisk, claims: &Claims<'_>) -> (Ledger, Recovery) {
    let ledger = open(disk).unwrap_or_else(|error| panic!("{error}\n{:#?}", disk.contents().keys()));
    let recovery = ledger.recovery();
    check_log(disk, claims);
    check_payloads(disk, dir(), claims.receipts, true);
    for torn in &recovery.torn {
        let kept = raw::read_file(disk, &dir().join(&torn.kept_as));
        assert_eq!(kept.len() as u64, torn.size_bytes, "{torn:?}");
    }
    (ledger, recovery)
}

/// The log as the second reader sees it, and as a snapshot does.
pub(crate) fn check_log(disk: &SimDisk, claims: &Claims<'_>) {
    let (entries, surplus) = raw::read_log(disk, dir());
    assert_eq!(surplus, 0, "bytes that are no entry are left after recovery");
    raw::check_chain(&entries);
    assert_held(&entries, claims.receipts, "an acknowledged record is gone");
    check_indexes(&entries);
    for entry in entries.iter().skip(1).filter(|entry| !is_index(entry)) {
        assert!(claims.sent.contains(&entry.hash()), "nobody sent entry {}", entry.seq);
    }
    let snapshot = Snapshot::open_on(disk, dir()).unwrap();
    assert_eq!((snapshot.damage(), snapshot.derived_damage()), (&[][..], &[][..]));
    assert_eq!((snapshot.entries(), snapshot.end()), (entries.len() as u64, LogEnd::Published));
    for entry in &entries {
        let read = snapshot.entry(Seq::new(entry.seq)).unwrap().unwrap();
        assert_eq!((*read.leaf_hash().as_bytes(), &read.body), (entry.leaf, &entry.body));
        let found = snapshot.with_hash(&read.header.envelope_hash).unwrap();
        assert!(found.contains(&Seq::new(entry.seq)), "entry {} is not found by its hash", entry.seq);
    }
}

/// Writing goes on: a new chain is accepted and durable, an acknowledged record is known.
pub(crate) fn go_on(disk: &SimDisk, ledger: &Ledger, claims: &Claims<'_>, number: u32) -> Vec<Receipt> {
    let mut receipts = claims.receipts.to_vec();
    let before = usize::try_from(ledger.entries()).unwrap();
    for (at, line) in chain(9_000_000 + number, 4).iter().enumerate() {
        let outcome = ledger.commit_action(&bare(line), NOW_MS).unwrap();
        let Outcome::Accepted { seq, duplicate: false, .. } = outcome else { panic!("{outcome:?}") };
        let (entries, _) = raw::read_log(disk, dir());
        let indexes = entries[before..usize::try_from(seq.get()).unwrap()].iter().filter(|it| is_index(it));
        assert_eq!(seq.get(), (before + at + indexes.count()) as u64);
        receipts.push(Receipt { seq: seq.get(), hash: hash_of(line) });
        assert_durable(disk, dir(), &receipts);
    }
    receipts
}

pub(crate) fn with_new_chain(sent: &HashSet<String>, number: u32) -> HashSet<String> {
    let mut sent = sent.clone();
    sent.extend(chain(9_000_000 + number, 4).iter().map(|line| hash_of(line)));
    sent
}

/// Whoever only reads, before any writer mended the log, is shown a sound prefix of it.
pub(crate) fn check_readers(disk: &SimDisk) {
    let snapshot = Snapshot::open_on(disk, dir()).unwrap();
    // With a mark that the cut tore, the torn tail shows as well.
    let is_published = snapshot.end() == LogEnd::Published;
    assert!(snapshot.damage().is_empty() || !is_published, "{:?}", snapshot.damage());
    let (entries, _) = raw::read_log(disk, dir());
    let sound = if is_published { snapshot.entries() } else { snapshot.entries().min(entries.len() as u64) };
    for seq in 0..sound {
        let entry = snapshot.entry(Seq::new(seq)).unwrap().unwrap();
        assert_eq!(*entry.leaf_hash().as_bytes(), entries[usize::try_from(seq).unwrap()].leaf);
    }
}

/// All that must hold of a disk that a machine came up with.
pub(crate) fn check_image(disk: &SimDisk, claims: &Claims<'_>, number: u32) {
    check_readers(disk);
    check_payloads(disk, dir(), claims.receipts, false);
    let (ledger, _) = recover(disk, claims);
    let receipts = go_on(disk, &ledger, claims, number);
    drop(ledger);
    let sent = with_new_chain(claims.sent, number);
    let claims = Claims { receipts: &receipts, sent: &sent };
    let (_, again) = recover(disk, &claims);
    assert!(again.is_clean(), "a second opening has nothing to mend: {again:?}");
}

pub(crate) fn images(seeds: u64) -> impl Iterator<Item = Image> {
    [Image::SyncedOnly, Image::Everything].into_iter().chain((0..seeds).map(Image::Seed))
}
