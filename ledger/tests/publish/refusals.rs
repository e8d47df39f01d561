//! What is refused, by its code, and that the folder is then as it was.

use std::fs;

use proofline_ledger::{PublishError, PublishOrder, Snapshot, publish};
use proofline_proof::{Checkpoint, NodeHash, Signer};

use crate::common::genesis;
use crate::common::sim_disk::SimDisk;
use crate::logs::{MadeUp, ORIGIN, key, out, policy_of, read, signed};
use crate::reader::{leaf_hash, mth};

/// Publishes, and expects this code and an untouched folder.
fn refuses(disk: &SimDisk, code: &str, publish: impl FnOnce() -> Result<(), PublishError>) {
    let before = disk.contents();
    let error = publish().expect_err(code);
    assert_eq!(error.code(), code, "{error}");
    assert!(!error.hint().is_empty());
    assert!(disk.contents() == before, "{code}: something was written");
}

/// A disk on which the first 300 entries of 600 are published.
fn published(log: &MadeUp) -> SimDisk {
    let disk = SimDisk::new();
    log.publish(&disk, 300).unwrap();
    disk
}

#[test]
fn a_checkpoint_that_is_not_of_this_log_is_refused_before_anything_is_written() {
    let log = MadeUp::new(600);
    for disk in [SimDisk::new(), published(&log)] {
        let with = |checkpoint| log.publish_as(&disk, &checkpoint, false, false).map(drop);
        let other = key("log.example/other", 1);
        refuses(&disk, "publish.origin", || with(signed(&other, 400, log.root(400))));
        refuses(&disk, "publish.ahead", || with(signed(&key(ORIGIN, 1), 601, log.root(600))));
        refuses(&disk, "publish.root", || with(signed(&key(ORIGIN, 1), 400, log.root(401))));
    }
}

#[test]
fn a_publication_never_goes_back_and_never_forks() {
    let log = MadeUp::new(600);
    let disk = published(&log);
    refuses(&disk, "publish.backwards", || log.publish(&disk, 299).map(drop));
    for same in [0, 255, 256, 299] {
        let fork = log.forked(same);
        refuses(&disk, "publish.fork", || fork.publish(&disk, 300).map(drop));
        refuses(&disk, "publish.fork", || fork.publish(&disk, 600).map(drop));
    }
    // A log that is another one only behind what is published continues it.
    let fork = log.forked(300);
    fork.publish(&disk, 600).unwrap();
    refuses(&disk, "publish.fork", || log.publish(&disk, 600).map(drop));
}

#[test]
fn what_the_folder_holds_already_is_not_taken_on_trust() {
    let log = MadeUp::new(600);
    let disk = published(&log);
    let put = |note: Vec<u8>| disk.meddle(&out().join("checkpoint"), Some(note));
    let note = |key: &dyn Signer, size, root| {
        let checkpoint = Checkpoint::new(key.verifier().name().as_str(), size, NodeHash::from_bytes(root));
        checkpoint.unwrap().sign(&[key]).unwrap().to_bytes()
    };
    put(note(&key("log.example/other", 1), 300, log.root(300)));
    refuses(&disk, "publish.other_log", || log.publish(&disk, 600).map(drop));
    put(note(&key(ORIGIN, 2), 300, log.root(300)));
    refuses(&disk, "publish.unverified", || log.publish(&disk, 600).map(drop));
    put(b"no checkpoint".to_vec());
    refuses(&disk, "publish.unverified", || log.publish(&disk, 600).map(drop));
    put(vec![b'a'; 3 << 20]);
    refuses(&disk, "publish.unverified", || log.publish(&disk, 600).map(drop));
    put(note(&key(ORIGIN, 1), 300, log.root(300)));
    log.publish(&disk, 600).unwrap();
}

fn differing(disk: &SimDisk, path: &str, publish: impl FnOnce() -> Result<(), PublishError>) {
    let named = |error: PublishError| {
        let PublishError::Differs { path: found } = &error else { panic!("{error}") };
        assert_eq!(found.to_string(), path);
        Err(error)
    };
    refuses(disk, "publish.differs", || publish().or_else(named));
}

#[test]
fn a_published_file_is_never_written_with_other_bytes() {
    let log = MadeUp::new(600);
    let meddled = |path: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let disk = published(&log);
        log.publish(&disk, 520).unwrap();
        let mut bytes = disk.contents()[&out().join(path)].clone();
        change(&mut bytes);
        disk.meddle(&out().join(path), Some(bytes));
        disk
    };
    let flip = |bytes: &mut Vec<u8>| bytes[40] ^= 1;
    for path in ["tile/0/000", "tile/0/001", "tile/entries/001"] {
        // A changed byte is seen by --check, another length always.
        let disk = meddled(path, &flip);
        log.publish_as(&disk.copy(), &log.checkpoint(520), false, false).unwrap();
        differing(&disk, path, || log.publish_as(&disk, &log.checkpoint(520), true, false).map(drop));
        let disk = meddled(path, &|bytes| bytes.truncate(7));
        differing(&disk, path, || log.publish(&disk, 520).map(drop));
    }
    for path in ["tile/0/002.p/8", "tile/1/000.p/2", "tile/entries/002.p/8"] {
        let disk = meddled(path, &flip);
        differing(&disk, path, || log.publish(&disk, 520).map(drop));
    }
    let longer = meddled("tile/0/002.p/8", &|bytes| bytes.push(0));
    differing(&longer, "tile/0/002.p/8", || log.publish(&longer, 520).map(drop));
    // Beyond the published checkpoint nobody vouches for a file: it is compared without --check too.
    let disk = published(&log);
    let mut tile = vec![0; 8192];
    tile[..32].copy_from_slice(&log.levels[0][256]);
    disk.meddle(&out().join("tile/0/001"), Some(tile));
    let error = log.publish(&disk, 600).unwrap_err();
    assert_eq!(error.code(), "publish.differs");
    assert_eq!(read(&disk, &key(ORIGIN, 1)).unwrap().0, 300);
}

#[test]
fn a_forged_index_or_header_gets_no_wrong_byte_into_the_folder() {
    let log = MadeUp::new(70_000);
    let checkpoint = log.checkpoint(70_000);
    let disk = SimDisk::new();
    let publish = |log: &MadeUp| log.publish_as(&disk, &checkpoint, false, false);
    let mut forged = log.clone();
    forged.levels[0][5000][0] ^= 1;
    assert_eq!(publish(&forged).unwrap_err().code(), "publish.hashes");
    let mut forged = log.clone();
    forged.levels[1][7][0] ^= 1;
    assert_eq!(publish(&forged).unwrap_err().code(), "publish.hashes");
    let mut forged = log.clone();
    forged.levels[1][260][0] ^= 1; // on the edge, from which the root follows
    assert_eq!(publish(&forged).unwrap_err().code(), "publish.root");
    for seq in [5000_usize, 69_999] {
        let mut forged = log.clone();
        forged.headers[seq].push(b'!');
        let error = publish(&forged).unwrap_err();
        assert!(
            matches!(&error, PublishError::Header { seq: found } if found.get() == seq as u64),
            "{error}"
        );
    }
    assert!(read(&disk, &key(ORIGIN, 1)).is_none());
    // With the true log again, what the refused attempts left is of use.
    let report = publish(&log).unwrap();
    assert!(report.tiles_present > 0 && report.bundles_present > 0);
    assert_eq!(read(&disk, &key(ORIGIN, 1)).unwrap().0, 70_000);
}

#[test]
fn a_damaged_header_in_the_log_is_told_with_its_place_and_a_ledger_is_no_folder_to_publish_into() {
    let (dir, path) = crate::real(64 << 20, 40);
    let snapshot = Snapshot::open(&path).unwrap();
    let leaves: Vec<_> = (0..300)
        .map(|seq| leaf_hash(&snapshot.header_bytes(proofline_ledger::Seq::new(seq)).unwrap().unwrap()))
        .collect();
    let key = key(genesis().origin.as_str(), 3);
    let (policy, checkpoint) = (policy_of(&key), signed(&key, 300, mth(&leaves)));
    let order =
        PublishOrder { checkpoint: &checkpoint, policy: &policy, check: false, prune_partials: false };
    let error = publish(&snapshot, &order, &path, &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), "publish.into_ledger");
    assert!(!path.join("checkpoint").exists() && !path.join("tile").exists());

    let (file, offset) = snapshot.place(proofline_ledger::Seq::new(77)).unwrap();
    let mut bytes = fs::read(path.join(&file)).unwrap();
    bytes[usize::try_from(offset.unwrap()).unwrap() + 20] ^= 1;
    fs::write(path.join(&file), bytes).unwrap();
    let error = publish(&snapshot, &order, dir.path().join("public"), &mut |_| {}).unwrap_err();
    assert_eq!(error.code(), "frame.header_checksum");
    assert!(!dir.path().join("public/checkpoint").exists());
}
