//! Every call to the disk fails once, in every way it can: with nothing done, with a part, with
//! all done and only the answer lost, or with the process dead right after it. The commit fails
//! cleanly with a code, the writer says what to do, nothing acknowledged is lost, and opening the
//! ledger again works.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use common::busy::{self, Group, Progress, Receipt, Sent};
use common::random::full_effort;
use common::recovered::{
    Claims, OPTIONS, check_image, check_log, dir, go_on, images, open, prepared, recover, with_new_chain,
};
use common::sim_disk::{Call, Effect, Fault, Image, SimDisk};
use common::{NOW_MS, auth_context, bare, genesis, raw};
use proofline_ledger::{Ledger, LedgerError, Options, Outcome, Snapshot, VerifyPlan, is_ledger, verify_on};

const ERRORS: [(io::ErrorKind, &str); 2] =
    [(io::ErrorKind::StorageFull, "ledger.storage_full"), (io::ErrorKind::Other, "ledger.io")];

/// The ways in which a call of this kind can fail.
fn effects(call: Call) -> &'static [Effect] {
    match call {
        Call::Write | Call::Sync => &[Effect::Nothing, Effect::Part, Effect::Done],
        call if call.changes() => &[Effect::Nothing, Effect::Done],
        _ => &[Effect::Nothing],
    }
}

/// One cell of the table: a fault, and the code that an error has to carry.
#[derive(Debug)]
struct Cell {
    fault: Fault,
    code: &'static str,
}

/// Says which cell it was when a check deep below fails.
struct NameOnPanic<'a>(&'a Cell);

impl Drop for NameOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("in {:?}", self.0);
        }
    }
}

/// How far apart the calls are that fail: those that only look are many and alike. Odd, so that
/// each error has its turn.
fn stride(call: Call) -> usize {
    if full_effort() || call.changes() { 1 } else { 3 }
}

/// Every cell for one kind of call, the n-th call by the n-th, until `try_cell` says that there
/// were no more such calls.
fn for_each_cell(call: Call, mut try_cell: impl FnMut(&Cell) -> bool) -> u64 {
    let mut cells = 0;
    for nth in (0..).step_by(stride(call)) {
        for &effect in effects(call) {
            for ((error, code), at) in ERRORS.into_iter().zip(0_u64..) {
                if !full_effort() && (nth + at) % 2 == 1 {
                    continue;
                }
                let cell = Cell { fault: Fault { call, nth, error, effect }, code };
                let named = NameOnPanic(&cell);
                if !try_cell(named.0) {
                    return cells;
                }
                cells += 1;
            }
        }
    }
    cells
}

fn assert_says(error: &LedgerError, cell: &Cell) {
    assert_eq!(error.code(), cell.code, "{cell:?}: {error}");
    let advice = if cell.code == "ledger.storage_full" { "free space" } else { "open the ledger again" };
    assert!(error.hint().contains(advice), "{cell:?}: {}", error.hint());
    assert!(error.to_string().starts_with("cannot "), "{cell:?}: {error}");
}

fn assert_poisoned(writer: &Ledger, sent: &Sent, cell: &Cell) {
    let error = writer.commit_action(&sent.action(), NOW_MS).unwrap_err();
    assert_eq!(error.code(), "ledger.poisoned", "{cell:?}: {error}");
    assert!(error.hint().contains("open the ledger again"), "{}", error.hint());
}

/// Sends what was not answered again. The gate may know it: a failed commit may have persisted.
fn send_again(ledger: &Ledger, group: &Group) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for sent in &group.sent {
        let outcome = ledger.commit_action(&sent.action(), group.recorded_at_ms).unwrap();
        let seq = match (&outcome, sent.expected) {
            (
                Outcome::Accepted { envelope_hash, seq, .. },
                busy::Expected::Accepted | busy::Expected::Duplicate,
            ) => {
                assert_eq!(envelope_hash.to_string(), sent.hash);
                Some(*seq)
            }
            (Outcome::Refused { seq: Some(seq), .. }, busy::Expected::Rejected) => Some(*seq),
            (Outcome::Refused { seq: None, .. }, busy::Expected::Refused) => None,
            other => panic!("{other:?}"),
        };
        receipts.extend(seq.map(|seq| Receipt { seq: seq.get(), hash: sent.hash.clone() }));
    }
    receipts
}

/// After a failure: readers see what was acknowledged, a new writer mends and goes on, and a
/// power cut on top of it all takes nothing that was acknowledged.
fn survives(disk: &SimDisk, progress: &Progress, groups: &[Group], seed: u64) {
    let sent = busy::hashes(groups);
    let claims = Claims { receipts: &progress.receipts, sent: &sent };
    let snapshot = Snapshot::open_on(disk, dir()).unwrap();
    let last = progress.receipts.iter().map(|receipt| receipt.seq + 1).max().unwrap_or(1);
    assert_eq!(snapshot.damage(), &[]);
    assert!(snapshot.entries() >= last, "a reader sees {} entries of {last}", snapshot.entries());
    let (ledger, _) = recover(disk, &claims);
    let mut receipts = progress.receipts.clone();
    if let Some(group) = groups.get(progress.answered) {
        receipts.extend(send_again(&ledger, group));
    }
    let receipts = go_on(disk, &ledger, &Claims { receipts: &receipts, sent: &sent }, 0);
    let sent = with_new_chain(&sent, 0);
    let claims = Claims { receipts: &receipts, sent: &sent };
    check_log(disk, &claims);
    assert!(verify_on(disk, dir(), &VerifyPlan::default(), &mut |_| {}).unwrap().is_sound());
    for image in [Image::SyncedOnly, Image::Seed(seed), Image::Seed(seed + 1)] {
        check_image(&disk.after_power_cut(image), &claims, 1);
    }
}

/// Groups one after the other, noting how many changes there were before the one that failed.
fn run_noting_changes(disk: &SimDisk, writer: &Ledger, groups: &[Group]) -> (Progress, u64) {
    let mut all = Progress::default();
    let mut before = disk.changes();
    for group in groups {
        before = disk.changes();
        let one = busy::run(disk, dir(), &[writer], std::slice::from_ref(group));
        all.receipts.extend(one.receipts);
        all.answered += one.answered;
        if one.error.is_some() {
            all.error = one.error;
            break;
        }
    }
    (all, before)
}

/// One writer: whatever fails before the first change leaves the writer able to go on; from the
/// first write on, a failure poisons it.
#[test]
fn every_call_of_a_commit_fails_once() {
    let prepared = prepared();
    let groups = busy::groups(3, 12);
    let mut table = BTreeMap::new();
    for call in Call::ALL {
        let cells = for_each_cell(call, |cell| {
            let disk = prepared.copy();
            let writer = open(&disk).unwrap();
            disk.fail(Some(cell.fault));
            let (progress, changes_before) = run_noting_changes(&disk, &writer, &groups);
            if !disk.has_failed() {
                assert!(progress.error.is_none(), "{cell:?}: {:?}", progress.error);
                return false;
            }
            let error = progress.error.as_ref().unwrap_or_else(|| panic!("{cell:?} went unnoticed"));
            assert_says(error, cell);
            let next = &groups[progress.answered].sent[0];
            if disk.changes() > changes_before {
                assert_poisoned(&writer, next, cell);
                assert_poisoned(&writer, next, cell);
                drop(writer);
                survives(&disk, &progress, &groups, cell.fault.nth);
            } else {
                let rest = busy::run(&disk, dir(), &[&writer], &groups[progress.answered..]);
                assert!(rest.error.is_none(), "{cell:?}: {:?}", rest.error);
                let receipts = [progress.receipts, rest.receipts].concat();
                survives(&disk, &Progress { receipts, answered: groups.len(), error: None }, &groups, 0);
            }
            true
        });
        table.insert(call, cells);
    }
    println!("cells: {table:?}");
    for call in [Call::Write, Call::Sync, Call::Rename, Call::SyncDir, Call::Open, Call::Create, Call::Lock] {
        assert!(table[&call] >= 5, "{call:?} was failed {} times only", table[&call]);
    }
}

/// Two writers: the one that failed is out, the other one mends at its next commit and goes on.
#[test]
fn another_writer_goes_on_where_one_failed() {
    let prepared = prepared();
    let groups = busy::groups(4, 12);
    for call in [Call::Open, Call::Create, Call::Read, Call::Write, Call::Sync, Call::Rename, Call::SyncDir] {
        for_each_cell(call, |cell| {
            let disk = prepared.copy();
            let writers = [open(&disk).unwrap(), open(&disk).unwrap()];
            disk.fail(Some(cell.fault));
            let progress = busy::run(&disk, dir(), &[&writers[0], &writers[1]], &groups);
            if !disk.has_failed() {
                return false;
            }
            assert_says(progress.error.as_ref().unwrap(), cell);
            let failed = groups[progress.answered].writer;
            let mut receipts = progress.receipts.clone();
            receipts.extend(send_again(&writers[1 - failed], &groups[progress.answered]));
            let rest = busy::run(&disk, dir(), &[&writers[1 - failed]], &groups[progress.answered + 1..]);
            assert!(rest.error.is_none(), "{cell:?}: {:?}", rest.error);
            receipts.extend(rest.receipts);
            // The one that failed says so, or it had not begun to write and knows all that happened since.
            match writers[failed].commit_action(&groups[0].sent[0].action(), NOW_MS) {
                Err(error) => assert_eq!(error.code(), "ledger.poisoned", "{cell:?}"),
                Ok(outcome) => assert!(!matches!(outcome, Outcome::ArtifactRefused(_))),
            }
            drop(writers);
            survives(&disk, &Progress { receipts, answered: groups.len(), error: None }, &groups, 7);
            true
        });
    }
}

/// One process dies; the other one cannot read all it needs to catch up, says so, and tries again
/// with a clock that stands still. Nothing that it half learned may show.
#[test]
fn a_survivor_that_failed_to_catch_up_tries_again() {
    let prepared = prepared();
    let groups = busy::groups(6, 9);
    for changes in (1..).step_by(if full_effort() { 1 } else { 3 }) {
        let mut died = true;
        for call in [Call::Lock, Call::Open, Call::Read, Call::Len, Call::List] {
            for_each_cell(call, |cell| {
                let disk = prepared.copy();
                let survivor = open(&disk).unwrap();
                let process = disk.in_another_process();
                let mortal = open(&process).unwrap();
                process.die_at(changes);
                let progress = busy::run(&disk, dir(), &[&mortal], &groups);
                died = progress.error.is_some();
                disk.fail(Some(cell.fault));
                let next = &groups[progress.answered.min(groups.len() - 1)].sent[0];
                let before = disk.changes();
                let failed = survivor.commit_action(&next.action(), 0);
                if !disk.has_failed() || !died {
                    return false;
                }
                let error = failed.expect_err("a fault went unnoticed");
                assert_says(&error, cell);
                let again = survivor.commit_action(&next.action(), 0);
                if let Err(error) = again {
                    assert_eq!(error.code(), "ledger.poisoned", "{cell:?}: {error}");
                    assert!(disk.changes() > before, "{cell:?} poisoned a writer that had not begun");
                }
                drop(survivor);
                survives(&disk, &progress, &groups, changes);
                true
            });
        }
        if !died {
            break;
        }
    }
}

/// A frame so long that following takes several reads: the read in the middle fails.
#[test]
fn following_another_writer_fails_in_the_middle_and_is_done_again() {
    let grants: Vec<String> = (0..20_000).map(|number| format!(r#""scope:{number}":true"#)).collect();
    let large = |of_trace: u32| {
        let context = auth_context(of_trace, "staff/ines");
        context.replace(r#""tickets:read":true"#, &grants.join(","))
    };
    let options = Options { segment_bytes: 1 << 30, ..OPTIONS };
    let open = |disk: &SimDisk| Ledger::open_on(Arc::new(disk.clone()), dir(), options).unwrap();
    let lines: Vec<String> = (1..=12).map(large).collect();
    for nth in 0.. {
        let disk = prepared();
        let (one, two) = (open(&disk), open(&disk));
        for line in &lines {
            one.commit_action(&bare(line), NOW_MS).unwrap();
        }
        disk.fail(Some(Fault {
            call: Call::Read,
            nth,
            error: io::ErrorKind::Other,
            effect: Effect::Nothing,
        }));
        let first_try = two.commit_action(&bare(&lines[0]), NOW_MS);
        if !disk.has_failed() {
            assert!(nth > 6, "following took {nth} reads only");
            break;
        }
        assert_eq!(first_try.unwrap_err().code(), "ledger.io");
        disk.fail(None);
        for (line, seq) in lines.iter().zip(1..) {
            let Outcome::Accepted { seq: found, duplicate: true, .. } =
                two.commit_action(&bare(line), NOW_MS).unwrap()
            else {
                panic!("the second writer does not know entry {seq}")
            };
            assert_eq!(found.get(), seq, "read {nth} failed");
        }
        let next = two.commit_action(&bare(&large(99)), NOW_MS).unwrap();
        assert!(matches!(next, Outcome::Accepted { seq, duplicate: false, .. } if seq.get() == 13));
    }
}

/// The process dies right after the call, whatever it did; the machine lives on, or does not.
#[test]
fn killed_after_every_change_of_a_commit() {
    let prepared = prepared();
    let groups = busy::groups(3, 12);
    for nth in 1.. {
        let disk = prepared.copy();
        let process = disk.in_another_process();
        let writer = open(&process).unwrap();
        process.die_at(nth);
        let progress = busy::run(&disk, dir(), &[&writer], &groups);
        if progress.error.is_none() {
            assert!(nth > 40, "the run makes {nth} changes");
            break;
        }
        let sent = busy::hashes(&groups);
        for image in images(3) {
            let claims = Claims { receipts: &progress.receipts, sent: &sent };
            check_image(&disk.after_power_cut(image), &claims, 0);
        }
        survives(&disk, &progress, &groups, nth);
    }
}

/// Opening a ledger that has much to mend: whole frames and half a frame behind the mark, a
/// segment that was never finished, a lost mark.
fn disk_to_mend(groups: &[Group]) -> (SimDisk, Progress) {
    let disk = prepared();
    let writer = open(&disk).unwrap();
    let progress = busy::run(&disk, dir(), &[&writer], &groups[..groups.len() - 1]);
    let published = raw::read_file(&disk, &dir().join("published"));
    let last = groups.last().unwrap();
    let actions: Vec<_> = last.sent.iter().map(Sent::action).collect();
    writer.commit_actions(&actions, last.recorded_at_ms).unwrap();
    raw::write_at(&disk, &dir().join("published"), 0, &published);
    let path = dir().join("log").join(raw::segment_names(&disk, dir()).pop().unwrap());
    let whole = raw::read_file(&disk, &path);
    raw::write_at(&disk, &path, whole.len(), &whole[80..200]);
    raw::write_at(&disk, &dir().join("log/00000000000000099999.seg.tmp"), 0, &whole[..70]);
    (disk, progress)
}

#[test]
fn every_call_of_a_recovery_fails_once() {
    let groups = busy::groups(11, 12);
    let (to_mend, progress) = disk_to_mend(&groups);
    let mended = open(&to_mend.copy()).unwrap().recovery();
    assert!(mended.recovered_entries > 0 && mended.torn.len() == 2, "{mended:?}");
    for call in Call::ALL {
        for_each_cell(call, |cell| {
            let disk = to_mend.copy();
            disk.fail(Some(cell.fault));
            let opened = open(&disk);
            if !disk.has_failed() {
                return false;
            }
            assert_says(&opened.expect_err("a fault went unnoticed"), cell);
            survives(&disk, &progress, &groups, cell.fault.nth);
            true
        });
    }
}

#[test]
fn every_call_of_an_init_fails_once() {
    let mut cells = 0;
    for call in Call::ALL {
        cells += for_each_cell(call, |cell| {
            let disk = SimDisk::new();
            disk.fail(Some(cell.fault));
            let made = Ledger::init_on(&disk, dir(), &genesis());
            if !disk.has_failed() {
                return false;
            }
            assert_says(&made.expect_err("a fault went unnoticed"), cell);
            if !is_ledger(&disk, dir()) {
                Ledger::init_on(&disk, dir(), &genesis()).unwrap();
            }
            survives(&disk, &Progress::default(), &[], cell.fault.nth);
            true
        });
    }
    assert!(cells > 15, "{cells} cells");
}

/// Reading changes nothing and fails with the code of what happened.
#[test]
fn every_call_of_a_reader_fails_once() {
    let disk = prepared();
    let writer = open(&disk).unwrap();
    busy::run(&disk, dir(), &[&writer], &busy::groups(11, 12));
    let before = disk.contents();
    for call in Call::ALL {
        for_each_cell(call, |cell| {
            disk.fail(Some(cell.fault));
            let snapshot = Snapshot::open_on(&disk, dir()).map(|_| ());
            if !disk.has_failed() {
                return false;
            }
            assert_says(&snapshot.expect_err("a fault went unnoticed"), cell);
            true
        });
        for_each_cell(call, |cell| {
            disk.fail(Some(cell.fault));
            let verified = verify_on(&disk, dir(), &VerifyPlan::default(), &mut |_| {}).map(|_| ());
            if !disk.has_failed() {
                return false;
            }
            assert_says(&verified.expect_err("a fault went unnoticed"), cell);
            true
        });
    }
    disk.fail(None);
    assert_eq!(disk.contents(), before);
}

/// The device is full after so many bytes, and stays full until somebody frees space.
#[test]
fn a_full_device_refuses_and_lets_on_once_there_is_space() {
    let prepared = prepared();
    let groups = busy::groups(8, 12);
    let step = if full_effort() { 41 } else { 199 };
    let mut refused_to_open = 0;
    for space_bytes in (0..).step_by(step) {
        let disk = prepared.copy();
        let writer = open(&disk).unwrap();
        disk.limit_space(Some(space_bytes));
        let progress = busy::run(&disk, dir(), &[&writer], &groups);
        let Some(error) = &progress.error else {
            println!("the run takes {space_bytes} bytes");
            assert!(space_bytes > 4 * usize::try_from(OPTIONS.segment_bytes).unwrap());
            break;
        };
        assert_eq!(error.code(), "ledger.storage_full", "{error}");
        assert!(error.hint().contains("free space"));
        let poisoned = writer.commit_action(&groups[0].sent[0].action(), NOW_MS).unwrap_err();
        assert_eq!(poisoned.code(), "ledger.poisoned");
        drop(writer);
        let sent = &groups[progress.answered].sent[0];
        // Still full: opening may need no space, or says what is missing; nothing gets lost by trying.
        for _ in 0..3 {
            match open(&disk) {
                Ok(ledger) => {
                    if let Err(error) = ledger.commit_action(&sent.action(), NOW_MS) {
                        assert_eq!(error.code(), "ledger.storage_full", "{error}");
                    }
                }
                Err(error) => {
                    assert_eq!(error.code(), "ledger.storage_full", "{error}");
                    refused_to_open += 1;
                }
            }
        }
        disk.limit_space(None);
        survives(&disk, &progress, &groups, space_bytes as u64);
    }
    assert!(refused_to_open > 0, "no recovery ever lacked space");
}
