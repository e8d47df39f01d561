//! However records come in, the log is the same: one by one, in groups of any size, examined by one thread or by
//! several. And whatever becomes of a thread or of a file beside the log, nobody waits for good and nothing is lost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

use common::busy::{self, Receipt, assert_held};
use common::random::{Random, full_effort};
use common::recovered::{Claims, OPTIONS, dir, prepared, recover};
use common::sim_disk::{Call, SimDisk};
use common::watched::Watched;
use common::{NOW_MS, bare, chain, genesis, hash_of, raw};
use proofline_ledger::disk::OsDisk;
use proofline_ledger::{
    Action, DeclaredDigest, DeclaredType, Ledger, Options, Outcome, Submission, VerifyPlan, verify_on,
};

/// One thing to commit, to own.
#[derive(Clone)]
enum Item {
    Busy(busy::Sent),
    Hostile { bytes: Vec<u8>, named: Option<String>, declared: Option<String> },
    Line(Vec<u8>),
}

impl Item {
    fn action(&self) -> Action<'_> {
        match self {
            Item::Busy(sent) => sent.action(),
            Item::Hostile { bytes, named, declared } => Action::Evidence(Submission {
                record_type: named.as_deref().map_or(DeclaredType::Own, DeclaredType::Named),
                declared_hash: declared.as_deref().map_or(DeclaredDigest::Computed, DeclaredDigest::Text),
                envelope: bytes,
            }),
            Item::Line(bytes) => Action::Line(bytes),
        }
    }
}

/// What nobody should send: broken lines, other spellings of a good one, false names and hashes.
fn hostile(random: &mut Random, trace: u32) -> Item {
    let lines = chain(trace, 1);
    let line = random.pick(&lines).clone();
    let mut bytes = line.clone().into_bytes();
    let (mut named, mut declared) = (None, None);
    match random.below(12) {
        0 => bytes.truncate(random.below(bytes.len())),
        1 => {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        2 => bytes = format!(" {} ", line.replace(':', " : ")).into_bytes(),
        3 => bytes = line.replacen("{\"", "{\"record_type\":\"tool_call\",\"", 1).into_bytes(),
        4 => named = Some(random.pick(&["tool_call", "model_call", "secret", ""]).to_string()),
        5 => declared = Some("ab".repeat(1 + random.below(100))),
        6 => declared = Some(hash_of(&line)),
        7 => bytes = (0..random.below(300)).map(|_| u8::try_from(random.below(256)).unwrap()).collect(),
        8 => bytes = line.replace("1000", "1e3").into_bytes(),
        _ => {
            let hash = if random.once_in(2) { hash_of(&line) } else { "no hash".to_owned() };
            let note = if random.once_in(3) { ",\"note\":1" } else { "" };
            let wrapper = format!("{{\"envelope\":{line},\"declared_hash\":\"{hash}\"{note}}}");
            return Item::Line(wrapper.into_bytes());
        }
    }
    Item::Hostile { bytes, named, declared }
}

/// Records, attempts, artifacts, erasures, duplicates and worse, in an order in which most of them rest on others.
fn items(seed: u64, count: usize) -> Vec<Item> {
    let mut random = Random::new(seed);
    let sent = busy::groups(seed, count / 4).into_iter().flat_map(|group| group.sent);
    let mut items: Vec<Item> = Vec::new();
    for (sent, number) in sent.zip(0_u32..) {
        items.push(Item::Busy(sent));
        if random.once_in(3) {
            items.push(hostile(&mut random, 700_000 + number / 5));
        }
        if random.once_in(9) {
            let earlier = random.pick(&items).clone();
            items.push(earlier);
        }
        if random.once_in(12) {
            let lines = chain(800_000 + number, 4).into_iter();
            let plain =
                |line: String| Item::Hostile { bytes: line.into_bytes(), named: None, declared: None };
            items.extend(lines.map(plain));
        }
    }
    items.truncate(count);
    items
}

fn threads(count: usize) -> Option<NonZeroUsize> {
    NonZeroUsize::new(count)
}

/// Commits the items in groups of these sizes, over and over; the disk and the answers.
fn committed(
    items: &[Item],
    options: Options,
    of_threads: usize,
    mut size: impl FnMut() -> usize,
) -> (SimDisk, Vec<Outcome>) {
    let disk = prepared();
    let ledger = Ledger::open_on(Arc::new(disk.clone()), dir(), options).unwrap();
    let ledger = ledger.with_threads(threads(of_threads));
    let (mut answers, mut rest) = (Vec::new(), items);
    while !rest.is_empty() {
        let (group, behind) = rest.split_at(size().clamp(1, rest.len()));
        let actions: Vec<Action<'_>> = group.iter().map(Item::action).collect();
        match &actions[..] {
            [action] => answers.push(ledger.commit_action(action, NOW_MS).unwrap()),
            actions => answers.extend(ledger.commit_actions(actions, NOW_MS).unwrap()),
        }
        rest = behind;
    }
    drop(ledger);
    (disk, answers)
}

/// Segments by name.
fn segments(disk: &SimDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = disk.contents_below(dir());
    files.retain(|path, _| path.extension().is_some_and(|end| end == "seg"));
    files
}

#[test]
fn one_by_one_in_groups_and_on_many_threads_the_log_is_the_same() {
    let (seeds, count) = if full_effort() { (60, 4000) } else { (4, 700) };
    for seed in 0..seeds {
        let items = items(seed, count);
        let options = Options { segment_bytes: 1 << 30, ..OPTIONS };
        let (disk, answers) = committed(&items, options, 1, || 1);
        let expected = segments(&disk);
        let kept = |outcome: &&Outcome| matches!(outcome, Outcome::Accepted { duplicate: false, .. });
        let of_kind = [
            answers.iter().filter(kept).count(),
            answers.iter().filter(|it| matches!(it, Outcome::Accepted { duplicate: true, .. })).count(),
            answers.iter().filter(|it| matches!(it, Outcome::Refused { seq: Some(_), .. })).count(),
            answers.iter().filter(|it| matches!(it, Outcome::Refused { seq: None, .. })).count(),
        ];
        assert!(of_kind.iter().all(|count| *count >= 10), "run {seed}: {of_kind:?}");
        let mut random = Random::new(seed);
        let mut sizes: Vec<Box<dyn FnMut() -> usize>> = vec![
            Box::new(|| 2),
            Box::new(|| 61),
            Box::new(|| 1000),
            Box::new(|| usize::MAX),
            Box::new(move || 1 + random.below(400)),
        ];
        for size in &mut sizes {
            for of_threads in [1, 2, 5] {
                let (disk, other) = committed(&items, options, of_threads, &mut *size);
                assert_eq!(other, answers, "run {seed}, {of_threads} threads");
                assert_eq!(segments(&disk), expected, "run {seed}, {of_threads} threads");
            }
        }
        assert!(verify_on(&disk, dir(), &VerifyPlan::default(), &mut |_| {}).unwrap().is_sound());
    }
}

#[test]
fn the_number_of_threads_changes_no_file() {
    let count = if full_effort() { 6000 } else { 900 };
    for (seed, segment_bytes) in [(71, 4096), (72, 20_000), (73, 1 << 20)] {
        let items = items(seed, count);
        for (group_records, group_bytes) in [(4096, 8 << 20), (100, 8 << 20), (4096, 20_000)] {
            let options = Options { segment_bytes, group_records, group_bytes, ..OPTIONS };
            let (disk, answers) = committed(&items, options, 1, || 2000);
            for of_threads in [2, 3, 8] {
                let (other_disk, other) = committed(&items, options, of_threads, || 2000);
                assert_eq!(other, answers, "run {seed}, {of_threads} threads");
                assert!(disk.contents() == other_disk.contents(), "run {seed}, {of_threads} threads");
            }
        }
    }
}

/// A disk that panics on the n-th call of a kind, under eight threads: one of them panics, the others are told, what
/// was acknowledged is there.
#[test]
fn a_disk_that_panics_leaves_nobody_waiting_and_nothing_lost() {
    for call in [Call::Len, Call::Read, Call::Write, Call::Sync, Call::Open, Call::Rename, Call::SyncDir] {
        for nth in [0, 1, 2, 5, 9] {
            let disk = prepared();
            let left = Arc::new(AtomicU64::new(u64::MAX));
            let counted = Arc::clone(&left);
            let watched = Watched::new(&disk, move |kind| {
                if kind == call && counted.fetch_sub(1, SeqCst) == 0 {
                    std::panic::resume_unwind(Box::new("a disk gave way"));
                }
            });
            let ledger = Ledger::open_on(Arc::new(watched), dir(), OPTIONS).unwrap();
            left.store(nth, SeqCst);
            let chains: Vec<Vec<String>> = (1..=8).map(|trace| chain(trace, 30)).collect();
            let commit_all = |lines: &[String]| {
                let mut receipts = Vec::new();
                for line in lines {
                    let commit = || ledger.commit_action(&bare(line), NOW_MS);
                    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(commit)) {
                        Ok(Ok(Outcome::Accepted { seq, .. })) => {
                            receipts.push(Receipt { seq: seq.get(), hash: hash_of(line) });
                        }
                        Ok(Ok(other)) => panic!("{other:?}"),
                        Ok(Err(error)) => {
                            assert_eq!(error.code(), "ledger.poisoned");
                            return (receipts, 0);
                        }
                        Err(_) => return (receipts, 1),
                    }
                }
                panic!("no call panicked: {call:?}, {nth}");
            };
            let ends: Vec<(Vec<Receipt>, u32)> = thread::scope(|scope| {
                let commit_all = &commit_all;
                let running: Vec<_> =
                    chains.iter().map(|lines| scope.spawn(move || commit_all(lines))).collect();
                running.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(ends.iter().map(|(_, panicked)| panicked).sum::<u32>(), 1, "{call:?}, {nth}");
            drop(ledger);
            let receipts: Vec<Receipt> = ends.into_iter().flat_map(|(receipts, _)| receipts).collect();
            let sent: HashSet<String> = chains.iter().flatten().map(|line| hash_of(line)).collect();
            recover(&disk, &Claims { receipts: &receipts, sent: &sent });
        }
    }
}

/// Two writers whose files stay open. In between somebody removes the lock's file, puts another in its place, or
/// damages the mark, which the next one to open the ledger makes again in a file of its own.
#[test]
fn writers_notice_when_a_file_that_they_keep_open_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    Ledger::init(&path, &genesis()).unwrap();
    let one = Ledger::open(&path, OPTIONS).unwrap();
    let other = Ledger::open(&path, OPTIONS).unwrap();
    let mut receipts = Vec::new();
    for round in 0..40_u32 {
        for (number, writer) in [(0, &one), (1, &other), (2, &one), (3, &other)] {
            for line in chain(1 + round * 10 + number, 2) {
                let outcome = writer.commit_action(&bare(&line), NOW_MS).unwrap();
                let Outcome::Accepted { seq, duplicate: false, .. } = outcome else { panic!("{outcome:?}") };
                receipts.push(Receipt { seq: seq.get(), hash: hash_of(&line) });
            }
        }
        match round % 4 {
            0 => fs::remove_file(path.join("lock")).unwrap(),
            1 => {
                fs::write(path.join("lock.new"), b"").unwrap();
                fs::rename(path.join("lock.new"), path.join("lock")).unwrap();
            }
            2 => {
                let mut mark = fs::read(path.join("published")).unwrap();
                let newer = usize::from(mark[8] < mark[512 + 8]) * 512;
                mark[newer + 50] ^= 1;
                fs::write(path.join("published"), &mark).unwrap();
                assert!(Ledger::open(&path, OPTIONS).unwrap().recovery().mark_rebuilt);
            }
            _ => {
                let mark = fs::read(path.join("published")).unwrap();
                fs::write(path.join("published.new"), mark).unwrap();
                fs::rename(path.join("published.new"), path.join("published")).unwrap();
            }
        }
    }
    let (entries, surplus) = raw::read_log(&OsDisk, &path);
    assert_eq!((entries.len(), surplus), (1 + 40 * 4 * 4, 0));
    raw::check_chain(&entries);
    assert_held(&entries, &receipts, "a receipt names another record");
}

/// Locks through files that stay open keep writers apart.
#[test]
fn many_writers_of_one_folder_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    Ledger::init(&path, &genesis()).unwrap();
    let rounds = if full_effort() { 400 } else { 60 };
    thread::scope(|scope| {
        for number in 0..4_u32 {
            let path = &path;
            scope.spawn(move || {
                let ledger = Ledger::open(path, OPTIONS).unwrap();
                for round in 0..rounds {
                    let line = &chain(1 + number * 100_000 + round, 0)[0];
                    let outcome = ledger.commit_action(&bare(line), NOW_MS).unwrap();
                    assert!(matches!(outcome, Outcome::Accepted { duplicate: false, .. }));
                }
            });
        }
    });
    let (entries, _) = raw::read_log(&OsDisk, &path);
    assert_eq!(entries.len(), 1 + 4 * usize::try_from(rounds).unwrap());
    raw::check_chain(&entries);
}
