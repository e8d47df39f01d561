//! Evidence bundles of real ledgers: what they hold is counted by reading the whole log, and whoever has the key
//! believes them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;
use std::path::Path;

use common::keys::{add, fresh, log_key, retire};
use common::random::{Random, full_effort};
use common::{NOW_MS, auth_context, bare, chain, decision, hash_of};
use proofline_canon::{ContentStore, Sha256Digest};
use proofline_ledger::{
    Action, Blobs, BundleOrder, BundlingError, Ledger, Outcome, PayloadChoice, Seq, Snapshot, create_bundle,
};
use proofline_proof::bundle::{
    Answer, Bundle, BundleReport, BundleTrust, Manifest, PayloadState, Question, Withholding, verify_bundle,
    withhold,
};
use proofline_proof::{Signer, VerifierKey};
use proofline_trace::{ErasureRecord, ErasureTarget, TraceId};

fn trace(number: u32) -> TraceId {
    format!("{number:032x}").parse().unwrap()
}

fn order(traces: impl IntoIterator<Item = u32>) -> BundleOrder {
    BundleOrder { traces: traces.into_iter().map(trace).collect(), ..BundleOrder::default() }
}

fn create(dir: &Path, order: &BundleOrder) -> (Manifest, Vec<u8>) {
    let mut bytes = Cursor::new(Vec::new());
    let manifest = create_bundle(dir, order, &mut bytes).unwrap();
    (manifest, bytes.into_inner())
}

fn judge(bytes: &[u8], keys: &[VerifierKey]) -> BundleReport {
    verify_bundle(Cursor::new(bytes), &BundleTrust { keys, policy: None }).unwrap()
}

fn believed(bytes: &[u8], keys: &[VerifierKey]) -> BundleReport {
    let report = judge(bytes, keys);
    assert_eq!(report.fault(), None);
    for question in [Question::Integrity, Question::Completeness, Question::Authenticity] {
        assert_eq!(report.answer(question), Answer::Holds);
    }
    report
}

fn commit(ledger: &Ledger, lines: &[String]) {
    let actions: Vec<_> = lines.iter().map(|line| bare(line)).collect();
    for outcome in ledger.commit_actions(&actions, NOW_MS).unwrap() {
        assert!(matches!(outcome, Outcome::Accepted { .. } | Outcome::Refused { .. }), "{outcome:?}");
    }
}

/// How many of the first entries belong to each trace, counted one by one.
fn counted(dir: &Path, size: u64) -> BTreeMap<TraceId, u64> {
    let snapshot = Snapshot::open(dir).unwrap();
    let mut counts = BTreeMap::new();
    for seq in 0..size {
        let entry = snapshot.entry(Seq::new(seq)).unwrap().unwrap();
        if let Some(link) = entry.header.trace {
            *counts.entry(link.trace_id).or_default() += 1;
        }
    }
    counts
}

/// Traces that begin, go on and are refused in turns, with checkpoints in between.
fn busy(ledger: &Ledger, random: &mut Random) -> Vec<u64> {
    let mut waiting: Vec<Vec<String>> = Vec::new();
    let mut sizes = Vec::new();
    let mut next = 1;
    for _ in 0..6 + random.below(12) {
        for _ in 0..1 + random.below(6) {
            if waiting.is_empty() || random.once_in(3) {
                let calls = u32::try_from(random.below(4)).unwrap();
                let mut lines = chain(next * 16, calls);
                if random.once_in(4) {
                    // Nobody ever sent its context: kept as refused.
                    lines.push(chain(next * 16 + 0x0100_0000, 1).remove(2));
                }
                lines.reverse();
                waiting.push(lines);
                next += 1;
            }
            let at = random.below(waiting.len());
            commit(ledger, &[waiting[at].pop().unwrap()]);
            waiting.retain(|lines| !lines.is_empty());
        }
        if random.once_in(2) {
            sizes.push(ledger.checkpoint(&[&log_key(1)]).unwrap().size);
        }
    }
    sizes.push(ledger.checkpoint(&[&log_key(1)]).unwrap().size);
    sizes
}

#[test]
fn what_a_bundle_says_of_traces_is_what_the_log_holds() {
    for seed in 0..if full_effort() { 200 } else { 12 } {
        let mut random = Random::new(seed);
        let (_dir, ledger) = fresh();
        add(&ledger, &log_key(1), None);
        let sizes = busy(&ledger, &mut random);
        let keys = [log_key(1).verifier().clone()];
        for _ in 0..4 {
            let size = *random.pick(&sizes);
            let counts = counted(ledger.dir(), size);
            let mut order = order([u32::try_from(random.below(400)).unwrap() + 1]);
            for id in counts.keys() {
                if random.once_in(3) {
                    order.traces.insert(*id);
                }
            }
            order.at = (size != *sizes.last().unwrap() || random.once_in(2)).then_some(size);
            let (manifest, bytes) = create(ledger.dir(), &order);
            let report = believed(&bytes, &keys);
            assert_eq!(report.manifest.as_ref(), Some(&manifest));
            assert_eq!(manifest.size, size);
            assert_eq!(manifest.traces.len(), order.traces.len());
            for claim in &manifest.traces {
                let expected = counts.get(&claim.trace_id).copied().unwrap_or(0);
                assert_eq!(claim.entries, expected, "seed {seed}, {}", claim.trace_id);
            }
            assert!(create(ledger.dir(), &order).1 == bytes, "the same bytes again");
        }
    }
}

#[test]
fn indexes_that_are_gone_change_no_byte() {
    let (_dir, ledger) = fresh();
    add(&ledger, &log_key(1), None);
    busy(&ledger, &mut Random::new(99));
    let order = order([16, 32, 48, 5]);
    let (_, bytes) = create(ledger.dir(), &order);
    let mut removed = 0;
    for file in fs::read_dir(ledger.dir().join("log")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "idx") {
            fs::remove_file(path).unwrap();
            removed += 1;
        }
    }
    assert!(removed > 2, "the ledger is too small for this test");
    assert!(create(ledger.dir(), &order).1 == bytes);
}

#[test]
fn a_bundle_rests_on_keys_that_the_verifier_knows() {
    let (_dir, ledger) = fresh();
    let (old, new, stranger) = (log_key(1), log_key(2), log_key(3));
    add(&ledger, &old, None);
    commit(&ledger, &chain(16, 2));
    add(&ledger, &new, Some(&old));
    retire(&ledger, old.verifier(), &new);
    ledger.checkpoint(&[&new]).unwrap();
    let (_, bytes) = create(ledger.dir(), &order([16]));
    let known = |key: &proofline_proof::SecretKey| judge(&bytes, &[key.verifier().clone()]);
    assert!(known(&old).holds(), "it vouched for the one that signed");
    assert!(known(&new).holds());
    assert_eq!(known(&stranger).answer(Question::Authenticity), Answer::Fails);
    assert_eq!(known(&stranger).answer(Question::Completeness), Answer::Holds);
    let unasked = judge(&bytes, &[]);
    assert!(unasked.holds());
    assert_eq!(unasked.answer(Question::Authenticity), Answer::NotAsked);
}

#[test]
fn without_what_it_rests_on_no_bundle_is_made() {
    let (_dir, ledger) = fresh();
    let refused =
        |order: &BundleOrder| create_bundle(ledger.dir(), order, Cursor::new(Vec::new())).unwrap_err().code();
    add(&ledger, &log_key(1), None);
    commit(&ledger, &chain(16, 1));
    assert_eq!(refused(&order([])), "bundle.no_traces");
    assert_eq!(refused(&order([16])), "bundle.no_checkpoint");
    let size = ledger.checkpoint(&[&log_key(1)]).unwrap().size;
    for other in [0, 1, size - 1, size + 1, u64::MAX] {
        assert_eq!(refused(&BundleOrder { at: Some(other), ..order([16]) }), "bundle.not_kept");
    }
    let unknown = PayloadChoice::These(BTreeSet::from([Sha256Digest::of(b"nobody names this")]));
    assert_eq!(refused(&BundleOrder { payloads: unknown, ..order([16]) }), "bundle.unknown_payload");
    // A checkpoint under the name of another size states another log.
    let kept = ledger.dir().join(format!("checkpoints/{size:020}.checkpoint"));
    let forged = String::from_utf8(fs::read(&kept).unwrap()).unwrap();
    fs::write(&kept, forged.replace(&format!("\n{size}\n"), &format!("\n{}\n", size - 1))).unwrap();
    assert_eq!(refused(&order([16])), "bundle.log");
}

/// A ledger with one trace of two calls whose payloads are these, in this order.
fn with_payloads(payloads: [&[u8]; 4]) -> (tempfile::TempDir, Ledger, [Sha256Digest; 4]) {
    let (dir, ledger) = fresh();
    add(&ledger, &log_key(1), None);
    let names = payloads.map(Sha256Digest::of);
    let lines = chain(16, 2);
    let hashes = |line: &str, first: u32, names: &[Sha256Digest]| {
        let line =
            line.replace(&format!("\"sha256\":\"{first:064x}\""), &format!("\"sha256\":\"{}\"", names[0]));
        let second = format!("\"sha256\":\"{:064x}\"", first + 1);
        line.replace(&second, &format!("\"sha256\":\"{}\"", names[1]))
    };
    let calls = [hashes(&lines[2], 0, &names[..2]), hashes(&lines[3], 1, &names[2..])];
    commit(&ledger, &[lines[0].clone(), lines[1].clone(), calls[0].clone(), calls[1].clone()]);
    (dir, ledger, names)
}

fn states(manifest: &Manifest) -> BTreeMap<Sha256Digest, PayloadState> {
    manifest.payloads.iter().map(|claim| (claim.sha256, claim.state)).collect()
}

/// What the decision of every chain names.
fn policy() -> Sha256Digest {
    format!("{:064x}", 9).parse().unwrap()
}

#[test]
fn payloads_travel_along_as_asked_for() {
    use PayloadState::{Absent, Included, Withheld};
    let large = vec![7; 300_000];
    let (_dir, ledger, names) = with_payloads([b"one", b"two", &large, b"gone"]);
    let blobs = Blobs::open(ledger.dir()).unwrap();
    for (name, bytes) in names.iter().zip([b"one".as_slice(), b"two", &large]) {
        blobs.put(name, bytes).unwrap();
    }
    ledger.checkpoint(&[&log_key(1)]).unwrap();
    let keys = [log_key(1).verifier().clone()];
    let choices = [
        (PayloadChoice::None, [Withheld, Withheld, Withheld, Absent]),
        (PayloadChoice::All, [Included, Included, Included, Absent]),
        (PayloadChoice::These(BTreeSet::from([names[1], names[3]])), [Withheld, Included, Withheld, Absent]),
    ];
    for (payloads, expected) in choices {
        let (manifest, bytes) = create(ledger.dir(), &BundleOrder { payloads, ..order([16]) });
        let expected = names.iter().copied().zip(expected).chain([(policy(), Absent)]);
        assert_eq!(states(&manifest), expected.collect());
        believed(&bytes, &keys);
    }
    // Damaged, it is not handed out.
    let digits = names[2].to_string();
    fs::write(ledger.dir().join("blobs").join(&digits[..2]).join(&digits[2..]), b"other").unwrap();
    let order = BundleOrder { payloads: PayloadChoice::All, ..order([16]) };
    let error = create_bundle(ledger.dir(), &order, Cursor::new(Vec::new())).unwrap_err();
    assert!(matches!(error, BundlingError::PayloadDamaged(name) if name == names[2]));
    assert_eq!(error.code(), "blob.damaged");
}

#[test]
fn bodies_and_payloads_are_withheld_one_by_one() {
    let payloads = [b"one".as_slice(), b"two", b"three", b"four"];
    let (_dir, ledger, names) = with_payloads(payloads);
    let blobs = Blobs::open(ledger.dir()).unwrap();
    for (name, bytes) in names.iter().zip(payloads) {
        blobs.put(name, bytes).unwrap();
    }
    ledger.checkpoint(&[&log_key(1)]).unwrap();
    let keys = [log_key(1).verifier().clone()];
    let order = BundleOrder { payloads: PayloadChoice::All, ..order([16]) };
    let (full, mut bytes) = create(ledger.dir(), &order);
    let all = u64::from(full.traces[0].entries == 4) * 4;
    assert_eq!(all, 4);
    let take = |bytes: &[u8], withholding: &Withholding| {
        let mut bundle = Bundle::open(Cursor::new(bytes)).unwrap();
        withhold(&mut bundle, withholding, Cursor::new(Vec::new())).map(|(copy, _)| copy.into_inner())
    };
    for (count, name) in (1_u64..).zip(names) {
        bytes = take(&bytes, &Withholding { payloads: BTreeSet::from([name]), ..Withholding::default() })
            .unwrap();
        let report = believed(&bytes, &keys);
        let manifest = report.manifest.unwrap();
        assert_eq!((manifest.count("included"), manifest.count("withheld")), (4 - count, count));
        let again = Withholding { payloads: BTreeSet::from([name]), ..Withholding::default() };
        assert_eq!(take(&bytes, &again).unwrap_err().code(), "bundle.not_there");
    }
    // Entries 2 to 5 are the trace: the context, the decision, two calls that name two payloads each.
    let left = [(2, 5), (3, 4), (4, 2), (5, 0)];
    for (count, (seq, payloads)) in (1_usize..).zip(left) {
        let withholding = Withholding { bodies: BTreeSet::from([Seq::new(seq)]), ..Withholding::default() };
        bytes = take(&bytes, &withholding).unwrap();
        let report = believed(&bytes, &keys);
        let manifest = report.manifest.unwrap();
        assert_eq!((manifest.withheld.len(), manifest.payloads.len()), (count, payloads));
        assert_eq!(take(&bytes, &withholding).unwrap_err().code(), "bundle.not_there");
    }
    for seq in [0, 1, 6] {
        let withholding = Withholding { bodies: BTreeSet::from([Seq::new(seq)]), ..Withholding::default() };
        assert_eq!(take(&bytes, &withholding).unwrap_err().code(), "bundle.withheld");
    }
    let elsewhere = Withholding { bodies: BTreeSet::from([Seq::new(70)]), ..Withholding::default() };
    assert_eq!(take(&bytes, &elsewhere).unwrap_err().code(), "bundle.not_there");
}

#[test]
fn an_erased_payload_is_told_as_erased_and_by_which_entry() {
    let (_dir, ledger, names) = with_payloads([b"one", b"two", b"three", b"four"]);
    // A decision that allows it, in a trace of its own.
    let context = auth_context(77, "staff/ines");
    let allowed = decision(77, &hash_of(&context), "allow").replace(
        "tickets:read\",\"resource\":\"tickets/42",
        &format!("erase\",\"resource\":\"blob/{}", names[0]),
    );
    commit(&ledger, &[context, allowed.clone()]);
    let record = ErasureRecord {
        target: ErasureTarget::Blob(names[0]),
        reason: "asked for by the subject".parse().unwrap(),
        authority: hash_of(&allowed).parse().unwrap(),
    };
    let outcome = ledger.commit_action(&Action::System(&record.canonical()), NOW_MS).unwrap();
    let Outcome::Accepted { seq, .. } = outcome else { panic!("{outcome:?}") };
    ledger.checkpoint(&[&log_key(1)]).unwrap();
    let keys = [log_key(1).verifier().clone()];
    let (manifest, bytes) = create(ledger.dir(), &order([16]));
    assert_eq!(manifest.payload(&names[0]).unwrap().state, PayloadState::Erased(seq));
    assert_eq!(manifest.count("erased"), 1);
    believed(&bytes, &keys);
    // With the record that named it, the erasure goes too, and the rest still verifies.
    let mut bundle = Bundle::open(Cursor::new(bytes.as_slice())).unwrap();
    let withholding = Withholding { bodies: BTreeSet::from([Seq::new(4)]), ..Withholding::default() };
    let less = withhold(&mut bundle, &withholding, Cursor::new(Vec::new())).unwrap().0.into_inner();
    let report = believed(&less, &keys);
    assert_eq!(report.counts.entries + 1, believed(&bytes, &keys).counts.entries);
    assert_eq!(report.manifest.unwrap().count("erased"), 0);
}

#[test]
fn one_trace_a_hundred_and_ten_thousand() {
    let all: u32 = if full_effort() { 10_000 } else { 300 };
    let (_dir, ledger) = fresh();
    add(&ledger, &log_key(1), None);
    for first in (1..=all).step_by(100) {
        let lines: Vec<String> = (first..first + 100).flat_map(|number| chain(number, 1)).collect();
        commit(&ledger, &lines);
        if first % 1000 == 1 {
            ledger.checkpoint(&[&log_key(1)]).unwrap();
        }
    }
    let size = ledger.checkpoint(&[&log_key(1)]).unwrap().size;
    let keys = [log_key(1).verifier().clone()];
    for count in [1, 100, all] {
        // Every other one is a trace that the ledger does not have.
        let wanted = (1..=count).map(|number| number + u32::from(number % 2 == 0) * all);
        let (manifest, bytes) = create(ledger.dir(), &order(wanted));
        assert_eq!((manifest.size, manifest.traces.len()), (size, count as usize));
        let there = manifest.traces.iter().filter(|claim| claim.entries == 3).count();
        let absent = manifest.traces.iter().filter(|claim| claim.entries == 0).count();
        assert_eq!((there, absent), (count.div_ceil(2) as usize, (count / 2) as usize));
        // A cover grows with the logarithm of what it covers.
        assert!(manifest.cover.len() <= 2 + size.ilog2() as usize, "{:?}", manifest.cover);
        believed(&bytes, &keys);
    }
}
