//! Many threads and many writers on one ledger, and readers beside them: syncs are shared, every
//! answer is the right one and comes when all it rests on is durable, the log has the order of
//! the groups, and a reader sees a whole prefix wherever a writer goes on or dies meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::busy::{self, Group, Receipt, assert_durable, assert_held, groups};
use common::index_model::check_indexes;
use common::keys::{add, log_key};
use common::random::full_effort;
use common::readers::{StopOnDrop, look_on};
use common::recovered::{OPTIONS, dir, open, prepared};
use common::sim_disk::{Call, Effect, Fault, SimDisk};
use common::watched::{Gate, Watched};
use common::{NOW_MS, bare, chain, genesis, hash_of, raw};
use proofline_ledger::disk::OsDisk;
use proofline_ledger::{Action, Ledger, LedgerError, LogEnd, Options, Outcome, Seq, Snapshot, verify};

/// Long enough for a thread that has nothing to wait for to get where it goes.
const A_WHILE: Duration = Duration::from_millis(100);

/// A ledger whose file syncs wait at a gate.
fn gated() -> (SimDisk, Arc<Gate>, Arc<Ledger>) {
    let disk = prepared();
    let gate = Arc::new(Gate::default());
    let before = Arc::clone(&gate);
    let watched = Watched::new(&disk, move |call| {
        if call == Call::Sync {
            before.pass();
        }
    });
    let ledger = Ledger::open_on(Arc::new(watched), dir(), Options::default()).unwrap();
    (disk, gate, Arc::new(ledger))
}

type Answer = Result<Vec<Outcome>, LedgerError>;

/// Commits some lines as one group on a thread of its own.
fn commit_on_thread(ledger: &Arc<Ledger>, lines: &[String]) -> (JoinHandle<()>, Receiver<Answer>) {
    let (send, receive) = channel();
    let (ledger, lines) = (Arc::clone(ledger), lines.to_vec());
    let thread = thread::spawn(move || {
        let group: Vec<Action<'_>> = lines.iter().map(|line| bare(line)).collect();
        send.send(ledger.commit_actions(&group, NOW_MS)).unwrap();
    });
    (thread, receive)
}

fn place(outcome: &Outcome) -> (u64, bool) {
    match outcome {
        Outcome::Accepted { seq, duplicate, .. } => (seq.get(), *duplicate),
        other => panic!("{other:?}"),
    }
}

fn answer(receive: &Receiver<Answer>) -> Answer {
    receive.recv_timeout(Duration::from_secs(30)).expect("an answer")
}

fn assert_unanswered(receive: &Receiver<Answer>, what: &str) {
    assert_eq!(receive.recv_timeout(A_WHILE).map(|_| ()), Err(RecvTimeoutError::Timeout), "{what}");
}

#[test]
fn sixteen_threads_share_syncs_and_get_their_own_receipts() {
    let (disk, gate, ledger) = gated();
    let lines: Vec<String> = (1..=16).map(|trace| chain(trace, 0).remove(0)).collect();
    let mut waiting = vec![commit_on_thread(&ledger, &lines[..1])];
    gate.wait_for(1);
    waiting.extend(lines[1..].iter().map(|line| commit_on_thread(&ledger, std::slice::from_ref(line))));
    thread::sleep(3 * A_WHILE);
    for (_, receive) in &waiting {
        assert!(receive.try_recv().is_err(), "an answer before any sync returned");
    }
    gate.let_through(usize::MAX);
    let mut receipts = Vec::new();
    for ((thread, receive), line) in waiting.into_iter().zip(&lines) {
        let (seq, duplicate) = place(&answer(&receive).unwrap()[0]);
        assert!(!duplicate);
        receipts.push(Receipt { seq, hash: hash_of(line) });
        thread.join().unwrap();
    }
    let seqs: BTreeSet<u64> = receipts.iter().map(|receipt| receipt.seq).collect();
    assert_eq!(seqs, (1..=16).collect());
    assert_durable(&disk, dir(), &receipts);
    // One for the thread that came first, one for all that waited; a thread or two may be late.
    assert!((2..=5).contains(&gate.arrived()), "{} syncs for sixteen records", gate.arrived());
}

#[test]
fn groups_stay_together_and_in_their_order() {
    let disk = prepared();
    let ledger = Arc::new(Ledger::open_on(Arc::new(disk.clone()), dir(), Options::default()).unwrap());
    let chains: Vec<Vec<String>> = (1..=12).map(|trace| chain(trace, 5)).collect();
    let waiting: Vec<_> = chains.iter().map(|lines| commit_on_thread(&ledger, lines)).collect();
    let (mut receipts, mut starts) = (Vec::new(), BTreeSet::new());
    for ((thread, receive), lines) in waiting.into_iter().zip(&chains) {
        let places: Vec<u64> = answer(&receive).unwrap().iter().map(|outcome| place(outcome).0).collect();
        let expected: Vec<u64> = (places[0]..places[0] + 7).collect();
        assert_eq!(places, expected, "a group was torn apart or turned round");
        starts.insert(places[0]);
        receipts
            .extend(places.iter().zip(lines).map(|(seq, line)| Receipt { seq: *seq, hash: hash_of(line) }));
        thread.join().unwrap();
    }
    assert_eq!(starts, (0..12).map(|at| 1 + 7 * at).collect());
    let (entries, _) = raw::read_log(&disk, dir());
    raw::check_chain(&entries);
    assert_held(&entries, &receipts, "a receipt names another record");
}

/// Three threads behind one that holds the sync: a context, the same again, and a decision that
/// rests on it. They go through the gate and the log as one group.
fn three_that_rest_on_each_other(fail_second_sync: bool) -> (SimDisk, Vec<Answer>) {
    let (disk, gate, ledger) = gated();
    let lines = chain(1, 0);
    let first = commit_on_thread(&ledger, &chain(9, 0)[..1]);
    gate.wait_for(1);
    let mut waiting = Vec::new();
    for line in [&lines[0], &lines[0], &lines[1]] {
        waiting.push(commit_on_thread(&ledger, std::slice::from_ref(line)));
        thread::sleep(A_WHILE);
    }
    assert_unanswered(&first.1, "an answer before its sync");
    gate.let_through(1);
    assert_eq!(place(&answer(&first.1).unwrap()[0]), (1, false));
    gate.wait_for(2);
    for (_, receive) in &waiting {
        assert_unanswered(receive, "an answer that rests on an entry that is not durable");
    }
    if fail_second_sync {
        let error = io::ErrorKind::Other;
        disk.fail(Some(Fault { call: Call::Sync, nth: 0, error, effect: Effect::Nothing }));
    }
    gate.let_through(usize::MAX);
    let answers = waiting.iter().map(|(_, receive)| answer(receive)).collect();
    assert_eq!(gate.arrived(), 2, "the three did not share a sync");
    first.0.join().unwrap();
    waiting.into_iter().for_each(|(thread, _)| thread.join().unwrap());
    (disk, answers)
}

#[test]
fn pending_duplicates_and_prerequisites_answer_once_they_are_durable() {
    let (disk, answers) = three_that_rest_on_each_other(false);
    let places: Vec<_> = answers.iter().map(|answer| place(&answer.as_ref().unwrap()[0])).collect();
    assert_eq!(places, [(2, false), (2, true), (3, false)]);
    let lines = chain(1, 0);
    let receipts =
        [2, 3].map(|seq| Receipt { seq, hash: hash_of(&lines[usize::try_from(seq).unwrap() - 2]) });
    assert_durable(&disk, dir(), &receipts);
}

#[test]
fn nobody_is_told_of_an_entry_whose_sync_failed() {
    let (disk, answers) = three_that_rest_on_each_other(true);
    for answer in &answers {
        assert_eq!(answer.as_ref().unwrap_err().code(), "ledger.io", "{answer:?}");
    }
    // What reached the disk all the same is accepted once, whoever sends it again.
    let ledger = open(&disk).unwrap();
    let lines = chain(1, 0);
    let (context, _) = place(&ledger.commit_action(&bare(&lines[0]), NOW_MS).unwrap());
    let (decision, _) = place(&ledger.commit_action(&bare(&lines[1]), NOW_MS).unwrap());
    assert_eq!((context, decision), (2, 3));
    assert_eq!(ledger.entries(), 4);
}

#[test]
fn eight_writers_and_four_readers_on_a_real_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    Ledger::init(&path, &genesis()).unwrap();
    add(&Ledger::open(&path, OPTIONS).unwrap(), &log_key(1), None);
    let rounds = if full_effort() { 300 } else { 40 };
    let (stop, start) = (AtomicBool::new(false), Barrier::new(8));
    let receipts = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let readers = [(); 4].map(|()| scope.spawn(|| look_on(&path, &stop)));
        let stop_in_the_end = StopOnDrop(&stop);
        let writers: Vec<_> = (0..8_u32)
            .map(|number| {
                let (path, start, receipts) = (&path, &start, &receipts);
                scope.spawn(move || {
                    let ledger = Ledger::open(path, OPTIONS).unwrap();
                    start.wait();
                    for round in 0..rounds {
                        // Every third chain is sent by all eight: one of them is the first.
                        let trace = if round % 3 == 0 { 1 + round } else { 10_000 * (number + 1) + round };
                        let lines = chain(trace, 2);
                        let group: Vec<Action<'_>> = lines.iter().map(|line| bare(line)).collect();
                        let outcomes = ledger.commit_actions(&group, NOW_MS).unwrap();
                        let new = outcomes.iter().zip(&lines).map(|(outcome, line)| {
                            let (seq, duplicate) = place(outcome);
                            (Receipt { seq, hash: hash_of(line) }, duplicate)
                        });
                        receipts.lock().unwrap().extend(new);
                        // All of them sign, in turn and at once; readers see no cut log meanwhile.
                        if (round + number) % 4 == 0 {
                            let kept = ledger.checkpoint(&[&log_key(1)]).unwrap();
                            assert!(kept.size > places_end(&outcomes));
                        }
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        drop(stop_in_the_end);
        for reader in readers {
            assert!(reader.join().unwrap() > 3);
        }
    });
    let receipts = receipts.into_inner().unwrap();
    let (entries, surplus) = raw::read_log(&OsDisk, &path);
    assert_eq!(surplus, 0);
    raw::check_chain(&entries);
    let all: Vec<Receipt> = receipts.iter().map(|(receipt, _)| receipt.clone()).collect();
    assert_held(&entries, &all, "a receipt names another record");
    let firsts = receipts.iter().filter(|(_, duplicate)| !duplicate).count();
    let indexes = check_indexes(&entries);
    assert_eq!(firsts, entries.len() - 2 - indexes, "each entry was new to exactly one of them");
    let hashes: BTreeSet<String> = all.iter().map(|receipt| receipt.hash.clone()).collect();
    assert_eq!(hashes.len(), firsts);
    let report = verify(&path, &mut |_| {}).unwrap();
    assert!(report.is_sound(), "{report:?}");
    let sizes = report.anchors.checkpoints.len();
    assert!(
        sizes > rounds as usize && report.anchors.checkpoints.iter().all(|check| check.holds()),
        "{sizes}"
    );
}

/// The last entry that these answers name.
fn places_end(outcomes: &[Outcome]) -> u64 {
    outcomes.iter().map(|outcome| place(outcome).0).max().unwrap()
}

/// Writers that go on a step at a time: groups are committed and signed; now and then a process dies in the
/// middle of one and another one mends what it left.
struct Writers {
    disk: SimDisk,
    survivor: Ledger,
    groups: Vec<Group>,
    steps: usize,
    /// Entries that were acknowledged.
    entries: u64,
}

impl Writers {
    fn new(seed: u64) -> Self {
        let disk = prepared();
        let survivor = open(&disk).unwrap();
        add(&survivor, &log_key(1), None);
        let mut writers = Writers { disk, survivor, groups: groups(seed, 400), steps: 0, entries: 2 };
        (0..5).for_each(|_| writers.step());
        writers
    }

    fn step(&mut self) {
        self.steps += 1;
        if self.steps.is_multiple_of(4) {
            let process = self.disk.in_another_process();
            let mortal = open(&process).unwrap();
            process.die_at((self.steps / 4 % 11) as u64);
            let lines = chain(5_000_000 + u32::try_from(self.steps).unwrap(), 3);
            let group: Vec<Action<'_>> = lines.iter().map(|line| bare(line)).collect();
            let _ = mortal.commit_actions(&group, NOW_MS);
        } else {
            let group = self.groups.remove(0);
            let actions: Vec<Action<'_>> = group.sent.iter().map(busy::Sent::action).collect();
            self.survivor.commit_actions(&actions, group.recorded_at_ms).unwrap();
            self.entries = self.survivor.entries();
            if self.steps.is_multiple_of(3) {
                self.survivor.checkpoint(&[&log_key(1)]).unwrap();
            }
        }
    }
}

/// What a reader must be shown while writers did this and that.
fn check_prefix(snapshot: &Snapshot, disk: &SimDisk, at_least: u64, what: &str) {
    assert_eq!((snapshot.damage(), snapshot.derived_damage()), (&[][..], &[][..]), "{what}");
    assert_eq!(snapshot.end(), LogEnd::Published, "{what}");
    assert!(snapshot.entries() >= at_least, "{what}: {} entries of {at_least}", snapshot.entries());
    let ledger = open(&disk.copy()).unwrap();
    let whole = ledger.entries();
    drop(ledger);
    assert!(snapshot.entries() <= whole, "{what}: {} entries of {whole}", snapshot.entries());
    let (log, _) = raw::read_log(disk, dir());
    for entry in log.iter().take(usize::try_from(snapshot.entries()).unwrap()) {
        let read =
            snapshot.entry(Seq::new(entry.seq)).unwrap_or_else(|fault| panic!("{what}: {fault}")).unwrap();
        assert_eq!(*read.leaf_hash().as_bytes(), entry.leaf, "{what}: entry {}", entry.seq);
        let found = snapshot.with_hash(&read.header.envelope_hash).unwrap();
        assert!(found.contains(&Seq::new(entry.seq)), "{what}: entry {} is not found", entry.seq);
    }
    assert_eq!(snapshot.entry(Seq::new(snapshot.entries())).unwrap(), None, "{what}");
}

/// Opens a snapshot while the writers take steps before the calls that `steps_before` names.
fn open_meanwhile(
    seed: u64,
    what: &str,
    steps_before: impl Fn(Call, u64) -> usize + Send + Sync + 'static,
) -> u64 {
    let writers = Arc::new(Mutex::new(Writers::new(seed)));
    let disk = writers.lock().unwrap().disk.clone();
    let calls = Arc::new(AtomicU64::new(0));
    let (meanwhile, counted) = (Arc::clone(&writers), Arc::clone(&calls));
    let watched = Watched::new(&disk, move |kind| {
        let call = counted.fetch_add(1, SeqCst);
        for _ in 0..steps_before(kind, call) {
            meanwhile.lock().unwrap().step();
        }
    });
    let at_least = writers.lock().unwrap().entries;
    let snapshot = Snapshot::open_on(&watched, dir()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let opening = calls.load(SeqCst);
    check_prefix(&snapshot, &disk, at_least, what);
    opening
}

#[test]
fn a_reader_sees_a_whole_prefix_wherever_writers_go_on_meanwhile() {
    let seeds = if full_effort() { 12 } else { 2 };
    for seed in 0..seeds {
        for steps in [1, 2, 3, 5, 9, 14] {
            for nth in 0.. {
                let what = format!("run {seed}, {steps} steps before call {nth}");
                let calls = open_meanwhile(seed, &what, move |_, call| if call == nth { steps } else { 0 });
                if nth >= calls {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_reader_comes_to_an_end_while_writers_never_rest() {
    let seeds = if full_effort() { 40 } else { 10 };
    for seed in 0..seeds {
        for every in [1, 2, 3, 5, 8] {
            let what = format!("run {seed}, a step before every {every}th call");
            open_meanwhile(seed, &what, move |_, call| usize::from(call % every == 0 && call < 400));
        }
        // The worst moment, again and again: between the mark and the list of segments.
        let (what, lists) = (format!("run {seed}, steps before each list"), AtomicU64::new(0));
        open_meanwhile(seed, &what, move |kind, _| {
            if kind == Call::List && lists.fetch_add(1, SeqCst) < 20 { 6 } else { 0 }
        });
    }
}
