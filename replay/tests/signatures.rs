//! Producers' signatures in a replay of everything: each is verified again, and one that the gate
//! would never have let in is damage with its place, whatever checksums and links say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::num::NonZeroUsize;
use std::path::Path;

use common::evidence::chain;
use common::{NOW_MS, committed, genesis, run};
use proofline_ledger::frame::encode_frame;
use proofline_ledger::segment::{SegmentHeader, segment_name};
use proofline_ledger::{Action, Entry, EntryHeader, Ledger, Outcome, Seq, Snapshot};
use proofline_proof::files::producer::sign_envelope;
use proofline_proof::{KeyName, KeyRole, SecretKey, Signer};
use proofline_replay::{Plan, RunVerdict};
use proofline_trace::{EnvelopeHash, KeyReference, LedgerId, ProducerSignature, SignatureText};
use zeroize::Zeroizing;

fn secret(name: &str, role: KeyRole, seed: u8) -> SecretKey {
    SecretKey::from_seed(KeyName::new(name).unwrap(), role, &Zeroizing::new([seed; 32])).unwrap()
}

fn accepted(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Accepted { duplicate: false, .. }), "{outcome:?}");
}

fn signature(entry: &Entry, key: &SecretKey) -> ProducerSignature {
    let dsse = sign_envelope(&entry.header.envelope_hash, key).unwrap();
    ProducerSignature {
        target_trace_id: entry.header.trace.unwrap().trace_id,
        envelope_sha256: entry.header.envelope_hash,
        key: KeyReference::new(&key.verifier().short_name()).unwrap(),
        signature: SignatureText::new(&proofline_canon::base64(&dsse.signatures()[0].sig)).unwrap(),
    }
}

/// 120 traces of four records, every record signed by its producer.
fn signed() -> (tempfile::TempDir, Ledger, SecretKey) {
    let lines: Vec<String> = (1..=120).flat_map(|number| chain(number, 2)).collect();
    let (dir, ledger) = committed(&lines);
    let log = secret(genesis().origin.as_str(), KeyRole::Log, 1);
    let producer = secret("gateway.example", KeyRole::Producer, 2);
    for (key, by) in [(&log, None), (&producer, Some(&log as &dyn Signer))] {
        let keys = ledger.snapshot().unwrap().key_list().unwrap();
        let record = keys.addition(key, by).unwrap().canonical();
        accepted(&ledger.commit_action(&Action::System(&record), NOW_MS).unwrap());
    }
    let snapshot = ledger.snapshot().unwrap();
    let entries = (1..=480).map(|seq| snapshot.entry(Seq::new(seq)).unwrap().unwrap());
    let bodies: Vec<Vec<u8>> = entries.map(|entry| signature(&entry, &producer).canonical()).collect();
    let actions: Vec<_> = bodies.iter().map(|body| Action::Artifact(body)).collect();
    ledger.commit_actions(&actions, NOW_MS).unwrap().iter().for_each(accepted);
    (dir, ledger, producer)
}

#[test]
fn every_signature_is_verified_again_on_any_number_of_threads() {
    let (_dir, ledger, _) = signed();
    let snapshot = ledger.snapshot().unwrap();
    for threads in [1, 2, 8] {
        let plan = Plan { threads: NonZeroUsize::new(threads), ..Plan::default() };
        let (verdicts, summary) = run(&snapshot, &plan);
        assert_eq!((summary.verdict(), summary.producer_signatures), (RunVerdict::AllWell, 480));
        assert_eq!(verdicts.len(), 120);
    }
}

/// Writes the entries again as one segment, a body here and there exchanged, every hash and link
/// made right: what somebody with the folder and no key can do.
fn rewritten(dir: &Path, snapshot: &Snapshot, mut bend: impl FnMut(&Entry) -> Option<Vec<u8>>) -> Snapshot {
    let ledger_id: LedgerId = snapshot.ledger_id();
    let mut out = SegmentHeader { format: 1, ledger_id, first_seq: Seq::GENESIS, previous_leaf: None }
        .encode()
        .to_vec();
    let mut previous_leaf = None;
    for seq in (0..snapshot.entries()).map(Seq::new) {
        let entry = snapshot.entry(seq).unwrap().unwrap();
        let body = bend(&entry).unwrap_or_else(|| entry.body.clone());
        let header =
            EntryHeader { previous_leaf, envelope_hash: EnvelopeHash::of(&body), ..entry.header.clone() };
        previous_leaf = Some(encode_frame(&header, &body, &mut out).unwrap());
    }
    std::fs::create_dir_all(dir.join("log")).unwrap();
    std::fs::write(dir.join("log").join(segment_name(Seq::GENESIS)), out).unwrap();
    Snapshot::open(dir).unwrap()
}

#[test]
fn a_forged_signature_is_damage_with_its_place_and_nothing_else_is() {
    let (dir, ledger, producer) = signed();
    let snapshot = ledger.snapshot().unwrap();
    let stranger = secret("stranger.example", KeyRole::Producer, 9);
    let other = snapshot.entry(Seq::new(7)).unwrap().unwrap();
    let forged = rewritten(&dir.path().join("forged"), &snapshot, |entry| {
        let target = snapshot.entry(Seq::new(entry.header.seq.get().saturating_sub(482))).unwrap()?;
        match entry.header.seq.get() {
            // The signature of another envelope, and one by a key that is not listed.
            500 => {
                let own = signature(&target, &producer);
                let other = signature(&other, &producer);
                Some(ProducerSignature { signature: other.signature, ..own }.canonical())
            }
            900 => Some(signature(&target, &stranger).canonical()),
            _ => None,
        }
    });
    let (verdicts, summary) = run(&forged, &Plan::default());
    assert_eq!((summary.verdict(), summary.producer_signatures), (RunVerdict::Damaged, 478));
    let found: Vec<_> = summary
        .damage
        .iter()
        .map(|damage| (damage.code, damage.seq.unwrap().get(), damage.offset.is_some()))
        .collect();
    assert_eq!(found, [("ledger.producer_signature", 500, true), ("ledger.unknown_producer", 900, true)]);
    assert!(verdicts.iter().all(|verdict| verdict.is_pass()), "evidence itself is untouched");
}

/// A list of keys that the gate would not have let in is damage too, and no signature counts under it.
#[test]
fn a_forged_key_record_is_damage() {
    let (dir, ledger, _) = signed();
    let snapshot = ledger.snapshot().unwrap();
    let thief = secret("gateway.example", KeyRole::Producer, 7);
    let forged = rewritten(&dir.path().join("forged"), &snapshot, |entry| {
        let keys = snapshot.key_list().unwrap();
        // Vouched for by a key of the thief's own, under the origin's name.
        let by = secret(genesis().origin.as_str(), KeyRole::Log, 8);
        (entry.header.seq.get() == 482).then(|| keys.addition(&thief, Some(&by)).unwrap().canonical())
    });
    let (_, summary) = run(&forged, &Plan::default());
    assert_eq!((summary.verdict(), summary.producer_signatures), (RunVerdict::Damaged, 0));
    let found: Vec<_> =
        summary.damage.iter().map(|damage| (damage.code, damage.seq.unwrap().get())).collect();
    assert_eq!(found, [("body.form", 482)]);
}
