//! Index entries: what the log says of its traces is what a plain reading of the page over the raw
//! bytes gives, in random ledgers, through segments and restarts; a lie is noticed by `verify`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;

use common::index_model::{check_indexes, expected_body, from_of, is_index, leaves, leaves_of, root};
use common::keys::{add, commit, fresh, log_key};
use common::random::{Random, full_effort};
use common::raw::{RawEntry, frame, read_log};
use common::{NOW_MS, bare, chain, genesis};
use proofline_canon::{Blake3Digest, Limits, Value, hex, parse, unhex};
use proofline_ledger::disk::OsDisk;
use proofline_ledger::{
    Action, ArtifactRefusal, EntryHeader, Ledger, Options, Outcome, Seq, reindex, verify,
};
use proofline_trace::{EnvelopeHash, TraceIndexRecord};

fn entries_of(ledger: &Ledger) -> Vec<RawEntry> {
    let (entries, surplus) = read_log(&OsDisk, ledger.dir());
    assert_eq!(surplus, 0);
    entries
}

/// Chains of many traces, interleaved at random, in groups of random size, with a checkpoint now and then.
fn random_ledger(seed: u64, traces: u32, segment_bytes: u64) -> (tempfile::TempDir, Ledger) {
    let mut random = Random::new(seed);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    Ledger::init(&path, &genesis()).unwrap();
    let options = Options { segment_bytes, ..Options::default() };
    let mut ledger = Ledger::open(&path, options).unwrap();
    let key = log_key(1);
    let (mut waiting, mut number) = (Vec::new(), 0);
    let key_at = random.below(3);
    while number < traces || !waiting.is_empty() {
        if number as usize == key_at && ledger.snapshot().unwrap().key_list().unwrap().all().is_empty() {
            add(&ledger, &key, None);
        }
        if number < traces && (waiting.is_empty() || random.once_in(3)) {
            number += 1;
            let calls = u32::try_from(random.below(6)).unwrap();
            waiting.push(chain(number, calls).into_iter().collect::<std::collections::VecDeque<_>>());
            continue;
        }
        let mut lines = Vec::new();
        for _ in 0..=random.below(8) {
            if waiting.is_empty() {
                break;
            }
            let at = random.below(waiting.len());
            lines.extend(waiting[at].pop_front());
            if waiting[at].is_empty() {
                waiting.swap_remove(at);
            }
        }
        let actions: Vec<_> = lines.iter().map(|line| bare(line)).collect();
        ledger.commit_actions(&actions, NOW_MS + u64::from(number)).unwrap();
        if number as usize > key_at && random.once_in(6) {
            let kept = ledger.checkpoint(&[&key]).unwrap();
            assert_eq!(kept.size, ledger.entries());
        }
        if random.once_in(12) {
            drop(ledger);
            ledger = Ledger::open(&path, options).unwrap();
        }
    }
    (dir, ledger)
}

#[test]
fn index_entries_of_random_ledgers_say_what_the_page_says() {
    let rounds = if full_effort() { 400 } else { 10 };
    for seed in 0..rounds {
        let (_dir, ledger) = random_ledger(seed, 12 + u32::try_from(seed).unwrap() % 30, 8192);
        if ledger.snapshot().unwrap().key_list().unwrap().all().is_empty() {
            continue;
        }
        let kept = ledger.checkpoint(&[&log_key(1)]).unwrap();
        let entries = entries_of(&ledger);
        assert!(check_indexes(&entries) > 0);
        assert_eq!((kept.size, is_index(entries.last().unwrap())), (entries.len() as u64, true));
        assert!(verify(ledger.dir(), &mut |_| {}).unwrap().is_sound());
        check_covers(&ledger, &entries);
    }
}

/// What a snapshot says of covers and leaves is what the raw bytes say, and covers stay short.
fn check_covers(ledger: &Ledger, entries: &[RawEntry]) {
    let snapshot = ledger.snapshot().unwrap();
    for at in 0..entries.len() {
        let cover = snapshot.index_cover(Seq::new(at as u64)).unwrap();
        assert_eq!(cover.is_some(), is_index(&entries[at]), "{at}");
        let Some(cover) = cover else { continue };
        let mut end = at;
        for entry in &cover {
            assert_eq!(entry.seq, Seq::new(end as u64));
            let from = from_of(&entries[end]);
            let mut found = Vec::new();
            snapshot
                .trace_leaves(entry, &mut |leaf| {
                    found.push((*leaf.trace_id.as_bytes(), leaf.count, *leaf.last_leaf.as_bytes()));
                })
                .unwrap();
            assert_eq!(found, leaves(&entries[from..end]));
            end = from;
        }
        assert_eq!(end, 0, "a cover goes down to the genesis entry");
        assert!(cover.len() <= 2 + usize::try_from((at + 1).ilog2()).unwrap(), "{} of {at}", cover.len());
    }
}

/// A range of some thousand entries is read by the indexes beside the segments.
#[test]
fn a_long_range_over_many_segments_is_the_same_by_the_indexes() {
    let (_dir, ledger) = fresh();
    let options = Options { segment_bytes: 64 << 10, group_records: 50, ..Options::default() };
    let ledger = Ledger::open(ledger.dir(), options).unwrap();
    add(&ledger, &log_key(1), None);
    let chains: Vec<Vec<String>> = (1..=600).map(|number| chain(number, 10)).collect();
    for at in 0..12 {
        let lines: Vec<_> = chains.iter().map(|lines| bare(&lines[at])).collect();
        ledger.commit_actions(&lines, NOW_MS).unwrap();
    }
    ledger.checkpoint(&[&log_key(1)]).unwrap();
    let entries = entries_of(&ledger);
    let longest =
        (0..entries.len()).filter(|at| is_index(&entries[*at])).map(|at| at - from_of(&entries[at]));
    assert!(longest.max().unwrap() > 4000, "the test does not reach what it is for");
    check_indexes(&entries);
    assert!(verify(ledger.dir(), &mut |_| {}).unwrap().is_sound());
}

/// The index of a segment without the pairs of one trace, with a right checksum.
fn without_a_trace(index: &[u8]) -> Vec<u8> {
    let field = |at: usize| u32::from_le_bytes(index[at..at + 4].try_into().unwrap()) as usize;
    let (n, t, s, d) = (field(12), field(16), field(20), field(88));
    let filters = 32 * ((64 * n).div_ceil(1365) + (64 * d).div_ceil(1365));
    let traces = 96 + filters + 8 * n.div_ceil(64) + 16 * d.div_ceil(64) + 20 * n;
    let ordinals = traces + 20 * d;
    let end = ordinals + 4 * t + 4 * s;
    // The first trace of the directory keeps its place and loses its entries.
    let hidden = field(traces + 36);
    let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let mut lookup = index[..ordinals].to_vec();
    lookup[16..20].copy_from_slice(&number(t - hidden));
    for at in (traces + 36..ordinals).step_by(20) {
        lookup[at..at + 4].copy_from_slice(&number(field(at) - hidden));
    }
    lookup.extend(&index[ordinals + 4 * hidden..end]);
    let digest = Blake3Digest::of(&lookup);
    [&lookup, digest.as_bytes().as_slice(), &index[end + 32..]].concat()
}

/// What an index beside a segment hides is neither signed nor written into the log.
#[test]
fn a_forged_index_of_a_segment_makes_no_index_entry_lie() {
    let (_dir, ledger) = fresh();
    let options = Options { segment_bytes: 64 << 10, group_records: 60, ..Options::default() };
    let ledger = Ledger::open(ledger.dir(), options).unwrap();
    let key = log_key(1);
    add(&ledger, &key, None);
    let grow = |ledger: &Ledger, traces: std::ops::Range<u32>| {
        let lines: Vec<String> = traces.flat_map(|number| chain(number, 10)).collect();
        let actions: Vec<_> = lines.iter().map(|line| bare(line)).collect();
        ledger.commit_actions(&actions, NOW_MS).unwrap();
    };
    grow(&ledger, 1..300);
    ledger.checkpoint(&[&key]).unwrap();
    let path = ledger.dir().to_owned();
    let sealed = entries_of(&ledger)[30].segment.replace(".seg", ".idx");
    drop(ledger);
    let index = path.join("log").join(sealed);
    fs::write(&index, without_a_trace(&fs::read(&index).unwrap())).unwrap();
    let ledger = Ledger::open(&path, options).unwrap();
    grow(&ledger, 300..600);
    let error = ledger.checkpoint(&[&key]).unwrap_err();
    assert!(error.to_string().contains("reindex"), "{error}");
    check_indexes(&entries_of(&ledger));
    drop(ledger);
    reindex(&path).unwrap();
    let ledger = Ledger::open(&path, Options::default()).unwrap();
    ledger.checkpoint(&[&key]).unwrap();
    check_indexes(&entries_of(&ledger));
    assert!(verify(&path, &mut |_| {}).unwrap().is_sound());
}

#[test]
fn each_sealed_segment_is_covered_once_a_log_key_is_listed() {
    let (_dir, ledger) = fresh();
    commit(&ledger, 1..9);
    assert!(!entries_of(&ledger).iter().any(is_index), "nobody could sign what it says");
    add(&ledger, &log_key(1), None);
    commit(&ledger, 9..20);
    let entries = entries_of(&ledger);
    check_indexes(&entries);
    let segments: Vec<&String> = entries.iter().map(|entry| &entry.segment).collect();
    let key_at = entries.iter().position(|entry| entry.kind == 4).unwrap();
    let begin_behind = (key_at + 1..entries.len()).filter(|at| segments[*at] != segments[at - 1]);
    // The first group that a new segment takes brings none; the next one, if there is one, begins with it.
    for begin in begin_behind {
        let next = (begin..entries.len()).find(|at| is_index(&entries[*at]));
        assert!(next.map_or(entries.len(), |at| at) <= begin + 5, "the segment of {begin}: {next:?}");
    }
}

#[test]
fn a_checkpoint_of_nothing_new_appends_no_index_entry() {
    let (_dir, ledger) = fresh();
    let key = log_key(1);
    add(&ledger, &key, None);
    let first = ledger.checkpoint(&[&key]).unwrap();
    let again = ledger.checkpoint(&[&key]).unwrap();
    assert_eq!((first.size, &first.note), (3, &again.note));
    // A signer that nobody knows leaves no trace in the log.
    commit(&ledger, 1..2);
    let entries = ledger.entries();
    assert_eq!(ledger.checkpoint(&[&log_key(9)]).unwrap_err().code(), "checkpoint.not_current");
    assert_eq!(ledger.entries(), entries);
}

#[test]
fn nobody_hands_in_an_index_entry() {
    let (_dir, ledger) = fresh();
    add(&ledger, &log_key(1), None);
    commit(&ledger, 1..3);
    let body = expected_body(&entries_of(&ledger), entries_of(&ledger).len());
    let outcome = ledger.commit_action(&Action::System(body.as_bytes()), NOW_MS).unwrap();
    assert_eq!(outcome, Outcome::ArtifactRefused(ArtifactRefusal::Reserved));
    ledger.checkpoint(&[&log_key(1)]).unwrap();
    let written = entries_of(&ledger).last().unwrap().body.clone();
    assert_eq!(String::from_utf8(written.clone()).unwrap(), body);
    let outcome = ledger.commit_action(&Action::System(&written), NOW_MS).unwrap();
    assert!(matches!(outcome, Outcome::Accepted { duplicate: true, .. }), "{outcome:?}");
}

/// The log with another body in its last entry, as one who holds all keys would write it.
fn with_last_body(ledger: &Ledger, body: &[u8]) -> tempfile::TempDir {
    let entries = entries_of(ledger);
    let last = entries.last().unwrap();
    let dir = tempfile::tempdir().unwrap();
    common::keys::copy(ledger.dir(), dir.path());
    fs::remove_dir_all(dir.path().join("checkpoints")).unwrap();
    fs::remove_file(dir.path().join("published")).unwrap();
    let path = dir.path().join("log").join(&last.segment);
    let mut bytes = fs::read(&path).unwrap();
    let header_bytes = usize::from(u16::from_le_bytes([bytes[last.offset], bytes[last.offset + 1]]));
    let old = &bytes[last.offset + 6..last.offset + 6 + header_bytes];
    let header = EntryHeader { envelope_hash: EnvelopeHash::of(body), ..EntryHeader::decode(old).unwrap() };
    bytes.truncate(last.offset);
    bytes.extend(frame(&header.encode(), body));
    fs::write(&path, bytes).unwrap();
    dir
}

#[test]
fn a_lie_of_the_one_who_signs_is_noticed_by_verify() {
    let (_dir, ledger) = fresh();
    let key = log_key(1);
    add(&ledger, &key, None);
    commit(&ledger, 1..4);
    ledger.checkpoint(&[&key]).unwrap();
    let first = ledger.entries() - 1;
    commit(&ledger, 4..5);
    ledger.checkpoint(&[&key]).unwrap();
    let body = entries_of(&ledger).last().unwrap().body.clone();
    let value = proofline_canon::parse(&body, &proofline_canon::Limits::ENVELOPE).unwrap();
    let truth = TraceIndexRecord::from_value(&value).unwrap();
    let found = |record: &TraceIndexRecord| {
        let dir = with_last_body(&ledger, &record.canonical());
        let report = verify(dir.path(), &mut |_| {}).unwrap();
        let codes: Vec<&str> = report.damage.iter().map(|damage| damage.code).collect();
        assert_eq!(report.completeness().count(), codes.len(), "{:?}", report.damage);
        codes
    };
    assert_eq!(found(&truth), Vec::<&str>::new());
    let mut root = *truth.root.as_bytes();
    root[31] ^= 1;
    let other_root = proofline_canon::Sha256Digest::from_bytes(root);
    let int = proofline_trace::SafeInt::saturating;
    let lies = [
        (TraceIndexRecord { root: other_root, ..truth.clone() }, "trace_index.root"),
        (TraceIndexRecord { traces: int(truth.traces.get() - 1), ..truth.clone() }, "trace_index.root"),
        (TraceIndexRecord { traces: int(truth.traces.get() + 1), ..truth.clone() }, "trace_index.root"),
        (TraceIndexRecord { keys: int(2), ..truth.clone() }, "trace_index.keys"),
        (TraceIndexRecord { keys: int(0), ..truth.clone() }, "trace_index.keys"),
        (TraceIndexRecord { from: int(1), ..truth.clone() }, "trace_index.from"),
        (TraceIndexRecord { from: int(first - 1), ..truth.clone() }, "trace_index.from"),
        (TraceIndexRecord { from: int(ledger.entries() - 1), ..truth.clone() }, "trace_index.from"),
    ];
    for (lie, code) in lies {
        assert_eq!(found(&lie), [code], "{lie:?}");
        // Nor does an honest signer put a name to what somebody else wrote into the log, before or behind
        // what comes next.
        for traces in [None, Some(5..6)] {
            let dir = with_last_body(&ledger, &lie.canonical());
            let other = Ledger::open(dir.path(), Options::default()).unwrap();
            traces.into_iter().for_each(|traces| commit(&other, traces));
            let error = other.checkpoint(&[&key]).unwrap_err();
            assert_eq!(error.code(), "ledger.damaged", "{error}");
            assert!(
                fs::read_dir(dir.path().join("checkpoints"))
                    .unwrap()
                    .all(|it| it.unwrap().file_name() == "lock")
            );
        }
    }
}

/// The plain reading that this test holds the log to gives what the Python reference gives.
#[test]
fn the_model_is_the_reference() {
    let document = parse(include_bytes!("../../vectors/trace_index/logs.json"), &Limits::CONTENT).unwrap();
    let cases = document.get("cases").and_then(Value::as_array).unwrap();
    assert!(cases.len() >= 7);
    for case in cases {
        let entries: Vec<_> = list(case, "entries").iter().map(entry_of).collect();
        let found = leaves_of(entries.into_iter());
        let expected = case.get("expected").unwrap();
        let leaves = list(expected, "leaves").iter().map(entry_of);
        let leaves: Vec<_> = leaves.map(|(id, count, leaf)| (id.unwrap(), count, leaf)).collect();
        assert_eq!(found, leaves);
        assert_eq!(Some(hex(&root(&found)).as_str()), expected.get("root").and_then(Value::as_str));
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).unwrap()
}

/// Trace id or none, count, leaf hash.
fn entry_of(value: &Value) -> (Option<[u8; 16]>, u64, [u8; 32]) {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let count = value.get("count").unwrap().as_number().unwrap().literal().parse().unwrap();
    (text("trace_id").map(|id| unhex(id).unwrap()), count, unhex(text("leaf_hash").unwrap()).unwrap())
}
