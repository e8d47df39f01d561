//! Subjects' keys: what is kept, for whom, and that a key which was destroyed is nowhere afterwards, whatever the power
//! and the disk did meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use common::recovered::images;
use common::sim_disk::{Call, Effect, Fault, Image, SimDisk};
use proofline_canon::hex;
use proofline_ledger::disk::Disk;
use proofline_ledger::{SubjectKeys, SubjectKeysError, SubjectName};
use proofline_proof::sealed::SubjectKey;
use zeroize::Zeroizing;

fn key(number: u8) -> SubjectKey {
    SubjectKey::from_bytes(&Zeroizing::new([number; 32]))
}

fn name(text: &str) -> SubjectName {
    SubjectName::new(text).unwrap()
}

fn names(keys: &SubjectKeys) -> Vec<String> {
    keys.list().unwrap().iter().map(|subject| subject.name.as_str().to_owned()).collect()
}

fn code<T>(result: Result<T, SubjectKeysError>) -> &'static str {
    match result {
        Ok(_) => "",
        Err(error) => error.code(),
    }
}

#[test]
fn a_key_is_kept_for_its_owner_alone_until_it_is_destroyed() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("new/keys");
    assert_eq!(code(SubjectKeys::open(&dir)), "subject.no_folder");
    let keys = SubjectKeys::create(&dir).unwrap();
    for (text, number) in [("Ines Moreau", 2), ("A. Žukauskas, patient 7", 1)] {
        keys.add(&name(text), &key(number)).unwrap();
    }
    assert_eq!(names(&keys), ["A. Žukauskas, patient 7", "Ines Moreau"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = dir.join(format!("{}.key", key(2).id()));
    assert_eq!((mode(&dir), mode(&file)), (0o700, 0o600));
    // As docs/sealed.md draws it.
    let text =
        format!("proofline subject key v1\nid {}\nkey {}\nname Ines Moreau\n", key(2).id(), hex(&[2; 32]));
    assert_eq!(fs::read_to_string(&file).unwrap(), text);

    let SubjectKeysError::Exists(taken) = keys.add(&name("Ines Moreau"), &key(3)).unwrap_err() else {
        panic!("the name is taken")
    };
    assert_eq!(taken, key(2).id());
    drop(keys);

    let keys = SubjectKeys::open(&dir).unwrap();
    assert_eq!(*keys.find(&name("Ines Moreau")).unwrap().to_bytes(), [2; 32]);
    assert!(keys.destroy(&key(2).id()).unwrap());
    assert!(!keys.destroy(&key(2).id()).unwrap(), "it is gone already");
    assert_eq!(code(keys.find(&name("Ines Moreau"))), "subject.unknown");
    assert!(keys.key(&key(2).id()).unwrap().is_none());
    assert_eq!(names(&keys), ["A. Žukauskas, patient 7"]);
    let file_name = |file: io::Result<fs::DirEntry>| file.unwrap().file_name().into_string().unwrap();
    let mut left: Vec<String> = fs::read_dir(&dir).unwrap().map(file_name).collect();
    left.sort();
    assert_eq!(left, [format!("{}.key", key(1).id()), "lock".to_owned()]);
    // The same person again has another key.
    keys.add(&name("Ines Moreau"), &key(4)).unwrap();
}

#[test]
fn names_are_lines_that_can_be_read() {
    let long = "x".repeat(257);
    for bad in ["", " ", " Ines", "Ines ", "Ines\nkey 00", "Ines\u{7f}", "\u{0}", long.as_str()] {
        assert_eq!(code(SubjectName::new(bad)), "subject.name", "{bad:?}");
    }
    let dir = Path::new("/keys");
    let keys = SubjectKeys::create_on(Arc::new(SimDisk::new()), dir).unwrap();
    for (number, good) in (0..).zip(["x", "name name", "\u{5d0}\u{5d1}", &long[..256], "a/b\\c", "id 00"]) {
        keys.add(&name(good), &key(number)).unwrap();
        assert_eq!(keys.find(&name(good)).unwrap().id(), key(number).id());
    }
}

#[test]
fn what_others_can_read_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("keys");
    SubjectKeys::create(&dir).unwrap().add(&name("Ines"), &key(1)).unwrap();
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o755, 0o770, 0o701] {
        set(&dir, mode);
        assert_eq!(code(SubjectKeys::open(&dir)), "subject.permissions", "{mode:o}");
    }
    set(&dir, 0o700);
    set(&dir.join(format!("{}.key", key(1).id())), 0o640);
    let keys = SubjectKeys::open(&dir).unwrap();
    assert_eq!(code(keys.find(&name("Ines"))), "subject.permissions");
    assert_eq!(code(keys.key(&key(1).id())), "subject.permissions");
}

#[test]
fn a_file_that_is_no_key_or_another_is_not_used() {
    let disk = SimDisk::new();
    let dir = Path::new("/keys");
    let keys = SubjectKeys::create_on(Arc::new(disk.clone()), dir).unwrap();
    keys.add(&name("Ines"), &key(1)).unwrap();
    let path = dir.join(format!("{}.key", key(1).id()));
    let whole = String::from_utf8(disk.contents()[&path].clone()).unwrap();
    let (id, secret) = (key(1).id().to_string(), hex(&[1; 32]));
    let others = [
        String::new(),
        "\0".repeat(whole.len()),
        whole.replace("v1", "v2"),
        whole.replace(&secret, &hex(&[2; 32])),
        whole.replace(&id, &key(2).id().to_string()),
        whole.replace(&id, &key(2).id().to_string()).replace(&secret, &hex(&[2; 32])),
        whole.replace(&secret, &secret.to_uppercase().replace('0', "A")),
        whole.trim_end().to_owned(),
        whole.replace("name Ines", "name "),
        format!("{whole}more\n"),
        format!("{whole}{}", "x".repeat(2000)),
    ];
    for other in others {
        disk.meddle(&path, Some(other.clone().into_bytes()));
        assert_eq!(code(keys.key(&key(1).id())), "subject.damaged", "{other:?}");
        assert_eq!(code(keys.list()), "subject.damaged");
    }
    disk.meddle(&path, Some(whole.into_bytes()));
    assert_eq!(names(&keys), ["Ines"]);
    disk.meddle(&dir.join("notes.key"), Some(Vec::new()));
    assert_eq!(code(keys.list()), "subject.damaged");
}

/// What was acknowledged of: add One, add Two, destroy One, add Three.
#[derive(Default)]
struct Done {
    added: Vec<u8>,
    destroyed: bool,
    begun: bool,
    is_all: bool,
}

fn run(disk: &SimDisk, dir: &Path) -> Done {
    let mut done = Done::default();
    let Ok(keys) = SubjectKeys::create_on(Arc::new(disk.clone()), dir) else { return done };
    for number in [1, 2] {
        if keys.add(&name(&number.to_string()), &key(number)).is_err() {
            return done;
        }
        done.added.push(number);
    }
    done.begun = true;
    if keys.destroy(&key(1).id()).is_err() {
        return done;
    }
    done.destroyed = true;
    if keys.add(&name("3"), &key(3)).is_ok() {
        done.added.push(3);
        done.is_all = true;
    }
    done
}

/// Opens what was left, and looks for what has to be there, and for what must not.
fn check(disk: &SimDisk, dir: &Path, done: &Done) {
    if !disk.exists(dir) {
        assert!(done.added.is_empty(), "a folder with keys is gone");
        return;
    }
    let keys = SubjectKeys::open_on(Arc::new(disk.clone()), dir).unwrap();
    for number in &done.added {
        let kept = keys.key(&key(*number).id()).unwrap();
        match number {
            1 if done.destroyed => assert!(kept.is_none(), "a destroyed key came back"),
            1 if done.begun => {}
            _ => assert!(kept.is_some(), "the key {number} is lost"),
        }
    }
    let kept: Vec<String> = keys.list().unwrap().iter().map(|subject| subject.key_id.to_string()).collect();
    for (path, content) in disk.contents() {
        let file = path.file_name().unwrap().to_str().unwrap();
        let is_kept = file.strip_suffix(".key").is_some_and(|id| kept.iter().any(|kept| kept == id));
        assert!(is_kept || file == "lock", "{file} was left behind");
        let holds_one = String::from_utf8_lossy(&content).contains(&hex(&[1; 32]));
        assert!(!holds_one || !done.destroyed, "{file} holds a destroyed key");
    }
    // Whatever happened, the destruction can be asked for again.
    keys.destroy(&key(1).id()).unwrap();
    assert!(!disk.contents().values().any(|text| String::from_utf8_lossy(text).contains(&hex(&[1; 32]))));
}

#[test]
fn a_cut_at_any_change_loses_no_key_and_brings_none_back() {
    let dir = Path::new("/keys");
    for cut in 0.. {
        let disk = SimDisk::new();
        disk.cut_power_at(cut);
        let done = run(&disk, dir);
        for image in images(8) {
            let image = if let Image::Seed(seed) = image { Image::Seed(seed + cut * 1000) } else { image };
            check(&disk.after_power_cut(image), dir, &done);
        }
        check(&disk.after_kill(), dir, &done);
        if done.is_all {
            assert!(cut > 20, "the run makes {cut} changes");
            return;
        }
    }
}

#[test]
fn every_call_fails_once_and_is_told() {
    let dir = Path::new("/keys");
    let mut cells = 0;
    for call in Call::ALL {
        for nth in 0.. {
            let mut was_reached = true;
            for effect in [Effect::Nothing, Effect::Part, Effect::Done] {
                let disk = SimDisk::new();
                disk.fail(Some(Fault { call, nth, error: io::ErrorKind::Other, effect }));
                let done = run(&disk, dir);
                was_reached = disk.has_failed();
                disk.fail(None);
                assert_eq!(was_reached, !done.is_all, "{call:?} {nth} {effect:?}");
                if !was_reached {
                    break;
                }
                cells += 1;
                check(&disk.after_kill(), dir, &done);
                check(&disk.after_power_cut(Image::SyncedOnly), dir, &done);
            }
            if !was_reached {
                break;
            }
        }
    }
    assert!(cells > 60, "{cells} cells");
}

/// Taking the name away alone would leave the bytes where they lie.
#[test]
fn a_key_is_zeros_on_the_device_before_its_name_goes() {
    let (disk, dir) = (SimDisk::new(), Path::new("/keys"));
    let keys = SubjectKeys::create_on(Arc::new(disk.clone()), dir).unwrap();
    keys.add(&name("Ines"), &key(1)).unwrap();
    disk.fail(Some(Fault {
        call: Call::Remove,
        nth: 0,
        error: io::ErrorKind::Other,
        effect: Effect::Nothing,
    }));
    assert_eq!(code(keys.destroy(&key(1).id())), "subject.io");
    let left = disk.after_power_cut(Image::SyncedOnly).contents();
    let left = &left[&dir.join(format!("{}.gone", key(1).id()))];
    assert!(left.len() > 64 && left.iter().all(|byte| *byte == 0), "{left:?}");
    assert!(keys.key(&key(1).id()).unwrap().is_none(), "it is not used any more");
}
