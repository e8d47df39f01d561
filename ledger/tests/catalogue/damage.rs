//! Damage to the files: flipped and missing bytes, missing files, and keys that sled itself would
//! swear to.

use std::fs;
use std::path::Path;

use proofline_ledger::{CATALOGUE_DIR, Catalogue, Snapshot};

use crate::work::{copy, follow, recovers, verified, worked};

/// What is done to a file.
#[derive(Clone, Copy, Debug)]
enum Blow {
    Flip(usize, u8),
    Cut(usize),
    Delete,
    Garble,
}

fn strike(file: &Path, blow: Blow) {
    let mut bytes = fs::read(file).unwrap();
    match blow {
        Blow::Flip(at, mask) => bytes[at] ^= mask,
        Blow::Cut(length) => bytes.truncate(length),
        Blow::Garble => {
            bytes.iter_mut().enumerate().for_each(|(at, byte)| *byte = at.to_le_bytes()[0].wrapping_mul(31))
        }
        Blow::Delete => return fs::remove_file(file).unwrap(),
    }
    fs::write(file, bytes).unwrap();
}

fn blows(length: usize) -> Vec<Blow> {
    let mut blows = vec![Blow::Delete, Blow::Garble];
    let step = length.div_ceil(14).max(1);
    for (number, at) in (0..length).step_by(step).enumerate() {
        blows.push(Blow::Flip(at, if number % 2 == 0 { 1 << (number % 8) } else { 0xff }));
    }
    for at in [length - 1, 16, 17, 30] {
        blows.push(Blow::Flip(at.min(length - 1), 0x40)); // the ends, and the first message header
    }
    blows.extend([0, 1, length / 3, length / 2, length - 1].map(Blow::Cut));
    blows
}

#[test]
fn any_damage_to_any_file_is_overcome() {
    let (dir, path, known) = worked(24);
    let snapshot = Snapshot::open(&path).unwrap();
    let mut catalogue = Catalogue::open(&snapshot).unwrap();
    follow(&mut catalogue, &snapshot);
    drop(catalogue);
    let without_snap = dir.path().join("without-snap");
    copy(&path, &without_snap);
    drop(Catalogue::open(&snapshot).unwrap()); // sled writes its own snapshot file when it opens
    let with_snap = dir.path().join("with-snap");
    copy(&path, &with_snap);
    let snaps = |of: &Path| {
        let names = fs::read_dir(of.join(CATALOGUE_DIR)).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_str().unwrap().starts_with("snap.")).count()
    };
    assert_eq!((snaps(&without_snap), snaps(&with_snap)), (0, 1));

    let (mut cases, mut replaced) = (0, 0);
    for master in [&without_snap, &with_snap] {
        for file in fs::read_dir(master.join(CATALOGUE_DIR)).unwrap().map(|entry| entry.unwrap().path()) {
            if file.is_dir() {
                continue;
            }
            for blow in blows(fs::read(&file).unwrap().len()) {
                let victim = dir.path().join("victim");
                copy(master, &victim);
                strike(&victim.join(CATALOGUE_DIR).join(file.file_name().unwrap()), blow);
                let what = format!("{blow:?} of {}", file.display());
                cases += 1;
                replaced += usize::from(recovers(&victim, &known, 24, &what));
                fs::remove_dir_all(&victim).unwrap();
            }
        }
    }
    assert!(cases > 80 && replaced > cases / 4, "{replaced} of {cases} catalogues were replaced");
}

#[test]
fn whatever_stands_in_the_catalogues_place_is_overcome() {
    let (dir, path, known) = worked(12);
    let place = path.join(CATALOGUE_DIR);
    fs::write(&place, b"a file").unwrap();
    assert!(recovers(&path, &known, 12, "a file"));
    fs::remove_dir_all(&place).unwrap();
    assert!(!recovers(&path, &known, 12, "nothing"));
    fs::remove_dir_all(&place).unwrap();
    fs::create_dir(&place).unwrap();
    assert!(!recovers(&path, &known, 12, "an empty folder"));
    fs::remove_dir_all(&place).unwrap();
    fs::create_dir_all(place.join("db")).unwrap();
    assert!(recovers(&path, &known, 12, "a folder in a file's place"));
    fs::remove_dir_all(&place).unwrap();
    std::os::unix::fs::symlink(dir.path().join("nowhere"), &place).unwrap();
    recovers(&path, &known, 12, "a link to nothing");
}

/// Opens the database behind the catalogue's back.
fn behind(path: &Path, change: impl FnOnce(&sled::Db)) {
    let db = sled::Config::new().path(path.join(CATALOGUE_DIR)).flush_every_ms(None).open().unwrap();
    change(&db);
    db.flush().unwrap();
}

#[test]
fn a_key_lost_changed_or_slipped_in_is_named_by_verify_and_overcome_by_opening() {
    type Change = fn(&sled::Db);
    let changes: [(&str, Change, &[&str]); 6] = [
        ("nothing", |_| (), &[]),
        (
            "a key lost",
            |db| {
                let tools = db.open_tree("tools").unwrap();
                let (key, _) = tools.iter().nth(3).unwrap().unwrap();
                tools.remove(key).unwrap().unwrap();
            },
            &["catalogue.missing", "catalogue.changed"],
        ),
        (
            "a value changed",
            |db| {
                let traces = db.open_tree("traces").unwrap();
                let (key, _) = traces.iter().nth(3).unwrap().unwrap();
                traces.insert(key, &9_u64.to_be_bytes()).unwrap();
            },
            &["catalogue.value", "catalogue.changed"],
        ),
        (
            "a key slipped in",
            |db| {
                db.open_tree("actors").unwrap().insert(b"ghost\0\0\0\0\0\0\0\0\x05", b"").unwrap();
            },
            &["catalogue.surplus", "catalogue.changed"],
        ),
        (
            "a key of no form",
            |db| {
                db.open_tree("models").unwrap().insert(b"x", b"").unwrap();
            },
            &["catalogue.surplus", "catalogue.changed"],
        ),
        (
            "another state",
            |db| {
                db.open_tree("meta").unwrap().insert("state", b"\x8e\x02").unwrap();
            },
            &["catalogue.unreadable"],
        ),
    ];
    let (dir, path, known) = worked(12);
    assert_eq!(verified(&path), Vec::<&str>::new(), "no catalogue is no damage");
    let snapshot = Snapshot::open(&path).unwrap();
    follow(&mut Catalogue::open(&snapshot).unwrap(), &snapshot);
    for (what, change, codes) in changes {
        let victim = dir.path().join("victim");
        copy(&path, &victim);
        behind(&victim, change);
        assert_eq!(verified(&victim), codes, "{what}");
        assert_eq!(verified(&victim), codes, "{what}: verifying repairs nothing");
        assert_eq!(recovers(&victim, &known, 12, what), !codes.is_empty(), "{what}");
        assert_eq!(verified(&victim), Vec::<&str>::new(), "{what}");
        fs::remove_dir_all(&victim).unwrap();
    }
}
