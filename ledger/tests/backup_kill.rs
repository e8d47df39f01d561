//! Real SIGKILLs of processes that copy a ledger on a real folder, while others commit to it and are
//! killed too. The copy is a whole prefix of the truth after each, and the backup that comes then
//! holds every record that was acknowledged before it began.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::busy::{Receipt, assert_held};
use common::keys::{add, log_key};
use common::random::{Random, full_effort};
use common::raw::{RawEntry, read_log};
use common::{NOW_MS, bare, chain, genesis};
use proofline_canon::{ContentStore, Sha256Digest};
use proofline_ledger::disk::OsDisk;
use proofline_ledger::{Action, Blobs, Ledger, Options, Outcome, backup, is_ledger, verify};

/// Tells the test binary that it is a child: `commit` or `backup`, the ledger's folder, the copy's, the
/// file for what it says, and its number, in lines.
const CHILD: &str = "PROOFLINE_KILLED_BACKUP";

fn options() -> Options {
    Options { segment_bytes: 4096, ..Options::default() }
}

fn back_up(dir: &Path, out: &Path) -> u64 {
    backup(dir, out, &mut |_| ControlFlow::Continue(())).unwrap().entries
}

/// The work of a child, until somebody kills it: commits chains with payloads and signs, or copies.
#[test]
fn child() {
    let Ok(orders) = std::env::var(CHILD) else { return };
    let orders: Vec<&str> = orders.lines().collect();
    let [work, dir, out, said, number] = orders[..] else { panic!("{orders:?}") };
    let mut said = OpenOptions::new().append(true).open(said).unwrap();
    let number: u32 = number.parse().unwrap();
    if work == "backup" {
        loop {
            let entries = back_up(Path::new(dir), Path::new(out));
            said.write_all(format!("{entries}\n").as_bytes()).unwrap();
        }
    }
    let ledger = Ledger::open(dir, options()).unwrap();
    let blobs = Blobs::open(dir).unwrap();
    for round in 0.. {
        let payload = format!("{number} {round}").repeat(300);
        blobs.put(&Sha256Digest::of(payload.as_bytes()), payload.as_bytes()).unwrap();
        let lines = chain(number * 10_000 + round, 2);
        let group: Vec<Action<'_>> = lines.iter().map(|line| bare(line)).collect();
        for outcome in ledger.commit_actions(&group, NOW_MS + u64::from(round)).unwrap() {
            let Outcome::Accepted { envelope_hash, seq, .. } = outcome else { panic!("{outcome:?}") };
            said.write_all(format!("{seq} {envelope_hash}\n").as_bytes()).unwrap();
        }
        if round % 3 == 0 {
            ledger.checkpoint(&[&log_key(1)]).unwrap();
        }
    }
}

struct House {
    _folder: tempfile::TempDir,
    dir: PathBuf,
    out: PathBuf,
    said: PathBuf,
    children: u32,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [dir, out, said] = ["ledger", "copy", "said"].map(|name| folder.path().join(name));
        Ledger::init(&dir, &genesis()).unwrap();
        add(&Ledger::open(&dir, options()).unwrap(), &log_key(1), None);
        fs::create_dir(&said).unwrap();
        House { _folder: folder, dir, out, said, children: 0 }
    }

    fn spawn(&mut self, work: &str) -> (Child, PathBuf) {
        self.children += 1;
        let said = self.said.join(format!("{work}-{}", self.children));
        File::create(&said).unwrap();
        let [dir, out] = [&self.dir, &self.out].map(|path| path.display().to_string());
        let orders = format!("{work}\n{dir}\n{out}\n{}\n{}", said.display(), self.children);
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(CHILD, orders)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        (child, said)
    }

    /// Waits until every child has said something, and kills them one after the other.
    fn round(&mut self, random: &mut Random) {
        let mut children = vec![self.spawn("commit"), self.spawn("backup"), self.spawn("commit")];
        let deadline = Instant::now() + Duration::from_secs(60);
        while !children.iter().all(|(_, said)| fs::read_to_string(said).unwrap().contains('\n')) {
            assert!(Instant::now() < deadline, "a child does not get to its work");
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_micros(random.next() % 40_000));
        while !children.is_empty() {
            let (mut child, _) = children.swap_remove(random.below(children.len()));
            assert_eq!(child.try_wait().unwrap(), None, "a child ended by itself");
            child.kill().unwrap();
            child.wait().unwrap();
            std::thread::sleep(Duration::from_micros(random.next() % 3_000));
        }
    }

    /// What all children of a kind wrote down, in whole lines.
    fn lines(&self, work: &str) -> Vec<String> {
        let files = fs::read_dir(&self.said).unwrap().map(|entry| entry.unwrap());
        let files = files.filter(|entry| entry.file_name().to_string_lossy().starts_with(work));
        let whole = |text: String| -> Vec<String> {
            text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
        };
        files.flat_map(|entry| whole(fs::read_to_string(entry.path()).unwrap())).collect()
    }

    fn check(&self) {
        assert!(is_ledger(&OsDisk, &self.out), "a child said that it had made a copy");
        let told = self.lines("backup").iter().map(|line| line.parse::<u64>().unwrap()).max().unwrap();
        let found = verify(&self.out, &mut |_| {}).unwrap();
        assert!(found.entries >= told, "{} of {told} entries", found.entries);
        assert_prefix(&read_log(&OsDisk, &self.out).0, &read_log(&OsDisk, &self.dir).0);
        let receipts = self.lines("commit").into_iter().map(|line| {
            let (seq, hash) = line.split_once(' ').unwrap();
            Receipt { seq: seq.parse().unwrap(), hash: hash.to_owned() }
        });
        let receipts: Vec<Receipt> = receipts.collect();
        back_up(&self.dir, &self.out);
        let copy = read_log(&OsDisk, &self.out).0;
        assert_held(&copy, &receipts, "a record acknowledged before the backup is not in it");
        assert_prefix(&copy, &read_log(&OsDisk, &self.dir).0);
        let report = verify(&self.out, &mut |_| {}).unwrap();
        assert!(report.is_sound(), "{report:?}");
        let mut damaged = Vec::new();
        Blobs::open(&self.out).unwrap().check(&mut |damage| damaged.push(damage)).unwrap();
        assert_eq!(damaged, []);
    }
}

fn assert_prefix(copy: &[RawEntry], truth: &[RawEntry]) {
    assert!(copy.len() <= truth.len());
    for (copied, entry) in copy.iter().zip(truth) {
        assert!(copied.leaf == entry.leaf && copied.body == entry.body, "entry {} differs", entry.seq);
    }
}

#[test]
fn killed_at_any_time_the_copy_is_a_prefix_and_the_next_backup_has_all() {
    let mut house = House::new();
    let mut random = Random::new(4);
    for _ in 0..if full_effort() { 150 } else { 15 } {
        house.round(&mut random);
        house.check();
    }
    let (receipts, backups) = (house.lines("commit").len(), house.lines("backup").len());
    println!("{} kills, {receipts} receipts, {backups} backups", house.children);
}
