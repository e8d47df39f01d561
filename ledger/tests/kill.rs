//! Two hundred real SIGKILLs of processes on a real folder, eight of them on one ledger at a time,
//! while readers look on: they commit, sign, put payloads, erase some of them and archive segments.
//! Every record that a child said was acknowledged is there or in the archive, what was erased is
//! gone and nothing else is, the chain verifies, readers only ever see a whole prefix, and writing,
//! backups and bundles go on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{Cursor, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use common::busy::{Receipt, assert_held};
use common::erasing::{blob_path, erased_in, erasing_chain, mark_path};
use common::index_model::{check_indexes, is_index};
use common::keys::{add, log_key};
use common::random::{Random, full_effort};
use common::raw::{RawEntry, check_chain, read_log};
use common::readers::{StopOnDrop, look_on};
use common::{NOW_MS, bare, chain, genesis, hash_of};
use proofline_canon::{ContentStore, Sha256Digest};
use proofline_ledger::disk::OsDisk;
use proofline_ledger::{
    Action, ArchiveOrder, Blobs, BundleOrder, Ledger, LogEnd, Options, Outcome, Seq, VerifyPlan,
    VerifyReport, archive, backup, checkpoint_path, create_bundle, restore, verify, verify_with,
};
use proofline_proof::bundle::{BundleTrust, verify_bundle};
use proofline_proof::{Note, Signer};
use proofline_trace::TraceId;

/// Tells the test binary that it is a child: the folder of the laboratory, the file for what it says,
/// and its number, in lines.
const CHILD: &str = "PROOFLINE_KILLED_CHILD";

/// Begins a line of a child that signed a checkpoint; its size follows.
const SIGNED: &str = "signed ";
/// Begins a line of a child that put a payload, or erased one; its text follows.
const PUT: &str = "put ";
const ERASED: &str = "erased ";
/// Begins a line of a child that archived; how many segments went follows.
const ARCHIVED: &str = "archived ";

/// So many of the newest entries no child archives.
const KEPT_ENTRIES: u64 = 12;

fn options() -> Options {
    Options { segment_bytes: 16384, ..Options::default() }
}

fn ledger_in(folder: &Path) -> PathBuf {
    folder.join("ledger")
}

fn archive_in(folder: &Path) -> PathBuf {
    folder.join("archive")
}

/// A child at its work. Whatever it was told, it writes down right after it was.
struct Worker {
    folder: PathBuf,
    ledger: Ledger,
    blobs: Blobs,
    said: File,
    number: u32,
    random: Random,
}

impl Worker {
    fn new(orders: &str) -> Self {
        let orders: Vec<&str> = orders.lines().collect();
        let [folder, said, number] = orders[..] else { panic!("{orders:?}") };
        let (folder, number) = (PathBuf::from(folder), number.parse().unwrap());
        let dir = ledger_in(&folder);
        Worker {
            ledger: Ledger::open(&dir, options()).unwrap(),
            blobs: Blobs::open(&dir).unwrap(),
            said: OpenOptions::new().append(true).open(said).unwrap(),
            random: Random::new(u64::from(number)),
            folder,
            number,
        }
    }

    fn say(&mut self, text: &str) {
        self.said.write_all(text.as_bytes()).unwrap();
    }

    fn commit(&mut self, group: &[Action<'_>], round: u32) {
        let mut said = String::new();
        for outcome in self.ledger.commit_actions(group, NOW_MS + u64::from(round)).unwrap() {
            let Outcome::Accepted { envelope_hash, seq, .. } = outcome else { panic!("{outcome:?}") };
            said.push_str(&format!("{seq} {envelope_hash}\n"));
        }
        self.say(&said);
    }

    /// A chain of its own, or now and then one that all children send.
    fn commit_chain(&mut self, round: u32) {
        let is_shared = self.random.once_in(5);
        let trace = if is_shared { 1 + round } else { self.number * 10_000 + round };
        let lines = chain(trace, 3);
        let mut from = 0;
        while from < lines.len() {
            let to = (from + 1 + self.random.below(3)).min(lines.len());
            let group: Vec<Action<'_>> = lines[from..to].iter().map(|line| bare(line)).collect();
            self.commit(&group, round);
            from = to;
        }
    }

    fn sign(&mut self) {
        let kept = self.ledger.checkpoint(&[&log_key(1)]).unwrap();
        self.say(&format!("{SIGNED}{}\n", kept.size));
    }

    /// Puts a payload and erases it again, every other time.
    fn put_and_erase(&mut self, round: u32) {
        let payload = format!("of child {} in round {round}", self.number);
        let name = Sha256Digest::of(payload.as_bytes());
        self.blobs.put(&name, payload.as_bytes()).unwrap();
        self.say(&format!("{PUT}{payload}\n"));
        if self.random.once_in(2) {
            let lines = erasing_chain(self.number * 10_000 + 5_000 + round, &name);
            self.commit(&[bare(&lines[0]), bare(&lines[1])], round);
            self.commit(&[Action::System(lines[2].as_bytes())], round);
            self.say(&format!("{ERASED}{payload}\n"));
        }
    }

    fn archive(&mut self) {
        let before = Seq::new(self.ledger.entries().saturating_sub(KEPT_ENTRIES));
        let out = archive_in(&self.folder);
        let order = ArchiveOrder { before, out: &out, place: "beside", now_ms: NOW_MS };
        let report = archive(ledger_in(&self.folder), &order, &mut |_| {}).unwrap();
        self.say(&format!("{ARCHIVED}{}\n", report.moved.len()));
    }
}

/// The work of a child, until somebody kills it.
#[test]
fn child() {
    let Ok(orders) = std::env::var(CHILD) else { return };
    let mut worker = Worker::new(&orders);
    for round in 0.. {
        worker.commit_chain(round);
        if worker.random.once_in(3) {
            worker.sign();
        }
        if worker.random.once_in(3) {
            worker.put_and_erase(round);
        }
        if worker.random.once_in(4) {
            worker.archive();
        }
    }
}

/// Looks again and again whether `is_so`, for a minute.
fn wait_for(what_fails: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what_fails}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

struct House {
    dir: tempfile::TempDir,
    ledger: PathBuf,
    archive: PathBuf,
    said: PathBuf,
    children: u32,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, archive) = (ledger_in(dir.path()), archive_in(dir.path()));
        let said = dir.path().join("said");
        Ledger::init(&ledger, &genesis()).unwrap();
        add(&Ledger::open(&ledger, options()).unwrap(), &log_key(1), None);
        fs::create_dir(&said).unwrap();
        House { dir, ledger, archive, said, children: 0 }
    }

    fn spawn(&mut self) -> (Child, PathBuf) {
        self.children += 1;
        let said = self.said.join(self.children.to_string());
        File::create(&said).unwrap();
        let orders = format!("{}\n{}\n{}", self.dir.path().display(), said.display(), self.children);
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(CHILD, orders)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        (child, said)
    }

    /// Starts `count` children, lets each of them commit a chain, and one of them do what `awaited`
    /// says, and kills them one after the other. What the laboratory asks of its children in the end
    /// is waited for here, so that no load of the machine decides whether it is there.
    fn round(&mut self, count: usize, awaited: &str, random: &mut Random) {
        let mut children: Vec<(Child, PathBuf)> = (0..count).map(|_| self.spawn()).collect();
        let said = |path: &Path| fs::read_to_string(path).unwrap();
        let is_busy = |path: &Path| said(path).matches('\n').count() >= 3;
        wait_for("a child does not get to commit a chain", || children.iter().all(|(_, said)| is_busy(said)));
        wait_for(awaited, || children.iter().any(|(_, path)| said(path).contains(awaited)));
        std::thread::sleep(Duration::from_micros(random.next() % 60_000));
        while !children.is_empty() {
            let (mut child, _) = children.swap_remove(random.below(children.len()));
            assert_eq!(child.try_wait().unwrap(), None, "a child ended by itself");
            child.kill().unwrap();
            child.wait().unwrap();
            std::thread::sleep(Duration::from_micros(random.next() % 3_000));
        }
    }

    /// Every line that any child wrote down.
    fn lines(&self) -> Vec<String> {
        let said =
            (1..=self.children).map(|number| fs::read_to_string(self.said.join(number.to_string())).unwrap());
        // A kill may have cut the last line short.
        let whole = |text: String| {
            let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        said.flat_map(whole).collect()
    }

    /// What follows this word in the lines that begin with it.
    fn told(&self, word: &str) -> Vec<String> {
        self.lines().iter().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect()
    }

    /// Every receipt that any child wrote down.
    fn receipts(&self) -> Vec<Receipt> {
        let receipt = |line: &String| {
            let (seq, hash) = line.split_once(' ')?;
            Some(Receipt { seq: seq.parse().ok()?, hash: hash.to_owned() })
        };
        self.lines().iter().filter_map(receipt).collect()
    }

    /// The whole log: the segments that lie in the ledger, and those that lie in the archive.
    fn entries(&self) -> Vec<RawEntry> {
        let whole = tempfile::tempdir_in(self.dir.path()).unwrap();
        let log = whole.path().join("log");
        fs::create_dir(&log).unwrap();
        for folder in [self.ledger.join("log"), self.archive.clone()] {
            for (name, path) in segments_in(&folder) {
                if log.join(&name).exists() {
                    let is_same = fs::read(log.join(&name)).unwrap() == fs::read(path).unwrap();
                    assert!(is_same, "{name} differs in the archive");
                } else {
                    fs::hard_link(path, log.join(name)).unwrap();
                }
            }
        }
        let (entries, surplus) = read_log(&OsDisk, whole.path());
        assert_eq!(surplus, 0);
        entries
    }

    /// What holds before anybody mended anything: what was said to be erased is gone.
    fn check_unmended(&self) {
        for payload in self.told(ERASED) {
            let path = blob_path(&self.ledger, &Sha256Digest::of(payload.as_bytes()));
            assert!(!path.exists(), "what is erased is there: {payload}");
        }
    }

    /// Every payload is there, unless an entry of the log erases it.
    fn check_payloads(&self, entries: &[RawEntry]) {
        let erased = erased_in(entries);
        for payload in self.told(PUT) {
            let name = Sha256Digest::of(payload.as_bytes());
            let found = fs::read(blob_path(&self.ledger, &name)).ok();
            match erased.get(&name.to_string()) {
                None => assert_eq!(found.as_deref(), Some(payload.as_bytes()), "nobody erased it: {payload}"),
                Some(seq) => {
                    assert_eq!(found, None, "entry {seq} erased it: {payload}");
                    let mark = fs::read_to_string(mark_path(&self.ledger, &name)).unwrap();
                    assert_eq!(mark, format!("{seq}\n"));
                }
            }
        }
        let told = self.told(ERASED);
        assert!(told.iter().all(|it| erased.contains_key(&Sha256Digest::of(it.as_bytes()).to_string())));
    }

    /// The ledger verifies, what is archived included.
    fn check_with_archive(&self, entries: &[RawEntry]) -> VerifyReport {
        // A child that was killed may have made the folder and nothing in it, or a segment without its manifest.
        let files = fs::read_dir(&self.archive).into_iter().flatten();
        let is_archive = files.flatten().any(|file| file.path().extension().is_some_and(|it| it == "json"));
        let archives = if is_archive { vec![self.archive.clone()] } else { Vec::new() };
        let plan = VerifyPlan { archives, ..VerifyPlan::default() };
        let report = verify_with(&self.ledger, &plan, &mut |_| {}).unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!((report.end, report.entries), (LogEnd::Published, entries.len() as u64));
        assert!(report.archived.iter().all(|one| one.is_checked));
        report
    }

    fn check(&self) {
        self.check_unmended();
        let ledger = Ledger::open(&self.ledger, options()).unwrap();
        let entries = self.entries();
        check_chain(&entries);
        assert_held(&entries, &self.receipts(), "an acknowledged record is gone");
        self.check_payloads(&entries);
        self.check_with_archive(&entries);
        for size in self.told(SIGNED).iter().map(|size| size.parse::<u64>().unwrap()) {
            let note = Note::parse(&fs::read(checkpoint_path(&self.ledger, size)).unwrap()).unwrap();
            assert_eq!(note.text().split('\n').nth(1), Some(size.to_string().as_str()));
            assert!(size <= entries.len() as u64);
        }
        let lines = chain(50_000_000 + self.children, 2);
        let new = lines.iter().map(|line| {
            let outcome = ledger.commit_action(&bare(line), NOW_MS).unwrap();
            let Outcome::Accepted { seq, duplicate: false, .. } = outcome else { panic!("{outcome:?}") };
            Receipt { seq: seq.get(), hash: hash_of(line) }
        });
        let new: Vec<Receipt> = new.collect();
        let after = self.entries();
        assert_held(&after, &new, "writing does not go on");
        let added = &after[entries.len()..];
        let indexes = added.iter().filter(|entry| is_index(entry)).count();
        assert_eq!(added.len(), new.len() + indexes, "somebody else wrote");
    }

    /// Bundles of some traces say of each how many entries the log holds of it.
    fn check_bundles(&self, entries: &[RawEntry], random: &mut Random) {
        let keys = [log_key(1).verifier().clone()];
        let ids: Vec<[u8; 16]> = entries.iter().filter_map(|entry| Some(entry.trace?.0)).collect();
        for _ in 0..4 {
            let wanted: BTreeSet<[u8; 16]> = (0..3).map(|_| *random.pick(&ids)).collect();
            let traces = wanted.iter().map(|id| TraceId::from_bytes(*id).unwrap()).collect();
            let order =
                BundleOrder { traces, archives: vec![self.archive.clone()], ..BundleOrder::default() };
            let mut bytes = Cursor::new(Vec::new());
            let manifest = create_bundle(&self.ledger, &order, &mut bytes).unwrap();
            let trust = BundleTrust { keys: &keys, policy: None };
            let report = verify_bundle(Cursor::new(bytes.get_ref().as_slice()), &trust).unwrap();
            assert!(report.holds(), "{report:?}");
            let claimed = report.manifest.unwrap();
            assert_eq!((claimed.size, &claimed.traces), (manifest.size, &manifest.traces));
            let covered = &entries[..usize::try_from(claimed.size).unwrap()];
            let said: BTreeMap<String, u64> =
                claimed.traces.iter().map(|it| (it.trace_id.to_string(), it.entries)).collect();
            let count =
                |id: &[u8; 16]| covered.iter().filter(|it| it.trace.is_some_and(|it| it.0 == *id)).count();
            let counted = wanted.iter().map(|id| (proofline_canon::hex(id), count(id) as u64)).collect();
            assert_eq!(said, counted);
        }
    }

    /// With the archive the ledger verifies; brought back and copied, it is the same one.
    fn check_whole(&self, entries: &[RawEntry]) {
        let report = self.check_with_archive(entries);
        assert!(!report.archived.is_empty() && report.anchors.anchored_entries() > 0);
        let back = restore(&self.ledger, &self.archive, &mut |_| {}).unwrap();
        assert_eq!((back.restored.len(), back.still_archived), (report.archived.len(), 0));
        let copy = self.dir.path().join("copy");
        backup(&self.ledger, &copy, &mut |_| ControlFlow::Continue(())).unwrap();
        for dir in [&self.ledger, &copy] {
            let report = verify(dir, &mut |_| {}).unwrap();
            assert!(report.is_sound(), "{report:?}");
            assert!(read_log(&OsDisk, dir) == (entries.to_vec(), 0), "another log in {}", dir.display());
            let blobs = Blobs::open(dir).unwrap();
            for payload in self.told(ERASED) {
                let put = blobs.put(&Sha256Digest::of(payload.as_bytes()), payload.as_bytes());
                assert!(put.is_err(), "what is erased came back: {payload}");
            }
            let erased = erased_in(entries).len();
            let names: BTreeSet<Sha256Digest> = blobs.names().collect::<Result<_, _>>().unwrap();
            let put = self.told(PUT);
            let put = put.iter().map(|payload| Sha256Digest::of(payload.as_bytes()));
            assert_eq!(put.filter(|name| !names.contains(name)).count(), erased);
        }
    }
}

/// Segment files in a folder, by name.
fn segments_in(folder: &Path) -> BTreeMap<String, PathBuf> {
    let Ok(files) = fs::read_dir(folder) else { return BTreeMap::new() };
    let named = files.map(|file| file.unwrap().path()).map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, path)
    });
    named.filter(|(name, _)| name.ends_with(".seg")).collect()
}

/// Kills `rounds` times `count` children while two readers look on.
fn lab(rounds: usize, count: usize, seed: u64) {
    let mut house = House::new();
    let mut random = Random::new(seed);
    let stop = AtomicBool::new(false);
    let dir = house.ledger.clone();
    std::thread::scope(|scope| {
        let readers = [(); 2].map(|()| scope.spawn(|| look_on(&dir, &stop)));
        let stop_in_the_end = StopOnDrop(&stop);
        for round in 0..rounds {
            let awaited = [SIGNED, ERASED, ARCHIVED][round % 3];
            house.round(count, awaited, &mut random);
            house.check();
        }
        drop(stop_in_the_end);
        for reader in readers {
            let looks = reader.join().unwrap();
            assert!(looks > rounds as u64, "a reader looked {looks} times only");
        }
    });
    assert_eq!(house.children as usize, rounds * count);
    let entries = house.entries();
    let indexes = check_indexes(&entries);
    house.check_bundles(&entries, &mut random);
    house.check_whole(&entries);
    let [signed, put, erased] = [SIGNED, PUT, ERASED].map(|word| house.told(word).len());
    let archived: usize = house.told(ARCHIVED).iter().map(|count| count.parse::<usize>().unwrap()).sum();
    let receipts = house.receipts().len();
    println!(
        "{} kills, {receipts} receipts, {signed} signed, {put} put, {erased} erased, {archived} archived, {} entries",
        house.children,
        entries.len()
    );
    assert!(signed > rounds / 8 && indexes > rounds / 8, "{signed} signed, {indexes} index entries");
    assert!(erased > rounds / 8 && put > erased && archived > rounds / 8, "{put}, {erased}, {archived}");
    assert!(receipts >= rounds * count * 3, "{receipts} receipts");
}

#[test]
fn a_process_alone_is_killed() {
    lab(if full_effort() { 400 } else { 40 }, 1, 1);
}

#[test]
fn eight_processes_on_one_ledger_are_killed() {
    lab(if full_effort() { 200 } else { 20 }, 8, 8);
}
