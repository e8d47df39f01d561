//! What the payload store promises: bytes under their digest or not at all, durable when a put
//! returns, whoever else puts at the same time and whichever system call fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use common::genesis;
use proofline_canon::{ContentStore, Sha256Digest, StoreError};
use proofline_ledger::disk::{Access, Disk, DiskFile, DiskLock, OsDisk};
use proofline_ledger::{BLOBS_DIR, BlobError, BlobTotals, Blobs, Ledger, StoredBlob};

/// SHA-256 of "abc" (FIPS 180-4, example B.1) and of nothing.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn ledger() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    Ledger::init(&path, &genesis()).unwrap();
    (dir, path)
}

fn digest(text: &str) -> Sha256Digest {
    text.parse().unwrap()
}

/// The byte at a place of a test payload; 251 is prime, so no page repeats another.
fn pattern(at: u32) -> u8 {
    u8::try_from(at % 251).unwrap()
}

/// Where the layout says the bytes of this name are.
fn place(ledger: &Path, name: &str) -> PathBuf {
    ledger.join("blobs").join(&name[..2]).join(&name[2..])
}

/// Every report of a check, as code and file.
fn reports(blobs: &Blobs) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    blobs.check(&mut |damage| found.push((damage.code, damage.file))).unwrap();
    found
}

fn temporaries(ledger: &Path) -> Vec<PathBuf> {
    let listed = fs::read_dir(ledger.join(BLOBS_DIR)).into_iter().flatten();
    let is_temporary = |path: &PathBuf| path.is_file() && !path.ends_with("lock");
    let mut found: Vec<_> = listed.map(|entry| entry.unwrap().path()).filter(is_temporary).collect();
    found.sort();
    found
}

#[test]
fn bytes_lie_under_their_digest_and_come_back() {
    let (_dir, path) = ledger();
    let blobs = Blobs::open(&path).unwrap();
    assert!(!path.join(BLOBS_DIR).exists(), "opening makes nothing");
    assert_eq!(blobs.get(&digest(ABC)).unwrap(), None);
    assert!(!blobs.has(&digest(ABC)).unwrap());
    for (name, bytes) in [(ABC, b"abc".as_slice()), (EMPTY, b"")] {
        blobs.put(&digest(name), bytes).unwrap();
        assert_eq!(fs::read(place(&path, name)).unwrap(), bytes);
        assert_eq!(blobs.get(&digest(name)).unwrap().as_deref(), Some(bytes));
        assert!(blobs.has(&digest(name)).unwrap());
    }
    assert_eq!(temporaries(&path), Vec::<PathBuf>::new());
    assert_eq!(blobs.check(&mut |damage| panic!("{damage}")).unwrap(), BlobTotals { blobs: 2, bytes: 3 });
}

#[test]
fn a_folder_that_is_no_ledger_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = Blobs::open(dir.path()).unwrap_err();
    assert_eq!(refused.code(), "ledger.not_a_ledger");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_wrong_name_is_refused_before_anything_is_written() {
    let (_dir, path) = ledger();
    let blobs = Blobs::open(&path).unwrap();
    let refused = blobs.put(&digest(ABC), b"abd").unwrap_err();
    assert!(matches!(refused, StoreError::NameMismatch { name, .. } if name == digest(ABC)), "{refused}");
    assert!(!path.join(BLOBS_DIR).exists());
}

#[test]
fn damage_is_noticed_on_the_way_out_and_mended_by_putting_again() {
    let bytes: Vec<u8> = (0..200_000_u32).map(pattern).collect();
    let name = Sha256Digest::of(&bytes);
    let mut flipped = bytes.clone();
    flipped[150_000] ^= 1;
    let damages = [
        ("a flipped bit", flipped),
        ("truncated", bytes[..199_999].to_vec()),
        ("emptied", Vec::new()),
        ("a byte too many", [bytes.clone(), vec![0]].concat()),
    ];
    for (what, damaged) in damages {
        let (_dir, path) = ledger();
        let blobs = Blobs::open(&path).unwrap();
        blobs.put(&name, &bytes).unwrap();
        let file = place(&path, &name.to_string());
        fs::write(&file, &damaged).unwrap();
        let refused = blobs.get(&name).unwrap_err();
        assert!(
            matches!(refused, StoreError::Damaged { name: named, .. } if named == name),
            "{what}: {refused}"
        );
        let relative = file.strip_prefix(&path).unwrap().to_str().unwrap().to_owned();
        assert_eq!(reports(&blobs), [("blob.damaged", relative)], "{what}");
        blobs.put(&name, &bytes).unwrap();
        assert_eq!(blobs.get(&name).unwrap(), Some(bytes.clone()), "{what}");
        assert_eq!(reports(&blobs), [], "{what}");
    }
}

#[test]
fn a_file_over_the_limit_is_large_when_whole_and_damaged_when_not() {
    let (_dir, path) = ledger();
    let bytes = vec![7; 100];
    let name = Sha256Digest::of(&bytes);
    Blobs::open(&path).unwrap().put(&name, &bytes).unwrap();
    let small = Blobs::open(&path).unwrap().with_max_bytes(99);
    let code = |error: &StoreError| match error {
        StoreError::Io(source) => source.get_ref().unwrap().downcast_ref::<BlobError>().unwrap().code(),
        other => other.code(),
    };
    assert_eq!(code(&small.get(&name).unwrap_err()), "blob.too_large");
    assert_eq!(code(&small.put(&name, &bytes).unwrap_err()), "blob.too_large");
    fs::write(place(&path, &name.to_string()), vec![8; 100]).unwrap();
    assert_eq!(code(&small.get(&name).unwrap_err()), "canon.store_damaged");
    fs::write(place(&path, &name.to_string()), vec![8; 5]).unwrap();
    assert_eq!(code(&small.get(&name).unwrap_err()), "canon.store_damaged");
}

/// Gives `left` bytes, in pieces of changing length, then ends or fails.
struct Source {
    left: usize,
    given: usize,
    fails: bool,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && self.fails {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "gone"));
        }
        let count = self.left.min(buffer.len()).min(1 + self.given % 5000);
        for (at, byte) in buffer[..count].iter_mut().enumerate() {
            *byte = pattern(u32::try_from(self.given + at).unwrap());
        }
        self.left -= count;
        self.given += count;
        Ok(count)
    }
}

#[test]
fn a_stream_is_kept_under_the_name_found_on_the_way() {
    let (_dir, path) = ledger();
    let blobs = Blobs::open(&path).unwrap();
    for length in [0, 1, 65_535, 65_536, 65_537, 1_000_000_u32] {
        let bytes: Vec<u8> = (0..length).map(pattern).collect();
        let mut source = Source { left: length as usize, given: 0, fails: false };
        let stored = blobs.put_reader(&mut source, u64::from(length)).unwrap();
        assert_eq!(stored, StoredBlob { name: Sha256Digest::of(&bytes), size_bytes: u64::from(length) });
        assert_eq!(blobs.get(&stored.name).unwrap(), Some(bytes));
    }
    // The same again changes nothing.
    let mut source = Source { left: 65_537, given: 0, fails: false };
    blobs.put_reader(&mut source, u64::MAX).unwrap();
    assert_eq!(blobs.names().count(), 6);
    assert_eq!(reports(&blobs), []);
}

#[test]
fn a_stream_that_is_too_long_or_fails_leaves_no_name_and_one_file_to_use_again() {
    let (_dir, path) = ledger();
    let blobs = Blobs::open(&path).unwrap();
    for round in 0..10 {
        let mut source = Source { left: 200_001, given: 0, fails: round % 2 == 0 };
        let limit = if round % 2 == 0 { u64::MAX } else { 200_000 };
        let code = blobs.put_reader(&mut source, limit).unwrap_err().code();
        assert_eq!(code, if round % 2 == 0 { "blob.source" } else { "blob.too_large" });
        assert_eq!(blobs.names().count(), 0);
        let left: Vec<_> = temporaries(&path).iter().map(|path| fs::metadata(path).unwrap().len()).collect();
        assert_eq!(left, [0], "one emptied file, whatever the number of failures");
    }
    blobs.put_reader(&mut b"abc".as_slice(), 3).unwrap();
    assert_eq!(temporaries(&path), Vec::<PathBuf>::new());
    assert_eq!(blobs.get(&digest(ABC)).unwrap().unwrap(), b"abc");
}

#[test]
fn many_threads_put_the_same_and_different_payloads() {
    const THREADS: usize = 12;
    let (_dir, path) = ledger();
    let shared = Blobs::open(&path).unwrap();
    let payloads: Vec<Vec<u8>> = (0..6_u8).map(|at| vec![at; 30_000 * usize::from(at) + 1]).collect();
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (path, shared, payloads, barrier) = (&path, &shared, &payloads, &barrier);
            scope.spawn(move || {
                // A handle of one's own stands for another process.
                let own = Blobs::open(path).unwrap();
                let blobs = if thread % 3 == 0 { &own } else { shared };
                barrier.wait();
                for payload in payloads {
                    let name = Sha256Digest::of(payload);
                    if thread % 2 == 0 {
                        blobs.put(&name, payload).unwrap();
                    } else {
                        assert_eq!(blobs.put_reader(&mut payload.as_slice(), u64::MAX).unwrap().name, name);
                    }
                    assert_eq!(blobs.get(&name).unwrap().as_ref(), Some(payload));
                }
            });
        }
    });
    let mut expected: Vec<_> = payloads.iter().map(|payload| Sha256Digest::of(payload)).collect();
    expected.sort();
    assert_eq!(shared.names().map(Result::unwrap).collect::<Vec<_>>(), expected);
    assert_eq!(reports(&shared), []);
    assert_eq!(temporaries(&path), Vec::<PathBuf>::new());
}

#[test]
fn names_come_in_order_and_foreign_files_are_reported() {
    let (_dir, path) = ledger();
    let blobs = Blobs::open(&path).unwrap();
    let mut expected = Vec::new();
    for at in 0..300_u32 {
        let name = Sha256Digest::of(&at.to_le_bytes());
        blobs.put(&name, &at.to_le_bytes()).unwrap();
        expected.push(name);
    }
    expected.sort();
    let root = path.join(BLOBS_DIR);
    fs::create_dir_all(root.join("ab")).unwrap();
    fs::create_dir_all(root.join("AB")).unwrap();
    fs::write(root.join("1234-0.tmp"), b"half a pay").unwrap();
    fs::write(root.join("notes.txt"), b"").unwrap();
    fs::write(root.join("ab").join("x"), b"").unwrap();
    fs::write(root.join("ab").join(ABC), b"").unwrap(); // two digits too many
    fs::write(root.join("ab").join(ABC[2..].to_uppercase()), b"abc").unwrap();
    fs::create_dir(root.join("ab").join(&ABC[2..])).unwrap(); // a folder in a payload's place
    let unused = (0..=255_u8).map(|byte| format!("{byte:02x}")).find(|two| !root.join(two).exists()).unwrap();
    fs::write(root.join(&unused), b"").unwrap(); // a file in a folder's place

    let names: Vec<_> = blobs.names().filter_map(Result::ok).collect();
    let in_folder = format!("ab{}", &ABC[2..]).parse().unwrap();
    expected.insert(expected.partition_point(|name| *name < in_folder), in_folder);
    assert_eq!(names, expected);
    let mut found = reports(&blobs);
    found.sort();
    let at = |rest: &str| format!("blobs/{rest}");
    let mut wanted = vec![
        ("blob.damaged", at(&format!("ab/{}", &ABC[2..]))),
        ("blob.name", at("AB")),
        ("blob.name", at(&unused)),
        ("blob.name", at(&format!("ab/{ABC}"))),
        ("blob.name", at(&format!("ab/{}", ABC[2..].to_uppercase()))),
        ("blob.name", at("ab/x")),
        ("blob.name", at("notes.txt")),
        ("blob.unfinished", at("1234-0.tmp")),
    ];
    wanted.sort();
    assert_eq!(found, wanted);
}

/// The system's disk, which writes down what it is asked and fails the call with one number.
#[derive(Debug, Default)]
struct Scripted {
    calls: Arc<Mutex<Vec<String>>>,
    fail_at: Option<(usize, io::ErrorKind)>,
    asked: Arc<AtomicUsize>,
}

impl Scripted {
    fn failing(at: usize, kind: io::ErrorKind) -> Self {
        Scripted { fail_at: Some((at, kind)), ..Scripted::default() }
    }

    /// Only calls that change something, or make a change durable, are counted.
    fn note(&self, call: &str, path: &Path) -> io::Result<()> {
        let at = self.asked.fetch_add(1, Ordering::SeqCst);
        if let Some((number, kind)) = self.fail_at
            && number == at
        {
            return Err(io::Error::new(kind, "as the script says"));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = if name.ends_with(".tmp") { "tmp".into() } else { name };
        self.calls.lock().unwrap().push(format!("{call} {name}"));
        Ok(())
    }

    fn twin(&self) -> Self {
        Scripted { calls: Arc::clone(&self.calls), fail_at: self.fail_at, asked: Arc::clone(&self.asked) }
    }
}

#[derive(Debug)]
struct ScriptedFile {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    script: Scripted,
}

impl DiskFile for ScriptedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if let Err(error) = self.script.note("write", &self.path) {
            self.file.write_all_at(&bytes[..bytes.len() / 2], offset)?; // a failed write is half a write
            return Err(error);
        }
        self.file.write_all_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.script.note("sync", &self.path)?;
        self.file.sync()
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        self.file.truncate(length)
    }
    fn try_lock(&self) -> io::Result<bool> {
        self.file.try_lock()
    }
}

impl Disk for Scripted {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        if access == Access::CreateNew {
            self.note("create", path)?;
        }
        let file = OsDisk.open(path, access)?;
        Ok(Arc::new(ScriptedFile { file, path: path.to_owned(), script: self.twin() }))
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.note("create_dir", path)?;
        OsDisk.create_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note("rename", to)?;
        OsDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.note("remove", path)?;
        OsDisk.remove(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.note("sync_dir", path)?;
        OsDisk.sync_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(path)
    }
    fn exists(&self, path: &Path) -> bool {
        OsDisk.exists(path)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        OsDisk.lock(path)
    }
}

#[test]
fn a_put_returns_only_after_the_file_its_name_and_its_folders_are_synced() {
    let (_dir, path) = ledger();
    let script = Scripted::default();
    let calls = Arc::clone(&script.calls);
    let blobs = Blobs::open_on(Arc::new(script), &path).unwrap();
    blobs.put(&digest(ABC), b"abc").unwrap();
    let first = std::mem::take(&mut *calls.lock().unwrap());
    let at = |call: &str| {
        first.iter().rposition(|made| made == call).unwrap_or_else(|| panic!("{call}: {first:?}"))
    };
    let rest = &ABC[2..];
    assert!(at("create_dir blobs") < at("sync_dir ledger"));
    assert!(at("create_dir ba") < at("sync_dir blobs"));
    assert!(at("write tmp") < at("sync tmp"));
    assert!(at("sync tmp") < at(&format!("rename {rest}")));
    assert_eq!(first.last().unwrap(), "sync_dir ba");
    assert!(at(&format!("rename {rest}")) < at("sync_dir ba"));

    // Kept already: nothing is written, and it is made sure that it stays.
    blobs.put(&digest(ABC), b"abc").unwrap();
    assert_eq!(
        *std::mem::take(&mut *calls.lock().unwrap()),
        [format!("sync {rest}"), "sync_dir ba".to_owned()]
    );

    blobs.put_reader(&mut b"abc".as_slice(), 3).unwrap();
    let rename = format!("rename {rest}");
    assert_eq!(
        *calls.lock().unwrap(),
        ["create tmp", "write tmp", "sync tmp", rename.as_str(), "sync_dir ba"]
    );
}

#[test]
fn whichever_call_fails_the_put_fails_and_nothing_wrong_is_kept() {
    let kinds = [
        (io::ErrorKind::StorageFull, "blob.storage_full"),
        (io::ErrorKind::ReadOnlyFilesystem, "blob.read_only"),
        (io::ErrorKind::Other, "blob.io"),
    ];
    for (kind, code) in kinds {
        for streamed in [false, true] {
            let mut failures = 0;
            for at in 0.. {
                let (_dir, path) = ledger();
                let blobs = Blobs::open_on(Arc::new(Scripted::failing(at, kind)), &path).unwrap();
                let put = || match streamed {
                    true => blobs.put_reader(&mut b"abc".as_slice(), 3).map(drop),
                    false => blobs.put(&digest(ABC), b"abc").map_err(|error| match error {
                        StoreError::Io(source) => source.downcast::<BlobError>().unwrap(),
                        other => panic!("{other}"),
                    }),
                };
                let Err(error) = put() else { break };
                failures += 1;
                assert_eq!(error.code(), code, "call {at}: {error}");
                assert!(!error.hint().is_empty());
                for name in blobs.names() {
                    assert_eq!(blobs.get(&name.unwrap()).unwrap().unwrap(), b"abc", "call {at}");
                }
                let left: u64 = temporaries(&path).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
                assert_eq!(left, 0, "call {at}: the space is given back");
                put().unwrap_or_else(|error| panic!("call {at}, again: {error}"));
                assert_eq!(blobs.get(&digest(ABC)).unwrap().unwrap(), b"abc");
                assert!(reports(&blobs).iter().all(|(code, _)| *code == "blob.unfinished"), "call {at}");
            }
            assert!(
                failures >= 8,
                "create, write, sync, rename and each folder were made to fail: {failures}"
            );
        }
    }
}

#[test]
fn after_a_failed_sync_nothing_that_lies_there_is_believed() {
    let (_dir, path) = ledger();
    let script = Scripted::default();
    let calls = Arc::clone(&script.calls);
    Blobs::open_on(Arc::new(script.twin()), &path).unwrap().put(&digest(ABC), b"abc").unwrap();
    let folder_sync = calls.lock().unwrap().len() - 1;
    fs::remove_dir_all(path.join(BLOBS_DIR)).unwrap();

    let script = Scripted::failing(folder_sync, io::ErrorKind::Other);
    let calls = Arc::clone(&script.calls);
    let blobs = Blobs::open_on(Arc::new(script), &path).unwrap();
    blobs.put(&digest(ABC), b"abc").unwrap_err();
    assert!(blobs.has(&digest(ABC)).unwrap(), "renamed, and not known to be durable");
    calls.lock().unwrap().clear();
    blobs.put(&digest(ABC), b"abc").unwrap();
    let rename = format!("rename {}", &ABC[2..]);
    assert_eq!(
        *calls.lock().unwrap(),
        ["create tmp", "write tmp", "sync tmp", rename.as_str(), "sync_dir ba"]
    );
}

#[test]
fn temporary_files_of_a_crashed_process_are_stepped_over() {
    let (_dir, path) = ledger();
    fs::create_dir(path.join(BLOBS_DIR)).unwrap();
    let own = std::process::id();
    for number in 0..3 {
        fs::write(path.join(BLOBS_DIR).join(format!("{own}-{number}.tmp")), b"somebody else's").unwrap();
    }
    let blobs = Blobs::open(&path).unwrap();
    blobs.put(&digest(ABC), b"abc").unwrap();
    assert_eq!(blobs.get(&digest(ABC)).unwrap().unwrap(), b"abc");
    let left: Vec<_> = temporaries(&path).iter().map(|path| fs::read(path).unwrap()).collect();
    assert_eq!(left, vec![b"somebody else's".to_vec(); 3]);
    assert_eq!(reports(&blobs).iter().map(|(code, _)| *code).collect::<Vec<_>>(), ["blob.unfinished"; 3]);
}
