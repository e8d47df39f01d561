//! Every version stays readable: ledgers that earlier versions wrote, kept in `vectors/ledgers/`, are read,
//! verified, migrated and gone on with. A newer one is refused by name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::sim_disk::{Image, SimDisk};
use common::{NOW_MS, bare, chain, raw};
use proofline_ledger::disk::{Access, Disk, OsDisk};
use proofline_ledger::{
    ExportOrder, Ledger, Options, Outcome, Seq, Snapshot, TransferProgress, backup, export, import, migrate,
    migrate_on, plan_migration, plan_migration_on, reindex, verify,
};

/// The forms that there were, each with the step that brings it up to date.
const FORMS: [(&str, &str); 3] = [
    ("index-without-tree", "index_tree"),
    ("index-version-0", "index_filters"),
    ("index-without-nodes", "index_nodes"),
];

fn golden(form: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/ledgers").join(form)
}

/// A copy of a golden ledger that may be changed.
fn copy_of(form: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("ledger");
    fs::create_dir_all(dir.join("log")).unwrap();
    for name in ["published", "log"] {
        let from = golden(form).join(name);
        let files: Vec<PathBuf> = if from.is_dir() {
            fs::read_dir(&from).unwrap().map(|entry| entry.unwrap().path()).collect()
        } else {
            vec![from]
        };
        for file in files {
            let to = dir.join(file.strip_prefix(golden(form)).unwrap());
            fs::copy(&file, to).unwrap();
        }
    }
    (folder, dir)
}

fn log(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap()))
        .collect()
}

#[test]
fn every_earlier_form_is_read_migrated_and_gone_on_with() {
    for (form, step) in FORMS {
        let (_folder, dir) = copy_of(form);
        let before = log(&dir);
        let indexes: Vec<String> =
            before.keys().filter(|name| name.ends_with(".idx")).map(|name| format!("log/{name}")).collect();
        assert!(indexes.len() > 2, "{form}: {indexes:?}");
        // Read as it is: every entry, by the second reader's account.
        let (entries, _) = raw::read_log(&OsDisk, &dir);
        raw::check_chain(&entries);
        let snapshot = Snapshot::open(&dir).unwrap();
        assert_eq!(snapshot.entries(), entries.len() as u64);
        for entry in &entries {
            let read = snapshot.entry(Seq::new(entry.seq)).unwrap().unwrap();
            assert_eq!(
                (read.body, *read.header.envelope_hash.as_bytes()),
                (entry.body.clone(), entry.envelope_hash)
            );
        }
        let size = snapshot.entries();
        let root = snapshot.tree().root(size).unwrap();
        assert!(verify(&dir, &mut |_| {}).unwrap().damage.is_empty());
        // A dry run names what is old and changes nothing.
        let plan = plan_migration(&dir).unwrap();
        assert_eq!((plan.is_applied, plan.found.len()), (false, 1));
        assert_eq!((plan.found[0].step.id, &plan.found[0].files), (step, &indexes));
        assert_eq!(log(&dir), before);
        // Migrated, nothing is old, and the segments are untouched.
        let done = migrate(&dir).unwrap();
        assert!(done.is_applied && done.recovery.is_clean(), "{done:?}");
        assert_eq!(done.found, plan.found);
        let after = log(&dir);
        for (name, bytes) in before.iter().filter(|(name, _)| name.ends_with(".seg")) {
            assert_eq!(after[name], *bytes, "{name}");
        }
        let again = migrate(&dir).unwrap();
        assert!(again.found.is_empty() && again.recovery.is_clean(), "{again:?}");
        assert_eq!(log(&dir), after);
        let report = verify(&dir, &mut |_| {}).unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!(Snapshot::open(&dir).unwrap().tree().root(size).unwrap(), root);
        // What migrating makes is what making everything again makes.
        reindex(&dir).unwrap();
        assert_eq!(log(&dir), after);
        let ledger = Ledger::open(&dir, Options::default()).unwrap();
        assert!(ledger.recovery().is_clean());
        let outcome = ledger.commit_action(&bare(&chain(77, 0)[0]), NOW_MS).unwrap();
        assert!(matches!(outcome, Outcome::Accepted { duplicate: false, .. }), "{outcome:?}");
        goes_on_as_it_began(&dir, u8::from(form == "index-without-nodes"));
    }
}

/// The ledgers began with this format version, most of them with 0: so does every header, that of the entry which was
/// just appended too, and so does each of a copy.
fn goes_on_as_it_began(dir: &Path, format: u8) {
    let folder = tempfile::tempdir().unwrap();
    let [copy, moved] = ["copy", "moved"].map(|name| folder.path().join(name));
    let mut watch = |_: TransferProgress| ControlFlow::Continue(());
    backup(dir, &copy, &mut watch).unwrap();
    let mut stream = Vec::new();
    export(dir, &ExportOrder { with_blobs: true, at: None }, &mut stream, &mut watch).unwrap();
    import(&mut &stream[..], &moved, &Options::default(), &mut watch).unwrap();
    for dir in [dir, &copy, &moved] {
        let snapshot = Snapshot::open(dir).unwrap();
        for seq in (0..snapshot.entries()).map(Seq::new) {
            assert_eq!(snapshot.header_bytes(seq).unwrap().unwrap()[..2], [0x8c, format], "{seq}");
        }
        let is_old =
            |(name, bytes): (String, Vec<u8>)| !name.ends_with(".seg") || bytes[8..12] == [format, 0, 0, 0];
        assert!(log(dir).into_iter().all(is_old));
    }
    let head = |dir: &Path| Snapshot::open(dir).unwrap().head();
    assert_eq!((head(&copy), head(&moved)), (head(dir), head(dir)));
}

/// A golden ledger on a disk in memory, all of it durable.
fn on_disk(form: &str) -> SimDisk {
    let disk = SimDisk::new();
    let dir = common::recovered::dir();
    for folder in [dir.parent().unwrap(), dir, &dir.join("log")] {
        disk.create_dir(folder).unwrap();
        disk.sync_dir(folder.parent().unwrap()).unwrap();
    }
    let put = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        let file = disk.open(&path, Access::CreateNew).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        file.sync().unwrap();
        disk.sync_dir(path.parent().unwrap()).unwrap();
    };
    put("published", &fs::read(golden(form).join("published")).unwrap());
    for (name, bytes) in log(&golden(form)) {
        put(&format!("log/{name}"), &bytes);
    }
    disk.after_power_cut(Image::SyncedOnly)
}

#[test]
fn a_migration_that_is_cut_off_is_done_again() {
    for (form, _) in FORMS {
        let (whole, dir) = (on_disk(form), common::recovered::dir());
        let (expected, _) = raw::read_log(&whole, dir);
        let mut cut = 0;
        loop {
            let disk = whole.copy();
            disk.cut_power_at(cut);
            let done = migrate_on(&disk, dir);
            for image in [Image::SyncedOnly, Image::Seed(cut), Image::Everything] {
                let found = disk.after_power_cut(image);
                assert!(raw::read_log(&found, dir).0 == expected, "the log is another after cut {cut}");
                migrate_on(&found, dir).unwrap();
                assert_eq!(plan_migration_on(&found, dir).unwrap().found, []);
                let ledger = Ledger::open_on(Arc::new(found.clone()), dir, Options::default()).unwrap();
                assert_eq!(ledger.entries(), expected.len() as u64);
            }
            if done.is_ok() {
                break;
            }
            cut += 1;
        }
        assert!(cut > 10, "a migration makes {cut} changes");
    }
}

#[test]
fn a_newer_form_is_refused_by_name() {
    let (_folder, dir) = copy_of(FORMS[0].0);
    let index = dir.join("log/00000000000000000000.idx");
    let mut bytes = fs::read(&index).unwrap();
    bytes[8] = 2;
    fs::write(&index, &bytes).unwrap();
    for error in [plan_migration(&dir).unwrap_err(), migrate(&dir).unwrap_err()] {
        assert_eq!(error.code(), "ledger.newer_format");
        assert!(error.to_string().contains("log/00000000000000000000.idx is of format version 2"), "{error}");
    }
    assert_eq!(fs::read(&index).unwrap(), bytes, "what is newer is left as it is");
}
