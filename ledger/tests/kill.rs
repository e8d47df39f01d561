//! Two hundred real SIGKILLs of committing processes on a real folder, eight of them on one
//! ledger at a time, while readers look on. Every record that a child said was acknowledged is
//! there, the chain verifies, readers only ever see a whole prefix, and writing goes on.
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
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use common::busy::{Receipt, assert_held};
use common::index_model::check_indexes;
use common::keys::{add, log_key};
use common::random::{Random, full_effort};
use common::readers::{StopOnDrop, look_on};
use common::{NOW_MS, bare, chain, genesis, hash_of, raw};
use proofline_ledger::disk::OsDisk;
use proofline_ledger::{Action, Ledger, LogEnd, Options, Outcome, checkpoint_path, verify};
use proofline_proof::Note;

/// Tells the test binary that it is a child: the ledger's folder, the file for its receipts, and
/// its number, in lines.
const CHILD: &str = "PROOFLINE_KILLED_CHILD";

/// Begins a line of a child that signed a checkpoint; its size follows.
const SIGNED: &str = "signed ";

fn options() -> Options {
    Options { segment_bytes: 4096, ..Options::default() }
}

/// The work of a child: commits chains of its own and now and then one that all children send,
/// until somebody kills it, and signs a checkpoint now and then. Each receipt, and each size that was
/// signed, is written down right after it was given.
#[test]
fn child() {
    let Ok(orders) = std::env::var(CHILD) else { return };
    let mut orders = orders.lines();
    let ledger = Ledger::open(orders.next().unwrap(), options()).unwrap();
    let mut receipts = OpenOptions::new().append(true).open(orders.next().unwrap()).unwrap();
    let number: u32 = orders.next().unwrap().parse().unwrap();
    let mut random = Random::new(u64::from(number));
    for round in 0.. {
        let is_shared = random.once_in(5);
        let trace = if is_shared { 1 + round } else { number * 10_000 + round };
        let lines = chain(trace, 3);
        let mut from = 0;
        while from < lines.len() {
            let to = (from + 1 + random.below(3)).min(lines.len());
            let group: Vec<Action<'_>> = lines[from..to].iter().map(|line| bare(line)).collect();
            let outcomes = ledger.commit_actions(&group, NOW_MS + u64::from(round)).unwrap();
            let mut said = String::new();
            for outcome in outcomes {
                let Outcome::Accepted { envelope_hash, seq, .. } = outcome else { panic!("{outcome:?}") };
                said.push_str(&format!("{seq} {envelope_hash}\n"));
            }
            receipts.write_all(said.as_bytes()).unwrap();
            from = to;
        }
        if random.once_in(3) {
            let kept = ledger.checkpoint(&[&log_key(1)]).unwrap();
            receipts.write_all(format!("{SIGNED}{}\n", kept.size).as_bytes()).unwrap();
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
    _dir: tempfile::TempDir,
    ledger: PathBuf,
    receipts: PathBuf,
    children: u32,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (ledger, receipts) = (dir.path().join("ledger"), dir.path().join("receipts"));
        Ledger::init(&ledger, &genesis()).unwrap();
        add(&Ledger::open(&ledger, options()).unwrap(), &log_key(1), None);
        fs::create_dir(&receipts).unwrap();
        House { _dir: dir, ledger, receipts, children: 0 }
    }

    fn spawn(&mut self) -> (Child, PathBuf) {
        self.children += 1;
        let receipts = self.receipts.join(self.children.to_string());
        File::create(&receipts).unwrap();
        let orders = format!("{}\n{}\n{}", self.ledger.display(), receipts.display(), self.children);
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(CHILD, orders)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        (child, receipts)
    }

    /// Starts `count` children, lets each of them commit a chain, and one of them sign a checkpoint if
    /// `is_signing`, and kills them one after the other. What the laboratory asks of its children in
    /// the end is waited for here, so that no load of the machine decides whether it is there.
    fn round(&mut self, count: usize, is_signing: bool, random: &mut Random) {
        let mut children: Vec<(Child, PathBuf)> = (0..count).map(|_| self.spawn()).collect();
        let said = |path: &Path| fs::read_to_string(path).unwrap();
        let is_busy = |path: &Path| said(path).matches('\n').count() >= 3;
        wait_for("a child does not get to commit a chain", || {
            children.iter().all(|(_, receipts)| is_busy(receipts))
        });
        if is_signing {
            wait_for("no child gets to sign", || {
                children.iter().any(|(_, receipts)| said(receipts).contains(SIGNED))
            });
        }
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
        let said = (1..=self.children)
            .map(|number| fs::read_to_string(self.receipts.join(number.to_string())).unwrap());
        // A kill may have cut the last line short.
        let whole = |text: String| {
            let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        said.flat_map(whole).collect()
    }

    /// Every receipt that any child wrote down.
    fn receipts(&self) -> Vec<Receipt> {
        let lines = self.lines().into_iter().filter(|line| !line.starts_with(SIGNED));
        let receipt = |line: String| {
            let (seq, hash) = line.split_once(' ').unwrap();
            Receipt { seq: seq.parse().unwrap(), hash: hash.to_owned() }
        };
        lines.map(receipt).collect()
    }

    /// The sizes that children signed.
    fn signed(&self) -> Vec<u64> {
        self.lines().iter().filter_map(|line| line.strip_prefix(SIGNED)?.parse().ok()).collect()
    }

    fn check(&self) {
        let ledger = Ledger::open(&self.ledger, options()).unwrap();
        let (entries, surplus) = raw::read_log(&OsDisk, &self.ledger);
        assert_eq!(surplus, 0);
        raw::check_chain(&entries);
        assert_held(&entries, &self.receipts(), "an acknowledged record is gone");
        for size in self.signed() {
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
        let (after, _) = raw::read_log(&OsDisk, &self.ledger);
        assert_held(&after, &new, "writing does not go on");
        let others = after.len() - entries.len() - new.len();
        assert_eq!(check_indexes(&after) - check_indexes(&entries), others, "somebody else wrote");
    }
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
            house.round(count, round % 4 == 0, &mut random);
            house.check();
        }
        drop(stop_in_the_end);
        for reader in readers {
            let looks = reader.join().unwrap();
            assert!(looks > rounds as u64, "a reader looked {looks} times only");
        }
    });
    assert_eq!(house.children as usize, rounds * count);
    let report = verify(&house.ledger, &mut |_| {}).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.end, LogEnd::Published);
    let receipts = house.receipts().len();
    let signed = house.signed().len();
    println!("{} kills, {receipts} receipts, {signed} signed, {} entries", house.children, report.entries);
    assert!(signed > rounds / 8 && report.anchors.anchored_entries() > 0, "{signed} signed");
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
